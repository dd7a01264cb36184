//! Wrong passwords, counted: by account and address together, by account, and by address.
//!
//! Each coordinator counts what it is asked. An account with too many is locked in the catalog, for all of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a wrong password counts.
const MEMORY: Duration = Duration::from_secs(15 * 60);
/// Wrong passwords for an account from an address, before that address must wait.
const OF_BOTH: usize = 5;
/// Wrong passwords from an address for any account, before it must wait.
const OF_ADDRESS: usize = 50;
/// Wrong passwords for an account from anywhere, before it is locked.
const OF_ACCOUNT: usize = 20;
/// Keys that are kept; beyond that, those that ended longest ago go.
const KEYS: usize = 20_000;

/// What is counted.
#[derive(Debug, Default)]
pub(in crate::service) struct Attempts(Mutex<HashMap<String, Vec<Duration>>>);

/// What is to be done after a wrong password.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing.
    Nothing,
    /// The account is to be locked.
    Lock,
}

impl Attempts {
    /// How long an account must not be tried from an address; none if it may.
    pub(super) fn wait(&self, account: &str, address: &str, now: Duration) -> Option<Duration> {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bounds = [
            (both(account, address), OF_BOTH),
            (of_address(address), OF_ADDRESS),
            (of_account(account), OF_ACCOUNT),
        ];
        let until = |(key, most): &(String, usize)| {
            let times = counted.get(key)?;
            let recent: Vec<_> =
                times.iter().filter(|at| now.saturating_sub(**at) < MEMORY).collect();
            // The one that has to be forgotten before there is room again.
            let first = recent.len().checked_sub(*most)?;
            recent.get(first).map(|at| MEMORY.saturating_sub(now.saturating_sub(**at)))
        };
        bounds.iter().filter_map(until).max()
    }

    /// Counts a wrong password.
    pub(super) fn failed(&self, account: &str, address: &str, now: Duration) -> After {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.len() >= KEYS {
            counted
                .retain(|_, times| times.last().is_some_and(|at| now.saturating_sub(*at) < MEMORY));
            if counted.len() >= KEYS {
                // As many keys in a quarter of an hour are an attack; what it has of it is another start.
                counted.clear();
            }
        }
        let mut of_account_now = 0;
        for key in [both(account, address), of_address(address), of_account(account)] {
            let times = counted.entry(key.clone()).or_default();
            times.retain(|at| now.saturating_sub(*at) < MEMORY);
            if times.len() < OF_ADDRESS {
                times.push(now);
            }
            of_account_now = times.len();
        }
        if of_account_now == OF_ACCOUNT { After::Lock } else { After::Nothing }
    }

    /// Forgets what was wrong before a right password.
    pub(super) fn succeeded(&self, account: &str, address: &str) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.remove(&both(account, address));
        counted.remove(&of_account(account));
    }
}

fn both(account: &str, address: &str) -> String {
    format!("{account} {address}")
}

fn of_address(address: &str) -> String {
    format!(" {address}")
}

fn of_account(account: &str) -> String {
    format!("{account} ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_waits_after_five_and_others_do_not() {
        let attempts = Attempts::default();
        let at = Duration::from_secs;
        for n in 0..5 {
            assert_eq!(attempts.wait("ann", "10.0.0.1", at(n)), None);
            assert_eq!(attempts.failed("ann", "10.0.0.1", at(n)), After::Nothing);
        }
        assert_eq!(attempts.wait("ann", "10.0.0.1", at(10)), Some(at(15 * 60 - 10)));
        assert_eq!(attempts.wait("ann", "10.0.0.2", at(10)), None);
        assert_eq!(attempts.wait("bob", "10.0.0.1", at(10)), None);
        assert_eq!(attempts.wait("ann", "10.0.0.1", at(15 * 60)), None);
    }

    #[test]
    fn an_account_is_locked_once_whichever_addresses_try() {
        let attempts = Attempts::default();
        let now = Duration::from_secs(1);
        let after: Vec<After> =
            (0..25).map(|n| attempts.failed("ann", &format!("10.0.0.{n}"), now)).collect();
        assert_eq!(after.iter().filter(|after| **after == After::Lock).count(), 1);
        assert_eq!(after[OF_ACCOUNT - 1], After::Lock);
        assert!(attempts.wait("ann", "10.9.9.9", now).is_some());
        attempts.succeeded("ann", "10.0.0.3");
        assert_eq!(attempts.wait("ann", "10.9.9.9", now), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let attempts = Attempts::default();
        for n in 0..2 * KEYS {
            attempts.failed(&n.to_string(), "10.0.0.1", Duration::ZERO);
        }
        assert!(attempts.0.lock().unwrap().len() <= KEYS + 3);
    }
}
