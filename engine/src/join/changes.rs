//! What a batch of changes does to the kept rows of its side: which rows it takes back, where they are, and which of its
//! own rows it takes back itself: those never were.

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{interleave_record_batch, take_record_batch};
use hashbrown::HashMap;
use tidegate_plan::RowKind;
use tidegate_types::{Error, Result};

use super::equality::equal_rows;
use super::residual::take_columns;
use super::rows::{NONE, RowId};
use super::side::Side;
use crate::element::Changes;
use crate::keys::hash::hash_columns;

/// How rows of an input are taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InputMode {
    /// Never.
    Append,
    /// By their whole content.
    Retract,
    /// By a key, and with the next row of that key.
    Upsert,
}

/// Changes in order, each to one row.
pub(super) struct Steps {
    /// The rows: of those that are taken back their old content.
    pub(super) rows: RecordBatch,
    /// Kinds; `None`: all are inserts.
    pub(super) kinds: Option<Vec<i8>>,
    /// Places of those that are taken back, [`NONE`] if they are not kept; empty without kinds.
    pub(super) kept: Vec<RowId>,
    /// Whether a step and the next one are an update of one row; empty if none is.
    pub(super) replaces: Vec<bool>,
}

impl Steps {
    /// The kind of a step.
    #[inline]
    pub(super) fn kind(&self, step: usize) -> i8 {
        self.kinds.as_ref().map_or(0, |kinds| kinds[step])
    }

    /// Whether a step and the next one are an update of one row.
    #[inline]
    pub(super) fn replaces(&self, step: usize) -> bool {
        self.replaces.get(step).copied().unwrap_or(false)
    }

    /// What a batch does to a side.
    ///
    /// # Errors
    /// `INTERNAL` if an input that should not takes rows back.
    pub(super) fn of(changes: Changes, side: &Side, mode: InputMode) -> Result<Self> {
        let Some(kinds) = &changes.kinds else {
            if mode == InputMode::Upsert {
                let kinds = vec![RowKind::Insert as i8; changes.len()];
                return upserts(&changes.rows, &kinds, side);
            }
            return Ok(Self::inserts(changes.rows));
        };
        let kinds = kinds.values();
        match mode {
            InputMode::Append if kinds.iter().all(|kind| RowKind::adds(*kind)) => {
                Ok(Self::inserts(changes.rows))
            }
            InputMode::Append => Err(Error::internal("an append-only input takes rows back")),
            InputMode::Retract => retractions(&changes.rows, kinds, side),
            InputMode::Upsert => upserts(&changes.rows, kinds, side),
        }
    }

    fn inserts(rows: RecordBatch) -> Self {
        Self { rows, kinds: None, kept: Vec::new(), replaces: Vec::new() }
    }
}

/// Where the row of a retraction is.
#[derive(Debug, Clone, Copy)]
enum Origin {
    Batch(u32),
    Kept(RowId),
}

fn retractions(rows: &RecordBatch, kinds: &[i8], side: &Side) -> Result<Steps> {
    let whole = |rows: &RecordBatch, kept| Steps {
        rows: rows.clone(),
        kinds: Some(kinds.to_vec()),
        kept,
        replaces: Vec::new(),
    };
    if kinds.iter().all(|kind| RowKind::adds(*kind)) {
        return Ok(whole(rows, vec![NONE; kinds.len()]));
    }
    let mut origins = find(rows, kinds, side, |_, _| Ok(true))?;
    if !are_equal(rows, side, &origins)? {
        // Hashes of different rows are equal: rows are compared one by one.
        let equal = |row, origin| are_equal(rows, side, &[(row, origin)]);
        origins = find(rows, kinds, side, equal)?;
    }
    let mut kept = vec![NONE; kinds.len()];
    let mut void = vec![false; kinds.len()];
    for (row, origin) in origins {
        match origin {
            Origin::Kept(place) => kept[row as usize] = place,
            Origin::Batch(other) => (void[row as usize], void[other as usize]) = (true, true),
        }
    }
    if !void.contains(&true) {
        return Ok(whole(rows, kept));
    }
    let left: Vec<u32> = (0..kinds.len() as u32).filter(|row| !void[*row as usize]).collect();
    let kinds = left.iter().map(|row| kinds[*row as usize]).collect();
    let kept = left.iter().map(|row| kept[*row as usize]).collect();
    let rows = take_record_batch(rows, &UInt32Array::from(left))
        .map_err(|error| Error::internal(error.to_string()))?;
    Ok(Steps { rows, kinds: Some(kinds), kept, replaces: Vec::new() })
}

