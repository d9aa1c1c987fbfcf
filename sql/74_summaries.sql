-- Short answers about all stream tables, and the names under which users of other extensions ask for them.

CREATE FUNCTION pgtrickle.list_sources(name text)
RETURNS TABLE (source_table text, source_oid bigint, source_type text, cdc_mode text, columns_used text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT CASE WHEN c.oid IS NULL THEN pg_catalog.format('%I.%I', d.source_schema, d.source_name)
                ELSE pgtrickle._qualified(c.oid) END,
           d.source_relid::pg_catalog.int8, d.source_type::text,
           CASE WHEN s.effective_refresh_mode OPERATOR(pg_catalog.=) 'IMMEDIATE' THEN 'immediate'
                WHEN d.source_id IS NOT NULL THEN 'trigger' ELSE 'none' END,
           pg_catalog.array_to_string(d.column_names, ', ')
    FROM pgtrickle._find(name, pg_catalog.current_setting('search_path')) AS s
    JOIN pgtrickle.pgt_dependencies d ON d.pgt_id OPERATOR(pg_catalog.=) s.pgt_id
    LEFT JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) d.source_relid
    ORDER BY 1;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.list_sources TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.list_sources(text) IS
'What a stream table reads. cdc_mode: trigger (its changes are captured), immediate (triggers apply them), none (it is
  compared or recomputed, or not captured yet). columns_used: what the query reads of it. Error: 42P01.';

CREATE FUNCTION pgtrickle.stream_table_definition(p_name text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT CASE WHEN pgtrickle._is_renamed(s.names, s.names_now) THEN s.defining_query ELSE s.original_query END
            FROM pgtrickle._find_own(p_name, pg_catalog.current_setting('search_path')) AS s);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.stream_table_definition TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.stream_table_definition(text) IS
'The query of a stream table, as it was written; once something that it names was renamed, as it reads now. For all of
  the definition: export_definition(). Errors: 42P01, 42501 not its owner.';

