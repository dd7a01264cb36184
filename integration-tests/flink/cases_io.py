# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about the print connector, the formats JSON and CSV, datagen, and what is refused."""

ALL = [  # name, type, expression that gives a value
    ("bo", "BOOLEAN", "TRUE"), ("i8", "TINYINT", "CAST(-7 AS TINYINT)"), ("i16", "SMALLINT", "CAST(300 AS SMALLINT)"), ("i32", "INT", "70000"),
    ("i64", "BIGINT", "CAST(5000000000 AS BIGINT)"), ("f32", "FLOAT", "CAST(1.5E10 AS FLOAT)"), ("f64", "DOUBLE", "1.0E-5"),
    ("d", "DECIMAL(10, 3)", "CAST(123.45 AS DECIMAL(10, 3))"), ("c", "CHAR(5)", "CAST('ab' AS CHAR(5))"), ("vc", "VARCHAR(5)", "CAST('ab' AS VARCHAR(5))"),
    ("s", "STRING", "CAST('it''s, \"ä\"' AS STRING)"), ("byt", "BYTES", "CAST(x'00ff41' AS BYTES)"), ("bi", "BINARY(2)", "x'0102'"), ("da", "DATE", "DATE '2024-02-29'"),
    ("ti", "TIME", "TIME '01:02:03'"), ("t0", "TIMESTAMP(0)", "CAST(TIMESTAMP '2024-02-29 12:34:00' AS TIMESTAMP(0))"),
    ("t3", "TIMESTAMP(3)", "CAST(TIMESTAMP '2024-02-29 12:34:56' AS TIMESTAMP(3))"), ("t3f", "TIMESTAMP(3)", "TIMESTAMP '2024-02-29 12:34:56.780'"),
    ("t6", "TIMESTAMP(6)", "TIMESTAMP '2024-02-29 12:34:56.789012'"), ("t9", "TIMESTAMP(9)", "TIMESTAMP '2024-02-29 12:34:56.000000001'"),
    ("past", "TIMESTAMP(3)", "TIMESTAMP '1969-12-31 23:59:59.999'"), ("ltz", "TIMESTAMP_LTZ(3)", "TO_TIMESTAMP_LTZ(1709210096789, 3)"),
    ("ltz0", "TIMESTAMP_LTZ(3)", "TO_TIMESTAMP_LTZ(0, 3)"),
    ("ar", "ARRAY<INT>", "ARRAY[1, 2, CAST(NULL AS INT)]"), ("ars", "ARRAY<STRING>", "ARRAY['a', 'b c']"), ("arn", "ARRAY<ARRAY<DOUBLE>>", "ARRAY[ARRAY[1E0, 2.5E10]]"),
    ("m", "MAP<STRING, INT>", "MAP['a', 1, 'b', CAST(NULL AS INT)]"), ("mi", "MAP<INT, STRING>", "MAP[1, 'x']"),
    ("r", "ROW<x INT, y STRING>", "CAST(ROW(1, CAST(NULL AS STRING)) AS ROW<x INT, y STRING>)"),
    ("rr", "ROW<a ROW<b DECIMAL(5, 2), c TIMESTAMP(3)>, d ARRAY<ROW<e BYTES>>>", "CAST(ROW(ROW(1.5, TIMESTAMP '2024-01-01 00:00:00'), ARRAY[ROW(x'0a')]) AS ROW<a ROW<b DECIMAL(5, 2), c TIMESTAMP(3)>, d ARRAY<ROW<e BYTES>>>)"),
    ("arr", "ARRAY<ROW<x INT, y STRING>>", "ARRAY[CAST(ROW(1, 'a') AS ROW<x INT, y STRING>)]"),
]


