//! JSON: one object per record, or an array of objects, read and written as Flink's `json` format does.
//!
//! The decoder goes over the bytes once and puts values straight into columns of only the fields that
//! the query reads; there is no tree of values. Leniencies are Flink's, as recorded from it: numbers and
//! times may stand in strings, STRING takes any value as its JSON text, missing fields are NULL, and
//! what follows the record's object is not looked at. As in Flink, once as many fields were found as are
//! read, the rest of an object is skipped.
//!
//! | file | holds |
//! |---|---|
//! | `compact` | an object or array as text, for STRING |
//! | `value` | scalars into columns |
//! | `decode` | records, rows, arrays and maps |
//! | `keys` | which keys objects have, for formats of changes |
//! | `encode` | rows to records |

mod compact;
mod decode;
mod encode;
mod keys;
#[cfg(test)]
mod tests;
mod value;

use tidegate_connector_spec::FormatOptions;
use tidegate_types::{Error, ErrorCode, Result};

pub(super) use keys::each_key_in;

use super::text::datetime_parse::Standard;
use super::{Decoder, DecoderContext, Encoder, EncoderContext};

/// The decoder of a table's options.
///
/// # Errors
/// `INVALID_OPTION` for options that contradict each other or types that JSON does not hold.
pub(super) fn decoder(context: &DecoderContext<'_>) -> Result<Box<dyn Decoder>> {
    Ok(Box::new(decode::JsonDecoder::new(context)?))
}

/// The encoder of a table's options.
///
/// # Errors
/// As [`decoder`].
pub(super) fn encoder(context: &EncoderContext<'_>) -> Result<Box<dyn Encoder>> {
    Ok(Box::new(encode::JsonEncoder::new(context)?))
}

/// `timestamp-format.standard`.
fn standard(options: &FormatOptions) -> Result<Standard> {
    match options.text("timestamp-format.standard") {
        None => Ok(Standard::Sql),
        Some(text) if text.eq_ignore_ascii_case("SQL") => Ok(Standard::Sql),
        Some(text) if text.eq_ignore_ascii_case("ISO-8601") => Ok(Standard::Iso),
        Some(other) => {
            let key = options.full_key("timestamp-format.standard");
            let message = format!("option '{key}' is '{other}': use SQL or ISO-8601");
            Err(Error::new(ErrorCode::InvalidOption, message))
        }
    }
}
