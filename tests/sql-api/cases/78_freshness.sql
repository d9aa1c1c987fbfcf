-- Waiting for freshness: exactly what was committed before the call, through stream tables, captured or recomputed
CREATE TABLE t (id int); CREATE TABLE u (id int);
SELECT pgtrickle.create_stream_table('a', 'SELECT id FROM t'), pgtrickle.create_stream_table('b', 'SELECT count(*) AS n FROM a JOIN u USING (id)'), pgtrickle.create_stream_table('f', 'SELECT id FROM u'),
       pgtrickle.create_stream_table('g', 'SELECT id FROM f');
SELECT test.build('a') AS a, test.build('b') AS b, test.build('f', false) AS f, test.build('g', false) AS g \gset
SELECT test.connect('d'), test.connect('w'), test.connect('v'), test.connect('r');
-- starts('r', st): session r waits; waits(name): does it still?; done(name): what came out
CREATE FUNCTION starts(name text, st text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    PERFORM public.dblink_send_query(name, format('SELECT pgtrickle.wait_for_freshness(%L, ''20 s'')::text', st));
    PERFORM test.until_waiting(name);
END $$;
CREATE FUNCTION waits(name text) RETURNS boolean LANGUAGE sql AS $$ SELECT public.dblink_is_busy(name) = 1 $$;
CREATE FUNCTION done(name text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN
    FOR i IN 1..3000 LOOP
        EXIT WHEN public.dblink_is_busy(name) = 0;
        PERFORM pg_sleep(0.01);
    END LOOP;
    IF public.dblink_is_busy(name) = 1 THEN RAISE EXCEPTION '% still waits', name; END IF;
    SELECT x.t INTO r FROM public.dblink_get_result(name) AS x(t text);
    PERFORM x.t FROM public.dblink_get_result(name) AS x(t text);
    RETURN r;
END $$;
SELECT pgtrickle.wait_for_freshness('a'), pgtrickle.wait_for_freshness('b');
BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pgtrickle.wait_for_freshness('b'); COMMIT;
-- what is committed is waited for, until it is applied
INSERT INTO t VALUES (1);
SELECT starts('r', 'a'); SELECT test.ok('waits', waits('r'));
SELECT test.eq('refresh', test.refresh('a'), 'DIFFERENTIAL'); SELECT done('r');
-- what comes later is not
SELECT pgtrickle.wait_for_freshness('a');
INSERT INTO t VALUES (2);
SELECT starts('r', 'a'); INSERT INTO t VALUES (3); SELECT test.run('d', 'BEGIN ISOLATION LEVEL REPEATABLE READ'), test.ask('d', format('SELECT action FROM pgtrickle_state.refresh_%s()', :a));
INSERT INTO t VALUES (4); SELECT test.run('d', 'COMMIT'); SELECT done('r');
SELECT test.ok('4 is pending all the same', pgtrickle._pending_rows(:a) = 1); SELECT test.refresh('a');
-- Late committers: one that wrote before and commits after the call is not waited for, whether the frontier has passed it or not.
SELECT test.run('w', 'BEGIN'), test.run('w', 'INSERT INTO t VALUES (100)');
INSERT INTO t VALUES (5);       -- a second, committed writer
SELECT starts('r', 'a'); SELECT test.ok('waits for the committed one', waits('r'));
SELECT test.run('w', 'COMMIT');
SELECT test.run('w', 'BEGIN'), test.run('w', 'INSERT INTO t VALUES (101)');
SELECT test.eq('refresh', test.refresh('a'), 'DIFFERENTIAL'); SELECT done('r');
SELECT pgtrickle.wait_for_freshness('a', '5 s');        -- 101 is not committed
SELECT test.run('w', 'COMMIT');
SELECT test.fails('SELECT pgtrickle.wait_for_freshness(''a'', ''50 ms'')', '55000', 'public.a did not become fresh within 00:00:00.05.*public.a: changes of public.t are not applied yet\..*No daemon is running');
SELECT test.refresh('a');
-- one that is in the log, below the frontier's xmax, and commits after the refresh
SELECT test.run('w', 'BEGIN'), test.run('w', 'INSERT INTO t VALUES (102)'); INSERT INTO t VALUES (6);
SELECT test.refresh('a'); SELECT pgtrickle.wait_for_freshness('a', '1 s'); SELECT test.run('w', 'COMMIT');
SELECT starts('r', 'a'); SELECT test.ok('its rows are pending, though older than the frontier', waits('r')); SELECT test.refresh('a'); SELECT done('r');
-- the caller's own changes are not waited for, committed ones of others are
SELECT test.refresh('a'); SELECT test.refresh('b');
CREATE TABLE elsewhere (id int);
BEGIN; INSERT INTO t VALUES (7); SELECT test.run('v', 'INSERT INTO elsewhere VALUES (1)');     -- now this transaction is older than the newest snapshot's xmax
SELECT pgtrickle.wait_for_freshness('a', '1 s'); SAVEPOINT s; INSERT INTO t VALUES (8); SELECT pgtrickle.wait_for_freshness('b', '1 s');
SELECT test.run('v', 'INSERT INTO t VALUES (9)');
SELECT test.fails('SELECT pgtrickle.wait_for_freshness(''a'', ''50 ms'')', '55000', 'public.t are not applied'); ROLLBACK;
SELECT test.refresh('a'); SELECT test.refresh('b'); SELECT pgtrickle.wait_for_freshness('b', '1 s');
BEGIN; INSERT INTO t VALUES (10); SELECT pgtrickle.refresh_stream_table('a'); INSERT INTO t VALUES (11); SELECT pgtrickle.wait_for_freshness('a', '1 s'); COMMIT;
SELECT test.fails('SELECT pgtrickle.wait_for_freshness(''a'', ''50 ms'')', '55000', 'public.t');     -- 11 was written after the refresh of the same transaction
-- through a stream table: b needs what a got, in turn
SELECT test.refresh('a'); SELECT test.refresh('b');
INSERT INTO t VALUES (12); INSERT INTO u VALUES (12);
SELECT starts('r', 'b'); SELECT test.ok('for a', waits('r'));
SELECT test.refresh('b'); SELECT pg_sleep(0.2); SELECT test.ok('b alone is of no use', waits('r'));
SELECT test.refresh('a'); SELECT pg_sleep(0.2); SELECT test.ok('nor a alone', waits('r'));
SELECT test.refresh('b'); SELECT done('r');
SELECT test.ok('there it is', (SELECT n >= 1 FROM b));
INSERT INTO u VALUES (13); SELECT test.fails('SELECT pgtrickle.wait_for_freshness(''b'', ''50 ms'')', '55000', 'public.b: changes of public.u are not applied');
SELECT pgtrickle.wait_for_freshness('a', '1 s'); SELECT test.refresh('b');
-- recomputed: a refresh after the call is needed, whatever changed
SELECT starts('r', 'f'); SELECT test.ok('no refresh since', waits('r')); SELECT test.refresh('f'); SELECT done('r');
SELECT test.run('w', 'BEGIN'), test.run('w', 'INSERT INTO u VALUES (14)');
SELECT starts('r', 'f'); SELECT test.refresh('f'); SELECT done('r');     -- does not need 14
SELECT test.run('d', 'BEGIN ISOLATION LEVEL REPEATABLE READ'), test.ask('d', 'SELECT 1::text'), test.run('w', 'COMMIT');
SELECT starts('r', 'f');         -- needs 14, which the snapshot of this refresh does not show
SELECT test.ask('d', format('SELECT action FROM pgtrickle_state.refresh_%s()', :f)), test.run('d', 'COMMIT'); SELECT pg_sleep(0.2);
SELECT test.ok('a refresh with an older snapshot is of no use', waits('r')); SELECT test.refresh('f'); SELECT done('r');
BEGIN; INSERT INTO u VALUES (15); SELECT starts('v', 'f'); SELECT test.refresh('f'); SELECT done('v'); ROLLBACK;
BEGIN; INSERT INTO u VALUES (16);       -- own changes: in progress for that refresh, for ever if it were waited for
DO $$ BEGIN PERFORM public.dblink_send_query('v', format('SELECT test.until_waiting(NULL, %L); SELECT action FROM pgtrickle_state.refresh_%s()', current_setting('application_name'), (SELECT pgt_id FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'f'))); END $$;
SELECT pgtrickle.wait_for_freshness('f', '60 s'); ROLLBACK;
SELECT count(*) FROM public.dblink_get_result('v', false) AS x(t text); SELECT count(*) FROM public.dblink_get_result('v', false) AS x(t text); SELECT count(*) FROM public.dblink_get_result('v', false) AS x(t text);
-- g recomputes from f: both in one transaction, upstream first, will do
SELECT starts('r', 'g');
SELECT test.run('d', 'BEGIN ISOLATION LEVEL REPEATABLE READ'), test.ask('d', format('SELECT action FROM pgtrickle_state.refresh_%s()', :f)), test.ask('d', format('SELECT action FROM pgtrickle_state.refresh_%s()', :g)), test.run('d', 'COMMIT');
SELECT done('r');
SELECT starts('r', 'g');
SELECT test.run('d', 'BEGIN ISOLATION LEVEL REPEATABLE READ'), test.ask('d', format('SELECT action FROM pgtrickle_state.refresh_%s()', :g)), test.ask('d', format('SELECT action FROM pgtrickle_state.refresh_%s()', :f)), test.run('d', 'COMMIT');
SELECT pg_sleep(0.2); SELECT test.ok('g before f', waits('r'));
SELECT test.run('d', 'BEGIN ISOLATION LEVEL REPEATABLE READ'), test.ask('d', format('SELECT action FROM pgtrickle_state.refresh_%s()', :f)), test.ask('d', format('SELECT action FROM pgtrickle_state.refresh_%s()', :g)), test.run('d', 'COMMIT');
SELECT done('r');
-- containment of snapshots
SELECT test.eq(format('%s contains %s without %s', f, r, own), pgtrickle._contains(f::pg_snapshot, r::pg_snapshot, own::xid8), x) FROM (VALUES
    ('10:20:12,15', '10:20:12,15', NULL, true), ('10:20:12,15', '10:20:12', NULL, false), ('10:20:12,15', '10:20:12', '15', true), ('10:20:12', '10:20:12,15', NULL, true), ('10:20:12', '10:12:', NULL, true),
    ('10:20:12', '12:12:', NULL, true), ('10:20:12', '13:13:', NULL, false), ('10:20:12', '13:13:', '12', true), ('20:20:', '20:21:', NULL, false), ('20:20:', '20:21:', '20', true), ('20:20:', '20:22:20', NULL, false), ('20:20:', '20:22:20,21', NULL, true),
    ('20:20:', '20:22:20', '21', true), ('20:20:', '20:22:20,21', '21', true), ('10:20:10,19', '10:22:10,19,20,21', NULL, true), ('10:20:10,19', '10:22:10,20,21', NULL, false), ('21:21:', '20:20:', NULL, true)) AS v(f, r, own, x);
-- raised at once, and only if something is missing
CREATE FUNCTION hopeless(change text, pattern text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    EXECUTE 'UPDATE pgtrickle.pgt_stream_tables SET ' || change || ' WHERE pgt_name = ''a''';
    PERFORM test.fails('SELECT pgtrickle.wait_for_freshness(''b'', ''20 s'')', '55000', 'public.a does not become fresh: ' || pattern || '.*public.b reads it.*What is missing: ');
    UPDATE pgtrickle.pgt_stream_tables SET status = 'ACTIVE', fuse_blown_at = NULL, tier = 'hot', skipped_at = NULL WHERE pgt_name = 'a';
END $$;
SELECT test.refresh('a'); SELECT test.refresh('b');
UPDATE pgtrickle.pgt_stream_tables SET status = 'PAUSED', tier = 'frozen', fuse_blown_at = now() WHERE pgt_name = 'a'; SELECT pgtrickle.wait_for_freshness('b', '1 s'); UPDATE pgtrickle.pgt_stream_tables SET status = 'ACTIVE', tier = 'hot', fuse_blown_at = NULL;
INSERT INTO t VALUES (20);
SELECT clock_timestamp() AS began \gset
SELECT hopeless('status = ''ERROR'', last_error = ''boom''', 'its status is ERROR: boom'), hopeless('status = ''SUSPENDED''', 'its status is SUSPENDED'), hopeless('status = ''PAUSED''', 'it is paused'),
       hopeless('tier = ''frozen''', 'its tier is frozen'), hopeless('fuse_blown_at = now(), fuse_blow_reason = ''many''', 'its fuse is blown: many'), hopeless('skipped_at = now()', 'changes were skipped');
SELECT test.ok('at once', clock_timestamp() - :'began'::timestamptz < interval '15 s');
-- waited for, and said at the timeout
SELECT pgtrickle.gate_source('t'); SELECT test.fails('SELECT pgtrickle.wait_for_freshness(''b'', ''50 ms'')', '55000', 'It waits: source public.t is gated'); SELECT pgtrickle.ungate_source('t');
SELECT pgtrickle.pause_scheduler(); SELECT test.fails('SELECT pgtrickle.wait_for_freshness(''b'', ''50 ms'')', '55000', 'The daemon is paused\..*resume_scheduler'); SELECT pgtrickle.resume_scheduler();
UPDATE pgtrickle.pgt_stream_tables SET status = 'INITIALIZING' WHERE pgt_name = 'a'; SELECT test.fails('SELECT pgtrickle.wait_for_freshness(''b'', ''0 s'')', '55000', 'status is INITIALIZING'); UPDATE pgtrickle.pgt_stream_tables SET status = 'ACTIVE' WHERE pgt_name = 'a';
UPDATE pgtrickle.pgt_stream_tables SET needs_reinit = true, reinit_reason = 'so' WHERE pgt_name = 'a'; SELECT test.fails('SELECT pgtrickle.wait_for_freshness(''b'', ''50 ms'')', '55000', 'must be rebuilt: so'); UPDATE pgtrickle.pgt_stream_tables SET needs_reinit = false;
BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT test.fails('SELECT pgtrickle.wait_for_freshness(''b'')', '25001', 'REPEATABLE READ.*public.a: changes of public.t.*READ COMMITTED'); COMMIT;
BEGIN; SELECT pgtrickle.create_stream_table('now', 'SELECT id FROM t'); SELECT test.fails('SELECT pgtrickle.wait_for_freshness(''now'')', '55000', 'created in this transaction.*COMMIT'); ROLLBACK;
SELECT test.fails('SELECT pgtrickle.wait_for_freshness(''t'')', '42P01', 'not a stream table'), test.fails('SELECT pgtrickle.wait_for_freshness(''nope'')', '42P01');
-- who waits, or has waited, keeps no lock on a log: else the rebuild that it waits for could not recreate the log
CREATE FUNCTION locked_logs() RETURNS text LANGUAGE sql AS $$ SELECT coalesce(string_agg(DISTINCT l.relation::regclass::text, ' '), 'none') FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relnamespace = 'pgtrickle_changes'::regnamespace $$;
SELECT starts('r', 'b');
-- (it locks them for each look: between two looks nothing is locked)
CREATE FUNCTION locked_between_looks() RETURNS text LANGUAGE plpgsql AS $$ DECLARE locked text; BEGIN
    FOR i IN 1..1000 LOOP
        locked := locked_logs();
        EXIT WHEN locked = 'none';
        PERFORM pg_sleep(0.01);
    END LOOP;
    RETURN locked;
END $$;
SELECT test.ok('it waits', waits('r')), test.eq('logs locked by who waits', locked_between_looks(), 'none');
SELECT test.refresh('a'); SELECT test.refresh('b'); SELECT done('r');
BEGIN; SELECT pgtrickle.wait_for_freshness('b', '1 s'); SELECT test.eq('logs locked by who waited', locked_logs(), 'none'); COMMIT;
INSERT INTO t VALUES (21);
-- dropped meanwhile
SELECT starts('r', 'b'); SELECT pgtrickle.drop_stream_table('b');
SELECT test.fails('SELECT done(''r'')', '42P01', 'dropped'); SELECT * FROM public.dblink_get_result('r') AS x(t text);
-- roles that may not read the logs may wait
SET ROLE bob; SELECT test.fails('SELECT pgtrickle.wait_for_freshness(''a'', ''50 ms'')', '55000', 'not applied'); RESET ROLE;
SELECT test.refresh('a'); SET ROLE bob; SELECT pgtrickle.wait_for_freshness('a', '1 s'); RESET ROLE;
-- cycles: members are refreshed together, so only what comes from outside is looked at
SELECT pgtrickle.create_stream_table('c1', 'SELECT id FROM t'), pgtrickle.create_stream_table('c2', 'SELECT id FROM c1');
SELECT test.build('c1') AS c1, test.build('c2') AS c2 \gset
INSERT INTO pgtrickle.pgt_dependencies (pgt_id, source_relid, source_type, source_schema, source_name) VALUES (:c1, 'c2'::regclass, 'STREAM_TABLE', 'public', 'c2');
SELECT pgtrickle.wait_for_freshness('c1', '1 s'); SELECT pgtrickle.wait_for_freshness('c2', '1 s');
INSERT INTO t VALUES (21); SELECT test.fails('SELECT pgtrickle.wait_for_freshness(''c2'', ''50 ms'')', '55000', 'public.c1: changes of public.t');
SELECT test.refresh('c1'); SELECT test.refresh('c2'); SELECT pgtrickle.wait_for_freshness('c2', '1 s'); SELECT pgtrickle.wait_for_freshness('c1', '1 s');
