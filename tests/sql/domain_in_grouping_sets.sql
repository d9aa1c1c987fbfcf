-- A grouping key of a domain type: the table has the domain, the masked key the base type.
-- setup
CREATE DOMAIN small AS int CHECK (VALUE < 1000);
CREATE TABLE t (k small, v text, n numeric);
INSERT INTO t VALUES (1, 'a', 1.5), (1, 'b', 2), (2, 'a', NULL), (NULL, NULL, 1);

-- query sets DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k, GROUPING(k) AS g, avg(n) AS mean FROM t GROUP BY GROUPING SETS ((), (), (k))

-- query cube DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k, v, count(*) AS c FROM t GROUP BY CUBE (k, v)

-- query distinct_of_sets DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT k, GROUPING(k) AS g, avg(n) AS mean FROM t GROUP BY GROUPING SETS ((), (), (k))

-- query joined DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.k, q.c FROM t LEFT JOIN (SELECT k, count(*) AS c FROM t GROUP BY ROLLUP (k)) AS q ON q.k = t.k

-- query top DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k, v, count(*) AS c FROM t GROUP BY CUBE (k, v) ORDER BY 3 DESC, 1, 2 LIMIT 4

-- query united DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k FROM t GROUP BY ROLLUP (k) EXCEPT SELECT k FROM t WHERE n > 1

-- step
UPDATE t SET k = k + 1 WHERE v = 'a';
INSERT INTO t VALUES (7, 'c', 1), (NULL, 'c', 2);

-- step
DELETE FROM t WHERE k > 2 OR v IS NULL;
UPDATE t SET n = 9;

-- step
DELETE FROM t;
