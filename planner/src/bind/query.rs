//! Queries: WITH, and what is refused around SELECT.

use sqlparser::ast::{Query, SetExpr};
use tidegate_types::{Error, Result, Span};

use super::{Binder, MAX_QUERY_DEPTH, semantic, unsupported};
use crate::algebra::Relation;

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
            self.ordered(query)
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
        let refused = [
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

    pub(super) fn set_expr(&mut self, body: &SetExpr) -> Result<Relation> {
        match body {
            SetExpr::Select(select) => self.select(select, &[]),
            SetExpr::Query(query) => self.query(query),
            SetExpr::Values(values) => self.values(values),
            SetExpr::SetOperation { .. } => self.set_operation(body),
            SetExpr::Table(table) => {
                let parts = [table.schema_name.clone(), table.table_name.clone()];
                let parts: Vec<String> = parts.into_iter().flatten().collect();
                self.named_table(&parts, self.place)
            }
            other => Err(unsupported("this statement inside a query", self.span_of(other))),
        }
    }
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
