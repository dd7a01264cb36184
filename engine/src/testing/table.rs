//! A table that changes at random, and the changelog of what happens to it.

use tidegate_plan::RowKind;

use super::Random;

/// Rows of integers, in order of arrival.
pub(crate) struct Table {
    /// The rows.
    pub(crate) rows: Vec<Vec<Option<i64>>>,
    /// Per column the bound of its values and how seldom NULL is among them.
    columns: Vec<(i64, u64)>,
    appends: bool,
    key: Option<usize>,
}

impl Table {
    /// An empty table; `appends`: rows are only added.
    pub(crate) fn new(columns: Vec<(i64, u64)>, appends: bool) -> Self {
        Self { rows: Vec::new(), columns, appends, key: None }
    }

    /// The first so many columns are a unique key.
    pub(crate) fn with_key(mut self, columns: usize) -> Self {
        self.key = Some(columns);
        self
    }

    fn row(&self, random: &mut Random) -> Vec<Option<i64>> {
        self.columns.iter().map(|(bound, nulls)| random.value(*bound, *nulls)).collect()
    }

    fn add(&mut self, row: Vec<Option<i64>>, log: &mut Vec<(RowKind, Vec<Option<i64>>)>) {
        if let Some(key) = self.key
            && let Some(same) = self.rows.iter().position(|old| old[..key] == row[..key])
        {
            let old = self.rows.remove(same);
            log.push((RowKind::UpdateBefore, old));
            log.push((RowKind::UpdateAfter, row.clone()));
        } else {
            log.push((RowKind::Insert, row.clone()));
        }
        self.rows.push(row);
    }

    /// About `count` changes. A removed row is the earliest of those equal to it.
    pub(crate) fn change(
        &mut self,
        count: u64,
        random: &mut Random,
    ) -> Vec<(RowKind, Vec<Option<i64>>)> {
        let mut log = Vec::new();
        for _ in 0..count {
            let what = if self.appends || self.rows.is_empty() { 0 } else { random.below(10) };
            if what < 5 {
                let row = self.row(random);
                self.add(row, &mut log);
                continue;
            }
            let old = random.pick(&self.rows).clone();
            let place = self.rows.iter().position(|row| *row == old).unwrap_or_default();
            self.rows.remove(place);
            if what < 8 {
                log.push((RowKind::Delete, old));
            } else {
                log.push((RowKind::UpdateBefore, old.clone()));
                let mut row = self.row(random);
                let kept = self.key.unwrap_or(1);
                row[..kept].clone_from_slice(&old[..kept]);
                log.push((RowKind::UpdateAfter, row.clone()));
                self.rows.push(row);
            }
        }
        log
    }
}
