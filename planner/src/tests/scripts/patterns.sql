CREATE TABLE ticker (symbol STRING, ts TIMESTAMP(3), price INT, tax INT, WATERMARK FOR ts AS ts) WITH ('connector' = 'datagen');
SELECT * FROM ticker MATCH_RECOGNIZE (
  PARTITION BY symbol ORDER BY ts, price DESC
  MEASURES A.ts AS started, LAST(DOWN.price * DOWN.tax, 1) AS bottom, FINAL FIRST(price) AS f, SUM(DOWN.price) + COUNT(*) AS s, MATCH_ROWTIME() AS rt
  ONE ROW PER MATCH AFTER MATCH SKIP TO LAST UP
  PATTERN (A (DOWN)+ UP{1,3}? Z*?) WITHIN INTERVAL '1' HOUR
  DEFINE DOWN AS DOWN.price < LAST(DOWN.price, 1) OR LAST(DOWN.price, 1) IS NULL, UP AS AVG(UP.price) > FIRST(A.price), Z AS PREV(Z.tax, 0) > 1
) AS m WHERE f > 1;
SELECT x FROM (SELECT symbol, ts, price FROM ticker) MATCH_RECOGNIZE (ORDER BY ts MEASURES A.price AS x PATTERN (A B{2,} C{,2} D) DEFINE B AS TRUE, D AS D.price > 1) AS m (x);
