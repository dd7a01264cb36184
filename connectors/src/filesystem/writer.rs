//! Writes the rows of one subtask: one open file per partition, all ended at each checkpoint.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, UInt32Array};
use arrow::row::{RowConverter, SortField};
use async_trait::async_trait;
use hashbrown::HashMap;
use object_store::path::Path;
use tidegate_engine::Changes;
use tidegate_engine::connector::{Committer, RestoredOutput, SinkContext, SinkWriter, StagedUnit};
use tidegate_types::{Epoch, Error, ErrorCode, Result, Watermark};

use super::announce::{Waiters, unannounced};
use super::encoder::FileEncoder;
use super::leftovers::{self, FileNames};
use super::part::Part;
use super::partition;
use super::sink::Shared;
use super::staged::{StagedFile, StagedFiles};

/// Most files that one writer has open; past it the one that waited longest is ended.
const MAX_OPEN_LOCAL: usize = 256;
/// The same for object stores, where an open file holds a part of an upload in memory.
const MAX_OPEN_REMOTE: usize = 32;
/// Most bytes of unfinished row groups in memory.
const MAX_BUFFERED_BYTES: usize = 256 << 20;

/// Tells writers of one process apart that start in the same millisecond.
static WRITERS: AtomicU64 = AtomicU64::new(0);

/// The writer of a subtask.
pub(super) struct Writer {
    shared: Arc<Shared>,
    context: SinkContext,
    names: FileNames,
    /// Makes the names of this writer's files unique over all runs.
    token: String,
    /// Files begun so far.
    count: u64,
    /// Open files by partition folder (empty without partitions).
    open: BTreeMap<String, OpenFile>,
    /// Files ended since the last checkpoint.
    finished: Vec<StagedFile>,
    /// Partitions that are to be announced later.
    waiters: Waiters,
    /// Hidden files that an earlier run left.
    leftovers: Vec<Path>,
    /// When the ages of files were last looked at.
    checked_ms: i64,
    /// Set once a write failed: the state of the open files is unknown.
    failed: bool,
}

