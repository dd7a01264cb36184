//! A hash index from keys to dense slots, 0, 1, 2 …, in order of first sight.
//!
//! A single integer-like column is kept native; everything else in Arrow's row format, in one
//! arena. Hashes are kept per slot, so that growth and snapshots never hash again. There is no
//! removal: tables live as long as their window slice and are dropped whole.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Int64Array, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes as dt;
use arrow::datatypes::{DataType, TimeUnit};
use arrow::row::{RowConverter, SortField};
use hashbrown::HashTable;
use tidegate_types::{Error, Result};

/// Maps keys to slots.
pub struct KeyTable {
    types: Vec<DataType>,
    index: HashTable<u32>,
    hashes: Vec<u64>,
    keys: Keys,
}

enum Keys {
    /// No key columns: one slot.
    Unit,
    /// One column that fits 64 bits.
    Native { values: Vec<i64>, null_slot: Option<u32> },
    /// Row-format bytes: `ends[slot]` is one past the key's last byte.
    Rows { converter: RowConverter, bytes: Vec<u8>, ends: Vec<usize> },
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
            _ => {
                let fields = types.iter().map(|ty| SortField::new(ty.clone())).collect();
                let converter = RowConverter::new(fields).map_err(|error| {
                    Error::unsupported(format!("these columns cannot be keys: {error}"))
                })?;
                Keys::Rows { converter, bytes: Vec::new(), ends: Vec::new() }
            }
        };
        Ok(Self { types: types.to_vec(), index: HashTable::new(), hashes: Vec::new(), keys })
    }

    /// Makes room for so many more keys.
    pub fn reserve(&mut self, keys: usize) {
        if !matches!(self.keys, Keys::Unit) {
            self.hashes.reserve(keys);
            let hashes = &self.hashes;
            self.index.reserve(keys, |slot| hashes[*slot as usize]);
        }
    }

    /// Number of slots.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there is no key yet.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// The hashes of the keys, by slot.
    pub fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// Bytes held.
    pub fn memory_size(&self) -> usize {
        let keys = match &self.keys {
            Keys::Unit => 0,
            Keys::Native { values, .. } => values.capacity() * 8,
            Keys::Rows { bytes, ends, .. } => bytes.capacity() + ends.capacity() * 8,
        };
        keys + self.hashes.capacity() * 8 + self.index.capacity() * 5
    }

    /// Finds or adds the key of every row; `slots` is overwritten with one slot per row.
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
        match &mut self.keys {
            Keys::Unit => {
                if self.hashes.is_empty() && !hashes.is_empty() {
                    self.hashes.push(hashes[0]);
                }
                slots.resize(hashes.len(), 0);
            }
            Keys::Native { values, null_slot } => {
                let column = native_values(&columns[0])?;
                let mut native =
                    Native { index: &mut self.index, hashes: &mut self.hashes, values, null_slot };
                native.upsert(&column, hashes, slots);
            }
            Keys::Rows { converter, bytes, ends } => {
                let rows = converter
                    .convert_columns(columns)
                    .map_err(|error| Error::internal(format!("encode keys: {error}")))?;
                for (row, hash) in rows.iter().zip(hashes) {
                    let row: &[u8] = row.as_ref();
                    let key = |slot: u32| {
                        let slot = slot as usize;
                        let start = if slot == 0 { 0 } else { ends[slot - 1] };
                        &bytes[start..ends[slot]]
                    };
                    let found = self.index.find(*hash, |slot| {
                        self.hashes[*slot as usize] == *hash && key(*slot) == row
                    });
                    if let Some(slot) = found {
                        slots.push(*slot);
                        continue;
                    }
                    let slot = self.hashes.len() as u32;
                    self.hashes.push(*hash);
                    bytes.extend_from_slice(row);
                    ends.push(bytes.len());
                    self.index.insert_unique(*hash, slot, |slot| self.hashes[*slot as usize]);
                    slots.push(slot);
                }
            }
        }
        Ok(())
    }

    /// The key columns of the given slots.
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
            Keys::Rows { converter, bytes, ends } => {
                let parser = converter.parser();
                let rows = slots.iter().map(|slot| {
                    let slot = *slot as usize;
                    let start = if slot == 0 { 0 } else { ends[slot - 1] };
                    parser.parse(&bytes[start..ends[slot]])
                });
                converter
                    .convert_rows(rows)
                    .map_err(|error| Error::internal(format!("decode keys: {error}")))
            }
        }
    }
}

struct Native<'a> {
    index: &'a mut HashTable<u32>,
    hashes: &'a mut Vec<u64>,
    values: &'a mut Vec<i64>,
    null_slot: &'a mut Option<u32>,
}

