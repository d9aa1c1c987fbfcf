-- Gates and watermarks: why stream tables wait although their sources changed.
--
-- Whether one may be refreshed is asked inside the refresh, at its snapshot (refresh_<id> calls _hold_reason): what a
-- transaction that closes a gate has committed is either seen together with the gate, or not at all.

-- Relations that a stream table reads, directly or through other stream tables. Those of a cycle read themselves.
CREATE FUNCTION pgtrickle._reads(id bigint) RETURNS oid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE reads(relid) AS (
        SELECT d.source_relid FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = id
        UNION
        SELECT d.source_relid FROM reads r JOIN pgtrickle._stream_tables s ON s.pgt_relid = r.relid
        JOIN pgtrickle.pgt_dependencies d ON d.pgt_id = s.pgt_id)
    SELECT coalesce(array_agg(r.relid), '{}') FROM reads r
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._reads TO PUBLIC;

-- Relations that share rows with this one: itself, its partitions or children, and what it is a partition or child of.
CREATE FUNCTION pgtrickle._relatives(relid oid) RETURNS oid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE up(oid) AS (SELECT relid UNION SELECT i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.oid)
    SELECT pgtrickle._source_relations(relid) || array_agg(u.oid) FROM up u
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._relatives TO PUBLIC;

-- The watermark groups as they stand. Dropped sources do not count; a group of fewer than two is aligned. why: what
-- keeps it from being aligned, for people.
CREATE FUNCTION pgtrickle._watermark_state(OUT group_id int, OUT group_name text, OUT sources oid[],
                                           OUT min_watermark timestamptz, OUT max_watermark timestamptz,
                                           OUT lag_secs double precision, OUT tolerance_secs double precision,
                                               OUT sources_with_watermark int, OUT sources_total int,
                                           OUT last_advanced_at timestamptz, OUT why text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT g.group_id, g.group_name, a.sources, a.low, a.high, a.lag, g.tolerance_secs, a.known, a.total, a.last,
           CASE WHEN a.total < 2 THEN NULL
                WHEN a.known < a.total THEN
                    format('%s of watermark group "%s" %s no watermark yet', a.unknown, g.group_name,
                           CASE a.total - a.known WHEN 1 THEN 'has' ELSE 'have' END)
                WHEN a.lag > g.tolerance_secs THEN
                    format('the watermarks of group "%s" are %s s apart, its tolerance is %s s: %s is at %s, %s at %s',
                           g.group_name, a.lag, g.tolerance_secs, a.lowest, a.low, a.highest, a.high) END
    FROM pgtrickle.pgt_watermark_groups g CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(c.oid ORDER BY c.oid), '{}') AS sources, min(w.watermark) AS low,
               max(w.watermark) AS high,
               extract(epoch FROM max(w.watermark) - min(w.watermark))::double precision AS lag,
                   count(w.watermark)::int AS known, count(*)::int AS total,
               max(w.updated_at) AS last, string_agg(pgtrickle._qualified(c.oid), ', ' ORDER BY c.oid) FILTER (
                       WHERE w.watermark IS NULL) AS unknown,
               (array_agg(pgtrickle._qualified(c.oid) ORDER BY w.watermark, c.oid))[1] AS lowest,
               (array_agg(pgtrickle._qualified(c.oid) ORDER BY w.watermark DESC NULLS LAST, c.oid))[1] AS highest
        FROM unnest(g.sources) AS u(relid) JOIN pg_class c ON c.oid = u.relid
        LEFT JOIN pgtrickle.pgt_watermarks w ON w.source_relid = c.oid) AS a
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._watermark_state TO PUBLIC;

-- Why a stream table has to wait, at the snapshot of the query that asks; NULL if it may be refreshed.
CREATE FUNCTION pgtrickle._hold_reason(id bigint) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    reads oid[];
    why   text;
