# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about MATCH_RECOGNIZE."""
from cases_updating import ask, table

# The example of Flink's documentation: prices that fall and rise again.
TICKER = table("Ticker", "symbol STRING, rowtime TIMESTAMP(3), price INT, tax INT", """
ACME 36000 12 1
ACME 36001 17 2
ACME 36002 19 1
ACME 36003 21 3
ACME 36004 25 2
ACME 36005 18 1
ACME 36006 15 1
ACME 36007 14 2
ACME 36008 24 2
ACME 36009 25 2
ACME 36010 19 1
""", ts="rowtime")
COLUMNS = "id INT, k STRING, e STRING, v INT, ts TIMESTAMP(3)"
# One letter a row: what DEFINE tells apart; `x` is no letter of any pattern.
EVENTS = table("t", COLUMNS, """
1 a a 5 1
2 a b 3 2
3 b a 7 2
4 a b 4 3
5 a c 6 4
6 b b 1 5
7 a a 2 6
8 a a 9 7
9 b c 8 8
10 a b 1 9
11 a c 3 10
12 a x 4 11
13 b a 2 12
14 b a 6 13
15 b c 5 14
16 a a 1 15
17 a c 2 16
18 - a 3 17
19 - b 4 18
20 - c 5 19
21 a a 8 30
22 a b 9 41
23 a c 7 42
""", ts="ts")
# Rows whose letters fit several variables: `ab` is an a and a b.
BOTH = table("t", COLUMNS, """
1 a a 5 1
2 a ab 3 2
3 a abc 4 3
4 a bc 6 4
5 a bc 2 5
6 a abc 9 6
7 a c 1 7
8 a x 1 8
9 a ab 7 9
10 a bc 5 10
11 a bc 8 11
12 a bcd 8 12
13 a d 4 13
14 a abcd 3 14
15 a abcd 6 15
16 a abcd 2 16
17 a x 1 17
""", ts="ts")
MIXED = table("t", COLUMNS, """
1 a b 3 22
2 a a 5 21
3 b a 1 24
4 a c 6 23
5 b c 2 20
6 a a 2 35
7 b b 3 25
8 a b 2 2
9 a c 9 37
10 a b 1 36
11 b c 4 26
12 a x 1 99
""", ts="ts", delay=10)
TIES = table("t", COLUMNS, """
1 a b 3 1
2 a a 5 1
3 a c 4 1
4 a b 2 2
5 a a 2 2
6 a c 1 2
7 a x 0 9
""", ts="ts", delay=5)
AB = "A.id AS a, B.id AS b"
ZONED = table("t", COLUMNS.replace("TIMESTAMP(3)", "TIMESTAMP_LTZ(3)"), "1 a a 5 1\n2 a b 3 2\n3 a c 7 3\n4 a a 1 4\n5 a b 1 5\n6 a c 2 9", ts="ts")
CHANGES = table("ch", "id INT, k STRING, v INT", "+ 1 a 1\n+ 2 a 2\n~ 1 a 1 > 1 a 5\n- 2 a 2", pk="id", changing=True)
ABC = "A AS A.e LIKE '%a%', B AS B.e LIKE '%b%', C AS C.e LIKE '%c%'"
MEASURES = "FIRST(id) AS f, LAST(id) AS l, FIRST(A.id) AS fa, LAST(A.id) AS la, FIRST(B.id) AS fb, LAST(B.id) AS lb, FIRST(C.id) AS fc, LAST(C.id) AS lc"


def match(pattern, define=ABC, measures=MEASURES, after="AFTER MATCH SKIP PAST LAST ROW", by="PARTITION BY k ", order="ts", within="", rows="ONE ROW PER MATCH", source="t", select="*"):
    define = " DEFINE " + define if define else ""
    measures = " MEASURES " + measures if measures else ""
    return "SELECT %s FROM %s MATCH_RECOGNIZE (%sORDER BY %s%s %s %s PATTERN (%s)%s%s) AS m" % (select, source, by, order, measures, rows, after, pattern, within, define)


