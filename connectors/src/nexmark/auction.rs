//! The columns of auctions.
//!
//! The seller is hot (the first of the current hundred of people) with probability
//! 1 − 1/`auction.hot-ratio.sellers`, else an active person. The reserve is the first bid and another
//! price. An auction is open between 1 ms and twice the time in which 100 more auctions open.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, TimestampMillisecondArray};
use tidegate_types::Result;

use super::bid::{HOT_GROUP, date_times, indices};
use super::block::{FIRST_PERSON_ID, Run};
use super::price::price;
use super::source_data::SourceData;
use crate::counter_random::{Stream, below, high_below, low_below};

const FIRST_CATEGORY: i64 = 10;
const CATEGORIES: u64 = 5;
/// Bytes of the numbers and times of an auction, as the benchmark counts them.
const FIXED_BYTES: u32 = 48;

/// A field of an auction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AuctionField {
    Id,
    ItemName,
    Description,
    InitialBid,
    Reserve,
    DateTime,
    Expires,
    Seller,
    Category,
    Extra,
}

impl AuctionField {
    /// Names as declared, in order.
    pub(super) const NAMES: [(&'static str, Self); 10] = [
        ("id", Self::Id),
        ("itemName", Self::ItemName),
        ("description", Self::Description),
        ("initialBid", Self::InitialBid),
        ("reserve", Self::Reserve),
        ("dateTime", Self::DateTime),
        ("expires", Self::Expires),
        ("seller", Self::Seller),
        ("category", Self::Category),
        ("extra", Self::Extra),
    ];
}

/// Random streams of the fields.
mod stream {
    pub(super) const ITEM_NAME: u64 = 10;
    pub(super) const DESCRIPTION: u64 = 11;
    pub(super) const INITIAL_BID: u64 = 12;
    pub(super) const RESERVE: u64 = 13;
    pub(super) const EXPIRES: u64 = 14;
    pub(super) const SELLER: u64 = 15;
    pub(super) const CATEGORY: u64 = 16;
    pub(super) const EXTRA: u64 = 17;
}

/// The columns `fields` of the auctions in `runs`.
///
/// # Errors
/// `INTERNAL` only.
pub(super) fn columns(
    data: &SourceData,
    fields: &[AuctionField],
    runs: &[Run],
) -> Result<Vec<ArrayRef>> {
    let rows: usize = runs.iter().map(|run| run.count as usize).sum();
    fields.iter().map(|field| column(data, *field, runs, rows)).collect()
}

fn column(data: &SourceData, field: AuctionField, runs: &[Run], rows: usize) -> Result<ArrayRef> {
    let stream = |field| Stream::new(data.shape.seed, field);
    Ok(match field {
        AuctionField::Id => {
            longs(runs, rows, |run, number| data.blocks.auction_id(run.block, number))
        }
        AuctionField::ItemName => {
            data.texts.item_names.pick(&indices(runs, rows, |number| item_name(data, number)))?
        }
        AuctionField::Description => {
            data.texts
                .descriptions
                .pick(&indices(runs, rows, |number| description(data, number)))?
        }
        AuctionField::InitialBid => {
            let initial = stream(stream::INITIAL_BID);
            longs(runs, rows, |_, number| price(initial.draw(number)))
        }
        AuctionField::Reserve => {
            let (initial, reserve) = (stream(stream::INITIAL_BID), stream(stream::RESERVE));
            longs(runs, rows, |_, number| price(initial.draw(number)) + price(reserve.draw(number)))
        }
        AuctionField::DateTime => date_times(data, runs, rows),
        AuctionField::Expires => expires(data, runs, rows),
        AuctionField::Seller => sellers(data, runs, rows),
        AuctionField::Category => {
            let category = stream(stream::CATEGORY);
            longs(runs, rows, |_, number| {
                FIRST_CATEGORY + high_below(category.draw(number), CATEGORIES) as i64
            })
        }
        AuctionField::Extra => extras(data, runs)?,
    })
}

fn longs(runs: &[Run], rows: usize, mut value: impl FnMut(&Run, u64) -> i64) -> ArrayRef {
    let mut values: Vec<i64> = Vec::with_capacity(rows);
    for run in runs {
        values.extend(run.numbers().map(|number| value(run, number)));
    }
    Arc::new(Int64Array::from(values))
}

fn item_name(data: &SourceData, number: u64) -> u64 {
    let draw = Stream::new(data.shape.seed, stream::ITEM_NAME).draw(number);
    high_below(draw, data.texts.item_names.len())
}

fn description(data: &SourceData, number: u64) -> u64 {
    let draw = Stream::new(data.shape.seed, stream::DESCRIPTION).draw(number);
    high_below(draw, data.texts.descriptions.len())
}

fn expires(data: &SourceData, runs: &[Run], rows: usize) -> ArrayRef {
    let stream = Stream::new(data.shape.seed, stream::EXPIRES);
    let ahead = data.blocks.events_in_flight();
    let mut times: Vec<i64> = Vec::with_capacity(rows);
    for number in runs.iter().flat_map(Run::numbers) {
        let now = data.timeline.time(number);
        let horizon = data.timeline.time(number.saturating_add(ahead)).saturating_sub(now);
        let longest = horizon.unsigned_abs().saturating_mul(2).max(1);
        let length = 1 + below(stream.draw(number), longest);
        times.push(now.saturating_add_unsigned(length));
    }
    Arc::new(TimestampMillisecondArray::from(times))
}

fn sellers(data: &SourceData, runs: &[Run], rows: usize) -> ArrayRef {
    let stream = Stream::new(data.shape.seed, stream::SELLER);
    longs(runs, rows, |run, number| {
        let draw = stream.draw(number);
        let id = if low_below(draw, data.shape.hot_seller_ratio) > 0 {
            data.blocks.last_person(run.block) / HOT_GROUP * HOT_GROUP
        } else {
            let others = data.blocks.people(run.block);
            others.first + high_below(draw, others.count) as i64
        };
        id + FIRST_PERSON_ID
    })
}

fn extras(data: &SourceData, runs: &[Run]) -> Result<ArrayRef> {
    let stream = Stream::new(data.shape.seed, stream::EXTRA);
    let rows: Vec<(u32, u64)> = runs
        .iter()
        .flat_map(Run::numbers)
        .map(|number| {
            let name = data.texts.item_names.text_len(item_name(data, number));
            let description = data.texts.descriptions.text_len(description(data, number));
            (FIXED_BYTES + name + description, stream.draw(number))
        })
        .collect();
    data.texts.extras(data.shape.auction_avg_size, rows.into_iter())
}
