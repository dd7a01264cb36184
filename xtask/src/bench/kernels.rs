//! Scalar functions beside DataFusion's: built and run by cargo as the program `kernels` of the benches, whose
//! figures are passed on with what they were measured on.

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
    "the batch stays in the processor's caches, and is the same in every round",
    "one thread, the fastest round is told: a job does other things in between",
    "functions of one name differ in what they promise: overflow, digits of DOUBLE, patterns of dates",
];

/// What is measured.
pub(crate) struct Bench<'a> {
    /// The checkout.
    pub(crate) project: &'a Project,
    /// How the program is built.
    pub(crate) profile: Profile,
    /// Rows of the batch.
    pub(crate) rows: u32,
    /// Rounds per function.
    pub(crate) rounds: u32,
    /// A part of the names of the functions.
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

/// One function.
#[derive(Serialize, Deserialize)]
struct Figure {
    name: String,
    sql: String,
    /// Rows a second.
    tidegate: f64,
    /// Rows a second, if it has the function.
    datafusion: Option<f64>,
    ratio: Option<f64>,
}

impl Bench<'_> {
    /// Builds and runs it.
    pub(crate) fn run(&self) -> Result<Report> {
        let machine = Machine::look(self.project)?;
        let mut command = cargo(self.project);
        command
            .args(["run", "--locked", "--package", "tidegate-benches", "--bin", "kernels"])
            .args(["--profile", self.profile.name(), "--", "--json"])
            .args(["--rows", &self.rows.to_string()])
            .args(["--rounds", &self.rounds.to_string()]);
        if let Some(part) = self.only {
            command.args(["--only", part]);
        }
        let figures = program::figures(&mut command, self.interrupt)?;
        Ok(Report {
            benchmark: "kernels",
            machine,
            profile: self.profile.name(),
            figures,
            limits: LIMITS,
        })
    }
}

impl Report {
    /// A table, and what belongs to it.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "{:<20}{:>12}{:>14}{:>8}  {}\n",
            "FUNCTION", "ROWS/S", "DATAFUSION", "RATIO", "EXPRESSION"
        );
        let millions = |rate: f64| format!("{:.1} M", rate / 1e6);
        for figure in &self.figures.figures {
            writeln!(
                text,
                "{:<20}{:>12}{:>14}{:>8}  {}",
                figure.name,
                millions(figure.tidegate),
                figure.datafusion.map_or_else(|| "-".to_owned(), millions),
                figure.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
                figure.sql
            )
            .expect("writing to a string cannot fail");
        }
        if let Some(mean) = self.figures.mean_ratio {
            writeln!(text, "geometric mean of the ratios: {mean:.2}")
                .expect("writing to a string cannot fail");
        }
        writeln!(
            text,
            "\n{}\nprofile {}, batches of {} rows, the fastest of {} rounds of {} ms",
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
