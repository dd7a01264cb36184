//! Joins: their conditions, and what form they take once WHERE is known.
//!
//! FROM and WHERE are read first; then [`settle`] moves the conditions of WHERE that span both sides of
//! an inner join into it and decides how each join treats time. Only then it is known which columns
//! still drive time: a join of whole tables lets rows come out at any time, so its output has none.

use sqlparser::ast::{self, JoinConstraint, JoinOperator};
use tidegate_plan::operator::JoinKind;
use tidegate_plan::{Expr, Schema};
use tidegate_types::{Field, Result, Span, TimeAttribute};

use super::expr::ExprBinder;
use super::scope::Scope;
use super::{Binder, semantic, unsupported};
use crate::algebra::{Join, JoinForm, RelOp, Relation};
use crate::bind::constant::is_deterministic;
use crate::optimize::conjunction::{join as conjunction, split};
use crate::optimize::join_time::moved;

impl Binder<'_> {
    /// Joins two relations as an operator says; names of both stay in sight.
    pub(super) fn joined(
        &mut self,
        (left, mut left_scope): (Relation, Scope),
        (right, mut right_scope): (Relation, Scope),
        operator: &JoinOperator,
        form: JoinForm,
        span: Span,
    ) -> Result<(Relation, Scope)> {
        let (kind, constraint) = kind_of(operator, span)?;
        let ttl = [self.state_ttl(&left_scope)?, self.state_ttl(&right_scope)?];
        let width = left.schema.len();
        self.check_names(&left_scope, &right_scope, span)?;
        if matches!(constraint, JoinConstraint::None)
            && !matches!(operator, JoinOperator::CrossJoin(_))
        {
            return Err(semantic("this join has no condition", span)
                .help("write ON …, USING (…), or CROSS JOIN"));
        }
        let shared = self.shared_columns(constraint, &left_scope, &right_scope, span)?;
        let mut on = Vec::new();
        for name in &shared {
            let column = |scope: &Scope| scope.resolve(std::slice::from_ref(name));
            let (a, b) = (column(&left_scope)?, shift(column(&right_scope)?, width));
            let scope = Scope::default();
            on.push(ExprBinder::new(self, &scope, "USING").apply("=", vec![a, b], span)?);
        }
        // The shared column stands once: that of the side whose rows all stay.
        let hide = if kind == JoinKind::Right { &mut left_scope } else { &mut right_scope };
        for column in &mut hide.columns {
            column.hidden |= shared.iter().any(|name| name.value == column.name);
        }
        let (left_star, right_star) = (left_scope.star(), right_scope.star());
        let mut scope = left_scope;
        scope.columns.extend(right_scope.columns);
        let star: Vec<usize> =
            left_star.into_iter().chain(right_star.into_iter().map(|c| c + width)).collect();
        // Shared columns come first.
        let is_shared =
            |column: &usize| shared.iter().any(|name| name.value == scope.columns[*column].name);
        let (first, rest): (Vec<usize>, Vec<usize>) = star.into_iter().partition(is_shared);
        scope.star = [first, rest].concat();
        if let JoinConstraint::On(condition) = constraint {
            let bound = ExprBinder::new(self, &scope, "ON").bind_condition(condition)?;
            on.extend(split(bound));
        }
        let join = Join { kind, on, form, ttl, span };
        let relation = build(left, right, join);
        scope.retype(&relation);
        if kind == JoinKind::Full && !shared.is_empty() {
            return self.merged(relation, scope, &shared, width, span);
        }
        Ok((relation, scope))
    }

    /// Two tables of one name could not be told apart.
    fn check_names(&self, left: &Scope, right: &Scope, span: Span) -> Result<()> {
        let names = right.columns.iter().filter_map(|column| column.qualifier.as_ref());
        for name in names {
            if left.columns.iter().any(|column| column.qualifier.as_ref() == Some(name)) {
                let message = format!("two tables of FROM are called '{name}'");
                return Err(semantic(message, span).help("give one of them an alias: t AS a"));
            }
        }
        Ok(())
    }

    /// A FULL join whose shared columns are those of whichever side there is.
    fn merged(
        &self,
        relation: Relation,
        mut scope: Scope,
        shared: &[ast::Ident],
        width: usize,
        span: Span,
    ) -> Result<(Relation, Scope)> {
        let relation = settle(relation, Vec::new());
        let mut exprs = relation.identity();
        for name in shared {
            let named = |column: &super::scope::ScopeColumn| column.name == name.value;
            let left = scope.columns[..width].iter().position(named);
            let right = scope.columns[width..].iter().position(named);
            if let (Some(left), Some(right)) = (left, right) {
                let sides = vec![relation.column(left), relation.column(width + right)];
                let empty = Scope::default();
                let either =
                    ExprBinder::new(self, &empty, "USING").apply("COALESCE", sides, span)?;
                exprs[left].expr = either;
            }
        }
        let relation = relation.project(exprs);
        scope.retype(&relation);
        Ok((relation, scope))
    }

    /// The columns of `USING` and `NATURAL`.
    fn shared_columns(
        &self,
        constraint: &JoinConstraint,
        left: &Scope,
        right: &Scope,
        span: Span,
    ) -> Result<Vec<ast::Ident>> {
        match constraint {
            JoinConstraint::Using(names) => names
                .iter()
                .map(|name| {
                    let part = name.0.first().and_then(|part| part.as_ident()).cloned();
                    part.filter(|_| name.0.len() == 1)
                        .ok_or_else(|| semantic("USING takes names of columns", span))
                })
                .collect(),
            JoinConstraint::Natural => {
                let names = left.columns.iter().filter(|column| !column.hidden);
                let common = names.filter(|a| right.columns.iter().any(|b| a.name == b.name));
                Ok(common.map(|column| ast::Ident::new(column.name.clone())).collect())
            }
            JoinConstraint::On(_) | JoinConstraint::None => Ok(Vec::new()),
        }
    }
}

