-- Watermarks: monotone, part of the load, and who waits until a group is aligned
CREATE TABLE orders (id int); CREATE TABLE items (id int); CREATE TABLE other (id int);
SELECT pgtrickle.create_stream_table('a', 'SELECT o.id FROM orders o JOIN items i USING (id)'), pgtrickle.create_stream_table('b', 'SELECT count(*) AS n FROM a'),
       pgtrickle.create_stream_table('c', 'SELECT id FROM other'), pgtrickle.create_stream_table('d', 'SELECT id FROM items');
SELECT test.build('a') AS a, test.build('b') AS b, test.build('c') AS c, test.build('d') AS d \gset
SELECT test.connect('d'), test.connect('w');
CREATE FUNCTION held() RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(pgt_name, ' ' ORDER BY pgt_name), '') FROM pgtrickle.pgt_stream_tables WHERE pgtrickle._hold_reason(pgt_id) IS NOT NULL $$;
CREATE FUNCTION status() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', group_name, min_watermark, max_watermark, lag_secs, aligned, sources_with_watermark || '/' || sources_total), '; ' ORDER BY group_name) FROM pgtrickle.watermark_status() $$;
SET TimeZone = 'UTC';
SELECT pgtrickle.advance_watermark('other', '2024-01-01');
SELECT test.eq('a watermark alone holds nobody', held(), '');
SELECT pgtrickle.create_watermark_group('g', ARRAY['orders', 'public.items'], 60) AS g \gset
SELECT test.eq('groups', (SELECT concat_ws(' ', group_name, source_count, tolerance_secs, sources, created_by = current_user) FROM pgtrickle.watermark_groups()), 'g 2 60 {public.items,public.orders} t');
SELECT test.eq('none yet', status(), 'g f 0/2');
SELECT test.eq('held', held(), 'a b d');
SELECT test.ok('why', pgtrickle._hold_reason(:a) ~ '^public.orders, public.items of watermark group "g" have no watermark yet$');
SELECT pgtrickle.advance_watermark('orders', '2024-01-01 10:00');
SELECT test.ok('why', pgtrickle._hold_reason(:a) ~ '^public.items of watermark group "g" has no watermark yet$');
SELECT test.eq('one', status(), 'g 2024-01-01 10:00:00+00 2024-01-01 10:00:00+00 0 f 1/2');
-- with the load, in one transaction
SELECT test.run('w', 'BEGIN'), test.run('w', 'INSERT INTO items VALUES (1)'), test.ask('w', 'SELECT pgtrickle.advance_watermark(''items'', ''2024-01-01 09:59+00'')::text');
INSERT INTO orders VALUES (1);
SELECT test.eq('not committed', test.refresh('a'), 'HELD');
SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''b'')', '55000', 'public.b has to wait: public.items of watermark group "g".*advance_watermark');
SELECT test.run('w', 'COMMIT');
SELECT test.eq('aligned within the tolerance', status(), 'g 2024-01-01 09:59:00+00 2024-01-01 10:00:00+00 60 t 2/2');
SELECT test.eq('goes on', test.refresh('a') || ' ' || test.refresh('b') || ' ' || test.refresh('d'), 'DIFFERENTIAL DIFFERENTIAL DIFFERENTIAL');
SELECT test.eq('joined', (SELECT n FROM b), 1::bigint);
SELECT pgtrickle.advance_watermark('orders', '2024-01-01 10:00:00.000001');
SELECT test.eq('one microsecond too far', held(), 'a b d');
SELECT test.ok('numbers', pgtrickle._hold_reason(:b) ~ '^the watermarks of group "g" are 60.000001 s apart, its tolerance is 60 s: public.items is at 2024-01-01 09:59:00\+00, public.orders at 2024-01-01 10:00:00.000001\+00$');
SELECT test.ok('status says so too', (SELECT reason = pgtrickle._hold_reason(:b) AND affected_stream_tables = 'public.a, public.b, public.d' AND last_advanced_at > now() - interval '1 min' FROM pgtrickle.watermark_status()));
-- monotone
SELECT pgtrickle.advance_watermark('orders', '2024-01-01 10:00:00.000001');
SELECT updated_at AS at FROM pgtrickle.watermarks() WHERE source_table = 'orders' \gset
SELECT test.fails('SELECT pgtrickle.advance_watermark(''orders'', ''2024-01-01 09:00'')', '22023', 'public.orders cannot go back.*It is at 2024-01-01 10:00:00.000001\+00, 2024-01-01 09:00:00\+00 is earlier');
SELECT test.fails('SELECT pgtrickle.advance_watermark(''orders'', NULL)', '22023', 'not NULL'), test.fails('SELECT pgtrickle.advance_watermark(''orders'', ''infinity'')', '22023', 'not infinity');
SELECT test.eq('watermarks', (SELECT concat_ws(' ', source_table, schema_name, watermark, updated_at = :'at', advanced_by = current_user, wal_lsn) FROM pgtrickle.watermarks() WHERE source_table = 'orders'),
               'orders public 2024-01-01 10:00:00.000001+00 t t');
