-- Subqueries in expressions: every kind, correlated and not, in every place; NULLs on both sides.
-- setup
CREATE TABLE o (id int PRIMARY KEY, k int, k2 int NOT NULL, x int, t text);
CREATE TABLE i (id int PRIMARY KEY, k int, k2 int NOT NULL, y int, amount numeric);
CREATE TABLE s (a int NOT NULL, b int);
CREATE INDEX ON i (k);
CREATE INDEX ON i (k2);
CREATE INDEX ON o (k);
CREATE INDEX ON o (k2);
INSERT INTO o SELECT n, CASE WHEN n % 7 = 0 THEN NULL ELSE n % 12 END, n % 9, n % 5, 't' || n % 3 FROM generate_series(1, 40) n;
INSERT INTO i SELECT n, CASE WHEN n % 9 = 0 THEN NULL ELSE n % 14 END, n % 11, CASE WHEN n % 8 = 0 THEN NULL ELSE n % 6 END, n
FROM generate_series(1, 60) n;
INSERT INTO s VALUES (1, 1), (2, NULL), (3, 3), (3, 3);

-- query exists_top DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, o.t FROM o WHERE EXISTS (SELECT FROM i WHERE i.k = o.k AND i.y > 1)

-- query not_exists_top DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, o.t FROM o WHERE NOT EXISTS (SELECT FROM i WHERE i.k = o.k AND i.y > o.x)

-- query exists_uncorrelated DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id FROM o WHERE EXISTS (SELECT FROM i WHERE i.amount > 55)

-- query exists_grouped DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id FROM o WHERE EXISTS (SELECT i.y FROM i WHERE i.k = o.k GROUP BY i.y HAVING count(*) > 1)

-- query in_top DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id FROM o WHERE o.k IN (SELECT i.k FROM i WHERE i.amount > 20)

-- query not_in_nulls DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id FROM o WHERE o.k NOT IN (SELECT i.k FROM i WHERE i.amount > 30)

-- query not_in_clean DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id FROM o WHERE o.k2 NOT IN (SELECT s.a FROM s)

-- query in_grouped DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id FROM o WHERE o.k2 IN (SELECT i.k2 FROM i GROUP BY i.k2 HAVING sum(i.amount) > 100)

-- query row_in DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id FROM o WHERE (o.k, o.x) IN (SELECT i.k, i.y FROM i)

-- query row_not_in DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id FROM o WHERE (o.k, o.x) NOT IN (SELECT i.k, i.y FROM i WHERE i.id % 2 = 0)

-- query under_or DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id FROM o WHERE o.x = 3 OR EXISTS (SELECT FROM i WHERE i.k = o.k AND i.amount > 40) OR o.k IN (SELECT s.b FROM s)

-- query in_case DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, CASE WHEN EXISTS (SELECT FROM i WHERE i.k2 = o.k2 AND i.y = 2) THEN 'yes' ELSE 'no' END AS has,
  o.k NOT IN (SELECT s.b FROM s) AS outside, o.x < ALL (SELECT i.y FROM i WHERE i.k = o.k) AS below,
  o.x >= ANY (SELECT i.y FROM i WHERE i.k = o.k) AS above
FROM o

-- query any_operators DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id FROM o WHERE o.x < ANY (SELECT s.a FROM s) AND o.x <> ALL (SELECT s.b FROM s WHERE s.b IS NOT NULL)

-- query scalar_aggregate DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, (SELECT sum(i.amount) FROM i WHERE i.k = o.k) AS total, (SELECT count(*) FROM i WHERE i.k = o.k) AS n FROM o

-- query scalar_uncorrelated DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, (SELECT max(i.amount) FROM i) AS top FROM o WHERE o.x > (SELECT avg(s.a) FROM s)

-- query scalar_first DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, (SELECT i.amount FROM i WHERE i.k = o.k ORDER BY i.y DESC NULLS LAST, i.id LIMIT 1) AS newest FROM o

-- query scalar_first_uncorrelated DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, (SELECT i.amount FROM i ORDER BY i.amount DESC, i.id LIMIT 1) AS newest FROM o WHERE o.id < 10

-- query in_having DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.k2, count(*) AS n FROM o GROUP BY o.k2 HAVING count(*) > (SELECT count(*) / 10 FROM i WHERE i.k2 >= o.k2)

-- query having_exists DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.t, sum(o.x) AS total FROM o GROUP BY o.t HAVING EXISTS (SELECT FROM s WHERE s.a = 2) AND sum(o.x) > (SELECT min(s.a) FROM s)

