/*
SELECT id FROM customers EXCEPT ALL SELECT customer_id FROM orders



DIFFERENTIAL

Stream table, state in pgtrickle_state.node_0_1, rows identified by the hash of the whole row:
  Project i.id  [O(delta)]
    Project i.id  [O(delta)]
      Function LATERAL pg_catalog.generate_series(1::bigint, i.left_rows - i.right_rows) f(copy)  [O(delta)]
        Aggregate pg_catalog.count(*) FILTER (WHERE i.is_left), pg_catalog.count(*) FILTER (WHERE NOT i.is_left) by i.id  [O(delta)]
          UnionAll  [O(delta)]
            Project i.id, true AS is_left  [O(delta)]
              Project i.id  [O(delta)]
                Scan public.customers  [O(delta)]
            Project i.id, false AS is_left  [O(delta)]
              Project i.customer_id AS id  [O(delta)]
                Scan public.orders  [O(delta)]
*/

CREATE TABLE pgtrickle_state.node_0_1 AS
SELECT i.id AS id, count(*) AS n,
       coalesce(count(*) FILTER (WHERE (i.is_left)), 0)::bigint AS count_filtered,
       coalesce(count(*) FILTER (WHERE (NOT i.is_left)), 0)::bigint AS count_filtered_1
FROM (SELECT i.id AS id, i.is_left AS is_left
      FROM (SELECT i.id, true AS is_left FROM (SELECT i.id FROM public.customers i) i) i
      UNION ALL
      SELECT i.id AS id, i.is_left AS is_left
      FROM (SELECT i.id, false AS is_left
            FROM (SELECT i.customer_id AS id FROM public.orders i) i) i) i
GROUP BY i.id
WITH NO DATA;

CREATE INDEX ON pgtrickle_state.node_0_1 (hash_record_extended(ROW(id), 0));

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
  customers_changed CONSTANT boolean := ($5 & 1) <> 0;
  orders_changed CONSTANT boolean := ($5 & 2) <> 0;
  run ALIAS FOR $6;
  user_keys ALIAS FOR $8;  -- columns of unique indexes that users made; NULL: there are none
  violations bigint;
  ignored text;
