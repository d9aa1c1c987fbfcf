/*
SELECT order_id, string_agg(product, ', ' ORDER BY line) AS products FROM items GROUP BY order_id



DIFFERENTIAL

Stream table, state in pgtrickle_state.node_0_1, rows identified by key:
  Project i.order_id, i.string_agg AS products  [O(delta)]
    Aggregate string_agg(i.product, ', '::text ORDER BY i.line) by i.order_id  [O(affected groups)]
      Scan public.items  [O(delta)]
*/

CREATE TABLE pgtrickle_state.node_0_1 AS
SELECT i.order_id AS order_id, count(*) AS n,
       string_agg(i.product, ', '::text ORDER BY i.line) AS string_agg_product
FROM public.items i
GROUP BY i.order_id
WITH NO DATA;

CREATE UNIQUE INDEX ON pgtrickle_state.node_0_1 (order_id);

ALTER TABLE pgtrickle_state.node_0_1 ALTER COLUMN order_id SET NOT NULL;

ALTER TABLE pgtrickle_state.node_0_1 SET (fillfactor = 70);

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
  items_changed CONSTANT boolean := ($5 & 1) <> 0;
  run ALIAS FOR $6;
  user_keys ALIAS FOR $8;  -- columns of unique indexes that users made; NULL: there are none
  violations bigint;
  ignored text;
  gone tid[];
