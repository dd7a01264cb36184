//! The columns of people.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringViewBuilder};
use tidegate_types::Result;

use super::bid::{date_times, indices};
use super::block::Run;
use super::source_data::SourceData;
use super::text::Table;
use crate::counter_random::{Stream, high_below};

/// Bytes of a person's id and card number, as the benchmark counts them.
const FIXED_BYTES: u32 = 8 + CARD_BYTES as u32;
/// Four groups of four digits.
const CARD_BYTES: usize = 19;

/// A field of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PersonField {
    Id,
    Name,
    EmailAddress,
    CreditCard,
    City,
    State,
    DateTime,
    Extra,
}

impl PersonField {
    /// Names as declared, in order.
    pub(super) const NAMES: [(&'static str, Self); 8] = [
        ("id", Self::Id),
        ("name", Self::Name),
        ("emailAddress", Self::EmailAddress),
        ("creditCard", Self::CreditCard),
        ("city", Self::City),
        ("state", Self::State),
        ("dateTime", Self::DateTime),
        ("extra", Self::Extra),
    ];
}

/// Random streams of the fields.
mod stream {
    pub(super) const NAME: u64 = 1;
    pub(super) const EMAIL: u64 = 2;
    pub(super) const CARD: u64 = 3;
    pub(super) const CITY: u64 = 4;
    pub(super) const STATE: u64 = 5;
    pub(super) const EXTRA: u64 = 6;
}

/// The columns `fields` of the people in `runs`.
///
/// # Errors
/// `INTERNAL` only.
pub(super) fn columns(
    data: &SourceData,
    fields: &[PersonField],
    runs: &[Run],
) -> Result<Vec<ArrayRef>> {
    let rows: usize = runs.iter().map(|run| run.count as usize).sum();
    let texts = &data.texts;
    let pick = |table: &Table, field| {
        table.pick(&indices(runs, rows, |number| choice(data, table, field, number)))
    };
    fields
        .iter()
        .map(|field| match field {
            PersonField::Id => Ok(ids(data, runs, rows)),
            PersonField::Name => pick(&texts.people, stream::NAME),
            PersonField::EmailAddress => pick(&texts.emails, stream::EMAIL),
            PersonField::CreditCard => Ok(cards(data, runs, rows)),
            PersonField::City => pick(&texts.cities, stream::CITY),
            PersonField::State => pick(&texts.states, stream::STATE),
            PersonField::DateTime => Ok(date_times(data, runs, rows)),
            PersonField::Extra => extras(data, runs),
        })
        .collect()
}

/// Which text of a table a person has.
fn choice(data: &SourceData, table: &Table, field: u64, number: u64) -> u64 {
    high_below(Stream::new(data.shape.seed, field).draw(number), table.len())
}

fn ids(data: &SourceData, runs: &[Run], rows: usize) -> ArrayRef {
    let mut ids: Vec<i64> = Vec::with_capacity(rows);
    for run in runs {
        ids.extend(run.numbers().map(|number| data.blocks.person_id(run.block, number)));
    }
    Arc::new(Int64Array::from(ids))
}

fn cards(data: &SourceData, runs: &[Run], rows: usize) -> ArrayRef {
    let stream = Stream::new(data.shape.seed, stream::CARD);
    let mut cards = StringViewBuilder::with_capacity(rows);
    for number in runs.iter().flat_map(Run::numbers) {
        let text = card(stream.draw(number));
        cards.append_value(std::str::from_utf8(&text).unwrap_or_default());
    }
    Arc::new(cards.finish())
}

/// Four groups of four digits, each from 16 bits of the draw.
fn card(draw: u64) -> [u8; CARD_BYTES] {
    let mut text = [b' '; CARD_BYTES];
    for group in 0..4 {
        let mut digits = (((draw >> (16 * group)) & 0xffff) * 10_000) >> 16;
        for place in (0..4).rev() {
            text[group as usize * 5 + place] = b'0' + (digits % 10) as u8;
            digits /= 10;
        }
    }
    text
}

fn extras(data: &SourceData, runs: &[Run]) -> Result<ArrayRef> {
    let stream = Stream::new(data.shape.seed, stream::EXTRA);
    let texts = &data.texts;
    let tables = [
        (&texts.people, stream::NAME),
        (&texts.emails, stream::EMAIL),
        (&texts.cities, stream::CITY),
        (&texts.states, stream::STATE),
    ];
    let rows: Vec<(u32, u64)> = runs
        .iter()
        .flat_map(Run::numbers)
        .map(|number| {
            let chosen =
                tables.map(|(table, field)| table.text_len(choice(data, table, field, number)));
            (FIXED_BYTES + chosen.iter().sum::<u32>(), stream.draw(number))
        })
        .collect();
    texts.extras(data.shape.person_avg_size, rows.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_four_groups_of_digits() {
        assert_eq!(&card(0), b"0000 0000 0000 0000");
        assert_eq!(&card(u64::MAX), b"9999 9999 9999 9999");
        assert_eq!(&card(0x8000), b"5000 0000 0000 0000");
    }
}
