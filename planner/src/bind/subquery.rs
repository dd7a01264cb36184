//! Subqueries in conditions and as values: they become joins.
//!
//! `EXISTS` and `IN` are semi joins, their negations anti joins; a subquery as a value is a left join
//! with its one row. A subquery may refer to columns of the query around it: conditions that do are
//! pulled up into the join ([`decorrelate`]).

use sqlparser::ast::{self, BinaryOperator, Query, UnaryOperator};
use tidegate_plan::operator::JoinKind;
use tidegate_plan::{AggregateCall, AggregateFunction, Expr};
use tidegate_types::{ErrorCode, Field, Result, Span, SqlType, TypeKind};

use super::decorrelate::{is_outer, is_single_row};
use super::dependent::{decorrelated, placed};
use super::expr::ExprBinder;
use super::join::{build, settle, settled};
use super::nothing::Nothing;
use super::scope::{Scope, fields_of};
use super::{Binder, semantic, unsupported};
use crate::algebra::{Group, Join, JoinForm, RelOp, Relation};
use crate::optimize::conjunction::{join as conjunction, split};

/// Column indices from here on are columns of the query around a subquery.
pub(crate) const OUTER_BASE: usize = 1 << 42;
/// Column indices from here on stand for subqueries until they are joined.
pub(crate) const SUBQUERY_BASE: usize = 1 << 43;

/// A subquery that is a value.
#[derive(Debug, Clone)]
pub(super) struct ScalarSubquery {
    /// At most one row per row of the query around it; the value is the first column. Columns from
    /// [`OUTER_BASE`] on are parameters.
    relation: Relation,
    /// Over parameters and the columns of `relation`.
    on: Vec<Expr>,
    /// What it depends on, over the rows around it.
    parameters: Vec<Expr>,
    /// Its columns without a row.
    nothing: Nothing,
    pub(super) span: Span,
}

impl ScalarSubquery {
    /// How many placeholders each subquery has, for its first columns.
    pub(super) const WIDTH: usize = 8;

    /// A relation that has at most one row for each row of the query around it; its columns from [`OUTER_BASE`]
    /// on are those of that query.
    pub(super) fn new(mut relation: Relation, span: Span) -> Self {
        let mut nothing = Nothing::of(&relation);
        let mut parameters = Vec::new();
        parametrize(&mut relation, &mut parameters);
        for value in nothing.values_mut() {
            parametrize_expr(value, &mut parameters);
        }
        Self { relation, on: Vec::new(), parameters, nothing, span }
    }

    /// The type of the value.
    pub(super) fn value_type(&self) -> SqlType {
        let first = self.relation.schema.first();
        let ty = first.map_or_else(|| TypeKind::Null.nullable(), |field| field.ty.clone());
        ty.materialized().with_nullable(true)
    }

    /// Adds a value around it to its parameters.
    pub(super) fn parameter(&mut self, value: Expr) -> Expr {
        parameter(value, &mut self.parameters)
    }

    /// Adds a condition over parameters and its columns.
    pub(super) fn compare(&mut self, condition: Expr) {
        self.on.push(condition);
    }

    /// What it depends on, to be rewritten in place.
    pub(super) fn parameters_mut(&mut self) -> &mut [Expr] {
        &mut self.parameters
    }

    /// Its rows beside those of `relation`, which begins with the columns of `outer`; and its values.
    fn joined(&self, relation: Relation, outer: &Relation) -> Result<(Relation, Vec<Expr>)> {
        let shown = self.relation.schema.len();
        let inner = self.nothing.marked(self.relation.clone());
        let (inner, mut on) = decorrelated(inner, outer, &self.parameters, self.span)?;
        let (own, width) = (outer.schema.len(), relation.schema.len());
        on.iter_mut().for_each(|expr| {
            expr.remap_columns(&|index| if index < own { index } else { index - own + width });
        });
        let compared = self.on.iter().cloned();
        on.extend(compared.map(|expr| placed(expr, &self.parameters, width)));
        let join = Join {
            kind: JoinKind::Left,
            on,
            form: JoinForm::Regular,
            ttl: [None, None],
            span: self.span,
        };
        let joined = build(relation, inner, join);
        let first = width..width + shown;
        let values = (0..Self::WIDTH).map(|column| {
            self.nothing.value(&joined, first.clone(), column.min(shown - 1), &self.parameters)
        });
        let values = values.collect();
        Ok((joined, values))
    }
}

