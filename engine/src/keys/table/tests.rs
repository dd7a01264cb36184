//! Keys come back, are removed, and give their slots to others.

use arrow::array::{Int32Array, StringViewArray};

use super::super::hash::{SEED, hash_array};
use super::*;

fn upsert(table: &mut KeyTable, columns: &[ArrayRef]) -> Vec<u32> {
    let mut hashes = vec![SEED; columns[0].len()];
    for column in columns {
        hash_array(column, &mut hashes).unwrap();
    }
    let mut slots = Vec::new();
    table.upsert(columns, &hashes, &mut slots).unwrap();
    slots
}

#[test]
fn native_keys_keep_null_apart_and_come_back() {
    let mut table = KeyTable::new(&[DataType::Int32]).unwrap();
    let column: ArrayRef = Arc::new(Int32Array::from(vec![Some(5), None, Some(0), Some(5), None]));
    assert_eq!(upsert(&mut table, &[column]), [0, 1, 2, 0, 1]);
    let keys = table.columns(&[1, 2, 0]).unwrap();
    assert_eq!(keys[0].as_ref(), &Int32Array::from(vec![None, Some(0), Some(5)]) as &dyn Array);
}

#[test]
fn several_columns_go_through_the_row_format() {
    let mut table = KeyTable::new(&[DataType::Utf8View, DataType::Int32]).unwrap();
    let texts: ArrayRef =
        Arc::new(StringViewArray::from(vec![Some("a"), None, Some("a"), Some("b")]));
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 1, 1, 1]));
    assert_eq!(upsert(&mut table, &[texts, numbers]), [0, 1, 0, 2]);
    let keys = table.columns(&[2, 1]).unwrap();
    assert_eq!(keys[0].as_ref(), &StringViewArray::from(vec![Some("b"), None]) as &dyn Array);
}

#[test]
fn many_keys_grow_the_index() {
    let mut table = KeyTable::new(&[DataType::Int64]).unwrap();
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100_000));
    let first = upsert(&mut table, std::slice::from_ref(&column));
    assert_eq!(first, (0..100_000).collect::<Vec<u32>>());
    assert_eq!(upsert(&mut table, &[column]), first);
    assert_eq!(table.len(), 100_000);
}

fn remove(table: &mut KeyTable, slots: &[u32]) {
    slots.iter().for_each(|slot| table.remove(*slot));
}

fn find(table: &KeyTable, columns: &[ArrayRef]) -> Vec<u32> {
    let mut hashes = vec![SEED; columns[0].len()];
    for column in columns {
        hash_array(column, &mut hashes).unwrap();
    }
    let mut slots = Vec::new();
    table.find(columns, &hashes, &mut slots).unwrap();
    slots
}

#[test]
fn slots_of_removed_keys_go_to_new_ones() {
    let ints =
        |values: Vec<Option<i64>>| -> Vec<ArrayRef> { vec![Arc::new(Int64Array::from(values))] };
    let texts = |values: Vec<Option<i64>>| -> Vec<ArrayRef> {
        let texts = values.iter().map(|v| v.map(|v| format!("the key of {v}")));
        vec![Arc::new(texts.collect::<StringViewArray>())]
    };
    type Make = dyn Fn(Vec<Option<i64>>) -> Vec<ArrayRef>;
    for make in [&ints as &Make, &texts] {
        let types = vec![make(vec![])[0].data_type().clone()];
        let mut table = KeyTable::new(&types).unwrap();
        assert_eq!(upsert(&mut table, &make(vec![Some(1), None, Some(2)])), [0, 1, 2]);
        remove(&mut table, &[1, 0]);
        assert_eq!((table.len(), table.live()), (3, 1));
        let all = make(vec![Some(2), Some(1), None, Some(3)]);
        assert_eq!(find(&table, &all), [2, NO_SLOT, NO_SLOT, NO_SLOT]);
        assert_eq!(upsert(&mut table, &all), [2, 0, 1, 3]);
        assert_eq!(find(&table, &all), [2, 0, 1, 3]);
        assert_eq!(&table.columns(&[2, 0, 1, 3]).unwrap(), &all);
        assert_eq!((table.len(), table.live()), (4, 4));
    }
}

#[test]
fn the_only_slot_of_a_table_without_keys_comes_and_goes() {
    let mut table = KeyTable::new(&[]).unwrap();
    let mut slots = Vec::new();
    table.find(&[], &[SEED], &mut slots).unwrap();
    assert_eq!(slots, [NO_SLOT]);
    for _ in 0..2 {
        table.upsert(&[], &[SEED; 2], &mut slots).unwrap();
        assert_eq!((slots.as_slice(), table.live()), (&[0, 0][..], 1));
        table.remove(0);
        assert_eq!((table.len(), table.live()), (1, 0));
    }
}

#[test]
fn values_below_slots_are_kept_apart_by_slot() {
    let mut table = KeyTable::new(&[DataType::UInt32, DataType::Int32]).unwrap();
    let keys = |of: Vec<u32>, values: Vec<i32>| -> Vec<ArrayRef> {
        vec![Arc::new(UInt32Array::from(of)), Arc::new(Int32Array::from(values))]
    };
    // Slots are hashed with the value by the caller.
    let hashes = |columns: &[ArrayRef]| -> Vec<u64> {
        let mut hashes = vec![SEED; columns[0].len()];
        hash_array(&columns[1], &mut hashes).unwrap();
        hashes
    };
    let mut slots = Vec::new();
    let first = keys(vec![0, 1, 0, 1], vec![7, 7, 8, 7]);
    table.upsert(&first, &hashes(&first), &mut slots).unwrap();
    assert_eq!(slots, [0, 1, 2, 1]);
    table.remove(1);
    let mut found = Vec::new();
    table.find(&first, &hashes(&first), &mut found).unwrap();
    assert_eq!(found, [0, NO_SLOT, 2, NO_SLOT]);
    assert_eq!(table.columns(&[2, 0]).unwrap(), keys(vec![0, 0], vec![8, 7]));
}
