//! The configuration of server roles: one TOML file with a section for each.
//!
//! ```toml
//! [coordinator]
//! id = 1                           # a number of its own, never used again
//! listen = "0.0.0.0:7411"
//! advertise = "coordinator-1:7411" # where the others reach it; by default what it listens at
//! data = "/var/lib/tidegate"
//! checkpoints = "s3://bucket/checkpoints"
//! members = { 1 = "coordinator-1:7411", 2 = "coordinator-2:7411", 3 = "coordinator-3:7411" }
//!
//! [worker]
//! name = "worker-1"
//! coordinators = ["coordinator-1:7411", "coordinator-2:7411", "coordinator-3:7411"]
//! listen = "0.0.0.0:7412"
//! advertise = "worker-1:7412"
//! slots = 4
//! labels = { pool = "production" }
//!
//! [tls]                            # of the node, whatever it is
//! ca = "/etc/tidegate/ca.crt"
//! certificate = "/etc/tidegate/node.crt"
//! key = "/etc/tidegate/node.key"
//!
//! [auth]                           # of coordinators
//! mode = "accounts"                # the default; "none" asks nobody who they are
//! tokens = "/etc/tidegate/tokens.toml" # beside accounts, for machines
//!
//! [secrets]                        # of coordinators, the same on all of them
//! key-file = "/etc/tidegate/secrets.key" # as `tidegate secrets create-key` prints it
//!
//! [discovery]                      # instead of the worker's `coordinators`
//! etcd = ["etcd-1:2379"]
//! prefix = "/tidegate"
//!
//! [telemetry]                      # all of it may be left out
//! metrics-listen = "0.0.0.0:9464"  # Prometheus' /metrics
//! otlp = "http://collector:4317"   # traces and metrics; by default what OTEL_EXPORTER_OTLP_ENDPOINT says
//! otlp-interval-seconds = 15
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tidegate_coordinator::service::Security;
use tidegate_discovery::EtcdOptions;
use tidegate_security::envelope::Keyring;
use tidegate_security::{Identity, KnownTokens, NodeRole};
use tidegate_types::{Error, ErrorCode, Result};

use super::discovery::DiscoverySection;
use super::secrets::{self, SecretsSection};
use super::security::{AuthSection, TlsSection};
use super::telemetry::TelemetrySection;
use crate::args::Server;

/// A configuration file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    coordinator: Option<CoordinatorSection>,
    worker: Option<WorkerSection>,
    tls: Option<TlsSection>,
    auth: Option<AuthSection>,
    secrets: Option<SecretsSection>,
    discovery: Option<DiscoverySection>,
    /// What the process tells of itself.
    #[serde(default)]
    pub(super) telemetry: TelemetrySection,
}

/// What a coordinator is started with.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CoordinatorSection {
    /// Its number.
    pub(super) id: u64,
    /// Name of the cluster; nodes of others are refused.
    #[serde(default = "default_cluster")]
    pub(super) cluster: String,
    /// Where it listens.
    pub(super) listen: String,
    /// Where others reach it.
    pub(super) advertise: Option<String>,
    /// Folder of its log and snapshots.
    pub(super) data: PathBuf,
    /// Where checkpoints go: a directory or URL that every worker reaches.
    pub(super) checkpoints: Option<String>,
    /// Where savepoints go; by default below the checkpoints of their job.
    pub(super) savepoints: Option<String>,
    /// The coordinators that form the cluster, by number; empty: it waits to be added to one.
    #[serde(default)]
    pub(super) members: BTreeMap<String, String>,
}

/// What a worker is started with.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct WorkerSection {
    /// Its name: lower-case letters, digits, `-`.
    pub(super) name: String,
    /// Addresses of coordinators; not needed where etcd knows them.
    #[serde(default)]
    pub(super) coordinators: Vec<String>,
    /// Where its shuffle listens.
    pub(super) listen: String,
    /// Where other workers reach its shuffle.
    pub(super) advertise: Option<String>,
    /// How many slots it has; by default as many as cores.
    pub(super) slots: Option<u32>,
    /// For placement.
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    /// Whether data sources may be in private networks and on this machine, when they are tested and looked at.
    #[serde(default = "yes")]
    pub(super) private_addresses: bool,
    /// Local folders that data sources of files may be in.
    #[serde(default)]
    pub(super) folders: Vec<PathBuf>,
}

fn yes() -> bool {
    true
}

