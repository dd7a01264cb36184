//! When partitions are announced by a success file: at once with the files, some time after they were
//! begun, or when event time has passed the time in their names.
//!
//! A partition is announced with a checkpoint behind its files. One that gets rows after that is
//! announced again. What waits is not part of checkpoints: a run that goes on finds the partitions
//! without success file in the folder itself.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use object_store::path::Path;
use tidegate_connector_spec::{Options, waits_to_announce};
use tidegate_functions::Zone;
use tidegate_functions::datetime::parse;
use tidegate_functions::datetime::pattern::{Flavor, Pattern};
use tidegate_storage::{Location, store_error};
use tidegate_types::{Error, ErrorCode, Field, MIN_WATERMARK, Result, Watermark};

use super::partition::values_in_path;

/// Most partitions that wait to be announced.
const MAX_WAITING: usize = 100_000;

/// How the partitions of a table are announced.
#[derive(Debug)]
pub(super) struct Announcing {
    /// Name of the success file.
    pub(super) name: String,
    /// Absent: with the files in it.
    pub(super) waiting: Option<Waiting>,
}

/// What an announcement waits for.
#[derive(Debug)]
pub(super) struct Waiting {
    trigger: Trigger,
    delay_ms: i64,
}

#[derive(Debug)]
enum Trigger {
    /// The clock, since the partition was seen first.
    ProcessTime,
    /// The watermark, against the time in the partition's name.
    PartitionTime(PartitionTime),
}

/// `partition.time-extractor.*`: the time of a partition, from the texts of its keys.
#[derive(Debug)]
struct PartitionTime {
    /// `$dt $hm:00`; absent: the first key.
    template: Option<String>,
    /// How the text is read; absent: as a TIMESTAMP or DATE is.
    formatter: Option<Pattern>,
    zone: Zone,
}

impl Announcing {
    /// From a table's options; none without a policy.
    ///
    /// # Errors
    /// `INVALID_OPTION` for patterns that do not fit.
    pub(super) fn new(
        options: &Options,
        keys: &[(usize, Field)],
        table: &str,
    ) -> Result<Option<Self>> {
        if keys.is_empty() || options.explicit("sink.partition-commit.policy.kind").is_none() {
            return Ok(None);
        }
        let name = options.required("sink.partition-commit.success-file.name")?.to_owned();
        if !waits_to_announce(options.values()) {
            return Ok(Some(Self { name, waiting: None }));
        }
        let delay = options.duration("sink.partition-commit.delay")?.unwrap_or_default();
        let trigger = match options.required("sink.partition-commit.trigger")? {
            "partition-time" => Trigger::PartitionTime(PartitionTime::new(options, keys, table)?),
            _ => Trigger::ProcessTime,
        };
        let delay_ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        Ok(Some(Self { name, waiting: Some(Waiting { trigger, delay_ms }) }))
    }
}

impl PartitionTime {
    fn new(options: &Options, keys: &[(usize, Field)], table: &str) -> Result<Self> {
        let refuse = |what: String| {
            Err(Error::new(ErrorCode::InvalidOption, format!("table {table}: {what}")))
        };
        let template = options.text("partition.time-extractor.timestamp-pattern");
        let formatter = match options.text("partition.time-extractor.timestamp-formatter") {
            None => None,
            Some(text) => match Pattern::compile(text, Flavor::Modern) {
                Ok(pattern) => Some(pattern),
                Err(why) => {
                    return refuse(format!(
                        "the pattern '{text}' of 'partition.time-extractor.timestamp-formatter' {why}"
                    ));
                }
            },
        };
        if let Some(template) = template
            && !keys.iter().any(|(_, key)| template.contains(&format!("${}", key.name)))
        {
            return refuse(format!(
                "'partition.time-extractor.timestamp-pattern' = '{template}' names no partition key: write $ before it"
            ));
        }
        let zone = options.text("sink.partition-commit.watermark-time-zone").unwrap_or("UTC");
        let zone = Zone::parse(zone)?;
        Ok(Self { template: template.map(str::to_owned), formatter, zone })
    }

