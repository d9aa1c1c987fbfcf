-- Source gates: who waits for whom, and that nobody sees a source half loaded
CREATE TABLE t (id int); CREATE TABLE u (id int); CREATE TABLE alone (id int);
CREATE VIEW tv AS SELECT id FROM t;
SELECT pgtrickle.create_stream_table('a', 'SELECT id FROM tv'), pgtrickle.create_stream_table('b', 'SELECT count(*) AS n FROM a'),
       pgtrickle.create_stream_table('c', 'SELECT id FROM u');
SELECT test.build('a') AS a, test.build('b') AS b, test.build('c') AS c \gset
SELECT test.connect('d');
CREATE FUNCTION held() RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(pgt_name, ' ' ORDER BY pgt_name), '') FROM pgtrickle.pgt_stream_tables WHERE pgtrickle._hold_reason(pgt_id) IS NOT NULL $$;
SELECT test.eq('nobody', held(), '');
SELECT pgtrickle.gate_source('t');
SELECT test.eq('through views and stream tables', held(), 'a b');
SELECT test.ok('reason', pgtrickle._hold_reason(:b) ~ '^source public.t is gated by \S+ since 20');
-- idempotent
SELECT gated_at AS at FROM pgtrickle.source_gates() \gset
SELECT pgtrickle.gate_source('public.t');
SELECT test.eq('gated once', (SELECT g::text FROM (SELECT source_table, schema_name, gated, gated_at = :'at' AS same, ungated_at FROM pgtrickle.source_gates()) g), '(t,public,t,t,)');
SELECT test.eq('status', (SELECT affected_stream_tables || ' ' || (gate_duration > '0') FROM pgtrickle.bootstrap_gate_status()), 'public.a, public.b true');
-- nothing is applied, everything is captured
INSERT INTO t VALUES (1), (2);
SELECT test.eq('daemon', test.refresh('a'), 'HELD'), test.eq('downstream', test.refresh('b'), 'HELD'), test.eq('others', test.refresh('c'), 'NO_DATA');
SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''a'')', '55000', 'public.a has to wait: source public.t is gated.*ungate_source');
SELECT test.fails('SELECT pgtrickle.refresh_stream_table(''b'')', '55000', 'public.b has to wait: source public.t is gated');
SELECT test.eq('nothing applied', (SELECT count(*) FROM a), 0::bigint);
SELECT test.eq('no history', (SELECT count(*) FROM pgtrickle.pgt_refresh_history), 0::bigint);
SELECT pgtrickle.ungate_source('t'), pgtrickle.ungate_source('t');
SELECT test.eq('one refresh with all', test.refresh('a') || (SELECT delta_rows FROM pgtrickle_state.refresh_1()), 'DIFFERENTIAL0');
SELECT test.eq('all of it', (SELECT count(*) FROM a), 2::bigint);
SELECT test.eq('opened', (SELECT g::text FROM (SELECT gated, ungated_at >= gated_at AS later FROM pgtrickle.source_gates()) g), '(f,t)');
SELECT pgtrickle.ungate_source('u');
SELECT test.eq('never gated', (SELECT count(*) FROM pgtrickle.source_gates()), 1::bigint);
-- views, stream tables, tables that nobody reads
SELECT pgtrickle.gate_source('tv'); SELECT test.eq('a view', held(), 'a b'); SELECT pgtrickle.ungate_source('tv');
SELECT pgtrickle.gate_source('a'); SELECT test.eq('a stream table: its readers', held(), 'b'); SELECT pgtrickle.ungate_source('a');
SELECT pgtrickle.gate_source('alone'); SELECT test.eq('nobody reads it', held(), '');
SELECT test.eq('affected', (SELECT affected_stream_tables FROM pgtrickle.bootstrap_gate_status() WHERE source_table = 'alone'), NULL::text);
SELECT pgtrickle.create_stream_table('later', 'SELECT id FROM alone'); SELECT test.eq('a new reader', held(), 'later');
SELECT pgtrickle.ungate_source('alone');
-- partitions
CREATE TABLE p (id int, k int) PARTITION BY LIST (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
SELECT pgtrickle.create_stream_table('whole', 'SELECT id FROM p'), pgtrickle.create_stream_table('part', 'SELECT id FROM p2');
SELECT pgtrickle.gate_source('p1'); SELECT test.eq('a partition: readers of the whole', held(), 'whole'); SELECT pgtrickle.ungate_source('p1');
SELECT pgtrickle.gate_source('p'); SELECT test.eq('the whole: readers of a partition', held(), 'part whole');
SELECT test.eq('affected by the whole', (SELECT affected_stream_tables FROM pgtrickle.bootstrap_gate_status() WHERE source_table = 'p'), 'public.whole, public.part');
SELECT pgtrickle.ungate_source('p');
-- a cycle, which only the catalog knows of here
INSERT INTO pgtrickle.pgt_dependencies (pgt_id, source_relid, source_type, source_schema, source_name) VALUES (:a, 'b'::regclass, 'STREAM_TABLE', 'public', 'b');
SELECT pgtrickle.gate_source('t'); SELECT test.eq('cycle', held(), 'a b');
SELECT test.eq('affected in a cycle', (SELECT affected_stream_tables FROM pgtrickle.bootstrap_gate_status() WHERE source_table = 't'), 'public.a, public.b');
SELECT pgtrickle.ungate_source('t'); SELECT pgtrickle.gate_source('b'); SELECT test.eq('a member of it', held(), 'a b'); SELECT pgtrickle.ungate_source('b');
DELETE FROM pgtrickle.pgt_dependencies WHERE pgt_id = :a AND source_relid = 'b'::regclass;
-- transactional: with the load, and undone with it
SELECT test.connect('w');
SELECT test.run('w', 'BEGIN'), test.ask('w', 'SELECT pgtrickle.gate_source(''t'')::text'), test.run('w', 'INSERT INTO t VALUES (3)');
SELECT test.eq('not yet', test.refresh('a'), 'NO_DATA');
SELECT test.run('w', 'COMMIT');
SELECT test.eq('with the rows', test.refresh('a'), 'HELD');
SELECT test.run('w', 'BEGIN'), test.ask('w', 'SELECT pgtrickle.ungate_source(''t'')::text'), test.run('w', 'ROLLBACK');
SELECT test.eq('still', test.refresh('a'), 'HELD');
-- a refresh that took its snapshot before the gate applies what it saw before
SELECT pgtrickle.ungate_source('t');
SELECT test.run('d', 'BEGIN ISOLATION LEVEL REPEATABLE READ'), test.ask('d', 'SELECT 1::text');
SELECT pgtrickle.gate_source('t'); INSERT INTO t VALUES (4);
SELECT test.eq('its snapshot decides', test.ask('d', 'SELECT action || delta_rows FROM pgtrickle_state.refresh_1()'), 'DIFFERENTIAL1'), test.run('d', 'COMMIT');
SELECT test.eq('three rows', (SELECT count(*) FROM a), 3::bigint);
SELECT test.eq('from then on', test.refresh('a'), 'HELD');
SELECT pgtrickle.ungate_source('t');
-- names and errors
CREATE SCHEMA "S 1"; CREATE TABLE "S 1"."T ""x"" %s'" (id int);
SELECT pgtrickle.gate_source('"S 1"."T ""x"" %s''"');
SELECT test.eq('hostile', (SELECT count(*) FROM pgtrickle.source_gates() WHERE source_table = 'T "x" %s''' AND schema_name = 'S 1'), 1::bigint);
SELECT pgtrickle.create_stream_table('"S 1"."st %s"', 'SELECT * FROM "S 1"."T ""x"" %s''"');
SELECT test.eq('hostile reader', (SELECT affected_stream_tables FROM pgtrickle.bootstrap_gate_status() WHERE gated), '"S 1"."st %s"');
SELECT test.ok('hostile reason', strpos(pgtrickle._hold_reason((SELECT max(pgt_id) FROM pgtrickle.pgt_stream_tables)), '"S 1"."T ""x"" %s''" is gated') > 0);
SET search_path = "S 1", public; CREATE TABLE t (id int); SELECT pgtrickle.gate_source('t'); RESET search_path;
SELECT test.eq('search_path', (SELECT string_agg(schema_name || '.' || source_table, ' ') FROM pgtrickle.source_gates() WHERE source_table = 't' AND gated), 'S 1.t');
CREATE SEQUENCE seq; CREATE INDEX ix ON t (id);
SELECT test.fails('SELECT pgtrickle.gate_source(''nope'')', '42P01', 'relation nope does not exist.*search_path'), test.fails('SELECT pgtrickle.ungate_source(''nope'')', '42P01'),
       test.fails('SELECT pgtrickle.gate_source(''seq'')', '42809', 'public.seq is not a table'), test.fails('SELECT pgtrickle.gate_source(''ix'')', '42809'),
       test.fails('SELECT pgtrickle.gate_source(''a b'')', '42602'), test.fails('SELECT pgtrickle.gate_source(NULL)', '22004');
-- rights: the owner only
CREATE FUNCTION as_bob(statement text, code text, pattern text DEFAULT '') RETURNS void LANGUAGE plpgsql SET role = bob AS $$ BEGIN PERFORM test.fails(statement, code, pattern); END $$;
GRANT ALL ON t TO bob;
SELECT as_bob('SELECT pgtrickle.gate_source(''public.t'')', '42501', 'must be owner of public.t to gate it.*belongs to role'), as_bob('SELECT pgtrickle.ungate_source(''public.t'')', '42501', 'ungate');
SELECT as_bob('INSERT INTO pgtrickle.pgt_source_gates (source_relid, source_schema, source_name, gated) VALUES (''public.u''::regclass, '''', '''', true)', '42501'),
       as_bob('DELETE FROM pgtrickle.pgt_source_gates', '42501');
SET ROLE bob;
SELECT test.fails('UPDATE pgtrickle.pgt_source_gates SET gated = true', '42501');
CREATE TABLE his (id int); SELECT pgtrickle.gate_source('his'); SELECT pgtrickle.gate_source('his');
SELECT test.eq('bob looks', (SELECT gated_by FROM pgtrickle.source_gates() WHERE source_table = 'his'), 'bob');
RESET ROLE;
SELECT test.eq('bob''s own only', held(), 'st %s');
-- dropped: nobody waits for what is gone
DROP TABLE "S 1".t, his;
SELECT test.eq('gone', (SELECT count(*) FROM pgtrickle.source_gates() WHERE source_table IN ('his') OR source_table = 't' AND schema_name = 'S 1'), 0::bigint);
SELECT pgtrickle.gate_source('u'); SELECT test.eq('held', held(), 'c st %s');
DROP TABLE u;
SELECT test.eq('free', held(), 'st %s');
SELECT test.ok('cleaned up, where the drop is noticed', :'way' = 'limited' OR NOT EXISTS (SELECT FROM pgtrickle.pgt_source_gates WHERE source_name = 'u'));
SELECT count(*) FROM pgtrickle.bootstrap_gate_status();
-- the daemon is told, once
SELECT test.ask('w', 'SELECT 1::text FROM (SELECT pg_listening_channels()) x RIGHT JOIN (SELECT 1) y ON true'), test.run('w', 'LISTEN pgtrickle_wake');
SELECT pgtrickle.gate_source('t'); SELECT pgtrickle.gate_source('t');
NOTIFY pgtrickle_wake, 'end'; SELECT test.eq('woken once, for everything', test.notified('w'), '""');
