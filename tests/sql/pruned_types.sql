-- Columns that an operator adds (grouping sets, a function in FROM) keep their types when the columns below are pruned: a
-- delta that has to be consolidated needs them.
-- setup
CREATE TABLE t (k int, v text, r int4range);
CREATE TABLE u (k int, x int);
INSERT INTO t VALUES (1, 'a', '[1,3)'), (2, 'b', NULL), (NULL, 'b', '[2,9)');
INSERT INTO u VALUES (1, 1), (2, NULL), (3, 5);

-- query no_keys DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT max(1) AS m FROM t CROSS JOIN u GROUP BY GROUPING SETS ((), ())

-- query sets DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.v, max(u.k) AS m FROM t CROSS JOIN u GROUP BY CUBE (t.v, u.x)

-- query constant_function DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT f.n, range_intersect_agg(t.r) AS r FROM t JOIN generate_series(0, 1) AS f (n) ON true GROUP BY 1

-- query function DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT f.nr, max(t.v) AS m FROM t CROSS JOIN u, generate_series(0, t.k) WITH ORDINALITY AS f (n, nr) GROUP BY 1

-- step
INSERT INTO t VALUES (1, 'c', '[2,7)'), (3, NULL, '[2,3)');
INSERT INTO u VALUES (4, 1);

-- step
UPDATE t SET k = k + 1;
DELETE FROM u WHERE k = 3;

-- step everything goes
DELETE FROM t;
