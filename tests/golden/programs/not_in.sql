/*
SELECT id FROM customers WHERE id NOT IN (SELECT order_id FROM items)



DIFFERENTIAL

Stream table, rows identified by key:
  Project i.id  [O(delta)]
    Anti join on a.id = b.order_id  [O(delta x matches)]
      Scan public.customers  [O(delta)]
      Project i.order_id  [O(delta)]
        Scan public.items  [O(delta)]
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
    n_1 CONSTANT bigint := $7[1];
    n_2 CONSTANT bigint := $7[2];
BEGIN
    PERFORM set_config('pgtrickle.apply', '0', true);
    IF v.n_1 + v.n_2 > 400 THEN
        PERFORM set_config('plan_cache_mode', 'force_custom_plan', true);
    END IF;
    IF $1 = 'full' THEN
        WITH content AS MATERIALIZED (
            SELECT x.id::integer AS id FROM (SELECT i.id
            FROM (SELECT a.id
              FROM public.customers a
              WHERE NOT EXISTS (SELECT FROM (SELECT i.order_id
                FROM public.items i) b WHERE a.id = b.order_id)) i) x),
        hidden AS (
            DELETE FROM public.stream_table t
            WHERE NOT EXISTS (SELECT FROM content n WHERE t.id = n.id)
            RETURNING 1),
        moved AS (
            DELETE FROM public.stream_table t USING content n
            WHERE v.user_keys IS NOT NULL AND t.id = n.id
              AND ('id' = ANY (v.user_keys) AND ROW(t.id)::record *<> ROW(n.id::integer)::record)
            RETURNING 1),
        shown AS (
            INSERT INTO public.stream_table AS t (id)
            SELECT n.id::integer AS id
            FROM content n
            WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0 AND NOT EXISTS (SELECT FROM public.stream_table o WHERE hash_record_extended(ROW(o.id), 0) = hash_record_extended(ROW(n.id), 0)
              AND ROW(o.id)::record = ROW(n.id)::record)
            ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO NOTHING
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
    WITH d_customers AS MATERIALIZED (
        SELECT l.c1 AS id, sum(l.w)::int AS w
        FROM pgtrickle_changes.log_0 l
        WHERE l.xid >= v.f_xmin AND (l.xid <> v.f_xid AND (l.xid >= v.f_xmax OR NOT pg_visible_in_snapshot(l.xid, v.f_snapshot))
            OR l.xid = v.f_xid AND l.seq > v.f_seq)
        GROUP BY l.c1
        HAVING sum(l.w) <> 0
        LIMIT v.n_1),
    d_items AS MATERIALIZED (
        SELECT l.c1 AS order_id, sum(l.w)::int AS w
        FROM pgtrickle_changes.log_0 l
        WHERE l.xid >= v.f_xmin AND (l.xid <> v.f_xid AND (l.xid >= v.f_xmax OR NOT pg_visible_in_snapshot(l.xid, v.f_snapshot))
            OR l.xid = v.f_xid AND l.seq > v.f_seq)
        GROUP BY l.c1
        HAVING sum(l.w) <> 0
        LIMIT v.n_2),
    d AS MATERIALIZED (
        SELECT i.order_id, i.w
        FROM d_items i),
    touched AS MATERIALIZED (
        SELECT b.order_id AS k1, sum(b.w)::int AS dm
        FROM d b
        WHERE b.order_id IS DISTINCT FROM NULL
        GROUP BY b.order_id
        HAVING sum(b.w) <> 0),
    flips AS MATERIALIZED (
        SELECT t.k1, CASE WHEN m.n = 0 THEN 1 ELSE -1 END AS flip
        FROM touched t CROSS JOIN LATERAL (
          SELECT count(*) AS n FROM (
            SELECT FROM (SELECT i.order_id
              FROM public.items i) b
            WHERE b.order_id = t.k1
            LIMIT greatest(t.dm, 0) + 1) x) m
        WHERE (m.n = 0) <> (m.n = t.dm)),
    net AS MATERIALIZED (
        SELECT x.id AS id, sum(x.w)::int AS w
        FROM (SELECT i.id, i.w
          FROM (SELECT a.id, a.w
            FROM d_customers a
            WHERE NOT EXISTS (SELECT FROM (SELECT i.order_id
              FROM public.items i) b WHERE a.id = b.order_id)
              AND (v.changed & 1) <> 0
            UNION ALL
            SELECT a.id, f.flip AS w
            FROM flips f, public.customers a
            WHERE a.id = f.k1
              AND (v.changed & 2) <> 0
            UNION ALL
            SELECT a.id, -(a.w * f.flip) AS w
            FROM flips f, d_customers a
            WHERE a.id = f.k1
              AND (v.changed & 2) <> 0
              AND (v.changed & 1) <> 0) i) x
        GROUP BY x.id
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
          AND ('id' = ANY (v.user_keys) AND ROW(t.id)::record *<> ROW(n.id::integer)::record)
        RETURNING 1),
    shown AS (
        INSERT INTO public.stream_table AS t (id)
        SELECT n.id::integer AS id
        FROM net n
        WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0 AND n.w > 0
        ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO NOTHING
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

ALTER TABLE public.stream_table ADD CONSTRAINT pgtrickle_0_key PRIMARY KEY (id);

GRANT SELECT (xid, seq, w, c1) ON pgtrickle_changes.log_0 TO postgres;

GRANT SELECT (xid, seq, w, c1) ON pgtrickle_changes.log_0 TO postgres;