/// Columns around a subquery become its parameters.
fn parametrize(relation: &mut Relation, parameters: &mut Vec<Expr>) {
    relation.exprs_mut().into_iter().for_each(|expr| parametrize_expr(expr, parameters));
    relation.inputs_mut().into_iter().for_each(|input| parametrize(input, parameters));
}

fn parametrize_expr(expr: &mut Expr, parameters: &mut Vec<Expr>) {
    match expr {
        Expr::Column { index, ty } if is_outer(*index) => {
            *expr = parameter(Expr::column(*index - OUTER_BASE, ty.clone()), parameters);
        }
        other => {
            other.children_mut().into_iter().for_each(|child| parametrize_expr(child, parameters));
        }
    }
}

/// The column that stands for a parameter.
fn parameter(value: Expr, parameters: &mut Vec<Expr>) -> Expr {
    let ty = value.ty().clone();
    let place = parameters.iter().position(|known| *known == value).unwrap_or_else(|| {
        parameters.push(value);
        parameters.len() - 1
    });
    Expr::column(OUTER_BASE + place, ty)
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
    ///
    /// # Errors
    /// `PERMISSION_DENIED` for one that may not be read.
    pub(super) fn outer_column(&self, path: &[ast::Ident]) -> Result<Option<Expr>> {
        let (Some((first, rest)), Some(outer)) = (path.split_first(), &self.outer) else {
            return Ok(None);
        };
        let find = |path: &[ast::Ident]| match outer.resolve(path) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.code() == ErrorCode::PermissionDenied => Err(error),
            Err(_) => Ok(None),
        };
        let mut found = find(&path[..path.len().min(2)])?;
        let mut fields: &[ast::Ident] = path.get(2..).unwrap_or_default();
        if found.is_none() {
            found = find(std::slice::from_ref(first))?;
            fields = rest;
        }
        let Some(mut column) = found.and_then(|found| fields_of(found, fields).ok()) else {
            return Ok(None);
        };
        column.remap_columns(&|index| index + OUTER_BASE);
        Ok(Some(column))
    }

    /// A query that sees the columns around it.
    pub(super) fn inner_query(&self, query: &Query, scope: &Scope) -> Result<Relation> {
        let mut inner = self.inside(self.here, self.hints, self.place);
        inner.ctes = self.ctes.clone();
        inner.parameters = self.parameters.clone();
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
        let relation = match is_single_row(&relation) {
            true => relation,
            false => single_value(relation, &ty),
        };
        Ok((ScalarSubquery::new(relation, span), ty))
    }

    /// The rows of FROM that WHERE lets through; joins take their form.
    pub(super) fn filtered(
        &mut self,
        relation: Relation,
        scope: &mut Scope,
        conditions: Vec<&ast::Expr>,
    ) -> Result<Relation> {
        let (mut plain, mut scalar, mut scalars, mut tests) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for node in conditions {
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
        if subqueries.is_empty() {
            return Ok(relation);
        }
        let outer = relation.clone();
        let mut values = Vec::with_capacity(subqueries.len());
        for subquery in subqueries {
            let (joined, own) = subquery.joined(relation, &outer)?;
            relation = joined;
            values.extend(own);
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
        let around: Vec<Expr> = relation.identity().into_iter().map(|named| named.expr).collect();
        let (inner, correlated) = decorrelated(inner, &relation, &around, span)?;
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
        on.extend(correlated);
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
pub(super) fn conjuncts(node: &ast::Expr) -> Vec<&ast::Expr> {
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
