//! One row per key: the first or last by event time or arrival.
//!
//! The first by event time waits for the watermark ([`first`]); the others are known at once
//! ([`latest`]).

mod first;
mod latest;
#[cfg(test)]
mod tests;

use arrow::array::{Array, ArrayRef, Int64Array};
use tidegate_plan::operator::Deduplicate as Plan;
use tidegate_plan::{Node, PlanSettings};
use tidegate_types::{Error, ErrorCode, Result};

use crate::keys::native_values;
use crate::operator::Operator;

/// Name of the state table.
const TABLE: &str = "rows";

/// The operator of a plan node.
///
/// # Errors
/// `UNSUPPORTED` for types that cannot be keys, and over an input that updates or deletes rows.
pub fn deduplicate(
    plan: &Plan,
    node: &Node,
    inputs: &[&Node],
    _settings: &PlanSettings,
) -> Result<Box<dyn Operator>> {
    let [input] = inputs else {
        return Err(Error::internal("a deduplication has one input"));
    };
    if !input.changelog.is_append() {
        return Err(Error::unsupported(
            "deduplication by time over an input that updates or deletes rows",
        ));
    }
    Ok(match plan.time.filter(|_| !plan.keep_last) {
        Some(time) => Box::new(first::FirstByTime::new(plan, node, input, time)?),
        None => Box::new(latest::Latest::new(plan, node, input)?),
    })
}

/// The event times of rows.
fn times(column: &ArrayRef) -> Result<Int64Array> {
    let times = native_values(column)?;
    match times.null_count() {
        0 => Ok(times),
        _ => Err(Error::new(ErrorCode::Evaluation, "the event time of a row is NULL")
            .help("filter such rows out before: WHERE … IS NOT NULL")),
    }
}
