-- Rows, of all kinds of statements
CREATE TABLE t (id int PRIMARY KEY, a text, unread text, n numeric, f float8);
INSERT INTO t SELECT i, 'a' || i, 'x', i, i FROM generate_series(1, 10) i;
SELECT pgtrickle._install_capture('t'::regclass, test.cols('t', 'id', 'a', 'n', 'f')) AS n \gset
SELECT test.eq('again', pgtrickle._install_capture('t'::regclass, test.cols('t', 'a')), :n::bigint);
SELECT test.watch(:n);
INSERT INTO t VALUES (11, 'b', 'y', 1.0, 0); SELECT test.check_log('insert', :n, 1);
UPDATE t SET unread = 'z'; SELECT test.check_log('update of a column nobody reads', :n, 0);
UPDATE t SET a = a; SELECT test.check_log('update that changes nothing', :n, 0);
UPDATE t SET a = 'c' WHERE id <= 2; SELECT test.check_log('update', :n, 4);
UPDATE t SET id = 100 WHERE id = 1; SELECT test.check_log('key update', :n, 2);
UPDATE t SET id = id + 1000; SELECT test.check_log('all keys', :n, 22);
UPDATE t SET n = 1.00 WHERE id = 1011; SELECT test.check_log('equal but not the same: numeric', :n, 2);
UPDATE t SET f = '-0' WHERE id = 1011; SELECT test.check_log('equal but not the same: float', :n, 2);
UPDATE t SET a = NULL WHERE id > 1005; SELECT test.check_log('to NULL', :n);
UPDATE t SET a = NULL WHERE id > 1005; SELECT test.check_log('NULL to NULL', :n, 0);
DELETE FROM t WHERE id = 1002; SELECT test.check_log('delete', :n, 1);
DELETE FROM t WHERE false; SELECT test.check_log('nothing', :n, 0);
INSERT INTO t VALUES (1003, 'x'), (7, 'new') ON CONFLICT (id) DO UPDATE SET a = 'conflict'; SELECT test.check_log('on conflict update', :n);
INSERT INTO t VALUES (1003, 'x'), (8, 'new') ON CONFLICT DO NOTHING; SELECT test.check_log('on conflict nothing', :n, 1);
MERGE INTO t USING (VALUES (7, 'm'), (8, 'm'), (9, 'm')) AS s(id, a) ON t.id = s.id
  WHEN MATCHED AND s.id = 7 THEN DELETE WHEN MATCHED THEN UPDATE SET a = s.a WHEN NOT MATCHED THEN INSERT (id, a) VALUES (s.id, s.a);
