//! Columns, and fields of ROW columns, that nobody reads are left out, down to the source.
//!
//! Two walks: the first collects what every scan must give, over all queries of the job, so that
//! queries that read one table share one source; the second rewrites.

use tidegate_connector_spec::{Changes, Role, changes};
use tidegate_plan::window::WindowColumn;
use tidegate_plan::{Expr, NamedExpr};
use tidegate_types::Field;

use super::input::{input_needs, join_needs, needs_event_time};
use super::need::{Moved, Moves, Need, rewrite};
use super::source;
use crate::algebra::{Aggregate, AggregateWindow, RelOp, Relation, Scan, TvfTime};

mod changelog;
mod updating;

/// What the readers of a scan need.
pub(super) struct ScanNeeds {
    scan: Scan,
    pub(super) columns: Vec<Need>,
    pub(super) watermark: bool,
}

/// Prunes the queries of a job together.
pub(super) fn prune(queries: Vec<Relation>) -> Vec<Relation> {
    let mut scans: Vec<ScanNeeds> = Vec::new();
    for query in &queries {
        collect(query, &vec![Need::All; query.schema.len()], false, &mut scans);
    }
    queries
        .into_iter()
        .map(|query| {
            let needs = vec![Need::All; query.schema.len()];
            rewritten(query, &needs, &scans).0
        })
        .collect()
}

fn collect(relation: &Relation, needs: &[Need], event: bool, scans: &mut Vec<ScanNeeds>) {
    let event = event || needs_event_time(relation);
    let below = input_needs(relation, needs);
    match &relation.op {
        RelOp::Scan(scan) => {
            let known = scans.iter().position(|known| known.scan == **scan).unwrap_or(scans.len());
            if known == scans.len() {
                let columns = vec![Need::No; needs.len()];
                scans.push(ScanNeeds { scan: (**scan).clone(), columns, watermark: false });
            }
            let entry = &mut scans[known];
            entry.columns.iter_mut().zip(needs).for_each(|(have, need)| have.merge(need));
            entry.watermark |= event;
            keep_key(entry);
        }
        RelOp::Join { left, right, join } => {
            let [of_left, of_right] = join_needs(left, join, needs, right);
            collect(left, &of_left, event, scans);
            collect(right, &of_right, event, scans);
        }
        _ => relation.inputs().into_iter().for_each(|input| collect(input, &below, event, scans)),
    }
}

/// Rows that come as updates by a key are nothing without it.
fn keep_key(entry: &mut ScanNeeds) {
    let table = &entry.scan.table;
    if changes(&table.options, Role::Source) == Changes::Append {
        return;
    }
    for (column, need) in table.columns.iter().zip(&mut entry.columns) {
        if table.primary_key.contains(&column.name) {
            *need = Need::All;
        }
    }
}

