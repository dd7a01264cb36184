//! The last run: without faults, until everything has come out.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::report::Tally;
use super::round::{BOUND, Stage};
use super::subject::{From, Start};
use crate::tidegate::running::{Running, Watched};

/// Checkpoints after everything has come out.
const SETTLING: u64 = 2;

/// How long it may bring nothing before it is given up.
const STALLED: Duration = Duration::from_secs(45);

impl Stage<'_> {
    /// Runs without faults until everything has come out, and then stops with a savepoint.
    pub(super) fn last(&self, parallelism: u32, tally: &mut Tally) -> Result<()> {
        let first = !tally.count_start();
        let mut process = self.subject.start(&Start {
            name: "last",
            parallelism,
            endpoint: self.store,
            restore: if first { From::Nothing } else { From::Directory },
            failpoint: None,
            idle_timeout: false,
            savepoints: None,
        })?;
        let watched = self.until_all(&mut process)?;
        if let Watched::Ended(status) = watched {
            let words = process.last_words();
            tally.offence(format!("the last run ended by itself with {status}: {words}"));
            return Ok(());
        }
        if matches!(watched, Watched::TimeUp) {
            let seconds = STALLED.as_secs();
            tally.offence(format!(
                "not everything has come out, and the last run has brought nothing for {seconds} s"
            ));
        }
        // What comes twice may come behind what was waited for.
        let settled = process.checkpoints + SETTLING;
        process.watch(BOUND, |p| p.checkpoints >= settled)?;
        self.stop("the last run", process, tally)?;
        Ok(())
    }

    /// Watches until everything has come out or nothing comes any more.
    fn until_all(&self, process: &mut Running) -> Result<Watched> {
        let mut count = 0;
        let mut stalled = Instant::now();
        loop {
            let all_there = || self.witness.judge().all_there();
            let watched = process.watch(Duration::from_secs(1), |_| all_there())?;
            if self.interrupt.raised() {
                bail!("interrupted");
            }
            if !matches!(watched, Watched::TimeUp) {
                return Ok(watched);
            }
            let now = self.witness.judge().passed_on();
            if now != count {
                (count, stalled) = (now, Instant::now());
            } else if stalled.elapsed() > STALLED {
                return Ok(Watched::TimeUp);
            }
        }
    }
}
