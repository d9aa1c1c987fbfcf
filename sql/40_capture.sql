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

-- What capture of these columns depends on, as text: attribute number, name, type, modifier, collation and a hash of
-- the generation expression (SET EXPRESSION of PostgreSQL 17 changes rows without any DML) of each live column.
CREATE FUNCTION pgtrickle._source_shape(relid oid, columns int2[]) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN (
        SELECT coalesce(jsonb_agg(jsonb_build_array(a.attnum, a.attname, a.atttypid::bigint, a.atttypmod,
                                                    a.attcollation::bigint,
                   CASE WHEN a.attgenerated <> '' THEN (SELECT hashtextextended(e.adbin::text, 0) FROM pg_attrdef e
                                                        WHERE e.adrelid = a.attrelid AND e.adnum = a.attnum) END)
                   ORDER BY a.attnum), '[]')::text
        FROM pg_attribute a WHERE a.attrelid = relid AND a.attnum = ANY (columns) AND a.attnum > 0
          AND NOT a.attisdropped);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._source_shape TO PUBLIC;

-- The table and everything below it (partitions, inheritance children), ascending. Partitions that are being detached
-- concurrently do not count any more.
CREATE FUNCTION pgtrickle._source_relations(relid oid) RETURNS oid[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        WITH RECURSIVE tree(oid) AS (
            SELECT relid
            UNION
            SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid AND NOT i.inhdetachpending)
        SELECT array_agg(t.oid ORDER BY t.oid) FROM tree t);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._source_relations TO PUBLIC;

-- Are the event triggers that watch ALTER and DROP here and enabled? Otherwise capture functions check for themselves.
CREATE FUNCTION pgtrickle._has_event_triggers() RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT count(*) = 3 FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid
        WHERE p.pronamespace = 'pgtrickle'::regnamespace
          AND e.evtname IN ('pgtrickle_ddl', 'pgtrickle_drop', 'pgtrickle_rewrite') AND e.evtenabled = 'A');
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._has_event_triggers TO PUBLIC;

-- Why a relation cannot be captured at all, NULL if it can.
CREATE FUNCTION pgtrickle._not_capturable(relid oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN (
        SELECT CASE
            WHEN c.relkind = 'f' THEN 'it is a foreign table: its changes happen elsewhere'
            WHEN c.relkind = 'm' THEN 'it is a materialized view: REFRESH fires no triggers'
            WHEN c.relkind = 'v' THEN 'it is a view'
            WHEN c.relkind NOT IN ('r', 'p') THEN 'it is not a table'
            WHEN n.nspname IN ('pg_catalog', 'pg_toast', 'information_schema') THEN 'it is a system table'
            WHEN n.nspname IN ('pgtrickle', 'pgtrickle_changes', 'pgtrickle_state') THEN
                'it belongs to pgtrickle itself'
            WHEN c.relpersistence = 't' THEN 'it is a temporary table'
            WHEN c.relpersistence = 'u' THEN 'it is an unlogged table: a crash empties it without firing triggers'
            -- Statements on the parent change its rows without firing its statement triggers.
            WHEN EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid) THEN
                format('it is a partition or child of %s: changes made through that table do not fire its triggers',
                       (SELECT pgtrickle._qualified(i.inhparent) FROM pg_inherits i WHERE i.inhrelid = c.oid
                        ORDER BY i.inhseqno LIMIT 1))
            ELSE coalesce(
                (SELECT format('its partition or child %s is %s', pgtrickle._qualified(p.oid),
                               CASE WHEN p.relkind = 'f' THEN 'a foreign table' ELSE 'not a permanent table' END)
                 FROM pg_class p WHERE p.oid = ANY (pgtrickle._source_relations(c.oid))
                   AND (p.relkind NOT IN ('r', 'p') OR p.relpersistence <> 'p')
                 LIMIT 1),
                'it is filled by logical subscription '
                    || quote_ident(pgtrickle._subscription_of(pgtrickle._source_relations(c.oid)))
                || ': replication fires no statement triggers')
            END
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relid);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._not_capturable TO PUBLIC;

