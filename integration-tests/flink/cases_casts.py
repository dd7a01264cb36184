# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about casts."""

TYPES = ["BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL(10, 2)", "CHAR(3)", "VARCHAR(5)",
         "STRING", "BINARY(3)", "VARBINARY(3)", "BYTES", "DATE", "TIME", "TIMESTAMP(0)", "TIMESTAMP(3)", "TIMESTAMP(6)",
         "TIMESTAMP(9)", "TIMESTAMP_LTZ(3)"]

# One good value of each type.
VALUES = {
    "BOOLEAN": "TRUE",
    "TINYINT": "CAST(7 AS TINYINT)",
    "SMALLINT": "CAST(300 AS SMALLINT)",
    "INT": "70000",
    "BIGINT": "CAST(5000000000 AS BIGINT)",
    "FLOAT": "CAST(1.5 AS FLOAT)",
    "DOUBLE": "CAST(12345.678 AS DOUBLE)",
    "DECIMAL(10, 2)": "CAST(123.45 AS DECIMAL(10, 2))",
    "CHAR(3)": "CAST('12' AS CHAR(3))",
    "VARCHAR(5)": "CAST('12345' AS VARCHAR(5))",
    "STRING": "CAST('2024-02-29 12:34:56.789' AS STRING)",
    "BINARY(3)": "CAST(x'414243' AS BINARY(3))",
    "VARBINARY(3)": "CAST(x'4142' AS VARBINARY(3))",
    "BYTES": "CAST(x'41424344' AS BYTES)",
    "DATE": "DATE '2024-02-29'",
    "TIME": "TIME '12:34:56'",
    "TIMESTAMP(0)": "CAST(TIMESTAMP '2024-02-29 12:34:56' AS TIMESTAMP(0))",
    "TIMESTAMP(3)": "TIMESTAMP '2024-02-29 12:34:56.789'",
    "TIMESTAMP(6)": "TIMESTAMP '2024-02-29 12:34:56.789123'",
    "TIMESTAMP(9)": "TIMESTAMP '2024-02-29 12:34:56.789123456'",
    "TIMESTAMP_LTZ(3)": "TO_TIMESTAMP_LTZ(1709210096789, 3)",
}


