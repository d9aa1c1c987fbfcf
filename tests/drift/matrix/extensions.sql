-- world extensions
-- setup
CREATE SEQUENCE ids START 100;
CREATE EXTENSION citext SCHEMA drift;
CREATE TABLE t (id int PRIMARY KEY, k citext, v int NOT NULL);
INSERT INTO t SELECT i, 'K' || i % 4, i FROM generate_series(1, 20) i;
-- query
SELECT k, count(*) AS n FROM t WHERE k <> 'k9' GROUP BY k
-- other
SELECT id, v FROM t WHERE v > 5
-- write
INSERT INTO t SELECT nextval('ids'), 'k' || i, i FROM generate_series(1, 9) i; UPDATE t SET v = v + 3 WHERE id % 5 = 0

-- rows
an extension moves | equals | CREATE SCHEMA elsewhere; ALTER EXTENSION citext SET SCHEMA elsewhere
an extension is updated | equals | ALTER EXTENSION citext UPDATE
an extension gives up a member | equals | ALTER EXTENSION citext DROP FUNCTION citext_eq(citext, citext)
an extension goes | stops (column k of (table )?drift\.t|type|extension).*(was dropped|does not exist) | DROP EXTENSION citext CASCADE
  then: INSERT INTO t SELECT nextval('ids'), i FROM generate_series(1, 9) i
-- It brings operators with names that the query uses (<>), which its text could mean.
another extension comes and goes | equals | CREATE EXTENSION hstore SCHEMA drift; DROP EXTENSION hstore
