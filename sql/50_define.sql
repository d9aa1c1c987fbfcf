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

-- What create and alter take besides name, query, schedule and mode, as the caller wrote it; NULL: not given.
CREATE TYPE pgtrickle._options AS (
    diamond_consistency text, diamond_schedule_policy text, cdc_mode text, append_only boolean, pooler_compatibility_mode boolean,
    partition_by text, max_differential_joins int, max_delta_fraction double precision, tier text, max_staleness interval,
    fuse text, fuse_ceiling bigint, fuse_sensitivity int, allow_circular boolean);

-- A text option: one of `allowed`, in lower case; NULL for 'default'. Errors: 22023.
CREATE FUNCTION pgtrickle._choice(qualified text, option text, value text, allowed text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    chosen text := lower(btrim(value));
BEGIN
    IF chosen = 'default' THEN
        RETURN NULL;
    ELSIF NOT chosen = ANY (allowed) THEN
        RAISE EXCEPTION 'stream table %: invalid % %', qualified, option, quote_literal(value)
            USING ERRCODE = 'invalid_parameter_value', HINT = format('Use one of %s, or ''default''.', array_to_string(allowed, ', '));
    END IF;
    RETURN chosen;
END
$$;

-- The catalog row `st` with the options that are given. For numbers -1 means the default. Options that ask for what always
-- happens here are taken and not kept. Errors: 22023 bad value; 0A000 what does not exist here.
CREATE FUNCTION pgtrickle._with_options(st pgtrickle.pgt_stream_tables, o pgtrickle._options, qualified text) RETURNS pgtrickle.pgt_stream_tables
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    missing record;
    bad     record;
BEGIN
    IF lower(btrim(o.cdc_mode)) <> 'wal' THEN
        PERFORM pgtrickle._choice(qualified, 'cdc_mode', o.cdc_mode, '{auto,trigger}');
    END IF;
    SELECT * INTO missing FROM (VALUES
        (lower(btrim(o.cdc_mode)) = 'wal', 'cdc_mode ''wal''', 'Changes are captured by triggers: leave cdc_mode out, or use ''auto'' or ''trigger''.'),
        (o.append_only, 'append_only', 'Leave it out: updates and deletes of the sources are always handled, and inserts do not pay for it.'),
        (btrim(o.partition_by) <> '', 'partition_by', 'Stream tables are not partitioned; an index on the column often does what is needed.'),
        (o.max_differential_joins >= 0, 'max_differential_joins', 'Any number of joins is maintained; refresh_mode => ''FULL'' recomputes.')) AS m(asked, what, hint)
    WHERE m.asked LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'stream table %: % is not supported', qualified, missing.what USING ERRCODE = 'feature_not_supported', HINT = missing.hint;
    END IF;

    IF o.tier IS NOT NULL THEN
        st.tier := coalesce(pgtrickle._choice(qualified, 'tier', o.tier, '{hot,warm,cold,frozen}'), 'hot');
    END IF;
    IF o.diamond_consistency IS NOT NULL THEN
        st.diamond_consistency := pgtrickle._choice(qualified, 'diamond_consistency', o.diamond_consistency, '{atomic,none}');
    END IF;
    IF o.diamond_schedule_policy IS NOT NULL THEN
        st.diamond_schedule_policy := pgtrickle._choice(qualified, 'diamond_schedule_policy', o.diamond_schedule_policy, '{fastest,slowest}');
    END IF;
    IF o.fuse IS NOT NULL THEN
        st.fuse := coalesce(pgtrickle._choice(qualified, 'fuse', o.fuse, '{off,on,auto}'), 'off');
    END IF;

    SELECT * INTO bad FROM (VALUES
        (NOT isfinite(o.max_staleness) OR o.max_staleness < interval '0', 'max_staleness', o.max_staleness::text, 'Give an interval such as ''5 minutes''; ''0'' means none.'),
        (NOT (o.max_delta_fraction = -1 OR o.max_delta_fraction BETWEEN 0 AND 1e9), 'max_delta_fraction', o.max_delta_fraction::text,
         'Give a fraction of the rows of the sources, such as 0.2; -1 means: by measured cost.'),
        (NOT (o.fuse_ceiling = -1 OR o.fuse_ceiling > 0), 'fuse_ceiling', o.fuse_ceiling::text, 'Give the number of pending rows that is too many, at least 1; -1 means none.'),
        (NOT (o.fuse_sensitivity = -1 OR o.fuse_sensitivity BETWEEN 1 AND 100), 'fuse_sensitivity', o.fuse_sensitivity::text,
         'Give a number of standard deviations from 1 to 100; -1 means the default, 6.')) AS b(is_bad, option, value, hint)
    WHERE b.is_bad LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'stream table %: % % is out of range', qualified, bad.option, bad.value USING ERRCODE = 'invalid_parameter_value', HINT = bad.hint;
    END IF;
    IF o.max_staleness IS NOT NULL THEN
        st.max_staleness := nullif(o.max_staleness, interval '0');
    END IF;
    IF o.max_delta_fraction IS NOT NULL THEN
        st.max_delta_fraction := nullif(o.max_delta_fraction, -1);
    END IF;
    IF o.fuse_ceiling IS NOT NULL THEN
        st.fuse_ceiling := nullif(o.fuse_ceiling, -1);
    END IF;
    IF o.fuse_sensitivity IS NOT NULL THEN
        st.fuse_sensitivity := nullif(o.fuse_sensitivity, -1);
    END IF;
    st.allow_circular := coalesce(o.allow_circular, st.allow_circular);

    IF st.fuse = 'on' AND st.fuse_ceiling IS NULL THEN
        RAISE EXCEPTION 'stream table %: fuse ''on'' needs a fuse_ceiling', qualified
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Say how many pending rows are too many, for example fuse_ceiling => 100000; or fuse => ''auto'', which learns it.';
    ELSIF st.fuse = 'off' THEN
        st.fuse_blown_at := NULL;
        st.fuse_blow_reason := NULL;
        st.fuse_reset := NULL;
    END IF;
    RETURN st;
END
$$;

-- Where a stream table of this name is, or would be made: in the given schema, otherwise where CREATE TABLE would put it.
-- existing: the relation of that name, NULL if there is none. Errors: as _parse_name, 3F000 a schema that does not exist or is taboo.
CREATE FUNCTION pgtrickle._target(name text, caller_path text, OUT schema text, OUT relation text, OUT qualified text, OUT existing oid)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT p.schema, p.relation INTO schema, relation FROM pgtrickle._parse_name(name) AS p;
    IF schema IS NULL THEN
        PERFORM pg_catalog.set_config('search_path', caller_path, true);
        schema := pg_catalog.current_schema();
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        IF schema IS NULL THEN
            RAISE EXCEPTION 'stream table %: no schema of the search_path exists', name
                USING ERRCODE = 'invalid_schema_name', HINT = 'Name the schema: schema.table.';
        END IF;
    ELSIF to_regnamespace(quote_ident(schema)) IS NULL THEN
        RAISE EXCEPTION 'stream table %: schema "%" does not exist', name, schema
            USING ERRCODE = 'invalid_schema_name', HINT = format('CREATE SCHEMA %I;', schema);
    END IF;
    qualified := format('%I.%I', schema, relation);
    IF schema LIKE 'pg\_%' OR schema IN ('pgtrickle', 'pgtrickle_changes', 'pgtrickle_state', 'information_schema') THEN
        RAISE EXCEPTION 'stream table % cannot be made in schema "%"', qualified, schema
            USING ERRCODE = 'invalid_schema_name', HINT = 'Use a schema of your own; temporary stream tables do not exist.';
    END IF;
    SELECT c.oid INTO existing FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = schema AND c.relname = relation;
END
$$;

-- Checks a query and makes it canonical: all names qualified, except those of pg_catalog. The temporary view is left to the caller,
-- who drops it. Errors: 22023 empty; what _view_problems knows; whatever PostgreSQL says, prefixed with the stream table's name.
CREATE FUNCTION pgtrickle._define(qualified text, query text, caller_path text, OUT canonical text, OUT view_oid oid)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    view_name text := 'pgtrickle_definition_' || replace(gen_random_uuid()::text, '-', '');
    problem   record;
    code text; message text; detail text; hint text;
BEGIN
    IF btrim(query) IS NULL OR btrim(query) = '' THEN
        RAISE EXCEPTION 'stream table %: the query is empty', qualified USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a SELECT.';
    END IF;
    -- Inside the block everything is undone if it fails, the search_path too.
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
    PERFORM set_config('search_path', '', true);
    canonical := pg_catalog.pg_get_viewdef(view_oid);
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    canonical := regexp_replace(canonical, ';\s*$', '');
END
$$;

-- Writes what stream table `id` reads, from the view that _define made of its query.
CREATE FUNCTION pgtrickle._record_sources(id bigint, view_oid oid) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = id;
    INSERT INTO pgtrickle.pgt_dependencies (pgt_id, source_relid, source_type, columns, column_names, source_schema, source_name)
    SELECT id, c.oid, CASE WHEN EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_relid = c.oid) THEN 'STREAM_TABLE'
                      ELSE CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED_TABLE' WHEN 'v' THEN 'VIEW'
                                          WHEN 'm' THEN 'MATERIALIZED_VIEW' WHEN 'f' THEN 'FOREIGN_TABLE' END END,
           v.columns, (SELECT coalesce(array_agg(a.attname ORDER BY a.attnum), '{}') FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (v.columns)),
           n.nspname, c.relname
    FROM pgtrickle._view_sources(view_oid) AS v JOIN pg_class c ON c.oid = v.relid JOIN pg_namespace n ON n.oid = c.relnamespace
