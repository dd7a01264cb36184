//! Replays Flink's recorded answers about tables that change: aggregates, joins, ranks, sets. The changes
//! are replayed strictly (what is taken back must be there) and must end in Flink's table, with its
//! columns and types; what Flink refuses must be refused. `flink/differences.txt` lists what differs, and
//! why; a case that agrees all the same fails the test, so that the list stays true.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;
use tidegate_integration_tests::compare::{Row, Shape, canonical_row, difference};
use tidegate_integration_tests::flink::{last_rows, plain_type, shape};
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::rows::{csv_row, json_row};
use tidegate_integration_tests::tidegate::{Run, binary};

const SECTIONS: &[&str] = &[
    "aggregation",
    "documented",
    "group_windows",
    "grouping",
    "interval_joins",
    "joins",
    "lookups",
    "nexmark",
    "over",
    "queries",
    "ranking",
    "refusals",
    "sets",
    "unnest",
    "version_joins",
    "window_joins",
    "windows",
];

/// Cases at a time.
const THREADS: usize = 2;

/// One recorded question with its answer.
struct Case {
    section: &'static str,
    index: usize,
    recorded: Value,
    /// Why it differs, if it may.
    reason: Option<String>,
}

impl Case {
    fn name(&self) -> &str {
        self.recorded["name"].as_str().unwrap_or_default()
    }
}

#[test]
fn recorded_answers_about_changing_tables_are_met() -> Result<()> {
    // Or every excuse would seem to be needed.
    binary()?;
    let flink = Path::new(env!("CARGO_MANIFEST_DIR")).join("flink");
    let mut differences = read_differences(&flink.join("differences.txt"))?;
    let mut cases = Vec::new();
    for section in SECTIONS {
        let text = std::fs::read_to_string(flink.join(format!("recorded/{section}.json")))?;
        let mut recorded: Value = serde_json::from_str(&text)?;
        let Value::Array(all) = recorded["cases"].take() else { bail!("{section} has no cases") };
        for (index, recorded) in all.into_iter().enumerate() {
            let key = (section.to_string(), recorded["name"].to_string().replace('"', ""));
            let reason = differences.remove(&key);
            cases.push(Case { section, index, recorded, reason });
        }
    }
    ensure!(differences.is_empty(), "no cases have these names: {:?}", differences.keys());
    let folder = CaseFolder::new("recorded-tables")?;
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let name = format!("{}-{:03}", case.section, case.index);
                    let place = folder.join(&name);
                    if let Err(error) = judge(case, &name, &place) {
                        let mut failures = failures.lock().unwrap_or_else(|e| e.into_inner());
                        failures.push(format!("{}: '{}'\n{error:?}", case.section, case.name()));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap_or_else(|e| e.into_inner());
    let excused = cases.iter().filter(|case| case.reason.is_some()).count();
    eprintln!("{} answers are met, {excused} differ as listed", cases.len() - excused);
    ensure!(
        failures.is_empty(),
        "{} of {} differ\n\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n\n")
    );
    folder.succeed();
    Ok(())
}

/// `section | case | reason` per line.
fn read_differences(path: &Path) -> Result<BTreeMap<(String, String), String>> {
    let text = std::fs::read_to_string(path)?;
    let mut differences = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let mut parts = line.splitn(3, " | ");
        let (Some(section), Some(case), Some(reason)) = (parts.next(), parts.next(), parts.next())
        else {
            bail!("{}: '{line}' is not 'section | case | reason'", path.display());
        };
        let key = (section.to_owned(), case.replace("\\|", "|"));
        ensure!(differences.insert(key, reason.to_owned()).is_none(), "'{line}' stands twice");
    }
    Ok(differences)
}

fn judge(case: &Case, name: &str, place: &PathBuf) -> Result<()> {
    std::fs::create_dir_all(place)?;
    let depends_on_the_clock =
        case.reason.as_ref().is_some_and(|reason| reason.starts_with("by the clock"));
    match (replay(&case.recorded, name, place), &case.reason) {
        (Ok(()), None) => Ok(()),
        _ if depends_on_the_clock => Ok(()),
        (Ok(()), Some(_)) => bail!("it agrees: take it off the list"),
        (Err(error), Some(reason)) => {
            let refused = format!("{error:?}").contains("error [");
            ensure!(
                !reason.starts_with("not yet") || refused,
                "it is to be refused until it works\n{error:?}"
            );
            Ok(())
        }
        (Err(error), None) => Err(error.context(place.display().to_string())),
    }
}

