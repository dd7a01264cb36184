//! Expressions and types as Flink prints them in `SHOW CREATE TABLE` and `DESCRIBE`, and the columns
//! that an expression names.

use std::collections::BTreeSet;

use sqlparser::ast::{
    AccessExpr, BinaryOperator, DataType, DateTimeField, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArguments, Ident, Interval, ObjectName, ObjectNamePart, Subscript,
    TimezoneInfo, TypedString, UnaryOperator, Value, ValueWithSpan,
};
use tidegate_types::{Field, SqlType, TypeKind, sql_type::MAX_LENGTH};

use super::dialect::{FLINK_TYPE, MAP_CONSTRUCTOR, SOURCE_WATERMARK, UNIT_FUNCTIONS};
use super::difference::DIFFERENCE;

/// An expression with names in backquotes, functions in capitals and types as Flink calls them.
pub(crate) fn expression(expr: &Expr) -> String {
    let mut expr = expr.clone();
    rewrite(&mut expr);
    expr.to_string()
}

/// A name in backquotes.
pub(crate) fn name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text in single quotes.
pub(crate) fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A type without time attribute, with STRING and BYTES by their lengths and `NOT NULL` at its end.
pub(crate) fn sql_type(ty: &SqlType) -> String {
    let null = if ty.nullable { "" } else { " NOT NULL" };
    format!("{}{null}", type_kind(&ty.kind))
}

fn type_kind(kind: &TypeKind) -> String {
    match kind {
        TypeKind::VarChar { length: MAX_LENGTH } => format!("VARCHAR({MAX_LENGTH})"),
        TypeKind::VarBinary { length: MAX_LENGTH } => format!("VARBINARY({MAX_LENGTH})"),
        TypeKind::Timestamp { precision, .. } => format!("TIMESTAMP({precision})"),
        TypeKind::TimestampLtz { precision, .. } => {
            format!("TIMESTAMP({precision}) WITH LOCAL TIME ZONE")
        }
        TypeKind::Array(element) => format!("ARRAY<{}>", sql_type(element)),
        TypeKind::Multiset(element) => format!("MULTISET<{}>", sql_type(element)),
        TypeKind::Map(key, value) => format!("MAP<{}, {}>", sql_type(key), sql_type(value)),
        TypeKind::Row(fields) => format!("ROW<{}>", sql_fields(fields)),
        TypeKind::Structured { class, fields } => {
            format!("STRUCTURED<'{}', {}>", class.replace('\'', "''"), sql_fields(fields))
        }
        other => other.to_string(),
    }
}

fn sql_fields(fields: &[Field]) -> String {
    let fields = fields.iter();
    let fields = fields.map(|field| format!("{} {}", name(&field.name), sql_type(&field.ty)));
    fields.collect::<Vec<_>>().join(", ")
}

/// The names that an expression may take from columns: the first part of each, and the second, in
/// case the first is the table's.
pub(crate) fn columns(expr: &Expr) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    collect(&mut expr.clone(), &mut names);
    names
}

fn collect(expr: &mut Expr, names: &mut BTreeSet<String>) {
    match expr {
        Expr::Identifier(ident) => {
            names.insert(ident.value.clone());
        }
        Expr::CompoundIdentifier(parts) => {
            names.extend(parts.iter().take(2).map(|part| part.value.clone()));
        }
        other => children(other).into_iter().for_each(|child| collect(child, names)),
    }
}