BEGIN
    IF NOT EXISTS (SELECT FROM pgtrickle.pgt_source_gates g WHERE g.gated)
        AND NOT EXISTS (SELECT FROM pgtrickle.pgt_watermark_groups) THEN
        RETURN NULL;
    END IF;
    reads := pgtrickle._reads(id);
    SELECT string_agg(format('source %s is gated by %s since %s', pgtrickle._qualified(c.oid), g.gated_by,
                             date_trunc('second', g.gated_at)), '; ' ORDER BY g.gated_at, c.oid)
      INTO why FROM pgtrickle.pgt_source_gates g JOIN pg_class c ON c.oid = g.source_relid
     WHERE g.gated AND (g.source_relid = ANY (reads) OR pgtrickle._relatives(g.source_relid) && reads);
    IF why IS NULL THEN
        SELECT string_agg(w.why, '; ' ORDER BY w.group_id) INTO why FROM pgtrickle._watermark_state() AS w
         WHERE w.why IS NOT NULL AND (w.sources && reads OR EXISTS (SELECT FROM unnest(w.sources) AS u(relid)
                                                                    WHERE pgtrickle._relatives(u.relid) && reads));
    END IF;
    RETURN why;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._hold_reason TO PUBLIC;

-- Stream tables that read this relation, directly or through others, nearest first.
CREATE FUNCTION pgtrickle._consumers(relation oid) RETURNS SETOF bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE readers(pgt_id, depth) AS (
        SELECT d.pgt_id, 0 FROM pgtrickle.pgt_dependencies d WHERE d.source_relid = ANY (pgtrickle._relatives(relation))
        UNION
        SELECT d.pgt_id, r.depth + 1 FROM readers r JOIN pgtrickle._stream_tables s ON s.pgt_id = r.pgt_id
        JOIN pgtrickle.pgt_dependencies d ON d.source_relid = s.pgt_relid
        WHERE r.depth < (SELECT count(*) FROM pgtrickle._stream_tables))     -- they may form a cycle
    SELECT r.pgt_id FROM readers r GROUP BY r.pgt_id ORDER BY min(r.depth), r.pgt_id
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._consumers TO PUBLIC;

