//! A cluster of which workers and clients know nothing but an etcd: they find it, follow its leader, and go on without
//! etcd once they have.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tidegate_integration_tests::clock::wait_until;
use tidegate_integration_tests::cluster::{Cluster, Discovery, Setup};
use tidegate_integration_tests::etcd::Etcd;
use tidegate_integration_tests::folder::CaseFolder;

/// Longer than a lease and its renewal.
const LEASE: Duration = Duration::from_secs(20);

fn setup(etcd: &Etcd, prefix: &str) -> Setup {
    let (etcd, user) = (etcd.address.clone(), etcd.user.clone());
    let discovery = Discovery { etcd, prefix: prefix.to_owned(), user };
    Setup { discovery: Some(discovery), ..Setup::default() }
}

/// What etcd says of the leader: its number and its term.
fn leader(etcd: &Etcd, prefix: &str) -> Result<(u64, u64)> {
    let found = etcd.get(&format!("{prefix}/leader"))?;
    let value: Value = serde_json::from_str(found.get(1).context("there is no leader's key")?)?;
    let number =
        |field: &str| value[field].as_u64().with_context(|| format!("no {field}: {value}"));
    Ok((number("id")?, number("term")?))
}

fn coordinators(etcd: &Etcd, prefix: &str) -> Result<usize> {
    Ok(etcd.get(&format!("{prefix}/coordinators/"))?.len() / 2)
}

/// Starts a job that never ends and takes a checkpoint five times a second.
fn submit(cluster: &Cluster, folder: &CaseFolder) -> Result<()> {
    let script = "CREATE TABLE a (x INT) WITH ('connector' = 'datagen', 'rows-per-second' = '10');
CREATE TABLE b (x INT) WITH ('connector' = 'blackhole');
SET 'execution.checkpointing.interval' = '200 ms';
INSERT INTO b SELECT x FROM a;";
    let path = folder.join("one.sql");
    std::fs::write(&path, script)?;
    cluster.client(&["job", "submit", &path.display().to_string(), "--name", "one"]).map(drop)
}

/// Waits until the job has completed another two checkpoints: its worker hears a leader.
fn goes_on(what: &str, mut describe: impl FnMut() -> Result<Value>) -> Result<()> {
    let newest = |job: &Value| job["latestRun"]["latestCheckpoint"]["number"].as_u64().unwrap_or(0);
    let mut before = None;
    wait_until(what, Duration::from_secs(15), || {
        let Ok(now) = describe().map(|job| newest(&job)) else { return Ok(false) };
        Ok(now >= *before.get_or_insert(now) + 2)
    })
}

#[test]
fn a_cluster_is_found_through_etcd_also_after_its_leader_is_lost() -> Result<()> {
    let folder = CaseFolder::new("discovery")?;
    let etcd = Etcd::shared()?;
    let prefix = format!("/tidegate-test/{}", std::process::id());
    // Started at all: the workers and the client have found the coordinators.
    let mut cluster = Cluster::start_with(folder.path(), 2, 1, setup(&etcd, &prefix))?;
    ensure!(coordinators(&etcd, &prefix)? == 3, "{:?}", etcd.get(&prefix)?);
    let (before, term) = leader(&etcd, &prefix)?;
    ensure!(cluster.leader()? == before, "etcd says that {before} leads");

    submit(&cluster, &folder)?;
    cluster.kill(&format!("coordinator-{before}"))?;
    wait_until("etcd knows the new leader", Duration::from_secs(10), || {
        let (now, later) = leader(&etcd, &prefix)?;
        ensure!(later >= term, "the term of the leader went back from {term} to {later}");
        Ok(now != before && later > term)
    })?;
    goes_on("the job at the new leader", || cluster.client(&["job", "describe", "one"]))?;
    wait_until("the lost one's lease runs out", LEASE, || Ok(coordinators(&etcd, &prefix)? == 2))?;
    ensure!(leader(&etcd, &prefix)?.0 != before, "the key of the leader went with it");
    folder.succeed();
    Ok(())
}

#[test]
fn a_cluster_goes_on_without_etcd_and_is_announced_again() -> Result<()> {
    let folder = CaseFolder::new("without-etcd")?;
    let mut etcd = Etcd::start(&folder.join("etcd"))?;
    let prefix = "/t";
    let setup = setup(&etcd, prefix);
    let mut cluster = Cluster::start_with(folder.path(), 1, 1, setup)?;
    submit(&cluster, &folder)?;

    etcd.kill()?;
    let error = cluster.client(&["cluster", "status"]).unwrap_err().to_string();
    ensure!(error.contains("UNAVAILABLE") && error.contains("etcd"), "{error}");
    // Nothing else has changed.
    let known: Vec<&str> = cluster.addresses().collect();
    let known = [("TIDEGATE_COORDINATOR", known.join(","))];
    let describe = || cluster.client_with(&["job", "describe", "one"], &known);
    let before = describe()?;
    goes_on("the job without etcd", describe)?;
    let run = &describe()?["latestRun"];
    ensure!(run["attempt"] == before["latestRun"]["attempt"], "the run began anew: {run}");
    wait_until("it is reported", Duration::from_secs(15), || {
        let logs = ["coordinator-1", "coordinator-2", "coordinator-3", "worker-1"]
            .map(|name| cluster.log(name).unwrap_or_default());
        Ok(logs[..3].iter().all(|log| log.contains("is not announced in etcd"))
            && logs[3].contains("etcd does not say where coordinators are"))
    })?;

    // With all that it knew gone.
    etcd.forget()?;
    etcd.restart()?;
    wait_until("the keys come back", Duration::from_secs(15), || {
        Ok(coordinators(&etcd, prefix)? == 3 && leader(&etcd, prefix).is_ok())
    })?;
    cluster.start_worker(2)?;
    wait_until("a new worker finds the cluster", Duration::from_secs(10), || {
        let status = cluster.client(&["cluster", "status"])?;
        Ok(status["workers"].as_array().is_some_and(|all| all.len() == 2))
    })?;
    // The worker that was there follows, too.
    cluster.fail_over()?;
    goes_on("the job at the new leader", || cluster.client(&["job", "describe", "one"]))?;
    folder.succeed();
    Ok(())
}
