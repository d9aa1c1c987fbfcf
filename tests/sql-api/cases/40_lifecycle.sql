-- Altering, refreshing, waiting, verifying, dropping; programs stand in for the ones that the daemon makes
CREATE TABLE t (id int, v numeric, j json);
INSERT INTO t SELECT i, i, '{}' FROM generate_series(1, 3) i;
SELECT pgtrickle.create_stream_table('a', 'SELECT * FROM t', schedule => '1s');
SELECT pgtrickle.create_stream_table('b', 'SELECT count(*) AS n FROM a');
CREATE VIEW a_view AS SELECT * FROM a;
SELECT pgtrickle.create_stream_table('c', 'SELECT id FROM a_view');
CREATE FUNCTION st(n text) RETURNS pgtrickle.pgt_stream_tables LANGUAGE sql AS $$ SELECT s FROM pgtrickle.pgt_stream_tables s WHERE pgt_name = n $$;
SELECT pgt_id AS a FROM st('a') \gset
SELECT test.eq('status', (st('a')).status, 'PENDING');
SELECT test.eq('schedule_ms', (st('a')).schedule_ms, 1000::bigint);
-- no daemon
SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''a'')', '55000', 'not ready.*PENDING.*No daemon');
SELECT test.fails('SELECT pgtrickle.verify_stream_table(''a'')', '55000', 'not ready');
SELECT test.fails('SELECT pgtrickle.wait_until_active(''a'', ''50 ms'')', '55000', 'did not become active within.*PENDING.*No daemon is running');
INSERT INTO pgtrickle.pgt_daemons (instance, is_leader, host, heartbeat_at) VALUES ('x', true, 'h', clock_timestamp() + interval '1 day');   -- however slow the machine is
SELECT test.fails('SELECT pgtrickle.wait_until_active(''a'', ''50 ms'')', '55000', 'A daemon is running');
SELECT test.fails('SELECT pgtrickle.wait_until_active(''t'')', '42P01', 'not a stream table');
SELECT test.fails('SELECT pgtrickle.wait_until_active(''nope'')', '42P01', 'does not exist');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT test.fails('SELECT pgtrickle.wait_until_active(''a'')', '25001', 'REPEATABLE READ.*READ COMMITTED');
ROLLBACK;
-- it becomes active while somebody waits
SELECT test.connect('w');
SELECT public.dblink_send_query('w', 'SELECT pgtrickle.wait_until_active(''a'', ''10 s'')::text');
SELECT test.until_waiting('w');
SELECT test.eq('still waiting', public.dblink_is_busy('w'), 1);
UPDATE pgtrickle.pgt_stream_tables SET status = 'ACTIVE', effective_refresh_mode = 'DIFFERENTIAL', plan = 'the plan' WHERE pgt_id = :a;
SELECT * FROM public.dblink_get_result('w') AS x(t text);
SELECT test.ok('fast when it is', clock_timestamp() < now() + interval '10 s');
SELECT pgtrickle.wait_until_active('a');
BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pgtrickle.wait_until_active('a'); COMMIT;
UPDATE pgtrickle.pgt_stream_tables SET status = 'ERROR', last_error = 'volatile function random()', last_error_code = '0A000', last_error_hint = 'Use FULL.', last_error_at = now() WHERE pgt_name = 'b';
SELECT test.fails('SELECT pgtrickle.wait_until_active(''b'')', '0A000', 'public.b: volatile function.*Use FULL');
SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''b'')', '55000', 'volatile function.*Use FULL');
-- a stand-in program
SELECT pgtrickle._install_capture('t'::regclass, '{1,2,3}') AS n \gset
UPDATE pgtrickle.pgt_dependencies SET source_id = :n WHERE source_relid = 't'::regclass;
CREATE TABLE answer (action text); INSERT INTO answer VALUES ('FULL');
DO $$ BEGIN EXECUTE format($f$
CREATE FUNCTION pgtrickle_state.refresh_%1$s(mode text DEFAULT 'auto', OUT action text, OUT delta_rows bigint, OUT rows_inserted bigint, OUT rows_updated bigint, OUT rows_deleted bigint)
LANGUAGE plpgsql SECURITY DEFINER AS $p$
BEGIN
    PERFORM set_config('pgtrickle.apply', '%1$s', true);
    SELECT a.action INTO action FROM public.answer a;
    IF action = 'FULL' THEN
        delta_rows := 5; rows_updated := 0;
        DELETE FROM public.a; GET DIAGNOSTICS rows_deleted = ROW_COUNT;
        INSERT INTO public.a SELECT * FROM public.t; GET DIAGNOSTICS rows_inserted = ROW_COUNT;
        UPDATE pgtrickle.pgt_frontiers SET snapshot = pg_current_snapshot(), xid = pg_current_xact_id(), seq = nextval('pgtrickle_changes.log_seq'), data_timestamp = now(),
               last_action = 'FULL', last_delta_rows = delta_rows WHERE pgt_id = %1$s;
    END IF;
    PERFORM set_config('pgtrickle.apply', '', true);
END $p$ $f$, (st('a')).pgt_id); END $$;
SELECT pgtrickle.refresh_stream_table('a');
SELECT test.eq('history', (SELECT action || ' ' || status || ' ' || rows_inserted || ' ' || rows_deleted || ' ' || initiated_by FROM pgtrickle.pgt_refresh_history), 'FULL COMPLETED 3 3 MANUAL');
SELECT test.eq('get_refresh_history', (SELECT count(*) FROM pgtrickle.get_refresh_history('a', 5) WHERE rows_inserted = 3), 1::bigint);
-- Statistics tell refreshes at once, whether they have been counted or not, and count each once.
CREATE FUNCTION told() RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws('|', s.rows, s.total_refreshes, s.total_full, s.total_differential, s.last_duration_ms = h.duration_ms, s.last_refresh_at = h.end_time)
    FROM pgtrickle.stream_tables s, (SELECT * FROM pgtrickle.pgt_refresh_history ORDER BY refresh_id DESC LIMIT 1) h WHERE s.name = 'public.a' $$;
