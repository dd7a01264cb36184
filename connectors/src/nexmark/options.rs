//! The options of a nexmark table: what shapes the events, and how fast and how many of them leave.
//!
//! Names and defaults are those of the Flink version of the benchmark; `seed` and `base-time` are
//! ours, so that every run gives the same events.

use serde::{Deserialize, Serialize};
use tidegate_connector_spec::Options;
use tidegate_types::{Error, ErrorCode, Result};

use crate::numbered::Emission;

/// 2015-07-15 00:00:00 UTC: event time of the first event unless `base-time` says otherwise.
const DEFAULT_BASE_TIME_MS: i64 = 1_436_918_400_000;
const DEFAULT_RATE: i64 = 10_000;
const DEFAULT_PERIOD_S: u64 = 600;
/// Longest period of the rate: a year.
const MAX_PERIOD_S: u64 = 366 * 86_400;
/// Largest average record size, in bytes: records of benchmarks are small, typing errors are not.
const MAX_AVERAGE_SIZE: u64 = 1 << 20;
const MAX_PROPORTION: i64 = 1_000_000;

/// How the rate moves between `first-event.rate` and `next-event.rate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum RateShape {
    /// Half of the period each.
    Square,
    /// Ten steps along a cosine.
    Sine,
}

/// Everything that decides what event *k* is. Part of the state of every split: a restore with other
/// values is refused, since it would change events that were counted already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shape {
    pub(super) seed: u64,
    pub(super) base_time_ms: i64,
    pub(super) first_event_rate: u64,
    pub(super) next_event_rate: u64,
    pub(super) rate_shape: RateShape,
    pub(super) rate_period_s: u64,
    pub(super) person_proportion: u64,
    pub(super) auction_proportion: u64,
    pub(super) bid_proportion: u64,
    pub(super) person_avg_size: u32,
    pub(super) auction_avg_size: u32,
    pub(super) bid_avg_size: u32,
    /// One bid in so many is not for the hot auction.
    pub(super) hot_auction_ratio: u64,
    pub(super) hot_bidder_ratio: u64,
    pub(super) hot_seller_ratio: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            seed: 0,
            base_time_ms: DEFAULT_BASE_TIME_MS,
            first_event_rate: DEFAULT_RATE as u64,
            next_event_rate: DEFAULT_RATE as u64,
            rate_shape: RateShape::Square,
            rate_period_s: DEFAULT_PERIOD_S,
            person_proportion: 1,
            auction_proportion: 3,
            bid_proportion: 46,
            person_avg_size: 200,
            auction_avg_size: 500,
            bid_avg_size: 100,
            hot_auction_ratio: 2,
            hot_bidder_ratio: 4,
            hot_seller_ratio: 4,
        }
    }
}

impl Shape {
    /// Reads the options that shape events.
    ///
    /// # Errors
    /// `INVALID_OPTION` for values out of range.
    pub(super) fn new(options: &Options) -> Result<Self> {
        let shape = Self {
            seed: options.integer("seed")?.unwrap_or(0) as u64,
            base_time_ms: base_time(options)?,
            first_event_rate: in_range(
                options,
                "first-event.rate",
                DEFAULT_RATE,
                1,
                i64::from(i32::MAX),
            )?,
            next_event_rate: in_range(
                options,
                "next-event.rate",
                DEFAULT_RATE,
                1,
                i64::from(i32::MAX),
            )?,
            rate_shape: rate_shape(options)?,
            rate_period_s: options
                .duration("rate.period")?
                .map_or(DEFAULT_PERIOD_S, |d| d.as_secs().clamp(1, MAX_PERIOD_S)),
            person_proportion: in_range(options, "person.proportion", 1, 0, MAX_PROPORTION)?,
            auction_proportion: in_range(options, "auction.proportion", 3, 0, MAX_PROPORTION)?,
            bid_proportion: in_range(options, "bid.proportion", 46, 0, MAX_PROPORTION)?,
            person_avg_size: size(options, "person.avg-size", 200)?,
            auction_avg_size: size(options, "auction.avg-size", 500)?,
            bid_avg_size: size(options, "bid.avg-size", 100)?,
            hot_auction_ratio: in_range(
                options,
                "bid.hot-ratio.auctions",
                2,
                1,
                i64::from(i32::MAX),
            )?,
            hot_bidder_ratio: in_range(
                options,
                "bid.hot-ratio.bidders",
                4,
                1,
                i64::from(i32::MAX),
            )?,
            hot_seller_ratio: in_range(
                options,
                "auction.hot-ratio.sellers",
                4,
                1,
                i64::from(i32::MAX),
            )?,
        };
        if shape.total_proportion() == 0 {
            return Err(invalid(
                "person.proportion, auction.proportion and bid.proportion are all 0: at least one must not be",
            ));
        }
        Ok(shape)
    }

