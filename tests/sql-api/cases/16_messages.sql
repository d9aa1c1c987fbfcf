-- What people read: errors point at their place, have no empty lines, and say at once what cannot be
CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE VIEW rnd AS SELECT id, random() AS r FROM t;
CREATE FUNCTION mine(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT $1';
CREATE FUNCTION odd(int, int) RETURNS boolean LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN $1 = $2; END';
CREATE OPERATOR public.=% (LEFTARG = int, RIGHTARG = int, FUNCTION = odd);
CREATE MATERIALIZED VIEW kept_before AS SELECT 1 AS id;
CREATE TABLE dated (id int PRIMARY KEY, d timestamp);
CREATE TABLE "par ent" (id int PRIMARY KEY); CREATE TABLE child () INHERITS ("par ent");
CREATE VIEW only_view AS SELECT id FROM ONLY "par ent";
CREATE AGGREGATE agg(int) (SFUNC = int4pl, STYPE = int);
-- 1. a syntax error points at its place: the place in what the user wrote, whatever is around it
CREATE FUNCTION place(q text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE d text;
BEGIN
    PERFORM pgtrickle.create_stream_table('refused', q);
    RETURN 'no error';
EXCEPTION WHEN syntax_error THEN
    GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL;
    RETURN d;
END $$;
SELECT test.eq(x.q, place(x.q), x.expected) FROM (VALUES
    ('SELECT id FORM t WHERE id', E'At character 16 of the query:\nLINE 1: SELECT id FORM t WHERE id\n                       ^'),
    (E'SELECT id,\n  v\nFORM t\nWHERE v = ''FORM''', E'At character 21 of the query:\nLINE 3: FORM t\n             ^'),
    (E'SELECT ''FORM'', "FORM"\n\tFROM FROM t', E'At character 29 of the query:\nLINE 2:  FROM FROM t\n              ^'),
    ('SELECT (id FROM t', E'At character 12 of the query:\nLINE 1: SELECT (id FROM t\n                   ^'),
    ('SELECT id FROM t WHERE v = ''x', E'At character 28 of the query:\nLINE 1: SELECT id FROM t WHERE v = ''x\n                                   ^'),
    ('SELECT ä, ö FROM t WHERE )', E'At character 26 of the query:\nLINE 1: SELECT ä, ö FROM t WHERE )\n                                 ^'),
    ('SELECT ' || repeat('id + ', 40) || ') FROM t', E'At character 208 of the query:\nLINE 1: ...' || repeat('id + ', 8) || E') FROM t\n           ' || repeat(' ', 40) || '^'),
    ('SELECT id FROM t WHERE', '')) AS x(q, expected);
SELECT test.ok('validate_query too', (SELECT result ~ E'At character 10 of the query:\nLINE 1: SELECT id\\) FROM t\n                 \\^$' FROM pgtrickle.validate_query('SELECT id) FROM t')));
-- 2. DIFFERENTIAL that cannot be
SELECT test.fails(format('SELECT pgtrickle.create_stream_table(''refused'', %L, refresh_mode => ''DIFFERENTIAL'')', x.q), '0A000', 'public.refused: refresh mode DIFFERENTIAL is not possible: ' || x.pattern)
FROM (VALUES ('SELECT id, random() AS r FROM t', 'function random\(\) is VOLATILE \|.*Remove random\(\).*FULL'), ('SELECT id FROM rnd', 'function random\(\) is VOLATILE in view public.rnd'),
    ('SELECT id FROM t WHERE EXISTS (SELECT FROM rnd)', 'function random'), ('SELECT mine(id) AS m FROM t', 'function public.mine\(\) is STABLE.*Declare public.mine\(\) IMMUTABLE'),
    ('SELECT id FROM t WHERE id =% 3', 'function public.odd\(\) is VOLATILE'), ('SELECT id FROM t WHERE id =% ANY (''{1,2}'')', 'function public.odd\(\) is VOLATILE'),
    ('SELECT id, now() AS n FROM t', 'the query depends on the current time: now\(\).*AUTO'), ('SELECT id, current_date AS n FROM t', 'the query depends on the time or the session'),
    ('SELECT id FROM kept_before', 'changes of public.kept_before cannot be captured'), ('SELECT id, age(d) AS a FROM dated', 'the query depends on the current time: age\(\)'), ('SELECT oid::int AS id FROM pg_class', 'changes of system catalog pg_catalog.pg_class cannot be captured'),
    ('SELECT id FROM ONLY "par ent"', 'it reads ONLY public."par ent", which has children \|.*Read all of it'), ('SELECT id FROM only_view', 'it reads ONLY public."par ent", which has children in view public.only_view'),
    ('SELECT id FROM t WHERE id IN (SELECT o.id FROM ONLY "par ent" o)', 'it reads ONLY public."par ent"'),
    ('WITH RECURSIVE r(id, "a (b" ) AS (SELECT id, 1 FROM t UNION SELECT r.id, r."a (b" + 1 FROM r WHERE r.id < 3) CYCLE id, "a (b" SET again USING path SELECT id FROM r', 'CYCLE has more than one column.*Collect the path')) AS x(q, pattern);
-- what looks like these and is none of them
SELECT pgtrickle.create_stream_table('fine', x.q, refresh_mode => 'DIFFERENTIAL'), pgtrickle.drop_stream_table('fine')
FROM (VALUES ('SELECT id FROM ONLY t'), ('SELECT id FROM "par ent"'), ('SELECT id, age(d, timestamp ''2024-01-01'') AS a FROM dated'), ('SELECT id, '' :cycle_col_list ("a" "b" :rtekind 0 :relid 1 :inh false'' AS x FROM t'),
    ('WITH RECURSIVE r(id, "a"" ""b") AS (SELECT id, 1 FROM t UNION SELECT r.id, r."a"" ""b" + 1 FROM r WHERE r.id < 3) CYCLE "a"" ""b" SET again USING path SELECT id FROM r')) AS x(q);
-- row security: of who would own it
CREATE TABLE guarded (id int PRIMARY KEY); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON guarded USING (id > 1); GRANT SELECT, TRIGGER ON guarded TO alice;
SET ROLE alice;
SELECT test.fails('SELECT pgtrickle.create_stream_table(''refused'', ''SELECT id FROM guarded'', refresh_mode => ''DIFFERENTIAL'')', '0A000', 'row-level security policies of public.guarded apply to you.*FULL runs the query');
RESET ROLE;
SELECT pgtrickle.create_stream_table('unguarded', 'SELECT id FROM guarded', refresh_mode => 'DIFFERENTIAL'), pgtrickle.drop_stream_table('unguarded');
SELECT test.eq('nothing is left', (SELECT count(*) FROM pgtrickle.pgt_stream_tables), 0::bigint);
SELECT pgtrickle.create_stream_table('good', 'SELECT id, lower(v) AS v, agg(id) OVER (PARTITION BY v) AS a, to_char(now_was, ''YYYY'') AS y FROM t, (VALUES (timestamptz ''2024-01-01'')) AS n(now_was)', refresh_mode => 'DIFFERENTIAL');
SELECT pgtrickle.create_stream_table('anyone', 'SELECT id FROM rnd');
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''anyone'', refresh_mode => ''DIFFERENTIAL'')', '0A000', 'public.anyone: .*random\(\) is VOLATILE in view public.rnd');
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''good'', query => ''SELECT id, v, 1 AS a, random()::text AS y FROM t'')', '0A000', 'public.good: .*random\(\) is VOLATILE');
SELECT test.fails('SELECT pgtrickle.create_or_replace_stream_table(''anyone'', ''SELECT id FROM rnd'', refresh_mode => ''DIFFERENTIAL'')', '0A000', 'public.anyone: .*random');
SELECT pgtrickle.alter_stream_table('anyone', query => 'SELECT id FROM t', refresh_mode => 'DIFFERENTIAL'), pgtrickle.alter_stream_table('good', refresh_mode => 'FULL'), pgtrickle.alter_stream_table('good', refresh_mode => 'DIFFERENTIAL');
SELECT test.ok('validate_query says so', EXISTS (SELECT FROM pgtrickle.validate_query('SELECT id FROM rnd') WHERE severity = 'warning' AND result ~ 'random\(\) is VOLATILE in view public.rnd'));
SELECT test.eq('no view is left', (SELECT count(*) FROM pg_class WHERE relname LIKE 'pgtrickle\_definition%'), 0::bigint);
-- 3. RAISE prints a line for an empty DETAIL or HINT and refuses NULL: what may be missing goes through _fail(). The rule:
SELECT test.eq('functions that raise what may be empty', (SELECT string_agg(p.proname, ', ' ORDER BY p.proname) FROM pg_proc p WHERE p.pronamespace = 'pgtrickle'::regnamespace
    AND p.prosrc ~ '(DETAIL|HINT) = (coalesce\([a-z_.]+, ''''\)|(detail|because)\M)'), NULL);
SELECT test.fails('SELECT pgtrickle._fail(''55000'', ''m'', NULL, NULL)', '55000', '^m \|  \| $'), test.fails('SELECT pgtrickle._fail(''55000'', ''m'', '''', ''h'')', '55000', '^m \|  \| h$'),
       test.fails('SELECT pgtrickle._fail(''55000'', ''m'', ''d %'', NULL)', '55000', '^m \| d % \| $'), test.fails('SELECT pgtrickle._fail(''55000'', ''%'', ''d'', ''h'')', '55000', '^% \| d \| h$');
-- 4. NULL where something must be
SELECT test.fails('SELECT pgtrickle.gate_source(NULL)', '22004', 'name of the table'), test.fails('SELECT pgtrickle.write_and_refresh(NULL, ''anyone'')', '22004', 'statement to run must not be NULL');
SELECT test.eq('validate nothing', (SELECT result FROM pgtrickle.validate_query(NULL)), 'the query is empty; Give a SELECT.');
-- 5. who reads it, what works on it
SELECT pgtrickle.create_stream_table('above', 'SELECT count(*) AS n FROM anyone');
CREATE VIEW shown AS SELECT * FROM anyone;
CREATE MATERIALIZED VIEW kept AS SELECT * FROM anyone;
SELECT test.ok('readers', (SELECT e ~ E'\nread by\n  public.above  stream table\n  public.kept  materialized view\n  public.shown  view\n' FROM pgtrickle.explain_stream_table('anyone') AS e));
SELECT test.ok('none', (SELECT e ~ E'\nread by\n  \\(nothing' AND e !~ E'\nnow  ' FROM pgtrickle.explain_stream_table('above') AS e));
SELECT test.connect('a'); SELECT test.run('a', 'BEGIN'), test.run('a', 'LOCK TABLE above IN ROW EXCLUSIVE MODE');
SELECT test.ok('at work', (SELECT e ~ E'\nnow           pid [0-9]+ \\(.*\\), for [0-9.]+ s: writes to it\n' FROM pgtrickle.explain_stream_table('above') AS e));
SELECT test.run('a', 'ROLLBACK');
-- 6. the remedy for a missing membership is the right way round; a violated index is not corruption
SELECT test.eq('membership', pgtrickle._remedy('42501', 'public.st', 'alice', 'permission denied to set role "alice"'),
    format('The daemon must be able to act as the owner: GRANT alice TO %I; then SELECT pgtrickle.resume_stream_table(''public.st'');', (SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'pgtrickle')));
SELECT test.ok('privilege', pgtrickle._remedy('42501', 'public.st', current_user::text, 'permission denied for table t') ~ '^Grant role .* what the message says');
SELECT test.ok('index', pgtrickle._remedy('23505', 'public.st', 'x', 'stream table public.st cannot be refreshed: rows of its query violate unique index public.i') ~ '^Correct the rows');
SELECT test.ok('corruption', pgtrickle._remedy('23505', 'public.st', 'x', 'duplicate key value') ~ 're-initialised');
