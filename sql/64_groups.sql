-- Stream tables that are refreshed together: refresh groups, and what refreshing several of them needs.

-- For a member of a group that is refreshed as a whole or not at all: raises TR002, and so undoes the others, if this
-- one could not be refreshed; returns the action otherwise. For the daemon, MESSAGE is the action, DETAIL the id and
-- the pending rows, as far as refresh_<id> has counted them.
CREATE FUNCTION pgtrickle._together(action text, id bigint, pending bigint) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF action IN ('HELD', 'BLOWN', 'REINIT') THEN
        RAISE EXCEPTION USING ERRCODE = 'TR002', MESSAGE = action, DETAIL = format('%s %s', id, coalesce(pending, 0)),
              HINT = 'A member of the group waits, so all of them do.';
    END IF;
    RETURN action;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._together TO PUBLIC;

-- These stream tables and all that they read, directly or through others.
CREATE FUNCTION pgtrickle._upstream(pgt_ids bigint[]) RETURNS bigint[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE up(pgt_id) AS (
        SELECT s.pgt_id FROM pgtrickle._stream_tables s WHERE s.pgt_id = ANY (pgt_ids)
        UNION
        SELECT s.pgt_id FROM up JOIN pgtrickle.pgt_dependencies d ON d.pgt_id = up.pgt_id
        JOIN pgtrickle._stream_tables s ON s.pgt_relid = d.source_relid)
    SELECT coalesce(array_agg(u.pgt_id ORDER BY u.pgt_id), '{}') FROM up u
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._upstream TO PUBLIC;

-- The same stream tables, each after those of them that it reads, directly or through any others. Members of a cycle
-- come together, after what the cycle reads.
CREATE FUNCTION pgtrickle._upstream_first(pgt_ids bigint[]) RETURNS bigint[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    -- A table that reads another one has more above it, and members of a cycle have the same above them.
    SELECT coalesce(array_agg(u.id ORDER BY cardinality(u.above), u.above, u.id), '{}')
    FROM (SELECT i.id, pgtrickle._upstream(ARRAY[i.id]) AS above FROM unnest(pgt_ids) AS i(id)) AS u
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._upstream_first TO PUBLIC;

CREATE FUNCTION pgtrickle._create_refresh_group(group_name text, members text[], isolation text, caller_path text)
RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    level  text := lower(replace(btrim(isolation), ' ', '_'));
    ids    bigint[] := '{}';
    member text;
    st     pgtrickle.pgt_stream_tables;
    other  text;
    id     int;
    violated text;
BEGIN
    PERFORM pgtrickle._check_group_name(group_name);
    IF level IS NULL OR level NOT IN ('repeatable_read', 'read_committed') THEN
        RAISE EXCEPTION 'refresh group "%": invalid isolation %', group_name, quote_nullable(isolation)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use repeatable_read.';
    END IF;
    FOREACH member IN ARRAY coalesce(members, '{}') LOOP
        st := pgtrickle._find_own(member, caller_path);
        SELECT g.group_name INTO other FROM pgtrickle.pgt_refresh_group_members m JOIN pgtrickle.pgt_refresh_groups g
        USING (group_id) WHERE m.pgt_id = st.pgt_id;
        IF FOUND THEN
            RAISE EXCEPTION 'stream table % is a member of refresh group "%" already',
                pgtrickle._qualified(st.pgt_relid), other
                USING ERRCODE = 'unique_violation',
                    HINT = format('SELECT pgtrickle.drop_refresh_group(%L); and make one group of all that belong '
                                  'together.', other);
        END IF;
        ids := ids || st.pgt_id;
    END LOOP;
    SELECT coalesce(array_agg(DISTINCT u.id ORDER BY u.id), '{}') INTO ids FROM unnest(ids) AS u(id);
    IF cardinality(ids) < 2 THEN
        RAISE EXCEPTION 'refresh group "%" needs at least two different stream tables', group_name
            USING ERRCODE = 'invalid_parameter_value',
            HINT = 'A group keeps its members in one state with each other.';
    END IF;
    IF level = 'read_committed' THEN
        RAISE NOTICE 'the members of refresh group "%" share one snapshot all the same', group_name
            USING DETAIL = 'The daemon refreshes every group in one REPEATABLE READ transaction.';
    END IF;
    BEGIN
        id := pgtrickle._request('create_refresh_group',
                                 jsonb_build_object('group_name', group_name, 'isolation', level, 'members', ids))::int;
    EXCEPTION WHEN unique_violation THEN
        GET STACKED DIAGNOSTICS violated = CONSTRAINT_NAME;
        IF violated = 'pgt_refresh_groups_group_name_key' THEN
            RAISE EXCEPTION 'refresh group "%" already exists', group_name
                USING ERRCODE = 'duplicate_object', HINT = 'Choose another name, or drop_refresh_group() first.';
        END IF;
        -- somebody else was faster
        RAISE EXCEPTION 'a member of refresh group "%" has just become a member of another one', group_name
            USING ERRCODE = 'unique_violation', HINT = 'pgtrickle.refresh_groups() lists the groups and their members.';
    END;
    PERFORM pgtrickle._wake('');
    RETURN id;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._create_refresh_group TO PUBLIC;

CREATE FUNCTION pgtrickle.create_refresh_group(group_name text, members text[],
                                               isolation text DEFAULT 'repeatable_read') RETURNS int
                                                   LANGUAGE plpgsql AS $$
BEGIN
    RETURN pgtrickle._create_refresh_group(group_name, members, isolation, pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.create_refresh_group TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.create_refresh_group(text, text[], text) IS
'From now on these stream tables are refreshed together, in one transaction and one snapshot, or not at all: if one
  waits or fails, all do. Who reads
several of them in one query or one REPEATABLE READ transaction sees one state of their sources. Returns the number of
  the group.
isolation: read_committed is accepted, but members share a snapshot all the same.
Errors: 42P01 not a stream table, 42501 not its owner, 23505 it is in another group, 22023 fewer than two members or a
  bad isolation, 42710 the name is taken.';

CREATE FUNCTION pgtrickle.drop_refresh_group(group_name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._request('drop_group', jsonb_build_object('kind', 'refresh', 'group_name', group_name));
    PERFORM pgtrickle._wake('');
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.drop_refresh_group TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.drop_refresh_group(text) IS 'Removes a refresh group; its members stay stream tables.
  Errors: 42704 there is none, 42501 created by somebody else.';

CREATE FUNCTION pgtrickle.refresh_groups()
RETURNS TABLE (group_id int, group_name text, member_count int, isolation text, created_at timestamptz, members text[],
               created_by text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT g.group_id, g.group_name, cardinality(m.members), g.isolation, g.created_at, m.members, g.created_by::text
    FROM pgtrickle.pgt_refresh_groups g
    CROSS JOIN LATERAL (SELECT ARRAY(SELECT pgtrickle._qualified(s.pgt_relid) FROM pgtrickle.pgt_refresh_group_members x
                                     JOIN pgtrickle._stream_tables s USING (pgt_id)
                                     WHERE x.group_id = g.group_id ORDER BY 1) AS members) AS m
    ORDER BY g.group_name
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.refresh_groups TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.refresh_groups() IS 'The refresh groups and their members.';

-- Stream tables that are refreshed by hand as one with this one: the members of its refresh group and what lies between
-- them, of every group that shares one of these; or the members of its cycle. NULL: it is refreshed alone.
CREATE FUNCTION pgtrickle._refreshed_with(id bigint) RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    cycle bigint[] := pgtrickle._cycle_of(id);
BEGIN
    RETURN (
        WITH RECURSIVE wholes(pgt_ids) AS MATERIALIZED (
            SELECT ARRAY(SELECT u.pgt_id FROM unnest(pgtrickle._upstream(g.members)) AS u(pgt_id)
                         WHERE pgtrickle._upstream(ARRAY[u.pgt_id]) && g.members)
            FROM (SELECT array_agg(m.pgt_id) AS members FROM pgtrickle.pgt_refresh_group_members m
                  GROUP BY m.group_id) AS g
            UNION ALL SELECT cycle WHERE cycle IS NOT NULL),
        reached(pgt_id) AS (
            SELECT id
            UNION SELECT u.pgt_id FROM reached r JOIN wholes w ON r.pgt_id = ANY (w.pgt_ids)
            CROSS JOIN LATERAL unnest(w.pgt_ids) AS u(pgt_id))
        SELECT array_agg(r.pgt_id ORDER BY r.pgt_id) FROM reached r
        WHERE EXISTS (SELECT FROM wholes w WHERE id = ANY (w.pgt_ids)));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._refreshed_with TO PUBLIC;

-- The tables that must not be written to while a stream table is refreshed in READ COMMITTED. Not what is about to be
-- refreshed with it: that takes their frontiers first.
CREATE FUNCTION pgtrickle._sources_to_lock(id bigint) RETURNS SETOF oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    with_it bigint[] := pgtrickle._refreshed_with(id);
BEGIN
    RETURN QUERY
        SELECT c.oid FROM pgtrickle.pgt_dependencies d JOIN pg_class c ON c.oid = d.source_relid
        WHERE d.pgt_id = id AND c.relkind IN ('r', 'p') AND c.relnamespace <> 'pg_catalog'::regnamespace
          AND NOT EXISTS (SELECT FROM pgtrickle._stream_tables t WHERE t.pgt_relid = c.oid AND t.pgt_id = ANY (with_it))
        ORDER BY c.oid;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._sources_to_lock TO PUBLIC;

-- Error 42501 if the owner of a stream table may not lock what it reads: a role that may only read a table must not
-- keep others from writing to it, whatever the rights of the role that refreshes.
CREATE FUNCTION pgtrickle._require_lockable(id bigint) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner oid := (SELECT c.relowner FROM pgtrickle._stream_tables t JOIN pg_class c ON c.oid = t.pgt_relid
                  WHERE t.pgt_id = id);
    other oid := (SELECT s.relid FROM pgtrickle._sources_to_lock(id) AS s(relid)
                  WHERE NOT has_table_privilege(owner, s.relid, 'UPDATE, DELETE, TRUNCATE') LIMIT 1);
BEGIN
    IF other IS NOT NULL THEN
        RAISE EXCEPTION 'role "%" may not lock %', pg_get_userbyid(owner), pgtrickle._qualified(other)
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'In READ COMMITTED a refresh sees one state of its sources only if nobody writes to them '
                           'meanwhile; for such a '
                           'lock PostgreSQL asks for the right to UPDATE, DELETE or TRUNCATE.',
                  HINT = 'Use CALL pgtrickle.refresh(), or REPEATABLE READ: then nothing needs to be locked.';
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._require_lockable TO PUBLIC;

-- For refresh_<id>('lock'): keeps writers off the tables that a stream table reads until the transaction ends.
-- Error: as _require_lockable, also if the role that refreshes may not lock one.
CREATE FUNCTION pgtrickle._lock_sources(id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name text;
BEGIN
    PERFORM pgtrickle._require_lockable(id);
    FOR name IN SELECT pgtrickle._qualified(s.relid) FROM pgtrickle._sources_to_lock(id) AS s(relid) LOOP
        BEGIN
            EXECUTE format('LOCK TABLE %s IN SHARE MODE', name);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE EXCEPTION 'role "%" may not lock %', current_user, name
                USING ERRCODE = 'insufficient_privilege',
                    DETAIL = 'In READ COMMITTED the members of a refresh group see one state of their sources only '
                             'if nobody writes to them.',
                      HINT = 'Use CALL pgtrickle.refresh(), or REPEATABLE READ: then nothing needs to be locked.';
        END;
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._lock_sources TO PUBLIC;
