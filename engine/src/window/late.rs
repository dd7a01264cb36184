//! The rows that come too late for all of their windows, by the same rule as the aggregate that drops
//! them: both stand in one task behind the same exchange. Stateless.

use arrow::array::UInt32Array;
use tidegate_plan::operator::LateRows as Plan;
use tidegate_types::{MIN_WATERMARK, Result, Watermark};

use super::assign;
use super::slice::Slices;
use super::time::WindowZone;
use crate::element::Changes;
use crate::operator::{Operator, OperatorContext, Output};

/// Passes late rows on.
pub struct LateRows {
    column: usize,
    slices: Slices,
    zone: WindowZone,
    lateness: i64,
    watermark: Watermark,
}

impl LateRows {
    /// The operator of a plan node.
    ///
    /// # Errors
    /// `INTERNAL` for sessions, which have no end that a row's time tells.
    pub fn new(plan: &Plan, zone: WindowZone) -> Result<Self> {
        Ok(Self {
            column: plan.column,
            slices: Slices::new(&plan.shape)?,
            zone,
            lateness: i64::try_from(plan.lateness_ms).unwrap_or(i64::MAX),
            watermark: MIN_WATERMARK,
        })
    }

    /// Whether no window takes a row of this time any more, and there was one.
    fn is_late(&self, time: i64) -> bool {
        let slice = self.slices.slice_end(self.zone.to_local(time));
        let last = self.zone.completion(self.slices.last_window(slice));
        self.slices.is_covered(slice) && last.saturating_add(self.lateness) <= self.watermark
    }
}

impl Operator for LateRows {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        self.watermark = context.watermark;
        Ok(())
    }

    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        let times = assign::times(changes.rows.column(self.column), "the rowtime of a row")?;
        let late = (0u32..).zip(times).filter(|(_, time)| self.is_late(**time));
        let late: UInt32Array = late.map(|(row, _)| Some(row)).collect();
        if !late.is_empty() {
            out.emit(changes.take(&late)?);
        }
        Ok(())
    }

    fn watermark(&mut self, watermark: Watermark, _out: &mut Output) -> Result<()> {
        self.watermark = self.watermark.max(watermark);
        Ok(())
    }
}