-- What is wrong with the capture of a source, as a reason for people; NULL if all is well. It compares the recorded
-- shape, partitions and triggers with the live ones. The daemon may poll it where there are no event triggers.
CREATE FUNCTION pgtrickle._source_problem(source bigint) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s      pgtrickle.pgt_sources;
    name   text;
    why    text;
    parts  oid[];
    column_was record;
    live   record;
BEGIN
    SELECT * INTO s FROM pgtrickle.pgt_sources x WHERE x.source_id = source;
    IF NOT FOUND THEN
        RETURN format('source %s is not captured', source);
    END IF;
    name := format('%I.%I', s.source_schema, s.source_name);
    IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = s.relid) THEN
        RETURN format('table %s was dropped', name);
    END IF;
    name := pgtrickle._qualified(s.relid);
    IF s.shape <> pgtrickle._source_shape(s.relid, s.columns) THEN
        FOR column_was IN SELECT (e.v ->> 0)::int AS attnum, e.v ->> 1 AS attname, (e.v ->> 2)::bigint AS typid,
            (e.v ->> 3)::int AS typmod
                          FROM jsonb_array_elements(s.shape::jsonb) AS e(v) LOOP
            SELECT a.attname, a.attisdropped, a.atttypid::bigint AS typid, a.atttypmod AS typmod INTO live
            FROM pg_attribute a WHERE a.attrelid = s.relid AND a.attnum = column_was.attnum;
            IF live.attisdropped IS NOT FALSE THEN
                RETURN format('column %I of table %s was dropped', column_was.attname, name);
            ELSIF live.attname <> column_was.attname THEN
                RETURN format('column %I of table %s was renamed to %I', column_was.attname, name, live.attname);
            ELSIF live.typid <> column_was.typid OR live.typmod <> column_was.typmod THEN
                RETURN format('the type of column %I of table %s changed', column_was.attname, name);
            END IF;
        END LOOP;
        RETURN format('the collation or the generation expression of a column of table %s changed', name);
    END IF;
    why := pgtrickle._not_capturable(s.relid);
    IF why IS NOT NULL THEN
        RETURN format('table %s cannot be captured any more: %s', name, why);
    END IF;
    parts := pgtrickle._source_relations(s.relid);
    IF parts <> s.partitions THEN
        RETURN CASE WHEN parts @> s.partitions THEN format('a partition or child was attached to table %s', name)
                    WHEN s.partitions @> parts THEN format('a partition or child was detached from table %s', name)
                    ELSE format('the partitions or children of table %s changed', name) END;
    END IF;
    IF (SELECT count(*) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
        WHERE t.tgrelid = ANY (parts) AND t.tgenabled = 'A' AND p.pronamespace = 'pgtrickle_changes'::regnamespace
          AND p.proname = 'capture_' || source) <> 4 * cardinality(parts) THEN
        RETURN format('a capture trigger of table %s was dropped or disabled', name);
    END IF;
    IF (SELECT count(*) FROM pg_class c WHERE c.relnamespace = 'pgtrickle_changes'::regnamespace
        AND c.relname = ANY (ARRAY['log_' || source, 'log_' || source || '_a', 'log_' || source || '_b'])) <> 3 THEN
        RETURN format('the change log of table %s was dropped', name);
    END IF;
    RETURN NULL;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._source_problem TO PUBLIC;

