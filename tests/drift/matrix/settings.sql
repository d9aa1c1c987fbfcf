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
