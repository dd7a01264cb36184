//! When slots were last used, in coarse ticks, and which have not been for too long.

/// Ticks in the time to live.
const TICKS: i64 = 64;
/// The tick of a slot without a key.
const VACANT: u32 = u32::MAX;

/// Last use by slot.
pub(crate) struct Ttl {
    /// Milliseconds of a tick, and the time of tick 0.
    tick_ms: i64,
    base: Option<i64>,
    /// Ticks after which a slot is too old: no sooner than the time to live.
    ticks: u32,
    used: Vec<u32>,
    /// Where the sweep goes on, and the tick in which its round began.
    next: usize,
    swept: Option<u32>,
}

impl Ttl {
    /// For a time to live in ms; `None` if it is for ever.
    pub(crate) fn new(ttl_ms: u64) -> Option<Self> {
        let ttl = i64::try_from(ttl_ms).unwrap_or(i64::MAX);
        let tick_ms = (ttl / TICKS).max(1);
        let ticks = u32::try_from((ttl - 1) / tick_ms + 1).unwrap_or(VACANT - 1);
        let (base, used) = (None, Vec::new());
        (ttl > 0).then_some(Self { tick_ms, base, ticks, used, next: 0, swept: None })
    }

    /// Milliseconds of a tick.
    pub(crate) fn tick_ms(&self) -> i64 {
        self.tick_ms
    }

    fn tick(&mut self, now_ms: i64) -> u32 {
        // Room below: restored times lie before.
        let span = (i64::from(self.ticks) + 1).saturating_mul(self.tick_ms);
        let base = *self.base.get_or_insert(now_ms.saturating_sub(span.saturating_mul(2)));
        let tick = now_ms.saturating_sub(base).max(0) / self.tick_ms;
        u32::try_from(tick).map_or(VACANT - 1, |tick| tick.min(VACANT - 1))
    }

    /// Makes room for slots `0..slots`.
    pub(crate) fn resize(&mut self, slots: usize) {
        self.used.resize(slots.max(self.used.len()), VACANT);
    }

    /// Notes the use of slots; those that were too old go to `expired`, each once.
    pub(crate) fn touch(&mut self, slots: &[u32], now_ms: i64, expired: &mut Vec<u32>) {
        let now = self.tick(now_ms);
        for slot in slots {
            let used = &mut self.used[*slot as usize];
            if *used != now {
                if *used != VACANT && now.saturating_sub(*used) > self.ticks {
                    expired.push(*slot);
                }
                *used = now;
            }
        }
    }

    /// Adds slots that are too old to `expired`, each once: they count as used now.
    pub(crate) fn check(&mut self, slots: &[u32], now_ms: i64, expired: &mut Vec<u32>) {
        let now = self.tick(now_ms);
        for slot in slots {
            let used = &mut self.used[*slot as usize];
            if *used != VACANT && now.saturating_sub(*used) > self.ticks {
                expired.push(*slot);
                *used = now;
            }
        }
    }

    /// Sets the last use of a slot, as restored.
    pub(crate) fn restore(&mut self, slot: u32, used_ms: i64) {
        self.used[slot as usize] = self.tick(used_ms);
    }

    /// The slot is out of use.
    pub(crate) fn vacate(&mut self, slot: u32) {
        self.used[slot as usize] = VACANT;
    }

    /// When a slot was last used, ms.
    pub(crate) fn used_ms(&self, slot: u32) -> Option<i64> {
        let tick = self.used[slot as usize];
        let base = self.base.filter(|_| tick != VACANT)?;
        Some(base.saturating_add(i64::from(tick) * self.tick_ms))
    }

    /// Goes on round the table by at most `steps` slots, once per tick: those that are too old.
    pub(crate) fn sweep(&mut self, now_ms: i64, steps: usize) -> Vec<u32> {
        let now = self.tick(now_ms);
        if self.next == 0 && self.swept == Some(now) {
            return Vec::new();
        }
        if self.next == 0 {
            self.swept = Some(now);
        }
        let until = self.used.len().min(self.next + steps);
        let old = |slot: &usize| {
            self.used[*slot] != VACANT && now.saturating_sub(self.used[*slot]) > self.ticks
        };
        let expired = (self.next..until).filter(old).map(|slot| slot as u32).collect();
        self.next = if until == self.used.len() { 0 } else { until };
        expired
    }

    /// Bytes held.
    pub(crate) fn memory_size(&self) -> usize {
        self.used.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_expires_before_its_time_and_everything_soon_after() {
        for ttl_ms in [1, 10, 64, 1_000, 86_400_000] {
            let mut ttl = Ttl::new(ttl_ms).unwrap();
            ttl.resize(3);
            let start = 1_700_000_000_123;
            ttl.touch(&[0, 2], start, &mut Vec::new());
            let end = start + ttl_ms as i64;
            assert!(ttl.sweep(end, 100).is_empty(), "{ttl_ms}");
            let mut expired = Vec::new();
            ttl.touch(&[2], end, &mut expired);
            assert!(expired.is_empty());
            let late = end + 2 * ttl.tick_ms() + 1;
            assert_eq!(ttl.sweep(late, 2), [0]);
            ttl.touch(&[0, 0], late, &mut expired);
            assert_eq!(expired, [0]);
        }
        assert!(Ttl::new(0).is_none());
    }

    #[test]
    fn restored_times_count() {
        let mut ttl = Ttl::new(1_000).unwrap();
        ttl.resize(2);
        ttl.touch(&[0], 50_000, &mut Vec::new());
        ttl.restore(1, 49_000);
        assert!((48_900..=49_000).contains(&ttl.used_ms(1).unwrap()));
        assert_eq!(ttl.sweep(50_100, 10), [1]);
    }
}
