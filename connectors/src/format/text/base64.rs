//! Base64 with the standard alphabet and padding, as the formats encode BYTES.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PAD: u8 = b'=';
/// Marks bytes outside the alphabet.
const NONE: u8 = 0xff;
const VALUES: [u8; 256] = values();

const fn values() -> [u8; 256] {
    let mut values = [NONE; 256];
    let mut i = 0;
    while i < 64 {
        values[ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    values
}

/// Appends the encoding of `bytes`.
pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let digit = |group: u32, shift: u32| ALPHABET[(group >> shift & 63) as usize];
    out.reserve(bytes.len().div_ceil(3) * 4);
    let mut chunks = bytes.chunks_exact(3);
    for chunk in &mut chunks {
        let group = u32::from(chunk[0]) << 16 | u32::from(chunk[1]) << 8 | u32::from(chunk[2]);
        out.extend_from_slice(&[
            digit(group, 18),
            digit(group, 12),
            digit(group, 6),
            digit(group, 0),
        ]);
    }
    match chunks.remainder() {
        [a] => {
            let group = u32::from(*a) << 16;
            out.extend_from_slice(&[digit(group, 18), digit(group, 12), PAD, PAD]);
        }
        [a, b] => {
            let group = u32::from(*a) << 16 | u32::from(*b) << 8;
            out.extend_from_slice(&[digit(group, 18), digit(group, 12), digit(group, 6), PAD]);
        }
        _ => {}
    }
}

/// Appends what `text` encodes and returns whether it is valid: groups of four digits, the last one
/// padded. White space between digits is skipped, as Jackson does. Nothing is appended on failure.
pub(crate) fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let (mut group, mut digits, mut pads) = (0_u32, 0_u32, 0_u32);
    for &byte in text {
        if byte <= b' ' {
            continue;
        }
        let value = VALUES[byte as usize];
        let fits =
            if byte == PAD { digits + pads >= 2 && pads < 2 } else { value != NONE && pads == 0 };
        if !fits {
            out.truncate(start);
            return false;
        }
        if byte == PAD {
            pads += 1;
        } else {
            group = group << 6 | u32::from(value);
            digits += 1;
        }
        if digits == 4 {
            out.extend_from_slice(&group.to_be_bytes()[1..]);
            (group, digits) = (0, 0);
        }
    }
    match (digits, pads) {
        (0, 0) => true,
        (2, 2) => {
            out.push((group >> 4) as u8);
            true
        }
        (3, 1) => {
            out.extend_from_slice(&[(group >> 10) as u8, (group >> 2) as u8]);
            true
        }
        _ => {
            out.truncate(start);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counter_random::{Sequence, Stream};

    fn decoded(text: &str) -> Option<Vec<u8>> {
        let mut out = b"x".to_vec();
        let valid = decode(text.as_bytes(), &mut out);
        assert!(valid || out == b"x");
        valid.then(|| out[1..].to_vec())
    }

    #[test]
    fn known_texts() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"\x00\xff\x41", "AP9B"),
            (b"\x01\x02", "AQI="),
            (b"\x0a", "Cg=="),
            (b"\xfb\xff\xfe", "+//+"),
        ] {
            let mut out = Vec::new();
            encode(bytes, &mut out);
            assert_eq!(out, text.as_bytes());
            assert_eq!(decoded(text).as_deref(), Some(bytes));
        }
        assert_eq!(decoded("AP 9B\n").as_deref(), Some(&b"\x00\xff\x41"[..]));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "!!", "A", "AA", "AAA", "AA=", "A===", "AA==A", "=AAA", "AAAA=", "AA=A", "AAAAA",
            "äAAA",
        ] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }

    #[test]
    fn random_bytes_round_trip() {
        let mut random = Sequence::new(Stream::new(1, 1));
        for _ in 0..500 {
            let length = random.below(50);
            let bytes: Vec<u8> = (0..length).map(|_| random.draw() as u8).collect();
            let mut text = Vec::new();
            encode(&bytes, &mut text);
            assert_eq!(decoded(std::str::from_utf8(&text).unwrap()), Some(bytes));
        }
    }
}
