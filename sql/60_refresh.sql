-- Refreshing by hand, waiting, verifying.

-- An error that may have to be raised later.
CREATE TYPE pgtrickle._problem AS (message text, detail text, hint text);

-- How long a refresh by hand waits for a build: setting pgtrickle.rebuild_wait. Error 22023.
CREATE FUNCTION pgtrickle._rebuild_wait() RETURNS interval
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    setting text := nullif(current_setting('pgtrickle.rebuild_wait', true), '');
BEGIN
    RETURN coalesce(setting::interval, interval '30 s');
EXCEPTION WHEN invalid_datetime_format OR datetime_field_overflow OR interval_field_overflow THEN
    RAISE EXCEPTION 'invalid value for parameter "pgtrickle.rebuild_wait": "%"', setting
        USING ERRCODE = 'invalid_parameter_value',
            HINT = 'A duration, such as ''30s'' or ''5min''; 0 means not to wait.';
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._rebuild_wait TO PUBLIC;

-- The locks that keep the daemon from building these stream tables: any on a stream table, which is altered; those of
-- writers on a source whose capture is to be made, and any on its log; DDL on any source. Who reads a source is in
-- nobody's way.
CREATE FUNCTION pgtrickle._locks_against_build(ids bigint[], OUT pid int, OUT relid oid, OUT mode text,
                                               OUT virtualtransaction text)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH sources AS MATERIALIZED (
        SELECT d.source_relid, x.source_id, d.source_type IN ('TABLE', 'PARTITIONED_TABLE', 'STREAM_TABLE')
               AND (x.problem IS NOT NULL OR x.source_id IS NULL
                    OR pgtrickle._source_problem(x.source_id) IS NOT NULL) AS captured_anew
        FROM pgtrickle.pgt_dependencies d LEFT JOIN pgtrickle.pgt_sources x ON x.relid = d.source_relid
        WHERE d.pgt_id = ANY (ids)),
    needed(relid, reads, writes) AS (     -- is who reads or writes it in the way? Who alters it always is.
        SELECT s.pgt_relid, true, true FROM pgtrickle._stream_tables s WHERE s.pgt_id = ANY (ids)
        UNION ALL
        SELECT r.relid, false, s.captured_anew FROM sources s
        CROSS JOIN LATERAL unnest(pgtrickle._source_relations(s.source_relid)) AS r(relid)
        UNION ALL
        SELECT c.oid, true, true FROM sources s JOIN pg_class c ON c.relnamespace = 'pgtrickle_changes'::regnamespace
           AND c.relname = ANY (ARRAY[format('log_%s', s.source_id), format('log_%s_a', s.source_id),
                                      format('log_%s_b', s.source_id)]) WHERE s.captured_anew)
    SELECT l.pid, l.relation, l.mode, l.virtualtransaction
    FROM pg_locks l JOIN needed n ON n.relid = l.relation
    WHERE l.locktype = 'relation' AND l.granted
      AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
      AND (n.reads OR n.writes AND l.mode NOT IN ('AccessShareLock', 'RowShareLock') OR l.mode = 'AccessExclusiveLock')
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._locks_against_build TO PUBLIC;

-- Who is in the way of the daemon's building these stream tables, for people: as much as the caller may see of other
-- sessions. NULL: nobody. queries: also what they are doing.
CREATE FUNCTION pgtrickle._build_blockers(ids bigint[], queries boolean DEFAULT true) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(b.line, '; ' ORDER BY b.since NULLS LAST, b.line)
    FROM (SELECT coalesce(a.xact_start, p.prepared) AS since,
                 CASE WHEN p.gid IS NOT NULL THEN format('prepared transaction %L', p.gid)
                      ELSE format('process %s (%s)', l.pid,
                                  concat_ws(', ', 'role ' || a.usename, nullif(a.application_name, ''), a.state)) END
                 || format(' holds %s',
                           string_agg(DISTINCT format('%s on %s', l.mode, pgtrickle._qualified(l.relid)), ', '))
                 || coalesce(format(' for %s s',
                                    round(extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, p.prepared)),
                                          1)), '')
                 || coalesce(CASE WHEN queries THEN ': ' END
                             || nullif(left(regexp_replace(nullif(a.query, '<insufficient privilege>'),
                                                           '[[:space:][:cntrl:]]+', ' ', 'g'), 200), ''), '') AS line
          FROM pgtrickle._locks_against_build(ids) AS l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
          LEFT JOIN pg_prepared_xacts p ON l.pid IS NULL AND l.virtualtransaction = '-1/' || p.transaction
          WHERE l.pid IS DISTINCT FROM pg_backend_pid()
            AND coalesce(a.application_name, '') NOT LIKE 'pgtrickled build%'
          GROUP BY l.pid, a.usename, a.application_name, a.state, a.xact_start, a.query, p.gid, p.prepared) AS b
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._build_blockers TO PUBLIC;

