-- Errors, what they are and what to do; why a refresh did what it did
CREATE TABLE t (id int);
SELECT pgtrickle.create_stream_table('"st ''%s"', 'SELECT id FROM t');
SELECT pgt_id AS id FROM pgtrickle.pgt_stream_tables \gset
CREATE FUNCTION errors() RETURNS TABLE (n bigint, e text) LANGUAGE sql AS $$
    SELECT row_number() OVER (), concat_ws(' | ', error_type, sqlstate, retryable, error_message, remediation) FROM pgtrickle.diagnose_errors('"st ''%s"') $$;
SELECT test.eq('none', (SELECT count(*) FROM errors()), 0::bigint);
INSERT INTO pgtrickle.pgt_refresh_history (pgt_id, start_time, end_time, status, error_code, error_message, initiated_by)
SELECT :id, '2024-01-01', timestamptz '2024-01-01' + i * interval '1 min', 'FAILED', '40001', 'error ' || i, 'SCHEDULER' FROM generate_series(1, 30) i;
INSERT INTO pgtrickle.pgt_refresh_history (pgt_id, end_time, status, action, initiated_by) VALUES (:id, now(), 'COMPLETED', 'FULL', 'SCHEDULER');
SELECT test.eq('the last 20', (SELECT count(*) || ' ' || min(e) FROM errors()), '20 retryable | 40001 | t | error 11 | Nothing: it is tried again. If it keeps coming, look for transactions that write to it or lock its sources for long.');
SELECT test.ok('newest first', (SELECT e ~ 'error 30' FROM errors() WHERE n = 1));
-- the present one: in both places, or of a build only
UPDATE pgtrickle.pgt_stream_tables SET last_error = 'error 30', last_error_code = '40001', last_error_at = '2024-01-01 00:30:00.01' WHERE pgt_id = :id;
SELECT test.eq('not twice', (SELECT count(*) FROM errors() WHERE e ~ 'error 30'), 1::bigint), test.eq('20', (SELECT count(*) FROM errors()), 20::bigint);
UPDATE pgtrickle.pgt_stream_tables SET last_error = 'permission denied for table t', last_error_code = '42501', last_error_hint = 'The hint.', last_error_at = now() WHERE pgt_id = :id;
SELECT test.eq('privilege', (SELECT e FROM errors() WHERE n = 1), format('privilege | 42501 | f | permission denied for table t | The hint. Grant role %s what the message says, then SELECT pgtrickle.resume_stream_table(''public."st ''''%%s"'');', current_user));
SELECT test.eq('21', (SELECT count(*) FROM errors()), 21::bigint);
-- the same classes as the daemon's
SELECT test.eq('class of ' || coalesce(c, 'NULL'), pgtrickle._error_class(c), x) FROM (VALUES ('08P01', 'permanent'), ('08006', 'retryable'), ('26000', 'retryable'), ('28000', 'privilege'), ('3D000', 'permanent'), ('3F000', 'obsolete'),
    ('40003', 'in doubt'), ('40001', 'retryable'), ('40P01', 'retryable'), ('42501', 'privilege'), ('42P01', 'obsolete'), ('42703', 'obsolete'), ('42704', 'obsolete'), ('42804', 'obsolete'), ('42883', 'obsolete'),
    ('53400', 'permanent'), ('53100', 'retryable'), ('54000', 'index too large'), ('54001', 'permanent'), ('55006', 'retryable'), ('55P03', 'retryable'), ('55000', 'permanent'), ('57014', 'retryable'), ('57P01', 'retryable'), ('58030', 'retryable'),
    ('25006', 'retryable'), ('25P03', 'retryable'), ('25001', 'permanent'), ('21000', 'corruption'), ('23502', 'corruption'), ('23505', 'corruption'), ('23514', 'permanent'), ('XX001', 'corruption'), ('XX002', 'corruption'), ('XX000', 'permanent'),
    ('22012', 'permanent'), (NULL, 'permanent')) AS v(c, x);
SELECT test.ok('remedy for ' || coalesce(c, 'NULL'), pgtrickle._remedy(c, 'public.st', 'r') ~ x) FROM (VALUES ('55P03', 'pg_locks'), ('57014', 'statement_timeout'), ('53100', 'disk'), ('25006', 'primary'), ('08006', 'tried again'), ('40003', 'tried again'),
    ('XX001', 'repair_stream_table\(''public.st''\)'), ('42P01', 'rebuilt by itself.*drop_stream_table\(''public.st''\)'), ('54000', 'another kind of key'), ('0A000', 'refresh_mode => ''FULL'''), ('22012', 'guard the expression'), ('42601', 'Correct the query'),
    ('P0001', 'Remove the cause'), (NULL, 'Remove the cause')) AS v(c, x);
