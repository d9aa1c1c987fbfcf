/*
SELECT id, amount * 2 AS twice FROM orders WHERE amount > 10



DIFFERENTIAL

Stream table, rows identified by key:
  Project i.id, i.amount * 2::numeric AS twice  [O(delta)]
    Scan public.orders where t.amount > 10::numeric  [O(delta)]
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
  orders_changed CONSTANT boolean := ($5 & 1) <> 0;
  run ALIAS FOR $6;
  user_keys ALIAS FOR $8;  -- columns of unique indexes that users made; NULL: there are none
  violations bigint;
  ignored text;
  gone public.stream_table[];
BEGIN
  v.ignored := set_config('pgtrickle.apply', '0', true);
  IF $1 = 'full' THEN
    WITH
    -- the query
    content AS MATERIALIZED (
      SELECT x.id::integer AS id, x.twice::numeric AS twice
      FROM (SELECT i.id, i.amount * 2::numeric AS twice
            FROM (SELECT t.id, t.amount FROM public.orders t WHERE t.amount > 10::numeric) i) x),
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
             OR 'twice' = ANY (v.user_keys) AND ROW(t.twice)::record *<> ROW(n.twice::numeric)::record)
      RETURNING 1),
    -- stream table: rows that are new or differ
    shown AS (
      INSERT INTO public.stream_table AS t (id, twice)
      SELECT n.id::integer AS id, n.twice::numeric AS twice
      FROM content n
      WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0
        AND NOT EXISTS (SELECT
                        FROM public.stream_table o
                        WHERE hash_record_extended(ROW(o.id, o.twice), 0) = hash_record_extended(ROW(n.id, n.twice), 0)
                          AND ROW(o.id, o.twice)::record = ROW(n.id, n.twice)::record
                          AND ROW(o.id, o.twice)::record *= ROW(n.id, n.twice)::record)
      ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET twice = excluded.twice
      WHERE ROW(t.twice)::record *<> ROW(excluded.twice)::record
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
      AND l.c3 > 10::numeric
    GROUP BY l.c1, l.c3, pg_catalog.numeric_send(l.c3)
    HAVING sum(l.w) <> 0),
  -- changed rows, net
  net AS MATERIALIZED (
    SELECT x.id AS id, x.twice AS twice, sum(x.w)::int AS w
    FROM (SELECT i.id, i.amount * 2::numeric AS twice, i.w FROM d_orders i) x
    GROUP BY x.id, x.twice, pg_catalog.numeric_send(x.twice)
    HAVING sum(x.w) <> 0),
  -- keys: those without a new row, and those without an old one
  k AS MATERIALIZED (
    SELECT n.id, max(n.w) < 0 AS lost, min(n.w) > 0 AS added, bool_or(n.w NOT IN (1, -1)) AS odd
    FROM net n
    GROUP BY n.id),
  -- stream table: rows that are new or differ
  shown AS (
    INSERT INTO public.stream_table AS t (id, twice)
    SELECT n.id::integer AS id, n.twice::numeric AS twice FROM net n WHERE n.w > 0
    ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET twice = excluded.twice
    WHERE ROW(t.twice)::record *<> ROW(excluded.twice)::record
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

CREATE OR REPLACE FUNCTION pgtrickle_state.refresh_0(mode text DEFAULT 'auto', OUT action text,
  OUT delta_rows bigint, OUT rows_inserted bigint, OUT rows_updated bigint, OUT rows_deleted bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET max_parallel_workers_per_gather = 0
SET jit = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $pgt$
#variable_conflict use_column
<<v>>
DECLARE
  run bigint;
  f_snapshot pg_snapshot;
  f_xid xid8;
  f_seq bigint;
  usual boolean;     -- nothing that has changed
  most bigint;       -- pending rows that are applied as the usual case; -1: none
  marked boolean;
  changed bigint := 0;  -- bit per source with pending rows
  done record;
  planning record;
  path text;
  n1 bigint;
BEGIN
  IF NOT pg_has_role(session_user, current_user, 'USAGE') AND current_query() ~* 'commit|prepare' THEN
    RAISE EXCEPTION 'a refresh is not for what runs at COMMIT' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF $1 = 'auto' AND current_setting('transaction_isolation') = 'repeatable read'
     AND (has_table_privilege(OID::oid, 'SELECT') OR has_column_privilege(OID::oid, 1::int2, 'SELECT') AND has_column_privilege(OID::oid, 3::int2, 'SELECT'))
     AND has_column_privilege(to_regclass('pgtrickle_changes.log_0'), 'w', 'SELECT') THEN
    SELECT b.f_snapshot, b.f_xid, b.f_seq, b.usual, b.most, p1.n, p1.marked
    FROM (SELECT f.snapshot AS f_snapshot, pg_snapshot_xmin(f.snapshot) AS f_xmin,
                 pg_snapshot_xmax(f.snapshot) AS f_xmax, f.xid AS f_xid, f.seq AS f_seq,
                 f.snapshot IS NOT NULL
                 AND NOT EXISTS (SELECT FROM pg_subscription_rel)
                 AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = ANY ('{OID}') AND c.relrowsecurity) AS usual,
                 coalesce(least((SELECT min(x.usual_rows)
                  FROM pgtrickle.pgt_refresh_limits x
                  WHERE x.pgt_id IN (0, 0)), f.full_threshold / 5 * 4), 9223372036854775807) AS most
          FROM pgtrickle.pgt_frontiers f
          WHERE f.pgt_id = 0
          OFFSET 0) b
    CROSS JOIN LATERAL (SELECT count(*) AS n, coalesce(bool_or(l.w = 0), false) AS marked
                        FROM pgtrickle_changes.log_0 l
                        WHERE pgtrickle._is_pending(l.xid, l.seq, b.f_snapshot, b.f_xmin, b.f_xmax, b.f_xid, b.f_seq)) p1
    INTO v.f_snapshot, v.f_xid, v.f_seq, v.usual, v.most, v.n1, v.marked;
    delta_rows := v.n1;
    rows_inserted := 0; rows_updated := 0; rows_deleted := 0;
    IF v.usual AND NOT v.marked AND delta_rows = 0 AND v.most >= 0 AND pg_visible_in_snapshot(
      pg_sequence_last_value('pgtrickle_changes.last_clearing')::text::xid8, pg_current_snapshot()) THEN
      action := 'NO_DATA';
      RETURN;
    ELSIF v.usual AND NOT v.marked AND delta_rows BETWEEN 1 AND v.most THEN
      -- Nothing could write since the look. Rows that this transaction writes from here on come later.
      v.run := nextval('pgtrickle_changes.log_seq');
      UPDATE pgtrickle.pgt_frontiers p
      SET snapshot = pg_current_snapshot(), xid = pg_current_xact_id(), seq = v.run,
          data_timestamp = now(), last_action = 'DIFFERENTIAL', last_delta_rows = delta_rows
      WHERE p.pgt_id = 0 AND p.facts_from IS NULL AND false;
      IF FOUND THEN
        IF v.n1 > 0 THEN v.changed := v.changed | 1; END IF;
        IF delta_rows <= 200 THEN
          v.done := pgtrickle_state.apply_0('differential', v.f_snapshot, v.f_xid, v.f_seq, v.changed, v.run, NULL,
                             NULL, NULL::boolean);
        ELSE
          v.path := pg_catalog.set_config('enable_hashjoin', 'on', true);
          v.path := pg_catalog.set_config('enable_mergejoin', 'on', true);
          v.done := pgtrickle_state.apply_0('differential', v.f_snapshot, v.f_xid, v.f_seq, v.changed, v.run, NULL,
                             NULL, NULL::text);
        END IF;
        -- A function of the query may have changed the path, for good.
        v.path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        action := 'DIFFERENTIAL';
        rows_inserted := v.done.rows_inserted;
        rows_updated := v.done.rows_updated;
        rows_deleted := v.done.rows_deleted;
        RETURN;
      END IF;
    END IF;
  END IF;
  -- Everything else
  SELECT p.action, p.delta_rows, p.rows_inserted, p.rows_updated, p.rows_deleted
  INTO action, delta_rows, rows_inserted, rows_updated, rows_deleted
  FROM pgtrickle._refresh_program(0, $1) p;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.refresh_0(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION pgtrickle_state.refresh_0(text) TO postgres;

ALTER TABLE public.stream_table ADD CONSTRAINT pgtrickle_0_key PRIMARY KEY (id);

GRANT SELECT (xid, seq, w, c1, c3) ON pgtrickle_changes.log_0 TO postgres;

