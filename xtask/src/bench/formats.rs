//! Decoders and encoders of record formats beside those of others: built and run by cargo as the example `formats` of the
//! connectors, whose figures are passed on with what they were measured on.

use std::fmt::Write;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::program;
use crate::cargo::cargo;
use crate::interrupt::Interrupt;
use crate::project::Project;
use crate::tidegate::binary::Profile;

/// What the figures do not say.
const LIMITS: &[&str] = &[
    "the records stay in the processor's caches, and are the same in every round",
    "one thread, the fastest round is told: a job does other things in between",
    "serde_json::Value is parsed only: it gives neither columns nor kinds of changes",
];

/// What is measured.
pub(crate) struct Bench<'a> {
    /// The checkout.
    pub(crate) project: &'a Project,
    /// How the program is built.
    pub(crate) profile: Profile,
    /// Records of a batch.
    pub(crate) rows: u32,
    /// Rounds per case.
    pub(crate) rounds: u32,
    /// A part of the names of the cases.
    pub(crate) only: Option<&'a str>,
    /// Ctrl-C.
    pub(crate) interrupt: &'a Interrupt,
}

/// A whole benchmark.
#[derive(Serialize)]
pub(crate) struct Report {
    benchmark: &'static str,
    machine: Machine,
    profile: &'static str,
    #[serde(flatten)]
    figures: Figures,
    limits: &'static [&'static str],
}

/// What the program prints.
#[derive(Serialize, Deserialize)]
struct Figures {
    rows: u32,
    rounds: u32,
    round_ms: u64,
    figures: Vec<Figure>,
    /// Geometric mean of the ratios.
    mean_ratio: Option<f64>,
}

/// One direction of one format.
#[derive(Serialize, Deserialize)]
struct Figure {
    name: String,
    record_bytes: f64,
    /// Rows a second.
    tidegate: f64,
    /// Millions of bytes a second.
    tidegate_mb: f64,
    /// Whose the other figure is.
    beside: Option<String>,
    /// Rows a second.
    other: Option<f64>,
    ratio: Option<f64>,
}

impl Bench<'_> {
    /// Builds and runs it.
    pub(crate) fn run(&self) -> Result<Report> {
        let machine = Machine::look(self.project)?;
        let mut command = cargo(self.project);
        command
            .args(["run", "--locked", "--package", "tidegate-connectors", "--example", "formats"])
            .args(["--profile", self.profile.name(), "--", "--json"])
            .args(["--rows", &self.rows.to_string()])
            .args(["--rounds", &self.rounds.to_string()]);
        if let Some(part) = self.only {
            command.args(["--only", part]);
        }
        let figures = program::figures(&mut command, self.interrupt)?;
        let profile = self.profile.name();
        Ok(Report { benchmark: "formats", machine, profile, figures, limits: LIMITS })
    }
}

impl Report {
    /// A table, and what belongs to it.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "{:<32}{:>12}{:>10}{:>8}{:>12}{:>8}  {}\n",
            "CASE", "ROWS/S", "MB/S", "BYTES", "OTHER", "RATIO", "WHOSE"
        );
        let millions = |rate: f64| format!("{:.2} M", rate / 1e6);
        for figure in &self.figures.figures {
            writeln!(
                text,
                "{:<32}{:>12}{:>10.0}{:>8.0}{:>12}{:>8}  {}",
                figure.name,
                millions(figure.tidegate),
                figure.tidegate_mb,
                figure.record_bytes,
                figure.other.map_or_else(|| "-".to_owned(), millions),
                figure.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
                figure.beside.as_deref().unwrap_or_default()
            )
            .expect("writing to a string cannot fail");
        }
        if let Some(mean) = self.figures.mean_ratio {
            writeln!(text, "geometric mean of the ratios: {mean:.2}")
                .expect("writing to a string cannot fail");
        }
        writeln!(
            text,
            "\n{}\nprofile {}, batches of {} records, the fastest of {} rounds of {} ms",
            self.machine.summary(),
            self.profile,
            self.figures.rows,
            self.figures.rounds,
            self.figures.round_ms
        )
        .expect("writing to a string cannot fail");
        text
    }
}
