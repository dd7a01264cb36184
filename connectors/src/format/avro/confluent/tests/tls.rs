//! Against a registry that is reached by HTTPS, with an authority of the test's own.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::double::{Shared, routes};
use super::*;

/// A certificate and its key, PEM.
struct Issued {
    certificate: String,
    key: String,
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    fn issue(&self, host: &str) -> Issued {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Issued { certificate, key: key.serialize_pem() }
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()).unwrap();
        roots
    }
}

struct Tls {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (stream, address) = self.tcp.accept().await.unwrap();
            // A client that goes away during the handshake is what some of the tests want.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// Starts a registry that shows a certificate, and wants one if there is an authority for those. Returns its port.
async fn start(own: &Issued, clients: Option<&Authority>) -> (Shared, u16) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let roots = Arc::new(authority.roots());
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
    let config = builder.with_single_cert(chain, key).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = tcp.local_addr().unwrap().port();
    let double = Shared::default();
    let (routes, acceptor) = (routes(&double), TlsAcceptor::from(Arc::new(config)));
    tokio::spawn(async move { axum::serve(Tls { tcp, acceptor }, routes).await });
    (double, port)
}

fn file(folder: &TempDir, name: &str, content: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Registers a schema.
async fn register(pairs: &[(&str, &str)]) -> Result<()> {
    let mut pairs = pairs.to_vec();
    pairs.push(("subject", "s"));
    writer(&pairs, &columns())?.prepare().await
}

#[tokio::test]
async fn a_registry_is_reached_by_https_with_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("registries");
    let (double, port) = start(&authority.issue("localhost"), None).await;
    let url = format!("https://localhost:{port}/base");
    let trusted = file(&folder, "ca.pem", &authority.certificate);
    let user =
        [("basic-auth.credentials-source", "USER_INFO"), ("basic-auth.user-info", "ann:s3cret")];
    let token =
        [("bearer-auth.credentials-source", "STATIC_TOKEN"), ("bearer-auth.token", "s3cret")];
    let by_file = [("ssl.truststore.location", trusted.as_str())];
    let by_property = [
        ("properties.schema.registry.ssl.truststore.type", "PEM"),
        ("properties.schema.registry.ssl.truststore.location", trusted.as_str()),
    ];
    let by_text = [(
        "properties.schema.registry.ssl.truststore.certificates",
        authority.certificate.as_str(),
    )];
    for (trust, credentials, header) in [
        (&by_file[..], &user[..], "Basic YW5uOnMzY3JldA=="),
        (&by_property[..], &token[..], "Bearer s3cret"),
        (&by_text[..], &token[..], "Bearer s3cret"),
    ] {
        let pairs = [&[("url", url.as_str())], trust, credentials].concat();
        register(&pairs).await.unwrap();
        assert_eq!(double.lock().unwrap().authorization.pop().as_deref(), Some(header));
        // What was written is read, over HTTPS too.
        let mut decoder = reader(&pairs, &columns()).unwrap();
        let mut records = Records::new();
        assert!(records.push(Some(&[0, 0, 0, 0, 1, 2, 6, 0])));
        decoder.prepare(&records).await.unwrap();
        assert_eq!(decoder.decode(&records).unwrap().rows.num_rows(), 1);
        assert_eq!(double.lock().unwrap().authorization.pop().as_deref(), Some(header));
        // Credentials that are refused are told apart from certificates that are.
        double.lock().unwrap().refusals = vec![StatusCode::UNAUTHORIZED];
        let error = register(&pairs).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::PermissionDenied);
        assert!(error.to_string().contains("answers 401"), "{error}");
        double.lock().unwrap().authorization.clear();
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("registries");
    let (double, port) = start(&authority.issue("localhost"), None).await;
    let own = file(&folder, "ca.pem", &authority.certificate);
    let other = file(&folder, "other.pem", &Authority::new("others").certificate);
    let localhost = format!("https://localhost:{port}/base");
    let by_number = format!("https://127.0.0.1:{port}/base");
    for (url, trust, why) in [
        (&localhost, Some(&other), "UnknownIssuer"),
        // Those of this machine do not have the test's.
        (&localhost, None, "UnknownIssuer"),
        (&by_number, Some(&own), "not valid for name"),
    ] {
        let mut pairs = vec![("url", url.as_str())];
        pairs.extend(trust.map(|path| ("ssl.truststore.location", path.as_str())));
        let error = register(&pairs).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::PermissionDenied, "{error}");
        let text = format!("{error}");
        assert!(text.contains(why) && text.contains(url), "{text}");
        let help = error.help_text().unwrap_or_default();
        assert!(help.contains("'avro-confluent.ssl.truststore.location'"), "{help}");
    }
    assert_eq!(double.lock().unwrap().asked, 0);
    // HTTP to what speaks HTTPS, and the other way round, is no answer.
    let plain = format!("http://localhost:{port}/base");
    assert_eq!(register(&[("url", &plain)]).await.unwrap_err().code(), ErrorCode::Unavailable);
}

