-- pgtrickle: stream tables for stock PostgreSQL. SQL part, version 0.1.0.
--
-- The files of sql/, concatenated in the order of their names, are one script that is both the script of extension
-- pg_trickle and a plain script for servers where no extension can be installed. Run the plain form as one transaction
-- (psql --single-transaction -v ON_ERROR_STOP=1 -f install.sql, or one PQexec); it has no psql commands and no
-- BEGIN/COMMIT of its own. The role that runs it becomes the admin: it owns all objects below.

-- Stop before touching anything if this server is too old or pgtrickle is here already.
DO $preflight$
BEGIN
    IF pg_catalog.current_setting('server_version_num')::int < 150000 THEN
        RAISE EXCEPTION 'pgtrickle needs PostgreSQL 15 or later, this server is %',
            pg_catalog.current_setting('server_version')
            USING ERRCODE = 'feature_not_supported';
    END IF;
    IF pg_catalog.to_regnamespace('pgtrickle') IS NULL AND pg_catalog.to_regnamespace('pgtrickle_changes') IS NULL
       AND pg_catalog.to_regnamespace('pgtrickle_state') IS NULL
       AND pg_catalog.to_regnamespace('pgtrickle_locks') IS NULL THEN
        RETURN;
    END IF;
    IF pg_catalog.to_regprocedure('pgtrickle.version()') IS NOT NULL THEN
        -- Not called: it may be somebody else's function.
        RAISE EXCEPTION 'pgtrickle is already installed in database "%"', pg_catalog.current_database()
            USING ERRCODE = 'duplicate_object',
                  DETAIL = pg_catalog.format('It belongs to role %I. Nothing was changed.',
                               (SELECT pg_catalog.pg_get_userbyid(n.nspowner) FROM pg_catalog.pg_namespace n
                                WHERE n.nspname OPERATOR(pg_catalog.=) 'pgtrickle')),
                  HINT = 'To install it again: DROP EXTENSION pg_trickle CASCADE if it is an extension, otherwise '
                         'DROP SCHEMA pgtrickle, '
                         'pgtrickle_changes, pgtrickle_state, pgtrickle_locks CASCADE. Stream tables then stay as '
                         'ordinary tables.';
    END IF;
    RAISE EXCEPTION 'database "%" has a schema named pgtrickle, pgtrickle_changes, pgtrickle_state or '
                    'pgtrickle_locks, but no complete installation of pgtrickle',
                    pg_catalog.current_database()
        USING ERRCODE = 'duplicate_schema',
              HINT = 'If they are left over from an interrupted installation, drop these schemas (CASCADE) and run '
                     'the script again as one transaction.';
END
$preflight$;

-- pgtrickle: API and catalog. pgtrickle_changes: change logs. pgtrickle_state: state tables and programs.
-- Programs run as the owners of the stream tables, who get USAGE on the latter two when something of theirs is built;
-- what can be read is granted per object. Strangers get none: who can name a table can hold a lock on it without any
-- right (PREPARE of a DELETE), and logs and state tables could not be cleared, altered or dropped meanwhile.
-- pgtrickle_locks is for the admin alone: 21_locks.sql.
CREATE SCHEMA pgtrickle;
CREATE SCHEMA pgtrickle_changes;
CREATE SCHEMA pgtrickle_state;
CREATE SCHEMA pgtrickle_locks;
GRANT USAGE ON SCHEMA pgtrickle TO PUBLIC;

COMMENT ON SCHEMA pgtrickle IS 'pgtrickle: API and catalog';
COMMENT ON SCHEMA pgtrickle_changes IS 'pgtrickle: change logs of the sources';
COMMENT ON SCHEMA pgtrickle_state IS 'pgtrickle: generated programs and their state';
COMMENT ON SCHEMA pgtrickle_locks IS 'pgtrickle: names for the locks of the daemon';
