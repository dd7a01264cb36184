//! Values as Flink makes them.

use super::*;

#[test]
fn numbers_are_within_their_bounds() {
    let ints = one_column(K::Int, &[]);
    let ints = ints.as_primitive::<Int32Type>();
    assert!(
        ints.iter().flatten().any(|value| value < 0)
            && ints.iter().flatten().any(|value| value > 0)
    );
    let ints = one_column(K::Int, &[("fields.a.min", "1"), ("fields.a.max", "3")]);
    let distinct: std::collections::BTreeSet<i32> =
        ints.as_primitive::<Int32Type>().values().iter().copied().collect();
    assert_eq!(distinct.into_iter().collect::<Vec<_>>(), [1, 2, 3]);
    let same = one_column(K::TinyInt, &[("fields.a.min", "-7"), ("fields.a.max", "-7")]);
    assert!(same.as_primitive::<Int8Type>().values().iter().all(|value| *value == -7));
    let doubles = one_column(K::Double, &[("fields.a.min", "-1"), ("fields.a.max", "1")]);
    let doubles = doubles.as_primitive::<Float64Type>().values();
    assert!(
        doubles.iter().all(|value| (-1.0..=1.0).contains(value))
            && doubles.iter().any(|value| *value < -0.9)
    );
    assert!(
        one_column(K::Float, &[])
            .as_primitive::<Float32Type>()
            .values()
            .iter()
            .all(|value| *value >= 0.0 && value.is_finite())
    );
    let decimals = one_column(K::Decimal { precision: 6, scale: 2 }, &[]);
    assert!(
        decimals
            .as_primitive::<Decimal128Type>()
            .values()
            .iter()
            .all(|value| (0..1_000_000).contains(value))
    );
    let decimals = one_column(
        K::Decimal { precision: 5, scale: 2 },
        &[("fields.a.min", "1"), ("fields.a.max", "2.5")],
    );
    assert!(
        decimals
            .as_primitive::<Decimal128Type>()
            .values()
            .iter()
            .all(|value| (100..=250).contains(value))
    );
    let widest = one_column(K::Decimal { precision: 38, scale: 0 }, &[]);
    assert!(
        widest
            .as_primitive::<Decimal128Type>()
            .values()
            .iter()
            .any(|value| *value > i128::from(u64::MAX))
    );
}

#[test]
fn texts_are_hexadecimal_digits_of_the_length_that_is_asked_for() {
    let lengths = |kind: TypeKind, options: &[(&str, &str)]| {
        let texts = one_column(kind, options);
        let texts = texts.as_string_view();
        assert!(
            texts
                .iter()
                .flatten()
                .all(|text| text.bytes().all(|byte| b"0123456789abcdef".contains(&byte)))
        );
        let lengths: Vec<usize> = texts.iter().flatten().map(str::len).collect();
        (*lengths.iter().min().unwrap(), *lengths.iter().max().unwrap())
    };
    assert_eq!(lengths(K::STRING, &[]), (100, 100));
    assert_eq!(lengths(K::Char { length: 3 }, &[]), (3, 3));
    assert_eq!(lengths(K::VarChar { length: 4 }, &[]), (4, 4));
    assert_eq!(lengths(K::STRING, &[("fields.a.length", "5")]), (5, 5));
    assert_eq!(lengths(K::VarChar { length: 9 }, &[("fields.a.var-len", "true")]), (1, 8));
    assert_eq!(lengths(K::STRING, &[("fields.a.length", "0")]), (0, 0));
    let bytes = one_column(K::BYTES, &[]);
    assert!(bytes.as_binary_view().iter().flatten().all(|value| value.len() == 100));
}

#[test]
fn nulls_have_their_share() {
    for kind in [K::Int, K::STRING, K::Array(Box::new(K::Int.nullable()))] {
        let array = one_column(kind, &[("fields.a.null-rate", "0.5")]);
        assert!((400..600).contains(&array.null_count()), "{}", array.null_count());
    }
    assert_eq!(one_column(K::Int, &[("fields.a.null-rate", "1")]).null_count(), 1_000);
    assert_eq!(one_column(K::Int, &[]).null_count(), 0);
}

