-- Who may have the changes of a table captured: everybody who may read it, unless its owner decides
SELECT NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS limited \gset
CREATE SCHEMA s; GRANT ALL ON SCHEMA s, public TO alice, bob;
SET ROLE alice;
CREATE TABLE s.t (id int PRIMARY KEY, v text); GRANT SELECT ON s.t TO bob;
CREATE VIEW s.v AS SELECT id FROM s.t; GRANT SELECT ON s.v TO bob;
RESET ROLE;
CREATE FUNCTION why(role name) RETURNS text LANGUAGE sql AS $$ SELECT pgtrickle._capture_forbidden('s.t'::regclass, r.oid) FROM pg_roles r WHERE r.rolname = role $$;
SELECT test.eq('who may read', why('bob'), NULL);
-- what a build does
SET ROLE bob; SELECT pgtrickle.create_stream_table('st', 'SELECT id FROM s.t'); RESET ROLE;
SELECT pgtrickle._install_capture('s.t'::regclass, '{1}') AS n \gset
UPDATE pgtrickle.pgt_dependencies SET source_id = :n;
UPDATE pgtrickle.pgt_stream_tables SET status = 'ACTIVE', effective_refresh_mode = 'DIFFERENTIAL';
UPDATE pgtrickle.pgt_frontiers SET snapshot = pg_current_snapshot();
CREATE FUNCTION triggers() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM pg_trigger WHERE tgrelid = 's.t'::regclass AND tgname LIKE 'pgtrickle\_%' AND tgenabled <> 'D' $$;
SELECT test.eq('captured', triggers(), 4::bigint);
-- for its owner
SET ROLE bob;
SELECT test.fails('SELECT pgtrickle.forbid_capture(''s.t'')', '42501', 'must be owner of s.t'),
       test.fails('SELECT pgtrickle.allow_capture(''s.t'')', '42501'),
       test.fails('INSERT INTO pgtrickle.pgt_capture_rights (source_relid, source_schema, source_name, source_owner) VALUES (1, '''', '''', '''')', '42501'),
       test.fails('SELECT pgtrickle._request(''allow_capture'', jsonb_build_object(''relid'', ''s.t''::regclass::oid, ''allow'', false))', '42501'),
       test.fails('SELECT pgtrickle._do_allow_capture(''alice''::regrole, ''s.t''::regclass, NULL, false)', '42501');
SET ROLE alice;
SELECT test.fails('SELECT pgtrickle.forbid_capture(''s.none'')', '42P01'),
       test.fails('SELECT pgtrickle.forbid_capture(''s.v'')', '42809', 'is not a table'),
       test.fails('SELECT pgtrickle.allow_capture(''s.t'', ''nobody'')', '42704'),
       test.fails('SELECT pgtrickle.forbid_capture(''s.t'', ''bob'')', '55000', 'everybody who may read it'),
       pgtrickle.allow_capture('s.t', 'bob');
SELECT test.eq('that changes nothing', (SELECT count(*) FROM pgtrickle.pgt_capture_rights), 0::bigint);
SET search_path = s; SELECT pgtrickle.forbid_capture('t'); RESET search_path;
RESET ROLE;
SELECT test.ok('bob may not', why('bob') LIKE 'its owner does not let role "bob" do that%'),
       test.eq('she may', why('alice'), NULL);
SELECT test.eq('his is rebuilt', (SELECT needs_reinit::text || ' ' || reinit_reason FROM pgtrickle.pgt_stream_tables),
               'true the owner of s.t does not let its changes be captured any more');
SELECT test.eq('nothing is captured for him', (SELECT count(*) FROM pgtrickle.pgt_dependencies WHERE source_id IS NOT NULL), 0::bigint),
       test.ok('nor kept', (SELECT snapshot IS NULL FROM pgtrickle.pgt_frontiers)),
       test.eq('her writers pay no more', triggers(), 0::bigint);
INSERT INTO s.t VALUES (1, 'a');
SET ROLE bob;
SELECT test.fails('SELECT pgtrickle.create_stream_table(''d'', ''SELECT id FROM s.t'', refresh_mode => ''DIFFERENTIAL'')', '0A000',
                  'changes of s.t cannot be captured: its owner does not let role "bob"'),
       test.fails('SELECT pgtrickle.create_stream_table(''d'', ''SELECT id FROM s.v'', refresh_mode => ''DIFFERENTIAL'')', '0A000', 'changes of s.t'),
       test.eq('validate_query', (SELECT severity FROM pgtrickle.validate_query('SELECT id FROM s.t') WHERE check_name = 'source'), 'warning');
RESET ROLE;
-- named, by membership, by the privilege TRIGGER
SELECT generation AS before FROM pgtrickle.pgt_stream_tables \gset
SET ROLE alice; SELECT pgtrickle.allow_capture('s.t', 'bob'); RESET ROLE;
SELECT test.eq('named', why('bob'), NULL),
       test.eq('rebuilt', (SELECT generation FROM pgtrickle.pgt_stream_tables), :before + 1::bigint);
SET ROLE alice; SELECT pgtrickle.forbid_capture('s.t', 'bob'); RESET ROLE;
SELECT test.ok('taken back', why('bob') IS NOT NULL);
SET ROLE alice; GRANT TRIGGER ON s.t TO bob; RESET ROLE;
SELECT test.eq('TRIGGER', why('bob'), NULL);
SET ROLE alice; REVOKE TRIGGER ON s.t FROM bob; RESET ROLE;
\if :limited
\else
CREATE ROLE capturers; GRANT capturers TO bob; SELECT pgtrickle.allow_capture('s.t', 'capturers');
SELECT test.eq('member', why('bob'), NULL);
UPDATE pgtrickle.pgt_dependencies SET source_id = :n; UPDATE pgtrickle.pgt_stream_tables SET needs_reinit = false;
REVOKE capturers FROM bob;
SELECT test.eq('the daemon notices', pgtrickle._settle_capture_rights(), 1), test.eq('once', pgtrickle._settle_capture_rights(), 0);
DROP ROLE capturers;
\endif
SET ROLE alice; SELECT pgtrickle.allow_capture('s.t', 'bob'); RESET ROLE;
-- renamed: what a dump would contain
ALTER TABLE s.t RENAME TO "T 2"; ALTER SCHEMA s RENAME TO s2;
SELECT pgtrickle._settle_rights() IS NOT NULL;
SELECT test.eq('roles that are gone', (SELECT count(*) FROM pgtrickle.pgt_capture_rights WHERE role NOT IN (0, 'bob'::regrole)), 0::bigint);
SELECT test.eq('names', (SELECT DISTINCT format('%I.%I %s', source_schema, source_name, source_owner) FROM pgtrickle.pgt_capture_rights), 's2."T 2" alice');
-- restored: all OIDs are others, the role too
UPDATE pgtrickle.pgt_capture_rights SET source_relid = 1, role = CASE WHEN role <> 0 THEN 2 ELSE 0 END;
SELECT pgtrickle._relink_capture_rights();
SELECT test.eq('relinked', (SELECT string_agg(source_relid::regclass || ' ' || role::regrole, ', ' ORDER BY role) FROM pgtrickle.pgt_capture_rights), 's2."T 2" -, s2."T 2" bob');
UPDATE pgtrickle.pgt_capture_rights SET role_name = 'gone' WHERE role <> 0;
SELECT pgtrickle._relink_capture_rights();
SELECT test.eq('it stays closed', (SELECT string_agg(source_relid::regclass || ' ' || role::regrole, ', ' ORDER BY role) FROM pgtrickle.pgt_capture_rights), 's2."T 2" -');
UPDATE pgtrickle.pgt_capture_rights SET source_owner = 'bob';
SELECT pgtrickle._relink_capture_rights();
SELECT test.eq('another owner''s table is not meant', (SELECT count(*) FROM pgtrickle.pgt_capture_rights), 0::bigint);
-- a partition whose owner has decided, and the end of it
CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); GRANT SELECT ON p TO bob;
SELECT pgtrickle.forbid_capture('p1');
SELECT test.ok('of the whole', pgtrickle._capture_forbidden('p'::regclass, 'bob'::regrole) LIKE 'the owner of its partition or child public.p1%');
SELECT pgtrickle.allow_capture('p1');
SELECT test.eq('open again', pgtrickle._capture_forbidden('p'::regclass, 'bob'::regrole), NULL),
       test.eq('nothing is left', (SELECT count(*) FROM pgtrickle.pgt_capture_rights), 0::bigint);
SELECT pgtrickle.forbid_capture('p1'); DROP TABLE p;
SELECT test.ok('dropped, where that is noticed', :'way' = 'limited' OR NOT EXISTS (SELECT FROM pgtrickle.pgt_capture_rights));