    /// Events of a block.
    pub(super) fn total_proportion(&self) -> u64 {
        self.person_proportion + self.auction_proportion + self.bid_proportion
    }
}

/// Reads the options about number and speed.
///
/// # Errors
/// `INVALID_OPTION` for values out of range.
pub(super) fn emission(options: &Options) -> Result<Emission> {
    let number: u64 = in_range(options, "events.num", 0, 0, i64::MAX)?;
    let stop_at = options.integer("stop-at")?.unwrap_or(-1);
    let limits = [(number > 0).then_some(number), u64::try_from(stop_at).ok()];
    let max_speed = match options.text("max-emit-speed") {
        Some(_) => options.boolean("max-emit-speed")?,
        None => true,
    };
    Ok(Emission {
        end: limits.into_iter().flatten().min().unwrap_or(u64::MAX),
        keep_alive: options.boolean("keep-alive")?,
        paced: !max_speed || options.boolean("rate.limited")?,
    })
}

fn in_range(options: &Options, key: &str, default: i64, least: i64, most: i64) -> Result<u64> {
    let value = options.integer(key)?.unwrap_or(default);
    if (least..=most).contains(&value) {
        return Ok(value as u64);
    }
    Err(invalid(format!("option '{key}' is {value}: it must be between {least} and {most}")))
}

fn size(options: &Options, key: &str, default: u64) -> Result<u32> {
    let value = options.memory_size(key)?.unwrap_or(default);
    if value <= MAX_AVERAGE_SIZE {
        return Ok(value as u32);
    }
    Err(invalid(format!("option '{key}' is {value} bytes: at most {MAX_AVERAGE_SIZE} are allowed")))
}

fn rate_shape(options: &Options) -> Result<RateShape> {
    match options.text("rate.shape").map(str::to_ascii_uppercase).as_deref() {
        None | Some("SQUARE") => Ok(RateShape::Square),
        Some("SINE") => Ok(RateShape::Sine),
        Some(other) => {
            Err(invalid(format!("option 'rate.shape' is '{other}': use SQUARE or SINE")))
        }
    }
}

/// `base-time`: `2015-07-15 00:00:00[.000]` in UTC, or milliseconds since the epoch.
fn base_time(options: &Options) -> Result<i64> {
    let Some(text) = options.text("base-time") else {
        return Ok(DEFAULT_BASE_TIME_MS);
    };
    if let Ok(ms) = text.trim().parse::<i64>() {
        return Ok(ms);
    }
    let text = text.trim().replacen('T', " ", 1);
    let parsed =
        chrono::NaiveDateTime::parse_from_str(text.trim_end_matches('Z'), "%Y-%m-%d %H:%M:%S%.f");
    parsed.map(|time| time.and_utc().timestamp_millis()).map_err(|_| {
        invalid(format!("option 'base-time' is '{text}': write it as 2015-07-15 00:00:00 (UTC)"))
    })
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::InvalidOption, message)
}
