//! Short ways to build expressions, bound as a planner binds them, and to see their values.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, StringViewArray};
use arrow::datatypes::Schema;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::{CastMode, Expr, Literal, PlanSettings, Scalar};
use tidegate_types::{Error, Field, Result, SqlType, TypeKind};

use crate::cast::render;
use crate::datetime::zone::Zone;
use crate::decimal;
use crate::eval::{EvalContext, Evaluator};
use crate::function::Argument;
use crate::registry::lookup;

/// The moment of evaluation in tests: 2024-02-29 12:34:56.789 UTC.
pub(crate) const NOW_MS: i64 = 1_709_210_096_789;

pub(crate) fn literal(value: Scalar, kind: TypeKind) -> Expr {
    let nullable = value == Scalar::Null;
    Expr::Literal(Literal { value, ty: SqlType { kind, nullable } })
}

pub(crate) fn text(value: &str) -> Expr {
    let length = value.chars().count() as u32;
    literal(Scalar::Text(value.to_owned()), TypeKind::Char { length })
}

pub(crate) fn int(value: i32) -> Expr {
    literal(Scalar::Integer(i64::from(value)), TypeKind::Int)
}

pub(crate) fn bigint(value: i64) -> Expr {
    literal(Scalar::Integer(value), TypeKind::BigInt)
}

pub(crate) fn double(value: f64) -> Expr {
    literal(Scalar::Double(value), TypeKind::Double)
}

pub(crate) fn boolean(value: bool) -> Expr {
    literal(Scalar::Boolean(value), TypeKind::Boolean)
}

pub(crate) fn null(kind: TypeKind) -> Expr {
    literal(Scalar::Null, kind)
}

/// A decimal of exactly the digits written.
pub(crate) fn exact(value: &str) -> Expr {
    let digits = value.trim_start_matches('-');
    let scale = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len()) as u8;
    let precision = digits.bytes().filter(u8::is_ascii_digit).count() as u8;
    let value = decimal::parse(value, (precision, scale)).unwrap();
    literal(Scalar::Decimal(value), TypeKind::Decimal { precision, scale })
}

pub(crate) fn cast_to(input: Expr, kind: TypeKind) -> Expr {
    cast_with(input, kind, CastMode::Cast)
}

pub(crate) fn try_cast_to(input: Expr, kind: TypeKind) -> Expr {
    cast_with(input, kind, CastMode::TryCast)
}

fn cast_with(input: Expr, kind: TypeKind, mode: CastMode) -> Expr {
    let nullable = input.ty().nullable || mode == CastMode::TryCast;
    Expr::Cast { input: Box::new(input), ty: SqlType { kind, nullable }, mode }
}

/// A call, bound and with its arguments converted.
pub(crate) fn try_call(name: &str, args: Vec<Expr>) -> Result<Expr> {
    let function = lookup(name).unwrap_or_else(|| panic!("there is no function {name}"));
    let arguments: Vec<Argument> = args
        .iter()
        .map(|arg| Argument {
            ty: arg.ty().clone(),
            literal: match arg {
                Expr::Literal(literal) => Some(literal.clone()),
                _ => None,
            },
        })
        .collect();
    let signature = function.signature(&arguments)?;
    assert_eq!(signature.arguments.len(), args.len(), "{name}");
    let args = args
        .into_iter()
        .zip(signature.arguments)
        .map(|(arg, ty)| if arg.ty().same_kind(&ty) { arg } else { cast_to(arg, ty.kind) });
    Ok(Expr::call(function.name, args.collect(), signature.result))
}

pub(crate) fn call(name: &str, args: Vec<Expr>) -> Expr {
    try_call(name, args).unwrap()
}

/// The type of an expression as Flink writes it.
pub(crate) fn type_of(expr: &Expr) -> String {
    expr.ty().to_string()
}

/// The value of an expression over no columns, as text; none for NULL.
pub(crate) fn show(expr: &Expr) -> Option<String> {
    show_in("UTC", expr)
}

/// The same in a time zone.
pub(crate) fn show_in(zone: &str, expr: &Expr) -> Option<String> {
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let batch =
        RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
    evaluate(zone, expr, &batch).unwrap().remove(0)
}

/// The error of an expression over no columns.
pub(crate) fn failure(expr: &Expr) -> Error {
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let batch =
        RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
    evaluate("UTC", expr, &batch).expect_err("the expression has a value")
}

/// The values of an expression over a STRING column, as text.
pub(crate) fn over(values: &[Option<&str>], make: impl Fn(Expr) -> Expr) -> Vec<Option<String>> {
    try_over(values, make).unwrap()
}

pub(crate) fn try_over(
    values: &[Option<&str>],
    make: impl Fn(Expr) -> Expr,
) -> Result<Vec<Option<String>>> {
    let expr = make(Expr::column(0, TypeKind::STRING.nullable()));
    evaluate("UTC", &expr, &text_batch(values))
}

/// A batch of one STRING column.
pub(crate) fn text_batch(values: &[Option<&str>]) -> RecordBatch {
    let schema = arrow_schema(&[Field::new("s", TypeKind::STRING.nullable())]);
    let column = StringViewArray::from(values.to_vec());
    RecordBatch::try_new(schema, vec![Arc::new(column)]).unwrap()
}

pub(crate) fn evaluate(
    zone: &str,
    expr: &Expr,
    batch: &RecordBatch,
) -> Result<Vec<Option<String>>> {
    let settings = PlanSettings { time_zone: zone.to_owned(), ..PlanSettings::default() };
    let evaluator = Evaluator::compile(expr, &settings)?;
    let array = evaluator.evaluate(batch, &EvalContext::at(NOW_MS))?;
    assert_eq!(array.data_type(), &tidegate_plan::arrow_type::data_type(expr.ty()));
    let texts = render(&array, expr.ty(), &Zone::parse(zone)?)?;
    Ok(texts.iter().map(|text| text.map(str::to_owned)).collect())
}

/// Texts of a list, for comparison with results.
pub(crate) fn some<const N: usize>(values: [&str; N]) -> Vec<Option<String>> {
    values.iter().map(|value| Some((*value).to_owned())).collect()
}
