//! What real Flink answered, against what the planner derives: the columns of queries and the
//! types of expressions.

use std::path::Path;

use serde_json::Value;
use tidegate_types::{ErrorCode, Result};

use crate::{Planned, Session, parse_script};

fn recorded(name: &str) -> Vec<Value> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../integration-tests/flink/recorded");
    let text = std::fs::read_to_string(dir.join(name)).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    all["cases"].as_array().unwrap().clone()
}

/// The columns of the last query of a script, as Flink writes them.
fn columns(session: &mut Session, script: &str) -> Result<Vec<(String, String)>> {
    let mut columns = Vec::new();
    for statement in parse_script(script)? {
        if let Planned::Job(job) = session.plan(&statement)? {
            let fields = job.query.iter().flatten();
            columns = fields.map(|field| (field.name.clone(), field.ty.to_string())).collect();
        }
    }
    Ok(columns)
}

fn wanted(answer: &Value) -> Option<Vec<(String, String)>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let columns = answer["columns"].as_array()?;
    Some(columns.iter().map(|column| (text(&column["name"]), text(&column["type"]))).collect())
}

/// The attribute of a time column may stand before or behind NOT NULL.
fn normalized(columns: &[(String, String)]) -> Vec<(String, String)> {
    let normal = |ty: &str| match ty.split_once(" *") {
        Some((_, rest)) => {
            let (attribute, _) = rest.split_once('*').unwrap_or((rest, ""));
            format!("{} *{attribute}*", ty.replace(&format!(" *{attribute}*"), ""))
        }
        None => ty.to_owned(),
    };
    columns.iter().map(|(name, ty)| (name.clone(), normal(ty))).collect()
}

/// Queries over windows whose columns differ on purpose. Of a single value the sample's deviation is NULL,
/// also where no value is; Flink's type says that it is not.
const OTHER_COLUMNS: &[&str] = &["STDDEV and VAR"];

#[test]
fn queries_over_windows_have_the_columns_that_flink_answers() {
    let mut different = Vec::new();
    let mut checked = 0;
    for case in recorded("windows.json") {
        let mut session = Session::new(Default::default()).unwrap();
        let answers = case["answer"]["statements"].as_array().unwrap();
        for (statement, answer) in case["statements"].as_array().unwrap().iter().zip(answers) {
            let sql = statement.as_str().unwrap();
            match (columns(&mut session, sql), wanted(answer)) {
                (Ok(got), Some(wanted)) if !sql.starts_with("EXPLAIN") => {
                    checked += 1;
                    let known = OTHER_COLUMNS.iter().any(|known| case["name"] == *known);
                    if (normalized(&got) != normalized(&wanted)) != known {
                        different
                            .push(format!("{}\n  {sql}\n  {wanted:?}\n  {got:?}", case["name"]));
                    }
                }
                (Err(error), _)
                    if answer["ok"] == true && error.code() != ErrorCode::Unsupported =>
                {
                    different.push(format!("{}\n  {sql}\n  {error}", case["name"]));
                }
                _ => {}
            }
        }
    }
    assert!(checked > 80, "only {checked} queries were planned");
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// Flink names the resolution of an interval, the plan keeps months or milliseconds.
fn is_interval(got: &str, wanted: &str) -> bool {
    let nullable = |ty: &str| !ty.ends_with(" NOT NULL");
    got.starts_with("INTERVAL")
        && wanted.starts_with("INTERVAL")
        && nullable(got) == nullable(wanted)
}

/// Cases in which the planner differs, by a part of their text: forms that it does not read, and
/// arguments that Flink accepts and turns into NULL while the function here refuses them when the
/// plan is made, or says that they may be NULL.
const KNOWN: &[&str] = &[
    "-(-2147483648)",
    "'1' = 1",
    "BETWEEN SYMMETRIC",
    "TRUE = 'true'",
    "'abX' ESCAPE",
    "LPAD('hi', -1",
    "LPAD('hi', 4, '')",
    "RPAD('hi', -1",
    "RPAD('hi', 4, '')",
    "REGEXP_REPLACE('abc', '('",
    "SHA2('a', 100)",
    "JSON_",
    "e'a",
    "MICROSECOND FROM DATE",
    "NANOSECOND FROM DATE",
    "OVERLAPS",
    "[0]",
    "[-1]",
];

#[test]
fn expressions_have_the_types_that_flink_answers() {
    let mut different = Vec::new();
    let mut checked = 0;
    for case in recorded("expressions.json") {
        let (Some(sql), Some(ty)) = (case["sql"].as_str(), case["type"].as_str()) else {
            continue;
        };
        let mut session = Session::new(Default::default()).unwrap();
        let script = format!(
            "CREATE TABLE src (i INT, s STRING) WITH ('connector' = 'datagen'); SELECT {sql} FROM src"
        );
        match columns(&mut session, &script).map(|columns| columns.into_iter().next()) {
            // A constant is known not to be NULL even where the function's rule cannot say so.
            Ok(Some((_, got)))
                if got == ty
                    || is_interval(&got, ty)
                    || got.strip_suffix(" NOT NULL") == Some(ty) =>
            {
                checked += 1
            }
            _ if KNOWN.iter().any(|known| sql.contains(known)) => {}
            // Functions that do not exist yet are refused by name.
            Err(error) if error.to_string().contains("there is no function") => {}
            other => different.push(format!("{sql}\n  want {ty}\n  got  {other:?}")),
        }
    }
    assert!(checked > 1_300, "only {checked} expressions were planned");
    assert!(
        different.is_empty(),
        "{} of {}\n{}",
        different.len(),
        checked + different.len(),
        different.join("\n")
    );
}
