//! `cargo xtask bench nexmark`: which queries are measured, for how long.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::Common;
use crate::bench::machine::Machine;
use crate::bench::nexmark::{
    Bench, CHECKPOINT_INTERVAL, EVENTS_PER_SECOND_OF_EVENT_TIME, Length, Query,
};
use crate::bench::report::{Entry, Report, Settings};
use crate::interrupt::Interrupt;
use crate::project::Project;

/// `bench nexmark …`
#[derive(clap::Args)]
pub(crate) struct Args {
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
    /// Run each query also without checkpoints, to see what they cost
    #[arg(long)]
    checkpoint_cost: bool,
    #[command(flatten)]
    common: Common,
}

/// Fails if a query does.
pub(super) fn run(project: &Project, args: &Args, interrupt: &Interrupt) -> Result<ExitCode> {
    let report = measure(project, args, interrupt)?;
    args.common.show(&report.table(), &report)?;
    Ok(if report.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn measure(project: &Project, args: &Args, interrupt: &Interrupt) -> Result<Report> {
    let program = args.common.program(project, interrupt)?;
    let place = super::place(project)?;
    let folder = tempfile::tempdir_in(&place).context("create a folder for the runs")?;
    let bench = Bench {
        project,
        program: &program,
        folder: folder.path(),
        parallelism: args.parallelism,
        length: args.events.map_or(Length::Seconds(args.seconds), Length::Events),
        checkpoint_cost: args.checkpoint_cost,
        interrupt,
    };
    let settings = Settings {
        profile: args.common.profile(),
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

    fn nexmark(text: &str) -> Result<Args, clap::Error> {
        let words = ["nexmark"].into_iter().chain(text.split_whitespace());
        Ok(Line::try_parse_from(words)?.args)
    }

    #[test]
    fn queries_are_a_list_and_all_by_default() {
        let args = nexmark("--queries q0,hop,q0").unwrap();
        assert_eq!(queries(&args.queries), [Query::Q0, Query::Hop]);
        assert_eq!(queries(&nexmark("").unwrap().queries).len(), 27);
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
