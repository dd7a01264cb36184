//! What holds for every function, on random arguments of random types:
//!
//! - a column's values are those of its rows one by one;
//! - a constant gives what a column of the same values gives;
//! - an argument that is NULL gives NULL, but for the functions of [`TAKES_NULL`].

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{RecordBatch, StringViewArray};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::{CastMode, Expr, Literal, PlanSettings, Scalar};
use tidegate_types::{Field, SqlType, TypeKind};

use crate::eval::literal;
use crate::function::Volatility;
use crate::testing::{NOW_MS, call, evaluate, text, try_call};
use crate::{EvalContext, Evaluator, TAKES_NULL, lookup, names};

/// The session's zone.
const ZONE: &str = "Europe/Berlin";
/// Rows of a batch.
const ROWS: usize = 16;
/// Random calls that are tried for each function.
const TRIES: usize = 3_000;
/// Calls that are compared for each function.
const CALLS: usize = 20;

/// Texts that mean something to one function or another.
const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "b",
    "abc",
    "a,b,,c",
    "Hello, World",
    "äöü",
    "中文数据",
    "😀x",
    "%_",
    "a%",
    "[a-c]+",
    "(",
    "1",
    "-7",
    "2.5",
    "1e3",
    "NaN",
    "2024-02-29",
    "2024-02-29 12:34:56.789",
    "12:34:56",
    "1969-12-31 23:59:59.999",
    "yyyy-MM-dd",
    "HH:mm",
    "UTF-8",
    "UTC",
    "Asia/Shanghai",
    "{\"a\":[1,2]}",
    "[1,\"x\",null]",
    "$.a",
    "lax $.a[0]",
    "true",
    "false",
    "yes",
    "no",
    "2024-01-31",
    "2023-07-01 00:00:00",
    "0f1e",
    "QUJD",
    "http://h.org/p?q=1",
    "HOST",
    "k=v,l=w",
    "%s-%d",
    "127.0.0.1",
];

/// Constants that some arguments must be.
const WORDS: &[&str] = &[
    "BOTH", "LEADING", "DAY", "MONTH", "HOUR", "SECOND", "YEAR", "NULL", "DEFAULT", "STRING",
    "INT", "WITHOUT", "v", "vv", "TRUE", "ABSENT",
];

fn types() -> Vec<SqlType> {
    use TypeKind as K;
    let kinds = [
        K::Boolean,
        K::TinyInt,
        K::Int,
        K::BigInt,
        K::Float,
        K::Double,
        K::Decimal { precision: 10, scale: 2 },
        K::Decimal { precision: 38, scale: 10 },
        K::Char { length: 3 },
        K::STRING,
        K::STRING,
        K::BYTES,
        K::Date,
        K::Time { precision: 0 },
        K::timestamp(3),
        K::timestamp(6),
        K::timestamp_ltz(3),
        K::IntervalDayTime,
        K::IntervalYearMonth,
    ];
    kinds.map(K::nullable).into()
}

/// A column of a type, made of column `index` of texts.
fn column(index: usize, ty: &SqlType) -> Expr {
    let source = Expr::column(index, TypeKind::STRING.nullable());
    let cast = |input: Expr, ty: &SqlType| Expr::Cast {
        input: Box::new(input),
        ty: ty.clone(),
        mode: CastMode::TryCast,
    };
    match &ty.kind {
        TypeKind::VarChar { .. } => source,
        // Numbers become intervals.
        kind if kind.is_interval() => cast(cast(source, &TypeKind::Int.nullable()), ty),
        _ => cast(source, ty),
    }
}

/// A random argument: a column, an array, map, row, VARIANT or BITMAP of columns, or a constant word.
fn argument(random: &mut StdRng, index: usize) -> Expr {
    let all = types();
    let ty = all.choose(random).unwrap();
    let ints = || column(index, &TypeKind::Int.nullable());
    match random.random_range(0..20) {
        0 => call("ARRAY", vec![column(index, ty), column(index + 4, ty)]),
        1 => call("ARRAY", vec![ints(), column(index + 4, &TypeKind::Int.nullable())]),
        2 => call("MAP", vec![text("k"), column(index, ty), text("l"), column(index + 4, ty)]),
        3 => call("ROW", vec![column(index, ty), ints()]),
        4 => call("TRY_PARSE_JSON", vec![column(index, &TypeKind::STRING.nullable())]),
        5 => call("BITMAP_BUILD", vec![call("ARRAY", vec![ints()])]),
        9 => ints(),
        10 => column(index, &TypeKind::STRING.nullable()),
        11 => column(index, &TypeKind::Boolean.nullable()),
        6..=8 => text(WORDS.choose(random).unwrap()),
        _ => column(index, ty),
    }
}

