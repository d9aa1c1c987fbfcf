/*
SELECT order_id, string_agg(product, ', ' ORDER BY line) AS products FROM items GROUP BY order_id



DIFFERENTIAL

Stream table, state in pgtrickle_state.node_0_1, rows identified by key:
  Project i.order_id, i.string_agg AS products  [O(delta)]
    Aggregate string_agg(i.product, ', '::text ORDER BY i.line) by i.order_id  [O(touched groups)]
      Scan public.items  [O(delta)]
*/

CREATE TABLE pgtrickle_state.node_0_1 AS
SELECT i.order_id AS order_id,
       count(*) AS n,
       string_agg(i.product, ', '::text ORDER BY i.line) AS string_agg_product
FROM public.items i
GROUP BY i.order_id
WITH NO DATA;

CREATE UNIQUE INDEX ON pgtrickle_state.node_0_1 (order_id);

ALTER TABLE pgtrickle_state.node_0_1 ALTER COLUMN order_id SET NOT NULL;

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
        
        INSERT INTO pgtrickle_state.node_0_1 (order_id, n, string_agg_product)
        SELECT i.order_id AS order_id,
               count(*) AS n,
               string_agg(i.product, ', '::text ORDER BY i.line) AS string_agg_product
        FROM public.items i
        GROUP BY i.order_id;
        
        WITH content AS MATERIALIZED (
            SELECT x.order_id::integer AS order_id, x.products::text AS products FROM (SELECT i.order_id, i.string_agg AS products
            FROM (SELECT s.order_id, s.string_agg_product AS string_agg FROM pgtrickle_state.node_0_1 s) i) x),
        hidden AS (
            DELETE FROM public.stream_table t
            WHERE NOT EXISTS (SELECT FROM content n WHERE t.order_id = n.order_id)
            RETURNING 1),
        moved AS (
            DELETE FROM public.stream_table t USING content n
            WHERE v.user_keys IS NOT NULL AND t.order_id = n.order_id
              AND ('order_id' = ANY (v.user_keys) AND ROW(t.order_id)::record *<> ROW(n.order_id::integer)::record
                OR 'products' = ANY (v.user_keys) AND ROW(t.products)::record *<> ROW(n.products::text)::record)
            RETURNING 1),
        shown AS (
            INSERT INTO public.stream_table AS t (order_id, products)
            SELECT n.order_id::integer AS order_id, n.products::text AS products
            FROM content n
            WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0 AND NOT EXISTS (SELECT FROM public.stream_table o WHERE hash_record_extended(ROW(o.order_id, o.products), 0) = hash_record_extended(ROW(n.order_id, n.products), 0)
              AND ROW(o.order_id, o.products)::record = ROW(n.order_id, n.products)::record)
            ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET products = excluded.products
            WHERE ROW(t.products)::record *<> ROW(excluded.products)::record
            RETURNING t.xmax = 0 AS inserted)
        SELECT (SELECT count(*) FROM shown WHERE shown.inserted) - (SELECT count(*) FROM moved) AS rows_inserted,
               (SELECT count(*) FROM shown WHERE NOT shown.inserted) + (SELECT count(*) FROM moved) AS rows_updated,
               (SELECT count(*) FROM hidden) AS rows_deleted,
               (SELECT count(*) FROM content) - (SELECT count(*) FROM (SELECT FROM content n GROUP BY n.order_id) k) AS violations
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
    WITH d_items AS MATERIALIZED (
        SELECT l.c1 AS order_id, l.c2 AS line, l.c3 AS product, sum(l.w)::int AS w
        FROM pgtrickle_changes.log_0 l
        WHERE l.xid >= v.f_xmin AND (l.xid <> v.f_xid AND (l.xid >= v.f_xmax OR NOT pg_visible_in_snapshot(l.xid, v.f_snapshot))
            OR l.xid = v.f_xid AND l.seq > v.f_seq)
        GROUP BY l.c1, l.c2, l.c3
        HAVING sum(l.w) <> 0),
    g AS MATERIALIZED (
        SELECT i.order_id AS order_id,
               coalesce(sum(i.w), 0)::bigint AS n
        FROM d_items i
        GROUP BY i.order_id),
    m AS MATERIALIZED (
        SELECT g.order_id,
               s.ctid AS old_ctid,
               coalesce(s.n, 0) AS old_n,
               coalesce(s.n, 0) + g.n AS new_n,
               s.string_agg_product AS old_string_agg_product,
               s.string_agg_product AS new_string_agg_product,
               coalesce(s.n, 0) + g.n > 0 AS need
        FROM g g
        LEFT JOIN pgtrickle_state.node_0_1 s ON s.order_id = g.order_id),
    r AS MATERIALIZED (
        SELECT k.order_id,
               string_agg(i.product, ', '::text ORDER BY i.line) AS string_agg_product
        FROM (SELECT order_id FROM m m WHERE m.need) k, public.items i
        WHERE i.order_id = k.order_id
          AND (SELECT bool_or(m.need) FROM m m)
        GROUP BY k.order_id),
    m__2 AS MATERIALIZED (
        SELECT m.order_id,
               m.old_ctid,
               m.old_n,
               m.new_n,
               m.old_string_agg_product,
               CASE WHEN m.need THEN r.string_agg_product ELSE m.new_string_agg_product END AS new_string_agg_product
        FROM m m
        LEFT JOIN r r ON m.need AND r.order_id = m.order_id),
    gone AS (
        DELETE FROM pgtrickle_state.node_0_1 s USING m__2 m
        WHERE s.ctid = m.old_ctid AND m.new_n <= 0),
    kept AS (
        UPDATE pgtrickle_state.node_0_1 s SET n = m.new_n, string_agg_product = m.new_string_agg_product
        FROM m__2 m WHERE s.ctid = m.old_ctid AND m.new_n > 0),
    born AS (
        INSERT INTO pgtrickle_state.node_0_1 (order_id, n, string_agg_product)
        SELECT m.order_id, m.new_n, m.new_string_agg_product FROM m__2 m
        WHERE m.old_ctid IS NULL AND m.new_n > 0),
    c AS MATERIALIZED (
        SELECT m.order_id,
               m.old_string_agg_product AS old_string_agg,
               m.new_string_agg_product AS new_string_agg,
               m.old_n > 0 AS was,
               m.new_n > 0 AS now
        FROM m__2 m),
    hidden AS (
        DELETE FROM public.stream_table t USING (SELECT i.* FROM (SELECT c.order_id AS order_id, c.new_string_agg AS string_agg, c.was, c.now FROM c c) i
        WHERE i.was AND (i.now) IS NOT TRUE) c
        WHERE t.order_id = c.order_id
        RETURNING 1),
    rows AS MATERIALIZED (
        SELECT i.order_id, i.string_agg AS products
        FROM (SELECT c.order_id AS order_id, c.new_string_agg AS string_agg FROM c c WHERE c.now) i),
    moved AS (
        DELETE FROM public.stream_table t USING rows n
        WHERE v.user_keys IS NOT NULL AND t.order_id = n.order_id
          AND ('order_id' = ANY (v.user_keys) AND ROW(t.order_id)::record *<> ROW(n.order_id::integer)::record
            OR 'products' = ANY (v.user_keys) AND ROW(t.products)::record *<> ROW(n.products::text)::record)
        RETURNING 1),
    shown AS (
        INSERT INTO public.stream_table AS t (order_id, products)
        SELECT n.order_id::integer AS order_id, n.products::text AS products
        FROM rows n
        WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0
        ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET products = excluded.products
        WHERE ROW(t.products)::record *<> ROW(excluded.products)::record
        RETURNING t.xmax = 0 AS inserted)
    SELECT (SELECT count(*) FROM shown WHERE shown.inserted) - (SELECT count(*) FROM moved) AS rows_inserted,
           (SELECT count(*) FROM shown WHERE NOT shown.inserted) + (SELECT count(*) FROM moved) AS rows_updated,
           (SELECT count(*) FROM hidden) AS rows_deleted,
           (SELECT count(*) FROM m__2 m WHERE m.new_n < 0) AS violations
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

ALTER TABLE public.stream_table ADD CONSTRAINT pgtrickle_0_key PRIMARY KEY (order_id);

GRANT SELECT (xid, seq, w, c1, c2, c3) ON pgtrickle_changes.log_0 TO postgres;

