/*
SELECT c.region, count(*) AS orders, sum(o.amount) AS revenue FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY c.region


IMMEDIATE

Stream table, state in pgtrickle_state.node_0_1, rows identified by key:
  Project i.region, i.count AS orders, i.sum AS revenue  [O(delta)]
    Aggregate count(*), sum(i.amount) by i.region  [O(delta)]
      Join of 2 on a2.id = a1.customer_id  [O(delta x matches)]
        Scan public.orders  [O(delta)]
        Scan public.customers  [O(delta)]
Triggers before and after each statement on public.customers, public.orders, and on partitions
Writers to what it reads lock, until their transactions end:
  values: orders(customer_id) shared, customers(id) exclusive
  keys of the result that change, exclusive
*/

CREATE TABLE pgtrickle_state.node_0_1 AS
SELECT i.region AS region, count(*) AS n,
       coalesce(count(*) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
       coalesce(sum(i.amount), 0)::numeric AS sum_amount
FROM (SELECT a1.customer_id, a1.amount, a2.id, a2.region
      FROM public.orders a1, public.customers a2
      WHERE a2.id = a1.customer_id) i
GROUP BY i.region
WITH NO DATA;

CREATE INDEX ON pgtrickle_state.node_0_1 (hash_record_extended(ROW(region), 0));

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
    FROM (SELECT k.region, count(*) AS n,
                 coalesce(count(*) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
                 coalesce(sum(i.amount), 0)::numeric AS sum_amount
          FROM (SELECT ($1).*) k,
               (SELECT a1.customer_id, a1.amount, a2.id, a2.region
                FROM public.orders a1, public.customers a2
                WHERE a2.id = a1.customer_id) i
          WHERE i.region = k.region
          GROUP BY k.region
          UNION ALL
          SELECT k.region, count(*) AS n,
                 coalesce(count(*) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
                 coalesce(sum(i.amount), 0)::numeric AS sum_amount
          FROM (SELECT ($1).*) k,
               (SELECT a1.customer_id, a1.amount, a2.id, a2.region
                FROM public.orders a1, public.customers a2
                WHERE a2.id = a1.customer_id) i
          WHERE (k.region IS NOT DISTINCT FROM NULL) AND (i.region IS NOT DISTINCT FROM NULL)
          GROUP BY k.region) q
    INTO r;
    RETURN r;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.groups_0_1(pgtrickle_state.node_0_1) FROM PUBLIC;

CREATE UNLOGGED TABLE pgtrickle_state.changes_0_1 AS
SELECT 0::smallint AS w, t.id AS c1, t.region AS c2 FROM public.customers t
WITH NO DATA;

CREATE UNLOGGED TABLE pgtrickle_state.changes_0_2 AS
SELECT 0::smallint AS w, t.customer_id AS c2, t.amount AS c3
FROM public.orders t
WITH NO DATA;

CREATE TABLE pgtrickle_state.places_0 (place int PRIMARY KEY, xid xid8, running int NOT NULL DEFAULT 0,
    kept boolean NOT NULL DEFAULT false, recompute boolean NOT NULL DEFAULT false) WITH (fillfactor = 20);

INSERT INTO pgtrickle_state.places_0 (place)
SELECT generate_series(0, 47);

CREATE TABLE pgtrickle_state.locks_0 (key int PRIMARY KEY);

INSERT INTO pgtrickle_state.locks_0
SELECT generate_series(0, 2047);

CREATE OR REPLACE FUNCTION pgtrickle_state.maintain_0(d1 pgtrickle_state.changes_0_1[], d2 pgtrickle_state.changes_0_2[]) RETURNS void
LANGUAGE plpgsql
AS $pgt$
#variable_conflict use_column
<<v>>
DECLARE
    customers_changed CONSTANT boolean := $1 IS NOT NULL;
    orders_changed CONSTANT boolean := $2 IS NOT NULL;
    d1 CONSTANT pgtrickle_state.changes_0_1[] := $1;
    d2 CONSTANT pgtrickle_state.changes_0_2[] := $2;
    user_keys text[];  -- columns of unique indexes that users made
    violations bigint;
    rows_inserted bigint;
    rows_updated bigint;
    rows_deleted bigint;
    ignored text;
    gone tid[];
    apply_before CONSTANT text := current_setting('pgtrickle.apply', true);
    maintaining CONSTANT text := coalesce(current_setting('pgtrickle.maintaining', true), '');
BEGIN
    IF position(' 0 ' IN v.maintaining) > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'stream table public.stream_table of postgres is being maintained by this very statement',
            DETAIL = 'A trigger on it, or on a stream table that reads it, changes what it reads.',
            HINT = 'Its owner can drop that trigger, or have it refreshed instead: pgtrickle.alter_stream_table(''public.stream_table'', refresh_mode => ''DIFFERENTIAL'').';
    END IF;
    BEGIN      -- who alters or drops what is named below is waited for here
        LOCK TABLE ONLY public.stream_table IN ROW EXCLUSIVE MODE;
        PERFORM FROM (SELECT FROM ONLY public.customers t
         UNION ALL
         SELECT FROM ONLY public.orders t) t WHERE false;
    EXCEPTION WHEN undefined_table OR invalid_schema_name OR wrong_object_type OR insufficient_privilege THEN
        UPDATE pgtrickle.pgt_immediate i SET lost = 'what it reads or writes is gone, or closed to its owner' WHERE i.pgt_id = 0;
    END;
    IF EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = 0)
       OR NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate i WHERE i.pgt_id = 0) THEN
        RETURN;
    END IF;
    IF ((has_table_privilege(OID::oid, 'SELECT') OR has_column_privilege(OID::oid, 1::int2, 'SELECT') AND has_column_privilege(OID::oid, 2::int2, 'SELECT'))
        AND (has_table_privilege(OID::oid, 'SELECT') OR has_column_privilege(OID::oid, 2::int2, 'SELECT') AND has_column_privilege(OID::oid, 3::int2, 'SELECT'))) IS NOT TRUE THEN
        UPDATE pgtrickle.pgt_immediate i SET lost = 'its owner may no longer SELECT from what it reads' WHERE i.pgt_id = 0;
        RETURN;
    END IF;
    v.ignored := set_config('pgtrickle.maintaining', v.maintaining || ' 0 ', true);
    -- The guard trigger lets these statements pass.
    v.ignored := set_config('pgtrickle.apply', '0', true);
    v.user_keys := NULL;
    IF v.orders_changed THEN      -- what joins look up by, shared
        WITH
        -- For IMMEDIATE stream table public.stream_table of postgres. If its query cannot have your rows, its owner can take it out of your way: pgtrickle.alter_stream_table('public.stream_table', refresh_mode => 'DIFFERENTIAL')
        -- numbers of locks
        keys AS MATERIALIZED (
          SELECT k.key
          FROM (SELECT 0 + (hash_record_extended(ROW(l.c2), 0) & 1023)::int
                FROM unnest(v.d2) l
                WHERE v.orders_changed) k (key)
          GROUP BY k.key),
        -- the locks
        locked AS MATERIALIZED (
          SELECT FROM pgtrickle_state.locks_0 l
          WHERE l.key = ANY (ARRAY(SELECT k.key FROM keys k))
          ORDER BY l.key
          FOR SHARE)
        SELECT (SELECT count(*) FROM keys) - (SELECT count(*) FROM locked)
        INTO v.violations;
        IF v.violations <> 0 THEN
            PERFORM pgtrickle._raise_disagreement('public.stream_table', 'locks', v.violations);
        END IF;
    END IF;
    IF v.customers_changed THEN      -- what joins look up by, alone
        WITH
        -- For IMMEDIATE stream table public.stream_table of postgres. If its query cannot have your rows, its owner can take it out of your way: pgtrickle.alter_stream_table('public.stream_table', refresh_mode => 'DIFFERENTIAL')
        -- numbers of locks
        keys AS MATERIALIZED (
          SELECT k.key
          FROM (SELECT 0 + (hash_record_extended(ROW(l.c1), 0) & 1023)::int
                FROM unnest(v.d1) l
                WHERE v.customers_changed) k (key)
          GROUP BY k.key),
        -- the locks
        locked AS MATERIALIZED (
          SELECT FROM pgtrickle_state.locks_0 l
          WHERE l.key = ANY (ARRAY(SELECT k.key FROM keys k))
          ORDER BY l.key
          FOR UPDATE)
        SELECT (SELECT count(*) FROM keys) - (SELECT count(*) FROM locked)
        INTO v.violations;
        IF v.violations <> 0 THEN
            PERFORM pgtrickle._raise_disagreement('public.stream_table', 'locks', v.violations);
        END IF;
    END IF;
    -- what of the result changes
    WITH
    -- For IMMEDIATE stream table public.stream_table of postgres. If its query cannot have your rows, its owner can take it out of your way: pgtrickle.alter_stream_table('public.stream_table', refresh_mode => 'DIFFERENTIAL')
    -- orders: rows that are pending, net
    d_orders AS MATERIALIZED (
      SELECT l.c2 AS customer_id, l.c3 AS amount, sum(l.w)::int AS w
      FROM unnest(v.d2) l
      GROUP BY l.c2, l.c3, pg_catalog.numeric_send(l.c3)
      HAVING sum(l.w) <> 0),
    -- customers: rows that are pending, net
    d_customers AS MATERIALIZED (
      SELECT l.c1 AS id, l.c2 AS region, sum(l.w)::int AS w
      FROM unnest(v.d1) l
      GROUP BY l.c1, l.c2
      HAVING sum(l.w) <> 0),
    -- numbers of locks
    keys AS MATERIALIZED (
      SELECT k.key
      FROM (SELECT 1024 + (h.h & 1023)::int
            FROM (SELECT hash_record_extended(ROW(i.region), 0)
                  FROM (SELECT a1.customer_id, a1.amount, a2.id, a2.region, a1.w AS w
                        FROM d_orders a1, public.customers a2
                        WHERE a2.id = a1.customer_id AND v.orders_changed
                        UNION ALL
                        SELECT a1.customer_id, a1.amount, a2.id, a2.region, a2.w AS w
                        FROM public.orders a1, d_customers a2
                        WHERE a2.id = a1.customer_id AND v.customers_changed
                        UNION ALL
                        SELECT a1.customer_id, a1.amount, a2.id, a2.region, -(a1.w * a2.w) AS w
                        FROM d_orders a1, d_customers a2
                        WHERE a2.id = a1.customer_id AND v.orders_changed AND v.customers_changed) i) h (h)) k (key)
      GROUP BY k.key),
    -- the locks
    locked AS MATERIALIZED (
      SELECT FROM pgtrickle_state.locks_0 l
      WHERE l.key = ANY (ARRAY(SELECT k.key FROM keys k))
      ORDER BY l.key
      FOR UPDATE)
    SELECT (SELECT count(*) FROM keys) - (SELECT count(*) FROM locked)
    INTO v.violations;
    IF v.violations <> 0 THEN
        PERFORM pgtrickle._raise_disagreement('public.stream_table', 'locks', v.violations);
    END IF;
    IF EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = 0)
       OR NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate i WHERE i.pgt_id = 0) THEN
        v.ignored := set_config('pgtrickle.apply', v.apply_before, true);
        v.ignored := set_config('pgtrickle.maintaining', v.maintaining, true);
        RETURN;
    END IF;
    -- the stream table
    WITH
    -- For IMMEDIATE stream table public.stream_table of postgres. If its query cannot have your rows, its owner can take it out of your way: pgtrickle.alter_stream_table('public.stream_table', refresh_mode => 'DIFFERENTIAL')
    -- orders: rows that are pending, net
    d_orders AS MATERIALIZED (
      SELECT l.c2 AS customer_id, l.c3 AS amount, sum(l.w)::int AS w
      FROM unnest(v.d2) l
      GROUP BY l.c2, l.c3, pg_catalog.numeric_send(l.c3)
      HAVING sum(l.w) <> 0),
    -- customers: rows that are pending, net
    d_customers AS MATERIALIZED (
      SELECT l.c1 AS id, l.c2 AS region, sum(l.w)::int AS w
      FROM unnest(v.d1) l
      GROUP BY l.c1, l.c2
      HAVING sum(l.w) <> 0),
    -- changed groups: what is added to each
    g AS MATERIALIZED (
      SELECT i.region AS region, coalesce(sum(i.w), 0)::bigint AS n,
             coalesce(sum(i.w) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
             coalesce(sum(i.w * i.amount), 0)::numeric AS sum_amount
      FROM (SELECT a1.customer_id, a1.amount, a2.id, a2.region, a1.w AS w
            FROM d_orders a1, public.customers a2
            WHERE a2.id = a1.customer_id AND v.orders_changed
            UNION ALL
            SELECT a1.customer_id, a1.amount, a2.id, a2.region, a2.w AS w
            FROM public.orders a1, d_customers a2
            WHERE a2.id = a1.customer_id AND v.customers_changed
            UNION ALL
            SELECT a1.customer_id, a1.amount, a2.id, a2.region, -(a1.w * a2.w) AS w
            FROM d_orders a1, d_customers a2
            WHERE a2.id = a1.customer_id AND v.orders_changed AND v.customers_changed) i
      GROUP BY i.region),
    -- those groups beside their stored values
    m AS MATERIALIZED (
      SELECT g.region, s.ctid AS old_ctid, coalesce(s.n, 0) + g.n AS new_n,
             coalesce(s.count_amount, 0) + g.count_amount AS new_count_amount,
             CASE WHEN abs(coalesce(s.sum_amount, 0) + g.sum_amount) >= 'Infinity' THEN (pgtrickle_state.groups_0_1(ROW(g.region, NULL, NULL, NULL)::pgtrickle_state.node_0_1)).sum_amount ELSE coalesce(s.sum_amount, 0) + g.sum_amount END AS new_sum_amount
      FROM g g
      LEFT JOIN pgtrickle_state.node_0_1 s
                ON hash_record_extended(ROW(s.region), 0) = hash_record_extended(ROW(g.region), 0)
                AND ROW(s.region)::record = ROW(g.region)::record),
    -- state: keys that stay
    kept AS (
      UPDATE pgtrickle_state.node_0_1 s
      SET n = m.new_n, count_amount = m.new_count_amount, sum_amount = m.new_sum_amount
      FROM m m
      WHERE s.ctid = m.old_ctid AND m.new_n > 0),
    -- state: keys that are new
    born AS (
      INSERT INTO pgtrickle_state.node_0_1 (region, n, count_amount, sum_amount)
      SELECT m.region, m.new_n, m.new_count_amount, m.new_sum_amount
      FROM m m
      WHERE m.old_ctid IS NULL AND m.new_n > 0),
    -- output rows of these keys
    c AS NOT MATERIALIZED (
      SELECT m.region, m.new_n AS new_count,
             CASE WHEN m.new_count_amount > 0 THEN m.new_sum_amount END AS new_sum, m.new_n > 0 AS now
      FROM m m),
    -- rows as they shall be
    rows AS (
      SELECT i.region, i.count AS orders, i.sum AS revenue
      FROM (SELECT c.region AS region, c.new_count AS count, c.new_sum AS sum
            FROM c c
            WHERE c.now) i),
    -- stream table: rows that are new or differ
    shown AS (
      INSERT INTO public.stream_table AS t (region, orders, revenue)
      SELECT n.region::text AS region, n.orders::bigint AS orders, n.revenue::numeric AS revenue
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
        AND hash_record_extended(ROW(t.region), 0) = hash_record_extended(ROW(s.region), 0)
        AND ROW(t.region)::record = ROW(s.region)::record;
      GET DIAGNOSTICS rows_deleted = ROW_COUNT;
      DELETE FROM pgtrickle_state.node_0_1 s WHERE s.ctid = ANY (v.gone);
    END IF;
    v.ignored := set_config('pgtrickle.apply', v.apply_before, true);
    v.ignored := set_config('pgtrickle.maintaining', v.maintaining, true);
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.maintain_0(pgtrickle_state.changes_0_1[], pgtrickle_state.changes_0_2[]) FROM PUBLIC;

CREATE OR REPLACE FUNCTION pgtrickle_state.maintain_many_0(counts bigint[]) RETURNS void
LANGUAGE plpgsql
AS $pgt$
#variable_conflict use_column
<<v>>
DECLARE
    customers_changed CONSTANT boolean := $1[1] > 0;
    orders_changed CONSTANT boolean := $1[2] > 0;
    user_keys text[];  -- columns of unique indexes that users made
    violations bigint;
    rows_inserted bigint;
    rows_updated bigint;
    rows_deleted bigint;
    ignored text;
    gone tid[];
    apply_before CONSTANT text := current_setting('pgtrickle.apply', true);
    maintaining CONSTANT text := coalesce(current_setting('pgtrickle.maintaining', true), '');
    sizes_before CONSTANT text := current_setting('pgtrickle.sizes', true);
BEGIN
    IF position(' 0 ' IN v.maintaining) > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'stream table public.stream_table of postgres is being maintained by this very statement',
            DETAIL = 'A trigger on it, or on a stream table that reads it, changes what it reads.',
            HINT = 'Its owner can drop that trigger, or have it refreshed instead: pgtrickle.alter_stream_table(''public.stream_table'', refresh_mode => ''DIFFERENTIAL'').';
    END IF;
    BEGIN      -- who alters or drops what is named below is waited for here
        LOCK TABLE ONLY public.stream_table IN ROW EXCLUSIVE MODE;
        PERFORM FROM (SELECT FROM ONLY public.customers t
         UNION ALL
         SELECT FROM ONLY public.orders t) t WHERE false;
    EXCEPTION WHEN undefined_table OR invalid_schema_name OR wrong_object_type OR insufficient_privilege THEN
        UPDATE pgtrickle.pgt_immediate i SET lost = 'what it reads or writes is gone, or closed to its owner' WHERE i.pgt_id = 0;
    END;
    IF EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = 0)
       OR NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate i WHERE i.pgt_id = 0) THEN
        RETURN;
    END IF;
    IF ((has_table_privilege(OID::oid, 'SELECT') OR has_column_privilege(OID::oid, 1::int2, 'SELECT') AND has_column_privilege(OID::oid, 2::int2, 'SELECT'))
        AND (has_table_privilege(OID::oid, 'SELECT') OR has_column_privilege(OID::oid, 2::int2, 'SELECT') AND has_column_privilege(OID::oid, 3::int2, 'SELECT'))) IS NOT TRUE THEN
        UPDATE pgtrickle.pgt_immediate i SET lost = 'its owner may no longer SELECT from what it reads' WHERE i.pgt_id = 0;
        RETURN;
    END IF;
    v.ignored := set_config('pgtrickle.maintaining', v.maintaining || ' 0 ', true);
    -- The guard trigger lets these statements pass.
    v.ignored := set_config('pgtrickle.apply', '0', true);
    v.user_keys := NULL;
    v.ignored := set_config('pgtrickle.sizes', $1::text, true);
    IF v.orders_changed THEN      -- what joins look up by, shared
        WITH
        -- For IMMEDIATE stream table public.stream_table of postgres. If its query cannot have your rows, its owner can take it out of your way: pgtrickle.alter_stream_table('public.stream_table', refresh_mode => 'DIFFERENTIAL')
        -- numbers of locks
        keys AS MATERIALIZED (
          SELECT k.key
          FROM (SELECT 0 + (hash_record_extended(ROW(l.c2), 0) & 1023)::int
                FROM pgtrickle_state.changes_0_2 l
                WHERE v.orders_changed) k (key)
          GROUP BY k.key),
        -- the locks
        locked AS MATERIALIZED (
          SELECT FROM pgtrickle_state.locks_0 l
          WHERE l.key = ANY (ARRAY(SELECT k.key FROM keys k))
          ORDER BY l.key
          FOR SHARE)
        SELECT (SELECT count(*) FROM keys) - (SELECT count(*) FROM locked)
        INTO v.violations;
        IF v.violations <> 0 THEN
            PERFORM pgtrickle._raise_disagreement('public.stream_table', 'locks', v.violations);
        END IF;
    END IF;
    IF v.customers_changed THEN      -- what joins look up by, alone
        WITH
        -- For IMMEDIATE stream table public.stream_table of postgres. If its query cannot have your rows, its owner can take it out of your way: pgtrickle.alter_stream_table('public.stream_table', refresh_mode => 'DIFFERENTIAL')
        -- numbers of locks
        keys AS MATERIALIZED (
          SELECT k.key
          FROM (SELECT 0 + (hash_record_extended(ROW(l.c1), 0) & 1023)::int
                FROM pgtrickle_state.changes_0_1 l
                WHERE v.customers_changed) k (key)
          GROUP BY k.key),
        -- the locks
        locked AS MATERIALIZED (
          SELECT FROM pgtrickle_state.locks_0 l
          WHERE l.key = ANY (ARRAY(SELECT k.key FROM keys k))
          ORDER BY l.key
          FOR UPDATE)
        SELECT (SELECT count(*) FROM keys) - (SELECT count(*) FROM locked)
        INTO v.violations;
        IF v.violations <> 0 THEN
            PERFORM pgtrickle._raise_disagreement('public.stream_table', 'locks', v.violations);
        END IF;
    END IF;
    -- what of the result changes
    WITH
    -- For IMMEDIATE stream table public.stream_table of postgres. If its query cannot have your rows, its owner can take it out of your way: pgtrickle.alter_stream_table('public.stream_table', refresh_mode => 'DIFFERENTIAL')
    -- orders: rows that are pending, net
    d_orders AS MATERIALIZED (
      SELECT l.c2 AS customer_id, l.c3 AS amount, sum(l.w)::int AS w
      FROM pgtrickle_state.changes_0_2 l
      GROUP BY l.c2, l.c3, pg_catalog.numeric_send(l.c3)
      HAVING sum(l.w) <> 0),
    -- customers: rows that are pending, net
    d_customers AS MATERIALIZED (
      SELECT l.c1 AS id, l.c2 AS region, sum(l.w)::int AS w
      FROM pgtrickle_state.changes_0_1 l
      GROUP BY l.c1, l.c2
      HAVING sum(l.w) <> 0),
    -- numbers of locks
    keys AS MATERIALIZED (
      SELECT k.key
      FROM (SELECT 1024 + (h.h & 1023)::int
            FROM (SELECT hash_record_extended(ROW(i.region), 0)
                  FROM (SELECT a1.customer_id, a1.amount, a2.id, a2.region, a1.w AS w
                        FROM d_orders a1, public.customers a2
                        WHERE a2.id = a1.customer_id AND v.orders_changed
                        UNION ALL
                        SELECT a1.customer_id, a1.amount, a2.id, a2.region, a2.w AS w
                        FROM public.orders a1, d_customers a2
                        WHERE a2.id = a1.customer_id AND v.customers_changed
                        UNION ALL
                        SELECT a1.customer_id, a1.amount, a2.id, a2.region, -(a1.w * a2.w) AS w
                        FROM d_orders a1, d_customers a2
                        WHERE a2.id = a1.customer_id AND v.orders_changed AND v.customers_changed) i) h (h)) k (key)
      GROUP BY k.key),
    -- the locks
    locked AS MATERIALIZED (
      SELECT FROM pgtrickle_state.locks_0 l
      WHERE l.key = ANY (ARRAY(SELECT k.key FROM keys k))
      ORDER BY l.key
      FOR UPDATE)
    SELECT (SELECT count(*) FROM keys) - (SELECT count(*) FROM locked)
    INTO v.violations;
    IF v.violations <> 0 THEN
        PERFORM pgtrickle._raise_disagreement('public.stream_table', 'locks', v.violations);
    END IF;
    IF EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = 0)
       OR NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate i WHERE i.pgt_id = 0) THEN
        v.ignored := set_config('pgtrickle.sizes', v.sizes_before, true);
        v.ignored := set_config('pgtrickle.apply', v.apply_before, true);
        v.ignored := set_config('pgtrickle.maintaining', v.maintaining, true);
        RETURN;
    END IF;
    -- the stream table
    WITH
    -- For IMMEDIATE stream table public.stream_table of postgres. If its query cannot have your rows, its owner can take it out of your way: pgtrickle.alter_stream_table('public.stream_table', refresh_mode => 'DIFFERENTIAL')
    -- orders: rows that are pending, net
    d_orders AS MATERIALIZED (
      SELECT l.c2 AS customer_id, l.c3 AS amount, sum(l.w)::int AS w
      FROM pgtrickle_state.changes_0_2 l
      GROUP BY l.c2, l.c3, pg_catalog.numeric_send(l.c3)
      HAVING sum(l.w) <> 0
      LIMIT (nullif(current_setting('pgtrickle.sizes', true), '')::bigint[])[2]),
    -- customers: rows that are pending, net
    d_customers AS MATERIALIZED (
      SELECT l.c1 AS id, l.c2 AS region, sum(l.w)::int AS w
      FROM pgtrickle_state.changes_0_1 l
      GROUP BY l.c1, l.c2
      HAVING sum(l.w) <> 0
      LIMIT (nullif(current_setting('pgtrickle.sizes', true), '')::bigint[])[1]),
    -- changed groups: what is added to each
    g AS MATERIALIZED (
      SELECT i.region AS region, coalesce(sum(i.w), 0)::bigint AS n,
             coalesce(sum(i.w) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
             coalesce(sum(i.w * i.amount), 0)::numeric AS sum_amount
      FROM (SELECT a1.customer_id, a1.amount, a2.id, a2.region, a1.w AS w
            FROM d_orders a1, public.customers a2
            WHERE a2.id = a1.customer_id AND v.orders_changed
            UNION ALL
            SELECT a1.customer_id, a1.amount, a2.id, a2.region, a2.w AS w
            FROM public.orders a1, d_customers a2
            WHERE a2.id = a1.customer_id AND v.customers_changed
            UNION ALL
            SELECT a1.customer_id, a1.amount, a2.id, a2.region, -(a1.w * a2.w) AS w
            FROM d_orders a1, d_customers a2
            WHERE a2.id = a1.customer_id AND v.orders_changed AND v.customers_changed) i
      GROUP BY i.region),
    -- those groups beside their stored values
    m AS MATERIALIZED (
      SELECT g.region, s.ctid AS old_ctid, coalesce(s.n, 0) + g.n AS new_n,
             coalesce(s.count_amount, 0) + g.count_amount AS new_count_amount,
             CASE WHEN abs(coalesce(s.sum_amount, 0) + g.sum_amount) >= 'Infinity' THEN (pgtrickle_state.groups_0_1(ROW(g.region, NULL, NULL, NULL)::pgtrickle_state.node_0_1)).sum_amount ELSE coalesce(s.sum_amount, 0) + g.sum_amount END AS new_sum_amount
      FROM g g
      LEFT JOIN pgtrickle_state.node_0_1 s
                ON hash_record_extended(ROW(s.region), 0) = hash_record_extended(ROW(g.region), 0)
                AND ROW(s.region)::record = ROW(g.region)::record),
    -- state: keys that stay
    kept AS (
      UPDATE pgtrickle_state.node_0_1 s
      SET n = m.new_n, count_amount = m.new_count_amount, sum_amount = m.new_sum_amount
      FROM m m
      WHERE s.ctid = m.old_ctid AND m.new_n > 0),
    -- state: keys that are new
    born AS (
      INSERT INTO pgtrickle_state.node_0_1 (region, n, count_amount, sum_amount)
      SELECT m.region, m.new_n, m.new_count_amount, m.new_sum_amount
      FROM m m
      WHERE m.old_ctid IS NULL AND m.new_n > 0),
    -- output rows of these keys
    c AS NOT MATERIALIZED (
      SELECT m.region, m.new_n AS new_count,
             CASE WHEN m.new_count_amount > 0 THEN m.new_sum_amount END AS new_sum, m.new_n > 0 AS now
      FROM m m),
    -- rows as they shall be
    rows AS (
      SELECT i.region, i.count AS orders, i.sum AS revenue
      FROM (SELECT c.region AS region, c.new_count AS count, c.new_sum AS sum
            FROM c c
            WHERE c.now) i),
    -- stream table: rows that are new or differ
    shown AS (
      INSERT INTO public.stream_table AS t (region, orders, revenue)
      SELECT n.region::text AS region, n.orders::bigint AS orders, n.revenue::numeric AS revenue
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
        AND hash_record_extended(ROW(t.region), 0) = hash_record_extended(ROW(s.region), 0)
        AND ROW(t.region)::record = ROW(s.region)::record;
      GET DIAGNOSTICS rows_deleted = ROW_COUNT;
      DELETE FROM pgtrickle_state.node_0_1 s WHERE s.ctid = ANY (v.gone);
    END IF;
    v.ignored := set_config('pgtrickle.sizes', v.sizes_before, true);
    v.ignored := set_config('pgtrickle.apply', v.apply_before, true);
    v.ignored := set_config('pgtrickle.maintaining', v.maintaining, true);
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.maintain_many_0(bigint[]) FROM PUBLIC;

CREATE OR REPLACE FUNCTION pgtrickle_state.settle_0(recompute boolean) RETURNS void
LANGUAGE plpgsql
AS $pgt$
#variable_conflict use_column
<<v>>
DECLARE
    counts bigint[];
    at tid;
    ignored text;
    apply_before CONSTANT text := current_setting('pgtrickle.apply', true);
    maintaining CONSTANT text := coalesce(current_setting('pgtrickle.maintaining', true), '');
BEGIN
    v.counts := ARRAY[(SELECT count(*) FROM pgtrickle_state.changes_0_1),
                      (SELECT count(*) FROM pgtrickle_state.changes_0_2)];
    IF recompute THEN
        IF position(' 0 ' IN v.maintaining) > 0 THEN
            RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = 'stream table public.stream_table of postgres is being maintained by this very statement',
                DETAIL = 'A trigger on it, or on a stream table that reads it, changes what it reads.',
                HINT = 'Its owner can drop that trigger, or have it refreshed instead: pgtrickle.alter_stream_table(''public.stream_table'', refresh_mode => ''DIFFERENTIAL'').';
        END IF;
        BEGIN      -- who alters or drops what is named below is waited for here
            LOCK TABLE ONLY public.stream_table IN ROW EXCLUSIVE MODE;
            PERFORM FROM (SELECT FROM ONLY public.customers t
             UNION ALL
             SELECT FROM ONLY public.orders t) t WHERE false;
        EXCEPTION WHEN undefined_table OR invalid_schema_name OR wrong_object_type OR insufficient_privilege THEN
            UPDATE pgtrickle.pgt_immediate i SET lost = 'what it reads or writes is gone, or closed to its owner' WHERE i.pgt_id = 0;
        END;
        IF EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = 0)
           OR NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate i WHERE i.pgt_id = 0) THEN
            RETURN;
        END IF;
        IF ((has_table_privilege(OID::oid, 'SELECT') OR has_column_privilege(OID::oid, 1::int2, 'SELECT') AND has_column_privilege(OID::oid, 2::int2, 'SELECT'))
            AND (has_table_privilege(OID::oid, 'SELECT') OR has_column_privilege(OID::oid, 2::int2, 'SELECT') AND has_column_privilege(OID::oid, 3::int2, 'SELECT'))) IS NOT TRUE THEN
            UPDATE pgtrickle.pgt_immediate i SET lost = 'its owner may no longer SELECT from what it reads' WHERE i.pgt_id = 0;
            RETURN;
        END IF;
        v.ignored := set_config('pgtrickle.maintaining', v.maintaining || ' 0 ', true);
        PERFORM FROM pgtrickle_state.places_0 p ORDER BY p.place FOR UPDATE;
        v.ignored := set_config('enable_hashjoin', 'on', true);
        v.ignored := set_config('enable_mergejoin', 'on', true);
        PERFORM pgtrickle_state.apply_0('full', NULL, NULL, NULL, 0::bigint, 0::bigint, NULL,
            NULL, NULL::text);
        v.ignored := set_config('pgtrickle.apply', v.apply_before, true);
        v.ignored := set_config('pgtrickle.maintaining', v.maintaining, true);
    ELSIF (SELECT sum(n) FROM unnest(v.counts) n) <= 200 THEN
        PERFORM pgtrickle_state.maintain_0((SELECT array_agg(t) FROM pgtrickle_state.changes_0_1 t),
                                           (SELECT array_agg(t) FROM pgtrickle_state.changes_0_2 t));
    ELSE
        v.ignored := set_config('plan_cache_mode', 'force_custom_plan', true);
        v.ignored := set_config('enable_hashjoin', 'on', true);
        v.ignored := set_config('enable_mergejoin', 'on', true);
        PERFORM pgtrickle_state.maintain_many_0(v.counts);
    END IF;
    IF v.counts[1] > 0 THEN DELETE FROM pgtrickle_state.changes_0_1; END IF;
    IF v.counts[2] > 0 THEN DELETE FROM pgtrickle_state.changes_0_2; END IF;
    UPDATE pgtrickle_state.places_0 p SET kept = false, recompute = false
    WHERE p.xid = pg_current_xact_id()
    RETURNING p.ctid INTO v.at;
    v.ignored := set_config('pgtrickle.place_0', v.at::text, true);
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.settle_0(boolean) FROM PUBLIC;

