//! Coordinators in one process, each with a runtime, a folder and a port of its own, over real gRPC on loopback.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests: what cannot be ends them")]

mod approvals;
mod chaos;
mod failover;
mod fuzzed;
mod membership;
mod sandbox;
mod snapshot;
mod speed;
