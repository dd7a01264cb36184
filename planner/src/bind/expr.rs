//! Scalar expressions: which syntax is which call, and what each part must be.

use sqlparser::ast::{
    self, AccessExpr, BinaryOperator, CaseWhen, CastKind, Ident, ObjectNamePart, Subscript,
    UnaryOperator, Value,
};
use tidegate_functions::{Argument, coercion, lookup};
use tidegate_plan::{CastMode, Expr, FunctionRef, Literal, Scalar};
use tidegate_types::{ErrorCode, Result, Span, SqlType, TypeKind};

use super::aggregate::AggregateItem;
use super::group_window::GroupWindow;
use super::match_recognize::PatternRows;
use super::over::OverItem;
use super::scope::{Scope, field_of};
use super::subquery::ScalarSubquery;
use super::{Binder, cast, constant, literal, semantic, unsupported};

/// Deepest nesting of a bound expression.
const MAX_DEPTH: usize = 200;

/// Binds the expressions of one clause.
pub(crate) struct ExprBinder<'b, 'a> {
    pub(super) binder: &'b Binder<'a>,
    pub(super) scope: &'b Scope,
    /// Where aggregate calls are collected; none where they may not stand.
    pub(super) aggregates: Option<&'b mut Vec<AggregateItem>>,
    /// Where calls with OVER are collected; none where they may not stand.
    pub(super) overs: Option<&'b mut Vec<OverItem>>,
    /// Where subqueries that are values are collected; none where they may not stand.
    pub(super) subqueries: Option<&'b mut Vec<ScalarSubquery>>,
    /// The definitions of the WINDOW clause.
    pub(super) windows: &'b [ast::NamedWindowDefinition],
    /// The window of GROUP BY TUMBLE(…), whose bounds functions give.
    pub(super) group_window: Option<&'b GroupWindow>,
    /// Whether an aggregate would be of the whole table.
    pub(super) whole_table: bool,
    /// Of MATCH_RECOGNIZE: whose rows names are of.
    pub(super) rows: Option<&'b mut PatternRows>,
    /// Name of the clause, for messages.
    pub(super) clause: &'static str,
    /// Places of the columns that were read.
    pub(super) references: Vec<(usize, Span)>,
    depth: usize,
}

impl<'b, 'a> ExprBinder<'b, 'a> {
    pub(crate) fn new(binder: &'b Binder<'a>, scope: &'b Scope, clause: &'static str) -> Self {
        Self {
            binder,
            scope,
            aggregates: None,
            overs: None,
            subqueries: None,
            windows: &[],
            group_window: None,
            whole_table: false,
            rows: None,
            clause,
            references: Vec::new(),
            depth: 0,
        }
    }

    /// Binds an expression and computes its constant parts.
    pub(crate) fn bind(&mut self, node: &ast::Expr) -> Result<Expr> {
        let bound = self.expr(node)?;
        Ok(constant::fold(bound, self.binder.settings))
    }

    /// Binds a condition.
    pub(crate) fn bind_condition(&mut self, node: &ast::Expr) -> Result<Expr> {
        let span = self.binder.span_of(node);
        let bound = self.expr(node)?;
        let bound = self.boolean(bound, span)?;
        Ok(constant::fold(bound, self.binder.settings))
    }

    pub(super) fn expr(&mut self, node: &ast::Expr) -> Result<Expr> {
        self.depth += 1;
        let result = if self.depth > MAX_DEPTH {
            Err(semantic("the expression is nested too deeply", self.binder.span_of(node)))
        } else {
            self.expr_kind(node)
        };
        self.depth -= 1;
        result
    }