def prints():
    out = []
    for name, t, e in ALL:
        if e is None:
            continue
        out.append({"name": "%s %s" % (name, t), "statements": [
            "CREATE TABLE p (%s %s) WITH ('connector'='print')" % (name, t), "INSERT INTO p SELECT %s UNION ALL SELECT CAST(NULL AS %s)" % (e, t)]})
    for zone in ("Asia/Shanghai", "America/New_York"):
        out.append({"name": "LTZ in " + zone, "settings": {"table.local-time-zone": zone}, "statements": [
            "CREATE TABLE p (a TIMESTAMP_LTZ(3), b TIMESTAMP_LTZ(6)) WITH ('connector'='print')", "INSERT INTO p SELECT TO_TIMESTAMP_LTZ(1709210096789, 3), TO_TIMESTAMP_LTZ(0, 3)"]})
    out.append({"name": "multiset", "statements": ["CREATE TABLE p (m MULTISET<STRING>) WITH ('connector'='print')", "INSERT INTO p SELECT COLLECT(a) FROM (VALUES ('x'), ('x'), ('y')) AS v(a)"]})
    row = "INSERT INTO p SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (3, 'a')) AS v(a, b)"
    out.append({"name": "a column of an interval type", "statements": ["CREATE TABLE p (a INTERVAL DAY TO SECOND(3)) WITH ('connector'='print')"]})
    for name, opts, settings in [("identifier", ", 'print-identifier'='id'", {}), ("parallelism 2, no identifier", "", {"parallelism.default": "2"}), ("identifier, parallelism 2", ", 'print-identifier'='id'", {"parallelism.default": "2"}),
                                 ("sink.parallelism 2", ", 'sink.parallelism'='2'", {}), ("identifier, sink.parallelism 2", ", 'print-identifier'='id', 'sink.parallelism'='2'", {}), ("standard error", ", 'standard-error'='true'", {}), ("empty identifier", ", 'print-identifier'=''", {})]:
        out.append({"name": name, "unordered": True, "settings": settings, "statements": ["CREATE TABLE p (a INT, b STRING) WITH ('connector'='print'%s)" % opts, row]})
    out.append({"name": "updating rows", "statements": ["CREATE TABLE p (b STRING, c BIGINT) WITH ('connector'='print')", "INSERT INTO p SELECT b, COUNT(*) FROM (VALUES (1, 'a'), (2, 'b'), (3, 'a')) AS v(a, b) GROUP BY b"]})
    out.append({"name": "deleted rows", "statements": ["CREATE TABLE p (b STRING, c BIGINT) WITH ('connector'='print')", "INSERT INTO p SELECT b, c FROM (SELECT b, COUNT(*) AS c FROM (VALUES (1, 'a'), (2, 'b'), (3, 'a')) AS v(a, b) GROUP BY b) WHERE c < 2"]})
    out.append({"name": "updating rows into a keyed print", "statements": ["CREATE TABLE p (b STRING, c BIGINT, PRIMARY KEY (b) NOT ENFORCED) WITH ('connector'='print')", "INSERT INTO p SELECT b, COUNT(*) FROM (VALUES (1, 'a'), (2, 'b'), (3, 'a')) AS v(a, b) GROUP BY b"]})
    out.append({"name": "window rows", "files": {"in.csv": "1,a,2024-01-01 00:00:01\n2,b,2024-01-01 00:00:02.500\n"}, "statements": [
        "CREATE TABLE t (a INT, b STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector'='filesystem','path'='${DIR}/in.csv','format'='csv')", "CREATE TABLE p (s TIMESTAMP(3), e TIMESTAMP(3), w TIMESTAMP(3), c BIGINT) WITH ('connector'='print')",
        "INSERT INTO p SELECT window_start, window_end, window_time, COUNT(*) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, window_time"]})
    out.append({"name": "length and precision of the sink are not enforced by default", "statements": ["CREATE TABLE p (a CHAR(3), b VARCHAR(2), c BINARY(3), d VARBINARY(1)) WITH ('connector'='print')", "INSERT INTO p SELECT CAST('abcdef' AS CHAR(3)), CAST('ab' AS VARCHAR(2)), CAST(x'0102' AS BINARY(3)), CAST(x'01' AS VARBINARY(1))"]})
    out.append({"name": "longer string into VARCHAR(2)", "statements": ["CREATE TABLE p (b VARCHAR(2)) WITH ('connector'='print')", "INSERT INTO p SELECT CAST('abcdef' AS STRING)"]})
    for mode in ("TRIM_PAD", "ERROR"):
        out.append({"name": "type-length-enforcer %s" % mode, "settings": {"table.exec.sink.type-length-enforcer": mode}, "statements": ["CREATE TABLE p (a CHAR(3), b VARCHAR(2)) WITH ('connector'='print')", "INSERT INTO p VALUES ('a', 'abcdef')"]})
    out.append({"name": "null into NOT NULL", "statements": ["CREATE TABLE p (a INT NOT NULL) WITH ('connector'='print')", "INSERT INTO p SELECT NULLIF(a, 2) FROM (VALUES 1, 2, 3) AS v(a)"]})
    out.append({"name": "null into NOT NULL, DROP", "settings": {"table.exec.sink.not-null-enforcer": "DROP"}, "statements": ["CREATE TABLE p (a INT NOT NULL) WITH ('connector'='print')", "INSERT INTO p SELECT NULLIF(a, 2) FROM (VALUES 1, 2, 3) AS v(a)"]})
    out.append({"name": "implicit casts of INSERT", "statements": ["CREATE TABLE p (a BIGINT, b DOUBLE, c DECIMAL(10, 2), d STRING, e TIMESTAMP(3)) WITH ('connector'='print')", "INSERT INTO p SELECT 1, 2, 3, CAST('x' AS CHAR(3)), TIMESTAMP '2024-01-01 00:00:00.123456'"]})
    for t, e in [("TIMESTAMP(3)", "DATE '2024-01-01'"), ("TIMESTAMP(3)", "TO_TIMESTAMP_LTZ(0, 3)"), ("TIMESTAMP_LTZ(3)", "TIMESTAMP '2024-01-01 00:00:00'"), ("STRING", "TRUE"), ("FLOAT", "1E0"), ("DECIMAL(3, 1)", "CAST(123.45 AS DECIMAL(5, 2))"), ("DECIMAL(5, 2)", "1.005"), ("BYTES", "x'01'"), ("BOOLEAN", "1"), ("DOUBLE", "1.5"), ("DECIMAL(10, 2)", "1E0"), ("INT", "CAST(1.5 AS DECIMAL(5, 2))"), ("ARRAY<BIGINT>", "ARRAY[1]"), ("ROW<a BIGINT>", "ROW(1)")]:
        out.append({"name": "implicit cast of INSERT: %s into %s" % (e, t), "statements": ["CREATE TABLE p (a %s) WITH ('connector'='print')" % t, "INSERT INTO p SELECT " + e]})
    out.append({"name": "INSERT with a column list", "statements": ["CREATE TABLE p (a INT, b STRING, c DOUBLE) WITH ('connector'='print')", "INSERT INTO p (c, a) SELECT 1E0, 2"]})
    out.append({"name": "statement set", "unordered": True, "statements": ["CREATE TABLE p (a INT) WITH ('connector'='print', 'print-identifier'='p')", "CREATE TABLE q (a INT) WITH ('connector'='print', 'print-identifier'='q')",
                                                        "EXECUTE STATEMENT SET BEGIN INSERT INTO p VALUES 1; INSERT INTO q VALUES 2; END"]})
    # What SELECT shows of the same values: CAST AS STRING, bytes in hexadecimal.
    for name, t, e in ALL:
        if e is not None and not t.startswith("INTERVAL"):
            out.append({"name": "SELECT of %s" % t if name not in ("t3f", "past", "ltz0") else "SELECT of %s (%s)" % (t, name), "statements": ["SELECT %s AS %s" % (e, name)]})
    # Names of columns.
    for i, q in enumerate(["SELECT 1, 2 AS b, 3", "SELECT a, a FROM (VALUES 1) AS v(a)", "SELECT a, b AS a FROM (VALUES (1, 2)) AS v(a, b)", "SELECT a + 1, UPPER('x'), COUNT(*) FROM (VALUES 1) AS v(a) GROUP BY a", "SELECT * FROM (VALUES (1, 'x'))", "SELECT v.a, w.a FROM (VALUES 1) AS v(a), (VALUES 2) AS w(a)",
                           "SELECT v.*, w.* FROM (VALUES 1) AS v(a), (VALUES 2) AS w(a)", "SELECT EXPR$0 FROM (SELECT 1)", "SELECT r.x, r.y AS x FROM (SELECT CAST(ROW(1, 2) AS ROW<x INT, y INT>) AS r)", "SELECT A FROM (VALUES 1) AS v(a)", "SELECT `a b`, `select` FROM (VALUES (1, 2)) AS v(`a b`, `select`)",
                           "SELECT CAST(a AS STRING), -a, (a), a FROM (VALUES 1) AS v(a)", "SELECT r.* FROM (SELECT CAST(ROW(1, 2) AS ROW<x INT, y INT>) AS r)", "SELECT 1 UNION ALL SELECT 2 AS b"]):
        out.append({"name": "column names %d" % i, "statements": [q]})
    out.append({"name": "column names of a table from a query", "statements": ["CREATE TEMPORARY VIEW v AS SELECT 1, 'x' AS b, 2", "SELECT * FROM v", "DESCRIBE v"]})
    # datagen.
    g = "CREATE TABLE g (%s) WITH ('connector'='datagen', %s)"
    out.append({"name": "datagen: sequences end the table", "statements": [g % ("a INT, b BIGINT, s STRING", "'fields.a.kind'='sequence','fields.a.start'='1','fields.a.end'='3','fields.b.kind'='sequence','fields.b.start'='10','fields.b.end'='14','fields.s.kind'='sequence','fields.s.start'='5','fields.s.end'='7'"), "SELECT a, b, s FROM g"]})
    out.append({"name": "datagen: default lengths and bounds", "statements": [g % ("a INT, s STRING, c CHAR(3), v VARCHAR(4), d DECIMAL(6, 2), b BOOLEAN, byt BYTES, f DOUBLE, t TIMESTAMP(3), dt DATE, ti TIME, ar ARRAY<INT>, m MAP<STRING, INT>, r ROW<x INT, y STRING>", "'number-of-rows'='200'"),
               "SELECT COUNT(*) AS n, COUNT(a) AS na, MIN(CHAR_LENGTH(s)) AS s0, MAX(CHAR_LENGTH(s)) AS s1, MIN(CHAR_LENGTH(c)) AS c0, MAX(CHAR_LENGTH(v)) AS v1, MIN(d) >= 0 AS d0, MAX(d) < 10000 AS d1, MIN(a) < 0 AS a0, COUNT(DISTINCT b) AS b, MIN(CARDINALITY(ar)) AS ar0, MAX(CARDINALITY(ar)) AS ar1, MAX(CARDINALITY(m)) AS m1, MIN(REGEXP(s, '^[0-9a-f]+$')) AS hex FROM g"], "settings": {"execution.runtime-mode": "BATCH"}})
    out.append({"name": "datagen: min and max", "statements": [g % ("a INT, f DOUBLE, d DECIMAL(5, 2)", "'number-of-rows'='500','fields.a.min'='1','fields.a.max'='3','fields.f.min'='0','fields.f.max'='1','fields.d.min'='1','fields.d.max'='2'"),
               "SELECT MIN(a) AS a, MAX(a) AS b, MIN(f) >= 0 AND MAX(f) <= 1 AS c, MIN(d) >= 1 AND MAX(d) <= 2 AS d FROM g"], "settings": {"execution.runtime-mode": "BATCH"}})
    out.append({"name": "datagen: null-rate, length, var-len", "statements": [g % ("a INT, s STRING, v VARCHAR(9)", "'number-of-rows'='1000','fields.a.null-rate'='0.5','fields.s.length'='5','fields.v.var-len'='true'"),
               "SELECT COUNT(a) BETWEEN 400 AND 600 AS a, MIN(CHAR_LENGTH(s)) AS b, MAX(CHAR_LENGTH(s)) AS c, MIN(CHAR_LENGTH(v)) AS d, MAX(CHAR_LENGTH(v)) AS e FROM g"], "settings": {"execution.runtime-mode": "BATCH"}})
    out.append({"name": "datagen: lengths of bytes, range of DECIMAL", "statements": [g % ("b BYTES, c BINARY(3), d DECIMAL(4, 1), e BYTES", "'number-of-rows'='2000','fields.e.length'='7'"),
               "SELECT MIN(CHAR_LENGTH(HEX(CAST(b AS STRING)))) > 0 AS x, MIN(d) < 0 AS neg, MAX(d) > 900 AS big, MAX(CHAR_LENGTH(TO_BASE64(CAST(b AS STRING)))) > 100 AS long FROM g"], "settings": {"execution.runtime-mode": "BATCH"}})
    for t, o in [("BOOLEAN", "'fields.a.min'='1'"), ("DATE", "'fields.a.max-past'='1d'"), ("TIME", "'fields.a.min'='1'"), ("BOOLEAN", "'fields.a.null-rate'='1.0'"), ("TIMESTAMP(3)", "'fields.a.min'='1'")]:
        out.append({"name": "datagen: %s with %s" % (t, o), "statements": [g % ("a " + t, o + ",'number-of-rows'='1'"), "SELECT COUNT(*) AS n, COUNT(a) AS c FROM g"], "settings": {"execution.runtime-mode": "BATCH"}})
    out.append({"name": "datagen: timestamps, max-past", "statements": [g % ("t TIMESTAMP(3), u TIMESTAMP(3), l TIMESTAMP_LTZ(3)", "'number-of-rows'='100','fields.u.max-past'='5s'"),
               "SELECT MAX(TIMESTAMPDIFF(SECOND, t, LOCALTIMESTAMP)) <= 10 AS a, MAX(TIMESTAMPDIFF(SECOND, u, LOCALTIMESTAMP)) <= 10 AS b, MIN(TIMESTAMPDIFF(SECOND, u, LOCALTIMESTAMP)) >= 0 AS c FROM g"], "settings": {"execution.runtime-mode": "BATCH"}})
    for name, cols, opts in [("unknown field", "a INT", "'fields.b.min'='1'"), ("sequence without end", "a INT", "'fields.a.kind'='sequence','fields.a.start'='1'"), ("unknown kind", "a INT", "'fields.a.kind'='foo'"), ("max below min", "a INT", "'fields.a.min'='5','fields.a.max'='1','number-of-rows'='2'"),
                             ("longer than the type", "s VARCHAR(3)", "'fields.s.length'='9','number-of-rows'='1'"), ("sequence of a ROW", "r ROW<x INT>", "'fields.r.kind'='sequence'"), ("bad number", "a INT", "'fields.a.min'='x'"), ("computed column", "a INT, b AS a + 1", "'fields.a.min'='1','fields.a.max'='1','number-of-rows'='2'")]:
        out.append({"name": "datagen: " + name, "statements": [g % (cols, opts), "SELECT * FROM g"], "timeout_ms": 20000})
    return out


