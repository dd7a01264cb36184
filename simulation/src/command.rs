//! The command: one seed in this process, or many in processes of their own.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use rustix::process::{Resource, Rlimit};
use rustix::time::ClockId;
use serde::Serialize;

use crate::guards::{self, GUARDS, Guard};
use crate::world::{self, Report, Violation, World};
use crate::{ambient, trace};

/// Processor time that a seed may take before it is thought to hang.
const PROCESSOR_SECONDS: u64 = 120;

/// Seeds after which a removed guard must have been missed.
const CAUGHT_WITHIN: u64 = 1_000;

/// How often many seeds say how far they are.
const PROGRESS: u64 = 50;

/// Simulates clusters under faults.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// Run this seed, in this process
    #[arg(long)]
    seed: Option<u64>,
    /// Print what happened
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Run so many seeds
    #[arg(long, default_value_t = 300)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// Remove this guard, and go on until that is noticed; `all` removes them one after the other
    #[arg(long, value_name = "GUARD")]
    without: Option<String>,
    /// Run seeds in the worlds of this guard, with the guard in place
    #[arg(long, value_name = "GUARD", conflicts_with = "without")]
    world_of: Option<String>,
    /// Print a summary as JSON in the last line
    #[arg(long)]
    json: bool,
    /// Seeds at a time; without, one for each core
    #[arg(long)]
    jobs: Option<usize>,
    /// List the guards
    #[arg(long)]
    guards: bool,
}

/// What became of many seeds.
#[derive(Debug, Serialize)]
struct Summary {
    seeds: u64,
    first_seed: u64,
    passed: u64,
    /// Seconds of the machine's time.
    seconds: f64,
    simulated_seconds: f64,
    calls: usize,
    rows: usize,
    refused: u64,
    violations: Vec<Found>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    guards: Vec<Caught>,
}

/// A violation and how to see it again.
#[derive(Debug, Serialize)]
struct Found {
    seed: u64,
    #[serde(flatten)]
    violation: Violation,
    repeat: String,
}

/// How soon the removal of a guard was noticed.
#[derive(Debug, Serialize)]
struct Caught {
    guard: &'static str,
    /// Seeds that were needed; none if none noticed.
    seeds: Option<u64>,
    invariant: Option<String>,
    repeat: Option<String>,
}

/// Runs it; whether everything was as it must be.
///
/// # Errors
/// For arguments that make no sense, and if a seed cannot be run.
pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    if arguments.guards {
        for guard in &GUARDS {
            say(&format!("{:<28}{}", guard.name, guard.what));
        }
        return Ok(true);
    }
    let variant = match (arguments.without.as_deref(), arguments.world_of.as_deref()) {
        (Some("all"), _) if arguments.seed.is_none() => return without(arguments, &GUARDS),
        (Some(name), _) => Variant::Without(guard_of(name)?),
        (None, Some(name)) => Variant::WorldOf(guard_of(name)?),
        (None, None) => Variant::Plain,
    };
    if let Some(seed) = arguments.seed {
        return one(seed, variant, arguments.trace);
    }
    match variant {
        Variant::Without(guard) => without(arguments, [guard]),
        variant => many(arguments, variant),
    }
}

fn guard_of(name: &str) -> Result<&'static Guard> {
    guards::find(name).with_context(|| {
        let names: Vec<_> = GUARDS.iter().map(|guard| guard.name).collect();
        format!("'{name}' is no guard; the guards are {}", names.join(", "))
    })
}

/// How a seed is run.
#[derive(Clone, Copy)]
enum Variant {
    /// In a world of its own choice.
    Plain,
    /// In the world of a guard, which is in place.
    WorldOf(&'static Guard),
    /// In the world of a guard, which is removed.
    Without(&'static Guard),
}

impl Variant {
    /// The guard whose world it is.
    fn guard(self) -> Option<&'static Guard> {
        match self {
            Self::Plain => None,
            Self::WorldOf(guard) | Self::Without(guard) => Some(guard),
        }
    }

    /// What a command line says for it.
    fn arguments(self) -> Vec<&'static str> {
        match self {
            Self::Plain => Vec::new(),
            Self::WorldOf(guard) => vec!["--world-of", guard.name],
            Self::Without(guard) => vec!["--without", guard.name],
        }
    }

