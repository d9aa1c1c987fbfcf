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

CREATE OR REPLACE FUNCTION pgtrickle_state.apply_0(mode text, f_snapshot pg_snapshot, f_xid xid8, f_seq bigint, changed bigint, run bigint, sizes text, user_keys text[], plans anyelement,
  OUT rows_inserted bigint, OUT rows_updated bigint, OUT rows_deleted bigint)
LANGUAGE plpgsql
AS $pgt$
#variable_conflict use_column
<<v>>
DECLARE
  f_snapshot ALIAS FOR $2;
  f_xmin CONSTANT xid8 := pg_snapshot_xmin($2);
  f_xmax CONSTANT xid8 := pg_snapshot_xmax($2);
  f_xid ALIAS FOR $3;
  f_seq ALIAS FOR $4;
  customers_changed CONSTANT boolean := ($5 & 1) <> 0;
  orders_changed CONSTANT boolean := ($5 & 2) <> 0;
  items_changed CONSTANT boolean := ($5 & 4) <> 0;
  run ALIAS FOR $6;
  user_keys ALIAS FOR $8;  -- columns of unique indexes that users made; NULL: there are none
  violations bigint;
  ignored text;
  sizes_before CONSTANT text := current_setting('pgtrickle.sizes', true);
BEGIN
  v.ignored := set_config('pgtrickle.apply', '0', true);
  v.ignored := set_config('pgtrickle.sizes', $7, true);
  IF $1 = 'full' THEN
    WITH
    -- what differs
    net AS MATERIALIZED (
      SELECT x.id AS id, x.line AS line, x.region AS region, x.other AS other, sum(x.w)::int AS w
      FROM (SELECT x.id::integer AS id, x.line::integer AS line, x.region::text AS region,
                   x.other::text AS other, 1 AS w
            FROM (SELECT i.id, i.line, i.region, i.region_1 AS other
                  FROM (SELECT a1.id, a1.customer_id, a2.id AS id_1, a2.region, a2.since, a3.order_id, a3.line,
                               a4.region AS region_1, a4.since AS since_1
                        FROM public.orders a1, public.customers a2, public.items a3, public.customers a4
                        WHERE a2.id = a1.customer_id AND a3.order_id = a1.id AND a4.since = a2.since) i) x
            UNION ALL
            SELECT o.id AS id, o.line AS line, o.region AS region, o.other AS other, -1 AS w
            FROM public.stream_table o) x
      GROUP BY x.id, x.line, x.region, x.other
      HAVING sum(x.w) <> 0),
    -- the change, with the types of the stream table
    d AS MATERIALIZED (
      SELECT n.id::integer AS id, n.line::integer AS line, n.region::text AS region,
             n.other::text AS other, n.w
      FROM net n),
    -- stream table: copies that are gone
    hidden AS (
      DELETE FROM public.stream_table t
      WHERE t.ctid = ANY (ARRAY(SELECT x.ctid
             FROM d d
             CROSS JOIN LATERAL (SELECT t.ctid
                                 FROM public.stream_table t
                                 WHERE hash_record_extended(ROW(t.id, t.line, t.region, t.other), 0) = hash_record_extended(ROW(d.id, d.line, d.region, d.other), 0)
                                   AND ROW(t.id, t.line, t.region, t.other)::record = ROW(d.id, d.line, d.region, d.other)::record
                                 LIMIT -d.w) x
             WHERE d.w < 0))
      RETURNING 1),
    -- stream table: copies that are new
    shown AS (
      INSERT INTO public.stream_table (id, line, region, other)
      SELECT d.id, d.line, d.region, d.other
      FROM d d
      CROSS JOIN LATERAL generate_series(1, d.w)
      WHERE d.w > 0 AND (SELECT count(*) FROM hidden) >= 0
      RETURNING 1)
    SELECT (SELECT count(*) FROM shown) AS rows_inserted, 0::bigint AS rows_updated,
           h.deleted AS rows_deleted,
           (SELECT coalesce(-sum(d.w), 0) FROM d d WHERE d.w < 0) - h.deleted AS violations
    FROM (SELECT count(*) AS deleted FROM hidden) h
    INTO rows_inserted, rows_updated, rows_deleted, v.violations;
    IF v.violations <> 0 THEN
      PERFORM pgtrickle._raise_disagreement('public.stream_table', 'key', v.violations);
    END IF;
    v.ignored := set_config('pgtrickle.apply', '', true);
    v.ignored := set_config('pgtrickle.sizes', v.sizes_before, true);
    RETURN;
  END IF;
  -- the stream table
  WITH
  -- orders: rows that are pending, net
  d_orders AS MATERIALIZED (
    SELECT l.c1 AS id, l.c2 AS customer_id, sum(l.w)::int AS w
    FROM pgtrickle_changes.log_0 l
    WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)
    GROUP BY l.c1, l.c2
    HAVING sum(l.w) <> 0
    LIMIT (nullif(current_setting('pgtrickle.sizes', true), '')::bigint[])[2]),
  -- customers: rows that are pending, net
  d_customers AS MATERIALIZED (
    SELECT l.c1 AS id, l.c2 AS region, l.c3 AS since, sum(l.w)::int AS w
    FROM pgtrickle_changes.log_0 l
    WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)
    GROUP BY l.c1, l.c2, l.c3
    HAVING sum(l.w) <> 0
    LIMIT (nullif(current_setting('pgtrickle.sizes', true), '')::bigint[])[1]),
  -- items: rows that are pending, net
  d_items AS MATERIALIZED (
    SELECT l.c1 AS order_id, l.c2 AS line, sum(l.w)::int AS w
    FROM pgtrickle_changes.log_0 l
    WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)
    GROUP BY l.c1, l.c2
    HAVING sum(l.w) <> 0
    LIMIT (nullif(current_setting('pgtrickle.sizes', true), '')::bigint[])[3]),
  -- customers: rows that are pending, net
  d_customers__2 AS MATERIALIZED (
    SELECT l.c2 AS region, l.c3 AS since, sum(l.w)::int AS w
    FROM pgtrickle_changes.log_0 l
    WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)
    GROUP BY l.c2, l.c3
    HAVING sum(l.w) <> 0
    LIMIT (nullif(current_setting('pgtrickle.sizes', true), '')::bigint[])[1]),
  -- changes of the join of the first 2 inputs
  j AS MATERIALIZED (
    SELECT j.id AS id, j.customer_id AS customer_id, a2.id AS id_1, a2.region AS region,
           a2.since AS since, j.w
    FROM d_orders j, public.customers a2
    WHERE a2.id = j.customer_id AND v.orders_changed
    UNION ALL
    SELECT a1.id AS id, a1.customer_id AS customer_id, a2.id AS id_1, a2.region AS region,
           a2.since AS since, a2.w
    FROM public.orders a1, d_customers a2
    WHERE a2.id = a1.customer_id AND v.customers_changed
    UNION ALL
    SELECT j.id AS id, j.customer_id AS customer_id, a2.id AS id_1, a2.region AS region,
           a2.since AS since, -(j.w * a2.w) AS w
    FROM d_orders j, d_customers a2
    WHERE a2.id = j.customer_id AND v.orders_changed AND v.customers_changed),
  -- changes of the join of the first 3 inputs
  j__2 AS MATERIALIZED (
    SELECT j.id AS id, j.customer_id AS customer_id, j.id_1 AS id_1, j.region AS region,
           j.since AS since, a3.order_id AS order_id, a3.line AS line, j.w
    FROM j j, public.items a3
    WHERE a3.order_id = j.id AND (v.customers_changed OR v.orders_changed)
    UNION ALL
    SELECT a1.id AS id, a1.customer_id AS customer_id, a2.id AS id_1, a2.region AS region,
           a2.since AS since, a3.order_id AS order_id, a3.line AS line, a3.w
    FROM public.orders a1, public.customers a2, d_items a3
    WHERE a2.id = a1.customer_id AND a3.order_id = a1.id AND v.items_changed
    UNION ALL
    SELECT j.id AS id, j.customer_id AS customer_id, j.id_1 AS id_1, j.region AS region,
           j.since AS since, a3.order_id AS order_id, a3.line AS line, -(j.w * a3.w) AS w
    FROM j j, d_items a3
    WHERE a3.order_id = j.id AND (v.customers_changed OR v.orders_changed) AND v.items_changed),
  -- changes of the join of the first 4 inputs
  j__3 AS MATERIALIZED (
    SELECT j.id AS id, j.customer_id AS customer_id, j.id_1 AS id_1, j.region AS region,
           j.since AS since, j.order_id AS order_id, j.line AS line, a4.region AS region_1,
           a4.since AS since_1, j.w
    FROM j__2 j, public.customers a4
    WHERE a4.since = j.since AND (v.customers_changed OR v.orders_changed OR v.items_changed)
    UNION ALL
    SELECT a1.id AS id, a1.customer_id AS customer_id, a2.id AS id_1, a2.region AS region,
           a2.since AS since, a3.order_id AS order_id, a3.line AS line, a4.region AS region_1,
           a4.since AS since_1, a4.w
    FROM public.orders a1, public.customers a2, public.items a3, d_customers__2 a4
    WHERE a2.id = a1.customer_id AND a3.order_id = a1.id AND a4.since = a2.since AND v.customers_changed
    UNION ALL
    SELECT j.id AS id, j.customer_id AS customer_id, j.id_1 AS id_1, j.region AS region,
           j.since AS since, j.order_id AS order_id, j.line AS line, a4.region AS region_1,
           a4.since AS since_1, -(j.w * a4.w) AS w
    FROM j__2 j, d_customers__2 a4
    WHERE a4.since = j.since
      AND (v.customers_changed OR v.orders_changed OR v.items_changed)
      AND v.customers_changed),
  -- changed rows, net
  net AS MATERIALIZED (
    SELECT x.id AS id, x.line AS line, x.region AS region, x.other AS other, sum(x.w)::int AS w
    FROM (SELECT i.id, i.line, i.region, i.region_1 AS other, i.w FROM j__3 i) x
    GROUP BY x.id, x.line, x.region, x.other
    HAVING sum(x.w) <> 0),
  -- the change, with the types of the stream table
  d AS MATERIALIZED (
    SELECT n.id::integer AS id, n.line::integer AS line, n.region::text AS region,
           n.other::text AS other, n.w
    FROM net n),
  -- stream table: copies that are gone
  hidden AS (
    DELETE FROM public.stream_table t
    WHERE t.ctid = ANY (ARRAY(SELECT x.ctid
           FROM d d
           CROSS JOIN LATERAL (SELECT t.ctid
                               FROM public.stream_table t
                               WHERE hash_record_extended(ROW(t.id, t.line, t.region, t.other), 0) = hash_record_extended(ROW(d.id, d.line, d.region, d.other), 0)
                                 AND ROW(t.id, t.line, t.region, t.other)::record = ROW(d.id, d.line, d.region, d.other)::record
                               LIMIT -d.w) x
           WHERE d.w < 0))
    RETURNING 1),
  -- stream table: copies that are new
  shown AS (
    INSERT INTO public.stream_table (id, line, region, other)
    SELECT d.id, d.line, d.region, d.other
    FROM d d
    CROSS JOIN LATERAL generate_series(1, d.w)
    WHERE d.w > 0 AND (SELECT count(*) FROM hidden) >= 0
    RETURNING 1)
  SELECT (SELECT count(*) FROM shown) AS rows_inserted, 0::bigint AS rows_updated,
         h.deleted AS rows_deleted,
         (SELECT coalesce(-sum(d.w), 0) FROM d d WHERE d.w < 0) - h.deleted AS violations
  FROM (SELECT count(*) AS deleted FROM hidden) h
  INTO rows_inserted, rows_updated, rows_deleted, v.violations;
  IF v.violations <> 0 THEN
    PERFORM pgtrickle._raise_disagreement('public.stream_table', 'state', v.violations);
  END IF;
  v.ignored := set_config('pgtrickle.apply', '', true);
  v.ignored := set_config('pgtrickle.sizes', v.sizes_before, true);
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.apply_0(text, pg_snapshot, xid8, bigint, bigint, bigint, text, text[], anyelement) FROM PUBLIC;

