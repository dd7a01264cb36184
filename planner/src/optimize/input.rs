//! What every operator needs of its inputs, given what is needed of its output.

use tidegate_plan::Expr;

use super::need::{Need, add};
use crate::algebra::{Aggregate, AggregateWindow, RelOp, Relation, TvfTime};

/// What an operator needs of its inputs, given what is needed of its output.
pub(super) fn input_needs(relation: &Relation, needs: &[Need]) -> Vec<Need> {
    let below = |width: usize| vec![Need::No; width];
    match &relation.op {
        RelOp::Scan(_) | RelOp::Values(_) => Vec::new(),
        RelOp::Project { input, exprs } => {
            let mut result = below(input.schema.len());
            for (named, need) in exprs.iter().zip(needs).filter(|(_, need)| need.is_needed()) {
                add(&named.expr, need, &mut result);
            }
            result
        }
        RelOp::Filter { predicate, .. } => {
            let mut result = needs.to_vec();
            add(predicate, &Need::All, &mut result);
            result
        }
        RelOp::Union { .. } => needs.iter().map(Need::whole).collect(),
        RelOp::WindowTvf { input, tvf } => {
            let mut result = needs[..input.schema.len()].to_vec();
            if let TvfTime::Event(column) = tvf.time {
                result[column] = Need::All;
            }
            tvf.partition_keys.iter().for_each(|key| result[*key] = Need::All);
            result
        }
        RelOp::Aggregate { input, aggregate } => {
            let mut result = below(input.schema.len());
            aggregate_columns(aggregate, needs).for_each(|column| result[column] = Need::All);
            result
        }
        RelOp::Number { input, number } => {
            let mut result: Vec<Need> =
                needs[..input.schema.len()].iter().map(Need::whole).collect();
            number.partition.iter().for_each(|key| result[*key] = Need::All);
            number.order.iter().for_each(|key| result[key.column] = Need::All);
            result
        }
        RelOp::Rank { input, rank } => {
            let mut result: Vec<Need> =
                needs[..input.schema.len()].iter().map(Need::whole).collect();
            rank.keys.iter().for_each(|key| result[*key] = Need::All);
            rank.order.iter().for_each(|key| result[key.column] = Need::All);
            (result[rank.start], result[rank.end]) = (Need::All, Need::All);
            result
        }
    }
}

/// The input columns that an aggregate reads for the outputs that are needed.
fn aggregate_columns<'a>(
    aggregate: &'a Aggregate,
    needs: &'a [Need],
) -> impl Iterator<Item = usize> + 'a {
    let window = match aggregate.window {
        AggregateWindow::Time(TvfTime::Event(column)) => vec![column],
        AggregateWindow::Time(TvfTime::Processing) => Vec::new(),
        AggregateWindow::Attached { start, end, .. } => vec![start, end],
    };
    let first = aggregate.keys.len();
    let calls = aggregate.calls.iter().enumerate();
    let read = calls
        .filter(move |(index, _)| needs.get(first + index).is_some_and(Need::is_needed))
        .flat_map(|(_, call)| call.argument.into_iter().chain(call.filter));
    aggregate.keys.iter().copied().chain(window).chain(read)
}

/// Whether the operator's results depend on event time.
pub(super) fn needs_event_time(relation: &Relation) -> bool {
    match &relation.op {
        RelOp::WindowTvf { tvf, .. } => tvf.time.is_event(),
        RelOp::Aggregate { aggregate, .. } => aggregate.is_event(),
        RelOp::Rank { rank, .. } => rank.event,
        RelOp::Project { exprs, .. } => exprs.iter().any(|named| reads_watermark(&named.expr)),
        RelOp::Filter { predicate, .. } => reads_watermark(predicate),
        _ => false,
    }
}

fn reads_watermark(expr: &Expr) -> bool {
    let mut reads = false;
    expr.walk(&mut |part| {
        reads |=
            matches!(part, Expr::Call { function, .. } if function.name == "CURRENT_WATERMARK");
    });
    reads
}
