-- world views
-- setup
CREATE SEQUENCE ids START 100;
CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL);
INSERT INTO t SELECT i, i FROM generate_series(1, 20) i;
CREATE VIEW inner_v AS SELECT id, v FROM t WHERE v > 3;
CREATE VIEW outer_v AS SELECT id, v FROM inner_v WHERE v < 100;
-- query
SELECT id, v FROM outer_v
-- other
SELECT count(*) AS n FROM t
-- write
INSERT INTO t SELECT nextval('ids'), i FROM generate_series(1, 9) i; UPDATE t SET v = v + 3 WHERE id % 5 = 0; DELETE FROM t WHERE id = (SELECT min(id) FROM t)

-- rows
replace the view | equals | CREATE OR REPLACE VIEW outer_v AS SELECT id, v * 10 AS v FROM inner_v
  daemon:
replace the view behind | equals | CREATE OR REPLACE VIEW inner_v AS SELECT id, v FROM t WHERE v > 7
replace it recomputed | equals | CREATE OR REPLACE VIEW inner_v AS SELECT id, v FROM t WHERE v > 7
  mode: FULL
replace the view with more columns | equals | CREATE OR REPLACE VIEW outer_v AS SELECT id, v, 7 AS w FROM inner_v
  query: SELECT o.* FROM outer_v o
replace the view's rule | equals | CREATE OR REPLACE RULE "_RETURN" AS ON SELECT TO outer_v DO INSTEAD SELECT id, v + 1000 AS v FROM inner_v
rename the view | equals | ALTER VIEW outer_v RENAME TO outermost
rename the view behind | equals | ALTER VIEW inner_v RENAME TO innermost
rename a column of the view | equals | ALTER VIEW outer_v RENAME COLUMN v TO w
rename a column behind | equals | ALTER VIEW inner_v RENAME COLUMN v TO w
rename the table behind | equals | ALTER TABLE t RENAME TO t2
  then: INSERT INTO t2 SELECT nextval('ids'), i FROM generate_series(1, 9) i
another view takes its name | equals | ALTER VIEW outer_v RENAME TO old_v; CREATE VIEW outer_v AS SELECT 1 AS id, 1 AS v
move the view | equals | CREATE SCHEMA elsewhere; ALTER VIEW inner_v SET SCHEMA elsewhere
options of the view | equals | ALTER VIEW outer_v SET (security_barrier = true)
drop the view | stops view drift\.outer_v was dropped | DROP VIEW outer_v CASCADE
  cure: CREATE VIEW outer_v AS SELECT id, v + 1 AS v FROM inner_v
drop the view behind | stops view drift\.(inner_v|outer_v) was dropped | DROP VIEW inner_v CASCADE
drop and create the view | equals | DROP VIEW outer_v CASCADE; CREATE VIEW outer_v AS SELECT id, v * 2 AS v FROM t
  daemon:
a view becomes a table | equals | DROP VIEW outer_v CASCADE; CREATE TABLE outer_v AS SELECT id, v FROM t
  then: INSERT INTO outer_v VALUES (nextval('ids'), 3); INSERT INTO t VALUES (nextval('ids'), 4)
a rule of a view | unchanged | CREATE RULE writes AS ON INSERT TO outer_v DO INSTEAD INSERT INTO t VALUES (NEW.id, NEW.v)
  then: INSERT INTO outer_v VALUES (nextval('ids'), 30); UPDATE t SET v = v + 3 WHERE id % 5 = 0
  unwatched: equals
another table behind | equals | CREATE TABLE t2 (id int, v int); INSERT INTO t2 VALUES (1, 50); CREATE OR REPLACE VIEW inner_v AS SELECT id, v FROM t2
  then: INSERT INTO t2 VALUES (nextval('ids'), 30); INSERT INTO t VALUES (nextval('ids'), 30)
values of the table behind | equals | DROP VIEW st_view, outer_v, inner_v; ALTER TABLE t ALTER COLUMN v TYPE int USING v * 5; CREATE VIEW inner_v AS SELECT id, v FROM t WHERE v > 3; CREATE VIEW outer_v AS SELECT id, v FROM inner_v WHERE v < 100
