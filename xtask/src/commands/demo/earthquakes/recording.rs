//! The recorded earthquakes as a timetable: which record is sent when, round after round. Pure; the
//! clock and the sending are in `replay.rs`.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DurationRound, NaiveDateTime, TimeDelta};
use serde::Deserialize;

/// How much faster than the ground's clock the replay runs: seven hours of event time in a second, a week
/// in 24 s.
pub(super) const SPEED_UP: u32 = 25_200;

/// A report comes after this part of the recorded time between the event and its entry's last revision.
/// Revisions went on for days; the first reports, which were not recorded, came sooner.
pub(super) const DELAY_PART: i32 = 24;

/// The event time between an event and its repetition in the next round. Whole days, so that the rhythm
/// of the days goes on, and longer than the recording, so that rounds do not overlap.
const ROUND: TimeDelta = TimeDelta::days(7);

const TIME: &str = "%Y-%m-%d %H:%M:%S%.3f";

/// All events in the order of their reports.
pub(super) struct Recording(Vec<Event>);

/// One line of the recording.
struct Event {
    line: String,
    id: String,
    occurred: NaiveDateTime,
    updated: NaiveDateTime,
    reported: NaiveDateTime,
}

/// A record to send.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// When, counted from the first one.
    pub(super) due: Duration,
    /// The event's id.
    pub(super) key: String,
    /// The line.
    pub(super) value: String,
}

impl Recording {
    /// Reads the lines of the data file.
    pub(super) fn parse(lines: &str) -> Result<Self> {
        let event = |(number, line): (usize, &str)| {
            Event::parse(line).with_context(|| format!("line {}", number + 1))
        };
        let mut events: Vec<Event> = lines.lines().enumerate().map(event).collect::<Result<_>>()?;
        events.sort_by_key(|event| event.reported);
        Ok(Self(events))
    }

    /// How many events there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The keys of the first round.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|event| event.id.as_str())
    }

    /// The records of so many rounds one after the other; without end if none.
    pub(super) fn rounds(&self, limit: Option<u32>) -> impl Iterator<Item = Record> {
        let rounds = 0..limit.unwrap_or(u32::MAX);
        rounds.flat_map(move |round| self.0.iter().map(move |event| self.record(event, round)))
    }

    fn record(&self, event: &Event, round: u32) -> Record {
        let first = self.0.first().map_or(event.reported, |first| first.reported);
        let due = (event.reported - first).to_std().unwrap_or_default();
        let shift = ROUND * i32::try_from(round).unwrap_or(i32::MAX);
        let due = due + shift.to_std().unwrap_or_default();
        let (key, value) = if round == 0 {
            (event.id.clone(), event.line.clone())
        } else {
            event.again(round, shift)
        };
        Record { due: due / SPEED_UP, key, value }
    }

    /// How long a round takes, to the last record.
    pub(super) fn took(&self) -> Duration {
        self.0.last().map_or(Duration::ZERO, |event| self.record(event, 0).due)
    }

    /// When the ground moved first and last.
    pub(super) fn span(&self) -> Option<(NaiveDateTime, NaiveDateTime)> {
        let times = || self.0.iter().map(|event| event.occurred);
        Some((times().min()?, times().max()?))
    }

    /// Median and largest delay of the reports, in event time.
    pub(super) fn delays(&self) -> (TimeDelta, TimeDelta) {
        let mut delays: Vec<_> = self.0.iter().map(Event::delay).collect();
        delays.sort_unstable();
        let at = |index: usize| delays.get(index).copied().unwrap_or_default();
        (at(delays.len() / 2), at(delays.len().saturating_sub(1)))
    }

    /// The starts of the windows of this size into which the events of the first round fall.
    pub(super) fn windows(&self, size: TimeDelta) -> Result<BTreeSet<NaiveDateTime>> {
        let start = |event: &Event| event.occurred.duration_trunc(size).context("cut into windows");
        self.0.iter().map(start).collect()
    }
}

