-- The drift matrix: what happens to everything that the query of a stream table depends on, and what is expected then.
-- test_drift.cpp plays every row at five moments, with and without event triggers: before anything is written, between two
-- refreshes, within a transaction that writes, after the snapshot of a refresh, and during a refresh. Left out, unless PGT_DRIFT=all:
--
--   - of rows that expect "unchanged" all but "between" and "within": nothing happens that could be missed at some moment
--   - "during a refresh" without event triggers: the statement runs nothing of ours, so that it waits is all there is to it
--   - "within" of what cannot run in a transaction block
--
-- A world is what statements meet: "-- setup", "-- query [MODE]" (of drift.st), "-- other" (of drift.other, a neighbour on the
-- same source, which must go on), "-- write" (what writers do, again and again), "-- teardown" (what is not in the schemas drift
-- and elsewhere); "-- owner ROLE" is who creates drift.st. The search_path is drift, public.
--
-- A row is a line of "-- rows":   name | expectation | statements
--
--   equals         it equals its query: an ordinary view of the same text, made at the same time (drift.st_view, drift.other_view).
--                  Where the view is in the way of a statement, the row drops it, and it is made of the same text afterwards
--   unchanged      the same, and nothing was rebuilt
--   stops REGEX    it is not refreshed and says why
--   stalls REGEX   the same, as soon as something is to be applied
--   limit WHY      it is not noticed; once it is rebuilt, it equals its query
--
-- and indented lines below it say what is otherwise than in the world:
--
--   query: mode: other: write:   in its place; setup: in addition. "other: none": there is no neighbour
--   more: further statements, in the same transaction      then: what is written afterwards, "none" for nothing
--   cure: after a stop, statements after which it is built again and equals its query
--   unwatched: what is expected without event triggers     since: major version of the server
--   undo: statements at the end, for what is not dropped with the schema
--   alone: cannot run in a transaction block               daemon: one that is also played with a daemon

-- world tables
-- setup
CREATE SEQUENCE ids START 100;
CREATE TABLE u (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO u SELECT i, 'u' || i FROM generate_series(0, 4) i;
CREATE TABLE t (id int PRIMARY KEY, u_id int REFERENCES u, v int NOT NULL, note text DEFAULT 'x');
INSERT INTO t SELECT i, i % 5, i FROM generate_series(1, 20) i;
-- query
SELECT t.id, t.v, u.name FROM t JOIN u ON u.id = t.u_id WHERE t.v > 3
-- other
SELECT u_id, count(*) AS n FROM t GROUP BY u_id
-- write
INSERT INTO t (id, u_id, v) SELECT nextval('ids'), i, i + 5 FROM generate_series(0, 2) i;
UPDATE t SET v = v + 1 WHERE id % 4 = 0;
UPDATE u SET name = name || '!' WHERE id = 1;
DELETE FROM t WHERE id = (SELECT min(id) FROM t);

-- rows
rename the table | equals | ALTER TABLE t RENAME TO t2
  then: INSERT INTO t2 (id, u_id, v) VALUES (nextval('ids'), 1, 50); UPDATE t2 SET v = v + 1 WHERE id % 4 = 0
  daemon:
rename the other table | equals | ALTER TABLE u RENAME TO u2
  then: INSERT INTO t (id, u_id, v) VALUES (nextval('ids'), 1, 50); UPDATE u2 SET name = name || '?' WHERE id < 3
rename a column | equals | ALTER TABLE t RENAME COLUMN v TO w
  then: INSERT INTO t (id, u_id, w) VALUES (nextval('ids'), 1, 50); UPDATE t SET w = w + 1 WHERE id % 4 = 0
rename a column that is not read | unchanged | ALTER TABLE t RENAME COLUMN note TO remark
rename a table that a constant names | equals | ALTER TABLE t RENAME TO t2
  query: SELECT t.id, 't'::regclass::oid::bigint AS o, 't' AS letter FROM t
  then: INSERT INTO t2 (id, u_id, v) VALUES (nextval('ids'), 1, 50)
two columns swap names | equals | ALTER TABLE t RENAME COLUMN v TO x; ALTER TABLE t RENAME COLUMN id TO v; ALTER TABLE t RENAME COLUMN x TO id
  then: INSERT INTO t (v, u_id, id) VALUES (nextval('ids'), 1, 50); UPDATE t SET id = id + 1 WHERE v % 4 = 0
another table takes its name | equals | ALTER TABLE t RENAME TO t2; CREATE TABLE t (LIKE t2 INCLUDING ALL)
  then: INSERT INTO t2 (id, u_id, v) VALUES (nextval('ids'), 1, 50); INSERT INTO t (id, u_id, v) VALUES (nextval('ids'), 1, 60)
another column takes its name | equals | ALTER TABLE t RENAME COLUMN v TO w; ALTER TABLE t ADD COLUMN v int NOT NULL DEFAULT 77
  then: INSERT INTO t (id, u_id, w) VALUES (nextval('ids'), 1, 50); UPDATE t SET w = w + 1 WHERE id % 4 = 0
move the table to another schema | equals | CREATE SCHEMA elsewhere; ALTER TABLE t SET SCHEMA elsewhere
  then: INSERT INTO elsewhere.t (id, u_id, v) VALUES (nextval('ids'), 1, 50); UPDATE elsewhere.t SET v = v + 1 WHERE id % 4 = 0
rename the schema | equals | ALTER SCHEMA elsewhere RENAME TO faraway
  setup: CREATE SCHEMA elsewhere; ALTER TABLE u SET SCHEMA elsewhere
  query: SELECT t.id, t.v, u.name FROM t JOIN elsewhere.u ON u.id = t.u_id
  write: INSERT INTO t (id, u_id, v) VALUES (nextval('ids'), 1, 50); UPDATE elsewhere.u SET name = name || '!' WHERE id = 1
  then: INSERT INTO t (id, u_id, v) VALUES (nextval('ids'), 1, 50); UPDATE faraway.u SET name = name || '!' WHERE id = 1
  undo: DROP SCHEMA IF EXISTS faraway CASCADE
a table of its name comes first in the path | equals | CREATE TABLE far (x int, y int); INSERT INTO far VALUES (1, 7); ALTER TABLE public.far RENAME COLUMN y TO z
  setup: CREATE TABLE public.far (x int, y int); INSERT INTO public.far VALUES (1, 2), (2, 3)
  query: SELECT t.id, far.y FROM t JOIN far ON far.x = t.u_id
  undo: DROP TABLE public.far CASCADE
add a column | unchanged | ALTER TABLE t ADD COLUMN extra int
add a column that rewrites the table | equals | ALTER TABLE t ADD COLUMN extra double precision DEFAULT random()
drop a column that is not read | unchanged | ALTER TABLE t DROP COLUMN note
drop a column | stops column v of (table )?drift\.t was dropped | DROP VIEW st_view; ALTER TABLE t DROP COLUMN v
  then: INSERT INTO t (id, u_id) VALUES (nextval('ids'), 1); DELETE FROM t WHERE id = (SELECT min(id) FROM t)
  cure: ALTER TABLE t ADD COLUMN v int NOT NULL DEFAULT 5
  daemon:
a column is dropped and recreated | equals | DROP VIEW st_view; ALTER TABLE t DROP COLUMN v, ADD COLUMN v int NOT NULL DEFAULT 7
a wider type | equals | DROP VIEW st_view; ALTER TABLE t ALTER COLUMN v TYPE bigint
another type with the same text | equals | DROP VIEW st_view; ALTER TABLE t ALTER COLUMN v TYPE numeric(10, 2) USING v / 2.0
other values of the same type | equals | DROP VIEW st_view; ALTER TABLE t ALTER COLUMN v TYPE int USING v * 10
  daemon:
other values where no program has the column | equals | ALTER TABLE t ALTER COLUMN note TYPE text USING note || '!'
a varying length | equals | DROP VIEW st_view; ALTER TABLE u ALTER COLUMN name TYPE varchar(100)
a cast that a text no longer needs | equals | DROP VIEW st_view; ALTER TABLE u ALTER COLUMN code TYPE int USING code::int
  setup: ALTER TABLE u ADD COLUMN code text; UPDATE u SET code = '9'; UPDATE u SET code = '100' WHERE id = 2
  query: SELECT t.id, u.code::text AS code FROM t JOIN u ON u.id = t.u_id WHERE u.code::text < '5'
  then: UPDATE u SET code = code * 10 + 1; INSERT INTO t (id, u_id, v) VALUES (nextval('ids'), 1, 50)
an aggregate of a cast that a text no longer needs | equals | DROP VIEW st_view; ALTER TABLE u ALTER COLUMN code TYPE int USING code::int
  setup: ALTER TABLE u ADD COLUMN code text; UPDATE u SET code = '9'; UPDATE u SET code = '100' WHERE id = 2
  query: SELECT max(code::text) AS most FROM u
  other: SELECT id FROM u
  write: UPDATE u SET name = name || '!' WHERE id = 1
another collation of a column | equals | DROP VIEW st_view; ALTER TABLE u ALTER COLUMN name TYPE text COLLATE "POSIX"
another collation under an aggregate | equals | DROP VIEW st_view; ALTER TABLE u ALTER COLUMN name TYPE text COLLATE ci
  setup: CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)
  query: SELECT u.name, count(*) AS n FROM t JOIN u ON u.id = t.u_id GROUP BY u.name