-- How two values of a type can be told apart by GROUP BY, byte for byte: 'equal' if equal values are always identical,
-- 'image' if _value_image() must be compared as well (numeric 1.0 and 1.00 are equal but not the same; the same holds
-- for float zeros, intervals, citext, nondeterministic collations and everything made of these), NULL if not at all.
CREATE FUNCTION pgtrickle._identity_kind(type oid, collation_id oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$    -- not sql: this is planned once per session
BEGIN
    RETURN (SELECT CASE
        WHEN t.typtype = 'e' THEN 'equal'
        WHEN EXISTS (   -- B-tree support function 4 says whether equality is identity
            SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod AND m.amname = 'btree'
            JOIN pg_amproc p ON p.amprocfamily = o.opcfamily AND p.amprocnum = 4 AND p.amproclefttype = o.opcintype
              AND p.amprocrighttype = o.opcintype
            WHERE o.opcdefault
              AND (o.opcintype = t.oid OR EXISTS (SELECT FROM pg_cast c
                                                  WHERE c.castsource = t.oid AND c.casttarget = o.opcintype
                                                    AND c.castmethod = 'b' AND c.castcontext = 'i')
                                          AND NOT EXISTS (SELECT FROM pg_opclass q WHERE q.opcmethod = o.opcmethod
                                                          AND q.opcdefault AND q.opcintype = t.oid))
              AND (p.amproc = 'btequalimage'::regproc
                   OR p.amproc = 'btvarstrequalimage'::regproc
                   AND (SELECT l.collisdeterministic FROM pg_collation l WHERE l.oid = collation_id))) THEN 'equal'
        WHEN pgtrickle._is_groupable(t.oid) THEN 'image'
        END
    FROM pg_type t WHERE t.oid = type);
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._identity_kind FROM PUBLIC;

-- Bytes of a row of the log of these columns, none of them NULL, that does not fit if it is larger than 8160: fixed is
-- what columns of fixed width alone take, most adds what the others take at most once they are compressed and moved out
-- of line.
CREATE FUNCTION pgtrickle._log_row_bytes(relid oid, columns int2[], OUT fixed int, OUT most int)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    -- Header with its bitmap of NULLs, xid, seq, w. A value of up to 24 bytes is never moved out, and needs no
    -- alignment.
    SELECT (23 + (count(*) + 3 + 7) / 8 + 7) / 8 * 8 + 18 + coalesce(sum(x.bytes + x.padding) FILTER (
            WHERE x.is_fixed), 0),
           (23 + (count(*) + 3 + 7) / 8 + 7) / 8 * 8 + 18 + coalesce(sum(x.bytes + x.padding), 0)
      INTO fixed, most
    FROM (SELECT a.attlen > 0 AS is_fixed, CASE WHEN a.attlen > 0 THEN a.attlen ELSE 24 END AS bytes,
                 greatest(y.alignment - lag(y.alignment, 1, 2) OVER (ORDER BY a.attnum), 0) AS padding
          FROM pg_attribute a
          CROSS JOIN LATERAL (SELECT CASE WHEN a.attlen < 0 THEN 1 WHEN a.attalign = 'd' THEN 8
                                          WHEN a.attalign = 'i' THEN 4
                                                              WHEN a.attalign = 's' THEN 2 ELSE 1 END AS alignment) AS y
          WHERE a.attrelid = relid AND a.attnum = ANY (columns) AND NOT a.attisdropped) AS x;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._log_row_bytes FROM PUBLIC;

-- Why these columns cannot be captured, together with the ones that are captured already; NULL if they can.
CREATE FUNCTION pgtrickle._too_wide(relid oid, columns int2[]) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN (
        SELECT format('a row of %s columns with %s bytes does not fit into its change log', cardinality(u.columns),
                      (pgtrickle._log_row_bytes(relid, u.columns)).fixed)
        FROM (SELECT ARRAY(SELECT unnest(columns) UNION SELECT unnest(s.columns) FROM pgtrickle.pgt_sources s
                           WHERE s.relid = _too_wide.relid) AS columns) AS u
        WHERE (pgtrickle._log_row_bytes(relid, u.columns)).fixed > 8160);
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._too_wide FROM PUBLIC;

-- (Re)writes pgtrickle_changes.capture_<source>(): full for a source without problem, otherwise one that writes a
-- marker per statement and touches no column. The caller holds _lock_capture(source).
--
-- A statement of a writer never fails because of this function. Before it writes rows it tries the same statements on
-- no rows at all, in a block with an EXCEPTION clause: whatever was renamed, dropped or altered below it (also while
-- the event triggers were disabled, or the log itself) shows there, and a marker is written instead. The block writes
-- nothing, so the subtransaction gets no transaction id; it costs 2 us per statement. What is left is what depends on
-- the values: a type that was made wider (int to bigint) while a superuser had disabled the event triggers.
--
-- The daemon sleeps on the advisory lock (1885828213, source id) of each source that it may sleep on: a writer who
-- cannot share it says that there are rows, writers of a source that the daemon is busy with stay silent. Literals in
-- the function, so that a statement looks nothing up.
CREATE FUNCTION pgtrickle._write_capture_function(source bigint, relid oid, columns int2[], shape text,
                                                  partitions oid[], active "char", problem text)
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
    wake     text := format($wake$NOT pg_try_advisory_xact_lock_shared(1885828213, %s)
                            AND current_setting('max_prepared_transactions') = '0' THEN
        NOTIFY pgtrickle_wake, 's:%s';
    END IF;$wake$, source % 2147483647, source);
    marker   text := format($marker$BEGIN
        INSERT INTO %s (w) VALUES (0);
    EXCEPTION WHEN undefined_table OR undefined_column THEN
        NULL;       -- the log was dropped or altered, which its readers cannot miss
    END;
    IF %s
    RETURN NULL;$marker$, target, wake);
    body     text;
BEGIN
    IF problem IS NOT NULL THEN
        body := format($body$
BEGIN
    -- Rows are not captured: the source is not what it was when capture was installed.
    %s
END
$body$, marker);
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
    END IF;
    -- Images that contain text are made in client_encoding, which must have the characters, no matter who writes.
    EXECUTE format('CREATE OR REPLACE FUNCTION pgtrickle_changes.capture_%s() RETURNS trigger LANGUAGE plpgsql '
                   'SECURITY DEFINER '
                   'SET search_path = pg_catalog, pg_temp %sAS %L', source,
                   CASE WHEN encoded THEN format('SET client_encoding = %L ', getdatabaseencoding()) ELSE '' END,
                   '#variable_conflict use_column' || declared || body);
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
                   WHERE s.relid = $1 AND s.problem IS NULL AND s.columns @> $2
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
            IF missing = '{}' THEN
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
        EXECUTE format('ALTER TABLE pgtrickle_changes.log_%s_a %s', s.source_id,
                       (SELECT string_agg('ADD COLUMN ' || pgtrickle._log_column(relid, u.c), ', ' ORDER BY u.c)
                        FROM unnest(missing) AS u(c)));
        EXECUTE format('ALTER TABLE pgtrickle_changes.log_%s_b %s', s.source_id,
                       (SELECT string_agg('ADD COLUMN ' || pgtrickle._log_column(relid, u.c), ', ' ORDER BY u.c)
                        FROM unnest(missing) AS u(c)));
        PERFORM pgtrickle._write_log_view(s.source_id);
        UPDATE pgtrickle.pgt_sources x
           SET columns = (SELECT array_agg(u.c ORDER BY u.c) FROM unnest(s.columns || missing) AS u(c)),
               shape = pgtrickle._source_shape(s.relid, s.columns || missing)
         WHERE x.source_id = s.source_id RETURNING x.* INTO s;
        PERFORM pgtrickle._write_capture_function(s.source_id, s.relid, s.columns, s.shape, s.partitions,
                                                  s.active_log, NULL);
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
             pgtrickle._source_relations(relid), NULL, now(), NULL)::pgtrickle.pgt_sources;
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
    PERFORM pgtrickle._write_capture_function(source, relid, s.columns, s.shape, s.partitions, s.active_log, NULL);
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
        PERFORM pgtrickle._write_capture_function(source, s.relid, s.columns, s.shape, s.partitions, s.active_log, why);
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

