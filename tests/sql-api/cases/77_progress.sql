-- What is being built: who waits, who is at which step, and that only the daemon writes it down
CREATE TABLE src (id int PRIMARY KEY, v int);
SELECT pgtrickle.create_stream_table('st', 'SELECT id, v FROM src');
SELECT pgt_id AS st FROM pgtrickle.pgt_stream_tables WHERE pgt_relid = 'st'::regclass \gset
SELECT test.eq('waits', (SELECT concat_ws(' ', p.stream_table, p.step) FROM pgtrickle.progress() p), 'public.st waits to be built');
BEGIN;
SELECT pgtrickle._at_step(:st, 'compiling');
SELECT test.eq('compiles', (SELECT concat_ws(' ', p.step, p.since = p.started, p.seconds >= 0) FROM pgtrickle.progress() p), 'compiling t t');
SELECT pgtrickle._at_step(:st, 'filling it');
SELECT test.eq('fills', (SELECT concat_ws(' ', p.step, p.since > p.started) FROM pgtrickle.progress() p), 'filling it t');
ROLLBACK;
UPDATE pgtrickle.pgt_stream_tables SET status = 'ACTIVE' WHERE pgt_id = :st;
SELECT test.ok('is done', NOT EXISTS (SELECT FROM pgtrickle.progress()));
UPDATE pgtrickle.pgt_stream_tables SET needs_reinit = true WHERE pgt_id = :st;
SELECT test.eq('is to be rebuilt', (SELECT p.step FROM pgtrickle.progress() p), 'waits to be built');
-- a session that has ended builds nothing
INSERT INTO pgtrickle.pgt_progress (pgt_id, pid, step) VALUES (:st, 0, 'filling it');
SELECT test.eq('waits again', (SELECT p.step FROM pgtrickle.progress() p), 'waits to be built');
