-- Aggregates over aggregates, joins with aggregated subqueries, CTEs, views, DISTINCT and UNION ALL in every position.
-- setup
CREATE TABLE t (id int PRIMARY KEY, a int, b text, x int);
CREATE TABLE u (k int, y int);
INSERT INTO t SELECT i, i % 12, CASE WHEN i % 10 = 0 THEN NULL ELSE 'b' || i % 5 END, i % 30 FROM generate_series(1, 240) i;
INSERT INTO u SELECT i % 15, i FROM generate_series(1, 60) i;
CREATE VIEW tv AS SELECT a, b, sum(x) AS sx, count(*) AS n FROM t GROUP BY a, b;
CREATE VIEW tv2 (aa, total) AS SELECT tv.a, max(tv.sx) FROM tv WHERE tv.n > 1 GROUP BY tv.a;

-- query agg_of_agg DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT b, count(*) AS groups, max(sx) AS top, min(sx) AS low, sum(n) AS n FROM (SELECT a, b, sum(x) AS sx, count(*) AS n FROM t GROUP BY a, b) s GROUP BY b

-- query three_levels DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT count(*) AS n, sum(m) AS s FROM (SELECT n, max(sx) AS m FROM (SELECT a, b, sum(x) AS sx, count(*) AS n FROM t GROUP BY a, b) s GROUP BY n) q

-- query join_agg DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.x, s.total, s.n FROM t JOIN (SELECT k, sum(y) AS total, count(*) AS n FROM u GROUP BY k) s ON s.k = t.a WHERE s.total > 50

-- query agg_join_agg DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT s.a, s.sx, q.total FROM (SELECT a, sum(x) AS sx FROM t GROUP BY a) s JOIN (SELECT k, sum(y) AS total FROM u GROUP BY k) q ON q.k = s.a

-- query from_views DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT v.aa, v.total, u.y FROM tv2 v JOIN u ON u.k = v.aa

-- query twice DIFFERENTIAL
-- expect-mode DIFFERENTIAL
WITH s AS (SELECT a, sum(x) AS sx FROM t GROUP BY a), big AS (SELECT * FROM s WHERE sx > 100)
SELECT s1.a, s1.sx, s2.a AS other FROM s s1 JOIN big s2 ON s2.sx > s1.sx

-- query distinct_rows DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT a, b FROM t

-- query distinct_agg DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT count(*) AS n, max(x) AS m FROM t GROUP BY a, b

-- query agg_distinct DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT b, count(*) AS n FROM (SELECT DISTINCT a, b FROM t) d GROUP BY b

-- query unions DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a, x FROM t WHERE x > 10 UNION ALL SELECT k, y FROM u UNION ALL SELECT a, sum(x) FROM t GROUP BY a

-- query agg_union DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT z.a, count(*) AS n, sum(z.v) AS s FROM (SELECT a, x AS v FROM t UNION ALL SELECT k, y * 1.5 FROM u) z WHERE z.v > 3 GROUP BY z.a

-- query join_union DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, z.v FROM t JOIN (SELECT a AS k, x::numeric AS v FROM t WHERE id < 20 UNION ALL SELECT k, y FROM u) z ON z.k = t.x

-- query having_join DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.a, u.k, count(*) AS n, avg(t.x + u.y) AS v FROM t JOIN u ON u.k = t.a GROUP BY t.a, u.k HAVING avg(t.x) > 10

-- query grouped_expr DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a % 3 AS m, upper(b) AS ub, sum(x) + count(*) AS s, 'const' AS k FROM t GROUP BY a % 3, upper(b)

-- query by_pk DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.b, t.x, count(*) AS n FROM t JOIN u ON u.k = t.a GROUP BY t.id

-- step
INSERT INTO t SELECT i, i % 14, 'b' || i % 6, i % 40 FROM generate_series(1000, 1030) i;
DELETE FROM u WHERE k = 3;
UPDATE u SET y = y + 100 WHERE k = 4;

-- step
UPDATE t SET a = a + 1, x = x - 3 WHERE id % 7 = 0;
DELETE FROM t WHERE a = 5;
INSERT INTO u VALUES (5, 1), (5, 1), (NULL, 7), (14, NULL);

-- step
UPDATE t SET b = NULL WHERE b = 'b1';
UPDATE t SET b = 'b1' WHERE b IS NULL AND id % 2 = 0;

-- step
DELETE FROM t WHERE id % 2 = 0;
DELETE FROM u WHERE y % 2 = 0;

-- step
UPDATE u SET k = k + 1;

-- step
TRUNCATE u;

-- step
INSERT INTO u SELECT i % 15, i FROM generate_series(1, 30) i;
DELETE FROM t;
