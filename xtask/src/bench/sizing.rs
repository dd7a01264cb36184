//! How many events make a run as long as it should be, given how long another run took.

/// Events are counted in steps of this many, a multiple of the generator's block.
const STEP: u64 = 100_000;

/// A run of so many events says how fast a query is, roughly.
pub(crate) const SAMPLE_EVENTS: u64 = 4_000_000;

/// A sample shorter than this, in seconds, says more about starting than about running.
pub(crate) const SAMPLE_SECONDS: f64 = 2.0;

/// How much longer than asked a run is made, so that it is not too short: machines are never as fast
/// twice.
const MARGIN: f64 = 1.15;

/// Events for a run of at least `seconds`, when `events` took `took` seconds.
pub(crate) fn events_for(seconds: f64, events: u64, took: f64) -> u64 {
    let rate = events as f64 / took.max(1e-3);
    let wanted = (rate * seconds * MARGIN).max(1.0);
    // Saturates far beyond what any machine does.
    (wanted as u64).div_ceil(STEP).saturating_mul(STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_grows_with_rate_and_time_in_whole_steps() {
        assert_eq!(events_for(30.0, 4_000_000, 2.0), 69_000_000);
        assert_eq!(events_for(30.0, 4_000_000, 1.0), 138_000_000);
        assert_eq!(events_for(1.0, 1, 1.0), STEP);
        assert_eq!(events_for(30.0, 4_000_001, 2.0) % STEP, 0);
    }

    #[test]
    fn a_run_without_duration_does_not_ask_for_everything() {
        assert_eq!(events_for(1.0, 100_000, 0.0), 115_000_000);
    }
}
