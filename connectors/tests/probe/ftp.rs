//! FTP, with TLS and without.

use tidegate_connectors::probe::{Reason, What};

use super::source::{Source, closed_port, host_port, service};

fn ftp(address: &str) -> Source {
    let (host, port) = host_port(&format!("//{}", service(address)));
    Source::new(
        "ftp",
        &[
            ("host", &host),
            ("port", &port),
            ("username", &service("TIDEGATE_FTP_USER")),
            ("password", &service("TIDEGATE_FTP_PASSWORD")),
            ("folder", "/in"),
        ],
    )
}

/// The server that insists on TLS, with its certificate as the authority.
fn secured() -> Source {
    let pem = std::fs::read_to_string(service("TIDEGATE_FTP_CERTIFICATE")).unwrap();
    let end = "-----END CERTIFICATE-----";
    let certificate = pem.split_inclusive(end).find(|part| part.contains("BEGIN CERTIFICATE"));
    let certificate = certificate.unwrap();
    ftp("TIDEGATE_FTPS").set("tls-mode", "explicit").set("ca-certificate", certificate)
}

const STEPS: [What; 6] =
    [What::Resolve, What::Connect, What::Ask, What::Authenticate, What::OpenDatabase, What::List];

#[tokio::test]
async fn c1_ftp_connects() {
    let report = ftp("TIDEGATE_FTP").passes(&STEPS).await;
    assert!(report.steps[5].detail.starts_with("1 names"), "{report:#?}");
    ftp("TIDEGATE_FTP").set("passive", "false").passes(&STEPS).await;
    assert_eq!(ftp("TIDEGATE_FTP").names(None, "").await, ["orders.csv"]);
}

#[tokio::test]
async fn c1_ftp_connects_with_tls() {
    let steps = [&STEPS[..3], &[What::Tls], &STEPS[3..]].concat();
    secured().passes(&steps).await;
    secured().set("host", "localhost").passes(&steps).await;
}

#[tokio::test]
async fn c2_ftp_says_what_is_wrong() {
    let wrong = ftp("TIDEGATE_FTP").set("password", "canary-4711");
    wrong.fails(What::Authenticate, Reason::Authentication, &["'tidegate'", "127.0.0.1"]).await;
    let folder = ftp("TIDEGATE_FTP").set("folder", "/none");
    folder.fails(What::OpenDatabase, Reason::MissingDatabase, &["'/none'"]).await;
    let closed = ftp("TIDEGATE_FTP").set("port", &closed_port());
    closed.fails(What::Connect, Reason::Refused, &["127.0.0.1"]).await;
    let without = ftp("TIDEGATE_FTP").set("tls-mode", "explicit");
    without.fails(What::Tls, Reason::Tls, &["no TLS"]).await;
    let insists = ftp("TIDEGATE_FTPS");
    insists.fails(What::Authenticate, Reason::Tls, &["wants TLS"]).await;
    let distrusted = secured().set("ca-certificate", "");
    distrusted.fails(What::Tls, Reason::Tls, &["127.0.0.1"]).await;
}
