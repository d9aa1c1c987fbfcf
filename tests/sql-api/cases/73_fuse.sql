-- Fuses: what blows them, and the three ways on
CREATE TABLE t (id int);
SELECT pgtrickle.create_stream_table('a', 'SELECT id FROM t'), pgtrickle.create_stream_table('"st ''%s"', 'SELECT id FROM t');
SELECT test.build('a') AS a \gset
SELECT test.connect('d'), test.connect('w');
CREATE FUNCTION st() RETURNS pgtrickle.pgt_stream_tables LANGUAGE sql AS $$ SELECT s FROM pgtrickle.pgt_stream_tables s WHERE pgt_name = 'a' $$;
CREATE FUNCTION fuse() RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', fuse_mode, fuse_state, fuse_ceiling, effective_ceiling, fuse_sensitivity, blown_at IS NOT NULL, blow_reason) FROM pgtrickle.fuse_status() WHERE stream_table = 'public.a' $$;
SELECT test.eq('off', fuse(), 'off disarmed f'), test.eq('all of them', (SELECT count(*) FROM pgtrickle.fuse_status()), 2::bigint);
UPDATE pgtrickle.pgt_stream_tables SET fuse = 'auto', fuse_sensitivity = 4 WHERE pgt_id = :a; SELECT test.eq('nothing learned', fuse(), 'auto disarmed 4 f');
UPDATE pgtrickle.pgt_stream_tables SET fuse_learned = 100, fuse_ceiling = 50 WHERE pgt_id = :a; SELECT test.eq('the smaller one', fuse(), 'auto armed 50 50 4 f');
UPDATE pgtrickle.pgt_stream_tables SET fuse = 'on', fuse_ceiling = 3, fuse_sensitivity = NULL WHERE pgt_id = :a; SELECT test.eq('on', fuse(), 'on armed 3 3 f');
UPDATE pgtrickle.pgt_stream_tables SET effective_refresh_mode = 'FULL' WHERE pgt_id = :a; SELECT test.eq('nothing is counted', fuse(), 'on disarmed 3 3 f');
UPDATE pgtrickle.pgt_stream_tables SET effective_refresh_mode = 'DIFFERENTIAL' WHERE pgt_id = :a;
-- not blown: nothing to reset
SELECT (st()).generation AS g \gset
SELECT pgtrickle.reset_fuse('a'), pgtrickle.reset_fuse('a', 'skip_changes');
SELECT test.ok('nothing happened', (st()).fuse_reset IS NULL AND (st()).generation = :g AND NOT (st()).needs_reinit);
INSERT INTO t SELECT generate_series(1, 3); SELECT test.eq('as many as allowed', test.refresh('a'), 'DIFFERENTIAL');
INSERT INTO t SELECT generate_series(4, 7); SELECT test.eq('one more', test.refresh('a'), 'BLOWN');
SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''a'')', '55000', '4 changes are pending, the limit is 3\.');
SELECT test.eq('recorded once', pgtrickle._blow_fuse(:a, 4, 3), true), test.eq('recorded once', pgtrickle._blow_fuse(:a, 5, 3), false);
SELECT test.eq('blown', fuse(), 'on blown 3 3 t 4 changes were pending, the limit is 3');
SELECT test.eq('generation', (st()).generation, :g::bigint);
SELECT test.eq('nothing applied', (SELECT count(*) FROM a), 3::bigint);
SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''a'')', '55000', 'fuse of stream table public.a is blown.*Blown on 20.*: 4 changes were pending, the limit is 3\..*reset_fuse\(''public.a'', ''apply''\).*reinitialize.*skip_changes');
-- apply
SELECT test.run('w', 'LISTEN pgtrickle_wake');
SELECT pgtrickle.reset_fuse('a');
NOTIFY pgtrickle_wake, 'end'; SELECT test.eq('woken for it', test.notified('w'), '"t:' || :a || '"');
SELECT test.eq('reset', fuse() || (st()).fuse_reset, 'on armed 3 3 fapply');
SELECT test.eq('goes on', test.refresh('a'), 'DIFFERENTIAL'); SELECT test.eq('all', (SELECT count(*) FROM a), 7::bigint);
SELECT test.ok('once', (st()).fuse_reset IS NULL);
-- skip_changes
DELETE FROM t; SELECT test.eq('again', test.refresh('a'), 'BLOWN'), pgtrickle._blow_fuse(:a, 7, 3);
SET client_min_messages = error; SELECT pgtrickle.reset_fuse('a', ' Skip_Changes '); RESET client_min_messages;
SELECT pgtrickle.refresh_stream_table('a');
SELECT test.eq('skipped', (SELECT count(*) FROM a), 7::bigint), test.ok('noted', (st()).skipped_at IS NOT NULL);
SELECT test.eq('no history of what did nothing', (SELECT count(*) FROM pgtrickle.pgt_refresh_history), 0::bigint);
SELECT test.ok('said', (SELECT explanation ~ 'skipped what was pending, as reset_fuse\(\) had been told; it does not equal its query since 20' FROM pgtrickle.explain_refresh_mode('a')));
SELECT test.eq('nothing pending', test.refresh('a'), 'NO_DATA');
-- reinitialize
INSERT INTO t SELECT generate_series(1, 4); SELECT test.eq('third time', test.refresh('a'), 'BLOWN'), pgtrickle._blow_fuse(:a, 4, 3);
SELECT pgtrickle.reset_fuse('a', 'reinitialize');
SELECT test.ok('to be built', (st()).needs_reinit AND (st()).reinit_reason ~ 'fuse was reset' AND (st()).fuse_reset IS NULL AND (st()).fuse_blown_at IS NULL AND (st()).generation > :g);
-- errors, rights, names
SELECT test.fails('SELECT pgtrickle.reset_fuse(''a'', ''no'')', '22023', 'invalid action ''no''.*apply.*reinitialize.*skip_changes'), test.fails('SELECT pgtrickle.reset_fuse(''a'', NULL)', '22023', 'NULL'),
       test.fails('SELECT pgtrickle.reset_fuse(''t'')', '42P01'), test.fails('SELECT pgtrickle.reset_fuse(''nope'')', '42P01');
