-- Materialized views become stream tables of the same name, and stream tables that were adopted become again what they
-- were. Both are a list of steps, computed from the catalogs before anything is changed: adopt() runs what adopt_plan()
-- shows, in one transaction.
--
-- How: the old relation gets another name, the new one is made under the name that is free now, and what reads it is
-- pointed to it. A view is replaced by its own text (CREATE OR REPLACE VIEW): it keeps its OID, owner, privileges,
-- comments, triggers and defaults, and nothing that reads the view notices. A materialized view cannot be replaced, so
-- it is made again in the same way, and so on upwards. The old relation is dropped at last, without CASCADE: what
-- depends on it and was thought of by nobody makes that fail, and then nothing has happened.
--
-- Who runs what: everything runs with the caller's rights, and a superuser may adopt what belongs to a tenant. So
-- neither runs nor plans anything of the query in his session, which would run the tenant's functions: rows are copied,
-- CREATE INDEX and REFRESH MATERIALIZED VIEW come after the relation has its owner and so run as him, and the daemon
-- fills the stream table as its owner. Parsing is what is left. It calls no function of a user, but the checks of
-- domains for literals: where a query uses types of others, only the owner may.

-- What was adopted. Nobody can write a definition here: it is PostgreSQL's own text of a relation.
CREATE TABLE pgtrickle.pgt_adopted (
    pgt_id     bigint PRIMARY KEY REFERENCES pgtrickle.pgt_stream_tables ON DELETE CASCADE,
    kind       text NOT NULL CHECK (kind IN ('materialized view', 'immv')),     -- immv: of the extension pg_ivm
    definition text NOT NULL,
    is_plain   boolean NOT NULL,        -- uses types of superusers only: reading it is safe for others than the owner
    adopted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    adopted_by name NOT NULL DEFAULT current_user
);
GRANT SELECT ON pgtrickle.pgt_adopted TO PUBLIC;
ALTER TABLE pgtrickle.pgt_adopted ENABLE ROW LEVEL SECURITY;
CREATE POLICY members_read ON pgtrickle.pgt_adopted FOR SELECT
    USING (EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = pgt_adopted.pgt_id));

-- An object of the extension pg_ivm, whose schema depends on its version. Only what belongs to the extension counts:
-- anybody can make a schema and a function of these names.
CREATE FUNCTION pgtrickle._of_pg_ivm(class regclass, name name) RETURNS oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT d.objid FROM pg_extension e
    JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
    WHERE e.extname = 'pg_ivm' AND d.classid = class
      AND name = CASE WHEN class = 'pg_class'::regclass THEN (SELECT c.relname FROM pg_class c WHERE c.oid = d.objid)
                      ELSE (SELECT p.proname FROM pg_proc p WHERE p.oid = d.objid) END
    ORDER BY d.objid LIMIT 1
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._of_pg_ivm TO PUBLIC;

-- The query of an incrementally maintainable materialized view of pg_ivm; NULL if the relation is none.
CREATE FUNCTION pgtrickle._immv_definition(relation oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    list   oid := pgtrickle._of_pg_ivm('pg_class', 'pg_ivm_immv');
    reader oid := pgtrickle._of_pg_ivm('pg_proc', 'get_immv_def');
    found  boolean;
    query  text;
BEGIN
    IF list IS NULL OR reader IS NULL THEN
        RETURN NULL;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM %s i WHERE i.immvrelid = $1)', pgtrickle._qualified(list))
    INTO found USING relation;
    IF found THEN
        EXECUTE format('SELECT %s($1)', reader::regproc) INTO query USING relation::regclass;
    END IF;
    RETURN regexp_replace(query, E';\\s*$', '');
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._immv_definition TO PUBLIC;

