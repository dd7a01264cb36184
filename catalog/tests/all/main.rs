//! Tests of the catalog through its public interface: random histories, what earlier releases wrote, and sizes.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests: what cannot be ends them")]

mod commands;
mod fixture;
mod histories;
mod scale;
mod search;
mod tables;
