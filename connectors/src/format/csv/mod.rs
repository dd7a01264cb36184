//! CSV: one line of delimited values per record, columns by position, read and written as Flink's `csv`
//! format does (which is Jackson's CSV underneath).
//!
//! Where a record ends when values hold line ends is the framing's business.

mod decode;
mod encode;
mod field;
#[cfg(test)]
mod tests;
mod value;

use tidegate_connector_spec::FormatOptions;
use tidegate_types::{Error, ErrorCode, Field, Result, SqlType, TypeKind};

use super::{Decoder, DecoderContext, Encoder, EncoderContext, Framing};

/// The decoder of a table's options.
///
/// # Errors
/// `INVALID_OPTION` for options that contradict each other or types that CSV does not hold.
pub(super) fn decoder(context: &DecoderContext<'_>) -> Result<Box<dyn Decoder>> {
    Ok(Box::new(decode::CsvDecoder::new(context)?))
}

/// The encoder of a table's options.
///
/// # Errors
/// As [`decoder`].
pub(super) fn encoder(context: &EncoderContext<'_>) -> Result<Box<dyn Encoder>> {
    Ok(Box::new(encode::CsvEncoder::new(context)?))
}

/// How records follow each other in a file.
///
/// # Errors
/// `INVALID_OPTION` for options that contradict each other.
pub(super) fn framing(options: &FormatOptions) -> Result<Framing> {
    let dialect = Dialect::new(options)?;
    Ok(match dialect.quote {
        Some(quote) => Framing::QuotedLines { quote, escape: dialect.escape },
        None => Framing::Lines,
    })
}

/// The characters with a meaning, and what stands for NULL.
#[derive(Debug, Clone)]
struct Dialect {
    delimiter: u8,
    quote: Option<u8>,
    escape: Option<u8>,
    /// Between the elements of ARRAY and ROW values.
    element_delimiter: Vec<u8>,
    null_literal: Option<Vec<u8>>,
}

impl Dialect {
    fn new(options: &FormatOptions) -> Result<Self> {
        let explicit_quote = options.character("quote-character")?;
        let quote = match (options.boolean("disable-quote-character")?, explicit_quote) {
            (true, Some(_)) => {
                let keys = [
                    options.full_key("quote-character"),
                    options.full_key("disable-quote-character"),
                ];
                let message =
                    format!("'{}' has no meaning with '{}': set only one", keys[0], keys[1]);
                return Err(Error::new(ErrorCode::InvalidOption, message));
            }
            (true, None) => None,
            (false, quote) => Some(quote.unwrap_or(b'"')),
        };
        Ok(Self {
            delimiter: options.character("field-delimiter")?.unwrap_or(b','),
            quote,
            escape: options.character("escape-character")?,
            element_delimiter: options
                .text("array-element-delimiter")
                .unwrap_or(";")
                .as_bytes()
                .to_vec(),
            null_literal: options.text("null-literal").map(|text| text.as_bytes().to_vec()),
        })
    }
}

/// Checks that CSV holds the types of columns: scalars, and ARRAYs and ROWs of them.
fn check_types(columns: &[Field]) -> Result<()> {
    for column in columns {
        let inner: Vec<&SqlType> = match &column.ty.kind {
            TypeKind::Array(element) => vec![element],
            TypeKind::Row(fields) | TypeKind::Structured { fields, .. } => {
                fields.iter().map(|field| &field.ty).collect()
            }
            _ if is_simple(&column.ty) => Vec::new(),
            _ => return Err(unsupported(column, &column.ty)),
        };
        if let Some(nested) = inner.into_iter().find(|ty| !is_simple(ty)) {
            return Err(unsupported(column, nested)
                .help("CSV holds scalars, and ARRAYs and ROWs whose elements are scalars"));
        }
    }
    Ok(())
}

fn is_simple(ty: &SqlType) -> bool {
    !matches!(
        ty.kind,
        TypeKind::Array(_)
            | TypeKind::Map(..)
            | TypeKind::Multiset(_)
            | TypeKind::Row(_)
            | TypeKind::Structured { .. }
            | TypeKind::IntervalYearMonth
            | TypeKind::IntervalDayTime
            | TypeKind::Variant
            | TypeKind::Bitmap
    )
}

fn unsupported(column: &Field, ty: &SqlType) -> Error {
    let message = format!("column {}: CSV does not hold values of type {ty} there", column.name);
    Error::new(ErrorCode::InvalidOption, message)
}
