//! Where the coordinators of a cluster are, through etcd: coordinators announce themselves ([`announce`]), workers and
//! clients look them up ([`follow`], [`look_up`]).
//!
//! etcd only helps to find a cluster. It decides nothing: who leads is Raft's business, and what is read here is an
//! address to try, which says itself whether it leads. When etcd is away, whoever has found the cluster goes on.

mod announce;
mod connection;
mod entry;
mod find;
mod options;

pub use announce::announce;
pub use entry::Entry;
pub use find::{follow, look_up};
pub use options::{EtcdOptions, EtcdTls};
