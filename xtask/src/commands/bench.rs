//! `cargo xtask bench`: builds Tidegate, measures it, prints the figures.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Subcommand, ValueEnum};

use crate::bench::machine::Machine;
use crate::bench::nexmark::{
    Bench, CHECKPOINT_INTERVAL, EVENTS_PER_SECOND_OF_EVENT_TIME, Length, Query,
};
use crate::bench::report::{Entry, Report, Settings};
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
    Nexmark(Nexmark),
}

#[derive(clap::Args)]
struct Nexmark {
    /// Queries, separated by commas; all of them if not given
    #[arg(long, value_enum, value_delimiter = ',', value_name = "QUERY,…")]
    queries: Vec<Query>,
    /// Length of each run at least; the number of events is found by shorter runs before
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Number of events of each run instead
    #[arg(long, value_name = "N", conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(50..=i64::MAX as u64))]
    events: Option<u64>,
    /// Subtasks per operator
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=128))]
    parallelism: u32,
    /// Print one JSON document on standard output, and the table on standard error
    #[arg(long)]
    json: bool,
    /// Which binary is built and measured
    #[arg(long, value_enum, default_value = "release")]
    profile: Profile,
}

/// Fails if a query does.
pub(crate) fn run(project: &Project, args: &Args) -> Result<ExitCode> {
    let interrupt = Interrupt::listen()?;
    let Benchmark::Nexmark(args) = &args.benchmark;
    let outcome = measure(project, args, &interrupt);
    if interrupt.raised() {
        eprintln!("interrupted");
        return Ok(ExitCode::from(interrupt::EXIT_CODE));
    }
    let report = outcome?;
    if args.json {
        eprint!("{}", report.table());
        println!("{}", report.json()?);
    } else {
        print!("{}", report.table());
    }
    Ok(if report.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn measure(project: &Project, args: &Nexmark, interrupt: &Interrupt) -> Result<Report> {
    let program = binary::build(project, args.profile, interrupt)?;
    let place = project.run_dir.join("bench");
    std::fs::create_dir_all(&place).with_context(|| format!("create {}", place.display()))?;
    let folder = tempfile::tempdir_in(&place).context("create a folder for the runs")?;
    let bench = Bench {
        project,
        program: &program,
        folder: folder.path(),
        parallelism: args.parallelism,
        length: args.events.map_or(Length::Seconds(args.seconds), Length::Events),
        interrupt,
    };
    let settings = Settings {
        profile: args.profile.name(),
        parallelism: args.parallelism,
        checkpoint_interval: CHECKPOINT_INTERVAL,
        events_per_second_of_event_time: EVENTS_PER_SECOND_OF_EVENT_TIME,
    };
    let mut report = Report::new("nexmark", Machine::look(project)?, settings);
    for query in queries(&args.queries) {
        if interrupt.raised() {
            break;
        }
        eprintln!("── {}", query.name());
        report.queries.push(match bench.measure(query) {
            Ok(measured) => {
                let rate = measured.events_per_second / 1e6;
                let seconds = measured.seconds;
                eprintln!("── {}: {rate:.3} million events/s over {seconds:.1} s", query.name());
                Entry::Measured(measured)
            }
            Err(error) => {
                let error = format!("{error:#}");
                eprintln!("── {}: FAILED: {error}", query.name());
                Entry::Failed { query, error }
            }
        });
    }
    Ok(report)
}

/// Those asked for, each once, or all.
fn queries(asked: &[Query]) -> Vec<Query> {
    let mut queries = Vec::new();
    let all = Query::value_variants();
    for query in if asked.is_empty() { all } else { asked } {
        if !queries.contains(query) {
            queries.push(*query);
        }
    }
    queries
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn nexmark(text: &str) -> Result<Nexmark, clap::Error> {
        let words = ["bench", "nexmark"].into_iter().chain(text.split_whitespace());
        let Benchmark::Nexmark(args) = Line::try_parse_from(words)?.args.benchmark;
        Ok(args)
    }

    #[test]
    fn queries_are_a_list_and_all_by_default() {
        let args = nexmark("--queries q0,hop,q0").unwrap();
        assert_eq!(queries(&args.queries), [Query::Q0, Query::Hop]);
        assert_eq!(queries(&nexmark("").unwrap().queries).len(), 6);
        let error = nexmark("--queries q99").err().unwrap().to_string();
        assert!(error.contains("q99") && error.contains("tumble"), "{error}");
    }

    #[test]
    fn a_run_has_a_number_of_events_or_a_duration() {
        assert_eq!(nexmark("").unwrap().seconds, 30);
        assert_eq!(nexmark("--events 1000").unwrap().events, Some(1_000));
        assert!(nexmark("--events 1000 --seconds 3").is_err());
        assert!(nexmark("--parallelism 0").is_err());
    }
}
