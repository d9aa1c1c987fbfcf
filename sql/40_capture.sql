-- Change capture: statement triggers that write what changed to the log of the source, see docs/ARCHITECTURE.md.
-- All of this is for the daemon (the admin), except where said otherwise.
--
-- Who replaces a capture function locks the log of the source: two transactions that replace the same function at once
-- would fail with "tuple concurrently updated", and one of them can be a user's ALTER TABLE. The lock is one on a table
-- that only the admin may take, so that nobody else can hold it and stop such a command. It is in nobody's way but in
-- that of others who want it, and of TRUNCATE: neither writers nor readers of the log meet it.

-- Waits, or (wait := false) raises 55P03. A log that was dropped needs no lock: its capture function writes nothing.
CREATE FUNCTION pgtrickle._lock_capture(source bigint, wait boolean DEFAULT true) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('LOCK TABLE pgtrickle_changes.log_%s_a IN SHARE UPDATE EXCLUSIVE MODE %s', source,
                   CASE WHEN NOT wait THEN 'NOWAIT' END);
EXCEPTION WHEN undefined_table THEN
    NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._lock_capture FROM PUBLIC;

-- (Re)writes pgtrickle_changes.capture_<source>(): full for a source without problem, otherwise one that writes a
-- marker per statement and touches no column. If it is muted, one that does nothing. The caller holds
-- _lock_capture(source).
--
-- A statement of a writer never fails because of this function. Before it writes rows it tries the same statements on
-- no rows at all, in a block with an EXCEPTION clause: whatever was renamed, dropped or altered below it (also while
-- the event triggers were disabled, or the log itself) shows there, and a marker is written instead. The block writes
-- nothing, so the subtransaction gets no transaction id; it costs 2 us per statement. What is left is what depends on
-- the values: a type that was made wider (int to bigint) while a superuser had disabled the event triggers.
--
-- The daemon sleeps on the advisory lock (_source_locks, source id) of each source that it may sleep on: a writer who
-- cannot share it says that there are rows, writers of a source that the daemon is busy with stay silent. Literals in
-- the function, so that a statement looks nothing up.
CREATE FUNCTION pgtrickle._write_capture_function(source bigint, relid oid, columns int2[], shape text,
                                                  partitions oid[], active "char", problem text,
                                                  muted boolean)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target   text := format('pgtrickle_changes.log_%s_%s', source, active);
    c        record;
    encoded  boolean := false;
    on_insert text;
    on_update text;
    on_delete text;
    try_update text;
    writes   text;
    guard    text := '';
    declared text := '';
    -- No NOTIFY where a transaction may be prepared, see _wake_from_trigger.
    wake     text := format($wake$NOT pg_try_advisory_xact_lock_shared(%s, %s)
                            AND current_setting('max_prepared_transactions') = '0' THEN
        NOTIFY %I, %L;
    END IF;$wake$, pgtrickle._source_locks(), source % pgtrickle._source_lock_keys(), pgtrickle._wake_channel(),
                              pgtrickle._source_written() || source);
    marker   text := format($marker$BEGIN
        INSERT INTO %s (w) VALUES (0);
    EXCEPTION WHEN undefined_table OR undefined_column THEN
        NULL;       -- the log was dropped or altered, which its readers cannot miss
    END;
    IF %s
    RETURN NULL;$marker$, target, wake);
    body     text;
    in_c     boolean := false;
    c_line   text := '';
