-- The catalog. Columns are documented here; who writes what is in docs/ARCHITECTURE.md, section 3.
--
-- The admin owns the tables and is not limited. Users do not write to them: the API functions, which run with the
-- caller's rights, ask for that (58_requests.sql). What they may read is below.

CREATE TABLE pgtrickle.pgt_stream_tables (
    pgt_id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pgt_relid              oid NOT NULL UNIQUE DEFERRABLE,        -- the stream table itself; identity, the name is not
    pgt_schema             name NOT NULL,                         -- as last seen; the live name is in pg_class
    pgt_name               name NOT NULL,
    original_query         text NOT NULL,                         -- as the user wrote it
    -- canonical: names qualified, * expanded, no final semicolon
    defining_query         text NOT NULL,
    -- setting -> value at creation, for the ones that can change a result
    settings               jsonb NOT NULL DEFAULT '{}',
    -- what the names in original_query meant, see 50_names.sql
    names                  jsonb,
    -- what they were called when defining_query was made of it
    names_now              jsonb,
    -- definition to go back to if an altered one cannot be built
    previous               jsonb,
    -- query, message, code, hint, at: of the one that could not be built
    failed_alteration      jsonb,
    schedule               text NOT NULL DEFAULT 'calculated',
    -- of the duration in it; NULL: none
    schedule_ms            bigint GENERATED ALWAYS AS (pgtrickle._schedule_ms(schedule)) STORED,
    tier                   text NOT NULL DEFAULT 'hot' CHECK (tier IN ('hot', 'warm', 'cold', 'frozen')),
    -- promised to readers: judged by health, metrics and alerts
    max_staleness          interval,
    diamond_consistency    text CHECK (diamond_consistency IN ('atomic', 'none')),              -- NULL: atomic
    diamond_schedule_policy text CHECK (diamond_schedule_policy IN ('fastest', 'slowest')),     -- NULL: fastest
    allow_circular         boolean NOT NULL DEFAULT false,        -- may be part of a cycle
    -- what keeps it out of cycles; NULL = monotone. Written by the daemon
    non_monotone           text,
    -- rows come and go as time passes, with no change in what it reads. Written by the daemon
    follows_time           boolean NOT NULL DEFAULT false,
    -- of the rows of its sources: above it recompute; NULL = by cost
    max_delta_fraction     double precision CHECK (max_delta_fraction >= 0),
    fuse                   text NOT NULL DEFAULT 'off' CHECK (fuse IN ('off', 'on', 'auto')),
    fuse_ceiling           bigint CHECK (fuse_ceiling >= 0),      -- pending rows that blow the fuse
    -- auto: standard deviations above the mean; NULL = 6
    fuse_sensitivity       int CHECK (fuse_sensitivity BETWEEN 1 AND 100),
    fuse_learned           bigint,                                -- auto: what the daemon learned from the history
    fuse_limit             bigint GENERATED ALWAYS AS
        (CASE fuse WHEN 'on' THEN fuse_ceiling WHEN 'auto' THEN least(fuse_learned, fuse_ceiling) END) STORED,
    fuse_blown_at          timestamptz,                           -- NULL: intact
    fuse_blow_reason       text,
    -- what the next refresh does with what blew it
    fuse_reset             text CHECK (fuse_reset IN ('apply', 'skip_changes')),
    -- changes were skipped: not equal to its query until re-initialised
    skipped_at             timestamptz,
    refresh_mode           text NOT NULL DEFAULT 'AUTO'
        CHECK (refresh_mode IN ('AUTO', 'DIFFERENTIAL', 'FULL', 'IMMEDIATE')),
    -- NULL: not compiled yet
    effective_refresh_mode text CHECK (effective_refresh_mode IN ('DIFFERENTIAL', 'FULL', 'IMMEDIATE')),
    reason                 text,                                  -- why the effective mode is what it is
    status                 text NOT NULL DEFAULT 'PENDING'
                           CHECK (status IN ('PENDING', 'INITIALIZING', 'ACTIVE', 'ERROR', 'SUSPENDED', 'PAUSED')),
    is_populated           boolean NOT NULL DEFAULT false,
    needs_reinit           boolean NOT NULL DEFAULT false,        -- the daemon must rebuild it before the next refresh
    reinit_reason          text,
    consecutive_errors     int NOT NULL DEFAULT 0,
    last_error             text,
    last_error_code        text,                                  -- SQLSTATE
    last_error_hint        text,
    last_error_at          timestamptz,
    -- ERROR, SUSPENDED: when the daemon tries again; NULL: as soon as it sees it
    retry_at               timestamptz,
    -- where rows tie (LIMIT, DISTINCT ON): the query with the order that decides
    definite_query         text,
    plan                   text,                                  -- operator tree and nodes, for people
    options                jsonb NOT NULL DEFAULT '{}',
    created_at             timestamptz NOT NULL DEFAULT pg_catalog.now(),
    created_by             name NOT NULL DEFAULT current_user,
    refresh_asked_at       timestamptz,                           -- when somebody last wanted it refreshed at once
    owner_name             name,                                  -- of the owner's role, as last seen; for restores
    -- tells "created in this very transaction"
    created_xid            xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    generation             bigint NOT NULL DEFAULT 1              -- bumped by every change that concerns the daemon
);

