//! Rows by their rank in a partition of the whole table: Top-N, `ORDER BY … LIMIT`, `LIMIT`. A batch makes one
//! net change per partition that it changes.
//!
//! State table `rows`: partition key, number in order of arrival, row.

mod bounds;
mod emit;
mod marks;
mod operator;
mod order;
#[cfg(test)]
mod tests;

pub use operator::Rank;
