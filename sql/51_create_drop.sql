-- Creating and dropping stream tables, in the caller's transaction with the caller's rights.

-- Does the work of create_stream_table; returns false if the stream table exists and if_not_exists is set.
CREATE FUNCTION pgtrickle._create_stream_table(name text, query text, schedule text, refresh_mode text,
                                               initialize boolean, if_not_exists boolean,
                                               options pgtrickle._options, caller_path text)
RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target     record;
    mode       text := pgtrickle._check_mode(refresh_mode);
    plan       text := pgtrickle._check_schedule(coalesce(schedule, 'calculated'));
    st         pgtrickle.pgt_stream_tables;
    definition record;
    names      jsonb;
    table_oid  oid;
    id         bigint;
    code text; message text; detail text; hint text;
BEGIN
    SELECT * INTO target FROM pgtrickle._target(name, caller_path);
    IF target.existing IS NOT NULL THEN
        IF EXISTS (SELECT FROM pgtrickle._stream_tables s WHERE s.pgt_relid = target.existing) THEN
            IF if_not_exists THEN
                RAISE NOTICE 'stream table % already exists, skipping', target.qualified
                    USING ERRCODE = 'duplicate_table';
                RETURN false;
            END IF;
            RAISE EXCEPTION 'stream table % already exists', target.qualified
                USING ERRCODE = 'duplicate_table',
                      HINT = 'pgtrickle.drop_stream_table() removes it; create_stream_table_if_not_exists() leaves '
                             'it alone, create_or_replace_stream_table() changes it.';
        END IF;
        RAISE EXCEPTION 'relation % already exists and is not a stream table', target.qualified
            USING ERRCODE = 'duplicate_table',
                HINT = 'pgtrickle makes the table itself. Choose another name, or drop or rename that relation.';
    END IF;
    st.tier := 'hot';
    st.fuse := 'off';
    st.allow_circular := false;
    st := pgtrickle._with_options(st, options, target.qualified);
    SELECT * INTO definition FROM pgtrickle._define(target.qualified, query, caller_path);
    IF mode IN ('DIFFERENTIAL', 'IMMEDIATE') THEN
        PERFORM pgtrickle._require_differential(target.qualified, definition.view_oid, mode);
    END IF;

    names := pgtrickle._names(definition.view_oid, query, caller_path);

    -- The table. Its rows come from the view, so they are the result of exactly what was checked.
    BEGIN
        EXECUTE format('CREATE TABLE %s AS SELECT * FROM %s WITH NO DATA', target.qualified,
                       definition.view_oid::regclass);
        table_oid := to_regclass(target.qualified);
        IF initialize THEN
            EXECUTE format('INSERT INTO %s SELECT * FROM %s', target.qualified, definition.view_oid::regclass);
        END IF;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
            hint = PG_EXCEPTION_HINT;
        PERFORM pgtrickle._fail(code, format('stream table %s: %s', target.qualified, message),
                                detail, pgtrickle._query_hint(code, message, hint));
    END;

    st.pgt_relid := table_oid;
    st.original_query := pgtrickle._kept_text(query, definition.canonical);
    st.defining_query := definition.canonical;
    st.settings := pgtrickle._current_settings();
    st.names := names;
    st.schedule := plan;
    st.refresh_mode := mode;
    st.is_populated := coalesce(initialize, false);
    id := pgtrickle._request('create', to_jsonb(st) || jsonb_build_object('view', definition.view_oid))::bigint;
    EXECUTE format('DROP VIEW %s', definition.view_oid::regclass);

    PERFORM pgtrickle._install_guard(table_oid, id);
    EXECUTE format('COMMENT ON TABLE %s IS %L', target.qualified, 'stream table, kept by pgtrickle');
    PERFORM pgtrickle._wake('t:' || id);
    RETURN true;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._create_stream_table TO PUBLIC;

