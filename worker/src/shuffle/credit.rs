//! Credits: how much may be under way in a channel. Pure arithmetic; both ends count from the
//! channel's start, so that a grant may be repeated and none can be lost or counted twice.
//!
//! The reader decides on a window: as many bytes as it takes in some 200 ms at its measured rate,
//! within bounds. What it allows in all is what it has taken plus the window. A sender may send a
//! batch as long as it has sent less than it is allowed: the last batch may overdraw, so that a batch
//! larger than the window passes, and at most one of them does.

use std::time::Duration;

use tidegate_types::{Error, Result};

/// Elements of a channel that may be under way, whatever their size. Control elements cost no bytes;
/// this bounds them.
pub(crate) const ELEMENTS: u64 = 256;
/// The smallest window: below it the round trip would cost more than the order is worth.
pub(crate) const MIN_WINDOW: u64 = 64 << 10;
/// The window before a rate is known.
const FIRST_WINDOW: u64 = 256 << 10;
/// For how long a rate is measured.
const SAMPLE: Duration = Duration::from_millis(50);

/// What a sender has sent and what it is allowed, in all.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    granted_bytes: u64,
    granted_elements: u64,
    sent_bytes: u64,
    sent_elements: u64,
}

impl Allowance {
    /// Whether a batch may be sent, however large.
    pub(crate) fn admits_batch(&self) -> bool {
        self.sent_bytes < self.granted_bytes && self.admits_control()
    }

    /// Whether a control element may be sent.
    pub(crate) fn admits_control(&self) -> bool {
        self.sent_elements < self.granted_elements
    }

    /// One element is sent.
    pub(crate) fn send(&mut self, bytes: u32) {
        self.sent_bytes += u64::from(bytes);
        self.sent_elements += 1;
    }

    /// The reader allows this much in all.
    pub(crate) fn grant(&mut self, bytes: u64, elements: u64) {
        self.granted_bytes = self.granted_bytes.max(bytes);
        self.granted_elements = self.granted_elements.max(elements);
    }
}

/// What a reader has received, taken and allowed, in all.
#[derive(Debug)]
pub(crate) struct Window {
    window: u64,
    in_flight: Duration,
    granted_bytes: u64,
    granted_elements: u64,
    received_bytes: u64,
    received_elements: u64,
    taken_bytes: u64,
    taken_elements: u64,
    /// Since when the rate is measured; `None` before the first message is taken.
    sample_start: Option<Duration>,
    sample_bytes: u64,
    /// Bytes of the message that the task is working on.
    working_on: u64,
}

impl Window {
    /// A window for some `in_flight` of time, at most `limit` bytes.
    pub(crate) fn new(in_flight: Duration, limit: u64) -> Self {
        let window = FIRST_WINDOW.min(limit).max(MIN_WINDOW);
        Self {
            window,
            in_flight,
            granted_bytes: window,
            granted_elements: ELEMENTS,
            received_bytes: 0,
            received_elements: 0,
            taken_bytes: 0,
            taken_elements: 0,
            sample_start: None,
            sample_bytes: 0,
            working_on: 0,
        }
    }

    /// What the sender is allowed in all: bytes and elements.
    pub(crate) fn granted(&self) -> (u64, u64) {
        (self.granted_bytes, self.granted_elements)
    }

    /// A message arrived.
    ///
    /// # Errors
    /// `INTERNAL` if the sender had no credit for it: a bound holds only if it is checked.
    pub(crate) fn receive(&mut self, bytes: u32, elements: u32) -> Result<()> {
        let overdrawn = bytes > 0 && self.received_bytes >= self.granted_bytes;
        self.received_bytes += u64::from(bytes);
        self.received_elements += u64::from(elements);
        if overdrawn || self.received_elements > self.granted_elements {
            return Err(Error::internal(format!(
                "a channel of the shuffle was sent {} bytes in {} elements, beyond its credit of {} and {}",
                self.received_bytes,
                self.received_elements,
                self.granted_bytes,
                self.granted_elements
            )));
        }
        Ok(())
    }

    /// The task took a message, at the monotonic time `now`, and has done with the one before. Returns
    /// whether the sender should hear of a larger allowance.
    pub(crate) fn take(&mut self, bytes: u32, elements: u32, limit: u64, now: Duration) -> bool {
        self.taken_bytes += u64::from(bytes);
        self.taken_elements += u64::from(elements);
        self.sample_bytes += std::mem::replace(&mut self.working_on, u64::from(bytes));
        self.measure(limit, now);
        let bytes = self.taken_bytes + self.window;
        let more_bytes = bytes.saturating_sub(self.granted_bytes);
        let elements = self.taken_elements + ELEMENTS;
        let more_elements = elements.saturating_sub(self.granted_elements);
        let waits = self.received_bytes >= self.granted_bytes && more_bytes > 0;
        // Telling each step would cost a message per batch; telling too late would make the sender
        // wait for the round trip.
        let tell = waits || more_bytes >= self.window / 4 || more_elements >= ELEMENTS / 4;
        if tell {
            self.granted_bytes = self.granted_bytes.max(bytes);
            self.granted_elements = self.granted_elements.max(elements);
        }
        tell
    }

