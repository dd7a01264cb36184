//! Measures `MATCH_RECOGNIZE` by itself: rows per second of one core, matches and state, and a filter beside it.
//! `cargo run --release -p tidegate-engine --example patterns [-- CASE…] [--json]`
//!
//! All rows are in memory before the clock starts; what counts is the CPU time of the thread.

mod cases;
mod plans;

use std::io::Write;

use serde::Serialize;
use tidegate_types::{Error, Result};

use crate::cases::Case;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The figures of a case.
#[derive(Debug, Serialize)]
struct Figures {
    case: String,
    rows_in: u64,
    rows_out: u64,
    cpu_seconds: f64,
    rows_per_second_and_core: f64,
    state_rows: u64,
    state_bytes: usize,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let named: Vec<&String> = arguments.iter().filter(|name| !name.starts_with("--")).collect();
    let mut all = Vec::new();
    for case in Case::all() {
        if named.is_empty() || named.iter().any(|part| case.name.contains(part.as_str())) {
            all.push(case.measure()?);
        }
    }
    let mut out = std::io::stdout();
    let written = if json {
        let text =
            serde_json::to_string_pretty(&all).map_err(|e| Error::internal(e.to_string()))?;
        writeln!(out, "{text}")
    } else {
        all.iter().try_for_each(|figures| {
            writeln!(
                out,
                "{:<44} {:>7.2} million rows/s/core, {:>9} matches, {:>9} rows kept, {:>7.1} MiB",
                figures.case,
                figures.rows_per_second_and_core / 1e6,
                figures.rows_out,
                figures.state_rows,
                figures.state_bytes as f64 / f64::from(1 << 20)
            )
        })
    };
    written.map_err(|error| Error::internal(error.to_string()))
}
