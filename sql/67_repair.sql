-- When something is wrong: repairing, errors and what to do about them.

-- The triggers that keep everybody but its program from writing to a stream table. One that is disabled is enabled
-- again.
CREATE FUNCTION pgtrickle._install_guard(relation oid, id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    guard record;
BEGIN
    FOR guard IN SELECT *
        FROM (VALUES ('pgtrickle_guard', 'INSERT OR UPDATE OR DELETE'),
              ('pgtrickle_guard_truncate', 'TRUNCATE')) AS g(name, events) LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER %I BEFORE %s ON %s FOR EACH STATEMENT '
                       'WHEN (pg_catalog.current_setting(''pgtrickle.apply'', true) IS DISTINCT FROM %L) EXECUTE '
                       'FUNCTION pgtrickle._guard()',
                       guard.name, guard.events, pgtrickle._qualified(relation), id);
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._install_guard TO PUBLIC;

-- The capture triggers that there should be, one row each, and whether they are.
CREATE FUNCTION pgtrickle.trigger_inventory()
RETURNS TABLE (source_table text, source_oid bigint, trigger_name text, trigger_type text, present boolean,
               enabled boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT pgtrickle._qualified(c.oid), c.oid::bigint, w.name, e.type, t.oid IS NOT NULL,
           coalesce(t.tgenabled = 'A', false)
    FROM pgtrickle.pgt_sources s CROSS JOIN LATERAL unnest(s.partitions) AS p(relid) JOIN pg_class c ON c.oid = p.relid
    CROSS JOIN (VALUES (1, 'i', 'INSERT'), (2, 'u', 'UPDATE'), (3, 'd', 'DELETE'),
                (4, 't', 'TRUNCATE')) AS e(n, suffix, type)
    CROSS JOIN LATERAL (SELECT format('pgtrickle_%s_%s', s.source_id, e.suffix) AS name) AS w
    LEFT JOIN (pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid AND f.pronamespace = 'pgtrickle_changes'::regnamespace)
           ON t.tgrelid = c.oid AND t.tgname = w.name AND f.proname = format('capture_%s', s.source_id)
    ORDER BY s.source_id, c.oid, e.n
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.trigger_inventory TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.trigger_inventory() IS
'The capture triggers that there should be on sources and their partitions. enabled: also for session_replication_role
  = replica, as they must be.';

-- What is wrong with a stream table, one row per finding. finding: for people; fixed: what SQL alone can put right.
CREATE FUNCTION pgtrickle._findings(st pgtrickle.pgt_stream_tables) RETURNS TABLE (finding text, fixed text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d record;
BEGIN
    FOR d IN SELECT x.*, y.problem AS noted FROM pgtrickle.pgt_dependencies x LEFT JOIN pgtrickle.pgt_sources y
        USING (source_id)
             WHERE x.pgt_id = st.pgt_id AND x.source_type <> 'VIEW' ORDER BY x.source_schema, x.source_name LOOP
        IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = d.source_relid) THEN
            RETURN QUERY SELECT format('source %I.%I does not exist', d.source_schema, d.source_name), NULL;
        ELSIF d.source_id IS NOT NULL THEN
            RETURN QUERY SELECT p.problem, NULL
                FROM coalesce(d.noted, pgtrickle._source_problem(d.source_id)) AS p(problem)
                WHERE p.problem IS NOT NULL;
        ELSIF st.effective_refresh_mode = 'DIFFERENTIAL' THEN
            RETURN QUERY SELECT format('changes of %s are not captured', pgtrickle._qualified(d.source_relid)), NULL;
        END IF;
    END LOOP;
    RETURN QUERY SELECT c.reason, NULL FROM pgtrickle._changed_facts(ARRAY[st.pgt_id]) AS c
        WHERE c.kind NOT IN ('triggers', 'storage');
    IF st.effective_refresh_mode IS NOT NULL THEN
        RETURN QUERY SELECT format('function pgtrickle_state.%s is missing', f.name), NULL
                     FROM unnest(ARRAY['refresh_' || st.pgt_id, 'look_' || st.pgt_id, 'apply_' || st.pgt_id]) AS f(name)
                     WHERE NOT EXISTS (SELECT FROM pg_proc p
                                       WHERE p.pronamespace = 'pgtrickle_state'::regnamespace AND p.proname = f.name);
    END IF;
    RETURN QUERY
        SELECT format('trigger %s was missing or disabled: rows may have been changed by hand', g.name), 'guard'
                 FROM unnest(ARRAY['pgtrickle_guard', 'pgtrickle_guard_truncate']) AS g(name)
                 WHERE NOT EXISTS (SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
                                   WHERE t.tgrelid = st.pgt_relid AND t.tgname = g.name
                                   AND t.tgenabled IN ('O', 'A') AND p.proname = '_guard'
                                   AND p.pronamespace = 'pgtrickle'::regnamespace);
    IF NOT EXISTS (SELECT FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = st.pgt_id) THEN
        RETURN QUERY SELECT 'its row of pgt_frontiers was missing', 'frontier';
    ELSIF st.status = 'ACTIVE' AND NOT st.needs_reinit
        AND EXISTS (SELECT FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = st.pgt_id AND f.snapshot IS NULL) THEN
        RETURN QUERY SELECT 'it is ACTIVE but not initialised', NULL;
    END IF;
    IF st.skipped_at IS NOT NULL THEN
        RETURN QUERY SELECT format('changes were skipped on %s', st.skipped_at), NULL;
    END IF;
    IF st.status IN ('ERROR', 'SUSPENDED') THEN
        RETURN QUERY SELECT format('its status was %s%s', st.status,
                                   coalesce(format(' (%s, %s)', st.last_error, st.last_error_code), '')), NULL;
    ELSIF st.last_error IS NOT NULL THEN
        RETURN QUERY SELECT format('its last refresh failed (%s, %s)', st.last_error, st.last_error_code), NULL;
    END IF;
    IF st.needs_reinit THEN
        RETURN QUERY
            SELECT format('it was to be rebuilt already: %s', coalesce(st.reinit_reason, 'unknown reason')), NULL;
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._findings TO PUBLIC;

CREATE FUNCTION pgtrickle._repair_stream_table(name text, caller_path text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st     pgtrickle.pgt_stream_tables := pgtrickle._find_own(name, caller_path);
    found  text[];
    fixes  text[];
BEGIN
    SELECT array_agg(f.finding), array_remove(array_agg(DISTINCT f.fixed), NULL) INTO found, fixes
    FROM pgtrickle._findings(st) AS f;
    IF found IS NULL THEN
        RETURN 'nothing to repair';
    END IF;
    IF 'guard' = ANY (fixes) THEN
        PERFORM pgtrickle._install_guard(st.pgt_relid, st.pgt_id);
        found := found || 'guard triggers: recreated'::text;
    END IF;
    IF 'frontier' = ANY (fixes) THEN        -- the request does that
        found := found || 'row of pgt_frontiers: recreated'::text;
    END IF;
    PERFORM pgtrickle._request('repair', jsonb_build_object('id', st.pgt_id, 'finding', found[1]));
    PERFORM pgtrickle._wake('t:' || st.pgt_id);
    RETURN array_to_string(found || format('the daemon will rebuild program, capture and content%s',
               CASE WHEN st.fuse_blown_at IS NOT NULL THEN ' after reset_fuse(): its fuse is blown'
                    WHEN st.status = 'PAUSED' THEN ' when it is resumed: it stays PAUSED'
                        WHEN NOT pgtrickle._daemon_alive() THEN ' as soon as one runs' ELSE '' END), E'\n');
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._repair_stream_table TO PUBLIC;

CREATE FUNCTION pgtrickle.repair_stream_table(name text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN pgtrickle._repair_stream_table(name, pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.repair_stream_table TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.repair_stream_table(text) IS
'Looks for what can be broken: capture triggers and logs of the sources, the functions that refresh it, its guard
  triggers, its frontier, skipped changes, errors.
If something is, puts it right or has the daemon rebuild the stream table, and resumes it if it was in error or
  suspended.
Returns a line per finding and per thing done, or ''nothing to repair''. Errors: 42P01 not a stream table, 42501 not
  its owner.';

-- Errors --------------------------------------------------------------------------------------------------------------

-- What kind of error a SQLSTATE is. The same classes as classify_sqlstate() in daemon/postgres/error.cpp: keep them in
-- step.
CREATE FUNCTION pgtrickle._error_class(code text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN code = '08P01' THEN 'permanent'
        WHEN code LIKE '08%' OR code = '26000' THEN 'retryable'
        WHEN code LIKE '28%' OR code = '42501' THEN 'privilege'
        WHEN code = '3D000' OR code = '53400' THEN 'permanent'
        WHEN code IN ('0A000', '22P02', '3F000', '42P01', '42703', '42704', '42P22', '42804', '42883') THEN 'obsolete'
        WHEN code = '40003' THEN 'in doubt'
        WHEN code = '54000' THEN 'index too large'
        WHEN code LIKE '40%' OR code LIKE '53%' OR code LIKE '57P%' OR code LIKE '58%'
            OR code IN ('55006', '55P03', '57014', '25006', '25P03') THEN 'retryable'
        WHEN code IN ('21000', '23502', '23505', 'XX001', 'XX002') THEN 'corruption'
        ELSE 'permanent' END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._error_class TO PUBLIC;

-- What to do about an error of a stream table, as one sentence for people.
CREATE FUNCTION pgtrickle._remedy(code text, qualified text, owner text, message text DEFAULT '') RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN code LIKE '40%' THEN
            'Nothing: it is tried again. If it keeps coming, look for transactions that write to it or lock its '
            'sources for long.'
        WHEN code = '55P03' THEN
            'Nothing: it is tried again. If it keeps coming, look for long locks on its sources in pg_locks.'
        WHEN code = '57014' THEN
            'It was cancelled: raise statement_timeout for the daemon''s role if that was the cause.'
        WHEN code LIKE '53%' THEN
            'Free what the server is short of (disk, memory, connections); then it is tried again.'
        WHEN code = '25006' THEN 'The server is read-only: wait for the failover, or point the daemon to the primary.'
        WHEN c.class = 'retryable' OR c.class = 'in doubt' THEN
            'Nothing: it is tried again. If it keeps coming, see the logs of the server and the daemon.'
        -- Who installed pgtrickle acts for the owners; who is short of a membership is he, not they.
        WHEN code = '42501' AND (message ~* '(set role|member of role)' OR EXISTS (
            SELECT FROM pg_roles r WHERE r.rolname = owner AND NOT pg_has_role(c.admin, r.oid, 'MEMBER'))) THEN
            format('The daemon must be able to act as the owner: GRANT %I TO %I; then SELECT '
                   'pgtrickle.resume_stream_table(%L);', owner, c.admin, qualified)
        WHEN code LIKE '28%' THEN
            format('The daemon was not let in: correct its connection string, password or pg_hba.conf, then SELECT '
                   'pgtrickle.resume_stream_table(%L);', qualified)
        -- a constraint or index of the user's on the stream table, see _raise_violation()
        WHEN code IN ('23505', '23P01') AND message ~ 'rows of its query violate' THEN
            'Correct the rows that it reads, or drop the index or constraint; it goes on by itself then.'
        WHEN c.class = 'privilege' THEN
            format('Grant role %I what the message says, then SELECT pgtrickle.resume_stream_table(%L);',
                   owner, qualified)
        WHEN c.class = 'corruption' THEN
            format('It is re-initialised by itself. If it comes again: SELECT pgtrickle.repair_stream_table(%L);',
                   qualified)
        WHEN code = '0A000' AND message ~ 'type of a column (that is )?used by' THEN
            'Drop the view or rule that uses the column, and it is rebuilt by itself: then make the view again. Or '
            'keep the type with a cast in the query.'
        WHEN code = '0A000' THEN
            format('It cannot be maintained from changes: SELECT pgtrickle.alter_stream_table(%L, refresh_mode => '
                   '''FULL''); or change the query.', qualified)
        WHEN c.class = 'obsolete' THEN
            format('It is rebuilt by itself, also once what it reads is there again. If that does not come back: '
                   'SELECT pgtrickle.alter_stream_table(%1$L, query => ...); '
                                               'or SELECT pgtrickle.drop_stream_table(%1$L);', qualified)
        WHEN c.class = 'index too large' THEN 'Nothing: it is rebuilt with another kind of key.'
        WHEN code LIKE '22%' THEN
            format('A row makes an expression of the query fail: correct the row or guard the expression, then '
                   'SELECT pgtrickle.resume_stream_table(%L);', qualified)
        WHEN code LIKE '42%' THEN
            format('Correct the query or what it names, then SELECT pgtrickle.resume_stream_table(%L);', qualified)
        ELSE format('Remove the cause that the message names, then SELECT pgtrickle.resume_stream_table(%L);',
                    qualified) END
    FROM (SELECT pgtrickle._error_class(code) AS class, (SELECT n.nspowner FROM pg_namespace n
                                                         WHERE n.nspname = 'pgtrickle') AS admin_id) AS x
    CROSS JOIN LATERAL (SELECT x.class, pg_get_userbyid(x.admin_id) AS admin) AS c
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._remedy TO PUBLIC;

CREATE FUNCTION pgtrickle._diagnose_errors(st pgtrickle.pgt_stream_tables)
RETURNS TABLE (event_time timestamptz, error_type text, error_message text, remediation text, sqlstate text,
               retryable boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH failed AS (
        SELECT h.end_time AS at, h.error_code AS code, h.error_message AS message, NULL::text AS hint
        FROM pgtrickle._refresh_history h WHERE h.pgt_id = st.pgt_id AND h.status = 'FAILED'
        ORDER BY h.refresh_id DESC LIMIT 20),
    present AS (    -- the daemon records a failed refresh in both places at once, a failed build only here
        SELECT st.last_error_at AS at, st.last_error_code AS code, st.last_error AS message, st.last_error_hint AS hint
        WHERE st.last_error IS NOT NULL),
    refused AS (
        SELECT (st.failed_alteration ->> 'at')::timestamptz AS at, st.failed_alteration ->> 'code' AS code,
               'the altered query could not be built, the previous one goes on: '
                   || (st.failed_alteration ->> 'message') AS message,
               concat_ws(' ', nullif(st.failed_alteration ->> 'hint', ''),
                         'Nothing has to be done: the previous query goes on by itself.') AS hint
        WHERE st.failed_alteration IS NOT NULL)
    SELECT e.at, pgtrickle._error_class(e.code), e.message,
           concat_ws(' ', e.hint, CASE WHEN e.hint LIKE '%by itself%' THEN NULL
                                       ELSE pgtrickle._remedy(e.code, pgtrickle._qualified(st.pgt_relid),
               (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = st.pgt_relid), e.message) END),
           e.code, pgtrickle._error_class(e.code) IN ('retryable', 'in doubt')
    FROM (SELECT * FROM present UNION ALL SELECT * FROM refused UNION ALL
          SELECT f.* FROM failed f
          WHERE NOT EXISTS (SELECT FROM present p WHERE p.code = f.code AND p.message = f.message
                            AND abs(extract(epoch FROM p.at - f.at)) < 1)) AS e
    ORDER BY e.at DESC NULLS FIRST
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._diagnose_errors TO PUBLIC;

CREATE FUNCTION pgtrickle.diagnose_errors(name text)
RETURNS TABLE (event_time timestamptz, error_type text, error_message text, remediation text, sqlstate text,
               retryable boolean)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT e.*
        FROM pgtrickle._diagnose_errors(pgtrickle._find(name, pg_catalog.current_setting('search_path'))) AS e;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.diagnose_errors TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.diagnose_errors(text) IS
'The present error of a stream table and the last 20 of its history, newest first. error_type: retryable, in doubt
  (both are tried again), privilege, corruption,
obsolete, index too large (the daemon rebuilds it), permanent (it needs you). remediation: what to do. Error: 42P01.';
