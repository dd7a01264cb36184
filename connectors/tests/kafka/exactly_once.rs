//! Exactly-once output: nothing visible before the commit, everything once after it, whatever dies in
//! between and whoever settles it.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use rdkafka::Message;
use rdkafka::producer::{BaseRecord, Producer};
use tidegate_engine::Changes;
use tidegate_engine::connector::{
    Confirmed, RestoredEpoch, RestoredOutput, Sink, SinkContext, SinkWriter, StagedUnit,
};
use tidegate_engine::staging::{StagingArea, StagingFolder};
use tidegate_plan::arrow_type;
use tidegate_types::{Attempt, Epoch, Error, ErrorCode, OperatorId, Result, TypeKind};

use super::broker::{consume_committed, topic, topic_name, topic_with, transactional};
use super::table::{TestTable, sink_context};
use super::write::id_rows;

const PARTITIONS: i32 = 2;

/// A job that writes ids, over several runs.
struct Job {
    table: TestTable,
    topic: String,
    folder: StagingFolder,
}

impl Job {
    async fn new(test: &str) -> Self {
        let topic = topic(test, PARTITIONS).await;
        let table = TestTable::new(&topic)
            .without("scan.bounded.mode")
            .set("sink.delivery-guarantee", "exactly-once")
            .set("sink.transactional-id-prefix", test)
            .set("sink.marker-topic", &topic_name(&format!("{test}-markers")));
        let job = Self { table, topic, folder: StagingFolder::in_memory() };
        job.sink().check().await.unwrap();
        job
    }

    fn sink(&self) -> Arc<dyn Sink> {
        self.table.sink(&self.table.plan.columns).unwrap()
    }

    fn context(&self, lineage: &str, attempt: u64, subtask: u32) -> SinkContext {
        let area = StagingArea::new(self.folder.clone(), Attempt(attempt), OperatorId(1), subtask);
        SinkContext {
            lineage: lineage.into(),
            attempt: Attempt(attempt),
            staging: Arc::new(area),
            ..sink_context(subtask)
        }
    }

    /// A writer of a run that goes on from `restored`.
    async fn start(
        &self,
        (lineage, attempt, subtask): (&str, u64, u32),
        restored: RestoredOutput,
    ) -> Result<Run> {
        let context = self.context(lineage, attempt, subtask);
        let staging = Arc::clone(&context.staging);
        let mut writer = self.sink().writer(context)?;
        writer.recover(restored).await?;
        Ok(Run { writer, staging, table: self.table.clone() })
    }

    fn restored(&self, lineage: &str, epoch: u64, units: &[StagedUnit]) -> RestoredOutput {
        RestoredOutput {
            checkpoint: Some(RestoredEpoch { lineage: lineage.into(), epoch: Epoch(epoch) }),
            units: units.to_vec(),
            confirmed: Vec::new(),
            folder: Some(self.folder.clone()),
        }
    }

    /// The ids that are visible, sorted.
    fn visible(&self) -> Vec<i64> {
        let id = |value: &[u8]| -> i64 {
            let value: serde_json::Value = serde_json::from_slice(value).unwrap();
            value["id"].as_i64().unwrap()
        };
        let records = consume_committed(&self.topic, PARTITIONS);
        let mut ids: Vec<_> = records.iter().map(|record| id(record.payload().unwrap())).collect();
        ids.sort_unstable();
        ids
    }
}

struct Run {
    writer: Box<dyn SinkWriter>,
    staging: Arc<StagingArea>,
    table: TestTable,
}

impl Run {
    /// Writes ids and takes a checkpoint, which uploads them.
    async fn checkpoint(&mut self, ids: std::ops::Range<i64>, epoch: u64) -> Vec<StagedUnit> {
        self.writer.write(id_rows(&self.table, ids)).await.unwrap();
        let units = self.writer.prepare(Epoch(epoch)).await.unwrap();
        for chunk in units.iter().flat_map(|unit| &unit.chunks) {
            self.staging.store(&chunk.path).await.unwrap();
        }
        units
    }

