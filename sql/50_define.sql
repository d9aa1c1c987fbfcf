-- Creating, altering and dropping stream tables. Everything runs in the caller's transaction with the caller's rights.
--
-- How the search_path is handled: public functions have no SET clause, because that would hide the caller's path; they
-- contain nothing but one call with qualified names, which hands the path on as a parameter. The functions that do the
-- work pin their own.

-- Runs two statements under the caller's search_path: is `query` one plain SELECT that the caller may run (opening a
-- cursor plans it and checks privileges, without running it), and makes the temporary view `view_name` from it.
-- Leaves the pinned path behind. Errors: as PostgreSQL reports them; 42P11 if it is not one SELECT.
CREATE FUNCTION pgtrickle._make_view(view_name text, query text, caller_path text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    probe     refcursor;
    statement text := 'CREATE TEMPORARY VIEW pg_temp.' || view_name || ' AS ' || query;
BEGIN
    PERFORM pg_catalog.set_config('search_path', caller_path, true);
    OPEN probe NO SCROLL FOR EXECUTE query;
    CLOSE probe;
    EXECUTE statement;
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
END
$$;

-- What a temporary view made by _make_view reads: a row per relation, through views down to the tables (views included).
CREATE FUNCTION pgtrickle._view_sources(view_oid oid, OUT relid oid, OUT columns int2[], OUT direct boolean) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE reads(relid, attnum, direct) AS (
        SELECT d.refobjid, d.refobjsubid, true
        FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
        WHERE r.ev_class = view_oid AND d.refobjid <> view_oid
        UNION
        SELECT d.refobjid, d.refobjsubid, false
        FROM reads v JOIN pg_class c ON c.oid = v.relid AND c.relkind = 'v'
        JOIN pg_rewrite r ON r.ev_class = v.relid AND r.ev_type = '1'
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.relid)
    SELECT r.relid, coalesce(array_agg(DISTINCT r.attnum::int2 ORDER BY r.attnum::int2) FILTER (WHERE r.attnum > 0), '{}'), bool_or(r.direct)
    FROM reads r JOIN pg_class c ON c.oid = r.relid AND c.relkind IN ('r', 'p', 'v', 'm', 'f') GROUP BY r.relid
$$;

-- What we refuse although PostgreSQL makes a view of it, one row per problem. Looks at the stored parse tree of the
-- view: braces in names are escaped by a backslash and values are written as bytes, so nothing that a user writes can look
-- like a node, which follows a space or a parenthesis.
CREATE FUNCTION pgtrickle._view_problems(view_oid oid, OUT check_name text, OUT code text, OUT message text, OUT hint text) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tree text := (SELECT r.ev_action::text FROM pg_rewrite r WHERE r.ev_class = view_oid AND r.ev_type = '1');
    bad  text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = view_oid AND a.attnum > 0) THEN
        check_name := 'columns'; code := '42P16';
        message := 'it has no output column';
        hint := 'Select at least one column.';
        RETURN NEXT;
    END IF;
    SELECT string_agg(DISTINCT o.identity, ', ') INTO bad
    FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refobjid <> view_oid
    CROSS JOIN LATERAL pg_identify_object(d.refclassid, d.refobjid, 0) AS o
    WHERE r.ev_class = view_oid AND (o.schema LIKE 'pg\_temp%' OR o.identity LIKE 'pg\_temp%.%');
    IF bad IS NOT NULL THEN
        check_name := 'temporary_objects'; code := '42P16';
        message := format('it uses temporary objects: %s', bad);
        hint := 'Only this session sees them, the daemon does not. Use ordinary tables.';
        RETURN NEXT;
    END IF;
    SELECT string_agg(DISTINCT pgtrickle._qualified(c.oid), ', ') INTO bad
    FROM pgtrickle._view_sources(view_oid) AS v JOIN pg_class c ON c.oid = v.relid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('pgtrickle', 'pgtrickle_changes', 'pgtrickle_state');
    IF bad IS NOT NULL THEN
        check_name := 'own_schemas'; code := '0A000';
        message := format('it reads pgtrickle''s own tables: %s', bad);
        hint := 'Every refresh changes them. Query them with an ordinary view.';
        RETURN NEXT;
    END IF;
    IF tree ~ '[ (]\{ROWMARKCLAUSE' THEN
        check_name := 'locking'; code := '0A000';
        message := 'it has FOR UPDATE or FOR SHARE';
        hint := 'Remove the locking clause: a stored result locks no rows.';
        RETURN NEXT;
    END IF;
    IF tree ~ '[ (]\{TABLESAMPLECLAUSE' THEN
        check_name := 'tablesample'; code := '0A000';
        message := 'it has TABLESAMPLE';
        hint := 'A sample is another one each time. Filter by a column instead, for example WHERE id % 100 = 0.';
        RETURN NEXT;
    END IF;
    -- Fields of a query node come in this order, and the outermost query is the last one. A constant NULL is LIMIT ALL.
    -- Limits in subqueries are for the daemon's compiler.
    IF substring(tree FROM '.*(:sortClause .*)') ~ '^:sortClause <> :limitOffset (<> :limitCount )?\{(?!CONST [^}]*:constisnull true)' THEN
        check_name := 'limit'; code := '0A000';
        message := 'it has LIMIT or OFFSET without ORDER BY';
        hint := 'Without ORDER BY any rows may be the first. Add an ORDER BY that decides.';
        RETURN NEXT;
    END IF;
    IF tree ~ '[ (]\{VAR :varno [0-9]+ :varattno -[0-9]' THEN
        check_name := 'system_columns'; code := '0A000';
        message := 'it uses a system column (ctid, xmin, tableoid, ...)';
        hint := 'System columns change without a change of the data. Use ordinary columns.';
        RETURN NEXT;
    END IF;