/// The row of each retraction: one of the batch before it, else a kept one, among those of its hash
/// that are `equal`.
fn find(
    rows: &RecordBatch,
    kinds: &[i8],
    side: &Side,
    equal: impl Fn(u32, Origin) -> Result<bool>,
) -> Result<Vec<(u32, Origin)>> {
    let (Some(columns), Some(identities)) = (&side.spec.identity, &side.identities) else {
        return Err(Error::internal("a side that takes no rows back"));
    };
    let mut hashes = Vec::new();
    hash_columns(rows, columns, &mut hashes)?;
    let mut added: HashMap<u64, Vec<u32>> = HashMap::new();
    let mut used: HashMap<u64, Vec<RowId>> = HashMap::new();
    let mut origins = Vec::new();
    for (row, hash) in (0u32..).zip(&hashes) {
        if RowKind::adds(kinds[row as usize]) {
            added.entry(*hash).or_default().push(row);
            continue;
        }
        let candidates = added.get_mut(hash);
        let found = candidates.and_then(|rows| {
            let place = rows
                .iter()
                .rposition(|other| matches!(equal(row, Origin::Batch(*other)), Ok(true)))?;
            Some(rows.remove(place))
        });
        if let Some(other) = found {
            origins.push((row, Origin::Batch(other)));
            continue;
        }
        let used = used.entry(*hash).or_default();
        // The rows of a chain that were used are mostly those at its beginning, in order.
        let mut place = match used.last() {
            Some(last) => identities.next(*last),
            None => identities.first(*hash),
        };
        while place != NONE && !equal(row, Origin::Kept(place))? {
            place = identities.next(place);
        }
        if place == NONE && !used.is_empty() {
            place = identities.first(*hash);
            while place != NONE && (used.contains(&place) || !equal(row, Origin::Kept(place))?) {
                place = identities.next(place);
            }
        }
        if place != NONE {
            used.push(place);
            origins.push((row, Origin::Kept(place)));
        }
    }
    Ok(origins)
}

/// Whether every retraction equals the row that was found for it.
fn are_equal(rows: &RecordBatch, side: &Side, origins: &[(u32, Origin)]) -> Result<bool> {
    let all: Vec<usize> = (0..rows.num_columns()).collect();
    let (mut in_batch, mut in_side) = ((vec![], vec![]), (vec![], vec![]));
    for (row, origin) in origins {
        match origin {
            Origin::Batch(other) => {
                in_batch.0.push(*row);
                in_batch.1.push(*other);
            }
            Origin::Kept(place) => {
                in_side.0.push(*row);
                in_side.1.push(*place);
            }
        }
    }
    let equal = |left: &[ArrayRef], right: &[ArrayRef], count: usize| {
        Ok::<_, Error>(equal_rows(left, right, count)?.count_set_bits() == count)
    };
    let columns = rows.columns();
    let taken = |rows: &[u32]| take_columns(columns, &all, rows);
    Ok(equal(&taken(&in_batch.0)?, &taken(&in_batch.1)?, in_batch.0.len())?
        && equal(&taken(&in_side.0)?, &side.rows.gather(&all, &in_side.1)?, in_side.0.len())?)
}

/// What became of a key in a batch.
struct Update {
    /// The kept row, if there is one.
    old: RowId,
    /// The last row of the batch, unless it was deleted.
    new: Option<u32>,
    /// The first row of the batch, by which another key of the same hash is told apart.
    first: u32,
}

