# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about TO_CHANGELOG and FROM_CHANGELOG."""
from cases_functions_table import APPEND, CHANGES, CODED, MAPPING, PLAIN, ROWS, ZONED
from cases_updating import ask, table

TIMED = table("ch", "id INT, ts TIMESTAMP(3)", "+ 1 10\n~ 1 10 > 1 12\n- 1 12", ts="ts", changing=True)
CODES = table("w", "op STRING, v INT, ts TIMESTAMP(3)", "INSERT 1 10\nINSERT 2 12\nDELETE 1 10\nINSERT 4 25", ts="ts", delay=2)
NAMED = "CREATE VIEW x AS SELECT * FROM (VALUES ('INSERT', 1, 1), ('INSERT', 2, 2), ('UPDATE_BEFORE', 1, 1), ('UPDATE_AFTER', 1, 5), ('DELETE', 2, 2)) AS t(op, id, v)"
WINDOWS = "FROM TABLE(TUMBLE(TABLE x, DESCRIPTOR(%s), INTERVAL '10' SECOND)) GROUP BY window_start, window_end"


def to_changelog():
    out = []
    for name, call in (("", "input => TABLE ch"), (", a name for the column", "input => TABLE ch, op => DESCRIPTOR(kind)"), (", a mapping", "input => TABLE ch, op_mapping => MAP['INSERT', 'I', 'UPDATE_AFTER', 'U', 'DELETE', 'D']"), (", codes in one key", "input => TABLE ch, op_mapping => MAP['INSERT, UPDATE_AFTER', 'put', 'DELETE', 'drop']"),
                       (", partitioned", "input => TABLE ch PARTITION BY id"), (" without input", "")):
        out.append(ask("TO_CHANGELOG of changes%s" % name, CHANGES, "SELECT * FROM TO_CHANGELOG(%s)" % call))
    out.append(ask("TO_CHANGELOG of rows", APPEND, "SELECT * FROM TO_CHANGELOG(input => TABLE p)"))
    out.append(ask("TO_CHANGELOG of an aggregate", CHANGES, "SELECT * FROM TO_CHANGELOG(input => (SELECT k, COUNT(*) AS c FROM ch GROUP BY k))"))
    out.append(ask("TO_CHANGELOG, then an aggregate", CHANGES, "SELECT op, COUNT(*) AS c FROM TO_CHANGELOG(input => TABLE ch) GROUP BY op"))
    for name, call in (("by position", "TABLE ch, DESCRIPTOR(kind), MAP['INSERT', 'I']"), ("DEFAULT by position", "TABLE ch, DEFAULT, MAP['DELETE', 'D']"), ("in another order", "op => DESCRIPTOR(kind), input => TABLE ch"), ("a column of that name", "input => TABLE ch, op => DESCRIPTOR(k)"),
                       ("two names for the column", "input => TABLE ch, op => DESCRIPTOR(a, b)"), ("a text for the column", "input => TABLE ch, op => 'kind'"), ("an unknown operation", "input => TABLE ch, op_mapping => MAP['NOPE', 'I']"), ("an operation in small letters", "input => TABLE ch, op_mapping => MAP['insert', 'I']"),
                       ("a key twice", "input => TABLE ch, op_mapping => MAP['INSERT', 'I', 'INSERT', 'J']"), ("an operation twice", "input => TABLE ch, op_mapping => MAP['INSERT', 'I', 'INSERT, DELETE', 'J']"), ("a code twice", "input => TABLE ch, op_mapping => MAP['INSERT', 'I', 'DELETE', 'I']"),
                       ("blanks in keys", "input => TABLE ch, op_mapping => MAP[' INSERT ,DELETE,', '']"), ("an empty operation", "input => TABLE ch, op_mapping => MAP['INSERT , ', 'I']"), ("a NULL code", "input => TABLE ch, op_mapping => MAP['INSERT', CAST(NULL AS STRING)]"), ("a number as code", "input => TABLE ch, op_mapping => MAP['INSERT', 1]"),
                       ("a NULL mapping", "input => TABLE ch, op_mapping => CAST(NULL AS MAP<STRING, STRING>)"), ("old content alone", "input => TABLE ch, op_mapping => MAP['UPDATE_BEFORE', 'old']"), ("a uid", "input => TABLE ch, uid => 'changes-of_ch'"), ("a uid that is none", "input => TABLE ch, uid => '1 2'"), ("on_time of a number", "input => TABLE ch, on_time => DESCRIPTOR(v)"),
                       ("a number as input", "input => 1"), ("no such table", "input => TABLE nope"), ("a query with a filter", "input => (SELECT id, v FROM ch WHERE v > 1)"), ("a whole aggregate", "input => (SELECT COUNT(*) AS c FROM ch)")):
        out.append(ask("TO_CHANGELOG: %s" % name, CHANGES, "SELECT * FROM TO_CHANGELOG(%s)" % call))
    for name, query in (("in TABLE()", "SELECT * FROM TABLE(TO_CHANGELOG(input => TABLE ch)) AS t(a, b, c, d) WHERE a <> 'INSERT'"), ("a filter behind", "SELECT * FROM TO_CHANGELOG(input => TABLE ch) WHERE v > 1"), ("columns left out behind", "SELECT op, v FROM TO_CHANGELOG(input => TABLE ch)"),
                        ("names too few", "SELECT * FROM TO_CHANGELOG(input => TABLE ch) AS t(a, b, c)"), ("and back", "SELECT * FROM FROM_CHANGELOG(input => (SELECT * FROM TO_CHANGELOG(input => TABLE ch)))"), ("there and back, a call in a call", "SELECT * FROM FROM_CHANGELOG(input => TO_CHANGELOG(input => TABLE ch))")):
        out.append(ask("TO_CHANGELOG: %s" % name, CHANGES, query))
    out.append(ask("TO_CHANGELOG of rows with a column op", CODED, "SELECT * FROM TO_CHANGELOG(input => TABLE f)"))
    out.append(ask("TO_CHANGELOG of distinct rows", APPEND, "SELECT * FROM TO_CHANGELOG(input => (SELECT DISTINCT id FROM p))"))
    out.append(ask("TO_CHANGELOG into a table", CHANGES, "INSERT INTO s SELECT * FROM TO_CHANGELOG(input => TABLE ch)", more=["CREATE TABLE s (op STRING, id INT, k STRING, v INT) WITH ('connector'='print')"]))
    for name, rows in (("TIMESTAMP(3)", ROWS), ("TIMESTAMP_LTZ(3)", ZONED), ("no time attribute", PLAIN)):
        out.append(ask("TO_CHANGELOG on_time: %s" % name, rows, "SELECT * FROM TO_CHANGELOG(input => TABLE w, on_time => DESCRIPTOR(ts))"))
    out.append(ask("TO_CHANGELOG on_time: an unknown column", ROWS, "SELECT * FROM TO_CHANGELOG(input => TABLE w, on_time => DESCRIPTOR(nope))"))
    out.append(ask("TO_CHANGELOG on_time: a column rowtime", table("w", "id INT, rowtime TIMESTAMP(3)", "1 10\n2 12", ts="rowtime"), "SELECT * FROM TO_CHANGELOG(input => TABLE w, on_time => DESCRIPTOR(rowtime))"))
    out.append(ask("TO_CHANGELOG on_time: a NULL", table("w", "id INT, ts TIMESTAMP(3)", "1 10\n2 -", ts="ts"), "SELECT * FROM TO_CHANGELOG(input => TABLE w, on_time => DESCRIPTOR(ts))"))
    out.append(ask("TO_CHANGELOG on_time of changes", TIMED, "SELECT * FROM TO_CHANGELOG(input => TABLE ch, on_time => DESCRIPTOR(ts))"))
    out.append(ask("TO_CHANGELOG of changes with event time", TIMED, "SELECT * FROM TO_CHANGELOG(input => TABLE ch)"))
    for column, call in (("ts", "input => TABLE w"), ("rowtime", "input => TABLE w, on_time => DESCRIPTOR(ts)")):
        out.append(ask("TO_CHANGELOG, then windows of %s" % column, ROWS, "SELECT window_start, op, COUNT(*) AS c " + WINDOWS % column + ", op", more=["CREATE VIEW x AS SELECT * FROM TO_CHANGELOG(%s)" % call]))
    return out


