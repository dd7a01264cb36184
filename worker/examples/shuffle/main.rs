//! Measures the shuffle: two processes with sockets of the loopback interface between them, against
//! the channels within one process. `cargo xtask bench shuffle` runs it.
//!
//! Two subtasks send and two read. *local*: all in one process. *apart*: the senders in one, the
//! readers in the other, so that every row crosses. *spread*: one of each in both, so that half do, as
//! in a query of parallelism 2 on two workers. Rows are split by the hash of their key unless `--whole`
//! sends them as they are.

mod rows;
mod side;

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::Serialize;
use tidegate_types::{Error, Result};

use crate::rows::Shape;
use crate::side::{Outcome, Place, Side};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How the subtasks are placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Placement {
    Local,
    Apart,
    Spread,
}

impl Placement {
    const ALL: [Self; 3] = [Self::Local, Self::Apart, Self::Spread];

    fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Apart => "apart",
            Self::Spread => "spread",
        }
    }

    /// The processes of senders and readers.
    fn places(self) -> Place {
        match self {
            Self::Local => Place { producers: [0, 0], consumers: [0, 0] },
            Self::Apart => Place { producers: [0, 0], consumers: [1, 1] },
            Self::Spread => Place { producers: [0, 1], consumers: [0, 1] },
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
struct Options {
    json: bool,
    whole: bool,
    seconds: u64,
    rounds: u32,
    compression: String,
    only: Option<String>,
    /// In the second process: what it takes part in.
    second: Option<(Placement, Shape, SocketAddr)>,
}

/// The figures of one placement of one shape.
#[derive(Debug, Serialize)]
struct Figures {
    placement: Placement,
    seconds: f64,
    rows_per_second: f64,
    bytes_per_second: f64,
    cpu_seconds_per_million_rows: f64,
    /// Against the same within one process.
    ratio: f64,
}

/// The figures of one shape of rows.
#[derive(Debug, Serialize)]
struct Table {
    shape: &'static str,
    bytes_per_row: usize,
    partitioned: bool,
    figures: Vec<Figures>,
}

fn main() -> Result<()> {
    let options = parse()?;
    if let Some((placement, shape, peer)) = options.second {
        let mut out = std::io::stdout();
        let side = Side::new(1, placement.places(), shape, options.whole, &options.compression)?;
        writeln!(out, "{}", side.address()).and_then(|()| out.flush()).map_err(io)?;
        let outcome = side.run(Some(peer), until_told)?;
        writeln!(out, "{} {} {}", outcome.rows, outcome.bytes, outcome.cpu)
            .and_then(|()| out.flush())
            .map_err(io)?;
        // The other process hears the end of its calls before this one goes.
        until_told();
        return Ok(());
    }
    let mut tables = Vec::new();
    for shape in Shape::ALL {
        tables.push(measure(shape, &options)?);
    }
    let mut out = std::io::stdout();
    if options.json {
        let text =
            serde_json::to_string(&tables).map_err(|error| Error::internal(error.to_string()))?;
        return writeln!(out, "{text}").map_err(io);
    }
    for table in &tables {
        writeln!(out, "{} rows of {} bytes", table.shape, table.bytes_per_row).map_err(io)?;
        for figures in &table.figures {
            writeln!(
                out,
                "  {:8} {:8.2} million rows/s {:8.1} MB/s {:6.3} cpu s/million rows {:6.1} %",
                figures.placement.name(),
                figures.rows_per_second / 1e6,
                figures.bytes_per_second / 1e6,
                figures.cpu_seconds_per_million_rows,
                figures.ratio * 100.0
            )
            .map_err(io)?;
        }
    }
    Ok(())
}

/// The best of some rounds: what disturbs only makes slower. Placements take turns, so that what
/// disturbs for long disturbs all.
fn measure(shape: Shape, options: &Options) -> Result<Table> {
    let wanted =
        |placement: &Placement| options.only.as_ref().is_none_or(|only| only == placement.name());
    let placements: Vec<Placement> = Placement::ALL.into_iter().filter(wanted).collect();
    let mut best: Vec<Option<Outcome>> = placements.iter().map(|_| None).collect();
    for _ in 0..options.rounds {
        for (placement, best) in placements.iter().zip(&mut best) {
            let outcome = run(*placement, shape, options)?;
            if best.as_ref().is_none_or(|best| outcome.rate() > best.rate()) {
                *best = Some(outcome);
            }
        }
    }
    let best: Vec<Outcome> = best.into_iter().flatten().collect();
    let bytes_per_row = rows::bytes_per_row(shape);
    let local = best.first().map_or(1.0, Outcome::rate);
    let figures = placements.iter().zip(&best).map(|(placement, outcome)| Figures {
        placement: *placement,
        seconds: outcome.seconds,
        rows_per_second: outcome.rate(),
        bytes_per_second: outcome.rate() * bytes_per_row as f64,
        cpu_seconds_per_million_rows: outcome.cpu / (outcome.rows as f64 / 1e6),
        ratio: outcome.rate() / local,
    });
    let figures = figures.collect();
    Ok(Table { shape: shape.name(), bytes_per_row, partitioned: !options.whole, figures })
}

fn run(placement: Placement, shape: Shape, options: &Options) -> Result<Outcome> {
    let side = Side::new(0, placement.places(), shape, options.whole, &options.compression)?;
    let time = Duration::from_secs(options.seconds);
    if placement == Placement::Local {
        return side.run(None, || std::thread::park_timeout(time));
    }
    let mut child = second(placement, shape, options, side.address())?;
    let mut lines = BufReader::new(child.stdout.take().ok_or_else(|| lost("output"))?).lines();
    let mut line = || lines.next().ok_or_else(|| lost("line"))?.map_err(io);
    let peer: SocketAddr = line()?.parse().map_err(|_| lost("address"))?;
    let mut input = child.stdin.take().ok_or_else(|| lost("input"))?;
    let mut outcome = side.run(Some(peer), || {
        std::thread::park_timeout(time);
        // The other process stops at the same time.
        let _ = input.write_all(b"stop\n");
    })?;
    let other = line()?;
    let mut numbers = other.split(' ');
    let mut number =
        || numbers.next().and_then(|n| n.parse::<f64>().ok()).ok_or_else(|| lost("sum"));
    outcome.rows += number()? as u64;
    outcome.bytes += number()? as u64;
    outcome.cpu += number()?;
    drop(input);
    child.wait().map_err(io)?;
    Ok(outcome)
}

fn second(
    placement: Placement,
    shape: Shape,
    options: &Options,
    address: SocketAddr,
) -> Result<Child> {
    let program = std::env::current_exe().map_err(io)?;
    let mut command = Command::new(program);
    command.args(["--second", placement.name(), shape.name(), &address.to_string()]);
    command.args(["--compression", &options.compression]);
    if options.whole {
        command.arg("--whole");
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(io)
}

/// Waits for a line on standard input.
fn until_told() {
    let mut line = String::new();
    let _ = std::io::stdin().read_line(&mut line);
}

fn parse() -> Result<Options> {
    let mut options = Options {
        json: false,
        whole: false,
        seconds: 3,
        rounds: 3,
        compression: "none".to_owned(),
        only: None,
        second: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| usage(&word));
        match word.as_str() {
            "--json" => options.json = true,
            "--whole" => options.whole = true,
            "--seconds" => options.seconds = value()?.parse().map_err(|_| usage(&word))?,
            "--rounds" => options.rounds = value()?.parse().map_err(|_| usage(&word))?,
            "--compression" => options.compression = value()?,
            "--only" => options.only = Some(value()?),
            "--second" => {
                let (placement, shape, peer) = (value()?, value()?, value()?);
                let placement = Placement::ALL.into_iter().find(|p| p.name() == placement);
                let shape = Shape::ALL.into_iter().find(|s| s.name() == shape);
                let peer = peer.parse().ok();
                options.second = placement
                    .zip(shape)
                    .zip(peer)
                    .map(|((placement, shape), peer)| (placement, shape, peer));
            }
            _ => return Err(usage(&word)),
        }
    }
    Ok(options)
}

fn usage(word: &str) -> Error {
    let known =
        "--json, --whole, --seconds N, --rounds N, --compression none|lz4|zstd, --only PLACEMENT";
    Error::new(tidegate_types::ErrorCode::InvalidOption, format!("'{word}' is not understood"))
        .help(format!("known are {known}"))
}

fn io(error: std::io::Error) -> Error {
    Error::new(tidegate_types::ErrorCode::Unavailable, format!("the other process: {error}"))
}

fn lost(what: &str) -> Error {
    Error::internal(format!("the other process gives no {what}"))
}