-- One row per transaction that has rows in a table of a log; pending is asked per transaction, with its last row.
-- Number of rows of the log of `source` that stream table `id` has not consumed; NULL if it is not initialised.
CREATE FUNCTION pgtrickle._pending(id bigint, source bigint) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    f pgtrickle.pgt_frontiers;
    n bigint;
BEGIN
    SELECT * INTO f FROM pgtrickle.pgt_frontiers x WHERE x.pgt_id = id;
    IF f.snapshot IS NULL OR NOT EXISTS (SELECT FROM pgtrickle.pgt_sources s WHERE s.source_id = source) THEN
        RETURN NULL;
    END IF;
    EXECUTE format('SELECT count(*) FROM pgtrickle_changes.log_%s AS l WHERE l.xid >= pg_snapshot_xmin($1) '
                   'AND CASE WHEN l.xid = $2 THEN l.seq > $3 ELSE NOT pg_visible_in_snapshot(l.xid, $1) END',
                       source) INTO n USING f.snapshot, f.xid, f.seq;
    RETURN n;
EXCEPTION WHEN undefined_table THEN     -- the log was recreated while we looked
    RETURN NULL;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._pending TO PUBLIC;

-- Number of log rows, over all sources, that a stream table has not consumed; NULL if it is not initialised.
CREATE FUNCTION pgtrickle._pending_rows(id bigint) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN (SELECT f.snapshot IS NOT NULL FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = id)
           THEN (SELECT coalesce(sum(pgtrickle._pending(id, d.source_id)), 0)::bigint
                 FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = id AND d.source_id IS NOT NULL) END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._pending_rows TO PUBLIC;

