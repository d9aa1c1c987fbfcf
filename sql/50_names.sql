-- What the words of a query meant when it was defined: a stream table is rebuilt from the text that the user wrote,
-- because PostgreSQL's own text of it has forgotten casts that did nothing, the types of literals and the like. So what
-- its names meant is kept, and what they are called now can be told.
--
-- pgt_stream_tables.names is an array of objects, each with class (schema, relation, type, function, operator,
-- collation, configuration and dictionary of text search, label), oid, schema, name, signature, and for a relation its
-- columns: [number, name, type, typmod, collation]. The schemas are the search_path, in order. names_now is the same
-- array as of the last compilation.

-- What a query made into the view `view_oid` refers to, apart from what PostgreSQL itself is made of.
CREATE FUNCTION pgtrickle._referred(view_oid oid, OUT class text, OUT oid oid) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT DISTINCT CASE d.refclassid WHEN 'pg_class'::regclass THEN 'relation' WHEN 'pg_type'::regclass THEN 'type'
                                      WHEN 'pg_proc'::regclass THEN 'function'
                                          WHEN 'pg_operator'::regclass THEN 'operator'
                                      WHEN 'pg_ts_config'::regclass THEN
                                          'configuration' WHEN 'pg_ts_dict'::regclass THEN 'dictionary'
                                      ELSE 'collation' END,
           coalesce(nullif(t.typelem, 0), d.refobjid)       -- of an array its elements
    FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
      AND d.refobjid <> view_oid
    LEFT JOIN pg_type t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid AND t.typcategory = 'A'
    WHERE r.ev_class = view_oid
      AND d.refclassid IN ('pg_class'::regclass, 'pg_type'::regclass, 'pg_proc'::regclass, 'pg_operator'::regclass,
                           'pg_collation'::regclass, 'pg_ts_config'::regclass, 'pg_ts_dict'::regclass);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._referred TO PUBLIC;

-- The same objects by their present names, in the same order; an object that is gone has no name. Of a relation only
-- the columns that it had; one without the key has all. Expects class, oid and columns; the rest is filled in.
CREATE FUNCTION pgtrickle._names_now(names jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN (
        SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('class', o.class, 'oid', o.oid::bigint, 'schema',
                                                                       x.schema, 'name', x.name,
                                                                       'signature', x.signature, 'columns', x.columns))
                                                                           ORDER BY o.n), '[]')
        FROM (SELECT e.n, e.o ->> 'class' AS class, (e.o ->> 'oid')::oid AS oid, e.o -> 'columns' AS columns
              FROM jsonb_array_elements(names) WITH ORDINALITY AS e(o, n)) AS o
        LEFT JOIN LATERAL (
            SELECT NULL::name AS schema, s.nspname AS name, NULL::text AS signature, NULL::jsonb AS columns
            FROM pg_namespace s WHERE o.class = 'schema' AND s.oid = o.oid
            UNION ALL
            SELECT s.nspname, c.relname, NULL,
                   (SELECT coalesce(jsonb_agg(jsonb_build_array(a.attnum, a.attname, a.atttypid::bigint, a.atttypmod,
                                                                a.attcollation::bigint)
                                              ORDER BY a.attnum), '[]')
                    FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                     AND (o.columns IS NULL OR EXISTS (SELECT FROM jsonb_array_elements(o.columns) AS k
                                                       WHERE (k -> 0)::int = a.attnum)))
            FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace WHERE o.class = 'relation' AND c.oid = o.oid
            UNION ALL
            SELECT s.nspname, t.typname, NULL, NULL
            FROM pg_type t JOIN pg_namespace s ON s.oid = t.typnamespace WHERE o.class = 'type' AND t.oid = o.oid
            UNION ALL
            SELECT s.nspname, p.proname, p.oid::regprocedure::text, NULL
            FROM pg_proc p JOIN pg_namespace s ON s.oid = p.pronamespace WHERE o.class = 'function' AND p.oid = o.oid
            UNION ALL
            SELECT s.nspname, p.oprname, p.oid::regoperator::text, NULL
            FROM pg_operator p JOIN pg_namespace s ON s.oid = p.oprnamespace
            WHERE o.class = 'operator' AND p.oid = o.oid
            UNION ALL
            SELECT s.nspname, l.collname, NULL, NULL
            FROM pg_collation l JOIN pg_namespace s ON s.oid = l.collnamespace
            WHERE o.class = 'collation' AND l.oid = o.oid
            UNION ALL
            SELECT s.nspname, g.cfgname, NULL, NULL
            FROM pg_ts_config g JOIN pg_namespace s ON s.oid = g.cfgnamespace
            WHERE o.class = 'configuration' AND g.oid = o.oid
            UNION ALL
            SELECT s.nspname, d.dictname, NULL, NULL
            FROM pg_ts_dict d JOIN pg_namespace s ON s.oid = d.dictnamespace
            WHERE o.class = 'dictionary' AND d.oid = o.oid
            UNION ALL
            SELECT NULL, e.enumlabel, e.enumtypid::regtype::text, NULL FROM pg_enum e
            WHERE o.class = 'label' AND e.oid = o.oid) AS x ON true);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._names_now TO PUBLIC;

