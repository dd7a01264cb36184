//! `cargo xtask bench`: builds Tidegate, measures it, prints the figures.

mod cluster;
mod flink;
mod formats;
mod kafka;
mod kernels;
mod latency;
mod nexmark;
mod shuffle;
mod state;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use crate::interrupt::{self, Interrupt};
use crate::project::Project;
use crate::tidegate::binary::{self, Profile};

/// `bench WHAT …`
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Subcommand)]
enum Benchmark {
    /// Nexmark queries from the generator into the sink `blackhole`, with a checkpoint every second
    Nexmark(nexmark::Args),
    /// JSON through a real Kafka: generated into a topic, read, passed on, summed up in windows
    Kafka(kafka::Args),
    /// From the creation of a record to its arrival behind a job, through a real Kafka
    Latency(latency::Args),
    /// Checkpoints of a large state of which little changes, and its restore
    State(state::Args),
    /// Rows between two processes, against the channels of one
    Shuffle(shuffle::Args),
    /// Losses of workers and leaders, queries across workers, many tasks and jobs, on one machine
    Cluster(cluster::Args),
    /// Queries over files of JSON, in Tidegate and in real Flink
    Flink(flink::Args),
    /// Scalar functions over Arrow arrays, beside DataFusion's
    Kernels(kernels::Args),
    /// Decoders and encoders of record formats, beside those of others
    Formats(formats::Args),
}

/// What all benchmarks take.
#[derive(clap::Args)]
struct Common {
    /// Print one JSON document on standard output, and the table on standard error
    #[arg(long)]
    json: bool,
    /// Which binary is built and measured
    #[arg(long, value_enum, default_value = "release")]
    profile: Profile,
    /// A binary that is already there instead; the profile is then said to be unknown
    #[arg(long, value_name = "PATH", conflicts_with = "profile")]
    program: Option<PathBuf>,
}

impl Common {
    /// The binary.
    fn program(&self, project: &Project, interrupt: &Interrupt) -> Result<PathBuf> {
        match &self.program {
            Some(program) => std::path::absolute(program).context("find the binary"),
            None => binary::build(project, self.profile, interrupt),
        }
    }

    /// What the report says about the binary.
    fn profile(&self) -> &'static str {
        if self.program.is_some() { "unknown" } else { self.profile.name() }
    }

    /// Prints a report in both forms, or the one for people.
    fn show(&self, table: &str, report: &impl Serialize) -> Result<()> {
        if self.json {
            eprint!("{table}");
            println!("{}", serde_json::to_string(report).context("encode the report")?);
        } else {
            print!("{table}");
        }
        Ok(())
    }
}

/// What a sink promises, as its option says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Guarantee {
    /// Every record, some twice after a crash
    AtLeastOnce,
    /// Every record once
    ExactlyOnce,
}

/// Where benchmarks keep their data.
fn place(project: &Project) -> Result<PathBuf> {
    let place = project.run_dir.join("bench");
    std::fs::create_dir_all(&place).with_context(|| format!("create {}", place.display()))?;
    Ok(place)
}

/// Fails if a part of the benchmark does.
pub(crate) fn run(project: &Project, args: &Args) -> Result<ExitCode> {
    let interrupt = Interrupt::listen()?;
    let outcome = match &args.benchmark {
        Benchmark::Nexmark(args) => nexmark::run(project, args, &interrupt),
        Benchmark::Kafka(args) => kafka::run(project, args, &interrupt),
        Benchmark::Latency(args) => latency::run(project, args, &interrupt),
        Benchmark::State(args) => state::run(project, args, &interrupt),
        Benchmark::Shuffle(args) => shuffle::run(project, args, &interrupt),
        Benchmark::Cluster(args) => cluster::run(project, args, &interrupt),
        Benchmark::Flink(args) => flink::run(project, args, &interrupt),
        Benchmark::Kernels(args) => kernels::run(project, args, &interrupt),
        Benchmark::Formats(args) => formats::run(project, args, &interrupt),
    };
    if interrupt.raised() {
        eprintln!("interrupted");
        return Ok(ExitCode::from(interrupt::EXIT_CODE));
    }
    outcome
}
