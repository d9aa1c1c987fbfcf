/*
SELECT DISTINCT ON (customer_id) customer_id, id, placed FROM orders ORDER BY customer_id, placed DESC



DIFFERENTIAL

Stream table, state in pgtrickle_state.node_0_1, rows identified by key:
  DistinctOn i.customer_id by i.customer_id, i.placed DESC  [O(rows of affected keys)]
    Project i.customer_id, i.id, i.placed  [O(delta)]
      Scan public.orders  [O(delta)]
*/

CREATE TABLE pgtrickle_state.node_0_1 AS
SELECT DISTINCT ON (i.customer_id) i.customer_id, i.id, i.placed
FROM (SELECT i.customer_id, i.id, i.placed FROM public.orders i) i
ORDER BY i.customer_id, i.customer_id, i.placed DESC, i.id, i.placed
WITH NO DATA;

CREATE INDEX ON pgtrickle_state.node_0_1 (hash_record_extended(ROW(customer_id), 0));

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
  orders_changed CONSTANT boolean := ($5 & 1) <> 0;
  run ALIAS FOR $6;
  user_keys ALIAS FOR $8;  -- columns of unique indexes that users made; NULL: there are none
  violations bigint;
  ignored text;
BEGIN
  v.ignored := set_config('pgtrickle.apply', '0', true);
  IF $1 = 'full' THEN
    DELETE FROM pgtrickle_state.node_0_1;

    INSERT INTO pgtrickle_state.node_0_1 (customer_id, id, placed)
    SELECT DISTINCT ON (i.customer_id) i.customer_id, i.id, i.placed
    FROM (SELECT i.customer_id, i.id, i.placed FROM public.orders i) i
    ORDER BY i.customer_id, i.customer_id, i.placed DESC, i.id, i.placed;

    WITH
    -- the query
    content AS MATERIALIZED (
      SELECT x.customer_id::integer AS customer_id, x.id::integer AS id,
             x.placed::timestamp with time zone AS placed
      FROM (SELECT s.customer_id, s.id, s.placed FROM pgtrickle_state.node_0_1 s) x),
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
        AND ('customer_id' = ANY (v.user_keys) AND ROW(t.customer_id)::record *<> ROW(n.customer_id::integer)::record
             OR 'id' = ANY (v.user_keys) AND ROW(t.id)::record *<> ROW(n.id::integer)::record
             OR 'placed' = ANY (v.user_keys) AND ROW(t.placed)::record *<> ROW(n.placed::timestamp with time zone)::record)
      RETURNING 1),
    -- stream table: rows that are new or differ
    shown AS (
      INSERT INTO public.stream_table AS t (customer_id, id, placed)
      SELECT n.customer_id::integer AS customer_id, n.id::integer AS id,
             n.placed::timestamp with time zone AS placed
      FROM content n
      WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0
        AND NOT EXISTS (SELECT
                        FROM public.stream_table o
                        WHERE hash_record_extended(ROW(o.customer_id, o.id, o.placed), 0) = hash_record_extended(ROW(n.customer_id, n.id, n.placed), 0)
                          AND ROW(o.customer_id, o.id, o.placed)::record = ROW(n.customer_id, n.id, n.placed)::record)
      ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET customer_id = excluded.customer_id,
                                                              placed = excluded.placed
      WHERE ROW(t.customer_id, t.placed)::record *<> ROW(excluded.customer_id, excluded.placed)::record
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
    HAVING sum(l.w) <> 0),
  -- keys of changed rows
  k AS MATERIALIZED (
    SELECT d.customer_id AS customer_id FROM d_orders d GROUP BY d.customer_id),
  -- stored rows and rows as they shall be: the difference
  z AS MATERIALIZED (
    SELECT x.customer_id AS customer_id, x.id AS id, x.placed AS placed,
           sum(CASE WHEN x.old_ctid IS NULL THEN 1 ELSE -1 END)::int AS w,
           array_agg(x.old_ctid) FILTER (WHERE x.old_ctid IS NOT NULL) AS old_ctids
    FROM (SELECT *
          FROM (SELECT s.customer_id, s.id, s.placed, s.ctid
                FROM k k, pgtrickle_state.node_0_1 s
                WHERE hash_record_extended(ROW(s.customer_id), 0) = hash_record_extended(ROW(k.customer_id), 0)
                  AND ROW(s.customer_id)::record = ROW(k.customer_id)::record) o
          UNION ALL
          SELECT f.*, NULL::tid
          FROM (SELECT DISTINCT ON (i.customer_id) i.customer_id, i.id, i.placed
                FROM (SELECT i.customer_id, i.id, i.placed
                      FROM k k, (SELECT i.customer_id, i.id, i.placed FROM public.orders i) i
                      WHERE i.customer_id = k.customer_id AND EXISTS (SELECT FROM k k)
                      UNION ALL
                      SELECT i.customer_id, i.id, i.placed
                      FROM k k, (SELECT i.customer_id, i.id, i.placed FROM public.orders i) i
                      WHERE (k.customer_id IS NOT DISTINCT FROM NULL)
                        AND (i.customer_id IS NOT DISTINCT FROM NULL)
                        AND EXISTS (SELECT FROM k k WHERE (k.customer_id IS NOT DISTINCT FROM NULL))) i
                ORDER BY i.customer_id, i.customer_id, i.placed DESC, i.id, i.placed) f) x (customer_id, id, placed, old_ctid)
    GROUP BY x.customer_id, x.id, x.placed
    HAVING sum(CASE WHEN x.old_ctid IS NULL THEN 1 ELSE -1 END) <> 0),
  -- state: copies that are gone
  gone AS (
    DELETE FROM pgtrickle_state.node_0_1 s
    WHERE s.ctid = ANY (ARRAY(SELECT unnest(z.old_ctids[1:-z.w]) FROM z z WHERE z.w < 0))),
  -- state: copies that are new
  born AS (
    INSERT INTO pgtrickle_state.node_0_1 (customer_id, id, placed)
    SELECT z.customer_id, z.id, z.placed
    FROM z z
    CROSS JOIN LATERAL generate_series(1, z.w)
    WHERE z.w > 0),
  -- keys: those without a new row, and those without an old one
  k__2 AS MATERIALIZED (
    SELECT n.id, max(n.w) < 0 AS lost, min(n.w) > 0 AS added, bool_or(n.w NOT IN (1, -1)) AS odd
    FROM z n
    GROUP BY n.id),
  -- stream table: rows that are gone
  hidden AS (
    DELETE FROM public.stream_table t
    USING k__2 n
    WHERE n.lost AND t.id = n.id
    RETURNING 1),
  -- stream table: rows that are new or differ
  shown AS (
    INSERT INTO public.stream_table AS t (customer_id, id, placed)
    SELECT n.customer_id::integer AS customer_id, n.id::integer AS id,
           n.placed::timestamp with time zone AS placed
    FROM z n
    WHERE (SELECT count(*) FROM hidden) >= 0 AND n.w > 0
    ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET customer_id = excluded.customer_id,
                                                            placed = excluded.placed
    WHERE ROW(t.customer_id, t.placed)::record *<> ROW(excluded.customer_id, excluded.placed)::record
    RETURNING t.xmax = 0 AS inserted)
  SELECT s.inserted AS rows_inserted, s.updated AS rows_updated, h.deleted AS rows_deleted,
         k.odd + abs(k.lost - h.deleted) + abs(k.added - (s.inserted))
          + 0::bigint AS violations
  FROM (SELECT count(*) FILTER (WHERE shown.inserted) AS inserted,
               count(*) FILTER (WHERE NOT shown.inserted) AS updated
        FROM shown) s,
       (SELECT count(*) AS deleted FROM hidden) h,
       (SELECT count(*) FILTER (WHERE n.lost) AS lost, count(*) FILTER (WHERE n.added) AS added,
               count(*) FILTER (WHERE n.odd) AS odd
        FROM k__2 n) k
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
  SELECT ARRAY[p1.n]::bigint[], array_remove(ARRAY[CASE WHEN p1.marked THEN 0 END]::bigint[], NULL),
         (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = OID AND a.attnum = ANY ('{1,4}') AND a.attnotnull) = 2,
         EXISTS (SELECT FROM pg_class c WHERE c.oid = ANY ('{OID}') AND c.relrowsecurity), false,
         200, false, true, false
  FROM (SELECT count(*) AS n, coalesce(bool_or(l.w = 0), false) AS marked
        FROM pgtrickle_changes.log_0 l
        WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)) p1
  INTO pending, marked, not_null, row_security, watched, small, sized, nested_loops, moves;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.look_0(pg_snapshot, xid8, bigint) FROM PUBLIC;

ALTER TABLE public.stream_table ADD CONSTRAINT pgtrickle_0_key PRIMARY KEY (id);

ALTER TABLE public.stream_table SET (fillfactor = 70);

GRANT SELECT (xid, seq, w, c1, c2, c4) ON pgtrickle_changes.log_0 TO postgres;

