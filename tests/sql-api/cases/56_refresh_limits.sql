-- What a refresh reads of a stream table (pgt_refresh_limits) is never behind pgt_stream_tables, however that is written
SELECT NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS limited \gset
CREATE TABLE t (a int);
SELECT pgtrickle.create_stream_table('a', 'SELECT a FROM t'), pgtrickle.create_stream_table('b', 'SELECT a FROM t');
-- a stream table has a row if it is not the usual case, and it says what the catalog says
CREATE FUNCTION behind() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(s.pgt_name, ' ' ORDER BY s.pgt_id)
    FROM pgtrickle.pgt_stream_tables s LEFT JOIN pgtrickle.pgt_refresh_limits l ON l.pgt_id = s.pgt_id AND l.reason = 'table'
    WHERE l.usual_rows IS DISTINCT FROM CASE
        WHEN s.needs_reinit OR s.fuse_blown_at IS NOT NULL OR s.fuse_reset IS NOT NULL OR s.max_delta_fraction IS NOT NULL THEN -1
        ELSE s.fuse_limit END $$;
CREATE FUNCTION usual() RETURNS text LANGUAGE sql AS $$
    SELECT coalesce((SELECT string_agg(CASE WHEN l.usual_rows < 0 THEN l.reason ELSE l.usual_rows::text END, ' ' ORDER BY l.reason)
                     FROM pgtrickle.pgt_refresh_limits l
                     WHERE l.pgt_id IN (0, (SELECT s.pgt_id FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_name = 'a'))), 'usual') $$;
-- after: what it is with this change of the catalog; then the change is undone
CREATE FUNCTION after(changes text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    seen text;
BEGIN
    EXECUTE format('UPDATE pgtrickle.pgt_stream_tables SET %s WHERE pgt_name = ''a''', changes);
    seen := concat_ws(', behind: ', usual(), behind());
    RAISE EXCEPTION USING ERRCODE = 'TST01', MESSAGE = seen;
EXCEPTION WHEN SQLSTATE 'TST01' THEN
    RETURN seen;
END $$;
SELECT test.eq('made', concat_ws(' ', usual(), behind()), 'usual');
SELECT test.eq('to be rebuilt', after('needs_reinit = true'), 'table'), test.eq('a fuse', after('fuse = ''on'', fuse_ceiling = 7'), '7'),
       test.eq('one that has learned', after('fuse = ''auto'', fuse_ceiling = 7, fuse_learned = 5'), '5'), test.eq('blown', after('fuse_blown_at = now()'), 'table'),
       test.eq('reset', after('fuse_reset = ''apply'''), 'table'), test.eq('a fraction', after('max_delta_fraction = 0.5'), 'table'),
       test.eq('what does not matter', after('tier = ''cold'', generation = generation + 1'), 'usual');
SELECT test.eq('undone', concat_ws(' ', usual(), behind()), 'usual');
-- whatever the session does about triggers
\if :limited
\else
SET session_replication_role = replica;
SELECT test.eq('as a replica', after('fuse = ''on'', fuse_ceiling = 9'), '9');
RESET session_replication_role;
\endif
-- through the functions that people use
SELECT pgtrickle.alter_stream_table('a', fuse => 'on', fuse_ceiling => 12);
SELECT test.eq('altered', concat_ws(' ', usual(), behind()), '12');
SELECT pgtrickle.alter_stream_table('a', fuse => 'off');
SELECT test.eq('without a fuse again', concat_ws(' ', usual(), behind()), 'usual');
-- gates and watermark groups are about all
CREATE TABLE u (a int);
SELECT pgtrickle.gate_source('t'), pgtrickle.gate_source('u');
SELECT test.eq('gated', usual(), format('gate %s gate %s', least('t'::regclass::oid, 'u'::regclass::oid), greatest('t'::regclass::oid, 'u'::regclass::oid)));
SELECT pgtrickle.ungate_source('t');
DROP TABLE u;
-- without event triggers the gate of a table that is gone stays
DELETE FROM pgtrickle.pgt_source_gates WHERE gated;
SELECT test.eq('not gated', usual(), 'usual');
CREATE TABLE u (a int);
SELECT pgtrickle.create_watermark_group('g', ARRAY['t', 'u']);
SELECT test.eq('a group', usual(), format('group %s', (SELECT group_id FROM pgtrickle.pgt_watermark_groups)));
SELECT pgtrickle.drop_watermark_group('g');
SELECT test.eq('no group', usual(), 'usual');
-- what only the catalog of the server tells, as far as event triggers tell that it changed
SELECT count(*) > 0 AS watched FROM pg_event_trigger WHERE evtname = 'pgtrickle_ddl' \gset
\if :watched
INSERT INTO pgtrickle.pgt_dependencies (pgt_id, source_relid, source_type, source_schema, source_name)
SELECT pgt_id, 't'::regclass, 'TABLE', 'public', 't' FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'a' ON CONFLICT DO NOTHING;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
SELECT test.eq('row security', usual(), 'catalog');
ALTER TABLE t DISABLE ROW LEVEL SECURITY;
SELECT test.eq('no row security', usual(), 'usual');
CREATE UNIQUE INDEX mine ON a (a);
SELECT test.eq('a unique index', usual(), 'catalog');
DROP INDEX mine;
SELECT test.eq('no unique index', usual(), 'usual');
ALTER TABLE a ADD CONSTRAINT mine UNIQUE (a);
SELECT test.eq('a constraint', usual(), 'catalog');
ALTER TABLE a DROP CONSTRAINT mine;
SELECT test.eq('no constraint', usual(), 'usual');
\endif
DROP TABLE t CASCADE;
SELECT test.eq('and dropped', behind(), NULL);
SELECT pgtrickle.drop_stream_table('a');
SELECT test.eq('no row is left', (SELECT count(*) FROM pgtrickle.pgt_refresh_limits l WHERE l.pgt_id NOT IN (SELECT s.pgt_id FROM pgtrickle.pgt_stream_tables s)), 0::bigint);
-- nobody writes there
SET ROLE bob;
SELECT test.fails('UPDATE pgtrickle.pgt_refresh_limits SET usual_rows = 0', '42501'), test.fails('DELETE FROM pgtrickle.pgt_refresh_limits', '42501');
RESET ROLE;
