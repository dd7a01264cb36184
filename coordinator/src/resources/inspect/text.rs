//! Texts.

use std::io::{BufReader, Read};

use serde::de::IgnoredAny;
use tidegate_types::Result;

use super::{BUFFER, refused, unread};

/// Refuses what is not text in UTF-8.
pub(super) fn utf8(text: &mut dyn Read) -> Result<()> {
    let mut buffer = vec![0; BUFFER];
    // Bytes of a character that go on in the next piece.
    let (mut held, mut at) = (0, 0_u64);
    loop {
        let count = text.read(&mut buffer[held..]).map_err(unread)?;
        let piece = &buffer[..held + count];
        if let Some(zero) = piece.iter().position(|byte| *byte == 0) {
            let at = at + zero as u64;
            return Err(refused(format!("byte {at} is zero: this is not a text")));
        }
        let good = match std::str::from_utf8(piece) {
            Ok(_) => piece.len(),
            Err(error) if error.error_len().is_none() && count > 0 => error.valid_up_to(),
            Err(error) => {
                let at = at + error.valid_up_to() as u64;
                return Err(refused(format!("byte {at} is not UTF-8"))
                    .help("save the file as UTF-8, without another encoding"));
            }
        };
        if count == 0 {
            return Ok(());
        }
        held = piece.len() - good;
        at += good as u64;
        buffer.copy_within(good..good + held, 0);
    }
}

/// Refuses what is not JSON values one after the other.
pub(super) fn json(text: &mut dyn Read) -> Result<()> {
    let text = BufReader::with_capacity(BUFFER, text);
    let values = serde_json::Deserializer::from_reader(text).into_iter::<IgnoredAny>();
    let mut any = false;
    for value in values {
        match value {
            Ok(_) => any = true,
            Err(error) if error.is_io() => return Err(unread(error.into())),
            Err(error) => return Err(refused(format!("this is not JSON: {error}"))),
        }
    }
    if any { Ok(()) } else { Err(refused("there is no JSON in it")) }
}
