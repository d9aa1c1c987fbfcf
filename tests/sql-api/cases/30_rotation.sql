-- Two tables in turn: nothing is lost while writers are late, consumers lag or transactions are prepared
CREATE TABLE t (id int, pad text);
SELECT pgtrickle.create_stream_table('st', 'SELECT id FROM t');
SELECT pgtrickle._install_capture('t'::regclass, '{1}') AS n \gset
UPDATE pgtrickle.pgt_dependencies SET source_id = :n;
CREATE FUNCTION consume() RETURNS void LANGUAGE sql AS $$
    UPDATE pgtrickle.pgt_frontiers SET snapshot = pg_current_snapshot(), xid = pg_current_xact_id(), seq = nextval('pgtrickle_changes.log_seq') $$;
SELECT test.connect('w1'), test.connect('w2');
SELECT test.eq('empty', pgtrickle._rotate_log(:n, 0), 'kept');
SELECT test.eq('unknown source', pgtrickle._rotate_log(999, 0), 'kept');
SELECT consume();
INSERT INTO t SELECT generate_series(1, 100);
SELECT test.eq('pending', pgtrickle._pending_rows((SELECT pgt_id FROM pgtrickle.pgt_stream_tables)), 100::bigint);
SELECT test.eq('small', pgtrickle._rotate_log(:n, 1000000), 'kept');
SELECT test.run('w1', 'BEGIN'), test.run('w1', 'INSERT INTO t VALUES (1001)');     -- a straggler with rows in a
SELECT test.eq('switch', pgtrickle._rotate_log(:n, 0), 'switched');
SELECT test.eq('active', (SELECT active_log FROM pgtrickle.pgt_sources), 'b'::"char");
INSERT INTO t VALUES (2001);
SELECT test.eq('b is used', (SELECT count(*) FROM pgtrickle_changes.log_1_b), 1::bigint);
SELECT test.eq('both are read', (SELECT count(*) FROM pgtrickle_changes.log_1), 101::bigint);
SELECT test.eq('not consumed', pgtrickle._rotate_log(:n, 0), 'kept');
SELECT consume();
SELECT test.eq('a writer is active', pgtrickle._rotate_log(:n, 0), 'busy');
SELECT test.eq('lock_timeout is restored', current_setting('lock_timeout'), '0');
SELECT test.run('w1', 'COMMIT');
SELECT test.eq('his row is pending', pgtrickle._rotate_log(:n, 0), 'kept');
SELECT test.eq('one', pgtrickle._pending_rows((SELECT pgt_id FROM pgtrickle.pgt_stream_tables)), 1::bigint);
SELECT consume();
SELECT test.eq('all consumed', pgtrickle._rotate_log(:n, 0), 'truncated');
SELECT test.eq('b stays', (SELECT count(*) FROM pgtrickle_changes.log_1), 1::bigint);
SELECT test.eq('switch back', pgtrickle._rotate_log(:n, 0), 'switched');
SELECT test.eq('b goes', pgtrickle._rotate_log(:n, 0), 'truncated');
-- a straggler that has the old function writes to the inactive table: read all the same
INSERT INTO pgtrickle_changes.log_1_b (w, c1) VALUES (1, 3001);
SELECT test.eq('pending', pgtrickle._pending_rows((SELECT pgt_id FROM pgtrickle.pgt_stream_tables)), 1::bigint);
SELECT test.eq('kept', pgtrickle._rotate_log(:n, 0), 'kept');
SELECT consume();
SELECT test.eq('truncated', pgtrickle._rotate_log(:n, 0), 'truncated');
-- own rows: consumed up to seq only
BEGIN; INSERT INTO t VALUES (4001); SELECT consume(); INSERT INTO t VALUES (4002); COMMIT;
SELECT test.eq('pending after own frontier', pgtrickle._pending_rows((SELECT pgt_id FROM pgtrickle.pgt_stream_tables)), 1::bigint);
SELECT pgtrickle._rotate_log(:n, 0);
SELECT test.eq('kept for the later row', pgtrickle._rotate_log(:n, 0), 'kept');
SELECT consume(); SELECT pgtrickle._rotate_log(:n, 0);
-- a consumer that is being initialised needs everything; one that has not begun needs nothing
UPDATE pgtrickle.pgt_frontiers SET snapshot = NULL;
INSERT INTO t VALUES (5001); SELECT pgtrickle._rotate_log(:n, 0);
UPDATE pgtrickle.pgt_stream_tables SET status = 'INITIALIZING';
SELECT test.eq('initialising', pgtrickle._rotate_log(:n, 0), 'kept');
UPDATE pgtrickle.pgt_stream_tables SET status = 'PENDING';
SELECT test.eq('pending', pgtrickle._rotate_log(:n, 0), 'truncated');
-- a stopped one that must be rebuilt anyway does not hold the log back
SELECT consume(); INSERT INTO t VALUES (6001); SELECT pgtrickle._rotate_log(:n, 0);
UPDATE pgtrickle.pgt_stream_tables SET status = 'PAUSED';
SELECT test.eq('paused', pgtrickle._rotate_log(:n, 0), 'kept');
UPDATE pgtrickle.pgt_stream_tables SET needs_reinit = true;
SELECT test.eq('paused and to be rebuilt', pgtrickle._rotate_log(:n, 0), 'truncated');
SELECT test.ok('its frontier is cleared', (SELECT snapshot IS NULL FROM pgtrickle.pgt_frontiers));
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT test.fails('SELECT pgtrickle._rotate_log(1, 0)', '25001', 'READ COMMITTED');
ROLLBACK;
-- somebody else rotates
BEGIN; SELECT pgtrickle._lock_capture(:n);
SELECT test.eq('busy', test.ask('w2', format('SELECT pgtrickle._rotate_log(%s, 0)', :n)), 'busy');
COMMIT;
-- under load: four writers, one rotates and consumes; the sum of what was consumed is what is in the table
SELECT test.watch(:n);
CREATE PROCEDURE write_some(seed int) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..300 LOOP
        INSERT INTO t VALUES (seed * 10000 + i, repeat('x', 100));
        IF i % 3 = 0 THEN UPDATE t SET id = -id WHERE id = seed * 10000 + i - 1; END IF;
        IF i % 7 = 0 THEN ROLLBACK; ELSIF i % 2 = 0 THEN COMMIT; END IF;
    END LOOP;
    COMMIT;
