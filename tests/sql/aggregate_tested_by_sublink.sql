-- The value that a subquery tests belongs to the query around it: aggregates in it make that query grouped, though there is
-- none outside of subqueries.
-- setup
CREATE TABLE t (k int, v text, d bool);
CREATE TABLE u (k int, b bool);
INSERT INTO t VALUES (1, 'a', true), (2, 'b', NULL), (2, 'c', false);
INSERT INTO u VALUES (1, true), (3, true), (NULL, NULL);

-- query one DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT count(a.k) IN (SELECT s.k FROM u s) AS x FROM t a

-- query several DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT (count(a.k), bool_or(a.d AND a.v = 'a')) < ANY (SELECT s.k, true FROM u s) AS x FROM t a, t b

-- query with_subquery_inside DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT max(a.k + (SELECT count(*) FROM u s WHERE s.k = a.k)) = ALL (SELECT s.k FROM u s WHERE s.b) AS x FROM t a

-- query filtered DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT count(*) AS n FROM t HAVING max(k) NOT IN (SELECT s.k FROM u s WHERE s.k IS NOT NULL)

-- query ordered DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k FROM t GROUP BY k ORDER BY sum(k) IN (SELECT s.k FROM u s) DESC NULLS LAST, k LIMIT 1

-- query over_window
-- expect-mode FULL
SELECT k, row_number() OVER (ORDER BY k, v) IN (SELECT s.k FROM u s) AS x FROM t

-- step
INSERT INTO t VALUES (3, 'b', true);
INSERT INTO u VALUES (4, true), (2, false);

-- step
DELETE FROM u WHERE k IS NULL OR k = 3;
UPDATE t SET d = NOT d, k = k + 1;

-- step
DELETE FROM t;
