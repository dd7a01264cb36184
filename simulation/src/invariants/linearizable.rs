//! Calls take effect between their beginning and their end: one that begins after another has ended sees it.
//!
//! Every change has a revision, and a read answers the revision that it saw, so the order of the calls is known; what is
//! left to check is that it agrees with time. Calls without an answer may have taken effect at any time, or not.

use super::{Invariant, Verdict};
use crate::history::{Answered, Asked, Call};

pub(super) struct Linearizable;

impl Invariant for Linearizable {
    fn name(&self) -> &'static str {
        "linearizable"
    }

    fn on_call(&mut self, call: &Call) -> Verdict {
        let Some((_, Answered::At(revision))) = &call.ended else { return Ok(()) };
        let least = match call.asked {
            Asked::Revision => call.floor,
            Asked::Create(_) | Asked::Lead(..) => call.floor + 1,
        };
        if *revision >= least {
            return Ok(());
        }
        Err(format!(
            "{:?} was answered with revision {revision}; when it began (call {}), revision {} had been answered",
            call.asked, call.began, call.floor
        ))
    }
}
