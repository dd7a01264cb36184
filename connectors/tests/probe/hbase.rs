//! HBase, by its REST gateway.

use tidegate_connectors::probe::{Reason, What};

use super::source::{Source, closed_port, own_name, service};

fn hbase() -> Source {
    Source::new("hbase", &[("rest-url", &service("TIDEGATE_HBASE"))])
}

const STEPS: [What; 4] = [What::Resolve, What::Connect, What::Ask, What::OpenDatabase];

#[tokio::test]
async fn c1_hbase_connects() {
    let report = hbase().passes(&STEPS).await;
    assert!(report.steps[2].detail.starts_with("HBase 2."), "{report:#?}");
}

#[tokio::test]
async fn c2_hbase_says_what_is_wrong() {
    let missing = hbase().set("namespace", "nowhere");
    missing.fails(What::OpenDatabase, Reason::MissingDatabase, &["'nowhere'"]).await;
    let closed = hbase().set("rest-url", &format!("http://127.0.0.1:{}", closed_port()));
    closed.fails(What::Connect, Reason::Refused, &["127.0.0.1"]).await;
    let other = hbase().set("rest-url", &service("TIDEGATE_OPENSEARCH"));
    let failure = other.fails(What::Ask, Reason::Protocol, &["127.0.0.1"]).await;
    assert!(failure.help.contains("address") || failure.help.contains("rest-url"), "{failure:?}");
    let tls = hbase().set("rest-url", &service("TIDEGATE_HBASE").replace("http:", "https:"));
    tls.fails(What::Tls, Reason::Tls, &["127.0.0.1"]).await;
}

#[tokio::test]
async fn d1_tables_of_hbase_are_listed() {
    let (name, url) = (own_name("import"), service("TIDEGATE_HBASE"));
    let made = reqwest::Client::new()
        .put(format!("{url}/{name}/schema"))
        .header("Content-Type", "text/xml")
        .body(format!("<TableSchema name=\"{name}\"><ColumnSchema name=\"f\"/></TableSchema>"));
    assert!(made.send().await.unwrap().status().is_success());
    assert_eq!(hbase().names(None, "").await, ["default"]);
    assert_eq!(hbase().names(Some("default"), &name).await, std::slice::from_ref(&name));
    let error = hbase().cannot_describe(None, &name).await;
    assert!(error.contains("hbase"), "{error}");
}
