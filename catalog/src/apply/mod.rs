//! What each command does. Every handler checks everything before it changes anything.

mod jobs;
mod operations;
mod runs;
mod savepoints;
#[cfg(test)]
mod tests;
mod workers;

use tidegate_types::Result;

use crate::command::Action;
use crate::name::ResourceName;
use crate::state::{Catalog, Stamp};

impl Catalog {
    /// Hands an action to its handler; answers what was changed.
    pub(crate) fn dispatch(&mut self, stamp: Stamp, action: Action) -> Result<ResourceName> {
        use Action as A;
        match action {
            A::Account(action) => self.apply_account(stamp, action),
            A::Role(action) => self.apply_role(stamp, action),
            A::Tenancy(action) => self.apply_tenancy_more(stamp, action),
            A::Approval(action) => self.apply_approval(stamp, action),
            A::DataSource(action) => self.apply_data_source(stamp, *action),
            A::Table(action) => self.apply_table(stamp, *action),
            A::Grant(action) => self.apply_grant(stamp, action),
            A::Metadata(action) => self.apply_metadata(stamp, *action),
            A::Quality(action) => self.apply_quality(stamp, *action),
            A::Resource(action) => self.apply_resource(stamp, *action),
            A::Hook(action) => self.apply_hook(stamp, *action),
            A::Audit(_) => Err(misdirected()),
            A::CreateTenant { .. }
            | A::DeleteTenant { .. }
            | A::CreateProject { .. }
            | A::DeleteProject { .. } => self.apply_tenancy(stamp, action),
            A::CreateJob { .. }
            | A::UpdateJob { .. }
            | A::DeleteJob { .. }
            | A::CreateVersion { .. }
            | A::DeleteVersion { .. }
            | A::RequestRelease { .. } => self.apply_job(stamp, action),
            A::StartRun { .. }
            | A::RequestStop { .. }
            | A::RequestCancel { .. }
            | A::SaveRecord { .. }
            | A::SetRunWaiting { .. }
            | A::SetRunState { .. }
            | A::RescaleRun { .. } => self.apply_run(stamp, action),
            A::CreateSavepoint { .. }
            | A::CompleteSavepoint { .. }
            | A::FailSavepoint { .. }
            | A::DeleteSavepoint { .. }
            | A::RemoveSavepoint { .. } => self.apply_savepoint(stamp, action),
            A::RegisterWorker { .. }
            | A::LoseWorker { .. }
            | A::DrainWorker { .. }
            | A::FinishDrain { .. }
            | A::UndrainWorker { .. }
            | A::RemoveWorker { .. } => self.apply_worker(stamp, action),
            A::CreateOperation { .. } | A::FinishOperation { .. } => {
                self.apply_operation(stamp, action)
            }
        }
    }
}

/// An action that came to a handler of others.
pub(crate) fn misdirected() -> tidegate_types::Error {
    tidegate_types::Error::internal("a command came to the wrong handler")
}
