//! Replays Flink's recorded answers to statements about tables, databases and catalogs (SHOW, DESCRIBE, LIKE, AS, ALTER, …):
//! what they print is the same, row by row; what Flink refuses is refused; jobs fill their tables with
//! the same rows. `flink/differences.txt` lists what differs.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tidegate_integration_tests::recorded::{self, text};
use tidegate_integration_tests::tidegate::{Finished, Run};

#[test]
fn recorded_answers_to_statements_are_met() -> Result<()> {
    recorded::check(&["statements", "catalogs"], replay)
}

/// A script is planned as a whole: one that Flink refuses ends a script of its own, and the others
/// make one together.
fn replay(case: &Value, name: &str, place: &Path) -> Result<()> {
    let mut script = recorded::settings(case);
    let mut accepted = Vec::new();
    for (index, (statement, answer)) in recorded::statements(case).enumerate() {
        if answer["ok"] == true {
            script.push_str(&format!("{statement};\n"));
            accepted.push((statement, answer));
            continue;
        }
        let refused = format!("{script}{statement};\n");
        let run = run(&refused, &format!("{name}-{index}"), place)?;
        let why = text(&answer["error"], "message");
        run.failure(&["error ["]).with_context(|| format!("Flink refuses {statement}: {why}"))?;
    }
    let run = run(&script, name, place)?.success().context("Flink accepts it")?;
    let shown = run.stdout.replace(&place.display().to_string(), "${DIR}");
    compare(&accepted, &shown).with_context(|| format!("command: {}", run.command))
}

fn run(script: &str, name: &str, place: &Path) -> Result<Finished> {
    Run::new(place, name, script)?
        .define("DIR", &place.display().to_string())
        .parallelism(1)
        .option("format", "json")
        .finish()
}

/// The rows of answers come in their order, those of a union in any; the lines of jobs in any, beside them.
fn compare(answers: &[(&str, &Value)], stdout: &str) -> Result<()> {
    let (rows, printed): (Vec<&str>, Vec<&str>) =
        stdout.lines().partition(|line| line.starts_with('{'));
    let mut rows = rows.into_iter();
    let mut wanted_lines = Vec::new();
    for (statement, answer) in answers {
        let (mut wanted_rows, mut found_rows) = (Vec::new(), Vec::new());
        let columns: Vec<&Value> = list(answer, "columns").map(|column| &column["name"]).collect();
        for row in list(answer, "rows") {
            let line = rows.next().with_context(|| format!("there is no row for {row}"))?;
            let found: Value = serde_json::from_str(line)?;
            let values = row.as_array().into_iter().flatten().skip(1);
            let names = columns.iter().map(|name| plain(name));
            let wanted: BTreeMap<String, String> = names.zip(values.map(plain)).collect();
            let found = found.as_object().into_iter().flatten();
            let found: BTreeMap<String, String> =
                found.map(|(name, value)| (name.clone(), plain(value))).collect();
            wanted_rows.push(wanted);
            found_rows.push(found);
        }
        if statement.contains(" UNION ") {
            wanted_rows.sort();
            found_rows.sort();
        }
        for (wanted, found) in wanted_rows.iter().zip(&found_rows) {
            ensure!(found == wanted, "a row differs\n  Flink    {wanted:?}\n  Tidegate {found:?}");
        }
        wanted_lines.extend(list(answer, "printed").map(text_of));
    }
    if let Some(row) = rows.next() {
        bail!("a row is too much: {row}");
    }
    let (wanted, found) = (fold(&wanted_lines)?, fold(&printed)?);
    ensure!(wanted == found, "the tables differ\n  Flink    {wanted:?}\n  Tidegate {found:?}");
    Ok(())
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

/// A value as Flink prints it; NULL and the empty text are not told apart.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The table that lines of the connector `print` end in.
fn fold<'a>(lines: &[&'a str]) -> Result<BTreeMap<&'a str, i64>> {
    let mut table = BTreeMap::new();
    for line in lines {
        let (kind, row) = line.split_at_checked(2).unwrap_or(("", line));
        let count: &mut i64 = table.entry(row).or_default();
        match kind {
            "+I" | "+U" => *count += 1,
            "-U" | "-D" => *count -= 1,
            _ => bail!("this is no line of print: {line}"),
        }
        ensure!(*count >= 0, "{line} takes back what is not there");
    }
    table.retain(|_, count| *count > 0);
    Ok(table)
}
