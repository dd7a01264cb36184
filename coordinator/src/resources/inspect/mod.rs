//! Looks into what was uploaded before it counts: its checksum, whether it is what its name and kind say, and whether it
//! does harm when it is unpacked. Archives are unpacked to nowhere, with bounds; what is packed in what they hold is
//! not looked into.

mod limits;
mod tarball;
#[cfg(test)]
mod tests;
mod text;
mod zipped;

use std::fmt::Write;
use std::io::{BufReader, Read, Seek, SeekFrom};

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};
use tidegate_catalog::ResourceKind;
use tidegate_runtime::blocking::beside;
use tidegate_types::{Error, ErrorCode, Result};
use tokio::runtime::Handle;

use super::ResourceStore;
use super::reader::ContentReader;
use limits::{Limits, Unpacked};

/// What is to be looked into.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    /// What it is for.
    pub(crate) kind: ResourceKind,
    /// Name of its file.
    pub(crate) file_name: String,
    /// Its checksum.
    pub(crate) sha256: String,
    /// Its bytes.
    pub(crate) bytes: u64,
}

/// What a file is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Jar,
    Wheel,
    Zip,
    TarGz,
    Wasm,
    /// Text in UTF-8; whether it is compressed.
    Text(bool),
    /// JSON values one after the other; whether they are compressed.
    Json(bool),
    Avro,
    Parquet,
    Orc,
}

/// How names of files end, the format, and whether it is one of packages, of test data. Longer ends come first.
const FORMATS: [(&str, Format, bool, bool); 25] = [
    (".tar.gz", Format::TarGz, true, true),
    (".tgz", Format::TarGz, true, true),
    (".json.gz", Format::Json(true), false, true),
    (".jsonl.gz", Format::Json(true), false, true),
    (".ndjson.gz", Format::Json(true), false, true),
    (".csv.gz", Format::Text(true), false, true),
    (".tsv.gz", Format::Text(true), false, true),
    (".txt.gz", Format::Text(true), false, true),
    (".jar", Format::Jar, true, false),
    (".whl", Format::Wheel, true, false),
    (".zip", Format::Zip, true, true),
    (".wasm", Format::Wasm, true, false),
    (".py", Format::Text(false), true, false),
    (".js", Format::Text(false), true, false),
    (".mjs", Format::Text(false), true, false),
    (".json", Format::Json(false), false, true),
    (".jsonl", Format::Json(false), false, true),
    (".ndjson", Format::Json(false), false, true),
    (".csv", Format::Text(false), false, true),
    (".tsv", Format::Text(false), false, true),
    (".txt", Format::Text(false), false, true),
    (".avro", Format::Avro, false, true),
    (".parquet", Format::Parquet, false, true),
    (".orc", Format::Orc, false, true),
    (".avsc", Format::Json(false), true, false),
];

/// Looks into the bytes of a place; answers what they are, such as `jar`.
///
/// # Errors
/// `INVALID_OPTION` with what is wrong, `RESOURCE_EXHAUSTED` for what unpacks to too much; `UNAVAILABLE` and the like
/// if the store does not answer: then nothing was found out.
pub(crate) async fn inspect(store: ResourceStore, place: String, claim: Claim) -> Result<String> {
    let reader = ContentReader::new(store, place, claim.bytes, Handle::current());
    beside("look into an upload", move || look(reader, &claim, Limits::default())).await?
}

/// Whether a file of this name can be a resource of a kind, before any of its bytes are there.
///
/// # Errors
/// `INVALID_OPTION` with what it could be.
pub(crate) fn check_name(kind: ResourceKind, file_name: &str) -> Result<()> {
    format_of(kind, file_name).map(drop)
}

