# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""How the cases of functions write their input: a table of a few rows, of which the optimizer folds nothing."""
import re


def values(columns, rows):
    """`columns` as in CREATE TABLE, one row a line with two blanks or more between its fields, `-` for null,
    `''` for the empty text → what follows FROM. All columns may be null."""
    kinds = [c.strip().split(" ", 1) for c in re.split(r",(?![^<(]*[>)])", columns)]
    table = []
    for line in rows.strip("\n").split("\n"):
        row = re.split(r" {2,}", line.strip())
        assert len(row) == len(kinds), (row, kinds)
        table.append("(%s)" % ", ".join("''" if w == "''" else "'%s'" % w.replace("'", "''") for w in row))
    names = ["%s0" % n for n, _ in kinds]
    # A text of a literal is VARCHAR(longest), a NULL in VALUES would make it a UNION, which is folded.
    fields = ["CAST(NULLIF(%s, '-') AS %s) AS %s" % (raw, kind, name) for raw, (name, kind) in zip(names, kinds)]
    return "(SELECT %s FROM (VALUES %s) AS v(%s)) AS t" % (", ".join(fields), ", ".join(table), ", ".join(names))


def over(source, expressions, zone=None):
    """A group of cases over `source`, in this time zone."""
    return ({"table.local-time-zone": zone} if zone else {}, source, expressions)
