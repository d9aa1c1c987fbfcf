/*
SELECT id, 'customer' AS what FROM customers UNION ALL SELECT id, 'order' FROM orders



DIFFERENTIAL

Stream table, rows identified by the hash of the whole row:
  UnionAll  [O(delta)]
    Project i.id, 'customer'::text AS what  [O(delta)]
      Scan public.customers  [O(delta)]
    Project i.id, 'order'::text AS what  [O(delta)]
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
BEGIN
  v.ignored := set_config('pgtrickle.apply', '0', true);
  IF $1 = 'full' THEN
    WITH
    -- what differs
    net AS MATERIALIZED (
      SELECT x.id AS id, x.what AS what, sum(x.w)::int AS w
      FROM (SELECT x.id::integer AS id, x.what::text AS what, 1 AS w
            FROM (SELECT i.id AS id, i.what AS what
                  FROM (SELECT i.id, 'customer'::text AS what FROM public.customers i) i
                  UNION ALL
                  SELECT i.id AS id, i.what AS what
                  FROM (SELECT i.id, 'order'::text AS what FROM public.orders i) i) x
            UNION ALL
            SELECT o.id AS id, o.what AS what, -1 AS w FROM public.stream_table o) x
      GROUP BY x.id, x.what
      HAVING sum(x.w) <> 0),
    -- the change, with the types of the stream table
    d AS MATERIALIZED (
      SELECT n.id::integer AS id, n.what::text AS what, n.w FROM net n),
    -- stream table: copies that are gone
    hidden AS (
      DELETE FROM public.stream_table t
      WHERE t.ctid = ANY (ARRAY(SELECT x.ctid
             FROM d d
             CROSS JOIN LATERAL (SELECT t.ctid
                                 FROM public.stream_table t
                                 WHERE hash_record_extended(ROW(t.id, t.what), 0) = hash_record_extended(ROW(d.id, d.what), 0)
                                   AND ROW(t.id, t.what)::record = ROW(d.id, d.what)::record
                                 LIMIT -d.w) x
             WHERE d.w < 0))
      RETURNING 1),
    -- stream table: copies that are new
    shown AS (
      INSERT INTO public.stream_table (id, what)
      SELECT d.id, d.what
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
    HAVING sum(l.w) <> 0),
  -- changed rows, net
  net AS MATERIALIZED (
    SELECT x.id AS id, x.what AS what, sum(x.w)::int AS w
    FROM (SELECT i.id AS id, i.what AS what, i.w
          FROM (SELECT i.id, 'customer'::text AS what, i.w FROM d_customers i) i
          WHERE v.customers_changed
          UNION ALL
          SELECT i.id AS id, i.what AS what, i.w
          FROM (SELECT i.id, 'order'::text AS what, i.w FROM d_customers i) i
          WHERE v.orders_changed) x
    GROUP BY x.id, x.what
    HAVING sum(x.w) <> 0),
  -- the change, with the types of the stream table
  d AS MATERIALIZED (
    SELECT n.id::integer AS id, n.what::text AS what, n.w FROM net n),
  -- stream table: copies that are gone
  hidden AS (
    DELETE FROM public.stream_table t
    WHERE t.ctid = ANY (ARRAY(SELECT x.ctid
           FROM d d
           CROSS JOIN LATERAL (SELECT t.ctid
                               FROM public.stream_table t
                               WHERE hash_record_extended(ROW(t.id, t.what), 0) = hash_record_extended(ROW(d.id, d.what), 0)
                                 AND ROW(t.id, t.what)::record = ROW(d.id, d.what)::record
                               LIMIT -d.w) x
           WHERE d.w < 0))
    RETURNING 1),
  -- stream table: copies that are new
  shown AS (
    INSERT INTO public.stream_table (id, what)
    SELECT d.id, d.what
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
         false, 200, false, true, false
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

CREATE INDEX pgtrickle_0_hash ON public.stream_table (hash_record_extended(ROW(id, what), 0));

GRANT SELECT (xid, seq, w, c1) ON pgtrickle_changes.log_0 TO postgres;

GRANT SELECT (xid, seq, w, c1) ON pgtrickle_changes.log_0 TO postgres;

