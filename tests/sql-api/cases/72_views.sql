-- What stream_tables, pgt_status(), health_check() and explain_stream_table() say about scheduling
CREATE TABLE t (id int);
CREATE TABLE u (id int);
SELECT pgtrickle.create_stream_table('a', 'SELECT * FROM t', max_staleness => '1 min', fuse => 'on', fuse_ceiling => 10), pgtrickle.create_stream_table('b', 'SELECT * FROM a', tier => 'cold'),
       pgtrickle.create_stream_table('c', 'SELECT * FROM u', schedule => '@daily');
SELECT pgtrickle._install_capture('t'::regclass, '{1}') AS t \gset
SELECT pgtrickle._install_capture('a'::regclass, '{1}') AS a \gset
SELECT pgtrickle._install_capture('u'::regclass, '{1}') AS u \gset
UPDATE pgtrickle.pgt_dependencies d SET source_id = (SELECT s.source_id FROM pgtrickle.pgt_sources s WHERE s.relid = d.source_relid);
UPDATE pgtrickle.pgt_stream_tables SET status = 'ACTIVE', needs_reinit = false;
INSERT INTO pgtrickle.pgt_daemons (instance, is_leader, host) VALUES ('x', true, 'h');
CREATE PROCEDURE consume(age interval) LANGUAGE sql AS $$
    UPDATE pgtrickle.pgt_frontiers SET snapshot = pg_current_snapshot(), xid = pg_current_xact_id(), seq = nextval('pgtrickle_changes.log_seq'), data_timestamp = now() - age $$;
CREATE FUNCTION health(name text) RETURNS text LANGUAGE sql AS $$ SELECT severity || ' ' || detail FROM pgtrickle.health_check() WHERE check_name = name $$;
CREATE FUNCTION slo() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(coalesce(slo_violated::text, '-'), ' ' ORDER BY name) FROM pgtrickle.stream_tables $$;
-- both show the same
SELECT test.eq('columns', (SELECT string_agg(concat_ws('/', table_name, tier, max_staleness, fuse, fuse_blown_at, held, skipped_at, allow_circular, scc_id), ' ' ORDER BY name) FROM pgtrickle.stream_tables),
    'a/hot/00:01:00/on/f b/cold/off/f c/hot/off/f');
SELECT test.eq('status', (SELECT count(*) FROM pgtrickle.pgt_status() p JOIN pgtrickle.stream_tables s USING (name)
    WHERE (p.tier, p.fuse, p.allow_circular) = (s.tier, s.fuse, s.allow_circular) AND (p.max_staleness, p.slo_violated, p.fuse_blown_at, p.held, p.skipped_at, p.scc_id)
    IS NOT DISTINCT FROM (s.max_staleness, s.slo_violated, s.fuse_blown_at, s.held, s.skipped_at, s.scc_id)), 3::bigint);
-- a promise: broken by age only if something is missing
SELECT test.eq('not initialised', slo(), '- - -');
CALL consume('2 min');
SELECT test.eq('old but fresh', slo() || ' ' || health('slo'), 'false - - OK no stream table is older than its max_staleness');
INSERT INTO t VALUES (1);
SELECT test.ok('broken', slo() = 'true - -' AND health('slo') ~ '^ERROR public.a is 00:02:\d\d old, promised are 00:01:00$');
CALL consume('0');
INSERT INTO t VALUES (2); INSERT INTO u VALUES (1);
SELECT test.eq('young', slo() || ' ' || left(health('slo'), 2), 'false - - OK');
CALL consume('1 h');
SELECT test.ok('all fresh', health('stale') ~ '^OK');
INSERT INTO t VALUES (3); INSERT INTO u VALUES (2);
SELECT test.ok('stale by its schedule; not by that of cron', health('stale') ~ '^WARN public.a by 01:00:\d\d \(');
UPDATE pgtrickle.pgt_stream_tables SET tier = 'frozen' WHERE pgt_name = 'a';
SELECT test.ok('frozen ones are to be stale', health('stale') ~ '^OK');
UPDATE pgtrickle.pgt_stream_tables SET tier = 'hot' WHERE pgt_name = 'a';
-- what is recomputed although nobody said how often is recomputed as seldom as its cost wants
UPDATE pgtrickle.pgt_stream_tables SET effective_refresh_mode = 'FULL', max_staleness = NULL WHERE pgt_name = 'a';
SELECT test.ok('soon, if it costs nothing', health('stale') ~ '^WARN public.a by 01:00');
INSERT INTO pgtrickle.pgt_refresh_stats AS r (pgt_id, last_duration_ms) SELECT pgt_id, 30000 FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'a' ON CONFLICT (pgt_id) DO UPDATE SET last_duration_ms = 30000;
SELECT test.ok('every 25 min, at most', health('stale') ~ '^OK');
UPDATE pgtrickle.pgt_stream_tables SET max_staleness = '1 min' WHERE pgt_name = 'a';
SELECT test.ok('with a promise sooner', health('stale') ~ '^WARN public.a by 01:00');
UPDATE pgtrickle.pgt_stream_tables SET effective_refresh_mode = NULL WHERE pgt_name = 'a'; DELETE FROM pgtrickle.pgt_refresh_stats;
-- gates
SELECT pgtrickle.gate_source('t');
SELECT test.ok('held', (SELECT string_agg(table_name, ' ' ORDER BY name) FROM pgtrickle.stream_tables WHERE held ~ 'public.t is gated') = 'a b' AND health('gated_sources') ~ '^WARN public.t for 00:00:0\d \('
    AND health('stale') ~ '^OK' AND pgtrickle.explain_stream_table('b') ~ 'held          .*public.t is gated');
