/*
SELECT o.id, c.region FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.placed > now() - interval '1 day'



DIFFERENTIAL: rows come and go as time passes: it does not sleep, but is looked at once per period

Stream table, rows identified by key:
  Project i.id, i.region  [O(delta)]
    Join of 2 on a2.id = a1.customer_id  [O(delta x matches)]
      Temporal filter i.placed > (now() - '1 day'::interval)  [O(delta + rows that cross)]
        Scan public.orders  [O(delta)]
      Scan public.customers  [O(delta)]
Indexes that a delta would use and that do not exist:
  CREATE INDEX ON public.orders (placed);
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
  time_changed CONSTANT boolean := ($5 & 4) <> 0;
  f_now CONSTANT timestamptz := (SELECT f.clock FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = 0);
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
      SELECT x.id::integer AS id, x.region::text AS region
      FROM (SELECT i.id, i.region
            FROM (SELECT a1.id, a1.customer_id, a1.placed, a2.id AS id_1, a2.region
                  FROM (SELECT i.id, i.customer_id, i.placed
                        FROM public.orders i
                        WHERE (i.placed > (pgtrickle._now() - '1 day'::interval))) a1,
                       public.customers a2
                  WHERE a2.id = a1.customer_id) i) x),
    -- stream table: rows that are gone
    hidden AS (
      DELETE FROM public.stream_table t
      WHERE NOT EXISTS (SELECT FROM content n WHERE t.id = n.id)
      RETURNING 1),
    -- rows that trade values of a unique index of the user: they go and come
    moved AS (
      DELETE FROM public.stream_table t
      USING content n
      WHERE v.user_keys IS NOT NULL
        AND t.id = n.id
        AND ('id' = ANY (v.user_keys) AND ROW(t.id)::record *<> ROW(n.id::integer)::record
             OR 'region' = ANY (v.user_keys) AND ROW(t.region)::record *<> ROW(n.region::text)::record)
      RETURNING 1),
    -- stream table: rows that are new or differ
    shown AS (
      INSERT INTO public.stream_table AS t (id, region)
      SELECT n.id::integer AS id, n.region::text AS region
      FROM content n
      WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0
        AND NOT EXISTS (SELECT
                        FROM public.stream_table o
                        WHERE hash_record_extended(ROW(o.id, o.region), 0) = hash_record_extended(ROW(n.id, n.region), 0)
                          AND ROW(o.id, o.region)::record = ROW(n.id, n.region)::record)
      ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET region = excluded.region
      WHERE ROW(t.region)::record *<> ROW(excluded.region)::record
      RETURNING t.xmax = 0 AS inserted)
    SELECT s.inserted - (SELECT count(*) FROM moved) AS rows_inserted,
           s.updated + (SELECT count(*) FROM moved) AS rows_updated,
           (SELECT count(*) FROM hidden) AS rows_deleted,
           (SELECT count(*) FROM content) - (SELECT count(*) FROM (SELECT FROM content n GROUP BY n.id) k) AS violations
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
    SELECT l.c1 AS id, l.c2 AS customer_id, l.c4 AS placed, sum(l.w)::int AS w
    FROM pgtrickle_changes.log_0 l
    WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)
    GROUP BY l.c1, l.c2, l.c4
    HAVING sum(l.w) <> 0
    LIMIT (nullif(current_setting('pgtrickle.sizes', true), '')::bigint[])[2]),
  -- rows of one input that changed
  d AS MATERIALIZED (
    SELECT i.id, i.customer_id, i.placed, i.w
    FROM d_orders i
    WHERE (i.placed > (v.f_now - '1 day'::interval)) AND v.orders_changed
    UNION ALL
    SELECT i.id, i.customer_id, i.placed,
           CASE WHEN (i.placed > (pgtrickle._now() - '1 day'::interval)) IS TRUE THEN 1 ELSE -1 END AS w
    FROM public.orders i
    WHERE (v.f_now - '1 day'::interval) <> (pgtrickle._now() - '1 day'::interval)
      AND i.placed > least(v.f_now - '1 day'::interval, pgtrickle._now() - '1 day'::interval)
      AND i.placed <= greatest(v.f_now - '1 day'::interval, pgtrickle._now() - '1 day'::interval)
      AND ((i.placed > (v.f_now - '1 day'::interval)) IS TRUE) <> ((i.placed > (pgtrickle._now() - '1 day'::interval)) IS TRUE)
      AND (v.orders_changed OR v.time_changed)),
  -- customers: rows that are pending, net
  d_customers AS MATERIALIZED (
    SELECT l.c1 AS id, l.c2 AS region, sum(l.w)::int AS w
    FROM pgtrickle_changes.log_0 l
    WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)
    GROUP BY l.c1, l.c2
    HAVING sum(l.w) <> 0
    LIMIT (nullif(current_setting('pgtrickle.sizes', true), '')::bigint[])[1]),
  -- changed rows, net
  net AS MATERIALIZED (
    SELECT x.id AS id, x.region AS region, sum(x.w)::int AS w
    FROM (SELECT a1.id, a1.customer_id, a1.placed, a2.id AS id_1, a2.region, a1.w AS w
          FROM d a1, public.customers a2
          WHERE a2.id = a1.customer_id AND (v.orders_changed OR v.time_changed)
          UNION ALL
          SELECT a1.id, a1.customer_id, a1.placed, a2.id AS id_1, a2.region, a2.w AS w
          FROM (SELECT i.id, i.customer_id, i.placed
                FROM public.orders i
                WHERE (i.placed > (pgtrickle._now() - '1 day'::interval))) a1,
               d_customers a2
          WHERE a2.id = a1.customer_id AND v.customers_changed
          UNION ALL
          SELECT a1.id, a1.customer_id, a1.placed, a2.id AS id_1, a2.region, -(a1.w * a2.w) AS w
          FROM d a1, d_customers a2
          WHERE a2.id = a1.customer_id AND (v.orders_changed OR v.time_changed) AND v.customers_changed) x
    GROUP BY x.id, x.region
    HAVING sum(x.w) <> 0),
  -- keys: those without a new row, and those without an old one
  k AS MATERIALIZED (
    SELECT n.id, max(n.w) < 0 AS lost, min(n.w) > 0 AS added, bool_or(n.w NOT IN (1, -1)) AS odd
    FROM net n
    GROUP BY n.id),
  -- stream table: rows that are new or differ
  shown AS (
    INSERT INTO public.stream_table AS t (id, region)
    SELECT n.id::integer AS id, n.region::text AS region FROM net n WHERE n.w > 0
    ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET region = excluded.region
    WHERE ROW(t.region)::record *<> ROW(excluded.region)::record
    RETURNING t.xmax = 0 AS inserted)
  SELECT s.inserted AS rows_inserted, s.updated AS rows_updated, 0::bigint AS rows_deleted,
         k.odd + abs(k.added - s.inserted) AS violations, k.lost AS gone
  FROM (SELECT count(*) FILTER (WHERE shown.inserted) AS inserted,
               count(*) FILTER (WHERE NOT shown.inserted) AS updated
        FROM shown) s,
       (SELECT array_agg(ROW(n.id, NULL)::public.stream_table) FILTER (WHERE n.lost) AS lost,
               count(*) FILTER (WHERE n.added) AS added, count(*) FILTER (WHERE n.odd) AS odd
        FROM k n) k
  INTO rows_inserted, rows_updated, rows_deleted, v.violations, v.gone;
  IF v.gone IS NOT NULL THEN
    DELETE FROM public.stream_table t USING unnest(v.gone) n WHERE t.id = n.id;
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

CREATE OR REPLACE FUNCTION pgtrickle_state.crossing_0() RETURNS bigint
LANGUAGE plpgsql STABLE
AS $pgt$
#variable_conflict use_column
<<v>>
DECLARE
  f_now CONSTANT timestamptz := (SELECT f.clock FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = 0);
  crossing bigint;
BEGIN
  SELECT sum(c.n)
  FROM (SELECT count(*) AS n
        FROM (SELECT i.id, i.customer_id, i.placed,
                     CASE WHEN (i.placed > (pgtrickle._now() - '1 day'::interval)) IS TRUE THEN 1 ELSE -1 END AS w
              FROM public.orders i
              WHERE (v.f_now - '1 day'::interval) <> (pgtrickle._now() - '1 day'::interval)
                AND i.placed > least(v.f_now - '1 day'::interval, pgtrickle._now() - '1 day'::interval)
                AND i.placed <= greatest(v.f_now - '1 day'::interval, pgtrickle._now() - '1 day'::interval)
                AND ((i.placed > (v.f_now - '1 day'::interval)) IS TRUE) <> ((i.placed > (pgtrickle._now() - '1 day'::interval)) IS TRUE)) x) c
  INTO v.crossing;
  RETURN v.crossing;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.crossing_0() FROM PUBLIC;

CREATE OR REPLACE FUNCTION pgtrickle_state.next_crossing_0() RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $pgt$
#variable_conflict use_column
BEGIN
  RETURN (SELECT min(x.at)
          FROM (SELECT CASE WHEN ((pgtrickle._now() + '1 hour'::interval) - '1 day'::interval) = (pgtrickle._now() - '1 day'::interval) THEN pgtrickle._now() + interval '1 hour' WHEN ((pgtrickle._now() + '1 minute'::interval) - '1 day'::interval) = (pgtrickle._now() - '1 day'::interval) THEN pgtrickle._now() + interval '1 minute' ELSE pgtrickle._now() END AS at) x);
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.next_crossing_0() FROM PUBLIC;

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
  SELECT ARRAY[p1.n, p2.n, pgtrickle_state.crossing_0()]::bigint[],
         array_remove(ARRAY[CASE WHEN p1.marked THEN 0 END, CASE WHEN p2.marked THEN 0 END]::bigint[], NULL),
         (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = OID AND a.attnum = ANY ('{1}') AND a.attnotnull)
          + (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = OID AND a.attnum = ANY ('{1,4}') AND a.attnotnull) = 3,
         EXISTS (SELECT FROM pg_class c WHERE c.oid = ANY ('{OID,OID}') AND c.relrowsecurity),
         false, 200, true, false, false
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

ALTER TABLE public.stream_table ADD CONSTRAINT pgtrickle_0_key PRIMARY KEY (id);

GRANT SELECT (xid, seq, w, c1, c2) ON pgtrickle_changes.log_0 TO postgres;

GRANT SELECT (xid, seq, w, c1, c2, c4) ON pgtrickle_changes.log_0 TO postgres;

