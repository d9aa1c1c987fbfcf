-- Change logs are for owners who consume them, as long as they may read the source
SELECT NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS limited \gset
-- where there are no event triggers, or for what has none, the daemon does this
CREATE FUNCTION later() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    IF NOT pgtrickle._has_event_triggers() THEN PERFORM pgtrickle._settle_rights(); END IF; END $$;
CREATE TABLE t (id int, v text, w text); INSERT INTO t VALUES (1, 'a', 'b');
GRANT SELECT (id, v) ON t TO alice; GRANT SELECT ON t TO bob;
SET ROLE alice; SELECT pgtrickle.create_stream_table('st_alice', 'SELECT id, v FROM t');
SET ROLE bob; SELECT pgtrickle.create_stream_table('st_bob', 'SELECT id FROM t');
RESET ROLE;
-- default privileges that open everything open no log
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
SELECT pgtrickle._install_capture('t'::regclass, '{1,2,3}') AS n \gset
ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM PUBLIC;
CREATE FUNCTION reads(role name) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(a.attname, ' ' ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = (SELECT format('pgtrickle_changes.log_%s', max(source_id)) FROM pgtrickle.pgt_sources)::regclass
       AND a.attnum > 0 AND has_column_privilege(role, a.attrelid, a.attnum, 'SELECT') $$;
SELECT test.eq('nobody', concat(reads('alice'), reads('bob')), '');
SELECT test.eq('nor below', (SELECT count(*) FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) AS x WHERE c.relnamespace = 'pgtrickle_changes'::regnamespace AND c.relname LIKE 'log\_%' AND c.relkind <> 'S' AND x.grantee <> c.relowner), 0::bigint);
-- consumers, and of the columns the ones that they use and may read
UPDATE pgtrickle.pgt_dependencies SET source_id = :n;
SELECT pgtrickle._settle_rights();
SELECT test.eq('alice', reads('alice'), 'c1 c2 seq w xid'), test.eq('bob', reads('bob'), 'c1 seq w xid');
SELECT test.eq('nothing to do', pgtrickle._settle_rights(), 0);
REVOKE SELECT ON t FROM bob;
SELECT later(); SELECT test.eq('at once', reads('bob'), NULL), test.eq('not hers', reads('alice'), 'c1 c2 seq w xid');
SET ROLE bob; SELECT test.fails(format('SELECT c1 FROM pgtrickle_changes.log_%s', :n), '42501'); RESET ROLE;
GRANT SELECT (id) ON t TO bob;
SELECT later(); SELECT test.eq('and back', reads('bob'), 'c1 seq w xid');
REVOKE SELECT (v) ON t FROM alice;
SELECT later(); SELECT test.eq('a column', reads('alice'), 'c1 seq w xid');
GRANT SELECT (v) ON t TO alice;
-- only what the command is about is looked at, also in a subtransaction
CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.u (id int, v text); SELECT pgtrickle._install_capture('elsewhere.u'::regclass, '{1}') AS u \gset
CREATE FUNCTION touched(command text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE answer text; BEGIN
    BEGIN EXECUTE command; answer := pgtrickle._sources_with_new_rights()::text; RAISE EXCEPTION USING ERRCODE = 'TR777'; EXCEPTION WHEN SQLSTATE 'TR777' THEN NULL; END;
    RETURN answer; END $$;
SELECT test.eq('a table', touched('GRANT SELECT ON t TO PUBLIC'), format('{%s}', :n)),
       test.eq('a column', touched('GRANT SELECT (v) ON elsewhere.u TO PUBLIC'), format('{%s}', :u)),
       test.eq('a schema', touched('GRANT USAGE ON SCHEMA elsewhere TO PUBLIC'), format('{%s}', :u)),
       test.eq('a log', touched(format('GRANT SELECT ON pgtrickle_changes.log_%s_a TO PUBLIC', :u)), format('{%s}', :u)),
       test.eq('something else', touched('GRANT EXECUTE ON FUNCTION touched(text) TO PUBLIC'), '{}');
DROP SCHEMA elsewhere CASCADE; SELECT pgtrickle._uninstall_capture(:u) WHERE EXISTS (SELECT FROM pgtrickle.pgt_sources WHERE source_id = :u);
-- by membership: the daemon notices
REVOKE SELECT (id) ON t FROM bob; SELECT later();
\if :limited
\else
CREATE ROLE readers; GRANT SELECT ON t TO readers; GRANT readers TO bob;
SELECT pgtrickle._settle_rights(); SELECT test.eq('through a role', reads('bob'), 'c1 seq w xid');
REVOKE readers FROM bob;
SELECT pgtrickle._settle_rights(); SELECT test.eq('not any more', reads('bob'), NULL);
REVOKE SELECT ON t FROM readers; DROP ROLE readers;
\endif
-- the schema
CREATE SCHEMA s; GRANT USAGE ON SCHEMA s TO alice; ALTER TABLE t SET SCHEMA s;
SELECT later(); SELECT test.eq('in the schema', reads('alice'), 'c1 c2 seq w xid');
REVOKE USAGE ON SCHEMA s FROM alice;
SELECT later(); SELECT test.eq('shut out', reads('alice'), NULL);
GRANT USAGE ON SCHEMA s TO alice, bob;
-- another owner, and none
SELECT later(); SELECT test.eq('in again', reads('alice'), 'c1 c2 seq w xid');
GRANT SELECT ON s.t TO bob;
ALTER TABLE st_alice OWNER TO bob;
SELECT later(); SELECT test.eq('was the owner', reads('alice'), NULL), test.eq('is the owner', reads('bob'), 'c1 c2 seq w xid');
SELECT test.eq('name for a restore', (SELECT owner_name FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'st_alice'), 'bob');
SET ROLE bob; SELECT pgtrickle.drop_stream_table('st_alice'); RESET ROLE;
SELECT test.eq('what is left', reads('bob'), 'c1 seq w xid');
-- a right that goes while a refresh runs: the stream table's own log is named, and no other one
SELECT test.eq('named', pgtrickle._naming_source(d.pgt_id, format('permission denied for view log_%s', :n)),
               format('permission denied for view log_%s (pgtrickle_changes.log_%s is the change log of s.t)', :n, :n)),
       test.eq('none of it', pgtrickle._naming_source(-1, format('permission denied for view log_%s', :n)), format('permission denied for view log_%s', :n)),
       test.eq('not a log', pgtrickle._naming_source(d.pgt_id, 'permission denied for table log_in'), 'permission denied for table log_in'),
       test.eq('of any length', length(pgtrickle._naming_source(d.pgt_id, 'permission denied for view log_' || repeat('1', 10000000))), 10000031)
FROM pgtrickle.pgt_dependencies d WHERE d.source_id = :n LIMIT 1;
DROP TABLE st_bob;
SELECT later(); DELETE FROM pgtrickle.pgt_stream_tables; SELECT test.eq('nothing', reads('bob'), NULL);
SELECT pgtrickle._uninstall_capture(:n);