    async fn commit(&self, units: &[StagedUnit]) -> Result<()> {
        let mut committer = self.writer.committer().unwrap();
        for unit in units {
            committer.commit(unit).await?;
        }
        Ok(())
    }
}

/// Rows with ids from 0 and these texts in a second column.
fn keyed_rows(table: &TestTable, texts: &[&str]) -> Changes {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(0..texts.len() as i64)),
        Arc::new(StringViewArray::from(texts.to_vec())),
    ];
    let schema = arrow_type::arrow_schema(&table.plan.columns);
    Changes::append(RecordBatch::try_new(schema, columns).unwrap())
}

fn nothing() -> RestoredOutput {
    RestoredOutput::nothing()
}

fn ids(range: std::ops::Range<i64>) -> Vec<i64> {
    range.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_visible_once_whenever_the_process_dies() {
    let job = Job::new("eos-crash").await;
    let mut first = job.start(("l", 1, 0), nothing()).await.unwrap();
    assert!(first.checkpoint(0..0, 1).await.is_empty(), "an epoch without rows has no output");
    let units = first.checkpoint(0..100, 2).await;
    assert_eq!(job.visible(), ids(0..0), "staged is not visible");
    // Dies after the checkpoint, before the commit.
    drop(first);
    let mut second = job.start(("l", 2, 0), job.restored("l", 2, &units)).await.unwrap();
    assert_eq!(job.visible(), ids(0..100));
    let units = second.checkpoint(100..200, 3).await;
    second.commit(&units).await.unwrap();
    assert_eq!(job.visible(), ids(0..200));
    // Dies after the commit, before it is confirmed.
    drop(second);
    for attempt in 3..5 {
        let mut restored = job.restored("l", 3, &units);
        restored.confirmed = vec![Confirmed { lineage: "l".into(), writer: 0, epoch: Epoch(2) }];
        job.start(("l", attempt, 0), restored).await.unwrap();
        assert_eq!(job.visible(), ids(0..200), "attempt {attempt}");
    }
    let mut last = job.start(("l", 5, 0), job.restored("l", 3, &units)).await.unwrap();
    let units = last.checkpoint(200..300, 4).await;
    last.commit(&units).await.unwrap();
    assert_eq!(job.visible(), ids(0..300));
}

#[tokio::test(flavor = "multi_thread")]
async fn units_of_four_writers_are_settled_by_two() {
    let job = Job::new("eos-rescale").await;
    let mut units = Vec::new();
    for writer in 0..4 {
        let mut run = job.start(("l", 1, writer), nothing()).await.unwrap();
        let from = i64::from(writer) * 10;
        let staged = run.checkpoint(from..from + 10, 1).await;
        if writer % 3 == 0 {
            run.commit(&staged).await.unwrap();
        }
        units.extend(staged);
    }
    assert_eq!(job.visible().len(), 20);
    let (even, odd): (Vec<_>, Vec<_>) = units.into_iter().partition(|unit| unit.writer % 2 == 0);
    let (left, right) = tokio::join!(
        job.start(("l", 2, 0), job.restored("l", 1, &even)),
        job.start(("l", 2, 1), job.restored("l", 1, &odd)),
    );
    assert_eq!(job.visible(), ids(0..40));
    for (mut run, from) in [(left.unwrap(), 40), (right.unwrap(), 50)] {
        let units = run.checkpoint(from..from + 10, 2).await;
        run.commit(&units).await.unwrap();
    }
    assert_eq!(job.visible(), ids(0..60));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zombie_is_shut_out() {
    let job = Job::new("eos-zombie").await;
    let mut zombie = job.start(("l", 1, 0), nothing()).await.unwrap();
    let units = zombie.checkpoint(0..50, 1).await;
    // The zombie sleeps; another run settles its unit and goes on.
    let mut second = job.start(("l", 2, 0), job.restored("l", 1, &units)).await.unwrap();
    let error = zombie.commit(&units).await.unwrap_err();
    assert!(error.to_string().contains("another run has taken over"), "{error}");
    assert_eq!(job.visible(), ids(0..50));
    let units = second.checkpoint(50..60, 2).await;
    second.commit(&units).await.unwrap();
    assert!(zombie.commit(&units).await.is_err());
    assert_eq!(job.visible(), ids(0..60));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_was_left_open_is_ended_by_the_next_run() {
    let job = Job::new("eos-open").await;
    let mut first = job.start(("l", 1, 0), nothing()).await.unwrap();
    let units = first.checkpoint(0..20, 1).await;
    drop(first);
    // What a process leaves that dies inside of its transaction: half of the rows, no marker.
    let id = format!("eos-open-l-{}-0", OperatorId(1));
    let dead = transactional(&id);
    dead.begin_transaction().unwrap();
    for number in 0..10 {
        let value = format!("{{\"id\":{number}}}");
        let record: BaseRecord<'_, str, str> = BaseRecord::to(&job.topic).payload(&value);
        dead.send(record).map_err(|(error, _)| error).unwrap();
    }
    dead.flush(Duration::from_secs(20)).unwrap();
    job.start(("l", 2, 0), job.restored("l", 1, &units)).await.unwrap();
    assert_eq!(job.visible(), ids(0..20));
    assert!(dead.commit_transaction(Duration::from_secs(20)).is_err());
    assert_eq!(job.visible(), ids(0..20));
}

#[tokio::test(flavor = "multi_thread")]
async fn markers_behind_a_foreign_open_transaction_are_seen() {
    let job = Job::new("eos-held").await;
    let marker_topic = job.table.plan.options["sink.marker-topic"].clone();
    let mut first = job.start(("l", 1, 0), nothing()).await.unwrap();
    let units = first.checkpoint(0..20, 1).await;
    let foreign = transactional(&topic_name("foreign"));
    foreign.begin_transaction().unwrap();
    let record: BaseRecord<'_, str, str> = BaseRecord::to(&marker_topic).key("x/y").payload("{}");
    foreign.send(record).map_err(|(error, _)| error).unwrap();
    foreign.flush(Duration::from_secs(20)).unwrap();
    first.commit(&units).await.unwrap();
    let end = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(2));
        foreign.commit_transaction(Duration::from_secs(20)).unwrap();
    });
    job.start(("l", 2, 0), job.restored("l", 1, &units)).await.unwrap();
    assert_eq!(job.visible(), ids(0..20));
    end.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_settles_what_it_was_forked_from() {
    let job = Job::new("eos-fork").await;
    let mut first = job.start(("old", 1, 0), nothing()).await.unwrap();
    let one = first.checkpoint(0..10, 1).await;
    first.commit(&one).await.unwrap();
    let two = first.checkpoint(10..20, 2).await;
    first.commit(&two).await.unwrap();
    drop(first);
    // Back to checkpoint 1 on purpose: what was behind it is written again, under a new name.
    let mut fork = job.start(("new", 2, 0), job.restored("old", 1, &one)).await.unwrap();
    let again = fork.checkpoint(10..20, 2).await;
    fork.commit(&again).await.unwrap();
    assert_eq!(job.visible().len(), 30);
    // And its own restart knows its own output.
    job.start(("new", 3, 0), job.restored("new", 2, &again)).await.unwrap();
    assert_eq!(job.visible().len(), 30);
}

async fn refused(job: &Job, restored: RestoredOutput) -> Error {
    match job.start(("l", 9, 0), restored).await {
        Ok(_) => panic!("started on output of which nothing is known"),
        Err(error) => error,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_double_rows_stops_loudly() {
    let mut job = Job::new("eos-stop").await;
    let mut first = job.start(("l", 1, 0), nothing()).await.unwrap();
    let one = first.checkpoint(0..10, 1).await;
    first.commit(&one).await.unwrap();
    let two = first.checkpoint(10..20, 2).await;
    first.commit(&two).await.unwrap();
    drop(first);
    // The newest checkpoint is damaged, and the one before is used.
    let error = refused(&job, job.restored("l", 1, &one)).await;
    assert_eq!(error.code(), ErrorCode::Incompatible);
    assert!(error.to_string().contains("checkpoint 2"), "{error}");
    // The marker topic was made anew.
    let other = topic_name("eos-stop-other");
    job.table = job.table.set("sink.marker-topic", &other);
    job.sink().check().await.unwrap();
    let mut restored = job.restored("l", 2, &two);
    restored.confirmed = vec![Confirmed { lineage: "l".into(), writer: 0, epoch: Epoch(1) }];
    let error = refused(&job, restored).await;
    assert_eq!(error.code(), ErrorCode::Corrupt);
    assert!(error.to_string().contains(&other), "{error}");
    assert_eq!(job.visible(), ids(0..20));
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_cannot_give_it_are_found_before_the_start() {
    let job = Job::new("eos-limits").await;
    let long = job.table.clone().set("properties.transaction.timeout.ms", "3600000");
    let error = long.sink(&long.plan.columns).unwrap().check().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidOption);
    assert!(error.to_string().contains("900000"), "{error}");
    let deleting = topic_with("eos-deleting", &[("cleanup.policy", "compact,delete")]).await;
    let table = job.table.clone().set("sink.marker-topic", &deleting);
    let error = table.sink(&table.plan.columns).unwrap().check().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidOption);
    assert!(error.to_string().contains(&deleting), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_a_record_gets_through_the_staging() {
    let mut job = Job::new("eos-record").await;
    job.table = job
        .table
        .set("sink.partitioner", "round-robin")
        .set("key.format", "raw")
        .set("key.fields", "k")
        .set("value.fields-include", "EXCEPT_KEY")
        .column("k", TypeKind::STRING);
    let rows = keyed_rows(&job.table, &["a", "b", "c", "d"]);
    let mut run = job.start(("l", 1, 0), nothing()).await.unwrap();
    run.writer.write(rows).await.unwrap();
    let units = run.writer.prepare(Epoch(1)).await.unwrap();
    run.commit(&units).await.unwrap();
    let found = consume_committed(&job.topic, PARTITIONS);
    let found: Vec<_> = found
        .iter()
        .map(|r| (r.partition(), r.key().unwrap().to_vec(), r.payload().unwrap().to_vec()))
        .collect();
    let expected = [(0, "a", 0), (0, "c", 2), (1, "b", 1), (1, "d", 3)]
        .map(|(p, key, id)| (p, key.as_bytes().to_vec(), format!("{{\"id\":{id}}}").into_bytes()));
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_of_which_a_part_is_visible_is_finished() {
    let mut job = Job::new("eos-parts").await;
    let long = "x".repeat(1_000);
    let texts: Vec<&str> = vec![&long; 10_000];
    job.table = job.table.column("k", TypeKind::STRING);
    let mut first = job.start(("l", 1, 0), nothing()).await.unwrap();
    first.writer.write(keyed_rows(&job.table, &texts)).await.unwrap();
    let units = first.writer.prepare(Epoch(1)).await.unwrap();
    let [unit] = units.as_slice() else { panic!("one unit, not {}", units.len()) };
    assert_eq!(unit.chunks.len(), 3, "10 MB in chunks of 4 MiB");
    for chunk in &unit.chunks {
        first.staging.store(&chunk.path).await.unwrap();
    }
    // The process died after the transaction of the first part.
    let part = StagedUnit { chunks: unit.chunks[..1].to_vec(), ..unit.clone() };
    first.commit(&[part]).await.unwrap();
    let visible = job.visible().len();
    assert!(0 < visible && visible < texts.len(), "{visible}");
    drop(first);
    job.start(("l", 2, 0), job.restored("l", 1, &units)).await.unwrap();
    assert_eq!(job.visible(), ids(0..10_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_too_large_is_found_before_the_checkpoint() {
    let mut job = Job::new("eos-large").await;
    job.table = job.table.set("properties.message.max.bytes", "1000").column("k", TypeKind::STRING);
    let mut run = job.start(("l", 1, 0), nothing()).await.unwrap();
    let long = "x".repeat(2_000);
    let error = run.writer.write(keyed_rows(&job.table, &[&long])).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::BadRecord);
}