$$;

-- Does the work of create_stream_table; returns false if the stream table exists and if_not_exists is set.
CREATE FUNCTION pgtrickle._create_stream_table(name text, query text, schedule text, refresh_mode text, initialize boolean, if_not_exists boolean,
                                               options pgtrickle._options, caller_path text)
RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target     record;
    mode       text := pgtrickle._check_mode(refresh_mode);
    plan       text := pgtrickle._check_schedule(coalesce(schedule, 'calculated'));
    st         pgtrickle.pgt_stream_tables;
    definition record;
    table_oid  oid;
    id         bigint;
    code text; message text; detail text; hint text;
BEGIN
    SELECT * INTO target FROM pgtrickle._target(name, caller_path);
    IF target.existing IS NOT NULL THEN
        IF EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_relid = target.existing) THEN
            IF if_not_exists THEN
                RAISE NOTICE 'stream table % already exists, skipping', target.qualified USING ERRCODE = 'duplicate_table';
                RETURN false;
            END IF;
            RAISE EXCEPTION 'stream table % already exists', target.qualified
                USING ERRCODE = 'duplicate_table',
                      HINT = 'pgtrickle.drop_stream_table() removes it; create_stream_table_if_not_exists() leaves it alone, create_or_replace_stream_table() changes it.';
        END IF;
        RAISE EXCEPTION 'relation % already exists and is not a stream table', target.qualified
            USING ERRCODE = 'duplicate_table', HINT = 'pgtrickle makes the table itself. Choose another name, or drop or rename that relation.';
    END IF;
    st.tier := 'hot';
    st.fuse := 'off';
    st.allow_circular := false;
    st := pgtrickle._with_options(st, options, target.qualified);
    SELECT * INTO definition FROM pgtrickle._define(target.qualified, query, caller_path);

    -- The table. Its rows come from the view, so they are the result of exactly what was checked.
    BEGIN
        EXECUTE format('CREATE TABLE %s AS SELECT * FROM %s WITH NO DATA', target.qualified, definition.view_oid::regclass);
        table_oid := to_regclass(target.qualified);
        IF initialize THEN
            EXECUTE format('INSERT INTO %s SELECT * FROM %s', target.qualified, definition.view_oid::regclass);
        END IF;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        RAISE EXCEPTION 'stream table %: %', target.qualified, message
            USING ERRCODE = code, DETAIL = detail, HINT = coalesce(pgtrickle._query_hint(code, message, hint), '');
    END;

    INSERT INTO pgtrickle.pgt_stream_tables (pgt_relid, pgt_schema, pgt_name, original_query, defining_query, settings, schedule, refresh_mode, is_populated,
                tier, max_staleness, diamond_consistency, diamond_schedule_policy, allow_circular, max_delta_fraction, fuse, fuse_ceiling, fuse_sensitivity)
    VALUES (table_oid, target.schema, target.relation, query, definition.canonical, pgtrickle._current_settings(), plan, mode, coalesce(initialize, false),
            st.tier, st.max_staleness, st.diamond_consistency, st.diamond_schedule_policy, st.allow_circular, st.max_delta_fraction, st.fuse, st.fuse_ceiling,
            st.fuse_sensitivity)
    RETURNING pgt_id INTO id;
    INSERT INTO pgtrickle.pgt_frontiers (pgt_id) VALUES (id);
    PERFORM pgtrickle._record_sources(id, definition.view_oid);
    EXECUTE format('DROP VIEW %s', definition.view_oid::regclass);

    PERFORM pgtrickle._install_guard(table_oid, id);
    EXECUTE format('COMMENT ON TABLE %s IS %L', target.qualified, 'stream table, kept by pgtrickle');
    PERFORM pgtrickle._wake('t:' || id);
    RETURN true;