-- Why nobody can build these stream tables while this transaction goes on; NULL if it is not in the way.
CREATE FUNCTION pgtrickle._own_locks_against_build(ids bigint[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN EXISTS (SELECT FROM pg_locks l
                     WHERE l.pid = pg_backend_pid() AND l.relation = 'pgtrickle.pgt_stream_tables'::regclass
                     AND l.mode = 'RowExclusiveLock' AND l.granted) THEN
            'This very transaction altered something that stream tables depend on, and the daemon does not see that '
            'before it commits.'
        ELSE (SELECT 'The daemon cannot build it while this very transaction holds '
                     || string_agg(DISTINCT format('%s on %s', l.mode, pgtrickle._qualified(l.relid)), ', ') || '.'
              FROM pgtrickle._locks_against_build(ids) AS l WHERE l.pid = pg_backend_pid()) END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._own_locks_against_build TO PUBLIC;

-- Returns when the stream tables that are refreshed as one with this one are built, or might be. Raises the problem,
-- with error 55000, if waiting is in vain or the deadline has come: so long after who waits began.
CREATE FUNCTION pgtrickle._wait_for_rebuild(id bigint, began timestamptz, wait interval, problem pgtrickle._problem)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids      bigint[] := coalesce(pgtrickle._refreshed_with(id), ARRAY[id]);
    called   timestamptz := clock_timestamp();
    deadline timestamptz := began + wait;
    pause    double precision := 0.005;
    own      text;
    to_build boolean;
    hopeless boolean;
    blockers text;
BEGIN
    own := pgtrickle._own_locks_against_build(ids);
    IF own IS NOT NULL THEN
        problem.detail := concat_ws(' ', nullif(problem.detail, ''), own);
        problem.hint := 'COMMIT, then refresh it.';
    ELSIF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        problem.detail := concat_ws(' ', nullif(problem.detail, ''),
                                    format('This %s transaction would not see it built.',
                                           upper(current_setting('transaction_isolation'))));
        problem.hint :=
            'End this transaction and try again, in READ COMMITTED or with CALL pgtrickle.refresh(..), which wait '
            'for it.';
    ELSIF NOT pgtrickle._daemon_alive() THEN
        NULL;                       -- the problem says so
    ELSIF pgtrickle.is_paused() THEN
        problem.hint := 'The daemon is paused: SELECT pgtrickle.resume_scheduler();';
    ELSE
        LOOP
            SELECT coalesce(bool_or(s.status IN ('PENDING', 'INITIALIZING') OR s.needs_reinit), false),
                   coalesce(bool_or(s.status IN ('ERROR', 'SUSPENDED', 'PAUSED') OR s.fuse_blown_at IS NOT NULL), false)
              INTO to_build, hopeless FROM pgtrickle._stream_tables s WHERE s.pgt_id = ANY (ids);
            IF NOT to_build AND clock_timestamp() < deadline THEN
                IF clock_timestamp() - called < interval '10 ms' THEN       -- nobody has noticed yet
                    PERFORM pg_sleep(0.1);
                END IF;
                RETURN;
            END IF;
            EXIT WHEN hopeless OR clock_timestamp() >= deadline;
            PERFORM pg_sleep(least(pause, greatest(extract(epoch FROM deadline - clock_timestamp()), 0.001)));
            pause := least(pause * 1.5, 0.25);
        END LOOP;
        blockers := pgtrickle._build_blockers(ids);
        problem.detail := concat_ws(' ', nullif(problem.detail, ''), 'In the way of the daemon: ' || blockers || '.');
        IF NOT hopeless AND wait > interval '0' THEN
            problem.message := format('%s; it was waited for %s s', problem.message,
                                      round(extract(epoch FROM wait)::numeric, 1));
            problem.hint := CASE WHEN blockers IS NULL
                                 THEN 'A daemon is running: see its log, or wait longer (SET pgtrickle.rebuild_wait '
                                      '= ''5min'').'
                                 ELSE 'End the transaction that is in the way.' END;
        END IF;
    END IF;
    PERFORM pgtrickle._fail('55000', problem.message, problem.detail, problem.hint);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._wait_for_rebuild TO PUBLIC;

-- Tells the daemon, if nobody has noticed yet, that the stream tables that are refreshed as one with this one cannot be
-- refreshed as they are.
CREATE FUNCTION pgtrickle._ask_for_rebuild(id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids bigint[] := coalesce(pgtrickle._refreshed_with(id), ARRAY[id]);
BEGIN
    IF NOT EXISTS (SELECT FROM pgtrickle._stream_tables s
                   WHERE s.pgt_id = ANY (ids) AND (s.needs_reinit OR s.status <> 'ACTIVE')) THEN
        PERFORM pgtrickle._request('rebuild', to_jsonb(ids));
    END IF;
    PERFORM pgtrickle._wake_for(id);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._ask_for_rebuild TO PUBLIC;

-- Error 42501 if code of the owner of a stream table must not run in this session: what it leaves behind (deferred
-- triggers, cursors, settings, prepared statements) runs or counts later, as the role that has logged in. That does no
-- harm where this is the owner, or where the call comes from a function of the owner's, or where the admin trusts him.
-- purpose: what cannot be done, for example 'refreshed'.
CREATE FUNCTION pgtrickle._require_safe_session(relation oid, purpose text, way_out text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner_id oid := (SELECT c.relowner FROM pg_class c WHERE c.oid = relation);
    owner    name := pg_get_userbyid(owner_id);
BEGIN
    IF session_user = owner OR current_user = owner AND current_setting('role') <> owner
        OR pgtrickle._is_trusted(owner_id) THEN
        RETURN;
    END IF;
    RAISE EXCEPTION 'stream table % cannot be % in a session of role "%"', pgtrickle._qualified(relation),
        purpose, session_user
        USING ERRCODE = 'insufficient_privilege',
              DETAIL = format('It belongs to role "%s", which is not trusted: its code could leave things behind in '
                              'this session that '
                              'run with the rights of "%s". SET ROLE does not prevent that.', owner, session_user),
              HINT = concat_ws(' ', way_out,
                               format('Or connect as role "%s". Or, if its code may do all that you may: SELECT '
                                      'pgtrickle.trust_owner(%L);', owner, owner));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._require_safe_session TO PUBLIC;

-- One call of the program of a stream table, a row of history if it changed something. Raises what keeps it from being
-- refreshed. because: why it is refreshed although somebody named another one. Error TR004, which no user sees: it is
-- to be built first.
CREATE FUNCTION pgtrickle._refresh_one(id bigint, because text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st        pgtrickle.pgt_stream_tables;
    qualified text;
    started   timestamptz := clock_timestamp();
    cycle     bigint[];
    done      record;
    answer    text;
BEGIN
    SELECT * INTO STRICT st FROM pgtrickle._stream_tables s WHERE s.pgt_id = id;
    qualified := pgtrickle._qualified(st.pgt_relid);
    PERFORM pgtrickle._require_safe_to_refresh(ARRAY[id]);
    PERFORM pgtrickle._require_program(st, because);
    cycle := pgtrickle._cycle_of(id);
    PERFORM pgtrickle._require_safe_to_refresh(cycle);
    IF current_setting('transaction_isolation') IN ('read committed', 'read uncommitted') THEN
        PERFORM pgtrickle._require_lockable(m.id) FROM unnest(coalesce(cycle, ARRAY[id])) AS m(id);
    END IF;
    IF cycle IS NULL THEN
        EXECUTE format('SELECT * FROM pgtrickle_state.refresh_%s($1)', id) INTO done USING 'auto';
        -- Nothing is pending, as far as triggers tell. Where nothing watches DDL that says little.
        IF done.action = 'NO_DATA' AND NOT pgtrickle._has_event_triggers() THEN
            answer := pgtrickle._facts_answer(id, true);
            IF answer = 'rebuild' THEN
                done.action := 'REINIT';
            ELSIF answer = 'recompute' THEN
                EXECUTE format('SELECT * FROM pgtrickle_state.refresh_%s($1)', id) INTO done USING 'full';
            END IF;
        END IF;
    ELSE    -- all of it or nothing; it writes its own history
        SELECT r.* INTO done FROM pgtrickle._refresh_scc(cycle, initiated_by => 'MANUAL') AS r
        ORDER BY r.action IN ('BLOWN', 'REINIT') DESC, r.pgt_id = id DESC LIMIT 1;
        IF done.pgt_id <> id THEN       -- why all the others wait
            because := concat_ws(' ', format('It is in a cycle with %s.', qualified), because);
            SELECT * INTO STRICT st FROM pgtrickle._stream_tables s WHERE s.pgt_id = done.pgt_id;
            qualified := pgtrickle._qualified(st.pgt_relid);
        END IF;
    END IF;
    IF done.action = 'REINIT' AND st.fuse_blown_at IS NULL THEN
        RAISE EXCEPTION 'stream table % must be rebuilt before it can be refreshed', qualified
            USING ERRCODE = 'TR004',
                DETAIL = concat_ws(' ', coalesce(st.reinit_reason, (SELECT string_agg(c.reason, ', ') || '.'
                                                                    FROM pgtrickle._changed_facts(ARRAY[st.pgt_id]) AS
                                                                        c),
                                                 'A source changed.'), because),
                  HINT = CASE WHEN pgtrickle._daemon_alive()
                              THEN 'The daemon does that, at the latest with its next refresh: try again later.'
                              ELSE 'No daemon is running for this database: start pgtrickled.' END;
    ELSIF done.action = 'HELD' THEN
        PERFORM pgtrickle._fail('55000', format('stream table %s has to wait: %s', qualified,
                                                coalesce(pgtrickle._hold_reason(id),
                                                         'a source was gated a moment ago')), because,
                                'It may go on after pgtrickle.ungate_source(), or pgtrickle.advance_watermark() of '
                                'the source that is behind.');
    ELSIF done.action IN ('BLOWN', 'REINIT') THEN     -- nor is it rebuilt
        RAISE EXCEPTION 'the fuse of stream table % is blown', qualified
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = concat_ws(' ', CASE WHEN st.fuse_blown_at IS NOT NULL THEN format('Blown on %s: %s.',
                          date_trunc('second', st.fuse_blown_at), coalesce(st.fuse_blow_reason, 'unknown reason'))
                                               ELSE format('%s changes are pending, the limit is %s.', done.delta_rows,
                                                           coalesce(st.fuse_limit::text, 'not set any more')) END,
                                                               because),
                  HINT = format('Look at what changed, then decide: SELECT pgtrickle.reset_fuse(%L, ''apply''); or '
                                '''reinitialize'' or ''skip_changes''.', qualified);
    ELSIF done.action IN ('DIFFERENTIAL', 'FULL') AND cycle IS NULL THEN
        PERFORM pgtrickle._request('refreshed', jsonb_build_object('pgt_id', id, 'start_time', started, 'action',
                                                                   done.action, 'delta_rows', done.delta_rows,
            'rows_inserted', done.rows_inserted, 'rows_updated', done.rows_updated, 'rows_deleted', done.rows_deleted));
    END IF;
    RETURN done.action;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._refresh_one TO PUBLIC;

-- Error 42501 if one of these stream tables must not be refreshed in this session.
CREATE FUNCTION pgtrickle._require_safe_to_refresh(ids bigint[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._require_safe_session(s.pgt_relid, 'refreshed',
                                            format('CALL pgtrickle.refresh(%L) has the daemon refresh it.',
                                                   pgtrickle._qualified(s.pgt_relid)))
    FROM pgtrickle._stream_tables s WHERE s.pgt_id = ANY (ids) ORDER BY s.pgt_id;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._require_safe_to_refresh TO PUBLIC;

-- Error 55000 if a stream table has no program that could refresh it, TR004 if the daemon is about to make it.
CREATE FUNCTION pgtrickle._require_program(st pgtrickle.pgt_stream_tables, because text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    qualified text := pgtrickle._qualified(st.pgt_relid);
BEGIN
    IF st.status IN ('PENDING', 'INITIALIZING') THEN
        PERFORM pgtrickle._fail('TR004',
                                format('stream table %s is not ready: its status is %s', qualified, st.status), because,
                                CASE WHEN pgtrickle._daemon_alive()
                                     THEN format('Wait for it: SELECT pgtrickle.wait_until_active(%L);', qualified)
                                     ELSE 'No daemon is running for this database: start pgtrickled.' END);
    ELSIF EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'pgtrickle_state'::regnamespace
                  AND p.proname = format('refresh_%s', st.pgt_id)) THEN
        RETURN;
    ELSIF st.status <> 'ACTIVE' AND st.last_error IS NOT NULL THEN
        PERFORM pgtrickle._fail('55000',
                                format('stream table %s has no program: its status is %s', qualified, st.status),
                                concat_ws(' ', st.last_error, because), st.last_error_hint);
    ELSE
        PERFORM pgtrickle._fail('55000', format('stream table %s has no program', qualified), because,
                                'The daemon makes it: resume the stream table and wait_until_active().');
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._require_program TO PUBLIC;

-- Refreshes several stream tables in this transaction, each after what it reads, and all of them in one state of their
-- sources: in READ COMMITTED the sources of all are locked against writers before the first is refreshed.
-- because: as in _refresh_one, for all but the one that was named. Returns the action of that one.
CREATE FUNCTION pgtrickle._refresh_together(pgt_ids bigint[], named bigint, because text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st     pgtrickle.pgt_stream_tables;
    done   text;
    answer text;
BEGIN
    FOR st IN SELECT s.* FROM pgtrickle._stream_tables s WHERE s.pgt_id = ANY (pgt_ids) ORDER BY s.pgt_id LOOP
        IF NOT pgtrickle._may_manage(st.pgt_relid) THEN
            PERFORM pgtrickle._fail('42501', format('must be owner of stream table %s',
                                                    pgtrickle._qualified(st.pgt_relid)), because);
        END IF;
        PERFORM pgtrickle._require_safe_to_refresh(ARRAY[st.pgt_id]);
        PERFORM pgtrickle._require_program(st, CASE WHEN st.pgt_id <> named THEN because END);
        IF current_setting('transaction_isolation') IN ('read committed', 'read uncommitted') THEN
            EXECUTE format('SELECT FROM pgtrickle_state.refresh_%s($1)', st.pgt_id) USING 'lock';
        END IF;
    END LOOP;
    FOR st IN SELECT s.* FROM unnest(pgtrickle._upstream_first(pgt_ids))
        WITH ORDINALITY AS u(id, n) JOIN pgtrickle._stream_tables s ON s.pgt_id = u.id ORDER BY u.n LOOP
        done := pgtrickle._refresh_one(st.pgt_id, CASE WHEN st.pgt_id <> named THEN because END);
        IF st.pgt_id = named THEN
            answer := done;
        END IF;
    END LOOP;
    RETURN answer;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._refresh_together TO PUBLIC;

-- Refreshes a stream table, with what is refreshed as one with it. Error TR004: one of them is to be built first.
CREATE FUNCTION pgtrickle._refresh_now(id bigint) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    members    bigint[] := pgtrickle._refreshed_with(id);
    group_name text;
BEGIN
    SELECT min(g.group_name) INTO group_name FROM pgtrickle.pgt_refresh_group_members m
    JOIN pgtrickle.pgt_refresh_groups g USING (group_id)
    WHERE m.pgt_id = ANY (members);
    IF group_name IS NULL THEN      -- alone, or with its cycle
        RETURN pgtrickle._refresh_one(id);
    END IF;
    RETURN pgtrickle._refresh_together(members, id, (
        SELECT format('It is refreshed together with %s, in refresh group "%s".',
                      pgtrickle._qualified(s.pgt_relid), group_name)
        FROM pgtrickle._stream_tables s WHERE s.pgt_id = id));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._refresh_now TO PUBLIC;

-- The work of refresh_stream_table: as _refresh_now, but it waits for what is being built. In a subtransaction, so that
-- who waits holds none of the locks that a refresh takes and a build needs.
CREATE FUNCTION pgtrickle._refresh(name text, caller_path text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st      pgtrickle.pgt_stream_tables := pgtrickle._find_own(name, caller_path);
    began   timestamptz := clock_timestamp();
    wait    interval := pgtrickle._rebuild_wait();
    problem pgtrickle._problem;
BEGIN
    LOOP
        BEGIN
            RETURN pgtrickle._refresh_now(st.pgt_id);
        EXCEPTION WHEN SQLSTATE 'TR004' THEN
            GET STACKED DIAGNOSTICS problem.message = MESSAGE_TEXT, problem.detail = PG_EXCEPTION_DETAIL,
                problem.hint = PG_EXCEPTION_HINT;
        END;
        PERFORM pgtrickle._wait_for_rebuild(st.pgt_id, began, wait, problem);
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._refresh TO PUBLIC;

CREATE FUNCTION pgtrickle.refresh_stream_table(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._refresh(name, pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.refresh_stream_table TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.refresh_stream_table(text) IS
'Brings a stream table up to date now, in the caller''s transaction: afterwards it includes all that this transaction
  sees, its own
uncommitted changes too. In READ COMMITTED it locks the sources against writers (SHARE) until the transaction ends; in
  REPEATABLE READ
it locks nothing but may fail with 40001 if the daemon refreshed in between: retry the transaction. Also works while
  the stream table is paused.
Stream tables that it reads are not refreshed, but the other members of its refresh group, and what lies between them,
  are, in the same transaction.
If it must be rebuilt, because a source was altered, it waits for the daemon to do that, at most as long as the
  setting pgtrickle.rebuild_wait says (30 s;
SET pgtrickle.rebuild_wait = ''5min'', or 0 not to wait); not in the transaction that altered the source, nor in
  REPEATABLE READ, which would not see it.
Errors: 42P01, 42501 not the owner; 55000 not initialised or not rebuilt in time, waiting for a gate or watermark, or
  its fuse is blown; errors of the query.';

-- May the stream table, with all that is refreshed as one with it, be refreshed in this session?
CREATE FUNCTION pgtrickle._may_refresh_here(id bigint) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._require_safe_to_refresh(coalesce(pgtrickle._refreshed_with(id), ARRAY[id]));
    RETURN true;
EXCEPTION WHEN insufficient_privilege THEN
    RETURN false;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._may_refresh_here TO PUBLIC;

-- Asks the daemon to refresh a stream table at once, whatever its schedule says.
CREATE FUNCTION pgtrickle._ask_to_refresh(id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._request('refresh', jsonb_build_object('id', id));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._ask_to_refresh TO PUBLIC;

-- Returns when a stream table covers all that the snapshot `required` shows, of other stream tables what they show now.
-- Who asks for the refresh takes the snapshot first: what the daemon reads once it has been asked is never older.
-- Errors: as _require_hope; 55000 so long after who waits began.
CREATE FUNCTION pgtrickle._wait_for_refresh(id bigint, required pg_snapshot, began timestamptz, wait interval)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    deadline timestamptz := began + wait;
    reads    oid[] := ARRAY(SELECT d.source_relid FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = id);
    seen     pg_snapshot[] := array_fill(required, ARRAY[cardinality(reads)]);
    st       pgtrickle.pgt_stream_tables;
    why      text;
    pause    double precision := 0.005;
BEGIN
    LOOP
        SELECT * INTO st FROM pgtrickle._stream_tables s WHERE s.pgt_id = id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the stream table was dropped while waiting for its refresh'
                USING ERRCODE = 'undefined_table';
        END IF;
        why := CASE WHEN st.needs_reinit THEN 'it must be rebuilt' || coalesce(': ' || st.reinit_reason, '')
                    ELSE pgtrickle._not_covered(id, required, reads, seen, NULL) END;
        EXIT WHEN why IS NULL;
        PERFORM pgtrickle._require_hope(st, st, why);
        IF clock_timestamp() >= deadline THEN
            RAISE EXCEPTION 'the daemon did not refresh stream table % within % s', pgtrickle._qualified(st.pgt_relid),
                round(extract(epoch FROM wait)::numeric, 1)
                USING ERRCODE = 'object_not_in_prerequisite_state',
                      DETAIL = format('%s.%s', why, ' It waits: ' || pgtrickle._hold_reason(id) || '.'),
                      HINT = CASE WHEN pgtrickle.is_paused()
                                  THEN 'The daemon is paused: SELECT pgtrickle.resume_scheduler();'
                                  WHEN pgtrickle._daemon_alive() THEN
                                      'A daemon is running: see its log, or wait longer (SET pgtrickle.rebuild_wait '
                                      '= ''5min'').'
                                  ELSE pgtrickle._no_daemon_hint() END;
        END IF;
        PERFORM pg_sleep(least(pause, greatest(extract(epoch FROM deadline - clock_timestamp()), 0.001)));
        pause := least(pause * 1.5, 0.1);
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._wait_for_refresh TO PUBLIC;

CREATE PROCEDURE pgtrickle.refresh(name text) LANGUAGE plpgsql AS $$
DECLARE
    caller_path text := pg_catalog.current_setting('search_path');
    began       timestamptz := pg_catalog.clock_timestamp();
    wait        interval := pgtrickle._rebuild_wait();
    attempt     int := 1;
    done        boolean := false;
    id          bigint;
    required    pg_catalog.pg_snapshot;
    problem     pgtrickle._problem;
BEGIN
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    id := (pgtrickle._find_own(name, caller_path)).pgt_id;
    IF NOT pgtrickle._may_refresh_here(id) THEN
        required := pg_catalog.pg_current_snapshot();
        PERFORM pgtrickle._ask_to_refresh(id);
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        PERFORM pgtrickle._wait_for_refresh(id, required, began, wait);
        COMMIT;
        RETURN;
    END IF;
    LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
        problem := NULL;
        BEGIN
            id := (pgtrickle._find_own(name, caller_path)).pgt_id;
            PERFORM pgtrickle._refresh_now(id);
            done := true;
        EXCEPTION
            WHEN serialization_failure OR deadlock_detected THEN
                IF attempt OPERATOR(pg_catalog.>=) 10 THEN
                    RAISE;
                END IF;
                attempt := attempt OPERATOR(pg_catalog.+) 1;
            WHEN SQLSTATE 'TR004' THEN
                GET STACKED DIAGNOSTICS problem.message = MESSAGE_TEXT, problem.detail = PG_EXCEPTION_DETAIL,
                    problem.hint = PG_EXCEPTION_HINT;
        END;
        EXIT WHEN done;
        ROLLBACK;           -- the daemon refreshed it in between: look again with a new snapshot
        CONTINUE WHEN problem.message IS NULL;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        PERFORM pgtrickle._ask_for_rebuild(id);
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        PERFORM pgtrickle._wait_for_rebuild(id, began, wait, problem);
    END LOOP;
    COMMIT;
END
$$;
GRANT EXECUTE ON PROCEDURE pgtrickle.refresh TO PUBLIC;
COMMENT ON PROCEDURE pgtrickle.refresh(text) IS
'As refresh_stream_table(), in a REPEATABLE READ transaction of its own, so that writers are never blocked; retries up
  to 10 times if another
refresh came first, and waits for what is being rebuilt (setting pgtrickle.rebuild_wait). Where code of the owner
  must not run in the caller''s session,
because the caller logged in as somebody else and the owner is not trusted, the daemon is asked to refresh it at once,
  and this waits for that, at most as
long as pgtrickle.rebuild_wait says (55000). Commits what was done before; cannot be called in a transaction block
  (2D000).';

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
        SELECT * INTO st FROM pgtrickle._stream_tables s WHERE s.pgt_id = id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'stream table % was dropped while waiting for it', qualified
                USING ERRCODE = 'undefined_table';
        ELSIF st.status = 'ACTIVE' AND NOT st.needs_reinit AND st.failed_alteration IS NOT NULL THEN
            RAISE EXCEPTION 'stream table %: the altered query could not be built: %', qualified,
                st.failed_alteration ->> 'message'
                USING ERRCODE = CASE WHEN st.failed_alteration ->> 'code' ~ '^[1-9A-Z][0-9A-Z]{4}$'
                                     OR st.failed_alteration ->> 'code' ~ '^0[3-9A-Z]'
                                     THEN st.failed_alteration ->> 'code' ELSE '55000' END,
                      DETAIL = format('It is active with its previous query since %s.', st.failed_alteration ->> 'at'),
                      HINT = concat_ws(' ', nullif(st.failed_alteration ->> 'hint', ''),
                                       format('Alter it again, or forget the attempt: SELECT '
                                              'pgtrickle.resume_stream_table(%L);', qualified));
        ELSIF st.status = 'ACTIVE' AND NOT st.needs_reinit THEN
            RETURN;
        ELSIF st.status IN ('ERROR', 'SUSPENDED') THEN
            RAISE EXCEPTION 'stream table %: %', qualified, coalesce(st.last_error, 'its status is ' || st.status)
                USING ERRCODE = CASE WHEN st.last_error_code ~ '^[0-9A-Z]{5}$'
                                     AND st.last_error_code !~ '^0[0-2]' THEN st.last_error_code ELSE '55000' END,
                      DETAIL = format('Its status is %s%s.', st.status, coalesce(' since ' || st.last_error_at, '')),
                      HINT = coalesce(st.last_error_hint,
                                      format('After removing the cause: SELECT pgtrickle.resume_stream_table(%L);',
                                             qualified));
        ELSIF st.fuse_blown_at IS NOT NULL THEN
            RAISE EXCEPTION 'stream table % is not rebuilt while its fuse is blown', qualified
                USING ERRCODE = 'object_not_in_prerequisite_state',
                    DETAIL = format('Blown because %s; it must be rebuilt because %s.',
                                    coalesce(st.fuse_blow_reason, 'of an unknown reason'),
                                        coalesce(st.reinit_reason, 'of an unknown reason')),
                      HINT = format('SELECT pgtrickle.reset_fuse(%L);', qualified);
        ELSIF st.status = 'PAUSED' THEN
            RAISE EXCEPTION 'stream table % is paused', qualified
                USING ERRCODE = 'object_not_in_prerequisite_state',
                    HINT = format('SELECT pgtrickle.resume_stream_table(%L);', qualified);
        ELSIF st.created_xid = pg_current_xact_id_if_assigned() AND st.created_at = transaction_timestamp() THEN
            RAISE EXCEPTION 'stream table % cannot become active before this transaction commits', qualified
                USING ERRCODE = 'object_not_in_prerequisite_state',
                    DETAIL = 'It was created in this transaction; the daemon does not see it yet.',
                      HINT = 'COMMIT, then wait. If the table was filled at creation, its rows can be read at once.';
        ELSIF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
            RAISE EXCEPTION 'cannot wait for stream table % in a % transaction', qualified,
                upper(current_setting('transaction_isolation'))
                USING ERRCODE = 'active_sql_transaction',
                    DETAIL = format('Its status was %s when this transaction began to read, and this transaction '
                                    'will not see it change.', st.status),
                      HINT = 'Wait in a transaction of its own, in READ COMMITTED.';
        ELSIF clock_timestamp() >= deadline THEN
            RAISE EXCEPTION 'stream table % did not become active within %', qualified,
                coalesce(timeout, interval '60 s')
                USING ERRCODE = 'object_not_in_prerequisite_state',
                    DETAIL = concat_ws(' ', format('Its status is %s%s.', st.status,
                                                   CASE WHEN st.needs_reinit THEN ', it must be rebuilt: '
                                                        || coalesce(st.reinit_reason, 'unknown reason') ELSE '' END),
                                         'In the way of the daemon: ' || pgtrickle._build_blockers(ARRAY[id]) || '.'),
                      HINT = CASE WHEN pgtrickle._daemon_alive()
                                  THEN 'A daemon is running: see its log, or wait longer.'
                                  ELSE pgtrickle._no_daemon_hint() END;
        END IF;
        PERFORM pg_sleep(least(pause, greatest(extract(epoch FROM deadline - clock_timestamp()), 0.001)));
        pause := least(pause * 1.5, 0.25);
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._wait_until_active TO PUBLIC;

CREATE FUNCTION pgtrickle.wait_until_active(name text, timeout interval DEFAULT '60 s') RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pgtrickle._wait_until_active(name, timeout, pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.wait_until_active TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.wait_until_active(text, interval) IS
'Returns as soon as the daemon has built the stream table, after creation, a change of mode or a change of a source.
Raises the error with which that failed, with its SQLSTATE and hint, also if it is active with its previous query
  because an altered one could not be
built, until it is altered again or resumed; 55000 after the timeout (the hint says if no daemon is running), if it is
  paused or
was created in this very transaction; 25001 in REPEATABLE READ, which cannot see progress; 42P01 not a stream table.';

-- Drops a stream table again that could not be built, unless something depends on it already. What came of it, for
-- people.
CREATE FUNCTION pgtrickle._drop_refused(id bigint, caller_path text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st pgtrickle.pgt_stream_tables;
BEGIN
    IF NOT EXISTS (SELECT FROM pgtrickle._stream_tables s WHERE s.pgt_id = id) THEN
        RETURN 'It was dropped meanwhile.';
    END IF;
    PERFORM pgtrickle._lock_frontiers(ARRAY[id]);
    SELECT * INTO STRICT st FROM pgtrickle._stream_tables s WHERE s.pgt_id = id;
    IF st.status <> 'ERROR' OR st.effective_refresh_mode IS NOT NULL THEN
        RETURN format('It is still there: its status is %s.', st.status);
    END IF;
    PERFORM pgtrickle._drop_stream_table(pgtrickle._qualified(st.pgt_relid), false, caller_path);
    RETURN 'It was dropped again.';
EXCEPTION WHEN dependent_objects_still_exist THEN
    RETURN 'It is still there, because something depends on it already.';
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._drop_refused TO PUBLIC;

CREATE PROCEDURE pgtrickle.create_and_wait(name text, query text, schedule text DEFAULT 'calculated',
                                           refresh_mode text DEFAULT 'AUTO', timeout interval DEFAULT '60 s')
LANGUAGE plpgsql AS $$
DECLARE
    caller_path text := pg_catalog.current_setting('search_path');
    active      boolean := false;
    id          bigint;
    code        text;
    problem     pgtrickle._problem;
BEGIN
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    PERFORM pgtrickle._create_stream_table(name, query, schedule, refresh_mode, true, false, NULL, caller_path);
    id := (pgtrickle._find_own(name, caller_path)).pgt_id;
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        PERFORM pgtrickle._wait_until_active(name, timeout, caller_path);
        active := true;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, problem.message = MESSAGE_TEXT,
            problem.detail = PG_EXCEPTION_DETAIL, problem.hint = PG_EXCEPTION_HINT;
    END;
    IF NOT active THEN
        problem.detail := pg_catalog.concat_ws(' ', problem.detail, pgtrickle._drop_refused(id, caller_path));
        COMMIT;
        PERFORM pgtrickle._fail(code, problem.message, problem.detail, problem.hint);
    END IF;
    COMMIT;
END
$$;
GRANT EXECUTE ON PROCEDURE pgtrickle.create_and_wait TO PUBLIC;
COMMENT ON PROCEDURE pgtrickle.create_and_wait(text, text, text, text, interval) IS
'Creates a stream table, as create_stream_table() does, and returns when the daemon has built it. If it cannot be built,
  it is dropped again, and the error is the reason: in the modes DIFFERENTIAL and IMMEDIATE that is how to find out at
  once whether the query can be kept so. It stays, with an error, if the daemon has not decided by the timeout, or if
  something depends on it already.
Other options: alter_stream_table() afterwards. Commits what was done before; cannot be called in a transaction block
  (2D000).
Errors: those of create_stream_table() and wait_until_active().';

-- Sets settings (name -> value) for the rest of the transaction, but only those which may be kept with a stream
-- table; returns what they were.
CREATE FUNCTION pgtrickle._apply_settings(settings jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name text;
    was  jsonb := '{}';
BEGIN
    FOREACH name IN ARRAY pgtrickle._setting_names() LOOP
        IF settings ? name THEN
            was := jsonb_set(was, ARRAY[name], to_jsonb(current_setting(name)));
            PERFORM set_config(name, settings ->> name, true);
        END IF;
    END LOOP;
    RETURN was;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._apply_settings TO PUBLIC;

CREATE FUNCTION pgtrickle._verify_stream_table(name text, refresh boolean, caller_path text, OUT missing bigint,
                                               OUT extra bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
DECLARE
    st    pgtrickle.pgt_stream_tables := pgtrickle._find_own(name, caller_path);
    owner name := (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = st.pgt_relid);
    role  text := current_setting('role');
    was   jsonb;
    aliases text; from_query text; from_table text; keys text;
    statement text;
    definition text;
    by_owner  text;
    rounded   text;
    other     bigint;      -- differing rows that differ by more than the last digits of floats
BEGIN
    PERFORM pgtrickle._require_safe_session(st.pgt_relid, 'verified', NULL);
    IF refresh AND pg_is_in_recovery() THEN
        RAISE EXCEPTION 'stream table % cannot be refreshed on a standby', pgtrickle._qualified(st.pgt_relid)
            USING ERRCODE = 'read_only_sql_transaction',
                  HINT = format('Compare it as it is: SELECT * FROM pgtrickle.verify_stream_table(%L, refresh => '
                                'false);', pgtrickle._qualified(st.pgt_relid));
    ELSIF owner <> current_user AND current_setting('transaction_read_only')::boolean THEN
        RAISE EXCEPTION 'stream table % can be verified in a read-only transaction by its owner only',
            pgtrickle._qualified(st.pgt_relid)
            USING ERRCODE = 'read_only_sql_transaction',
                DETAIL = 'For others its query is run by a temporary function of its owner, which cannot be made here.',
                  HINT = format('Connect as role "%s", or verify it on the primary in a read-write transaction.',
                                owner);
    END IF;
    IF refresh THEN
        PERFORM pgtrickle._refresh(name, caller_path);
    END IF;
    -- Types without equality are compared by their images.
    SELECT string_agg(format('k%s', a.n), ', ' ORDER BY a.n),
           string_agg(CASE WHEN a.groupable THEN format('q.k%s AS k%s', a.n, a.n)
                           ELSE format('%s AS k%s', replace(a.image, '$1', 'q.k' || a.n), a.n) END, ', ' ORDER BY a.n),
           string_agg(CASE WHEN a.groupable THEN format('t.%I', a.attname)
                           ELSE replace(a.image, '$1', format('t.%I', a.attname)) END, ', ' ORDER BY a.n),
           string_agg(format('u.k%s', a.n), ', ' ORDER BY a.n),
           string_agg(CASE WHEN a.digits IS NULL THEN format('d.k%s', a.n)
                           ELSE format('CASE WHEN d.k%1$s IN (''NaN'', ''Infinity'', ''-Infinity'') THEN '
                                       'd.k%1$s::text ELSE to_char(d.k%1$s::float8, %2$L) END',
                                       a.n, '9.' || repeat('9', a.digits - 1) || 'EEEE') END, ', ' ORDER BY a.n)
      INTO aliases, from_query, from_table, keys, rounded
      FROM (SELECT x.attname, row_number() OVER (ORDER BY x.attnum) AS n, y.groupable,
                   CASE (pgtrickle._base_type(x.atttypid, -1)).base WHEN 'float8'::regtype THEN 12
                        WHEN 'float4'::regtype THEN 5 END AS digits,
                   CASE WHEN NOT y.groupable
                        THEN (pgtrickle._value_image((pgtrickle._base_type(x.atttypid, -1)).base)).image END AS image
            FROM pg_attribute x JOIN (SELECT z.atttypid, pgtrickle._is_groupable(z.atttypid) AS groupable
                                      FROM pg_attribute z
                                      WHERE z.attrelid = st.pgt_relid AND z.attnum > 0 AND NOT z.attisdropped
                                      GROUP BY z.atttypid) AS y USING (atttypid)
            WHERE x.attrelid = st.pgt_relid AND x.attnum > 0 AND NOT x.attisdropped) AS a;
    -- The query runs user code: with the owner's rights, never with those of who verifies.
    was := pgtrickle._apply_settings(st.settings);
    -- Where rows tie, the query has several right answers: the table must have one of them, the one that it keeps to.
    FOREACH definition IN ARRAY array_remove(ARRAY[st.defining_query, st.definite_query], NULL) LOOP
        statement :=
            format('WITH d AS (SELECT sum(u.w) AS n, %6$s FROM (SELECT 1 AS w, %1$s FROM (%2$s) AS q(%3$s) UNION ALL '
                   'SELECT -1, %4$s FROM %5$s AS t) AS u '
            'GROUP BY %6$s HAVING sum(u.w) <> 0) '
            'SELECT coalesce(sum(d.n) FILTER (WHERE d.n > 0), 0), coalesce(-sum(d.n) FILTER (WHERE d.n < 0), 0), '
            '(SELECT coalesce(sum(abs(r.n)), 0) FROM (SELECT sum(d.n) AS n FROM d GROUP BY %7$s) AS r) FROM d',
            from_query, definition, aliases, from_table, pgtrickle._qualified(st.pgt_relid), keys, rounded);
        IF owner <> current_user THEN
            by_owner := 'pgtrickle_verify_' || replace(gen_random_uuid()::text, '-', '');
            -- Not by SET ROLE alone: what the query calls could set the role back. In a SECURITY DEFINER function it
            -- cannot.
            PERFORM set_config('role', owner, true);
            -- Under a new name each time: owners cannot replace each other's functions, nor be in each other's way.
            EXECUTE format('CREATE FUNCTION pg_temp.%1$I(statement text, OUT missing bigint, OUT extra bigint,
                                                             OUT other bigint)
                            LANGUAGE plpgsql SECURITY DEFINER AS
                            ''BEGIN EXECUTE statement INTO missing, extra, other; END'';
                            GRANT EXECUTE ON FUNCTION pg_temp.%1$I(text) TO PUBLIC', by_owner);
            PERFORM set_config('role', role, true);
            EXECUTE format('SELECT v.missing, v.extra, v.other FROM pg_temp.%I($1) AS v', by_owner) INTO missing, extra,
                other USING statement;
            PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);     -- whatever it did to it
            EXECUTE format('DROP FUNCTION pg_temp.%I(text)', by_owner);
        ELSE
            EXECUTE statement INTO missing, extra, other;
        END IF;
        EXIT WHEN missing = 0 AND extra = 0;
    END LOOP;
    PERFORM pgtrickle._apply_settings(was);
    IF other < missing + extra THEN
        RAISE NOTICE 'stream table %: % of the % differing rows differ only in the last digits of floating-point '
                     'numbers', pgtrickle._qualified(st.pgt_relid),
                     missing + extra - other, missing + extra
            USING DETAIL = 'A sum of floats depends on the order in which they are added, which PostgreSQL does not '
                           'define: the table has one of the possible results.';
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._verify_stream_table TO PUBLIC;

CREATE FUNCTION pgtrickle.verify_stream_table(name text, refresh boolean DEFAULT true)
RETURNS TABLE (missing bigint, extra bigint) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT v.missing, v.extra
        FROM pgtrickle._verify_stream_table(name, refresh, pg_catalog.current_setting('search_path')) AS v;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.verify_stream_table TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.verify_stream_table(text, boolean) IS
'Compares a stream table with its query, as multisets, at one snapshot: missing = rows of the query that the table
  lacks, extra = rows it should not have. Both 0: equal.
refresh: bring it up to date first (locks as in refresh_stream_table); with false, changes not yet applied count as
  differences.
Runs the whole query, with the owner''s rights and under the settings recorded at creation. Rows are compared by
  equality, types without one byte for byte. Where rows tie under LIMIT or DISTINCT ON, any right answer would do; the
  table keeps to one.
A sum of floats depends on the order in which they are added: rows that differ only in the last digits of floats (12
  digits of double precision, 5 of real are
the same) are counted as well, and a notice says how many they are.
On a standby, and in read-only transactions, its owner can compare it with refresh => false; nothing is locked but for
  reading.
Errors: as refresh_stream_table(); 25006 on a standby, see above.';
