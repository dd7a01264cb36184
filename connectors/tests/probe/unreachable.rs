//! What all types have in common: names that do not exist, addresses that may not be connected to, servers that are silent.

use std::time::Duration;

use tidegate_connector_spec::data_source::data_sources;
use tidegate_connectors::probe::{Reason, What};
use tokio::net::TcpListener;

use super::source::{Source, closed_port};

/// A data source of each type at this host and port.
fn at(host: &str, port: &str) -> Vec<Source> {
    let url = format!("http://{host}:{port}");
    let pair = [("host", host), ("port", port)];
    let with =
        |kind: &'static str, more: &[(&str, &str)]| Source::new(kind, &[&pair[..], more].concat());
    let login = [("username", "me"), ("password", "canary-4711")];
    let keys = [
        ("bucket", "lake"),
        ("access-key", "a"),
        ("secret-key", "canary-4711"),
        ("endpoint", url.as_str()),
    ];
    let address = format!("{host}:{port}");
    let all = vec![
        with("mysql", &login),
        with("postgresql", &[&login[..], &[("database", "d")]].concat()),
        with("greenplum", &[&login[..], &[("database", "d")]].concat()),
        with("oracle", &[&login[..], &[("service-name", "s")]].concat()),
        with("hive", &[]),
        with("redis", &[("password", "canary-4711")]),
        with("ftp", &login),
        Source::new("kafka", &[("bootstrap-servers", &address)]),
        Source::new("elasticsearch", &[("hosts", &url)]),
        Source::new("hbase", &[("rest-url", &url)]),
        Source::new("http", &[("base-url", &url)]),
        Source::new("s3", &keys),
    ];
    assert_eq!(all.len(), data_sources().len() - 1, "all but files");
    all
}

#[tokio::test]
async fn c2_names_without_an_address_are_told() {
    for source in at("no-such-host.invalid", "1234") {
        source.fails(What::Resolve, Reason::Dns, &["no-such-host.invalid"]).await;
    }
}

#[tokio::test]
async fn c2_closed_ports_are_told() {
    let port = closed_port();
    for source in at("127.0.0.1", &port) {
        source.fails(What::Connect, Reason::Refused, &[&format!("127.0.0.1:{port}")]).await;
    }
}

#[tokio::test]
async fn c2_metadata_services_are_never_connected_to() {
    for host in ["169.254.169.254", "100.100.100.200"] {
        for source in at(host, "80") {
            source.fails(What::Resolve, Reason::BlockedAddress, &[host]).await;
        }
    }
}

#[tokio::test]
async fn c2_private_addresses_are_a_matter_of_policy() {
    let port = closed_port();
    for mut source in at("localhost", &port) {
        source.limits.private_addresses = false;
        source.fails(What::Resolve, Reason::BlockedAddress, &["localhost"]).await;
    }
}

#[tokio::test]
async fn c2_silent_servers_do_not_hold_a_test_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let silent = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.push(stream);
        }
    });
    let tests = at("127.0.0.1", &port).into_iter().map(|mut source| async move {
        source.limits.deadline = Duration::from_millis(700);
        let report = source.test().await;
        let failure = report.failure.clone().unwrap_or_else(|| panic!("{report:#?}"));
        assert!(
            matches!(failure.reason, Reason::Timeout | Reason::Protocol | Reason::Refused),
            "{report:#?}"
        );
        assert!(failure.message.contains("127.0.0.1"), "{report:#?}");
        assert!(report.elapsed < Duration::from_secs(4), "{report:#?}");
    });
    futures::future::join_all(tests).await;
    silent.abort();
}