END
$$;

CREATE FUNCTION pgtrickle.create_stream_table(
    name text, query text, schedule text DEFAULT 'calculated', refresh_mode text DEFAULT 'AUTO', initialize boolean DEFAULT true,
    diamond_consistency text DEFAULT NULL, diamond_schedule_policy text DEFAULT NULL, cdc_mode text DEFAULT NULL, append_only boolean DEFAULT false,
    pooler_compatibility_mode boolean DEFAULT false, partition_by text DEFAULT NULL, max_differential_joins int DEFAULT NULL,
    max_delta_fraction double precision DEFAULT NULL, tier text DEFAULT NULL, max_staleness interval DEFAULT NULL, fuse text DEFAULT NULL,
    fuse_ceiling bigint DEFAULT NULL, fuse_sensitivity int DEFAULT NULL, allow_circular boolean DEFAULT false)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._create_stream_table(name, query, schedule, refresh_mode, initialize, false,
        ROW(diamond_consistency, diamond_schedule_policy, cdc_mode, append_only, pooler_compatibility_mode, partition_by, max_differential_joins,
            max_delta_fraction, tier, max_staleness, fuse, fuse_ceiling, fuse_sensitivity, allow_circular)::pgtrickle._options,
        pg_catalog.current_setting('search_path'));
END
$$;
COMMENT ON FUNCTION pgtrickle.create_stream_table(text, text, text, text, boolean, text, text, text, boolean, boolean, text, int, double precision, text, interval, text, bigint, int, boolean) IS
'Creates a table that holds the result of a query and that the daemon keeps fresh.
name: schema.table or table (then in the first schema of the search_path), as in SQL.
query: one SELECT; names in it follow the search_path now, later changes of the path do not matter.
schedule: ''calculated'' (as often as the stream tables that read it need); how old the result may get: ''250 ms'', ''1s'', ''5m'', ''1h30m'' (10 ms to
365 days); ''continuous'' or ''continuous 50 ms'' (when something changed, at most once in that time); cron: ''0 3 * * MON-FRI'', ''@hourly'', with
''TZ=Europe/Berlin '' in front in that time zone, otherwise in UTC.
refresh_mode: AUTO (apply changes where possible, otherwise recompute and say why), DIFFERENTIAL (apply changes, or fail), FULL (recompute).
initialize: fill the table now, in this transaction; otherwise the daemon does.
diamond_consistency: atomic (default: refreshed in one snapshot with the stream tables that it shares sources and readers with) or none.
diamond_schedule_policy: of such a group the fastest (default) or the slowest schedule counts.
max_delta_fraction: recompute when more than this fraction of the sources'' rows changed; default: by measured cost.
tier: hot (default), warm, cold or frozen: how much the schedule is stretched; frozen is not refreshed at all.
max_staleness: what is promised to readers; stream_tables, health_check() and alerts say when it is broken.
fuse: off (default), on (more than fuse_ceiling pending rows: nothing is applied before reset_fuse()), auto (the limit is learned from the history:
mean and fuse_sensitivity standard deviations, default 6; fuse_ceiling, if given, is an upper bound).
allow_circular: it may be part of a cycle of stream tables, see alter_stream_table().
cdc_mode, append_only, pooler_compatibility_mode, partition_by, max_differential_joins: for compatibility; what asks for anything else than capture by
triggers and a plain table is refused.
Runs in the caller''s transaction with the caller''s rights; the caller owns the result. The daemon takes over after
commit: see wait_until_active(). Needs the TEMPORARY privilege on the database.
Errors: 42P07 name taken; 22023 bad schedule, mode or option; 42602, 42622, 42601 bad name; 3F000 no such schema; 0A000 an option that is not supported or
something in the query that no stored result can have; whatever PostgreSQL says about the query, prefixed with the stream table''s name.';

