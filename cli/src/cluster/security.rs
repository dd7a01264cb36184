//! The sections `[tls]` and `[auth]` of a configuration, and what is said where they are missing.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tidegate_coordinator::service::Security;
use tidegate_security::{Identity, KnownTokens, NodeRole, TokenEntry, Tokens};
use tidegate_types::{Error, ErrorCode, Result};

use crate::security;

/// How often the file of tokens is looked at.
const FOLLOW: Duration = Duration::from_secs(2);

/// The certificates of a node, PEM files.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct TlsSection {
    /// The authority of the cluster.
    ca: PathBuf,
    /// This node's certificate, with its chain.
    certificate: PathBuf,
    /// Its key.
    key: PathBuf,
}

impl TlsSection {
    /// Reads the files.
    ///
    /// # Errors
    /// What is wrong with them, or that the certificate does not allow the role.
    pub(super) fn identity(&self, role: NodeRole) -> Result<Identity> {
        let identity = security::identity(&self.ca, &self.certificate, &self.key)
            .map_err(|error| error.context("section [tls]"))?;
        if !identity.roles().has(role) {
            let file = self.certificate.display();
            let message = format!("section [tls]: {file} is not the certificate of a {role}");
            return Err(Error::new(ErrorCode::InvalidOption, message)
                .help(format!("`tidegate cert issue --{role} NAME=HOST` makes one")));
        }
        Ok(identity)
    }
}

/// Who is asked who they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum AuthMode {
    /// Everybody, by a session of an account or a token.
    #[default]
    Accounts,
    /// Nobody: everybody may do everything.
    None,
}

/// Who may call.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct AuthSection {
    /// Whether anybody is asked.
    #[serde(default)]
    mode: AuthMode,
    /// A file with `[[token]]` sections.
    tokens: Option<PathBuf>,
    /// Tokens that are in the configuration.
    #[serde(default)]
    token: Vec<TokenEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenFile {
    #[serde(default)]
    token: Vec<TokenEntry>,
}

fn entries(text: &str) -> Result<Vec<TokenEntry>> {
    let file: TokenFile = toml::from_str(text)
        .map_err(|error| Error::new(ErrorCode::InvalidOption, error.to_string()))?;
    Ok(file.token)
}

/// Tokens of a file.
///
/// # Errors
/// `INVALID_OPTION` with the place.
#[cfg(test)]
pub(crate) fn parse_tokens(text: &str) -> Result<Tokens> {
    Tokens::new(entries(text)?)
}

impl AuthSection {
    /// Asks nobody.
    pub(super) fn open() -> Self {
        Self { mode: AuthMode::None, ..Self::default() }
    }

    /// Whether nobody is asked.
    ///
    /// # Errors
    /// `INVALID_OPTION` if there are tokens all the same.
    pub(super) fn is_open(&self) -> Result<bool> {
        let open = self.mode == AuthMode::None;
        if open && (self.tokens.is_some() || !self.token.is_empty()) {
            let message = "section [auth] has tokens, and mode = \"none\" asks nobody for one";
            return Err(Error::new(ErrorCode::InvalidOption, message)
                .help("leave out the mode or the tokens"));
        }
        Ok(open)
    }

    /// Every token.
    ///
    /// # Errors
    /// What is wrong with the file or a token.
    pub(super) fn tokens(&self) -> Result<Tokens> {
        let text = self.tokens.as_deref().map(security::read).transpose()?;
        self.with_file(text.as_deref().unwrap_or_default())
    }

    /// Reads the file again and again. What is wrong with it is said once, and the tokens before it stay.
    pub(super) async fn follow(&self, known: &KnownTokens) {
        let Some(path) = &self.tokens else { return };
        let mut last = security::read(path).unwrap_or_default();
        loop {
            tokio::time::sleep(FOLLOW).await;
            let read = security::read(path);
            let seen = match &read {
                Ok(text) => text.clone(),
                Err(error) => error.to_string(),
            };
            if seen == last {
                continue;
            }
            match read.and_then(|text| self.with_file(&text)) {
                Ok(tokens) => {
                    tracing::info!(tokens = tokens.len(), "the file of tokens has changed");
                    known.replace(tokens);
                }
                Err(error) => tracing::error!(%error, "the tokens from before stay"),
            }
            last = seen;
        }
    }

    fn with_file(&self, text: &str) -> Result<Tokens> {
        let place = || self.tokens.as_deref().unwrap_or(Path::new("")).display().to_string();
        let of_file =
            entries(text).map_err(|error| error.context(format!("tokens in {}", place())));
        let mut all = of_file?;
        all.extend(self.token.iter().cloned());
        Tokens::new(all)
    }
}

/// Says what everybody who reaches a coordinator can do.
pub(super) fn warn_of_coordinator(address: SocketAddr, security: &Security) {
    let (encrypted, asked) = (security.identity.is_some(), !security.open);
    if let Some(exposure) = exposure(address, encrypted, asked) {
        tracing::warn!(%address, "{exposure}");
    }
}

/// What everybody can do who reaches an address, if that is too much.
fn exposure(address: SocketAddr, encrypted: bool, asked: bool) -> Option<&'static str> {
    match (address.ip().is_loopback(), encrypted, asked) {
        (true, ..) | (false, true, true) => None,
        (false, true, false) => Some(
            "whoever reaches this address may do everything: section [auth] says mode = \"none\"",
        ),
        (false, false, true) => Some(
            "tokens travel in the clear, and whoever reaches this address can act as a node: the configuration has no \
             section [tls]",
        ),
        (false, false, false) => Some(
            "nothing is encrypted, and whoever reaches this address may do everything: the configuration has no \
             section [tls], and section [auth] says mode = \"none\"",
        ),
    }
}

/// Says it of a worker's shuffle.
pub(super) fn warn_of_worker(address: SocketAddr, identity: Option<&Identity>) {
    if !address.ip().is_loopback() && identity.is_none() {
        tracing::warn!(%address, "rows travel in the clear: the configuration has no section [tls]");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_others_reach_is_warned_of() {
        let at = |address: &str, encrypted, asked| {
            exposure(address.parse().unwrap(), encrypted, asked).unwrap_or_default()
        };
        for local in ["127.0.0.1:1", "[::1]:1"] {
            assert_eq!(at(local, false, false), "");
        }
        for open in ["0.0.0.0:1", "10.0.0.1:1", "[::]:1"] {
            assert_eq!(at(open, true, true), "");
            assert!(at(open, true, false).contains("[auth] says mode"));
            assert!(at(open, false, true).contains("tokens travel in the clear"));
            assert!(at(open, false, false).contains("no section [tls], and section [auth]"));
        }
    }

    #[test]
    fn mistakes_are_named() {
        let section = |text: &str| toml::from_str::<AuthSection>(text).unwrap().tokens();
        let refused = |text: &str| section(text).unwrap_err().to_string();
        assert!(section("").unwrap().is_empty(), "accounts need none");
        let both = "mode = 'none'\ntokens = 'x'";
        assert!(toml::from_str::<AuthSection>(both).unwrap().is_open().is_err());
        assert!(toml::from_str::<AuthSection>("mode = 'none'").unwrap().is_open().unwrap());
        assert!(!AuthSection::default().is_open().unwrap());
        assert!(refused("tokens = '/none/tokens.toml'").contains("/none/tokens.toml"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        std::fs::write(&path, "[[token]]\nprincipal = 'a'\nsha256 = 'x'\n").unwrap();
        let error = refused(&format!("tokens = '{}'", path.display()));
        assert!(error.contains("tokens.toml") && error.contains("64 hexadecimal"), "{error}");
    }
}
