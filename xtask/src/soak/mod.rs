//! The soak: one job on a real Kafka and a real S3 server, ended in many ways and started again, judged by readers of
//! its output that share no code with it. What is written is in [`input`], how rounds end is drawn in [`plan`], a
//! round is carried out by [`round`] on processes of [`subject`], the object store's faults are in [`proxy`], what
//! comes out is judged in [`judge`], and [`run`] puts it together.

pub(crate) mod feed;
pub(crate) mod input;
pub(crate) mod judge;
pub(crate) mod plan;
mod prng;
pub(crate) mod proxy;
pub(crate) mod report;
pub(crate) mod round;
pub(crate) mod run;
pub(crate) mod subject;
pub(crate) mod witness;
