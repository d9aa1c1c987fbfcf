/*
SELECT order_id, count(DISTINCT product) AS products FROM items GROUP BY order_id



DIFFERENTIAL

Node 1, state in pgtrickle_state.node_0_1:
  Distinct i.key, i.value  [O(delta)]
    Project i.order_id AS key, i.product AS value  [O(delta)]
      Scan public.items  [O(delta)]
Stream table, state in pgtrickle_state.node_0_2, rows identified by key:
  Project i.order_id, i.count AS products  [O(delta)]
    Aggregate count(i.value) FILTER (WHERE i.tag = 0) by i.key  [O(delta)]
      TaggedUnion  [O(delta)]
        Node 1  [O(delta)]
*/

CREATE TABLE pgtrickle_state.node_0_1 AS
SELECT i.key AS key, i.value AS value, count(*) AS n
FROM (SELECT i.order_id AS key, i.product AS value FROM public.items i) i
GROUP BY i.key, i.value
WITH NO DATA;

CREATE INDEX ON pgtrickle_state.node_0_1 (hash_record_extended(ROW(key, value), 0));

ALTER TABLE pgtrickle_state.node_0_1 SET (fillfactor = 70);

CREATE UNLOGGED TABLE pgtrickle_state.delta_0_1 WITH (autovacuum_enabled = false) AS
SELECT 0::bigint AS run, 0 AS w, s.*
FROM (SELECT s.key, s.value FROM pgtrickle_state.node_0_1 s) s
WITH NO DATA;

CREATE TABLE pgtrickle_state.node_0_2 AS
SELECT i.key AS order_id, count(*) AS n,
       coalesce(count(*) FILTER (WHERE (i.tag = 0) AND i.value IS NOT NULL), 0)::bigint AS count_value
FROM (SELECT i.key AS key, i.value AS value, 0 AS tag
      FROM (SELECT s.key, s.value FROM pgtrickle_state.node_0_1 s) i) i
GROUP BY i.key
WITH NO DATA;

CREATE UNIQUE INDEX ON pgtrickle_state.node_0_2 (order_id);

ALTER TABLE pgtrickle_state.node_0_2 ALTER COLUMN order_id SET NOT NULL;

