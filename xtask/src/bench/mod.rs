//! Benchmarks of the product: what is run ([`nexmark`], [`kafka`], [`latency`], [`state`], [`flink`], [`kernels`], [`formats`], [`shuffle`], [`cluster`]), how much of it ([`sizing`]),
//! beside what ([`broker`]), with which options ([`options`]), on what machine ([`machine`]), and what is told about it ([`report`] for the queries; the
//! others tell it themselves).

pub(crate) mod broker;
pub(crate) mod cluster;
pub(crate) mod flink;
pub(crate) mod formats;
pub(crate) mod kafka;
pub(crate) mod kernels;
pub(crate) mod latency;
pub(crate) mod machine;
pub(crate) mod nexmark;
pub(crate) mod options;
mod program;
pub(crate) mod report;
pub(crate) mod shuffle;
pub(crate) mod sizing;
pub(crate) mod state;
