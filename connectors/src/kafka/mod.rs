//! The connector `kafka`: topics of Apache Kafka, through librdkafka.
//!
//! Reading: [`source`] finds partitions and resolves start and end positions to numbers ([`offsets`]);
//! a [`fetcher`] thread per reader takes records from the client and hands them on as batches of
//! bytes per partition ([`batch`]); the [`reader`] decodes those and adds key and metadata columns
//! ([`row_layout`]). Positions are in checkpoints only; offsets are committed to the consumer group so
//! that its lag can be seen.
//!
//! Writing: the [`writer`] encodes a batch, hands its records to the client and at a checkpoint waits
//! until all are acknowledged. Exactly-once output will be a writer of its own that stages an epoch
//! (`StagedUnit`) and writes it in one transaction once the checkpoint is complete.

mod batch;
mod client;
mod fetch_loop;
mod fetcher;
mod metadata_columns;
mod offsets;
mod patience;
mod properties;
mod reader;
mod row_layout;
mod sink;
mod source;
mod split;
mod writer;

pub use sink::sink;
pub use source::source;
