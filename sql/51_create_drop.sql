-- Creating and dropping stream tables, in the caller's transaction with the caller's rights.

-- Does the work of create_stream_table; returns false if the stream table exists and if_not_exists is set. deparsed: as
-- _make_view.
CREATE FUNCTION pgtrickle._create_stream_table(name text, query text, schedule text, refresh_mode text,
                                               initialize boolean, if_not_exists boolean,
                                               options pgtrickle._options, caller_path text,
                                               deparsed boolean DEFAULT false)
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
    st := pgtrickle._with_options(st, options, target.qualified);
    SELECT * INTO definition FROM pgtrickle._define(target.qualified, query, caller_path, deparsed);
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
    PERFORM pgtrickle._wake_for(id);
    RETURN true;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._create_stream_table TO PUBLIC;

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
        PERFORM pgtrickle._wake_for(reader.pgt_id);
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
