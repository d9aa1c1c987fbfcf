/*
SELECT customer_id, count(*) AS orders, sum(amount) AS revenue FROM orders GROUP BY customer_id



IMMEDIATE

Stream table, state in pgtrickle_state.node_0_1, rows identified by key:
  Project i.customer_id, i.count AS orders, i.sum AS revenue  [O(delta)]
    Aggregate count(*), sum(i.amount) by i.customer_id  [O(delta)]
      Scan public.orders  [O(delta)]
Triggers after each statement on public.orders, and on partitions
Writers to what it reads lock, until their transactions end:
  keys of the result that change, exclusive
*/

CREATE TABLE pgtrickle_state.node_0_1 AS
SELECT i.customer_id AS customer_id, count(*) AS n,
       coalesce(count(*) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
       coalesce(sum(i.amount), 0)::numeric AS sum_amount
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
                 coalesce(sum(i.amount), 0)::numeric AS sum_amount
          FROM (SELECT ($1).*) k, public.orders i
          WHERE i.customer_id = k.customer_id
          GROUP BY k.customer_id
          UNION ALL
          SELECT k.customer_id, count(*) AS n,
                 coalesce(count(*) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
                 coalesce(sum(i.amount), 0)::numeric AS sum_amount
          FROM (SELECT ($1).*) k, public.orders i
          WHERE (k.customer_id IS NOT DISTINCT FROM NULL) AND (i.customer_id IS NOT DISTINCT FROM NULL)
          GROUP BY k.customer_id) q
    INTO r;
    RETURN r;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.groups_0_1(pgtrickle_state.node_0_1) FROM PUBLIC;

CREATE UNLOGGED TABLE pgtrickle_state.changes_0_1 AS
SELECT 0::smallint AS w, t.customer_id AS c2, t.amount AS c3
FROM public.orders t
WITH NO DATA;

CREATE UNIQUE INDEX ON pgtrickle_state.node_0_1 (customer_id) NULLS NOT DISTINCT;

CREATE OR REPLACE FUNCTION pgtrickle_state.left_over_0() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $pgt$
#variable_conflict use_column
<<v>>
DECLARE
BEGIN
    IF NOT EXISTS (SELECT FROM pgtrickle_state.changes_0_1) THEN
        RETURN NULL;
    END IF;
    IF NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = 0) THEN
        IF EXISTS (SELECT
                   FROM pgtrickle_state.node_0_1 s
                   WHERE NOT s.n > 0
                     AND NOT (s.n = 0 AND s.count_amount = 0 AND s.sum_amount = 0)
                     AND NOT abs(s.sum_amount) >= 'Infinity') THEN
            UPDATE pgtrickle.pgt_immediate i SET lost = 'its state was not what it should have been' WHERE i.pgt_id = 0;
        END IF;
        DELETE FROM pgtrickle_state.node_0_1 s WHERE NOT s.n > 0;
    END IF;
    DELETE FROM pgtrickle_state.changes_0_1;
    RETURN NULL;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.left_over_0() FROM PUBLIC;

CREATE CONSTRAINT TRIGGER left_over_0 AFTER INSERT ON pgtrickle_state.changes_0_1 DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pgtrickle_state.left_over_0();

ALTER TABLE pgtrickle_state.changes_0_1 ENABLE ALWAYS TRIGGER left_over_0;

