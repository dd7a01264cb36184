//! `docs/functions.md`: every function of Flink, and whether it is here. Made of the list of Flink's functions
//! (`integration-tests/flink/functions.tsv`), the recorded expressions that name them, and the known differences;
//! `UPDATE_EXPECT=1` writes it anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::Value;

use super::recorded_values::{SECTIONS, known_differences, recorded};
use crate::{Planned, Session, parse_script};

/// Queries that use what no recorded expression can: aggregates, windows, what stands in a table's place.
/// `t` has k STRING, v INT, s STRING, w the event time.
const SAMPLES: &[(&str, &str)] = &[
    ("EXISTS", "SELECT k FROM t WHERE EXISTS (SELECT * FROM t AS u WHERE u.v = t.v)"),
    ("PERCENTILE", "SELECT PERCENTILE(v, 0.5) FROM t"),
    ("PROCTIME", "SELECT PROCTIME() FROM t"),
    ("CURRENT_WATERMARK", "SELECT CURRENT_WATERMARK(w) FROM t"),
    (
        "SOURCE_WATERMARK",
        "CREATE TABLE own (v INT, w TIMESTAMP(3), WATERMARK FOR w AS SOURCE_WATERMARK()) WITH ('connector' = 'blackhole'); INSERT INTO own SELECT v, w FROM t",
    ),
    ("LOCALTIME", "SELECT LOCALTIME FROM t"),
    ("LOCALTIMESTAMP", "SELECT LOCALTIMESTAMP FROM t"),
    ("CURRENT_TIME", "SELECT CURRENT_TIME FROM t"),
    ("CURRENT_DATE", "SELECT CURRENT_DATE FROM t"),
    ("CURRENT_TIMESTAMP", "SELECT CURRENT_TIMESTAMP FROM t"),
    ("NOW", "SELECT NOW() FROM t"),
    ("CURRENT_ROW_TIMESTAMP", "SELECT CURRENT_ROW_TIMESTAMP() FROM t"),
    ("RAND", "SELECT RAND(), RAND(5) FROM t"),
    ("UUID", "SELECT UUID() FROM t"),
    ("JSON_OBJECTAGG", "SELECT JSON_OBJECTAGG(KEY k VALUE v) FROM t"),
    ("JSON_ARRAYAGG", "SELECT JSON_ARRAYAGG(v) FROM t"),
    (".*", "SELECT r.* FROM (SELECT CAST(ROW(1, 2) AS ROW<a INT, b INT>) AS r FROM t)"),
    ("GROUP_ID", "SELECT k, GROUP_ID() FROM t GROUP BY GROUPING SETS ((k), ())"),
    ("GROUPING", "SELECT k, GROUPING(k) FROM t GROUP BY GROUPING SETS ((k), ())"),
    ("GROUPING_ID", "SELECT k, GROUPING_ID(k) FROM t GROUP BY GROUPING SETS ((k), ())"),
    ("BITMAP_BUILD_AGG", "SELECT BITMAP_BUILD_AGG(v) FROM t"),
    ("BITMAP_BUILD_CARDINALITY_AGG", "SELECT BITMAP_BUILD_CARDINALITY_AGG(v) FROM t"),
    ("BITMAP_AND_AGG", "SELECT BITMAP_AND_AGG(BITMAP_BUILD(ARRAY[v])) FROM t"),
    (
        "BITMAP_AND_CARDINALITY_AGG",
        "SELECT BITMAP_AND_CARDINALITY_AGG(BITMAP_BUILD(ARRAY[v])) FROM t",
    ),
    ("BITMAP_OR_AGG", "SELECT BITMAP_OR_AGG(BITMAP_BUILD(ARRAY[v])) FROM t"),
    (
        "BITMAP_OR_CARDINALITY_AGG",
        "SELECT BITMAP_OR_CARDINALITY_AGG(BITMAP_BUILD(ARRAY[v])) FROM t",
    ),
    ("BITMAP_XOR_AGG", "SELECT BITMAP_XOR_AGG(BITMAP_BUILD(ARRAY[v])) FROM t"),
    (
        "BITMAP_XOR_CARDINALITY_AGG",
        "SELECT BITMAP_XOR_CARDINALITY_AGG(BITMAP_BUILD(ARRAY[v])) FROM t",
    ),
    ("AS", "SELECT v AS renamed FROM t"),
    (
        "=>",
        "SELECT * FROM TABLE(TUMBLE(DATA => TABLE t, TIMECOL => DESCRIPTOR(w), SIZE => INTERVAL '1' MINUTE))",
    ),
    ("DEFAULT", "SELECT * FROM TO_CHANGELOG(input => TABLE t, op => DEFAULT)"),
    ("DESCRIPTOR", "SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(w), INTERVAL '1' MINUTE))"),
    ("COUNT", "SELECT COUNT(*), COUNT(DISTINCT v) FROM t"),
    ("AVG", "SELECT AVG(v) FROM t"),
    ("SUM", "SELECT SUM(v) FROM t"),
    ("SUM0", "SELECT $SUM0(v) FROM t"),
    ("MAX", "SELECT MAX(v) FROM t"),
    ("MIN", "SELECT MIN(v) FROM t"),
    ("STDDEV_POP", "SELECT STDDEV_POP(v) FROM t"),
    ("STDDEV_SAMP", "SELECT STDDEV_SAMP(v) FROM t"),
    ("STDDEV", "SELECT STDDEV(v) FROM t"),
    ("VAR_POP", "SELECT VAR_POP(v) FROM t"),
    ("VAR_SAMP", "SELECT VAR_SAMP(v) FROM t"),
    ("VARIANCE", "SELECT VARIANCE(v) FROM t"),
    ("COLLECT", "SELECT COLLECT(v) FROM t"),
    ("ARRAY_AGG", "SELECT ARRAY_AGG(v) FROM t"),
    ("APPROX_COUNT_DISTINCT", "SELECT APPROX_COUNT_DISTINCT(v) FROM t"),
    ("SINGLE_VALUE", "SELECT k FROM t WHERE v = (SELECT MAX(v) FROM t)"),
    (
        "RANK",
        "SELECT * FROM (SELECT *, RANK() OVER (PARTITION BY k ORDER BY v) AS n FROM t) WHERE n <= 3",
    ),
    (
        "DENSE_RANK",
        "SELECT * FROM (SELECT *, DENSE_RANK() OVER (PARTITION BY k ORDER BY v) AS n FROM t) WHERE n <= 3",
    ),
    (
        "ROW_NUMBER",
        "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v) AS n FROM t) WHERE n <= 3",
    ),
    ("LEAD", "SELECT LEAD(v, 1) OVER (PARTITION BY k ORDER BY w) FROM t"),
    ("LAG", "SELECT LAG(v, 1) OVER (PARTITION BY k ORDER BY w) FROM t"),
    ("FIRST_VALUE", "SELECT FIRST_VALUE(v) FROM t"),
    ("LAST_VALUE", "SELECT LAST_VALUE(v) FROM t"),
    ("LISTAGG", "SELECT LISTAGG(s) FROM t"),
    ("CUME_DIST", "SELECT CUME_DIST() OVER (PARTITION BY k ORDER BY w) FROM t"),
    ("PERCENT_RANK", "SELECT PERCENT_RANK() OVER (PARTITION BY k ORDER BY w) FROM t"),
    ("NTILE", "SELECT NTILE(4) OVER (PARTITION BY k ORDER BY w) FROM t"),
    ("TUMBLE", "SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(w), INTERVAL '1' MINUTE))"),
    (
        "HOP",
        "SELECT * FROM TABLE(HOP(TABLE t, DESCRIPTOR(w), INTERVAL '1' MINUTE, INTERVAL '5' MINUTE))",
    ),
    (
        "CUMULATE",
        "SELECT * FROM TABLE(CUMULATE(TABLE t, DESCRIPTOR(w), INTERVAL '1' MINUTE, INTERVAL '5' MINUTE))",
    ),
    (
        "SESSION",
        "SELECT * FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(w), INTERVAL '1' MINUTE))",
    ),
    ("group TUMBLE", "SELECT COUNT(*) FROM t GROUP BY TUMBLE(w, INTERVAL '1' MINUTE)"),
    (
        "group HOP",
        "SELECT COUNT(*) FROM t GROUP BY HOP(w, INTERVAL '1' MINUTE, INTERVAL '2' MINUTE)",
    ),
    ("group SESSION", "SELECT COUNT(*) FROM t GROUP BY SESSION(w, INTERVAL '1' MINUTE)"),
    (
        "TUMBLE_START",
        "SELECT TUMBLE_START(w, INTERVAL '1' MINUTE) FROM t GROUP BY TUMBLE(w, INTERVAL '1' MINUTE)",
    ),
    (
        "TUMBLE_END",
        "SELECT TUMBLE_END(w, INTERVAL '1' MINUTE) FROM t GROUP BY TUMBLE(w, INTERVAL '1' MINUTE)",
    ),
    (
        "TUMBLE_ROWTIME",
        "SELECT TUMBLE_ROWTIME(w, INTERVAL '1' MINUTE) FROM t GROUP BY TUMBLE(w, INTERVAL '1' MINUTE)",
    ),
    (
        "TUMBLE_PROCTIME",
        "SELECT TUMBLE_PROCTIME(w, INTERVAL '1' MINUTE) FROM t GROUP BY TUMBLE(w, INTERVAL '1' MINUTE)",
    ),
    (
        "HOP_START",
        "SELECT HOP_START(w, INTERVAL '1' MINUTE, INTERVAL '2' MINUTE) FROM t GROUP BY HOP(w, INTERVAL '1' MINUTE, INTERVAL '2' MINUTE)",
    ),
    (
        "HOP_END",
        "SELECT HOP_END(w, INTERVAL '1' MINUTE, INTERVAL '2' MINUTE) FROM t GROUP BY HOP(w, INTERVAL '1' MINUTE, INTERVAL '2' MINUTE)",
    ),
    (
        "HOP_ROWTIME",
        "SELECT HOP_ROWTIME(w, INTERVAL '1' MINUTE, INTERVAL '2' MINUTE) FROM t GROUP BY HOP(w, INTERVAL '1' MINUTE, INTERVAL '2' MINUTE)",
    ),
    (
        "HOP_PROCTIME",
        "SELECT HOP_PROCTIME(w, INTERVAL '1' MINUTE, INTERVAL '2' MINUTE) FROM t GROUP BY HOP(w, INTERVAL '1' MINUTE, INTERVAL '2' MINUTE)",
    ),
    (
        "SESSION_START",
        "SELECT SESSION_START(w, INTERVAL '1' MINUTE) FROM t GROUP BY SESSION(w, INTERVAL '1' MINUTE)",
    ),
    (
        "SESSION_END",
        "SELECT SESSION_END(w, INTERVAL '1' MINUTE) FROM t GROUP BY SESSION(w, INTERVAL '1' MINUTE)",
    ),
    (
        "SESSION_ROWTIME",
        "SELECT SESSION_ROWTIME(w, INTERVAL '1' MINUTE) FROM t GROUP BY SESSION(w, INTERVAL '1' MINUTE)",
    ),
    (
        "SESSION_PROCTIME",
        "SELECT SESSION_PROCTIME(w, INTERVAL '1' MINUTE) FROM t GROUP BY SESSION(w, INTERVAL '1' MINUTE)",
    ),
    ("UNNEST", "SELECT k, e FROM t CROSS JOIN UNNEST(ARRAY[v, 1]) AS u(e)"),
    ("TO_CHANGELOG", "SELECT * FROM TO_CHANGELOG(input => TABLE t)"),
    ("FROM_CHANGELOG", "SELECT * FROM FROM_CHANGELOG(input => TABLE t, op => DESCRIPTOR(k))"),
    ("ML_PREDICT", "SELECT * FROM ML_PREDICT(TABLE t, MODEL m, DESCRIPTOR(v))"),
    ("ML_EVALUATE", "SELECT * FROM ML_EVALUATE(TABLE t, MODEL m, DESCRIPTOR(v))"),
    ("VECTOR_SEARCH", "SELECT * FROM VECTOR_SEARCH(TABLE t, DESCRIPTOR(v), v, 1)"),
    (
        "FIRST",
        "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY w MEASURES FIRST(A.v) AS x PATTERN (A B) DEFINE B AS B.v > 1)",
    ),
    (
        "LAST",
        "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY w MEASURES LAST(A.v) AS x PATTERN (A B) DEFINE B AS B.v > 1)",
    ),
    (
        "PREV",
        "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY w MEASURES A.v AS x PATTERN (A B) DEFINE B AS B.v > PREV(B.v))",
    ),
    (
        "NEXT",
        "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY w MEASURES NEXT(A.v) AS x PATTERN (A B) DEFINE B AS B.v > 1)",
    ),
    (
        "CLASSIFIER",
        "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY w MEASURES CLASSIFIER() AS x PATTERN (A B) DEFINE B AS B.v > 1)",
    ),
    (
        "MATCH_ROWTIME",
        "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY w MEASURES MATCH_ROWTIME() AS x PATTERN (A B) DEFINE B AS B.v > 1)",
    ),
    (
        "MATCH_PROCTIME",
        "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY w MEASURES MATCH_PROCTIME() AS x PATTERN (A B) DEFINE B AS B.v > 1)",
    ),
];

