SET 'table.local-time-zone' = 'Europe/Berlin';
CREATE TABLE clicks (
  user_id BIGINT NOT NULL, page STRING, country STRING, dwell INT, at TIMESTAMP(3), zoned TIMESTAMP_LTZ(3),
  item ROW<id INT, tags ARRAY<STRING>, inner_row ROW<x DOUBLE, y DOUBLE> NOT NULL>,
  p AS PROCTIME(),
  WATERMARK FOR at AS at - INTERVAL '5' SECOND
) COMMENT 'clicks' WITH ('connector' = 'datagen', 'rows-per-second' = '10');
CREATE TEMPORARY VIEW counts (page, s, e, rt, n) AS
SELECT page, window_start, window_end, window_time, COUNT(*)
FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(at), INTERVAL '10' SECONDS))
WHERE country IS NOT NULL GROUP BY page, window_start, window_end, window_time HAVING COUNT(*) > 1;
CREATE TABLE sink (page STRING, s TIMESTAMP(3), e TIMESTAMP(3), n BIGINT) PARTITIONED BY (page) WITH ('connector' = 'print');
INSERT INTO sink SELECT page, s, e, n FROM counts;
INSERT INTO sink (page, n) SELECT page, SUM(n) FROM TABLE(HOP(DATA => TABLE counts, TIMECOL => DESCRIPTOR(rt), SLIDE => INTERVAL '1' MINUTE, SIZE => INTERVAL '5' MINUTES, `OFFSET` => INTERVAL '3' SECOND)) GROUP BY window_start, window_end, page;
SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY s, e ORDER BY n DESC, page) AS rn FROM counts) WHERE rn BETWEEN 2 AND 5 AND page LIKE 'a%';
SELECT item.inner_row.x, COUNT(DISTINCT user_id) FILTER (WHERE dwell > 3), MAX(dwell) + MIN(dwell) FROM TABLE(CUMULATE(TABLE clicks, DESCRIPTOR(at), INTERVAL '1' HOUR, INTERVAL '1' DAY)) GROUP BY item.inner_row.x, window_start, window_end;
SELECT country, COUNT(*) FROM TABLE(SESSION(TABLE clicks PARTITION BY (country, page), DESCRIPTOR(p), INTERVAL '1:30' MINUTE TO SECOND)) GROUP BY country, page, window_start, window_end;
SELECT page, n FROM counts UNION ALL SELECT country, CAST(dwell AS BIGINT) FROM clicks /*+ OPTIONS('rows-per-second' = '1') */ AS c WHERE c.dwell NOT IN (1, 2, 3);
