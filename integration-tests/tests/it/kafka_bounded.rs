//! Reading topics to an end: what a bounded job reads, and that it ends.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use tidegate_integration_tests::clock::{entropy, wait_until};
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::kafka::{Cluster, Reader};
use tidegate_integration_tests::rows::json_row;
use tidegate_integration_tests::tidegate::Run;

const PARTITIONS: i32 = 3;
const LIMIT: Duration = Duration::from_secs(60);

/// A topic, and one to which a job passes it on.
struct Case {
    cluster: Cluster,
    folder: CaseFolder,
    input: String,
    output: String,
    reader: Reader,
    seen: Vec<i64>,
}

impl Case {
    fn new(name: &str) -> Result<Self> {
        let cluster = Cluster::from_environment()?;
        let unique = entropy();
        let [input, output] = ["in", "out"].map(|side| format!("it-bounded-{side}-{unique:x}"));
        cluster.create_topic(&input, PARTITIONS)?;
        cluster.create_topic(&output, 1)?;
        let reader = cluster.reader(&output)?;
        let folder = CaseFolder::new(name)?;
        Ok(Self { cluster, folder, input, output, reader, seen: Vec::new() })
    }

    fn run(&self, name: &str, bounded: &str) -> Result<Run> {
        let kafka = format!(
            "'connector'='kafka', 'properties.bootstrap.servers'='{}', 'format'='json'",
            self.cluster.brokers()
        );
        let script = format!(
            "SET 'pipeline.name' = 'bounded';
CREATE TABLE i (id BIGINT) WITH ({kafka}, 'topic'='{}', 'scan.startup.mode'='earliest-offset'{bounded});
CREATE TABLE o (id BIGINT) WITH ({kafka}, 'topic'='{}');
INSERT INTO o SELECT id FROM i;
",
            self.input, self.output
        );
        let checkpoints = self.folder.join("checkpoints").display().to_string();
        let run = Run::new(self.folder.path(), name, &script)?.parallelism(2);
        Ok(run.checkpoints(&checkpoints, "200 ms").timeout(LIMIT))
    }

    fn send(&self, ids: std::ops::Range<i64>) -> Result<()> {
        let writer = self.cluster.writer()?;
        for id in ids {
            let partition = (id % i64::from(PARTITIONS)) as i32;
            writer.send(&self.input, partition, &format!("{{\"id\":{id}}}"))?;
        }
        writer.flush()
    }

    /// Ids that have come out so far.
    fn poll(&mut self) -> Result<usize> {
        for record in self.reader.read()? {
            let row = json_row(&record.value, &["id".to_owned()])?;
            self.seen.push(row[0].as_deref().unwrap_or_default().parse()?);
        }
        Ok(self.seen.len())
    }

    /// Fails unless exactly these ids came out, each once.
    fn must_be(&mut self, ids: std::ops::Range<i64>) -> Result<()> {
        self.poll()?;
        let distinct: BTreeSet<i64> = self.seen.iter().copied().collect();
        ensure!(distinct.len() == self.seen.len(), "an id came out twice");
        ensure!(distinct == ids.collect(), "{} ids came out: {distinct:?}", distinct.len());
        Ok(())
    }
}

const TO_LATEST: &str = ", 'scan.bounded.mode'='latest-offset'";

#[test]
fn a_bounded_job_ends_where_an_unbounded_one_began() -> Result<()> {
    let mut case = Case::new("kafka-bounded-restore")?;
    case.send(0..300)?;
    let mut process = case.run("unbounded", "")?.start()?;
    wait_until("the first records", LIMIT, || {
        process.must_run()?;
        Ok(case.poll()? >= 300)
    })?;
    process.interrupt()?;
    let savepoint = process.wait()?.savepoint()?;
    case.send(300..700)?;
    case.run("bounded", TO_LATEST)?.restore(Some(&savepoint)).finish()?.success()?;
    case.must_be(0..700)?;
    case.folder.succeed();
    Ok(())
}

#[test]
fn an_open_transaction_is_behind_the_end_and_takes_nothing_with_it() -> Result<()> {
    let mut case = Case::new("kafka-bounded-open")?;
    case.send(0..300)?;
    let open = case.cluster.transaction(&format!("{}-open", case.input))?;
    for id in 1_000..1_030 {
        let partition = (id % i64::from(PARTITIONS)) as i32;
        open.send(&case.input, partition, &format!("{{\"id\":{id}}}"))?;
    }
    open.flush()?;
    // Behind what is open, and so behind the end.
    case.send(300..400)?;
    case.run("while-open", TO_LATEST)?.finish()?.success()?;
    case.must_be(0..300)?;
    open.abort()?;
    case.seen.clear();
    case.run("after", TO_LATEST)?.finish()?.success()?;
    case.must_be(0..400)?;
    case.folder.succeed();
    Ok(())
}

#[test]
fn what_the_broker_refuses_at_the_end_fails_the_job() -> Result<()> {
    let folder = CaseFolder::new("refused-at-the-end")?;
    let cluster = Cluster::from_environment()?;
    let topic = format!("it-refusing-{:x}", entropy());
    cluster.create_topic_with(&topic, 1, &[("max.message.bytes", "300")])?;
    // So few rows that the client still holds them when the input ends.
    let script = format!(
        "SET 'restart-strategy.type' = 'none';
CREATE TABLE i (s STRING) WITH ('connector'='datagen', 'number-of-rows'='3', 'fields.s.length'='2000');
CREATE TABLE o (s STRING) WITH ('connector'='kafka', 'properties.bootstrap.servers'='{}', 'topic'='{topic}',
  'format'='json');
INSERT INTO o SELECT s FROM i;
",
        cluster.brokers()
    );
    let run = Run::new(folder.path(), "refused", &script)?.parallelism(1).timeout(LIMIT);
    run.finish()?.failure(&[topic.as_str()])?;
    folder.succeed();
    Ok(())
}