#[test]
fn dates_and_times_are_those_of_now() {
    let batch = rows(
        &[
            ("d", K::Date),
            ("t", K::Time { precision: 0 }),
            ("u", K::timestamp(3)),
            ("p", K::timestamp_ltz(3)),
        ],
        &[("fields.p.max-past", "5s")],
        100,
    );
    assert!(batch.column(0).as_primitive::<Date32Type>().values().iter().all(|day| *day == 19_782));
    assert!(
        batch
            .column(1)
            .as_primitive::<Time32MillisecondType>()
            .values()
            .iter()
            .all(|ms| *ms == 45_296_000)
    );
    assert!(
        batch
            .column(2)
            .as_primitive::<TimestampMillisecondType>()
            .values()
            .iter()
            .all(|ms| *ms == NOW_MS)
    );
    let past = batch.column(3).as_primitive::<TimestampMillisecondType>().values();
    assert!(
        past.iter().all(|ms| (NOW_MS - 5_000..=NOW_MS).contains(ms))
            && past.iter().any(|ms| *ms < NOW_MS - 1_000)
    );
}

#[test]
fn dates_and_times_are_those_of_the_sessions_zone() {
    let columns = fields(&[("d", K::Date), ("t", K::Time { precision: 0 })]);
    let local = |zone: &str| {
        let zone = Zone::parse(zone).unwrap();
        let source = source_in(zone, columns.clone(), columns.clone(), &[]).unwrap();
        let batch = Generator { shared: source.shared }.generate(0, 1).unwrap().unwrap();
        let day = batch.column(0).as_primitive::<Date32Type>().value(0);
        (day, batch.column(1).as_primitive::<Time32MillisecondType>().value(0) / 1_000)
    };
    // 2024-02-29 12:34:56 UTC.
    let second = 45_296;
    assert_eq!(local("UTC"), (19_782, second));
    assert_eq!(local("+08:00"), (19_782, second + 8 * 3_600));
    assert_eq!(local("GMT+12"), (19_783, second + 12 * 3_600 - 86_400));
    assert_eq!(local("UTC-13"), (19_781, second - 13 * 3_600 + 86_400));
    assert_eq!(local("Asia/Shanghai"), local("UTC+8"));
}

#[test]
fn nested_values_take_options_by_path() {
    let columns = [
        ("ar", K::Array(Box::new(K::Int.nullable()))),
        ("m", K::Map(Box::new(K::STRING.nullable()), Box::new(K::Int.nullable()))),
        ("r", K::Row(fields(&[("x", K::Int), ("y", K::STRING)]))),
        ("ms", K::Multiset(Box::new(K::Boolean.nullable()))),
    ];
    let options = [
        ("fields.ar.element.min", "1"),
        ("fields.ar.element.max", "9"),
        ("fields.ar.length", "5"),
        ("fields.m.key.length", "2"),
        ("fields.r.x.min", "0"),
        ("fields.r.x.max", "0"),
    ];
    let batch = rows(&columns, &options, 200);
    let arrays = batch.column(0).as_list::<i32>();
    assert!((0..200).all(|row| arrays.value_length(row) == 5));
    assert!(
        arrays
            .values()
            .as_primitive::<Int32Type>()
            .values()
            .iter()
            .all(|value| (1..=9).contains(value))
    );
    let maps = batch.column(1).as_map();
    assert!(maps.keys().as_string_view().iter().flatten().all(|key| key.len() == 2));
    let row = batch.column(2).as_struct();
    assert!(row.column(0).as_primitive::<Int32Type>().values().iter().all(|value| *value == 0));
    assert_eq!(row.column(1).as_string_view().value(0).len(), 100);
    // Two possible keys, three draws: no key stands in a map twice.
    let sets = batch.column(3).as_map();
    for set in 0..200 {
        let entries = sets.value(set);
        let keys = entries.column(0).as_boolean();
        assert!(keys.true_count() <= 1 && keys.false_count() <= 1);
    }
}
