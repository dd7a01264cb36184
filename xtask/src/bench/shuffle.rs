//! The shuffle between two processes against the channels of one: built and run by cargo as the
//! example `shuffle` of the worker, whose figures are passed on with what they were measured on.

use std::fmt::Write;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::machine::Machine;
use crate::cargo::cargo;
use crate::interrupt::Interrupt;
use crate::project::Project;
use crate::tidegate::binary::Profile;
use crate::tidegate::lines;

/// What the figures do not say.
const LIMITS: &[&str] = &[
    "both processes share the machine's cores, so what the shuffle costs is taken from the work itself: \
     workers on machines of their own lose less",
    "the loopback interface has no latency and no packet loss to speak of",
    "senders split ready-made batches by key and readers count rows: a query does more per row, so that \
     its ratio is higher",
    "the best of the rounds is told",
];

/// What is measured.
pub(crate) struct Bench<'a> {
    /// The checkout.
    pub(crate) project: &'a Project,
    /// How the example is built.
    pub(crate) profile: Profile,
    /// Seconds of a round.
    pub(crate) seconds: u64,
    /// Rounds per placement and shape.
    pub(crate) rounds: u32,
    /// `none`, `lz4`, `zstd`.
    pub(crate) compression: &'a str,
    /// Batches are sent whole instead of split by key.
    pub(crate) whole: bool,
    /// Ctrl-C.
    pub(crate) interrupt: &'a Interrupt,
}

/// A whole benchmark.
#[derive(Serialize)]
pub(crate) struct Report {
    benchmark: &'static str,
    machine: Machine,
    profile: &'static str,
    compression: String,
    shapes: Vec<Shape>,
    limits: &'static [&'static str],
}

/// The figures of one shape of rows, as the example prints them.
#[derive(Serialize, Deserialize)]
struct Shape {
    shape: String,
    bytes_per_row: u64,
    partitioned: bool,
    figures: Vec<Figures>,
}

/// The figures of one placement of subtasks.
#[derive(Serialize, Deserialize)]
struct Figures {
    placement: String,
    seconds: f64,
    rows_per_second: f64,
    bytes_per_second: f64,
    cpu_seconds_per_million_rows: f64,
    ratio: f64,
}

impl Bench<'_> {
    /// Builds and runs it.
    pub(crate) fn run(&self) -> Result<Report> {
        let machine = Machine::look(self.project)?;
        let mut command = cargo(self.project);
        command
            .args(["run", "--locked", "--package", "tidegate-worker", "--example", "shuffle"])
            .args(["--profile", self.profile.name(), "--", "--json"])
            .args(["--seconds", &self.seconds.to_string()])
            .args(["--rounds", &self.rounds.to_string()])
            .args(["--compression", self.compression]);
        if self.whole {
            command.arg("--whole");
        }
        let mut shapes = None;
        let status = lines::follow(&mut command, self.interrupt, |line| {
            shapes = Some(serde_json::from_str(line).context("read the figures")?);
            Ok(())
        })?;
        if !status.success() {
            bail!("the measurement ended with {status}");
        }
        Ok(Report {
            benchmark: "shuffle",
            machine,
            profile: self.profile.name(),
            compression: self.compression.to_owned(),
            shapes: shapes.context("the measurement printed no figures")?,
            limits: LIMITS,
        })
    }
}

impl Report {
    /// A table, and what belongs to it.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "{:<8}{:<10}{:>12}{:>12}{:>16}{:>9}\n",
            "ROWS", "SUBTASKS", "ROWS/S", "MB/S", "CPU S/M ROWS", "RATIO"
        );
        for shape in &self.shapes {
            for figures in &shape.figures {
                writeln!(
                    text,
                    "{:<8}{:<10}{:>10.2} M{:>12.1}{:>16.3}{:>7.1} %",
                    shape.shape,
                    figures.placement,
                    figures.rows_per_second / 1e6,
                    figures.bytes_per_second / 1e6,
                    figures.cpu_seconds_per_million_rows,
                    figures.ratio * 100.0
                )
                .expect("writing to a string cannot fail");
            }
        }
        writeln!(
            text,
            "\n{}\nprofile {}, compression {}; apart: every row crosses, spread: half of them do",
            self.machine.summary(),
            self.profile,
            self.compression
        )
        .expect("writing to a string cannot fail");
        text
    }
}
