//! When results of group windows are sent besides at the window's end: the settings `table.exec.emit.*`,
//! with Flink's conditions on them.

use tidegate_plan::window::{WindowEmit, WindowShape};
use tidegate_types::{Error, ErrorCode, Result};

use super::Lowering;

const EARLY: &str = "table.exec.emit.early-fire";
const LATE: &str = "table.exec.emit.late-fire";
const LATENESS: &str = "table.exec.emit.allow-lateness";

impl Lowering<'_> {
    /// What the settings say about an aggregate over windows of a shape: group windows (`grouping`) or those of
    /// functions, of event time or processing time.
    ///
    /// # Errors
    /// `UNSUPPORTED` for windows that take no such settings, `INVALID_OPTION` where they do not fit
    /// each other.
    pub(super) fn emit(
        &self,
        shape: &WindowShape,
        grouping: bool,
        event: bool,
    ) -> Result<Option<WindowEmit>> {
        let enabled = |name: &str| self.settings.boolean(&format!("{name}.enabled"));
        if !enabled(EARLY) && !enabled(LATE) {
            return Ok(None);
        }
        if !grouping {
            return Err(Error::unsupported(format!(
                "'{EARLY}.enabled' and '{LATE}.enabled' are for group windows, not for window table functions"
            ))
            .help("write GROUP BY TUMBLE(ts, INTERVAL '…'), or reset the settings before this statement"));
        }
        if matches!(shape, WindowShape::Session { .. }) {
            return Err(Error::unsupported(format!(
                "'{EARLY}.enabled' and '{LATE}.enabled' are for TUMBLE and HOP, not for SESSION"
            ))
            .help("reset the settings before this statement"));
        }
        let early_ms = if enabled(EARLY) { Some(self.delay(EARLY)?) } else { None };
        if !enabled(LATE) || !event {
            // A window of processing time is never late.
            let emit = WindowEmit { early_ms, late_ms: None, lateness_ms: 0 };
            return Ok(early_ms.map(|_| emit));
        }
        let late_ms = self.delay(LATE)?;
        let lateness_ms = self.lateness()?;
        if lateness_ms < late_ms {
            let message = format!(
                "'{LATENESS}' is {lateness_ms} ms, less than '{LATE}.delay', {late_ms} ms: late rows would be forgotten before they are sent"
            );
            return Err(invalid(message).help("raise the one or lower the other"));
        }
        Ok(Some(WindowEmit { early_ms, late_ms: Some(late_ms), lateness_ms }))
    }

    fn delay(&self, name: &str) -> Result<u64> {
        let key = format!("{name}.delay");
        let delay = self.settings.duration(&key);
        delay.map(|delay| delay.as_millis() as u64).ok_or_else(|| {
            invalid(format!("'{name}.enabled' needs '{key}'"))
                .help(format!("SET '{key}' = '0 ms' sends results with every row"))
        })
    }

    /// The allowed lateness; without a setting of its own the state's time to live.
    fn lateness(&self) -> Result<u64> {
        let set = self.settings.duration(LATENESS);
        let ttl = self.settings.duration("table.exec.state.ttl").filter(|ttl| !ttl.is_zero());
        let lateness = set.or(ttl).map(|lateness| lateness.as_millis() as u64);
        lateness.ok_or_else(|| {
            invalid(format!(
                "'{LATE}.enabled' needs '{LATENESS}': how long after its end a window takes late rows"
            ))
            .help(format!("SET '{LATENESS}' = '1 min', or set 'table.exec.state.ttl'"))
        })
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorCode::InvalidOption, message)
}
