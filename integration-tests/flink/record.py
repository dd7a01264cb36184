#!/usr/bin/env python3
# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""Asks real Flink and writes its answers into recorded/*.json.

    ./record.py [SECTION ...] [--check]      (sections: cases.py)

With --check nothing is written; it says which recorded answers differ from Flink's of today.
Python's standard library only; run.sh beside it starts Flink.
"""
import json
import os
import re
import selectors
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)


class Oracle:
    """The warm JVM of run.sh."""

    def __init__(self):
        self.process = subprocess.Popen(
            [os.path.join(HERE, "run.sh")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            encoding="utf-8")
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        self.ready = self._line(120)
        self.spent = 0.0
        self.asked = 0

    def _line(self, seconds):
        # One answer per request, and requests go one by one: nothing waits behind the line read.
        if not self.selector.select(seconds):
            self.process.kill()
            raise SystemExit("no answer from Flink within %d s" % seconds)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("Flink's process ended: exit code %s" % self.process.wait())
        return json.loads(line)

    def ask(self, request):
        request = dict(request)
        start = time.time()
        self.process.stdin.write(json.dumps(request, ensure_ascii=False) + "\n")
        self.process.stdin.flush()
        answer = self._line(request.get("timeout_ms", 60_000) / 1000 + 60)
        self.spent += time.time() - start
        self.asked += 1
        return answer

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


STABLE = [
    (re.compile(r"/[^\s\"']*/flink-oracle-\d+"), "${DIR}"),
    (re.compile(r"part-[0-9a-f]{8}-[0-9a-f-]{27}-"), "part-UUID-"),
    (re.compile(r"inprogress\.[0-9a-f-]{36}"), "inprogress.UUID"),
    (re.compile(r"@[0-9a-f]{5,8}\b"), "@HASH"),
    (re.compile(r"(rel#|RelSubset#)\d+"), r"\1N"),
    (re.compile(r"\(operator [0-9a-f]{32}\)"), "(operator HASH)"),
    (re.compile(r"(Source: \w+)\[\d+\]"), r"\1[N]"),
    (re.compile(r"user running Flink \('[^']*'\)"), "user running Flink ('USER')"),
    (re.compile(r"\*anonymous_[a-z_]+\$\d+\*"), "*anonymous*"),
    (re.compile(r"(GeneratedTable|UnnamedRowData|StreamExecCalc|BatchExecCalc)\$\d+"), r"\1$N"),
]


NODE = re.compile(r"""((?:\\?"(?:id|source|target)\\?" : |(?<=[\w"])\[))(\d+)(?=[,\s\]])""")


def renumber(text):
    """Plans count their nodes on from the job before: here they count from 1."""
    seen = {}
    return NODE.sub(lambda m: m.group(1) + str(seen.setdefault(m.group(2), len(seen) + 1)), text)


def stable(value):
    if isinstance(value, str):
        if '"nodes" : [' in value:
            value = renumber(value)
        for pattern, by in STABLE:
            value = pattern.sub(by, value)
        return value
    if isinstance(value, list):
        return [stable(v) for v in value]
    if isinstance(value, dict):
        return {stable(k): stable(v) for k, v in value.items() if k != "ms"}
    return value


def short_error(error):
    return {"kind": error["kind"], "message": error["message"]}


def evaluate(oracle, groups):
    """groups: [(settings, from or [string…] or None, [expression…])] → recorded cases."""
    cases = []
    for settings, source, expressions in groups:
        for i in range(0, len(expressions), 120):
            part = expressions[i:i + 120]
            request = {"op": "eval", "settings": settings, "expressions": part, "timeout_ms": 300_000}
            over = "from" if isinstance(source, str) else "strings"
            if source:
                request[over] = source
            answer = oracle.ask(request)
            if not answer["ok"]:
                raise SystemExit("eval failed: %s" % answer)
            for sql, result in zip(part, answer["results"]):
                case = {"sql": sql}
                if settings:
                    case["settings"] = settings
                if source:
                    case[over] = source
                if "type" in result:
                    case["type"] = result["type"]
                for name in ("value", "values"):
                    if name in result:
                        case[name] = result[name]
                if not result["ok"]:
                    case["error"] = dict(when=result["when"], **short_error(result["error"]))
                cases.append(stable(case))
    return cases


PHYSICAL = re.compile(r"== Optimized Physical Plan ==\n(.*?)\n\n", re.S)


def planned(oracle, request):
    """The answer, and the physical plan with its changelog modes if the last statement can be planned."""
    *before, last = request["statements"]
    answer = oracle.ask(dict(request, op="script", statements=[*before, "EXPLAIN CHANGELOG_MODE " + last, last]))
    explained = answer["statements"][len(before)] if len(answer["statements"]) > len(before) else {}
    if not explained.get("ok"):
        # Not planned, so its error is that of the statement itself; ask for that one.
        return None, oracle.ask(dict(request, op="script"))
    del answer["statements"][len(before)]
    return PHYSICAL.search(explained["rows"][0][1] + "\n\n").group(1), answer


def fold(rows):
    """What is in the table after these changes, as a sorted list: how often each row is there."""
    count = {}
    for kind, *values in rows:
        key = json.dumps(values)
        count[key] = count.get(key, 0) + (1 if kind in ("+I", "+U") else -1)
    return sorted((k, n) for k, n in count.items() if n)


def comparable(case):
    """A case as --check compares it: of interleaved inputs only the table in the end is a fact."""
    if not case.get("interleaved"):
        return case
    case = json.loads(json.dumps(case))
    for s in case["answer"]["statements"]:
        if "rows" in s:
            s["rows"] = fold(s["rows"])
    return case


def scripts(oracle, requests, chain=False):
    """requests: [{"name", "note"?, "statements", "settings"?, "files"?, "read"?, …}] → recorded cases."""
    cases = []
    seen = set()
    for request in requests:
        assert request["name"] not in seen, request["name"]
        seen.add(request["name"])
        ask = {k: v for k, v in request.items() if k not in ("name", "note", "unordered", "interleaved", "bug", "plan")}
        plan, answer = planned(oracle, ask) if request.get("plan") else (None, oracle.ask(dict(ask, op="script")))
        got = []
        for s in answer.get("statements", []):
            if s.get("skipped"):
                continue
            if "error" in s and not chain:
                s["error"] = short_error(s["error"])
            if request.get("unordered"):
                # Nor is it a fact which writer gets a row.
                s.update({k: [re.sub(r"^((?:id:)?)\d> ", r"\1N> ", line) for line in s[k]] for k in ("printed",) if k in s})
                s.update({k: sorted(s[k]) for k in ("printed", "printed_err", "rows") if k in s})
            got.append({k: v for k, v in s.items() if k != "ms"})
        case = {k: v for k, v in request.items() if k != "plan"}
        if plan:
            case["plan"] = plan
        case["answer"] = {"statements": got}
        if "files" in answer:
            case["answer"]["files"] = [list(f) for f in answer["files"].items()]
        if answer.get("timeout"):
            case["answer"]["timeout"] = True
        cases.append(stable(case))
    return cases


def write(name, what, cases, header, check):
    path = os.path.join(HERE, "recorded", name + ".json")
    head = dict(header, what=what, cases_count=len(cases))
    text = "{\n" + "".join('"%s": %s,\n' % (k, json.dumps(v, ensure_ascii=False)) for k, v in head.items())
    text += '"cases": [\n' + ",\n".join(json.dumps(c, ensure_ascii=False, separators=(",", ":")) for c in cases)
    text += "\n]\n}\n"
    if check:
        with open(path, encoding="utf-8") as f:
            old = json.load(f)["cases"]
        differ = [(a, b) for a, b in zip(old, cases) if comparable(a) != comparable(b)]
        for a, b in differ:
            print("differs in %s:\n  recorded %s\n  now      %s" % (name, json.dumps(a), json.dumps(b)))
        if len(old) != len(cases):
            print("%s: %d cases recorded, %d now" % (name, len(old), len(cases)))
        return not differ and len(old) == len(cases)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return True


def main():
    import cases
    wanted = [a for a in sys.argv[1:] if not a.startswith("-")] or list(cases.SECTIONS)
    check = "--check" in sys.argv
    unknown = [w for w in wanted if w not in cases.SECTIONS]
    if unknown:
        raise SystemExit("no such section: %s (there are %s)" % (unknown, list(cases.SECTIONS)))
    oracle = Oracle()
    same = True
    try:
        header = {"flink": oracle.ready["flink"], "java": oracle.ready["java"],
                  "defaults": "streaming, parallelism.default=1, table.local-time-zone=UTC, no restarts"}
        for name in wanted:
            what, kind, make = cases.SECTIONS[name]
            before = oracle.spent
            made = {"eval": evaluate, "script": scripts,
                    "script-chain": lambda o, r: scripts(o, r, True)}[kind](oracle, make())
            same &= write(name, what, made, header, check)
            print("%s: %d cases, %.1f s" % (name, len(made), oracle.spent - before), file=sys.stderr)
    finally:
        oracle.close()
    if not same:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
