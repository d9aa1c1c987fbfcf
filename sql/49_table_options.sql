-- What create_stream_table(), create_or_replace_stream_table() and alter_stream_table() take.
-- This file is generated from daemon/model/table_options.cpp: pgtrickled --print-option-sql > sql/49_table_options.sql

-- All of them but the arguments that the functions look at themselves, as the caller wrote them; NULL: not given.
CREATE TYPE pgtrickle._options AS (
    diamond_consistency text, diamond_schedule_policy text, cdc_mode text, append_only boolean,
    pooler_compatibility_mode boolean, partition_by text, max_differential_joins int,
    max_delta_fraction double precision, tier text, max_staleness interval, fuse text, fuse_ceiling bigint,
    fuse_sensitivity int, allow_circular boolean
);

-- The catalog row `st`, which is empty when a stream table is created, with the options that are given. For
-- a choice 'default' takes it back, for numbers what is named in the hint. Options that ask for what always happens
-- here are taken and not kept. Errors: 22023 bad value; 0A000 what does not exist here.
CREATE FUNCTION pgtrickle._set_options(st pgtrickle.pgt_stream_tables, o pgtrickle._options, qualified text)
RETURNS pgtrickle.pgt_stream_tables
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF o.diamond_consistency IS NOT NULL THEN
        st.diamond_consistency := pgtrickle._choice(qualified, 'diamond_consistency',
            o.diamond_consistency, '{atomic,none}');
    END IF;
    IF o.diamond_schedule_policy IS NOT NULL THEN
        st.diamond_schedule_policy := pgtrickle._choice(qualified, 'diamond_schedule_policy',
            o.diamond_schedule_policy, '{fastest,slowest}');
    END IF;
    IF lower(btrim(o.cdc_mode)) = 'wal' THEN
        PERFORM pgtrickle._fail('0A000',
            format('stream table %s: %s is not supported', qualified, 'cdc_mode ''wal'''), NULL,
            'Changes are captured by triggers: leave cdc_mode out, or use ''auto'' or ''trigger''.');
    END IF;
    IF o.append_only THEN
        PERFORM pgtrickle._fail('0A000',
            format('stream table %s: %s is not supported', qualified, 'append_only'), NULL,
            'Leave it out: updates and deletes of the sources are always handled, and inserts do not pay for it.');
    END IF;
    IF btrim(o.partition_by) <> '' THEN
        PERFORM pgtrickle._fail('0A000',
            format('stream table %s: %s is not supported', qualified, 'partition_by'), NULL,
            'Stream tables are not partitioned; an index on the column often does what is needed.');
    END IF;
    IF o.max_differential_joins >= 0 THEN
        PERFORM pgtrickle._fail('0A000',
            format('stream table %s: %s is not supported', qualified, 'max_differential_joins'), NULL,
            'Any number of joins is maintained; refresh_mode => ''FULL'' recomputes.');
    END IF;
    IF NOT (o.max_delta_fraction = -1 OR o.max_delta_fraction BETWEEN 0 AND 1e9) THEN
        PERFORM pgtrickle._fail('22023',
            format('stream table %s: max_delta_fraction %s is out of range', qualified, o.max_delta_fraction), NULL,
            'Give a fraction of the rows of the sources, such as 0.2; -1 means: by measured cost.');
    ELSIF o.max_delta_fraction IS NOT NULL THEN
        st.max_delta_fraction := nullif(o.max_delta_fraction, -1);
    END IF;
    IF o.tier IS NOT NULL THEN
        st.tier := pgtrickle._choice(qualified, 'tier',
            o.tier, '{hot,warm,cold,frozen}');
    END IF;
    st.tier := coalesce(st.tier, 'hot');
    IF NOT (o.max_staleness = interval '0' OR isfinite(o.max_staleness) AND o.max_staleness >= interval '0') THEN
        PERFORM pgtrickle._fail('22023',
            format('stream table %s: max_staleness %s is out of range', qualified, o.max_staleness), NULL,
            'Give an interval such as ''5 minutes''; ''0'' means none.');
    ELSIF o.max_staleness IS NOT NULL THEN
        st.max_staleness := nullif(o.max_staleness, interval '0');
    END IF;
    IF o.fuse IS NOT NULL THEN
        st.fuse := pgtrickle._choice(qualified, 'fuse',
            o.fuse, '{off,on,auto}');
    END IF;
    st.fuse := coalesce(st.fuse, 'off');
    IF NOT (o.fuse_ceiling = -1 OR o.fuse_ceiling > 0) THEN
        PERFORM pgtrickle._fail('22023',
            format('stream table %s: fuse_ceiling %s is out of range', qualified, o.fuse_ceiling), NULL,
            'Give the number of pending rows that is too many, at least 1; -1 means none.');
    ELSIF o.fuse_ceiling IS NOT NULL THEN
        st.fuse_ceiling := nullif(o.fuse_ceiling, -1);
    END IF;
    IF NOT (o.fuse_sensitivity = -1 OR o.fuse_sensitivity BETWEEN 1 AND 100) THEN
        PERFORM pgtrickle._fail('22023',
            format('stream table %s: fuse_sensitivity %s is out of range', qualified, o.fuse_sensitivity), NULL,
            'Give a number of standard deviations from 1 to 100; -1 means the default, 6.');
    ELSIF o.fuse_sensitivity IS NOT NULL THEN
        st.fuse_sensitivity := nullif(o.fuse_sensitivity, -1);
    END IF;
    st.allow_circular := coalesce(o.allow_circular, st.allow_circular, false);
    RETURN st;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._set_options TO PUBLIC;