def mixed(seed):
    """A pattern and rows that can be read in many ways, by a generator of their own: the same ones every time."""
    state = [seed * 7919 + 1]

    def below(n):
        state[0] = (state[0] * 6364136223846793005 + 1442695040888963407) % 2**64
        return (state[0] >> 33) % n

    quantifiers = ["", "", "+?", "*?", "?", "{1,2}?", "{2,}?", "+", "{1,2}", "{2}"]
    names = "ABCD"[:3 + below(2)]
    parts, greedy = [], False
    for i, name in enumerate(names):
        last = i + 1 == len(names)
        fitting = [q for q in quantifiers if not (last and q in ("+", "{1,2}")) and not (greedy and q in ("*?", "?"))]
        quantifier = "" if last and all(p[1:] in ("*?", "?") for p in parts) else fitting[below(len(fitting))]
        greedy = quantifier in ("+", "{1,2}")
        parts.append(name + quantifier)
    lines = []
    for i in range(36):
        letters = "".join(c for c in "abcd" if below(5) < 3) or "x"
        lines.append("%d %s %s %d %d" % (i + 1, "ab"[below(4) == 0], letters, below(9), i + 1))
    define = ", ".join("%s AS %s.e LIKE '%%%s%%'" % (n, n, n.lower()) for n in names)
    if below(3) == 0:
        define = define.replace("B AS ", "B AS B.v >= A.v AND ")
    measures = ", ".join("FIRST(%s.id) AS f%s, COUNT(%s.id) AS n%s" % (n, n, n, n) for n in names)
    within = " WITHIN INTERVAL '%d' SECOND" % (4 + below(12)) if below(2) else ""
    after = ["AFTER MATCH SKIP PAST LAST ROW", "AFTER MATCH SKIP TO NEXT ROW"][below(2)]
    return match(" ".join(parts), define=define, measures="FIRST(id) AS f, LAST(id) AS l, " + measures, after=after, within=within), table("t", COLUMNS, "\n".join(lines), ts="ts")


