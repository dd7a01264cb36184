-- A topic of earthquakes → events per day and seismic network → another topic.
--
--   tidegate run examples/clickstream/kafka.sql \
--     --define BOOTSTRAP=localhost:9092 --define IN_TOPIC=earthquakes --define OUT_TOPIC=activity
--
-- ${BOOTSTRAP}  brokers, host:port, several separated by commas
-- ${IN_TOPIC}   topic with the lines of examples/data/earthquakes.jsonl, one record each
-- ${OUT_TOPIC}  topic for the results
--
-- The data is real and as disordered as it was: records stand in the order in which networks revised
-- their reports, minutes to days after the ground moved. Event time may be two days behind; what is
-- later than that is dropped and counted.

SET 'pipeline.name' = 'earthquakes';

CREATE TABLE earthquakes (
  id          STRING,
  occurred_at TIMESTAMP(3),
  network     STRING,
  magnitude   DOUBLE,
  depth_km    DOUBLE,
  WATERMARK FOR occurred_at AS occurred_at - INTERVAL '2' DAY
) WITH (
  'connector' = 'kafka',
  'topic' = '${IN_TOPIC}',
  'properties.bootstrap.servers' = '${BOOTSTRAP}',
  'scan.startup.mode' = 'earliest-offset',
  'scan.bounded.mode' = 'latest-offset',
  'format' = 'json'
);

CREATE TABLE activity (
  day_start     TIMESTAMP(3),
  network       STRING,
  events        BIGINT,
  avg_magnitude DOUBLE,
  max_magnitude DOUBLE,
  max_depth_km  DOUBLE
) WITH (
  'connector' = 'kafka',
  'topic' = '${OUT_TOPIC}',
  'properties.bootstrap.servers' = '${BOOTSTRAP}',
  'format' = 'json'
);

INSERT INTO activity
SELECT
  window_start,
  network,
  COUNT(*),
  AVG(magnitude),
  MAX(magnitude),
  MAX(depth_km)
FROM TABLE(TUMBLE(TABLE earthquakes, DESCRIPTOR(occurred_at), INTERVAL '1' DAY))
GROUP BY window_start, window_end, network;