CREATE FUNCTION pgtrickle.create_stream_table_if_not_exists(
    name text, query text, schedule text DEFAULT 'calculated', refresh_mode text DEFAULT 'AUTO', initialize boolean DEFAULT true,
    diamond_consistency text DEFAULT NULL, diamond_schedule_policy text DEFAULT NULL, cdc_mode text DEFAULT NULL, append_only boolean DEFAULT false,
    pooler_compatibility_mode boolean DEFAULT false, partition_by text DEFAULT NULL, max_differential_joins int DEFAULT NULL,
    max_delta_fraction double precision DEFAULT NULL, tier text DEFAULT NULL, max_staleness interval DEFAULT NULL, fuse text DEFAULT NULL,
    fuse_ceiling bigint DEFAULT NULL, fuse_sensitivity int DEFAULT NULL, allow_circular boolean DEFAULT false)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._create_stream_table(name, query, schedule, refresh_mode, initialize, true,
        ROW(diamond_consistency, diamond_schedule_policy, cdc_mode, append_only, pooler_compatibility_mode, partition_by, max_differential_joins,
            max_delta_fraction, tier, max_staleness, fuse, fuse_ceiling, fuse_sensitivity, allow_circular)::pgtrickle._options,
        pg_catalog.current_setting('search_path'));
END
$$;
COMMENT ON FUNCTION pgtrickle.create_stream_table_if_not_exists(text, text, text, text, boolean, text, text, text, boolean, boolean, text, int, double precision, text, interval, text, bigint, int, boolean) IS
'As create_stream_table(), but a NOTICE instead of an error if a stream table of this name exists, whatever its query. An ordinary relation of that name is still an error.';

-- Stream tables that read this one, directly or through views and each other; nearest first.
CREATE FUNCTION pgtrickle._readers(id bigint, OUT pgt_id bigint, OUT depth int) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE readers(pgt_id, depth) AS (
        SELECT id, 0
        UNION
        SELECT d.pgt_id, r.depth + 1 FROM readers r JOIN pgtrickle.pgt_stream_tables s ON s.pgt_id = r.pgt_id
        JOIN pgtrickle.pgt_dependencies d ON d.source_relid = s.pgt_relid WHERE r.depth < (SELECT count(*) FROM pgtrickle.pgt_stream_tables))
    SELECT r.pgt_id, max(r.depth) FROM readers r WHERE r.pgt_id <> id GROUP BY r.pgt_id ORDER BY 2, 1
$$;

