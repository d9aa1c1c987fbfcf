/*
SELECT c.region, count(*) AS orders, sum(o.amount) AS revenue FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY c.region



DIFFERENTIAL

Stream table, state in pgtrickle_state.node_0_1, rows identified by key:
  Project i.region, i.count AS orders, i.sum AS revenue  [O(delta)]
    Aggregate count(*), sum(i.amount) by i.region  [O(delta)]
      Join of 2 on a2.id = a1.customer_id  [O(delta x matches)]
        Scan public.orders  [O(delta)]
        Scan public.customers  [O(delta)]
*/

CREATE TABLE pgtrickle_state.node_0_1 AS
SELECT i.region AS region, count(*) AS n,
       coalesce(count(*) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
       coalesce(sum(i.amount), 0)::numeric AS sum_amount
FROM (SELECT a1.customer_id, a1.amount, a2.id, a2.region
      FROM public.orders a1, public.customers a2
      WHERE a2.id = a1.customer_id) i
GROUP BY i.region
WITH NO DATA;

CREATE INDEX ON pgtrickle_state.node_0_1 (hash_record_extended(ROW(region), 0));

ALTER TABLE pgtrickle_state.node_0_1 SET (fillfactor = 70);

-- A group from the sources: a sum in its state was NaN or infinite.
CREATE OR REPLACE FUNCTION pgtrickle_state.groups_0_1(groups pgtrickle_state.node_0_1) RETURNS pgtrickle_state.node_0_1
LANGUAGE plpgsql
AS $pgt$
#variable_conflict use_column
DECLARE
    r pgtrickle_state.node_0_1;
BEGIN
    SELECT q.*
    FROM (SELECT k.region, count(*) AS n,
                 coalesce(count(*) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
                 coalesce(sum(i.amount), 0)::numeric AS sum_amount
          FROM (SELECT ($1).*) k,
               (SELECT a1.customer_id, a1.amount, a2.id, a2.region
                FROM public.orders a1, public.customers a2
                WHERE a2.id = a1.customer_id) i
          WHERE i.region = k.region
          GROUP BY k.region
          UNION ALL
          SELECT k.region, count(*) AS n,
                 coalesce(count(*) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
                 coalesce(sum(i.amount), 0)::numeric AS sum_amount
          FROM (SELECT ($1).*) k,
               (SELECT a1.customer_id, a1.amount, a2.id, a2.region
                FROM public.orders a1, public.customers a2
                WHERE a2.id = a1.customer_id) i
          WHERE (k.region IS NOT DISTINCT FROM NULL) AND (i.region IS NOT DISTINCT FROM NULL)
          GROUP BY k.region) q
    INTO r;
    RETURN r;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.groups_0_1(pgtrickle_state.node_0_1) FROM PUBLIC;

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
  gone tid[];
  sizes_before CONSTANT text := current_setting('pgtrickle.sizes', true);
BEGIN
  v.ignored := set_config('pgtrickle.apply', '0', true);
  v.ignored := set_config('pgtrickle.sizes', $7, true);
  IF $1 = 'full' THEN
    DELETE FROM pgtrickle_state.node_0_1;

    INSERT INTO pgtrickle_state.node_0_1 (region, n, count_amount, sum_amount)
    SELECT i.region AS region, count(*) AS n,
           coalesce(count(*) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
           coalesce(sum(i.amount), 0)::numeric AS sum_amount
    FROM (SELECT a1.customer_id, a1.amount, a2.id, a2.region
          FROM public.orders a1, public.customers a2
          WHERE a2.id = a1.customer_id) i
    GROUP BY i.region;

    WITH
    -- the query
    content AS MATERIALIZED (
      SELECT x.region::text AS region, x.orders::bigint AS orders, x.revenue::numeric AS revenue
      FROM (SELECT i.region, i.count AS orders, i.sum AS revenue
            FROM (SELECT s.region, s.n AS count, CASE WHEN s.count_amount > 0 THEN s.sum_amount END AS sum
                  FROM pgtrickle_state.node_0_1 s) i) x),
    -- stream table: rows that are gone
    hidden AS (
      DELETE FROM public.stream_table t
      WHERE NOT EXISTS (SELECT
                        FROM content n
                        WHERE hash_record_extended(ROW(t.region), 0) = hash_record_extended(ROW(n.region), 0)
                          AND ROW(t.region)::record = ROW(n.region)::record)
      RETURNING 1),
    -- rows that trade values of a unique index of the user: they go and come
    moved AS (
      DELETE FROM public.stream_table t
      USING content n
      WHERE v.user_keys IS NOT NULL
        AND hash_record_extended(ROW(t.region), 0) = hash_record_extended(ROW(n.region), 0)
        AND ROW(t.region)::record = ROW(n.region)::record
        AND ('region' = ANY (v.user_keys) AND ROW(t.region)::record *<> ROW(n.region::text)::record
             OR 'orders' = ANY (v.user_keys) AND ROW(t.orders)::record *<> ROW(n.orders::bigint)::record
             OR 'revenue' = ANY (v.user_keys) AND ROW(t.revenue)::record *<> ROW(n.revenue::numeric)::record)
      RETURNING 1),
    -- stream table: rows that are new or differ
    shown AS (
      INSERT INTO public.stream_table AS t (region, orders, revenue)
      SELECT n.region::text AS region, n.orders::bigint AS orders, n.revenue::numeric AS revenue
      FROM content n
      WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0
        AND NOT EXISTS (SELECT
                        FROM public.stream_table o
                        WHERE hash_record_extended(ROW(o.region, o.orders, o.revenue), 0) = hash_record_extended(ROW(n.region, n.orders, n.revenue), 0)
                          AND ROW(o.region, o.orders, o.revenue)::record = ROW(n.region, n.orders, n.revenue)::record
                          AND ROW(o.region, o.orders, o.revenue)::record *= ROW(n.region, n.orders, n.revenue)::record)
      ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET orders = excluded.orders,
                                                              revenue = excluded.revenue
      WHERE ROW(t.orders, t.revenue)::record *<> ROW(excluded.orders, excluded.revenue)::record
      RETURNING t.xmax = 0 AS inserted)
    SELECT s.inserted - (SELECT count(*) FROM moved) AS rows_inserted,
           s.updated + (SELECT count(*) FROM moved) AS rows_updated,
           (SELECT count(*) FROM hidden) AS rows_deleted,
           (SELECT count(*) FROM content) - (SELECT count(*) FROM (SELECT FROM content n GROUP BY n.region) k) AS violations
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
  -- orders: rows that are pending, net
  d_orders AS MATERIALIZED (
    SELECT l.c2 AS customer_id, l.c3 AS amount, sum(l.w)::int AS w
    FROM pgtrickle_changes.log_0 l
    WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)
    GROUP BY l.c2, l.c3, pg_catalog.numeric_send(l.c3)
    HAVING sum(l.w) <> 0
    LIMIT (nullif(current_setting('pgtrickle.sizes', true), '')::bigint[])[2]),
  -- customers: rows that are pending, net
  d_customers AS MATERIALIZED (
    SELECT l.c1 AS id, l.c2 AS region, sum(l.w)::int AS w
    FROM pgtrickle_changes.log_0 l
    WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)
    GROUP BY l.c1, l.c2
    HAVING sum(l.w) <> 0
    LIMIT (nullif(current_setting('pgtrickle.sizes', true), '')::bigint[])[1]),
  -- changed groups: what is added to each
  g AS MATERIALIZED (
    SELECT i.region AS region, coalesce(sum(i.w), 0)::bigint AS n,
           coalesce(sum(i.w) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
           coalesce(sum(i.w * i.amount), 0)::numeric AS sum_amount
    FROM (SELECT a1.customer_id, a1.amount, a2.id, a2.region, a1.w AS w
          FROM d_orders a1, public.customers a2
          WHERE a2.id = a1.customer_id AND v.orders_changed
          UNION ALL
          SELECT a1.customer_id, a1.amount, a2.id, a2.region, a2.w AS w
          FROM public.orders a1, d_customers a2
          WHERE a2.id = a1.customer_id AND v.customers_changed
          UNION ALL
          SELECT a1.customer_id, a1.amount, a2.id, a2.region, -(a1.w * a2.w) AS w
          FROM d_orders a1, d_customers a2
          WHERE a2.id = a1.customer_id AND v.orders_changed AND v.customers_changed) i
    GROUP BY i.region),
  -- those groups beside their stored values
  m AS MATERIALIZED (
    SELECT g.region, s.ctid AS old_ctid, coalesce(s.n, 0) + g.n AS new_n,
           coalesce(s.count_amount, 0) + g.count_amount AS new_count_amount,
           CASE WHEN abs(coalesce(s.sum_amount, 0) + g.sum_amount) >= 'Infinity' THEN (pgtrickle_state.groups_0_1(ROW(g.region, NULL, NULL, NULL)::pgtrickle_state.node_0_1)).sum_amount ELSE coalesce(s.sum_amount, 0) + g.sum_amount END AS new_sum_amount
    FROM g g
    LEFT JOIN pgtrickle_state.node_0_1 s
              ON hash_record_extended(ROW(s.region), 0) = hash_record_extended(ROW(g.region), 0)
              AND ROW(s.region)::record = ROW(g.region)::record),
  -- state: keys that stay
  kept AS (
    UPDATE pgtrickle_state.node_0_1 s
    SET n = m.new_n, count_amount = m.new_count_amount, sum_amount = m.new_sum_amount
    FROM m m
    WHERE s.ctid = m.old_ctid AND m.new_n > 0),
  -- state: keys that are new
  born AS (
    INSERT INTO pgtrickle_state.node_0_1 (region, n, count_amount, sum_amount)
    SELECT m.region, m.new_n, m.new_count_amount, m.new_sum_amount
    FROM m m
    WHERE m.old_ctid IS NULL AND m.new_n > 0),
  -- output rows of these keys
  c AS NOT MATERIALIZED (
    SELECT m.region, m.new_n AS new_count,
           CASE WHEN m.new_count_amount > 0 THEN m.new_sum_amount END AS new_sum, m.new_n > 0 AS now
    FROM m m),
  -- rows as they shall be
  rows AS (
    SELECT i.region, i.count AS orders, i.sum AS revenue
    FROM (SELECT c.region AS region, c.new_count AS count, c.new_sum AS sum
          FROM c c
          WHERE c.now) i),
  -- stream table: rows that are new or differ
  shown AS (
    INSERT INTO public.stream_table AS t (region, orders, revenue)
    SELECT n.region::text AS region, n.orders::bigint AS orders, n.revenue::numeric AS revenue
    FROM rows n
    ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET orders = excluded.orders,
                                                            revenue = excluded.revenue
    WHERE ROW(t.orders, t.revenue)::record *<> ROW(excluded.orders, excluded.revenue)::record
    RETURNING t.xmax = 0 AS inserted)
  SELECT s.inserted AS rows_inserted, s.updated AS rows_updated, 0::bigint AS rows_deleted,
         m.broken AS violations, m.gone
  FROM (SELECT count(*) FILTER (WHERE shown.inserted) AS inserted,
               count(*) FILTER (WHERE NOT shown.inserted) AS updated
        FROM shown) s,
       (SELECT count(*) FILTER (WHERE m.new_n < 0) AS broken,
               array_agg(m.old_ctid) FILTER (WHERE m.new_n <= 0 AND m.old_ctid IS NOT NULL) AS gone
        FROM m m) m
  INTO rows_inserted, rows_updated, rows_deleted, v.violations, v.gone;
  IF v.violations <> 0 THEN
    PERFORM pgtrickle._raise_disagreement('public.stream_table', 'state', v.violations);
  END IF;
  IF v.gone IS NOT NULL THEN
    DELETE FROM public.stream_table t
    USING pgtrickle_state.node_0_1 s
    WHERE s.ctid = ANY (v.gone)
      AND hash_record_extended(ROW(t.region), 0) = hash_record_extended(ROW(s.region), 0)
      AND ROW(t.region)::record = ROW(s.region)::record;
    GET DIAGNOSTICS rows_deleted = ROW_COUNT;
    DELETE FROM pgtrickle_state.node_0_1 s WHERE s.ctid = ANY (v.gone);
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
         (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = OID AND a.attnum = ANY ('{1}') AND a.attnotnull) = 1,
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

ALTER TABLE public.stream_table ADD CONSTRAINT pgtrickle_0_key UNIQUE NULLS NOT DISTINCT (region);

CREATE INDEX pgtrickle_0_hash ON public.stream_table (hash_record_extended(ROW(region), 0));

ALTER TABLE public.stream_table SET (fillfactor = 70);

GRANT SELECT (xid, seq, w, c1, c2) ON pgtrickle_changes.log_0 TO postgres;

GRANT SELECT (xid, seq, w, c2, c3) ON pgtrickle_changes.log_0 TO postgres;

