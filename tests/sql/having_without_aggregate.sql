-- HAVING (or aggregation) without any aggregate, key or column.
-- setup
CREATE TABLE t (k int);
INSERT INTO t VALUES (1), (2);

-- query having_only DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT 4 AS c FROM t HAVING true

-- query having_false DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT 4 AS c FROM t HAVING 5 < 4

-- query where_is_not_evaluated DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT 1 AS one FROM t WHERE 1 / (k - 1) = 1 HAVING 1 < 2

-- query of_nothing DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT count(*) AS n FROM (SELECT 1 AS one FROM t WHERE k > 1 HAVING true) s

-- step
INSERT INTO t VALUES (1), (3);

-- step
DELETE FROM t;
