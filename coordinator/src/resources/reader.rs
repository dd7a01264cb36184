//! A content as a file: what libraries of formats read. It waits for the store, so it is read on threads that may wait.

use std::io::{self, Read, Seek, SeekFrom};

use bytes::Bytes;
use tokio::runtime::Handle;

use super::{PART, ResourceStore};

/// The bytes of a place, one part at a time in memory.
#[derive(Debug, Clone)]
pub(super) struct ContentReader {
    store: ResourceStore,
    place: String,
    total: u64,
    position: u64,
    part: Option<(u64, Bytes)>,
    runtime: Handle,
}

impl ContentReader {
    pub(super) fn new(store: ResourceStore, place: String, total: u64, runtime: Handle) -> Self {
        Self { store, place, total, position: 0, part: None, runtime }
    }

    fn part(&mut self, number: u64) -> io::Result<Bytes> {
        if let Some((held, bytes)) = &self.part
            && *held == number
        {
            return Ok(bytes.clone());
        }
        let reading = self.store.read(&self.place, number, self.total);
        let bytes = self.runtime.block_on(reading).map_err(io::Error::other)?;
        self.part = Some((number, bytes.clone()));
        Ok(bytes)
    }
}

impl Read for ContentReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.total || buffer.is_empty() {
            return Ok(0);
        }
        let bytes = self.part(self.position / PART)?;
        let from = usize::try_from(self.position % PART).map_err(io::Error::other)?;
        let rest = bytes.get(from..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for ContentReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(by) => self.total.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        let before =
            || io::Error::new(io::ErrorKind::InvalidInput, "a place before the first byte");
        self.position = position.ok_or_else(before)?;
        Ok(self.position)
    }
}
