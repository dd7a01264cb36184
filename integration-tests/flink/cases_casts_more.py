# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about casts beyond cases_casts.py: types that are not there, columns of each type, odd texts."""
import cases_casts
from cases_expressions import lines

MORE = ["DECIMAL(38, 18)", "TIME(3)", "TIMESTAMP_LTZ(0)", "TIMESTAMP_LTZ(6)", "TIMESTAMP_LTZ(9)", "INTERVAL DAY TO SECOND", "INTERVAL YEAR TO MONTH", "ARRAY<INT>", "MAP<STRING, INT>", "ROW<a INT, b STRING>", "MULTISET<INT>", "VARIANT", "BITMAP"]
TYPES = cases_casts.TYPES + MORE
ZONES = ["Asia/Shanghai", "America/New_York", "Australia/Lord_Howe"]

# How a column of a type comes from the texts `r`, where it is not CAST(r AS type).
MADE = {
    "INTERVAL DAY TO SECOND": "CAST(r AS INT) * INTERVAL '1' SECOND", "INTERVAL YEAR TO MONTH": "CAST(r AS INT) * INTERVAL '1' MONTH", "ARRAY<INT>": "CAST(SPLIT(r, ',') AS ARRAY<INT>)", "MAP<STRING, INT>": "CAST(STR_TO_MAP(r) AS MAP<STRING, INT>)",
    "ROW<a INT, b STRING>": "CAST(ROW(CHAR_LENGTH(r), r) AS ROW<a INT, b STRING>)", "MULTISET<INT>": "COLLECT(CAST(r AS INT))", "VARIANT": "TRY_PARSE_JSON(r)", "BITMAP": "BITMAP_BUILD(CAST(SPLIT(r, ',') AS ARRAY<INT>))",
}
# Rows of each type: an ordinary value, extremes, null (`-`).
ROWS = {
    "BOOLEAN": ["true", "false", "-"], "TINYINT": ["7", "-128", "127", "-"], "SMALLINT": ["300", "-32768", "-"], "INT": ["70000", "-2147483648", "0", "-"], "BIGINT": ["5000000000", "-9223372036854775808", "1", "-"],
    "FLOAT": ["1.5", "-3.4028235e38", "-0.0", "-"], "DOUBLE": ["12345.678", "-1e100", "0.1", "-"], "DECIMAL(10, 2)": ["123.45", "-99999999.99", "0", "-"], "CHAR(3)": ["12", "ab", "中文", "-"], "VARCHAR(5)": ["12345", "true", "", "-"],
    "STRING": ["2024-02-29 12:34:56.789", "7", "中文数据😀", "-"], "BINARY(3)": ["ABC", "a", "-"], "VARBINARY(3)": ["AB", "", "-"], "BYTES": ["ABCD", "中文", "-"], "DATE": ["2024-02-29", "0001-01-01", "9999-12-31", "-"],
    "TIME": ["12:34:56", "00:00:00", "-"], "TIMESTAMP(0)": ["2024-02-29 12:34:56", "1969-12-31 23:59:59", "-"], "TIMESTAMP(3)": ["2024-02-29 12:34:56.789", "1969-12-31 23:59:59.999", "-"],
    "TIMESTAMP(6)": ["2024-02-29 12:34:56.789123", "9999-12-31 23:59:59.999999", "-"], "TIMESTAMP(9)": ["2024-02-29 12:34:56.789123456", "0001-01-01 00:00:00.000000001", "-"], "TIMESTAMP_LTZ(3)": ["2024-02-29 12:34:56.789", "1969-12-31 23:59:59.999", "-"],
    "DECIMAL(38, 18)": ["1.5", "-99999999999999999999.999999999999999999", "0.000000000000000001", "-"], "TIME(3)": ["12:34:56.789", "23:59:59.999", "-"], "TIMESTAMP_LTZ(0)": ["2024-02-29 12:34:56", "1969-12-31 23:59:59", "-"],
    "TIMESTAMP_LTZ(6)": ["2024-02-29 12:34:56.789123", "1970-01-01 00:00:00.000001", "-"], "TIMESTAMP_LTZ(9)": ["2024-02-29 12:34:56.789123456", "1969-12-31 23:59:59.999999999", "-"], "INTERVAL DAY TO SECOND": ["93784", "-1", "0", "-"], "INTERVAL YEAR TO MONTH": ["14", "-1", "0", "-"],
    "ARRAY<INT>": ["1,2,3", "-5", "-"], "MAP<STRING, INT>": ["a=1,b=2", "x", "-"], "ROW<a INT, b STRING>": ["abc", "中", "-"], "MULTISET<INT>": ["1", "2", "1"], "VARIANT": ['{"a":[1,"x"]}', "1.5", "{", "-"], "BITMAP": ["3,1,2", "-1", "-"],
}
# MULTISETs come only from aggregates, which have one answer in batch mode.
BATCH = {"execution.runtime-mode": "BATCH"}


