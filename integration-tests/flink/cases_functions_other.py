# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about logic, comparison, conditions, types, addresses, bitmaps and structured objects."""
from cases_expressions import lines
from cases_values import over, values

FLAGS = values("a BOOLEAN, b BOOLEAN, n INT, s STRING", """
true  true  1  x
true  false  2  y
true  -  3  ''
false  true  -1  x
false  false  0  中
false  -  -  z
-  true  5  -
-  false  6  X
-  -  -  -
""")
ON_FLAGS = lines(r"""
a AND b
a OR b
NOT a
a AND b OR n > 2
a AND (b OR n > 2)
NOT (a AND b)
NOT a OR NOT b
a = b
a <> b
a > b
a >= b
a IS TRUE
a IS NOT TRUE
a IS FALSE
a IS NOT FALSE
a IS UNKNOWN
a IS NOT UNKNOWN
a IS NULL
a IS NOT NULL
a IS DISTINCT FROM b
a IS NOT DISTINCT FROM b
(a AND b) IS UNKNOWN
(a OR b) IS NOT FALSE
a AND n / 0 > 1
n > 0 AND s = 'x'
n > 0 OR s = 'x'
n IN (1, 2) = a
CASE WHEN a THEN 1 WHEN b THEN 2 ELSE 3 END
CASE WHEN a THEN 'aa' WHEN b THEN 'b' END
CASE WHEN a IS NULL THEN s ELSE CAST(n AS STRING) END
CASE a WHEN TRUE THEN n WHEN FALSE THEN -n END
CASE n WHEN 1 THEN 'one' WHEN 2 THEN 'two' WHEN 3 THEN s ELSE 'many' END
CASE s WHEN 'x' THEN 1 WHEN 'X' THEN 2.5 END
CASE WHEN n > 2 THEN 1 WHEN n > 1 THEN 2.50 WHEN n > 0 THEN 3E0 END
CASE WHEN n > 0 THEN 10 / n ELSE 0 END
CASE WHEN n = 0 THEN NULL ELSE 10 / n END
CASE WHEN a THEN NULL WHEN b THEN n END
CASE WHEN a THEN CASE WHEN b THEN 'ab' ELSE 'a' END ELSE 'none' END
CASE WHEN s LIKE 'x%' THEN UPPER(s) WHEN s = '' THEN 'empty' ELSE s || s END
CASE WHEN n BETWEEN 1 AND 3 THEN TRUE WHEN s IS NULL THEN FALSE END
IF(a, 1, 2)
IF(a, n, -n)
IF(b, 1, 2.5)
IF(a AND b, s, 'not both')
IF(n > 2, CAST(NULL AS STRING), s)
IF(n = 0, 0, 10 / n)
IF(a, DATE '2024-01-01', DATE '2024-01-02')
IF(a, TRUE, b)
COALESCE(a, b)
COALESCE(n, 0)
COALESCE(s, CAST(n AS STRING), 'neither')
COALESCE(NULLIF(s, ''), 'blank')
COALESCE(n, 10 / NULLIF(n, 0), -1)
COALESCE(a, b, FALSE)
IFNULL(a, b)
IFNULL(n, 7)
IFNULL(s, '-')
IFNULL(n, CAST(7 AS BIGINT))
NULLIF(a, b)
NULLIF(n, 1)
NULLIF(s, 'x')
NULLIF(n, n)
GREATEST(a, b)
LEAST(a, b)
GREATEST(n, 2, 0)
LEAST(s, 'x')
n = 1
n <> 1
n != 1
n < 2
n <= 2
n > 2
n >= 2
n = NULL
n BETWEEN 0 AND 3
n NOT BETWEEN 0 AND 3
n BETWEEN ASYMMETRIC 3 AND 0
n BETWEEN SYMMETRIC 3 AND 0
n NOT BETWEEN SYMMETRIC 3 AND 0
n BETWEEN CAST(NULL AS INT) AND 3
n BETWEEN 2 AND CAST(NULL AS INT)
n IN (1, 3, 5)
n NOT IN (1, 3, 5)
n IN (1, CAST(NULL AS INT))
n NOT IN (1, CAST(NULL AS INT))
n IN (1.0, 2.5)
n IN (n, 9)
n IN (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22)
s IN ('x', '中')
s NOT IN ('x', '')
s IN ('x', CAST(NULL AS STRING))
s IN ('x', 'longer than all', '中文')
(n, s) IN ((1, 'x'), (0, '中'))
s BETWEEN 'a' AND 'y'
s > 'X'
s = 'x '
s <> ''
n IS DISTINCT FROM 1
n IS NOT DISTINCT FROM NULL
s IS DISTINCT FROM 'x'
s IS NULL OR n IS NULL
s SIMILAR TO 'x|y'
s SIMILAR TO '[x-z]' ESCAPE '!'
s NOT SIMILAR TO '_'
EXISTS (SELECT 1)
TYPEOF(a)
TYPEOF(n + 1)
TYPEOF(COALESCE(n, 1))
TYPEOF(s)
TYPEOF(CASE WHEN a THEN 1 ELSE 2.5 END)
TYPEOF(IF(a, 'x', s))
TYPEOF(NULLIF(s, 'a'))
""")
# Comparison of each type with itself: three values in order, the last row equal, one null.
ORDERED = {
    "STRING": ["abc  abd", "ab  abc", "Z  a", "z  中", "😀  \uffff", "''  a", "x  x", "-  x"], "CHAR(4)": ["abc  abd", "ab  abc", "x  x", "-  x"], "BYTES": ["a  b", "a  ab", "z  中", "x  x", "-  x"],
    "DECIMAL(5, 2)": ["1.5  1.51", "-1  1", "2  2.00", "-  1"], "DATE": ["2024-02-28  2024-02-29", "0001-01-01  9999-12-31", "2024-01-01  2024-01-01", "-  2024-01-01"],
    "TIME": ["00:00:00  23:59:59", "12:00:00  12:00:00", "-  00:00:00"], "TIMESTAMP(9)": ["2024-01-01 00:00:00.000000001  2024-01-01 00:00:00.000000002", "1969-12-31 23:59:59.999  1970-01-01 00:00:00", "2024-01-01 00:00:00  2024-01-01 00:00:00", "-  2024-01-01 00:00:00"],
    "TIMESTAMP_LTZ(3)": ["2024-01-01 00:00:00  2024-01-01 00:00:00.001", "2024-01-01 00:00:00  2024-01-01 00:00:00", "-  2024-01-01 00:00:00"], "FLOAT": ["-0.0  0.0", "NaN  NaN", "NaN  1", "-Infinity  Infinity", "1.5  1.5", "-  1"], "DOUBLE": ["-0.0  0.0", "NaN  NaN", "NaN  Infinity", "4.9e-324  0", "1.5  1.5", "-  1"],
}
COMPARED = ["a = b", "a <> b", "a < b", "a <= b", "a > b", "a >= b", "a IS DISTINCT FROM b", "a IS NOT DISTINCT FROM b", "b BETWEEN a AND a", "a IN (b, a)", "GREATEST(a, b)", "LEAST(a, b)", "NULLIF(a, b)", "COALESCE(a, b)", "CASE a WHEN b THEN 'same' ELSE 'other' END", "HASH_CODE(a)"]
ADDRESSES = ["127.0.0.1", "255.255.255.255", "0.0.0.0", "1.2.3.4", "01.002.3.4", "127.1", "127", "1.2.3", "256.0.0.1", "1.2.3.4.5", "1.2.3.", "", " 1.2.3.4", "-1.2.3.4", "a.b.c.d", "::1", "4294967295", None]
ADDRESS_NUMBERS = ["0", "1", "2130706433", "4294967295", "4294967296", "-1", "9223372036854775807", None]
HASHED = ["", "a", "中文", "😀", "The quick brown fox jumps over the lazy dog", None]
# A CASE of NULL and a bitmap is refused: what is empty or NULL is an array still.
BITMAP = "BITMAP_BUILD(CASE WHEN {0} = '' THEN ARRAY_REMOVE(ARRAY[1], 1) ELSE CAST(SPLIT({0}, ',') AS ARRAY<INT>) END) AS {1}"
BITMAPS = "(SELECT n, %s, %s FROM %s) AS u" % (BITMAP.format("a", "x"), BITMAP.format("b", "y"), values("n INT, a STRING, b STRING", """
1  1,2,3  2,3,4
2  5,1,5,3  ''
3  ''  1
4  -1,0,2147483647,-2147483648  -1,7
5  65535,65536,65537,131072  65536
6  -  1
7  1  -
8  10,11,12,13,14,15,16,17,18,19,20  10,20,30
"""))
ON_BITMAPS = lines(r"""
x
BITMAP_TO_STRING(x)
BITMAP_TO_ARRAY(x)
BITMAP_TO_BYTES(x)
BITMAP_CARDINALITY(x)
BITMAP_AND(x, y)
BITMAP_OR(x, y)
BITMAP_XOR(x, y)
BITMAP_ANDNOT(x, y)
BITMAP_ANDNOT(y, x)
BITMAP_CARDINALITY(BITMAP_AND(x, y))
BITMAP_CARDINALITY(BITMAP_OR(x, y))
BITMAP_FROM_BYTES(BITMAP_TO_BYTES(x))
BITMAP_BUILD(BITMAP_TO_ARRAY(x))
BITMAP_TO_ARRAY(BITMAP_XOR(x, y))[1]
BITMAP_TO_ARRAY(BITMAP_XOR(x, x))
ARRAY_CONTAINS(BITMAP_TO_ARRAY(x), n)
CAST(x AS STRING)
CAST(x AS VARCHAR(5))
CAST(x AS BYTES)
x = y
x <> y
x IS NULL
x IS NOT DISTINCT FROM y
COALESCE(x, y)
CASE WHEN n > 3 THEN x ELSE y END
IF(n > 3, x, y)
ARRAY[x, y]
ROW(n, x)
MAP['x', x]
TYPEOF(x)
JSON_STRING(x)
HEX(BITMAP_TO_STRING(x))
MD5(BITMAP_TO_STRING(x))
x < y
BITMAP_OR(x, BITMAP_BUILD(ARRAY[n]))
""")
OBJECTS = values("n INT, s STRING, d DECIMAL(5, 2)", """
1  a  1.50
-2147483648  中😀  -999.99
-  -  -
0  ''  0
""")
ON_OBJECTS = lines(r"""
OBJECT_OF('org.example.P', 'n', n, 's', s)
OBJECT_OF('org.example.P', 'n', n, 's', s).s
OBJECT_OF('org.example.P', 'n', n, 's', s).n + 1
OBJECT_OF('org.example.P', 'n', n, 's', s)['n']
OBJECT_OF('org.example.P')
OBJECT_OF('org.example.P', 'n', n, 'n', s)
OBJECT_OF('org.example.P', 'n')
OBJECT_OF('org.example.P', s, n)
OBJECT_OF(s, 'n', n)
OBJECT_OF('', 'n', n)
OBJECT_OF('org.example.P', 'n', NULL)
OBJECT_OF('org.example.P', 'in', OBJECT_OF('org.example.Q', 'd', d))
OBJECT_OF('org.example.P', 'in', OBJECT_OF('org.example.Q', 'd', d)).`in`.d
OBJECT_OF('org.example.P', 'list', ARRAY[n, 1], 'map', MAP['k', s])
OBJECT_UPDATE(OBJECT_OF('org.example.P', 'n', n, 's', s), 'n', 42)
OBJECT_UPDATE(OBJECT_OF('org.example.P', 'n', n, 's', s), 's', s || '!')
OBJECT_UPDATE(OBJECT_OF('org.example.P', 'n', n, 's', s), 'n', d, 's', 'both')
OBJECT_UPDATE(OBJECT_OF('org.example.P', 'n', n, 's', s), 's', CAST(NULL AS STRING)).s
OBJECT_UPDATE(OBJECT_OF('org.example.P', 'name', s, 'age', n), 'age', 42)
OBJECT_UPDATE(OBJECT_OF('org.example.P', 'name', s, 'age', n), 'name', s || '!')
OBJECT_UPDATE(OBJECT_OF('org.example.P', 'name', s, 'age', n), 'name', d, 'age', 'both').age
OBJECT_UPDATE(OBJECT_OF('org.example.P', 'name', s, 'age', n), 'name', CAST(NULL AS STRING)).name
OBJECT_UPDATE(OBJECT_OF('org.example.P', 'n', n), 'n', n + 1)
OBJECT_UPDATE(OBJECT_OF('org.example.P', 'n', n), 'zzz', 1)
OBJECT_UPDATE(OBJECT_OF('org.example.P', 'n', n), 'n')
OBJECT_UPDATE(OBJECT_OF('org.example.P', 'n', n), 'n', 1, 'n', 2)
OBJECT_UPDATE(n, 'n', 1)
OBJECT_OF('org.example.P', 'n', n) = OBJECT_OF('org.example.P', 'n', 1)
OBJECT_OF('org.example.P', 'n', n) IS NULL
CAST(OBJECT_OF('org.example.P', 'n', n, 's', s) AS STRING)
CAST(OBJECT_OF('org.example.P', 'n', n, 's', s) AS ROW<n INT, s STRING>)
CAST(ROW(n, s) AS ROW<n INT, s STRING>) = OBJECT_OF('org.example.P', 'n', n, 's', s)
COALESCE(OBJECT_OF('org.example.P', 'n', n), OBJECT_OF('org.example.P', 'n', 1))
ARRAY[OBJECT_OF('org.example.P', 'n', n)]
JSON_STRING(OBJECT_OF('org.example.P', 'n', n, 's', s))
TYPEOF(OBJECT_OF('org.example.P', 'n', n, 's', s))
TYPEOF(OBJECT_UPDATE(OBJECT_OF('org.example.P', 'n', n), 'n', 'x'))
""")
TYPES = ["TYPEOF(%s)" % e for e in lines(r"""
CAST(1 AS TINYINT)
CAST(1 AS DECIMAL(38, 18))
CAST('a' AS CHAR(5))
CAST('a' AS VARCHAR(5))
CAST('a' AS STRING)
CAST(x'01' AS BINARY(3))
CAST(x'01' AS VARBINARY(3))
CAST(x'01' AS BYTES)
CAST('12:00:00' AS TIME(3))
CAST(@t AS TIMESTAMP(9))
CAST(@t AS TIMESTAMP)
@z
CAST(@z AS TIMESTAMP_LTZ(9))
CAST(@z AS TIMESTAMP_LTZ)
CAST(NULL AS ROW<a INT, b ARRAY<STRING NOT NULL>>)
CAST(NULL AS ROW<a INT NOT NULL>)
CAST(NULL AS MAP<STRING, ROW<x INT>>)
CAST(NULL AS MULTISET<INT>)
CAST(NULL AS VARIANT)
CAST(NULL AS BITMAP)
CAST(NULL AS INTERVAL DAY TO SECOND)
CAST(NULL AS INTERVAL YEAR)
CAST(NULL AS INTERVAL YEAR TO MONTH)
CAST(NULL AS NUMERIC(5, 1))
CAST(NULL AS DEC)
CAST(NULL AS DECIMAL)
CAST(NULL AS INTEGER)
CAST(NULL AS DOUBLE PRECISION)
CAST(NULL AS REAL)
CAST(NULL AS CHARACTER(3))
CAST(NULL AS VARCHAR)
CAST(NULL AS CHAR)
CAST(NULL AS BINARY)
CAST(NULL AS VARBINARY)
CAST(NULL AS TIMESTAMP WITH LOCAL TIME ZONE)
CAST(NULL AS TIMESTAMP(3) WITH LOCAL TIME ZONE)
CAST(NULL AS TIMESTAMP WITHOUT TIME ZONE)
CAST(NULL AS TIMESTAMP WITH TIME ZONE)
CAST(NULL AS INT ARRAY)
CAST(NULL AS INT MULTISET)
CAST(NULL AS ROW(a INT, b STRING))
CAST(NULL AS RAW)
CAST(NULL AS JSON)
CAST(NULL AS DECIMAL(39, 0))
CAST(NULL AS DECIMAL(5, 6))
CAST(NULL AS TIMESTAMP(10))
CAST(NULL AS TIME(10))
CAST(NULL AS CHAR(0))
BITMAP_BUILD(ARRAY[1])
1 = 1
1 + 1
1 / 2.0
'a' || @s
NULL
1, TRUE
'abc', FALSE
ROW(1, 'a'), TRUE
INET_ATON('1.1.1.1')
INET_NTOA(1)
HEX(1)
UNHEX('a')
SHA2('a', 256)
ELT(1, 'a', 'bc')
PRINTF('a')
CURRENT_DATABASE()
HASH_CODE('a')
DEFAULT
""")]
SINGLE = lines(r"""
TRUE AND NULL
NULL OR TRUE
NOT NULL
NULL IS NULL
NULL = NULL
NULL <> 1
1 = NULL
NULL IN (1, 2)
1 IN (NULL)
1 IS DISTINCT FROM NULL
NULL IS NOT DISTINCT FROM NULL
NULL BETWEEN 1 AND 2
1 AND 2
'true' AND TRUE
NOT 1
TRUE = 1
TRUE = 'TRUE'
TRUE + TRUE
1 = TRUE
'1' IN (1, 2)
1 IN ('1', '2')
1 BETWEEN '0' AND '2'
DATE '2024-01-01' IN ('2024-01-01')
x'01' = 'a'
x'0102' BETWEEN x'01' AND x'02'
CASE WHEN NULL THEN 1 ELSE 2 END
CASE NULL WHEN NULL THEN 1 ELSE 2 END
CASE 1 WHEN '1' THEN 1 END
CASE WHEN 1 THEN 1 END
CASE WHEN TRUE THEN DATE '2024-01-01' ELSE TIMESTAMP '2024-01-01 00:00:00' END
CASE WHEN TRUE THEN 1 ELSE TRUE END
CASE WHEN TRUE THEN ARRAY[1] ELSE ARRAY[2.5] END
CASE WHEN TRUE THEN ROW(1, 'a') ELSE ROW(2, 'bcd') END
CASE WHEN TRUE THEN NULL END
CASE ELSE 1 END
IF(NULL, 1, 2)
IF(1, 2, 3)
IF(TRUE, 1)
IF(TRUE, 'a', 1)
IF(TRUE, NULL, 1)
IF(TRUE, ARRAY[1], ARRAY[2])
COALESCE()
COALESCE(NULL)
COALESCE(NULL, 1)
COALESCE(1, 'a')
COALESCE(DATE '2024-01-01', TIMESTAMP '2024-01-01 00:00:00')
COALESCE(CAST(NULL AS DECIMAL(5, 2)), 1E0)
COALESCE('a', @s, 'bcd')
IFNULL(NULL, 1)
IFNULL(1, NULL)
IFNULL('a', 1)
IFNULL(ARRAY[1], ARRAY[2])
NULLIF(NULL, 1)
NULLIF(1, NULL)
NULLIF(1, 1.0)
NULLIF('a', 1)
NULLIF(ROW(1), ROW(1))
INET_ATON(@s)
INET_ATON(1)
INET_NTOA(@i)
INET_NTOA('1')
INET_NTOA(1.5)
INET_NTOA(INET_ATON('10.20.30.40'))
MD5(@s)
MD5(1)
MD5(x'61')
SHA1(@s)
SHA224(@s)
SHA256(@s)
SHA384(@s)
SHA512(@s)
SHA2(@s, 256)
SHA2('a', 224)
SHA2('a', 384)
SHA2('a', 512)
SHA2('a', 1)
SHA2('a', 0)
SHA2('a', @i)
SHA2('a', 'x')
HASH_CODE(@s)
HASH_CODE(1)
HASH_CODE('Aa')
HASH_CODE('BB')
HASH_CODE(TRUE)
HASH_CODE(1.5)
HASH_CODE(DATE '2024-01-01')
HASH_CODE(CAST(5000000000 AS BIGINT))
CURRENT_DATABASE()
CHAR_LENGTH(CURRENT_DATABASE())
BITMAP_BUILD(ARRAY[1, 2, 2, @i])
BITMAP_BUILD(CAST(NULL AS ARRAY<INT>))
BITMAP_BUILD(ARRAY[CAST(1 AS BIGINT)])
BITMAP_BUILD(ARRAY[CAST(1 AS SMALLINT)])
BITMAP_BUILD(ARRAY['1'])
BITMAP_BUILD(1)
BITMAP_BUILD()
BITMAP_FROM_BYTES(x'')
BITMAP_FROM_BYTES(x'00')
BITMAP_FROM_BYTES(x'3a300000010000000000020010000000010002000300')
BITMAP_FROM_BYTES(x'3a30000001000000000002001000000001000200')
BITMAP_FROM_BYTES(x'ffffffff')
BITMAP_FROM_BYTES(CAST(NULL AS BYTES))
BITMAP_FROM_BYTES('a')
BITMAP_AND(BITMAP_BUILD(ARRAY[1]), NULL)
BITMAP_AND(BITMAP_BUILD(ARRAY[1]), ARRAY[1])
BITMAP_AND(BITMAP_BUILD(ARRAY[1]))
BITMAP_OR(BITMAP_BUILD(ARRAY[1]), CAST(NULL AS BITMAP))
BITMAP_XOR(BITMAP_BUILD(ARRAY[1]), BITMAP_BUILD(ARRAY[1]))
BITMAP_CARDINALITY(CAST(NULL AS BITMAP))
BITMAP_CARDINALITY(1)
BITMAP_TO_ARRAY(CAST(NULL AS BITMAP))
BITMAP_TO_STRING(CAST(NULL AS BITMAP))
BITMAP_TO_BYTES(CAST(NULL AS BITMAP))
CAST('{1}' AS BITMAP)
PRINT('a', 1)
AGG_DECIMAL_PLUS(1.5, 2.5)
SOURCE_WATERMARK()
REINTERPRET(1)
'abc' SIMILAR TO 'abc'
'abc' SIMILAR TO 'a%'
'abc' SIMILAR TO 'a_c'
'abc' SIMILAR TO '(abc|x)'
'abc' SIMILAR TO 'ab*c'
'abbc' SIMILAR TO 'ab+c'
'ac' SIMILAR TO 'ab?c'
'abc' SIMILAR TO '[^x]{3}'
'abc' SIMILAR TO 'a.c'
'a.c' SIMILAR TO 'a.c'
'a%c' SIMILAR TO 'a\%c' ESCAPE '\'
'a1' SIMILAR TO '[a-z][0-9]'
'a1' SIMILAR TO '[[:ALPHA:]][[:DIGIT:]]'
'A' SIMILAR TO '[[:UPPER:]]'
' ' SIMILAR TO '[[:SPACE:]]'
'中文' SIMILAR TO '__'
'abc' SIMILAR TO @s
@s SIMILAR TO 'a'
'a' SIMILAR TO ''
'' SIMILAR TO ''
'abc' SIMILAR TO '[abc'
'abc' SIMILAR TO 'abc)'
1 SIMILAR TO '1'
'a' SIMILAR TO 'a' ESCAPE 'ab'
""")


