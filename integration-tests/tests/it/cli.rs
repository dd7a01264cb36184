//! The command line: what is printed where, exit codes, variables, settings, statistics, and Ctrl-C.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tidegate_integration_tests::checkpoints::wait_for;
use tidegate_integration_tests::clock::wait_until;
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::rows::json_folder;
use tidegate_integration_tests::tidegate::{Finished, Run};

/// Three rows in two files; `${MORE}` are more options of the source.
const TABLE: &str = "CREATE TABLE clicks (id INT, k STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('connector'='filesystem', 'path'='${DIR}/in', 'format'='json'${MORE});
";

fn folder(name: &str) -> Result<CaseFolder> {
    let folder = CaseFolder::new(name)?;
    std::fs::create_dir_all(folder.join("in"))?;
    let rows = "{\"id\":1,\"k\":\"a\",\"ts\":\"2024-01-01 00:00:01\"}\n{\"id\":2,\"k\":null,\"ts\":\"2024-01-01 00:00:02\"}\n";
    std::fs::write(folder.join("in/1.json"), rows)?;
    std::fs::write(
        folder.join("in/2.json"),
        "{\"id\":3,\"k\":\"c, d\",\"ts\":\"2024-01-01 00:00:11\"}\n",
    )?;
    Ok(folder)
}