set a default | unchanged | ALTER TABLE t ALTER COLUMN note SET DEFAULT 'y'
set not null | equals | ALTER TABLE t ALTER COLUMN u_id SET NOT NULL
drop not null | equals | ALTER TABLE t ALTER COLUMN v DROP NOT NULL
  query: SELECT v, count(*) AS n FROM t GROUP BY v
  then: INSERT INTO t (id, u_id, v) VALUES (nextval('ids'), 1, NULL), (nextval('ids'), 2, NULL); UPDATE t SET v = 6 WHERE id = 9
drop not null of what is not in | equals | ALTER TABLE t ALTER COLUMN v DROP NOT NULL
  query: SELECT u.id FROM u WHERE u.id NOT IN (SELECT v FROM t)
  then: INSERT INTO t (id, u_id, v) VALUES (nextval('ids'), 1, NULL)
drop the primary key | equals | ALTER TABLE u DROP CONSTRAINT u_pkey CASCADE
  then: INSERT INTO u VALUES (1, 'twin'); UPDATE u SET name = name || '!' WHERE id < 2; DELETE FROM t WHERE id = (SELECT min(id) FROM t)
drop the primary key that is the key of the result | equals | ALTER TABLE t DROP CONSTRAINT t_pkey
  query: SELECT id, v FROM t
  then: INSERT INTO t (id, u_id, v) SELECT id, u_id, v FROM t WHERE id < 7; UPDATE t SET v = v + 1 WHERE id = 5
  daemon:
drop the primary key that grouping relies on | stops name.* must appear in the GROUP BY clause | DROP VIEW st_view; ALTER TABLE u DROP CONSTRAINT u_pkey CASCADE
  query: SELECT u.id, u.name, count(*) AS n FROM t JOIN u ON u.id = t.u_id GROUP BY u.id
  cure: ALTER TABLE u ADD PRIMARY KEY (id)
a deferrable primary key | equals | ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id) DEFERRABLE INITIALLY DEFERRED
  query: SELECT id, v FROM t
drop a unique index that is a key | equals | DROP INDEX w_key
  setup: CREATE TABLE w (id int NOT NULL, x int); CREATE UNIQUE INDEX w_key ON w (id); INSERT INTO w SELECT i, i FROM generate_series(1, 9) i
  query: SELECT id, x FROM w
  other: SELECT count(*) AS n FROM w
  write: INSERT INTO w SELECT nextval('ids'), 1; UPDATE w SET x = x + 1 WHERE id % 2 = 0
  then: INSERT INTO w SELECT id, x FROM w WHERE id < 5; UPDATE w SET x = x + 1 WHERE id % 2 = 0
drop the foreign key | equals | ALTER TABLE t DROP CONSTRAINT t_u_id_fkey
  query: SELECT t.id, t.v, u.name FROM t LEFT JOIN u ON u.id = t.u_id
  then: INSERT INTO t (id, u_id, v) VALUES (nextval('ids'), 99, 50); DELETE FROM u WHERE id = 2
add a constraint | unchanged | ALTER TABLE t ADD CONSTRAINT positive CHECK (v > 0)
a foreign key becomes deferrable | equals | ALTER TABLE t ALTER CONSTRAINT t_u_id_fkey DEFERRABLE INITIALLY DEFERRED
rename a constraint | equals | ALTER TABLE t RENAME CONSTRAINT t_pkey TO t_key
another owner of the source | unchanged | CREATE ROLE drift_other; ALTER TABLE t OWNER TO drift_other
  undo: DROP OWNED BY drift_other CASCADE; DROP ROLE drift_other
disable all triggers | equals | ALTER TABLE t DISABLE TRIGGER ALL
  daemon:
disable the triggers of users | equals | ALTER TABLE t DISABLE TRIGGER USER
triggers were disabled for a while | equals | ALTER TABLE t DISABLE TRIGGER USER; UPDATE t SET v = v + 100 WHERE id % 2 = 0; ALTER TABLE t ENABLE TRIGGER USER
triggers were disabled for a while and are as before | equals | ALTER TABLE t DISABLE TRIGGER USER; UPDATE t SET v = v + 100 WHERE id % 2 = 0; DO $$ DECLARE g record; BEGIN
  more: FOR g IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'drift.t'::regclass AND tgname ~ '^pgtrickle' LOOP EXECUTE format('ALTER TABLE t ENABLE ALWAYS TRIGGER %I', g.tgname); END LOOP; END $$
  other: none
triggers for replicas only | equals | DO $$ DECLARE g record; BEGIN
  more: FOR g IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'drift.t'::regclass AND tgname ~ '^pgtrickle' LOOP EXECUTE format('ALTER TABLE t ENABLE REPLICA TRIGGER %I', g.tgname); END LOOP; END $$
storage parameters | unchanged | ALTER TABLE t SET (fillfactor = 50)
column options | unchanged | ALTER TABLE t ALTER COLUMN v SET STATISTICS 10, ALTER COLUMN note SET STORAGE EXTERNAL
replica identity | unchanged | ALTER TABLE t REPLICA IDENTITY FULL
unlogged | equals | ALTER TABLE t SET UNLOGGED
a column becomes an identity | equals | ALTER TABLE t ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY
a generated column becomes an ordinary one | equals | ALTER TABLE t ALTER COLUMN g DROP EXPRESSION
  setup: ALTER TABLE t ADD COLUMN g int GENERATED ALWAYS AS (v * 2) STORED
  query: SELECT id, g FROM t
  then: UPDATE t SET g = g + 1 WHERE id % 3 = 0; INSERT INTO t (id, u_id, v, g) VALUES (nextval('ids'), 1, 50, 3)
another expression of a generated column | equals | ALTER TABLE t ALTER COLUMN g SET EXPRESSION AS (v * 3)
  setup: ALTER TABLE t ADD COLUMN g int GENERATED ALWAYS AS (v * 2) STORED
  query: SELECT id, g FROM t
  since: 17
