//! Running the steps of a script.

use std::io::Write;
use std::sync::{Arc, Mutex};

use futures::future::join_all;
use tidegate_checkpoint::Directory;
use tidegate_connectors::{ConnectorEnv, PrintTarget};
use tidegate_functions::Zone;
use tidegate_job_control::driver::progress::Progress;
use tidegate_job_control::{Outcome, Request};
use tidegate_plan::settings::Settings;
use tidegate_planner::{Rows, analyzed};
use tidegate_runtime::telemetry::metrics;
use tidegate_runtime::{Clock, SystemClock, Task, spawn};
use tidegate_types::{Error, ErrorCode, Result};
use tidegate_worker::RunMetrics;
use tokio::sync::{mpsc, watch};

use super::script::{NamedJob, Script, Step};
use super::{live, prometheus, stats};
use crate::args::Run;
use crate::embedded::{Embedded, JobReport, JobSpec, Watched};
use crate::output::{Connectors, Printer, print_rows};
use crate::signals::told_to_end;

/// Runs a script; true if all of it ended well.
///
/// # Errors
/// What keeps it from starting. A job that fails is reported on standard error.
pub(crate) fn run(arguments: &Run, script: Script) -> Result<bool> {
    let control = runtime("control", 2)?;
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let data = runtime("data", cores)?;
    let clock = SystemClock::shared();
    let started = clock.elapsed();
    let mut session = Running {
        arguments,
        clock: clock.clone(),
        data: data.handle().clone(),
        stdout: Arc::new(Mutex::new(Box::new(std::io::stdout()))),
        jobs: Vec::new(),
        stops: Arc::default(),
        reports: Vec::new(),
        all_well: true,
    };
    let result = control.block_on(session.steps(script));
    let Running { reports, all_well, stdout, .. } = session;
    data.shutdown_background();
    result?;
    if arguments.stats.is_some() {
        let wall = (clock.elapsed() - started).as_secs_f64();
        let line = stats::json(&reports, wall);
        let mut out = stdout.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        writeln!(out, "{line}").and_then(|()| out.flush()).map_err(stdout_error)?;
    }
    Ok(all_well)
}

/// Threads for tasks.
///
/// # Errors
/// `RESOURCE_EXHAUSTED` if there can be no more.
pub(crate) fn runtime(name: &str, threads: usize) -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(name)
        .enable_all()
        .build()
        .map_err(|error| {
            Error::new(ErrorCode::ResourceExhausted, format!("start threads: {error}"))
        })
}

/// The error of a standard output that cannot be written.
pub(crate) fn stdout_error(error: std::io::Error) -> Error {
    Error::new(ErrorCode::Unavailable, format!("write to standard output: {error}"))
}

type Finished = (String, Result<(Outcome, JobReport)>);
/// Where to ask each running job to stop.
type Stops = Arc<Mutex<Vec<mpsc::Sender<Request>>>>;

struct Running<'a> {
    arguments: &'a Run,
    clock: Arc<dyn Clock>,
    data: tokio::runtime::Handle,
    stdout: PrintTarget,
    jobs: Vec<Task<Finished>>,
    stops: Stops,
    reports: Vec<JobReport>,
    all_well: bool,
}

