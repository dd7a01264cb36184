//! What all readers of a source share: the shape of the events, and tables computed from it once.

use serde_json::Value;
use tidegate_types::{Error, Result};

use super::block::Blocks;
use super::options::Shape;
use super::text::Texts;
use super::timeline::Timeline;

/// Everything that an event is computed from, besides its number.
#[derive(Debug)]
pub(super) struct SourceData {
    pub(super) shape: Shape,
    /// The shape as it stands in splits.
    pub(super) encoded_shape: Value,
    pub(super) blocks: Blocks,
    pub(super) timeline: Timeline,
    pub(super) texts: Texts,
}

impl SourceData {
    /// Computes the tables.
    ///
    /// # Errors
    /// `INTERNAL` only.
    pub(super) fn new(shape: Shape) -> Result<Self> {
        let encoded_shape = serde_json::to_value(&shape).map_err(|error| {
            Error::internal(format!("encode the shape of nexmark events: {error}"))
        })?;
        Ok(Self {
            encoded_shape,
            blocks: Blocks::new(&shape),
            timeline: Timeline::new(&shape),
            texts: Texts::new(&shape)?,
            shape,
        })
    }
}
