-- world types
-- setup
CREATE SEQUENCE ids START 100;
CREATE TYPE phase AS ENUM ('new', 'open', 'closed');
CREATE DOMAIN pos AS int CHECK (VALUE > -1000);
CREATE TYPE pair AS (a int, b text);
CREATE TABLE t (id int PRIMARY KEY, p phase NOT NULL, d pos, c pair, v int);
INSERT INTO t SELECT i, (ARRAY['new', 'open', 'closed'])[1 + i % 3]::phase, i, ROW(i, 'b' || i)::pair, i FROM generate_series(1, 20) i;
-- query
SELECT id, p, p::text AS name, p = 'open' AS is_open FROM t WHERE p <> 'closed'
-- other
SELECT v, count(*) AS n FROM t GROUP BY v
-- write
INSERT INTO t SELECT nextval('ids'), enum_first(NULL::phase), i, ROW(i, 'x')::pair, i FROM generate_series(1, 5) i; UPDATE t SET p = enum_last(NULL::phase) WHERE id % 5 = 0; DELETE FROM t WHERE id = (SELECT min(id) FROM t)

-- rows
rename a label | equals | ALTER TYPE phase RENAME VALUE 'open' TO 'busy'
  daemon:
rename a label that a cast to text shows | equals | ALTER TYPE phase RENAME VALUE 'new' TO 'fresh'
  query: SELECT id, p::text || '!' AS name FROM t
rename a label that groups | equals | ALTER TYPE phase RENAME VALUE 'new' TO 'fresh'
  query: SELECT p::text AS name, count(*) AS n FROM t GROUP BY 1
labels swap | equals | ALTER TYPE phase RENAME VALUE 'new' TO 'x'; ALTER TYPE phase RENAME VALUE 'open' TO 'new'; ALTER TYPE phase RENAME VALUE 'x' TO 'open'
add a label | equals | ALTER TYPE phase ADD VALUE 'ajar' BEFORE 'closed'
  query: SELECT max(p) AS most, min(p) AS least FROM t
  then: INSERT INTO t SELECT nextval('ids'), 'new', i, ROW(i, 'x')::pair, i FROM generate_series(1, 5) i
rename a type that a constant names | equals | CREATE SCHEMA elsewhere; ALTER TYPE phase SET SCHEMA elsewhere; ALTER TYPE elsewhere.phase RENAME TO state
  query: SELECT id, 'drift.phase'::regtype::oid::bigint AS o, 'drift.phase' AS name FROM t
  then: INSERT INTO t (id, p, v) VALUES (nextval('ids'), 'open', 1)
rename a type | equals | ALTER TYPE phase RENAME TO state
  then: INSERT INTO t SELECT nextval('ids'), 'open', i, ROW(i, 'x')::pair, i FROM generate_series(1, 5) i; UPDATE t SET p = 'closed' WHERE id % 4 = 0
another type takes its name | equals | ALTER TYPE phase RENAME TO state; CREATE TYPE phase AS ENUM ('x', 'y')
  then: INSERT INTO t SELECT nextval('ids'), 'open', i, ROW(i, 'x')::pair, i FROM generate_series(1, 5) i; UPDATE t SET p = 'closed' WHERE id % 4 = 0
move a type | equals | CREATE SCHEMA elsewhere; ALTER TYPE phase SET SCHEMA elsewhere
  then: INSERT INTO t SELECT nextval('ids'), 'open', i, ROW(i, 'x')::pair, i FROM generate_series(1, 5) i; UPDATE t SET p = 'closed' WHERE id % 4 = 0
drop a type | stops (column p of (table )?drift\.t|type drift\.phase) was dropped | DROP TYPE phase CASCADE
  then: INSERT INTO t (id, v) VALUES (nextval('ids'), 1)
an attribute comes | equals | ALTER TYPE pair ADD ATTRIBUTE z int
  query: SELECT id, c, (c).b AS b FROM t
  then: UPDATE t SET c = ROW(1, 'q', 2) WHERE id % 3 = 0
an attribute goes | equals | DROP VIEW st_view; ALTER TYPE pair DROP ATTRIBUTE a
  query: SELECT id, c, (c).b AS b FROM t
  then: UPDATE t SET c = ROW('q') WHERE id % 3 = 0
an attribute that is named goes | stops column "?a"?.* | DROP VIEW st_view; ALTER TYPE pair DROP ATTRIBUTE a
  query: SELECT id, (c).a AS a FROM t
  then: UPDATE t SET c = ROW('q') WHERE id % 3 = 0
-- The names of attributes are not followed: it is built from the text that the user wrote.
rename an attribute that is named | stops column "a" not found in data type pair | ALTER TYPE pair RENAME ATTRIBUTE a TO aa
  query: SELECT id, (c).a AS a, to_jsonb(c) AS j FROM t
  cure: ALTER TYPE pair RENAME ATTRIBUTE aa TO a
rename an attribute | equals | ALTER TYPE pair RENAME ATTRIBUTE a TO aa
  query: SELECT id, (c).b AS b, to_jsonb(c) AS j FROM t
