//! Replays Flink's recorded answers about windows: same rows (in any order) and same column types,
//! or an error where Flink has one. Of rows that Flink updates the last ones count. What differs on purpose is listed with its reason.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;
use tidegate_integration_tests::compare::{Row, canonical_row, difference};
use tidegate_integration_tests::flink::{last_rows, plain_type, shape};
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::rows::{csv_row, json_row};
use tidegate_integration_tests::tidegate::{Run, binary};

const BY_BATCH: &str =
    "watermarks come per batch, here of one row; the interval is accepted and does nothing";
const NOT_YET: &str = "refused by name: not supported yet";
const ANY_ORDER: &str = "named arguments are taken in any order, and OFFSET needs no quotes";
const UNUSED: &str = "a watermark that no operator uses is not computed";
const BEFORE_1970: &str =
    "watermarks before 1970 count; Flink's begin at 1970, so nothing is late there";

/// Beginnings of names of cases that are expected to differ, and why. A case that agrees all the same
/// fails the test, so that the list stays true.
const DIFFERENT: &[(&str, &str)] = &[
    ("late rows, tumble, interval of one hour", BY_BATCH),
    ("late rows, hop, interval of one hour", BY_BATCH),
    ("late rows, cumulate, interval of one hour", BY_BATCH),
    ("late rows, session, interval of one hour", BY_BATCH),
    ("late rows, tumble, on-event option", BY_BATCH),
    ("advance of exactly the interval, 200 ms", BY_BATCH),
    ("tumble, named, other order", ANY_ORDER),
    ("tumble, named offset, bare word", ANY_ORDER),
    ("null rowtime without watermark use", UNUSED),
    ("before 1970, late rows", BEFORE_1970),
    ("without window_start in GROUP BY", NOT_YET),
    ("grouping sets", NOT_YET),
    ("SUM of each type, whole table", NOT_YET),
    ("STDDEV and VAR", NOT_YET),
    ("LISTAGG, FIRST_VALUE, LAST_VALUE, COLLECT", NOT_YET),
    ("processing time, column", NOT_YET),
    ("group window TUMBLE()", NOT_YET),
    ("group window SESSION()", NOT_YET),
    ("EXPLAIN plain aggregation", NOT_YET),
];

/// Plans are only asked for: they must be had, their text is ours.
fn is_explain(name: &str) -> bool {
    name.starts_with("EXPLAIN")
}

#[test]
fn recorded_answers_of_flink_are_met() -> Result<()> {
    // Or every excuse would seem to be needed.
    binary()?;
    let recorded: Value = serde_json::from_str(include_str!("../../flink/recorded/windows.json"))?;
    let cases = recorded["cases"].as_array().ok_or_else(|| anyhow!("no cases"))?;
    let folder = CaseFolder::new("recorded-windows")?;
    let (mut failures, mut met, mut excused) = (Vec::new(), 0, BTreeMap::<&str, u32>::new());
    for (index, case) in cases.iter().enumerate() {
        let name = case["name"].as_str().unwrap_or_default();
        let reason =
            DIFFERENT.iter().find(|(start, _)| name.starts_with(start)).map(|(_, reason)| *reason);
        let place = folder.join(&format!("{index:03}"));
        std::fs::create_dir_all(&place)?;
        match (replay(case, &place), reason) {
            (Ok(()), None) => met += 1,
            (Ok(()), Some(_)) => failures.push(format!("'{name}' agrees: take it off the list")),
            (Err(error), Some(NOT_YET)) if !format!("{error:?}").contains("[UNSUPPORTED]") => {
                failures.push(format!("'{name}' is not refused as unsupported\n{error:?}"));
            }
            (Err(_), Some(reason)) => *excused.entry(reason).or_default() += 1,
            (Err(error), None) => {
                failures.push(format!("'{name}' ({})\n{error:?}", place.display()))
            }
        }
    }
    eprintln!("{met} answers are met; different on purpose: {excused:#?}");
    ensure!(
        failures.is_empty(),
        "{} of {} differ\n\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n\n")
    );
    for (start, _) in DIFFERENT {
        let known =
            |case: &Value| case["name"].as_str().is_some_and(|name| name.starts_with(start));
        ensure!(cases.iter().any(known), "no case is called '{start}…'");
    }
    folder.succeed();
    Ok(())
}

