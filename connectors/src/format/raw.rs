//! `raw`: the bytes of a record are the value of the table's only column.
//!
//! Texts in a character set, bytes as they are, numbers in their Java binary form, BOOLEAN as one byte.
//! A record that is NULL is NULL.

use arrow::array::{Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use tidegate_connector_spec::FormatOptions;
use tidegate_types::{Error, ErrorCode, Field, Result, TypeKind};

use super::column::{Column, Data, RowColumns};
use super::text::cells::{Cells, Values};
use super::{
    BadRecord, DecodeError, Decoded, Decoder, DecoderContext, Encoder, EncoderContext, Records,
    quote, read_schema,
};

/// The decoder of a table's options.
///
/// # Errors
/// `INVALID_OPTION` unless there is exactly one column, of a type that has a raw form.
pub(super) fn decoder(context: &DecoderContext<'_>) -> Result<Box<dyn Decoder>> {
    only_column(context.declared, context.origin)?;
    Ok(Box::new(RawDecoder {
        schema: read_schema(context.read),
        row: RowColumns::new("", context.read)?,
        form: Form::new(context.options)?,
    }))
}

/// The encoder of a table's options.
///
/// # Errors
/// As [`decoder`].
pub(super) fn encoder(context: &EncoderContext<'_>) -> Result<Box<dyn Encoder>> {
    let column = only_column(context.columns, context.origin)?;
    Ok(Box::new(RawEncoder { column: column.clone(), form: Form::new(context.options)? }))
}

/// How values and bytes correspond.
#[derive(Debug, Clone, Copy)]
struct Form {
    charset: Charset,
    little_endian: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charset {
    Utf8,
    /// Bytes above 127 cannot be read or written: `�` and `?`.
    Ascii,
    Latin1,
}

impl Form {
    fn new(options: &FormatOptions) -> Result<Self> {
        let invalid = |key: &str, found: &str, known: &str| {
            let key = options.full_key(key);
            Error::new(
                ErrorCode::InvalidOption,
                format!("option '{key}' is '{found}': use {known}"),
            )
        };
        let charset = options.text("charset").unwrap_or("UTF-8");
        let charset = match charset.to_ascii_uppercase().as_str() {
            "UTF-8" | "UTF8" => Charset::Utf8,
            "US-ASCII" | "ASCII" => Charset::Ascii,
            "ISO-8859-1" | "ISO8859_1" | "LATIN1" => Charset::Latin1,
            _ => return Err(invalid("charset", charset, "UTF-8, US-ASCII or ISO-8859-1")),
        };
        let endianness = options.text("endianness").unwrap_or("big-endian");
        let little_endian = match endianness.to_ascii_lowercase().as_str() {
            "big-endian" => false,
            "little-endian" => true,
            _ => {
                return Err(invalid("endianness", endianness, "big-endian or little-endian"));
            }
        };
        Ok(Self { charset, little_endian })
    }

    /// Bytes in the order of the form.
    fn ordered<const N: usize>(self, mut big_endian: [u8; N]) -> [u8; N] {
        if self.little_endian {
            big_endian.reverse();
        }
        big_endian
    }
}

fn only_column<'a>(columns: &'a [Field], origin: &str) -> Result<&'a Field> {
    let [column] = columns else {
        let message = format!(
            "{origin}: format raw holds exactly one column, but {} are declared",
            columns.len()
        );
        return Err(Error::new(ErrorCode::InvalidOption, message));
    };
    match column.ty.kind {
        TypeKind::Boolean
        | TypeKind::TinyInt
        | TypeKind::SmallInt
        | TypeKind::Int
        | TypeKind::BigInt
        | TypeKind::Float
        | TypeKind::Double
        | TypeKind::Char { .. }
        | TypeKind::VarChar { .. }
        | TypeKind::Binary { .. }
        | TypeKind::VarBinary { .. } => Ok(column),
        _ => {
            let message =
                format!("column {}: values of type {} have no raw form", column.name, column.ty);
            Err(Error::new(ErrorCode::InvalidOption, message)
                .help("format raw holds BOOLEAN, integers, FLOAT, DOUBLE, texts and bytes"))
        }
    }
}

struct RawDecoder {
    schema: SchemaRef,
    row: RowColumns,
    form: Form,
}