another access method | equals | CREATE ACCESS METHOD drift_heap TYPE TABLE HANDLER heap_tableam_handler; ALTER TABLE t SET ACCESS METHOD drift_heap
  undo: DROP ACCESS METHOD drift_heap CASCADE
a child comes | equals | CREATE TABLE child (LIKE t INCLUDING ALL); INSERT INTO child VALUES (1000, 1, 10); ALTER TABLE child INHERIT t
  then: INSERT INTO child VALUES (nextval('ids'), 2, 20); UPDATE t SET v = v + 1 WHERE u_id = 2
a child is created | equals | CREATE TABLE child () INHERITS (t); INSERT INTO child VALUES (1000, 1, 10)
  then: INSERT INTO child VALUES (nextval('ids'), 2, 20); UPDATE t SET v = v + 1 WHERE u_id = 2
a child goes | equals | ALTER TABLE child NO INHERIT t
  setup: CREATE TABLE child () INHERITS (t); INSERT INTO child VALUES (1000, 1, 10)
  then: INSERT INTO child VALUES (nextval('ids'), 2, 20); UPDATE t SET v = v + 1 WHERE u_id = 2
a child is dropped | equals | DROP TABLE child
  setup: CREATE TABLE child () INHERITS (t); INSERT INTO child VALUES (1000, 1, 10)
it becomes a child | equals | CREATE TABLE parent (id int NOT NULL, v int NOT NULL); ALTER TABLE t INHERIT parent
  then: UPDATE parent SET v = v + 1 WHERE id % 3 = 0; INSERT INTO t (id, u_id, v) VALUES (nextval('ids'), 1, 50)
a table of a type | unchanged | CREATE TYPE row_of_t AS (id int, u_id int, v int, note text); ALTER TABLE t OF row_of_t
a rule beside | equals | CREATE RULE beside AS ON INSERT TO t DO ALSO UPDATE u SET name = name || '+' WHERE id = 3
a rule instead | equals | CREATE RULE instead AS ON DELETE TO t DO INSTEAD NOTHING
a rule goes | equals | DROP RULE beside ON t
  setup: CREATE RULE beside AS ON INSERT TO t DO ALSO UPDATE u SET name = name || '+' WHERE id = 3
a rule is renamed | equals | ALTER RULE beside ON t RENAME TO next_to_it
  setup: CREATE RULE beside AS ON INSERT TO t DO ALSO UPDATE u SET name = name || '+' WHERE id = 3
truncate | equals | TRUNCATE t
drop the table | stops table drift\.t was dropped | DROP VIEW st_view; DROP TABLE t
  other: none
  then: none
  cure: CREATE TABLE t (id int PRIMARY KEY, u_id int REFERENCES u, v int NOT NULL, note text DEFAULT 'x'); INSERT INTO t VALUES (1, 1, 9)
  daemon:
drop and create the table | equals | DROP VIEW IF EXISTS st_view, other_view; DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, u_id int REFERENCES u, v int NOT NULL, note text DEFAULT 'x'); INSERT INTO t VALUES (5, 1, 9), (8, 2, 10)
  daemon:
drop and create the table with other types | equals | DROP VIEW IF EXISTS st_view, other_view; DROP TABLE t; CREATE TABLE t (note text, v bigint, u_id int, id bigint); INSERT INTO t VALUES ('z', 9, 1, 5), ('z', 8, 2, 8)
another table is made of it | unchanged | CREATE TABLE copy_of_t AS SELECT * FROM t
another table is selected into | unchanged | SELECT * INTO copy_of_t FROM t
cluster | equals | CLUSTER t USING t_pkey
vacuum full | equals | VACUUM FULL t
  alone:
analyze | unchanged | ANALYZE t
reindex | unchanged | REINDEX TABLE t
create an index | unchanged | CREATE INDEX t_v ON t (v)
create a unique index | equals | CREATE UNIQUE INDEX t_id_v ON t (id, v)
drop an index | unchanged | DROP INDEX t_v
  setup: CREATE INDEX t_v ON t (v)
rename an index | equals | ALTER INDEX t_pkey RENAME TO t_key
extended statistics come | unchanged | CREATE STATISTICS t_stat ON u_id, v FROM t
extended statistics change | unchanged | ALTER STATISTICS t_stat SET STATISTICS 10; DROP STATISTICS t_stat
  setup: CREATE STATISTICS t_stat ON u_id, v FROM t
a comment | unchanged | COMMENT ON TABLE t IS 'of the test'; COMMENT ON COLUMN t.v IS 'read'
a sequence changes | unchanged | ALTER SEQUENCE ids RESTART 5000
a trigger of the user | unchanged | CREATE FUNCTION double_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := NEW.v * 2; RETURN NEW; END'; CREATE TRIGGER doubles BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION double_it()
a trigger of the user that writes elsewhere | unchanged | CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE drift.u SET name = name || ''.'' WHERE id = 3; RETURN NULL; END'; CREATE TRIGGER tells AFTER INSERT OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION tell()
a capture trigger is renamed | equals | DO $$ BEGIN EXECUTE format('ALTER TRIGGER %I ON drift.t RENAME TO something', (SELECT tgname FROM pg_trigger WHERE tgrelid = 'drift.t'::regclass AND tgname ~ '^pgtrickle_.*_u$')); END $$;
  more: ALTER TRIGGER doubles ON t RENAME TO redoubles
  setup: CREATE FUNCTION double_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := NEW.v * 2; RETURN NEW; END'; CREATE TRIGGER doubles BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION double_it()
a capture trigger is dropped | equals | DO $$ BEGIN EXECUTE format('DROP TRIGGER %I ON drift.t', (SELECT tgname FROM pg_trigger WHERE tgrelid = 'drift.t'::regclass AND tgname ~ '^pgtrickle_.*_u$')); END $$;
  more: DROP TRIGGER doubles ON t
  setup: CREATE FUNCTION double_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := NEW.v * 2; RETURN NEW; END'; CREATE TRIGGER doubles BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION double_it()
a capture function is dropped | equals | DO $$ BEGIN EXECUTE format('DROP FUNCTION %s CASCADE', (SELECT tgfoid::regproc || '()' FROM pg_trigger WHERE tgrelid = 'drift.t'::regclass AND tgname ~ '^pgtrickle_.*_u$')); END $$
writes of a replica | equals | SET session_replication_role = replica; UPDATE t SET v = v + 100 WHERE id % 2 = 0; RESET session_replication_role
another table is created and dropped | unchanged | CREATE TABLE x (id int); DROP TABLE x; CREATE SEQUENCE x_seq; DROP SEQUENCE x_seq; CREATE SCHEMA elsewhere; DROP SCHEMA elsewhere

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

-- world partitions
-- setup
CREATE SEQUENCE ids START 100;
CREATE TABLE p (id int NOT NULL, k int NOT NULL, v int) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
INSERT INTO p SELECT i, i % 20, i FROM generate_series(1, 40) i;
-- query
SELECT k, count(*) AS n, sum(v) AS total FROM p GROUP BY k
-- other
SELECT id, v FROM p WHERE v > 10
-- write
INSERT INTO p SELECT nextval('ids'), i, i FROM generate_series(5, 15) i; UPDATE p SET v = v + 1 WHERE k = 7; UPDATE p SET k = 19 - k WHERE id % 7 = 0;

-- rows
create a partition | equals | CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (20) TO (30)
  then: INSERT INTO p SELECT nextval('ids'), i, i FROM generate_series(18, 25) i; INSERT INTO p3 VALUES (1, 21, 21)
  daemon:
attach a partition with rows | equals | CREATE TABLE p3 (LIKE p); INSERT INTO p3 VALUES (1, 21, 21); ALTER TABLE p ATTACH PARTITION p3 FOR VALUES FROM (20) TO (30)
  then: INSERT INTO p SELECT nextval('ids'), i, i FROM generate_series(18, 25) i; UPDATE p3 SET v = v + 1
