-- How old it is, refreshing if it is too old, writing and refreshing; cycles as the catalog knows them
CREATE TABLE t (id int);
SELECT pgtrickle.create_stream_table('a', 'SELECT id FROM t'), pgtrickle.create_stream_table('b', 'SELECT count(*) AS n FROM a');
SELECT test.eq('not initialised', pgtrickle.get_staleness('a'), NULL::double precision);
SELECT test.build('a') AS a, test.build('b') AS b \gset
SELECT test.eq('nothing pending', pgtrickle.get_staleness('a'), 0::double precision), test.eq('no', pgtrickle.refresh_if_stale('a', '0 s'), false);
INSERT INTO t VALUES (1);
UPDATE pgtrickle.pgt_frontiers SET data_timestamp = now() - interval '2 min';
SELECT test.ok('two minutes', pgtrickle.get_staleness('a') BETWEEN 120 AND 180);
SELECT test.eq('within 5 min', pgtrickle.refresh_if_stale('a'), false), test.eq('within an hour', pgtrickle.refresh_if_stale(p_name => 'a', p_max_age => '1 h'), false);
SELECT test.eq('not', (SELECT count(*) FROM a), 0::bigint);
SELECT test.eq('older', pgtrickle.refresh_if_stale('a', '1 min'), true); SELECT test.eq('refreshed', (SELECT count(*) FROM a), 1::bigint);
INSERT INTO t VALUES (2); SELECT test.eq('NULL: at all', pgtrickle.refresh_if_stale('a', NULL), true);
-- write and refresh: through the stream tables in between, in the caller's transaction, with his path and rights
CREATE SCHEMA s; CREATE TABLE s.mine (id int); SET search_path = s, public;
SELECT pgtrickle.write_and_refresh('INSERT INTO t VALUES (3)', 'b'); SELECT test.eq('written and read', (SELECT n FROM b), 3::bigint);
SELECT pgtrickle.write_and_refresh('INSERT INTO mine VALUES (1)', 'b'); SELECT test.eq('path', (SELECT count(*) FROM s.mine), 1::bigint);
RESET search_path;
BEGIN; SELECT pgtrickle.write_and_refresh('INSERT INTO t VALUES (4)', 'b'); SELECT test.eq('own changes', (SELECT n FROM b), 4::bigint); ROLLBACK;
SELECT test.eq('undone with them', (SELECT n FROM b), 3::bigint);
SELECT test.fails('SELECT pgtrickle.write_and_refresh(''INSERT INTO nope VALUES (1)'', ''b'')', '42P01', 'nope'), test.fails('SELECT pgtrickle.write_and_refresh(''INSERT INTO t VALUES (5)'', ''t'')', '42P01', 'not a stream table'),
       test.fails('SELECT pgtrickle.write_and_refresh(NULL, ''b'')', '22004'), test.fails('SELECT pgtrickle.refresh_if_stale(''t'')', '42P01'), test.fails('SELECT pgtrickle.get_staleness(''t'')', '42P01');
CREATE FUNCTION as_bob(statement text, code text, pattern text DEFAULT '') RETURNS void LANGUAGE plpgsql SET role = bob AS $$ BEGIN PERFORM test.fails(statement, code, pattern); END $$;
SELECT as_bob('SELECT pgtrickle.write_and_refresh(''INSERT INTO public.t VALUES (1)'', ''public.b'')', '42501', 'permission denied for table t'), as_bob('SELECT pgtrickle.write_and_refresh(''SELECT 1'', ''public.b'')', '42501', 'must be owner'),
       as_bob('SELECT pgtrickle.refresh_if_stale(''public.a'', ''0 s'')', '42501', 'must be owner');
SET ROLE bob; SELECT test.eq('may look', pgtrickle.get_staleness('a'), 0::double precision); RESET ROLE;
SELECT test.eq('nothing was written', (SELECT count(*) FROM t), 3::bigint);
-- cycles
BEGIN;
INSERT INTO pgtrickle.pgt_sccs (scc_id, members, generations, frontiers, last_iterations, last_converged_at) VALUES (:a, ARRAY[:a, :b], '{1,1}', '{1,1}', 3, '2024-01-01');
SELECT test.eq('of a cycle that is no more', (SELECT count(*) FROM pgtrickle.pgt_scc_status()), 0::bigint);
INSERT INTO pgtrickle.pgt_dependencies (pgt_id, source_relid, source_type, source_schema, source_name) VALUES (:a, 'b'::regclass, 'STREAM_TABLE', 'public', 'b'), (:b, 'a'::regclass, 'STREAM_TABLE', 'public', 'a') ON CONFLICT DO NOTHING;
SELECT test.eq('scc', (SELECT concat_ws(' ', scc_id = :a, member_count, members, last_iterations, last_converged_at IS NOT NULL, last_error) FROM pgtrickle.pgt_scc_status()), 't 2 {public.a,public.b} 3 t');
ROLLBACK;
-- diamonds: t -> l, r -> top; t -> direct, l -> mixed; a chain is none
CREATE TABLE x (id int);
SELECT pgtrickle.create_stream_table('l', 'SELECT id FROM x'), pgtrickle.create_stream_table('r', 'SELECT id + 1 AS id FROM x'), pgtrickle.create_stream_table('r2', 'SELECT id FROM r'),
       pgtrickle.create_stream_table('top', 'SELECT l.id FROM l JOIN r2 USING (id) JOIN a USING (id)'), pgtrickle.create_stream_table('mixed', 'SELECT l.id FROM l JOIN x USING (id)'), pgtrickle.create_stream_table('above', 'SELECT id FROM top');
UPDATE pgtrickle.pgt_stream_tables SET diamond_schedule_policy = 'slowest' WHERE pgt_name = 'mixed';
SELECT test.eq('diamonds', (SELECT string_agg(concat_ws(' ', group_id, member_schema, member_name, is_convergence, epoch, schedule_policy), ', ') FROM pgtrickle.diamond_groups()),
    '1 public l f 0 fastest, 1 public r f 0 fastest, 1 public r2 f 0 fastest, 1 public top t 0 fastest, 2 public l f 0 slowest, 2 public mixed t 0 slowest');
INSERT INTO pgtrickle.pgt_dependencies (pgt_id, source_relid, source_type, source_schema, source_name) SELECT pgt_id, 'above'::regclass, 'STREAM_TABLE', 'public', 'above' FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'l';
SELECT test.ok('a cycle ends it too', (SELECT count(*) >= 6 FROM pgtrickle.diamond_groups()));