SELECT pgtrickle.ungate_source('t');
SELECT test.ok('not held', NOT EXISTS (SELECT FROM pgtrickle.stream_tables WHERE held IS NOT NULL) AND health('gated_sources') = 'OK none');
-- a fuse, skipped changes
SELECT test.eq('intact', health('fuse_blown') || ', ' || health('skipped_changes'), 'OK none, OK none');
UPDATE pgtrickle.pgt_stream_tables SET fuse_blown_at = now(), fuse_blow_reason = '12 rows are pending, 10 are allowed', skipped_at = now() WHERE pgt_name = 'a';
SELECT test.ok('blown', health('fuse_blown') ~ '^ERROR public.a: 12 rows are pending, 10 are allowed \(.*reset_fuse' AND health('skipped_changes') ~ '^WARN public.a \(they do not equal');
SELECT test.ok('explained', pgtrickle.explain_stream_table('a') ~ 'promised      at most 00:01:00 old\s+fuse          on, more than 10 pending rows blow it; blown .*: 12 rows are pending.*skipped       changes were skipped');
SELECT test.ok('short where there is nothing to say', pgtrickle.explain_stream_table('b') ~ 'schedule      calculated, tier cold\s+query' AND pgtrickle.explain_stream_table('c') ~ 'schedule      @daily\s+query');
-- the daemon
SELECT test.eq('running', health('daemon_paused'), 'OK no');
UPDATE pgtrickle.pgt_control SET paused = true, paused_at = now(), paused_by = 'bob', reason = 'upgrade';
SELECT test.ok('paused', health('daemon_paused') ~ '^WARN paused by bob 00:00:00 ago: upgrade \(nothing');
UPDATE pgtrickle.pgt_control SET paused = false;
-- cycles
SELECT test.eq('no cycle', health('cycles'), 'OK no cycle failed');
INSERT INTO pgtrickle.pgt_sccs (scc_id, members, generations, frontiers, last_error) SELECT min(pgt_id), array_agg(pgt_id ORDER BY pgt_id), '{}', '{}', 'no fixed point after 100 iterations'
FROM pgtrickle.pgt_stream_tables WHERE pgt_name IN ('a', 'b');
SELECT test.eq('a cycle that is no more', health('cycles'), 'OK no cycle failed');
SELECT pgtrickle.alter_stream_table('b', allow_circular => true), pgtrickle.alter_stream_table('a', query => 'SELECT * FROM t UNION SELECT * FROM b', allow_circular => true);
SELECT test.eq('failed', health('cycles'), 'ERROR public.a, public.b: no fixed point after 100 iterations');
SET ROLE bob;
SELECT test.eq('why is for its owner', (SELECT count(*)::text FROM pgtrickle.pgt_sccs), '0');
SELECT test.eq('that there is a cycle is for all', (SELECT count(*) || ' ' || count(c.last_error) FROM pgtrickle._sccs c), '1 0');
RESET ROLE;
-- everybody may look
SET ROLE bob;
SELECT count(*) FROM pgtrickle.stream_tables; SELECT count(held) FROM pgtrickle.pgt_status(); SELECT count(*) FROM pgtrickle.health_check(); SELECT pgtrickle.explain_stream_table('a');
RESET ROLE;
