-- group Window functions
-- setup
CREATE TABLE t (id int PRIMARY KEY, g int, h text, x int);
CREATE TABLE u (k int, y int);
INSERT INTO t SELECT i, NULLIF(i % 5, 4), 'h' || i % 3, NULLIF(i % 8, 6) FROM generate_series(1, 25) i;
INSERT INTO u SELECT i % 4, i % 3 FROM generate_series(1, 10) i;

-- query ranks DIFFERENTIAL
-- feature row_number, rank, dense_rank, percent_rank, cume_dist, ntile
SELECT t.id, row_number() OVER w AS rn, rank() OVER (PARTITION BY t.g ORDER BY t.x) AS r, dense_rank() OVER (PARTITION BY t.g ORDER BY t.x) AS d, percent_rank() OVER w AS p, cume_dist() OVER w AS c, ntile(2) OVER w AS n FROM t WINDOW w AS (PARTITION BY t.g ORDER BY t.x, t.id)

-- query neighbours DIFFERENTIAL
-- feature lag, lead, first_value, last_value, nth_value
SELECT t.id, lag(t.x, 1, -1) OVER w AS before, lead(t.x) OVER w AS after, first_value(t.x) OVER w AS f, last_value(t.x) OVER w AS l, nth_value(t.x, 2) OVER w AS n FROM t WINDOW w AS (PARTITION BY t.h ORDER BY t.id)

-- query running DIFFERENTIAL
-- feature aggregates OVER (PARTITION BY .. ORDER BY)
SELECT t.id, sum(t.x) OVER (PARTITION BY t.g ORDER BY t.id) AS s, avg(t.x) OVER (PARTITION BY t.g) AS a FROM t

-- query frames DIFFERENTIAL
-- feature frames: ROWS, RANGE, GROUPS, EXCLUDE
SELECT t.id, sum(t.x) OVER (PARTITION BY t.g ORDER BY t.id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS a, count(*) OVER (PARTITION BY t.g ORDER BY t.id RANGE BETWEEN 5 PRECEDING AND CURRENT ROW) AS b, count(*) OVER (PARTITION BY t.g ORDER BY t.h GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES) AS c FROM t

-- query several_partitions DIFFERENTIAL
-- feature several partitionings
SELECT t.id, count(*) OVER (PARTITION BY t.g) AS by_g, count(*) OVER (PARTITION BY t.h) AS by_h FROM t

-- query filtered DIFFERENTIAL
-- feature FILTER in a window function
SELECT t.id, count(*) FILTER (WHERE t.x > 2) OVER (PARTITION BY t.g) AS n FROM t

-- query unpartitioned DIFFERENTIAL
-- feature OVER () without PARTITION BY
SELECT t.id, count(*) OVER () AS n, rank() OVER (ORDER BY t.x DESC) AS r FROM t

-- query by_expression DIFFERENTIAL
-- feature PARTITION BY expression
SELECT t.id, t.x - avg(t.x) OVER (PARTITION BY t.id % 4) AS d FROM t

-- query over_aggregate DIFFERENTIAL
-- feature over an aggregate
SELECT t.h, t.g, sum(t.x) AS s, rank() OVER (PARTITION BY t.h ORDER BY sum(t.x) DESC NULLS LAST) AS r FROM t GROUP BY t.h, t.g

-- query over_join DIFFERENTIAL
-- feature over a join
SELECT t.id, u.y, count(*) OVER (PARTITION BY t.g) AS n FROM t JOIN u ON u.k = t.g

-- query below DIFFERENTIAL
-- feature below other operators (the best rows of each group)
SELECT w.g, w.id FROM (SELECT t.g, t.id, row_number() OVER (PARTITION BY t.g ORDER BY t.x, t.id) AS n FROM t) w WHERE w.n <= 2

-- query limited DIFFERENTIAL
-- feature with ORDER BY and LIMIT
SELECT t.id, rank() OVER (PARTITION BY t.g ORDER BY t.x) AS r FROM t ORDER BY r DESC, t.id LIMIT 5

-- step
DELETE FROM t WHERE id % 4 = 0;
INSERT INTO t VALUES (100, 1, 'h1', 3), (101, NULL, NULL, NULL), (102, 7, 'h0', 1);
INSERT INTO u VALUES (1, 9), (7, 7);

-- step
UPDATE t SET g = 2, x = x + 1 WHERE g = 1 OR id % 5 = 0;
DELETE FROM u WHERE y = 1;

-- step
DELETE FROM t;
