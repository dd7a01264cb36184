//! Secret parameters of data sources: sealed before they are proposed, opened for whoever connects.

use std::collections::BTreeMap;

use tidegate_catalog::{ChildName, Connection, Sealed};
use tidegate_security::envelope::{Envelope, Keyring, RANDOM_BYTES};
use tidegate_types::{Error, ErrorCode, Result};

/// The keys of this coordinator, if it has any.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets(Option<Keyring>);

impl Secrets {
    /// With these keys.
    pub(crate) fn new(keyring: Option<Keyring>) -> Self {
        Self(keyring)
    }

    /// Encrypts a parameter of a data source.
    ///
    /// # Errors
    /// `FAILED_PRECONDITION` if there is no key.
    pub(crate) fn seal(&self, of: &ChildName, key: &str, secret: &str) -> Result<Sealed> {
        let mut random = [0; RANDOM_BYTES];
        getrandom::fill(&mut random)
            .map_err(|error| Error::internal(format!("the system has no random bytes: {error}")))?;
        let sealed = self.keyring()?.seal(secret, &format!("{of}/{key}"), &random)?;
        let Envelope { key_id, data_key, ciphertext } = sealed;
        Ok(Sealed { key_id, data_key, ciphertext })
    }

    /// Decrypts a parameter of a data source; never for an answer.
    ///
    /// # Errors
    /// `FAILED_PRECONDITION` if its key is not here, `CORRUPT` if it is damaged.
    pub(crate) fn open(&self, of: &ChildName, key: &str, sealed: &Sealed) -> Result<String> {
        let Sealed { key_id, data_key, ciphertext } = sealed.clone();
        self.keyring()?.open(&Envelope { key_id, data_key, ciphertext }, &format!("{of}/{key}"))
    }

    /// All parameters of a connection in the clear.
    ///
    /// # Errors
    /// As [`Secrets::open`].
    pub(crate) fn parameters(
        &self,
        of: &ChildName,
        connection: &Connection,
    ) -> Result<BTreeMap<String, String>> {
        let mut all = connection.parameters.clone();
        for (key, sealed) in &connection.secrets {
            all.insert(key.clone(), self.open(of, key, sealed)?);
        }
        Ok(all)
    }

    fn keyring(&self) -> Result<&Keyring> {
        self.0.as_ref().ok_or_else(|| {
            let message = "this cluster has no key for secrets";
            Error::new(ErrorCode::FailedPrecondition, message).help(
                "`tidegate secrets create-key` makes one; every coordinator needs the same: section [secrets], key-file",
            )
        })
    }
}
