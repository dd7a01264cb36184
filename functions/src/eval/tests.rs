//! The evaluator: laziness, sharing, constants, fields, filters.

use std::sync::Arc;

use arrow::array::{Int32Array, RecordBatch, StructArray};
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_types::{ErrorCode, Field, TypeKind};

use super::*;
use crate::testing::{
    NOW_MS, boolean, call, cast_to, double, failure, int, null, over, show, some, text, text_batch,
    try_over,
};

fn case(branches: Vec<(Expr, Expr)>, otherwise: Expr) -> Expr {
    let ty = otherwise.ty().clone().with_nullable(true);
    Expr::Case { branches, otherwise: Box::new(otherwise), ty }
}

fn context() -> EvalContext {
    EvalContext::at(NOW_MS)
}

fn number(column: Expr) -> Expr {
    cast_to(column, TypeKind::Int)
}

#[test]
fn a_branch_runs_only_on_its_rows() {
    let input = [Some("0"), Some("4"), None, Some("-2")];
    let quotients = over(&input, |column| {
        let is_zero = call("=", vec![number(column.clone()), int(0)]);
        let quotient = call("/", vec![int(8), number(column)]);
        case(vec![(is_zero, int(-1))], quotient)
    });
    assert_eq!(quotients, [Some("-1"), Some("2"), None, Some("-4")].map(|v| v.map(str::to_owned)));
}

#[test]
fn a_condition_runs_only_on_the_rows_that_reach_it() {
    let input = [Some("0"), Some("4"), Some("x")];
    let texts = over(&input, |column| {
        let is_text = call("=", vec![column.clone(), text("x")]);
        let quotient_is_small = {
            let is_zero = call("=", vec![number(column.clone()), int(0)]);
            let quotient = call("/", vec![int(8), number(column)]);
            call("OR", vec![is_zero, call("<", vec![quotient, int(3)])])
        };
        let varchar = |value: &str| cast_to(text(value), TypeKind::STRING);
        case(
            vec![(is_text, varchar("text")), (quotient_is_small, varchar("small"))],
            varchar("large"),
        )
    });
    assert_eq!(texts, some(["small", "small", "text"]));
}

#[test]
fn safe_branches_are_merged_by_row() {
    let input = [Some("1"), None, Some("-1"), Some("0")];
    let signs = over(&input, |column| {
        let value = || crate::testing::try_cast_to(column.clone(), TypeKind::Int);
        let varchar = |value: &str| cast_to(text(value), TypeKind::STRING);
        case(
            vec![
                (call(">", vec![value(), int(0)]), varchar("positive")),
                (call("<", vec![value(), int(0)]), varchar("negative")),
            ],
            varchar("neither"),
        )
    });
    assert_eq!(signs, some(["positive", "neither", "negative", "neither"]));
}

#[test]
fn what_the_left_decides_does_not_fail_on_the_right() {
    let input = [Some("0"), Some("2"), None];
    let fails_at_zero =
        |column: Expr| call(">", vec![call("/", vec![int(8), number(column)]), int(3)]);
    let guarded = over(&input, |column| {
        let not_zero = call("<>", vec![number(column.clone()), int(0)]);
        call("AND", vec![not_zero, fails_at_zero(column)])
    });
    assert_eq!(guarded, [Some("FALSE"), Some("TRUE"), None].map(|v| v.map(str::to_owned)));
    let guarded = over(&input, |column| {
        let is_zero = call("=", vec![number(column.clone()), int(0)]);
        call("OR", vec![is_zero, fails_at_zero(column)])
    });
    assert_eq!(guarded, [Some("TRUE"), Some("TRUE"), None].map(|v| v.map(str::to_owned)));
    let error = try_over(&input, fails_at_zero).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Evaluation);
}

#[test]
fn constants_run_once_and_are_not_reached_do_not_fail() {
    let division = || call("/", vec![int(1), int(0)]);
    let unreached = case(vec![(boolean(false), division())], int(2));
    assert_eq!(show(&unreached).as_deref(), Some("2"));
    let unknown = case(vec![(null(TypeKind::Boolean), division())], int(3));
    assert_eq!(show(&unknown).as_deref(), Some("3"));
    assert!(failure(&division()).to_string().contains("divided by zero"));
    let empty = over(&[], |_| division());
    assert!(empty.is_empty(), "no row, no failure");
}

