//! Looking for new splits while a job runs.
//!
//! Every worker looks for itself and takes the splits that belong to its own subtasks: which subtask reads a new split
//! follows from the split's id. So nobody has to tell anybody, and no message can be lost.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tidegate_checkpoint::task::{Control, Report, ReportKind, TaskEvent};
use tidegate_engine::connector::{Source, Split};
use tidegate_runtime::{Task, spawn_on};
use tidegate_types::{Attempt, Error, Result, SubtaskId, TaskId};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use xxhash_rust::xxh3::xxh3_64;

use crate::build::Connectors;
use crate::deployment::Deployment;

/// Where a subtask takes instructions.
type Controls = BTreeMap<SubtaskId, mpsc::Sender<Control>>;

/// Tells sources which splits there are for good, and looks for new ones where they may come.
///
/// # Errors
/// `INTERNAL` if a task takes no instructions.
pub(crate) fn start(
    deployment: &Deployment,
    connectors: &Connectors,
    mut known: HashMap<usize, Vec<Split>>,
    controls: &Controls,
    runtime: &Handle,
    events: mpsc::Sender<TaskEvent>,
) -> Result<Vec<Task<()>>> {
    let mut running = Vec::new();
    for (index, task) in deployment.tasks.tasks.iter().enumerate() {
        let root = task.nodes[0];
        let Ok(source) = connectors.source(root) else { continue };
        let id = TaskId(index as u32);
        let own: Controls = controls
            .iter()
            .filter(|(subtask, _)| subtask.task == id)
            .map(|(subtask, sender)| (*subtask, sender.clone()))
            .collect();
        match source.discovery_interval().filter(|interval| !interval.is_zero()) {
            None => tell_all_known(&own)?,
            Some(interval) if !own.is_empty() => {
                let discovery = Discovery {
                    source: source.clone(),
                    interval,
                    known: known.remove(&root).unwrap_or_default(),
                    task: id,
                    parallelism: task.parallelism,
                    own,
                    events: events.clone(),
                    attempt: deployment.attempt,
                };
                let name = format!("discovery of {}", deployment.graph.nodes[root].name);
                running.push(spawn_on(runtime, name, discovery.run()));
            }
            Some(_) => {}
        }
    }
    Ok(running)
}

fn tell_all_known(own: &Controls) -> Result<()> {
    for (id, control) in own {
        let all = Control::Splits { splits: Vec::new(), last: true };
        control
            .try_send(all)
            .map_err(|_| Error::internal(format!("task {id} does not take instructions")))?;
    }
    Ok(())
}

/// The subtask that reads a split which was found while the job ran.
fn reader_of(split: &Split, parallelism: u32) -> u32 {
    (xxh3_64(split.id.as_bytes()) % u64::from(parallelism.max(1))) as u32
}

struct Discovery {
    source: Arc<dyn Source>,
    interval: Duration,
    known: Vec<Split>,
    task: TaskId,
    parallelism: u32,
    /// The subtasks of this process.
    own: Controls,
    events: mpsc::Sender<TaskEvent>,
    attempt: Attempt,
}

impl Discovery {
    async fn run(mut self) {
        loop {
            tokio::time::sleep(self.interval).await;
            let new = match self.source.enumerate(&self.known, true).await {
                Ok(new) => new,
                Err(error) if error.code().is_retryable() => {
                    tracing::warn!(%error, "could not look for new splits; trying again later");
                    continue;
                }
                Err(error) => return self.fail(error).await,
            };
            for split in new {
                self.known.push(split.clone());
                let index = reader_of(&split, self.parallelism);
                let reader = SubtaskId { task: self.task, index };
                let Some(control) = self.own.get(&reader) else { continue };
                tracing::info!(split = split.id, subtask = %reader, "found a new split");
                let news = Control::Splits { splits: vec![split], last: false };
                if control.send(news).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn fail(self, error: Error) {
        let Some((subtask, _)) = self.own.first_key_value() else { return };
        let report = Report { subtask: *subtask, kind: ReportKind::Failed(error) };
        let _ = self.events.send(TaskEvent { attempt: self.attempt, report }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_of_a_new_split_follows_from_its_id() {
        let split =
            |id: &str| Split { id: id.to_owned(), state: serde_json::Value::Null, finished: false };
        let readers: Vec<u32> =
            (0..64).map(|n| reader_of(&split(&format!("clicks-{n}")), 4)).collect();
        assert!((0..4).all(|reader| readers.iter().filter(|r| **r == reader).count() > 5));
        assert_eq!(reader_of(&split("clicks-0"), 1), 0);
    }
}
