//! What every operator needs of its inputs, given what is needed of its output.

use tidegate_plan::AggregateCall;
use tidegate_plan::operator::OverOrder;
use tidegate_types::TimeAttribute;

use super::join_time::expiry;
use super::need::{Need, add};
use super::watermark::reads_watermark;
use crate::algebra::{Aggregate, AggregateWindow, Join, JoinForm, RelOp, Relation, TvfTime};

/// What an operator with one input (or several alike) needs of it, given what is needed of its output.
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
        RelOp::Group { input, group } => {
            let mut result = below(input.schema.len());
            let calls = needed_calls(&group.calls, &needs[group.keys.len()..]);
            group.keys.iter().copied().chain(calls).for_each(|column| result[column] = Need::All);
            result
        }
        RelOp::Expand { input, projections } => {
            let mut result = below(input.schema.len());
            for exprs in projections {
                for (expr, _) in exprs.iter().zip(needs).filter(|(_, need)| need.is_needed()) {
                    add(expr, &Need::All, &mut result);
                }
            }
            result
        }
        RelOp::Number { input, number } => {
            let order = number.order.iter().map(|key| key.column);
            passed(input, needs, number.partition.iter().copied().chain(order))
        }
        RelOp::WindowRank { input, rank } => {
            let order = rank.order.iter().map(|key| key.column);
            let read = rank.keys.iter().copied().chain(order).chain([rank.start, rank.end]);
            passed(input, needs, read)
        }
        RelOp::Rank { input, rank } => {
            let order = rank.order.iter().map(|key| key.column);
            passed(input, needs, rank.keys.iter().copied().chain(order))
        }
        RelOp::Sort { input, sort } => {
            let order = sort.order.iter().map(|key| key.column);
            passed(input, needs, order.chain([sort.time]))
        }
        RelOp::Over { input, over } => {
            let order: Vec<usize> = match &over.order {
                OverOrder::Event { column } => vec![*column],
                OverOrder::Processing => Vec::new(),
                OverOrder::Columns { keys } => keys.iter().map(|key| key.column).collect(),
            };
            let calls = over.groups.iter().flat_map(|group| &group.aggregates);
            let read = needed_calls(calls, &needs[input.schema.len()..]);
            passed(input, needs, over.keys.iter().copied().chain(order).chain(read))
        }
        // Whoever reads it, it is the same; what a pattern does not read was left out before.
        RelOp::Gate { input, .. } | RelOp::Match { input, .. } => {
            vec![Need::All; input.schema.len()]
        }
        // A change of a column that nobody reads is a change: it has a row of its own.
        RelOp::ToChangelog { input, .. } => vec![Need::All; input.schema.len()],
        RelOp::FromChangelog { input, changelog } => {
            let mut result: Vec<Need> = needs.iter().map(Need::whole).collect();
            if !result.iter().any(Need::is_needed) {
                result.iter_mut().take(1).for_each(|need| *need = Need::All);
            }
            result.insert(changelog.column.min(input.schema.len() - 1), Need::All);
            result
        }
        RelOp::Late { input, late } => passed(input, needs, std::iter::once(late.time)),
        RelOp::Unnest { input, unnest } => {
            let width = input.schema.len();
            let read = unnest.condition.iter().flat_map(|condition| condition.columns());
            let mut result = passed(input, needs, read.filter(|column| *column < width));
            add(&unnest.collection, &Need::All, &mut result);
            result
        }
        // Its inputs need different things: see `join_needs`.
        RelOp::Join { .. } => Vec::new(),
    }
}

/// What a join needs of its inputs.
pub(super) fn join_needs(
    left: &Relation,
    join: &Join,
    needs: &[Need],
    right: &Relation,
) -> [Vec<Need>; 2] {
    let width = left.schema.len();
    let mut all: Vec<Need> = needs.iter().map(Need::whole).collect();
    all.resize(width + right.schema.len(), Need::No);
    join.on.iter().for_each(|condition| add(condition, &Need::All, &mut all));
    let mut times = |at: &[usize; 2]| {
        (all[at[0]], all[width + at[1]]) = (Need::All, Need::All);
    };
    match &join.form {
        JoinForm::Undecided | JoinForm::Regular | JoinForm::Lookup { .. } => {}
        JoinForm::Interval { times: at, .. } | JoinForm::Temporal { times: at } => times(at),
        JoinForm::Window { starts, ends, .. } => {
            times(starts);
            times(ends);
        }
    }
    let right = all.split_off(width);
    [all, right]
}

/// The input columns that pass, and those that the operator reads.
fn passed(input: &Relation, needs: &[Need], read: impl Iterator<Item = usize>) -> Vec<Need> {
    let mut result: Vec<Need> = needs[..input.schema.len()].iter().map(Need::whole).collect();
    read.for_each(|column| result[column] = Need::All);
    result
}

/// The columns that the calls whose results are needed read.
fn needed_calls<'a>(
    calls: impl IntoIterator<Item = &'a AggregateCall>,
    needs: &'a [Need],
) -> impl Iterator<Item = usize> {
    let needed = calls.into_iter().zip(needs).filter(|(_, need)| need.is_needed());
    needed.flat_map(|(call, _)| call.argument.into_iter().chain(call.filter))
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
        RelOp::WindowRank { rank, .. } => rank.event,
        RelOp::Sort { .. } | RelOp::Late { .. } => true,
        RelOp::ToChangelog { timed, .. } => timed.is_some(),
        // The first row by event time waits for the watermark.
        RelOp::Rank { input, rank } => matches!(rank.order.as_slice(), [key]
            if !key.descending
                && rank.to == 1
                && input.schema[key.column].ty.kind.time_attribute() == TimeAttribute::Event),
        RelOp::Over { over, .. } => matches!(over.order, OverOrder::Event { .. }),
        RelOp::Match { pattern, .. } => pattern.time.is_some(),
        RelOp::Join { left, right, join } => match &join.form {
            JoinForm::Undecided | JoinForm::Regular => {
                expiry(left, right, &join.on).iter().any(Option::is_some)
            }
            JoinForm::Interval { event, .. } | JoinForm::Window { event, .. } => *event,
            JoinForm::Temporal { .. } => true,
            JoinForm::Lookup { .. } => false,
        },
        RelOp::Project { exprs, .. } => exprs.iter().any(|named| reads_watermark(&named.expr)),
        RelOp::Filter { predicate, .. } => reads_watermark(predicate),
        _ => false,
    }
}
