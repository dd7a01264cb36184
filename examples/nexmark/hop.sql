-- Bids per auction in windows of ten seconds, one every two seconds: the first half of Nexmark q5.

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
FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
GROUP BY auction, window_start, window_end;
