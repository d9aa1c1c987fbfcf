-- Refreshing by hand, waiting, verifying.

-- One call of the program of a stream table, a row of history if it changed something. Raises what keeps it from being
-- refreshed. because: why it is refreshed although somebody named another one.
CREATE FUNCTION pgtrickle._refresh_one(id bigint, because text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st        pgtrickle.pgt_stream_tables;
    qualified text;
    started   timestamptz := clock_timestamp();
    cycle     bigint[];
    done      record;
BEGIN
    SELECT * INTO STRICT st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = id;
    qualified := pgtrickle._qualified(st.pgt_relid);
    PERFORM pgtrickle._require_program(st, because);
    cycle := pgtrickle._cycle_of(id);
    IF cycle IS NULL THEN
        EXECUTE format('SELECT * FROM pgtrickle_state.refresh_%s($1)', id) INTO done USING 'auto';
    ELSE    -- all of it or nothing; it writes its own history
        SELECT r.* INTO done FROM pgtrickle._refresh_scc(cycle, initiated_by => 'MANUAL') AS r ORDER BY r.action IN ('BLOWN', 'REINIT') DESC, r.pgt_id = id DESC LIMIT 1;
        IF done.pgt_id <> id THEN       -- why all the others wait
            because := concat_ws(' ', format('It is in a cycle with %s.', qualified), because);
            SELECT * INTO STRICT st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = done.pgt_id;
            qualified := pgtrickle._qualified(st.pgt_relid);
        END IF;
    END IF;
    IF done.action = 'REINIT' AND st.fuse_blown_at IS NULL THEN
        RAISE EXCEPTION 'stream table % must be built anew before it can be refreshed', qualified
            USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = concat_ws(' ', coalesce(st.reinit_reason, 'A source changed.'), because),
                  HINT = CASE WHEN pgtrickle._daemon_alive() THEN 'The daemon does that, at the latest with its next refresh: try again later.'
                              ELSE 'No daemon is running for this database: start pgtrickled.' END;
    ELSIF done.action = 'HELD' THEN
        RAISE EXCEPTION 'stream table % has to wait: %', qualified, coalesce(pgtrickle._hold_reason(id), 'a source was gated a moment ago')
            USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = coalesce(because, ''),
                  HINT = 'It may go on after pgtrickle.ungate_source(), or pgtrickle.advance_watermark() of the source that is behind.';
    ELSIF done.action IN ('BLOWN', 'REINIT') THEN     -- nor is it built anew
        RAISE EXCEPTION 'the fuse of stream table % is blown', qualified
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = concat_ws(' ', CASE WHEN st.fuse_blown_at IS NOT NULL THEN format('Blown on %s: %s.', date_trunc('second', st.fuse_blown_at), coalesce(st.fuse_blow_reason, 'unknown reason'))
                                               ELSE format('%s changes are pending, the limit is %s.', done.delta_rows, coalesce(st.fuse_limit::text, 'not set any more')) END, because),
                  HINT = format('Look at what changed, then decide: SELECT pgtrickle.reset_fuse(%L, ''apply''); or ''reinitialize'' or ''skip_changes''.', qualified);
    ELSIF done.action IN ('DIFFERENTIAL', 'FULL') AND cycle IS NULL THEN
        INSERT INTO pgtrickle.pgt_refresh_history (pgt_id, data_timestamp, start_time, end_time, action, status, delta_rows, rows_inserted, rows_updated,
                                                   rows_deleted, duration_ms, initiated_by)
        SELECT id, f.data_timestamp, started, clock_timestamp(), done.action, 'COMPLETED', done.delta_rows, done.rows_inserted, done.rows_updated,
               done.rows_deleted, extract(epoch FROM clock_timestamp() - started) * 1000, 'MANUAL'
        FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = id;
    END IF;
    RETURN done.action;
END
$$;

-- Error 55000 if a stream table has no program that could refresh it.
CREATE FUNCTION pgtrickle._require_program(st pgtrickle.pgt_stream_tables, because text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    qualified text := pgtrickle._qualified(st.pgt_relid);
BEGIN
    IF st.status IN ('PENDING', 'INITIALIZING') THEN
        RAISE EXCEPTION 'stream table % is not ready: its status is %', qualified, st.status
            USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = coalesce(because, ''),
                  HINT = CASE WHEN pgtrickle._daemon_alive() THEN format('Wait for it: SELECT pgtrickle.wait_until_active(%L);', qualified)
                              ELSE 'No daemon is running for this database: start pgtrickled.' END;
    ELSIF EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'pgtrickle_state'::regnamespace AND p.proname = format('refresh_%s', st.pgt_id)) THEN
        RETURN;
    ELSIF st.status <> 'ACTIVE' AND st.last_error IS NOT NULL THEN
        RAISE EXCEPTION 'stream table % has no program: its status is %', qualified, st.status
            USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = concat_ws(' ', st.last_error, because), HINT = coalesce(st.last_error_hint, '');
    ELSE
        RAISE EXCEPTION 'stream table % has no program', qualified
            USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = coalesce(because, ''),
                  HINT = 'The daemon makes it: resume the stream table and wait_until_active().';
    END IF;
END
$$;

-- Refreshes several stream tables in this transaction, each after those that it reads, and all of them in one state of
-- their sources: in READ COMMITTED the sources of all are locked against writers before the first is refreshed.
-- because: as in _refresh_one, for all but the one that was named. Returns the action of that one.
CREATE FUNCTION pgtrickle._refresh_together(pgt_ids bigint[], named bigint, because text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st     pgtrickle.pgt_stream_tables;
    done   text;
    answer text;
BEGIN
    FOR st IN SELECT s.* FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = ANY (pgt_ids) ORDER BY s.pgt_id LOOP
        IF NOT pgtrickle._may_manage(st.pgt_relid) THEN
            RAISE EXCEPTION 'must be owner of stream table %', pgtrickle._qualified(st.pgt_relid) USING ERRCODE = 'insufficient_privilege', DETAIL = coalesce(because, '');
        END IF;
        PERFORM pgtrickle._require_program(st, CASE WHEN st.pgt_id <> named THEN because END);
        IF current_setting('transaction_isolation') IN ('read committed', 'read uncommitted') THEN
            EXECUTE format('SELECT FROM pgtrickle_state.refresh_%s($1)', st.pgt_id) USING 'lock';
        END IF;
    END LOOP;
    FOR st IN SELECT s.* FROM unnest(pgtrickle._upstream_first(pgt_ids)) WITH ORDINALITY AS u(id, n) JOIN pgtrickle.pgt_stream_tables s ON s.pgt_id = u.id ORDER BY u.n LOOP
        done := pgtrickle._refresh_one(st.pgt_id, CASE WHEN st.pgt_id <> named THEN because END);
        IF st.pgt_id = named THEN
            answer := done;
        END IF;
    END LOOP;
    RETURN answer;
END
$$;

-- Does the work of refresh_stream_table and refresh: the stream table, with what is refreshed as one with it.
CREATE FUNCTION pgtrickle._refresh(name text, caller_path text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st         pgtrickle.pgt_stream_tables := pgtrickle._find_own(name, caller_path);
    members    bigint[] := pgtrickle._refreshed_with(st.pgt_id);
    group_name text;
BEGIN
    SELECT min(g.group_name) INTO group_name FROM pgtrickle.pgt_refresh_group_members m JOIN pgtrickle.pgt_refresh_groups g USING (group_id)
    WHERE m.pgt_id = ANY (members);
    IF group_name IS NULL THEN      -- alone, or with its cycle
        RETURN pgtrickle._refresh_one(st.pgt_id);
    END IF;
    RETURN pgtrickle._refresh_together(members, st.pgt_id, format('It is refreshed together with %s, in refresh group "%s".', pgtrickle._qualified(st.pgt_relid), group_name));
END
$$;

CREATE FUNCTION pgtrickle.refresh_stream_table(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._refresh(name, pg_catalog.current_setting('search_path'));
END
$$;
COMMENT ON FUNCTION pgtrickle.refresh_stream_table(text) IS
'Brings a stream table up to date now, in the caller''s transaction: afterwards it includes all that this transaction sees, its own
uncommitted changes too. In READ COMMITTED it locks the sources against writers (SHARE) until the transaction ends; in REPEATABLE READ
it locks nothing but may fail with 40001 if the daemon refreshed in between: retry the transaction. Also works while the stream table is paused.
Stream tables that it reads are not refreshed, but the other members of its refresh group, and what lies between them, are, in the same transaction.
Errors: 42P01, 42501 not the owner; 55000 not initialised, being rebuilt, waiting for a gate or watermark, or its fuse is blown; errors of the query.';

CREATE PROCEDURE pgtrickle.refresh(name text) LANGUAGE plpgsql AS $$
DECLARE
    caller_path text := pg_catalog.current_setting('search_path');
    attempt     int := 1;
    done        boolean := false;
BEGIN
    LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
        BEGIN
            PERFORM pgtrickle._refresh(name, caller_path);
            done := true;
        EXCEPTION WHEN serialization_failure OR deadlock_detected THEN
            IF attempt OPERATOR(pg_catalog.>=) 10 THEN
                RAISE;
            END IF;
        END;
        EXIT WHEN done;
        ROLLBACK;           -- the daemon refreshed it in between: look again with a new snapshot
        attempt := attempt OPERATOR(pg_catalog.+) 1;
    END LOOP;
    COMMIT;
END
$$;
COMMENT ON PROCEDURE pgtrickle.refresh(text) IS
'As refresh_stream_table(), in a REPEATABLE READ transaction of its own, so that writers are never blocked; retries up to 10 times if another
refresh came first. Commits what was done before; cannot be called in a transaction block (2D000).';

-- The work of wait_until_active. Each query of a VOLATILE function sees what has been committed meanwhile.
CREATE FUNCTION pgtrickle._wait_until_active(name text, timeout interval, caller_path text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st        pgtrickle.pgt_stream_tables := pgtrickle._find(name, caller_path);
    id        bigint := st.pgt_id;
    qualified text := pgtrickle._qualified(st.pgt_relid);
    deadline  timestamptz := clock_timestamp() + coalesce(timeout, interval '60 s');
    pause     double precision := 0.01;
BEGIN
    LOOP
        SELECT * INTO st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'stream table % was dropped while waiting for it', qualified USING ERRCODE = 'undefined_table';
        ELSIF st.status = 'ACTIVE' AND NOT st.needs_reinit THEN
            RETURN;
        ELSIF st.status IN ('ERROR', 'SUSPENDED') THEN
            RAISE EXCEPTION 'stream table %: %', qualified, coalesce(st.last_error, 'its status is ' || st.status)
                USING ERRCODE = CASE WHEN st.last_error_code ~ '^[0-9A-Z]{5}$' AND st.last_error_code !~ '^0[0-2]' THEN st.last_error_code ELSE '55000' END,
                      DETAIL = format('Its status is %s%s.', st.status, coalesce(' since ' || st.last_error_at, '')),
                      HINT = coalesce(st.last_error_hint, format('After removing the cause: SELECT pgtrickle.resume_stream_table(%L);', qualified));
        ELSIF st.fuse_blown_at IS NOT NULL THEN
            RAISE EXCEPTION 'stream table % is not built anew while its fuse is blown', qualified
                USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = format('Blown because %s; it must be built anew because %s.', coalesce(st.fuse_blow_reason, 'of an unknown reason'), coalesce(st.reinit_reason, 'of an unknown reason')),
                      HINT = format('SELECT pgtrickle.reset_fuse(%L);', qualified);
        ELSIF st.status = 'PAUSED' THEN
            RAISE EXCEPTION 'stream table % is paused', qualified
                USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('SELECT pgtrickle.resume_stream_table(%L);', qualified);
        ELSIF st.created_xid = pg_current_xact_id_if_assigned() AND st.created_at = transaction_timestamp() THEN
            RAISE EXCEPTION 'stream table % cannot become active before this transaction commits', qualified
                USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = 'It was created in this transaction; the daemon does not see it yet.',
                      HINT = 'COMMIT, then wait. If the table was filled at creation, its rows can be read at once.';
        ELSIF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
            RAISE EXCEPTION 'cannot wait for stream table % in a % transaction', qualified, upper(current_setting('transaction_isolation'))
                USING ERRCODE = 'active_sql_transaction', DETAIL = format('Its status was %s when this transaction began to read, and this transaction will not see it change.', st.status),
                      HINT = 'Wait in a transaction of its own, in READ COMMITTED.';
        ELSIF clock_timestamp() >= deadline THEN
            RAISE EXCEPTION 'stream table % did not become active within %', qualified, coalesce(timeout, interval '60 s')
                USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = format('Its status is %s%s.', st.status, CASE WHEN st.needs_reinit THEN ', it must be built anew: ' || coalesce(st.reinit_reason, 'unknown reason') ELSE '' END),
                      HINT = CASE WHEN pgtrickle._daemon_alive() THEN 'A daemon is running: see its log, or wait longer.'
                                  ELSE 'No daemon is running for this database (no heartbeat in the last 15 s): start pgtrickled.' END;
        END IF;
        PERFORM pg_sleep(least(pause, greatest(extract(epoch FROM deadline - clock_timestamp()), 0.001)));
        pause := least(pause * 1.5, 0.25);
    END LOOP;
END
$$;

CREATE FUNCTION pgtrickle.wait_until_active(name text, timeout interval DEFAULT '60 s') RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pgtrickle._wait_until_active(name, timeout, pg_catalog.current_setting('search_path'));
END
$$;
COMMENT ON FUNCTION pgtrickle.wait_until_active(text, interval) IS
'Returns as soon as the daemon has built the stream table, after creation, a change of mode or a change of a source.
Raises the error with which that failed, with its SQLSTATE and hint; 55000 after the timeout (the hint says if no daemon is running), if it is paused or
was created in this very transaction; 25001 in REPEATABLE READ, which cannot see progress; 42P01 not a stream table.';

-- Sets settings (name -> value) for the rest of the transaction; returns what they were.
CREATE FUNCTION pgtrickle._apply_settings(settings jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    s   record;
    was jsonb := '{}';
BEGIN
    FOR s IN SELECT e.key, e.value FROM pg_catalog.jsonb_each_text(settings) AS e LOOP
        was := pg_catalog.jsonb_set(was, ARRAY[s.key], pg_catalog.to_jsonb(pg_catalog.current_setting(s.key)));
        PERFORM pg_catalog.set_config(s.key, s.value, true);
    END LOOP;
    RETURN was;
END
$$;

CREATE FUNCTION pgtrickle._verify_stream_table(name text, refresh boolean, caller_path text, OUT missing bigint, OUT extra bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st    pgtrickle.pgt_stream_tables := pgtrickle._find_own(name, caller_path);
    owner name := (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = st.pgt_relid);
    role  text := current_setting('role');
    was   jsonb;
    aliases text; from_query text; from_table text; keys text;
    statement text;
    definition text;
BEGIN
    IF refresh THEN
        PERFORM pgtrickle._refresh(name, caller_path);
    END IF;
    -- Types without equality are compared by their text.
    SELECT string_agg(format('k%s', a.n), ', ' ORDER BY a.n),
           string_agg(CASE WHEN a.groupable THEN format('q.k%s AS k%s', a.n, a.n) ELSE format('q.k%s::text AS k%s', a.n, a.n) END, ', ' ORDER BY a.n),
           string_agg(CASE WHEN a.groupable THEN format('t.%I', a.attname) ELSE format('t.%I::text', a.attname) END, ', ' ORDER BY a.n),
           string_agg(format('u.k%s', a.n), ', ' ORDER BY a.n)
      INTO aliases, from_query, from_table, keys
      FROM (SELECT x.attname, row_number() OVER (ORDER BY x.attnum) AS n, y.groupable
            FROM pg_attribute x JOIN (SELECT z.atttypid, pgtrickle._is_groupable(z.atttypid) AS groupable FROM pg_attribute z
                                      WHERE z.attrelid = st.pgt_relid AND z.attnum > 0 AND NOT z.attisdropped GROUP BY z.atttypid) AS y USING (atttypid)
            WHERE x.attrelid = st.pgt_relid AND x.attnum > 0 AND NOT x.attisdropped) AS a;
    -- The query runs user code: with the owner's rights, never with those of whoever verifies.
    was := pgtrickle._apply_settings(st.settings);
    -- Where rows tie, the query has several right answers: the table must have one of them, the one that it keeps to.
    FOREACH definition IN ARRAY array_remove(ARRAY[st.defining_query, st.definite_query], NULL) LOOP
        statement := format('SELECT coalesce(sum(d.n) FILTER (WHERE d.n > 0), 0), coalesce(-sum(d.n) FILTER (WHERE d.n < 0), 0) '
            'FROM (SELECT sum(u.w) AS n FROM (SELECT 1 AS w, %s FROM (%s) AS q(%s) UNION ALL SELECT -1, %s FROM %s AS t) AS u '
            'GROUP BY %s HAVING sum(u.w) <> 0) AS d', from_query, definition, aliases, from_table, pgtrickle._qualified(st.pgt_relid), keys);
        IF owner <> current_user THEN
            -- Not by SET ROLE alone: what the query calls could set the role back. In a SECURITY DEFINER function it cannot.
            PERFORM set_config('role', owner, true);
            CREATE OR REPLACE FUNCTION pg_temp.pgtrickle_verify(statement text, OUT missing bigint, OUT extra bigint)
                LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN EXECUTE statement INTO missing, extra; END';
            GRANT EXECUTE ON FUNCTION pg_temp.pgtrickle_verify(text) TO PUBLIC;
            PERFORM set_config('role', role, true);
            SELECT v.missing, v.extra INTO missing, extra FROM pg_temp.pgtrickle_verify(statement) AS v;
            PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);     -- whatever it did to it
        ELSE
            EXECUTE statement INTO missing, extra;
        END IF;
        EXIT WHEN missing = 0 AND extra = 0;
    END LOOP;
    PERFORM pgtrickle._apply_settings(was);
END
$$;

CREATE FUNCTION pgtrickle.verify_stream_table(name text, refresh boolean DEFAULT true) RETURNS TABLE (missing bigint, extra bigint) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT v.missing, v.extra FROM pgtrickle._verify_stream_table(name, refresh, pg_catalog.current_setting('search_path')) AS v;
END
$$;
COMMENT ON FUNCTION pgtrickle.verify_stream_table(text, boolean) IS
'Compares a stream table with its query, as multisets, at one snapshot: missing = rows of the query that the table lacks, extra = rows it should not have. Both 0: equal.
refresh: bring it up to date first (locks as in refresh_stream_table); with false, changes not yet applied count as differences.
Runs the whole query, with the owner''s rights and under the settings recorded at creation. Rows are compared by equality, types without one by their text. Where rows tie under LIMIT or DISTINCT ON, any right answer would do; the table keeps to one.
Errors: as refresh_stream_table().';