SELECT test.ok('a view in the way is no reason to recompute', pgtrickle._remedy('0A000', 'public.st', 'r', m) ~ 'Drop the view' AND pgtrickle._remedy('0A000', 'public.st', 'r', m) !~ 'FULL')
FROM unnest(ARRAY['cannot alter type of a column used by a view or rule', 'column a becomes integer, it was text, but PostgreSQL does not change the type of a column that is used by view public.v']) AS m;
SELECT test.ok('what comes back is taken by itself', pgtrickle._remedy('42P01', 'public.st', 'r') ~ 'also once what it reads is there again' AND pgtrickle._remedy('42P01', 'public.st', 'r') !~ 'resume');
SELECT test.fails('SELECT * FROM pgtrickle.diagnose_errors(''t'')', '42P01'), test.fails('SELECT * FROM pgtrickle.diagnose_errors(''nope'')', '42P01');
SET ROLE bob; SELECT count(*) FROM pgtrickle.diagnose_errors('"st ''%s"'); SELECT count(*) FROM pgtrickle.explain_refresh_mode('"st ''%s"'); RESET ROLE;
-- why a refresh did what it did
SELECT pgtrickle.create_stream_table('a', 'SELECT id FROM t');
CREATE FUNCTION why(st text, fr text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    r text;
BEGIN
    EXECUTE format('UPDATE pgtrickle.pgt_stream_tables SET %s WHERE pgt_name = ''a''', st);
    EXECUTE format('UPDATE pgtrickle.pgt_frontiers SET %s WHERE pgt_id = (SELECT pgt_id FROM pgtrickle.pgt_stream_tables WHERE pgt_name = ''a'')', fr);
    SELECT explanation INTO r FROM pgtrickle.explain_refresh_mode('a');
    RETURN r;
END $$;
SELECT test.eq('before the build', why('status = status', 'seq = seq'), 'not compiled yet: the daemon decides when it builds it');
SELECT test.eq('no history', why('status = ''ACTIVE'', effective_refresh_mode = ''DIFFERENTIAL''', 'seq = seq'), 'changes are applied; there is no refresh to speak of yet');
SELECT test.eq('no times', why('status = status', 'last_action = ''DIFFERENTIAL'', last_delta_rows = 1'), 'the last refresh applied 1 changed row, because it is not known yet how long recomputing takes');
INSERT INTO pgtrickle.pgt_refresh_stats (pgt_id, ms_per_full, ms_per_delta_row) SELECT pgt_id, 50, 0.01 FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'a';
SELECT test.eq('applied', why('status = status', 'last_delta_rows = 120, full_threshold = 5000'),
    'the last refresh applied 120 changed rows, because that is not more than 5000, at which recomputing (50 ms) becomes cheaper than applying (0.01 ms per row). The next one recomputes it if more than 6250 rows have changed');
SELECT test.eq('columns', (SELECT concat_ws(' ', configured_mode, effective_mode, downgrade_reason, last_action, last_delta_rows, full_threshold, ms_per_delta_row, ms_per_full) FROM pgtrickle.explain_refresh_mode('a')), 'AUTO DIFFERENTIAL DIFFERENTIAL 120 5000 0.01 50');
SELECT test.ok('hysteresis up', why('status = status', 'last_delta_rows = 6000') ~ '^the last refresh applied 6000 changed rows, although that is more than 5000, .*: it takes 1.25 times that to change over');
SELECT test.eq('recomputed', why('status = status', 'last_action = ''FULL'', last_delta_rows = 9000'),
    'the last refresh recomputed it, because there were 9000 changed rows, more than 5000, at which recomputing (50 ms) becomes cheaper than applying (0.01 ms per row). The next one recomputes it if more than 4000 rows have changed');
SELECT test.ok('hysteresis down', why('status = status', 'last_delta_rows = 4500') ~ 'because the one before did, and 4500 changed rows are more than 0.8 times 5000');
SELECT test.ok('forced', why('status = status', 'last_delta_rows = 3') ~ 'whatever the number of changed rows: a source was truncated, or it was initialised');
SELECT test.eq('fraction, recomputed', why('max_delta_fraction = 0.1', 'seq = seq'), 'the last refresh recomputed it: more changed than 10% of the rows of its sources (max_delta_fraction), a source was truncated, or it was initialised');
SELECT test.eq('fraction, applied', why('max_delta_fraction = 0.005', 'last_action = ''DIFFERENTIAL'''), 'the last refresh applied 3 changed rows, because it recomputes only above 0.5% of the rows of its sources (max_delta_fraction)');
SELECT test.eq('rebuild', why('max_delta_fraction = NULL, needs_reinit = true, reinit_reason = ''so''', 'full_threshold = NULL'), 'the last refresh applied 3 changed rows, because it is not known yet how long recomputing takes. It will be rebuilt before: so');
SELECT test.eq('cannot', why('needs_reinit = false, effective_refresh_mode = ''FULL'', reason = ''volatile function random()''', 'seq = seq'), 'every refresh recomputes it, because volatile function random()');
SELECT test.eq('asked for', why('refresh_mode = ''FULL''', 'seq = seq'), 'every refresh recomputes it, because mode FULL was asked for');
