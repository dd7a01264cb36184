//! Topic → event-time windows → topic on the real Kafka, killed ten times and restored: no record is
//! missing, and per window the last result equals a recomputation.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use tidegate_integration_tests::clock::{entropy, now, pause};
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::kafka::Cluster;
use tidegate_integration_tests::prng::Prng;
use tidegate_integration_tests::tidegate::heavy;

use crate::clicks::{KilledJob, Latest, PARTITIONS, Passed, Topics, expected};
use crate::number;

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
    let start = now();
    let job = KilledJob {
        cluster: &cluster,
        topics: &topics,
        folder: &folder,
        sink: ", 'sink.delivery-guarantee'='at-least-once'",
        per_partition,
        kills,
    };
    let mut process = job.survive(&mut prng)?;
    let (tumbled, hopped) =
        (expected(per_partition, 10_000, 1)?, expected(per_partition, 5_000, 3)?);
    let mut tumbled_latest = Latest::new(&cluster, &topics.tumbled)?;
    let mut hopped_latest = Latest::new(&cluster, &topics.hopped)?;
    let mut passed = Passed::new(&cluster, &topics.passed, per_partition)?;
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