-- Have all consumers of a log consumed every row of its table a or b?
CREATE FUNCTION pgtrickle._all_consumed(source bigint, which "char") RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    answer boolean;
BEGIN
    -- Per transaction only its last row matters. A consumer that is just being initialised has taken its snapshot but
    -- not committed its frontier: it may still need every row.
    EXECUTE format($q$
        SELECT NOT EXISTS (
            SELECT FROM (SELECT l.xid, max(l.seq) AS seq FROM pgtrickle_changes.log_%s_%s AS l GROUP BY l.xid) AS l
            CROSS JOIN (SELECT f.snapshot, f.xid, f.seq FROM pgtrickle.pgt_dependencies d
                        JOIN pgtrickle.pgt_frontiers f USING (pgt_id) JOIN pgtrickle.pgt_stream_tables t USING (pgt_id)
                        WHERE d.source_id = $1 AND (f.snapshot IS NOT NULL OR t.status = 'INITIALIZING')) AS f
            WHERE f.snapshot IS NULL
               OR l.xid >= pg_snapshot_xmin(f.snapshot)
                  AND CASE WHEN l.xid = f.xid THEN l.seq > f.seq
                           ELSE NOT pg_visible_in_snapshot(l.xid, f.snapshot) END) $q$, source, which) INTO answer
                               USING source;
    RETURN answer;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._all_consumed FROM PUBLIC;

