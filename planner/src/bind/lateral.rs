//! `LATERAL (SELECT …)` and `LATERAL TABLE(f(…))`: what stands in FROM and refers to the tables before it.

use sqlparser::ast::{FunctionArg, JoinOperator, ObjectName, Query, TableAlias};
use tidegate_plan::operator::JoinKind;
use tidegate_plan::{Expr, NamedExpr};
use tidegate_types::{Result, Span};

use super::decorrelate::{has_outer, is_single_row};
use super::dependent::{decorrelated, placed};
use super::join::{build, settle};
use super::nothing::Nothing;
use super::query::rename;
use super::scope::Scope;
use super::{Binder, unsupported};
use crate::algebra::{JoinForm, RelOp, Relation};

impl Binder<'_> {
    /// Joins the rows of a subquery to the rows that it is of.
    pub(super) fn lateral(
        &mut self,
        (left, mut scope): (Relation, Scope),
        query: &Query,
        alias: Option<&TableAlias>,
        operator: &JoinOperator,
        span: Span,
    ) -> Result<(Relation, Scope)> {
        let left = settle(left, Vec::new());
        scope.retype(&left);
        let inner = self.inner_query(query, &scope)?;
        self.beside((left, scope), inner, alias, operator, span)
    }

    /// Joins the rows of a function with a body in SQL to the rows whose columns are its arguments:
    /// `LATERAL TABLE(f(column))`.
    pub(super) fn lateral_function(
        &mut self,
        (left, mut scope): (Relation, Scope),
        (name, args): (&ObjectName, &[FunctionArg]),
        alias: Option<&TableAlias>,
        operator: &JoinOperator,
        span: Span,
    ) -> Result<(Relation, Scope)> {
        let left = settle(left, Vec::new());
        scope.retype(&left);
        let Some(function) = self.sql_function(name) else {
            return Err(unsupported(&format!("the table function {name} of columns"), span).help(
                "write CROSS JOIN UNNEST(…), or make a function by CREATE FUNCTION … RETURNS TABLE",
            ));
        };
        let inner = self.table_routine_of(function, args, &scope, span)?;
        let at_once = matches!(
            operator,
            JoinOperator::CrossJoin(_) | JoinOperator::Join(_) | JoinOperator::Inner(_)
        );
        match at_once.then(|| over_each_row(&inner, &left)).flatten() {
            Some(direct) => self.at_once((left, scope), inner, direct, alias, operator, span),
            None => self.beside((left, scope), inner, alias, operator, span),
        }
    }

    /// The rows of a relation that is computed row by row, which needs no join.
    fn at_once(
        &mut self,
        left: (Relation, Scope),
        inner: Relation,
        direct: Relation,
        alias: Option<&TableAlias>,
        operator: &JoinOperator,
        span: Span,
    ) -> Result<(Relation, Scope)> {
        let shown = inner.schema.len();
        let right = self.lateral_table(inner, shown, alias, span)?;
        let (joined, mut scope) = self.joined(left, right, operator, JoinForm::Undecided, span)?;
        let RelOp::Join { join, .. } = joined.op else {
            return Err(unsupported("this kind of join with LATERAL", span));
        };
        let mut exprs = direct.identity();
        exprs.iter_mut().zip(joined.schema).for_each(|(expr, field)| expr.name = field.name);
        let relation = join.on.into_iter().fold(direct.project(exprs), Relation::filter);
        scope.retype(&relation);
        Ok((relation, scope))
    }

    /// Joins a relation, which may refer to the left rows, to them.
    fn beside(
        &mut self,
        (left, scope): (Relation, Scope),
        inner: Relation,
        alias: Option<&TableAlias>,
        operator: &JoinOperator,
        span: Span,
    ) -> Result<(Relation, Scope)> {
        let shown = inner.schema.len();
        // Of nothing there is an aggregate, too: its row stands beside every row.
        let single = has_outer(&inner) && is_single_row(&inner);
        let nothing = Nothing::of(&inner);
        let inner = nothing.marked(inner);
        let around: Vec<Expr> = left.identity().into_iter().map(|named| named.expr).collect();
        let (inner, correlated) = decorrelated(inner, &left, &around, span)?;
        let right = self.lateral_table(inner, shown, alias, span)?;
        let width = left.schema.len();
        let (joined, mut scope) =
            self.joined((left, scope), right, operator, JoinForm::Undecided, span)?;
        let RelOp::Join { left, right, mut join } = joined.op else {
            return Err(unsupported("this kind of join with LATERAL", span));
        };
        match join.kind {
            JoinKind::Inner if single => join.kind = JoinKind::Left,
            JoinKind::Inner | JoinKind::Left => {}
            _ => {
                return Err(unsupported("a RIGHT or FULL join with LATERAL", span)
                    .help("join it by CROSS JOIN, JOIN or LEFT JOIN"));
            }
        }
        join.on.extend(correlated);
        let mut relation = build(*left, *right, join);
        if nothing.is_something() {
            relation = settle(relation, Vec::new());
            let mut exprs = relation.identity();
            for column in 0..shown {
                let place = width..width + shown;
                exprs[width + column].expr = nothing.value(&relation, place, column, &around);
            }
            relation = relation.project(exprs);
        }
        scope.retype(&relation);
        Ok((relation, scope))
    }

    /// The subquery under its alias; columns that only its join needs are out of sight.
    fn lateral_table(
        &self,
        relation: Relation,
        shown: usize,
        alias: Option<&TableAlias>,
        span: Span,
    ) -> Result<(Relation, Scope)> {
        let columns = alias.map(|alias| alias.columns.as_slice()).unwrap_or_default();
        let mut names: Vec<String> =
            columns.iter().map(|column| column.name.value.clone()).collect();
        if !names.is_empty() && names.len() == shown {
            names.extend(relation.schema[shown..].iter().map(|field| field.name.clone()));
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let relation = rename(relation, &names, span)?;
        let mut scope = Scope::of(&relation, alias.map(|alias| alias.name.value.as_str()));
        scope.columns.iter_mut().skip(shown).for_each(|column| column.hidden = true);
        Ok((relation, scope))
    }
}

