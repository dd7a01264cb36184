//! Replays Flink's recorded answers about tables that change: aggregates, joins, ranks, sets. The changes
//! are replayed strictly (what is taken back must be there) and must end in Flink's table, with its
//! columns and types; what Flink refuses must be refused. `flink/differences.txt` lists what differs.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;
use tidegate_integration_tests::compare::{Row, Shape, canonical_row, difference};
use tidegate_integration_tests::flink::{last_rows, plain_type, shape};
use tidegate_integration_tests::recorded::{self, text};
use tidegate_integration_tests::rows::{csv_row, json_row};
use tidegate_integration_tests::tidegate::Run;

const SECTIONS: &[&str] = &[
    "aggregates_more",
    "aggregation",
    "changelogs",
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
    "sinks",
    "stream_functions",
    "unnest",
    "version_joins",
    "window_joins",
    "windows",
];

#[test]
fn recorded_answers_about_changing_tables_are_met() -> Result<()> {
    recorded::check(SECTIONS, replay)
}

#[test]
fn recorded_answers_about_patterns_of_rows_are_met() -> Result<()> {
    recorded::check(&["patterns"], replay)
}

fn replay(case: &Value, name: &str, place: &Path) -> Result<()> {
    let statements: Vec<(&str, &Value)> = recorded::statements(case).collect();
    let ((query, answer), before) =
        statements.split_last().ok_or_else(|| anyhow!("no statements"))?;
    let mut script = recorded::settings(case);
    before.iter().for_each(|(statement, _)| script.push_str(&format!("{statement};\n")));
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
    if let Some(printed) = answer["printed"].as_array() {
        let wanted: Vec<&str> = printed.iter().filter_map(Value::as_str).collect();
        return compare_printed(&wanted, &run.stdout, printed_key(before))
            .with_context(|| run.command.clone());
    }
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

/// What the connector `print` wrote: the same changes, or changes that end in the same table. How many changes
/// there are depends on how many rows an operator gets at a time.
fn compare_printed(wanted: &[&str], stdout: &str, key: Option<usize>) -> Result<()> {
    let is_change =
        |line: &&str| ["+I[", "-U[", "+U[", "-D["].iter().any(|kind| line.starts_with(kind));
    let found: Vec<&str> = stdout.lines().filter(is_change).collect();
    let same = found == wanted || printed_table(&found, key)? == printed_table(wanted, key)?;
    ensure!(same, "Flink prints {wanted:?}, Tidegate {found:?}");
    Ok(())
}

/// The table that printed changes end in, by a key column or by whole rows.
fn printed_table(changes: &[&str], key: Option<usize>) -> Result<BTreeMap<String, i64>> {
    let mut rows: Vec<&str> = Vec::new();
    for change in changes {
        let (kind, row) = change.split_at_checked(2).context("a change has a kind")?;
        let is_same = |other: &&str| match key {
            None => *other == row,
            Some(key) => column(other, key) == column(row, key),
        };
        let place = rows.iter().position(is_same);
        match (kind, place) {
            ("-U" | "-D", Some(place)) => drop(rows.remove(place)),
            ("-U" | "-D", None) => bail!("{change} is taken back, but is not there: {changes:?}"),
            (_, Some(place)) if key.is_some() => rows[place] = row,
            _ => rows.push(row),
        }
    }
    let mut table = BTreeMap::new();
    rows.into_iter().for_each(|row| *table.entry(row.to_owned()).or_default() += 1);
    Ok(table)
}

fn column(row: &str, index: usize) -> Option<&str> {
    row.trim_matches(['[', ']']).split(", ").nth(index)
}

/// The column that is the key of the printed table, if it has one.
fn printed_key(statements: &[(&str, &Value)]) -> Option<usize> {
    let table = statements.iter().find(|(text, _)| text.contains("'connector'='print'"))?.0;
    let (columns, key) = table.split_once("PRIMARY KEY (")?;
    let key = key.split(')').next()?;
    let columns = columns.split_once('(')?.1;
    columns.split(',').position(|column| column.trim().starts_with(key))
}

fn needs_csv(column: &Value) -> bool {
    let ty = text(column, "type");
    ["TIMESTAMP_LTZ", "ARRAY", "MAP", "MULTISET", "ROW", "VARIANT", "BITMAP"]
        .iter()
        .any(|start| ty.starts_with(start))
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
            Some(rest)
                if ["+I\"", "-U\"", "+U\"", "-D\""].iter().any(|kind| rest.starts_with(kind)) =>
            {
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