-- One row per stream table from its creation on; snapshot NULL means not initialised. Locking the row serialises
-- refreshes. Every refresh updates it, so it is narrow, has what a refresh decides by and no more, and free space in
-- the page keeps those updates HOT. Statistics are in pgt_refresh_stats.
CREATE TABLE pgtrickle.pgt_frontiers (
    pgt_id              bigint PRIMARY KEY REFERENCES pgtrickle.pgt_stream_tables ON DELETE CASCADE,
    owner               oid,                          -- of the program, whose role writes this row; NULL: not built yet
    snapshot            pg_snapshot,
    xid                 xid8,
    seq                 bigint,
    data_timestamp      timestamptz,                  -- when snapshot was taken
    -- now() of the last refresh in the eyes of its query (_now): what comparisons with the time were true for
    clock               timestamptz,
    -- no row crosses before that time, if nothing else changes; NULL: not known
    next_crossing       timestamptz,
    full_threshold      bigint,                       -- pending rows above which 'auto' recomputes; NULL = never
    -- not NULL: not all transactions older than its facts are known to have ended
    facts_from          xid8,
    last_action         text,
    last_delta_rows     bigint
) WITH (fillfactor = 50);

-- What keeps refreshes from being the usual case, which refresh_<id> has written out: few rows, as a rule none, so that
-- a refresh that finds nothing has looked at one small table. Written by triggers and event triggers in the
-- transaction that changes what a row stands for, so a snapshot shows both or neither. Reasons:
--   table        of a stream table: a rebuild is due, its fuse is blown or was reset, it has a fraction or a limit
--   catalog      row security on a source, which roles can change without any event; a unique index of a user
--   gate <oid>, group <id>    of all (pgt_id 0): a source that is gated, a watermark group
CREATE TABLE pgtrickle.pgt_refresh_limits (
    pgt_id     bigint NOT NULL,
    reason     text NOT NULL,
    usual_rows bigint NOT NULL DEFAULT -1,            -- up to so many pending rows it is the usual case; -1: never
    PRIMARY KEY (pgt_id, reason)
);

