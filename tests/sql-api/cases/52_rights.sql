-- Who may do what with the objects of pgtrickle: for every table, column, sequence and function, whatever will be added.
CREATE VIEW grants AS
    SELECT c.oid::regclass::text AS object, NULL::name AS "column", a.privilege_type AS privilege, a.grantee, c.relkind
    FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
    WHERE c.relnamespace IN (SELECT n.oid FROM pg_namespace n WHERE n.nspname LIKE 'pgtrickle%') AND a.grantee <> c.relowner
    UNION ALL
    SELECT c.oid::regclass::text, t.attname, a.privilege_type, a.grantee, c.relkind
    FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid CROSS JOIN LATERAL aclexplode(t.attacl) AS a
    WHERE c.relnamespace IN (SELECT n.oid FROM pg_namespace n WHERE n.nspname LIKE 'pgtrickle%') AND a.grantee <> c.relowner;
-- Nobody but the admin writes. Exceptions: what the API asks for, and what programs, which run as the owner of the stream
-- table, write to rows of their own. Whole tables are never granted: who has DELETE may lock them.
SELECT test.eq('writing', (SELECT string_agg(format('%s on %s(%s) to %s', g.privilege, g.object, g."column", g.grantee), E'\n') FROM grants g
    WHERE g.privilege NOT IN ('SELECT', 'USAGE')
      AND (g.object, g."column") NOT IN (VALUES ('pgtrickle._requests', 'what'::name), ('pgtrickle._requests', 'details'), ('pgtrickle.pgt_facts', 'fingerprint'))
      AND NOT (g.object IN ('pgtrickle.pgt_frontiers', 'pgtrickle.pgt_immediate') AND g."column" IS NOT NULL AND g.privilege = 'UPDATE')), NULL);
SELECT test.eq('requests are asked for by those who insert them', (SELECT string_agg(g.privilege || ' ' || coalesce(g."column", ''), ', ' ORDER BY g.privilege, g."column") FROM grants g
    WHERE g.object = 'pgtrickle._requests'), 'INSERT details, INSERT what, SELECT answer');
-- A role that may write to a table of the catalog is limited to rows of his own.
SELECT test.eq('row security', (SELECT string_agg(DISTINCT g.object, ', ') FROM grants g JOIN pg_class c ON c.oid = g.object::regclass
    WHERE g.privilege NOT IN ('SELECT', 'USAGE') AND c.relkind = 'r' AND NOT c.relrowsecurity), NULL);
-- Functions: none can be led astray by the search_path of who calls it. What has no path of its own hands on the caller's, or is an
-- expression whose names were resolved when it was made.
SELECT test.eq('paths', (SELECT string_agg(p.oid::regprocedure::text, E'\n') FROM pg_proc p
    WHERE p.pronamespace = 'pgtrickle'::regnamespace AND p.prokind <> 'a' AND p.prosqlbody IS NULL
      AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS s WHERE s IN ('search_path=pg_catalog, pg_temp', 'search_path=""'))
      AND (p.prosecdef OR NOT p.prosrc ~ 'pg_catalog\.current_setting\(''search_path''\)')), NULL);
SELECT test.ok('all belong to the admin', NOT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = 'pgtrickle' AND p.proowner <> n.nspowner));
-- Everybody may call the API, which is documented, and the helpers that it calls with the caller's rights.
SELECT test.eq('without a word', (SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_proc p
    WHERE p.pronamespace = 'pgtrickle'::regnamespace AND left(p.proname, 1) <> '_' AND obj_description(p.oid, 'pg_proc') IS NULL), NULL);
-- What runs as the admin for all callers only looks, or has nothing to say about others: each of these was thought about.
SELECT test.eq('definers', (SELECT string_agg(DISTINCT p.proname, ', ' ORDER BY p.proname) FROM pg_proc p
    WHERE p.pronamespace = 'pgtrickle'::regnamespace AND p.prosecdef AND has_function_privilege('bob', p.oid, 'EXECUTE')
      AND p.proname NOT IN ('_pending', '_is_fresh', '_is_kept', '_immediate_trouble', '_hold_reason', '_not_covered', '_is_trusted', '_system_identifier', '_net_log',
                            -- only in a transaction that has moved the frontier, which the owner alone can
                            '_settle_refresh',
                            -- names and steps, which everybody sees, of all stream tables
                            'progress',
                            -- cycles: decided by frontiers, not by the caller
                            '_check_cycle', '_removals_pending', '_scc_is_known', '_scc_done', '_net_members')), NULL);
SELECT test.ok('bob may call the API', has_function_privilege('bob', 'pgtrickle.refresh_stream_table(text)', 'EXECUTE'));
SELECT test.eq('and nothing that writes', (SELECT string_agg(p.proname, ', ') FROM pg_proc p
    WHERE p.pronamespace = 'pgtrickle'::regnamespace AND p.proname LIKE E'\\_do\\_%' AND has_function_privilege('bob', p.oid, 'EXECUTE')), NULL);

