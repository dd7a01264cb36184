//! Benchmarks of the product: what is run ([`nexmark`]), how much of it ([`sizing`]), on what machine
//! ([`machine`]), and what is told about it ([`report`]).

pub(crate) mod machine;
pub(crate) mod nexmark;
pub(crate) mod report;
pub(crate) mod sizing;