fn format_of(kind: ResourceKind, file_name: &str) -> Result<(&'static str, Format)> {
    let name = file_name.to_lowercase();
    let fits = |package: bool, data: bool| match kind {
        ResourceKind::Package => package,
        ResourceKind::TestData => data,
    };
    let found =
        FORMATS.iter().find(|(end, _, package, data)| name.ends_with(end) && fits(*package, *data));
    found.map(|(end, format, ..)| (&end[1..], *format)).ok_or_else(|| {
        let ends = FORMATS.iter().filter(|(_, _, package, data)| fits(*package, *data));
        let ends: Vec<&str> = ends.map(|(end, ..)| *end).collect();
        refused(format!("'{file_name}' has no name of a file that is {kind}"))
            .help(format!("such files end with {}", ends.join(", ")))
    })
}

fn look<R: Read + Seek + Clone>(mut content: R, claim: &Claim, limits: Limits) -> Result<String> {
    let (name, format) = format_of(claim.kind, &claim.file_name)?;
    check_sum(&mut content, claim)?;
    content.seek(SeekFrom::Start(0)).map_err(unread)?;
    let mut unpacked = Unpacked::new(claim.bytes, limits);
    let named = |error: Error| error.context(claim.file_name.clone());
    match format {
        Format::Jar | Format::Wheel | Format::Zip => {
            zipped::look(content, format, &mut unpacked).map_err(named)?;
        }
        Format::TarGz => tarball::look(content, &mut unpacked).map_err(named)?,
        Format::Text(packed) => {
            open(content, packed, &mut unpacked, |text| text::utf8(text)).map_err(named)?;
        }
        Format::Json(packed) => {
            open(content, packed, &mut unpacked, |text| text::json(text)).map_err(named)?;
        }
        Format::Wasm => begins(&mut content, b"\0asm", "a WebAssembly module").map_err(named)?,
        Format::Avro => begins(&mut content, b"Obj\x01", "an Avro file").map_err(named)?,
        Format::Orc => begins(&mut content, b"ORC", "an ORC file").map_err(named)?,
        Format::Parquet => {
            begins(&mut content, b"PAR1", "a Parquet file").map_err(named)?;
            content.seek(SeekFrom::End(-4)).map_err(unread)?;
            begins(&mut content, b"PAR1", "a whole Parquet file").map_err(named)?;
        }
    }
    Ok(name.to_owned())
}

/// Text as it is, or as it is packed.
fn open<R: Read>(
    content: R,
    packed: bool,
    unpacked: &mut Unpacked,
    look: impl FnOnce(&mut dyn Read) -> Result<()>,
) -> Result<()> {
    if !packed {
        return look(&mut BufReader::with_capacity(BUFFER, content));
    }
    let mut inside = unpacked.counting(MultiGzDecoder::new(BufReader::new(content)));
    let looked = look(&mut BufReader::with_capacity(BUFFER, &mut inside));
    match inside.over() {
        Some(over) => Err(over),
        None => looked,
    }
}

/// Bytes that are read at once.
const BUFFER: usize = 64 << 10;

fn check_sum<R: Read>(content: &mut R, claim: &Claim) -> Result<()> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = content.read(&mut buffer).map_err(unread)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
    }
    let found = hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    if found == claim.sha256 {
        return Ok(());
    }
    let Claim { file_name, sha256, .. } = claim;
    Err(refused(format!("{file_name}: what came has the SHA-256 {found}, announced was {sha256}"))
        .help("upload it again; the file may have changed meanwhile"))
}

fn begins<R: Read>(content: &mut R, magic: &[u8], what: &str) -> Result<()> {
    let mut found = Vec::with_capacity(magic.len());
    content.take(magic.len() as u64).read_to_end(&mut found).map_err(unread)?;
    if found == magic {
        return Ok(());
    }
    Err(refused(format!("this is not {what}, whatever its name says")))
}

/// What cannot be taken.
fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::InvalidOption, message)
}

/// What was not found out: the store, or what a library says of the content.
fn unread(error: std::io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(of_store) => of_store,
        Err(error) => refused(format!("the content cannot be read: {error}")),
    }
}
