//! Tables by key (`upsert-kafka`): records without value delete the row of their key. What such a row holds, and how
//! the rows of a batch come into the order of its records.

use arrow::array::{
    Array, ArrayData, ArrayRef, Int8Array, UInt32Array, make_array, new_null_array,
};
use arrow::compute::{interleave, take};
use arrow::datatypes::DataType;
use tidegate_connector_spec::{Changes, Options};
use tidegate_plan::RowKind;
use tidegate_plan::arrow_type::data_type;
use tidegate_types::{Error, ErrorCode, Field, Result};

use super::batch::RecordBatchBytes;
use crate::format::Decoded;

/// Whether a table is one by key.
pub(super) fn is_by_key(options: &Options) -> bool {
    options.connector().changes == Changes::Upsert
}

/// Fails unless a table by key has a primary key.
///
/// # Errors
/// `INVALID_OPTION`.
pub(super) fn check_key(options: &Options, primary_key: &[String]) -> Result<()> {
    if !is_by_key(options) || !primary_key.is_empty() {
        return Ok(());
    }
    let name = options.connector().name;
    let message =
        format!("connector '{name}' needs a PRIMARY KEY, whose columns a record's key holds");
    Err(Error::new(ErrorCode::InvalidOption, message)
        .help("declare PRIMARY KEY (…) NOT ENFORCED in its CREATE TABLE"))
}

/// The kinds of rows that replace those of their keys.
pub(super) fn upserts(rows: usize) -> Int8Array {
    Int8Array::from_value(RowKind::UpdateAfter as i8, rows)
}

/// What deletions have in the columns that the value holds.
#[derive(Debug)]
pub(super) enum Deleted {
    /// The key's column with this index.
    Key(usize),
    /// One row: NULL, or where the column has none, zero, or nothing.
    Unknown(ArrayRef),
}

impl Deleted {
    /// What stands where a deletion says nothing. No one sees it: the deleted row is known by its key.
    pub(super) fn unknown(field: &Field) -> Self {
        let none = new_null_array(&data_type(&field.ty), 1);
        Self::Unknown(if field.ty.nullable {
            none
        } else {
            make_array(without_null(&none.to_data()))
        })
    }
}

/// The same values as if none of them were NULL: those of NULLs are zero, and empty texts and lists.
fn without_null(data: &ArrayData) -> ArrayData {
    let children = match data.data_type() {
        DataType::Struct(fields) => {
            let children = fields.iter().zip(data.child_data());
            let child = |(field, data): (&arrow::datatypes::FieldRef, &ArrayData)| {
                if field.is_nullable() { data.clone() } else { without_null(data) }
            };
            children.map(child).collect()
        }
        _ => data.child_data().to_vec(),
    };
    let whole = data.clone().into_builder().nulls(None).child_data(children);
    // Buffers and lengths stay as they were.
    whole.build().unwrap_or_else(|_| data.clone())
}

/// The rows of a batch in which some records delete, in the order of its records.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) kinds: Vec<i8>,
    /// For each row its place: 0 and the row among the values, or 1 and the row among the keys.
    places: Vec<(usize, usize)>,
    /// For each row the one of its key; `None`: its record has no key, and needs none.
    keys: Vec<Option<u32>>,
    /// For each row the record that it came from.
    records: Vec<u32>,
}

/// A record without a key where there must be one.
#[derive(Debug)]
pub(super) struct Keyless(pub(super) usize);

