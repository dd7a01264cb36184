//! Expressions with a syntax of their own: BETWEEN, IN, LIKE, EXTRACT, SUBSTRING, TRIM, rows, arrays.

use sqlparser::ast::{self, CeilFloorKind, DateTimeField, TrimWhereField, ValueWithSpan};
use tidegate_plan::{Expr, Literal};
use tidegate_types::{Error, Field, Result, Span, SqlType, TypeKind};

use super::expr::ExprBinder;
use super::{cast, constant, literal, semantic, unsupported};
use crate::parser::difference::DIFFERENCE;

impl ExprBinder<'_, '_> {
    pub(super) fn special(&mut self, node: &ast::Expr, span: Span) -> Result<Expr> {
        use ast::Expr as E;
        match node {
            E::Between { expr, negated, low, high } => {
                self.between(expr, *negated, low, high, span)
            }
            E::InList { expr, list, negated } => self.in_list(expr, list, *negated, span),
            E::Like { negated, any: false, expr, pattern, escape_char } => {
                self.pattern("LIKE", *negated, [expr, pattern], escape_char.as_ref(), span)
            }
            E::SimilarTo { negated, expr, pattern, escape_char } => {
                self.pattern("SIMILAR TO", *negated, [expr, pattern], escape_char.as_ref(), span)
            }
            E::Extract { field, expr, .. } => {
                let unit = unit(field, span)?;
                let value = self.expr(expr)?;
                self.apply("EXTRACT", vec![literal::text(&unit), value], span)
            }
            E::Ceil { expr, field } => self.round_to("CEIL", expr, field, span),
            E::Floor { expr, field } => self.round_to("FLOOR", expr, field, span),
            E::Substring { expr, substring_from, substring_for, .. } => {
                let parts =
                    [Some(expr.as_ref()), substring_from.as_deref(), substring_for.as_deref()];
                self.call_present("SUBSTRING", &parts, span)
            }
            E::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                let what = Some(overlay_what.as_ref());
                let parts = [
                    Some(expr.as_ref()),
                    what,
                    Some(overlay_from.as_ref()),
                    overlay_for.as_deref(),
                ];
                self.call_present("OVERLAY", &parts, span)
            }
            E::Position { expr, r#in } => self.call_on("POSITION", &[expr, r#in], span),
            E::Trim { trim_where, trim_what, expr, trim_characters } => {
                if trim_characters.is_some() {
                    return Err(
                        semantic("TRIM(x, y) is not Flink SQL", span).help("write TRIM(y FROM x)")
                    );
                }
                self.trim(*trim_where, trim_what.as_deref(), expr, span)
            }
            E::Tuple(values) => self.row(&values.iter().collect::<Vec<_>>(), span),
            E::Array(array) => {
                self.collection("ARRAY", &array.elem.iter().collect::<Vec<_>>(), span)
            }
            E::InSubquery { expr, subquery, negated } => {
                self.in_value(expr, subquery, *negated, span)
            }
            E::Exists { subquery, negated } => self.exists_value(subquery, *negated, span),
            E::Subquery(query) => self.scalar_subquery(query, span),
            E::AnyOp { left, compare_op, right, .. } => {
                self.compared(left, compare_op, right, false, span)
            }
            E::AllOp { left, compare_op, right } => {
                self.compared(left, compare_op, right, true, span)
            }
            E::GroupingSets(_) | E::Cube(_) | E::Rollup(_) => {
                Err(semantic("GROUPING SETS, CUBE and ROLLUP stand only in GROUP BY", span))
            }
            E::Wildcard(_) | E::QualifiedWildcard(..) => {
                Err(semantic("* stands only in SELECT and COUNT(*)", span))
            }
            other => Err(unsupported(&format!("the expression {other}"), span)),
        }
    }

    /// `x BETWEEN low AND high`.
    fn between(
        &mut self,
        value: &ast::Expr,
        negated: bool,
        low: &ast::Expr,
        high: &ast::Expr,
        span: Span,
    ) -> Result<Expr> {
        let (value, low, high) = (self.expr(value)?, self.expr(low)?, self.expr(high)?);
        let (above, below, both) = if negated { ("<", ">", "OR") } else { (">=", "<=", "AND") };
        let first = self.apply(above, vec![value.clone(), low], span)?;
        let second = self.apply(below, vec![value, high], span)?;
        self.apply(both, vec![first, second], span)
    }

