CREATE TABLE orders (
  id INT NOT NULL COMMENT 'the key',
  item ROW<name STRING, price DECIMAL(10, 2)>,
  `double price` AS item.price * 2,
  f STRING METADATA FROM 'file.path' VIRTUAL,
  ts TIMESTAMP(3),
  later AS TIMESTAMPADD(HOUR, 1, ts),
  kind AS CASE WHEN id IN (1, 2) THEN MAP['a', id]['a'] ELSE CAST(TRIM(BOTH 'x' FROM item.name) AS INT) END,
  WATERMARK FOR ts AS ts - INTERVAL '5' SECONDS,
  CONSTRAINT pk PRIMARY KEY (id) NOT ENFORCED
) COMMENT 'it''s' PARTITIONED BY (id) WITH ('connector' = 'filesystem', 'path' = '/orders', 'format' = 'json');
CREATE TABLE copies (more TIMESTAMP_LTZ(3), later AS ts) WITH ('path' = '/copies')
  LIKE orders (INCLUDING ALL OVERWRITING GENERATED OVERWRITING OPTIONS EXCLUDING CONSTRAINTS);
CREATE TEMPORARY VIEW priced (id, price) COMMENT 'prices' AS SELECT id, item.price FROM orders;
CREATE TABLE totals (extra STRING, price DECIMAL(12, 2)) WITH ('connector' = 'print') AS TABLE priced;
CREATE OR REPLACE TABLE totals (price, id) WITH ('connector' = 'blackhole') AS (TABLE priced) UNION ALL TABLE priced;
ALTER TABLE copies ADD (x INT FIRST, y AS x + 1 AFTER x);
ALTER TABLE copies MODIFY (x BIGINT, WATERMARK FOR ts AS ts);
ALTER TABLE copies RENAME y TO z;
ALTER TABLE copies DROP (z, x);
ALTER TABLE copies SET ('path' = '/others');
ALTER TABLE copies SET ('x' = 'y');
ALTER TABLE copies RESET ('x');
ALTER TABLE copies RENAME TO others;
CREATE OR REPLACE VIEW v AS SELECT id FROM others;
ALTER VIEW v AS SELECT id + 1 AS id FROM others;
SHOW CREATE TABLE others;
SHOW COLUMNS FROM orders NOT LIKE 'i%';
SHOW CREATE VIEW priced;
SHOW TABLES FROM default_database LIKE '%\_%';
DESCRIBE v;
USE CATALOG default_catalog;
DROP TEMPORARY VIEW IF EXISTS priced;
DROP TABLE others;
EXPLAIN CREATE TABLE t WITH ('connector' = 'print') AS SELECT id FROM orders;
SHOW TABLES;
