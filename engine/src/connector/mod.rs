//! What a connector implements: sources with splits, sinks with staged output.
//!
//! Order of calls for a source: [`Source::enumerate`] once per job start (with the splits that a
//! checkpoint knew) and every [`Source::discovery_interval`]; the new splits are spread over the
//! subtasks; each subtask has one [`SourceReader`].
//!
//! Order of calls for a sink writer: `recover` (only after a restore, with the units that the
//! checkpoint held), then any number of `write` / `watermark`, and at each checkpoint `prepare`,
//! later `commit` of what was prepared. A unit stays in every later manifest until `commit` has
//! returned for it.

mod sink;
mod source;

pub use sink::{DeliveryGuarantee, Sink, SinkContext, SinkWriter, StagedUnit};
pub use source::{Read, ReaderContext, Source, SourceReader, Split};
