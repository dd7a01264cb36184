//! Commands about savepoints.

use std::sync::Arc;

use tidegate_types::{Epoch, ErrorCode, Result};

use super::misdirected;
use crate::bounds::{self, Bounds};
use crate::command::Action;
use crate::name::{ResourceName, RunName, SavepointName};
use crate::run::{Failure, RestoreOrigin, Run};
use crate::savepoint::{Savepoint, SavepointState};
use crate::state::{Catalog, Stamp, already_exists, not_found, precondition};

impl Catalog {
    pub(super) fn apply_savepoint(&mut self, stamp: Stamp, action: Action) -> Result<ResourceName> {
        match action {
            Action::CreateSavepoint { savepoint, run, location } => {
                self.run_ref(&savepoint.job().run(run))?.check_not_over("savepoint")?;
                self.add_savepoint(stamp, &savepoint, run, location)?;
                Ok(savepoint.into())
            }
            Action::CompleteSavepoint { savepoint, location, epoch, size_bytes } => {
                self.complete_savepoint(stamp, savepoint, location, epoch, size_bytes)
            }
            Action::FailSavepoint { savepoint, error } => {
                self.check_pending(&savepoint, "fail")?;
                let stored = self.savepoint_mut(stamp, &savepoint)?;
                fail(stored, stamp, error.cut());
                Ok(savepoint.into())
            }
            Action::DeleteSavepoint { savepoint } => self.delete_savepoint(stamp, savepoint),
            Action::RemoveSavepoint { savepoint } => self.remove_savepoint(savepoint),
            _ => Err(misdirected()),
        }
    }

    /// Adds a pending savepoint.
    pub(super) fn add_savepoint(
        &mut self,
        stamp: Stamp,
        name: &SavepointName,
        run: u64,
        location: Option<String>,
    ) -> Result<()> {
        if let Some(location) = &location {
            bounds::location("the folder for the savepoint", location)?;
        }
        let entry = self.entry(name.job())?;
        if entry.savepoints.contains_key(name.id()) {
            return Err(already_exists(name));
        }
        bounds::room("savepoints of the job", entry.savepoints.len(), Bounds::SAVEPOINTS)?;
        let savepoint = Savepoint {
            name: name.clone(),
            run,
            state: SavepointState::Pending,
            location,
            epoch: None,
            size_bytes: 0,
            error: None,
            created_ms: stamp.now_ms,
            done_ms: None,
            revision: stamp.revision,
        };
        let entry = self.entry_mut(name.job())?;
        entry.savepoints.insert(name.id().to_owned(), Arc::new(savepoint));
        Ok(())
    }

    fn complete_savepoint(
        &mut self,
        stamp: Stamp,
        name: SavepointName,
        location: String,
        epoch: Epoch,
        size_bytes: u64,
    ) -> Result<ResourceName> {
        bounds::location("the folder of the savepoint", &location)?;
        self.check_pending(&name, "complete")?;
        let savepoint = self.savepoint_mut(stamp, &name)?;
        savepoint.state = SavepointState::Completed;
        savepoint.location = Some(location);
        savepoint.epoch = Some(epoch);
        savepoint.size_bytes = size_bytes;
        savepoint.done_ms = Some(stamp.now_ms);
        Ok(name.into())
    }

    fn delete_savepoint(&mut self, stamp: Stamp, name: SavepointName) -> Result<ResourceName> {
        let savepoint = self.savepoint_ref(&name)?;
        match savepoint.state {
            SavepointState::Pending => {
                return Err(precondition(format!("delete {name}: it is being taken")));
            }
            SavepointState::Deleting => return Ok(name.into()),
            SavepointState::Completed | SavepointState::Failed => {}
        }
        if let Some(run) = self.dependent_run(&name) {
            let run = &run.name;
            return Err(precondition(format!("delete {name}: {run} would go back to it"))
                .help("wait until that run has completed a checkpoint of its own"));
        }
        self.savepoint_mut(stamp, &name)?.state = SavepointState::Deleting;
        self.index.deleting.insert(name.clone());
        Ok(name.into())
    }

    /// A run that is not over and would go back to the savepoint: it is its newest checkpoint, or what it began with if
    /// it has none.
    fn dependent_run(&self, name: &SavepointName) -> Option<&Run> {
        let location = self.savepoint_ref(name).ok().and_then(|known| known.location.as_deref());
        let depends = |run: &&Run| {
            let record = run.record.as_ref();
            let newest = record.and_then(|record| record.latest().or(record.origin.as_ref()));
            match newest {
                Some(newest) => newest.savepoint && Some(newest.folder.as_str()) == location,
                None => matches!(&run.origin, RestoreOrigin::Savepoint(origin) if origin == name),
            }
        };
        self.index.live_runs.iter().filter_map(|run| self.run_ref(run).ok()).find(depends)
    }

    fn remove_savepoint(&mut self, name: SavepointName) -> Result<ResourceName> {
        let state = self.savepoint_ref(&name)?.state;
        if !matches!(state, SavepointState::Deleting | SavepointState::Failed) {
            return Err(precondition(format!("forget {name}: its files were not deleted")));
        }
        self.entry_mut(name.job())?.savepoints.remove(name.id());
        self.index.deleting.remove(&name);
        Ok(name.into())
    }

    /// No run that is over takes a savepoint any more.
    pub(super) fn fail_pending_savepoints(&mut self, stamp: Stamp, run: &RunName) -> Result<()> {
        let entry = self.entry_mut(&run.job)?;
        let pending = entry.savepoints.iter().filter(|(_, savepoint)| {
            savepoint.run == run.number && savepoint.state == SavepointState::Pending
        });
        let pending: Vec<String> = pending.map(|(id, _)| id.clone()).collect();
        for id in pending {
            let Some(savepoint) = entry.savepoints.get_mut(&id) else { continue };
            let savepoint = Arc::make_mut(savepoint);
            savepoint.revision = stamp.revision;
            let message = "the run was over before the savepoint was complete".to_owned();
            fail(
                savepoint,
                stamp,
                Failure { code: ErrorCode::Cancelled, message, at_ms: stamp.now_ms },
            );
        }
        Ok(())
    }

    fn check_pending(&self, name: &SavepointName, what: &str) -> Result<()> {
        match self.savepoint_ref(name)?.state {
            SavepointState::Pending => Ok(()),
            _ => Err(precondition(format!("{what} {name}: it is not being taken"))),
        }
    }

    fn savepoint_ref(&self, name: &SavepointName) -> Result<&Savepoint> {
        let savepoint = self.entry(name.job())?.savepoints.get(name.id());
        savepoint.map(Arc::as_ref).ok_or_else(|| not_found(name))
    }

    fn savepoint_mut(&mut self, stamp: Stamp, name: &SavepointName) -> Result<&mut Savepoint> {
        let savepoint = self.entry_mut(name.job())?.savepoints.get_mut(name.id());
        let savepoint = savepoint.map(Arc::make_mut).ok_or_else(|| not_found(name))?;
        savepoint.revision = stamp.revision;
        Ok(savepoint)
    }
}

fn fail(savepoint: &mut Savepoint, stamp: Stamp, error: Failure) {
    savepoint.state = SavepointState::Failed;
    savepoint.error = Some(error);
    savepoint.done_ms = Some(stamp.now_ms);
}