#[test]
fn folding_gives_literals_of_constants_only() {
    let settings = PlanSettings::default();
    let folded = fold(&call("+", vec![int(1), int(2)]), &settings).unwrap();
    assert_eq!(folded.map(|literal| literal.value), Some(tidegate_plan::Scalar::Integer(3)));
    let column = Expr::column(0, TypeKind::Int.nullable());
    assert_eq!(fold(&call("+", vec![column, int(2)]), &settings).unwrap(), None);
    assert_eq!(fold(&call("NOW", vec![]), &settings).unwrap(), None);
    assert_eq!(fold(&call("ARRAY", vec![int(1)]), &settings).unwrap(), None);
    assert!(fold(&call("/", vec![int(1), int(0)]), &settings).is_err());
    let upper = fold(&call("UPPER", vec![text("aß")]), &settings).unwrap();
    let value = upper.map(|literal| literal.value);
    assert_eq!(value, Some(tidegate_plan::Scalar::Text("AS".to_owned())), "CHAR(2) cuts");
}

#[test]
fn filters_take_null_for_false() {
    let expr = call("=", vec![Expr::column(0, TypeKind::STRING.nullable()), text("a")]);
    let evaluator = Evaluator::compile(&expr, &PlanSettings::default()).unwrap();
    let batch = text_batch(&[Some("a"), None, Some("b")]);
    let mask = evaluator.evaluate_filter(&batch, &context()).unwrap();
    assert_eq!(mask, BooleanArray::from(vec![true, false, false]));
    assert_eq!(mask.null_count(), 0);
}

#[test]
fn plain_columns_are_not_copied() {
    let expr = Expr::column(0, TypeKind::STRING.nullable());
    let evaluator = Evaluator::compile(&expr, &PlanSettings::default()).unwrap();
    assert_eq!(evaluator.as_column(), Some(0));
    let batch = text_batch(&[Some("a")]);
    let array = evaluator.evaluate(&batch, &context()).unwrap();
    assert!(Arc::ptr_eq(&array, batch.column(0)));
}

#[test]
fn a_field_of_a_null_row_is_null() {
    let inner = Field::new("a", TypeKind::Int.nullable());
    let row = TypeKind::Row(vec![inner]).nullable();
    let schema = arrow_schema(&[Field::new("r", row.clone())]);
    let DataType::Struct(fields) = data_type(&row) else { unreachable!("a row is a struct") };
    let rows = StructArray::new(
        fields,
        vec![Arc::new(Int32Array::from(vec![1, 2]))],
        Some(vec![true, false].into()),
    );
    let batch = RecordBatch::try_new(schema, vec![Arc::new(rows)]).unwrap();
    let field = Expr::Field {
        input: Box::new(Expr::column(0, row)),
        index: 0,
        ty: TypeKind::Int.nullable(),
    };
    let sum = call("+", vec![field, int(1)]);
    let evaluator = Evaluator::compile(&sum, &PlanSettings::default()).unwrap();
    let array = evaluator.evaluate(&batch, &context()).unwrap();
    assert_eq!(array.as_ref(), &Int32Array::from(vec![Some(2), None]) as &dyn Array);
}

#[test]
fn shared_parts_are_right_inside_and_outside_of_branches() {
    let input = [Some("1"), Some("2"), Some("3")];
    let got = over(&input, |column| {
        let square = || call("*", vec![number(column.clone()), number(column.clone())]);
        let is_four = call("=", vec![square(), int(4)]);
        let quotient = call("/", vec![square(), number(column.clone())]);
        call("+", vec![square(), case(vec![(is_four, quotient)], int(100))])
    });
    assert_eq!(got, some(["101", "6", "109"]));
    let nan = over(&[Some("NaN")], |s| {
        let value = cast_to(s, TypeKind::Double);
        case(vec![(call(">", vec![value, double(0.0)]), int(1))], int(2))
    });
    assert_eq!(nan, some(["2"]));
}