-- The options that a stream table has.
CREATE FUNCTION pgtrickle._kept_options(st pgtrickle.pgt_stream_tables) RETURNS pgtrickle._options
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ROW(
        st.diamond_consistency, st.diamond_schedule_policy, NULL, NULL, NULL, NULL, NULL, st.max_delta_fraction,
        st.tier, st.max_staleness, st.fuse, st.fuse_ceiling, st.fuse_sensitivity, st.allow_circular
    )::pgtrickle._options
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._kept_options TO PUBLIC;

CREATE FUNCTION pgtrickle.create_stream_table(
    name text, query text, schedule text DEFAULT 'calculated', refresh_mode text DEFAULT 'AUTO',
    initialize boolean DEFAULT true, diamond_consistency text DEFAULT NULL, diamond_schedule_policy text DEFAULT NULL,
    cdc_mode text DEFAULT NULL, append_only boolean DEFAULT false, pooler_compatibility_mode boolean DEFAULT false,
    partition_by text DEFAULT NULL, max_differential_joins int DEFAULT NULL,
    max_delta_fraction double precision DEFAULT NULL, tier text DEFAULT NULL, max_staleness interval DEFAULT NULL,
    fuse text DEFAULT NULL, fuse_ceiling bigint DEFAULT NULL, fuse_sensitivity int DEFAULT NULL,
    allow_circular boolean DEFAULT false)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._create_stream_table(name, query, schedule, refresh_mode, initialize, false,
        ROW(
            diamond_consistency, diamond_schedule_policy, cdc_mode, append_only, pooler_compatibility_mode,
            partition_by, max_differential_joins, max_delta_fraction, tier, max_staleness, fuse, fuse_ceiling,
            fuse_sensitivity, allow_circular
        )::pgtrickle._options,
        pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.create_stream_table TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.create_stream_table IS
'Creates a table that holds the result of a query and that the daemon keeps fresh.
name: schema.table or table (then in the first schema of the search_path), as in SQL.
query: one SELECT; names in it follow the search_path now, later changes of the path do not matter.
schedule: ''calculated'' (as often as the stream tables that read it need); how old the result may get: ''250 ms'',
  ''1s'', ''5m'', ''1h30m'' (10 ms to 365 days); ''continuous'' or ''continuous 50 ms'' (when something changed, at
  most once in that time); cron: ''0 3 * * MON-FRI'', ''@hourly'', with ''TZ=Europe/Berlin '' in front in that time
  zone, otherwise in UTC.
refresh_mode: AUTO (apply changes where possible, otherwise recompute and say why), DIFFERENTIAL (apply changes, or
  fail), FULL (recompute), IMMEDIATE (apply changes in the transaction that makes them, or fail: who writes reads the
  result at once, and waits for other writers of what it reads until they commit; schedule, fuse, gates and watermarks
  do not matter; no daemon is needed once it is built; needs the TRIGGER privilege on every source; while it is paused
  it is not maintained, and it is rebuilt when it is resumed).
initialize: fill the table now, in this transaction; otherwise the daemon does.
diamond_consistency: atomic (default: refreshed in one snapshot with the stream tables that it shares sources and
  readers with) or none.
diamond_schedule_policy: of such a group the fastest (default) or the slowest schedule counts.
max_delta_fraction: recompute when more than this fraction of the sources'' rows changed; default: by measured cost.
tier: hot (default), warm, cold or frozen: how much the schedule is stretched; frozen is not refreshed at all.
max_staleness: what is promised to readers; stream_tables, health_check() and alerts say when it is broken.
fuse: off (default), on (more than fuse_ceiling pending rows: nothing is applied before reset_fuse()), auto (the limit
  is learned from the history: mean and fuse_sensitivity standard deviations; fuse_ceiling, if given, is an upper
  bound).
fuse_ceiling: so many pending rows are too many, see fuse.
fuse_sensitivity: standard deviations, see fuse; default 6.
allow_circular: it may be part of a cycle of stream tables, see alter_stream_table().
cdc_mode, append_only, pooler_compatibility_mode, partition_by, max_differential_joins: for compatibility; what asks
  for anything else than capture by triggers and a plain table is refused.
Runs in the caller''s transaction with the caller''s rights; the caller owns the result. The daemon takes over after
  commit: see wait_until_active(). Needs the TEMPORARY privilege on the database.
Errors: 42P07 name taken; 22023 bad schedule, mode or option; 42602, 42622, 42601 bad name; 3F000 no such schema;
  0A000 an option that is not supported or something in the query that no stored result can have; whatever PostgreSQL
  says about the query, prefixed with the stream table''s name.';

CREATE FUNCTION pgtrickle.create_stream_table_if_not_exists(
    name text, query text, schedule text DEFAULT 'calculated', refresh_mode text DEFAULT 'AUTO',
    initialize boolean DEFAULT true, diamond_consistency text DEFAULT NULL, diamond_schedule_policy text DEFAULT NULL,
    cdc_mode text DEFAULT NULL, append_only boolean DEFAULT false, pooler_compatibility_mode boolean DEFAULT false,
    partition_by text DEFAULT NULL, max_differential_joins int DEFAULT NULL,
    max_delta_fraction double precision DEFAULT NULL, tier text DEFAULT NULL, max_staleness interval DEFAULT NULL,
    fuse text DEFAULT NULL, fuse_ceiling bigint DEFAULT NULL, fuse_sensitivity int DEFAULT NULL,
    allow_circular boolean DEFAULT false)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._create_stream_table(name, query, schedule, refresh_mode, initialize, true,
        ROW(
            diamond_consistency, diamond_schedule_policy, cdc_mode, append_only, pooler_compatibility_mode,
            partition_by, max_differential_joins, max_delta_fraction, tier, max_staleness, fuse, fuse_ceiling,
            fuse_sensitivity, allow_circular
        )::pgtrickle._options,
        pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.create_stream_table_if_not_exists TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.create_stream_table_if_not_exists IS
'As create_stream_table(), but a NOTICE instead of an error if a stream table of this name exists, whatever its query.
  An ordinary relation of that name is still an error.';

CREATE FUNCTION pgtrickle.create_or_replace_stream_table(
    name text, query text, schedule text DEFAULT 'calculated', refresh_mode text DEFAULT 'AUTO',
    initialize boolean DEFAULT true, diamond_consistency text DEFAULT NULL, diamond_schedule_policy text DEFAULT NULL,
    cdc_mode text DEFAULT NULL, append_only boolean DEFAULT NULL, pooler_compatibility_mode boolean DEFAULT NULL,
    partition_by text DEFAULT NULL, max_differential_joins int DEFAULT NULL,
    max_delta_fraction double precision DEFAULT NULL, tier text DEFAULT NULL, max_staleness interval DEFAULT NULL,
    fuse text DEFAULT NULL, fuse_ceiling bigint DEFAULT NULL, fuse_sensitivity int DEFAULT NULL,
    allow_circular boolean DEFAULT NULL)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._replace_stream_table(name, query, schedule, refresh_mode, initialize,
        ROW(
            diamond_consistency, diamond_schedule_policy, cdc_mode, append_only, pooler_compatibility_mode,
            partition_by, max_differential_joins, max_delta_fraction, tier, max_staleness, fuse, fuse_ceiling,
            fuse_sensitivity, allow_circular
        )::pgtrickle._options,
        pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.create_or_replace_stream_table TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.create_or_replace_stream_table IS
'Makes a stream table what the arguments say: creates it if it does not exist; does nothing if query, schedule, mode
  and options are already so; changes it in place, as alter_stream_table() does, where its columns allow that;
  otherwise drops and creates it, if nothing reads it (grants and indexes on the table are then lost; it stays paused,
  gated and in its refresh group).
Options that are NULL stay as they are. Parameters as in create_stream_table().
Errors: as create_stream_table() and alter_stream_table(); 42P07 a relation of this name that is not a stream table;
  2BP01 it must be recreated but something reads it.';

CREATE FUNCTION pgtrickle.alter_stream_table(
    name text, query text DEFAULT NULL, schedule text DEFAULT NULL, refresh_mode text DEFAULT NULL,
    status text DEFAULT NULL, diamond_consistency text DEFAULT NULL, diamond_schedule_policy text DEFAULT NULL,
    cdc_mode text DEFAULT NULL, append_only boolean DEFAULT NULL, pooler_compatibility_mode boolean DEFAULT NULL,
    tier text DEFAULT NULL, fuse text DEFAULT NULL, fuse_ceiling bigint DEFAULT NULL,
    fuse_sensitivity int DEFAULT NULL, partition_by text DEFAULT NULL, max_differential_joins int DEFAULT NULL,
    max_delta_fraction double precision DEFAULT NULL, max_staleness interval DEFAULT NULL,
    allow_circular boolean DEFAULT NULL)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._alter_stream_table(name, query, schedule, refresh_mode, status,
        ROW(
            diamond_consistency, diamond_schedule_policy, cdc_mode, append_only, pooler_compatibility_mode,
            partition_by, max_differential_joins, max_delta_fraction, tier, max_staleness, fuse, fuse_ceiling,
            fuse_sensitivity, allow_circular
        )::pgtrickle._options,
        pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.alter_stream_table TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.alter_stream_table IS
'Changes a stream table; what is NULL stays. Text ''default'' sets a text option back, -1 a number, ''0''
  max_staleness, false allow_circular.
query: the new query, checked as in create_stream_table(). The table keeps its columns, loses columns that the query
  has no more and gets new ones at its end; other changes of columns need drop and create. Until the daemon has
  recomputed it (see wait_until_active()) it shows the old rows, with NULL in new columns. Stream tables that read it
  are compiled again if columns or types change. If the new query cannot be built, the previous one goes on and
  last_error says why; columns that were dropped come back as the last ones.
refresh_mode: another mode makes the daemon compile and initialise it again.
status: ACTIVE resumes it and forgets its errors, PAUSED or SUSPENDED stops refreshing it. A stopped stream table
  holds the change logs of its sources back.
fuse: ''off'' also mends a blown fuse; nothing else here does, see reset_fuse().
allow_circular: a query may read the stream table itself or one that reads it only if every member of the cycle has
  it, and the queries must be monotone: then the daemon refreshes them together until nothing changes any more.
Everything else as in create_stream_table().
Errors: 42P01 not a stream table; 42501 not the owner; 22023 bad value; 0A000 not supported; 42P16 columns that do not
  fit; 2BP01 a column that would go is used; 42P17 a cycle; and those of create_stream_table() about the query.';

-- The table in docs/SQL_REFERENCE.md. initial: when a stream table is created, NULL: not a parameter then.
CREATE FUNCTION pgtrickle._table_options()
RETURNS TABLE (option text, type text, initial text, alters boolean, taken_back_by text, flag text)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM (VALUES
        ('schedule', 'text', '''calculated''', true, '''default''', '--schedule'),
        ('refresh_mode', 'text', '''AUTO''', true, '''default''', '--mode'),
        ('initialize', 'boolean', 'true', false, NULL, '--no-initialize'),
        ('diamond_consistency', 'text', 'NULL', true, '''default''', '--diamond-consistency'),
        ('diamond_schedule_policy', 'text', 'NULL', true, '''default''', '--diamond-schedule-policy'),
        ('cdc_mode', 'text', 'NULL', true, NULL, NULL),
        ('append_only', 'boolean', 'false', true, NULL, NULL),
        ('pooler_compatibility_mode', 'boolean', 'false', true, NULL, NULL),
        ('partition_by', 'text', 'NULL', true, NULL, NULL),
        ('max_differential_joins', 'int', 'NULL', true, NULL, NULL),
        ('max_delta_fraction', 'double precision', 'NULL', true, '-1', '--max-delta-fraction'),
        ('tier', 'text', 'NULL', true, '''default''', '--tier'),
        ('max_staleness', 'interval', 'NULL', true, '''0''', '--max-staleness'),
        ('fuse', 'text', 'NULL', true, '''default''', '--fuse'),
        ('fuse_ceiling', 'bigint', 'NULL', true, '-1', '--fuse-ceiling'),
        ('fuse_sensitivity', 'int', 'NULL', true, '-1', '--fuse-sensitivity'),
        ('allow_circular', 'boolean', 'false', true, 'false', '--allow-circular'),
        ('status', 'text', NULL, true, NULL, '--status'))
        AS o(option, type, initial, alters, taken_back_by, flag)
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._table_options TO PUBLIC;
