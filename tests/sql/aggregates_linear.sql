-- Invertible aggregates: all-NULL groups, last rows, NULL keys, key updates, groups that empty and come back in one batch.
-- setup
CREATE TABLE sales (id int PRIMARY KEY, region text, kind int, qty int, small int2, big int8, price numeric(10,2), rate numeric, flag bool);
INSERT INTO sales SELECT i, CASE WHEN i % 5 = 0 THEN NULL ELSE 'r' || i % 4 END, i % 3, CASE WHEN i % 6 = 0 THEN NULL ELSE i END,
  i % 100, i * 1000000000::int8, i * 1.25, i * 0.001, CASE WHEN i % 7 = 0 THEN NULL ELSE i % 2 = 0 END FROM generate_series(1, 300) i;

-- query by_region DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT region, count(*) AS n, count(qty) AS nq, sum(qty) AS q, sum(small) AS s, sum(big) AS b, sum(price) AS p, avg(qty) AS aq, avg(price) AS ap, avg(rate) AS ar
FROM sales GROUP BY region

-- query spread DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT region, kind, variance(qty) AS v, var_pop(price) AS vp, var_samp(rate) AS vs, stddev(qty) AS sd, stddev_pop(big) AS sp, stddev_samp(price) AS ss
FROM sales GROUP BY region, kind

-- query flags DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT kind, bool_and(flag) AS a, bool_or(flag) AS o, every(flag) AS e, count(*) FILTER (WHERE flag) AS yes, sum(qty) FILTER (WHERE flag AND qty > 10) AS q FROM sales GROUP BY kind

-- query one_row DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT count(*) AS n, sum(qty) AS q, avg(price) AS p, max(qty) AS m, min(price) AS lo FROM sales WHERE kind = 1

-- query big_regions DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT region, sum(price) AS total FROM sales GROUP BY region HAVING count(*) > 40 AND sum(qty) > 10

-- query keyless DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT count(*) AS n, sum(qty) + 1 AS q FROM sales GROUP BY region, kind

-- step inserts, also into new groups
INSERT INTO sales SELECT i, 'r' || i % 6, i % 4, i, 1, i, i, i * 0.00001, true FROM generate_series(1000, 1040) i;

-- step a group whose values become all NULL
UPDATE sales SET qty = NULL, flag = NULL, rate = NULL WHERE region = 'r1';

-- step the last rows of a group go, and others of the same group come, in one batch
DELETE FROM sales WHERE region = 'r2';
INSERT INTO sales VALUES (2000, 'r2', 1, 5, 1, 1, 1, 1, false);

-- step a group disappears
DELETE FROM sales WHERE region = 'r2';

-- step keys move, NULL to value and back
UPDATE sales SET region = CASE WHEN region IS NULL THEN 'r1' WHEN region = 'r1' THEN NULL ELSE region END, kind = kind + 1;

-- step NaN and infinities come
UPDATE sales SET rate = 'NaN' WHERE id = 7;
UPDATE sales SET rate = 'Infinity' WHERE id IN (8, 9);
UPDATE sales SET rate = '-Infinity' WHERE id = 9;

-- step and go
UPDATE sales SET rate = 1.5 WHERE id IN (7, 9);

-- step
UPDATE sales SET rate = 2.25 WHERE id = 8;

-- step digits beyond those of the rest, then gone again
INSERT INTO sales VALUES (3000, 'r3', 1, 5, 1, 1, 1, 1.000000000000000000000000000001, false), (3001, 'r3', 1, 5, 1, 1, 1, 2, false);

-- step
DELETE FROM sales WHERE id = 3000;

-- step everything goes
DELETE FROM sales;

-- step and something comes back
INSERT INTO sales VALUES (1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (2, NULL, NULL, 1, 1, 1, 1, 1, true);

-- step
TRUNCATE sales;