-- Remembers what a stream table was, for undo_adopt(): asked for when both are there, in the transaction that makes it.
CREATE FUNCTION pgtrickle._do_adopted(caller oid, id bigint, relation oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st   pgtrickle.pgt_stream_tables := pgtrickle._owned_stream_table(caller, id);
    kind "char" := (SELECT c.relkind FROM pg_class c WHERE c.oid = relation);
BEGIN
    PERFORM pgtrickle._require_owned_by(caller, relation);
    IF st.created_xid <> pg_current_xact_id() OR kind NOT IN ('m', 'r') THEN
        RAISE EXCEPTION '% is not being adopted', pgtrickle._qualified(st.pgt_relid)
            USING ERRCODE = 'wrong_object_type';
    END IF;
    INSERT INTO pgtrickle.pgt_adopted (pgt_id, kind, definition, is_plain, adopted_by)
    VALUES (id, CASE kind WHEN 'm' THEN 'materialized view' ELSE 'immv' END,
            CASE kind WHEN 'm' THEN pgtrickle._canonical(relation) ELSE pgtrickle._immv_definition(relation) END,
            kind = 'm' AND pgtrickle._foreign_types(ARRAY[relation], NULL) IS NULL, pg_get_userbyid(caller));
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._do_adopted FROM PUBLIC;

-- Jobs of pg_cron in this database that refresh a materialized view. A name without a schema is taken to mean it.
CREATE FUNCTION pgtrickle._cron_jobs(schema text, relation text, OUT jobid bigint, OUT title text, OUT command text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    word text := E'(?:"(?:[^"]|"")+"|[^\\s;"''.(),]+)';
    j    record;
BEGIN
    -- Whose table it is matters: anybody can make a schema cron, and reading a view or a policy runs code.
    IF NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   JOIN pg_roles r ON r.oid = c.relowner
                   WHERE n.nspname = 'cron' AND c.relname = 'job' AND c.relkind = 'r'
                     AND (r.rolsuper OR r.rolname = current_user)
                     AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
                     AND 4 = (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped
                              AND a.attname IN ('jobid', 'schedule', 'command', 'database'))) THEN
        RETURN;
    END IF;
    FOR j IN EXECUTE 'SELECT j.jobid::bigint AS id, j.schedule::text AS at, j.command::text AS command, '
                     'to_jsonb(j) ->> ''jobname'' AS name FROM cron.job AS j '
                     'WHERE j.database = current_database() ORDER BY j.jobid' LOOP
        IF EXISTS (SELECT FROM regexp_matches(j.command,
                                              format(E'\\mrefresh\\s+materialized\\s+view\\s+(?:concurrently\\s+)?'
                                                     '(%1$s(?:\\s*\\.\\s*%1$s)?)', word), 'gi') AS m
                   CROSS JOIN LATERAL pgtrickle._name_parts(m[1]) AS p(parts)
                   WHERE p.parts[cardinality(p.parts)] = relation
                     AND (cardinality(p.parts) = 1 OR p.parts[1] = schema)) THEN
            jobid := j.id;
            title := concat_ws(' ', format('job %s', j.id), quote_literal(j.name), 'at', quote_literal(j.at));
            command := j.command;
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._cron_jobs TO PUBLIC;

-- The parts of a name as PostgreSQL reads it; NULL if it is none.
CREATE FUNCTION pgtrickle._name_parts(name text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN parse_ident(name);
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN NULL;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._name_parts TO PUBLIC;

-- A role as GRANT names it; 0 is PUBLIC.
CREATE FUNCTION pgtrickle._grantee(role oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE role WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(role)) END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._grantee TO PUBLIC;

-- Takes away what ALTER DEFAULT PRIVILEGES has given on a new relation.
CREATE FUNCTION pgtrickle._only_owner(relation oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name  text := pgtrickle._qualified(relation);
    owner oid := (SELECT c.relowner FROM pg_class c WHERE c.oid = relation AND c.relacl IS NOT NULL);
    role  oid;
BEGIN
    IF owner IS NOT NULL THEN
        FOR role IN SELECT DISTINCT a.grantee FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
                    WHERE c.oid = relation LOOP
            EXECUTE format('REVOKE ALL ON TABLE %s FROM %s', name, pgtrickle._grantee(role));
        END LOOP;
        EXECUTE format('GRANT ALL ON TABLE %s TO %s', name, pgtrickle._grantee(owner));
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._only_owner TO PUBLIC;

-- Statements that give a relation of this name what `relation` has. The relation of that name is a table or a
-- materialized view. place: 1 before it has rows, 2 after.
CREATE FUNCTION pgtrickle._looks_of(relation oid, OUT place int, OUT kind int, OUT object text, OUT statement text,
                                    OUT remark text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    SET quote_all_identifiers = off AS $$
    WITH it AS (
        SELECT c.*, pgtrickle._qualified(c.oid) AS qualified, pgtrickle._grantee(c.relowner) AS owner,
               coalesce((SELECT format('^pgtrickle_%s_', s.pgt_id) FROM pgtrickle._stream_tables s
                         WHERE s.pgt_relid = c.oid), '^$') AS ours
        FROM pg_class c WHERE c.oid = relation),
    columns AS (
        SELECT it.qualified, a.*, t.typstorage FROM it JOIN pg_attribute a ON a.attrelid = it.oid
        JOIN pg_type t ON t.oid = a.atttypid WHERE a.attnum > 0 AND NOT a.attisdropped),
    indexes AS (
        SELECT it.qualified AS tab, pgtrickle._qualified(x.oid) AS qualified, x.oid, x.relname, x.reltablespace,
               i.indisclustered, i.indisvalid
        FROM it JOIN pg_index i ON i.indrelid = it.oid JOIN pg_class x ON x.oid = i.indexrelid
        WHERE x.relname !~ it.ours AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.oid)),
    statistics AS (
        SELECT e.oid, format('%I.%I', n.nspname, e.stxname) AS qualified, e.stxowner, to_jsonb(e) AS row
        FROM it JOIN pg_statistic_ext e ON e.stxrelid = it.oid JOIN pg_namespace n ON n.oid = e.stxnamespace),
    grants AS (
        SELECT it.qualified, x.columns, x.n, a.grantee, a.privilege_type, a.is_grantable, it.relowner,
               a.grantor <> it.relowner AS handed_on
        FROM it CROSS JOIN LATERAL (SELECT '' AS columns, 0 AS n, it.relacl AS acl
                                    UNION ALL SELECT format(' (%I)', c.attname), c.attnum, c.attacl FROM columns c) AS x
        CROSS JOIN LATERAL aclexplode(x.acl) AS a)
    SELECT 1, 1, it.qualified, format('ALTER TABLE %s SET TABLESPACE %I', it.qualified, s.spcname), NULL
    FROM it JOIN pg_tablespace s ON s.oid = it.reltablespace
    UNION ALL
    SELECT 1, 2, it.qualified,
           format('ALTER TABLE %s SET (%s)', it.qualified,
                  (SELECT string_agg(format('%s%s = %L', o.prefix, split_part(o.option, '=', 1),
                                            substr(o.option, strpos(o.option, '=') + 1)), ', ' ORDER BY o.n)
                   FROM (SELECT '' AS prefix, u.option, u.n FROM unnest(it.reloptions) WITH ORDINALITY AS u(option, n)
                         UNION ALL SELECT 'toast.', u.option, 1000 + u.n FROM pg_class t
                         CROSS JOIN LATERAL unnest(t.reloptions) WITH ORDINALITY AS u(option, n)
                         WHERE t.oid = it.reltoastrelid) AS o)), NULL
    FROM it WHERE it.reloptions IS NOT NULL
        OR EXISTS (SELECT FROM pg_class t WHERE t.oid = it.reltoastrelid AND t.reloptions IS NOT NULL)
    UNION ALL
    SELECT 1, 3, it.qualified, NULL,
           format('it is kept by access method "%s": the new relation gets that of default_table_access_method',
                  m.amname)
    FROM it JOIN pg_am m ON m.oid = it.relam WHERE m.amname <> 'heap'
    UNION ALL
    SELECT 1, 4, c.attname, format('ALTER TABLE %s ALTER COLUMN %I SET %s', c.qualified, c.attname, s.setting), NULL
    FROM columns c CROSS JOIN LATERAL (
        SELECT 'STATISTICS ' || c.attstattarget WHERE c.attstattarget >= 0
        UNION ALL SELECT 'STORAGE ' || CASE c.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL'
                                                         WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END
        WHERE c.attstorage <> c.typstorage
        UNION ALL SELECT 'COMPRESSION ' || CASE c.attcompression WHEN 'l' THEN 'lz4' ELSE 'pglz' END
        WHERE c.attcompression <> ''
        -- Of these, no others: servers keep marks of their own there, such as pg_attver, which belong to the column.
        UNION ALL SELECT format('(%s)', string_agg(format('%s = %L', split_part(o, '=', 1), split_part(o, '=', 2)),
                                                   ', '))
        FROM unnest(c.attoptions) AS o WHERE split_part(o, '=', 1) IN ('n_distinct', 'n_distinct_inherited')
        HAVING count(*) > 0) AS s(setting)
    UNION ALL
    SELECT 2, 1, x.qualified, pg_get_indexdef(x.oid), CASE WHEN NOT x.indisvalid THEN 'it was invalid' END
    FROM indexes x
    UNION ALL
    SELECT 2, 2, x.qualified, format('ALTER INDEX %s SET TABLESPACE %I', x.qualified, s.spcname), NULL
    FROM indexes x JOIN pg_tablespace s ON s.oid = x.reltablespace
    UNION ALL
    SELECT 2, 3, x.qualified, format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s', x.qualified, a.attnum,
                                     a.attstattarget), NULL
    FROM indexes x JOIN pg_attribute a ON a.attrelid = x.oid AND a.attstattarget >= 0
    UNION ALL
    SELECT 2, 4, x.qualified, format('ALTER TABLE %s CLUSTER ON %I', x.tab, x.relname), NULL
    FROM indexes x WHERE x.indisclustered
    UNION ALL
    SELECT 2, 5, x.qualified, format('COMMENT ON INDEX %s IS %L', x.qualified, obj_description(x.oid, 'pg_class')), NULL
    FROM indexes x WHERE obj_description(x.oid, 'pg_class') IS NOT NULL
    UNION ALL
    SELECT 2, 6, s.qualified, x.statement, NULL
    FROM statistics s CROSS JOIN LATERAL (
        SELECT 1, pg_get_statisticsobjdef(s.oid)
        UNION ALL SELECT 2, format('ALTER STATISTICS %s OWNER TO %s', s.qualified, pgtrickle._grantee(s.stxowner))
        UNION ALL SELECT 3, format('ALTER STATISTICS %s SET STATISTICS %s', s.qualified, s.row ->> 'stxstattarget')
        WHERE (s.row ->> 'stxstattarget')::int >= 0
        UNION ALL SELECT 4, format('COMMENT ON STATISTICS %s IS %L', s.qualified,
                                   obj_description(s.oid, 'pg_statistic_ext'))
        WHERE obj_description(s.oid, 'pg_statistic_ext') IS NOT NULL) AS x(n, statement)
    UNION ALL
    SELECT 2, 8, c.attname,
           format('COMMENT ON COLUMN %s.%I IS %L', c.qualified, c.attname, col_description(relation, c.attnum)), NULL
    FROM columns c WHERE col_description(relation, c.attnum) IS NOT NULL
    UNION ALL
    -- All that the owner has by default, and no more: nothing need be said.
    SELECT 2, 9, it.qualified, format('REVOKE ALL ON TABLE %s FROM %s', it.qualified, it.owner),
           'its owner has not all privileges'
    FROM it WHERE it.relacl IS NOT NULL
        AND EXISTS (SELECT FROM aclexplode(acldefault('r', it.relowner)) AS d
                    WHERE NOT EXISTS (SELECT FROM aclexplode(it.relacl) AS a
                                      WHERE (a.grantee, a.privilege_type) = (d.grantee, d.privilege_type)))
    UNION ALL
    SELECT 2, 10, g.qualified,
           format('GRANT %s ON TABLE %s TO %s%s', string_agg(g.privilege_type || g.columns, ', '
                                                             ORDER BY g.n, g.privilege_type),
                  g.qualified, pgtrickle._grantee(g.grantee),
                  CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END),
           CASE WHEN bool_or(g.handed_on) THEN
                'granted by another role before, by the owner from now on: only he can revoke it' END
    FROM grants g GROUP BY g.qualified, g.grantee, g.is_grantable, g.relowner
    HAVING g.grantee <> g.relowner
        OR EXISTS (SELECT FROM it CROSS JOIN LATERAL aclexplode(acldefault('r', it.relowner)) AS d
                   WHERE NOT EXISTS (SELECT FROM aclexplode(it.relacl) AS a
                                     WHERE (a.grantee, a.privilege_type) = (d.grantee, d.privilege_type)))
        OR max(g.n) > 0
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._looks_of TO PUBLIC;

-- What has to be made again with a relation: itself, and the materialized views that read it directly or read one of
-- those. A view between two of them is replaced, so what reads it stays.
CREATE FUNCTION pgtrickle._made_again(root oid, OUT relid oid, OUT depth int) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE made(relid, depth) AS (
        SELECT root, 0
        UNION
        SELECT c.oid, m.depth + 1
        FROM made m JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = m.relid
          AND d.classid = 'pg_rewrite'::regclass
        JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class c ON c.oid = r.ev_class AND c.relkind = 'm'
        WHERE c.oid <> m.relid)
    SELECT m.relid, max(m.depth) FROM made m GROUP BY m.relid
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._made_again TO PUBLIC;

-- The rules of other relations that read those: of views (is_view: their queries), and of what has rules otherwise.
CREATE FUNCTION pgtrickle._rules_on(relations oid[], OUT rule oid, OUT relid oid, OUT is_view boolean)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT r.oid, r.ev_class, c.relkind = 'v' AND r.ev_type = '1'
    FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class c ON c.oid = r.ev_class
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY (relations)
      AND r.ev_class <> ALL (relations)
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._rules_on TO PUBLIC;

-- Types of others than this role and superusers in the queries, indexes and statistics of relations. Parsing a literal
-- of a domain, also inside an array or a row, runs its check, as who parses it; and what is another type now can be a
-- domain in a moment.
CREATE FUNCTION pgtrickle._foreign_types(relations oid[], role name) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH texts(class, object) AS (
        SELECT 'pg_rewrite'::regclass, w.oid FROM pg_rewrite w WHERE w.ev_class = ANY (relations)
        UNION ALL
        SELECT 'pg_class'::regclass, i.indexrelid FROM pg_index i WHERE i.indrelid = ANY (relations)
        UNION ALL
        SELECT 'pg_statistic_ext'::regclass, e.oid FROM pg_statistic_ext e WHERE e.stxrelid = ANY (relations))
    SELECT string_agg(DISTINCT format_type(t.oid, NULL), ', ')
    FROM texts x JOIN pg_depend d ON d.classid = x.class AND d.objid = x.object
    JOIN pg_type t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
    JOIN pg_roles r ON r.oid = t.typowner
    WHERE NOT r.rolsuper AND r.rolname IS DISTINCT FROM role
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._foreign_types TO PUBLIC;

-- Why this cannot be done without losing something, a row each. root is to be dropped in the end, others of `relations`
-- are to be made again, rules of `readers` replaced.
CREATE FUNCTION pgtrickle._in_the_way(root oid, relations oid[], readers oid[], OUT object text, OUT reason text)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH them AS (SELECT c.oid, c.relowner, c.reltype, pgtrickle._qualified(c.oid) AS qualified
                  FROM pg_class c WHERE c.oid = ANY (relations))
    SELECT pgtrickle._qualified(c.oid),
           format('belongs to role "%s", of which you are no member: ask it to do this, or to grant you that',
                  pg_get_userbyid(c.relowner))
    FROM pg_class c WHERE c.oid = ANY (relations || readers) AND NOT pg_has_role(current_user, c.relowner, 'USAGE')
    UNION ALL
    SELECT pgtrickle._qualified(c.oid), format('belongs to extension "%s"', e.extname)
    FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
    WHERE c.oid = ANY (relations || readers)
    UNION ALL
    SELECT pg_describe_object(d.classid, d.objid, 0), format('is to be dropped with extension "%s"', e.extname)
    FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
    WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'x' AND d.refclassid = 'pg_extension'::regclass
      AND (d.objid = ANY (relations)
           OR d.objid IN (SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = ANY (relations)))
    UNION ALL
    -- Whole rows of it are values of its type, so this covers its type too.
    SELECT pg_describe_object(d.classid, d.objid, d.objsubid), format('depends on %s', t.qualified)
    FROM them t JOIN pg_depend d ON d.deptype = 'n' AND d.classid <> 'pg_rewrite'::regclass
      AND (d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
           OR d.refclassid = 'pg_type'::regclass
              AND d.refobjid IN (t.reltype, (SELECT y.typarray FROM pg_type y WHERE y.oid = t.reltype)))
    WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
                      AND k.conrelid = t.oid)       -- its own, see below
    UNION ALL
    SELECT 'stream table ' || pgtrickle._qualified(s.pgt_relid), format('reads %s', t.qualified)
    FROM them t JOIN pgtrickle.pgt_dependencies d ON d.source_relid = t.oid
    JOIN pgtrickle._stream_tables s ON s.pgt_id = d.pgt_id
    UNION ALL
    SELECT t.qualified, format('has a security label of provider "%s"', l.provider)
    FROM them t JOIN pg_seclabel l ON l.classoid = 'pg_class'::regclass AND l.objoid = t.oid
    UNION ALL
    SELECT t.qualified, x.reason FROM them t CROSS JOIN LATERAL (
        SELECT format('has constraint "%s"', k.conname) FROM pg_constraint k
        WHERE k.conrelid = t.oid AND k.contype IN ('p', 'u', 'x', 'c', 'f')
          AND k.conname !~ coalesce((SELECT format('^pgtrickle_%s_', s.pgt_id) FROM pgtrickle._stream_tables s
                                     WHERE s.pgt_relid = t.oid), '^$')
        UNION ALL SELECT format('has trigger "%s"', g.tgname) FROM pg_trigger g JOIN pg_proc p ON p.oid = g.tgfoid
        WHERE g.tgrelid = t.oid AND NOT g.tgisinternal
          AND p.pronamespace NOT IN ('pgtrickle'::regnamespace, 'pgtrickle_state'::regnamespace,
                                     'pgtrickle_changes'::regnamespace)
          AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
                          WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
                            AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'pg_ivm')
        UNION ALL SELECT format('has policy "%s"', p.polname) FROM pg_policy p WHERE p.polrelid = t.oid
        UNION ALL SELECT 'has row level security' FROM pg_class c
        WHERE c.oid = t.oid AND (c.relrowsecurity OR c.relforcerowsecurity)
        UNION ALL SELECT format('has rule "%s"', r.rulename) FROM pg_rewrite r
        WHERE r.ev_class = t.oid AND r.rulename <> '_RETURN'
        UNION ALL SELECT format('is published by "%s"', u.pubname) FROM pg_publication_rel p
        JOIN pg_publication u ON u.oid = p.prpubid WHERE p.prrelid = t.oid
        UNION ALL SELECT 'has children or parents' FROM pg_inherits i WHERE t.oid IN (i.inhrelid, i.inhparent)
        ) AS x(reason)
    UNION ALL
    SELECT pgtrickle._qualified(root),
           format('uses types of somebody else, whose checks would run as role "%s" when they are read: %s. Do this as '
                  'role "%s"', current_user, f.types,
                  (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = root))
    FROM (SELECT pgtrickle._foreign_types(relations || readers, current_user) AS types) AS f WHERE f.types IS NOT NULL
    UNION ALL
    SELECT pgtrickle._qualified(c.oid),
           format('is of the extension pg_ivm, which does not tell what its query uses: do this as role "%s"',
                  pg_get_userbyid(c.relowner))
    FROM pg_class c WHERE c.oid = root AND c.relkind = 'r' AND pg_get_userbyid(c.relowner) <> current_user
      AND NOT EXISTS (SELECT FROM pgtrickle._stream_tables s WHERE s.pgt_relid = root)
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._in_the_way TO PUBLIC;

