//! Topic → event-time windows → topic on the real Kafka, killed ten times and restored: no record is
//! missing, and per window the last result equals a recomputation.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tidegate_integration_tests::checkpoints::{manifests, wait_for};
use tidegate_integration_tests::clock::{entropy, now, pause};
use tidegate_integration_tests::compare::{Shape, canonical};
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::kafka::{Cluster, Reader, Writer};
use tidegate_integration_tests::prng::Prng;
use tidegate_integration_tests::rows::json_row;
use tidegate_integration_tests::tidegate::{Run, heavy};
use tidegate_integration_tests::value::timestamp;

use crate::number;

const PARTITIONS: i32 = 4;
const BASE: i64 = 1_710_028_800_000;
/// Event time that all records span, milliseconds.
const SPAN: i64 = 600_000;
/// Bound of the disorder within a partition, milliseconds; the watermark stays behind by more than twice that.
const DISORDER: i64 = 2_000;
const KEYS: i64 = 40;

/// Window start and key → count, sum of `v`, highest sequence number.
type Results = BTreeMap<(String, String), (i64, i64, i64)>;

/// A record as a function of its identity.
struct Click {
    key: String,
    value: i64,
    time: i64,
}

fn click(partition: i32, sequence: i64, per_partition: i64) -> Click {
    let mut prng = Prng::new((partition as u64) << 40 | sequence as u64);
    Click {
        key: format!("k{}", prng.between(0, KEYS - 1)),
        value: prng.between(-100, 100),
        time: BASE + sequence * SPAN / per_partition + prng.between(-DISORDER, DISORDER),
    }
}

struct Topics {
    clicks: String,
    tumbled: String,
    hopped: String,
    passed: String,
}

impl Topics {
    fn create(cluster: &Cluster, unique: u64) -> Result<Self> {
        let name = |what: &str| format!("it-{what}-{unique:x}");
        let topics = Self {
            clicks: name("clicks"),
            tumbled: name("tumbled"),
            hopped: name("hopped"),
            passed: name("passed"),
        };
        for topic in [&topics.clicks, &topics.tumbled, &topics.hopped, &topics.passed] {
            cluster.create_topic(topic, PARTITIONS)?;
        }
        Ok(topics)
    }

    fn script(&self, cluster: &Cluster) -> String {
        let Self { clicks, tumbled, hopped, passed } = self;
        let kafka = format!(
            "'connector'='kafka', 'properties.bootstrap.servers'='{}', 'format'='json'",
            cluster.brokers()
        );
        let keyed = "'key.format'='json', 'key.fields'='ws;k'";
        let columns = "ws TIMESTAMP(3), we TIMESTAMP(3), k STRING, c BIGINT, s BIGINT, m BIGINT";
        let select =
            "SELECT window_start, window_end, k, COUNT(*), SUM(CAST(v AS BIGINT)), MAX(seq)";
        let group = "GROUP BY window_start, window_end, k";
        format!(
            "SET 'pipeline.name' = 'clicks';
CREATE TABLE clicks (p INT, seq BIGINT, k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)
  WITH ({kafka}, 'topic'='{clicks}', 'scan.startup.mode'='earliest-offset');
CREATE TABLE tumbled ({columns}) WITH ({kafka}, 'topic'='{tumbled}', {keyed});
CREATE TABLE hopped ({columns}) WITH ({kafka}, 'topic'='{hopped}', {keyed});
CREATE TABLE passed (p INT, seq BIGINT) WITH ({kafka}, 'topic'='{passed}', 'sink.delivery-guarantee'='at-least-once');
EXECUTE STATEMENT SET BEGIN
INSERT INTO tumbled {select} FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '10' SECOND)) {group};
INSERT INTO hopped {select} FROM TABLE(HOP(TABLE clicks, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '15' SECOND)) {group};
INSERT INTO passed SELECT p, seq FROM clicks WHERE seq >= 0;
END;
"
        )
    }
}

/// The recomputation: windows of `count` slides.
fn expected(per_partition: i64, slide: i64, count: i64) -> Result<Results> {
    let mut results = Results::new();
    for partition in 0..PARTITIONS {
        for sequence in 0..per_partition {
            let click = click(partition, sequence, per_partition);
            let last = click.time - click.time % slide;
            for start in (0..count).map(|nth| last - nth * slide) {
                let start = canonical(Shape::Timestamp, &timestamp(start))?;
                let result = results.entry((start, click.key.clone())).or_insert((0, 0, i64::MIN));
                *result = (result.0 + 1, result.1 + click.value, result.2.max(sequence));
            }
        }
    }
    Ok(results)
}

