-- What recreates stream tables, as SQL that can run again and again: a stream table that is there is changed to what
-- was exported, and what is on it already stays. What is on a stream table besides its rows is its owner's: indexes,
-- constraints, triggers, row security, comments, privileges.

-- A name in a comment of a line.
CREATE FUNCTION pgtrickle._in_a_line(words text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT regexp_replace(words, '[[:cntrl:]]', ' ', 'g')
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._in_a_line TO PUBLIC;

-- A literal that can be read, also if it has quotes and lines.
CREATE FUNCTION pgtrickle._dollar_quoted(body text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT x.tag || body || x.tag
                     FROM (SELECT n, '$pgt' || repeat('_', n) || '$' AS tag FROM generate_series(0, 50) AS n) AS x
                     WHERE strpos(body, x.tag) = 0 ORDER BY x.n LIMIT 1),
                    quote_literal(body))
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._dollar_quoted TO PUBLIC;

-- A statement that runs only where `there`, a query, has no row.
CREATE FUNCTION pgtrickle._unless(there text, statement text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'DO ' || pgtrickle._dollar_quoted(
               format(E'BEGIN\n    IF NOT EXISTS (%s) THEN\n        %s;\n    END IF;\nEND', there, statement)) || ';'
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._unless TO PUBLIC;

-- FROM what sets the settings that the text of the query was written under: they hold for this one statement, or to the
-- end of the transaction that it is in. pgtrickle.import: the query is not planned, see _make_view.
CREATE FUNCTION pgtrickle._export_settings(st pgtrickle.pgt_stream_tables, renamed boolean) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format(E'FROM (VALUES (\n    %s)) AS settings',
                  string_agg(format('pg_catalog.set_config(%L, %L, true)', x.name, x.value), E',\n    '
                             ORDER BY x.n, x.name))
    FROM (SELECT 0 AS n, 'search_path' AS name,
                 CASE WHEN renamed THEN 'pg_catalog'
                      ELSE coalesce((SELECT string_agg(quote_ident(e.o ->> 'name'), ', ' ORDER BY e.n)
                                     FROM jsonb_array_elements(pgtrickle._names_now(st.names))
                                          WITH ORDINALITY AS e(o, n)
                                     WHERE e.o ->> 'class' = 'schema' AND e.o ? 'name'), 'pg_catalog') END AS value
          UNION ALL
          SELECT 1, e.key, e.value FROM jsonb_each_text(st.settings) AS e
          UNION ALL
          SELECT 2, 'pgtrickle.import', 'on') AS x
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._export_settings TO PUBLIC;

-- The call that makes it, or changes it to this. Options without a value are not named. Who imports it should run
-- nothing of the owner's query: the daemon fills the table, with the rights of the owner that it has by then.
CREATE FUNCTION pgtrickle._export_call(st pgtrickle.pgt_stream_tables) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format(E'SELECT pgtrickle.create_or_replace_stream_table(%L, %s%s)\n%s;',
                  pgtrickle._qualified(st.pgt_relid),
                  pgtrickle._dollar_quoted(CASE WHEN r.renamed THEN st.defining_query ELSE st.original_query END),
                  (SELECT string_agg(format(E',\n    %I => %L', o.name, o.value), '' ORDER BY o.n, o.name)
                   FROM (SELECT 1 AS n, 'schedule' AS name, st.schedule AS value
                         UNION ALL SELECT 2, 'refresh_mode', st.refresh_mode
                         UNION ALL SELECT 3, 'initialize', 'false'
                         UNION ALL SELECT 4, e.key, e.value
                         FROM jsonb_each_text(jsonb_strip_nulls(to_jsonb(pgtrickle._kept_options(st)))) AS e
                         WHERE (e.key, e.value) <> ('allow_circular', 'false')
                        ) AS o),
                  pgtrickle._export_settings(st, r.renamed))
    FROM (SELECT pgtrickle._is_renamed(st.names, st.names_now) AS renamed) AS r
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._export_call TO PUBLIC;

-- A member of a cycle reads what is not there yet: it begins as an empty table with its columns.
CREATE FUNCTION pgtrickle._export_beginning(st pgtrickle.pgt_stream_tables) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('SELECT pgtrickle.create_stream_table_if_not_exists(%L, %s, allow_circular => true, '
                  'initialize => false);',
                  pgtrickle._qualified(st.pgt_relid),
                  pgtrickle._dollar_quoted(
                      format('SELECT %s WHERE false',
                             (SELECT string_agg(format('NULL::%s', format_type(a.atttypid, a.atttypmod))
                                                || coalesce((SELECT format(' COLLATE %I.%I', n.nspname, l.collname)
                                                             FROM pg_collation l JOIN pg_namespace n
                                                             ON n.oid = l.collnamespace WHERE l.oid = a.attcollation
                                                             AND a.attcollation <> t.typcollation), '')
                                                || format(' AS %I', a.attname),
                                                ', ' ORDER BY a.attnum)
                              FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                              WHERE a.attrelid = st.pgt_relid AND a.attnum > 0 AND NOT a.attisdropped))))
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._export_beginning TO PUBLIC;

-- What its owner made on it, each with a number for the order.
CREATE FUNCTION pgtrickle._export_objects(st pgtrickle.pgt_stream_tables, OUT kind int, OUT name text,
                                          OUT statement text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH it AS (
        SELECT c.oid, pgtrickle._qualified(c.oid) AS qualified, format('^pgtrickle_%s_', st.pgt_id) AS ours, c.relowner,
               c.relacl, c.relrowsecurity, c.relforcerowsecurity
        FROM pg_class c WHERE c.oid = st.pgt_relid)
    SELECT 1, NULL, format('ALTER TABLE %s OWNER TO %I;', it.qualified, pg_get_userbyid(it.relowner)) FROM it
    UNION ALL
    SELECT 2, x.relname, pgtrickle._unless(
               format('SELECT FROM pg_catalog.pg_class c WHERE c.relname = %L AND c.relnamespace = %L::regnamespace',
                      x.relname, x.relnamespace::regnamespace), pg_get_indexdef(x.oid))
    FROM it JOIN pg_index i ON i.indrelid = it.oid JOIN pg_class x ON x.oid = i.indexrelid
    WHERE x.relname !~ it.ours
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.oid AND k.conrelid = it.oid)
    UNION ALL
    SELECT 3, k.conname, pgtrickle._unless(
               format('SELECT FROM pg_catalog.pg_constraint k WHERE k.conname = %L AND k.conrelid = %L::regclass',
                      k.conname, it.qualified),
               format('ALTER TABLE %s ADD CONSTRAINT %I %s', it.qualified, k.conname, pg_get_constraintdef(k.oid)))
    FROM it JOIN pg_constraint k ON k.conrelid = it.oid
    WHERE k.contype IN ('p', 'u', 'x', 'c', 'f') AND k.conname !~ it.ours
    UNION ALL
    SELECT 4, t.tgname, pgtrickle._unless(
               format('SELECT FROM pg_catalog.pg_trigger t WHERE t.tgname = %L AND t.tgrelid = %L::regclass', t.tgname,
                      it.qualified),
               pg_get_triggerdef(t.oid)
               || CASE WHEN t.tgenabled <> 'O'
                       THEN format(E';\n        ALTER TABLE %s %s TRIGGER %I', it.qualified,
                                   CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS'
                                                    ELSE 'ENABLE REPLICA' END, t.tgname) ELSE '' END)
    FROM it JOIN pg_trigger t ON t.tgrelid = it.oid JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE NOT t.tgisinternal
      AND p.pronamespace NOT IN ('pgtrickle'::regnamespace, 'pgtrickle_state'::regnamespace)
    UNION ALL
    SELECT 5, p.polname, pgtrickle._unless(
               format('SELECT FROM pg_catalog.pg_policy p WHERE p.polname = %L AND p.polrelid = %L::regclass',
                      p.polname, it.qualified),
               format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', p.polname, it.qualified,
                      CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                      CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                                    WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
                      (SELECT string_agg(CASE r.role WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r.role)) END,
                                         ', ' ORDER BY r.n) FROM unnest(p.polroles) WITH ORDINALITY AS r(role, n)),
                      ' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
                      ' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'))
    FROM it JOIN pg_policy p ON p.polrelid = it.oid
    UNION ALL
    SELECT 6, s.setting, format('ALTER TABLE %s %s ROW LEVEL SECURITY;', it.qualified, s.setting)
    FROM it
    CROSS JOIN LATERAL (VALUES ('ENABLE', it.relrowsecurity), ('FORCE', it.relforcerowsecurity)) AS s(setting, is_on)
    WHERE s.is_on
    UNION ALL
    SELECT 7, NULL, format('COMMENT ON TABLE %s IS %L;', it.qualified, d.description)
    FROM it CROSS JOIN LATERAL (SELECT obj_description(it.oid, 'pg_class') AS description) AS d
    WHERE d.description <> 'stream table, kept by pgtrickle'
    UNION ALL
    SELECT 8, a.attname,
           format('COMMENT ON COLUMN %s.%I IS %L;', it.qualified, a.attname, col_description(it.oid, a.attnum))
    FROM it JOIN pg_attribute a ON a.attrelid = it.oid
    WHERE a.attnum > 0 AND NOT a.attisdropped AND col_description(it.oid, a.attnum) IS NOT NULL
    UNION ALL
    SELECT 9, g.role || ' ' || g.columns || ' ' || g.privilege_type,
           format('GRANT %s%s ON TABLE %s TO %s%s;', g.privilege_type, g.columns, it.qualified, g.role,
                  CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM it CROSS JOIN LATERAL (
        SELECT a.privilege_type, a.is_grantable, x.columns,
               CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS role
        FROM (SELECT '' AS columns, it.relacl AS acl
              UNION ALL SELECT format(' (%I)', c.attname), c.attacl FROM pg_attribute c
              WHERE c.attrelid = it.oid AND c.attnum > 0 AND NOT c.attisdropped) AS x
        CROSS JOIN LATERAL aclexplode(x.acl) AS a
        WHERE a.grantee <> it.relowner) AS g
    UNION ALL
    SELECT 10, NULL, format('SELECT pgtrickle.alter_stream_table(%L, status => %L);', it.qualified, st.status)
    FROM it WHERE st.status = 'PAUSED'
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._export_objects TO PUBLIC;

-- These stream tables, what is read before what reads it; in_cycle: it reads itself, directly or through others.
CREATE FUNCTION pgtrickle._export_order(ids bigint[], OUT pgt_id bigint, OUT place int, OUT in_cycle boolean)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE tables AS MATERIALIZED (
        SELECT s.pgt_id, s.pgt_relid, CASE WHEN s.allow_circular THEN pgtrickle._cycle_of(s.pgt_id) END AS cycle
        FROM pgtrickle._stream_tables s WHERE s.pgt_id = ANY (ids)),
    edges AS MATERIALIZED (
        SELECT d.pgt_id AS reader, t.pgt_id AS source
        FROM pgtrickle.pgt_dependencies d JOIN tables t ON t.pgt_relid = d.source_relid
        WHERE d.pgt_id = ANY (ids) AND NOT d.pgt_id = ANY (coalesce(t.cycle, ARRAY[t.pgt_id]))),
    depths(pgt_id, depth) AS (
        SELECT t.pgt_id, 0 FROM tables t
        UNION
        SELECT e.reader, d.depth + 1 FROM depths d JOIN edges e ON e.source = d.pgt_id)
    SELECT t.pgt_id, (row_number() OVER (ORDER BY max(d.depth), pgtrickle._qualified(t.pgt_relid) COLLATE "C"))::int,
           t.cycle IS NOT NULL
    FROM tables t JOIN depths d ON d.pgt_id = t.pgt_id GROUP BY t.pgt_id, t.pgt_relid, t.cycle
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._export_order TO PUBLIC;

-- Refresh groups of which these are all members; with_sources: watermark groups, too.
CREATE FUNCTION pgtrickle._export_groups(ids bigint[], with_sources boolean) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT pgtrickle._unless(format('SELECT FROM pgtrickle.refresh_groups() g WHERE g.group_name = %L', g.group_name),
                             format('PERFORM pgtrickle.create_refresh_group(%L, %L, %L)', g.group_name, g.members,
                                    g.isolation))
    FROM pgtrickle.refresh_groups() AS g
    WHERE g.members <> '{}'
      AND NOT EXISTS (SELECT FROM pgtrickle.pgt_refresh_group_members m
                      WHERE m.group_id = g.group_id AND NOT m.pgt_id = ANY (ids))
    UNION ALL
    SELECT pgtrickle._unless(format('SELECT FROM pgtrickle.watermark_groups() g WHERE g.group_name = %L', g.group_name),
                             format('PERFORM pgtrickle.create_watermark_group(%L, %L, %s)', g.group_name,
                                    ARRAY(SELECT pgtrickle._qualified(u.oid) FROM unnest(g.sources)
                                          WITH ORDINALITY AS u(oid, n) ORDER BY u.n),
                                    g.tolerance_secs))
    FROM pgtrickle.pgt_watermark_groups AS g
    WHERE with_sources AND NOT EXISTS (SELECT FROM unnest(g.sources) AS u(oid)
                                       WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = u.oid))
    ORDER BY 1
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._export_groups TO PUBLIC;

