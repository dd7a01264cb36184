//! Rows to records, as Jackson's CSV writer does for Flink.
//!
//! Texts are quoted by a rough rule of Jackson's: if they are longer than 24 characters or hold a
//! character up to the highest of delimiter, quote and line end. Numbers and booleans never are. NULL is
//! the null literal, or nothing. DECIMALs lose the zeros at their end and get an exponent where that
//! leaves none; `write-bigdecimal-in-scientific-notation` has no effect on that, and `escape-character`
//! is for reading only, both as recorded from Flink.

use arrow::array::RecordBatch;
use tidegate_types::{Field, Result};

use super::{Dialect, check_types};
use crate::format::text::base64;
use crate::format::text::cells::{self, Cells, Values, entries};
use crate::format::text::datetime::{Style, write_date, write_time, write_timestamp};
use crate::format::text::number::{
    write_double, write_float, write_integer, write_stripped_decimal,
};
use crate::format::{Encoder, EncoderContext, Records};

/// Texts with more characters are quoted without a look at them.
const LONGEST_UNQUOTED: usize = 24;

/// The encoder.
pub(super) struct CsvEncoder {
    columns: Vec<Field>,
    dialect: Dialect,
    /// Texts with a byte below this one are quoted.
    least_safe: u8,
    /// A value that may have to be quoted.
    value: Vec<u8>,
}

impl CsvEncoder {
    pub(super) fn new(context: &EncoderContext<'_>) -> Result<Self> {
        check_types(context.columns)?;
        let dialect = Dialect::new(context.options)?;
        let least_safe = dialect.delimiter.max(dialect.quote.unwrap_or(0)).max(b'\r') + 1;
        Ok(Self { columns: context.columns.to_vec(), dialect, least_safe, value: Vec::new() })
    }

    fn cell(&mut self, cells: &Cells<'_>, row: usize, out: &mut Vec<u8>) {
        if cells.is_null(row) {
            out.extend_from_slice(self.dialect.null_literal.as_deref().unwrap_or_default());
            return;
        }
        if is_bare(&cells.values) {
            scalar(&cells.values, row, out);
            return;
        }
        let mut value = std::mem::take(&mut self.value);
        value.clear();
        match &cells.values {
            Values::Array { offsets, elements } => {
                let elements = entries(offsets, row).map(|entry| (elements.as_ref(), entry));
                self.joined(elements, &mut value);
            }
            Values::Row(fields) => self.joined(fields.iter().map(|field| (field, row)), &mut value),
            values => scalar(values, row, &mut value),
        }
        self.quoted(&value, out);
        self.value = value;
    }

    /// Elements with the element delimiter between them; NULL is nothing.
    fn joined<'c, 'a: 'c>(
        &self,
        elements: impl Iterator<Item = (&'c Cells<'a>, usize)>,
        out: &mut Vec<u8>,
    ) {
        for (index, (cells, entry)) in elements.enumerate() {
            if index > 0 {
                out.extend_from_slice(&self.dialect.element_delimiter);
            }
            if !cells.is_null(entry) {
                scalar(&cells.values, entry, out);
            }
        }
    }

    /// Appends a text, in quotes if it may need them.
    fn quoted(&self, text: &[u8], out: &mut Vec<u8>) {
        let unsafe_byte = |byte: &u8| *byte < self.least_safe;
        let Some(quote) = self
            .dialect
            .quote
            .filter(|_| longer_than(text, LONGEST_UNQUOTED) || text.iter().any(unsafe_byte))
        else {
            out.extend_from_slice(text);
            return;
        };
        out.push(quote);
        for byte in text {
            if *byte == quote {
                out.push(*byte);
            }
            out.push(*byte);
        }
        out.push(quote);
    }
}

/// Whether a text has more than `most` characters, counted as Java does: in UTF-16.
fn longer_than(text: &[u8], most: usize) -> bool {
    if text.len() <= most {
        return false;
    }
    let units = |byte: &u8| match byte {
        0x80..0xc0 => 0,
        0xf0.. => 2,
        _ => 1,
    };
    text.iter().map(units).sum::<usize>() > most
}

/// Whether values are written without a thought of quotes.
fn is_bare(values: &Values<'_>) -> bool {
    matches!(
        values,
        Values::Boolean(_)
            | Values::TinyInt(_)
            | Values::SmallInt(_)
            | Values::Int(_)
            | Values::BigInt(_)
            | Values::Float(_)
            | Values::Double(_)
            | Values::Decimal { .. }
    )
}

fn scalar(values: &Values<'_>, row: usize, out: &mut Vec<u8>) {
    match values {
        Values::Boolean(values) => {
            out.extend_from_slice(if values.value(row) { b"true" } else { b"false" })
        }
        Values::TinyInt(values) => write_integer(i64::from(values[row]), out),
        Values::SmallInt(values) => write_integer(i64::from(values[row]), out),
        Values::Int(values) => write_integer(i64::from(values[row]), out),
        Values::BigInt(values) => write_integer(values[row], out),
        Values::Float(values) => write_float(values[row], out),
        Values::Double(values) => write_double(values[row], out),
        Values::Decimal { values, scale } => write_stripped_decimal(values[row], *scale, out),
        Values::Text(values) => out.extend_from_slice(values.value(row).as_bytes()),
        Values::Bytes(values) => base64::encode(values.value(row), out),
        Values::Date(values) => write_date(values[row], out),
        Values::Time(values) => write_time(values[row], out),
        Values::Timestamp { values, per_second, zoned } => {
            write_timestamp(values[row], *per_second, *zoned, Style::Sql, out);
        }
        // Refused by `check_types`.
        Values::Null | Values::Array { .. } | Values::Map { .. } | Values::Row(_) => {}
    }
}

impl Encoder for CsvEncoder {
    fn encode(&mut self, rows: &RecordBatch, out: &mut Records) -> Result<()> {
        let cells = cells::of_batch(rows, &self.columns, "CSV")?;
        for row in 0..rows.num_rows() {
            for (index, cells) in cells.iter().enumerate() {
                if index > 0 {
                    out.buffer().push(self.dialect.delimiter);
                }
                self.cell(cells, row, out.buffer());
            }
            out.end_record();
        }
        Ok(())
    }
}
