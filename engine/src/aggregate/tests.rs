//! Each accumulator against hand-computed results, and its partial state against itself.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float64Array, Int16Array, Int32Array,
    Int64Array, StringViewArray, StructArray,
};
use arrow::datatypes::{self as dt, DataType};
use tidegate_plan::arrow_type::data_type;
use tidegate_plan::{AggregateCall, AggregateFunction, Literal, Scalar};
use tidegate_types::{Field, SqlType, TypeKind};

use super::{Accumulator, accumulator};

fn make(
    function: AggregateFunction,
    argument: TypeKind,
    result: TypeKind,
    distinct: bool,
) -> Box<dyn Accumulator> {
    let schema = vec![Field::new("x", argument.nullable())];
    let call = AggregateCall {
        function,
        argument: Some(0),
        parameters: Vec::new(),
        distinct,
        filter: None,
        name: "a".into(),
        ty: result.nullable(),
    };
    accumulator(&call, &schema, false).unwrap()
}

/// Feeds rows in two halves to two accumulators, merges the second's state into the first.
fn in_two_phases(
    make: impl Fn() -> Box<dyn Accumulator>,
    slots: &[u32],
    column: &ArrayRef,
    filter: Option<&BooleanArray>,
) -> ArrayRef {
    let (mut first, mut second) = (make(), make());
    let size = 1 + *slots.iter().max().unwrap() as usize;
    first.resize(size);
    second.resize(size);
    let half = slots.len() / 2;
    let filter_slice = |from, len| filter.map(|f| f.slice(from, len));
    first
        .update(&slots[..half], Some(&column.slice(0, half)), filter_slice(0, half).as_ref())
        .unwrap();
    let rest = slots.len() - half;
    second
        .update(&slots[half..], Some(&column.slice(half, rest)), filter_slice(half, rest).as_ref())
        .unwrap();
    let all: Vec<u32> = (0..size as u32).collect();
    first.merge(&all, &second.state(&all).unwrap()).unwrap();
    first.result(&all).unwrap()
}

#[test]
fn integer_sums_wrap_and_averages_truncate() {
    let column: ArrayRef =
        Arc::new(Int32Array::from(vec![Some(i32::MAX), Some(1), None, Some(-7), Some(2), None]));
    let slots = [0, 0, 0, 1, 1, 2];
    let sums = in_two_phases(
        || make(AggregateFunction::Sum, TypeKind::Int, TypeKind::Int, false),
        &slots,
        &column,
        None,
    );
    assert_eq!(
        sums.as_primitive::<dt::Int32Type>().iter().collect::<Vec<_>>(),
        [Some(i32::MIN), Some(-5), None]
    );
    let averages = in_two_phases(
        || make(AggregateFunction::Avg, TypeKind::Int, TypeKind::Int, false),
        &slots,
        &column,
        None,
    );
    assert_eq!(
        averages.as_primitive::<dt::Int32Type>().iter().collect::<Vec<_>>(),
        [Some(1 << 30), Some(-2), None]
    );
}

#[test]
fn decimal_averages_round_half_up() {
    let ty = TypeKind::Decimal { precision: 10, scale: 2 };
    let result = TypeKind::Decimal { precision: 38, scale: 6 };
    let column: ArrayRef = Arc::new(
        Decimal128Array::from(vec![100, 100, 101, -100, -100, -101])
            .with_precision_and_scale(10, 2)
            .unwrap(),
    );
    let averages = in_two_phases(
        || make(AggregateFunction::Avg, ty.clone(), result.clone(), false),
        &[0, 0, 0, 1, 1, 1],
        &column,
        None,
    );
    let values = averages.as_primitive::<dt::Decimal128Type>().values().to_vec();
    assert_eq!(values, [1_003_333, -1_003_333]);
}

#[test]
fn distinct_counts_each_value_once_per_slot_and_honours_the_filter() {
    let column: ArrayRef = Arc::new(StringViewArray::from(vec![
        Some("a"),
        Some("b"),
        Some("a"),
        None,
        Some("a"),
        Some("c"),
    ]));
    let filter = BooleanArray::from(vec![
        Some(true),
        Some(true),
        Some(true),
        Some(true),
        Some(true),
        Some(false),
    ]);
    let make = || make(AggregateFunction::Count, TypeKind::STRING, TypeKind::BigInt, true);
    let counts = in_two_phases(make, &[0, 0, 0, 0, 1, 0], &column, Some(&filter));
    assert_eq!(counts.as_primitive::<dt::Int64Type>().values().to_vec(), [2, 1]);
}

#[test]
fn extremes_of_text_and_floats() {
    let texts: ArrayRef = Arc::new(StringViewArray::from(vec![
        Some("b"),
        Some("ä"),
        None,
        Some("a longer text than twelve"),
    ]));
    let max = in_two_phases(
        || make(AggregateFunction::Max, TypeKind::STRING, TypeKind::STRING, false),
        &[0, 0, 1, 0],
        &texts,
        None,
    );
    assert_eq!(max.as_string_view().iter().collect::<Vec<_>>(), [Some("ä"), None]);
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0, f64::NAN, -0.5, 7.0]));
    let min = in_two_phases(
        || make(AggregateFunction::Min, TypeKind::Double, TypeKind::Double, false),
        &[0; 4],
        &floats,
        None,
    );
    assert_eq!(min.as_primitive::<dt::Float64Type>().value(0), -0.5);
}

