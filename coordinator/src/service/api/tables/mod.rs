//! Databases, tables and topics.

mod convert;
mod databases;
mod definition;
mod preview;
mod requests;

pub(super) use convert::table_message;
pub(crate) use definition::statement;
