//! Names and types: statements → relational algebra, by Flink's rules.
//!
//! `query` and `select` bind relations, `expr` and what stands beside it scalar expressions, `table`
//! declarations, `insert` the fit of a query to its target.

pub(crate) mod aggregate;
mod call;
pub(crate) mod cast;
pub(crate) mod constant;
mod decorrelate;
mod dependent;
mod expr;
pub(crate) mod former_time;
mod from;
mod gathered;
mod group_window;
mod grouping;
mod hint;
pub(crate) mod insert;
pub(crate) mod join;
mod lateral;
mod literal;
mod match_recognize;
mod nothing;
mod order;
pub(crate) mod over;
mod qualify;
mod quantified;
mod query;
pub(crate) mod scope;
pub(crate) mod select;
mod set_operation;
mod special;
mod subquery;
pub(crate) mod table;
mod temporal;
mod unnest;
mod values;
mod window_tvf;

use sqlparser::ast::Spanned;
use tidegate_plan::PlanSettings;
use tidegate_types::{Error, ErrorCode, Span};

use crate::algebra::Relation;
use crate::catalog::Catalog;
use crate::parser::cursor;
use crate::parser::tokens::{Hint, Hints};

/// How deep views and subqueries may be nested.
const MAX_QUERY_DEPTH: usize = 64;

/// Binds queries against a catalog.
pub(crate) struct Binder<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) settings: &'a PlanSettings,
    /// Hints of the statement or view whose query is bound now.
    hints: &'a Hints,
    /// Place of that query, for what has none of its own.
    place: Span,
    /// `WITH` tables in sight, innermost last.
    ctes: Vec<(String, Relation)>,
    /// Hints of the SELECT that is bound now.
    select_hints: Vec<Hint>,
    /// Columns of the query around a subquery, which may refer to them.
    outer: Option<scope::Scope>,
    depth: usize,
    /// Views that are expanded around the query that is bound now.
    pub(crate) expanding: Vec<String>,
}

impl<'a> Binder<'a> {
    pub(crate) fn new(
        catalog: &'a Catalog,
        settings: &'a PlanSettings,
        hints: &'a Hints,
        place: Span,
    ) -> Self {
        Self {
            catalog,
            settings,
            hints,
            place,
            ctes: Vec::new(),
            select_hints: Vec::new(),
            outer: None,
            depth: 0,
            expanding: Vec::new(),
        }
    }

    /// Whether a query is bound that stands inside another.
    pub(crate) fn is_nested(&self) -> bool {
        self.depth > 1
    }

    /// The place of a piece of syntax; that of the whole query if it has none.
    pub(crate) fn span_of(&self, node: &impl Spanned) -> Span {
        let span = node.span();
        if span.start.line == 0 { self.place } else { cursor::span(span) }
    }
}

/// An error of meaning at a place.
pub(crate) fn semantic(message: impl Into<String>, span: Span) -> Error {
    Error::new(ErrorCode::SqlSemantic, message).at(span)
}

/// A construct that is valid in Flink and not supported yet.
pub(crate) fn unsupported(construct: &str, span: Span) -> Error {
    Error::unsupported(format!("{construct} is not supported yet")).at(span)
}
