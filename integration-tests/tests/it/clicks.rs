//! Records of clicks with ids, the jobs that window them and pass them through, and what must come out.

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
use tidegate_integration_tests::tidegate::{Process, Run, heavy};
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

/// The topics of a job.
struct Topics {
    pub(crate) clicks: String,
    pub(crate) tumbled: String,
    pub(crate) hopped: String,
    pub(crate) passed: String,
}

impl Topics {
    pub(crate) fn create(cluster: &Cluster, unique: u64) -> Result<Self> {
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

    /// `sink`: options of every sink, each with a comma before it.
    pub(crate) fn script(&self, cluster: &Cluster, sink: &str) -> String {
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
CREATE TABLE tumbled ({columns}) WITH ({kafka}, 'topic'='{tumbled}', {keyed}{sink});
CREATE TABLE hopped ({columns}) WITH ({kafka}, 'topic'='{hopped}', {keyed}{sink});
CREATE TABLE passed (p INT, seq BIGINT) WITH ({kafka}, 'topic'='{passed}'{sink});
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
    pub(crate) read: u64,
}

impl Latest {
    pub(crate) fn new(cluster: &Cluster, topic: &str) -> Result<Self> {
        Ok(Self { reader: cluster.reader(topic)?, results: Results::new(), read: 0 })
    }

    pub(crate) fn poll(&mut self) -> Result<()> {
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
    pub(crate) fn difference(&self, name: &str, expected: &Results) -> Option<String> {
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

/// How often ids have come through.
pub(crate) struct Passed {
    reader: Reader,
    seen: Vec<Vec<u8>>,
    pub(crate) read: u64,
}

impl Passed {
    pub(crate) fn new(cluster: &Cluster, topic: &str, per_partition: i64) -> Result<Self> {
        let seen = vec![vec![0; per_partition as usize]; PARTITIONS as usize];
        Ok(Self { reader: cluster.reader(topic)?, seen, read: 0 })
    }

    /// Ids that came through more than once, for people.
    pub(crate) fn doubled(&self) -> Option<String> {
        let partitions = self.seen.iter().enumerate();
        let doubled: Vec<_> = partitions
            .flat_map(|(partition, seen)| {
                seen.iter().enumerate().map(move |(sequence, seen)| (partition, sequence, *seen))
            })
            .filter(|(_, _, seen)| *seen > 1)
            .collect();
        let first: Vec<_> = doubled.iter().take(5).collect();
        (!doubled.is_empty())
            .then(|| format!("{} ids came more than once, the first are {first:?}", doubled.len()))
    }

    pub(crate) fn poll(&mut self) -> Result<()> {
        for record in self.reader.read()? {
            let row = json_row(&record.value, &["p", "seq"].map(str::to_owned))?;
            let number = |index: usize| -> Result<usize> {
                Ok(row[index].as_deref().unwrap_or_default().parse::<usize>()?)
            };
            let id = (number(0)?, number(1)?);
            let seen = self.seen.get_mut(id.0).and_then(|partition| partition.get_mut(id.1));
            let seen = seen.with_context(|| format!("id {id:?} was never produced"))?;
            *seen = seen.saturating_add(1);
            self.read += 1;
        }
        Ok(())
    }

    pub(crate) fn difference(&self) -> Option<String> {
        let partitions = self.seen.iter().enumerate();
        let mut missing = partitions
            .flat_map(|(partition, seen)| {
                seen.iter().enumerate().map(move |(sequence, seen)| (partition, sequence, *seen))
            })
            .filter(|(_, _, seen)| *seen == 0)
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

/// A job over clicks that is killed again and again.
struct KilledJob<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) topics: &'a Topics,
    pub(crate) folder: &'a CaseFolder,
    /// Options of every sink: see [`Topics::script`].
    pub(crate) sink: &'a str,
    pub(crate) per_partition: i64,
    pub(crate) kills: i64,
}

impl KilledJob<'_> {
    fn start(&self, round: i64, prng: &mut Prng, place: &str) -> Result<Process> {
        let script = self.topics.script(self.cluster, self.sink);
        let run = Run::new(self.folder.path(), &format!("round-{round}"), &script)?
            .parallelism(1 + prng.below(4))
            .checkpoints(place, "200 ms")
            .timeout(Duration::from_secs(900));
        run.restore((round > 0).then_some(place)).start()
    }

    /// Produces all records while the job is killed and restored, each time at another parallelism;
    /// the last run is left running.
    pub(crate) fn survive(&self, prng: &mut Prng) -> Result<Process> {
        let checkpoints = self.folder.join("checkpoints");
        let place = checkpoints.display().to_string();
        let writer = self.cluster.writer()?;
        let chunk = |round: i64| self.per_partition * round / (self.kills + 1);
        let produce = |round: i64| {
            let (from, to) = (chunk(round), chunk(round + 1));
            produce(&writer, &self.topics.clicks, from, to, self.per_partition)
        };
        for round in 0..self.kills {
            let before = manifests(&checkpoints)?;
            let mut process = self.start(round, prng, &place)?;
            produce(round)?;
            // Some die before they have completed a checkpoint of their own.
            if round == 0 || prng.chance(70) {
                wait_for(&mut process, &checkpoints, &before, 1)
                    .with_context(|| format!("round {round}"))?;
            }
            pause(Duration::from_millis(prng.between(0, 700) as u64));
            ensure!(
                process.kill().with_context(|| format!("round {round}"))?,
                "an unbounded job ended by itself in round {round}; folder {}",
                self.folder.text()
            );
        }
        let process = self.start(self.kills, prng, &place)?;
        produce(self.kills)?;
        produce_end(&writer, &self.topics.clicks)?;
        Ok(process)
    }
}

/// Everything that comes out of the job.
pub(crate) struct Output {
    tumbled: Latest,
    hopped: Latest,
    pub(crate) passed: Passed,
}

impl Output {
    fn new(cluster: &Cluster, topics: &Topics, per_partition: i64) -> Result<Self> {
        Ok(Self {
            tumbled: Latest::new(cluster, &topics.tumbled)?,
            hopped: Latest::new(cluster, &topics.hopped)?,
            passed: Passed::new(cluster, &topics.passed, per_partition)?,
        })
    }

    fn poll(&mut self) -> Result<()> {
        self.tumbled.poll()?;
        self.hopped.poll()?;
        self.passed.poll()
    }

    /// Results of windows that were written.
    pub(crate) fn results(&self) -> u64 {
        self.tumbled.read + self.hopped.read
    }

    /// What is missing or wrong, for people.
    fn difference(&self, tumbled: &Results, hopped: &Results) -> Option<String> {
        let differences = [
            self.tumbled.difference("tumbling", tumbled),
            self.hopped.difference("hopping", hopped),
            self.passed.difference(),
        ];
        let differences: Vec<String> = differences.into_iter().flatten().collect();
        (!differences.is_empty()).then(|| differences.join("\n"))
    }
}

/// What came of a job that was killed again and again.
pub(crate) struct Through {
    pub(crate) output: Output,
    /// Windows that there must be.
    pub(crate) windows: usize,
    /// Ids that were sent.
    pub(crate) ids: i64,
    pub(crate) seconds: f64,
}

/// Runs a job with new topics through kills, and waits until all that must come out has come out. `sink`: options of
/// every sink, from a number of this run. `check` is asked after each look at the output.
pub(crate) fn through_kills(
    name: &str,
    sink: impl FnOnce(u64) -> String,
    check: impl Fn(&Output) -> Result<()>,
) -> Result<Through> {
    let _heavy = heavy();
    let per_partition = number("TIDEGATE_TEST_RECORDS", 200_000)? as i64 / i64::from(PARTITIONS);
    let kills = number("TIDEGATE_TEST_KILLS", 10)? as i64;
    let (seed, ids) = (entropy(), per_partition * i64::from(PARTITIONS));
    eprintln!("{ids} records, {kills} kills at moments from seed {seed}");
    let mut prng = Prng::new(seed);
    let cluster = Cluster::from_environment()?;
    let topics = Topics::create(&cluster, seed)?;
    let folder = CaseFolder::new(name)?;
    let (cluster, topics, sink) = (&cluster, &topics, sink(seed));
    let start = now();
    let job = KilledJob { cluster, topics, folder: &folder, sink: &sink, per_partition, kills };
    let mut process = job.survive(&mut prng)?;
    let tumbled = expected(per_partition, 10_000, 1)?;
    let hopped = expected(per_partition, 5_000, 3)?;
    let mut output = Output::new(cluster, topics, per_partition)?;
    let look = |output: &mut Output| {
        output.poll()?;
        check(output)?;
        Ok::<_, anyhow::Error>(output.difference(&tumbled, &hopped))
    };
    let patience = Duration::from_secs(120 + per_partition as u64 / 5_000);
    let waiting = now();
    loop {
        process.must_run()?;
        match look(&mut output)? {
            None => break,
            Some(difference) if waiting.elapsed() > patience => {
                bail!("after {} s:\n{difference}\nfolder {}", patience.as_secs(), folder.text())
            }
            Some(_) => pause(Duration::from_millis(200)),
        }
    }
    process.interrupt()?;
    let stopped = process.wait()?;
    let ended = matches!(stopped.code, Some(0 | 130));
    ensure!(ended, "stopped with {}\n{}", stopped.status, stopped.report());
    // Nothing that came with the stop may be wrong, or have replaced a right result.
    let difference = look(&mut output)?;
    ensure!(difference.is_none(), "after the stop: {difference:?}");
    folder.succeed();
    let (windows, seconds) = (tumbled.len() + hopped.len(), start.elapsed().as_secs_f64());
    Ok(Through { output, windows, ids, seconds })
}
