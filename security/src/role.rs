//! The roles of a node, as its certificate says them: a URI among the subject's alternative names for each,
//! `tidegate:coordinator` and `tidegate:worker`.

use std::fmt;

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// What a node may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeRole {
    /// It may take part in the replicated log, and say for whom it passes a call on.
    Coordinator,
    /// It may register as a worker, and exchange rows with workers.
    Worker,
}

impl NodeRole {
    /// As in messages: `coordinator`, `worker`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Coordinator => "coordinator",
            Self::Worker => "worker",
        }
    }

    /// The alternative name that says it.
    pub fn uri(self) -> &'static str {
        match self {
            Self::Coordinator => "tidegate:coordinator",
            Self::Worker => "tidegate:worker",
        }
    }
}

impl fmt::Display for NodeRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The roles of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeRoles {
    /// [`NodeRole::Coordinator`]
    pub coordinator: bool,
    /// [`NodeRole::Worker`]
    pub worker: bool,
}

impl NodeRoles {
    /// Both.
    pub const ALL: Self = Self { coordinator: true, worker: true };

    /// One.
    pub fn only(role: NodeRole) -> Self {
        Self { coordinator: role == NodeRole::Coordinator, worker: role == NodeRole::Worker }
    }

    /// Whether one is among them.
    pub fn has(self, role: NodeRole) -> bool {
        match role {
            NodeRole::Coordinator => self.coordinator,
            NodeRole::Worker => self.worker,
        }
    }

    /// Every one.
    pub fn iter(self) -> impl Iterator<Item = NodeRole> {
        [NodeRole::Coordinator, NodeRole::Worker].into_iter().filter(move |role| self.has(*role))
    }

    /// The roles that a certificate gives its owner; none if it cannot be read. Whoever calls this has verified who
    /// signed it.
    pub fn of_certificate(certificate: &CertificateDer<'_>) -> Self {
        let Ok(certificate) = EndEntityCert::try_from(certificate) else { return Self::default() };
        let mut roles = Self::default();
        for uri in certificate.valid_uri_names() {
            roles.coordinator |= uri == NodeRole::Coordinator.uri();
            roles.worker |= uri == NodeRole::Worker.uri();
        }
        roles
    }
}
