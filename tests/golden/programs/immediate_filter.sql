/*
SELECT id, amount * 2 AS twice FROM orders WHERE amount > 10



IMMEDIATE

Stream table, rows identified by key:
  Project i.id, i.amount * 2::numeric AS twice  [O(delta)]
    Scan public.orders where t.amount > 10::numeric  [O(delta)]
Triggers after each statement on public.orders, and on partitions
Writers to what it reads lock, until their transactions end:
  none but the rows that change
*/

CREATE UNLOGGED TABLE pgtrickle_state.changes_0_1 AS
SELECT 0::smallint AS w, t.id AS c1, t.amount AS c3 FROM public.orders t
WITH NO DATA;

CREATE OR REPLACE FUNCTION pgtrickle_state.left_over_0() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $pgt$
#variable_conflict use_column
<<v>>
DECLARE
    locked bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM pgtrickle_state.changes_0_1) THEN
        RETURN NULL;
    END IF;
    IF NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = 0) THEN
        IF current_setting('transaction_isolation') <> 'read committed' THEN    -- OID if one has changed since
            WITH
            -- For IMMEDIATE stream table public.stream_table of postgres. If its query cannot have your rows, its owner can take it out of your way: pgtrickle.alter_stream_table('public.stream_table', refresh_mode => 'DIFFERENTIAL')
            -- rows that wait
            rows AS MATERIALIZED (
              SELECT i.id, i.amount * 2::numeric AS twice, i.w
              FROM (SELECT l.c1 AS id, l.c3 AS amount, l.w::int AS w
                    FROM pgtrickle_state.changes_0_1 l
                    WHERE l.c3 > 10::numeric) i),
            -- rows of the stream table that are in their way
            locked AS MATERIALIZED (
              SELECT FROM rows n, public.stream_table t
              WHERE t.id = n.id
              FOR UPDATE OF t)
            SELECT count(*) FROM locked INTO v.locked;
        END IF;
        UPDATE pgtrickle.pgt_immediate i SET lost = 'its rows were not what they should have been' WHERE i.pgt_id = 0;
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
    fits boolean;
    violations bigint;
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
    IF ((has_table_privilege(OID::oid, 'SELECT') OR has_column_privilege(OID::oid, 1::int2, 'SELECT') AND has_column_privilege(OID::oid, 3::int2, 'SELECT'))) IS NOT TRUE THEN
        UPDATE pgtrickle.pgt_immediate i SET lost = 'its owner may no longer SELECT from what it reads' WHERE i.pgt_id = 0;
        RETURN NULL;
    END IF;
    v.ignored := set_config('pgtrickle.maintaining', v.maintaining || ' 0 ', true);
    -- The guard trigger lets these statements pass.
    v.ignored := set_config('pgtrickle.apply', '0', true);
    IF TG_OP = 'INSERT' THEN
        WITH
        -- For IMMEDIATE stream table public.stream_table of postgres. If its query cannot have your rows, its owner can take it out of your way: pgtrickle.alter_stream_table('public.stream_table', refresh_mode => 'DIFFERENTIAL')
        -- rows that come
        rows AS MATERIALIZED (
          SELECT i.id, i.amount * 2::numeric AS twice
          FROM (SELECT t.id AS id, t.amount AS amount FROM newt t WHERE t.amount > 10::numeric) i),
        -- none has the key of a row that is there
        fits AS MATERIALIZED (
          SELECT NOT EXISTS (SELECT FROM pgtrickle_state.changes_0_1 x)
                 AND NOT EXISTS (SELECT FROM rows n, public.stream_table t WHERE t.id = n.id) AS fits
          FROM pgtrickle.pgt_immediate i
          WHERE i.pgt_id = 0 AND NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = 0)),
        -- stream table: rows that are new
        shown AS (
          INSERT INTO public.stream_table (id, twice)
          SELECT n.id::integer AS id, n.twice::numeric AS twice
          FROM rows n, fits f
          WHERE f.fits)
        SELECT f.fits FROM fits f INTO v.fits;
    ELSIF TG_OP = 'DELETE' THEN
        WITH
        -- For IMMEDIATE stream table public.stream_table of postgres. If its query cannot have your rows, its owner can take it out of your way: pgtrickle.alter_stream_table('public.stream_table', refresh_mode => 'DIFFERENTIAL')
        -- rows that go
        rows AS MATERIALIZED (
          SELECT i.id, i.amount * 2::numeric AS twice
          FROM (SELECT t.id AS id, t.amount AS amount FROM oldt t WHERE t.amount > 10::numeric) i),
        -- all of them are there
        fits AS MATERIALIZED (
          SELECT NOT EXISTS (SELECT FROM pgtrickle_state.changes_0_1 x)
                 AND (SELECT count(*)
                  FROM rows n, public.stream_table t
                  WHERE t.id = n.id AND ROW(t.id, t.twice)::record *= ROW(n.id::integer, n.twice::numeric)::record) = (SELECT count(*) FROM rows n) AS fits
          FROM pgtrickle.pgt_immediate i
          WHERE i.pgt_id = 0 AND NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = 0)),
        -- stream table: rows that are gone
        hidden AS (
          DELETE FROM public.stream_table t
          USING rows n, fits f
          WHERE f.fits AND t.id = n.id)
        SELECT f.fits FROM fits f INTO v.fits;
    ELSIF TG_OP = 'UPDATE' THEN
        WITH
        -- For IMMEDIATE stream table public.stream_table of postgres. If its query cannot have your rows, its owner can take it out of your way: pgtrickle.alter_stream_table('public.stream_table', refresh_mode => 'DIFFERENTIAL')
        -- changed rows, net
        net AS MATERIALIZED (
          SELECT x.id AS id, x.twice AS twice, sum(x.w)::int AS w
          FROM (SELECT i.id, i.amount * 2::numeric AS twice, i.w
                FROM (SELECT t.id AS id, t.amount AS amount, -1 AS w
                      FROM oldt t
                      WHERE t.amount > 10::numeric) i
                UNION ALL
                SELECT i.id, i.amount * 2::numeric AS twice, i.w
                FROM (SELECT t.id AS id, t.amount AS amount, 1 AS w
                      FROM newt t
                      WHERE t.amount > 10::numeric) i) x
          GROUP BY x.id, x.twice, pg_catalog.numeric_send(x.twice)
          HAVING sum(x.w) <> 0),
        -- what comes and what goes of each key
        keys AS MATERIALIZED (
          SELECT n.id, coalesce(sum(n.w) FILTER (WHERE n.w > 0), 0) AS come,
                 coalesce(-sum(n.w) FILTER (WHERE n.w < 0), 0) AS go
          FROM net n
          GROUP BY n.id),
        -- what goes is there, and what comes has no key of what stays
        fits AS MATERIALIZED (
          SELECT NOT EXISTS (SELECT FROM pgtrickle_state.changes_0_1 x)
                 AND NOT EXISTS (SELECT FROM keys n WHERE (n.come > 1 OR n.go > 1))
                 AND (SELECT count(*)
                  FROM net n, public.stream_table t
                  WHERE n.w < 0
                    AND t.id = n.id
                    AND ROW(t.id, t.twice)::record *= ROW(n.id::integer, n.twice::numeric)::record) = (SELECT count(*) FROM net n WHERE n.w < 0)
                 AND NOT EXISTS (SELECT FROM keys n, public.stream_table t WHERE n.go = 0 AND t.id = n.id) AS fits
          FROM pgtrickle.pgt_immediate i
          WHERE i.pgt_id = 0 AND NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = 0)),
        -- stream table: rows that are gone
        hidden AS (
          DELETE FROM public.stream_table t
          USING keys n
          WHERE (SELECT f.fits FROM fits f) AND n.come = 0 AND t.id = n.id
          RETURNING 1),
        -- stream table: rows that are new or differ
        shown AS (
          INSERT INTO public.stream_table AS t (id, twice)
          SELECT n.id::integer AS id, n.twice::numeric AS twice
          FROM net n
          WHERE (SELECT count(*) FROM hidden) >= 0 AND (SELECT f.fits FROM fits f) AND n.w > 0
          ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET twice = excluded.twice
          WHERE ROW(t.twice)::record *<> ROW(excluded.twice)::record
          RETURNING t.xmax = 0 AS inserted)
        SELECT abs(k.lost - h.deleted) + abs(k.added - s.inserted) AS violations, f.fits
        FROM (SELECT count(*) FILTER (WHERE shown.inserted) AS inserted,
                     count(*) FILTER (WHERE NOT shown.inserted) AS updated
              FROM shown) s,
             (SELECT count(*) AS deleted FROM hidden) h,
             (SELECT count(*) FILTER (WHERE n.come = 0) AS lost, count(*) FILTER (WHERE n.go = 0) AS added
              FROM keys n
              WHERE (SELECT f.fits FROM fits f)) k,
             fits f
        INTO v.violations, v.fits;
        IF v.violations <> 0 THEN
            PERFORM pgtrickle._raise_disagreement('public.stream_table', 'state', v.violations);
        END IF;
    ELSE
        IF current_setting('transaction_isolation') <> 'read committed' THEN
            BEGIN
                TRUNCATE public.stream_table;
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
    IF NOT v.fits THEN      -- what happened before it comes later
        SET CONSTRAINTS pgtrickle_state.left_over_0 DEFERRED;
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
        WITH
        -- For IMMEDIATE stream table public.stream_table of postgres. If its query cannot have your rows, its owner can take it out of your way: pgtrickle.alter_stream_table('public.stream_table', refresh_mode => 'DIFFERENTIAL')
        -- changed rows, net
        net AS MATERIALIZED (
          SELECT x.id AS id, x.twice AS twice, sum(x.w)::int AS w
          FROM (SELECT i.id, i.amount * 2::numeric AS twice, i.w
                FROM (SELECT l.c1 AS id, l.c3 AS amount, l.w::int AS w
                      FROM pgtrickle_state.changes_0_1 l
                      WHERE l.c3 > 10::numeric) i) x
          GROUP BY x.id, x.twice, pg_catalog.numeric_send(x.twice)
          HAVING sum(x.w) <> 0),
        -- what comes and what goes of each key
        keys AS MATERIALIZED (
          SELECT n.id, coalesce(sum(n.w) FILTER (WHERE n.w > 0), 0) AS come,
                 coalesce(-sum(n.w) FILTER (WHERE n.w < 0), 0) AS go
          FROM net n
          GROUP BY n.id),
        -- what goes is there, and what comes has no key of what stays
        fits AS MATERIALIZED (
          SELECT NOT EXISTS (SELECT FROM keys n WHERE (n.come > 1 OR n.go > 1))
                 AND (SELECT count(*)
                  FROM net n, public.stream_table t
                  WHERE n.w < 0
                    AND t.id = n.id
                    AND ROW(t.id, t.twice)::record *= ROW(n.id::integer, n.twice::numeric)::record) = (SELECT count(*) FROM net n WHERE n.w < 0)
                 AND NOT EXISTS (SELECT FROM keys n, public.stream_table t WHERE n.go = 0 AND t.id = n.id) AS fits
          FROM pgtrickle.pgt_immediate i
          WHERE i.pgt_id = 0 AND NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = 0)),
        -- stream table: rows that are gone
        hidden AS (
          DELETE FROM public.stream_table t
          USING keys n
          WHERE (SELECT f.fits FROM fits f) AND n.come = 0 AND t.id = n.id
          RETURNING 1),
        -- stream table: rows that are new or differ
        shown AS (
          INSERT INTO public.stream_table AS t (id, twice)
          SELECT n.id::integer AS id, n.twice::numeric AS twice
          FROM net n
          WHERE (SELECT count(*) FROM hidden) >= 0 AND (SELECT f.fits FROM fits f) AND n.w > 0
          ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET twice = excluded.twice
          WHERE ROW(t.twice)::record *<> ROW(excluded.twice)::record
          RETURNING t.xmax = 0 AS inserted)
        SELECT abs(k.lost - h.deleted) + abs(k.added - s.inserted) AS violations, f.fits
        FROM (SELECT count(*) FILTER (WHERE shown.inserted) AS inserted,
                     count(*) FILTER (WHERE NOT shown.inserted) AS updated
              FROM shown) s,
             (SELECT count(*) AS deleted FROM hidden) h,
             (SELECT count(*) FILTER (WHERE n.come = 0) AS lost, count(*) FILTER (WHERE n.go = 0) AS added
              FROM keys n
              WHERE (SELECT f.fits FROM fits f)) k,
             fits f
        INTO v.violations, v.fits;
        IF v.violations <> 0 THEN
            PERFORM pgtrickle._raise_disagreement('public.stream_table', 'state', v.violations);
        END IF;
        IF v.fits THEN
            DELETE FROM pgtrickle_state.changes_0_1;
        END IF;
    END IF;
    v.ignored := set_config('pgtrickle.apply', v.apply_before, true);
    v.ignored := set_config('pgtrickle.maintaining', v.maintaining, true);
    RETURN NULL;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.changed_0_1() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION pgtrickle_state.changed_0_1() TO postgres;

ALTER TABLE public.stream_table ADD CONSTRAINT pgtrickle_0_key PRIMARY KEY (id);

GRANT SELECT (xid, seq, w, c1, c3) ON pgtrickle_changes.log_0 TO postgres;