BEGIN
    IF problem IS NOT NULL THEN
        body := format($body$
BEGIN
    -- Rows are not captured: the source is not what it was when capture was installed.
    %s
END
$body$, marker);
    ELSIF muted THEN
        body := E'\nBEGIN\n    RETURN NULL;   -- nobody reads the log\nEND\n';
    ELSE
        SELECT coalesce(string_agg(', c' || a.attnum, '' ORDER BY a.attnum), '') AS names,
               coalesce(string_agg(format(', n.%I', a.attname), '' ORDER BY a.attnum), '') AS news,
               coalesce(string_agg(format(', o.%I', a.attname), '' ORDER BY a.attnum), '') AS olds,
               string_agg(format('o.%I AS c%s', a.attname, a.attnum), ', ' ORDER BY a.attnum) AS old_images,
               string_agg('u.c' || a.attnum, ', ' ORDER BY a.attnum) AS inner_names,
               string_agg('g.c' || a.attnum, ', ' ORDER BY a.attnum) AS grouped,
               string_agg('u.c' || a.attnum || CASE k.kind WHEN 'image' THEN ', '
                                                    || replace(v.image, '$1', 'u.c' || a.attnum) ELSE '' END,
                          ', ' ORDER BY a.attnum) AS keys,
               count(*) + count(*) FILTER (WHERE k.kind = 'image') < 1600 AND bool_and(k.kind IS NOT NULL)
                   AND pgtrickle._groupable_together(array_agg(DISTINCT b.base) FILTER (
                           WHERE k.kind IS NOT NULL)) AS groupable,
               bool_or(k.kind = 'image' AND v.encoded) AS encoded
          INTO c
          FROM pg_attribute a CROSS JOIN LATERAL pgtrickle._base_type(a.atttypid, a.atttypmod) AS b
          CROSS JOIN LATERAL pgtrickle._value_image(b.base) AS v
          CROSS JOIN LATERAL (SELECT pgtrickle._identity_kind(b.base, a.attcollation) AS kind) AS k
         WHERE a.attrelid = relid AND a.attnum = ANY (columns) AND NOT a.attisdropped;
        on_insert := format('INSERT INTO %s (w%s) SELECT 1%s FROM newt AS n', target, c.names, c.news);
        on_delete := format('INSERT INTO %s (w%s) SELECT -1%s FROM oldt AS o', target, c.names, c.olds);
        IF c.names = '' THEN        -- a query that reads no column (count(*)): an UPDATE changes nothing for it
            on_update := 'RETURN NULL';
            try_update := 'NULL';
        ELSIF c.groupable THEN
            -- Sum the two images: rows of which no captured column changed cancel out and are not written. Weights
            -- larger than one (equal rows in a table without key) become as many rows.
            on_update := format($update$INSERT INTO %1$s (w%2$s)
        SELECT CASE WHEN g.w < 0 THEN -1 ELSE 1 END, %3$s
        FROM (SELECT sum(u.w) AS w, %4$s
              FROM (SELECT -1 AS w, %5$s FROM oldt AS o
                    UNION ALL SELECT 1%6$s FROM newt AS n) AS u
              GROUP BY %7$s HAVING sum(u.w) <> 0) AS g
              CROSS JOIN LATERAL generate_series(1, abs(g.w)) AS copies$update$,
                target, c.names, c.grouped, c.inner_names, c.old_images, c.news, c.keys);
            try_update := on_update || ' WHERE false';
            encoded := c.encoded;
        ELSE
            on_update := format('INSERT INTO %s (w%s)
        SELECT -1%s FROM oldt AS o UNION ALL SELECT 1%s FROM newt AS n', target, c.names, c.olds, c.news);
            try_update := format('INSERT INTO %s (w%s)
        SELECT -1%s FROM oldt AS o WHERE false UNION ALL SELECT 1%s FROM newt AS n WHERE false',
            target, c.names, c.olds, c.news);
        END IF;
        IF NOT pgtrickle._has_event_triggers() THEN
            -- Nobody rewrites this function when the source is altered, so it looks for itself before every statement.
            guard := format($guard$
    IF pgtrickle._source_shape(%1$s, %2$L) IS DISTINCT FROM %3$L
        OR pgtrickle._source_relations(%1$s) IS DISTINCT FROM %4$L THEN
        INSERT INTO %5$s (w) VALUES (0);
        IF %6$s
        RETURN NULL;
    END IF;$guard$, relid, columns, shape, partitions, target, wake);
        END IF;
        IF EXISTS (SELECT FROM pg_class r WHERE r.oid = relid AND r.relkind = 'p') THEN
            -- Rows that a MERGE moves from one partition to another are in no transition table. So if this may be a
            -- MERGE, consumers recompute: no statement on the stack is seen to be an UPDATE, or one is seen to be a
            -- MERGE or hides its text (EXECUTE of a prepared statement, functions in languages other than PL/pgSQL).
            declared := E'\nDECLARE\n    context text;';
            guard := guard || format($guard$
    IF TG_OP = 'UPDATE' THEN
        GET DIAGNOSTICS context = PG_CONTEXT;
        context := concat(current_query(), E'\n', context);
        IF context ~* E'\\mmerge\\M|\\mSQL function\\M|\\mPL/(?!pgSQL)' OR current_query() ~* E'\\mexecute\\M'
            OR context !~* E'\\mupdate\\M' THEN
            INSERT INTO %s (w) VALUES (0);
            IF %s
            RETURN NULL;
        END IF;
    END IF;$guard$, target, wake);
        END IF;
        writes := format($writes$
    IF TG_OP = 'INSERT' THEN
        %s;
    ELSIF TG_OP = 'UPDATE' THEN
        %s;
    ELSIF TG_OP = 'DELETE' THEN
        %s;
    ELSE
        INSERT INTO %s (w) VALUES (0);
    END IF;$writes$, on_insert, on_update, on_delete, target);
        IF (pgtrickle._log_row_bytes(relid, columns)).most > 8160 THEN      -- costs a transaction id per statement
            writes := format($writes$
    BEGIN       -- a row that fits into the source may not fit into its log
    %s
    EXCEPTION WHEN program_limit_exceeded THEN
    %s
    END;$writes$, writes, marker);
        END IF;
        body := format($body$
BEGIN
    BEGIN       -- on no rows: does what is named here still exist, in types that fit?
        IF TG_OP = 'INSERT' THEN
            %s WHERE false;
        ELSIF TG_OP = 'UPDATE' THEN
            %s;
        ELSIF TG_OP = 'DELETE' THEN
            %s WHERE false;
        ELSE
            INSERT INTO %s (w) SELECT 0 WHERE false;
        END IF;
    EXCEPTION WHEN SQLSTATE '42000' OR SQLSTATE '0A000' OR SQLSTATE '54000' OR SQLSTATE 'XX000' THEN
    %s
    END;%s%s
    IF FOUND AND %s
    RETURN NULL;
END
$body$, on_insert, try_update, on_delete, target, marker, guard, writes, wake);
        in_c := pgtrickle._has_event_triggers() AND (pgtrickle._log_row_bytes(relid, columns)).most <= 8160
            AND (SELECT NOT coalesce(bool_or(x.capture_trigger = 'plpgsql'), false) FROM pgtrickle.pgt_control x)
            AND pgtrickle._c_available();
    END IF;
    IF in_c THEN        -- for ext-min/capture.c, which runs the rest only if it has to
        SELECT format(E'-- pgtrickle_capture %s %s %s %s %s %s %s %s %s\n', pgtrickle._capture_line_version(), active,
                      relid, hashtextextended(coalesce(string_agg(a.attname::text, E'\n' ORDER BY a.attnum), '')
                                              COLLATE "C", 0),
                      CASE WHEN (SELECT r.relkind FROM pg_class r WHERE r.oid = relid) = 'p' THEN 1 ELSE 0 END,
                      pgtrickle._source_locks(), source % pgtrickle._source_lock_keys(), pgtrickle._wake_channel(),
                      pgtrickle._source_written() || source)
          INTO c_line
          FROM pg_attribute a WHERE a.attrelid = relid AND a.attnum = ANY (columns) AND NOT a.attisdropped;
    END IF;
    -- Images that contain text are made in client_encoding, which must have the characters, no matter who writes.
    EXECUTE format('CREATE OR REPLACE FUNCTION pgtrickle_changes.capture_%s() RETURNS trigger LANGUAGE %s '
                   'SECURITY DEFINER '
                   'SET search_path = pg_catalog, pg_temp %sAS %L', source,
                   CASE WHEN in_c THEN 'pgtrickle_capture' ELSE 'plpgsql' END,
                   CASE WHEN encoded THEN format('SET client_encoding = %L ', getdatabaseencoding()) ELSE '' END,
                   c_line || '#variable_conflict use_column' || declared || body);
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._write_capture_function FROM PUBLIC;

-- Definition of the log column of a source column. Domains become their base type, because the marker row has NULLs,
-- which a domain may refuse.
CREATE FUNCTION pgtrickle._log_column(relid oid, attribute int2) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN (
        SELECT format('c%s %s%s', a.attnum, format_type(b.base, b.base_typmod),
                      CASE WHEN a.attcollation <> 0 THEN (SELECT format(' COLLATE %I.%I', n.nspname, l.collname)
                                                          FROM pg_collation l
                           JOIN pg_namespace n ON n.oid = l.collnamespace WHERE l.oid = a.attcollation) ELSE '' END)
        FROM pg_attribute a CROSS JOIN LATERAL pgtrickle._base_type(a.atttypid, a.atttypmod) AS b
        WHERE a.attrelid = relid AND a.attnum = attribute);
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._log_column FROM PUBLIC;

-- The view over both tables of a log. New columns go to its end, so that it can be replaced and keeps its grants.
CREATE FUNCTION pgtrickle._write_log_view(source bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    names text;
BEGIN
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO names FROM pg_attribute a
    WHERE a.attrelid = format('pgtrickle_changes.log_%s_a', source)::regclass AND a.attnum > 0 AND NOT a.attisdropped;
    EXECUTE format('CREATE OR REPLACE VIEW pgtrickle_changes.log_%1$s AS SELECT %2$s FROM pgtrickle_changes.log_%1$s_a '
                   'UNION ALL SELECT %2$s FROM pgtrickle_changes.log_%1$s_b', source, names);
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._write_log_view FROM PUBLIC;

-- Is this table captured, with all of these columns, and is the capture in order? Then _install_capture() has nothing
-- to do.
CREATE FUNCTION pgtrickle._is_captured(relid oid, columns int2[]) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN EXISTS (SELECT FROM pgtrickle.pgt_sources s
                   WHERE s.relid = $1 AND s.problem IS NULL AND NOT s.muted AND s.columns @> $2
                     AND pgtrickle._source_problem(s.source_id) IS NULL);
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._is_captured FROM PUBLIC;

-- _install_capture(relid, columns, building) -> source id.
-- Captures at least these columns (attribute numbers; may be empty for a query that only counts rows) of a table, with
-- all its partitions or inheritance children. Does nothing, and takes no lock, if that is already the case. Otherwise
-- takes SHARE ROW EXCLUSIVE on the table: set lock_timeout (milliseconds) first and retry on 55P03. Adding columns to
-- an existing log keeps it. If the source is not what it was (shape, partitions, triggers), it gets a new log and a new
-- source id, and all stream tables that used the old one are marked for re-initialisation, but for the one that is
-- being built. Errors: 42P01 no such table, 0A000 cannot be captured (with the reason), 42703 no such column, 54011 too
-- many columns, 42501 the admin may not create triggers on it.
CREATE FUNCTION pgtrickle._install_capture(relid oid, columns int2[], building bigint DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s         pgtrickle.pgt_sources;
    name      text := pgtrickle._qualified(relid);
    why       text;
    wanted    int2[];
    missing   int2[];
    consumers bigint[];
    source    bigint;
    rel       oid;
    event     record;
    locked    boolean := false;
    bad       text;
    owner     name;
BEGIN
    SELECT coalesce(array_agg(DISTINCT u.c ORDER BY u.c), '{}') INTO wanted FROM unnest(columns) AS u(c);
    LOOP        -- at most twice: look without a lock first, once more with it
        IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = relid) THEN
            RAISE EXCEPTION 'cannot capture changes of %: it does not exist', name USING ERRCODE = 'undefined_table';
        END IF;
        why := pgtrickle._not_capturable(relid);
        IF why IS NOT NULL THEN
            RAISE EXCEPTION 'cannot capture changes of %: %', name, why
                USING ERRCODE = 'feature_not_supported',
                    HINT = 'A stream table that reads it can be recomputed on schedule: refresh_mode => ''FULL''.';
        END IF;
        SELECT string_agg(u.c::text, ', ') INTO bad FROM unnest(wanted) AS u(c)
        WHERE u.c IS NULL OR NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = relid AND a.attnum = u.c
                                         AND u.c > 0 AND NOT a.attisdropped);
        IF bad IS NOT NULL OR array_position(wanted, NULL) IS NOT NULL THEN
            RAISE EXCEPTION 'cannot capture changes of %: it has no column with number %', name, coalesce(bad, 'NULL')
                USING ERRCODE = 'undefined_column';
        END IF;
        SELECT a.attname INTO bad FROM pg_attribute a
        WHERE a.attrelid = relid AND a.attnum = ANY (wanted) AND a.attgenerated = 'v' LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'cannot capture changes of %: column "%" is generated when read (VIRTUAL), triggers do '
                            'not see it', name, bad
                USING ERRCODE = 'feature_not_supported';
        END IF;
        SELECT * INTO s FROM pgtrickle.pgt_sources x WHERE x.relid = _install_capture.relid;
        IF FOUND AND s.problem IS NULL AND pgtrickle._source_problem(s.source_id) IS NULL THEN
            SELECT coalesce(array_agg(u.c ORDER BY u.c), '{}') INTO missing FROM unnest(wanted) AS u(c)
            WHERE NOT u.c = ANY (s.columns);
            IF missing = '{}' AND NOT s.muted THEN
                RETURN s.source_id;
            END IF;
        ELSIF FOUND THEN
            missing := NULL;
        END IF;
        EXIT WHEN locked;
        BEGIN
            EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', name);
        EXCEPTION WHEN insufficient_privilege THEN
            owner := (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = relid);
            RAISE EXCEPTION 'role "%" may not create triggers on %', current_user, name
                USING ERRCODE = 'insufficient_privilege',
                      HINT = format('Capture needs the rights of the table''s owner: GRANT %I TO %I.', owner,
                                    current_user);
        END;
        locked := true;
    END LOOP;

    why := pgtrickle._too_wide(relid, wanted);
    IF why IS NOT NULL THEN
        RAISE EXCEPTION 'cannot capture changes of %: %', name, why
            USING ERRCODE = 'feature_not_supported',
                HINT = 'A stream table that reads it can be recomputed on schedule: refresh_mode => ''FULL''.';
    END IF;
    IF cardinality(wanted) > 1590 THEN
        RAISE EXCEPTION 'cannot capture changes of %: % columns are used, at most 1590 are possible', name,
            cardinality(wanted)
            USING ERRCODE = 'too_many_columns';
    END IF;

    IF s.source_id IS NOT NULL AND missing IS NOT NULL AND cardinality(s.columns || missing) <= 1590 THEN
        -- Old rows have NULL in the new columns. Nobody reads them there: who wants these columns has no frontier yet,
        -- and what he starts from includes every row that is in the log now, because no writer is active under our
        -- lock.
        PERFORM pgtrickle._lock_capture(s.source_id);
        SELECT * INTO s FROM pgtrickle.pgt_sources x WHERE x.source_id = s.source_id FOR UPDATE;
        -- The view first, as its readers do, and with it both tables.
        EXECUTE format('LOCK TABLE pgtrickle_changes.log_%s IN ACCESS EXCLUSIVE MODE', s.source_id);
        IF missing <> '{}' THEN
            EXECUTE format('ALTER TABLE pgtrickle_changes.log_%s_a %s', s.source_id,
                           (SELECT string_agg('ADD COLUMN ' || pgtrickle._log_column(relid, u.c), ', ' ORDER BY u.c)
                            FROM unnest(missing) AS u(c)));
            EXECUTE format('ALTER TABLE pgtrickle_changes.log_%s_b %s', s.source_id,
                           (SELECT string_agg('ADD COLUMN ' || pgtrickle._log_column(relid, u.c), ', ' ORDER BY u.c)
                            FROM unnest(missing) AS u(c)));
            PERFORM pgtrickle._write_log_view(s.source_id);
        END IF;
        UPDATE pgtrickle.pgt_sources x
           SET columns = (SELECT coalesce(array_agg(u.c ORDER BY u.c), '{}') FROM unnest(s.columns || missing) AS u(c)),
               shape = pgtrickle._source_shape(s.relid, s.columns || missing), muted = false
         WHERE x.source_id = s.source_id RETURNING x.* INTO s;
        PERFORM pgtrickle._write_capture_function(s.source_id, s.relid, s.columns, s.shape, s.partitions,
                                                  s.active_log, NULL, false);
        RETURN s.source_id;
    END IF;

    IF s.source_id IS NOT NULL THEN
        SELECT array_agg(d.pgt_id) INTO consumers FROM pgtrickle.pgt_dependencies d WHERE d.source_id = s.source_id;
        why := coalesce(s.problem, pgtrickle._source_problem(s.source_id),
                        format('the change log of %s was recreated', name));
        PERFORM pgtrickle._uninstall_capture(s.source_id);
        PERFORM pgtrickle._mark_reinit(array_remove(consumers, building), why);
    END IF;

    LOOP        -- a restore without our data leaves logs of numbers that are free again
        source := nextval(pg_get_serial_sequence('pgtrickle.pgt_sources', 'source_id'));
        EXIT WHEN NOT EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = 'pgtrickle_changes'::regnamespace
                              AND c.relname IN (format('log_%s', source), format('log_%s_a', source),
                                                format('log_%s_b', source)))
              AND NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'pgtrickle_changes'::regnamespace
                              AND p.proname = format('capture_%s', source));
    END LOOP;
    s := ROW(source, relid, (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                             WHERE c.oid = relid),
             (SELECT c.relname FROM pg_class c WHERE c.oid = relid), 'a', wanted,
                 pgtrickle._source_shape(relid, wanted),
             pgtrickle._source_relations(relid), NULL, false, now(), NULL)::pgtrickle.pgt_sources;
    EXECUTE format('CREATE TABLE pgtrickle_changes.log_%s_a (xid xid8 NOT NULL DEFAULT pg_current_xact_id(), '
                   'seq bigint NOT NULL DEFAULT nextval(''pgtrickle_changes.log_seq''), w smallint NOT NULL%s) '
                   'WITH (autovacuum_enabled = false, toast.autovacuum_enabled = false)', source,
                   (SELECT string_agg(', ' || pgtrickle._log_column(relid, u.c), '' ORDER BY u.c)
                    FROM unnest(wanted) AS u(c)));
    EXECUTE format('CREATE TABLE pgtrickle_changes.log_%1$s_b (LIKE pgtrickle_changes.log_%1$s_a INCLUDING DEFAULTS) '
                   'WITH (autovacuum_enabled = false, toast.autovacuum_enabled = false)', source);
    PERFORM pgtrickle._write_log_view(source);
    FOR rel IN SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'pgtrickle_changes'::regnamespace
               AND c.relname IN (format('log_%s', source), format('log_%s_a', source), format('log_%s_b', source)) LOOP
        PERFORM pgtrickle._keep_private(rel);
    END LOOP;
    -- Rows are deleted from logs where cycles end (_net_log), which a publication of all tables must not stop. For what
    -- else happens to them, INSERT and TRUNCATE, it changes nothing.
    EXECUTE format('ALTER TABLE pgtrickle_changes.log_%s_a REPLICA IDENTITY FULL', source);
    EXECUTE format('ALTER TABLE pgtrickle_changes.log_%s_b REPLICA IDENTITY FULL', source);
    PERFORM pgtrickle._write_capture_function(source, relid, s.columns, s.shape, s.partitions, s.active_log, NULL,
                                              false);
    PERFORM pgtrickle._keep_function_private(format('pgtrickle_changes.capture_%s()', source)::regprocedure);
    BEGIN
        FOREACH rel IN ARRAY s.partitions LOOP
            FOR event IN SELECT * FROM (VALUES ('i', 'INSERT', 'REFERENCING NEW TABLE AS newt'),
                                               ('u', 'UPDATE', 'REFERENCING OLD TABLE AS oldt NEW TABLE AS newt'),
                                               ('d', 'DELETE', 'REFERENCING OLD TABLE AS oldt'),
                                               ('t', 'TRUNCATE', '')) AS e(suffix, op, tables) LOOP
                EXECUTE format('CREATE TRIGGER pgtrickle_%s_%s AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION '
                               'pgtrickle_changes.capture_%s()',
                               source, event.suffix, event.op, pgtrickle._qualified(rel), event.tables, source);
            END LOOP;
            -- also for writes under session_replication_role = replica
            EXECUTE format('ALTER TABLE ONLY %1$s ENABLE ALWAYS TRIGGER pgtrickle_%2$s_i, ENABLE ALWAYS TRIGGER '
                           'pgtrickle_%2$s_u, '
                           'ENABLE ALWAYS TRIGGER pgtrickle_%2$s_d, ENABLE ALWAYS TRIGGER pgtrickle_%2$s_t',
                               pgtrickle._qualified(rel), source);
        END LOOP;
    EXCEPTION WHEN insufficient_privilege THEN
        owner := (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = rel);
        RAISE EXCEPTION 'role "%" may not create triggers on %', current_user, pgtrickle._qualified(rel)
            USING ERRCODE = 'insufficient_privilege', DETAIL = SQLERRM,
                  HINT = format('Capture needs the rights of the table''s owner: GRANT %I TO %I.', owner, current_user);
    END;
    -- Last: the event triggers ignore what is not registered, such as the commands above.
    INSERT INTO pgtrickle.pgt_sources (source_id, relid, source_schema, source_name, columns, shape, partitions)
    OVERRIDING SYSTEM VALUE VALUES (source, relid, s.source_schema, s.source_name, s.columns, s.shape, s.partitions);
    PERFORM pgtrickle._settle_log_rights(ARRAY[source]);     -- default privileges may have opened it
    RETURN source;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._install_capture FROM PUBLIC;

