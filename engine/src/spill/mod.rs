//! State on local disk: blocks of entries that were moved out of memory.
//!
//! A block is a whole state file (`checkpoint/file.rs`) inside a temporary file. The file has no name
//! any more once it is open, so that nothing is left behind by a process that is killed, and its room
//! is given back when the last block of it is dropped.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use tidegate_types::{Error, ErrorCode, Result};

use crate::checkpoint::file::{self, Compression};
use crate::metrics::OperatorMetrics;

/// The folder in which operators put state that does not fit into memory.
#[derive(Debug, Clone)]
pub struct SpillFolder {
    path: Arc<PathBuf>,
    /// Where written bytes are counted.
    metrics: Option<Arc<OperatorMetrics>>,
}

impl SpillFolder {
    /// A folder, which is made when it is first needed.
    pub fn new(path: &Path) -> Self {
        Self { path: Arc::new(path.to_owned()), metrics: None }
    }

    /// The same folder for an operator, which counts what is written.
    pub fn counting(&self, metrics: &Arc<OperatorMetrics>) -> Self {
        Self { metrics: Some(metrics.clone()), ..self.clone() }
    }

    /// A new file in the folder.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED`, `PERMISSION_DENIED`, `UNAVAILABLE` with the folder's path.
    pub fn create(&self) -> Result<SpillWriter> {
        let failed = |error| self.failed("make a file", &error);
        std::fs::create_dir_all(&*self.path).map_err(failed)?;
        let file = tempfile::tempfile_in(&*self.path).map_err(failed)?;
        Ok(SpillWriter { file: Arc::new(SpillFile { file, folder: self.clone() }), length: 0 })
    }

    fn failed(&self, doing: &str, error: &std::io::Error) -> Error {
        let code = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                ErrorCode::ResourceExhausted
            }
            std::io::ErrorKind::PermissionDenied => ErrorCode::PermissionDenied,
            _ => ErrorCode::Unavailable,
        };
        let message = format!("{doing} for spilled state in {}: {error}", self.path.display());
        Error::new(code, message).help(
            "set 'io.tmp.dirs' to a folder with room, or raise 'taskmanager.memory.managed.size'",
        )
    }
}

#[derive(Debug)]
struct SpillFile {
    file: File,
    folder: SpillFolder,
}

/// Writes blocks one after the other.
#[derive(Debug)]
pub struct SpillWriter {
    file: Arc<SpillFile>,
    length: u64,
}

impl SpillWriter {
    /// Writes a block of batches of one schema.
    ///
    /// # Errors
    /// As [`SpillFolder::create`].
    pub fn write(&mut self, batches: &[RecordBatch]) -> Result<Block> {
        let bytes = file::encode(batches, Compression::Fast)?;
        (&self.file.file)
            .write_all(&bytes)
            .map_err(|error| self.file.folder.failed("write", &error))?;
        if let Some(metrics) = &self.file.folder.metrics {
            metrics.spill_written.add(bytes.len() as u64);
        }
        let offset = self.length;
        self.length += bytes.len() as u64;
        Ok(Block {
            file: self.file.clone(),
            offset,
            length: bytes.len(),
            rows: batches.iter().map(RecordBatch::num_rows).sum(),
        })
    }
}

/// Entries on local disk.
#[derive(Debug, Clone)]
pub struct Block {
    file: Arc<SpillFile>,
    offset: u64,
    length: usize,
    rows: usize,
}

impl Block {
    /// Number of entries.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> usize {
        self.length
    }

    /// Reads the entries.
    ///
    /// # Errors
    /// `UNAVAILABLE` if the disk fails, `CORRUPT` if what it returns is not what was written.
    pub fn read(&self) -> Result<Vec<RecordBatch>> {
        let mut bytes = vec![0; self.length];
        self.file
            .file
            .read_exact_at(&mut bytes, self.offset)
            .map_err(|error| self.file.folder.failed("read", &error))?;
        file::decode("of spilled state", &bytes)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array};

    use super::*;

    fn batch(values: std::ops::Range<i64>) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
        RecordBatch::try_from_iter([("v", column)]).unwrap()
    }

    #[test]
    fn blocks_come_back_and_leave_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let spill = SpillFolder::new(&folder.path().join("made/on/demand"));
        let mut writer = spill.create().unwrap();
        let first = writer.write(&[batch(0..1_000)]).unwrap();
        let second = writer.write(&[batch(5..7), batch(9..10)]).unwrap();
        drop(writer);
        assert_eq!(second.read().unwrap(), [batch(5..7), batch(9..10)]);
        assert_eq!((first.read().unwrap(), first.rows()), (vec![batch(0..1_000)], 1_000));
        let files = std::fs::read_dir(folder.path().join("made/on/demand")).unwrap();
        assert_eq!(files.count(), 0);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let error = SpillFolder::new(Path::new("/proc/nowhere")).create().unwrap_err();
        let text = error.to_string();
        assert!(text.contains("/proc/nowhere") && text.contains("io.tmp.dirs"), "{text}");
    }
}