CREATE OR REPLACE FUNCTION pgtrickle_state.changed_0_1() RETURNS trigger
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
    rows_inserted bigint;
    rows_updated bigint;
    rows_deleted bigint;
    unsettled bigint;
    gone tid[];
    touched tid[];
    old_snapshot CONSTANT boolean := current_setting('transaction_isolation') <> 'read committed';
    untold tid[];
    ignored text;
    apply_before CONSTANT text := current_setting('pgtrickle.apply', true);
    maintaining CONSTANT text := coalesce(current_setting('pgtrickle.maintaining', true), '');
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        IF NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = TG_RELID AND t.tgname = TG_NAME) THEN
            RAISE EXCEPTION USING ERRCODE = 'serialization_failure',
                MESSAGE = 'could not serialize access: stream table public.stream_table became IMMEDIATE after the snapshot',
                HINT = 'Try the transaction again.';
        END IF;
        BEGIN      -- who alters or drops what is named below is waited for here
            LOCK TABLE ONLY public.stream_table IN ROW EXCLUSIVE MODE;
        EXCEPTION WHEN undefined_table OR invalid_schema_name OR wrong_object_type OR insufficient_privilege THEN
            UPDATE pgtrickle.pgt_immediate i SET lost = 'what it reads or writes is gone, or closed to its owner' WHERE i.pgt_id = 0;
        END;
        PERFORM FROM pgtrickle.pgt_immediate i WHERE i.pgt_id = 0 FOR SHARE;  -- nor has it been stopped
    END IF;
    -- Before anything is named: the source may have been altered, and the stream table dropped.
    IF EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = 0)
       OR NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate i WHERE i.pgt_id = 0) THEN
        RETURN NULL;
    END IF;
    IF position(' 0 ' IN v.maintaining) > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'stream table public.stream_table of postgres is being maintained by this very statement',
            DETAIL = 'A trigger on it, or on a stream table that reads it, changes what it reads.',
            HINT = 'Its owner can drop that trigger, or have it refreshed instead: pgtrickle.alter_stream_table(''public.stream_table'', refresh_mode => ''DIFFERENTIAL'').';
    END IF;
    BEGIN      -- who alters or drops what is named below is waited for here
        LOCK TABLE ONLY public.stream_table IN ROW EXCLUSIVE MODE;
    EXCEPTION WHEN undefined_table OR invalid_schema_name OR wrong_object_type OR insufficient_privilege THEN
        UPDATE pgtrickle.pgt_immediate i SET lost = 'what it reads or writes is gone, or closed to its owner' WHERE i.pgt_id = 0;
    END;
    IF EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = 0)
       OR NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate i WHERE i.pgt_id = 0) THEN
        RETURN NULL;
    END IF;
    IF ((has_table_privilege(OID::oid, 'SELECT') OR has_column_privilege(OID::oid, 2::int2, 'SELECT') AND has_column_privilege(OID::oid, 3::int2, 'SELECT'))) IS NOT TRUE THEN
        UPDATE pgtrickle.pgt_immediate i SET lost = 'its owner may no longer SELECT from what it reads' WHERE i.pgt_id = 0;
        RETURN NULL;
    END IF;
    v.ignored := set_config('pgtrickle.maintaining', v.maintaining || ' 0 ', true);
    -- The guard trigger lets these statements pass.
    v.ignored := set_config('pgtrickle.apply', '0', true);
    IF TG_OP = 'INSERT' THEN
        WITH
        -- For IMMEDIATE stream table public.stream_table of postgres. If its query cannot have your rows, its owner can take it out of your way: pgtrickle.alter_stream_table('public.stream_table', refresh_mode => 'DIFFERENTIAL')
        -- changed groups: what is added to each
        g AS MATERIALIZED (
          SELECT i.customer_id AS customer_id, coalesce(sum(i.w), 0)::bigint AS n,
                 coalesce(sum(i.w) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
                 coalesce(sum(i.w * i.amount), 0)::numeric AS sum_amount
          FROM (SELECT t.customer_id AS customer_id, t.amount AS amount, 1 AS w FROM newt t) i
          GROUP BY i.customer_id),
        -- state: added, and what it is now
        s AS (
          INSERT INTO pgtrickle_state.node_0_1 AS s (customer_id, n, count_amount, sum_amount)
          SELECT g.customer_id, g.n, g.count_amount, g.sum_amount
          FROM g g
          ORDER BY hash_record_extended(ROW(g.customer_id), 0)
          ON CONFLICT (customer_id) DO UPDATE SET n = s.n + excluded.n,
                                                  count_amount = s.count_amount + excluded.count_amount,
                                                  sum_amount = s.sum_amount + excluded.sum_amount
          RETURNING s.ctid AS old_ctid, s.customer_id, s.n, s.count_amount, s.sum_amount),
        -- rows as they shall be
        rows AS (
          SELECT i.customer_id, i.count AS orders, i.sum AS revenue
          FROM (SELECT s.customer_id, s.n AS count, CASE WHEN s.count_amount > 0 THEN s.sum_amount END AS sum
                FROM s s
                WHERE s.n > 0 AND NOT abs(s.sum_amount) >= 'Infinity') i),
        -- stream table: rows that are new or differ
        shown AS (
          INSERT INTO public.stream_table AS t (customer_id, orders, revenue)
          SELECT n.customer_id::integer AS customer_id, n.orders::bigint AS orders,
                 n.revenue::numeric AS revenue
          FROM rows n
          ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET orders = excluded.orders,
                                                                  revenue = excluded.revenue
          WHERE ROW(t.orders, t.revenue)::record *<> ROW(excluded.orders, excluded.revenue)::record
          RETURNING t.xmax = 0 AS inserted)
        SELECT s.inserted AS rows_inserted, s.updated AS rows_updated, 0::bigint AS rows_deleted,
               m.broken AS violations, m.gone, m.touched, m.untold
        FROM (SELECT count(*) FILTER (WHERE shown.inserted) AS inserted,
                     count(*) FILTER (WHERE NOT shown.inserted) AS updated
              FROM shown) s,
             (SELECT count(*) FILTER (WHERE NOT s.n > 0 AND NOT (s.n = 0 AND s.count_amount = 0 AND s.sum_amount = 0)) AS broken,
                     array_agg(s.old_ctid) FILTER (WHERE NOT s.n > 0) AS gone,
                     array_agg(s.old_ctid) FILTER (WHERE v.old_snapshot) AS touched,
                     array_agg(s.old_ctid) FILTER (WHERE s.n > 0 AND abs(s.sum_amount) >= 'Infinity') AS untold
              FROM s s) m
        INTO rows_inserted, rows_updated, rows_deleted, v.unsettled, v.gone, v.touched, v.untold;
    ELSIF TG_OP = 'DELETE' THEN
        WITH
        -- For IMMEDIATE stream table public.stream_table of postgres. If its query cannot have your rows, its owner can take it out of your way: pgtrickle.alter_stream_table('public.stream_table', refresh_mode => 'DIFFERENTIAL')
        -- changed groups: what is added to each
        g AS MATERIALIZED (
          SELECT i.customer_id AS customer_id, coalesce(sum(i.w), 0)::bigint AS n,
                 coalesce(sum(i.w) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
                 coalesce(sum(i.w * i.amount), 0)::numeric AS sum_amount
          FROM (SELECT t.customer_id AS customer_id, t.amount AS amount, -1 AS w FROM oldt t) i
          GROUP BY i.customer_id),
        -- state: added, and what it is now
        s AS (
          INSERT INTO pgtrickle_state.node_0_1 AS s (customer_id, n, count_amount, sum_amount)
          SELECT g.customer_id, g.n, g.count_amount, g.sum_amount
          FROM g g
          ORDER BY hash_record_extended(ROW(g.customer_id), 0)
          ON CONFLICT (customer_id) DO UPDATE SET n = s.n + excluded.n,
                                                  count_amount = s.count_amount + excluded.count_amount,
                                                  sum_amount = s.sum_amount + excluded.sum_amount
          RETURNING s.ctid AS old_ctid, s.customer_id, s.n, s.count_amount, s.sum_amount),
        -- rows as they shall be
        rows AS (
          SELECT i.customer_id, i.count AS orders, i.sum AS revenue
          FROM (SELECT s.customer_id, s.n AS count, CASE WHEN s.count_amount > 0 THEN s.sum_amount END AS sum
                FROM s s
                WHERE s.n > 0 AND NOT abs(s.sum_amount) >= 'Infinity') i),
        -- stream table: rows that are new or differ
        shown AS (
          INSERT INTO public.stream_table AS t (customer_id, orders, revenue)
          SELECT n.customer_id::integer AS customer_id, n.orders::bigint AS orders,
                 n.revenue::numeric AS revenue
          FROM rows n
          ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET orders = excluded.orders,
                                                                  revenue = excluded.revenue
          WHERE ROW(t.orders, t.revenue)::record *<> ROW(excluded.orders, excluded.revenue)::record
          RETURNING t.xmax = 0 AS inserted)
        SELECT s.inserted AS rows_inserted, s.updated AS rows_updated, 0::bigint AS rows_deleted,
               m.broken AS violations, m.gone, m.touched, m.untold
        FROM (SELECT count(*) FILTER (WHERE shown.inserted) AS inserted,
                     count(*) FILTER (WHERE NOT shown.inserted) AS updated
              FROM shown) s,
             (SELECT count(*) FILTER (WHERE NOT s.n > 0 AND NOT (s.n = 0 AND s.count_amount = 0 AND s.sum_amount = 0)) AS broken,
                     array_agg(s.old_ctid) FILTER (WHERE NOT s.n > 0) AS gone,
                     array_agg(s.old_ctid) FILTER (WHERE v.old_snapshot) AS touched,
                     array_agg(s.old_ctid) FILTER (WHERE s.n > 0 AND abs(s.sum_amount) >= 'Infinity') AS untold
              FROM s s) m
        INTO rows_inserted, rows_updated, rows_deleted, v.unsettled, v.gone, v.touched, v.untold;
    ELSIF TG_OP = 'UPDATE' THEN
        WITH
        -- For IMMEDIATE stream table public.stream_table of postgres. If its query cannot have your rows, its owner can take it out of your way: pgtrickle.alter_stream_table('public.stream_table', refresh_mode => 'DIFFERENTIAL')
        -- changed groups: what is added to each
        g AS MATERIALIZED (
          SELECT i.customer_id AS customer_id, coalesce(sum(i.w), 0)::bigint AS n,
                 coalesce(sum(i.w) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
                 coalesce(sum(i.w * i.amount), 0)::numeric AS sum_amount
          FROM (SELECT t.customer_id AS customer_id, t.amount AS amount, -1 AS w FROM oldt t
                UNION ALL
                SELECT t.customer_id AS customer_id, t.amount AS amount, 1 AS w FROM newt t) i
          GROUP BY i.customer_id
          HAVING (coalesce(sum(i.w), 0)::bigint <> 0
                  OR coalesce(sum(i.w) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint <> 0
                  OR coalesce(sum(i.w * i.amount), 0)::numeric <> 0)),
        -- state: added, and what it is now
        s AS (
          INSERT INTO pgtrickle_state.node_0_1 AS s (customer_id, n, count_amount, sum_amount)
          SELECT g.customer_id, g.n, g.count_amount, g.sum_amount
          FROM g g
          ORDER BY hash_record_extended(ROW(g.customer_id), 0)
          ON CONFLICT (customer_id) DO UPDATE SET n = s.n + excluded.n,
                                                  count_amount = s.count_amount + excluded.count_amount,
                                                  sum_amount = s.sum_amount + excluded.sum_amount
          RETURNING s.ctid AS old_ctid, s.customer_id, s.n, s.count_amount, s.sum_amount),
        -- rows as they shall be
        rows AS (
          SELECT i.customer_id, i.count AS orders, i.sum AS revenue
          FROM (SELECT s.customer_id, s.n AS count, CASE WHEN s.count_amount > 0 THEN s.sum_amount END AS sum
                FROM s s
                WHERE s.n > 0 AND NOT abs(s.sum_amount) >= 'Infinity') i),
        -- stream table: rows that are new or differ
        shown AS (
          INSERT INTO public.stream_table AS t (customer_id, orders, revenue)
          SELECT n.customer_id::integer AS customer_id, n.orders::bigint AS orders,
                 n.revenue::numeric AS revenue
          FROM rows n
          ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET orders = excluded.orders,
                                                                  revenue = excluded.revenue
          WHERE ROW(t.orders, t.revenue)::record *<> ROW(excluded.orders, excluded.revenue)::record
          RETURNING t.xmax = 0 AS inserted)
        SELECT s.inserted AS rows_inserted, s.updated AS rows_updated, 0::bigint AS rows_deleted,
               m.broken AS violations, m.gone, m.touched, m.untold
        FROM (SELECT count(*) FILTER (WHERE shown.inserted) AS inserted,
                     count(*) FILTER (WHERE NOT shown.inserted) AS updated
              FROM shown) s,
             (SELECT count(*) FILTER (WHERE NOT s.n > 0 AND NOT (s.n = 0 AND s.count_amount = 0 AND s.sum_amount = 0)) AS broken,
                     array_agg(s.old_ctid) FILTER (WHERE NOT s.n > 0) AS gone,
                     array_agg(s.old_ctid) FILTER (WHERE v.old_snapshot) AS touched,
                     array_agg(s.old_ctid) FILTER (WHERE s.n > 0 AND abs(s.sum_amount) >= 'Infinity') AS untold
              FROM s s) m
        INTO rows_inserted, rows_updated, rows_deleted, v.unsettled, v.gone, v.touched, v.untold;
    ELSE
        IF current_setting('transaction_isolation') <> 'read committed' THEN
            BEGIN
                TRUNCATE public.stream_table, pgtrickle_state.node_0_1;
            EXCEPTION WHEN object_in_use OR feature_not_supported THEN  -- a cursor, a foreign key: the writer goes on
                UPDATE pgtrickle.pgt_immediate i SET lost = 'it could not be truncated' WHERE i.pgt_id = 0;
            END;
        END IF;
        IF NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = 0) THEN
            PERFORM pgtrickle_state.apply_0('full', NULL, NULL, NULL, 0::bigint, 0::bigint, NULL,
                NULL, NULL::text);
            DELETE FROM pgtrickle_state.changes_0_1;     -- of what waits all has been seen
        END IF;
    END IF;
    IF v.touched IS NOT NULL THEN      -- OID if it shows a group that somebody has emptied since
        PERFORM FROM pgtrickle_state.node_0_1 s, pgtrickle_state.node_0_1 o
                WHERE s.ctid = ANY (v.touched) AND hash_record_extended(ROW(o.customer_id), 0) = hash_record_extended(ROW(s.customer_id), 0) AND ROW(o.customer_id)::record = ROW(s.customer_id)::record
                FOR UPDATE OF o;
    END IF;
    IF v.gone IS NOT NULL THEN
        DELETE FROM public.stream_table t
        USING pgtrickle_state.node_0_1 s
        WHERE s.ctid = ANY (v.gone)
          AND hash_record_extended(ROW(t.customer_id), 0) = hash_record_extended(ROW(s.customer_id), 0)
          AND ROW(t.customer_id)::record = ROW(s.customer_id)::record;
        DELETE FROM pgtrickle_state.node_0_1 s
        WHERE s.ctid = ANY (v.gone) AND s.n = 0 AND s.count_amount = 0 AND s.sum_amount = 0;
        IF v.unsettled > 0 THEN      -- what happened before it comes later
            SET CONSTRAINTS pgtrickle_state.left_over_0 DEFERRED;
            INSERT INTO pgtrickle_state.changes_0_1 (w) VALUES (0);
        END IF;
    END IF;
    IF v.untold IS NOT NULL THEN
        WITH
        -- For IMMEDIATE stream table public.stream_table of postgres. If its query cannot have your rows, its owner can take it out of your way: pgtrickle.alter_stream_table('public.stream_table', refresh_mode => 'DIFFERENTIAL')
        -- rows as they shall be
        rows AS (
          SELECT i.customer_id, i.count AS orders, i.sum AS revenue
          FROM (SELECT s.customer_id, s.n AS count, CASE WHEN r.count_amount > 0 THEN r.sum_amount END AS sum
                FROM pgtrickle_state.node_0_1 s
                CROSS JOIN LATERAL pgtrickle_state.groups_0_1(ROW(s.customer_id, NULL, NULL, NULL)::pgtrickle_state.node_0_1) r
                WHERE s.ctid = ANY (v.untold) AND s.n > 0) i),
        -- stream table: rows that are new or differ
        shown AS (
          INSERT INTO public.stream_table AS t (customer_id, orders, revenue)
          SELECT n.customer_id::integer AS customer_id, n.orders::bigint AS orders,
                 n.revenue::numeric AS revenue
          FROM rows n
          ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET orders = excluded.orders,
                                                                  revenue = excluded.revenue
          WHERE ROW(t.orders, t.revenue)::record *<> ROW(excluded.orders, excluded.revenue)::record
          RETURNING t.xmax = 0 AS inserted)
        SELECT s.inserted AS rows_inserted, s.updated AS rows_updated, 0::bigint AS rows_deleted,
               m.broken AS violations, m.gone
        FROM (SELECT count(*) FILTER (WHERE shown.inserted) AS inserted,
                     count(*) FILTER (WHERE NOT shown.inserted) AS updated
              FROM shown) s,
             (SELECT 0 AS broken, NULL AS gone) m
        INTO rows_inserted, rows_updated, rows_deleted, v.unsettled, v.ignored;
    END IF;
    v.ignored := set_config('pgtrickle.apply', v.apply_before, true);
    v.ignored := set_config('pgtrickle.maintaining', v.maintaining, true);
    RETURN NULL;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.changed_0_1() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION pgtrickle_state.changed_0_1() TO postgres;

ALTER TABLE public.stream_table ADD CONSTRAINT pgtrickle_0_key UNIQUE NULLS NOT DISTINCT (customer_id);

CREATE INDEX pgtrickle_0_hash ON public.stream_table (hash_record_extended(ROW(customer_id), 0));

ALTER TABLE public.stream_table SET (fillfactor = 70);

GRANT SELECT (xid, seq, w, c2, c3) ON pgtrickle_changes.log_0 TO postgres;

