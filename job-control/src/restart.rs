//! Restart strategies: whether and when a failed run is tried again. Semantics: Flink's strategies
//! of the same names.

use std::collections::VecDeque;

use tidegate_plan::settings::RestartStrategy;

/// The state of a job's restart strategy.
#[derive(Debug, Clone)]
pub struct Restarts {
    strategy: RestartStrategy,
    failures: VecDeque<i64>,
    count: u64,
    backoff_ms: f64,
    last_failure_ms: Option<i64>,
}

impl Restarts {
    /// A fresh state.
    pub fn new(strategy: RestartStrategy) -> Self {
        Self {
            strategy,
            failures: VecDeque::new(),
            count: 0,
            backoff_ms: 0.0,
            last_failure_ms: None,
        }
    }

    /// A run failed at `now_ms`: the time at which to start the next one, or `None` to give up.
    /// `jitter` in −1 ..= 1 scales the strategy's jitter.
    pub fn on_failure(&mut self, now_ms: i64, jitter: f64) -> Option<i64> {
        let at = |delay: std::time::Duration| now_ms.saturating_add(delay.as_millis() as i64);
        match self.strategy {
            RestartStrategy::None => None,
            RestartStrategy::FixedDelay { attempts, delay } => {
                self.count += 1;
                (self.count <= attempts).then(|| at(delay))
            }
            RestartStrategy::FailureRate { max_failures, interval, delay } => {
                let oldest = now_ms.saturating_sub(interval.as_millis() as i64);
                self.failures.retain(|failure| *failure > oldest);
                self.failures.push_back(now_ms);
                (self.failures.len() as u64 <= max_failures).then(|| at(delay))
            }
            RestartStrategy::ExponentialDelay {
                initial,
                max,
                multiplier,
                reset_threshold,
                jitter: share,
                attempts,
            } => {
                let quiet = self.last_failure_ms.is_none_or(|last| {
                    now_ms.saturating_sub(last) >= reset_threshold.as_millis() as i64
                });
                self.last_failure_ms = Some(now_ms);
                if quiet {
                    self.count = 0;
                    self.backoff_ms = initial.as_millis() as f64;
                } else {
                    self.backoff_ms = (self.backoff_ms * multiplier).min(max.as_millis() as f64);
                }
                self.count += 1;
                if attempts.is_some_and(|attempts| self.count > attempts) {
                    return None;
                }
                let varied = self.backoff_ms * (1.0 + share * jitter.clamp(-1.0, 1.0));
                Some(now_ms.saturating_add(varied.max(0.0) as i64))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn fixed_delay_gives_up_after_its_attempts() {
        let delay = Duration::from_secs(2);
        let mut restarts = Restarts::new(RestartStrategy::FixedDelay { attempts: 2, delay });
        assert_eq!(
            [0, 10, 20].map(|now| restarts.on_failure(now, 0.0)),
            [Some(2_000), Some(2_010), None]
        );
    }

    #[test]
    fn failure_rate_forgets_old_failures() {
        let mut restarts = Restarts::new(RestartStrategy::FailureRate {
            max_failures: 1,
            interval: Duration::from_millis(100),
            delay: Duration::from_millis(5),
        });
        assert_eq!(
            [0, 200, 250].map(|now| restarts.on_failure(now, 0.0)),
            [Some(5), Some(205), None]
        );
    }

    #[test]
    fn exponential_delay_grows_caps_and_resets() {
        let mut restarts = Restarts::new(RestartStrategy::ExponentialDelay {
            initial: Duration::from_millis(100),
            max: Duration::from_millis(250),
            multiplier: 2.0,
            reset_threshold: Duration::from_secs(10),
            jitter: 0.1,
            attempts: None,
        });
        let delays =
            [0, 1_000, 2_000, 20_000].map(|now| restarts.on_failure(now, 0.0).unwrap() - now);
        assert_eq!(delays, [100, 200, 250, 100]);
        assert_eq!(restarts.on_failure(20_001, 1.0), Some(20_001 + 220));
    }
}
