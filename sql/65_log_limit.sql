-- Logs that somebody holds back for too long: see scheduler.log_max_bytes.

-- Has the stream table left rows of the log of `source` in the table that is to be cleared next?
CREATE FUNCTION pgtrickle._holds_log(id bigint, source bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    f      pgtrickle.pgt_frontiers;
    active "char" := (SELECT s.active_log FROM pgtrickle.pgt_sources s WHERE s.source_id = source);
    answer boolean;
BEGIN
    SELECT * INTO f FROM pgtrickle.pgt_frontiers x WHERE x.pgt_id = id;
    IF f.snapshot IS NULL OR active IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM pgtrickle_changes.log_%s_%s AS l WHERE '
                       'pgtrickle._is_pending(l.xid, l.seq, $1, pg_snapshot_xmin($1), pg_snapshot_xmax($1), $2, $3))',
                   source, CASE active WHEN 'a' THEN 'b' ELSE 'a' END) INTO answer USING f.snapshot, f.xid, f.seq;
    RETURN answer;
EXCEPTION WHEN undefined_table THEN     -- the log was recreated while we looked
    RETURN false;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._holds_log FROM PUBLIC;

-- Marks the stream tables that hold the log of `source` back to be rebuilt, and forgets what they have consumed: so the
-- log can be cleared. Returns their ids. What is being refreshed or built at this moment is left alone; it may be over
-- soon.
CREATE FUNCTION pgtrickle._release_log(source bigint, why text) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    f        record;
    released bigint[] := '{}';
BEGIN
    FOR f IN SELECT x.pgt_id FROM pgtrickle.pgt_frontiers x
             WHERE x.snapshot IS NOT NULL AND EXISTS (SELECT FROM pgtrickle.pgt_dependencies d
                                                      WHERE d.pgt_id = x.pgt_id AND d.source_id = source)
             ORDER BY x.pgt_id FOR UPDATE OF x SKIP LOCKED LOOP
        IF pgtrickle._holds_log(f.pgt_id, source) THEN
            UPDATE pgtrickle.pgt_frontiers x SET snapshot = NULL, xid = NULL, seq = NULL WHERE x.pgt_id = f.pgt_id;
            released := released || f.pgt_id;
        END IF;
    END LOOP;
    IF released <> '{}' THEN
        PERFORM pgtrickle._mark_reinit(released, why);
    END IF;
    RETURN released;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._release_log FROM PUBLIC;
