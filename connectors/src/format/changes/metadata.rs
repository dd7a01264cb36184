//! What an envelope says beside the row, as columns.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, StringViewArray, StringViewBuilder,
    TimestampMicrosecondArray, TimestampMillisecondArray, UInt32Array,
};
use arrow::compute::take;
use arrow::datatypes::Int64Type;
use tidegate_plan::operator::MetadataColumn;
use tidegate_types::{Error, ErrorCode, Field, Result};

use super::dialect::{Dialect, Meaning, MetadataField};
use crate::format::cast_metadata;
use crate::format::text::datetime_parse::{Standard, parse_timestamp};

/// The metadata columns of a table.
pub(super) struct MetadataReader {
    columns: Vec<(&'static MetadataField, MetadataColumn)>,
}

/// The metadata of all envelopes of a batch.
pub(super) struct Metadata {
    columns: Vec<ArrayRef>,
    /// Envelopes with a value that cannot be read, in order, and what is wrong.
    faults: Vec<(usize, String)>,
}

impl MetadataReader {
    /// For columns of a table.
    ///
    /// # Errors
    /// `INVALID_OPTION` for a key that the format does not have.
    pub(super) fn new(dialect: &'static Dialect, columns: &[MetadataColumn]) -> Result<Self> {
        let column = |column: &MetadataColumn| {
            let field = dialect.metadata(&column.key).ok_or_else(|| {
                let message = format!("format '{}' has no metadata '{}'", dialect.name, column.key);
                Error::new(ErrorCode::InvalidOption, message)
            })?;
            Ok((field, column.clone()))
        };
        Ok(Self { columns: columns.iter().map(column).collect::<Result<_>>()? })
    }

    /// The fields to read, each once: those outside of a payload, or the others.
    pub(super) fn fields(&self, outside: bool) -> Vec<Field> {
        let mut names: Vec<&str> = Vec::new();
        let mut fields = Vec::new();
        for (known, _) in &self.columns {
            if known.outside != outside || names.contains(&known.field) {
                continue;
            }
            names.push(known.field);
            fields.push(Field::new(known.field, (known.ty)()));
        }
        fields
    }

    /// Where the field of a column is among the fields of its side.
    fn index(&self, wanted: &MetadataField) -> usize {
        let fields = self.fields(wanted.outside);
        fields.iter().position(|field| field.name == wanted.field).unwrap_or_default()
    }

    /// How many fields are inside of a payload.
    pub(super) fn inside(&self) -> usize {
        self.fields(false).len()
    }

    /// Reads the columns. `column` gives the field with an index, of those inside or outside of a payload.
    pub(super) fn read<'a>(
        &self,
        column: impl Fn(usize, bool) -> &'a ArrayRef,
    ) -> Result<Metadata> {
        let mut metadata = Metadata { columns: Vec::new(), faults: Vec::new() };
        for (known, declared) in &self.columns {
            let values = column(self.index(known), known.outside);
            let values = convert(known, values, &mut metadata.faults);
            metadata.columns.push(cast_metadata(values, declared)?);
        }
        metadata.faults.sort_by_key(|(envelope, _)| *envelope);
        Ok(metadata)
    }
}

impl Metadata {
    /// What is wrong with the metadata of an envelope.
    pub(super) fn fault(&self, envelope: usize) -> Option<&str> {
        let place = self.faults.partition_point(|(other, _)| *other < envelope);
        let found = self.faults.get(place).filter(|(other, _)| *other == envelope);
        found.map(|(_, message)| message.as_str())
    }

    /// The columns for rows, each of which is of one of the envelopes.
    pub(super) fn take(&self, envelopes: &UInt32Array) -> Result<Vec<ArrayRef>> {
        let column = |values: &ArrayRef| {
            take(values, envelopes, None).map_err(|error| Error::internal(error.to_string()))
        };
        self.columns.iter().map(column).collect()
    }
}

/// A column as it is meant.
fn convert(
    known: &MetadataField,
    values: &ArrayRef,
    faults: &mut Vec<(usize, String)>,
) -> ArrayRef {
    match known.meaning {
        Meaning::Value => Arc::clone(values),
        Meaning::Millis => millis(values.as_primitive::<Int64Type>().clone()),
        Meaning::Seconds => {
            millis(values.as_primitive::<Int64Type>().unary(|seconds| seconds.wrapping_mul(1000)))
        }
        Meaning::SqlTimestamp => micros(known, values.as_string_view(), Standard::Sql, faults),
        Meaning::IsoTimestamp => micros(known, values.as_string_view(), Standard::Iso, faults),
        Meaning::Entry(key) => Arc::new(entries(values, key)),
        Meaning::MillisEntry(key) => {
            let texts = entries(values, key);
            let mut times = Vec::with_capacity(texts.len());
            for (envelope, text) in texts.iter().enumerate() {
                let time = text.and_then(|text| text.parse::<i64>().ok());
                if let (None, Some(text)) = (time, text) {
                    let field = known.field;
                    faults.push((envelope, format!("'{field}.{key}' is '{text}', no number")));
                }
                times.push(time);
            }
            millis(Int64Array::from(times))
        }
    }
}

fn millis(times: Int64Array) -> ArrayRef {
    let (_, values, nulls) = times.into_parts();
    Arc::new(TimestampMillisecondArray::new(values, nulls).with_timezone("UTC"))
}

fn micros(
    known: &MetadataField,
    texts: &StringViewArray,
    standard: Standard,
    faults: &mut Vec<(usize, String)>,
) -> ArrayRef {
    let mut times = Vec::with_capacity(texts.len());
    for (envelope, text) in texts.iter().enumerate() {
        let time =
            text.and_then(|text| parse_timestamp(text.as_bytes(), standard, false, 1_000_000));
        if let (None, Some(text)) = (time, text) {
            faults.push((envelope, format!("'{}' is '{text}', no timestamp", known.field)));
        }
        times.push(time);
    }
    Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"))
}

/// The texts under a key of maps of texts.
fn entries(maps: &ArrayRef, key: &str) -> StringViewArray {
    let maps = maps.as_map();
    let (keys, values) = (maps.keys().as_string_view(), maps.values().as_string_view());
    let offsets = maps.value_offsets();
    let mut texts = StringViewBuilder::with_capacity(maps.len());
    for row in 0..maps.len() {
        let range = offsets[row] as usize..offsets[row + 1] as usize;
        let found = range.into_iter().find(|entry| maps.is_valid(row) && keys.value(*entry) == key);
        match found.filter(|entry| values.is_valid(*entry)) {
            Some(entry) => texts.append_value(values.value(entry)),
            None => texts.append_null(),
        }
    }
    texts.finish()
}
