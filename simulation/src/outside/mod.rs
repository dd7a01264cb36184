//! What is outside of the cluster: the object store, the system that rows come from, the one that they go to.

pub(crate) mod connectors;
pub(crate) mod feed;
pub(crate) mod service;
pub(crate) mod store;
pub(crate) mod target;
