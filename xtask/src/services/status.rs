//! What is installed and what runs: as a table for people, as JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Serialize;

use super::Service;
use super::record::Instance;
use crate::project::Project;

/// Where a service stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// Its process runs and answers its protocol.
    Running,
    /// Its process runs, but does not answer.
    Silent,
    /// It should be up, but its process has ended.
    Dead,
    /// Installed, not up; for a library that is all there is.
    Installed,
    /// Not in the cache.
    Absent,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    version: &'static str,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    ports: BTreeMap<String, u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<PathBuf>,
}

/// The status of these services as text; `json` makes it one JSON array.
pub(crate) fn report(
    project: &Project,
    services: &[&'static dyn Service],
    json: bool,
) -> Result<String> {
    let rows =
        services.iter().map(|service| row(project, *service)).collect::<Result<Vec<Row>>>()?;
    if json {
        return serde_json::to_string_pretty(&rows).context("encode the status");
    }
    Ok(table(&rows))
}

fn row(project: &Project, service: &'static dyn Service) -> Result<Row> {
    let instance = Instance::load(project, service)?;
    let state = match (&instance, service.server()) {
        (Some(instance), Some(server)) if instance.alive() => match server.probe(instance) {
            Ok(()) => State::Running,
            Err(_) => State::Silent,
        },
        (Some(_), _) => State::Dead,
        (None, _) if service.installed(project) => State::Installed,
        (None, _) => State::Absent,
    };
    Ok(Row {
        name: service.name(),
        version: service.version(),
        state,
        pid: instance.as_ref().filter(|i| i.alive()).and_then(|i| i.process).map(|p| p.pid),
        ports: instance.as_ref().map(|i| i.ports().clone()).unwrap_or_default(),
        log: instance.as_ref().map(Instance::log),
    })
}

fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    let mut line = |name: &str, version: &str, state: &str, pid: &str, ports: &str| {
        let padded = format!("{name:<8} {version:<8} {state:<10} {pid:>8}  {ports}");
        writeln!(text, "{}", padded.trim_end()).expect("writing to a string cannot fail");
    };
    line("SERVICE", "VERSION", "STATE", "PID", "PORTS");
    for row in rows {
        let state = format!("{:?}", row.state).to_lowercase();
        let pid = row.pid.map(|pid| pid.to_string()).unwrap_or_default();
        let ports: Vec<String> =
            row.ports.iter().map(|(name, port)| format!("{name}={port}")).collect();
        line(row.name, row.version, &state, &pid, &ports.join(" "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_as_table_and_as_json() {
        let row = Row {
            name: "kafka",
            version: "4.3.1",
            state: State::Running,
            pid: Some(7),
            ports: BTreeMap::from([("plain".to_owned(), 20_001)]),
            log: None,
        };
        let json = serde_json::to_string(&row).unwrap();
        assert!(json.contains(r#""state":"running","pid":7,"ports":{"plain":20001}"#), "{json}");
        let text = table(&[row]);
        assert!(text.ends_with("kafka    4.3.1    running           7  plain=20001\n"), "{text}");
    }
}
