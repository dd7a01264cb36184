//! Jobs that share a worker: one that outgrows its memory goes to disk, one that cannot do that either fails by itself,
//! and a third notices nothing of both.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tidegate_integration_tests::clock::wait_until;
use tidegate_integration_tests::cluster::{Cluster, Setup};
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::services::variable;
use tidegate_integration_tests::telemetry::get;

const TIMEOUT: Duration = Duration::from_secs(60);

/// Every row is a group of its own in a window that stays open, so state only grows.
fn growing(more: &str) -> String {
    format!(
        "SET 'execution.checkpointing.interval' = '500 ms';
SET 'taskmanager.memory.managed.size' = '2 mb';
{more}
CREATE TABLE a (id BIGINT, ts AS TO_TIMESTAMP_LTZ(id, 3), WATERMARK FOR ts AS ts)
  WITH ('connector' = 'datagen', 'rows-per-second' = '60000', 'fields.id.kind' = 'sequence', 'fields.id.start' = '1',
    'fields.id.end' = '80000000');
CREATE TABLE b (id BIGINT, c BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO b SELECT id, COUNT(*) FROM TABLE(TUMBLE(TABLE a, DESCRIPTOR(ts), INTERVAL '1' DAY))
  GROUP BY window_start, window_end, id;"
    )
}

const CALM: &str = "SET 'execution.checkpointing.interval' = '200 ms';
CREATE TABLE a (x INT) WITH ('connector' = 'datagen', 'rows-per-second' = '100');
CREATE TABLE b (x INT) WITH ('connector' = 'blackhole');
INSERT INTO b SELECT x FROM a;";

fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0)
}

/// The sum of a metric over a job's operators.
fn metric(address: &str, name: &str, job: &str) -> Result<f64> {
    let (_, text) = get(address, "/metrics")?;
    let of_job = format!("{name}{{job=\"projects/default/jobs/{job}\"");
    let values = text.lines().filter(|line| line.starts_with(&of_job));
    let values = values.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    Ok(values.sum())
}

#[test]
fn a_job_that_outgrows_its_memory_spills_or_fails_alone() -> Result<()> {
    let folder = CaseFolder::new("memory")?;
    let setup = Setup { otlp: Some(variable("TIDEGATE_OTLP")?), ..Setup::default() };
    let cluster = Cluster::start_with(folder.path(), 1, 3, setup)?;
    let blocked = folder.join("no-folder");
    std::fs::write(&blocked, "")?;
    let cannot = format!(
        "SET 'restart-strategy.type' = 'none';\nSET 'io.tmp.dirs' = '{}/below';",
        blocked.display()
    );
    for (name, script) in
        [("calm", CALM.to_owned()), ("spills", growing("")), ("cannot", growing(&cannot))]
    {
        let path = folder.join(&format!("{name}.sql"));
        std::fs::write(&path, script)?;
        let path = path.display().to_string();
        cluster.client(&["job", "submit", &path, "--name", name])?;
    }
    let calm = cluster.run("calm")?;
    let failed = cluster.wait_for("cannot", "FAILED", TIMEOUT)?;
    let why = failed["lastFailure"]["message"].as_str().unwrap_or_default();
    ensure!(why.contains(&blocked.display().to_string()), "the failure does not say where: {why}");

    let worker = cluster.metrics().get("worker-1").context("the worker serves no metrics")?;
    wait_until("state is on disk", TIMEOUT, || {
        Ok(metric(worker, "tidegate_operator_spilled_bytes", "spills")? > 4e6)
    })?;
    let state = metric(worker, "tidegate_operator_state_bytes", "spills")?;
    ensure!(state < 8e6, "{state} bytes are in memory, with a budget of 2 MB");
    for name in ["spills", "calm"] {
        let before = cluster.run(name)?;
        wait_until("checkpoints go on", TIMEOUT, || {
            let now = cluster.run(name)?;
            ensure!(now["attempt"] == before["attempt"], "it was started again: {now}");
            let newest = |run: &Value| number(&run["latestCheckpoint"]["number"]);
            Ok(now["state"] == "RUNNING" && newest(&now) > newest(&before) + 2)
        })?;
    }
    ensure!(cluster.run("calm")?["attempt"] == calm["attempt"], "the calm job has noticed");
    folder.succeed();
    Ok(())
}