    /// `x BETWEEN SYMMETRIC a AND b`: between them in either order.
    pub(super) fn between_symmetric(
        &mut self,
        operands: &[&ast::Expr],
        span: Span,
    ) -> Result<Expr> {
        let [value, a, b] = operands else {
            return Err(Error::internal("BETWEEN SYMMETRIC takes three operands"));
        };
        let (value, a, b) = (self.expr(value)?, self.expr(a)?, self.expr(b)?);
        let between = |low: &Expr, high: &Expr| {
            let first = self.apply(">=", vec![value.clone(), low.clone()], span)?;
            let second = self.apply("<=", vec![value.clone(), high.clone()], span)?;
            self.apply("AND", vec![first, second], span)
        };
        let (forward, backward) = (between(&a, &b)?, between(&b, &a)?);
        self.apply("OR", vec![forward, backward], span)
    }

    /// `(a - b) DAY`: what lies between two moments, as an interval.
    pub(super) fn difference(&mut self, operands: &[&ast::Expr], span: Span) -> Result<Expr> {
        let [minus, unit] = operands else {
            return Err(Error::internal("a difference takes a subtraction and a unit"));
        };
        let ast::Expr::BinaryOp { left, op: ast::BinaryOperator::Minus, right } = minus else {
            let message = "a unit stands behind the difference of two moments only";
            return Err(semantic(message, span).help("write (b - a) DAY"));
        };
        let (to, from, unit) = (self.expr(left)?, self.expr(right)?, self.expr(unit)?);
        self.apply(DIFFERENCE, vec![unit, from, to], span)
    }

    /// `(a, b) OVERLAPS (c, d)`: whether two spans of time have a moment in common, their ends
    /// included; the second of each may be its length.
    pub(super) fn overlaps(
        &mut self,
        left: &ast::Expr,
        right: &ast::Expr,
        span: Span,
    ) -> Result<Expr> {
        let mut ends = Vec::with_capacity(4);
        for side in [left, right] {
            let ast::Expr::Tuple(parts) = side else {
                return Err(semantic("OVERLAPS compares two spans of time", span)
                    .help("write (start, end) OVERLAPS (start, end)"));
            };
            let [start, end] = parts.as_slice() else {
                return Err(semantic("a span of time is (start, end) or (start, length)", span));
            };
            let (start, end) = (self.expr(start)?, self.expr(end)?);
            let end = match end.ty().kind.is_interval() {
                true => self.apply("+", vec![start.clone(), end], span)?,
                false => end,
            };
            // Either may come first.
            let later = self.apply("<=", vec![start.clone(), end.clone()], span)?;
            let first = self.case_of(vec![(later.clone(), start.clone())], end.clone(), span)?;
            let last = self.case_of(vec![(later, end)], start, span)?;
            ends.push((first, last));
        }
        let [(a, b), (c, d)] =
            <[_; 2]>::try_from(ends).map_err(|_| Error::internal("OVERLAPS has two sides"))?;
        let first = self.apply(">=", vec![b, c], span)?;
        let second = self.apply(">=", vec![d, a], span)?;
        self.apply("AND", vec![first, second], span)
    }

