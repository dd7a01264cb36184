//! What real Flink answered to expressions and casts: their types, their values, and what fails.
//!
//! What differs stands in `integration-tests/flink/expression_differences.txt`, with its reason; what is
//! listed there and agrees all the same is a failure, too.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::Value;

use super::evaluation::{Answer, Rows, evaluate};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../integration-tests/flink")
}

/// The sections whose cases are expressions.
pub(super) const SECTIONS: &[&str] = &[
    "expressions",
    "casts",
    "text_functions",
    "time_functions",
    "collection_functions",
    "json_functions",
    "number_functions",
    "other_functions",
    "casts_more",
    "decimals",
    "more_functions",
];

/// The cases of a section.
pub(super) fn recorded(section: &str) -> Vec<Value> {
    let path = folder().join(format!("recorded/{section}.json"));
    let text = std::fs::read_to_string(path).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    all["cases"].as_array().unwrap().clone()
}

/// Known differences of a section.
#[derive(Default)]
pub(super) struct Known {
    /// Cases with their reasons, and whether they were seen.
    cases: BTreeMap<String, (String, bool)>,
    /// Parts of cases (`~part`), for what concerns many; whether some case with it differs.
    parts: BTreeMap<String, (String, bool)>,
}

/// What is known to differ in a section.
pub(super) fn known_differences(section: &str) -> Known {
    Known::of(section)
}

/// A case as it is listed: the expression, and the values of its settings.
fn name_of(case: &Value) -> String {
    let mut name = case["sql"].as_str().unwrap().replace('\n', "⏎");
    if let Some(settings) = case["settings"].as_object() {
        let settings: Vec<&str> = settings.values().filter_map(Value::as_str).collect();
        write!(name, " [{}]", settings.join(", ")).unwrap();
    }
    name
}

impl Known {
    fn of(section: &str) -> Self {
        let text = std::fs::read_to_string(folder().join("expression_differences.txt")).unwrap();
        let mut known = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (of, rest) = line.split_once(" | ").unwrap();
            let (case, reason) = rest.rsplit_once(" | ").unwrap();
            let entry = (reason.to_owned(), false);
            if of == section {
                let before = match case.strip_prefix('~') {
                    Some(part) => known.parts.insert(part.to_owned(), entry),
                    None => known.cases.insert(case.to_owned(), entry),
                };
                assert_eq!(before, None, "listed twice: {line}");
            }
        }
        known
    }

    /// Whether a difference of this case is known.
    fn has(&mut self, case: &str) -> bool {
        if let Some((_, seen)) = self.cases.get_mut(case) {
            *seen = true;
            return true;
        }
        match self.parts.iter_mut().find(|(part, _)| case.contains(part.as_str())) {
            Some((_, (_, seen))) => {
                *seen = true;
                true
            }
            None => false,
        }
    }

    /// A case's name, and why it differs if it does (nothing else).
    pub(super) fn reasons(&mut self, case: &Value) -> (String, String) {
        let name = name_of(case);
        let listed = self.cases.get(&name).or_else(|| {
            let mut parts = self.parts.iter();
            parts.find(|(part, _)| name.contains(part.as_str())).map(|(_, entry)| entry)
        });
        let reasons = listed.map(|(reason, _)| reason.clone()).unwrap_or_default();
        (name, reasons)
    }

    fn unused(&self) -> Vec<&str> {
        let all = self.cases.iter().chain(&self.parts);
        all.filter(|(_, (_, seen))| !*seen).map(|(case, _)| case.as_str()).collect()
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// What is different, or nothing.
fn judge(case: &Value) -> Option<String> {
    let sql = case["sql"].as_str().unwrap();
    let settings: Vec<(String, String)> = case["settings"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()))
        .collect();
    let texts: Vec<Option<String>> =
        case["strings"].as_array().into_iter().flatten().map(text).collect();
    let rows = match (case["strings"].is_array(), case["from"].as_str()) {
        (true, _) => Rows::Texts(&texts),
        (_, Some(from)) => Rows::From(from),
        _ => Rows::One,
    };
    let refused = case["error"]["when"].as_str();
    let got = match evaluate(sql, &rows, &settings) {
        Ok(got) => got,
        // What fails in Flink when it runs may be refused earlier here.
        Err(_) if refused.is_some() => return None,
        Err(error) => return Some(format!("refused: {error}")),
    };
    if refused == Some("validate") {
        return Some(format!("accepted as {}: {:?}", got.ty, got.values));
    }
    differs(case, &got)
}