def casts():
    matrix = ["CAST(%s AS %s)" % (VALUES[s], t) for s in TYPES for t in TYPES]
    nulls = ["CAST(CAST(NULL AS %s) AS STRING)" % t for t in TYPES] + ["CAST(NULL AS %s)" % t for t in TYPES]
    text = []
    tests = [
        ("BOOLEAN", ["true", "TRUE", "t", "T", "yes", "Y", "1", "false", "F", "no", "n", "0", " true "], ["on", "2", "", "x"]),
        ("TINYINT", ["127", "-128", " 5 ", "+5", "5.9"], ["128", "-129", "", "abc", "1e2", "5.", "."]),
        ("SMALLINT", ["32767", "-32768"], ["32768"]),
        ("INT", ["2147483647", "-2147483648", "12.7", "-12.7", "007", "-0"], ["2147483648", "1,000", "0x10", "1 2", "12a", "--1"]),
        ("BIGINT", ["9223372036854775807", "-9223372036854775808", "1.99"], ["9223372036854775808", "1e3"]),
        ("FLOAT", ["1.5", "1e10", "NaN", "Infinity", "-Infinity", "3.4028235E38", "1e-45", " 2 ", "1.5f", "1e39"], ["inf", "nan", "", "x"]),
        ("DOUBLE", ["1.5", "1e308", "NaN", "-Infinity", "1e-320", "1e400", "0x1p3", "1d", "-0.0", ".5", "5."], ["infinity", "", "1,5"]),
        ("DECIMAL(5, 2)", ["1", "123.456", "123.455", "-123.455", "999.99", "1e2", " 1.5 ", ".5", "5."], ["1000", "999.995", "x", ""]),
        ("DECIMAL(38, 0)", ["99999999999999999999999999999999999999"], ["100000000000000000000000000000000000000"]),
        ("DATE", ["2024-02-29", "2024-2-9", "0001-01-01", "9999-12-31", "2024-02-29 12:00:00", "2024-02", "2024", " 2024-02-29 "],
         ["2023-02-29", "2024-13-01", "20240229", "2024/02/29", "x", "", "10000-01-01"]),
        ("TIME", ["12:34:56", "1:2:3", "12:34", "12", "00:00:00.123", "23:59:59.999"], ["24:00:00", "12:60:00", "x", ""]),
        ("TIMESTAMP(3)", ["2024-02-29 12:34:56.789", "2024-02-29T12:34:56.789", "2024-02-29 12:34:56", "2024-02-29 12:34", "2024-02-29",
                          "2024-02-29 12:34:56.7899", "1969-12-31 23:59:59.999", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999",
                          "2024-2-9 1:2:3", " 2024-02-29 12:34:56"],
         ["2023-02-29 00:00:00", "2024-02-29 25:00:00", "2024-02-29T12:34:56Z", "2024-02-29 12:34:56+08:00", "x", ""]),
        ("TIMESTAMP(9)", ["2024-02-29 12:34:56.123456789", "2024-02-29 12:34:56.1234567891"], []),
        ("TIMESTAMP_LTZ(3)", ["2024-02-29 12:34:56.789", "2024-02-29", "1969-12-31 23:59:59.999"],
         ["2024-02-29T12:34:56Z", "2024-02-29 12:34:56 Asia/Shanghai", "x"]),
        ("CHAR(3)", ["", "a", "abcdef", "äöüß", "日本語文"], []),
        ("VARCHAR(3)", ["", "a", "abcdef", "日本語文", "  a  "], []),
        ("BYTES", ["", "Aä"], []),
        ("BINARY(2)", ["", "ABC"], []),
    ]
    for t, good, bad in tests:
        for v in good + bad:
            text.append("CAST('%s' AS %s)" % (v, t))
        for v in bad:
            text.append("TRY_CAST('%s' AS %s)" % (v, t))
    numeric = [
        "CAST(300 AS TINYINT)", "TRY_CAST(300 AS TINYINT)", "CAST(-129 AS TINYINT)", "CAST(70000 AS SMALLINT)",
        "CAST(CAST(9223372036854775807 AS BIGINT) AS INT)", "CAST(1.9E0 AS INT)", "CAST(-1.9E0 AS INT)", "CAST(1.5 AS INT)",
        "CAST(-1.5 AS INT)", "CAST(2.5 AS BIGINT)", "CAST(1E20 AS BIGINT)", "CAST(1E20 AS INT)", "CAST(-1E20 AS INT)", "CAST(1E20 AS TINYINT)",
        "CAST(3E2 AS TINYINT)", "CAST(CAST('NaN' AS DOUBLE) AS INT)", "CAST(CAST('NaN' AS DOUBLE) AS BIGINT)",
        "CAST(CAST('Infinity' AS DOUBLE) AS BIGINT)", "CAST(CAST('-Infinity' AS DOUBLE) AS INT)", "CAST(CAST('Infinity' AS DOUBLE) AS FLOAT)",
        "CAST(1E300 AS FLOAT)", "CAST(CAST('NaN' AS DOUBLE) AS DECIMAL(10, 2))", "CAST(CAST('NaN' AS DOUBLE) AS STRING)",
        "CAST(CAST('NaN' AS DOUBLE) AS BOOLEAN)",
        "CAST(12345678901234567890 AS BIGINT)", "CAST(99999999999.5 AS INT)", "CAST(123.456 AS DECIMAL(5, 2))", "CAST(123.455 AS DECIMAL(5, 2))",
        "CAST(123.445 AS DECIMAL(5, 2))", "CAST(-123.455 AS DECIMAL(5, 2))", "CAST(1234.5 AS DECIMAL(5, 2))", "TRY_CAST(1234.5 AS DECIMAL(5, 2))",
        "CAST(1000 AS DECIMAL(3, 0))", "CAST(1E10 AS DECIMAL(5, 2))", "CAST(0.1E0 AS DECIMAL(38, 20))", "CAST(0.1E0 AS DECIMAL(3, 1))",
        "CAST(CAST(0.1 AS FLOAT) AS DOUBLE)", "CAST(CAST(0.1 AS FLOAT) AS DECIMAL(20, 18))", "CAST(CAST(16777217 AS FLOAT) AS INT)",
        "CAST(CAST(9223372036854775807 AS BIGINT) AS DOUBLE)", "CAST(CAST(9223372036854775807 AS BIGINT) AS FLOAT)",
        "CAST(0 AS BOOLEAN)", "CAST(2 AS BOOLEAN)", "CAST(-1 AS BOOLEAN)", "CAST(0.0 AS BOOLEAN)", "CAST(0.1 AS BOOLEAN)", "CAST(0E0 AS BOOLEAN)",
        "CAST(FALSE AS INT)", "CAST(TRUE AS DECIMAL(3, 1))", "CAST(TRUE AS DOUBLE)",
    ]
    floats = ["0E0", "-0E0", "1E0", "1E-3", "9.999E-4", "1E6", "1234567E0", "9999999E0", "1E7", "12345678E0", "1E10", "1.0E16", "123456789.123E0",
              "1E21", "1E100", "1E-7", "1.7976931348623157E308", "4.9E-324", "0.1E0", "0.3E0", "2E0/3E0", "100E0", "1.5E300", "2E-3", "2.2250738585072014E-308", "1.0E23", "2.0E-3"]
    rendering = ["CAST(%s AS STRING)" % f for f in floats]
    rendering += ["CAST(CAST(%s AS FLOAT) AS STRING)" % f for f in ["0E0", "1E0", "0.1E0", "1E7", "1E6", "16777216E0", "3.4028235E38", "1.4E-45", "1E-3",
                                                                 "9.9E-4", "1E10", "123456.789E0", "0.3333333E0", "33554432E0", "1.1E0", "8.5E-2"]]
    rendering += ["CAST(%s AS STRING)" % e for e in [
        "1.10", "CAST(1 AS DECIMAL(10, 5))", "CAST(0 AS DECIMAL(10, 5))", "-0.000001", "0.00000000001", "CAST(0.0000001 AS DECIMAL(20, 18))", "12345678901234567890.123456789", "CAST(1E20 AS DECIMAL(38, 0))",
        "CAST(99999999999999999999 AS DECIMAL(38, 18))",
        "CAST(-128 AS TINYINT)", "TRUE", "FALSE", "x'00ff41'", "x''", "DATE '0001-01-01'", "DATE '9999-12-31'", "TIME '01:02:03'", "TIME '01:02:03.456'",
        "CAST('12:34:56.789' AS TIME(3))",
        "TIMESTAMP '2024-01-01 00:00:00'", "TIMESTAMP '2024-01-01 00:00:00.1'", "TIMESTAMP '2024-01-01 00:00:00.100'",
        "CAST(TIMESTAMP '2024-01-01 00:00:00' AS TIMESTAMP(0))", "CAST(TIMESTAMP '2024-01-01 00:00:00' AS TIMESTAMP(3))",
        "CAST(TIMESTAMP '2024-01-01 00:00:00' AS TIMESTAMP(6))", "CAST(TIMESTAMP '2024-01-01 00:00:00.5' AS TIMESTAMP(9))",
        "CAST(TIMESTAMP '2024-01-01 00:00:59.999' AS TIMESTAMP(0))", "CAST(TIMESTAMP '1969-12-31 23:59:59.123' AS TIMESTAMP(0))",
        "TIMESTAMP '1969-12-31 23:59:59.999'", "TIMESTAMP '0001-01-01 00:00:00'", "TO_TIMESTAMP_LTZ(0, 3)", "TO_TIMESTAMP_LTZ(-1, 3)", "TO_TIMESTAMP_LTZ(1709210096, 0)",
        "CAST(TO_TIMESTAMP_LTZ(1709210096789, 3) AS TIMESTAMP_LTZ(0))", "CAST(TO_TIMESTAMP_LTZ(1709210096789, 3) AS TIMESTAMP_LTZ(6))",
        "INTERVAL '1' DAY", "INTERVAL '1 02:03:04.567' DAY TO SECOND", "INTERVAL '14' MONTH", "INTERVAL -'1-2' YEAR TO MONTH", "INTERVAL '0.001' SECOND",
        "ARRAY[1, 2, 3]", "ARRAY['a', 'b']", "ARRAY[CAST(NULL AS INT), 1]", "ARRAY[1.5, 2]", "ARRAY[1E0, 1E10]", "ARRAY[ARRAY[1], ARRAY[2, 3]]",
        "ARRAY[TRUE, FALSE]", "ARRAY[x'0102']", "ARRAY[DATE '2024-01-01']", "ARRAY[TIMESTAMP '2024-01-01 00:00:00.123']", "MAP['a', 1, 'b', 2]", "MAP['a', CAST(NULL AS INT)]", "MAP[1, 'x']",
        "ROW(1, 'a')", "ROW(1, CAST(NULL AS STRING), TRUE)", "ROW(ROW(1, 2), ARRAY['x'])", "CAST(ROW(1, 'a') AS ROW<x INT, y STRING>)",
        "CAST(ROW(1.5E0, TIMESTAMP '2024-01-01 00:00:00', DATE '2024-01-01', 1.50) AS ROW<a DOUBLE, b TIMESTAMP(3), c DATE, d DECIMAL(5, 2)>)",
        "ARRAY[CAST(ROW(1, 'a') AS ROW<x INT, y STRING>)]", "MAP['k', ARRAY[1, 2]]", "MAP['k', MAP['l', 1]]",
    ]]
    nested = [
        "CAST(ARRAY[1, 2] AS ARRAY<STRING>)", "CAST(ARRAY['1', '2'] AS ARRAY<INT>)", "CAST(ARRAY['1', 'x'] AS ARRAY<INT>)", "TRY_CAST(ARRAY['1', 'x'] AS ARRAY<INT>)",
        "CAST(MAP['1', 2] AS MAP<INT, BIGINT>)", "CAST(ROW(1, '2') AS ROW<a BIGINT, b INT>)", "CAST(ROW(1, '2') AS ROW<a BIGINT>)", "CAST(ROW(1, 2) AS STRING)",
        "CAST(ARRAY[1] AS INT)", "CAST('[1, 2]' AS ARRAY<INT>)", "CAST(CAST(ROW(1, 'a') AS ROW<x INT, y STRING>) AS CHAR(3))", "CAST(ARRAY[1, 2] AS VARCHAR(3))",
    ]
    temporal = [
        "CAST(TIMESTAMP '2024-02-29 12:34:56.789' AS DATE)", "CAST(TIMESTAMP '1969-12-31 12:34:56.789' AS DATE)", "CAST(TIMESTAMP '1969-12-31 12:34:56.789' AS TIME)",
        "CAST(TIMESTAMP '2024-02-29 12:34:56.789' AS TIME)", "CAST(TIMESTAMP '2024-02-29 12:34:56.789' AS BIGINT)", "CAST(TO_TIMESTAMP_LTZ(1709210096789, 3) AS BIGINT)",
        "CAST(1709210096 AS TIMESTAMP(3))", "CAST(1709210096 AS TIMESTAMP_LTZ(3))", "CAST(DATE '2024-02-29' AS INT)", "CAST(DATE '2024-02-29' AS TIMESTAMP(3))",
        "CAST(DATE '2024-02-29' AS TIMESTAMP_LTZ(3))", "CAST(TIME '12:34:56' AS TIMESTAMP(3))", "CAST(TIMESTAMP '2024-02-29 12:34:56.789999' AS TIMESTAMP(3))",
        "CAST(TIMESTAMP '1969-12-31 23:59:59.999999' AS TIMESTAMP(3))", "CAST(TO_TIMESTAMP_LTZ(1709210096789, 3) AS TIMESTAMP(3))",
        "CAST(TO_TIMESTAMP_LTZ(-1, 3) AS TIMESTAMP(3))", "CAST(TIMESTAMP '2024-03-10 02:30:00' AS TIMESTAMP_LTZ(3))", "CAST(TIMESTAMP '2024-11-03 01:30:00' AS TIMESTAMP_LTZ(3))",
        "CAST(CAST(TIMESTAMP '2024-03-10 02:30:00' AS TIMESTAMP_LTZ(3)) AS STRING)", "UNIX_TIMESTAMP(CAST(CAST(TIMESTAMP '2024-11-03 01:30:00' AS TIMESTAMP_LTZ(3)) AS STRING))",
        "CAST(TO_TIMESTAMP_LTZ(1709210096789, 3) AS DATE)", "CAST(TO_TIMESTAMP_LTZ(1709210096789, 3) AS TIME)", "CAST(TO_TIMESTAMP_LTZ(1709210096789, 3) AS STRING)",
        "CAST('2024-02-29 12:34:56.789' AS TIMESTAMP_LTZ(3))", "CAST(CAST('2024-02-29 12:34:56.789' AS TIMESTAMP_LTZ(3)) AS STRING)", "CAST(DATE '2024-02-29' AS STRING)",
        "CAST(INTERVAL '1' DAY AS BIGINT)", "CAST(INTERVAL '14' MONTH AS INT)", "CAST(5 AS INTERVAL DAY)", "CAST(CAST('12:34:56.789' AS TIME) AS STRING)",
        "CAST('12:34:56.789' AS TIME(3))",
    ]
    # The same over a column, which nothing folds (Calcite folds casts of literals by rules of its own).
    columns = []
    for t, good, bad in tests:
        columns.append(({}, good + bad + [None], ["TRY_CAST(s AS %s)" % t, "CAST(TRY_CAST(s AS %s) AS STRING)" % t]))
    numbers = ["0", "-0.0", "1", "-1", "1.5", "-1.5", "2.5", "127", "128", "-129", "300", "32768", "70000", "2147483647", "2147483648", "-2147483649", "16777217",
               "9007199254740993", "9223372036854775807", "1e19", "-1e19", "1e10", "1e-5", "0.001", "1e7", "1234567.125", "3.4028235E38", "1e39", "1e308", "4.9e-324", "NaN", "Infinity", "-Infinity", None]
    targets = ["BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL(5, 2)", "DECIMAL(38, 10)", "STRING", "CHAR(3)", "VARCHAR(3)"]
    finite = [n for n in numbers if n not in ("NaN", "Infinity", "-Infinity", "1e39", "1e308")]
    for f in ("DOUBLE", "FLOAT"):
        for t in targets:
            columns.append(({}, finite if t.startswith("DECIMAL") else numbers, ["TRY_CAST(CAST(s AS %s) AS %s)" % (f, t)]))
    whole = ["0", "1", "-1", "127", "128", "-129", "300", "32768", "-32769", "70000", "2147483648", "16777217", "9007199254740993", "9223372036854775807", "-9223372036854775808", None]
    columns.append(({}, whole, ["TRY_CAST(CAST(s AS BIGINT) AS %s)" % t for t in targets]))
    exact = ["0", "1", "-1.5", "1.5", "2.5", "0.005", "-0.005", "0.004999", "123.455", "999.994", "999.995", "1000", "2147483648.5", "9223372036854775807.99", "9223372036854775808", "1234567890123456789012345678.0123456789", None]
    columns.append(({}, exact, ["TRY_CAST(CAST(s AS DECIMAL(38, 10)) AS %s)" % t for t in targets + ["DECIMAL(38, 0)", "DECIMAL(20, 18)"]]))
    stamps = ["2024-02-29 12:34:56.123456789", "1969-12-31 23:59:59.999999999", "1969-12-31 12:34:56.789", "1970-01-01 00:00:00", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999999", "2024-03-10 02:30:00", "2024-11-03 01:30:00", None]
    for zone in ["UTC", "Asia/Shanghai", "America/New_York"]:
        columns.append(({"table.local-time-zone": zone}, stamps,
                        ["CAST(CAST(s AS TIMESTAMP(%d)) AS STRING)" % p for p in (0, 3, 6, 9)] +
                        ["CAST(CAST(s AS TIMESTAMP(9)) AS %s)" % t for t in ["DATE", "TIMESTAMP(0)", "TIMESTAMP(3)", "TIMESTAMP_LTZ(3)", "CHAR(10)"]] +
                        ["CAST(CAST(s AS TIMESTAMP_LTZ(3)) AS %s)" % t for t in ["DATE", "TIMESTAMP(3)", "TIMESTAMP(9)", "STRING"]]))
    times = ["2024-02-29 12:34:56.123456789", "2024-02-29 00:00:00", "1970-01-01 23:59:59.999", None]
    columns.append(({}, times, ["CAST(CAST(s AS TIMESTAMP(9)) AS TIME)", "CAST(CAST(s AS TIMESTAMP_LTZ(3)) AS TIME)"]))
    columns.append(({}, ["1969-12-31 12:34:56.789"], ["CAST(CAST(s AS TIMESTAMP(3)) AS TIME)"]))
    columns.append(({}, ["x"], ["CAST(s AS %s)" % t for t in TYPES]))
    return [({}, None, matrix), ({}, None, nulls), ({}, None, text), *columns, ({}, None, numeric), ({}, None, rendering), ({}, None, nested), ({}, None, temporal),
            ({"table.local-time-zone": "Asia/Shanghai"}, None, temporal), ({"table.local-time-zone": "America/New_York"}, None, temporal),
            ({"table.exec.legacy-cast-behaviour": "ENABLED"}, None, ["CAST('x' AS INT)", "CAST(1234.5 AS DECIMAL(5, 2))", "CAST('abcdef' AS CHAR(3))", "CAST(1E0 AS STRING)", "CAST(TRUE AS STRING)"])]
