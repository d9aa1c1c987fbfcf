/*
SELECT c.region, count(*) AS orders, sum(o.amount) AS revenue FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY c.region



DIFFERENTIAL

Stream table, state in pgtrickle_state.node_0_1, rows identified by key:
  Project i.region, i.count AS orders, i.sum AS revenue  [O(delta)]
    Aggregate count(*), sum(i.amount) by i.region  [O(delta)]
      Join of 2 on a2.id = a1.customer_id  [O(delta x matches)]
        Scan public.orders  [O(delta)]
        Scan public.customers  [O(delta)]
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

-- Groups that their state does not tell, from the sources: an extremum is gone, or a sum was NaN or infinite.
CREATE OR REPLACE FUNCTION pgtrickle_state.groups_0_1(groups pgtrickle_state.node_0_1[]) RETURNS SETOF pgtrickle_state.node_0_1
LANGUAGE plpgsql
AS $pgt$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT k.region, count(*) AS n,
           coalesce(count(*) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
           coalesce(sum(i.amount), 0)::numeric AS sum_amount
    FROM unnest($1) k,
         (SELECT a1.customer_id, a1.amount, a2.id, a2.region
          FROM public.orders a1, public.customers a2
          WHERE a2.id = a1.customer_id) i
    WHERE i.region = k.region
    GROUP BY k.region
    UNION ALL
    SELECT k.region, count(*) AS n,
           coalesce(count(*) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
           coalesce(sum(i.amount), 0)::numeric AS sum_amount
    FROM unnest($1) k,
         (SELECT a1.customer_id, a1.amount, a2.id, a2.region
          FROM public.orders a1, public.customers a2
          WHERE a2.id = a1.customer_id) i
    WHERE (k.region IS NOT DISTINCT FROM NULL) AND (i.region IS NOT DISTINCT FROM NULL)
    GROUP BY k.region;
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
    f_snapshot CONSTANT pg_snapshot := $2;
    f_xmin CONSTANT xid8 := pg_snapshot_xmin($2);
    f_xmax CONSTANT xid8 := pg_snapshot_xmax($2);
    f_xid CONSTANT xid8 := $3;
    f_seq CONSTANT bigint := $4;
    customers_changed CONSTANT boolean := ($5 & 1) <> 0;
    orders_changed CONSTANT boolean := ($5 & 2) <> 0;
    run CONSTANT bigint := $6;
    user_keys CONSTANT text[] := $8;  -- columns of unique indexes that users made; NULL: there are none
    violations bigint;
    ignored text;
    sizes_before CONSTANT text := current_setting('pgtrickle.sizes', true);
BEGIN
    v.ignored := set_config('pgtrickle.apply', '0', true);
    v.ignored := set_config('pgtrickle.sizes', $7, true);
    IF $1 = 'full' THEN
        DELETE FROM pgtrickle_state.node_0_1;
        
        INSERT INTO pgtrickle_state.node_0_1 (region, n, count_amount, sum_amount)
        SELECT i.region AS region, count(*) AS n,
               coalesce(count(*) FILTER (WHERE i.amount IS NOT NULL), 0)::bigint AS count_amount,
               coalesce(sum(i.amount), 0)::numeric AS sum_amount
        FROM (SELECT a1.customer_id, a1.amount, a2.id, a2.region
              FROM public.orders a1, public.customers a2
              WHERE a2.id = a1.customer_id) i
        GROUP BY i.region;
        
        WITH
        -- the query
        content AS MATERIALIZED (
            SELECT x.region::text AS region, x.orders::bigint AS orders, x.revenue::numeric AS revenue
            FROM (SELECT i.region, i.count AS orders, i.sum AS revenue
                  FROM (SELECT s.region, s.n AS count, CASE WHEN s.count_amount > 0 THEN s.sum_amount END AS sum
                        FROM pgtrickle_state.node_0_1 s) i) x),
        -- stream table: rows that are gone
        hidden AS (
            DELETE FROM public.stream_table t
            WHERE NOT EXISTS (SELECT
                              FROM content n
                              WHERE hash_record_extended(ROW(t.region), 0) = hash_record_extended(ROW(n.region), 0)
                                AND ROW(t.region)::record = ROW(n.region)::record)
            RETURNING 1),
        -- rows that trade values of a unique index of the user: they go and come
        moved AS (
            DELETE FROM public.stream_table t
            USING content n
            WHERE v.user_keys IS NOT NULL
              AND hash_record_extended(ROW(t.region), 0) = hash_record_extended(ROW(n.region), 0)
              AND ROW(t.region)::record = ROW(n.region)::record
              AND ('region' = ANY (v.user_keys) AND ROW(t.region)::record *<> ROW(n.region::text)::record
                   OR 'orders' = ANY (v.user_keys) AND ROW(t.orders)::record *<> ROW(n.orders::bigint)::record
                   OR 'revenue' = ANY (v.user_keys) AND ROW(t.revenue)::record *<> ROW(n.revenue::numeric)::record)
            RETURNING 1),
        -- stream table: rows that are new or differ
        shown AS (
            INSERT INTO public.stream_table AS t (region, orders, revenue)
            SELECT n.region::text AS region, n.orders::bigint AS orders, n.revenue::numeric AS revenue
            FROM content n
            WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0
              AND NOT EXISTS (SELECT
                              FROM public.stream_table o
                              WHERE hash_record_extended(ROW(o.region, o.orders, o.revenue), 0) = hash_record_extended(ROW(n.region, n.orders, n.revenue), 0)
                                AND ROW(o.region, o.orders, o.revenue)::record = ROW(n.region, n.orders, n.revenue)::record
                                AND ROW(o.region, o.orders, o.revenue)::record *= ROW(n.region, n.orders, n.revenue)::record)
            ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET orders = excluded.orders,
                                                                    revenue = excluded.revenue
            WHERE ROW(t.orders, t.revenue)::record *<> ROW(excluded.orders, excluded.revenue)::record
            RETURNING t.xmax = 0 AS inserted)
        SELECT s.inserted - (SELECT count(*) FROM moved) AS rows_inserted,
               s.updated + (SELECT count(*) FROM moved) AS rows_updated,
               (SELECT count(*) FROM hidden) AS rows_deleted,
               (SELECT count(*) FROM content) - (SELECT count(*) FROM (SELECT FROM content n GROUP BY n.region) k) AS violations
        FROM (SELECT count(*) FILTER (WHERE shown.inserted) AS inserted,
                     count(*) FILTER (WHERE NOT shown.inserted) AS updated
              FROM shown) s
        INTO rows_inserted, rows_updated, rows_deleted, v.violations;
        IF v.violations <> 0 THEN
            PERFORM pgtrickle._raise_disagreement('public.stream_table', 'key', v.violations);
        END IF;
        
        v.ignored := set_config('pgtrickle.apply', '', true);
        v.ignored := set_config('pgtrickle.sizes', v.sizes_before, true);
        RETURN;
    END IF;
    -- the stream table
    WITH
    -- orders: rows that are pending, net
    d_orders AS MATERIALIZED (
        SELECT l.c2 AS customer_id, l.c3 AS amount, sum(l.w)::int AS w
        FROM pgtrickle_changes.log_0 l
        WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)
        GROUP BY l.c2, l.c3, pg_catalog.numeric_send(l.c3)
        HAVING sum(l.w) <> 0
        LIMIT (nullif(current_setting('pgtrickle.sizes', true), '')::bigint[])[2]),
    -- customers: rows that are pending, net
    d_customers AS MATERIALIZED (
        SELECT l.c1 AS id, l.c2 AS region, sum(l.w)::int AS w
        FROM pgtrickle_changes.log_0 l
        WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)
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
        SELECT g.region, s.ctid AS old_ctid, coalesce(s.n, 0) AS old_n, coalesce(s.n, 0) + g.n AS new_n,
               s.count_amount AS old_count_amount,
               coalesce(s.count_amount, 0) + g.count_amount AS new_count_amount,
               s.sum_amount AS old_sum_amount, coalesce(s.sum_amount, 0) + g.sum_amount AS new_sum_amount,
               coalesce(s.n, 0) + g.n > 0 AND (coalesce((s.sum_amount = 'NaN' OR s.sum_amount = 'Infinity' OR s.sum_amount = '-Infinity'), false)
                OR (g.sum_amount = 'NaN' OR g.sum_amount = 'Infinity' OR g.sum_amount = '-Infinity')) AS need
        FROM g g
        LEFT JOIN pgtrickle_state.node_0_1 s
                  ON hash_record_extended(ROW(s.region), 0) = hash_record_extended(ROW(g.region), 0)
                  AND ROW(s.region)::record = ROW(g.region)::record),
    -- groups that their state does not tell any more
    r AS MATERIALIZED (
        SELECT r.*
        FROM (SELECT array_agg(ROW(m.region, NULL, NULL, NULL)::pgtrickle_state.node_0_1) AS groups
              FROM m m
              WHERE m.need) k
        CROSS JOIN LATERAL pgtrickle_state.groups_0_1(k.groups) r
        WHERE k.groups IS NOT NULL),
    -- the same, with what was recomputed
    m__2 AS MATERIALIZED (
        SELECT m.region, m.old_ctid, m.old_n, m.new_n, m.old_count_amount,
               CASE WHEN m.need THEN r.count_amount ELSE m.new_count_amount END AS new_count_amount,
               m.old_sum_amount,
               CASE WHEN m.need THEN r.sum_amount ELSE m.new_sum_amount END AS new_sum_amount
        FROM m m
        LEFT JOIN r r
                  ON m.need
                  AND hash_record_extended(ROW(r.region), 0) = hash_record_extended(ROW(m.region), 0)
                  AND ROW(r.region)::record = ROW(m.region)::record),
    -- state: keys behind which nothing is left
    gone AS (
        DELETE FROM pgtrickle_state.node_0_1 s
        USING m__2 m
        WHERE s.ctid = m.old_ctid AND m.new_n <= 0),
    -- state: keys that stay
    kept AS (
        UPDATE pgtrickle_state.node_0_1 s
        SET n = m.new_n, count_amount = m.new_count_amount, sum_amount = m.new_sum_amount
        FROM m__2 m
        WHERE s.ctid = m.old_ctid AND m.new_n > 0),
    -- state: keys that are new
    born AS (
        INSERT INTO pgtrickle_state.node_0_1 (region, n, count_amount, sum_amount)
        SELECT m.region, m.new_n, m.new_count_amount, m.new_sum_amount
        FROM m__2 m
        WHERE m.old_ctid IS NULL AND m.new_n > 0),
    -- output rows of these keys, before and after
    c AS NOT MATERIALIZED (
        SELECT m.region, m.old_n AS old_count, m.new_n AS new_count,
               CASE WHEN m.old_count_amount > 0 THEN m.old_sum_amount END AS old_sum,
               CASE WHEN m.new_count_amount > 0 THEN m.new_sum_amount END AS new_sum, m.old_n > 0 AS was,
               m.new_n > 0 AS now
        FROM m__2 m),
    -- stream table: rows that are gone
    hidden AS (
        DELETE FROM public.stream_table t
        USING (SELECT i.*
               FROM (SELECT c.region AS region, c.new_count AS count, c.new_sum AS sum, c.was, c.now
                     FROM c c) i
               WHERE i.was AND (i.now) IS NOT TRUE) n
        WHERE hash_record_extended(ROW(t.region), 0) = hash_record_extended(ROW(n.region), 0)
          AND ROW(t.region)::record = ROW(n.region)::record
        RETURNING 1),
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
        WHERE (SELECT count(*) FROM hidden) >= 0
        ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET orders = excluded.orders,
                                                                revenue = excluded.revenue
        WHERE ROW(t.orders, t.revenue)::record *<> ROW(excluded.orders, excluded.revenue)::record
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
    v.ignored := set_config('pgtrickle.sizes', v.sizes_before, true);
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.apply_0(text, pg_snapshot, xid8, bigint, bigint, bigint, text, text[], anyelement) FROM PUBLIC;

CREATE OR REPLACE FUNCTION pgtrickle_state.look_0(f_snapshot pg_snapshot, f_xid xid8, f_seq bigint,
    OUT pending bigint[], OUT marked bigint[], OUT not_null boolean, OUT row_security boolean, OUT watched boolean,
    OUT small bigint, OUT sized boolean, OUT nested_loops boolean, OUT moves boolean)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $pgt$
#variable_conflict use_column
<<v>>
DECLARE
    f_xmin CONSTANT xid8 := pg_snapshot_xmin($1);
    f_xmax CONSTANT xid8 := pg_snapshot_xmax($1);
    f_snapshot CONSTANT pg_snapshot := $1;
    f_xid CONSTANT xid8 := $2;
    f_seq CONSTANT bigint := $3;
BEGIN
    SELECT ARRAY[p1.n, p2.n]::bigint[], array_remove(ARRAY[CASE WHEN p1.marked THEN 0 END, CASE WHEN p2.marked THEN 0 END]::bigint[], NULL),
           (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = OID AND a.attnum = ANY ('{1}') AND a.attnotnull) = 1,
           EXISTS (SELECT FROM pg_class c WHERE c.oid = ANY ('{OID,OID}') AND c.relrowsecurity),
           false,
           200, true, true, false
    INTO pending, marked, not_null, row_security, watched, small, sized, nested_loops, moves
    FROM LATERAL (SELECT count(*) AS n, coalesce(bool_or(l.w = 0), false) AS marked
                  FROM pgtrickle_changes.log_0 l
                  WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)) p1,
         LATERAL (SELECT count(*) AS n, coalesce(bool_or(l.w = 0), false) AS marked
                  FROM pgtrickle_changes.log_0 l
                  WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)) p2;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.look_0(pg_snapshot, xid8, bigint) FROM PUBLIC;

ALTER TABLE public.stream_table ADD CONSTRAINT pgtrickle_0_key UNIQUE NULLS NOT DISTINCT (region);

CREATE INDEX pgtrickle_0_hash ON public.stream_table (hash_record_extended(ROW(region), 0));

ALTER TABLE public.stream_table SET (fillfactor = 70);

GRANT SELECT (xid, seq, w, c1, c2) ON pgtrickle_changes.log_0 TO postgres;

GRANT SELECT (xid, seq, w, c2, c3) ON pgtrickle_changes.log_0 TO postgres;