    fn in_list(
        &mut self,
        value: &ast::Expr,
        list: &[ast::Expr],
        negated: bool,
        span: Span,
    ) -> Result<Expr> {
        let value = self.expr(value)?;
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            let bound = self.expr(item)?;
            items.push(constant::fold(bound, self.binder.settings));
        }
        let constants = items.iter().all(|item| matches!(item, Expr::Literal(_)));
        let found = if constants && items.len() > 1 {
            let args = std::iter::once(value).chain(items).collect();
            self.apply("IN", args, span)?
        } else {
            let equal = |item| self.apply("=", vec![value.clone(), item], span);
            let equals = items.into_iter().map(equal).collect::<Result<Vec<_>>>()?;
            self.balanced("OR", equals, span)?
        };
        if negated { self.apply("NOT", vec![found], span) } else { Ok(found) }
    }

    fn pattern(
        &mut self,
        name: &str,
        negated: bool,
        operands: [&ast::Expr; 2],
        escape: Option<&ValueWithSpan>,
        span: Span,
    ) -> Result<Expr> {
        let mut args =
            operands.iter().map(|operand| self.expr(operand)).collect::<Result<Vec<_>>>()?;
        if let Some(escape) = escape {
            args.push(self.expr(&ast::Expr::Value(escape.clone()))?);
        }
        let matched = self.apply(name, args, span)?;
        if negated { self.apply("NOT", vec![matched], span) } else { Ok(matched) }
    }

    /// `FLOOR(x)` and `FLOOR(x TO unit)`.
    fn round_to(
        &mut self,
        name: &str,
        value: &ast::Expr,
        to: &CeilFloorKind,
        span: Span,
    ) -> Result<Expr> {
        let value = self.expr(value)?;
        match to {
            CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) => {
                self.apply(name, vec![value], span)
            }
            CeilFloorKind::DateTimeField(field) => {
                let unit = literal::text(&unit(field, span)?);
                self.apply(&format!("{name}_TO"), vec![value, unit], span)
            }
            CeilFloorKind::Scale(_) => {
                Err(semantic(format!("{name} takes one argument"), span)
                    .help("use TRUNCATE or ROUND"))
            }
        }
    }

    fn call_present(
        &mut self,
        name: &str,
        parts: &[Option<&ast::Expr>],
        span: Span,
    ) -> Result<Expr> {
        let parts: Vec<&ast::Expr> = parts.iter().flatten().copied().collect();
        self.call_on(name, &parts, span)
    }

    fn trim(
        &mut self,
        side: Option<TrimWhereField>,
        what: Option<&ast::Expr>,
        value: &ast::Expr,
        span: Span,
    ) -> Result<Expr> {
        let value = self.expr(value)?;
        let what = match what {
            Some(what) => self.expr(what)?,
            None => literal::text(" "),
        };
        let side = match side {
            None | Some(TrimWhereField::Both) => "BOTH",
            Some(TrimWhereField::Leading) => "LEADING",
            Some(TrimWhereField::Trailing) => "TRAILING",
        };
        self.apply("TRIM", vec![literal::text(side), what, value], span)
    }

    /// `ROW(a, b)` and `(a, b)`; the fields are named `EXPR$0`, …, as in Flink.
    pub(super) fn row(&mut self, values: &[&ast::Expr], span: Span) -> Result<Expr> {
        if values.is_empty() {
            return Err(semantic("ROW needs at least one value", span));
        }
        let args = values.iter().map(|value| self.expr(value)).collect::<Result<Vec<_>>>()?;
        self.row_of(args, span)
    }

    /// A row of bound values.
    pub(super) fn row_of(&self, args: Vec<Expr>, span: Span) -> Result<Expr> {
        let fields = args.iter().enumerate().map(|(index, arg)| {
            Field::new(format!("EXPR${index}"), arg.ty().clone().materialized())
        });
        let ty = TypeKind::Row(fields.collect()).not_null();
        self.constructor("ROW", args, ty, span)
    }

    /// `ARRAY[a, b]`.
    pub(super) fn collection(
        &mut self,
        name: &str,
        values: &[&ast::Expr],
        span: Span,
    ) -> Result<Expr> {
        let args = values.iter().map(|value| self.expr(value)).collect::<Result<Vec<_>>>()?;
        if args.is_empty() {
            return Err(semantic(format!("{name} needs at least one element"), span));
        }
        self.apply(name, args, span)
    }

    /// A constructor whose type the planner knows better than a rule over types could.
    fn constructor(&self, name: &str, args: Vec<Expr>, ty: SqlType, span: Span) -> Result<Expr> {
        match self.apply(name, args, span)? {
            Expr::Call { function, args, .. } => Ok(Expr::Call { function, args, ty }),
            other => Ok(other),
        }
    }

    /// Values of one type for a set operation or `VALUES`.
    pub(super) fn unified(&self, values: Vec<Expr>, span: Span) -> Result<Vec<Expr>> {
        let types: Vec<SqlType> = values.iter().map(|value| value.ty().clone()).collect();
        let Some(ty) = cast::unify(&types) else {
            let shown: Vec<String> = types.iter().map(|ty| ty.kind.to_string()).collect();
            return Err(semantic(
                format!("the values have no common type: {}", shown.join(", ")),
                span,
            ));
        };
        let settings = self.binder.settings;
        Ok(values
            .into_iter()
            .map(|value| match (&value, &ty.kind) {
                (Expr::Literal(literal), kind) if literal.ty.kind == TypeKind::Null => {
                    Expr::Literal(Literal::null(kind.clone()))
                }
                _ => cast::coerce(value, &ty, settings),
            })
            .collect())
    }
}

/// The name of a unit of time, in upper case.
fn unit(field: &DateTimeField, span: Span) -> Result<String> {
    let name = field.to_string().to_uppercase();
    let name = match name.as_str() {
        "SECONDS" | "MINUTES" | "HOURS" | "DAYS" | "WEEKS" | "MONTHS" | "YEARS" => {
            &name[..name.len() - 1]
        }
        other => other,
    };
    match name {
        "NANOSECOND" | "MICROSECOND" | "MILLISECOND" | "SECOND" | "MINUTE" | "HOUR" | "DAY"
        | "DOW" | "DOY" | "ISODOW" | "WEEK" | "MONTH" | "QUARTER" | "YEAR" | "ISOYEAR"
        | "DECADE" | "CENTURY" | "MILLENNIUM" | "EPOCH" => Ok(name.to_owned()),
        other => Err(semantic(format!("{other} is not a unit of time"), span)),
    }
}