fn default_cluster() -> String {
    "tidegate".to_owned()
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// `NOT_FOUND`, `INVALID_OPTION` with the place in the file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::new(ErrorCode::NotFound, format!("read configuration {shown}: {error}"))
        })?;
        toml::from_str(&text).map_err(|error| {
            Error::new(ErrorCode::InvalidOption, format!("configuration {shown}: {error}"))
        })
    }

    /// One coordinator and one worker on this machine, unless a file says more.
    pub(super) fn single(arguments: &Server) -> Result<Self> {
        if let Some(file) = &arguments.config {
            return Self::read(file);
        }
        let data = match &arguments.data {
            Some(data) => data.clone(),
            None => default_data()?,
        };
        let checkpoints = match &arguments.checkpoints {
            Some(url) => url.clone(),
            None => data.join("checkpoints").display().to_string(),
        };
        let listen = arguments.listen.to_string();
        let members = BTreeMap::from([("1".to_owned(), listen.clone())]);
        Ok(Self {
            coordinator: Some(CoordinatorSection {
                id: 1,
                cluster: default_cluster(),
                listen: listen.clone(),
                advertise: None,
                data: data.join("coordinator"),
                checkpoints: Some(checkpoints),
                savepoints: None,
                members,
            }),
            worker: Some(WorkerSection {
                name: "local".to_owned(),
                coordinators: vec![listen],
                listen: "127.0.0.1:0".to_owned(),
                advertise: None,
                slots: arguments.slots,
                labels: BTreeMap::new(),
                private_addresses: true,
                folders: Vec::new(),
            }),
            tls: None,
            auth: arguments.no_auth.then(AuthSection::open),
            secrets: None,
            discovery: None,
            telemetry: TelemetrySection {
                metrics_listen: arguments.metrics_listen,
                ..TelemetrySection::default()
            },
        })
    }

    /// The coordinator's section.
    ///
    /// # Errors
    /// `INVALID_OPTION` if it is missing.
    pub(super) fn coordinator(&self, role: &str) -> Result<CoordinatorSection> {
        self.coordinator.clone().ok_or_else(|| missing(role, "coordinator"))
    }

    /// How callers prove to a coordinator who they are.
    ///
    /// # Errors
    /// What is wrong with certificates or tokens.
    pub(super) fn security(&self) -> Result<Security> {
        let identity = self.identity(NodeRole::Coordinator)?;
        let tokens = self.auth.as_ref().map(AuthSection::tokens).transpose()?.unwrap_or_default();
        let open = self.auth.as_ref().map(AuthSection::is_open).transpose()?.unwrap_or(false);
        let keyring = match &self.secrets {
            Some(section) => Some(section.keyring()?),
            None => self.own_keyring()?,
        };
        Ok(Security { identity, tokens: KnownTokens::new(tokens), open, keyring })
    }

    /// The key of a coordinator that is a cluster by itself: made with the first start, beside its log. Others need one
    /// that all of them have.
    fn own_keyring(&self) -> Result<Option<Keyring>> {
        match &self.coordinator {
            Some(section) if section.members.len() == 1 => secrets::own(&section.data).map(Some),
            _ => Ok(None),
        }
    }

    /// Looks after the tokens of [`Config::security`] for as long as it is polled.
    pub(super) async fn follow_tokens(&self, security: &Security) {
        if let Some(section) = &self.auth {
            section.follow(&security.tokens).await;
        }
        std::future::pending().await
    }

    /// The etcd in which coordinators are announced.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn etcd(&self) -> Result<Option<EtcdOptions>> {
        self.discovery.as_ref().map(DiscoverySection::options).transpose()
    }

    /// What this node proves with who it is, in a role.
    ///
    /// # Errors
    /// What is wrong with its certificate.
    pub(super) fn identity(&self, role: NodeRole) -> Result<Option<Identity>> {
        self.tls.as_ref().map(|section| section.identity(role)).transpose()
    }

    /// The worker's section.
    ///
    /// # Errors
    /// `INVALID_OPTION` if it is missing.
    pub(super) fn worker(&self, role: &str) -> Result<WorkerSection> {
        self.worker.clone().ok_or_else(|| missing(role, "worker"))
    }
}

impl CoordinatorSection {
    /// The members by number.
    ///
    /// # Errors
    /// `INVALID_OPTION` for a number that is none, or if this coordinator is not among them.
    pub(super) fn members(&self) -> Result<BTreeMap<u64, String>> {
        let member = |(number, address): (&String, &String)| {
            let number = number.parse().map_err(|_| {
                let message = format!("members: '{number}' is not the number of a coordinator");
                Error::new(ErrorCode::InvalidOption, message)
            })?;
            Ok((number, address.clone()))
        };
        let members: BTreeMap<u64, String> =
            self.members.iter().map(member).collect::<Result<_>>()?;
        if !members.is_empty() && !members.contains_key(&self.id) {
            let message = format!("members: coordinator {} is not among them", self.id);
            return Err(Error::new(ErrorCode::InvalidOption, message));
        }
        Ok(members)
    }
}

fn missing(role: &str, section: &str) -> Error {
    let message = format!("the configuration has no section [{section}], which {role} needs");
    Error::new(ErrorCode::InvalidOption, message)
}

/// `$XDG_STATE_HOME/tidegate/server`, or the same below the home folder.
fn default_data() -> Result<PathBuf> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let state = set("XDG_STATE_HOME").or_else(|| Some(format!("{}/.local/state", set("HOME")?)));
    let state = state.ok_or_else(|| {
        Error::new(ErrorCode::InvalidOption, "neither HOME nor XDG_STATE_HOME is set")
            .help("say where data goes: --data DIR")
    })?;
    Ok(PathBuf::from(state).join("tidegate/server"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_and_mistakes_are_named() {
        let text = "[coordinator]\nid = 1\nlisten = 'a:1'\ndata = '/d'\nmembers = { 1 = 'a:1', 2 = 'b:1' }\n";
        let config: Config = toml::from_str(text).unwrap();
        let section = config.coordinator("x").unwrap();
        assert_eq!(section.members().unwrap().len(), 2);
        let error = config.worker("tidegate worker").unwrap_err();
        assert!(error.to_string().contains("[worker]"), "{error}");
        let other = CoordinatorSection { id: 3, ..section };
        assert!(other.members().unwrap_err().to_string().contains("coordinator 3"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, "[worker]\nnam = 'x'\n").unwrap();
        let error = Config::read(&path).unwrap_err().to_string();
        assert!(error.contains("nam") && error.contains("line 2"), "{error}");
    }
}
