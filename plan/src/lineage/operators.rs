//! What operators do to columns and rows.

use super::TableRef;
use super::flow::{Column, Flow};
use super::joins::{joined, looked_up, multi_joined};
use crate::aggregate::AggregateCall;
use crate::expr::{Expr, NamedExpr};
use crate::operator::{
    Calc, FromChangelog, MatchRecognize, Operator, OverAggregate, OverOrder, SortKey, Source,
    Unnest, WindowAggregate, WindowTvf,
};
use crate::window::{WindowColumn, WindowTime};

/// The output of an operator, of `width` columns; none if it refers to columns that there are not.
pub(super) fn through(operator: &Operator, inputs: &[&Flow], width: usize) -> Option<Flow> {
    let one = || inputs.first().map(|flow| (*flow).clone());
    match operator {
        Operator::Source(source) => scanned(source),
        Operator::Values(_) => {
            Some(Flow { columns: vec![Column::default(); width], ..Flow::default() })
        }
        Operator::Calc(calc) => calculated(calc, one()?),
        Operator::Union => united(inputs),
        Operator::WindowTvf(tvf) => windowed(tvf, one()?),
        Operator::WindowAggregate(aggregate) => window_aggregated(aggregate, &one()?),
        Operator::WindowRank(rank) => {
            let mut flow = one()?;
            let window = window_columns(&rank.time);
            let by = window.into_iter().chain(rank.keys.iter().copied());
            ranked(&mut flow, by, &rank.order, rank.rank_column.is_some())?;
            Some(flow)
        }
        Operator::Expand(expand) => expanded(&expand.projections, &one()?),
        Operator::Unnest(unnest) => unnested(unnest, one()?, width),
        Operator::GroupAggregate(group) => grouped(&group.keys, &group.aggregates, &one()?),
        Operator::OverAggregate(over) => over_aggregated(over, &one()?),
        Operator::Rank(rank) => {
            let mut flow = one()?;
            let by = rank.keys.iter().copied();
            ranked(&mut flow, by, &rank.order, rank.rank_column.is_some())?;
            Some(flow)
        }
        Operator::Deduplicate(deduplicate) => {
            decided(one()?, deduplicate.keys.iter().copied().chain(deduplicate.time))
        }
        Operator::TemporalSort(sort) => {
            decided(one()?, std::iter::once(sort.time).chain(columns_of(&sort.order)))
        }
        Operator::MatchRecognize(pattern) => matched(pattern, &one()?),
        Operator::Join(join) => {
            // When a row is forgotten follows from the other side's conditions on time.
            let _ = &join.expiry;
            joined(join.kind, &join.on, &[], inputs)
        }
        Operator::MultiJoin(join) => multi_joined(join, inputs),
        Operator::IntervalJoin(join) => {
            let times = join.times.map(|times| vec![times]).unwrap_or_default();
            joined(join.kind, &join.on, &times, inputs)
        }
        Operator::WindowJoin(join) => {
            joined(join.kind, &join.on, &[join.starts, join.ends], inputs)
        }
        Operator::TemporalJoin(join) => joined(join.kind, &join.on, &[join.times], inputs),
        Operator::LookupJoin(join) => looked_up(join, &one()?),
        Operator::ChangelogNormalize(normalize) => decided(one()?, normalize.keys.iter().copied()),
        Operator::DropUpdateBefore | Operator::Sink(_) => one(),
        Operator::LateRows(late) => decided(one()?, [late.column]),
        Operator::UpsertMaterialize(sink) => decided(one()?, sink.keys.iter().copied()),
        Operator::ToChangelog(_) => {
            let mut flow = one()?;
            let code = flow.presence();
            flow.columns.insert(0, code);
            Some(flow)
        }
        Operator::FromChangelog(changelog) => uncoded(changelog, one()?),
    }
}