/// Arguments of functions that random ones hardly reach.
fn shaped(name: &str, random: &mut StdRng) -> Option<Vec<Expr>> {
    let of = |index: usize, kind: TypeKind| column(index, &kind.nullable());
    let s = |index| of(index, TypeKind::STRING);
    let json =
        || text(["{\"a\":[1,2]}", "[1]", "{"].choose(&mut StdRng::seed_from_u64(7)).unwrap());
    let path = text(["$", "lax $.a[0]", "$.a", "$[0]"].choose(random).unwrap());
    let clauses = |words: &[&str]| words.iter().map(|word| text(word)).collect::<Vec<_>>();
    let number = |index| of(index, TypeKind::Int);
    let unit = text(["HOUR", "DAY", "MONTH"].choose(random).unwrap());
    let flag = random.random_bool(0.5);
    Some(match name {
        "AND" | "OR" => vec![of(0, TypeKind::Boolean), of(1, TypeKind::Boolean)],
        "ARRAY_JOIN" => vec![call("ARRAY", vec![s(0), s(1)]), s(2)],
        "BITMAP_AND" | "BITMAP_OR" | "BITMAP_XOR" | "BITMAP_ANDNOT" => (0..2)
            .map(|index| call("BITMAP_BUILD", vec![call("ARRAY", vec![number(index)])]))
            .collect(),
        "BITMAP_FROM_BYTES" => {
            let built = call("BITMAP_BUILD", vec![call("ARRAY", vec![number(0), number(1)])]);
            vec![call("BITMAP_TO_BYTES", vec![built])]
        }
        "ITEM" => vec![call("ARRAY", vec![s(0), s(1)]), number(2)],
        "$BITMAP_AND_OF" | "$BITMAP_OR_OF" | "$BITMAP_XOR_OF" => {
            let set = |index| call("BITMAP_BUILD", vec![call("ARRAY", vec![number(index)])]);
            vec![call("ARRAY", vec![set(0), set(1)])]
        }
        "$JSON_ARRAY_OF" => {
            [clauses(&["v", "NULL"]), vec![call("ARRAY", vec![s(0), s(1)])]].concat()
        }
        "$JSON_OBJECT_OF" => {
            let row = call("ROW", vec![text("key"), number(0)]);
            [clauses(&["v", "ABSENT"]), vec![call("ARRAY", vec![row])]].concat()
        }
        "CONVERT_TZ" => vec![s(0), text("UTC"), text("Asia/Shanghai")],
        "TRIM" => vec![text("BOTH"), s(0), s(1)],
        "DECODE" => vec![of(0, TypeKind::BYTES), text("UTF-16")],
        "ENCODE" => vec![s(0), text("GBK")],
        "ELEMENT" => vec![call("ARRAY", vec![s(0)])],
        "JSON_ARRAY" => [clauses(&["vv", "NULL"]), vec![s(0), number(1)]].concat(),
        "JSON_OBJECT" => [clauses(&["v", "ABSENT", "key"]), vec![s(0)]].concat(),
        "JSON_QUERY" => {
            let source = if flag { s(0) } else { json() };
            let rest = clauses(&["STRING", "CONDITIONAL", "NULL", "EMPTY ARRAY"]);
            [vec![source, path], rest].concat()
        }
        "JSON_VALUE" => {
            let source = if flag { s(0) } else { json() };
            let rest = clauses(&["STRING", "NULL", "DEFAULT"]);
            [vec![source, path], rest, vec![s(1), s(2)]].concat()
        }
        "LPAD" | "RPAD" => vec![s(0), number(1), s(2)],
        "PARSE_URL" => vec![s(0), text("HOST")],
        "REGEXP_EXTRACT_ALL" => vec![s(0), text("([a-z])")],
        "SHA2" => vec![
            s(0),
            Expr::Literal(Literal { value: Scalar::Integer(256), ty: TypeKind::Int.not_null() }),
        ],
        "SPLIT_INDEX" => vec![s(0), text(","), number(1)],
        "TIMESTAMPADD" => vec![unit, number(0), of(1, TypeKind::timestamp(3))],
        "OBJECT_OF" => vec![text("org.example.P"), text("a"), s(0), text("b"), number(1)],
        "OBJECT_UPDATE" => {
            let class = vec![text("org.example.P"), text("a"), s(0), text("b"), number(1)];
            vec![call("OBJECT_OF", class), text("b"), s(2)]
        }
        "PRINT" => vec![text("a"), s(1)],
        "TIMESTAMPDIFF" | "$DIFFERENCE" => {
            vec![unit, of(0, TypeKind::timestamp(3)), of(1, TypeKind::Date)]
        }
        _ => return None,
    })
}

fn batch(random: &mut StdRng) -> RecordBatch {
    let columns = (0..8).map(|_| {
        let texts = (0..ROWS).map(|_| match random.random_range(0..8) {
            0 => None,
            1 => Some(random.random_range(-300..300).to_string()),
            _ => TEXTS.choose(random).map(|text| (*text).to_owned()),
        });
        texts.collect::<StringViewArray>()
    });
    let columns: Vec<arrow::array::ArrayRef> =
        columns.map(|column| std::sync::Arc::new(column) as _).collect();
    let fields: Vec<Field> =
        (0..8).map(|i| Field::new(format!("c{i}"), TypeKind::STRING.nullable())).collect();
    RecordBatch::try_new(arrow_schema(&fields), columns).unwrap()
}

