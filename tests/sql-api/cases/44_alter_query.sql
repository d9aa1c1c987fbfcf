-- alter_stream_table(query => ...) and create_or_replace_stream_table(): in place where columns allow it
CREATE TABLE t (id int, v text, n numeric(8,2));
CREATE TABLE u (id int, w text COLLATE "C");
INSERT INTO t VALUES (1, 'a', 1.5), (2, 'b', 2.5);
CREATE FUNCTION st(n text) RETURNS pgtrickle.pgt_stream_tables LANGUAGE sql AS $$ SELECT s FROM pgtrickle.pgt_stream_tables s WHERE pgt_name = n $$;
CREATE FUNCTION columns(rel regclass) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod) || coalesce(' ' || (SELECT l.collname FROM pg_collation l WHERE l.oid = attcollation AND l.collname <> 'default'), ''), ', ' ORDER BY attnum)
    FROM pg_attribute WHERE attrelid = rel AND attnum > 0 AND NOT attisdropped $$;
CREATE FUNCTION sources(n text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(source_name || column_names::text, ' ' ORDER BY source_name) FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = (st(n)).pgt_id $$;
-- as if the daemon had built it
CREATE FUNCTION built(n text) RETURNS void LANGUAGE sql AS $$
    UPDATE pgtrickle.pgt_stream_tables SET status = 'ACTIVE', needs_reinit = false, reinit_reason = NULL, effective_refresh_mode = 'DIFFERENTIAL', definite_query = 'x' WHERE pgt_name = n $$;

SELECT pgtrickle.create_stream_table('a', 'SELECT id, v FROM t WHERE id > 0', schedule => '5m');
SELECT built('a');
SELECT pgt_relid AS relid, generation AS g FROM st('a') \gset
-- the same columns
SELECT pgtrickle.alter_stream_table('a', query => 'SELECT id, v FROM t WHERE id > 1;');
SELECT test.eq('columns', columns('a'), 'id integer, v text');
SELECT test.ok('noted', (st('a')).needs_reinit AND (st('a')).reinit_reason = 'the query was changed' AND (st('a')).status = 'ACTIVE' AND (st('a')).definite_query IS NULL
    AND (st('a')).generation = :g + 1 AND (st('a')).original_query = 'SELECT id, v FROM t WHERE id > 1;' AND (st('a')).defining_query ~ 'FROM public.t\s+WHERE \(?\(?t?\.?id > 1');
SELECT test.ok('the same table, with its rows and other properties', (st('a')).pgt_relid = :relid AND (SELECT count(*) FROM a) = 2 AND (st('a')).schedule = '5m');
-- as the second argument, with others
SELECT built('a');
SELECT pgtrickle.alter_stream_table('a', 'SELECT id, upper(v) AS v FROM t', '10m', tier => 'warm');
SELECT test.eq('several at once', concat_ws(' ', (st('a')).schedule, (st('a')).tier, (st('a')).needs_reinit, (st('a')).generation), '10m warm t ' || :g + 2);
-- other sources
SELECT pgtrickle.alter_stream_table('a', query => 'SELECT u.id, t.v FROM t JOIN u USING (id)');
SELECT test.eq('sources', sources('a'), 't{id,v} u{id}');
-- columns added, removed, both, all of them
SELECT built('a');
SELECT pgtrickle.alter_stream_table('a', query => 'SELECT t.id, t.v, t.n AS "N w/ ""q"" 名%", u.w FROM t JOIN u USING (id)');
SELECT test.eq('added', columns('a'), 'id integer, v text, "N w/ ""q"" 名%" numeric(8,2), w text C');
SELECT test.eq('reason', (st('a')).reinit_reason, 'the query and its columns were changed');
SELECT test.eq('new ones are NULL', (SELECT count(*) FROM a WHERE w IS NULL AND "N w/ ""q"" 名%" IS NULL AND v IS NOT NULL), 2::bigint);
SELECT pgtrickle.alter_stream_table('a', query => 'SELECT id, w FROM u');
SELECT test.eq('removed', columns('a') || ' | ' || sources('a'), 'id integer, w text C | u{id,w}');
SELECT pgtrickle.alter_stream_table('a', query => 'SELECT w, id AS ident, 1 AS one FROM u');
SELECT test.eq('both', columns('a'), 'w text C, ident integer, one integer');
SELECT pgtrickle.alter_stream_table('a', query => 'SELECT id, v FROM t');
SELECT test.eq('all', columns('a'), 'id integer, v text');
-- types may differ: the daemon aligns them
SELECT built('a');
SELECT pgtrickle.alter_stream_table('a', query => 'SELECT id::bigint AS id, v FROM t');
SELECT test.eq('type', columns('a') || ' ' || (st('a')).reinit_reason, 'id integer, v text the query and its columns were changed');
SELECT pgtrickle.alter_stream_table('a', query => 'SELECT id, v FROM t');
-- what does not fit
SELECT (st('a')).generation AS g \gset
SELECT test.fails(format('SELECT pgtrickle.alter_stream_table(''a'', query => %L)', q), '42P16', 'do not fit.*has id, v; the query has.*drop the stream table and create it')
FROM unnest(ARRAY['SELECT v, id FROM t', 'SELECT n, id, v FROM t', 'SELECT id, n, v FROM t', 'SELECT n, v FROM t']) AS q;
SELECT test.fails(format('SELECT pgtrickle.alter_stream_table(''a'', query => %L)', q), code, 'public.a.*' || pattern) FROM (VALUES
    ('', '22023', 'empty'), ('  ', '22023', 'empty'), ('SELECT nope FROM t', '42703', 'nope'), ('SELEC', '42601', 'syntax'), ('SELECT id, v FROM t FOR UPDATE', '0A000', 'FOR UPDATE'),
    ('SELECT 1 AS id; DROP TABLE t', '42P11', 'not one SELECT'), ('SELECT id, v FROM t LIMIT 1', '0A000', 'ORDER BY'), ('SELECT id, id FROM t', '42701', 'name of its own'),
    ('SELECT pgt_id AS id FROM pgtrickle.pgt_stream_tables', '0A000', 'own tables')) AS x(q, code, pattern);
SELECT test.ok('nothing happened', (st('a')).generation = :g AND columns('a') = 'id integer, v text' AND NOT EXISTS (SELECT FROM pg_class WHERE relname LIKE 'pgtrickle_definition%'));
-- the same query: nothing; under other settings: something
SELECT pgtrickle.alter_stream_table('a', query => E'select  id,\n v from public.t -- the same');
SELECT test.eq('nothing', (st('a')).generation, :g::bigint);
SET TimeZone = 'Asia/Tokyo';
SELECT pgtrickle.alter_stream_table('a', query => 'SELECT id, v FROM t');
RESET TimeZone;
SELECT test.ok('settings', (st('a')).settings ->> 'TimeZone' = 'Asia/Tokyo' AND (st('a')).generation = :g + 1);
-- search_path
CREATE SCHEMA other;
CREATE TABLE other.t (id int, v text);
SET search_path = other, public;
SELECT pgtrickle.alter_stream_table('a', query => 'SELECT id, v FROM t');
RESET search_path;
SELECT test.eq('query follows the path', (SELECT source_schema::text FROM pgtrickle.pgt_dependencies WHERE pgt_id = (st('a')).pgt_id), 'other');
SELECT pgtrickle.alter_stream_table('a', query => 'SELECT id, v FROM t');
-- an error of the old query is forgotten
UPDATE pgtrickle.pgt_stream_tables SET status = 'ERROR', last_error = 'division by zero', last_error_code = '22012', consecutive_errors = 1 WHERE pgt_name = 'a';
SELECT pgtrickle.alter_stream_table('a', query => 'SELECT id, v FROM t WHERE id <> 0');
SELECT test.ok('goes on', (st('a')).status = 'PENDING' AND (st('a')).last_error IS NULL AND (st('a')).consecutive_errors = 0);
UPDATE pgtrickle.pgt_stream_tables SET status = 'PAUSED' WHERE pgt_name = 'a';
SELECT pgtrickle.alter_stream_table('a', query => 'SELECT id, v FROM t');
SELECT test.eq('paused stays paused', (st('a')).status, 'PAUSED');
SELECT pgtrickle.alter_stream_table('a', query => 'SELECT id, v FROM t WHERE v IS NOT NULL', status => 'ACTIVE');
SELECT test.eq('unless', (st('a')).status, 'PENDING');
-- readers: compiled again if columns or types change, otherwise left alone; a column that they read cannot go
SELECT pgtrickle.alter_stream_table('a', query => 'SELECT id, v, n FROM t');
CREATE VIEW on_a AS SELECT id, v FROM a;
SELECT pgtrickle.create_stream_table('b', 'SELECT id FROM a'), pgtrickle.create_stream_table('c', 'SELECT v FROM on_a'), pgtrickle.create_stream_table('d', 'SELECT * FROM b');
SELECT built(n) FROM unnest(ARRAY['a', 'b', 'c', 'd']) n;
SELECT pgtrickle.alter_stream_table('a', query => 'SELECT id, v, n FROM t WHERE id > 0');
SELECT test.eq('readers of the same columns', (SELECT string_agg(pgt_name, ' ') FROM pgtrickle.pgt_stream_tables WHERE needs_reinit), 'a');
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''a'', query => ''SELECT n FROM t'')', '2BP01', 'stream table public.b reads column id\s+stream table public.c reads column id\s+stream table public.c reads column v.*Keep the columns');
SELECT test.ok('nothing happened', columns('a') = 'id integer, v text, n numeric(8,2)');
SELECT pgtrickle.alter_stream_table('a', query => 'SELECT id, v, 1 AS k FROM t');
SELECT test.eq('direct readers', (SELECT string_agg(pgt_name || ': ' || reinit_reason, '; ' ORDER BY pgt_name) FROM pgtrickle.pgt_stream_tables WHERE needs_reinit AND pgt_name <> 'a'),
    'b: the columns of public.a were changed; c: the columns of public.a were changed');