/// The relation without what is not needed, and where its columns went.
fn rewritten(relation: Relation, needs: &[Need], scans: &[ScanNeeds]) -> (Relation, Moves) {
    let below = input_needs(&relation, needs);
    let schema = relation.schema;
    match relation.op {
        RelOp::Scan(scan) => match scans.iter().find(|known| known.scan == *scan) {
            Some(known) => source::reduce(*scan, schema, known),
            None => stays(Relation { op: RelOp::Scan(scan), schema }),
        },
        RelOp::Values(rows) => values(rows, schema, needs),
        RelOp::Project { input, exprs } => {
            let (input, moves) = rewritten(*input, &below, scans);
            project(input, exprs, needs, &moves)
        }
        RelOp::Filter { input, predicate } => {
            let (input, moves) = rewritten(*input, &below, scans);
            let predicate = rewrite(predicate, &moves);
            (input.filter(predicate), moves)
        }
        RelOp::Union { inputs } => union(inputs, schema, &below, scans),
        RelOp::WindowTvf { input, mut tvf } => {
            let width = input.schema.len();
            let (input, mut moves) = rewritten(*input, &below, scans);
            if let TvfTime::Event(column) = &mut tvf.time {
                *column = place(&moves, *column);
            }
            tvf.partition_keys.iter_mut().for_each(|key| *key = place(&moves, *key));
            let mut fields = moved_schema(&input, &schema[..width], &moves);
            for (offset, field) in schema[width..].iter().enumerate() {
                moves.push(Some(whole(input.schema.len() + offset, field)));
                fields.push(field.clone());
            }
            let op = RelOp::WindowTvf { input: Box::new(input), tvf };
            (Relation { op, schema: fields }, moves)
        }
        RelOp::Aggregate { input, aggregate } => {
            let (input, moves) = rewritten(*input, &below, scans);
            reduce_aggregate(input, aggregate, schema, needs, &moves)
        }
        RelOp::Group { input, group } => {
            let (input, moves) = rewritten(*input, &below, scans);
            updating::group(input, group, schema, needs, &moves)
        }
        RelOp::Expand { input, projections } => {
            let (input, moves) = rewritten(*input, &below, scans);
            updating::expand(input, projections, schema, needs, &moves)
        }
        RelOp::Over { input, over } => {
            let (input, moves) = trimmed(*input, &below, scans);
            updating::over(input, over, &schema, needs, moves)
        }
        RelOp::Unnest { input, unnest } => {
            let (input, moves) = rewritten(*input, &below, scans);
            updating::unnest(input, unnest, &schema, moves)
        }
        RelOp::Join { left, right, join } => {
            let [of_left, of_right] = join_needs(&left, &join, needs, &right);
            let sides = [trimmed(*left, &of_left, scans), trimmed(*right, &of_right, scans)];
            updating::join(sides, join, &schema)
        }
        RelOp::Number { input, mut number } => {
            let (input, moves) = trimmed(*input, &below, scans);
            number.partition.iter_mut().for_each(|key| *key = place(&moves, *key));
            number.order.iter_mut().for_each(|key| key.column = place(&moves, key.column));
            with_number(input, moves, schema.last(), |input| RelOp::Number { input, number })
        }
        RelOp::WindowRank { input, mut rank } => {
            let (input, moves) = trimmed(*input, &below, scans);
            rank.keys.iter_mut().for_each(|key| *key = place(&moves, *key));
            rank.order.iter_mut().for_each(|key| key.column = place(&moves, key.column));
            (rank.start, rank.end) = (place(&moves, rank.start), place(&moves, rank.end));
            let number = number_column(&mut rank.rank_column, &schema, needs);
            with_number(input, moves, number, |input| RelOp::WindowRank { input, rank })
        }
        RelOp::Rank { input, mut rank } => {
            let (input, moves) = trimmed(*input, &below, scans);
            rank.keys.iter_mut().for_each(|key| *key = place(&moves, *key));
            rank.order.iter_mut().for_each(|key| key.column = place(&moves, key.column));
            if rank.rank_column.is_none() {
                return passing(input, moves, |input| RelOp::Rank { input, rank });
            }
            let number = number_column(&mut rank.rank_column, &schema, needs);
            with_number(input, moves, number, |input| RelOp::Rank { input, rank })
        }
        RelOp::Gate { input, mut keys } => {
            let (input, moves) = trimmed(*input, &below, scans);
            keys.iter_mut().for_each(|key| *key = place(&moves, *key));
            passing(input, moves, |input| RelOp::Gate { input, keys })
        }
        RelOp::Match { input, pattern } => {
            let (input, moves) = trimmed(*input, &below, scans);
            let input = Box::new(updating::unmoved(input, &moves));
            stays(Relation { op: RelOp::Match { input, pattern }, schema })
        }
        RelOp::ToChangelog { input, changelog, timed } => {
            let (input, moves) = trimmed(*input, &below, scans);
            let input = Box::new(updating::unmoved(input, &moves));
            stays(Relation { op: RelOp::ToChangelog { input, changelog, timed }, schema })
        }
        RelOp::FromChangelog { input, changelog } => {
            let (input, moves) = trimmed(*input, &below, scans);
            changelog::from(input, changelog, moves)
        }
        RelOp::Late { input, mut late } => {
            let (input, moves) = rewritten(*input, &below, scans);
            late.time = place(&moves, late.time);
            passing(input, moves, |input| RelOp::Late { input, late })
        }
        RelOp::Sort { input, mut sort } => {
            let (input, moves) = trimmed(*input, &below, scans);
            sort.time = place(&moves, sort.time);
            sort.order.iter_mut().for_each(|key| key.column = place(&moves, key.column));
            passing(input, moves, |input| RelOp::Sort { input, sort })
        }
    }
}

