-- Loaded after pgtrickle: checks that a change log explains how its source changed.
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

-- Applies what is pending and compares; returns the number of log rows applied, -1 if there was a marker (copied anew).
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
