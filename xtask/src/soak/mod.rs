//! The soak: one job on a real Kafka and a real S3 server, ended in many ways and started again, judged by readers of
//! its output that share no code with it. What is written is in [`input`], how rounds end is drawn in [`plan`], a
//! round is carried out by [`round`] on processes of [`subject`] (ways back and forks by [`journey`], by what a
//! [`savepoint`] says; deleted markers by [`expiry`]), the object store's faults are in [`proxy`], what
//! comes out is judged in [`judge`], and [`run`] puts it together. The same on a cluster is [`cluster`].

pub(crate) mod cluster;
mod expiry;
pub(crate) mod feed;
pub(crate) mod input;
mod journey;
pub(crate) mod judge;
mod last;
mod place;
pub(crate) mod plan;
mod prng;
pub(crate) mod proxy;
pub(crate) mod report;
pub(crate) mod round;
pub(crate) mod run;
mod savepoint;
pub(crate) mod subject;
pub(crate) mod witness;
