//! The section `[discovery]` of a configuration: an etcd in which coordinators are announced and found.

use std::path::PathBuf;

use serde::Deserialize;
use tidegate_coordinator::raft::Leadership;
use tidegate_coordinator::service::Coordinator;
use tidegate_discovery::{Entry, EtcdOptions, EtcdTls, announce, follow};
use tidegate_runtime::{Task, spawn};
use tidegate_types::{Error, ErrorCode, Result};
use tokio::sync::{oneshot, watch};

use crate::security::read;

/// Where coordinators are announced.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct DiscoverySection {
    /// Servers of etcd: `host:port`.
    etcd: Vec<String>,
    /// Below it are the keys of this cluster.
    prefix: Option<String>,
    /// A user of etcd, with the file of its password.
    user: Option<String>,
    password_file: Option<PathBuf>,
    /// The authority of etcd's servers; with it the connection is encrypted.
    ca: Option<PathBuf>,
    /// A certificate and its key, if etcd wants one.
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl DiscoverySection {
    /// What it says.
    ///
    /// # Errors
    /// What is wrong with it or its files.
    pub(super) fn options(&self) -> Result<EtcdOptions> {
        let options = EtcdOptions::new(self.etcd.clone(), self.prefix.as_deref());
        let mut options = options.map_err(|error| error.context("section [discovery]"))?;
        let half = |message: &str| {
            let message = format!("section [discovery]: {message}");
            Err(Error::new(ErrorCode::InvalidOption, message))
        };
        match (&self.user, &self.password_file) {
            (Some(user), Some(file)) => {
                options = options.with_user(user.clone(), read(file)?.trim().to_owned());
            }
            (None, None) => {}
            _ => return half("user and password-file go together"),
        }
        let identity = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some((read(certificate)?, read(key)?)),
            (None, None) => None,
            _ => return half("certificate and key go together"),
        };
        match &self.ca {
            Some(ca) => Ok(options.with_tls(EtcdTls { authority: read(ca)?, identity })),
            None if identity.is_some() => half("a certificate needs the authority `ca`, too"),
            None => Ok(options),
        }
    }
}

/// A coordinator that is announced.
pub(super) struct Announced {
    stop: oneshot::Sender<()>,
    announcing: Task<()>,
}

impl Announced {
    /// Announces it at an address until it is taken back.
    pub(super) fn start(coordinator: &Coordinator, options: EtcdOptions, address: &str) -> Self {
        let metadata = coordinator.metadata();
        let me = Entry { id: metadata.id(), address: address.to_owned(), term: None };
        let leads = |now: &Leadership| now.is_self.then_some(now.term);
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        let announcing = announce(options, me, metadata.leadership(), leads, stopped);
        Self { stop, announcing: spawn("announcement in etcd", announcing) }
    }

    /// Takes it back.
    pub(super) async fn take_back(self) {
        let _ = self.stop.send(());
        let _ = self.announcing.await;
    }
}

/// Addresses of coordinators that are kept up to date while this is kept.
pub(super) struct Known {
    pub(super) addresses: watch::Receiver<Vec<String>>,
    /// Ends with it; none where the addresses never change.
    _following: Option<Task<()>>,
}

impl Known {
    /// Those that are named, until etcd names others.
    pub(super) fn start(named: Vec<String>, etcd: Option<EtcdOptions>) -> Self {
        let (known, addresses) = watch::channel(named);
        let following = |options| spawn("coordinators in etcd", follow(options, known));
        Self { addresses, _following: etcd.map(following) }
    }
}
