//! A whole soak of a cluster: services, hosts, processes, the rounds, the end of the input, the verdict.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::super::feed::Feed;
use super::super::input::{Input, PARTITIONS};
use super::super::judge::{Judge, Verdict};
use super::super::place::{self, Store};
use super::super::proxy::Proxy;
use super::super::proxy::faults::Rates;
use super::super::subject::{Guarantee, Subject};
use super::super::witness::Witness;
use super::calm::{BOUND, JOB, Stage};
use super::plan::{self, Deed, Fault, Round};
use super::report::{Report, Tally};
use super::round::announce;
use crate::cluster::hosts::Hosts;
use crate::cluster::nodes::{self, Cluster};
use crate::interrupt::Interrupt;
use crate::project::Project;
use crate::services::kafka_tools::Tools;

/// Workers of the cluster.
const WORKERS: u8 = 3;

/// Slots of each: without one worker there is room for every parallelism.
const SLOTS: u32 = 2;

/// How long the job may bring nothing at the end before it is given up.
const STALLED: Duration = Duration::from_secs(60);

/// What a caller asks for.
pub(crate) struct Settings {
    /// The binary, with failpoints.
    pub(crate) program: PathBuf,
    /// Rounds before the end.
    pub(crate) rounds: u32,
    /// Repeats rounds and records.
    pub(crate) seed: u64,
    /// Records at least.
    pub(crate) records: u64,
    /// Kinds of faults; all that fit if empty.
    pub(crate) faults: Vec<Fault>,
    /// How often the object store's faults come.
    pub(crate) store_faults: Rates,
    /// Time between checkpoints.
    pub(crate) interval_ms: u64,
    /// Whether rounds go on after an offence.
    pub(crate) keep_going: bool,
    /// Repeats it.
    pub(crate) command: String,
}

/// Soaks on services of its own.
pub(crate) fn run(project: &Project, settings: &Settings, interrupt: &Interrupt) -> Result<Report> {
    place::with_services(project, settings.seed, |home, folder| {
        let report = soak(home, settings, folder, interrupt)?;
        Ok((report.passed, report))
    })
}

fn soak(
    home: &Project,
    settings: &Settings,
    folder: &Path,
    interrupt: &Interrupt,
) -> Result<Report> {
    let tools = Tools::connect(home)?;
    let mut tally = Tally::default();
    let possible = Hosts::possible();
    let mut rounds = plan::rounds(settings.seed, settings.rounds, &settings.faults);
    if let Err(why) = &possible {
        let why = format!("{why:#}");
        for round in rounds.iter_mut().filter(|round| matches!(round.deed, Deed::Cut(..))) {
            tally.left_out.insert(round.deed.kind(), why.clone());
            round.deed = Deed::Kill { worker: true, leader: false };
        }
        eprintln!("no cuts of the network: {why}");
    }
    let input = Input::new(settings.seed, settings.records, &vec![None; rounds.len()]);
    let topics = ["in", "passed", "sums"].map(|name| format!("soak-{name}-{:x}", settings.seed));
    let [to, passed, sums] = topics.each_ref().map(String::as_str);
    tools.create_topics(&[to, passed, sums], PARTITIONS, &[])?;
    let store = Store::of(home)?;
    let proxy = Proxy::start(store.port, settings.seed, settings.store_faults)?;
    let checkpoints = format!("s3://{}/soak/{:x}", store.bucket, settings.seed);
    let subject = Subject {
        job: JOB.to_owned(),
        program: settings.program.clone(),
        folder: folder.to_owned(),
        bootstrap: tools.address(),
        topics: topics.clone(),
        checkpoints: checkpoints.clone(),
        interval_ms: settings.interval_ms,
        environment: Vec::new(),
        guarantee: Guarantee::ExactlyOnce,
        mutation: None,
    };
    let port = |address: &str| {
        let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        port.with_context(|| format!("{address} has no port"))
    };
    let mut environment = store.keys;
    environment.push(("TIDEGATE_S3_ENDPOINT".to_owned(), proxy.endpoint()));
    environment.push(("XDG_STATE_HOME".to_owned(), folder.display().to_string()));
    let witness = Witness::start(&tools, &[passed, sums], Judge::new(input.clone()))?;
    let feed = Feed::start(&tools, to, input.clone())?;
    let cluster = Cluster::start(nodes::Settings {
        program: settings.program.clone(),
        folder: folder.join("cluster"),
        workers: WORKERS,
        slots: SLOTS,
        checkpoints,
        environment,
        services: vec![port(&subject.bootstrap)?, port(&proxy.endpoint())?],
        hosts: possible.is_ok(),
    })?;
    let mut stage =
        Stage { home, cluster, feed: &feed, witness: &witness, proxy: &proxy, interrupt };
    submit(&stage, &subject)?;
    let start = Instant::now();
    let (done, offended) = carry_out(&mut stage, &rounds, settings, &mut tally)?;
    let complete = settings.keep_going || !offended;
    let mut open_transactions_seconds = None;
    if complete {
        eprintln!("── to the end of the input");
        feed.finish()?;
        end(&stage, &mut tally)?;
        open_transactions_seconds = Some(witness.finish()?);
    }
    let verdict: Verdict = {
        let judge = witness.judge();
        if complete { judge.finish() } else { judge.so_far() }
    };
    Ok(Report {
        passed: complete && tally.offences.is_empty() && verdict.offences().is_empty(),
        seed: settings.seed,
        rounds: done,
        hosts: possible.is_ok(),
        records: input.records(),
        store_faults: proxy.counts(),
        open_transactions_seconds,
        complete,
        tally,
        verdict,
        wall_seconds: start.elapsed().as_secs_f64(),
        command: settings.command.clone(),
    })
}

