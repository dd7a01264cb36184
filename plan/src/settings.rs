//! The registry of job settings: what `SET`, `--set`, configuration files and the docs know, with
//! Flink's names; and their typed form.

use std::collections::BTreeMap;
use std::time::Duration;

use tidegate_types::quantity::{parse_duration, parse_memory_size};
use tidegate_types::{Error, ErrorCode, Result};

/// What values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// An integer within bounds, both inclusive.
    Integer(i64, i64),
    /// A decimal number ≥ 0.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A duration such as `10 s`.
    Duration,
    /// A memory size such as `64 mb`.
    MemorySize,
    /// One of these words, in any case.
    OneOf(&'static [&'static str]),
    /// An IANA time zone, or an offset such as `+08:00`.
    TimeZone,
    /// Any text.
    Text,
}

/// A setting.
#[derive(Debug, Clone, Copy)]
pub struct SettingSpec {
    /// Key, as in Flink where Flink has it.
    pub key: &'static str,
    /// Accepted values.
    pub kind: SettingKind,
    /// Default, as text; empty if there is none.
    pub default: &'static str,
    /// One sentence for help and docs.
    pub help: &'static str,
}

const fn spec(
    key: &'static str,
    kind: SettingKind,
    default: &'static str,
    help: &'static str,
) -> SettingSpec {
    SettingSpec { key, kind, default, help }
}

use SettingKind as K;

