/*
SELECT id, amount * 2 AS twice FROM orders WHERE amount > 10



IMMEDIATE

Stream table, rows identified by key:
  Project i.id, i.amount * 2::numeric AS twice  [O(delta)]
    Scan public.orders where t.amount > 10::numeric  [O(delta)]
Triggers before and after each statement on public.orders, and on partitions
Writers to what it reads lock, until their transactions end:
  none but the rows that change
*/

CREATE TABLE pgtrickle_state.places_0 (place int PRIMARY KEY, xid xid8, running int NOT NULL DEFAULT 0,
    kept boolean NOT NULL DEFAULT false, recompute boolean NOT NULL DEFAULT false) WITH (fillfactor = 20);

INSERT INTO pgtrickle_state.places_0 (place)
SELECT generate_series(0, 47);

CREATE UNLOGGED TABLE pgtrickle_state.changes_0_1 AS
SELECT 0::smallint AS w, t.id AS c1, t.amount AS c3 FROM public.orders t
WITH NO DATA;

CREATE OR REPLACE FUNCTION pgtrickle_state.maintain_0(d1 pgtrickle_state.changes_0_1[]) RETURNS void
LANGUAGE plpgsql
AS $pgt$
#variable_conflict use_column
<<v>>
DECLARE
    orders_changed CONSTANT boolean := $1 IS NOT NULL;
    d1 CONSTANT pgtrickle_state.changes_0_1[] := $1;
    user_keys CONSTANT text[] := NULL;  -- columns of unique indexes that users made
    violations bigint;
    rows_inserted bigint;
    rows_updated bigint;
    rows_deleted bigint;
    ignored text;
    apply_before CONSTANT text := current_setting('pgtrickle.apply', true);
    maintaining CONSTANT text := coalesce(current_setting('pgtrickle.maintaining', true), '');