SELECT built(n) FROM unnest(ARRAY['a', 'b', 'c', 'd']) n;
CREATE VIEW on_k AS SELECT k FROM a;
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''a'', query => ''SELECT id, v FROM t'')', '2BP01', 'public.a.*view public.on_k depends.*Keep the column in the query');
DROP VIEW on_k;
SELECT pgtrickle.alter_stream_table('a', query => 'SELECT id, v, 1.0 AS k FROM t');
SELECT test.eq('types', (SELECT string_agg(pgt_name, ' ' ORDER BY pgt_name) FROM pgtrickle.pgt_stream_tables WHERE needs_reinit), 'a b c');
-- readers of others: marked too, though their owner is somebody else; nobody can mark them in another way
GRANT SELECT ON a TO bob;
SET ROLE bob;
SELECT pgtrickle.create_stream_table('st_bob', 'SELECT id FROM a');
RESET ROLE;
ALTER TABLE a OWNER TO alice; GRANT SELECT ON t TO alice; GRANT SELECT ON a TO bob;
SELECT built(n) FROM unnest(ARRAY['a', 'b', 'c', 'd', 'st_bob']) n;
SET ROLE alice;
SELECT pgtrickle.alter_stream_table('a', query => 'SELECT id, v FROM t');
SELECT test.fails('UPDATE pgtrickle.pgt_dependencies SET columns = ''{}''', '42501'), test.fails('SELECT pgtrickle._on_columns_changed()', '42501'),
       test.fails('INSERT INTO pgtrickle.pgt_dependencies (pgt_id, source_relid, source_type, source_schema, source_name) VALUES ((SELECT pgt_id FROM pgtrickle.pgt_stream_tables WHERE pgt_name = ''b''), 1, ''TABLE'', '''', '''')', '42501');