detach a partition | equals | ALTER TABLE p DETACH PARTITION p2
  then: INSERT INTO p SELECT nextval('ids'), i, i FROM generate_series(5, 9) i; UPDATE p2 SET v = v + 1
detach a partition concurrently | equals | ALTER TABLE p DETACH PARTITION p2 CONCURRENTLY
  then: INSERT INTO p SELECT nextval('ids'), i, i FROM generate_series(5, 9) i; UPDATE p2 SET v = v + 1
  alone:
drop a partition | equals | DROP TABLE p2
  then: INSERT INTO p SELECT nextval('ids'), i, i FROM generate_series(5, 9) i
truncate a partition | equals | TRUNCATE p2
a partition is exchanged | equals | ALTER TABLE p DETACH PARTITION p2; CREATE TABLE p2b (LIKE p); INSERT INTO p2b VALUES (1, 12, 12); ALTER TABLE p ATTACH PARTITION p2b FOR VALUES FROM (10) TO (20)
rename a partition | unchanged | ALTER TABLE p2 RENAME TO second
  then: INSERT INTO p SELECT nextval('ids'), i, i FROM generate_series(5, 15) i; UPDATE second SET v = v + 1
rename the table | equals | ALTER TABLE p RENAME TO q
  then: INSERT INTO q SELECT nextval('ids'), i, i FROM generate_series(5, 15) i; UPDATE p2 SET v = v + 1
a partition is rewritten | equals | DROP VIEW IF EXISTS st_view, other_view; ALTER TABLE p ALTER COLUMN v TYPE int USING v * 10
a partition becomes unlogged | equals | ALTER TABLE p2 SET UNLOGGED
a partition's triggers are disabled | equals | ALTER TABLE p2 DISABLE TRIGGER USER
  then: INSERT INTO p2 SELECT nextval('ids'), i, i FROM generate_series(11, 15) i; UPDATE p2 SET v = v + 1
vacuum full | equals | VACUUM FULL p
  alone:

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

-- world foreign
-- setup
CREATE SEQUENCE ids START 100;
CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL);
INSERT INTO t SELECT i, i FROM generate_series(1, 20) i;
CREATE EXTENSION file_fdw SCHEMA drift;
CREATE SERVER drift_server FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE f (id int, name text) SERVER drift_server OPTIONS (program 'printf "1,a\n2,b\n3,c\n"', format 'csv');
-- query
SELECT t.id, t.v, f.name FROM t JOIN f USING (id)
-- other
SELECT count(*) AS n FROM t
-- write
INSERT INTO t SELECT nextval('ids'), i FROM generate_series(1, 9) i; UPDATE t SET v = v + 3 WHERE id < 5

-- rows
other options | equals | ALTER FOREIGN TABLE f OPTIONS (SET program 'printf "1,x\n2,y\n4,z\n"')
rename it | equals | ALTER FOREIGN TABLE f RENAME TO g
rename a column of it | equals | ALTER FOREIGN TABLE f RENAME COLUMN name TO label
drop it | stops foreign table drift\.f was dropped | DROP FOREIGN TABLE f CASCADE
drop and create it | equals | DROP FOREIGN TABLE f CASCADE; CREATE FOREIGN TABLE f (id int, name text) SERVER drift_server OPTIONS (program 'printf "1,q\n"', format 'csv')
rename its server | equals | ALTER SERVER drift_server RENAME TO drift_server_2
drop its server | stops foreign table drift\.f was dropped | DROP SERVER drift_server CASCADE
a user mapping | equals | CREATE USER MAPPING FOR CURRENT_USER SERVER drift_server; ALTER USER MAPPING FOR CURRENT_USER SERVER drift_server OPTIONS (ADD x 'y'); DROP USER MAPPING FOR CURRENT_USER SERVER drift_server
  setup: CREATE FOREIGN DATA WRAPPER drift_fdw; DROP EXTENSION file_fdw CASCADE; CREATE SERVER drift_server FOREIGN DATA WRAPPER drift_fdw; CREATE VIEW f AS SELECT 1 AS id, 'a'::text AS name
  undo: DROP FOREIGN DATA WRAPPER drift_fdw CASCADE
rename its wrapper | equals | ALTER FOREIGN DATA WRAPPER file_fdw RENAME TO drift_fdw
drop its wrapper | stops foreign table drift\.f was dropped | DROP EXTENSION file_fdw CASCADE

