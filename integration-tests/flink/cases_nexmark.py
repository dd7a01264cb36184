# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about the Nexmark queries of examples/nexmark, over a hundred events in a file."""
import json
import os
import random
import re

from cases_updating import EACH_ROW, stamp

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "nexmark")
CHAR_COUNT = "CAST(CHAR_LENGTH(extra) - CHAR_LENGTH(REPLACE(extra, 'c', '')) AS BIGINT)"


def events(count=110):
    """Persons, auctions and bids as (a few of them out of order); prices in the range of the filters of q14 to q17."""
    dice = random.Random(20240101)
    out = []
    people, auctions = [], []
    for i in range(count):
        second = i * 0.4 + dice.choice((0, 0, 0, -1.2, 0.7))
        when = stamp("%d.%03d" % divmod(max(0, round((second + 60) * 1000)), 1000)) if i else stamp("60")
        kind = 0 if i % 10 == 0 else 1 if i % 10 in (1, 2) else 2
        event = {"event_type": kind}
        if kind == 0:
            people.append(1000 + len(people))
            event["person"] = {"id": people[-1], "name": "p%d" % len(people), "emailAddress": "p@x", "creditCard": "1234", "city": "c", "state": dice.choice(("OR", "ID", "CA", "NY")), "dateTime": when, "extra": "e"}
        elif kind == 1:
            auctions.append(123 * (1 + len(auctions)) if len(auctions) % 3 == 0 else 2000 + len(auctions))
            end = stamp("%d" % (second + 60 + dice.choice((2, 8, 30))))
            event["auction"] = {"id": auctions[-1], "itemName": "i", "description": "d", "initialBid": 1, "reserve": 2, "dateTime": when, "expires": end, "seller": dice.choice(people), "category": dice.choice((10, 11)), "extra": "e"}
        else:
            channel, url = dice.choice((("Apple", "https://x/a/b/c/item.htm?query=1"), ("Google", "https://x/g/h/i?q&channel_id=77"), ("other", "https://x/o/p?q=1&channel_id=88"), ("other", "https://x/none")))
            event["bid"] = {"auction": dice.choice(auctions[-5:]), "bidder": dice.choice(people), "price": dice.choice((90, 500, 9_999, 10_000, 999_999, 1_000_000, 2_000_000, 70_000_000)), "channel": channel, "url": url, "dateTime": when, "extra": dice.choice(("cc", "abc", "x", ""))}
        out.append(event)
    return "".join(json.dumps(e, separators=(",", ":")) + "\n" for e in out)


def statements(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as f:
        text = "".join(line for line in f if not line.startswith("--"))
    return [s.strip() for s in text.split(";") if s.strip()]


def nexmark():
    out = []
    ddl = [re.sub(r"WITH \(\s*'connector' = 'nexmark'.*\)", "WITH ('connector'='filesystem','path'='${DIR}/events.json','format'='json')", s, flags=re.S) for s in statements("ddl.sql")]
    data = events()
    for i in range(24):
        case = {"name": "q%d" % i, "settings": EACH_ROW, "files": {"events.json": data}, "plan": True}
        *before, insert = statements("q%d.sql" % i)
        if i == 10:
            case.update(plan=False, read=["out"], note="the file sink; partitions are committed when the input ends", unordered=True)
            case["statements"] = ddl + [s.replace("${OUTPUT}", "${DIR}/out") for s in before] + [insert]
        else:
            # The query alone: its names and types show, and its rows are not cast.
            query = re.sub(r"^INSERT INTO \w+\s+", "", insert)
            case["statements"] = ddl + [s for s in before if "blackhole" not in s] + [query]
        if i in (3, 4, 5, 7, 8, 9, 20, 23):
            case["interleaved"] = True
        if i == 9:
            case["bug"] = "the Top-1 is planned as insert-only and does not take back what it replaces"
        if i == 12:
            case["note"] = "no window of processing time ends before the input does"
        if i == 13:
            case["note"] = "with the options of old that can be looked up"
            case["files"]["side.csv"] = "".join("%d,side %d\n" % (n, n) for n in range(0, 4000, 3))
            case["statements"] = [re.sub(r"WITH \(\s*'connector' = 'filesystem',\s*'path' = '\$\{SIDE_INPUT\}'.*\)", "WITH ('connector.type'='filesystem','connector.path'='${DIR}/side.csv','format.type'='csv')", s, flags=re.S) for s in case["statements"]]
        if i == 14:
            case["note"] = "count_char written with CHAR_LENGTH and REPLACE"
            case["statements"][-1] = case["statements"][-1].replace("count_char(extra, 'c')", CHAR_COUNT)
        out.append(case)
    return out
