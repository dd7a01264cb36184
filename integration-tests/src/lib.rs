//! What the multi-process tests share: the product's process, clients of the real services, the
//! oracles, seeded cases, and comparison. The tests themselves are in `tests/it/`.
//!
//! Nothing here uses the product's own crates: a defect must not hide in what judges it.

pub mod cases;
pub mod changing;
pub mod checkpoints;
pub mod clock;
pub mod cluster;
pub mod compare;
pub mod databases;
pub mod etcd;
pub mod flink;
pub mod folder;
pub mod interrupted;
pub mod kafka;
pub mod oracle;
pub mod prng;
pub mod recorded;
pub mod replay;
pub mod rows;
pub mod seeds;
pub mod services;
pub mod telemetry;
pub mod tidegate;
pub mod value;
