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
use super::parts::Parts;
use super::sql;
use crate::format::answers::Answers;

/// Batches that wait for the task.
const CHANNEL_BATCHES: usize = 4;

/// How far a part was read. Stored in checkpoints as JSON.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Progress {
    /// Rows read.
    rows: u64,
}

struct Shared {
    address: Address,
    parts: Parts,
    select: String,
    order: String,
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
    let order = match ordered {
        true => sql::order_by(&address, &plan.table.primary_key, &plan.read),
        false => String::new(),
    };
    let (parts, select) = (Parts::new(options)?, sql::select(&address, &plan.read));
    Ok(Arc::new(Jdbc(Arc::new(Shared { address, parts, select, order, read: plan.read.clone() }))))
}

#[async_trait]
impl Source for Jdbc {
    fn is_bounded(&self) -> bool {
        true
    }

    async fn enumerate(&self, known: &[Split], _discovered: bool) -> Result<Vec<Split>> {
        let new = self.0.parts.ids().filter(|id| known.iter().all(|split| split.id != *id));
        new.map(|id| split(id, Progress::default(), false)).collect()
    }

    fn reader(&self, context: ReaderContext) -> Result<Box<dyn SourceReader>> {
        let shared = Arc::clone(&self.0);
        Ok(Box::new(Reader { shared, context, splits: Vec::new(), reading: None }))
    }
}

fn split(id: String, progress: Progress, finished: bool) -> Result<Split> {
    let state =
        serde_json::to_value(progress).map_err(|error| Error::internal(error.to_string()))?;
    Ok(Split { id, state, finished })
}

/// The reader of a subtask, which reads its parts one after the other.
struct Reader {
    shared: Arc<Shared>,
    context: ReaderContext,
    splits: Vec<Part>,
    /// The answer on its way, and the task that takes it from the database.
    reading: Option<(Receiver<Result<RecordBatch>>, Task<()>)>,
}

struct Part {
    id: String,
    progress: Progress,
    finished: bool,
}

#[async_trait]
impl SourceReader for Reader {
    fn add_splits(&mut self, splits: Vec<Split>) -> Result<()> {
        for Split { id, state, finished } in splits {
            let progress = serde_json::from_value(state).map_err(|error| {
                Error::new(ErrorCode::Corrupt, format!("position in a table of jdbc: {error}"))
            })?;
            self.splits.push(Part { id, progress, finished });
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Read> {
        let unfinished = self.splits.iter().position(|part| !part.finished);
        let Some((split, part)) =
            unfinished.and_then(|split| Some((split, self.splits.get_mut(split)?)))
        else {
            return std::future::pending().await;
        };
        if self.reading.is_none() {
            let (sender, receiver) = channel(CHANNEL_BATCHES);
            let (shared, skip) = (Arc::clone(&self.shared), part.progress.rows);
            let (batch_rows, condition) = (
                self.context.batch_rows,
                self.shared.parts.condition(&self.shared.address, &part.id)?,
            );
            let task = spawn("jdbc table", async move {
                let handover = Handover { sender: Some(&sender), batch_rows, skip };
                if let Some(last) = shared.read(&condition, handover).await.transpose() {
                    // Whoever no longer listens does not want it.
                    drop(sender.send(last).await);
                }
            });
            self.reading = Some((receiver, task));
        }
        let Some((receiver, _)) = &mut self.reading else {
            return Err(Error::internal("a table of jdbc is not read"));
        };
        match receiver.recv().await {
            Some(rows) => {
                let rows = rows?;
                part.progress.rows += rows.num_rows() as u64;
                self.context.metrics.bytes.add(rows.get_array_memory_size() as u64);
                Ok(Read::Batch { split, rows, kinds: None })
            }
            None => {
                part.finished = true;
                self.reading = None;
                Ok(Read::Finished { split })
            }
        }
    }

    fn snapshot(&mut self) -> Result<Vec<Split>> {
        let parts = self.splits.iter();
        parts.map(|part| split(part.id.clone(), part.progress, part.finished)).collect()
    }
}

impl Shared {
    /// Reads a part; returns the rows behind the last full batch, if there are any.
    async fn read(&self, condition: &str, handover: Handover<'_>) -> Result<Option<RecordBatch>> {
        let statement = format!("{}{condition}{}", self.select, self.order);
        let mut rows = Answers::new(&self.read, self.address.product.dialect())?;
        let mut connection = Connection::open(&self.address).await.map_err(Failure::into_error)?;
        let taken = connection.ask(&self.address, &statement, &mut rows, handover).await;
        let taken = taken.map_err(Failure::into_error)?;
        if taken && rows.len() > 0 { rows.finish().map(Some) } else { Ok(None) }
    }
}
