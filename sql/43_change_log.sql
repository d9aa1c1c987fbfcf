-- The change log of a source: how much of it is pending, clearing it once everybody has read it, removing it when
-- nobody reads it any more.

-- One row per transaction that has rows in a table of a log; pending is asked per transaction, with its last row.
-- Number of rows of the log of `source` that stream table `id` has not consumed; NULL if it is not initialised.
CREATE FUNCTION pgtrickle._pending(id bigint, source bigint) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    f pgtrickle.pgt_frontiers;
    n bigint;
BEGIN
    SELECT * INTO f FROM pgtrickle.pgt_frontiers x WHERE x.pgt_id = id;
    IF f.snapshot IS NULL OR NOT EXISTS (SELECT FROM pgtrickle.pgt_sources s WHERE s.source_id = source) THEN
        RETURN NULL;
    END IF;
    EXECUTE format('SELECT count(*) FROM pgtrickle_changes.log_%s AS l WHERE '
                       'pgtrickle._is_pending(l.xid, l.seq, $1, pg_snapshot_xmin($1), pg_snapshot_xmax($1), $2, $3)',
                       source) INTO n USING f.snapshot, f.xid, f.seq;
    RETURN n;
EXCEPTION WHEN undefined_table THEN     -- the log was recreated while we looked
    RETURN NULL;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._pending TO PUBLIC;

-- Number of log rows, over all sources, that a stream table has not consumed; NULL if it is not initialised.
CREATE FUNCTION pgtrickle._pending_rows(id bigint) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN (SELECT f.snapshot IS NOT NULL FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = id)
           THEN (SELECT coalesce(sum(pgtrickle._pending(id, d.source_id)), 0)::bigint
                 FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = id AND d.source_id IS NOT NULL) END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._pending_rows TO PUBLIC;

-- Have all consumers of a log consumed every row of its table a or b?
CREATE FUNCTION pgtrickle._all_consumed(source bigint, which "char") RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    answer boolean;
BEGIN
    -- Per transaction only its last row matters. A consumer that is just being initialised has taken its snapshot but
    -- not committed its frontier: it may still need every row.
    EXECUTE format($q$
        SELECT NOT EXISTS (
            SELECT FROM (SELECT l.xid, max(l.seq) AS seq FROM pgtrickle_changes.log_%s_%s AS l GROUP BY l.xid) AS l
            CROSS JOIN (SELECT f.snapshot, f.xid, f.seq FROM pgtrickle.pgt_dependencies d
                        JOIN pgtrickle.pgt_frontiers f USING (pgt_id) JOIN pgtrickle.pgt_stream_tables t USING (pgt_id)
                        WHERE d.source_id = $1 AND (f.snapshot IS NOT NULL OR t.status = 'INITIALIZING')) AS f
            WHERE f.snapshot IS NULL
               OR l.xid >= pg_snapshot_xmin(f.snapshot)
                  AND CASE WHEN l.xid = f.xid THEN l.seq > f.seq
                           ELSE NOT pg_visible_in_snapshot(l.xid, f.snapshot) END) $q$, source, which) INTO answer
                               USING source;
    RETURN answer;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._all_consumed FROM PUBLIC;

