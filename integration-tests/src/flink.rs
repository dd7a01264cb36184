//! Real Flink, one process per test binary, asked through `flink/run.sh` (its protocol is in
//! `flink/README.md`).

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::{Value, json};

use crate::compare::{Row, Shape};

/// Longest wait for the process to be ready, which may compile the oracle first.
const START: Duration = Duration::from_secs(120);
/// Longest wait for an answer.
const ANSWER: Duration = Duration::from_secs(180);

struct Oracle {
    // Its standard input closes with this process, which ends it.
    _child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    asked: u64,
}

static ORACLE: Mutex<Option<Oracle>> = Mutex::new(None);

/// A script for Flink: statements, settings, and files that statements name as `${DIR}/…`.
#[derive(Debug, Default)]
pub struct Script {
    /// Configuration.
    pub settings: Vec<(String, String)>,
    /// Relative path and content.
    pub files: Vec<(String, String)>,
    /// SQL, one statement each.
    pub statements: Vec<String>,
}

/// Runs a script; for each statement its rows (none for DDL), or why Flink refuses it.
///
/// # Errors
/// If Flink cannot be started or does not answer.
pub fn run(script: &Script) -> Result<Vec<Result<Vec<Row>, String>>> {
    let map = |pairs: &[(String, String)]| -> Value {
        pairs.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect()
    };
    let answer = ask(json!({
        "op": "script",
        "settings": map(&script.settings),
        "files": map(&script.files),
        "statements": script.statements,
        "keep_going": true,
        "timeout_ms": 120_000,
    }))?;
    let results =
        answer["statements"].as_array().ok_or_else(|| anyhow!("Flink answers {answer}"))?;
    let timely = answer["timeout"] != true && results.len() == script.statements.len();
    ensure!(timely, "Flink gave up: {answer}");
    let outcome = |result: &Value| -> Result<Result<Vec<Row>, String>> {
        if result["ok"] != true {
            return Ok(Err(result["error"]["message"].to_string()));
        }
        let rows = result["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
        last_rows(rows).map(Ok)
    };
    results.iter().map(outcome).collect()
}

/// Flink's rows without those that it takes back later, in order; each begins with its kind.
///
/// # Errors
/// If one is no row, or takes back what is not there.
pub fn last_rows(rows: &[Value]) -> Result<Vec<Row>> {
    let mut kept: Vec<Option<Row>> = Vec::new();
    let mut places: HashMap<Row, Vec<usize>> = HashMap::new();
    for value in rows {
        let fields = value.as_array().and_then(|fields| fields.split_first());
        let (kind, fields) = fields.ok_or_else(|| anyhow!("Flink's row is {value}"))?;
        let row: Row = fields.iter().map(|field| field.as_str().map(str::to_owned)).collect();
        match kind.as_str() {
            Some("+I" | "+U") => {
                places.entry(row.clone()).or_default().push(kept.len());
                kept.push(Some(row));
            }
            Some("-U" | "-D") => {
                let place = places.get_mut(&row).and_then(Vec::pop);
                kept[place.ok_or_else(|| anyhow!("Flink takes back {value}"))?] = None;
            }
            _ => bail!("Flink's row is {value}"),
        }
    }
    Ok(kept.into_iter().flatten().collect())
}

/// Types without what DESCRIBE shows otherwise than TYPEOF does: time attributes.
pub fn plain_type(ty: &str) -> String {
    ty.replace(" *ROWTIME*", "")
        .replace(" *PROCTIME*", "")
        .replace(" NOT NULL", "!")
        .replace(' ', "")
}

/// How values of a type that TYPEOF prints are written.
pub fn shape(ty: &str) -> Shape {
    let starts = |starts: &[&str]| starts.iter().any(|start| ty.starts_with(start));
    match () {
        () if starts(&["TIMESTAMP"]) => Shape::Timestamp,
        () if starts(&["DECIMAL"]) => Shape::Decimal,
        () if starts(&["DOUBLE", "FLOAT"]) => Shape::Float,
        () if starts(&["BOOLEAN"]) => Shape::Boolean,
        () if starts(&["TINYINT", "SMALLINT", "INT", "BIGINT"]) && !starts(&["INTERVAL"]) => {
            Shape::Integer
        }
        () => Shape::Text,
    }
}

fn ask(mut request: Value) -> Result<Value> {
    let mut guard = ORACLE.lock().unwrap_or_else(PoisonError::into_inner);
    let oracle = match guard.as_mut() {
        Some(oracle) => oracle,
        None => guard.insert(start()?),
    };
    oracle.asked += 1;
    request["id"] = oracle.asked.into();
    let answer = writeln!(oracle.input, "{request}")
        .and_then(|()| oracle.input.flush())
        .context("ask Flink")
        .and_then(|()| oracle.lines.recv_timeout(ANSWER).context("Flink does not answer"));
    let answer = match answer {
        Ok(line) => serde_json::from_str::<Value>(&line)?,
        Err(error) => {
            // The next one to ask gets a new process.
            *guard = None;
            return Err(error);
        }
    };
    ensure!(answer["id"] == request["id"], "Flink answers another question: {answer}");
    Ok(answer)
}

fn start() -> Result<Oracle> {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/flink/run.sh");
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .with_context(|| format!("start {program}"))?;
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        bail!("{program} has no pipes");
    };
    let (sender, lines) = sync_channel(1);
    std::thread::Builder::new().name("flink".to_owned()).spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    })?;
    let ready = lines.recv_timeout(START).with_context(|| {
        format!(
            "{program} does not get ready; run through `cargo xtask test`, which installs Flink"
        )
    })?;
    ensure!(ready.contains("\"ready\":true"), "{program} says {ready}");
    Ok(Oracle { _child: child, input, lines, asked: 0 })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::last_rows;

    #[test]
    fn rows_that_are_taken_back_do_not_count() {
        let rows = [json!(["+I", "a", "1"]), json!(["+I", "b", null]), json!(["-U", "a", "1"])];
        let text = |text: &str| Some(text.to_owned());
        let kept = last_rows(&[rows.as_slice(), &[json!(["+U", "a", "2"])]].concat()).unwrap();
        assert_eq!(kept, [vec![text("b"), None], vec![text("a"), text("2")]]);
        assert!(last_rows(&[json!(["-D", "a"])]).is_err());
        assert!(last_rows(&[json!(["a"])]).is_err());
    }
}