#[test]
fn reset_empties_a_slot() {
    let column: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "b"]));
    let mut counts = make(AggregateFunction::Count, TypeKind::STRING, TypeKind::BigInt, true);
    counts.resize(1);
    counts.update(&[0, 0], Some(&column), None).unwrap();
    counts.reset(0);
    counts.update(&[0], Some(&column.slice(0, 1)), None).unwrap();
    assert_eq!(counts.result(&[0]).unwrap().as_primitive::<dt::Int64Type>().value(0), 1);
}

/// A weighted percentile is that of values which stand as often as they count; rows are taken back as they came.
#[test]
fn a_value_counts_as_often_as_its_frequency_says() {
    let list = TypeKind::Array(Box::new(TypeKind::Double.nullable()));
    let fractions = [0.0, 0.25, 0.5, 0.9, 1.0]
        .map(|value| Literal { value: Scalar::Double(value), ty: TypeKind::Double.not_null() });
    let pair = |value, weight| {
        TypeKind::Row(vec![Field::new("v", value), Field::new("f", weight)]).not_null()
    };
    let weighted = pair(TypeKind::Int.nullable(), TypeKind::SmallInt.nullable());
    let percentiles = |argument: SqlType| {
        let schema = vec![Field::new("x", argument)];
        let call = AggregateCall {
            function: AggregateFunction::Percentile,
            argument: Some(0),
            parameters: fractions.to_vec(),
            distinct: false,
            filter: None,
            name: "a".into(),
            ty: list.clone().nullable(),
        };
        accumulator(&call, &schema, true).unwrap()
    };
    let rows = [
        (Some(5), Some(2)),
        (Some(-3), Some(1)),
        (None, Some(4)),
        (Some(8), Some(0)),
        (Some(9), Some(-2)),
        (Some(5), None),
        (Some(70), Some(3)),
        (Some(-3), Some(2)),
    ];
    let columns: [ArrayRef; 2] = [
        Arc::new(Int32Array::from_iter(rows.iter().map(|(value, _)| *value))),
        Arc::new(Int16Array::from_iter(rows.iter().map(|(_, weight)| *weight))),
    ];
    let DataType::Struct(fields) = data_type(&weighted) else { panic!() };
    let pairs: ArrayRef = Arc::new(StructArray::new(fields, columns.to_vec(), None));
    let repeated = |rows: &[(Option<i32>, Option<i16>)]| -> ArrayRef {
        let times = |weight: &Option<i16>| weight.unwrap_or(0).max(0) as usize;
        let values = rows.iter().flat_map(|(value, weight)| vec![*value; times(weight)]);
        Arc::new(Int32Array::from_iter(values))
    };
    let plain = |rows: &[(Option<i32>, Option<i16>)]| {
        let (mut plain, values) = (percentiles(TypeKind::Int.nullable()), repeated(rows));
        plain.update(&vec![0; values.len()], Some(&values), None).unwrap();
        plain.result(&[0]).unwrap()
    };
    let slots = [0; 8];
    let mut one = percentiles(weighted.clone());
    one.update(&slots, Some(&pairs), None).unwrap();
    assert_eq!(&one.result(&[0]).unwrap(), &plain(&rows));
    let two = in_two_phases(|| percentiles(weighted.clone()), &slots, &pairs, None);
    assert_eq!(&two, &plain(&rows));
    // The first five rows go.
    one.retract(&slots[..5], Some(&pairs.slice(0, 5)), None).unwrap();
    assert_eq!(&one.result(&[0]).unwrap(), &plain(&rows[5..]));
    one.retract(&slots[5..], Some(&pairs.slice(5, 3)), None).unwrap();
    assert!(one.result(&[0]).unwrap().is_null(0));
    // More than can be counted is still a place among the values.
    let many: [ArrayRef; 2] = [
        Arc::new(Int32Array::from(vec![1, 2, 3])),
        Arc::new(Int64Array::from(vec![i64::MAX, i64::MAX, i64::MAX])),
    ];
    let weighted = pair(TypeKind::Int.nullable(), TypeKind::BigInt.nullable());
    let DataType::Struct(fields) = data_type(&weighted) else { panic!() };
    let pairs: ArrayRef = Arc::new(StructArray::new(fields, many.to_vec(), None));
    let mut one = percentiles(weighted);
    one.update(&[0; 3], Some(&pairs), None).unwrap();
    one.update(&[0; 3], Some(&pairs), None).unwrap();
    let result = one.result(&[0]).unwrap();
    let result = result.as_list::<i32>().value(0);
    assert_eq!(result.as_primitive::<dt::Float64Type>().values()[2], 2.0);
}