def from_changelog():
    out = []
    for name, call in ((", a mapping", "input => TABLE f, " + MAPPING), (", a mapping and the column", "input => TABLE f, op => DESCRIPTOR(op), " + MAPPING), (", another column", "input => TABLE f, op => DESCRIPTOR(nope), " + MAPPING), (", a code too few", "input => TABLE f, op_mapping => MAP['I', 'INSERT']"),
                       (", partitioned", "input => TABLE f PARTITION BY id, " + MAPPING)):
        out.append(ask("FROM_CHANGELOG%s" % name, CODED, "SELECT * FROM FROM_CHANGELOG(%s)" % call))
    out.append(ask("FROM_CHANGELOG, then an aggregate", CODED, "SELECT COUNT(*) AS c, SUM(v) AS s FROM FROM_CHANGELOG(input => TABLE f, %s)" % MAPPING))
    out.append(ask("FROM_CHANGELOG of changes", CHANGES, "SELECT * FROM FROM_CHANGELOG(input => TABLE ch)"))
    for name, call in (("the codes of a row not named", "input => TABLE f"), ("a column that is no text", "input => TABLE f, op => DESCRIPTOR(v)"), ("an unknown operation", "input => TABLE f, op_mapping => MAP['I', 'NOPE']"), ("an operation in small letters", "input => TABLE f, op_mapping => MAP['I', 'insert']"), ("two operations of a code", "input => TABLE f, op_mapping => MAP['I', 'INSERT, DELETE']"),
                       ("several codes", "input => TABLE f, op_mapping => MAP['I, A', 'INSERT', ' B,D ', 'DELETE']"), ("an operation twice", "input => TABLE f, op_mapping => MAP['I', 'INSERT', 'A', 'INSERT', 'B, D', 'DELETE']"), ("without old content", "input => TABLE f, op_mapping => MAP['I', 'INSERT', 'A', 'UPDATE_AFTER', 'B, D', 'DELETE']"),
                       ("without new content", "input => TABLE f, op_mapping => MAP['I, A', 'INSERT', 'B', 'UPDATE_BEFORE', 'D', 'DELETE']"), ("a code twice", "input => TABLE f, op_mapping => MAP['I, B', 'INSERT', 'I', 'UPDATE_BEFORE']"), ("a code twice in a key", "input => TABLE f, op_mapping => MAP['I, I', 'INSERT']"), ("a key twice", "input => TABLE f, op_mapping => MAP['I, A', 'DELETE', 'I, A', 'INSERT', 'B, D', 'DELETE']"),
                       ("two names for the column", "input => TABLE f, op => DESCRIPTOR(op, id)"), ("a NULL operation", "input => TABLE f, op_mapping => MAP['I', CAST(NULL AS STRING)]"), ("blanks around an operation", "input => TABLE f, op_mapping => MAP['I, A', ' INSERT ', 'B, D', 'DELETE']")):
        out.append(ask("FROM_CHANGELOG: %s" % name, CODED, "SELECT * FROM FROM_CHANGELOG(%s)" % call))
    for name, query, more in (("", "SELECT * FROM FROM_CHANGELOG(input => TABLE x)", []), (", a filter behind", "SELECT * FROM FROM_CHANGELOG(input => TABLE x) WHERE v > 1", []), (", one column", "SELECT v FROM FROM_CHANGELOG(input => TABLE x)", []), (", no column", "SELECT COUNT(*) AS c FROM FROM_CHANGELOG(input => TABLE x)", []), (", a group", "SELECT id, SUM(v) AS s FROM FROM_CHANGELOG(input => TABLE x) GROUP BY id", []),
                              (" into a table with a key", "INSERT INTO s SELECT * FROM FROM_CHANGELOG(input => TABLE x)", ["CREATE TABLE s (id INT, v INT, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector'='print')"]),
                              (" into a table of rows", "INSERT INTO s SELECT * FROM FROM_CHANGELOG(input => TABLE x)", ["CREATE TABLE s (id INT, v INT) WITH ('connector'='filesystem', 'path'='${DIR}/o', 'format'='json')"])):
        out.append(ask("FROM_CHANGELOG by names%s" % name, APPEND, query, more=[NAMED, *more]))
    for name, columns, rows, call in (("a column in the middle", "id INT, op STRING NOT NULL, v INT NOT NULL", "1 INSERT 1\n2 INSERT 3\n1 DELETE 1", "input => TABLE p"), ("a name in capitals", "id INT, OP STRING, v INT", "1 INSERT 1", "input => TABLE p"), ("CHAR(6)", "op CHAR(6), v INT", "INSERT 1\nDELETE 1", "input => TABLE p"),
                                      ("a NULL code", "op STRING, v INT", "INSERT 1\n- 2", "input => TABLE p"), ("a code in small letters", "op STRING, v INT", "insert 1", "input => TABLE p"), ("an empty code", "op STRING, v INT", "'' 1\nc 2", "input => TABLE p, op_mapping => MAP['c,,d', 'INSERT']"), ("commas at the end", "op STRING, v INT", "c 1\n'' 2", "input => TABLE p, op_mapping => MAP['c,,', 'INSERT']"),
                                      ("a code with a blank", "op STRING, v INT", "c_d 1", "input => TABLE p, op_mapping => MAP['c d', 'INSERT']")):
        out.append(ask("FROM_CHANGELOG: %s" % name, table("p", columns, rows), "SELECT * FROM FROM_CHANGELOG(%s)" % call))
    out.append(ask("FROM_CHANGELOG of changes with a column op", table("ch", "id INT, op STRING", "+ 1 INSERT", pk="id", changing=True), "SELECT * FROM FROM_CHANGELOG(input => TABLE ch)"))
    out.append(ask("FROM_CHANGELOG of an aggregate", CODED, "SELECT * FROM FROM_CHANGELOG(input => (SELECT op, COUNT(*) AS c FROM f GROUP BY op))"))
    out.append(ask("FROM_CHANGELOG with event time", CODES, "SELECT * FROM FROM_CHANGELOG(input => TABLE w)"))
    out.append(ask("FROM_CHANGELOG on_time", CODES, "SELECT * FROM FROM_CHANGELOG(input => TABLE w, on_time => DESCRIPTOR(ts))"))
    out.append(ask("FROM_CHANGELOG, then windows", CODES, "SELECT window_start, SUM(v) AS s " + WINDOWS % "ts", more=["CREATE VIEW x AS SELECT * FROM FROM_CHANGELOG(input => TABLE w)"]))
    return out


def changelogs():
    return to_changelog() + from_changelog()