impl Merged {
    /// The rows of `batch`, whose values and keys were decoded. `by_record`: for each record the row of its key;
    /// `key_needed`: also where there is a value; `skip`: records that lack a key are left out and counted.
    ///
    /// # Errors
    /// The first record that lacks a key.
    pub(super) fn new(
        batch: &RecordBatchBytes,
        values: &Decoded,
        by_record: &[Option<u32>],
        key_needed: bool,
        skip: bool,
    ) -> Result<(Self, u64), Keyless> {
        let (mut merged, mut skipped) = (Self::default(), 0);
        let (mut next, rows) = (0, values.rows.num_rows());
        for (record, key) in by_record.iter().enumerate() {
            let first = next;
            while next < rows && values.origin(next) == record {
                next += 1;
            }
            let deletes = batch.values.get(record).is_none();
            let keyless = key.is_none() && (deletes || key_needed && first < next);
            match (keyless, *key) {
                (true, _) if skip => skipped += 1,
                (true, _) => return Err(Keyless(record)),
                (false, Some(row)) if deletes => {
                    merged.push(RowKind::Delete, (1, row as usize), *key, record);
                }
                (false, key) => {
                    for row in first..next {
                        merged.push(RowKind::UpdateAfter, (0, row), key, record);
                    }
                }
            }
        }
        Ok((merged, skipped))
    }

    fn push(&mut self, kind: RowKind, place: (usize, usize), key: Option<u32>, record: usize) {
        self.kinds.push(kind as i8);
        self.places.push(place);
        self.keys.push(key);
        self.records.push(record as u32);
    }

    /// A column that the value holds.
    pub(super) fn of_value(
        &self,
        values: &ArrayRef,
        deleted: &Deleted,
        keys: &Decoded,
    ) -> Result<ArrayRef> {
        let (other, one) = match deleted {
            Deleted::Key(column) => (keys.rows.column(*column), false),
            Deleted::Unknown(value) => (value, true),
        };
        if !one {
            return interleave(&[values, other], &self.places).map_err(internal);
        }
        let place = |(side, row): &(usize, usize)| (*side, if *side == 1 { 0 } else { *row });
        let places: Vec<_> = self.places.iter().map(place).collect();
        interleave(&[values, other], &places).map_err(internal)
    }

    /// A column that the key holds.
    pub(super) fn of_key(&self, keys: &ArrayRef) -> Result<ArrayRef> {
        take(keys, &self.keys.iter().copied().collect::<UInt32Array>(), None).map_err(internal)
    }

    /// A column of all records.
    pub(super) fn of_records(&self, records: &ArrayRef) -> Result<ArrayRef> {
        take(records, &UInt32Array::from(self.records.clone()), None).map_err(internal)
    }
}

fn internal(error: arrow::error::ArrowError) -> Error {
    Error::internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use arrow::array::RecordBatch;
    use tidegate_plan::arrow_type::arrow_schema;
    use tidegate_types::TypeKind;

    use super::*;

    #[test]
    fn columns_without_null_have_something_else_in_deletions() {
        let inner = vec![
            Field::new("a", TypeKind::STRING.not_null()),
            Field::new("b", TypeKind::Int.nullable()),
        ];
        let kinds = [
            TypeKind::Boolean,
            TypeKind::Int,
            TypeKind::Double,
            TypeKind::Decimal { precision: 10, scale: 2 },
            TypeKind::STRING,
            TypeKind::BYTES,
            TypeKind::Date,
            TypeKind::timestamp_ltz(3),
            TypeKind::Array(Box::new(TypeKind::Int.not_null())),
            TypeKind::Map(
                Box::new(TypeKind::STRING.not_null()),
                Box::new(TypeKind::Int.not_null()),
            ),
            TypeKind::Row(inner),
        ];
        for kind in kinds {
            for nullable in [false, true] {
                let field = Field::new("c", kind.clone().nullable().with_nullable(nullable));
                let Deleted::Unknown(column) = Deleted::unknown(&field) else { unreachable!() };
                assert_eq!((column.len(), column.is_null(0)), (1, nullable), "{kind}");
                let schema = arrow_schema(std::slice::from_ref(&field));
                RecordBatch::try_new(schema, vec![column])
                    .unwrap()
                    .column(0)
                    .to_data()
                    .validate_full()
                    .unwrap();
            }
        }
    }
}