-- Removes triggers, log and function of a source. Its consumers keep their rows but lose the reference to it.
-- Takes ACCESS EXCLUSIVE on the source (DROP TRIGGER does): set lock_timeout first. Does nothing if it is gone.
CREATE FUNCTION pgtrickle._uninstall_capture(source bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t record;
BEGIN
    -- The source before the lock of its capture: the order in which an ALTER TABLE with its event trigger takes them.
    FOR t IN SELECT DISTINCT n.nspname, c.relname, c.oid FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE g.tgfoid = to_regproc(format('pgtrickle_changes.capture_%s', source)) ORDER BY c.oid LOOP
        BEGIN
            EXECUTE format('LOCK TABLE ONLY %I.%I IN ACCESS EXCLUSIVE MODE', t.nspname, t.relname);
        EXCEPTION WHEN undefined_table OR invalid_schema_name THEN
            NULL;       -- dropped or renamed meanwhile: DROP TRIGGER below looks again
        END;
    END LOOP;
    PERFORM pgtrickle._lock_capture(source);
    -- First the row, so that the event triggers do not see a source whose triggers are dropped.
    DELETE FROM pgtrickle.pgt_sources s WHERE s.source_id = source;
    FOR t IN SELECT g.tgname, n.nspname, c.relname FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE g.tgfoid = to_regproc(format('pgtrickle_changes.capture_%s', source)) ORDER BY c.oid LOOP
        EXECUTE format('DROP TRIGGER IF EXISTS %I ON %I.%I', t.tgname, t.nspname, t.relname);
    END LOOP;
    -- CASCADE: with triggers of a table that was renamed while we looked
    EXECUTE format('DROP FUNCTION IF EXISTS pgtrickle_changes.capture_%s() CASCADE', source);
    -- CASCADE: somebody may have made a view on a log
    EXECUTE format('DROP VIEW IF EXISTS pgtrickle_changes.log_%s CASCADE', source);
    EXECUTE format('DROP TABLE IF EXISTS pgtrickle_changes.log_%1$s_a, pgtrickle_changes.log_%1$s_b CASCADE', source);
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._uninstall_capture FROM PUBLIC;

-- Stops the capture of rows: from now on every statement on the source only writes a marker. Marks all consumers for
-- re-initialisation, with the reason. For changes of a source that its capture function would not survive.
--
-- What cannot be done is left out, step by step: the old function survives too, by writing markers. So does a marker in
-- the log for the notes in the catalog, which fail where a REPEATABLE READ transaction does not see the present rows.
CREATE FUNCTION pgtrickle._neutralize_capture(source bigint, why text DEFAULT 'capture was switched off') RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s pgtrickle.pgt_sources;
BEGIN
    SELECT * INTO s FROM pgtrickle.pgt_sources x WHERE x.source_id = source;
    IF NOT FOUND OR s.problem IS NOT NULL THEN
        RETURN;
    END IF;
    BEGIN
        PERFORM pgtrickle._lock_capture(source);
        SELECT * INTO s FROM pgtrickle.pgt_sources x WHERE x.source_id = source;
        IF NOT FOUND OR s.problem IS NOT NULL THEN
            RETURN;
        END IF;
        PERFORM pgtrickle._write_capture_function(source, s.relid, s.columns, s.shape, s.partitions, s.active_log, why,
                                                  s.muted);
    EXCEPTION WHEN lock_not_available OR deadlock_detected OR serialization_failure OR internal_error THEN
        NULL;
    END;
    BEGIN
        EXECUTE format('INSERT INTO pgtrickle_changes.log_%s_%s (w) VALUES (0)', source, s.active_log);
    EXCEPTION WHEN undefined_table THEN
        NULL;       -- who reads it cannot miss that
    END;
    BEGIN
        UPDATE pgtrickle.pgt_sources x SET problem = why WHERE x.source_id = source;
    EXCEPTION WHEN serialization_failure OR lock_not_available OR deadlock_detected THEN
        NULL;
    END;
    BEGIN
        PERFORM pgtrickle._mark_reinit((SELECT array_agg(d.pgt_id) FROM pgtrickle.pgt_dependencies d
                                        WHERE d.source_id = source OR d.source_relid = s.relid), why);
    EXCEPTION WHEN OTHERS THEN
        PERFORM pgtrickle._wake_from_trigger();
    END;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._neutralize_capture FROM PUBLIC;