CREATE FUNCTION pgtrickle.create_stream_table(
    name text, query text, schedule text DEFAULT 'calculated', refresh_mode text DEFAULT 'AUTO',
        initialize boolean DEFAULT true,
    diamond_consistency text DEFAULT NULL, diamond_schedule_policy text DEFAULT NULL, cdc_mode text DEFAULT NULL,
        append_only boolean DEFAULT false,
    pooler_compatibility_mode boolean DEFAULT false, partition_by text DEFAULT NULL,
        max_differential_joins int DEFAULT NULL,
    max_delta_fraction double precision DEFAULT NULL, tier text DEFAULT NULL, max_staleness interval DEFAULT NULL,
        fuse text DEFAULT NULL,
    fuse_ceiling bigint DEFAULT NULL, fuse_sensitivity int DEFAULT NULL, allow_circular boolean DEFAULT false)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._create_stream_table(name, query, schedule, refresh_mode, initialize, false,
        ROW(diamond_consistency, diamond_schedule_policy, cdc_mode, append_only, pooler_compatibility_mode,
            partition_by, max_differential_joins,
            max_delta_fraction, tier, max_staleness, fuse, fuse_ceiling, fuse_sensitivity,
                allow_circular)::pgtrickle._options,
        pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.create_stream_table TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.create_stream_table(text, text, text, text, boolean, text, text, text, boolean, boolean,
                                                  text, int, double precision, text, interval, text, bigint,
                                                  int, boolean) IS
'Creates a table that holds the result of a query and that the daemon keeps fresh.
name: schema.table or table (then in the first schema of the search_path), as in SQL.
query: one SELECT; names in it follow the search_path now, later changes of the path do not matter.
schedule: ''calculated'' (as often as the stream tables that read it need); how old the result may get: ''250 ms'',
  ''1s'', ''5m'', ''1h30m'' (10 ms to
365 days); ''continuous'' or ''continuous 50 ms'' (when something changed, at most once in that time); cron: ''0 3 * *
  MON-FRI'', ''@hourly'', with
''TZ=Europe/Berlin '' in front in that time zone, otherwise in UTC.
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
  is learned from the history:
mean and fuse_sensitivity standard deviations, default 6; fuse_ceiling, if given, is an upper bound).
allow_circular: it may be part of a cycle of stream tables, see alter_stream_table().
cdc_mode, append_only, pooler_compatibility_mode, partition_by, max_differential_joins: for compatibility; what asks
  for anything else than capture by
triggers and a plain table is refused.
Runs in the caller''s transaction with the caller''s rights; the caller owns the result. The daemon takes over after
commit: see wait_until_active(). Needs the TEMPORARY privilege on the database.
Errors: 42P07 name taken; 22023 bad schedule, mode or option; 42602, 42622, 42601 bad name; 3F000 no such schema;
  0A000 an option that is not supported or
something in the query that no stored result can have; whatever PostgreSQL says about the query, prefixed with the
  stream table''s name.';

