//! The stream graph: operators, exchanges, schemas, changelog modes, operator ids; its encoding;
//! and how it is cut into tasks.
//!
//! The planner makes a [`StreamGraph`], job control and the workers run its [`task_graph::TaskGraph`].
//! Not here: SQL (planner), execution (engine), wire types (proto).

pub mod aggregate;
pub mod arrow_type;
pub mod changelog;
pub mod encoding;
pub mod envelope;
pub mod expr;
pub mod graph;
pub mod lineage;
pub mod operator;
pub mod settings;
pub mod state_layout;
pub mod task_graph;
pub mod window;

pub use aggregate::{AggregateCall, AggregateFunction};
pub use changelog::{ChangelogMode, RowKind, Updates};
pub use expr::{CastMode, Expr, FunctionRef, Literal, NamedExpr, Scalar};
pub use graph::{Exchange, Input, MiniBatch, Node, PlanSettings, Schema, StreamGraph};
pub use operator::Operator;