impl Running<'_> {
    async fn steps(&mut self, script: Script) -> Result<()> {
        let _signals = spawn("signals", on_signals(self.stops.clone()));
        let board = live::Board::new(self.clock.clone());
        let _live = self.arguments.live.then(|| spawn("live view", board.clone().run()));
        let _metrics = match self.arguments.metrics_listen {
            Some(address) => {
                let source = Arc::new(prometheus::OfBoard(board.clone()));
                Some(metrics::serve(address, source).await?)
            }
            None => None,
        };
        for step in script.steps {
            match step {
                Step::Print(rows) => print_rows(&self.stdout, &rows, self.arguments.format)?,
                Step::Insert(job) => {
                    let wait = job.plan.settings.boolean("table.dml-sync");
                    let running = self.start(job, None, &board)?;
                    self.jobs.push(running);
                    if wait {
                        self.finish_all().await;
                        if !self.all_well {
                            return Ok(());
                        }
                    }
                }
                Step::Analyze(job) => {
                    let graph = job.plan.graph.clone();
                    let finished = self.start(job, None, &board)?.await?;
                    if let Ok((_, report)) = &finished.1 {
                        let text = analyzed(&graph, &report.done());
                        let rows =
                            Rows { columns: vec!["result".to_owned()], rows: vec![vec![text]] };
                        print_rows(&self.stdout, &rows, self.arguments.format)?;
                    }
                    self.take(finished);
                }
                Step::Select(job) => {
                    let schema = job.plan.query.clone().unwrap_or_default();
                    let settings = job.plan.graph.settings.clone();
                    let format = self.arguments.format;
                    let changing = job.plan.is_changing();
                    let printer =
                        Printer::start(schema, changing, &settings, format, self.stdout.clone())?;
                    let running = self.start(job, Some(&printer), &board)?;
                    let finished = running.await?;
                    let ended_well =
                        matches!(finished.1, Ok((Outcome::Finished | Outcome::Stopped(_), _)));
                    printer.finish(ended_well).await?;
                    self.take(finished);
                }
            }
        }
        self.finish_all().await;
        Ok(())
    }

    fn start(
        &self,
        job: NamedJob,
        printer: Option<&Printer>,
        board: &live::Board,
    ) -> Result<Task<Finished>> {
        let NamedJob { id, plan } = job;
        let clock = self.clock.clone();
        let env = ConnectorEnv {
            clock: {
                let clock = clock.clone();
                Arc::new(move || clock.now_ms())
            },
            monotonic: {
                let clock = clock.clone();
                Arc::new(move || clock.elapsed())
            },
            zone: Zone::parse(&plan.graph.settings.time_zone)?,
            stdout: self.stdout.clone(),
            stderr: Arc::new(Mutex::new(Box::new(std::io::stderr()))),
        };
        let connectors = Connectors::new(env, printer.map(Printer::sender));
        let embedded =
            Embedded { clock, connectors: Arc::new(connectors), runtime: self.data.clone() };
        let (progress, shown) = watch::channel(Progress::default());
        let (metrics, counters) = watch::channel(RunMetrics::default());
        board.add(id.to_string(), plan.graph.clone(), shown, counters);
        let (stop, requests) = mpsc::channel(4);
        self.stops.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(stop);
        let spec = JobSpec {
            parallelism: parallelism(&plan.settings),
            directory: directory(&plan.settings)?,
            savepoint_dir: plan
                .settings
                .get("execution.checkpointing.savepoint-dir")
                .map(Directory::open)
                .transpose()?,
            restore: self.arguments.restore.clone(),
            job: id.clone(),
            graph: plan.graph,
            settings: plan.settings,
        };
        Ok(spawn(format!("job {id}"), async move {
            (id.to_string(), embedded.run(spec, requests, Watched { progress, metrics }).await)
        }))
    }

    async fn finish_all(&mut self) {
        for finished in join_all(self.jobs.drain(..).collect::<Vec<_>>()).await {
            match finished {
                Ok(finished) => self.take(finished),
                Err(error) => {
                    eprintln!("error [{}]: {error}", error.code().as_str());
                    self.all_well = false;
                }
            }
        }
    }

    fn take(&mut self, (job, result): Finished) {
        match result {
            Ok((outcome, report)) => {
                self.reports.push(report);
                match outcome {
                    Outcome::Finished => {}
                    Outcome::Stopped(savepoint) => {
                        eprintln!("job {job} stopped with savepoint {}", savepoint.folder);
                        eprintln!("continue it with: --restore {}", savepoint.folder);
                    }
                    Outcome::Cancelled => {
                        eprintln!("job {job} was cancelled without a savepoint");
                        self.all_well = false;
                    }
                    // Nobody asks for that here.
                    Outcome::Left => self.all_well = false,
                    Outcome::Failed(code, message) => {
                        eprintln!("error [{}]: job {job}: {message}", code.as_str());
                        self.all_well = false;
                    }
                }
            }
            Err(error) => {
                eprintln!("error [{}]: job {job}: {error}", error.code().as_str());
                self.all_well = false;
            }
        }
    }
}

/// The first Ctrl-C (or SIGTERM) stops every job with a savepoint, the second ends them.
async fn on_signals(stops: Stops) {
    let mut asked = 0u32;
    loop {
        told_to_end().await;
        asked += 1;
        let request = if asked == 1 { Request::StopOrCancel } else { Request::Cancel };
        if asked == 1 {
            eprintln!("stopping with a savepoint; press Ctrl-C again to end at once");
        }
        for stop in stops.lock().unwrap_or_else(std::sync::PoisonError::into_inner).iter() {
            // A job that has ended needs no request; one with requests waiting has been asked.
            let _ = stop.try_send(request.clone());
        }
    }
}

fn parallelism(settings: &Settings) -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u32;
    settings.integer("parallelism.default").map_or(cores, |n| n as u32)
}

/// `execution.checkpointing.dir`, else a folder in the user's state directory.
fn directory(settings: &Settings) -> Result<Directory> {
    let named =
        settings.get("execution.checkpointing.dir").or(settings.get("state.checkpoints.dir"));
    if let Some(url) = named {
        return Directory::open(url);
    }
    let state = std::env::var("XDG_STATE_HOME").ok().filter(|path| !path.is_empty());
    let home = || std::env::var("HOME").ok().map(|home| format!("{home}/.local/state"));
    let base = state.or_else(home).unwrap_or_else(|| std::env::temp_dir().display().to_string());
    Directory::open(&format!("{base}/tidegate/checkpoints"))
}
