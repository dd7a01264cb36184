//! Adjacent projections become one; those that change nothing go; constants become VALUES.

use tidegate_plan::{Expr, Literal, NamedExpr, PlanSettings, Scalar};
use tidegate_types::Field;

use super::conjunction::{may_substitute, substitute};
use super::map_inputs;
use super::simplify::simplify;
use crate::algebra::{RelOp, Relation, schema_of};
use crate::bind::constant::is_deterministic;

/// Merges all projections of a query.
pub(super) fn merge(relation: Relation, settings: &PlanSettings) -> Relation {
    let relation = map_inputs(relation, &mut |input| merge(input, settings));
    let schema = relation.schema;
    match relation.op {
        RelOp::Project { input, exprs } => {
            let exprs = exprs
                .into_iter()
                .map(|named| NamedExpr { name: named.name, expr: simplify(named.expr, settings) })
                .collect();
            project(*input, exprs, settings)
        }
        RelOp::Filter { input, predicate } => match simplify(predicate, settings) {
            Expr::Literal(Literal { value: Scalar::Boolean(true), .. }) => *input,
            Expr::Literal(_) => Relation { op: RelOp::Values(Vec::new()), schema },
            predicate => Relation { op: RelOp::Filter { input, predicate }, schema },
        },
        op => Relation { op, schema },
    }
}

/// A projection over a relation that is merged already.
fn project(input: Relation, exprs: Vec<NamedExpr>, settings: &PlanSettings) -> Relation {
    if is_identity(&exprs, &input) {
        return renamed(input, exprs);
    }
    match input.op {
        RelOp::Project { input: inner, exprs: below } if mergeable(&exprs, &below) => {
            let merged = exprs
                .into_iter()
                .map(|named| NamedExpr { name: named.name, expr: substitute(named.expr, &below) })
                .collect();
            project(*inner, merged, settings)
        }
        RelOp::Values(rows) => match projected_values(&rows, &input.schema, &exprs, settings) {
            Some(rows) => Relation { op: RelOp::Values(rows), schema: schema_of(&exprs) },
            None => Relation { op: RelOp::Values(rows), schema: input.schema }.project(exprs),
        },
        op => Relation { op, schema: input.schema }.project(exprs),
    }
}

/// The rows of VALUES behind a projection, if all of it is constant.
fn projected_values(
    rows: &[Vec<Literal>],
    schema: &[Field],
    exprs: &[NamedExpr],
    settings: &PlanSettings,
) -> Option<Vec<Vec<Literal>>> {
    let row = |row: &Vec<Literal>| {
        let values: Vec<NamedExpr> = schema
            .iter()
            .zip(row)
            .map(|(field, value)| NamedExpr {
                name: field.name.clone(),
                expr: Expr::Literal(value.clone()),
            })
            .collect();
        let literal =
            |named: &NamedExpr| match simplify(substitute(named.expr.clone(), &values), settings) {
                Expr::Literal(literal) => Some(literal),
                _ => None,
            };
        exprs.iter().map(literal).collect()
    };
    rows.iter().map(row).collect()
}

/// A relation under the names of a projection that changes nothing else.
fn renamed(input: Relation, exprs: Vec<NamedExpr>) -> Relation {
    let schema = schema_of(&exprs);
    let op = match input.op {
        RelOp::Project { input, exprs: below } => {
            let below = below.into_iter().zip(exprs);
            let exprs =
                below.map(|(below, above)| NamedExpr { name: above.name, expr: below.expr });
            RelOp::Project { input, exprs: exprs.collect() }
        }
        op => op,
    };
    Relation { op, schema }
}

/// Whether the projection passes all columns on in order. Names alone are no reason for a node,
/// but a source's own columns keep their names.
fn is_identity(exprs: &[NamedExpr], input: &Relation) -> bool {
    let plain = exprs.len() == input.schema.len()
        && exprs
            .iter()
            .enumerate()
            .all(|(index, named)| matches!(&named.expr, Expr::Column { index: column, .. } if *column == index));
    let renames = exprs.iter().zip(&input.schema).any(|(named, field)| named.name != field.name);
    plain
        && (!renames
            || matches!(input.op, RelOp::Project { .. } | RelOp::Union { .. } | RelOp::Values(_)))
}

/// Whether merging computes nothing twice and no volatile value at another place.
fn mergeable(exprs: &[NamedExpr], below: &[NamedExpr]) -> bool {
    let mut uses = vec![0_usize; below.len()];
    for named in exprs {
        if !may_substitute(&named.expr, below) && !matches!(named.expr, Expr::Column { .. }) {
            return false;
        }
        named.expr.walk(&mut |part| {
            if let Expr::Column { index, .. } = part {
                uses[*index] += 1;
            }
        });
    }
    uses.iter()
        .zip(below)
        .all(|(uses, named)| *uses <= 1 || (is_cheap(&named.expr) && is_deterministic(&named.expr)))
}

/// Columns, fields and constants cost nothing to repeat.
fn is_cheap(expr: &Expr) -> bool {
    match expr {
        Expr::Column { .. } | Expr::Literal(_) => true,
        Expr::Field { input, .. } => is_cheap(input),
        _ => false,
    }
}
