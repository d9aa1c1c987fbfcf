-- Rights are complete, and the record of this installation (last: it shows that the script ran to its end).

-- Beside each routine stands who may execute it: all may execute the API, and of the internal functions (_name) what it
-- calls with the caller's rights. These can do nothing that callers could not do themselves; _pending, _is_fresh,
-- _is_kept, _hold_reason, _not_covered and _immediate_trouble run as the admin and only look, _net_log changes nobody's
-- result. PostgreSQL grants to everybody what nothing is said about, so saying nothing is an error.
DO $rights$
DECLARE
    unsaid text;
BEGIN
    SELECT pg_catalog.string_agg(p.oid::pg_catalog.regprocedure::text, ', ' ORDER BY p.oid) INTO unsaid
    FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'pgtrickle'::regnamespace AND p.proacl IS NULL;
    IF unsaid IS NOT NULL THEN
        RAISE EXCEPTION 'nothing says who may execute %', unsaid
            USING HINT = 'Write GRANT EXECUTE ON FUNCTION .. TO PUBLIC or REVOKE EXECUTE ON FUNCTION .. FROM PUBLIC '
                         'below the definition.';
    END IF;
END
$rights$;

INSERT INTO pgtrickle.pgt_installation (system_identifier, database_oid, version)
SELECT pgtrickle._system_identifier(), d.oid, pgtrickle.version() FROM pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database();
