-- Diamonds as SQL finds them: the refresh planner is held to the same table (tests/judgements/README.md)
CREATE TABLE judgements (edges text, kept text, diamonds text);
\copy judgements FROM '../judgements/diamonds.tsv' WITH (HEADER)
SELECT test.ok('there are some', (SELECT count(*) > 20 FROM judgements));
CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE TABLE c (id int);
SELECT pgtrickle.create_stream_table('st' || i, 'SELECT id FROM a') FROM generate_series(1, 6) AS i;
CREATE FUNCTION relation(sign text) RETURNS oid LANGUAGE sql AS $$ SELECT (CASE WHEN sign ~ '\d' THEN 'st' || sign ELSE sign END)::regclass::oid $$;
CREATE FUNCTION read_as(edges text, kept text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM pgtrickle.pgt_dependencies;
    INSERT INTO pgtrickle.pgt_dependencies (pgt_id, source_relid, source_type, columns, column_names, source_schema, source_name)
    SELECT s.pgt_id, relation(e[2]), CASE WHEN e[2] ~ '\d' THEN 'STREAM_TABLE' ELSE 'TABLE' END, '{1}', '{id}', 'public', relation(e[2])::regclass::text
    FROM regexp_matches(edges, '(\d)>(\w)', 'g') AS e JOIN pgtrickle.pgt_stream_tables s ON s.pgt_name = 'st' || e[1];
    UPDATE pgtrickle.pgt_stream_tables s SET effective_refresh_mode = CASE WHEN right(s.pgt_name, 1) = ANY (string_to_array(kept, ' ')) THEN 'IMMEDIATE' ELSE 'DIFFERENTIAL' END;
END $$;
CREATE FUNCTION diamonds_found() RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(g.found, ' ' ORDER BY g.found), '')
    FROM (SELECT max(right(d.member_name, 1)) FILTER (WHERE d.is_convergence) || ':' || string_agg(right(d.member_name, 1), ',' ORDER BY d.member_name) AS found
          FROM pgtrickle.diamond_groups() AS d GROUP BY d.group_id) AS g $$;
SELECT read_as(j.edges, j.kept), test.eq('diamonds of ' || concat_ws(' kept ', j.edges, nullif(j.kept, '')), diamonds_found(), j.diamonds) FROM judgements j;
