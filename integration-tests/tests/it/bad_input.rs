//! Bad input of every kind: a clear error that names the thing and the place, an exit code other than
//! 0, no panic (every run checks that), and nothing written. Time limits where something does not answer.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tidegate_integration_tests::clock::entropy;
use tidegate_integration_tests::folder::{CaseFolder, visible_files};
use tidegate_integration_tests::kafka::Cluster;
use tidegate_integration_tests::services::variable;
use tidegate_integration_tests::tidegate::{Finished, Run};

/// Longest time in which a system that does not answer must be given up.
const BOUND: Duration = Duration::from_secs(90);

const TABLE: &str = "CREATE TABLE clicks (id INT, k STRING, d DECIMAL(5, 2), ts TIMESTAMP(3)) WITH ('connector'='filesystem', 'path'='${DIR}/in', 'format'='json'${MORE});
CREATE TABLE copy (id INT, k STRING, d DECIMAL(5, 2)) WITH ('connector'='filesystem', 'path'='${DIR}/out', 'format'='csv');
";
const COPY: &str = "INSERT INTO copy SELECT id, k, d FROM clicks;";

/// Runs statements over a file `in/rows.json`.
fn run_over(
    name: &str,
    rows: &str,
    more: &str,
    statements: &str,
) -> Result<(CaseFolder, Finished)> {
    let folder = CaseFolder::new(&format!("bad-{name}"))?;
    std::fs::create_dir_all(folder.join("in"))?;
    std::fs::write(folder.join("in/rows.json"), rows)?;
    let finished = Run::new(folder.path(), name, &format!("{TABLE}{statements}"))?
        .define("DIR", &folder.text())
        .define("MORE", more)
        .parallelism(1)
        .option("stats", "json")
        .finish()?;
    Ok((folder, finished))
}

/// The run fails, standard error has all parts, and there is no output.
fn refused(name: &str, rows: &str, statements: &str, parts: &[&str]) -> Result<()> {
    let (folder, finished) = run_over(name, rows, "", statements)?;
    finished.failure(parts).with_context(|| name.to_owned())?;
    let files = visible_files(&folder.join("out"))?;
    ensure!(files.is_empty(), "{name}: a failed job shows output: {files:?}");
    folder.succeed();
    Ok(())
}

const GOOD: &str = "{\"id\":1,\"k\":\"a\",\"d\":1.5}\n";

#[test]
fn malformed_json_fails_the_job_with_file_and_place() -> Result<()> {
    let parts = ["BAD_RECORD", "rows.json", "3"];
    refused("json", &format!("{GOOD}{GOOD}{{\"id\":\n{GOOD}"), COPY, &parts)?;
    refused("json-garbage", &format!("{GOOD}{GOOD}garbage\n"), COPY, &parts)
}

/// Half of a surrogate pair is no text; Java writes a question mark for it, and so Flink does.
#[test]
fn lone_surrogates_are_replaced() -> Result<()> {
    let row = "{\"id\":1,\"k\":\"\\ud800\"}\n";
    let (folder, finished) = run_over("surrogate", row, "", "SELECT k FROM clicks;")?;
    let finished = finished.success()?;
    ensure!(finished.stdout.contains("| ? |"), "{}", finished.stdout);
    folder.succeed();
    Ok(())
}

#[test]
fn values_of_a_wrong_type_fail_the_job_with_column() -> Result<()> {
    refused(
        "type-text",
        &format!("{GOOD}{{\"id\":\"one\"}}\n"),
        COPY,
        &["BAD_RECORD", "rows.json", "id", "2"],
    )?;
    refused("type-range", "{\"id\":3000000000}\n", COPY, &["BAD_RECORD", "id", "3000000000"])?;
    refused(
        "type-time",
        "{\"id\":1,\"ts\":\"yesterday\"}\n",
        "INSERT INTO copy SELECT id, CAST(ts AS STRING), d FROM clicks;",
        &["BAD_RECORD", "ts"],
    )
}

#[test]
fn bad_records_can_be_skipped_and_are_counted() -> Result<()> {
    let rows = format!("{GOOD}garbage\n{{\"id\":\n{{\"id\":\"x\",\"k\":\"b\"}}\n{GOOD}");
    let (folder, finished) = run_over("skip", &rows, ", 'json.ignore-parse-errors'='true'", COPY)?;
    let stats = finished.success()?.stats()?;
    // The third has a bad field, which becomes NULL; the row stays.
    ensure!(stats["inserts"][0]["records_out"] == 3, "{stats}");
    ensure!(stats["inserts"][0]["bad_records"].as_u64().is_some_and(|bad| bad >= 2), "{stats}");
    let lines: usize = visible_files(&folder.join("out"))?
        .iter()
        .map(|path| Ok::<_, anyhow::Error>(std::fs::read_to_string(path)?.lines().count()))
        .sum::<Result<usize>>()?;
    ensure!(lines == 3, "{lines} rows");
    folder.succeed();
    Ok(())
}