/// As [`rewritten`], for operators that keep rows: columns that others read go before they are stored.
fn trimmed(relation: Relation, needs: &[Need], scans: &[ScanNeeds]) -> (Relation, Moves) {
    let (relation, mut moves) = rewritten(relation, needs, scans);
    let mut kept: Vec<usize> = Vec::new();
    for (moved, need) in moves.iter_mut().zip(needs) {
        match moved {
            Some(moved) if need.is_needed() => kept.push(moved.index),
            _ => *moved = None,
        }
    }
    kept.sort_unstable();
    kept.dedup();
    if kept.len() == relation.schema.len() || kept.is_empty() {
        return (relation, moves);
    }
    for moved in moves.iter_mut().flatten() {
        moved.index = kept.partition_point(|index| *index < moved.index);
    }
    let exprs = kept.into_iter().filter_map(|index| {
        let field = relation.schema.get(index)?;
        let expr = Expr::Column { index, ty: field.ty.clone() };
        Some(NamedExpr { name: field.name.clone(), expr })
    });
    let exprs = exprs.collect();
    (relation.project(exprs), moves)
}

/// An operator that passes its input's columns on.
fn passing(
    input: Relation,
    moves: Moves,
    op: impl FnOnce(Box<Relation>) -> RelOp,
) -> (Relation, Moves) {
    let schema = input.schema.clone();
    (Relation { op: op(Box::new(input)), schema }, moves)
}

/// An operator that adds a number to its input's columns, if it is needed.
fn with_number(
    input: Relation,
    mut moves: Moves,
    number: Option<&Field>,
    op: impl FnOnce(Box<Relation>) -> RelOp,
) -> (Relation, Moves) {
    let mut schema = input.schema.clone();
    moves.push(number.map(|field| whole(schema.len(), field)));
    schema.extend(number.cloned());
    (Relation { op: op(Box::new(input)), schema }, moves)
}

/// The column of a rank's number; its name goes if it is not needed.
fn number_column<'s>(
    name: &mut Option<String>,
    schema: &'s [Field],
    needs: &[Need],
) -> Option<&'s Field> {
    if !needs.last().is_some_and(Need::is_needed) {
        *name = None;
    }
    schema.last().filter(|_| name.is_some())
}

fn stays(relation: Relation) -> (Relation, Moves) {
    let moves = relation.schema.iter().enumerate();
    let moves = moves.map(|(index, field)| Some(whole(index, field))).collect();
    (relation, moves)
}

fn whole(index: usize, field: &Field) -> Moved {
    Moved { index, ty: field.ty.clone(), need: Need::All }
}

fn place(moves: &Moves, column: usize) -> usize {
    moves.get(column).and_then(Option::as_ref).map_or(0, |moved| moved.index)
}

/// The fields of an operator that passes its input's columns on, with the types it declares.
fn moved_schema(input: &Relation, declared: &[Field], moves: &Moves) -> Vec<Field> {
    let mut fields = input.schema.clone();
    for (field, moved) in declared.iter().zip(moves) {
        if let Some(moved) = moved
            && moved.need == Need::All
        {
            fields[moved.index] = field.clone();
        }
    }
    fields
}

fn values(
    rows: Vec<Vec<tidegate_plan::Literal>>,
    schema: Vec<Field>,
    needs: &[Need],
) -> (Relation, Moves) {
    let any = needs.iter().any(Need::is_needed);
    let keep: Vec<bool> = needs
        .iter()
        .enumerate()
        .map(|(index, need)| need.is_needed() || (!any && index == 0))
        .collect();
    let kept = |index: usize| keep.get(index).copied().unwrap_or(false);
    let rows = rows
        .into_iter()
        .map(|row| {
            row.into_iter().enumerate().filter(|(index, _)| kept(*index)).map(|(_, v)| v).collect()
        })
        .collect();
    let (fields, moves) = keep_fields(schema, kept);
    (Relation { op: RelOp::Values(rows), schema: fields }, moves)
}

/// The fields that stay, and where they went.
fn keep_fields(schema: Vec<Field>, kept: impl Fn(usize) -> bool) -> (Vec<Field>, Moves) {
    let mut fields = Vec::new();
    let mut moves = Vec::with_capacity(schema.len());
    for (index, field) in schema.into_iter().enumerate() {
        moves.push(kept(index).then(|| whole(fields.len(), &field)));
        if kept(index) {
            fields.push(field);
        }
    }
    (fields, moves)
}

