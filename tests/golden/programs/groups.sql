/*
SELECT customer_id, count(*) AS n, sum(amount) AS total, avg(amount) AS mean FROM orders GROUP BY customer_id



DIFFERENTIAL

Stream table, state in pgtrickle_state.node_0_1, rows identified by key:
  Project i.customer_id, i.count AS n, i.sum AS total, i.avg AS mean  [O(delta)]
    Aggregate count(*), sum(i.amount), avg(i.amount) by i.customer_id  [O(delta)]
      Scan public.orders  [O(delta)]
*/

CREATE TABLE pgtrickle_state.node_0_1 AS
SELECT i.customer_id AS customer_id, count(*) AS n,
       coalesce(count(*) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
       coalesce(sum(i.amount), 0)::numeric AS sum_amount,
       coalesce(sum(('1e' || (12 * least(scale(i.amount), 1000)))::numeric) FILTER (WHERE i.amount > '-Infinity' AND i.amount < 'Infinity'), 0)::numeric AS scales_amount
FROM public.orders i
GROUP BY i.customer_id
WITH NO DATA;

CREATE INDEX ON pgtrickle_state.node_0_1 (hash_record_extended(ROW(customer_id), 0));

ALTER TABLE pgtrickle_state.node_0_1 SET (fillfactor = 70);

-- A group from the sources: a sum in its state was NaN or infinite.
CREATE OR REPLACE FUNCTION pgtrickle_state.groups_0_1(groups pgtrickle_state.node_0_1) RETURNS pgtrickle_state.node_0_1
LANGUAGE plpgsql
AS $pgt$
#variable_conflict use_column
DECLARE
    r pgtrickle_state.node_0_1;
BEGIN
    SELECT q.*
    FROM (SELECT k.customer_id, count(*) AS n,
                 coalesce(count(*) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
                 coalesce(sum(i.amount), 0)::numeric AS sum_amount,
                 coalesce(sum(('1e' || (12 * least(scale(i.amount), 1000)))::numeric) FILTER (WHERE i.amount > '-Infinity' AND i.amount < 'Infinity'), 0)::numeric AS scales_amount
          FROM (SELECT ($1).*) k, public.orders i
          WHERE i.customer_id = k.customer_id
          GROUP BY k.customer_id
          UNION ALL
          SELECT k.customer_id, count(*) AS n,
                 coalesce(count(*) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
                 coalesce(sum(i.amount), 0)::numeric AS sum_amount,
                 coalesce(sum(('1e' || (12 * least(scale(i.amount), 1000)))::numeric) FILTER (WHERE i.amount > '-Infinity' AND i.amount < 'Infinity'), 0)::numeric AS scales_amount
          FROM (SELECT ($1).*) k, public.orders i
          WHERE (k.customer_id IS NOT DISTINCT FROM NULL) AND (i.customer_id IS NOT DISTINCT FROM NULL)
          GROUP BY k.customer_id) q
    INTO r;
    RETURN r;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.groups_0_1(pgtrickle_state.node_0_1) FROM PUBLIC;

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
  gone tid[];
BEGIN
  v.ignored := set_config('pgtrickle.apply', '0', true);
  IF $1 = 'full' THEN
    DELETE FROM pgtrickle_state.node_0_1;

    INSERT INTO pgtrickle_state.node_0_1 (customer_id, n, count_amount, sum_amount, scales_amount)
    SELECT i.customer_id AS customer_id, count(*) AS n,
           coalesce(count(*) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
           coalesce(sum(i.amount), 0)::numeric AS sum_amount,
           coalesce(sum(('1e' || (12 * least(scale(i.amount), 1000)))::numeric) FILTER (WHERE i.amount > '-Infinity' AND i.amount < 'Infinity'), 0)::numeric AS scales_amount
    FROM public.orders i
    GROUP BY i.customer_id;

    WITH
    -- the query
    content AS MATERIALIZED (
      SELECT x.customer_id::integer AS customer_id, x.n::bigint AS n, x.total::numeric AS total,
             x.mean::numeric AS mean
      FROM (SELECT i.customer_id, i.count AS n, i.sum AS total, i.avg AS mean
            FROM (SELECT s.customer_id, s.n AS count, CASE WHEN s.count_amount > 0 THEN s.sum_amount END AS sum,
                         CASE WHEN s.count_amount > 0 THEN round(s.sum_amount, ((length(trunc(s.scales_amount)::text) - 1) / 12)) / s.count_amount::numeric END AS avg
                  FROM pgtrickle_state.node_0_1 s) i) x),
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
             OR 'n' = ANY (v.user_keys) AND ROW(t.n)::record *<> ROW(n.n::bigint)::record
             OR 'total' = ANY (v.user_keys) AND ROW(t.total)::record *<> ROW(n.total::numeric)::record
             OR 'mean' = ANY (v.user_keys) AND ROW(t.mean)::record *<> ROW(n.mean::numeric)::record)
      RETURNING 1),
    -- stream table: rows that are new or differ
    shown AS (
      INSERT INTO public.stream_table AS t (customer_id, n, total, mean)
      SELECT n.customer_id::integer AS customer_id, n.n::bigint AS n, n.total::numeric AS total,
             n.mean::numeric AS mean
      FROM content n
      WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0
        AND NOT EXISTS (SELECT
                        FROM public.stream_table o
                        WHERE hash_record_extended(ROW(o.customer_id, o.n, o.total, o.mean), 0) = hash_record_extended(ROW(n.customer_id, n.n, n.total, n.mean), 0)
                          AND ROW(o.customer_id, o.n, o.total, o.mean)::record = ROW(n.customer_id, n.n, n.total, n.mean)::record
                          AND ROW(o.customer_id, o.n, o.total, o.mean)::record *= ROW(n.customer_id, n.n, n.total, n.mean)::record)
      ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET n = excluded.n, total = excluded.total,
                                                              mean = excluded.mean
      WHERE ROW(t.n, t.total, t.mean)::record *<> ROW(excluded.n, excluded.total, excluded.mean)::record
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
  -- changed groups: what is added to each
  g AS MATERIALIZED (
    SELECT i.customer_id AS customer_id, coalesce(sum(i.w), 0)::bigint AS n,
           coalesce(sum(i.w) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
           coalesce(sum(i.w * i.amount), 0)::numeric AS sum_amount,
           coalesce(sum(i.w * ('1e' || (12 * least(scale(i.amount), 1000)))::numeric) FILTER (WHERE i.amount > '-Infinity' AND i.amount < 'Infinity'), 0)::numeric AS scales_amount
    FROM (SELECT l.c2 AS customer_id, l.c3 AS amount, l.w::int AS w
          FROM pgtrickle_changes.log_0 l
          WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)) i
    GROUP BY i.customer_id),
  -- those groups beside their stored values
  m AS MATERIALIZED (
    SELECT g.customer_id, s.ctid AS old_ctid, coalesce(s.n, 0) + g.n AS new_n,
           coalesce(s.count_amount, 0) + g.count_amount AS new_count_amount,
           CASE WHEN abs(coalesce(s.sum_amount, 0) + g.sum_amount) >= 'Infinity' THEN (pgtrickle_state.groups_0_1(ROW(g.customer_id, NULL, NULL, NULL, NULL)::pgtrickle_state.node_0_1)).sum_amount ELSE coalesce(s.sum_amount, 0) + g.sum_amount END AS new_sum_amount,
           coalesce(s.scales_amount, 0) + g.scales_amount AS new_scales_amount
    FROM g g
    LEFT JOIN pgtrickle_state.node_0_1 s
              ON hash_record_extended(ROW(s.customer_id), 0) = hash_record_extended(ROW(g.customer_id), 0)
              AND ROW(s.customer_id)::record = ROW(g.customer_id)::record),
  -- state: keys that stay
  kept AS (
    UPDATE pgtrickle_state.node_0_1 s
    SET n = m.new_n, count_amount = m.new_count_amount, sum_amount = m.new_sum_amount,
        scales_amount = m.new_scales_amount
    FROM m m
    WHERE s.ctid = m.old_ctid AND m.new_n > 0),
  -- state: keys that are new
  born AS (
    INSERT INTO pgtrickle_state.node_0_1 (customer_id, n, count_amount, sum_amount, scales_amount)
    SELECT m.customer_id, m.new_n, m.new_count_amount, m.new_sum_amount, m.new_scales_amount
    FROM m m
    WHERE m.old_ctid IS NULL AND m.new_n > 0),
  -- output rows of these keys
  c AS NOT MATERIALIZED (
    SELECT m.customer_id, m.new_n AS new_count,
           CASE WHEN m.new_count_amount > 0 THEN m.new_sum_amount END AS new_sum,
           CASE WHEN m.new_count_amount > 0 THEN round(m.new_sum_amount, ((length(trunc(m.new_scales_amount)::text) - 1) / 12)) / m.new_count_amount::numeric END AS new_avg,
           m.new_n > 0 AS now
    FROM m m),
  -- rows as they shall be
  rows AS (
    SELECT i.customer_id, i.count AS n, i.sum AS total, i.avg AS mean
    FROM (SELECT c.customer_id AS customer_id, c.new_count AS count, c.new_sum AS sum, c.new_avg AS avg
          FROM c c
          WHERE c.now) i),
  -- stream table: rows that are new or differ
  shown AS (
    INSERT INTO public.stream_table AS t (customer_id, n, total, mean)
    SELECT n.customer_id::integer AS customer_id, n.n::bigint AS n, n.total::numeric AS total,
           n.mean::numeric AS mean
    FROM rows n
    ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET n = excluded.n, total = excluded.total,
                                                            mean = excluded.mean
    WHERE ROW(t.n, t.total, t.mean)::record *<> ROW(excluded.n, excluded.total, excluded.mean)::record
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
    USING pgtrickle_state.node_0_1 s
    WHERE s.ctid = ANY (v.gone)
      AND hash_record_extended(ROW(t.customer_id), 0) = hash_record_extended(ROW(s.customer_id), 0)
      AND ROW(t.customer_id)::record = ROW(s.customer_id)::record;
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
         true, EXISTS (SELECT FROM pg_class c WHERE c.oid = ANY ('{OID}') AND c.relrowsecurity),
         false, 200, false, true, false
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

GRANT SELECT (xid, seq, w, c2, c3) ON pgtrickle_changes.log_0 TO postgres;