    /// The time of a partition in milliseconds since 1970, by the values of its keys.
    fn of(&self, values: &[(&str, String)]) -> Result<i64> {
        let text = match &self.template {
            None => values.first().map(|(_, value)| value.clone()).unwrap_or_default(),
            Some(template) => {
                // Longer names first: $hour must not be read as $h and "our".
                let mut values: Vec<_> = values.iter().collect();
                values.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
                values.iter().fold(template.clone(), |text, (name, value)| {
                    text.replace(&format!("${name}"), value)
                })
            }
        };
        let moment = match &self.formatter {
            Some(pattern) => pattern.parse(&text),
            None => parse::timestamp(&text),
        };
        let local = moment.and_then(|moment| moment.to_timestamp(1_000));
        local.map(|local| self.zone.to_utc(local)).ok_or_else(|| {
            Error::new(ErrorCode::BadRecord, format!("'{text}' is not the time of a partition")).help(
                "set 'partition.time-extractor.timestamp-pattern' so that it becomes one, such as '$dt $hour:00:00', \
                 and 'partition.time-extractor.timestamp-formatter' to how it is written",
            )
        })
    }
}

/// The partitions that wait for their announcement.
#[derive(Debug)]
pub(super) struct Waiters {
    /// Folder below the table's → when it is due, on the clock or in event time.
    due: BTreeMap<String, i64>,
    watermark: Watermark,
}

impl Default for Waiters {
    fn default() -> Self {
        Self { due: BTreeMap::new(), watermark: MIN_WATERMARK }
    }
}

impl Waiters {
    /// Notes that event time has advanced.
    pub(super) fn watermark(&mut self, watermark: Watermark) {
        self.watermark = watermark;
    }

    /// Notes that a partition has got rows.
    ///
    /// # Errors
    /// `BAD_RECORD` for a partition without time in its name, `RESOURCE_EXHAUSTED` if too many wait.
    pub(super) fn add(
        &mut self,
        folder: &str,
        waiting: &Waiting,
        keys: &[(usize, Field)],
        default_name: &str,
        now_ms: i64,
    ) -> Result<()> {
        if self.due.contains_key(folder) {
            return Ok(());
        }
        if self.due.len() == MAX_WAITING {
            let message = format!("more than {MAX_WAITING} partitions wait to be announced");
            return Err(Error::new(ErrorCode::ResourceExhausted, message)
                .help("partition by fewer values, or shorten 'sink.partition-commit.delay'"));
        }
        let since = match &waiting.trigger {
            Trigger::ProcessTime => now_ms,
            Trigger::PartitionTime(time) => {
                let fields: Vec<Field> = keys.iter().map(|(_, key)| key.clone()).collect();
                let path = Path::parse(format!("{folder}/-"))
                    .map_err(|error| Error::new(ErrorCode::BadRecord, error.to_string()))?;
                let values = values_in_path(&path, &fields, default_name, folder)?;
                let text = |value: Option<String>| value.unwrap_or_else(|| default_name.to_owned());
                let names = fields.iter().map(|field| field.name.as_str());
                time.of(&names.zip(values.into_iter().map(text)).collect::<Vec<_>>())?
            }
        };
        self.due.insert(folder.to_owned(), since.saturating_add(waiting.delay_ms));
        Ok(())
    }

    /// Takes the partitions that are due; in event time those that the watermark is behind.
    pub(super) fn take(&mut self, waiting: &Waiting, now_ms: i64) -> Vec<String> {
        let watermark = self.watermark;
        let is_due = |due: i64| match waiting.trigger {
            Trigger::ProcessTime => now_ms >= due,
            Trigger::PartitionTime(_) => watermark > due,
        };
        // All input has ended: nothing will be added to any of them.
        let ended = watermark == Watermark::MAX;
        let folders = self.due.iter().filter(|(_, due)| ended || is_due(**due));
        let folders: Vec<String> = folders.map(|(folder, _)| folder.clone()).collect();
        for folder in &folders {
            self.due.remove(folder);
        }
        folders
    }
}

