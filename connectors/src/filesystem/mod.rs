//! The connector `filesystem`: files in local folders and object stores.
//!
//! Reading: [`listing`] finds files, [`split`] cuts them into splits, [`reader`] reads those one
//! after the other through [`text`], [`parquet_source`], [`orc_source`] or [`avro_source`], [`row_layout`] adds partition
//! and metadata columns. Writing: [`writer`] routes rows to one open file per partition, [`part`] holds the bytes
//! of a file that nobody can see yet, [`staged`] makes finished files visible when the checkpoint is
//! complete.

mod adapt;
mod announce;
mod avro_source;
mod compression;
mod encoder;
#[cfg(feature = "probe")]
pub(crate) mod file_schema;
mod leftovers;
mod listing;
mod object_reader;
mod orc_check;
mod orc_object;
mod orc_source;
mod orc_tail;
mod orc_times;
mod orc_writer;
mod parquet_source;
mod part;
mod partition;
mod reader;
mod row_layout;
mod sink;
mod source;
mod split;
mod staged;
#[cfg(test)]
mod tests;
mod text;
mod writer;

pub use sink::sink;
pub use source::source;
