//! Subqueries in conditions and as values: they become joins.
//!
//! `EXISTS` and `IN` are semi joins, their negations anti joins; a subquery as a value is a left join
//! with its one row. A subquery may refer to columns of the query around it: conditions that do are
//! pulled up into the join ([`decorrelate`]).

use sqlparser::ast::{self, BinaryOperator, Query, UnaryOperator};
use tidegate_plan::operator::JoinKind;
use tidegate_plan::{AggregateCall, AggregateFunction, Expr};
use tidegate_types::{Field, Result, Span, SqlType, TypeKind};

use super::decorrelate::{decorrelate, has_outer, is_count, is_single_row, place_outer};
use super::expr::ExprBinder;
use super::grouping::bigint;
use super::join::{build, settle, settled};
use super::scope::{Scope, fields_of};
use super::{Binder, semantic, unsupported};
use crate::algebra::{Group, Join, JoinForm, RelOp, Relation};
use crate::optimize::conjunction::{join as conjunction, split};

/// Column indices from here on are columns of the query around a subquery.
pub(crate) const OUTER_BASE: usize = 1 << 42;
/// Column indices from here on stand for subqueries until they are joined.
pub(crate) const SUBQUERY_BASE: usize = 1 << 43;

impl ScalarSubquery {
    /// How many placeholders each subquery has, for its first columns.
    pub(super) const WIDTH: usize = 8;

    /// A relation that has at most one row for each row of the query around it.
    pub(super) fn new(relation: Relation, on: Vec<Expr>, span: Span) -> Self {
        Self { relation, on, zero: false, span }
    }
}

/// A subquery that is a value.
#[derive(Debug, Clone)]
pub(super) struct ScalarSubquery {
    /// At most one row per row of the query around it; the value is the first column.
    relation: Relation,
    /// Over the columns around it (from [`OUTER_BASE`]) and those of `relation`.
    on: Vec<Expr>,
    /// Whether no row means 0: `COUNT` of a group.
    zero: bool,
    span: Span,
}

impl ExprBinder<'_, '_> {
    /// A subquery that is a value; the result is a placeholder column.
    pub(super) fn scalar_subquery(&mut self, query: &Query, span: Span) -> Result<Expr> {
        let Some(collected) = self.subqueries.take() else {
            return Err(unsupported(&format!("a subquery in {}", self.clause), span)
                .help("join the subquery instead"));
        };
        let bound = self.binder.scalar(query, self.scope, span).map(|(subquery, ty)| {
            collected.push(subquery);
            let first = ScalarSubquery::WIDTH * (collected.len() - 1);
            Expr::column(SUBQUERY_BASE + first, ty)
        });
        self.subqueries = Some(collected);
        bound
    }
}

