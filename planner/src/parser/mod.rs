//! Flink SQL text → statements with places. No names are resolved here.

pub(crate) mod ast;
pub(crate) mod cursor;
pub(crate) mod dialect;
mod insert;
mod plan_file;
mod script;
mod table;
#[cfg(test)]
mod tests;
pub(crate) mod tokens;
pub(crate) mod types;

pub use ast::Statement;
pub use script::parse_script;
pub use types::parse_type_text;