fn replay(case: &Value, name: &str, place: &Path) -> Result<()> {
    for (file, content) in case["files"].as_object().into_iter().flatten() {
        let path = place.join(file);
        path.parent().map(std::fs::create_dir_all).transpose()?;
        std::fs::write(path, content.as_str().unwrap_or_default())?;
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
    // Plans are only asked for: they must be had, their text is ours.
    let has_rows =
        answer["ok"] == true && answer["kind"] == "ROWS" && !query.starts_with("EXPLAIN");
    if has_rows {
        script.push_str(&format!(
            "CREATE TEMPORARY VIEW recorded_query AS {query};\nDESCRIBE recorded_query;\n"
        ));
    }
    script.push_str(&format!("{query};\n"));
    let columns = answer["columns"].as_array().map(Vec::as_slice).unwrap_or_default();
    // JSON tells NULL from '', but has no zoned times in the session's zone and no maps of all keys.
    let csv = columns.iter().any(needs_csv);
    let run = Run::new(place, name, &script)?
        .define("DIR", &place.display().to_string())
        .parallelism(1)
        .set("execution.batch-size", "1")
        .option("format", if csv { "csv" } else { "json" })
        .finish()?;
    if answer["ok"] != true {
        let error = answer["error"]["message"].as_str().unwrap_or_default();
        run.failure(&["error ["]).with_context(|| format!("Flink refuses: {error}"))?;
        return Ok(());
    }
    let run = run.success().context("Flink accepts it")?;
    // Where Flink's own answer is wrong it is enough to have one.
    if !has_rows || case["bug"].is_string() {
        return Ok(());
    }
    let names = columns.iter().map(|column| text(column, "name")).collect::<Vec<_>>();
    let (described, rows) = match csv {
        true => split_csv(&run.stdout, &names)?,
        false => split_json(&run.stdout, &names)?,
    };
    compare(answer, columns, &described, rows)
        .with_context(|| format!("{query}\ncommand: {}", run.command))
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn needs_csv(column: &Value) -> bool {
    let ty = text(column, "type");
    ["TIMESTAMP_LTZ", "ARRAY", "MAP", "MULTISET", "ROW"].iter().any(|start| ty.starts_with(start))
}

/// What DESCRIBE says of a column: name, type, nullability.
type Described = (String, String, bool);
/// A change: its kind and the row.
type Change = (String, Row);

/// The lines of DESCRIBE, then the rows.
fn split_json(stdout: &str, names: &[String]) -> Result<(Vec<Described>, Vec<Change>)> {
    let mut lines = stdout.lines();
    let mut described = Vec::new();
    for line in lines.by_ref().take(names.len()) {
        let column: Value = serde_json::from_str(line)?;
        described.push((text(&column, "name"), text(&column, "type"), column["null"] != "FALSE"));
    }
    let rows = lines.map(|line| {
        let (kind, line) = match line.strip_prefix("{\"op\":\"") {
            Some(rest) if rest.len() > 3 && rest.as_bytes()[2] == b'"' => {
                let fields = rest[3..].strip_prefix(',').unwrap_or(&rest[3..]);
                (&rest[..2], format!("{{{fields}"))
            }
            _ => ("+I", line.to_owned()),
        };
        Ok((kind.to_owned(), json_row(&line, names)?))
    });
    Ok((described, rows.collect::<Result<_>>()?))
}

fn split_csv(stdout: &str, names: &[String]) -> Result<(Vec<Described>, Vec<Change>)> {
    let mut lines = stdout.lines().skip(1);
    let mut described = Vec::new();
    let value = |row: &Row, index: usize| row.get(index).cloned().flatten().unwrap_or_default();
    for line in lines.by_ref().take(names.len()) {
        let row = csv_row(line);
        described.push((value(&row, 0), value(&row, 1), value(&row, 2) != "FALSE"));
    }
    let header = lines.next().map(csv_row).unwrap_or_default();
    let changing = header.len() == names.len() + 1;
    let rows = lines.map(|line| {
        let mut row = csv_row(line);
        let kind = if changing { row.remove(0).unwrap_or_default() } else { "+I".to_owned() };
        (kind, row)
    });
    Ok((described, rows.collect()))
}

fn compare(
    answer: &Value,
    columns: &[Value],
    described: &[Described],
    changes: Vec<Change>,
) -> Result<()> {
    ensure!(described.len() == columns.len(), "DESCRIBE has {} columns", described.len());
    let mut shapes = Vec::new();
    for (column, (name, ty, nullable)) in columns.iter().zip(described) {
        let (wanted_name, wanted) = (text(column, "name"), text(column, "type"));
        let found = format!("{ty}{}", if *nullable { "" } else { " NOT NULL" });
        ensure!(*name == wanted_name, "column {wanted_name} is called {name}");
        ensure!(
            plain_type(&found) == plain_type(&wanted),
            "column {name} has type {found}, Flink's has {wanted}"
        );
        shapes.push(shape(&wanted));
    }
    let actual = fold(&shapes, changes)?;
    let rows = answer["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    let expected =
        last_rows(rows)?.iter().map(|row| plain_row(&shapes, row)).collect::<Result<Vec<_>>>()?;
    match difference("Flink", &expected, &actual) {
        Some(text) => Err(anyhow!(text)),
        None => Ok(()),
    }
}

/// The table that changes end in; taking back what is not there is an error.
fn fold(shapes: &[Shape], changes: Vec<Change>) -> Result<Vec<Row>> {
    let mut table: HashMap<Row, usize> = HashMap::new();
    for (kind, row) in changes {
        let row = plain_row(shapes, &row)?;
        if kind == "+I" || kind == "+U" {
            *table.entry(row).or_default() += 1;
            continue;
        }
        match table.get_mut(&row) {
            Some(count) if *count > 0 => *count -= 1,
            _ => bail!("{kind}{row:?} takes back what is not there"),
        }
    }
    Ok(table.into_iter().flat_map(|(row, count)| std::iter::repeat_n(row, count)).collect())
}

/// The canonical row; maps with their entries in order. CSV has no NULL: it is the empty text.
fn plain_row(shapes: &[Shape], row: &Row) -> Result<Row> {
    let row = canonical_row(
        shapes,
        &row.iter().map(|value| value.clone().filter(|v| !v.is_empty())).collect(),
    )?;
    let sorted = |text: String| match text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
        Some(entries) if entries.contains('=') => {
            let mut entries: Vec<&str> = entries.split(", ").collect();
            entries.sort_unstable();
            format!("{{{}}}", entries.join(", "))
        }
        _ => text,
    };
    Ok(row.into_iter().map(|value| value.map(sorted)).collect())
}