-- Counters of the refreshes that the history tells, without those whose row there is not counted. Written by the
-- daemon alone, so that no refresh waits for another's counters; without a foreign key, so that it waits for no DROP.
-- Rows of stream tables that are gone are removed with old history. The view _refresh_stats adds what is not counted.
CREATE TABLE pgtrickle.pgt_refresh_stats (
    pgt_id              bigint PRIMARY KEY,
    last_refresh_at     timestamptz,
    last_duration_ms    double precision,
    rows                bigint,                       -- in the stream table, as its program and its refreshes tell
    ms_per_delta_row    double precision,             -- what full_threshold was made of; NULL: not known yet
    ms_per_full         double precision,
    total_refreshes     bigint NOT NULL DEFAULT 0,
    total_differential  bigint NOT NULL DEFAULT 0,
    total_full          bigint NOT NULL DEFAULT 0,
    total_rows_inserted bigint NOT NULL DEFAULT 0,
    total_rows_updated  bigint NOT NULL DEFAULT 0,
    total_rows_deleted  bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- IMMEDIATE stream tables that are maintained by triggers. Writers update the row only to say that the program cannot
-- go on: what they lock and count is in pgtrickle_state (daemon/compiler/plan/writer_locks.h).
CREATE TABLE pgtrickle.pgt_immediate (
    pgt_id    bigint PRIMARY KEY REFERENCES pgtrickle.pgt_stream_tables ON DELETE CASCADE,
    owner     oid NOT NULL,                           -- of the program, whose role writes this row
    lost      text,                                   -- why the program cannot go on
    user_keys boolean NOT NULL                        -- the program knows that users made unique indexes
);

-- IMMEDIATE stream tables whose triggers do nothing any more, until they are rebuilt. A table of its own, because who
-- stops one must not wait for its writers.
CREATE TABLE pgtrickle.pgt_immediate_stopped (
    pgt_id bigint PRIMARY KEY REFERENCES pgtrickle.pgt_stream_tables ON DELETE CASCADE
);

-- A captured relation and its change log pgtrickle_changes.log_<source_id>.
CREATE TABLE pgtrickle.pgt_sources (
    source_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    relid         oid NOT NULL UNIQUE,
    source_schema name NOT NULL,
    source_name   name NOT NULL,
    active_log    "char" NOT NULL DEFAULT 'a' CHECK (active_log IN ('a', 'b')),
    columns       int2[] NOT NULL,                    -- captured attribute numbers, ascending
    shape         text NOT NULL,                      -- fingerprint of the captured columns, see _source_shape
    -- every relation of the inheritance tree that has triggers, ascending
    partitions    oid[] NOT NULL,
    -- why the capture function writes markers only; NULL = captures rows
    problem       text,
    -- nobody reads its log, because its readers are all IMMEDIATE: the capture function writes nothing
    muted         boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT pg_catalog.now(),
    switched_at   timestamptz
);

-- Stream table pgt_id reads source_relid. Views are listed as well as what they read. Written at creation from what
-- PostgreSQL recorded for the query, replaced by the daemon when it compiles it.
CREATE TABLE pgtrickle.pgt_dependencies (
    pgt_id        bigint NOT NULL REFERENCES pgtrickle.pgt_stream_tables ON DELETE CASCADE,
    source_relid  oid NOT NULL,
    source_type   text NOT NULL CHECK (source_type IN ('TABLE', 'PARTITIONED_TABLE', 'STREAM_TABLE', 'VIEW',
                                                       'MATERIALIZED_VIEW', 'FOREIGN_TABLE')),
    source_id     bigint REFERENCES pgtrickle.pgt_sources ON DELETE SET NULL,   -- NULL: not captured
    columns       int2[] NOT NULL DEFAULT '{}',       -- attribute numbers that the query names, ascending
    column_names  name[] NOT NULL DEFAULT '{}',       -- their names, in the same order
    source_schema name NOT NULL,
    source_name   name NOT NULL,
    PRIMARY KEY (pgt_id, source_relid)
);
CREATE INDEX pgt_dependencies_source ON pgtrickle.pgt_dependencies (source_relid);
CREATE INDEX pgt_dependencies_log ON pgtrickle.pgt_dependencies (source_id);

-- What a program took from the catalog when it was compiled: one row per thing and kind of fact, as the world was then.
-- Written by the daemon when it builds (_record_facts), compared with the world as it is by _changed_facts.
CREATE TABLE pgtrickle.pgt_facts (
    pgt_id      bigint NOT NULL REFERENCES pgtrickle.pgt_stream_tables ON DELETE CASCADE,
    classid     oid NOT NULL,                         -- catalog of the object, such as pg_proc
    objid       oid NOT NULL,                         -- 0: a fact about no single object
    kind        text NOT NULL,                        -- what about it, see _fact_now
    role        oid NOT NULL DEFAULT 0,               -- with whose rights it is read, where that matters
    columns     int2[] NOT NULL DEFAULT '{}',         -- of a relation: the ones that are used
    object_type text NOT NULL,                        -- function, type, table ...; for people
    -- schema, name and identity as recorded; OIDs are followed, names are not
    schema      name,
    name        name,
    identity    text NOT NULL,                        -- for example public.f(integer)
    -- who names it: see _used_objects
    used_by     text NOT NULL CHECK (used_by IN ('query', 'view', 'object', 'body')),
    fingerprint jsonb NOT NULL,
    PRIMARY KEY (pgt_id, classid, objid, kind, role)
);
CREATE INDEX pgt_facts_object ON pgtrickle.pgt_facts (objid, classid);
CREATE INDEX pgt_facts_overloads ON pgtrickle.pgt_facts (classid) WHERE kind = 'overloads';

-- One row per refresh that did something, or failed. No foreign key: it outlives the stream table.
CREATE TABLE pgtrickle.pgt_refresh_history (
    refresh_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pgt_id         bigint NOT NULL,
    data_timestamp timestamptz,
    start_time     timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    end_time       timestamptz,
    action         text,
    status         text NOT NULL CHECK (status IN ('COMPLETED', 'FAILED')),
    delta_rows     bigint,
    rows_inserted  bigint,
    rows_updated   bigint,
    rows_deleted   bigint,
    duration_ms    double precision,
    error_code     text,
    error_message  text,
    initiated_by   text NOT NULL CHECK (initiated_by IN ('SCHEDULER', 'MANUAL', 'INITIAL')),
    counted        boolean NOT NULL DEFAULT true      -- in pgt_refresh_stats; or there is nothing to count
);
CREATE INDEX pgt_refresh_history_uncounted ON pgtrickle.pgt_refresh_history (pgt_id) WHERE NOT counted;
CREATE INDEX pgt_refresh_history_latest ON pgtrickle.pgt_refresh_history (pgt_id, refresh_id DESC);
CREATE INDEX pgt_refresh_history_start ON pgtrickle.pgt_refresh_history (start_time);

-- Daemons that serve this database. A heartbeat older than 15 s counts as dead.
CREATE TABLE pgtrickle.pgt_daemons (
    instance     text PRIMARY KEY,
    pid          int,                                 -- of the daemon process on its host
    host         text,
    version      text,
    database     text,
    started_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
    heartbeat_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    is_leader    boolean NOT NULL DEFAULT false
);

-- One row. What the daemon may do in this database; refreshes by hand are not concerned.
CREATE TABLE pgtrickle.pgt_control (
    only_row      boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    paused        boolean NOT NULL DEFAULT false,
    paused_at     timestamptz,
    paused_by     name,
    reason        text
);
INSERT INTO pgtrickle.pgt_control DEFAULT VALUES;

-- Sources that are being loaded: what reads a gated source, directly or through other stream tables, waits.
CREATE TABLE pgtrickle.pgt_source_gates (
    source_relid  oid PRIMARY KEY,
    source_schema name NOT NULL,
    source_name   name NOT NULL,
    source_owner  name,                               -- for restores: another owner's relation is not meant
    gated         boolean NOT NULL,
    gated_at      timestamptz,
    ungated_at    timestamptz,
    gated_by      name NOT NULL DEFAULT current_user
);

-- Tables whose owner decides who may have their changes captured, see 41_capture_rights.sql: a row per role that may.
CREATE TABLE pgtrickle.pgt_capture_rights (
    source_relid  oid NOT NULL,
    source_schema name NOT NULL,
    source_name   name NOT NULL,
    source_owner  name NOT NULL,                      -- for restores
    role          oid NOT NULL DEFAULT 0,             -- 0: none; the row that says that the owner has decided
    role_name     name,
    decided_at    timestamptz NOT NULL DEFAULT pg_catalog.now(),
    decided_by    name NOT NULL DEFAULT current_user,
    PRIMARY KEY (source_relid, role)
);

COMMENT ON TABLE pgtrickle.pgt_capture_rights IS
'Who may have the changes of tables captured whose owners have decided that, see allow_capture() and forbid_capture().
  A row with role 0 for each table, and one for each role that may besides its owner and who has TRIGGER on it.';

-- Up to which moment of the business's time a source is complete.
CREATE TABLE pgtrickle.pgt_watermarks (
    source_relid  oid PRIMARY KEY,
    source_schema name NOT NULL,
    source_name   name NOT NULL,
    source_owner  name,                               -- for restores
    watermark     timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL DEFAULT pg_catalog.now(),
    advanced_by   name NOT NULL DEFAULT current_user
);

-- Sources whose watermarks must be within a tolerance of each other before anybody who reads one of them is refreshed.
CREATE TABLE pgtrickle.pgt_watermark_groups (
    group_id       int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    group_name     text NOT NULL UNIQUE,
    sources        oid[] NOT NULL,
    tolerance_secs double precision NOT NULL DEFAULT 0 CHECK (tolerance_secs >= 0),
    created_at     timestamptz NOT NULL DEFAULT pg_catalog.now(),
    created_by     name NOT NULL DEFAULT current_user
);

-- Of these stream tables: is there row security on what they read, or a unique index besides the program's own key?
CREATE FUNCTION pgtrickle._limit_by_catalog(ids bigint[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    WITH limited AS (
        SELECT d.pgt_id FROM pgtrickle.pgt_dependencies d JOIN pg_class c ON c.oid = d.source_relid
        WHERE d.pgt_id = ANY (ids) AND c.relrowsecurity
        UNION SELECT s.pgt_id FROM pgtrickle.pgt_stream_tables s JOIN pg_index i ON i.indrelid = s.pgt_relid
        JOIN pg_class x ON x.oid = i.indexrelid
        WHERE s.pgt_id = ANY (ids) AND (i.indisunique OR i.indisexclusion)
          AND x.relname <> format('pgtrickle_%s_key', s.pgt_id)),
    gone AS (
        DELETE FROM pgtrickle.pgt_refresh_limits l
        WHERE l.pgt_id = ANY (ids) AND l.reason = 'catalog' AND l.pgt_id NOT IN (SELECT x.pgt_id FROM limited x))
    INSERT INTO pgtrickle.pgt_refresh_limits (pgt_id, reason) SELECT x.pgt_id, 'catalog' FROM limited x
    ON CONFLICT DO NOTHING
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._limit_by_catalog FROM PUBLIC;

CREATE FUNCTION pgtrickle._limit_table() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    most bigint;
BEGIN
    IF tg_op = 'DELETE' THEN
        DELETE FROM pgtrickle.pgt_refresh_limits l WHERE l.pgt_id = old.pgt_id;
        RETURN NULL;
    END IF;
    most := CASE WHEN new.needs_reinit OR new.fuse_blown_at IS NOT NULL OR new.fuse_reset IS NOT NULL
                 OR new.max_delta_fraction IS NOT NULL THEN -1 ELSE new.fuse_limit END;
    IF most IS NULL THEN
        DELETE FROM pgtrickle.pgt_refresh_limits l WHERE l.pgt_id = new.pgt_id AND l.reason = 'table';
    ELSE
        INSERT INTO pgtrickle.pgt_refresh_limits AS l (pgt_id, reason, usual_rows) VALUES (new.pgt_id, 'table', most)
        ON CONFLICT (pgt_id, reason) DO UPDATE SET usual_rows = excluded.usual_rows
        WHERE l.usual_rows <> excluded.usual_rows;
    END IF;
    IF tg_op = 'INSERT' OR old.needs_reinit AND NOT new.needs_reinit OR old.status <> new.status
        OR old.pgt_relid IS DISTINCT FROM new.pgt_relid THEN
        PERFORM pgtrickle._limit_by_catalog(ARRAY[new.pgt_id]);     -- its program, or what that reads, may be another
    END IF;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._limit_table FROM PUBLIC;
CREATE TRIGGER keep_limits AFTER INSERT OR UPDATE OR DELETE ON pgtrickle.pgt_stream_tables
    FOR EACH ROW EXECUTE FUNCTION pgtrickle._limit_table();
ALTER TABLE pgtrickle.pgt_stream_tables ENABLE ALWAYS TRIGGER keep_limits;

-- A gate or a watermark group: each refresh asks whether it is meant (_hold_reason).
CREATE FUNCTION pgtrickle._limit_all() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before text;
    now    text;
BEGIN
    IF tg_table_name = 'pgt_source_gates' THEN
        before := CASE WHEN tg_op <> 'INSERT' AND (to_jsonb(old) ->> 'gated')::boolean THEN
                       concat('gate ', to_jsonb(old) ->> 'source_relid') END;
        now := CASE WHEN tg_op <> 'DELETE' AND (to_jsonb(new) ->> 'gated')::boolean THEN
                    concat('gate ', to_jsonb(new) ->> 'source_relid') END;
    ELSE
        before := CASE WHEN tg_op <> 'INSERT' THEN concat('group ', to_jsonb(old) ->> 'group_id') END;
        now := CASE WHEN tg_op <> 'DELETE' THEN concat('group ', to_jsonb(new) ->> 'group_id') END;
    END IF;
    IF before IS DISTINCT FROM now THEN
        DELETE FROM pgtrickle.pgt_refresh_limits l WHERE l.pgt_id = 0 AND l.reason = before;
        INSERT INTO pgtrickle.pgt_refresh_limits (pgt_id, reason) SELECT 0, now WHERE now IS NOT NULL
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._limit_all FROM PUBLIC;
CREATE TRIGGER keep_limits AFTER INSERT OR UPDATE OR DELETE ON pgtrickle.pgt_source_gates
    FOR EACH ROW EXECUTE FUNCTION pgtrickle._limit_all();
ALTER TABLE pgtrickle.pgt_source_gates ENABLE ALWAYS TRIGGER keep_limits;
CREATE TRIGGER keep_limits AFTER INSERT OR UPDATE OR DELETE ON pgtrickle.pgt_watermark_groups
    FOR EACH ROW EXECUTE FUNCTION pgtrickle._limit_all();
ALTER TABLE pgtrickle.pgt_watermark_groups ENABLE ALWAYS TRIGGER keep_limits;

-- Stream tables that are always refreshed together, in one transaction and one snapshot, or not at all.
CREATE TABLE pgtrickle.pgt_refresh_groups (
    group_id   int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    group_name text NOT NULL UNIQUE,
    isolation  text NOT NULL DEFAULT 'repeatable_read' CHECK (isolation IN ('repeatable_read', 'read_committed')),
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    created_by name NOT NULL DEFAULT current_user
);
CREATE TABLE pgtrickle.pgt_refresh_group_members (
    group_id int NOT NULL REFERENCES pgtrickle.pgt_refresh_groups ON DELETE CASCADE,
    pgt_id   bigint NOT NULL UNIQUE REFERENCES pgtrickle.pgt_stream_tables ON DELETE CASCADE,   -- of one group at most
    PRIMARY KEY (group_id, pgt_id)
);

-- Cycles of stream tables that have been brought to their fixed point, by the smallest pgt_id of their members. A row
-- that does not describe the cycle as it is now (members, their frontiers) means: start from empty tables.
CREATE TABLE pgtrickle.pgt_sccs (
    scc_id            bigint PRIMARY KEY,
    members           bigint[] NOT NULL,              -- ascending
    generations       bigint[] NOT NULL,              -- of the members' programs, in the same order
    -- seq of the members' frontiers: others, and somebody else refreshed one alone
    frontiers         bigint[] NOT NULL,
    last_iterations   int,
    last_converged_at timestamptz,
    last_error        text                            -- of the daemon's last attempt, if it failed
);

-- Where this catalog was written. Transaction ids and OIDs mean nothing in another cluster or database: after a restore
-- there is a row that does not match, see _cluster_changed(). No primary key, because a restore adds the dumped row to
-- the one that CREATE EXTENSION has just written.
CREATE TABLE pgtrickle.pgt_installation (
    system_identifier text,                           -- NULL: could not be read
    database_oid      oid NOT NULL,
    version           text NOT NULL,
    installed_at      timestamptz NOT NULL DEFAULT pg_catalog.now()
);
ALTER TABLE pgtrickle.pgt_installation REPLICA IDENTITY FULL;     -- it can be published like all tables

-- Orders rows within one transaction, in all logs; see docs/ARCHITECTURE.md. A large cache: sessions do not meet here.
CREATE SEQUENCE pgtrickle_changes.log_seq CACHE 1000;

-- The first transaction that had not ended when a log was cleared last: TRUNCATE is not MVCC, see _rotate_log().
CREATE SEQUENCE pgtrickle_changes.last_clearing;
SELECT pg_catalog.setval('pgtrickle_changes.last_clearing', 1);
GRANT SELECT ON SEQUENCE pgtrickle_changes.last_clearing TO PUBLIC;
GRANT USAGE ON SEQUENCE pgtrickle_changes.log_seq TO PUBLIC;     -- every refresh takes a number

-- Bumped by who changes the catalog but may not notify, see _wake_from_trigger().
CREATE SEQUENCE pgtrickle.catalog_changes;

-- Access -------------------------------------------------------------------------------------------------------------

-- May the current user manage the stream table with this OID? False if it does not exist.
CREATE FUNCTION pgtrickle._may_manage(relid oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_class c WHERE c.oid = relid AND pg_has_role(current_user, c.relowner, 'USAGE'))
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._may_manage TO PUBLIC;

CREATE FUNCTION pgtrickle._may_manage_id(id bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s JOIN pg_class c ON c.oid = s.pgt_relid
                   WHERE s.pgt_id = id AND pg_has_role(current_user, c.relowner, 'USAGE'))
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._may_manage_id TO PUBLIC;

-- Who may read what. Everybody sees that there are stream tables, what they read, how they are refreshed and how much.
-- Queries, plans, errors and what else can show values or texts of the owner's is for members of the owner: row
-- security here, and the view _stream_tables, which has a row for every stream table, with NULL in these columns where
-- it is somebody else's.
GRANT SELECT ON ALL TABLES IN SCHEMA pgtrickle TO PUBLIC;

ALTER TABLE pgtrickle.pgt_stream_tables ENABLE ROW LEVEL SECURITY;
CREATE POLICY members_read ON pgtrickle.pgt_stream_tables FOR SELECT
    USING (EXISTS (SELECT FROM pg_catalog.pg_class c
                   WHERE c.oid = pgt_relid AND pg_catalog.pg_has_role(c.relowner, 'USAGE')));

ALTER TABLE pgtrickle.pgt_frontiers ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody_reads ON pgtrickle.pgt_frontiers FOR SELECT USING (true);
-- Programs run as the owner of the stream table and move its frontier. Tampering with one's own harms nobody else.
CREATE POLICY owner_refreshes ON pgtrickle.pgt_frontiers FOR UPDATE USING (pg_catalog.pg_has_role(owner, 'USAGE'));
GRANT UPDATE (snapshot, xid, seq, facts_from, data_timestamp, clock, next_crossing, last_action, last_delta_rows)
    ON pgtrickle.pgt_frontiers TO PUBLIC;

ALTER TABLE pgtrickle.pgt_immediate ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody_reads ON pgtrickle.pgt_immediate FOR SELECT USING (true);
CREATE POLICY owner_maintains ON pgtrickle.pgt_immediate FOR UPDATE USING (pg_catalog.pg_has_role(owner, 'USAGE'));
GRANT UPDATE (lost) ON pgtrickle.pgt_immediate TO PUBLIC;

-- Those who do not see the stream table do not see these either.
ALTER TABLE pgtrickle.pgt_facts ENABLE ROW LEVEL SECURITY;
CREATE POLICY members_read ON pgtrickle.pgt_facts FOR SELECT
    USING (EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = pgt_facts.pgt_id));
ALTER TABLE pgtrickle.pgt_refresh_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY members_read ON pgtrickle.pgt_refresh_history FOR SELECT
    USING (EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = pgt_refresh_history.pgt_id));

-- The columns that everybody may see.
CREATE FUNCTION pgtrickle._public_columns() RETURNS name[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT '{pgt_id,pgt_relid,pgt_schema,pgt_name,schedule,schedule_ms,tier,max_staleness,diamond_consistency,
             diamond_schedule_policy,allow_circular,max_delta_fraction,fuse,fuse_ceiling,fuse_sensitivity,fuse_learned,
             fuse_limit,fuse_blown_at,fuse_blow_reason,fuse_reset,skipped_at,refresh_mode,effective_refresh_mode,
             status,is_populated,needs_reinit,consecutive_errors,last_error_code,last_error_at,retry_at,
             created_at,created_by,
             refresh_asked_at,owner_name,created_xid,generation}'::name[]
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._public_columns FROM PUBLIC;

-- Columns in the order of the table, so that a row of one is a row of the other. A new column is for members until it
-- is named above.
DO $views$
BEGIN
    EXECUTE (
        SELECT pg_catalog.format(E'CREATE VIEW pgtrickle._stream_tables AS SELECT %s\n'
                                 'FROM pgtrickle.pgt_stream_tables s '
                                 'LEFT JOIN pg_catalog.pg_class c ON c.oid = s.pgt_relid',
                                 pg_catalog.string_agg(CASE WHEN a.attname = ANY (pgtrickle._public_columns())
                                                            THEN pg_catalog.format('s.%I', a.attname)
                                                            ELSE pg_catalog.format(
                                        'CASE WHEN pg_catalog.pg_has_role(c.relowner, ''USAGE'') THEN s.%1$I END AS '
                                        '%1$I', a.attname) END,
                                                       E',\n' ORDER BY a.attnum))
        FROM pg_catalog.pg_attribute a WHERE a.attrelid = 'pgtrickle.pgt_stream_tables'::regclass AND a.attnum > 0
          AND NOT a.attisdropped);
END
$views$;
COMMENT ON VIEW pgtrickle._stream_tables IS 'Every stream table, as the caller may see it.';

CREATE VIEW pgtrickle._refresh_history AS
SELECT h.refresh_id, h.pgt_id, h.data_timestamp, h.start_time, h.end_time, h.action, h.status, h.delta_rows,
       h.rows_inserted, h.rows_updated, h.rows_deleted,
       h.duration_ms, h.error_code, CASE WHEN pg_catalog.pg_has_role(c.relowner, 'USAGE') THEN h.error_message END AS
           error_message, h.initiated_by
FROM pgtrickle.pgt_refresh_history h LEFT JOIN pgtrickle.pgt_stream_tables s
USING (pgt_id) LEFT JOIN pg_catalog.pg_class c ON c.oid = s.pgt_relid;
COMMENT ON VIEW pgtrickle._refresh_history IS 'The history of refreshes, as the caller may see it.';

-- Which cycles there are is public, why one failed is not.
CREATE VIEW pgtrickle._sccs AS
SELECT c.scc_id, c.members, c.last_iterations, c.last_converged_at,
       CASE WHEN EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s JOIN pg_catalog.pg_class k ON k.oid = s.pgt_relid
                         WHERE s.pgt_id = ANY (c.members) AND pg_catalog.pg_has_role(k.relowner, 'USAGE')) THEN
                             c.last_error END AS last_error
FROM pgtrickle.pgt_sccs c;
COMMENT ON VIEW pgtrickle._sccs IS 'Cycles of stream tables, as the caller may see them.';
GRANT SELECT ON pgtrickle._stream_tables, pgtrickle._refresh_history, pgtrickle._sccs TO PUBLIC;

-- Written by _scc_done and _scc_failed alone.
ALTER TABLE pgtrickle.pgt_sccs ENABLE ROW LEVEL SECURITY;
CREATE POLICY members_read ON pgtrickle.pgt_sccs FOR SELECT
    USING (EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = ANY (members)));
