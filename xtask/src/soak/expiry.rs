//! Rounds in which the markers of visible output are gone: nobody can tell what is visible then, so the job must not
//! start; with the markers back it goes on.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::plan::Round;
use super::report::Tally;
use super::round::{BOUND, Run, Stage};
use super::subject::MARKERS;
use crate::process;
use crate::tidegate::running::Watched;

const HEAP: &str = "128m";

/// Checkpoints after the markers are back.
const AFTER: u64 = 2;

impl Stage<'_> {
    /// Kills the job, deletes the markers, wants a start refused, and brings the markers back.
    pub(super) fn without_markers(
        &self,
        round: &Round,
        checkpoints: u64,
        delay_ms: u64,
        tally: &mut Tally,
    ) -> Result<()> {
        let mut before = self.start(round, Run::named("-before"), tally)?;
        if !self.runs(round, &mut before, checkpoints, tally)? {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(delay_ms));
        self.kill(round, before, tally)?;
        let mut expire = self.tools.program("Markers", HEAP)?;
        expire.args(["expire", &self.tools.address(), MARKERS]);
        let markers = process::run_quietly(&mut expire).context("delete the markers")?;
        ensure!(!markers.trim().is_empty(), "no markers were there");
        tally.markers_deleted += markers.lines().count() as u64;
        self.start_without(round, tally)?;
        self.bring_back(&markers)?;
        let after = self.start(round, Run::default(), tally)?;
        self.kill_after(round, after, AFTER, 0, tally)
    }

    fn start_without(&self, round: &Round, tally: &mut Tally) -> Result<()> {
        let mut process = self.start(round, Run::named("-without"), tally)?;
        let watched = process.watch(BOUND, |p| p.checkpoints > 0 || self.interrupt.raised())?;
        let words = process.last_words();
        process.kill()?;
        match watched {
            Watched::Ended(status)
                if !status.success() && words.contains("[CORRUPT]") && words.contains("marker") =>
            {
                tally.markers_missed += 1;
            }
            other => tally.offence(format!(
                "round {}: a start without markers was not refused ({other:?}): {words}",
                round.number
            )),
        }
        Ok(())
    }

    fn bring_back(&self, markers: &str) -> Result<()> {
        let mut command = self.tools.program("Markers", HEAP)?;
        command.args(["restore", &self.tools.address(), MARKERS]).stdin(Stdio::piped());
        let mut child = command.spawn().context("start the program that writes markers")?;
        let mut pipe = child.stdin.take().context("a piped input can be taken once")?;
        pipe.write_all(markers.as_bytes()).context("hand markers on")?;
        drop(pipe);
        let status = child.wait().context("wait for the markers")?;
        ensure!(status.success(), "writing the markers ended with {status}");
        Ok(())
    }
}
