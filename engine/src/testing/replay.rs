//! The table that a changelog describes, built strictly: what is taken back must be there, and no kind
//! may come that the plan does not announce.

use std::collections::BTreeMap;

use tidegate_plan::{ChangelogMode, RowKind, Updates};

use super::rows::{Row, rows_of};
use crate::element::Changes;

/// A table under construction.
#[derive(Clone)]
pub(crate) struct Replay {
    mode: ChangelogMode,
    /// Columns of the upsert key.
    key: Option<Vec<usize>>,
    rows: BTreeMap<Row, usize>,
    /// Rows that were read, by kind.
    pub(crate) seen: [usize; 4],
}

impl Replay {
    /// An empty table of a changelog with such changes and upsert key.
    pub(crate) fn new(mode: ChangelogMode, key: Option<Vec<usize>>) -> Self {
        Self { mode, key, rows: BTreeMap::new(), seen: [0; 4] }
    }

    /// Applies a batch.
    pub(crate) fn apply(&mut self, changes: &Changes) {
        for (index, row) in rows_of(&changes.rows).into_iter().enumerate() {
            let kind = RowKind::from_i8(changes.kind(index)).unwrap();
            self.seen[kind as usize] += 1;
            self.check(kind, &row);
            match kind {
                RowKind::Insert => {
                    if self.key.is_some() {
                        let same = self.find(&row);
                        assert_eq!(same, None, "+I of a key that is there: {row:?}");
                    }
                    self.add(row);
                }
                RowKind::UpdateAfter => {
                    if self.mode.updates == Updates::After {
                        let old = self.find(&row);
                        let old = old.unwrap_or_else(|| panic!("+U of an unknown key: {row:?}"));
                        self.take(&old);
                    }
                    self.add(row);
                }
                RowKind::UpdateBefore => self.take(&row),
                RowKind::Delete if self.mode.updates == Updates::After => {
                    let old = self.find(&row);
                    let old = old.unwrap_or_else(|| panic!("-D of an unknown key: {row:?}"));
                    self.take(&old);
                }
                RowKind::Delete => self.take(&row),
            }
        }
    }

    /// The rows, sorted, doubles included.
    pub(crate) fn table(&self) -> Vec<Row> {
        self.rows.iter().flat_map(|(row, count)| std::iter::repeat_n(row.clone(), *count)).collect()
    }

    fn check(&self, kind: RowKind, row: &Row) {
        let announced = match kind {
            RowKind::Insert => true,
            RowKind::UpdateBefore => self.mode.updates == Updates::BeforeAndAfter,
            RowKind::UpdateAfter => self.mode.updates != Updates::None,
            RowKind::Delete => self.mode.deletes,
        };
        assert!(announced, "{kind} {row:?} in a changelog of {}", self.mode);
    }

    fn find(&self, row: &Row) -> Option<Row> {
        let key = self.key.as_ref().expect("an upsert stream has a key");
        let same = |other: &&Row| key.iter().all(|column| other[*column] == row[*column]);
        self.rows.keys().find(same).cloned()
    }

    fn add(&mut self, row: Row) {
        *self.rows.entry(row).or_default() += 1;
    }

    fn take(&mut self, row: &Row) {
        let count = self.rows.get_mut(row);
        let count = count.unwrap_or_else(|| panic!("taken back, but not there: {row:?}"));
        *count -= 1;
        if *count == 0 {
            self.rows.remove(row);
        }
    }
}
