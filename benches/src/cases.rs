//! The functions that are used most, with DataFusion's of the same kind.

/// A function.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// The expression in Flink SQL.
    pub(crate) sql: &'static str,
    /// What DataFusion has for it.
    pub(crate) datafusion: Option<&'static str>,
}

const fn both(name: &'static str, sql: &'static str, datafusion: &'static str) -> Case {
    Case { name, sql, datafusion: Some(datafusion) }
}

/// The same text on both sides.
const fn same(name: &'static str, sql: &'static str) -> Case {
    Case { name, sql, datafusion: Some(sql) }
}

const fn ours(name: &'static str, sql: &'static str) -> Case {
    Case { name, sql, datafusion: None }
}

pub(crate) const CASES: &[Case] = &[
    same("+ INT", "i + n"),
    same("* BIGINT", "b * 3"),
    same("+ DOUBLE", "d + e"),
    same("/ DOUBLE", "d / e"),
    same("% INT", "i % n"),
    same("+ DECIMAL", "m + m"),
    same("* DECIMAL", "m * 1.5"),
    same("= INT", "i = n"),
    same("< DOUBLE", "d < e"),
    same("= text", "s = 'window Berlin'"),
    same("AND, OR", "i > 0 AND (n < 10 OR d > 0e0)"),
    same("BETWEEN", "i BETWEEN -1000 AND 100000"),
    same("IN numbers", "n IN (1, 5, 7, 12, 40)"),
    same("IN texts", "w IN ('1', '55', '777', '-12')"),
    same("LIKE start", "u LIKE 'https://shop.example.org/item/1%'"),
    same("LIKE part", "u LIKE '%item/77%'"),
    same("CASE", "CASE WHEN i > 500000 THEN 'high' WHEN i > 0 THEN 'middle' ELSE 'low' END"),
    same("COALESCE", "COALESCE(i, n, 0)"),
    same("NULLIF", "NULLIF(n, 7)"),
    both("IF", "IF(i > 0, n, 0)", "CASE WHEN i > 0 THEN n ELSE 0 END"),
    same("GREATEST", "GREATEST(i, n)"),
    same("ABS", "ABS(i)"),
    same("ROUND", "ROUND(d, 2)"),
    same("FLOOR", "FLOOR(d)"),
    same("SQRT", "SQRT(e)"),
    same("LN", "LN(e)"),
    same("POWER", "POWER(e, 2e0)"),
    same("UPPER", "UPPER(s)"),
    same("LOWER", "LOWER(s)"),
    same("TRIM", "TRIM(BOTH 'a' FROM s)"),
    both("SUBSTRING", "SUBSTRING(s, 3, 5)", "substr(s, 3, 5)"),
    both("CHAR_LENGTH", "CHAR_LENGTH(s)", "character_length(s)"),
    same("||", "s || w"),
    same("CONCAT_WS", "CONCAT_WS('-', s, w, u)"),
    same("REPLACE", "REPLACE(s, 'stream', 'table')"),
    both("POSITION", "POSITION('e' IN s)", "strpos(s, 'e')"),
    both("SPLIT_INDEX", "SPLIT_INDEX(s, ' ', 1)", "split_part(s, ' ', 2)"),
    same("LPAD", "LPAD(w, 8, '0')"),
    same("REVERSE", "REVERSE(s)"),
    both("STARTSWITH", "STARTSWITH(u, 'https')", "starts_with(u, 'https')"),
    both("REGEXP", "REGEXP(u, 'item/[0-9]+7')", "u ~ 'item/[0-9]+7'"),
    ours("REGEXP_EXTRACT", "REGEXP_EXTRACT(u, 'channel=([a-z]+)', 1)"),
    both(
        "REGEXP_REPLACE",
        "REGEXP_REPLACE(s, '[aeiou]', '_')",
        "regexp_replace(s, '[aeiou]', '_', 'g')",
    ),
    ours("MD5", "MD5(u)"),
    ours("PARSE_URL", "PARSE_URL(u, 'QUERY', 'id')"),
    ours("JSON_VALUE", "JSON_VALUE(j, '$.user.name')"),
    both("EXTRACT HOUR", "EXTRACT(HOUR FROM t)", "date_part('hour', t)"),
    both("FLOOR TO HOUR", "FLOOR(t TO HOUR)", "date_trunc('hour', t)"),
    both("DATE_FORMAT", "DATE_FORMAT(t, 'yyyy-MM-dd HH:mm')", "to_char(t, '%Y-%m-%d %H:%M')"),
    ours("TIMESTAMPDIFF", "TIMESTAMPDIFF(MINUTE, t, v)"),
    same("+ INTERVAL", "t + INTERVAL '1' HOUR"),
    both("TO_TIMESTAMP", "TO_TIMESTAMP(q)", "to_timestamp_millis(q)"),
    both("text to INT", "CAST(w AS INT)", "CAST(w AS INT)"),
    both("INT to text", "CAST(i AS STRING)", "arrow_cast(i, 'Utf8View')"),
    both("DOUBLE to text", "CAST(d AS STRING)", "arrow_cast(d, 'Utf8View')"),
    both("INT to DECIMAL", "CAST(n AS DECIMAL(12, 2))", "CAST(n AS DECIMAL(12, 2))"),
    both("TIMESTAMP to text", "CAST(t AS STRING)", "arrow_cast(t, 'Utf8View')"),
    both("CARDINALITY", "CARDINALITY(a)", "array_length(a)"),
    both("ARRAY_CONTAINS", "ARRAY_CONTAINS(a, 'join')", "array_has(a, 'join')"),
];
