-- The generation of a stream table at its maximum stops nobody: the first follows the last
CREATE TABLE t (id int); SELECT pgtrickle.create_stream_table('a', 'SELECT id FROM t');
SELECT test.build('a') AS a \gset
SELECT test.eq('next', pgtrickle._next_generation(1), 2::bigint), test.eq('after the last', pgtrickle._next_generation(9223372036854775807), 1::bigint);
-- nobody counts otherwise
SELECT test.eq('everywhere', (SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc WHERE pronamespace = 'pgtrickle'::regnamespace AND prosrc ~ 'generation \+'), '_next_generation');
CREATE FUNCTION last() RETURNS void LANGUAGE sql AS $$ UPDATE pgtrickle.pgt_stream_tables SET generation = 9223372036854775807 $$;
CREATE FUNCTION generation() RETURNS bigint LANGUAGE sql AS $$ SELECT generation FROM pgtrickle.pgt_stream_tables $$;
SELECT last(); SELECT pgtrickle.alter_stream_table('a', schedule => '5s'); SELECT test.eq('alter', generation(), 1::bigint);
SELECT last(); SELECT pgtrickle.alter_stream_table('a', query => 'SELECT id FROM t WHERE id > 1'); SELECT test.ok('query', generation() BETWEEN 1 AND 5);
SELECT last(); SELECT pgtrickle.pause_stream_table('a'); SELECT test.eq('pause', generation(), 1::bigint);
SELECT last(); SELECT pgtrickle.resume_stream_table('a'); SELECT test.eq('resume', generation(), 1::bigint);
SELECT last(); UPDATE pgtrickle.pgt_stream_tables SET fuse_blown_at = now(); SELECT pgtrickle.reset_fuse('a', 'reinitialize'); SELECT test.eq('fuse', generation(), 1::bigint);
SELECT last(); SELECT pgtrickle.repair_stream_table('a'); SELECT test.eq('repair', generation(), 1::bigint);
SELECT pgtrickle.pause_stream_table('a');
SELECT last(); SELECT pgtrickle.repair_stream_table('a'); SELECT test.eq('repair of a paused one', generation(), 1::bigint);
SELECT last(); SELECT pgtrickle._mark_reinit(ARRAY[:a], 'test'); SELECT test.eq('mark', generation(), 1::bigint);
SELECT last(); UPDATE pgtrickle.pgt_installation SET database_oid = 1; SELECT pgtrickle._adopt_cluster(); SELECT test.eq('restore', generation(), 1::bigint);
