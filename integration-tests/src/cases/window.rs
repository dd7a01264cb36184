//! Windows as Flink's table functions, and as relations for the oracle that repeat each row for
//! every window that it belongs to.

use super::interval;
use crate::prng::Prng;

/// A window function; lengths in milliseconds.
#[derive(Debug, Clone)]
pub enum Window {
    /// TUMBLE.
    Tumble {
        /// Length.
        size: i64,
        /// Shift.
        offset: i64,
    },
    /// HOP.
    Hop {
        /// Distance of the starts.
        slide: i64,
        /// Length in slides.
        count: i64,
        /// Shift.
        offset: i64,
    },
    /// CUMULATE.
    Cumulate {
        /// Growth.
        step: i64,
        /// Length of the longest in steps.
        count: i64,
        /// Shift.
        offset: i64,
    },
    /// SESSION, partitioned by so many of the key columns.
    Session {
        /// Silence that ends a session.
        gap: i64,
        /// Leading key columns that sessions are partitioned by.
        keys: usize,
    },
}

impl Window {
    /// A window of fixed length, at random.
    pub fn aligned(prng: &mut Prng) -> Self {
        let unit = *prng.pick(&[500, 1_000, 1_000, 2_000, 5_000, 10_000]);
        let count = prng.between(1, 6);
        let size = unit * count;
        let steps = size / 500;
        let offset = match steps >= 2 && prng.chance(30) {
            true => 500 * prng.between(1, steps - 1) * if prng.chance(40) { -1 } else { 1 },
            false => 0,
        };
        match prng.below(3) {
            0 => Self::Tumble { size, offset },
            1 => Self::Hop { slide: unit, count, offset },
            _ => Self::Cumulate { step: unit, count, offset },
        }
    }

    /// Any window, at random, over a table with so many key columns.
    pub fn any(keys: usize, prng: &mut Prng) -> Self {
        if prng.chance(30) {
            let gap = *prng.pick(&[200, 500, 1_000, 3_000, 8_000]);
            return Self::Session { gap, keys: prng.below(keys + 1) };
        }
        Self::aligned(prng)
    }

    /// Whether it is a session.
    pub fn is_session(&self) -> bool {
        matches!(self, Self::Session { .. })
    }

    /// The table function over a table, in Flink's SQL.
    pub fn flink(&self, table: &str, time: &str, keys: &[String]) -> String {
        let shifted = |offset: i64| {
            if offset == 0 { String::new() } else { format!(", {}", interval(offset)) }
        };
        match self {
            Self::Tumble { size, offset } => {
                format!(
                    "TABLE(TUMBLE(TABLE {table}, DESCRIPTOR({time}), {}{}))",
                    interval(*size),
                    shifted(*offset)
                )
            }
            Self::Hop { slide, count, offset } => format!(
                "TABLE(HOP(TABLE {table}, DESCRIPTOR({time}), {}, {}{}))",
                interval(*slide),
                interval(slide * count),
                shifted(*offset)
            ),
            Self::Cumulate { step, count, offset } => format!(
                "TABLE(CUMULATE(TABLE {table}, DESCRIPTOR({time}), {}, {}{}))",
                interval(*step),
                interval(step * count),
                shifted(*offset)
            ),
            Self::Session { gap, keys: partition } => {
                let partition = match &keys[..*partition] {
                    [] => String::new(),
                    [key] => format!(" PARTITION BY {key}"),
                    more => format!(" PARTITION BY ({})", more.join(", ")),
                };
                format!(
                    "TABLE(SESSION(TABLE {table}{partition}, DESCRIPTOR({time}), {}))",
                    interval(*gap)
                )
            }
        }
    }

    /// The relation for the oracle: all columns of `table`, which has the time as `ts_ms`, and the
    /// window as `ws` and `we`, milliseconds.
    pub fn oracle(&self, table: &str, keys: &[String]) -> String {
        let numbers =
            |count: i64| (0..count).map(|i| format!("({i})")).collect::<Vec<_>>().join(", ");
        match self {
            Self::Tumble { size, offset } => {
                let start = start("ts_ms", *size, *offset);
                format!("SELECT *, {start} AS ws, {start} + {size} AS we FROM {table}")
            }
            Self::Hop { slide, count, offset } => {
                let last = start("ts_ms", *slide, *offset);
                let size = slide * count;
                format!(
                    "SELECT *, {last} - nth * {slide} AS ws, {last} - nth * {slide} + {size} AS we \
                     FROM {table} CROSS JOIN (VALUES {}) AS numbers(nth)",
                    numbers(*count)
                )
            }
            Self::Cumulate { step, count, offset } => {
                let start = start("ts_ms", step * count, *offset);
                format!(
                    "SELECT * FROM (SELECT *, {start} AS ws, {start} + (nth + 1) * {step} AS we \
                     FROM {table} CROSS JOIN (VALUES {}) AS numbers(nth)) WHERE we > ts_ms",
                    numbers(*count)
                )
            }
            Self::Session { gap, keys: partition } => session(*gap, &keys[..*partition], table),
        }
    }
}

/// Where the aligned window of a time (after 1970) starts.
fn start(time: &str, size: i64, offset: i64) -> String {
    format!("({time} - ({time} - {}) % {size})", offset.rem_euclid(size))
}

/// Gaps and islands: a row begins a session if the one before it is longer ago than the gap.
fn session(gap: i64, keys: &[String], table: &str) -> String {
    let partition =
        if keys.is_empty() { String::new() } else { format!("PARTITION BY {}", keys.join(", ")) };
    let session: Vec<&str> = keys.iter().map(String::as_str).chain(["island"]).collect();
    let session = format!("PARTITION BY {}", session.join(", "));
    format!(
        "SELECT *, MIN(ts_ms) OVER ({session}) AS ws, MAX(ts_ms) OVER ({session}) + {gap} AS we FROM (\
         SELECT *, SUM(CASE WHEN prior IS NULL OR ts_ms - prior > {gap} THEN 1 ELSE 0 END) \
         OVER ({partition} ORDER BY ts_ms, id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS island FROM (\
         SELECT *, LAG(ts_ms) OVER ({partition} ORDER BY ts_ms, id) AS prior FROM {table}))"
    )
}
