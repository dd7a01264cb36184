//! Aggregates over the rows before each row: `agg(…) OVER (PARTITION BY … ORDER BY … frame)`.
//!
//! | file | holds |
//! |---|---|
//! | `unbounded`, `bounded` | frames of all rows before; frames that rows leave, with the rows they still need |
//! | `frames` | running results of sequences of rows, by frame |
//! | `run` | which rows enter and leave a frame, and what is computed of them |
//! | `arrival` | rows that are final: in order of event time behind the watermark, or as they come |
//! | `sorted` | order by any columns: results of rows change when others come before them |
//! | `ordered` | the rows of each key in such an order, and the part of it that a batch changes |
//! | `differences` | changes between results before and after |

mod arrival;
mod bounded;
mod differences;
mod frames;
mod ordered;
mod run;
mod sorted;
mod unbounded;

use tidegate_plan::operator::{OverAggregate as Plan, OverOrder};
use tidegate_plan::{Node, PlanSettings};
use tidegate_types::{Error, Result};

use crate::operator::Operator;

/// The operator of a plan node.
///
/// # Errors
/// `UNSUPPORTED` for functions that need rows behind the current one, and types that cannot be keys or
/// ordered by.
pub fn operator(
    plan: &Plan,
    node: &Node,
    inputs: &[&Node],
    _settings: &PlanSettings,
) -> Result<Box<dyn Operator>> {
    Ok(match plan.order {
        OverOrder::Columns { .. } => Box::new(sorted::SortedOver::new(plan, node, inputs)?),
        OverOrder::Event { .. } | OverOrder::Processing => {
            Box::new(arrival::ArrivalOver::new(plan, node, inputs)?)
        }
    })
}

fn internal(error: arrow::error::ArrowError) -> Error {
    Error::internal(format!("OVER: {error}"))
}

#[cfg(test)]
mod tests;
