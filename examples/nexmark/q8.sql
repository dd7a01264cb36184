-- Nexmark q8: window join. Who registered and offered something within the same ten seconds?

CREATE TABLE nexmark_q8 (
  id    BIGINT,
  name  VARCHAR,
  stime TIMESTAMP(3)
) WITH (
  'connector' = 'blackhole'
);

INSERT INTO nexmark_q8
SELECT newcomer.id, newcomer.name, newcomer.starttime
FROM (
  SELECT id, name, window_start AS starttime, window_end AS endtime
  FROM TABLE(TUMBLE(TABLE person, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))
  GROUP BY id, name, window_start, window_end
) AS newcomer
JOIN (
  SELECT seller, window_start AS starttime, window_end AS endtime
  FROM TABLE(TUMBLE(TABLE auction, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))
  GROUP BY seller, window_start, window_end
) AS offer
ON newcomer.id = offer.seller
  AND newcomer.starttime = offer.starttime
  AND newcomer.endtime = offer.endtime;
