//! The formats as Tidegate's jobs use them.

use anyhow::{Context as _, Result, anyhow};
use arrow::array::RecordBatch;
use tidegate_connectors::format::{
    Decoder, DecoderContext, Encoder, EncoderContext, Records, decoder, encoder,
};
use tidegate_engine::element::Changes;

use crate::data::Case;
use crate::registry::Registry;

/// A decoder that has what it needs.
pub(crate) struct Decoding(Box<dyn Decoder>);

impl Decoding {
    pub(crate) fn new(case: &Case, registry: &Registry, records: &Records) -> Result<Self> {
        let context = DecoderContext {
            options: &case.options(registry.address())?,
            declared: &case.columns,
            read: &case.columns,
            metadata: &[],
            origin: "benchmark",
        };
        let mut decoder = decoder(&context)?;
        registry.wait_for(decoder.prepare(records))?;
        Ok(Self(decoder))
    }

    /// Decodes records; returns how many rows they have.
    pub(crate) fn decode(&mut self, records: &Records) -> Result<usize> {
        let decoded = self.0.decode(records).map_err(|error| anyhow!("{error:?}"))?;
        Ok(decoded.rows.num_rows())
    }
}

/// An encoder that has what it needs.
pub(crate) struct Encoding {
    encoder: Box<dyn Encoder>,
    records: Records,
}

impl Encoding {
    pub(crate) fn new(case: &Case, registry: &Registry) -> Result<Self> {
        let context = EncoderContext {
            options: &case.options(registry.address())?,
            columns: &case.columns,
            declared: &case.columns,
            origin: "benchmark",
        };
        let mut encoder = encoder(&context)?;
        registry.wait_for(encoder.prepare())?;
        Ok(Self { encoder, records: Records::new() })
    }

    /// Encodes rows; returns how many records there are.
    pub(crate) fn encode(&mut self, rows: &RecordBatch) -> Result<usize> {
        self.records.clear();
        let changes = Changes::append(rows.clone());
        self.encoder.encode_changes(&changes, &mut self.records).context("encode")?;
        Ok(self.records.len())
    }

    /// What was encoded last.
    pub(crate) fn take(self) -> Records {
        self.records
    }
}