def column(kind, rows=None):
    """What follows FROM: a column `x` of this type, of which nothing is folded."""
    made = MADE.get(kind, "CAST(r AS %s)" % kind)
    texts = ", ".join("('%s')" % r.replace("'", "''") for r in rows or ROWS[kind])
    return "(SELECT %s AS x FROM (SELECT NULLIF(q, '-') AS r FROM (VALUES %s) AS v(q)) AS w) AS t" % (made, texts)


def settings(kind, zone=None):
    out = dict(BATCH) if kind.startswith("MULTISET") else {}
    return dict(out, **{"table.local-time-zone": zone}) if zone else out


ODD_NUMBERS = ["1e5", "1E-2", "+1", "- 1", "1_000", "１２", "٣", "0b1", "1L", "1.0f", "\t5\n", "\u00a05", "5 ", "1.", "-.5", "+.5e1", "00012", "1,5", "NaN", "nan", "-Infinity", "inf", "0x1F", "0x1p3", "true", "", " ", "99999999999999999999", "1e400", "1e-400", "1e+2", "--1", "1-", "½", "1e", "e1", "9.9999999999999999999999999999999999999", None]
ODD_FLAGS = ["true", "TRUE", "True", "tRuE", "t", "T", "yes", "YES", "y", "1", "on", "false", "F", "no", "n", "0", "off", " true", "true ", "01", "1.0", "真", "", None]
ODD_TIMES = ["2024-02-29", "2024-2-9", "2024-02-29 ", "\t2024-02-29\n", "24-02-29", "2024/02/29", "20240229", "+2024-02-29", "-2024-02-29", "0000-01-01", "10000-01-01", "2024-00-10", "2024-02-00", "2024-04-31", "2023-02-29", "2024-02-29 1", "2024-02-29 1:2", "2024-02-29 1:2:3", "2024-02-29 12:34:56.", "2024-02-29 12:34:56.1",
             "2024-02-29 12:34:56.123456", "2024-02-29 12:34:56.1234567890", "2024-02-29 24:00:00", "2024-02-29 23:59:60", "2024-02-29T12:34:56", "2024-02-29 12:34:56Z", "2024-02-29 12:34:56 UTC", "2024-02-29  12:34:56", "12:34:56", "1:2:3", "12:34:56.789", "12:34:56,789", "25:00:00", "-1:00:00", "12", "1234", "1709210096", "now", "epoch", "二月", "", None]
