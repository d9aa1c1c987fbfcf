-- The graph of stream tables: cycles and diamonds.

CREATE FUNCTION pgtrickle.pgt_scc_status()
RETURNS TABLE (scc_id int, member_count int, members text[], last_iterations int, last_converged_at timestamptz, last_error text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.scc_id::int, cardinality(c.members),
           ARRAY(SELECT pgtrickle._qualified(s.pgt_relid) FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = ANY (c.members) ORDER BY 1),
           c.last_iterations, c.last_converged_at, c.last_error
    FROM pgtrickle.pgt_sccs c ORDER BY c.scc_id
$$;
COMMENT ON FUNCTION pgtrickle.pgt_scc_status() IS
'The cycles of stream tables: members, how many iterations it last took to reach the fixed point, and when.';
