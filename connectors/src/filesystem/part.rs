//! The bytes of one file that is being written and that nobody can see yet.
//!
//! Locally it is a hidden file next to its target, synced to disk before it counts; in an object
//! store it is an object below `_staging/`. [`super::staged`] makes it visible.

use std::fs::File;
use std::io::Write;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use object_store::buffered::BufWriter;
use object_store::path::Path;
use tidegate_types::{Error, ErrorCode, Result};
use tokio::io::AsyncWriteExt;

use super::staged::StagedFile;
use tidegate_storage::{Location, store_error};

/// Bytes collected before a local write: fewer, larger system calls.
const WRITE_BYTES: usize = 1 << 20;
/// Bytes of a part of a multipart upload.
const UPLOAD_PART_BYTES: usize = 8 << 20;
/// Parts in flight at once.
const UPLOADS: usize = 4;

/// A file that is being written.
pub(super) struct Part {
    staged: Path,
    target: Path,
    /// Bytes so far.
    bytes: u64,
    /// Bytes that were not handed on yet.
    pending: Vec<u8>,
    output: Output,
    location: Location,
}

enum Output {
    /// `None` only while a write is under way or after one that failed.
    Local(Option<File>),
    Remote(Box<BufWriter>),
}

impl Part {
    /// Starts a file that will be visible as `target`, and until then is `staged`.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `UNAVAILABLE` with the path.
    pub(super) async fn create(location: Location, staged: Path, target: Path) -> Result<Self> {
        let output = if location.local {
            let path = local_path(&location, &staged);
            let shown = path.display().to_string();
            let file = blocking(&shown, move || create_local(&path)).await?;
            Output::Local(Some(file))
        } else {
            let writer = BufWriter::with_capacity(
                Arc::clone(&location.store),
                staged.clone(),
                UPLOAD_PART_BYTES,
            );
            Output::Remote(Box::new(writer.with_max_concurrency(UPLOADS)))
        };
        Ok(Self { staged, target, bytes: 0, pending: Vec::new(), output, location })
    }

    /// Bytes written so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends bytes.
    pub(super) async fn append(&mut self, bytes: Vec<u8>) -> Result<()> {
        self.bytes += bytes.len() as u64;
        if self.pending.is_empty() {
            self.pending = bytes;
        } else {
            self.pending.extend_from_slice(&bytes);
        }
        if self.pending.len() >= WRITE_BYTES { self.write_pending().await } else { Ok(()) }
    }

    async fn write_pending(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return Ok(());
        }
        let place = self.location.display(&self.staged);
        match &mut self.output {
            Output::Local(slot) => {
                let mut file = slot
                    .take()
                    .ok_or_else(|| Error::internal("the file was closed by an error"))?;
                let file =
                    blocking(&place, move || file.write_all(&pending).map(|()| file)).await?;
                *slot = Some(file);
                Ok(())
            }
            Output::Remote(writer) => writer
                .put(pending.into())
                .await
                .map_err(|error| store_error(error, &place).context("write file")),
        }
    }

    /// Ends the file: from here on its bytes survive a crash.
    ///
    /// # Errors
    /// `UNAVAILABLE` if the bytes could not be stored; nothing may be acknowledged then.
    pub(super) async fn finish(mut self) -> Result<StagedFile> {
        self.write_pending().await?;
        let place = self.location.display(&self.staged);
        match &mut self.output {
            Output::Local(slot) => {
                let file = slot
                    .take()
                    .ok_or_else(|| Error::internal("the file was closed by an error"))?;
                let path = local_path(&self.location, &self.staged);
                blocking(&place, move || {
                    file.sync_all()?;
                    sync_folder_of(&path)
                })
                .await?;
            }
            Output::Remote(writer) => {
                writer.shutdown().await.map_err(|error| io_error(&place, &error))?;
            }
        }
        Ok(StagedFile {
            staged: self.staged.to_string(),
            target: self.target.to_string(),
            bytes: self.bytes,
        })
    }

    /// Forgets the file and removes what was written, as far as that works.
    pub(super) async fn abort(mut self) {
        match &mut self.output {
            Output::Local(slot) => {
                drop(slot.take());
                let path = local_path(&self.location, &self.staged);
                let _ = blocking("", move || std::fs::remove_file(path)).await;
            }
            Output::Remote(writer) => drop(writer.abort().await),
        }
    }
}

/// The local path of an object.
pub(super) fn local_path(location: &Location, path: &Path) -> PathBuf {
    PathBuf::from(location.display(path))
}

fn create_local(path: &FilePath) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    File::options().write(true).create_new(true).open(path)
}

/// Syncs the folder of a file and the folders above it: a name that was never synced can be gone
/// after a power failure although the file's content was.
pub(super) fn sync_folder_of(path: &FilePath) -> std::io::Result<()> {
    // Four levels reach above the partition folders that may just have been made.
    for folder in path.ancestors().skip(1).take(4).filter(|folder| !folder.as_os_str().is_empty()) {
        match File::open(folder).and_then(|folder| folder.sync_all()) {
            Ok(()) => {}
            // Folders above the table's own may be closed to this user.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Runs file-system calls where they may block.
pub(super) async fn blocking<T: Send + 'static>(
    place: &str,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| io_error(place, &error)),
        Err(_) => Err(Error::internal(format!("{place}: the file task ended early"))),
    }
}

/// The error of a file-system call.
pub(super) fn io_error(place: &str, error: &std::io::Error) -> Error {
    use std::io::ErrorKind;
    let code = match error.kind() {
        ErrorKind::NotFound => ErrorCode::NotFound,
        ErrorKind::AlreadyExists => ErrorCode::AlreadyExists,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => ErrorCode::PermissionDenied,
        ErrorKind::NotADirectory | ErrorKind::IsADirectory => ErrorCode::InvalidOption,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ErrorCode::ResourceExhausted,
        _ => ErrorCode::Unavailable,
    };
    Error::new(code, format!("{place}: {error}"))
}