/// Produces the records `from..to` of each partition.
fn produce(writer: &Writer, topic: &str, from: i64, to: i64, per_partition: i64) -> Result<()> {
    for sequence in from..to {
        for partition in 0..PARTITIONS {
            let Click { key, value, time } = click(partition, sequence, per_partition);
            let time = timestamp(time);
            let json = format!(
                r#"{{"p":{partition},"seq":{sequence},"k":"{key}","v":{value},"ts":"{time}"}}"#
            );
            writer.send(topic, partition, &json)?;
        }
    }
    writer.flush()
}

/// One record per partition that pushes the watermark past everything.
fn produce_end(writer: &Writer, topic: &str) -> Result<()> {
    let time = timestamp(BASE + 10 * SPAN);
    for partition in 0..PARTITIONS {
        writer.send(
            topic,
            partition,
            &format!(r#"{{"p":{partition},"seq":-1,"k":"end","v":0,"ts":"{time}"}}"#),
        )?;
    }
    writer.flush()
}

/// The last result per window and key, and how many results there were.
struct Latest {
    reader: Reader,
    results: Results,
    read: u64,
}

impl Latest {
    fn poll(&mut self) -> Result<()> {
        let columns = ["ws", "we", "k", "c", "s", "m"].map(str::to_owned);
        for record in self.reader.read()? {
            let row = json_row(&record.value, &columns)?;
            let text = |index: usize| {
                row[index].clone().with_context(|| format!("a NULL in {}", record.value))
            };
            let number = |index: usize| -> Result<i64> { Ok(text(index)?.parse()?) };
            let key = (canonical(Shape::Timestamp, &text(0)?)?, text(2)?);
            self.results.insert(key, (number(3)?, number(4)?, number(5)?));
            self.read += 1;
        }
        Ok(())
    }

    /// What differs from the recomputation, for people.
    fn difference(&self, name: &str, expected: &Results) -> Option<String> {
        let wrong = expected.iter().filter(|(key, result)| self.results.get(*key) != Some(*result));
        let wrong: Vec<_> =
            wrong.map(|(key, result)| (key, result, self.results.get(key))).collect();
        let extra: Vec<_> =
            self.results.keys().filter(|key| !expected.contains_key(*key)).take(3).collect();
        if wrong.is_empty() && extra.is_empty() {
            return None;
        }
        let first: Vec<_> = wrong.iter().take(5).collect();
        Some(format!(
            "{name}: {} of {} windows differ, (window, key) expected actual: {first:?}; not expected at all: {extra:?}",
            wrong.len(),
            expected.len()
        ))
    }
}

/// Which ids have come through.
struct Passed {
    reader: Reader,
    seen: Vec<Vec<bool>>,
    read: u64,
}

impl Passed {
    fn poll(&mut self) -> Result<()> {
        for record in self.reader.read()? {
            let row = json_row(&record.value, &["p", "seq"].map(str::to_owned))?;
            let number = |index: usize| -> Result<usize> {
                Ok(row[index].as_deref().unwrap_or_default().parse::<usize>()?)
            };
            let id = (number(0)?, number(1)?);
            let seen = self.seen.get_mut(id.0).and_then(|partition| partition.get_mut(id.1));
            *seen.with_context(|| format!("id {id:?} was never produced"))? = true;
            self.read += 1;
        }
        Ok(())
    }

    fn difference(&self) -> Option<String> {
        let partitions = self.seen.iter().enumerate();
        let mut missing = partitions
            .flat_map(|(partition, seen)| {
                seen.iter().enumerate().map(move |(sequence, seen)| (partition, sequence, *seen))
            })
            .filter(|(_, _, seen)| !seen)
            .peekable();
        missing.peek()?;
        let first: Vec<_> = missing
            .by_ref()
            .take(5)
            .map(|(partition, sequence, _)| (partition, sequence))
            .collect();
        Some(format!("{} ids are missing, the first are {first:?}", first.len() + missing.count()))
    }
}

#[test]
fn no_record_is_lost_through_ten_kills() -> Result<()> {
    let _heavy = heavy();
    let per_partition = number("TIDEGATE_TEST_RECORDS", 200_000)? as i64 / i64::from(PARTITIONS);
    let kills = number("TIDEGATE_TEST_KILLS", 10)? as i64;
    let seed = entropy();
    eprintln!(
        "{} records, {kills} kills at moments from seed {seed}",
        per_partition * i64::from(PARTITIONS)
    );
    let mut prng = Prng::new(seed);
    let cluster = Cluster::from_environment()?;
    let topics = Topics::create(&cluster, seed)?;
    let folder = CaseFolder::new("kafka-at-least-once")?;
    let checkpoints = folder.join("checkpoints");
    let place = checkpoints.display().to_string();
    let writer = cluster.writer()?;
    let start = now();
    let run = |round: i64, prng: &mut Prng| -> Result<Run> {
        let run = Run::new(folder.path(), &format!("round-{round}"), &topics.script(&cluster))?
            .parallelism(1 + prng.below(4))
            .checkpoints(&place, "200 ms")
            .timeout(Duration::from_secs(900));
        Ok(run.restore((round > 0).then_some(place.as_str())))
    };
    for round in 0..kills {
        let before = manifests(&checkpoints)?;
        let mut process = run(round, &mut prng)?.start()?;
        let chunk = |round: i64| per_partition * round / (kills + 1);
        produce(&writer, &topics.clicks, chunk(round), chunk(round + 1), per_partition)?;
        // Some die before they have completed a checkpoint of their own.
        if round == 0 || prng.chance(70) {
            wait_for(&mut process, &checkpoints, &before, 1)
                .with_context(|| format!("round {round}"))?;
        }
        pause(Duration::from_millis(prng.between(0, 700) as u64));
        ensure!(
            process.kill().with_context(|| format!("round {round}"))?,
            "an unbounded job ended by itself"
        );
    }
    let mut process = run(kills, &mut prng)?.start()?;
    produce(
        &writer,
        &topics.clicks,
        per_partition * kills / (kills + 1),
        per_partition,
        per_partition,
    )?;
    produce_end(&writer, &topics.clicks)?;
    let (tumbled, hopped) =
        (expected(per_partition, 10_000, 1)?, expected(per_partition, 5_000, 3)?);
    let latest = |topic: &str| -> Result<Latest> {
        Ok(Latest { reader: cluster.reader(topic)?, results: Results::new(), read: 0 })
    };
    let mut tumbled_latest = latest(&topics.tumbled)?;
    let mut hopped_latest = latest(&topics.hopped)?;
    let seen = vec![vec![false; per_partition as usize]; PARTITIONS as usize];
    let mut passed = Passed { reader: cluster.reader(&topics.passed)?, seen, read: 0 };
    let patience = Duration::from_secs(120 + per_partition as u64 / 5_000);
    let waiting = now();
    loop {
        process.must_run()?;
        tumbled_latest.poll()?;
        hopped_latest.poll()?;
        passed.poll()?;
        let differences = [
            tumbled_latest.difference("tumbling", &tumbled),
            hopped_latest.difference("hopping", &hopped),
            passed.difference(),
        ];
        let differences: Vec<String> = differences.into_iter().flatten().collect();
        if differences.is_empty() {
            break;
        }
        if waiting.elapsed() > patience {
            bail!(
                "after {} s:\n{}\nfolder {}",
                patience.as_secs(),
                differences.join("\n"),
                folder.text()
            );
        }
        pause(Duration::from_millis(200));
    }
    process.interrupt()?;
    let stopped = process.wait()?;
    ensure!(
        matches!(stopped.code, Some(0 | 130)),
        "stopped with {}\n{}",
        stopped.status,
        stopped.report()
    );
    // Nothing that came with the stop may have replaced a right result.
    tumbled_latest.poll()?;
    hopped_latest.poll()?;
    passed.poll()?;
    ensure!(tumbled_latest.difference("tumbling", &tumbled).is_none(), "a late result is wrong");
    ensure!(hopped_latest.difference("hopping", &hopped).is_none(), "a late result is wrong");
    eprintln!(
        "all there after {:.1} s: {} and {} windows ({} and {} results written), {} ids ({} written)",
        start.elapsed().as_secs_f64(),
        tumbled.len(),
        hopped.len(),
        tumbled_latest.read,
        hopped_latest.read,
        per_partition * i64::from(PARTITIONS),
        passed.read,
    );
    folder.succeed();
    Ok(())
}
