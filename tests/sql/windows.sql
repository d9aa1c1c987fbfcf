-- Window functions: every row of an affected partition can change; NULL partitions, no partition, several partitionings.
-- setup
CREATE TABLE t (id int PRIMARY KEY, g int, h text, x int);
CREATE TABLE u (k int, y int);
INSERT INTO t SELECT i, CASE WHEN i % 10 = 0 THEN NULL ELSE i % 12 END, 'h' || i % 5, (i * 37) % 51 FROM generate_series(1, 120) i;
INSERT INTO u SELECT i % 9, i % 20 FROM generate_series(1, 40) i;

-- query ranks DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.g, rank() OVER (PARTITION BY t.g ORDER BY t.x) AS r, row_number() OVER (PARTITION BY t.g ORDER BY t.x DESC, t.id) AS n FROM t

-- query running DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, sum(t.x) OVER (PARTITION BY t.g, t.h ORDER BY t.id) AS s, lag(t.x, 1) OVER (PARTITION BY t.h ORDER BY t.id) AS before FROM t

-- query shares DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.x - avg(t.x) OVER (PARTITION BY t.id % 4) AS d FROM t WHERE t.x > 5

-- query whole DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, count(*) OVER () AS n, dense_rank() OVER (ORDER BY t.x DESC) AS r FROM t

-- query equal_rows DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.y, count(*) OVER (PARTITION BY u.k) AS n, max(u.y) OVER (PARTITION BY u.k ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS m FROM u

-- query of_aggregate DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.h, t.g, sum(t.x) AS s, rank() OVER (PARTITION BY t.h ORDER BY sum(t.x) DESC) AS r FROM t GROUP BY t.h, t.g

-- query best DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT w.g, w.id, u.y FROM (SELECT t.g, t.id, row_number() OVER (PARTITION BY t.g ORDER BY t.x, t.id) AS n FROM t) w JOIN u ON u.k = w.g WHERE w.n <= 2 AND w.g < 8

-- query counted DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT w.n, count(*) AS c FROM (SELECT count(*) OVER (PARTITION BY u.k) AS n FROM u) w GROUP BY w.n

-- step
DELETE FROM t WHERE id IN (1, 14, 27, 40);
INSERT INTO t VALUES (1000, NULL, 'h1', 3), (1001, 99, NULL, 4);
INSERT INTO u VALUES (3, 3), (3, 3), (NULL, 1);

-- step
UPDATE t SET g = g + 1 WHERE id % 20 = 3;
DELETE FROM u WHERE y = 3;

-- step
UPDATE t SET x = x + 1 WHERE id = 50;
UPDATE t SET g = NULL WHERE g = 4;

-- step
DELETE FROM t WHERE g IS NULL;
TRUNCATE u;

-- step
DELETE FROM t;
INSERT INTO u VALUES (1, 1), (1, 1);

-- step
INSERT INTO t VALUES (1, 1, 'a', 1), (2, 1, 'a', NULL);
