//! The source: options, splits of the files that exist, readers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use object_store::ObjectMeta;
use tidegate_connector_spec::{FormatOptions, Options};
use tidegate_engine::connector::{ReaderContext, Source, SourceReader, Split};
use tidegate_plan::operator::Source as SourcePlan;
use tidegate_types::{Error, Result};

use super::compression::Compression;
use super::listing::{Selection, list};
use super::reader::Reader;
use super::row_layout::RowLayout;
use super::split::{Part, SplitState, TARGET_BYTES, byte_ranges, group_ranges};
use super::{orc_source, parquet_source};
use crate::format::{self, DecoderContext};
use tidegate_storage::{Location, locate};

/// What all readers of a table share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) location: Location,
    pub(super) format: FormatOptions,
    pub(super) layout: RowLayout,
    /// The table's name, for messages.
    pub(super) table: String,
}

impl Shared {
    /// How the files are read.
    pub(super) fn kind(&self) -> FileKind {
        match self.format.name() {
            "parquet" => FileKind::Parquet,
            "avro" => FileKind::Avro,
            "orc" => FileKind::Orc,
            _ => FileKind::Records,
        }
    }
}

/// How files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    /// One record behind the other.
    Records,
    /// By columns.
    Parquet,
    /// By blocks of records.
    Avro,
    /// By stripes of columns.
    Orc,
}

impl FileKind {
    /// Of the file that a split is part of.
    pub(super) fn of(part: &Part) -> Self {
        match part {
            Part::Bytes { .. } | Part::Stream { .. } => Self::Records,
            Part::RowGroups { .. } => Self::Parquet,
            Part::Blocks { .. } => Self::Avro,
            Part::Stripes { .. } => Self::Orc,
        }
    }
}

struct Files {
    shared: Arc<Shared>,
    selection: Selection,
    monitor_interval: Option<Duration>,
}

/// The source of a table of files.
///
/// # Errors
/// `INVALID_OPTION` for options that contradict each other, or formats that cannot hold the columns.
pub fn source(plan: &SourcePlan, options: &Options) -> Result<Arc<dyn Source>> {
    let location = locate(options.required("path")?, options.values())?;
    let selection = Selection::new(&location.path, options.text("source.path.regex-pattern"))?;
    let default_name = options.required("partition.default-name")?;
    let layout = RowLayout::new(plan, default_name)?;
    let format = options.value_format()?;
    let shared = Shared { location, format, layout, table: plan.table.name.clone() };
    if shared.kind() == FileKind::Records {
        // Finds bad format options before the job starts.
        format::decoder(&decoder_context(&shared))?;
        format::framing(&shared.format)?;
    }
    let monitor_interval = options.duration("source.monitor-interval")?;
    Ok(Arc::new(Files { shared: Arc::new(shared), selection, monitor_interval }))
}

/// What the table's record decoder is made from.
pub(super) fn decoder_context(shared: &Shared) -> DecoderContext<'_> {
    DecoderContext {
        options: &shared.format,
        declared: &shared.layout.declared,
        read: &shared.layout.decoded,
        metadata: &[],
        origin: &shared.table,
    }
}

#[async_trait]
impl Source for Files {
    fn is_bounded(&self) -> bool {
        self.monitor_interval.is_none()
    }

    async fn enumerate(&self, known: &[Split], _discovered: bool) -> Result<Vec<Split>> {
        if self.is_bounded() && !known.is_empty() {
            // What appears after the first look is not part of a bounded table.
            return Ok(Vec::new());
        }
        let read: BTreeSet<String> =
            known.iter().map(|split| Ok(SplitState::decode(split)?.path)).collect::<Result<_>>()?;
        let files = list(&self.shared.location, &self.selection).await?;
        let mut splits = Vec::new();
        for meta in files.iter().filter(|meta| !read.contains(meta.location.as_ref())) {
            for part in self.parts(meta).await? {
                splits.push(SplitState::new(meta, part).encode(false)?);
            }
        }
        Ok(splits)
    }

    fn discovery_interval(&self) -> Option<Duration> {
        self.monitor_interval
    }

    fn reader(&self, context: ReaderContext) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(Reader::new(Arc::clone(&self.shared), context)))
    }
}

impl Files {
    /// The parts into which a file is cut.
    async fn parts(&self, meta: &ObjectMeta) -> Result<Vec<Part>> {
        match self.shared.kind() {
            FileKind::Records => {}
            FileKind::Parquet => return self.row_groups(meta).await,
            FileKind::Orc => return self.stripes(meta).await,
            FileKind::Avro => {
                let part = |(start, end)| Part::Blocks { start, end, next: None, rows: 0 };
                return Ok(byte_ranges(meta.size, true).into_iter().map(part).collect());
            }
        }
        let name = meta.location.filename().unwrap_or_default();
        if Compression::of(name)? != Compression::None {
            return Ok(vec![Part::Stream { next: 0, records: 0 }]);
        }
        let splittable = format::framing(&self.shared.format)?.is_splittable();
        let ranges = byte_ranges(meta.size, splittable).into_iter();
        Ok(ranges.map(|(start, end)| Part::Bytes { start, end, next: None, records: 0 }).collect())
    }

    async fn row_groups(&self, meta: &ObjectMeta) -> Result<Vec<Part>> {
        if meta.size <= TARGET_BYTES {
            return Ok(vec![Part::RowGroups { first: 0, count: None, next_row: 0 }]);
        }
        let sizes =
            parquet_source::row_group_sizes(&self.shared.location, &meta.location, meta.size)
                .await?;
        let ranges = group_ranges(&sizes);
        let part = |(first, count)| Part::RowGroups { first, count: Some(count), next_row: 0 };
        if ranges.is_empty() {
            return Err(Error::internal("a Parquet file of this size has row groups"));
        }
        Ok(ranges.into_iter().map(part).collect())
    }

    async fn stripes(&self, meta: &ObjectMeta) -> Result<Vec<Part>> {
        if meta.size <= TARGET_BYTES {
            return Ok(vec![Part::Stripes { first: 0, count: None, next_row: 0 }]);
        }
        let sizes =
            orc_source::stripe_sizes(&self.shared.location, &meta.location, meta.size).await?;
        let part = |(first, count)| Part::Stripes { first, count: Some(count), next_row: 0 };
        Ok(group_ranges(&sizes).into_iter().map(part).collect())
    }
}
