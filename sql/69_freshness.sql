-- For readers: waiting until a stream table covers what they know to be committed, refreshing what is too old.

-- Is every transaction that snapshot r shows shown by snapshot f too? own: the caller's transaction, whatever it is to
-- them. A snapshot shows what is below its xmax and was not in progress (xip) when it was taken.
CREATE FUNCTION pgtrickle._contains(f pg_snapshot, r pg_snapshot, own xid8) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT NOT EXISTS (SELECT FROM pg_snapshot_xip(f) AS x(xid)
                       WHERE x.xid IS DISTINCT FROM own AND pg_visible_in_snapshot(x.xid, r))
        -- Between the two xmax, f shows nothing: so r must not either.
       AND (pg_snapshot_xmax(r) <= pg_snapshot_xmax(f)
            OR pg_snapshot_xmax(r)::text::numeric - pg_snapshot_xmax(f)::text::numeric
               = (SELECT count(*) FROM (SELECT x.xid FROM pg_snapshot_xip(r) AS x(xid) UNION SELECT own) AS hidden
                  WHERE hidden.xid >= pg_snapshot_xmax(f) AND hidden.xid < pg_snapshot_xmax(r)))
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._contains TO PUBLIC;

-- What keeps a stream table from covering what it reads, for people; NULL if it covers it. To be covered: of stream
-- table reads[i] what snapshot seen[i] shows, of everything else what `base` shows, but nothing of the transaction
-- `own`. Stream tables that are not in reads, members of the same cycle, are not looked at: they are refreshed together
-- with it. It looks at the logs in a subtransaction that is always rolled back: so its locks on them end with the look.
-- Who waits, or reads on in the same transaction, must not keep a rebuild from recreating a log.
CREATE FUNCTION pgtrickle._not_covered(id bigint, base pg_snapshot, reads oid[], seen pg_snapshot[], own xid8)
RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    f        pgtrickle.pgt_frontiers;
    source   record;
    required pg_snapshot;
    pending  boolean;
    lacking  text;
BEGIN
    SELECT * INTO f FROM pgtrickle.pgt_frontiers x WHERE x.pgt_id = id;
    IF f.snapshot IS NULL THEN
        RETURN CASE WHEN NOT pgtrickle._is_kept(id) THEN 'it is not initialised' END;
    END IF;
    FOR source IN SELECT d.source_id, pgtrickle._qualified(d.source_relid) AS name,
        array_position(reads, d.source_relid) AS n, s.pgt_id, x.xid, x.seq
                  FROM pgtrickle.pgt_dependencies d
                  LEFT JOIN pgtrickle.pgt_stream_tables s ON s.pgt_relid = d.source_relid
                  LEFT JOIN pgtrickle.pgt_frontiers x ON x.pgt_id = s.pgt_id
                  WHERE d.pgt_id = id AND d.source_type <> 'VIEW' LOOP
        CONTINUE WHEN source.pgt_id IS NOT NULL AND source.n IS NULL;
        required := CASE WHEN source.n IS NULL THEN base ELSE seen[source.n] END;
        IF source.source_id IS NOT NULL THEN
            -- The rule of what is pending, see docs/ARCHITECTURE.md; of that, what is required.
            EXECUTE format('SELECT EXISTS (SELECT FROM pgtrickle_changes.log_%s AS l WHERE l.xid >= '
                           'pg_snapshot_xmin($1) '
                           'AND CASE WHEN l.xid = $2 THEN l.seq > $3 ELSE NOT pg_visible_in_snapshot(l.xid, $1) END '
                           'AND l.xid IS DISTINCT FROM $4 AND pg_visible_in_snapshot(l.xid, $5))', source.source_id)
                INTO pending USING f.snapshot, f.xid, f.seq, own, required;
            IF pending THEN
                lacking := format('changes of %s are not applied yet', source.name);
            END IF;
        -- Not captured: it must have been recomputed since. After the source, if in the same transaction.
        ELSIF NOT pgtrickle._contains(f.snapshot, required, own)
            AND (source.xid = f.xid AND source.seq < f.seq) IS NOT TRUE THEN
            lacking := format('it was not recomputed since %s could have changed', source.name);
        END IF;
        EXIT WHEN lacking IS NOT NULL;
    END LOOP;
    RAISE EXCEPTION USING ERRCODE = 'TR003', MESSAGE = 'the look is over';
EXCEPTION
    WHEN SQLSTATE 'TR003' THEN
        RETURN lacking;
    WHEN undefined_table THEN   -- the log was recreated while we looked
        RETURN 'it is being rebuilt';
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._not_covered TO PUBLIC;

