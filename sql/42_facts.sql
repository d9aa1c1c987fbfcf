-- Facts: what a program took from the catalog, recorded, watched and compared.
--
-- A program is made for the world of one moment: functions, types, operators by name, keys, NOT NULLs, row security.
-- Any of that can change later without any DML. So the daemon records all that the query depends on, with a fingerprint
-- of what matters (_record_facts); event triggers (45_ddl_events.sql) and refreshes compare it with what is there now
-- (_changed_facts). A difference means: rebuild and recompute.
--
-- Objects with OIDs below 12000 are pinned by PostgreSQL and part of it: they need no watching.

-- Which user-defined functions and types the body of a function may name, as far as words tell: a superset of what a
-- call can reach, except for what is put together at run time.
CREATE FUNCTION pgtrickle._named_in_body(function_oid oid) RETURNS TABLE (classid oid, objid oid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH words AS MATERIALIZED (
        SELECT DISTINCT x.word::name AS word
        FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
        CROSS JOIN LATERAL (SELECT w AS word FROM regexp_split_to_table(p.prosrc, '[^[:alnum:]_$]+') AS w
                            UNION ALL SELECT lower(w) FROM regexp_split_to_table(p.prosrc, '[^[:alnum:]_$]+') AS w
                            UNION ALL SELECT m[1] FROM regexp_matches(p.prosrc, '"([^"]+)"', 'g') AS m) AS x
        WHERE p.oid = function_oid AND p.prosqlbody IS NULL AND l.lanname NOT IN ('c', 'internal')
          AND x.word <> '' AND octet_length(x.word) < 64)
    SELECT 'pg_proc'::regclass::oid, p.oid FROM words w
    JOIN pg_proc p ON p.proname = w.word AND p.oid >= 16384 AND p.oid <> function_oid
    WHERE p.pronamespace NOT IN ('pgtrickle'::regnamespace, 'pgtrickle_changes'::regnamespace,
                                 'pgtrickle_state'::regnamespace)
    UNION
    SELECT 'pg_type'::regclass::oid, t.oid FROM words w JOIN pg_type t ON t.typname = w.word AND t.oid >= 16384
    WHERE t.typtype IN ('b', 'd', 'e', 'r', 'm') OR t.typtype = 'c'
      AND EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c')
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._named_in_body FROM PUBLIC;

-- What a view depends on by OID, and what that is made of in turn, however deep: functions, operators, types,
-- collations, text search objects, relations. used_by, the first that holds: 'query' the view names it, 'view' a view
-- that it reads does, 'object' another object is made of it, 'body' its name is in the body of a function. `id` adds
-- the columns that the dependencies of a stream table have.
CREATE FUNCTION pgtrickle._used_objects(view_oid oid, id bigint) RETURNS TABLE (classid oid, objid oid, used_by text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY WITH RECURSIVE tracked(classid) AS (
        SELECT c::regclass::oid
        FROM unnest(ARRAY['pg_class', 'pg_proc', 'pg_operator', 'pg_type', 'pg_collation', 'pg_ts_config', 'pg_ts_dict',
                                                  'pg_ts_parser', 'pg_ts_template']) AS c),
    uses(classid, objid, objsubid, rank) AS (
        (SELECT d.refclassid, d.refobjid, d.refobjsubid, 1
         FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
         WHERE r.ev_class = $1 AND NOT (d.refclassid = 'pg_class'::regclass AND d.refobjid = $1)
         UNION ALL
         SELECT 'pg_class'::regclass, d.source_relid, c.num, 3
         FROM pgtrickle.pgt_dependencies d CROSS JOIN LATERAL unnest(d.columns) AS c(num)
         WHERE d.pgt_id = $2)
        UNION
        SELECT x.classid, x.objid, x.objsubid, x.rank FROM uses u CROSS JOIN LATERAL (
            -- what PostgreSQL recorded for it
            SELECT d.refclassid, d.refobjid, d.refobjsubid, greatest(u.rank, 3)
            FROM pg_depend d
            WHERE d.classid = u.classid AND d.objid = u.objid AND d.objsubid = u.objsubid
              AND d.deptype IN ('n', 'a', 'i')
              AND (u.classid <> 'pg_class'::regclass OR u.objsubid > 0)
            UNION ALL       -- the rules of a view
            SELECT d.refclassid, d.refobjid, d.refobjsubid, 2
            FROM pg_class c JOIN pg_rewrite r ON r.ev_class = c.oid AND r.ev_type = '1'
            JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
            WHERE u.classid = 'pg_class'::regclass AND u.rank < 3 AND c.oid = u.objid AND c.relkind = 'v'
              AND NOT (d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid)
            UNION ALL       -- what a column that is computed when it is read is computed with
            SELECT d.refclassid, d.refobjid, d.refobjsubid, 3
            FROM pg_attribute a JOIN pg_attrdef e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
            JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = e.oid
            WHERE u.classid = 'pg_class'::regclass AND u.objsubid > 0 AND a.attrelid = u.objid AND a.attnum = u.objsubid
              AND a.attgenerated = 'v'
            UNION ALL       -- the constraints of a domain
            SELECT d.refclassid, d.refobjid, d.refobjsubid, 3
            FROM pg_constraint k JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = k.oid
            WHERE u.classid = 'pg_type'::regclass AND k.contypid = u.objid AND d.refobjid <> u.objid
            UNION ALL       -- the columns of a composite type
            SELECT 'pg_class'::regclass, a.attrelid, a.attnum::int, 3
            FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
            WHERE u.classid = 'pg_type'::regclass AND t.oid = u.objid AND t.typtype = 'c'
            UNION ALL       -- how the values of a type are compared and hashed
            SELECT s.classid, s.objid, 0, 3
            FROM pg_opclass o CROSS JOIN LATERAL (
                SELECT 'pg_proc'::regclass::oid, p.amproc::oid FROM pg_amproc p
                WHERE p.amprocfamily = o.opcfamily AND u.objid IN (p.amproclefttype, p.amprocrighttype)
                UNION ALL
                SELECT 'pg_operator'::regclass::oid, m.amopopr FROM pg_amop m
                WHERE m.amopfamily = o.opcfamily AND u.objid IN (m.amoplefttype, m.amoprighttype)) AS s(classid, objid)
            WHERE u.classid = 'pg_type'::regclass AND o.opcintype = u.objid
            UNION ALL       -- casts from and to it
            SELECT 'pg_proc'::regclass, k.castfunc, 0, 3 FROM pg_cast k
            WHERE u.classid = 'pg_type'::regclass AND u.objid IN (k.castsource, k.casttarget) AND k.castfunc <> 0
            UNION ALL
            SELECT b.classid, b.objid, 0, 4 FROM pgtrickle._named_in_body(u.objid) AS b
            WHERE u.classid = 'pg_proc'::regclass
        ) AS x(classid, objid, objsubid, rank)
        WHERE x.classid IN (SELECT t.classid FROM tracked t) AND x.objid >= 12000)
    SELECT u.classid, u.objid, (ARRAY['query', 'view', 'object', 'body'])[min(u.rank)]
    FROM uses u WHERE u.objid >= 12000 AND u.classid IN (SELECT t.classid FROM tracked t)
    GROUP BY u.classid, u.objid;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._used_objects FROM PUBLIC;

-- Columns of unique keys that a program may rely on, as texts like '1,2': immediate, valid, total, over columns without
-- NULLs.
CREATE FUNCTION pgtrickle._not_null_columns(relid oid, columns int2[]) RETURNS int2[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT coalesce(array_agg(a.attnum ORDER BY a.attnum), '{}') FROM pg_attribute a
        WHERE a.attrelid = relid AND a.attnum = ANY (columns) AND a.attnotnull AND NOT a.attisdropped
          AND NOT EXISTS (SELECT FROM pg_constraint n     -- from PostgreSQL 18 on NOT NULL can be not validated yet
                          WHERE n.conrelid = a.attrelid AND n.contype = 'n' AND NOT n.convalidated
                            AND n.conkey = ARRAY[a.attnum]));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._not_null_columns TO PUBLIC;

CREATE FUNCTION pgtrickle._unique_keys(relid oid, columns int2[]) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT coalesce(array_agg(DISTINCT array_to_string(k.key, ',')), '{}')
        FROM (SELECT (i.indkey::int2[])[0:i.indnkeyatts - 1] AS key FROM pg_index i
              WHERE i.indrelid = relid AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL
                AND i.indexprs IS NULL) AS k
        WHERE k.key <@ pgtrickle._not_null_columns(relid, columns));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._unique_keys TO PUBLIC;

-- Do policies restrict what `role` reads of a relation?
CREATE FUNCTION pgtrickle._row_security_applies(relid oid, role oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT coalesce((SELECT c.relrowsecurity AND NOT r.rolsuper AND NOT r.rolbypassrls
                                AND (c.relforcerowsecurity OR NOT pg_has_role(r.oid, c.relowner, 'USAGE'))
                         FROM pg_class c, pg_roles r WHERE c.oid = relid AND r.oid = role), false));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._row_security_applies TO PUBLIC;

-- Does a view read with the rights of who reads it (PostgreSQL 15 and later), instead of its owner's?
CREATE FUNCTION pgtrickle._is_security_invoker(view_oid oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN (
        SELECT coalesce((SELECT p.option_value::boolean
                         FROM pg_class c CROSS JOIN LATERAL pg_options_to_table(c.reloptions) AS p
                         WHERE c.oid = view_oid AND p.option_name = 'security_invoker'), false));
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._is_security_invoker FROM PUBLIC;

-- With whose rights relations are read: those of `owner`, and behind a view those of the view's owner, unless it is a
-- security invoker. A row per relation and role.
CREATE FUNCTION pgtrickle._read_as(view_oid oid, owner oid) RETURNS TABLE (relid oid, role oid)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE reads(relid, role) AS (
        SELECT view_oid, owner
        UNION
        SELECT d.refobjid, CASE WHEN v.relid = view_oid OR pgtrickle._is_security_invoker(v.relid) THEN v.role
                                ELSE c.relowner END
        FROM reads v JOIN pg_class c ON c.oid = v.relid AND c.relkind = 'v'
        JOIN pg_rewrite r ON r.ev_class = v.relid AND r.ev_type = '1'
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
          AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.relid)
    SELECT r.relid, r.role FROM reads r JOIN pg_class c ON c.oid = r.relid WHERE c.relkind IN ('r', 'p');
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._read_as FROM PUBLIC;

-- A fact as it is now, as an object whose keys say what may differ; NULL if its object does not exist. Kinds:
--   definition    of a function, type, operator ...: its name and whatever decides what it does
--   overloads     of a function or operator: others of its name, which its name could mean when the text is read again
--   casts         user-defined casts between the types in use, and between the ones that PostgreSQL has
--   collation     version of the library that a collation, or (objid 0) that of the database, comes from
--   relation      names and types of the columns in use; of a view its query
--   keys          NOT NULL columns and unique keys: what is recorded must still be there, more may be
--   children      partitions, inheritance
--   row security  what of it concerns the role that reads
--   triggers      capture triggers, with what tells that one was disabled and enabled again
--   storage       files: a rewritten table may have other rows without any DML
--   owner         of the stream table itself, and its columns
--   watchers      the event triggers, with what tells that one was disabled for a while
-- Schemas by their row, not by a cast to regnamespace: that would be newer than the snapshot.
CREATE FUNCTION pgtrickle._fact_now(f pgtrickle.pgt_facts) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    CASE f.kind
    WHEN 'definition' THEN
        CASE f.classid
        WHEN 'pg_proc'::regclass THEN
            RETURN (SELECT jsonb_build_object(
                'name', (SELECT quote_ident(n.nspname) FROM pg_namespace n WHERE n.oid = p.pronamespace) || '.'
                    || quote_ident(p.proname),
                'body', md5(concat_ws('|', p.prosrc, p.probin, p.prosqlbody, p.prolang, p.prokind)),
                'arguments', md5(concat_ws('|', p.proargtypes, p.proallargtypes, p.proargmodes, p.proargdefaults,
                                           p.provariadic, p.prorettype, p.proretset)),
                'properties', concat_ws(' ', p.provolatile, p.proisstrict, p.proconfig,
                                        CASE WHEN p.prosecdef THEN p.proowner END),
                'aggregate',
                    (SELECT md5(concat_ws('|', g.aggkind, g.aggnumdirectargs, g.aggtransfn::oid, g.aggfinalfn::oid,
                                          g.aggcombinefn::oid, g.aggserialfn::oid,
                                     g.aggdeserialfn::oid, g.aggmtransfn::oid, g.aggminvtransfn::oid,
                                         g.aggmfinalfn::oid, g.aggfinalextra, g.aggmfinalextra,
                                     g.aggfinalmodify, g.aggmfinalmodify, g.aggsortop, g.aggtranstype, g.aggmtranstype,
                                         g.agginitval, g.aggminitval))
                              FROM pg_aggregate g WHERE g.aggfnoid = p.oid))
                FROM pg_proc p WHERE p.oid = f.objid);
        WHEN 'pg_type'::regclass THEN
            RETURN (SELECT jsonb_build_object(
                'name', (SELECT quote_ident(n.nspname) FROM pg_namespace n WHERE n.oid = t.typnamespace) || '.'
                    || quote_ident(t.typname),
                'kind', concat_ws(' ', t.typtype, t.typinput::oid, t.typoutput::oid, t.typreceive::oid, t.typsend::oid,
                                  t.typlen, t.typbyval, t.typcategory),
                'labels', (SELECT jsonb_agg(jsonb_build_array(e.oid::bigint, e.enumlabel) ORDER BY e.enumsortorder)
                           FROM pg_enum e WHERE e.enumtypid = t.oid),
                'domain', CASE WHEN t.typtype = 'd' THEN concat_ws(' ', t.typbasetype, t.typtypmod, t.typnotnull,
                                                                   t.typcollation, md5(t.typdefaultbin::text)) END,
                'constraints', (SELECT jsonb_agg(k.c ORDER BY k.c)
                                FROM (SELECT md5(concat_ws('|', k.contype, k.convalidated, k.conbin)) AS c
                                FROM pg_constraint k WHERE k.contypid = t.oid) AS k),
                'attributes',
                    (SELECT jsonb_agg(jsonb_build_array(a.attnum, a.attname, a.atttypid::bigint, a.atttypmod,
                                                        a.attcollation::bigint) ORDER BY a.attnum)
                               FROM pg_attribute a WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0
                                 AND NOT a.attisdropped),
                'range', (SELECT md5(concat_ws(' ', r.rngtypid, r.rngsubtype, r.rngmultitypid, r.rngcollation,
                                               r.rngsubopc, r.rngcanonical::oid, r.rngsubdiff::oid))
                          FROM pg_range r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)),
                'comparison',
                    (SELECT md5(string_agg(concat_ws('|', o.oid, o.opcmethod, o.opcdefault, o.opcfamily, o.opckeytype,
                                                     x.members), ' ' ORDER BY o.oid))
                               FROM pg_opclass o CROSS JOIN LATERAL (
                                   SELECT concat_ws('/', (SELECT string_agg(concat_ws(',', m.amopstrategy, m.amopopr,
                                        m.amoplefttype, m.amoprighttype), ';'
                                                                            ORDER BY m.amopstrategy, m.amoplefttype,
                                                                                m.amoprighttype)
                                                          FROM pg_amop m WHERE m.amopfamily = o.opcfamily
                                                            AND t.oid IN (m.amoplefttype, m.amoprighttype)),
                                                         (SELECT string_agg(concat_ws(',', p.amprocnum, p.amproc::oid,
                                        p.amproclefttype, p.amprocrighttype), ';'
                                                                            ORDER BY p.amprocnum, p.amproclefttype,
                                                                                p.amprocrighttype)
                                                          FROM pg_amproc p WHERE p.amprocfamily = o.opcfamily
                                                            AND t.oid IN (p.amproclefttype, p.amprocrighttype))) AS
                                                                members) AS x
                               WHERE o.opcintype = t.oid))
                FROM pg_type t WHERE t.oid = f.objid);
        WHEN 'pg_operator'::regclass THEN
            RETURN (SELECT jsonb_build_object('name', (SELECT quote_ident(n.nspname) FROM pg_namespace n
                                                       WHERE n.oid = o.oprnamespace) || '.' || o.oprname,
                                              'function', o.oprcode::oid::bigint,
                                              'properties', concat_ws(' ', o.oprleft, o.oprright, o.oprresult,
                                                                      o.oprcanhash, o.oprcanmerge))
                    FROM pg_operator o WHERE o.oid = f.objid);
        WHEN 'pg_collation'::regclass THEN
            RETURN (SELECT jsonb_build_object('name', (SELECT quote_ident(n.nspname) FROM pg_namespace n
                                                       WHERE n.oid = c.collnamespace) || '.' || quote_ident(c.collname),
                                              'properties',
                                                  md5((to_jsonb(c) - ARRAY['oid', 'collname', 'collnamespace',
                                                                           'collowner'])::text))
                    FROM pg_collation c WHERE c.oid = f.objid);
        WHEN 'pg_ts_config'::regclass THEN
            RETURN (SELECT jsonb_build_object('name', (SELECT quote_ident(n.nspname) FROM pg_namespace n
                                                       WHERE n.oid = c.cfgnamespace) || '.' || quote_ident(c.cfgname),
                                              'parser', c.cfgparser::bigint,
                                              'mapping', (SELECT md5(string_agg(m::text,
                                        ' ' ORDER BY m.maptokentype, m.mapseqno))
                                                          FROM pg_ts_config_map m WHERE m.mapcfg = c.oid))
                    FROM pg_ts_config c WHERE c.oid = f.objid);
        WHEN 'pg_ts_dict'::regclass THEN
            RETURN (SELECT jsonb_build_object('name', (SELECT quote_ident(n.nspname) FROM pg_namespace n
                                                       WHERE n.oid = d.dictnamespace) || '.' || quote_ident(d.dictname),
                                              'properties', md5(concat_ws('|', d.dicttemplate, d.dictinitoption)))
                    FROM pg_ts_dict d WHERE d.oid = f.objid);
        WHEN 'pg_ts_parser'::regclass THEN
            RETURN (SELECT jsonb_build_object('name', (SELECT quote_ident(n.nspname) FROM pg_namespace n
                                                       WHERE n.oid = p.prsnamespace) || '.' || quote_ident(p.prsname),
                                              'properties', md5(p::text))
                    FROM pg_ts_parser p WHERE p.oid = f.objid);
        WHEN 'pg_ts_template'::regclass THEN
            RETURN (SELECT jsonb_build_object('name', (SELECT quote_ident(n.nspname) FROM pg_namespace n
                                                       WHERE n.oid = t.tmplnamespace) || '.' || quote_ident(t.tmplname),
                                              'properties', md5(t::text))
                    FROM pg_ts_template t WHERE t.oid = f.objid);
        END CASE;
    WHEN 'overloads' THEN
        IF f.classid = 'pg_proc'::regclass THEN
            RETURN (SELECT jsonb_build_object('objects', coalesce(jsonb_agg(p.oid::bigint ORDER BY p.oid), '[]'))
                    FROM pg_proc p
                    WHERE p.proname = f.name AND (f.used_by NOT IN ('query', 'view')
                                                  OR p.pronamespace = to_regnamespace(quote_ident(f.schema))));
        END IF;
        RETURN (SELECT jsonb_build_object('objects', coalesce(jsonb_agg(o.oid::bigint ORDER BY o.oid), '[]'))
                FROM pg_operator o
                WHERE o.oprname = f.name AND o.oprnamespace = to_regnamespace(quote_ident(f.schema)));
    WHEN 'casts' THEN
        RETURN (WITH used AS (SELECT t.objid FROM pgtrickle.pgt_facts t
                              WHERE t.pgt_id = f.pgt_id AND t.classid = 'pg_type'::regclass)
                SELECT jsonb_build_object('casts',
                                          jsonb_agg(concat_ws(' ', k.castsource, k.casttarget, k.castfunc,
                                                              k.castcontext, k.castmethod)
                                                             ORDER BY k.castsource, k.casttarget))
                FROM pg_cast k WHERE k.oid >= 16384
                  AND (k.castsource IN (SELECT u.objid FROM used u) OR k.casttarget IN (SELECT u.objid FROM used u)
                       OR k.castsource < 12000 AND k.casttarget < 12000));
    WHEN 'collation' THEN
        IF f.objid <> 0 THEN
            RETURN (SELECT jsonb_build_object('version', pg_collation_actual_version(c.oid)) FROM pg_collation c
                    WHERE c.oid = f.objid);
        END IF;
        RETURN (SELECT jsonb_build_object('version', pg_database_collation_actual_version(d.oid)) FROM pg_database d
                WHERE d.datname = current_database());
    WHEN 'relation' THEN
        RETURN (SELECT jsonb_build_object(
            'name', (SELECT quote_ident(n.nspname) FROM pg_namespace n WHERE n.oid = c.relnamespace) || '.'
                || quote_ident(c.relname), 'kind', c.relkind, 'persistence',
                c.relpersistence,
            'columns', (SELECT jsonb_agg(jsonb_build_array(a.attnum, a.attname, a.atttypid::bigint, a.atttypmod,
                                                           a.attcollation::bigint,
                            CASE WHEN a.attgenerated <> '' THEN (SELECT md5(e.adbin::text) FROM pg_attrdef e
                                                                 WHERE e.adrelid = a.attrelid
                                                                   AND e.adnum = a.attnum) END)
                                         ORDER BY a.attnum)
                        FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (f.columns)
                          AND NOT a.attisdropped),
            'query', CASE WHEN c.relkind = 'v' THEN (SELECT md5(concat_ws('|', r.ev_action, c.reloptions, c.relowner))
                                                     FROM pg_rewrite r WHERE r.ev_class = c.oid
                                                       AND r.ev_type = '1') END)
            FROM pg_class c WHERE c.oid = f.objid);
    WHEN 'keys' THEN
        RETURN (SELECT jsonb_build_object('not_null', pgtrickle._not_null_columns(c.oid, f.columns), 'unique',
                                          pgtrickle._unique_keys(c.oid, f.columns))
                FROM pg_class c WHERE c.oid = f.objid);
    WHEN 'children' THEN
        RETURN (SELECT jsonb_build_object('children', (SELECT jsonb_agg(r::bigint)
                                                       FROM unnest(pgtrickle._source_relations(c.oid)) AS r
                                                       WHERE r <> c.oid),
                                          'parents', (SELECT jsonb_agg(i.inhparent::bigint ORDER BY i.inhparent)
                                                      FROM pg_inherits i WHERE i.inhrelid = c.oid))
                FROM pg_class c WHERE c.oid = f.objid);
    WHEN 'row security' THEN
        RETURN (SELECT CASE WHEN pgtrickle._row_security_applies(c.oid, f.role)
                            THEN jsonb_build_object('applies', true, 'policies',
                    (SELECT jsonb_object_agg(p.polname,
                                             md5(concat_ws('|', p.polpermissive, p.polqual,
                                                           (SELECT bool_or(r = 0 OR pg_has_role(f.role, r, 'USAGE'))
                                                                                                     FROM unnest(
                                        p.polroles) AS r))))
                     FROM pg_policy p WHERE p.polrelid = c.oid AND p.polcmd IN ('*', 'r')))
                ELSE '{"applies": false}' END
                FROM pg_class c WHERE c.oid = f.objid);
    WHEN 'triggers' THEN
        RETURN (SELECT jsonb_build_object('source', x.id, 'triggers',
                    (SELECT jsonb_agg(concat_ws(' ', t.tgrelid, t.tgname, t.tgenabled, t.xmin) ORDER BY t.oid)
                     FROM pg_trigger t
                     WHERE t.tgrelid = ANY (pgtrickle._source_relations(c.oid))
                       AND t.tgname ~ ('^pgtrickle_' || x.id || '_[iudt]$')))
                FROM pg_class c CROSS JOIN LATERAL (
                    SELECT coalesce((f.fingerprint ->> 'source')::bigint,
                                    (SELECT d.source_id FROM pgtrickle.pgt_dependencies d
                                     WHERE d.pgt_id = f.pgt_id AND d.source_relid = c.oid)) AS id) AS x
                WHERE c.oid = f.objid);
    WHEN 'storage' THEN
        RETURN (SELECT jsonb_build_object('files',
                                          jsonb_agg(jsonb_build_array(p.oid::bigint,
                                                                      p.relfilenode::bigint) ORDER BY p.oid))
                FROM pg_class c JOIN pg_class p ON p.oid = ANY (pgtrickle._source_relations(c.oid))
                WHERE c.oid = f.objid HAVING count(*) > 0);
    WHEN 'owner' THEN
        RETURN (SELECT jsonb_build_object('owner', c.relowner::bigint, 'columns',
                    (SELECT jsonb_agg(jsonb_build_array(a.attname, a.atttypid::bigint, a.atttypmod,
                                                        a.attcollation::bigint) ORDER BY a.attnum)
                     FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))
                FROM pg_class c WHERE c.oid = f.objid);
    WHEN 'watchers' THEN
        IF f.fingerprint ? 'triggers' AND NOT pgtrickle._has_event_triggers() THEN
            RETURN f.fingerprint;       -- then everything is compared anyway
        END IF;
        RETURN (SELECT jsonb_build_object('triggers',
                                          coalesce(jsonb_agg(concat_ws(' ', e.oid, e.xmin) ORDER BY e.oid), '[]'))
                FROM pg_event_trigger e WHERE pgtrickle._has_event_triggers()
                  AND e.evtname IN ('pgtrickle_ddl', 'pgtrickle_drop', 'pgtrickle_rewrite'));
    END CASE;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._fact_now TO PUBLIC;

-- Name of an object for people and for following renames, all NULL if it does not exist.
CREATE FUNCTION pgtrickle._object_name(class oid, object oid, OUT object_type text, OUT schema name, OUT name name,
                                       OUT identity text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    SELECT i.type, n.nspname, o.name, CASE class WHEN 'pg_class'::regclass THEN pgtrickle._qualified(object)
                                           ELSE i.identity END
      INTO object_type, schema, name, identity
    FROM (SELECT p.pronamespace, p.proname FROM pg_proc p WHERE class = 'pg_proc'::regclass AND p.oid = object
          UNION ALL SELECT t.typnamespace, t.typname FROM pg_type t WHERE class = 'pg_type'::regclass AND t.oid = object
          UNION ALL SELECT p.oprnamespace, p.oprname FROM pg_operator p
          WHERE class = 'pg_operator'::regclass AND p.oid = object
          UNION ALL SELECT c.relnamespace, c.relname FROM pg_class c
          WHERE class = 'pg_class'::regclass AND c.oid = object
          UNION ALL SELECT c.collnamespace, c.collname FROM pg_collation c
          WHERE class = 'pg_collation'::regclass AND c.oid = object
          UNION ALL SELECT c.cfgnamespace, c.cfgname FROM pg_ts_config c
          WHERE class = 'pg_ts_config'::regclass AND c.oid = object
          UNION ALL SELECT d.dictnamespace, d.dictname FROM pg_ts_dict d
          WHERE class = 'pg_ts_dict'::regclass AND d.oid = object
          UNION ALL SELECT p.prsnamespace, p.prsname FROM pg_ts_parser p
          WHERE class = 'pg_ts_parser'::regclass AND p.oid = object
          UNION ALL SELECT t.tmplnamespace, t.tmplname FROM pg_ts_template t
          WHERE class = 'pg_ts_template'::regclass AND t.oid = object) AS o(nsp, name)
    JOIN pg_namespace n ON n.oid = o.nsp
    CROSS JOIN LATERAL pg_identify_object(class, object, 0) AS i;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._object_name TO PUBLIC;

-- Records all facts of stream table `id`, whose query is the view `view_oid` (a scratch one, not to be recorded
-- itself). For the admin. What a program is compiled from is to be read after this, and compared (_changed_facts) once
-- it is installed.
CREATE FUNCTION pgtrickle._record_facts(id bigint, view_oid oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off SET jit = off AS $$
DECLARE
    st    pgtrickle.pgt_stream_tables;
    owner oid;
BEGIN
    SELECT * INTO STRICT st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = id;
    owner := (SELECT c.relowner FROM pg_class c WHERE c.oid = st.pgt_relid);
    DELETE FROM pgtrickle.pgt_facts x WHERE x.pgt_id = id;
    WITH used AS MATERIALIZED (
        SELECT u.classid, u.objid, u.used_by FROM pgtrickle._used_objects(view_oid, id) AS u),
    relations AS MATERIALIZED (     -- with the columns that are used
        SELECT c.oid, c.relkind, coalesce(d.columns, s.columns, '{}') AS columns, u.used_by, d.source_id
        FROM used u JOIN pg_class c ON u.classid = 'pg_class'::regclass AND c.oid = u.objid
          AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        LEFT JOIN pgtrickle._view_sources(view_oid) AS s ON s.relid = c.oid
        LEFT JOIN pgtrickle.pgt_dependencies d ON d.pgt_id = id AND d.source_relid = c.oid),
    facts(classid, objid, kind, role, columns, used_by) AS (
        SELECT u.classid, u.objid, 'definition', 0::oid, '{}'::int2[], u.used_by FROM used u
        WHERE u.classid <> 'pg_class'::regclass
        UNION ALL
        SELECT u.classid, u.objid, 'overloads', 0::oid, '{}', u.used_by FROM used u
        WHERE u.classid = 'pg_proc'::regclass AND u.used_by <> 'object' OR u.classid = 'pg_operator'::regclass
          AND u.used_by IN ('query', 'view')
        UNION ALL
        SELECT u.classid, u.objid, 'collation', 0::oid, '{}', u.used_by FROM used u
        WHERE u.classid = 'pg_collation'::regclass
        UNION ALL
        SELECT 'pg_class'::regclass, r.oid, 'relation', 0::oid, r.columns, r.used_by FROM relations r
        UNION ALL
        SELECT 'pg_class'::regclass, r.oid, k.kind, 0::oid, r.columns, r.used_by
        FROM relations r CROSS JOIN unnest(ARRAY['keys', 'children', 'storage', 'triggers']) AS k(kind)
        WHERE r.relkind IN ('r', 'p') AND (k.kind IN ('keys', 'children') OR r.source_id IS NOT NULL)
        UNION ALL
        -- A program reads what is behind a view itself, with the rights of its owner: if that is not the same, it is
        -- recomputed.
        SELECT DISTINCT 'pg_class'::regclass::oid, a.relid, 'row security', r.role, '{}'::int2[], 'query'
        FROM pgtrickle._read_as(view_oid, owner) AS a CROSS JOIN LATERAL (VALUES (a.role), (owner)) AS r(role)
        UNION ALL
        SELECT 'pg_class'::regclass, st.pgt_relid, 'owner', 0::oid, '{}', 'object')
    INSERT INTO pgtrickle.pgt_facts
    SELECT x.pgt_id, x.classid, x.objid, x.kind, x.role, x.columns, x.object_type, x.schema, x.name, x.identity,
           x.used_by, coalesce(pgtrickle._fact_now(x), '{}')
    FROM (SELECT (ROW(id, f.classid, f.objid, f.kind, f.role, f.columns, n.object_type, n.schema, n.name, n.identity,
                      f.used_by, '{}')::pgtrickle.pgt_facts).*
          FROM facts f CROSS JOIN LATERAL pgtrickle._object_name(f.classid, f.objid) AS n
          WHERE n.name IS NOT NULL) AS x;
    INSERT INTO pgtrickle.pgt_facts         -- by now the types in use are known
    SELECT x.pgt_id, x.classid, x.objid, x.kind, x.role, x.columns, x.object_type, x.schema, x.name, x.identity,
           x.used_by, coalesce(pgtrickle._fact_now(x), '{}')
    FROM (SELECT (ROW(id, y.class::regclass, 0, y.kind, 0, '{}', y.kind, NULL, NULL, y.kind, 'object',
                      '{}')::pgtrickle.pgt_facts).*
          FROM (VALUES ('pg_cast', 'casts'), ('pg_database', 'collation'),
                ('pg_event_trigger', 'watchers')) AS y(class, kind)) AS x;
    UPDATE pgtrickle.pgt_frontiers x SET facts_from = '0' WHERE x.pgt_id = id;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._record_facts FROM PUBLIC;

-- How a fact differs from what is there now, for people; NULL if it does not. now: see _fact_now.
CREATE FUNCTION pgtrickle._fact_reason(f pgtrickle.pgt_facts, now jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    what    text := concat_ws(' ', f.object_type, f.identity);
    changed text[];
    name    text;
BEGIN
    IF f.kind = 'keys' AND now -> 'not_null' @> (f.fingerprint -> 'not_null')
        AND now -> 'unique' @> (f.fingerprint -> 'unique') THEN
        RETURN NULL;        -- what the program relies on is there
    ELSIF now IS NULL THEN
        RETURN format('%s was dropped', what);
    END IF;
    SELECT coalesce(array_agg(w.key), '{}') INTO changed FROM jsonb_each(f.fingerprint) AS w
    WHERE w.value IS DISTINCT FROM now -> w.key;
    IF 'name' = ANY (changed) THEN
        RETURN format('%s was renamed to %s', what, now ->> 'name');
    END IF;
    CASE f.kind
    WHEN 'definition' THEN
        RETURN CASE
            WHEN f.classid = 'pg_proc'::regclass AND changed && ARRAY['body', 'arguments', 'aggregate'] THEN
                format('%s was replaced', what)
            WHEN 'labels' = ANY (changed) THEN format('the labels of %s were changed', what)
            WHEN changed && ARRAY['domain', 'constraints'] THEN format('the domain %s was altered', f.identity)
            WHEN 'attributes' = ANY (changed) THEN format('the columns of %s were changed', what)
            WHEN 'comparison' = ANY (changed) THEN format('how values of %s are compared was changed', what)
            ELSE format('%s was altered', what) END;
    WHEN 'overloads' THEN
        RETURN format('there are other %ss with the name of %s now', f.object_type, f.identity);
    WHEN 'casts' THEN
        RETURN 'a cast was created or dropped';
    WHEN 'collation' THEN
        RETURN format('the version of %s changed',
                      CASE f.objid WHEN 0 THEN 'the database''s default collation' ELSE what END);
    WHEN 'relation' THEN
        IF 'columns' = ANY (changed) THEN
            SELECT format('column %I of %s was %s', w.value ->> 1, what,
                          CASE WHEN n.value IS NULL THEN 'dropped'
                               WHEN n.value ->> 1 <> w.value ->> 1 THEN format('renamed to %I', n.value ->> 1)
                               WHEN n.value -> 4 <> w.value -> 4 AND n.value -> 2 = w.value -> 2 THEN
                                   'given another collation'
                               WHEN n.value -> 2 <> w.value -> 2 OR n.value -> 3 <> w.value -> 3 THEN
                                   'given another type' ELSE 'given another expression' END)
            INTO name
            FROM jsonb_array_elements(f.fingerprint -> 'columns') AS w
            LEFT JOIN jsonb_array_elements(now -> 'columns') AS n ON n.value -> 0 = w.value -> 0
            WHERE n.value IS DISTINCT FROM w.value LIMIT 1;
            RETURN coalesce(name, format('the columns of %s changed', what));
        END IF;
        RETURN format(CASE WHEN 'query' = ANY (changed) THEN '%s was replaced' ELSE '%s was altered' END, what);
    WHEN 'keys' THEN
        SELECT format('column %I of %s may be NULL now', a.attname, what) INTO name
        FROM jsonb_array_elements_text(f.fingerprint -> 'not_null') AS w(num)
        JOIN pg_attribute a ON a.attrelid = f.objid AND a.attnum = w.num::int
        WHERE NOT now -> 'not_null' @> to_jsonb(w.num::int) LIMIT 1;
        RETURN coalesce(name, format('a unique key of %s was dropped or altered', what));
    WHEN 'children' THEN
        RETURN format('partitions or children of %s changed, or what it belongs to', what);
    WHEN 'row security' THEN
        SELECT format('policy %I of %s was %s', k.policy, what,
                      CASE WHEN f.fingerprint -> 'policies' -> k.policy IS NULL THEN 'added'
                                                                     WHEN now -> 'policies' -> k.policy IS NULL THEN
                                                                         'dropped' ELSE 'changed' END)
        INTO name
        FROM (SELECT jsonb_object_keys(coalesce(nullif(f.fingerprint -> 'policies', 'null'), '{}')
                                       || coalesce(nullif(now -> 'policies', 'null'), '{}'))) AS k(policy)
        WHERE 'applies' <> ALL (changed)
          AND f.fingerprint -> 'policies' -> k.policy IS DISTINCT FROM now -> 'policies' -> k.policy LIMIT 1;
        RETURN coalesce(name, format(CASE WHEN (now -> 'applies')::boolean THEN 'row security of %s applies to role '
                                                                                '%I now'
                                          ELSE 'row security of %s does not apply to role %I any more' END,
                                     what, (SELECT r.rolname FROM pg_roles r WHERE r.oid = f.role)));
    WHEN 'triggers' THEN
        RETURN format('capture triggers of %s were dropped, disabled or altered', what);
    WHEN 'storage' THEN
        RETURN format('%s was rewritten', what);
    WHEN 'owner' THEN
        RETURN CASE WHEN 'owner' = ANY (changed) THEN 'the stream table has a new owner'
                    ELSE format('columns of %s were added, dropped or altered', f.identity) END;
    WHEN 'watchers' THEN
        RETURN 'pgtrickle''s event triggers were created, or disabled for a while';
    END CASE;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._fact_reason TO PUBLIC;

-- The reason why a fact does not hold any more, NULL if it does.
CREATE FUNCTION pgtrickle._lost_fact(f pgtrickle.pgt_facts) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $$
DECLARE
    now jsonb := pgtrickle._fact_now(f);
BEGIN
    RETURN CASE WHEN now IS DISTINCT FROM f.fingerprint THEN pgtrickle._fact_reason(f, now) END;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._lost_fact TO PUBLIC;

-- Which recorded facts do not hold any more, of these stream tables and of these kinds (NULL: of all).
CREATE FUNCTION pgtrickle._changed_facts(ids bigint[], kinds text[] DEFAULT NULL)
RETURNS TABLE (pgt_id bigint, kind text, identity text, reason text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT x.pgt_id, x.kind, x.identity, x.reason
                 FROM (SELECT f.pgt_id, f.kind, f.identity, pgtrickle._lost_fact(f) AS reason, f.classid, f.objid
                       FROM pgtrickle.pgt_facts f
                       WHERE f.pgt_id = ANY (ids) AND (kinds IS NULL OR f.kind = ANY (kinds))) AS x
                 WHERE x.reason IS NOT NULL ORDER BY x.pgt_id, x.classid, x.objid, x.kind;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._changed_facts TO PUBLIC;

-- For a refresh, at its snapshot: 'rebuild' or 'recompute' if facts do not hold any more, NULL if all do. everything:
-- not only row security, which roles can change as well, so that no event trigger tells. A query that is recomputed is
-- read under the policies that there are, so it need not be rebuilt for others.
CREATE FUNCTION pgtrickle._facts_answer(id bigint, everything boolean) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    follows_policies boolean := coalesce((SELECT s.effective_refresh_mode = 'FULL' FROM pgtrickle.pgt_stream_tables s
                                          WHERE s.pgt_id = id), false);
BEGIN
    RETURN (SELECT CASE WHEN bool_or(c.kind <> 'storage' AND NOT (c.kind = 'row security' AND follows_policies))
                        THEN 'rebuild'
                        WHEN count(*) > 0 THEN 'recompute' END
            FROM pgtrickle._changed_facts(ARRAY[id], CASE WHEN NOT everything THEN ARRAY['row security'] END) AS c);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._facts_answer TO PUBLIC;

-- After all has been recomputed: the files of the sources are the ones that were read.
CREATE FUNCTION pgtrickle._note_storage(id bigint) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    UPDATE pgtrickle.pgt_facts x SET fingerprint = coalesce(pgtrickle._fact_now(x), '{}')
    WHERE x.pgt_id = id AND x.kind = 'storage'
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._note_storage FROM PUBLIC;

-- A look at facts for which no refresh is needed, so that idle stream tables notice what no event trigger tells; for
-- the daemon. Those of which facts do not hold any more are marked for re-initialisation; a rewritten source gets a
-- marker in its log. Returns how many differ. With event triggers that is what roles and libraries decide, unless not
-- all transactions are known to have ended that were older than the facts: these looked for facts that were not there
-- yet.
CREATE FUNCTION pgtrickle._watch_facts(ids bigint[]) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off SET jit = off AS $$
DECLARE
    watched boolean := pgtrickle._has_event_triggers();
    settled xid8 := pg_snapshot_xmin(pg_current_snapshot());
    open    xid8 := pg_snapshot_xmax(pg_current_snapshot());
    c       record;
    n       int := 0;
BEGIN
    FOR c IN SELECT s.pgt_id, f.facts_from, x.reason, x.storage
             FROM pgtrickle.pgt_stream_tables s JOIN pgtrickle.pgt_frontiers f USING (pgt_id)
             CROSS JOIN LATERAL (
                 SELECT min(y.reason) FILTER (WHERE y.kind <> 'storage') AS reason, count(*) > 0 AS storage
                 FROM pgtrickle._changed_facts(ARRAY[s.pgt_id],
                                               CASE WHEN watched AND f.facts_from IS NULL THEN ARRAY['row security',
                                        'collation', 'owner', 'watchers'] END) AS y) AS x
             WHERE s.pgt_id = ANY (ids) AND NOT s.needs_reinit AND s.status NOT IN ('PENDING', 'INITIALIZING')
             ORDER BY s.pgt_id LOOP
        IF c.reason IS NOT NULL THEN
            PERFORM pgtrickle._mark_reinit(ARRAY[c.pgt_id], c.reason);
            n := n + 1;
        ELSIF c.storage THEN
            PERFORM pgtrickle._mark_rewritten(c.pgt_id);
            n := n + 1;
        ELSIF c.facts_from IS NOT NULL THEN
            -- A refresh at this moment does it itself.
            UPDATE pgtrickle.pgt_frontiers f SET facts_from = CASE WHEN settled = open OR f.facts_from > '0'
                                                                   AND settled >= f.facts_from THEN NULL
                                                                   WHEN f.facts_from = '0' THEN
                                                                       open ELSE f.facts_from END
            FROM (SELECT x.pgt_id FROM pgtrickle.pgt_frontiers x
                  WHERE x.pgt_id = c.pgt_id AND x.facts_from = c.facts_from FOR UPDATE SKIP LOCKED) AS free
            WHERE f.pgt_id = free.pgt_id;
        END IF;
    END LOOP;
    RETURN n;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._watch_facts FROM PUBLIC;

-- A marker in the log of each source of `id` that was rewritten, unless something is pending there anyway: a refresh
-- that finds anything pending compares by itself.
CREATE FUNCTION pgtrickle._mark_rewritten(id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s record;
BEGIN
    FOR s IN SELECT x.source_id, x.active_log FROM pgtrickle.pgt_facts f
             JOIN pgtrickle.pgt_dependencies d ON d.pgt_id = f.pgt_id AND d.source_relid = f.objid
             JOIN pgtrickle.pgt_sources x ON x.source_id = d.source_id
             WHERE f.pgt_id = id AND f.kind = 'storage' AND pgtrickle._lost_fact(f) IS NOT NULL
               AND pgtrickle._pending(id, x.source_id) = 0 LOOP
        EXECUTE format('INSERT INTO pgtrickle_changes.log_%s_%s (w) VALUES (0)', s.source_id, s.active_log);
        PERFORM pgtrickle._wake(pgtrickle._source_written() || s.source_id);
    END LOOP;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._mark_rewritten FROM PUBLIC;
