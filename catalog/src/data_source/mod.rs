//! Data sources: registered outside systems. What their parameters mean is not known here; secret ones come encrypted.

mod apply;
mod read;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub(crate) use apply::project_of;
pub use apply::{ConnectionChange, DataSourceAction};
pub use read::DataSourceFilter;

use crate::child_name::ChildName;

/// An outside system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSource {
    /// Its name: `projects/{project}/dataSources/{id}`.
    pub name: ChildName,
    /// Its type, such as `kafka`.
    pub kind: String,
    /// What it is, in its owner's words.
    pub description: String,
    /// What it can be reached with.
    pub connection: Connection,
    /// What jobs use: the connection as it was approved; none while it is a draft.
    pub approved: Option<Connection>,
    /// Projects that may use it beside its own.
    pub shared_with: BTreeSet<String>,
    /// Whether every project of the tenant may use it.
    pub shared_with_all: bool,
    /// Who created it.
    pub owner: String,
    /// When it was created, milliseconds since the epoch.
    pub created_ms: i64,
    /// When it was last changed, milliseconds since the epoch.
    pub updated_ms: i64,
    /// Changes with every change of it; its etag.
    pub revision: u64,
}

/// Parameters of a data source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// Those that everybody may see.
    pub parameters: BTreeMap<String, String>,
    /// Those that nobody may see, encrypted one by one.
    pub secrets: BTreeMap<String, Sealed>,
}

/// An encrypted text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// Which key the data key is encrypted with.
    pub key_id: String,
    /// The data key, encrypted, base64.
    pub data_key: String,
    /// The text, encrypted with the data key, base64.
    pub ciphertext: String,
}
