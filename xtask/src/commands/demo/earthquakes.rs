//! `cargo xtask demo --kafka`: recorded earthquakes into a topic, the job, a look at the output topic.
//! Kafka runs in the demo's own folder, on ports of its own, and is gone afterwards.

use std::fs::{self, File};
use std::io::{BufWriter, Seek, Write};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::Show;
use crate::project::Project;
use crate::services::kafka_tools::{self, Tools};
use crate::services::{control, install};

const SCRIPT: &str = "examples/clickstream/kafka.sql";
const DATA: &str = "examples/data/earthquakes.jsonl";
const IN_TOPIC: &str = "earthquakes";
const OUT_TOPIC: &str = "activity";
const IN_PARTITIONS: u32 = 4;

/// Time between checkpoints: the recorded data is read within a second or two.
const INTERVAL: &str = "200 ms";

/// How many records of the output are shown.
const SHOWN: u64 = 12;

/// Puts Kafka into the cache.
pub(super) fn install(project: &Project) -> Result<()> {
    install::install(project, &[kafka_tools::service()])
}

/// Starts Kafka, shows the job, stops Kafka whatever happened.
pub(super) fn run(show: &Show<'_>) -> Result<u8> {
    let home = Project {
        root: show.project.root.clone(),
        cache: show.project.cache.clone(),
        run_dir: show.folder.join("services"),
    };
    // Nobody else is in there while this is held, so what runs there was left behind by a crash.
    let _lock = install::lock(&show.folder.join(".kafka.lock"))?;
    let kafka = [kafka_tools::service()];
    control::down(&home, &kafka)?;
    let outcome = control::up(&home, &kafka).and_then(|_| through_kafka(show, &home));
    control::down(&home, &kafka).context("stop Kafka")?;
    outcome
}

fn through_kafka(show: &Show<'_>, home: &Project) -> Result<u8> {
    let tools = Tools::connect(home)?;
    let path = home.root.join(DATA);
    let data = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let records = keyed(&data).with_context(|| format!("read {}", path.display()))?;
    tools.create_topic(IN_TOPIC, IN_PARTITIONS)?;
    tools.create_topic(OUT_TOPIC, 1)?;
    tools.produce(IN_TOPIC, as_file(&records)?)?;
    let count = records.len() as u64;
    eprintln!("{count} recorded earthquakes are in topic {IN_TOPIC} ({IN_PARTITIONS} partitions)");
    if show.interrupt.raised() {
        bail!("interrupted");
    }
    eprintln!("running {SCRIPT}");
    let defines = vec![
        ("BOOTSTRAP", tools.address()),
        ("IN_TOPIC", IN_TOPIC.to_owned()),
        ("OUT_TOPIC", OUT_TOPIC.to_owned()),
    ];
    let finished = show.run(SCRIPT, defines, INTERVAL)?;
    if finished.code() != 0 || show.interrupt.raised() {
        return Ok(finished.code());
    }
    let stats = finished.stats.context("the job left no statistics")?;
    let read: u64 = stats.inserts.iter().map(|insert| insert.records_in).sum();
    let written: u64 = stats.inserts.iter().map(|insert| insert.records_out).sum();
    ensure!(read == count, "the job read {read} records, but {count} were sent");
    ensure!(written > 0, "the job ended without a result");
    print_first(&tools, written)?;
    Ok(0)
}

/// What another program finds in the output topic.
fn print_first(tools: &Tools<'_>, written: u64) -> Result<()> {
    let shown = tools.consume(OUT_TOPIC, usize::try_from(written.min(SHOWN))?)?;
    eprintln!("topic {OUT_TOPIC} has {written} records; the first {}:", shown.len());
    for record in shown {
        println!("{record}");
    }
    Ok(())
}

/// Key and value of a record, separated by a tab: the key is the event's id, so that one event's
/// revisions would stay in one partition. JSON has no bare tabs.
fn keyed(lines: &str) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Event<'a> {
        id: &'a str,
    }
    let record = |(number, line): (usize, &str)| {
        let event: Event<'_> =
            serde_json::from_str(line).with_context(|| format!("line {}", number + 1))?;
        Ok(format!("{}\t{line}", event.id))
    };
    lines.lines().enumerate().map(record).collect()
}

/// The records as a temporary file without a name, to be read from its start.
fn as_file(records: &[String]) -> Result<File> {
    let mut writer = BufWriter::new(tempfile::tempfile().context("create a temporary file")?);
    let write = |writer: &mut BufWriter<File>| -> std::io::Result<()> {
        records.iter().try_for_each(|record| writeln!(writer, "{record}"))?;
        writer.flush()?;
        writer.get_mut().rewind()
    };
    write(&mut writer).context("write a temporary file")?;
    let file = writer.into_inner().map_err(std::io::IntoInnerError::into_error);
    file.context("write a temporary file")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn records_get_their_id_as_key() {
        let records = keyed("{\"id\":\"a1\",\"x\":1}\n{\"id\":\"b2\"}\n").unwrap();
        assert_eq!(records, ["a1\t{\"id\":\"a1\",\"x\":1}", "b2\t{\"id\":\"b2\"}"]);
        let error = keyed("{\"id\":\"a1\"}\n{}").unwrap_err().to_string();
        assert_eq!(error, "line 2");
    }

    #[test]
    fn the_file_begins_with_the_first_record() {
        let mut text = String::new();
        let records = ["a".to_owned(), "b".to_owned()];
        as_file(&records).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "a\nb\n");
    }

    #[test]
    fn the_recorded_data_has_an_id_in_every_line() {
        let data = include_str!("../../../../examples/data/earthquakes.jsonl");
        assert_eq!(keyed(data).unwrap().len(), 1_707);
    }
}
