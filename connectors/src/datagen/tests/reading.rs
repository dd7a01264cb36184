//! Sequences, independence from how rows are read, restore, pacing, options.

use super::*;

#[test]
fn rows_do_not_depend_on_how_they_are_cut_or_what_else_is_read() {
    let columns = [
        ("i", K::BigInt),
        ("s", K::STRING),
        ("l", K::Array(Box::new(K::Double.nullable()))),
        ("d", K::Decimal { precision: 20, scale: 3 }),
    ];
    let options = [("fields.i.null-rate", "0.2"), ("fields.s.var-len", "true")];
    let whole = rows(&columns, &options, 300);
    let mut generator = Generator { shared: source(&columns, &options).unwrap().shared };
    let parts: Vec<RecordBatch> = [(0, 1), (1, 100), (100, 299), (299, 300)]
        .map(|(first, end)| generator.generate(first, end).unwrap().unwrap())
        .into();
    assert_eq!(concat_batches(&whole.schema(), &parts).unwrap(), whole);
    let alone = source_of(fields(&columns), fields(&columns[1..2]), &options).unwrap();
    let alone = Generator { shared: alone.shared }.generate(0, 300).unwrap().unwrap();
    assert_eq!(alone.column(0), whole.column(1));
    let other = rows(&columns, &[("seed", "1"), options[0], options[1]], 300);
    assert_ne!(other.column(1), whole.column(1));
}

#[tokio::test]
async fn sequences_end_the_table_without_gaps_or_doubles() {
    let columns = [
        ("b", K::BigInt),
        ("a", K::Int),
        ("s", K::STRING),
        ("d", K::Decimal { precision: 9, scale: 2 }),
    ];
    let options = [
        ("fields.b.kind", "sequence"),
        ("fields.b.start", "10"),
        ("fields.b.end", "2009"),
        ("fields.a.kind", "sequence"),
        ("fields.a.start", "-5"),
        ("fields.a.end", "5000"),
        ("fields.s.kind", "sequence"),
        ("fields.s.start", "5"),
        ("fields.s.end", "6000"),
        ("fields.d.kind", "sequence"),
        ("fields.d.start", "1"),
        ("fields.d.end", "2500"),
        ("rows-per-second", "100000000"),
    ];
    let batch = rows(&columns, &options, 3);
    assert_eq!(batch.column(1).as_primitive::<Int32Type>().values(), &[-5, -4, -3]);
    assert_eq!(
        batch.column(2).as_string_view().iter().flatten().collect::<Vec<_>>(),
        ["5", "6", "7"]
    );
    assert_eq!(batch.column(3).as_primitive::<Decimal128Type>().values(), &[100, 200, 300]);
    let source = source(&columns, &options).unwrap();
    assert!(source.is_bounded());
    let splits = source.enumerate(&[], false).await.unwrap();
    assert_eq!(splits.len(), 24);
    for batches in [0, 3, 11] {
        let (mut found, snapshot) = read(&source, splits.clone(), batches).await;
        assert!(source.enumerate(&snapshot, true).await.unwrap().is_empty());
        found.extend(read(&source, snapshot, usize::MAX).await.0);
        found.sort_unstable();
        assert_eq!(found, (10..2010).collect::<Vec<_>>(), "after {batches} batches");
    }
    // A sequence that is not read ends the table, too.
    let unread = source_of(fields(&columns), Vec::new(), &options).unwrap();
    assert_eq!(unread.emission.end, 2_000);
}

#[tokio::test]
async fn rows_leave_at_the_rate() {
    // The clock stands still, so that only the rows of the first millisecond are due.
    let source = source(&[("a", K::BigInt)], &[("rows-per-second", "24000")]).unwrap();
    assert!(!source.is_bounded());
    let splits = source.enumerate(&[], false).await.unwrap();
    let mut reader = reader(&source, splits);
    let mut rows = 0;
    while let Ok(read) = tokio::time::timeout(Duration::from_millis(20), reader.next()).await {
        let Read::Batch { rows: batch, .. } = read.unwrap() else { panic!("nothing ends") };
        rows += batch.num_rows();
    }
    assert_eq!(rows, 24);
}

#[test]
fn the_number_of_rows_bounds_the_table() {
    let columns = [("a", K::Int)];
    assert_eq!(source(&columns, &[("number-of-rows", "7")]).unwrap().emission.end, 7);
    assert!(!source(&columns, &[]).unwrap().is_bounded());
    let long = source(&[("s", K::STRING)], &[("fields.s.length", "1000000")]).unwrap();
    assert_eq!(Generator { shared: long.shared }.numbers_for(8_192), Some(16));
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let int = [("a", K::Int)];
    refused(&int, &[("fields.b.min", "1")], "there is no column 'b'");
    refused(&int, &[("fields.a.length", "1")], "no effect");
    refused(&int, &[("fields.a.kind", "sequence"), ("fields.a.start", "1")], "fields.a.end");
    refused(&int, &[("fields.a.kind", "foo")], "'foo' is neither random nor sequence");
    refused(&int, &[("fields.a.min", "5"), ("fields.a.max", "1")], "below the minimum 5");
    refused(&int, &[("fields.a.min", "x")], "fields.a.min");
    refused(&int, &[("fields.a.max", "2147483648")], "out of the range of INT");
    refused(
        &int,
        &[("fields.a.kind", "sequence"), ("fields.a.start", "2"), ("fields.a.end", "1")],
        "below the start",
    );
    refused(
        &[("s", K::VarChar { length: 3 })],
        &[("fields.s.length", "9")],
        "longer than the column's type",
    );
    refused(&[("s", K::Char { length: 3 })], &[("fields.s.length", "3")], "fixed length");
    refused(
        &[("d", K::Date)],
        &[("fields.d.kind", "sequence"), ("fields.d.start", "1"), ("fields.d.end", "2")],
        "no sequences of type DATE",
    );
    let not_null = vec![Field::new("a", K::Int.not_null())];
    assert!(source_of(not_null.clone(), not_null, &[("fields.a.null-rate", "0.1")]).is_err());
}