-- world functions
-- setup
CREATE SEQUENCE ids START 100;
CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL);
INSERT INTO t SELECT i, i FROM generate_series(1, 20) i;
CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x * 10';
CREATE FUNCTION g(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x + 1; END';
CREATE FUNCTION atomic(x int) RETURNS int LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT g(x) * 2; END;
CREATE FUNCTION by_name(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT drift.g(x) * 2';
-- query
SELECT id, f(v) AS fv, g(v) AS gv FROM t WHERE g(v) > 4
-- other
SELECT v, count(*) AS n FROM t GROUP BY v
-- write
INSERT INTO t SELECT nextval('ids'), i FROM generate_series(1, 9) i; UPDATE t SET v = v + 3 WHERE id % 5 = 0; DELETE FROM t WHERE id = (SELECT min(id) FROM t)

-- rows
rename a function that a constant names | equals | ALTER FUNCTION g(int) RENAME TO h
  query: SELECT id, 'g'::regproc::oid::bigint AS o, 'g' AS letter FROM t
another body in SQL | equals | CREATE OR REPLACE FUNCTION f(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x * 100'
  daemon:
another body in plpgsql | equals | CREATE OR REPLACE FUNCTION g(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x + 2; END'
the same body | equals | CREATE OR REPLACE FUNCTION g(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x + 1; END'
another body under an aggregate | equals | CREATE OR REPLACE FUNCTION g(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x % 3; END'
  query: SELECT g(v) AS gv, count(*) AS n, sum(f(v)) AS total FROM t GROUP BY g(v)
another body of a condition of a join | equals | CREATE OR REPLACE FUNCTION g(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x % 3; END'
  query: SELECT a.id, b.id AS other_id FROM t a LEFT JOIN t b ON b.id = g(a.v)
another body in a function of an SQL body | equals | CREATE OR REPLACE FUNCTION g(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x + 2; END'
  query: SELECT id, atomic(v) AS av FROM t
another body in a function that a body names | equals | CREATE OR REPLACE FUNCTION g(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x + 2; END'
  query: SELECT id, by_name(v) AS bv FROM t
another body in a function whose name is put together | limit what a name that is made at run time means is not known before: docs/ARCHITECTURE.md, Facts | CREATE OR REPLACE FUNCTION g(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x + 2; END'
  setup: CREATE FUNCTION made(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'DECLARE r int; BEGIN EXECUTE ''SELECT drift.'' || chr(103) || ''($1)'' INTO r USING x; RETURN r; END'
  query: SELECT id, made(v) AS mv FROM t
another body behind a view | equals | CREATE OR REPLACE FUNCTION g(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x + 2; END'
  setup: CREATE VIEW through AS SELECT id, g(v) AS gv FROM t
  query: SELECT id, gv FROM through WHERE gv > 6
another body of a set-returning function | equals | CREATE OR REPLACE FUNCTION s(x int) RETURNS SETOF int LANGUAGE sql IMMUTABLE AS 'SELECT x UNION ALL SELECT -x'
  setup: CREATE FUNCTION s(x int) RETURNS SETOF int LANGUAGE sql IMMUTABLE AS 'SELECT x'
  query: SELECT t.id, s.y FROM t CROSS JOIN LATERAL s(t.v) AS s(y)
rename a function | equals | ALTER FUNCTION f(int) RENAME TO f2
another function takes its name | equals | ALTER FUNCTION f(int) RENAME TO f2; CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x * 100'
move a function | equals | CREATE SCHEMA elsewhere; ALTER FUNCTION f(int) SET SCHEMA elsewhere
a better overload comes | equals | CREATE FUNCTION l(x int) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT -1::bigint'; ALTER TABLE t RENAME COLUMN v TO w; ALTER TABLE t RENAME COLUMN w TO v
  setup: CREATE FUNCTION l(x bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT x + 1'
  query: SELECT id, l(v) AS lv FROM t
a function of its name comes first in the path | equals | CREATE FUNCTION pub(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT -1'; ALTER TABLE t RENAME COLUMN v TO w; ALTER TABLE t RENAME COLUMN w TO v
  setup: CREATE FUNCTION public.pub(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x + 1'
  query: SELECT id, pub(v) AS pv FROM t
  undo: DROP FUNCTION public.pub(int) CASCADE
volatile | equals | ALTER FUNCTION g(int) VOLATILE
volatile where deltas are wanted | stops VOLATILE | ALTER FUNCTION g(int) VOLATILE
  mode: DIFFERENTIAL
  cure: ALTER FUNCTION g(int) IMMUTABLE
strict | equals | ALTER FUNCTION nul(int) STRICT
  setup: CREATE FUNCTION nul(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN coalesce(x, 7); END'
  query: SELECT id, nul(nullif(v, 5)) AS nv FROM t
a setting of a function | equals | ALTER ROUTINE g(int) SET extra_float_digits = 0
a setting that a function returns | equals | ALTER FUNCTION zone(int) SET TimeZone = 'Asia/Tokyo'
  setup: CREATE FUNCTION zone(x int) RETURNS text LANGUAGE plpgsql STABLE SET TimeZone = 'UTC' AS 'BEGIN RETURN to_timestamp(x)::text; END'
  query: SELECT id, zone(v) AS z FROM t
cost and parallel safety | equals | ALTER FUNCTION g(int) COST 200 PARALLEL SAFE
another owner of a function | equals | CREATE ROLE drift_other; GRANT CREATE ON SCHEMA drift TO drift_other; ALTER FUNCTION g(int) OWNER TO drift_other
  undo: DROP OWNED BY drift_other CASCADE; DROP ROLE drift_other
drop a function | stops function drift\.f.* was dropped | DROP VIEW st_view; DROP FUNCTION f(int)
  cure: CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x * 7'
drop and create a function | equals | DROP VIEW st_view; DROP FUNCTION f(int); CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x * 100'
drop and create a function of another type | equals | DROP VIEW st_view; DROP ROUTINE f(int); CREATE FUNCTION f(x int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''#'' || x'
default arguments of a function | equals | CREATE OR REPLACE FUNCTION d(x int, y int DEFAULT 200) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x + y'
  setup: CREATE FUNCTION d(x int, y int DEFAULT 100) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x + y'
  query: SELECT id, d(v) AS dv FROM t
comment on a function | unchanged | COMMENT ON FUNCTION f(int) IS 'of the test'
another function comes and goes | unchanged | CREATE FUNCTION h(x int) RETURNS int LANGUAGE sql AS 'SELECT 1'; DROP FUNCTION h(int)
a procedure comes and goes | unchanged | CREATE PROCEDURE h(x int) LANGUAGE sql AS 'SELECT 1'; ALTER PROCEDURE h(int) RENAME TO h2; DROP PROCEDURE h2(int)
another transition function of an aggregate | equals | CREATE OR REPLACE AGGREGATE a(int) (SFUNC = int4larger, STYPE = int, INITCOND = '0')
  setup: CREATE AGGREGATE a(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0')
  query: SELECT v % 3 AS k, a(v) AS av FROM t GROUP BY v % 3
another body of a transition function | equals | CREATE OR REPLACE FUNCTION acc(s int, x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN s + 100 * x; END'
  setup: CREATE FUNCTION acc(s int, x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN s + x; END'; CREATE AGGREGATE a(int) (SFUNC = acc, STYPE = int, INITCOND = '0')
  query: SELECT v % 3 AS k, a(v) AS av FROM t GROUP BY v % 3
rename an aggregate | equals | ALTER AGGREGATE a(int) RENAME TO b
  setup: CREATE AGGREGATE a(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0')
  query: SELECT v % 3 AS k, a(v) AS av FROM t GROUP BY v % 3
drop an aggregate | stops (aggregate|function) drift\.a.* was dropped | DROP VIEW st_view; DROP AGGREGATE a(int)
  setup: CREATE AGGREGATE a(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0')
  query: SELECT v % 3 AS k, a(v) AS av FROM t GROUP BY v % 3
another body of an operator's function | equals | CREATE OR REPLACE FUNCTION op(x int, y int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x - y; END'
  setup: CREATE FUNCTION op(x int, y int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x + y; END'; CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = op)
  query: SELECT id, v ### 2 AS ov FROM t
move an operator | equals | CREATE SCHEMA elsewhere; ALTER OPERATOR ### (int, int) SET SCHEMA elsewhere
  setup: CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl)
  query: SELECT id, v ### 2 AS ov FROM t
properties of an operator | equals | ALTER OPERATOR ### (int, int) SET (RESTRICT = eqsel)
  setup: CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)
  query: SELECT id, v ### 2 AS ov FROM t
drop an operator | stops operator (.*###.* was dropped|does not exist: integer ###) | DROP VIEW st_view; DROP OPERATOR ### (int, int)
  setup: CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl)
  query: SELECT id, v ### 2 AS ov FROM t
drop and create an operator | equals | DROP VIEW st_view; DROP OPERATOR ### (int, int); CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = int4mi)
  setup: CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl)
  query: SELECT id, v ### 2 AS ov FROM t
an operator of its name comes first in the path | equals | CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = int4mi); ALTER TABLE t RENAME COLUMN v TO w; ALTER TABLE t RENAME COLUMN w TO v
  setup: CREATE OPERATOR public.### (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl)
  query: SELECT id, v ### 2 AS ov FROM t
  undo: DROP OPERATOR public.### (int, int) CASCADE
a language | unchanged | ALTER LANGUAGE plpgsql OWNER TO CURRENT_USER
  unwatched: equals
a language comes and goes | unchanged | CREATE TRUSTED LANGUAGE drift_language HANDLER plpgsql_call_handler; DROP LANGUAGE drift_language
an operator class comes | equals | CREATE OPERATOR FAMILY fam USING btree; CREATE OPERATOR CLASS cls FOR TYPE int USING btree FAMILY fam AS OPERATOR 1 <, OPERATOR 3 =, FUNCTION 1 btint4cmp(int, int); ALTER OPERATOR FAMILY fam USING btree RENAME TO fam2; ALTER OPERATOR CLASS cls USING btree RENAME TO cls2; DROP OPERATOR CLASS cls2 USING btree; DROP OPERATOR FAMILY fam2 USING btree

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

-- world collations
-- setup
CREATE SEQUENCE ids START 100;
CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION cs (provider = icu, locale = 'und');
CREATE TABLE t (id int PRIMARY KEY, k text COLLATE ci, note text);
INSERT INTO t SELECT i, chr(65 + i % 5), 'x' FROM generate_series(1, 20) i;
-- query
SELECT k, count(*) AS n, max(note COLLATE cs) AS most FROM t GROUP BY k
-- other
SELECT id, note FROM t
-- write
INSERT INTO t SELECT nextval('ids'), chr(65 + i), 'y' FROM generate_series(1, 4) i; UPDATE t SET note = note || 'z' WHERE id % 5 = 0

-- rows
rename a collation | equals | ALTER COLLATION cs RENAME TO cs2
rename the collation of a column | equals | ALTER COLLATION ci RENAME TO ci2
another collation takes its name | equals | ALTER COLLATION cs RENAME TO cs2; CREATE COLLATION cs (provider = icu, locale = 'und-u-kf-upper')
move a collation | equals | CREATE SCHEMA elsewhere; ALTER COLLATION cs SET SCHEMA elsewhere
refresh the version of a collation | equals | ALTER COLLATION ci REFRESH VERSION
drop a collation | stops collation .*cs.* (was dropped|does not exist) | DROP VIEW st_view; DROP COLLATION cs
  query: SELECT id, note FROM t WHERE note COLLATE cs > 'a'
drop and create a collation | equals | DROP VIEW st_view; DROP COLLATION cs; CREATE COLLATION cs (provider = icu, locale = 'und-u-kf-upper')
  query: SELECT id, note FROM t WHERE note COLLATE cs > 'a'
the column gets another collation | equals | DROP VIEW st_view; ALTER TABLE t ALTER COLUMN k TYPE text COLLATE cs

-- world text search
-- setup
CREATE SEQUENCE ids START 100;
CREATE TEXT SEARCH DICTIONARY dict (TEMPLATE = simple);
CREATE TEXT SEARCH CONFIGURATION cfg (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION cfg ALTER MAPPING FOR asciiword WITH dict;
CREATE TABLE t (id int PRIMARY KEY, note text);
INSERT INTO t SELECT i, 'running dogs ' || i FROM generate_series(1, 20) i;
-- query
SELECT id, to_tsvector('cfg', note) AS words FROM t
-- other
SELECT count(*) AS n FROM t
-- write
INSERT INTO t SELECT nextval('ids'), 'sleeping cats' FROM generate_series(1, 4) i; UPDATE t SET note = note || ' barking' WHERE id % 5 = 0

-- rows
another mapping | equals | ALTER TEXT SEARCH CONFIGURATION cfg ALTER MAPPING FOR asciiword WITH english_stem
other options of a dictionary | equals | ALTER TEXT SEARCH DICTIONARY dict (Accept = false, StopWords = english)
rename a configuration | equals | ALTER TEXT SEARCH CONFIGURATION cfg RENAME TO cfg2
rename a dictionary | equals | ALTER TEXT SEARCH DICTIONARY dict RENAME TO dict2
rename a dictionary that a constant names | equals | ALTER TEXT SEARCH DICTIONARY dict RENAME TO "Dict 2"
  query: SELECT id, ts_lexize('dict', note) AS words, 'dict' AS name FROM t
drop a configuration | stops text search configuration .*cfg.* (was dropped|does not exist) | DROP VIEW st_view; DROP TEXT SEARCH CONFIGURATION cfg
  cure: CREATE TEXT SEARCH CONFIGURATION cfg (COPY = pg_catalog.english)
drop and create a configuration | equals | DROP VIEW st_view; DROP TEXT SEARCH CONFIGURATION cfg; CREATE TEXT SEARCH CONFIGURATION cfg (COPY = pg_catalog.english)
a dictionary comes and goes | unchanged | CREATE TEXT SEARCH DICTIONARY d2 (TEMPLATE = simple); DROP TEXT SEARCH DICTIONARY d2
  unwatched: equals
a template and a parser come and go | unchanged | CREATE TEXT SEARCH TEMPLATE tmpl (LEXIZE = dsimple_lexize, INIT = dsimple_init); CREATE TEXT SEARCH PARSER prs (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype); ALTER TEXT SEARCH TEMPLATE tmpl RENAME TO tmpl2; ALTER TEXT SEARCH PARSER prs RENAME TO prs2; DROP TEXT SEARCH TEMPLATE tmpl2; DROP TEXT SEARCH PARSER prs2
  unwatched: equals

-- world rights
-- setup
CREATE ROLE drift_owner; CREATE ROLE drift_group; CREATE ROLE drift_other;
GRANT USAGE, CREATE ON SCHEMA drift TO drift_owner;
CREATE SEQUENCE ids START 100;
CREATE TABLE t (id int PRIMARY KEY, who text NOT NULL, v int NOT NULL);
INSERT INTO t SELECT i, (ARRAY['drift_owner', 'drift_other'])[1 + i % 2], i FROM generate_series(1, 20) i;
CREATE FUNCTION f(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x * 10; END';
GRANT SELECT ON t TO drift_owner;
-- owner drift_owner
-- query
SELECT id, who, v FROM t
-- other
SELECT count(*) AS n FROM t
-- write
INSERT INTO t SELECT nextval('ids'), (ARRAY['drift_owner', 'drift_other'])[1 + i % 2], i FROM generate_series(1, 5) i; UPDATE t SET v = v + 3 WHERE id % 5 = 0; DELETE FROM t WHERE id = (SELECT min(id) FROM t)
-- teardown
DO $$ DECLARE r record; BEGIN FOR r IN SELECT rolname FROM pg_roles WHERE rolname ~ '^drift_' LOOP EXECUTE format('DROP OWNED BY %1$I CASCADE; DROP ROLE %1$I', r.rolname); END LOOP; END $$

-- rows
row security without a policy | equals | ALTER TABLE t ENABLE ROW LEVEL SECURITY
  daemon:
row security recomputed | equals | ALTER TABLE t ENABLE ROW LEVEL SECURITY
  mode: FULL
row security with a policy | equals | ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (who = current_user)
a policy comes | equals | CREATE POLICY own ON t USING (who = current_user)
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY
a restrictive policy comes | equals | CREATE POLICY small ON t AS RESTRICTIVE USING (v < 10)
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY all_rows ON t USING (true)
a policy changes | equals | ALTER POLICY own ON t USING (v < 10)
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (who = current_user)
a policy is for others now | equals | ALTER POLICY own ON t TO drift_other
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (who = current_user)
a policy is renamed | equals | ALTER POLICY own ON t RENAME TO mine
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (who = current_user)
a policy goes | equals | DROP POLICY own ON t
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (who = current_user)
row security is switched off | equals | ALTER TABLE t DISABLE ROW LEVEL SECURITY
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (who = current_user)
row security is forced on the owner | equals | ALTER TABLE t FORCE ROW LEVEL SECURITY
  setup: ALTER TABLE t OWNER TO drift_owner; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (v < 10)
row security is not forced any more | equals | ALTER TABLE t NO FORCE ROW LEVEL SECURITY
  setup: ALTER TABLE t OWNER TO drift_owner; ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (v < 10)
the table becomes the owner's | equals | ALTER TABLE t OWNER TO drift_owner
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (v < 10)
the owner may bypass row security | equals | ALTER ROLE drift_owner BYPASSRLS
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (v < 10)
  daemon:
the owner may not bypass it any more | equals | ALTER ROLE drift_owner NOBYPASSRLS
  setup: ALTER ROLE drift_owner BYPASSRLS; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (v < 10)
the owner becomes a superuser | equals | ALTER ROLE drift_owner SUPERUSER
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (v < 10)
the owner joins a group that a policy names | equals | GRANT drift_group TO drift_owner
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY theirs ON t TO drift_group USING (true)
the owner leaves a group that a policy names | equals | REVOKE drift_group FROM drift_owner
  setup: GRANT drift_group TO drift_owner; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY theirs ON t TO drift_group USING (true)
the owner joins a group through another | equals | GRANT drift_group TO drift_other
  setup: GRANT drift_other TO drift_owner; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY theirs ON t TO drift_group USING (true)
the owner does not inherit any more | equals | ALTER ROLE drift_owner NOINHERIT
  setup: GRANT drift_group TO drift_owner; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY theirs ON t TO drift_group USING (true)
another body of a policy's function | equals | CREATE OR REPLACE FUNCTION sees(x int) RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN x > 10; END'
  setup: CREATE FUNCTION sees(x int) RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN x < 10; END'; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (sees(v))
a table that a policy reads is renamed | equals | ALTER TABLE allowed RENAME TO permitted
  setup: CREATE TABLE allowed (who text); INSERT INTO allowed VALUES ('drift_other'); GRANT SELECT ON allowed TO drift_owner; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (who IN (SELECT a.who FROM allowed a))
a table that a policy reads is written to | equals | INSERT INTO allowed VALUES ('drift_owner')
  setup: CREATE TABLE allowed (who text); INSERT INTO allowed VALUES ('drift_other'); GRANT SELECT ON allowed TO drift_owner; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (who IN (SELECT a.who FROM allowed a))
row security behind a view | equals | ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (v < 10)
  setup: CREATE VIEW through WITH (security_invoker = true) AS SELECT id, who, v FROM t; GRANT SELECT ON through TO drift_owner
  query: SELECT id, v FROM through
whose rights a view uses | equals | ALTER VIEW through SET (security_invoker = true)
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (v < 10); CREATE VIEW through AS SELECT id, who, v FROM t; GRANT SELECT ON through TO drift_owner
  query: SELECT id, v FROM through
another owner of a view | equals | ALTER VIEW through OWNER TO drift_other
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (v < 10); GRANT SELECT ON t TO drift_other; GRANT USAGE, CREATE ON SCHEMA drift TO drift_other; CREATE VIEW through AS SELECT id, who, v FROM t; GRANT SELECT ON through TO drift_owner
  query: SELECT id, v FROM through
SELECT is revoked | stops (permission denied|may no longer SELECT).*\bt\b | REVOKE SELECT ON t FROM drift_owner
  cure: GRANT SELECT ON t TO drift_owner
  daemon:
SELECT on a column remains | equals | REVOKE SELECT ON t FROM drift_owner; GRANT SELECT (id, who, v) ON t TO drift_owner
SELECT through a group | equals | GRANT SELECT ON t TO drift_group; GRANT drift_group TO drift_owner; REVOKE SELECT ON t FROM drift_owner
use of the schema is revoked | stalls permission denied for schema elsewhere | REVOKE USAGE ON SCHEMA elsewhere FROM drift_owner
  setup: CREATE SCHEMA elsewhere; GRANT USAGE ON SCHEMA elsewhere TO drift_owner; CREATE TABLE elsewhere.w (id int, x int); GRANT SELECT ON elsewhere.w TO drift_owner
  query: SELECT t.id, w.x FROM t LEFT JOIN elsewhere.w USING (id)
  cure: GRANT USAGE ON SCHEMA elsewhere TO drift_owner
EXECUTE is revoked | stalls permission denied for function f | REVOKE EXECUTE ON FUNCTION f(int) FROM PUBLIC
  query: SELECT id, f(v) AS fv FROM t
  cure: GRANT EXECUTE ON FUNCTION f(int) TO drift_owner
use of a type is revoked | equals | REVOKE USAGE ON TYPE pos FROM PUBLIC
  setup: CREATE DOMAIN pos AS int
  query: SELECT id, v::pos AS vp FROM t
other privileges | unchanged | GRANT INSERT ON t TO drift_other; ALTER DEFAULT PRIVILEGES FOR ROLE drift_other GRANT SELECT ON TABLES TO PUBLIC
  unwatched: equals
the owner is renamed | equals | ALTER ROLE drift_owner RENAME TO drift_renamed
  other: none
  undo: ALTER ROLE drift_renamed RENAME TO drift_owner
settings of the owner | equals | ALTER ROLE drift_owner SET TimeZone = 'Asia/Tokyo'; ALTER ROLE drift_owner SET search_path = public
  query: SELECT id, to_timestamp(v)::text AS at FROM t
the owner may not log in | equals | ALTER ROLE drift_owner NOLOGIN CONNECTION LIMIT 0
everything changes hands | equals | REASSIGN OWNED BY drift_other TO drift_group
  setup: ALTER TABLE t OWNER TO drift_other; GRANT USAGE, CREATE ON SCHEMA drift TO drift_group
what another role owns is dropped | stops table drift\.w was dropped | DROP OWNED BY drift_other CASCADE
  setup: CREATE TABLE w (id int, x int); GRANT SELECT ON w TO drift_owner; ALTER TABLE w OWNER TO drift_other
  query: SELECT t.id, w.x FROM t LEFT JOIN w USING (id)
a role comes and goes | unchanged | CREATE ROLE drift_new; GRANT SELECT ON t TO drift_new; REVOKE SELECT ON t FROM drift_new; DROP ROLE drift_new
  unwatched: equals

-- world itself
-- setup
CREATE SEQUENCE ids START 100;
CREATE TABLE t (id int PRIMARY KEY, k int NOT NULL, v int NOT NULL);
INSERT INTO t SELECT i, i % 4, i FROM generate_series(1, 20) i;
-- query
SELECT k, count(*) AS n, sum(v) AS total FROM t GROUP BY k
-- other
SELECT id, v FROM t WHERE v > 5
-- write
INSERT INTO t SELECT nextval('ids'), i % 5, i FROM generate_series(1, 9) i; UPDATE t SET v = v + 3 WHERE id % 5 = 0; DELETE FROM t WHERE id = (SELECT min(id) FROM t)

-- rows
it is renamed | equals | ALTER TABLE st RENAME TO st2
it moves | equals | CREATE SCHEMA elsewhere; ALTER TABLE st SET SCHEMA elsewhere
its triggers are disabled | equals | ALTER TABLE st DISABLE TRIGGER ALL
an index on it | equals | CREATE UNIQUE INDEX st_total ON st (total, k); CREATE INDEX ON st (n)
a view on it | equals | CREATE VIEW on_st AS SELECT * FROM st
it is clustered | equals | CREATE INDEX st_n ON st (n); CLUSTER st USING st_n
it becomes unlogged | equals | ALTER TABLE st SET UNLOGGED
a trigger on it | equals | CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER n AFTER INSERT OR UPDATE OR DELETE ON st FOR EACH ROW EXECUTE FUNCTION nothing()
row security on it | equals | ALTER TABLE st ENABLE ROW LEVEL SECURITY
a constraint that it meets | equals | ALTER TABLE st ADD CONSTRAINT positive CHECK (n > 0)
a constraint that it cannot meet | stops violates check constraint "few" | ALTER TABLE st ADD CONSTRAINT few CHECK (n < 7) NOT VALID;
  then: INSERT INTO t SELECT nextval('ids'), k, k FROM generate_series(0, 3) k, generate_series(1, 9)
  write: UPDATE t SET v = v + 3 WHERE id % 5 = 0
  more: INSERT INTO t SELECT nextval('ids'), k, k FROM generate_series(0, 3) k, generate_series(1, 9)
  cure: ALTER TABLE st DROP CONSTRAINT few
its key goes | equals | DO $$ DECLARE k record; BEGIN FOR k IN SELECT conname FROM pg_constraint WHERE conrelid = 'drift.st'::regclass AND contype IN ('p', 'u') LOOP EXECUTE format('ALTER TABLE drift.st DROP CONSTRAINT %I', k.conname); END LOOP; END $$
a column of it is renamed | equals | ALTER TABLE st RENAME COLUMN n TO how_many; ALTER VIEW st_view RENAME COLUMN n TO how_many
a column is added to it | stops column | ALTER TABLE st ADD COLUMN mine text
  cure: ALTER TABLE st DROP COLUMN mine
a column of it is dropped | stops column | ALTER TABLE st DROP COLUMN n
a column of it has another type | equals | ALTER TABLE st ALTER COLUMN n TYPE int
its state is dropped | equals | DO $$ DECLARE c record; BEGIN FOR c IN SELECT relname FROM pg_class WHERE relnamespace = 'pgtrickle_state'::regnamespace AND relkind = 'r' LOOP EXECUTE format('DROP TABLE pgtrickle_state.%I', c.relname); END LOOP; END $$
  query: SELECT n, count(*) AS groups FROM (SELECT k, count(*) AS n FROM t GROUP BY k) x GROUP BY n
its log is dropped | equals | DO $$ DECLARE c record; BEGIN FOR c IN SELECT relname FROM pg_class WHERE relnamespace = 'pgtrickle_changes'::regnamespace AND relkind = 'r' AND relname ~ '_a$' LOOP EXECUTE format('DROP TABLE pgtrickle_changes.%I CASCADE', c.relname); END LOOP; END $$
a comment on it | unchanged | COMMENT ON TABLE st IS 'of the test'; GRANT SELECT ON st TO PUBLIC; ANALYZE st

-- world upstream
-- setup
CREATE SEQUENCE ids START 100;
CREATE TABLE t (id int PRIMARY KEY, k int NOT NULL, v int NOT NULL);
INSERT INTO t SELECT i, i % 4, i FROM generate_series(1, 20) i;
CREATE PUBLICATION drift_old;
-- query
SELECT k, count(*) AS n, sum(v) AS total FROM t GROUP BY k
-- other
SELECT id, v FROM t WHERE v > 5
-- write
INSERT INTO t SELECT nextval('ids'), i % 5, i FROM generate_series(1, 9) i; UPDATE t SET v = v + 3 WHERE id % 5 = 0
-- teardown
DROP PUBLICATION IF EXISTS drift_old, drift_pub

-- rows
a publication of all tables | equals | CREATE PUBLICATION drift_pub FOR ALL TABLES
a publication of the schema | equals | ALTER PUBLICATION drift_old ADD TABLES IN SCHEMA drift
a publication of the stream table | equals | ALTER PUBLICATION drift_old ADD TABLE st
  query: SELECT DISTINCT v FROM t
a publication goes | equals | DROP PUBLICATION drift_old
a subscription that fills nothing | equals | CREATE SUBSCRIPTION drift_sub CONNECTION '' PUBLICATION x WITH (connect = false, slot_name = NONE); ALTER SUBSCRIPTION drift_sub SET (streaming = true); DROP SUBSCRIPTION drift_sub
a subscription of the source | equals | CREATE SUBSCRIPTION drift_sub CONNECTION '' PUBLICATION x WITH (connect = false, slot_name = NONE); INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate) SELECT oid, 'drift.t'::regclass, 'r' FROM pg_subscription
  then: SET session_replication_role = replica; UPDATE t SET v = v + 1 WHERE id % 3 = 0; RESET session_replication_role; INSERT INTO t VALUES (nextval('ids'), 1, 1)
  undo: DROP SUBSCRIPTION drift_sub

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

-- world settings
-- setup
CREATE SEQUENCE ids START 100;
CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v float8 NOT NULL);
INSERT INTO t SELECT i, to_timestamp(i * 10000), i / 3.0 FROM generate_series(1, 20) i;
-- query
SELECT id, at::text AS at, at::date AS day, v::text AS v FROM t
-- other
SELECT count(*) AS n FROM t
-- write
INSERT INTO t SELECT nextval('ids'), to_timestamp(i * 10000), i / 3.0 FROM generate_series(1, 9) i; UPDATE t SET v = v / 3 WHERE id % 5 = 0

-- rows
settings of the database | equals | DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone = ''Asia/Tokyo''', current_database()); EXECUTE format('ALTER DATABASE %I SET search_path = public', current_database()); EXECUTE format('ALTER DATABASE %I SET extra_float_digits = 0', current_database()); END $$
  undo: DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET ALL', current_database()); END $$
settings of a role | equals | ALTER ROLE CURRENT_USER SET DateStyle = 'German'; ALTER ROLE CURRENT_USER SET search_path = public
  undo: ALTER ROLE CURRENT_USER RESET ALL
settings of the cluster | equals | ALTER SYSTEM SET TimeZone = 'Asia/Tokyo'
  undo: ALTER SYSTEM RESET TimeZone
  alone:
settings of the cluster in effect | equals | SELECT pg_reload_conf(), pg_sleep(0.1)
  setup: DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone = ''America/Lima''', current_database()); END $$
  undo: DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET ALL', current_database()); END $$
privileges of the database | equals | DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$
  undo: DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO PUBLIC', current_database()); END $$
our event triggers are disabled and a column is renamed | equals | DO $$ DECLARE e record; BEGIN FOR e IN SELECT evtname FROM pg_event_trigger LOOP EXECUTE format('ALTER EVENT TRIGGER %I DISABLE', e.evtname); END LOOP; END $$;
  more: ALTER TABLE t RENAME COLUMN v TO w
  then: INSERT INTO t SELECT nextval('ids'), to_timestamp(i * 10000), i / 3.0 FROM generate_series(1, 9) i; UPDATE t SET w = w / 3 WHERE id % 5 = 0
  undo: DO $$ DECLARE e record; BEGIN FOR e IN SELECT evtname FROM pg_event_trigger LOOP EXECUTE format('ALTER EVENT TRIGGER %I ENABLE ALWAYS', e.evtname); END LOOP; END $$
our event triggers are disabled and a column is dropped | equals | DO $$ DECLARE e record; BEGIN FOR e IN SELECT evtname FROM pg_event_trigger LOOP EXECUTE format('ALTER EVENT TRIGGER %I DISABLE', e.evtname); END LOOP; END $$;
  more: DROP VIEW st_view; ALTER TABLE t DROP COLUMN v, ADD COLUMN v float8 NOT NULL DEFAULT 5
  undo: DO $$ DECLARE e record; BEGIN FOR e IN SELECT evtname FROM pg_event_trigger LOOP EXECUTE format('ALTER EVENT TRIGGER %I ENABLE ALWAYS', e.evtname); END LOOP; END $$
an event trigger of the user | equals | CREATE FUNCTION look() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM 1; END'; CREATE EVENT TRIGGER drift_look ON ddl_command_end EXECUTE FUNCTION look(); ALTER TABLE t ADD COLUMN extra int; ALTER EVENT TRIGGER drift_look DISABLE; DROP EVENT TRIGGER drift_look

-- commands
ALTER CONVERSION | no query names a conversion by more than two encodings, whose functions are those of PostgreSQL
CREATE CONVERSION | as ALTER CONVERSION
DROP CONVERSION | as ALTER CONVERSION
ALTER LARGE OBJECT | functions that read large objects are volatile: a query with them is recomputed every time
ALTER DATABASE | settings of the database has it inside of a DO; renaming and moving need that nobody is connected
ALTER TABLESPACE | nothing but its name or costs change
CREATE TABLESPACE | the cluster of the tests has one tablespace for all cells
DROP TABLESPACE | only if it is empty
CREATE DATABASE | another database
DROP DATABASE | nothing remains that could be refreshed
CREATE TRANSFORM | needs a procedural language that the server of the tests does not have
DROP TRANSFORM | as CREATE TRANSFORM
CREATE FOREIGN DATA WRAPPER | no table can use it before it is there
CREATE SERVER | as CREATE FOREIGN DATA WRAPPER
DROP FOREIGN DATA WRAPPER | "drop its wrapper" drops it with its extension
IMPORT FOREIGN SCHEMA | as CREATE FOREIGN TABLE, and nothing that exists changes
DROP ACCESS METHOD | only if no table uses it, or with the table
SECURITY LABEL | needs a label provider; labels do not change what a query returns
