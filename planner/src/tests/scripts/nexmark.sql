CREATE TABLE nexmark (
    event_type int,
    person ROW<id BIGINT, name VARCHAR, emailAddress VARCHAR, creditCard VARCHAR, city VARCHAR, state VARCHAR, dateTime TIMESTAMP(3), extra VARCHAR>,
    auction ROW<id BIGINT, itemName VARCHAR, description VARCHAR, initialBid BIGINT, reserve BIGINT, dateTime TIMESTAMP(3), expires TIMESTAMP(3), seller BIGINT, category BIGINT, extra VARCHAR>,
    bid ROW<auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR, dateTime TIMESTAMP(3), extra VARCHAR>,
    `dateTime` AS CASE WHEN event_type = 0 THEN person.dateTime WHEN event_type = 1 THEN auction.dateTime ELSE bid.dateTime END,
    WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND
) WITH ('connector' = 'nexmark', 'events.num' = '1000');
CREATE VIEW bid AS SELECT bid.auction, bid.bidder, bid.price, bid.channel, bid.url, `dateTime`, bid.extra FROM nexmark WHERE event_type = 2;
CREATE VIEW person AS SELECT person.id, person.name, person.city, `dateTime` FROM nexmark WHERE event_type = 0;
CREATE TABLE q0 (auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` TIMESTAMP(3), extra VARCHAR) WITH ('connector'='blackhole');
CREATE TABLE q2 (auction BIGINT, price BIGINT) WITH ('connector'='blackhole');
CREATE TABLE q5 (auction BIGINT, n BIGINT) WITH ('connector'='blackhole');
INSERT INTO q0 SELECT auction, bidder, price, `dateTime`, extra FROM bid;
INSERT INTO q0 SELECT auction, bidder, CAST(0.908 * price AS BIGINT) as price, `dateTime`, extra FROM bid;
INSERT INTO q2 SELECT auction, price FROM bid WHERE MOD(auction, 123) = 0;
INSERT INTO q5 SELECT auction, count(*) AS num FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND)) GROUP BY auction, window_start, window_end;
INSERT INTO q5 SELECT bidder, count(*) AS num FROM TABLE(SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND)) GROUP BY bidder, window_start, window_end;
EXECUTE STATEMENT SET BEGIN
INSERT INTO q2 SELECT auction, price FROM bid WHERE price > 100;
INSERT INTO q5 SELECT id, 1 FROM person;
INSERT INTO q5 SELECT auction, num FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY num DESC) AS rn FROM (
 SELECT auction, window_start, window_end, count(*) AS num FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND)) GROUP BY auction, window_start, window_end)) WHERE rn <= 3;
END;
