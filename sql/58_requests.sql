-- How the API writes to the catalog. Users have no right to write there. The functions of the API run with the caller's
-- rights, because they run, plan and check what he wrote; where the catalog is to change, they ask for it with
-- _request(). The trigger on _requests runs as the admin and lets functions (_do_...) write that each check one thing:
-- whose relation it is.
--
-- A SECURITY DEFINER function cannot know who has called it: current_user is its owner, session_user may have changed
-- roles, and a parameter can say anything. But the default of a column is evaluated with the rights of who inserts, and
-- nobody may insert into the column "caller" itself.

CREATE VIEW pgtrickle._requests AS
SELECT NULL::text AS what, NULL::jsonb AS details, NULL::jsonb AS answer, NULL::name AS caller WHERE false;
ALTER VIEW pgtrickle._requests ALTER COLUMN caller SET DEFAULT current_user;
COMMENT ON VIEW pgtrickle._requests IS 'Always empty. The API writes here what it wants of the catalog.';

CREATE FUNCTION pgtrickle._request(what text, details jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result jsonb;
BEGIN
    INSERT INTO pgtrickle._requests AS r (what, details) VALUES (_request.what, _request.details)
    RETURNING r.answer INTO result;
    RETURN result;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._request TO PUBLIC;

CREATE FUNCTION pgtrickle._on_request() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    caller oid := (SELECT r.oid FROM pg_roles r WHERE r.rolname = NEW.caller);
    d      jsonb := NEW.details;
BEGIN
    -- Nobody shall fill the catalog, which all have in common.
    IF octet_length(d::text) > 10000000 THEN
        RAISE EXCEPTION 'the definition is too long for the catalog: % bytes', octet_length(d::text)
            USING ERRCODE = 'program_limit_exceeded',
                HINT = 'At most 10 MB are kept of a stream table. Move parts of the query to views.';
    END IF;
    CASE NEW.what
        WHEN 'create' THEN NEW.answer := to_jsonb(pgtrickle._do_create(caller, d));
        WHEN 'lock' THEN PERFORM pgtrickle._do_lock(caller, (d ->> 'id')::bigint);
        WHEN 'lock_frontiers' THEN PERFORM pgtrickle._do_lock_frontiers(caller, d);
        WHEN 'redefine' THEN PERFORM pgtrickle._do_redefine(caller, (d ->> 'id')::bigint, (d ->> 'view')::oid);
        WHEN 'alter' THEN
            PERFORM pgtrickle._do_alter(caller, (d ->> 'id')::bigint, d -> 'set', (d ->> 'bump')::boolean);
        WHEN 'resume' THEN PERFORM pgtrickle._do_resume(caller, (d ->> 'id')::bigint);
        WHEN 'drop' THEN PERFORM pgtrickle._do_drop(caller, (d ->> 'id')::bigint);
        WHEN 'adopted' THEN PERFORM pgtrickle._do_adopted(caller, (d ->> 'id')::bigint, (d ->> 'relid')::oid);
        WHEN 'reset_fuse' THEN
            NEW.answer := to_jsonb(pgtrickle._do_reset_fuse(caller, (d ->> 'id')::bigint, d ->> 'action'));
        WHEN 'repair' THEN PERFORM pgtrickle._do_repair(caller, (d ->> 'id')::bigint, d ->> 'finding');
        WHEN 'rebuild' THEN PERFORM pgtrickle._do_rebuild(caller, d);
        WHEN 'refresh' THEN PERFORM pgtrickle._do_ask_to_refresh(caller, (d ->> 'id')::bigint);
        WHEN 'refreshed' THEN PERFORM pgtrickle._do_refreshed(caller, d);
        WHEN 'gate' THEN
            NEW.answer := to_jsonb(pgtrickle._do_gate(caller, (d ->> 'relid')::oid, (d ->> 'gate')::boolean));
        WHEN 'allow_capture' THEN
            PERFORM pgtrickle._do_allow_capture(caller, (d ->> 'relid')::oid, (d ->> 'role')::oid,
                                                (d ->> 'allow')::boolean);
        WHEN 'watermark' THEN
            NEW.answer := to_jsonb(pgtrickle._do_watermark(caller, (d ->> 'relid')::oid,
                                                           (d ->> 'watermark')::timestamptz));
        WHEN 'create_watermark_group' THEN NEW.answer := to_jsonb(pgtrickle._do_create_watermark_group(caller, d));
        WHEN 'create_refresh_group' THEN NEW.answer := to_jsonb(pgtrickle._do_create_refresh_group(caller, d));
        WHEN 'join_refresh_group' THEN
            NEW.answer := to_jsonb(pgtrickle._do_join_refresh_group(caller, (d ->> 'group_id')::int,
                                                                    (d ->> 'id')::bigint));
        WHEN 'drop_group' THEN PERFORM pgtrickle._do_drop_group(caller, d ->> 'kind', d ->> 'group_name');
    END CASE;
    RETURN NEW;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._on_request FROM PUBLIC;
CREATE TRIGGER request INSTEAD OF INSERT ON pgtrickle._requests FOR EACH ROW EXECUTE FUNCTION pgtrickle._on_request();
GRANT INSERT (what, details), SELECT (answer) ON pgtrickle._requests TO PUBLIC;

-- Checks -------------------------------------------------------------------------------------------------------------

-- Error 42501 unless the relation exists and the caller owns it or is a member of its owner.
CREATE FUNCTION pgtrickle._require_owned_by(caller oid, relation oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = relation AND pg_has_role(caller, c.relowner, 'USAGE')) THEN
        RAISE EXCEPTION 'must be owner of %', pgtrickle._qualified(relation) USING ERRCODE = 'insufficient_privilege';
    END IF;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._require_owned_by FROM PUBLIC;

-- The same for a stream table by its number; returns its row, locked against others who would change it.
CREATE FUNCTION pgtrickle._owned_stream_table(caller oid, id bigint) RETURNS pgtrickle.pgt_stream_tables
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st pgtrickle.pgt_stream_tables;
BEGIN
    PERFORM pgtrickle._require_owned_by(caller, (SELECT s.pgt_relid FROM pgtrickle.pgt_stream_tables s
                                                 WHERE s.pgt_id = id));
    SELECT * INTO st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the stream table was dropped meanwhile' USING ERRCODE = 'undefined_table';
    END IF;
    RETURN st;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._owned_stream_table FROM PUBLIC;

-- Settings that may be kept with a stream table, of the ones that are given.
CREATE FUNCTION pgtrickle._kept_settings(settings jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(jsonb_object_agg(e.key, e.value), '{}') FROM jsonb_each_text(settings) AS e
    WHERE e.key = ANY (pgtrickle._setting_names())
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._kept_settings FROM PUBLIC;

-- Error 42501 unless the caller may read what a view reads, behind other views as their owners.
CREATE FUNCTION pgtrickle._require_readable(caller oid, view_oid oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    hidden oid;
BEGIN
    WITH RECURSIVE reads(relid, role) AS (
        SELECT d.refobjid, caller
        FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
          AND d.refclassid = 'pg_class'::regclass
        WHERE r.ev_class = view_oid AND d.refobjid <> view_oid
        UNION
        SELECT d.refobjid, CASE WHEN pgtrickle._is_security_invoker(v.relid) THEN v.role ELSE c.relowner END
        FROM reads v JOIN pg_class c ON c.oid = v.relid AND c.relkind = 'v'
        JOIN pg_rewrite r ON r.ev_class = v.relid AND r.ev_type = '1'
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
          AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.relid)
    SELECT r.relid INTO hidden FROM reads r JOIN pg_class c ON c.oid = r.relid
      AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    WHERE NOT has_any_column_privilege(r.role, r.relid, 'SELECT') LIMIT 1;
    IF hidden IS NOT NULL THEN
        RAISE EXCEPTION 'permission denied to read %', pgtrickle._qualified(hidden)
            USING ERRCODE = 'insufficient_privilege';
    END IF;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._require_readable FROM PUBLIC;

-- Stream tables ------------------------------------------------------------------------------------------------------

-- Enters a table that the caller has made: its name and owner are what the catalogs of PostgreSQL say, what it reads is
-- what a view of the caller's reads. Returns its number.
CREATE FUNCTION pgtrickle._do_create(caller oid, d jsonb) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rel record;
    st  pgtrickle.pgt_stream_tables := jsonb_populate_record(NULL::pgtrickle.pgt_stream_tables, d);
    id  bigint;
BEGIN
    PERFORM pgtrickle._require_owned_by(caller, st.pgt_relid);
    SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relispartition, c.relowner INTO STRICT rel
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = st.pgt_relid;
    IF rel.relkind <> 'r' OR rel.relpersistence <> 'p' OR rel.relispartition THEN
        RAISE EXCEPTION '% is not an ordinary table', pgtrickle._qualified(rel.oid) USING ERRCODE = 'wrong_object_type';
    ELSIF rel.nspname LIKE E'pg\\_%'
        OR rel.nspname IN ('pgtrickle', 'pgtrickle_changes', 'pgtrickle_state', 'information_schema') THEN
        RAISE EXCEPTION 'a stream table cannot be in schema "%"', rel.nspname USING ERRCODE = 'invalid_schema_name';
    END IF;
    INSERT INTO pgtrickle.pgt_stream_tables (pgt_relid, pgt_schema, pgt_name, original_query, defining_query, settings,
                                             names, names_now, schedule,
                refresh_mode, is_populated, tier, max_staleness, diamond_consistency, diamond_schedule_policy,
                    allow_circular,
                max_delta_fraction, fuse, fuse_ceiling, fuse_sensitivity, created_by, owner_name)
    VALUES (rel.oid, rel.nspname, rel.relname, st.original_query, st.defining_query,
            pgtrickle._kept_settings(st.settings), st.names, st.names,
            pgtrickle._check_schedule(st.schedule), st.refresh_mode, st.is_populated, st.tier, st.max_staleness,
                st.diamond_consistency,
            st.diamond_schedule_policy, st.allow_circular, st.max_delta_fraction, st.fuse, st.fuse_ceiling,
                st.fuse_sensitivity,
            pg_get_userbyid(caller), pg_get_userbyid(rel.relowner))
    RETURNING pgt_id INTO id;
    INSERT INTO pgtrickle.pgt_frontiers (pgt_id) VALUES (id);
    PERFORM pgtrickle._require_readable(caller, (d ->> 'view')::oid);
    PERFORM pgtrickle._record_sources(id, (d ->> 'view')::oid);
    RETURN id;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._do_create FROM PUBLIC;

CREATE FUNCTION pgtrickle._do_lock(caller oid, id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._owned_stream_table(caller, id);
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._do_lock FROM PUBLIC;

-- Waits for refreshes that run, and keeps others from beginning. ids: an array, in the order in which they are locked.
CREATE FUNCTION pgtrickle._do_lock_frontiers(caller oid, ids jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    id bigint;
BEGIN
    FOR id IN SELECT i.id::bigint FROM jsonb_array_elements_text(ids) AS i(id) LOOP
        PERFORM pgtrickle._require_owned_by(caller, (SELECT s.pgt_relid FROM pgtrickle.pgt_stream_tables s
                                                     WHERE s.pgt_id = id));
        PERFORM FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = id FOR UPDATE;
    END LOOP;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._do_lock_frontiers FROM PUBLIC;

-- A stream table is about to get the query of a view: keeps the definition that it had, and enters what the new one
-- reads.
CREATE FUNCTION pgtrickle._do_redefine(caller oid, id bigint, view_oid oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st pgtrickle.pgt_stream_tables := pgtrickle._owned_stream_table(caller, id);
BEGIN
    UPDATE pgtrickle.pgt_stream_tables s SET previous = pgtrickle._definition_now(st), definite_query = NULL
    WHERE s.pgt_id = id;
    PERFORM pgtrickle._require_readable(caller, view_oid);
    PERFORM pgtrickle._record_sources(id, view_oid);
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._do_redefine FROM PUBLIC;

-- Sets columns of a stream table to what the caller says, if they are his to set. bump: it concerns the program.
CREATE FUNCTION pgtrickle._do_alter(caller oid, id bigint, changes jsonb, bump boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st  pgtrickle.pgt_stream_tables := pgtrickle._owned_stream_table(caller, id);
    new pgtrickle.pgt_stream_tables := jsonb_populate_record(st, changes);
    bad text;
BEGIN
    SELECT string_agg(e.key, ', ') INTO bad FROM jsonb_each(changes) AS e
    WHERE NOT CASE
        WHEN e.key = ANY ('{original_query,defining_query,settings,names,names_now,schedule,refresh_mode,reinit_reason,
                            tier,max_staleness,diamond_consistency,diamond_schedule_policy,allow_circular,
                            max_delta_fraction,fuse,fuse_ceiling,fuse_sensitivity,fuse_reset}'::text[]) THEN true
        WHEN e.key IN ('definite_query', 'failed_alteration', 'fuse_blown_at', 'fuse_blow_reason') THEN e.value = 'null'
        WHEN e.key = 'needs_reinit' THEN e.value = 'true'
        WHEN e.key = 'status' THEN e.value IN ('"PAUSED"', '"SUSPENDED"')
        ELSE false END;
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'permission denied to set % of stream table %', bad, pgtrickle._qualified(st.pgt_relid)
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    UPDATE pgtrickle.pgt_stream_tables s
       SET original_query = new.original_query, defining_query = new.defining_query,
           definite_query = new.definite_query,
           settings = pgtrickle._kept_settings(new.settings), names = new.names, names_now = new.names_now,
               failed_alteration = new.failed_alteration,
           schedule = pgtrickle._check_schedule(new.schedule), refresh_mode = new.refresh_mode, status = new.status,
               needs_reinit = new.needs_reinit,
           reinit_reason = left(new.reinit_reason, pgtrickle._kept_characters()), tier = new.tier,
           max_staleness = new.max_staleness,
               diamond_consistency = new.diamond_consistency,
           diamond_schedule_policy = new.diamond_schedule_policy, allow_circular = new.allow_circular,
               max_delta_fraction = new.max_delta_fraction,
           fuse = new.fuse, fuse_ceiling = new.fuse_ceiling, fuse_sensitivity = new.fuse_sensitivity,
           fuse_blown_at = new.fuse_blown_at, fuse_blow_reason = new.fuse_blow_reason, fuse_reset = new.fuse_reset,
           generation = CASE WHEN coalesce(bump, true) THEN pgtrickle._next_generation(s.generation)
                             ELSE s.generation END
     WHERE s.pgt_id = id;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._do_alter FROM PUBLIC;

CREATE FUNCTION pgtrickle._do_resume(caller oid, id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._owned_stream_table(caller, id);
    PERFORM pgtrickle._resume(id);
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._do_resume FROM PUBLIC;

CREATE FUNCTION pgtrickle._do_drop(caller oid, id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._owned_stream_table(caller, id);
    DELETE FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = id;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._do_drop FROM PUBLIC;

-- False if the fuse is not blown.
CREATE FUNCTION pgtrickle._do_reset_fuse(caller oid, id bigint, what text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._owned_stream_table(caller, id);
    UPDATE pgtrickle.pgt_stream_tables s
       SET fuse_blown_at = NULL, fuse_blow_reason = NULL, fuse_reset = CASE WHEN what <> 'reinitialize' THEN what END,
           needs_reinit = s.needs_reinit OR what = 'reinitialize',
           reinit_reason = CASE WHEN what = 'reinitialize'
                                AND NOT s.needs_reinit THEN 'its fuse was reset by re-initialisation'
                                    ELSE s.reinit_reason END,
           generation = CASE WHEN what = 'reinitialize' THEN pgtrickle._next_generation(s.generation)
                             ELSE s.generation END
     WHERE s.pgt_id = id AND s.fuse_blown_at IS NOT NULL;
    RETURN FOUND;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._do_reset_fuse FROM PUBLIC;

-- Has the daemon rebuild a stream table, and resumes it if it was in error. finding: what was found wrong.
CREATE FUNCTION pgtrickle._do_repair(caller oid, id bigint, finding text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st pgtrickle.pgt_stream_tables := pgtrickle._owned_stream_table(caller, id);
BEGIN
    INSERT INTO pgtrickle.pgt_frontiers (pgt_id) VALUES (id) ON CONFLICT DO NOTHING;
    UPDATE pgtrickle.pgt_stream_tables s
       SET needs_reinit = true, reinit_reason = CASE WHEN s.needs_reinit THEN coalesce(s.reinit_reason, 'repaired')
                                                     ELSE left(format('repaired: %s', finding),
                                                               pgtrickle._kept_characters()) END
     WHERE s.pgt_id = id;
    IF st.status <> 'PAUSED' THEN
        PERFORM pgtrickle._resume(id);
        RETURN;
    END IF;
    UPDATE pgtrickle.pgt_stream_tables s
       SET consecutive_errors = 0, last_error = NULL, last_error_code = NULL, last_error_hint = NULL,
           last_error_at = NULL, retry_at = NULL, generation = pgtrickle._next_generation(s.generation)
     WHERE s.pgt_id = id;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._do_repair FROM PUBLIC;

-- A refresh by hand found that stream tables must be rebuilt. ids: an array; those of others are not his to mark.
CREATE FUNCTION pgtrickle._do_rebuild(caller oid, ids jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE pgtrickle.pgt_stream_tables s SET needs_reinit = true,
        reinit_reason = 'a source changed, as a refresh by hand found'
    FROM pg_class c
    WHERE c.oid = s.pgt_relid AND pg_has_role(caller, c.relowner, 'USAGE') AND NOT s.needs_reinit
      AND s.pgt_id IN (SELECT i.id::bigint FROM jsonb_array_elements_text(ids) AS i(id));
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._do_rebuild FROM PUBLIC;

-- The daemon is to refresh a stream table at once, whatever its schedule says.
CREATE FUNCTION pgtrickle._do_ask_to_refresh(caller oid, id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._owned_stream_table(caller, id);
    UPDATE pgtrickle.pgt_stream_tables s SET refresh_asked_at = clock_timestamp() WHERE s.pgt_id = id;
    PERFORM pgtrickle._wake_for(id);
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._do_ask_to_refresh FROM PUBLIC;

-- A refresh by hand that did something.
CREATE FUNCTION pgtrickle._do_refreshed(caller oid, d jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    h pgtrickle.pgt_refresh_history := jsonb_populate_record(NULL::pgtrickle.pgt_refresh_history, d);
BEGIN
    PERFORM pgtrickle._require_owned_by(caller, (SELECT s.pgt_relid FROM pgtrickle.pgt_stream_tables s
                                                 WHERE s.pgt_id = h.pgt_id));
    IF h.action NOT IN ('DIFFERENTIAL', 'FULL', 'SKIPPED') THEN
        RAISE EXCEPTION 'invalid action %', quote_nullable(h.action) USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO pgtrickle.pgt_refresh_history (pgt_id, data_timestamp, start_time, end_time, action, status, delta_rows,
                                               rows_inserted, rows_updated,
                                               rows_deleted, duration_ms, initiated_by, counted)
    SELECT h.pgt_id, f.data_timestamp, h.start_time, clock_timestamp(), h.action, 'COMPLETED', h.delta_rows,
           h.rows_inserted, h.rows_updated,
           h.rows_deleted, extract(epoch FROM clock_timestamp() - h.start_time) * 1000, 'MANUAL', false
    FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = h.pgt_id;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._do_refreshed FROM PUBLIC;

-- Gates, watermarks, groups -------------------------------------------------------------------------------------------

-- They stop the stream tables of others, so gates and watermark groups are for owners of the sources; watermarks are
-- for who loads a source. False if the gate is so already.
CREATE FUNCTION pgtrickle._do_gate(caller oid, relation oid, gate boolean) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._require_owned_by(caller, relation);
    IF gate THEN
        INSERT INTO pgtrickle.pgt_source_gates AS g (source_relid, source_schema, source_name, source_owner, gated,
                                                     gated_at, gated_by)
        SELECT c.oid, n.nspname, c.relname, pg_get_userbyid(c.relowner), true, now(), pg_get_userbyid(caller)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation
        ON CONFLICT (source_relid) DO UPDATE SET gated = true, gated_at = excluded.gated_at, ungated_at = NULL,
            gated_by = excluded.gated_by,
                                                 source_schema = excluded.source_schema,
                                                     source_name = excluded.source_name,
                                                 source_owner = excluded.source_owner
        WHERE NOT g.gated;
    ELSE
        UPDATE pgtrickle.pgt_source_gates g SET gated = false, ungated_at = now()
        WHERE g.source_relid = relation AND g.gated;
    END IF;
    RETURN FOUND;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._do_gate FROM PUBLIC;

-- False if the watermark is not behind that.
CREATE FUNCTION pgtrickle._do_watermark(caller oid, relation oid, moment timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF has_table_privilege(caller, relation, 'INSERT') IS NOT TRUE OR isfinite(moment) IS NOT TRUE THEN
        RAISE EXCEPTION 'permission denied to advance the watermark of %', pgtrickle._qualified(relation)
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO pgtrickle.pgt_watermarks AS w (source_relid, source_schema, source_name, source_owner, watermark,
                                               updated_at, advanced_by)
    SELECT c.oid, n.nspname, c.relname, pg_get_userbyid(c.relowner), moment, clock_timestamp(), pg_get_userbyid(caller)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation
    ON CONFLICT (source_relid) DO UPDATE SET watermark = excluded.watermark, updated_at = excluded.updated_at,
        advanced_by = excluded.advanced_by,
                                             source_schema = excluded.source_schema, source_name = excluded.source_name,
                                             source_owner = excluded.source_owner
    WHERE w.watermark < excluded.watermark;
    RETURN FOUND;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._do_watermark FROM PUBLIC;

CREATE FUNCTION pgtrickle._do_create_watermark_group(caller oid, d jsonb) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rels oid[] := ARRAY(SELECT DISTINCT s.relid::oid
                        FROM jsonb_array_elements_text(d -> 'sources') AS s(relid) ORDER BY 1);
    id   int;
BEGIN
    PERFORM pgtrickle._check_group_name(d ->> 'group_name');
    PERFORM pgtrickle._require_owned_by(caller, u.relid) FROM unnest(rels) AS u(relid);
    INSERT INTO pgtrickle.pgt_watermark_groups (group_name, sources, tolerance_secs, created_by)
    VALUES (d ->> 'group_name', rels, (d ->> 'tolerance_secs')::double precision, pg_get_userbyid(caller))
        RETURNING group_id INTO id;
    RETURN id;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._do_create_watermark_group FROM PUBLIC;

CREATE FUNCTION pgtrickle._do_create_refresh_group(caller oid, d jsonb) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids bigint[] := ARRAY(SELECT DISTINCT m.id::bigint
                          FROM jsonb_array_elements_text(d -> 'members') AS m(id) ORDER BY 1);
    id  int;
BEGIN
    PERFORM pgtrickle._check_group_name(d ->> 'group_name');
    PERFORM pgtrickle._owned_stream_table(caller, m.id) FROM unnest(ids) AS m(id);
    INSERT INTO pgtrickle.pgt_refresh_groups (group_name, isolation, created_by)
    VALUES (d ->> 'group_name', d ->> 'isolation', pg_get_userbyid(caller)) RETURNING group_id INTO id;
    INSERT INTO pgtrickle.pgt_refresh_group_members (group_id, pgt_id) SELECT id, u.member
    FROM unnest(ids) AS u(member);
    RETURN id;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._do_create_refresh_group FROM PUBLIC;

-- Adds a stream table to a group, which is for who has created that or manages all of its members: a group waits for
-- each of its members. False if the caller is neither, or the group is gone.
CREATE FUNCTION pgtrickle._do_join_refresh_group(caller oid, id int, member bigint) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._owned_stream_table(caller, member);
    IF EXISTS (SELECT FROM pgtrickle.pgt_refresh_groups g JOIN pg_roles r ON r.rolname = g.created_by
               WHERE g.group_id = id AND pg_has_role(caller, r.oid, 'USAGE'))
       OR (SELECT bool_and(pg_has_role(caller, c.relowner, 'USAGE'))
           FROM pgtrickle.pgt_refresh_group_members m JOIN pgtrickle.pgt_stream_tables s
           USING (pgt_id) JOIN pg_class c ON c.oid = s.pgt_relid
           WHERE m.group_id = id) THEN
        INSERT INTO pgtrickle.pgt_refresh_group_members (group_id, pgt_id) VALUES (id, member);
        RETURN true;
    END IF;
    RETURN false;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._do_join_refresh_group FROM PUBLIC;

-- kind: refresh or watermark. Its creator may be gone: then it is for the admin.
CREATE FUNCTION pgtrickle._do_drop_group(caller oid, kind text, name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    creator name := CASE kind WHEN 'refresh' THEN (SELECT g.created_by FROM pgtrickle.pgt_refresh_groups g
                                                   WHERE g.group_name = name)
                              ELSE (SELECT g.created_by FROM pgtrickle.pgt_watermark_groups g
                                    WHERE g.group_name = name) END;
BEGIN
    IF creator IS NULL THEN
        RAISE EXCEPTION '% group "%" does not exist', kind, name
            USING ERRCODE = 'undefined_object', HINT = format('pgtrickle.%s_groups() lists them.', kind);
    ELSIF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = creator AND pg_has_role(caller, r.oid, 'USAGE'))
          AND NOT (SELECT pg_has_role(caller, n.nspowner, 'USAGE') FROM pg_namespace n
                   WHERE n.nspname = 'pgtrickle') THEN
        RAISE EXCEPTION 'must be creator of % group "%" to drop it', kind, name
            USING ERRCODE = 'insufficient_privilege', HINT = format('It was created by role "%s".', creator);
    END IF;
    IF kind = 'refresh' THEN
        DELETE FROM pgtrickle.pgt_refresh_groups g WHERE g.group_name = name;
    ELSE
        DELETE FROM pgtrickle.pgt_watermark_groups g WHERE g.group_name = name;
    END IF;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._do_drop_group FROM PUBLIC;
