/*
SELECT c.id, (SELECT max(o.amount) FROM orders o WHERE o.customer_id = c.id) AS most FROM customers c



DIFFERENTIAL

Node 1, state in pgtrickle_state.node_0_1:
  Apply (SELECT max(o.amount) AS max FROM public.orders o WHERE o.customer_id = "pgt outer".id) per id  [O(delta x affected keys)]
    Project i.id  [O(delta)]
      Scan public.customers  [O(delta)]
    Project i.customer_id, i.amount  [O(delta)]
      Scan public.orders  [O(delta)]
Stream table, rows identified by key:
  Project i.id, i.value AS most  [O(delta)]
    Join of 2 on a1.id = a2.id  [O(delta x matches)]
      Scan public.customers  [O(delta)]
      Node 1  [O(delta)]
*/

CREATE TABLE pgtrickle_state.node_0_1 AS
SELECT "pgt outer".id, "pgt outer".n,
       ((SELECT max(o.amount) AS max FROM public.orders o WHERE o.customer_id = "pgt outer".id)) AS value
FROM (SELECT o.id AS id, count(*) AS n
      FROM (SELECT i.id FROM public.customers i) o
      GROUP BY o.id) "pgt outer"
WITH NO DATA;

CREATE UNIQUE INDEX ON pgtrickle_state.node_0_1 (id);

ALTER TABLE pgtrickle_state.node_0_1 ALTER COLUMN id SET NOT NULL;

ALTER TABLE pgtrickle_state.node_0_1 SET (fillfactor = 70);

