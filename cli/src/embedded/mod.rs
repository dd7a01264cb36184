//! A cluster of one process: runs job control's decisions against tasks in this process.
//!
//! [`driver`] executes actions, [`storage`] knows the folders of a job, [`metadata`] keeps its
//! record, [`garbage`] deletes what no kept checkpoint reaches, [`report`] sums up a run.

pub mod driver;
pub mod garbage;
pub mod metadata;
pub mod report;
pub mod storage;

pub use driver::{Embedded, JobSpec, Request};
pub use report::{InsertReport, JobReport};
