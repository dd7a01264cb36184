//! A cluster of one process: runs job control's decisions against tasks in this process.
//!
//! [`driver`] executes actions, [`storage`] knows the folders of a job, [`metadata`] keeps its
//! record, [`garbage`] deletes what no kept checkpoint reaches, [`report`] sums up a run,
//! [`resources`] says what of the machine a job may take.

pub(crate) mod driver;
pub(crate) mod garbage;
pub(crate) mod metadata;
pub(crate) mod opening;
pub(crate) mod report;
pub(crate) mod resources;
pub(crate) mod spec;
pub(crate) mod storage;

pub(crate) use driver::Embedded;
pub(crate) use report::JobReport;
pub(crate) use spec::{JobSpec, Progress, Request};
