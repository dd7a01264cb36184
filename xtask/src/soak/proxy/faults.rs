//! Which fault a request meets: by chance, with rates that the caller sets, from a seed. Every fault is counted.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use serde::Serialize;

use super::super::prng::Prng;
use super::LONGEST_DELAY;

/// What may happen to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// 429, as stores answer those who ask too often.
    SlowDown,
    /// 500.
    InternalError,
    /// 503.
    Unavailable,
    /// The connection is reset and the store never hears of it.
    Reset,
    /// The store does what it was asked, and the answer never arrives.
    LostAnswer,
    /// The store hears of it later.
    Delay,
    /// A byte of the object is another one.
    Corrupt,
}

/// Per cent of requests that meet each fault; of corruption, per cent of those that read an object and meet no other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rates([f64; 7]);

const ORDER: [(Fault, &str); 7] = [
    (Fault::SlowDown, "slow-down"),
    (Fault::InternalError, "internal-error"),
    (Fault::Unavailable, "unavailable"),
    (Fault::Reset, "reset"),
    (Fault::LostAnswer, "lost-answer"),
    (Fault::Delay, "delay"),
    (Fault::Corrupt, "corrupt"),
];

/// All but corruption exclude each other.
const OTHERS: usize = ORDER.len() - 1;

impl Default for Rates {
    fn default() -> Self {
        Self([2.0, 1.0, 1.0, 2.0, 3.0, 5.0, 8.0])
    }
}

impl FromStr for Rates {
    type Err = anyhow::Error;

    /// `name=per cent,…`; those that are not named are 0.
    fn from_str(text: &str) -> Result<Self> {
        let mut rates = [0.0; 7];
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (name, rate) = part.split_once('=').context("a rate is NAME=PER CENT")?;
            let Some(place) = ORDER.iter().position(|(_, known)| *known == name) else {
                let known = ORDER.map(|(_, name)| name).join(", ");
                bail!("there is no fault `{name}`; there are: {known}");
            };
            rates[place] = rate.parse().with_context(|| format!("{rate} is no number"))?;
        }
        let sum: f64 = rates[..OTHERS].iter().sum();
        let valid = rates.iter().all(|rate| (0.0..=100.0).contains(rate)) && sum <= 100.0;
        ensure!(valid, "rates are per cent and add up to at most 100");
        Ok(Self(rates))
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, ((_, name), rate)) in ORDER.iter().zip(self.0).enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{name}={rate}")?;
        }
        Ok(())
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Requests while faults were on.
    pub(crate) requests: u64,
    /// Answered with 429.
    pub(crate) slow_down: u64,
    /// Answered with 500.
    pub(crate) internal_error: u64,
    /// Answered with 503.
    pub(crate) unavailable: u64,
    /// Reset before the store heard of them.
    pub(crate) reset: u64,
    /// Done and not answered.
    pub(crate) lost_answer: u64,
    /// Delayed.
    pub(crate) delay: u64,
    /// Answered with a changed byte.
    pub(crate) corrupt: u64,
}

/// Draws faults and counts them.
pub(super) struct Chance {
    rates: Rates,
    state: Mutex<(Prng, Counts)>,
}

impl Chance {
    pub(super) fn new(seed: u64, rates: Rates) -> Self {
        Self { rates, state: Mutex::new((Prng::new(seed), Counts::default())) }
    }

    pub(super) fn counts(&self) -> Counts {
        self.lock().1
    }

    /// The fault of one request, if it meets one. A fault that does not fit the request is none.
    pub(super) fn draw(&self, reads_object: bool) -> Option<Fault> {
        let mut state = self.lock();
        let (prng, counts) = &mut *state;
        counts.requests += 1;
        let mut dice = (prng.bits() >> 11) as f64 / (1_u64 << 53) as f64 * 100.0;
        let [others @ .., corrupt] = self.rates.0;
        let hit = ORDER.iter().zip(others).find(|(_, rate)| {
            dice -= rate;
            dice < 0.0
        });
        let Some(((fault, _), _)) = hit else {
            // Counted when a byte is changed: the answer may be an error or empty.
            return (reads_object && prng.chance(corrupt)).then_some(Fault::Corrupt);
        };
        let fault = *fault;
        let count = match fault {
            Fault::SlowDown => &mut counts.slow_down,
            Fault::InternalError => &mut counts.internal_error,
            Fault::Unavailable => &mut counts.unavailable,
            Fault::Reset => &mut counts.reset,
            Fault::LostAnswer => &mut counts.lost_answer,
            Fault::Delay => &mut counts.delay,
            Fault::Corrupt => &mut counts.corrupt,
        };
        *count += 1;
        Some(fault)
    }

    /// A moment of random length.
    pub(super) fn delay(&self) -> Duration {
        let longest = u64::try_from(LONGEST_DELAY.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.lock().0.between(1, longest))
    }

    /// The same bytes but for one bit.
    pub(super) fn corrupt(&self, body: Bytes) -> Bytes {
        let mut bytes = body.to_vec();
        let mut state = self.lock();
        let place = state.0.below(bytes.len() as u64) as usize;
        let bit = state.0.below(8);
        let Some(byte) = bytes.get_mut(place) else {
            return body;
        };
        *byte ^= 1 << bit;
        state.1.corrupt += 1;
        bytes.into()
    }

    fn lock(&self) -> MutexGuard<'_, (Prng, Counts)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_and_checked() {
        let rates: Rates = "reset=2.5,corrupt=10".parse().unwrap();
        assert_eq!(rates, Rates([0.0, 0.0, 0.0, 2.5, 0.0, 0.0, 10.0]));
        let error = "rest=2".parse::<Rates>().unwrap_err().to_string();
        assert!(error.contains("rest") && error.contains("lost-answer"), "{error}");
        assert!("reset=60,delay=60".parse::<Rates>().is_err());
        assert!("reset=-1".parse::<Rates>().is_err() && "reset".parse::<Rates>().is_err());
    }

    #[test]
    fn faults_come_as_often_as_asked_and_are_counted() {
        let chance = Chance::new(3, "slow-down=10,corrupt=10".parse().unwrap());
        let drawn: Vec<_> = (0..10_000).map(|_| chance.draw(false)).collect();
        let slow = drawn.iter().filter(|fault| **fault == Some(Fault::SlowDown)).count();
        assert!((850..1_150).contains(&slow), "{slow}");
        assert!(!drawn.contains(&Some(Fault::Corrupt)), "it does not read an object");
        let counts = chance.counts();
        assert_eq!((counts.requests, counts.slow_down), (10_000, slow as u64));
        assert!((0..100).any(|_| chance.draw(true) == Some(Fault::Corrupt)));
        assert_eq!(chance.counts().corrupt, 0);
    }

    #[test]
    fn one_bit_is_changed_and_counted_and_nothing_stays_nothing() {
        let chance = Chance::new(3, Rates::default());
        let body = Bytes::from(vec![0_u8; 100]);
        let changed = chance.corrupt(body);
        assert_eq!(changed.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
        assert_eq!(chance.corrupt(Bytes::new()).len(), 0);
        assert_eq!(chance.counts().corrupt, 1);
    }
}