/// The left columns and those of a relation that is made of each left row by itself: projections, filters and
/// UNNEST over one constant row. None for others.
fn over_each_row(inner: &Relation, left: &Relation) -> Option<Relation> {
    let width = left.schema.len();
    let own = left.identity();
    let around: Vec<Expr> = own.iter().map(|named| named.expr.clone()).collect();
    let place = |expr: &Expr| placed(expr.clone(), &around, width);
    match &inner.op {
        RelOp::Values(rows) => {
            let [row] = rows.as_slice() else { return None };
            let values = row.iter().zip(&inner.schema).map(|(value, field)| NamedExpr {
                name: field.name.clone(),
                expr: Expr::Literal(value.clone()),
            });
            Some(left.clone().project(own.into_iter().chain(values).collect()))
        }
        RelOp::Project { input, exprs } => {
            let input = over_each_row(input, left)?;
            let exprs = exprs
                .iter()
                .map(|named| NamedExpr { name: named.name.clone(), expr: place(&named.expr) });
            Some(input.project(own.into_iter().chain(exprs).collect()))
        }
        RelOp::Filter { input, predicate } => {
            Some(over_each_row(input, left)?.filter(place(predicate)))
        }
        RelOp::Unnest { input, unnest } => {
            let below = over_each_row(input, left)?;
            let mut unnest = unnest.clone();
            unnest.collection = place(&unnest.collection);
            unnest.condition = unnest.condition.as_ref().map(place);
            let mut schema = below.schema.clone();
            schema.extend(inner.schema[input.schema.len()..].iter().cloned());
            Some(Relation { op: RelOp::Unnest { input: Box::new(below), unnest }, schema })
        }
        _ => None,
    }
}
