//! `cargo xtask soak`: many crashes of one exactly-once job on real services, and a judgement of its output.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};

use crate::interrupt::{self, Interrupt};
use crate::project::Project;
use crate::soak::cluster;
use crate::soak::plan::{Fault, Mutation, name_of};
use crate::soak::proxy::faults::Rates;
use crate::soak::report::Report;
use crate::soak::run::{self, Settings};
use crate::soak::subject::Guarantee;
use crate::tidegate::binary::{self, Profile};

/// The feature of the command-line crate that builds failpoints in.
const FAILPOINTS: &str = "failpoints";

/// `soak [--rounds N] [--seed S] …`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rounds; each starts the job, troubles it, and ends it
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rounds: u32,
    /// Records, the same number for each of four partitions
    #[arg(long, value_name = "N", default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1..=400_000_000))]
    records: u64,
    /// Soak three coordinators and three workers instead of one process; --cluster-faults chooses among their faults
    #[arg(long, conflicts_with_all = ["mutation", "faults", "guarantee"])]
    cluster: bool,
    /// Kinds of faults of a cluster, separated by commas; without, all
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KIND,…", requires = "cluster")]
    cluster_faults: Vec<cluster::plan::Fault>,
    /// Repeats rounds and records of another soak; the moments of faults belong to the machine
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Print the result as one line of JSON, the last of standard output
    #[arg(long)]
    json: bool,
    /// Take a safeguard out: the soak should fail
    #[arg(long, value_enum, value_name = "NAME")]
    mutation: Option<Mutation>,
    /// Kinds of faults, separated by commas; without, all, or those that reveal the mutation
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KIND,…")]
    faults: Vec<Fault>,
    /// Per cent of the requests to the object store that meet a fault, in rounds where it has faults:
    /// NAME=RATE,… of slow-down, internal-error, unavailable, reset, lost-answer, delay, corrupt
    #[arg(long, value_name = "RATES")]
    store_faults: Option<Rates>,
    /// What the sinks promise
    #[arg(long, value_enum, default_value = "exactly-once")]
    guarantee: Guarantee,
    /// Time between checkpoints, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    interval: u64,
    /// Carry out all rounds and the last run even if something was found
    #[arg(long)]
    keep_going: bool,
    /// Which binary is built
    #[arg(long, value_enum, default_value = "dev")]
    profile: Profile,
    /// A binary that is already there instead, built with the feature `failpoints`
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
}

