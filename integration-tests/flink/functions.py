#!/usr/bin/env python3
# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""Checks functions.tsv, the list of Flink's functions for documentation, against Flink itself.

    ./functions.py

Each function that Flink has — `SHOW FUNCTIONS` and the operators of its planner, read out of the jars
with javap — must stand in functions.tsv or in UNSEEN. It also says for which of them few cases are
recorded. Columns of functions.tsv: category as in Flink's documentation, key, syntax, and the names that
Flink's own tables have for it beside the key (upper case or not, with or without underscores).
"""
import glob
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
OPERATORS = "org/apache/flink/table/planner/functions/sql/FlinkSqlOperatorTable.class"
FEW = 8

# What no statement of SQL names.
UNSEEN = {
    "AGG_DECIMAL_MINUS AGG_DECIMAL_PLUS HIVE_AGG_DECIMAL_PLUS INTERNAL_WELFORD_M2 AUXILIARY_GROUP": "the planner's own, for aggregates",
    "REINTERPRET REINTERPRET_CAST STREAMRECORD_TIMESTAMP LITERAL_CHAIN": "the planner's own",
    "ifThenElse over rangeTo withColumns withoutColumns distinct start end rowtime": "of the Table API alone",
    "asc desc NULLS_FIRST NULLS_LAST": "words of ORDER BY",
    "UNION UNION_ALL EXCEPT EXCEPT_ALL INTERSECT INTERSECT_ALL": "set operations",
    "SKIP_TO_FIRST SKIP_TO_LAST FINAL RUNNING": "words of MATCH_RECOGNIZE",
}
# Keys that are no word of an expression's text: how the cases are found.
FOUND_BY = {
    "[]": r"\w\[", "variant []": r"(PARSE_JSON|\w)\(.*\)\[", ".": r"\)\.\w", "=>": "=>", ".*": r"\w\.\*", "unary +": r"(^|\()\+", "unary -": r"(^|\()-\w", "temporal +": r"\+ (INTERVAL|\w+ \* INTERVAL)", "temporal -": r"- (INTERVAL|\w+ \* INTERVAL)",
    "FLOOR TO": r"FLOOR\(.* TO ", "CEIL TO": r"CEIL\(.* TO ", "CEIL": r"\bCEIL(ING)?\(", "CHAR_LENGTH": r"\bCHAR(ACTER)?_LENGTH\(", "group TUMBLE": r"BY .*TUMBLE\(", "group HOP": r"BY .*HOP\(", "group SESSION": r"BY .*SESSION\(", "JSON": r"\bJSON\(",
    "NOT IN": r"NOT IN \(", "IN": r"(?<!NOT )IN \(", "IS JSON": r"IS JSON", "IF": r"\bIF\(", "RAND": r"\bRAND\(", "E": r"\bE\(\)",
}


def plain(name):
    return re.sub(r"[ _]", "", name).upper()


def listed():
    with open(os.path.join(HERE, "functions.tsv"), encoding="utf-8") as f:
        rows = [line.rstrip("\n").split("\t") for line in f][1:]
    assert all(len(r) == 4 for r in rows), [r for r in rows if len(r) != 4]
    keys = [r[1] for r in rows]
    assert len(set(keys)) == len(keys), [k for k in keys if keys.count(k) > 1]
    return rows


def definitions():
    """The names of Flink's built-in functions."""
    import record
    oracle = record.Oracle()
    try:
        return [row[1] for row in oracle.ask({"op": "script", "statements": ["SHOW FUNCTIONS"]})["statements"][0]["rows"]]
    finally:
        oracle.close()


def operators():
    """The operators of Flink's SQL: the constants of a class within a jar within a jar."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    lib = os.environ.get("TIDEGATE_FLINK_CLASSPATH_DIR") or os.path.join(cache, "tidegate/services/flink/2.3.0/lib")
    loader, = glob.glob(os.path.join(lib, "flink-table-planner-loader-*.jar"))
    with zipfile.ZipFile(loader) as outer:
        planner = io.BytesIO(outer.read("flink-table-planner.jar"))
    with zipfile.ZipFile(planner) as inner, tempfile.TemporaryDirectory() as place:
        text = subprocess.run(["javap", "-public", inner.extract(OPERATORS, place)], check=True, capture_output=True, text=True).stdout
    return re.findall(r"public static final \S+ (\w+);", text)


def cases_of(key):
    """How many recorded expressions (statements of the other sections) have this function."""
    pattern = re.compile(FOUND_BY.get(key) or (r"\b%s\b" % re.escape(key) if re.match(r"\w", key) else re.escape(" %s " % key)))
    return sum(1 for text in recorded() if pattern.search(text))


def recorded(texts=[]):
    if not texts:
        for path in glob.glob(os.path.join(HERE, "recorded", "*.json")):
            with open(path, encoding="utf-8") as f:
                for case in json.load(f)["cases"]:
                    texts.append(case["sql"] if "sql" in case else case["statements"][-1])
    return texts


def main():
    rows = listed()
    known = {plain(name) for row in rows for name in [row[1], *row[3].split()]}
    unseen = {plain(name) for names in UNSEEN for name in names.split()}
    there = {plain(name): name for name in definitions() + operators()}
    missing = sorted(name for key, name in there.items() if key not in known | unseen)
    gone = sorted(key for key in unseen | {plain(n) for r in rows for n in r[3].split()} if key not in there)
    for name in missing:
        print("not in functions.tsv: %s" % name)
    for key in gone:
        print("Flink has no %s" % key)
    few = [(row[1], n) for row in rows for n in [cases_of(row[1])] if n < FEW]
    print("%d functions; fewer than %d cases: %s" % (len(rows), FEW, ", ".join("%s %d" % f for f in few)))
    sys.exit(1 if missing or gone else 0)


if __name__ == "__main__":
    main()
