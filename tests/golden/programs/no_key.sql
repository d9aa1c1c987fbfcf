/*
SELECT kind, value FROM events WHERE value > 0



DIFFERENTIAL

Stream table, rows identified by the hash of the whole row:
  Project i.kind, i.value  [O(delta)]
    Scan public.events where t.value > 0::double precision  [O(delta)]
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
        WITH net AS MATERIALIZED (
            SELECT x.kind AS kind, x.value AS value, sum(x.w)::int AS w
            FROM (SELECT x.kind::text AS kind, x.value::double precision AS value, 1 AS w FROM (SELECT i.kind, i.value
              FROM (SELECT t.kind, t.value FROM public.events t
                WHERE t.value > 0::double precision) i) x
              UNION ALL
              SELECT o.kind AS kind, o.value AS value, -1 AS w FROM public.stream_table o) x
            GROUP BY x.kind, x.value, pg_catalog.float8send(x.value)
            HAVING sum(x.w) <> 0),
        d AS MATERIALIZED (
            SELECT n.kind::text AS kind, n.value::double precision AS value, n.w FROM net n),
        hidden AS (
            DELETE FROM public.stream_table t WHERE t.ctid = ANY (ARRAY(
              SELECT x.ctid FROM d d CROSS JOIN LATERAL (
                SELECT t.ctid FROM public.stream_table t
                WHERE hash_record_extended(ROW(t.kind, t.value), 0) = hash_record_extended(ROW(d.kind, d.value), 0)
              AND ROW(t.kind, t.value)::record = ROW(d.kind, d.value)::record
                ORDER BY ROW(t.kind, t.value)::record *= ROW(d.kind, d.value)::record DESC
                LIMIT -d.w) x
              WHERE d.w < 0))
            RETURNING 1),
        shown AS (
            INSERT INTO public.stream_table (kind, value)
            SELECT d.kind, d.value FROM d d CROSS JOIN LATERAL generate_series(1, d.w)
            WHERE d.w > 0 AND (SELECT count(*) FROM hidden) >= 0
            RETURNING 1)
        SELECT (SELECT count(*) FROM shown) AS rows_inserted,
               0::bigint AS rows_updated,
               (SELECT count(*) FROM hidden) AS rows_deleted,
               (SELECT coalesce(-sum(d.w), 0) FROM d d WHERE d.w < 0) - (SELECT count(*) FROM hidden) AS violations
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
    WITH d_events AS MATERIALIZED (
        SELECT l.c1 AS kind, l.c2 AS value, sum(l.w)::int AS w
        FROM pgtrickle_changes.log_0 l
        WHERE l.xid >= v.f_xmin AND (l.xid <> v.f_xid AND (l.xid >= v.f_xmax OR NOT pg_visible_in_snapshot(l.xid, v.f_snapshot))
            OR l.xid = v.f_xid AND l.seq > v.f_seq)
          AND l.c2 > 0::double precision
        GROUP BY l.c1, l.c2, pg_catalog.float8send(l.c2)
        HAVING sum(l.w) <> 0),
    net AS MATERIALIZED (
        SELECT i.kind, i.value, i.w
        FROM d_events i),
    d AS MATERIALIZED (
        SELECT n.kind::text AS kind, n.value::double precision AS value, n.w FROM net n),
    hidden AS (
        DELETE FROM public.stream_table t WHERE t.ctid = ANY (ARRAY(
          SELECT x.ctid FROM d d CROSS JOIN LATERAL (
            SELECT t.ctid FROM public.stream_table t
            WHERE hash_record_extended(ROW(t.kind, t.value), 0) = hash_record_extended(ROW(d.kind, d.value), 0)
          AND ROW(t.kind, t.value)::record = ROW(d.kind, d.value)::record
            ORDER BY ROW(t.kind, t.value)::record *= ROW(d.kind, d.value)::record DESC
            LIMIT -d.w) x
          WHERE d.w < 0))
        RETURNING 1),
    shown AS (
        INSERT INTO public.stream_table (kind, value)
        SELECT d.kind, d.value FROM d d CROSS JOIN LATERAL generate_series(1, d.w)
        WHERE d.w > 0 AND (SELECT count(*) FROM hidden) >= 0
        RETURNING 1)
    SELECT (SELECT count(*) FROM shown) AS rows_inserted,
           0::bigint AS rows_updated,
           (SELECT count(*) FROM hidden) AS rows_deleted,
           (SELECT coalesce(-sum(d.w), 0) FROM d d WHERE d.w < 0) - (SELECT count(*) FROM hidden) AS violations
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

CREATE INDEX pgtrickle_0_hash ON public.stream_table (hash_record_extended(ROW(kind, value), 0));

GRANT SELECT (xid, seq, w, c1, c2) ON pgtrickle_changes.log_0 TO postgres;

