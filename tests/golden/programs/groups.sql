/*
SELECT customer_id, count(*) AS n, sum(amount) AS total, avg(amount) AS mean FROM orders GROUP BY customer_id



DIFFERENTIAL

Stream table, state in pgtrickle_state.node_0_1, rows identified by key:
  Project i.customer_id, i.count AS n, i.sum AS total, i.avg AS mean  [O(delta)]
    Aggregate count(*), sum(i.amount), avg(i.amount) by i.customer_id  [O(delta)]
      Scan public.orders  [O(delta)]
*/

CREATE TABLE pgtrickle_state.node_0_1 AS
SELECT i.customer_id AS customer_id,
       count(*) AS n,
       coalesce(count(*) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
       coalesce(sum(i.amount), 0)::numeric AS sum_amount,
       coalesce(sum(('1e' || (12 * least(scale(i.amount), 1000)))::numeric) FILTER (WHERE i.amount > '-Infinity' AND i.amount < 'Infinity'), 0)::numeric AS scales_amount
FROM public.orders i
GROUP BY i.customer_id
WITH NO DATA;

CREATE INDEX ON pgtrickle_state.node_0_1 (hash_record_extended(ROW(customer_id), 0));

ALTER TABLE pgtrickle_state.node_0_1 SET (fillfactor = 70);

CREATE OR REPLACE FUNCTION pgtrickle_state.apply_0(mode text, f_snapshot pg_snapshot, f_xid xid8, f_seq bigint, changed bigint, run bigint, pending bigint[], user_keys text[],
    OUT rows_inserted bigint, OUT rows_updated bigint, OUT rows_deleted bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
SET max_parallel_workers_per_gather = 0
SET plan_cache_mode = force_generic_plan
AS $pgt$
#variable_conflict use_column
<<v>>
DECLARE
    f_snapshot CONSTANT pg_snapshot := $2;
    f_xmin CONSTANT xid8 := pg_snapshot_xmin($2);
    f_xmax CONSTANT xid8 := pg_snapshot_xmax($2);
    f_xid CONSTANT xid8 := $3;
    f_seq CONSTANT bigint := $4;
    changed CONSTANT bigint := $5;  -- bit per source with pending rows
    run CONSTANT bigint := $6;
    user_keys CONSTANT text[] := $8;  -- columns of unique indexes that users made; NULL: there are none
    violations bigint;
BEGIN
    PERFORM set_config('pgtrickle.apply', '0', true);
    IF $1 = 'full' THEN
        DELETE FROM pgtrickle_state.node_0_1;
        
        INSERT INTO pgtrickle_state.node_0_1 (customer_id, n, count_amount, sum_amount, scales_amount)
        SELECT i.customer_id AS customer_id,
               count(*) AS n,
               coalesce(count(*) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
               coalesce(sum(i.amount), 0)::numeric AS sum_amount,
               coalesce(sum(('1e' || (12 * least(scale(i.amount), 1000)))::numeric) FILTER (WHERE i.amount > '-Infinity' AND i.amount < 'Infinity'), 0)::numeric AS scales_amount
        FROM public.orders i
        GROUP BY i.customer_id;
        
        WITH content AS MATERIALIZED (
            SELECT x.customer_id::integer AS customer_id, x.n::bigint AS n, x.total::numeric AS total, x.mean::numeric AS mean FROM (SELECT i.customer_id, i.count AS n, i.sum AS total, i.avg AS mean
            FROM (SELECT s.customer_id, s.n AS count, CASE WHEN s.count_amount > 0 THEN s.sum_amount END AS sum, CASE WHEN s.count_amount > 0 THEN round(s.sum_amount, ((length(trunc(s.scales_amount)::text) - 1) / 12)) / s.count_amount::numeric END AS avg FROM pgtrickle_state.node_0_1 s) i) x),
        hidden AS (
            DELETE FROM public.stream_table t
            WHERE NOT EXISTS (SELECT FROM content n WHERE hash_record_extended(ROW(t.customer_id), 0) = hash_record_extended(ROW(n.customer_id), 0)
              AND ROW(t.customer_id)::record = ROW(n.customer_id)::record)
            RETURNING 1),
        moved AS (
            DELETE FROM public.stream_table t USING content n
            WHERE v.user_keys IS NOT NULL AND hash_record_extended(ROW(t.customer_id), 0) = hash_record_extended(ROW(n.customer_id), 0)
              AND ROW(t.customer_id)::record = ROW(n.customer_id)::record
              AND ('customer_id' = ANY (v.user_keys) AND ROW(t.customer_id)::record *<> ROW(n.customer_id::integer)::record
                OR 'n' = ANY (v.user_keys) AND ROW(t.n)::record *<> ROW(n.n::bigint)::record
                OR 'total' = ANY (v.user_keys) AND ROW(t.total)::record *<> ROW(n.total::numeric)::record
                OR 'mean' = ANY (v.user_keys) AND ROW(t.mean)::record *<> ROW(n.mean::numeric)::record)
            RETURNING 1),
        shown AS (
            INSERT INTO public.stream_table AS t (customer_id, n, total, mean)
            SELECT n.customer_id::integer AS customer_id, n.n::bigint AS n, n.total::numeric AS total, n.mean::numeric AS mean
            FROM content n
            WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0 AND NOT EXISTS (SELECT FROM public.stream_table o WHERE hash_record_extended(ROW(o.customer_id, o.n, o.total, o.mean), 0) = hash_record_extended(ROW(n.customer_id, n.n, n.total, n.mean), 0)
              AND ROW(o.customer_id, o.n, o.total, o.mean)::record = ROW(n.customer_id, n.n, n.total, n.mean)::record AND ROW(o.customer_id, o.n, o.total, o.mean)::record *= ROW(n.customer_id, n.n, n.total, n.mean)::record)
            ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET n = excluded.n, total = excluded.total, mean = excluded.mean
            WHERE ROW(t.n, t.total, t.mean)::record *<> ROW(excluded.n, excluded.total, excluded.mean)::record
            RETURNING t.xmax = 0 AS inserted)
        SELECT (SELECT count(*) FROM shown WHERE shown.inserted) - (SELECT count(*) FROM moved) AS rows_inserted,
               (SELECT count(*) FROM shown WHERE NOT shown.inserted) + (SELECT count(*) FROM moved) AS rows_updated,
               (SELECT count(*) FROM hidden) AS rows_deleted,
               (SELECT count(*) FROM content) - (SELECT count(*) FROM (SELECT FROM content n GROUP BY n.customer_id) k) AS violations
        INTO rows_inserted, rows_updated, rows_deleted, v.violations;
        IF v.violations <> 0 THEN
            RAISE EXCEPTION USING ERRCODE = 'data_corrupted',
                MESSAGE = 'stream table public.stream_table does not agree with its key',
                DETAIL = format('%s rows are missing or superfluous.', v.violations),
                HINT = 'It is re-initialised by the daemon. Was it changed while its guard trigger was disabled?';
        END IF;
        
        IF v.user_keys IS NOT NULL THEN
            PERFORM pgtrickle._check_deferred('public.stream_table'::regclass);
        END IF;
        PERFORM set_config('pgtrickle.apply', '', true);
        RETURN;
    END IF;
    IF $1 = 'empty' THEN
        DELETE FROM public.stream_table;
        GET DIAGNOSTICS rows_deleted = ROW_COUNT;
        rows_inserted := 0;
        rows_updated := 0;
        PERFORM set_config('pgtrickle.apply', '', true);
        RETURN;
    END IF;
    -- the stream table
    WITH g AS MATERIALIZED (
        SELECT i.customer_id AS customer_id,
               coalesce(sum(i.w), 0)::bigint AS n,
               coalesce(sum(i.w) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
               coalesce(sum(i.w * i.amount), 0)::numeric AS sum_amount,
               coalesce(sum(i.w * ('1e' || (12 * least(scale(i.amount), 1000)))::numeric) FILTER (WHERE i.amount > '-Infinity' AND i.amount < 'Infinity'), 0)::numeric AS scales_amount
        FROM (SELECT l.c2 AS customer_id, l.c3 AS amount, l.w::int AS w
          FROM pgtrickle_changes.log_0 l
          WHERE l.xid >= v.f_xmin AND (l.xid <> v.f_xid AND (l.xid >= v.f_xmax OR NOT pg_visible_in_snapshot(l.xid, v.f_snapshot))
              OR l.xid = v.f_xid AND l.seq > v.f_seq)) i
        GROUP BY i.customer_id),
    m AS MATERIALIZED (
        SELECT g.customer_id,
               s.ctid AS old_ctid,
               coalesce(s.n, 0) AS old_n,
               coalesce(s.n, 0) + g.n AS new_n,
               s.count_amount AS old_count_amount,
               coalesce(s.count_amount, 0) + g.count_amount AS new_count_amount,
               s.sum_amount AS old_sum_amount,
               coalesce(s.sum_amount, 0) + g.sum_amount AS new_sum_amount,
               s.scales_amount AS old_scales_amount,
               coalesce(s.scales_amount, 0) + g.scales_amount AS new_scales_amount,
               coalesce(s.n, 0) + g.n > 0 AND (coalesce((s.sum_amount = 'NaN' OR s.sum_amount = 'Infinity' OR s.sum_amount = '-Infinity'), false)
                 OR (g.sum_amount = 'NaN' OR g.sum_amount = 'Infinity' OR g.sum_amount = '-Infinity')) AS need
        FROM g g
        LEFT JOIN pgtrickle_state.node_0_1 s ON hash_record_extended(ROW(s.customer_id), 0) = hash_record_extended(ROW(g.customer_id), 0)
          AND ROW(s.customer_id)::record = ROW(g.customer_id)::record),
    r AS MATERIALIZED (
        SELECT k.customer_id,
               coalesce(count(*) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
               coalesce(sum(i.amount), 0)::numeric AS sum_amount,
               coalesce(sum(('1e' || (12 * least(scale(i.amount), 1000)))::numeric) FILTER (WHERE i.amount > '-Infinity' AND i.amount < 'Infinity'), 0)::numeric AS scales_amount
        FROM (SELECT customer_id FROM m m WHERE m.need) k, public.orders i
        WHERE i.customer_id = k.customer_id
          AND (SELECT bool_or(m.need) FROM m m)
        GROUP BY k.customer_id
        UNION ALL
        SELECT k.customer_id,
               coalesce(count(*) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
               coalesce(sum(i.amount), 0)::numeric AS sum_amount,
               coalesce(sum(('1e' || (12 * least(scale(i.amount), 1000)))::numeric) FILTER (WHERE i.amount > '-Infinity' AND i.amount < 'Infinity'), 0)::numeric AS scales_amount
        FROM (SELECT customer_id FROM m m WHERE m.need) k, public.orders i
        WHERE (k.customer_id IS NOT DISTINCT FROM NULL) AND (i.customer_id IS NOT DISTINCT FROM NULL)
          AND (SELECT bool_or(m.need AND (m.customer_id IS NOT DISTINCT FROM NULL)) FROM m m)
        GROUP BY k.customer_id),
    m__2 AS MATERIALIZED (
        SELECT m.customer_id,
               m.old_ctid,
               m.old_n,
               m.new_n,
               m.old_count_amount,
               CASE WHEN m.need THEN r.count_amount ELSE m.new_count_amount END AS new_count_amount,
               m.old_sum_amount,
               CASE WHEN m.need THEN r.sum_amount ELSE m.new_sum_amount END AS new_sum_amount,
               m.old_scales_amount,
               CASE WHEN m.need THEN r.scales_amount ELSE m.new_scales_amount END AS new_scales_amount
        FROM m m
        LEFT JOIN r r ON m.need AND hash_record_extended(ROW(r.customer_id), 0) = hash_record_extended(ROW(m.customer_id), 0)
          AND ROW(r.customer_id)::record = ROW(m.customer_id)::record),
    gone AS (
        DELETE FROM pgtrickle_state.node_0_1 s USING m__2 m
        WHERE s.ctid = m.old_ctid AND m.new_n <= 0),
    kept AS (
        UPDATE pgtrickle_state.node_0_1 s SET n = m.new_n, count_amount = m.new_count_amount, sum_amount = m.new_sum_amount, scales_amount = m.new_scales_amount
        FROM m__2 m WHERE s.ctid = m.old_ctid AND m.new_n > 0),
    born AS (
        INSERT INTO pgtrickle_state.node_0_1 (customer_id, n, count_amount, sum_amount, scales_amount)
        SELECT m.customer_id, m.new_n, m.new_count_amount, m.new_sum_amount, m.new_scales_amount FROM m__2 m
        WHERE m.old_ctid IS NULL AND m.new_n > 0),
    c AS MATERIALIZED (
        SELECT m.customer_id,
               m.old_n AS old_count,
               m.new_n AS new_count,
               CASE WHEN m.old_count_amount > 0 THEN m.old_sum_amount END AS old_sum,
               CASE WHEN m.new_count_amount > 0 THEN m.new_sum_amount END AS new_sum,
               CASE WHEN m.old_count_amount > 0 THEN round(m.old_sum_amount, ((length(trunc(m.old_scales_amount)::text) - 1) / 12)) / m.old_count_amount::numeric END AS old_avg,
               CASE WHEN m.new_count_amount > 0 THEN round(m.new_sum_amount, ((length(trunc(m.new_scales_amount)::text) - 1) / 12)) / m.new_count_amount::numeric END AS new_avg,
               m.old_n > 0 AS was,
               m.new_n > 0 AS now
        FROM m__2 m),
    hidden AS (
        DELETE FROM public.stream_table t USING (SELECT i.* FROM (SELECT c.customer_id AS customer_id, c.new_count AS count, c.new_sum AS sum, c.new_avg AS avg, c.was, c.now FROM c c) i
        WHERE i.was AND (i.now) IS NOT TRUE) c
        WHERE hash_record_extended(ROW(t.customer_id), 0) = hash_record_extended(ROW(c.customer_id), 0)
          AND ROW(t.customer_id)::record = ROW(c.customer_id)::record
        RETURNING 1),
    rows AS MATERIALIZED (
        SELECT i.customer_id, i.count AS n, i.sum AS total, i.avg AS mean
        FROM (SELECT c.customer_id AS customer_id, c.new_count AS count, c.new_sum AS sum, c.new_avg AS avg FROM c c WHERE c.now) i),
    moved AS (
        DELETE FROM public.stream_table t USING rows n
        WHERE v.user_keys IS NOT NULL AND hash_record_extended(ROW(t.customer_id), 0) = hash_record_extended(ROW(n.customer_id), 0)
          AND ROW(t.customer_id)::record = ROW(n.customer_id)::record
          AND ('customer_id' = ANY (v.user_keys) AND ROW(t.customer_id)::record *<> ROW(n.customer_id::integer)::record
            OR 'n' = ANY (v.user_keys) AND ROW(t.n)::record *<> ROW(n.n::bigint)::record
            OR 'total' = ANY (v.user_keys) AND ROW(t.total)::record *<> ROW(n.total::numeric)::record
            OR 'mean' = ANY (v.user_keys) AND ROW(t.mean)::record *<> ROW(n.mean::numeric)::record)
        RETURNING 1),
    shown AS (
        INSERT INTO public.stream_table AS t (customer_id, n, total, mean)
        SELECT n.customer_id::integer AS customer_id, n.n::bigint AS n, n.total::numeric AS total, n.mean::numeric AS mean
        FROM rows n
        WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0
        ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET n = excluded.n, total = excluded.total, mean = excluded.mean
        WHERE ROW(t.n, t.total, t.mean)::record *<> ROW(excluded.n, excluded.total, excluded.mean)::record
        RETURNING t.xmax = 0 AS inserted)
    SELECT (SELECT count(*) FROM shown WHERE shown.inserted) - (SELECT count(*) FROM moved) AS rows_inserted,
           (SELECT count(*) FROM shown WHERE NOT shown.inserted) + (SELECT count(*) FROM moved) AS rows_updated,
           (SELECT count(*) FROM hidden) AS rows_deleted,
           (SELECT count(*) FROM m__2 m WHERE m.new_n < 0) AS violations
    INTO rows_inserted, rows_updated, rows_deleted, v.violations;
    IF v.violations <> 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'data_corrupted',
            MESSAGE = 'stream table public.stream_table does not agree with its state',
            DETAIL = format('%s rows are missing or superfluous.', v.violations),
            HINT = 'It is re-initialised by the daemon. Was it changed while its guard trigger was disabled?';
    END IF;
    
    IF v.user_keys IS NOT NULL THEN
        PERFORM pgtrickle._check_deferred('public.stream_table'::regclass);
    END IF;
    PERFORM set_config('pgtrickle.apply', '', true);
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.apply_0(text, pg_snapshot, xid8, bigint, bigint, bigint, bigint[], text[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION pgtrickle_state.apply_0(text, pg_snapshot, xid8, bigint, bigint, bigint, bigint[], text[]) TO postgres;

ALTER TABLE public.stream_table ADD CONSTRAINT pgtrickle_0_key UNIQUE NULLS NOT DISTINCT (customer_id);

CREATE INDEX pgtrickle_0_hash ON public.stream_table (hash_record_extended(ROW(customer_id), 0));

GRANT SELECT (xid, seq, w, c2, c3) ON pgtrickle_changes.log_0 TO postgres;

