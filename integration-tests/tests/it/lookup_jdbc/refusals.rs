//! What cannot be: an exit code other than 0, and an error that names table, server and mend, and no password.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tidegate_integration_tests::databases::{Database, Product};

use super::{Case, both};

const JOIN: &str = "SELECT e.id, t.v FROM e JOIN t FOR SYSTEM_TIME AS OF e.pt ON e.k = t.k";
const SECRET: &str = "hunter2-not-to-be-shown";

/// The job fails, with all parts on standard error, for a lookup and for a scan.
fn refused(name: &str, table: &str, parts: &[&str]) -> Result<()> {
    for (kind, query) in [("lookup", JOIN), ("scan", "SELECT k, v FROM t")] {
        let case = Case::new(&format!("jdbc-{name}"), "id INT, k INT")?.with(table).output(
            "o",
            "id INT, v INT",
            query,
        );
        case.put("0.json", &["{\"id\":1,\"k\":1}".to_owned()])?;
        let run = case.run(name)?.timeout(Duration::from_secs(30)).finish()?;
        let run = run.failure(parts).with_context(|| format!("{kind}: {name}"))?;
        ensure!(!run.stderr.contains(SECRET), "the password is shown: {}", run.stderr);
        case.must_have("o", &["id", "v"], Vec::new())?;
        case.folder.succeed();
    }
    Ok(())
}

fn table(columns: &str, options: &str) -> String {
    format!("CREATE TABLE t ({columns}) WITH ({options}, 'lookup.max-retries'='1')")
}

fn host(database: &Database) -> String {
    let place = database.url.split_once("://").map_or("", |(_, place)| place);
    place.split_once('/').map_or(place, |(host, _)| host).to_owned()
}

#[test]
fn what_the_database_refuses_is_told_without_the_password() -> Result<()> {
    both(|database| {
        let name = database.unique("refused");
        database.execute(&format!(
            "CREATE TABLE {name} (k INT, v VARCHAR(10), n INT); INSERT INTO {name} VALUES (1, 'one', NULL)"
        ))?;
        let mut stranger = database.reader(&name)?;
        let (columns, host) = ("k INT, v INT", host(database));
        let options = database.options(&name);
        let gone = database.options("not_there");
        refused("missing-table", &table(columns, &gone), &["NOT_FOUND", "not_there", &host])?;
        let missing = "k INT, v STRING, extra INT";
        let query = table(missing, &options);
        let case = Case::new("jdbc-column", "id INT, k INT")?.with(&query).output(
            "o",
            "id INT, v INT",
            "SELECT e.id, t.extra FROM e JOIN t FOR SYSTEM_TIME AS OF e.pt ON e.k = t.k",
        );
        case.put("0.json", &["{\"id\":1,\"k\":1}".to_owned()])?;
        case.run("column")?.finish()?.failure(&["NOT_FOUND", "extra", &name, &host])?;
        case.folder.succeed();

        refused(
            "wrong-type",
            &table(columns, &options),
            &["BAD_RECORD", &name, "column v", "'one'", "INT"],
        )?;
        let not_null = "k INT, v STRING, n INT NOT NULL";
        let case =
            Case::new("jdbc-null", "id INT, k INT")?.with(&table(not_null, &options)).output(
                "o",
                "id INT, v INT",
                "SELECT e.id, t.n FROM e JOIN t FOR SYSTEM_TIME AS OF e.pt ON e.k = t.k",
            );
        case.put("0.json", &["{\"id\":1,\"k\":1}".to_owned()])?;
        case.run("null")?.finish()?.failure(&["BAD_RECORD", "column n", "NOT NULL"])?;
        case.folder.succeed();

        stranger.password = SECRET.to_owned();
        let wrong = stranger.options(&name);
        refused("password", &table(columns, &wrong), &["UNAUTHENTICATED", &name, &host])?;
        Ok(())
    })
}

/// A text column that is declared a number: PostgreSQL compares no text with a number, MariaDB does.
#[test]
fn a_key_of_another_type_is_refused_or_read() -> Result<()> {
    let database = Database::shared(Product::Postgres)?;
    let name = database.unique("text_key");
    database.execute(&format!(
        "CREATE TABLE {name} (k VARCHAR(10), v INT); INSERT INTO {name} VALUES ('1', 1)"
    ))?;
    let case = Case::new("jdbc-key-type", "id INT, k INT")?
        .with(&table("k INT, v INT", &database.options(&name)))
        .output("o", "id INT, v INT", JOIN);
    case.put("0.json", &["{\"id\":1,\"k\":1}".to_owned()])?;
    case.run("key")?.finish()?.failure(&[
        "FAILED_PRECONDITION",
        &name,
        "compare the declared columns",
    ])?;
    case.folder.succeed();
    Ok(())
}

#[test]
fn what_cannot_work_is_refused_before_anything_runs() -> Result<()> {
    let nowhere = "'connector'='jdbc', 'table-name'='t', 'username'='me'";
    let unreachable =
        format!("{nowhere}, 'password'='{SECRET}', 'url'='jdbc:postgresql://127.0.0.1:1/x'");
    let columns = "k INT, v INT";
    refused("unreachable", &table(columns, &unreachable), &["UNAVAILABLE", "127.0.0.1:1"])?;
    let unreachable = unreachable.replace("postgresql", "mysql");
    refused("unreachable-mysql", &table(columns, &unreachable), &["UNAVAILABLE", "127.0.0.1:1"])?;
    let oracle = format!("{nowhere}, 'url'='jdbc:oracle:thin:me/{SECRET}@db:1521/x'");
    refused(
        "oracle",
        &table(columns, &oracle),
        &["INVALID_OPTION", "'url'", "jdbc:postgresql://"],
    )?;
    let tls = format!("{nowhere}, 'url'='jdbc:mysql://me:{SECRET}@db/x?sslMode=REQUIRED'");
    refused("tls", &table(columns, &tls), &["UNSUPPORTED", "sslMode", "TLS"])?;
    let quotes = format!("{unreachable}, 'driver'='x'").replace("'t'", "'`t`; DROP TABLE t'");
    refused("name", &table(columns, &quotes), &["INVALID_OPTION", "'table-name'"])?;
    let nested = table("k INT, v MAP<STRING, INT>", &unreachable);
    let case = Case::new("jdbc-map", "id INT, k INT")?.with(&nested).output(
        "o",
        "id INT, v INT",
        "SELECT e.id, CARDINALITY(t.v) FROM e JOIN t FOR SYSTEM_TIME AS OF e.pt ON e.k = t.k",
    );
    case.put("0.json", &[])?;
    case.run("map")?.finish()?.failure(&["UNSUPPORTED", "MAP"])?;
    case.folder.succeed();

    let mut sink = Case::new("jdbc-sink", "id INT, k INT")?.with(&format!(
        "CREATE TABLE o_t ({columns}) WITH ({unreachable}, 'sink.max-retries'='1')"
    ));
    sink.outputs.push(("t".to_owned(), "SELECT id, k FROM e".to_owned()));
    let run = sink.run("sink")?.finish()?;
    let run = run.failure(&["INVALID_OPTION", "'jdbc' cannot be written to", "kafka"])?;
    ensure!(!run.stderr.contains(SECRET), "the password is shown: {}", run.stderr);
    sink.folder.succeed();
    Ok(())
}
