//! Mutual TLS: workers talk with certificates of one authority, and with nobody else.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tidegate_types::ErrorCode;

use super::super::Tls;
use super::*;

/// Certificates of an authority of its own.
struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        // As the binary does when it starts; the other test may have done it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn options(&self, trusted: &Self, server_name: Option<&str>) -> ShuffleOptions {
        let (certificate, key) = self.issue("worker.test");
        let tls = Tls {
            authority: trusted.certificate.clone(),
            certificate,
            key,
            server_name: server_name.map(str::to_owned),
        };
        ShuffleOptions { tls: Some(tls), ..ShuffleOptions::default() }
    }
}

async fn first_element(from: ShuffleOptions, to: ShuffleOptions) -> Result<Element> {
    let from = Worker::start("w1", from).await;
    let to = Worker::start("w2", to).await;
    let mut reading = to.read_from(&from, key(1), 1, schema())?;
    let mut sending = from.send_to(&to, key(1), 1, schema())?;
    send(&mut sending.sender(0), Element::Batch(rows(0, 5_000, 50))).await?;
    next(&mut reading.receiver(0)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_of_one_authority_talk() {
    let authority = Authority::new();
    let options = || authority.options(&authority, Some("worker.test"));
    assert!(matches!(first_element(options(), options()).await, Ok(Element::Batch(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_kept_out() {
    let (authority, other) = (Authority::new(), Authority::new());
    let good = || authority.options(&authority, Some("worker.test"));
    // A server that is not trusted, a client that is not, another name, and no TLS at all.
    let wrong = [
        (good(), other.options(&authority, None)),
        (other.options(&authority, Some("worker.test")), good()),
        (authority.options(&authority, Some("elsewhere.test")), good()),
        (ShuffleOptions::default(), good()),
    ];
    for (from, to) in wrong {
        let error = first_element(from, to).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::Cancelled, "{error}");
    }
}
