-- Nexmark q4: an aggregate of an aggregate of a join. The average of the winning bids per category.
-- An auction's bids count from its start until it expires.

CREATE TABLE nexmark_q4 (
  id    BIGINT,
  final BIGINT
) WITH (
  'connector' = 'blackhole'
);

INSERT INTO nexmark_q4
SELECT winning.category, AVG(winning.final)
FROM (
  SELECT a.category, MAX(b.price) AS final
  FROM auction AS a, bid AS b
  WHERE a.id = b.auction AND b.`dateTime` BETWEEN a.`dateTime` AND a.expires
  GROUP BY a.id, a.category
) AS winning
GROUP BY winning.category;
