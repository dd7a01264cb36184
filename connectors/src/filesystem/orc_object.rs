//! Gives ORC's reader the bytes of an object.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use orc_rust::reader::AsyncChunkReader;
use tidegate_engine::metrics::SourceMetrics;

/// Bytes that are fetched at once where less is asked for: the streams of a stripe's columns are small, and follow each
/// other.
const FETCH_BYTES: u64 = 1 << 20;

/// An ORC file in an object store.
pub(super) struct OrcObject {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
    metrics: Option<Arc<SourceMetrics>>,
    /// What was fetched last, and where it begins.
    held: (u64, Bytes),
}

impl OrcObject {
    /// A file of known size.
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        path: Path,
        size: u64,
        metrics: Option<Arc<SourceMetrics>>,
    ) -> Self {
        Self { store, path, size, metrics, held: (0, Bytes::new()) }
    }

    async fn get(&mut self, offset: u64, length: u64) -> io::Result<Bytes> {
        let end = offset.checked_add(length).filter(|end| *end <= self.size).ok_or_else(|| {
            let message = format!("it names {length} bytes at {offset}, but ends at {}", self.size);
            io::Error::new(io::ErrorKind::UnexpectedEof, message)
        })?;
        if let Some(bytes) = self.held_part(offset, length) {
            return Ok(bytes);
        }
        let until = end.max(offset.saturating_add(FETCH_BYTES)).min(self.size);
        let fetched = self.store.get_range(&self.path, offset..until).await;
        let fetched = fetched.map_err(io::Error::other)?;
        if let Some(metrics) = &self.metrics {
            metrics.bytes.add(fetched.len() as u64);
        }
        self.held = (offset, fetched);
        self.held_part(offset, length).ok_or_else(|| {
            io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was read")
        })
    }

    fn held_part(&self, offset: u64, length: u64) -> Option<Bytes> {
        let (start, bytes) = &self.held;
        let from = usize::try_from(offset.checked_sub(*start)?).ok()?;
        let to = from.checked_add(usize::try_from(length).ok()?)?;
        (to <= bytes.len()).then(|| bytes.slice(from..to))
    }
}

impl AsyncChunkReader for OrcObject {
    fn len(&mut self) -> BoxFuture<'_, io::Result<u64>> {
        std::future::ready(Ok(self.size)).boxed()
    }

    fn get_bytes(&mut self, offset: u64, length: u64) -> BoxFuture<'_, io::Result<Bytes>> {
        self.get(offset, length).boxed()
    }
}
