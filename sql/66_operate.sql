-- Pausing and draining the daemon, pausing and resuming stream tables.
--
-- Every unit of the daemon begins with _enter_unit(), which holds the lock on pgtrickle_locks.units in ROW SHARE mode
-- to the end of its transaction. drain() takes it in EXCLUSIVE mode: while it waits, no new unit gets the lock.

-- The last transaction that paused or resumed. A sequence, because its value is seen whatever the snapshot: see
-- _enter_unit.
CREATE SEQUENCE pgtrickle.control_xid;

-- Pauses or resumes; false if that is how it is. Its callers have made sure that the caller may.
CREATE FUNCTION pgtrickle._set_paused(pause boolean, why text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO pgtrickle.pgt_control DEFAULT VALUES ON CONFLICT DO NOTHING;    -- a restore without data has lost it
    UPDATE pgtrickle.pgt_control c
       SET paused = pause, paused_at = CASE WHEN pause THEN clock_timestamp() END,
           paused_by = CASE WHEN pause THEN current_user END,
           reason = CASE WHEN pause THEN why END
     WHERE c.paused <> pause;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM setval('pgtrickle.control_xid', pg_current_xact_id()::text::bigint);
    PERFORM pgtrickle._wake('');
    RETURN true;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._set_paused FROM PUBLIC;

-- The first statement of each unit's transaction. Raises TR001 if the daemon is paused here or is being drained.
-- The transaction's snapshot is older than the lock: a drain() may have come and gone in between, whose pause the
-- snapshot does not show. Then 40001: try again.
CREATE FUNCTION pgtrickle._enter_unit() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last xid8;
BEGIN
    BEGIN
        LOCK TABLE pgtrickle_locks.units IN ROW SHARE MODE NOWAIT;
    EXCEPTION WHEN lock_not_available THEN
        RAISE EXCEPTION 'the daemon is being drained in this database' USING ERRCODE = 'TR001';
    END;
    IF (SELECT c.paused FROM pgtrickle.pgt_control c) THEN
        PERFORM pgtrickle._fail('TR001', 'the daemon is paused in this database',
                                (SELECT c.reason FROM pgtrickle.pgt_control c),
                                'SELECT pgtrickle.resume_scheduler();');
    END IF;
    SELECT q.last_value::text::xid8 INTO last FROM pgtrickle.control_xid q;
    IF NOT pg_visible_in_snapshot(last, pg_current_snapshot()) AND pg_xact_status(last) = 'committed' THEN
        RAISE EXCEPTION 'the daemon was paused or resumed just now' USING ERRCODE = 'serialization_failure';
    END IF;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._enter_unit FROM PUBLIC;

-- Error 42501 unless the caller is the admin.
CREATE FUNCTION pgtrickle._require_admin(purpose text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT pgtrickle._is_admin() THEN
        RAISE EXCEPTION 'permission denied to %', purpose
            USING ERRCODE = 'insufficient_privilege',
                  HINT = format('It is for members of role "%s", which installed pgtrickle.',
                                (SELECT pg_get_userbyid(n.nspowner) FROM pg_namespace n WHERE n.nspname = 'pgtrickle'));
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._require_admin TO PUBLIC;

CREATE FUNCTION pgtrickle._require_no_nodes(nodes text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF nodes IS NOT NULL THEN
        RAISE EXCEPTION 'the daemon can only be paused or resumed as a whole'
            USING ERRCODE = 'feature_not_supported',
                HINT = 'Leave out nodes. For single stream tables: pgtrickle.pause_stream_table(), '
                       'resume_stream_table().';
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._require_no_nodes TO PUBLIC;

CREATE FUNCTION pgtrickle.is_paused() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pgtrickle.pgt_control c WHERE c.paused) $$;
GRANT EXECUTE ON FUNCTION pgtrickle.is_paused TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.is_paused() IS 'Is the daemon paused in this database?';

CREATE FUNCTION pgtrickle.pause_scheduler(reason text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._require_admin('pause the daemon');
    IF pgtrickle._set_paused(true, reason) THEN
        RETURN 'paused: refreshes that are running come to their end, no other begins';
    END IF;
    RETURN format('paused already since %s', (SELECT date_trunc('second', c.paused_at) FROM pgtrickle.pgt_control c));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.pause_scheduler(text) TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.pause_scheduler(text) IS
'From the commit on the daemon refreshes and builds nothing in this database, also after a restart, until
  resume_scheduler(). Changes are captured all the same;
refreshing by hand works. reason: shown to people who wonder. See drain() to wait for what is running. Error: 42501 not
  the admin.';

CREATE FUNCTION pgtrickle.pause_scheduler(nodes text[]) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._require_no_nodes(nodes);
    RETURN pgtrickle.pause_scheduler(NULL::text);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.pause_scheduler(text[]) TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.pause_scheduler(text[]) IS 'For scripts that pass nodes: NULL is the same as
  pause_scheduler(), anything else is refused (0A000).';

CREATE FUNCTION pgtrickle.resume_scheduler(nodes text[] DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._require_no_nodes(nodes);
    PERFORM pgtrickle._require_admin('resume the daemon');
    RETURN CASE WHEN pgtrickle._set_paused(false, NULL) THEN 'resumed' ELSE 'not paused' END;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.resume_scheduler TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.resume_scheduler(text[]) IS 'Ends what pause_scheduler() or drain() began. nodes: NULL
  (0A000 otherwise). Error: 42501 not the admin.';

CREATE FUNCTION pgtrickle.drain(timeout_s int DEFAULT 60) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    waited text := current_setting('lock_timeout');
BEGIN
    PERFORM pgtrickle._require_admin('drain the daemon');
    IF timeout_s IS NULL OR timeout_s NOT BETWEEN 0 AND 86400 THEN
        RAISE EXCEPTION 'invalid timeout %', coalesce(timeout_s::text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give seconds, from 0 (do not wait) to 86400.';
    END IF;
    BEGIN
        IF timeout_s = 0 THEN
            LOCK TABLE pgtrickle_locks.units IN EXCLUSIVE MODE NOWAIT;
        ELSE
            PERFORM set_config('lock_timeout', (timeout_s::bigint * 1000)::text, true);
            LOCK TABLE pgtrickle_locks.units IN EXCLUSIVE MODE;
            PERFORM set_config('lock_timeout', waited, true);
        END IF;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
        RETURN false;       -- leaving the block also restores lock_timeout
    END;
    PERFORM pgtrickle._set_paused(true, 'drained');
    RETURN true;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.drain TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.drain(int) IS
'For upgrades: waits until no refresh of the daemon is running, while none begins, and pauses. False if that took
  longer than timeout_s seconds: then
the daemon goes on as before. True: from the commit on nothing is refreshed until resume_scheduler(). Errors: 42501
  not the admin, 22023 bad timeout.';

CREATE FUNCTION pgtrickle.is_drained() RETURNS boolean
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT pgtrickle.is_paused() AND NOT EXISTS (SELECT FROM pgtrickle._lockers('units') AS l
                                                 WHERE l.mode = 'RowShareLock' AND l.granted)
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.is_drained TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.is_drained() IS 'Is the daemon paused here, and nothing of it running any more?';

CREATE FUNCTION pgtrickle._pause_stream_table(name text, caller_path text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st pgtrickle.pgt_stream_tables := pgtrickle._find_own(name, caller_path);
BEGIN
    IF st.status <> 'PAUSED' THEN
        PERFORM pgtrickle._request('alter',
                                   jsonb_build_object('id', st.pgt_id, 'set', jsonb_build_object('status', 'PAUSED')));
        PERFORM pgtrickle._wake_for(st.pgt_id);
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._pause_stream_table TO PUBLIC;

CREATE FUNCTION pgtrickle.pause_stream_table(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._pause_stream_table(name, pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.pause_stream_table TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.pause_stream_table(text) IS
'The daemon leaves it alone until resume_stream_table(). Meanwhile it holds the change logs of its sources back.
  Errors: 42P01 not a stream table, 42501 not its owner.';

CREATE FUNCTION pgtrickle.resume_all() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._request('resume', jsonb_build_object('id', s.pgt_id)) FROM pgtrickle._stream_tables s
    WHERE s.status IN ('ERROR', 'SUSPENDED', 'PAUSED') AND pgtrickle._may_manage(s.pgt_relid);
    IF FOUND THEN
        PERFORM pgtrickle._wake('');
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.resume_all TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.resume_all() IS 'resume_stream_table() for every stream table that is in error,
  suspended or paused and that the caller may manage.';

CREATE FUNCTION pgtrickle._set_stream_table_sla(name text, sla interval, caller_path text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st pgtrickle.pgt_stream_tables := pgtrickle._find_own(name, caller_path);
BEGIN
    IF sla <= interval '0' OR NOT isfinite(sla) THEN
        RAISE EXCEPTION 'stream table %: the promised staleness must be more than 0 and finite, not %',
            pgtrickle._qualified(st.pgt_relid), sla
            USING ERRCODE = 'invalid_parameter_value',
                HINT = 'Give an interval, for example ''5 minutes''; NULL promises nothing.';
    END IF;
    PERFORM pgtrickle._request('alter', jsonb_build_object('id', st.pgt_id, 'set',
                                                           jsonb_build_object('max_staleness', sla), 'bump', false));
    PERFORM pgtrickle._wake_for(st.pgt_id);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._set_stream_table_sla TO PUBLIC;

CREATE FUNCTION pgtrickle.set_stream_table_sla(name text, sla interval) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._set_stream_table_sla(name, sla, pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.set_stream_table_sla TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.set_stream_table_sla(text, interval) IS
'Promises readers that the table is never older than this (column max_staleness): health, metrics and alerts judge it.
  NULL promises nothing. It is not the schedule.
Errors: 42P01 not a stream table, 42501 not its owner, 22023 not above 0.';
