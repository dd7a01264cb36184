//! Snapshots of a window aggregate: what changed, what is new, and what the lap writes again.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use tidegate_types::{Error, Result};

use super::aggregate::WindowAggregate;
use super::layout::{TABLE, VERSION};
use super::refresh::{self, Stretch};
use crate::checkpoint::table_files::piece_entries;
use crate::operator::{Entries, Piece, SnapshotMode, SnapshotRequest, TableSnapshot};

/// The snapshot of an operator's tables.
pub(super) fn snapshot(
    operator: &mut WindowAggregate,
    request: &SnapshotRequest,
) -> Result<Vec<TableSnapshot>> {
    let live = operator.groups.values().map(|groups| groups.keys.len() as u64).sum();
    let (mode, changed, stretches) = match request.mode(TABLE) {
        SnapshotMode::Full => {
            operator.groups.values_mut().for_each(|groups| groups.take_all());
            let stretches = refresh::everything(&operator.groups, piece_entries(live));
            (SnapshotMode::Full, Vec::new(), stretches)
        }
        SnapshotMode::Incremental { recall, refresh } => {
            let possible = operator.groups.values().map(|groups| groups.recallable()).min();
            let recall = recall.min(possible.unwrap_or(recall));
            let mut stretches = refresh::advance(&operator.groups, &mut operator.lap, refresh);
            let changed = take_changes(operator, recall, piece_entries(live), &mut stretches);
            (SnapshotMode::Incremental { recall, refresh }, changed, stretches)
        }
    };
    let mut entries = Entries::default();
    for (slice, slots) in changed {
        add(operator, &mut entries, slice, &slots)?;
    }
    let pieces = stretches.into_iter().map(|stretch| piece(operator, stretch));
    let mut tables = vec![TableSnapshot {
        table: TABLE,
        version: VERSION,
        mode,
        changed: entries,
        pieces: pieces.collect::<Result<_>>()?,
        lap: Some(operator.lap),
        live,
    }];
    if operator.is_processing_time() {
        tables.extend(operator.fired.snapshot(request)?);
    }
    Ok(tables)
}

/// The changed slots by slice; new ones that are many become stretches.
fn take_changes(
    operator: &mut WindowAggregate,
    recall: u32,
    most: usize,
    stretches: &mut Vec<Stretch>,
) -> Vec<((i64, i64), Vec<u32>)> {
    let mut all = Vec::new();
    for (slice, groups) in &mut operator.groups {
        let (changed, new) = groups.take_changes(recall);
        if !changed.is_empty() {
            all.push((*slice, changed));
        }
        for from in new.clone().step_by(most) {
            let until = new.end.min(from.saturating_add(most as u32));
            stretches.push(Stretch {
                from: (slice.0, slice.1, u64::from(from)),
                until: (slice.0, slice.1, u64::from(until)),
                parts: vec![(*slice, from..until)],
            });
        }
    }
    all
}

fn piece(operator: &WindowAggregate, stretch: Stretch) -> Result<Piece> {
    let mut entries = Entries::default();
    for (slice, slots) in stretch.parts {
        add(operator, &mut entries, slice, &slots.collect::<Vec<u32>>())?;
    }
    Ok(Piece { entries, from: stretch.from, until: stretch.until })
}

/// Adds the groups of `slots` of the slice or window `(end, start)`.
fn add(
    operator: &WindowAggregate,
    entries: &mut Entries,
    (end, start): (i64, i64),
    slots: &[u32],
) -> Result<()> {
    let Some(groups) = operator.groups.get(&(end, start)) else { return Ok(()) };
    let bound = |bound| Arc::new(Int64Array::from_value(bound, slots.len())) as ArrayRef;
    let mut columns: Vec<ArrayRef> = vec![bound(end), bound(start)];
    columns.extend(groups.columns(slots)?);
    let batch = RecordBatch::try_new(operator.state_schema.clone(), columns)
        .map_err(|error| Error::internal(format!("window state: {error}")))?;
    entries.batches.push(batch);
    if !operator.is_processing_time() {
        entries.expires = entries.expires.max(Some(operator.last_completion(end)));
    }
    Ok(())
}
