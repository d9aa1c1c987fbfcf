-- Loaded after pgtrickle: checks that a change log explains how its source changed.
SELECT pgtrickle.trust_all_owners(true);     -- the borders between owners are tested in tests/security/
GRANT ALL ON test.frontier TO PUBLIC;
GRANT CREATE ON SCHEMA test TO PUBLIC;

CREATE FUNCTION test.watch(source bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    s pgtrickle.pgt_sources;
BEGIN
    SELECT * INTO STRICT s FROM pgtrickle.pgt_sources WHERE source_id = source;
    EXECUTE format('CREATE TABLE test.copy_%s AS SELECT %s AS r, count(*) AS n FROM %s GROUP BY 1', source, test.row_text(s, 'a.attname'), s.relid::regclass);
    INSERT INTO test.frontier VALUES (source, pg_current_snapshot(), pg_current_xact_id(), nextval('pgtrickle_changes.log_seq'));
END
$$;

-- ROW(...)::text of the captured columns, of the source or of its log
CREATE FUNCTION test.row_text(s pgtrickle.pgt_sources, which text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    SELECT format('ROW(%s)::text', string_agg(CASE which WHEN 'log' THEN 'c' || a.attnum ELSE quote_ident(a.attname) END, ', ' ORDER BY a.attnum)) INTO result
    FROM pg_attribute a WHERE a.attrelid = s.relid AND a.attnum = ANY (s.columns);
    RETURN result;
END
$$;

-- Applies what is pending and compares; returns the number of log rows applied, -1 if there was a marker (copied again).
-- `once` is the name of the case's step. Everything in one statement, hence one snapshot.
CREATE FUNCTION test.check_log(step text, source bigint, expected bigint DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    s       pgtrickle.pgt_sources;
    f       test.frontier;
    rows    bigint;
    markers bigint;
    wrong   text;
BEGIN
    SELECT * INTO STRICT s FROM pgtrickle.pgt_sources WHERE source_id = source;
    SELECT * INTO STRICT f FROM test.frontier t WHERE t.source = s.source_id;
    EXECUTE format($q$
        WITH pending AS MATERIALIZED (SELECT * FROM pgtrickle_changes.log_%1$s l WHERE l.xid >= pg_snapshot_xmin($1)
                  AND NOT pg_visible_in_snapshot(l.xid, $1) AND NOT (l.xid = $2 AND l.seq <= $3)),
        diff AS (SELECT r, sum(n) AS n FROM (SELECT r, n FROM test.copy_%1$s UNION ALL SELECT %2$s, w FROM pending WHERE w <> 0
                                              UNION ALL SELECT %3$s, -1 FROM %4$s) u GROUP BY r HAVING sum(n) <> 0)
        SELECT (SELECT count(*) FROM pending), (SELECT count(*) FROM pending WHERE w = 0), (SELECT string_agg(r || ' x ' || n, '; ') FROM diff)$q$,
        source, test.row_text(s, 'log'), test.row_text(s, 'source'), s.relid::regclass) INTO rows, markers, wrong USING f.snapshot, f.xid, f.seq;
    IF markers = 0 AND wrong IS NOT NULL THEN
        RAISE EXCEPTION '%: the log does not explain the table: %', step, left(wrong, 500);
    END IF;
    EXECUTE format('DELETE FROM test.copy_%s', source);
    EXECUTE format('INSERT INTO test.copy_%s SELECT %s AS r, count(*) AS n FROM %s GROUP BY 1', source, test.row_text(s, 'source'), s.relid::regclass);
    UPDATE test.frontier t SET snapshot = pg_current_snapshot(), xid = pg_current_xact_id(), seq = nextval('pgtrickle_changes.log_seq') WHERE t.source = s.source_id;
    IF markers > 0 THEN
        rows := -1;
    END IF;
    IF rows <> coalesce(expected, rows) THEN
        RAISE EXCEPTION '%: % log rows, expected %', step, rows, expected;
    END IF;
    RETURN rows;
END
$$;
CREATE FUNCTION test.cols(rel regclass, VARIADIC names text[]) RETURNS int2[] LANGUAGE sql AS $$
    SELECT coalesce(array_agg(attnum ORDER BY attnum), '{}') FROM pg_attribute WHERE attrelid = rel AND attnum > 0 AND NOT attisdropped AND (names = '{*}' OR attname = ANY (names))
$$;

-- Stands in for what the daemon builds: captures the sources of a stream table (unless it is to be FULL) and writes a
-- refresh_<id> that keeps its contract by recomputing. The stream table is ACTIVE afterwards.
CREATE FUNCTION test.build(st regclass, captured boolean DEFAULT true) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    s pgtrickle.pgt_stream_tables;
    d record;
    source bigint;
    pending text := 'SELECT 0 AS n';
    locks text := '';
BEGIN
    SELECT * INTO STRICT s FROM pgtrickle.pgt_stream_tables WHERE pgt_relid = st;
    FOR d IN SELECT * FROM pgtrickle.pgt_dependencies WHERE pgt_id = s.pgt_id AND source_type <> 'VIEW' AND captured LOOP
        source := pgtrickle._install_capture(d.source_relid, d.columns);
        UPDATE pgtrickle.pgt_dependencies SET source_id = source WHERE pgt_id = s.pgt_id AND source_relid = d.source_relid;
        pending := pending || format(' UNION ALL SELECT pgtrickle._pending(%s, %s)', s.pgt_id, source);
        locks := locks || format('LOCK TABLE %s IN SHARE MODE;', pgtrickle._qualified(d.source_relid));
    END LOOP;
    EXECUTE format($f$
CREATE FUNCTION pgtrickle_state.refresh_%1$s(mode text DEFAULT 'auto', OUT action text, OUT delta_rows bigint, OUT rows_inserted bigint, OUT rows_updated bigint, OUT rows_deleted bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $p$
DECLARE
    s pgtrickle.pgt_stream_tables;
    f pgtrickle.pgt_frontiers;
    run bigint;
BEGIN
    delta_rows := 0; rows_inserted := 0; rows_updated := 0; rows_deleted := 0;
    IF mode = 'lock' THEN
        PERFORM pgtrickle._lock_sources(%1$s);
        action := 'NO_DATA'; RETURN;
    END IF;
    SELECT * INTO f FROM pgtrickle.pgt_frontiers WHERE pgt_id = %1$s FOR UPDATE;
    SELECT * INTO s FROM pgtrickle.pgt_stream_tables WHERE pgt_id = %1$s;
    IF mode = 'auto' AND (s.needs_reinit OR f.snapshot IS NULL) THEN action := 'REINIT'; RETURN; END IF;
    IF current_setting('transaction_isolation') = 'read committed' THEN %2$s END IF;
    IF mode = 'auto' AND pgtrickle._hold_reason(%1$s) IS NOT NULL THEN action := 'HELD'; RETURN; END IF;
    run := nextval('pgtrickle_changes.log_seq');
    SELECT sum(n) INTO delta_rows FROM (%3$s) AS p;
    IF mode = 'auto' AND (s.fuse_blown_at IS NOT NULL OR delta_rows > s.fuse_limit AND s.fuse_reset IS NULL) THEN action := 'BLOWN'; RETURN; END IF;
    action := CASE WHEN mode = 'full' OR %5$L THEN 'FULL' WHEN s.fuse_reset = 'skip_changes' THEN 'SKIPPED' WHEN delta_rows = 0 THEN 'NO_DATA' ELSE 'DIFFERENTIAL' END;
    IF action = 'NO_DATA' THEN RETURN; END IF;
    IF action <> 'SKIPPED' THEN
        PERFORM set_config('pgtrickle.apply', '%1$s', true);
        DELETE FROM %4$s; GET DIAGNOSTICS rows_deleted = ROW_COUNT;
        EXECUTE %6$L; GET DIAGNOSTICS rows_inserted = ROW_COUNT;
        PERFORM set_config('pgtrickle.apply', '', true);
    END IF;
    UPDATE pgtrickle.pgt_stream_tables SET fuse_reset = NULL, skipped_at = CASE action WHEN 'SKIPPED' THEN now() ELSE skipped_at END WHERE pgt_id = %1$s AND fuse_reset IS NOT NULL;
    UPDATE pgtrickle.pgt_frontiers SET snapshot = pg_current_snapshot(), xid = pg_current_xact_id(), seq = run, data_timestamp = now(),
           last_action = action, last_delta_rows = delta_rows WHERE pgt_id = %1$s;
END $p$ $f$, s.pgt_id, locks, pending, pgtrickle._qualified(st), NOT captured, format('INSERT INTO %s %s', pgtrickle._qualified(st), s.defining_query));
    EXECUTE format('SELECT FROM pgtrickle_state.refresh_%s(''full'')', s.pgt_id);
    UPDATE pgtrickle.pgt_stream_tables SET status = 'ACTIVE', effective_refresh_mode = CASE WHEN captured THEN 'DIFFERENTIAL' ELSE 'FULL' END WHERE pgt_id = s.pgt_id;
    EXECUTE format('GRANT EXECUTE ON FUNCTION pgtrickle_state.refresh_%s TO PUBLIC', s.pgt_id);
    RETURN s.pgt_id;
END
$$;

-- Refreshes it like the daemon, in a transaction of its own (session 'd', see test.connect); returns the action.
CREATE FUNCTION test.refresh(st text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    PERFORM test.run('d', 'BEGIN ISOLATION LEVEL REPEATABLE READ');
    answer := test.ask('d', format('SELECT action FROM pgtrickle_state.refresh_%s()', (SELECT pgt_id FROM pgtrickle.pgt_stream_tables WHERE pgt_relid = st::regclass)));
    PERFORM test.run('d', 'COMMIT');
    RETURN answer;
END
$$;