CREATE OR REPLACE FUNCTION pgtrickle_state.enter_0() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $pgt$
#variable_conflict use_column
<<v>>
DECLARE
    at tid;
    ignored text;
BEGIN
    IF current_setting('pgtrickle.place_0', true) <> '' THEN
        UPDATE pgtrickle_state.places_0 p SET running = p.running + 1
        WHERE p.ctid = current_setting('pgtrickle.place_0', true)::tid AND p.xid = pg_current_xact_id()
        RETURNING p.ctid INTO v.at;
    END IF;
    IF v.at IS NULL AND current_setting('transaction_isolation') <> 'read committed' THEN
        IF NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = TG_RELID AND t.tgname = TG_NAME) THEN
            RAISE EXCEPTION USING ERRCODE = 'serialization_failure',
                MESSAGE = 'could not serialize access: stream table public.stream_table became IMMEDIATE after the snapshot',
                HINT = 'Try the transaction again.';
        END IF;
        BEGIN      -- who alters or drops what is named below is waited for here
            LOCK TABLE ONLY public.stream_table IN ROW EXCLUSIVE MODE;
            PERFORM FROM (SELECT FROM ONLY public.customers t
             UNION ALL
             SELECT FROM ONLY public.orders t) t WHERE false;
        EXCEPTION WHEN undefined_table OR invalid_schema_name OR wrong_object_type OR insufficient_privilege THEN
            UPDATE pgtrickle.pgt_immediate i SET lost = 'what it reads or writes is gone, or closed to its owner' WHERE i.pgt_id = 0;
        END;
        PERFORM FROM pgtrickle_state.places_0 p ORDER BY p.place FOR UPDATE;
        PERFORM FROM pgtrickle.pgt_immediate i WHERE i.pgt_id = 0 FOR UPDATE;  -- nor has it been stopped
    END IF;
    IF v.at IS NULL THEN      -- the place of this process, until the transaction ends
        UPDATE pgtrickle_state.places_0 p SET running = p.running + 1, xid = pg_current_xact_id()
        WHERE p.place = (SELECT q.place FROM pgtrickle_state.places_0 q
                         WHERE q.place = pg_backend_pid() % 32 FOR UPDATE SKIP LOCKED)
          AND NOT EXISTS (SELECT FROM pgtrickle_state.places_0 o
                          WHERE o.place >= 32 AND o.xid = pg_current_xact_id())
        RETURNING p.ctid INTO v.at;
    END IF;
    IF v.at IS NULL THEN      -- another process has it
        UPDATE pgtrickle_state.places_0 p SET running = p.running + 1, xid = pg_current_xact_id()
        WHERE p.place = (SELECT q.place FROM pgtrickle_state.places_0 q WHERE q.place >= 32
                         ORDER BY q.xid IS DISTINCT FROM pg_current_xact_id(), q.place LIMIT 1
                         FOR UPDATE SKIP LOCKED)
        RETURNING p.ctid INTO v.at;
    END IF;
    IF v.at IS NULL THEN      -- all are taken
        UPDATE pgtrickle_state.places_0 p SET running = p.running + 1, xid = pg_current_xact_id()
        WHERE p.place = pg_backend_pid() % 32
        RETURNING p.ctid INTO v.at;
    END IF;
    v.ignored := set_config('pgtrickle.place_0', v.at::text, true);
    RETURN NULL;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.enter_0() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION pgtrickle_state.enter_0() TO postgres;

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
    at tid;
    ignored text;
    running int;
    kept boolean;
    recompute boolean;
    changes pgtrickle_state.changes_0_1[];
