//! The chunk file: records one after the other, versioned and checksummed.
//!
//! `TGSTAGE` + version byte 1, a byte for the codec (0 none, 1 zstd), the content's length (u64),
//! the content, then the xxh3-64 of everything before. Content is each record's length (u32) and
//! bytes. Numbers are little-endian.

use bytes::Bytes;

use tidegate_types::{Error, ErrorCode, Result};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 8] = b"TGSTAGE\x01";
const HEADER: usize = MAGIC.len() + 1 + 8;
const CHECKSUM: usize = 8;
/// Cheap: staged output is written once and read at most once.
const LEVEL: i32 = 1;
/// Largest content that a reader accepts: far above what writers make.
const MAX_CONTENT: u64 = 1 << 30;

/// How the content is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// As it is.
    Plain,
    /// Compressed by zstd.
    Zstd,
}

/// Encodes a chunk's content as a file.
///
/// # Errors
/// `INTERNAL` if compression fails.
pub fn encode(content: &[u8], stored: Stored) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(HEADER + content.len() + CHECKSUM);
    bytes.extend_from_slice(MAGIC);
    bytes.push(u8::from(stored == Stored::Zstd));
    bytes.extend_from_slice(&(content.len() as u64).to_le_bytes());
    match stored {
        Stored::Plain => bytes.extend_from_slice(content),
        Stored::Zstd => {
            let compressed = zstd::bulk::compress(content, LEVEL)
                .map_err(|error| Error::internal(format!("compress staged output: {error}")))?;
            bytes.extend_from_slice(&compressed);
        }
    }
    let checksum = xxh3_64(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    Ok(bytes)
}

/// Decodes a chunk file; `name` is its path, for messages.
///
/// # Errors
/// `CORRUPT` if a byte differs from what was written, `INCOMPATIBLE` for a newer version.
pub fn decode(name: &str, bytes: &Bytes) -> Result<Bytes> {
    let corrupt =
        |what: &str| Error::new(ErrorCode::Corrupt, format!("staged output {name} {what}"));
    let (Some(magic), true) = (bytes.get(..MAGIC.len()), bytes.len() >= HEADER + CHECKSUM) else {
        return Err(corrupt("is too short"));
    };
    if magic[..7] != MAGIC[..7] {
        return Err(corrupt("is not staged output"));
    }
    if magic[7] != MAGIC[7] {
        let message =
            format!("staged output {name} has version {}, this release reads version 1", magic[7]);
        return Err(Error::new(ErrorCode::Incompatible, message));
    }
    let (before, checksum) = bytes.split_at(bytes.len() - CHECKSUM);
    if xxh3_64(before).to_le_bytes() != checksum {
        return Err(corrupt("is damaged: its checksum does not fit its content"));
    }
    let length =
        before[9..HEADER].iter().rev().fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
    if length > MAX_CONTENT {
        return Err(corrupt("claims to be impossibly large"));
    }
    let content = match before[8] {
        0 => bytes.slice(HEADER..bytes.len() - CHECKSUM),
        1 => zstd::bulk::decompress(&before[HEADER..], length as usize)
            .map_err(|error| corrupt(&format!("cannot be decompressed: {error}")))?
            .into(),
        codec => return Err(corrupt(&format!("has the unknown codec {codec}"))),
    };
    if content.len() as u64 != length {
        return Err(corrupt("has not the length that it claims"));
    }
    Ok(content)
}

/// The records of a chunk's content, in order.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    content: &'a [u8],
}

impl<'a> Records<'a> {
    /// Of a decoded chunk.
    pub fn new(content: &'a [u8]) -> Self {
        Self { content }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.content.is_empty() {
            return None;
        }
        let split = self
            .content
            .split_first_chunk::<4>()
            .and_then(|(length, rest)| rest.split_at_checked(u32::from_le_bytes(*length) as usize));
        let Some((record, rest)) = split else {
            self.content = &[];
            let message = "a chunk of staged output ends within a record";
            return Some(Err(Error::new(ErrorCode::Corrupt, message)));
        };
        self.content = rest;
        Some(Ok(record))
    }
}
