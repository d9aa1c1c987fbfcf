-- Altering, resuming and replacing stream tables, in the caller's transaction with the caller's rights.

-- Where a stream table goes on when it is resumed or changed: PENDING makes the daemon build it (again). For the admin,
-- see _do_resume.
CREATE FUNCTION pgtrickle._resume(id bigint) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    UPDATE pgtrickle.pgt_stream_tables s
       SET status = CASE WHEN s.status IN ('PENDING', 'INITIALIZING', 'ACTIVE') THEN s.status
                         WHEN s.needs_reinit OR s.effective_refresh_mode IS NULL OR pgtrickle._has_new_owner(s.pgt_id)
                              OR NOT EXISTS (SELECT FROM pgtrickle.pgt_frontiers f
                                             WHERE f.pgt_id = s.pgt_id AND f.snapshot IS NOT NULL) THEN 'PENDING'
                         ELSE 'ACTIVE' END,
           consecutive_errors = 0, last_error = NULL, last_error_code = NULL, last_error_hint = NULL,
               last_error_at = NULL,
           failed_alteration = NULL, retry_at = NULL, generation = pgtrickle._next_generation(s.generation)
     WHERE s.pgt_id = id
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._resume FROM PUBLIC;

-- A shortest cycle through stream table `id`: its name, that of what it reads, and so on to its own again; NULL if
-- there is none. reads: as in _cycle_of.
CREATE FUNCTION pgtrickle._cycle_path(id bigint, reads bigint[] DEFAULT NULL) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    reached bigint[] := ARRAY[id];      -- breadth first
    via     int[] := ARRAY[0];          -- where in `reached` it was found
    at      int := 1;
    next    bigint;
    path    bigint[] := ARRAY[id];
BEGIN
    WHILE at <= cardinality(reached) LOOP
        FOR next IN SELECT s.pgt_id FROM pgtrickle.pgt_dependencies d
                    JOIN pgtrickle._stream_tables s ON s.pgt_relid = d.source_relid
                    WHERE d.pgt_id = reached[at] AND (reads IS NULL OR d.pgt_id <> id)
                    UNION SELECT u.pgt_id FROM unnest(reads) AS u(pgt_id) WHERE reached[at] = id
                    ORDER BY 1 LOOP
            IF next = id THEN
                WHILE at > 0 LOOP
                    path := reached[at] || path;
                    at := via[at];
                END LOOP;
                RETURN (SELECT array_agg(pgtrickle._qualified(s.pgt_relid) ORDER BY p.n)
                        FROM unnest(path) WITH ORDINALITY AS p(pgt_id, n)
                        JOIN pgtrickle._stream_tables s USING (pgt_id));
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
GRANT EXECUTE ON FUNCTION pgtrickle._cycle_path TO PUBLIC;

-- Raises 42P17 if stream table `id` is in a cycle of which not every member has allow_circular; `allowed` is its own.
CREATE FUNCTION pgtrickle._check_cycle(id bigint, allowed boolean) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    without text;
    cycle   text[];
BEGIN
    SELECT string_agg(pgtrickle._qualified(s.pgt_relid), ', ' ORDER BY s.pgt_id) INTO without
    FROM unnest(pgtrickle._cycle_of(id)) AS m(pgt_id) JOIN pgtrickle._stream_tables s USING (pgt_id)
    WHERE NOT CASE WHEN s.pgt_id = id THEN allowed ELSE s.allow_circular END;
    IF without IS NOT NULL THEN
        cycle := pgtrickle._cycle_path(id);
        RAISE EXCEPTION 'stream table % would read itself', cycle[1]
            USING ERRCODE = 'invalid_object_definition', DETAIL = array_to_string(cycle, ' -> '),
                  HINT = CASE WHEN cardinality(cycle) = 2
                              THEN format('Break the cycle: take %s out of its query.', cycle[1])
                              ELSE format('Break the cycle: let %s read what %s reads instead of it.',
                                          cycle[1], cycle[2]) END
                         || format(' If all queries of the cycle are monotone (joins, filters, UNION; no aggregates, '
                                   'no EXCEPT or NOT EXISTS), allow it: '
                                   'alter_stream_table(..., allow_circular => true) for %s.', without);
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._check_cycle(bigint,boolean) TO PUBLIC;

