-- Pausing and draining the daemon, pausing and resuming stream tables.
--
-- Every unit of the daemon begins with _enter_unit(), which holds the advisory lock (1885828210, 3) in share mode to the
-- end of its transaction. drain() takes it exclusively: while it waits, no new unit gets the lock.

-- The last transaction that paused or resumed. A sequence, because its value is seen whatever the snapshot: see _enter_unit.
CREATE SEQUENCE pgtrickle.control_xid;

-- Pauses or resumes; false if that is how it is. Whoever calls it has made sure that the caller may.
CREATE FUNCTION pgtrickle._set_paused(pause boolean, why text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE pgtrickle.pgt_control c
       SET paused = pause, paused_at = CASE WHEN pause THEN clock_timestamp() END, paused_by = CASE WHEN pause THEN current_user END,
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

-- The first statement of each unit's transaction. Raises TR001 if the daemon is paused here or is being drained.
-- The transaction's snapshot is older than the lock: a drain() may have come and gone in between, whose pause the
-- snapshot does not show. Then 40001: try again.
CREATE FUNCTION pgtrickle._enter_unit() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last xid8;
BEGIN
    IF NOT pg_try_advisory_xact_lock_shared(1885828210, 3) THEN
        RAISE EXCEPTION 'the daemon is being drained in this database' USING ERRCODE = 'TR001';
    ELSIF (SELECT c.paused FROM pgtrickle.pgt_control c) THEN
        RAISE EXCEPTION 'the daemon is paused in this database'
            USING ERRCODE = 'TR001', DETAIL = (SELECT c.reason FROM pgtrickle.pgt_control c), HINT = 'SELECT pgtrickle.resume_scheduler();';
    END IF;
    SELECT q.last_value::text::xid8 INTO last FROM pgtrickle.control_xid q;
    IF NOT pg_visible_in_snapshot(last, pg_current_snapshot()) AND pg_xact_status(last) = 'committed' THEN
        RAISE EXCEPTION 'the daemon was paused or resumed just now' USING ERRCODE = 'serialization_failure';
    END IF;
END
$$;
