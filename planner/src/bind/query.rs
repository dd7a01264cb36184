//! Queries: WITH, UNION ALL, and what is refused around SELECT.

use sqlparser::ast::{Query, SetExpr, SetOperator, SetQuantifier};
use tidegate_plan::{Expr, NamedExpr};
use tidegate_types::{Error, Field, Result, Span, SqlType, TimeAttribute};

use super::{Binder, MAX_QUERY_DEPTH, cast, semantic, unsupported};
use crate::algebra::{RelOp, Relation};

impl Binder<'_> {
    /// Binds a query with its WITH clause.
    pub(crate) fn query(&mut self, query: &Query) -> Result<Relation> {
        self.depth += 1;
        if self.depth > MAX_QUERY_DEPTH {
            return Err(semantic("the query is nested too deeply", self.place));
        }
        let ctes = self.ctes.len();
        let result = self.with(query).and_then(|()| {
            self.refuse_clauses(query)?;
            self.set_expr(&query.body)
        });
        self.ctes.truncate(ctes);
        self.depth -= 1;
        result
    }

    fn with(&mut self, query: &Query) -> Result<()> {
        let Some(with) = &query.with else {
            return Ok(());
        };
        if with.recursive {
            return Err(unsupported("WITH RECURSIVE", self.span_of(query)));
        }
        for cte in &with.cte_tables {
            let relation = self.query(&cte.query)?;
            let names: Vec<&str> =
                cte.alias.columns.iter().map(|column| column.name.value.as_str()).collect();
            let relation = rename(relation, &names, self.span_of(&cte.alias))?;
            self.ctes.push((cte.alias.name.value.clone(), relation));
        }
        Ok(())
    }

    fn refuse_clauses(&self, query: &Query) -> Result<()> {
        let span = self.span_of(query);
        if let Some(order) = &query.order_by {
            return Err(unsupported("ORDER BY", self.span_of(order))
                .help("for the first rows per window use ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY …)"));
        }
        let refused = [
            (query.limit_clause.is_some(), "LIMIT"),
            (query.fetch.is_some(), "FETCH"),
            (!query.locks.is_empty(), "FOR UPDATE"),
            (query.for_clause.is_some(), "FOR"),
            (query.settings.is_some(), "SETTINGS"),
            (query.format_clause.is_some(), "FORMAT"),
            (!query.pipe_operators.is_empty(), "|>"),
        ];
        match refused.into_iter().find(|(there, _)| *there) {
            Some((_, clause)) => Err(unsupported(clause, span)),
            None => Ok(()),
        }
    }

    fn set_expr(&mut self, body: &SetExpr) -> Result<Relation> {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::Values(values) => self.values(values),
            SetExpr::SetOperation { .. } => self.union(body),
            SetExpr::Table(_) => Err(unsupported("a query of the form TABLE t", self.place)
                .help("write SELECT * FROM t")),
            other => Err(unsupported("this statement inside a query", self.span_of(other))),
        }
    }

    /// A chain of UNION ALL leans left; it is read in a loop and becomes one node.
    fn union(&mut self, body: &SetExpr) -> Result<Relation> {
        let mut branches = Vec::new();
        let mut rest = body;
        while let SetExpr::SetOperation { left, op, set_quantifier, right } = rest {
            if *op != SetOperator::Union || *set_quantifier != SetQuantifier::All {
                let name = match set_quantifier {
                    SetQuantifier::None => op.to_string(),
                    quantifier => format!("{op} {quantifier}"),
                };
                let error = unsupported(&name, self.span_of(right.as_ref()));
                return Err(match op {
                    SetOperator::Union => error.help("UNION ALL keeps duplicates and is supported"),
                    _ => error,
                });
            }
            branches.push(right.as_ref());
            rest = left;
        }
        branches.push(rest);
        let mut inputs = Vec::with_capacity(branches.len());
        for branch in branches.into_iter().rev() {
            inputs.push((self.set_expr(branch)?, self.span_of(branch)));
        }
        self.union_of(inputs)
    }

    /// Casts every input to the common types, under the first one's names.
    fn union_of(&self, inputs: Vec<(Relation, Span)>) -> Result<Relation> {
        let width = inputs.first().map_or(0, |(first, _)| first.schema.len());
        if let Some((other, span)) = inputs.iter().find(|(input, _)| input.schema.len() != width) {
            let message =
                format!("UNION ALL of queries with {width} and {} columns", other.schema.len());
            return Err(semantic(message, *span));
        }
        let mut schema = Vec::with_capacity(width);
        for index in 0..width {
            let types: Vec<SqlType> =
                inputs.iter().map(|(input, _)| input.schema[index].ty.clone()).collect();
            let name = inputs.first().map_or("", |(first, _)| first.schema[index].name.as_str());
            let Some(ty) = common_with_time(&types) else {
                let shown: Vec<String> = types.iter().map(ToString::to_string).collect();
                let span = inputs.last().map_or(self.place, |(_, span)| *span);
                let message = format!(
                    "column '{name}' of the UNION ALL has no common type: {}",
                    shown.join(", ")
                );
                return Err(semantic(message, span).help("cast the columns to one type"));
            };
            schema.push(Field::new(name, ty));
        }
        let inputs = inputs.into_iter().map(|(input, _)| self.conform(input, &schema)).collect();
        Ok(Relation { op: RelOp::Union { inputs }, schema })
    }

    /// A projection to the names and types of a schema; none if they are there already.
    fn conform(&self, input: Relation, schema: &[Field]) -> Relation {
        let same = |(have, want): (&Field, &Field)| cast::same_values(&have.ty, &want.ty);
        if input.schema.iter().zip(schema).all(same) {
            return input;
        }
        let exprs =
            input.schema.iter().enumerate().zip(schema).map(|((index, have), want)| NamedExpr {
                name: want.name.clone(),
                expr: cast::coerce(Expr::column(index, have.ty.clone()), &want.ty, self.settings),
            });
        let exprs = exprs.collect();
        input.project(exprs)
    }
}

/// The common type; the time attribute stays if all have the same.
fn common_with_time(types: &[SqlType]) -> Option<SqlType> {
    let common = cast::unify(types)?;
    let attribute = types.first().map_or(TimeAttribute::None, |ty| ty.kind.time_attribute());
    let kept =
        types.iter().all(|ty| ty.kind.time_attribute() == attribute && ty.same_kind(&common));
    if kept {
        return Some(SqlType {
            kind: common.kind.with_time_attribute(attribute),
            nullable: common.nullable,
        });
    }
    Some(common)
}

/// The relation under other column names; all or none are given.
pub(super) fn rename(relation: Relation, names: &[&str], span: Span) -> Result<Relation> {
    if names.is_empty() {
        return Ok(relation);
    }
    if names.len() != relation.schema.len() {
        let message =
            format!("{} names are given for {} columns", names.len(), relation.schema.len());
        return Err(semantic(message, span));
    }
    let mut exprs = relation.identity();
    for (named, name) in exprs.iter_mut().zip(names) {
        named.name = (*name).to_owned();
    }
    Ok(relation.project(exprs))
}

/// An error for a query that has no columns, which no engine could count.
pub(super) fn no_columns(span: Span) -> Error {
    semantic("the query has no columns", span)
}
