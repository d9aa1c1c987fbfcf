-- Going back to the definition that a stream table had, if an altered one cannot be built. Called by the daemon.

-- What pgt_stream_tables.previous keeps of a stream table, before its query is altered; NULL if there is nothing to go
-- back to. The first of several definitions that were not built is the one that worked.
CREATE FUNCTION pgtrickle._definition_now(st pgtrickle.pgt_stream_tables) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN st.previous IS NOT NULL THEN st.previous
                WHEN st.effective_refresh_mode IS NOT NULL AND st.status NOT IN ('ERROR', 'SUSPENDED') THEN
                    jsonb_build_object(
        'original_query', st.original_query, 'defining_query', st.defining_query, 'settings', st.settings,
            'names', st.names,
        'names_now', st.names_now, 'refresh_mode', st.refresh_mode,
        'columns', (SELECT jsonb_agg(jsonb_build_object('name', a.attname, 'type',
                                                        format_type(a.atttypid, a.atttypmod) || coalesce(
                               (SELECT format(' COLLATE %I.%I', n.nspname, l.collname) FROM pg_collation l
                                JOIN pg_namespace n ON n.oid = l.collnamespace WHERE l.oid = a.attcollation), ''))
                                ORDER BY a.attnum)
                    FROM pg_attribute a WHERE a.attrelid = st.pgt_relid AND a.attnum > 0 AND NOT a.attisdropped),
        'dependencies', (SELECT jsonb_agg(to_jsonb(d)) FROM pgtrickle.pgt_dependencies d
                         WHERE d.pgt_id = st.pgt_id)) END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._definition_now FROM PUBLIC;

-- What gives the table the columns of its previous definition, for its owner to run; NULL: it has them.
CREATE FUNCTION pgtrickle._restoring_statement(id bigint) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('ALTER TABLE %s %s', pgtrickle._qualified(s.pgt_relid), string_agg(x.action, ', ' ORDER BY x.n, x.at))
    FROM pgtrickle.pgt_stream_tables s CROSS JOIN LATERAL (
        SELECT 1 AS n, a.attnum::bigint AS at, format('DROP COLUMN %I', a.attname) AS action
        FROM pg_attribute a WHERE a.attrelid = s.pgt_relid AND a.attnum > 0 AND NOT a.attisdropped
         AND NOT EXISTS (SELECT FROM jsonb_array_elements(s.previous -> 'columns') AS c WHERE c ->> 'name' = a.attname)
        UNION ALL
        SELECT 2, c.n, format('ADD COLUMN %I %s', c.o ->> 'name', c.o ->> 'type')
        FROM jsonb_array_elements(s.previous -> 'columns') WITH ORDINALITY AS c(o, n)
        WHERE NOT EXISTS (SELECT FROM pg_attribute a
                          WHERE a.attrelid = s.pgt_relid AND a.attnum > 0 AND NOT a.attisdropped
                                                       AND a.attname = c.o ->> 'name')) AS x
    WHERE s.pgt_id = id GROUP BY s.pgt_relid
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._restoring_statement FROM PUBLIC;

-- Puts the previous definition in the place of the one that could not be built because of `failure` (message, code,
-- hint). The table has its columns by now, but the ones that were dropped come last: then the query says so too.
CREATE FUNCTION pgtrickle._go_back(id bigint, failure jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st      pgtrickle.pgt_stream_tables;
    columns text;       -- in the order of the table
    in_text boolean;    -- the query has them in this order
BEGIN
    SELECT * INTO STRICT st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = id;
    SELECT string_agg(format('q.%I', a.attname), ', ' ORDER BY a.attnum),
           jsonb_agg(a.attname ORDER BY a.attnum) = jsonb_path_query_array(st.previous, '$.columns[*].name')
      INTO columns, in_text
      FROM pg_attribute a WHERE a.attrelid = st.pgt_relid AND a.attnum > 0 AND NOT a.attisdropped;
    IF NOT in_text THEN
        st.previous := st.previous || jsonb_build_object(
            'original_query', format(E'SELECT %s FROM (\n%s\n) AS q', columns,
                                     regexp_replace(st.previous ->> 'original_query', E';\\s*$', '')),
            'defining_query', format(E'SELECT %s FROM (%s) AS q', columns, st.previous ->> 'defining_query'));
    END IF;
    UPDATE pgtrickle.pgt_stream_tables s
       SET original_query = st.previous ->> 'original_query', defining_query = st.previous ->> 'defining_query',
           definite_query = NULL,
           settings = st.previous -> 'settings', names = nullif(st.previous -> 'names', 'null'),
               names_now = nullif(st.previous -> 'names_now', 'null'),
           refresh_mode = st.previous ->> 'refresh_mode', previous = NULL,
           failed_alteration = (SELECT jsonb_object_agg(e.key, left(e.value, pgtrickle._kept_characters()))
                                FROM jsonb_each_text(failure) AS e)
                               || jsonb_build_object('query', s.original_query, 'at', clock_timestamp()),
           status = CASE s.status WHEN 'INITIALIZING' THEN 'PENDING' ELSE s.status END, needs_reinit = true,
           reinit_reason = 'the altered query could not be built, the previous one goes on',
               generation = pgtrickle._next_generation(s.generation)
     WHERE s.pgt_id = id;
    DELETE FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = id;
    INSERT INTO pgtrickle.pgt_dependencies (pgt_id, source_relid, source_type, columns, column_names,
                                            source_schema, source_name)
    SELECT id, d.source_relid, d.source_type, d.columns, d.column_names, d.source_schema, d.source_name
    FROM jsonb_populate_recordset(NULL::pgtrickle.pgt_dependencies, nullif(st.previous -> 'dependencies', 'null')) AS d;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._go_back FROM PUBLIC;