fn project(
    input: Relation,
    exprs: Vec<NamedExpr>,
    needs: &[Need],
    moves: &Moves,
) -> (Relation, Moves) {
    let mut kept = Vec::new();
    let mut result = Vec::with_capacity(exprs.len());
    for (named, need) in exprs.into_iter().zip(needs) {
        if !need.is_needed() {
            result.push(None);
            continue;
        }
        // A ROW of which some fields are needed is reduced only if it is passed on, not computed.
        let need = need_left(&named.expr, need, moves);
        let expr = rewrite(named.expr, moves);
        result.push(Some(Moved { index: kept.len(), ty: expr.ty().clone(), need }));
        kept.push(NamedExpr { name: named.name, expr });
    }
    if kept.is_empty() {
        let value = tidegate_plan::Literal {
            value: tidegate_plan::Scalar::Boolean(true),
            ty: tidegate_types::TypeKind::Boolean.not_null(),
        };
        kept.push(NamedExpr { name: "$row".to_owned(), expr: Expr::Literal(value) });
    }
    (input.project(kept), result)
}

/// What is left of a projected value: what its column below gives, else all.
fn need_left(expr: &Expr, need: &Need, moves: &Moves) -> Need {
    match (expr, need) {
        (_, Need::All | Need::No) => Need::All,
        (Expr::Column { index, .. }, _) => {
            moves.get(*index).and_then(Option::as_ref).map_or(Need::All, |moved| moved.need.clone())
        }
        (Expr::Field { input, index, .. }, _) => match need_left(input, need, moves) {
            Need::Fields(fields) => fields.get(index).cloned().unwrap_or(Need::All),
            other => other,
        },
        _ => Need::All,
    }
}

/// The inputs may keep different columns; each is brought to the ones that are needed.
fn union(
    inputs: Vec<Relation>,
    schema: Vec<Field>,
    needs: &[Need],
    scans: &[ScanNeeds],
) -> (Relation, Moves) {
    let any = needs.iter().any(Need::is_needed);
    let kept = |index: usize| needs[index].is_needed() || (!any && index == 0);
    let needs: Vec<Need> =
        (0..needs.len()).map(|index| if kept(index) { Need::All } else { Need::No }).collect();
    let (fields, moves) = keep_fields(schema, kept);
    let inputs = inputs
        .into_iter()
        .map(|input| {
            let old = input.schema.clone();
            let (input, moved) = rewritten(input, &needs, scans);
            let exprs: Vec<NamedExpr> = old
                .into_iter()
                .enumerate()
                .filter(|(index, _)| kept(*index))
                .map(|(index, field)| NamedExpr {
                    expr: Expr::column(place(&moved, index), field.ty),
                    name: field.name,
                })
                .collect();
            let plain = exprs.len() == input.schema.len()
                && exprs.iter().enumerate().all(|(index, named)| named.expr.columns() == [index]);
            if plain { input } else { input.project(exprs) }
        })
        .collect();
    (Relation { op: RelOp::Union { inputs }, schema: fields }, moves)
}

fn reduce_aggregate(
    input: Relation,
    mut aggregate: Aggregate,
    schema: Vec<Field>,
    needs: &[Need],
    moves: &Moves,
) -> (Relation, Moves) {
    let keys = aggregate.keys.len();
    let calls = aggregate.calls.len();
    let kept = |index: usize| index < keys || needs.get(index).is_some_and(Need::is_needed);
    aggregate.keys.iter_mut().for_each(|key| *key = place(moves, *key));
    aggregate.window = match aggregate.window {
        AggregateWindow::Time(TvfTime::Event(column)) => {
            AggregateWindow::Time(TvfTime::Event(place(moves, column)))
        }
        AggregateWindow::Attached { start, end, event } => {
            AggregateWindow::Attached { start: place(moves, start), end: place(moves, end), event }
        }
        other @ AggregateWindow::Time(_) => other,
    };
    let mut index = keys;
    aggregate.calls.retain_mut(|call| {
        call.argument = call.argument.map(|argument| place(moves, argument));
        call.filter = call.filter.map(|filter| place(moves, filter));
        index += 1;
        kept(index - 1)
    });
    let columns: Vec<WindowColumn> = std::mem::take(&mut aggregate.columns);
    aggregate.columns = columns
        .into_iter()
        .enumerate()
        .filter(|(at, _)| kept(keys + calls + at))
        .map(|(_, c)| c)
        .collect();
    if aggregate.keys.is_empty() && aggregate.calls.is_empty() && aggregate.columns.is_empty() {
        aggregate.columns.push(WindowColumn::End);
        let op = RelOp::Aggregate { input: Box::new(input), aggregate };
        let end = schema.into_iter().nth(keys + calls + 1);
        let moves = needs.iter().map(|_| None).collect();
        return (Relation { op, schema: end.into_iter().collect() }, moves);
    }
    let (fields, moved) = keep_fields(schema, kept);
    let op = RelOp::Aggregate { input: Box::new(input), aggregate };
    (Relation { op, schema: fields }, moved)
}
