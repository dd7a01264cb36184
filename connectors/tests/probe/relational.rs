//! MariaDB, which stands for MySQL, and PostgreSQL, which stands for Greenplum too.

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use tidegate_connectors::probe::{Page, Reason, What};

use super::source::{Source, closed_port, columns, host_port, own_name, service};

fn mysql() -> Source {
    let (host, port) = host_port(&service("TIDEGATE_MARIADB"));
    Source::new(
        "mysql",
        &[
            ("host", &host),
            ("port", &port),
            ("database", "tidegate"),
            ("username", &service("TIDEGATE_MARIADB_USER")),
            ("password", &service("TIDEGATE_MARIADB_PASSWORD")),
        ],
    )
}

fn postgres(kind: &'static str) -> Source {
    let (host, port) = host_port(&service("TIDEGATE_POSTGRES"));
    Source::new(
        kind,
        &[
            ("host", &host),
            ("port", &port),
            ("database", "postgres"),
            ("username", &service("TIDEGATE_POSTGRES_USER")),
            ("password", &service("TIDEGATE_POSTGRES_PASSWORD")),
        ],
    )
}

const STEPS: [What; 4] = [What::Resolve, What::Connect, What::Authenticate, What::OpenDatabase];

#[tokio::test]
async fn c1_mysql_connects() {
    let report = mysql().passes(&STEPS).await;
    assert!(report.steps[2].detail.contains("version 10"), "{report:#?}");
    let (_, port) = host_port(&service("TIDEGATE_MARIADB"));
    mysql().set("host", "localhost").set("port", &port).passes(&STEPS).await;
    mysql().set("database", "").passes(&STEPS[..3]).await;
}

#[tokio::test]
async fn c2_mysql_says_what_is_wrong() {
    let wrong = mysql().set("password", "canary-4711");
    wrong.fails(What::Authenticate, Reason::Authentication, &["'tidegate'", "127.0.0.1:"]).await;
    mysql()
        .set("username", "nobody")
        .fails(What::Authenticate, Reason::Authentication, &["'nobody'"])
        .await;
    mysql()
        .set("database", "no such")
        .fails(What::OpenDatabase, Reason::MissingDatabase, &["'no such'"])
        .await;
    mysql().set("port", &closed_port()).fails(What::Connect, Reason::Refused, &["127.0.0.1"]).await;
    mysql()
        .set("tls-mode", "require")
        .fails(What::Tls, Reason::Tls, &["127.0.0.1", "no TLS"])
        .await;
}

#[tokio::test]
async fn c1_postgresql_and_greenplum_connect() {
    for kind in ["postgresql", "greenplum"] {
        postgres(kind).passes(&STEPS).await;
    }
}

#[tokio::test]
async fn c2_postgresql_says_what_is_wrong() {
    let source = || postgres("postgresql");
    let wrong = source().set("password", "canary-4711");
    wrong.fails(What::Authenticate, Reason::Authentication, &["'tidegate'"]).await;
    source()
        .set("password", "")
        .fails(What::Authenticate, Reason::Authentication, &["wants a password"])
        .await;
    source()
        .set("database", "none")
        .fails(What::OpenDatabase, Reason::MissingDatabase, &["'none'"])
        .await;
    source()
        .set("port", &closed_port())
        .fails(What::Connect, Reason::Refused, &["127.0.0.1"])
        .await;
    source().set("tls-mode", "verify-full").fails(What::Tls, Reason::Tls, &["no TLS"]).await;
    // Another kind of server.
    let (_, port) = host_port(&service("TIDEGATE_S3_ENDPOINT"));
    let mut other = source().set("port", &port);
    other.limits.deadline = Duration::from_secs(1);
    // It waits for more, as it does not understand.
    other.fails(What::Authenticate, Reason::Timeout, &["127.0.0.1"]).await;
}

async fn mariadb_tables(name: &str) {
    let (host, port) = host_port(&service("TIDEGATE_MARIADB"));
    let options = mysql_async::OptsBuilder::default()
        .ip_or_hostname(host)
        .tcp_port(port.parse().unwrap())
        .user(Some(service("TIDEGATE_MARIADB_USER")))
        .pass(Some(service("TIDEGATE_MARIADB_PASSWORD")))
        .prefer_socket(false);
    let mut connection = mysql_async::Conn::new(options).await.unwrap();
    for statement in [
        format!("CREATE DATABASE {name}"),
        format!(
            "CREATE TABLE {name}.orders (id BIGINT NOT NULL, shop INT UNSIGNED NOT NULL, \
             price DECIMAL(10,2) COMMENT 'in euros', paid TINYINT(1), at DATETIME(3), \
             name VARCHAR(20) NOT NULL, place POINT, PRIMARY KEY (shop, id)) COMMENT 'all orders'"
        ),
        format!("CREATE TABLE {name}.Other (a INT)"),
        format!("CREATE VIEW {name}.seen AS SELECT id FROM {name}.orders"),
    ] {
        connection.query_drop(statement).await.unwrap();
    }
    connection.disconnect().await.unwrap();
}

