//! Commands about long-running operations.

use std::sync::Arc;

use tidegate_types::Result;

use super::misdirected;
use crate::bounds::{self, Bounds};
use crate::command::Action;
use crate::name::{ResourceName, check_id};
use crate::operation::{Operation, OperationKind, OperationState};
use crate::run::Failure;
use crate::state::{Catalog, Stamp, already_exists, not_found, precondition};

impl Catalog {
    pub(super) fn apply_operation(&mut self, stamp: Stamp, action: Action) -> Result<ResourceName> {
        let name = match action {
            Action::CreateOperation { id, kind, target } => {
                self.create_operation(stamp, id, kind, target)
            }
            Action::FinishOperation { id, error } => self.finish_operation(stamp, id, error),
            _ => Err(misdirected()),
        }?;
        self.drop_old_operations(stamp);
        Ok(name)
    }

    fn create_operation(
        &mut self,
        stamp: Stamp,
        id: String,
        kind: OperationKind,
        target: ResourceName,
    ) -> Result<ResourceName> {
        check_id("operation", &id)?;
        let name = ResourceName::Operation(id.clone());
        if self.operations.contains_key(&id) {
            return Err(already_exists(&name));
        }
        let pending = self.operations.len().saturating_sub(self.index.done_operations.len());
        bounds::room("operations under way", pending, Bounds::PENDING_OPERATIONS)?;
        let operation = Operation {
            id: id.clone(),
            kind,
            target,
            state: OperationState::Pending,
            error: None,
            created_ms: stamp.now_ms,
            done_ms: None,
            revision: stamp.revision,
        };
        self.operations.insert(id, Arc::new(operation));
        Ok(name)
    }

    fn finish_operation(
        &mut self,
        stamp: Stamp,
        id: String,
        error: Option<Failure>,
    ) -> Result<ResourceName> {
        let name = ResourceName::Operation(id.clone());
        let operation = self.operations.get_mut(&id).ok_or_else(|| not_found(&name))?;
        if operation.state != OperationState::Pending {
            return Err(precondition(format!("{name} is done already")));
        }
        let operation = Arc::make_mut(operation);
        operation.state = match error {
            None => OperationState::Succeeded,
            Some(_) => OperationState::Failed,
        };
        operation.error = error.map(Failure::cut);
        operation.done_ms = Some(stamp.now_ms);
        operation.revision = stamp.revision;
        self.index.done_operations.insert((stamp.now_ms, id));
        Ok(name)
    }

    /// Drops operations that are done and too old or too many.
    fn drop_old_operations(&mut self, stamp: Stamp) {
        while let Some((done_ms, _)) = self.index.done_operations.first() {
            let age = stamp.now_ms.saturating_sub(*done_ms);
            let few = self.index.done_operations.len() <= Bounds::DONE_OPERATIONS;
            if few && age <= Bounds::DONE_OPERATION_AGE_MS {
                break;
            }
            if let Some((_, id)) = self.index.done_operations.pop_first() {
                self.operations.remove(&id);
            }
        }
    }
}