impl Binder<'_> {
    /// A column of the query around this one.
    pub(super) fn outer_column(&self, path: &[ast::Ident]) -> Option<Expr> {
        let (first, rest) = path.split_first()?;
        let outer = self.outer.as_ref()?;
        let mut found = outer.resolve(&path[..path.len().min(2)]).ok();
        let mut fields: &[ast::Ident] = path.get(2..).unwrap_or_default();
        if found.is_none() {
            found = outer.resolve(std::slice::from_ref(first)).ok();
            fields = rest;
        }
        let mut column = fields_of(found?, fields).ok()?;
        column.remap_columns(&|index| index + OUTER_BASE);
        Some(column)
    }

    /// A query that sees the columns around it.
    pub(super) fn inner_query(&self, query: &Query, scope: &Scope) -> Result<Relation> {
        let mut inner = Binder::new(self.catalog, self.settings, self.hints, self.place);
        inner.ctes = self.ctes.clone();
        inner.depth = self.depth;
        inner.outer = Some(scope.clone());
        inner.query(query)
    }

    fn scalar(
        &self,
        query: &Query,
        scope: &Scope,
        span: Span,
    ) -> Result<(ScalarSubquery, SqlType)> {
        let relation = self.inner_query(query, scope)?;
        let [field] = relation.schema.as_slice() else {
            let message = format!(
                "a subquery that is a value has one column, this has {}",
                relation.schema.len()
            );
            return Err(semantic(message, span));
        };
        let ty = field.ty.clone().materialized().with_nullable(true);
        let zero = is_count(&relation, 0);
        let correlated = has_outer(&relation);
        let single = is_single_row(&relation);
        if correlated && !single {
            return Err(unsupported(
                "a correlated subquery that is a value and not an aggregate",
                span,
            )
            .help("aggregate it, as in SELECT MAX(x) …, or write a join"));
        }
        let (relation, on) = decorrelate(relation, span)?;
        let relation = if single { relation } else { single_value(relation, &ty) };
        let zero = zero && correlated;
        Ok((ScalarSubquery { relation, on, zero, span }, ty))
    }

    /// The rows of FROM that WHERE lets through; joins take their form.
    pub(super) fn filtered(
        &mut self,
        relation: Relation,
        scope: &mut Scope,
        condition: Option<&ast::Expr>,
    ) -> Result<Relation> {
        let (mut plain, mut scalar, mut scalars, mut tests) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for node in condition.map(conjuncts).unwrap_or_default() {
            if let Some(test) = Test::of(node, false) {
                tests.push((test, self.span_of(node)));
                continue;
            }
            let before = scalars.len();
            let mut binder = ExprBinder::new(self, scope, "WHERE");
            binder.subqueries = Some(&mut scalars);
            let bound = binder.bind_condition(node)?;
            let target = if scalars.len() > before { &mut scalar } else { &mut plain };
            target.extend(split(bound));
        }
        let mut relation = settle(relation, plain);
        scope.retype(&relation);
        let width = relation.schema.len();
        if !scalars.is_empty() {
            relation = self.join_scalars(relation, &scalars, |rewrite| {
                scalar.iter_mut().for_each(&mut *rewrite);
            })?;
            if let Some(predicate) = conjunction(scalar) {
                relation = relation.filter(predicate);
            }
            let mut own = relation.identity();
            own.truncate(width);
            relation = relation.project(own);
        }
        for (test, span) in tests {
            relation = self.test(relation, scope, test, span)?;
        }
        Ok(relation)
    }

    /// Joins the rows of subqueries that are values; `each` is called with what replaces their
    /// placeholders.
    pub(super) fn join_scalars(
        &self,
        mut relation: Relation,
        subqueries: &[ScalarSubquery],
        each: impl FnOnce(&mut dyn FnMut(&mut Expr)),
    ) -> Result<Relation> {
        let mut values = Vec::with_capacity(subqueries.len());
        for subquery in subqueries {
            let width = relation.schema.len();
            let on = subquery.on.iter().cloned().map(|expr| place_outer(expr, width)).collect();
            let form = JoinForm::Regular;
            let join =
                Join { kind: JoinKind::Left, on, form, ttl: [None, None], span: subquery.span };
            relation = build(relation, subquery.relation.clone(), join);
            let shown = subquery.relation.schema.len().min(ScalarSubquery::WIDTH);
            for column in 0..ScalarSubquery::WIDTH {
                let value = relation.column(width + column.min(shown - 1));
                values.push(if subquery.zero { or_zero(value) } else { value });
            }
        }
        each(&mut |expr| replace_subqueries(expr, &values));
        Ok(relation)
    }

    /// Keeps the rows that pass a test.
    fn test(
        &self,
        relation: Relation,
        scope: &Scope,
        test: Test<'_>,
        span: Span,
    ) -> Result<Relation> {
        let width = relation.schema.len();
        let inner = self.inner_query(test.query, scope)?;
        if test.value.is_none() && is_single_row(&inner) {
            // An aggregate of the whole table has a row whatever the table holds.
            return Ok(match test.negated {
                false => relation,
                true => Relation { op: RelOp::Values(Vec::new()), schema: relation.schema },
            });
        }
        let compared = match test.value {
            None => Vec::new(),
            Some(ast::Expr::Tuple(values)) => values.iter().collect(),
            Some(value) => vec![value],
        };
        if test.value.is_some() && compared.len() != inner.schema.len() {
            let message = format!(
                "IN compares {} values with a subquery of {} columns",
                compared.len(),
                inner.schema.len()
            );
            return Err(semantic(message, span));
        }
        let (inner, correlated) = decorrelate(inner, span)?;
        let mut on = Vec::new();
        for (index, node) in compared.into_iter().enumerate() {
            let mut binder = ExprBinder::new(self, scope, "IN");
            let value = binder.bind(node)?;
            let found = Expr::column(width + index, inner.schema[index].ty.clone().materialized());
            let nullable = [&value, &found].map(|side| side.ty().nullable.then(|| side.clone()));
            let mut equal = binder.apply("=", vec![value, found], span)?;
            // NOT IN passes only what is certainly not there: NULL on either side may be.
            for side in nullable.into_iter().flatten().filter(|_| test.negated) {
                let unknown = binder.apply("IS NULL", vec![side], span)?;
                equal = binder.apply("OR", vec![equal, unknown], span)?;
            }
            on.push(equal);
        }
        on.extend(correlated.into_iter().map(|expr| place_outer(expr, width)));
        let kind = if test.negated { JoinKind::Anti } else { JoinKind::Semi };
        let form = JoinForm::Undecided;
        Ok(settled(relation, inner, Join { kind, on, form, ttl: [None, None], span }))
    }
}

