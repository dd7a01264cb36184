//! What a cluster tells of itself, as a real Prometheus and a real receiver of OTLP see it, and the log of a job.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tidegate_integration_tests::clock::wait_until;
use tidegate_integration_tests::cluster::{Cluster, Setup};
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::services::variable;
use tidegate_integration_tests::telemetry::Prometheus;

const TIMEOUT: Duration = Duration::from_secs(40);

const SCRIPT: &str = "SET 'execution.checkpointing.interval' = '300 ms';
SET 'restart-strategy.type' = 'fixed-delay';
SET 'restart-strategy.fixed-delay.attempts' = '9';
SET 'restart-strategy.fixed-delay.delay' = '100 ms';
CREATE TABLE a (id BIGINT, k AS id % 5, ts AS TO_TIMESTAMP_LTZ(id, 3), WATERMARK FOR ts AS ts)
  WITH ('connector' = 'datagen', 'rows-per-second' = '500', 'fields.id.kind' = 'sequence', 'fields.id.start' = '1',
    'fields.id.end' = '100000000');
CREATE TABLE b (k BIGINT, c BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO b SELECT k, COUNT(*) FROM TABLE(TUMBLE(TABLE a, DESCRIPTOR(ts), INTERVAL '1' SECOND))
  GROUP BY window_start, window_end, k;";

/// A span as the receiver's log tells it.
#[derive(Debug, Default, Clone)]
struct Span {
    trace: String,
    parent: String,
    id: String,
    name: String,
    attributes: BTreeMap<String, String>,
}

/// The spans in the log of a receiver.
fn spans(text: &str) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for line in text.lines() {
        if line.starts_with("Span #") {
            spans.push(Span::default());
        }
        let Some(span) = spans.last_mut() else { continue };
        let value = |name: &str| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == name).then(|| value.trim().to_owned())
        };
        if let Some(trace) = value("Trace ID") {
            span.trace = trace;
        } else if let Some(parent) = value("Parent ID") {
            span.parent = parent;
        } else if let Some(id) = value("ID") {
            span.id = id;
        } else if let Some(name) = value("Name") {
            // What follows the spans of an export is of a metric.
            if span.name.is_empty() {
                span.name = name;
            }
        } else if let Some(attribute) = line.trim().strip_prefix("-> ")
            && let Some((key, value)) = attribute.split_once(": ")
        {
            let value = value.trim_start_matches("Str(").trim_end_matches(')');
            span.attributes.insert(key.to_owned(), value.to_owned());
        }
    }
    spans
}

/// Whether a snapshot belongs to a checkpoint: both are told when they are over, the checkpoint last, and one that
/// was given up not at all.
fn has_snapshot(spans: &[Span]) -> bool {
    let of = |snapshot: &Span| {
        let whole = |span: &Span| span.trace == snapshot.trace && span.id == snapshot.parent;
        spans.iter().any(|span| span.name == "checkpoint" && whole(span))
    };
    spans.iter().any(|span| span.name == "snapshot" && of(span))
}

