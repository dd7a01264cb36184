//! Cutting back, NULLs, types that are refused.

use arrow::array::{Array, AsArray};

use super::*;

fn columns(fields: &[Field]) -> RowColumns {
    RowColumns::new("", fields).unwrap()
}

fn push_text(column: &mut Column, text: &str) {
    if let Data::Text(values) = &mut column.data {
        values.append_value(text);
    }
    column.pushed();
}

#[test]
fn cutting_back_leaves_no_trace() {
    let element = TypeKind::STRING.nullable();
    let mut row = columns(&[
        Field::new("s", TypeKind::STRING.nullable()),
        Field::new("l", TypeKind::Array(Box::new(element)).nullable()),
    ]);
    for text in ["a text that is longer than twelve bytes", "b", "c"] {
        push_text(&mut row.columns[0], text);
        if let Data::Array { ends, element, .. } = &mut row.columns[1].data {
            push_text(element, text);
            ends.push(end_of(element.len()));
        }
        row.columns[1].pushed();
    }
    // A list that was begun but not ended.
    if let Data::Array { element, .. } = &mut row.columns[1].data {
        push_text(element, "begun");
    }
    row.truncate(2);
    row.columns[0].push_null().unwrap();
    row.columns[1].push_null().unwrap();
    let arrays = row.finish().unwrap();
    let texts = arrays[0].as_string_view();
    assert_eq!(
        (texts.len(), texts.value(0), texts.value(1)),
        (3, "a text that is longer than twelve bytes", "b")
    );
    assert!(texts.is_null(2));
    let lists = arrays[1].as_list::<i32>();
    assert_eq!((lists.len(), lists.values().len(), lists.value_length(1)), (3, 2, 1));
    assert!(lists.is_null(2));
    assert_eq!(row.finish().unwrap()[1].len(), 0);
}

#[test]
fn not_null_holds_but_for_fields_of_null_rows() {
    let inner = Field::new("x", TypeKind::Int.not_null());
    let mut row = columns(&[
        Field::new("a", TypeKind::Int.not_null()),
        Field::new("r", TypeKind::Row(vec![inner]).nullable()),
    ]);
    assert!(row.columns[0].push_null().is_err());
    assert_eq!(row.columns[0].len(), 0);
    row.columns[1].push_null().unwrap();
    let arrays = row.columns[1].finish().unwrap();
    assert!(arrays.is_null(0));
}

#[test]
fn types_that_no_record_holds_are_refused() {
    let error =
        RowColumns::new("", &[Field::new("i", TypeKind::IntervalDayTime.nullable())]).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidOption);
}
