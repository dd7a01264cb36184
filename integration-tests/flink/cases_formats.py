# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about the formats of changes: canal-json, maxwell-json, ogg-json, debezium-json, read and written as files."""

COLUMNS = "id INT, name STRING, weight DOUBLE"
ROWS = "id INT, name STRING, t TIMESTAMP(3), m MAP<STRING, INT>, r ROW<x INT, y STRING>, d DECIMAL(10, 2)"

CANAL = [
    ("an insertion", '{"data":[{"id":"101","name":"scooter","weight":"3.14"}],"database":"mydb","es":1598944132000,"id":1,"isDdl":false,"mysqlType":{"id":"INT"},"old":null,"pkNames":["id"],"sql":"","sqlType":{"id":4,"name":12,"weight":7},"table":"product","ts":1598944146308,"type":"INSERT"}'),
    ("several rows", '{"data":[{"id":1,"name":"a","weight":1},{"id":2,"name":"b","weight":null}],"old":null,"type":"INSERT"}'),
    ("no rows", '{"data":[],"old":null,"type":"INSERT"}'),
    ("an update of some columns", '{"data":[{"id":"1","name":"b","weight":"2"}],"old":[{"name":"a"}],"type":"UPDATE"}'),
    ("an update from NULL", '{"data":[{"id":1,"name":"b","weight":2}],"old":[{"name":null}],"type":"UPDATE"}'),
    ("an update to NULL", '{"data":[{"id":1,"name":null,"weight":2}],"old":[{"name":"a"}],"type":"UPDATE"}'),
    ("an update of several rows", '{"data":[{"id":1,"name":"b","weight":2},{"id":2,"name":"b","weight":3}],"old":[{"name":"a"},{"name":"c"}],"type":"UPDATE"}'),
    ("an update of different columns of two rows", '{"data":[{"id":1,"name":"b","weight":2},{"id":2,"name":"b","weight":3}],"old":[{"name":null},{"weight":1}],"type":"UPDATE"}'),
    ("an update that changed nothing", '{"data":[{"id":1,"name":"b","weight":2}],"old":[{}],"type":"UPDATE"}'),
    ("an update without old", '{"data":[{"id":1,"name":"b","weight":2}],"type":"UPDATE"}'),
    ("an update with old null", '{"data":[{"id":1,"name":"b","weight":2}],"old":null,"type":"UPDATE"}'),
    ("an update with a null row in old", '{"data":[{"id":1,"name":"b","weight":2}],"old":[null],"type":"UPDATE"}'),
    ("an update with too few rows in old", '{"data":[{"id":1,"name":"b","weight":2},{"id":2}],"old":[{"name":"a"}],"type":"UPDATE"}'),
    ("an update with too many rows in old", '{"data":[{"id":1,"name":"b","weight":2}],"old":[{"name":"a"},{"name":"z"}],"type":"UPDATE"}'),
    ("an update with one old row that is no array", '{"data":[{"id":1,"name":"b","weight":2}],"old":{"name":"a"},"type":"UPDATE"}'),
    ("a deletion", '{"data":[{"id":1,"name":"b","weight":2}],"old":null,"type":"DELETE"}'),
    ("a deletion of several rows", '{"data":[{"id":1,"name":"b","weight":2},{"id":2,"name":"b","weight":2}],"type":"DELETE"}'),
    ("CREATE", '{"data":null,"database":"mydb","isDdl":true,"sql":"CREATE TABLE t","table":"t","type":"CREATE"}'),
    ("ALTER", '{"data":null,"isDdl":true,"sql":"ALTER TABLE t","type":"ALTER"}'),
    ("QUERY", '{"data":null,"isDdl":true,"sql":"","type":"QUERY"}'),
    ("TRUNCATE", '{"data":null,"isDdl":true,"type":"TRUNCATE"}'),
    ("a lower-case type", '{"data":[{"id":1}],"type":"insert"}'),
    ("no type", '{"data":[{"id":1}]}'),
    ("type null", '{"data":[{"id":1}],"type":null}'),
    ("data null", '{"data":null,"type":"INSERT"}'),
    ("no data", '{"type":"INSERT"}'),
    ("a null row in data", '{"data":[{"id":1},null],"type":"INSERT"}'),
    ("data that is no array", '{"data":{"id":1,"name":"a"},"type":"INSERT"}'),
    ("a field of another type", '{"data":[{"id":"x","name":5,"weight":true}],"type":"INSERT"}'),
    ("a field of another type in old", '{"data":[{"id":1,"name":"a","weight":1}],"old":[{"id":"x"}],"type":"UPDATE"}'),
    ("missing and more fields", '{"data":[{"id":1,"more":{"a":[1]}}],"type":"INSERT","x":1}'),
    ("an array of changes", '[{"data":[{"id":1}],"type":"INSERT"}]'),
]
MAXWELL = [
    ("an insertion", '{"database":"test","table":"product","type":"insert","ts":1596684883,"xid":7125,"commit":true,"data":{"id":111,"name":"scooter","weight":5.15},"primary_key_columns":["id"]}'),
    ("an update", '{"type":"update","data":{"id":111,"name":"b","weight":5.17},"old":{"weight":5.15}}'),
    ("an update from NULL", '{"type":"update","data":{"id":1,"name":"b","weight":2},"old":{"name":null}}'),
    ("an update to NULL", '{"type":"update","data":{"id":1,"name":null,"weight":2},"old":{"name":"a"}}'),
    ("an update that changed nothing", '{"type":"update","data":{"id":1,"name":"b","weight":2},"old":{}}'),
    ("an update without old", '{"type":"update","data":{"id":1,"name":"b","weight":2}}'),
    ("an update with old null", '{"type":"update","data":{"id":1,"name":"b","weight":2},"old":null}'),
    ("a deletion", '{"type":"delete","data":{"id":111,"name":"b","weight":5.17}}'),
    ("bootstrap-insert", '{"type":"bootstrap-insert","data":{"id":1}}'),
    ("table-create", '{"type":"table-create","database":"d","table":"t","def":{}}'),
    ("an upper-case type", '{"type":"INSERT","data":{"id":1}}'),
    ("no type", '{"data":{"id":1}}'),
    ("no data", '{"type":"insert"}'),
    ("data null", '{"type":"insert","data":null}'),
    ("data in an array", '{"type":"insert","data":[{"id":1}]}'),
    ("a field of another type", '{"type":"insert","data":{"id":"x","name":5,"weight":true}}'),
    ("missing and more fields", '{"type":"insert","data":{"id":1,"more":{"a":[1]}},"x":1}'),
    ("an array of changes", '[{"type":"insert","data":{"id":1}}]'),
]
OGG = [
    ("an insertion", '{"table":"OGG.TBL","op_type":"I","op_ts":"2020-05-13 15:40:06.000000","current_ts":"2020-05-13T15:40:07.000000","primary_keys":["id"],"pos":"1","after":{"id":111,"name":"scooter","weight":5.15}}'),
    ("an update", '{"op_type":"U","before":{"id":111,"name":"a","weight":5.18},"after":{"id":111,"name":"b","weight":5.15}}'),
    ("an update without before", '{"op_type":"U","after":{"id":111,"name":"b","weight":5.15}}'),
    ("an update without after", '{"op_type":"U","before":{"id":111,"name":"b","weight":5.15}}'),
    ("an update with a partial before", '{"op_type":"U","before":{"id":1},"after":{"id":1,"name":"b","weight":5}}'),
    ("a deletion", '{"op_type":"D","before":{"id":111,"name":"b","weight":5.15}}'),
    ("a deletion without before", '{"op_type":"D","after":{"id":111}}'),
    ("an insertion without after", '{"op_type":"I"}'),
    ("TRUNCATE", '{"op_type":"T","table":"t"}'),
    ("a lower-case type", '{"op_type":"i","after":{"id":1}}'),
    ("no op_type", '{"after":{"id":1}}'),
    ("a field of another type", '{"op_type":"I","after":{"id":"x","name":5,"weight":true}}'),
    ("missing and more fields", '{"op_type":"I","after":{"id":1,"more":{"a":[1]}},"x":1}'),
    ("an array of changes", '[{"op_type":"I","after":{"id":1}}]'),
]
DEBEZIUM = [
    ("an insertion", '{"before":null,"after":{"id":1,"name":"a","weight":1.5},"op":"c","ts_ms":5}'),
    ("an update", '{"before":{"id":1,"name":"a","weight":1.5},"after":{"id":1,"name":"b","weight":1.5},"op":"u"}'),
    ("a deletion", '{"before":{"id":1,"name":"a","weight":1.5},"after":null,"op":"d"}'),
    ("TRUNCATE", '{"before":null,"after":null,"op":"t"}'),
    ("an array of changes", '[{"before":null,"after":{"id":1},"op":"c"}]'),
]
# What every format meets: a good record, then this, then a good record.
BROKEN = [
    ("malformed", '{"data":[{"id":1'), ("a number", "5"), ("a JSON null", "null"), ("an empty line", ""), ("a blank line", "  "), ("an empty object", "{}"), ("text", "hello"),
    ("two objects", None),
]
FORMATS = [("canal-json", CANAL), ("maxwell-json", MAXWELL), ("ogg-json", OGG), ("debezium-json", DEBEZIUM)]


