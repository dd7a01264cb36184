//! Databases, tables and topics.

mod convert;
mod databases;
mod definition;
mod preview;
mod requests;

pub(crate) use definition::statement;
