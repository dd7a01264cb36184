//! Sources whose row *n* is a function of *n*: splits, pacing and restore, shared by the generators.
//!
//! Row numbers are dealt in chunks to a fixed number of splits; a reader always continues with its
//! split that is furthest behind. What a row is, is the generator's business ([`Rows`]).

mod reader;
mod split;

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use serde_json::Value;
use tidegate_engine::connector::Split;
use tidegate_types::Result;

pub(crate) use reader::Reader;
pub(crate) use split::Layout;
use split::{SplitState, split_id};

/// How many rows leave, and when. May change at a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Emission {
    /// Rows numbered from here on do not leave; `u64::MAX`: no end.
    pub(crate) end: u64,
    /// The source stays open behind its last row.
    pub(crate) keep_alive: bool,
    /// Rows leave no earlier than their time, relative to the start.
    pub(crate) paced: bool,
}

impl Emission {
    /// Whether the source ends.
    pub(crate) fn is_bounded(&self) -> bool {
        self.end != u64::MAX && !self.keep_alive
    }
}

/// Rows by number.
pub(crate) trait Rows: Send {
    /// What these rows are of, for messages: `nexmark`.
    fn name(&self) -> &'static str;

    /// Everything that decides what row *n* is, as a JSON object: part of every split's state, so that a
    /// restore with other options is refused.
    fn shape(&self) -> &Value;

    /// When row `number` is due, in milliseconds; only differences matter. Never decreasing.
    fn due_ms(&self, number: u64) -> i64;

    /// Most consecutive numbers that give at most `rows` rows; `None`: no number gives a row.
    fn numbers_for(&self, rows: u64) -> Option<u64>;

    /// The rows `first..end`; `None`: there are none among them.
    ///
    /// # Errors
    /// `INTERNAL` only.
    fn generate(&mut self, first: u64, end: u64) -> Result<Option<RecordBatch>>;
}

/// The splits that are not among `known`, at their start. Their layout is that of the known ones, or
/// `fresh` if there are none.
///
/// # Errors
/// `CORRUPT`, `INCOMPATIBLE` as reading the known ones would give.
pub(crate) fn enumerate(
    name: &str,
    shape: &Value,
    fresh: Layout,
    known: &[Split],
) -> Result<Vec<Split>> {
    let layout = match known.first() {
        Some(split) => SplitState::decode(split, name, shape)?.layout,
        None => fresh,
    };
    let known: BTreeSet<&str> = known.iter().map(|split| split.id.as_str()).collect();
    (0..layout.splits)
        .map(|index| (index, split_id(index)))
        .filter(|(_, id)| !known.contains(id.as_str()))
        .map(|(index, id)| SplitState::start(layout, shape.clone(), index).encode(id, false))
        .collect()
}
