-- world materialized
-- setup
CREATE SEQUENCE ids START 100;
CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL);
INSERT INTO t SELECT i, i FROM generate_series(1, 20) i;
CREATE MATERIALIZED VIEW m AS SELECT id, v FROM t WHERE v > 3;
-- query
SELECT m.id, m.v, t.v AS now FROM m JOIN t USING (id)
-- other
SELECT count(*) AS n FROM t
-- write
INSERT INTO t SELECT nextval('ids'), i FROM generate_series(1, 9) i; UPDATE t SET v = v + 3 WHERE id % 5 = 0

-- rows
refresh it | equals | REFRESH MATERIALIZED VIEW m
rename it | equals | ALTER MATERIALIZED VIEW m RENAME TO n
rename a column of it | equals | ALTER MATERIALIZED VIEW m RENAME COLUMN v TO w
drop it | stops materialized view drift\.m was dropped | DROP MATERIALIZED VIEW m CASCADE
  cure: CREATE MATERIALIZED VIEW m AS SELECT id, v FROM t
drop and create it | equals | DROP MATERIALIZED VIEW m CASCADE; CREATE MATERIALIZED VIEW m AS SELECT id, v * 2 AS v FROM t
