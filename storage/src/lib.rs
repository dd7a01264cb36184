//! From a path or URL to an object store: local folders and S3, with credentials from options or
//! the environment. Shared by the filesystem connector and the storage of checkpoints.
//!
//! | variable | meaning |
//! |---|---|
//! | `AWS_*` | as for other AWS clients: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, … |
//! | `TIDEGATE_S3_ENDPOINT`, `_ACCESS_KEY`, `_SECRET_KEY` | the same for Tidegate alone; they win over `AWS_*` |
//!
//! Options (`s3.endpoint`, `s3.access-key`, `s3.secret-key`, …) win over both.

use std::collections::BTreeMap;
use std::path::{Component, PathBuf};
use std::sync::Arc;

#[cfg(feature = "s3")]
pub use s3::bucket_endpoint;

use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore};
use tidegate_types::{Error, ErrorCode, Result};

#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "simulation")]
pub mod simulated;
mod synced;

/// A place in an object store.
#[derive(Debug, Clone)]
pub struct Location {
    /// The store.
    pub store: Arc<dyn ObjectStore>,
    /// Where in it.
    pub path: Path,
    /// What stands before `path` in messages and metadata columns: `/` or `s3://bucket/`.
    pub root: String,
    /// Whether the store is the local file system.
    pub local: bool,
}

impl Location {
    /// The full path or URL of an object of this store.
    pub fn display(&self, path: &Path) -> String {
        format!("{}{path}", self.root)
    }
}

/// The store and the path in it that `url` names: an absolute or relative path, `file:///path`, or
/// `s3://bucket/path` (`s3a`, `s3n` too). Opens no connection.
///
/// # Errors
/// `INVALID_OPTION` for other schemes, malformed URLs and contradicting options; `UNSUPPORTED` where
/// the build has no support for the scheme.
pub fn open(url: &str, options: &BTreeMap<String, String>) -> Result<(Arc<dyn ObjectStore>, Path)> {
    let location = locate(url, options)?;
    Ok((location.store, location.path))
}

/// As [`open`], for what must survive a power cut once it is acknowledged: a local store syncs each
/// object. It takes whole objects only, no multipart uploads.
///
/// # Errors
/// As [`open`].
pub fn open_durable(
    url: &str,
    options: &BTreeMap<String, String>,
) -> Result<(Arc<dyn ObjectStore>, Path)> {
    let location = locate(url, options)?;
    let store = match location.local {
        true => Arc::new(synced::SyncedFolder::new(local_files())) as Arc<dyn ObjectStore>,
        false => location.store,
    };
    Ok((store, location.path))
}

/// As [`open`], with what is needed to show paths.
///
/// # Errors
/// As [`open`].
pub fn locate(url: &str, options: &BTreeMap<String, String>) -> Result<Location> {
    let url = url.trim();
    match url.split_once("://") {
        None => local(url.strip_prefix("file:").unwrap_or(url), url),
        Some(("file", rest)) => {
            // file://host/path: only an empty host or this one is a local path.
            let path = rest.strip_prefix("localhost").unwrap_or(rest);
            if path.starts_with('/') {
                local(path, url)
            } else {
                Err(invalid(url, "a file URL has three slashes, as in file:///data/in"))
            }
        }
        Some(("s3" | "s3a" | "s3n", rest)) => s3_location(url, rest, options),
        #[cfg(feature = "simulation")]
        Some(("sim", rest)) => simulated::locate(rest, url),
        Some((scheme, _)) => {
            let message = format!("path '{url}': there is no support for {scheme}://");
            Err(Error::new(ErrorCode::InvalidOption, message)
                .help("use a local path, file:///path or s3://bucket/path"))
        }
    }
}

fn invalid(url: &str, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::InvalidOption, format!("path '{url}': {why}"))
}

fn local(path: &str, url: &str) -> Result<Location> {
    let absolute = std::path::absolute(path).map_err(|error| invalid(url, error))?;
    let path =
        Path::from_absolute_path(without_dots(&absolute)).map_err(|error| invalid(url, error))?;
    Ok(Location { store: Arc::new(local_files()), path, root: "/".to_owned(), local: true })
}

fn local_files() -> LocalFileSystem {
    LocalFileSystem::new().with_automatic_cleanup(true)
}

/// Resolves `.` and `..` by name, as a URL would.
fn without_dots(path: &std::path::Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(clean.pop()),
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}

#[cfg(feature = "s3")]
fn s3_location(url: &str, rest: &str, options: &BTreeMap<String, String>) -> Result<Location> {
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err(invalid(url, "the bucket is missing, as in s3://bucket/path"));
    }
    let path = Path::parse(key).map_err(|error| invalid(url, error))?;
    let store = s3::store(bucket, options)?;
    Ok(Location { store, path, root: format!("s3://{bucket}/"), local: false })
}

#[cfg(not(feature = "s3"))]
fn s3_location(url: &str, _rest: &str, _options: &BTreeMap<String, String>) -> Result<Location> {
    Err(Error::unsupported(format!("path '{url}': this build has no support for S3")))
}

/// The error of a store, with the object's full path.
pub fn store_error(error: StoreError, place: &str) -> Error {
    let (code, what) = match &error {
        StoreError::NotFound { .. } => (ErrorCode::NotFound, "does not exist"),
        StoreError::AlreadyExists { .. } => (ErrorCode::AlreadyExists, "exists already"),
        StoreError::PermissionDenied { .. } => (ErrorCode::PermissionDenied, "access is denied"),
        StoreError::Unauthenticated { .. } => {
            (ErrorCode::PermissionDenied, "the credentials were refused")
        }
        StoreError::InvalidPath { .. } => (ErrorCode::InvalidOption, "is not a usable path"),
        _ if is_local_denial(&error) => (ErrorCode::PermissionDenied, "access is denied"),
        _ => (ErrorCode::Unavailable, "the storage failed"),
    };
    let detail = match code {
        ErrorCode::NotFound | ErrorCode::AlreadyExists => String::new(),
        _ => format!(" ({})", chain(&error)),
    };
    Error::new(code, format!("{place}: {what}{detail}"))
}

/// Whether the local file system refused access: `object_store` has no variant of its own for that.
fn is_local_denial(error: &StoreError) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return io.kind() == std::io::ErrorKind::PermissionDenied;
        }
        source = inner.source();
    }
    false
}

/// The messages of an error and its causes, each once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let more = inner.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Result<String> {
        let location = locate(url, &BTreeMap::new())?;
        Ok(location.display(&location.path))
    }

    #[test]
    fn local_paths_in_all_spellings() {
        for url in [
            "/data/in",
            "file:///data/in",
            "file:/data/in",
            "/data/./x/../in/",
            "file://localhost/data/in",
        ] {
            assert_eq!(place(url).unwrap(), "/data/in", "{url}");
        }
        assert_eq!(place("/data/a b%20c=é").unwrap(), "/data/a b%20c=é");
        assert!(place("relative/file").unwrap().ends_with("/relative/file"));
    }

    #[test]
    fn wrong_urls_say_what_is_wrong() {
        for (url, part) in [
            ("file://data/in", "three slashes"),
            ("hdfs://host/x", "no support for hdfs"),
            ("s3:///x", "bucket is missing"),
        ] {
            let error = place(url).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains(url), "{error}");
        }
    }
}