-- _rotate_log(source, switch_bytes) -> what was done:
--   'truncated'  the inactive table was emptied
--   'switched'   the inactive table was empty and the active one had at least switch_bytes bytes: writers now
--                use the other
--   'kept'       nothing to do, or a consumer still needs rows
--   'busy'       a lock could not be had within lock_wait_ms milliseconds: call again later
-- Must run in READ COMMITTED (error 25001 otherwise): the decision needs a snapshot taken after the lock.
CREATE FUNCTION pgtrickle._rotate_log(source bigint, switch_bytes bigint, lock_wait_ms int DEFAULT 50) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s        pgtrickle.pgt_sources;
    inactive "char";
    waited   text := current_setting('lock_timeout');
    bytes    bigint;
    consumer record;
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'change logs can only be rotated in READ COMMITTED' USING ERRCODE = 'active_sql_transaction';
    END IF;
    BEGIN
        PERFORM pgtrickle._lock_capture(source, false);
    EXCEPTION WHEN lock_not_available THEN
        RETURN 'busy';
    END;
    SELECT * INTO s FROM pgtrickle.pgt_sources x WHERE x.source_id = source;
    IF NOT FOUND THEN
        RETURN 'kept';
    END IF;
    inactive := CASE s.active_log WHEN 'a' THEN 'b' ELSE 'a' END;
    -- A stopped stream table that will be re-initialised anyway must not hold the log back for ever. Clearing its
    -- frontier says so, and makes a refresh that still runs on the old one fail instead of missing rows.
    FOR consumer IN SELECT f.pgt_id FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_frontiers f USING (pgt_id)
                    JOIN pgtrickle.pgt_stream_tables t USING (pgt_id)
                    WHERE d.source_id = source AND t.needs_reinit AND t.status IN ('ERROR', 'SUSPENDED', 'PAUSED')
                      AND f.snapshot IS NOT NULL
                    FOR UPDATE OF f SKIP LOCKED LOOP
        UPDATE pgtrickle.pgt_frontiers f SET snapshot = NULL, xid = NULL, seq = NULL WHERE f.pgt_id = consumer.pgt_id;
    END LOOP;

    IF pg_relation_size(format('pgtrickle_changes.log_%s_%s', source, inactive)::regclass) > 0 THEN
        IF NOT pgtrickle._all_consumed(source, inactive) THEN
            RETURN 'kept';
        END IF;
        BEGIN
            PERFORM set_config('lock_timeout', lock_wait_ms::text, true);
            -- one after the other, see last_clearing
            LOCK TABLE pgtrickle.pgt_sources IN SHARE UPDATE EXCLUSIVE MODE;
            EXECUTE format('LOCK TABLE pgtrickle_changes.log_%s_%s IN ACCESS EXCLUSIVE MODE', source, inactive);
            PERFORM set_config('lock_timeout', waited, true);
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            RETURN 'busy';      -- leaving the block also restores lock_timeout
        END;
        -- Under the lock nobody has uncommitted rows there: what is not consumed now is visible now.
        IF NOT pgtrickle._all_consumed(source, inactive) THEN
            RETURN 'kept';
        END IF;
        -- TRUNCATE empties the table for older snapshots too. To those the first transaction that has not ended yet is
        -- not visible: so a refresh that finds nothing pending knows that it must not trust that.
        PERFORM setval('pgtrickle_changes.last_clearing', pg_snapshot_xmax(pg_current_snapshot())::text::bigint);
        EXECUTE format('TRUNCATE pgtrickle_changes.log_%s_%s', source, inactive);
        RETURN 'truncated';
    END IF;

    SELECT pg_relation_size(c.oid) + CASE WHEN c.reltoastrelid = 0 THEN 0
                                          ELSE pg_relation_size(c.reltoastrelid) END INTO bytes
    FROM pg_class c WHERE c.oid = format('pgtrickle_changes.log_%s_%s', source, s.active_log)::regclass;
    IF bytes = 0 OR bytes < switch_bytes THEN
        RETURN 'kept';
    END IF;
    UPDATE pgtrickle.pgt_sources x SET active_log = inactive, switched_at = clock_timestamp()
    WHERE x.source_id = source;
    PERFORM pgtrickle._write_capture_function(source, s.relid, s.columns, s.shape, s.partitions, inactive, s.problem);
    IF s.problem IS NULL AND pgtrickle._source_problem(source) IS NOT NULL THEN
        PERFORM pgtrickle._neutralize_capture(source, pgtrickle._source_problem(source));
    END IF;
    RETURN 'switched';
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._rotate_log FROM PUBLIC;

-- Removes logs, capture functions and triggers that no row of pgt_sources knows (left over from a restore). Returns how
-- many.
CREATE FUNCTION pgtrickle._drop_orphaned_capture() RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n int := 0;
    source bigint;
BEGIN
    FOR source IN
        SELECT DISTINCT substring(o.name FROM '[0-9]+')::bigint
        FROM (SELECT c.relname::text AS name FROM pg_class c
              WHERE c.relnamespace = 'pgtrickle_changes'::regnamespace AND c.relname ~ '^log_[0-9]{1,18}(_[ab])?$'
              UNION ALL SELECT p.proname::text FROM pg_proc p
              WHERE p.pronamespace = 'pgtrickle_changes'::regnamespace AND p.proname ~ '^capture_[0-9]{1,18}$') AS o
        WHERE NOT EXISTS (SELECT FROM pgtrickle.pgt_sources s
                          WHERE s.source_id = substring(o.name FROM '[0-9]+')::bigint) LOOP
        BEGIN
            PERFORM pgtrickle._uninstall_capture(source);
            n := n + 1;
        EXCEPTION WHEN lock_not_available OR deadlock_detected OR insufficient_privilege THEN
            -- see _leftovers()
            RAISE WARNING 'pgtrickle could not remove the capture of source %: %', source, SQLERRM;
        END;
    END LOOP;
    RETURN n;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._drop_orphaned_capture FROM PUBLIC;
