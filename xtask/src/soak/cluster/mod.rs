//! The soak of a cluster: the same job, input and judgement as that of one process, on three coordinators and three
//! workers. What happens in which round is in [`plan`], a round is carried out by [`round`] (which waits as [`calm`] says), what a stopped process
//! tried afterwards is counted by [`refusals`], [`run`] puts it together, [`report`] says what came of it.

mod calm;
pub(crate) mod plan;
mod refusals;
pub(crate) mod report;
mod round;
pub(crate) mod run;
