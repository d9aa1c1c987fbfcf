-- What other roles may and may not do
SET ROLE alice;
CREATE TABLE hers (id int);
INSERT INTO hers VALUES (1);
SELECT pgtrickle.create_stream_table('st_alice', 'SELECT * FROM hers');
SELECT test.eq('owner', (SELECT owner::text FROM pgtrickle.stream_tables WHERE table_name = 'st_alice'), 'alice');
SELECT test.eq('created_by', (SELECT created_by::text FROM pgtrickle.pgt_stream_tables), 'alice');
RESET ROLE;
SELECT pgt_id AS id FROM pgtrickle.pgt_stream_tables \gset
SELECT pgtrickle._install_capture('hers'::regclass, '{1}') AS n \gset
CREATE FUNCTION as_bob(statement text, code text, pattern text DEFAULT '') RETURNS void LANGUAGE plpgsql SET role = bob AS $$ BEGIN PERFORM test.fails(statement, code, pattern); END $$;
CREATE FUNCTION as_alice(statement text, code text, pattern text DEFAULT '') RETURNS void LANGUAGE plpgsql SET role = alice AS $$ BEGIN PERFORM test.fails(statement, code, pattern); END $$;
-- somebody else's
SELECT as_bob('SELECT pgtrickle.drop_stream_table(''st_alice'')', '42501', 'must be owner of stream table public.st_alice.*alice'),
       as_bob('SELECT pgtrickle.drop_stream_table(''st_alice'', true)', '42501'),
       as_bob('SELECT pgtrickle.alter_stream_table(''st_alice'', status => ''PAUSED'')', '42501'),
       as_bob('SELECT pgtrickle.refresh_stream_table(''st_alice'')', '42501'),
       as_bob('SELECT pgtrickle.verify_stream_table(''st_alice'')', '42501'),
       as_bob('SELECT pgtrickle.create_stream_table(''st_bob'', ''SELECT * FROM hers'')', '42501', 'st_bob.*hers'),
       as_bob('SELECT pgtrickle.create_stream_table(''pgtrickle.st_bob'', ''SELECT 1 AS a'')', '3F000'),
       as_bob('SELECT * FROM hers', '42501'), as_bob('SELECT * FROM st_alice', '42501');
-- the catalog directly
SELECT as_bob(format('INSERT INTO pgtrickle.pgt_stream_tables (pgt_relid, pgt_schema, pgt_name, original_query, defining_query) VALUES (%s, ''public'', ''x'', '''', '''')', 'hers'::regclass::oid), '42501'),
       as_bob('INSERT INTO pgtrickle.pgt_frontiers (pgt_id) VALUES (1)', '42501'),
       as_bob('UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL', '42501'), as_alice('UPDATE pgtrickle.pgt_frontiers SET owner = 10', '42501'),
       as_alice('SELECT pgtrickle._settle_refresh(1, true, true, true, true, true)', '42501', 'not being refreshed'),
       as_alice('UPDATE pgtrickle.pgt_stream_tables SET pgt_relid = 1', '42501'), as_alice('UPDATE pgtrickle.pgt_stream_tables SET fuse_learned = 1', '42501'),
       as_alice('UPDATE pgtrickle.pgt_stream_tables SET non_monotone = NULL', '42501'), as_alice('UPDATE pgtrickle.pgt_stream_tables SET skipped_at = NULL', '42501'),
       as_alice('UPDATE pgtrickle.pgt_stream_tables SET created_by = ''bob''', '42501'),
       as_alice('UPDATE pgtrickle.pgt_stream_tables SET plan = ''x''', '42501'),
       as_alice('INSERT INTO pgtrickle.pgt_dependencies (pgt_id, source_relid, source_type, source_id, source_schema, source_name) VALUES (1, 1, ''TABLE'', 1, ''a'', ''b'')', '42501'),
       as_bob('INSERT INTO pgtrickle.pgt_refresh_history (pgt_id, status, initiated_by) VALUES (1, ''COMPLETED'', ''MANUAL'')', '42501'),
       as_alice('INSERT INTO pgtrickle.pgt_refresh_history (pgt_id, status, initiated_by) VALUES (1, ''COMPLETED'', ''SCHEDULER'')', '42501'),
       as_alice('DELETE FROM pgtrickle.pgt_refresh_history', '42501'), as_alice('DELETE FROM pgtrickle.pgt_sources', '42501'), as_alice('DELETE FROM pgtrickle.pgt_daemons', '42501'),
       as_alice('INSERT INTO pgtrickle.pgt_daemons (instance) VALUES (''x'')', '42501'), as_alice('DELETE FROM pgtrickle.pgt_installation', '42501'),
       as_alice('CREATE TABLE pgtrickle_state.x (a int)', '42501'), as_alice('CREATE TABLE pgtrickle_changes.x (a int)', '42501'), as_alice('CREATE TABLE pgtrickle.x (a int)', '42501'),
       as_alice('SELECT * FROM pgtrickle_changes.log_1', '42501'), as_alice('DELETE FROM pgtrickle_changes.log_1_a', '42501'),
       as_alice('SELECT setval(''pgtrickle_changes.last_clearing'', 1)', '42501'), as_alice('SELECT setval(''pgtrickle_changes.log_seq'', 1)', '42501');