def formats():
    out = []

    def read(name, fmt, columns, data, options="", settings=None, query="SELECT * FROM t", note=None):
        c = {"name": name, "files": {"in/f": data}, "statements": ["CREATE TABLE t (%s) WITH ('connector'='filesystem','path'='${DIR}/in','format'='%s'%s)" % (columns, fmt, options), query]}
        if settings:
            c["settings"] = settings
        if note:
            c["note"] = note
        out.append(c)

    def one(column, value, options="", tag=""):
        read("json: %s into %s%s" % (value, column, tag), "json", "a " + column, '{"a":%s}\n' % value, options)

    for column, values in [
        ("BOOLEAN", ["true", '"true"', '"TRUE"', '"yes"', "1", "null"]),
        ("TINYINT", ["127", "128", '"5"', "1.5"]),
        ("SMALLINT", ["32768"]),
        ("INT", ["12", '"12"', "1.5", '"1.5"', "1e2", "true", '" 7 "', "2147483648", '""', '"x"', "[1]", '{"b":1}', "-0", "0012"]),
        ("BIGINT", ["9223372036854775807", "9223372036854775808", "1.9", '"9"']),
        ("FLOAT", ["1.5", '"1.5"', "1e39", "16777217", '"NaN"']),
        ("DOUBLE", ["1.5", '"1.5"', "1", '"NaN"', '"Infinity"', "NaN", "1e400", "0.1"]),
        ("DECIMAL(5, 2)", ["1.5", '"1.5"', "123.456", "1234", "1e2", "0.005", '"x"']),
        ("STRING", ['"x"', "12", "1.50", "1e2", "true", "null", '{"b":1, "c":[1,2]}', "[1, 2]", '"\\u00e4\\n"', '""']),
        ("CHAR(3)", ['"abcdef"', '"a"']),
        ("VARCHAR(3)", ['"abcdef"']),
        ("BYTES", ['"AP9B"', '"!!"', '""', "12"]),
        ("DATE", ['"2024-02-29"', '"2024-2-9"', '"2024-02-29 00:00:00"', "19782", '"2023-02-29"']),
        ("TIME", ['"12:34:56"', '"12:34:56.789"', '"12:34"', '"12:34:56Z"']),
        ("TIMESTAMP(3)", ['"2024-02-29 12:34:56"', '"2024-02-29 12:34:56.789"', '"2024-02-29 12:34:56.789123"', '"2024-02-29T12:34:56"', '"2024-02-29 12:34"', '"2024-02-29"', '"2024-02-29 12:34:56Z"', "1709210096789", '"2023-02-29 00:00:00"', '""']),
        ("TIMESTAMP(9)", ['"2024-02-29 12:34:56.123456789"']),
        ("TIMESTAMP_LTZ(3)", ['"2024-02-29 12:34:56Z"', '"2024-02-29 12:34:56.789Z"', '"2024-02-29 12:34:56"', '"2024-02-29 12:34:56+08:00"', "1709210096789"]),
        ("ARRAY<INT>", ["[1, 2, null]", "[]", '["1", 2]', "1", "null"]),
        ("MAP<STRING, INT>", ['{"x":1, "y":null}', "{}", '{"x":"1"}', "[]"]),
        ("ROW<x INT, y STRING>", ['{"x":1, "y":"a"}', '{"x":1}', '{"x":1, "z":2}', "null", "[1]", '{"x":"q"}']),
    ]:
        for v in values:
            one(column, v)
    iso = ",'json.timestamp-format.standard'='ISO-8601'"
    for column, values in [("TIMESTAMP(3)", ['"2024-02-29T12:34:56.789"', '"2024-02-29T12:34:56"', '"2024-02-29T12:34"', '"2024-02-29 12:34:56"', '"2024-02-29T12:34:56Z"']), ("TIMESTAMP_LTZ(3)", ['"2024-02-29T12:34:56.789Z"', '"2024-02-29T12:34:56"', '"2024-02-29T12:34:56+08:00"', '"2024-02-29T12:34:56Z"'])]:
        for v in values:
            one(column, v, iso, ", ISO-8601")
    three = '{"a":1,"b":"x"}\n%s\n{"a":3,"b":"z"}\n'
    bad = [("malformed", "{bad"), ("wrong type", '{"a":"q","b":"y"}'), ("truncated", '{"a":2,"b":'), ("not an object", "[1,2]"), ("a number", "5"), ("a JSON null", "null"), ("empty line", ""), ("blank line", "   "), ("missing field", '{"a":2}'), ("extra field", '{"a":2,"b":"y","c":{"d":1}}'),
           ("field twice", '{"a":2,"a":4,"b":"y"}'), ("two objects", '{"a":2,"b":"y"}{"a":22,"b":"yy"}'), ("other case", '{"A":2,"B":"y"}'), ("comment", '{"a":2,"b":"y"} // c'), ("NaN", '{"a":NaN,"b":"y"}'), ("raw control character", '{"a":2,"b":"x\ty"}'), ("an array of objects", '[{"a":2,"b":"y"},{"a":4,"b":"w"}]'), ("single quotes", "{'a':2,'b':'y'}")]
    for name, line in bad:
        for tag, options in (("", ""), (", ignore-parse-errors", ",'json.ignore-parse-errors'='true'"), (", fail-on-missing-field", ",'json.fail-on-missing-field'='true'")):
            read("json: %s%s" % (name, tag), "json", "a INT, b STRING", three % line, options)
    read("json: both options", "json", "a INT", '{"a":1}\n', ",'json.fail-on-missing-field'='true','json.ignore-parse-errors'='true'")
    read("json: wrong type inside a row, ignore-parse-errors", "json", "r ROW<x INT, y STRING>, b INT", '{"r":{"x":"q","y":"a"},"b":1}\n{"r":{"x":2,"y":"a"},"b":"q"}\n{"r":5,"b":3}\n', ",'json.ignore-parse-errors'='true'", note="is the field null, the row, or is the record dropped?")
    read("json: wrong type inside an array, ignore-parse-errors", "json", "a ARRAY<INT>, b INT", '{"a":[1,"q",3],"b":1}\n', ",'json.ignore-parse-errors'='true'")
    read("json: NOT NULL column missing", "json", "a INT NOT NULL, b STRING", '{"b":"x"}\n')
    read("json: only the columns that are read are decoded", "json", "a INT, b INT", '{"a":1,"b":"q"}\n', query="SELECT a FROM t", note="is b's wrong type noticed when only a is selected?")
    read("json: decode.json-parser.enabled false", "json", "a INT, b STRING", '{"a":1,"b":{"c": 1.50}}\n{"a":"2","b":1.50}\n', ",'json.decode.json-parser.enabled'='false'")
    read("json: last line without newline", "json", "a INT", '{"a":1}\n{"a":2}')
    read("json: CRLF", "json", "a INT, b STRING", '{"a":1,"b":"x"}\r\n{"a":2,"b":"y"}\r\n')
    read("json: LTZ in Shanghai", "json", "a TIMESTAMP_LTZ(3)", '{"a":"2024-02-29 12:34:56Z"}\n', settings={"table.local-time-zone": "Asia/Shanghai"})
    read("json: unknown option", "json", "a INT", "", ",'json.nope'='1'")
    read("json: bad timestamp standard", "json", "a INT", "", ",'json.timestamp-format.standard'='RFC'")
    read("json: metadata column file.name", "json", "a INT, f STRING METADATA FROM 'file.name'", '{"a":1}\n')
    read("json: metadata columns", "json", "a INT, p STRING METADATA FROM 'file.path', s BIGINT METADATA FROM 'file.size'", '{"a":1}\n')
    read("json: metadata file.modification-time", "json", "a INT, m TIMESTAMP_LTZ(3) NOT NULL METADATA FROM 'file.modification-time'", '{"a":1}\n', query="SELECT a, m IS NOT NULL AS b FROM t")
    read("json: hidden files and folders", "json", "a INT", '{"a":1}\n')
    out[-1]["unordered"] = True
    out[-1]["files"].update({"in/_hidden": '{"a":2}\n', "in/.hidden": '{"a":3}\n', "in/sub/g": '{"a":4}\n'})

    csv = [("INT", ["12", " 12 ", "", "1.5", "x", '"12"', "2147483648", "null"]), ("DOUBLE", ["1.5", "1e3", "NaN", "", "1,5"]), ("DECIMAL(5, 2)", ["1.5", "123.456", "1234", "x"]), ("BOOLEAN", ["true", "TRUE", "1", "x", ""]),
           ("STRING", ["x", "", '""', '"a,b"', '"a""b"', " x ", 'a"b', "null", '" q "', "'x'"]), ("DATE", ["2024-02-29", "2024-2-9", ""]), ("TIME", ["12:34:56", "12:34"]), ("TIMESTAMP(3)", ["2024-02-29 12:34:56", "2024-02-29 12:34:56.789", "2024-02-29T12:34:56", "2024-02-29", ""]),
           ("TIMESTAMP_LTZ(3)", ["2024-02-29 12:34:56Z", "2024-02-29 12:34:56"]), ("BYTES", ["AP9B", "!!"]), ("ARRAY<INT>", ["1;2;3", "", "1;;3"]), ("ROW<x INT, y STRING>", ["1;a", "1"]), ("MAP<STRING, INT>", ["a"]), ("CHAR(3)", ["abcdef"])]
    for column, values in csv:
        for v in values:
            read("csv: %s into %s" % (v, column), "csv", "a INT, b %s" % column, "1,%s\n2,%s\n" % (v, v))
    good = "1,x\n%s\n3,z\n"
    for name, line in [("too few", "2"), ("too many", "2,y,w"), ("bad number", "q,y"), ("empty line", ""), ("blank line", "  "), ("comment", "# 2,y"), ("open quote", '2,"y'), ("text after a quote", '2,"y"w'), ("spaces around", " 2 , y ")]:
        for tag, options in (("", ""), (", ignore-parse-errors", ",'csv.ignore-parse-errors'='true'")):
            read("csv: %s%s" % (name, tag), "csv", "a INT, b STRING", good % line, options)
    read("csv: allow-comments", "csv", "a INT, b STRING", good % "# 2,y", ",'csv.allow-comments'='true','csv.ignore-parse-errors'='true'")
    read("csv: allow-comments without ignore-parse-errors", "csv", "a INT, b STRING", good % "# 2,y", ",'csv.allow-comments'='true'")
    read("csv: null-literal", "csv", "a INT, b STRING", "1,n/a\nn/a,y\n2,\"n/a\"\n", ",'csv.null-literal'='n/a'")
    read("csv: empty null-literal", "csv", "a INT, b STRING", "1,\n,y\n2,\"\"\n", ",'csv.null-literal'=''")
    read("csv: field-delimiter ;", "csv", "a INT, b STRING", "1;x,y\n", ",'csv.field-delimiter'=';'")
    read("csv: field-delimiter tab", "csv", "a INT, b STRING", "1\tx\n", ",'csv.field-delimiter'='\\t'")
    read("csv: field-delimiter of two characters", "csv", "a INT, b STRING", "1||x\n", ",'csv.field-delimiter'='||'")
    read("csv: quote-character", "csv", "a INT, b STRING", "1,'x,y'\n2,'it''s'\n", ",'csv.quote-character'=''''")
    read("csv: disable-quote-character", "csv", "a INT, b STRING", "1,\"x\"\n", ",'csv.disable-quote-character'='true'")
    read("csv: escape-character", "csv", "a INT, b STRING", "1,x\\,y\n2,\\\"q\n", ",'csv.escape-character'='\\'")
    read("csv: array-element-delimiter", "csv", "a INT, b ARRAY<STRING>", "1,x|y\n", ",'csv.array-element-delimiter'='|'")
    read("csv: quoted newline", "csv", "a INT, b STRING", '1,"x\ny"\n2,z\n')
    read("csv: CRLF", "csv", "a INT, b STRING", "1,x\r\n2,y\r\n")
    read("csv: header line is a row", "csv", "a INT, b STRING", "a,b\n1,x\n")
    read("csv: only the columns that are read", "csv", "a INT, b INT", "1,q\n", query="SELECT a FROM t")
    read("csv: missing last field", "csv", "a INT, b STRING, c STRING", "1,x\n")
    read("csv: unknown option", "csv", "a INT", "", ",'csv.nope'='1'")
    read("raw: lines", "raw", "l STRING", "a\n\nb,c\n")

    def write(name, fmt, columns, select, options="", settings=None, extra=None):
        c = {"name": name, "statements": ["CREATE TABLE o (%s) WITH ('connector'='filesystem','path'='${DIR}/out','format'='%s'%s)" % (columns, fmt, options), "INSERT INTO o SELECT " + select], "read": ["out"]}
        if settings:
            c["settings"] = settings
        if extra:
            c["statements"][0] = extra
        out.append(c)

    for name, t, e in ALL:
        if e is None or t.startswith("INTERVAL"):
            continue
        for fmt in ("json", "csv"):
            write("%s: write %s (%s)" % (fmt, t, name), fmt, "%s %s" % (name, t), "%s UNION ALL SELECT CAST(NULL AS %s)" % (e, t))
    for f in ["0E0", "1E0", "0.1E0", "1E7", "1.5E300", "1E-7", "CAST('NaN' AS DOUBLE)", "CAST('-Infinity' AS DOUBLE)", "-0.5E0", "123456789E0"]:
        for fmt in ("json", "csv"):
            write("%s: write DOUBLE %s" % (fmt, f), fmt, "a DOUBLE", f)
    for d in ["1.50", "100.00", "0.00", "0.0000001", "-12345678901234567890.123"]:
        t = {"0.0000001": "DECIMAL(10, 7)", "-12345678901234567890.123": "DECIMAL(38, 3)"}.get(d, "DECIMAL(10, 2)")
        for plain in ("true", "false"):
            write("json: write %s %s, encode.decimal-as-plain-number %s" % (t, d, plain), "json", "a " + t, "CAST('%s' AS %s)" % (d, t), ",'json.encode.decimal-as-plain-number'='%s'" % plain)
        write("csv: write %s %s" % (t, d), "csv", "a " + t, "CAST('%s' AS %s)" % (d, t))
    for mode in ("FAIL", "DROP", "LITERAL"):
        write("json: map-null-key.mode %s" % mode, "json", "m MAP<STRING, INT>", "MAP['a', 1, CAST(NULL AS STRING), 2]", ",'json.map-null-key.mode'='%s'" % mode)
    write("json: map-null-key.literal", "json", "m MAP<STRING, INT>", "MAP['a', 1, CAST(NULL AS STRING), 2]", ",'json.map-null-key.mode'='LITERAL','json.map-null-key.literal'='none'")
    write("json: encode.ignore-null-fields", "json", "a INT, b STRING, r ROW<x INT>", "1, CAST(NULL AS STRING), CAST(ROW(CAST(NULL AS INT)) AS ROW<x INT>)", ",'json.encode.ignore-null-fields'='true'")
    write("json: write ISO-8601", "json", "a TIMESTAMP(3), b TIMESTAMP_LTZ(3), c TIMESTAMP(9), d TIMESTAMP(3)", "TIMESTAMP '2024-02-29 12:34:56.789', TO_TIMESTAMP_LTZ(1709210096789, 3), TIMESTAMP '2024-02-29 12:34:56.000000001', CAST(TIMESTAMP '2024-02-29 12:34:00' AS TIMESTAMP(3))", iso)
    write("json: write LTZ in Shanghai", "json", "b TIMESTAMP_LTZ(3)", "TO_TIMESTAMP_LTZ(1709210096789, 3)", "", {"table.local-time-zone": "Asia/Shanghai"})
    write("json: write escapes", "json", "a STRING", "U&'q\"\\005c/\\000a\\0009\\0001ä\\2028<'")
    for s in ["a,b", 'a"b', "", " a ", "a\nb", "ä", "it's", "-", "a;b", "1"]:
        write("csv: write string %r" % s, "csv", "a STRING, b INT", "'%s', 1" % s.replace("'", "''"))
    for text in ["a+b", "a(b)", "a-b", "a/b", "abcdefghijklmnopqrstuvwx", "abcdefghijklmnopqrstuvwxy", "0123456789012345678901234567890", "#a", "a|b", "a\tb"]:
        write("csv: write string %r alone" % text, "csv", "a STRING", "'%s'" % text)
    for text in ["1", "a:b", "a,b", "a-b", "a.b"]:
        write("csv: write string %r, delimiter ;" % text, "csv", "a STRING", "'%s'" % text, ",'csv.field-delimiter'=';'")
    write("csv: write null-literal", "csv", "a STRING, b INT", "CAST(NULL AS STRING), CAST(NULL AS INT)", ",'csv.null-literal'='n/a'")
    write("csv: write disable-quote-character", "csv", "a STRING, b INT", "'a,b \"c\"', 1", ",'csv.disable-quote-character'='true'")
    write("csv: write escape-character", "csv", "a STRING, b INT", "'a\"b', 1", ",'csv.escape-character'='\\'")
    write("csv: write field-delimiter", "csv", "a STRING, b INT", "'a;b', 1", ",'csv.field-delimiter'=';'")
    write("csv: write-bigdecimal-in-scientific-notation", "csv", "a DECIMAL(20, 0), b DECIMAL(10, 7)", "CAST(100000 AS DECIMAL(20, 0)), CAST('0.0000001' AS DECIMAL(10, 7))", ",'csv.write-bigdecimal-in-scientific-notation'='false'")
    write("json: partitioned files", "json", "", "* FROM (VALUES (1, 'x', 'p'), (2, 'y', 'q'), (3, 'z', CAST(NULL AS STRING))) AS v(a, b, c)", extra="CREATE TABLE o (a INT, b STRING, c STRING) PARTITIONED BY (c) WITH ('connector'='filesystem','path'='${DIR}/out','format'='json')")
    write("json: updating input into files", "json", "b STRING, c BIGINT", "b, COUNT(*) FROM (VALUES (1, 'x'), (2, 'x')) AS v(a, b) GROUP BY b")
    return out