BEGIN
    UPDATE pgtrickle_state.places_0 p
    SET running = p.running - 1, kept = p.kept OR p.running > 1,
        recompute = p.recompute OR TG_OP = 'TRUNCATE'
    WHERE p.ctid = nullif(current_setting('pgtrickle.place_0', true), '')::tid AND p.xid = pg_current_xact_id()
      AND EXISTS (SELECT FROM pgtrickle.pgt_immediate i WHERE i.pgt_id = 0)
      AND NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = 0)
    RETURNING p.ctid, p.running, p.kept, p.recompute INTO v.at, v.running, v.kept, v.recompute;
    IF v.at IS NULL THEN      -- somebody has changed the setting
        UPDATE pgtrickle_state.places_0 p
        SET running = p.running - 1, kept = p.kept OR p.running > 1,
            recompute = p.recompute OR TG_OP = 'TRUNCATE'
        WHERE p.xid = pg_current_xact_id()
          AND EXISTS (SELECT FROM pgtrickle.pgt_immediate i WHERE i.pgt_id = 0)
          AND NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = 0)
        RETURNING p.ctid, p.running, p.kept, p.recompute INTO v.at, v.running, v.kept, v.recompute;
    END IF;
    IF v.at IS NULL THEN
        RETURN NULL;    -- it is not maintained by triggers just now
    END IF;
    v.ignored := set_config('pgtrickle.place_0', v.at::text, true);
    IF NOT v.kept AND NOT v.recompute THEN      -- the usual case: no other statement runs
        IF TG_OP = 'INSERT' THEN
            SELECT array_agg(ROW(x.w, x.c1, x.c2)::pgtrickle_state.changes_0_1)
            FROM (SELECT r.*
                  FROM (SELECT n.id AS c1, n.region AS c2, 1 AS w FROM newt n) r
                  LIMIT 201) x
            INTO v.changes;
        ELSIF TG_OP = 'DELETE' THEN
            SELECT array_agg(ROW(x.w, x.c1, x.c2)::pgtrickle_state.changes_0_1)
            FROM (SELECT r.*
                  FROM (SELECT o.id AS c1, o.region AS c2, -1 AS w FROM oldt o) r
                  LIMIT 201) x
            INTO v.changes;
        ELSIF TG_OP = 'UPDATE' THEN
            SELECT array_agg(ROW(x.w, x.c1, x.c2)::pgtrickle_state.changes_0_1)
            FROM (SELECT r.*
                  FROM (SELECT x.c1 AS c1, x.c2 AS c2, sum(x.w)::int AS w
                        FROM (SELECT o.id AS c1, o.region AS c2, -1 AS w FROM oldt o
                              UNION ALL
                              SELECT n.id AS c1, n.region AS c2, 1 AS w FROM newt n) x
                        GROUP BY x.c1, x.c2
                        HAVING sum(x.w) <> 0) r
                  LIMIT 201) x
            INTO v.changes;
        END IF;
        IF v.changes IS NULL THEN
            RETURN NULL;
        ELSIF cardinality(v.changes) <= 200 THEN
            v.ignored := pgtrickle_state.maintain_0(v.changes, NULL);
            RETURN NULL;
        END IF;
    END IF;
    IF TG_OP = 'INSERT' THEN
        INSERT INTO pgtrickle_state.changes_0_1 (c1, c2, w)
        SELECT n.id AS c1, n.region AS c2, 1 AS w FROM newt n;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO pgtrickle_state.changes_0_1 (c1, c2, w)
        SELECT o.id AS c1, o.region AS c2, -1 AS w FROM oldt o;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO pgtrickle_state.changes_0_1 (c1, c2, w)
        SELECT x.c1 AS c1, x.c2 AS c2, sum(x.w)::int AS w
        FROM (SELECT o.id AS c1, o.region AS c2, -1 AS w FROM oldt o
              UNION ALL
              SELECT n.id AS c1, n.region AS c2, 1 AS w FROM newt n) x
        GROUP BY x.c1, x.c2
        HAVING sum(x.w) <> 0;
    END IF;
    IF v.running = 0 THEN
        PERFORM pgtrickle_state.settle_0(v.recompute);
    END IF;
    RETURN NULL;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.changed_0_1() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION pgtrickle_state.changed_0_1() TO postgres;

