-- Group keys and DISTINCT over expressions of every precedence, recomputed groups among them.
-- setup
CREATE TABLE t (k int, n numeric, b text, c bool, f float8, j jsonb);
INSERT INTO t SELECT CASE WHEN i % 5 = 0 THEN NULL ELSE i % 3 END, CASE WHEN i % 4 = 0 THEN NULL ELSE i * 0.5 END, CASE WHEN i % 6 > 0 THEN 'b' || i % 2 END, i % 3 = 0, i / 4.0, jsonb_build_object('a', i % 2) FROM generate_series(1, 30) i;

-- query a DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT n + k AS x, max(f) AS m, string_agg(b, ',' ORDER BY b) AS s FROM t GROUP BY n + k

-- query b DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c OR k = 1 AS x, max(f) AS m, count(DISTINCT b) AS s FROM t GROUP BY c OR k = 1

-- query c DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT b || k AS x, f * 2 AS y, j -> 'a' AS z, max(f) AS m, count(DISTINCT b) AS s FROM t GROUP BY b || k, f * 2, j -> 'a'

-- query d DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT n + k AS x, c IS NOT TRUE AS y, b || 'x' AS z, - f AS w FROM t

-- query e DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k IS NOT DISTINCT FROM 1 AS x, NOT c AS y, max(n) AS z, min(- n) AS w, max(b || 'x') AS v, bool_or(NOT c) AS u FROM t GROUP BY k IS NOT DISTINCT FROM 1, NOT c

-- query f DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a.k, b.n FROM t a JOIN t b ON (a.c OR a.k = 1) = (b.c OR b.k = 2) AND a.n + 1 = - b.n + 3

-- step
DELETE FROM t WHERE f > 5;
UPDATE t SET k = NULL WHERE f < 1;

-- step
INSERT INTO t VALUES (NULL, NULL, NULL, NULL, NULL, NULL), (1, 0.5, 'b1', true, 1, NULL);
UPDATE t SET n = n + 0.50, c = NOT c;

-- step
DELETE FROM t WHERE c;