BEGIN
    IF position(' 0 ' IN v.maintaining) > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'stream table public.stream_table of postgres is being maintained by this very statement',
            DETAIL = 'A trigger on it, or on a stream table that reads it, changes what it reads.',
            HINT = 'Its owner can drop that trigger, or have it refreshed instead: pgtrickle.alter_stream_table(''public.stream_table'', refresh_mode => ''DIFFERENTIAL'').';
    END IF;
    IF ((has_table_privilege(OID::oid, 'SELECT') OR has_column_privilege(OID::oid, 1::int2, 'SELECT') AND has_column_privilege(OID::oid, 3::int2, 'SELECT'))) IS NOT TRUE THEN
        UPDATE pgtrickle.pgt_immediate i SET lost = 'its owner may no longer SELECT from what it reads' WHERE i.pgt_id = 0;
        RETURN;
    END IF;
    v.ignored := set_config('pgtrickle.maintaining', v.maintaining || ' 0 ', true);
    -- The guard trigger lets these statements pass.
    v.ignored := set_config('pgtrickle.apply', '0', true);
    -- the stream table
    WITH
    -- For IMMEDIATE stream table public.stream_table of postgres. If its query cannot have your rows, its owner can take it out of your way: pgtrickle.alter_stream_table('public.stream_table', refresh_mode => 'DIFFERENTIAL')
    -- orders: rows that are pending, net
    d_orders AS MATERIALIZED (
      SELECT l.c1 AS id, l.c3 AS amount, sum(l.w)::int AS w
      FROM unnest(v.d1) l
      WHERE l.c3 > 10::numeric
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
    -- stream table: rows that are gone
    hidden AS (
      DELETE FROM public.stream_table t
      USING k n
      WHERE n.lost AND t.id = n.id
      RETURNING 1),
    -- stream table: rows that are new or differ
    shown AS (
      INSERT INTO public.stream_table AS t (id, twice)
      SELECT n.id::integer AS id, n.twice::numeric AS twice
      FROM net n
      WHERE (SELECT count(*) FROM hidden) >= 0 AND n.w > 0
      ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET twice = excluded.twice
      WHERE ROW(t.twice)::record *<> ROW(excluded.twice)::record
      RETURNING t.xmax = 0 AS inserted)
    SELECT s.inserted AS rows_inserted, s.updated AS rows_updated, h.deleted AS rows_deleted,
           k.odd + abs(k.lost - h.deleted) + abs(k.added - (s.inserted)) AS violations
    FROM (SELECT count(*) FILTER (WHERE shown.inserted) AS inserted,
                 count(*) FILTER (WHERE NOT shown.inserted) AS updated
          FROM shown) s,
         (SELECT count(*) AS deleted FROM hidden) h,
         (SELECT count(*) FILTER (WHERE n.lost) AS lost, count(*) FILTER (WHERE n.added) AS added,
                 count(*) FILTER (WHERE n.odd) AS odd
          FROM k n) k
    INTO rows_inserted, rows_updated, rows_deleted, v.violations;
    IF v.violations <> 0 THEN
      PERFORM pgtrickle._raise_disagreement('public.stream_table', 'state', v.violations);
    END IF;
    v.ignored := set_config('pgtrickle.apply', v.apply_before, true);
    v.ignored := set_config('pgtrickle.maintaining', v.maintaining, true);
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.maintain_0(pgtrickle_state.changes_0_1[]) FROM PUBLIC;

CREATE OR REPLACE FUNCTION pgtrickle_state.maintain_many_0(counts bigint[]) RETURNS void
LANGUAGE plpgsql
AS $pgt$
#variable_conflict use_column
<<v>>
DECLARE
    orders_changed CONSTANT boolean := $1[1] > 0;
    user_keys CONSTANT text[] := NULL;  -- columns of unique indexes that users made
    violations bigint;
    rows_inserted bigint;
    rows_updated bigint;
    rows_deleted bigint;
    ignored text;
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
    IF ((has_table_privilege(OID::oid, 'SELECT') OR has_column_privilege(OID::oid, 1::int2, 'SELECT') AND has_column_privilege(OID::oid, 3::int2, 'SELECT'))) IS NOT TRUE THEN
        UPDATE pgtrickle.pgt_immediate i SET lost = 'its owner may no longer SELECT from what it reads' WHERE i.pgt_id = 0;
        RETURN;
    END IF;
    v.ignored := set_config('pgtrickle.maintaining', v.maintaining || ' 0 ', true);
    -- The guard trigger lets these statements pass.
    v.ignored := set_config('pgtrickle.apply', '0', true);
    v.ignored := set_config('pgtrickle.sizes', $1::text, true);
    -- the stream table
    WITH
    -- For IMMEDIATE stream table public.stream_table of postgres. If its query cannot have your rows, its owner can take it out of your way: pgtrickle.alter_stream_table('public.stream_table', refresh_mode => 'DIFFERENTIAL')
    -- orders: rows that are pending, net
    d_orders AS MATERIALIZED (
      SELECT l.c1 AS id, l.c3 AS amount, sum(l.w)::int AS w
      FROM pgtrickle_state.changes_0_1 l
      WHERE l.c3 > 10::numeric
      GROUP BY l.c1, l.c3, pg_catalog.numeric_send(l.c3)
      HAVING sum(l.w) <> 0
      LIMIT (nullif(current_setting('pgtrickle.sizes', true), '')::bigint[])[1]),
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
    -- stream table: rows that are gone
    hidden AS (
      DELETE FROM public.stream_table t
      USING k n
      WHERE n.lost AND t.id = n.id
      RETURNING 1),
    -- stream table: rows that are new or differ
    shown AS (
      INSERT INTO public.stream_table AS t (id, twice)
      SELECT n.id::integer AS id, n.twice::numeric AS twice
      FROM net n
      WHERE (SELECT count(*) FROM hidden) >= 0 AND n.w > 0
      ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET twice = excluded.twice
      WHERE ROW(t.twice)::record *<> ROW(excluded.twice)::record
      RETURNING t.xmax = 0 AS inserted)
    SELECT s.inserted AS rows_inserted, s.updated AS rows_updated, h.deleted AS rows_deleted,
           k.odd + abs(k.lost - h.deleted) + abs(k.added - (s.inserted)) AS violations
    FROM (SELECT count(*) FILTER (WHERE shown.inserted) AS inserted,
                 count(*) FILTER (WHERE NOT shown.inserted) AS updated
          FROM shown) s,
         (SELECT count(*) AS deleted FROM hidden) h,
         (SELECT count(*) FILTER (WHERE n.lost) AS lost, count(*) FILTER (WHERE n.added) AS added,
                 count(*) FILTER (WHERE n.odd) AS odd
          FROM k n) k
    INTO rows_inserted, rows_updated, rows_deleted, v.violations;
    IF v.violations <> 0 THEN
      PERFORM pgtrickle._raise_disagreement('public.stream_table', 'state', v.violations);
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
    v.counts := ARRAY[(SELECT count(*) FROM pgtrickle_state.changes_0_1)];
    IF recompute THEN
        IF position(' 0 ' IN v.maintaining) > 0 THEN
            RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = 'stream table public.stream_table of postgres is being maintained by this very statement',
                DETAIL = 'A trigger on it, or on a stream table that reads it, changes what it reads.',
                HINT = 'Its owner can drop that trigger, or have it refreshed instead: pgtrickle.alter_stream_table(''public.stream_table'', refresh_mode => ''DIFFERENTIAL'').';
        END IF;
        IF ((has_table_privilege(OID::oid, 'SELECT') OR has_column_privilege(OID::oid, 1::int2, 'SELECT') AND has_column_privilege(OID::oid, 3::int2, 'SELECT'))) IS NOT TRUE THEN
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
        PERFORM pgtrickle_state.maintain_0((SELECT array_agg(t) FROM pgtrickle_state.changes_0_1 t));
    ELSE
        v.ignored := set_config('plan_cache_mode', 'force_custom_plan', true);
        v.ignored := set_config('enable_hashjoin', 'on', true);
        v.ignored := set_config('enable_mergejoin', 'on', true);
        PERFORM pgtrickle_state.maintain_many_0(v.counts);
    END IF;
    IF v.counts[1] > 0 THEN DELETE FROM pgtrickle_state.changes_0_1; END IF;
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
    IF NOT pgtrickle._immediate_fits(0, '{OID}') THEN
        UPDATE pgtrickle.pgt_immediate i SET lost = 'what it reads is not what it was' WHERE i.pgt_id = 0;
        RETURN NULL;
    END IF;
    IF NOT v.kept AND NOT v.recompute THEN      -- the usual case: no other statement runs
        IF TG_OP = 'INSERT' THEN
            SELECT array_agg(ROW(x.w, x.c1, x.c3)::pgtrickle_state.changes_0_1)
            FROM (SELECT r.*
                  FROM (SELECT n.id AS c1, n.amount AS c3, 1 AS w FROM newt n) r
                  LIMIT 201) x
            INTO v.changes;
        ELSIF TG_OP = 'DELETE' THEN
            SELECT array_agg(ROW(x.w, x.c1, x.c3)::pgtrickle_state.changes_0_1)
            FROM (SELECT r.*
                  FROM (SELECT o.id AS c1, o.amount AS c3, -1 AS w FROM oldt o) r
                  LIMIT 201) x
            INTO v.changes;
        ELSIF TG_OP = 'UPDATE' THEN
            SELECT array_agg(ROW(x.w, x.c1, x.c3)::pgtrickle_state.changes_0_1)
            FROM (SELECT r.*
                  FROM (SELECT x.c1 AS c1, x.c3 AS c3, sum(x.w)::int AS w
                        FROM (SELECT o.id AS c1, o.amount AS c3, -1 AS w FROM oldt o
                              UNION ALL
                              SELECT n.id AS c1, n.amount AS c3, 1 AS w FROM newt n) x
                        GROUP BY x.c1, x.c3, pg_catalog.numeric_send(x.c3)
                        HAVING sum(x.w) <> 0) r
                  LIMIT 201) x
            INTO v.changes;
        END IF;
        IF v.changes IS NULL THEN
            RETURN NULL;
        ELSIF cardinality(v.changes) <= 200 THEN
            v.ignored := pgtrickle_state.maintain_0(v.changes);
            RETURN NULL;
        END IF;
    END IF;
    IF TG_OP = 'INSERT' THEN
        INSERT INTO pgtrickle_state.changes_0_1 (c1, c3, w)
        SELECT n.id AS c1, n.amount AS c3, 1 AS w FROM newt n;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO pgtrickle_state.changes_0_1 (c1, c3, w)
        SELECT o.id AS c1, o.amount AS c3, -1 AS w FROM oldt o;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO pgtrickle_state.changes_0_1 (c1, c3, w)
        SELECT x.c1 AS c1, x.c3 AS c3, sum(x.w)::int AS w
        FROM (SELECT o.id AS c1, o.amount AS c3, -1 AS w FROM oldt o
              UNION ALL
              SELECT n.id AS c1, n.amount AS c3, 1 AS w FROM newt n) x
        GROUP BY x.c1, x.c3, pg_catalog.numeric_send(x.c3)
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

ALTER TABLE public.stream_table ADD CONSTRAINT pgtrickle_0_key PRIMARY KEY (id);

GRANT SELECT (xid, seq, w, c1, c3) ON pgtrickle_changes.log_0 TO postgres;

