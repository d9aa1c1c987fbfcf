-- Verifying tables of several owners in one session, by roles that may, in read-only transactions
-- ways: plain extension limited
CREATE SCHEMA a AUTHORIZATION alice; CREATE SCHEMA b AUTHORIZATION bob;
SET ROLE alice; CREATE TABLE a.t (id int); INSERT INTO a.t VALUES (1); SELECT pgtrickle.create_stream_table('a.st', 'SELECT id FROM a.t');
SET ROLE bob; CREATE TABLE b.t (id int); INSERT INTO b.t VALUES (1), (2); SELECT pgtrickle.create_stream_table('b.st', 'SELECT id FROM b.t'); RESET ROLE;
CREATE FUNCTION v(name text) RETURNS text LANGUAGE sql AS $$ SELECT missing || ' ' || extra FROM pgtrickle.verify_stream_table(name, false) $$;
SELECT test.eq('first owner', v('a.st'), '0 0'), test.eq('second owner', v('b.st'), '0 0'), test.eq('first again', v('a.st'), '0 0');
SET ROLE alice; INSERT INTO a.t VALUES (7); RESET ROLE;
SET ROLE bob; DELETE FROM b.t WHERE id = 2; RESET ROLE;
SELECT test.eq('differs', v('a.st'), '1 0'), test.eq('differs', v('b.st'), '0 1');
SELECT test.eq('nothing is left', (SELECT count(*) FROM pg_proc WHERE proname LIKE 'pgtrickle\_verify%'), 0::bigint);
-- read only: the owner can, others are told
SET ROLE alice;
BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT test.eq('owner, read only', v('a.st'), '1 0');
SELECT test.eq('locks', (SELECT string_agg(DISTINCT mode, ', ') FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'), 'AccessShareLock');
COMMIT;
RESET ROLE;
BEGIN READ ONLY;
SELECT test.fails('SELECT v(''a.st'')', '25006', 'a.st can be verified in a read-only transaction by its owner only.*Connect as role "alice"');
ROLLBACK;
