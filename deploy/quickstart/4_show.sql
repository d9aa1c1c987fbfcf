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

\echo 'Keeping them fresh, against running their queries (milliseconds):'
SELECT s.table_name AS stream_table, s.effective_refresh_mode AS mode, s.rows,
       h.delta_rows AS changes_applied,
       round(h.duration_ms::numeric, 2) AS last_refresh,
       round(q.ms, 2) AS query,
       round(q.ms / nullif(h.duration_ms, 0)::numeric) || ' x' AS query_takes
FROM pgtrickle.stream_tables s
CROSS JOIN LATERAL (SELECT pg_temp.milliseconds(s.query) AS ms) q
LEFT JOIN LATERAL (SELECT h.duration_ms, h.delta_rows FROM pgtrickle.pgt_refresh_history h
                   WHERE h.pgt_id = s.pgt_id AND h.action = 'DIFFERENTIAL' AND h.status = 'COMPLETED' AND h.delta_rows > 0
                   ORDER BY h.refresh_id DESC LIMIT 1) h ON true
ORDER BY s.pgt_id;
