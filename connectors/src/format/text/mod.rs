//! The text of values as Flink's formats and the `print` connector write and read it: numbers, dates
//! and times, base64; and typed access to the cells of a column.
//!
//! Everything works on bytes and appends to a caller's buffer. How cells are put together to a record
//! is the formats' business. `CAST … AS STRING` is another matter: see `tidegate-functions`.

pub(crate) mod base64;
pub(crate) mod cells;
pub(crate) mod datetime;
pub(crate) mod datetime_parse;
pub(crate) mod number;
#[cfg(feature = "jdbc")]
pub(crate) mod postgres_array;
