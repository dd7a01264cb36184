//! What a connector implements: sources with splits, sinks with staged output, tables to look up in.
//!
//! Order of calls for a source: [`Source::enumerate`] once per job start (with the splits that a
//! checkpoint knew) and every [`Source::discovery_interval`]; the new splits are spread over the
//! subtasks; each subtask has one [`SourceReader`].
//!
//! Order of calls for a sink writer: `recover` (with what the restored checkpoint knew of its output),
//! then any number of `write` / `watermark`, and at each checkpoint `prepare`. What was prepared is
//! committed by the writer's [`Committer`], beside further writing, once the checkpoint is complete.
//! A unit stays in every later manifest until its commit has returned.

mod commit;
mod lookup;
mod sink;
mod source;

pub use commit::{Committer, RestoredEpoch, RestoredOutput};
pub use lookup::{Found, Lookup, LookupTable};
pub use sink::{Acknowledgements, DeliveryGuarantee, Sink, SinkContext, SinkWriter};
pub use source::{Read, ReaderContext, Source, SourceReader};
pub use tidegate_checkpoint::manifest::Split;
pub use tidegate_checkpoint::staged::{Confirmed, StagedUnit};