    /// What `FAILPOINTS` must say.
    fn failpoints(self) -> Option<String> {
        match self {
            Self::Without(guard) => Some(format!("{}=return", guard.name)),
            Self::Plain | Self::WorldOf(_) => None,
        }
    }
}

#[allow(clippy::print_stdout, reason = "the command's output")]
fn say(line: &str) {
    println!("{line}");
    // A pipe that is closed wants nothing more.
    let _ = std::io::stdout().flush();
}

/// The machine's time; never asked in a process that simulates.
fn now() -> Duration {
    let now = rustix::time::clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
}

/// Runs one seed in this process, which ends with it.
fn one(seed: u64, variant: Variant, print: bool) -> Result<bool> {
    // Defects are read from the environment when a process needs the first.
    if std::env::var("FAILPOINTS").ok() != variant.failpoints() {
        let status = child(seed, variant, print)?.status();
        return Ok(status.context("run the seed")?.success());
    }
    let limit = Rlimit { current: Some(PROCESSOR_SECONDS), maximum: Some(PROCESSOR_SECONDS) };
    rustix::process::setrlimit(Resource::Cpu, limit).context("limit the processor time")?;
    ambient::simulate(seed);
    tidegate_runtime::blocking::simulate_this_thread();
    let scenario = guards::scenario(seed, variant.guard());
    let version = world::version_of(&scenario).context("plan the job")?;
    trace::begin(print);
    let report = World::new(seed, scenario, version).run();
    trace::lines().iter().for_each(|line| say(line));
    say(&serde_json::to_string(&report).context("write the report")?);
    // What is left of hosts is not ended in order, as little as it is in a crash.
    std::process::exit(i32::from(report.violation.is_some()));
}

fn child(seed: u64, variant: Variant, print: bool) -> Result<Command> {
    let binary = std::env::current_exe().context("find this binary")?;
    let mut command = Command::new(binary);
    command.args(["--seed", &seed.to_string()]).env("RUST_BACKTRACE", "0").env_remove("FAILPOINTS");
    command.args(variant.arguments());
    if let Some(failpoints) = variant.failpoints() {
        command.env("FAILPOINTS", failpoints);
    }
    if print {
        command.arg("--trace");
    }
    Ok(command)
}

/// Starts a seed whose report is to be read.
fn piped(seed: u64, variant: Variant) -> Result<Child> {
    let mut command = child(seed, variant, false)?;
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().with_context(|| format!("start seed {seed}"))
}

/// Seeds that run, in order.
struct Running<'a> {
    arguments: &'a Arguments,
    variant: Variant,
    next: u64,
    last: u64,
    children: VecDeque<(u64, Child)>,
}

impl<'a> Running<'a> {
    fn new(arguments: &'a Arguments, variant: Variant, seeds: u64) -> Self {
        let (next, last) = (arguments.first_seed, arguments.first_seed.saturating_add(seeds));
        Self { arguments, variant, next, last, children: VecDeque::new() }
    }

    /// The next seed's report; none after the last.
    fn next(&mut self) -> Result<Option<Report>> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let jobs = self.arguments.jobs.unwrap_or_else(cores).max(1);
        while self.children.len() < jobs && self.next < self.last {
            self.children.push_back((self.next, piped(self.next, self.variant)?));
            self.next += 1;
        }
        let Some((seed, child)) = self.children.pop_front() else { return Ok(None) };
        report(seed, child).map(Some)
    }

    /// Ends what still runs.
    fn stop(self) {
        for (_, mut child) in self.children {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn report(seed: u64, mut child: Child) -> Result<Report> {
    let mut last = None;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            last = Some(line.with_context(|| format!("read what seed {seed} says"))?);
        }
    }
    let mut errors = String::new();
    if let Some(mut output) = child.stderr.take() {
        output
            .read_to_string(&mut errors)
            .with_context(|| format!("read errors of seed {seed}"))?;
    }
    let status = child.wait().with_context(|| format!("wait for seed {seed}"))?;
    if let Some(report) = last.and_then(|line| serde_json::from_str::<Report>(&line).ok()) {
        return Ok(report);
    }
    // Without a report the process has died: of a panic, or because it hung.
    let message = format!("the process died ({status}): {}", errors.trim());
    let violation = Violation { invariant: "no_panic".to_owned(), message, at_ms: 0 };
    Ok(Report::died(seed, violation))
}

