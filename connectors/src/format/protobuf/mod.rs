//! `protobuf`: messages of Protocol Buffers, described by a .proto file or a descriptor set.
//!
//! The decoder goes over the bytes of a message once and notes where the fields of the plan are; their values
//! then go straight into columns. Fields that the query does not read, and unknown ones, are passed over.
//! Presence and defaults are Flink's: in proto3 a scalar that is missing is its default, a message, list or map is
//! NULL; in proto2 all are NULL; `read-default-values` makes all defaults.
//!
//! | file | holds |
//! |---|---|
//! | `descriptor` | finding the message that the options name |
//! | `wire` | tags and values of the encoding |
//! | `plan` | fields of a message and the columns they go into |
//! | `decode` | messages into columns |
//! | `encode` | rows to messages |

mod decode;
mod descriptor;
mod encode;
mod plan;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

use tidegate_types::Result;

use super::{Decoder, DecoderContext, Encoder, EncoderContext};

/// The decoder of a table's options.
///
/// # Errors
/// `INVALID_OPTION` for a message that does not exist, and columns that are not its fields.
pub(super) fn decoder(context: &DecoderContext<'_>) -> Result<Box<dyn Decoder>> {
    Ok(Box::new(decode::ProtobufDecoder::new(context)?))
}

/// The encoder of a table's options.
///
/// # Errors
/// As [`decoder`].
pub(super) fn encoder(context: &EncoderContext<'_>) -> Result<Box<dyn Encoder>> {
    Ok(Box::new(encode::ProtobufEncoder::new(context)?))
}
