-- Clicks on the pages of a web shop → the three most clicked pages per country, every two seconds.
--
--   tidegate run examples/clickstream/clickstream.sql --define ROWS=200000
--
-- ${ROWS}  how many clicks to generate; 20 000 come per second, so 200000 run for ten seconds.
--          9223372036854775807 runs until Ctrl-C.
--
-- The generator's random columns become a click in computed columns. Two of them make its event time:
-- most clicks are sent within a second (out of order, none of them late); those of a few phones
-- without network are sent up to ten seconds later, and nearly all of these come too late: their
-- window has been reported by then. They are dropped and counted as late records.

SET 'pipeline.name' = 'clickstream';

CREATE TABLE clicks (
  user_id      BIGINT,
  country_roll INT,
  page_roll_a  INT,
  page_roll_b  INT,
  network_roll INT,
  sent         TIMESTAMP(3),  -- up to 1 s ago
  sent_offline TIMESTAMP(3),  -- up to 10 s ago

  country AS CASE
    WHEN country_roll <= 40 THEN 'US'
    WHEN country_roll <= 65 THEN 'DE'
    WHEN country_roll <= 85 THEN 'CN'
    ELSE 'BR'
  END,
  -- The smaller of two rolls: low page numbers are more popular.
  page AS '/products/' || CAST(CASE WHEN page_roll_a < page_roll_b THEN page_roll_a ELSE page_roll_b END AS STRING),
  clicked_at AS CASE WHEN network_roll <= 3 THEN sent_offline ELSE sent END,

  WATERMARK FOR clicked_at AS clicked_at - INTERVAL '1' SECOND
) WITH (
  'connector' = 'datagen',
  'rows-per-second' = '20000',
  'number-of-rows' = '${ROWS}',
  'fields.user_id.min' = '1',
  'fields.user_id.max' = '50000',
  'fields.country_roll.min' = '1',
  'fields.country_roll.max' = '100',
  'fields.page_roll_a.min' = '1',
  'fields.page_roll_a.max' = '30',
  'fields.page_roll_b.min' = '1',
  'fields.page_roll_b.max' = '30',
  'fields.network_roll.min' = '1',
  'fields.network_roll.max' = '100',
  'fields.sent.max-past' = '1 s',
  'fields.sent_offline.max-past' = '10 s'
);

CREATE TABLE top_pages (
  window_start TIMESTAMP(3),
  country      STRING,
  page_rank    BIGINT,
  page         STRING,
  clicks       BIGINT,
  visitors     BIGINT
) WITH (
  'connector' = 'print'
);

-- A handful of clicks says nothing about a page. Such windows are those from before the start, into which
-- only stragglers fall.
CREATE VIEW page_clicks AS
SELECT
  window_start,
  window_end,
  country,
  page,
  COUNT(*) AS clicks,
  COUNT(DISTINCT user_id) AS visitors
FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(clicked_at), INTERVAL '2' SECOND))
GROUP BY window_start, window_end, country, page
HAVING COUNT(*) >= 10;

INSERT INTO top_pages
SELECT window_start, country, page_rank, page, clicks, visitors
FROM (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY window_start, window_end, country
      ORDER BY clicks DESC, page
    ) AS page_rank
  FROM page_clicks
)
WHERE page_rank <= 3;