fn run(folder: &CaseFolder, name: &str, statements: &str) -> Result<Run> {
    let run = Run::new(folder.path(), name, &format!("{TABLE}{statements}"))?;
    Ok(run.define("DIR", &folder.text()).define("MORE", "").parallelism(1))
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_select_prints_its_rows_in_three_formats() -> Result<()> {
    let folder = folder("cli-select")?;
    let select = |format: &str| -> Result<Finished> {
        run(&folder, format, "SELECT id, k FROM clicks;")?
            .option("format", format)
            .finish()?
            .success()
    };
    let json = select("json")?;
    ensure!(
        sorted(&json.stdout)
            == [r#"{"id":1,"k":"a"}"#, r#"{"id":2,"k":null}"#, r#"{"id":3,"k":"c, d"}"#],
        "{}",
        json.stdout
    );
    let csv = select("csv")?;
    ensure!(csv.stdout.starts_with("id,k\n"), "{}", csv.stdout);
    ensure!(sorted(&csv.stdout) == ["1,a", "2,", "3,\"c, d\"", "id,k"], "{}", csv.stdout);
    let table = select("table")?;
    for part in ["| id | k", "| 1  | a", "| 2  | NULL", "| 3  | c, d", "3 rows"] {
        ensure!(table.stdout.contains(part), "'{part}' is not in\n{}", table.stdout);
    }
    // Standard output is for results only, and there is nothing to log.
    ensure!(json.stderr.is_empty(), "{}", json.stderr);
    folder.succeed();
    Ok(())
}

#[test]
fn explain_analyze_runs_and_tells_what_each_operator_did() -> Result<()> {
    let folder = folder("cli-analyze")?;
    let statements =
        "CREATE TABLE out (k STRING, n BIGINT) WITH ('connector'='filesystem', 'path'='${DIR}/out',
  'format'='debezium-json');
EXPLAIN ANALYZE INSERT INTO out SELECT k, COUNT(*) FROM clicks WHERE id > 1 GROUP BY k;
EXPLAIN ANALYZE SELECT k FROM clicks;";
    let finished = run(&folder, "analyze", statements)?.finish()?.success()?;
    let line = |part: &str| {
        let line = finished.stdout.lines().find(|line| line.contains(part));
        line.with_context(|| finished.report())
    };
    ensure!(line("TableSourceScan")?.contains("[rows in=3, out="), "{}", finished.report());
    ensure!(line("GroupAggregate(groupBy")?.contains("[rows in=2, out=2"), "{}", finished.report());
    ensure!(line("Sink(table=[out]")?.contains("[rows in=2"), "{}", finished.report());
    ensure!(!finished.stdout.contains("c, d"), "rows of a query were printed");
    // It ran: what an INSERT writes is there.
    let written = std::fs::read_dir(folder.join("out"))?.count();
    ensure!(written > 0, "nothing was written");
    folder.succeed();
    Ok(())
}

#[test]
fn the_print_connector_writes_flinks_lines() -> Result<()> {
    let folder = folder("cli-print")?;
    let sinks = "CREATE TABLE plain (id INT, k STRING, ts TIMESTAMP(3)) WITH ('connector'='print');
CREATE TABLE named (id INT) WITH ('connector'='print', 'print-identifier'='x', 'standard-error'='true');
EXECUTE STATEMENT SET BEGIN
INSERT INTO plain SELECT id, k, ts FROM clicks;
INSERT INTO named SELECT id FROM clicks WHERE id > 2;
END;";
    let printed = run(&folder, "print", sinks)?.finish()?.success()?;
    let expected = [
        "+I[1, a, 2024-01-01T00:00:01]",
        "+I[2, null, 2024-01-01T00:00:02]",
        "+I[3, c, d, 2024-01-01T00:00:11]",
    ];
    ensure!(sorted(&printed.stdout) == expected, "{}", printed.stdout);
    ensure!(printed.stderr.trim() == "x> +I[3]", "{}", printed.stderr);
    folder.succeed();
    Ok(())
}

#[test]
fn statements_run_in_the_order_written() -> Result<()> {
    let folder = folder("cli-order")?;
    let statements = "SET 'table.dml-sync' = 'true';
CREATE TABLE copy (id INT) WITH ('connector'='filesystem', 'path'='${DIR}/copy', 'format'='csv');
CREATE TABLE copy_of_copy (id INT) WITH ('connector'='filesystem', 'path'='${DIR}/second', 'format'='csv');
INSERT INTO copy SELECT id FROM clicks;
INSERT INTO copy_of_copy SELECT id + 10 FROM copy;
SELECT id FROM copy_of_copy;
EXPLAIN SELECT id FROM clicks WHERE id > 1;";
    let done = run(&folder, "order", statements)?.option("format", "json").finish()?.success()?;
    let (rows, plan): (Vec<&str>, Vec<&str>) =
        done.stdout.lines().partition(|line| line.starts_with("{\"id\""));
    ensure!(
        sorted(&rows.join("\n")) == [r#"{"id":11}"#, r#"{"id":12}"#, r#"{"id":13}"#],
        "{}",
        done.stdout
    );
    let plan: Value = serde_json::from_str(&plan.join("\n")).context("the plan")?;
    ensure!(plan["result"].as_str().is_some_and(|plan| plan.contains("clicks")), "{plan}");
    folder.succeed();
    Ok(())
}

#[test]
fn variables_and_settings_reach_the_script() -> Result<()> {
    let folder = folder("cli-variables")?;
    let select = "SELECT id FROM clicks WHERE id > ${LEAST} AND k <> '$${LEAST}';";
    let done = run(&folder, "define", select)?
        .define("LEAST", "1")
        .option("format", "json")
        .finish()?
        .success()?;
    ensure!(done.stdout.trim() == r#"{"id":3}"#, "{}", done.stdout);
    run(&folder, "undefined", select)?.finish()?.failure(&["'LEAST'", "--define LEAST="])?;
    let zone =
        "SELECT CAST(CAST(ts AS TIMESTAMP_LTZ(3)) AS STRING) AS local FROM clicks WHERE id = 1;";
    let done = run(&folder, "set", &format!("SET 'execution.batch-size' = '1'; {zone}"))?
        .set("table.local-time-zone", "Asia/Shanghai")
        .option("format", "csv")
        .finish()?
        .success()?;
    ensure!(done.stdout.trim() == "local\n2024-01-01 00:00:01.000", "{}", done.stdout);
    run(&folder, "set-unknown", zone)?
        .set("execution.checkpoint.interval", "1 s")
        .finish()?
        .failure(&[
            "'execution.checkpoint.interval'",
            "did you mean 'execution.checkpointing.interval'",
        ])?;
    run(&folder, "set-wrong", zone)?
        .set("execution.checkpointing.interval", "soon")
        .finish()?
        .failure(&["execution.checkpointing.interval", "'soon'"])?;
    folder.succeed();
    Ok(())
}

#[test]
fn statistics_are_the_last_line() -> Result<()> {
    let folder = folder("cli-stats")?;
    std::fs::write(
        folder.join("in/3.json"),
        "not json\n{\"id\":4,\"k\":\"e\",\"ts\":\"2024-01-01 00:00:00\"}\n",
    )?;
    let statements = "CREATE TABLE counts (ws TIMESTAMP(3), c BIGINT) WITH ('connector'='blackhole');
CREATE TABLE ids (id INT) WITH ('connector'='print');
EXECUTE STATEMENT SET BEGIN
INSERT INTO counts SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end;
INSERT INTO ids SELECT id FROM clicks WHERE id > 1;
END;";
    let done = Run::new(folder.path(), "stats", &format!("{TABLE}{statements}"))?
        .define("DIR", &folder.text())
        .define("MORE", ", 'json.ignore-parse-errors'='true'")
        .parallelism(1)
        .checkpoints(&folder.join("checkpoints").display().to_string(), "50 ms")
        .option("stats", "json")
        .finish()?
        .success()?;
    let stats = done.stats()?;
    let inserts = stats["inserts"].as_array().context("inserts")?;
    let facts: Vec<(&str, u64, u64, u64)> = inserts
        .iter()
        .map(|insert| {
            let number = |name: &str| insert[name].as_u64().unwrap_or(u64::MAX);
            (
                insert["name"].as_str().unwrap_or(""),
                number("records_in"),
                number("records_out"),
                number("bad_records"),
            )
        })
        .collect();
    ensure!(facts == [("counts", 4, 2, 1), ("ids", 4, 3, 1)], "{facts:?}\n{stats}");
    for insert in inserts {
        ensure!(
            insert["late_records"] == 0 && insert["wall_seconds"].as_f64().is_some_and(|s| s > 0.0),
            "{insert}"
        );
    }
    ensure!(stats["cpu_seconds"].is_number(), "{stats}");
    ensure!(stats["peak_rss_bytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20), "{stats}");
    ensure!(stats["checkpoints_completed"].is_u64(), "{stats}");
    let times = ["p50", "p99", "max"].map(|name| stats["checkpoint_ms"][name].as_f64());
    ensure!(
        matches!(times, [Some(p50), Some(p99), Some(max)] if p50 <= p99 && p99 <= max),
        "{stats}"
    );
    folder.succeed();
    Ok(())
}

#[test]
fn windows_of_processing_time_end_on_time_while_the_source_never_waits() -> Result<()> {
    let folder = folder("busy-source")?;
    let statements = "
CREATE TABLE numbers (n INT, at AS PROCTIME())
  WITH ('connector'='datagen', 'rows-per-second'='2000000000');
CREATE TABLE counts (c BIGINT) WITH ('connector'='print');
INSERT INTO counts SELECT COUNT(*)
  FROM TABLE(TUMBLE(TABLE numbers, DESCRIPTOR(at), INTERVAL '1' SECOND))
  GROUP BY window_start, window_end;";
    let mut process = run(&folder, "busy", statements)?
        .set("execution.checkpointing.interval", "0 ms")
        .start()?;
    wait_until("three windows", Duration::from_secs(30), || {
        process.must_run()?;
        Ok(process.stdout()?.lines().count() >= 3)
    })?;
    process.kill()?;
    folder.succeed();
    Ok(())
}

#[test]
fn late_records_are_counted() -> Result<()> {
    let folder = folder("cli-late")?;
    std::fs::remove_file(folder.join("in/2.json"))?;
    let rows = [1, 30, 2, 31, 3]
        .map(|second| format!("{{\"id\":{second},\"ts\":\"2024-01-01 00:00:{second:02}\"}}\n"));
    std::fs::write(folder.join("in/1.json"), rows.concat())?;
    let statements = "CREATE TABLE counts (ws TIMESTAMP(3), c BIGINT) WITH ('connector'='print');
INSERT INTO counts SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end;";
    let done = run(&folder, "late", statements)?
        .set("execution.batch-size", "1")
        .option("stats", "json")
        .finish()?
        .success()?;
    let stats = done.stats()?;
    ensure!(stats["inserts"][0]["late_records"] == 2, "{stats}");
    ensure!(
        done.stdout.contains("+I[2024-01-01T00:00, 1]\n")
            && done.stdout.contains("+I[2024-01-01T00:00:30, 2]\n")
    );
    folder.succeed();
    Ok(())
}

#[test]
fn wrong_usage_is_told_apart_from_failures() -> Result<()> {
    let folder = CaseFolder::new("cli-usage")?;
    let with = |name: &str, arguments: &[&str]| {
        Run::with_arguments(folder.path(), name, arguments).finish()
    };
    let help = with("help", &["run", "--help"])?.success()?;
    for option in [
        "--parallelism",
        "--set",
        "--define",
        "--checkpoint-dir",
        "--restore",
        "--stats",
        "--format",
    ] {
        ensure!(help.stdout.contains(option), "{option} is not in the help");
    }
    with("version", &["--version"])?.success()?;
    with("unknown-option", &["run", "x.sql", "--paralelism", "2"])?
        .failure(&["--paralelism", "--parallelism"])?;
    with("no-file", &["run", "does-not-exist.sql"])?.failure(&["does-not-exist.sql"])?;
    with("bad-define", &["run", "x.sql", "--define", "nothing"])?.failure(&["KEY=VALUE"])?;
    with("bad-parallelism", &["run", "x.sql", "--parallelism", "0"])?
        .failure(&["--parallelism"])?;
    folder.succeed();
    Ok(())
}

#[test]
fn a_mistake_in_the_last_line_costs_nothing() -> Result<()> {
    let folder = folder("cli-plan-first")?;
    let statements = "CREATE TABLE copy (id INT) WITH ('connector'='filesystem', 'path'='${DIR}/copy', 'format'='csv');
INSERT INTO copy SELECT id FROM clicks;
SELECT nothing FROM clicks;";
    run(&folder, "mistake", statements)?.finish()?.failure(&["nothing"])?;
    ensure!(!folder.join("copy").exists(), "the INSERT ran");
    folder.succeed();
    Ok(())
}

#[test]
fn ctrl_c_stops_with_a_savepoint_that_continues() -> Result<()> {
    let folder = folder("cli-ctrl-c")?;
    let statements = "SET 'pipeline.name' = 'stopping';
CREATE TABLE counts (ws TIMESTAMP(3), c BIGINT) WITH ('connector'='filesystem', 'path'='${DIR}/out', 'format'='json');
INSERT INTO counts SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end;";
    let checkpoints = folder.join("checkpoints");
    let mut process = Run::new(folder.path(), "first", &format!("{TABLE}{statements}"))?
        .define("DIR", &folder.text())
        .define("MORE", ", 'source.monitor-interval'='50 ms'")
        .parallelism(2)
        .checkpoints(&checkpoints.display().to_string(), "50 ms")
        .option("stats", "json")
        .start()?;
    wait_for(&mut process, &checkpoints, &Default::default(), 1)?;
    // The window [0, 10) is complete when the row of second 11 has been read.
    wait_until("the first window", Duration::from_secs(30), || {
        process.must_run()?;
        Ok(!json_folder(&folder.join("out"), &["ws", "c"].map(str::to_owned))?.is_empty())
    })?;
    process.interrupt()?;
    let stopped = process.wait()?.success()?;
    let savepoint = stopped.savepoint()?;
    ensure!(
        std::path::Path::new(&savepoint).join("_metadata").is_file(),
        "{savepoint} is no savepoint"
    );
    ensure!(
        stopped.stats()?["checkpoints_completed"].as_u64().is_some_and(|count| count > 0),
        "{}",
        stopped.stdout
    );
    // A savepoint stands alone: the checkpoints may go.
    let moved = folder.join("moved");
    std::fs::rename(&savepoint, &moved)?;
    std::fs::remove_dir_all(&checkpoints)?;
    // A bounded source reads what the savepoint knows of, and its end is the end of all windows.
    run(&folder, "second", statements)?
        .restore(Some(&moved.display().to_string()))
        .finish()?
        .success()?;
    let rows = json_folder(&folder.join("out"), &["ws", "c"].map(str::to_owned))?;
    let mut rows: Vec<String> = rows
        .iter()
        .map(|row| row.iter().flatten().cloned().collect::<Vec<_>>().join(" "))
        .collect();
    rows.sort_unstable();
    ensure!(rows == ["2024-01-01 00:00:00 2", "2024-01-01 00:00:10 1"], "{rows:?}");
    folder.succeed();
    Ok(())
}