struct OpenFile {
    part: Part,
    encoder: FileEncoder,
    opened_ms: i64,
    written_ms: i64,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, context: SinkContext) -> Self {
        let names = FileNames::new(&context.lineage, &context.operator.to_string());
        let now = (shared.clock)();
        let identity = format!(
            "{} {} {} {now} {} {}",
            context.lineage,
            context.attempt,
            context.subtask,
            std::process::id(),
            WRITERS.fetch_add(1, Ordering::Relaxed),
        );
        let token = format!("{:016x}", xxhash_rust::xxh3::xxh3_64(identity.as_bytes()));
        Self {
            shared,
            context,
            names,
            token,
            count: 0,
            open: BTreeMap::new(),
            finished: Vec::new(),
            waiters: Waiters::default(),
            leftovers: Vec::new(),
            checked_ms: now,
            failed: false,
        }
    }

    /// The rows of each partition folder.
    fn route(&self, changes: &Changes) -> Result<Vec<(String, Changes)>> {
        let rows = &changes.rows;
        let in_files = rows
            .project(&self.shared.file_columns)
            .map_err(|error| Error::internal(error.to_string()))?;
        let in_files = Changes { kinds: changes.kinds.clone(), rows: in_files };
        if self.shared.keys.is_empty() {
            return Ok(vec![(String::new(), in_files)]);
        }
        let keys: Vec<ArrayRef> =
            self.shared.keys.iter().map(|(index, _)| Arc::clone(rows.column(*index))).collect();
        let groups = group_rows(&keys)?;
        let firsts: UInt32Array =
            groups.iter().filter_map(|group| group.first().copied()).collect();
        let folders = self.folders(&keys, &firsts)?;
        if groups.len() == 1 {
            return Ok(folders.into_iter().map(|folder| (folder, in_files.clone())).collect());
        }
        let routed = folders
            .into_iter()
            .zip(groups)
            .map(|(folder, group)| Ok((folder, in_files.take(&UInt32Array::from(group))?)));
        routed.collect()
    }

    /// The partition folders of some rows.
    fn folders(&self, keys: &[ArrayRef], rows: &UInt32Array) -> Result<Vec<String>> {
        let mut folders = vec![String::new(); rows.len()];
        for (column, (_, field)) in keys.iter().zip(&self.shared.keys) {
            let values = arrow::compute::take(column, rows, None)
                .map_err(|error| Error::internal(error.to_string()))?;
            let texts = partition::value_texts(&values, field, &self.shared.default_name)?;
            for (folder, text) in folders.iter_mut().zip(texts) {
                if !folder.is_empty() {
                    folder.push('/');
                }
                folder.push_str(&partition::folder(&field.name, &text));
            }
        }
        Ok(folders)
    }

    async fn write_rows(&mut self, folder: String, rows: &Changes) -> Result<()> {
        if !self.open.contains_key(&folder) {
            self.announce_later(&folder)?;
            self.make_room().await?;
            let file = self.begin(&folder).await?;
            self.open.insert(folder.clone(), file);
        }
        let now = (self.shared.clock)();
        let Some(file) = self.open.get_mut(&folder) else {
            return Err(Error::internal("the file is open"));
        };
        let bytes = file.encoder.encode(rows)?;
        self.context.metrics.bytes.add(bytes.len() as u64);
        file.part.append(bytes).await?;
        file.written_ms = now;
        if file.part.bytes() >= self.shared.rolling.size {
            self.end(&folder).await?;
        }
        Ok(())
    }

    /// Notes that a partition is to be announced, if that waits for something.
    fn announce_later(&mut self, folder: &str) -> Result<()> {
        let shared = &self.shared;
        let waiting = shared.announcing.as_ref().and_then(|how| how.waiting.as_ref());
        let Some(waiting) = waiting else { return Ok(()) };
        let now = (shared.clock)();
        self.waiters.add(folder, waiting, &shared.keys, &shared.default_name, now)
    }

    /// The files that announce partitions with this checkpoint.
    fn announcements(&mut self) -> Vec<String> {
        let Some(how) = &self.shared.announcing else { return Vec::new() };
        let Some(waiting) = &how.waiting else {
            return StagedFiles::announcements(&self.finished, &how.name);
        };
        let base = &self.shared.location.path;
        let due = self.waiters.take(waiting, (self.shared.clock)());
        due.into_iter().map(|folder| format!("{base}/{folder}/{}", how.name)).collect()
    }

    /// Begins the file of a partition.
    async fn begin(&mut self, folder: &str) -> Result<OpenFile> {
        let base = &self.shared.location.path;
        let name =
            self.names.visible(&format!("{}-{}-{}", self.token, self.context.subtask, self.count));
        self.count += 1;
        let mut folder_path = base.clone();
        for part in folder.split('/').filter(|part| !part.is_empty()) {
            // Parsed, not encoded again: the parts are escaped as Flink does it.
            let part = Path::parse(part).map_err(|error| {
                Error::new(
                    ErrorCode::BadRecord,
                    format!("table {}: partition {part}: {error}", self.shared.table),
                )
            })?;
            folder_path = Path::from_iter(folder_path.parts().chain(part.parts()));
        }
        let staged = self.names.staged(&self.shared.location, base, &folder_path, &name);
        let target = folder_path.join(name.as_str());
        let part = Part::create(self.shared.location.clone(), staged, target).await?;
        let now = (self.shared.clock)();
        Ok(OpenFile {
            part,
            encoder: self.shared.format.encoder(&name)?,
            opened_ms: now,
            written_ms: now,
        })
    }

    /// Ends the file of a partition.
    async fn end(&mut self, folder: &str) -> Result<()> {
        let Some(mut file) = self.open.remove(folder) else {
            return Ok(());
        };
        let bytes = file.encoder.finish()?;
        self.context.metrics.bytes.add(bytes.len() as u64);
        file.part.append(bytes).await?;
        self.finished.push(file.part.finish().await?);
        Ok(())
    }

    /// Ends the file that waited longest if too many are open.
    async fn make_room(&mut self) -> Result<()> {
        let most = if self.shared.location.local { MAX_OPEN_LOCAL } else { MAX_OPEN_REMOTE };
        if self.open.len() < most {
            return Ok(());
        }
        let oldest = self
            .open
            .iter()
            .min_by_key(|(_, file)| file.written_ms)
            .map(|(folder, _)| folder.clone());
        match oldest {
            Some(folder) => self.end(&folder).await,
            None => Ok(()),
        }
    }

    /// Ends row groups until what is held in memory is within its bound.
    async fn bound_memory(&mut self) -> Result<()> {
        let buffered: usize = self.open.values().map(|file| file.encoder.buffered_bytes()).sum();
        if buffered <= MAX_BUFFERED_BYTES {
            return Ok(());
        }
        let Some(file) = self.open.values_mut().max_by_key(|file| file.encoder.buffered_bytes())
        else {
            return Ok(());
        };
        let bytes = file.encoder.flush()?;
        self.context.metrics.bytes.add(bytes.len() as u64);
        file.part.append(bytes).await
    }

    /// Ends files that are too old, if it is time to look.
    async fn roll_by_time(&mut self) -> Result<()> {
        let now = (self.shared.clock)();
        let rolling = self.shared.rolling;
        let past = |since: i64, limit: std::time::Duration| {
            u128::from(now.saturating_sub(since).max(0).unsigned_abs()) >= limit.as_millis()
        };
        if !past(self.checked_ms, rolling.check) {
            return Ok(());
        }
        self.checked_ms = now;
        let old = self.open.iter().filter(|(_, file)| {
            past(file.opened_ms, rolling.open) || past(file.written_ms, rolling.inactive)
        });
        let old: Vec<String> = old.map(|(folder, _)| folder.clone()).collect();
        for folder in old {
            self.end(&folder).await?;
        }
        Ok(())
    }

    async fn try_write(&mut self, changes: &Changes) -> Result<()> {
        for (folder, rows) in self.route(changes)? {
            self.write_rows(folder, &rows).await?;
        }
        self.bound_memory().await?;
        self.roll_by_time().await
    }
}