SELECT test.check_log('merge', :n);
COPY t (id, a) FROM stdin;
201	copy
202	\N
\.
SELECT test.check_log('copy', :n, 2);
WITH d AS (DELETE FROM t WHERE id = 201 RETURNING *), i AS (INSERT INTO t SELECT id + 1000000, a FROM d RETURNING *) UPDATE t SET a = 'cte' WHERE id = 202;
SELECT test.check_log('three changes in one statement', :n);
BEGIN; TRUNCATE t; INSERT INTO t VALUES (1, 'after truncate'); COMMIT;
SELECT test.check_log('truncate', :n, -1);
BEGIN; INSERT INTO t VALUES (2); SAVEPOINT s; INSERT INTO t VALUES (3); ROLLBACK TO s; INSERT INTO t VALUES (4); COMMIT;
SELECT test.check_log('savepoints', :n, 2);
BEGIN; INSERT INTO t VALUES (5); ROLLBACK; SELECT test.check_log('rollback', :n, 0);
BEGIN; INSERT INTO t VALUES (5); SELECT test.check_log('own changes', :n, 1); INSERT INTO t VALUES (6); SELECT test.check_log('own changes again', :n, 1); INSERT INTO t VALUES (16); COMMIT;
SELECT test.check_log('after commit', :n, 1);
-- keyless, duplicates, and more equal rows than a smallint holds
CREATE TABLE keyless (a int, b text);
INSERT INTO keyless SELECT 1, 'x' FROM generate_series(1, 3);
SELECT pgtrickle._install_capture('keyless'::regclass, test.cols('keyless', 'a', 'b')) AS k \gset
SELECT test.watch(:k);
DELETE FROM keyless WHERE ctid IN (SELECT ctid FROM keyless LIMIT 1); SELECT test.check_log('one of three equal rows', :k, 1);
INSERT INTO keyless SELECT 2, 'many' FROM generate_series(1, 70000); SELECT test.check_log('many', :k, 70000);
UPDATE keyless SET a = 3 WHERE a = 2; SELECT test.check_log('weight beyond smallint', :k, 140000);
-- no column at all: count(*)
CREATE TABLE counted (a int);
SELECT pgtrickle._install_capture('counted'::regclass, '{}') AS c \gset
INSERT INTO counted VALUES (1), (2); UPDATE counted SET a = 5; DELETE FROM counted WHERE a = 5; TRUNCATE counted;
SELECT test.eq('no columns', (SELECT array_agg(w ORDER BY seq)::text FROM pgtrickle_changes.log_3), '{1,1,-1,-1,0}');
SELECT test.eq('source id', :c::bigint, 3::bigint);
-- adding columns to a log keeps rows and grants
SET application_name = 'pgtrickled build';       -- what others grant is undone at once
GRANT SELECT (xid, seq, w) ON pgtrickle_changes.log_2 TO bob;
RESET application_name;
ALTER TABLE keyless ADD COLUMN c text DEFAULT 'd';
SELECT test.eq('same log', pgtrickle._install_capture('keyless'::regclass, test.cols('keyless', 'a', 'b', 'c')), :k::bigint);
SELECT test.eq('columns', (SELECT columns FROM pgtrickle.pgt_sources WHERE source_id = :k), '{1,2,3}'::int2[]);
SELECT test.ok('grant', has_column_privilege('bob', 'pgtrickle_changes.log_2', 'w', 'SELECT'));
SELECT test.ok('no more than that', NOT has_table_privilege('bob', 'pgtrickle_changes.log_2_a', 'SELECT'));
DROP TABLE test.copy_2; DELETE FROM test.frontier WHERE source = 2; SELECT test.watch(:k);
UPDATE keyless SET c = 'e' WHERE a = 1; SELECT test.check_log('new column', :k, 4);
-- a lower attribute number added later
SELECT test.eq('t again', pgtrickle._install_capture('t'::regclass, test.cols('t', 'unread')), :n::bigint);
UPDATE t SET unread = 'now read' WHERE id = 2;
SELECT test.eq('captured now', (SELECT count(*) FROM pgtrickle_changes.log_1 WHERE c3 = 'now read'), 1::bigint);
SELECT test.eq('triggers', (SELECT count(*) FROM pg_trigger WHERE tgrelid = 't'::regclass AND tgenabled = 'A' AND tgname ~ '^pgtrickle_1_'), 4::bigint);
-- replication role
SELECT :'way' <> 'limited' AS superuser \gset
\if :superuser
SET session_replication_role = replica;
INSERT INTO keyless VALUES (9, 'replica', 'r');
RESET session_replication_role;
SELECT test.check_log('replica', :k, 1);
\endif
-- cannot be captured
CREATE MATERIALIZED VIEW mv AS SELECT 1 AS a; CREATE VIEW v AS SELECT 1 AS a; CREATE TEMP TABLE tmp (a int); CREATE UNLOGGED TABLE unl (a int);
SELECT test.fails(format('SELECT pgtrickle._install_capture(%L::regclass, ''{1}'')', x), '0A000', 'cannot capture') FROM unnest(ARRAY['mv', 'v', 'tmp', 'unl', 'pg_class', 'pgtrickle.pgt_sources']) x;
SELECT test.fails('SELECT pgtrickle._install_capture(1, ''{1}'')', '42P01', 'does not exist');
SELECT test.fails('SELECT pgtrickle._install_capture(''t''::regclass, ''{99}'')', '42703', '99');
SELECT test.fails('SELECT pgtrickle._install_capture(''t''::regclass, ''{-1}'')', '42703', '-1');
SELECT test.fails('SELECT pgtrickle._install_capture(''t''::regclass, ''{NULL}'')', '42703', '');
-- uninstalling leaves nothing
SELECT pgtrickle._uninstall_capture(:n), pgtrickle._uninstall_capture(:k), pgtrickle._uninstall_capture(:c), pgtrickle._uninstall_capture(12345);
SELECT test.eq('nothing is left', (SELECT count(*) FROM pg_class WHERE relnamespace = 'pgtrickle_changes'::regnamespace AND relkind <> 'S' AND relname NOT LIKE '%seq')
    + (SELECT count(*) FROM pg_proc WHERE pronamespace = 'pgtrickle_changes'::regnamespace) + (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'pgtrickle%'), 0::bigint);
INSERT INTO t VALUES (12345);
