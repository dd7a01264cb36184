//! Random arguments of random types, made of columns of texts.

use arrow::array::{RecordBatch, StringViewArray};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::{CastMode, Expr, Literal, Scalar};
use tidegate_types::{Field, SqlType, TypeKind};

use crate::testing::{call, text};

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

/// Rows of texts for the columns of arguments.
pub(super) fn batch(random: &mut StdRng, rows: usize) -> RecordBatch {
    let columns = (0..8).map(|_| {
        let texts = (0..rows).map(|_| match random.random_range(0..8) {
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

/// Arguments for a call: of the function's own shape, if it has one and chance wants it, or any. The second says
/// which.
pub(super) fn arguments(name: &str, random: &mut StdRng) -> (Vec<Expr>, bool) {
    if random.random_bool(0.5)
        && let Some(shaped) = shaped(name, random)
    {
        return (shaped, true);
    }
    ((0..random.random_range(1..=4)).map(|index| argument(random, index)).collect(), false)
}