fn repeat(seed: u64, variant: Variant) -> String {
    let arguments: String =
        variant.arguments().into_iter().map(|argument| format!(" {argument}")).collect();
    format!("cargo xtask simulate --seed {seed}{arguments} --trace")
}

/// Runs many seeds as they are; all must pass.
fn many(arguments: &Arguments, variant: Variant) -> Result<bool> {
    if arguments.seeds == 0 {
        bail!("--seeds 0: nothing to run");
    }
    let began = now();
    let mut running = Running::new(arguments, variant, arguments.seeds);
    let mut summary = Summary::new(arguments);
    while let Some(report) = running.next()? {
        summary.add(report, variant);
        if summary.seeds.is_multiple_of(PROGRESS) {
            let seconds = (now() - began).as_secs();
            say(&format!("{} seeds, {} passed, {seconds} s", summary.seeds, summary.passed));
        }
    }
    summary.seconds = (now() - began).as_secs_f64();
    let good = summary.violations.is_empty();
    say(&format!(
        "seeds {} to {}: {} passed, {} violated an invariant; {:.0} s, {:.0} s simulated",
        summary.first_seed,
        summary.first_seed + summary.seeds - 1,
        summary.passed,
        summary.violations.len(),
        summary.seconds,
        summary.simulated_seconds
    ));
    summary.print(arguments)?;
    Ok(good)
}

/// Removes a guard and runs seeds until one notices. What a seed notices must come of the removal: with the guard in place
/// it has to pass.
fn catch(arguments: &Arguments, guard: &'static Guard, summary: &mut Summary) -> Result<()> {
    let variant = Variant::Without(guard);
    let mut running = Running::new(arguments, variant, CAUGHT_WITHIN);
    let mut seeds = 0;
    let mut caught = Caught { guard: guard.name, seeds: None, invariant: None, repeat: None };
    while let Some(report) = running.next()? {
        seeds += 1;
        summary.seeds += 1;
        let Some(violation) = report.violation else { continue };
        let control = Variant::WorldOf(guard);
        let with = self::report(report.seed, piped(report.seed, control)?)?;
        if with.violation.is_some() {
            summary.add(with, control);
            continue;
        }
        let repeat = repeat(report.seed, variant);
        say(&format!(
            "{:<28}noticed after {seeds} seeds by {}: {repeat}",
            guard.name, violation.invariant
        ));
        caught.seeds = Some(seeds);
        (caught.invariant, caught.repeat) = (Some(violation.invariant), Some(repeat));
        break;
    }
    running.stop();
    if caught.seeds.is_none() {
        say(&format!("{:<28}NOT NOTICED in {seeds} seeds", guard.name));
    }
    summary.guards.push(caught);
    Ok(())
}

/// Removes these guards, one after the other.
fn without(
    arguments: &Arguments,
    guards: impl IntoIterator<Item = &'static Guard>,
) -> Result<bool> {
    let began = now();
    let mut summary = Summary::new(arguments);
    for guard in guards {
        catch(arguments, guard, &mut summary)?;
    }
    summary.seconds = (now() - began).as_secs_f64();
    summary.print(arguments)?;
    let caught = summary.guards.iter().all(|caught| caught.seeds.is_some());
    Ok(caught && summary.violations.is_empty())
}

impl Summary {
    fn new(arguments: &Arguments) -> Self {
        Self {
            seeds: 0,
            first_seed: arguments.first_seed,
            passed: 0,
            seconds: 0.0,
            simulated_seconds: 0.0,
            calls: 0,
            rows: 0,
            refused: 0,
            violations: Vec::new(),
            guards: Vec::new(),
        }
    }

    fn add(&mut self, report: Report, variant: Variant) {
        self.seeds += 1;
        self.simulated_seconds += report.simulated_ms as f64 / 1e3;
        self.calls += report.calls;
        self.rows += report.rows;
        self.refused += report.refused;
        let Some(violation) = report.violation else {
            self.passed += 1;
            return;
        };
        let (seed, repeat) = (report.seed, repeat(report.seed, variant));
        say(&format!("seed {seed} violates {}: {}", violation.invariant, violation.message));
        say(&format!("  repeat it with: {repeat}"));
        self.violations.push(Found { seed, violation, repeat });
    }

    fn print(&self, arguments: &Arguments) -> Result<()> {
        if arguments.json {
            say(&serde_json::to_string(self).context("write the summary")?);
        }
        Ok(())
    }
}
