/*
SELECT c.id, o.id AS order_id FROM customers c FULL JOIN orders o ON o.customer_id = c.id



DIFFERENTIAL

Stream table, rows identified by key:
  Project i.id, i.id_1 AS order_id  [O(delta)]
    Full join on b.customer_id = a.id  [O(delta x matches)]
      Scan public.customers  [O(delta)]
      Scan public.orders  [O(delta)]
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
            SELECT x.id::integer AS id, x.order_id::integer AS order_id FROM (SELECT i.id, i.id_1 AS order_id
            FROM (SELECT a.id, b.id AS id_1, b.customer_id
              FROM public.customers a
              FULL JOIN public.orders b ON b.customer_id = a.id) i) x),
        hidden AS (
            DELETE FROM public.stream_table t
            WHERE NOT EXISTS (SELECT FROM content n WHERE hash_record_extended(ROW(t.id, t.order_id), 0) = hash_record_extended(ROW(n.id, n.order_id), 0)
              AND ROW(t.id, t.order_id)::record = ROW(n.id, n.order_id)::record)
            RETURNING 1),
        moved AS (
            DELETE FROM public.stream_table t USING content n
            WHERE v.user_keys IS NOT NULL AND hash_record_extended(ROW(t.id, t.order_id), 0) = hash_record_extended(ROW(n.id, n.order_id), 0)
              AND ROW(t.id, t.order_id)::record = ROW(n.id, n.order_id)::record
              AND ('id' = ANY (v.user_keys) AND ROW(t.id)::record *<> ROW(n.id::integer)::record
                OR 'order_id' = ANY (v.user_keys) AND ROW(t.order_id)::record *<> ROW(n.order_id::integer)::record)
            RETURNING 1),
        shown AS (
            INSERT INTO public.stream_table AS t (id, order_id)
            SELECT n.id::integer AS id, n.order_id::integer AS order_id
            FROM content n
            WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0 AND NOT EXISTS (SELECT FROM public.stream_table o WHERE hash_record_extended(ROW(o.id, o.order_id), 0) = hash_record_extended(ROW(n.id, n.order_id), 0)
              AND ROW(o.id, o.order_id)::record = ROW(n.id, n.order_id)::record)
            ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO NOTHING
            RETURNING t.xmax = 0 AS inserted)
        SELECT (SELECT count(*) FROM shown WHERE shown.inserted) - (SELECT count(*) FROM moved) AS rows_inserted,
               (SELECT count(*) FROM shown WHERE NOT shown.inserted) + (SELECT count(*) FROM moved) AS rows_updated,
               (SELECT count(*) FROM hidden) AS rows_deleted,
               (SELECT count(*) FROM content) - (SELECT count(*) FROM (SELECT FROM content n GROUP BY n.id, n.order_id) k) AS violations
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
    d_orders AS MATERIALIZED (
        SELECT l.c1 AS id, l.c2 AS customer_id, sum(l.w)::int AS w
        FROM pgtrickle_changes.log_0 l
        WHERE l.xid >= v.f_xmin AND (l.xid <> v.f_xid AND (l.xid >= v.f_xmax OR NOT pg_visible_in_snapshot(l.xid, v.f_snapshot))
            OR l.xid = v.f_xid AND l.seq > v.f_seq)
        GROUP BY l.c1, l.c2
        HAVING sum(l.w) <> 0
        LIMIT v.n_2),
    touched AS MATERIALIZED (
        SELECT b.customer_id AS k1, sum(b.w)::int AS dm
        FROM d_orders b
        WHERE b.customer_id IS DISTINCT FROM NULL
        GROUP BY b.customer_id
        HAVING sum(b.w) <> 0),
    flips AS MATERIALIZED (
        SELECT t.k1, CASE WHEN m.n = 0 THEN 1 ELSE -1 END AS flip
        FROM touched t CROSS JOIN LATERAL (
          SELECT count(*) AS n FROM (
            SELECT FROM public.orders b
            WHERE b.customer_id = t.k1
            LIMIT greatest(t.dm, 0) + 1) x) m
        WHERE (m.n = 0) <> (m.n = t.dm)),
    touched__2 AS MATERIALIZED (
        SELECT b.id AS k1, sum(b.w)::int AS dm
        FROM d_customers b
        WHERE b.id IS DISTINCT FROM NULL
        GROUP BY b.id
        HAVING sum(b.w) <> 0),
    flips__2 AS MATERIALIZED (
        SELECT t.k1, CASE WHEN m.n = 0 THEN 1 ELSE -1 END AS flip
        FROM touched__2 t CROSS JOIN LATERAL (
          SELECT count(*) AS n FROM (
            SELECT FROM public.customers b
            WHERE b.id = t.k1
            LIMIT greatest(t.dm, 0) + 1) x) m
        WHERE (m.n = 0) <> (m.n = t.dm)),
    net AS MATERIALIZED (
        SELECT x.id AS id, x.order_id AS order_id, sum(x.w)::int AS w
        FROM (SELECT i.id, i.id_1 AS order_id, i.w
          FROM (SELECT a.id, b.id AS id_1, b.customer_id, a.w AS w
            FROM d_customers a
            LEFT JOIN public.orders b ON b.customer_id = a.id
            WHERE (v.changed & 1) <> 0
            UNION ALL
            SELECT a.id, b.id AS id_1, b.customer_id, b.w AS w
            FROM public.customers a
            RIGHT JOIN d_orders b ON b.customer_id = a.id
            WHERE (v.changed & 2) <> 0
            UNION ALL
            SELECT a.id, b.id AS id_1, b.customer_id, -(a.w * b.w) AS w
            FROM d_customers a
            INNER JOIN d_orders b ON b.customer_id = a.id
            WHERE (v.changed & 1) <> 0 AND (v.changed & 2) <> 0
            UNION ALL
            SELECT a.id, NULL::integer AS id_1, NULL::integer AS customer_id, f.flip AS w
            FROM flips f, public.customers a
            WHERE a.id = f.k1
              AND (v.changed & 2) <> 0
            UNION ALL
            SELECT a.id, NULL::integer AS id_1, NULL::integer AS customer_id, -(a.w * f.flip) AS w
            FROM flips f, d_customers a
            WHERE a.id = f.k1
              AND (v.changed & 2) <> 0
              AND (v.changed & 1) <> 0
            UNION ALL
            SELECT NULL::integer AS id, a.id AS id_1, a.customer_id, f.flip AS w
            FROM flips__2 f, public.orders a
            WHERE a.customer_id = f.k1
              AND (v.changed & 1) <> 0
            UNION ALL
            SELECT NULL::integer AS id, a.id AS id_1, a.customer_id, -(a.w * f.flip) AS w
            FROM flips__2 f, d_orders a
            WHERE a.customer_id = f.k1
              AND (v.changed & 1) <> 0
              AND (v.changed & 2) <> 0) i) x
        GROUP BY x.id, x.order_id
        HAVING sum(x.w) <> 0),
    lost AS MATERIALIZED (
        SELECT n.id, n.order_id FROM net n
        GROUP BY n.id, n.order_id
        HAVING max(n.w) < 0),
    added AS MATERIALIZED (
        SELECT count(*) AS n FROM (SELECT FROM net n
        GROUP BY n.id, n.order_id
        HAVING min(n.w) > 0) x),
    hidden AS (
        DELETE FROM public.stream_table t USING lost n
        WHERE hash_record_extended(ROW(t.id, t.order_id), 0) = hash_record_extended(ROW(n.id, n.order_id), 0)
          AND ROW(t.id, t.order_id)::record = ROW(n.id, n.order_id)::record
        RETURNING 1),
    moved AS (
        DELETE FROM public.stream_table t USING net n
        WHERE v.user_keys IS NOT NULL AND n.w > 0 AND hash_record_extended(ROW(t.id, t.order_id), 0) = hash_record_extended(ROW(n.id, n.order_id), 0)
          AND ROW(t.id, t.order_id)::record = ROW(n.id, n.order_id)::record
          AND ('id' = ANY (v.user_keys) AND ROW(t.id)::record *<> ROW(n.id::integer)::record
            OR 'order_id' = ANY (v.user_keys) AND ROW(t.order_id)::record *<> ROW(n.order_id::integer)::record)
        RETURNING 1),
    shown AS (
        INSERT INTO public.stream_table AS t (id, order_id)
        SELECT n.id::integer AS id, n.order_id::integer AS order_id
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

ALTER TABLE public.stream_table ADD CONSTRAINT pgtrickle_0_key UNIQUE NULLS NOT DISTINCT (id, order_id);

CREATE INDEX pgtrickle_0_hash ON public.stream_table (hash_record_extended(ROW(id, order_id), 0));

GRANT SELECT (xid, seq, w, c1) ON pgtrickle_changes.log_0 TO postgres;

GRANT SELECT (xid, seq, w, c1, c2) ON pgtrickle_changes.log_0 TO postgres;

