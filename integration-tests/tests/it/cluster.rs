//! A cluster of three coordinators and three workers: a job goes on when the leader, workers and its parallelism
//! change, and in the end every record is there once.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tidegate_integration_tests::clock::{pause, wait_until};
use tidegate_integration_tests::cluster::Cluster;
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::rows::json_folder;
use tidegate_integration_tests::tidegate::heavy;

const RECORDS: i64 = 40_000;
const PER_SECOND: i64 = 1_500;
const KEYS: i64 = 7;

/// Numbers that go on as they are, and counts of them by key in windows that are all open to the end: both need the
/// state and the output of every run to fit together.
fn script(folder: &CaseFolder) -> String {
    format!(
        "SET 'execution.checkpointing.interval' = '300 ms';
SET 'restart-strategy.type' = 'fixed-delay';
SET 'restart-strategy.fixed-delay.attempts' = '100';
SET 'restart-strategy.fixed-delay.delay' = '200 ms';
CREATE TABLE numbers (id BIGINT, k AS id % {KEYS}, ts AS TO_TIMESTAMP_LTZ(id, 3),
  WATERMARK FOR ts AS ts - INTERVAL '1' HOUR)
  WITH ('connector' = 'datagen', 'rows-per-second' = '{PER_SECOND}', 'fields.id.kind' = 'sequence',
    'fields.id.start' = '1', 'fields.id.end' = '{RECORDS}');
CREATE TABLE passed (id BIGINT) WITH ('connector' = 'filesystem', 'path' = '{0}/passed', 'format' = 'json');
CREATE TABLE counted (k BIGINT, c BIGINT, s BIGINT)
  WITH ('connector' = 'filesystem', 'path' = '{0}/counted', 'format' = 'json');
EXECUTE STATEMENT SET BEGIN
INSERT INTO passed SELECT id FROM numbers;
INSERT INTO counted SELECT k, COUNT(*), SUM(id)
  FROM TABLE(TUMBLE(TABLE numbers, DESCRIPTOR(ts), INTERVAL '1' DAY)) GROUP BY window_start, window_end, k;
END;
",
        folder.text()
    )
}

fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0)
}

/// Waits until a run has completed more checkpoints than now.
fn further(cluster: &Cluster, checkpoints: u64) -> Result<Value> {
    let newest = |run: &Value| number(&run["latestCheckpoint"]["number"]);
    let before = newest(&cluster.run("numbers")?);
    let mut run = Value::Null;
    wait_until("more checkpoints", Duration::from_secs(60), || {
        run = cluster.run("numbers")?;
        ensure!(run["state"] != "FAILED" && run["state"] != "FINISHED", "too early an end: {run}");
        Ok(newest(&run) >= before + checkpoints)
    })?;
    Ok(run)
}

/// The version that runs keeps everything of its savepoint; one that counts by another key would not, and is told why.
fn check_state(cluster: &Cluster, folder: &CaseFolder) -> Result<()> {
    let report = cluster.client(&["job", "check", "numbers", "--from-savepoint", "half"])?;
    let operators = report["operators"].as_array().context("operators")?;
    let kept = operators.iter().all(|operator| operator["fate"] == "KEPT");
    ensure!(report["fits"] == true && kept && operators.len() >= 3, "{report}");
    let edited = folder.join("edited.sql");
    std::fs::write(&edited, script(folder).replace("numbers", "others"))?;
    let edited = edited.display().to_string();
    let arguments = ["job", "check", "numbers", "--file", &edited, "--from-savepoint", "half"];
    let Err(refused) = cluster.client(&arguments) else { bail!("the edited job is accepted") };
    let refused = refused.to_string();
    ensure!(refused.contains("INCOMPATIBLE") && refused.contains("does not have"), "{refused}");
    Ok(())
}

