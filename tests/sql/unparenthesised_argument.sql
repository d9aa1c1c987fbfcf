-- Arguments of aggregates that are expressions with operators of low precedence.
-- setup
CREATE TABLE t (k int, a int8, b int8, c bool);
INSERT INTO t VALUES (1, NULL, 1, NULL), (1, 3, 5, false), (2, NULL, 9, NULL), (3, 5, 2, true), (3, 7, 2, true);

-- query a_bool_or DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k, bool_and(a = a OR b = 1) AS x, count(a = a OR b = 1) AS n FROM t GROUP BY k

-- query b_count DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k, count(NOT c) AS n, count(c IS NULL) AS m, count(a > 3 AND c) AS o, count(a BETWEEN 1 AND 4) AS p, count(c = (a IS NULL)) AS q FROM t GROUP BY k

-- query c_sum_div DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k, sum(a / 2) AS n, avg(b / 2) AS m, sum(-a) AS o, sum(a % 2) AS p, stddev_pop(a / 2) AS q, sum(CASE WHEN c THEN a ELSE b END) AS r FROM t GROUP BY k

-- query d_minmax DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k, max(a / 2) AS n, min(b - a) AS m, bool_or(a > 3 OR c) AS o, every(NOT c OR a > 3) AS p FROM t GROUP BY k

-- query e_is_distinct DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k, count(a IS NOT DISTINCT FROM b) AS n, bool_and(a IS DISTINCT FROM 3) AS o FROM t GROUP BY k

-- step
INSERT INTO t VALUES (1, NULL, 3, true), (2, 9, 3, NULL), (4, 5, 5, NULL);
DELETE FROM t WHERE a = 5 AND k = 3;

-- step
DELETE FROM t WHERE a = 7;
UPDATE t SET c = NOT c;
