//! Names and types: statements → relational algebra, by Flink's rules.
//!
//! `query` and `select` bind relations, `expr` and what stands beside it scalar expressions, `table`
//! declarations, `insert` the fit of a query to its target.

pub(crate) mod aggregate;
mod call;
pub(crate) mod cast;
mod changelog;
pub(crate) mod constant;
mod current_watermark;
mod decorrelate;
pub(crate) mod dependent;
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
mod percentile;
mod qualify;
mod quantified;
mod query;
mod routine;
pub(crate) mod scope;
pub(crate) mod select;
mod set_operation;
mod special;
mod subquery;
pub(crate) mod table;
mod table_arguments;
mod temporal;
mod unnest;
mod values;
mod window_tvf;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use sqlparser::ast::{Query, Spanned};
use tidegate_plan::PlanSettings;
use tidegate_types::{Error, ErrorCode, Result, Span};

use self::routine::Parameters;
use crate::algebra::Relation;
use crate::catalog::{Catalog, Namespace, ObjectPath};
use crate::parser::cursor;
use crate::parser::tokens::{Hint, Hints};

/// How deep views and subqueries may be nested.
const MAX_QUERY_DEPTH: usize = 64;
/// Of what has none.
pub(crate) static NO_HINTS: Hints = Hints::new();

/// Binds queries against a catalog.
pub(crate) struct Binder<'a> {
    pub(crate) catalog: &'a Catalog,
    /// Where names without catalog and database are looked up.
    pub(crate) here: &'a Namespace,
    /// What the session has in use: that and `here` differ inside views and functions.
    pub(crate) current: &'a Namespace,
    pub(crate) settings: &'a PlanSettings,
    /// Hints of the statement or view whose query is bound now.
    hints: &'a Hints,
    /// Places of those that were read.
    read: Rc<RefCell<BTreeSet<(u32, u32)>>>,
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
    pub(crate) expanding: Vec<ObjectPath>,
    /// Functions whose bodies are bound around what is bound now.
    pub(crate) calling: Vec<String>,
    /// Those of the innermost such function.
    parameters: Parameters,
    /// How many parts of expressions came from bodies of functions.
    inlined: Rc<Cell<usize>>,
}

impl<'a> Binder<'a> {
    pub(crate) fn new(
        catalog: &'a Catalog,
        here: &'a Namespace,
        settings: &'a PlanSettings,
        hints: &'a Hints,
        place: Span,
    ) -> Self {
        Self {
            catalog,
            here,
            current: here,
            settings,
            hints,
            read: Rc::default(),
            place,
            ctes: Vec::new(),
            select_hints: Vec::new(),
            outer: None,
            depth: 0,
            expanding: Vec::new(),
            calling: Vec::new(),
            parameters: Parameters::default(),
            inlined: Rc::default(),
        }
    }

    /// A binder for a query or a body inside the query that is bound now, with none of its names in sight.
    fn inside<'x>(&self, here: &'x Namespace, hints: &'x Hints, place: Span) -> Binder<'x>
    where
        'a: 'x,
    {
        Binder {
            read: match std::ptr::eq(hints, self.hints) {
                true => Rc::clone(&self.read),
                false => Rc::default(),
            },
            current: self.current,
            depth: self.depth,
            expanding: self.expanding.clone(),
            calling: self.calling.clone(),
            inlined: Rc::clone(&self.inlined),
            ..Binder::new(self.catalog, here, self.settings, hints, place)
        }
    }

    /// Binds a whole query, of whose hints none may stand where it means nothing.
    ///
    /// # Errors
    /// Those of the query; `SQL_SYNTAX` for a hint that nothing reads.
    pub(crate) fn whole_query(&mut self, query: &Query) -> Result<Relation> {
        let relation = self.query(query)?;
        let read = self.read.borrow();
        match self.hints.iter().find(|(place, _)| !read.contains(place)) {
            Some((_, hints)) => {
                let span = hints.first().map_or(self.place, |hint| hint.span);
                let error = Error::new(ErrorCode::SqlSyntax, "no hint can stand here").at(span);
                Err(error.help(
                    "hints stand behind SELECT, or behind a table's name and before its alias",
                ))
            }
            None => Ok(relation),
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
