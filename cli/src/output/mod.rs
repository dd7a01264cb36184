//! What reaches standard output: the rows of queries, answers of statements, and the connectors
//! that lead there.

mod collect;
mod json;
mod printer;
mod table;

pub(crate) use collect::Connectors;
pub(crate) use json::JsonRows;
pub(crate) use printer::{Printer, print_rows};