-- The work of wait_for_freshness: goes through the stream tables that it reads, upstream first. Once one of them covers
-- what is required, the snapshot that shows this is what its readers must cover of it.
CREATE FUNCTION pgtrickle._wait_for_freshness(name text, timeout interval, caller_path text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target    pgtrickle.pgt_stream_tables := pgtrickle._find(name, caller_path);
    required  pg_snapshot := pg_current_snapshot();
    deadline  timestamptz := clock_timestamp() + coalesce(timeout, interval '60 s');
    id        bigint;
    st        pgtrickle.pgt_stream_tables;
    reads     oid[] := '{}';
    seen      pg_snapshot[] := '{}';
    now_seen  pg_snapshot;
    why       text;
    pause     double precision;
BEGIN
    FOREACH id IN ARRAY pgtrickle._upstream_first(pgtrickle._upstream(ARRAY[target.pgt_id])) LOOP
        pause := 0.005;
        LOOP
            SELECT * INTO st FROM pgtrickle._stream_tables s WHERE s.pgt_id = id;
            -- One query, and so one snapshot, for the frontier, the logs and the snapshot itself.
            SELECT CASE WHEN s.needs_reinit THEN 'it must be rebuilt: '
                        || coalesce(s.reinit_reason, 'unknown reason')
                        WHEN s.skipped_at IS NOT NULL THEN format('changes were skipped on %s', s.skipped_at)
                        ELSE pgtrickle._not_covered(s.pgt_id, required, reads, seen,
                                                    pg_current_xact_id_if_assigned()) END, pg_current_snapshot()
              INTO why, now_seen FROM pgtrickle._stream_tables s
                  JOIN pgtrickle._stream_tables t ON t.pgt_id = target.pgt_id WHERE s.pgt_id = id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'a stream table was dropped while waiting for stream table %',
                    pgtrickle._qualified(target.pgt_relid) USING ERRCODE = 'undefined_table';
            END IF;
            EXIT WHEN why IS NULL;
            PERFORM pgtrickle._require_hope(st, target, why);
            IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
                RAISE EXCEPTION 'cannot wait for stream table % in a % transaction',
                    pgtrickle._qualified(target.pgt_relid), upper(current_setting('transaction_isolation'))
                    USING ERRCODE = 'active_sql_transaction',
                        DETAIL = format('%s: %s; this transaction will not see that change.',
                                        pgtrickle._qualified(st.pgt_relid), why),
                          HINT = 'Wait in a transaction of its own, in READ COMMITTED.';
            ELSIF clock_timestamp() >= deadline THEN
                RAISE EXCEPTION 'stream table % did not become fresh within %', pgtrickle._qualified(target.pgt_relid),
                    coalesce(timeout, interval '60 s')
                    USING ERRCODE = 'object_not_in_prerequisite_state',
                          DETAIL = format('%s: %s.%s%s%s%s', pgtrickle._qualified(st.pgt_relid), why,
                                          CASE WHEN st.status <> 'ACTIVE'
                                               THEN format(' Its status is %s.', st.status) END,
                                          ' It waits: ' || pgtrickle._hold_reason(st.pgt_id) || '.',
                                              CASE WHEN pgtrickle.is_paused() THEN ' The daemon is paused.' END,
                                          CASE WHEN st.status <> 'ACTIVE'
                                               OR st.needs_reinit THEN ' In the way of the daemon: '
                                                   || pgtrickle._build_blockers(ARRAY[st.pgt_id]) || '.' END),
                          HINT = CASE WHEN pgtrickle.is_paused() THEN 'SELECT pgtrickle.resume_scheduler();'
                                      WHEN pgtrickle._daemon_alive() THEN
                                          format('A daemon is running: see its log, or wait longer than its schedule '
                                                 '(%s).', st.schedule)
                                      ELSE pgtrickle._no_daemon_hint() END;
            END IF;
            PERFORM pg_sleep(least(pause, greatest(extract(epoch FROM deadline - clock_timestamp()), 0.001)));
            pause := least(pause * 1.5, 0.1);
        END LOOP;
        reads := reads || st.pgt_relid;
        seen := seen || now_seen;
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._wait_for_freshness TO PUBLIC;

-- Error 55000 if waiting for a stream table that lacks something is in vain, because the daemon does not refresh it.
CREATE FUNCTION pgtrickle._require_hope(st pgtrickle.pgt_stream_tables, target pgtrickle.pgt_stream_tables, lacks text)
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    qualified text := pgtrickle._qualified(st.pgt_relid);
    why       text := CASE WHEN st.status IN ('ERROR', 'SUSPENDED')
                           THEN format('its status is %s: %s', st.status, coalesce(st.last_error, 'unknown error'))
                           WHEN st.status = 'PAUSED' THEN 'it is paused'
                           WHEN st.fuse_blown_at IS NOT NULL THEN
                               format('its fuse is blown: %s', coalesce(st.fuse_blow_reason, 'unknown reason'))
                           WHEN st.tier = 'frozen' THEN 'its tier is frozen'
                           WHEN st.skipped_at IS NOT NULL AND NOT st.needs_reinit THEN lacks
                           WHEN st.created_xid = pg_current_xact_id_if_assigned()
                               AND st.created_at = transaction_timestamp() THEN
                               'it was created in this transaction, which the daemon does not see yet' END;
BEGIN
    IF why IS NOT NULL THEN
        RAISE EXCEPTION 'stream table % does not become fresh: %', qualified, why
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = concat_ws(' ', CASE WHEN st.pgt_id <> target.pgt_id THEN format('Stream table %s reads it.',
                          pgtrickle._qualified(target.pgt_relid)) END,
                                     format('What is missing: %s.', lacks)),
                  HINT = CASE WHEN st.status IN ('ERROR', 'SUSPENDED')
                              THEN coalesce(st.last_error_hint, format('See pgtrickle.diagnose_errors(%L).', qualified))
                              WHEN st.status = 'PAUSED' THEN
                                  format('SELECT pgtrickle.resume_stream_table(%L);', qualified)
                              WHEN st.fuse_blown_at IS NOT NULL THEN
                                  format('SELECT pgtrickle.reset_fuse(%L);', qualified)
                              WHEN st.tier = 'frozen' THEN
                                  format('SELECT pgtrickle.refresh_stream_table(%1$L); or '
                                         'pgtrickle.alter_stream_table(%1$L, tier => ''hot'');', qualified)
                              WHEN st.skipped_at IS NOT NULL THEN
                                  format('SELECT pgtrickle.repair_stream_table(%L); recomputes it.', qualified)
                              ELSE 'COMMIT, then wait.' END;
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._require_hope TO PUBLIC;

CREATE FUNCTION pgtrickle.wait_for_freshness(name text, timeout interval DEFAULT '60 s') RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pgtrickle._wait_for_freshness(name, timeout, pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.wait_for_freshness TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.wait_for_freshness(text, interval) IS
'Returns when the stream table covers everything that was committed before the call, by this session or any other,
  also through other stream tables: read it in
the next statement. Changes of transactions that are still running, and of the caller''s own, are not waited for. It
  only waits: the daemon refreshes by schedule.
Errors: 55000 after the timeout, and at once if the table or one that it reads is in error, suspended, paused, frozen,
  or its fuse is blown; 25001 in
REPEATABLE READ, unless there is nothing to wait for; 42P01 not a stream table.';

-- Age in seconds of what a stream table shows: 0 if nothing is pending, NULL if it is not initialised.
CREATE FUNCTION pgtrickle._staleness(id bigint) RETURNS double precision
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT CASE WHEN f.data_timestamp IS NULL THEN NULL
                        WHEN pgtrickle._is_fresh(id) THEN 0
                        WHEN f.snapshot IS NULL THEN NULL
                        ELSE extract(epoch FROM clock_timestamp() - f.data_timestamp) END FROM pgtrickle.pgt_frontiers f
                            WHERE f.pgt_id = id);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._staleness TO PUBLIC;

CREATE FUNCTION pgtrickle.get_staleness(name text) RETURNS double precision LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT pgtrickle._staleness(s.pgt_id)
            FROM pgtrickle._find(name, pg_catalog.current_setting('search_path')) AS s);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.get_staleness TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.get_staleness(text) IS