ALTER TABLE pgtrickle_state.node_0_2 SET (fillfactor = 70);

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

    INSERT INTO pgtrickle_state.node_0_1 (key, value, n)
    SELECT i.key AS key, i.value AS value, count(*) AS n
    FROM (SELECT i.order_id AS key, i.product AS value FROM public.items i) i
    GROUP BY i.key, i.value;

    DELETE FROM pgtrickle_state.node_0_2;

    INSERT INTO pgtrickle_state.node_0_2 (order_id, n, count_value)
    SELECT i.key AS order_id, count(*) AS n,
           coalesce(count(*) FILTER (WHERE (i.tag = 0) AND i.value IS NOT NULL), 0)::bigint AS count_value
    FROM (SELECT i.key AS key, i.value AS value, 0 AS tag
          FROM (SELECT s.key, s.value FROM pgtrickle_state.node_0_1 s) i) i
    GROUP BY i.key;

    WITH
    -- the query
    content AS MATERIALIZED (
      SELECT x.order_id::integer AS order_id, x.products::bigint AS products
      FROM (SELECT i.order_id, i.count AS products
            FROM (SELECT s.order_id, s.count_value AS count FROM pgtrickle_state.node_0_2 s) i) x),
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
             OR 'products' = ANY (v.user_keys) AND ROW(t.products)::record *<> ROW(n.products::bigint)::record)
      RETURNING 1),
    -- stream table: rows that are new or differ
    shown AS (
      INSERT INTO public.stream_table AS t (order_id, products)
      SELECT n.order_id::integer AS order_id, n.products::bigint AS products
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
  IF pg_relation_size('pgtrickle_state.delta_0_1'::regclass) > 262144 THEN
    BEGIN
      LOCK TABLE pgtrickle_state.delta_0_1 IN ACCESS EXCLUSIVE MODE NOWAIT;
      TRUNCATE pgtrickle_state.delta_0_1;
    EXCEPTION WHEN lock_not_available THEN
      NULL;
    END;
  END IF;
  -- node 1: Distinct i.key, i.value
  IF v.items_changed THEN
  WITH
  -- changed groups: what is added to each
  g AS MATERIALIZED (
    SELECT i.key AS key, i.value AS value, coalesce(sum(i.w), 0)::bigint AS n
    FROM (SELECT i.order_id AS key, i.product AS value, i.w
          FROM (SELECT l.c1 AS order_id, l.c3 AS product, l.w::int AS w
                FROM pgtrickle_changes.log_0 l
                WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)) i) i
    GROUP BY i.key, i.value),
  -- those groups beside their stored values
  m AS MATERIALIZED (
    SELECT g.key, g.value, s.ctid AS old_ctid, coalesce(s.n, 0) AS old_n,
           coalesce(s.n, 0) + g.n AS new_n
    FROM g g
    LEFT JOIN pgtrickle_state.node_0_1 s
              ON hash_record_extended(ROW(s.key, s.value), 0) = hash_record_extended(ROW(g.key, g.value), 0)
              AND ROW(s.key, s.value)::record = ROW(g.key, g.value)::record),
  -- state: keys behind which nothing is left
  gone AS (
    DELETE FROM pgtrickle_state.node_0_1 s
    USING m m
    WHERE s.ctid = m.old_ctid AND m.new_n <= 0),
  -- state: keys that stay
  kept AS (
    UPDATE pgtrickle_state.node_0_1 s
    SET n = m.new_n
    FROM m m
    WHERE s.ctid = m.old_ctid AND m.new_n > 0),
  -- state: keys that are new
  born AS (
    INSERT INTO pgtrickle_state.node_0_1 (key, value, n)
    SELECT m.key, m.value, m.new_n FROM m m WHERE m.old_ctid IS NULL AND m.new_n > 0),
  -- output rows of these keys, before and after
  c AS NOT MATERIALIZED (
    SELECT m.key, m.value, m.old_n > 0 AS was, m.new_n > 0 AS now FROM m m),
  -- for the nodes above: what differs
  emitted AS (
    INSERT INTO pgtrickle_state.delta_0_1 (run, w, key, value)
    SELECT v.run, -1, x.key, x.value
    FROM (SELECT c.key AS key, c.value AS value
          FROM c c
          WHERE c.was AND (c.was <> c.now OR ROW(c.key, c.value)::record *<> ROW(c.key, c.value)::record)) x
    UNION ALL
    SELECT v.run, 1, x.key, x.value
    FROM (SELECT c.key AS key, c.value AS value
          FROM c c
          WHERE c.now AND (c.was <> c.now OR ROW(c.key, c.value)::record *<> ROW(c.key, c.value)::record)) x)
  SELECT (SELECT count(*) FROM m m WHERE m.new_n < 0) INTO v.violations;
  IF v.violations <> 0 THEN
    PERFORM pgtrickle._raise_disagreement('public.stream_table', 'state', v.violations);
  END IF;
  END IF;

  -- the stream table
  WITH
  -- what this refresh changed in node 1
  d_node_1 AS MATERIALIZED (
    SELECT d.key, d.value, d.w FROM pgtrickle_state.delta_0_1 d WHERE d.run = v.run),
  -- changed groups: what is added to each
  g AS MATERIALIZED (
    SELECT i.key AS order_id, coalesce(sum(i.w), 0)::bigint AS n,
           coalesce(sum(i.w) FILTER (WHERE (i.tag = 0) AND i.value IS NOT NULL), 0)::bigint AS count_value
    FROM (SELECT i.key AS key, i.value AS value, 0 AS tag, i.w
          FROM d_node_1 i
          WHERE v.items_changed) i
    GROUP BY i.key),
  -- those groups beside their stored values
  m AS MATERIALIZED (
    SELECT g.order_id, s.ctid AS old_ctid, coalesce(s.n, 0) + g.n AS new_n,
           coalesce(s.count_value, 0) + g.count_value AS new_count_value
    FROM g g
    LEFT JOIN pgtrickle_state.node_0_2 s ON s.order_id = g.order_id),
  -- state: keys that stay
  kept AS (
    UPDATE pgtrickle_state.node_0_2 s
    SET n = m.new_n, count_value = m.new_count_value
    FROM m m
    WHERE s.ctid = m.old_ctid AND m.new_n > 0),
  -- state: keys that are new
  born AS (
    INSERT INTO pgtrickle_state.node_0_2 (order_id, n, count_value)
    SELECT m.order_id, m.new_n, m.new_count_value
    FROM m m
    WHERE m.old_ctid IS NULL AND m.new_n > 0),
  -- output rows of these keys
  c AS NOT MATERIALIZED (
    SELECT m.order_id, m.new_count_value AS new_count, m.new_n > 0 AS now FROM m m),
  -- rows as they shall be
  rows AS (
    SELECT i.order_id, i.count AS products
    FROM (SELECT c.order_id AS order_id, c.new_count AS count FROM c c WHERE c.now) i),
  -- stream table: rows that are new or differ
  shown AS (
    INSERT INTO public.stream_table AS t (order_id, products)
    SELECT n.order_id::integer AS order_id, n.products::bigint AS products
    FROM rows n
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
        FROM m m) m
  INTO rows_inserted, rows_updated, rows_deleted, v.violations, v.gone;
  IF v.violations <> 0 THEN
    PERFORM pgtrickle._raise_disagreement('public.stream_table', 'state', v.violations);
  END IF;
  IF v.gone IS NOT NULL THEN
    DELETE FROM public.stream_table t
    USING pgtrickle_state.node_0_2 s
    WHERE s.ctid = ANY (v.gone) AND t.order_id = s.order_id;
    GET DIAGNOSTICS rows_deleted = ROW_COUNT;
    DELETE FROM pgtrickle_state.node_0_2 s WHERE s.ctid = ANY (v.gone);
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

GRANT SELECT (xid, seq, w, c1, c3) ON pgtrickle_changes.log_0 TO postgres;

