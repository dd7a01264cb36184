-- Clicks per page and minute; what is counted is thrown away.
CREATE TABLE counted (page STRING, minute_end TIMESTAMP(3), clicks BIGINT) WITH ('connector' = 'blackhole');

INSERT INTO counted
SELECT url, window_end, COUNT(*)
FROM TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' MINUTE)
GROUP BY url, window_start, window_end;
