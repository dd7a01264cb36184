//! How many rows a second one core puts through each of the functions that are used most, beside DataFusion's
//! function of the same kind over the same Arrow arrays.
//!
//! Both sides get their expression compiled once and then the same batch again and again, for a number of rounds;
//! the fastest round counts, since everything else that a machine does only takes time away. `--json` prints a
//! document on one line, else a table comes.

mod cases;
mod data;
mod other;
mod ours;

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context as _, Result};
use arrow::array::RecordBatch;
use clap::Parser;
use serde::Serialize;

use cases::{CASES, Case};

/// Rows a second of one core through scalar functions
#[derive(Parser)]
struct Args {
    /// Rows of the batch
    #[arg(long, value_name = "N", default_value_t = 8_192, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    rows: u32,
    /// Milliseconds of a round
    #[arg(long, value_name = "MS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    round_ms: u64,
    /// Rounds, of which the fastest counts
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// Only functions whose names have this part
    #[arg(long, value_name = "PART")]
    only: Option<String>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

/// What one function came to.
#[derive(Serialize)]
struct Figure {
    name: &'static str,
    /// The expression.
    sql: &'static str,
    /// Rows a second.
    tidegate: f64,
    /// Rows a second of DataFusion's function, if it has the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    datafusion: Option<f64>,
    /// How many times as fast.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
}

#[derive(Serialize)]
struct Report {
    what: &'static str,
    rows: u32,
    nulls: &'static str,
    rounds: u32,
    round_ms: u64,
    figures: Vec<Figure>,
    /// Geometric mean of the ratios.
    mean_ratio: Option<f64>,
}

#[allow(clippy::print_stdout, reason = "the figures are the output")]
fn main() -> Result<()> {
    let args = Args::parse();
    let batch = data::batch(args.rows as usize)?;
    let mut figures = Vec::new();
    for case in CASES {
        if args.only.as_ref().is_some_and(|part| !case.name.contains(part.as_str())) {
            continue;
        }
        let figure = measure(case, &batch, &args).with_context(|| case.name.to_owned())?;
        if !args.json {
            println!("{}", line(&figure));
        }
        figures.push(figure);
    }
    let ratios: Vec<f64> = figures.iter().filter_map(|figure| figure.ratio).collect();
    let mean_ratio = (!ratios.is_empty())
        .then(|| (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp());
    let report = Report {
        what: "rows a second of one core, fastest round",
        rows: args.rows,
        nulls: "one in twenty",
        rounds: args.rounds,
        round_ms: args.round_ms,
        figures,
        mean_ratio,
    };
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else if let Some(mean) = report.mean_ratio {
        println!("geometric mean of {} ratios: {mean:.2}", ratios.len());
    }
    Ok(())
}

fn line(figure: &Figure) -> String {
    let millions = |rate: f64| format!("{:>9.1}", rate / 1e6);
    let other = figure.datafusion.map_or_else(|| " ".repeat(9), millions);
    let ratio = figure.ratio.map_or_else(String::new, |ratio| format!("{ratio:>6.2} x"));
    format!("{:<28}{} M/s{other} M/s {ratio}", figure.name, millions(figure.tidegate))
}

fn measure(case: &Case, batch: &RecordBatch, args: &Args) -> Result<Figure> {
    let ours = ours::compile(case.sql, batch)?;
    let tidegate = rate(batch.num_rows(), args, || ours.run(batch))?;
    let datafusion = match case.datafusion {
        None => None,
        Some(sql) => {
            let other = other::compile(sql, batch)?;
            Some(rate(batch.num_rows(), args, || other.run(batch))?)
        }
    };
    let ratio = datafusion.map(|other| tidegate / other);
    Ok(Figure { name: case.name, sql: case.sql, tidegate, datafusion, ratio })
}

/// Rows a second of the fastest round.
fn rate<T>(rows: usize, args: &Args, mut run: impl FnMut() -> Result<T>) -> Result<f64> {
    let round = Duration::from_millis(args.round_ms);
    let mut best = 0.0_f64;
    for _ in 0..args.rounds {
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures the real time")]
        let start = std::time::Instant::now();
        let mut batches = 0_u32;
        let elapsed = loop {
            black_box(run()?);
            batches += 1;
            let elapsed = start.elapsed();
            if elapsed >= round {
                break elapsed;
            }
        };
        best = best.max(rows as f64 * f64::from(batches) / elapsed.as_secs_f64());
    }
    Ok(best)
}
