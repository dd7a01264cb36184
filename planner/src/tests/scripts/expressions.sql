CREATE TABLE t (
  a INT, b BIGINT, c DECIMAL(10, 2), d DOUBLE, s STRING, v VARCHAR(5), dt DATE, tm TIME(3), ts TIMESTAMP(6), z TIMESTAMP_LTZ(3),
  flag BOOLEAN, arr ARRAY<INT>, m MAP<STRING, BIGINT>, r ROW<x INT, y ROW<z STRING>>, bin BYTES
) WITH ('connector' = 'datagen');
SELECT a + b * 2 - 1, a / 2, a % 3, -a, c * 1.5, d + 1e0, s || 'x', a = b, a <> 1 AND flag OR NOT flag, a IS NULL, s IS NOT NULL,
  flag IS TRUE, flag IS NOT UNKNOWN, a IS DISTINCT FROM b, a BETWEEN 1 AND b, a NOT BETWEEN 1 AND 2, a IN (1, 2, 3), s IN ('a', 'b'),
  a IN (b), s LIKE '%a_', s LIKE 'a!%' ESCAPE '!', CASE WHEN a > 1 THEN 'x' WHEN a > 2 THEN 'yyy' ELSE NULL END, CASE a WHEN 1 THEN 1 ELSE 2.5 END
FROM t;
SELECT r.x, r.y.z, t.r.y, DATE '2024-02-29', TIMESTAMP '2024-02-29 12:00:00.123', TIME '12:34:56', INTERVAL '1-2' YEAR TO MONTH,
  ts + INTERVAL '1' DAY, ts - INTERVAL '1 02:03:04.5' DAY TO SECOND, CAST(s AS INT), TRY_CAST(s AS TIMESTAMP(3)), CAST(a AS STRING),
  CAST(ts AS DATE), CAST(r AS STRING), 1.50, 2147483648, 5., .5, x'0aff', TRUE, 'it''s'
FROM t;
SELECT t.*, a AS a, a, 1 + 1 FROM t AS t WHERE (a > 1 OR b < 2) AND NOT (s = 'x') AND dt = DATE '2024-01-01';
SELECT DISTINCT a FROM (VALUES (1, 'x'), (2, 'yy')) AS v (a, b);
SELECT a, b FROM (VALUES (1, 'x'), (2, 'yy')) AS v (a, b) WHERE a > 1 UNION ALL SELECT 3, CAST(NULL AS STRING);
