//! `debezium-json`, `canal-json`, `maxwell-json`, `ogg-json`, `debezium-avro-confluent`: changes of database rows, each an
//! envelope with the row, what it was before, and the operation, read and written as Flink does.
//!
//! | format | row before | row | operation |
//! |---|---|---|---|
//! | `debezium-json`, `debezium-avro-confluent` | `before` | `after` | `op`: `c`, `r`, `u`, `d` |
//! | `ogg-json` | `before` | `after` | `op_type`: `I`, `U`, `D` |
//! | `canal-json` | `old`: the changed columns of each row | `data`: an array of rows | `type`: `INSERT`, `UPDATE`, `DELETE` |
//! | `maxwell-json` | `old`: the changed columns | `data` | `type`: `insert`, `update`, `delete` |
//!
//! An insertion gives `+I`, an update `-U` and `+U`, a deletion `-D`. Written are insertions and deletions
//! only: `+I` and `+U` as the one, `-U` and `-D` as the other.
//!
//! | file | holds |
//! |---|---|
//! | `dialect` | in what the formats differ |
//! | `decode` | envelopes to rows with their kinds |
//! | `partial` | rows before of which only the changed columns are there |
//! | `include` | passing over changes of other tables |
//! | `metadata` | what an envelope says beside the row |
//! | `encode` | rows to envelopes |

mod decode;
mod dialect;
mod encode;
mod include;
mod metadata;
mod partial;
#[cfg(test)]
mod tests;

use tidegate_connector_spec::FormatOptions;
use tidegate_types::{Error, Result};

#[cfg(feature = "kafka")]
use super::avro::confluent;
use super::{Decoder, DecoderContext, Encoder, EncoderContext, json};
use dialect::{Dialect, Encoding};

/// The decoder of a table's options.
///
/// # Errors
/// As that of `json`; `INVALID_OPTION` for patterns that are none.
pub(super) fn decoder(context: &DecoderContext<'_>) -> Result<Box<dyn Decoder>> {
    Ok(Box::new(decode::ChangeDecoder::new(dialect(context.options)?, context)?))
}

/// The encoder of a table's options.
///
/// # Errors
/// As that of `json`.
pub(super) fn encoder(context: &EncoderContext<'_>) -> Result<Box<dyn Encoder>> {
    Ok(Box::new(encode::ChangeEncoder::new(dialect(context.options)?, context)?))
}

/// Whether a format is one of these.
pub(super) fn is_one(name: &str) -> bool {
    Dialect::named(name).is_some()
}

/// Whether it is one whose envelopes are JSON.
pub(super) fn is_json(name: &str) -> bool {
    Dialect::named(name).is_some_and(|dialect| dialect.encoding == Encoding::Json)
}

/// What reads envelopes with the fields `context.read`.
fn envelope_decoder(encoding: Encoding, context: &DecoderContext<'_>) -> Result<Box<dyn Decoder>> {
    match encoding {
        Encoding::Json => {
            json::decoder(&DecoderContext { options: &json_options(context.options)?, ..*context })
        }
        #[cfg(feature = "kafka")]
        Encoding::AvroConfluent => confluent::envelope_decoder(context),
    }
}

/// What writes envelopes with the fields `context.columns`.
fn envelope_encoder(encoding: Encoding, context: &EncoderContext<'_>) -> Result<Box<dyn Encoder>> {
    match encoding {
        Encoding::Json => {
            json::encoder(&EncoderContext { options: &json_options(context.options)?, ..*context })
        }
        #[cfg(feature = "kafka")]
        Encoding::AvroConfluent => confluent::envelope_encoder(context),
    }
}

fn dialect(options: &FormatOptions) -> Result<&'static Dialect> {
    let name = options.name();
    Dialect::named(name).ok_or_else(|| Error::internal(format!("'{name}' says no changes")))
}

/// Options that are those of `json`.
const OF_JSON: &[&str] = &[
    "ignore-parse-errors",
    "timestamp-format.standard",
    "map-null-key.mode",
    "map-null-key.literal",
    "encode.decimal-as-plain-number",
    "encode.ignore-null-fields",
];

fn json_options(options: &FormatOptions) -> Result<FormatOptions> {
    let given = OF_JSON.iter().filter_map(|key| Some((*key, options.text(key)?)));
    FormatOptions::new("json", &given.collect::<Vec<_>>())
}
