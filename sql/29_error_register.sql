-- What kind of error a SQLSTATE is, and what to do about it.
-- This file is generated from daemon/model/error_register.cpp: pgtrickled --print-error-sql > sql/29_error_register.sql

-- The error class: docs/ERRORS.md says what the daemon does about each.
CREATE FUNCTION pgtrickle._error_class(code text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN code = '08P01' OR code = '53400' THEN 'permanent'
        WHEN code = '0A000' OR code = '22P02' OR code = '3F000' OR code = '42703' OR code = '42704'
               OR code = '42804' OR code = '42883' OR code = '42P01' OR code = '42P22' THEN 'obsolete'
        WHEN code = '21000' OR code = '23502' OR code = '23505' OR code = 'XX001' OR code = 'XX002' THEN
            'corruption'
        WHEN code = '25006' OR code = '25P03' OR code = '26000' OR code = '55006' OR code = '55P03'
               OR code = '57014' THEN 'retryable'
        WHEN code = '40003' THEN 'in doubt'
        WHEN code = '42501' THEN 'privilege'
        WHEN code = '54000' THEN 'index too large'
        WHEN code LIKE '08%' OR code LIKE '40%' OR code LIKE '53%' OR code LIKE '57P%' OR code LIKE '58%' THEN
            'retryable'
        WHEN code LIKE '28%' THEN 'privilege'
        ELSE 'permanent' END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._error_class TO PUBLIC;

-- What to do about an error of a stream table, for format(): %1$L the stream table, %2$I its owner, %3$I the admin.
CREATE FUNCTION pgtrickle._error_remedy(code text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN code = '08P01' THEN
            'Remove the cause that the message names, then SELECT pgtrickle.resume_stream_table(%1$L);'
        WHEN code = '0A000' THEN
            'It cannot be maintained from changes: SELECT pgtrickle.alter_stream_table(%1$L, refresh_mode => '
            '''FULL''); or change the query.'
        WHEN code = '21000' OR code = '23502' OR code = '23505' OR code = 'XX001' OR code = 'XX002' THEN
            'It is re-initialised by itself. If it comes again: SELECT pgtrickle.repair_stream_table(%1$L);'
        WHEN code = '22P02' OR code = '3F000' OR code = '42703' OR code = '42704' OR code = '42804'
               OR code = '42883' OR code = '42P01' OR code = '42P22' THEN
            'It is rebuilt by itself, also once what it reads is there again. If that does not come back: SELECT '
            'pgtrickle.alter_stream_table(%1$L, query => ...); or SELECT pgtrickle.drop_stream_table(%1$L);'
        WHEN code = '25006' THEN
            'The server is read-only: wait for the failover, or point the daemon to the primary.'
        WHEN code = '25P03' OR code = '26000' OR code = '55006' THEN
            'Nothing: it is tried again. If it keeps coming, see the logs of the server and the daemon.'
        WHEN code = '42501' THEN
            'Grant role %2$I what the message says, then SELECT pgtrickle.resume_stream_table(%1$L);'
        WHEN code = '54000' THEN 'Nothing: it is rebuilt with another kind of key.'
        WHEN code = '55P03' THEN
            'Nothing: it is tried again. If it keeps coming, look for long locks on its sources in pg_locks.'
        WHEN code = '57014' THEN
            'It was cancelled: raise statement_timeout for the daemon''s role if that was the cause.'
        WHEN code LIKE '08%' OR code LIKE '57P%' OR code LIKE '58%' THEN
            'Nothing: it is tried again. If it keeps coming, see the logs of the server and the daemon.'
        WHEN code LIKE '22%' THEN
            'A row makes an expression of the query fail: correct the row or guard the expression, then SELECT '
            'pgtrickle.resume_stream_table(%1$L);'
        WHEN code LIKE '28%' THEN
            'The daemon was not let in: correct its connection string, password or pg_hba.conf, then SELECT '
            'pgtrickle.resume_stream_table(%1$L);'
        WHEN code LIKE '40%' THEN
            'Nothing: it is tried again. If it keeps coming, look for transactions that write to it or lock its '
            'sources for long.'
        WHEN code LIKE '42%' THEN
            'Correct the query or what it names, then SELECT pgtrickle.resume_stream_table(%1$L);'
        WHEN code LIKE '53%' THEN
            'Free what the server is short of (disk, memory, connections); then it is tried again.'
        ELSE 'Remove the cause that the message names, then SELECT pgtrickle.resume_stream_table(%1$L);' END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._error_remedy TO PUBLIC;

-- A build of a stream table that stopped so may help it, a refresh will not: an expression may have failed for a row
-- that is gone again, or in the program alone. A missing right is not cured so.
CREATE FUNCTION pgtrickle._build_may_cure(code text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(left(code, 2) IN ('0A', '22', '42', '55', 'XX') AND code <> '42501', false)
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._build_may_cure TO PUBLIC;
