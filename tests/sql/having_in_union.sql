-- An inner node without any column: HAVING alone, in a branch of UNION ALL.
-- setup
CREATE TABLE t (k int);
INSERT INTO t VALUES (1), (2);

-- query having_union DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k FROM t UNION ALL SELECT 4 AS c FROM t HAVING true

-- step
DELETE FROM t;