-- Do the columns of a query fit an existing table? First come the columns that stay, in the table's order, then new
-- ones.
CREATE FUNCTION pgtrickle._columns_fit(table_oid oid, view_oid oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_cat(coalesce(array_agg(t.attname ORDER BY t.attnum) FILTER (
            WHERE v.attnum IS NOT NULL AND t.attnum IS NOT NULL), '{}'),
                     coalesce(array_agg(v.attname ORDER BY v.attnum) FILTER (WHERE t.attnum IS NULL), '{}'))
           = array_agg(v.attname ORDER BY v.attnum) FILTER (WHERE v.attnum IS NOT NULL)
    FROM (SELECT a.attname, a.attnum FROM pg_attribute a
          WHERE a.attrelid = table_oid AND a.attnum > 0 AND NOT a.attisdropped) AS t
    FULL JOIN (SELECT a.attname, a.attnum FROM pg_attribute a WHERE a.attrelid = view_oid AND a.attnum > 0) AS v
        USING (attname)
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._columns_fit TO PUBLIC;

-- Adds and drops columns of a stream table, so that it has those of its new query, in order. Types are left to the
-- daemon, which aligns them with the content. Returns true if a name or type differed. Errors: 42P16 that is not
-- possible; 2BP01 somebody uses a column that would go.
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
                                          string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FILTER (
                                        WHERE a.attrelid = st.pgt_relid),
                                          string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FILTER (
                                        WHERE a.attrelid = view_oid))
                            FROM pg_attribute a WHERE a.attrelid IN (st.pgt_relid, view_oid) AND a.attnum > 0
                              AND NOT a.attisdropped),
                  HINT = 'Columns can be removed, and new ones added after columns that stay. For anything else drop '
                         'the stream table and create it, '
                         'or let create_or_replace_stream_table() do so.';
    END IF;
    SELECT coalesce(array_agg(a.attnum), '{}') INTO gone FROM pg_attribute a
    WHERE a.attrelid = st.pgt_relid AND a.attnum > 0 AND NOT a.attisdropped
       AND NOT EXISTS (SELECT FROM pg_attribute v WHERE v.attrelid = view_oid AND v.attname = a.attname);
    SELECT string_agg(format('stream table %s reads column %I', pgtrickle._qualified(s.pgt_relid), a.attname),
                      E'\n' ORDER BY s.pgt_id, a.attnum) INTO used
    FROM pgtrickle.pgt_dependencies d JOIN pgtrickle._stream_tables s USING (pgt_id)
    JOIN pg_attribute a ON a.attrelid = d.source_relid AND a.attnum = ANY (d.columns) AND a.attnum = ANY (gone)
    WHERE d.source_relid = st.pgt_relid AND d.pgt_id <> st.pgt_id;
    IF used IS NOT NULL THEN
        RAISE EXCEPTION 'cannot drop columns of stream table % because other stream tables read them', qualified
            USING ERRCODE = 'dependent_objects_still_exist', DETAIL = used,
                HINT = 'Keep the columns, or change or drop those stream tables first.';
    END IF;
    SELECT string_agg(x.action, ', ' ORDER BY x.n, x.attnum) INTO actions FROM (
        SELECT 1 AS n, a.attnum, format('DROP COLUMN %I', a.attname) AS action FROM pg_attribute a
        WHERE a.attrelid = st.pgt_relid AND a.attnum = ANY (gone)
        UNION ALL
        SELECT 2, v.attnum, format('ADD COLUMN %I %s%s', v.attname, format_type(v.atttypid, v.atttypmod),
               (SELECT format(' COLLATE %I.%I', n.nspname, l.collname)
                FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace WHERE l.oid = v.attcollation))
        FROM pg_attribute v WHERE v.attrelid = view_oid AND v.attnum > 0
         AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = st.pgt_relid AND a.attname = v.attname
                         AND a.attnum > 0 AND NOT a.attisdropped)) AS x;
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
        PERFORM pgtrickle._fail('2BP01', format('stream table %s: %s', qualified, message), detail,
                                'Keep the column in the query, or drop what depends on it first.');
    END;
    RETURN true;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._align_columns TO PUBLIC;

-- Whose query got other columns: stream tables of all owners that read it are compiled again. A trigger because
-- the API runs with the caller's rights, and nobody may mark what he does not own in any other way.
CREATE FUNCTION pgtrickle._on_columns_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._mark_reinit((SELECT array_agg(d.pgt_id) FROM pgtrickle.pgt_dependencies d
                                    WHERE d.source_relid = NEW.pgt_relid AND d.pgt_id <> NEW.pgt_id),
                                   format('the columns of %s were changed', pgtrickle._qualified(NEW.pgt_relid)));
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._on_columns_changed FROM PUBLIC;
CREATE TRIGGER columns_changed AFTER UPDATE OF original_query ON pgtrickle.pgt_stream_tables FOR EACH ROW
    WHEN (NEW.defining_query IS DISTINCT FROM OLD.defining_query
          AND NEW.reinit_reason = 'the query and its columns were changed')
    EXECUTE FUNCTION pgtrickle._on_columns_changed();