CREATE FUNCTION as_bob(statement text, code text, pattern text DEFAULT '') RETURNS void LANGUAGE plpgsql SET role = bob AS $$ BEGIN PERFORM test.fails(statement, code, pattern); END $$;
SELECT as_bob('SELECT pgtrickle.reset_fuse(''public.a'')', '42501', 'must be owner'), as_bob('SELECT pgtrickle._blow_fuse(1, 1, 1)', '42501', 'permission denied for function');
UPDATE pgtrickle.pgt_stream_tables SET fuse_blown_at = now() WHERE pgt_name = 'st ''%s'; SELECT pgtrickle.reset_fuse('"st ''%s"', 'apply');
SELECT test.eq('hostile', (SELECT fuse_reset FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'st ''%s'), 'apply');
-- what is blown is not rebuilt either, and nobody is told to wait for it
SELECT test.build('"st ''%s"') AS b \gset
UPDATE pgtrickle.pgt_stream_tables SET fuse = 'on', fuse_ceiling = 3, fuse_blown_at = now(), fuse_blow_reason = '9 changes', needs_reinit = true, reinit_reason = 'a partition was attached' WHERE pgt_id = :b;
SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''"st ''''%s"'')', '55000', 'the fuse of stream table public."st ''%s" is blown.*9 changes.*reset_fuse'),
       test.fails('SELECT pgtrickle.wait_until_active(''"st ''''%s"'')', '55000', 'not rebuilt while its fuse is blown.*9 changes.*a partition was attached.*reset_fuse'),
       test.fails('SELECT pgtrickle.reset_fuse(''"st ''''%s"'', ''skip_changes'')', '55000', 'cannot be skipped.*a partition was attached');
SELECT pgtrickle.reset_fuse('"st ''%s"');
SELECT test.ok('reset', fuse_blown_at IS NULL AND needs_reinit) FROM pgtrickle.pgt_stream_tables WHERE pgt_id = :b;
