-- What DDL may have cured: stream tables that stopped with an error are tried again after pauses (retry_at), and soon
-- after a command that can be the end of the cause.

-- Not what a build does itself, or two broken stream tables would try each other for ever. Never makes the command
-- fail.
CREATE FUNCTION pgtrickle._on_possible_cure() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regclass('pgtrickle.pgt_stream_tables') IS NULL OR current_setting('application_name') LIKE 'pgtrickled%' THEN
        RETURN;
    END IF;
    -- Not at once, so that much DDL does not mean much trying: the pause is 20 times as long as the last attempt.
    UPDATE pgtrickle.pgt_stream_tables s
       SET retry_at = greatest(clock_timestamp(),
                               s.last_error_at + greatest(interval '1 s', (s.retry_at - s.last_error_at) / 10))
     WHERE s.pgt_id IN (SELECT x.pgt_id FROM pgtrickle.pgt_stream_tables x
                        WHERE x.status IN ('ERROR', 'SUSPENDED')
                          AND x.retry_at > clock_timestamp() FOR NO KEY UPDATE SKIP LOCKED);
    IF FOUND THEN
        PERFORM pgtrickle._wake_from_trigger();
    END IF;
EXCEPTION WHEN OTHERS THEN
    NULL;       -- it is tried again anyway
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._on_possible_cure FROM PUBLIC;

DO $create$
BEGIN
    EXECUTE 'CREATE EVENT TRIGGER pgtrickle_cure ON ddl_command_end WHEN TAG IN (''GRANT'', ''CREATE TABLE'', '
            '''ALTER TABLE'', ''DROP TABLE'', '
            '''CREATE VIEW'', ''ALTER VIEW'', ''DROP VIEW'', ''DROP MATERIALIZED VIEW'', ''DROP RULE'', ''DROP '
            'INDEX'', ''CREATE FUNCTION'', '
            '''ALTER FUNCTION'', ''CREATE TYPE'', ''ALTER TYPE'', ''ALTER DOMAIN'', ''CREATE OPERATOR'', ''CREATE '
            'CAST'', ''CREATE COLLATION'', '
            '''ALTER COLLATION'', ''CREATE SCHEMA'', ''ALTER SCHEMA'', ''CREATE EXTENSION'', ''ALTER PUBLICATION'', '
            '''DROP PUBLICATION'', '
            '''ALTER POLICY'', ''DROP POLICY'', ''DROP TRIGGER'') EXECUTE FUNCTION pgtrickle._on_possible_cure()';
    EXECUTE 'ALTER EVENT TRIGGER pgtrickle_cure ENABLE ALWAYS';
EXCEPTION WHEN insufficient_privilege THEN
    NULL;       -- 45_ddl_events.sql says so
END
$create$;
