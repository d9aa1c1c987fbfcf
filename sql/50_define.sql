-- What defines a stream table, as the caller gives it: its query, its options, its name. Checked and made canonical
-- here. Everything runs in the caller's transaction with the caller's rights.
--
-- How the search_path is handled: public functions have no SET clause, because that would hide the caller's path; they
-- contain nothing but one call with qualified names, which hands the path on as a parameter. The functions that do the
-- work pin their own.

-- Runs two statements under the caller's search_path: is `query` one plain SELECT that the caller may run (opening a
-- cursor plans it and checks privileges, without running it), and makes the temporary view `view_name` from it.
-- Leaves the pinned path behind. Errors: as PostgreSQL reports them; 42P11 if it is not one SELECT. deparsed: the query
-- is PostgreSQL's own text of a view, so that is known, and somebody else's functions in it must not run: planning runs
-- immutable ones. Nor is it known of what the admin imports from others; the daemon finds out, as its owner.
CREATE FUNCTION pgtrickle._make_view(view_name text, query text, caller_path text, deparsed boolean DEFAULT false)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    probe     refcursor;
    statement text := 'CREATE TEMPORARY VIEW pg_temp.' || view_name || ' AS ' || query;
BEGIN
    PERFORM pg_catalog.set_config('search_path', caller_path, true);
    IF NOT deparsed AND (pg_catalog.current_setting('pgtrickle.import', true) OPERATOR(pg_catalog.=) 'on'
                         AND pgtrickle._is_admin()) IS NOT TRUE THEN
        OPEN probe NO SCROLL FOR EXECUTE query;
        CLOSE probe;
    END IF;
    EXECUTE statement;
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._make_view TO PUBLIC;

-- What a temporary view made by _make_view reads: a row per relation, through views down to the tables (views
-- included).
CREATE FUNCTION pgtrickle._view_sources(view_oid oid, OUT relid oid, OUT columns int2[], OUT direct boolean)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE reads(relid, attnum, direct) AS (
        SELECT d.refobjid, d.refobjsubid, true
        FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
          AND d.refclassid = 'pg_class'::regclass
        WHERE r.ev_class = view_oid AND d.refobjid <> view_oid
        UNION
        SELECT d.refobjid, d.refobjsubid, false
        FROM reads v JOIN pg_class c ON c.oid = v.relid AND c.relkind = 'v'
        JOIN pg_rewrite r ON r.ev_class = v.relid AND r.ev_type = '1'
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
          AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.relid)
    SELECT r.relid, coalesce(array_agg(DISTINCT r.attnum::int2 ORDER BY r.attnum::int2) FILTER (WHERE r.attnum > 0),
                             '{}'), bool_or(r.direct)
    FROM reads r JOIN pg_class c ON c.oid = r.relid AND c.relkind IN ('r', 'p', 'v', 'm', 'f') GROUP BY r.relid;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._view_sources TO PUBLIC;