def change_formats():
    out = []

    def read(name, fmt, data, options="", columns=COLUMNS, note=None):
        case = {"name": "%s: %s" % (fmt, name), "files": {"in/f": data}, "statements": [
            "CREATE TABLE t (%s) WITH ('connector'='filesystem','path'='${DIR}/in','format'='%s'%s)" % (columns, fmt, options),
            "CREATE TABLE p (%s) WITH ('connector'='print')" % columns, "INSERT INTO p SELECT * FROM t"]}
        if note:
            case["note"] = note
        out.append(case)

    for fmt, lines in FORMATS:
        good = lines[0][1]
        ignore = ",'%s.ignore-parse-errors'='true'" % fmt
        for name, line in lines:
            read(name, fmt, line + "\n")
            read(name + ", ignore-parse-errors", fmt, "%s\n%s\n%s\n" % (good, line, good), ignore)
        for name, line in BROKEN:
            line = good + good if line is None else line
            read(name, fmt, "%s\n%s\n" % (good, line))
            read(name + ", ignore-parse-errors", fmt, "%s\n%s\n%s\n" % (good, line, good), ignore)
        read("other types", fmt, good.replace('"weight"', '"t":"2024-02-29 12:34:56.789","m":{"a":1},"r":{"x":1,"z":2},"d":"1.505","weight"') + "\n", columns=ROWS)
        read("timestamps in ISO-8601", fmt, good.replace('"weight"', '"t":"2024-02-29T12:34:56.789","weight"') + "\n", ",'%s.timestamp-format.standard'='ISO-8601'" % fmt, columns="id INT, t TIMESTAMP(3)")
        read("a NOT NULL column", fmt, good + "\n", columns="id INT NOT NULL, name STRING")
    three = "".join('{"data":[{"id":%d,"name":"%s"}],"database":"%s","table":"%s","type":"INSERT"}\n' % (i, d + t, d, t) for i, (d, t) in enumerate([("mydb", "users"), ("mydb", "users2"), ("mydb2", "users"), ("other", "users")]))
    strange = '{"data":[{"id":"x"}],"database":"z","table":"z","type":"INSERT"}\n{"data":null,"database":"z","table":"z","type":"ALTER"}\n'
    for name, options in [
        ("database.include", ",'canal-json.database.include'='mydb'"), ("database.include of a pattern", ",'canal-json.database.include'='mydb.*'"), ("table.include", ",'canal-json.table.include'='users'"),
        ("table.include of alternatives", ",'canal-json.table.include'='users|users2'"), ("both includes", ",'canal-json.database.include'='mydb2?','canal-json.table.include'='users'"), ("an include that nothing meets", ",'canal-json.table.include'='user'"),
        ("a broken pattern", ",'canal-json.table.include'='('")]:
        read(name, "canal-json", three, options)
        read(name + ", other rows", "canal-json", three + strange, options, note="changes of other tables may have columns of other types")
    nowhere = '{"data":[{"id":1}],"type":"INSERT"}\n'
    read("database.include without a database", "canal-json", nowhere, ",'canal-json.database.include'='mydb'")
    read("database.include without a database, ignore-parse-errors", "canal-json", nowhere, ",'canal-json.database.include'='mydb','canal-json.ignore-parse-errors'='true'")

    def write(name, fmt, columns, select, options=""):
        out.append({"name": "%s: write %s" % (fmt, name), "statements": [
            "CREATE TABLE o (%s) WITH ('connector'='filesystem','path'='${DIR}/out','format'='%s'%s)" % (columns, fmt, options), "INSERT INTO o " + select], "read": ["out"]})

    values = ("SELECT 1, 'it''s \"ä\" 😀', TIMESTAMP '2024-02-29 12:34:56.780', MAP['a', 1, 'b', CAST(NULL AS INT)], CAST(ROW(1, CAST(NULL AS STRING)) AS ROW<x INT, y STRING>), CAST(12.50 AS DECIMAL(10, 2)) "
              "UNION ALL SELECT CAST(NULL AS INT), CAST(NULL AS STRING), CAST(NULL AS TIMESTAMP(3)), CAST(NULL AS MAP<STRING, INT>), CAST(NULL AS ROW<x INT, y STRING>), CAST(NULL AS DECIMAL(10, 2))")
    nulls = "SELECT MAP[CAST(NULL AS STRING), 1, 'b', 2]"
    for fmt, lines in FORMATS:
        write("values", fmt, ROWS, values)
        write("values without NULL fields", fmt, ROWS, values, ",'%s.encode.ignore-null-fields'='true'" % fmt)
        write("plain decimals", fmt, "d DECIMAL(10, 2)", "SELECT CAST(100 AS DECIMAL(10, 2))", ",'%s.encode.decimal-as-plain-number'='true'" % fmt)
        write("ISO-8601", fmt, "t TIMESTAMP(3)", "SELECT TIMESTAMP '2024-02-29 12:34:56.780'", ",'%s.timestamp-format.standard'='ISO-8601'" % fmt)
        for mode in ("FAIL", "DROP", "LITERAL"):
            write("a NULL key, " + mode, fmt, "m MAP<STRING, INT>", nulls, ",'%s.map-null-key.mode'='%s'" % (fmt, mode))
        write("a NULL key, LITERAL none", fmt, "m MAP<STRING, INT>", nulls, ",'%s.map-null-key.mode'='LITERAL','%s.map-null-key.literal'='none'" % (fmt, fmt))
        write("changes", fmt, COLUMNS, "SELECT * FROM t")
        out[-1]["files"] = {"in/f": "".join(line + "\n" for _, line in DEBEZIUM[:3])}
        out[-1]["statements"].insert(0, "CREATE TABLE t (%s) WITH ('connector'='filesystem','path'='${DIR}/in','format'='debezium-json')" % COLUMNS)
        write("an INSERT of a NOT NULL column", fmt, "id INT NOT NULL", "VALUES 1")
    write("schema-include", "debezium-json", "id INT", "VALUES 1", ",'debezium-json.schema-include'='true'")
    return out
