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
