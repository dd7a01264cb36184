//! A coordinator whose disk has failed stops.

use std::time::Duration;

use super::{Invariant, Verdict, View};

/// How long it may take.
const SOON: Duration = Duration::from_secs(2);

pub(super) struct Stops;

impl Invariant for Stops {
    fn name(&self) -> &'static str {
        "stops"
    }

    fn on_look(&mut self, view: &View<'_>) -> Verdict {
        let goes_on = view.failed_disks.iter().find(|failed| {
            let same = |live: &&super::Live| live.process == failed.process;
            view.now > failed.since + SOON && view.live.iter().any(|live| same(&live))
        });
        match goes_on {
            None => Ok(()),
            Some(failed) => Err(format!(
                "host {} goes on although its disk failed at {:.3} s",
                failed.host,
                failed.since.as_secs_f64()
            )),
        }
    }
}
