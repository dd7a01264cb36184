//! The hosts of a cluster: coordinators and workers, with what outlives their processes.

pub(crate) mod coordinator;
pub(crate) mod embedded;
pub(crate) mod machine;
pub(crate) mod worker;
