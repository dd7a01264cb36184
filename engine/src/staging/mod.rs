//! Output that waits for its checkpoint in the checkpoint's own storage.
//!
//! A sink whose target cannot show an epoch's rows all at once or not at all by a step that may be
//! repeated after a crash keeps them out of the target until the checkpoint is complete. Its writer
//! collects encoded records in a [`StagedOutput`]; full chunks go to the store while the epoch goes
//! on, the last one with the checkpoint's upload. What a unit of output consists of is named by the
//! manifest as [`ChunkRef`]s. Committing reads them back, from memory as long as they are still
//! there. What a record's bytes mean is the connector's business.
//!
//! Objects are called `staged/<attempt>-<sink>-<writer>-<n>` below the job's folder. One goes when
//! no kept manifest names it; those of dead runs are found by listing.

mod area;
mod chunk;
mod output;
#[cfg(test)]
mod tests;

pub use area::{StagedChunks, StagingArea, StagingFolder};
pub use chunk::{Records, Stored, decode, encode};
pub use output::StagedOutput;
pub use tidegate_checkpoint::staged::{ChunkRef, FOLDER};
