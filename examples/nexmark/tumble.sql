-- Bids per auction in tumbling windows of ten seconds.

CREATE TABLE bids_per_auction (
  auction   BIGINT,
  starttime TIMESTAMP(3),
  endtime   TIMESTAMP(3),
  bids      BIGINT
) WITH (
  'connector' = 'blackhole'
);

INSERT INTO bids_per_auction
SELECT auction, window_start, window_end, COUNT(*)
FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))
GROUP BY auction, window_start, window_end;
