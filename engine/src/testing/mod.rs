//! What tests of operators over changing tables share: random numbers, tables as lists of rows, a strict
//! replayer of changelogs, and subtasks with a store of their snapshots.

mod plan;
mod random;
mod replay;
mod rows;
mod stored;
mod subject;
mod table;

pub(crate) use plan::{node, schema};
pub(crate) use random::Random;
pub(crate) use replay::Replay;
pub(crate) use rows::{Row, changes, ints, rows_of};
pub(crate) use stored::Stored;
pub(crate) use subject::{GROUPS, Subject, context};
pub(crate) use table::Table;
