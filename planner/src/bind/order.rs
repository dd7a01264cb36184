//! ORDER BY, LIMIT, OFFSET, FETCH around a query.

use sqlparser::ast::{self, LimitClause, OrderByExpr, OrderByKind, Query, SetExpr};
use tidegate_plan::operator::{Rank, RankFunction, SortKey, TemporalSort};
use tidegate_plan::{Expr, Scalar};
use tidegate_types::{Result, Span, TimeAttribute};

use super::expr::ExprBinder;
use super::scope::Scope;
use super::select::natural_name;
use super::{Binder, semantic, unsupported};
use crate::algebra::{RelOp, Relation};

/// How many rows are skipped, and how many are kept.
struct Bounds {
    offset: u64,
    limit: Option<u64>,
}

impl Binder<'_> {
    /// The rows of a query, ordered and limited as it says.
    pub(super) fn ordered(&mut self, query: &Query) -> Result<Relation> {
        let bounds = self.bounds(query)?;
        let keys: &[OrderByExpr] = match &query.order_by {
            None => &[],
            Some(order) => match &order.kind {
                OrderByKind::Expressions(keys) if order.interpolate.is_none() => keys,
                _ => return Err(unsupported("this form of ORDER BY", self.span_of(order))),
            },
        };
        if keys.is_empty() && bounds.limit.is_none() && bounds.offset == 0 {
            return self.set_expr(&query.body);
        }
        let span = query.order_by.as_ref().map_or(self.place, |order| self.span_of(order));
        // Keys that are no columns of the result are computed beside them.
        let names = result_names(&query.body);
        let hidden = |key: &&OrderByExpr| {
            !matches!(&key.expr, ast::Expr::Value(_))
                && !matches!(&key.expr, ast::Expr::Identifier(name) if names.contains(&name.value))
        };
        let further: Vec<&ast::Expr> = match query.body.as_ref() {
            SetExpr::Select(_) => keys.iter().filter(hidden).map(|key| &key.expr).collect(),
            _ => Vec::new(),
        };
        let relation = match query.body.as_ref() {
            SetExpr::Select(select) => self.select(select, &further)?,
            body => self.set_expr(body)?,
        };
        let width = relation.schema.len() - further.len();
        let order = self.sort_keys(keys, &relation, width, &further)?;
        let sorted = self.sorted(relation, order, &bounds, span)?;
        if further.is_empty() {
            return Ok(sorted);
        }
        let mut exprs = sorted.identity();
        exprs.truncate(width);
        Ok(sorted.project(exprs))
    }

    fn bounds(&self, query: &Query) -> Result<Bounds> {
        let mut bounds = Bounds { offset: 0, limit: None };
        match &query.limit_clause {
            None => {}
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) => {
                if !limit_by.is_empty() {
                    return Err(unsupported("LIMIT … BY", self.span_of(query)));
                }
                bounds.limit = limit.as_ref().map(|limit| self.count(limit)).transpose()?;
                let offset = offset.as_ref().map(|offset| self.count(&offset.value)).transpose()?;
                bounds.offset = offset.unwrap_or(0);
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => {
                bounds = Bounds { offset: self.count(offset)?, limit: Some(self.count(limit)?) };
            }
        }
        if let Some(fetch) = &query.fetch {
            if fetch.with_ties || fetch.percent {
                return Err(unsupported("FETCH with TIES or PERCENT", self.span_of(query)));
            }
            let quantity = fetch.quantity.as_ref().map(|count| self.count(count)).transpose()?;
            bounds.limit = Some(quantity.unwrap_or(1));
        }
        Ok(bounds)
    }

    /// A constant number of rows.
    fn count(&self, node: &ast::Expr) -> Result<u64> {
        let scope = Scope::default();
        let bound = ExprBinder::new(self, &scope, "LIMIT").bind(node)?;
        match bound {
            Expr::Literal(literal) if literal.ty.kind.is_integer() => match literal.value {
                Scalar::Integer(count @ 0..) => Ok(count.unsigned_abs()),
                _ => Err(semantic("LIMIT and OFFSET take a number from 0", self.span_of(node))),
            },
            _ => Err(semantic("LIMIT and OFFSET take a constant number", self.span_of(node))),
        }
    }

    fn sort_keys(
        &self,
        keys: &[OrderByExpr],
        relation: &Relation,
        width: usize,
        further: &[&ast::Expr],
    ) -> Result<Vec<SortKey>> {
        let scope = Scope::of(relation, None);
        let mut next = width;
        let mut order = Vec::with_capacity(keys.len());
        for key in keys {
            let descending = key.options.asc == Some(false);
            let nulls_first = key.options.nulls_first.unwrap_or(!descending);
            let span = self.span_of(&key.expr);
            let column = if further.iter().any(|node| std::ptr::eq(*node, &key.expr)) {
                next += 1;
                next - 1
            } else {
                match ExprBinder::new(self, &scope, "ORDER BY").bind(&key.expr)? {
                    Expr::Column { index, .. } => index,
                    Expr::Literal(literal) => {
                        let ordinal = match literal.value {
                            Scalar::Integer(ordinal) => usize::try_from(ordinal - 1).ok(),
                            _ => None,
                        };
                        ordinal.filter(|index| *index < width).ok_or_else(|| {
                            semantic(format!("ORDER BY takes columns 1 to {width}"), span)
                        })?
                    }
                    _ => {
                        return Err(unsupported(
                            "ORDER BY of an expression over a set operation",
                            span,
                        )
                        .help("compute it as a column in a subquery"));
                    }
                }
            };
            order.push(SortKey { column, descending, nulls_first });
        }
        Ok(order)
    }

    fn sorted(
        &self,
        relation: Relation,
        order: Vec<SortKey>,
        bounds: &Bounds,
        span: Span,
    ) -> Result<Relation> {
        let schema = relation.schema.clone();
        if let Some(limit) = bounds.limit {
            if limit == 0 {
                return Ok(Relation { op: RelOp::Values(Vec::new()), schema });
            }
            let rank = Rank {
                function: RankFunction::RowNumber,
                keys: Vec::new(),
                order,
                from: bounds.offset.saturating_add(1),
                to: bounds.offset.saturating_add(limit),
                rank_column: None,
            };
            return Ok(Relation { op: RelOp::Rank { input: Box::new(relation), rank }, schema });
        }
        if bounds.offset > 0 {
            return Err(unsupported("OFFSET without LIMIT", span));
        }
        let Some((first, rest)) = order.split_first() else { return Ok(relation) };
        // Order means nothing inside a query; as in Flink it is left out there.
        if self.is_nested() {
            return Ok(relation);
        }
        match (schema[first.column].ty.kind.time_attribute(), first.descending) {
            (TimeAttribute::Event, false) => {
                let sort = TemporalSort { time: first.column, order: rest.to_vec() };
                Ok(Relation { op: RelOp::Sort { input: Box::new(relation), sort }, schema })
            }
            // Rows come in this order.
            (TimeAttribute::Processing, false) if rest.is_empty() => Ok(relation),
            _ => {
                Err(unsupported("ORDER BY of an endless stream by other than ascending time", span)
                    .help("order by the event-time column first, or bound it: ORDER BY … LIMIT 10"))
            }
        }
    }
}

/// Names of the columns of a result, as far as they are written.
fn result_names(body: &SetExpr) -> Vec<String> {
    let SetExpr::Select(select) = body else { return Vec::new() };
    let names = select.projection.iter().filter_map(|item| match item {
        ast::SelectItem::UnnamedExpr(node) => natural_name(node),
        ast::SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
        _ => None,
    });
    names.collect()
}