def errors():
    t = "CREATE TABLE t (a INT, b STRING) WITH ('connector'='datagen','number-of-rows'='1')"
    p = "CREATE TABLE p (a INT, b STRING) WITH ('connector'='print')"
    ok, bad = '{"a":1,"b":"x"}\n', '{"a":1,"b":"x"}\n{oops\n{"a":3,"b":"z"}\n'
    j = "CREATE TABLE j (a INT, b STRING) WITH ('connector'='filesystem','path'='${DIR}/in.json','format'='json'%s)"
    cases = [
        ("syntax error", ["SELEC 1"]), ("syntax error at the end", ["SELECT 1 FROM"]), ("empty statement", [""]), ("unknown table", ["SELECT * FROM nope"]), ("unknown column", [t, "SELECT aa FROM t"]), ("unknown column, other case", [t, "SELECT A FROM t"]), ("unknown table alias", [t, "SELECT x.a FROM t"]),
        ("ambiguous column", [t, "SELECT a FROM t AS x, t AS y"]), ("unknown function", [t, "SELECT UPPERR(b) FROM t"]), ("wrong number of arguments", [t, "SELECT UPPER(b, b) FROM t"]), ("wrong argument types", [t, "SELECT UPPER(a) FROM t"]), ("aggregate in WHERE", [t, "SELECT a FROM t WHERE COUNT(*) > 1"]),
        ("column not grouped", [t, "SELECT a, COUNT(*) FROM t GROUP BY b"]), ("WHERE not boolean", [t, "SELECT a FROM t WHERE a"]), ("compare INT with STRING", [t, "SELECT a FROM t WHERE a = b"]), ("bare NULL", ["SELECT NULL AS a"]),
        ("no connector", ["CREATE TABLE x (a INT)", "SELECT * FROM x"]), ("unknown connector", ["CREATE TABLE x (a INT) WITH ('connector'='nope')", "SELECT * FROM x"]), ("unknown option", ["CREATE TABLE x (a INT) WITH ('connector'='print','prnt-identifier'='x')", "INSERT INTO x VALUES 1"]),
        ("bad option value", ["CREATE TABLE x (a INT) WITH ('connector'='datagen','rows-per-second'='fast')", "SELECT * FROM x"]), ("missing option", ["CREATE TABLE x (a INT) WITH ('connector'='filesystem','format'='json')", "SELECT * FROM x"]), ("missing format", ["CREATE TABLE x (a INT) WITH ('connector'='filesystem','path'='${DIR}/x')", "SELECT * FROM x"]), ("unknown format", ["CREATE TABLE x (a INT) WITH ('connector'='filesystem','path'='${DIR}/x','format'='nope')", "SELECT * FROM x"]),
        ("print as a source", [p, "SELECT * FROM p"]), ("datagen as a sink", [t, "INSERT INTO t VALUES (1, 'x')"]), ("table exists", [t, t]), ("IF NOT EXISTS", [t, t.replace("TABLE t", "TABLE IF NOT EXISTS t")]), ("drop what is not there", ["DROP TABLE nope"]), ("drop if exists", ["DROP TABLE IF EXISTS nope"]), ("view exists", [t, "CREATE VIEW t AS SELECT 1"]),
        ("column twice", ["CREATE TABLE x (a INT, a STRING) WITH ('connector'='print')"]), ("unknown type", ["CREATE TABLE x (a FOO) WITH ('connector'='print')"]), ("DECIMAL(39, 0)", ["CREATE TABLE x (a DECIMAL(39, 0)) WITH ('connector'='print')"]), ("DECIMAL(5, 6)", ["CREATE TABLE x (a DECIMAL(5, 6)) WITH ('connector'='print')"]), ("TIMESTAMP(10)", ["CREATE TABLE x (a TIMESTAMP(10)) WITH ('connector'='print')"]), ("VARCHAR(0)", ["CREATE TABLE x (a VARCHAR(0)) WITH ('connector'='print')"]),
        ("primary key enforced", ["CREATE TABLE x (a INT, PRIMARY KEY (a)) WITH ('connector'='print')"]), ("primary key on nothing", ["CREATE TABLE x (a INT, PRIMARY KEY (b) NOT ENFORCED) WITH ('connector'='print')"]), ("watermark on an unknown column", ["CREATE TABLE x (a INT, WATERMARK FOR ts AS ts) WITH ('connector'='datagen')"]), ("watermark on an INT", ["CREATE TABLE x (a INT, WATERMARK FOR a AS a) WITH ('connector'='datagen')"]),
        ("partition by an unknown column", ["CREATE TABLE x (a INT) PARTITIONED BY (z) WITH ('connector'='filesystem','path'='${DIR}/x','format'='json')"]), ("computed column of an unknown one", ["CREATE TABLE x (a INT, b AS zz + 1) WITH ('connector'='datagen')"]), ("unknown metadata column", ["CREATE TABLE x (a INT, m STRING METADATA FROM 'nope') WITH ('connector'='filesystem','path'='${DIR}/in.json','format'='json')", "SELECT * FROM x"]),
        ("INSERT: wrong types", [p, "INSERT INTO p SELECT 'x', 'y'"]), ("INSERT: too few columns", [p, "INSERT INTO p SELECT 1"]), ("INSERT: too many columns", [p, "INSERT INTO p SELECT 1, 'x', 2"]), ("INSERT: too few of VALUES", [p, "INSERT INTO p VALUES (1)"]), ("INSERT: unknown column in the list", [p, "INSERT INTO p (a, z) SELECT 1, 'x'"]), ("INSERT: BIGINT into INT", [p, "INSERT INTO p SELECT CAST(1 AS BIGINT), 'x'"]), ("INSERT: DOUBLE into INT", [p, "INSERT INTO p SELECT 1E0, 'x'"]), ("INSERT: INT into STRING", [p, "INSERT INTO p SELECT 1, 2"]), ("INSERT into nothing", ["INSERT INTO nope SELECT 1"]), ("INSERT: NULL literals", [p, "INSERT INTO p VALUES (1, NULL)"]), ("INSERT: SELECT NULL", [p, "INSERT INTO p SELECT 1, NULL"]),
        ("window without a watermark", ["CREATE TABLE x (ts TIMESTAMP(3)) WITH ('connector'='datagen','number-of-rows'='1')", "SELECT COUNT(*) FROM TABLE(TUMBLE(TABLE x, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end"]), ("ORDER BY without time in streaming", [t, "SELECT a FROM t ORDER BY a"]), ("ORDER BY with LIMIT", ["SELECT a FROM (VALUES 3, 1, 2) AS v(a) ORDER BY a LIMIT 2"]), ("LIMIT", ["SELECT a FROM (VALUES 3, 1, 2) AS v(a) LIMIT 2"]), ("cast that fails", ["SELECT CAST(b AS INT) FROM (VALUES 'x', '1') AS v(b)"]), ("division by zero of columns", ["SELECT 1 / a FROM (VALUES 1, 0) AS v(a)"]),
        ("updating rows into an append-only sink", ["CREATE TABLE x (b STRING, c BIGINT) WITH ('connector'='filesystem','path'='${DIR}/out','format'='json')", "INSERT INTO x SELECT b, COUNT(*) FROM (VALUES 'x') AS v(b) GROUP BY b"]), ("UPDATE statement", [p, "UPDATE p SET a = 1"]), ("DELETE statement", [p, "DELETE FROM p WHERE a = 1"]), ("subquery with two columns in IN", [t, "SELECT a FROM t WHERE a IN (SELECT a, b FROM t)"]), ("scalar subquery of two rows", ["SELECT (SELECT a FROM (VALUES 1, 2) AS v(a)) AS x"]), ("UNION of other types", ["SELECT 1 UNION ALL SELECT 'x'"]), ("UNION of other numbers of columns", ["SELECT 1 UNION ALL SELECT 1, 2"]),
        ("missing file", [j % "", "SELECT * FROM j"], None), ("malformed JSON", [j % "", "SELECT * FROM j"], bad), ("malformed JSON, ignore-parse-errors", [j % ",'json.ignore-parse-errors'='true'", "SELECT * FROM j"], bad), ("good JSON", [j % "", "SELECT * FROM j"], ok), ("malformed JSON in an INSERT", [j % "", p, "INSERT INTO p SELECT * FROM j"], bad),
        ("ALTER of an unknown table", ["ALTER TABLE nope SET ('a'='b')"]), ("USE of an unknown catalog", ["USE CATALOG nope"]), ("reserved word as a column", ["CREATE TABLE x (value INT, order INT) WITH ('connector'='print')"]), ("unquoted words that are fine", ["CREATE TABLE x (`value` INT, name STRING, `timestamp` INT, user_id INT) WITH ('connector'='print')"]), ("several statements in one", ["SELECT 1; SELECT 2"]), ("semicolon at the end", ["SELECT 1;"]), ("comments", ["SELECT 1 -- c\n /* d */"]), ("hint of an unknown option", [t, "SELECT * FROM t /*+ OPTIONS('nope'='1') */"]), ("hint of an option", [t, "SELECT COUNT(*) FROM t /*+ OPTIONS('number-of-rows'='3') */"]), ("double-quoted identifier", ["SELECT \"a\" FROM (VALUES 1) AS v(a)"]), ("string with double quotes", ["SELECT \"abc\""]),
    ]
    out = []
    for c in cases:
        r = {"name": c[0], "statements": c[1], "timeout_ms": 20000}
        if len(c) > 2 and c[2] is not None:
            r["files"] = {"in.json": c[2]}
        out.append(r)
    return out
