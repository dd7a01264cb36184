//! Pruning of the operators over whole tables.

use tidegate_plan::operator::{OverAggregate, OverOrder, Unnest};
use tidegate_plan::{AggregateCall, AggregateFunction, Expr, Literal, NamedExpr, Scalar};
use tidegate_types::{Field, TypeKind};

use super::{keep_fields, passing, place, whole};
use crate::algebra::{Group, Join, JoinForm, RelOp, Relation};
use crate::bind::join::build;
use crate::optimize::need::{Moves, Need, rewrite};

/// A grouping without the calls that nobody reads.
pub(super) fn group(
    input: Relation,
    mut group: Group,
    schema: Vec<Field>,
    needs: &[Need],
    moves: &Moves,
) -> (Relation, Moves) {
    let keys = group.keys.len();
    if keys == 0 && !needs.iter().any(Need::is_needed) {
        return only_row(input, group, schema.len());
    }
    let kept = |index: usize| index < keys || needs.get(index).is_some_and(Need::is_needed);
    group.keys.iter_mut().for_each(|key| *key = place(moves, *key));
    let mut index = keys;
    group.calls.retain_mut(|call| {
        call.argument = call.argument.map(|argument| place(moves, argument));
        call.filter = call.filter.map(|filter| place(moves, filter));
        index += 1;
        kept(index - 1)
    });
    let (fields, moved) = keep_fields(schema, kept);
    let op = RelOp::Group { input: Box::new(input), group };
    (Relation { op, schema: fields }, moved)
}

/// An aggregate of all rows of which nothing is read but that there is one: the arguments of its calls
/// are gone.
fn only_row(input: Relation, mut group: Group, width: usize) -> (Relation, Moves) {
    let ty = TypeKind::BigInt.not_null();
    group.calls = vec![AggregateCall {
        function: AggregateFunction::Count,
        argument: None,
        parameters: Vec::new(),
        distinct: false,
        filter: None,
        name: "$row".to_owned(),
        ty: ty.clone(),
    }];
    let op = RelOp::Group { input: Box::new(input), group };
    (Relation { op, schema: vec![Field::new("$row", ty)] }, vec![None; width])
}

/// Copies of rows with the columns that are read.
pub(super) fn expand(
    input: Relation,
    projections: Vec<Vec<Expr>>,
    schema: Vec<Field>,
    needs: &[Need],
    moves: &Moves,
) -> (Relation, Moves) {
    let any = needs.iter().any(Need::is_needed);
    let kept = |index: usize| needs[index].is_needed() || (!any && index == 0);
    let projections = projections.into_iter().map(|exprs| {
        let exprs = exprs.into_iter().enumerate().filter(|(index, _)| kept(*index));
        exprs.map(|(_, expr)| rewrite(expr, moves)).collect()
    });
    let projections = projections.collect();
    let (fields, moved) = keep_fields(schema, kept);
    let op = RelOp::Expand { input: Box::new(input), projections };
    (Relation { op, schema: fields }, moved)
}

/// Aggregates over the rows before, without those that nobody reads.
pub(super) fn over(
    input: Relation,
    mut over: OverAggregate,
    schema: &[Field],
    needs: &[Need],
    mut moves: Moves,
) -> (Relation, Moves) {
    let width =
        schema.len() - over.groups.iter().map(|group| group.aggregates.len()).sum::<usize>();
    over.keys.iter_mut().for_each(|key| *key = place(&moves, *key));
    match &mut over.order {
        OverOrder::Event { column } => *column = place(&moves, *column),
        OverOrder::Processing => {}
        OverOrder::Columns { keys } => {
            keys.iter_mut().for_each(|key| key.column = place(&moves, key.column));
        }
    }
    let mut fields = input.schema.clone();
    let mut index = width;
    for group in &mut over.groups {
        group.aggregates.retain_mut(|call| {
            let needed = needs.get(index).is_some_and(Need::is_needed);
            call.argument = call.argument.map(|argument| place(&moves, argument));
            call.filter = call.filter.map(|filter| place(&moves, filter));
            let field = &schema[index];
            moves.push(needed.then(|| whole(fields.len(), field)));
            fields.extend(needed.then(|| field.clone()));
            index += 1;
            needed
        });
    }
    over.groups.retain(|group| !group.aggregates.is_empty());
    if over.groups.is_empty() {
        return (input, moves);
    }
    (Relation { op: RelOp::Over { input: Box::new(input), over }, schema: fields }, moves)
}

/// Elements beside the columns that are read.
pub(super) fn unnest(
    input: Relation,
    mut unnest: Unnest,
    schema: &[Field],
    mut moves: Moves,
) -> (Relation, Moves) {
    let width = moves.len();
    unnest.collection = rewrite(unnest.collection, &moves);
    let (mut relation, _) = passing(input, Vec::new(), |input| RelOp::Unnest { input, unnest });
    for field in &schema[width..] {
        moves.push(Some(whole(relation.schema.len(), field)));
        relation.schema.push(field.clone());
    }
    if let RelOp::Unnest { unnest, .. } = &mut relation.op {
        unnest.condition = unnest.condition.take().map(|condition| rewrite(condition, &moves));
    }
    (relation, moves)
}

/// A join of what is left of its inputs.
pub(super) fn join(
    [(left, left_moves), (right, right_moves)]: [(Relation, Moves); 2],
    mut join: Join,
    schema: &[Field],
) -> (Relation, Moves) {
    // A side of which nothing is read still has rows to be counted.
    let (left, right) = (never_empty(left), never_empty(right));
    let width = left.schema.len();
    let mut all = left_moves.clone();
    all.extend(right_moves.iter().cloned().map(|moved| {
        moved.map(|mut moved| {
            moved.index += width;
            moved
        })
    }));
    join.on = std::mem::take(&mut join.on).into_iter().map(|on| rewrite(on, &all)).collect();
    let remap = |at: &mut [usize; 2]| {
        *at = [place(&left_moves, at[0]), place(&right_moves, at[1])];
    };
    match &mut join.form {
        JoinForm::Undecided | JoinForm::Regular | JoinForm::Lookup { .. } => {}
        JoinForm::Interval { times, .. } | JoinForm::Temporal { times } => remap(times),
        JoinForm::Window { starts, ends, .. } => {
            remap(starts);
            remap(ends);
        }
    }
    all.truncate(schema.len());
    (build(left, right, join), all)
}

/// A relation with at least one column.
fn never_empty(relation: Relation) -> Relation {
    if !relation.schema.is_empty() {
        return relation;
    }
    let value = Literal { value: Scalar::Boolean(true), ty: TypeKind::Boolean.not_null() };
    let expr = Expr::Literal(value);
    relation.project(vec![tidegate_plan::NamedExpr { name: "$row".to_owned(), expr }])
}

/// The columns where they were, all of them being needed.
pub(super) fn unmoved(input: Relation, moves: &Moves) -> Relation {
    let places: Vec<usize> = moves.iter().flatten().map(|moved| moved.index).collect();
    if places.iter().enumerate().all(|(index, place)| index == *place) {
        return input;
    }
    let exprs = places.into_iter().filter_map(|index| {
        let field = input.schema.get(index)?;
        let expr = Expr::Column { index, ty: field.ty.clone() };
        Some(NamedExpr { name: field.name.clone(), expr })
    });
    let exprs = exprs.collect();
    input.project(exprs)
}