/// Puts a join over its inputs.
pub(crate) fn build(left: Relation, right: Relation, join: Join) -> Relation {
    let schema = schema_of(&left.schema, &right.schema, &join);
    Relation { op: RelOp::Join { left: Box::new(left), right: Box::new(right), join }, schema }
}

/// The columns of a join: nullable where the other side's rows may stay alone, with the time attributes
/// that its form keeps.
pub(crate) fn schema_of(left: &Schema, right: &Schema, join: &Join) -> Schema {
    let width = left.len();
    let keeps_time = |column: usize| match &join.form {
        JoinForm::Undecided | JoinForm::Interval { .. } | JoinForm::Window { .. } => true,
        JoinForm::Regular => false,
        JoinForm::Temporal { .. } | JoinForm::Lookup { .. } => column < width,
    };
    let nullable = [join.kind.keeps_right(), join.kind.keeps_left()];
    let side = |fields: &Schema, first: usize, nullable: bool| -> Vec<Field> {
        let fields = fields.iter().enumerate();
        fields
            .map(|(index, field)| {
                let ty = field.ty.clone();
                let ty = if keeps_time(first + index) { ty } else { ty.materialized() };
                let ty = ty.clone().with_nullable(ty.nullable || nullable);
                Field::new(field.name.clone(), ty)
            })
            .collect()
    };
    let mut schema = side(left, 0, nullable[0]);
    if join.kind.has_right_columns() {
        schema.extend(side(right, width, nullable[1]));
        let names: Vec<String> = schema.iter().map(|field| field.name.clone()).collect();
        let names = super::select::unique_names(&names);
        schema.iter_mut().zip(names).for_each(|(field, name)| field.name = name);
    }
    schema
}

fn kind_of(operator: &JoinOperator, span: Span) -> Result<(JoinKind, &JoinConstraint)> {
    use JoinOperator as J;
    Ok(match operator {
        J::Join(on) | J::Inner(on) | J::CrossJoin(on) => (JoinKind::Inner, on),
        J::Left(on) | J::LeftOuter(on) => (JoinKind::Left, on),
        J::Right(on) | J::RightOuter(on) => (JoinKind::Right, on),
        J::FullOuter(on) => (JoinKind::Full, on),
        J::Semi(_) | J::LeftSemi(_) | J::RightSemi(_) => {
            return Err(unsupported("SEMI JOIN", span).help("write WHERE EXISTS (SELECT …)"));
        }
        J::Anti(_) | J::LeftAnti(_) | J::RightAnti(_) => {
            return Err(unsupported("ANTI JOIN", span).help("write WHERE NOT EXISTS (SELECT …)"));
        }
        _ => return Err(unsupported("this kind of join", span)),
    })
}

/// The expression over columns that stand `by` further right.
pub(super) fn shift(mut expr: Expr, by: usize) -> Expr {
    expr.remap_columns(&|index| index + by);
    expr
}

/// A relation with the conditions of WHERE: those that span both sides of an inner join become part of
/// it, and every join takes its form.
pub(super) fn settle(relation: Relation, conditions: Vec<Expr>) -> Relation {
    let (relation, above) = sink(relation, conditions);
    match conjunction(above) {
        Some(predicate) => relation.filter(predicate),
        None => relation,
    }
}

/// A join whose form is decided by its own conditions.
pub(super) fn settled(left: Relation, right: Relation, mut join: Join) -> Relation {
    if join.form == JoinForm::Undecided {
        (join.form, join.on) = form_of(&left, &right, join.on);
    }
    build(left, right, join)
}

/// Moves conditions into the joins below as far as they span them; returns those that stay above.
fn sink(relation: Relation, conditions: Vec<Expr>) -> (Relation, Vec<Expr>) {
    let Relation { op, schema } = relation;
    let RelOp::Join { left, right, mut join } = op else {
        return (Relation { op, schema }, conditions);
    };
    let width = left.schema.len();
    let (mut above, mut below) = (Vec::new(), Vec::new());
    for condition in conditions {
        let columns = condition.columns();
        let moves = is_deterministic(&condition) && !columns.is_empty();
        if join.kind != JoinKind::Inner || !moves {
            above.push(condition);
        } else if columns.iter().all(|column| *column < width) {
            below.push(condition);
        } else if columns.iter().any(|column| *column < width) {
            join.on.push(condition);
        } else {
            above.push(condition);
        }
    }
    // An inner join passes the conditions of its left side on to the joins there.
    let (left, left_above) = sink(*left, below);
    above.extend(left_above);
    let (right, _) = sink(*right, Vec::new());
    (settled(left, right, join), above)
}

