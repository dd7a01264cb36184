//! A small certificate authority for a cluster: its own certificate, and those of nodes with their roles.

use core::net::IpAddr;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tidegate_types::{Error, ErrorCode, Result};
use webpki::EndEntityCert;

use crate::role::NodeRoles;

/// Certificates count from so long before they are made: clocks differ.
const BACKDATED: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// From when and for how long a certificate counts.
#[derive(Debug, Clone, Copy)]
pub struct Validity {
    /// Now, milliseconds since 1970.
    pub now_ms: u64,
    /// Days from now.
    pub days: u32,
}

impl Validity {
    fn apply(self, params: &mut CertificateParams) {
        let epoch = date_time_ymd(1970, 1, 1);
        let now = Duration::from_millis(self.now_ms);
        params.not_before = epoch + now.saturating_sub(BACKDATED);
        params.not_after = epoch + now + DAY.saturating_mul(self.days);
    }
}

/// For whom a certificate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRequest {
    /// The node's name: its common name.
    pub name: String,
    /// Names and IP addresses at which it is reached.
    pub hosts: Vec<String>,
    /// What it may be.
    pub roles: NodeRoles,
}

/// A certificate with its key, PEM.
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

/// Signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    own: Issued,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// `INTERNAL` if no key can be made.
    pub fn create(name: &str, validity: Validity) -> Result<Self> {
        let key = KeyPair::generate().map_err(|error| failed("make a key", &error))?;
        let mut params = CertificateParams::default();
        validity.apply(&mut params);
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        // It signs nodes, and no other authorities.
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(|error| failed("sign", &error))?;
        let own = Issued { certificate: certificate.pem(), key: key.serialize_pem() };
        Ok(Self { issuer: Issuer::new(params, key), own })
    }

    /// One that exists: its certificate and key, PEM.
    ///
    /// # Errors
    /// `INVALID_OPTION` if they cannot be read or do not belong together.
    pub fn open(certificate: String, key: String) -> Result<Self> {
        let invalid = |why: String| Error::new(ErrorCode::InvalidOption, why);
        let pair = KeyPair::from_pem(&key)
            .map_err(|error| invalid(format!("the authority's key cannot be read: {error}")))?;
        let unreadable = |why: &dyn std::fmt::Display| {
            invalid(format!("the authority's certificate cannot be read: {why}"))
        };
        let der = CertificateDer::from_pem_slice(certificate.as_bytes())
            .map_err(|error| unreadable(&error))?;
        let parsed = EndEntityCert::try_from(&der).map_err(|error| unreadable(&error))?;
        let public = rcgen::PublicKeyData::subject_public_key_info(&pair);
        if parsed.subject_public_key_info().as_ref() != public.as_slice() {
            let message = "the authority's key is not that of its certificate".to_owned();
            return Err(invalid(message).help("give the `ca.key` that was made with `ca.crt`"));
        }
        let issuer = Issuer::from_ca_cert_der(&der, pair).map_err(|error| unreadable(&error))?;
        Ok(Self { issuer, own: Issued { certificate, key } })
    }

    /// Its certificate and key.
    pub fn own(&self) -> &Issued {
        &self.own
    }

    /// A certificate for a node.
    ///
    /// # Errors
    /// `INVALID_OPTION` if a host is neither a name nor an address.
    pub fn issue(&self, request: &NodeRequest, validity: Validity) -> Result<Issued> {
        let key = KeyPair::generate().map_err(|error| failed("make a key", &error))?;
        let mut params = CertificateParams::default();
        validity.apply(&mut params);
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, request.name.clone());
        for host in &request.hosts {
            params.subject_alt_names.push(subject(host)?);
        }
        for role in request.roles.iter() {
            let uri = role.uri().try_into().map_err(|error| failed("name a role", &error))?;
            params.subject_alt_names.push(SanType::URI(uri));
        }
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate =
            params.signed_by(&key, &self.issuer).map_err(|error| failed("sign", &error))?;
        Ok(Issued { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

/// A host as an alternative name.
fn subject(host: &str) -> Result<SanType> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(inner)
    };
    let name = host.strip_prefix("*.").unwrap_or(host);
    let invalid = || {
        Error::new(ErrorCode::InvalidOption, format!("'{host}' is neither a host nor an address"))
            .help("give hosts without ports, such as coordinator-1,10.0.0.11")
    };
    if name.len() > 253 || !name.split('.').all(label) {
        return Err(invalid());
    }
    Ok(SanType::DnsName(host.try_into().map_err(|_| invalid())?))
}

fn failed(what: &str, error: &rcgen::Error) -> Error {
    Error::internal(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests;