fn rewrite(expr: &mut Expr) {
    children(expr).into_iter().for_each(rewrite);
    match expr {
        Expr::Identifier(ident) => quote(ident),
        Expr::CompoundIdentifier(parts) => parts.iter_mut().for_each(quote),
        Expr::CompoundFieldAccess { access_chain, .. } => {
            for access in access_chain {
                if let AccessExpr::Dot(Expr::Identifier(ident)) = access {
                    quote(ident);
                }
            }
        }
        Expr::Cast { data_type, .. } => flink_type(data_type),
        Expr::TypedString(TypedString {
            data_type: DataType::Timestamp(None, TimezoneInfo::Tz),
            value,
            ..
        }) => *expr = finished(format!("TIMESTAMP WITH LOCAL TIME ZONE {}", value.value)),
        Expr::Interval(interval) => singular(interval),
        Expr::Value(ValueWithSpan { value: Value::Boolean(value), .. }) => {
            *expr = finished(value.to_string().to_uppercase());
        }
        Expr::Value(value) => literal(&mut value.value),
        Expr::Substring { special, .. } => *special = true,
        Expr::Case { operand, conditions, .. } => {
            if let Some(operand) = operand.take() {
                conditions.iter_mut().for_each(|when| compare(&operand, &mut when.condition));
            }
        }
        Expr::UnaryOp { op: op @ (UnaryOperator::Minus | UnaryOperator::Plus), expr: inner } => {
            *expr = signed(op, inner);
        }
        Expr::Function(function) if function.name.to_string() == MAP_CONSTRUCTOR => {
            let entries = arguments(function).into_iter().map(|entry| entry.to_string());
            *expr = finished(format!("MAP[{}]", entries.collect::<Vec<_>>().join(", ")));
        }
        Expr::Function(function) if function.name.to_string() == DIFFERENCE => {
            if let [difference, Expr::Value(unit)] = arguments(function).as_slice() {
                let unit = unit.value.clone().into_string().unwrap_or_default();
                *expr = finished(format!("({difference}) {unit}"));
            }
        }
        Expr::Function(function) => capitals(function),
        _ => {}
    }
}

/// An expression whose text is known.
fn finished(text: String) -> Expr {
    Expr::Identifier(Ident::new(text))
}

/// A sign stands apart, or it would begin a comment behind another; but not from numbers.
fn signed(sign: &UnaryOperator, inner: &Expr) -> Expr {
    match inner {
        Expr::Interval(interval) => {
            finished(interval.to_string().replacen('\'', &format!("{sign}'"), 1))
        }
        Expr::Value(_) => finished(format!("{sign}{inner}")),
        _ if inner.to_string().starts_with(['-', '+']) => finished(format!("{sign} ({inner})")),
        _ => finished(format!("{sign} {inner}")),
    }
}

/// Numbers and bytes in capitals, with a digit before the point.
fn literal(value: &mut Value) {
    match value {
        Value::Number(text, _) => {
            let zero = if text.starts_with('.') { "0" } else { "" };
            *text = format!("{zero}{}", text.to_uppercase());
        }
        Value::HexStringLiteral(text) => *text = text.to_uppercase(),
        _ => {}
    }
}

/// `CASE a WHEN b` is `CASE WHEN a = b`.
fn compare(operand: &Expr, value: &mut Expr) {
    let right = std::mem::replace(value, finished(String::new()));
    let left = Box::new(operand.clone());
    *value = Expr::BinaryOp { left, op: BinaryOperator::Eq, right: Box::new(right) };
}

fn quote(ident: &mut Ident) {
    ident.quote_style = Some('`');
}

/// The type that the parser keeps as JSON, as text.
fn flink_type(data_type: &mut DataType) {
    let DataType::Custom(name, arguments) = data_type else {
        return;
    };
    if name.to_string() != FLINK_TYPE {
        return;
    }
    let parsed = arguments.first().and_then(|json| serde_json::from_str::<SqlType>(json).ok());
    if let Some(ty) = parsed {
        *data_type = DataType::Custom(ObjectName::from(Ident::new(ty.to_string())), Vec::new());
    }
}

/// `INTERVAL '2' SECONDS` is `INTERVAL '2' SECOND`.
fn singular(interval: &mut Interval) {
    for field in [&mut interval.leading_field, &mut interval.last_field].into_iter().flatten() {
        let one = match field {
            DateTimeField::Years => DateTimeField::Year,
            DateTimeField::Months => DateTimeField::Month,
            DateTimeField::Days => DateTimeField::Day,
            DateTimeField::Hours => DateTimeField::Hour,
            DateTimeField::Minutes => DateTimeField::Minute,
            DateTimeField::Seconds => DateTimeField::Second,
            _ => continue,
        };
        *field = one;
    }
}

