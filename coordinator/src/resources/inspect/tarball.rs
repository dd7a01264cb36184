//! Compressed tar archives. Their entries are read raw: long names and the like stand in entries of their own, which
//! are bounded here before anything is kept of them.

use std::io::{BufReader, Read};

use flate2::read::MultiGzDecoder;
use tar::{Archive, EntryType};
use tidegate_types::{Error, Result};

use super::limits::Unpacked;
use super::{refused, unread};

/// Bytes of an entry that says something about the next one.
const EXTENSION: u64 = 64 << 10;

/// What an entry says about the next one.
#[derive(Default)]
struct Next {
    name: Option<String>,
}

/// Reads every entry of an archive, without keeping anything.
pub(super) fn look<R: Read>(content: R, unpacked: &mut Unpacked) -> Result<()> {
    // Names are checked, and entries counted, with bounds of the same archive.
    let mut checks = unpacked.beside();
    let inside = unpacked.counting(MultiGzDecoder::new(BufReader::new(content)));
    let mut archive = Archive::new(inside);
    let looked = entries(&mut archive, &mut checks);
    match archive.into_inner().over() {
        Some(over) => Err(over),
        None => looked,
    }
}

fn entries<R: Read>(archive: &mut Archive<R>, checks: &mut Unpacked) -> Result<()> {
    let mut next = Next::default();
    let mut any = false;
    let entries = archive.entries().map_err(broken)?.raw(true);
    for entry in entries {
        let mut entry = entry.map_err(broken)?;
        checks.entries(1)?;
        any = true;
        let kind = entry.header().entry_type();
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        match kind {
            EntryType::GNULongName => {
                let text = extension(&mut entry)?;
                let text = text.strip_suffix(&[0]).unwrap_or(&text);
                next.name = Some(String::from_utf8_lossy(text).into_owned());
            }
            EntryType::XHeader | EntryType::XGlobalHeader => {
                extended(&extension(&mut entry)?, &mut next)?;
            }
            EntryType::Regular | EntryType::Continuous | EntryType::Directory => {
                checks.check_name(&next.name.take().unwrap_or(name))?;
            }
            EntryType::Symlink | EntryType::Link | EntryType::GNULongLink => {
                let what = if kind == EntryType::Link { "a hard link" } else { "a symbolic link" };
                return Err(refused(format!("the entry '{name}' is {what}")).help(
                    "pack the files that links lead to: tar --dereference --hard-dereference",
                ));
            }
            _ => {
                return Err(refused(format!("the entry '{name}' is neither a file nor a folder")));
            }
        }
    }
    if any { Ok(()) } else { Err(refused("this is not a tar archive with anything in it")) }
}

fn extension<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut bounded = entry.take(EXTENSION + 1);
    bounded.read_to_end(&mut bytes).map_err(broken)?;
    if bytes.len() as u64 > EXTENSION {
        return Err(refused(format!(
            "what is said about an entry has more than {EXTENSION} bytes"
        )));
    }
    Ok(bytes)
}

/// Reads what a pax header says.
fn extended(bytes: &[u8], next: &mut Next) -> Result<()> {
    for extension in tar::PaxExtensions::new(bytes) {
        let extension = extension.map_err(broken)?;
        match extension.key_bytes() {
            b"path" => {
                next.name = Some(String::from_utf8_lossy(extension.value_bytes()).into_owned());
            }
            // With it two readers would see two archives.
            b"size" => return Err(refused("an entry says its size twice: it is too large")),
            key if key.starts_with(b"GNU.sparse.") => {
                return Err(refused("an entry is sparse").help("pack it without --sparse"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn broken(error: std::io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(known) => known,
        Err(error) => unread(std::io::Error::other(format!("as tar.gz: {error}"))),
    }
}
