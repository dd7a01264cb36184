//! Expressions as text for EXPLAIN, with column names.

use tidegate_plan::{CastMode, Expr, Literal, NamedExpr, Scalar};
use tidegate_types::{Field, TypeKind};

/// A projection: names, and what they stand for where that differs.
pub(super) fn projection(exprs: &[NamedExpr], input: &[Field]) -> String {
    let items: Vec<String> = exprs
        .iter()
        .map(|named| match text(&named.expr, input) {
            text if text == named.name => text,
            text => format!("{text} AS {}", named.name),
        })
        .collect();
    items.join(", ")
}

/// A condition, without the brackets around the whole.
pub(super) fn condition(expr: &Expr, input: &[Field]) -> String {
    let text = text(expr, input);
    match text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(inner) if balanced(inner) => inner.to_owned(),
        _ => text,
    }
}

/// Whether no bracket closes one that was opened outside.
fn balanced(text: &str) -> bool {
    let mut depth = 0_i32;
    text.chars().all(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth >= 0
    })
}

/// An expression.
pub(super) fn text(expr: &Expr, input: &[Field]) -> String {
    match expr {
        Expr::Column { index, .. } => {
            input.get(*index).map_or_else(|| format!("${index}"), |field| field.name.clone())
        }
        Expr::Literal(value) => literal_text(value),
        Expr::Call { function, args, .. } => call(&function.name, args, input),
        Expr::Cast { input: value, ty, mode } => {
            let name = match mode {
                CastMode::Cast => "CAST",
                CastMode::TryCast => "TRY_CAST",
            };
            format!("{name}({} AS {ty})", text(value, input))
        }
        Expr::Case { branches, otherwise, .. } => {
            let branches: String = branches
                .iter()
                .map(|(when, then)| {
                    format!("WHEN {} THEN {} ", condition(when, input), text(then, input))
                })
                .collect();
            format!("CASE {branches}ELSE {} END", text(otherwise, input))
        }
        Expr::Field { input: row, index, .. } => {
            let name = match &row.ty().kind {
                TypeKind::Row(fields) | TypeKind::Structured { fields, .. } => {
                    fields.get(*index).map_or("?", |field| field.name.as_str())
                }
                _ => "?",
            };
            format!("{}.{name}", text(row, input))
        }
    }
}

fn call(name: &str, args: &[Expr], input: &[Field]) -> String {
    let values: Vec<String> = args.iter().map(|arg| text(arg, input)).collect();
    match (name, values.as_slice()) {
        ("IN", [value, list @ ..]) => format!("{value} IN ({})", list.join(", ")),
        ("NOT", [value]) => format!("NOT {value}"),
        ("NEGATE", [value]) => format!("-{value}"),
        (name, [value]) if name.starts_with("IS ") => format!("{value} {name}"),
        (name, [left, right]) if is_infix(name) => format!("({left} {name} {right})"),
        (name, values) => format!("{name}({})", values.join(", ")),
    }
}

fn is_infix(name: &str) -> bool {
    let symbol = !name.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
    symbol || matches!(name, "AND" | "OR" | "LIKE" | "IS DISTINCT FROM" | "IS NOT DISTINCT FROM")
}

/// A constant.
pub(super) fn literal_text(literal: &Literal) -> String {
    match (&literal.value, &literal.ty.kind) {
        (Scalar::Null, kind) => format!("NULL:{kind}"),
        (Scalar::Boolean(value), _) => value.to_string().to_uppercase(),
        (Scalar::Integer(value), kind) if kind.is_integer() => value.to_string(),
        (Scalar::Integer(value), TypeKind::IntervalDayTime) => {
            format!("{value}:INTERVAL MILLISECOND")
        }
        (Scalar::Integer(value), TypeKind::IntervalYearMonth) => format!("{value}:INTERVAL MONTH"),
        (Scalar::Integer(value), kind) => format!("{value}:{kind}"),
        (Scalar::Double(value), kind) => format!("{value:?}:{kind}"),
        (Scalar::Decimal(value), TypeKind::Decimal { scale, .. }) => decimal(*value, *scale),
        (Scalar::Decimal(value), kind) => format!("{value}:{kind}"),
        (Scalar::Text(value), _) => format!("'{}'", value.replace('\'', "''")),
        (Scalar::Bytes(value), _) => {
            let digits: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("X'{digits}'")
        }
    }
}

fn decimal(value: i128, scale: u8) -> String {
    let scale = usize::from(scale);
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let sign = if value < 0 { "-" } else { "" };
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}
