CREATE TABLE t (id int PRIMARY KEY, v text, n numeric(8,2), j json, p point);
CREATE TABLE u (id int, t_id int);
INSERT INTO t SELECT i, 'v' || i, i, '{"a":1}', point(i, i) FROM generate_series(1, 5) i;
CREATE TEMP TABLE temporary_one (id int);
CREATE VIEW vw AS SELECT t.id, u.t_id FROM t JOIN u ON u.t_id = t.id;
CREATE FUNCTION try(q text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM pgtrickle.create_stream_table('public.refused', q); END $$;
SELECT test.fails(format('SELECT try(%L)', q), code, 'public.refused.*' || pattern) FROM (VALUES
    ('SELECT * FROM nope', '42P01', '"nope" does not exist'),
    ('SELEC 1', '42601', 'syntax error'),
    ('SELECT nope FROM t', '42703', 'nope'),
    ('SELECT 1; DROP TABLE t', '42P11', 'not one SELECT'),
    ('SELECT 1 AS a; SELECT 2 AS b', '42P11', 'not one SELECT'),
    ('SELECT 1 AS a; COMMIT', '42P11', 'not one SELECT'),
    ('DELETE FROM t', '42P11', 'not one SELECT'),
    ('DELETE FROM t RETURNING id', '42601', ''),
    ('INSERT INTO u VALUES (1, 1)', '42P11', 'not one SELECT'),
    ('CREATE TABLE x (a int)', '42P11', 'not one SELECT'),
    ('SHOW work_mem', '42601', 'one statement'),
    ('EXPLAIN SELECT 1', '42601', 'one statement'),
    ('SELECT id INTO x FROM t', '42P11', 'not one SELECT'),
    ('WITH d AS (DELETE FROM u RETURNING *) SELECT * FROM d', '0A000', 'must not change data'),
    ('SELECT * FROM t FOR UPDATE', '0A000', 'FOR UPDATE'),
    ('SELECT * FROM (SELECT id FROM t FOR SHARE) s', '0A000', 'FOR SHARE'),
    ('SELECT * FROM t TABLESAMPLE SYSTEM (10)', '0A000', 'TABLESAMPLE'),
    ('SELECT id FROM t LIMIT 3', '0A000', 'without ORDER BY'),
    ('SELECT id FROM t OFFSET 3', '0A000', 'without ORDER BY'),
    ('SELECT id FROM t UNION SELECT id FROM u LIMIT 1', '0A000', 'without ORDER BY'),
    ('SELECT id, id FROM t', '42701', 'name of its own'),
    ('SELECT 1, 2', '42701', 'name of its own'),
    ('SELECT id AS ctid FROM t', '42701', 'name of its own'),
    ('SELECT ctid::text AS c FROM t', '0A000', 'system column'),
    ('SELECT id FROM t WHERE xmin::text = ''1''', '0A000', 'system column'),
    ('SELECT FROM t', '42P16', ''),
    ('SELECT * FROM temporary_one', '42P16', 'temporary_one'),
    ('SELECT id FROM t WHERE EXISTS (SELECT FROM temporary_one)', '42P16', 'temporary_one'),
    ('SELECT * FROM pgtrickle.pgt_stream_tables', '0A000', 'own tables'),
    ('SELECT name FROM pgtrickle.stream_tables', '0A000', 'own tables'),
    ('SELECT id FROM t WHERE id = $1', '42P02', 'instead of the parameter'),
    ('SELECT row(1, 2) AS r', '42P16', 'record'),
    ('SELECT 1/0 AS x', '22012', 'division'),
    ('SELECT 1/(id-id) AS x FROM t', '22012', 'division'),
    (' ', '22023', 'empty'), ('-- nothing', '42P11', '')) AS x(q, code, pattern)
WHERE NOT (q = ' ');
SELECT test.fails('SELECT try('' '')', '22023', 'empty');
SELECT test.fails('SELECT try(NULL)', '22023', 'empty');
SELECT test.eq('nothing is left', (SELECT count(*) FROM pgtrickle.pgt_stream_tables), 0::bigint);
SELECT test.ok('no table, no view', to_regclass('public.refused') IS NULL AND NOT EXISTS (SELECT FROM pg_class WHERE relname LIKE 'pgtrickle_definition%'));
SELECT test.fails('SELECT pgtrickle.create_stream_table(''x'', ''SELECT random() AS a'', refresh_mode => ''IMMEDIATE'')', '0A000', 'IMMEDIATE is not possible');
SELECT test.fails('SELECT pgtrickle.create_stream_table(''x'', ''SELECT 1 AS a'', refresh_mode => ''fast'')', '22023', 'AUTO');
SELECT test.fails('SELECT pgtrickle.create_stream_table(''x'', ''SELECT 1 AS a'', schedule => ''soon'')', '22023', 'soon');

-- Taken: all of these
CREATE FUNCTION take(n text, q text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE d bigint;
BEGIN
    PERFORM pgtrickle.create_stream_table(n, q);
    EXECUTE format(E'SELECT count(*) FROM (SELECT x::text FROM (%s\n) x EXCEPT ALL SELECT y::text FROM %I y) z', regexp_replace(q, ';\s*(--.*)?$', ''), n) INTO d;
    PERFORM test.eq(q, d, 0::bigint);
    EXECUTE format(E'SELECT count(*) FROM (SELECT y::text FROM %I y EXCEPT ALL SELECT x::text FROM (%s\n) x) z', n, regexp_replace(q, ';\s*(--.*)?$', '')) INTO d;
    PERFORM test.eq(q, d, 0::bigint);
END $$;
SELECT take('q1', 'SELECT * FROM t'), take('q2', 'SELECT 1'), take('q3', 'VALUES (1, ''a''), (2, ''b'')'), take('q4', 'TABLE t;'),
       take('q5', 'SELECT count(*) FROM t'), take('q6', 'WITH a AS (SELECT id FROM t) SELECT * FROM a'), take('q7', E'SELECT id FROM t -- comment'),
       take('q8', 'SELECT id FROM t ORDER BY id LIMIT 2'), take('q9', 'SELECT id FROM t LIMIT ALL'), take('q10', 'SELECT j, p FROM t'),
       take('q11', 'SELECT id AS w, v AS xid, n AS seq FROM t'), take('q12', 'SELECT ''{ROWMARKCLAUSE {TABLESAMPLECLAUSE {VAR :varno 1 :varattno -1'' AS "{ROWMARKCLAUSE"'),
       take('q13', 'SELECT * FROM vw'), take('q14', 'SELECT v COLLATE "C" AS v, n, NULL AS u FROM t;'), take('q15', 'SELECT t AS whole FROM t');
SELECT test.eq('types', (SELECT string_agg(format_type(atttypid, atttypmod) || coalesce(' ' || (SELECT collname FROM pg_collation WHERE oid = attcollation), ''), ', ' ORDER BY attnum)
    FROM pg_attribute WHERE attrelid = 'q14'::regclass AND attnum > 0), 'text C, numeric(8,2), text default');
SELECT test.eq('sources of a view', (SELECT string_agg(source_name || ' ' || source_type || ' ' || column_names::text, '; ' ORDER BY source_name)
    FROM pgtrickle.pgt_dependencies JOIN pgtrickle.pgt_stream_tables USING (pgt_id) WHERE pgt_name = 'q13'),
    't TABLE {id}; u TABLE {t_id}; vw VIEW {id,t_id}');
SELECT pgtrickle.create_stream_table('st2', 'SELECT count(*) AS n FROM q1');
SELECT test.eq('a stream table as source', (SELECT source_type FROM pgtrickle.pgt_dependencies JOIN pgtrickle.pgt_stream_tables USING (pgt_id) WHERE pgt_name = 'st2'), 'STREAM_TABLE');
-- initialize => false
SELECT pgtrickle.create_stream_table('empty_one', 'SELECT * FROM t', initialize => false);
SELECT test.eq('empty', (SELECT count(*) FROM empty_one), 0::bigint);
SELECT test.eq('not populated', (SELECT is_populated FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'empty_one'), false);
SELECT test.eq('frontier row', (SELECT count(*) FROM pgtrickle.pgt_frontiers f JOIN pgtrickle.pgt_stream_tables USING (pgt_id) WHERE pgt_name = 'empty_one' AND f.snapshot IS NULL), 1::bigint);
SELECT test.eq('settings', (SELECT settings ->> 'TimeZone' FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'empty_one'), current_setting('TimeZone'));
-- the guard
SELECT test.fails(s, '55000', 'directly.*Change the tables') FROM unnest(ARRAY['INSERT INTO q2 VALUES (1)', 'UPDATE q1 SET id = 1', 'DELETE FROM q1', 'TRUNCATE q1', 'DELETE FROM q1 WHERE false']) AS s;
BEGIN;
SELECT set_config('pgtrickle.apply', (SELECT pgt_id::text FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'q1'), true);
DELETE FROM q1;
ROLLBACK;
-- validate_query
SELECT test.eq('validate', (SELECT string_agg(check_name || ':' || severity, ' ' ORDER BY check_name) FROM pgtrickle.validate_query('SELECT id FROM t')), 'columns:ok query:ok source:ok');
SELECT test.ok('validate error', EXISTS (SELECT FROM pgtrickle.validate_query('SELECT id FROM nope') WHERE severity = 'error' AND result ~ 'nope'));
SELECT test.ok('validate problem', EXISTS (SELECT FROM pgtrickle.validate_query('SELECT id FROM t FOR UPDATE') WHERE severity = 'error' AND check_name = 'locking'));
SELECT test.ok('validate leaves nothing', NOT EXISTS (SELECT FROM pg_class WHERE relname LIKE 'pgtrickle_definition%'));
-- in one transaction with its source, and in a savepoint
BEGIN;
CREATE TABLE new_source (a int);
INSERT INTO new_source VALUES (1);
SAVEPOINT s;
SELECT pgtrickle.create_stream_table('on_new', 'SELECT sum(a) AS s FROM new_source');
SELECT test.eq('filled at once', (SELECT s FROM on_new), 1::bigint);
SELECT test.fails('SELECT pgtrickle.wait_until_active(''on_new'')', '55000', 'before this transaction commits');
ROLLBACK TO s;
SELECT test.ok('rolled back', to_regclass('on_new') IS NULL);
COMMIT;
