//! The connector `jdbc`: tables of PostgreSQL, MySQL and MariaDB, looked up by key and read whole. The names of its
//! options are those of Flink's connector; the protocols are spoken by Rust clients.
//!
//! [`address`] reads the URL, [`connection`] connects and asks, [`failure`] says what went wrong; [`sql`] writes
//! statements with [`name`]s and [`literal`]s, and `format::answers` makes columns of answers. A [`lookup`] asks for many
//! keys at once over the connections of a [`pool`]; the [`source`] reads a table from beginning to end, in [`parts`].
//!
//! Statements go as text with values written as literals, and answers come as text, in both protocols: so one
//! statement can ask for any number of keys, and a database finds the types of literals by its columns.

mod address;
mod connection;
mod failure;
mod literal;
mod lookup;
mod name;
mod parts;
mod pool;
mod source;
mod sql;

pub(crate) use lookup::table;
pub(crate) use source::source;