-- _rotate_log(source, switch_bytes) -> what was done:
--   'truncated'  the inactive table was emptied
--   'switched'   the inactive table was empty and the active one had at least switch_bytes bytes: writers now
--                use the other
--   'kept'       nothing to do, or a consumer still needs rows
--   'busy'       a lock could not be had within lock_wait_ms milliseconds: call again later
-- Must run in READ COMMITTED (error 25001 otherwise): the decision needs a snapshot taken after the lock.
CREATE FUNCTION pgtrickle._rotate_log(source bigint, switch_bytes bigint, lock_wait_ms int DEFAULT 50) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s        pgtrickle.pgt_sources;
    inactive "char";
    waited   text := current_setting('lock_timeout');
    bytes    bigint;
    consumer record;
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'change logs can only be rotated in READ COMMITTED' USING ERRCODE = 'active_sql_transaction';
    END IF;
    BEGIN
        PERFORM pgtrickle._lock_capture(source, false);
    EXCEPTION WHEN lock_not_available THEN
        RETURN 'busy';
    END;
    SELECT * INTO s FROM pgtrickle.pgt_sources x WHERE x.source_id = source;
    IF NOT FOUND THEN
        RETURN 'kept';
    END IF;
    inactive := CASE s.active_log WHEN 'a' THEN 'b' ELSE 'a' END;
    -- A stopped stream table that will be re-initialised anyway must not hold the log back for ever. Clearing its
    -- frontier says so, and makes a refresh that still runs on the old one fail instead of missing rows.
    FOR consumer IN SELECT f.pgt_id FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_frontiers f USING (pgt_id)
                    JOIN pgtrickle.pgt_stream_tables t USING (pgt_id)
                    WHERE d.source_id = source AND t.needs_reinit AND t.status IN ('ERROR', 'SUSPENDED', 'PAUSED')
                      AND f.snapshot IS NOT NULL
                    FOR UPDATE OF f SKIP LOCKED LOOP
        UPDATE pgtrickle.pgt_frontiers f SET snapshot = NULL, xid = NULL, seq = NULL WHERE f.pgt_id = consumer.pgt_id;
    END LOOP;

    IF pg_relation_size(format('pgtrickle_changes.log_%s_%s', source, inactive)::regclass) > 0 THEN
        IF NOT pgtrickle._all_consumed(source, inactive) THEN
            RETURN 'kept';
        END IF;
        BEGIN
            PERFORM set_config('lock_timeout', lock_wait_ms::text, true);
            -- one after the other, see last_clearing
            LOCK TABLE pgtrickle.pgt_sources IN SHARE UPDATE EXCLUSIVE MODE;
            EXECUTE format('LOCK TABLE pgtrickle_changes.log_%s_%s IN ACCESS EXCLUSIVE MODE', source, inactive);
            PERFORM set_config('lock_timeout', waited, true);
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            RETURN 'busy';      -- leaving the block also restores lock_timeout
        END;
        -- Under the lock nobody has uncommitted rows there: what is not consumed now is visible now.
        IF NOT pgtrickle._all_consumed(source, inactive) THEN
            RETURN 'kept';
        END IF;
        -- TRUNCATE empties the table for older snapshots too. To those the first transaction that has not ended yet is
        -- not visible: so a refresh that finds nothing pending knows that it must not trust that.
        PERFORM setval('pgtrickle_changes.last_clearing', pg_snapshot_xmax(pg_current_snapshot())::text::bigint);
        EXECUTE format('TRUNCATE pgtrickle_changes.log_%s_%s', source, inactive);
        RETURN 'truncated';
    END IF;

    SELECT pg_relation_size(c.oid) + CASE WHEN c.reltoastrelid = 0 THEN 0
                                          ELSE pg_relation_size(c.reltoastrelid) END INTO bytes
    FROM pg_class c WHERE c.oid = format('pgtrickle_changes.log_%s_%s', source, s.active_log)::regclass;
    IF bytes = 0 OR bytes < switch_bytes THEN
        RETURN 'kept';
    END IF;
    UPDATE pgtrickle.pgt_sources x SET active_log = inactive, switched_at = clock_timestamp()
    WHERE x.source_id = source;
    PERFORM pgtrickle._write_capture_function(source, s.relid, s.columns, s.shape, s.partitions, inactive, s.problem,
                                              s.muted);
    IF s.problem IS NULL AND pgtrickle._source_problem(source) IS NOT NULL THEN
        PERFORM pgtrickle._neutralize_capture(source, pgtrickle._source_problem(source));
    END IF;
    RETURN 'switched';
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._rotate_log FROM PUBLIC;

-- Removes logs, capture functions and triggers that no row of pgt_sources knows (left over from a restore). Returns how
-- many.
CREATE FUNCTION pgtrickle._drop_orphaned_capture() RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n int := 0;
    source bigint;
BEGIN
    FOR source IN
        SELECT DISTINCT substring(o.name FROM '[0-9]+')::bigint
        FROM (SELECT c.relname::text AS name FROM pg_class c
              WHERE c.relnamespace = 'pgtrickle_changes'::regnamespace AND c.relname ~ '^log_[0-9]{1,18}(_[ab])?$'
              UNION ALL SELECT p.proname::text FROM pg_proc p
              WHERE p.pronamespace = 'pgtrickle_changes'::regnamespace AND p.proname ~ '^capture_[0-9]{1,18}$') AS o
        WHERE NOT EXISTS (SELECT FROM pgtrickle.pgt_sources s
                          WHERE s.source_id = substring(o.name FROM '[0-9]+')::bigint) LOOP
        BEGIN
            PERFORM pgtrickle._uninstall_capture(source);
            n := n + 1;
        EXCEPTION WHEN lock_not_available OR deadlock_detected OR insufficient_privilege THEN
            -- see _leftovers()
            RAISE WARNING 'pgtrickle could not remove the capture of source %: %', source, SQLERRM;
        END;
    END LOOP;
    RETURN n;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._drop_orphaned_capture FROM PUBLIC;
