-- Repairing: every part that can be missing is found, and what the daemon is told
CREATE TABLE t (id int); CREATE TABLE u (id int);
SELECT pgtrickle.create_stream_table('a', 'SELECT t.id FROM t JOIN u USING (id)');
SELECT test.build('a') AS a \gset
DO $$ BEGIN EXECUTE format('CREATE FUNCTION pgtrickle_state.apply_%1$s() RETURNS int LANGUAGE sql AS ''SELECT 1''; CREATE FUNCTION pgtrickle_state.look_%1$s() RETURNS int LANGUAGE sql AS ''SELECT 1''',
                                   (SELECT pgt_id FROM pgtrickle.pgt_stream_tables)); END $$;
SELECT test.connect('w'), test.run('w', 'LISTEN pgtrickle_wake');
CREATE FUNCTION st() RETURNS pgtrickle.pgt_stream_tables LANGUAGE sql AS $$ SELECT s FROM pgtrickle.pgt_stream_tables s WHERE pgt_name = 'a' $$;
CREATE FUNCTION state() RETURNS text LANGUAGE sql AS $$ SELECT concat_ws(' ', status, needs_reinit, consecutive_errors, last_error, reinit_reason) FROM st() $$;
CREATE FUNCTION well() RETURNS void LANGUAGE sql AS $$ UPDATE pgtrickle.pgt_stream_tables SET needs_reinit = false, reinit_reason = NULL, status = 'ACTIVE' WHERE pgt_name = 'a' $$;
SELECT test.eq('all is well', pgtrickle.repair_stream_table('a'), 'nothing to repair'), test.eq('untouched', state(), 'ACTIVE f 0');
SELECT test.eq('inventory', (SELECT string_agg(concat_ws(' ', source_table, trigger_name, trigger_type, present, enabled), ', ') FROM pgtrickle.trigger_inventory() WHERE source_oid = 'u'::regclass),
    'public.u pgtrickle_2_i INSERT t t, public.u pgtrickle_2_u UPDATE t t, public.u pgtrickle_2_d DELETE t t, public.u pgtrickle_2_t TRUNCATE t t');