-- query in_on DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, i.id AS other FROM o JOIN i ON i.k = o.k AND EXISTS (SELECT FROM s WHERE s.a = i.y AND s.b <= o.x)

-- query in_outer_on DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, i.id AS other FROM o LEFT JOIN i ON i.k = o.k AND i.y IN (SELECT s.a FROM s)

-- query in_arguments DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.t, sum(CASE WHEN EXISTS (SELECT FROM i WHERE i.k = o.k) THEN 1 ELSE 0 END) AS with_i,
  count(*) FILTER (WHERE o.k2 IN (SELECT s.a FROM s)) AS with_s FROM o GROUP BY o.t

-- query group_by_sublink DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT (SELECT count(*) FROM i WHERE i.k = o.k) AS n, count(*) AS times FROM o GROUP BY (SELECT count(*) FROM i WHERE i.k = o.k)

-- query nested DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id FROM o WHERE EXISTS (SELECT FROM i WHERE i.k = o.k AND i.y IN (SELECT s.a FROM s WHERE s.a <= i.y))

-- query nested_skip DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id FROM o WHERE EXISTS (SELECT FROM i WHERE i.k = o.k AND EXISTS (SELECT FROM s WHERE s.a = i.y AND s.b = o.x))

-- query nested_scalar DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, (SELECT max((SELECT sum(s.a) FROM s WHERE s.b = i.y)) FROM i WHERE i.k2 = o.k2) AS deep FROM o

-- query over_join DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, i.id AS other FROM o, i WHERE o.k = i.k AND i.amount = (SELECT max(z.amount) FROM i z WHERE z.k = o.k)

-- query row_compare DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, (o.k, o.x) = (SELECT i.k, i.y FROM i WHERE i.id = o.id) AS same FROM o

-- query array_of DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, ARRAY(SELECT i.amount FROM i WHERE i.k = o.k ORDER BY i.amount) AS amounts FROM o

-- query from_cte DIFFERENTIAL
-- expect-mode DIFFERENTIAL
WITH big AS (SELECT i.k, i.amount FROM i WHERE i.amount > 30), few (kk) AS (SELECT big.k FROM big WHERE big.amount < 50)
SELECT o.id, (SELECT count(*) FROM big WHERE big.k = o.k) AS n FROM o WHERE o.k IN (SELECT few.kk FROM few) OR o.x = 0

-- query without_from DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT (SELECT count(*) FROM o) AS os, (SELECT sum(i.amount) FROM i) AS total, 'x' AS c

-- query set_operation_inside DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id FROM o WHERE o.x IN (SELECT s.a FROM s UNION SELECT i.y FROM i WHERE i.id > 50)

-- query correlated_union DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id FROM o WHERE EXISTS (SELECT FROM s WHERE s.a = o.x UNION ALL SELECT FROM i WHERE i.k = o.k AND i.amount > 57)

-- step both sides of a match
DELETE FROM o WHERE id <= 5;
DELETE FROM i WHERE k IN (1, 2, 3) OR id > 55;
INSERT INTO s VALUES (4, 4), (1, NULL);

-- step keys move, NULLs appear
UPDATE o SET k = k + 1 WHERE id % 3 = 0;
UPDATE i SET k = NULL WHERE id % 10 = 0;
UPDATE i SET y = y + 1 WHERE id % 4 = 0;
UPDATE s SET b = 2 WHERE b IS NULL;

-- step there and back in one batch
INSERT INTO i SELECT n, n % 14, n % 11, 3, 1000 FROM generate_series(100, 120) n;
DELETE FROM i WHERE id BETWEEN 100 AND 115;
UPDATE o SET x = x + 1;
UPDATE o SET x = x - 1 WHERE id % 2 = 0;

-- step nothing inside
DELETE FROM s;
DELETE FROM i WHERE amount > 10;

-- step everything back
INSERT INTO s VALUES (1, 2), (2, 3), (5, NULL);
INSERT INTO i SELECT n, n % 13, n % 7, n % 5, n FROM generate_series(200, 260) n;
INSERT INTO o SELECT n, n % 13, n % 7, n % 5, 'new' FROM generate_series(200, 220) n;

-- step truncate
TRUNCATE i;

-- step after truncate
INSERT INTO i SELECT n, n % 13, n % 7, n % 5, n FROM generate_series(1, 40) n;
DELETE FROM o WHERE id % 2 = 0;
