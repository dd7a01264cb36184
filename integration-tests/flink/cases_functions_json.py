# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about JSON in texts and about VARIANT."""
from cases_expressions import lines
from cases_values import over, values

DOCUMENTS = [r'{"a":1,"b":"x","c":[1,2,{"d":null}],"e":{"f":true},"g":1.50,"h":null,"中":"文😀"}', r'{"a":"1","b":[],"c":{},"e":{"f":"yes"},"n":12345678901234567890,"x":1e400,"u":"\u4e2d\n\"q\"\/"}',
             r'[1,"two",3.0,null,{"a":5},[6,[7]]]', r'[[1,2],[3]]', r'{"a":{"a":{"a":[{"a":1},{"a":2}]}}}', '{ "a.b" : 7 , "a b" : [ 8 , 9 ] , "$" : 10 , "" : 11 , "a" : false }', '"text"', '-1.5e3', 'true', 'null', '{}', '[]', None]
BAD = ["", " ", "{", '{"a":}', "{'a':1}", '{"a":1}{"b":2}', '{"a":1,"a":2}', "nope", "01", "1.", "[1,]", '{"a":1,}', "NaN", '{a:1}', '"\\x"', '"\t"', '\ufeff{"a":1}', "tru", '{"a":1} x', '[1 2]', '{"a" 1}', "// c\n1", None]
PATHS = ["$", "$.a", "$.b", "$.c", "$.c[0]", "$.c[2].d", "$.c[2]", "$.c[9]", "$.c[*]", "$.c[-1]", "$.c[0,1]", "$.c[0:2]", "$.*", "$[*]", "$[0]", "$[1]", "$[4].a", "$[5][1][0]", "$..a", "$.a.a.a[*].a", "$.a.a.a[?(@.a > 1)].a", "$.c[?(@ > 1)]", "$.c[?(@.d == null)]",
         "$.e.f", "$['a']", "$[\"e\"][\"f\"]", "$['a.b']", "$.a b", "$['a b'][1]", "$.中", "$['']", "$.g", "$.h", "$.n", "$.u", "$.x", "$.zzz", "$.zzz.y", "$.c.length()", "$.c.size()", "lax $.a", "lax $.zzz", "strict $.a", "strict $.zzz", "strict $.c[0]", "LAX $.a", "$.a.type()"]
WRONG_PATHS = ["", "a", "$.", "$[", "strict", "lax", "xyz $.a", "$.c[x]", "$.c[?(@.d =]", "a.b", "$$", "strict a", "$.a[", "$['a"]
# Well formed, so that ERROR ON ERROR is about the path and the type alone.
FEW = ['{"a":1,"b":"x","c":[1,"2"],"d":null,"e":{"f":true}}', '{"a":"7","b":2.5,"c":[],"d":{}}', '{"a":true,"c":[null,{"x":1},[2]]}', '{"a":[1],"b":{"y":0}}', '{"a":9223372036854775808,"b":-0.0,"c":["中"]}', None]


def quoted(text):
    return "'%s'" % text.replace("'", "''")


def on_documents():
    out = []
    for p in PATHS:
        out += ["JSON_VALUE(s, %s)" % quoted(p), "JSON_QUERY(s, %s)" % quoted(p), "JSON_EXISTS(s, %s)" % quoted(p)]
    out += ["JSON_QUERY(s, '%s' %s)" % (p, w) for p in ("$.a", "$.c", "$.c[*]", "$.e", "$.zzz", "strict $.zzz", "$") for w in
            ("WITHOUT WRAPPER", "WITHOUT ARRAY WRAPPER", "WITH WRAPPER", "WITH ARRAY WRAPPER", "WITH CONDITIONAL WRAPPER", "WITH CONDITIONAL ARRAY WRAPPER", "WITH UNCONDITIONAL ARRAY WRAPPER")]
    return out