/// What Flink itself refuses in streams, or takes and never answers.
const NOT_IN_FLINK: &[(&str, &str)] = &[
    ("CUME_DIST", "Flink refuses it in streams"),
    ("PERCENT_RANK", "Flink refuses it in streams"),
    ("NTILE", "Flink refuses it in streams"),
    ("PREV", "Flink does not support it"),
    ("NEXT", "Flink does not support it"),
    ("CLASSIFIER", "Flink does not support it"),
];

/// Operators and forms: how they look in an expression, where the key itself does not say it.
const FORMS: &[(&str, &str)] = &[
    ("unary +", "+5"),
    ("unary -", "- 5"),
    ("temporal +", "+ INTERVAL"),
    ("temporal -", "- INTERVAL"),
    ("FLOOR TO", " TO "),
    ("CEIL TO", " TO "),
    ("[]", "]["),
    ("variant []", ")['"),
    (".", ")."),
    ("DATE", "DATE '"),
    ("TIME", "TIME '"),
    ("TIMESTAMP", "TIMESTAMP '"),
    ("INTERVAL", "INTERVAL '"),
    ("ARRAY", "ARRAY["),
    ("MAP", "MAP["),
    ("IS JSON", "IS JSON"),
    ("IS NOT JSON", "IS NOT JSON"),
    ("CASE", "CASE "),
    ("CURRENT_DATABASE", "CURRENT_DATABASE()"),
    ("DEFAULT", "=> DEFAULT"),
];