SELECT test.fails('DELETE FROM pgtrickle.pgt_dependencies', '42501');
RESET ROLE;
SELECT test.ok('bob''s is marked, and still reads it', (st('st_bob')).needs_reinit AND sources('st_bob') = 'a{id}' AND sources('a') = 't{id,v}');
SET ROLE bob;
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''a'', query => ''SELECT 1 AS id, NULL AS v'')', '42501', 'must be owner');
RESET ROLE;
SET ROLE alice;
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''a'', query => ''SELECT id, w AS v FROM u'')', '42501', 'public.a.*permission denied for table u');
RESET ROLE;
-- rolled back
BEGIN; SELECT pgtrickle.alter_stream_table('a', query => 'SELECT id, v, n FROM t'); ROLLBACK;
SELECT test.eq('rolled back', columns('a') || ' ' || sources('a'), 'id integer, v text t{id,v}');
-- two at once: the second waits, and changes what the first has left
SELECT test.connect('other');
BEGIN; SELECT pgtrickle.alter_stream_table('a', tier => 'cold');
SELECT public.dblink_send_query('other', 'SELECT pgtrickle.alter_stream_table(''a'', max_staleness => ''1 s'')::text');
COMMIT;
SELECT * FROM public.dblink_get_result('other') AS x(t text);
SELECT test.eq('both', (st('a')).tier || ' ' || (st('a')).max_staleness, 'cold 00:00:01');

