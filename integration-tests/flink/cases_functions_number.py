# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about operators and functions of numbers, each over columns of several types.

Rounding of decimals stands in cases_decimals.py.
"""
from cases_expressions import lines
from cases_values import over, values

DOUBLES = ["0", "-0.0", "0.1", "0.5", "-0.5", "1", "-1", "1.5", "2.5", "-2.5", "3", "10", "100", "1e-300", "1e300", "-1e300", "4.9e-324", "1.7976931348623157e308", "NaN", "Infinity", "-Infinity", "3.141592653589793", "9007199254740993", None]
UNARY = lines(r"""
-@x
+@x
ABS(@x)
SIGN(@x)
CEIL(@x)
CEILING(@x)
FLOOR(@x)
SQRT(@x)
EXP(@x)
LN(@x)
LOG(@x)
LOG10(@x)
LOG2(@x)
SIN(@x)
COS(@x)
TAN(@x)
COT(@x)
ASIN(@x)
ACOS(@x)
ATAN(@x)
SINH(@x)
COSH(@x)
TANH(@x)
DEGREES(@x)
RADIANS(@x)
""")
ON_DOUBLES = lines(r"""
LOG(2, @x)
LOG(@x, 10)
LOG(@x, @x)
POWER(@x, 0)
POWER(@x, 2)
POWER(@x, -1)
POWER(@x, 0.5)
POWER(2, @x)
POWER(-8, @x)
POWER(@x, @x)
ATAN2(@x, 1)
ATAN2(1, @x)
ATAN2(@x, @x)
ATAN2(@x, 0E0)
@x + 1
@x - 0.5
@x * 3
@x / 2
@x / 0
1 / @x
@x * @x
@x % 2
MOD(@x, 2)
@x + 1.5
@x * CAST(2 AS FLOAT)
@x = 1
@x > 0
@x >= 0
@x < 0.5
@x <> 0
@x BETWEEN -1 AND 1
@x IN (0, 1, 2.5)
@x IS DISTINCT FROM 0E0
GREATEST(@x, 0E0)
LEAST(@x, 0E0)
NULLIF(@x, 0E0)
COALESCE(@x, -1)
CASE WHEN @x > 0 THEN @x ELSE 0 END
HEX(@x)
BIN(@x)
CAST(@x AS STRING)
@x * 1E308 * 10
@x - @x
IF(@x > 1, 'big', 'small')
""")
FLOATS = ["0", "-0.0", "0.1", "0.5", "-0.5", "1", "-1", "1.5", "2.5", "-2.5", "10", "1e-38", "3.4028235e38", "1.4e-45", "NaN", "Infinity", "-Infinity", "16777217", None]
ON_FLOATS = lines(r"""
@x + 1
@x + 0.1
@x + CAST(0.1 AS FLOAT)
@x * 3
@x * 3E0
@x / 3
@x / CAST(3 AS FLOAT)
@x / 0
@x % 2
POWER(@x, 2)
ATAN2(@x, 1)
LOG(2, @x)
@x = 0.1
@x = 0.1E0
@x = CAST(0.1 AS FLOAT)
@x > 1
@x IN (0.5, 1)
GREATEST(@x, CAST(0 AS FLOAT))
LEAST(@x, 0E0)
COALESCE(@x, 0)
CAST(@x AS DOUBLE)
CAST(@x AS STRING)
@x * @x
@x - @x
""")
# The rounding of floats by their decimal text.
ROUNDED = ["0", "0.5", "1.5", "2.5", "-0.5", "-2.5", "1.005", "2.675", "1.115", "-1.25", "0.1", "99.995", "123456.789", "1e15", "1e-7", None]
DIGITS = ("", ", 0", ", 1", ", 2", ", 15", ", -1", ", -3", ", 400", ", CAST(NULL AS INT)")


def rounded(function, kind):
    return ["%s(CAST(s AS %s)%s)" % (function, kind, n) for n in DIGITS if kind == "DOUBLE" or n != ", 400"]


INTS = {
    "TINYINT": ["0", "1", "-1", "7", "-7", "100", "127", "-128", None], "SMALLINT": ["0", "1", "-1", "7", "-7", "255", "32767", "-32768", None],
    "INT": ["0", "1", "-1", "7", "-7", "65", "46341", "2147483647", "-2147483648", None], "BIGINT": ["0", "1", "-1", "7", "-7", "4294967296", "9223372036854775807", "-9223372036854775808", None],
}
ON_INTS = lines(r"""
@x + @x
@x - 1
@x * @x
@x * 2
@x / 2
@x / -2
@x / @x
@x / NULLIF(@x, 0)
7 / NULLIF(@x, 0)
@x % 3
@x % -3
MOD(@x, 3)
MOD(7, NULLIF(@x, 0))
MOD(@x, 0)
@x / 2.0
@x * 0.5
@x + 1E0
@x / CAST(3 AS FLOAT)
ROUND(@x)
ROUND(@x, 1)
ROUND(@x, -1)
ROUND(@x, -2)
ROUND(@x, -10)
ROUND(@x, -20)
TRUNCATE(@x)
TRUNCATE(@x, 1)
TRUNCATE(@x, -1)
TRUNCATE(@x, -2)
POWER(@x, 2)
POWER(2, @x)
LOG(2, @x)
ATAN2(@x, 2)
BIN(@x)
HEX(@x)
CHR(@x)
@x = 7
@x <> 7
@x > CAST(0 AS TINYINT)
@x <= 1.5
@x = 7.0
@x BETWEEN -7 AND 7
@x NOT BETWEEN SYMMETRIC 7 AND 0
@x IN (7, 0, NULL)
@x NOT IN (7, 0)
GREATEST(@x, 0)
GREATEST(@x, 0.5)
LEAST(@x, CAST(3 AS BIGINT), 2)
NULLIF(@x, 0)
COALESCE(@x, 42)
IFNULL(@x, 42)
CASE @x WHEN 0 THEN 'zero' WHEN 1 THEN 'one' ELSE 'many' END
RAND_INTEGER(1) * @x
@x IS DISTINCT FROM 0
CAST(@x AS DECIMAL(5, 1))
CAST(@x AS BOOLEAN)
""")
PAIRS = values("a TINYINT, b SMALLINT, c INT, d BIGINT, f FLOAT, g DOUBLE, n DECIMAL(10, 2), m DECIMAL(38, 10)", """
1  2  3  4  1.5  2.5  3.50  4.0000000001
-128  -32768  -2147483648  -9223372036854775808  -3.4e38  -1.7e308  -99999999.99  -9999999999999999999999999999.9999999999
127  32767  2147483647  9223372036854775807  3.4e38  1.7e308  99999999.99  9999999999999999999999999999.9999999999
3  -3  7  -7  -0.0  0.1  0.01  0.0000000001
-  5  -  9  -  1  -  2
5  -  9  -  1  -  2  -
""")
COLUMNS = "abcdfgnm"
SINGLE = lines(r"""
RAND(1)
RAND(-1)
RAND(0)
RAND(2147483647)
RAND(@i)
RAND() >= 0 AND RAND() < 1
RAND_INTEGER(10) BETWEEN 0 AND 9
RAND_INTEGER(1, 10)
RAND_INTEGER(-5, 100)
RAND_INTEGER(1, 0)
RAND_INTEGER(0)
RAND_INTEGER(-1)
RAND_INTEGER(@i, 10)
RAND_INTEGER(1, @i)
RAND_INTEGER(1)
RAND('a')
PI
PI()
PI() + 0
E()
E() * 2
POWER(@i, 2)
POWER(2, @i)
POWER('2', 3)
POWER(2, 1000)
POWER(2, 2000)
POWER(1.5, 2.5)
POWER(0, -1)
POWER(CAST(2 AS DECIMAL(10, 2)), 0.5)
SQRT(@i)
SQRT(2.25)
SQRT('4')
LN(2.718281828459045)
LN(@i)
LN(2.5)
LOG(@i)
LOG(2, @i)
LOG(1, 5)
LOG(0, 5)
LOG(2, 8)
LOG(10, 1000)
LOG(0.5, 8)
LOG2(8)
LOG2(0)
LOG2(-1)
LOG2(2.5)
LOG2(@i)
LOG10(0)
LOG10(1000)
LOG10(1.5)
LOG10(@i)
EXP(@i)
EXP(1.5)
EXP(-1000)
EXP(710)
SIN(@i)
SIN(1.5)
SIN(1E22)
COS(1.5)
COS(@i)
TAN(1.5707963267948966)
TAN(@i)
COT(0)
COT(@i)
COT(0.5)
ASIN(1.5)
ASIN(@i)
ASIN(0.5)
ACOS(0.5)
ACOS(2)
ACOS(@i)
ATAN(1.5)
ATAN(@i)
ATAN2(0, 0)
ATAN2(@i, 1)
ATAN2(1.5, 2)
SINH(1.5)
SINH(1000)
SINH(@i)
COSH(1.5)
COSH(@i)
TANH(1.5)
TANH(@i)
DEGREES(3.141592653589793)
DEGREES(1)
DEGREES(@i)
RADIANS(90)
RADIANS(1.5)
RADIANS(@i)
ABS(@i)
ABS(-1.50)
ABS('a')
ABS(CAST(-32768 AS SMALLINT))
ABS(CAST(-9223372036854775808 AS BIGINT))
ABS(CAST(-1.5 AS FLOAT))
SIGN(@i)
SIGN(-0.00)
SIGN(CAST(-3.5 AS FLOAT))
SIGN(-9223372036854775807)
CEIL(@i)
CEIL(-1)
CEIL(1.01)
CEIL(99.99)
CEIL(CAST(5 AS BIGINT))
CEIL('a')
CEILING(-1.5)
FLOOR(@i)
FLOOR(-99.99)
FLOOR(-0.5E0)
FLOOR(CAST(-1.5 AS FLOAT))
ROUND(@i)
ROUND(2.5E0, @i)
ROUND('a')
ROUND(1.5, 1.5)
ROUND(-1.5)
ROUND(9223372036854775807, -1)
ROUND(2147483647, -1)
ROUND(CAST(127 AS TINYINT), -1)
ROUND(1E300, -299)
ROUND(1E0, 400)
ROUND(CAST('NaN' AS DOUBLE), 1)
TRUNCATE(@i)
TRUNCATE(1.999, 2)
TRUNCATE(-1.999, 2)
TRUNCATE(1.999, 5)
TRUNCATE(42.324)
TRUNCATE(42.324E0, 2)
TRUNCATE(CAST(42.324 AS FLOAT), 2)
TRUNCATE(1.5, @i)
TRUNCATE('a', 1)
MOD(@i, 2)
MOD(2, @i)
MOD(5.5, 2.25)
MOD(-5.5, 2.25)
MOD(5E0, 2)
MOD('5', 2)
5 % 3 * 2
-5 % 3
- - 5
-(-5)
+ + 5
+'a'
-'a'
-TRUE
1 + TRUE
1 + @i
@i / 0
@i * 1.5
1.0 / 0
1.0 % 0
1E0 % 2
2147483647 + CAST(1 AS BIGINT)
9223372036854775807 + 1
-9223372036854775808
9223372036854775808
-9223372036854775808 - 1
127 + CAST(1 AS TINYINT)
0.1 + 0.2 = 0.3
0.1E0 + 0.2E0 = 0.3E0
1e5
1E+5
1E-5
.5E1
1_000
0x1F
007
1.
00.10
1E400
12345678901234567890123456789012345678
123456789012345678901234567890123456789
0.00000000000000000000000000000000000001
BIN(4)
BIN(12)
BIN(-1)
BIN(CAST(-9223372036854775808 AS BIGINT))
BIN(@i)
BIN('a')
BIN(1.5)
HEX(20)
HEX(100)
HEX(-1)
HEX(CAST(-1 AS TINYINT))
HEX(CAST(9223372036854775807 AS BIGINT))
HEX(@i)
HEX(1.5)
HEX('hello,world')
HEX('')
HEX('中')
HEX(@s)
HEX(x'00ff')
HEX(TRUE)
CHAR_LENGTH(UUID())
UUID() = UUID()
REGEXP(UUID(), '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$')
GREATEST(1, 2.5, 1E0)
GREATEST(CAST(1 AS TINYINT), CAST(300 AS SMALLINT))
GREATEST(@i, @i)
GREATEST()
GREATEST(1)
GREATEST('b', 'abc', 'B')
GREATEST('中', '文', '😀', '\uffff')
GREATEST(TRUE, FALSE)
GREATEST(DATE '2024-01-01', DATE '2023-01-01')
GREATEST(x'01', x'02')
LEAST(1, 2.5, 1E0)
LEAST(1)
LEAST('b', 'abc', 'B')
LEAST(@i, 1)
LEAST(ARRAY[1], ARRAY[2])
7 DIV 2
DIV(7, 2)
7 MOD 2
ABS(1, 2)
SQUARE(2)
FACTORIAL(3)
LOG1P(1)
CBRT(8)
""")


def put(expressions, x):
    return [e.replace("@x", x) for e in expressions]


def numbers():
    groups = [({}, DOUBLES, put(UNARY + ON_DOUBLES, "CAST(s AS DOUBLE)")), ({}, FLOATS, put(UNARY + ON_FLOATS, "CAST(s AS FLOAT)")), ({}, ROUNDED, rounded("TRUNCATE", "DOUBLE") + rounded("ROUND", "FLOAT") + rounded("TRUNCATE", "FLOAT")), ({}, ["1e-300", "5e-324", "1.7e308", "1e38"] + ROUNDED, rounded("ROUND", "DOUBLE")), ({}, ["1e38"], ["TRUNCATE(CAST(s AS DOUBLE), 1)"])]
    groups += [({}, rows, put(UNARY[:8] + ON_INTS + UNARY[8:], "CAST(s AS %s)" % t)) for t, rows in INTS.items()]
    # SIGN of a TINYINT or SMALLINT is code that does not compile, with a message that differs from day to day.
    groups = [(s, over_, [e for e in es if not e.startswith(("SIGN(CAST(s AS TINYINT)", "SIGN(CAST(s AS SMALLINT)"))]) for s, over_, es in groups]
    # Division and remainder by zero and beyond a type's range are cases of their own: nothing here is zero.
    pairs = ["%s %s %s" % (x, op, y) for x in COLUMNS for y in COLUMNS for op in "+-*/"] + ["%s %% %s" % (x, y) for x in "abcdnm" for y in "abcdnm"]
    pairs += ["%s %s %s" % (x, op, y) for i, x in enumerate(COLUMNS) for y in COLUMNS[i:] for op in ("=", "<")]
    pairs += ["%s(%s, %s)" % (f, x, y) for x, y in ("ab", "ad", "bn", "cm", "df", "dg", "fg", "gn", "nm", "fn") for f in ("GREATEST", "LEAST", "COALESCE", "POWER", "ATAN2", "IFNULL")]
    return groups + [over(PAIRS, pairs), ({}, None, SINGLE)]