/// Every setting, sorted by key.
pub const SETTINGS: &[SettingSpec] = &[
    spec("execution.batch-size", K::Integer(1, 65_536), "8192", "Most rows in a batch between operators."),
    spec("execution.checkpointing.dir", K::Text, "", "Where checkpoints are kept: a directory or URL (file:, s3:)."),
    spec("execution.checkpointing.interval", K::Duration, "", "Time between checkpoints; none are taken if unset."),
    spec("execution.checkpointing.min-pause", K::Duration, "0 ms", "Least time between the end of a checkpoint and the start of the next."),
    spec("execution.checkpointing.num-retained", K::Integer(1, 1_000), "1", "Completed checkpoints that are kept."),
    spec("execution.checkpointing.savepoint-dir", K::Text, "", "Where savepoints are written; `savepoints` in the checkpoint directory if unset."),
    spec("execution.checkpointing.timeout", K::Duration, "10 min", "A checkpoint that takes longer is given up."),
    spec("execution.checkpointing.tolerable-failed-checkpoints", K::Integer(0, 1_000_000), "0", "Consecutive failed checkpoints after which the job fails."),
    spec("execution.micro-batch.interval", K::Duration, "1 s", "In micro-batch mode: longest time that rows wait in a source."),
    spec("execution.micro-batch.size", K::Integer(1, 10_000_000), "65536", "In micro-batch mode: rows that a source collects before it emits them."),
    spec("execution.mode", K::OneOf(&["continuous", "micro-batch"]), "continuous", "continuous: what has arrived goes on within milliseconds; micro-batch: sources wait for size or interval."),
    spec("execution.runtime-mode", K::OneOf(&["streaming"]), "streaming", "Only streaming; bounded inputs end by themselves."),
    spec("execution.state-recovery.ignore-unclaimed-state", K::Boolean, "false", "Whether a restore may drop state of operators that the job no longer has."),
    spec("parallelism.default", K::Integer(1, 4_096), "", "Subtasks per operator; the number of cores if unset."),
    spec("pipeline.auto-watermark-interval", K::Duration, "200 ms", "Accepted for compatibility: watermarks are computed per batch and emitted when they move."),
    spec("pipeline.max-parallelism", K::Integer(1, 32_768), "128", "Number of key groups, the upper bound of the parallelism of keyed operators; fixed for the life of a job's state."),
    spec("pipeline.name", K::Text, "", "Name of the job."),
    spec("restart-strategy.exponential-delay.attempts-before-reset-backoff", K::Integer(1, i64::MAX), "", "Restarts after which the job fails; without limit if unset."),
    spec("restart-strategy.exponential-delay.backoff-multiplier", K::Number, "1.5", "Factor between two delays."),
    spec("restart-strategy.exponential-delay.initial-backoff", K::Duration, "1 s", "First delay."),
    spec("restart-strategy.exponential-delay.jitter-factor", K::Number, "0.1", "Share of the delay by which it is randomly changed."),
    spec("restart-strategy.exponential-delay.max-backoff", K::Duration, "1 min", "Longest delay."),
    spec("restart-strategy.exponential-delay.reset-backoff-threshold", K::Duration, "1 h", "Time without failure after which the delay starts anew."),
    spec("restart-strategy.failure-rate.delay", K::Duration, "1 s", "Delay before each restart."),
    spec("restart-strategy.failure-rate.failure-rate-interval", K::Duration, "1 min", "Interval in which failures are counted."),
    spec("restart-strategy.failure-rate.max-failures-per-interval", K::Integer(1, 1_000_000), "1", "Failures within the interval after which the job fails."),
    spec("restart-strategy.fixed-delay.attempts", K::Integer(0, i64::MAX), "1", "Restarts before the job fails."),
    spec("restart-strategy.fixed-delay.delay", K::Duration, "1 s", "Delay before each restart."),
    spec("restart-strategy.type", K::OneOf(&["none", "off", "disable", "fixed-delay", "fixeddelay", "failure-rate", "failurerate", "exponential-delay", "exponentialdelay"]), "", "What happens after a failure: exponential-delay where checkpoints are taken, none where they are not, if unset."),
    spec("sql-client.execution.result-mode", K::OneOf(&["table", "changelog", "tableau"]), "table", "Accepted for compatibility; `--format` decides how results are printed."),
    spec("state.backend.memory-budget", K::MemorySize, "", "Bytes of keyed state a job may hold in memory."),
    spec("state.checkpoints.num-retained", K::Integer(1, 1_000), "1", "Older name of execution.checkpointing.num-retained."),
    spec("table.dml-sync", K::Boolean, "false", "Whether each INSERT waits for the one before it to end."),
    spec("table.exec.source.idle-timeout", K::Duration, "0 ms", "Time after which a source split without rows no longer holds back the watermark; 0 is never."),
    spec("table.local-time-zone", K::TimeZone, "default", "The session's time zone; `default` is the machine's TZ, else UTC."),
    spec("table.optimizer.agg-phase-strategy", K::OneOf(&["auto", "two_phase", "one_phase"]), "auto", "Whether aggregates run a local phase before the exchange."),
];

/// The specification of a key.
pub fn lookup(key: &str) -> Option<&'static SettingSpec> {
    SETTINGS.iter().find(|spec| spec.key == key)
}

/// Checks that a key is known and its value fits.
///
/// # Errors
/// `INVALID_OPTION` naming the key, with a suggestion for a misspelt one.
pub fn validate(key: &str, value: &str) -> Result<()> {
    let Some(spec) = lookup(key) else {
        let error = Error::new(ErrorCode::InvalidOption, format!("there is no setting '{key}'"));
        return Err(match nearest(key) {
            Some(near) => error.help(format!("did you mean '{near}'?")),
            None => error,
        });
    };
    check(spec.kind, value).map_err(|error| error.context(format!("setting {key}")))
}

fn check(kind: SettingKind, value: &str) -> Result<()> {
    let wrong = |expected: String| {
        Err(Error::new(ErrorCode::InvalidOption, format!("'{value}' is not {expected}")))
    };
    match kind {
        K::Integer(min, max) => match value.trim().parse::<i64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(()),
            _ => wrong(format!("an integer from {min} to {max}")),
        },
        K::Number => match value.trim().parse::<f64>() {
            Ok(number) if number >= 0.0 && number.is_finite() => Ok(()),
            _ => wrong("a number of at least 0".to_owned()),
        },
        K::Boolean => match value.to_ascii_lowercase().as_str() {
            "true" | "false" => Ok(()),
            _ => wrong("true or false".to_owned()),
        },
        K::Duration => parse_duration(value).map(drop),
        K::MemorySize => parse_memory_size(value).map(drop),
        K::OneOf(words) if words.contains(&value.to_ascii_lowercase().as_str()) => Ok(()),
        K::OneOf(words) => wrong(format!("one of {}", words.join(", "))),
        K::TimeZone | K::Text => Ok(()),
    }
}

