//! How many calls there may be in a second: of projects by their quotas, and of records of refused calls.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Buckets that are kept; when there are more, those that are full are forgotten.
const BUCKETS: usize = 10_000;

/// Token buckets by key: each holds a second's worth and fills up evenly.
#[derive(Debug, Default)]
pub(super) struct Rates(Mutex<HashMap<String, Bucket>>);

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Duration,
    /// What was refused since the last that was let through.
    refused: u32,
}

impl Rates {
    /// Takes one of a key's; how many were refused since the last, or none if this one is refused. `now` is any
    /// monotonic time.
    pub(super) fn take(&self, key: &str, per_second: u32, now: Duration) -> Option<u32> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let most = f64::from(per_second.max(1));
        if buckets.len() >= BUCKETS && !buckets.contains_key(key) {
            let full = |bucket: &Bucket| now.saturating_sub(bucket.at) >= Duration::from_secs(1);
            buckets.retain(|_, bucket| !full(bucket));
            if buckets.len() >= BUCKETS {
                // More keys in one second than are kept: they are bounded together.
                buckets.clear();
            }
        }
        let bucket =
            buckets.entry(key.to_owned()).or_insert(Bucket { left: most, at: now, refused: 0 });
        let since = now.saturating_sub(bucket.at).as_secs_f64();
        bucket.left = (bucket.left + since * most).min(most);
        bucket.at = now;
        if bucket.left < 1.0 {
            bucket.refused = bucket.refused.saturating_add(1);
            return None;
        }
        bucket.left -= 1.0;
        Some(std::mem::take(&mut bucket.refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holds_what_it_may_and_says_what_was_left_out() {
        let rates = Rates::default();
        let at = Duration::from_millis;
        let taken = (0..10).filter(|_| rates.take("a", 3, at(0)).is_some()).count();
        assert_eq!(taken, 3);
        assert_eq!(rates.take("b", 3, at(0)), Some(0), "each key has its own");
        assert_eq!(rates.take("a", 3, at(334)), Some(7));
        assert_eq!(rates.take("a", 3, at(335)), None);
        assert_eq!(rates.take("a", 3, at(10_000)), Some(1));
    }

    #[test]
    fn keys_are_bounded() {
        let rates = Rates::default();
        for n in 0..3 * BUCKETS {
            rates.take(&n.to_string(), 1, Duration::ZERO);
        }
        assert!(rates.0.lock().unwrap().len() <= BUCKETS);
    }
}
