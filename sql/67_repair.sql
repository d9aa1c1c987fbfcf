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
               enabled boolean, capture_trigger text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT pgtrickle._qualified(c.oid), c.oid::bigint, w.name, e.type, t.oid IS NOT NULL,
           coalesce(t.tgenabled = 'A', false),
           (SELECT CASE l.lanname WHEN 'pgtrickle_capture' THEN 'c' ELSE l.lanname END FROM pg_language l
            WHERE l.oid = f.prolang)
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
  = replica, as they must be. capture_trigger: c or plpgsql, see set_capture_trigger().';

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
    PERFORM pgtrickle._wake_for(st.pgt_id);
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

-- What to do about an error of a stream table, as one sentence for people: by its message where that says more than the
-- SQLSTATE, else what the register of errors says.
CREATE FUNCTION pgtrickle._remedy(code text, qualified text, owner text, message text DEFAULT '') RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format(CASE
        -- Who installed pgtrickle acts for the owners; who is short of a membership is he, not they.
        WHEN code = '42501' AND (message ~* '(set role|member of role)' OR EXISTS (
            SELECT FROM pg_roles r WHERE r.rolname = owner AND NOT pg_has_role(c.admin, r.oid, 'MEMBER'))) THEN
            'The daemon must be able to act as the owner: GRANT %2$I TO %3$I; then SELECT '
            'pgtrickle.resume_stream_table(%1$L);'
        -- a constraint or index of the user's on the stream table, see _raise_violation()
        WHEN code IN ('23505', '23P01') AND message ~ 'rows of its query violate' THEN
            'Correct the rows that it reads, or drop the index or constraint; it goes on by itself then.'
        WHEN code = '0A000' AND message ~ 'type of a column (that is )?used by' THEN
            'Drop the view or rule that uses the column, and it is rebuilt by itself: then make the view again. Or '
            'keep the type with a cast in the query.'
        ELSE pgtrickle._error_remedy(code) END, qualified, owner, c.admin)
    FROM (SELECT pg_get_userbyid(n.nspowner) AS admin FROM pg_namespace n WHERE n.nspname = 'pgtrickle') AS c
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._remedy TO PUBLIC;

-- The message of a stream table's error as its reader understands it: where a right is taken away after a refresh has
-- looked for it, PostgreSQL names the change log, whose rights go with those of its source. Logs that the stream table
-- does not read are none of its business, whatever raised the error.
CREATE FUNCTION pgtrickle._naming_source(stream_table bigint, message text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT message || coalesce((
        SELECT format(' (pgtrickle_changes.log_%s is the change log of %s)',
                      s.source_id, pgtrickle._qualified(s.relid))
        FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_sources s USING (source_id)
        WHERE d.pgt_id = stream_table AND length(message) < 100
          AND s.source_id::text
              = substring(message FROM '^permission denied for [a-z]+ log_([0-9]+)(?:_[ab])?$')
        LIMIT 1),
        '')
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._naming_source FROM PUBLIC;

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
