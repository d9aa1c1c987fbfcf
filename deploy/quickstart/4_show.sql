\set ON_ERROR_STOP 1
\pset footer off

\echo 'Stream table top_regions (it reads stream table region_sales):'
SELECT region, orders, revenue FROM top_regions ORDER BY revenue DESC;

-- Execution time inside the server, best of three, so that the query is not blamed for a cold cache.
CREATE FUNCTION pg_temp.milliseconds(query text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    plan json;
    best numeric;
BEGIN
    FOR i IN 1..3 LOOP
        EXECUTE 'EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ' || query INTO plan;
        best := least(best, (plan -> 0 ->> 'Execution Time')::numeric);
    END LOOP;
    RETURN best;
END
$$;

\echo 'Keeping them fresh, against running their queries (milliseconds: the first refresh after the build, then medians of the last ones):'
SELECT s.table_name AS stream_table, s.rows,
       round(h.first::numeric, 2) AS first_refresh,
       round(h.single::numeric, 2) AS refresh_1_change,
       round(h.batch::numeric, 2) AS refresh_100_changes,
       round(q.ms, 2) AS run_query,
       round(q.ms / nullif(h.single, 0)::numeric) || ' x' AS query_to_1_change
FROM pgtrickle.stream_tables s
CROSS JOIN LATERAL (SELECT pg_temp.milliseconds(s.query) AS ms) q
CROSS JOIN LATERAL (
    SELECT (SELECT f.duration_ms FROM pgtrickle.pgt_refresh_history f WHERE f.pgt_id = s.pgt_id AND f.action = 'DIFFERENTIAL' AND f.status = 'COMPLETED'
            ORDER BY f.refresh_id LIMIT 1) AS first,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY r.duration_ms) FILTER (WHERE r.delta_rows <= 2) AS single,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY r.duration_ms) FILTER (WHERE r.delta_rows > 50) AS batch
    FROM (SELECT * FROM pgtrickle.pgt_refresh_history h
          WHERE h.pgt_id = s.pgt_id AND h.action = 'DIFFERENTIAL' AND h.status = 'COMPLETED'
          ORDER BY h.refresh_id DESC LIMIT 20) r) h
ORDER BY s.pgt_id;
