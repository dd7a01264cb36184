//! What can be done with resources.

use serde::{Deserialize, Serialize};

use super::ResourceKind;
use crate::child_name::ChildName;

/// What an upload announces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadSpec {
    /// What it will be a version of; of the same project as the upload.
    pub resource: ChildName,
    /// What that is for.
    pub kind: ResourceKind,
    /// Where a new resource is shown.
    pub folder: String,
    /// What a new resource is.
    pub description: String,
    /// Name of the file.
    pub file_name: String,
    /// SHA-256 of the content, hexadecimal.
    pub sha256: String,
    /// Bytes of it.
    pub bytes: u64,
    /// Who uploads it.
    pub uploader: String,
}

/// A change of resources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ResourceAction {
    /// Announces an upload. `ALREADY_EXISTS` for its name; `INVALID_OPTION` for what cannot be; `QUOTA_EXCEEDED` if the
    /// project would have too many bytes; `FAILED_PRECONDITION` if the resource is there and of another kind.
    BeginUpload {
        /// Its name.
        upload: ChildName,
        /// What will come.
        spec: UploadSpec,
    },
    /// Makes a complete upload a version of its resource. `NOT_FOUND`.
    FinishUpload {
        /// Its name.
        upload: ChildName,
        /// What the content was found to be.
        format: String,
    },
    /// Gives an upload up. `NOT_FOUND`.
    AbandonUpload {
        /// Its name.
        upload: ChildName,
    },
    /// Gives those up that have taken too long.
    ExpireUploads {},
    /// Changes what is given. `CONFLICT` if an etag is given and it has another.
    Update {
        /// Its name.
        resource: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// What it is.
        description: Option<String>,
        /// Where it is shown.
        folder: Option<String>,
    },
    /// Deletes a resource or one of its versions; the last version takes the resource with it. `NOT_FOUND`.
    Delete {
        /// Its name.
        resource: ChildName,
        /// Number of the version; none: all.
        version: Option<u64>,
        /// The revision that the caller has seen.
        etag: Option<u64>,
    },
    /// Forgets garbage whose bytes are deleted.
    Forget {
        /// The places.
        places: Vec<String>,
    },
}
