-- ways: plain
-- Cycles as SQL finds them: the refresh planner is held to the same table (tests/judgements/README.md)
CREATE TABLE judgements (edges text, cycles text);
\copy judgements FROM '../judgements/cycles.tsv' WITH (HEADER)
SELECT test.ok('there are some', (SELECT count(*) > 10 FROM judgements));
CREATE TABLE t (id int);
SELECT pgtrickle.create_stream_table('st' || i, 'SELECT * FROM t') FROM generate_series(1, 6) AS i;
CREATE FUNCTION st(n int) RETURNS pgtrickle.pgt_stream_tables LANGUAGE sql AS $$ SELECT s FROM pgtrickle.pgt_stream_tables s WHERE pgt_name = 'st' || n $$;
CREATE FUNCTION read_as(edges text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM pgtrickle.pgt_dependencies;
    INSERT INTO pgtrickle.pgt_dependencies (pgt_id, source_relid, source_type, columns, column_names, source_schema, source_name)
    SELECT (st(e[1]::int)).pgt_id, (st(e[2]::int)).pgt_relid, 'STREAM_TABLE', '{1}', '{id}', 'public', 'st' || e[2] FROM regexp_matches(edges, '(\d)>(\d)', 'g') AS e;
END $$;
CREATE FUNCTION cycles_found() RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(format('%s:%s', i, (SELECT string_agg(right(s.pgt_name, 1), ',' ORDER BY s.pgt_name) FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = ANY (c.ids))), ' ' ORDER BY i), '')
    FROM generate_series(1, 6) AS i CROSS JOIN LATERAL pgtrickle._cycle_of((st(i)).pgt_id) AS c(ids) WHERE c.ids IS NOT NULL $$;
-- and the same if one of them only would read what it reads, and a path leads through each cycle
CREATE FUNCTION found_beforehand() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    i int; reads bigint[]; members bigint[]; path text[];
BEGIN
    FOR i IN 1 .. 6 LOOP
        members := pgtrickle._cycle_of((st(i)).pgt_id);
        path := pgtrickle._cycle_path((st(i)).pgt_id);
        IF (members IS NULL) <> (path IS NULL) OR path[1] <> path[cardinality(path)] OR path[1] <> 'public.st' || i THEN
            RETURN false;
        END IF;
        reads := ARRAY(SELECT s.pgt_id FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_stream_tables s ON s.pgt_relid = d.source_relid WHERE d.pgt_id = (st(i)).pgt_id);
        CREATE TEMP TABLE kept AS SELECT * FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = (st(i)).pgt_id;
        DELETE FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = (st(i)).pgt_id;
        IF pgtrickle._cycle_of((st(i)).pgt_id, reads) IS DISTINCT FROM members OR pgtrickle._cycle_path((st(i)).pgt_id, reads) IS DISTINCT FROM path THEN
            RETURN false;
        END IF;
        INSERT INTO pgtrickle.pgt_dependencies SELECT * FROM kept;
        DROP TABLE kept;
    END LOOP;
    RETURN true;
END $$;
SELECT read_as(j.edges), test.eq('cycles of ' || j.edges, cycles_found(), j.cycles), test.ok('beforehand: ' || j.edges, found_beforehand()) FROM judgements j;
