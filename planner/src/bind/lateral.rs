//! `LATERAL (SELECT …)`: a subquery in FROM that refers to the tables before it.

use sqlparser::ast::{JoinOperator, Query, TableAlias};
use tidegate_plan::Expr;
use tidegate_plan::operator::JoinKind;
use tidegate_types::{Result, Span};

use super::decorrelate::{has_outer, is_single_row};
use super::dependent::decorrelated;
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