#[test]
fn failing_expressions_fail_the_job() -> Result<()> {
    refused(
        "division",
        GOOD,
        "INSERT INTO copy SELECT id / (id - 1), k, d FROM clicks;",
        &["EVALUATION", "zero"],
    )?;
    refused(
        "cast",
        GOOD,
        "INSERT INTO copy SELECT CAST(k AS INT), k, d FROM clicks;",
        &["EVALUATION", "'a'"],
    )
}

#[test]
fn mistakes_in_sql_have_their_place_and_a_suggestion() -> Result<()> {
    let cases: &[(&str, &str, &[&str])] = &[
        ("syntax", "SELECT id FROM clicks WHERE;", &["SQL_SYNTAX", "line 3"]),
        ("column", "SELECT idd FROM clicks;", &["'idd'", "did you mean 'id'", "line 3, column 8"]),
        ("table", "SELECT id FROM click;", &["'click'", "did you mean 'clicks'", "line 3"]),
        ("function", "SELECT UPER(k) FROM clicks;", &["UPER", "UPPER", "line 3"]),
        ("types", "SELECT id = k FROM clicks;", &["INT", "STRING", "line 3"]),
        ("insert-width", "INSERT INTO copy SELECT id FROM clicks;", &["copy", "line 3"]),
        ("insert-type", "INSERT INTO copy SELECT k, k, d FROM clicks;", &["id", "line 3"]),
        (
            "no-watermark",
            "SELECT COUNT(*) FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, window_end;",
            &["time attribute", "WATERMARK", "line 3"],
        ),
        (
            "unsupported",
            "SELECT * FROM clicks PIVOT (COUNT(*) FOR id IN (1, 2));",
            &["UNSUPPORTED", "PIVOT", "line 3"],
        ),
        (
            "connector",
            "CREATE TABLE x (a INT) WITH ('connector'='kafak'); SELECT a FROM x;",
            &["'kafak'", "did you mean 'kafka'"],
        ),
        (
            "option",
            "CREATE TABLE x (a INT) WITH ('connector'='datagen', 'number-of-row'='1'); SELECT a FROM x;",
            &["'number-of-row'", "number-of-rows"],
        ),
        (
            "option-value",
            "CREATE TABLE x (a INT) WITH ('connector'='datagen', 'number-of-rows'='many'); SELECT a FROM x;",
            &["number-of-rows", "'many'"],
        ),
        (
            "no-path",
            "CREATE TABLE x (a INT) WITH ('connector'='filesystem', 'format'='json'); SELECT a FROM x;",
            &["'path'"],
        ),
        (
            "format",
            "CREATE TABLE x (a INT) WITH ('connector'='filesystem', 'path'='/tmp/x', 'format'='jsn'); SELECT a FROM x;",
            &["'jsn'", "json"],
        ),
    ];
    let mut wrong = Vec::new();
    for (name, statements, parts) in cases {
        if let Err(error) = refused(&format!("sql-{name}"), GOOD, statements, parts) {
            wrong.push(format!("{error:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{} of {}\n\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
    Ok(())
}

#[test]
fn missing_files_are_named() -> Result<()> {
    let folder = CaseFolder::new("bad-missing-file")?;
    let run = Run::new(folder.path(), "missing", &format!("{TABLE}{COPY}"))?;
    let run = run.define("DIR", &folder.text()).define("MORE", "").finish()?;
    let place = folder.join("in").display().to_string();
    run.failure(&["NOT_FOUND", &place])?;
    folder.succeed();
    Ok(())
}

fn kafka_script(brokers: &str, topic: &str, more: &str) -> String {
    format!(
        "CREATE TABLE clicks (id INT, k STRING) WITH ('connector'='kafka', 'topic'='{topic}', 'properties.bootstrap.servers'='{brokers}',
  'scan.startup.mode'='earliest-offset', 'scan.bounded.mode'='latest-offset', 'format'='json'{more});
SELECT id, k FROM clicks;"
    )
}

fn run_script(folder: &CaseFolder, name: &str, script: &str) -> Result<Finished> {
    Run::new(folder.path(), name, script)?
        .parallelism(1)
        .option("format", "json")
        .option("stats", "json")
        .timeout(BOUND)
        .finish()
}

#[test]
fn missing_topics_are_named() -> Result<()> {
    let cluster = Cluster::from_environment()?;
    let folder = CaseFolder::new("bad-topic")?;
    let topic = format!("it-nowhere-{:x}", entropy());
    run_script(&folder, "source", &kafka_script(cluster.brokers(), &topic, ""))?
        .failure(&["NOT_FOUND", &topic])?;
    let sink = format!(
        "CREATE TABLE numbers (n INT) WITH ('connector'='datagen', 'number-of-rows'='3');
CREATE TABLE x (n INT) WITH ('connector'='kafka', 'topic'='{topic}', 'properties.bootstrap.servers'='{}', 'format'='json');
INSERT INTO x SELECT n FROM numbers;",
        cluster.brokers()
    );
    // Brokers that create topics by themselves are a choice of their owners; ours does not.
    run_script(&folder, "sink", &sink)?.failure(&[&topic])?;
    folder.succeed();
    Ok(())
}

#[test]
fn unreachable_brokers_are_given_up_in_time() -> Result<()> {
    let folder = CaseFolder::new("bad-broker")?;
    let run = run_script(&folder, "broker", &kafka_script("127.0.0.1:1", "clicks", ""))?;
    let run = run.failure(&["UNAVAILABLE", "127.0.0.1:1"])?;
    eprintln!("given up after {:.1} s", run.wall.as_secs_f64());
    folder.succeed();
    Ok(())
}

#[test]
fn malformed_records_of_a_topic_are_named() -> Result<()> {
    let cluster = Cluster::from_environment()?;
    let folder = CaseFolder::new("bad-kafka-record")?;
    let topic = format!("it-malformed-{:x}", entropy());
    cluster.create_topic(&topic, 1)?;
    let writer = cluster.writer()?;
    for value in [r#"{"id":1,"k":"a"}"#, r#"{"id":2,"#, r#"{"id":3,"k":"c"}"#] {
        writer.send(&topic, 0, value)?;
    }
    writer.flush()?;
    run_script(&folder, "fail", &kafka_script(cluster.brokers(), &topic, ""))?.failure(&[
        "BAD_RECORD",
        &topic,
        "offset 1",
    ])?;
    let more = ", 'json.ignore-parse-errors'='true'";
    let skipped =
        run_script(&folder, "skip", &kafka_script(cluster.brokers(), &topic, more))?.success()?;
    ensure!(skipped.stdout.lines().count() == 3, "{}", skipped.stdout);
    ensure!(skipped.stats()?["inserts"][0]["bad_records"] == 1, "{}", skipped.stdout);
    folder.succeed();
    Ok(())
}

#[test]
fn unreachable_stores_are_given_up_in_time() -> Result<()> {
    let folder = CaseFolder::new("bad-store")?;
    let script = "CREATE TABLE numbers (n INT) WITH ('connector'='datagen', 'number-of-rows'='3');
SELECT n FROM numbers;";
    let run = |name: &str, place: &str| -> Result<Run> {
        Ok(Run::new(folder.path(), name, script)?.checkpoints(place, "1 s").timeout(BOUND))
    };
    let unreachable = run("unreachable", "s3://nobucket/x")?
        .variable("TIDEGATE_S3_ENDPOINT", "http://127.0.0.1:1")
        .variable("TIDEGATE_S3_ACCESS_KEY", "a")
        .variable("TIDEGATE_S3_SECRET_KEY", "not-to-be-shown")
        .finish()?
        .failure(&["UNAVAILABLE", "s3://nobucket/x"])?;
    ensure!(!unreachable.stderr.contains("not-to-be-shown"), "the key is shown");
    eprintln!("given up after {:.1} s", unreachable.wall.as_secs_f64());
    variable("TIDEGATE_S3_ENDPOINT")?;
    let bucket = variable("TIDEGATE_S3_BUCKET")?;
    run("refused", &format!("s3://{bucket}/x"))?
        .variable("TIDEGATE_S3_SECRET_KEY", "wrong-key")
        .finish()?
        .failure(&["PERMISSION_DENIED", &format!("s3://{bucket}/x")])?;
    run("scheme", "hdfs://x/y")?.finish()?.failure(&["hdfs"])?;
    std::fs::write(folder.join("file"), "x")?;
    let file = folder.join("file").display().to_string();
    run("a-file", &file)?.finish()?.failure(&[&file])?;
    folder.succeed();
    Ok(())
}
