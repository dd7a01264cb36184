//! How many rows and bytes a second one core decodes and encodes, beside readers and writers of others where there are any
//! for the same bytes.
//! `cargo run --release -p tidegate-connectors --example formats -- [--only PART] [--json]`
//!
//! Each side gets what it needs once (schemas, columns) and then the same records again and again, for a number of
//! rounds; the fastest round counts, since everything else that a machine does only takes time away.

mod data;
mod other;
mod ours;
mod registry;

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;
use serde::Serialize;

use crate::data::Case;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows and bytes a second of one core through decoders and encoders
#[derive(Parser)]
struct Args {
    /// Records of a batch
    #[arg(long, value_name = "N", default_value_t = 8_192, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    rows: u32,
    /// Milliseconds of a round
    #[arg(long, value_name = "MS", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    round_ms: u64,
    /// Rounds, of which the fastest counts
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// Only cases whose names have this part
    #[arg(long, value_name = "PART")]
    only: Option<String>,
    /// Print a JSON document in one line
    #[arg(long)]
    json: bool,
}

/// What one direction of one format came to.
#[derive(Serialize)]
struct Figure {
    /// `decode json`.
    name: String,
    /// Bytes of a record, on average.
    record_bytes: f64,
    /// Rows a second.
    tidegate: f64,
    /// Millions of bytes a second.
    tidegate_mb: f64,
    /// Whose the other figure is.
    #[serde(skip_serializing_if = "Option::is_none")]
    beside: Option<&'static str>,
    /// Rows a second of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<f64>,
    /// How many times as fast.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
}

#[derive(Serialize)]
struct Report {
    rows: u32,
    rounds: u32,
    round_ms: u64,
    figures: Vec<Figure>,
    /// Geometric mean of the ratios.
    mean_ratio: Option<f64>,
}

#[allow(clippy::print_stdout, reason = "the figures are the output")]
fn main() -> Result<()> {
    let args = Args::parse();
    let mut figures = Vec::new();
    for case in Case::all()? {
        for direction in [Direction::Decode, Direction::Encode] {
            let name = format!("{} {}", direction.word(), case.format);
            if args.only.as_ref().is_some_and(|part| !name.contains(part.as_str())) {
                continue;
            }
            let figure = direction.measure(&case, &args, name.clone()).context(name)?;
            if !args.json {
                println!("{}", figure.line());
            }
            figures.push(figure);
        }
    }
    let ratios: Vec<f64> = figures.iter().filter_map(|figure| figure.ratio).collect();
    let mean_ratio = (!ratios.is_empty())
        .then(|| (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp());
    if args.json {
        let Args { rows, rounds, round_ms, .. } = args;
        let report = Report { rows, rounds, round_ms, figures, mean_ratio };
        println!("{}", serde_json::to_string(&report)?);
    } else if let Some(mean) = mean_ratio {
        println!("geometric mean of {} ratios: {mean:.2}", ratios.len());
    }
    Ok(())
}

impl Figure {
    fn line(&self) -> String {
        let millions = |rate: f64| format!("{:>8.2} M rows/s", rate / 1e6);
        let other = self.other.zip(self.beside).zip(self.ratio);
        let other = other.map_or_else(String::new, |((other, beside), ratio)| {
            format!("  {} of {beside}, {ratio:.2} x", millions(other))
        });
        let own = millions(self.tidegate);
        format!("{:<32}{own} {:>7.0} MB/s{other}", self.name, self.tidegate_mb)
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Decode,
    Encode,
}

impl Direction {
    fn word(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Encode => "encode",
        }
    }

    fn measure(self, case: &Case, args: &Args, name: String) -> Result<Figure> {
        let rows = args.rows as usize;
        let batch = case.batch(rows)?;
        let written = registry::with(|registry| {
            let mut encoder = ours::Encoding::new(case, registry)?;
            encoder.encode(&batch)?;
            Ok(encoder.take())
        })?;
        let bytes = written.iter().flatten().map(<[u8]>::len).sum::<usize>();
        let (tidegate, other) = match self {
            Self::Decode => {
                let mut decoding =
                    registry::with(|registry| ours::Decoding::new(case, registry, &written))?;
                let tidegate = rate(rows, args, || decoding.decode(&written))?;
                let other = other::decoder(case, &written, rows)?;
                (tidegate, other)
            }
            Self::Encode => {
                let mut encoding = registry::with(|registry| ours::Encoding::new(case, registry))?;
                let tidegate = rate(rows, args, || encoding.encode(&batch))?;
                (tidegate, other::encoder(case, &batch)?)
            }
        };
        let (beside, other) = match other {
            None => (None, None),
            Some(mut other) => (Some(other.name), Some(rate(rows, args, || (other.run)())?)),
        };
        Ok(Figure {
            name,
            record_bytes: bytes as f64 / rows as f64,
            tidegate,
            tidegate_mb: tidegate * (bytes as f64 / rows as f64) / 1e6,
            beside,
            other,
            ratio: other.map(|other| tidegate / other),
        })
    }
}

/// Rows a second of the fastest round.
fn rate(rows: usize, args: &Args, mut run: impl FnMut() -> Result<usize>) -> Result<f64> {
    let round = Duration::from_millis(args.round_ms);
    let mut best = 0.0_f64;
    for _ in 0..args.rounds {
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures the real time")]
        let start = std::time::Instant::now();
        let mut batches = 0_u32;
        let elapsed = loop {
            let done = black_box(run()?);
            anyhow::ensure!(done == rows, "{done} of {rows} rows came out");
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
