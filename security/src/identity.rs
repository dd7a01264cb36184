//! What a node proves with who it is: its certificate and key, and the authority whose certificates it believes.

use std::fmt;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use tidegate_types::{Error, ErrorCode, Result};

use crate::role::NodeRoles;

/// PEM texts that fit together.
#[derive(Clone)]
pub struct Identity {
    authority: String,
    certificate: String,
    key: String,
    roles: NodeRoles,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("roles", &self.roles).finish_non_exhaustive()
    }
}

impl Identity {
    /// Takes PEM texts that were read from files. A TLS provider must be installed in the process.
    ///
    /// # Errors
    /// `INVALID_OPTION` if one of them is not what it should be, or the key is another certificate's.
    pub fn new(authority: String, certificate: String, key: String) -> Result<Self> {
        roots(&authority)?;
        let invalid = |what: String| {
            Err(Error::new(ErrorCode::InvalidOption, what)
                .help("`tidegate cert` makes certificates and keys"))
        };
        let chain: Vec<CertificateDer<'static>> =
            match CertificateDer::pem_slice_iter(certificate.as_bytes()).collect() {
                Ok(chain) => chain,
                Err(error) => return invalid(format!("the certificate cannot be read: {error}")),
            };
        let Some(roles) = chain.first().map(NodeRoles::of_certificate) else {
            return invalid("there is no certificate in the certificate's file".to_owned());
        };
        let private = match PrivateKeyDer::from_pem_slice(key.as_bytes()) {
            Ok(private) => private,
            Err(error) => return invalid(format!("the key cannot be read: {error}")),
        };
        let fits = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, private);
        if let Err(error) = fits {
            return invalid(format!("certificate and key do not fit: {error}"));
        }
        Ok(Self { authority, certificate, key, roles })
    }

    /// The authority's certificate, PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The node's certificate with its chain, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The private key, PEM.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The roles that the certificate gives the node.
    pub fn roles(&self) -> NodeRoles {
        self.roles
    }
}

/// Checks that a PEM text holds certificates of authorities.
///
/// # Errors
/// `INVALID_OPTION` if it has none, or one that cannot be read.
pub fn roots(authority: &str) -> Result<()> {
    let invalid = |why: String| {
        let message = format!("the certificate of the authority: {why}");
        Error::new(ErrorCode::InvalidOption, message).help("give the file `ca.crt`")
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
        let certificate = certificate.map_err(|error| invalid(error.to_string()))?;
        roots.add(certificate).map_err(|error| invalid(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(invalid("there is none in the file".to_owned()));
    }
    Ok(())
}
