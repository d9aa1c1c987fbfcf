-- count(DISTINCT (a, b)) in a nested query: FULL, "an intermediate result has no type that a table could have". The row
-- could be kept as its columns, or hashed (it is only compared).
-- setup
CREATE TABLE t (k int4, a int4, b text);
INSERT INTO t VALUES (1, 1, 'a'), (1, 1, 'a'), (1, NULL, 'a'), (2, 1, NULL);

-- query st DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT n, count(*) AS groups FROM (SELECT k, count(DISTINCT (a, b)) AS n FROM t GROUP BY k) s GROUP BY n

-- step
INSERT INTO t VALUES (1, 2, 'b'), (2, 1, NULL), (3, NULL, NULL);
DELETE FROM t WHERE a IS NULL;
