/*
SELECT count(*) AS n, sum(quantity) AS quantity FROM items



DIFFERENTIAL

Stream table, state in pgtrickle_state.node_0_1, rows identified by the hash of the whole row:
  Project i.count AS n, i.sum AS quantity  [O(delta)]
    Aggregate count(*), sum(i.quantity)  [O(delta)]
      Scan public.items  [O(delta)]
*/

CREATE TABLE pgtrickle_state.node_0_1 AS
SELECT count(*) AS n,
       coalesce(count(*) FILTER (WHERE i.quantity IS NOT NULL), 0)::bigint AS count_quantity,
       coalesce(sum(i.quantity), 0)::numeric AS sum_quantity
FROM public.items i
WITH NO DATA;

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
BEGIN
  v.ignored := set_config('pgtrickle.apply', '0', true);
  IF $1 = 'full' THEN
    DELETE FROM pgtrickle_state.node_0_1;

    INSERT INTO pgtrickle_state.node_0_1 (n, count_quantity, sum_quantity)
    SELECT count(*) AS n,
           coalesce(count(*) FILTER (WHERE i.quantity IS NOT NULL), 0)::bigint AS count_quantity,
           coalesce(sum(i.quantity), 0)::numeric AS sum_quantity
    FROM public.items i;

    WITH
    -- what differs
    net AS MATERIALIZED (
      SELECT x.n AS n, x.quantity AS quantity, sum(x.w)::int AS w
      FROM (SELECT x.n::bigint AS n, x.quantity::bigint AS quantity, 1 AS w
            FROM (SELECT i.count AS n, i.sum AS quantity
                  FROM (SELECT s.n AS count, CASE WHEN s.count_quantity > 0 THEN s.sum_quantity::bigint END AS sum
                        FROM pgtrickle_state.node_0_1 s) i) x
            UNION ALL
            SELECT o.n AS n, o.quantity AS quantity, -1 AS w FROM public.stream_table o) x
      GROUP BY x.n, x.quantity
      HAVING sum(x.w) <> 0),
    -- the change, with the types of the stream table
    d AS MATERIALIZED (
      SELECT n.n::bigint AS n, n.quantity::bigint AS quantity, n.w FROM net n),
    -- stream table: copies that are gone
    hidden AS (
      DELETE FROM public.stream_table t
      WHERE t.ctid = ANY (ARRAY(SELECT x.ctid
             FROM d d
             CROSS JOIN LATERAL (SELECT t.ctid
                                 FROM public.stream_table t
                                 WHERE hash_record_extended(ROW(t.n, t.quantity), 0) = hash_record_extended(ROW(d.n, d.quantity), 0)
                                   AND ROW(t.n, t.quantity)::record = ROW(d.n, d.quantity)::record
                                 LIMIT -d.w) x
             WHERE d.w < 0))
      RETURNING 1),
    -- stream table: copies that are new
    shown AS (
      INSERT INTO public.stream_table (n, quantity)
      SELECT d.n, d.quantity
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
    SELECT coalesce(sum(i.w), 0)::bigint AS n,
           coalesce(sum(i.w) FILTER (WHERE i.quantity IS NOT NULL), 0)::bigint AS count_quantity,
           coalesce(sum(i.w::bigint * i.quantity), 0)::numeric AS sum_quantity
    FROM (SELECT l.c4 AS quantity, l.w::int AS w
          FROM pgtrickle_changes.log_0 l
          WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)) i
    HAVING count(*) > 0),
  -- those groups beside their stored values
  m AS MATERIALIZED (
    SELECT s.ctid AS old_ctid, coalesce(s.n, 0) AS old_n, coalesce(s.n, 0) + g.n AS new_n,
           s.count_quantity AS old_count_quantity,
           coalesce(s.count_quantity, 0) + g.count_quantity AS new_count_quantity,
           s.sum_quantity AS old_sum_quantity,
           coalesce(s.sum_quantity, 0) + g.sum_quantity AS new_sum_quantity
    FROM g g
    LEFT JOIN pgtrickle_state.node_0_1 s ON true),
  -- state: keys that stay
  kept AS (
    UPDATE pgtrickle_state.node_0_1 s
    SET n = m.new_n, count_quantity = m.new_count_quantity, sum_quantity = m.new_sum_quantity
    FROM m m
    WHERE s.ctid = m.old_ctid),
  -- output rows of these keys, before and after
  c AS NOT MATERIALIZED (
    SELECT m.old_n AS old_count, m.new_n AS new_count,
           CASE WHEN m.old_count_quantity > 0 THEN m.old_sum_quantity::bigint END AS old_sum,
           CASE WHEN m.new_count_quantity > 0 THEN m.new_sum_quantity::bigint END AS new_sum,
           true AS was, true AS now
    FROM m m),
  -- changed rows, net
  net AS MATERIALIZED (
    SELECT x.n AS n, x.quantity AS quantity, sum(x.w)::int AS w
    FROM (SELECT x.n, x.quantity, -1 AS w
          FROM (SELECT i.count AS n, i.sum AS quantity
                FROM (SELECT c.old_count AS count, c.old_sum AS sum FROM c c WHERE c.was) i) x
          UNION ALL
          SELECT x.n, x.quantity, 1 AS w
          FROM (SELECT i.count AS n, i.sum AS quantity
                FROM (SELECT c.new_count AS count, c.new_sum AS sum FROM c c WHERE c.now) i) x) x
    GROUP BY x.n, x.quantity
    HAVING sum(x.w) <> 0),
  -- the change, with the types of the stream table
  d AS MATERIALIZED (
    SELECT n.n::bigint AS n, n.quantity::bigint AS quantity, n.w FROM net n),
  -- stream table: copies that are gone
  hidden AS (
    DELETE FROM public.stream_table t
    WHERE t.ctid = ANY (ARRAY(SELECT x.ctid
           FROM d d
           CROSS JOIN LATERAL (SELECT t.ctid
                               FROM public.stream_table t
                               WHERE hash_record_extended(ROW(t.n, t.quantity), 0) = hash_record_extended(ROW(d.n, d.quantity), 0)
                                 AND ROW(t.n, t.quantity)::record = ROW(d.n, d.quantity)::record
                               LIMIT -d.w) x
           WHERE d.w < 0))
    RETURNING 1),
  -- stream table: copies that are new
  shown AS (
    INSERT INTO public.stream_table (n, quantity)
    SELECT d.n, d.quantity
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
  SELECT ARRAY[p1.n]::bigint[], array_remove(ARRAY[CASE WHEN p1.marked THEN 0 END]::bigint[], NULL),
         true, EXISTS (SELECT FROM pg_class c WHERE c.oid = ANY ('{OID}') AND c.relrowsecurity),
         false, 200, false, true, false
  FROM (SELECT count(*) AS n, coalesce(bool_or(l.w = 0), false) AS marked
        FROM pgtrickle_changes.log_0 l
        WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)) p1
  INTO pending, marked, not_null, row_security, watched, small, sized, nested_loops, moves;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.look_0(pg_snapshot, xid8, bigint) FROM PUBLIC;

CREATE INDEX pgtrickle_0_hash ON public.stream_table (hash_record_extended(ROW(n, quantity), 0));

GRANT SELECT (xid, seq, w, c4) ON pgtrickle_changes.log_0 TO postgres;

