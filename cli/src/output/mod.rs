//! What reaches standard output: the rows of queries, answers of statements, and the connectors
//! that lead there.

mod collect;
mod printer;
mod table;

pub use collect::Connectors;
pub use printer::{Printer, print_rows};
