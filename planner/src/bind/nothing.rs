//! What a subquery that is an aggregate has where it aggregates no rows: the join finds no group then.

use std::ops::Range;

use tidegate_plan::{AggregateFunction, Expr, Literal, NamedExpr, Scalar};
use tidegate_types::{SqlType, TypeKind};

use super::decorrelate::{has_outer, is_outer, is_single_row};
use super::dependent::{placed, replaced};
use super::grouping::bigint;
use crate::algebra::{RelOp, Relation};

/// The columns of a subquery without a row, where they are not NULL.
#[derive(Debug, Clone, Default)]
pub(super) struct Nothing {
    /// Per column; over parameters.
    values: Vec<Option<Expr>>,
}

impl Nothing {
    /// Of a subquery.
    pub(super) fn of(relation: &Relation) -> Self {
        if !has_outer(relation) || !is_single_row(relation) {
            return Self::default();
        }
        let columns = 0..relation.schema.len();
        Self { values: columns.map(|column| of_nothing(relation, column)).collect() }
    }

    /// Whether any column has a value.
    pub(super) fn is_something(&self) -> bool {
        self.values.iter().any(Option::is_some)
    }

    /// The values, to be rewritten in place.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        self.values.iter_mut().flatten()
    }

    /// The subquery with a column behind its own that tells whether there is a row, if that is needed.
    pub(super) fn marked(&self, relation: Relation) -> Relation {
        if self.values.iter().flatten().all(is_zero) {
            return relation;
        }
        let ty = TypeKind::Boolean.not_null();
        let mut exprs = relation.identity();
        let expr = Expr::Literal(Literal { value: Scalar::Boolean(true), ty });
        exprs.push(NamedExpr { name: "$there".to_owned(), expr });
        relation.project(exprs)
    }

    /// A column of the marked subquery, whose own columns are at `place` of a left join.
    pub(super) fn value(
        &self,
        joined: &Relation,
        place: Range<usize>,
        column: usize,
        parameters: &[Expr],
    ) -> Expr {
        let value = joined.column(place.start + column);
        let Some(Some(nothing)) = self.values.get(column) else { return value };
        if is_zero(nothing) {
            return or_zero(value);
        }
        let ty = value.ty().clone();
        either(value, joined.column(place.end), placed(nothing.clone(), parameters, 0), ty)
    }
}

/// A count, 0 where it is NULL.
pub(super) fn or_zero(count: Expr) -> Expr {
    either(count.clone(), count, bigint(0), TypeKind::BigInt.not_null())
}

/// A value, or another where a mark is NULL.
fn either(value: Expr, mark: Expr, other: Expr, ty: SqlType) -> Expr {
    let missing = Expr::call("IS NULL", vec![mark], TypeKind::Boolean.not_null());
    Expr::Case { branches: vec![(missing, other)], otherwise: Box::new(value), ty }
}

fn is_zero(value: &Expr) -> bool {
    *value == bigint(0)
}

/// What an aggregate of no rows has in a column: a value that depends on no row of the subquery. None: NULL.
fn of_nothing(relation: &Relation, column: usize) -> Option<Expr> {
    match &relation.op {
        RelOp::Project { input, exprs } => {
            let expr = &exprs.get(column)?.expr;
            let own = |column: &usize| !is_outer(*column);
            let columns: Vec<usize> = expr.columns().into_iter().filter(own).collect();
            let values = columns.iter().map(|column| (*column, of_nothing(input, *column)));
            let values: Vec<(usize, Option<Expr>)> = values.collect();
            if matches!(expr, Expr::Column { .. }) {
                return values.into_iter().next().and_then(|(_, value)| value);
            }
            Some(replaced(expr.clone(), &|index, column| {
                let value = values.iter().find(|(of, _)| *of == index);
                let null = || Expr::Literal(Literal::null(column.ty().kind.clone()));
                value
                    .map_or_else(|| column.clone(), |(_, value)| value.clone().unwrap_or_else(null))
            }))
        }
        RelOp::Group { group, .. } => {
            let call = group.calls.get(column.checked_sub(group.keys.len())?)?;
            let counts = call.function == AggregateFunction::Count;
            counts.then(|| bigint(0))
        }
        _ => None,
    }
}