fn replay(case: &Value, place: &std::path::Path) -> Result<()> {
    let name = case["name"].as_str().unwrap_or_default();
    for (file, content) in case["files"].as_object().into_iter().flatten() {
        std::fs::write(place.join(file), content.as_str().unwrap_or_default())?;
    }
    let statements: Vec<&str> =
        case["statements"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let (query, before) = statements.split_last().ok_or_else(|| anyhow!("no statements"))?;
    let answer = case["answer"]["statements"].as_array().and_then(|answers| answers.last());
    let answer = answer.ok_or_else(|| anyhow!("no answer"))?;
    let mut script = String::from("SET 'table.local-time-zone' = 'UTC';\n");
    for (key, value) in case["settings"].as_object().into_iter().flatten() {
        script.push_str(&format!("SET '{key}' = '{}';\n", value.as_str().unwrap_or_default()));
    }
    before.iter().for_each(|statement| script.push_str(&format!("{statement};\n")));
    let describe =
        answer["ok"] == true && !is_explain(name) && !query.trim_start().starts_with("INSERT");
    if describe {
        script.push_str(&format!(
            "CREATE TEMPORARY VIEW recorded_query AS {query};\nDESCRIBE recorded_query;\n"
        ));
    }
    script.push_str(&format!("{query};\n"));
    // JSON tells NULL from '' but has zoned times in UTC; CSV has them in the session's zone.
    let zoned = answer["columns"].as_array().into_iter().flatten().any(is_zoned);
    let run = Run::new(place, "case", &script)?
        .define("DIR", &place.display().to_string())
        .parallelism(1)
        .set("execution.batch-size", "1")
        .option("format", if zoned { "csv" } else { "json" })
        .finish()?;
    if answer["ok"] != true {
        let error = answer["error"]["message"].as_str().unwrap_or_default();
        run.failure(&["error ["]).with_context(|| format!("Flink refuses: {error}"))?;
        return Ok(());
    }
    let run = run.success().context("Flink accepts it")?;
    if !describe {
        return Ok(());
    }
    let lines = if zoned {
        csv_as_json(&run.stdout)?
    } else {
        run.stdout.lines().map(str::to_owned).collect()
    };
    compare(answer, lines).with_context(|| format!("{query}\ncommand: {}", run.command))
}

/// The first lines are the answer of DESCRIBE, one per column; the rest are rows.
fn compare(answer: &Value, lines: Vec<String>) -> Result<()> {
    let columns = answer["columns"].as_array().ok_or_else(|| anyhow!("no columns"))?;
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let names: Vec<String> = columns.iter().map(|column| text(column, "name")).collect();
    let mut lines = lines.iter();
    let mut shapes = Vec::new();
    for column in columns {
        let line = lines.next().ok_or_else(|| anyhow!("DESCRIBE has too few lines"))?;
        let described: Value = serde_json::from_str(line)?;
        let (name, ty) = (text(column, "name"), text(column, "type"));
        let null = if described["null"] == "FALSE" { " NOT NULL" } else { "" };
        let found = format!("{}{null}", text(&described, "type"));
        ensure!(text(&described, "name") == name, "column {name} is called {}", described["name"]);
        ensure!(
            plain_type(&found) == plain_type(&ty),
            "column {name} has type {found}, Flink's has {ty}"
        );
        shapes.push(shape(&ty));
    }
    let mut actual = Vec::new();
    for line in lines {
        actual.push(canonical_row(&shapes, &json_row(line, &names)?)?);
    }
    let rows = answer["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    let expected = last_rows(rows)?;
    let expected = expected.iter().map(|row| canonical_row(&shapes, row));
    let expected: Vec<Row> = expected.collect::<Result<_>>()?;
    match difference("Flink", &expected, &actual) {
        Some(text) => Err(anyhow!(text)),
        None => Ok(()),
    }
}

fn is_zoned(column: &Value) -> bool {
    column["type"].as_str().is_some_and(|ty| ty.starts_with("TIMESTAMP_LTZ"))
}

/// The CSV of DESCRIBE and a query, each with its header, as JSON lines.
fn csv_as_json(stdout: &str) -> Result<Vec<String>> {
    let mut header: Row = Vec::new();
    let mut lines = Vec::new();
    for (index, line) in stdout.lines().enumerate() {
        let fields = csv_row(line);
        // The query's header is the first line that is not as wide as DESCRIBE's six columns, or
        // that does not tell of a type; a query of six columns is not among the cases.
        if index == 0 || fields.len() != header.len() {
            header = fields;
            continue;
        }
        let members =
            header.iter().flatten().zip(fields).map(|(name, value)| (name.clone(), value.into()));
        lines.push(Value::Object(members.collect()).to_string());
    }
    ensure!(!lines.is_empty(), "no CSV: {stdout}");
    Ok(lines)
}