CREATE OR REPLACE FUNCTION pgtrickle_state.look_0(f_snapshot pg_snapshot, f_xid xid8, f_seq bigint,
  OUT pending bigint[], OUT marked bigint[], OUT not_null boolean, OUT row_security boolean,
  OUT watched boolean, OUT small bigint, OUT sized boolean, OUT nested_loops boolean, OUT moves boolean)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $pgt$
#variable_conflict use_column
<<v>>
DECLARE
  f_xmin CONSTANT xid8 := pg_snapshot_xmin($1);
  f_xmax CONSTANT xid8 := pg_snapshot_xmax($1);
  f_snapshot ALIAS FOR $1;
  f_xid ALIAS FOR $2;
  f_seq ALIAS FOR $3;
BEGIN
  SELECT ARRAY[p1.n, p2.n, p3.n]::bigint[],
         array_remove(ARRAY[CASE WHEN p1.marked THEN 0 END, CASE WHEN p2.marked THEN 0 END, CASE WHEN p3.marked THEN 0 END]::bigint[], NULL),
         (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = OID AND a.attnum = ANY ('{1,3}') AND a.attnotnull)
          + (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = OID AND a.attnum = ANY ('{1}') AND a.attnotnull)
          + (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = OID AND a.attnum = ANY ('{1,2}') AND a.attnotnull) = 5,
         EXISTS (SELECT FROM pg_class c WHERE c.oid = ANY ('{OID,OID,OID}') AND c.relrowsecurity),
         false, 200, true, false, false
  FROM (SELECT count(*) AS n, coalesce(bool_or(l.w = 0), false) AS marked
        FROM pgtrickle_changes.log_0 l
        WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)) p1,
       (SELECT count(*) AS n, coalesce(bool_or(l.w = 0), false) AS marked
        FROM pgtrickle_changes.log_0 l
        WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)) p2,
       (SELECT count(*) AS n, coalesce(bool_or(l.w = 0), false) AS marked
        FROM pgtrickle_changes.log_0 l
        WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)) p3
  INTO pending, marked, not_null, row_security, watched, small, sized, nested_loops, moves;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.look_0(pg_snapshot, xid8, bigint) FROM PUBLIC;

CREATE INDEX pgtrickle_0_hash ON public.stream_table (hash_record_extended(ROW(id, line, region, other), 0));

GRANT SELECT (xid, seq, w, c1, c2, c3) ON pgtrickle_changes.log_0 TO postgres;

GRANT SELECT (xid, seq, w, c1, c2) ON pgtrickle_changes.log_0 TO postgres;

GRANT SELECT (xid, seq, w, c1, c2) ON pgtrickle_changes.log_0 TO postgres;

