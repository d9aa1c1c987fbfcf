/*
SELECT customer_id, min(placed) AS first, max(placed) AS last FROM orders GROUP BY customer_id HAVING count(*) > 1



DIFFERENTIAL

Stream table, state in pgtrickle_state.node_0_1, rows identified by key:
  Project i.customer_id, i.min AS first, i.max AS last  [O(delta)]
    Filter i.count > 1  [O(delta)]
      Aggregate min(i.placed), max(i.placed), count(*) by i.customer_id  [O(delta), a group when its extremum is deleted]
        Scan public.orders  [O(delta)]
*/

CREATE TABLE pgtrickle_state.node_0_1 AS
SELECT i.customer_id AS customer_id, count(*) AS n, min(i.placed) AS min_placed,
       max(i.placed) AS max_placed
FROM public.orders i
GROUP BY i.customer_id
WITH NO DATA;

CREATE INDEX ON pgtrickle_state.node_0_1 (hash_record_extended(ROW(customer_id), 0));

ALTER TABLE pgtrickle_state.node_0_1 SET (fillfactor = 70);

-- Groups that their state does not tell, from the sources: an extremum is gone, or a sum was NaN or infinite.
CREATE OR REPLACE FUNCTION pgtrickle_state.groups_0_1(groups pgtrickle_state.node_0_1[]) RETURNS SETOF pgtrickle_state.node_0_1
LANGUAGE plpgsql
AS $pgt$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT k.customer_id, count(*) AS n, min(i.placed) AS min_placed, max(i.placed) AS max_placed
    FROM unnest($1) k, public.orders i
    WHERE i.customer_id = k.customer_id
    GROUP BY k.customer_id
    UNION ALL
    SELECT k.customer_id, count(*) AS n, min(i.placed) AS min_placed, max(i.placed) AS max_placed
    FROM unnest($1) k, public.orders i
    WHERE (k.customer_id IS NOT DISTINCT FROM NULL) AND (i.customer_id IS NOT DISTINCT FROM NULL)
    GROUP BY k.customer_id;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.groups_0_1(pgtrickle_state.node_0_1[]) FROM PUBLIC;

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

    INSERT INTO pgtrickle_state.node_0_1 (customer_id, n, min_placed, max_placed)
    SELECT i.customer_id AS customer_id, count(*) AS n, min(i.placed) AS min_placed,
           max(i.placed) AS max_placed
    FROM public.orders i
    GROUP BY i.customer_id;

    WITH
    -- the query
    content AS MATERIALIZED (
      SELECT x.customer_id::integer AS customer_id, x.first::timestamp with time zone AS first,
             x.last::timestamp with time zone AS last
      FROM (SELECT i.customer_id, i.min AS first, i.max AS last
            FROM (SELECT i.customer_id, i.min, i.max, i.count
                  FROM (SELECT s.customer_id, s.min_placed AS min, s.max_placed AS max, s.n AS count
                        FROM pgtrickle_state.node_0_1 s) i
                  WHERE i.count > 1) i) x),
    -- stream table: rows that are gone
    hidden AS (
      DELETE FROM public.stream_table t
      WHERE NOT EXISTS (SELECT
                        FROM content n
                        WHERE hash_record_extended(ROW(t.customer_id), 0) = hash_record_extended(ROW(n.customer_id), 0)
                          AND ROW(t.customer_id)::record = ROW(n.customer_id)::record)
      RETURNING 1),
    -- rows that trade values of a unique index of the user: they go and come
    moved AS (
      DELETE FROM public.stream_table t
      USING content n
      WHERE v.user_keys IS NOT NULL
        AND hash_record_extended(ROW(t.customer_id), 0) = hash_record_extended(ROW(n.customer_id), 0)
        AND ROW(t.customer_id)::record = ROW(n.customer_id)::record
        AND ('customer_id' = ANY (v.user_keys) AND ROW(t.customer_id)::record *<> ROW(n.customer_id::integer)::record
             OR 'first' = ANY (v.user_keys) AND ROW(t.first)::record *<> ROW(n.first::timestamp with time zone)::record
             OR 'last' = ANY (v.user_keys) AND ROW(t.last)::record *<> ROW(n.last::timestamp with time zone)::record)
      RETURNING 1),
    -- stream table: rows that are new or differ
    shown AS (
      INSERT INTO public.stream_table AS t (customer_id, first, last)
      SELECT n.customer_id::integer AS customer_id, n.first::timestamp with time zone AS first,
             n.last::timestamp with time zone AS last
      FROM content n
      WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0
        AND NOT EXISTS (SELECT
                        FROM public.stream_table o
                        WHERE hash_record_extended(ROW(o.customer_id, o.first, o.last), 0) = hash_record_extended(ROW(n.customer_id, n.first, n.last), 0)
                          AND ROW(o.customer_id, o.first, o.last)::record = ROW(n.customer_id, n.first, n.last)::record)
      ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET first = excluded.first, last = excluded.last
      WHERE ROW(t.first, t.last)::record *<> ROW(excluded.first, excluded.last)::record
      RETURNING t.xmax = 0 AS inserted)
    SELECT s.inserted - (SELECT count(*) FROM moved) AS rows_inserted,
           s.updated + (SELECT count(*) FROM moved) AS rows_updated,
           (SELECT count(*) FROM hidden) AS rows_deleted,
           (SELECT count(*) FROM content) - (SELECT count(*) FROM (SELECT FROM content n GROUP BY n.customer_id) k) AS violations
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
    SELECT l.c2 AS customer_id, l.c4 AS placed, sum(l.w)::int AS w
    FROM pgtrickle_changes.log_0 l
    WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)
    GROUP BY l.c2, l.c4
    HAVING sum(l.w) <> 0),
  -- changed groups: what is added to each
  g AS MATERIALIZED (
    SELECT i.customer_id AS customer_id, coalesce(sum(i.w), 0)::bigint AS n,
           min(i.placed) FILTER (WHERE i.w > 0) AS new_min_placed,
           min(i.placed) FILTER (WHERE i.w < 0) AS old_min_placed,
           max(i.placed) FILTER (WHERE i.w > 0) AS new_max_placed,
           max(i.placed) FILTER (WHERE i.w < 0) AS old_max_placed
    FROM d_orders i
    GROUP BY i.customer_id),
  -- those groups beside their stored values
  m AS MATERIALIZED (
    SELECT g.customer_id, s.ctid AS old_ctid, coalesce(s.n, 0) AS old_n, coalesce(s.n, 0) + g.n AS new_n,
           s.min_placed AS old_min_placed, least(s.min_placed, g.new_min_placed) AS new_min_placed,
           s.max_placed AS old_max_placed, greatest(s.max_placed, g.new_max_placed) AS new_max_placed,
           coalesce(s.n, 0) + g.n > 0 AND (coalesce(g.old_min_placed IS NOT NULL AND (s.min_placed IS NULL OR g.old_min_placed <= s.min_placed) AND (g.new_min_placed <= s.min_placed) IS NOT TRUE, false)
            OR coalesce(g.old_max_placed IS NOT NULL AND (s.max_placed IS NULL OR g.old_max_placed >= s.max_placed) AND (g.new_max_placed >= s.max_placed) IS NOT TRUE, false)) AS need
    FROM g g
    LEFT JOIN pgtrickle_state.node_0_1 s
              ON hash_record_extended(ROW(s.customer_id), 0) = hash_record_extended(ROW(g.customer_id), 0)
              AND ROW(s.customer_id)::record = ROW(g.customer_id)::record),
  -- groups that their state does not tell any more
  r AS MATERIALIZED (
    SELECT r.*
    FROM (SELECT array_agg(ROW(m.customer_id, NULL, NULL, NULL)::pgtrickle_state.node_0_1) AS groups
          FROM m m
          WHERE m.need) k
    CROSS JOIN LATERAL pgtrickle_state.groups_0_1(k.groups) r
    WHERE k.groups IS NOT NULL),
  -- the same, with what was recomputed
  m__2 AS MATERIALIZED (
    SELECT m.customer_id, m.old_ctid, m.old_n, m.new_n, m.old_min_placed,
           CASE WHEN m.need THEN r.min_placed ELSE m.new_min_placed END AS new_min_placed,
           m.old_max_placed,
           CASE WHEN m.need THEN r.max_placed ELSE m.new_max_placed END AS new_max_placed
    FROM m m
    LEFT JOIN r r
              ON m.need
              AND hash_record_extended(ROW(r.customer_id), 0) = hash_record_extended(ROW(m.customer_id), 0)
              AND ROW(r.customer_id)::record = ROW(m.customer_id)::record),
  -- state: keys behind which nothing is left
  gone AS (
    DELETE FROM pgtrickle_state.node_0_1 s
    USING m__2 m
    WHERE s.ctid = m.old_ctid AND m.new_n <= 0),
  -- state: keys that stay
  kept AS (
    UPDATE pgtrickle_state.node_0_1 s
    SET n = m.new_n, min_placed = m.new_min_placed, max_placed = m.new_max_placed
    FROM m__2 m
    WHERE s.ctid = m.old_ctid AND m.new_n > 0),
  -- state: keys that are new
  born AS (
    INSERT INTO pgtrickle_state.node_0_1 (customer_id, n, min_placed, max_placed)
    SELECT m.customer_id, m.new_n, m.new_min_placed, m.new_max_placed
    FROM m__2 m
    WHERE m.old_ctid IS NULL AND m.new_n > 0),
  -- output rows of these keys, before and after
  c AS NOT MATERIALIZED (
    SELECT m.customer_id, m.old_min_placed AS old_min, m.new_min_placed AS new_min,
           m.old_max_placed AS old_max, m.new_max_placed AS new_max, m.old_n AS old_count,
           m.new_n AS new_count, m.old_n > 0 AS was, m.new_n > 0 AS now
    FROM m__2 m),
  -- stream table: rows that are gone
  hidden AS (
    DELETE FROM public.stream_table t
    USING (SELECT i.*
           FROM (SELECT c.customer_id AS customer_id, c.new_min AS min, c.new_max AS max, c.new_count AS count, c.was,
                        c.now
                 FROM c c) i
           WHERE i.was AND (i.now AND (i.count > 1)) IS NOT TRUE) n
    WHERE hash_record_extended(ROW(t.customer_id), 0) = hash_record_extended(ROW(n.customer_id), 0)
      AND ROW(t.customer_id)::record = ROW(n.customer_id)::record
    RETURNING 1),
  -- rows as they shall be
  rows AS (
    SELECT i.customer_id, i.min AS first, i.max AS last
    FROM (SELECT i.customer_id, i.min, i.max, i.count
          FROM (SELECT c.customer_id AS customer_id, c.new_min AS min, c.new_max AS max, c.new_count AS count
                FROM c c
                WHERE c.now) i
          WHERE i.count > 1) i),
  -- stream table: rows that are new or differ
  shown AS (
    INSERT INTO public.stream_table AS t (customer_id, first, last)
    SELECT n.customer_id::integer AS customer_id, n.first::timestamp with time zone AS first,
           n.last::timestamp with time zone AS last
    FROM rows n
    WHERE (SELECT count(*) FROM hidden) >= 0
    ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET first = excluded.first, last = excluded.last
    WHERE ROW(t.first, t.last)::record *<> ROW(excluded.first, excluded.last)::record
    RETURNING t.xmax = 0 AS inserted)
  SELECT s.inserted AS rows_inserted, s.updated AS rows_updated,
         (SELECT count(*) FROM hidden) AS rows_deleted,
         (SELECT count(*) FROM m__2 m WHERE m.new_n < 0) AS violations
  FROM (SELECT count(*) FILTER (WHERE shown.inserted) AS inserted,
               count(*) FILTER (WHERE NOT shown.inserted) AS updated
        FROM shown) s
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
         (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = OID AND a.attnum = ANY ('{4}') AND a.attnotnull) = 1,
         EXISTS (SELECT FROM pg_class c WHERE c.oid = ANY ('{OID}') AND c.relrowsecurity), false,
         200, false, true, false
  FROM (SELECT count(*) AS n, coalesce(bool_or(l.w = 0), false) AS marked
        FROM pgtrickle_changes.log_0 l
        WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)) p1
  INTO pending, marked, not_null, row_security, watched, small, sized, nested_loops, moves;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.look_0(pg_snapshot, xid8, bigint) FROM PUBLIC;

ALTER TABLE public.stream_table ADD CONSTRAINT pgtrickle_0_key UNIQUE NULLS NOT DISTINCT (customer_id);

CREATE INDEX pgtrickle_0_hash ON public.stream_table (hash_record_extended(ROW(customer_id), 0));

ALTER TABLE public.stream_table SET (fillfactor = 70);

GRANT SELECT (xid, seq, w, c2, c4) ON pgtrickle_changes.log_0 TO postgres;