/// The known key that shares most with a misspelt one, if it shares enough.
fn nearest(key: &str) -> Option<&'static str> {
    let pairs = |text: &str| -> Vec<(u8, u8)> {
        text.as_bytes().windows(2).map(|pair| (pair[0], pair[1])).collect()
    };
    let wanted = pairs(key);
    let score = |candidate: &str| {
        let have = pairs(candidate);
        let shared = wanted.iter().filter(|pair| have.contains(pair)).count();
        200 * shared / (wanted.len() + have.len()).max(1)
    };
    SETTINGS
        .iter()
        .map(|spec| (score(spec.key), spec.key))
        .max()
        .filter(|(score, _)| *score >= 60)
        .map(|(_, key)| key)
}

/// How rows leave the sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionMode {
    /// What has arrived goes on within milliseconds.
    Continuous,
    /// Sources collect rows up to a size or an interval.
    MicroBatch {
        /// Rows.
        size: usize,
        /// Longest wait.
        interval: Duration,
    },
}

/// What happens after a failure. Semantics and names: Flink's restart strategies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RestartStrategy {
    /// The job fails.
    None,
    /// At most `attempts` restarts, each after `delay`.
    FixedDelay {
        /// Restarts in all.
        attempts: u64,
        /// Pause.
        delay: Duration,
    },
    /// Fails once `max_failures` happen within `interval`.
    FailureRate {
        /// Failures that are tolerated within the interval.
        max_failures: u64,
        /// Length of the sliding interval.
        interval: Duration,
        /// Pause.
        delay: Duration,
    },
    /// Pauses that grow from `initial` by `multiplier` to `max`, and start anew after
    /// `reset_threshold` without failure.
    ExponentialDelay {
        /// First pause.
        initial: Duration,
        /// Longest pause.
        max: Duration,
        /// Factor.
        multiplier: f64,
        /// Time without failure that resets the pause.
        reset_threshold: Duration,
        /// Share of the pause by which it varies.
        jitter: f64,
        /// Restarts before the job fails; `None`: no limit.
        attempts: Option<u64>,
    },
}