-- The script. Members of cycles first get their columns, and their queries when all are there.
CREATE FUNCTION pgtrickle._export(ids bigint[], with_groups boolean) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH tables AS MATERIALIZED (
        SELECT ROW(s.*)::pgtrickle.pgt_stream_tables AS st, o.place, o.in_cycle,
               pgtrickle._in_a_line(pgtrickle._qualified(s.pgt_relid)) AS title
        FROM pgtrickle._export_order(ids) AS o JOIN pgtrickle._stream_tables AS s USING (pgt_id)),
    parts(step, place, kind, name, words) AS (
        SELECT 1, t.place, 0, NULL, format(E'-- stream table %s\n%s', t.title, pgtrickle._export_beginning(t.st))
        FROM tables t WHERE t.in_cycle
        UNION ALL
        SELECT 2, t.place, 0, NULL, format(E'-- stream table %s\n%s', t.title, pgtrickle._export_call(t.st))
        FROM tables t
        UNION ALL
        SELECT 2, t.place, o.kind, o.name, o.statement
        FROM tables t CROSS JOIN LATERAL pgtrickle._export_objects(t.st) AS o
        UNION ALL
        SELECT 3, 0, 0, g, g FROM pgtrickle._export_groups(ids, with_groups) AS g)
    SELECT string_agg(p.words, CASE WHEN p.kind = 0 THEN E'\n\n' ELSE E'\n' END
                      ORDER BY p.step, p.place, p.kind, p.name, p.words) || E'\n'
    FROM parts p
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._export TO PUBLIC;

CREATE FUNCTION pgtrickle.export_definition(st_name text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT pgtrickle._export(ARRAY[s.pgt_id], false)
            FROM pgtrickle._find_own(st_name, pg_catalog.current_setting('search_path')) AS s);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.export_definition TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.export_definition(text) IS
'SQL that recreates a stream table: its query with the search_path and the settings that it was written under, its
  options, owner, indexes, constraints, triggers, row security, comments and privileges. It can run again: a stream
  table of this name is changed to it. A new one is filled by the daemon, as its owner. Not in it: rows, views that read
  it, publications, extended statistics.
Errors: 42P01 there is none, 42501 not its owner.';

CREATE FUNCTION pgtrickle.export_definitions() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT pgtrickle._export(coalesce(array_agg(s.pgt_id), '{}'), true)
    FROM pgtrickle._stream_tables s WHERE pgtrickle._may_manage(s.pgt_relid)
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.export_definitions TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.export_definitions() IS
'The same of all stream tables that the caller may manage, what is read before what reads it, and of refresh groups and
  watermark groups: for a transaction of its own. NULL: there are none. pgtrickle export writes it to a file, pgtrickle
  import runs it.';
