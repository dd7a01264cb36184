//! Changes one after the other, for readers that need every version of a key and not only the last one of
//! a batch: what each row of a batch replaces. Net changes are in `pending.rs`.

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::concat;
use hashbrown::HashMap;
use tidegate_types::{Error, Result};

use super::SlotRows;
use super::pending::{NEW, Old};

/// What each row of a batch replaces: the row before it of the same slot, or what is stored; nothing behind
/// a row that is not `alive`, which ends its slot's row.
pub(crate) fn replaced(
    slots: &[u32],
    alive: Option<&[bool]>,
    batch: &[ArrayRef],
    stored: &SlotRows,
) -> Result<Old> {
    let mut before: HashMap<u32, u32> = HashMap::new();
    let (mut rows, mut wanted) = (Vec::with_capacity(slots.len()), Vec::new());
    for (row, slot) in (0u32..).zip(slots) {
        rows.push(match before.insert(*slot, row) {
            Some(earlier) if alive.is_none_or(|alive| alive[earlier as usize]) => earlier,
            None if stored.has(*slot) => {
                wanted.push(*slot);
                // Stored rows come behind those of the batch.
                (slots.len() + wanted.len() - 1) as u32
            }
            _ => NEW,
        });
    }
    let stored = stored.gather(&wanted)?;
    let both = batch.iter().zip(&stored).map(|(batch, stored)| {
        let parts: [&dyn Array; 2] = [batch.as_ref(), stored.as_ref()];
        concat(&parts).map_err(|error| Error::internal(error.to_string()))
    });
    Ok(Old { rows, columns: both.collect::<Result<_>>()? })
}

/// The rows of a batch in rounds, in each of which no key stands twice: the first row of every key, the second of
/// those that have one, and so on. Of keys only their hashes are known: those of equal hashes take turns, too.
pub(crate) fn rounds(hashes: &[u64]) -> Vec<UInt32Array> {
    let mut seen: HashMap<u64, usize> = HashMap::with_capacity(hashes.len());
    let mut rounds: Vec<Vec<u32>> = Vec::new();
    for (row, hash) in (0u32..).zip(hashes) {
        let round = seen.entry(*hash).and_modify(|round| *round += 1).or_insert(0);
        match rounds.get_mut(*round) {
            Some(rows) => rows.push(row),
            None => rounds.push(vec![row]),
        }
    }
    rounds.into_iter().map(UInt32Array::from).collect()
}

/// The last row of each slot: the slots, in the order in which they come first, and the places of their rows.
pub(crate) fn last_of_each(slots: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let mut places: HashMap<u32, usize> = HashMap::new();
    let (mut distinct, mut last) = (Vec::new(), Vec::new());
    for (row, slot) in (0u32..).zip(slots) {
        let place = *places.entry(*slot).or_insert_with(|| {
            distinct.push(*slot);
            last.push(row);
            distinct.len() - 1
        });
        last[place] = row;
    }
    (distinct, last)
}
