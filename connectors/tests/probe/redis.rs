//! Redis, a server and a cluster.

use tidegate_connectors::probe::{Reason, What};

use super::source::{Source, closed_port, host_port, own_name, service};

fn at(address: &str, password: &str) -> Source {
    let (host, port) = host_port(&format!("//{}", service(address)));
    Source::new("redis", &[("host", &host), ("port", &port), ("password", &service(password))])
}

fn redis() -> Source {
    at("TIDEGATE_REDIS", "TIDEGATE_REDIS_PASSWORD")
}

const STEPS: [What; 4] = [What::Resolve, What::Connect, What::Authenticate, What::OpenDatabase];

#[tokio::test]
async fn c1_redis_connects() {
    redis().passes(&STEPS).await;
    redis().set("database", "3").passes(&STEPS).await;
    let cluster = at("TIDEGATE_REDIS_CLUSTER", "TIDEGATE_REDIS_CLUSTER_PASSWORD");
    let report = cluster.set("cluster", "true").passes(&STEPS).await;
    assert!(report.steps[3].detail.contains("cluster of 1"), "{report:#?}");
}

#[tokio::test]
async fn c2_redis_says_what_is_wrong() {
    let wrong = redis().set("password", "canary-4711");
    wrong.fails(What::Authenticate, Reason::Authentication, &["127.0.0.1"]).await;
    redis().set("password", "").fails(What::Ask, Reason::Authentication, &["127.0.0.1"]).await;
    let nobody = redis().set("username", "nobody");
    nobody.fails(What::Authenticate, Reason::Authentication, &["'nobody'"]).await;
    let database = redis().set("database", "99");
    database.fails(What::OpenDatabase, Reason::MissingDatabase, &["number 99"]).await;
    redis().set("port", &closed_port()).fails(What::Connect, Reason::Refused, &["127.0.0.1"]).await;
    redis().set("tls-mode", "require").fails(What::Tls, Reason::Tls, &["127.0.0.1"]).await;
    let single = redis().set("cluster", "true");
    single.fails(What::OpenDatabase, Reason::Protocol, &["not in a cluster"]).await;
    let cluster = at("TIDEGATE_REDIS_CLUSTER", "TIDEGATE_REDIS_CLUSTER_PASSWORD");
    cluster.fails(What::OpenDatabase, Reason::Protocol, &["one of a cluster"]).await;
}

#[tokio::test]
async fn d1_beginnings_of_keys_are_listed() {
    let (own, (host, port)) =
        (own_name("users"), host_port(&format!("//{}", service("TIDEGATE_REDIS"))));
    let mut text = format!("AUTH {}\r\n", service("TIDEGATE_REDIS_PASSWORD"));
    for key in ["1", "2"] {
        text.push_str(&format!("SET {own}:{key} x\r\n"));
    }
    let mut stream = std::net::TcpStream::connect(format!("{host}:{port}")).unwrap();
    std::io::Write::write_all(&mut stream, text.as_bytes()).unwrap();
    let mut answer = [0; 15];
    std::io::Read::read_exact(&mut stream, &mut answer).unwrap();
    assert_eq!(&answer, b"+OK\r\n+OK\r\n+OK\r\n");
    assert_eq!(redis().names(None, &own).await, [format!("{own}:")]);
    let error = redis().cannot_describe(None, &own).await;
    assert!(error.contains("redis"), "{error}");
}