CREATE UNLOGGED TABLE pgtrickle_state.delta_0_1 WITH (autovacuum_enabled = false) AS
SELECT 0::bigint AS run, 0 AS w, s.*
FROM (SELECT s.id, s.value FROM pgtrickle_state.node_0_1 s) s
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
    DELETE FROM pgtrickle_state.node_0_1;

    INSERT INTO pgtrickle_state.node_0_1 (id, n, value)
    SELECT "pgt outer".id, "pgt outer".n,
           ((SELECT max(o.amount) AS max FROM public.orders o WHERE o.customer_id = "pgt outer".id)) AS value
    FROM (SELECT o.id AS id, count(*) AS n
          FROM (SELECT i.id FROM public.customers i) o
          GROUP BY o.id) "pgt outer";

    WITH
    -- the query
    content AS MATERIALIZED (
      SELECT x.id::integer AS id, x.most::numeric AS most
      FROM (SELECT i.id, i.value AS most
            FROM (SELECT a1.id, a2.id AS id_1, a2.value
                  FROM public.customers a1, (SELECT s.id, s.value FROM pgtrickle_state.node_0_1 s) a2
                  WHERE a1.id = a2.id) i) x),
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
             OR 'most' = ANY (v.user_keys) AND ROW(t.most)::record *<> ROW(n.most::numeric)::record)
      RETURNING 1),
    -- stream table: rows that are new or differ
    shown AS (
      INSERT INTO public.stream_table AS t (id, most)
      SELECT n.id::integer AS id, n.most::numeric AS most
      FROM content n
      WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0
        AND NOT EXISTS (SELECT
                        FROM public.stream_table o
                        WHERE hash_record_extended(ROW(o.id, o.most), 0) = hash_record_extended(ROW(n.id, n.most), 0)
                          AND ROW(o.id, o.most)::record = ROW(n.id, n.most)::record
                          AND ROW(o.id, o.most)::record *= ROW(n.id, n.most)::record)
      ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET most = excluded.most
      WHERE ROW(t.most)::record *<> ROW(excluded.most)::record
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
  IF pg_relation_size('pgtrickle_state.delta_0_1'::regclass) > 262144 THEN
    BEGIN
      LOCK TABLE pgtrickle_state.delta_0_1 IN ACCESS EXCLUSIVE MODE NOWAIT;
      TRUNCATE pgtrickle_state.delta_0_1;
    EXCEPTION WHEN lock_not_available THEN
      NULL;
    END;
  END IF;
  -- node 1: Apply (SELECT max(o.amount) AS max FROM public.orders o WHERE o.customer_id = "pgt outer".id) per id
  IF (v.customers_changed OR v.orders_changed) THEN
  WITH
  -- orders: rows that are pending, net
  d_orders AS MATERIALIZED (
    SELECT l.c2 AS customer_id, l.c3 AS amount, sum(l.w)::int AS w
    FROM pgtrickle_changes.log_0 l
    WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)
    GROUP BY l.c2, l.c3, pg_catalog.numeric_send(l.c3)
    HAVING sum(l.w) <> 0
    LIMIT (nullif(current_setting('pgtrickle.sizes', true), '')::bigint[])[2]),
  -- outer tuples: how many come, and whether their values may have changed
  x AS MATERIALIZED (
    SELECT o.id AS id, coalesce(sum(o.w), 0)::bigint AS n, bool_or(o.affected) AS affected
    FROM (SELECT i.id, i.w, false AS affected
          FROM (SELECT l.c1 AS id, l.w::int AS w
                FROM pgtrickle_changes.log_0 l
                WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)
                LIMIT (nullif(current_setting('pgtrickle.sizes', true), '')::bigint[])[1]) i
          UNION ALL
          SELECT s.id, 0, true
          FROM (SELECT f.customer_id AS customer_id FROM d_orders f GROUP BY f.customer_id) f,
               pgtrickle_state.node_0_1 s
          WHERE f.customer_id = s.id AND v.orders_changed) o
    GROUP BY o.id
    HAVING (sum(o.w) <> 0 OR bool_or(o.affected))),
  -- those tuples beside their stored values
  m AS MATERIALIZED (
    SELECT x.id, s.ctid AS old_ctid, coalesce(s.n, 0) AS old_n, coalesce(s.n, 0) + x.n AS new_n,
           coalesce(s.n, 0) + x.n > 0 AND (x.affected OR s.ctid IS NULL) AS need, s.value AS old_value
    FROM x x
    LEFT JOIN pgtrickle_state.node_0_1 s ON s.id = x.id),
  -- the subqueries, run for tuples that need it
  r AS MATERIALIZED (
    SELECT "pgt outer".id, "pgt outer".old_ctid, "pgt outer".old_n, "pgt outer".new_n,
           "pgt outer".old_value,
           CASE WHEN "pgt outer".need THEN ((SELECT max(o.amount) AS max FROM public.orders o WHERE o.customer_id = "pgt outer".id)) ELSE "pgt outer".old_value END AS new_value
    FROM m "pgt outer"),
  -- state: keys behind which nothing is left
  gone AS (
    DELETE FROM pgtrickle_state.node_0_1 s
    USING r m
    WHERE s.ctid = m.old_ctid AND m.new_n <= 0),
  -- state: keys that stay
  kept AS (
    UPDATE pgtrickle_state.node_0_1 s
    SET n = m.new_n, value = m.new_value
    FROM r m
    WHERE s.ctid = m.old_ctid
      AND m.new_n > 0
      AND (m.new_n <> m.old_n OR ROW(m.old_value)::record *<> ROW(m.new_value)::record)),
  -- state: keys that are new
  born AS (
    INSERT INTO pgtrickle_state.node_0_1 (id, n, value)
    SELECT m.id, m.new_n, m.new_value
    FROM r m
    WHERE m.old_ctid IS NULL AND m.new_n > 0),
  -- output rows of these keys, before and after
  c AS NOT MATERIALIZED (
    SELECT m.id, m.old_value AS old_value, m.new_value AS new_value, m.old_n > 0 AS was,
           m.new_n > 0 AS now
    FROM r m),
  -- for the nodes above: what differs
  emitted AS (
    INSERT INTO pgtrickle_state.delta_0_1 (run, w, id, value)
    SELECT v.run, -1, x.id, x.value
    FROM (SELECT c.id AS id, c.old_value AS value
          FROM c c
          WHERE c.was
            AND (c.was <> c.now OR ROW(c.id, c.old_value)::record *<> ROW(c.id, c.new_value)::record)) x
    UNION ALL
    SELECT v.run, 1, x.id, x.value
    FROM (SELECT c.id AS id, c.new_value AS value
          FROM c c
          WHERE c.now
            AND (c.was <> c.now OR ROW(c.id, c.old_value)::record *<> ROW(c.id, c.new_value)::record)) x)
  SELECT (SELECT count(*) FROM r m WHERE m.new_n < 0) INTO v.violations;
  IF v.violations <> 0 THEN
    PERFORM pgtrickle._raise_disagreement('public.stream_table', 'state', v.violations);
  END IF;
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
  -- what this refresh changed in node 1
  d_node_1 AS MATERIALIZED (
    SELECT d.id, d.value, d.w FROM pgtrickle_state.delta_0_1 d WHERE d.run = v.run),
  -- changed rows, net
  net AS MATERIALIZED (
    SELECT x.id AS id, x.most AS most, sum(x.w)::int AS w
    FROM (SELECT i.id, i.value AS most, i.w
          FROM (SELECT a1.id, a2.id AS id_1, a2.value, a1.w AS w
                FROM d_customers a1, (SELECT s.id, s.value FROM pgtrickle_state.node_0_1 s) a2
                WHERE a1.id = a2.id AND v.customers_changed
                UNION ALL
                SELECT a1.id, a2.id AS id_1, a2.value, a2.w AS w
                FROM public.customers a1, d_node_1 a2
                WHERE a1.id = a2.id AND (v.customers_changed OR v.orders_changed)
                UNION ALL
                SELECT a1.id, a2.id AS id_1, a2.value, -(a1.w * a2.w) AS w
                FROM d_customers a1, d_node_1 a2
                WHERE a1.id = a2.id AND v.customers_changed AND (v.customers_changed OR v.orders_changed)) i) x
    GROUP BY x.id, x.most, pg_catalog.numeric_send(x.most)
    HAVING sum(x.w) <> 0),
  -- keys: those without a new row, and those without an old one
  k AS MATERIALIZED (
    SELECT n.id, max(n.w) < 0 AS lost, min(n.w) > 0 AS added, bool_or(n.w NOT IN (1, -1)) AS odd
    FROM net n
    GROUP BY n.id),
  -- stream table: rows that are new or differ
  shown AS (
    INSERT INTO public.stream_table AS t (id, most)
    SELECT n.id::integer AS id, n.most::numeric AS most FROM net n WHERE n.w > 0
    ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET most = excluded.most
    WHERE ROW(t.most)::record *<> ROW(excluded.most)::record
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

ALTER TABLE public.stream_table ADD CONSTRAINT pgtrickle_0_key PRIMARY KEY (id);

GRANT SELECT (xid, seq, w, c1) ON pgtrickle_changes.log_0 TO postgres;

GRANT SELECT (xid, seq, w, c2, c3) ON pgtrickle_changes.log_0 TO postgres;