-- The door: the caller is who inserts, whatever he says.
CREATE TABLE t (id int); ALTER TABLE t OWNER TO alice;
SET ROLE alice;
SELECT pgtrickle.create_stream_table('st', 'SELECT id FROM t');
SELECT pgt_id AS id FROM pgtrickle.pgt_stream_tables \gset
SET ROLE bob;
SELECT test.fails($$INSERT INTO pgtrickle._requests (what, details, caller) VALUES ('drop', '{"id": 1}', 'alice')$$, '42501'),
       test.fails(format($$SELECT pgtrickle._request('drop', '{"id": %s}')$$, :id), '42501', 'must be owner'),
       test.fails(format($$SELECT pgtrickle._request('alter', '{"id": %s, "set": {"status": "PAUSED"}}')$$, :id), '42501'),
       test.fails(format($$SELECT pgtrickle._request('lock_frontiers', '[%s]')$$, :id), '42501'),
       test.fails(format($$SELECT pgtrickle._request('refreshed', '{"pgt_id": %s, "action": "FULL"}')$$, :id), '42501'),
       test.fails(format($$SELECT pgtrickle._request('lock', '{"id": %s}')$$, :id), '42501'),
       test.fails(format($$SELECT pgtrickle._request('join_refresh_group', '{"group_id": 1, "id": %s}')$$, :id), '42501'),
       test.fails(format($$SELECT pgtrickle._request('create_refresh_group', '{"group_name": "x", "isolation": "repeatable_read", "members": [%s]}')$$, :id), '42501'),
       test.fails(format($$SELECT pgtrickle._request('gate', '{"relid": %s, "gate": true}')$$, 't'::regclass::oid), '42501'),
       test.fails(format($$SELECT pgtrickle._request('watermark', '{"relid": %s, "watermark": "2024-01-01"}')$$, 't'::regclass::oid), '42501'),
       test.fails(format($$SELECT pgtrickle._request('create_watermark_group', '{"group_name": "x", "sources": [%s]}')$$, 't'::regclass::oid), '42501'),
       test.fails(format($$SELECT pgtrickle._request('create', '{"pgt_relid": %s, "original_query": "SELECT 1", "defining_query": "SELECT 1"}')$$, 't'::regclass::oid), '42501'),
       test.fails($$SELECT pgtrickle._request('anything', '{}')$$, '20000');
-- an owner: of what is his, what is his to set
SET ROLE alice;
SELECT test.fails(format($$SELECT pgtrickle._request('alter', '{"id": %s, "set": %s}')$$, :id, s), '42501', 'permission denied to set')
FROM unnest(ARRAY['{"generation": 9223372036854775807}', '{"status": "ACTIVE"}', '{"last_error": "x"}', '{"plan": "x"}', '{"pgt_name": "x"}', '{"pgt_relid": 1}',
                  '{"created_by": "bob"}', '{"skipped_at": null}', '{"needs_reinit": false}', '{"definite_query": "SELECT 1"}', '{"previous": {}}',
                  '{"options": {}}', '{"fuse_learned": 1}', '{"non_monotone": null}', '{"nothing": 1}']) AS s;
SELECT pgtrickle._request('alter', jsonb_build_object('id', :id, 'set', '{"settings": {"search_path": "x", "DateStyle": "ISO, DMY"}}'::jsonb));
SELECT test.eq('settings', (SELECT settings FROM pgtrickle.pgt_stream_tables), '{"DateStyle": "ISO, DMY"}');
-- what it reads is what a view of PostgreSQL's says that she may read
CREATE TABLE mine (id int); CREATE TEMPORARY VIEW v AS SELECT id FROM t;
RESET ROLE;
CREATE TABLE secret (id int); REVOKE ALL ON secret FROM PUBLIC;
CREATE VIEW shown AS SELECT id FROM secret; GRANT SELECT ON shown TO alice;
SET ROLE alice;
CREATE TEMPORARY VIEW forged AS SELECT id FROM secret; CREATE TEMPORARY VIEW allowed AS SELECT id FROM shown;
CREATE FUNCTION enter(view_name text) RETURNS text LANGUAGE sql AS $$
    SELECT format('SELECT pgtrickle._request(''create'', ''{"pgt_relid": %s, "view": %s, "original_query": "x", "defining_query": "x", "settings": {}, "schedule": "1s", '
                  '"refresh_mode": "AUTO", "is_populated": false, "tier": "hot", "fuse": "off", "allow_circular": false, "pgt_name": "secret", "created_by": "postgres"}'')',
                  'mine'::regclass::oid, view_name::regclass::oid) $$;