SELECT test.eq('before counting', told(), '0|1|1|0|t|t');
SELECT pgtrickle._settle_refresh_stats();
SELECT test.eq('counted', (SELECT total_refreshes || ' ' || total_rows_inserted || ' ' || total_rows_deleted FROM pgtrickle.pgt_refresh_stats), '1 3 3');
SELECT test.eq('after counting', told(), '0|1|1|0|t|t');
SELECT pgtrickle._record_refreshes(ARRAY[(st('a')).pgt_id, (st('a')).pgt_id], '{FULL,DIFFERENTIAL}', '{1,2}', '{1000000,3000000}', '{1500000,5000000}', '{0,7}', '{5,4}', '{0,1}', '{0,2}');
SELECT test.eq('by the daemon', (SELECT concat_ws('|', s.rows, s.total_refreshes, s.total_full, s.total_differential, s.last_duration_ms, r.total_rows_inserted, r.total_rows_updated, r.total_rows_deleted)
                                 FROM pgtrickle.stream_tables s JOIN pgtrickle._refresh_stats r USING (pgt_id) WHERE s.name = 'public.a'), '7|3|2|1|2000|12|1|5');
SELECT pgtrickle._record_build((st('a')).pgt_id, now() - interval '1 s', 3, 0, 9, 5);
SELECT test.eq('a build has counted rows', (SELECT concat_ws('|', s.rows, s.total_refreshes, s.total_full) FROM pgtrickle.stream_tables s WHERE s.name = 'public.a'), '5|4|3');
INSERT INTO pgtrickle.pgt_refresh_stats (pgt_id) VALUES (-1);
SELECT pgtrickle._settle_refresh_stats();
SELECT test.eq('of tables that are gone nothing is kept', (SELECT count(*) FROM pgtrickle.pgt_refresh_stats), 1::bigint);
DELETE FROM pgtrickle.pgt_refresh_history WHERE initiated_by <> 'MANUAL';
SELECT test.eq('fresh', (SELECT staleness FROM pgtrickle.stream_tables WHERE name = 'public.a'), interval '0');
INSERT INTO t VALUES (4, 4.0, '{"x": 1}'), (4, 4.0, '{"x": 1}');
SELECT test.ok('stale', (SELECT staleness > '0' FROM pgtrickle.stream_tables WHERE name = 'public.a'));
SELECT test.eq('verify', (SELECT v::text FROM pgtrickle.verify_stream_table('a', false) v), '(2,0)');
SELECT test.eq('verify, refreshed', (SELECT v::text FROM pgtrickle.verify_stream_table('a') v), '(0,0)');
DELETE FROM t WHERE id = 1; UPDATE t SET v = 5 WHERE id = 2;
SELECT test.eq('verify both', (SELECT v::text FROM pgtrickle.verify_stream_table('a', refresh => false) v), '(1,2)');
CALL pgtrickle.refresh('a');
SELECT test.eq('after CALL', (SELECT v::text FROM pgtrickle.verify_stream_table('a', false) v), '(0,0)');
SELECT test.fails('CALL pgtrickle.refresh(''a'')', '2D000');
SELECT test.eq('isolation is back', current_setting('transaction_isolation'), 'read committed');
UPDATE answer SET action = 'NO_DATA'; SELECT pgtrickle.refresh_stream_table('a');
SELECT test.eq('no row of history', (SELECT count(*) FROM pgtrickle.pgt_refresh_history), 3::bigint);
UPDATE answer SET action = 'REINIT'; SET pgtrickle.rebuild_wait = 0; SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''a'')', '55000', 'rebuilt');
-- the query runs under the recorded settings
CREATE TABLE ts (v timestamptz);
INSERT INTO ts VALUES ('2024-01-01 00:00+00');
SET TimeZone = 'Asia/Tokyo';
SELECT pgtrickle.create_stream_table('st_tz', 'SELECT v::text AS v FROM ts');
SET TimeZone = 'UTC';
SELECT test.eq('settings', (SELECT v::text FROM pgtrickle.verify_stream_table('st_tz', false) v), '(0,0)');
SELECT test.eq('restored', current_setting('TimeZone'), 'UTC');
SELECT pgtrickle.drop_stream_table('st_tz');
-- looking
SELECT test.ok('explain', pgtrickle.explain_stream_table('a') ~ 'stream table  public.a.*DIFFERENTIAL.*FROM public.t.*public.t  table, captured in pgtrickle_changes.log_1; columns id, v, j.*the plan.*CREATE OR REPLACE FUNCTION pgtrickle_state.refresh_');
SELECT test.ok('explain without program', pgtrickle.explain_stream_table('c') ~ 'not compiled yet.*public.a_view  view.*none yet');
SELECT test.eq('mode', (SELECT concat_ws(',', m.configured_mode, m.effective_mode, m.downgrade_reason) FROM pgtrickle.explain_refresh_mode('a') m), 'AUTO,DIFFERENTIAL');
SELECT test.eq('tree', (SELECT string_agg(tree_line, E'\n') FROM pgtrickle.dependency_tree()), E'public.b (ERROR)\n+-- public.a (ACTIVE)\n    +-- public.t [table]\npublic.c (PENDING)\n+-- public.a (ACTIVE)\n    +-- public.t [table]\n+-- public.a_view [view]');
SELECT test.eq('buffers', (SELECT count(*) FROM pgtrickle.change_buffer_sizes() WHERE pending_rows = 0 AND buffer_bytes > 0 AND source_table = 'public.t'), 1::bigint);
SELECT test.eq('pgt_status', (SELECT count(*) FROM pgtrickle.pgt_status()), 3::bigint);
SELECT test.eq('health', (SELECT string_agg(check_name || ' ' || severity, ', ' ORDER BY check_name) FROM pgtrickle.health_check() WHERE severity <> 'OK' AND check_name <> 'event_triggers'), 'stream_table_errors ERROR, waiting_for_build WARN');
SELECT test.eq('version', pgtrickle.version(), '0.1.0');
-- altering
SELECT pgtrickle.alter_stream_table('a', schedule => '5m');
SELECT test.eq('schedule', (st('a')).schedule_ms, 300000::bigint);
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''a'', schedule => ''x'')', '22023');
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''a'', status => ''DONE'')', '22023', 'ACTIVE to resume');
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''a'', refresh_mode => ''AT ONCE'')', '22023', 'AUTO, DIFFERENTIAL, FULL or IMMEDIATE');
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''t'', status => ''PAUSED'')', '42P01');
SELECT pgtrickle.alter_stream_table('a', status => 'paused');
SELECT test.eq('paused', (st('a')).status, 'PAUSED');
SELECT test.fails('SELECT pgtrickle.wait_until_active(''a'')', '55000', 'paused.*resume_stream_table');
SELECT pgtrickle.resume_stream_table('a');
SELECT test.eq('resumed', (st('a')).status, 'ACTIVE');
SELECT (st('a')).generation AS g \gset
SELECT pgtrickle.alter_stream_table('a', refresh_mode => 'full');
SELECT test.ok('mode', (st('a')).refresh_mode = 'FULL' AND (st('a')).needs_reinit AND (st('a')).generation > :g);
SELECT pgtrickle.alter_stream_table('b', refresh_mode => 'FULL');
SELECT test.ok('an error is forgotten when the mode changes', (st('b')).status = 'PENDING' AND (st('b')).last_error IS NULL);
-- dropping
SELECT test.fails('SELECT pgtrickle.drop_stream_table(''a'')', '2BP01', 'stream table public.b\s+stream table public.c.*cascade => true');
SELECT pgtrickle.drop_stream_table('c');
CREATE VIEW on_b AS SELECT * FROM b;
SELECT test.fails('SELECT pgtrickle.drop_stream_table(''b'')', '2BP01', 'view public.on_b.*cascade => true');
SELECT test.ok('nothing happened', to_regclass('b') IS NOT NULL AND (st('b')).pgt_id IS NOT NULL);
SELECT pgtrickle.drop_stream_table('a', cascade => true);
SELECT test.eq('all gone', (SELECT count(*) FROM pgtrickle.pgt_stream_tables) + (SELECT count(*) FROM pgtrickle.pgt_frontiers) + (SELECT count(*) FROM pgtrickle.pgt_dependencies), 0::bigint);
SELECT test.ok('tables too', to_regclass('a') IS NULL AND to_regclass('b') IS NULL AND to_regclass('on_b') IS NULL);
SELECT test.eq('history stays', (SELECT count(*) FROM pgtrickle.pgt_refresh_history), 3::bigint);
-- a stream table created in one transaction and rolled back
BEGIN; SELECT pgtrickle.create_stream_table('z', 'SELECT * FROM t'); ROLLBACK;
SELECT test.eq('rolled back', (SELECT count(*) FROM pgtrickle.pgt_stream_tables), 0::bigint);
