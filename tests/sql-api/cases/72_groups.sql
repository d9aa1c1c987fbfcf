-- Refresh groups: membership, and refreshing all of them by hand
CREATE TABLE t (id int); CREATE TABLE u (id int);
SELECT pgtrickle.create_stream_table('b_first', 'SELECT id FROM t'), pgtrickle.create_stream_table('x', 'SELECT id FROM b_first'), pgtrickle.create_stream_table('a_second', 'SELECT count(*) AS n FROM x'),
       pgtrickle.create_stream_table('other', 'SELECT id FROM u'), pgtrickle.create_stream_table('full_one', 'SELECT id FROM u');
SELECT test.build('b_first') AS b, test.build('x') AS x, test.build('a_second') AS a, test.build('other') AS o, test.build('full_one', false) AS f \gset
SELECT test.connect('d'), test.connect('w'), test.connect('v');
SELECT pgtrickle.create_refresh_group('g', ARRAY['a_second', 'public.b_first', 'other', 'full_one']) AS g \gset
SELECT test.eq('groups', (SELECT concat_ws(' ', group_id = :g, group_name, member_count, isolation, members) FROM pgtrickle.refresh_groups()), 't g 4 repeatable_read {public.a_second,public.b_first,public.full_one,public.other}');
-- upstream first, through a stream table that is not a member but, lying between two, belongs to the group
SELECT test.eq('order', pgtrickle._upstream_first(ARRAY[:a, :o, :b]::bigint[])::text, format('{%s,%s,%s}', :b, :o, :a));
SELECT test.eq('all upstream', pgtrickle._upstream(ARRAY[:a]::bigint[])::text, format('{%s,%s,%s}', :b, :x, :a));
INSERT INTO t VALUES (1); INSERT INTO u VALUES (1);
SELECT pgtrickle.refresh_stream_table('a_second');
SELECT test.eq('all members', (SELECT string_agg(s.pgt_name || ' ' || h.action, ', ' ORDER BY h.refresh_id) FROM pgtrickle.pgt_refresh_history h JOIN pgtrickle.pgt_stream_tables s USING (pgt_id)),
               'b_first DIFFERENTIAL, other DIFFERENTIAL, full_one FULL, x DIFFERENTIAL, a_second DIFFERENTIAL');