-- What we refuse although PostgreSQL makes a view of it, one row per problem. Looks at the stored parse tree of the
-- view: braces in names are escaped by a backslash and values are written as bytes, so nothing that a user writes can
-- look like a node, which follows a space or a parenthesis.
CREATE FUNCTION pgtrickle._view_problems(view_oid oid, OUT check_name text, OUT code text, OUT message text,
                                         OUT hint text) RETURNS SETOF record
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
    FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
      AND d.refobjid <> view_oid
    CROSS JOIN LATERAL pg_identify_object(d.refclassid, d.refobjid, 0) AS o
    WHERE r.ev_class = view_oid AND (o.schema LIKE E'pg\\_temp%' OR o.identity LIKE E'pg\\_temp%.%');
    IF bad IS NOT NULL THEN
        check_name := 'temporary_objects'; code := '42P16';
        message := format('it uses temporary objects: %s', bad);
        hint := 'Only this session sees them, the daemon does not. Use ordinary tables.';
        RETURN NEXT;
    END IF;
    SELECT string_agg(DISTINCT pgtrickle._qualified(c.oid), ', ') INTO bad
    FROM pgtrickle._view_sources(view_oid) AS v JOIN pg_class c ON c.oid = v.relid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('pgtrickle', 'pgtrickle_changes', 'pgtrickle_state');
    IF bad IS NOT NULL THEN
        check_name := 'own_schemas'; code := '0A000';
        message := format('it reads pgtrickle''s own tables: %s', bad);
        hint := 'Every refresh changes them. Query them with an ordinary view.';
        RETURN NEXT;
    END IF;
    IF tree ~ E'[ (]\\{ROWMARKCLAUSE' THEN
        check_name := 'locking'; code := '0A000';
        message := 'it has FOR UPDATE or FOR SHARE';
        hint := 'Remove the locking clause: a stored result locks no rows.';
        RETURN NEXT;
    END IF;
    IF tree ~ E'[ (]\\{TABLESAMPLECLAUSE' THEN
        check_name := 'tablesample'; code := '0A000';
        message := 'it has TABLESAMPLE';
        hint := 'A sample is another one each time. Filter by a column instead, for example WHERE id % 100 = 0.';
        RETURN NEXT;
    END IF;
    -- Fields of a query node come in this order, and the outermost query is the last one. A constant NULL is LIMIT ALL.
    -- The text ends with the outermost limits; LIMIT 0 and OFFSET 0 alone leave nothing open. Limits in subqueries are
    -- for the daemon's compiler.
    IF substring(tree FROM '.*(:sortClause .*)')
       ~ E'^:sortClause <> :limitOffset (<> :limitCount )?\\{(?!CONST [^}]*:constisnull true)'
       AND pgtrickle._canonical(view_oid)
           !~ E'\\s(LIMIT|OFFSET) (0|\\(0\\)::bigint|''0''::bigint)(\\s+LIMIT ALL)?$' THEN
        check_name := 'limit'; code := '0A000';
        message := 'it has LIMIT or OFFSET without ORDER BY';
        hint := 'Without ORDER BY any rows may be the first. Add an ORDER BY that decides.';
        RETURN NEXT;
    END IF;
    IF tree ~ E'[ (]\\{VAR :varno [0-9]+ :varattno -[0-9]' THEN
        check_name := 'system_columns'; code := '0A000';
        message := 'it uses a system column (ctid, xmin, tableoid, ...)';
        hint := 'System columns change without a change of the data. Use ordinary columns.';
        RETURN NEXT;
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._view_problems TO PUBLIC;

-- What of a view's stored parse tree its text can lose: its operators and the field names of its rows, in their order,
-- and its columns. A whole tree is no measure: varchar IN ('a', 'b') is stored in another way when its text is read
-- again.
CREATE FUNCTION pgtrickle._view_meaning(view_oid oid) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT array(SELECT m[1]
                 FROM pg_rewrite r,
                      regexp_matches(regexp_replace(r.ev_action::text, E'\\{ALIAS ([^\\\\}]|\\\\.)*\\}', '', 'g'),
                                     E' (:opno [0-9]+|:opnos \\([^)]*\\)|:colnames (?:<>|\\((?:[^\\\\)]|\\\\.)*\\)))',
                                         'g') WITH ORDINALITY AS x(m, n)
                 WHERE r.ev_class = view_oid AND r.ev_type = '1' ORDER BY x.n)
        || array(SELECT format('%s %s %s %s', a.attname, a.atttypid, a.atttypmod, a.attcollation)
                 FROM pg_attribute a WHERE a.attrelid = view_oid AND a.attnum > 0 ORDER BY a.attnum)
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._view_meaning TO PUBLIC;

-- The query of a view, with all names qualified except those of pg_catalog. What we keep is always text for
-- standard_conforming_strings = on, which PostgreSQL writes in the manner of the session.
CREATE FUNCTION pgtrickle._canonical(view_oid oid) RETURNS text
LANGUAGE plpgsql SET search_path = '' SET standard_conforming_strings = on SET quote_all_identifiers = off
    SET extra_float_digits = 1      -- constants as they are
AS $$
BEGIN
    RETURN pg_catalog.regexp_replace(pg_catalog.pg_get_viewdef(view_oid), E';\\s*$', '');
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._canonical TO PUBLIC;