#[tokio::test]
async fn d1_schemas_are_imported_from_mysql() {
    let name = own_name("import");
    mariadb_tables(&name).await;
    let source = mysql();
    assert_eq!(source.names(None, &name).await, std::slice::from_ref(&name));
    assert_eq!(source.names(Some(&name), "").await, ["Other", "orders", "seen"]);
    assert_eq!(source.names(Some(&name), "ord").await, ["orders"]);
    let page = Page { prefix: None, after: Some("Other".to_owned()), limit: 1 };
    let listing = source.probe().list(Some(&name), &page).await.unwrap();
    assert_eq!(listing.next.as_deref(), Some("orders"));
    assert_eq!(listing.entries[0].comment.as_deref(), Some("all orders"));

    let found = source.describe(Some(&name), "orders").await;
    let expected = [
        "id* BIGINT NOT NULL",
        "shop* BIGINT NOT NULL",
        "price DECIMAL(10, 2)",
        "paid BOOLEAN",
        "at TIMESTAMP(3)",
        "name STRING NOT NULL",
    ];
    assert_eq!(columns(&found), expected);
    assert_eq!(found.columns[2].comment.as_deref(), Some("in euros"));
    assert_eq!(found.comment.as_deref(), Some("all orders"));
    assert_eq!(found.unmapped.len(), 1);
    assert_eq!(
        (found.unmapped[0].name.as_str(), found.unmapped[0].native.as_str()),
        ("place", "point")
    );
    let error = source.cannot_describe(Some(&name), "none").await;
    assert!(error.contains("'none'") && error.contains(&name), "{error}");
}

async fn postgres_tables(schema: &str) {
    let (host, port) = host_port(&service("TIDEGATE_POSTGRES"));
    let mut config = tokio_postgres::Config::new();
    config.host(&host).port(port.parse().unwrap()).dbname("postgres");
    config.user(service("TIDEGATE_POSTGRES_USER"));
    config.password(service("TIDEGATE_POSTGRES_PASSWORD"));
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    let task = tokio::spawn(connection);
    let script = format!(
        "CREATE SCHEMA {schema};
         CREATE TYPE {schema}.mood AS ENUM ('sad', 'ok');
         CREATE DOMAIN {schema}.cents AS bigint;
         CREATE TABLE {schema}.orders (id bigint PRIMARY KEY, price numeric(10,2) NOT NULL, at timestamptz(3),
           day date, tags text[], mood {schema}.mood, sum {schema}.cents, doc jsonb, area box);
         COMMENT ON TABLE {schema}.orders IS 'all orders';
         COMMENT ON COLUMN {schema}.orders.price IS 'in euros';
         CREATE TABLE {schema}.\"Mixed Case\" (a int);"
    );
    client.batch_execute(&script).await.unwrap();
    drop(client);
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn d1_schemas_are_imported_from_postgresql() {
    let schema = own_name("import");
    postgres_tables(&schema).await;
    let source = postgres("postgresql");
    assert_eq!(source.names(None, "post").await, ["postgres"]);
    let names = source.names(Some("postgres"), &schema).await;
    assert_eq!(names, [format!("{schema}.\"Mixed Case\""), format!("{schema}.orders")]);

    let found = source.describe(Some("postgres"), &format!("{schema}.orders")).await;
    let expected = [
        "id* BIGINT NOT NULL",
        "price DECIMAL(10, 2) NOT NULL",
        "at TIMESTAMP_LTZ(3)",
        "day DATE",
        "tags ARRAY<STRING>",
        "mood STRING",
        "sum BIGINT",
        "doc STRING",
    ];
    assert_eq!(columns(&found), expected);
    assert_eq!(found.comment.as_deref(), Some("all orders"));
    assert_eq!(found.columns[1].comment.as_deref(), Some("in euros"));
    assert_eq!(found.unmapped[0].name, "area");
    let found = source.describe(None, &names[0]).await;
    assert_eq!(columns(&found), ["a INT"]);
    let error = source.cannot_describe(None, &format!("{schema}.none")).await;
    assert!(error.contains("none"), "{error}");
}