rename a composite type | equals | ALTER TYPE pair RENAME TO couple
  then: INSERT INTO t SELECT nextval('ids'), 'new', i, ROW(i, 'x')::couple, i FROM generate_series(1, 5) i
  query: SELECT id, (c).a AS a, ROW(1, 'x')::pair AS r FROM t
a type comes first in the path | equals | CREATE TYPE phase2 AS ENUM ('open'); ALTER TABLE t RENAME COLUMN v TO w; ALTER TABLE t RENAME COLUMN w TO v
  setup: CREATE TYPE public.phase2 AS ENUM ('new', 'open', 'closed')
  query: SELECT id, p::text::phase2 AS p2 FROM t
  undo: DROP TYPE public.phase2 CASCADE
a constraint of a domain comes | equals | ALTER DOMAIN pos ADD CONSTRAINT big CHECK (VALUE < 100000)
  query: SELECT id, d, v::pos AS vd FROM t
-- Stored values must meet it already: PostgreSQL looks at all columns of the domain, those of stream tables too.
a constraint of a domain that the query violates | stops value for domain drift\.pos violates check constraint "small" | ALTER DOMAIN pos ADD CONSTRAINT small CHECK (VALUE < 1000);
  more: INSERT INTO t (id, p, v) VALUES (nextval('ids'), 'new', 5000)
  query: SELECT id, v::pos AS vd FROM t
  cure: ALTER DOMAIN pos DROP CONSTRAINT small
a constraint of a domain goes | equals | ALTER DOMAIN pos DROP CONSTRAINT pos_check
  query: SELECT id, d, v::pos AS vd FROM t
  then: INSERT INTO t VALUES (nextval('ids'), 'new', -5000, NULL, -5000)
a domain is not null no longer | equals | ALTER DOMAIN nn DROP NOT NULL
  setup: CREATE DOMAIN nn AS int NOT NULL; ALTER TABLE t ADD COLUMN n nn DEFAULT 5
  query: SELECT n, count(*) AS k FROM t GROUP BY n
  write: INSERT INTO t SELECT nextval('ids'), 'new', i, NULL, i, i FROM generate_series(1, 5) i
  then: INSERT INTO t SELECT nextval('ids'), 'new', i, NULL, i, nullif(i, 3) FROM generate_series(1, 5) i
default of a domain | equals | ALTER DOMAIN pos SET DEFAULT 5
  query: SELECT id, d, v::pos AS vd FROM t
rename a domain | equals | ALTER DOMAIN pos RENAME TO positive
  query: SELECT id, d, v::pos AS vd FROM t
move a domain | equals | CREATE SCHEMA elsewhere; ALTER DOMAIN pos SET SCHEMA elsewhere
  query: SELECT id, d, v::pos AS vd FROM t
drop a domain | stops (type|domain|column).*(was dropped|does not exist) | DROP VIEW st_view; DROP DOMAIN pos CASCADE
  query: SELECT id, v::pos AS vd FROM t
  then: INSERT INTO t (id, p, v) SELECT nextval('ids'), 'new', i FROM generate_series(1, 5) i
another body of a domain's check | equals | CREATE OR REPLACE FUNCTION ok(x int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x > -5; END'
  setup: CREATE FUNCTION ok(x int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x > 0; END'; CREATE DOMAIN okay AS int CHECK (ok(VALUE))
  query: SELECT id, v::okay AS vo FROM t
  then: INSERT INTO t VALUES (nextval('ids'), 'new', 1, NULL, -3)
a cast comes | equals | CREATE FUNCTION to_int(x phase) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 5'; CREATE CAST (phase AS int) WITH FUNCTION to_int(phase)
-- Another function or operator than the query had is not taken, although PostgreSQL would read the text so.
drop and create a cast | stops it would use function drift\.two\(drift\.phase\) | DROP VIEW st_view; DROP CAST (phase AS int); CREATE CAST (phase AS int) WITH FUNCTION two(phase)
  cure: DROP VIEW IF EXISTS st_view; DROP CAST (phase AS int); CREATE CAST (phase AS int) WITH FUNCTION one(phase)
  setup: CREATE FUNCTION one(x phase) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE FUNCTION two(x phase) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2'; CREATE CAST (phase AS int) WITH FUNCTION one(phase)
  query: SELECT id, p::int AS n FROM t
drop a cast | stops cannot cast type .*phase to integer | DROP VIEW st_view; DROP CAST (phase AS int)
  setup: CREATE FUNCTION one(x phase) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE CAST (phase AS int) WITH FUNCTION one(phase)
  query: SELECT id, p::int AS n FROM t
another body of a cast | equals | CREATE OR REPLACE FUNCTION one(x phase) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 2; END'
  setup: CREATE FUNCTION one(x phase) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 1; END'; CREATE CAST (phase AS int) WITH FUNCTION one(phase)
  query: SELECT id, p::int AS n FROM t
a type comes and goes | unchanged | CREATE TYPE x AS (a int); DROP TYPE x; CREATE DOMAIN y AS int; DROP DOMAIN y