fn scanned(source: &Source) -> Option<Flow> {
    let table = TableRef::of(&source.table);
    let produced = source.read.iter().chain(source.metadata.iter().map(|column| &column.field));
    let mut flow = Flow {
        columns: produced.map(|field| Column::of(&table, &field.name)).collect(),
        tables: [table].into(),
        ..Flow::default()
    };
    for condition in &source.pushed {
        flow.filter(Some(condition))?;
    }
    projected(&source.projection, flow)
}

fn projected(projection: &[NamedExpr], flow: Flow) -> Option<Flow> {
    let columns = projection.iter().map(|named| flow.expr(&named.expr)).collect::<Option<_>>()?;
    Some(Flow { columns, ..flow })
}

fn calculated(calc: &Calc, mut flow: Flow) -> Option<Flow> {
    flow.filter(calc.filter.as_ref())?;
    projected(&calc.projection, flow)
}

/// Each column is that of any input.
fn united(inputs: &[&Flow]) -> Option<Flow> {
    let (first, rest) = inputs.split_first()?;
    let mut flow = (*first).clone();
    for other in rest {
        if other.columns.len() != flow.columns.len() {
            return None;
        }
        flow.columns.iter_mut().zip(&other.columns).for_each(|(column, more)| column.add(more));
        flow.rows.extend(other.rows.iter().cloned());
        flow.tables.extend(other.tables.iter().cloned());
    }
    Some(flow)
}

fn decided(mut flow: Flow, by: impl IntoIterator<Item = usize>) -> Option<Flow> {
    flow.decide(by)?;
    Some(flow)
}

fn columns_of(order: &[SortKey]) -> impl Iterator<Item = usize> {
    order.iter().map(|key| key.column)
}

/// The columns of the input that say which window a row is in.
fn window_columns(time: &WindowTime) -> Vec<usize> {
    match time {
        WindowTime::Event { column } => vec![*column],
        WindowTime::Processing => Vec::new(),
        WindowTime::Attached { start, end } | WindowTime::AttachedProcessing { start, end } => {
            vec![*start, *end]
        }
    }
}

/// A bound of the window of a row. Windows by the clock come from nothing but the rows that there are.
fn bound(time: &WindowTime, which: WindowColumn, flow: &Flow) -> Option<Column> {
    match (time, which) {
        (WindowTime::Event { column }, _) => flow.columns.get(*column).cloned(),
        (WindowTime::Processing, _) => Some(flow.presence()),
        (
            WindowTime::Attached { start, .. } | WindowTime::AttachedProcessing { start, .. },
            WindowColumn::Start,
        ) => flow.columns.get(*start).cloned(),
        (
            WindowTime::Attached { end, .. } | WindowTime::AttachedProcessing { end, .. },
            WindowColumn::End | WindowColumn::Time,
        ) => flow.columns.get(*end).cloned(),
    }
}

fn windowed(tvf: &WindowTvf, mut flow: Flow) -> Option<Flow> {
    let by = flow.merged(tvf.partition_keys.iter().copied())?;
    for which in [WindowColumn::Start, WindowColumn::End, WindowColumn::Time] {
        let mut column = bound(&tvf.time, which, &flow)?;
        // The rows of a session are those of one partition.
        column.influence(&by);
        flow.columns.push(column);
    }
    Some(flow)
}

fn window_aggregated(aggregate: &WindowAggregate, input: &Flow) -> Option<Flow> {
    let mut flow = grouped(&aggregate.keys, &aggregate.aggregates, input)?;
    flow.decide_by(input.merged(window_columns(&aggregate.time))?);
    for which in &aggregate.columns {
        flow.columns.push(bound(&aggregate.time, *which, input)?);
    }
    Some(flow)
}

/// Keys, then aggregates.
fn grouped(keys: &[usize], calls: &[AggregateCall], input: &Flow) -> Option<Flow> {
    let keys_of = keys.iter().map(|key| input.columns.get(*key).cloned());
    let columns = keys_of.chain(calls.iter().map(|call| input.aggregate(call)));
    let mut flow = Flow { columns: columns.collect::<Option<_>>()?, ..input.clone() };
    flow.decide_by(input.merged(keys.iter().copied())?);
    Some(flow)
}