-- The user's text of a query, to be kept. Where backslashes escape in his session, and nowhere else, it is the
-- canonical text.
CREATE FUNCTION pgtrickle._kept_text(query text, canonical text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN current_setting('standard_conforming_strings')::boolean OR strpos(query, E'\\') = 0 THEN query
                ELSE canonical END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._kept_text TO PUBLIC;

-- pg_get_viewdef() can lose the meaning of a query: field names of rows made from an alias of JOIN .. USING, and which
-- operator stands behind words like IS DISTINCT FROM, which it writes without a schema. Compares a view with what its
-- text means when it is read again. Returns nothing if they are the same query.
CREATE FUNCTION pgtrickle._lost_in_text(view_oid oid, definition text, OUT message text, OUT hint text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
DECLARE
    again     text := 'pgtrickle_again_' || replace(gen_random_uuid()::text, '-', '');
    mine      text[] := pgtrickle._view_meaning(view_oid);
    other     text[];
    operators text;
BEGIN
    BEGIN
        EXECUTE format('CREATE TEMPORARY VIEW pg_temp.%s AS %s', again, definition);
    EXCEPTION WHEN syntax_error OR undefined_function OR ambiguous_function OR datatype_mismatch
        OR indeterminate_datatype OR insufficient_privilege THEN
        IF SQLERRM LIKE 'memory exhausted%' THEN     -- nested too deeply, which the compiler says better
            RETURN;
        END IF;
        message := format('PostgreSQL cannot read its own text of it (%s)', SQLERRM);
        hint := 'Write it in another way.';
        RETURN;
    END;
    other := pgtrickle._view_meaning(to_regclass('pg_temp.' || again));
    EXECUTE format('DROP VIEW pg_temp.%s', again);
    IF mine = other THEN
        RETURN;
    END IF;
    SELECT string_agg(DISTINCT format('%I.%s', n.nspname, o.oprname), ', ') INTO operators
    FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
    WHERE n.nspname <> 'pg_catalog'
      AND (SELECT count(*) FROM unnest(mine) AS u WHERE u = ':opno ' || o.oid) > (SELECT count(*)
              FROM unnest(other) AS u WHERE u = ':opno ' || o.oid);
    IF operators IS NOT NULL THEN
        message := format('IS DISTINCT FROM, NULLIF, CASE x WHEN or USING means operator %s, which its text cannot say',
                          operators);
        hint := 'Write the operator: for example a OPERATOR(schema.=) b in CASE WHEN or ON.';
    ELSIF array(SELECT u FROM unnest(mine) AS u WHERE u LIKE ':colnames %') <> array(SELECT u FROM unnest(other) AS u
            WHERE u LIKE ':colnames %') THEN
        message := 'its text loses the names of the fields of a row';
        hint := 'Make the row in a subquery: for example row_to_json((SELECT r FROM (SELECT t.a, t.b) AS r)).';
    ELSE
        message := 'PostgreSQL''s text of it means another query';
        hint := 'Write it in another way, and please report the query.';
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._lost_in_text TO PUBLIC;

-- Why what a view shows cannot be maintained from changes, as far as the server alone can see it; one row per reason.
-- The compiler says the same, but only when the daemon builds it. It also says where now() and its kin may stand:
-- here they are refused only in a query without a condition. SQL value functions are numbered by PostgreSQL, from
-- CURRENT_DATE on. Functions are looked for in the stored parse trees, because dependencies on those of PostgreSQL
-- itself are not recorded.
CREATE FUNCTION pgtrickle._not_differential(view_oid oid, OUT reason text, OUT hint text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH trees AS MATERIALIZED (
        SELECT r.ev_action::text AS tree,
               r.ev_class <> view_oid OR r.ev_action::text ~ E' :(quals|havingQual|aggfilter) [{(]' AS has_conditions,
               CASE WHEN r.ev_class <> view_oid THEN format(' in view %s', pgtrickle._qualified(r.ev_class))
                    ELSE '' END AS place
        FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
        WHERE r.ev_type = '1' AND c.relkind = 'v'
          AND (r.ev_class = view_oid OR r.ev_class IN (SELECT v.relid FROM pgtrickle._view_sources(view_oid) AS v)))
    SELECT CASE WHEN p.provolatile = 'v' THEN format('function %s() is VOLATILE%s', p.name, t.place)
                WHEN p.clock THEN format('the query depends on the current time: %s()%s', p.name, t.place)
                ELSE format('function %s() is STABLE: it may read tables or session state, whose changes are not '
                            'captured%s', p.name, t.place) END,
           CASE WHEN p.provolatile = 'v'
                THEN format('Remove %s(), or use refresh_mode => ''FULL'', which recomputes it at every refresh.',
                            p.name)
                WHEN p.clock THEN
                    'AUTO recomputes it on schedule. Or move the comparison with the current time into the queries '
                    'that read the stream table.'
                ELSE format('Declare %s() IMMUTABLE if it only depends on its arguments, or use refresh_mode => '
                            '''AUTO''.', p.name) END
    FROM trees t
    CROSS JOIN LATERAL (SELECT DISTINCT m[1]::oid AS oid
                        FROM regexp_matches(t.tree, ':(?:funcid|opfuncid|aggfnoid|winfnoid) ([0-9]+)', 'g') AS m) AS f
    JOIN LATERAL (SELECT x.provolatile, CASE WHEN x.pronamespace = 'pg_catalog'::regnamespace THEN x.proname::text
                                             ELSE format('%I.%I', n.nspname, x.proname) END AS name,
                         x.pronamespace = 'pg_catalog'::regnamespace
                         AND (x.proname IN ('statement_timestamp', 'clock_timestamp', 'timeofday')
                              OR x.proname = 'age' AND x.pronargs = 1
                              OR x.proname IN ('now', 'transaction_timestamp') AND NOT t.has_conditions) AS clock,
                         x.pronamespace <> 'pg_catalog'::regnamespace AS foreign_one
                  FROM pg_proc x JOIN pg_namespace n ON n.oid = x.pronamespace WHERE x.oid = f.oid) AS p
      ON p.provolatile = 'v' OR p.clock OR p.foreign_one AND p.provolatile = 's'
    UNION ALL
    SELECT format('the query depends on the time or the session that runs it (CURRENT_DATE, CURRENT_USER or the '
                  'like)%s', t.place),
           'AUTO recomputes it on schedule. Or leave that to the queries that read the stream table.'
    FROM trees t WHERE t.tree ~ E'[ (]\\{SQLVALUEFUNCTION :op (?![03478] )'
       OR NOT t.has_conditions AND t.tree ~ E'[ (]\\{SQLVALUEFUNCTION '
    UNION ALL
    SELECT format('CYCLE has more than one column%s: its path is a list of rows', t.place),
           'Collect the path in an array of your own, and compare with = ANY (path).'
    FROM trees t WHERE t.tree ~ E' :cycle_col_list \\("(?:[^"\\\\]|\\\\.)*" "'
    UNION ALL
    SELECT format('changes of system catalog %s cannot be captured%s', pgtrickle._qualified(c.oid), t.place),
           'Use refresh_mode => ''AUTO'' or ''FULL'', which recompute the query.'
    FROM trees t
    CROSS JOIN LATERAL (SELECT DISTINCT m[1]::oid AS oid
                        FROM regexp_matches(t.tree, ' :rtekind 0 :relid ([0-9]+) ', 'g') AS m) AS o
    JOIN pg_class c ON c.oid = o.oid AND c.relnamespace = 'pg_catalog'::regnamespace
    UNION ALL
    SELECT format('it reads ONLY %s, which has children%s', pgtrickle._qualified(c.oid), t.place),
           'Read all of it, or use refresh_mode => ''AUTO'' or ''FULL'', which recompute the query.'
    FROM trees t
    CROSS JOIN LATERAL (SELECT DISTINCT m[1]::oid AS oid
                        FROM regexp_matches(t.tree, ' :rtekind 0 :relid ([0-9]+) [^{}]*:inh false', 'g') AS m) AS o
    JOIN pg_class c ON c.oid = o.oid AND c.relkind IN ('r', 'p')
    WHERE EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid)
    UNION ALL
    SELECT format('row-level security policies of %s apply to you, who would own it', pgtrickle._qualified(v.relid)),
           'FULL runs the query under the policies. Or let a role that bypasses them own the stream table.'
    FROM pgtrickle._view_sources(view_oid) AS v
    WHERE v.direct
      AND pgtrickle._row_security_applies(v.relid, (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user))
    UNION ALL
    SELECT format('changes of %s cannot be captured: %s', pgtrickle._qualified(v.relid), n.why),
           'Use refresh_mode => ''AUTO'' or ''FULL'', which recompute the query.'
    FROM pgtrickle._view_sources(view_oid) AS v JOIN pg_class c ON c.oid = v.relid
    CROSS JOIN pgtrickle._not_capturable_for(v.relid, (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user))
        AS n(why)
    WHERE c.relkind <> 'v' AND n.why IS NOT NULL
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._not_differential TO PUBLIC;

-- Whether what a view shows depends on the current time: on now(), CURRENT_DATE, CURRENT_TIMESTAMP or LOCALTIMESTAMP.
CREATE FUNCTION pgtrickle._reads_time(view_oid oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(bool_or(r.ev_action::text ~ E'[ (]\\{SQLVALUEFUNCTION :op [03478] '
                            OR EXISTS (SELECT FROM regexp_matches(r.ev_action::text, ':funcid ([0-9]+)', 'g') AS m
                                       WHERE m[1]::oid IN ('now()'::regprocedure,
                                                           'transaction_timestamp()'::regprocedure))), false)
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
    WHERE r.ev_type = '1' AND c.relkind = 'v'
      AND (r.ev_class = view_oid OR r.ev_class IN (SELECT v.relid FROM pgtrickle._view_sources(view_oid) AS v))
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._reads_time TO PUBLIC;

-- Error 0A000 if it is clear already that a mode that applies changes cannot be: DIFFERENTIAL, IMMEDIATE. 42501 if
-- the caller may not have triggers on what an IMMEDIATE stream table reads.
CREATE FUNCTION pgtrickle._require_differential(qualified text, view_oid oid, mode text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bad    record;
    source oid;
BEGIN
    FOR bad IN SELECT * FROM pgtrickle._not_differential(view_oid) LOOP
        RAISE EXCEPTION 'stream table %: refresh mode % is not possible: %', qualified, mode, bad.reason
            USING ERRCODE = 'feature_not_supported', HINT = bad.hint;
    END LOOP;
    IF mode = 'IMMEDIATE' THEN
        IF pgtrickle._reads_time(view_oid) THEN
            RAISE EXCEPTION 'stream table %: refresh mode IMMEDIATE is not possible: time passes without a statement '
                            'that it could follow', qualified
                USING ERRCODE = 'feature_not_supported',
                      HINT = 'Use DIFFERENTIAL or AUTO: rows come and go as time passes.';
        END IF;
        FOR source IN SELECT v.relid FROM pgtrickle._view_sources(view_oid) AS v JOIN pg_class c ON c.oid = v.relid
                      WHERE c.relkind <> 'v' ORDER BY v.relid LOOP
            PERFORM pgtrickle._require_immediate(qualified, source, current_user::regrole);
        END LOOP;
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._require_differential TO PUBLIC;

-- The same for a stream table whose query stays. A query that has become invalid is for the daemon to say.
CREATE FUNCTION pgtrickle._require_differential_as_it_is(st pgtrickle.pgt_stream_tables, caller_path text, mode text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
DECLARE
    qualified  text := pgtrickle._qualified(st.pgt_relid);
    definition record;
BEGIN
    BEGIN
        SELECT * INTO definition FROM pgtrickle._define(qualified, st.defining_query, caller_path);
    EXCEPTION WHEN OTHERS THEN
        RETURN;
    END;
    PERFORM pgtrickle._require_differential(qualified, definition.view_oid, mode);
    EXECUTE format('DROP VIEW %s', definition.view_oid::regclass);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._require_differential_as_it_is TO PUBLIC;

-- Our explanation of an error that PostgreSQL raised for a query, by SQLSTATE; its own hint comes first.
CREATE FUNCTION pgtrickle._query_hint(code text, message text, own text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(nullif(own, ''), CASE
        WHEN code = '42P11' THEN
            'The query of a stream table is one statement: SELECT, VALUES, TABLE or WITH ... SELECT.'
        WHEN code = '0A000' AND message LIKE '%INTO%' THEN 'Leave out INTO: pgtrickle makes the table.'
        WHEN code = '0A000' AND message LIKE '%WITH%' THEN
            'A query that is run again and again must not change data: use SELECT only.'
        WHEN code = '42701' THEN
            'Give every output column a name of its own with AS; ctid, xmin, tableoid and the like are taken.'
        WHEN code = '42P16' THEN 'Check names and types of the output columns.'
        WHEN code IN ('42P01', '3F000') THEN 'Names without a schema follow the search_path.'
        WHEN code = '42P02' THEN 'Write the value instead of the parameter.'
        WHEN code = '42501' AND message LIKE '%temporary%' THEN
            'pgtrickle reads the query through a temporary view: GRANT TEMPORARY ON DATABASE to this role.'
        WHEN code = '42601' THEN
            'The query of a stream table is one statement: SELECT, VALUES, TABLE or WITH ... SELECT.' END)
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._query_hint TO PUBLIC;

-- Where PostgreSQL found the syntax error `message` in `query`, as a number of characters; NULL if that cannot be said.
-- PL/pgSQL does not tell. But the parser stops at the first word that does not fit, so a beginning of the query has the
-- same error if and only if it holds that word. Opening a cursor parses what it is given and runs nothing.
CREATE FUNCTION pgtrickle._syntax_error_position(query text, caller_path text, message text) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    probe   refcursor;
    short   int := 0;           -- a beginning of this length has another error, or none
    long    int := length(query);
    middle  int;
    got     text;
BEGIN
    WHILE long - short > 1 LOOP
        middle := (short + long) / 2;
        got := NULL;
        BEGIN
            PERFORM set_config('search_path', caller_path, true);
            OPEN probe NO SCROLL FOR EXECUTE left(query, middle);
            CLOSE probe;
            PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        EXCEPTION WHEN OTHERS THEN      -- undoes the search_path too
            got := SQLERRM;
        END;
        IF got = message THEN
            long := middle;
        ELSE
            short := middle;
        END IF;
    END LOOP;
    -- The word is what the message quotes: the longest end of that beginning that is in it.
    FOR n IN REVERSE least(long, 200) .. 1 LOOP
        IF strpos(message, substr(query, long - n + 1, n)) > 0 THEN
            RETURN long - n + 1;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._syntax_error_position TO PUBLIC;

-- The line of the query that has this character, with a caret under it, as psql shows it.
CREATE FUNCTION pgtrickle._excerpt(query text, at int) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format(E'At character %s of the query:\n%s%s\n%s^', at, p.prefix,
                  translate(substr(l.line, p.skipped + 1, 100), E'\t\r', '  '),
                  repeat(' ', length(p.prefix) + l.before - p.skipped))
    FROM (SELECT left(query, at - 1) AS text) AS t
    CROSS JOIN LATERAL (SELECT 1 + length(t.text) - length(replace(t.text, E'\n', '')) AS number) AS n
    CROSS JOIN LATERAL (SELECT split_part(query, E'\n', n.number) AS line,
                        length(split_part(t.text, E'\n', -1)) AS before) AS l
    CROSS JOIN LATERAL (SELECT CASE WHEN l.before > 60 THEN l.before - 40 ELSE 0 END AS skipped,
                               format('LINE %s: ', n.number) || CASE WHEN l.before > 60 THEN '...'
                                                                     ELSE '' END AS prefix) AS p
    WHERE at IS NOT NULL
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._excerpt TO PUBLIC;

-- Settings on which the text or value of an expression can depend. No other is ever kept with a stream table or set for
-- it.
CREATE FUNCTION pgtrickle._setting_names() RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY['TimeZone', 'DateStyle', 'IntervalStyle', 'extra_float_digits', 'bytea_output',
                 'lc_monetary', 'lc_numeric', 'lc_time', 'default_text_search_config', 'xmlbinary', 'xmloption']
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._setting_names TO PUBLIC;

CREATE FUNCTION pgtrickle._current_settings() RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_object_agg(s, current_setting(s)) FROM unnest(pgtrickle._setting_names()) AS s
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._current_settings TO PUBLIC;

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
GRANT EXECUTE ON FUNCTION pgtrickle._guard TO PUBLIC;

-- AUTO, DIFFERENTIAL, FULL, IMMEDIATE from what the user wrote. Errors: 22023.
CREATE FUNCTION pgtrickle._check_mode(refresh_mode text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    mode text := upper(btrim(refresh_mode));
BEGIN
    IF mode IS NULL OR mode NOT IN ('AUTO', 'DIFFERENTIAL', 'FULL', 'IMMEDIATE') THEN
        RAISE EXCEPTION 'invalid refresh mode %', quote_nullable(refresh_mode)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use AUTO, DIFFERENTIAL, FULL or IMMEDIATE.';
    END IF;
    RETURN mode;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._check_mode TO PUBLIC;

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
            USING ERRCODE = 'invalid_parameter_value',
                HINT = format('Use one of %s, or ''default''.', array_to_string(allowed, ', '));
    END IF;
    RETURN chosen;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._choice TO PUBLIC;

-- The same as _set_options (sql/49_table_options.sql), and what options mean together. Errors: 22023.
CREATE FUNCTION pgtrickle._with_options(st pgtrickle.pgt_stream_tables, o pgtrickle._options, qualified text)
RETURNS pgtrickle.pgt_stream_tables
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF lower(btrim(o.cdc_mode)) <> 'wal' THEN
        PERFORM pgtrickle._choice(qualified, 'cdc_mode', o.cdc_mode, '{auto,trigger}');
    END IF;
    st := pgtrickle._set_options(st, o, qualified);
    IF st.fuse = 'on' AND st.fuse_ceiling IS NULL THEN
        RAISE EXCEPTION 'stream table %: fuse ''on'' needs a fuse_ceiling', qualified
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Say how many pending rows are too many, for example fuse_ceiling => 100000; or fuse => '
                         '''auto'', which learns it.';
    ELSIF st.fuse = 'off' THEN
        st.fuse_blown_at := NULL;
        st.fuse_blow_reason := NULL;
        st.fuse_reset := NULL;
    END IF;
    RETURN st;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._with_options TO PUBLIC;

-- Where a stream table of this name is, or would be made: in the given schema, otherwise where CREATE TABLE would put
-- it. existing: the relation of that name, NULL if there is none. Errors: as _parse_name, 3F000 a schema that does not
-- exist or is taboo.
CREATE FUNCTION pgtrickle._target(name text, caller_path text, OUT schema text, OUT relation text, OUT qualified text,
                                  OUT existing oid)
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
    IF schema LIKE E'pg\\_%'
        OR schema IN ('pgtrickle', 'pgtrickle_changes', 'pgtrickle_state', 'information_schema') THEN
        RAISE EXCEPTION 'stream table % cannot be made in schema "%"', qualified, schema
            USING ERRCODE = 'invalid_schema_name',
                HINT = 'Use a schema of your own; temporary stream tables do not exist.';
    END IF;
    SELECT c.oid INTO existing FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = schema AND c.relname = relation;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._target TO PUBLIC;

-- Checks a query and makes it canonical: all names qualified, except those of pg_catalog. The temporary view is left to
-- the caller, who drops it. Errors: 22023 empty; what _view_problems knows; whatever PostgreSQL says, prefixed with the
-- stream table's name. deparsed: as _make_view.
CREATE FUNCTION pgtrickle._define(qualified text, query text, caller_path text, deparsed boolean DEFAULT false,
                                  OUT canonical text, OUT view_oid oid)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    view_name text := 'pgtrickle_definition_' || replace(gen_random_uuid()::text, '-', '');
    problem   record;
    code text; message text; detail text; hint text;
BEGIN
    IF btrim(query) IS NULL OR btrim(query) = '' THEN
        RAISE EXCEPTION 'stream table %: the query is empty', qualified
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a SELECT.';
    END IF;
    -- Inside the block everything is undone if it fails, the search_path too.
    BEGIN
        PERFORM pgtrickle._make_view(view_name, query, caller_path, deparsed);
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
            hint = PG_EXCEPTION_HINT;
        IF code = '42P11' THEN
            detail := message;
            message := 'the query is not one SELECT statement';
        END IF;
        IF code = '42601' THEN
            detail := coalesce(pgtrickle._excerpt(query, pgtrickle._syntax_error_position(query, caller_path, message)),
                               detail);
        END IF;
        PERFORM pgtrickle._fail(code, format('stream table %s: %s', qualified, message),
                                detail, pgtrickle._query_hint(code, message, hint));
    END;
    view_oid := to_regclass('pg_temp.' || view_name);
    FOR problem IN SELECT * FROM pgtrickle._view_problems(view_oid) LOOP
        RAISE EXCEPTION 'stream table %: the query cannot be kept in a table: %', qualified, problem.message
            USING ERRCODE = problem.code, HINT = problem.hint;
    END LOOP;
    canonical := pgtrickle._canonical(view_oid);
    SELECT l.message, l.hint INTO problem FROM pgtrickle._lost_in_text(view_oid, canonical) AS l;
    IF problem.message IS NOT NULL THEN
        RAISE EXCEPTION 'stream table %: the query cannot be kept as text: %', qualified, problem.message
            USING ERRCODE = 'feature_not_supported', HINT = problem.hint;
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._define TO PUBLIC;

-- Writes what stream table `id` reads, from the view that _define made of its query.
CREATE FUNCTION pgtrickle._record_sources(id bigint, view_oid oid) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = id;
    INSERT INTO pgtrickle.pgt_dependencies (pgt_id, source_relid, source_type, columns, column_names,
                                            source_schema, source_name)
    SELECT id, c.oid, CASE WHEN EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s
                                        WHERE s.pgt_relid = c.oid) THEN 'STREAM_TABLE'
                      ELSE CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED_TABLE' WHEN 'v' THEN 'VIEW'
                                          WHEN 'm' THEN 'MATERIALIZED_VIEW' WHEN 'f' THEN 'FOREIGN_TABLE' END END,
           v.columns, (SELECT coalesce(array_agg(a.attname ORDER BY a.attnum), '{}') FROM pg_attribute a
                       WHERE a.attrelid = c.oid AND a.attnum = ANY (v.columns)),
           n.nspname, c.relname
    FROM pgtrickle._view_sources(view_oid) AS v JOIN pg_class c ON c.oid = v.relid
    JOIN pg_namespace n ON n.oid = c.relnamespace
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._record_sources FROM PUBLIC;

CREATE FUNCTION pgtrickle._validate_query(query text, caller_path text)
RETURNS TABLE (check_name text, result text, severity text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    view_name text := 'pgtrickle_definition_' || replace(gen_random_uuid()::text, '-', '');
    code text; message text; hint text; place text;
    canonical text;
    p record;
BEGIN
    IF btrim(query) IS NULL OR btrim(query) = '' THEN
        RETURN QUERY SELECT 'query', 'the query is empty; Give a SELECT.', 'error';
        RETURN;
    END IF;
    BEGIN
        PERFORM pgtrickle._make_view(view_name, query, caller_path);
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
        hint := pgtrickle._query_hint(code, message, hint);
        IF code = '42601' THEN
            place := E'\n' || pgtrickle._excerpt(query, pgtrickle._syntax_error_position(query, caller_path, message));
        END IF;
        RETURN QUERY SELECT 'query', concat(concat_ws('; ', message, hint), place), 'error';
        RETURN;
    END;
    RETURN QUERY SELECT 'query', 'one SELECT statement', 'ok';
    FOR p IN SELECT * FROM pgtrickle._view_problems(to_regclass('pg_temp.' || view_name)) LOOP
        RETURN QUERY SELECT p.check_name, concat_ws('; ', p.message, p.hint), 'error';
    END LOOP;
    canonical := pgtrickle._canonical(to_regclass('pg_temp.' || view_name));
    RETURN QUERY SELECT 'text', concat_ws('; ', l.message, l.hint), 'error'
        FROM pgtrickle._lost_in_text(to_regclass('pg_temp.' || view_name), canonical) AS l WHERE l.message IS NOT NULL;
    RETURN QUERY    -- uncapturable sources are said below
        SELECT 'differential', format('cannot be maintained from changes: %s; %s', d.reason, d.hint), 'warning'
        FROM pgtrickle._not_differential(to_regclass('pg_temp.' || view_name)) AS d
        WHERE d.reason NOT LIKE 'changes of %';
    RETURN QUERY
        SELECT 'source', format('%s: %s', pgtrickle._qualified(v.relid),
                                coalesce(CASE WHEN c.relkind = 'v' THEN 'view, inlined' ELSE
                   'changes cannot be captured, ' || n.why END, 'changes can be captured')),
               CASE WHEN c.relkind <> 'v' AND n.why IS NOT NULL THEN 'warning' ELSE 'ok' END
        FROM pgtrickle._view_sources(to_regclass('pg_temp.' || view_name)) AS v JOIN pg_class c ON c.oid = v.relid
        CROSS JOIN pgtrickle._not_capturable_for(v.relid, (SELECT r.oid FROM pg_roles r
                                                           WHERE r.rolname = current_user)) AS n(why);
    RETURN QUERY
        SELECT 'columns', string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)),
                                     ', ' ORDER BY a.attnum), 'ok'
        FROM pg_attribute a WHERE a.attrelid = to_regclass('pg_temp.' || view_name) AND a.attnum > 0;
    EXECUTE format('DROP VIEW pg_temp.%s', view_name);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._validate_query TO PUBLIC;

CREATE FUNCTION pgtrickle.validate_query(query text) RETURNS TABLE (check_name text, result text, severity text)
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT v.check_name, v.result, v.severity
        FROM pgtrickle._validate_query(query, pg_catalog.current_setting('search_path')) AS v;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.validate_query TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.validate_query(text) IS
'What the server alone can say about a query for a stream table: one row per check, severity ok, warning or error.
  Creates nothing.
Whether it can be maintained from changes is for the compiler to say: pgtrickle validate on the command line.';
