//! Flink's recorded answers: cases of `flink/recorded/<section>.json`, replayed one by one. The list
//! `flink/differences.txt` says which differ, and why; a case that agrees all the same is a failure, so
//! that the list stays true. A reason that begins with "not yet" is about what must be refused, one that
//! begins with "by the clock" about what is not judged.
//!
//! Not here: how a section is replayed and compared (the tests).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use crate::folder::CaseFolder;
use crate::tidegate::binary;

/// Cases at a time.
const THREADS: usize = 2;

/// One recorded question with its answer.
struct Case {
    section: String,
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

/// Replays all cases of some sections. `replay` gets the recorded case, a name for its files, and a
/// folder that holds the case's input files; it fails where Tidegate differs.
///
/// # Errors
/// With all cases that differ without being listed, or are listed without differing.
pub fn check(
    sections: &[&str],
    replay: impl Fn(&Value, &str, &Path) -> Result<()> + Sync,
) -> Result<()> {
    // Or every excuse would seem to be needed.
    binary()?;
    let cases = read_cases(sections)?;
    let folder = CaseFolder::new("recorded")?;
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let name = format!("{}-{:03}", case.section, case.index);
                    if let Err(error) = judge(case, &name, &folder.join(&name), &replay) {
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

/// The statements of a case, each with its answer.
pub fn statements(case: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let statements = case["statements"].as_array().into_iter().flatten().filter_map(Value::as_str);
    statements.zip(case["answer"]["statements"].as_array().into_iter().flatten())
}

/// The settings of a case as the first statements of a script.
pub fn settings(case: &Value) -> String {
    let mut script = String::from("SET 'table.local-time-zone' = 'UTC';\n");
    for (key, value) in case["settings"].as_object().into_iter().flatten() {
        script.push_str(&format!("SET '{key}' = '{}';\n", value.as_str().unwrap_or_default()));
    }
    script
}

/// A text of an object; empty if it has none of that name.
pub fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn read_cases(sections: &[&str]) -> Result<Vec<Case>> {
    let flink = Path::new(env!("CARGO_MANIFEST_DIR")).join("flink");
    let mut differences = read_differences(&flink.join("differences.txt"))?;
    let mut cases = Vec::new();
    for section in sections {
        let text = std::fs::read_to_string(flink.join(format!("recorded/{section}.json")))?;
        let mut recorded: Value = serde_json::from_str(&text)?;
        let Value::Array(all) = recorded["cases"].take() else { bail!("{section} has no cases") };
        for (index, recorded) in all.into_iter().enumerate() {
            let key = (section.to_string(), recorded["name"].to_string().replace('"', ""));
            let reason = differences.remove(&key);
            cases.push(Case { section: section.to_string(), index, recorded, reason });
        }
    }
    differences.retain(|(section, _), _| {
        sections.contains(&section.as_str())
            || !flink.join(format!("recorded/{section}.json")).is_file()
    });
    ensure!(differences.is_empty(), "no cases have these names: {:?}", differences.keys());
    Ok(cases)
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

fn judge(
    case: &Case,
    name: &str,
    place: &Path,
    replay: &impl Fn(&Value, &str, &Path) -> Result<()>,
) -> Result<()> {
    std::fs::create_dir_all(place)?;
    for (file, content) in case.recorded["files"].as_object().into_iter().flatten() {
        let path = place.join(file);
        path.parent().map(std::fs::create_dir_all).transpose()?;
        std::fs::write(path, content.as_str().unwrap_or_default())?;
    }
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