SELECT test.eq('members agree', (SELECT n FROM a_second), (SELECT count(*) FROM b_first));
SELECT test.eq('one transaction', (SELECT count(DISTINCT f.xid) FROM pgtrickle.pgt_frontiers f), 1::bigint);
INSERT INTO t VALUES (10); CALL pgtrickle.refresh('x');
SELECT test.eq('x is refreshed with the group', (SELECT string_agg(action, ' ' ORDER BY refresh_id) FROM pgtrickle.pgt_refresh_history WHERE refresh_id > 5), 'DIFFERENTIAL FULL DIFFERENTIAL DIFFERENTIAL');
SELECT test.eq('a_second follows', (SELECT n FROM a_second), 2::bigint);
DELETE FROM t WHERE id = 10;
-- In READ COMMITTED the sources of all members are locked before the first is refreshed: u too, which only later ones read.
INSERT INTO t VALUES (2);
SELECT test.run('w', 'BEGIN'), test.run('w', 'INSERT INTO u VALUES (2)');
SELECT public.dblink_send_query('v', 'SELECT pgtrickle.refresh_stream_table(''b_first'')::text');
SELECT test.until_blocked();
SELECT test.eq('waits for the writer', public.dblink_is_busy('v'), 1);
SELECT test.eq('has locked t, has refreshed nothing', (SELECT string_agg(mode, ' ') FROM pg_locks WHERE granted AND relation IN ('t'::regclass, 'b_first'::regclass)), 'ShareLock');
SELECT test.run('w', 'INSERT INTO u VALUES (3)'), test.run('w', 'COMMIT');
SELECT * FROM public.dblink_get_result('v') AS r(t text);
SELECT * FROM public.dblink_get_result('v') AS r(t text);
SELECT test.eq('one state of t and u', (SELECT count(*) FROM b_first) || ' ' || (SELECT count(*) FROM other) || ' ' || (SELECT count(*) FROM full_one), '2 3 3');
BEGIN; SELECT pgtrickle.refresh_stream_table('b_first');
SELECT test.eq('locked to the end', (SELECT string_agg(relation::regclass::text, ' ' ORDER BY relation::regclass::text) FROM pg_locks WHERE pid = pg_backend_pid() AND mode = 'ShareLock' AND locktype = 'relation'), 'b_first t u x');
COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pgtrickle.refresh_stream_table('b_first');
SELECT test.eq('no locks', (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND mode = 'ShareLock' AND locktype = 'relation'), 0::bigint);
COMMIT;
-- one waits, all wait
CREATE FUNCTION states() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(f.xid::text, ' ' ORDER BY pgt_id) FROM pgtrickle.pgt_frontiers f $$;
SELECT states() AS before \gset
INSERT INTO t VALUES (3); INSERT INTO u VALUES (4);
SELECT pgtrickle.gate_source('u');
SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''b_first'')', '55000', 'public.other has to wait: source public.u is gated.*refreshed together with public.b_first, in refresh group "g"');
SELECT pgtrickle.ungate_source('u');
UPDATE pgtrickle.pgt_stream_tables SET fuse = 'on', fuse_ceiling = 0 WHERE pgt_id = :o;
SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''b_first'')', '55000', 'fuse of stream table public.other is blown.*1 changes are pending, the limit is 0.*refresh group "g".*reset_fuse\(''public.other''');
SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''other'')', '55000', 'the limit is 0\.\s+\|');
UPDATE pgtrickle.pgt_stream_tables SET fuse = 'off' WHERE pgt_id = :o;
UPDATE pgtrickle.pgt_stream_tables SET needs_reinit = true, reinit_reason = 'so' WHERE pgt_id = :a;
SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''other'')', '55000', 'public.a_second must be rebuilt.*so It is refreshed together with public.other');
UPDATE pgtrickle.pgt_stream_tables SET needs_reinit = false, status = 'PENDING' WHERE pgt_id = :a;
SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''other'')', '55000', 'public.a_second is not ready.*together with public.other');
SELECT test.eq('nothing moved', states(), :'before');
UPDATE pgtrickle.pgt_stream_tables SET status = 'ACTIVE' WHERE pgt_id = :a;
SELECT pgtrickle.refresh_stream_table('other');
SELECT test.ok('moved', states() <> :'before');
-- all or nothing for the daemon
SELECT test.eq('together', pgtrickle._together('DIFFERENTIAL', 7, 12), 'DIFFERENTIAL'), test.eq('together', pgtrickle._together('NO_DATA', 7, 0), 'NO_DATA'), test.eq('together', pgtrickle._together('SKIPPED', 7, NULL), 'SKIPPED');
SELECT test.fails(format('SELECT pgtrickle._together(%L, 7, 12)', a), 'TR002', '^' || a || ' \| 7 12 \|') FROM unnest(ARRAY['HELD', 'BLOWN', 'REINIT']) a;
-- cycles end the order too
INSERT INTO pgtrickle.pgt_dependencies (pgt_id, source_relid, source_type, source_schema, source_name) VALUES (:x, 'a_second'::regclass, 'STREAM_TABLE', 'public', 'a_second');
SELECT test.eq('cycle', pgtrickle._upstream_first(ARRAY[:a, :x, :b]::bigint[])::text, format('{%s,%s,%s}', :b, :x, :a));
DELETE FROM pgtrickle.pgt_dependencies WHERE pgt_id = :x AND source_relid = 'a_second'::regclass;
-- errors
SELECT test.fails(format('SELECT pgtrickle.create_refresh_group(%s)', args), code, pattern) FROM (VALUES
    ('''h'', ARRAY[''x'', ''other'']', '23505', 'public.other is a member of refresh group "g" already.*drop_refresh_group\(''g''\)'), ('''h'', ARRAY[''x'']', '22023', 'at least two'),
    ('''h'', ARRAY[''x'', ''public.x'']', '22023', 'two different'), ('''h'', ''{}''', '22023', ''), ('''h'', NULL', '22023', ''), ('''h'', ARRAY[''x'', ''t'']', '42P01', 'not a stream table'),
    ('''h'', ARRAY[''x'', ''nope'']', '42P01', ''), ('''h'', ARRAY[''x'', ''other''], ''serializable''', '22023', 'serializable'), ('''h'', ARRAY[''x'', ''other''], NULL', '22023', ''), (''''', ARRAY[''x'', ''other'']', '22023', 'name')) AS v(args, code, pattern);
SELECT pgtrickle.create_stream_table('y', 'SELECT 1 AS a');
SELECT test.fails('SELECT pgtrickle.create_refresh_group(''g'', ARRAY[''x'', ''y''])', '42710', 'already exists');
SELECT pgtrickle.create_refresh_group('rc "%s"', ARRAY['x', 'y'], 'read_committed');
SELECT test.eq('accepted', (SELECT isolation FROM pgtrickle.refresh_groups() WHERE group_name = 'rc "%s"'), 'read_committed');
SELECT pgtrickle.drop_refresh_group('rc "%s"');
SELECT test.fails('SELECT pgtrickle.drop_refresh_group(''nope'')', '42704', 'refresh_groups');
-- rights
CREATE FUNCTION as_bob(statement text, code text, pattern text DEFAULT '') RETURNS void LANGUAGE plpgsql SET role = bob AS $$ BEGIN PERFORM test.fails(statement, code, pattern); END $$;
SELECT as_bob('SELECT pgtrickle.create_refresh_group(''h'', ARRAY[''public.x'', ''public.y''])', '42501', 'must be owner of stream table public.x'), as_bob('SELECT pgtrickle.drop_refresh_group(''g'')', '42501', 'creator of refresh group "g"'),
       as_bob(format('INSERT INTO pgtrickle.pgt_refresh_group_members VALUES (%s, %s)', :g, :x), '42501'), as_bob('DELETE FROM pgtrickle.pgt_refresh_group_members', '42501'), as_bob('SELECT pgtrickle._lock_sources(1)', '42501', 'may not lock');
SET ROLE bob; CREATE TABLE hers (id int); SELECT pgtrickle.create_stream_table('bobs', 'SELECT id FROM hers'); RESET ROLE;
SELECT test.build('bobs') AS bobs \gset
SELECT pgtrickle.create_refresh_group('mixed', ARRAY['bobs', 'x']);
SELECT as_bob('SELECT pgtrickle.refresh_stream_table(''bobs'')', '42501', 'must be owner of stream table public.b_first.*together with public.bobs');
SELECT pgtrickle.refresh_stream_table('bobs');
-- members and groups come and go
SELECT pgtrickle.drop_stream_table('bobs');
SELECT test.eq('one left', (SELECT members::text FROM pgtrickle.refresh_groups() WHERE group_name = 'mixed'), '{public.x}');
SELECT pgtrickle.refresh_stream_table('x'), pgtrickle.drop_refresh_group('mixed'), pgtrickle.drop_refresh_group('g');
SELECT test.eq('no members', (SELECT count(*) FROM pgtrickle.pgt_refresh_group_members), 0::bigint);
-- two at once want the same member
SELECT test.run('w', 'BEGIN'), test.ask('w', 'SELECT pgtrickle.create_refresh_group(''one'', ARRAY[''x'', ''other''])::text');
SELECT public.dblink_send_query('v', 'SELECT pgtrickle.create_refresh_group(''two'', ARRAY[''other'', ''b_first''])::text');
SELECT test.until_blocked(); SELECT test.run('w', 'COMMIT');
SELECT test.fails('SELECT * FROM public.dblink_get_result(''v'') AS r(t text)', '23505', 'just become a member');