/// Reasons that concern types rather than functions; the page names them once.
const GENERAL: &[&str] = &[
    "TIMESTAMP(7..9) holds the years 1677 to 2262",
    "Flink mixes the Julian calendar into early years",
    "early years are those of the proleptic Gregorian calendar, and boundaries stay where they are",
    "early years are those of the proleptic Gregorian calendar, with the zone's local mean time; texts are read strictly",
    "the recorder shows bytes inside as x'..'",
    "keys of maps are not NULL",
    "entries of maps stand in the order in which they were made, each key once",
    "numbers are compared as =, by IEEE 754; Flink's folding takes NaN as equal and zeros of two signs as different",
    "exact at every precision; Flink's intermediate result overflows",
    "NULL of an overflow has a type that may be NULL",
    "casts of numbers to intervals exist for all resolutions",
    "by the clock",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Whether an expression uses a function.
fn uses(sql: &str, key: &str) -> bool {
    if let Some((_, form)) = FORMS.iter().find(|(known, _)| *known == key) {
        return sql.contains(form);
    }
    if ["AND", "OR", "NOT", "IN"].contains(&key) {
        return sql.contains(&format!(" {key} ")) || sql.starts_with(&format!("{key} "));
    }
    if key.contains(' ') {
        return sql.contains(&format!(" {key}"));
    }
    if !key.starts_with(|c: char| c.is_alphabetic()) {
        return sql.contains(&format!(" {key} "));
    }
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    sql.match_indices(key).any(|(at, _)| {
        let behind = &sql[at + key.len()..];
        !sql[..at].ends_with(is_part)
            && (behind.starts_with('(') || !behind.starts_with(is_part) && key.len() > 3)
    })
}

fn plans(sql: &str) -> bool {
    let table = "CREATE TABLE t (k STRING, v INT, s STRING, w TIMESTAMP(3), WATERMARK FOR w AS w) \
                 WITH ('connector' = 'datagen')";
    let mut session = Session::new(Default::default()).unwrap();
    session.plan(&parse_script(table).unwrap()[0]).unwrap();
    let Ok(script) = parse_script(sql) else { return false };
    let planned: Result<Vec<_>, _> = script.iter().map(|one| session.plan(one)).collect();
    planned.is_ok_and(|planned| matches!(planned.last(), Some(Planned::Job(_))))
}

/// How a function fares: what the table says, and how many expressions agree of those recorded.
fn row(key: &str, cases: &[(String, String, bool)]) -> (String, String) {
    let mentioned: Vec<_> = cases.iter().filter(|(sql, ..)| uses(sql, key)).collect();
    let agree = mentioned.iter().filter(|(_, reasons, _)| reasons.is_empty()).count();
    let accepted = mentioned.iter().any(|(_, reasons, works)| reasons.is_empty() && *works);
    let sample = SAMPLES.iter().find(|(known, _)| *known == key);
    let there = match sample {
        Some((_, sql)) => plans(sql),
        None => accepted,
    };
    let counts = match mentioned.len() {
        0 => String::new(),
        all => format!("{agree} of {all}"),
    };
    if !there {
        let why = NOT_IN_FLINK.iter().find(|(known, _)| *known == key);
        return (why.map_or("missing".to_owned(), |(_, why)| format!("missing: {why}")), counts);
    }
    let reasons: BTreeSet<&str> = mentioned
        .iter()
        .flat_map(|(_, reasons, _)| reasons.split(" // "))
        .filter(|reason| !reason.is_empty() && !GENERAL.contains(reason))
        .collect();
    // A reason that one case in twelve has concerns what is around the function.
    let own = |reason: &&str| {
        let with = mentioned.iter().filter(|(_, reasons, _)| reasons.contains(*reason)).count();
        with * 12 >= mentioned.len()
    };
    let reasons: Vec<&str> = reasons.into_iter().filter(own).collect();
    let text = match reasons.is_empty() {
        true => "same".to_owned(),
        false => format!("differs: {}", reasons.join("; ").replace('|', "\\|")),
    };
    (text, counts)
}

#[test]
fn the_table_of_functions_is_up_to_date() {
    let mut cases = Vec::new();
    for section in SECTIONS {
        let mut known = known_differences(section);
        for case in recorded(section) {
            let (name, reasons) = known.reasons(&case);
            let works = case["error"].is_null();
            cases.push((name, reasons, works));
        }
    }
    let path = root().join("integration-tests/flink/functions.tsv");
    let list = std::fs::read_to_string(path).unwrap();
    let mut out = String::from(
        "# Functions\n\nEvery function of Flink 2.3's SQL, and how it fares here. Generated by \
         `planner/src/tests/function_table.rs` from\nthe list of Flink's functions, the answers that \
         real Flink gave ([how](../integration-tests/flink/README.md)), and what\nis known to differ \
         (`expression_differences.txt` beside them). The last column counts the recorded expressions \
         that name the\nfunction, and those of them whose type and values are Flink's; `EXPLAIN`ed \
         samples stand for what no expression can hold.\n\nWhat concerns types rather than \
         functions is not repeated below: `TIMESTAMP(7)` to `TIMESTAMP(9)` hold the\nyears 1677 to \
         2262; early years are those of the proleptic Gregorian calendar, where Flink mixes the \
         Julian one in; numbers are\ncompared by IEEE 754, also when they are constants; DECIMALs are \
         exact at every precision; maps keep the order in which they were\nmade, and their keys are \
         not NULL.\n\nBeyond Flink's: `LENGTH`, `TRUNC`, `COUNT_CHAR`, `!=`.\n",
    );
    let (mut category, mut missing, mut all) = (String::new(), Vec::new(), 0);
    for line in list.lines().skip(1) {
        let mut fields = line.split('\t');
        let mut next = || fields.next().unwrap_or_default();
        let (of, key, syntax) = (next(), next(), next());
        if of != category {
            category = of.to_owned();
            write!(out, "\n## {}{}\n\n", &of[..1].to_uppercase(), &of[1..]).unwrap();
            out.push_str("| function | | recorded |\n|---|---|---|\n");
        }
        let (state, counts) = row(key, &cases);
        all += 1;
        if state == "missing" {
            missing.push(key.to_owned());
        }
        let syntax = syntax.replace('|', "\\|");
        writeln!(out, "| `{syntax}` | {state} | {counts} |").unwrap();
    }
    let takes_null = tidegate_functions::TAKES_NULL.iter();
    let takes_null: Vec<String> =
        takes_null.filter(|name| !name.starts_with('$')).map(|name| format!("`{name}`")).collect();
    write!(
        out,
        "\n## NULL\n\nA function of a NULL is NULL, but for these, which may have a value: {}. Aggregates leave NULLs \
         out,\nbut for `COUNT(*)`, `ARRAY_AGG` and `JSON_ARRAYAGG` with `NULL ON NULL`.\n",
        takes_null.join(", ")
    )
    .unwrap();
    let names = missing.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    write!(out, "\nOf {all} functions {} are missing: {names}.\n", missing.len()).unwrap();
    expect_test::expect_file!["../../../docs/functions.md"].assert_eq(&out);
}

#[test]
fn recorded_cases_are_values() {
    let total: usize = SECTIONS.iter().map(|section| recorded(section).len()).sum();
    assert!(total > 8_000, "only {total} expressions are recorded");
    assert!(recorded("casts").iter().all(|case: &Value| case["sql"].is_string()));
}
