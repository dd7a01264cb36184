//! A large state of which little changes between checkpoints: what each checkpoint writes, what a restore reads and how
//! long it takes, what is left over. All of it is measured from outside, by looking at the checkpoint directory
//! ([`observer`]); what only the process can know is taken from its statistics, where it tells.

mod observer;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::interrupt::Interrupt;
use crate::tidegate::running::{Running, Watched};
use crate::tidegate::stats::Stats;
use observer::Observer;
pub(crate) use report::Report;
use report::{Found, Restored};

/// Metric of the size of the state in memory, at the last checkpoint.
const STATE_BYTES: &str = "tidegate_operator_state_bytes";

/// Between two looks at the checkpoint directory.
const LOOK: Duration = Duration::from_millis(20);

/// How much longer than planned the run may take.
const PATIENCE: u32 = 5;

/// How long a restore, or a stop with a savepoint, may take.
const LIMIT: Duration = Duration::from_secs(600);

/// One run.
pub(crate) struct Bench<'a> {
    /// The binary.
    pub(crate) program: &'a Path,
    /// Script, outputs and checkpoints.
    pub(crate) folder: &'a Path,
    /// Keys in the state.
    pub(crate) keys: u64,
    /// Share of them that changes between two checkpoints.
    pub(crate) touched: f64,
    /// Checkpoints that are measured.
    pub(crate) checkpoints: u64,
    /// Time between them.
    pub(crate) interval_ms: u64,
    /// Subtasks per operator.
    pub(crate) parallelism: u32,
    /// Ctrl-C ends it.
    pub(crate) interrupt: &'a Interrupt,
}

