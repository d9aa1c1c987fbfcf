-- What can be captured of a relation, whether what is captured still fits it, and how wide a row of its log can get.

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
