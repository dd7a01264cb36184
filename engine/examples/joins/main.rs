//! Measures joins by themselves: rows per second of one core, and bytes of state per row.
//! `cargo run --release -p tidegate-engine --example joins [-- CASE…] [--json]`
//!
//! The cases are made like Nexmark's: bids and auctions in the order and with the hot keys of its generator, all rows
//! in memory before the clock starts.

mod cases;
mod rows;

use std::io::Write;

use serde::Serialize;
use tidegate_types::{Error, Result};

use crate::cases::Case;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The figures of a case.
#[derive(Debug, Serialize)]
struct Figures {
    case: &'static str,
    rows_in: u64,
    rows_out: u64,
    cpu_seconds: f64,
    rows_per_second_and_core: f64,
    state_rows: u64,
    state_bytes: usize,
    state_bytes_per_row: f64,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let named: Vec<&String> = arguments.iter().filter(|name| !name.starts_with("--")).collect();
    let mut all = Vec::new();
    for case in Case::ALL {
        if named.is_empty() || named.iter().any(|name| *name == case.name()) {
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
                "{:<16} {:>7.2} million rows/s/core, {:>9} rows out, {:>9} rows kept, {:>6.1} bytes per row",
                figures.case,
                figures.rows_per_second_and_core / 1e6,
                figures.rows_out,
                figures.state_rows,
                figures.state_bytes_per_row
            )
        })
    };
    written.map_err(|error| Error::internal(error.to_string()))
}
