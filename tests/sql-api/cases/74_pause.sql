-- Pausing, draining, and what a unit sees of it
SELECT test.connect('u'), test.connect('v'), test.connect('w');
SELECT test.ok('neither', NOT pgtrickle.is_paused() AND NOT pgtrickle.is_drained());
SELECT test.run('w', 'LISTEN pgtrickle_wake');
SELECT test.ok('paused', pgtrickle.pause_scheduler('backup') ~ '^paused: '), test.ok('again', pgtrickle.pause_scheduler('other') ~ '^paused already since 20');
SELECT test.eq('recorded', (SELECT concat_ws(' ', paused, paused_at <= clock_timestamp(), paused_by = current_user, reason) FROM pgtrickle.pgt_control), 't t t backup');
SELECT test.ok('a unit', pgtrickle.is_paused()), test.fails('SELECT pgtrickle._enter_unit()', 'TR001', 'is paused in this database.*backup.*resume_scheduler');
SELECT test.ok('nothing runs', pgtrickle.is_drained());
SELECT test.eq('resumed', pgtrickle.resume_scheduler(), 'resumed'), test.eq('again', pgtrickle.resume_scheduler(NULL), 'not paused');
SELECT test.eq('forgotten', (SELECT c::text FROM (SELECT paused, paused_at, paused_by, reason FROM pgtrickle.pgt_control) c), '(f,,,)');
NOTIFY pgtrickle_wake, 'end'; SELECT test.eq('woken for each', test.notified('w'), '"",""');
SELECT pgtrickle._enter_unit();
-- transactional
BEGIN; SELECT pgtrickle.pause_scheduler(); ROLLBACK;
SELECT test.ok('undone', NOT pgtrickle.is_paused()), pgtrickle._enter_unit();
SELECT test.run('v', 'BEGIN'), test.ask('v', 'SELECT pgtrickle.pause_scheduler()');
SELECT test.run('u', 'BEGIN ISOLATION LEVEL REPEATABLE READ'), test.ask('u', 'SELECT pgtrickle._enter_unit()::text'), test.run('u', 'COMMIT');
SELECT test.run('v', 'ROLLBACK');
-- A unit whose snapshot is older than a pause that has come meanwhile: it must not go on as if it had not.
SELECT test.run('u', 'BEGIN ISOLATION LEVEL REPEATABLE READ'), test.ask('u', 'SELECT 1::text');
SELECT pgtrickle.drain(1);
SELECT test.fails('SELECT test.ask(''u'', ''SELECT pgtrickle._enter_unit()::text'')', '40001', 'paused or resumed just now'), test.run('u', 'ROLLBACK');
SELECT pgtrickle.resume_scheduler();
SELECT test.run('u', 'BEGIN ISOLATION LEVEL REPEATABLE READ'), test.ask('u', 'SELECT pgtrickle._enter_unit()::text'), test.run('u', 'COMMIT');
-- drain waits for a unit that runs, lets none begin meanwhile, and does not starve
SELECT test.run('u', 'BEGIN ISOLATION LEVEL REPEATABLE READ'), test.ask('u', 'SELECT pgtrickle._enter_unit()::text');
SELECT test.eq('no time', pgtrickle.drain(0), false), test.eq('too little time', pgtrickle.drain(1), false);
SELECT test.ok('as before', NOT pgtrickle.is_paused() AND current_setting('lock_timeout') = '0'), pgtrickle._enter_unit();
SELECT test.ok('paused is not drained', pgtrickle.pause_scheduler() IS NOT NULL AND NOT pgtrickle.is_drained());
-- without a reason the error has no detail (RAISE refuses NULL: the daemon took 22004 for an error of the stream table)
SELECT test.fails('SELECT pgtrickle._enter_unit()', 'TR001', 'is paused in this database.*resume_scheduler'), pgtrickle.resume_scheduler();
SELECT public.dblink_send_query('v', 'SELECT pgtrickle.drain(30)::text');
DO $$ BEGIN
    FOR i IN 1..2000 LOOP      -- the drain takes 30 s
        EXIT WHEN EXISTS (SELECT FROM pgtrickle._lockers('units') WHERE NOT granted);
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
SELECT test.fails('SELECT pgtrickle._enter_unit()', 'TR001', 'being drained');
SELECT test.eq('waits', public.dblink_is_busy('v'), 1), test.ok('not paused yet', NOT pgtrickle.is_paused());
SELECT test.run('u', 'COMMIT');
SELECT test.eq('drained', t, 'true') FROM public.dblink_get_result('v') AS r(t text);
SELECT * FROM public.dblink_get_result('v') AS r(t text);
SELECT test.ok('drained', pgtrickle.is_drained() AND pgtrickle.is_paused()), test.eq('reason', (SELECT reason FROM pgtrickle.pgt_control), 'drained');
SELECT test.fails('SELECT pgtrickle._enter_unit()', 'TR001', 'drained.*resume_scheduler'), test.eq('twice', pgtrickle.drain(0), true);
SELECT pgtrickle.resume_scheduler();
SELECT test.ok('over', NOT pgtrickle.is_drained()), pgtrickle._enter_unit();
-- drain in a transaction: nobody enters until it ends, and not at all if it is undone
SELECT test.run('v', 'BEGIN'), test.ask('v', 'SELECT pgtrickle.drain(1)::text');
SELECT test.fails('SELECT pgtrickle._enter_unit()', 'TR001', 'being drained'), test.run('v', 'ROLLBACK'), pgtrickle._enter_unit();
-- the caller's lock_timeout is not changed
SET lock_timeout = '7s'; SELECT pgtrickle.drain(2), pgtrickle.resume_scheduler(); SELECT test.eq('lock_timeout', current_setting('lock_timeout'), '7s'); RESET lock_timeout;
-- for scripts that pass nodes
SELECT pgtrickle.pause_scheduler(NULL::text[]); SELECT test.ok('no nodes', pgtrickle.is_paused());
SELECT test.fails('SELECT pgtrickle.pause_scheduler(ARRAY[''n''])', '0A000', 'as a whole.*pause_stream_table'), test.fails('SELECT pgtrickle.pause_scheduler(nodes => ''{}'')', '0A000'), test.fails('SELECT pgtrickle.resume_scheduler(ARRAY[''n''])', '0A000');
SELECT pgtrickle.resume_scheduler(NULL);
-- errors and rights
SELECT test.fails('SELECT pgtrickle.drain(-1)', '22023', 'invalid timeout -1'), test.fails('SELECT pgtrickle.drain(NULL)', '22023'), test.fails('SELECT pgtrickle.drain(100000)', '22023');
CREATE FUNCTION as_bob(statement text, code text, pattern text DEFAULT '') RETURNS void LANGUAGE plpgsql SET role = bob AS $$ BEGIN PERFORM test.fails(statement, code, pattern); END $$;
SELECT as_bob(s, '42501', 'permission denied to.*members of role') FROM unnest(ARRAY['SELECT pgtrickle.pause_scheduler()', 'SELECT pgtrickle.resume_scheduler()', 'SELECT pgtrickle.drain()']) s;
SELECT as_bob(s, '42501', 'permission denied') FROM unnest(ARRAY['SELECT pgtrickle._enter_unit()', 'SELECT pgtrickle._set_paused(true, '''')', 'UPDATE pgtrickle.pgt_control SET paused = true', 'SELECT setval(''pgtrickle.control_xid'', 1)']) s;
SET ROLE bob; SELECT test.ok('everybody may look', NOT pgtrickle.is_paused() AND NOT pgtrickle.is_drained()); RESET ROLE;
-- single stream tables
CREATE TABLE t (id int);
SELECT pgtrickle.create_stream_table('a', 'SELECT id FROM t'), pgtrickle.create_stream_table('b', 'SELECT id FROM t'), pgtrickle.create_stream_table('c', 'SELECT id FROM t');
SELECT test.build('a') AS a, test.build('b') AS b \gset
CREATE FUNCTION statuses() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(pgt_name || ' ' || status, ', ' ORDER BY pgt_id) FROM pgtrickle.pgt_stream_tables $$;
NOTIFY pgtrickle_wake, 'end'; SELECT test.notified('w');
SELECT generation AS g FROM pgtrickle.pgt_stream_tables WHERE pgt_id = :a \gset
SELECT pgtrickle.pause_stream_table('a'), pgtrickle.pause_stream_table('a');
SELECT test.eq('paused', statuses(), 'a PAUSED, b ACTIVE, c PENDING'), test.eq('once', (SELECT generation FROM pgtrickle.pgt_stream_tables WHERE pgt_id = :a), :g::bigint + 1);
NOTIFY pgtrickle_wake, 'end'; SELECT test.eq('woken for it', test.notified('w'), '"t:' || :a || '"');
UPDATE pgtrickle.pgt_stream_tables SET status = 'SUSPENDED', last_error = 'x', last_error_code = '42501', consecutive_errors = 3 WHERE pgt_id = :b;
SET ROLE bob; CREATE TABLE his (id int); SELECT pgtrickle.create_stream_table('bobs', 'SELECT id FROM his'); SELECT pgtrickle.pause_stream_table('bobs'); SELECT pgtrickle.resume_all(); RESET ROLE;
SELECT test.eq('bob resumes his own', statuses(), 'a PAUSED, b SUSPENDED, c PENDING, bobs PENDING');
SELECT as_bob('SELECT pgtrickle.pause_stream_table(''public.a'')', '42501', 'must be owner'), test.fails('SELECT pgtrickle.pause_stream_table(''t'')', '42P01');
SELECT pgtrickle.resume_all();
SELECT test.eq('all', statuses(), 'a ACTIVE, b ACTIVE, c PENDING, bobs PENDING'), test.eq('errors forgotten', (SELECT count(*) FROM pgtrickle.pgt_stream_tables WHERE last_error IS NOT NULL OR consecutive_errors > 0), 0::bigint);
-- what readers are promised
SELECT pgtrickle.set_stream_table_sla('a', '5 min'); SELECT test.eq('sla', (SELECT max_staleness FROM pgtrickle.pgt_stream_tables WHERE pgt_id = :a), interval '5 min');
SELECT pgtrickle.set_stream_table_sla('a', NULL); SELECT test.eq('none', (SELECT max_staleness FROM pgtrickle.pgt_stream_tables WHERE pgt_id = :a), NULL::interval);
SELECT test.fails('SELECT pgtrickle.set_stream_table_sla(''a'', ''infinity'')', '22023', 'finite') WHERE current_setting('server_version_num')::int >= 170000;   -- before there is none
SELECT test.fails('SELECT pgtrickle.set_stream_table_sla(''a'', ''-1 s'')', '22023', 'more than 0'), test.fails('SELECT pgtrickle.set_stream_table_sla(''t'', ''1 s'')', '42P01'), as_bob('SELECT pgtrickle.set_stream_table_sla(''public.a'', ''1 s'')', '42501');