CREATE FUNCTION pgtrickle.create_stream_table_if_not_exists(
    name text, query text, schedule text DEFAULT 'calculated', refresh_mode text DEFAULT 'AUTO',
        initialize boolean DEFAULT true,
    diamond_consistency text DEFAULT NULL, diamond_schedule_policy text DEFAULT NULL, cdc_mode text DEFAULT NULL,
        append_only boolean DEFAULT false,
    pooler_compatibility_mode boolean DEFAULT false, partition_by text DEFAULT NULL,
        max_differential_joins int DEFAULT NULL,
    max_delta_fraction double precision DEFAULT NULL, tier text DEFAULT NULL, max_staleness interval DEFAULT NULL,
        fuse text DEFAULT NULL,
    fuse_ceiling bigint DEFAULT NULL, fuse_sensitivity int DEFAULT NULL, allow_circular boolean DEFAULT false)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._create_stream_table(name, query, schedule, refresh_mode, initialize, true,
        ROW(diamond_consistency, diamond_schedule_policy, cdc_mode, append_only, pooler_compatibility_mode,
            partition_by, max_differential_joins,
            max_delta_fraction, tier, max_staleness, fuse, fuse_ceiling, fuse_sensitivity,
                allow_circular)::pgtrickle._options,
        pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.create_stream_table_if_not_exists TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.create_stream_table_if_not_exists(text, text, text, text, boolean, text, text, text,
                                                                boolean, boolean, text, int, double precision, text,
                                                                interval, text, bigint, int, boolean) IS
'As create_stream_table(), but a NOTICE instead of an error if a stream table of this name exists, whatever its query.
  An ordinary relation of that name is still an error.';

-- Stream tables that read this one, directly or through views and each other; nearest first.
CREATE FUNCTION pgtrickle._readers(id bigint, OUT pgt_id bigint, OUT depth int) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE readers(pgt_id, depth) AS (
        SELECT id, 0
        UNION
        SELECT d.pgt_id, r.depth + 1 FROM readers r JOIN pgtrickle._stream_tables s ON s.pgt_id = r.pgt_id
        JOIN pgtrickle.pgt_dependencies d ON d.source_relid = s.pgt_relid
        WHERE r.depth < (SELECT count(*) FROM pgtrickle._stream_tables))
    SELECT r.pgt_id, max(r.depth) FROM readers r WHERE r.pgt_id <> id GROUP BY r.pgt_id ORDER BY 2, 1
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._readers TO PUBLIC;

-- Waits for refreshes that run, and keeps others from beginning until the transaction ends. Frontiers are locked before
-- rows of pgt_stream_tables, and those of tables that are read before those of their readers: in the order in which
-- refreshes and builds take them.
CREATE FUNCTION pgtrickle._lock_frontiers(ids bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._request('lock_frontiers', to_jsonb(ids));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._lock_frontiers TO PUBLIC;

CREATE FUNCTION pgtrickle._drop_stream_table(name text, cascade boolean, caller_path text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st        pgtrickle.pgt_stream_tables := pgtrickle._find_own(name, caller_path);
    qualified text := pgtrickle._qualified(st.pgt_relid);
    readers   text;
    reader    record;
    detail text; hint text; message text;
BEGIN
    SELECT string_agg('stream table ' || pgtrickle._qualified(s.pgt_relid), E'\n' ORDER BY r.depth,
                      s.pgt_id) INTO readers
    FROM pgtrickle._readers(st.pgt_id) AS r JOIN pgtrickle._stream_tables s USING (pgt_id);
    IF readers IS NOT NULL AND cascade IS NOT TRUE THEN
        RAISE EXCEPTION 'cannot drop stream table % because other stream tables read it', qualified
            USING ERRCODE = 'dependent_objects_still_exist', DETAIL = readers,
                HINT = 'Drop them first, or use cascade => true to drop them too.';
    END IF;
    FOR reader IN SELECT s.* FROM pgtrickle._readers(st.pgt_id) AS r JOIN pgtrickle._stream_tables s USING (pgt_id)
        ORDER BY r.depth DESC LOOP
        IF NOT pgtrickle._may_manage(reader.pgt_relid) THEN
            RAISE EXCEPTION 'must be owner of stream table %', pgtrickle._qualified(reader.pgt_relid)
                USING ERRCODE = 'insufficient_privilege', DETAIL = format('It reads stream table %s.', qualified);
        END IF;
    END LOOP;
    PERFORM pgtrickle._lock_frontiers((SELECT array_agg(x.pgt_id ORDER BY x.depth, x.pgt_id)
                                       FROM (SELECT st.pgt_id, 0 AS depth UNION ALL SELECT r.pgt_id, r.depth
                                             FROM pgtrickle._readers(st.pgt_id) AS r) AS x));
    FOR reader IN SELECT s.pgt_id, s.pgt_relid, pgtrickle._qualified(s.pgt_relid) AS qualified, r.depth
                  FROM pgtrickle._readers(st.pgt_id) AS r JOIN pgtrickle._stream_tables s USING (pgt_id)
                  UNION ALL SELECT st.pgt_id, st.pgt_relid, qualified, 0 ORDER BY depth DESC LOOP
        PERFORM pgtrickle._request('drop', jsonb_build_object('id', reader.pgt_id));
        BEGIN
            EXECUTE format('DROP TABLE %s %s', reader.qualified, CASE WHEN cascade THEN 'CASCADE' ELSE '' END);
        EXCEPTION WHEN dependent_objects_still_exist THEN
            GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
            PERFORM pgtrickle._fail('2BP01', format('cannot drop stream table %s because other objects depend on it',
                                                    reader.qualified), detail,
                                    'Drop them first, or use cascade => true to drop them too.');
        END;
        PERFORM pgtrickle._wake('t:' || reader.pgt_id);
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._drop_stream_table TO PUBLIC;

CREATE FUNCTION pgtrickle.drop_stream_table(name text, cascade boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._drop_stream_table(name, cascade, pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.drop_stream_table TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.drop_stream_table(text, boolean) IS
'Drops a stream table: the table and its row in the catalog at once, its program, state and unused capture soon after,
  by the daemon.
cascade: also drop the stream tables that read it and the views on it; otherwise they make it fail (2BP01, with a list).
Errors: 42P01 not a stream table; 42501 not the owner.';
