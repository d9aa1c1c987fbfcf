-- How large the sources of a stream table are, for max_delta_fraction: what refresh_<id> compares pending rows with.
-- Rows of stream tables are counted by their programs. Of other tables the planner's way is taken: the density at the
-- last ANALYZE times the size now; 100 bytes a row where there was none.
CREATE FUNCTION pgtrickle._source_rows(id bigint) RETURNS double precision
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(sum(coalesce(f.rows, t.tuples)), 0)
    FROM pgtrickle.pgt_dependencies d
    LEFT JOIN pgtrickle._stream_tables s ON s.pgt_relid = d.source_relid
    LEFT JOIN pgtrickle._refresh_stats f ON f.pgt_id = s.pgt_id
    CROSS JOIN LATERAL (
        SELECT sum(pg_relation_size(c.oid) * CASE WHEN c.relpages > 0 AND c.reltuples >= 0
                   THEN c.reltuples / (c.relpages * current_setting('block_size')::double precision)
                       ELSE 0.01 END) AS tuples
        FROM pg_class c WHERE c.oid = ANY (pgtrickle._source_relations(d.source_relid)) AND c.relkind <> 'p') AS t
    WHERE d.pgt_id = id AND d.source_id IS NOT NULL
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._source_rows TO PUBLIC;