def patterns():
    out = []

    def one(name, query, tables=EVENTS, **more):
        out.append(ask(name, tables, query, **more))

    # Flink's documentation.
    one("docs: falling and rising prices", "SELECT * FROM Ticker MATCH_RECOGNIZE (PARTITION BY symbol ORDER BY rowtime MEASURES START_ROW.rowtime AS start_tstamp, LAST(PRICE_DOWN.rowtime) AS bottom_tstamp, LAST(PRICE_UP.rowtime) AS end_tstamp ONE ROW PER MATCH AFTER MATCH SKIP TO LAST PRICE_UP PATTERN (START_ROW PRICE_DOWN+ PRICE_UP) DEFINE PRICE_DOWN AS (LAST(PRICE_DOWN.price, 1) IS NULL AND PRICE_DOWN.price < START_ROW.price) OR PRICE_DOWN.price < LAST(PRICE_DOWN.price, 1), PRICE_UP AS PRICE_UP.price > LAST(PRICE_DOWN.price, 1)) MR", TICKER)
    one("docs: an average in DEFINE", "SELECT * FROM Ticker MATCH_RECOGNIZE (PARTITION BY symbol ORDER BY rowtime MEASURES FIRST(A.rowtime) AS start_tstamp, LAST(A.rowtime) AS end_tstamp, AVG(A.price) AS avgPrice ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW PATTERN (A+ B) DEFINE A AS AVG(A.price) < 19) MR", TICKER)
    one("docs: WITHIN", "SELECT * FROM Ticker MATCH_RECOGNIZE(PARTITION BY symbol ORDER BY rowtime MEASURES C.rowtime AS dropTime, A.price - C.price AS dropDiff ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW PATTERN (A B* C) WITHIN INTERVAL '1' HOUR DEFINE B AS B.price > A.price - 10, C AS C.price < A.price - 5)", TICKER)
    one("docs: greedy", "SELECT * FROM Ticker MATCH_RECOGNIZE(PARTITION BY symbol ORDER BY rowtime MEASURES C.price AS lastPrice ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW PATTERN (A B* C) DEFINE A AS A.price > 10, B AS B.price < 20, C AS C.price > 12)", TICKER)
    one("docs: reluctant", "SELECT * FROM Ticker MATCH_RECOGNIZE(PARTITION BY symbol ORDER BY rowtime MEASURES C.price AS lastPrice ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW PATTERN (A B*? C) DEFINE A AS A.price > 10, B AS B.price < 20, C AS C.price > 12)", TICKER)
    one("docs: logical offsets", "SELECT * FROM Ticker MATCH_RECOGNIZE (ORDER BY rowtime MEASURES FIRST(A.price, 3) AS d, LAST(A.price, 2) AS u, FIRST(A.price * A.tax) AS p, LAST(A.price * A.tax, 1) AS q PATTERN (A{4} B) DEFINE B AS LAST(B.price, 1) IS NULL AND FIRST(A.price, 2) < B.price)", TICKER)
    for after in ("PAST LAST ROW", "TO NEXT ROW", "TO LAST A", "TO FIRST A"):
        one("docs: SKIP " + after, "SELECT * FROM Ticker MATCH_RECOGNIZE(PARTITION BY symbol ORDER BY rowtime MEASURES SUM(A.price) AS sumPrice, FIRST(A.rowtime) AS startTime, LAST(A.rowtime) AS endTime ONE ROW PER MATCH AFTER MATCH SKIP %s PATTERN (A+ C) DEFINE A AS SUM(A.price) < 60)" % after, TICKER)

    # Quantifiers, on letters that exclude each other and on letters that do not.
    for data, name in ((EVENTS, "letters"), (BOTH, "letters of several variables")):
        for p in ("A B C", "A B* C", "A B+ C", "A B? C", "A B{2} C", "A B{1,2} C", "A B{0,1} C", "A B{,2} C", "A B{2,} C", "A B{0,} C", "A B{0,2} C", "A B*? C", "A B+? C", "A B{1,2}? C", "A B{2,}? C", "A B{,2}? C", "A B{2}? C", "A* B C", "A*? B C", "A? B C", "A+ C", "A+ B+ C", "A+? B+? C", "A* B* C", "A*? B*? C", "A B+?", "A B*?", "A B?", "A B{1,3}?", "A B{2}", "A+ B? C", "A B+? C?", "A B* C?", "A B{1,2} C*?"):
            one("%s: %s" % (name, p), match(p), data)
        for p in ("A B{1,2} C", "A B{1,2} C{2}", "A B{2,3} C+?", "A{1,2} B C", "A{,1} B{1,2} C"):
            one("%s: %s, next row" % (name, p), match(p, after=""), data)
        for p in ("A+ B C", "A B+? C", "A+? B+? C+?", "A B"):
            for after in ("TO NEXT ROW", "TO FIRST B", "TO LAST B", "TO B"):
                one("%s: %s, SKIP %s" % (name, p, after), match(p, after="AFTER MATCH SKIP " + after), data)
    one("four variables", match("A B+? C+? D", define=ABC + ", D AS D.e LIKE '%d%'", measures=MEASURES + ", D.id AS d"), BOTH)
    one("four variables, next row", match("A B+? C+? D", define=ABC + ", D AS D.e LIKE '%d%'", measures=MEASURES + ", D.id AS d", after="AFTER MATCH SKIP TO NEXT ROW"), BOTH)
    one("four variables, first", match("A+? B+? C*? D", define=ABC + ", D AS D.e LIKE '%d%'", measures=MEASURES + ", D.id AS d", after="AFTER MATCH SKIP TO FIRST B"), BOTH)
    one("skip to a row that is not there", match("A B? C", after="AFTER MATCH SKIP TO FIRST B"))
    one("skip to the first row of the match", match("A B C", after="AFTER MATCH SKIP TO FIRST A"))
    one("skip to the last row of a variable that is the first of the match", match("A B C", after="AFTER MATCH SKIP TO LAST A"))
    one("skip to the last of several rows", match("A+ C", after="AFTER MATCH SKIP TO LAST A"))
    one("skip to an unknown variable", match("A B C", after="AFTER MATCH SKIP TO LAST Z"))
    one("no AFTER MATCH", match("A+ C", after=""))
    one("no AFTER MATCH, overlapping", match("A B+? C", after=""), BOTH)
    one("no ROWS PER MATCH", match("A B C", rows=""))
    one("ALL ROWS PER MATCH", match("A B C", rows="ALL ROWS PER MATCH"))

    for seed in range(40):
        query, rows = mixed(seed)
        one("many ways %d" % seed, query, rows)

    # A match waits for an earlier one that may still be completed.
    waits = "A AS A.e LIKE '%a%', B AS B.e LIKE '%b%', C AS C.v > A.v"
    for after in ("PAST LAST ROW", "TO NEXT ROW", "TO FIRST B"):
        one("an earlier match has precedence, " + after, match("A B*? C", define="A AS A.v > 1, C AS C.v > A.v + 3", after="AFTER MATCH SKIP " + after, measures="A.id AS a, FIRST(B.id) AS b, C.id AS c, MATCH_ROWTIME() AS rt") if "FIRST" not in after else match("A B+? C", define="A AS A.v > 1, C AS C.v > A.v + 3", after="AFTER MATCH SKIP " + after, measures="A.id AS a, FIRST(B.id) AS b, C.id AS c, MATCH_ROWTIME() AS rt"))
    one("an earlier match fails", match("A B*? C", define="A AS A.v > 1, B AS B.v < 8, C AS C.v > A.v + 3", measures="A.id AS a, C.id AS c, MATCH_ROWTIME() AS rt"))
    one("an earlier match fails, next row", match("A B*? C", define=waits, measures="A.id AS a, C.id AS c, MATCH_ROWTIME() AS rt", after="AFTER MATCH SKIP TO NEXT ROW"), BOTH)
    one("an earlier match times out", match("A B*? C", define="A AS A.v > 1, C AS C.v > A.v + 3", within=" WITHIN INTERVAL '5' SECOND", measures="A.id AS a, C.id AS c"))

    for after in ("PAST LAST ROW", "TO NEXT ROW"):
        one("an earlier match times out while rows come, " + after, match("A B*? C", define="A AS A.v > 1, C AS C.v > A.v + 3", within=" WITHIN INTERVAL '8' SECOND", measures="A.id AS a, C.id AS c, MATCH_ROWTIME() AS rt", after="AFTER MATCH SKIP " + after))
        one("an earlier match ends, " + after, match("A B*? C", define="A AS A.v > 1, B AS B.e <> 'c', C AS C.v > A.v + 2", measures="A.id AS a, C.id AS c, MATCH_ROWTIME() AS rt", after="AFTER MATCH SKIP " + after))

    # WITHIN.
    for interval in ("'3' SECOND", "'4' SECOND", "'12' SECOND", "'13' SECOND", "'0.5' SECOND(1, 1)", "'1' MINUTE", "'0:05' MINUTE TO SECOND", "'0' SECOND", "'-1' SECOND", "'1' MONTH"):
        one("WITHIN %s" % interval, match("A B+ C", within=" WITHIN INTERVAL " + interval))
    one("WITHIN of a greedy variable at the end", match("A B+", within=" WITHIN INTERVAL '10' SECOND"))
    one("WITHIN of a number", match("A B", within=" WITHIN 10"))
    one("WITHIN of an expression", match("A B", within=" WITHIN INTERVAL '1' SECOND + INTERVAL '1' SECOND"))

    # Navigation.
    nav = "FIRST(id) AS f, FIRST(id, 1) AS f1, LAST(id, 1) AS l1, LAST(id, 9) AS l9, FIRST(B.id, 1) AS fb1, LAST(B.id, 1) AS lb1, B.id AS b, id AS i, e AS e, FIRST(A.v + A.id) AS s, LAST(B.v, 1) + A.v AS t"
    one("offsets in MEASURES", match("A B+ C", measures=nav))
    one("no match of a variable in MEASURES", match("A B* C", measures="A.id AS a, B.id AS b, FIRST(B.id) AS fb, COUNT(B.id) AS n, SUM(B.v) AS s, LAST(B.v, 1) IS NULL AS l"))
    one("a variable without a condition", match("A B+? C", define="A AS A.e = 'a', C AS C.e = 'c'"))
    one("no condition at all", match("A B", define="B AS TRUE", measures=AB))
    one("a column without a variable in DEFINE", match("A B+ C", define="A AS e = 'a', B AS e = 'b', C AS e = 'c'"))
    one("a column of another variable in DEFINE", match("A B+ C", define="A AS A.e = 'a', B AS B.v < A.v, C AS C.v > LAST(B.v) AND C.e = 'c'"))
    one("the row before in DEFINE", match("A B+ C", define="B AS B.v < LAST(B.v, 1) OR LAST(B.v, 1) IS NULL, C AS C.v > LAST(v, 1)", measures="A.id AS a, LAST(B.id) AS b, C.id AS c"))
    one("the first row in DEFINE", match("A+ C", define="A AS A.v <= FIRST(A.v), C AS C.v > FIRST(A.v, 1)", measures="FIRST(A.id) AS a, LAST(A.id) AS b, C.id AS c"))
    one("the first row of any variable in DEFINE", match("A B+ C", define="B AS B.id < FIRST(id) + 3, C AS LAST(id, 2) IS NOT NULL", measures="A.id AS a, LAST(B.id) AS b, C.id AS c"))
    one("a variable behind the one that is defined", match("A B+ C", define="A AS A.e = 'a' AND C.id IS NULL, B AS B.e = 'b', C AS C.e = 'c'"))
    one("the current row by PREV of 0", match("A B", define="A AS A.e = 'a', B AS PREV(B.v, 0) > 1", measures=AB))
    one("PREV", match("A B", define="A AS A.e = 'a', B AS PREV(B.v) > 1", measures=AB))
    one("PREV in MEASURES", match("A B", measures="PREV(A.id) AS p"))
    one("NEXT", match("A B", define="A AS A.e = 'a', B AS NEXT(B.v) > 1", measures=AB))
    one("FINAL and RUNNING", match("A B+ C", measures="FINAL LAST(B.id) AS fin, FINAL FIRST(A.id, 0) AS fst"))
    one("RUNNING", match("A B+ C", measures="RUNNING LAST(B.id) AS r"))
    one("FINAL of an aggregate", match("A B+ C", measures="FINAL SUM(B.v) AS r"))
    one("RUNNING of an aggregate", match("A B+ C", measures="RUNNING SUM(B.v) AS r"))
    one("FINAL in DEFINE", match("A B+ C", define="A AS A.e = 'a', B AS FINAL LAST(B.v) > 1"))
    one("FIRST of LAST", match("A B+ C", measures="FIRST(LAST(B.id, 1)) AS r"))
    one("LAST with an offset that is not a number", match("A B+ C", measures="LAST(B.id, 'x') AS r"))
    one("LAST with a negative offset", match("A B+ C", measures="LAST(B.id, -1) AS r"))
    one("LAST with a column as offset", match("A B+ C", measures="LAST(B.id, B.v) AS r"))
    one("LAST of two variables", match("A B+ C", measures="LAST(B.id + A.id) AS r"))
    one("LAST of a constant", match("A B+ C", measures="LAST(1) AS r"))
    one("FIRST of an expression with offset", match("A B+ C", measures="FIRST(B.id * B.v, 1) AS r, LAST(UPPER(B.e)) AS u"))
    one("CLASSIFIER", match("A B+ C", measures="CLASSIFIER() AS r"))
    one("MATCH_NUMBER", match("A B+ C", measures="MATCH_NUMBER() AS r"))
    one("an expression of functions in MEASURES", match("A B+ C", measures="CONCAT(A.e, B.e, C.e) AS s, CAST(A.v AS STRING) || '!' AS w, CASE WHEN A.v > 3 THEN 'big' ELSE 'small' END AS b, ABS(A.v - C.v) AS d"))
    one("a condition that is NULL", match("A B", define="A AS A.e = 'a', B AS B.v > LAST(B.v, 1)", measures=AB))
    one("a condition that is no BOOLEAN", match("A B", define="A AS A.v", measures=AB))
    one("two measures of one name", match("A B", measures="A.id AS x, B.id AS x"))
    one("no measures", match("A B C", measures=""))
    one("no measures and no partition", match("A B C", measures="", by=""))
    one("a measure without a name", match("A B C", measures="A.id"))
    one("a measure that is a constant", match("A B C", measures="1 AS x, 'y' AS y"))
    one("a measure named as a partition column", match("A B C", measures="A.id AS k"))
    one("a subquery in MEASURES", match("A B C", measures="(SELECT 1) AS x"))
    one("an unknown column", match("A B C", measures="A.nope AS x"))
    one("an unknown variable in MEASURES", match("A B C", measures="Z.id AS x"))
    one("an unknown variable in DEFINE", match("A B C", define="A AS Z.id = 1"))
    one("DEFINE of a variable that is not in the pattern", match("A B", define="A AS A.e = 'a', Z AS Z.e = 'z'", measures=AB))
    one("DEFINE twice", match("A B", define="A AS A.e = 'a', A AS A.e = 'b'"))
    one("small letters", match("a b", define="a AS a.e = 'a', b AS b.e = 'b'", measures="a.id AS x, b.id AS y"))
    one("letters of two cases", match("a A", define="a AS a.e = 'a', A AS A.e = 'b'", measures="a.id AS x, A.id AS y"))
    one("a variable in another case", match("A B", define="a AS a.e = 'a', B AS B.e = 'b'", measures="A.id AS x"))
    one("a variable in another case, with another condition", match("A B", define="a AS a.e = 'nope', B AS B.e = 'b'", measures="A.id AS x"))
    one("a condition of another case names it", match("A B", define="A AS a.e = 'a', B AS B.e = 'b'", measures="a.id AS x"))
    one("quoted variables", match("`A x` B", define="`A x` AS `A x`.e = 'a', B AS B.e = 'b'", measures="`A x`.id AS x"))
    one("the table's name in DEFINE", match("A B", define="A AS t.e = 'a'", measures="t.id AS x"))

    # Aggregates.
    aggs = ["COUNT(B.id)", "COUNT(*)", "COUNT(B.*)", "COUNT(id)", "SUM(B.v)", "SUM(v)", "AVG(B.v)", "AVG(CAST(B.v AS DOUBLE))", "MIN(B.v)", "MAX(B.e)", "SUM(B.v * B.id)", "STDDEV_POP(B.v)", "VAR_SAMP(v)", "FIRST_VALUE(B.id)", "LAST_VALUE(B.id)", "LISTAGG(B.e)", "LISTAGG(B.e, '-')", "COLLECT(B.v)", "ARRAY_AGG(B.v)", "COUNT(DISTINCT B.v)", "SUM(DISTINCT v)", "SUM(B.v) FILTER (WHERE B.v > 1)", "SUM(B.v) + SUM(A.v)", "SUM(B.v + A.v)", "SUM(B.v + v)", "SUM(1)", "COUNT(1)", "SUM(LAST(B.v))", "LAST(SUM(B.v))", "MAX(B.v) - MIN(v)", "JSON_ARRAYAGG(B.v)", "APPROX_COUNT_DISTINCT(B.v)", "SUM(A.v) > SUM(A.v) - 1", "AVG(B.ts)", "MAX(B.ts)", "SUM(CAST(B.v AS DECIMAL(5, 1)))"]
    for a in aggs:
        one("aggregate " + a, match("A B+ C", measures="A.id AS a, %s AS x" % a))
    for d in ("SUM(B.v) < 6", "COUNT(B.v) <= 2", "AVG(B.v) < 4", "MAX(v) < 9", "SUM(A.v) > COUNT(B.id)", "COUNT(*) < 4", "B.v < AVG(A.v)", "SUM(B.v) - B.v < 4", "MIN(B.v) > 1", "COUNT(C.id) = 0", "SUM(DISTINCT B.v) < 5", "LAST(B.v, 1) IS NULL OR SUM(B.v) > 4"):
        one("DEFINE by " + d, match("A B*? C", define="A AS A.e = 'a', B AS %s, C AS C.e = 'c'" % d))
        one("DEFINE by %s, greedy" % d, match("A B* C", define="A AS A.e LIKE '%%a%%', B AS %s, C AS C.e LIKE '%%c%%'" % d), BOTH)

    # Order and time.
    one("rows out of order", match("A B C"), MIXED)
    one("rows out of order, WITHIN", match("A B C", within=" WITHIN INTERVAL '3' SECOND"), MIXED)
    one("equal times", match("A B C"), TIES, note="in order of arrival")
    one("equal times, another pattern", match("B A C"), TIES, note="in order of arrival")
    one("equal times, ordered by another column", match("A B C", order="ts, e"), TIES)
    one("equal times, ordered the other way", match("C B A", order="ts, e DESC, id"), TIES)
    one("equal times, ordered by a column of NULLs", match("A B C", order="ts ASC, CAST(NULL AS INT)"), TIES)
    one("no partition", match("A B C", by=""))
    one("two partition columns", match("A B C", by="PARTITION BY k, k "))
    one("partition by an expression", match("A B C", by="PARTITION BY UPPER(k) "))
    one("partition columns in order", match("A B", by="PARTITION BY e, k ", define="B AS B.v > A.v", measures=AB), bug="the values come in the order of the input's columns, under names in the order of PARTITION BY")
    one("ORDER BY time descending", match("A B C", order="ts DESC"))
    one("ORDER BY another column", match("A B C", order="id"))
    one("ORDER BY another column first", match("A B C", order="id, ts"))
    one("no ORDER BY", "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k MEASURES A.id AS x PATTERN (A B) DEFINE A AS A.e = 'a')")
    rt = "A.id AS a, MATCH_ROWTIME() AS rt, A.ts AS ats, LAST(ts) AS lts, MATCH_PROCTIME() IS NOT NULL AS pt"
    one("MATCH_ROWTIME", match("A B C", measures=rt))
    one("MATCH_ROWTIME of a column", match("A B C", measures="MATCH_ROWTIME(ts) AS rt"))
    one("time in a zone", match("A B C", measures="MATCH_ROWTIME() AS rt, A.ts AS ats, LAST(ts) AS lts"), ZONED)
    one("time in a zone, WITHIN, in another zone", match("A B C", measures="MATCH_ROWTIME(ts) AS rt, A.id AS a", within=" WITHIN INTERVAL '4' SECOND"), ZONED, settings={"table.local-time-zone": "Asia/Shanghai"})
    one("types of time", match("A B C", measures="MATCH_ROWTIME() AS rt, MATCH_PROCTIME() AS pt, A.ts AS ats, LAST(B.ts) AS bts, MAX(ts) AS mts", select="rt, ats, bts, mts, pt IS NOT NULL AS p"))
    one("MATCH_ROWTIME in DEFINE", match("A B C", define="A AS MATCH_ROWTIME() > TIMESTAMP '2024-01-01 00:00:00'"))
    one("MATCH_ROWTIME outside", "SELECT MATCH_ROWTIME() FROM t")
    one("a window over MATCH_ROWTIME", "SELECT window_start, COUNT(*) AS n, SUM(a) AS s FROM TABLE(TUMBLE(TABLE m, DESCRIPTOR(rt), INTERVAL '10' SECOND)) GROUP BY window_start, window_end", more=["CREATE TEMPORARY VIEW m AS " + match("A B* C", measures="A.id AS a, MATCH_ROWTIME() AS rt")])
    one("a window over another time of the match", "SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE m, DESCRIPTOR(rt), INTERVAL '10' SECOND)) GROUP BY window_start, window_end", more=["CREATE TEMPORARY VIEW m AS " + match("A B* C", measures="A.id AS a, A.ts AS rt")])
    one("MATCH_RECOGNIZE of matches", "SELECT * FROM m MATCH_RECOGNIZE (PARTITION BY k ORDER BY rt MEASURES X.a AS x, Y.a AS y PATTERN (X Y) DEFINE Y AS Y.a > X.a) AS n", more=["CREATE TEMPORARY VIEW m AS " + match("A B* C", measures="A.id AS a, MATCH_ROWTIME() AS rt")])
    pt = ["CREATE TEMPORARY VIEW p AS SELECT *, PROCTIME() AS pt FROM t"]
    one("processing time", match("A B* C", order="pt", source="p"), more=pt)
    one("processing time, MATCH_PROCTIME", match("A B* C", order="pt", source="p", measures="A.id AS a, MATCH_PROCTIME() IS NOT NULL AS x"), more=pt)
    one("processing time, MATCH_ROWTIME", match("A B* C", order="pt", source="p", measures="A.id AS a, MATCH_ROWTIME() IS NOT NULL AS x"), more=pt)
    one("processing time, WITHIN", match("A B* C", order="pt", source="p", within=" WITHIN INTERVAL '1' HOUR"), more=pt)
    one("processing time and another column", match("A B* C", order="pt, id", source="p", by=""), more=pt, unordered=True)
    one("processing time in DEFINE", match("A B* C", order="pt", source="p", define=ABC.replace("A AS ", "A AS A.pt IS NOT NULL AND ")), more=pt)

    # Where it stands.
    one("of a view", match("A B C", source="w"), more=["CREATE TEMPORARY VIEW w AS SELECT id, k, e, v, ts FROM t WHERE e <> 'x'"])
    one("of a subquery", match("A B C", source="(SELECT * FROM t WHERE e <> 'x')"))
    one("of a table with an alias", match("A B C", source="t AS u"))
    one("of a window function", match("A B C", source="TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND))", by="PARTITION BY k, window_start "))
    one("of a union", match("A B C", source="u"), BOTH, more=["CREATE TEMPORARY VIEW u AS SELECT * FROM t UNION ALL SELECT * FROM t WHERE FALSE"])
    one("behind WITH", "WITH w AS (SELECT * FROM t) " + match("A B C", source="w"))
    one("selected, filtered, grouped", match("A B* C", measures="A.id AS a, C.id AS c", select="k, COUNT(*) AS n, SUM(c - a) AS s") + " WHERE a > 1 GROUP BY k")
    one("joined", "SELECT m.a, t.e FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.id AS a PATTERN (A B) DEFINE A AS A.e = 'a', B AS B.e = 'b') AS m JOIN t ON m.a = t.id", interleaved=True)
    one("no alias", match("A B C").rsplit(" AS m", 1)[0])
    one("columns of the alias", match("A B C", measures="A.id AS x")[:-4] + "AS m (k1, x1)")
    one("of changes", "SELECT * FROM (SELECT *, PROCTIME() AS pt FROM ch) MATCH_RECOGNIZE (PARTITION BY k ORDER BY pt MEASURES A.id AS a PATTERN (A B) DEFINE A AS A.v > 0)", CHANGES)
    one("of a view of changes", "SELECT * FROM p MATCH_RECOGNIZE (PARTITION BY k ORDER BY pt MEASURES A.id AS a PATTERN (A B) DEFINE A AS A.v > 0)", CHANGES, more=["CREATE TEMPORARY VIEW p AS SELECT *, PROCTIME() AS pt FROM ch"])

    # What is refused of patterns.
    for p in ("A+", "A B+", "A B*", "A B{1,2}", "A B{2,}", "A B??", "A B?? C", "A*", "A?", "A* B*", "A*?", "A? B?", "A | B", "A (B | C)", "(A B) C", "(A B)+ C", "(A)+ C", "A (B) C", "PERMUTE(A, B)", "{- A -} B", "A {- B -} C", "^A B", "A B$", "A B A", "A B{0} C", "A{0,0} B", "A B{2,1} C", "A B{3", "", "A B{,} C", "A B{-1} C", "A++ B", "A+* B", "A B{999999999999} C", "A B{1000} C"):
        one("pattern %s" % p, match(p))
    one("SUBSET", match("A B C", within=" SUBSET S = (A, B)", measures="FIRST(S.id) AS s"))
    one("no DEFINE", match("A B", define=""))
    one("no PATTERN", "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.id AS x DEFINE A AS A.e = 'a')")
    one("WITH UNMATCHED ROWS", match("A B", rows="ALL ROWS PER MATCH WITH UNMATCHED ROWS"))
    return out