/// Settings by key, validated.
#[derive(Debug, Clone, Default)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// No settings: all defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key.
    ///
    /// # Errors
    /// As [`validate`].
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        validate(key, value)?;
        self.0.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// Returns a key, or all, to the default.
    pub fn reset(&mut self, key: Option<&str>) {
        match key {
            Some(key) => drop(self.0.remove(key)),
            None => self.0.clear(),
        }
    }

    /// The settings that were made, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The value as text: what was set, else the default; `None` if there is neither.
    pub fn get(&self, key: &str) -> Option<&str> {
        match self.0.get(key) {
            Some(value) => Some(value),
            None => lookup(key).map(|spec| spec.default).filter(|text| !text.is_empty()),
        }
    }

    /// A duration; `None` if neither set nor defaulted.
    pub fn duration(&self, key: &str) -> Option<Duration> {
        self.get(key).and_then(|text| parse_duration(text).ok())
    }

    /// An integer; `None` if neither set nor defaulted.
    pub fn integer(&self, key: &str) -> Option<i64> {
        self.get(key).and_then(|text| text.trim().parse().ok())
    }

    /// A boolean; false if neither set nor defaulted.
    pub fn boolean(&self, key: &str) -> bool {
        self.get(key).is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }

    fn number(&self, key: &str) -> f64 {
        self.get(key).and_then(|text| text.trim().parse().ok()).unwrap_or(0.0)
    }

    /// `execution.mode` with its size and interval.
    pub fn execution_mode(&self) -> ExecutionMode {
        if !self.get("execution.mode").is_some_and(|mode| mode.eq_ignore_ascii_case("micro-batch")) {
            return ExecutionMode::Continuous;
        }
        ExecutionMode::MicroBatch {
            size: self.integer("execution.micro-batch.size").unwrap_or(65_536) as usize,
            interval: self.duration("execution.micro-batch.interval").unwrap_or_default(),
        }
    }

    /// `restart-strategy.*`; unset: exponential delay if checkpoints are taken, else none.
    pub fn restart_strategy(&self) -> RestartStrategy {
        let duration = |key: &str| self.duration(key).unwrap_or_default();
        let checkpoints = self.duration("execution.checkpointing.interval").is_some();
        let kind = self.get("restart-strategy.type").unwrap_or(if checkpoints {
            "exponential-delay"
        } else {
            "none"
        });
        match kind.to_ascii_lowercase().as_str() {
            "fixed-delay" | "fixeddelay" => RestartStrategy::FixedDelay {
                attempts: self.integer("restart-strategy.fixed-delay.attempts").unwrap_or(1) as u64,
                delay: duration("restart-strategy.fixed-delay.delay"),
            },
            "failure-rate" | "failurerate" => RestartStrategy::FailureRate {
                max_failures: self
                    .integer("restart-strategy.failure-rate.max-failures-per-interval")
                    .unwrap_or(1) as u64,
                interval: duration("restart-strategy.failure-rate.failure-rate-interval"),
                delay: duration("restart-strategy.failure-rate.delay"),
            },
            "exponential-delay" | "exponentialdelay" => RestartStrategy::ExponentialDelay {
                initial: duration("restart-strategy.exponential-delay.initial-backoff"),
                max: duration("restart-strategy.exponential-delay.max-backoff"),
                multiplier: self.number("restart-strategy.exponential-delay.backoff-multiplier"),
                reset_threshold: duration("restart-strategy.exponential-delay.reset-backoff-threshold"),
                jitter: self.number("restart-strategy.exponential-delay.jitter-factor"),
                attempts: self
                    .integer("restart-strategy.exponential-delay.attempts-before-reset-backoff")
                    .map(|attempts| attempts as u64),
            },
            _ => RestartStrategy::None,
        }
    }

    /// How many completed checkpoints are kept.
    pub fn retained_checkpoints(&self) -> usize {
        let newer = self.0.get("execution.checkpointing.num-retained");
        let key = if newer.is_some() {
            "execution.checkpointing.num-retained"
        } else {
            "state.checkpoints.num-retained"
        };
        self.integer(key).unwrap_or(1) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_sorted_and_its_defaults_are_valid() {
        assert!(SETTINGS.windows(2).all(|pair| pair[0].key < pair[1].key));
        for spec in SETTINGS.iter().filter(|spec| !spec.default.is_empty()) {
            check(spec.kind, spec.default).unwrap_or_else(|error| panic!("{}: {error}", spec.key));
        }
    }

    #[test]
    fn a_misspelt_key_gets_a_suggestion() {
        let error = validate("execution.checkpoint.interval", "1 s").unwrap_err();
        assert!(error.to_string().contains("execution.checkpointing.interval"), "{error}");
        assert!(validate("zzz", "1").unwrap_err().help_text().is_none());
    }

    #[test]
    fn the_restart_strategy_depends_on_checkpointing() {
        let mut settings = Settings::new();
        assert_eq!(settings.restart_strategy(), RestartStrategy::None);
        settings.set("execution.checkpointing.interval", "1 s").unwrap();
        assert!(matches!(settings.restart_strategy(), RestartStrategy::ExponentialDelay { attempts: None, .. }));
        settings.set("restart-strategy.type", "none").unwrap();
        assert_eq!(settings.restart_strategy(), RestartStrategy::None);
    }
}
