# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""How the cases of the relational surface are written: tables of a few lines, append-only or changing.

What is asked stands in the cases_*.py of each theme.
"""
import json
import re

EACH_ROW = {"pipeline.auto-watermark-interval": "0 ms"}


def fields(columns):
    """`id INT, r ROW<x INT, y INT>` → [("id", "INT"), ("r", "ROW<x INT, y INT>")]."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(columns + ","):
        if c in "<(":
            depth += 1
        elif c in ">)":
            depth -= 1
        elif c == "," and depth == 0:
            name, _, kind = columns[start:i].strip().partition(" ")
            parts.append((name.strip("`"), kind.strip()))
            start = i + 1
    return parts


def stamp(t, day="2024-01-01"):
    """`75` or `75.5` seconds after midnight, or `10:15` → a timestamp of JSON's SQL standard."""
    if ":" in t:
        return "%s %s" % (day, t if t.count(":") == 2 else t + ":00")
    s, _, ms = t.partition(".")
    s = int(s)
    return "%s %02d:%02d:%02d%s" % (day, s // 3600, s // 60 % 60, s % 60, "." + ms if ms else "")


def value(word, kind):
    if word == "-":
        return None
    if kind.startswith("TIMESTAMP_LTZ"):
        return stamp(word) + "Z"
    if kind.startswith("TIMESTAMP"):
        return stamp(word)
    if kind.startswith(("ARRAY", "MAP", "ROW", "MULTISET", "BOOLEAN")):
        return json.loads(word)
    if kind.startswith(("STRING", "VARCHAR", "CHAR", "DATE", "TIME", "DECIMAL", "BYTES")):
        return "" if word == "''" else word.replace("_", " ")
    return json.loads(word)


def row(words, columns):
    assert len(words) == len(columns), (words, columns)
    return {n: value(w, k) for w, (n, k) in zip(words, columns)}


def changes(lines, columns):
    """`+ row`, `- row`, `~ old row > new row` → lines of debezium-json."""
    for words in lines:
        kind, words = words[0], words[1:]
        if kind == "~":
            at = words.index(">")
            yield {"before": row(words[:at], columns), "after": row(words[at + 1:], columns), "op": "u"}
        else:
            new = row(words, columns)
            yield {"before": new if kind == "-" else None, "after": None if kind == "-" else new, "op": {"+": "c", "-": "d"}[kind]}


def table(name, columns, text, ts=None, delay=0, pk=None, computed="", changing=False, options=""):
    """A bounded table → (its DDL, the name of its file, the lines).

    One row a line, blanks between the fields, `-` for null, `_` for a blank in a text. With `ts` the
    column is the event time and the watermark is `delay` seconds behind. `changing` lines are changes.
    """
    columns_of = fields(columns)
    lines = [line.split() for line in text.strip().split("\n") if line.strip()]
    rows = changes(lines, columns_of) if changing else (row(words, columns_of) for words in lines)
    more = ", " + computed if computed else ""
    if ts:
        more += ", WATERMARK FOR %s AS %s" % (ts, "%s - INTERVAL '%d' %s" % (ts, delay // 60 if delay > 60 else delay, "MINUTE" if delay > 60 else "SECOND") if delay else ts)
    if pk:
        more += ", PRIMARY KEY (%s) NOT ENFORCED" % pk
        for key in pk.split(", "):
            columns = re.sub(r"(^|, )(%s [A-Z]+(?:\([0-9, ]+\))?)(?! NOT NULL)" % re.escape(key), r"\1\2 NOT NULL", columns)
    file = name.strip("`") + ".json"
    ddl = "CREATE TABLE %s (%s%s) WITH ('connector'='filesystem','path'='${DIR}/%s','format'='%s'%s)" % (
        name, columns, more, file, "debezium-json" if changing else "json", options)
    return ddl, file, "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)


def ask(name, tables, query, note=None, settings=None, more=(), plan=True, **marks):
    """A case. `marks`: unordered, interleaved (the rows between depend on how two inputs meet: fold them),
    bug (what is wrong about Flink's answer)."""
    case = {"name": name}
    if note:
        case["note"] = note
    case["settings"] = dict(EACH_ROW, **(settings or {}))
    if isinstance(tables, tuple) and isinstance(tables[0], str):
        tables = [tables]
    case["files"] = {file: content for _, file, content in tables}
    case["statements"] = [ddl for ddl, _, _ in tables] + list(more) + [query]
    case["plan"] = plan
    case.update({k: v for k, v in marks.items() if v})
    return case