fn upserts(rows: &RecordBatch, kinds: &[i8], side: &Side) -> Result<Steps> {
    let (Some(columns), Some(identities)) = (&side.spec.identity, &side.identities) else {
        return Err(Error::internal("a side without a key"));
    };
    let mut hashes = Vec::new();
    hash_columns(rows, columns, &mut hashes)?;
    let firsts: Vec<RowId> = hashes.iter().map(|hash| identities.first(*hash)).collect();
    let same_key = |row: u32, other: Origin| -> Result<bool> {
        let mine = take_columns(rows.columns(), columns, &[row])?;
        let other = match other {
            Origin::Batch(other) => take_columns(rows.columns(), columns, &[other])?,
            Origin::Kept(place) => side.rows.gather(columns, &[place])?,
        };
        Ok(equal_rows(&mine, &other, 1)?.value(0))
    };
    let at_first = equal_keys(rows, columns, side, &firsts)?;
    let mut leaders: HashMap<u64, u32> = HashMap::new();
    let leaders: Vec<u32> =
        (0u32..).zip(&hashes).map(|(row, hash)| *leaders.entry(*hash).or_insert(row)).collect();
    let mine: Vec<ArrayRef> = columns.iter().map(|column| rows.column(*column).clone()).collect();
    let all: Vec<usize> = (0..mine.len()).collect();
    let led = equal_rows(&mine, &take_columns(&mine, &all, &leaders)?, rows.num_rows())?;
    let mut updates: Vec<Update> = Vec::new();
    let mut known: HashMap<u64, Vec<usize>> = HashMap::new();
    for (row, hash) in (0u32..).zip(&hashes) {
        let of_hash = known.entry(*hash).or_default();
        let mut place = None;
        for index in of_hash.iter() {
            let first = updates[*index].first;
            let same = if first == leaders[row as usize] {
                led.value(row as usize)
            } else {
                same_key(row, Origin::Batch(first))?
            };
            if same {
                place = Some(*index);
                break;
            }
        }
        let index = match place {
            Some(index) => index,
            None => {
                let mut old = firsts[row as usize];
                if old != NONE && !at_first[row as usize] {
                    while old != NONE && !same_key(row, Origin::Kept(old))? {
                        old = identities.next(old);
                    }
                }
                updates.push(Update { old, new: None, first: row });
                of_hash.push(updates.len() - 1);
                updates.len() - 1
            }
        };
        updates[index].new = RowKind::adds(kinds[row as usize]).then_some(row);
    }
    steps(rows, side, &updates)
}

/// Whether the kept rows at some places have the keys of the rows.
fn equal_keys(
    rows: &RecordBatch,
    columns: &[usize],
    side: &Side,
    places: &[RowId],
) -> Result<Vec<bool>> {
    let mine: Vec<ArrayRef> = columns.iter().map(|column| rows.column(*column).clone()).collect();
    let kept = side.rows.gather(columns, places)?;
    let equal = equal_rows(&mine, &kept, rows.num_rows())?;
    Ok(equal.iter().zip(places).map(|(equal, place)| equal && *place != NONE).collect())
}

fn steps(rows: &RecordBatch, side: &Side, updates: &[Update]) -> Result<Steps> {
    let old: Vec<RowId> = updates.iter().map(|update| update.old).filter(|o| *o != NONE).collect();
    let kept_rows = side.rows.gather_rows(&old)?;
    let (mut places, mut kinds, mut kept, mut replaces) = (vec![], vec![], vec![], vec![]);
    let mut next_old = 0;
    for update in updates {
        let (was, is) = (update.old != NONE, update.new);
        if was {
            places.push((1, next_old));
            next_old += 1;
            let kind = if is.is_some() { RowKind::UpdateBefore } else { RowKind::Delete };
            kinds.push(kind as i8);
            kept.push(update.old);
            replaces.push(is.is_some());
        }
        if let Some(row) = is {
            places.push((0, row as usize));
            kinds.push(if was { RowKind::UpdateAfter } else { RowKind::Insert } as i8);
            kept.push(NONE);
            replaces.push(false);
        }
    }
    let schema = side.rows.schema();
    let mine = super::rows::batch(schema, rows.columns().to_vec(), rows.num_rows())?;
    let rows = if schema.fields().is_empty() {
        super::rows::batch(schema, Vec::new(), places.len())?
    } else {
        interleave_record_batch(&[&mine, &kept_rows], &places)
            .map_err(|error| Error::internal(error.to_string()))?
    };
    Ok(Steps { rows, kinds: Some(kinds), kept, replaces })
}
