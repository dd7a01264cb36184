//! TLS, by a server with a certificate that is made for a test.

use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use tidegate_connectors::probe::{Reason, What};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

use super::source::Source;

/// A server for these names that answers any request; its port and certificate.
async fn serve(names: &[&str]) -> (u16, String) {
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
    let acceptor = TlsAcceptor::from(Arc::new(settings));
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
    (port, cert.pem())
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