/// The value of an expression in one row.
type Row = Result<Option<String>, String>;

fn row_by_row(expr: &Expr, batch: &RecordBatch) -> Vec<Row> {
    let one = |row| evaluate(ZONE, expr, &batch.slice(row, 1));
    (0..batch.num_rows())
        .map(|row| one(row).map(|mut values| values.remove(0)).map_err(|error| error.to_string()))
        .collect()
}

/// The values of an argument as constants, row by row; none if its type has no literals.
fn constants(expr: &Expr, batch: &RecordBatch) -> Option<Vec<Expr>> {
    if !literal::has_literal(expr.ty()) {
        return None;
    }
    let settings = PlanSettings { time_zone: ZONE.to_owned(), ..PlanSettings::default() };
    let evaluator = Evaluator::compile(expr, &settings).ok()?;
    let values = evaluator.evaluate(batch, &EvalContext::at(NOW_MS)).ok()?;
    let one = |row| {
        let mut literal = literal::from_array(&values, row, expr.ty()).unwrap();
        literal.ty.nullable |= expr.ty().nullable;
        Expr::Literal(literal)
    };
    Some((0..batch.num_rows()).map(one).collect())
}

fn is_null(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(Literal { value: Scalar::Null, .. }))
}

/// A call with a constant in the place of one argument, if it has the same type.
fn with_constant(
    name: &str,
    args: &[Expr],
    index: usize,
    constant: &Expr,
    ty: &SqlType,
) -> Option<Expr> {
    let mut args = args.to_vec();
    args[index] = constant.clone();
    try_call(name, args).ok().filter(|call| call.ty() == ty)
}

struct Seen {
    calls: usize,
    values: usize,
    takes_null: bool,
}

fn check(name: &'static str, random: &mut StdRng) -> Seen {
    let mut seen = Seen { calls: 0, values: 0, takes_null: false };
    let mut tried = BTreeSet::new();
    for _ in 0..TRIES {
        if seen.calls == CALLS {
            break;
        }
        let shaped = if random.random_bool(0.5) { shaped(name, random) } else { None };
        let is_shaped = shaped.is_some();
        let args: Vec<Expr> = shaped.unwrap_or_else(|| {
            (0..random.random_range(1..=4)).map(|index| argument(random, index)).collect()
        });
        let Ok(expr) = try_call(name, args.clone()) else { continue };
        let kinds: Vec<String> = args.iter().map(|arg| arg.ty().to_string()).collect();
        if !tried.insert(kinds.join(", ")) && !is_shaped {
            continue;
        }
        seen.calls += 1;
        let what = || format!("{name}({})", kinds.join(", "));
        let batch = batch(random);
        let rows = row_by_row(&expr, &batch);
        seen.values += rows.iter().filter(|row| matches!(row, Ok(Some(_)))).count();
        match evaluate(ZONE, &expr, &batch) {
            Ok(values) => {
                let rows: Result<Vec<_>, _> = rows.iter().cloned().collect();
                assert_eq!(rows.as_ref(), Ok(&values), "{}", what());
            }
            Err(error) => {
                assert!(
                    rows.iter().any(Result::is_err),
                    "{}: no row fails by itself: {error}",
                    what()
                );
            }
        }
        for (index, arg) in args.iter().enumerate() {
            let Some(constants) = constants(arg, &batch) else { continue };
            for (row, constant) in constants.iter().enumerate() {
                if is_null(constant) {
                    seen.takes_null |= matches!(rows[row], Ok(Some(_)));
                }
                let Some(expr) = with_constant(name, &args, index, constant, expr.ty()) else {
                    continue;
                };
                let got = row_by_row(&expr, &batch.slice(row, 1)).remove(0);
                match (&got, &rows[row]) {
                    // A malformed constant fails also where another argument is NULL.
                    (Err(_), Err(_) | Ok(None)) => {}
                    (got, wanted) => assert_eq!(got, wanted, "{} with {constant:?}", what()),
                }
            }
        }
    }
    seen
}

#[test]
fn columns_are_their_rows_and_constants_are_columns() {
    let mut takes_null = BTreeSet::new();
    let mut seen = BTreeMap::new();
    let mut reached = 0;
    for (number, name) in names().enumerate() {
        if lookup(name).unwrap().volatility == Volatility::Volatile || name == "PI" || name == "E" {
            continue;
        }
        let mut random = StdRng::seed_from_u64(number as u64);
        let found = check(name, &mut random);
        if found.takes_null {
            takes_null.insert(name);
        }
        reached += found.values;
        if found.values == 0 {
            seen.insert(name, found.calls);
        }
    }
    println!("{reached} values compared");
    let without: Vec<&str> = seen.keys().copied().collect();
    assert!(without.is_empty(), "functions without a value: {without:?}");
    let unknown: Vec<&str> =
        takes_null.into_iter().filter(|name| !TAKES_NULL.contains(name)).collect();
    assert!(unknown.is_empty(), "they have a value although an argument is NULL: {unknown:?}");
    assert!(reached > 15_000, "only {reached} values");
}
