CREATE TABLE t (
  a INT, b BIGINT, c DECIMAL(10, 2), d DOUBLE, s STRING, dt DATE, ts TIMESTAMP(3), z TIMESTAMP_LTZ(3), flag BOOLEAN,
  arr ARRAY<INT>, m MAP<STRING, BIGINT>, r ROW<x INT, `y z` ROW<z STRING>>, bin BYTES NOT NULL, `select` INT COMMENT 'it''s',
  key_ STRING METADATA FROM 'file.name' VIRTUAL, `file.size` BIGINT NOT NULL METADATA VIRTUAL,
  c1 AS (a + b) * 2 - -a % 3 / 1.5, c2 AS s || 'it''s' || UPPER(s), c3 AS NOT flag AND a = b OR a <> 1 AND flag IS NOT UNKNOWN,
  c4 AS a BETWEEN 1 AND b, c5 AS a NOT IN (1, 2, 3), c6 AS s LIKE 'a!%' ESCAPE '!' OR s NOT SIMILAR TO 'a|b', c7 AS a IS DISTINCT FROM b,
  c8 AS CASE WHEN a > 1 THEN 'x' WHEN `select` IS NULL THEN 'yyy' ELSE NULL END, c9 AS CASE a WHEN 1 THEN 1 ELSE 2.5 END,
  c10 AS r.`y z`.z, c11 AS arr[1], c12 AS m['k'], c13 AS ARRAY[a, 2], c14 AS MAP['k', a, 'l', 2], c15 AS ROW(a, s),
  c16 AS DATE '2024-02-29', c17 AS TIMESTAMP '2024-02-29 12:00:00.123', c18 AS TIME '12:34:56', c19 AS x'0aff',
  c20 AS ts + INTERVAL '1 02:03:04' DAYS TO SECOND, c21 AS ts - INTERVAL -'5' MINUTES, c22 AS dt + INTERVAL '1-2' YEAR TO MONTH,
  c23 AS TRY_CAST(s AS VARCHAR(3)), c24 AS CAST(s AS TIMESTAMP_LTZ(3)), c25 AS CAST(ROW(a, s) AS ROW<x BIGINT, `y z` STRING>),
  c26 AS EXTRACT(YEAR FROM ts), c27 AS CEIL(ts TO HOUR), c28 AS FLOOR(d), c29 AS TIMESTAMPDIFF(DAY, ts, ts), c30 AS POSITION('a' IN s),
  c31 AS SUBSTRING(s FROM 2 FOR 3), c32 AS SUBSTRING(s, 2), c33 AS TRIM(LEADING 'x' FROM s), c34 AS OVERLAY(s PLACING 'x' FROM 2), c35 AS IF(flag, 1, 2),
  c36 AS PROCTIME(), c37 AS CURRENT_DATE, c38 AS coalesce(s, 'x'), c39 AS t.a, c40 AS 1e-3 + .5, c41 AS U&'\00e9', c42 AS TRUE, c43 AS - - -a, c44 AS - -5 - +a - -(-a),
  WATERMARK FOR ts AS ts - INTERVAL '0.001' SECOND
) WITH ('connector' = 'filesystem', 'path' = '/x''y', 'format' = 'json');
