-- The graph of stream tables: cycles and diamonds.

CREATE FUNCTION pgtrickle.pgt_scc_status()
RETURNS TABLE (scc_id int, member_count int, members text[], last_iterations int, last_converged_at timestamptz,
               last_error text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.scc_id::int, cardinality(c.members),
           ARRAY(SELECT pgtrickle._qualified(s.pgt_relid) FROM pgtrickle._stream_tables s
                 WHERE s.pgt_id = ANY (c.members) ORDER BY 1),
           c.last_iterations, c.last_converged_at, c.last_error
    -- not of a cycle that is no more
    FROM pgtrickle._sccs c WHERE c.members = pgtrickle._cycle_of(c.scc_id) ORDER BY c.scc_id
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.pgt_scc_status TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.pgt_scc_status() IS
'The cycles of stream tables: members, how many iterations it last took to reach the fixed point, and when.
  last_error: why the daemon could not refresh
the cycle the last time, for example because there is no fixed point; NULL if it could.';

CREATE FUNCTION pgtrickle.diamond_groups()
RETURNS TABLE (group_id int, member_name text, member_schema text, is_convergence boolean, epoch bigint,
               schedule_policy text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH inputs AS (        -- what each stream table reads, and all that is behind it
        SELECT d.pgt_id, d.source_relid, d.source_relid
            || CASE WHEN s.pgt_id IS NULL THEN '{}' ELSE pgtrickle._reads(s.pgt_id) END AS behind
        FROM pgtrickle.pgt_dependencies d LEFT JOIN pgtrickle._stream_tables s ON s.pgt_relid = d.source_relid
        WHERE d.source_type <> 'VIEW'),
    shared AS (             -- where its ways part: what is behind more than one of its inputs
        SELECT x.pgt_id, array_agg(x.relid) AS relids
        FROM (SELECT i.pgt_id, u.relid FROM inputs i CROSS JOIN LATERAL unnest(i.behind) AS u(relid)
              GROUP BY i.pgt_id, u.relid HAVING count(DISTINCT i.source_relid) > 1) AS x
        GROUP BY x.pgt_id)
    SELECT dense_rank() OVER (ORDER BY c.pgt_id)::int, coalesce(k.relname, m.pgt_name)::text,
           coalesce(n.nspname, m.pgt_schema)::text, m.pgt_id = c.pgt_id,
           f.total_refreshes, coalesce(t.diamond_schedule_policy, 'fastest')
    FROM shared c JOIN pgtrickle._stream_tables t ON t.pgt_id = c.pgt_id
    LEFT JOIN pgtrickle._refresh_stats f ON f.pgt_id = c.pgt_id
    JOIN pgtrickle._stream_tables m ON m.pgt_id = c.pgt_id OR m.pgt_id = ANY (pgtrickle._upstream(ARRAY[c.pgt_id]))
      AND pgtrickle._reads(m.pgt_id) && c.relids
    LEFT JOIN pg_class k ON k.oid = m.pgt_relid LEFT JOIN pg_namespace n ON n.oid = k.relnamespace
    ORDER BY c.pgt_id, m.pgt_id = c.pgt_id, m.pgt_id
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.diamond_groups TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.diamond_groups() IS
'The diamonds: for each stream table that reads one source by several ways (is_convergence), the stream tables on
  these ways. epoch: how often the convergence was refreshed.';
