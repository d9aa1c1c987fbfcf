-- Small helpers that the rest uses.

-- Is a row of a change log pending for a frontier (docs/ARCHITECTURE.md, section 3)? f_xmin and f_xmax are the bounds
-- of f_snapshot. The frontier's own transaction is decided by seq alone: in READ COMMITTED its id can lie below the
-- snapshot's xmax, so that what it wrote after the refresh would pass as visible. The xmax test spares most rows the
-- look into the snapshot. PostgreSQL puts the expression in place of the call, which a SET clause would prevent; names
-- in it were resolved when the function was made, so no search_path can change them.
CREATE FUNCTION pgtrickle._is_pending(xid xid8, seq bigint, f_snapshot pg_snapshot, f_xmin xid8, f_xmax xid8,
                                      f_xid xid8, f_seq bigint) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN xid >= f_xmin
   AND CASE WHEN xid = f_xid THEN seq > f_seq
            ELSE xid >= f_xmax OR NOT pg_catalog.pg_visible_in_snapshot(xid, f_snapshot) END;
GRANT EXECUTE ON FUNCTION pgtrickle._is_pending TO PUBLIC;

-- now() as queries that follow the time see it: programs call it in place of now(), CURRENT_DATE and their kin. It is
-- the one place where time can be moved, by replacing it, which only its owner (the admin) can do: the tests of
-- temporal filters do that. PostgreSQL puts its expression in place of the call.
CREATE FUNCTION pgtrickle._now() RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN pg_catalog.now();
GRANT EXECUTE ON FUNCTION pgtrickle._now TO PUBLIC;