fn differs(case: &Value, got: &Answer) -> Option<String> {
    let ty = case["type"].as_str().unwrap_or_default();
    if got.ty.to_string() != ty {
        return Some(format!("the type is {}, not {ty}; {:?}", got.ty, got.values));
    }
    let values = match &got.values {
        Ok(values) => values,
        Err(_) if case["error"]["when"] == "run" => return None,
        Err(error) => return Some(format!("fails: {error}")),
    };
    if case["error"]["when"] == "run" {
        return Some(format!("does not fail: {values:?}"));
    }
    let wanted: Vec<Option<String>> = match case["values"].as_array() {
        Some(values) => values.iter().map(text).collect(),
        None => vec![text(&case["value"])],
    };
    let is_map = got.ty.to_string().contains("MAP<");
    let same = |got: &Option<String>, wanted: &Option<String>| match (got, wanted) {
        (Some(got), Some(wanted)) if is_map => unordered(got) == unordered(wanted),
        _ => got == wanted,
    };
    let pairs = values.iter().zip(&wanted).enumerate();
    let other = pairs.filter(|(_, (got, wanted))| !same(got, wanted));
    let shown: Vec<String> = other
        .map(|(row, (got, wanted))| match case["strings"].get(row) {
            Some(input) => format!("{input}: {got:?}, not {wanted:?}"),
            None => format!("{row}: {got:?}, not {wanted:?}"),
        })
        .collect();
    (!shown.is_empty() || values.len() != wanted.len()).then(|| shown.join("; "))
}

/// The entries of a map stand in the order of Java's hash table: here sorted.
fn unordered(text: &str) -> Vec<&str> {
    let separators = |c| matches!(c, ',' | '{' | '}' | '(' | ')' | '[' | ']');
    let mut parts: Vec<&str> = text.split(separators).map(str::trim_start).collect();
    parts.sort_unstable();
    parts
}

/// Compares a section, at least `least` cases of which must agree.
fn compare(section: &str, least: usize) {
    let mut known = Known::of(section);
    let mut wrong = String::new();
    let (mut count, mut agree) = (0, 0);
    for case in recorded(section) {
        let name = name_of(&case);
        match judge(&case) {
            None => agree += 1,
            Some(_) if known.has(&name) => {}
            Some(different) => {
                count += 1;
                writeln!(wrong, "{section} | {name} | {different}").unwrap();
            }
        }
    }
    for case in known.unused() {
        count += 1;
        writeln!(wrong, "{section} | {case} | agrees, although it is listed").unwrap();
    }
    println!("{section}: {agree} agree");
    if let Ok(path) = std::env::var("RECORDED_REPORT") {
        std::fs::write(format!("{path}/{section}.txt"), &wrong).unwrap();
    }
    assert!(wrong.is_empty(), "{count} differ:\n{wrong}");
    assert!(agree >= least, "only {agree} cases of {section} agree");
}

#[test]
fn expressions() {
    compare("expressions", 1_400);
}

#[test]
fn casts() {
    compare("casts", 1_000);
}

#[test]
fn functions_of_texts() {
    compare("text_functions", 400);
}

#[test]
fn functions_of_time() {
    compare("time_functions", 400);
}

#[test]
fn functions_of_collections() {
    compare("collection_functions", 300);
}

#[test]
fn functions_of_json() {
    compare("json_functions", 300);
}

#[test]
fn functions_of_numbers() {
    compare("number_functions", 300);
}

#[test]
fn other_functions() {
    compare("other_functions", 300);
}

#[test]
fn casts_of_columns() {
    compare("casts_more", 300);
}

#[test]
fn decimals() {
    compare("decimals", 300);
}

#[test]
fn more_functions() {
    compare("more_functions", 150);
}
