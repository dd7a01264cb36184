//! The same query within one worker process and across two.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;

use super::Bench;
use crate::bench::nexmark::Query;

/// Rounds, of which the best counts.
const ROUNDS: u32 = 2;

/// A query and its figures.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    query: &'static str,
    events: u64,
    /// Events per second in one process, and across two.
    within: f64,
    across: f64,
    /// Across by within.
    ratio: f64,
}

/// Each shuffles by key.
const QUERIES: [Query; 3] = [Query::Tumble, Query::Hop, Query::Session];

pub(super) fn text(all: &[Figures]) -> String {
    let line = |one: &Figures| {
        format!(
            "{:<8} across two workers {:.2} million events/s, within one {:.2}: {:.0} %\n",
            one.query,
            one.across / 1e6,
            one.within / 1e6,
            one.ratio * 100.0
        )
    };
    all.iter().map(line).collect()
}

impl Bench<'_> {
    pub(super) fn exchange(&self) -> Result<Vec<Figures>> {
        let mut figures = Vec::new();
        let best = |name: &str, workers: u8, slots: u32| -> Result<Vec<f64>> {
            let cluster = self.cluster(name, workers, slots)?;
            let mut rates = vec![0.0_f64; QUERIES.len()];
            for round in 0..ROUNDS {
                for (rate, query) in rates.iter_mut().zip(QUERIES) {
                    let job = format!("{}-{round}", query.name());
                    let script = query.script(self.project)?;
                    let script = script.replace("${EVENTS}", &self.events.to_string());
                    self.submit(&cluster, &job, 2, &script)?;
                    self.wait(&cluster, &job, |run| run.state == "FINISHED")?;
                    let answer = cluster.client.ask(&["job", "describe", &job])?;
                    *rate = rate.max(self.events as f64 / seconds(&answer["latestRun"])?);
                    self.pause(Duration::from_millis(500))?;
                }
            }
            Ok(rates)
        };
        let within = best("within", 1, 2)?;
        let across = best("across", 2, 1)?;
        for (query, (within, across)) in QUERIES.into_iter().zip(within.into_iter().zip(across)) {
            let ratio = across / within;
            let query = query.name();
            figures.push(Figures { query, events: self.events, within, across, ratio });
        }
        Ok(figures)
    }
}

/// From the moment at which a run ran to its end.
fn seconds(run: &Value) -> Result<f64> {
    let time = |name: &str| -> Result<f64> {
        let text = run[name].as_str().with_context(|| format!("a run without {name}"))?;
        let time = chrono::DateTime::parse_from_rfc3339(text)
            .with_context(|| format!("{text} is no time"))?;
        Ok(time.timestamp_millis() as f64 / 1e3)
    };
    Ok(time("endTime")? - time("startTime")?)
}
