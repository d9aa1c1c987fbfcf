-- Many stream tables in one call: all or none, and an error says which
CREATE TABLE t (id int, v text); INSERT INTO t VALUES (1, 'a');
CREATE SCHEMA far; CREATE TABLE far.u (id int);
SET search_path = far, public;
SELECT test.eq('two', (SELECT string_agg(e.value ->> 'name', ' ') FROM jsonb_array_elements(pgtrickle.bulk_create($$[
    {"name": "a", "query": "SELECT id, v FROM t", "schedule": "5m", "tier": "warm", "fuse": null, "fuse_ceiling": 12},
    {"name": "public.\"on a\"", "query": "SELECT count(*) AS n FROM a", "refresh_mode": "FULL", "initialize": false}]$$)) AS e), 'far.a public."on a"');
RESET search_path;
SELECT test.eq('options', (SELECT concat_ws(' ', schedule, tier, fuse, fuse_ceiling, is_populated) FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'a'), '5m warm off 12 t');
SELECT test.ok('options of the other', (SELECT refresh_mode = 'FULL' AND NOT is_populated FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'on a'));
SELECT test.eq('none', pgtrickle.bulk_create('[]'), '[]'::jsonb);
-- all or none
SELECT test.fails($$SELECT pgtrickle.bulk_create('[{"name": "b", "query": "SELECT id FROM t"}, {"name": "c", "query": "SELECT nothing FROM t"}]')$$, '42703', 'definition 2: .*nothing');
SELECT test.ok('not even the first', to_regclass('b') IS NULL);
SELECT test.fails($$SELECT pgtrickle.bulk_create('[{"name": "b", "query": "SELECT id FROM t", "shedule": "1s"}]')$$, '22023', 'definition 1: there is no option "shedule" \|.*schedule');
SELECT test.fails($$SELECT pgtrickle.bulk_create('{"name": "b"}')$$, '22023', 'not an array');
SELECT test.fails($$SELECT pgtrickle.bulk_create('["b"]')$$, '22023', 'definition 1: not an object');
SELECT test.fails($$SELECT pgtrickle.bulk_create(NULL)$$, '22023', 'not an array');
-- a value is a value
SELECT test.fails($$SELECT pgtrickle.bulk_create('[{"name": "b", "query": "SELECT id FROM t", "schedule": "1s'' || pg_sleep(100) || ''"}]')$$, '22023', 'definition 1');
-- altered alike
SELECT test.eq('altered', pgtrickle.bulk_alter_stream_tables(ARRAY['far.a', '"on a"'], '{"schedule": "10m", "tier": "cold"}'), 2);
SELECT test.eq('both', (SELECT string_agg(schedule || ' ' || tier, ', ') FROM pgtrickle.pgt_stream_tables), '10m cold, 10m cold');
SELECT test.fails($$SELECT pgtrickle.bulk_alter_stream_tables(ARRAY['far.a', 't'], '{"schedule": "1h"}')$$, '42P01', 'stream table t: .*not a stream table');
SELECT test.ok('as it was', (SELECT bool_and(schedule = '10m') FROM pgtrickle.pgt_stream_tables));
SELECT test.fails($$SELECT pgtrickle.bulk_alter_stream_tables(ARRAY['far.a'], '{"colour": 1}')$$, '22023', 'params: there is no option "colour"');
-- dropped, readers first
SELECT test.fails($$SELECT pgtrickle.bulk_drop_stream_tables(ARRAY['far.a'])$$, '2BP01', 'other stream tables read it');
SELECT test.eq('dropped', pgtrickle.bulk_drop_stream_tables(ARRAY['far.a', '"on a"']), 2);
SELECT test.ok('gone', NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables));
SELECT test.eq('nothing to drop', pgtrickle.bulk_drop_stream_tables('{}') + pgtrickle.bulk_alter_stream_tables(NULL, '{}'), 0);
