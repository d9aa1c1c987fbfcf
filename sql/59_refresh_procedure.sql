-- The refresh of one stream table. refresh_<id>(mode) is this procedure, with the usual case written out in front of
-- it. What differs from one stream table to the next is two generated functions of its owner:
--   look_<id>    what is pending and whether the world is still that of the program
--   apply_<id>   changes the table
-- All of it runs with the rights of the stream table's owner: refresh_<id> is a SECURITY DEFINER function that belongs
-- to that role. Modes, actions and errors: docs/ARCHITECTURE.md, section 3.

-- The name of a source that the current user may not read any more, as far as the stream table reads it; NULL: there is
-- none. closed: the schema that keeps it from that, if it is the schema. gone: a source does not exist.
CREATE FUNCTION pgtrickle._source_out_of_reach(stream_table bigint, OUT name text, OUT closed text, OUT gone boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT min(pgtrickle._qualified(r.oid)), min(r.closed), coalesce(bool_or(r.oid IS NULL), false)
    FROM (SELECT c.oid, CASE WHEN NOT has_schema_privilege(c.relnamespace, 'USAGE') THEN quote_ident(n.nspname) END AS
          closed, d.source_relid, d.columns
          FROM pgtrickle.pgt_dependencies d LEFT JOIN pg_class c ON c.oid = d.source_relid
          LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE d.pgt_id = stream_table AND d.source_id IS NOT NULL) AS r
    WHERE r.closed IS NOT NULL
       OR (has_table_privilege(r.source_relid, 'SELECT')
           OR r.columns <> '{}' AND (SELECT bool_and(has_column_privilege(r.source_relid, u.num, 'SELECT'))
                                     FROM unnest(r.columns) AS u(num))) IS NOT TRUE
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._source_out_of_reach TO PUBLIC;

-- READ COMMITTED has no single snapshot: writers are kept out of the sources instead, until the end of the transaction.
-- In the order of OIDs, which is the order of everybody. Error 42501 if the owner may not lock a source.
CREATE FUNCTION pgtrickle._keep_writers_out(stream_table bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source text;
BEGIN
    FOR source IN SELECT pgtrickle._qualified(c.oid)
        FROM pgtrickle.pgt_dependencies d JOIN pg_class c ON c.oid = d.source_relid
                  WHERE d.pgt_id = stream_table AND d.source_id IS NOT NULL ORDER BY c.oid LOOP
        BEGIN
            EXECUTE format('LOCK TABLE %s IN SHARE MODE', source);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE EXCEPTION 'role "%" may not lock %', current_user, source
                USING ERRCODE = 'insufficient_privilege',
                      DETAIL = 'A refresh in READ COMMITTED keeps writers off what it reads. That needs more than '
                               'SELECT: UPDATE, DELETE or TRUNCATE.',
                      HINT = 'Use CALL pgtrickle.refresh(), or REPEATABLE READ: there nothing needs to be locked.';
        END;
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._keep_writers_out TO PUBLIC;

-- Facts are settled once all transactions have ended that were there before these could be looked up: what one of them
-- changes no event trigger tells. The new facts_from, after a refresh at snapshot taken.
CREATE FUNCTION pgtrickle._facts_from(facts_from xid8, taken pg_snapshot) RETURNS xid8
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN pg_snapshot_xmin(taken) = pg_snapshot_xmax(taken) OR facts_from > '0'
                AND pg_snapshot_xmin(taken) >= facts_from THEN NULL
                WHEN facts_from = '0' THEN pg_snapshot_xmax(taken)
                ELSE facts_from END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._facts_from TO PUBLIC;

-- Has this very transaction moved the frontier of a stream table? Only its owner can, so this is how what runs with the
-- rights of the admin knows that it was called by a refresh.
CREATE FUNCTION pgtrickle._is_refreshed_here(stream_table bigint) RETURNS boolean
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pgtrickle.pgt_frontiers f
                   WHERE f.pgt_id = stream_table AND f.xid = pg_current_xact_id_if_assigned())
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._is_refreshed_here FROM PUBLIC;

-- What a refresh leaves in the catalog besides its frontier. The answer to a blown fuse holds once; what was skipped is
-- there again once all is recomputed. recomputed: the files of the sources are the ones that were read. outgrown: the
-- program does not know a unique index: where somebody can, it is made again. For refreshes only.
CREATE FUNCTION pgtrickle._settle_refresh(stream_table bigint, settles_fuse boolean, recomputed boolean,
                                          skipped_now boolean,
                                         notes_files boolean, outgrown boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT pgtrickle._is_refreshed_here(stream_table) THEN
        RAISE EXCEPTION 'stream table % is not being refreshed', stream_table USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF settles_fuse THEN
        UPDATE pgtrickle.pgt_stream_tables s
        SET fuse_reset = NULL, fuse_blown_at = NULL, fuse_blow_reason = NULL,
            skipped_at = CASE WHEN skipped_now THEN now() WHEN NOT recomputed THEN s.skipped_at END
        WHERE s.pgt_id = stream_table;
    END IF;
    IF notes_files THEN
        PERFORM pgtrickle._note_storage(stream_table);
    END IF;
    IF outgrown AND pgtrickle._daemon_alive() THEN
        PERFORM pgtrickle._mark_reinit(ARRAY[stream_table], 'its program is older than a unique index on it');
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._settle_refresh TO PUBLIC;

-- How a program is planned for what is pending in each of its sources: the sizes of the deltas (an array, as text), and
-- the type that stands for the plans. PL/pgSQL keeps a function with plans of its own for each type of a polymorphic
-- argument (compiler/sql/function_text.h).
--   boolean   few rows: one plan for all
--   text      anything else: one plan; or, where the planner is told sizes and no plan is kept for these, a plan per
--             call
--   others    a class of sizes each: powers of four, per source. Coarser classes are a trap: a plan that takes two
--             suppliers for two hundred hashes whole tables
-- A session keeps plans for up to eight classes of a program, some megabytes each; pgtrickle.plans_<id> is its note of
-- them. Sizes that are not among them are planned for as the smallest that covers them and is at most 16 times as
-- large. A plan is made for the sizes of the refresh that needs it first. They are not rounded: twice as many
-- suppliers can be the difference between looking up and hashing. With other sizes a plan is slower, never wrong.
-- PostgreSQL plans the first five refreshes of a class each for its own, and keeps one plan if that costs as little: a
-- term of a source that did not change is not there in a plan for one refresh, and counts in the estimates for all.
-- pending is NULL if all is recomputed. Leaves settings that the SET clauses of the caller restore.
CREATE FUNCTION pgtrickle._planning(stream_table bigint, pending bigint[], small bigint, sized boolean,
                                    nested_loops boolean,
                                    OUT sizes text, OUT plans text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    types   CONSTANT text[] := '{int2,int4,int8,float4,float8,numeric,date,time}';
    setting CONSTANT text := format('pgtrickle.plans_%s', stream_table);
    wanted  bigint[];
    known   text[];
    class   int;
BEGIN
    plans := 'text';
    IF pending IS NULL THEN
        -- Few rows may have been tried before, with nested loops only: for all of the query that would take for ever.
        PERFORM set_config('enable_hashjoin', 'on', true), set_config('enable_mergejoin', 'on', true);
        RETURN;
    ELSIF (SELECT sum(u.n) FROM unnest(pending) AS u(n)) <= small THEN
        plans := 'boolean';
        sizes := array_fill(small, ARRAY[cardinality(pending)])::text;
        IF nested_loops THEN
            PERFORM set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true);
        END IF;
        RETURN;
    ELSIF NOT sized THEN
        RETURN;
    END IF;
    sizes := (SELECT array_agg(greatest(u.n, 1) ORDER BY u.i) FROM unnest(pending) WITH ORDINALITY AS u(n, i))::text;
    wanted := (SELECT array_agg((4 ^ ceil(log(4, greatest(u.n, 1))))::bigint ORDER BY u.i)
               FROM unnest(pending) WITH ORDINALITY AS u(n, i));
    known := coalesce(string_to_array(nullif(current_setting(setting, true), ''), ' '), '{}');
    class := array_position(known, wanted::text);
    IF class IS NULL AND cardinality(known) < cardinality(types) THEN
        known := known || wanted::text;
        class := cardinality(known);
        PERFORM set_config(setting, array_to_string(known, ' '), false);
    ELSIF class IS NULL THEN
        SELECT k.i INTO class
        FROM (SELECT * FROM unnest(known) WITH ORDINALITY AS u(sizes, i)    -- anybody can write to a setting
              WHERE u.sizes ~ '^{[1-9][0-9]{0,17}(,[1-9][0-9]{0,17})*}$' OFFSET 0) AS k
        CROSS JOIN LATERAL (SELECT bool_and(coalesce(u.have BETWEEN u.want AND u.want * 16, false)) AS near,
                                   sum(ln(u.have)) AS size
                            FROM unnest(k.sizes::bigint[], wanted) AS u(have, want)) AS m
        WHERE m.near ORDER BY m.size LIMIT 1;
    END IF;
    IF class IS NULL THEN
        PERFORM set_config('plan_cache_mode', 'force_custom_plan', true);
    ELSE
        plans := types[class];
        PERFORM set_config('plan_cache_mode', 'auto', true);
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._planning TO PUBLIC;

-- To change between applying changes and recomputing takes a little more than to stay with it: costs are measured, and
-- noisy. Parts of full_threshold, the number of changed rows at which both cost the same. What was recomputed applies
-- again up to the first one; what applied recomputes above the second one. (Constants to the planner.)
CREATE FUNCTION pgtrickle._differential_again() RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT 0.8 $$;
GRANT EXECUTE ON FUNCTION pgtrickle._differential_again TO PUBLIC;
CREATE FUNCTION pgtrickle._full_instead() RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT 1.25 $$;
GRANT EXECUTE ON FUNCTION pgtrickle._full_instead TO PUBLIC;

-- For the owner of the stream table. NULL: it does not follow the time.
CREATE FUNCTION pgtrickle._time_of_next_crossing(stream_table bigint) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    at timestamptz;
BEGIN
    IF to_regprocedure(format('pgtrickle_state.next_crossing_%s()', stream_table)) IS NOT NULL THEN
        EXECUTE format('SELECT pgtrickle_state.next_crossing_%s()', stream_table) INTO at;
    END IF;
    RETURN at;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._time_of_next_crossing TO PUBLIC;

-- For the daemon, after a refresh and in its transaction: for how many microseconds the stream table may sleep, if
-- nobody writes. A minute at most: the server's clock can be set. NULL: nobody knows. (Volatile, to see what the
-- refresh has just written.)
CREATE FUNCTION pgtrickle._next_crossing_in(stream_table bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT CASE WHEN f.next_crossing IS NOT NULL AND f.clock <= n.now
                        THEN extract(epoch FROM greatest(least(f.next_crossing, n.now + interval '1 minute'), n.now)
                                                - n.now) * 1000000 END
            FROM pgtrickle.pgt_frontiers f CROSS JOIN (SELECT pgtrickle._now()) AS n(now)
            WHERE f.pgt_id = stream_table);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._next_crossing_in TO PUBLIC;

CREATE FUNCTION pgtrickle._refresh_program(stream_table bigint, mode text, OUT action text, OUT delta_rows bigint,
                                           OUT rows_inserted bigint, OUT rows_updated bigint, OUT rows_deleted bigint)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET max_parallel_workers_per_gather = 0
SET jit = off SET enable_hashjoin = on SET enable_mergejoin = on AS $$
<<v>>
DECLARE
    -- looks at gates, the fuse, and how much is pending
    asks       CONSTANT boolean := mode IN ('auto', 'look');
    chooses    CONSTANT boolean := mode IN ('auto', 'look', 'go');         -- does nothing if nothing is pending
    one_by_one CONSTANT boolean := current_setting('transaction_isolation') IN ('read committed', 'read uncommitted');
    captured   boolean;                -- it has change logs; otherwise its query is recomputed each time
    f          pgtrickle.pgt_frontiers;
    s          record;
    reach      record;
    look       record;
    done       record;
    user_keys  text[];                 -- columns of unique indexes that users made; NULL: there are none
    run        bigint;
    taken      pg_snapshot;            -- not newer than what is read
    changed    bigint := 0;            -- bit per source with pending rows
    answer     text;
    recompute  boolean := mode = 'full';
    skip       boolean;
    settles_fuse boolean; notes_files boolean;
    planning   record;
    statement  text;
    way        text;
    expected   bigint;
    outgrown   boolean := false;       -- a user made a unique index that the program does not know
    message text; detail text; relation text; violated text;
BEGIN
    IF (mode IN ('auto', 'full', 'differential', 'lock', 'look', 'go', 'empty')) IS NOT TRUE THEN
        RAISE EXCEPTION 'unknown refresh mode "%"', mode
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use auto, full, differential or lock.';
    END IF;
    delta_rows := 0; rows_inserted := 0; rows_updated := 0; rows_deleted := 0;
    v.captured := EXISTS (SELECT FROM pgtrickle.pgt_dependencies d
                          WHERE d.pgt_id = stream_table AND d.source_id IS NOT NULL);

    -- Lock. The sources come before the frontier: the daemon, which refreshes in one transaction what this one reads
    -- and then this one, has written there by the time it waits for the frontier.
    IF mode = 'lock' THEN
        PERFORM pgtrickle._lock_sources(stream_table);
        action := 'NO_DATA';
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM pgtrickle.pgt_stream_tables t WHERE t.pgt_id = stream_table
               AND t.effective_refresh_mode = 'IMMEDIATE' AND NOT t.needs_reinit) THEN
        action := 'NO_DATA';            -- its writers keep it equal to its query
        RETURN;
    END IF;
    IF v.one_by_one AND v.captured THEN
        IF (v.chooses OR mode = 'differential') AND EXISTS (SELECT FROM pgtrickle.pgt_stream_tables t
                                                            WHERE t.pgt_id = stream_table AND t.needs_reinit) THEN
            action := 'REINIT';
            RETURN;
        END IF;
        PERFORM pgtrickle._keep_writers_out(stream_table);
    END IF;
    -- who has it refreshes
    SELECT * INTO v.f FROM pgtrickle.pgt_frontiers p WHERE p.pgt_id = stream_table FOR UPDATE;
    IF NOT FOUND THEN
        IF v.chooses AND NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables t WHERE t.pgt_id = stream_table) THEN
            action := 'NO_DATA';        -- it was dropped, and the daemon will soon know
            RETURN;
        END IF;
        RAISE EXCEPTION 'the stream table has no row in pgtrickle.pgt_frontiers, or role "%" is not its owner any more',
            current_user
            USING ERRCODE = 'no_data_found', HINT = 'pgtrickle.repair_stream_table() makes it again.';
    END IF;

    -- Can this program still do it?
    SELECT t.pgt_relid, t.needs_reinit, t.follows_time, t.fuse_limit, t.fuse_blown_at IS NOT NULL AS blown,
           t.fuse_reset, t.skipped_at IS NOT NULL AS skipped,
           t.max_delta_fraction AS fraction,
               to_regclass(format('%I.%I', n.nspname, format('pgtrickle_%s_key', stream_table))) AS own_key
      INTO v.s
    FROM pgtrickle.pgt_stream_tables t LEFT JOIN pg_class c ON c.oid = t.pgt_relid
    LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE t.pgt_id = stream_table;
    -- it is not to be seen: it belongs to somebody else now, whose program this is not
    IF NOT FOUND THEN
        IF v.chooses THEN
            action := 'REINIT';
            RETURN;
        END IF;
        RAISE EXCEPTION 'role "%" is not the owner of this stream table any more', current_user
            USING ERRCODE = 'insufficient_privilege',
                HINT = 'Its program is made again for the new owner: try again then.';
    END IF;
    v.skip := v.asks AND v.s.fuse_reset IS NOT DISTINCT FROM 'skip_changes';
    IF (v.chooses OR mode = 'differential')
        -- What a subscription writes fires no trigger of ours; this snapshot has its rows only if it has it too.
        AND (v.s.needs_reinit OR v.f.snapshot IS NULL OR EXISTS (SELECT FROM pg_subscription_rel)
             AND pgtrickle._is_subscribed(stream_table)) THEN
        action := 'REINIT';
        RETURN;
    END IF;
    IF mode = 'empty' THEN              -- for _refresh_scc(): the next call must be 'full'
        PERFORM pg_catalog.set_config('pgtrickle.apply', stream_table::text, true);     -- for the guard trigger
        EXECUTE format('DELETE FROM %s', pgtrickle._qualified(v.s.pgt_relid));
        GET DIAGNOSTICS rows_deleted = ROW_COUNT;
        PERFORM pg_catalog.set_config('pgtrickle.apply', '', true);
        UPDATE pgtrickle.pgt_frontiers p SET snapshot = NULL, xid = NULL, seq = NULL
        WHERE p.pgt_id = stream_table;
        action := 'EMPTY';
        RETURN;
    END IF;

    -- May it?
    IF v.asks AND pgtrickle._hold_reason(stream_table) IS NOT NULL THEN
        action := 'HELD';
        RETURN;
    END IF;
    IF v.asks AND v.s.blown AND v.s.fuse_reset IS NULL THEN
        action := 'BLOWN';
        RETURN;
    END IF;
    IF v.captured THEN
        v.reach := pgtrickle._source_out_of_reach(stream_table);
        IF v.reach.gone AND v.chooses THEN
            action := 'REINIT';
            RETURN;
        ELSIF v.reach.name IS NOT NULL OR v.reach.gone THEN
            RAISE EXCEPTION 'owner % of stream table % may no longer SELECT from %', quote_ident(current_user),
                pgtrickle._qualified(v.s.pgt_relid),
                            coalesce(v.reach.name, 'a table that was dropped')
                                || coalesce(': permission denied for schema ' || v.reach.closed, '')
                USING ERRCODE = 'insufficient_privilege',
                    HINT = 'Grant SELECT to the owner and resume the stream table.';
        END IF;
    END IF;

    -- Pending. run is taken before anything is read: rows that this transaction writes from here on come later.
    v.run := nextval('pgtrickle_changes.log_seq');
    v.taken := pg_current_snapshot();
    EXECUTE format('SELECT l.* FROM pgtrickle_state.look_%s($1, $2, $3) AS l', stream_table) INTO v.look
        USING v.f.snapshot, v.f.xid, v.f.seq;
    IF NOT v.look.not_null THEN
        IF v.recompute THEN
            RAISE EXCEPTION 'a column of a source may be NULL now'
                USING ERRCODE = 'serialization_failure', HINT = 'Try again: the program is made again.';
        END IF;
        action := 'REINIT';
        RETURN;
    END IF;
    IF v.captured AND NOT v.recompute AND EXISTS (
        SELECT FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_sources x
        USING (source_id) JOIN pg_class c ON c.oid = x.relid
        WHERE d.pgt_id = stream_table AND (c.relkind = 'p' OR c.relhassubclass OR cardinality(x.partitions) > 1)
          AND x.partitions IS DISTINCT FROM pgtrickle._source_relations(x.relid)) THEN
        action := 'REINIT';
        RETURN;
    END IF;
    IF v.captured AND v.f.snapshot IS NOT NULL THEN
        SELECT coalesce(sum(u.n), 0),
               coalesce(bit_or(1::bigint << ((u.i - 1) % pgtrickle._changed_bits())::int) FILTER (WHERE u.n > 0), 0)
          INTO delta_rows, v.changed FROM unnest(v.look.pending) WITH ORDINALITY AS u(n, i);
        IF v.look.marked <> '{}' THEN           -- TRUNCATE, or a source is not what it was
            IF NOT v.recompute AND EXISTS (SELECT FROM unnest(v.look.marked) AS u(source)
                                           WHERE pgtrickle._source_problem(u.source) IS NOT NULL) THEN
                action := 'REINIT';
                RETURN;
            END IF;
            v.recompute := true;
        END IF;
    END IF;

    -- Facts that nobody watches are compared before a delta is trusted. A marker may stand for a change that could not
    -- be noted in the catalog. A query that is recomputed is text: its names must still mean what they meant.
    IF v.chooses AND (v.changed <> 0 OR NOT v.captured)
        AND (NOT v.look.watched OR v.f.facts_from IS NOT NULL OR v.captured AND v.recompute) THEN
        v.answer := pgtrickle._facts_answer(stream_table, true);
    ELSIF v.chooses AND v.look.row_security THEN
        v.answer := pgtrickle._facts_answer(stream_table, false);
    END IF;
    IF v.answer = 'rebuild' THEN
        action := 'REINIT';
        RETURN;
    ELSIF v.answer = 'recompute' THEN
        v.recompute := true;
    END IF;

    -- Choose
    IF v.captured THEN
        IF v.asks AND v.s.fuse_reset IS NULL AND delta_rows > v.s.fuse_limit THEN
            action := 'BLOWN';
            RETURN;
        END IF;
        IF v.chooses AND v.changed = 0 AND NOT v.skip THEN
            action := 'NO_DATA';
            RETURN;
        END IF;
        IF v.asks AND delta_rows > (
            CASE WHEN v.s.fraction IS NOT NULL THEN v.s.fraction * pgtrickle._source_rows(stream_table)
                 ELSE v.f.full_threshold * CASE v.f.last_action WHEN 'FULL' THEN pgtrickle._differential_again()
                                                                ELSE pgtrickle._full_instead() END END) THEN
            v.recompute := true;
        END IF;
    ELSE
        v.recompute := true;
    END IF;
    action := CASE WHEN v.skip THEN 'SKIPPED' WHEN v.recompute THEN 'FULL' ELSE 'DIFFERENTIAL' END;
    IF mode = 'look' THEN
        RETURN;
    END IF;

    -- Apply. Where users made unique indexes, rows that violate one are explained, which needs a subtransaction.
    IF NOT v.skip THEN
        IF EXISTS (SELECT FROM pg_index i WHERE i.indrelid = v.s.pgt_relid AND (i.indisunique OR i.indisexclusion)
                   AND i.indexrelid IS DISTINCT FROM v.s.own_key) THEN
            v.user_keys := pgtrickle._unique_columns(stream_table, v.s.own_key);
        END IF;
        IF mode = 'differential' THEN
            -- All of the program, for its plans. The daemon sets pgtrickle.expected_rows to have them made for more
            -- than there is; anybody can, and nobody is told that there is less.
            v.changed := -1;
            v.expected := substring(current_setting('pgtrickle.expected_rows', true) FROM '^[0-9]{1,15}$')::bigint;
            v.look.pending := (SELECT array_agg(greatest(u.n, v.expected) ORDER BY u.i)
                               FROM unnest(v.look.pending) WITH ORDINALITY AS u(n, i));
        END IF;
        LOOP
            v.planning := pgtrickle._planning(stream_table, CASE WHEN NOT v.recompute THEN v.look.pending END,
                                              v.look.small, v.look.sized, v.look.nested_loops);
            v.statement :=
                format('SELECT a.* FROM pgtrickle_state.apply_%s($1, $2, $3, $4, $5, $6, $7, $8, NULL::%s) AS a',
                                  stream_table, v.planning.plans);
            v.way := CASE WHEN v.recompute THEN 'full' ELSE 'differential' END;
            IF v.user_keys IS NULL THEN
                EXECUTE v.statement INTO v.done
                    USING v.way, v.f.snapshot, v.f.xid, v.f.seq, v.changed, v.run, v.planning.sizes, v.user_keys;
                EXIT;
            END IF;
            BEGIN
                EXECUTE v.statement INTO v.done
                    USING v.way, v.f.snapshot, v.f.xid, v.f.seq, v.changed, v.run, v.planning.sizes, v.user_keys;
                -- Constraints that wait for COMMIT would fail there, with the rights of the session, and all that is
                -- committed with it.
                PERFORM pgtrickle._check_deferred(v.s.pgt_relid);
                EXIT;
            EXCEPTION WHEN unique_violation OR exclusion_violation THEN
                GET STACKED DIAGNOSTICS v.message = MESSAGE_TEXT, v.detail = PG_EXCEPTION_DETAIL,
                                        v.relation = TABLE_NAME, v.violated = CONSTRAINT_NAME;
                PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
                IF v.recompute OR v.look.moves THEN
                    PERFORM pgtrickle._raise_violation(stream_table, SQLSTATE, v.message, v.detail,
                                                       v.relation, v.violated);
                END IF;
            END;
            -- The index is newer than the program, which updates rows in place that trade values of it.
            IF mode = 'go' THEN
                action := 'REINIT';
                RETURN;
            END IF;
            v.recompute := true;
            v.outgrown := true;
            action := 'FULL';
        END LOOP;
        -- A function of the query may have changed the path, for good.
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        rows_inserted := v.done.rows_inserted; rows_updated := v.done.rows_updated; rows_deleted := v.done.rows_deleted;
    END IF;

    -- Record
    UPDATE pgtrickle.pgt_frontiers p
    SET snapshot = v.taken, xid = pg_current_xact_id(), seq = v.run, data_timestamp = now(),
        clock = CASE WHEN v.skip THEN p.clock ELSE pgtrickle._now() END,   -- rows that cross are not skipped
        next_crossing = CASE WHEN v.s.follows_time AND NOT v.skip
                             THEN pgtrickle._time_of_next_crossing(stream_table) END,
        facts_from = CASE WHEN v.chooses AND (v.changed <> 0 OR NOT v.captured)
                          THEN pgtrickle._facts_from(v.f.facts_from, v.taken) ELSE v.f.facts_from END,
        last_action = $3, last_delta_rows = $4
    WHERE p.pgt_id = stream_table;
    v.settles_fuse := v.s.fuse_reset IS NOT NULL OR v.s.skipped AND v.recompute AND NOT v.skip;
    v.notes_files := v.captured AND (v.answer = 'recompute' OR mode = 'full' AND NOT v.look.watched) AND NOT v.skip;
    IF v.settles_fuse OR v.notes_files OR v.outgrown THEN
        PERFORM pgtrickle._settle_refresh(stream_table, v.settles_fuse, v.recompute AND NOT v.skip,
                                          v.skip AND (v.changed <> 0 OR NOT v.captured), v.notes_files, v.outgrown);
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._refresh_program TO PUBLIC;