-- Does the work of alter_stream_table. What stays as it was is not written, and wakes nobody.
CREATE FUNCTION pgtrickle._alter_stream_table(name text, query text, schedule text, refresh_mode text, status text,
                                              options pgtrickle._options, caller_path text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    id         bigint := (pgtrickle._find_own(name, caller_path)).pgt_id;
    st         pgtrickle.pgt_stream_tables;
    new        pgtrickle.pgt_stream_tables;
    wanted     text := upper(btrim(status));
    definition record;
    names      jsonb;
    resume     boolean := false;
BEGIN
    PERFORM pgtrickle._request('lock', jsonb_build_object('id', id));
    SELECT * INTO STRICT st FROM pgtrickle._stream_tables s WHERE s.pgt_id = id;
    new := pgtrickle._with_options(st, options, pgtrickle._qualified(st.pgt_relid));
    IF wanted NOT IN ('ACTIVE', 'PAUSED', 'SUSPENDED') THEN
        RAISE EXCEPTION 'stream table %: invalid status %', pgtrickle._qualified(st.pgt_relid), quote_literal(status)
            USING ERRCODE = 'invalid_parameter_value',
                HINT = 'Use ACTIVE to resume it, PAUSED or SUSPENDED to stop refreshing it.';
    END IF;
    IF schedule IS NOT NULL THEN
        new.schedule := pgtrickle._check_schedule(CASE lower(btrim(schedule)) WHEN 'default' THEN 'calculated'
                                                       ELSE schedule END);
    END IF;
    IF refresh_mode IS NOT NULL THEN
        new.refresh_mode := pgtrickle._check_mode(CASE lower(btrim(refresh_mode)) WHEN 'default' THEN 'AUTO'
                                                       ELSE refresh_mode END);
        IF new.refresh_mode <> st.refresh_mode THEN
            new.needs_reinit := true;
            new.reinit_reason := format('refresh mode changed from %s to %s', st.refresh_mode, new.refresh_mode);
            resume := st.status = 'ERROR';      -- what was impossible in the old mode may be possible now
        END IF;
    END IF;
    IF query IS NOT NULL THEN
        SELECT * INTO definition FROM pgtrickle._define(pgtrickle._qualified(st.pgt_relid), query, caller_path);
        names := pgtrickle._names(definition.view_oid, query, caller_path);
        new.failed_alteration := NULL;
        IF definition.canonical <> st.defining_query OR pgtrickle._current_settings() <> st.settings
            OR NOT pgtrickle._same_objects(names, st.names_now) THEN
            -- Keeps what the table has now, before its columns change.
            PERFORM pgtrickle._request('redefine', jsonb_build_object('id', id, 'view', definition.view_oid));
            new.reinit_reason := CASE WHEN pgtrickle._align_columns(st, definition.view_oid)
                                      THEN 'the query and its columns were changed' ELSE 'the query was changed' END;
            new.needs_reinit := true;
            new.original_query := pgtrickle._kept_text(query, definition.canonical);
            new.defining_query := definition.canonical;
            new.names := names;
            new.names_now := names;
            new.settings := pgtrickle._current_settings();
            -- its errors were those of the old query
            resume := st.status IN ('ERROR', 'SUSPENDED') AND st.last_error IS NOT NULL;
        END IF;
        IF new.refresh_mode IN ('DIFFERENTIAL', 'IMMEDIATE') AND new IS DISTINCT FROM st THEN
            PERFORM pgtrickle._require_differential(pgtrickle._qualified(st.pgt_relid), definition.view_oid,
                                                    new.refresh_mode);
        END IF;
        EXECUTE format('DROP VIEW %s', definition.view_oid::regclass);
    ELSIF new.refresh_mode IN ('DIFFERENTIAL', 'IMMEDIATE') AND st.refresh_mode <> new.refresh_mode THEN
        PERFORM pgtrickle._require_differential_as_it_is(st, caller_path, new.refresh_mode);
    END IF;
    IF new.defining_query <> st.defining_query OR new.allow_circular <> st.allow_circular THEN
        PERFORM pgtrickle._check_cycle(id, new.allow_circular);
    END IF;
    IF wanted IN ('PAUSED', 'SUSPENDED') THEN
        new.status := wanted;
    END IF;

    IF new IS DISTINCT FROM st THEN
        PERFORM pgtrickle._request('alter', jsonb_build_object('id', id, 'set',
            (SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(to_jsonb(new)) AS e
             WHERE e.value IS DISTINCT FROM to_jsonb(st) -> e.key)));
    END IF;
    IF wanted = 'ACTIVE' OR wanted IS NULL AND resume THEN
        PERFORM pgtrickle._request('resume', jsonb_build_object('id', id));
    END IF;
    IF new IS DISTINCT FROM st OR wanted = 'ACTIVE' THEN
        PERFORM pgtrickle._wake_for(id);
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._alter_stream_table TO PUBLIC;

CREATE FUNCTION pgtrickle.resume_stream_table(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._alter_stream_table(name, NULL, NULL, NULL, 'ACTIVE', NULL,
                                          pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.resume_stream_table TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.resume_stream_table(text) IS 'The same as alter_stream_table(name, status =>
  ''ACTIVE'').';

-- Does the work of create_or_replace_stream_table.
CREATE FUNCTION pgtrickle._replace_stream_table(name text, query text, schedule text, refresh_mode text,
                                                initialize boolean, options pgtrickle._options, caller_path text)
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
    IF NOT EXISTS (SELECT FROM pgtrickle._stream_tables s WHERE s.pgt_relid = target.existing) THEN
        PERFORM pgtrickle._create_stream_table(name, query, schedule, refresh_mode, initialize, false,
                                               options, caller_path);
        RETURN;
    END IF;
    st := pgtrickle._find_own(target.qualified, caller_path);
    new := pgtrickle._with_options(st, options, target.qualified);
    PERFORM pgtrickle._check_mode(refresh_mode), pgtrickle._check_schedule(coalesce(schedule, 'calculated'));
    SELECT * INTO definition FROM pgtrickle._define(target.qualified, query, caller_path);
    same := definition.canonical = st.defining_query AND st.failed_alteration IS NULL
            AND pgtrickle._same_objects(pgtrickle._names(definition.view_oid, query, caller_path), st.names_now);
    fits := same OR pgtrickle._columns_fit(st.pgt_relid, definition.view_oid);
    EXECUTE format('DROP VIEW %s', definition.view_oid::regclass);
    IF fits THEN
        PERFORM pgtrickle._alter_stream_table(target.qualified, CASE WHEN NOT same THEN query END,
                                              coalesce(schedule, 'calculated'), refresh_mode, NULL,
                                                  options, caller_path);
        RETURN;
    END IF;
    SELECT string_agg('stream table ' || pgtrickle._qualified(s.pgt_relid), E'\n' ORDER BY r.depth,
                      s.pgt_id) INTO readers
    FROM pgtrickle._readers(st.pgt_id) AS r JOIN pgtrickle._stream_tables s USING (pgt_id);
    IF readers IS NOT NULL THEN
        RAISE EXCEPTION 'cannot replace stream table % because other stream tables read it', target.qualified
            USING ERRCODE = 'dependent_objects_still_exist', DETAIL = readers,
                  HINT = 'Its columns would change in a way that needs a new table. Keep the columns that are there '
                         'in their order and add new ones after them, or drop the readers first.';
    END IF;
    SELECT min(m.group_id) INTO group_id FROM pgtrickle.pgt_refresh_group_members m WHERE m.pgt_id = st.pgt_id;
    gated := EXISTS (SELECT FROM pgtrickle.pgt_source_gates g WHERE g.source_relid = st.pgt_relid AND g.gated);
    PERFORM pgtrickle._drop_stream_table(target.qualified, false, caller_path);
    PERFORM pgtrickle._create_stream_table(target.qualified, query, schedule, refresh_mode, initialize, false,
        pgtrickle._kept_options(new), caller_path);
    -- It is the same to its owner: what he has asked for still holds.
    SELECT s.pgt_id INTO id FROM pgtrickle._stream_tables s WHERE s.pgt_relid = to_regclass(target.qualified);
    IF group_id IS NOT NULL THEN
        IF NOT pgtrickle._request('join_refresh_group',
                                  jsonb_build_object('group_id', group_id, 'id', id))::boolean THEN
            RAISE WARNING 'stream table % is not in its refresh group any more', target.qualified
                USING DETAIL = 'The group was created by somebody else and has members of other owners.';
        END IF;
        PERFORM pgtrickle._wake('');
    END IF;
    IF st.status = 'PAUSED' THEN
        PERFORM pgtrickle._request('alter', jsonb_build_object('id', id, 'set', jsonb_build_object('status', 'PAUSED'),
                                                               'bump', false));
    END IF;
    IF gated THEN
        PERFORM pgtrickle._set_gate(target.qualified, true, caller_path);
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._replace_stream_table TO PUBLIC;
