//! Workers as the catalog knows them. Heartbeats are not here: they do not go through the log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidegate_types::Result;

use crate::bounds::{self, Bounds, invalid};
use crate::name::check_id;

/// Where a worker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerState {
    /// It takes tasks.
    Active,
    /// It runs what it has and gets nothing new.
    Draining,
    /// It was draining and runs nothing any more.
    Drained,
    /// It has not been heard of for too long.
    Lost,
}

/// What a worker says of itself when it registers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerSpec {
    /// Its id.
    pub id: String,
    /// New with every process, and larger than that of the process before.
    pub incarnation: u64,
    /// Where other workers reach its shuffle, as `host:port`.
    pub address: String,
    /// How many slots it has.
    pub slots: u32,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The release that it runs.
    pub version: String,
}

impl WorkerSpec {
    /// `INVALID_OPTION` for what cannot be.
    pub(crate) fn check(&self) -> Result<()> {
        check_id("worker", &self.id)?;
        bounds::location("the address of the worker", &self.address)?;
        bounds::labels(&self.labels)?;
        bounds::text("the version of the worker", &self.version, Bounds::LABEL_BYTES)?;
        if !(1..=Bounds::SLOTS).contains(&self.slots) {
            let most = Bounds::SLOTS;
            return Err(invalid(format!("{} slots are not between 1 and {most}", self.slots)));
        }
        Ok(())
    }
}

/// A worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    /// What it said of itself.
    pub spec: WorkerSpec,
    /// Where it stands.
    pub state: WorkerState,
    /// When it last registered, milliseconds since the epoch.
    pub registered_ms: i64,
    /// Changes with every change of the worker; its etag.
    pub revision: u64,
}
