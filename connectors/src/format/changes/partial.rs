//! Rows before an update of which a record has only the columns that were changed: the others are as in the
//! row after. A changed column may have been NULL, which only the keys of the record tell.

use hashbrown::HashMap;

use crate::format::{Records, json};

/// The partial rows of a batch.
#[derive(Debug, Default)]
pub(super) struct Partial {
    updates: Vec<Update>,
    columns: usize,
    /// For each update and column whether the record names the column in the row before.
    named: Vec<bool>,
}

#[derive(Debug)]
struct Update {
    /// Index of the row before among the gathered rows.
    place: usize,
    /// The row after.
    after: usize,
    record: usize,
}

impl Partial {
    /// Adds a row before that is at `place` among the gathered rows.
    pub(super) fn push(&mut self, place: usize, after: usize, record: usize) {
        self.updates.push(Update { place, after, record });
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.updates.is_empty()
    }

    /// Finds out which columns the records name in `field`, which has the rows before.
    pub(super) fn find_named(&mut self, records: &Records, field: &str, columns: &[String]) {
        self.columns = columns.len();
        self.named.clear();
        self.named.resize(self.updates.len() * self.columns, false);
        let indices: HashMap<&[u8], usize> =
            columns.iter().enumerate().map(|(index, name)| (name.as_bytes(), index)).collect();
        let mut first = 0;
        while let Some(update) = self.updates.get(first) {
            let record = update.record;
            let same = self.updates[first..].iter().take_while(|other| other.record == record);
            let count = same.count();
            let bytes = records.get(record).unwrap_or_default();
            // The rows of a record are in its order, and all of them are here.
            json::each_key_in(bytes, field, |element, key| {
                if let (true, Some(column)) = (element < count, indices.get(key)) {
                    let slot = (first + element) * columns.len() + column;
                    if let Some(named) = self.named.get_mut(slot) {
                        *named = true;
                    }
                }
            });
            first += count;
        }
    }

    /// Takes the values of a column that were not changed from the rows after. `is_null`: whether the column is NULL in
    /// a row before, given its number.
    pub(super) fn complete(
        &self,
        column: usize,
        is_null: impl Fn(usize) -> bool,
        places: &mut [(usize, usize)],
    ) {
        for (number, update) in self.updates.iter().enumerate() {
            let Some(place) = places.get_mut(update.place) else { continue };
            let named = self.named.get(number * self.columns + column).copied().unwrap_or(false);
            if is_null(place.1) && !named {
                *place = (super::decode::AFTER, update.after);
            }
        }
    }
}
