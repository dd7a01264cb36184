//! `IN (SELECT …)`, `EXISTS (SELECT …)` and comparisons with `ANY` and `ALL` as values: where they do not
//! stand alone in WHERE. What the subquery holds is counted beside each row, so that the answer can be
//! TRUE, FALSE or, where a NULL makes it so, NULL.

use sqlparser::ast::{self, BinaryOperator, Query};
use tidegate_plan::{AggregateCall, AggregateFunction, Expr, Literal};
use tidegate_types::{Field, Result, Span, SqlType, TypeKind};

use super::expr::{ExprBinder, operator_name};
use super::grouping::bigint;
use super::nothing::or_zero;
use super::subquery::{SUBQUERY_BASE, ScalarSubquery};
use super::{select, semantic, unsupported};
use crate::algebra::{Group, RelOp, Relation};

impl ExprBinder<'_, '_> {
    /// `EXISTS (SELECT …)` as a value.
    pub(super) fn exists_value(
        &mut self,
        query: &Query,
        negated: bool,
        span: Span,
    ) -> Result<Expr> {
        let rows = self.binder.inner_query(query, self.scope)?;
        let counted = aggregate(rows, &[(AggregateFunction::Count, None)]);
        let count = self.joined_value(ScalarSubquery::new(counted, span))?;
        let name = if negated { "=" } else { ">" };
        self.apply(name, vec![or_zero(count), bigint(0)], span)
    }

    /// `x IN (SELECT …)` as a value.
    pub(super) fn in_value(
        &mut self,
        value: &ast::Expr,
        query: &Query,
        negated: bool,
        span: Span,
    ) -> Result<Expr> {
        let value = self.expr(value)?;
        let found = self.contained(value, query, span)?;
        if negated { self.apply("NOT", vec![found], span) } else { Ok(found) }
    }

    /// `x = ANY (SELECT …)`, `x > ALL (SELECT …)` and so on.
    pub(super) fn compared(
        &mut self,
        value: &ast::Expr,
        operator: &BinaryOperator,
        right: &ast::Expr,
        all: bool,
        span: Span,
    ) -> Result<Expr> {
        let ast::Expr::Subquery(query) = right else {
            return Err(unsupported("ANY and ALL of what is no subquery", span));
        };
        let name = operator_name(operator, span)?;
        let value = self.expr(value)?;
        match (name, all) {
            ("=", false) => return self.contained(value, query, span),
            ("<>", true) => {
                let found = self.contained(value, query, span)?;
                return self.apply("NOT", vec![found], span);
            }
            ("<" | "<=" | ">" | ">=", _) => {}
            _ => {
                return Err(unsupported(&format!("{name} with this quantifier"), span)
                    .help("= ANY, <> ALL, and <, <=, >, >= with both are supported"));
            }
        }
        // All are passed if the farthest is, any is passed if the nearest is.
        let greatest = matches!(name, ">" | ">=") == all;
        let function = if greatest { AggregateFunction::Max } else { AggregateFunction::Min };
        let rows = self.binder.inner_query(query, self.scope)?;
        let calls = [
            (AggregateFunction::Count, None),
            (AggregateFunction::Count, Some(0)),
            (function, Some(0)),
        ];
        let summary = aggregate(rows, &calls);
        let ty = summary.schema[2].ty.clone();
        let count = self.joined_value(ScalarSubquery::new(summary, span))?;
        let (known, bound) = (column(&count, 1, &count.ty().clone()), column(&count, 2, &ty));
        let passed = self.apply(name, vec![value, bound], span)?;
        let nothing = self.apply("=", vec![count.clone(), bigint(0)], span)?;
        let unknown = self.apply("<", vec![known, count], span)?;
        // One that is not passed settles ALL, one that is settles ANY.
        let settled = match all {
            true => self.apply("NOT", vec![passed.clone()], span)?,
            false => passed.clone(),
        };
        self.case_of(
            vec![(nothing, boolean(all)), (settled, boolean(!all)), (unknown, null())],
            passed,
            span,
        )
    }

    /// Whether a value is among those of a subquery.
    fn contained(&mut self, value: Expr, query: &Query, span: Span) -> Result<Expr> {
        let rows = self.binder.inner_query(query, self.scope)?;
        let [field] = rows.schema.as_slice() else {
            let message =
                format!("IN compares one value with a subquery of {} columns", rows.schema.len());
            return Err(semantic(message, span));
        };
        let ty = field.ty.clone().materialized().with_nullable(true);
        let calls = [(AggregateFunction::Count, None), (AggregateFunction::Count, Some(0))];
        let counted = aggregate(rows.clone(), &calls);
        let count = self.joined_value(ScalarSubquery::new(counted, span))?;
        let known = column(&count, 1, &count.ty().clone());
        let distinct = select::distinct(rows, span)?;
        let mut partner = ScalarSubquery::new(distinct, span);
        let compared = partner.parameter(value.clone());
        partner.compare(self.apply("=", vec![compared, Expr::column(0, ty)], span)?);
        let partner = self.joined_value(partner)?;
        let nothing = self.apply("=", vec![count.clone(), bigint(0)], span)?;
        let there = self.apply("IS NOT NULL", vec![partner], span)?;
        let no_value = self.apply("IS NULL", vec![value], span)?;
        let some_null = self.apply("<", vec![known, count], span)?;
        self.case_of(
            vec![
                (nothing, boolean(false)),
                (there, boolean(true)),
                (no_value, null()),
                (some_null, null()),
            ],
            boolean(false),
            span,
        )
    }

    /// The first column of a subquery that is joined to each row.
    fn joined_value(&mut self, subquery: ScalarSubquery) -> Result<Expr> {
        let Some(collected) = self.subqueries.as_deref_mut() else {
            let message = format!("a subquery in {}", self.clause);
            return Err(unsupported(&message, subquery.span).help("join the subquery instead"));
        };
        let ty = subquery.value_type();
        collected.push(subquery);
        Ok(Expr::column(SUBQUERY_BASE + ScalarSubquery::WIDTH * (collected.len() - 1), ty))
    }
}

/// Another column of the subquery that a placeholder is the first of.
fn column(first: &Expr, offset: usize, ty: &SqlType) -> Expr {
    match first {
        Expr::Column { index, .. } => Expr::column(index + offset, ty.clone().with_nullable(true)),
        other => other.clone(),
    }
}

fn boolean(value: bool) -> Expr {
    let ty = TypeKind::Boolean.not_null();
    Expr::Literal(Literal { value: tidegate_plan::Scalar::Boolean(value), ty })
}

fn null() -> Expr {
    Expr::Literal(Literal::null(TypeKind::Boolean))
}

/// Aggregates over a whole relation.
fn aggregate(input: Relation, calls: &[(AggregateFunction, Option<usize>)]) -> Relation {
    let calls: Vec<AggregateCall> = calls
        .iter()
        .enumerate()
        .map(|(index, (function, argument))| AggregateCall {
            function: *function,
            argument: *argument,
            parameters: Vec::new(),
            distinct: false,
            filter: None,
            name: format!("$c{index}"),
            ty: match (function, argument) {
                (AggregateFunction::Count, _) | (_, None) => TypeKind::BigInt.not_null(),
                (_, Some(column)) => {
                    input.schema[*column].ty.clone().materialized().with_nullable(true)
                }
            },
        })
        .collect();
    let schema = calls.iter().map(|call| Field::new(call.name.clone(), call.ty.clone())).collect();
    let group = Group { keys: Vec::new(), calls, ttl: None };
    Relation { op: RelOp::Group { input: Box::new(input), group }, schema }
}
