-- count(x) of a composite type: "x IS NOT NULL" is false for a row with a NULL in it, but count() counts it.
-- setup
CREATE TYPE pair AS (x int4, y text);
CREATE TABLE t (k int4, d pair);
INSERT INTO t VALUES (1, '(1,)'), (1, '(,)'), (2, NULL), (2, '(1,a)');

-- query st DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k, count(d) AS n FROM t GROUP BY k

-- step
INSERT INTO t VALUES (2, '(2,)'), (3, '(,)');
DELETE FROM t WHERE k = 1 AND d = '(1,)'::pair;
