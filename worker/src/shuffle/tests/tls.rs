//! Mutual TLS: workers talk with certificates of one authority, and with nobody else.

use tidegate_runtime::SystemClock;
use tidegate_security::{Authority, Issued, NodeRequest, NodeRole, NodeRoles, Validity};
use tidegate_types::ErrorCode;

use super::super::Tls;
use super::*;

fn validity() -> Validity {
    Validity { now_ms: SystemClock::shared().now_ms().unsigned_abs(), days: 1 }
}

fn authority() -> Authority {
    // As the binary does when it starts; the other test may have done it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Authority::create("test", validity()).unwrap()
}

/// A worker with a certificate of one authority that trusts another.
fn signed(by: &Authority, trusted: &Authority, server_name: Option<&str>) -> ShuffleOptions {
    with_roles(NodeRoles::only(NodeRole::Worker), by, trusted, server_name)
}

fn with_roles(
    roles: NodeRoles,
    by: &Authority,
    trusted: &Authority,
    server_name: Option<&str>,
) -> ShuffleOptions {
    let hosts = vec!["worker.test".to_owned()];
    let request = NodeRequest { name: "w".to_owned(), hosts, roles };
    let Issued { certificate, key } = by.issue(&request, validity()).unwrap();
    let tls = Tls {
        authority: trusted.own().certificate.clone(),
        certificate,
        key,
        server_name: server_name.map(str::to_owned),
    };
    ShuffleOptions { tls: Some(tls), ..ShuffleOptions::default() }
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
    let authority = authority();
    let options = || signed(&authority, &authority, Some("worker.test"));
    assert!(matches!(first_element(options(), options()).await, Ok(Element::Batch(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_kept_out() {
    let (authority, other) = (authority(), authority());
    let good = || signed(&authority, &authority, Some("worker.test"));
    // A server that is not trusted, a client that is not, another name, and no TLS at all.
    let wrong = [
        (good(), signed(&other, &authority, None)),
        (signed(&other, &authority, Some("worker.test")), good()),
        (signed(&authority, &authority, Some("elsewhere.test")), good()),
        (ShuffleOptions::default(), good()),
    ];
    for (from, to) in wrong {
        let error = first_element(from, to).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::Cancelled, "{error}");
    }
    // A certificate of the authority, but not of a worker.
    let role = NodeRoles::only(NodeRole::Coordinator);
    let from = with_roles(role, &authority, &authority, Some("worker.test"));
    let error = first_element(from, good()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::PermissionDenied, "{error}");
}