/// The form of a join by its conditions, and what is left of those.
fn form_of(left: &Relation, right: &Relation, on: Vec<Expr>) -> (JoinForm, Vec<Expr>) {
    if let Some((form, rest)) = window_form(left, right, &on) {
        return (form, rest);
    }
    if let Some((form, rest)) = interval_form(&left.schema, &right.schema, &on) {
        return (form, rest);
    }
    (JoinForm::Regular, on)
}

/// Equality of both bounds of windows of one shape.
fn window_form(left: &Relation, right: &Relation, on: &[Expr]) -> Option<(JoinForm, Vec<Expr>)> {
    let (own, other) = (left.window()?, right.window()?);
    if own.shape != other.shape || own.event != other.event {
        return None;
    }
    let width = left.schema.len();
    let pair = |condition: &Expr| -> Option<(usize, usize)> {
        let Expr::Call { function, args, .. } = condition else { return None };
        let [Expr::Column { index: a, .. }, Expr::Column { index: b, .. }] = args.as_slice() else {
            return None;
        };
        if function.name != "=" {
            return None;
        }
        let (a, b) = (*a.min(b), *a.max(b));
        (a < width && b >= width).then(|| (a, b - width))
    };
    let find = |own: &[usize], other: &[usize]| {
        let fits = |&(a, b): &(usize, usize)| own.contains(&a) && other.contains(&b);
        on.iter().filter_map(pair).find(fits)
    };
    let start = find(&own.starts, &other.starts)?;
    let end = find(&own.ends, &other.ends)?;
    let form =
        JoinForm::Window { starts: [start.0, start.1], ends: [end.0, end.1], event: own.event };
    let rest = on.iter().filter(|c| !matches!(pair(c), Some(p) if p == start || p == end));
    Some((form, rest.cloned().collect()))
}

/// Bounds in both directions on the distance of the sides' times.
fn interval_form(left: &Schema, right: &Schema, on: &[Expr]) -> Option<(JoinForm, Vec<Expr>)> {
    let width = left.len();
    let attribute = |column: usize| {
        let field = if column < width { left.get(column) } else { right.get(column - width) };
        field.map_or(TimeAttribute::None, |field| field.ty.kind.time_attribute())
    };
    let bounds: Vec<Option<TimeBound>> =
        on.iter().map(|condition| TimeBound::of(condition, width, &attribute)).collect();
    let first = bounds.iter().flatten().next()?;
    let of_pair = |bound: &&TimeBound| bound.times == first.times;
    let lower = bounds.iter().flatten().filter(of_pair).filter_map(|b| b.lower).max()?;
    let upper = bounds.iter().flatten().filter(of_pair).filter_map(|b| b.upper).min()?;
    let event = attribute(first.times[0]) == TimeAttribute::Event;
    let times = [first.times[0], first.times[1] - width];
    let rest = on.iter().zip(&bounds);
    let rest = rest.filter(|(_, bound)| bound.as_ref().is_none_or(|b| b.times != first.times));
    let rest = rest.map(|(condition, _)| condition.clone()).collect();
    Some((JoinForm::Interval { times, event, lower, upper }, rest))
}

/// A bound on `left time − right time`, in ms.
struct TimeBound {
    /// Time columns of the left and the right side, over both.
    times: [usize; 2],
    lower: Option<i64>,
    upper: Option<i64>,
}

impl TimeBound {
    fn of(
        condition: &Expr,
        width: usize,
        attribute: &dyn Fn(usize) -> TimeAttribute,
    ) -> Option<Self> {
        let Expr::Call { function, args, .. } = condition else { return None };
        let [a, b] = args.as_slice() else { return None };
        let (a, b) = (moved(a)?, moved(b)?);
        let same = attribute(a.0) == attribute(b.0) && attribute(a.0) != TimeAttribute::None;
        if !same || (a.0 < width) == (b.0 < width) {
            return None;
        }
        // left + x OP right + y, with the sides in order.
        let mirrored = a.0 >= width;
        let (left, right) = if mirrored { (b, a) } else { (a, b) };
        let distance = right.1.checked_sub(left.1)?;
        let name = match (function.name.as_str(), mirrored) {
            ("<", true) => ">",
            ("<=", true) => ">=",
            (">", true) => "<",
            (">=", true) => "<=",
            (name, _) => name,
        };
        let (lower, upper) = match name {
            ">=" => (Some(distance), None),
            ">" => (Some(distance.checked_add(1)?), None),
            "<=" => (None, Some(distance)),
            "<" => (None, Some(distance.checked_sub(1)?)),
            "=" => (Some(distance), Some(distance)),
            _ => return None,
        };
        Some(Self { times: [left.0, right.0], lower, upper })
    }
}