-- the owner of a stream table moves its frontier, and no other
SELECT pg_catalog.set_config('test.frontiers', (SELECT string_agg(f::text, ' ' ORDER BY f.pgt_id) FROM pgtrickle.pgt_frontiers f), false) IS NOT NULL;
SET ROLE bob; UPDATE pgtrickle.pgt_frontiers SET snapshot = pg_current_snapshot(), seq = 1; RESET ROLE;
SELECT test.eq('frontiers of others', (SELECT string_agg(f::text, ' ' ORDER BY f.pgt_id) FROM pgtrickle.pgt_frontiers f), current_setting('test.frontiers'));
-- internal functions
SELECT as_alice(format('SELECT pgtrickle.%s', f), '42501', 'permission denied for function') FROM unnest(ARRAY['_install_capture(1, ''{}'')', '_uninstall_capture(1)', '_neutralize_capture(1)',
    '_rotate_log(1, 0)', '_mark_reinit(''{1}'', ''x'')', '_adopt_cluster()', '_drop_orphaned_capture()', '_write_log_view(1)', '_lock_capture(1)', '_all_consumed(1, ''a'')']) f;
SELECT as_alice('CREATE TRIGGER x AFTER INSERT ON hers FOR EACH STATEMENT EXECUTE FUNCTION pgtrickle_changes.capture_1()', '42501');
-- nor one's own
SELECT as_alice(s, '42501'), as_bob(s, '42501') FROM unnest(ARRAY['UPDATE pgtrickle.pgt_stream_tables SET status = ''PAUSED''', 'DELETE FROM pgtrickle.pgt_stream_tables',
    'LOCK TABLE pgtrickle.pgt_stream_tables IN ROW EXCLUSIVE MODE', 'LOCK TABLE pgtrickle.pgt_dependencies IN ACCESS EXCLUSIVE MODE']) AS s;
SELECT test.eq('untouched', (SELECT status FROM pgtrickle.pgt_stream_tables), 'PENDING');
-- everybody can look
SET ROLE bob;
SELECT test.eq('view', (SELECT count(*) FROM pgtrickle.stream_tables), 1::bigint);
SELECT count(*) FROM pgtrickle.pgt_status(); SELECT count(*) FROM pgtrickle.health_check(); SELECT count(*) FROM pgtrickle.dependency_tree();
SELECT count(*) FROM pgtrickle.change_buffer_sizes(); SELECT pgtrickle.explain_stream_table('st_alice'); SELECT * FROM pgtrickle.validate_query('SELECT 1 AS a'); SELECT pgtrickle.version();
RESET ROLE;
-- a writer without any right on logs and catalog
GRANT INSERT ON hers TO bob;
SET ROLE bob;
INSERT INTO hers VALUES (2);
RESET ROLE;
SELECT test.eq('captured', (SELECT count(*) FROM pgtrickle_changes.log_1), 1::bigint);
-- the owner's rights, not those of the role that verifies
CREATE TABLE secret (id int);
GRANT USAGE ON SCHEMA public TO alice;
CREATE FUNCTION who() RETURNS text LANGUAGE sql STABLE AS 'SELECT current_user::text';
SET ROLE alice;
SELECT pgtrickle.create_stream_table('st_who', 'SELECT who() AS w FROM hers WHERE id = 1');
RESET ROLE;
SELECT test.eq('runs as the owner', (SELECT v::text FROM pgtrickle.verify_stream_table('st_who', false) v), '(0,0)');
SELECT test.ok('role is restored', current_user <> 'alice');
-- drops her own
SET ROLE alice;
SELECT pgtrickle.drop_stream_table('st_alice'), pgtrickle.drop_stream_table('st_who');
RESET ROLE;
SELECT test.eq('gone', (SELECT count(*) FROM pgtrickle.pgt_stream_tables), 0::bigint);
SELECT pgtrickle._uninstall_capture(:n);