/// `[NOT] EXISTS (…)` or `x [NOT] IN (…)`.
struct Test<'n> {
    value: Option<&'n ast::Expr>,
    query: &'n Query,
    negated: bool,
}

impl<'n> Test<'n> {
    fn of(node: &'n ast::Expr, negate: bool) -> Option<Self> {
        match node {
            ast::Expr::Nested(inner) => Self::of(inner, negate),
            ast::Expr::UnaryOp { op: UnaryOperator::Not, expr } => Self::of(expr, !negate),
            ast::Expr::Exists { subquery, negated } => {
                Some(Self { value: None, query: subquery, negated: *negated != negate })
            }
            ast::Expr::InSubquery { expr, subquery, negated } => {
                Some(Self { value: Some(expr), query: subquery, negated: *negated != negate })
            }
            _ => None,
        }
    }
}

/// The parts of nested ANDs, as written.
fn conjuncts(node: &ast::Expr) -> Vec<&ast::Expr> {
    let (mut parts, mut rest) = (Vec::new(), vec![node]);
    while let Some(next) = rest.pop() {
        match next {
            ast::Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                rest.extend([right.as_ref(), left.as_ref()]);
            }
            ast::Expr::Nested(inner) => rest.push(inner),
            other => parts.push(other),
        }
    }
    parts
}

fn replace_subqueries(expr: &mut Expr, values: &[Expr]) {
    if let Expr::Column { index, .. } = expr
        && let Some(value) = index.checked_sub(SUBQUERY_BASE).and_then(|at| values.get(at))
    {
        *expr = value.clone();
        return;
    }
    expr.children_mut().into_iter().for_each(|child| replace_subqueries(child, values));
}

pub(super) fn or_zero(value: Expr) -> Expr {
    let missing = Expr::call("IS NULL", vec![value.clone()], TypeKind::Boolean.not_null());
    let ty = TypeKind::BigInt.not_null();
    Expr::Case { branches: vec![(missing, bigint(0))], otherwise: Box::new(value), ty }
}

/// The one row of a relation; more of them fail the job.
fn single_value(relation: Relation, ty: &SqlType) -> Relation {
    let call = AggregateCall {
        function: AggregateFunction::SingleValue,
        argument: Some(0),
        parameters: Vec::new(),
        distinct: false,
        filter: None,
        name: "$value".to_owned(),
        ty: ty.clone(),
    };
    let schema = vec![Field::new("$value", ty.clone())];
    let group = Group { keys: Vec::new(), calls: vec![call], ttl: None };
    Relation { op: RelOp::Group { input: Box::new(relation), group }, schema }
}
