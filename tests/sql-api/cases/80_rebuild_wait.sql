-- Refreshing by hand while the daemon builds: waits for it, holds nothing that a build needs, says why it does not
CREATE TABLE t (id int); CREATE TABLE u (id int);
SELECT pgtrickle.create_stream_table('a', 'SELECT id FROM t');
SELECT test.build('a') AS a \gset
SELECT test.connect('r'), test.connect('w');
INSERT INTO pgtrickle.pgt_daemons (instance) VALUES ('here');
CREATE FUNCTION mark(r boolean) RETURNS void LANGUAGE sql AS $$ UPDATE pgtrickle.pgt_stream_tables SET needs_reinit = r, reinit_reason = CASE WHEN r THEN 'so' END WHERE pgt_name = 'a' $$;
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
-- What others hold of what a build alters
CREATE FUNCTION held() RETURNS text LANGUAGE sql AS $$ SELECT coalesce(string_agg(DISTINCT l.relation::regclass || ' ' || l.mode, ', '), 'nothing') FROM pg_locks l
    WHERE l.pid <> pg_backend_pid() AND l.relation IN (SELECT c.oid FROM pg_class c WHERE c.relname IN ('t', 'u', 'a') OR c.relnamespace IN ('pgtrickle_changes'::regnamespace, 'pgtrickle_state'::regnamespace)) $$;
-- the function, while it is marked, and while it is being built
SELECT mark(true); INSERT INTO t VALUES (1);
SELECT public.dblink_send_query('r', 'SELECT pgtrickle.refresh_stream_table(''a'')::text'); SELECT test.until_waiting('r');
SELECT test.ok('it waits', waits('r')), test.eq('held meanwhile', held(), 'nothing');
UPDATE pgtrickle.pgt_stream_tables SET status = 'INITIALIZING' WHERE pgt_name = 'a'; SELECT test.until_waiting('r');
SELECT test.ok('it waits on', waits('r')), test.eq('held meanwhile', held(), 'nothing');
UPDATE pgtrickle.pgt_stream_tables SET status = 'ACTIVE', needs_reinit = false WHERE pgt_name = 'a'; SELECT done('r');
SELECT test.eq('refreshed', (SELECT count(*) FROM a), 1::bigint);
-- the procedure
SELECT mark(true); INSERT INTO t VALUES (2);
SELECT public.dblink_send_query('r', 'CALL pgtrickle.refresh(''a'')'); SELECT test.until_waiting('r');
SELECT test.ok('CALL waits', waits('r')), test.eq('held meanwhile', held(), 'nothing');
SELECT mark(false); SELECT test.eq('called', done('r'), 'CALL');
SELECT test.eq('refreshed by CALL', (SELECT count(*) FROM a), 2::bigint);
-- what nobody has noticed: the procedure tells the daemon
UPDATE pgtrickle.pgt_frontiers SET snapshot = NULL;
SELECT public.dblink_send_query('r', 'CALL pgtrickle.refresh(''a'')'); SELECT test.until_waiting('r');
SELECT test.ok('CALL waits', waits('r')), test.eq('asked for', (SELECT needs_reinit || ' ' || reinit_reason FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'a'), 'true a source changed, as a refresh by hand found');
SELECT action FROM pgtrickle_state.refresh_:a('full'); SELECT mark(false); SELECT test.eq('called', done('r'), 'CALL');
-- in time, or not at all
SELECT mark(true);
SET pgtrickle.rebuild_wait = '200 ms'; SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''a'')', '55000', 'a must be rebuilt before it can be refreshed; it was waited for 0\.2 s . so\.? . .*rebuild_wait');
SET pgtrickle.rebuild_wait = '0'; SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''a'')', '55000', 'before it can be refreshed \| so\.? \|');
SET pgtrickle.rebuild_wait = 'soon'; SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''a'')', '22023', 'rebuild_wait.*soon.*duration');
RESET pgtrickle.rebuild_wait;
-- in vain
BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''a'')', '55000', 'so\.? This REPEATABLE READ transaction would not see it.*CALL pgtrickle.refresh'); COMMIT;
UPDATE pgtrickle.pgt_stream_tables SET status = 'PAUSED' WHERE pgt_name = 'a'; SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''a'')', '55000', 'rebuilt'); UPDATE pgtrickle.pgt_stream_tables SET status = 'ACTIVE' WHERE pgt_name = 'a';
SELECT pgtrickle.pause_scheduler(); SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''a'')', '55000', 'resume_scheduler'); SELECT pgtrickle.resume_scheduler();
-- because of this very transaction
BEGIN; SELECT mark(true); SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''a'')', '55000', 'This very transaction altered something.*COMMIT'); ROLLBACK;
BEGIN; SELECT count(*) FROM a; SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''a'')', '55000', 'while this very transaction holds AccessShareLock on public.a.*COMMIT'); ROLLBACK;
BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''a'')', '55000', 'AccessExclusiveLock on public.t'); ROLLBACK;
-- who else is in the way: the ones that the build must wait for, and nobody else
SELECT test.run('w', 'BEGIN'), test.ask('w', 'SELECT count(*)::text FROM t'), test.run('w', 'INSERT INTO t VALUES (3)');
SELECT test.eq('a writer, whose capture stays', pgtrickle._build_blockers(ARRAY[:a]::bigint[]), NULL);
UPDATE pgtrickle.pgt_sources SET problem = 'gone';
SELECT test.ok('a writer, whose capture is recreated', pgtrickle._build_blockers(ARRAY[:a]::bigint[]) ~ '^process \d+ \(role postgres, idle in transaction\) holds RowExclusiveLock on public.t for [\d.]+ s: INSERT INTO t VALUES \(3\)$'
       OR pgtrickle._build_blockers(ARRAY[:a]::bigint[]) ~ 'RowExclusiveLock on pgtrickle_changes.log_1_a, RowExclusiveLock on public.t for');
SET pgtrickle.rebuild_wait = '100 ms';
SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''a'')', '55000', 'In the way of the daemon: process \d+ \(role .*RowExclusiveLock on .*public.t.*INSERT INTO t VALUES \(3\).*End the transaction'),
       test.fails('SELECT pgtrickle.wait_until_active(''a'', ''100 ms'')', '55000', 'In the way of the daemon: process \d+ \(role .*RowExclusiveLock');
SELECT test.run('w', 'ROLLBACK');
SELECT test.eq('nobody', pgtrickle._build_blockers(ARRAY[:a]::bigint[]), NULL);