END $$;
CREATE PROCEDURE rotate_and_check() LANGUAGE plpgsql AS $$
DECLARE r text; n int := 0; s int := 0;
BEGIN
    WHILE s < 20 AND n < 2000 LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
        PERFORM test.check_log('under load', 1);
        UPDATE pgtrickle.pgt_frontiers SET (snapshot, xid, seq) = (SELECT snapshot, xid, seq FROM test.frontier WHERE source = 1);
        COMMIT;
        r := pgtrickle._rotate_log(1, 8192);
        COMMIT;
        n := n + 1; s := s + (r = 'switched')::int;
        EXIT WHEN public.dblink_is_busy('w1') + public.dblink_is_busy('w2') + public.dblink_is_busy('w3') = 0;
    END LOOP;
    RAISE NOTICE '% rounds, % switches', n, s;
END $$;
UPDATE pgtrickle.pgt_stream_tables SET status = 'ACTIVE', needs_reinit = false;
UPDATE pgtrickle.pgt_frontiers SET (snapshot, xid, seq) = (SELECT snapshot, xid, seq FROM test.frontier WHERE source = 1);
SELECT test.connect('w3');
SELECT public.dblink_send_query(w, format('CALL write_some(%s)', right(w, 1))) FROM unnest(ARRAY['w1', 'w2', 'w3']) w;
CALL rotate_and_check();
SELECT * FROM public.dblink_get_result('w1') AS x(t text); SELECT * FROM public.dblink_get_result('w2') AS x(t text); SELECT * FROM public.dblink_get_result('w3') AS x(t text);
SELECT test.check_log('at the end', :n);
