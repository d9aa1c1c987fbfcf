-- Change logs may be read by those whose stream tables are kept from them, for as long as they may read the source: not
-- longer than that, and nobody else. Programs read them as the owners of the stream tables.

-- Gives and takes rights on the logs of these sources (NULL: of all) so that they are what they should be. without: a
-- stream table that is about to go. Returns how many were not. The setting tells the event trigger below who grants.
CREATE FUNCTION pgtrickle._settle_log_rights(sources bigint[] DEFAULT NULL, without bigint DEFAULT NULL) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    change record;
    n      int := 0;
BEGIN
    PERFORM set_config('pgtrickle.settling', 'on', true);
    -- Whole relations are granted to nobody, whatever default privileges the admin has.
    FOR change IN
        SELECT c.oid::regclass AS relation,
               CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END AS grantee
        FROM pgtrickle.pgt_sources s
        JOIN pg_class c ON c.relnamespace = 'pgtrickle_changes'::regnamespace
                       AND c.relname = ANY (ARRAY[format('log_%s', s.source_id), format('log_%s_a', s.source_id),
                                                  format('log_%s_b', s.source_id)])
        CROSS JOIN LATERAL aclexplode(c.relacl) AS x
        WHERE (sources IS NULL OR s.source_id = ANY (sources)) AND x.grantee <> c.relowner
        GROUP BY c.oid, x.grantee
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', change.relation, change.grantee);
        n := n + 1;
    END LOOP;
    FOR change IN
        WITH logs AS MATERIALIZED (
            SELECT s.source_id, s.relid, t.relnamespace, c.oid AS log, c.relowner AS admin
            FROM pgtrickle.pgt_sources s
            JOIN pg_class c ON c.relnamespace = 'pgtrickle_changes'::regnamespace
              AND c.relname = format('log_%s', s.source_id) AND c.relkind = 'v'
            JOIN pg_class t ON t.oid = s.relid
            WHERE sources IS NULL OR s.source_id = ANY (sources)),
        granted AS (
            SELECT DISTINCT l.log, a.attname, x.grantee
            FROM logs l JOIN pg_attribute a ON a.attrelid = l.log AND a.attnum > 0 AND NOT a.attisdropped
            CROSS JOIN LATERAL aclexplode(a.attacl) AS x
            WHERE x.grantee <> l.admin),
        wanted AS (
            SELECT DISTINCT l.log, a.attname, k.relowner AS grantee
            FROM logs l
            JOIN pgtrickle.pgt_dependencies d ON d.source_id = l.source_id AND d.pgt_id IS DISTINCT FROM without
            JOIN pgtrickle.pgt_stream_tables s ON s.pgt_id = d.pgt_id
            JOIN pg_class k ON k.oid = s.pgt_relid
            JOIN pg_attribute a ON a.attrelid = l.log AND a.attnum > 0 AND NOT a.attisdropped
            WHERE k.relowner <> l.admin AND has_schema_privilege(k.relowner, l.relnamespace, 'USAGE')
              AND CASE WHEN a.attname ~ '^c[0-9]+$'
                       THEN substr(a.attname, 2)::int2 = ANY (d.columns)
                           AND has_column_privilege(k.relowner, l.relid, substr(a.attname, 2)::int2, 'SELECT')
                       ELSE has_any_column_privilege(k.relowner, l.relid, 'SELECT') END)
        SELECT u.log::regclass AS relation, u.take,
               CASE u.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(u.grantee)) END AS grantee,
               string_agg(quote_ident(u.attname), ', ' ORDER BY u.attname) AS columns
        FROM (SELECT g.*, true AS take FROM granted g
              WHERE NOT EXISTS (SELECT FROM wanted w
                                WHERE (w.log, w.attname, w.grantee) = (g.log, g.attname, g.grantee))
              UNION ALL
              SELECT w.*, false FROM wanted w
              WHERE NOT EXISTS (SELECT FROM granted g
                                WHERE (w.log, w.attname, w.grantee) = (g.log, g.attname, g.grantee))) AS u
        GROUP BY u.log, u.take, u.grantee ORDER BY u.log, u.take DESC
    LOOP
        EXECUTE format(CASE WHEN change.take THEN 'REVOKE ALL (%s) ON %s FROM %s'
                            ELSE 'GRANT SELECT (%s) ON %s TO %s' END,
                       change.columns, change.relation, change.grantee);
        n := n + 1;
    END LOOP;
    PERFORM set_config('pgtrickle.settling', '', true);
    RETURN n;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._settle_log_rights FROM PUBLIC;

-- What event triggers do not tell (roles have none), or nobody tells where there are none: rights on logs, IMMEDIATE
-- stream tables whose triggers were stopped or are gone, and the owners' names that a restore looks at. Called by the
-- daemon. Returns how much was to do.
CREATE FUNCTION pgtrickle._settle_rights() RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n int := pgtrickle._settle_log_rights() + pgtrickle._settle_capture_rights()
             + pgtrickle._check_immediate();
