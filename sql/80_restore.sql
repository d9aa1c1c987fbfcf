-- After a restore into another cluster or database, or pg_upgrade: transaction ids, OIDs and logs mean nothing any
-- more.

-- Identifier of the cluster, NULL if this server does not let us read it.
CREATE FUNCTION pgtrickle._system_identifier() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT c.system_identifier::text FROM pg_control_system() AS c);
EXCEPTION WHEN insufficient_privilege OR undefined_function THEN
    RETURN NULL;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._system_identifier TO PUBLIC;

CREATE FUNCTION pgtrickle._cluster_changed() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    -- No row: the plain script was restored without its data.
    SELECT NOT EXISTS (SELECT FROM pgtrickle.pgt_installation)
        OR EXISTS (SELECT FROM pgtrickle.pgt_installation i
                   WHERE i.database_oid <> (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                      OR i.system_identifier <> pgtrickle._system_identifier())
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._cluster_changed TO PUBLIC;

-- The relation of this name, if it belongs to the role that owned it when the name was recorded (NULL: not recorded):
-- names go stale where nobody tells of renames, and what has the name now may be somebody else's.
CREATE FUNCTION pgtrickle._same_relation(schema name, name name, owner name) RETURNS oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND ($3 IS NULL OR pg_get_userbyid(c.relowner) = $3)
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._same_relation FROM PUBLIC;

-- Of which stream table is this relation, as its guard says? Only its owner can have put that there.
CREATE FUNCTION pgtrickle._guarded_as(relation oid) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT substring(pg_get_triggerdef(t.oid) FROM 'IS DISTINCT FROM ''([0-9]{1,18})''')::bigint
    FROM pg_trigger t WHERE t.tgrelid = relation AND t.tgname = 'pgtrickle_guard'
      AND t.tgfoid = 'pgtrickle._guard()'::regprocedure
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._guarded_as FROM PUBLIC;

-- The table that a row of a catalog from elsewhere is about: an ordinary table with the guard of this stream table.
CREATE FUNCTION pgtrickle._table_of(id bigint, schema name, name name) RETURNS oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $2 AND c.relname = $3 AND c.relkind = 'r' AND pgtrickle._guarded_as(c.oid) = $1
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._table_of FROM PUBLIC;

-- Relinks gates, watermarks and watermark groups by name; groups record OIDs only, so their names are looked up in the
-- other tables, before those are relinked. What cannot be found holds nobody any more.
CREATE FUNCTION pgtrickle._relink_gates() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known      jsonb;   -- old OID -> new OID
    gates      pgtrickle.pgt_source_gates[] := ARRAY(SELECT g FROM pgtrickle.pgt_source_gates g);
    watermarks pgtrickle.pgt_watermarks[] := ARRAY(SELECT w FROM pgtrickle.pgt_watermarks w);
    g          record;
BEGIN
    SELECT coalesce(jsonb_object_agg(n.old, n.new), '{}') INTO known
    FROM (SELECT x.relid::text AS old, pgtrickle._same_relation(x.schema, x.name, x.owner)::bigint AS new
          FROM (SELECT w.source_relid, w.source_schema, w.source_name, w.source_owner FROM pgtrickle.pgt_watermarks w
                UNION ALL SELECT a.source_relid, a.source_schema, a.source_name, a.source_owner
                FROM pgtrickle.pgt_source_gates a
                UNION ALL SELECT d.source_relid, d.source_schema, d.source_name, NULL FROM pgtrickle.pgt_dependencies d
                          WHERE NOT EXISTS (SELECT FROM pgtrickle.pgt_watermarks w
                                            WHERE w.source_relid = d.source_relid)
                            AND NOT EXISTS (SELECT FROM pgtrickle.pgt_source_gates a
                                            WHERE a.source_relid = d.source_relid)) AS x(relid, schema,
                                        name, owner)) AS n
    WHERE n.new IS NOT NULL;
    DELETE FROM pgtrickle.pgt_source_gates;
    DELETE FROM pgtrickle.pgt_watermarks;
    INSERT INTO pgtrickle.pgt_source_gates (source_relid, source_schema, source_name, source_owner, gated, gated_at,
                                            ungated_at, gated_by)
    SELECT (known ->> a.source_relid::text)::oid, a.source_schema, a.source_name, a.source_owner, a.gated, a.gated_at,
           a.ungated_at, a.gated_by
    FROM unnest(gates) AS a WHERE known ? a.source_relid::text;
    INSERT INTO pgtrickle.pgt_watermarks (source_relid, source_schema, source_name, source_owner, watermark,
                                          updated_at, advanced_by)
    SELECT (known ->> w.source_relid::text)::oid, w.source_schema, w.source_name, w.source_owner, w.watermark,
           w.updated_at, w.advanced_by
    FROM unnest(watermarks) AS w WHERE known ? w.source_relid::text;
    FOR g IN SELECT x.group_id, x.group_name, x.sources FROM pgtrickle.pgt_watermark_groups x LOOP
        UPDATE pgtrickle.pgt_watermark_groups x SET sources = ARRAY(SELECT (known ->> u.relid::text)::oid
                                                                    FROM unnest(g.sources) AS u(relid)
                                                                    WHERE known ? u.relid::text)
        WHERE x.group_id = g.group_id;
        IF NOT (SELECT bool_and(known ? u.relid::text) FROM unnest(g.sources) AS u(relid)) THEN
            RAISE WARNING 'watermark group "%" has lost a source, which could not be found after the restore',
                g.group_name;
        END IF;
    END LOOP;
    DELETE FROM pgtrickle.pgt_watermark_groups x WHERE cardinality(x.sources) < 2;
    PERFORM setval('pgtrickle.control_xid', 1);     -- a transaction of another cluster
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._relink_gates FROM PUBLIC;

-- Relinks everything by name: stream tables, what they read, and removes the old capture. All stream tables are to be
-- initialised again. Returns how many there are; those whose table does not exist, or is not the one that was meant,
-- are removed from the catalog. A table that has another owner now waits until somebody has said that its query is to
-- run with the rights of that owner. For the admin, when _cluster_changed().
CREATE FUNCTION pgtrickle._adopt_cluster() RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s            record;
    dependencies pgtrickle.pgt_dependencies[];
BEGIN
    LOCK TABLE pgtrickle.pgt_stream_tables IN SHARE ROW EXCLUSIVE MODE;
    FOR s IN SELECT x.source_id FROM pgtrickle.pgt_sources x LOOP
        PERFORM pgtrickle._uninstall_capture(s.source_id);
    END LOOP;
    PERFORM pgtrickle._drop_orphaned_capture();
    FOR s IN DELETE FROM pgtrickle.pgt_stream_tables t
        WHERE pgtrickle._table_of(t.pgt_id, t.pgt_schema, t.pgt_name) IS NULL
             RETURNING t.pgt_id, t.pgt_schema, t.pgt_name LOOP
        RAISE WARNING 'stream table %.% is forgotten: there is no table of this name with its guard',
            quote_ident(s.pgt_schema), quote_ident(s.pgt_name);
    END LOOP;
    UPDATE pgtrickle.pgt_stream_tables t
       SET pgt_relid = pgtrickle._table_of(t.pgt_id, t.pgt_schema, t.pgt_name), needs_reinit = true,
           reinit_reason = 'the database was restored or upgraded',
           names = pgtrickle._names_found(t.names, t.names_now, true), previous = NULL,
           generation = pgtrickle._next_generation(t.generation);
    UPDATE pgtrickle.pgt_stream_tables t
       SET status = 'SUSPENDED', retry_at = 'infinity', last_error_code = '42501', last_error_at = clock_timestamp(),
           owner_name = pg_get_userbyid(c.relowner),
           last_error = format('it belonged to role "%s" before the restore, and belongs to role "%s" now',
                               t.owner_name, pg_get_userbyid(c.relowner)),
           last_error_hint = format('Read its query, which would run with the rights of "%s". If it may: SELECT '
                                    'pgtrickle.resume_stream_table(%L);',
                                    pg_get_userbyid(c.relowner), pgtrickle._qualified(t.pgt_relid))
      FROM pg_class c
     WHERE c.oid = t.pgt_relid AND t.owner_name <> pg_get_userbyid(c.relowner);
    UPDATE pgtrickle.pgt_frontiers SET snapshot = NULL, xid = NULL, seq = NULL, facts_from = NULL;
    PERFORM setval('pgtrickle_changes.last_clearing', 1);       -- a transaction of the other cluster
    DELETE FROM pgtrickle.pgt_facts;        -- of other objects by now
    -- OIDs of different rows can cross on the way, so all rows are replaced at once. What is gone the daemon will
    -- notice.
    SELECT array_agg(d) INTO dependencies FROM pgtrickle.pgt_dependencies d
    WHERE to_regclass(format('%I.%I', d.source_schema, d.source_name)) IS NOT NULL;
    PERFORM pgtrickle._relink_gates();
    PERFORM pgtrickle._relink_capture_rights();
    DELETE FROM pgtrickle.pgt_dependencies;
    INSERT INTO pgtrickle.pgt_dependencies (pgt_id, source_relid, source_type, columns, column_names,
                                            source_schema, source_name)
    SELECT d.pgt_id, to_regclass(format('%I.%I', d.source_schema, d.source_name)), d.source_type, d.columns,
           d.column_names, d.source_schema, d.source_name
    FROM unnest(dependencies) AS d;
    DELETE FROM pgtrickle.pgt_installation;
    INSERT INTO pgtrickle.pgt_installation (system_identifier, database_oid, version)
    SELECT pgtrickle._system_identifier(), d.oid, pgtrickle.version() FROM pg_database d
    WHERE d.datname = current_database();
    PERFORM pgtrickle._wake();
    RETURN (SELECT count(*) FROM pgtrickle.pgt_stream_tables);
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._adopt_cluster FROM PUBLIC;

-- Triggers of ours that no row of the catalog knows: a restore without pgtrickle's data (pg_dump --schema-only) brings
-- them. They fill logs that nobody reads, and keep everybody from writing to what was a stream table. Nothing while the
-- catalog comes from elsewhere: then _adopt_cluster() is next. remedy: what removes it, as an expression.
CREATE FUNCTION pgtrickle._leftovers() RETURNS TABLE (what text, remedy text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('capture triggers of table %s', pgtrickle._qualified(g.tgrelid)),
           format('pgtrickle._uninstall_capture(%s)', g.source)
    FROM (SELECT DISTINCT t.tgrelid, substring(p.proname FROM '[0-9]+')::bigint AS source
          FROM pg_proc p JOIN pg_trigger t ON t.tgfoid = p.oid AND NOT t.tgisinternal
          WHERE p.pronamespace = 'pgtrickle_changes'::regnamespace AND p.proname ~ '^capture_[0-9]{1,18}$') AS g
    WHERE NOT EXISTS (SELECT FROM pgtrickle.pgt_sources s WHERE s.source_id = g.source)
      AND NOT pgtrickle._cluster_changed()
    UNION ALL
    SELECT DISTINCT format('guard triggers of %s, which is no stream table', pgtrickle._qualified(t.tgrelid)),
           format('pgtrickle._uninstall_guard(%s)', t.tgrelid)
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE t.tgfoid = 'pgtrickle._guard()'::regprocedure AND NOT t.tgisinternal AND NOT pgtrickle._cluster_changed()
      AND NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s
                      WHERE s.pgt_relid = c.oid OR (s.pgt_schema, s.pgt_name) = (n.nspname, c.relname))
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._leftovers TO PUBLIC;

-- Makes what was a stream table an ordinary one.
CREATE FUNCTION pgtrickle._uninstall_guard(relation oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name  text := pgtrickle._qualified(relation);
    guard record;
BEGIN
    FOR guard IN SELECT t.tgname FROM pg_trigger t
        WHERE t.tgrelid = relation AND t.tgfoid = 'pgtrickle._guard()'::regprocedure LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', guard.tgname, name);
    END LOOP;
    IF obj_description(relation, 'pg_class') = 'stream table, kept by pgtrickle' THEN
        EXECUTE format('COMMENT ON TABLE %s IS NULL', name);
    END IF;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._uninstall_guard FROM PUBLIC;
