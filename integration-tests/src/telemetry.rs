//! A real Prometheus and a real receiver of OTLP, as tests ask them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::services::variable;

const TIMEOUT: Duration = Duration::from_secs(5);

/// A Prometheus that scrapes what it is told to.
pub struct Prometheus {
    address: String,
    targets: PathBuf,
}

impl Prometheus {
    /// The one that runs.
    ///
    /// # Errors
    /// If it is not up.
    pub fn shared() -> Result<Self> {
        let targets = variable("TIDEGATE_PROMETHEUS_TARGETS")?.into();
        Ok(Self { address: variable("TIDEGATE_PROMETHEUS")?, targets })
    }

    /// From now on it scrapes these addresses, each with a label `process` of its name and one `case`.
    ///
    /// # Errors
    /// If the file of targets cannot be written.
    pub fn scrape(&self, case: &str, processes: &BTreeMap<String, String>) -> Result<()> {
        let target = |(name, address): (&String, &String)| json!({"targets": [address], "labels": {"process": name, "case": case}});
        let all: Vec<Value> = processes.iter().map(target).collect();
        let new = self.targets.with_extension("new");
        fs::write(&new, serde_json::to_string(&all)?)?;
        fs::rename(&new, &self.targets).context("write the file of targets")
    }

    /// The values of a query, with their labels.
    ///
    /// # Errors
    /// If it is not a query.
    pub fn query(&self, query: &str) -> Result<Vec<(Value, f64)>> {
        let mut body = String::new();
        for byte in query.bytes() {
            body.push_str(&format!("%{byte:02X}"));
        }
        let (status, answer) = get(&self.address, &format!("/api/v1/query?query={body}"))?;
        ensure!(status == 200, "{query}: {answer}");
        let answer: Value = serde_json::from_str(&answer)?;
        let results = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        let value = |result: &Value| {
            let number = result["value"][1].as_str()?.parse().ok()?;
            Some((result["metric"].clone(), number))
        };
        Ok(results.iter().filter_map(value).collect())
    }

    /// The one value of a query; none while it has none.
    ///
    /// # Errors
    /// If it is not a query, or has several values.
    pub fn value(&self, query: &str) -> Result<Option<f64>> {
        let values = self.query(query)?;
        ensure!(values.len() < 2, "{query} has {} values", values.len());
        Ok(values.first().map(|(_, value)| *value))
    }
}

/// A page by HTTP: status and body.
///
/// # Errors
/// If nobody answers.
pub fn get(address: &str, path: &str) -> Result<(u16, String)> {
    let mut stream =
        TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    // Version 1.0: the body ends with the connection, and is not sent in pieces.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text)?;
    let text = String::from_utf8(text)?;
    let (head, body) = text.split_once("\r\n\r\n").context("an answer without a body")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.context("an answer without a status")?, body.to_owned()))
}
