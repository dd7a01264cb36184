//! Watermarks and the limits of event time.

/// A watermark: no row with an event time (milliseconds since the epoch) at or below it is still expected.
pub type Watermark = i64;

/// Before any watermark was seen.
pub const MIN_WATERMARK: Watermark = i64::MIN;

/// The watermark that ends an event-time stream: every window fires.
pub const MAX_WATERMARK: Watermark = i64::MAX;