    fn expr_kind(&mut self, node: &ast::Expr) -> Result<Expr> {
        use ast::Expr as E;
        let span = self.binder.span_of(node);
        match node {
            E::Identifier(name) => self.column(std::slice::from_ref(name)),
            E::CompoundIdentifier(path) => self.column(path),
            E::CompoundFieldAccess { root, access_chain } => self.access(root, access_chain, span),
            E::Nested(inner) => self.expr(inner),
            E::Value(value) => self.value(&value.value, span),
            E::TypedString(typed) => literal::typed_string(typed, span),
            E::Interval(interval) => literal::interval(interval, span),
            E::BinaryOp { op, .. } => self.binary(node, op, span),
            E::UnaryOp { op, expr } => self.unary(*op, expr, span),
            E::IsNull(e) => self.call_on("IS NULL", &[e], span),
            E::IsNotNull(e) => self.call_on("IS NOT NULL", &[e], span),
            E::IsTrue(e) => self.truth("IS TRUE", e, span),
            E::IsNotTrue(e) => self.truth("IS NOT TRUE", e, span),
            E::IsFalse(e) => self.truth("IS FALSE", e, span),
            E::IsNotFalse(e) => self.truth("IS NOT FALSE", e, span),
            E::IsUnknown(e) => self.truth("IS UNKNOWN", e, span),
            E::IsNotUnknown(e) => self.truth("IS NOT UNKNOWN", e, span),
            E::IsDistinctFrom(a, b) => self.call_on("IS DISTINCT FROM", &[a, b], span),
            E::IsNotDistinctFrom(a, b) => self.call_on("IS NOT DISTINCT FROM", &[a, b], span),
            E::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), span)
            }
            E::Cast { kind, expr, data_type, .. } => {
                let target = literal::flink_type(data_type, span)?;
                let mode = match kind {
                    CastKind::Cast => CastMode::Cast,
                    CastKind::TryCast => CastMode::TryCast,
                    _ => {
                        return Err(semantic("this form of cast is not Flink SQL", span)
                            .help("write CAST(x AS type)"));
                    }
                };
                let input = self.expr(expr)?;
                self.explicit_cast(input, target, mode, span)
            }
            E::Function(function) => self.function(function, span),
            _ => self.special(node, span),
        }
    }

    fn column(&mut self, path: &[Ident]) -> Result<Expr> {
        if self.rows.is_some() {
            return self.pattern_column(path);
        }
        let found = match self.scope.resolve(path) {
            Ok(found) => found,
            // It is found, and nothing around it is meant.
            Err(error) if error.code() == ErrorCode::PermissionDenied => return Err(error),
            Err(error) => match self.binder.outer_column(path)? {
                Some(found) => found,
                None => {
                    let found = self.binder.parameter(path);
                    found.unwrap_or_else(|| Err(self.binder.no_column(error, self.scope)))?
                }
            },
        };
        if let (Some(first), Some(index)) = (path.first(), found.columns().first()) {
            self.references.push((*index, crate::parser::cursor::span(first.span)));
        }
        Ok(found)
    }

    fn value(&self, value: &Value, span: Span) -> Result<Expr> {
        Ok(match value {
            Value::Number(text, _) => literal::number(text, span)?,
            Value::SingleQuotedString(text) | Value::UnicodeStringLiteral(text) => {
                literal::text(text)
            }
            Value::Boolean(value) => Expr::Literal(Literal {
                value: Scalar::Boolean(*value),
                ty: TypeKind::Boolean.not_null(),
            }),
            Value::Null => Expr::Literal(Literal::null(TypeKind::Null)),
            Value::HexStringLiteral(text) => literal::hex(text, span)?,
            other => {
                return Err(semantic(format!("{other} is not a literal of Flink SQL"), span));
            }
        })
    }

    /// Operators. Chains of one precedence are trees that lean left, so they are walked in a loop.
    fn binary(&mut self, node: &ast::Expr, op: &BinaryOperator, span: Span) -> Result<Expr> {
        if matches!(op, BinaryOperator::And | BinaryOperator::Or) {
            return self.logical(node, op, span);
        }
        if let ast::Expr::BinaryOp { left, op: BinaryOperator::Overlaps, right } = node {
            return self.overlaps(left, right, span);
        }
        let mut chain = Vec::new();
        let mut leftmost = node;
        while let ast::Expr::BinaryOp { left, op, right } = leftmost {
            if matches!(op, BinaryOperator::And | BinaryOperator::Or) {
                break;
            }
            chain.push((operator_name(op, span)?, right.as_ref()));
            leftmost = left;
        }
        if chain.len() > MAX_DEPTH {
            return Err(semantic("the expression is nested too deeply", span));
        }
        let mut result = self.expr(leftmost)?;
        for (name, right) in chain.into_iter().rev() {
            let right = self.expr(right)?;
            result = self.apply(name, vec![result, right], span)?;
        }
        Ok(result)
    }

    /// AND and OR: long chains become balanced trees.
    fn logical(&mut self, node: &ast::Expr, op: &BinaryOperator, span: Span) -> Result<Expr> {
        let mut operands = Vec::new();
        let mut rest = node;
        while let ast::Expr::BinaryOp { left, op: inner, right } = rest {
            if inner != op {
                break;
            }
            operands.push(right.as_ref());
            rest = left;
        }
        operands.push(rest);
        let name = if *op == BinaryOperator::And { "AND" } else { "OR" };
        let mut bound = Vec::with_capacity(operands.len());
        for operand in operands.into_iter().rev() {
            let place = self.binder.span_of(operand);
            let condition = self.expr(operand)?;
            bound.push(self.boolean(condition, place)?);
        }
        self.balanced(name, bound, span)
    }

    /// A balanced tree of a logical operator; at least one operand.
    pub(super) fn balanced(&self, name: &str, mut operands: Vec<Expr>, span: Span) -> Result<Expr> {
        while operands.len() > 1 {
            let mut next = Vec::with_capacity(operands.len().div_ceil(2));
            let mut pairs = operands.into_iter();
            while let Some(left) = pairs.next() {
                next.push(match pairs.next() {
                    Some(right) => self.apply(name, vec![left, right], span)?,
                    None => left,
                });
            }
            operands = next;
        }
        operands.pop().ok_or_else(|| semantic(format!("{name} has no operands"), span))
    }

    fn unary(&mut self, op: UnaryOperator, operand: &ast::Expr, span: Span) -> Result<Expr> {
        match op {
            UnaryOperator::Plus => self.expr(operand),
            UnaryOperator::Minus => match operand {
                // The sign belongs to the number: -2147483648 is an INT.
                ast::Expr::Value(value) if matches!(value.value, Value::Number(..)) => {
                    literal::number(&format!("-{}", value.value), span)
                }
                _ => self.call_on("NEGATE", &[operand], span),
            },
            UnaryOperator::Not => {
                let place = self.binder.span_of(operand);
                let bound = self.expr(operand)?;
                let bound = self.boolean(bound, place)?;
                self.apply("NOT", vec![bound], span)
            }
            other => Err(semantic(format!("the operator {other} is not Flink SQL"), span)),
        }
    }

    fn truth(&mut self, name: &str, operand: &ast::Expr, span: Span) -> Result<Expr> {
        let bound = self.expr(operand)?;
        let bound = self.boolean(bound, span)?;
        self.apply(name, vec![bound], span)
    }

    /// A condition must be BOOLEAN; an untyped NULL becomes one.
    pub(super) fn boolean(&self, expr: Expr, span: Span) -> Result<Expr> {
        match expr.ty().kind {
            TypeKind::Boolean => Ok(expr),
            TypeKind::Null => Ok(Expr::Literal(Literal::null(TypeKind::Boolean))),
            _ => Err(semantic(format!("a condition must be BOOLEAN, this is {}", expr.ty()), span)),
        }
    }

    /// Binds operands, then a call.
    pub(super) fn call_on(
        &mut self,
        name: &str,
        operands: &[&ast::Expr],
        span: Span,
    ) -> Result<Expr> {
        let args = operands.iter().map(|operand| self.expr(operand)).collect::<Result<Vec<_>>>()?;
        self.apply(name, args, span)
    }

    /// A call of a built-in function on bound arguments, with the casts that its type rule asks for.
    pub(super) fn apply(&self, name: &str, args: Vec<Expr>, span: Span) -> Result<Expr> {
        let function = lookup(name).ok_or_else(|| self.unknown_function(name, span))?;
        let seen = |ty: &SqlType| match function.sees_time_attributes {
            true => ty.clone(),
            false => ty.clone().materialized(),
        };
        let arguments: Vec<Argument> = args
            .iter()
            .map(|arg| Argument {
                ty: seen(arg.ty()),
                literal: constant::value(arg, self.binder.settings),
            })
            .collect();
        let signature = function.signature(&arguments).map_err(|error| error.at(span))?;
        let args = args
            .into_iter()
            .zip(&signature.arguments)
            .map(|(arg, ty)| cast::coerce(arg, ty, self.binder.settings))
            .collect();
        let function = FunctionRef { name: function.name.to_owned(), version: function.version };
        Ok(Expr::Call { function, args, ty: signature.result })
    }

    /// `CAST` and `TRY_CAST`.
    pub(super) fn explicit_cast(
        &self,
        input: Expr,
        target: SqlType,
        mode: CastMode,
        span: Span,
    ) -> Result<Expr> {
        let from = input.ty();
        if !coercion::can_cast(from, &target) {
            return Err(semantic(format!("{from} cannot be cast to {}", target.kind), span));
        }
        if let Expr::Literal(Literal { value: Scalar::Null, .. }) = input {
            return Ok(Expr::Literal(Literal::null(target.kind)));
        }
        let plain = from.clone().materialized() == *from;
        let same = from.clone().with_nullable(true) == target.clone().with_nullable(true);
        if (same || !cast::is_nested(&target) && cast::same_values(from, &target)) && plain {
            return Ok(input);
        }
        let nullable = from.nullable || mode == CastMode::TryCast;
        let ty = target.with_nullable(nullable);
        Ok(Expr::Cast { input: Box::new(input), ty, mode })
    }

    /// Searched and simple `CASE`.
    fn case(
        &mut self,
        operand: Option<&ast::Expr>,
        conditions: &[CaseWhen],
        otherwise: Option<&ast::Expr>,
        span: Span,
    ) -> Result<Expr> {
        let operand = operand.map(|operand| self.expr(operand)).transpose()?;
        let mut branches = Vec::with_capacity(conditions.len());
        for branch in conditions {
            let place = self.binder.span_of(&branch.condition);
            let condition = self.expr(&branch.condition)?;
            let condition = match &operand {
                Some(operand) => self.apply("=", vec![operand.clone(), condition], place)?,
                None => self.boolean(condition, place)?,
            };
            branches.push((condition, self.expr(&branch.result)?));
        }
        let otherwise = match otherwise {
            Some(otherwise) => self.expr(otherwise)?,
            None => Expr::Literal(Literal::null(TypeKind::Null)),
        };
        self.case_of(branches, otherwise, span)
    }

    /// A `CASE` whose values are cast to their common type.
    pub(super) fn case_of(
        &self,
        branches: Vec<(Expr, Expr)>,
        otherwise: Expr,
        span: Span,
    ) -> Result<Expr> {
        let values = branches.iter().map(|(_, value)| value).chain([&otherwise]);
        let types: Vec<SqlType> = values.map(|value| value.ty().clone()).collect();
        let Some(ty) = cast::unify(&types).filter(|ty| ty.kind != TypeKind::Null) else {
            let shown: Vec<String> = types.iter().map(|ty| ty.kind.to_string()).collect();
            let message = format!("the values of CASE have no common type: {}", shown.join(", "));
            return Err(semantic(message, span).help("cast them to one type"));
        };
        let settings = self.binder.settings;
        let branches = branches
            .into_iter()
            .map(|(condition, value)| (condition, cast::coerce(value, &ty, settings)))
            .collect();
        let otherwise = Box::new(cast::coerce(otherwise, &ty, settings));
        Ok(Expr::Case { branches, otherwise, ty })
    }

    /// `value.field`, `array[1]`, `map['key']`, in any sequence.
    fn access(&mut self, root: &ast::Expr, chain: &[AccessExpr], span: Span) -> Result<Expr> {
        let mut value = self.expr(root)?;
        for access in chain {
            value = match access {
                AccessExpr::Dot(ast::Expr::Identifier(name)) => field_of(value, name)?,
                AccessExpr::Subscript(Subscript::Index { index }) => {
                    let index = self.expr(index)?;
                    if let TypeKind::Row(fields) = &value.ty().kind {
                        let name = field_name(fields, &index, span)?;
                        value = field_of(value, &Ident::with_quote('`', name))?;
                        continue;
                    }
                    self.apply("ITEM", vec![value, index], span)?
                }
                AccessExpr::Dot(_) => {
                    return Err(semantic("behind the dot stands no field's name", span));
                }
                AccessExpr::Subscript(_) => return Err(unsupported("a slice of an array", span)),
            };
        }
        Ok(value)
    }
}

