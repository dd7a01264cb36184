-- A topic of earthquakes → events per window and seismic network → another topic.
--
--   cargo xtask demo --kafka
--
-- replays recorded earthquakes into the topic while this runs. Against a topic of your own:
--
--   tidegate run examples/clickstream/kafka.sql \
--     --define BOOTSTRAP=localhost:9092 --define IN_TOPIC=earthquakes --define OUT_TOPIC=activity \
--     --define WINDOW_HOURS=24 --define LAG_HOURS=48 --define END=latest-offset --define END_OFFSETS=
--
-- ${BOOTSTRAP}     brokers, host:port, several separated by commas
-- ${IN_TOPIC}      topic with records such as the lines of examples/data/earthquakes.jsonl
-- ${OUT_TOPIC}     topic for the results
-- ${WINDOW_HOURS}  size of a window
-- ${LAG_HOURS}     how long after an event its report may come; what is later and finds its window
--                  closed is dropped and counted
-- ${END}           unbounded, latest-offset to end with what is there at the start, or specific-offsets
-- ${END_OFFSETS}   for specific-offsets: partition:0,offset:42;partition:1,offset:300
--
-- The data is real and out of order. In the file, records stand in the order in which networks revised
-- their reports, minutes to days after the ground moved.

SET 'pipeline.name' = 'earthquakes';

CREATE TABLE earthquakes (
  id          STRING,
  occurred_at TIMESTAMP(3),
  network     STRING,
  magnitude   DOUBLE,
  depth_km    DOUBLE,
  WATERMARK FOR occurred_at AS occurred_at - INTERVAL '${LAG_HOURS}' HOUR
) WITH (
  'connector' = 'kafka',
  'topic' = '${IN_TOPIC}',
  'properties.bootstrap.servers' = '${BOOTSTRAP}',
  'scan.startup.mode' = 'earliest-offset',
  'scan.bounded.mode' = '${END}',
  'scan.bounded.specific-offsets' = '${END_OFFSETS}',
  'format' = 'json'
);

CREATE TABLE activity (
  window_start  TIMESTAMP(3),
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
FROM TABLE(TUMBLE(TABLE earthquakes, DESCRIPTOR(occurred_at), INTERVAL '${WINDOW_HOURS}' HOUR))
GROUP BY window_start, window_end, network;
