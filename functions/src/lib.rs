//! Flink's built-in functions over Arrow arrays, each with its type rule and semantic version;
//! casts; and the evaluator of `plan::Expr`.
//!
//! | module | holds |
//! |---|---|
//! | [`function`] | what a function is: type rule, kernel, version |
//! | [`coercion`] | common types, and which casts exist |
//! | [`cast`](mod@cast) | `CAST`, `TRY_CAST`, and Flink's text of every type |
//! | [`eval`] | expressions compiled to a program of kernels |
//! | [`aggregate`] | result types of aggregate functions |
//! | [`datetime`] | calendar arithmetic, time zones, Java's date patterns |
//!
//! Not here: parsing and name resolution (planner), accumulators of aggregates (engine).

pub mod aggregate;
pub mod cast;
pub mod coercion;
pub mod datetime;
pub mod decimal;
pub mod eval;
pub mod float_text;
pub mod function;
mod kernels;
mod moments;
#[cfg(test)]
mod properties;
mod registry;
mod rules;
#[cfg(test)]
mod testing;
mod text_array;
mod vector;

pub use datetime::zone::Zone;
pub use eval::{EvalContext, Evaluator};
pub use function::{
    Argument, Bind, Function, Kernel, KernelContext, Prepared, Signature, Value, Volatility,
};
pub use kernels::clock::CURRENT_WATERMARK;
pub use kernels::like::is_like;
pub use registry::{TAKES_NULL, get, lookup, names};
