//! A hash index from keys to dense slots, 0, 1, 2 …, in order of first sight.
//!
//! A single integer-like column is kept native, and so is one below a slot of another table (a
//! UInt32 column before it); everything else in Arrow's row format, in one arena. Hashes are kept per slot,
//! so that growth and snapshots never hash again. Slots of removed keys go to the next new keys; tables
//! that never remove pay nothing for it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, UInt32Type};
use arrow::row::{RowConverter, Rows, SortField};
use hashbrown::HashTable;
use tidegate_types::{Error, Result};

use super::arena::Arena;
use super::native::{is_native, native_array, native_values};

/// No slot: the answer for a key that is not in a table.
pub const NO_SLOT: u32 = u32::MAX;

/// Maps keys to slots.
pub struct KeyTable {
    types: Vec<DataType>,
    slots: Slots,
    keys: Keys,
}

/// The index, and which slots there are.
#[derive(Default)]
struct Slots {
    index: HashTable<u32>,
    hashes: Vec<u64>,
    /// Slots of removed keys.
    free: Vec<u32>,
    /// Slots that the last upsert gave to new keys.
    added: Vec<u32>,
}

enum Keys {
    /// No key columns: one slot.
    Unit,
    /// One column that fits 64 bits. The slot of NULL is not in the index, so that no value can be
    /// taken for it.
    Native { values: Vec<i64>, null_slot: Option<u32> },
    /// A slot of another table and a column that fits 64 bits, without NULL.
    Nested { parents: Vec<u32>, values: Vec<i64> },
    /// Row-format bytes.
    Rows { converter: RowConverter, arena: Arena },
}

impl Slots {
    /// A slot for a new key, not yet in the index.
    #[inline]
    fn make(&mut self, hash: u64) -> u32 {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.hashes[slot as usize] = hash;
                slot
            }
            None => {
                self.hashes.push(hash);
                (self.hashes.len() - 1) as u32
            }
        };
        self.added.push(slot);
        slot
    }

    #[inline]
    fn insert(&mut self, hash: u64, slot: u32) {
        let hashes = &self.hashes;
        self.index.insert_unique(hash, slot, |slot| hashes[*slot as usize]);
    }

    fn free(&mut self, slot: u32, indexed: bool) {
        if indexed
            && let Ok(entry) = self.index.find_entry(self.hashes[slot as usize], |s| *s == slot)
        {
            entry.remove();
        }
        self.free.push(slot);
    }
}

/// Puts a value into its place: of a freed slot, or of the next new one.
#[inline]
fn put<T>(values: &mut Vec<T>, slot: u32, value: T) {
    match values.get_mut(slot as usize) {
        Some(place) => *place = value,
        None => values.push(value),
    }
}

impl KeyTable {
    /// An empty table for keys of these types.
    ///
    /// # Errors
    /// `UNSUPPORTED` if a type cannot be a key.
    pub fn new(types: &[DataType]) -> Result<Self> {
        let keys = match types {
            [] => Keys::Unit,
            [one] if is_native(one) => Keys::Native { values: Vec::new(), null_slot: None },
            [DataType::UInt32, one] if is_native(one) => {
                Keys::Nested { parents: Vec::new(), values: Vec::new() }
            }
            _ => {
                let fields = types.iter().map(|ty| SortField::new(ty.clone())).collect();
                let converter = RowConverter::new(fields).map_err(|error| {
                    Error::unsupported(format!("these columns cannot be keys: {error}"))
                })?;
                Keys::Rows { converter, arena: Arena::default() }
            }
        };
        Ok(Self { types: types.to_vec(), slots: Slots::default(), keys })
    }

    /// Makes room for so many more keys.
    pub fn reserve(&mut self, keys: usize) {
        if !matches!(self.keys, Keys::Unit) {
            self.slots.hashes.reserve(keys);
            let hashes = &self.slots.hashes;
            self.slots.index.reserve(keys, |slot| hashes[*slot as usize]);
        }
    }

    /// Number of slots, those of removed keys among them.
    pub fn len(&self) -> usize {
        self.slots.hashes.len()
    }

    /// Whether there has been no key yet.
    pub fn is_empty(&self) -> bool {
        self.slots.hashes.is_empty()
    }

    /// Number of keys.
    pub fn live(&self) -> usize {
        self.len() - self.slots.free.len()
    }