/// Makes the files of units visible.
struct Files(Arc<Shared>);

#[async_trait]
impl Committer for Files {
    async fn commit(&mut self, unit: &StagedUnit) -> Result<()> {
        StagedFiles::decode(unit)?.commit(&self.0.location).await
    }
}

/// Row numbers by equal keys, groups in order of their first row.
fn group_rows(keys: &[ArrayRef]) -> Result<Vec<Vec<u32>>> {
    let fields = keys.iter().map(|key| SortField::new(key.data_type().clone())).collect();
    let internal = |error: arrow::error::ArrowError| Error::internal(error.to_string());
    let rows = RowConverter::new(fields)
        .and_then(|converter| converter.convert_columns(keys))
        .map_err(internal)?;
    let mut groups: Vec<Vec<u32>> = Vec::new();
    let mut by_key: HashMap<&[u8], usize> = HashMap::new();
    let mut last: Option<(&[u8], usize)> = None;
    for (number, row) in (0_u32..).zip(rows.iter()) {
        let key = row.data();
        let group = match last {
            Some((same, group)) if same == key => group,
            _ => *by_key.entry(key).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            }),
        };
        last = Some((key, group));
        if let Some(members) = groups.get_mut(group) {
            members.push(number);
        }
    }
    Ok(groups)
}

#[async_trait]
impl SinkWriter for Writer {
    async fn recover(&mut self, restored: RestoredOutput) -> Result<()> {
        let mut files = Files(Arc::clone(&self.shared));
        for unit in &restored.units {
            files.commit(unit).await?;
        }
        if self.context.subtask == 0 {
            self.leftovers =
                leftovers::list(&self.shared.location, &self.shared.location.path, &self.names)
                    .await?;
        }
        let shared = Arc::clone(&self.shared);
        if let Some(how) = shared.announcing.as_ref().filter(|how| how.waiting.is_some()) {
            for folder in unannounced(&shared.location, &shared.keys, &how.name).await? {
                self.announce_later(&folder)?;
            }
        }
        Ok(())
    }

    async fn watermark(&mut self, watermark: Watermark) -> Result<()> {
        self.waiters.watermark(watermark);
        Ok(())
    }

    async fn write(&mut self, changes: Changes) -> Result<()> {
        if self.failed {
            return Err(Error::internal("the writer is used after it failed"));
        }
        if changes.is_empty() {
            return Ok(());
        }
        let written = self.try_write(&changes).await;
        self.failed = written.is_err();
        written.map_err(|error| error.context(format!("write table {}", self.shared.table)))?;
        self.context.metrics.records.add(changes.len() as u64);
        Ok(())
    }

    async fn linger(&mut self) -> Result<()> {
        self.roll_by_time().await
    }

    async fn prepare(&mut self, epoch: Epoch) -> Result<Vec<StagedUnit>> {
        if self.failed {
            return Err(Error::internal("the writer is used after it failed"));
        }
        let folders: Vec<String> = self.open.keys().cloned().collect();
        for folder in folders {
            self.end(&folder).await?;
        }
        leftovers::remove(&self.shared.location, std::mem::take(&mut self.leftovers)).await;
        let announcements = self.announcements();
        if self.finished.is_empty() && announcements.is_empty() {
            return Ok(Vec::new());
        }
        let files = StagedFiles::new(std::mem::take(&mut self.finished), announcements);
        Ok(vec![StagedUnit {
            lineage: self.context.lineage.clone(),
            sink: self.context.operator,
            writer: self.context.subtask,
            epoch,
            payload: files.encode()?,
            chunks: Vec::new(),
        }])
    }

    fn committer(&self) -> Option<Box<dyn Committer>> {
        Some(Box::new(Files(Arc::clone(&self.shared))))
    }

    async fn close(&mut self) -> Result<()> {
        // What is still open was written behind the last checkpoint and must not become visible.
        for (_, file) in std::mem::take(&mut self.open) {
            file.part.abort().await;
        }
        Ok(())
    }
}
