-- Cycles of stream tables: a strongly connected component of monotone queries is kept at its least fixed point, as
-- WITH RECURSIVE would compute it, in one transaction.
--
-- Rows were only added, outside: the members are refreshed in turn until none of them has anything pending. A refresh
-- sees what its own transaction has written since its frontier, by seq, exactly once. Everything derived follows from
-- rows that are there, nothing is added that the least fixed point does not have, and where nothing is pending every
-- table is its query: that is the least fixed point.
--
-- Rows were also taken away: the members are derived again, from empty tables. Counting derivations, which is how a
-- program maintains its table, cannot do it. In a cycle rows can be derived from themselves: x reaches y because y
-- reaches y' because x reaches y. When what had first led there goes, every count stays above 0, and the rows hold each
-- other up for ever. The same is true of whatever else is in the tables that was not derived here, so anybody's refresh
-- of one member alone (frontiers in pgt_sccs) means starting from empty tables as well.
--
-- Others see net changes: what was emptied and came back is taken out of the change logs before the transaction ends.

-- Members of the cycle that a stream table is in, ascending: what it reads and what reads it, directly or through
-- others. NULL: it is in none. reads: stream tables that it would read, in place of what is recorded. The refresh
-- planner finds cycles by itself (daemon/planner/dag.cpp): tests/judgements/cycles.tsv has what both must say.
CREATE FUNCTION pgtrickle._cycle_of(id bigint, reads bigint[] DEFAULT NULL) RETURNS bigint[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    WITH RECURSIVE edges(reader, source) AS MATERIALIZED (
        SELECT d.pgt_id, s.pgt_id FROM pgtrickle.pgt_dependencies d
        JOIN pgtrickle._stream_tables s ON s.pgt_relid = d.source_relid WHERE $2 IS NULL OR d.pgt_id <> $1
        UNION ALL SELECT $1, u.source FROM unnest($2) AS u(source)),
    below(id) AS (
        SELECT r.source FROM edges r WHERE r.reader = $1
        UNION SELECT r.source FROM below b JOIN edges r ON r.reader = b.id),
    above(id) AS (
        SELECT r.reader FROM edges r WHERE r.source = $1
        UNION SELECT r.reader FROM above a JOIN edges r ON r.source = a.id)
    SELECT array_agg(b.id ORDER BY b.id) FROM below b JOIN above a ON a.id = b.id
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._cycle_of TO PUBLIC;

-- Has anything been taken away that this stream table has not consumed yet (DELETE, TRUNCATE, the old side of an
-- UPDATE)?
CREATE FUNCTION pgtrickle._removals_pending(id bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    f      pgtrickle.pgt_frontiers;
    source bigint;
    answer boolean;
BEGIN
    SELECT * INTO STRICT f FROM pgtrickle.pgt_frontiers x WHERE x.pgt_id = id;
    FOR source IN SELECT d.source_id FROM pgtrickle.pgt_dependencies d
        WHERE d.pgt_id = id AND d.source_id IS NOT NULL LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM pgtrickle_changes.log_%s AS l WHERE l.w <= 0 AND '
                       'pgtrickle._is_pending(l.xid, l.seq, $1, pg_snapshot_xmin($1), pg_snapshot_xmax($1), $2, $3))',
                           source)
           INTO answer USING f.snapshot, f.xid, f.seq;
        IF answer THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._removals_pending TO PUBLIC;

-- Takes pairs of rows that cancel out (the same row, added and taken away) and that this transaction wrote out of the
-- log of a source; returns how many pairs. Rows stay if the frontier of a consumer lies between them: it has consumed
-- one of them. Rows are paired by their text, which finds candidates, and compared byte for byte.
CREATE FUNCTION pgtrickle._net_log(source bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    a     regclass := to_regclass(format('pgtrickle_changes.log_%s_a', source));
    b     regclass := to_regclass(format('pgtrickle_changes.log_%s_b', source));
    pairs bigint;
BEGIN
    IF a IS NULL OR b IS NULL OR pg_current_xact_id_if_assigned() IS NULL THEN
        RETURN 0;
    END IF;
    EXECUTE format($q$
        WITH cuts AS (SELECT f.seq FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_frontiers f USING (pgt_id)
                      WHERE d.source_id = $1 AND f.xid = pg_current_xact_id()),
        mine AS MATERIALIZED (
            SELECT u.*, (SELECT count(*) FROM cuts WHERE cuts.seq < u.seq) AS part
            FROM (SELECT l.tableoid AS log, l.ctid AS place, l.seq, l.w, %3$s AS r FROM %1$s AS l
                  WHERE l.xid = pg_current_xact_id() AND l.w <> 0
                  UNION ALL SELECT l.tableoid, l.ctid, l.seq, l.w, %3$s FROM %2$s AS l
                  WHERE l.xid = pg_current_xact_id() AND l.w <> 0) AS u),
        numbered AS (
            SELECT m.*, m.r::text AS t, row_number() OVER (PARTITION BY m.r::text, m.part, m.w ORDER BY m.seq) AS n
            FROM mine AS m),
        -- No join: it would be planned for the few rows that such a log usually has.
        paired AS (
            SELECT x.*, lag(x.log) OVER pair AS old_log, lag(x.place) OVER pair AS old_place,
                   lag(x.r) OVER pair AS old_r
            FROM numbered AS x WINDOW pair AS (PARTITION BY x.t, x.part, x.n ORDER BY x.w)),
        cancelled AS MATERIALIZED (
            SELECT x.old_log, x.old_place, x.log AS new_log, x.place AS new_place FROM paired AS x
            WHERE x.old_place IS NOT NULL AND x.r *= x.old_r),
        gone AS MATERIALIZED (SELECT old_log AS log, old_place AS place FROM cancelled
                              UNION ALL SELECT new_log, new_place FROM cancelled),
        from_a AS (DELETE FROM %1$s AS l WHERE l.ctid = ANY (ARRAY(SELECT g.place FROM gone AS g WHERE g.log = $2))),
        from_b AS (DELETE FROM %2$s AS l WHERE l.ctid = ANY (ARRAY(SELECT g.place FROM gone AS g WHERE g.log = $3)))
        SELECT count(*) FROM cancelled $q$, a, b,
        (SELECT 'ROW(' || coalesce(string_agg(format('l.%I', x.attname), ', ' ORDER BY x.attnum), '') || ')'
         FROM pg_attribute x WHERE x.attrelid = a AND x.attname ~ '^c[0-9]+$' AND NOT x.attisdropped)) INTO pairs
         USING source, a, b;
    RETURN pairs;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._net_log TO PUBLIC;

-- What forbids that these stream tables, all the members of a cycle, are brought to a fixed point. The daemon refuses
-- programs that would close such a cycle; this is for what was allowed and is not any more.
CREATE FUNCTION pgtrickle._check_cycle(members bigint[]) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s pgtrickle.pgt_stream_tables;
BEGIN
    FOR s IN SELECT x.* FROM pgtrickle._stream_tables x WHERE x.pgt_id = ANY (members) ORDER BY x.pgt_id LOOP
        IF NOT s.allow_circular THEN
            RAISE EXCEPTION 'stream table % reads itself', pgtrickle._qualified(s.pgt_relid)
                USING ERRCODE = 'invalid_object_definition',
                      HINT = format('Change a query of the cycle, or allow it: SELECT '
                                    'pgtrickle.alter_stream_table(%L, allow_circular => true);',
                                        pgtrickle._qualified(s.pgt_relid));
        ELSIF s.non_monotone IS NOT NULL THEN
            RAISE EXCEPTION 'stream table % is in a cycle, and its query is not monotone: %',
                pgtrickle._qualified(s.pgt_relid), s.non_monotone
                USING ERRCODE = 'invalid_object_definition',
                      HINT = 'In a cycle, rows that are added must never take others away. Compute this in a stream '
                             'table outside of the cycle.';
        END IF;
    END LOOP;
    IF members IS DISTINCT FROM pgtrickle._cycle_of(members[1]) THEN
        RAISE EXCEPTION 'the members of the cycle are not these any more'
            USING ERRCODE = 'serialization_failure',
                DETAIL = format('Asked for %s, found %s.', members, pgtrickle._cycle_of(members[1])),
                  HINT = 'Try again with the graph as it is now.';
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._check_cycle(bigint[]) TO PUBLIC;

-- Records why the cycle with these members could not be refreshed; _refresh_scc forgets it when it could.
CREATE FUNCTION pgtrickle._scc_failed(ids bigint[], message text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    IF ids IS DISTINCT FROM pgtrickle._cycle_of(ids[1]) THEN        -- it was changed meanwhile
        RETURN;
    END IF;
    DELETE FROM pgtrickle.pgt_sccs c WHERE c.members && ids AND c.members <> ids;
    INSERT INTO pgtrickle.pgt_sccs (scc_id, members, generations, frontiers, last_error)
      VALUES (ids[1], ids, '{}', '{}', left(message, pgtrickle._kept_characters()))
    ON CONFLICT (scc_id) DO UPDATE SET last_error = excluded.last_error;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._scc_failed FROM PUBLIC;

-- Is the cycle with these members as its last refresh left it? Ascending.
CREATE FUNCTION pgtrickle._scc_is_known(members bigint[]) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM pgtrickle.pgt_sccs c WHERE c.scc_id = _scc_is_known.members[1] AND c.members = _scc_is_known.members
        AND c.frontiers = (SELECT array_agg(f.seq ORDER BY f.pgt_id) FROM pgtrickle.pgt_frontiers f
                           WHERE f.pgt_id = ANY (_scc_is_known.members)))
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._scc_is_known TO PUBLIC;

-- The cycle with these members, ascending, is at its fixed point, after so many rounds; NULL: it still is. What is
-- recorded decides whether the next refresh may go on from here, so it is not believed: each member is where the last
-- record has it, or was moved by this very transaction.
CREATE FUNCTION pgtrickle._scc_done(members bigint[], rounds int) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
<<done>>
DECLARE
    known pgtrickle.pgt_sccs := (SELECT c FROM pgtrickle.pgt_sccs c
                                 WHERE c.scc_id = _scc_done.members[1] AND c.members = _scc_done.members);
BEGIN
    PERFORM pgtrickle._check_cycle(_scc_done.members);
    IF EXISTS (SELECT FROM pgtrickle.pgt_frontiers f
               WHERE f.pgt_id = ANY (_scc_done.members) AND f.xid IS DISTINCT FROM pg_current_xact_id_if_assigned()
                 AND f.seq IS DISTINCT FROM known.frontiers[array_position(_scc_done.members, f.pgt_id)]) THEN
        RAISE EXCEPTION 'a member of the cycle was not brought to this fixed point'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    ELSIF rounds IS NULL THEN
        UPDATE pgtrickle.pgt_sccs c SET last_error = NULL
        WHERE c.scc_id = _scc_done.members[1] AND c.last_error IS NOT NULL;
        RETURN;
    END IF;
    DELETE FROM pgtrickle.pgt_sccs c WHERE c.members && _scc_done.members AND c.scc_id <> _scc_done.members[1];
    INSERT INTO pgtrickle.pgt_sccs (scc_id, members, generations, frontiers, last_iterations, last_converged_at)
    SELECT _scc_done.members[1], _scc_done.members, array_agg(s.generation ORDER BY s.pgt_id),
           array_agg(f.seq ORDER BY s.pgt_id), rounds, clock_timestamp()
    FROM pgtrickle.pgt_stream_tables s JOIN pgtrickle.pgt_frontiers f USING (pgt_id)
    WHERE s.pgt_id = ANY (_scc_done.members)
    ON CONFLICT (scc_id) DO UPDATE SET members = excluded.members, generations = excluded.generations,
        frontiers = excluded.frontiers,
        last_iterations = excluded.last_iterations, last_converged_at = excluded.last_converged_at, last_error = NULL;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._scc_done TO PUBLIC;

-- Takes out of the logs of these stream tables what this transaction has both added and taken away; how many pairs of
-- each.
CREATE FUNCTION pgtrickle._net_members(members bigint[]) RETURNS bigint[]
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(coalesce((SELECT sum(pgtrickle._net_log(x.source_id))
                               FROM pgtrickle.pgt_sources x JOIN pgtrickle.pgt_stream_tables s ON s.pgt_relid = x.relid
                               WHERE s.pgt_id = m.id), 0)::bigint ORDER BY m.n)
    FROM unnest(members) WITH ORDINALITY AS m(id, n)
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._net_members TO PUBLIC;

-- Brings the cycle with these members to its least fixed point, in the caller's transaction, and returns what was done
-- with each. Waits, blown fuses and rebuilds concern the cycle as a whole: if a member answers HELD, BLOWN or REINIT,
-- nothing is done, and the others are HELD. A fuse looks at what came from outside, not at what members derive from
-- each other.
--   reset           derive again in any case
--   max_iterations  rounds in which something was applied; more raise 54001, and nothing is applied
--   initiated_by    for the history; NULL: the caller writes it, when this has been committed
CREATE FUNCTION pgtrickle._refresh_scc(ids bigint[], reset boolean DEFAULT false,
                                       max_iterations int DEFAULT pgtrickle._fixpoint_rounds(),
                                       initiated_by text DEFAULT 'SCHEDULER')
RETURNS TABLE (pgt_id bigint, action text, delta_rows bigint, rows_inserted bigint, rows_updated bigint,
               rows_deleted bigint, iterations int)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off AS $$
#variable_conflict use_column
<<scc>>
DECLARE
    members  bigint[] := (SELECT array_agg(DISTINCT i.id ORDER BY i.id) FROM unnest($1) AS i(id));
    n        int := cardinality(members);
    started  timestamptz;
    done     record;
    actions  text[];
    pending  bigint[];
    inserted bigint[] := array_fill(0::bigint, ARRAY[n]);
    updated  bigint[] := inserted;
    deleted  bigint[] := inserted;
    applied  boolean[] := array_fill(false, ARRAY[n]);
    from_empty     boolean;
    rounds   int := 0;
    quiet    boolean;
    pairs    bigint[];
BEGIN
    PERFORM pgtrickle._check_cycle(members);

    -- In READ COMMITTED first the sources outside, then the frontiers: the daemon writes there before it comes here.
    IF current_setting('transaction_isolation') IN ('read committed', 'read uncommitted') THEN
        FOR m IN 1..n LOOP
            IF to_regprocedure(format('pgtrickle_state.refresh_%s(text)', members[m])) IS NOT NULL THEN
                EXECUTE format('SELECT FROM pgtrickle_state.refresh_%s($1)', members[m]) USING 'lock';
            END IF;
        END LOOP;
        PERFORM pgtrickle._lock_frontiers(members);
    END IF;

    -- What would be done?
    FOR m IN 1..n LOOP
        IF to_regprocedure(format('pgtrickle_state.refresh_%s(text)', members[m])) IS NULL THEN
            actions[m] := 'REINIT';
            pending[m] := 0;
        ELSE
            EXECUTE format('SELECT * FROM pgtrickle_state.refresh_%s($1)', members[m]) INTO done USING 'look';
            actions[m] := done.action;
            pending[m] := done.delta_rows;
        END IF;
    END LOOP;
    IF actions && ARRAY['HELD', 'BLOWN', 'REINIT'] THEN
        RETURN QUERY SELECT u.id, CASE WHEN u.action IN ('BLOWN', 'REINIT') THEN u.action ELSE 'HELD' END, u.pending,
            0::bigint, 0::bigint, 0::bigint, 0
                     FROM unnest(members, actions, pending) AS u(id, action, pending);
        RETURN;
    END IF;
    from_empty := reset OR NOT pgtrickle._scc_is_known(members);
    IF NOT from_empty AND actions <@ ARRAY['NO_DATA'] THEN
        PERFORM pgtrickle._scc_done(members, NULL);
        RETURN QUERY SELECT u.id, 'NO_DATA', 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0
            FROM unnest(members) AS u(id);
        RETURN;
    END IF;

    started := clock_timestamp();
    FOR m IN 1..n LOOP
        IF actions[m] = 'SKIPPED' THEN
            EXECUTE format('SELECT FROM pgtrickle_state.refresh_%s($1)', members[m]) USING 'auto';
        END IF;
    END LOOP;
    FOR m IN 1..n LOOP
        from_empty := from_empty OR pgtrickle._removals_pending(members[m]);
    END LOOP;
    IF from_empty THEN
        FOR m IN 1..n LOOP
            EXECUTE format('SELECT * FROM pgtrickle_state.refresh_%s($1)', members[m]) INTO done USING 'empty';
            deleted[m] := done.rows_deleted;
        END LOOP;
        FOR m IN 1..n LOOP
            EXECUTE format('SELECT * FROM pgtrickle_state.refresh_%s($1)', members[m]) INTO done USING 'full';
            inserted[m] := done.rows_inserted;
            applied[m] := true;
        END LOOP;
        rounds := 1;
    END IF;
    LOOP
        quiet := true;
        FOR m IN 1..n LOOP
            EXECUTE format('SELECT * FROM pgtrickle_state.refresh_%s($1)', members[m]) INTO done USING 'go';
            IF pgtrickle._together(done.action, members[m], done.delta_rows) <> 'NO_DATA' THEN
                quiet := false;
                applied[m] := true;
                inserted[m] := inserted[m] + done.rows_inserted;
                updated[m] := updated[m] + done.rows_updated;
                deleted[m] := deleted[m] + done.rows_deleted;
            END IF;
        END LOOP;
        EXIT WHEN quiet;
        rounds := rounds + 1;
        IF rounds > max_iterations THEN
            RAISE EXCEPTION 'the cycle of stream tables % has no fixed point within % rounds',
                (SELECT string_agg(pgtrickle._qualified(s.pgt_relid), ', ' ORDER BY s.pgt_id)
                 FROM pgtrickle._stream_tables s WHERE s.pgt_id = ANY (members)), max_iterations
                USING ERRCODE = 'statement_too_complex',
                    DETAIL = 'Rows were still added in the last round. Nothing was applied.',
                      HINT = 'If a query makes values that are new in each round (depth + 1), bound them with a '
                             'condition (depth < 20); use UNION in place of UNION ALL, which '
                             'counts ways without end where the data has a cycle. If a chain of the data really is '
                             'that long, allow more iterations.';
        END IF;
    END LOOP;

    IF from_empty THEN
        pairs := pgtrickle._net_members(members);
    END IF;
    FOR m IN 1..n LOOP
        IF from_empty THEN
            inserted[m] := greatest(inserted[m] - pairs[m], 0);
            deleted[m] := greatest(deleted[m] - pairs[m], 0);
        END IF;
        actions[m] := CASE WHEN actions[m] = 'SKIPPED' AND NOT from_empty THEN 'SKIPPED' WHEN from_empty THEN 'FULL'
                           WHEN applied[m] THEN 'DIFFERENTIAL' ELSE 'NO_DATA' END;
    END LOOP;
    PERFORM pgtrickle._scc_done(members, rounds);
    IF $4 IS NULL THEN
        RETURN QUERY SELECT u.*, rounds FROM unnest(members, actions, pending, inserted, updated, deleted) AS u;
        RETURN;
    END IF;
    IF $4 = 'MANUAL' THEN       -- by an owner, who does not write to the history himself
        PERFORM pgtrickle._request('refreshed', jsonb_build_object('pgt_id', u.id, 'start_time', started, 'action',
                                                                   u.action, 'delta_rows', u.pending,
                                                                   'rows_inserted', u.inserted, 'rows_updated',
                                                                       u.updated, 'rows_deleted', u.deleted))
        FROM unnest(members, actions, pending, inserted, updated, deleted) AS u(id, action, pending, inserted, updated,
                deleted) WHERE u.action <> 'NO_DATA';
    ELSE
        INSERT INTO pgtrickle.pgt_refresh_history (pgt_id, data_timestamp, start_time, end_time, action, status,
                                                   delta_rows, rows_inserted, rows_updated, rows_deleted,
                                                   duration_ms, initiated_by, counted)
        SELECT u.id, now(), started, clock_timestamp(), u.action, 'COMPLETED', u.pending, u.inserted,
               u.updated, u.deleted,
               extract(epoch FROM clock_timestamp() - started) * 1000, $4, false
        FROM unnest(members, actions, pending, inserted, updated, deleted) AS u(id, action, pending, inserted, updated,
                deleted) WHERE u.action <> 'NO_DATA';
    END IF;
    RETURN QUERY SELECT u.*, rounds FROM unnest(members, actions, pending, inserted, updated, deleted) AS u;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._refresh_scc TO PUBLIC;