-- Their names, as a list for people; NULL if there are none.
CREATE FUNCTION pgtrickle._names(pgt_ids bigint[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(pgtrickle._qualified(s.pgt_relid), ', ' ORDER BY array_position(pgt_ids, s.pgt_id))
    FROM pgtrickle._stream_tables s WHERE s.pgt_id = ANY (pgt_ids)
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._names(bigint[]) TO PUBLIC;

-- OID of a relation that a query can read. Errors: 42P01 there is none, 42809 it is something else; as _parse_name.
CREATE FUNCTION pgtrickle._find_source(source text, caller_path text) RETURNS oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rel oid := pgtrickle._resolve(source, caller_path);
BEGIN
    IF rel IS NULL THEN
        RAISE EXCEPTION 'relation % does not exist', source
            USING ERRCODE = 'undefined_table', HINT = 'Names without a schema follow the search_path.';
    ELSIF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = rel AND c.relkind IN ('r', 'p', 'v', 'm', 'f')) THEN
        RAISE EXCEPTION '% is not a table or view', pgtrickle._qualified(rel)
            USING ERRCODE = 'wrong_object_type',
                HINT = 'A source is what a query can read: a table, a view, a stream table.';
    END IF;
    RETURN rel;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._find_source TO PUBLIC;

-- Error 42501 unless the caller owns the relation or is a member of its owner.
CREATE FUNCTION pgtrickle._require_owner(relation oid, purpose text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT pgtrickle._may_manage(relation) THEN
        RAISE EXCEPTION 'must be owner of % to %', pgtrickle._qualified(relation), purpose
            USING ERRCODE = 'insufficient_privilege', DETAIL = 'It can stop the stream tables of others who read it.',
                  HINT = format('It belongs to role "%s"; roles that are a member of it may do it too.',
                                (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = relation));
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._require_owner TO PUBLIC;

CREATE FUNCTION pgtrickle._set_gate(source text, gate boolean, caller_path text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rel oid := pgtrickle._find_source(source, caller_path);
BEGIN
    PERFORM pgtrickle._require_owner(rel, CASE WHEN gate THEN 'gate it' ELSE 'ungate it' END);
    IF pgtrickle._request('gate', jsonb_build_object('relid', rel, 'gate', gate))::boolean THEN
        PERFORM pgtrickle._wake('');
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._set_gate TO PUBLIC;

CREATE FUNCTION pgtrickle.gate_source(source text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._set_gate(source, true, pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.gate_source TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.gate_source(text) IS
'Closes the gate of a source that is about to be loaded: from the commit on, stream tables that read it, directly or
  through views, other stream tables
or its partitions, are not refreshed, so that nobody sees it half loaded. Its changes are captured all the same. Does
  nothing if it is closed.
source: any table or view, read by somebody or not. Errors: 42P01, 42809 not a table or view, 42501 not its owner.';

CREATE FUNCTION pgtrickle.ungate_source(source text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._set_gate(source, false, pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.ungate_source TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.ungate_source(text) IS
'Opens the gate of a source: what reads it is refreshed once, with all that was loaded. Does nothing if it is open.
  Errors: as gate_source().';

CREATE FUNCTION pgtrickle.bootstrap_gate_status()
RETURNS TABLE (source_table text, schema_name text, gated boolean, gated_at timestamptz, ungated_at timestamptz,
               gated_by text, gate_duration interval, affected_stream_tables text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.relname::text, n.nspname::text, g.gated, g.gated_at, g.ungated_at, g.gated_by::text,
           CASE WHEN g.gated THEN clock_timestamp() ELSE g.ungated_at END - g.gated_at,
           pgtrickle._names(ARRAY(SELECT pgtrickle._consumers(c.oid)))
    FROM pgtrickle.pgt_source_gates g JOIN pg_class c ON c.oid = g.source_relid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    ORDER BY n.nspname, c.relname
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.bootstrap_gate_status TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.bootstrap_gate_status() IS
'As source_gates(), with how long the gate has been closed (or was, the last time), and the stream tables that wait
  for it.';

CREATE FUNCTION pgtrickle.source_gates()
RETURNS TABLE (source_table text, schema_name text, gated boolean, gated_at timestamptz, ungated_at timestamptz,
               gated_by text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT b.source_table, b.schema_name, b.gated, b.gated_at, b.ungated_at, b.gated_by
    FROM pgtrickle.bootstrap_gate_status() AS b
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.source_gates TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.source_gates() IS 'The gates that were ever closed, one row per source. gated: it is
  closed now; gated_at, ungated_at: when it was closed and opened last.';

-- Watermarks ----------------------------------------------------------------------------------------------------------

CREATE FUNCTION pgtrickle._advance_watermark(source text, watermark timestamptz, caller_path text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rel oid := pgtrickle._find_source(source, caller_path);
    was timestamptz;
BEGIN
    IF watermark IS NULL OR NOT isfinite(watermark) THEN
        RAISE EXCEPTION 'the watermark of % must be a moment, not %', pgtrickle._qualified(rel),
            coalesce(watermark::text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the time up to which the source is complete.';
    ELSIF NOT has_table_privilege(rel, 'INSERT') THEN
        RAISE EXCEPTION 'permission denied to advance the watermark of %', pgtrickle._qualified(rel)
            USING ERRCODE = 'insufficient_privilege',
                HINT = format('It is for those who load it: GRANT INSERT ON %s TO %I.', pgtrickle._qualified(rel),
                              current_user);
    END IF;
    IF pgtrickle._request('watermark', jsonb_build_object('relid', rel, 'watermark', watermark))::boolean THEN
        -- This is part of somebody's load, which may be prepared: see _wake_from_trigger.
        IF current_setting('max_prepared_transactions') = '0'
            AND EXISTS (SELECT FROM pgtrickle.pgt_watermark_groups g WHERE rel = ANY (g.sources)) THEN
            PERFORM pgtrickle._wake('');
        END IF;
        RETURN;
    END IF;
    SELECT w.watermark INTO was FROM pgtrickle.pgt_watermarks w WHERE w.source_relid = rel;
    IF was > watermark THEN
        RAISE EXCEPTION 'the watermark of % cannot go back', pgtrickle._qualified(rel)
            USING ERRCODE = 'invalid_parameter_value', DETAIL = format('It is at %s, %s is earlier.', was, watermark),
                  HINT = 'A watermark says that nothing earlier will come. Late rows can be loaded without moving it.';
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._advance_watermark TO PUBLIC;

CREATE FUNCTION pgtrickle.advance_watermark(source text, watermark timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._advance_watermark(source, watermark, pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.advance_watermark TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.advance_watermark(text, timestamptz) IS
'Says that a source is complete up to this moment of the business''s time. Call it in the transaction that loads: both
  become visible together.
It never goes back (22023); the same moment again does nothing. It locks the watermark until the transaction ends, so
  loads of one source take turns here.
Errors: 42P01, 42809, 22023, 42501 the caller may not INSERT into the source.';

-- Is the caller the role that installed pgtrickle, a member of it, or a superuser?
CREATE FUNCTION pgtrickle._is_admin() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT pg_has_role(current_user, n.nspowner, 'USAGE') FROM pg_namespace n WHERE n.nspname = 'pgtrickle'
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._is_admin TO PUBLIC;

CREATE FUNCTION pgtrickle._check_group_name(group_name text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF group_name IS NULL OR btrim(group_name) = '' THEN
        RAISE EXCEPTION 'a group needs a name' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'It may be any text that is not empty.';
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._check_group_name TO PUBLIC;

CREATE FUNCTION pgtrickle._create_watermark_group(group_name text, sources text[], tolerance_secs double precision,
                                                  caller_path text) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rels   oid[] := '{}';
    source text;
    id     int;
BEGIN
    PERFORM pgtrickle._check_group_name(group_name);
    IF tolerance_secs IS NULL OR NOT (tolerance_secs >= 0 AND tolerance_secs < 'infinity') THEN
        RAISE EXCEPTION 'watermark group "%": invalid tolerance %', group_name, coalesce(tolerance_secs::text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a number of seconds, 0 or more.';
    END IF;
    FOREACH source IN ARRAY coalesce(sources, '{}') LOOP
        rels := rels || pgtrickle._find_source(source, caller_path);
        PERFORM pgtrickle._require_owner(rels[cardinality(rels)], 'put it into a watermark group');
    END LOOP;
    SELECT coalesce(array_agg(DISTINCT u.relid ORDER BY u.relid), '{}') INTO rels FROM unnest(rels) AS u(relid);
    IF cardinality(rels) < 2 THEN
        RAISE EXCEPTION 'watermark group "%" needs at least two different sources', group_name
            USING ERRCODE = 'invalid_parameter_value', HINT = 'A group keeps sources in step with each other.';
    END IF;
    BEGIN
        id := pgtrickle._request('create_watermark_group',
                                 jsonb_build_object('group_name', group_name, 'sources', rels, 'tolerance_secs',
                                                    tolerance_secs))::int;
    EXCEPTION WHEN unique_violation THEN
        RAISE EXCEPTION 'watermark group "%" already exists', group_name
            USING ERRCODE = 'duplicate_object', HINT = 'Choose another name, or drop_watermark_group() first.';
    END;
    PERFORM pgtrickle._wake('');
    RETURN id;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._create_watermark_group TO PUBLIC;

CREATE FUNCTION pgtrickle.create_watermark_group(group_name text, sources text[],
                                                 tolerance_secs double precision DEFAULT 0) RETURNS int
                                                     LANGUAGE plpgsql AS $$
BEGIN
    RETURN pgtrickle._create_watermark_group(group_name, sources, tolerance_secs,
                                             pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.create_watermark_group TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.create_watermark_group(text, text[], double precision) IS
'From now on stream tables that read one of these sources, directly or through others, are refreshed only while the
  watermarks of all of them are
within tolerance_secs seconds of each other. Returns the number of the group. A source without a watermark holds them
  too.
Errors: 42P01, 42809, 42501 not the owner of a source, 22023 fewer than two sources or a bad tolerance, 42710 the name
  is taken.';

CREATE FUNCTION pgtrickle.drop_watermark_group(group_name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._request('drop_group', jsonb_build_object('kind', 'watermark', 'group_name', group_name));
    PERFORM pgtrickle._wake('');
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.drop_watermark_group TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.drop_watermark_group(text) IS 'Removes a watermark group; the watermarks stay. Errors:
  42704 there is none, 42501 created by somebody else.';

CREATE FUNCTION pgtrickle.watermarks()
RETURNS TABLE (source_table text, schema_name text, watermark timestamptz, updated_at timestamptz,
               advanced_by text, wal_lsn text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.relname::text, n.nspname::text, w.watermark, w.updated_at, w.advanced_by::text, NULL::text
    FROM pgtrickle.pgt_watermarks w JOIN pg_class c ON c.oid = w.source_relid
    JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY n.nspname, c.relname
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.watermarks TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.watermarks() IS 'The watermark of each source that has one, and who advanced it when.
  wal_lsn is always NULL: a watermark is part of the transaction that loads.';

CREATE FUNCTION pgtrickle.watermark_groups()
RETURNS TABLE (group_name text, source_count int, tolerance_secs double precision, created_at timestamptz,
               sources text[], created_by text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT g.group_name, s.sources_total, g.tolerance_secs, g.created_at, ARRAY(SELECT pgtrickle._qualified(u.relid)
            FROM unnest(s.sources) AS u(relid) ORDER BY 1), g.created_by::text
    FROM pgtrickle._watermark_state() AS s JOIN pgtrickle.pgt_watermark_groups g USING (group_id) ORDER BY g.group_name
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.watermark_groups TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.watermark_groups() IS 'The watermark groups: which sources are kept in step, within how
  many seconds.';

CREATE FUNCTION pgtrickle.watermark_status()
RETURNS TABLE (group_name text, min_watermark timestamptz, max_watermark timestamptz, lag_secs double precision,
               aligned boolean, sources_with_watermark int, sources_total int,
               reason text, last_advanced_at timestamptz, affected_stream_tables text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.group_name, s.min_watermark, s.max_watermark, s.lag_secs, s.why IS NULL, s.sources_with_watermark,
           s.sources_total, s.why, s.last_advanced_at,
           pgtrickle._names(ARRAY(SELECT x.id FROM unnest(s.sources) AS u(relid)
                                  CROSS JOIN LATERAL pgtrickle._consumers(u.relid) AS x(id) GROUP BY x.id
                                  ORDER BY x.id))
    FROM pgtrickle._watermark_state() AS s ORDER BY s.group_name
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.watermark_status TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.watermark_status() IS
'How the watermark groups stand. aligned: the sources are within the tolerance, and the ones that read them
  (affected_stream_tables) are refreshed; otherwise reason
says what they wait for. last_advanced_at: when a watermark of the group last moved.';

-- After a relation was dropped: nobody waits for it any more.
CREATE FUNCTION pgtrickle._forget_relation(relation oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM pgtrickle.pgt_capture_rights x WHERE x.source_relid = relation;
    DELETE FROM pgtrickle.pgt_watermarks w WHERE w.source_relid = relation;
    DELETE FROM pgtrickle.pgt_source_gates g WHERE g.source_relid = relation;
    IF FOUND OR EXISTS (SELECT FROM pgtrickle.pgt_watermark_groups g WHERE relation = ANY (g.sources)) THEN
        UPDATE pgtrickle.pgt_watermark_groups g SET sources = array_remove(g.sources, relation)
        WHERE relation = ANY (g.sources);
        DELETE FROM pgtrickle.pgt_watermark_groups g WHERE cardinality(g.sources) < 2;
        PERFORM pgtrickle._wake_from_trigger();
    END IF;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._forget_relation FROM PUBLIC;
