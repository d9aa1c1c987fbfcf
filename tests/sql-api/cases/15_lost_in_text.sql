-- Queries that pg_get_viewdef() writes as others. Operators found through the search_path stand behind words.
CREATE SCHEMA ext;
CREATE EXTENSION citext SCHEMA ext;
CREATE TABLE words (id int PRIMARY KEY, c ext.citext, d ext.citext);
CREATE TABLE j1 (i int, a text);
CREATE TABLE j2 (i int, b text);
SET search_path = public, ext;
CREATE FUNCTION try(q text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM pgtrickle.create_stream_table('public.refused', q); END $$;
SELECT test.fails(format('SELECT try(%L)', q), '0A000', 'public.refused: the query cannot be kept as text: ' || pattern) FROM (VALUES
    ('SELECT id, c IS DISTINCT FROM d AS x FROM words', 'IS DISTINCT FROM, .* operator ext.='),
    ('SELECT id FROM words WHERE c IS NOT DISTINCT FROM d', '.*operator ext.='),
    ('SELECT id, nullif(c, d) AS x FROM words', '.*operator ext.='),
    ('SELECT id, CASE c WHEN d THEN 1 END AS x FROM words', '.*operator ext.='),
    ('SELECT a.id FROM words a JOIN words b USING (c)', '.*operator ext.='),
    ('SELECT a.id FROM words a NATURAL JOIN words b', '.*operator ext.='),
    ('SELECT id FROM (SELECT id, nullif(c, d) AS x FROM words) s', '.*operator ext.='),
    ('SELECT row_to_json(x.*) AS r FROM j1 JOIN j2 USING (i) AS x', '.*names of the fields'),
    ('SELECT count(*) AS n FROM j1 WHERE i IN (SELECT length(row_to_json(x)::text) FROM j1 JOIN j2 USING (i) AS x)', '.*names of the fields')) AS x(q, pattern);
SELECT test.eq(q, (SELECT string_agg(severity, ',') FROM pgtrickle.validate_query(q) WHERE check_name = 'text'), verdict) FROM (VALUES
    ('SELECT id, c IS DISTINCT FROM d AS x FROM words', 'error'), ('SELECT id, c = d AS x FROM words', NULL)) AS x(q, verdict);
SELECT test.ok('nothing is left', NOT EXISTS (SELECT FROM pg_class WHERE relname ~ '^pgtrickle_(definition|again)'));
-- Taken, although their text is written in another way
CREATE FUNCTION take(n text, q text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM pgtrickle.create_stream_table(n, q); END $$;
SELECT take('k' || n, q) FROM (VALUES
    (1, 'SELECT id, (c = d) IS NOT TRUE AS x, c IN (SELECT d FROM words) AS y, c = ANY (ARRAY[''a''::citext]) AS z FROM words'),
    (2, 'SELECT id, (c, d) IN (SELECT d, c FROM words) AS x, (c, d) < (''a'', ''b'') AS y, c LIKE ''a%'' AS z FROM words'),
    (3, 'SELECT row_to_json(t.*)::text AS r FROM (j1 LEFT JOIN j2 USING (i)) AS t(p, q, r)'),
    (4, 'SELECT i FROM j1 UNION SELECT length(b) FROM j2 EXCEPT ALL SELECT 1'),
    (5, 'SELECT x.i, j1.a, j2.b FROM j1 NATURAL JOIN j2, LATERAL (SELECT (words).id AS i FROM words) x'),
    (6, 'SELECT extract(epoch FROM now()) AS e, trim(both ''x'' from a) AS t, substring(a FROM 1 FOR 2) AS s, i BETWEEN 1 AND 2 AS b, a COLLATE "C" AS c FROM j1'),
    (7, 'WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT n, row_to_json(r)::text AS j FROM r'),
    (8, 'SELECT i, sum(i) OVER w AS s, rank() OVER (w ROWS 1 PRECEDING) AS k FROM j1 WINDOW w AS (PARTITION BY a ORDER BY i)'),
    (9, 'SELECT z.i AS "odd "" } name", row_to_json(z)::text AS j, to_jsonb(f)::text AS k FROM j1 z, generate_series(1, 2) AS f(x)'),
    (10, 'SELECT i, a::varchar(5) IN (''a'', ''b'') AS x, a::varchar = ANY (ARRAY[''c'']) AS y, a::char(3) IN (''a'', ''b'') AS z, i IN (1, 2.5) AS n FROM j1')) AS q(n, q);
SELECT test.eq('all are there', (SELECT count(*) FROM pgtrickle.pgt_stream_tables), 10::bigint);