/// The field that a constant names, or counts from 1.
fn field_name(fields: &[tidegate_types::Field], index: &Expr, span: Span) -> Result<String> {
    match index {
        Expr::Literal(Literal { value: Scalar::Text(name), .. }) => Ok(name.clone()),
        Expr::Literal(Literal { value: Scalar::Integer(number), .. }) => {
            let place = usize::try_from(*number).ok().and_then(|number| number.checked_sub(1));
            let field = place.and_then(|place| fields.get(place));
            field.map(|field| field.name.clone()).ok_or_else(|| {
                let message =
                    format!("the row has {} fields, there is no number {number}", fields.len());
                semantic(message, span)
            })
        }
        _ => Err(semantic("a field of a row is chosen by a constant name or number", span)),
    }
}

/// The name of a function without catalog and database.
pub(super) fn simple_name(name: &ast::ObjectName) -> Option<&Ident> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(name)] => Some(name),
        _ => None,
    }
}

/// The function behind an operator.
pub(super) fn operator_name(op: &BinaryOperator, span: Span) -> Result<&'static str> {
    Ok(match op {
        BinaryOperator::Plus => "+",
        BinaryOperator::Minus => "-",
        BinaryOperator::Multiply => "*",
        BinaryOperator::Divide => "/",
        BinaryOperator::Modulo => "%",
        BinaryOperator::StringConcat => "||",
        BinaryOperator::Eq => "=",
        BinaryOperator::NotEq => "<>",
        BinaryOperator::Lt => "<",
        BinaryOperator::LtEq => "<=",
        BinaryOperator::Gt => ">",
        BinaryOperator::GtEq => ">=",
        other => {
            return Err(semantic(format!("the operator {other} is not Flink SQL"), span));
        }
    })
}
