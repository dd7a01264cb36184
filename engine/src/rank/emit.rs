//! Net changes of partitions: what was kept before a batch against what is now.

use hashbrown::HashSet;
use tidegate_plan::RowKind;

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
            let key = |(entry, rank): &(u32, u64)| (*entry, if ranked { *rank } else { 0 });
            let had: HashSet<_> = old.iter().map(key).collect();
            let has: HashSet<_> = new.iter().map(key).collect();
            let gone = old.iter().filter(|row| !has.contains(&key(row)));
            out.extend(gone.map(|(entry, rank)| (RowKind::Delete, *entry, *rank)));
            let come = new.iter().filter(|row| !had.contains(&key(row)));
            out.extend(come.map(|(entry, rank)| (RowKind::Insert, *entry, *rank)));
        }
    }
}
