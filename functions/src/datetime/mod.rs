//! Time without a clock: calendar arithmetic, zones, Java's patterns, parsing.
//!
//! All of it works on numbers: days, milliseconds or nanoseconds since 1970-01-01 in the proleptic
//! Gregorian calendar.

pub mod civil;
pub mod parse;
pub mod pattern;
pub mod unit;
pub mod zone;

/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;
