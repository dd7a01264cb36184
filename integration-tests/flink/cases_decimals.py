# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about decimals: arithmetic, comparison, rounding and casts at drawn precisions and scales.

The draw is seeded and made of whole numbers only, so it is the same everywhere.
"""
from cases_expressions import lines
from cases_values import over, values

CORNERS = [(1, 0), (1, 1), (38, 0), (38, 38), (38, 18), (38, 6), (19, 0), (18, 18), (10, 2), (5, 5)]
BINARY = ["a + b", "a - b", "a * b", "a / NULLIF(b, 0)", "a % NULLIF(b, 0)", "MOD(b, NULLIF(a, 0))", "a < b", "a = b", "GREATEST(COALESCE(a, 0), COALESCE(b, 0))", "COALESCE(a, b)"]
UNARY = ["-a", "ABS(a)", "SIGN(a)", "CEIL(a)", "FLOOR(a)", "ROUND(a)", "TRUNCATE(a)", "a + a", "a * 10", "a / 3", "a * 0.5", "a % 7", "a > 0", "CAST(a AS STRING)", "CAST(a AS DOUBLE)", "CAST(a AS BIGINT)"]


class Draw:
    """A linear congruential generator (Knuth's MMIX)."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2 ** 64
        return (self.state >> 33) % n

    def of(self, choices):
        return choices[self.below(len(choices))]

    def kind(self):
        if self.below(4) == 0:
            return self.of(CORNERS)
        precision = 1 + self.below(38)
        return precision, self.below(precision + 1)

    def digits(self, n):
        style = self.below(6)
        if style == 0:
            return "9" * n
        if style == 1:
            return "1".rjust(n, "0")
        if style == 2:
            return "5" * n
        if style == 3:
            return "4" + "9" * (n - 1)
        return "".join(str(self.below(10)) for _ in range(n))

    def number(self, precision, scale):
        """A number that fits, at times one of fewer digits."""
        digits = self.digits(precision)
        if self.below(3) == 0:
            kept = self.below(precision + 1)
            digits = digits[:kept].rjust(precision, "0")
        # DECIMAL(n, n) has no digit before the point: '0.5' is not read as one, '.5' is.
        whole, fraction = digits[:precision - scale].lstrip("0") or ("0" if precision > scale else ""), digits[precision - scale:]
        return ("-" if self.below(2) else "") + whole + ("." + fraction if fraction else "")


def name(kind):
    return "DECIMAL(%d, %d)" % kind


def table(kinds, rows):
    names = "abcd"
    return values(", ".join("%s %s" % (names[i], k) for i, k in enumerate(kinds)), "\n".join("  ".join(r) for r in rows))


def pairs(draw, count):
    groups = []
    for i in range(count):
        first, second = draw.kind(), draw.kind()
        rows = [(draw.number(*first), draw.number(*second)) for _ in range(3)]
        rows.append(("-", draw.number(*second)) if draw.below(2) else (draw.number(*first), "-"))
        # All of the arithmetic each time, the rest by turns.
        groups.append(over(table([name(first), name(second)], rows), BINARY[:5] + [BINARY[5 + i % 5], BINARY[5 + (i + 2) % 5]]))
    return groups


def singles(draw, count):
    groups = []
    for i in range(count):
        precision, scale = kind = draw.kind()
        rows = [(draw.number(precision, scale),) for _ in range(4)] + [("-",)]
        places = [scale, scale - 1, 0, -1, scale // 2, -(precision - scale), scale + 3]
        wanted = [UNARY[(i * 5 + k) % len(UNARY)] for k in range(6)] + ["ROUND(a, %d)" % draw.of(places), "TRUNCATE(a, %d)" % draw.of(places)]
        # Other decimals: less scale, less precision (what does not fit is NULL), more of both.
        targets = [draw.kind(), (precision, max(0, scale - 1 - draw.below(3))), (max(1, precision - 1), min(scale, max(1, precision - 1))), (38, min(scale, 20))]
        wanted += ["CAST(a AS %s)" % name(t) for t in dict.fromkeys(targets)]
        wanted += ["CAST(a AS %s)" % t for t in (draw.of(["TINYINT", "SMALLINT", "INT"]), draw.of(["FLOAT", "BOOLEAN", "CHAR(5)", "VARCHAR(4)"]))]
        groups.append(over(table([name(kind)], rows), list(dict.fromkeys(wanted))))
    return groups


def with_others(draw, count):
    """Decimals beside the other types of numbers, and made of them."""
    ranges = {"TINYINT": 127, "SMALLINT": 32767, "INT": 2147483647, "BIGINT": 9223372036854775807}
    groups = []
    for i in range(count):
        kind = draw.kind()
        other = draw.of(list(ranges) + ["FLOAT", "DOUBLE"])
        rows = []
        for _ in range(3):
            n = str(draw.below(2 ** 31) * (1 + draw.below(5)) % (ranges.get(other, 10 ** 6)) + 1)
            rows.append((draw.number(*kind), ("-" if draw.below(2) else "") + (n if other in ranges else n[:3] + "." + n[3:6].ljust(1, "5"))))
        rows.append(("-", "1"))
        target = draw.kind()
        groups.append(over(table([name(kind), other], rows), ["a + b", "b - a", "a * b", "a / b", "b / NULLIF(a, 0)", "a < b", "CAST(b AS %s)" % name(target)] + (["a % b"] if other in ranges else [])))
    return groups


def texts(draw, count):
    groups = []
    for _ in range(count):
        precision, scale = kind = draw.kind()
        rows = []
        for _ in range(4):
            text = draw.number(precision, scale)
            change = draw.below(6)
            # More fraction digits than the type has: rounded. An exponent, a sign, blanks: read.
            if change == 0 and "9" * scale not in text:
                text += ("" if "." in text else ".") + draw.of(["5", "4999", "50000000001", "0"])
            elif change == 1 and precision > scale:
                text = draw.of(["1e0", "5E-1", "0.1e1", "+1", ".5", "1."])
            elif change == 2:
                text = " %s " % text
            rows.append(text)
        groups.append(({}, rows + [None], ["TRY_CAST(s AS %s)" % name(kind)]))
    return groups


SINGLE = lines(r"""
1.0 + 2
1.10 - 1.1
99.99 * 99.99
1.00 / 3
10 / 4.00
-7.5 % 2
7.25 % -0.5
0.1 * 0.1 * 0.1 * 0.1
1.5 = 1.50
1.5 IN (1.50, 2)
CAST(1 AS DECIMAL(38, 37)) / CAST(3 AS DECIMAL(38, 37))
CAST(1 AS DECIMAL(38, 0)) / CAST(3 AS DECIMAL(38, 0))
CAST(1 AS DECIMAL(38, 38)) + CAST(0.5 AS DECIMAL(38, 38))
CAST(0.5 AS DECIMAL(38, 38)) + CAST(0.5 AS DECIMAL(38, 38))
CAST(0.5 AS DECIMAL(38, 38)) * CAST(0.5 AS DECIMAL(38, 38))
CAST(0.5 AS DECIMAL(1, 1)) * CAST(0.5 AS DECIMAL(1, 1))
CAST(9 AS DECIMAL(1, 0)) + CAST(9 AS DECIMAL(1, 0))
CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0)) + 1
CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0)) * 2
CAST('-99999999999999999999999999999999999999' AS DECIMAL(38, 0)) - 1
ROUND(CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0)), -1)
ROUND(CAST('9.5' AS DECIMAL(2, 1)))
ROUND(CAST('9.9999999999999999999999999999999999999' AS DECIMAL(38, 37)), 1)
ROUND(CAST('0.5' AS DECIMAL(1, 1)), 0)
ROUND(CAST('-0.5' AS DECIMAL(1, 1)), 0)
ROUND(CAST('1234.5678' AS DECIMAL(8, 4)), -5)
TRUNCATE(CAST('1234.5678' AS DECIMAL(8, 4)), -5)
TRUNCATE(CAST('1234.5678' AS DECIMAL(8, 4)), 10)
CEIL(CAST('9.1' AS DECIMAL(2, 1)))
FLOOR(CAST('-9.1' AS DECIMAL(2, 1)))
CEIL(CAST('0.00000000000000000000000000000000000001' AS DECIMAL(38, 38)))
FLOOR(CAST('-0.1' AS DECIMAL(1, 1)))
SIGN(CAST('-0.1' AS DECIMAL(1, 1)))
ABS(CAST('-9.9' AS DECIMAL(2, 1)))
-CAST('9.9' AS DECIMAL(2, 1))
CAST(1 AS DECIMAL(10, 2)) / 0
MOD(CAST(1 AS DECIMAL(10, 2)), 0)
POWER(CAST(1.1 AS DECIMAL(10, 2)), 2)
SQRT(CAST(2 AS DECIMAL(10, 2)))
EXP(CAST(1.5 AS DECIMAL(10, 2)))
LN(CAST(1.5 AS DECIMAL(10, 2)))
CAST('0.5' AS DECIMAL(1, 1))
CAST('.5' AS DECIMAL(1, 1))
TRY_CAST('-0.25' AS DECIMAL(2, 2))
TRY_CAST('-.25' AS DECIMAL(2, 2))
GREATEST(CAST(NULL AS DECIMAL(5, 2)), 1.5)
CAST(1.5 AS DECIMAL(0, 0))
CAST(1.5 AS DECIMAL(3, -1))
CAST(1.5 AS DECIMAL(2, 3))
CAST(1.5 AS DECIMAL(38, 39))
TYPEOF(CAST(1 AS DECIMAL(20, 10)) * CAST(1 AS DECIMAL(20, 10)))
TYPEOF(CAST(1 AS DECIMAL(38, 10)) * CAST(1 AS DECIMAL(38, 10)))
TYPEOF(CAST(1 AS DECIMAL(38, 30)) + CAST(1 AS DECIMAL(38, 10)))
TYPEOF(CAST(1 AS DECIMAL(38, 30)) / CAST(1 AS DECIMAL(38, 10)))
TYPEOF(CAST(1 AS DECIMAL(38, 30)) % CAST(1 AS DECIMAL(38, 10)))
TYPEOF(COALESCE(CAST(1 AS DECIMAL(38, 30)), CAST(1 AS DECIMAL(38, 0))))
TYPEOF(CASE WHEN TRUE THEN CAST(1 AS DECIMAL(38, 30)) ELSE 1 END)
TYPEOF(GREATEST(CAST(1 AS DECIMAL(5, 2)), CAST(1 AS DECIMAL(5, 4))))
TYPEOF(ROUND(CAST(1 AS DECIMAL(38, 10)), 2))
TYPEOF(CEIL(CAST(1 AS DECIMAL(38, 10))))
TYPEOF(-CAST(1 AS DECIMAL(38, 10)))
TYPEOF(ABS(CAST(1 AS DECIMAL(38, 10))))
""")


def decimals():
    draw = Draw(20240229)
    return pairs(draw, 60) + singles(draw, 30) + with_others(draw, 24) + texts(draw, 30) + [({}, None, SINGLE)]