def on_bad():
    out = ["s IS %sJSON%s" % (n, k) for n in ("", "NOT ") for k in ("", " VALUE", " OBJECT", " ARRAY", " SCALAR")]
    out += ["JSON_EXISTS(s, '%s'%s)" % (p, e) for p in ("$.a", "$", "strict $.a") for e in ("", " TRUE ON ERROR", " FALSE ON ERROR", " UNKNOWN ON ERROR", " ERROR ON ERROR")]
    out += ["JSON_VALUE(s, '%s'%s)" % (p, e) for p in ("$.a", "$", "strict $.a") for e in ("", " NULL ON ERROR", " DEFAULT 'd' ON ERROR", " ERROR ON ERROR", " DEFAULT 'e' ON EMPTY")]
    out += ["JSON_QUERY(s, '%s'%s)" % (p, e) for p in ("$.a", "$", "strict $.a") for e in ("", " NULL ON ERROR", " EMPTY ARRAY ON ERROR", " EMPTY OBJECT ON ERROR", " ERROR ON ERROR", " EMPTY ARRAY ON EMPTY", " WITH WRAPPER EMPTY OBJECT ON ERROR")]
    return out + ["JSON_QUOTE(s)", "JSON_UNQUOTE(s)", "JSON_UNQUOTE(JSON_QUOTE(s))", "JSON_STRING(s)", "TRY_PARSE_JSON(s)", "TRY_PARSE_JSON(s, TRUE)", "JSON_OBJECT('k' VALUE s)", "JSON_ARRAY(s)"]


def on_few():
    out = []
    for p in ("$.a", "$.b", "$.c", "$.d", "strict $.b"):
        out += ["JSON_VALUE(s, '%s' RETURNING %s%s)" % (p, t, e) for t in ("STRING", "BOOLEAN", "INT", "DOUBLE") for e in ("", " NULL ON EMPTY ERROR ON ERROR")]
        out += ["JSON_VALUE(s, '%s' %s)" % (p, e) for e in ("NULL ON EMPTY NULL ON ERROR", "ERROR ON EMPTY", "ERROR ON ERROR", "DEFAULT 'dflt' ON EMPTY", "DEFAULT 'dflt' ON ERROR", "DEFAULT 'x' ON EMPTY DEFAULT 'y' ON ERROR", "ERROR ON EMPTY ERROR ON ERROR")]
        out += ["JSON_QUERY(s, '%s' %s)" % (p, e) for e in ("NULL ON EMPTY NULL ON ERROR", "EMPTY ARRAY ON EMPTY", "EMPTY OBJECT ON EMPTY", "ERROR ON EMPTY", "EMPTY ARRAY ON ERROR", "EMPTY OBJECT ON ERROR", "ERROR ON ERROR", "EMPTY ARRAY ON EMPTY EMPTY OBJECT ON ERROR")]
        out += ["JSON_QUERY(s, '%s' RETURNING %s)" % (p, t) for t in ("STRING", "VARCHAR", "ARRAY<STRING>")]
        out += ["JSON_QUERY(s, '%s' RETURNING ARRAY<STRING> %s)" % (p, e) for e in ("WITH WRAPPER", "WITH CONDITIONAL WRAPPER", "EMPTY ARRAY ON EMPTY EMPTY ARRAY ON ERROR", "ERROR ON EMPTY ERROR ON ERROR")]
        out += ["JSON_EXISTS(s, '%s' %s)" % (p, e) for e in ("TRUE ON ERROR", "FALSE ON ERROR", "UNKNOWN ON ERROR", "ERROR ON ERROR")]
    for d, t in (("3", "INT"), ("2.5", "DOUBLE"), ("TRUE", "BOOLEAN"), ("'a'", "INT"), ("NULL", "INT"), ("CHAR_LENGTH(s)", "INT"), ("s", "STRING")):
        out.append("JSON_VALUE(s, '$.b' RETURNING %s DEFAULT %s ON EMPTY DEFAULT %s ON ERROR)" % (t, d, d))
    return out