impl Bench<'_> {
    /// Fills the state, measures checkpoints, kills the process, restores, stops with a savepoint.
    pub(crate) fn run(&self) -> Result<Found> {
        let script = self.folder.join("state.sql");
        fs::write(&script, self.script()).with_context(|| format!("write {}", script.display()))?;
        let mut observer = Observer::new(self.checkpoint_dir());
        let mut first = self.start("first", false)?;
        self.fill(&mut first, &mut observer)?;
        let begin = Instant::now();
        observer.measure();
        self.watch(&mut first, &mut observer, self.checkpoints, "measured")?;
        let seconds = begin.elapsed().as_secs_f64();
        let state_bytes = first.metric(STATE_BYTES);
        first.kill()?;
        observer.look()?;
        let measured = observer.measured();
        let at_kill = observer.left_over()?;
        let restored = self.restore()?;
        observer.look()?;
        Ok(Found {
            keys: self.keys,
            touched: self.touched,
            interval_ms: self.interval_ms,
            parallelism: self.parallelism,
            rows_per_second: self.rows_per_second(),
            seconds,
            state_bytes,
            measured,
            left_over_at_kill: at_kill,
            left_over_at_end: observer.left_over()?,
            restored,
        })
    }

    fn checkpoint_dir(&self) -> PathBuf {
        self.folder.join("checkpoints")
    }

    /// So many rows touch the share of the keys between two checkpoints; the filling goes at the same pace.
    fn rows_per_second(&self) -> u64 {
        let rows = self.keys as f64 * self.touched * 1_000.0 / self.interval_ms as f64;
        (rows as u64).max(1)
    }

    /// Row by row a new key, and from then on any of them; one window of a day, which never ends.
    fn script(&self) -> String {
        let (keys, rate) = (self.keys, self.rows_per_second());
        format!(
            "SET 'pipeline.name' = 'state';
CREATE TABLE touches (
  n BIGINT,
  r BIGINT,
  k AS CASE WHEN n <= {keys} THEN n ELSE r END,
  ts AS TO_TIMESTAMP_LTZ(n / 1000000, 3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND
) WITH (
  'connector' = 'datagen',
  'rows-per-second' = '{rate}',
  'fields.n.kind' = 'sequence',
  'fields.n.start' = '1',
  'fields.n.end' = '1000000000000',
  'fields.r.min' = '1',
  'fields.r.max' = '{keys}'
);
CREATE TABLE sums (ws TIMESTAMP_LTZ(3), k BIGINT, c BIGINT, s BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO sums
SELECT window_start, k, COUNT(*), SUM(r)
FROM TABLE(TUMBLE(TABLE touches, DESCRIPTOR(ts), INTERVAL '1' DAY))
GROUP BY window_start, window_end, k;
"
        )
    }

    fn start(&self, name: &str, restore: bool) -> Result<Running> {
        let mut command = Command::new(self.program);
        command.arg("run").arg(self.folder.join("state.sql"));
        command.arg("--parallelism").arg(self.parallelism.to_string());
        command.arg("--checkpoint-dir").arg(self.checkpoint_dir());
        if restore {
            command.arg("--restore").arg(self.checkpoint_dir());
        }
        let interval = format!("execution.checkpointing.interval={} ms", self.interval_ms);
        command.args(["--set", &interval, "--set", "restart-strategy.type=none"]);
        command.args(["--stats", "json"]).env("XDG_STATE_HOME", self.folder);
        let path = |extension: &str| self.folder.join(format!("{name}.{extension}"));
        Running::start(&mut command, &path("out"), &path("err"))
    }

    /// Until every key is there, by the time that the generator's pace takes and the checkpoints that show it.
    fn fill(&self, process: &mut Running, observer: &mut Observer) -> Result<()> {
        let checkpoints = (1.0 / self.touched).ceil() as u64 + 2;
        let seconds = self.keys as f64 / self.rows_per_second() as f64;
        eprintln!("filling {} keys, which takes {seconds:.0} s", self.keys);
        let begin = Instant::now();
        self.watch(process, observer, checkpoints, "filled")?;
        let limit = Duration::from_secs_f64(seconds * f64::from(PATIENCE) + 60.0);
        while process.metric("tidegate_operator_records_in_total").unwrap_or(0) < self.keys {
            if begin.elapsed() > limit {
                bail!("the state was not filled within {} s", limit.as_secs());
            }
            self.watch(process, observer, 1, "filled")?;
        }
        eprintln!("filled in {:.1} s", begin.elapsed().as_secs_f64());
        Ok(())
    }

    /// Looks at the directory until so many more checkpoints are there.
    fn watch(
        &self,
        process: &mut Running,
        observer: &mut Observer,
        checkpoints: u64,
        what: &str,
    ) -> Result<()> {
        let goal = observer.checkpoints() + checkpoints;
        let limit = Duration::from_millis(self.interval_ms * checkpoints) * PATIENCE
            + Duration::from_secs(60);
        let begin = Instant::now();
        while observer.checkpoints() < goal {
            if self.interrupt.raised() {
                bail!("interrupted");
            }
            if let Some(status) = process.ended()? {
                bail!("tidegate ended by itself with {status}: {}", process.last_words());
            }
            if begin.elapsed() > limit {
                let done = checkpoints - (goal - observer.checkpoints());
                bail!(
                    "{done} of {checkpoints} checkpoints were {what} within {} s",
                    limit.as_secs()
                );
            }
            observer.look()?;
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// A new process from the newest checkpoint; then it stops with a savepoint, which has the live state alone.
    fn restore(&self) -> Result<Restored> {
        eprintln!("restoring");
        let mut process = self.start("second", true)?;
        let begin = Instant::now();
        self.completed(&mut process, 1)?;
        let first_checkpoint_seconds = begin.elapsed().as_secs_f64();
        self.completed(&mut process, (self.checkpoints / 4).max(3))?;
        process.signal("INT")?;
        let Watched::Ended(status) = process.watch(LIMIT, |_| false)? else {
            bail!("the restored process did not stop within {} s", LIMIT.as_secs());
        };
        if !status.success() {
            bail!("the restored process stopped with {status}: {}", process.last_words());
        }
        let output = fs::read_to_string(&process.out).context("read its output")?;
        let stats = output.lines().last().and_then(Stats::parse);
        let savepoint_bytes = observer::savepoint_bytes(&self.checkpoint_dir())?;
        let stats = stats.context("tidegate printed no statistics")?;
        Ok(Restored { first_checkpoint_seconds, savepoint_bytes, stats: stats.into() })
    }

    /// Waits until the restored process has completed so many checkpoints.
    fn completed(&self, process: &mut Running, checkpoints: u64) -> Result<()> {
        let limit = LIMIT + Duration::from_millis(self.interval_ms * checkpoints) * PATIENCE;
        let watched = process.watch(limit, |process| {
            process.checkpoints >= checkpoints || self.interrupt.raised()
        })?;
        if self.interrupt.raised() {
            bail!("interrupted");
        }
        match watched {
            Watched::Reached => Ok(()),
            Watched::Ended(status) => {
                bail!("the restored process ended with {status}: {}", process.last_words())
            }
            Watched::TimeUp => {
                bail!("no {checkpoints} checkpoints within {} s of the restore", limit.as_secs())
            }
        }
    }
}
