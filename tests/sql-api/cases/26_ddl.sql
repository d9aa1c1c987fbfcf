-- Changes of captured tables: the users' writes go on, consumers are marked with a reason
CREATE FUNCTION source_of(t regclass) RETURNS bigint LANGUAGE sql AS $$ SELECT source_id FROM pgtrickle.pgt_sources WHERE relid = t $$;
SELECT test.connect('other');
DO $body$
DECLARE
    step record;
    s bigint;
    st bigint;
    events boolean := pgtrickle._has_event_triggers();
BEGIN
    FOR step IN SELECT * FROM (VALUES
        ('ALTER TABLE src RENAME COLUMN a TO b', 'column a of table public.src was renamed to b', true),
        ('ALTER TABLE src ALTER COLUMN a TYPE bigint', 'type of column a of table public.src changed|rewritten', true),
        ('ALTER TABLE src ALTER COLUMN a TYPE text', 'type of column a of table public.src changed|rewritten', true),
        ('ALTER TABLE src DROP COLUMN a', 'column a of table public.src was dropped|column public.src.a was dropped', true),
        ('DROP DOMAIN dom CASCADE', 'column d of table public.src was dropped|column public.src.d was dropped', true),
        ('ALTER TABLE src DROP COLUMN unread', NULL, false),
        ('ALTER TABLE src RENAME COLUMN unread TO other', NULL, false),
        ('ALTER TABLE src ADD COLUMN z int DEFAULT 5', NULL, false),
        ('ALTER TABLE src ADD COLUMN z float DEFAULT random()', NULL, false),
        ('ALTER TABLE src ALTER a SET DEFAULT 5, ALTER a SET NOT NULL', NULL, false),
        ('ALTER TABLE src SET (fillfactor = 50)', NULL, false),
        ('CREATE INDEX ON src (a)', NULL, false),
        ('ALTER TABLE src ALTER a SET DEFAULT 5, ADD PRIMARY KEY (a)', NULL, false)) AS x(command, reason, breaks)
    LOOP
      BEGIN
        PERFORM setval('pgtrickle.pgt_sources_source_id_seq', 1, false);
        CREATE DOMAIN dom AS int;
        CREATE TABLE src (a int, unread text, d dom);
        INSERT INTO src VALUES (1, 'x', 1);
        PERFORM pgtrickle.create_stream_table('st', 'SELECT a, d FROM src');
        SELECT pgt_id INTO st FROM pgtrickle.pgt_stream_tables;
        s := pgtrickle._install_capture('src'::regclass, '{1,3}');
        UPDATE pgtrickle.pgt_dependencies SET source_id = s WHERE source_relid = 'src'::regclass;
        PERFORM test.eq(step.command || ': no problem at first', pgtrickle._source_problem(s), NULL);
        EXECUTE step.command;
        -- writes in the same transaction
        INSERT INTO src DEFAULT VALUES;
        DELETE FROM src;
        PERFORM test.ok(step.command || ': reason', coalesce(pgtrickle._source_problem(s), '') ~ coalesce(step.reason, '^$'));
        PERFORM test.eq(step.command || ': marker', (SELECT count(*) > 0 FROM (SELECT w FROM pgtrickle_changes.log_1_a) x WHERE w = 0), step.breaks);
        IF events THEN
            PERFORM test.eq(step.command || ': consumer', (SELECT needs_reinit FROM pgtrickle.pgt_stream_tables), step.breaks);
            PERFORM test.ok(step.command || ': recorded ' || coalesce((SELECT problem FROM pgtrickle.pgt_sources), ''), coalesce((SELECT problem FROM pgtrickle.pgt_sources), '') ~ coalesce(step.reason, '^$'));
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'ZZZZZ';       -- all undone, the next step starts afresh
      EXCEPTION WHEN SQLSTATE 'ZZZZZ' THEN NULL;
      END;
    END LOOP;
    PERFORM setval('pgtrickle.pgt_sources_source_id_seq', 1, false);
END
$body$;