SELECT test.fails(enter('forged'), '42501', 'permission denied to read public.secret');
SELECT test.fails(replace(enter('v'), format('"pgt_relid": %s', 'mine'::regclass::oid), format('"pgt_relid": %s', 'secret'::regclass::oid)), '42501', 'must be owner of public.secret');
SELECT enter('allowed') AS statement \gset
:statement;
SELECT test.eq('names are those of PostgreSQL', (SELECT format('%s.%s by %s', pgt_schema, pgt_name, created_by) FROM pgtrickle.pgt_stream_tables WHERE pgt_relid = 'mine'::regclass), 'public.mine by alice');
SELECT test.eq('it reads', (SELECT string_agg(source_name, ' ' ORDER BY source_name) FROM pgtrickle.pgt_dependencies JOIN pgtrickle.pgt_stream_tables USING (pgt_id)
    WHERE pgt_relid = 'mine'::regclass), 'secret shown');

-- Reading: bob sees that there is one, alice what it is.
RESET ROLE;
UPDATE pgtrickle.pgt_stream_tables SET last_error = 'row (id)=(SSN 1)', last_error_hint = 'SSN 2', last_error_code = '22P02', plan = 'SSN 3', reason = 'SSN 4', needs_reinit = true,
    reinit_reason = 'SSN 5', failed_alteration = '{"message": "SSN 6", "hint": "SSN 7"}', original_query = 'SELECT id FROM t -- SSN 8', status = 'ERROR' WHERE pgt_id = :id;
INSERT INTO pgtrickle.pgt_refresh_history (pgt_id, status, error_code, error_message, initiated_by) VALUES (:id, 'FAILED', '22P02', 'SSN 9', 'SCHEDULER');
INSERT INTO pgtrickle.pgt_facts (pgt_id, classid, objid, kind, object_type, identity, used_by, fingerprint) VALUES (:id, 1, 1, 'definition', 'function', 'f(SSN 10)', 'query', '{}');
CREATE FUNCTION seen() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT s::text FROM pgtrickle.stream_tables AS s UNION ALL SELECT s::text FROM pgtrickle.pgt_stream_tables AS s UNION ALL SELECT s::text FROM pgtrickle._stream_tables AS s
    UNION ALL SELECT s::text FROM pgtrickle.pgt_refresh_history AS s UNION ALL SELECT s::text FROM pgtrickle._refresh_history AS s UNION ALL SELECT s::text FROM pgtrickle.pgt_facts AS s
    UNION ALL SELECT s::text FROM pgtrickle.get_refresh_history('st') AS s UNION ALL SELECT s::text FROM pgtrickle.diagnose_errors('st') AS s
    UNION ALL SELECT pgtrickle.explain_stream_table('st') UNION ALL SELECT s::text FROM pgtrickle.explain_refresh_mode('st') AS s
    UNION ALL SELECT s::text FROM pgtrickle.health_check() AS s UNION ALL SELECT s::text FROM pgtrickle.pgt_status() AS s UNION ALL SELECT s::text FROM pgtrickle.fuse_status() AS s
    UNION ALL SELECT s::text FROM pgtrickle.dependency_tree() AS s UNION ALL SELECT s::text FROM pgtrickle.pgt_scc_status() AS s $$;
SET ROLE bob;
SELECT test.eq('bob sees no values', (SELECT string_agg(s, E'\n') FROM seen() AS s WHERE s ~ 'SSN'), NULL);
SELECT test.fails('SELECT pgtrickle.wait_until_active(''st'')', '22P02', '^((?!SSN).)*$');
SELECT test.eq('but that there is one', (SELECT format('%s %s %s %s', name, status, schedule, owner) FROM pgtrickle.stream_tables WHERE name = 'public.st'), 'public.st ERROR calculated alice');
SELECT test.eq('and its history', (SELECT count(*) FROM pgtrickle.get_refresh_history('st') WHERE status = 'FAILED'), 1::bigint);
SELECT test.eq('and what it reads', (SELECT count(*) FROM pgtrickle.dependency_tree() WHERE node = 'public.t'), 1::bigint);
SET ROLE alice;
SELECT test.eq('alice sees all of them', (SELECT string_agg(DISTINCT m[1], ' ' ORDER BY m[1]) FROM seen() AS s, regexp_matches(s, 'SSN ([0-9]+)', 'g') AS m), '1 10 2 3 4 5 6 7 8 9');
SELECT test.fails('SELECT pgtrickle.wait_until_active(''st'')', '22P02', 'SSN 1');
RESET ROLE;
SELECT test.eq('columns of the view are those of the table', (SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'pgtrickle._stream_tables'::regclass AND attnum > 0),
    (SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'pgtrickle.pgt_stream_tables'::regclass AND attnum > 0));
