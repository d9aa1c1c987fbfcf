/*
SELECT DISTINCT region FROM customers



DIFFERENTIAL

Stream table, state in pgtrickle_state.node_0_1, rows identified by key:
  Distinct i.region  [O(delta)]
    Project i.region  [O(delta)]
      Scan public.customers  [O(delta)]
*/

CREATE TABLE pgtrickle_state.node_0_1 AS
SELECT i.region AS region,
       count(*) AS n
FROM (SELECT i.region
  FROM public.customers i) i
GROUP BY i.region
WITH NO DATA;

CREATE INDEX ON pgtrickle_state.node_0_1 (hash_record_extended(ROW(region), 0));

ALTER TABLE pgtrickle_state.node_0_1 SET (fillfactor = 70);

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
        DELETE FROM pgtrickle_state.node_0_1;
        
        INSERT INTO pgtrickle_state.node_0_1 (region, n)
        SELECT i.region AS region,
               count(*) AS n
        FROM (SELECT i.region
          FROM public.customers i) i
        GROUP BY i.region;
        
        WITH content AS MATERIALIZED (
            SELECT x.region::text AS region FROM (SELECT s.region FROM pgtrickle_state.node_0_1 s) x),
        hidden AS (
            DELETE FROM public.stream_table t
            WHERE NOT EXISTS (SELECT FROM content n WHERE hash_record_extended(ROW(t.region), 0) = hash_record_extended(ROW(n.region), 0)
              AND ROW(t.region)::record = ROW(n.region)::record)
            RETURNING 1),
        moved AS (
            DELETE FROM public.stream_table t USING content n
            WHERE v.user_keys IS NOT NULL AND hash_record_extended(ROW(t.region), 0) = hash_record_extended(ROW(n.region), 0)
              AND ROW(t.region)::record = ROW(n.region)::record
              AND ('region' = ANY (v.user_keys) AND ROW(t.region)::record *<> ROW(n.region::text)::record)
            RETURNING 1),
        shown AS (
            INSERT INTO public.stream_table AS t (region)
            SELECT n.region::text AS region
            FROM content n
            WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0 AND NOT EXISTS (SELECT FROM public.stream_table o WHERE hash_record_extended(ROW(o.region), 0) = hash_record_extended(ROW(n.region), 0)
              AND ROW(o.region)::record = ROW(n.region)::record)
            ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO NOTHING
            RETURNING t.xmax = 0 AS inserted)
        SELECT (SELECT count(*) FROM shown WHERE shown.inserted) - (SELECT count(*) FROM moved) AS rows_inserted,
               (SELECT count(*) FROM shown WHERE NOT shown.inserted) + (SELECT count(*) FROM moved) AS rows_updated,
               (SELECT count(*) FROM hidden) AS rows_deleted,
               (SELECT count(*) FROM content) - (SELECT count(*) FROM (SELECT FROM content n GROUP BY n.region) k) AS violations
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
    WITH g AS MATERIALIZED (
        SELECT i.region AS region,
               coalesce(sum(i.w), 0)::bigint AS n
        FROM (SELECT i.region, i.w
          FROM (SELECT l.c2 AS region, l.w::int AS w
            FROM pgtrickle_changes.log_0 l
            WHERE l.xid >= v.f_xmin AND (l.xid <> v.f_xid AND (l.xid >= v.f_xmax OR NOT pg_visible_in_snapshot(l.xid, v.f_snapshot))
                OR l.xid = v.f_xid AND l.seq > v.f_seq)) i) i
        GROUP BY i.region),
    m AS MATERIALIZED (
        SELECT g.region,
               s.ctid AS old_ctid,
               coalesce(s.n, 0) AS old_n,
               coalesce(s.n, 0) + g.n AS new_n
        FROM g g
        LEFT JOIN pgtrickle_state.node_0_1 s ON hash_record_extended(ROW(s.region), 0) = hash_record_extended(ROW(g.region), 0)
          AND ROW(s.region)::record = ROW(g.region)::record),
    gone AS (
        DELETE FROM pgtrickle_state.node_0_1 s USING m m
        WHERE s.ctid = m.old_ctid AND m.new_n <= 0),
    kept AS (
        UPDATE pgtrickle_state.node_0_1 s SET n = m.new_n
        FROM m m WHERE s.ctid = m.old_ctid AND m.new_n > 0),
    born AS (
        INSERT INTO pgtrickle_state.node_0_1 (region, n)
        SELECT m.region, m.new_n FROM m m
        WHERE m.old_ctid IS NULL AND m.new_n > 0),
    c AS MATERIALIZED (
        SELECT m.region,
               m.old_n > 0 AS was,
               m.new_n > 0 AS now
        FROM m m),
    hidden AS (
        DELETE FROM public.stream_table t USING (SELECT i.* FROM (SELECT c.region AS region, c.was, c.now FROM c c) i
        WHERE i.was AND (i.now) IS NOT TRUE) c
        WHERE hash_record_extended(ROW(t.region), 0) = hash_record_extended(ROW(c.region), 0)
          AND ROW(t.region)::record = ROW(c.region)::record
        RETURNING 1),
    rows AS MATERIALIZED (
        SELECT c.region AS region FROM c c WHERE c.now),
    moved AS (
        DELETE FROM public.stream_table t USING rows n
        WHERE v.user_keys IS NOT NULL AND hash_record_extended(ROW(t.region), 0) = hash_record_extended(ROW(n.region), 0)
          AND ROW(t.region)::record = ROW(n.region)::record
          AND ('region' = ANY (v.user_keys) AND ROW(t.region)::record *<> ROW(n.region::text)::record)
        RETURNING 1),
    shown AS (
        INSERT INTO public.stream_table AS t (region)
        SELECT n.region::text AS region
        FROM rows n
        WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0
        ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO NOTHING
        RETURNING t.xmax = 0 AS inserted)
    SELECT (SELECT count(*) FROM shown WHERE shown.inserted) - (SELECT count(*) FROM moved) AS rows_inserted,
           (SELECT count(*) FROM shown WHERE NOT shown.inserted) + (SELECT count(*) FROM moved) AS rows_updated,
           (SELECT count(*) FROM hidden) AS rows_deleted,
           (SELECT count(*) FROM m m WHERE m.new_n < 0) AS violations
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

ALTER TABLE public.stream_table ADD CONSTRAINT pgtrickle_0_key UNIQUE NULLS NOT DISTINCT (region);

CREATE INDEX pgtrickle_0_hash ON public.stream_table (hash_record_extended(ROW(region), 0));

GRANT SELECT (xid, seq, w, c2) ON pgtrickle_changes.log_0 TO postgres;