BEGIN
  v.ignored := set_config('pgtrickle.apply', '0', true);
  IF $1 = 'full' THEN
    DELETE FROM pgtrickle_state.node_0_1;

    INSERT INTO pgtrickle_state.node_0_1 (order_id, n, string_agg_product)
    SELECT i.order_id AS order_id, count(*) AS n,
           string_agg(i.product, ', '::text ORDER BY i.line) AS string_agg_product
    FROM public.items i
    GROUP BY i.order_id;

    WITH
    -- the query
    content AS MATERIALIZED (
      SELECT x.order_id::integer AS order_id, x.products::text AS products
      FROM (SELECT i.order_id, i.string_agg AS products
            FROM (SELECT s.order_id, s.string_agg_product AS string_agg
                  FROM pgtrickle_state.node_0_1 s) i) x),
    -- stream table: rows that are gone
    hidden AS (
      DELETE FROM public.stream_table t
      WHERE NOT EXISTS (SELECT FROM content n WHERE t.order_id = n.order_id)
      RETURNING 1),
    -- rows that trade values of a unique index of the user: they go and come
    moved AS (
      DELETE FROM public.stream_table t
      USING content n
      WHERE v.user_keys IS NOT NULL
        AND t.order_id = n.order_id
        AND ('order_id' = ANY (v.user_keys) AND ROW(t.order_id)::record *<> ROW(n.order_id::integer)::record
             OR 'products' = ANY (v.user_keys) AND ROW(t.products)::record *<> ROW(n.products::text)::record)
      RETURNING 1),
    -- stream table: rows that are new or differ
    shown AS (
      INSERT INTO public.stream_table AS t (order_id, products)
      SELECT n.order_id::integer AS order_id, n.products::text AS products
      FROM content n
      WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0
        AND NOT EXISTS (SELECT
                        FROM public.stream_table o
                        WHERE hash_record_extended(ROW(o.order_id, o.products), 0) = hash_record_extended(ROW(n.order_id, n.products), 0)
                          AND ROW(o.order_id, o.products)::record = ROW(n.order_id, n.products)::record)
      ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET products = excluded.products
      WHERE ROW(t.products)::record *<> ROW(excluded.products)::record
      RETURNING t.xmax = 0 AS inserted)
    SELECT s.inserted - (SELECT count(*) FROM moved) AS rows_inserted,
           s.updated + (SELECT count(*) FROM moved) AS rows_updated,
           (SELECT count(*) FROM hidden) AS rows_deleted,
           (SELECT count(*) FROM content) - (SELECT count(*) FROM (SELECT FROM content n GROUP BY n.order_id) k) AS violations
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
  -- items: rows that are pending, net
  d_items AS MATERIALIZED (
    SELECT l.c1 AS order_id, l.c2 AS line, l.c3 AS product, sum(l.w)::int AS w
    FROM pgtrickle_changes.log_0 l
    WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)
    GROUP BY l.c1, l.c2, l.c3
    HAVING sum(l.w) <> 0),
  -- changed groups: what is added to each
  g AS MATERIALIZED (
    SELECT i.order_id AS order_id, coalesce(sum(i.w), 0)::bigint AS n
    FROM d_items i
    GROUP BY i.order_id),
  -- those groups beside their stored values
  m AS MATERIALIZED (
    SELECT g.order_id, s.ctid AS old_ctid, coalesce(s.n, 0) + g.n AS new_n,
           s.string_agg_product AS new_string_agg_product, coalesce(s.n, 0) + g.n > 0 AS need
    FROM g g
    LEFT JOIN pgtrickle_state.node_0_1 s ON s.order_id = g.order_id),
  -- groups that are computed from the sources
  r AS MATERIALIZED (
    SELECT k.order_id, string_agg(i.product, ', '::text ORDER BY i.line) AS string_agg_product
    FROM (SELECT order_id FROM m m WHERE m.need) k, public.items i
    WHERE i.order_id = k.order_id AND (SELECT bool_or(m.need) FROM m m)
    GROUP BY k.order_id),
  -- the same, with what was recomputed
  m__2 AS MATERIALIZED (
    SELECT m.order_id, m.old_ctid, m.new_n,
           CASE WHEN m.need THEN r.string_agg_product ELSE m.new_string_agg_product END AS new_string_agg_product
    FROM m m
    LEFT JOIN r r ON m.need AND r.order_id = m.order_id),
  -- state: keys that stay
  kept AS (
    UPDATE pgtrickle_state.node_0_1 s
    SET n = m.new_n, string_agg_product = m.new_string_agg_product
    FROM m__2 m
    WHERE s.ctid = m.old_ctid AND m.new_n > 0),
  -- state: keys that are new
  born AS (
    INSERT INTO pgtrickle_state.node_0_1 (order_id, n, string_agg_product)
    SELECT m.order_id, m.new_n, m.new_string_agg_product
    FROM m__2 m
    WHERE m.old_ctid IS NULL AND m.new_n > 0),
  -- output rows of these keys
  c AS NOT MATERIALIZED (
    SELECT m.order_id, m.new_string_agg_product AS new_string_agg, m.new_n > 0 AS now
    FROM m__2 m),
  -- rows as they shall be
  rows AS (
    SELECT i.order_id, i.string_agg AS products
    FROM (SELECT c.order_id AS order_id, c.new_string_agg AS string_agg
          FROM c c
          WHERE c.now) i),
  -- stream table: rows that are new or differ
  shown AS (
    INSERT INTO public.stream_table AS t (order_id, products)
    SELECT n.order_id::integer AS order_id, n.products::text AS products FROM rows n
    ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET products = excluded.products
    WHERE ROW(t.products)::record *<> ROW(excluded.products)::record
    RETURNING t.xmax = 0 AS inserted)
  SELECT s.inserted AS rows_inserted, s.updated AS rows_updated, 0::bigint AS rows_deleted,
         m.broken AS violations, m.gone
  FROM (SELECT count(*) FILTER (WHERE shown.inserted) AS inserted,
               count(*) FILTER (WHERE NOT shown.inserted) AS updated
        FROM shown) s,
       (SELECT count(*) FILTER (WHERE m.new_n < 0) AS broken,
               array_agg(m.old_ctid) FILTER (WHERE m.new_n <= 0 AND m.old_ctid IS NOT NULL) AS gone
        FROM m__2 m) m
  INTO rows_inserted, rows_updated, rows_deleted, v.violations, v.gone;
  IF v.violations <> 0 THEN
    PERFORM pgtrickle._raise_disagreement('public.stream_table', 'state', v.violations);
  END IF;
  IF v.gone IS NOT NULL THEN
    DELETE FROM public.stream_table t
    USING pgtrickle_state.node_0_1 s
    WHERE s.ctid = ANY (v.gone) AND t.order_id = s.order_id;
    GET DIAGNOSTICS rows_deleted = ROW_COUNT;
    DELETE FROM pgtrickle_state.node_0_1 s WHERE s.ctid = ANY (v.gone);
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
         (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = OID AND a.attnum = ANY ('{1,2}') AND a.attnotnull) = 2,
         EXISTS (SELECT FROM pg_class c WHERE c.oid = ANY ('{OID}') AND c.relrowsecurity), false,
         200, false, true, false
  FROM (SELECT count(*) AS n, coalesce(bool_or(l.w = 0), false) AS marked
        FROM pgtrickle_changes.log_0 l
        WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)) p1
  INTO pending, marked, not_null, row_security, watched, small, sized, nested_loops, moves;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.look_0(pg_snapshot, xid8, bigint) FROM PUBLIC;

ALTER TABLE public.stream_table ADD CONSTRAINT pgtrickle_0_key PRIMARY KEY (order_id);

ALTER TABLE public.stream_table SET (fillfactor = 70);

GRANT SELECT (xid, seq, w, c1, c2, c3) ON pgtrickle_changes.log_0 TO postgres;