    /// The slots that the last upsert gave to new keys.
    pub fn added(&self) -> &[u32] {
        &self.slots.added
    }

    /// The hashes of the keys, by slot; of a slot without a key anything.
    pub fn hashes(&self) -> &[u64] {
        &self.slots.hashes
    }

    /// Types of the key columns.
    pub fn types(&self) -> &[DataType] {
        &self.types
    }

    /// Bytes held.
    pub fn memory_size(&self) -> usize {
        let keys = match &self.keys {
            Keys::Unit => 0,
            Keys::Native { values, .. } => values.capacity() * 8,
            Keys::Nested { parents, values } => parents.capacity() * 4 + values.capacity() * 8,
            Keys::Rows { arena, .. } => arena.memory_size(),
        };
        let Slots { index, hashes, free, added } = &self.slots;
        let lists = (free.capacity() + added.capacity()) * 4;
        keys + hashes.capacity() * 8 + index.capacity() * 5 + lists
    }

    /// Finds or adds the key of every row; `slots` is overwritten with one slot per row. New keys take
    /// the slots of removed ones, else the next ones.
    ///
    /// # Errors
    /// `INTERNAL` if the columns are not of the table's types.
    pub fn upsert(
        &mut self,
        columns: &[ArrayRef],
        hashes: &[u64],
        slots: &mut Vec<u32>,
    ) -> Result<()> {
        slots.clear();
        slots.reserve(hashes.len());
        let own = &mut self.slots;
        own.added.clear();
        match &mut self.keys {
            Keys::Unit => {
                if own.hashes.len() == own.free.len() && !hashes.is_empty() {
                    own.make(hashes[0]);
                }
                slots.resize(hashes.len(), 0);
            }
            Keys::Native { values, null_slot } => {
                upsert_native(own, values, null_slot, &native_values(&columns[0])?, hashes, slots);
            }
            Keys::Nested { parents, values } => {
                let (of, column) = nested_values(columns)?;
                for ((parent, value), hash) in of.iter().zip(column.values()).zip(hashes) {
                    let same = |slot: &u32| {
                        values[*slot as usize] == *value && parents[*slot as usize] == *parent
                    };
                    if let Some(slot) = own.index.find(*hash, same) {
                        slots.push(*slot);
                        continue;
                    }
                    let slot = own.make(*hash);
                    put(parents, slot, *parent);
                    put(values, slot, *value);
                    own.insert(*hash, slot);
                    slots.push(slot);
                }
            }
            Keys::Rows { converter, arena } => {
                for (row, hash) in encode(converter, columns)?.iter().zip(hashes) {
                    let row: &[u8] = row.as_ref();
                    let found = own.index.find(*hash, |slot| {
                        own.hashes[*slot as usize] == *hash && arena.get(*slot) == row
                    });
                    if let Some(slot) = found {
                        slots.push(*slot);
                        continue;
                    }
                    let slot = own.make(*hash);
                    arena.set(slot, row);
                    own.insert(*hash, slot);
                    slots.push(slot);
                }
            }
        }
        Ok(())
    }

    /// Finds the key of every row; `slots` is overwritten with one slot per row, [`NO_SLOT`] for a
    /// key that is not there.
    ///
    /// # Errors
    /// `INTERNAL` if the columns are not of the table's types.
    pub fn find(&self, columns: &[ArrayRef], hashes: &[u64], slots: &mut Vec<u32>) -> Result<()> {
        slots.clear();
        slots.reserve(hashes.len());
        let own = &self.slots;
        match &self.keys {
            Keys::Unit => {
                let slot = if self.live() == 0 { NO_SLOT } else { 0 };
                slots.resize(hashes.len(), slot);
            }
            Keys::Native { values, null_slot } => {
                let column = native_values(&columns[0])?;
                for (row, (value, hash)) in column.values().iter().zip(hashes).enumerate() {
                    let found = if column.is_null(row) {
                        null_slot.as_ref()
                    } else {
                        own.index.find(*hash, |slot| values[*slot as usize] == *value)
                    };
                    slots.push(found.map_or(NO_SLOT, |slot| *slot));
                }
            }
            Keys::Nested { parents, values } => {
                let (of, column) = nested_values(columns)?;
                for ((parent, value), hash) in of.iter().zip(column.values()).zip(hashes) {
                    let found = own.index.find(*hash, |slot| {
                        values[*slot as usize] == *value && parents[*slot as usize] == *parent
                    });
                    slots.push(found.map_or(NO_SLOT, |slot| *slot));
                }
            }
            Keys::Rows { converter, arena } => {
                for (row, hash) in encode(converter, columns)?.iter().zip(hashes) {
                    let row: &[u8] = row.as_ref();
                    let found = own.index.find(*hash, |slot| {
                        own.hashes[*slot as usize] == *hash && arena.get(*slot) == row
                    });
                    slots.push(found.map_or(NO_SLOT, |slot| *slot));
                }
            }
        }
        Ok(())
    }

