/*
SELECT c.id, o.id AS order_id FROM customers c FULL JOIN orders o ON o.customer_id = c.id



DIFFERENTIAL

Stream table, rows identified by key:
  Project i.id, i.id_1 AS order_id  [O(delta)]
    Full join on b.customer_id = a.id  [O(delta x matches)]
      Scan public.customers  [O(delta)]
      Scan public.orders  [O(delta)]
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
  run ALIAS FOR $6;
  user_keys ALIAS FOR $8;  -- columns of unique indexes that users made; NULL: there are none
  violations bigint;
  ignored text;
  gone public.stream_table[];
  sizes_before CONSTANT text := current_setting('pgtrickle.sizes', true);
BEGIN
  v.ignored := set_config('pgtrickle.apply', '0', true);
  v.ignored := set_config('pgtrickle.sizes', $7, true);
  IF $1 = 'full' THEN
    WITH
    -- the query
    content AS MATERIALIZED (
      SELECT x.id::integer AS id, x.order_id::integer AS order_id
      FROM (SELECT i.id, i.id_1 AS order_id
            FROM (SELECT a.id, b.id AS id_1, b.customer_id
                  FROM public.customers a
                  FULL JOIN public.orders b ON b.customer_id = a.id) i) x),
    -- stream table: rows that are gone
    hidden AS (
      DELETE FROM public.stream_table t
      WHERE NOT EXISTS (SELECT
                        FROM content n
                        WHERE hash_record_extended(ROW(t.id, t.order_id), 0) = hash_record_extended(ROW(n.id, n.order_id), 0)
                          AND ROW(t.id, t.order_id)::record = ROW(n.id, n.order_id)::record)
      RETURNING 1),
    -- rows that trade values of a unique index of the user: they go and come
    moved AS (
      DELETE FROM public.stream_table t
      USING content n
      WHERE v.user_keys IS NOT NULL
        AND hash_record_extended(ROW(t.id, t.order_id), 0) = hash_record_extended(ROW(n.id, n.order_id), 0)
        AND ROW(t.id, t.order_id)::record = ROW(n.id, n.order_id)::record
        AND ('id' = ANY (v.user_keys) AND ROW(t.id)::record *<> ROW(n.id::integer)::record
             OR 'order_id' = ANY (v.user_keys) AND ROW(t.order_id)::record *<> ROW(n.order_id::integer)::record)
      RETURNING 1),
    -- stream table: rows that are new or differ
    shown AS (
      INSERT INTO public.stream_table AS t (id, order_id)
      SELECT n.id::integer AS id, n.order_id::integer AS order_id
      FROM content n
      WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0
        AND NOT EXISTS (SELECT
                        FROM public.stream_table o
                        WHERE hash_record_extended(ROW(o.id, o.order_id), 0) = hash_record_extended(ROW(n.id, n.order_id), 0)
                          AND ROW(o.id, o.order_id)::record = ROW(n.id, n.order_id)::record)
      ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO NOTHING
      RETURNING t.xmax = 0 AS inserted)
    SELECT s.inserted - (SELECT count(*) FROM moved) AS rows_inserted,
           s.updated + (SELECT count(*) FROM moved) AS rows_updated,
           (SELECT count(*) FROM hidden) AS rows_deleted,
           (SELECT count(*) FROM content) - (SELECT count(*) FROM (SELECT FROM content n GROUP BY n.id, n.order_id) k) AS violations
    FROM (SELECT count(*) FILTER (WHERE shown.inserted) AS inserted,
                 count(*) FILTER (WHERE NOT shown.inserted) AS updated
          FROM shown) s
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
  -- customers: rows that are pending, net
  d_customers AS MATERIALIZED (
    SELECT l.c1 AS id, sum(l.w)::int AS w
    FROM pgtrickle_changes.log_0 l
    WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)
    GROUP BY l.c1
    HAVING sum(l.w) <> 0
    LIMIT (nullif(current_setting('pgtrickle.sizes', true), '')::bigint[])[1]),
  -- orders: rows that are pending, net
  d_orders AS MATERIALIZED (
    SELECT l.c1 AS id, l.c2 AS customer_id, sum(l.w)::int AS w
    FROM pgtrickle_changes.log_0 l
    WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)
    GROUP BY l.c1, l.c2
    HAVING sum(l.w) <> 0
    LIMIT (nullif(current_setting('pgtrickle.sizes', true), '')::bigint[])[2]),
  -- keys whose number of matches changes, and by how many
  affected AS MATERIALIZED (
    SELECT b.customer_id AS k1, sum(b.w)::int AS dm
    FROM d_orders b
    WHERE b.customer_id IS DISTINCT FROM NULL
    GROUP BY b.customer_id
    HAVING sum(b.w) <> 0),
  -- rows that get their first match (+1) or lose their last (-1)
  flips AS MATERIALIZED (
    SELECT t.k1, CASE WHEN m.n = 0 THEN 1 ELSE -1 END AS flip
    FROM affected t
    CROSS JOIN LATERAL (SELECT count(*) AS n
                        FROM (SELECT
                              FROM public.orders b
                              WHERE b.customer_id = t.k1
                              LIMIT greatest(t.dm, 0) + 1) x) m
    WHERE (m.n = 0) <> (m.n = t.dm)),
  -- keys whose number of matches changes, and by how many
  affected__2 AS MATERIALIZED (
    SELECT b.id AS k1, sum(b.w)::int AS dm
    FROM d_customers b
    WHERE b.id IS DISTINCT FROM NULL
    GROUP BY b.id
    HAVING sum(b.w) <> 0),
  -- rows that get their first match (+1) or lose their last (-1)
  flips__2 AS MATERIALIZED (
    SELECT t.k1, CASE WHEN m.n = 0 THEN 1 ELSE -1 END AS flip
    FROM affected__2 t
    CROSS JOIN LATERAL (SELECT count(*) AS n
                        FROM (SELECT FROM public.customers b WHERE b.id = t.k1 LIMIT greatest(t.dm, 0) + 1) x) m
    WHERE (m.n = 0) <> (m.n = t.dm)),
  -- changed rows, net
  net AS MATERIALIZED (
    SELECT x.id AS id, x.order_id AS order_id, sum(x.w)::int AS w
    FROM (SELECT i.id, i.id_1 AS order_id, i.w
          FROM (SELECT a.id, b.id AS id_1, b.customer_id, a.w AS w
                FROM d_customers a
                LEFT JOIN public.orders b ON b.customer_id = a.id
                WHERE v.customers_changed
                UNION ALL
                SELECT a.id, b.id AS id_1, b.customer_id, b.w AS w
                FROM public.customers a
                RIGHT JOIN d_orders b ON b.customer_id = a.id
                WHERE v.orders_changed
                UNION ALL
                SELECT a.id, b.id AS id_1, b.customer_id, -(a.w * b.w) AS w
                FROM d_customers a
                INNER JOIN d_orders b ON b.customer_id = a.id
                WHERE v.customers_changed AND v.orders_changed
                UNION ALL
                SELECT a.id, NULL::integer AS id_1, NULL::integer AS customer_id, f.flip AS w
                FROM flips f, public.customers a
                WHERE a.id = f.k1 AND v.orders_changed
                UNION ALL
                SELECT a.id, NULL::integer AS id_1, NULL::integer AS customer_id, -(a.w * f.flip) AS w
                FROM flips f, d_customers a
                WHERE a.id = f.k1 AND v.orders_changed AND v.customers_changed
                UNION ALL
                SELECT NULL::integer AS id, a.id AS id_1, a.customer_id, f.flip AS w
                FROM flips__2 f, public.orders a
                WHERE a.customer_id = f.k1 AND v.customers_changed
                UNION ALL
                SELECT NULL::integer AS id, a.id AS id_1, a.customer_id, -(a.w * f.flip) AS w
                FROM flips__2 f, d_orders a
                WHERE a.customer_id = f.k1 AND v.customers_changed AND v.orders_changed) i) x
    GROUP BY x.id, x.order_id
    HAVING sum(x.w) <> 0),
  -- keys: those without a new row, and those without an old one
  k AS MATERIALIZED (
    SELECT n.id, n.order_id, max(n.w) < 0 AS lost, min(n.w) > 0 AS added,
           bool_or(n.w NOT IN (1, -1)) AS odd
    FROM net n
    GROUP BY n.id, n.order_id),
  -- stream table: rows that are new or differ
  shown AS (
    INSERT INTO public.stream_table AS t (id, order_id)
    SELECT n.id::integer AS id, n.order_id::integer AS order_id
    FROM net n
    WHERE n.w > 0
    ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO NOTHING
    RETURNING t.xmax = 0 AS inserted)
  SELECT s.inserted AS rows_inserted, s.updated AS rows_updated, 0::bigint AS rows_deleted,
         k.odd + abs(k.added - s.inserted) AS violations, k.lost AS gone
  FROM (SELECT count(*) FILTER (WHERE shown.inserted) AS inserted,
               count(*) FILTER (WHERE NOT shown.inserted) AS updated
        FROM shown) s,
       (SELECT array_agg(ROW(n.id, n.order_id)::public.stream_table) FILTER (WHERE n.lost) AS lost,
               count(*) FILTER (WHERE n.added) AS added, count(*) FILTER (WHERE n.odd) AS odd
        FROM k n) k
  INTO rows_inserted, rows_updated, rows_deleted, v.violations, v.gone;
  IF v.gone IS NOT NULL THEN
    DELETE FROM public.stream_table t
    USING unnest(v.gone) n
    WHERE hash_record_extended(ROW(t.id, t.order_id), 0) = hash_record_extended(ROW(n.id, n.order_id), 0)
      AND ROW(t.id, t.order_id)::record = ROW(n.id, n.order_id)::record;
    GET DIAGNOSTICS rows_deleted = ROW_COUNT;
    v.violations := v.violations + abs(cardinality(v.gone) - rows_deleted);
  END IF;
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
  SELECT ARRAY[p1.n, p2.n]::bigint[],
         array_remove(ARRAY[CASE WHEN p1.marked THEN 0 END, CASE WHEN p2.marked THEN 0 END]::bigint[], NULL),
         (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = OID AND a.attnum = ANY ('{1}') AND a.attnotnull)
          + (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = OID AND a.attnum = ANY ('{1}') AND a.attnotnull) = 2,
         EXISTS (SELECT FROM pg_class c WHERE c.oid = ANY ('{OID,OID}') AND c.relrowsecurity),
         false, 200, true, true, false
  FROM (SELECT count(*) AS n, coalesce(bool_or(l.w = 0), false) AS marked
        FROM pgtrickle_changes.log_0 l
        WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)) p1,
       (SELECT count(*) AS n, coalesce(bool_or(l.w = 0), false) AS marked
        FROM pgtrickle_changes.log_0 l
        WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)) p2
  INTO pending, marked, not_null, row_security, watched, small, sized, nested_loops, moves;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.look_0(pg_snapshot, xid8, bigint) FROM PUBLIC;

ALTER TABLE public.stream_table ADD CONSTRAINT pgtrickle_0_key UNIQUE NULLS NOT DISTINCT (id, order_id);

CREATE INDEX pgtrickle_0_hash ON public.stream_table (hash_record_extended(ROW(id, order_id), 0));

GRANT SELECT (xid, seq, w, c1) ON pgtrickle_changes.log_0 TO postgres;

GRANT SELECT (xid, seq, w, c1, c2) ON pgtrickle_changes.log_0 TO postgres;

