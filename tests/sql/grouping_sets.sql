-- GROUPING SETS, ROLLUP, CUBE, GROUPING(); NULLs in the data; sets of an empty table; DISTINCT aggregates beside others.
-- setup
CREATE TABLE f (id int PRIMARY KEY, a text, b int, c int, v int, n numeric);
INSERT INTO f SELECT i, CASE WHEN i % 5 = 0 THEN NULL ELSE 'a' || i % 3 END, CASE WHEN i % 7 = 0 THEN NULL ELSE i % 4 END,
  i % 2, CASE WHEN i % 6 = 0 THEN NULL ELSE i % 9 END, i % 7 FROM generate_series(1, 50) i;

-- query rolled DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a, b, count(*) AS n, sum(v) AS total, GROUPING(a, b) AS g FROM f GROUP BY ROLLUP (a, b)

-- query cubed DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a, b, c, min(v) AS low, GROUPING(a) + GROUPING(b) AS g FROM f GROUP BY CUBE (a, b, c)

-- query explicit_sets DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a, b, sum(n) AS total, string_agg(v::text, ',' ORDER BY v) AS vs FROM f GROUP BY GROUPING SETS ((a), (b), (a, b), ())

-- query composite_sets DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a, b, c, count(v) AS n FROM f GROUP BY c, ROLLUP ((a, b)) HAVING count(*) > 1

-- query distinct_sets DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a, b, count(*) AS n FROM f GROUP BY DISTINCT ROLLUP (a, b), ROLLUP (a, b)

-- query expression_sets DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT b + 1 AS b1, c, avg(v) AS mean, count(DISTINCT v) AS vs FROM f WHERE id > 2 GROUP BY ROLLUP (b + 1, c)

-- query only_total DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT count(*) AS n, max(v) AS top FROM f GROUP BY ()

-- query total_twice DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT count(*) AS n, sum(v) AS total FROM f GROUP BY GROUPING SETS ((), ())

-- query used_above DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT q.a, q.n FROM (SELECT a, b, count(*) AS n, GROUPING(b) AS g FROM f GROUP BY ROLLUP (a, b)) q WHERE q.g = 1 AND q.n > 2

-- query plain_grouping DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a, GROUPING(a) AS g, count(*) AS n FROM f GROUP BY a

-- query distinct_arguments DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a, count(DISTINCT b) AS bs, sum(DISTINCT v) AS vs, avg(DISTINCT n) AS ns, count(*) AS rows, sum(v) AS total,
  count(DISTINCT b) FILTER (WHERE c = 1) AS bs1, max(DISTINCT v) AS top FROM f GROUP BY a

-- query distinct_only DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c, count(DISTINCT a) AS n FROM f GROUP BY c

-- query distinct_global DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT count(DISTINCT a) AS n, count(DISTINCT (b % 2)) AS parity, min(v) AS low FROM f

-- query distinct_over_join DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x.a, count(DISTINCT y.b) AS n FROM f x JOIN f y ON x.c = y.c AND x.b = y.b GROUP BY x.a

-- step
DELETE FROM f WHERE a = 'a1';
INSERT INTO f SELECT i, 'a' || i % 4, i % 3, 1, 8, 1.50 FROM generate_series(100, 110) i;

-- step
UPDATE f SET a = NULL, v = v + 1 WHERE b = 2;
UPDATE f SET c = 1 - c WHERE id % 3 = 0;

-- step
DELETE FROM f;

-- step
INSERT INTO f VALUES (1, NULL, NULL, 0, NULL, NULL), (2, 'a1', NULL, 0, 3, 2);

-- step
TRUNCATE f;

-- step
INSERT INTO f SELECT i, 'a' || i % 3, i % 4, i % 2, i % 9, i FROM generate_series(1, 20) i;