def others():
    groups = [over(FLAGS, ON_FLAGS)]
    groups += [over(values("a %s, b %s" % (t, t), "\n".join(rows)), COMPARED) for t, rows in ORDERED.items()]
    groups += [({}, ADDRESSES, ["INET_ATON(s)", "INET_NTOA(INET_ATON(s))", "INET_ATON(TRIM(s)) > 0"]), ({}, ADDRESS_NUMBERS, ["INET_NTOA(CAST(s AS BIGINT))", "INET_ATON(INET_NTOA(CAST(s AS BIGINT)))", "INET_NTOA(CAST(CAST(s AS BIGINT) AS INT))"])]
    groups += [({}, HASHED, ["SHA2(s, %s)" % n for n in ("224", "256", "384", "512", "CHAR_LENGTH(s) * 0 + 256")] + ["%s(s) = SHA2(s, %s)" % (f, f[3:]) for f in ("SHA224", "SHA256", "SHA384", "SHA512")] + ["MD5(s || '')", "SHA1(CAST(s AS VARCHAR(2)))", "MD5(CAST(s AS CHAR(3)))", "HASH_CODE(s)"])]
    return groups + [over(BITMAPS, ON_BITMAPS), over(OBJECTS, ON_OBJECTS), ({}, None, TYPES + SINGLE)]
