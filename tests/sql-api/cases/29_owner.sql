-- A stream table that gets another owner: its program still runs as the old one
CREATE TABLE t (id int);
SELECT pgtrickle.create_stream_table('st', 'SELECT id FROM t'), pgtrickle.create_stream_table('same', 'SELECT id FROM t');
SELECT test.build('st') AS id \gset
SELECT test.build('same') AS same \gset
CREATE FUNCTION pgtrickle_state.apply_:id() RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION pgtrickle_state.apply_:same() RETURNS void LANGUAGE sql AS '';
ALTER TABLE same SET (fillfactor = 90);
GRANT ALL ON SCHEMA public TO alice;
ALTER TABLE st OWNER TO alice;
SELECT test.eq('reason', (SELECT string_agg(pgt_name || ': ' || reinit_reason, ', ') FROM pgtrickle.pgt_stream_tables WHERE needs_reinit), CASE WHEN :'way' <> 'limited' THEN 'st: the stream table has a new owner' END);
-- where nobody sees it, the next refresh fails, and resuming it must help
UPDATE pgtrickle.pgt_stream_tables SET status = 'SUSPENDED', needs_reinit = false WHERE pgt_id IN (:id, :same);
SELECT pgtrickle.resume_stream_table('st'), pgtrickle.resume_stream_table('same');
SELECT test.eq('rebuilt', (SELECT status FROM pgtrickle.pgt_stream_tables WHERE pgt_id = :id), 'PENDING'), test.eq('only that one', (SELECT status FROM pgtrickle.pgt_stream_tables WHERE pgt_id = :same), 'ACTIVE');
