-- world recomputed
-- setup
CREATE SEQUENCE ids START 100;
CREATE TABLE u (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO u SELECT i, 'u' || i FROM generate_series(0, 4) i;
CREATE TABLE t (id int PRIMARY KEY, u_id int REFERENCES u, v int NOT NULL, note text DEFAULT 'x');
INSERT INTO t SELECT i, i % 5, i FROM generate_series(1, 20) i;
-- query FULL
SELECT t.id, t.v, u.name FROM t JOIN u ON u.id = t.u_id WHERE t.v > 3
-- other
SELECT u_id, count(*) AS n FROM t GROUP BY u_id
-- write
INSERT INTO t (id, u_id, v) SELECT nextval('ids'), i, i + 5 FROM generate_series(0, 2) i;
UPDATE t SET v = v + 1 WHERE id % 4 = 0;
UPDATE u SET name = name || '!' WHERE id = 1;

-- rows
rename the table | equals | ALTER TABLE t RENAME TO t2
  then: INSERT INTO t2 (id, u_id, v) VALUES (nextval('ids'), 1, 50); UPDATE t2 SET v = v + 1 WHERE id % 4 = 0
another table takes its name | equals | ALTER TABLE t RENAME TO t2; CREATE TABLE t (LIKE t2 INCLUDING ALL)
  then: INSERT INTO t2 (id, u_id, v) VALUES (nextval('ids'), 1, 50); INSERT INTO t (id, u_id, v) VALUES (nextval('ids'), 1, 60)
another column takes its name | equals | ALTER TABLE t RENAME COLUMN v TO w; ALTER TABLE t ADD COLUMN v int NOT NULL DEFAULT 77
  then: INSERT INTO t (id, u_id, w) VALUES (nextval('ids'), 1, 50); UPDATE t SET w = w + 1 WHERE id % 4 = 0
move the table to another schema | equals | CREATE SCHEMA elsewhere; ALTER TABLE t SET SCHEMA elsewhere
  then: INSERT INTO elsewhere.t (id, u_id, v) VALUES (nextval('ids'), 1, 50); UPDATE elsewhere.t SET v = v + 1 WHERE id % 4 = 0
a wider type | equals | DROP VIEW st_view; ALTER TABLE t ALTER COLUMN v TYPE bigint
drop a column | stops column v of (table )?drift\.t was dropped | DROP VIEW st_view; ALTER TABLE t DROP COLUMN v
  then: INSERT INTO t (id, u_id) VALUES (nextval('ids'), 1); DELETE FROM t WHERE id = (SELECT min(id) FROM t)
drop the table | stops table drift\.t was dropped | DROP VIEW st_view; DROP TABLE t
  other: none
  then: none
  cure: CREATE TABLE t (id int PRIMARY KEY, u_id int REFERENCES u, v int NOT NULL, note text DEFAULT 'x'); INSERT INTO t VALUES (1, 1, 9)
drop and create the table | equals | DROP VIEW IF EXISTS st_view, other_view; DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, u_id int REFERENCES u, v int NOT NULL, note text DEFAULT 'x'); INSERT INTO t VALUES (5, 1, 9), (8, 2, 10)
a function with another body | equals | CREATE OR REPLACE FUNCTION f(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x * 100; END'
  setup: CREATE FUNCTION f(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x * 10; END'
  query: SELECT id, f(v) AS fv FROM t
another function takes its name | equals | ALTER FUNCTION f(int) RENAME TO old_f; CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x * 100'
  setup: CREATE FUNCTION f(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x * 10; END'
  query: SELECT id, f(v) AS fv FROM t
