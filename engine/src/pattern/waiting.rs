//! Rows in order of time: those ahead of it wait in buckets, which are sorted when they are due.

use std::collections::{BTreeMap, VecDeque};

use arrow::array::ArrayRef;
use arrow::compute::SortOptions;
use arrow::datatypes::Schema;
use arrow::row::{RowConverter, SortField};
use tidegate_plan::operator::SortKey;
use tidegate_types::{Error, Result};

use super::rows::RowTable;

/// Milliseconds of a bucket as a power of two.
const BUCKET: u32 = 6;

/// A row with its time.
pub(super) type Timed = (i64, u32);

/// Entries of rows by their times.
pub(super) struct Waiting {
    buckets: BTreeMap<i64, Vec<Timed>>,
    /// Rows that are due, in order.
    ready: VecDeque<Timed>,
    /// Order of rows of one time, before that of arrival.
    order: Option<(RowConverter, Vec<usize>)>,
    waiting: usize,
}

impl Waiting {
    /// No rows, of these columns; rows of one time are ordered by `order`.
    ///
    /// # Errors
    /// `UNSUPPORTED` if a column cannot be ordered.
    pub(super) fn new(order: &[SortKey], schema: &Schema) -> Result<Self> {
        let fields = order.iter().map(|key| {
            let options = SortOptions { descending: key.descending, nulls_first: key.nulls_first };
            SortField::new_with_options(schema.field(key.column).data_type().clone(), options)
        });
        let converter = RowConverter::new(fields.collect())
            .map_err(|error| Error::unsupported(format!("ORDER BY: {error}")))?;
        let columns: Vec<usize> = order.iter().map(|key| key.column).collect();
        Ok(Self {
            buckets: BTreeMap::new(),
            ready: VecDeque::new(),
            order: (!order.is_empty()).then_some((converter, columns)),
            waiting: 0,
        })
    }

    /// Adds a row.
    #[inline]
    pub(super) fn add(&mut self, time: i64, entry: u32) {
        self.waiting += 1;
        self.buckets.entry(time >> BUCKET).or_default().push((time, entry));
    }

    /// The time of the earliest row, where rows come in the order of their times.
    pub(super) fn earliest(&self) -> Option<i64> {
        let first = self.buckets.values().next().and_then(|bucket| bucket.first());
        self.ready.front().or(first).map(|(time, _)| *time)
    }

    /// Up to `limit` rows at or before a time, in order.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(super) fn take(&mut self, until: i64, limit: usize, rows: &RowTable) -> Result<Vec<Timed>> {
        let mut due = Vec::new();
        while due.len() < limit {
            if self.ready.is_empty() && !self.refill(until, rows)? {
                break;
            }
            let count = self.ready.len().min(limit - due.len());
            due.extend(self.ready.drain(..count));
        }
        Ok(due)
    }

    /// Sorts the next bucket that has due rows; whether there was one.
    fn refill(&mut self, until: i64, rows: &RowTable) -> Result<bool> {
        let Some(mut first) = self.buckets.first_entry() else { return Ok(false) };
        if *first.key() > until >> BUCKET {
            return Ok(false);
        }
        let mut due: Vec<Timed> =
            first.get_mut().extract_if(.., |(time, _)| *time <= until).collect();
        if first.get().is_empty() {
            first.remove();
        }
        self.waiting -= due.len();
        match &self.order {
            None => due.sort_unstable_by_key(|(time, entry)| (*time, rows.number(*entry))),
            Some((converter, columns)) => {
                let entries: Vec<u32> = due.iter().map(|(_, entry)| *entry).collect();
                due = sorted(&due, rows, converter, &rows.gather(&entries, columns)?)?;
            }
        }
        let any = !due.is_empty();
        self.ready.extend(due);
        Ok(any)
    }

    /// Rows in the order in which they are due.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(super) fn sort(&self, mut timed: Vec<Timed>, rows: &RowTable) -> Result<Vec<Timed>> {
        match &self.order {
            None => {
                timed.sort_unstable_by_key(|(time, entry)| (*time, rows.number(*entry)));
                Ok(timed)
            }
            Some((converter, columns)) => {
                let entries: Vec<u32> = timed.iter().map(|(_, entry)| *entry).collect();
                sorted(&timed, rows, converter, &rows.gather(&entries, columns)?)
            }
        }
    }

    /// Bytes held.
    pub(super) fn memory_size(&self) -> usize {
        self.buckets.len() * 64 + (self.waiting + self.ready.capacity()) * size_of::<Timed>()
    }
}

fn sorted(
    due: &[Timed],
    rows: &RowTable,
    converter: &RowConverter,
    columns: &[ArrayRef],
) -> Result<Vec<Timed>> {
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let keys = converter
        .convert_columns(columns)
        .map_err(|error| Error::internal(format!("encode sort keys: {error}")))?;
    let mut places: Vec<usize> = (0..due.len()).collect();
    places.sort_unstable_by(|a, b| {
        let (left, right) = (due[*a], due[*b]);
        left.0
            .cmp(&right.0)
            .then_with(|| keys.row(*a).cmp(&keys.row(*b)))
            .then_with(|| rows.number(left.1).cmp(&rows.number(right.1)))
    });
    Ok(places.into_iter().map(|place| due[place]).collect())
}
