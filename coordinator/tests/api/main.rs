//! The public API on coordinators with a store on disk.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests of what runs, in real time"
)]

mod audit;
mod cluster;
mod hooks;
mod resources;