-- What the names in `query` mean under the caller's search_path; view_oid: the view that _define made of it. Types,
-- collations and labels are all the ones that the text may mention, because a cast can leave no trace in the view.
CREATE FUNCTION pgtrickle._names(view_oid oid, query text, caller_path text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    path  name[];
    names jsonb;
BEGIN
    PERFORM pg_catalog.set_config('search_path', caller_path, true);
    path := pg_catalog.current_schemas(true);
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    SELECT jsonb_agg(jsonb_build_object('class', o.class, 'oid', o.oid::bigint) ORDER BY o.n, o.class, o.oid) INTO names
    FROM (SELECT p.n, 'schema' AS class, s.oid FROM unnest(path)
          WITH ORDINALITY AS p(name, n) JOIN pg_namespace s ON s.nspname = p.name
          WHERE p.name !~ '^pg_(temp|toast)'
          UNION ALL
          SELECT 1000000, u.class, u.oid FROM (
              SELECT r.class, r.oid FROM pgtrickle._referred(view_oid) AS r
              UNION
              SELECT 'type', t.oid FROM pg_type t
              WHERE t.typcategory <> 'A' AND strpos(lower(query), lower(replace(t.typname, '"', '""'))) > 0
              UNION
              SELECT 'collation', l.oid FROM pg_collation l
              WHERE strpos(lower(query), lower(replace(l.collname, '"', '""'))) > 0
              UNION
              SELECT 'label', e.oid FROM pg_enum e
              WHERE strpos(query, replace(e.enumlabel, '''', '''''')) > 0) AS u) AS o;
    RETURN pgtrickle._names_now(names);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._names(oid,text,text) TO PUBLIC;

-- OID of what is called like an object of such an array; NULL if nothing is.
CREATE FUNCTION pgtrickle._named_object(o jsonb) RETURNS oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- NULL where there is no schema
    qualified text := quote_ident(o ->> 'schema') || '.' || quote_ident(o ->> 'name');
BEGIN
    RETURN CASE o ->> 'class'
        WHEN 'schema' THEN to_regnamespace(quote_ident(o ->> 'name'))::oid
        WHEN 'relation' THEN to_regclass(qualified)::oid
        WHEN 'type' THEN to_regtype(qualified)::oid
        WHEN 'function' THEN to_regprocedure(o ->> 'signature')::oid
        WHEN 'operator' THEN to_regoperator(o ->> 'signature')::oid
        WHEN 'collation' THEN to_regcollation(qualified)::oid
        WHEN 'configuration' THEN (SELECT g.oid FROM pg_ts_config g WHERE g.cfgname = o ->> 'name'
                                   AND g.cfgnamespace = to_regnamespace(quote_ident(o ->> 'schema')))
        WHEN 'dictionary' THEN (SELECT d.oid FROM pg_ts_dict d WHERE d.dictname = o ->> 'name'
                                AND d.dictnamespace = to_regnamespace(quote_ident(o ->> 'schema')))
        WHEN 'label' THEN (SELECT e.oid FROM pg_enum e
                           WHERE e.enumtypid = to_regtype(o ->> 'signature') AND e.enumlabel = o ->> 'name') END;
EXCEPTION WHEN OTHERS THEN      -- a type in the signature is called otherwise, or not there
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._named_object FROM PUBLIC;

-- The columns of a relation that exists: the ones that were dropped get the number of a new one that is called as they
-- were when last seen.
CREATE FUNCTION pgtrickle._columns_found(relid oid, columns jsonb, seen jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN (
        SELECT coalesce(jsonb_agg(CASE WHEN live.attnum IS NULL AND again.attnum IS NOT NULL
                                       THEN jsonb_set(k.c, '{0}', to_jsonb(again.attnum::int)) ELSE k.c END
                                           ORDER BY k.n), '[]')
        FROM jsonb_array_elements(columns) WITH ORDINALITY AS k(c, n)
        LEFT JOIN pg_attribute live ON live.attrelid = relid AND live.attnum = (k.c ->> 0)::int
          AND NOT live.attisdropped
        LEFT JOIN LATERAL (SELECT v ->> 1 AS name FROM jsonb_array_elements(seen) AS v
                           WHERE v -> 0 = k.c -> 0) AS was ON true
        LEFT JOIN pg_attribute again ON again.attrelid = relid AND again.attname = coalesce(was.name, k.c ->> 1)
             AND again.attnum > 0 AND NOT again.attisdropped
             AND NOT EXISTS (SELECT FROM jsonb_array_elements(columns) AS other
                             WHERE other ->> 0 = again.attnum::text));
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._columns_found FROM PUBLIC;

-- Where the objects of `names` are gone, or all of them (after a restore, when OIDs mean something else): the ones that
-- have taken their place, found by what they were called when last seen. Columns are found by name then. Answers
-- `names` with other OIDs and numbers of columns; what is not found stays as it was, or has OID 0.
CREATE FUNCTION pgtrickle._names_found(names jsonb, seen jsonb, everything boolean) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN (
        SELECT coalesce(jsonb_agg(CASE WHEN o.gone THEN
                   e.o || jsonb_build_object('oid', coalesce(f.oid, CASE WHEN NOT everything THEN o.oid END, 0)::bigint)
                       || CASE WHEN f.oid IS NOT NULL AND e.o ? 'columns' THEN jsonb_build_object('columns',
                              (SELECT coalesce(jsonb_agg(jsonb_set(k.c, '{0}',
                                                                   to_jsonb(coalesce(a.attnum::int, -k.n::int)))
                                                         ORDER BY k.n), '[]')
                               FROM jsonb_array_elements(e.o -> 'columns') WITH ORDINALITY AS k(c, n)
                               LEFT JOIN LATERAL (SELECT v ->> 1 AS name
                                                  FROM jsonb_array_elements(s.o -> 'columns') AS v
                                                  WHERE v -> 0 = k.c -> 0) AS was ON true
                               LEFT JOIN pg_attribute a ON a.attrelid = f.oid AND NOT a.attisdropped
                                 AND a.attname = coalesce(was.name, k.c ->> 1)))
                          ELSE '{}' END
                   WHEN e.o ? 'columns' THEN
                       e.o || jsonb_build_object('columns',
                                                 pgtrickle._columns_found(o.oid, e.o -> 'columns', s.o -> 'columns'))
                   ELSE e.o END ORDER BY e.n), '[]')
        FROM jsonb_array_elements(names) WITH ORDINALITY AS e(o, n)
        JOIN jsonb_array_elements(seen) WITH ORDINALITY AS s(o, n) USING (n)
        JOIN jsonb_array_elements(pgtrickle._names_now(names)) WITH ORDINALITY AS now(o, n) USING (n)
        CROSS JOIN LATERAL (SELECT e.o ->> 'class' AS class, (e.o ->> 'oid')::oid AS oid, everything
                            OR NOT now.o ? 'name' AS gone) AS o
        LEFT JOIN LATERAL (SELECT CASE WHEN o.gone THEN pgtrickle._named_object(s.o) END AS oid) AS f ON true);
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._names_found FROM PUBLIC;

-- Does every relation, function and operator of `names` occur in `others`?
CREATE FUNCTION pgtrickle._same_objects(names jsonb, others jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT others IS NULL OR NOT EXISTS (
        SELECT FROM jsonb_array_elements(names) AS n WHERE n ->> 'class' IN ('relation', 'function', 'operator')
         AND NOT EXISTS (SELECT FROM jsonb_array_elements(others) AS o
                         WHERE o -> 'class' = n -> 'class' AND o -> 'oid' = n -> 'oid'))
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._same_objects TO PUBLIC;

-- Is anything that the text names called otherwise than in the text?
CREATE FUNCTION pgtrickle._is_renamed(names jsonb, names_now jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT names <> names_now AND EXISTS (
        SELECT FROM jsonb_array_elements(names) WITH ORDINALITY AS t(o, n) JOIN jsonb_array_elements(names_now)
        WITH ORDINALITY AS s(o, n) USING (n)
        WHERE (t.o ->> 'schema', t.o ->> 'name') IS DISTINCT FROM (s.o ->> 'schema', s.o ->> 'name')
           OR EXISTS (SELECT FROM jsonb_array_elements(t.o -> 'columns') AS c
                      JOIN jsonb_array_elements(s.o -> 'columns') AS d ON d -> 0 = c -> 0
                      WHERE d -> 1 <> c -> 1))
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._is_renamed TO PUBLIC;
