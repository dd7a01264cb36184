//! What `tidegate login` keeps: the tokens of a session, by cluster, in a file that only its owner reads.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tidegate_proto::v1::SessionTokens;
use tidegate_types::{Error, ErrorCode, Result};

/// A session of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Credentials {
    /// Name of the account.
    pub(super) account: String,
    /// Shown with every call.
    pub(super) access_token: String,
    /// When it counts no more, seconds since the epoch.
    pub(super) access_expires: i64,
    /// Shown once for the next tokens.
    pub(super) refresh_token: String,
}

impl Credentials {
    /// What a session's tokens are kept as.
    pub(super) fn of(tokens: &SessionTokens) -> Self {
        Self {
            account: tokens.session.as_ref().map(|s| s.account.clone()).unwrap_or_default(),
            access_token: tokens.access_token.clone(),
            access_expires: tokens.access_expire_time.map_or(0, |time| time.seconds),
            refresh_token: tokens.refresh_token.clone(),
        }
    }
}

/// The file, held so that no other process changes it meanwhile.
pub(super) struct CredentialsFile {
    path: PathBuf,
    _lock: File,
}

/// Another file beside one.
fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{what}"));
    PathBuf::from(name)
}

type Stored = BTreeMap<String, Credentials>;

impl CredentialsFile {
    /// Waits for the file: `TIDEGATE_CREDENTIALS`, else `$XDG_CONFIG_HOME/tidegate/credentials.json`.
    ///
    /// # Errors
    /// `INVALID_OPTION` if it is not known where the file is, `UNAVAILABLE` if its folder cannot be used.
    pub(super) fn open() -> Result<Self> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let path = match set("TIDEGATE_CREDENTIALS") {
            Some(path) => PathBuf::from(path),
            None => {
                let below_home = || Some(format!("{}/.config", set("HOME")?));
                let config = set("XDG_CONFIG_HOME").or_else(below_home).ok_or_else(|| {
                    let message = "neither HOME nor XDG_CONFIG_HOME is set";
                    Error::new(ErrorCode::InvalidOption, message)
                        .help("say where sessions are kept: TIDEGATE_CREDENTIALS=FILE")
                })?;
                PathBuf::from(config).join("tidegate/credentials.json")
            }
        };
        let unusable = |error: std::io::Error| {
            let message = format!("use {}: {error}", path.display());
            Error::new(ErrorCode::Unavailable, message)
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(unusable)?;
        }
        let mut options = OpenOptions::new();
        let options = options.create(true).truncate(false).write(true).mode(0o600);
        let lock = options.open(beside(&path, "lock")).map_err(unusable)?;
        lock.lock().map_err(unusable)?;
        Ok(Self { path, _lock: lock })
    }

    /// The session of a cluster.
    ///
    /// # Errors
    /// `CORRUPT` if the file cannot be understood.
    pub(super) fn get(&self, cluster: &str) -> Result<Option<Credentials>> {
        Ok(self.read()?.remove(cluster))
    }

    /// Keeps the session of a cluster, or forgets it.
    ///
    /// # Errors
    /// `UNAVAILABLE` if the file cannot be written.
    pub(super) fn set(&self, cluster: &str, credentials: Option<Credentials>) -> Result<()> {
        let mut stored = self.read().unwrap_or_default();
        match credentials {
            Some(credentials) => drop(stored.insert(cluster.to_owned(), credentials)),
            None => drop(stored.remove(cluster)),
        }
        let text = serde_json::to_string_pretty(&stored)
            .map_err(|error| Error::internal(format!("encode sessions: {error}")))?;
        // Another file that takes its place: it is whole at every moment.
        let beside = beside(&self.path, "new");
        let write = || {
            let _ = std::fs::remove_file(&beside);
            let mut options = OpenOptions::new();
            let mut file = options.create_new(true).write(true).mode(0o600).open(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&beside, &self.path)
        };
        write().map_err(|error: std::io::Error| {
            let message = format!("write {}: {error}", self.path.display());
            Error::new(ErrorCode::Unavailable, message)
        })
    }

    fn read(&self) -> Result<Stored> {
        let path = self.path.display();
        match std::fs::read(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Stored::new()),
            Err(error) => Err(Error::new(ErrorCode::Unavailable, format!("read {path}: {error}"))),
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                Error::new(ErrorCode::Corrupt, format!("{path} is damaged: {error}"))
                    .help("delete it and sign in again")
            }),
        }
    }
}