TYPED = {
    "INT": ['{"v":1}', '{"v":-2147483648}', '{"v":2147483647}', '{"v":null}', '{"w":1}', '{"v":[1]}', '{', None],
    "BOOLEAN": ['{"v":true}', '{"v":false}', '{"v":null}', '{}', '{"v":{}}', "nope", None],
    "DOUBLE": ['{"v":1.5}', '{"v":-0.0}', '{"v":1e-7}', '{"v":12345678901234567890.5}', '{"v":1.7976931348623157e308}', '{"v":null}', '{}', '{"v":[]}', "x", None],
    "STRING": ['{"v":"x"}', '{"v":""}', '{"v":1.50}', '{"v":1E2}', '{"v":true}', '{"v":12345678901234567890123}', r'{"v":"\u4e2d\t\"\\"}', '{"v":null}', '{}', '{"v":{}}', "", None],
}
OTHERWISE = {"INT": ("-1", "7"), "BOOLEAN": ("TRUE", "FALSE"), "DOUBLE": ("-1.5E0", "2"), "STRING": ("'empty'", "'中'")}


def on_typed(t):
    first, second = OTHERWISE[t]
    behaviours = ["", "NULL ON EMPTY", "NULL ON ERROR", "DEFAULT %s ON EMPTY" % first, "DEFAULT %s ON ERROR" % second, "DEFAULT %s ON EMPTY DEFAULT %s ON ERROR" % (first, second), "NULL ON EMPTY DEFAULT %s ON ERROR" % second, "DEFAULT %s ON EMPTY NULL ON ERROR" % first]
    return ["JSON_VALUE(s, '%s' RETURNING %s%s)" % (p, t, b and " " + b) for p in ("$.v", "strict $.v") for b in behaviours]