impl Event {
    fn parse(line: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Fields<'a> {
            id: &'a str,
            occurred_at: &'a str,
            updated_at: &'a str,
        }
        let Fields { id, occurred_at, updated_at } = serde_json::from_str(line)?;
        let time = |text: &str| {
            NaiveDateTime::parse_from_str(text, TIME).with_context(|| format!("the time {text}"))
        };
        let (occurred, updated) = (time(occurred_at)?, time(updated_at)?);
        let reported = occurred + (updated - occurred) / DELAY_PART;
        Ok(Self { line: line.to_owned(), id: id.to_owned(), occurred, updated, reported })
    }

    fn delay(&self) -> TimeDelta {
        self.reported - self.occurred
    }

    /// Key and value in a later round: another event with the same values, later.
    fn again(&self, round: u32, shift: TimeDelta) -> (String, String) {
        let id = format!("{}-r{}", self.id, round.saturating_add(1));
        let shifted = |time: NaiveDateTime| {
            time.checked_add_signed(shift).unwrap_or(NaiveDateTime::MAX).format(TIME).to_string()
        };
        let field = |name: &str, value: &str| format!(r#""{name}":"{value}""#);
        let replaced = |line: &str, name: &str, old: &str, new: &str| {
            line.replacen(&field(name, old), &field(name, new), 1)
        };
        let line = replaced(&self.line, "id", &self.id, &id);
        let [occurred, updated] = [self.occurred, self.updated]
            .map(|time| (time.format(TIME).to_string(), shifted(time)));
        let line = replaced(&line, "occurred_at", &occurred.0, &occurred.1);
        let line = replaced(&line, "updated_at", &updated.0, &updated.1);
        (id, line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report of the second event comes before that of the first, which is revised a day later.
    const LINES: &str = r#"{"id":"a1","occurred_at":"2018-01-31 00:00:00.000","updated_at":"2018-02-01 00:00:00.000","depth_km":0}
{"id":"b2","occurred_at":"2018-01-31 00:06:00.500","updated_at":"2018-01-31 00:30:00.500","depth_km":3.5}
"#;

    fn data() -> Recording {
        Recording::parse(include_str!("../../../../../examples/data/earthquakes.jsonl")).unwrap()
    }

    #[test]
    fn reports_are_in_the_order_of_their_shortened_delays() {
        let records: Vec<Record> = Recording::parse(LINES).unwrap().rounds(Some(1)).collect();
        assert_eq!(records[0].key, "b2");
        assert_eq!(records[0].due, Duration::ZERO);
        assert_eq!(records[1].key, "a1");
        // 00:07:00.5 and 01:00:00 of the recording.
        assert_eq!(records[1].due, Duration::from_millis(3_179_500) / SPEED_UP);
        let lines: Vec<&str> = LINES.lines().collect();
        assert_eq!([&*records[1].value, &*records[0].value], [lines[0], lines[1]]);
    }

    #[test]
    fn later_rounds_are_other_events_a_week_later() {
        let recording = Recording::parse(LINES).unwrap();
        let third = recording.rounds(None).nth(4).unwrap();
        assert_eq!(third.due, Duration::from_secs(14 * 24 * 3_600) / SPEED_UP);
        assert_eq!(third.key, "b2-r3");
        assert_eq!(
            third.value,
            r#"{"id":"b2-r3","occurred_at":"2018-02-14 00:06:00.500","updated_at":"2018-02-14 00:30:00.500","depth_km":3.5}"#
        );
    }

    #[test]
    fn a_line_that_is_not_an_event_is_named() {
        let text = |lines: &str| format!("{:#}", Recording::parse(lines).err().unwrap());
        assert!(text(&format!("{LINES}{{}}")).starts_with("line 3: missing field"));
        let wrong = text(&LINES.replace("2018-02-01 00", "yesterday"));
        assert!(wrong.starts_with("line 1: the time yesterday:00:00.000"), "{wrong}");
    }

    #[test]
    fn rounds_of_the_recorded_data_do_not_overlap_and_go_on_at_the_same_pace() {
        let recording = data();
        assert_eq!(recording.len(), 1_707);
        let due: Vec<Duration> = recording.rounds(Some(2)).map(|record| record.due).collect();
        assert!(due.is_sorted());
        assert_eq!(due[1_706], recording.took());
        assert_eq!(due[1_707], Duration::from_secs(24));
        let pauses = due.windows(2).map(|two| two[1] - two[0]);
        assert!(pauses.max().unwrap() < Duration::from_secs(1));
    }

    #[test]
    fn the_recorded_data_is_as_disordered_as_the_documentation_says() {
        let recording = data();
        let (median, longest) = recording.delays();
        assert_eq!((median.num_minutes(), longest.num_minutes()), (10, 402));
        let times = recording.0.iter().map(|event| event.occurred);
        let mut newest = NaiveDateTime::MIN;
        let behind = times.filter(|time| {
            newest = newest.max(*time);
            *time < newest
        });
        assert_eq!(behind.count(), 843);
        assert_eq!(recording.windows(TimeDelta::hours(6)).unwrap().len(), 29);
    }
}
