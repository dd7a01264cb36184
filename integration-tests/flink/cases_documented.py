# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""The examples of Flink's documentation that come with data and results, and are not in another section under `docs:`."""
from cases_updating import ask, table

BIDS = table("bid", "bidtime TIMESTAMP(3), price DECIMAL(10, 2), item STRING, supplier_id STRING", """
08:05 4.00 C supplier1
08:07 2.00 A supplier1
08:09 5.00 D supplier2
08:11 3.00 B supplier2
08:13 1.00 E supplier1
08:17 6.00 F supplier2
""", ts="bidtime", delay=1)
SESSIONS = table("bid", "bidtime TIMESTAMP(3), price DECIMAL(10, 2), item STRING", """
08:07 4.00 A
08:06 2.00 A
08:09 5.00 B
08:08 3.00 A
08:17 1.00 B
""", ts="bidtime", delay=120)
SALES = table("orders", "order_id STRING, price DECIMAL(10, 2), order_time TIMESTAMP(3)", "o1 5.00 10:00\no2 7.00 10:30\no3 1.00 10:45\no4 2.00 11:15", ts="order_time", delay=60)
WINDOWS = (
    ("TUMBLE", "INTERVAL '10' MINUTES", ""), ("TUMBLE with an offset", "INTERVAL '10' MINUTES, INTERVAL '1' MINUTES", ""), ("HOP", "INTERVAL '5' MINUTES, INTERVAL '10' MINUTES", ""), ("CUMULATE", "INTERVAL '2' MINUTES, INTERVAL '10' MINUTES", ""))


def tvf(name, args, keys=""):
    return "TABLE(%s(TABLE bid%s, DESCRIPTOR(bidtime), %s))" % (name.split()[0], keys, args)


def documented():
    out = []
    for name, args, _ in WINDOWS:
        w = tvf(name, args)
        out.append(ask("window TVF: " + name, BIDS, "SELECT * FROM " + w))
        out.append(ask("window aggregation: " + name, BIDS, "SELECT window_start, window_end, SUM(price) AS total_price FROM %s GROUP BY window_start, window_end" % w))
        for by in ("GROUPING SETS ((supplier_id), ())", "ROLLUP (supplier_id)", "CUBE (supplier_id, item)"):
            key = "supplier_id, item, " if "item" in by else "supplier_id, "
            out.append(ask("window aggregation: %s, %s" % (name, by), BIDS, "SELECT window_start, window_end, %sSUM(price) AS total_price FROM %s GROUP BY window_start, window_end, %s" % (key, w, by)))
    s = tvf("SESSION", "INTERVAL '5' MINUTES", " PARTITION BY item")
    out.append(ask("window TVF: SESSION", SESSIONS, "SELECT * FROM " + s))
    out.append(ask("window aggregation: SESSION", SESSIONS, "SELECT window_start, window_end, item, SUM(price) AS total_price FROM %s GROUP BY item, window_start, window_end" % s))
    out.append(ask("window TVF: SESSION without a partition", SESSIONS, "SELECT * FROM " + tvf("SESSION", "INTERVAL '5' MINUTES")))
    out.append(ask("cascading window aggregation", BIDS, "SELECT window_start, window_end, SUM(partial_price) AS total_price FROM TABLE(TUMBLE(TABLE w, DESCRIPTOR(rowtime), INTERVAL '10' MINUTES)) GROUP BY window_start, window_end",
                   more=["CREATE VIEW w AS SELECT window_time AS rowtime, SUM(price) AS partial_price FROM %s GROUP BY supplier_id, window_start, window_end, window_time" % tvf("TUMBLE", "INTERVAL '5' MINUTES")]))
    out.append(ask("group by window_start, window_end in other places", BIDS, "SELECT window_end, window_start, supplier_id AS sid, SUM(price) FROM %s GROUP BY supplier_id, window_end, window_start" % tvf("TUMBLE", "INTERVAL '10' MINUTES")))
    agg = "SELECT window_start, window_end, supplier_id, SUM(price) AS price, COUNT(*) AS cnt FROM %s GROUP BY window_start, window_end, supplier_id" % tvf("TUMBLE", "INTERVAL '10' MINUTES")
    out.append(ask("window Top-N after window aggregation", BIDS, "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY price DESC) AS rownum FROM (%s)) WHERE rownum <= 3" % agg))
    out.append(ask("window Top-N after a windowing TVF", BIDS, "SELECT * FROM (SELECT bidtime, price, item, supplier_id, window_start, window_end, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY price DESC) AS rownum FROM %s) WHERE rownum <= 3" % tvf("TUMBLE", "INTERVAL '10' MINUTES")))
    out.append(ask("window deduplication", BIDS, "SELECT * FROM (SELECT bidtime, price, item, supplier_id, window_start, window_end, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY bidtime DESC) AS rownum FROM %s) WHERE rownum <= 1" % tvf("TUMBLE", "INTERVAL '10' MINUTES")))
    out.append(ask("OVER aggregation", SALES, "SELECT order_id, order_time, price, SUM(price) OVER (ORDER BY order_time RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW) AS one_hour_sum FROM orders"))
    out.append(ask("group aggregation: COUNT of a column and of rows", SALES, "SELECT COUNT(*), COUNT(DISTINCT order_id) FROM orders"))
    out.append(ask("WITH", SALES, "WITH orders_with_total AS (SELECT order_id, price + 1 AS total FROM orders) SELECT order_id, SUM(total) AS s FROM orders_with_total GROUP BY order_id"))
    out.append(ask("SELECT with computed columns", SALES, "SELECT order_id, price * 2 AS doubled, price FROM orders WHERE price > 2"))
    # Set operations of the documentation: t1 and t2 of letters.
    t1 = "CREATE VIEW t1(s) AS VALUES ('c'), ('a'), ('b'), ('b'), ('c')"
    t2 = "CREATE VIEW t2(s) AS VALUES ('d'), ('e'), ('a'), ('b'), ('b')"
    for op in ("UNION", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL"):
        out.append(ask("letters: " + op, [], "(SELECT s FROM t1) %s (SELECT s FROM t2)" % op, more=[t1, t2], interleaved=True))
    # Nested rows and arrays of the page on joins.
    orders = table("orders", "order_id INT, product_names ARRAY<STRING>", '1 ["Apple","Banana","Cherry"]\n2 ["Milk","Bread"]\n3 []')
    out.append(ask("array expansion", orders, "SELECT order_id, product_name FROM orders CROSS JOIN UNNEST(product_names) AS t(product_name)"))
    out.append(ask("array expansion WITH ORDINALITY", orders, "SELECT order_id, product_name, product_index FROM orders CROSS JOIN UNNEST(product_names) WITH ORDINALITY AS t(product_name, product_index)"))
    shop = table("shop_sales", "product_id STRING, category STRING, sales BIGINT", "p1 c1 10\np2 c1 20\np3 c1 5\np4 c2 7\np5 c1 15\np6 c1 1\np7 c1 30\np8 c1 25")
    five = "(SELECT *, ROW_NUMBER() OVER (PARTITION BY category ORDER BY sales DESC) AS row_num FROM shop_sales)"
    out.append(ask("Top-N: five products of each category", shop, "SELECT * FROM %s WHERE row_num <= 5" % five))
    out.append(ask("Top-N: no ranking output", shop, "SELECT product_id, category, sales FROM %s WHERE row_num <= 5" % five))
    return out
