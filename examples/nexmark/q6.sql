-- Nexmark q6: OVER aggregate of a Top-1. The average price of each seller's last auctions: the winning
-- bid of an auction and of the ten before it.
--
-- The winner of an auction changes while bids come in, so the OVER aggregate takes updates. Flink refuses that.

CREATE TABLE nexmark_q6 (
  seller    BIGINT,
  avg_price BIGINT
) WITH (
  'connector' = 'blackhole'
);

INSERT INTO nexmark_q6
SELECT
  winning.seller,
  AVG(winning.price) OVER (
    PARTITION BY winning.seller ORDER BY winning.`dateTime` ROWS BETWEEN 10 PRECEDING AND CURRENT ROW)
FROM (
  SELECT seller, price, `dateTime`
  FROM (
    SELECT
      a.id, a.seller, b.price, b.`dateTime`,
      ROW_NUMBER() OVER (PARTITION BY a.id, a.seller ORDER BY b.price DESC) AS rownum
    FROM auction AS a, bid AS b
    WHERE a.id = b.auction AND b.`dateTime` BETWEEN a.`dateTime` AND a.expires
  )
  WHERE rownum <= 1
) AS winning;