-- What a program has written does not fit what was there: rows that do not agree with what ("its state", "its key").
-- Error XX001.
CREATE FUNCTION pgtrickle._raise_disagreement(stream_table text, what text, violations bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'stream table % does not agree with its %', stream_table, what
        USING ERRCODE = 'data_corrupted', DETAIL = format('%s rows are missing or superfluous.', violations),
              HINT = 'It is re-initialised by the daemon. Was it changed while its guard trigger was disabled?';
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._raise_disagreement TO PUBLIC;

-- How many rows a WITH RECURSIVE may have: the setting pgtrickle.max_recursion_rows. Error 22023 if that is no such
-- number.
CREATE FUNCTION pgtrickle._recursion_limit() RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    setting CONSTANT text := btrim(coalesce(current_setting('pgtrickle.max_recursion_rows', true), ''));
BEGIN
    IF setting = '' THEN
        RETURN 10000000;
    ELSIF setting ~ '^[0-9]{1,18}$' AND setting::bigint > 0 THEN
        RETURN setting::bigint;
    END IF;
    RAISE EXCEPTION 'the setting pgtrickle.max_recursion_rows is %, which is no number of rows', quote_literal(setting)
        USING ERRCODE = 'invalid_parameter_value',
              DETAIL = 'It says how many rows the result of a WITH RECURSIVE may have.',
              HINT = 'Use a whole number from 1 on, without a unit: it is 10000000 where nobody sets it. '
                     'Look for it in the session, its role and its database (pg_db_role_setting).';
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._recursion_limit TO PUBLIC;

-- 0, unless the recursion has more rows than that: error 54001.
CREATE FUNCTION pgtrickle._within_recursion(query text, row_count bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF row_count <= pgtrickle._recursion_limit() THEN
        RETURN 0;
    END IF;
    RAISE EXCEPTION 'the recursion of % does not end within % rows', query, pgtrickle._recursion_limit()
        USING ERRCODE = 'statement_too_complex',
              DETAIL = 'Nothing was changed.',
              HINT = 'Where rows lead back to themselves, let the query end: UNION for UNION ALL, or a condition. '
                     'If there are so many, raise the setting pgtrickle.max_recursion_rows.';
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._within_recursion TO PUBLIC;

-- How many rows a refresh of a WITH RECURSIVE follows before it derives all of them once more: that share of the rows
-- that the state table has, as PostgreSQL estimates it, but not so few that it would not matter.
CREATE FUNCTION pgtrickle._recursion_budget(state regclass, share double precision) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT least(pgtrickle._recursion_limit(),
                 greatest(1000, (share * pg_relation_size(c.oid) / current_setting('block_size')::int
                                 * CASE WHEN c.relpages > 0 AND c.reltuples > 0 THEN c.reltuples / c.relpages
                                        ELSE 100 END)::bigint))
    FROM pg_class c WHERE c.oid = state
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._recursion_budget TO PUBLIC;

-- 0. Says that a refresh has given up to follow rows, unless it runs in the statement of a writer, who may not know the
-- query.
CREATE FUNCTION pgtrickle._say_derived_from_base(query text, given_up boolean) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF given_up AND coalesce(current_setting('pgtrickle.maintaining', true), '') = '' THEN
        RAISE NOTICE 'all rows of the recursion % were derived once more', query
            USING DETAIL = 'The changes led to too many rows, or in a circle.';
    END IF;
    RETURN 0;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._say_derived_from_base TO PUBLIC;

-- Tells the daemon to look, at the transaction's commit. For API functions. payload: '' for anything in the catalog,
-- else what daemon/model/agreements.h says; _wake_for is for one stream table.
CREATE FUNCTION pgtrickle._wake(payload text DEFAULT '') RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT pg_notify(pgtrickle._wake_channel(), coalesce(payload, ''))
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._wake TO PUBLIC;

-- A stream table was made, changed or dropped.
CREATE FUNCTION pgtrickle._wake_for(stream_table bigint) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT pgtrickle._wake(pgtrickle._table_changed() || stream_table)
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._wake_for TO PUBLIC;

-- The same for triggers that can concern any number of stream tables and run in transactions that are not ours:
-- PostgreSQL refuses to PREPARE a transaction that has sent a notification. So where prepared transactions are enabled,
-- triggers do not notify but count, in a sequence: others see that at once, and the daemon, which looks a few times per
-- second, then loads the catalog until no writer of it is left, see daemon/scheduler/catalog_loader.cpp.
-- Otherwise they notify while a daemon leads (it holds this key). Writers notify per source instead, see
-- _write_capture_function. The caller has changed pgt_stream_tables before: its lock on that table is how the daemon
-- knows that it still runs.
CREATE FUNCTION pgtrickle._wake_from_trigger() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('max_prepared_transactions') <> '0' THEN
        LOCK TABLE pgtrickle.pgt_stream_tables IN ROW EXCLUSIVE MODE;   -- where the caller changed other tables only
        PERFORM nextval('pgtrickle.catalog_changes');
    ELSIF NOT pg_try_advisory_xact_lock_shared(pgtrickle._daemon_locks(), pgtrickle._listening_lock()) THEN
        PERFORM pgtrickle._wake(pgtrickle._anything_changed());
    END IF;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._wake_from_trigger FROM PUBLIC;

-- Raises an error of which detail and hint may be unknown: RAISE would print an empty line for '' and refuses NULL.
CREATE FUNCTION pgtrickle._fail(code text, message text, detail text, hint text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF detail <> '' AND hint <> '' THEN
        RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, DETAIL = format('%s', detail),
            HINT = format('%s', hint);
    ELSIF detail <> '' THEN
        RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, DETAIL = format('%s', detail);
    ELSIF hint <> '' THEN
        RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, HINT = format('%s', hint);
    END IF;
    RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._fail TO PUBLIC;

-- "schema.table", quoted as needed, or a text that says it is gone.
CREATE FUNCTION pgtrickle._qualified(relid oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN (
        SELECT coalesce((SELECT format('%I.%I', n.nspname, c.relname)
                         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                         WHERE c.oid = relid), format('(dropped table, OID %s)', relid)));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._qualified TO PUBLIC;

-- Name of a relation -> its parts, as PostgreSQL reads names: unquoted parts are folded to lower case.
-- schema is NULL if the name has no schema. Errors: 42602 malformed, 42622 longer than an identifier may be (PostgreSQL
-- itself would cut it off silently).
CREATE FUNCTION pgtrickle._parse_name(name text, OUT schema text, OUT relation text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parts   text[];
    longest int := current_setting('max_identifier_length')::int;
    part    text;
BEGIN
    BEGIN
        parts := parse_ident(name);
    EXCEPTION WHEN invalid_parameter_value THEN
        RAISE EXCEPTION 'invalid name %', quote_literal(name)
            USING ERRCODE = 'invalid_name', DETAIL = SQLERRM,
                  HINT = 'Write it as in SQL: table or schema.table, with "double quotes" around parts that need them.';
    END;
    IF parts IS NULL THEN
        RAISE EXCEPTION 'the name of the table must not be NULL'
            USING ERRCODE = 'null_value_not_allowed', HINT = 'Give table or schema.table.';
    END IF;
    IF cardinality(parts) = 3 AND parts[1] = current_database() THEN
        parts := parts[2:3];
    END IF;
    IF cardinality(parts) > 2 THEN
        RAISE EXCEPTION 'improper qualified name (too many dotted names): %', name
            USING ERRCODE = 'syntax_error', HINT = 'Write table or schema.table.';
    END IF;
    FOREACH part IN ARRAY parts LOOP
        IF octet_length(part) > longest THEN
            RAISE EXCEPTION 'name "%" is too long', part
                USING ERRCODE = 'name_too_long',
                    DETAIL = format('It has %s bytes, at most %s are possible.', octet_length(part), longest);
        END IF;
    END LOOP;
    relation := parts[cardinality(parts)];
    IF cardinality(parts) = 2 THEN
        schema := parts[1];
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._parse_name TO PUBLIC;

-- OID of the relation that a name means under the given search_path, NULL if there is none. Errors: as _parse_name.
CREATE FUNCTION pgtrickle._resolve(name text, caller_path text) RETURNS oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_oid oid;
    parsed    record;
    canonical text;
BEGIN
    SELECT p.schema, p.relation INTO parsed FROM pgtrickle._parse_name(name) AS p;
    canonical := CASE WHEN parsed.schema IS NULL THEN '' ELSE quote_ident(parsed.schema) || '.' END
        || quote_ident(parsed.relation);
    -- Nothing but these statements runs under the caller's path; they use no operator and no unqualified name.
    PERFORM pg_catalog.set_config('search_path', caller_path, true);
    found_oid := pg_catalog.to_regclass(canonical);
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    RETURN found_oid;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._resolve TO PUBLIC;

-- The catalog row of a stream table by name. Errors: 42P01 if there is no such relation or it is not a stream table.
CREATE FUNCTION pgtrickle._find(name text, caller_path text) RETURNS pgtrickle.pgt_stream_tables
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rel oid := pgtrickle._resolve(name, caller_path);
    st  pgtrickle.pgt_stream_tables;
BEGIN
    IF rel IS NULL THEN
        RAISE EXCEPTION 'stream table % does not exist', name
            USING ERRCODE = 'undefined_table',
                HINT = 'SELECT name FROM pgtrickle.stream_tables lists them. Names without a schema follow the '
                       'search_path.';
    END IF;
    SELECT * INTO st FROM pgtrickle._stream_tables s WHERE s.pgt_relid = rel;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% is not a stream table', pgtrickle._qualified(rel)
            USING ERRCODE = 'undefined_table', HINT = 'Stream tables are made by pgtrickle.create_stream_table().';
    END IF;
    RETURN st;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._find TO PUBLIC;

-- As _find, and the caller must own it or be a member of its owner. Error: 42501.
CREATE FUNCTION pgtrickle._find_own(name text, caller_path text) RETURNS pgtrickle.pgt_stream_tables
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st pgtrickle.pgt_stream_tables := pgtrickle._find(name, caller_path);
BEGIN
    IF NOT pgtrickle._may_manage(st.pgt_relid) THEN
        RAISE EXCEPTION 'must be owner of stream table %', pgtrickle._qualified(st.pgt_relid)
            USING ERRCODE = 'insufficient_privilege',
                  HINT = format('It belongs to role "%s"; roles that are a member of it may manage it too.',
                                (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = st.pgt_relid));
    END IF;
    RETURN st;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._find_own TO PUBLIC;

-- Do values of this type have an equality that GROUP BY can use? Asks the parser, which knows about elements of arrays
-- and columns of composite types.
CREATE FUNCTION pgtrickle._is_groupable(type oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('SELECT NULL FROM (SELECT NULL::%s AS v) AS s WHERE false GROUP BY v', format_type(type, -1));
    RETURN true;
EXCEPTION WHEN OTHERS THEN
    RETURN false;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._is_groupable TO PUBLIC;

-- SQL over $1, a value of this type, of what it is byte for byte: different for different values, also where the type
-- or the collation calls them equal. Not a cast to text where that would lose something: it keeps the collation, strips
-- the blanks of bpchar and follows extra_float_digits. indexable: depends on nothing but the value. encoded: contains
-- text in client_encoding, so that it fails for characters that this does not have; for a function that sets it.
CREATE FUNCTION pgtrickle._value_image(type oid, OUT image text, OUT indexable boolean, OUT encoded boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    SELECT CASE WHEN t.oid = 'bpchar'::regtype THEN 'concat($1) COLLATE "C"'
                WHEN t.oid = 'text'::regtype THEN '$1 COLLATE "C"'
                WHEN f.as_text THEN '$1::text COLLATE "C"'
                WHEN n.nspname = 'pg_catalog' THEN format('%I.%I($1)', n.nspname, p.proname)
                -- which knows the function by OID: it can be renamed or moved
                ELSE 'pg_catalog.record_send(ROW($1))' END,
           CASE WHEN t.oid = 'bpchar'::regtype THEN false
                WHEN f.as_text THEN f.is_text OR (SELECT o.provolatile = 'i' FROM pg_proc o WHERE o.oid = t.typoutput)
                ELSE p.provolatile = 'i' AND n.nspname = 'pg_catalog' END,
           NOT f.as_text AND (p.provolatile <> 'i' OR n.nspname <> 'pg_catalog')
      INTO image, indexable, encoded
    FROM pg_type t LEFT JOIN pg_proc p ON p.oid = t.typsend LEFT JOIN pg_namespace n ON n.oid = p.pronamespace
    CROSS JOIN LATERAL (SELECT t.oid = 'text'::regtype OR EXISTS (SELECT FROM pg_cast c WHERE c.castsource = t.oid
                                   AND c.casttarget = 'text'::regtype AND c.castmethod = 'b') AS is_text) AS x
    -- The text of the others is exact whatever the settings are.
    CROSS JOIN LATERAL (SELECT x.is_text, x.is_text OR p.oid IS NULL
                        OR t.oid = ANY (ARRAY['bpchar', 'json', 'jsonb', 'jsonpath',
                                   'tsquery', 'tsvector']::regtype[]) AS as_text) AS f
    WHERE t.oid = type;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._value_image TO PUBLIC;

-- Any of the values; where all are the same, that one. For types that min() does not know.
CREATE FUNCTION pgtrickle._first(first_value anyelement, next_value anyelement) RETURNS anyelement
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT first_value $$;
GRANT EXECUTE ON FUNCTION pgtrickle._first TO PUBLIC;
CREATE AGGREGATE pgtrickle._any_of(anyelement) (SFUNC = pgtrickle._first, STYPE = anyelement, PARALLEL = SAFE);
GRANT EXECUTE ON FUNCTION pgtrickle._any_of(anyelement) TO PUBLIC;

-- Can rows be grouped by columns of all these types together? Some can only be hashed, some only sorted.
CREATE FUNCTION pgtrickle._groupable_together(types oid[]) RETURNS boolean
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE (SELECT format('SELECT FROM (SELECT %s) AS s GROUP BY %s',
                           string_agg(format('NULL::%s AS c%s', format_type(t.oid, -1), t.n), ', '),
                               string_agg('c' || t.n, ', '))
             FROM unnest(types) WITH ORDINALITY AS t(oid, n));
    RETURN true;
EXCEPTION WHEN feature_not_supported THEN
    RETURN false;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._groupable_together FROM PUBLIC;

-- The type below a domain (of a domain ...), with its type modifier.
CREATE FUNCTION pgtrickle._base_type(type oid, typmod int, OUT base oid, OUT base_typmod int)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t record;
BEGIN
    base := type;
    base_typmod := typmod;
    LOOP
        SELECT y.typtype, y.typbasetype, y.typtypmod INTO t FROM pg_type y WHERE y.oid = base;
        EXIT WHEN NOT FOUND OR t.typtype <> 'd';
        base := t.typbasetype;
        base_typmod := CASE WHEN base_typmod = -1 THEN t.typtypmod ELSE base_typmod END;
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._base_type TO PUBLIC;

-- Has the stream table another owner than its program? Then that writes with the rights of the old one, and must be
-- recreated.
CREATE FUNCTION pgtrickle._has_new_owner(id bigint) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN (
        SELECT EXISTS (SELECT FROM pgtrickle._stream_tables s JOIN pg_class c ON c.oid = s.pgt_relid
                       JOIN pg_proc p ON p.pronamespace = 'pgtrickle_state'::regnamespace
                         AND p.proname = format('apply_%s', s.pgt_id)
                       WHERE s.pgt_id = id AND p.proowner <> c.relowner));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._has_new_owner TO PUBLIC;

-- Does a daemon give signs of life?
CREATE FUNCTION pgtrickle._daemon_alive() RETURNS boolean
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pgtrickle.pgt_daemons d
                   WHERE d.heartbeat_at > clock_timestamp() - pgtrickle._heartbeat_expiry())
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._daemon_alive TO PUBLIC;

-- What to do where none does.
CREATE FUNCTION pgtrickle._no_daemon_hint() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('No daemon is running for this database (no heartbeat in the last %s s): start pgtrickled.',
                  extract(epoch FROM pgtrickle._heartbeat_expiry())::int)
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._no_daemon_hint TO PUBLIC;

-- The generation after this one. Only whether it is another matters: after the last one comes the first, because
-- nothing may make a command fail that somebody else gives.
CREATE FUNCTION pgtrickle._next_generation(generation bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN generation < 9223372036854775807 THEN generation + 1 ELSE 1 END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._next_generation FROM PUBLIC;

-- Marks stream tables for re-initialisation and wakes the daemon. The first reason stays until the daemon has acted.
CREATE FUNCTION pgtrickle._mark_reinit(pgt_ids bigint[], why text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE pgtrickle.pgt_stream_tables s
       SET needs_reinit = true,
           reinit_reason = CASE WHEN s.needs_reinit THEN coalesce(s.reinit_reason, why) ELSE why END,
           generation = pgtrickle._next_generation(s.generation)
     WHERE s.pgt_id = ANY (pgt_ids);
    PERFORM pgtrickle._wake_from_trigger();
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._mark_reinit FROM PUBLIC;
