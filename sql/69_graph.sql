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

-- The diamonds: stream tables `last` that read one thing, a source or a stream table, by several ways, each with the
-- stream tables on these ways, below where they part. As the refresh planner finds them (atomic_sets.h in
-- daemon/planner/), which is held to the same table of cases: tests/judgements/diamonds.tsv. By the OIDs of the tables.
CREATE FUNCTION pgtrickle._diamonds() RETURNS TABLE (last oid, member oid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE direct AS MATERIALIZED (
        SELECT s.pgt_relid AS reader, d.source_relid AS input,
               coalesce(s.effective_refresh_mode = 'IMMEDIATE', false) AS kept
        FROM pgtrickle.pgt_dependencies d JOIN pgtrickle._stream_tables s USING (pgt_id) WHERE d.source_type <> 'VIEW'),
    -- What triggers keep is a source to its readers, and what it reads is something that they read.
    through(reader, input, kept) AS (
        SELECT d.reader, d.input, d.kept FROM direct d
        UNION
        SELECT t.reader, k.input, t.kept FROM through t JOIN direct k ON k.reader = t.input AND k.kept),
    inputs AS MATERIALIZED (SELECT DISTINCT t.reader, t.input FROM through t WHERE NOT t.kept),
    above(below, above) AS (
        SELECT i.reader, i.input FROM inputs i
        UNION
        SELECT a.below, i.input FROM above a JOIN inputs i ON i.reader = a.above),
    -- Members of a cycle are above each other: only what is not is above for certain.
    strictly AS MATERIALIZED (
        SELECT a.below, a.above FROM above a
        WHERE NOT EXISTS (SELECT FROM above o WHERE o.below = a.above AND o.above = a.below)),
    behind AS MATERIALIZED (        -- an input, and all that is above it
        SELECT i.input, i.input AS relid FROM (SELECT DISTINCT i.input FROM inputs i) AS i
        UNION
        SELECT a.below, a.above FROM above a WHERE a.below IN (SELECT i.input FROM inputs i)),
    common AS MATERIALIZED (        -- of two inputs of one that is in no cycle
        SELECT x.reader, x.input AS a, y.input AS b, p.relid
        FROM inputs x JOIN inputs y ON y.reader = x.reader AND y.input > x.input
        JOIN behind p ON p.input = x.input JOIN behind q ON q.input = y.input AND q.relid = p.relid
        WHERE NOT EXISTS (SELECT FROM above o WHERE o.below = x.reader AND o.above = x.reader)),
    nearest AS (
        SELECT c.reader, c.a, c.b, c.relid FROM common c
        WHERE NOT EXISTS (SELECT FROM common n JOIN strictly s ON s.below = n.relid AND s.above = c.relid
                          WHERE n.reader = c.reader AND n.a = c.a AND n.b = c.b))
    SELECT DISTINCT n.reader, m.below
    FROM nearest n JOIN strictly m ON m.above = n.relid
    JOIN behind w ON w.input IN (n.a, n.b) AND w.relid = m.below
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._diamonds TO PUBLIC;

CREATE FUNCTION pgtrickle.diamond_groups()
RETURNS TABLE (group_id int, member_name text, member_schema text, is_convergence boolean, epoch bigint,
               schedule_policy text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH diamonds AS MATERIALIZED (SELECT d.last, d.member FROM pgtrickle._diamonds() AS d)
    SELECT dense_rank() OVER (ORDER BY l.pgt_id)::int, coalesce(k.relname, m.pgt_name)::text,
           coalesce(n.nspname, m.pgt_schema)::text, m.pgt_id = l.pgt_id,
           f.total_refreshes, coalesce(l.diamond_schedule_policy, 'fastest')
    FROM (SELECT d.last, d.member FROM diamonds d UNION SELECT d.last, d.last FROM diamonds d) AS d
    JOIN pgtrickle._stream_tables l ON l.pgt_relid = d.last
    JOIN pgtrickle._stream_tables m ON m.pgt_relid = d.member
    LEFT JOIN pgtrickle._refresh_stats f ON f.pgt_id = l.pgt_id
    LEFT JOIN pg_class k ON k.oid = m.pgt_relid LEFT JOIN pg_namespace n ON n.oid = k.relnamespace
    ORDER BY l.pgt_id, m.pgt_id = l.pgt_id, m.pgt_id
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.diamond_groups TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.diamond_groups() IS
'The diamonds: for each stream table that reads one source or stream table by several ways (is_convergence), the
  stream tables on these ways, below where they part. epoch: how often the convergence was refreshed.';