'Seconds since the snapshot that the stream table shows; 0 if all captured changes are in it, NULL if it is not
  initialised. Error: 42P01.';

CREATE FUNCTION pgtrickle._refresh_if_stale(name text, max_age interval, caller_path text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st pgtrickle.pgt_stream_tables := pgtrickle._find_own(name, caller_path);
BEGIN
    IF pgtrickle._staleness(st.pgt_id) <= extract(epoch FROM coalesce(max_age, interval '0')) THEN
        RETURN false;
    END IF;
    PERFORM pgtrickle._refresh(name, caller_path);
    RETURN true;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._refresh_if_stale TO PUBLIC;

CREATE FUNCTION pgtrickle.refresh_if_stale(p_name text, p_max_age interval DEFAULT '5 minutes') RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    RETURN pgtrickle._refresh_if_stale(p_name, p_max_age, pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.refresh_if_stale TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.refresh_if_stale(text, interval) IS
'refresh_stream_table(), if changes are pending and what it shows is older than p_max_age; true if it was refreshed.
  Errors: as refresh_stream_table().';

-- Refreshes what a stream table reads, each with the other members of its refresh group, then itself.
CREATE FUNCTION pgtrickle._refresh_with_upstream(name text, caller_path text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st pgtrickle.pgt_stream_tables := pgtrickle._find_own(name, caller_path);
    id bigint;
BEGIN
    FOREACH id IN ARRAY pgtrickle._upstream_first(pgtrickle._upstream(ARRAY[st.pgt_id])) LOOP
        PERFORM pgtrickle._refresh(pgtrickle._qualified(s.pgt_relid), caller_path) FROM pgtrickle._stream_tables s
            WHERE s.pgt_id = id;
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._refresh_with_upstream TO PUBLIC;

CREATE FUNCTION pgtrickle.write_and_refresh(sql text, stream_table_name text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    caller_path text := pg_catalog.current_setting('search_path');
BEGIN
    IF sql IS NULL THEN
        RAISE EXCEPTION 'the statement to run must not be NULL' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    EXECUTE sql;
    PERFORM pgtrickle._refresh_with_upstream(stream_table_name, caller_path);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.write_and_refresh TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.write_and_refresh(text, text) IS
'Runs a statement with the caller''s rights and search_path, then refreshes the stream table and the ones that it reads,
  upstream first, in the same transaction:
the writer reads what he wrote. Errors: those of the statement and of refresh_stream_table(), for every stream
  table on the way.';
