//! The whole catalog as bytes and back.
//!
//! Layout: the eight bytes `TGCATLOG`; the version (u32, little-endian); the number of bytes of the body (u64, little-
//! endian); the body, JSON; xxh3-64 of all before it (u64, little-endian). A reader of every released version stays.

use std::sync::Arc;

use tidegate_types::{Error, ErrorCode, Result};
use xxhash_rust::xxh3::xxh3_64;

use crate::search::ChangeLog;
use crate::state::Catalog;
use crate::tenancy::Project;

/// Version of the layout that is written.
pub const SNAPSHOT_VERSION: u32 = 2;

const MAGIC: &[u8; 8] = b"TGCATLOG";
const HEADER: usize = MAGIC.len() + 4 + 8;
const CHECKSUM: usize = 8;

impl Catalog {
    /// All of it as bytes; equal catalogs have equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 << 16);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&SNAPSHOT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
        serde_json::to_writer(&mut bytes, self)
            .expect("the catalog's keys are texts and numbers, and a vector takes every write");
        let length = (bytes.len() - HEADER) as u64;
        bytes[MAGIC.len() + 4..HEADER].copy_from_slice(&length.to_le_bytes());
        let checksum = xxh3_64(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// A catalog from its bytes. `CORRUPT` if they are damaged, `INCOMPATIBLE` if a later release wrote them.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let header = bytes.get(..HEADER).ok_or_else(|| corrupt("it is shorter than its header"))?;
        if &header[..MAGIC.len()] != MAGIC {
            return Err(corrupt("it does not begin as one"));
        }
        let number = |from: usize, to: usize| {
            header[from..to].iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
        };
        let version = number(MAGIC.len(), MAGIC.len() + 4);
        let length = usize::try_from(number(MAGIC.len() + 4, HEADER)).unwrap_or(usize::MAX);
        let end =
            HEADER.checked_add(length).filter(|end| end.checked_add(CHECKSUM) == Some(bytes.len()));
        let end =
            end.ok_or_else(|| corrupt("its length is not the one that it was written with"))?;
        if xxh3_64(&bytes[..end]).to_le_bytes() != bytes[end..] {
            return Err(corrupt("its checksum does not match"));
        }
        if !(1..=u64::from(SNAPSHOT_VERSION)).contains(&version) {
            return Err(Error::new(
                ErrorCode::Incompatible,
                format!("a snapshot of the catalog has version {version}, this release reads {SNAPSHOT_VERSION}"),
            )
            .help("run the release that wrote it, or a later one"));
        }
        let mut catalog: Self = serde_json::from_slice(&bytes[HEADER..end])
            .map_err(|error| corrupt(&format!("it cannot be read: {error}")))?;
        if version == 1 {
            let ids: Vec<String> = catalog.projects.keys().cloned().collect();
            for project in ids {
                catalog.projects.get_mut(&project).map(Arc::make_mut).map(Project::upgrade);
            }
        }
        catalog.rebuild_index();
        catalog.changes = ChangeLog::from(catalog.revision);
        Ok(catalog)
    }
}

fn corrupt(why: &str) -> Error {
    Error::new(ErrorCode::Corrupt, format!("a snapshot of the catalog is damaged: {why}"))
}