-- create_or_replace
SELECT pgtrickle.create_or_replace_stream_table('r', 'SELECT id FROM t', '5m', tier => 'warm', max_staleness => '1 h');
SELECT test.ok('created', (SELECT count(*) FROM r) = 2 AND (st('r')).schedule = '5m' AND (st('r')).tier = 'warm');
SELECT pgt_id AS id, generation AS g FROM st('r') \gset
SELECT pgtrickle.create_or_replace_stream_table('r', E'SELECT id\nFROM t', '5m');
SELECT test.ok('nothing', (st('r')).pgt_id = :id AND (st('r')).generation = :g AND (st('r')).tier = 'warm');
SELECT pgtrickle.create_or_replace_stream_table('r', 'SELECT id FROM t', '5m', tier => 'cold');
SELECT test.ok('option', (st('r')).pgt_id = :id AND (st('r')).generation = :g + 1 AND (st('r')).tier = 'cold' AND (st('r')).max_staleness = '1 h' AND NOT (st('r')).needs_reinit);
SELECT pgtrickle.create_or_replace_stream_table('r', 'SELECT id, v FROM t');
SELECT test.ok('in place', (st('r')).pgt_id = :id AND (st('r')).needs_reinit AND (st('r')).schedule = 'calculated' AND columns('r') = 'id integer, v text');
SELECT pgtrickle.create_or_replace_stream_table('r', 'SELECT v, id FROM t', '1s', 'FULL', initialize => false);
SELECT test.ok('recreated', (st('r')).pgt_id > :id AND (st('r')).tier = 'cold' AND (st('r')).max_staleness = '1 h' AND (st('r')).schedule = '1s' AND (st('r')).refresh_mode = 'FULL'
    AND columns('r') = 'v text, id integer' AND (SELECT count(*) FROM r) = 0);
SELECT pgtrickle.create_stream_table('on_r', 'SELECT id FROM r');
SELECT test.fails('SELECT pgtrickle.create_or_replace_stream_table(''r'', ''SELECT id, v FROM t'')', '2BP01', 'cannot replace stream table public.r.*stream table public.on_r.*Keep the columns');
SELECT pgtrickle.create_or_replace_stream_table('r', 'SELECT v, id, n FROM t');
SELECT test.eq('in place under a reader', columns('r'), 'v text, id integer, n numeric(8,2)');
SELECT pgtrickle.drop_stream_table('on_r');
CREATE VIEW on_r AS SELECT id FROM r;
SELECT test.fails('SELECT pgtrickle.create_or_replace_stream_table(''r'', ''SELECT n FROM t WHERE false UNION ALL SELECT id FROM u'')', '2BP01', 'on_r');
SELECT test.fails('SELECT pgtrickle.create_or_replace_stream_table(''r'', ''SELECT n, v FROM t'')', '2BP01', 'view public.on_r');
SELECT test.fails('SELECT pgtrickle.create_or_replace_stream_table(''t'', ''SELECT 1 AS id'')', '42P07', 'not a stream table'),
       test.fails('SELECT pgtrickle.create_or_replace_stream_table(''r'', ''SELECT nope FROM t'')', '42703', 'public.r'),
       test.fails('SELECT pgtrickle.create_or_replace_stream_table(''nope.r'', ''SELECT 1 AS id'')', '3F000'), test.fails('SELECT pgtrickle.create_or_replace_stream_table(''r'', NULL)', '22023', 'empty');
SELECT pgtrickle.create_or_replace_stream_table('"R ""名"""', 'SELECT 1 AS a'), pgtrickle.create_or_replace_stream_table('"R ""名"""', 'SELECT 1 AS a, 2 AS b'), pgtrickle.create_or_replace_stream_table('"R ""名"""', 'SELECT 2 AS b, 1 AS a');
SELECT test.eq('hostile name', columns('"R ""名"""'), 'b integer, a integer');
-- unqualified names mean the first schema of the path here, as for create
SET search_path = other, public;
SELECT pgtrickle.create_or_replace_stream_table('r', 'SELECT 1 AS x');
RESET search_path;
SELECT test.ok('another one', to_regclass('other.r') IS NOT NULL AND columns('public.r') = 'v text, id integer, n numeric(8,2)');
-- recreated it stays paused, gated and in its refresh group
SELECT pgtrickle.create_stream_table('kept', 'SELECT id FROM t'), pgtrickle.create_refresh_group('kept together', ARRAY['kept', 'public.r']), pgtrickle.gate_source('kept'), pgtrickle.pause_stream_table('kept');
SELECT (st('kept')).pgt_id AS id \gset
SELECT pgtrickle.create_or_replace_stream_table('kept', 'SELECT v, id FROM t');
SELECT test.ok('recreated', (st('kept')).pgt_id > :id), test.eq('still paused', (st('kept')).status, 'PAUSED');
SELECT test.eq('still in its group', (SELECT members::text FROM pgtrickle.refresh_groups() WHERE group_name = 'kept together'), '{public.kept,public.r}');
SELECT test.eq('still gated', (SELECT string_agg(source_table, ' ') FROM pgtrickle.source_gates() WHERE gated), 'kept');
SELECT pgtrickle.resume_stream_table('kept'); SELECT test.eq('resumed, it is built', (st('kept')).status, 'PENDING');