OVER_ODD = [
    (ODD_NUMBERS, ["TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL(10, 3)", "DECIMAL(38, 18)", "DECIMAL(38, 0)", "DECIMAL(1, 0)", "DECIMAL(1, 1)"]),
    (ODD_FLAGS, ["BOOLEAN"]),
    (ODD_TIMES, ["DATE", "TIME", "TIME(3)", "TIMESTAMP(0)", "TIMESTAMP(3)", "TIMESTAMP(9)", "TIMESTAMP_LTZ(0)", "TIMESTAMP_LTZ(3)", "TIMESTAMP_LTZ(9)"]),
    (["", "a", "abc", "abcdef", "中文数据", "😀😀", "é", " a ", None], ["CHAR(1)", "CHAR(2)", "CHAR(5)", "VARCHAR(1)", "VARCHAR(2)", "VARCHAR(5)", "BINARY(1)", "BINARY(4)", "VARBINARY(1)", "VARBINARY(4)", "BYTES", "STRING"]),
    (["1", "[1, 2]", "{a=1}", "(1, x)", "+1 00:00:00.000", "1-2", "", None], ["ARRAY<INT>", "MAP<STRING, INT>", "ROW<a INT, b STRING>", "INTERVAL DAY TO SECOND", "INTERVAL YEAR TO MONTH", "VARIANT", "BITMAP", "MULTISET<INT>"]),
]
# Local times around the changes of the zones, before 1970, far away.
LOCAL = ["2024-02-29 12:34:56.123456789", "2024-03-10 02:30:00", "2024-11-03 01:30:00", "2024-10-06 02:15:00", "2024-04-07 01:45:00", "1969-12-31 23:59:59.999999999", "1969-07-20 20:17:40.5", "1890-01-01 00:00:00", "0001-01-02 03:04:05.678", "9999-12-30 23:59:59.999999999", "-"]
TEMPORAL = ["DATE", "TIME", "TIME(3)", "TIMESTAMP(0)", "TIMESTAMP(3)", "TIMESTAMP(6)", "TIMESTAMP(9)", "TIMESTAMP_LTZ(0)", "TIMESTAMP_LTZ(3)", "TIMESTAMP_LTZ(6)", "TIMESTAMP_LTZ(9)", "STRING", "CHAR(10)", "VARCHAR(22)"]
NESTED = [
    ("ARRAY<INT>", ["1,2,3", "-5", "300", "-"], ["ARRAY<TINYINT>", "ARRAY<BIGINT>", "ARRAY<DOUBLE>", "ARRAY<DECIMAL(5, 2)>", "ARRAY<STRING>", "ARRAY<CHAR(2)>", "ARRAY<BOOLEAN>", "ARRAY<DATE>", "ARRAY<INT NOT NULL>", "ARRAY<ARRAY<INT>>", "STRING", "CHAR(4)", "VARCHAR(4)"]),
    ("MAP<STRING, INT>", ["1=1,2=2", "300=300", "x=0", "-"], ["MAP<STRING, TINYINT>", "MAP<STRING, STRING>", "MAP<CHAR(2), BIGINT>", "MAP<STRING, BOOLEAN>", "MAP<STRING, DECIMAL(4, 1)>", "STRING", "VARCHAR(5)", "CHAR(12)", "ARRAY<STRING>", "MULTISET<STRING>"]),
    ("ROW<a INT, b STRING>", ["7", "12", "-"], ["ROW<a BIGINT, b STRING>", "ROW<x STRING, y INT>", "ROW<a INT>", "ROW<a INT, b STRING, c INT>", "ROW<b STRING, a INT>", "ROW<a TINYINT, b CHAR(1)>", "ROW<a BOOLEAN, b DECIMAL(3, 1)>", "STRING", "VARCHAR(4)", "CHAR(10)", "ARRAY<STRING>"]),
    ("MULTISET<INT>", ["1", "2", "1"], ["MULTISET<BIGINT>", "MULTISET<STRING>", "MULTISET<TINYINT>", "STRING", "MAP<INT, INT>", "ARRAY<INT>"]),
]
SINGLE = lines(r"""
CAST(NULL AS NULL)
CAST(1 AS NOPE)
CAST(1 AS `INT`)
TRY_CAST(NULL AS INT)
TRY_CAST('x' AS INT)
TRY_CAST('1' AS INT) + 1
TRY_CAST(1 AS ARRAY<INT>)
TRY_CAST(ARRAY[1] AS INT)
TRY_CAST('2024-02-30' AS DATE)
TRY_CAST(ROW('1', 'x') AS ROW<a INT, b INT>)
TRY_CAST(MAP['a', 'x'] AS MAP<STRING, INT>)
CAST(ARRAY[ARRAY['1'], ARRAY['2', @s]] AS ARRAY<ARRAY<INT>>)
CAST(ROW(ROW(1), 'x') AS ROW<a ROW<b STRING>, c CHAR(3)>)
CAST(ROW(1, @i) AS ROW<a INT NOT NULL, b INT NOT NULL>)
CAST(ARRAY[1, @i] AS ARRAY<INT NOT NULL>)
CAST(ARRAY[1.5, 2.5] AS ARRAY<INT>)
CAST(ARRAY[DATE '2024-01-01'] AS ARRAY<TIMESTAMP(3)>)
CAST(ARRAY[x'41'] AS ARRAY<STRING>)
CAST(MAP[1, 'a', 2, 'b'] AS MAP<STRING, STRING>)
CAST(MAP['1', 1, '01', 2] AS MAP<INT, INT>)
CAST(ROW(1, 'a') AS STRING)
CAST(ARRAY[@s, '', 'a, b'] AS STRING)
CAST(ARRAY[1E0, CAST('NaN' AS DOUBLE)] AS STRING)
CAST(ARRAY[x'00ff'] AS STRING)
CAST(ARRAY[TRUE, @b] AS STRING)
CAST(ARRAY[INTERVAL '1' DAY] AS STRING)
CAST(MAP['k', DATE '2024-01-01'] AS STRING)
CAST(ROW(TIME '01:02:03', @t, @z) AS STRING)
CAST(MAP[ROW(1, 'a'), ARRAY[1]] AS STRING)
CAST(CAST(NULL AS ROW<a INT>) AS STRING)
CAST(ROW(@i, @s) AS STRING)
CAST(INTERVAL '1' DAY AS INTERVAL HOUR)
CAST(INTERVAL '1' YEAR AS INTERVAL MONTH)
CAST(INTERVAL '1' DAY AS INTERVAL MONTH)
CAST(INTERVAL '1' DAY AS INT)
CAST(INTERVAL '1' SECOND AS BIGINT)
CAST(INTERVAL '25' HOUR AS CHAR(4))
CAST(INTERVAL '14' MONTH AS VARCHAR(3))
CAST(1 AS INTERVAL MONTH)
CAST(1 AS INTERVAL SECOND)
CAST('1' AS INTERVAL DAY)
CAST(DATE '2024-01-01' AS BOOLEAN)
CAST(TRUE AS DATE)
CAST(TRUE AS CHAR(2))
CAST(TRUE AS VARCHAR(10))
CAST(FALSE AS CHAR(10))
CAST(x'' AS STRING)
CAST(x'ff' AS STRING)
CAST(x'e4b8' AS STRING)
CAST(x'0102' AS BINARY(1))
CAST(x'0102' AS BINARY(4))
CAST(x'010203' AS VARBINARY(2))
CAST(x'31' AS INT)
CAST(1 AS BYTES)
CAST('中' AS BYTES)
CAST('中' AS BINARY(2))
CAST('中' AS BINARY(5))
CAST('' AS BINARY(2))
CAST(1.5 AS CHAR(2))
CAST(12345 AS CHAR(3))
CAST(12345 AS VARCHAR(3))
CAST(-1 AS CHAR(5))
CAST(1E10 AS VARCHAR(3))
CAST(DATE '2024-02-29' AS VARCHAR(4))
CAST(@t AS CHAR(30))
CAST(@z AS VARCHAR(10))
CAST(BITMAP_BUILD(ARRAY[1]) AS BYTES)
CAST(BITMAP_BUILD(ARRAY[1]) AS STRING)
CAST(PARSE_JSON('1') AS INT)
CAST(CAST(1 AS DECIMAL(38, 18)) AS DECIMAL(38, 37))
CAST(10 AS DECIMAL(38, 37))
CAST(0.5 AS DECIMAL(1, 0))
CAST(-0.5 AS DECIMAL(1, 0))
CAST(9.5 AS DECIMAL(1, 0))
CAST(1E-10 AS DECIMAL(10, 9))
CAST(123456789012345678 AS FLOAT)
CAST(0.1 AS FLOAT)
CAST(CAST(0.1 AS FLOAT) AS STRING)
CAST(CAST(1E10 AS FLOAT) AS DECIMAL(20, 5))
CAST(1.0E-5 AS STRING)
CAST(TIMESTAMP '2024-02-29 12:34:56.789' AS TIMESTAMP)
CAST('2024-02-29' AS TIMESTAMP(3))
CAST(TIME '12:34:56' AS TIME(3))
CAST(CAST('12:34:56.789' AS TIME(3)) AS TIME(0))
CAST(CAST('12:34:56.789' AS TIME(3)) AS STRING)
CAST(CAST('12:34:56.7891' AS TIME(9)) AS STRING)
""")


