-- After a restore into another cluster or database, or pg_upgrade: transaction ids, OIDs and logs mean nothing any more.

-- Identifier of the cluster, NULL if this server does not let us read it.
CREATE FUNCTION pgtrickle._system_identifier() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT c.system_identifier::text FROM pg_control_system() AS c);
EXCEPTION WHEN insufficient_privilege OR undefined_function THEN
    RETURN NULL;
END
$$;

CREATE FUNCTION pgtrickle._cluster_changed() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    -- No row: the plain script was restored without its data.
    SELECT NOT EXISTS (SELECT FROM pgtrickle.pgt_installation)
        OR EXISTS (SELECT FROM pgtrickle.pgt_installation i
                   WHERE i.database_oid <> (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                      OR i.system_identifier <> pgtrickle._system_identifier())
$$;

-- Relinks gates, watermarks and watermark groups by name; groups record OIDs only, so their names are looked up in the other
-- tables, before those are relinked. What cannot be found holds nobody any more.
CREATE FUNCTION pgtrickle._relink_gates() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known      jsonb;   -- old OID -> new OID
    gates      pgtrickle.pgt_source_gates[] := ARRAY(SELECT g FROM pgtrickle.pgt_source_gates g);
    watermarks pgtrickle.pgt_watermarks[] := ARRAY(SELECT w FROM pgtrickle.pgt_watermarks w);
    g          record;
BEGIN
    SELECT coalesce(jsonb_object_agg(n.old, n.new), '{}') INTO known
    FROM (SELECT x.relid::text AS old, to_regclass(format('%I.%I', x.schema, x.name))::oid::bigint AS new
          FROM (SELECT w.source_relid, w.source_schema, w.source_name FROM pgtrickle.pgt_watermarks w
                UNION ALL SELECT a.source_relid, a.source_schema, a.source_name FROM pgtrickle.pgt_source_gates a
                UNION ALL SELECT d.source_relid, d.source_schema, d.source_name FROM pgtrickle.pgt_dependencies d) AS x(relid, schema, name)) AS n
    WHERE n.new IS NOT NULL;
    DELETE FROM pgtrickle.pgt_source_gates;
    DELETE FROM pgtrickle.pgt_watermarks;
    INSERT INTO pgtrickle.pgt_source_gates SELECT (known ->> a.source_relid::text)::oid, a.source_schema, a.source_name, a.gated, a.gated_at, a.ungated_at, a.gated_by
    FROM unnest(gates) AS a WHERE known ? a.source_relid::text;
    INSERT INTO pgtrickle.pgt_watermarks SELECT (known ->> w.source_relid::text)::oid, w.source_schema, w.source_name, w.watermark, w.updated_at, w.advanced_by
    FROM unnest(watermarks) AS w WHERE known ? w.source_relid::text;
    FOR g IN SELECT x.group_id, x.group_name, x.sources FROM pgtrickle.pgt_watermark_groups x LOOP
        UPDATE pgtrickle.pgt_watermark_groups x SET sources = ARRAY(SELECT (known ->> u.relid::text)::oid FROM unnest(g.sources) AS u(relid) WHERE known ? u.relid::text)
        WHERE x.group_id = g.group_id;
        IF NOT (SELECT bool_and(known ? u.relid::text) FROM unnest(g.sources) AS u(relid)) THEN
            RAISE WARNING 'watermark group "%" has lost a source, which could not be found after the restore', g.group_name;
        END IF;
    END LOOP;
    DELETE FROM pgtrickle.pgt_watermark_groups x WHERE cardinality(x.sources) < 2;
    PERFORM setval('pgtrickle.control_xid', 1);     -- a transaction of another cluster
END
$$;

-- Relinks everything by name: stream tables, what they read, and removes the old capture. All stream tables are to be
-- initialised again. Returns how many there are; those whose table does not exist are removed from the catalog. For the
-- admin, when _cluster_changed().
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
    DELETE FROM pgtrickle.pgt_stream_tables t WHERE to_regclass(format('%I.%I', t.pgt_schema, t.pgt_name)) IS NULL;
    UPDATE pgtrickle.pgt_stream_tables t
       SET pgt_relid = to_regclass(format('%I.%I', t.pgt_schema, t.pgt_name)), needs_reinit = true, reinit_reason = 'the database was restored or upgraded',
           names = pgtrickle._names_found(t.names, t.names_now, true), previous = NULL, generation = t.generation + 1;
    UPDATE pgtrickle.pgt_frontiers SET snapshot = NULL, xid = NULL, seq = NULL, facts_from = NULL;
    DELETE FROM pgtrickle.pgt_facts;        -- of other objects by now
    -- OIDs of different rows can cross on the way, so all rows are replaced at once. What is gone the daemon will notice.
    SELECT array_agg(d) INTO dependencies FROM pgtrickle.pgt_dependencies d WHERE to_regclass(format('%I.%I', d.source_schema, d.source_name)) IS NOT NULL;
    PERFORM pgtrickle._relink_gates();
    DELETE FROM pgtrickle.pgt_dependencies;
    INSERT INTO pgtrickle.pgt_dependencies (pgt_id, source_relid, source_type, columns, column_names, source_schema, source_name)
    SELECT d.pgt_id, to_regclass(format('%I.%I', d.source_schema, d.source_name)), d.source_type, d.columns, d.column_names, d.source_schema, d.source_name
    FROM unnest(dependencies) AS d;
    DELETE FROM pgtrickle.pgt_installation;
    INSERT INTO pgtrickle.pgt_installation (system_identifier, database_oid, version)
    SELECT pgtrickle._system_identifier(), d.oid, pgtrickle.version() FROM pg_database d WHERE d.datname = current_database();
    PERFORM pgtrickle._wake();
    RETURN (SELECT count(*) FROM pgtrickle.pgt_stream_tables);
END
$$;

-- Triggers of ours that no row of the catalog knows: a restore without pgtrickle's data (pg_dump --schema-only) brings
-- them. They fill logs that nobody reads, and keep everybody from writing to what was a stream table. Nothing while the
-- catalog comes from elsewhere: then _adopt_cluster() is next. remedy: what removes it, as an expression.
CREATE FUNCTION pgtrickle._leftovers() RETURNS TABLE (what text, remedy text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('capture triggers of table %s', pgtrickle._qualified(g.tgrelid)), format('pgtrickle._uninstall_capture(%s)', g.source)
    FROM (SELECT DISTINCT t.tgrelid, substring(p.proname FROM '[0-9]+')::bigint AS source
          FROM pg_proc p JOIN pg_trigger t ON t.tgfoid = p.oid AND NOT t.tgisinternal
          WHERE p.pronamespace = 'pgtrickle_changes'::regnamespace AND p.proname ~ '^capture_[0-9]{1,18}$') AS g
    WHERE NOT EXISTS (SELECT FROM pgtrickle.pgt_sources s WHERE s.source_id = g.source) AND NOT pgtrickle._cluster_changed()
    UNION ALL
    SELECT DISTINCT format('guard triggers of %s, which is no stream table', pgtrickle._qualified(t.tgrelid)),
           format('pgtrickle._uninstall_guard(%s)', t.tgrelid)
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE t.tgfoid = 'pgtrickle._guard()'::regprocedure AND NOT t.tgisinternal AND NOT pgtrickle._cluster_changed()
      AND NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s
                      WHERE s.pgt_relid = c.oid OR (s.pgt_schema, s.pgt_name) = (n.nspname, c.relname))
$$;

-- Makes what was a stream table an ordinary one.
CREATE FUNCTION pgtrickle._uninstall_guard(relation oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name  text := pgtrickle._qualified(relation);
    guard record;
BEGIN
    FOR guard IN SELECT t.tgname FROM pg_trigger t WHERE t.tgrelid = relation AND t.tgfoid = 'pgtrickle._guard()'::regprocedure LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', guard.tgname, name);
    END LOOP;
    IF obj_description(relation, 'pg_class') = 'stream table, kept by pgtrickle' THEN
        EXECUTE format('COMMENT ON TABLE %s IS NULL', name);
    END IF;
END
$$;
