/*
SELECT id, amount * 2 AS twice FROM orders WHERE amount > 10



DIFFERENTIAL

Stream table, rows identified by key:
  Project i.id, i.amount * 2::numeric AS twice  [O(delta)]
    Scan public.orders where t.amount > 10::numeric  [O(delta)]
*/

CREATE OR REPLACE FUNCTION pgtrickle_state.apply_0(mode text, f_snapshot pg_snapshot, f_xid xid8, f_seq bigint, changed bigint, run bigint, pending bigint[], user_keys text[],
    OUT rows_inserted bigint, OUT rows_updated bigint, OUT rows_deleted bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
SET max_parallel_workers_per_gather = 0
SET plan_cache_mode = force_generic_plan
AS $pgt$
#variable_conflict use_column
<<v>>
DECLARE
    f_snapshot CONSTANT pg_snapshot := $2;
    f_xmin CONSTANT xid8 := pg_snapshot_xmin($2);
    f_xmax CONSTANT xid8 := pg_snapshot_xmax($2);
    f_xid CONSTANT xid8 := $3;
    f_seq CONSTANT bigint := $4;
    changed CONSTANT bigint := $5;  -- bit per source with pending rows
    run CONSTANT bigint := $6;
    user_keys CONSTANT text[] := $8;  -- columns of unique indexes that users made; NULL: there are none
    violations bigint;
BEGIN
    PERFORM set_config('pgtrickle.apply', '0', true);
    IF $1 = 'full' THEN
        WITH content AS MATERIALIZED (
            SELECT x.id::integer AS id, x.twice::numeric AS twice FROM (SELECT i.id, i.amount * 2::numeric AS twice
            FROM (SELECT t.id, t.amount FROM public.orders t
              WHERE t.amount > 10::numeric) i) x),
        hidden AS (
            DELETE FROM public.stream_table t
            WHERE NOT EXISTS (SELECT FROM content n WHERE t.id = n.id)
            RETURNING 1),
        moved AS (
            DELETE FROM public.stream_table t USING content n
            WHERE v.user_keys IS NOT NULL AND t.id = n.id
              AND ('id' = ANY (v.user_keys) AND ROW(t.id)::record *<> ROW(n.id::integer)::record
                OR 'twice' = ANY (v.user_keys) AND ROW(t.twice)::record *<> ROW(n.twice::numeric)::record)
            RETURNING 1),
        shown AS (
            INSERT INTO public.stream_table AS t (id, twice)
            SELECT n.id::integer AS id, n.twice::numeric AS twice
            FROM content n
            WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0 AND NOT EXISTS (SELECT FROM public.stream_table o WHERE hash_record_extended(ROW(o.id, o.twice), 0) = hash_record_extended(ROW(n.id, n.twice), 0)
              AND ROW(o.id, o.twice)::record = ROW(n.id, n.twice)::record AND ROW(o.id, o.twice)::record *= ROW(n.id, n.twice)::record)
            ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET twice = excluded.twice
            WHERE ROW(t.twice)::record *<> ROW(excluded.twice)::record
            RETURNING t.xmax = 0 AS inserted)
        SELECT (SELECT count(*) FROM shown WHERE shown.inserted) - (SELECT count(*) FROM moved) AS rows_inserted,
               (SELECT count(*) FROM shown WHERE NOT shown.inserted) + (SELECT count(*) FROM moved) AS rows_updated,
               (SELECT count(*) FROM hidden) AS rows_deleted,
               (SELECT count(*) FROM content) - (SELECT count(*) FROM (SELECT FROM content n GROUP BY n.id) k) AS violations
        INTO rows_inserted, rows_updated, rows_deleted, v.violations;
        IF v.violations <> 0 THEN
            RAISE EXCEPTION USING ERRCODE = 'data_corrupted',
                MESSAGE = 'stream table public.stream_table does not agree with its key',
                DETAIL = format('%s rows are missing or superfluous.', v.violations),
                HINT = 'It is re-initialised by the daemon. Was it changed while its guard trigger was disabled?';
        END IF;
        
        IF v.user_keys IS NOT NULL THEN
            PERFORM pgtrickle._check_deferred('public.stream_table'::regclass);
        END IF;
        PERFORM set_config('pgtrickle.apply', '', true);
        RETURN;
    END IF;
    IF $1 = 'empty' THEN
        DELETE FROM public.stream_table;
        GET DIAGNOSTICS rows_deleted = ROW_COUNT;
        rows_inserted := 0;
        rows_updated := 0;
        PERFORM set_config('pgtrickle.apply', '', true);
        RETURN;
    END IF;
    -- the stream table
    WITH d_orders AS MATERIALIZED (
        SELECT l.c1 AS id, l.c3 AS amount, sum(l.w)::int AS w
        FROM pgtrickle_changes.log_0 l
        WHERE l.xid >= v.f_xmin AND (l.xid <> v.f_xid AND (l.xid >= v.f_xmax OR NOT pg_visible_in_snapshot(l.xid, v.f_snapshot))
            OR l.xid = v.f_xid AND l.seq > v.f_seq)
          AND l.c3 > 10::numeric
        GROUP BY l.c1, l.c3, pg_catalog.numeric_send(l.c3)
        HAVING sum(l.w) <> 0),
    net AS MATERIALIZED (
        SELECT x.id AS id, x.twice AS twice, sum(x.w)::int AS w
        FROM (SELECT i.id, i.amount * 2::numeric AS twice, i.w
          FROM d_orders i) x
        GROUP BY x.id, x.twice, pg_catalog.numeric_send(x.twice)
        HAVING sum(x.w) <> 0),
    lost AS MATERIALIZED (
        SELECT n.id FROM net n
        GROUP BY n.id
        HAVING max(n.w) < 0),
    added AS MATERIALIZED (
        SELECT count(*) AS n FROM (SELECT FROM net n
        GROUP BY n.id
        HAVING min(n.w) > 0) x),
    hidden AS (
        DELETE FROM public.stream_table t USING lost n
        WHERE t.id = n.id
        RETURNING 1),
    moved AS (
        DELETE FROM public.stream_table t USING net n
        WHERE v.user_keys IS NOT NULL AND n.w > 0 AND t.id = n.id
          AND ('id' = ANY (v.user_keys) AND ROW(t.id)::record *<> ROW(n.id::integer)::record
            OR 'twice' = ANY (v.user_keys) AND ROW(t.twice)::record *<> ROW(n.twice::numeric)::record)
        RETURNING 1),
    shown AS (
        INSERT INTO public.stream_table AS t (id, twice)
        SELECT n.id::integer AS id, n.twice::numeric AS twice
        FROM net n
        WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0 AND n.w > 0
        ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET twice = excluded.twice
        WHERE ROW(t.twice)::record *<> ROW(excluded.twice)::record
        RETURNING t.xmax = 0 AS inserted)
    SELECT (SELECT count(*) FROM shown WHERE shown.inserted) - (SELECT count(*) FROM moved) AS rows_inserted,
           (SELECT count(*) FROM shown WHERE NOT shown.inserted) + (SELECT count(*) FROM moved) AS rows_updated,
           (SELECT count(*) FROM hidden) AS rows_deleted,
           (SELECT count(*) FROM net n WHERE n.w NOT IN (1, -1)) + abs((SELECT count(*) FROM lost) - (SELECT count(*) FROM hidden)) + abs((SELECT a.n FROM added a) - ((SELECT count(*) FROM shown WHERE shown.inserted) - (SELECT count(*) FROM moved))) AS violations
    INTO rows_inserted, rows_updated, rows_deleted, v.violations;
    IF v.violations <> 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'data_corrupted',
            MESSAGE = 'stream table public.stream_table does not agree with its state',
            DETAIL = format('%s rows are missing or superfluous.', v.violations),
            HINT = 'It is re-initialised by the daemon. Was it changed while its guard trigger was disabled?';
    END IF;
    
    IF v.user_keys IS NOT NULL THEN
        PERFORM pgtrickle._check_deferred('public.stream_table'::regclass);
    END IF;
    PERFORM set_config('pgtrickle.apply', '', true);
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.apply_0(text, pg_snapshot, xid8, bigint, bigint, bigint, bigint[], text[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION pgtrickle_state.apply_0(text, pg_snapshot, xid8, bigint, bigint, bigint, bigint[], text[]) TO postgres;

CREATE OR REPLACE FUNCTION pgtrickle_state.apply_0_small(mode text, f_snapshot pg_snapshot, f_xid xid8, f_seq bigint, changed bigint, run bigint, pending bigint[], user_keys text[],
    OUT rows_inserted bigint, OUT rows_updated bigint, OUT rows_deleted bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
SET max_parallel_workers_per_gather = 0
SET plan_cache_mode = force_generic_plan
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $pgt$
#variable_conflict use_column
<<v>>
DECLARE
    f_snapshot CONSTANT pg_snapshot := $2;
    f_xmin CONSTANT xid8 := pg_snapshot_xmin($2);
    f_xmax CONSTANT xid8 := pg_snapshot_xmax($2);
    f_xid CONSTANT xid8 := $3;
    f_seq CONSTANT bigint := $4;
    changed CONSTANT bigint := $5;  -- bit per source with pending rows
    run CONSTANT bigint := $6;
    user_keys CONSTANT text[] := $8;  -- columns of unique indexes that users made; NULL: there are none
    violations bigint;
BEGIN
    PERFORM set_config('pgtrickle.apply', '0', true);
    -- the stream table
    WITH d_orders AS MATERIALIZED (
        SELECT l.c1 AS id, l.c3 AS amount, sum(l.w)::int AS w
        FROM pgtrickle_changes.log_0 l
        WHERE l.xid >= v.f_xmin AND (l.xid <> v.f_xid AND (l.xid >= v.f_xmax OR NOT pg_visible_in_snapshot(l.xid, v.f_snapshot))
            OR l.xid = v.f_xid AND l.seq > v.f_seq)
          AND l.c3 > 10::numeric
        GROUP BY l.c1, l.c3, pg_catalog.numeric_send(l.c3)
        HAVING sum(l.w) <> 0),
    net AS MATERIALIZED (
        SELECT x.id AS id, x.twice AS twice, sum(x.w)::int AS w
        FROM (SELECT i.id, i.amount * 2::numeric AS twice, i.w
          FROM d_orders i) x
        GROUP BY x.id, x.twice, pg_catalog.numeric_send(x.twice)
        HAVING sum(x.w) <> 0),
    lost AS MATERIALIZED (
        SELECT n.id FROM net n
        GROUP BY n.id
        HAVING max(n.w) < 0),
    added AS MATERIALIZED (
        SELECT count(*) AS n FROM (SELECT FROM net n
        GROUP BY n.id
        HAVING min(n.w) > 0) x),
    hidden AS (
        DELETE FROM public.stream_table t USING lost n
        WHERE t.id = n.id
        RETURNING 1),
    moved AS (
        DELETE FROM public.stream_table t USING net n
        WHERE v.user_keys IS NOT NULL AND n.w > 0 AND t.id = n.id
          AND ('id' = ANY (v.user_keys) AND ROW(t.id)::record *<> ROW(n.id::integer)::record
            OR 'twice' = ANY (v.user_keys) AND ROW(t.twice)::record *<> ROW(n.twice::numeric)::record)
        RETURNING 1),
    shown AS (
        INSERT INTO public.stream_table AS t (id, twice)
        SELECT n.id::integer AS id, n.twice::numeric AS twice
        FROM net n
        WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0 AND n.w > 0
        ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET twice = excluded.twice
        WHERE ROW(t.twice)::record *<> ROW(excluded.twice)::record
        RETURNING t.xmax = 0 AS inserted)
    SELECT (SELECT count(*) FROM shown WHERE shown.inserted) - (SELECT count(*) FROM moved) AS rows_inserted,
           (SELECT count(*) FROM shown WHERE NOT shown.inserted) + (SELECT count(*) FROM moved) AS rows_updated,
           (SELECT count(*) FROM hidden) AS rows_deleted,
           (SELECT count(*) FROM net n WHERE n.w NOT IN (1, -1)) + abs((SELECT count(*) FROM lost) - (SELECT count(*) FROM hidden)) + abs((SELECT a.n FROM added a) - ((SELECT count(*) FROM shown WHERE shown.inserted) - (SELECT count(*) FROM moved))) AS violations
    INTO rows_inserted, rows_updated, rows_deleted, v.violations;
    IF v.violations <> 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'data_corrupted',
            MESSAGE = 'stream table public.stream_table does not agree with its state',
            DETAIL = format('%s rows are missing or superfluous.', v.violations),
            HINT = 'It is re-initialised by the daemon. Was it changed while its guard trigger was disabled?';
    END IF;
    
    IF v.user_keys IS NOT NULL THEN
        PERFORM pgtrickle._check_deferred('public.stream_table'::regclass);
    END IF;
    PERFORM set_config('pgtrickle.apply', '', true);
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.apply_0_small(text, pg_snapshot, xid8, bigint, bigint, bigint, bigint[], text[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION pgtrickle_state.apply_0_small(text, pg_snapshot, xid8, bigint, bigint, bigint, bigint[], text[]) TO postgres;

ALTER TABLE public.stream_table ADD CONSTRAINT pgtrickle_0_key PRIMARY KEY (id);

GRANT SELECT (xid, seq, w, c1, c3) ON pgtrickle_changes.log_0 TO postgres;

CREATE OR REPLACE FUNCTION pgtrickle_state.refresh_0(mode text DEFAULT 'auto', OUT action text, OUT delta_rows bigint,
    OUT rows_inserted bigint, OUT rows_updated bigint, OUT rows_deleted bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET max_parallel_workers_per_gather = 0
AS $pgt$
#variable_conflict use_column
<<v>>
DECLARE
    f pgtrickle.pgt_frontiers;
    f_snapshot pg_snapshot;
    f_xmin xid8;
    f_xmax xid8;
    f_xid xid8;
    f_seq bigint;
    started CONSTANT timestamptz := clock_timestamp();
    run bigint;
    taken pg_snapshot;  -- not newer than what is read
    changed bigint := 0;
    pending bigint;
    counts bigint[];  -- pending rows of each source
    marked boolean;
    recompute boolean := $1 = 'full';
    asks CONSTANT boolean := $1 IN ('auto', 'look');  -- looks at gates, the fuse, and how much is pending
    chooses CONSTANT boolean := $1 IN ('auto', 'look', 'go');  -- does nothing if nothing is pending
    reinit boolean;
    gates boolean;
    subscribed boolean;  -- this database has subscriptions
    fuse_limit bigint;
    blown boolean;
    fuse_reset text;
    skip boolean;
    skipped boolean;
    fraction double precision;
    not_null boolean;
    row_security boolean;
    watched boolean;  -- by the event triggers that were there when the program was made
    answer text;
    user_keys text[];  -- columns of unique indexes that users made; NULL: there are none
    message text;
    detail text;
    relation name;
    constraint_name name;
BEGIN
    IF ($1 IN ('auto', 'full', 'differential', 'lock', 'look', 'go', 'empty')) IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('unknown refresh mode "%s"', $1),
            HINT = 'Use auto, full, differential or lock.';
    END IF;
    delta_rows := 0; rows_inserted := 0; rows_updated := 0; rows_deleted := 0;
    IF $1 = 'lock' THEN
        PERFORM pgtrickle._lock_sources(0);
        action := 'NO_DATA';
        RETURN;
    END IF;
    IF current_setting('transaction_isolation') IN ('read committed', 'read uncommitted') THEN
        -- No single snapshot here: keep writers out instead, until the end of the transaction.
        IF (v.chooses OR $1 = 'differential') AND EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s
                WHERE s.pgt_id = 0 AND s.needs_reinit) THEN
            action := 'REINIT';  -- its sources may have other names by now
            RETURN;
        END IF;
        LOCK TABLE public.orders IN SHARE MODE;
    END IF;
    -- First of all: whoever holds this row refreshes this stream table.
    SELECT * INTO v.f FROM pgtrickle.pgt_frontiers p WHERE p.pgt_id = 0 FOR UPDATE;
    IF NOT FOUND THEN
        IF v.chooses AND NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = 0) THEN
            action := 'NO_DATA';  -- it was dropped, and the daemon will soon know
            RETURN;
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'the stream table has no row in pgtrickle.pgt_frontiers',
            HINT = 'pgtrickle.repair_stream_table() makes it anew.';
    END IF;
    v.f_snapshot := v.f.snapshot; v.f_xmin := pg_snapshot_xmin(v.f.snapshot);
    v.f_xmax := pg_snapshot_xmax(v.f.snapshot); v.f_xid := v.f.xid; v.f_seq := v.f.seq;
    SELECT s.needs_reinit, s.fuse_limit, s.fuse_blown_at IS NOT NULL, s.fuse_reset, s.skipped_at IS NOT NULL, s.max_delta_fraction,
           EXISTS (SELECT FROM pgtrickle.pgt_source_gates g WHERE g.gated) OR EXISTS (SELECT FROM pgtrickle.pgt_watermark_groups), EXISTS (SELECT FROM pg_subscription_rel),
           CASE WHEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = s.pgt_relid AND (i.indisunique OR i.indisexclusion)
                             AND i.indexrelid IS DISTINCT FROM to_regclass('public.pgtrickle_0_key')) THEN '{}'::text[] END
    INTO v.reinit, v.fuse_limit, v.blown, v.fuse_reset, v.skipped, v.fraction, v.gates, v.subscribed, v.user_keys
    FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = 0;
    v.skip := v.asks AND v.fuse_reset IS NOT DISTINCT FROM 'skip_changes';
    IF (v.chooses OR $1 = 'differential')
        AND (v.reinit OR v.f_snapshot IS NULL OR v.subscribed AND pgtrickle._is_subscribed(0)) THEN
        action := 'REINIT';
        RETURN;
    END IF;
    IF $1 = 'empty' THEN
        IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = current_user AND r.rolsuper) THEN
            PERFORM FROM pg_proc p WHERE p.oid = 'pgtrickle_state.apply_0(text, pg_snapshot, xid8, bigint, bigint, bigint, bigint[], text[])'::regprocedure FOR SHARE;
        END IF;
        IF pg_get_functiondef('pgtrickle_state.apply_0(text, pg_snapshot, xid8, bigint, bigint, bigint, bigint[], text[])'::regprocedure) !~ E'^[^\n]+\n RETURNS "?record"?\n LANGUAGE "?plpgsql"?\n SECURITY DEFINER\n' THEN
            RAISE EXCEPTION USING ERRCODE = 'data_corrupted',
                MESSAGE = 'the program ' || 'pgtrickle_state.apply_0' || '() was altered',
                HINT = 'The daemon makes it anew. Programs are not to be changed by hand.';
        END IF;
        SELECT a.rows_deleted INTO rows_deleted FROM pgtrickle_state.apply_0('empty', NULL, NULL, NULL, 0, 0, NULL, NULL) a;
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        UPDATE pgtrickle.pgt_frontiers p SET snapshot = NULL, xid = NULL, seq = NULL, rows = 0 WHERE p.pgt_id = 0;
        action := 'EMPTY';
        RETURN;
    END IF;
    IF v.asks AND v.gates AND pgtrickle._hold_reason(0) IS NOT NULL THEN
        action := 'HELD';
        RETURN;
    END IF;
    IF v.asks AND v.blown AND v.fuse_reset IS NULL THEN
        action := 'BLOWN';
        RETURN;
    END IF;
    IF ((has_table_privilege('postgres'::name, OID::oid, 'SELECT') OR (has_column_privilege('postgres'::name, OID::oid, 1::int2, 'SELECT') AND has_column_privilege('postgres'::name, OID::oid, 3::int2, 'SELECT')))) IS NOT TRUE THEN
        IF v.chooses AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = OID::oid) THEN
            action := 'REINIT';  -- it was dropped
            RETURN;
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = 'owner postgres of stream table public.stream_table may no longer SELECT from public.orders',
            HINT = 'Grant SELECT to the owner and resume the stream table.';
    END IF;
    SELECT (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = OID AND a.attnum = ANY ('{1}') AND a.attnotnull) = 1,
           EXISTS (SELECT FROM pg_class c WHERE c.oid = ANY ('{OID}') AND c.relrowsecurity),
           false
    INTO v.not_null, v.row_security, v.watched;
    IF NOT v.not_null THEN
        IF v.recompute THEN
            RAISE EXCEPTION USING ERRCODE = 'serialization_failure',
                MESSAGE = 'a column of a source may be NULL now', HINT = 'Try again: the program is made anew.';
        END IF;
        action := 'REINIT';
        RETURN;
    END IF;
    -- Taken before anything is read: rows that this transaction writes from here on come later.
    v.run := nextval('pgtrickle_changes.log_seq');
    v.taken := pg_current_snapshot();
    IF v.f_snapshot IS NOT NULL THEN
        SELECT count(*), coalesce(bool_or(l.w = 0), false) INTO v.pending, v.marked
        FROM pgtrickle_changes.log_0 l WHERE l.xid >= v.f_xmin AND (l.xid <> v.f_xid AND (l.xid >= v.f_xmax OR NOT pg_visible_in_snapshot(l.xid, v.f_snapshot))
    OR l.xid = v.f_xid AND l.seq > v.f_seq);
        v.counts[1] := greatest(v.pending, 1);
        IF v.pending > 0 THEN
            v.changed := v.changed | 1;
            delta_rows := delta_rows + v.pending;
            IF v.marked THEN
                -- TRUNCATE, or the source is not what it was
                IF NOT v.recompute AND pgtrickle._source_problem(0) IS NOT NULL THEN
                    action := 'REINIT';
                    RETURN;
                END IF;
                v.recompute := true;
            END IF;
        END IF;
    END IF;
    IF v.chooses AND v.changed <> 0 AND (NOT v.watched OR v.f.facts_from IS NOT NULL OR v.recompute) THEN
        v.answer := pgtrickle._facts_answer(0, true);
    ELSIF v.chooses AND v.row_security THEN
        v.answer := pgtrickle._facts_answer(0, false);
    END IF;
    IF v.answer = 'rebuild' THEN
        action := 'REINIT';
        RETURN;
    ELSIF v.answer = 'recompute' THEN
        v.recompute := true;
    END IF;
    IF v.asks AND v.fuse_reset IS NULL AND delta_rows > v.fuse_limit THEN
        action := 'BLOWN';
        RETURN;
    END IF;
    IF v.chooses AND v.changed = 0 AND NOT v.skip THEN
        action := 'NO_DATA';
        RETURN;
    END IF;
    IF v.asks AND delta_rows > (CASE WHEN v.fraction IS NULL
            THEN v.f.full_threshold * CASE v.f.last_action WHEN 'FULL' THEN 0.8 ELSE 1.25 END
            ELSE v.fraction * pgtrickle._source_rows(0) END) THEN
        v.recompute := true;
    END IF;
    action := CASE WHEN v.skip THEN 'SKIPPED' WHEN v.recompute THEN 'FULL' ELSE 'DIFFERENTIAL' END;
    IF $1 = 'look' THEN
        RETURN;
    END IF;
    IF v.user_keys IS NOT NULL THEN
        v.user_keys := pgtrickle._unique_columns(0, to_regclass('public.pgtrickle_0_key'));
    END IF;
    IF v.skip THEN
        NULL;
    ELSIF NOT v.recompute AND delta_rows <= 200 THEN
        IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = current_user AND r.rolsuper) THEN
            PERFORM FROM pg_proc p WHERE p.oid = 'pgtrickle_state.apply_0_small(text, pg_snapshot, xid8, bigint, bigint, bigint, bigint[], text[])'::regprocedure FOR SHARE;
        END IF;
        IF pg_get_functiondef('pgtrickle_state.apply_0_small(text, pg_snapshot, xid8, bigint, bigint, bigint, bigint[], text[])'::regprocedure) !~ E'^[^\n]+\n RETURNS "?record"?\n LANGUAGE "?plpgsql"?\n SECURITY DEFINER\n' THEN
            RAISE EXCEPTION USING ERRCODE = 'data_corrupted',
                MESSAGE = 'the program ' || 'pgtrickle_state.apply_0_small' || '() was altered',
                HINT = 'The daemon makes it anew. Programs are not to be changed by hand.';
        END IF;
        IF v.user_keys IS NULL THEN
            SELECT a.rows_inserted, a.rows_updated, a.rows_deleted INTO rows_inserted, rows_updated, rows_deleted
            FROM pgtrickle_state.apply_0_small(CASE WHEN v.recompute THEN 'full' ELSE 'differential' END, v.f_snapshot, v.f_xid, v.f_seq,
                CASE WHEN $1 = 'differential' THEN -1 ELSE v.changed END, v.run,
                CASE WHEN $1 <> 'differential' THEN v.counts END, v.user_keys) a;
        ELSE
            BEGIN
                SELECT a.rows_inserted, a.rows_updated, a.rows_deleted INTO rows_inserted, rows_updated, rows_deleted
                FROM pgtrickle_state.apply_0_small(CASE WHEN v.recompute THEN 'full' ELSE 'differential' END, v.f_snapshot, v.f_xid, v.f_seq,
                    CASE WHEN $1 = 'differential' THEN -1 ELSE v.changed END, v.run,
                    CASE WHEN $1 <> 'differential' THEN v.counts END, v.user_keys) a;
            EXCEPTION WHEN unique_violation OR exclusion_violation THEN
                GET STACKED DIAGNOSTICS v.message = MESSAGE_TEXT, v.detail = PG_EXCEPTION_DETAIL,
                    v.relation = TABLE_NAME, v.constraint_name = CONSTRAINT_NAME;
                PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
                PERFORM pgtrickle._raise_violation(0, SQLSTATE, v.message, v.detail, v.relation, v.constraint_name);
            END;
        END IF;
    ELSE
        IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = current_user AND r.rolsuper) THEN
            PERFORM FROM pg_proc p WHERE p.oid = 'pgtrickle_state.apply_0(text, pg_snapshot, xid8, bigint, bigint, bigint, bigint[], text[])'::regprocedure FOR SHARE;
        END IF;
        IF pg_get_functiondef('pgtrickle_state.apply_0(text, pg_snapshot, xid8, bigint, bigint, bigint, bigint[], text[])'::regprocedure) !~ E'^[^\n]+\n RETURNS "?record"?\n LANGUAGE "?plpgsql"?\n SECURITY DEFINER\n' THEN
            RAISE EXCEPTION USING ERRCODE = 'data_corrupted',
                MESSAGE = 'the program ' || 'pgtrickle_state.apply_0' || '() was altered',
                HINT = 'The daemon makes it anew. Programs are not to be changed by hand.';
        END IF;
        IF v.user_keys IS NULL THEN
            SELECT a.rows_inserted, a.rows_updated, a.rows_deleted INTO rows_inserted, rows_updated, rows_deleted
            FROM pgtrickle_state.apply_0(CASE WHEN v.recompute THEN 'full' ELSE 'differential' END, v.f_snapshot, v.f_xid, v.f_seq,
                CASE WHEN $1 = 'differential' THEN -1 ELSE v.changed END, v.run,
                CASE WHEN $1 <> 'differential' THEN v.counts END, v.user_keys) a;
        ELSE
            BEGIN
                SELECT a.rows_inserted, a.rows_updated, a.rows_deleted INTO rows_inserted, rows_updated, rows_deleted
                FROM pgtrickle_state.apply_0(CASE WHEN v.recompute THEN 'full' ELSE 'differential' END, v.f_snapshot, v.f_xid, v.f_seq,
                    CASE WHEN $1 = 'differential' THEN -1 ELSE v.changed END, v.run,
                    CASE WHEN $1 <> 'differential' THEN v.counts END, v.user_keys) a;
            EXCEPTION WHEN unique_violation OR exclusion_violation THEN
                GET STACKED DIAGNOSTICS v.message = MESSAGE_TEXT, v.detail = PG_EXCEPTION_DETAIL,
                    v.relation = TABLE_NAME, v.constraint_name = CONSTRAINT_NAME;
                PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
                PERFORM pgtrickle._raise_violation(0, SQLSTATE, v.message, v.detail, v.relation, v.constraint_name);
            END;
        END IF;
    END IF;
    -- A function of the query may have changed the path, for good: what follows runs with our rights.
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    IF (v.answer = 'recompute' OR $1 = 'full' AND NOT v.watched) AND NOT v.skip THEN
        PERFORM pgtrickle._note_storage(0);
    END IF;
    IF v.f.facts_from IS NOT NULL AND v.chooses AND v.changed <> 0 THEN
        v.f.facts_from := CASE WHEN pg_snapshot_xmin(v.taken) = pg_snapshot_xmax(v.taken)
            OR v.f.facts_from > '0' AND pg_snapshot_xmin(v.taken) >= v.f.facts_from THEN NULL
            WHEN v.f.facts_from = '0' THEN pg_snapshot_xmax(v.taken) ELSE v.f.facts_from END;
    END IF;
    UPDATE pgtrickle.pgt_frontiers p
    SET snapshot = v.taken, xid = pg_current_xact_id(), seq = v.run, data_timestamp = now(),
        facts_from = v.f.facts_from,
        last_refresh_at = clock_timestamp(), last_action = $2, last_delta_rows = $3,
        last_duration_ms = extract(epoch FROM clock_timestamp() - v.started) * 1000,
        rows = coalesce(p.rows, 0) + $4 - $6, total_refreshes = p.total_refreshes + 1,
        total_full = p.total_full + ($2 = 'FULL')::int, total_differential = p.total_differential + ($2 = 'DIFFERENTIAL')::int,
        total_rows_inserted = p.total_rows_inserted + $4, total_rows_updated = p.total_rows_updated + $5,
        total_rows_deleted = p.total_rows_deleted + $6
    WHERE p.pgt_id = 0;
    IF v.fuse_reset IS NOT NULL OR v.skipped AND v.recompute AND NOT v.skip THEN
        -- The answer to a blown fuse holds once; whatever was skipped is there again once all is recomputed.
        UPDATE pgtrickle.pgt_stream_tables s
        SET fuse_reset = NULL, fuse_blown_at = NULL, fuse_blow_reason = NULL,
            skipped_at = CASE WHEN v.skip AND v.changed <> 0 THEN now() WHEN v.skip OR NOT v.recompute THEN s.skipped_at END
        WHERE s.pgt_id = 0;
    END IF;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.refresh_0(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION pgtrickle_state.refresh_0(text) TO postgres;

