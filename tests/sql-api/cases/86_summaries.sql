-- Short answers about all stream tables
CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b');
SELECT test.eq('empty', (SELECT status || ' ' || total_stream_tables || ' ' || scheduler_running FROM pgtrickle.quick_health), 'EMPTY 0 false');
SELECT test.eq('an empty graph', pgtrickle.explain_dag(), 'graph LR');
SELECT test.eq('for Graphviz', pgtrickle.explain_dag('dot'), E'digraph stream_tables {\n    rankdir=LR;\n}');
SELECT pgtrickle.create_stream_table('a', 'SELECT id, v FROM t -- as written'), pgtrickle.create_stream_table('"b ""[x]"', 'SELECT count(*) AS n FROM a');
SELECT test.build('a'), test.build('"b ""[x]"', false);
SELECT test.eq('no daemon', (SELECT status || ' ' || total_stream_tables FROM pgtrickle.quick_health), 'CRITICAL 2');
INSERT INTO t VALUES (3, 'c');
SELECT pgtrickle.refresh_stream_table('a');
SELECT test.eq('sources', (SELECT concat_ws(' ', source_table, source_oid = 't'::regclass::oid::bigint, source_type, cdc_mode, columns_used) FROM pgtrickle.list_sources('a')), 'public.t t TABLE trigger id, v');
SELECT test.fails('SELECT * FROM pgtrickle.list_sources(''t'')', '42P01', 'not a stream table');
SELECT test.eq('definition', pgtrickle.stream_table_definition('a'), 'SELECT id, v FROM t -- as written');
SELECT test.eq('timeline', (SELECT concat_ws(' ', stream_table, action, status, rows_inserted > 0) FROM pgtrickle.refresh_timeline(1)), 'public.a DIFFERENTIAL COMPLETED t');
SELECT test.eq('no rows', (SELECT count(*) FROM pgtrickle.refresh_timeline(-1)), 0::bigint);
SELECT test.ok('efficiency', (SELECT diff_count = 1 AND avg_diff_ms > 0 AND avg_change_ratio > 0 FROM pgtrickle.refresh_efficiency() WHERE pgt_name = 'a'));
SELECT test.ok('statistics', (SELECT total_refreshes >= 1 AND failed_refreshes = 0 AND last_refresh_status = 'COMPLETED' AND NOT stale AND total_rows_inserted >= 1 FROM pgtrickle.st_refresh_stats() WHERE pgt_name = 'a'));
SELECT test.ok('as a view', (SELECT count(*) = 2 FROM pgtrickle.pg_stat_stream_tables) AND (SELECT count(*) = 2 FROM pgtrickle.stream_tables_info));
SELECT test.eq('versions', pgtrickle.version_check(), 'ok');
INSERT INTO pgtrickle.pgt_daemons (instance, host, version, is_leader) VALUES ('d1', 'here', '0.0.1', true);
SELECT test.ok('another version', pgtrickle.version_check() ~ ('daemon d1 on here has version 0.0.1, this database ' || pgtrickle.version()));
SELECT test.eq('running', (SELECT concat_ws(' ', total_stream_tables, error_count, suspended_count, stale_count, scheduler_status) FROM pgtrickle.health_summary()), '2 0 0 0 RUNNING');
SELECT pgtrickle.pause_scheduler('a test');
SELECT test.eq('paused', (SELECT scheduler_status FROM pgtrickle.health_summary()) || ' ' || (SELECT status FROM pgtrickle.quick_health), 'PAUSED WARNING');
SELECT pgtrickle.resume_scheduler();
-- the picture: no name ends its node
SELECT test.ok('mermaid', pgtrickle.explain_dag() ~ E'^graph LR\n' AND pgtrickle.explain_dag() ~ format('n%s --> n%s', 't'::regclass::oid, 'a'::regclass::oid)
    AND pgtrickle.explain_dag() ~ format(E'n%s\\(\\["public.t"\\]\\)', 't'::regclass::oid) AND pgtrickle.explain_dag() ~ $$\["public.'b ''\(x\)'<br/>$$);
SELECT test.ok('dot', pgtrickle.explain_dag('DOT') ~ format($$n%s \[label="public.a\\nDIFFERENTIAL$$, 'a'::regclass::oid) AND pgtrickle.explain_dag('dot') ~ E' -> n\\d+;\n}$');
SELECT test.fails('SELECT pgtrickle.explain_dag(''png'')', '22023', 'mermaid or dot');
-- what is gone has the name that it had
DROP TABLE t;
SELECT test.eq('a source that was dropped', (SELECT source_table FROM pgtrickle.list_sources('a')), 'public.t');
SELECT pgt_id AS id FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'a' \gset
SELECT pgtrickle.drop_stream_table('a', cascade => true);
SELECT test.ok('a stream table that was dropped', EXISTS (SELECT FROM pgtrickle.refresh_timeline() WHERE stream_table = format('(dropped, %s)', :id)));
