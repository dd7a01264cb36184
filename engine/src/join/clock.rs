//! When rows of a join happened, and until when they are kept.
//!
//! A row of a regular join has an *expiry* `e`, computed by an expression of the plan: every row of the other side that
//! can be its partner happened at or before `e`. A row that is not late happens after the watermark. So once the
//! watermark has reached `e`, no row that is not late can be a partner of the row any more, and the row is forgotten:
//! what would be found among forgotten rows would be found for late rows only. That holds for changes that take rows
//! back as well, as they carry the time of the row; the planner sets an expiry only where they come in time too.
//!
//! The interval of an interval join gives both sides such an expiry: `left - lower` for the left, `right + upper` for the
//! right.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMillisecondType};
use tidegate_functions::eval::{EvalContext, Evaluator};
use tidegate_types::{Error, Result};

/// The time of a row that has none: it has no partner, and is not kept.
pub(super) const NO_TIME: i64 = i64::MIN;

/// Where times come from.
pub(super) enum RowClock {
    /// Per side when a row can be forgotten, if it ever can.
    Expiry([Option<Box<Evaluator>>; 2]),
    /// A left row is needed until its time; when a version is not needed, other versions say.
    Version {
        /// Column of each side.
        columns: [usize; 2],
    },
    /// `right + lower <= left <= right + upper`, by columns of what is kept.
    Interval {
        /// Bounds, ms.
        bounds: (i64, i64),
        /// Column of each side.
        columns: [usize; 2],
    },
}

impl RowClock {
    /// Bounds of the interval of an interval join, whose rows without a partner wait for its end.
    #[inline]
    pub(super) fn interval(&self) -> Option<(i64, i64)> {
        match self {
            Self::Expiry(_) | Self::Version { .. } => None,
            Self::Interval { bounds, .. } => Some(*bounds),
        }
    }

    /// When rows of a side happened, and when they can be forgotten; empty where that is not known.
    ///
    /// # Errors
    /// What the expression fails with.
    pub(super) fn times(
        &self,
        side: usize,
        rows: &RecordBatch,
        now_ms: i64,
    ) -> Result<(Vec<i64>, Vec<i64>)> {
        match self {
            Self::Expiry(expiry) => {
                let Some(expiry) = &expiry[side] else { return Ok((Vec::new(), Vec::new())) };
                let context = EvalContext::at(now_ms);
                Ok((Vec::new(), values(&expiry.evaluate(rows, &context)?)?))
            }
            Self::Version { columns } => {
                let times = values(rows.column(columns[side]))?;
                let expiry = if side == 0 { times.clone() } else { Vec::new() };
                Ok((times, expiry))
            }
            Self::Interval { bounds, columns } => {
                let times = values(rows.column(columns[side]))?;
                let end = |time: &i64| match *time {
                    NO_TIME => NO_TIME,
                    time => partner_times(side, time, *bounds).1,
                };
                let ends = times.iter().map(end).collect();
                Ok((times, ends))
            }
        }
    }
}

/// Values of a time column in ms.
fn values(column: &ArrayRef) -> Result<Vec<i64>> {
    let values = match column.as_primitive_opt::<TimestampMillisecondType>() {
        Some(times) => times.values(),
        None => column
            .as_primitive_opt::<Int64Type>()
            .ok_or_else(|| Error::internal("a time that is no TIMESTAMP of precision 0 to 3"))?
            .values(),
    };
    let Some(nulls) = column.nulls().filter(|nulls| nulls.null_count() > 0) else {
        return Ok(values.to_vec());
    };
    let valid = values.iter().zip(nulls.iter());
    Ok(valid.map(|(value, valid)| if valid { *value } else { NO_TIME }).collect())
}

/// Times between which partners of a row of a side at a time have happened.
#[inline]
pub(super) fn partner_times(side: usize, time: i64, (lower, upper): (i64, i64)) -> (i64, i64) {
    match side {
        0 => (time.saturating_sub(upper), time.saturating_sub(lower)),
        _ => (time.saturating_add(lower), time.saturating_add(upper)),
    }
}
