-- CTEs referenced several times: with state, one node; hints, nesting, shadowed names, references inside subqueries.
-- setup
CREATE TABLE sale (id int PRIMARY KEY, shop int, amount int);
CREATE TABLE shop (id int PRIMARY KEY, name text);
INSERT INTO sale SELECT i, i % 7, i % 20 FROM generate_series(1, 80) i;
INSERT INTO shop SELECT i, 'shop ' || i FROM generate_series(0, 8) i;

-- query twice DIFFERENTIAL
-- expect-mode DIFFERENTIAL
WITH revenue AS (SELECT s.shop, sum(s.amount) AS total, count(*) AS n, min(s.amount) AS low FROM sale s GROUP BY s.shop)
SELECT p.name, r.total FROM revenue r JOIN shop p ON p.id = r.shop WHERE r.total = (SELECT max(x.total) FROM revenue x)

-- query three_ways DIFFERENTIAL
-- expect-mode DIFFERENTIAL
WITH r AS MATERIALIZED (SELECT s.shop, sum(s.amount) AS total FROM sale s GROUP BY s.shop)
SELECT a.shop, a.total, b.total AS next FROM r a LEFT JOIN r b ON b.shop = a.shop + 1 WHERE a.total > (SELECT avg(c.total) FROM r c)

-- query linear_twice DIFFERENTIAL
-- expect-mode DIFFERENTIAL
WITH big AS NOT MATERIALIZED (SELECT s.shop, s.amount FROM sale s WHERE s.amount > 5)
SELECT a.shop, b.amount FROM big a JOIN big b ON a.shop = b.shop AND a.amount = b.amount + 1

-- query nested DIFFERENTIAL
-- expect-mode DIFFERENTIAL
WITH a AS (WITH b AS (SELECT s.shop FROM sale s WHERE s.amount > 3) SELECT b.shop, count(*) AS n FROM b GROUP BY b.shop),
  b AS (SELECT a.n, count(*) AS times FROM a GROUP BY a.n)
SELECT b.n, b.times, (SELECT count(*) FROM a WHERE a.n > b.n) AS above FROM b

-- query shadowed DIFFERENTIAL
-- expect-mode DIFFERENTIAL
WITH shop AS (SELECT s.shop AS id, max(s.amount) AS top FROM sale s GROUP BY s.shop)
SELECT shop.id, q.n FROM shop JOIN (WITH shop AS (SELECT sale.shop FROM sale WHERE sale.amount < 9) SELECT shop.shop, count(*) AS n FROM shop GROUP BY shop.shop) q ON q.shop = shop.id

-- query united DIFFERENTIAL
-- expect-mode DIFFERENTIAL
WITH r AS (SELECT DISTINCT s.shop FROM sale s WHERE s.amount > 2)
SELECT r.shop FROM r UNION ALL SELECT r.shop + 100 FROM r UNION ALL SELECT p.id FROM shop p WHERE p.id NOT IN (SELECT r.shop FROM r)

-- step
DELETE FROM sale WHERE shop = 3;
UPDATE sale SET amount = amount + 7 WHERE id % 5 = 0;

-- step
UPDATE sale SET shop = NULL WHERE id % 11 = 0;
INSERT INTO sale SELECT i, 8, 50 FROM generate_series(200, 210) i;

-- step
TRUNCATE sale;

-- step
INSERT INTO sale SELECT i, i % 3, i FROM generate_series(1, 10) i;
DELETE FROM shop WHERE id = 1;