-- capture triggers
ALTER TABLE t DISABLE TRIGGER pgtrickle_1_u; DROP TRIGGER pgtrickle_2_d ON u;
SELECT test.eq('inventory', (SELECT string_agg(concat_ws(' ', trigger_name, present, enabled), ', ') FROM pgtrickle.trigger_inventory() WHERE NOT (present AND enabled)), 'pgtrickle_1_u t f, pgtrickle_2_d f f');
SELECT well(); NOTIFY pgtrickle_wake, 'end'; SELECT test.notified('w');
SELECT test.ok('found', pgtrickle.repair_stream_table('a') ~ '^a capture trigger of table public.t was dropped or disabled\na capture trigger of table public.u was dropped or disabled\n(it was to be rebuilt.*\n)?the daemon will rebuild program, capture and content as soon as one runs$');
SELECT test.ok('to be rebuilt', state() ~ '^ACTIVE t 0 repaired: a capture trigger of table public.t');
NOTIFY pgtrickle_wake, 'end'; SELECT test.eq('the daemon is told', test.notified('w'), '"t:' || :a || '"');
-- what it then does recreates the capture
SELECT test.ok('new logs', pgtrickle._install_capture('t'::regclass, '{1}') > 2 AND pgtrickle._install_capture('u'::regclass, '{1}') > 2);
UPDATE pgtrickle.pgt_dependencies d SET source_id = s.source_id FROM pgtrickle.pgt_sources s WHERE s.relid = d.source_relid;
SELECT well(); SELECT test.eq('well again', pgtrickle.repair_stream_table('a'), 'nothing to repair');
-- a log, one of its tables, the capture function
SELECT max(source_id) AS n FROM pgtrickle.pgt_sources \gset
DO $$ BEGIN EXECUTE format('DROP VIEW pgtrickle_changes.log_%s', (SELECT max(source_id) FROM pgtrickle.pgt_sources)); END $$;
SELECT test.ok('log', pgtrickle.repair_stream_table('a') ~ '^the change log of table public.u was dropped');
SELECT test.ok('a new one', pgtrickle._install_capture('u'::regclass, '{1}') > :n), well();
UPDATE pgtrickle.pgt_dependencies d SET source_id = s.source_id FROM pgtrickle.pgt_sources s WHERE s.relid = d.source_relid;
DO $$ BEGIN EXECUTE format('DROP TABLE pgtrickle_changes.log_%s_b CASCADE', (SELECT max(source_id) FROM pgtrickle.pgt_sources)); END $$;
SELECT test.ok('half a log', pgtrickle.repair_stream_table('a') ~ 'the change log of table public.u was dropped'), well();
INSERT INTO u VALUES (1);       -- the half that is written to is still there
DO $$ BEGIN EXECUTE format('DROP FUNCTION pgtrickle_changes.capture_%s() CASCADE', (SELECT max(source_id) FROM pgtrickle.pgt_sources)); END $$;
SELECT test.ok('function', pgtrickle.repair_stream_table('a') ~ 'a capture trigger of table public.u was dropped'), well();
SELECT pgtrickle._install_capture('u'::regclass, '{1}'); UPDATE pgtrickle.pgt_dependencies d SET source_id = s.source_id FROM pgtrickle.pgt_sources s WHERE s.relid = d.source_relid;
SELECT well(); SELECT test.eq('well again', pgtrickle.repair_stream_table('a'), 'nothing to repair');
UPDATE pgtrickle.pgt_dependencies SET source_id = NULL WHERE source_relid = 'u'::regclass;
SELECT test.ok('not captured', pgtrickle.repair_stream_table('a') ~ '^changes of public.u are not captured'), well();
UPDATE pgtrickle.pgt_dependencies d SET source_id = s.source_id FROM pgtrickle.pgt_sources s WHERE s.relid = d.source_relid;
-- the program
DO $$ BEGIN EXECUTE format('ALTER FUNCTION pgtrickle_state.apply_%1$s RENAME TO elsewhere', (SELECT pgt_id FROM pgtrickle.pgt_stream_tables)); END $$;
SELECT test.ok('program', pgtrickle.repair_stream_table('a') ~ ('^function pgtrickle_state.apply_' || :a || ' is missing\n')), well();
DO $$ BEGIN EXECUTE format('ALTER FUNCTION pgtrickle_state.elsewhere RENAME TO apply_%1$s', (SELECT pgt_id FROM pgtrickle.pgt_stream_tables)); END $$;
-- guards, which SQL alone can put back
DROP TRIGGER pgtrickle_guard ON a; ALTER TABLE a DISABLE TRIGGER pgtrickle_guard_truncate;
SELECT test.ok('guards', pgtrickle.repair_stream_table('a') ~ '^trigger pgtrickle_guard was missing or disabled.*\ntrigger pgtrickle_guard_truncate was missing.*\nguard triggers: recreated\nthe daemon will rebuild');
SELECT test.fails('DELETE FROM a', '55000', 'directly'), test.fails('INSERT INTO a VALUES (1)', '55000', 'directly'), test.fails('TRUNCATE a', '55000', 'directly'), well();
SELECT test.eq('well again', pgtrickle.repair_stream_table('a'), 'nothing to repair');
SELECT pgtrickle.refresh_stream_table('a');     -- the program may write
-- the frontier
DELETE FROM pgtrickle.pgt_frontiers WHERE pgt_id = :a;
SELECT test.ok('frontier', pgtrickle.repair_stream_table('a') ~ '^its row of pgt_frontiers was missing\nrow of pgt_frontiers: recreated\n'); SELECT test.eq('there', (SELECT count(*) FROM pgtrickle.pgt_frontiers), 1::bigint), well();
SELECT test.ok('empty frontier', pgtrickle.repair_stream_table('a') ~ '^it is ACTIVE but not initialised');
UPDATE pgtrickle.pgt_frontiers SET snapshot = pg_current_snapshot(), xid = pg_current_xact_id(), seq = 1; SELECT well();
-- errors
UPDATE pgtrickle.pgt_stream_tables SET status = 'SUSPENDED', last_error = 'boom', last_error_code = '22012', last_error_at = now(), consecutive_errors = 5 WHERE pgt_id = :a;
INSERT INTO pgtrickle.pgt_daemons (instance, is_leader, host) VALUES ('x', true, 'h');
SELECT test.eq('suspended', pgtrickle.repair_stream_table('a'), E'its status was SUSPENDED (boom, 22012)\nthe daemon will rebuild program, capture and content');
SELECT test.ok('resumed', state() ~ '^PENDING t 0 repaired: its status was SUSPENDED'), well();
UPDATE pgtrickle.pgt_stream_tables SET last_error = 'boom', last_error_code = '22012' WHERE pgt_id = :a;
SELECT test.ok('failing', pgtrickle.repair_stream_table('a') ~ '^its last refresh failed \(boom, 22012\)'), well();
UPDATE pgtrickle.pgt_stream_tables SET skipped_at = now() WHERE pgt_id = :a;
SELECT test.ok('skipped', pgtrickle.repair_stream_table('a') ~ '^changes were skipped on 20'); SELECT well(); UPDATE pgtrickle.pgt_stream_tables SET skipped_at = NULL WHERE pgt_id = :a;
UPDATE pgtrickle.pgt_stream_tables SET status = 'PAUSED', needs_reinit = true, reinit_reason = 'for a reason' WHERE pgt_id = :a;
SELECT test.eq('paused stays paused', pgtrickle.repair_stream_table('a'), E'it was to be rebuilt already: for a reason\nthe daemon will rebuild program, capture and content when it is resumed: it stays PAUSED');
SELECT test.ok('first reason stays', state() = 'PAUSED t 0 for a reason'), well();
DROP TABLE u;
SELECT test.ok('source is gone', pgtrickle.repair_stream_table('a') ~ '^source public.u does not exist\n');
-- names and rights
CREATE FUNCTION as_bob(statement text, code text, pattern text DEFAULT '') RETURNS void LANGUAGE plpgsql SET role = bob AS $$ BEGIN PERFORM test.fails(statement, code, pattern); END $$;
SELECT as_bob('SELECT pgtrickle.repair_stream_table(''public.a'')', '42501', 'must be owner'), test.fails('SELECT pgtrickle.repair_stream_table(''t'')', '42P01');
SET ROLE bob;
CREATE TABLE "x ""%s" (id int); SELECT pgtrickle.create_stream_table('"st ''%s"', 'SELECT id FROM "x ""%s"');
DROP TRIGGER pgtrickle_guard ON "st '%s";
SELECT test.ok('owner without other rights, hostile names', pgtrickle.repair_stream_table('"st ''%s"') ~ 'guard triggers: recreated');
SELECT test.fails('DELETE FROM "st ''%s"', '55000', 'directly');
SELECT test.eq('everybody may look', (SELECT count(*) >= 4 FROM pgtrickle.trigger_inventory()), true);
RESET ROLE;