END
$$;

-- Our explanation of an error that PostgreSQL raised for a query, by SQLSTATE; its own hint comes first.
CREATE FUNCTION pgtrickle._query_hint(code text, message text, own text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(nullif(own, ''), CASE
        WHEN code = '42P11' THEN 'The query of a stream table is one statement: SELECT, VALUES, TABLE or WITH ... SELECT.'
        WHEN code = '0A000' AND message LIKE '%INTO%' THEN 'Leave out INTO: pgtrickle makes the table.'
        WHEN code = '0A000' AND message LIKE '%WITH%' THEN 'A query that is run again and again must not change data: use SELECT only.'
        WHEN code = '42701' THEN 'Give every output column a name of its own with AS; ctid, xmin, tableoid and the like are taken.'
        WHEN code = '42P16' THEN 'Check names and types of the output columns.'
        WHEN code IN ('42P01', '3F000') THEN 'Names without a schema follow the search_path.'
        WHEN code = '42P02' THEN 'Write the value instead of the parameter.'
        WHEN code = '42501' AND message LIKE '%temporary%' THEN 'pgtrickle reads the query through a temporary view: GRANT TEMPORARY ON DATABASE to this role.'
        WHEN code = '42601' THEN 'The query of a stream table is one statement: SELECT, VALUES, TABLE or WITH ... SELECT.' END)
$$;

-- Settings on which the text or value of an expression can depend.
CREATE FUNCTION pgtrickle._current_settings() RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_object_agg(s, current_setting(s)) FROM unnest(ARRAY['TimeZone', 'DateStyle', 'IntervalStyle', 'extra_float_digits', 'bytea_output',
        'lc_monetary', 'lc_numeric', 'lc_time', 'default_text_search_config', 'xmlbinary', 'xmloption']) AS s
$$;

-- The guard on every stream table: its rows are written by its program only, which runs with pgtrickle.apply = '<id>'.
CREATE FUNCTION pgtrickle._guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'cannot % stream table "%.%" directly', lower(TG_OP), TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'object_not_in_prerequisite_state', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
              DETAIL = 'It holds the result of its query; only a refresh changes it.',
              HINT = 'Change the tables it reads. pgtrickle.explain_stream_table() shows them.';
END
$$;

-- AUTO, DIFFERENTIAL, FULL from what the user wrote. Errors: 22023, and 0A000 for IMMEDIATE.
CREATE FUNCTION pgtrickle._check_mode(refresh_mode text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    mode text := upper(btrim(refresh_mode));
BEGIN
    IF mode = 'IMMEDIATE' THEN
        RAISE EXCEPTION 'refresh mode IMMEDIATE is not supported yet'
            USING ERRCODE = 'feature_not_supported', HINT = 'Use AUTO with a short schedule, for example schedule => ''100 ms''.';
    ELSIF mode IS NULL OR mode NOT IN ('AUTO', 'DIFFERENTIAL', 'FULL') THEN
        RAISE EXCEPTION 'invalid refresh mode %', quote_nullable(refresh_mode)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use AUTO, DIFFERENTIAL or FULL.';
    END IF;
    RETURN mode;
END
$$;

-- Does the work of create_stream_table; returns false if the stream table exists and if_not_exists is set.
CREATE FUNCTION pgtrickle._create_stream_table(name text, query text, schedule text, refresh_mode text, initialize boolean, if_not_exists boolean, caller_path text)
RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target    record;
    schema    text;
    qualified text;
    mode      text := pgtrickle._check_mode(refresh_mode);
    plan      text := coalesce(schedule, 'calculated');
    existing  oid;
    view_name text := 'pgtrickle_definition_' || replace(gen_random_uuid()::text, '-', '');
    view_oid  oid;
    canonical text;
    problem   record;
    table_oid oid;
    id        bigint;
    code text; message text; detail text; hint text;
BEGIN
    PERFORM pgtrickle._check_schedule(plan);
    IF btrim(query) IS NULL OR btrim(query) = '' THEN
        RAISE EXCEPTION 'stream table %: the query is empty', name USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a SELECT.';
    END IF;

    -- Name: in the given schema, otherwise where CREATE TABLE would put it
    SELECT p.schema, p.relation INTO target FROM pgtrickle._parse_name(name) AS p;
    IF target.schema IS NULL THEN
        PERFORM pg_catalog.set_config('search_path', caller_path, true);
        schema := pg_catalog.current_schema();
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        IF schema IS NULL THEN
            RAISE EXCEPTION 'stream table %: no schema of the search_path exists', name
                USING ERRCODE = 'invalid_schema_name', HINT = 'Name the schema: schema.table.';
        END IF;
    ELSE
        schema := target.schema;
        IF to_regnamespace(quote_ident(schema)) IS NULL THEN
            RAISE EXCEPTION 'stream table %: schema "%" does not exist', name, schema
                USING ERRCODE = 'invalid_schema_name', HINT = format('CREATE SCHEMA %I;', schema);
        END IF;
    END IF;
    qualified := format('%I.%I', schema, target.relation);
    IF schema LIKE 'pg\_%' OR schema IN ('pgtrickle', 'pgtrickle_changes', 'pgtrickle_state', 'information_schema') THEN
        RAISE EXCEPTION 'stream table % cannot be made in schema "%"', qualified, schema
            USING ERRCODE = 'invalid_schema_name', HINT = 'Use a schema of your own; temporary stream tables do not exist.';
    END IF;

    SELECT c.oid INTO existing FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = schema AND c.relname = target.relation;
    IF FOUND THEN
        IF EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_relid = existing) THEN
            IF if_not_exists THEN
                RAISE NOTICE 'stream table % already exists, skipping', qualified USING ERRCODE = 'duplicate_table';
                RETURN false;
            END IF;
            RAISE EXCEPTION 'stream table % already exists', qualified
                USING ERRCODE = 'duplicate_table', HINT = 'pgtrickle.drop_stream_table() removes it; create_stream_table_if_not_exists() leaves it alone.';
        END IF;
        RAISE EXCEPTION 'relation % already exists and is not a stream table', qualified
            USING ERRCODE = 'duplicate_table', HINT = 'pgtrickle makes the table itself. Choose another name, or drop or rename that relation.';
    END IF;

    -- Canonical query. Inside the block everything is undone if it fails, the search_path too.
    BEGIN
        PERFORM pgtrickle._make_view(view_name, query, caller_path);
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        IF code = '42P11' THEN
            detail := message;
            message := 'the query is not one SELECT statement';
        END IF;
        RAISE EXCEPTION 'stream table %: %', qualified, message
            USING ERRCODE = code, DETAIL = detail, HINT = coalesce(pgtrickle._query_hint(code, message, hint), '');
    END;
    view_oid := to_regclass('pg_temp.' || view_name);
    FOR problem IN SELECT * FROM pgtrickle._view_problems(view_oid) LOOP
        RAISE EXCEPTION 'stream table %: the query cannot be kept in a table: %', qualified, problem.message
            USING ERRCODE = problem.code, HINT = problem.hint;
    END LOOP;
    PERFORM set_config('search_path', '', true);    -- all names qualified, except those of pg_catalog
    canonical := pg_catalog.pg_get_viewdef(view_oid);
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    canonical := regexp_replace(canonical, ';\s*$', '');

    -- The table. Its rows come from the view, so they are the result of exactly what was checked.
    BEGIN
        EXECUTE format('CREATE TABLE %s AS SELECT * FROM pg_temp.%s WITH NO DATA', qualified, view_name);
        table_oid := to_regclass(qualified);
        IF initialize THEN
            EXECUTE format('INSERT INTO %s SELECT * FROM pg_temp.%s', qualified, view_name);
        END IF;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        RAISE EXCEPTION 'stream table %: %', qualified, message
            USING ERRCODE = code, DETAIL = detail, HINT = coalesce(pgtrickle._query_hint(code, message, hint), '');
    END;

    INSERT INTO pgtrickle.pgt_stream_tables (pgt_relid, pgt_schema, pgt_name, original_query, defining_query, settings, schedule, refresh_mode, is_populated)
    VALUES (table_oid, schema, target.relation, query, canonical, pgtrickle._current_settings(), plan, mode, coalesce(initialize, false))
    RETURNING pgt_id INTO id;
    INSERT INTO pgtrickle.pgt_frontiers (pgt_id) VALUES (id);
    INSERT INTO pgtrickle.pgt_dependencies (pgt_id, source_relid, source_type, columns, column_names, source_schema, source_name)
    SELECT id, c.oid, CASE WHEN EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_relid = c.oid) THEN 'STREAM_TABLE'
                      ELSE CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED_TABLE' WHEN 'v' THEN 'VIEW'
                                          WHEN 'm' THEN 'MATERIALIZED_VIEW' WHEN 'f' THEN 'FOREIGN_TABLE' END END,
           v.columns, (SELECT coalesce(array_agg(a.attname ORDER BY a.attnum), '{}') FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (v.columns)),
           n.nspname, c.relname
    FROM pgtrickle._view_sources(view_oid) AS v JOIN pg_class c ON c.oid = v.relid JOIN pg_namespace n ON n.oid = c.relnamespace;
    EXECUTE format('DROP VIEW pg_temp.%s', view_name);

    EXECUTE format('CREATE TRIGGER pgtrickle_guard BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT '
                   'WHEN (pg_catalog.current_setting(''pgtrickle.apply'', true) IS DISTINCT FROM %L) EXECUTE FUNCTION pgtrickle._guard()', qualified, id);
    EXECUTE format('CREATE TRIGGER pgtrickle_guard_truncate BEFORE TRUNCATE ON %s FOR EACH STATEMENT '
                   'WHEN (pg_catalog.current_setting(''pgtrickle.apply'', true) IS DISTINCT FROM %L) EXECUTE FUNCTION pgtrickle._guard()', qualified, id);
    EXECUTE format('COMMENT ON TABLE %s IS %L', qualified, 'stream table, kept by pgtrickle');
    PERFORM pgtrickle._wake('t:' || id);
    RETURN true;
