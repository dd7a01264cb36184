//! The connectors `kafka` and `upsert-kafka`: topics of Apache Kafka, through librdkafka.
//!
//! Reading: [`source`] finds partitions and resolves start and end positions to numbers ([`offsets`]);
//! a [`fetcher`] thread per reader takes records from the client and hands them on as batches of
//! bytes per partition ([`batch`]); the [`reader`] decodes those and adds key and metadata columns
//! ([`row_layout`]). Positions are in checkpoints only; offsets are committed to the consumer group so
//! that its lag can be seen. Where a topic is a table by key, records without value are deletions
//! ([`by_key`]).
//!
//! Writing: the [`row_encoder`] makes records of rows. The at-least-once [`writer`] hands them to the
//! client and at a checkpoint waits until all are acknowledged. The exactly-once [`staged_writer`]
//! stages them in the checkpoint ([`staged_record`]); the [`committer`] writes them once the checkpoint
//! is complete, in [`transaction`]s that also write a marker ([`markers`]). After a crash
//! the [`recovery`] writes what the [`settlement`] says by the markers.

mod batch;
mod by_key;
pub(crate) mod client;
mod committer;
mod exactly_once;
mod fetch_loop;
mod fetcher;
mod in_flight;
mod key_columns;
mod markers;
mod metadata_columns;
mod missing;
mod offsets;
mod patience;
mod properties;
mod reader;
mod recovery;
mod row_encoder;
mod row_layout;
mod settlement;
mod sink;
mod source;
mod split;
mod staged_record;
mod staged_writer;
mod transaction;
mod writer;

pub use sink::sink;
pub use source::source;
