//! `CURRENT_WATERMARK` is computed by operators that see the watermark of their rows: projections and
//! filters. Anywhere else it is refused.

use tidegate_functions::CURRENT_WATERMARK;
use tidegate_plan::Expr;
use tidegate_types::{Error, ErrorCode, Result};

use crate::algebra::{RelOp, Relation};

/// Whether a part of the expression reads the watermark.
pub(super) fn reads_watermark(expr: &Expr) -> bool {
    let mut reads = false;
    expr.walk(&mut |part| {
        reads |= matches!(part, Expr::Call { function, .. } if function.name == CURRENT_WATERMARK);
    });
    reads
}

/// Refuses `CURRENT_WATERMARK` where no watermark is seen.
///
/// # Errors
/// `UNSUPPORTED` naming the place.
pub(super) fn check(relation: &Relation) -> Result<()> {
    let (place, exprs) = match &relation.op {
        RelOp::Project { .. } | RelOp::Filter { .. } => ("", Vec::new()),
        RelOp::Match { pattern, .. } => {
            let conditions = pattern.variables.iter().filter_map(|v| v.condition.as_ref());
            let columns = pattern.computed.iter().chain(&pattern.measures);
            ("MATCH_RECOGNIZE", conditions.chain(columns.map(|named| &named.expr)).collect())
        }
        RelOp::Join { .. } => ("the condition of a join", relation.exprs()),
        RelOp::Unnest { .. } => ("UNNEST", relation.exprs()),
        _ => ("this place", relation.exprs()),
    };
    if exprs.into_iter().any(reads_watermark) {
        return Err(Error::new(
            ErrorCode::Unsupported,
            format!("CURRENT_WATERMARK is not known in {place}"),
        )
        .help("select it as a column of a subquery, or test it in a WHERE of its own"));
    }
    relation.inputs().into_iter().try_for_each(check)
}