fn submit(stage: &Stage<'_>, subject: &Subject) -> Result<()> {
    let path = subject.folder.join("soak.sql");
    std::fs::write(&path, subject.script()).with_context(|| format!("write {}", path.display()))?;
    let path = path.display().to_string();
    let mut arguments: Vec<String> =
        ["job", "submit", &path, "--name", JOB, "--parallelism", "3"].map(str::to_owned).to_vec();
    for (key, value) in subject.settings() {
        arguments.extend(["--set".to_owned(), format!("{key}={value}")]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    stage.client().ask(&arguments).map(drop)
}

/// Carries the rounds out, until there is an offence unless asked otherwise; returns how many, and whether there was.
fn carry_out(
    stage: &mut Stage<'_>,
    rounds: &[Round],
    settings: &Settings,
    tally: &mut Tally,
) -> Result<(u32, bool)> {
    let (start, of) = (Instant::now(), settings.rounds);
    let mut offended = false;
    for round in rounds {
        if stage.interrupt.raised() {
            bail!("interrupted");
        }
        eprintln!("{}", announce(round, of));
        *tally.rounds_by_fault.entry(round.deed.kind()).or_default() += 1;
        stage.run(round, tally).with_context(|| format!("round {}", round.number))?;
        let (passed, wrong) = {
            let judge = stage.witness.judge();
            (judge.passed_on(), judge.offended())
        };
        let each = start.elapsed().as_secs_f64() / f64::from(round.number);
        let left = each * f64::from(of.saturating_sub(round.number)) / 60.0;
        eprintln!(
            "   {passed} records have come out; {each:.1} s a round, about {left:.0} min left"
        );
        if wrong || !tally.offences.is_empty() {
            offended = true;
            if !settings.keep_going {
                return Ok((round.number, true));
            }
        }
    }
    Ok((of, offended))
}

/// Waits until everything has come out, and stops the job with a savepoint.
fn end(stage: &Stage<'_>, tally: &mut Tally) -> Result<()> {
    let (mut count, mut stalled) = (0, Instant::now());
    while !stage.witness.judge().all_there() {
        stage.go_on()?;
        let now = stage.witness.judge().passed_on();
        if now != count {
            (count, stalled) = (now, Instant::now());
        }
        if stalled.elapsed() > STALLED {
            let run = stage.current()?.text;
            tally.offence(format!("nothing has come out for {} s: {run}", STALLED.as_secs()));
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    if let Err(error) = stage.client().ask(&["job", "stop", JOB, "--savepoint", "end"]) {
        tally.offence(format!("the job did not stop: {error:#}"));
    }
    let stopped =
        stage.client().until(BOUND, |client| client.run(JOB), |run| run.state == "STOPPED")?;
    if let Err(last) = stopped {
        tally.offence(format!("the job did not stop: {last}"));
    }
    Ok(())
}