-- The name that a relation has while what takes its place is made.
CREATE FUNCTION pgtrickle._set_aside(relation oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('%I.pgtrickle_set_aside_%s', n.nspname, c.oid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._set_aside TO PUBLIC;

-- The steps that put another relation in the place of `root`: create makes it, fill gives it rows, refresh: it is a
-- materialized view, to be filled at the end. All texts are of now, with the names that are there again at the end.
CREATE FUNCTION pgtrickle._swap_steps(root oid, creating text, filling text, refresh boolean, OUT action text,
                                      OUT object text, OUT statement text, OUT remark text) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    SET quote_all_identifiers = off AS $$
DECLARE
    relations oid[];
    readers   oid[];
BEGIN
    SELECT array_agg(m.relid ORDER BY m.depth, m.relid) INTO relations FROM pgtrickle._made_again(root) AS m;
    readers := ARRAY(SELECT DISTINCT r.relid FROM pgtrickle._rules_on(relations) AS r ORDER BY r.relid);
    RETURN QUERY
    WITH made AS MATERIALIZED (
        SELECT u.relid, u.n, c.relkind, c.relispopulated, pgtrickle._qualified(u.relid) AS qualified,
               pgtrickle._set_aside(u.relid) AS aside,
               CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END AS kind,
               pgtrickle._grantee(c.relowner) AS owner, u.relid = root AS is_root
        FROM unnest(relations) WITH ORDINALITY AS u(relid, n) JOIN pg_class c ON c.oid = u.relid),
    looks AS MATERIALIZED (
        SELECT m.n, l.* FROM made m CROSS JOIN LATERAL pgtrickle._looks_of(m.relid) AS l),
    rules AS MATERIALIZED (
        SELECT r.rule, r.is_view, pgtrickle._qualified(r.relid) AS qualified, c.relowner,
               CASE WHEN r.is_view THEN
                   format('CREATE OR REPLACE VIEW %s%s AS %s', pgtrickle._qualified(r.relid),
                          (SELECT format(' WITH (%s)', string_agg(format('%s = %L', split_part(o, '=', 1),
                                                                         split_part(o, '=', 2)), ', '))
                           FROM unnest(c.reloptions) AS o HAVING count(*) > 0), pgtrickle._canonical(r.relid))
               ELSE regexp_replace(regexp_replace(pg_get_ruledef(r.rule), '^CREATE RULE', 'CREATE OR REPLACE RULE'),
                                   E';\\s*$', '') END AS statement
        FROM pgtrickle._rules_on(relations) AS r JOIN pg_class c ON c.oid = r.relid),
    steps(phase, place, kind, action, object, statement, remark) AS (
        SELECT 0, 0::bigint, 0, 'refuse', w.object, NULL, w.reason
        FROM pgtrickle._in_the_way(root, relations, readers) AS w
        UNION ALL
        SELECT 1, m.n, 0, 'set aside', m.qualified,
               format('ALTER %s %s RENAME TO pgtrickle_set_aside_%s', m.kind, m.qualified, m.relid), NULL
        FROM made m
        UNION ALL
        SELECT 1, m.n, 1, 'set aside', pgtrickle._qualified(x.oid),
               format('DROP INDEX %s', pgtrickle._qualified(x.oid)), 'made again below'
        FROM made m JOIN pg_index i ON i.indrelid = m.relid JOIN pg_class x ON x.oid = i.indexrelid
        WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.oid)
          AND x.relname !~ coalesce((SELECT format('^pgtrickle_%s_', s.pgt_id) FROM pgtrickle._stream_tables s
                                     WHERE s.pgt_relid = m.relid), '^$')
        UNION ALL
        SELECT 1, m.n, 2, 'set aside', format('%I.%I', n.nspname, e.stxname),
               format('DROP STATISTICS %I.%I', n.nspname, e.stxname), 'made again below'
        FROM made m JOIN pg_statistic_ext e ON e.stxrelid = m.relid JOIN pg_namespace n ON n.oid = e.stxnamespace
        UNION ALL
        SELECT 2, m.n, 0, CASE WHEN m.is_root THEN 'create' ELSE 'remake' END, m.qualified,
               CASE WHEN m.is_root THEN creating
                    ELSE format('CREATE MATERIALIZED VIEW %s AS %s WITH NO DATA', m.qualified,
                                pgtrickle._canonical(m.relid)) END,
               CASE WHEN NOT m.is_root THEN 'it reads what changes and cannot be replaced: it gets another OID' END
        FROM made m
        UNION ALL
        SELECT 2, l.n, 1 + l.kind, CASE WHEN l.statement IS NULL THEN 'note' ELSE 'run' END, l.object, l.statement,
               l.remark
        FROM looks l WHERE l.place = 1
        UNION ALL
        SELECT 2, m.n, 20, 'fill', m.qualified, filling, NULL FROM made m WHERE m.is_root AND filling IS NOT NULL
        UNION ALL
        SELECT 2, m.n, 30, 'owner', m.qualified, format('ALTER TABLE %s OWNER TO %s', m.qualified, m.owner),
               'and what default privileges have given is taken away'
        FROM made m
        UNION ALL
        SELECT 3, 0, 0, CASE WHEN r.is_view THEN 'view' ELSE 'run' END, r.qualified, r.statement, NULL FROM rules r
        UNION ALL
        SELECT 4, -m.n, 0, 'drop', m.aside, format('DROP %s %s', m.kind, m.aside), NULL FROM made m
        UNION ALL
        SELECT 5, l.n, l.kind, 'run', l.object, l.statement, l.remark FROM looks l WHERE l.place = 2
        UNION ALL
        SELECT 5, m.n, 7, 'run', m.qualified,
               format('COMMENT ON %s %s IS %L', CASE WHEN m.is_root AND NOT refresh THEN 'TABLE'
                                                     ELSE 'MATERIALIZED VIEW' END, m.qualified,
                      obj_description(m.relid, 'pg_class')), NULL
        FROM made m WHERE obj_description(m.relid, 'pg_class') <> 'stream table, kept by pgtrickle'
        UNION ALL
        SELECT 6, m.n, 0, 'run', m.qualified, format('REFRESH MATERIALIZED VIEW %s', m.qualified), NULL
        FROM made m WHERE CASE WHEN m.is_root THEN refresh ELSE m.relispopulated END)
    SELECT s.action, s.object, s.statement, s.remark FROM steps s
    ORDER BY s.phase, s.place, s.kind, s.object COLLATE "C",
             CASE WHEN s.statement LIKE 'CREATE %' THEN 0 ELSE 1 END, s.statement COLLATE "C";
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._swap_steps TO PUBLIC;

-- The columns of a relation, as a list.
CREATE FUNCTION pgtrickle._column_list(relation oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
    FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._column_list TO PUBLIC;

-- What the name means that is to be adopted. Errors: 42P01 there is none, 42809 it is nothing that can be, 42501 not
-- its owner.
CREATE FUNCTION pgtrickle._adoptable(name text, caller_path text, OUT relid oid, OUT qualified text, OUT kind text,
                                     OUT definition text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c record;
BEGIN
    relid := pgtrickle._resolve(name, caller_path);
    IF relid IS NULL THEN
        RAISE EXCEPTION 'materialized view % does not exist', name
            USING ERRCODE = 'undefined_table',
                HINT = 'SELECT * FROM pg_matviews lists them. Names without a schema follow the search_path.';
    END IF;
    qualified := pgtrickle._qualified(relid);
    SELECT x.relkind, pg_get_userbyid(x.relowner) AS owner INTO c FROM pg_class x WHERE x.oid = relid;
    IF EXISTS (SELECT FROM pgtrickle._stream_tables s WHERE s.pgt_relid = relid) THEN
        RAISE EXCEPTION '% is a stream table already', qualified
            USING ERRCODE = 'wrong_object_type', HINT = 'pgtrickle.undo_adopt() makes it what it was.';
    END IF;
    IF NOT pgtrickle._may_manage(relid) THEN
        RAISE EXCEPTION 'must be owner of %', qualified
            USING ERRCODE = 'insufficient_privilege',
                HINT = format('It belongs to role "%s"; roles that are a member of it may adopt it too.', c.owner);
    END IF;
    IF c.relkind = 'm' THEN
        kind := 'materialized view';
        definition := pgtrickle._canonical(relid);
    ELSIF c.relkind = 'r' THEN
        kind := 'immv';
        definition := pgtrickle._immv_definition(relid);
    END IF;
    IF definition IS NULL THEN
        RAISE EXCEPTION '% is not a materialized view', qualified
            USING ERRCODE = 'wrong_object_type',
                HINT = 'Materialized views can be adopted, and those of the extension pg_ivm. For other relations: '
                       'pgtrickle.create_stream_table() under another name.';
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._adoptable TO PUBLIC;

-- The plan. Errors: as _adoptable, and those of create_stream_table for a query that cannot be kept.
CREATE FUNCTION pgtrickle._adopt_plan(name text, schedule text, refresh_mode text, caller_path text, OUT step int,
                                      OUT action text, OUT object text, OUT statement text, OUT remark text)
RETURNS SETOF record
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
#variable_conflict use_column
DECLARE
    old      record;
    made     record;
    problem  record;
    mode     text;
    plan     text := pgtrickle._check_schedule(coalesce(schedule, 'calculated'));
    own      boolean;
    notes    text[] := '{}';
    readable boolean;
BEGIN
    SELECT * INTO old FROM pgtrickle._adoptable(name, caller_path);
    mode := pgtrickle._check_mode(coalesce(refresh_mode, CASE old.kind WHEN 'immv' THEN 'IMMEDIATE' ELSE 'AUTO' END));
    own := current_user = (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = old.relid);
    IF own OR old.kind <> 'immv' AND pgtrickle._foreign_types(ARRAY[old.relid], current_user) IS NULL THEN
        -- else reading the text could run code of somebody else, see _in_the_way
        SELECT l.message, l.hint INTO problem FROM pgtrickle._lost_in_text(old.relid, old.definition) AS l
        WHERE old.kind = 'materialized view';
        IF problem.message IS NOT NULL THEN
            RAISE EXCEPTION '%: the query cannot be kept as text: %', old.qualified, problem.message
                USING ERRCODE = 'feature_not_supported', HINT = problem.hint;
        END IF;
        SELECT * INTO made FROM pgtrickle._define(old.qualified, old.definition, 'pg_catalog', true);
        IF mode IN ('DIFFERENTIAL', 'IMMEDIATE') THEN
            PERFORM pgtrickle._require_differential(old.qualified, made.view_oid, mode);
        END IF;
        notes := ARRAY(SELECT 'it will be recomputed: ' || d.reason FROM pgtrickle._not_differential(made.view_oid) AS d
                       WHERE mode = 'AUTO');
        EXECUTE format('DROP VIEW %s', made.view_oid::regclass);
    END IF;
    readable := (SELECT c.relispopulated FROM pg_class c WHERE c.oid = old.relid);
    RETURN QUERY
    SELECT (row_number() OVER ())::int, x.action, x.object, x.statement, x.remark
    FROM (SELECT s.action, s.object, s.statement, s.remark
          FROM pgtrickle._swap_steps(
                   old.relid,
                   format('SELECT pgtrickle.create_stream_table(%L, %s, schedule => %L, refresh_mode => %L, '
                          'initialize => false)', old.qualified, pgtrickle._dollar_quoted(old.definition), plan, mode),
                   CASE WHEN readable THEN
                       format('INSERT INTO %1$s (%3$s) SELECT %3$s FROM %2$s', old.qualified,
                              pgtrickle._set_aside(old.relid),
                              CASE old.kind WHEN 'immv' THEN
                                  (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
                                   WHERE a.attrelid = old.relid AND a.attnum > 0 AND NOT a.attisdropped
                                     AND a.attname !~ '^__ivm_')
                              ELSE pgtrickle._column_list(old.relid) END) END, false) AS s
          UNION ALL
          SELECT 'note', old.qualified, NULL, n FROM unnest(notes) AS n
          UNION ALL
          SELECT 'note', old.qualified, NULL, 'it has no data: nor has the stream table until the daemon has filled it'
          WHERE NOT readable
          UNION ALL
          SELECT 'by hand', old.qualified, format('SELECT cron.unschedule(%s)', j.jobid),
                 format('pg_cron refreshes it: %s: %s', j.title, pgtrickle._in_a_line(j.command))
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          CROSS JOIN LATERAL pgtrickle._cron_jobs(n.nspname, c.relname) AS j WHERE c.oid = old.relid) AS x;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._adopt_plan TO PUBLIC;

-- Error 2BP01 with what is in the way, if anything is.
CREATE FUNCTION pgtrickle._refuse_steps(qualified text, plan jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    refusals text := (SELECT string_agg(format('%s %s.', p ->> 'object', p ->> 'remark'), E'\n'
                                        ORDER BY (p ->> 'step')::int)
                      FROM jsonb_array_elements(plan) AS p WHERE p ->> 'action' = 'refuse');
BEGIN
    IF refusals IS NOT NULL THEN
        RAISE EXCEPTION 'cannot put another relation in the place of %', qualified
            USING ERRCODE = 'dependent_objects_still_exist', DETAIL = refusals,
                HINT = 'Nothing was changed. Change or drop what is named; afterwards it can be made again.';
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._refuse_steps TO PUBLIC;

-- A step that is a statement. meaning: of what is to be made again. That, and a view, must mean the same afterwards.
CREATE FUNCTION pgtrickle._run_step(action text, object text, statement text, meaning text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
BEGIN
    IF action = 'view' THEN
        meaning := pgtrickle._view_meaning(to_regclass(object));
    ELSIF action = 'owner' THEN
        PERFORM pgtrickle._only_owner(to_regclass(object));
    END IF;
    EXECUTE statement;
    IF action IN ('view', 'remake') AND meaning IS DISTINCT FROM pgtrickle._view_meaning(to_regclass(object)) THEN
        RAISE EXCEPTION 'PostgreSQL''s text of % means another query', object
            USING ERRCODE = 'feature_not_supported', HINT = 'Drop it, and create it again afterwards.';
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._run_step TO PUBLIC;

-- Keeps everybody off the relation, what is to be made again with it and what reads those, until the transaction ends:
-- so nothing changes between plan and step. LOCK TABLE takes no materialized views, and of a view also what it reads;
-- this changes nothing. What is not the caller's is in the way and stays. Statements name what is locked, so its
-- schemas must not be renamed either: a tenant would put others, with tables of his own, in their places. Only a
-- superuser can see to that.
CREATE FUNCTION pgtrickle._lock_for_swap(root oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    above     oid[];
    statement text;
BEGIN
    EXECUTE format('ALTER TABLE %s OWNER TO %s', pgtrickle._qualified(root),
                   (SELECT pgtrickle._grantee(c.relowner) FROM pg_class c WHERE c.oid = root));
    SELECT array_agg(m.relid ORDER BY m.depth, m.relid) INTO above FROM pgtrickle._made_again(root) AS m;
    above := above || ARRAY(SELECT DISTINCT r.relid FROM pgtrickle._rules_on(above) AS r ORDER BY r.relid);
    FOR statement IN
        SELECT format('ALTER TABLE %s OWNER TO %s', pgtrickle._qualified(c.oid), pgtrickle._grantee(c.relowner))
        FROM unnest(above) WITH ORDINALITY AS u(relid, n) JOIN pg_class c ON c.oid = u.relid
        WHERE c.oid <> root AND pg_has_role(current_user, c.relowner, 'USAGE') ORDER BY u.n LOOP
        EXECUTE statement;
    END LOOP;
    IF (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
        PERFORM FROM pg_namespace n
        WHERE n.oid IN (SELECT c.relnamespace FROM pg_class c WHERE c.oid = ANY (above)) ORDER BY n.oid FOR SHARE;
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._lock_for_swap TO PUBLIC;

-- Runs the steps of a plan. definition: for the step that makes a stream table; NULL: it is a statement like others.
CREATE FUNCTION pgtrickle._run_steps(relid oid, qualified text, plan jsonb, definition text, schedule text, mode text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
DECLARE
    s        record;
    id       bigint;
    meanings jsonb := '{}';     -- of relations that are set aside, by their names
    code text; message text; detail text; hint text;
BEGIN
    PERFORM pgtrickle._refuse_steps(qualified, plan);
    FOR s IN SELECT p ->> 'action' AS action, p ->> 'object' AS object, p ->> 'statement' AS statement,
                    p ->> 'remark' AS remark
             FROM jsonb_array_elements(plan) AS p ORDER BY (p ->> 'step')::int LOOP
        BEGIN
            IF s.action IN ('note', 'by hand') THEN
                RAISE NOTICE '%', concat_ws(' ', s.remark, '-- by hand: ' || s.statement);
            ELSIF s.action = 'create' AND definition IS NOT NULL THEN
                PERFORM pgtrickle._create_stream_table(qualified, definition, schedule, mode, false, false, NULL,
                                                       'pg_catalog', true);
                id := (SELECT t.pgt_id FROM pgtrickle._stream_tables t WHERE t.pgt_relid = to_regclass(qualified));
                PERFORM pgtrickle._request('adopted', jsonb_build_object('id', id, 'relid', relid));
            ELSIF s.action = 'fill' THEN
                PERFORM set_config('pgtrickle.apply', id::text, true);
                EXECUTE s.statement;
                PERFORM set_config('pgtrickle.apply', '', true);
            ELSE
                IF s.action = 'set aside' THEN
                    meanings := meanings || jsonb_build_object(s.object,
                                                               pgtrickle._view_meaning(to_regclass(s.object)));
                END IF;
                PERFORM pgtrickle._run_step(s.action, s.object, s.statement,
                                            ARRAY(SELECT jsonb_array_elements_text(meanings -> s.object)));
            END IF;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
                hint = PG_EXCEPTION_HINT;
            IF code = '55P03' THEN
                RAISE;
            END IF;
            PERFORM pgtrickle._fail(code, format('cannot put another relation in the place of %s: %s', qualified,
                                                 message),
                                    concat_ws(E'\n', nullif(detail, ''), 'Step: ' || left(s.statement, 500)), hint);
        END;
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._run_steps TO PUBLIC;

-- Runs what waits for readers of the relation, for which all wait that come meanwhile: so not for long, unless the
-- caller has set lock_timeout. undo: the way back.
CREATE FUNCTION pgtrickle._adopt(name text, undo boolean, schedule text, refresh_mode text, caller_path text)
RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
DECLARE
    waits  boolean := current_setting('lock_timeout') = '0';
    named  text := name;
    answer int;
BEGIN
    BEGIN
        IF waits THEN
            PERFORM set_config('lock_timeout', '10s', true);
        END IF;
        answer := CASE WHEN undo THEN pgtrickle._undo_now(name, caller_path)
                       ELSE pgtrickle._adopt_now(name, schedule, refresh_mode, caller_path) END;
        IF waits THEN
            PERFORM set_config('lock_timeout', '0', true);
        END IF;
    EXCEPTION WHEN lock_not_available THEN
        RAISE EXCEPTION '% is in use: somebody reads or refreshes it, or what reads it', named
            USING ERRCODE = 'lock_not_available', DETAIL = SQLERRM,
                HINT = 'Nothing was changed. Try again, or wait longer: SET lock_timeout = ''5min'';';
    END;
    RETURN answer;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._adopt TO PUBLIC;

CREATE FUNCTION pgtrickle._adopt_now(name text, schedule text, refresh_mode text, caller_path text) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
DECLARE
    old  record;
    plan jsonb;
BEGIN
    SELECT * INTO old FROM pgtrickle._adoptable(name, caller_path);
    PERFORM pgtrickle._lock_for_swap(old.relid);
    SELECT * INTO old FROM pgtrickle._adoptable(old.qualified, '');
    SELECT jsonb_agg(to_jsonb(p)) INTO plan
    FROM pgtrickle._adopt_plan(old.qualified, schedule, refresh_mode, '') AS p;
    PERFORM pgtrickle._run_steps(old.relid, old.qualified, plan, old.definition, schedule,
                                 coalesce(refresh_mode, CASE old.kind WHEN 'immv' THEN 'IMMEDIATE' ELSE 'AUTO' END));
    RETURN jsonb_array_length(plan);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._adopt_now TO PUBLIC;

-- The way back. What is on the stream table now comes with it, no matter who has put it there; what a materialized view
-- cannot have is in the way. Errors: 42704 it was not adopted.
CREATE FUNCTION pgtrickle._undo_adopt_plan(name text, caller_path text, OUT step int, OUT action text, OUT object text,
                                           OUT statement text, OUT remark text) RETURNS SETOF record
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
#variable_conflict use_column
DECLARE
    st        pgtrickle.pgt_stream_tables := pgtrickle._find_own(name, caller_path);
    qualified text := pgtrickle._qualified(st.pgt_relid);
    was       pgtrickle.pgt_adopted;
    maker     oid := pgtrickle._of_pg_ivm('pg_proc', 'create_immv');
    owner     name := (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = st.pgt_relid);
BEGIN
    SELECT * INTO was FROM pgtrickle.pgt_adopted a WHERE a.pgt_id = st.pgt_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'stream table % was not adopted', qualified
            USING ERRCODE = 'undefined_object', HINT = 'pgtrickle.drop_stream_table() removes it.';
    END IF;
    RETURN QUERY
    SELECT (row_number() OVER ())::int, x.action, x.object, x.statement, x.remark
    FROM (SELECT 'refuse' AS action, qualified AS object, NULL AS statement, r.remark AS remark
          FROM (SELECT 'was of the extension pg_ivm, which is not installed' AS remark
                WHERE was.kind = 'immv' AND maker IS NULL
                UNION ALL
                SELECT format('had a query that uses types of others, or was of the extension pg_ivm: do this as role '
                              '"%s", since reading it could run what they wrote as role "%s"', owner, current_user)
                WHERE NOT was.is_plain AND owner <> current_user) AS r
          UNION ALL
          SELECT s.action, s.object, s.statement, s.remark
          FROM pgtrickle._swap_steps(
                   st.pgt_relid,
                   CASE was.kind WHEN 'immv' THEN
                       -- pg_ivm makes an index of its own, and the steps below make it with the others.
                       format('SELECT %s(%L, %s)', maker::regproc, qualified, pgtrickle._dollar_quoted(was.definition))
                       || coalesce((SELECT format('; DROP INDEX IF EXISTS %s',
                                                  string_agg(pgtrickle._qualified(i.indexrelid), ', '
                                                             ORDER BY i.indexrelid))
                                    FROM pg_index i WHERE i.indrelid = st.pgt_relid HAVING count(*) > 0), '')
                   ELSE format('CREATE MATERIALIZED VIEW %s AS %s WITH NO DATA', qualified, was.definition) END,
                   NULL, was.kind <> 'immv') AS s
          UNION ALL
          SELECT 'note', qualified, NULL, 'nothing refreshes it from now on'
          WHERE was.kind <> 'immv') AS x;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._undo_adopt_plan TO PUBLIC;

CREATE FUNCTION pgtrickle._undo_now(name text, caller_path text) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
DECLARE
    st        pgtrickle.pgt_stream_tables := pgtrickle._find_own(name, caller_path);
    qualified text := pgtrickle._qualified(st.pgt_relid);
    plan      jsonb;
BEGIN
    PERFORM pgtrickle._lock_frontiers(ARRAY[st.pgt_id]);
    PERFORM pgtrickle._lock_for_swap(st.pgt_relid);
    SELECT jsonb_agg(to_jsonb(p)) INTO plan FROM pgtrickle._undo_adopt_plan(qualified, '') AS p;
    PERFORM pgtrickle._refuse_steps(qualified, plan);
    PERFORM pgtrickle._request('drop', jsonb_build_object('id', st.pgt_id));
    PERFORM pgtrickle._run_steps(st.pgt_relid, qualified, plan, NULL, NULL, NULL);
    PERFORM pgtrickle._wake_for(st.pgt_id);
    RETURN jsonb_array_length(plan);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._undo_now TO PUBLIC;

-- What users call ----------------------------------------------------------------------------------------------------

CREATE FUNCTION pgtrickle.adopt_plan(name text, schedule text DEFAULT 'calculated', refresh_mode text DEFAULT NULL)
RETURNS TABLE (step int, action text, object text, statement text, remark text) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT p.step, p.action, p.object, p.statement, p.remark
        FROM pgtrickle._adopt_plan(name, schedule, refresh_mode, pg_catalog.current_setting('search_path')) AS p;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.adopt_plan TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.adopt_plan(text, text, text) IS
'What adopt() would do, step by step, and changes nothing. action: refuse: this is in the way, adopt() fails; set aside,
  create, fill, owner, remake, view, drop, run: the statement is run; note: nothing is run; by hand: for you, as a job
  of pg_cron that refreshes it.
Errors: as adopt().';

CREATE FUNCTION pgtrickle.adopt(name text, schedule text DEFAULT 'calculated', refresh_mode text DEFAULT NULL)
RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    RETURN pgtrickle._adopt(name, false, schedule, refresh_mode, pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.adopt TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.adopt(text, text, text) IS
'Makes a materialized view, or one of the extension pg_ivm, a stream table of the same name, in one transaction: with
  columns, indexes, statistics, storage, owner, privileges and comments. Views that read it stay as they are;
  materialized views that read it are made again. It has the rows that it had until the daemon has built it as its
  owner. Returns the number of steps, which adopt_plan() shows; undo_adopt() is the way back.
schedule: as in create_stream_table(). refresh_mode: NULL is AUTO, and IMMEDIATE for pg_ivm.
Errors: 42P01 there is none; 42809 neither; 42501 not its owner; 2BP01 something would be lost, with a list; 55P03 it is
  in use (waits 10 seconds unless lock_timeout is set); those of create_stream_table() for its query.';

CREATE FUNCTION pgtrickle.undo_adopt_plan(name text)
RETURNS TABLE (step int, action text, object text, statement text, remark text) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT p.step, p.action, p.object, p.statement, p.remark
        FROM pgtrickle._undo_adopt_plan(name, pg_catalog.current_setting('search_path')) AS p;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.undo_adopt_plan TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.undo_adopt_plan(text) IS
'What undo_adopt() would do, in the manner of adopt_plan(), and changes nothing.';

CREATE FUNCTION pgtrickle.undo_adopt(name text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    RETURN pgtrickle._adopt(name, true, NULL, NULL, pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.undo_adopt TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.undo_adopt(text) IS
'Makes a stream table that was adopted the materialized view again that it was, with its query of then, the indexes,
  privileges, comments and readers of now, and filled. Returns the number of steps.
Errors: 42704 it was not adopted; 42501 not its owner; 2BP01 it has what a materialized view cannot have, with a list;
  55P03 it is in use.';