/// The partition folders of a table, relative to it, that hold files and are not announced.
///
/// # Errors
/// `UNAVAILABLE`, `PERMISSION_DENIED` from the store.
pub(super) async fn unannounced(
    location: &Location,
    keys: &[(usize, Field)],
    name: &str,
) -> Result<Vec<String>> {
    let (mut with_files, mut announced) = (BTreeSet::new(), BTreeSet::new());
    let mut stream = location.store.list(Some(&location.path));
    let failed =
        |error| store_error(error, &location.display(&location.path)).context("list partitions");
    while let Some(meta) = stream.try_next().await.map_err(failed)? {
        let Some(below) = meta.location.prefix_match(&location.path) else { continue };
        let below: Vec<_> = below.map(|part| part.as_ref().to_owned()).collect();
        let Some((file, folders)) = below.split_last() else { continue };
        if folders.len() != keys.len() || !folders.iter().all(|folder| folder.contains('=')) {
            continue;
        }
        let folder = folders.join("/");
        if file == name {
            announced.insert(folder);
        } else if !file.starts_with(['.', '_']) {
            with_files.insert(folder);
        }
    }
    Ok(with_files.difference(&announced).take(MAX_WAITING).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_types::TypeKind;

    fn keys() -> Vec<(usize, Field)> {
        ["dt", "hm"]
            .iter()
            .map(|name| (0, Field::new(*name, TypeKind::STRING.nullable())))
            .collect()
    }

    fn by_time(template: Option<&str>, formatter: Option<&str>, zone: &str) -> PartitionTime {
        PartitionTime {
            template: template.map(str::to_owned),
            formatter: formatter.map(|text| Pattern::compile(text, Flavor::Modern).unwrap()),
            zone: Zone::parse(zone).unwrap(),
        }
    }

    #[test]
    fn the_time_of_a_partition_is_in_its_name() {
        let values = [("dt", "2024-01-02".to_owned()), ("hm", "03:04".to_owned())];
        let expected = 1_704_164_640_000;
        assert_eq!(by_time(Some("$dt $hm:00"), None, "UTC").of(&values).unwrap(), expected);
        let east = by_time(Some("$dt $hm:00"), None, "+08:00").of(&values).unwrap();
        assert_eq!(east, expected - 8 * 3_600_000);
        let day = by_time(None, None, "UTC").of(&values).unwrap();
        assert_eq!(day, 1_704_153_600_000);
        let other = [("dt", "20240102".to_owned()), ("hm", "0304".to_owned())];
        let pattern = by_time(Some("$dt$hm"), Some("yyyyMMddHHmm"), "UTC");
        assert_eq!(pattern.of(&other).unwrap(), expected);
        let error = by_time(Some("$hm"), None, "UTC").of(&values).unwrap_err();
        assert!(error.to_string().contains("'03:04'") && error.help_text().is_some(), "{error}");
    }

    #[test]
    fn a_partition_waits_until_the_watermark_has_passed_its_time_and_the_delay() {
        let trigger = Trigger::PartitionTime(by_time(Some("$dt $hm:00"), None, "UTC"));
        let waiting = Waiting { trigger, delay_ms: 60_000 };
        let mut waiters = Waiters::default();
        let folders = ["dt=2024-01-02/hm=03%3A04", "dt=2024-01-02/hm=03%3A05"];
        for folder in folders {
            waiters.add(folder, &waiting, &keys(), "D", 0).unwrap();
        }
        let time = 1_704_164_640_000;
        waiters.watermark(time + 60_000);
        assert!(waiters.take(&waiting, 0).is_empty());
        waiters.watermark(time + 60_001);
        assert_eq!(waiters.take(&waiting, 0), folders[..1]);
        assert!(waiters.take(&waiting, 0).is_empty());
        waiters.watermark(Watermark::MAX);
        assert_eq!(waiters.take(&waiting, 0), folders[1..]);
        assert!(waiters.add("dt=x/hm=y", &waiting, &keys(), "D", 0).is_err());
    }

    #[test]
    fn a_partition_waits_for_the_clock() {
        let waiting = Waiting { trigger: Trigger::ProcessTime, delay_ms: 1_000 };
        let mut waiters = Waiters::default();
        waiters.add("dt=a/hm=b", &waiting, &keys(), "D", 500).unwrap();
        waiters.add("dt=a/hm=b", &waiting, &keys(), "D", 900).unwrap();
        assert!(waiters.take(&waiting, 1_499).is_empty());
        assert_eq!(waiters.take(&waiting, 1_500), ["dt=a/hm=b"]);
    }
}