impl RawDecoder {
    fn decode_all(&mut self, records: &Records) -> Result<Decoded, DecodeError> {
        self.row.reserve(records.len());
        if let Some(column) = self.row.columns.first_mut() {
            for (index, record) in records.iter().enumerate() {
                let pushed = match record {
                    Some(record) => push(column, record, self.form),
                    None => column.push_null().map_err(|_| {
                        format!("column {} is NULL, but declared NOT NULL", column.path)
                    }),
                };
                pushed.map_err(|message| BadRecord { record: index, message })?;
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(records.len()));
        let arrays = self.row.finish()?;
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|error| Error::internal(format!("decode raw records: {error}")))?;
        Ok(Decoded { rows, metadata: Vec::new(), origins: None, bad_records: 0, kinds: None })
    }
}

impl Decoder for RawDecoder {
    fn decode(&mut self, records: &Records) -> Result<Decoded, DecodeError> {
        let decoded = self.decode_all(records);
        if decoded.is_err() {
            self.row.truncate(0);
        }
        decoded
    }
}

fn push(column: &mut Column, record: &[u8], form: Form) -> Result<(), String> {
    match &mut column.data {
        Data::Text(values) => match form.charset {
            Charset::Utf8 => values.append_value(String::from_utf8_lossy(record)),
            Charset::Ascii => {
                let text: String = record
                    .iter()
                    .map(|byte| if byte.is_ascii() { char::from(*byte) } else { '\u{fffd}' })
                    .collect();
                values.append_value(text);
            }
            Charset::Latin1 => {
                values.append_value(record.iter().map(|byte| char::from(*byte)).collect::<String>())
            }
        },
        Data::Bytes(values) => values.append_value(record),
        Data::Boolean(values) => values.append(number::<1>(record, form)?[0] != 0),
        Data::TinyInt(values) => values.push(i8::from_be_bytes(number(record, form)?)),
        Data::SmallInt(values) => values.push(i16::from_be_bytes(number(record, form)?)),
        Data::Int(values) => values.push(i32::from_be_bytes(number(record, form)?)),
        Data::BigInt(values) => values.push(i64::from_be_bytes(number(record, form)?)),
        Data::Float(values) => values.push(f32::from_be_bytes(number(record, form)?)),
        Data::Double(values) => values.push(f64::from_be_bytes(number(record, form)?)),
        _ => {
            return Err(format!(
                "column {}: values of type {} have no raw form",
                column.path, column.kind
            ));
        }
    }
    column.pushed();
    Ok(())
}

/// The bytes of a number in big-endian order.
fn number<const N: usize>(record: &[u8], form: Form) -> Result<[u8; N], String> {
    let bytes: [u8; N] = record.try_into().map_err(|_| {
        format!("{} has {} bytes, a value of this type has {N}", quote(record), record.len())
    })?;
    Ok(form.ordered(bytes))
}

struct RawEncoder {
    column: Field,
    form: Form,
}

impl Encoder for RawEncoder {
    fn encode(&mut self, rows: &RecordBatch, out: &mut Records) -> Result<()> {
        let [array] = rows.columns() else {
            return Err(Error::internal(format!(
                "encode raw records: {} columns arrived",
                rows.num_columns()
            )));
        };
        let cells = Cells::new(array.as_ref() as &dyn Array, &self.column.ty)?;
        for row in 0..rows.num_rows() {
            if cells.is_null(row) {
                out.end_null();
            } else {
                self.write(&cells.values, row, out.buffer())?;
                out.end_record();
            }
        }
        Ok(())
    }
}

impl RawEncoder {
    fn write(&self, values: &Values<'_>, row: usize, out: &mut Vec<u8>) -> Result<()> {
        let form = self.form;
        match values {
            Values::Text(values) => self.write_text(values.value(row), out),
            Values::Bytes(values) => out.extend_from_slice(values.value(row)),
            Values::Boolean(values) => out.push(u8::from(values.value(row))),
            Values::TinyInt(values) => out.extend_from_slice(&values[row].to_be_bytes()),
            Values::SmallInt(values) => {
                out.extend_from_slice(&form.ordered(values[row].to_be_bytes()))
            }
            Values::Int(values) => out.extend_from_slice(&form.ordered(values[row].to_be_bytes())),
            Values::BigInt(values) => {
                out.extend_from_slice(&form.ordered(values[row].to_be_bytes()))
            }
            Values::Float(values) => {
                out.extend_from_slice(&form.ordered(values[row].to_be_bytes()))
            }
            Values::Double(values) => {
                out.extend_from_slice(&form.ordered(values[row].to_be_bytes()))
            }
            _ => {
                return Err(Error::internal(format!(
                    "column {} has no raw form",
                    self.column.name
                )));
            }
        }
        Ok(())
    }