END
$$;

CREATE FUNCTION pgtrickle.create_stream_table(name text, query text, schedule text DEFAULT 'calculated', refresh_mode text DEFAULT 'AUTO', initialize boolean DEFAULT true)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._create_stream_table(name, query, schedule, refresh_mode, initialize, false, pg_catalog.current_setting('search_path'));
END
$$;
COMMENT ON FUNCTION pgtrickle.create_stream_table(text, text, text, text, boolean) IS
'Creates a table that holds the result of a query and that the daemon keeps fresh.
name: schema.table or table (then in the first schema of the search_path), as in SQL.
query: one SELECT; names in it follow the search_path now, later changes of the path do not matter.
schedule: ''calculated'', or how old the result may get: ''250 ms'', ''1s'', ''5m'', ''1h30m'' (10 ms to 365 days).
refresh_mode: AUTO (apply changes where possible, otherwise recompute and say why), DIFFERENTIAL (apply changes, or fail), FULL (recompute).
initialize: fill the table now, in this transaction; otherwise the daemon does.
Runs in the caller''s transaction with the caller''s rights; the caller owns the result. The daemon takes over after
commit: see wait_until_active(). Needs the TEMPORARY privilege on the database.
Errors: 42P07 name taken; 22023 bad schedule or mode; 42602, 42622, 42601 bad name; 3F000 no such schema; 0A000 something in the query that
no stored result can have; whatever PostgreSQL says about the query, prefixed with the stream table''s name.';

