//! `upsert-kafka` from end to end: an aggregate is written by key, across a kill and a restore, and read back as
//! a table.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tidegate_integration_tests::clock::{entropy, wait_until};
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::kafka::Cluster;
use tidegate_integration_tests::tidegate::{Process, Run};

use crate::edited_jobs::table;

const KEYS: i64 = 200;
const GROUPS: i64 = 7;
const LIMIT: Duration = Duration::from_secs(60);

struct Case {
    cluster: Cluster,
    folder: CaseFolder,
    input: String,
    totals: String,
}

/// The key and value of a row of the input. Sums become odd and even again, so rows come and go.
fn row(id: i64) -> (i64, i64) {
    ((id * 7919) % KEYS, (id * 31) % 7)
}

impl Case {
    fn new(name: &str) -> Result<Self> {
        let cluster = Cluster::from_environment()?;
        let unique = entropy();
        let [input, totals] = ["in", "totals"].map(|side| format!("it-by-key-{side}-{unique:x}"));
        cluster.create_topic(&input, 2)?;
        cluster.create_topic_with(&totals, 3, &[("cleanup.policy", "compact")])?;
        Ok(Self { cluster, folder: CaseFolder::new(name)?, input, totals })
    }

    fn send(&self, ids: std::ops::Range<i64>) -> Result<()> {
        let writer = self.cluster.writer()?;
        for id in ids {
            let (k, v) = row(id);
            let partition = (k % 2) as i32;
            writer.send(&self.input, partition, &format!("{{\"k\":{k},\"v\":{v}}}"))?;
        }
        writer.flush()
    }

    /// The table by key, with more options.
    fn totals(&self, more: &str) -> String {
        format!(
            "CREATE TABLE totals (k BIGINT, g BIGINT NOT NULL, s BIGINT NOT NULL, n BIGINT, PRIMARY KEY (k) NOT ENFORCED)
WITH ('connector'='upsert-kafka', 'properties.bootstrap.servers'='{}', 'topic'='{}', 'key.format'='json',
  'value.format'='json', 'value.fields-include'='EXCEPT_KEY'{more});
",
            self.cluster.brokers(),
            self.totals
        )
    }

    /// The job that writes the table.
    fn writing(&self, name: &str) -> Result<Run> {
        let exactly = format!(
            ", 'sink.delivery-guarantee'='exactly-once', 'sink.transactional-id-prefix'='{0}', 'sink.marker-topic'='{0}-markers'",
            self.totals
        );
        let script = format!(
            "SET 'pipeline.name' = 'by-key';
{}CREATE TABLE i (k BIGINT, v BIGINT) WITH ('connector'='kafka', 'properties.bootstrap.servers'='{}', 'topic'='{}',
  'format'='json', 'scan.startup.mode'='earliest-offset');
INSERT INTO totals SELECT k, MOD(k, {GROUPS}), SUM(v), COUNT(*) FROM i GROUP BY k HAVING MOD(SUM(v), 2) = 0;
",
            self.totals(&exactly),
            self.cluster.brokers(),
            self.input
        );
        let run = Run::new(self.folder.path(), name, &script)?.parallelism(2);
        Ok(run.checkpoints(&self.checkpoints(), "100 ms").timeout(LIMIT))
    }

    fn checkpoints(&self) -> String {
        self.folder.join("checkpoints").display().to_string()
    }

    /// What the table comes to, joined with itself by group and summed up.
    fn read_back(&self, name: &str) -> Result<Vec<(Value, Value)>> {
        let script = format!(
            "{}CREATE TABLE o (g BIGINT, s BIGINT) WITH ('connector'='filesystem', 'path'='{}', 'format'='debezium-json');
INSERT INTO o SELECT t.g, SUM(t.s * u.c + t.n) FROM totals t JOIN (SELECT g, COUNT(*) AS c FROM totals GROUP BY g) u
  ON t.g = u.g GROUP BY t.g;
",
            self.totals(", 'scan.bounded.mode'='latest-offset'"),
            self.folder.join(name).display()
        );
        Run::new(self.folder.path(), name, &script)?.parallelism(2).finish()?.success()?;
        let mut rows = table(&self.folder.join(name), ["g", "s"])?;
        rows.sort_by_key(|(group, _)| group.as_i64());
        Ok(rows)
    }
}

/// The same from the rows themselves.
fn expected(ids: std::ops::Range<i64>) -> Vec<(Value, Value)> {
    let mut sums: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for (k, v) in ids.map(row) {
        let (sum, count) = sums.entry(k).or_default();
        (*sum, *count) = (*sum + v, *count + 1);
    }
    sums.retain(|_, (sum, _)| *sum % 2 == 0);
    let mut groups: BTreeMap<i64, Vec<(i64, i64)>> = BTreeMap::new();
    for (k, total) in sums {
        groups.entry(k % GROUPS).or_default().push(total);
    }
    let total = |rows: Vec<(i64, i64)>| -> i64 {
        let others = rows.len() as i64;
        rows.iter().map(|(sum, count)| sum * others + count).sum()
    };
    groups.into_iter().map(|(group, rows)| (json!(group), json!(total(rows)))).collect()
}

/// Waits until the table is what it should be.
fn wait_for_table(case: &Case, process: &mut Process, ids: std::ops::Range<i64>) -> Result<()> {
    let (expected, mut tries) = (expected(ids), 0);
    wait_until("the table in the topic", LIMIT, || {
        process.must_run()?;
        tries += 1;
        Ok(case.read_back(&format!("read-{}-{tries}", expected.len()))? == expected)
    })
}

#[test]
fn an_aggregate_by_key_is_read_back_as_it_was() -> Result<()> {
    let case = Case::new("kafka-by-key")?;
    case.send(0..2_000)?;
    let mut process = case.writing("first")?.start()?;
    wait_for_table(&case, &mut process, 0..2_000)?;
    case.send(2_000..3_000)?;
    process.kill()?;
    case.send(3_000..4_001)?;
    let mut process = case.writing("second")?.restore(Some(&case.checkpoints())).start()?;
    wait_for_table(&case, &mut process, 0..4_001)?;
    process.interrupt()?;
    process.wait()?.success()?;
    ensure!(case.read_back("last")? == expected(0..4_001), "the table changed after the end");
    case.folder.succeed();
    Ok(())
}
