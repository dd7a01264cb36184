//! Files with certificates and keys.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use tidegate_security::Identity;
use tidegate_types::{Error, ErrorCode, Result};

/// Only the owner.
const PRIVATE: u32 = 0o600;
/// Everybody reads.
const PUBLIC: u32 = 0o644;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrecy {
    /// Everybody.
    Public,
    /// Its owner.
    Private,
}

/// Reads a file of text.
///
/// # Errors
/// `NOT_FOUND` with its name.
pub(crate) fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| {
        Error::new(ErrorCode::NotFound, format!("read {}: {error}", path.display()))
    })
}

/// What a node proves with who it is.
///
/// # Errors
/// `NOT_FOUND` for a file, `INVALID_OPTION` for what is in it.
pub(crate) fn identity(ca: &Path, certificate: &Path, key: &Path) -> Result<Identity> {
    let open = std::fs::metadata(key).is_ok_and(|found| found.mode() & 0o077 != 0);
    if open {
        tracing::warn!(file = %key.display(), "others may read this key: make it `chmod 600`");
    }
    let identity = Identity::new(read(ca)?, read(certificate)?, read(key)?);
    identity.map_err(|error| error.context(format!("use {}", certificate.display())))
}

/// A folder of one's own, made if it does not exist.
///
/// # Errors
/// `UNAVAILABLE` if it cannot be made.
pub(super) fn make_folder(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
        Error::new(ErrorCode::Unavailable, format!("make {}: {error}", path.display()))
    })
}

/// Refuses names of files that exist, before any is written.
///
/// # Errors
/// `ALREADY_EXISTS` with the first of them.
pub(super) fn refuse_existing<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<()> {
    match paths.into_iter().find(|path| path.symlink_metadata().is_ok()) {
        Some(path) => Err(exists(path)),
        None => Ok(()),
    }
}

/// Writes a new file.
///
/// # Errors
/// `ALREADY_EXISTS` if there is one, `UNAVAILABLE` if it cannot be written.
pub(super) fn write_new(path: &Path, text: &str, secrecy: Secrecy) -> Result<()> {
    let mode = if secrecy == Secrecy::Private { PRIVATE } else { PUBLIC };
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = opened.and_then(|mut file: File| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => exists(path),
        _ => Error::new(ErrorCode::Unavailable, format!("write {}: {error}", path.display())),
    })
}

fn exists(path: &Path) -> Error {
    let message = format!("{} exists and is not overwritten", path.display());
    Error::new(ErrorCode::AlreadyExists, message)
        .help("choose another folder or name, or move it away")
}
