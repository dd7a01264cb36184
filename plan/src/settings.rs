//! The registry of job settings: what `SET`, `--set`, configuration files and the docs know, with
//! Flink's names; and their typed form.

mod check;
mod registry;

use std::collections::BTreeMap;
use std::time::Duration;

use tidegate_types::Result;
use tidegate_types::quantity::{parse_duration, parse_memory_size};

pub use check::validate;
pub use registry::{SETTINGS, SettingKind, SettingSpec, lookup};

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

    /// A memory size in bytes; `None` if neither set nor defaulted.
    pub fn memory_size(&self, key: &str) -> Option<u64> {
        self.get(key).and_then(|text| parse_memory_size(text).ok())
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
        if !self.get("execution.mode").is_some_and(|mode| mode.eq_ignore_ascii_case("micro-batch"))
        {
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
                reset_threshold: duration(
                    "restart-strategy.exponential-delay.reset-backoff-threshold",
                ),
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
    fn the_restart_strategy_depends_on_checkpointing() {
        let mut settings = Settings::new();
        assert_eq!(settings.restart_strategy(), RestartStrategy::None);
        settings.set("execution.checkpointing.interval", "1 s").unwrap();
        assert!(matches!(
            settings.restart_strategy(),
            RestartStrategy::ExponentialDelay { attempts: None, .. }
        ));
        settings.set("restart-strategy.type", "none").unwrap();
        assert_eq!(settings.restart_strategy(), RestartStrategy::None);
    }
}