SINGLE = lines(r"""
JSON_VALUE('{"a":true}', '$.a' RETURNING BOOLEAN)
JSON_VALUE('{"a":"true"}', '$.a' RETURNING BOOLEAN)
JSON_VALUE('{"a":0}', '$.a' RETURNING BOOLEAN)
JSON_VALUE('{"a":1.9}', '$.a' RETURNING INT)
JSON_VALUE('{"a":"12"}', '$.a' RETURNING INT)
JSON_VALUE('{"a":2147483648}', '$.a' RETURNING INT)
JSON_VALUE('{"a":"x"}', '$.a' RETURNING INT)
JSON_VALUE('{"a":"x"}', '$.a' RETURNING INT NULL ON ERROR)
JSON_VALUE('{"a":"x"}', '$.a' RETURNING INT DEFAULT 5 ON ERROR)
JSON_VALUE('{"a":1}', '$.a' RETURNING DOUBLE)
JSON_VALUE('{"a":1}', '$.a' RETURNING FLOAT)
JSON_VALUE('{"a":1}', '$.a' RETURNING BIGINT)
JSON_VALUE('{"a":1}', '$.a' RETURNING INTEGER)
JSON_QUERY('{"a":[1]}', '$.a' RETURNING ARRAY<INT>)
JSON_QUERY('{"a":[true]}', '$.a' RETURNING ARRAY<BOOLEAN>)
JSON_QUERY('{"a":1}', '$.a' RETURNING ARRAY<STRING> EMPTY OBJECT ON ERROR)
JSON_VALUE('{"a":1}', '$.a' RETURNING DECIMAL(5, 2))
JSON_VALUE('{"a":"2024-01-01"}', '$.a' RETURNING DATE)
JSON_VALUE('{"a":"2024-01-01 00:00:00"}', '$.a' RETURNING TIMESTAMP(3))
JSON_VALUE('{"a":"abc"}', '$.a' RETURNING VARCHAR(2))
JSON_VALUE('{"a":"abc"}', '$.a' RETURNING CHAR(5))
JSON_VALUE('{"a":[1]}', '$.a' RETURNING ARRAY<INT>)
JSON_VALUE('{"contains blank":"right"}', 'strict $.[''contains blank'']' NULL ON EMPTY DEFAULT 'wrong' ON ERROR)
JSON_VALUE(@s, '$.a')
JSON_VALUE('{}', @s)
JSON_VALUE('{"a":1}')
JSON_VALUE(1, '$')
JSON_VALUE('{"a":1}', '$.a' DEFAULT 1 ON EMPTY)
JSON_VALUE('{"a":1}', '$.' || 'a')
JSON_VALUE('{"a":1}', '$.a' ON EMPTY)
JSON_VALUE('{"a":1}', '$.a' EMPTY ARRAY ON EMPTY)
JSON_EXISTS(@s, '$.a')
JSON_EXISTS('{"a":null}', '$.a')
JSON_EXISTS('{"a":1}', 'strict $.b' ERROR ON ERROR)
JSON_EXISTS('{"a":1}', '$.a' NULL ON ERROR)
JSON_EXISTS('[1]', '$[?(@ == 1)]')
JSON_EXISTS(1, '$')
JSON_QUERY(@s, '$')
JSON_QUERY('{"a":[]}', '$.a' RETURNING ARRAY<STRING>)
JSON_QUERY('{"a":[1,"b",null,true,{"x":1}]}', '$.a' RETURNING ARRAY<STRING>)
JSON_QUERY('{"a":[[1]]}', '$.a' RETURNING ARRAY<ARRAY<INT>>)
JSON_QUERY('{"a":[1]}', '$.a' RETURNING INT)
JSON_QUERY('{"a":[1]}', '$.a' RETURNING VARCHAR(3))
JSON_QUERY('{"a":[1]}', '$.a' RETURNING ROW<x INT>)
JSON_QUERY('{"a":"x"}', '$.a' ERROR ON ERROR)
JSON_QUERY('{"a":"x"}', '$.a' DEFAULT 'y' ON ERROR)
JSON_QUERY('{}', '$.a' EMPTY ARRAY ON EMPTY)
JSON_QUERY('{}', 'strict $.a' EMPTY ARRAY ON EMPTY)
JSON_QUERY('{}', 'strict $.a' EMPTY ARRAY ON ERROR)
JSON_QUERY(' [ 1 , { "b" : 2 } ] ', '$')
JSON_QUERY('{"b":1,"a":2}', '$')
JSON_QUERY('{"a":1.0}', '$')
JSON_QUERY('{"a":1e2,"b":1E-7,"c":100000000000000000000.5}', '$')
JSON_QUERY('{"a":"\u00e4\u4e2d\/"}', '$')
JSON_QUERY(JSON_QUERY('{"a":{"b":[1]}}', '$.a'), '$.b')
JSON_QUOTE(@s)
JSON_QUOTE('a"b\c/d')
JSON_QUOTE('中😀')
JSON_QUOTE(U&'\0008\0009\000a\000c\000d\0001')
JSON_QUOTE(1)
JSON_UNQUOTE('"a\"b"')
JSON_UNQUOTE('"\u4e2d\n"')
JSON_UNQUOTE('"a')
JSON_UNQUOTE('a')
JSON_UNQUOTE('""')
JSON_UNQUOTE('"\u00"')
JSON_UNQUOTE('"\ud83d\ude00"')
JSON_UNQUOTE('{"a":1}')
JSON_UNQUOTE(@s)
JSON_STRING(1)
JSON_STRING(1.50)
JSON_STRING(1E0)
JSON_STRING(1E20)
JSON_STRING(CAST('NaN' AS DOUBLE))
JSON_STRING(CAST(1.5 AS FLOAT))
JSON_STRING(CAST(1 AS TINYINT))
JSON_STRING(9223372036854775807)
JSON_STRING(TRUE)
JSON_STRING('a"b')
JSON_STRING('')
JSON_STRING(@s)
JSON_STRING(@i)
JSON_STRING(DATE '2024-02-29')
JSON_STRING(TIME '12:34:56')
JSON_STRING(@t)
JSON_STRING(@z)
JSON_STRING(TIMESTAMP '2024-02-29 12:34:56.123456789')
JSON_STRING(INTERVAL '1' DAY)
JSON_STRING(INTERVAL '13' MONTH)
JSON_STRING(x'00ff41')
JSON_STRING(ARRAY[1, 2, @i])
JSON_STRING(ARRAY['a', @s])
JSON_STRING(MAP['a', 1, 'b', @i])
JSON_STRING(MAP[1, 2])
JSON_STRING(ROW(1, 'a'))
JSON_STRING(CAST(ROW(1, ROW('x')) AS ROW<a INT, b ROW<c STRING>>))
JSON_STRING(ARRAY[ROW(1, 2)])
JSON_STRING(CAST('ab' AS CHAR(4)))
JSON_STRING('中😀')
JSON_STRING(PARSE_JSON('{"a": [1, 2.5]}'))
JSON_STRING(TRY_PARSE_JSON('{'))
JSON_OBJECT()
JSON_OBJECT('a' VALUE 1)
JSON_OBJECT(KEY 'a' VALUE 1)
JSON_OBJECT('a' : 1, 'b' : 'x')
JSON_OBJECT('a', 1)
JSON_OBJECT('a' VALUE @i)
JSON_OBJECT('a' VALUE @i NULL ON NULL)
JSON_OBJECT('a' VALUE @i ABSENT ON NULL)
JSON_OBJECT('a' VALUE NULL)
JSON_OBJECT('a' VALUE NULL ABSENT ON NULL)
JSON_OBJECT(@s VALUE 1)
JSON_OBJECT(1 VALUE 1)
JSON_OBJECT('a' VALUE 1, 'a' VALUE 2)
JSON_OBJECT('b' VALUE 1, 'a' VALUE 2)
JSON_OBJECT('' VALUE '')
JSON_OBJECT('a' VALUE JSON_OBJECT('b' VALUE 1))
JSON_OBJECT('a' VALUE JSON_ARRAY(1, JSON_OBJECT('c' VALUE TRUE)))
JSON_OBJECT('a' VALUE JSON_STRING(ROW(1, 2)))
JSON_OBJECT('a' VALUE JSON('{"b": [1, 2]}'))
JSON_OBJECT('a' VALUE JSON('x'))
JSON_OBJECT('a' VALUE JSON(@s))
JSON_OBJECT('a' VALUE JSON(''))
JSON_OBJECT('a' VALUE '{"b":1}')
JSON_OBJECT('a' VALUE JSON_QUERY('{"b":[1]}', '$.b'))
JSON_OBJECT('a' VALUE 1.50, 'b' VALUE 1E10, 'c' VALUE TRUE, 'd' VALUE CAST(1.5 AS FLOAT))
JSON_OBJECT('a' VALUE DATE '2024-02-29', 'b' VALUE TIME '01:02:03', 'c' VALUE @t, 'd' VALUE @z)
JSON_OBJECT('a' VALUE TIMESTAMP '2024-02-29 12:00:00', 'b' VALUE INTERVAL '1' DAY)
JSON_OBJECT('a' VALUE x'0102')
JSON_OBJECT('a' VALUE ARRAY[1, 2], 'b' VALUE MAP['x', 1], 'c' VALUE ROW(1, 'z'))
JSON_OBJECT('a' VALUE CAST(ROW(1, @s) AS ROW<x INT, y STRING>))
JSON_OBJECT('a' VALUE ARRAY[@i, 1] ABSENT ON NULL)
JSON_OBJECT('a' VALUE PARSE_JSON('{"x":1}'))
JSON_OBJECT('中' VALUE '文"😀')
JSON_ARRAY()
JSON_ARRAY(1, 'a', TRUE, 2.5, 1E0)
JSON_ARRAY(1, @i, @s)
JSON_ARRAY(1, @i, @s NULL ON NULL)
JSON_ARRAY(1, @i, @s ABSENT ON NULL)
JSON_ARRAY(NULL)
JSON_ARRAY(NULL NULL ON NULL)
JSON_ARRAY(JSON_ARRAY(1), JSON_ARRAY())
JSON_ARRAY(JSON('[1, {"a": null}]'))
JSON_ARRAY(JSON(' "x" '))
JSON_ARRAY(JSON('01'))
JSON_ARRAY(JSON_STRING('a'))
JSON_ARRAY(JSON_QUOTE('a'))
JSON_ARRAY('[1]')
JSON_ARRAY(ARRAY[1], MAP['a', 1], ROW(1))
JSON_ARRAY(DATE '2024-02-29', @t, x'ff')
JSON_ARRAY('a"b\c', '中')
JSON_ARRAY(CAST(1.10 AS DECIMAL(10, 5)), CAST(1E20 AS DECIMAL(38, 0)))
JSON_ARRAY(CAST('Infinity' AS DOUBLE))
JSON('{"a":1}')
JSON_ARRAY(UPPER(JSON('{"a":1}')))
'{"a":1}' IS JSON
1 IS JSON
@s IS JSON
@s IS NOT JSON
'{"a":1}' IS JSON OBJECT WITH UNIQUE KEYS
x'7b7d' IS JSON
PARSE_JSON(@s)
PARSE_JSON('')
PARSE_JSON('{')
PARSE_JSON('nope')
PARSE_JSON('{"a":1,"a":2}')
PARSE_JSON('{"a":1,"a":2}', TRUE)
PARSE_JSON('{"a":1,"a":2}', FALSE)
PARSE_JSON('{"a":1,"a":2}', @b)
TRY_PARSE_JSON('{"a":1,"a":2}')
TRY_PARSE_JSON('{"a":1,"a":2}', TRUE)
TRY_PARSE_JSON(@s)
PARSE_JSON('1 2')
PARSE_JSON('12345678901234567890123456789012345678901')
PARSE_JSON('1e400')
PARSE_JSON('1.10')
PARSE_JSON('-0.0')
PARSE_JSON('1e2')
PARSE_JSON('NaN')
PARSE_JSON('"\u4e2d\u0001"')
PARSE_JSON('{"b":1,"a":2,"":3}')
PARSE_JSON('null')
PARSE_JSON('null') IS NULL
PARSE_JSON(1)
PARSE_JSON('{"a":{"b":[10,20]}}')['a']['b'][2]
PARSE_JSON('{"a":1}')['zzz']
PARSE_JSON('{"a":1}')[1]
PARSE_JSON('[1,2]')['a']
PARSE_JSON('[1,2]')[0]
PARSE_JSON('[1,2]')[3]
PARSE_JSON('[1,2]')[-1]
PARSE_JSON('5')['a']
PARSE_JSON('{"a":null}')['a']
PARSE_JSON('{"a":null}')['a'] IS NULL
PARSE_JSON('{"a":1}').a
PARSE_JSON('{"a":1}')[@s]
PARSE_JSON('{"a":1}') = PARSE_JSON('{"a":1}')
PARSE_JSON('{"a":1,"b":2}') = PARSE_JSON('{"b":2,"a":1}')
PARSE_JSON('1') = PARSE_JSON('1.0')
PARSE_JSON('1') < PARSE_JSON('2')
PARSE_JSON('1') = 1
PARSE_JSON('1') IS NOT DISTINCT FROM PARSE_JSON('1')
CAST(PARSE_JSON('1') AS INT)
CAST(PARSE_JSON('1') AS STRING)
TRY_CAST(PARSE_JSON('1') AS INT)
CAST(1 AS VARIANT)
CAST('a' AS VARIANT)
CAST(NULL AS VARIANT)
CAST(PARSE_JSON('1') AS VARIANT)
ARRAY[PARSE_JSON('1'), PARSE_JSON('"a"')]
MAP['a', PARSE_JSON('[1]')]['a'][1]
ROW(PARSE_JSON('{}'), 1)
COALESCE(TRY_PARSE_JSON('{'), PARSE_JSON('1'))
CASE WHEN TRUE THEN PARSE_JSON('1') ELSE PARSE_JSON('2') END
IF(TRUE, PARSE_JSON('1'), PARSE_JSON('2'))
CONCAT('a', PARSE_JSON('"b"'))
PARSE_JSON('1') + 1
CARDINALITY(PARSE_JSON('[1]'))
JSON_VALUE(PARSE_JSON('{"a":1}'), '$.a')
JSON_VALUE(JSON_STRING(PARSE_JSON('{"a":1}')), '$.a')
TYPEOF(PARSE_JSON('1'))
TYPEOF(TRY_PARSE_JSON('1'))
TYPEOF(PARSE_JSON('{"a":1}')['a'])
TYPEOF(JSON_VALUE('{}', '$.a'))
TYPEOF(JSON_VALUE('{}', '$.a' RETURNING INT))
TYPEOF(JSON_QUERY('{}', '$.a'))
TYPEOF(JSON_QUERY('{}', '$.a' RETURNING ARRAY<STRING>))
TYPEOF(JSON_EXISTS('{}', '$.a'))
TYPEOF(JSON_EXISTS('{}', '$.a' FALSE ON ERROR))
TYPEOF(JSON_OBJECT('a' VALUE @i))
TYPEOF(JSON_ARRAY(@i))
TYPEOF(JSON_STRING(@i))
TYPEOF(JSON_STRING(1))
TYPEOF(JSON_QUOTE('a'))
TYPEOF(JSON_UNQUOTE('a'))
TYPEOF('1' IS JSON)
""")
MIXED = values("k STRING, i INT, d DOUBLE, n DECIMAL(10, 2), b BOOLEAN, dt DATE, c TIME, ts TIMESTAMP(3), z TIMESTAMP_LTZ(3), j STRING", r"""
a  1  1.5  2.50  true  2024-02-29  12:34:56  2024-02-29 12:34:56.789  2024-02-29 12:34:56.789  {"x":[1,2]}
中"\  -2147483648  -0.0  -99999999.99  false  0001-01-01  00:00:00  1969-12-31 23:59:59.999  1970-01-01 00:00:00  null
''  0  1e300  0  -  -  -  -  -  "t"
x  -  -  -  true  9999-12-31  23:59:59  9999-12-31 23:59:59.999  2024-07-01 00:00:00  -
""")
ON_MIXED = lines(r"""
JSON_OBJECT('k' VALUE k, 'i' VALUE i, 'd' VALUE d, 'n' VALUE n, 'b' VALUE b)
JSON_OBJECT('k' VALUE k, 'i' VALUE i, 'd' VALUE d, 'n' VALUE n, 'b' VALUE b ABSENT ON NULL)
JSON_OBJECT('ts' VALUE ts, 'z' VALUE z)
JSON_OBJECT('dt' VALUE dt)
JSON_OBJECT('c' VALUE c)
JSON_OBJECT(k VALUE i)
JSON_OBJECT(k VALUE k, 'fixed' VALUE 1)
JSON_OBJECT('in' VALUE JSON_OBJECT('k' VALUE k ABSENT ON NULL), 'arr' VALUE JSON_ARRAY(i, d ABSENT ON NULL))
JSON_OBJECT('j' VALUE JSON(j))
JSON_OBJECT('j' VALUE JSON(j) ABSENT ON NULL)
JSON_OBJECT('j' VALUE j)
JSON_OBJECT('a' VALUE ARRAY[i, 1], 'm' VALUE MAP['x', d], 'r' VALUE ROW(k, b))
JSON_ARRAY(k, i, d, n, b)
JSON_ARRAY(k, i, d, n, b NULL ON NULL)
JSON_ARRAY(k, i, d, n, b ABSENT ON NULL)
JSON_ARRAY(ts, z)
JSON_ARRAY(CAST(ts AS TIMESTAMP(0)), CAST(ts AS TIMESTAMP(9)), CAST(z AS TIMESTAMP_LTZ(0)), CAST(z AS TIMESTAMP_LTZ(6)))
JSON_ARRAY(JSON(j), j)
JSON_ARRAY(JSON_ARRAY(k), JSON_OBJECT('i' VALUE i))
JSON_STRING(k)
JSON_STRING(i)
JSON_STRING(d)
JSON_STRING(n)
JSON_STRING(b)
JSON_STRING(ARRAY[i, 5])
JSON_STRING(ARRAY[n])
JSON_STRING(ARRAY[ts])
JSON_STRING(MAP['k', k])
JSON_STRING(ROW(k, i, d, n, b))
JSON_STRING(CAST(ROW(i, k) AS ROW<x INT, y STRING>))
JSON_STRING(ts)
JSON_STRING(ROW(ts, z))
JSON_STRING(CAST(k AS BYTES))
JSON_STRING(CAST(i AS BIGINT))
JSON_STRING(CAST(i AS FLOAT))
JSON_STRING(ARRAY[d])
JSON_STRING(ARRAY[ROW(k, n)])
JSON_STRING(MAP[k, n])
JSON_QUOTE(k)
JSON_UNQUOTE(j)
k IS JSON
j IS JSON OBJECT
j IS JSON SCALAR
JSON_VALUE(j, '$.x[1]' RETURNING INT)
JSON_QUERY(j, '$.x' RETURNING ARRAY<INT>)
JSON_QUERY(j, '$.x' RETURNING ARRAY<STRING>)[1]
JSON_VALUE(j, '$.x[0]' DEFAULT k ON EMPTY)
JSON_EXISTS(j, '$.x')
PARSE_JSON(j)
PARSE_JSON(COALESCE(j, '[]'))
JSON_STRING(PARSE_JSON(j))
PARSE_JSON(JSON_OBJECT('q' VALUE i, 'w' VALUE k))['q']
PARSE_JSON(JSON_OBJECT('q' VALUE i, 'w' VALUE k))[CASE WHEN b THEN 'q' ELSE 'w' END]
PARSE_JSON(JSON_ARRAY(i, k, n))[2]
PARSE_JSON(JSON_ARRAY(i, k, n NULL ON NULL))[1 + 1]
PARSE_JSON(j) IS NULL
PARSE_JSON(j) = PARSE_JSON('null')
""")


def json():
    variants = ["TRY_PARSE_JSON(s)", "JSON_STRING(TRY_PARSE_JSON(s))", "TRY_PARSE_JSON(s) IS NULL", "PARSE_JSON(s)", "PARSE_JSON(s) IS NOT NULL"] + ["s IS JSON" + k for k in ("", " OBJECT", " ARRAY", " SCALAR")] + ["JSON_QUOTE(s)", "JSON_UNQUOTE(s)", "JSON_STRING(s)", "JSON_OBJECT('k' VALUE JSON(s))"]
    wrong = ["%s('{\"a\":1}', %s)" % (f, quoted(p)) for p in WRONG_PATHS for f in ("JSON_VALUE", "JSON_QUERY", "JSON_EXISTS")]
    typed = [({}, TYPED[t], on_typed(t)) for t in TYPED]
    return typed + [({}, DOCUMENTS, on_documents() + variants), ({}, BAD, on_bad()), ({}, FEW, on_few()), ({}, None, wrong + SINGLE), over(MIXED, ON_MIXED), over(MIXED, ["JSON_STRING(ROW(z))", "JSON_OBJECT('ts' VALUE ts, 'z' VALUE z)", "JSON_ARRAY(z)"], "Asia/Shanghai")]
