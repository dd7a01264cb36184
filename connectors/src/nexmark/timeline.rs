//! Event time of event numbers, for constant and changing rates.
//!
//! Event *k* of a constant rate has time `base + ⌊k × 1000 / rate⌋` ms. With two different rates the
//! rate changes every step of a cycle: `SQUARE` has two steps, `SINE` ten that follow a cosine; a
//! step takes `period / steps` seconds, rounded up, and holds `seconds × rate` events.

use super::options::{RateShape, Shape};

const SINE_STEPS: u64 = 10;

/// Maps event numbers to event time. Never decreasing.
#[derive(Debug, Clone)]
pub(super) struct Timeline {
    base_ms: i64,
    steps: Vec<Step>,
    /// Events in a cycle of all steps.
    cycle_events: u64,
    /// Duration of a cycle.
    cycle_ms: u64,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    /// Number of the first event, from the start of the cycle.
    first: u64,
    /// Events per second.
    rate: u64,
    /// Start of the step, from the start of the cycle.
    start_ms: u64,
}

/// Where an event number falls.
struct Place {
    /// Whole milliseconds since the epoch.
    ms: i64,
    /// What is left of the division by the rate, in events × 1000.
    remainder: u64,
    rate: u64,
    /// Events from here to the end of the step.
    left: u64,
}

impl Timeline {
    /// The timeline of checked options: rates are at least 1.
    pub(super) fn new(shape: &Shape) -> Self {
        let rates = rates(shape);
        let seconds = shape.rate_period_s.div_ceil(rates.len() as u64).max(1);
        let (mut steps, mut first, mut start_ms) = (Vec::new(), 0, 0);
        for rate in rates {
            steps.push(Step { first, rate, start_ms });
            first += seconds * rate;
            start_ms += seconds * 1000;
        }
        if steps.len() == 1 {
            (first, start_ms) = (u64::MAX, u64::MAX);
        }
        Self { base_ms: shape.base_time_ms, steps, cycle_events: first, cycle_ms: start_ms }
    }

    /// Event time of event `number`, in milliseconds since the epoch.
    pub(super) fn time(&self, number: u64) -> i64 {
        self.place(number).ms
    }

    /// Appends the event times of `count` events from `first` on.
    pub(super) fn extend(&self, mut first: u64, mut count: u64, out: &mut Vec<i64>) {
        while count > 0 {
            let place = self.place(first);
            let here = count.min(place.left);
            // The division of (k × 1000) / rate, carried from event to event.
            let (whole, part, rate) = (1000 / place.rate, 1000 % place.rate, place.rate);
            let (mut ms, mut remainder) = (place.ms, place.remainder);
            out.extend((0..here).map(move |_| {
                let now = ms;
                remainder += part;
                let carry = remainder >= rate;
                remainder -= if carry { rate } else { 0 };
                ms += whole as i64 + i64::from(carry);
                now
            }));
            first += here;
            count -= here;
        }
    }

    fn place(&self, number: u64) -> Place {
        let (cycle, in_cycle) = (number / self.cycle_events, number % self.cycle_events);
        let index = self.steps.partition_point(|step| step.first <= in_cycle).saturating_sub(1);
        let step = self.steps[index];
        let end = self.steps.get(index + 1).map_or(self.cycle_events, |next| next.first);
        let in_step = in_cycle - step.first;
        let scaled = u128::from(in_step) * 1000;
        // Below 2⁵⁴ events the product fits 64 bits, whose division is several times faster.
        let (ms, remainder) = match u64::try_from(scaled) {
            Ok(scaled) => (scaled / step.rate, scaled % step.rate),
            Err(_) => {
                let rate = u128::from(step.rate);
                ((scaled / rate) as u64, (scaled % rate) as u64)
            }
        };
        let offset = cycle.wrapping_mul(self.cycle_ms).wrapping_add(step.start_ms).wrapping_add(ms);
        let ms = self.base_ms.saturating_add_unsigned(offset);
        Place { ms, remainder, rate: step.rate, left: end - in_cycle }
    }
}

/// Rates of the steps of a cycle, in events per second.
fn rates(shape: &Shape) -> Vec<u64> {
    let (first, next) = (shape.first_event_rate, shape.next_event_rate);
    if first == next {
        return vec![first];
    }
    match shape.rate_shape {
        RateShape::Square => vec![first, next],
        RateShape::Sine => (0..SINE_STEPS)
            .map(|step| {
                let (first, next) = (first as f64, next as f64);
                let angle = std::f64::consts::TAU * step as f64 / SINE_STEPS as f64;
                let rate = f64::midpoint(first, next) + (first - next) / 2.0 * angle.cos();
                (rate.round() as u64).max(1)
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(first: u64, next: u64, rate_shape: RateShape) -> Shape {
        Shape {
            first_event_rate: first,
            next_event_rate: next,
            rate_shape,
            rate_period_s: 20,
            base_time_ms: 5,
            ..Shape::default()
        }
    }

    fn check_extend(timeline: &Timeline, first: u64, count: u64) {
        let mut times = Vec::new();
        timeline.extend(first, count, &mut times);
        let expected: Vec<i64> = (first..first + count).map(|k| timeline.time(k)).collect();
        assert_eq!(times, expected);
        assert!(times.is_sorted());
    }

    #[test]
    fn a_constant_rate_divides_the_second() {
        for rate in [1, 3, 7, 999, 1000, 1001, 10_000, 3_000_000] {
            let timeline = Timeline::new(&shape(rate, rate, RateShape::Square));
            for k in [0, 1, 2, 999, 1000, 123_456_789] {
                let expected = 5 + (u128::from(k) * 1000 / u128::from(rate)) as i64;
                assert_eq!(timeline.time(k), expected, "event {k} at {rate}/s");
            }
            check_extend(&timeline, 12_345, 5_000);
        }
    }

    #[test]
    fn a_square_alternates_between_two_rates() {
        let timeline = Timeline::new(&shape(10, 100, RateShape::Square));
        // 10 s of 10/s, then 10 s of 100/s.
        assert_eq!(timeline.time(99), 5 + 9_900);
        assert_eq!(timeline.time(100), 5 + 10_000);
        assert_eq!(timeline.time(101), 5 + 10_010);
        assert_eq!(timeline.time(1_100), 5 + 20_000);
        check_extend(&timeline, 0, 4_000);
    }

    #[test]
    fn a_sine_starts_at_the_first_rate_and_never_goes_back() {
        let timeline = Timeline::new(&shape(100, 20, RateShape::Sine));
        assert_eq!(timeline.time(1), 5 + 10);
        check_extend(&timeline, 0, 5_000);
    }

    #[test]
    fn numbers_near_the_limit_do_not_overflow() {
        let timeline = Timeline::new(&shape(1_000_000, 1_000_000, RateShape::Square));
        assert!(timeline.time(1 << 62) > timeline.time(1 << 61));
    }
}
