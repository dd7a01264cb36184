//! The seeds of a random test: as many as give the wanted number of cases, or as the time allows.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::now;

/// Seeds that are still to come.
#[derive(Debug)]
pub struct Seeds {
    first: u64,
    next: u64,
    end: u64,
    cases_per_seed: u64,
    start: Instant,
    limit: Option<Duration>,
}

impl Seeds {
    /// Seeds from `first` on for so many cases. None is begun after so many minutes; 0: without a limit.
    pub fn new(first: u64, cases: u64, cases_per_seed: u64, minutes: u64) -> Self {
        let end = first.saturating_add(cases.div_ceil(cases_per_seed));
        let limit = (minutes > 0).then(|| Duration::from_secs(minutes.saturating_mul(60)));
        Self { first, next: first, end, cases_per_seed, start: now(), limit }
    }

    /// What is to be done, for the log.
    pub fn plan(&self) -> String {
        let (cases, last) = (self.cases(self.end), self.end.saturating_sub(1));
        format!("{cases} random cases, seeds {} to {last}", self.first)
    }

    /// What has been begun, for the log.
    pub fn done(&self) -> String {
        let seconds = self.start.elapsed().as_secs();
        match self.next == self.first {
            true => format!("no case in {seconds} s"),
            false => format!(
                "{} cases, seeds {} to {}, in {seconds} s",
                self.cases(self.next),
                self.first,
                self.next - 1
            ),
        }
    }

    fn cases(&self, end: u64) -> u64 {
        (end - self.first) * self.cases_per_seed
    }

    /// Carries out `ask` for every seed, so many at a time.
    pub fn each(self, jobs: u64, ask: impl Fn(u64) + Sync) -> Self {
        let seeds = Mutex::new(self);
        let next = || seeds.lock().unwrap_or_else(PoisonError::into_inner).next();
        std::thread::scope(|scope| {
            for _ in 0..jobs.clamp(1, 64) {
                scope.spawn(|| {
                    while let Some(seed) = next() {
                        ask(seed);
                    }
                });
            }
        });
        seeds.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Iterator for Seeds {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let late = self.limit.is_some_and(|limit| self.start.elapsed() >= limit);
        if late || self.next >= self.end {
            return None;
        }
        self.next += 1;
        Some(self.next - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_comes_once_until_the_cases_are_there() {
        let seen = Mutex::new(Vec::new());
        let seeds = Seeds::new(7, 41, 20, 0).each(3, |seed| seen.lock().unwrap().push(seed));
        let mut seen = seen.into_inner().unwrap();
        seen.sort_unstable();
        assert_eq!(seen, [7, 8, 9]);
        assert!(seeds.done().starts_with("60 cases, seeds 7 to 9, in "), "{}", seeds.done());
        assert_eq!(Seeds::new(7, 41, 20, 0).plan(), "60 random cases, seeds 7 to 9");
    }

    #[test]
    fn no_seed_is_begun_when_the_time_is_over() {
        let mut seeds = Seeds::new(1, 1_000, 20, 1);
        assert_eq!(seeds.next(), Some(1));
        seeds.limit = Some(Duration::ZERO);
        assert_eq!(seeds.next(), None);
        assert!(seeds.done().starts_with("20 cases, seeds 1 to 1, in "));
    }
}