CREATE FUNCTION pgtrickle.refresh_timeline(max_rows int DEFAULT 50)
RETURNS TABLE (start_time timestamptz, stream_table text, action text, status text, rows_inserted bigint,
               rows_deleted bigint, duration_ms double precision, error_message text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT h.start_time, CASE WHEN s.pgt_relid IS NULL THEN format('(dropped, %s)', h.pgt_id)
                              ELSE pgtrickle._qualified(s.pgt_relid) END,
           h.action, h.status, h.rows_inserted, h.rows_deleted, h.duration_ms, h.error_message
    FROM pgtrickle._refresh_history h LEFT JOIN pgtrickle._stream_tables s USING (pgt_id)
    ORDER BY h.refresh_id DESC LIMIT greatest(max_rows, 0)
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.refresh_timeline TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.refresh_timeline(int) IS
'The last refreshes of all stream tables that did something or failed, newest first, at most max_rows. error_message: of
  one''s own.';

CREATE FUNCTION pgtrickle.refresh_efficiency()
RETURNS TABLE (pgt_schema text, pgt_name text, refresh_mode text, total_refreshes bigint, diff_count bigint,
               full_count bigint, avg_diff_ms double precision, avg_full_ms double precision,
               avg_change_ratio double precision, diff_speedup text, last_refresh_at text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.schema::text, t.table_name::text, coalesce(t.effective_refresh_mode, t.refresh_mode), t.total_refreshes,
           t.total_differential, t.total_full, h.diff_ms, h.full_ms, h.changed / nullif(t.rows, 0),
           round((h.full_ms / nullif(h.diff_ms, 0))::numeric, 1) || 'x', t.last_refresh_at::text
    FROM pgtrickle.stream_tables t
    CROSS JOIN LATERAL (SELECT avg(x.duration_ms) FILTER (WHERE x.action = 'DIFFERENTIAL') AS diff_ms,
                               avg(x.duration_ms) FILTER (WHERE x.action = 'FULL') AS full_ms,
                               avg(x.delta_rows) FILTER (WHERE x.action = 'DIFFERENTIAL')::double precision AS changed
                        FROM pgtrickle._refresh_history x
                        WHERE x.pgt_id = t.pgt_id AND x.status = 'COMPLETED') AS h
    ORDER BY t.name
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.refresh_efficiency TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.refresh_efficiency() IS
'What applying changes saves. The counts are of the whole life, the averages of what the history still holds.
  avg_change_ratio: pending rows of a differential refresh to rows of the stream table. diff_speedup: how many times a
  differential refresh is faster than a full one; NULL: one of them was not seen.';

CREATE FUNCTION pgtrickle.st_refresh_stats()
RETURNS TABLE (pgt_name text, pgt_schema text, status text, refresh_mode text, is_populated boolean,
               total_refreshes bigint, successful_refreshes bigint, failed_refreshes bigint, total_rows_inserted bigint,
               total_rows_deleted bigint, avg_duration_ms double precision, last_refresh_action text,
               last_refresh_status text, last_refresh_at timestamptz, staleness_secs double precision, stale boolean,
               consecutive_errors int, schedule text, refresh_tier text, last_error_message text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.table_name::text, t.schema::text, t.status, t.refresh_mode, t.is_populated, t.total_refreshes + h.failed,
           t.total_refreshes, h.failed, r.total_rows_inserted, r.total_rows_deleted, h.avg_ms, h.last_action,
           h.last_status, t.last_refresh_at, extract(epoch FROM t.staleness)::double precision,
           t.staleness > interval '0', t.consecutive_errors, t.schedule, t.tier, t.last_error
    FROM pgtrickle.stream_tables t LEFT JOIN pgtrickle._refresh_stats r USING (pgt_id)
    CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE x.status = 'FAILED') AS failed,
                               avg(x.duration_ms) FILTER (WHERE x.status = 'COMPLETED') AS avg_ms,
                               (array_agg(x.action ORDER BY x.refresh_id DESC))[1] AS last_action,
                               (array_agg(x.status ORDER BY x.refresh_id DESC))[1] AS last_status
                        FROM pgtrickle._refresh_history x WHERE x.pgt_id = t.pgt_id) AS h
    ORDER BY t.name
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.st_refresh_stats TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.st_refresh_stats() IS
'Counters and last outcome of every stream table. Refreshes that failed and durations are counted as far as the history
  reaches back. stale: changes of its sources are not in it yet.';

CREATE FUNCTION pgtrickle.health_summary()
RETURNS TABLE (total_stream_tables int, active_count int, error_count int, suspended_count int, stale_count int,
               reinit_pending int, max_staleness_seconds double precision, scheduler_status text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*)::int, (count(*) FILTER (WHERE t.status = 'ACTIVE'))::int,
           (count(*) FILTER (WHERE t.status = 'ERROR'))::int, (count(*) FILTER (WHERE t.status = 'SUSPENDED'))::int,
           (count(*) FILTER (WHERE t.slo_violated))::int, (count(*) FILTER (WHERE t.needs_reinit))::int,
           extract(epoch FROM max(t.staleness))::double precision,
           CASE WHEN pgtrickle.is_paused() THEN 'PAUSED' WHEN pgtrickle._leader_trouble() IS NULL THEN 'RUNNING'
                ELSE 'STOPPED' END
    FROM pgtrickle.stream_tables t
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.health_summary TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.health_summary() IS
'All stream tables in a row. stale_count: so many are older than they promise (max_staleness). scheduler_status:
  RUNNING, PAUSED, or STOPPED if no daemon leads; health_check() says why.';

CREATE VIEW pgtrickle.quick_health AS
SELECT h.total_stream_tables, h.error_count + h.suspended_count AS error_tables, h.stale_count AS stale_tables,
       h.scheduler_status = 'RUNNING' AS scheduler_running,
       CASE WHEN h.total_stream_tables = 0 THEN 'EMPTY'
            WHEN h.scheduler_status = 'STOPPED' OR h.error_count > 0 THEN 'CRITICAL'
            WHEN h.suspended_count > 0 OR h.stale_count > 0 OR h.reinit_pending > 0 OR h.scheduler_status = 'PAUSED'
                THEN 'WARNING'
            ELSE 'OK' END AS status
FROM pgtrickle.health_summary() AS h;
COMMENT ON VIEW pgtrickle.quick_health IS
'One word for a monitor. EMPTY: no stream tables; CRITICAL: no daemon leads, or one cannot be built; WARNING: one is
  suspended, older than it promises or to be rebuilt, or refreshing is paused.';
GRANT SELECT ON pgtrickle.quick_health TO PUBLIC;

CREATE VIEW pgtrickle.stream_tables_info AS
SELECT t.*, t.staleness > interval '0' AS stale FROM pgtrickle.stream_tables t;
COMMENT ON VIEW pgtrickle.stream_tables_info IS
'stream_tables, and whether changes of the sources are not in it yet (stale).';
GRANT SELECT ON pgtrickle.stream_tables_info TO PUBLIC;

CREATE VIEW pgtrickle.pg_stat_stream_tables AS
SELECT t.pgt_id, t.schema AS pgt_schema, t.table_name AS pgt_name, t.status, t.refresh_mode, t.is_populated,
       t.data_timestamp, t.schedule, t.staleness, t.staleness > interval '0' AS stale, t.consecutive_errors,
       t.needs_reinit, t.last_refresh_at, x.total_refreshes, x.successful_refreshes, x.failed_refreshes,
       x.total_rows_inserted, x.total_rows_deleted, x.avg_duration_ms, x.last_refresh_action AS last_action,
       x.last_refresh_status AS last_status, t.scc_id, t.tier AS refresh_tier
FROM pgtrickle.stream_tables t JOIN pgtrickle.st_refresh_stats() AS x
ON x.pgt_schema = t.schema AND x.pgt_name = t.table_name;
COMMENT ON VIEW pgtrickle.pg_stat_stream_tables IS 'Counters of every stream table; columns as in stream_tables and
  st_refresh_stats().';
GRANT SELECT ON pgtrickle.pg_stat_stream_tables TO PUBLIC;

CREATE FUNCTION pgtrickle.version_check() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(string_agg(format('daemon %s on %s has version %s, this database %s', d.instance, d.host, d.version,
                                      pgtrickle.version()), E'\n' ORDER BY d.instance), 'ok')
    FROM pgtrickle.pgt_daemons d
    WHERE d.heartbeat_at > clock_timestamp() - pgtrickle._heartbeat_expiry()
      AND d.version IS DISTINCT FROM pgtrickle.version()
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.version_check TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.version_check() IS
'''ok'', or a line for every daemon at work here whose version is another than that of the SQL part.';

-- A name in a node of a picture: what would end the text is left out.
CREATE FUNCTION pgtrickle._node_text(words text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT translate(pgtrickle._in_a_line(words), E'"\\[]{}<>', '''/()()()')
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._node_text TO PUBLIC;

CREATE FUNCTION pgtrickle.explain_dag(format text DEFAULT 'mermaid') RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kind   text := lower(btrim(format));
    result text;
BEGIN
    IF kind IS NULL OR kind NOT IN ('mermaid', 'dot') THEN
        RAISE EXCEPTION 'invalid format %', quote_nullable(format)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use mermaid or dot.';
    END IF;
    WITH nodes AS MATERIALIZED (
        SELECT s.pgt_relid AS relid, true AS is_stream_table,
               pgtrickle._node_text(pgtrickle._qualified(s.pgt_relid)) AS title,
               concat_ws(', ', coalesce(s.effective_refresh_mode, s.refresh_mode),
                         CASE WHEN s.status <> 'ACTIVE' THEN s.status END) AS state
        FROM pgtrickle._stream_tables s
        UNION ALL
        SELECT DISTINCT d.source_relid, false,
               pgtrickle._node_text(coalesce((SELECT pgtrickle._qualified(c.oid) FROM pg_class c
                                              WHERE c.oid = d.source_relid),
                                             pg_catalog.format('%I.%I', d.source_schema, d.source_name))), ''
        FROM pgtrickle.pgt_dependencies d
        WHERE NOT EXISTS (SELECT FROM pgtrickle._stream_tables s WHERE s.pgt_relid = d.source_relid)),
    edges AS (
        SELECT DISTINCT d.source_relid AS source, s.pgt_relid AS reader
        FROM pgtrickle.pgt_dependencies d JOIN pgtrickle._stream_tables s USING (pgt_id)),
    lines(part, words) AS (
        SELECT 1, CASE kind
                  WHEN 'dot' THEN pg_catalog.format('    n%s [label="%s%s", shape=%s];', n.relid, n.title,
                                                    E'\\n' || nullif(n.state, ''),
                                                    CASE WHEN n.is_stream_table THEN 'box' ELSE 'ellipse' END)
                  WHEN 'mermaid' THEN pg_catalog.format(CASE WHEN n.is_stream_table THEN '    n%s["%s%s"]'
                                                             ELSE '    n%s(["%s%s"])' END,
                                                        n.relid, n.title, '<br/>' || nullif(n.state, '')) END
        FROM nodes n
        UNION ALL
        SELECT 2, pg_catalog.format(CASE kind WHEN 'dot' THEN '    n%s -> n%s;' ELSE '    n%s --> n%s' END, e.source,
                                    e.reader)
        FROM edges e)
    SELECT string_agg(l.words, E'\n' ORDER BY l.part, l.words) INTO result FROM lines l;
    RETURN CASE kind WHEN 'dot'
                     THEN E'digraph stream_tables {\n    rankdir=LR;\n' || coalesce(result || E'\n', '') || '}'
                     ELSE concat_ws(E'\n', 'graph LR', result) END;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.explain_dag TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.explain_dag(text) IS
'Stream tables and what they read as a picture, for Mermaid (''mermaid'') or Graphviz (''dot''): sources round, stream
  tables in boxes with their mode, and their status if it is not ACTIVE. Error: 22023.';
