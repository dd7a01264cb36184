//! TLS, by a server with a certificate that is made for a test.

use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use tidegate_connectors::probe::{Reason, What};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

use super::source::Source;

/// What accepts TLS for these names, and the certificate.
fn acceptor(names: &[&str]) -> (TlsAcceptor, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let settings = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(settings)), cert.pem())
}

/// A server for these names that answers any request; its port and certificate.
async fn serve(names: &[&str]) -> (u16, String) {
    let (acceptor, pem) = acceptor(names);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            if stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
            }
        }
    });
    (port, pem)
}

#[tokio::test]
async fn c1_postgresql_begins_tls_before_the_login() {
    let (acceptor, pem) = acceptor(&["localhost"]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    // As far as PostgreSQL goes without a password: the request for TLS, the start of a session, `trust`.
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 8];
        stream.read_exact(&mut request).await.unwrap();
        assert_eq!(request, [0, 0, 0, 8, 4, 210, 22, 47]);
        stream.write_all(b"S").await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        let length = stream.read_u32().await.unwrap();
        let mut start = vec![0; length as usize - 4];
        stream.read_exact(&mut start).await.unwrap();
        stream.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I").await.unwrap();
        let _ = stream.read(&mut [0; 100]).await;
        String::from_utf8_lossy(&start).into_owned()
    });
    let source = Source::new(
        "postgresql",
        &[
            ("host", "localhost"),
            ("port", &port),
            ("database", "shop"),
            ("username", "me"),
            ("tls-mode", "verify-full"),
            ("ca-certificate", &pem),
        ],
    );
    let steps = [
        What::Resolve,
        What::Connect,
        What::Tls,
        What::Tls,
        What::Authenticate,
        What::OpenDatabase,
    ];
    source.passes(&steps).await;
    let start = server.await.unwrap();
    assert!(start.contains("user\0me\0") && start.contains("database\0shop\0"), "{start}");
}

#[tokio::test]
async fn c1_certificates_of_a_given_authority_are_trusted() {
    let (port, pem) = serve(&["localhost"]).await;
    let url = format!("https://localhost:{port}");
    let source = Source::new("http", &[("base-url", &url), ("ca-certificate", &pem)]);
    let report = source.passes(&[What::Resolve, What::Connect, What::Tls, What::Ask]).await;
    assert_eq!(report.steps[2].detail, "TLSv1_3");
}

#[tokio::test]
async fn c2_certificates_say_why_they_are_not_trusted() {
    let (port, pem) = serve(&["elsewhere.example"]).await;
    let url = format!("https://localhost:{port}");
    let named = Source::new("http", &[("base-url", &url), ("ca-certificate", &pem)]);
    named.fails(What::Tls, Reason::Tls, &["not for 'localhost'"]).await;
    let unknown = Source::new("http", &[("base-url", &url)]);
    let failure = unknown.fails(What::Tls, Reason::Tls, &["localhost"]).await;
    assert!(failure.help.contains("ca-certificate"), "{failure:?}");
}

#[tokio::test]
async fn c2_how_much_is_verified_is_a_matter_of_the_mode() {
    let (port, pem) = serve(&["elsewhere.example"]).await;
    let port = port.to_string();
    let source = |mode: &str| {
        Source::new("redis", &[("host", "localhost"), ("port", &port), ("tls-mode", mode)])
    };
    source("verify-full")
        .set("ca-certificate", &pem)
        .fails(What::Tls, Reason::Tls, &["not for"])
        .await;
    // Behind TLS there is no Redis.
    for mode in ["require", "verify-ca"] {
        let source = source(mode);
        let source = if mode == "require" { source } else { source.set("ca-certificate", &pem) };
        source.fails(What::Ask, Reason::Protocol, &["localhost"]).await;
    }
    source("verify-ca").fails(What::Tls, Reason::Tls, &["localhost"]).await;
}
