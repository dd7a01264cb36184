//! Staged output against stores that are slow, fail, or damage what they hold.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use tidegate_checkpoint::CheckpointStorage;
use tidegate_types::{Attempt, ErrorCode, OperatorId};

use super::*;

/// A store that refuses writes while it is told to, and counts those under way.
#[derive(Debug, Default)]
struct Moody {
    inner: InMemory,
    refuses: AtomicBool,
    holds: AtomicBool,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl fmt::Display for Moody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("moody")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Moody {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        while self.holds.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
        if self.refuses.load(Ordering::SeqCst) {
            return Err(object_store::Error::Generic { store: "moody", source: "not now".into() });
        }
        self.inner.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        self.inner.get_opts(path, options).await
    }

    async fn get_ranges(
        &self,
        path: &Path,
        ranges: &[Range<u64>],
    ) -> object_store::Result<Vec<Bytes>> {
        self.inner.get_ranges(path, ranges).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn area(store: Arc<dyn ObjectStore>, stored: Stored) -> Arc<StagingArea> {
    let storage = CheckpointStorage::new(store, Path::from("job"));
    let folder = StagingFolder { storage, stored };
    Arc::new(StagingArea::new(folder, Attempt(3), OperatorId(0xab), 2))
}

fn add(output: &mut StagedOutput, records: &[&str]) {
    for record in records {
        output.record(|out| out.extend_from_slice(record.as_bytes())).unwrap();
    }
}

/// The records of chunks, read by somebody who has only the store.
async fn read(area: &StagingArea, chunks: &[ChunkRef]) -> Vec<String> {
    let folder = StagedChunks::Restored(area.folder().clone());
    let mut all = Vec::new();
    for chunk in chunks {
        let content = folder.read(chunk).await.unwrap();
        let texts = Records::new(&content)
            .map(|record| String::from_utf8(record.unwrap().to_vec()).unwrap());
        let before = all.len();
        all.extend(texts);
        assert_eq!((all.len() - before) as u64, chunk.records);
    }
    all
}

#[tokio::test]
async fn an_epoch_is_what_came_since_the_last_one() {
    for stored in [Stored::Plain, Stored::Zstd] {
        let area = area(Arc::new(InMemory::new()), stored);
        let mut output = StagedOutput::with_chunk_bytes(Arc::clone(&area), 12);
        assert_eq!(output.seal(), [], "nothing came");
        add(&mut output, &["one", "", "three"]);
        assert!(output.is_full());
        output.roll().await.unwrap();
        add(&mut output, &["four"]);
        let first = output.seal();
        add(&mut output, &["five"]);
        let second = output.seal();
        let paths: Vec<_> = first.iter().chain(&second).map(|chunk| chunk.path.as_str()).collect();
        let name = |n| format!("staged/3-00000000000000ab-2-{n:08}");
        assert_eq!(paths, [name(0), name(1), name(2)]);
        for path in paths {
            area.store(path).await.unwrap();
        }
        assert_eq!(read(&area, &first).await, ["one", "", "three", "four"]);
        assert_eq!(read(&area, &second).await, ["five"]);
        area.release(&first);
        let own = StagedChunks::Own(Arc::clone(&area));
        assert!(own.read(&first[0]).await.is_ok(), "the object stays while a manifest names it");
    }
}

#[tokio::test]
async fn what_a_failing_store_refused_is_stored_by_the_next_checkpoint() {
    let store = Arc::new(Moody::default());
    let area = area(store.clone(), Stored::Plain);
    let mut output = StagedOutput::with_chunk_bytes(Arc::clone(&area), 4);
    store.refuses.store(true, Ordering::SeqCst);
    add(&mut output, &["lost?"]);
    output.roll().await.unwrap();
    let chunks = output.seal();
    let error = area.store(&chunks[0].path).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable);
    assert!(error.to_string().contains(&chunks[0].path), "{error}");
    store.refuses.store(false, Ordering::SeqCst);
    area.store(&chunks[0].path).await.unwrap();
    assert_eq!(read(&area, &chunks).await, ["lost?"]);
}

#[tokio::test]
async fn a_slow_store_pushes_back() {
    let store = Arc::new(Moody::default());
    let area = area(store.clone(), Stored::Plain);
    let mut output = StagedOutput::new(Arc::clone(&area));
    store.holds.store(true, Ordering::SeqCst);
    let record = vec![7_u8; 4 << 20];
    let mut written = 0;
    let stuck = tokio::time::timeout(Duration::from_secs(2), async {
        loop {
            output.record(|out| out.extend_from_slice(&record)).unwrap();
            written += record.len();
            output.roll().await.unwrap();
        }
    });
    assert!(stuck.await.is_err(), "writing goes on although nothing is stored");
    assert!((32 << 20..48 << 20).contains(&written), "{written} bytes wait in memory");
    assert!(store.most.load(Ordering::SeqCst) <= 2, "uploads at a time");
    store.holds.store(false, Ordering::SeqCst);
    output.roll().await.unwrap();
    let chunks = output.seal();
    assert_eq!(
        chunks.iter().map(|chunk| chunk.records).sum::<u64>() as usize * record.len(),
        written
    );
    for chunk in &chunks {
        area.store(&chunk.path).await.unwrap();
    }
}

#[tokio::test]
async fn damage_is_found_and_named() {
    let store = Arc::new(InMemory::new());
    let area = area(store.clone(), Stored::Plain);
    let mut output = StagedOutput::new(Arc::clone(&area));
    add(&mut output, &["one", "two"]);
    let chunks = output.seal();
    area.store(&chunks[0].path).await.unwrap();
    let place = area.folder().storage.path(&chunks[0].path);
    // A whole chunk, but of another unit.
    let other = Bytes::from(encode(b"\x03\0\0\0abc", Stored::Plain).unwrap());
    store.put(&place, other.into()).await.unwrap();
    let error = area.folder().read(&chunks[0]).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Corrupt);
    assert!(error.to_string().contains(&chunks[0].path), "{error}");
    store.delete(&place).await.unwrap();
    let error = area.folder().read(&chunks[0]).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound);
}

#[test]
fn every_flipped_byte_is_found() {
    let content = b"\x03\0\0\0abc\x02\0\0\0de".repeat(20);
    for stored in [Stored::Plain, Stored::Zstd] {
        let bytes = encode(&content, stored).unwrap();
        assert_eq!(decode("c", &Bytes::from(bytes.clone())).unwrap(), content);
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 0x10;
            assert!(decode("c", &Bytes::from(damaged)).is_err(), "byte {index}");
        }
        for end in 0..bytes.len() {
            assert!(decode("c", &Bytes::copy_from_slice(&bytes[..end])).is_err(), "end {end}");
        }
    }
}

#[test]
fn content_that_ends_within_a_record_is_refused() {
    let records: Vec<_> = Records::new(b"\x01\0\0\0a\x05\0\0\0b").collect();
    assert_eq!(records[0].as_ref().unwrap(), b"a");
    assert_eq!(records[1].as_ref().unwrap_err().code(), ErrorCode::Corrupt);
    assert_eq!(records.len(), 2);
}