-- two loads at once: the later moment stays, no matter who comes first
SELECT test.run('w', 'BEGIN'), test.ask('w', 'SELECT pgtrickle.advance_watermark(''items'', ''2024-01-03'')::text');
SELECT test.connect('x'); SELECT public.dblink_send_query('x', 'SELECT pgtrickle.advance_watermark(''items'', ''2024-01-02'')::text');
SELECT test.until_blocked(); SELECT test.eq('takes turns', public.dblink_is_busy('x'), 1);
SELECT test.run('w', 'COMMIT');
SELECT test.fails('SELECT * FROM public.dblink_get_result(''x'') AS r(t text)', '22023', 'cannot go back');
SELECT * FROM public.dblink_get_result('x') AS r(t text);
SELECT test.run('w', 'BEGIN'), test.ask('w', 'SELECT pgtrickle.advance_watermark(''items'', ''2024-01-09'')::text'), test.run('w', 'ROLLBACK');
SELECT pgtrickle.advance_watermark('items', '2024-01-04');
SELECT test.eq('undone with the load', (SELECT max_watermark FROM pgtrickle.watermark_status()), '2024-01-04 00:00+00'::timestamptz);
-- several groups: all of them must be aligned
SELECT pgtrickle.advance_watermark('orders', '2024-01-04');
SELECT test.eq('aligned', held(), '');
SELECT pgtrickle.create_watermark_group('h', ARRAY['items', 'other']);
SELECT test.eq('the other group holds', held(), 'a b c d');
SELECT test.ok('its name', pgtrickle._hold_reason(:a) ~ '^the watermarks of group "h"');
SELECT pgtrickle.advance_watermark('other', '2024-01-04'); SELECT test.eq('tolerance 0', held(), '');
SELECT pgtrickle.drop_watermark_group('h'); SELECT pgtrickle.advance_watermark('other', '2024-02-01'); SELECT test.eq('dropped', held(), '');
-- partitions, views, stream tables
CREATE TABLE p (id int, k int) PARTITION BY LIST (k); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
SELECT pgtrickle.create_stream_table('whole', 'SELECT id FROM p');
SELECT pgtrickle.create_watermark_group('parts', ARRAY['p1', 'p2']);
SELECT test.eq('partitions in step', held(), 'whole');
SELECT pgtrickle.drop_watermark_group('parts');
SELECT pgtrickle.create_watermark_group('tables', ARRAY['a', 'd']);
SELECT test.eq('readers of stream tables', held(), 'b');
SELECT pgtrickle.drop_watermark_group('tables');
-- errors
SELECT test.fails(format('SELECT pgtrickle.create_watermark_group(%s)', args), code, pattern) FROM (VALUES
    ('''x'', ARRAY[''orders'']', '22023', '"x" needs at least two'), ('''x'', ARRAY[''orders'', ''public.orders'']', '22023', 'two different'), ('''x'', NULL', '22023', 'two'),
    ('''x'', ARRAY[''orders'', ''nope'']', '42P01', 'nope'), ('''x'', ARRAY[''orders'', NULL]', '22004', ''), ('''g'', ARRAY[''orders'', ''other'']', '42710', '"g" already exists'),
    ('''x'', ARRAY[''orders'', ''other''], -1', '22023', 'tolerance -1'), ('''x'', ARRAY[''orders'', ''other''], ''NaN''', '22023', 'NaN'), ('''x'', ARRAY[''orders'', ''other''], ''Infinity''', '22023', ''),
    ('''x'', ARRAY[''orders'', ''other''], NULL', '22023', 'NULL'), (''' '', ARRAY[''orders'', ''other'']', '22023', 'needs a name'), ('NULL, ARRAY[''orders'', ''other'']', '22023', 'needs a name')) AS v(args, code, pattern);
SELECT test.fails('SELECT pgtrickle.drop_watermark_group(''nope'')', '42704', 'watermark_groups'), test.fails('SELECT pgtrickle.drop_watermark_group(NULL)', '42704');
SELECT test.fails('SELECT pgtrickle.advance_watermark(''nope'', now())', '42P01');
SELECT test.eq('nothing left of it', (SELECT string_agg(group_name, ' ') FROM pgtrickle.watermark_groups()), 'g');
-- rights: watermarks are for loaders, groups for owners
CREATE FUNCTION as_bob(statement text, code text, pattern text DEFAULT '') RETURNS void LANGUAGE plpgsql SET role = bob AS $$ BEGIN PERFORM test.fails(statement, code, pattern); END $$;
SELECT as_bob('SELECT pgtrickle.advance_watermark(''public.orders'', now())', '42501', 'watermark of public.orders.*GRANT INSERT ON public.orders TO bob'),
       as_bob('SELECT pgtrickle.create_watermark_group(''x'', ARRAY[''public.orders'', ''public.items''])', '42501', 'must be owner of public.orders'),
       as_bob('SELECT pgtrickle.drop_watermark_group(''g'')', '42501', 'must be creator of watermark group "g".*created by role');
SELECT as_bob(format('INSERT INTO pgtrickle.pgt_watermarks (source_relid, source_schema, source_name, watermark) VALUES (%s, '''', '''', now())', 'd'::regclass::oid), '42501'),
       as_bob(format('INSERT INTO pgtrickle.pgt_watermark_groups (group_name, sources) VALUES (''x'', ''{%s}'')', 'd'::regclass::oid), '42501'),
       as_bob('UPDATE pgtrickle.pgt_watermark_groups SET tolerance_secs = 0', '42501'), as_bob('DELETE FROM pgtrickle.pgt_watermarks', '42501');
GRANT INSERT ON orders TO bob;
SET ROLE bob; SELECT pgtrickle.advance_watermark('orders', '2024-01-05'); SELECT test.fails('DELETE FROM pgtrickle.pgt_watermark_groups', '42501'); RESET ROLE;
SELECT test.eq('by bob', (SELECT advanced_by FROM pgtrickle.watermarks() WHERE source_table = 'orders'), 'bob');
SELECT test.eq('the group stays', (SELECT count(*) FROM pgtrickle.watermark_groups()), 1::bigint);
SET ROLE bob; CREATE TABLE b1 (id int); CREATE TABLE b2 (id int); SELECT pgtrickle.create_watermark_group('bob''s "%s"', ARRAY['b1', 'b2']); RESET ROLE;
SELECT test.ok('hostile name', (SELECT reason ~ 'group "bob''s "%s"" have no' FROM pgtrickle.watermark_status() WHERE group_name LIKE 'bob%'));
SELECT pgtrickle.drop_watermark_group('bob''s "%s"');      -- the admin may
-- dropped sources
SELECT test.eq('held again', held(), 'a b d');
DROP TABLE orders;
SELECT test.eq('a group of one holds nobody', held(), '');
SELECT count(*) FROM pgtrickle.watermark_status(); SELECT count(*) FROM pgtrickle.watermarks(); SELECT count(*) FROM pgtrickle.watermark_groups();
SELECT test.ok('cleaned up, where the drop is noticed', :'way' = 'limited' OR NOT EXISTS (SELECT FROM pgtrickle.pgt_watermark_groups) AND NOT EXISTS (SELECT FROM pgtrickle.pgt_watermarks WHERE source_name = 'orders'));
-- of which one source is left that never had a watermark, where nobody noticed the drop of the other one
CREATE TABLE lone (id int);
INSERT INTO pgtrickle.pgt_watermark_groups (group_name, sources) VALUES ('one left', ARRAY['lone'::regclass::oid, 1::oid]);
SELECT test.eq('in step with itself', (SELECT concat_ws(' ', aligned, sources_with_watermark, sources_total, reason) FROM pgtrickle.watermark_status() WHERE group_name = 'one left'), 't 0 1');
SELECT pgtrickle.drop_watermark_group('one left');
-- the daemon is told if it matters
SELECT test.run('w', 'LISTEN pgtrickle_wake');
SELECT pgtrickle.create_watermark_group('wake', ARRAY['items', 'other']); SELECT pgtrickle.advance_watermark('items', '2024-03-01'); SELECT pgtrickle.advance_watermark('items', '2024-03-01'); SELECT pgtrickle.advance_watermark('c', '2024-03-01');
NOTIFY pgtrickle_wake, 'end'; SELECT test.eq('woken twice', test.notified('w'), '"",""');
