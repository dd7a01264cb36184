-- Nexmark q5: join of windows. The auctions with the most bids of the last ten seconds, every two seconds.

CREATE TABLE nexmark_q5 (
  auction BIGINT,
  num     BIGINT
) WITH (
  'connector' = 'blackhole'
);

INSERT INTO nexmark_q5
SELECT counted.auction, counted.num
FROM (
  SELECT auction, COUNT(*) AS num, window_start AS starttime, window_end AS endtime
  FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
  GROUP BY auction, window_start, window_end
) AS counted
JOIN (
  SELECT MAX(per_auction.num) AS maxn, per_auction.starttime, per_auction.endtime
  FROM (
    SELECT COUNT(*) AS num, window_start AS starttime, window_end AS endtime
    FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
    GROUP BY auction, window_start, window_end
  ) AS per_auction
  GROUP BY per_auction.starttime, per_auction.endtime
) AS highest
ON counted.starttime = highest.starttime
  AND counted.endtime = highest.endtime
  AND counted.num >= highest.maxn;