CREATE FUNCTION pgtrickle.create_stream_table_if_not_exists(name text, query text, schedule text DEFAULT 'calculated', refresh_mode text DEFAULT 'AUTO', initialize boolean DEFAULT true)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._create_stream_table(name, query, schedule, refresh_mode, initialize, true, pg_catalog.current_setting('search_path'));
END
$$;
COMMENT ON FUNCTION pgtrickle.create_stream_table_if_not_exists(text, text, text, text, boolean) IS
'As create_stream_table(), but a NOTICE instead of an error if a stream table of this name exists, whatever its query. An ordinary relation of that name is still an error.';

-- Stream tables that read this one, directly or through views and each other; nearest first.
CREATE FUNCTION pgtrickle._readers(id bigint, OUT pgt_id bigint, OUT depth int) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE readers(pgt_id, depth) AS (
        SELECT id, 0
        UNION
        SELECT d.pgt_id, r.depth + 1 FROM readers r JOIN pgtrickle.pgt_stream_tables s ON s.pgt_id = r.pgt_id
        JOIN pgtrickle.pgt_dependencies d ON d.source_relid = s.pgt_relid WHERE r.depth < 1000)
    SELECT r.pgt_id, max(r.depth) FROM readers r WHERE r.pgt_id <> id GROUP BY r.pgt_id ORDER BY 2, 1
