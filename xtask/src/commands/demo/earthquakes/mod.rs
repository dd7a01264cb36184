//! `cargo xtask demo --kafka`: recorded earthquakes are replayed into a topic, faster than they came; the
//! job makes windows of them; another program shows the output topic. Kafka runs in the demo's own
//! folder, on ports of its own, and is gone afterwards.

mod partition;
mod recording;
mod replay;
mod session;
mod watch;

use std::fs;
use std::thread;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;

use super::Show;
use crate::project::Project;
use crate::services::kafka_tools::{self, Tools};
use crate::services::{control, install};
use crate::tidegate::job::Finished;
use recording::{DELAY_PART, Recording, SPEED_UP};
use session::Session;
use watch::Seen;

const SCRIPT: &str = "examples/clickstream/kafka.sql";
const DATA: &str = "examples/data/earthquakes.jsonl";
const IN_TOPIC: &str = "earthquakes";
const OUT_TOPIC: &str = "activity";
const IN_PARTITIONS: u32 = 4;

/// Size of the windows, hours of event time.
const WINDOW_HOURS: i64 = 6;

/// How far the watermark is behind, hours of event time: most reports come sooner, some come too late.
const LAG_HOURS: i64 = 2;

/// Puts Kafka into the cache.
pub(super) fn install(project: &Project) -> Result<()> {
    install::install(project, &[kafka_tools::service()])
}

/// Starts Kafka, shows the job, stops Kafka whatever happened. `once` replays the recording once;
/// otherwise it is repeated until Ctrl-C.
pub(super) fn run(show: &Show<'_>, once: bool) -> Result<u8> {
    let home = Project { run_dir: show.folder.join("services"), ..show.project.clone() };
    // Nobody else is in there while this is held, so what runs there was left behind by a crash.
    let _lock = install::lock(&show.folder.join(".kafka.lock"))?;
    let kafka = [kafka_tools::service()];
    control::down(&home, &kafka)?;
    let outcome = control::up(&home, &kafka).and_then(|_| through_kafka(show, &home, once));
    control::down(&home, &kafka).context("stop Kafka")?;
    outcome
}

fn through_kafka(show: &Show<'_>, home: &Project, once: bool) -> Result<u8> {
    let path = home.root.join(DATA);
    let recording = fs::read_to_string(&path)
        .context("read the file")
        .and_then(|text| Recording::parse(&text))
        .with_context(|| path.display().to_string())?;
    let tools = Tools::connect(home)?;
    eprintln!("making the topics {IN_TOPIC} ({IN_PARTITIONS} partitions) and {OUT_TOPIC}");
    thread::scope(|scope| {
        let output = scope.spawn(|| tools.create_topic(OUT_TOPIC, 1));
        tools.create_topic(IN_TOPIC, IN_PARTITIONS)?;
        output.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    eprintln!("{}", plan(&recording, once));
    let session = Session { show, tools: &tools, recording: &recording, once };
    let (mut finished, seen, started) = session.run()?;
    finished.first_row = seen.first.map(|first| first.saturating_duration_since(started));
    eprintln!("{}", super::summary(&finished));
    if finished.code() == 0 && !show.interrupt.raised() {
        check(&recording, &finished, &seen)?;
        let held = tools.records(OUT_TOPIC, 1)?;
        ensure!(held == seen.rows, "topic {OUT_TOPIC} has {held} records, not {}", seen.rows);
    }
    eprintln!(
        "topic {OUT_TOPIC} at {} has {} rows of {} windows",
        tools.address(),
        seen.rows,
        seen.windows.len()
    );
    Ok(finished.code())
}

/// What is going to happen, in words.
fn plan(recording: &Recording, once: bool) -> String {
    let day = |time: chrono::NaiveDateTime| time.format("%-d %B %Y");
    let span = recording
        .span()
        .map(|(first, last)| format!(" of {} to {}", day(first), day(last)))
        .unwrap_or_default();
    let (median, longest) = recording.delays();
    let end = if once { "ends after it" } else { "is repeated until Ctrl-C" };
    format!(
        "replaying {} recorded earthquakes{span} into topic {IN_TOPIC}, {SPEED_UP} times as fast: \
         {} hours in a second\n\
         a report comes after 1/{DELAY_PART} of its recorded delay, half of them within {} minutes, the \
         last after {:.1} hours;\nthe watermark is {LAG_HOURS} hours behind, a window has {WINDOW_HOURS} \
         hours; the replay takes {:.0} s and {end}",
        recording.len(),
        SPEED_UP / 3_600,
        median.num_minutes(),
        longest.num_minutes() as f64 / 60.0,
        recording.took().as_secs_f64(),
    )
}

/// Whether the whole recording is in the output: every window is there, and every event is counted in
/// one or was too late.
fn check(recording: &Recording, finished: &Finished, seen: &Seen) -> Result<()> {
    let stats = finished.stats.as_ref().context("the job left no statistics")?;
    let read: u64 = stats.inserts.iter().map(|insert| insert.records_in).sum();
    let late: u64 = stats.inserts.iter().map(|insert| insert.late_records).sum();
    let sent = recording.len() as u64;
    ensure!(read == sent, "the job read {read} records, but {sent} were sent");
    let counted = seen.events;
    ensure!(
        counted + late == sent,
        "{counted} events are counted in windows and {late} were late, but {sent} were sent"
    );
    let windows = recording.windows(TimeDelta::hours(WINDOW_HOURS))?;
    let missing: Vec<String> = windows.difference(&seen.windows).map(ToString::to_string).collect();
    ensure!(missing.is_empty(), "windows are missing in the output: {}", missing.join(", "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;
    use std::time::Duration;

    use super::*;
    use crate::tidegate::stats::{SAMPLE, Stats};

    const LINE: &str = r#"{"id":"a1","occurred_at":"2018-01-31 07:00:00.000","updated_at":"2018-02-01 00:00:00.000"}"#;

    fn finished(records_in: u64, late: u64) -> Finished {
        let line = SAMPLE.replace("60000", &records_in.to_string());
        Finished {
            status: ExitStatus::from_raw(0),
            first_row: None,
            took: Duration::ZERO,
            stats: Stats::parse(&line.replace("1348", &late.to_string())),
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let recording = Recording::parse(LINE).unwrap();
        let windows = recording.windows(TimeDelta::hours(6)).unwrap();
        let all = Seen { rows: 1, first: None, windows, events: 1 };
        check(&recording, &finished(1, 0), &all).unwrap();
        let text = |finished: &Finished, seen: &Seen| {
            check(&recording, finished, seen).unwrap_err().to_string()
        };
        assert_eq!(text(&finished(2, 0), &all), "the job read 2 records, but 1 were sent");
        let none = Seen { events: 0, ..all.clone() };
        assert!(text(&finished(1, 0), &none).starts_with("0 events are counted"));
        let empty = Seen { windows: Default::default(), ..all };
        assert_eq!(
            text(&finished(1, 0), &empty),
            "windows are missing in the output: 2018-01-31 06:00:00"
        );
    }

    #[test]
    fn the_plan_says_what_is_replayed_and_how_fast() {
        let text = plan(&Recording::parse(LINE).unwrap(), true);
        assert!(
            text.starts_with("replaying 1 recorded earthquakes of 31 January 2018 to"),
            "{text}"
        );
        assert!(text.contains("25200 times as fast: 7 hours in a second"), "{text}");
        assert!(text.contains("within 42 minutes, the last after 0.7 hours"), "{text}");
    }
}