CREATE OR REPLACE FUNCTION pgtrickle_state.changed_0_2() RETURNS trigger
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
    at tid;
    ignored text;
    running int;
    kept boolean;
    recompute boolean;
    changes pgtrickle_state.changes_0_2[];
BEGIN
    UPDATE pgtrickle_state.places_0 p
    SET running = p.running - 1, kept = p.kept OR p.running > 1,
        recompute = p.recompute OR TG_OP = 'TRUNCATE'
    WHERE p.ctid = nullif(current_setting('pgtrickle.place_0', true), '')::tid AND p.xid = pg_current_xact_id()
      AND EXISTS (SELECT FROM pgtrickle.pgt_immediate i WHERE i.pgt_id = 0)
      AND NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = 0)
    RETURNING p.ctid, p.running, p.kept, p.recompute INTO v.at, v.running, v.kept, v.recompute;
    IF v.at IS NULL THEN      -- somebody has changed the setting
        UPDATE pgtrickle_state.places_0 p
        SET running = p.running - 1, kept = p.kept OR p.running > 1,
            recompute = p.recompute OR TG_OP = 'TRUNCATE'
        WHERE p.xid = pg_current_xact_id()
          AND EXISTS (SELECT FROM pgtrickle.pgt_immediate i WHERE i.pgt_id = 0)
          AND NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = 0)
        RETURNING p.ctid, p.running, p.kept, p.recompute INTO v.at, v.running, v.kept, v.recompute;
    END IF;
    IF v.at IS NULL THEN
        RETURN NULL;    -- it is not maintained by triggers just now
    END IF;
    v.ignored := set_config('pgtrickle.place_0', v.at::text, true);
    IF NOT v.kept AND NOT v.recompute THEN      -- the usual case: no other statement runs
        IF TG_OP = 'INSERT' THEN
            SELECT array_agg(ROW(x.w, x.c2, x.c3)::pgtrickle_state.changes_0_2)
            FROM (SELECT r.*
                  FROM (SELECT n.customer_id AS c2, n.amount AS c3, 1 AS w FROM newt n) r
                  LIMIT 201) x
            INTO v.changes;
        ELSIF TG_OP = 'DELETE' THEN
            SELECT array_agg(ROW(x.w, x.c2, x.c3)::pgtrickle_state.changes_0_2)
            FROM (SELECT r.*
                  FROM (SELECT o.customer_id AS c2, o.amount AS c3, -1 AS w FROM oldt o) r
                  LIMIT 201) x
            INTO v.changes;
        ELSIF TG_OP = 'UPDATE' THEN
            SELECT array_agg(ROW(x.w, x.c2, x.c3)::pgtrickle_state.changes_0_2)
            FROM (SELECT r.*
                  FROM (SELECT x.c2 AS c2, x.c3 AS c3, sum(x.w)::int AS w
                        FROM (SELECT o.customer_id AS c2, o.amount AS c3, -1 AS w FROM oldt o
                              UNION ALL
                              SELECT n.customer_id AS c2, n.amount AS c3, 1 AS w FROM newt n) x
                        GROUP BY x.c2, x.c3, pg_catalog.numeric_send(x.c3)
                        HAVING sum(x.w) <> 0) r
                  LIMIT 201) x
            INTO v.changes;
        END IF;
        IF v.changes IS NULL THEN
            RETURN NULL;
        ELSIF cardinality(v.changes) <= 200 THEN
            v.ignored := pgtrickle_state.maintain_0(NULL, v.changes);
            RETURN NULL;
        END IF;
    END IF;
    IF TG_OP = 'INSERT' THEN
        INSERT INTO pgtrickle_state.changes_0_2 (c2, c3, w)
        SELECT n.customer_id AS c2, n.amount AS c3, 1 AS w FROM newt n;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO pgtrickle_state.changes_0_2 (c2, c3, w)
        SELECT o.customer_id AS c2, o.amount AS c3, -1 AS w FROM oldt o;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO pgtrickle_state.changes_0_2 (c2, c3, w)
        SELECT x.c2 AS c2, x.c3 AS c3, sum(x.w)::int AS w
        FROM (SELECT o.customer_id AS c2, o.amount AS c3, -1 AS w FROM oldt o
              UNION ALL
              SELECT n.customer_id AS c2, n.amount AS c3, 1 AS w FROM newt n) x
        GROUP BY x.c2, x.c3, pg_catalog.numeric_send(x.c3)
        HAVING sum(x.w) <> 0;
    END IF;
    IF v.running = 0 THEN
        PERFORM pgtrickle_state.settle_0(v.recompute);
    END IF;
    RETURN NULL;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.changed_0_2() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION pgtrickle_state.changed_0_2() TO postgres;

ALTER TABLE public.stream_table ADD CONSTRAINT pgtrickle_0_key UNIQUE NULLS NOT DISTINCT (region);

CREATE INDEX pgtrickle_0_hash ON public.stream_table (hash_record_extended(ROW(region), 0));

ALTER TABLE public.stream_table SET (fillfactor = 70);

GRANT SELECT (xid, seq, w, c1, c2) ON pgtrickle_changes.log_0 TO postgres;

GRANT SELECT (xid, seq, w, c2, c3) ON pgtrickle_changes.log_0 TO postgres;

