//! A cluster of real processes for soaks and benchmarks: three coordinators and some workers, each on a host of its own
//! (a network namespace, where that is possible). Where hosts come from and how the network between them is cut is in
//! [`hosts`], processes are in [`nodes`], what they are asked in [`client`].

pub(crate) mod client;
pub(crate) mod hosts;
pub(crate) mod nodes;