-- Waits for refreshes that run, and keeps others from beginning until the transaction ends. Frontiers are locked before
-- rows of pgt_stream_tables, and those of tables that are read before those of their readers: in the order in which
-- refreshes and builds take them.
CREATE FUNCTION pgtrickle._lock_frontiers(ids bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    id bigint;
BEGIN
    FOREACH id IN ARRAY ids LOOP
        PERFORM FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = id FOR UPDATE;
    END LOOP;
END
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
    PERFORM pgtrickle._lock_frontiers((SELECT array_agg(x.pgt_id ORDER BY x.depth, x.pgt_id)
                                       FROM (SELECT st.pgt_id, 0 AS depth UNION ALL SELECT r.pgt_id, r.depth FROM pgtrickle._readers(st.pgt_id) AS r) AS x));
    FOR reader IN SELECT s.pgt_id, s.pgt_relid, pgtrickle._qualified(s.pgt_relid) AS qualified, r.depth
                  FROM pgtrickle._readers(st.pgt_id) AS r JOIN pgtrickle.pgt_stream_tables s USING (pgt_id)
                  UNION ALL SELECT st.pgt_id, st.pgt_relid, qualified, 0 ORDER BY depth DESC LOOP
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
                         WHEN s.needs_reinit OR s.effective_refresh_mode IS NULL OR pgtrickle._has_new_owner(s.pgt_id)
                              OR NOT EXISTS (SELECT FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = s.pgt_id AND f.snapshot IS NOT NULL) THEN 'PENDING'
                         ELSE 'ACTIVE' END,
           consecutive_errors = 0, last_error = NULL, last_error_code = NULL, last_error_hint = NULL, last_error_at = NULL,
           generation = s.generation + 1
     WHERE s.pgt_id = id
$$;

-- A shortest cycle through stream table `id`: its name, that of what it reads, and so on to its own again; NULL if there is none.
CREATE FUNCTION pgtrickle._cycle_path(id bigint) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    reached bigint[] := ARRAY[id];      -- breadth first
    via     int[] := ARRAY[0];          -- where in `reached` it was found
    at      int := 1;
    next    bigint;
    path    bigint[] := ARRAY[id];
BEGIN
    WHILE at <= cardinality(reached) LOOP
        FOR next IN SELECT s.pgt_id FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_stream_tables s ON s.pgt_relid = d.source_relid
                    WHERE d.pgt_id = reached[at] ORDER BY s.pgt_id LOOP
            IF next = id THEN
                WHILE at > 0 LOOP
                    path := reached[at] || path;
                    at := via[at];
                END LOOP;
                RETURN (SELECT array_agg(pgtrickle._qualified(s.pgt_relid) ORDER BY p.n)
                        FROM unnest(path) WITH ORDINALITY AS p(pgt_id, n) JOIN pgtrickle.pgt_stream_tables s USING (pgt_id));
            ELSIF NOT next = ANY (reached) THEN
                reached := reached || next;
                via := via || at;
            END IF;
        END LOOP;
        at := at + 1;
    END LOOP;
    RETURN NULL;
END
$$;

-- Raises 42P17 if stream table `id` is in a cycle of which not every member has allow_circular; `allowed` is its own.
CREATE FUNCTION pgtrickle._check_cycle(id bigint, allowed boolean) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    without text;
    cycle   text[];
BEGIN
    SELECT string_agg(pgtrickle._qualified(s.pgt_relid), ', ' ORDER BY s.pgt_id) INTO without
    FROM unnest(pgtrickle._cycle_of(id)) AS m(pgt_id) JOIN pgtrickle.pgt_stream_tables s USING (pgt_id)
    WHERE NOT CASE WHEN s.pgt_id = id THEN allowed ELSE s.allow_circular END;
    IF without IS NOT NULL THEN
        cycle := pgtrickle._cycle_path(id);
        RAISE EXCEPTION 'stream table % would read itself', cycle[1]
            USING ERRCODE = 'invalid_object_definition', DETAIL = array_to_string(cycle, ' -> '),
                  HINT = CASE WHEN cardinality(cycle) = 2 THEN format('Break the cycle: take %s out of its query.', cycle[1])
                              ELSE format('Break the cycle: let %s read what %s reads instead of it.', cycle[1], cycle[2]) END
                         || format(' If all queries of the cycle are monotone (joins, filters, UNION; no aggregates, no EXCEPT or NOT EXISTS), allow it: '
                                   'alter_stream_table(..., allow_circular => true) for %s.', without);
    END IF;
END
$$;

-- Do the columns of a query fit an existing table: first those that stay, in the table's order, then those that are new?
CREATE FUNCTION pgtrickle._columns_fit(table_oid oid, view_oid oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_cat(coalesce(array_agg(t.attname ORDER BY t.attnum) FILTER (WHERE v.attnum IS NOT NULL AND t.attnum IS NOT NULL), '{}'),
                     coalesce(array_agg(v.attname ORDER BY v.attnum) FILTER (WHERE t.attnum IS NULL), '{}'))
           = array_agg(v.attname ORDER BY v.attnum) FILTER (WHERE v.attnum IS NOT NULL)
    FROM (SELECT a.attname, a.attnum FROM pg_attribute a WHERE a.attrelid = table_oid AND a.attnum > 0 AND NOT a.attisdropped) AS t
    FULL JOIN (SELECT a.attname, a.attnum FROM pg_attribute a WHERE a.attrelid = view_oid AND a.attnum > 0) AS v USING (attname)
$$;

-- Adds and drops columns of a stream table, so that it has those of its new query, in order. Types are left to the daemon, which
-- aligns them with the content. Returns true if a name or type differed.
-- Errors: 42P16 that is not possible; 2BP01 somebody uses a column that would go.
CREATE FUNCTION pgtrickle._align_columns(st pgtrickle.pgt_stream_tables, view_oid oid) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    qualified text := pgtrickle._qualified(st.pgt_relid);
    gone      int2[];
    used      text;
    actions   text;
    retyped   boolean;
    detail text; message text;
BEGIN
    IF NOT pgtrickle._columns_fit(st.pgt_relid, view_oid) THEN
        RAISE EXCEPTION 'stream table %: the columns of the new query do not fit the table', qualified
            USING ERRCODE = 'invalid_table_definition',
                  DETAIL = (SELECT format('The table has %s; the query has %s.',
                                          string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FILTER (WHERE a.attrelid = st.pgt_relid),
                                          string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FILTER (WHERE a.attrelid = view_oid))
                            FROM pg_attribute a WHERE a.attrelid IN (st.pgt_relid, view_oid) AND a.attnum > 0 AND NOT a.attisdropped),
                  HINT = 'Columns can be removed, and new ones added after those that stay. For anything else drop the stream table and create it, '
                         'or let create_or_replace_stream_table() do so.';
    END IF;
    SELECT coalesce(array_agg(a.attnum), '{}') INTO gone FROM pg_attribute a WHERE a.attrelid = st.pgt_relid AND a.attnum > 0 AND NOT a.attisdropped
       AND NOT EXISTS (SELECT FROM pg_attribute v WHERE v.attrelid = view_oid AND v.attname = a.attname);
    SELECT string_agg(format('stream table %s reads column %I', pgtrickle._qualified(s.pgt_relid), a.attname), E'\n' ORDER BY s.pgt_id, a.attnum) INTO used
    FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_stream_tables s USING (pgt_id)
    JOIN pg_attribute a ON a.attrelid = d.source_relid AND a.attnum = ANY (d.columns) AND a.attnum = ANY (gone)
    WHERE d.source_relid = st.pgt_relid AND d.pgt_id <> st.pgt_id;
    IF used IS NOT NULL THEN
        RAISE EXCEPTION 'cannot drop columns of stream table % because other stream tables read them', qualified
            USING ERRCODE = 'dependent_objects_still_exist', DETAIL = used, HINT = 'Keep the columns, or change or drop those stream tables first.';
    END IF;
    SELECT string_agg(x.action, ', ' ORDER BY x.n, x.attnum) INTO actions FROM (
        SELECT 1 AS n, a.attnum, format('DROP COLUMN %I', a.attname) AS action FROM pg_attribute a WHERE a.attrelid = st.pgt_relid AND a.attnum = ANY (gone)
        UNION ALL
        SELECT 2, v.attnum, format('ADD COLUMN %I %s%s', v.attname, format_type(v.atttypid, v.atttypmod),
               (SELECT format(' COLLATE %I.%I', n.nspname, l.collname) FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace WHERE l.oid = v.attcollation))
        FROM pg_attribute v WHERE v.attrelid = view_oid AND v.attnum > 0
         AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = st.pgt_relid AND a.attname = v.attname AND a.attnum > 0 AND NOT a.attisdropped)) AS x;
    retyped := EXISTS (SELECT FROM pg_attribute a JOIN pg_attribute v ON v.attrelid = view_oid AND v.attname = a.attname
                       WHERE a.attrelid = st.pgt_relid AND a.attnum > 0 AND NOT a.attisdropped
                         AND (a.atttypid, a.atttypmod, a.attcollation) <> (v.atttypid, v.atttypmod, v.attcollation));
    IF actions IS NULL THEN
        RETURN retyped;
    END IF;
    BEGIN
        EXECUTE format('ALTER TABLE %s %s', qualified, actions);
    EXCEPTION WHEN dependent_objects_still_exist THEN
        GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
        RAISE EXCEPTION 'stream table %: %', qualified, message
            USING ERRCODE = 'dependent_objects_still_exist', DETAIL = detail, HINT = 'Keep the column in the query, or drop what depends on it first.';
    END;
    RETURN true;
END
$$;

-- Whose query got other columns: stream tables that read it, whoever owns them, are compiled anew. A trigger because the API runs
-- with the caller's rights, and nobody may mark what he does not own in any other way.
CREATE FUNCTION pgtrickle._on_columns_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._mark_reinit((SELECT array_agg(d.pgt_id) FROM pgtrickle.pgt_dependencies d WHERE d.source_relid = NEW.pgt_relid AND d.pgt_id <> NEW.pgt_id),
                                   format('the columns of %s were changed', pgtrickle._qualified(NEW.pgt_relid)));
    RETURN NULL;
END
$$;
CREATE TRIGGER columns_changed AFTER UPDATE OF original_query ON pgtrickle.pgt_stream_tables FOR EACH ROW
    WHEN (NEW.defining_query IS DISTINCT FROM OLD.defining_query AND NEW.reinit_reason = 'the query and its columns were changed')
    EXECUTE FUNCTION pgtrickle._on_columns_changed();

-- Does the work of alter_stream_table. What stays as it was is not written, and wakes nobody.
CREATE FUNCTION pgtrickle._alter_stream_table(name text, query text, schedule text, refresh_mode text, status text, options pgtrickle._options, caller_path text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    id         bigint := (pgtrickle._find_own(name, caller_path)).pgt_id;
    st         pgtrickle.pgt_stream_tables;
    new        pgtrickle.pgt_stream_tables;
    wanted     text := upper(btrim(status));
    definition record;
    resume     boolean := false;
BEGIN
    SELECT * INTO st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'stream table % was dropped meanwhile', name USING ERRCODE = 'undefined_table';
    END IF;
    new := pgtrickle._with_options(st, options, pgtrickle._qualified(st.pgt_relid));
    IF wanted NOT IN ('ACTIVE', 'PAUSED', 'SUSPENDED') THEN
        RAISE EXCEPTION 'stream table %: invalid status %', pgtrickle._qualified(st.pgt_relid), quote_literal(status)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use ACTIVE to resume it, PAUSED or SUSPENDED to stop refreshing it.';
    END IF;
    IF schedule IS NOT NULL THEN
        new.schedule := pgtrickle._check_schedule(CASE lower(btrim(schedule)) WHEN 'default' THEN 'calculated' ELSE schedule END);
    END IF;
    IF refresh_mode IS NOT NULL THEN
        new.refresh_mode := pgtrickle._check_mode(CASE lower(btrim(refresh_mode)) WHEN 'default' THEN 'AUTO' ELSE refresh_mode END);
        IF new.refresh_mode <> st.refresh_mode THEN
            new.needs_reinit := true;
            new.reinit_reason := format('refresh mode changed from %s to %s', st.refresh_mode, new.refresh_mode);
            resume := st.status = 'ERROR';      -- what was impossible in the old mode may be possible now
        END IF;
    END IF;
    IF query IS NOT NULL THEN
        SELECT * INTO definition FROM pgtrickle._define(pgtrickle._qualified(st.pgt_relid), query, caller_path);
        IF definition.canonical <> st.defining_query OR pgtrickle._current_settings() <> st.settings THEN
            new.reinit_reason := CASE WHEN pgtrickle._align_columns(st, definition.view_oid) THEN 'the query and its columns were changed' ELSE 'the query was changed' END;
            new.needs_reinit := true;
            new.original_query := query;
            new.defining_query := definition.canonical;
            new.definite_query := NULL;
            new.settings := pgtrickle._current_settings();
            PERFORM pgtrickle._record_sources(id, definition.view_oid);
            resume := st.status IN ('ERROR', 'SUSPENDED') AND st.last_error IS NOT NULL;     -- its errors were those of the old query
        END IF;
        EXECUTE format('DROP VIEW %s', definition.view_oid::regclass);
    END IF;
    IF new.defining_query <> st.defining_query OR new.allow_circular <> st.allow_circular THEN
        PERFORM pgtrickle._check_cycle(id, new.allow_circular);
    END IF;
    IF wanted IN ('PAUSED', 'SUSPENDED') THEN
        new.status := wanted;
    END IF;

    IF new IS DISTINCT FROM st THEN
        UPDATE pgtrickle.pgt_stream_tables s
           SET original_query = new.original_query, defining_query = new.defining_query, definite_query = new.definite_query, settings = new.settings,
               schedule = new.schedule, refresh_mode = new.refresh_mode, status = new.status, needs_reinit = new.needs_reinit, reinit_reason = new.reinit_reason,
               tier = new.tier, max_staleness = new.max_staleness, diamond_consistency = new.diamond_consistency,
               diamond_schedule_policy = new.diamond_schedule_policy, allow_circular = new.allow_circular, max_delta_fraction = new.max_delta_fraction,
               fuse = new.fuse, fuse_ceiling = new.fuse_ceiling, fuse_sensitivity = new.fuse_sensitivity,
               fuse_blown_at = new.fuse_blown_at, fuse_blow_reason = new.fuse_blow_reason, fuse_reset = new.fuse_reset, generation = s.generation + 1
         WHERE s.pgt_id = id;
    END IF;
    IF wanted = 'ACTIVE' OR wanted IS NULL AND resume THEN
        PERFORM pgtrickle._resume(id);
    END IF;
    IF new IS DISTINCT FROM st OR wanted = 'ACTIVE' THEN
        PERFORM pgtrickle._wake('t:' || id);
    END IF;
END
$$;

CREATE FUNCTION pgtrickle.alter_stream_table(
    name text, query text DEFAULT NULL, schedule text DEFAULT NULL, refresh_mode text DEFAULT NULL, status text DEFAULT NULL,
    diamond_consistency text DEFAULT NULL, diamond_schedule_policy text DEFAULT NULL, cdc_mode text DEFAULT NULL, append_only boolean DEFAULT NULL,
    pooler_compatibility_mode boolean DEFAULT NULL, tier text DEFAULT NULL, fuse text DEFAULT NULL, fuse_ceiling bigint DEFAULT NULL,
    fuse_sensitivity int DEFAULT NULL, partition_by text DEFAULT NULL, max_differential_joins int DEFAULT NULL,
    max_delta_fraction double precision DEFAULT NULL, max_staleness interval DEFAULT NULL, allow_circular boolean DEFAULT NULL)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._alter_stream_table(name, query, schedule, refresh_mode, status,
        ROW(diamond_consistency, diamond_schedule_policy, cdc_mode, append_only, pooler_compatibility_mode, partition_by, max_differential_joins,
            max_delta_fraction, tier, max_staleness, fuse, fuse_ceiling, fuse_sensitivity, allow_circular)::pgtrickle._options,
        pg_catalog.current_setting('search_path'));
END
$$;
COMMENT ON FUNCTION pgtrickle.alter_stream_table(text, text, text, text, text, text, text, text, boolean, boolean, text, text, bigint, int, text, int, double precision, interval, boolean) IS
'Changes a stream table; what is NULL stays. Text ''default'' sets a text option back, -1 a number, ''0'' max_staleness, false allow_circular.
query: the new query, checked as in create_stream_table(). The table keeps its columns, loses those that the query has no more and gets new ones at its
end; other changes of columns need drop and create. Until the daemon has recomputed it (see wait_until_active()) it shows the old rows,
with NULL in new columns. Stream tables that read it are compiled anew if columns or types change.
schedule, refresh_mode: as in create_stream_table(); another mode makes the daemon compile and initialise it anew.
status: ACTIVE resumes it and forgets its errors, PAUSED or SUSPENDED stops refreshing it. A stopped stream table holds the change logs of its sources back.
fuse: ''off'' also mends a blown fuse; nothing else here does, see reset_fuse().
allow_circular: a query may read the stream table itself or one that reads it only if every member of the cycle has it, and the queries must be
monotone: then the daemon refreshes them together until nothing changes any more.
All other options as in create_stream_table().
Errors: 42P01 not a stream table; 42501 not the owner; 22023 bad value; 0A000 not supported; 42P16 columns that do not fit; 2BP01 a column that would go is
used; 42P17 a cycle; and those of create_stream_table() about the query.';

CREATE FUNCTION pgtrickle.resume_stream_table(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._alter_stream_table(name, NULL, NULL, NULL, 'ACTIVE', NULL, pg_catalog.current_setting('search_path'));
END
$$;
COMMENT ON FUNCTION pgtrickle.resume_stream_table(text) IS 'The same as alter_stream_table(name, status => ''ACTIVE'').';

-- Does the work of create_or_replace_stream_table.
CREATE FUNCTION pgtrickle._replace_stream_table(name text, query text, schedule text, refresh_mode text, initialize boolean, options pgtrickle._options, caller_path text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target     record;
    st         pgtrickle.pgt_stream_tables;
    new        pgtrickle.pgt_stream_tables;
    definition record;
    same       boolean;
    fits       boolean;
    readers    text;
    group_id   int;
    gated      boolean;
    id         bigint;
BEGIN
    SELECT * INTO target FROM pgtrickle._target(name, caller_path);
    IF NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_relid = target.existing) THEN
        PERFORM pgtrickle._create_stream_table(name, query, schedule, refresh_mode, initialize, false, options, caller_path);
        RETURN;
    END IF;
    st := pgtrickle._find_own(target.qualified, caller_path);
    new := pgtrickle._with_options(st, options, target.qualified);
    PERFORM pgtrickle._check_mode(refresh_mode), pgtrickle._check_schedule(coalesce(schedule, 'calculated'));
    SELECT * INTO definition FROM pgtrickle._define(target.qualified, query, caller_path);
    same := definition.canonical = st.defining_query;
    fits := same OR pgtrickle._columns_fit(st.pgt_relid, definition.view_oid);
    EXECUTE format('DROP VIEW %s', definition.view_oid::regclass);
    IF fits THEN
        PERFORM pgtrickle._alter_stream_table(target.qualified, CASE WHEN NOT same THEN query END, coalesce(schedule, 'calculated'), refresh_mode, NULL, options, caller_path);
        RETURN;
    END IF;
    SELECT string_agg('stream table ' || pgtrickle._qualified(s.pgt_relid), E'\n' ORDER BY r.depth, s.pgt_id) INTO readers
    FROM pgtrickle._readers(st.pgt_id) AS r JOIN pgtrickle.pgt_stream_tables s USING (pgt_id);
    IF readers IS NOT NULL THEN
        RAISE EXCEPTION 'cannot replace stream table % because other stream tables read it', target.qualified
            USING ERRCODE = 'dependent_objects_still_exist', DETAIL = readers,
                  HINT = 'Its columns would change in a way that needs a new table. Keep the columns that are there in their order and add new ones after them, or drop the readers first.';
    END IF;
    SELECT min(m.group_id) INTO group_id FROM pgtrickle.pgt_refresh_group_members m WHERE m.pgt_id = st.pgt_id;
    gated := EXISTS (SELECT FROM pgtrickle.pgt_source_gates g WHERE g.source_relid = st.pgt_relid AND g.gated);
    PERFORM pgtrickle._drop_stream_table(target.qualified, false, caller_path);
    PERFORM pgtrickle._create_stream_table(target.qualified, query, schedule, refresh_mode, initialize, false,
        ROW(new.diamond_consistency, new.diamond_schedule_policy, NULL, NULL, NULL, NULL, NULL, new.max_delta_fraction, new.tier, new.max_staleness, new.fuse,
            new.fuse_ceiling, new.fuse_sensitivity, new.allow_circular)::pgtrickle._options, caller_path);
    -- It is the same to its owner: what he has asked for still holds.
    SELECT s.pgt_id INTO id FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_relid = to_regclass(target.qualified);
    IF group_id IS NOT NULL THEN
        INSERT INTO pgtrickle.pgt_refresh_group_members (group_id, pgt_id) VALUES (group_id, id);
        PERFORM pgtrickle._wake('');
    END IF;
    IF st.status = 'PAUSED' THEN
        UPDATE pgtrickle.pgt_stream_tables s SET status = 'PAUSED' WHERE s.pgt_id = id;
    END IF;
    IF gated THEN
        PERFORM pgtrickle._set_gate(target.qualified, true, caller_path);
    END IF;
END
$$;

CREATE FUNCTION pgtrickle.create_or_replace_stream_table(
    name text, query text, schedule text DEFAULT 'calculated', refresh_mode text DEFAULT 'AUTO', initialize boolean DEFAULT true,
    diamond_consistency text DEFAULT NULL, diamond_schedule_policy text DEFAULT NULL, cdc_mode text DEFAULT NULL, append_only boolean DEFAULT NULL,
    pooler_compatibility_mode boolean DEFAULT NULL, partition_by text DEFAULT NULL, max_differential_joins int DEFAULT NULL,
    max_delta_fraction double precision DEFAULT NULL, tier text DEFAULT NULL, max_staleness interval DEFAULT NULL, fuse text DEFAULT NULL,
    fuse_ceiling bigint DEFAULT NULL, fuse_sensitivity int DEFAULT NULL, allow_circular boolean DEFAULT NULL)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._replace_stream_table(name, query, schedule, refresh_mode, initialize,
        ROW(diamond_consistency, diamond_schedule_policy, cdc_mode, append_only, pooler_compatibility_mode, partition_by, max_differential_joins,
            max_delta_fraction, tier, max_staleness, fuse, fuse_ceiling, fuse_sensitivity, allow_circular)::pgtrickle._options,
        pg_catalog.current_setting('search_path'));
END
$$;
COMMENT ON FUNCTION pgtrickle.create_or_replace_stream_table(text, text, text, text, boolean, text, text, text, boolean, boolean, text, int, double precision, text, interval, text, bigint, int, boolean) IS
'Makes a stream table what the arguments say: creates it if it does not exist; does nothing if query, schedule, mode and options are already so; changes it
in place, as alter_stream_table() does, where its columns allow that; otherwise drops and creates it, if nothing reads it (grants and indexes on the table are then lost; it stays paused, gated and in its refresh group).
Options that are NULL stay as they are. Parameters as in create_stream_table().
Errors: as create_stream_table() and alter_stream_table(); 42P07 a relation of this name that is not a stream table; 2BP01 it must be made anew but something reads it.';

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
