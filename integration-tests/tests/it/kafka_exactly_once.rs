//! Topic → event-time windows and a branch that passes records through → topics, exactly once, killed
//! at random and restored at other parallelisms: a reader of committed records sees each id once, and
//! each window once with the result of a recomputation.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use tidegate_integration_tests::clock::{entropy, now, pause};
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::kafka::Cluster;
use tidegate_integration_tests::prng::Prng;
use tidegate_integration_tests::tidegate::heavy;

use crate::clicks::{KilledJob, Latest, PARTITIONS, Passed, Results, Topics, expected};
use crate::number;

/// Everything that comes out of the job.
struct Output {
    tumbled: Latest,
    hopped: Latest,
    passed: Passed,
}

impl Output {
    fn poll(&mut self) -> Result<()> {
        self.tumbled.poll()?;
        self.hopped.poll()?;
        self.passed.poll()?;
        match self.passed.doubled() {
            Some(doubled) => bail!(doubled),
            None => Ok(()),
        }
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

#[test]
fn each_record_is_seen_once_through_ten_kills() -> Result<()> {
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
    let folder = CaseFolder::new("kafka-exactly-once")?;
    let sink = format!(
        ", 'sink.delivery-guarantee'='exactly-once', 'sink.transactional-id-prefix'='it-{seed:x}', 'sink.marker-topic'='it-markers-{seed:x}'"
    );
    let start = now();
    let job = KilledJob {
        cluster: &cluster,
        topics: &topics,
        folder: &folder,
        sink: &sink,
        per_partition,
        kills,
    };
    let mut process = job.survive(&mut prng)?;
    let tumbled = expected(per_partition, 10_000, 1)?;
    let hopped = expected(per_partition, 5_000, 3)?;
    let mut output = Output {
        tumbled: Latest::new(&cluster, &topics.tumbled)?,
        hopped: Latest::new(&cluster, &topics.hopped)?,
        passed: Passed::new(&cluster, &topics.passed, per_partition)?,
    };
    let patience = Duration::from_secs(120 + per_partition as u64 / 5_000);
    let waiting = now();
    loop {
        process.must_run()?;
        output.poll()?;
        match output.difference(&tumbled, &hopped) {
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
    // Nothing may have come twice with the stop.
    output.poll()?;
    let difference = output.difference(&tumbled, &hopped);
    ensure!(difference.is_none(), "after the stop: {difference:?}");
    let (windows, written) =
        (tumbled.len() + hopped.len(), output.tumbled.read + output.hopped.read);
    ensure!(windows as u64 == written, "{windows} windows, but {written} results were written");
    eprintln!(
        "all there once after {:.1} s: {windows} windows, {} ids",
        start.elapsed().as_secs_f64(),
        output.passed.read,
    );
    folder.succeed();
    Ok(())
}
