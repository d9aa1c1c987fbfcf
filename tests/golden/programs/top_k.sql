/*
SELECT id, amount FROM orders ORDER BY amount DESC, id LIMIT 10



DIFFERENTIAL

Stream table, state in pgtrickle_state.node_0_1, rows identified by key:
  TopK by i.amount DESC, i.id limit 10  [O(delta), a rerun with LIMIT when the top changes]
    Project i.id, i.amount  [O(delta)]
      Scan public.orders  [O(delta)]
Indexes that a delta would use and that do not exist:
  CREATE INDEX ON public.orders (amount);
*/

CREATE TABLE pgtrickle_state.node_0_1 AS
SELECT i.id, i.amount
FROM (SELECT i.id, i.amount FROM public.orders i) i
ORDER BY i.amount DESC, i.id, i.id, i.amount, pg_catalog.numeric_send(i.amount)
LIMIT (10)::bigint
WITH NO DATA;

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

    INSERT INTO pgtrickle_state.node_0_1 (id, amount)
    SELECT i.id, i.amount
    FROM (SELECT i.id, i.amount FROM public.orders i) i
    ORDER BY i.amount DESC, i.id, i.id, i.amount, pg_catalog.numeric_send(i.amount)
    LIMIT (10)::bigint;

    WITH
    -- the query
    content AS MATERIALIZED (
      SELECT x.id::integer AS id, x.amount::numeric AS amount
      FROM (SELECT s.id, s.amount FROM pgtrickle_state.node_0_1 s) x),
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
             OR 'amount' = ANY (v.user_keys) AND ROW(t.amount)::record *<> ROW(n.amount::numeric)::record)
      RETURNING 1),
    -- stream table: rows that are new or differ
    shown AS (
      INSERT INTO public.stream_table AS t (id, amount)
      SELECT n.id::integer AS id, n.amount::numeric AS amount
      FROM content n
      WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0
        AND NOT EXISTS (SELECT
                        FROM public.stream_table o
                        WHERE hash_record_extended(ROW(o.id, o.amount), 0) = hash_record_extended(ROW(n.id, n.amount), 0)
                          AND ROW(o.id, o.amount)::record = ROW(n.id, n.amount)::record
                          AND ROW(o.id, o.amount)::record *= ROW(n.id, n.amount)::record)
      ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET amount = excluded.amount
      WHERE ROW(t.amount)::record *<> ROW(excluded.amount)::record
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
    SELECT l.c1 AS id, l.c3 AS amount, sum(l.w)::int AS w
    FROM pgtrickle_changes.log_0 l
    WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)
    GROUP BY l.c1, l.c3, pg_catalog.numeric_send(l.c3)
    HAVING sum(l.w) <> 0),
  -- does a changed row sort before the last stored one?
  reached AS MATERIALIZED (
    SELECT NOT x.stored AS reached
    FROM (SELECT d.id, d.amount, false FROM d_orders d
          UNION ALL
          (SELECT s.id, s.amount, true
           FROM pgtrickle_state.node_0_1 s
           WHERE (10)::bigint > 0
           ORDER BY s.amount DESC, s.id
           OFFSET greatest((10)::bigint - 1, 0)
           LIMIT 1)) x (id, amount, stored)
    ORDER BY x.amount DESC, x.id, x.stored
    LIMIT 1),
  -- stored rows and rows as they shall be: the difference
  z AS MATERIALIZED (
    SELECT x.id AS id, x.amount AS amount,
           sum(CASE WHEN x.old_ctid IS NULL THEN 1 ELSE -1 END)::int AS w,
           array_agg(x.old_ctid) FILTER (WHERE x.old_ctid IS NOT NULL) AS old_ctids
    FROM (SELECT *
          FROM (SELECT s.id, s.amount, s.ctid
                FROM pgtrickle_state.node_0_1 s
                WHERE (SELECT x.reached FROM reached x)) o
          UNION ALL
          SELECT f.*, NULL::tid
          FROM (SELECT i.id, i.amount
                FROM (SELECT i.id, i.amount FROM public.orders i) i
                WHERE (SELECT x.reached FROM reached x)
                ORDER BY i.amount DESC, i.id, i.id, i.amount, pg_catalog.numeric_send(i.amount)
                LIMIT (10)::bigint) f) x (id, amount, old_ctid)
    GROUP BY x.id, x.amount, pg_catalog.numeric_send(x.amount)
    HAVING sum(CASE WHEN x.old_ctid IS NULL THEN 1 ELSE -1 END) <> 0),
  -- state: copies that are gone
  gone AS (
    DELETE FROM pgtrickle_state.node_0_1 s
    WHERE s.ctid = ANY (ARRAY(SELECT unnest(z.old_ctids[1:-z.w]) FROM z z WHERE z.w < 0))),
  -- state: copies that are new
  born AS (
    INSERT INTO pgtrickle_state.node_0_1 (id, amount)
    SELECT z.id, z.amount
    FROM z z
    CROSS JOIN LATERAL generate_series(1, z.w)
    WHERE z.w > 0),
  -- keys: those without a new row, and those without an old one
  k AS MATERIALIZED (
    SELECT n.id, max(n.w) < 0 AS lost, min(n.w) > 0 AS added, bool_or(n.w NOT IN (1, -1)) AS odd
    FROM z n
    GROUP BY n.id),
  -- stream table: rows that are gone
  hidden AS (
    DELETE FROM public.stream_table t
    USING k n
    WHERE n.lost AND t.id = n.id
    RETURNING 1),
  -- stream table: rows that are new or differ
  shown AS (
    INSERT INTO public.stream_table AS t (id, amount)
    SELECT n.id::integer AS id, n.amount::numeric AS amount
    FROM z n
    WHERE (SELECT count(*) FROM hidden) >= 0 AND n.w > 0
    ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET amount = excluded.amount
    WHERE ROW(t.amount)::record *<> ROW(excluded.amount)::record
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
        FROM k n) k
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
         (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = OID AND a.attnum = ANY ('{1}') AND a.attnotnull) = 1,
         EXISTS (SELECT FROM pg_class c WHERE c.oid = ANY ('{OID}') AND c.relrowsecurity), false,
         200, false, false, false
  FROM (SELECT count(*) AS n, coalesce(bool_or(l.w = 0), false) AS marked
        FROM pgtrickle_changes.log_0 l
        WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)) p1
  INTO pending, marked, not_null, row_security, watched, small, sized, nested_loops, moves;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.look_0(pg_snapshot, xid8, bigint) FROM PUBLIC;

ALTER TABLE public.stream_table ADD CONSTRAINT pgtrickle_0_key PRIMARY KEY (id);

ALTER TABLE public.stream_table SET (fillfactor = 70);

GRANT SELECT (xid, seq, w, c1, c3) ON pgtrickle_changes.log_0 TO postgres;

