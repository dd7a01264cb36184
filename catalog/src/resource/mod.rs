//! Resources: packages and test data that people upload. What is known of them is here, their bytes are in an object
//! store, in the place that [`ResourceContent`] names.
//!
//! An upload announces how many bytes will come and their SHA-256, and has a place of its own. When it is complete it
//! becomes a version of its resource. A tenant keeps the same bytes once: of two places one is thrown away. A place
//! that nothing refers to any more is garbage, which is deleted after a while and then forgotten.

mod apply;
mod check;
mod command;
mod read;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tidegate_types::{Error, Result};

pub use command::{ResourceAction, UploadSpec};
pub use read::ResourceFilter;

use crate::bounds::invalid;
use crate::child_name::ChildName;
use crate::shared::{self, SharedMap};

/// What a resource is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResourceKind {
    /// Code: archives, modules, scripts.
    Package,
    /// Rows to try things with.
    TestData,
}

/// Something that was uploaded under a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Its name: `projects/{project}/resources/{id}`.
    pub name: ChildName,
    /// What it is for; the same for all versions.
    pub kind: ResourceKind,
    /// Where it is shown, parts separated by `/`; empty: at the top.
    pub folder: String,
    /// What it is, in its owner's words.
    pub description: String,
    /// What was uploaded, oldest first; never empty.
    pub versions: Vec<ResourceVersion>,
    /// Number of the last version that was uploaded, deleted or not.
    pub last_version: u64,
    /// Who created it.
    pub owner: String,
    /// The revision that created it: later ones have greater ones.
    pub sequence: u64,
    /// When it was created, milliseconds since the epoch.
    pub created_ms: i64,
    /// When it was last changed, milliseconds since the epoch.
    pub updated_ms: i64,
    /// Changes with every change of it; its etag.
    pub revision: u64,
}

/// One upload of a resource; never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceVersion {
    /// Counts from 1.
    pub number: u64,
    /// Name of the file that was uploaded.
    pub file_name: String,
    /// What the content was found to be, such as `jar`.
    pub format: String,
    /// SHA-256 of the content, hexadecimal.
    pub sha256: String,
    /// Bytes of it.
    pub bytes: u64,
    /// Who uploaded it.
    pub uploader: String,
    /// When it was complete, milliseconds since the epoch.
    pub created_ms: i64,
}

/// An upload that is not complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// Its name: `projects/{project}/uploads/{id}`.
    pub name: ChildName,
    /// What was announced.
    pub spec: UploadSpec,
    /// Folder of its bytes in the store of resources.
    pub place: String,
    /// When it began, milliseconds since the epoch.
    pub created_ms: i64,
    /// When it is given up, milliseconds since the epoch.
    pub expires_ms: i64,
}

/// Bytes that a tenant keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceContent {
    /// How many.
    pub bytes: u64,
    /// Folder of them in the store of resources.
    pub place: String,
    /// Versions that have them.
    pub references: u64,
}

/// Bytes that nothing refers to any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Garbage {
    /// Since when, milliseconds since the epoch.
    pub(crate) since_ms: i64,
}

/// All resources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResourceBook {
    #[serde(with = "shared")]
    pub(crate) resources: SharedMap<ChildName, Resource>,
    #[serde(with = "shared")]
    pub(crate) uploads: SharedMap<ChildName, Upload>,
    /// By `{tenant}/{sha256}`.
    #[serde(with = "shared")]
    pub(crate) contents: SharedMap<String, ResourceContent>,
    /// By place.
    #[serde(with = "shared")]
    pub(crate) garbage: SharedMap<String, Garbage>,
}

impl ResourceKind {
    /// All.
    pub const ALL: [Self; 2] = [Self::Package, Self::TestData];

    /// As it is written, such as `test-data`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::TestData => "test-data",
        }
    }
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ResourceKind {
    type Err = Error;

    /// `INVALID_OPTION` for what is none.
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            invalid(format!("'{text}' is no kind of resources")).help("use package or test-data")
        })
    }
}

impl Resource {
    /// A version by its number; 0: the newest.
    pub fn version(&self, number: u64) -> Option<&ResourceVersion> {
        match number {
            0 => self.versions.last(),
            number => self.versions.iter().find(|version| version.number == number),
        }
    }

    /// Bytes of all versions.
    pub fn bytes(&self) -> u64 {
        self.versions.iter().map(|version| version.bytes).sum()
    }
}