$$;

CREATE FUNCTION pgtrickle._drop_stream_table(name text, cascade boolean, caller_path text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st        pgtrickle.pgt_stream_tables := pgtrickle._find_own(name, caller_path);
    qualified text := pgtrickle._qualified(st.pgt_relid);
    readers   text;
    reader    record;
    detail text; hint text; message text;
BEGIN
    SELECT string_agg('stream table ' || pgtrickle._qualified(s.pgt_relid), E'\n' ORDER BY r.depth, s.pgt_id) INTO readers
    FROM pgtrickle._readers(st.pgt_id) AS r JOIN pgtrickle.pgt_stream_tables s USING (pgt_id);
    IF readers IS NOT NULL AND cascade IS NOT TRUE THEN
        RAISE EXCEPTION 'cannot drop stream table % because other stream tables read it', qualified
            USING ERRCODE = 'dependent_objects_still_exist', DETAIL = readers, HINT = 'Drop them first, or use cascade => true to drop them too.';
    END IF;
    FOR reader IN SELECT s.* FROM pgtrickle._readers(st.pgt_id) AS r JOIN pgtrickle.pgt_stream_tables s USING (pgt_id) ORDER BY r.depth DESC LOOP
        IF NOT pgtrickle._may_manage(reader.pgt_relid) THEN
            RAISE EXCEPTION 'must be owner of stream table %', pgtrickle._qualified(reader.pgt_relid)
                USING ERRCODE = 'insufficient_privilege', DETAIL = format('It reads stream table %s.', qualified);
        END IF;
    END LOOP;
    FOR reader IN SELECT s.pgt_id, s.pgt_relid, pgtrickle._qualified(s.pgt_relid) AS qualified, r.depth
                  FROM pgtrickle._readers(st.pgt_id) AS r JOIN pgtrickle.pgt_stream_tables s USING (pgt_id)
                  UNION ALL SELECT st.pgt_id, st.pgt_relid, qualified, 0 ORDER BY depth DESC LOOP
        -- The row first, and with it the frontier: the same order of locks as in a refresh.
        DELETE FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = reader.pgt_id;
        BEGIN
            EXECUTE format('DROP TABLE %s %s', reader.qualified, CASE WHEN cascade THEN 'CASCADE' ELSE '' END);
        EXCEPTION WHEN dependent_objects_still_exist THEN
            GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
            RAISE EXCEPTION 'cannot drop stream table % because other objects depend on it', reader.qualified
                USING ERRCODE = 'dependent_objects_still_exist', DETAIL = detail, HINT = 'Drop them first, or use cascade => true to drop them too.';
        END;
        PERFORM pgtrickle._wake('t:' || reader.pgt_id);
    END LOOP;
END
$$;

CREATE FUNCTION pgtrickle.drop_stream_table(name text, cascade boolean DEFAULT false) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._drop_stream_table(name, cascade, pg_catalog.current_setting('search_path'));
END
$$;
COMMENT ON FUNCTION pgtrickle.drop_stream_table(text, boolean) IS
'Drops a stream table: the table and its row in the catalog at once, its program, state and unused capture soon after, by the daemon.
cascade: also drop the stream tables that read it and the views on it; otherwise they make it fail (2BP01, with a list).
Errors: 42P01 not a stream table; 42501 not the owner.';

-- Where a stream table goes on when it is resumed or changed: PENDING makes the daemon build it (again).
CREATE FUNCTION pgtrickle._resume(id bigint) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    UPDATE pgtrickle.pgt_stream_tables s
       SET status = CASE WHEN s.status IN ('PENDING', 'INITIALIZING', 'ACTIVE') THEN s.status
                         WHEN s.needs_reinit OR s.effective_refresh_mode IS NULL
                              OR NOT EXISTS (SELECT FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = s.pgt_id AND f.snapshot IS NOT NULL) THEN 'PENDING'
                         ELSE 'ACTIVE' END,
           consecutive_errors = 0, last_error = NULL, last_error_code = NULL, last_error_hint = NULL, last_error_at = NULL,
           generation = s.generation + 1
     WHERE s.pgt_id = id
$$;

CREATE FUNCTION pgtrickle._alter_stream_table(name text, schedule text, refresh_mode text, status text, caller_path text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st   pgtrickle.pgt_stream_tables := pgtrickle._find_own(name, caller_path);
    mode text;
    wanted text := upper(btrim(status));
BEGIN
    IF schedule IS NOT NULL THEN
        PERFORM pgtrickle._check_schedule(schedule);
        UPDATE pgtrickle.pgt_stream_tables s SET schedule = _alter_stream_table.schedule, generation = s.generation + 1 WHERE s.pgt_id = st.pgt_id;
    END IF;
    IF refresh_mode IS NOT NULL THEN
        mode := pgtrickle._check_mode(refresh_mode);
        IF mode <> st.refresh_mode THEN
            UPDATE pgtrickle.pgt_stream_tables s
               SET refresh_mode = mode, needs_reinit = true, reinit_reason = format('refresh mode changed from %s to %s', st.refresh_mode, mode),
                   generation = s.generation + 1
             WHERE s.pgt_id = st.pgt_id;
            IF st.status = 'ERROR' AND wanted IS NULL THEN      -- what was impossible in the old mode may be possible now
                PERFORM pgtrickle._resume(st.pgt_id);
            END IF;
        END IF;
    END IF;
    IF wanted = 'ACTIVE' THEN
        PERFORM pgtrickle._resume(st.pgt_id);
    ELSIF wanted IN ('PAUSED', 'SUSPENDED') THEN
        UPDATE pgtrickle.pgt_stream_tables s SET status = wanted, generation = s.generation + 1 WHERE s.pgt_id = st.pgt_id;
    ELSIF wanted IS NOT NULL THEN
        RAISE EXCEPTION 'stream table %: invalid status %', pgtrickle._qualified(st.pgt_relid), quote_literal(status)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use ACTIVE to resume it, PAUSED or SUSPENDED to stop refreshing it.';
    END IF;
    PERFORM pgtrickle._wake('t:' || st.pgt_id);
END
$$;

CREATE FUNCTION pgtrickle.alter_stream_table(name text, schedule text DEFAULT NULL, refresh_mode text DEFAULT NULL, status text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._alter_stream_table(name, schedule, refresh_mode, status, pg_catalog.current_setting('search_path'));
END
$$;
COMMENT ON FUNCTION pgtrickle.alter_stream_table(text, text, text, text) IS
'Changes a stream table; what is NULL stays.
schedule, refresh_mode: as in create_stream_table(); another mode makes the daemon compile and initialise it anew.
status: ACTIVE resumes it and forgets its errors, PAUSED or SUSPENDED stops refreshing it. A stopped stream table holds the change logs of its sources back.
Errors: 42P01 not a stream table; 42501 not the owner; 22023 bad value; 0A000 IMMEDIATE.';

CREATE FUNCTION pgtrickle.resume_stream_table(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._alter_stream_table(name, NULL, NULL, 'ACTIVE', pg_catalog.current_setting('search_path'));
END
$$;
COMMENT ON FUNCTION pgtrickle.resume_stream_table(text) IS 'The same as alter_stream_table(name, status => ''ACTIVE'').';

CREATE FUNCTION pgtrickle._validate_query(query text, caller_path text) RETURNS TABLE (check_name text, result text, severity text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    view_name text := 'pgtrickle_definition_' || replace(gen_random_uuid()::text, '-', '');
    code text; message text; hint text;
    p record;
BEGIN
    BEGIN
        PERFORM pgtrickle._make_view(view_name, query, caller_path);
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
        hint := pgtrickle._query_hint(code, message, hint);
        RETURN QUERY SELECT 'query', concat_ws('; ', message, hint), 'error';
        RETURN;
    END;
    RETURN QUERY SELECT 'query', 'one SELECT statement', 'ok';
    FOR p IN SELECT * FROM pgtrickle._view_problems(to_regclass('pg_temp.' || view_name)) LOOP
        RETURN QUERY SELECT p.check_name, concat_ws('; ', p.message, p.hint), 'error';
    END LOOP;
    RETURN QUERY
        SELECT 'source', format('%s: %s', pgtrickle._qualified(v.relid), coalesce(CASE WHEN c.relkind = 'v' THEN 'view, inlined' ELSE
                   'changes cannot be captured, ' || pgtrickle._not_capturable(v.relid) END, 'changes can be captured')),
               CASE WHEN c.relkind <> 'v' AND pgtrickle._not_capturable(v.relid) IS NOT NULL THEN 'warning' ELSE 'ok' END
        FROM pgtrickle._view_sources(to_regclass('pg_temp.' || view_name)) AS v JOIN pg_class c ON c.oid = v.relid;
    RETURN QUERY
        SELECT 'columns', string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum), 'ok'
        FROM pg_attribute a WHERE a.attrelid = to_regclass('pg_temp.' || view_name) AND a.attnum > 0;
    EXECUTE format('DROP VIEW pg_temp.%s', view_name);
END
$$;

CREATE FUNCTION pgtrickle.validate_query(query text) RETURNS TABLE (check_name text, result text, severity text) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT v.check_name, v.result, v.severity FROM pgtrickle._validate_query(query, pg_catalog.current_setting('search_path')) AS v;
END
$$;
COMMENT ON FUNCTION pgtrickle.validate_query(text) IS
'What the server alone can say about a query for a stream table: one row per check, severity ok, warning or error. Creates nothing.
Whether it can be maintained from changes is for the compiler to say: pgtrickle validate on the command line.';
