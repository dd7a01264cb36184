//! Deleting savepoints with their files.

use std::collections::BTreeMap;

use tidegate_catalog::{Action, Catalog, Savepoint, SavepointName};
use tidegate_checkpoint::Directory;
use tidegate_runtime::{Task, spawn};
use tidegate_types::Result;

use super::Supervisor;
use crate::raft::Consistency;

/// Deletions under way.
#[derive(Default)]
pub(super) struct Deletions(BTreeMap<SavepointName, Task<Result<()>>>);

impl Deletions {
    /// Begins deletions that were asked for, and forgets savepoints whose files are gone. A deletion that failed is
    /// begun again: deleting what is gone is no mistake.
    pub(super) async fn look(&mut self, supervisor: &Supervisor) -> Result<()> {
        let asked = |catalog: &Catalog| -> Vec<(SavepointName, Option<String>)> {
            let deleting = catalog.deleting_savepoints();
            let files =
                |one: &Savepoint| one.location.clone().filter(|_| !catalog.shares_folder(one));
            deleting.map(|one| (one.name.clone(), files(one))).collect()
        };
        let asked = supervisor.metadata.read(Consistency::Stale, asked).await?;
        self.0.retain(|name, _| asked.iter().any(|(asked, _)| asked == name));
        for (name, location) in asked {
            match self.0.remove(&name) {
                Some(running) if running.is_finished() => match running.await.and_then(|done| done)
                {
                    Ok(()) => {
                        let action = Action::RemoveSavepoint { savepoint: name };
                        supervisor.propose(action).await?;
                    }
                    Err(error) => {
                        tracing::warn!(%error, savepoint = %name, "files could not be deleted; trying again");
                    }
                },
                Some(running) => drop(self.0.insert(name, running)),
                None => {
                    let deletion = spawn(format!("deletion of {name}"), delete(location));
                    self.0.insert(name, deletion);
                }
            }
        }
        Ok(())
    }
}

/// Deletes everything in a savepoint's folder, its manifest first: what is half there must not look whole.
async fn delete(location: Option<String>) -> Result<()> {
    let Some(location) = location else { return Ok(()) };
    let storage = Directory::open(&location)?.storage();
    storage.delete("_metadata").await?;
    for (path, _) in storage.list("").await? {
        storage.delete(&path).await?;
    }
    Ok(())
}