fn capitals(function: &mut Function) {
    for part in &mut function.name.0 {
        if let ObjectNamePart::Identifier(ident) = part
            && ident.quote_style.is_none()
        {
            ident.value = ident.value.to_ascii_uppercase();
            // Flink's parser does not know it, so it is a name like any other.
            if ident.value == SOURCE_WATERMARK {
                quote(ident);
            }
        }
    }
}

/// The expressions directly inside one. Those of forms that no definition of a table holds, such as
/// subqueries, are left out.
fn children(expr: &mut Expr) -> Vec<&mut Expr> {
    match expr {
        Expr::BinaryOp { left, right, .. }
        | Expr::IsDistinctFrom(left, right)
        | Expr::IsNotDistinctFrom(left, right)
        | Expr::Position { expr: left, r#in: right }
        | Expr::AtTimeZone { timestamp: left, time_zone: right } => vec![left, right],
        Expr::Like { expr, pattern, .. } | Expr::SimilarTo { expr, pattern, .. } => {
            vec![expr, pattern]
        }
        Expr::UnaryOp { expr, .. }
        | Expr::Nested(expr)
        | Expr::Cast { expr, .. }
        | Expr::IsNull(expr)
        | Expr::IsNotNull(expr)
        | Expr::IsTrue(expr)
        | Expr::IsNotTrue(expr)
        | Expr::IsFalse(expr)
        | Expr::IsNotFalse(expr)
        | Expr::IsUnknown(expr)
        | Expr::IsNotUnknown(expr)
        | Expr::Extract { expr, .. }
        | Expr::Ceil { expr, .. }
        | Expr::Floor { expr, .. } => vec![expr],
        Expr::Between { expr, low, high, .. } => vec![expr, low, high],
        Expr::InList { expr, list, .. } => {
            std::iter::once(expr.as_mut()).chain(list.iter_mut()).collect()
        }
        Expr::Substring { expr, substring_from, substring_for, .. } => {
            let rest = [substring_from, substring_for].into_iter().flatten();
            std::iter::once(expr.as_mut()).chain(rest.map(Box::as_mut)).collect()
        }
        Expr::Trim { expr, trim_what, .. } => {
            std::iter::once(expr.as_mut()).chain(trim_what.iter_mut().map(Box::as_mut)).collect()
        }
        Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
            let rest = overlay_for.iter_mut().map(Box::as_mut);
            [expr.as_mut(), overlay_what, overlay_from].into_iter().chain(rest).collect()
        }
        Expr::Case { operand, conditions, else_result, .. } => {
            let branches = conditions.iter_mut();
            let branches = branches.flat_map(|when| [&mut when.condition, &mut when.result]);
            let operand = operand.iter_mut().map(Box::as_mut);
            operand.chain(branches).chain(else_result.iter_mut().map(Box::as_mut)).collect()
        }
        Expr::Array(array) => array.elem.iter_mut().collect(),
        Expr::Tuple(values) => values.iter_mut().collect(),
        Expr::CompoundFieldAccess { root, access_chain } => {
            let indices = access_chain.iter_mut().filter_map(|access| match access {
                AccessExpr::Subscript(Subscript::Index { index }) => Some(index),
                _ => None,
            });
            std::iter::once(root.as_mut()).chain(indices).collect()
        }
        Expr::Function(function) => arguments(function),
        _ => Vec::new(),
    }
}

fn arguments(function: &mut Function) -> Vec<&mut Expr> {
    let name = function.name.to_string().to_ascii_uppercase();
    let units = usize::from(UNIT_FUNCTIONS.contains(&name.as_str()));
    let FunctionArguments::List(list) = &mut function.args else {
        return Vec::new();
    };
    let arguments = list.args.iter_mut().skip(units);
    let arguments = arguments.filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
        | FunctionArg::Named { arg: FunctionArgExpr::Expr(expr), .. }
        | FunctionArg::ExprNamed { arg: FunctionArgExpr::Expr(expr), .. } => Some(expr),
        _ => None,
    });
    arguments.collect()
}
