//! The product's own binary as tasks use it: built ([`binary`]), run on a script ([`job`]), its output
//! followed line by line ([`lines`]), or left running ([`running`]), its statistics read ([`stats`]).

pub(crate) mod binary;
pub(crate) mod job;
mod lines;
pub(crate) mod running;
pub(crate) mod stats;
