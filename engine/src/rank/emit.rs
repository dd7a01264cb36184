//! Net changes of partitions: what was kept before a batch against what is now.

use hashbrown::HashSet;
use tidegate_plan::RowKind;

/// Lists longer than this are compared through a hash table.
const LONG: usize = 32;

/// How changes are expressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// The row at a rank is updated: the rank, or being the only one, is part of the key.
    ByRank {
        /// Whether the old row is emitted too.
        before: bool,
    },
    /// Rows come and go; with their rank if it is among the columns.
    ByRow {
        /// Whether it is.
        ranked: bool,
    },
}

/// Changes in the order in which they are emitted: kind, entry, rank.
pub(super) type Emission = Vec<(RowKind, u32, u64)>;

/// Adds the changes of one partition.
pub(super) fn differences(
    old: &[(u32, u64)],
    new: &[(u32, u64)],
    style: Style,
    out: &mut Emission,
) {
    match style {
        Style::ByRank { before } => {
            for (old, new) in old.iter().zip(new).filter(|(old, new)| old != new) {
                if before {
                    out.push((RowKind::UpdateBefore, old.0, old.1));
                }
                out.push((RowKind::UpdateAfter, new.0, new.1));
            }
            let common = old.len().min(new.len());
            out.extend(old[common..].iter().map(|(entry, rank)| (RowKind::Delete, *entry, *rank)));
            out.extend(new[common..].iter().map(|(entry, rank)| (RowKind::Insert, *entry, *rank)));
        }
        Style::ByRow { ranked } => {
            only_in(old, new, ranked, |(entry, rank)| out.push((RowKind::Delete, entry, rank)));
            only_in(new, old, ranked, |(entry, rank)| out.push((RowKind::Insert, entry, rank)));
        }
    }
}

/// Calls `act` for what is in `some` and not in `others`. Both are mostly equal and in the same order, so that
/// each is looked for from where the one before it was found.
fn only_in(
    some: &[(u32, u64)],
    others: &[(u32, u64)],
    ranked: bool,
    mut act: impl FnMut((u32, u64)),
) {
    let key = |row: &(u32, u64)| (row.0, if ranked { row.1 } else { 0 });
    if some.len().min(others.len()) > LONG {
        let held: HashSet<_> = others.iter().map(key).collect();
        some.iter().filter(|row| !held.contains(&key(row))).for_each(|row| act(*row));
        return;
    }
    let same = |a: &(u32, u64), b: &(u32, u64)| key(a) == key(b);
    let mut next = 0;
    for row in some {
        let found = others[next..].iter().position(|other| same(row, other));
        let found = match found {
            Some(found) => Some(next + found),
            None => others[..next].iter().position(|other| same(row, other)),
        };
        match found {
            Some(found) => next = found + 1,
            None => act(*row),
        }
    }
}