#[test]
fn a_job_survives_its_leader_its_workers_and_a_change_of_parallelism() -> Result<()> {
    let _heavy = heavy();
    let folder = CaseFolder::new("cluster")?;
    let mut cluster = Cluster::start(folder.path(), 3, 2)?;
    let path = folder.join("numbers.sql");
    std::fs::write(&path, script(&folder))?;
    let path = path.display().to_string();
    cluster.client(&["job", "submit", &path, "--name", "numbers", "--parallelism", "3"])?;
    let again = cluster.client(&["job", "start", "numbers"]).unwrap_err().to_string();
    ensure!(again.contains("FAILED_PRECONDITION"), "a second run was not refused: {again}");

    let first = further(&cluster, 3)?;
    let took = cluster.fail_over()?;
    let adopted = further(&cluster, 2)?;
    ensure!(
        adopted["attempt"] == first["attempt"],
        "the run was not taken over as it was: {adopted}"
    );
    ensure!(took < Duration::from_secs(10), "a new leader took {took:?}");

    cluster.kill("worker-1")?;
    let restarted = further(&cluster, 2)?;
    ensure!(number(&restarted["attempt"]) > number(&first["attempt"]), "nothing was restarted");
    cluster.start_worker(1)?;

    cluster.client(&["job", "rescale", "numbers", "--parallelism", "2"])?;
    further(&cluster, 2)?;
    cluster.client(&["job", "stop", "numbers", "--savepoint", "half"])?;
    cluster.wait_for("numbers", "STOPPED", Duration::from_secs(20))?;
    check_state(&cluster, &folder)?;
    cluster.client(&[
        "job",
        "start",
        "numbers",
        "--from-savepoint",
        "half",
        "--parallelism",
        "4",
    ])?;
    further(&cluster, 2)?;
    cluster.kill("worker-2")?;
    cluster.fail_over()?;
    further(&cluster, 2)?;
    cluster.wait_for("numbers", "FINISHED", Duration::from_secs(90))?;

    let mut ids = Vec::new();
    for row in json_folder(&folder.join("passed"), &["id".to_owned()])? {
        ids.push(row[0].as_deref().context("a number is missing")?.parse::<i64>()?);
    }
    ids.sort_unstable();
    ensure!(ids == (1..=RECORDS).collect::<Vec<_>>(), "{} numbers came out", ids.len());
    let columns = ["k", "c", "s"].map(str::to_owned);
    let mut counted = Vec::new();
    for row in json_folder(&folder.join("counted"), &columns)? {
        let values = row.iter().map(|value| value.as_deref().unwrap_or("").parse::<i64>());
        counted.push(values.collect::<Result<Vec<_>, _>>()?);
    }
    counted.sort_unstable();
    let expected: Vec<Vec<i64>> = (0..KEYS)
        .map(|key| {
            let of_key = (1..=RECORDS).filter(|id| id % KEYS == key);
            vec![key, of_key.clone().count() as i64, of_key.sum()]
        })
        .collect();
    ensure!(counted == expected, "{counted:?} was counted instead of {expected:?}");
    folder.succeed();
    Ok(())
}

#[test]
fn a_drained_worker_loses_nothing_and_jobs_wait_for_slots() -> Result<()> {
    let folder = CaseFolder::new("drain")?;
    let cluster = Cluster::start(folder.path(), 2, 1)?;
    let script = "CREATE TABLE a (x INT) WITH ('connector' = 'datagen', 'rows-per-second' = '10');
CREATE TABLE b (x INT) WITH ('connector' = 'blackhole');
SET 'execution.checkpointing.interval' = '200 ms';
INSERT INTO b SELECT x FROM a;";
    let path = folder.join("one.sql");
    std::fs::write(&path, script)?;
    let path = path.display().to_string();
    cluster.client(&["job", "submit", &path, "--name", "one"])?;
    let used = |cluster: &Cluster, name: &str| -> Result<(String, u64)> {
        let status = cluster.client(&["cluster", "status"])?;
        let workers = status["workers"].as_array().context("no workers")?.clone();
        let worker = workers.iter().find(|worker| worker["name"] == format!("workers/{name}"));
        let worker = worker.context("the worker is not there")?;
        let state = worker["state"].as_str().unwrap_or_default().to_owned();
        Ok((state, number(&worker["usedSlots"])))
    };
    let busy = if used(&cluster, "worker-1")?.1 == 1 { "worker-1" } else { "worker-2" };
    cluster.client(&["cluster", "drain-worker", busy])?;
    ensure!(used(&cluster, busy)? == ("DRAINED".to_owned(), 0), "it is not empty");
    cluster.wait_for("one", "RUNNING", Duration::from_secs(20))?;

    cluster.client(&["savepoint", "create", "one", "--id", "kept"])?;
    let savepoint = "projects/default/jobs/one/savepoints/kept";
    let location = cluster.client(&["savepoint", "describe", savepoint])?["location"].clone();
    let manifest = std::path::Path::new(location.as_str().unwrap_or_default()).join("_metadata");
    ensure!(manifest.is_file(), "{} is not there", manifest.display());
    cluster.client(&["savepoint", "delete", savepoint])?;
    ensure!(!manifest.exists(), "{} is still there", manifest.display());

    // The other worker's only slot is taken.
    cluster.client(&["job", "submit", &path, "--name", "two", "--no-wait"])?;
    pause(Duration::from_secs(1));
    let waiting = cluster.run("two")?;
    ensure!(waiting["state"] == "SCHEDULING", "it should wait for a slot: {waiting}");
    cluster.client(&["cluster", "undrain-worker", busy])?;
    cluster.wait_for("two", "RUNNING", Duration::from_secs(20))?;
    folder.succeed();
    Ok(())
}