    /// Characters that the character set lacks become `?`, as Java writes them.
    fn write_text(&self, text: &str, out: &mut Vec<u8>) {
        let last = match self.form.charset {
            Charset::Utf8 => return out.extend_from_slice(text.as_bytes()),
            Charset::Ascii => 0x7f,
            Charset::Latin1 => 0xff,
        };
        let encode = |character: char| match u8::try_from(u32::from(character)) {
            Ok(byte) if byte <= last => byte,
            _ => b'?',
        };
        out.extend(text.chars().map(encode));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(
        kind: TypeKind,
        options: &[(&str, &str)],
        records: &[Option<&[u8]>],
    ) -> Result<RecordBatch, DecodeError> {
        let options = FormatOptions::new("raw", options)?;
        let fields = [Field::new("v", kind.nullable())];
        let context = DecoderContext {
            options: &options,
            declared: &fields,
            read: &fields,
            metadata: &[],
            origin: "table t",
        };
        let mut all = Records::new();
        for record in records {
            assert!(all.push(*record));
        }
        Ok(decoder(&context)?.decode(&all)?.rows)
    }

    fn round_trip(kind: &TypeKind, options: &[(&str, &str)], records: &[Option<&[u8]>]) {
        let rows = decoded(kind.clone(), options, records).unwrap();
        let options = FormatOptions::new("raw", options).unwrap();
        let columns = [Field::new("v", kind.clone().nullable())];
        let mut out = Records::new();
        let context = EncoderContext {
            options: &options,
            columns: &columns,
            declared: &columns,
            origin: "table o",
        };
        encoder(&context).unwrap().encode(&rows, &mut out).unwrap();
        assert_eq!(out.iter().collect::<Vec<_>>(), records, "{kind}");
    }

    #[test]
    fn values_round_trip() {
        let little = [("endianness", "little-endian")];
        round_trip(&TypeKind::STRING, &[], &[Some(b"a"), None, Some(b""), Some("ä".as_bytes())]);
        round_trip(&TypeKind::STRING, &[("charset", "ISO-8859-1")], &[Some(b"\xe4\x00\xff")]);
        round_trip(&TypeKind::BYTES, &[], &[Some(b"\xff\x00"), None]);
        round_trip(&TypeKind::Boolean, &[], &[Some(b"\x01"), Some(b"\x00")]);
        round_trip(&TypeKind::TinyInt, &little, &[Some(b"\x80")]);
        for options in [&[][..], &little] {
            round_trip(&TypeKind::SmallInt, options, &[Some(b"\x01\x02"), None]);
            round_trip(&TypeKind::Int, options, &[Some(b"\x01\x02\x03\xff")]);
            round_trip(&TypeKind::BigInt, options, &[Some(b"\x01\x02\x03\x04\x05\x06\x07\xff")]);
            round_trip(&TypeKind::Float, options, &[Some(b"\x3f\xc0\x00\x00")]);
            round_trip(&TypeKind::Double, options, &[Some(b"\x3f\xf8\x00\x00\x00\x00\x00\x00")]);
        }
    }

    #[test]
    fn numbers_have_the_order_that_is_asked_for() {
        let int = |options: &[(&str, &str)]| {
            let rows = decoded(TypeKind::Int, options, &[Some(b"\x00\x00\x01\x00")]).unwrap();
            arrow::array::AsArray::as_primitive::<arrow::datatypes::Int32Type>(rows.column(0))
                .value(0)
        };
        assert_eq!(int(&[]), 256);
        assert_eq!(int(&[("endianness", "little-endian")]), 65_536);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let Err(DecodeError::Record(bad)) =
            decoded(TypeKind::Int, &[], &[Some(b"abcd"), Some(b"abc")])
        else {
            panic!("three bytes are no INT")
        };
        assert_eq!(
            (bad.record, bad.message.as_str()),
            (1, "'abc' has 3 bytes, a value of this type has 4")
        );
        assert!(decoded(TypeKind::Date, &[], &[]).is_err());
        assert!(decoded(TypeKind::STRING, &[("charset", "EBCDIC")], &[]).is_err());
        let options = FormatOptions::new("raw", &[]).unwrap();
        let two =
            [Field::new("a", TypeKind::Int.nullable()), Field::new("b", TypeKind::Int.nullable())];
        let context = DecoderContext {
            options: &options,
            declared: &two,
            read: &two,
            metadata: &[],
            origin: "table t",
        };
        assert!(decoder(&context).is_err());
    }
}
