//! Tables that are read from beginning to end.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tidegate_connector_spec::Options;
use tidegate_engine::connector::{Read, ReaderContext, Source, SourceReader, Split};
use tidegate_plan::operator::Source as SourcePlan;
use tidegate_runtime::task::{Task, spawn};
use tidegate_types::{Error, ErrorCode, Field, Result};
use tokio::sync::mpsc::{Receiver, channel};

use super::address::Address;
use super::connection::{Connection, Handover};
use super::failure::Failure;
use super::sql;
use crate::format::answers::Answers;

/// Batches that wait for the task.
const CHANNEL_BATCHES: usize = 4;
/// The one split.
const SPLIT: &str = "table";

/// How far a table was read. Stored in checkpoints as JSON.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Progress {
    /// Rows read.
    rows: u64,
}

struct Shared {
    address: Address,
    select: String,
    read: Vec<Field>,
}

struct Jdbc(Arc<Shared>);

/// The source of a table. Opens no connection. `ordered`: rows come in the same order again, so that a restored reader
/// knows which ones it has read.
///
/// # Errors
/// `INVALID_OPTION` or `UNSUPPORTED` for options and column types.
pub(crate) fn source(
    plan: &SourcePlan,
    options: &Options,
    ordered: bool,
) -> Result<Arc<dyn Source>> {
    let address = Address::new(options)?;
    Answers::new(&plan.read, address.product.dialect())?;
    let mut select = sql::select(&address, &plan.read);
    if ordered {
        select.push_str(&sql::order_by(&address, &plan.table.primary_key, &plan.read));
    }
    Ok(Arc::new(Jdbc(Arc::new(Shared { address, select, read: plan.read.clone() }))))
}

#[async_trait]
impl Source for Jdbc {
    fn is_bounded(&self) -> bool {
        true
    }

    async fn enumerate(&self, known: &[Split], _discovered: bool) -> Result<Vec<Split>> {
        if known.is_empty() { Ok(vec![split(Progress::default(), false)?]) } else { Ok(Vec::new()) }
    }

    fn reader(&self, context: ReaderContext) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(Reader { shared: Arc::clone(&self.0), context, split: None, reading: None }))
    }
}

fn split(progress: Progress, finished: bool) -> Result<Split> {
    let state =
        serde_json::to_value(progress).map_err(|error| Error::internal(error.to_string()))?;
    Ok(Split { id: SPLIT.to_owned(), state, finished })
}

/// The reader of a subtask; the split is with one of them.
struct Reader {
    shared: Arc<Shared>,
    context: ReaderContext,
    split: Option<(Progress, bool)>,
    /// The answer on its way, and the task that takes it from the database.
    reading: Option<(Receiver<Result<RecordBatch>>, Task<()>)>,
}

#[async_trait]
impl SourceReader for Reader {
    fn add_splits(&mut self, splits: Vec<Split>) -> Result<()> {
        for split in splits {
            let progress = serde_json::from_value(split.state).map_err(|error| {
                Error::new(ErrorCode::Corrupt, format!("position in a table of jdbc: {error}"))
            })?;
            self.split = Some((progress, split.finished));
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Read> {
        let Some((progress, finished)) = self.split.as_mut().filter(|(_, finished)| !finished)
        else {
            return std::future::pending().await;
        };
        let (receiver, _) = self.reading.get_or_insert_with(|| {
            let (sender, receiver) = channel(CHANNEL_BATCHES);
            let (shared, skip) = (Arc::clone(&self.shared), progress.rows);
            let batch_rows = self.context.batch_rows;
            let task = spawn("jdbc table", async move {
                let handover = Handover { sender: Some(&sender), batch_rows, skip };
                if let Some(last) = shared.read(handover).await.transpose() {
                    // Whoever no longer listens does not want it.
                    drop(sender.send(last).await);
                }
            });
            (receiver, task)
        });
        match receiver.recv().await {
            Some(rows) => {
                let rows = rows?;
                progress.rows += rows.num_rows() as u64;
                self.context.metrics.bytes.add(rows.get_array_memory_size() as u64);
                Ok(Read::Batch { split: 0, rows, kinds: None })
            }
            None => {
                *finished = true;
                self.reading = None;
                Ok(Read::Finished { split: 0 })
            }
        }
    }

    fn snapshot(&mut self) -> Result<Vec<Split>> {
        self.split.iter().map(|(progress, finished)| split(*progress, *finished)).collect()
    }
}

impl Shared {
    /// Reads the table; returns the rows behind the last full batch, if there are any.
    async fn read(&self, handover: Handover<'_>) -> Result<Option<RecordBatch>> {
        let mut rows = Answers::new(&self.read, self.address.product.dialect())?;
        let mut connection = Connection::open(&self.address).await.map_err(Failure::into_error)?;
        let taken = connection.ask(&self.address, &self.select, &mut rows, handover).await;
        let taken = taken.map_err(Failure::into_error)?;
        if taken && rows.len() > 0 { rows.finish().map(Some) } else { Ok(None) }
    }
}
