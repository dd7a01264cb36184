//! What tests of operators over changing tables share: random numbers, tables as lists of rows, a strict
//! replayer of changelogs, and subtasks with a store of their snapshots.

mod random;
mod replay;
mod rows;
mod stored;
mod subject;

pub(crate) use random::Random;
pub(crate) use replay::Replay;
pub(crate) use rows::{Row, changes, ints, rows_of};
pub(crate) use stored::Stored;
pub(crate) use subject::{GROUPS, HALVES, Subject, THIRDS, context};