impl Native<'_> {
    fn upsert(&mut self, column: &Int64Array, hashes: &[u64], slots: &mut Vec<u32>) {
        let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
        for (row, (value, hash)) in column.values().iter().zip(hashes).enumerate() {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                slots.push(self.null(*hash));
                continue;
            }
            let values = &*self.values;
            let found = self.index.find(*hash, |slot| values[*slot as usize] == *value);
            if let Some(slot) = found {
                slots.push(*slot);
                continue;
            }
            let slot = self.push(*value, *hash);
            let all = &*self.hashes;
            self.index.insert_unique(*hash, slot, |slot| all[*slot as usize]);
            slots.push(slot);
        }
    }

    /// The slot of NULL is not in the index, so that no value can be taken for it.
    fn null(&mut self, hash: u64) -> u32 {
        match *self.null_slot {
            Some(slot) => slot,
            None => {
                let slot = self.push(0, hash);
                *self.null_slot = Some(slot);
                slot
            }
        }
    }

    fn push(&mut self, value: i64, hash: u64) -> u32 {
        let slot = self.hashes.len() as u32;
        self.values.push(value);
        self.hashes.push(hash);
        slot
    }
}

fn is_native(ty: &DataType) -> bool {
    matches!(
        ty,
        DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Date32
            | DataType::Time32(TimeUnit::Millisecond)
            | DataType::Timestamp(_, _)
    )
}

fn native_values(column: &ArrayRef) -> Result<Int64Array> {
    fn widen<T: ArrowPrimitiveType>(column: &ArrayRef) -> Int64Array
    where
        T::Native: Into<i64>,
    {
        let array = column.as_primitive::<T>();
        array.unary(Into::into)
    }
    Ok(match column.data_type() {
        DataType::Int64 => column.as_primitive::<dt::Int64Type>().clone(),
        DataType::Int8 => widen::<dt::Int8Type>(column),
        DataType::Int16 => widen::<dt::Int16Type>(column),
        DataType::Int32 => widen::<dt::Int32Type>(column),
        DataType::Date32 => widen::<dt::Date32Type>(column),
        DataType::Time32(TimeUnit::Millisecond) => widen::<dt::Time32MillisecondType>(column),
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Millisecond => reinterpret::<dt::TimestampMillisecondType>(column),
            TimeUnit::Microsecond => reinterpret::<dt::TimestampMicrosecondType>(column),
            TimeUnit::Nanosecond => reinterpret::<dt::TimestampNanosecondType>(column),
            TimeUnit::Second => reinterpret::<dt::TimestampSecondType>(column),
        },
        other => return Err(Error::internal(format!("{other} is not a native key type"))),
    })
}

fn reinterpret<T: ArrowPrimitiveType<Native = i64>>(column: &ArrayRef) -> Int64Array {
    let array: &PrimitiveArray<T> = column.as_primitive::<T>();
    Int64Array::new(array.values().clone(), array.nulls().cloned())
}

fn native_array(values: Int64Array, ty: &DataType) -> Result<ArrayRef> {
    Ok(match ty {
        DataType::Int64 => Arc::new(values),
        DataType::Timestamp(..) => Arc::new(values)
            .to_data()
            .into_builder()
            .data_type(ty.clone())
            .build()
            .map(arrow::array::make_array)
            .map_err(|error| Error::internal(error.to_string()))?,
        DataType::Date32 | DataType::Time32(_) => {
            let narrow =
                cast(&values, &DataType::Int32).map_err(|e| Error::internal(e.to_string()))?;
            cast(&narrow, ty).map_err(|e| Error::internal(e.to_string()))?
        }
        _ => cast(&values, ty).map_err(|e| Error::internal(e.to_string()))?,
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int32Array, StringViewArray};

    use super::super::hash::{SEED, hash_array};
    use super::*;

    fn upsert(table: &mut KeyTable, columns: &[ArrayRef]) -> Vec<u32> {
        let mut hashes = vec![SEED; columns[0].len()];
        for column in columns {
            hash_array(column, &mut hashes).unwrap();
        }
        let mut slots = Vec::new();
        table.upsert(columns, &hashes, &mut slots).unwrap();
        slots
    }

    #[test]
    fn native_keys_keep_null_apart_and_come_back() {
        let mut table = KeyTable::new(&[DataType::Int32]).unwrap();
        let column: ArrayRef =
            Arc::new(Int32Array::from(vec![Some(5), None, Some(0), Some(5), None]));
        assert_eq!(upsert(&mut table, &[column]), [0, 1, 2, 0, 1]);
        let keys = table.columns(&[1, 2, 0]).unwrap();
        assert_eq!(keys[0].as_ref(), &Int32Array::from(vec![None, Some(0), Some(5)]) as &dyn Array);
    }

    #[test]
    fn several_columns_go_through_the_row_format() {
        let mut table = KeyTable::new(&[DataType::Utf8View, DataType::Int32]).unwrap();
        let texts: ArrayRef =
            Arc::new(StringViewArray::from(vec![Some("a"), None, Some("a"), Some("b")]));
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 1, 1, 1]));
        assert_eq!(upsert(&mut table, &[texts, numbers]), [0, 1, 0, 2]);
        let keys = table.columns(&[2, 1]).unwrap();
        assert_eq!(keys[0].as_ref(), &StringViewArray::from(vec![Some("b"), None]) as &dyn Array);
    }

    #[test]
    fn many_keys_grow_the_index() {
        let mut table = KeyTable::new(&[DataType::Int64]).unwrap();
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100_000));
        let first = upsert(&mut table, std::slice::from_ref(&column));
        assert_eq!(first, (0..100_000).collect::<Vec<u32>>());
        assert_eq!(upsert(&mut table, &[column]), first);
        assert_eq!(table.len(), 100_000);
    }
}