#[tokio::test]
async fn a_registry_that_wants_a_certificate_is_shown_one() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, clients) = (Authority::new("registries"), Authority::new("clients"));
    let (_, port) = start(&authority.issue("localhost"), Some(&clients)).await;
    let url = format!("https://localhost:{port}/base");
    let trusted = file(&folder, "ca.pem", &authority.certificate);
    let base = [("url", url.as_str()), ("ssl.truststore.location", trusted.as_str())];
    let client = clients.issue("client");
    let own = file(&folder, "own.pem", &format!("{}{}", client.certificate, client.key));
    register(&[&base[..], &[("ssl.keystore.location", own.as_str())]].concat()).await.unwrap();
    let chain =
        ("properties.schema.registry.ssl.keystore.certificate.chain", client.certificate.as_str());
    let key = ("properties.schema.registry.ssl.keystore.key", client.key.as_str());
    register(&[&base[..], &[chain, key]].concat()).await.unwrap();
    let stranger = authority.issue("client");
    let strange =
        file(&folder, "strange.pem", &format!("{}{}", stranger.certificate, stranger.key));
    for shown in [None, Some(("ssl.keystore.location", strange.as_str()))] {
        let mut pairs = base.to_vec();
        pairs.extend(shown);
        let error = register(&pairs).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::PermissionDenied, "{error}");
        let help = error.help_text().unwrap_or_default();
        assert!(help.contains("'avro-confluent.ssl.keystore.location'"), "{help}");
    }
    let half = writer(&[&base[..], &[("subject", "s"), key]].concat(), &columns());
    assert!(half.err().unwrap().to_string().contains("needed beside the key"));
    let half = writer(&[&base[..], &[("subject", "s"), chain]].concat(), &columns());
    assert!(half.err().unwrap().to_string().contains("needed beside the certificate"));
}

#[test]
fn stores_of_java_and_files_without_certificates_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let url = ("url", "https://localhost:1");
    let refused = |key: &str, value: &str| {
        let error = reader(&[url, (key, value)], &columns()).err().unwrap();
        format!("{error} {}", error.help_text().unwrap_or_default())
    };
    for key in ["ssl.truststore.password", "ssl.keystore.password"] {
        assert!(refused(key, "changeit").contains("stores of Java"));
        assert!(!refused(key, "changeit").contains("changeit"));
    }
    let store = "properties.schema.registry.ssl.truststore.type";
    assert!(refused(store, "JKS").contains("'JKS' is not supported"));
    let java = file(&folder, "store.jks", "\u{0}\u{1}");
    let empty = file(&folder, "key.pem", &KeyPair::generate().unwrap().serialize_pem());
    let missing = Path::new(folder.path()).join("missing.pem");
    for key in ["ssl.truststore.location", "ssl.keystore.location"] {
        assert!(refused(key, &java).contains("no PEM file"));
        assert!(refused(key, &empty).contains("no certificate"));
        assert!(refused(key, missing.to_str().unwrap()).contains("missing.pem cannot be read"));
    }
    let authority = file(&folder, "ca.pem", &Authority::new("registries").certificate);
    assert!(refused("ssl.keystore.location", &authority).contains("no private key"));
}