def casts():
    groups = []
    for kind in TYPES:
        new = TYPES if kind in MORE else MORE
        groups.append((settings(kind), column(kind), ["CAST(x AS %s)" % t for t in new] + (["TRY_CAST(x AS %s)" % t for t in cases_casts.TYPES if t != kind] if kind not in MORE else [])))
    for texts, kinds in OVER_ODD:
        groups.append(({}, texts, ["TRY_CAST(s AS %s)" % k for k in kinds]))
    for zone in ZONES:
        groups.append((settings("", zone), ODD_TIMES, ["TRY_CAST(s AS TIMESTAMP_LTZ(%d))" % p for p in (0, 9)]))
        groups += [(settings("", zone), column(k, LOCAL), ["CAST(x AS %s)" % t for t in TEMPORAL]) for k in ("TIMESTAMP(9)", "TIMESTAMP_LTZ(9)")]
    groups += [({}, column("TIMESTAMP(9)", LOCAL), ["CAST(x AS %s)" % t for t in TEMPORAL]), ({}, column("TIMESTAMP_LTZ(9)", LOCAL), ["CAST(x AS %s)" % t for t in TEMPORAL])]
    for kind, rows, targets in NESTED:
        groups.append((settings(kind), column(kind, rows), ["%s(x AS %s)" % (f, t) for t in targets for f in ("CAST", "TRY_CAST")]))
    groups += [(settings("", z), None, ["CAST(CAST(NULL AS %s) AS %s)" % (s, "STRING") for s in MORE if not s.startswith("MULTISET")] if z is None else ["CAST(@z AS STRING)".replace("@z", "TO_TIMESTAMP_LTZ(1709210096789, 3)"), "CAST(TO_TIMESTAMP_LTZ(0, 3) AS TIME(3))"]) for z in [None] + ZONES]
    return groups + [({}, None, SINGLE)]