BEGIN
  v.ignored := set_config('pgtrickle.apply', '0', true);
  IF $1 = 'full' THEN
    DELETE FROM pgtrickle_state.node_0_1;

    INSERT INTO pgtrickle_state.node_0_1 (id, n, count_filtered, count_filtered_1)
    SELECT i.id AS id, count(*) AS n,
           coalesce(count(*) FILTER (WHERE (i.is_left)), 0)::bigint AS count_filtered,
           coalesce(count(*) FILTER (WHERE (NOT i.is_left)), 0)::bigint AS count_filtered_1
    FROM (SELECT i.id AS id, i.is_left AS is_left
          FROM (SELECT i.id, true AS is_left FROM (SELECT i.id FROM public.customers i) i) i
          UNION ALL
          SELECT i.id AS id, i.is_left AS is_left
          FROM (SELECT i.id, false AS is_left
                FROM (SELECT i.customer_id AS id FROM public.orders i) i) i) i
    GROUP BY i.id;

    WITH
    -- what differs
    net AS MATERIALIZED (
      SELECT x.id AS id, sum(x.w)::int AS w
      FROM (SELECT x.id::integer AS id, 1 AS w
            FROM (SELECT i.id
                  FROM (SELECT i.id
                        FROM (SELECT i.id, i.left_rows, i.right_rows
                              FROM (SELECT s.id, s.count_filtered AS left_rows, s.count_filtered_1 AS right_rows
                                    FROM pgtrickle_state.node_0_1 s) i
                              INNER JOIN LATERAL pg_catalog.generate_series(1::bigint, i.left_rows - i.right_rows) f(copy) ON true) i) i) x
            UNION ALL
            SELECT o.id AS id, -1 AS w FROM public.stream_table o) x
      GROUP BY x.id
      HAVING sum(x.w) <> 0),
    -- the change, with the types of the stream table
    d AS MATERIALIZED (
      SELECT n.id::integer AS id, n.w FROM net n),
    -- stream table: copies that are gone
    hidden AS (
      DELETE FROM public.stream_table t
      WHERE t.ctid = ANY (ARRAY(SELECT x.ctid
             FROM d d
             CROSS JOIN LATERAL (SELECT t.ctid
                                 FROM public.stream_table t
                                 WHERE hash_record_extended(ROW(t.id), 0) = hash_record_extended(ROW(d.id), 0)
                                   AND ROW(t.id)::record = ROW(d.id)::record
                                 LIMIT -d.w) x
             WHERE d.w < 0))
      RETURNING 1),
    -- stream table: copies that are new
    shown AS (
      INSERT INTO public.stream_table (id)
      SELECT d.id
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
  -- changed groups: what is added to each
  g AS MATERIALIZED (
    SELECT i.id AS id, coalesce(sum(i.w), 0)::bigint AS n,
           coalesce(sum(i.w) FILTER (WHERE (i.is_left)), 0)::bigint AS count_filtered,
           coalesce(sum(i.w) FILTER (WHERE (NOT i.is_left)), 0)::bigint AS count_filtered_1
    FROM (SELECT i.id AS id, i.is_left AS is_left, i.w
          FROM (SELECT i.id, true AS is_left, i.w
                FROM (SELECT l.c1 AS id, l.w::int AS w
                      FROM pgtrickle_changes.log_0 l
                      WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)) i) i
          WHERE v.customers_changed
          UNION ALL
          SELECT i.id AS id, i.is_left AS is_left, i.w
          FROM (SELECT i.id, false AS is_left, i.w
                FROM (SELECT i.customer_id AS id, i.w
                      FROM (SELECT l.c2 AS customer_id, l.w::int AS w
                            FROM pgtrickle_changes.log_0 l
                            WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)) i) i) i
          WHERE v.orders_changed) i
    GROUP BY i.id),
  -- those groups beside their stored values
  m AS MATERIALIZED (
    SELECT g.id, s.ctid AS old_ctid, coalesce(s.n, 0) AS old_n, coalesce(s.n, 0) + g.n AS new_n,
           s.count_filtered AS old_count_filtered,
           coalesce(s.count_filtered, 0) + g.count_filtered AS new_count_filtered,
           s.count_filtered_1 AS old_count_filtered_1,
           coalesce(s.count_filtered_1, 0) + g.count_filtered_1 AS new_count_filtered_1
    FROM g g
    LEFT JOIN pgtrickle_state.node_0_1 s
              ON hash_record_extended(ROW(s.id), 0) = hash_record_extended(ROW(g.id), 0)
              AND ROW(s.id)::record = ROW(g.id)::record),
  -- state: keys behind which nothing is left
  gone AS (
    DELETE FROM pgtrickle_state.node_0_1 s
    USING m m
    WHERE s.ctid = m.old_ctid AND m.new_n <= 0),
  -- state: keys that stay
  kept AS (
    UPDATE pgtrickle_state.node_0_1 s
    SET n = m.new_n, count_filtered = m.new_count_filtered, count_filtered_1 = m.new_count_filtered_1
    FROM m m
    WHERE s.ctid = m.old_ctid AND m.new_n > 0),
  -- state: keys that are new
  born AS (
    INSERT INTO pgtrickle_state.node_0_1 (id, n, count_filtered, count_filtered_1)
    SELECT m.id, m.new_n, m.new_count_filtered, m.new_count_filtered_1
    FROM m m
    WHERE m.old_ctid IS NULL AND m.new_n > 0),
  -- output rows of these keys, before and after
  c AS NOT MATERIALIZED (
    SELECT m.id, m.old_count_filtered AS old_left_rows, m.new_count_filtered AS new_left_rows,
           m.old_count_filtered_1 AS old_right_rows, m.new_count_filtered_1 AS new_right_rows,
           m.old_n > 0 AS was, m.new_n > 0 AS now
    FROM m m),
  -- changed rows, net
  net AS MATERIALIZED (
    SELECT x.id AS id, sum(x.w)::int AS w
    FROM (SELECT x.id, -1 AS w
          FROM (SELECT i.id
                FROM (SELECT i.id
                      FROM (SELECT i.id, i.left_rows, i.right_rows
                            FROM (SELECT c.id AS id, c.old_left_rows AS left_rows, c.old_right_rows AS right_rows
                                  FROM c c
                                  WHERE c.was) i
                            INNER JOIN LATERAL pg_catalog.generate_series(1::bigint, i.left_rows - i.right_rows) f(copy) ON true) i) i) x
          UNION ALL
          SELECT x.id, 1 AS w
          FROM (SELECT i.id
                FROM (SELECT i.id
                      FROM (SELECT i.id, i.left_rows, i.right_rows
                            FROM (SELECT c.id AS id, c.new_left_rows AS left_rows, c.new_right_rows AS right_rows
                                  FROM c c
                                  WHERE c.now) i
                            INNER JOIN LATERAL pg_catalog.generate_series(1::bigint, i.left_rows - i.right_rows) f(copy) ON true) i) i) x) x
    GROUP BY x.id
    HAVING sum(x.w) <> 0),
  -- the change, with the types of the stream table
  d AS MATERIALIZED (
    SELECT n.id::integer AS id, n.w FROM net n),
  -- stream table: copies that are gone
  hidden AS (
    DELETE FROM public.stream_table t
    WHERE t.ctid = ANY (ARRAY(SELECT x.ctid
           FROM d d
           CROSS JOIN LATERAL (SELECT t.ctid
                               FROM public.stream_table t
                               WHERE hash_record_extended(ROW(t.id), 0) = hash_record_extended(ROW(d.id), 0)
                                 AND ROW(t.id)::record = ROW(d.id)::record
                               LIMIT -d.w) x
           WHERE d.w < 0))
    RETURNING 1),
  -- stream table: copies that are new
  shown AS (
    INSERT INTO public.stream_table (id)
    SELECT d.id
    FROM d d
    CROSS JOIN LATERAL generate_series(1, d.w)
    WHERE d.w > 0 AND (SELECT count(*) FROM hidden) >= 0
    RETURNING 1)
  SELECT (SELECT count(*) FROM shown) AS rows_inserted, 0::bigint AS rows_updated,
         h.deleted AS rows_deleted,
         (SELECT coalesce(-sum(d.w), 0) FROM d d WHERE d.w < 0) - h.deleted
          + (SELECT count(*) FROM m m WHERE m.new_n < 0) AS violations
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
         (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = OID AND a.attnum = ANY ('{1}') AND a.attnotnull) = 1,
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

CREATE INDEX pgtrickle_0_hash ON public.stream_table (hash_record_extended(ROW(id), 0));

GRANT SELECT (xid, seq, w, c1) ON pgtrickle_changes.log_0 TO postgres;

GRANT SELECT (xid, seq, w, c2) ON pgtrickle_changes.log_0 TO postgres;