-- Other sessions, which have used the capture function before
CREATE TABLE t (id int PRIMARY KEY, a text, b text);
INSERT INTO t VALUES (1, 'x', 'y');
SELECT pgtrickle.create_stream_table('st_t', 'SELECT id, a FROM t');
SELECT pgtrickle._install_capture('t'::regclass, '{1,2}') AS n \gset
UPDATE pgtrickle.pgt_dependencies SET source_id = :n WHERE source_relid = 't'::regclass;
SELECT test.run('other', 'INSERT INTO t VALUES (2, ''o'', ''o'')');
ALTER TABLE t RENAME a TO renamed;
SELECT test.run('other', 'INSERT INTO t VALUES (3, ''o'', ''o'')'), test.run('other', 'UPDATE t SET renamed = ''p'''), test.run('other', 'DELETE FROM t WHERE id = 3');
INSERT INTO t VALUES (4, 'own', 'own');
SELECT test.ok('markers', (SELECT count(*) FILTER (WHERE w = 0) FROM pgtrickle_changes.log_1) >= 4);
SELECT pgtrickle._install_capture('t'::regclass, '{1,2}') AS n2 \gset
SELECT test.eq('new log', :n2::bigint, 2::bigint);
SELECT test.eq('unlinked', (SELECT source_id FROM pgtrickle.pgt_dependencies WHERE source_relid = 't'::regclass), NULL::bigint);
SELECT test.watch(:n2);
SELECT test.run('other', 'INSERT INTO t VALUES (5, ''o'', ''o'')');
SELECT test.check_log('captured again', :n2, 1);
-- a transaction that altered and wrote, and rolled back, leaves capture as it was
BEGIN; ALTER TABLE t RENAME renamed TO again; INSERT INTO t VALUES (6); ROLLBACK;
INSERT INTO t VALUES (7, 'z', 'z'); SELECT test.check_log('after rollback', :n2, 1);
SELECT test.eq('no problem', pgtrickle._source_problem(:n2), NULL::text);
-- REPEATABLE READ, with a catalog row that somebody else has changed since the snapshot
BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t;
SELECT test.run('other', 'UPDATE pgtrickle.pgt_stream_tables SET generation = generation + 1');
ALTER TABLE t RENAME renamed TO again; INSERT INTO t VALUES (8, 'rr', 'rr'); COMMIT;
SELECT test.ok('marker', (SELECT count(*) FILTER (WHERE w = 0) > 0 FROM pgtrickle_changes.log_2));
SELECT pgtrickle._install_capture('t'::regclass, '{1,2}') AS n3 \gset
SELECT test.watch(:n3);
-- renaming the table and its schema is harmless for capture
CREATE SCHEMA elsewhere;
ALTER TABLE t RENAME TO t_new; ALTER TABLE t_new SET SCHEMA elsewhere; ALTER SCHEMA elsewhere RENAME TO nowhere;
INSERT INTO nowhere.t_new VALUES (9, 'r', 'r'); SELECT test.check_log('renamed', :n3, 1);
SELECT test.eq('no problem', pgtrickle._source_problem(:n3), NULL::text);
SELECT test.eq('no new log', pgtrickle._install_capture('nowhere.t_new'::regclass, '{1}'), :n3::bigint);
-- triggers switched off or dropped
ALTER TABLE nowhere.t_new DISABLE TRIGGER USER;
SELECT test.ok('disabled', pgtrickle._source_problem(:n3) ~ 'dropped or disabled');
ALTER TABLE nowhere.t_new ENABLE TRIGGER USER;
SELECT test.ok('enabled, but not ALWAYS', pgtrickle._source_problem(:n3) ~ 'dropped or disabled');
SELECT pgtrickle._install_capture('nowhere.t_new'::regclass, '{1,2}') AS n4 \gset
SELECT test.eq('repaired', pgtrickle._source_problem(:n4), NULL::text);
DO $$ BEGIN EXECUTE format('DROP TRIGGER pgtrickle_%s_u ON nowhere.t_new', (SELECT max(source_id) FROM pgtrickle.pgt_sources)); END $$;
SELECT test.ok('dropped', pgtrickle._source_problem(:n4) ~ 'dropped or disabled');
-- the source is dropped
DROP TABLE nowhere.t_new;
SELECT test.ok('dropped', pgtrickle._source_problem(:n4) ~ 'was dropped');
SELECT pgtrickle._uninstall_capture(:n4);
SELECT test.eq('all clear', (SELECT count(*) FROM pgtrickle.pgt_sources), 0::bigint);

-- PostgreSQL 17: another generation expression changes rows without any DML, in the table or in one partition only
SELECT current_setting('server_version_num')::int >= 170000 AS has_set_expression \gset
\if :has_set_expression
CREATE TABLE gen (id int, v int GENERATED ALWAYS AS (id * 2) STORED, unread int GENERATED ALWAYS AS (id * 3) STORED);
SELECT pgtrickle._install_capture('gen'::regclass, '{1,2}') AS n \gset
ALTER TABLE gen ALTER unread SET EXPRESSION AS (id * 4), ADD z float DEFAULT random();
SELECT test.eq('expression of a column that is not read', pgtrickle._source_problem(:n), NULL);
SELECT test.eq('expression of a column that is not read: recorded', (SELECT problem FROM pgtrickle.pgt_sources WHERE source_id = :n), NULL);
ALTER TABLE gen ALTER v SET EXPRESSION AS (id * 5);
SELECT test.ok('expression', pgtrickle._source_problem(:n) ~ 'generation expression');
SELECT test.ok('expression: recorded', problem ~ 'generation expression' OR NOT pgtrickle._has_event_triggers()) FROM pgtrickle.pgt_sources WHERE source_id = :n;
CREATE TABLE genp (id int, v int GENERATED ALWAYS AS (id * 2) STORED) PARTITION BY RANGE (id);
CREATE TABLE genp1 PARTITION OF genp FOR VALUES FROM (0) TO (10);
SELECT pgtrickle._install_capture('genp'::regclass, '{1,2}') AS n \gset
ALTER TABLE genp1 ALTER v SET EXPRESSION AS (id * 5);
SELECT test.ok('expression of a partition: recorded', problem ~ 'genp1 was rewritten' OR NOT pgtrickle._has_event_triggers()) FROM pgtrickle.pgt_sources WHERE source_id = :n;
\endif
