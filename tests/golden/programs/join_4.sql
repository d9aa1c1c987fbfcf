/*
SELECT o.id, i.line, c.region, d.region AS other FROM orders o JOIN customers c ON c.id = o.customer_id JOIN items i ON i.order_id = o.id JOIN customers d ON d.since = c.since



DIFFERENTIAL

Stream table, rows identified by the hash of the whole row:
  Project i.id, i.line, i.region, i.region_1 AS other  [O(delta)]
    Join of 4 on a2.id = a1.customer_id AND a3.order_id = a1.id AND a4.since = a2.since  [O(delta x matches)]
      Scan public.orders  [O(delta)]
      Scan public.customers  [O(delta)]
      Scan public.items  [O(delta)]
      Scan public.customers  [O(delta)]
Indexes that a delta would use and that do not exist:
  CREATE INDEX ON public.customers (since);
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
    n_3 CONSTANT bigint := $7[3];
BEGIN
    PERFORM set_config('pgtrickle.apply', '0', true);
    IF v.n_1 + v.n_2 + v.n_3 > 600 THEN
        PERFORM set_config('plan_cache_mode', 'force_custom_plan', true);
    END IF;
    IF $1 = 'full' THEN
        WITH net AS MATERIALIZED (
            SELECT x.id AS id, x.line AS line, x.region AS region, x.other AS other, sum(x.w)::int AS w
            FROM (SELECT x.id::integer AS id, x.line::integer AS line, x.region::text AS region, x.other::text AS other, 1 AS w FROM (SELECT i.id, i.line, i.region, i.region_1 AS other
              FROM (SELECT a1.id, a1.customer_id, a2.id AS id_1, a2.region, a2.since, a3.order_id, a3.line, a4.region AS region_1, a4.since AS since_1
                FROM public.orders a1, public.customers a2, public.items a3, public.customers a4
                WHERE a2.id = a1.customer_id AND a3.order_id = a1.id AND a4.since = a2.since) i) x
              UNION ALL
              SELECT o.id AS id, o.line AS line, o.region AS region, o.other AS other, -1 AS w FROM public.stream_table o) x
            GROUP BY x.id, x.line, x.region, x.other
            HAVING sum(x.w) <> 0),
        d AS MATERIALIZED (
            SELECT n.id::integer AS id, n.line::integer AS line, n.region::text AS region, n.other::text AS other, n.w FROM net n),
        hidden AS (
            DELETE FROM public.stream_table t WHERE t.ctid = ANY (ARRAY(
              SELECT x.ctid FROM d d CROSS JOIN LATERAL (
                SELECT t.ctid FROM public.stream_table t
                WHERE hash_record_extended(ROW(t.id, t.line, t.region, t.other), 0) = hash_record_extended(ROW(d.id, d.line, d.region, d.other), 0)
              AND ROW(t.id, t.line, t.region, t.other)::record = ROW(d.id, d.line, d.region, d.other)::record
                LIMIT -d.w) x
              WHERE d.w < 0))
            RETURNING 1),
        shown AS (
            INSERT INTO public.stream_table (id, line, region, other)
            SELECT d.id, d.line, d.region, d.other FROM d d CROSS JOIN LATERAL generate_series(1, d.w)
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
    WITH d_orders AS MATERIALIZED (
        SELECT l.c1 AS id, l.c2 AS customer_id, sum(l.w)::int AS w
        FROM pgtrickle_changes.log_0 l
        WHERE l.xid >= v.f_xmin AND (l.xid <> v.f_xid AND (l.xid >= v.f_xmax OR NOT pg_visible_in_snapshot(l.xid, v.f_snapshot))
            OR l.xid = v.f_xid AND l.seq > v.f_seq)
        GROUP BY l.c1, l.c2
        HAVING sum(l.w) <> 0
        LIMIT v.n_2),
    d_customers AS MATERIALIZED (
        SELECT l.c1 AS id, l.c2 AS region, l.c3 AS since, sum(l.w)::int AS w
        FROM pgtrickle_changes.log_0 l
        WHERE l.xid >= v.f_xmin AND (l.xid <> v.f_xid AND (l.xid >= v.f_xmax OR NOT pg_visible_in_snapshot(l.xid, v.f_snapshot))
            OR l.xid = v.f_xid AND l.seq > v.f_seq)
        GROUP BY l.c1, l.c2, l.c3
        HAVING sum(l.w) <> 0
        LIMIT v.n_1),
    d_items AS MATERIALIZED (
        SELECT l.c1 AS order_id, l.c2 AS line, sum(l.w)::int AS w
        FROM pgtrickle_changes.log_0 l
        WHERE l.xid >= v.f_xmin AND (l.xid <> v.f_xid AND (l.xid >= v.f_xmax OR NOT pg_visible_in_snapshot(l.xid, v.f_snapshot))
            OR l.xid = v.f_xid AND l.seq > v.f_seq)
        GROUP BY l.c1, l.c2
        HAVING sum(l.w) <> 0
        LIMIT v.n_3),
    d_customers__2 AS MATERIALIZED (
        SELECT l.c2 AS region, l.c3 AS since, sum(l.w)::int AS w
        FROM pgtrickle_changes.log_0 l
        WHERE l.xid >= v.f_xmin AND (l.xid <> v.f_xid AND (l.xid >= v.f_xmax OR NOT pg_visible_in_snapshot(l.xid, v.f_snapshot))
            OR l.xid = v.f_xid AND l.seq > v.f_seq)
        GROUP BY l.c2, l.c3
        HAVING sum(l.w) <> 0
        LIMIT v.n_1),
    j AS MATERIALIZED (
        SELECT j.id AS id, j.customer_id AS customer_id, a2.id AS id_1, a2.region AS region, a2.since AS since, j.w
        FROM d_orders j, public.customers a2
        WHERE a2.id = j.customer_id AND (v.changed & 2) <> 0
        UNION ALL
        SELECT a1.id AS id, a1.customer_id AS customer_id, a2.id AS id_1, a2.region AS region, a2.since AS since, a2.w
        FROM public.orders a1, d_customers a2
        WHERE a2.id = a1.customer_id AND (v.changed & 1) <> 0
        UNION ALL
        SELECT j.id AS id, j.customer_id AS customer_id, a2.id AS id_1, a2.region AS region, a2.since AS since, -(j.w * a2.w) AS w
        FROM d_orders j, d_customers a2
        WHERE a2.id = j.customer_id AND (v.changed & 2) <> 0 AND (v.changed & 1) <> 0),
    j__2 AS MATERIALIZED (
        SELECT j.id AS id, j.customer_id AS customer_id, j.id_1 AS id_1, j.region AS region, j.since AS since, a3.order_id AS order_id, a3.line AS line, j.w
        FROM j j, public.items a3
        WHERE a3.order_id = j.id AND (v.changed & 3) <> 0
        UNION ALL
        SELECT a1.id AS id, a1.customer_id AS customer_id, a2.id AS id_1, a2.region AS region, a2.since AS since, a3.order_id AS order_id, a3.line AS line, a3.w
        FROM public.orders a1, public.customers a2, d_items a3
        WHERE a2.id = a1.customer_id AND a3.order_id = a1.id AND (v.changed & 4) <> 0
        UNION ALL
        SELECT j.id AS id, j.customer_id AS customer_id, j.id_1 AS id_1, j.region AS region, j.since AS since, a3.order_id AS order_id, a3.line AS line, -(j.w * a3.w) AS w
        FROM j j, d_items a3
        WHERE a3.order_id = j.id AND (v.changed & 3) <> 0 AND (v.changed & 4) <> 0),
    j__3 AS MATERIALIZED (
        SELECT j.id AS id, j.customer_id AS customer_id, j.id_1 AS id_1, j.region AS region, j.since AS since, j.order_id AS order_id, j.line AS line, a4.region AS region_1, a4.since AS since_1, j.w
        FROM j__2 j, public.customers a4
        WHERE a4.since = j.since AND (v.changed & 7) <> 0
        UNION ALL
        SELECT a1.id AS id, a1.customer_id AS customer_id, a2.id AS id_1, a2.region AS region, a2.since AS since, a3.order_id AS order_id, a3.line AS line, a4.region AS region_1, a4.since AS since_1, a4.w
        FROM public.orders a1, public.customers a2, public.items a3, d_customers__2 a4
        WHERE a2.id = a1.customer_id AND a3.order_id = a1.id AND a4.since = a2.since AND (v.changed & 1) <> 0
        UNION ALL
        SELECT j.id AS id, j.customer_id AS customer_id, j.id_1 AS id_1, j.region AS region, j.since AS since, j.order_id AS order_id, j.line AS line, a4.region AS region_1, a4.since AS since_1, -(j.w * a4.w) AS w
        FROM j__2 j, d_customers__2 a4
        WHERE a4.since = j.since AND (v.changed & 7) <> 0 AND (v.changed & 1) <> 0),
    net AS MATERIALIZED (
        SELECT x.id AS id, x.line AS line, x.region AS region, x.other AS other, sum(x.w)::int AS w
        FROM (SELECT i.id, i.line, i.region, i.region_1 AS other, i.w
          FROM j__3 i) x
        GROUP BY x.id, x.line, x.region, x.other
        HAVING sum(x.w) <> 0),
    d AS MATERIALIZED (
        SELECT n.id::integer AS id, n.line::integer AS line, n.region::text AS region, n.other::text AS other, n.w FROM net n),
    hidden AS (
        DELETE FROM public.stream_table t WHERE t.ctid = ANY (ARRAY(
          SELECT x.ctid FROM d d CROSS JOIN LATERAL (
            SELECT t.ctid FROM public.stream_table t
            WHERE hash_record_extended(ROW(t.id, t.line, t.region, t.other), 0) = hash_record_extended(ROW(d.id, d.line, d.region, d.other), 0)
          AND ROW(t.id, t.line, t.region, t.other)::record = ROW(d.id, d.line, d.region, d.other)::record
            LIMIT -d.w) x
          WHERE d.w < 0))
        RETURNING 1),
    shown AS (
        INSERT INTO public.stream_table (id, line, region, other)
        SELECT d.id, d.line, d.region, d.other FROM d d CROSS JOIN LATERAL generate_series(1, d.w)
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

CREATE INDEX pgtrickle_0_hash ON public.stream_table (hash_record_extended(ROW(id, line, region, other), 0));

GRANT SELECT (xid, seq, w, c1, c2, c3) ON pgtrickle_changes.log_0 TO postgres;

GRANT SELECT (xid, seq, w, c1, c2) ON pgtrickle_changes.log_0 TO postgres;

GRANT SELECT (xid, seq, w, c1, c2) ON pgtrickle_changes.log_0 TO postgres;