#[test]
fn prometheus_and_a_receiver_of_otlp_see_what_a_cluster_does() -> Result<()> {
    let folder = CaseFolder::new("telemetry")?;
    let (prometheus, otlp) = (Prometheus::shared()?, variable("TIDEGATE_OTLP")?);
    let setup = Setup { otlp: Some(otlp), ..Setup::default() };
    let mut cluster = Cluster::start_with(folder.path(), 3, 1, setup)?;
    let case = format!("case-{}", std::process::id());
    prometheus.scrape(&case, cluster.metrics())?;
    let path = folder.join("told.sql");
    std::fs::write(&path, SCRIPT)?;
    let path = path.display().to_string();
    // The name tells this run's lines in the receiver's log from those of others.
    let job = format!("told-{}", std::process::id());
    cluster.client(&["job", "submit", &path, "--name", &job, "--parallelism", "2"])?;

    let is = |query: &str, wanted: &dyn Fn(f64) -> bool| {
        let query = query.replace("CASE", &format!("case=\"{case}\""));
        let mut last = None;
        wait_until(&query.clone(), TIMEOUT, || {
            last = prometheus.value(&query)?;
            Ok(last.is_some_and(wanted))
        })
        .with_context(|| format!("the last value was {last:?}"))
    };
    is("sum(up{CASE})", &|up| up == 6.0)?;
    is("sum(tidegate_coordinator_leader{CASE})", &|leaders| leaders == 1.0)?;
    is("sum(tidegate_workers{CASE,state=\"active\"})", &|workers| workers == 3.0)?;
    is("max(tidegate_run_checkpoint_number{CASE})", &|number| number > 3.0)?;
    is("sum(tidegate_worker_slots_used{CASE})", &|used| used == 2.0)?;
    let read = "sum(rate(tidegate_operator_records_out_total{CASE,operator=~\"Source.*\"}[10s]))";
    is(read, &|rate| rate > 250.0 && rate < 1_000.0)?;
    is("sum(tidegate_shuffle_sent_bytes_total{CASE})", &|bytes| bytes > 0.0)?;

    let busy = cluster.client(&["cluster", "status"])?;
    let workers = busy["workers"].as_array().context("no workers")?;
    let used = |worker: &&serde_json::Value| worker["usedSlots"] == 1;
    let name = workers.iter().find(used).and_then(|worker| worker["name"].as_str());
    let name = name.context("no worker runs anything")?.trim_start_matches("workers/").to_owned();
    cluster.kill(&name)?;
    is("sum(tidegate_run_restarts_total{CASE})", &|restarts| restarts >= 1.0)?;
    is("sum(tidegate_worker_slots_used{CASE})", &|used| used == 2.0)?;

    let mine = |span: &Span| {
        let of_run = span.attributes.values().any(|value| value.contains(&job));
        of_run || span.attributes.get("job").is_some_and(|name| name.ends_with(&job))
    };
    let mut seen: Vec<Span> = Vec::new();
    let wanted =
        ["submit", "plan", "schedule", "prepare", "deploy", "start tasks", "restore", "start"];
    let later = ["recover", "checkpoint", "write manifest", "snapshot"];
    wait_until("all spans have arrived", TIMEOUT, || {
        let text = std::fs::read_to_string(variable("TIDEGATE_OTLP_LOG")?)?;
        seen = spans(&text).into_iter().filter(mine).collect();
        let names: BTreeSet<&str> = seen.iter().map(|span| span.name.as_str()).collect();
        Ok(wanted.iter().chain(&later).all(|name| names.contains(name)) && has_snapshot(&seen))
    })
    .with_context(|| format!("there are {:?}", seen.iter().map(|s| &s.name).collect::<Vec<_>>()))?;
    let submit = seen.iter().find(|span| span.name == "submit").context("no submit")?;
    ensure!(submit.parent.is_empty(), "the call is the first of its trace: {submit:?}");
    let trace: Vec<&Span> = seen.iter().filter(|span| span.trace == submit.trace).collect();
    let ids: BTreeSet<&str> = trace.iter().map(|span| span.id.as_str()).collect();
    for name in wanted {
        let span = trace.iter().find(|span| span.name == name);
        let span = span.with_context(|| format!("{name} is in another trace than the call"))?;
        ensure!(name == "submit" || ids.contains(span.parent.as_str()), "no parent of {span:?}");
    }
    let starting = trace.iter().filter(|span| span.name == "start tasks");
    let workers: BTreeSet<_> = starting.filter_map(|span| span.attributes.get("worker")).collect();
    ensure!(workers.len() == 2, "tasks were started on two workers: {workers:?}");
    let log = cluster.client(&["job", "logs", &job])?;
    let lines = log["lines"].as_array().context("no lines")?;
    let says = |process: &str, what: &str| {
        lines.iter().any(|line| {
            let of = |field: &str| line[field].as_str().unwrap_or_default();
            of("process").starts_with(process) && of("message").contains(what)
        })
    };
    ensure!(says("coordinators/", "deploying"), "{log}");
    ensure!(says("coordinators/", "run failed; restarting"), "{log}");
    ensure!(says("workers/", "starting tasks"), "{log}");
    cluster.client(&["job", "cancel", &job])?;
    folder.succeed();
    Ok(())
}
