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
    SELECT EXISTS (SELECT FROM pgtrickle.pgt_installation i
                   WHERE i.database_oid <> (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                      OR i.system_identifier <> pgtrickle._system_identifier())
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
           generation = t.generation + 1;
    UPDATE pgtrickle.pgt_frontiers SET snapshot = NULL, xid = NULL, seq = NULL;
    -- OIDs of different rows can cross on the way, so all rows are replaced at once. What is gone the daemon will notice.
    SELECT array_agg(d) INTO dependencies FROM pgtrickle.pgt_dependencies d WHERE to_regclass(format('%I.%I', d.source_schema, d.source_name)) IS NOT NULL;
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
