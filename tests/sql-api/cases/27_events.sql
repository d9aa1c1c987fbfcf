-- ways: plain extension
-- What only event triggers notice
CREATE TABLE t (id int, a int);
CREATE TABLE other (id int);
CREATE VIEW v AS SELECT id FROM t;
SELECT pgtrickle.create_stream_table('on_t', 'SELECT a FROM t'), pgtrickle.create_stream_table('on_v', 'SELECT id FROM v'), pgtrickle.create_stream_table('on_other', 'SELECT * FROM other'),
       pgtrickle.create_stream_table('on_st', 'SELECT count(*) AS n FROM on_other');
CREATE FUNCTION reasons() RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
    SELECT string_agg(pgt_name || ': ' || reinit_reason, '; ' ORDER BY pgt_name) INTO r FROM pgtrickle.pgt_stream_tables WHERE needs_reinit;
    UPDATE pgtrickle.pgt_stream_tables SET needs_reinit = false, reinit_reason = NULL;
    RETURN r;
END $$;
SELECT pgtrickle._install_capture('t'::regclass, '{2}') AS n \gset
-- a rewrite that changes values and nothing else
ALTER TABLE t ALTER COLUMN a TYPE int USING a + 1;
SELECT test.ok('rewrite', reasons() ~ 'on_t: table public.t was rewritten');
INSERT INTO t VALUES (1, 1);
SELECT test.eq('markers', (SELECT array_agg(w)::text FROM pgtrickle_changes.log_1), '{0,0}');
SELECT pgtrickle._install_capture('t'::regclass, '{2}') AS n2 \gset
SELECT test.ok('new log', :n2 > :n);
SELECT reasons();
CREATE INDEX t_idx ON t (id);
VACUUM FULL t; CLUSTER t USING t_idx;
SELECT test.eq('no change of data', reasons(), NULL::text);
-- views
CREATE OR REPLACE VIEW v AS SELECT id + 1 AS id FROM t;
SELECT test.eq('replaced view', reasons(), 'on_v: view public.v was replaced');
ALTER VIEW v RENAME COLUMN id TO ident;
SELECT test.eq('column of a view', reasons(), 'on_v: column id of public.v was renamed to ident');
ALTER VIEW v RENAME TO v2;
SELECT test.ok('renamed view', reasons() ~ 'public.v was renamed to public.v2');
-- renames
ALTER TABLE other RENAME TO other2;
SELECT test.eq('renamed source', reasons(), 'on_other: public.other was renamed to public.other2');
ALTER TABLE on_other RENAME TO on_other2;
SELECT test.eq('renamed stream table', (SELECT pgt_name::text FROM pgtrickle.pgt_stream_tables WHERE pgt_relid = 'on_other2'::regclass), 'on_other2');
SELECT test.ok('renamed stream table and its reader', reasons() ~ 'on_other2: the stream table was renamed.*on_st: public.on_other was renamed');
SELECT test.ok('new name works', pgtrickle.explain_stream_table('on_other2') ~ 'public.on_other2');
-- drops
DROP VIEW v2;
SELECT test.ok('dropped view', reasons() ~ 'on_v: view public.v2 was dropped');
ALTER TABLE t DROP COLUMN a;
SELECT test.ok('dropped column', reasons() ~ 'on_t: column');
DROP TABLE other2;
SELECT test.ok('dropped source', reasons() ~ 'on_other2: table public.other2 was dropped');
DROP TABLE on_st;
SELECT test.eq('a stream table dropped by DROP TABLE', (SELECT count(*) FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'on_st'), 0::bigint);
DROP TABLE t;
SELECT test.ok('dropped captured source', pgtrickle._source_problem(:n2) ~ 'was dropped');
-- a role without any right on the catalog alters and drops its tables
SET ROLE alice;
CREATE TABLE hers (id int, a text);
RESET ROLE;
SELECT pgtrickle._install_capture('hers'::regclass, '{1,2}') AS h \gset
SET ROLE alice;
INSERT INTO hers VALUES (1, 'a');
ALTER TABLE hers RENAME a TO b;
INSERT INTO hers VALUES (2, 'b');
RESET ROLE;
SELECT test.eq('captured, then markers', (SELECT array_agg(w ORDER BY seq)::text FROM (SELECT w, seq FROM pgtrickle_changes.log_3) x), '{1,0,0}');
SET ROLE alice;
SELECT test.fails('SELECT pgtrickle._neutralize_capture(3)', '42501'), test.fails('SELECT pgtrickle._uninstall_capture(3)', '42501'),
       test.fails('SELECT * FROM pgtrickle_changes.log_3', '42501'), test.fails('INSERT INTO pgtrickle_changes.log_3_a (w) VALUES (1)', '42501');
DROP TABLE hers;
RESET ROLE;
-- the extension can go while its event triggers are there
DROP SCHEMA IF EXISTS never;
-- ALTER while the daemon rotates, and the other way round: neither fails, writes go on
CREATE TABLE busy (id int, a text);
SELECT pgtrickle._install_capture('busy'::regclass, '{1,2}') AS b \gset
SELECT test.connect('rotator');
INSERT INTO busy VALUES (1, 'x');
BEGIN; ALTER TABLE busy RENAME a TO b;
SELECT test.eq('busy', test.ask('rotator', format('SELECT pgtrickle._rotate_log(%s, 0)', :b)), 'busy');
COMMIT;
SELECT test.eq('rotated afterwards', test.ask('rotator', format('SELECT pgtrickle._rotate_log(%s, 0)', :b)), 'switched');
INSERT INTO busy VALUES (2, 'y');
SELECT test.ok('still markers only', (SELECT problem ~ 'renamed' FROM pgtrickle.pgt_sources WHERE source_id = :b));
SELECT pgtrickle._uninstall_capture(:b);
ALTER TABLE busy RENAME b TO a;
SELECT pgtrickle._install_capture('busy'::regclass, '{1,2}') AS b \gset
SELECT test.run('rotator', 'BEGIN'), test.ask('rotator', 'INSERT INTO busy VALUES (3, ''z'') RETURNING id::text'), test.ask('rotator', format('SELECT pgtrickle._rotate_log(%s, 0)', :b)), test.run('rotator', 'COMMIT');
ALTER TABLE busy RENAME a TO b;
INSERT INTO busy VALUES (4, 'u');
SELECT test.ok('markers', (SELECT problem ~ 'renamed' FROM pgtrickle.pgt_sources WHERE source_id = :b));
