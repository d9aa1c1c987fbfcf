-- Many stream tables in one call and one transaction: all of it or nothing.

-- "name => literal, ..." of an object: what a call of `function` takes under these names. Errors: 22023 for a name that
-- it does not have. Values are texts of SQL; an object or array is one of JSON.
CREATE FUNCTION pgtrickle._named_arguments(function regproc, values_of jsonb, place text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known   text[] := (SELECT p.proargnames FROM pg_proc p WHERE p.oid = function);
    unknown text;
BEGIN
    IF jsonb_typeof(values_of) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION '%: not an object', place
            USING ERRCODE = 'invalid_parameter_value', DETAIL = coalesce(left(values_of::text, 200), 'NULL'),
                  HINT = 'Give an object like {"name": "sales", "query": "SELECT ...", "schedule": "1s"}.';
    END IF;
    SELECT e.key INTO unknown FROM jsonb_each(values_of) AS e WHERE NOT e.key = ANY (known) ORDER BY e.key LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '%: there is no option "%"', place, unknown
            USING ERRCODE = 'invalid_parameter_value', HINT = 'There are: ' || array_to_string(known, ', ') || '.';
    END IF;
    RETURN (SELECT string_agg(format('%I => %L', e.key, e.value), ', ' ORDER BY e.key)
            FROM jsonb_each_text(values_of) AS e WHERE e.value IS NOT NULL);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._named_arguments TO PUBLIC;

-- One call with these arguments; an error says which of them it was.
CREATE FUNCTION pgtrickle._call_for(function regproc, arguments text, place text, caller_path text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    code text; message text; detail text; hint text;
BEGIN
    -- What is called reads the path of its caller.
    PERFORM set_config('search_path', caller_path, true);
    EXECUTE pg_catalog.format('SELECT %s(%s)', function, arguments);
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT;
    PERFORM pgtrickle._fail(code, pg_catalog.format('%s: %s', place, message), detail, hint);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._call_for TO PUBLIC;

CREATE FUNCTION pgtrickle.bulk_create(definitions jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    path text := pg_catalog.current_setting('search_path');
    made pg_catalog.jsonb := '[]';
    d    record;
BEGIN
    IF pg_catalog.jsonb_typeof(definitions) IS DISTINCT FROM 'array' THEN
        RAISE EXCEPTION 'definitions is not an array'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Give a JSON array of objects with the arguments of create_stream_table().';
    END IF;
    FOR d IN SELECT e.o, pg_catalog.format('definition %s', e.n) AS place
             FROM pg_catalog.jsonb_array_elements(definitions) WITH ORDINALITY AS e(o, n) LOOP
        PERFORM pgtrickle._call_for('pgtrickle.create_stream_table',
                                    pgtrickle._named_arguments('pgtrickle.create_stream_table', d.o, d.place), d.place,
                                    path);
        made := made OPERATOR(pg_catalog.||) (
            SELECT pg_catalog.jsonb_build_object('name', pgtrickle._qualified(s.pgt_relid), 'pgt_id', s.pgt_id)
            FROM pgtrickle._find(pg_catalog.jsonb_extract_path_text(d.o, 'name'), path) AS s);
    END LOOP;
    RETURN made;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.bulk_create TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.bulk_create(jsonb) IS
'Creates stream tables in the order of a JSON array, all or none. definitions: objects with the arguments of
  create_stream_table() under their names: {"name": "sales", "query": "SELECT ...", "schedule": "1s"}. Returns an
  array of objects with name and pgt_id.
Errors: those of create_stream_table(), with the number of the definition; 22023 an option that there is not.';

CREATE FUNCTION pgtrickle.bulk_alter_stream_tables(names text[], params json) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    path      text := pg_catalog.current_setting('search_path');
    arguments text := pgtrickle._named_arguments('pgtrickle.alter_stream_table', params::pg_catalog.jsonb, 'params');
    name      text;
BEGIN
    FOREACH name IN ARRAY coalesce(names, '{}') LOOP
        PERFORM pgtrickle._call_for('pgtrickle.alter_stream_table',
                                    pg_catalog.concat_ws(', ', pg_catalog.format('name => %L', name), arguments),
                                    pg_catalog.format('stream table %s', name), path);
    END LOOP;
    RETURN coalesce(pg_catalog.cardinality(names), 0);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.bulk_alter_stream_tables TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.bulk_alter_stream_tables(text[], json) IS
'Alters these stream tables alike, all or none. params: an object with arguments of alter_stream_table() but for the
  name: {"schedule": "5m", "tier": "warm"}. Returns how many. Errors: those of alter_stream_table(); 22023 an option
  that there is not.';

-- Readers before what they read, whatever the order in the list.
CREATE FUNCTION pgtrickle._drop_order(names text[], caller_path text) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT pgtrickle._qualified(s.pgt_relid)
    FROM pgtrickle._export_order(ARRAY(SELECT (pgtrickle._find_own(u.name, caller_path)).pgt_id
                                       FROM unnest(names) AS u(name))) AS o
    JOIN pgtrickle._stream_tables s USING (pgt_id) ORDER BY o.place DESC
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._drop_order TO PUBLIC;

CREATE FUNCTION pgtrickle.bulk_drop_stream_tables(names text[]) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    name text;
    n    int := 0;
BEGIN
    FOR name IN SELECT pgtrickle._drop_order(names, pg_catalog.current_setting('search_path')) LOOP
        PERFORM pgtrickle.drop_stream_table(name);
        n := n OPERATOR(pg_catalog.+) 1;
    END LOOP;
    RETURN n;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.bulk_drop_stream_tables TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.bulk_drop_stream_tables(text[]) IS
'Drops these stream tables, all or none, readers first. Returns how many. Errors: 42P01, 42501, 2BP01 if something else
  reads one of them.';
