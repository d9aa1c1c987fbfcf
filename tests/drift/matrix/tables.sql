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
