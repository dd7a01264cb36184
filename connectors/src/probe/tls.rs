//! TLS to a data source: which certificates are trusted, and why one is not.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::report::{Failure, Reason, What};
use super::trace::Trace;
use crate::causes::causes;

/// Longest wait for a handshake: servers that do not speak TLS may wait for more of what they do not understand.
const PATIENCE: Duration = Duration::from_secs(4);

/// How much of a certificate is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verification {
    /// Nothing.
    None,
    /// That an authority has signed it.
    Authority,
    /// That, and that it is for the host.
    Full,
}

impl Verification {
    /// Of a parameter `tls-mode`; `None`: no TLS.
    pub(super) fn of_mode(mode: &str) -> Option<Self> {
        match mode.to_ascii_lowercase().as_str() {
            "require" => Some(Self::None),
            "verify-ca" => Some(Self::Authority),
            "verify-full" | "explicit" | "implicit" => Some(Self::Full),
            _ => None,
        }
    }
}

fn invalid(what: &str, why: impl std::fmt::Display) -> Failure {
    Failure::new(Reason::Tls, format!("{what}: {why}"), "paste the PEM text whole")
}

/// The settings of a connection. Certificates and keys are PEM texts; without authorities those of the
/// machine are trusted.
pub(super) fn settings(
    verification: Verification,
    authorities: Option<&str>,
    own: Option<(&str, &str)>,
) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = Arc::new(roots(authorities)?);
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| invalid("TLS", error))?;
    let builder = if verification == Verification::Full {
        builder.with_root_certificates(roots)
    } else {
        let verifier = if verification == Verification::None || roots.is_empty() {
            None
        } else {
            let made = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
            Some(made.build().map_err(|error| invalid("TLS", error))?)
        };
        if verification == Verification::Authority && verifier.is_none() {
            return Err(invalid("TLS", "this machine trusts no authority; set 'ca-certificate'"));
        }
        let lenient = Arc::new(Lenient { verifier, provider });
        builder.dangerous().with_custom_certificate_verifier(lenient)
    };
    let Some((chain, key)) = own else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates("the client's certificate", chain)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|_| invalid("the client's key", "it is not a private key without password"))?;
    builder.with_client_auth_cert(chain, key).map_err(|error| invalid("the client's key", error))
}

fn roots(authorities: Option<&str>) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(pem) => {
            for certificate in certificates("'ca-certificate'", pem)? {
                let added = roots.add(certificate);
                added.map_err(|error| invalid("'ca-certificate'", error))?;
            }
        }
        None => {
            let native = rustls_native_certs::load_native_certs().certs;
            roots.add_parsable_certificates(native);
        }
    }
    Ok(roots)
}

fn certificates(what: &str, pem: &str) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let all = all.map_err(|error| invalid(what, error))?;
    if all.is_empty() { Err(invalid(what, "there is no certificate in it")) } else { Ok(all) }
}

/// Begins TLS on a connection, with a host whose name the certificate must have.
pub(super) async fn begin(
    trace: &mut Trace<'_>,
    place: &str,
    host: &str,
    settings: &ClientConfig,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, Failure> {
    let work = async {
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare)
            .map_err(|_| invalid(place, "the host is no name that a certificate can have"))?;
        let connector = TlsConnector::from(Arc::new(settings.clone()));
        let handshake = tokio::time::timeout(PATIENCE, connector.connect(name, stream)).await;
        let stream = handshake.map_err(|_| {
            Failure::new(
                Reason::Tls,
                format!("{place} does not answer the beginning of TLS"),
                "the server may not speak TLS at this port: switch TLS off, or use another port",
            )
        })?;
        let stream = stream.map_err(|error| failed(place, host, &error))?;
        let version = stream.get_ref().1.protocol_version().map(|version| format!("{version:?}"));
        Ok((stream, version.unwrap_or_default()))
    };
    trace.step(What::Tls, place, work).await
}

/// Why TLS does not come about.
pub(super) fn failed(
    place: &str,
    host: &str,
    error: &(dyn std::error::Error + 'static),
) -> Failure {
    let found = causes(error).find_map(|cause| cause.downcast_ref::<TlsError>());
    let (why, help) = match found {
        Some(TlsError::InvalidCertificate(certificate)) => {
            return distrusted(place, host, certificate);
        }
        Some(TlsError::InvalidMessage(_)) => (
            "it does not speak TLS at this port".to_owned(),
            "switch TLS off, or use the port at which the server speaks it",
        ),
        Some(TlsError::AlertReceived(alert)) => (
            format!("it ends the handshake with {alert:?}"),
            "it may want a certificate of the client, or another version of TLS",
        ),
        Some(other) => (other.to_string(), "see what the server's log says"),
        None => (
            format!("the handshake breaks off: {}", causes(error).last().unwrap_or(error)),
            "the server may not speak TLS at this port: switch TLS off, or use another port",
        ),
    };
    Failure::new(Reason::Tls, format!("TLS with {place} fails: {why}"), help)
}

fn distrusted(place: &str, host: &str, certificate: &CertificateError) -> Failure {
    let (why, help) = match certificate {
        CertificateError::UnknownIssuer => (
            "its certificate is of an authority that is not trusted".to_owned(),
            "set 'ca-certificate' to the certificate of that authority",
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
            format!("its certificate is not for '{host}'"),
            "use a name that is in the certificate, or verify the authority only",
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
            "its certificate has expired".to_owned(),
            "let the server have a new certificate; look at the clocks, too",
        ),
        other => (
            format!("its certificate is not accepted: {other}"),
            "let the server have a certificate that the authority in 'ca-certificate' has signed",
        ),
    };
    Failure::new(Reason::Tls, format!("TLS with {place} fails: {why}"), help)
}

/// Looks at less of a certificate than usual; signatures of the handshake are checked in any case.
#[derive(Debug)]
struct Lenient {
    /// `None`: any certificate will do.
    verifier: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let Some(verifier) = &self.verifier else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified =
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            Err(TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
