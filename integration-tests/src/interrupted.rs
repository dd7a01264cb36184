//! A job on files that come bit by bit, stopped or killed on the way and restored at other
//! parallelisms, until all has been read and its inputs end.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::checkpoints::{manifests, wait_for};
use crate::clock::{pause, wait_until};
use crate::folder::CaseFolder;
use crate::tidegate::{Process, Run};

/// How long reading everything may take.
const READING: Duration = Duration::from_secs(60);

/// How a process ends before the input does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// With a savepoint, from which the next one goes on.
    Savepoint,
    /// Killed; the next one goes on from the newest checkpoint.
    Kill,
}

/// What happens on the way.
#[derive(Debug, Clone)]
pub struct Course {
    /// The ends of processes before the one that reads the rest. Of the files each gets its share.
    pub stops: Vec<Stop>,
    /// Whether files come while the job runs even if nothing stops it.
    pub unbounded: bool,
    /// Parallelism of the processes, in turn.
    pub parallelism: [usize; 2],
    /// From a completed checkpoint to the stop.
    pub pause: Duration,
    /// From one file of each source to the next.
    pub wave: Duration,
    /// `execution.checkpointing.interval`.
    pub interval: &'static str,
}

/// Files of a table, which are put into `in/<name>/` of the case's folder.
#[derive(Debug)]
pub struct Source {
    /// The table.
    pub name: String,
    /// Content of the files.
    pub files: Vec<String>,
}

/// The job.
pub struct Job<'a> {
    /// Its folder, `${DIR}` in the script.
    pub folder: &'a CaseFolder,
    /// The script; its sources wait for more files and never end if asked for.
    pub script: &'a dyn Fn(bool) -> String,
    /// Its inputs.
    pub sources: Vec<Source>,
    /// Whether all that the inputs hold has come through.
    pub all_seen: &'a dyn Fn() -> Result<bool>,
}

/// Stops a job as Ctrl-C does; its savepoint.
fn stop(process: Process) -> Result<String> {
    process.interrupt()?;
    process.wait()?.success()?.savepoint()
}

impl Job<'_> {
    /// Runs it to the end.
    ///
    /// # Errors
    /// If a process fails, or does not get on.
    pub fn run(&self, course: &Course) -> Result<()> {
        let parallelism = |nth: usize| course.parallelism[nth % 2];
        if course.stops.is_empty() && !course.unbounded {
            self.put_files(0, 1, Duration::ZERO)?;
            return self.process("run", false, parallelism(0))?.finish()?.success().map(drop);
        }
        let checkpoints = self.folder.join("checkpoints");
        let place = checkpoints.display().to_string();
        let parts = course.stops.len() + 1;
        let mut restore: Option<String> = None;
        let start = |nth: usize, restore: Option<&str>| -> Result<Process> {
            let run = self.process(&format!("part{nth}"), true, parallelism(nth))?;
            run.checkpoints(&place, course.interval).restore(restore).start()
        };
        for (nth, end) in course.stops.iter().enumerate() {
            let before = manifests(&checkpoints)?;
            let mut process = start(nth, restore.as_deref())?;
            self.put_files(nth, parts, course.wave)?;
            wait_for(&mut process, &checkpoints, &before, 1)?;
            pause(course.pause);
            restore = Some(match end {
                Stop::Savepoint => stop(process)?,
                Stop::Kill => {
                    ensure!(process.kill()?, "an unbounded job ended by itself");
                    place.clone()
                }
            });
        }
        let mut process = start(parts - 1, restore.as_deref())?;
        self.put_files(parts - 1, parts, course.wave)?;
        wait_until("all rows", READING, || {
            process.must_run()?;
            (self.all_seen)()
        })?;
        // A bounded source reads what the savepoint knows of, and its end is the end of all windows.
        let savepoint = stop(process)?;
        let last = self.process("last", false, parallelism(parts))?.restore(Some(&savepoint));
        last.finish()?.success().map(drop)
    }

    fn process(&self, name: &str, monitor: bool, parallelism: usize) -> Result<Run> {
        let run = Run::new(self.folder.path(), name, &(self.script)(monitor))?;
        Ok(run.define("DIR", &self.folder.text()).parallelism(parallelism))
    }

    /// Puts a part of the files of each source where they are read, one of each after the other.
    fn put_files(&self, part: usize, parts: usize, wave: Duration) -> Result<()> {
        let most = self.sources.iter().map(|source| source.files.len()).max().unwrap_or(0);
        for index in 0..most {
            let mut put = false;
            for source in &self.sources {
                let folder = self.folder.join(&format!("in/{}", source.name));
                std::fs::create_dir_all(&folder)?;
                let wanted = (part * source.files.len()).div_ceil(parts)
                    ..((part + 1) * source.files.len()).div_ceil(parts);
                if let Some(text) = source.files.get(index).filter(|_| wanted.contains(&index)) {
                    // A running job must not see half of a file.
                    let hidden = folder.join(format!(".{index}"));
                    std::fs::write(&hidden, text)?;
                    std::fs::rename(hidden, folder.join(format!("{index}.json")))?;
                    put = true;
                }
            }
            if put && !wave.is_zero() {
                pause(wave);
            }
        }
        Ok(())
    }
}
