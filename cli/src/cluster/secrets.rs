//! The section `[secrets]` of a configuration, and the key of a coordinator that is a cluster by itself.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tidegate_security::envelope::{KEY_BYTES, Keyring};
use tidegate_types::{Error, ErrorCode, Result};

use crate::security;

/// Name of the key file of a coordinator that is a cluster by itself.
const OWN: &str = "secrets.key";

/// Where the keys are with which secrets of data sources are encrypted.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct SecretsSection {
    /// A file of keys.
    key_file: Option<PathBuf>,
    /// A variable of the environment that holds what such a file does.
    key_variable: Option<String>,
}

impl SecretsSection {
    /// Reads the keys.
    ///
    /// # Errors
    /// What is wrong with them, never with a key.
    pub(super) fn keyring(&self) -> Result<Keyring> {
        let invalid = |message: String| Error::new(ErrorCode::InvalidOption, message);
        let text = match (&self.key_file, &self.key_variable) {
            (Some(path), None) => security::read(path)?,
            (None, Some(name)) => std::env::var(name).map_err(|_| {
                invalid(format!("section [secrets]: the variable {name} is not set"))
            })?,
            _ => {
                let message = "section [secrets] needs key-file or key-variable, one of them";
                return Err(invalid(message.to_owned()));
            }
        };
        Keyring::parse(&text).map_err(|error| error.context("section [secrets]"))
    }
}

/// The key in a coordinator's folder, made if it is not there.
///
/// # Errors
/// `UNAVAILABLE` if the folder cannot be used.
pub(super) fn own(data: &Path) -> Result<Keyring> {
    let path = data.join(OWN);
    let unusable = |error: std::io::Error| {
        Error::new(ErrorCode::Unavailable, format!("use {}: {error}", path.display()))
    };
    if !path.exists() {
        std::fs::create_dir_all(data).map_err(unusable)?;
        let mut options = OpenOptions::new();
        // Written beside and renamed: a key that is cut would lose every secret.
        let beside = path.with_extension("new");
        let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(&beside);
        let file = file
            .as_mut()
            .map_err(|error| unusable(std::io::Error::new(error.kind(), error.to_string())))?;
        let line = Keyring::line("own", &random()?);
        writeln!(file, "{line}").and_then(|()| file.sync_all()).map_err(unusable)?;
        std::fs::rename(&beside, &path).map_err(unusable)?;
    }
    Keyring::parse(&security::read(&path)?)
        .map_err(|error| error.context(path.display().to_string()))
}

/// A key of random bytes.
///
/// # Errors
/// `INTERNAL` if the system has none.
pub(crate) fn random() -> Result<[u8; KEY_BYTES]> {
    let mut bytes = [0; KEY_BYTES];
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let filled = provider.secure_random.fill(&mut bytes);
    filled.map_err(|_| Error::internal("the system has no random bytes"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_of_one_keeps_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let first = own(folder.path()).unwrap();
        let sealed =
            first.seal("x", "of", &[3; tidegate_security::envelope::RANDOM_BYTES]).unwrap();
        assert_eq!(own(folder.path()).unwrap().open(&sealed, "of").unwrap(), "x");
        let mode = std::os::unix::fs::MetadataExt::mode(
            &std::fs::metadata(folder.path().join(OWN)).unwrap(),
        );
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_section_names_one_place() {
        let section = |text: &str| toml::from_str::<SecretsSection>(text).unwrap().keyring();
        assert!(section("").unwrap_err().to_string().contains("one of them"));
        let error = section("key-variable = 'TIDEGATE_NO_SUCH_VARIABLE'").unwrap_err();
        assert!(error.to_string().contains("TIDEGATE_NO_SUCH_VARIABLE"), "{error}");
        assert!(section("key-file = '/none/key'").unwrap_err().to_string().contains("/none/key"));
    }
}
