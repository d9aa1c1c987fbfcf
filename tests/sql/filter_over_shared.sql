-- A filter over a CTE that is referenced twice stays above the CTE's projection, whose columns are not those of the
-- state: rows that the filter hides were looked for by the state's column of the same name, or by one that does not
-- exist.
-- setup
CREATE TABLE t (a int, g int);
INSERT INTO t VALUES (1, 1), (2, 1), (3, 2), (4, 3), (5, 3), (6, 3);

-- query constant DIFFERENTIAL
-- expect-mode DIFFERENTIAL
WITH c AS (SELECT g AS c1, NULL AS c4 FROM t GROUP BY g), unused AS (SELECT FROM c) SELECT c4, c1 FROM c WHERE NOT (c4 < 'b')

-- query swapped DIFFERENTIAL
-- expect-mode DIFFERENTIAL
WITH c AS (SELECT g AS n, count(*) AS g FROM t GROUP BY g), unused AS (SELECT FROM c) SELECT n, g FROM c WHERE g > 1

-- query twice DIFFERENTIAL
-- expect-mode DIFFERENTIAL
WITH c AS (SELECT g AS s, sum(a) AS g, count(*) AS a FROM t GROUP BY g), d AS (SELECT s, g + a AS a, a AS g FROM c WHERE g < 20),
  unused AS (SELECT FROM c, d)
SELECT s, g, a FROM d WHERE a > 3 AND g < 3

-- step a group falls below the threshold
DELETE FROM t WHERE a = 1;

-- step groups cross both thresholds
INSERT INTO t VALUES (7, 2), (8, 2), (9, NULL), (10, NULL);

-- step
UPDATE t SET g = 1 WHERE a IN (4, 5);

-- step
DELETE FROM t WHERE a IN (7, 9);

-- step
UPDATE t SET a = a + 10;

-- step
DELETE FROM t;