BEGIN
    UPDATE pgtrickle.pgt_stream_tables s SET owner_name = pg_get_userbyid(c.relowner)
    FROM pg_class c WHERE c.oid = s.pgt_relid AND s.owner_name IS DISTINCT FROM pg_get_userbyid(c.relowner);
    RETURN n;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._settle_rights FROM PUBLIC;

-- A stream table that goes takes its owner's rights on the logs with it.
CREATE FUNCTION pgtrickle._on_stream_table_gone() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._settle_log_rights((SELECT coalesce(array_agg(d.source_id), '{}')
                                          FROM pgtrickle.pgt_dependencies d
                                          WHERE d.pgt_id = OLD.pgt_id AND d.source_id IS NOT NULL), OLD.pgt_id);
    RETURN OLD;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._on_stream_table_gone FROM PUBLIC;
CREATE TRIGGER gone BEFORE DELETE ON pgtrickle.pgt_stream_tables
    FOR EACH ROW EXECUTE FUNCTION pgtrickle._on_stream_table_gone();

-- Sources whose rights may have changed in this transaction. GRANT and REVOKE do not say of what. But they write to the
-- row of the relation, of a column or of the schema; rows that are as young as this transaction, which has its
-- subtransactions after it, are all that they can have written. Some may be of others: more is looked at then.
CREATE FUNCTION pgtrickle._sources_with_new_rights() RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    oldest int := age(pg_current_xact_id()::xid);
BEGIN
    RETURN ARRAY(
        SELECT s.source_id
        FROM pgtrickle.pgt_sources s JOIN pg_class c ON c.oid = s.relid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE age(c.xmin) <= oldest OR age(n.xmin) <= oldest
           OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = s.relid AND age(a.xmin) <= oldest)
        UNION
        -- the log itself: by whom it belongs to
        SELECT substring(l.relname FROM '^log_([0-9]{1,18})(?:_[ab])?$')::bigint
        FROM pg_class l
        WHERE l.relnamespace = 'pgtrickle_changes'::regnamespace AND l.relname ~ '^log_[0-9]{1,18}(_[ab])?$'
          AND (age(l.xmin) <= oldest
               OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = l.oid AND age(a.xmin) <= oldest)));
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._sources_with_new_rights FROM PUBLIC;

-- Nothing of this may make the command fail; what it could not do the daemon does.
CREATE FUNCTION pgtrickle._on_rights() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    sources bigint[];
BEGIN
    -- The daemon grants what the program that it makes needs.
    IF to_regclass('pgtrickle.pgt_stream_tables') IS NULL OR current_setting('application_name') LIKE 'pgtrickled%'
       OR current_setting('pgtrickle.settling', true) = 'on' THEN
        RETURN;
    END IF;
    IF TG_TAG IN ('GRANT', 'REVOKE') THEN
        IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() AS c
                   WHERE upper(c.object_type) IN ('TABLE', 'COLUMN', 'SCHEMA')) THEN
            PERFORM pgtrickle._settle_log_rights(pgtrickle._sources_with_new_rights());
        END IF;
        IF TG_TAG = 'REVOKE' THEN     -- or writers would fail
            PERFORM pgtrickle._check_immediate();
        END IF;
        RETURN;
    END IF;
    UPDATE pgtrickle.pgt_stream_tables s SET owner_name = pg_get_userbyid(k.relowner)
    FROM pg_event_trigger_ddl_commands() AS c JOIN pg_class k ON k.oid = c.objid
    WHERE c.classid = 'pg_class'::regclass AND s.pgt_relid = c.objid
      AND s.owner_name IS DISTINCT FROM pg_get_userbyid(k.relowner);
    IF FOUND THEN
        SELECT array_agg(d.source_id) INTO sources
        FROM pg_event_trigger_ddl_commands() AS c JOIN pgtrickle.pgt_stream_tables s ON s.pgt_relid = c.objid
        JOIN pgtrickle.pgt_dependencies d USING (pgt_id)
        WHERE c.classid = 'pg_class'::regclass AND d.source_id IS NOT NULL;
        PERFORM pgtrickle._settle_log_rights(coalesce(sources, '{}'));
    END IF;
EXCEPTION WHEN OTHERS THEN
    NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._on_rights FROM PUBLIC;

DO $create$
BEGIN
    EXECUTE 'CREATE EVENT TRIGGER pgtrickle_rights ON ddl_command_end WHEN TAG IN (''GRANT'', ''REVOKE'', ''ALTER '
            'TABLE'') '
            'EXECUTE FUNCTION pgtrickle._on_rights()';
    EXECUTE 'ALTER EVENT TRIGGER pgtrickle_rights ENABLE ALWAYS';
EXCEPTION WHEN insufficient_privilege THEN
    NULL;       -- 45_ddl_events.sql says so
END
$create$;
