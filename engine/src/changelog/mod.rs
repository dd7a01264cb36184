//! Operators that change how updates are expressed: completing upserts, dropping old rows, ordering
//! changes by the key of a sink, making rows of changes and changes of rows.

mod materialize;
mod normalize;
mod rows;
#[cfg(test)]
mod tests;

use arrow::array::BooleanArray;
use arrow::compute::{filter, filter_record_batch};
use tidegate_plan::RowKind;
use tidegate_types::{Error, Result};

use crate::element::Changes;
use crate::operator::{Operator, Output};

pub use materialize::UpsertMaterialize;
pub use normalize::ChangelogNormalize;
pub use rows::{FromChangelog, ToChangelog};

/// Drops the old content of updated rows.
pub struct DropUpdateBefore;

impl Operator for DropUpdateBefore {
    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        let Some(kinds) = &changes.kinds else {
            out.emit(changes);
            return Ok(());
        };
        let internal = |error: arrow::error::ArrowError| Error::internal(error.to_string());
        let kept = kinds.values().iter().map(|kind| *kind != RowKind::UpdateBefore as i8);
        let kept = BooleanArray::from(kept.collect::<Vec<_>>());
        let rows = filter_record_batch(&changes.rows, &kept).map_err(internal)?;
        let kinds = filter(kinds, &kept).map_err(internal)?;
        out.emit(Changes { kinds: kinds.as_any().downcast_ref().cloned(), rows });
        Ok(())
    }
}
