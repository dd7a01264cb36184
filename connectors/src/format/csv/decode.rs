//! Records into batches.

use arrow::array::{RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::datatypes::SchemaRef;
use tidegate_types::{Error, ErrorCode, Result};

use super::field::FieldReader;
use super::value::{Values, null};
use super::{Dialect, check_types};
use crate::format::column::RowColumns;
use crate::format::{
    BadRecord, DecodeError, Decoded, Decoder, DecoderContext, Records, read_schema,
};

/// The decoder.
pub(super) struct CsvDecoder {
    schema: SchemaRef,
    row: RowColumns,
    /// For each declared column its index among those that are read.
    slots: Vec<Option<usize>>,
    comments: bool,
    values: Values,
    /// Memory for fields with quotes or escapes in them.
    field: Vec<u8>,
}

impl CsvDecoder {
    pub(super) fn new(context: &DecoderContext<'_>) -> Result<Self> {
        check_types(context.read)?;
        let slot = |name: &str| context.read.iter().position(|column| column.name == name);
        let slots: Vec<Option<usize>> =
            context.declared.iter().map(|column| slot(&column.name)).collect();
        if slots.iter().flatten().count() != context.read.len() {
            return Err(Error::internal(format!(
                "{}: a column that is read is not declared",
                context.origin
            )));
        }
        if slots.is_empty() {
            let message = format!("{}: format csv needs at least one column", context.origin);
            return Err(Error::new(ErrorCode::InvalidOption, message));
        }
        let options = context.options;
        Ok(Self {
            schema: read_schema(context.read),
            row: RowColumns::new("", context.read)?,
            slots,
            comments: options.boolean("allow-comments")?,
            values: Values {
                dialect: Dialect::new(options)?,
                ignore_errors: options.boolean("ignore-parse-errors")?,
                scratch: Vec::new(),
            },
            field: Vec::new(),
        })
    }

    fn decode_all(&mut self, records: &Records) -> Result<Decoded, DecodeError> {
        self.row.reserve(records.len());
        let (mut rows, mut bad_records) = (0, 0);
        // Which record each row came from, once records were left out.
        let mut origins: Option<Vec<u32>> = None;
        for (index, record) in records.iter().enumerate() {
            let decoded = match record {
                Some(record) if !(self.comments && record.first() == Some(&b'#')) => {
                    self.record(record).map(|()| true)
                }
                _ => Ok(false),
            };
            let has_row = match decoded {
                Ok(has_row) => has_row,
                Err(_) if self.values.ignore_errors => {
                    self.row.truncate(rows);
                    bad_records += 1;
                    false
                }
                Err(message) => {
                    return Err(BadRecord { record: index, message }.into());
                }
            };
            if has_row {
                rows += 1;
                if let Some(origins) = &mut origins {
                    origins.push(index as u32);
                }
            } else if origins.is_none() {
                origins = Some((0..rows as u32).collect());
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let arrays = self.row.finish()?;
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|error| Error::internal(format!("decode CSV: {error}")))?;
        Ok(Decoded {
            rows,
            metadata: Vec::new(),
            origins: origins.map(UInt32Array::from),
            bad_records,
            kinds: None,
        })
    }

    /// Appends the row of a record, or says what is wrong with it.
    fn record(&mut self, record: &[u8]) -> Result<(), String> {
        let mut reader = FieldReader::new(record);
        let mut found = 0;
        while let Some(field) = reader.next(&self.values.dialect, &mut self.field)? {
            match self.slots.get(found) {
                Some(Some(slot)) => self.values.push(&mut self.row.columns[*slot], field)?,
                Some(None) => {}
                None => {
                    return Err(format!("a record has more than {} fields", self.slots.len()));
                }
            }
            found += 1;
        }
        let missing = self.slots.get(found..).unwrap_or_default();
        if !missing.is_empty() && !self.values.ignore_errors {
            return Err(format!("{} fields are declared, {found} were found", self.slots.len()));
        }
        missing.iter().flatten().try_for_each(|slot| null(&mut self.row.columns[*slot]))
    }
}

impl Decoder for CsvDecoder {
    fn decode(&mut self, records: &Records) -> Result<Decoded, DecodeError> {
        let decoded = self.decode_all(records);
        if decoded.is_err() {
            self.row.truncate(0);
        }
        decoded
    }
}
