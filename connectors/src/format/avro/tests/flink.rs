//! A file that Flink 2.3 wrote, with values of all types: read, and written again to the byte.

use arrow::array::{Array, AsArray};
use tidegate_types::TypeKind;

use super::*;
use crate::format::avro::container::Head;
use crate::format::avro::table_schema;

const FILE: &[u8] = include_bytes!("flink.avro");

fn columns() -> Vec<Field> {
    let int = || TypeKind::Int.nullable();
    let text = || TypeKind::STRING.nullable();
    let decimal = |precision, scale| TypeKind::Decimal { precision, scale }.nullable();
    let row = |fields| TypeKind::Row(fields).nullable();
    let array = |element| TypeKind::Array(Box::new(element)).nullable();
    let inner = row(vec![field("b", decimal(5, 2)), field("c", TypeKind::timestamp(3).nullable())]);
    let items = array(row(vec![field("e", TypeKind::BYTES.nullable())]));
    vec![
        field("bo", TypeKind::Boolean.nullable()),
        field("i8", TypeKind::TinyInt.nullable()),
        field("i16", TypeKind::SmallInt.nullable()),
        field("i32", TypeKind::Int.not_null()),
        field("i64", TypeKind::BigInt.nullable()),
        field("f32", TypeKind::Float.nullable()),
        field("f64", TypeKind::Double.nullable()),
        field("d", decimal(10, 3)),
        field("s", text()),
        field("c", TypeKind::Char { length: 5 }.nullable()),
        field("byt", TypeKind::BYTES.nullable()),
        field("da", TypeKind::Date.nullable()),
        field("ti", TypeKind::Time { precision: 0 }.nullable()),
        field("t3", TypeKind::timestamp(3).nullable()),
        field("ar", array(int())),
        field("ars", array(TypeKind::STRING.not_null())),
        field("m", TypeKind::Map(Box::new(text()), Box::new(int())).nullable()),
        field("r", row(vec![field("x", int()), field("y", text())])),
        field("rr", row(vec![field("a", inner), field("d", items)])),
    ]
}

#[test]
fn a_file_of_flink_is_read_and_its_records_are_written_alike() {
    let columns = columns();
    let head = Head::read(FILE, true).unwrap().unwrap();
    let schema = table_schema(&options(&[]), &columns).unwrap().to_json();
    let text = String::from_utf8_lossy(&FILE[..head.length]).into_owned();
    // Flink has the rows of its files in a union with null.
    assert!(text.contains(&format!("[\"null\",{schema}]")), "{schema}\n{text}");
    let mut blocks = head.reader(&columns).unwrap();
    assert_eq!(blocks.open(&FILE[head.length..], true).unwrap(), Some(FILE.len() - head.length));
    let rows = blocks.rows(10).unwrap().unwrap();
    assert_eq!((rows.num_rows(), blocks.is_open()), (2, false));
    assert_eq!(rows.column(8).as_string_view().value(0), "it's \"ä\" 😀");
    assert!(rows.columns().iter().filter(|column| column.is_null(1)).count() == columns.len() - 1);
    let written = encode(&[], &columns, &rows).unwrap();
    let content: Vec<u8> =
        written.iter().flat_map(|record| [&[2], record.unwrap()].concat()).collect();
    let block = &FILE[head.length..FILE.len() - 16];
    assert!(block.ends_with(&content), "{content:x?}\n{block:x?}");
}

/// The same file with bytes changed by a fixed generator: whatever comes of it, it is no panic.
#[test]
fn damaged_files_are_refused_or_read() {
    let columns = columns();
    let mut seed = 3_u64;
    let mut next = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % bound
    };
    let (mut read, mut refused) = (0, 0);
    for _ in 0..3_000 {
        let mut file = FILE.to_vec();
        file.truncate(file.len() - next(2) * next(file.len()));
        // Most changes go into the blocks.
        let from = if next(4) == 0 { 0 } else { file.len().saturating_sub(170) };
        for _ in 0..next(4) {
            if file.len() > from {
                let at = from + next(file.len() - from);
                file[at] = next(256) as u8;
            }
        }
        let rows = Head::read(&file, true).map_err(drop).and_then(|head| {
            let head = head.ok_or(())?;
            let mut blocks = head.reader(&columns).map_err(drop)?;
            blocks.open(&file[head.length..], true).map_err(drop)?;
            blocks.rows(10).map_err(drop)?.map_err(drop)
        });
        match rows {
            Ok(rows) => read += usize::from(rows.num_rows() <= 10),
            Err(()) => refused += 1,
        }
    }
    assert!(read > 100 && refused > 100, "{read} {refused}");
}