    /// Removes the key of a slot, which must have one; its slot goes to a new key.
    pub fn remove(&mut self, slot: u32) {
        let mut indexed = true;
        match &mut self.keys {
            Keys::Unit => indexed = false,
            Keys::Native { null_slot, .. } if *null_slot == Some(slot) => {
                *null_slot = None;
                indexed = false;
            }
            Keys::Native { .. } | Keys::Nested { .. } => {}
            Keys::Rows { arena, .. } => arena.remove(slot),
        }
        self.slots.free(slot, indexed);
    }

    /// The key columns of the given slots, which must have keys.
    ///
    /// # Errors
    /// `INTERNAL` if the stored keys cannot be decoded.
    pub fn columns(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        match &self.keys {
            Keys::Unit => Ok(Vec::new()),
            Keys::Native { values, null_slot } => {
                let nulls = null_slot
                    .filter(|null| slots.contains(null))
                    .map(|null| NullBuffer::from_iter(slots.iter().map(|slot| *slot != null)));
                let taken = slots.iter().map(|slot| values[*slot as usize]).collect::<Vec<_>>();
                Ok(vec![native_array(Int64Array::new(taken.into(), nulls), &self.types[0])?])
            }
            Keys::Nested { parents, values } => {
                let of = slots.iter().map(|slot| parents[*slot as usize]);
                let taken = slots.iter().map(|slot| values[*slot as usize]);
                let taken = Int64Array::from_iter_values(taken);
                let of = UInt32Array::from_iter_values(of);
                Ok(vec![Arc::new(of), native_array(taken, &self.types[1])?])
            }
            Keys::Rows { converter, arena } => {
                let parser = converter.parser();
                let rows = slots.iter().map(|slot| parser.parse(arena.get(*slot)));
                converter
                    .convert_rows(rows)
                    .map_err(|error| Error::internal(format!("decode keys: {error}")))
            }
        }
    }
}

fn upsert_native(
    own: &mut Slots,
    values: &mut Vec<i64>,
    null_slot: &mut Option<u32>,
    column: &Int64Array,
    hashes: &[u64],
    slots: &mut Vec<u32>,
) {
    let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
    for (row, (value, hash)) in column.values().iter().zip(hashes).enumerate() {
        if nulls.is_some_and(|nulls| nulls.is_null(row)) {
            let slot = *null_slot.get_or_insert_with(|| {
                let slot = own.make(*hash);
                put(values, slot, 0);
                slot
            });
            slots.push(slot);
            continue;
        }
        let found = own.index.find(*hash, |slot| values[*slot as usize] == *value);
        if let Some(slot) = found {
            slots.push(*slot);
            continue;
        }
        let slot = own.make(*hash);
        put(values, slot, *value);
        own.insert(*hash, slot);
        slots.push(slot);
    }
}

fn nested_values(columns: &[ArrayRef]) -> Result<(&[u32], Int64Array)> {
    let [parents, values] = columns else {
        return Err(Error::internal("keys below a slot are two columns"));
    };
    let parents = parents
        .as_primitive_opt::<UInt32Type>()
        .ok_or_else(|| Error::internal("the first column of keys below a slot is not a slot"))?;
    let values = native_values(values)?;
    if parents.null_count() + values.null_count() > 0 {
        return Err(Error::internal("NULL in keys below a slot"));
    }
    Ok((parents.values(), values))
}

fn encode(converter: &RowConverter, columns: &[ArrayRef]) -> Result<Rows> {
    converter
        .convert_columns(columns)
        .map_err(|error| Error::internal(format!("encode keys: {error}")))
}

#[cfg(test)]
mod tests;
