//! What the gate asks the catalog.

use async_trait::async_trait;
use tidegate_catalog::{Catalog, Command};
use tidegate_types::Result;

use crate::raft::{Consistency, Metadata};

/// The catalog, as far as the gate needs it.
#[async_trait]
pub(super) trait Directory: Send + Sync {
    /// Reads what is known here, which may be behind.
    fn peek(&self, read: &mut dyn FnMut(&Catalog));

    /// Waits until everything is known here that anybody was told before this call.
    async fn catch_up(&self) -> Result<()>;

    /// Applies a command.
    async fn propose(&self, command: Command) -> Result<()>;
}

#[async_trait]
impl Directory for Metadata {
    fn peek(&self, read: &mut dyn FnMut(&Catalog)) {
        Metadata::peek(self, read);
    }

    async fn catch_up(&self) -> Result<()> {
        self.read(Consistency::Linearizable, |_| ()).await
    }

    async fn propose(&self, command: Command) -> Result<()> {
        Metadata::propose(self, command).await.map(drop)
    }
}
