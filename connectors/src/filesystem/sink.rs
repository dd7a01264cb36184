//! The sink: options, checks before the start, writers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt;
use tidegate_connector_spec::Options;
use tidegate_engine::connector::{DeliveryGuarantee, Sink, SinkContext, SinkWriter};
use tidegate_plan::operator::Sink as SinkPlan;
use tidegate_types::{Error, ErrorCode, Field, Result};

use super::announce::Announcing;
use super::encoder::FileFormat;
use super::row_layout::partition_fields;
use super::staged::check_folder;
use super::writer::Writer;
use crate::env::{ConnectorEnv, WallClock};
use tidegate_storage::{Location, locate, store_error};

/// When a file is followed by a new one, apart from checkpoints, which end all files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rolling {
    /// Bytes.
    pub(super) size: u64,
    /// Longest time that a file is open.
    pub(super) open: Duration,
    /// Longest time without new rows.
    pub(super) inactive: Duration,
    /// How often the times are looked at.
    pub(super) check: Duration,
}

/// What all writers of a table share.
pub(super) struct Shared {
    pub(super) location: Location,
    pub(super) format: FileFormat,
    /// The input's columns that go into files, by index.
    pub(super) file_columns: Vec<usize>,
    /// Partition keys with their index in the input, in the order of the folders.
    pub(super) keys: Vec<(usize, Field)>,
    pub(super) default_name: String,
    pub(super) rolling: Rolling,
    pub(super) announcing: Option<Announcing>,
    pub(super) table: String,
    pub(super) clock: WallClock,
}

struct Files(Arc<Shared>);

/// The sink of a table of files.
///
/// # Errors
/// `INVALID_OPTION` for options that contradict each other, or formats that cannot hold the columns;
/// `UNSUPPORTED` for `INSERT OVERWRITE`.
pub fn sink(
    plan: &SinkPlan,
    columns: &[Field],
    options: &Options,
    env: &ConnectorEnv,
) -> Result<Arc<dyn Sink>> {
    let table = &plan.table;
    if plan.overwrite {
        return Err(Error::unsupported(format!(
            "INSERT OVERWRITE of table {}: a stream cannot overwrite files",
            table.name
        ))
        .help("use INSERT INTO, and an empty folder"));
    }
    let key_fields = partition_fields(&table.partition_keys, columns, &table.name)?;
    let index = |field: &Field| columns.iter().position(|column| column.name == field.name);
    let keys: Vec<(usize, Field)> =
        key_fields.into_iter().filter_map(|field| Some((index(&field)?, field))).collect();
    let file_columns: Vec<usize> =
        (0..columns.len()).filter(|i| keys.iter().all(|(key, _)| key != i)).collect();
    let in_files = file_columns.iter().filter_map(|i| columns.get(*i).cloned()).collect();
    let needed = |key: &str| options.duration(key).map(Option::unwrap_or_default);
    let announcing = Announcing::new(options, &keys, &table.name)?;
    let shared = Shared {
        location: locate(options.required("path")?, options.values())?,
        format: FileFormat::new(options.value_format()?, in_files, table)?,
        file_columns,
        keys,
        default_name: options.required("partition.default-name")?.to_owned(),
        rolling: Rolling {
            size: options.memory_size("sink.rolling-policy.file-size")?.unwrap_or(u64::MAX),
            open: needed("sink.rolling-policy.rollover-interval")?,
            inactive: needed("sink.rolling-policy.inactivity-interval")?,
            check: needed("sink.rolling-policy.check-interval")?,
        },
        announcing,
        table: table.name.clone(),
        clock: Arc::clone(&env.clock),
    };
    Ok(Arc::new(Files(Arc::new(shared))))
}

#[async_trait]
impl Sink for Files {
    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::ExactlyOnce
    }

    async fn check(&self) -> Result<()> {
        let location = &self.0.location;
        if location.local {
            return check_folder(location, &location.path).await;
        }
        // Listing one object shows that the bucket is there and that the keys are accepted.
        let place = location.display(&location.path);
        let first = location.store.list(Some(&location.path)).try_next().await;
        match first.map_err(|error| store_error(error, &place)) {
            Ok(_) => Ok(()),
            Err(error) if error.code() == ErrorCode::NotFound => {
                Err(error.help("create the bucket, or mend the option 'path'"))
            }
            Err(error) => Err(error.context(format!("open {place}"))),
        }
    }

    fn writer(&self, context: SinkContext) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(Writer::new(Arc::clone(&self.0), context)))
    }
}