    /// Every [`SAMPLE`] the window becomes what the task takes in the time that may be in flight. A
    /// channel that waits for its sender has a window far above its round trip's need, so that its
    /// rate can grow from sample to sample.
    fn measure(&mut self, limit: u64, now: Duration) {
        let elapsed = now.saturating_sub(*self.sample_start.get_or_insert(now));
        if elapsed < SAMPLE {
            return;
        }
        let per_second = self.sample_bytes as f64 / elapsed.as_secs_f64();
        let wanted = (per_second * self.in_flight.as_secs_f64()) as u64;
        self.window = wanted.min(limit).max(MIN_WINDOW);
        self.sample_start = Some(now);
        self.sample_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IN_FLIGHT: Duration = Duration::from_millis(200);
    const LIMIT: u64 = 4 << 20;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn pair() -> (Allowance, Window) {
        let window = Window::new(IN_FLIGHT, LIMIT);
        let mut allowance = Allowance::default();
        assert!(!allowance.admits_control(), "nothing goes before the reader has agreed");
        let (bytes, elements) = window.granted();
        allowance.grant(bytes, elements);
        (allowance, window)
    }

    #[test]
    fn one_batch_may_overdraw_and_no_second() {
        let (mut allowance, mut window) = pair();
        assert!(allowance.admits_batch());
        allowance.send(100 << 20);
        window.receive(100 << 20, 1).unwrap();
        assert!(!allowance.admits_batch());
        assert!(allowance.admits_control(), "a barrier needs no bytes");
        assert!(window.take(100 << 20, 1, LIMIT, ms(1)));
        let (bytes, elements) = window.granted();
        allowance.grant(bytes, elements);
        assert!(allowance.admits_batch());
    }

    #[test]
    fn a_sender_without_credit_is_found_out() {
        let (_, mut window) = pair();
        window.receive(FIRST_WINDOW as u32, 1).unwrap();
        window.receive(0, 1).unwrap();
        assert!(window.receive(1, 1).is_err());
        let (_, mut window) = pair();
        for _ in 0..ELEMENTS {
            window.receive(0, 1).unwrap();
        }
        assert!(window.receive(0, 1).is_err());
    }

    #[test]
    fn the_window_follows_the_rate_of_the_reader() {
        let (_, mut window) = pair();
        // 10 MB/s: 1 MB every 100 ms, so 2 MB in 200 ms.
        for step in 1..=10 {
            window.receive(1_000_000, 1).unwrap();
            window.take(1_000_000, 1, LIMIT, ms(step * 100));
        }
        assert_eq!(window.window, 2_000_000);
        // 100 KB/s: the window falls to its floor, and what was allowed stays allowed.
        let before = window.granted().0;
        window.take(100_000, 1, LIMIT, ms(2_000));
        window.take(100_000, 1, LIMIT, ms(3_000));
        assert_eq!(window.window, MIN_WINDOW);
        assert_eq!(window.granted().0, before);
        // 1 GB/s: the limit holds.
        window.take(100_000_000, 1, LIMIT, ms(3_100));
        window.take(100_000_000, 1, LIMIT, ms(3_200));
        assert_eq!(window.window, LIMIT);
    }

    /// Whatever the window does, a sender whose batches are all taken may send again.
    #[test]
    fn a_shrunken_window_never_locks_the_channel() {
        let (mut allowance, mut window) = pair();
        let mut now = 0;
        for round in 0..1_000u64 {
            assert!(allowance.admits_batch(), "round {round}");
            let bytes = if round % 7 == 0 { 5_000_000 } else { 300 };
            allowance.send(bytes);
            window.receive(bytes, 1).unwrap();
            now += if round % 3 == 0 { 500 } else { 1 };
            window.take(bytes, 1, LIMIT, ms(now));
            let (granted, elements) = window.granted();
            allowance.grant(granted, elements);
        }
    }

    #[test]
    fn grants_are_told_in_steps() {
        let (_, mut window) = pair();
        let mut told = 0;
        for _ in 0..ELEMENTS {
            window.receive(100, 1).unwrap();
            told += u32::from(window.take(100, 1, LIMIT, ms(1)));
        }
        assert_eq!(told, 4);
    }
}
