//! The columns of bids.
//!
//! A bid goes to the hot auction (the first of the current hundred) with probability
//! 1 − 1/`bid.hot-ratio.auctions`, else to one in flight; it is made by the hot bidder (the second of
//! the current hundred of people) with probability 1 − 1/`bid.hot-ratio.bidders`, else by an active
//! person. Bidders' ids start at twice the first id of people, as in the original generator.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, TimestampMillisecondArray, UInt32Array};
use tidegate_types::Result;

use super::block::{FIRST_AUCTION_ID, FIRST_PERSON_ID, Run};
use super::price::price;
use super::source_data::SourceData;
use super::text::{HOT_CHANNELS, OTHER_CHANNELS};
use crate::counter_random::{Stream, high_below, low_below};

/// Ids of which one is hot at a time.
pub(super) const HOT_GROUP: i64 = 100;
const HOT_CHANNEL_RATIO: u64 = 2;

/// A field of a bid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BidField {
    Auction,
    Bidder,
    Price,
    Channel,
    Url,
    DateTime,
    Extra,
}

impl BidField {
    /// Names as declared, in order.
    pub(super) const NAMES: [(&'static str, Self); 7] = [
        ("auction", Self::Auction),
        ("bidder", Self::Bidder),
        ("price", Self::Price),
        ("channel", Self::Channel),
        ("url", Self::Url),
        ("dateTime", Self::DateTime),
        ("extra", Self::Extra),
    ];
}

/// Random streams of the fields.
mod stream {
    pub(super) const AUCTION: u64 = 20;
    pub(super) const BIDDER: u64 = 21;
    pub(super) const PRICE: u64 = 22;
    pub(super) const CHANNEL: u64 = 23;
    pub(super) const EXTRA: u64 = 24;
}

/// The columns `fields` of the bids in `runs`.
///
/// # Errors
/// `INTERNAL` only.
pub(super) fn columns(
    data: &SourceData,
    fields: &[BidField],
    runs: &[Run],
) -> Result<Vec<ArrayRef>> {
    let rows: usize = runs.iter().map(|run| run.count as usize).sum();
    let mut channels = None;
    fields
        .iter()
        .map(|field| {
            Ok(match field {
                BidField::Auction => auctions(data, runs, rows),
                BidField::Bidder => bidders(data, runs, rows),
                BidField::Price => prices(data, runs, rows),
                BidField::DateTime => date_times(data, runs, rows),
                BidField::Channel => data
                    .texts
                    .channels
                    .pick(channels.get_or_insert_with(|| channel_numbers(data, runs, rows)))?,
                BidField::Url => data
                    .texts
                    .urls
                    .pick(channels.get_or_insert_with(|| channel_numbers(data, runs, rows)))?,
                BidField::Extra => {
                    let bound = data.texts.bid_extras.len();
                    let stream = Stream::new(data.shape.seed, stream::EXTRA);
                    let picks =
                        indices(runs, rows, |number| high_below(stream.draw(number), bound));
                    data.texts.bid_extras.pick(&picks)?
                }
            })
        })
        .collect()
}

fn auctions(data: &SourceData, runs: &[Run], rows: usize) -> ArrayRef {
    let stream = Stream::new(data.shape.seed, stream::AUCTION);
    let ratio = data.shape.hot_auction_ratio;
    let mut ids = Vec::with_capacity(rows);
    for run in runs {
        let hot = data.blocks.last_auction(run.block) / HOT_GROUP * HOT_GROUP + FIRST_AUCTION_ID;
        let others = data.blocks.auctions(run.block);
        let first = others.first + FIRST_AUCTION_ID;
        ids.extend(run.numbers().map(|number| {
            let draw = stream.draw(number);
            let other = first + high_below(draw, others.count) as i64;
            if low_below(draw, ratio) > 0 { hot } else { other }
        }));
    }
    Arc::new(Int64Array::from(ids))
}

fn bidders(data: &SourceData, runs: &[Run], rows: usize) -> ArrayRef {
    let stream = Stream::new(data.shape.seed, stream::BIDDER);
    let ratio = data.shape.hot_bidder_ratio;
    let mut ids = Vec::with_capacity(rows);
    for run in runs {
        let hot =
            data.blocks.last_person(run.block) / HOT_GROUP * HOT_GROUP + 1 + 2 * FIRST_PERSON_ID;
        let others = data.blocks.people(run.block);
        let first = others.first + 2 * FIRST_PERSON_ID;
        ids.extend(run.numbers().map(|number| {
            let draw = stream.draw(number);
            let other = first + high_below(draw, others.count) as i64;
            if low_below(draw, ratio) > 0 { hot } else { other }
        }));
    }
    Arc::new(Int64Array::from(ids))
}

fn prices(data: &SourceData, runs: &[Run], rows: usize) -> ArrayRef {
    let stream = Stream::new(data.shape.seed, stream::PRICE);
    let mut prices = Vec::with_capacity(rows);
    for run in runs {
        prices.extend(run.numbers().map(|number| price(stream.draw(number))));
    }
    Arc::new(Int64Array::from(prices))
}

/// Event times, for events of any type.
pub(super) fn date_times(data: &SourceData, runs: &[Run], rows: usize) -> ArrayRef {
    let mut times = Vec::with_capacity(rows);
    for run in runs {
        data.timeline.extend(run.first, run.count, &mut times);
    }
    Arc::new(TimestampMillisecondArray::from(times))
}

fn channel_numbers(data: &SourceData, runs: &[Run], rows: usize) -> UInt32Array {
    let stream = Stream::new(data.shape.seed, stream::CHANNEL);
    indices(runs, rows, |number| {
        let draw = stream.draw(number);
        let hot = low_below(draw, HOT_CHANNEL_RATIO) > 0;
        let hot_channel = high_below(draw, HOT_CHANNELS);
        let other = HOT_CHANNELS + high_below(draw, OTHER_CHANNELS);
        if hot { hot_channel } else { other }
    })
}

/// One index per event of `runs`, for picking from a table.
pub(super) fn indices(runs: &[Run], rows: usize, mut index: impl FnMut(u64) -> u64) -> UInt32Array {
    let mut indices: Vec<u32> = Vec::with_capacity(rows);
    for run in runs {
        indices.extend(run.numbers().map(|number| index(number) as u32));
    }
    UInt32Array::from(indices)
}
