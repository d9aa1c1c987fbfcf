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

-- step
DELETE FROM t;
