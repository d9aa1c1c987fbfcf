CREATE TABLE t (id int, v text);
INSERT INTO t VALUES (1, 'a'), (2, 'b'), (2, 'b');
CREATE SCHEMA "Mixed Case";
CREATE SCHEMA other;
SELECT pgtrickle.create_stream_table('Plain', 'SELECT * FROM t');
SELECT test.ok('folded', to_regclass('public.plain') IS NOT NULL);
SELECT pgtrickle.create_stream_table('"Plain"', 'SELECT * FROM t');
SELECT test.ok('quoted', to_regclass('public."Plain"') IS NOT NULL);
SELECT pgtrickle.create_stream_table('"Mixed Case"."a.b""c%d''e"', 'SELECT id AS "a.b""c%d''e" FROM t');
SELECT test.eq('quoted schema', (SELECT count(*) FROM "Mixed Case"."a.b""c%d'e"), 3::bigint);
SELECT pgtrickle.create_stream_table('"täblé_名前_😀"', 'SELECT id AS "ид" FROM t');
SELECT test.eq('unicode', (SELECT count("ид") FROM "täblé_名前_😀"), 3::bigint);
SELECT pgtrickle.create_stream_table(repeat('x', 63), 'SELECT * FROM t');
SELECT test.eq('63 bytes', (SELECT count(*) FROM pgtrickle.stream_tables WHERE table_name = repeat('x', 63)), 1::bigint);
SELECT test.fails(format('SELECT pgtrickle.create_stream_table(%L, %L)', repeat('x', 64), 'SELECT * FROM t'), '42622', '64 bytes');
SELECT test.fails(format('SELECT pgtrickle.create_stream_table(%L, %L)', '"' || repeat('é', 32) || '"', 'SELECT * FROM t'), '42622', '64 bytes');
SELECT test.fails(format('SELECT pgtrickle.create_stream_table(%L, %L)', n, 'SELECT 1 AS x'), '42602', 'invalid name')
FROM unnest(ARRAY['', ' ', '1abc', 'a b', 'a.', '.a', '"', '"a', 'a;b', 'a--', '""', 'a.b c']) AS n;
SELECT test.fails('SELECT pgtrickle.create_stream_table(NULL, ''SELECT 1 AS x'')', '22004', 'NULL');
SELECT test.fails('SELECT pgtrickle.create_stream_table(''a.b.c'', ''SELECT 1 AS x'')', '42601', 'too many dotted');
SELECT test.fails('SELECT pgtrickle.create_stream_table(''nope.b'', ''SELECT 1 AS x'')', '3F000', 'nope');
SELECT test.fails(format('SELECT pgtrickle.create_stream_table(%L, %L)', s || '.b', 'SELECT 1 AS x'), '3F000', 'schema')
FROM unnest(ARRAY['pgtrickle', 'pgtrickle_state', 'pgtrickle_changes', 'pg_catalog', 'information_schema', 'pg_temp']) AS s;
-- database.schema.table is how PostgreSQL reads three parts
SELECT pgtrickle.create_stream_table(format('%I.other.three', current_database()), 'SELECT * FROM t');
SELECT test.ok('three parts', to_regclass('other.three') IS NOT NULL);
-- unqualified: the caller's search_path decides
SET search_path = nonexistent, other, public;
SELECT pgtrickle.create_stream_table('where_am_i', 'SELECT * FROM t');
SELECT test.ok('first schema of the path', to_regclass('other.where_am_i') IS NOT NULL AND to_regclass('public.where_am_i') IS NULL);
SELECT test.eq('path is left alone', current_setting('search_path'), 'nonexistent, other, public');
CREATE TABLE other.t (id int, v text);
INSERT INTO other.t VALUES (42, 'other');
SELECT pgtrickle.create_stream_table('reads_other', 'SELECT id FROM t');
SELECT test.eq('query follows the path', (SELECT id FROM other.reads_other), 42);
SELECT test.eq('canonical', (SELECT defining_query ~ 'FROM other.t$' FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'reads_other'), true);
SET search_path = nonexistent;
SELECT test.fails('SELECT pgtrickle.create_stream_table(''x'', ''SELECT 1 AS a'')', '3F000', 'search_path');
RESET search_path;
-- drop and others find by the same rules
SELECT test.fails('SELECT pgtrickle.drop_stream_table(''where_am_i'')', '42P01', 'where_am_i');
SET search_path = other;
SELECT pgtrickle.drop_stream_table('where_am_i');
RESET search_path;
SELECT test.ok('dropped', to_regclass('other.where_am_i') IS NULL);
SELECT test.fails('SELECT pgtrickle.drop_stream_table(''t'')', '42P01', 'is not a stream table');
-- taken names
SELECT test.fails('SELECT pgtrickle.create_stream_table(''plain'', ''SELECT 1 AS a'')', '42P07', 'stream table public.plain already exists.*drop_stream_table');
SELECT test.fails('SELECT pgtrickle.create_stream_table(''t'', ''SELECT 1 AS a'')', '42P07', 'not a stream table.*another name');
SELECT pgtrickle.create_stream_table_if_not_exists('plain', 'SELECT 1 AS a');
SELECT pgtrickle.create_stream_table_if_not_exists('fresh', 'SELECT 1 AS a');
SELECT test.eq('if not exists', (SELECT a FROM fresh), 1);
SELECT test.fails('SELECT pgtrickle.create_stream_table_if_not_exists(''t'', ''SELECT 1 AS a'')', '42P07', 'not a stream table');
-- a hostile search_path: nothing of ours may pick up the caller's objects
CREATE SCHEMA evil;
CREATE FUNCTION evil.current_setting(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
CREATE FUNCTION evil.format(text, VARIADIC text[]) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
CREATE FUNCTION evil.boom(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.boom);
SET search_path = evil, pg_catalog, public;
SELECT pgtrickle.create_stream_table('public.under_attack', 'SELECT id FROM public.t');
SELECT pgtrickle.alter_stream_table('public.under_attack', schedule => '5s');
SELECT pgtrickle.explain_stream_table('public.under_attack') IS NOT NULL;
SELECT pgtrickle.drop_stream_table('public.under_attack');
RESET search_path;