fn expanded(projections: &[Vec<Expr>], input: &Flow) -> Option<Flow> {
    let width = projections.first().map_or(0, Vec::len);
    let mut columns = vec![Column::default(); width];
    for projection in projections {
        for (column, expr) in columns.iter_mut().zip(projection) {
            column.add(&input.expr(expr)?);
        }
    }
    Some(Flow { columns, ..input.clone() })
}

/// The input's columns, then those of the element, all from the collection.
fn unnested(unnest: &Unnest, mut flow: Flow, width: usize) -> Option<Flow> {
    let collection = flow.expr(&unnest.collection)?;
    let elements = width.checked_sub(flow.columns.len())?;
    flow.columns.extend(std::iter::repeat_n(collection.clone(), elements));
    flow.filter(unnest.condition.as_ref())?;
    flow.decide_by(collection);
    Some(flow)
}

fn over_aggregated(over: &OverAggregate, input: &Flow) -> Option<Flow> {
    let order: Vec<usize> = match &over.order {
        OverOrder::Event { column } => vec![*column],
        OverOrder::Processing => Vec::new(),
        OverOrder::Columns { keys } => columns_of(keys).collect(),
    };
    let by = input.merged(over.keys.iter().copied().chain(order))?;
    let mut flow = input.clone();
    for call in over.groups.iter().flat_map(|group| &group.aggregates) {
        let mut column = input.aggregate(call)?;
        column.influence(&by);
        flow.columns.push(column);
    }
    Some(flow)
}

/// Rows by their rank; the rank itself comes from what the rows are ordered by.
fn ranked(
    flow: &mut Flow,
    keys: impl IntoIterator<Item = usize>,
    order: &[SortKey],
    with_rank: bool,
) -> Option<()> {
    let keys = flow.merged(keys)?;
    let order = flow.merged(columns_of(order))?;
    let mut rank = if order.direct.is_empty() { flow.presence() } else { order.clone() };
    rank.influence(&keys);
    flow.decide_by(keys);
    flow.decide_by(order);
    if with_rank {
        flow.columns.push(rank);
    }
    Some(())
}

fn matched(pattern: &MatchRecognize, input: &Flow) -> Option<Flow> {
    let width = input.columns.len();
    // What aggregates read: the input's columns, then computed ones.
    let mut wide = input.clone();
    for named in &pattern.computed {
        wide.columns.push(input.expr(&named.expr)?);
    }
    // What conditions and measures read.
    let mut seen = input.clone();
    for reference in &pattern.references {
        seen.columns.push(input.columns.get(reference.column)?.clone());
    }
    for aggregate in &pattern.aggregates {
        seen.columns.push(wide.aggregate(&aggregate.call)?);
    }
    debug_assert_eq!(seen.columns.len(), pattern.time_column(width));
    let time = match pattern.time {
        Some(time) => input.columns.get(time)?.clone(),
        None => input.presence(),
    };
    seen.columns.extend([time.clone(), time]);
    let mut flow = Flow { columns: Vec::new(), ..input.clone() };
    for key in &pattern.keys {
        flow.columns.push(input.columns.get(*key)?.clone());
    }
    for measure in &pattern.measures {
        flow.columns.push(seen.expr(&measure.expr)?);
    }
    let by = pattern.keys.iter().copied().chain(pattern.time).chain(columns_of(&pattern.order));
    flow.decide_by(input.merged(by)?);
    for condition in pattern.variables.iter().filter_map(|variable| variable.condition.as_ref()) {
        flow.decide_by(seen.expr(condition)?);
    }
    Some(flow)
}

fn uncoded(changelog: &FromChangelog, mut flow: Flow) -> Option<Flow> {
    flow.decide([changelog.column])?;
    flow.columns.remove(changelog.column);
    Some(flow)
}
