//! Flink SQL text → statements with places. No names are resolved here.

mod alter;
pub(crate) mod ast;
mod create;
pub(crate) mod cursor;
pub(crate) mod dialect;
pub(crate) mod difference;
pub(crate) mod flink_text;
mod function;
mod infix;
mod insert;
pub(crate) mod json;
mod namespace;
mod plan_file;
mod refused;
pub(crate) mod row_pattern;
mod script;
mod show;
pub(crate) mod table;
mod table_query;
#[cfg(test)]
mod tests;
pub(crate) mod tokens;
pub(crate) mod types;

pub use ast::Statement;
pub use script::parse_script;
pub use types::parse_type_text;