/// Fails if the output or a process offended.
pub(crate) fn run(project: &Project, args: &Args) -> Result<ExitCode> {
    let interrupt = Interrupt::listen()?;
    let outcome = if args.cluster {
        soak_cluster(project, args, &interrupt)
            .and_then(|report| Ok((report.passed, report.text(), report.json()?)))
    } else {
        soak(project, args, &interrupt)
            .and_then(|report| Ok((report.passed, report.text(), report.json()?)))
    };
    if interrupt.raised() {
        eprintln!("interrupted");
        return Ok(ExitCode::from(interrupt::EXIT_CODE));
    }
    let (passed, text, json) = outcome?;
    eprint!("{text}");
    if args.json {
        println!("{json}");
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn soak_cluster(
    project: &Project,
    args: &Args,
    interrupt: &Interrupt,
) -> Result<cluster::report::Report> {
    let seed = match args.seed {
        Some(seed) => seed,
        None => entropy()?,
    };
    eprintln!("seed {seed}");
    let program = match &args.program {
        Some(program) => std::path::absolute(program).context("find the binary")?,
        None => binary::build_with(project, args.profile, &[FAILPOINTS], interrupt)?,
    };
    let settings = cluster::run::Settings {
        program,
        rounds: args.rounds,
        seed,
        records: args.records,
        faults: args.cluster_faults.clone(),
        store_faults: args.store_faults.unwrap_or_default(),
        interval_ms: args.interval,
        keep_going: args.keep_going,
        command: command(args, seed),
    };
    cluster::run::run(project, &settings, interrupt)
}

fn soak(project: &Project, args: &Args, interrupt: &Interrupt) -> Result<Report> {
    let seed = match args.seed {
        Some(seed) => seed,
        None => entropy()?,
    };
    eprintln!("seed {seed}");
    let has_failpoints = args.program.is_some() || has_failpoints(project)?;
    ensure!(
        has_failpoints || args.mutation.is_none() && !args.faults.contains(&Fault::Failpoint),
        "tidegate has no feature `{FAILPOINTS}`, which mutations and failpoints need"
    );
    if !has_failpoints {
        eprintln!("tidegate has no feature `{FAILPOINTS}`: other faults take their place");
    }
    let program = match &args.program {
        Some(program) => std::path::absolute(program).context("find the binary")?,
        None => {
            let features: &[&str] = if has_failpoints { &[FAILPOINTS] } else { &[] };
            binary::build_with(project, args.profile, features, interrupt)?
        }
    };
    let settings = Settings {
        program,
        has_failpoints,
        rounds: args.rounds,
        seed,
        records: args.records,
        mutation: args.mutation,
        faults: args.faults.clone(),
        store_faults: args.store_faults.unwrap_or_default(),
        guarantee: args.guarantee,
        interval_ms: args.interval,
        keep_going: args.keep_going,
        command: command(args, seed),
    };
    run::run(project, &settings, interrupt)
}

/// Few rounds and records, of one process and of a cluster, for `cargo xtask test`; says whether both passed.
pub(crate) fn in_short(project: &Project, interrupt: &Interrupt) -> Result<bool> {
    let mut args = Args {
        cluster: false,
        cluster_faults: Vec::new(),
        rounds: 5,
        records: 100_000,
        seed: None,
        json: false,
        mutation: None,
        faults: Vec::new(),
        store_faults: None,
        guarantee: Guarantee::ExactlyOnce,
        interval: 300,
        keep_going: false,
        profile: Profile::Dev,
        program: None,
    };
    let report = soak(project, &args, interrupt)?;
    eprint!("{}", report.text());
    args.cluster = true;
    let of_cluster = soak_cluster(project, &args, interrupt)?;
    eprint!("{}", of_cluster.text());
    Ok(report.passed && of_cluster.passed)
}

/// Whether the command-line crate can be built with failpoints.
fn has_failpoints(project: &Project) -> Result<bool> {
    let path = project.root.join("cli/Cargo.toml");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let manifest: toml::Table = text.parse().with_context(|| format!("read {}", path.display()))?;
    let features = manifest.get("features").and_then(toml::Value::as_table);
    Ok(features.is_some_and(|features| features.contains_key(FAILPOINTS)))
}

/// Another number each time.
fn entropy() -> Result<u64> {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).context("read the clock")?;
    // Few digits are easier to hand on.
    Ok((time.as_nanos() as u64 ^ u64::from(std::process::id())) % 1_000_000_000)
}

/// What repeats a soak.
fn command(args: &Args, seed: u64) -> String {
    let mut command = format!(
        "cargo xtask soak --rounds {} --records {} --seed {seed} --interval {} --profile {}",
        args.rounds,
        args.records,
        args.interval,
        args.profile.name(),
    );
    if args.cluster {
        command.push_str(" --cluster");
    } else {
        command.push_str(&format!(" --guarantee {}", name_of(args.guarantee)));
    }
    if !args.cluster_faults.is_empty() {
        let names: Vec<String> = args.cluster_faults.iter().map(|fault| name_of(*fault)).collect();
        command.push_str(&format!(" --cluster-faults {}", names.join(",")));
    }
    if let Some(mutation) = args.mutation {
        command.push_str(&format!(" --mutation {}", name_of(mutation)));
    }
    if !args.faults.is_empty() {
        let names: Vec<String> = args.faults.iter().map(|fault| name_of(*fault)).collect();
        command.push_str(&format!(" --faults {}", names.join(",")));
    }
    if let Some(rates) = args.store_faults {
        command.push_str(&format!(" --store-faults {rates}"));
    }
    if args.keep_going {
        command.push_str(" --keep-going");
    }
    command
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

    fn args(text: &str) -> Result<Args, clap::Error> {
        let words = ["soak"].into_iter().chain(text.split_whitespace());
        Ok(Line::try_parse_from(words)?.args)
    }

    #[test]
    fn the_command_that_repeats_a_soak_is_read_back() {
        let line = "--rounds 7 --records 100 --mutation skip-attempt-check --faults zombie,kill \
                    --store-faults reset=2.5,corrupt=1 --guarantee at-least-once --interval 200 --keep-going";
        let first = command(&args(line).unwrap(), 99);
        let words = first.strip_prefix("cargo xtask soak ").unwrap();
        assert_eq!(command(&args(words).unwrap(), 99), first);
        assert!(first.contains("--seed 99") && first.contains("--faults zombie,kill"), "{first}");
    }

    #[test]
    fn unknown_faults_and_rates_are_refused() {
        assert!(args("--faults fire").is_err() && args("--store-faults fire=1").is_err());
        assert!(args("--rounds 0").is_err());
        assert_eq!(args("").unwrap().records, 2_000_000);
    }
}
