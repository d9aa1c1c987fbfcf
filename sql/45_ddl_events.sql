-- Event triggers: what ALTER and DROP mean for sources and stream tables, handled in the transaction that does it.
-- They never make the user's command fail (an error becomes a WARNING) and do next to nothing if the command concerns
-- no source. Creating them needs a superuser; without them capture functions guard themselves (40_capture.sql) and the
-- daemon notices the rest when it polls _source_problem().

-- After ALTER/CREATE of relations and ALTER SCHEMA.
CREATE FUNCTION pgtrickle._on_ddl() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids oid[];
    s   record;
    why text;
BEGIN
    IF to_regclass('pgtrickle.pgt_dependencies') IS NULL OR NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables)
       AND NOT EXISTS (SELECT FROM pgtrickle.pgt_sources) THEN
        RETURN;
    END IF;
    IF tg_tag = 'ALTER SCHEMA' THEN     -- everything in it has a new name
        SELECT array_agg(d.source_relid) INTO ids FROM (SELECT d.source_relid FROM pgtrickle.pgt_dependencies d UNION
                                                        SELECT t.pgt_relid FROM pgtrickle.pgt_stream_tables t) AS d;
    ELSE
        SELECT array_agg(DISTINCT c.objid) INTO ids FROM pg_event_trigger_ddl_commands() AS c WHERE c.classid = 'pg_class'::regclass AND c.objid <> 0;
        IF ids IS NULL THEN
            RETURN;
        END IF;
    END IF;

    -- Sources: the altered relations themselves, those above them (partitions come and go), those below them (a
    -- captured table was attached to another).
    FOR s IN
        WITH RECURSIVE up(oid) AS (SELECT unnest(ids) UNION SELECT i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.oid),
                       down(oid) AS (SELECT unnest(ids) UNION SELECT i.inhrelid FROM down JOIN pg_inherits i ON i.inhparent = down.oid)
        SELECT x.source_id FROM pgtrickle.pgt_sources x
        WHERE x.problem IS NULL AND tg_tag <> 'ALTER SCHEMA'
          AND (x.relid IN (SELECT up.oid FROM up UNION SELECT down.oid FROM down) OR x.partitions && ids)
    LOOP
        BEGIN
            why := pgtrickle._source_problem(s.source_id);
            IF why IS NOT NULL THEN
                PERFORM pgtrickle._neutralize_capture(s.source_id, why);
            END IF;
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'pgtrickle could not adapt the capture of source %: %', s.source_id, SQLERRM
                USING HINT = 'Stream tables that read the altered table may be out of date until they are rebuilt.';
        END;
    END LOOP;

    BEGIN
        -- Programs name relations and columns, so a rename means compiling anew; a replaced view means another query.
        FOR s IN
            SELECT d.pgt_id, CASE
                WHEN n.nspname <> d.source_schema OR c.relname <> d.source_name THEN
                    format('%I.%I was renamed to %I.%I', d.source_schema, d.source_name, n.nspname, c.relname)
                WHEN d.source_type = 'VIEW' AND tg_tag IN ('CREATE VIEW', 'CREATE RULE') THEN format('view %I.%I was replaced', n.nspname, c.relname)
                ELSE (SELECT format('column %I of %I.%I was ', u.was, n.nspname, c.relname)
                             || CASE WHEN a.attisdropped IS NOT FALSE THEN 'dropped' ELSE format('renamed to %I', a.attname) END
                      FROM unnest(d.columns, d.column_names) AS u(num, was)
                      LEFT JOIN pg_attribute a ON a.attrelid = d.source_relid AND a.attnum = u.num
                      WHERE a.attisdropped IS NOT FALSE OR a.attname <> u.was LIMIT 1)
                END AS why
            FROM pgtrickle.pgt_dependencies d JOIN pg_class c ON c.oid = d.source_relid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE d.source_relid = ANY (ids)
        LOOP
            IF s.why IS NOT NULL THEN
                PERFORM pgtrickle._mark_reinit(ARRAY[s.pgt_id], s.why);
            END IF;
        END LOOP;
        FOR s IN
            SELECT t.pgt_id, n.nspname, c.relname FROM pgtrickle.pgt_stream_tables t JOIN pg_class c ON c.oid = t.pgt_relid
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE t.pgt_relid = ANY (ids) AND (n.nspname <> t.pgt_schema OR c.relname <> t.pgt_name)
        LOOP
            UPDATE pgtrickle.pgt_stream_tables t SET pgt_schema = s.nspname, pgt_name = s.relname WHERE t.pgt_id = s.pgt_id;
            PERFORM pgtrickle._mark_reinit(ARRAY[s.pgt_id], format('the stream table was renamed to %I.%I', s.nspname, s.relname));
        END LOOP;
        FOR s IN SELECT t.pgt_id FROM pgtrickle.pgt_stream_tables t WHERE t.pgt_relid = ANY (ids) AND pgtrickle._has_new_owner(t.pgt_id) LOOP
            PERFORM pgtrickle._mark_reinit(ARRAY[s.pgt_id], 'the stream table has a new owner');
        END LOOP;
    EXCEPTION WHEN OTHERS THEN
        RAISE WARNING 'pgtrickle could not mark stream tables for re-initialisation: %', SQLERRM;
    END;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'pgtrickle could not follow the command: %', SQLERRM;
END
$$;

-- After DROP of anything.
CREATE FUNCTION pgtrickle._on_drop() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    o record;
    s record;
    why text;
BEGIN
    IF to_regclass('pgtrickle.pgt_dependencies') IS NULL OR NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables)
       AND NOT EXISTS (SELECT FROM pgtrickle.pgt_sources) AND NOT EXISTS (SELECT FROM pgtrickle.pgt_source_gates)
       AND NOT EXISTS (SELECT FROM pgtrickle.pgt_watermarks) AND NOT EXISTS (SELECT FROM pgtrickle.pgt_watermark_groups) THEN
        RETURN;
    END IF;
    FOR o IN SELECT d.objid, d.objsubid, d.object_type, d.object_identity,
                    CASE WHEN d.object_type = 'trigger' THEN d.address_names[array_upper(d.address_names, 1)] END AS trigger_name
             FROM pg_event_trigger_dropped_objects() AS d
             WHERE d.classid = 'pg_class'::regclass AND d.object_type NOT IN ('index', 'sequence', 'toast table') OR d.object_type = 'trigger'
             ORDER BY d.object_type = 'trigger', d.objsubid
    LOOP
        BEGIN
            IF o.object_type = 'trigger' THEN
                FOR s IN SELECT x.source_id FROM pgtrickle.pgt_sources x
                         WHERE x.source_id = substring(o.trigger_name FROM '^pgtrickle_([0-9]{1,18})_[iudt]$')::bigint AND x.problem IS NULL LOOP
                    why := pgtrickle._source_problem(s.source_id);     -- NULL if it was a trigger of this name on some other table
                    IF why IS NOT NULL THEN
                        PERFORM pgtrickle._neutralize_capture(s.source_id, why);
                    END IF;
                END LOOP;
                CONTINUE;
            END IF;
            IF o.objsubid = 0 THEN
                DELETE FROM pgtrickle.pgt_stream_tables t WHERE t.pgt_relid = o.objid;
                IF FOUND THEN
                    PERFORM pgtrickle._wake_from_trigger();
                END IF;
                PERFORM pgtrickle._forget_relation(o.objid);
                IF EXISTS (SELECT FROM pgtrickle.pgt_dependencies d WHERE d.source_relid = o.objid) THEN
                    PERFORM pgtrickle._mark_reinit((SELECT array_agg(d.pgt_id) FROM pgtrickle.pgt_dependencies d WHERE d.source_relid = o.objid),
                                                   format('%s %s was dropped', o.object_type, o.object_identity));
                END IF;
            ELSIF EXISTS (SELECT FROM pgtrickle.pgt_dependencies d WHERE d.source_relid = o.objid AND o.objsubid = ANY (d.columns)) THEN
                PERFORM pgtrickle._mark_reinit((SELECT array_agg(d.pgt_id) FROM pgtrickle.pgt_dependencies d
                                                WHERE d.source_relid = o.objid AND o.objsubid = ANY (d.columns)),
                                               format('column %s was dropped', o.object_identity));
            END IF;
            FOR s IN SELECT x.source_id, x.relid FROM pgtrickle.pgt_sources x WHERE x.problem IS NULL AND o.objid = ANY (x.partitions) LOOP
                why := pgtrickle._source_problem(s.source_id);
                IF why IS NOT NULL THEN
                    PERFORM pgtrickle._neutralize_capture(s.source_id, why);
                END IF;
            END LOOP;
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'pgtrickle could not follow the drop of % %: %', o.object_type, o.object_identity, SQLERRM;
        END;
    END LOOP;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'pgtrickle could not follow the command: %', SQLERRM;
END
$$;

-- Before a table is rewritten: ALTER COLUMN TYPE .. USING can change every row without any DML, even to the same type (reason
-- 4). So can SET EXPRESSION (2, like new columns with volatile defaults); of the table itself the shape tells, of a partition not.
CREATE FUNCTION pgtrickle._on_rewrite() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s record;
BEGIN
    IF to_regclass('pgtrickle.pgt_dependencies') IS NULL OR (pg_event_trigger_table_rewrite_reason() & 6) = 0 THEN
        RETURN;
    END IF;
    FOR s IN SELECT x.source_id FROM pgtrickle.pgt_sources x WHERE x.problem IS NULL AND pg_event_trigger_table_rewrite_oid() = ANY (x.partitions)
             AND ((pg_event_trigger_table_rewrite_reason() & 4) <> 0 OR x.relid <> pg_event_trigger_table_rewrite_oid()
                  AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = x.relid AND a.attnum = ANY (x.columns) AND a.attgenerated = 's')) LOOP
        PERFORM pgtrickle._neutralize_capture(s.source_id, format('table %s was rewritten by ALTER TABLE', pgtrickle._qualified(pg_event_trigger_table_rewrite_oid())));
    END LOOP;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'pgtrickle could not follow the command: %', SQLERRM;
END
$$;

DO $create$
BEGIN
    EXECUTE 'CREATE EVENT TRIGGER pgtrickle_ddl ON ddl_command_end WHEN TAG IN (''ALTER TABLE'', ''CREATE TABLE'', ''ALTER SCHEMA'', ''ALTER VIEW'', '
            '''CREATE VIEW'', ''CREATE RULE'', ''ALTER MATERIALIZED VIEW'', ''ALTER FOREIGN TABLE'', ''CREATE FOREIGN TABLE'') EXECUTE FUNCTION pgtrickle._on_ddl()';
    EXECUTE 'CREATE EVENT TRIGGER pgtrickle_drop ON sql_drop EXECUTE FUNCTION pgtrickle._on_drop()';
    EXECUTE 'CREATE EVENT TRIGGER pgtrickle_rewrite ON table_rewrite WHEN TAG IN (''ALTER TABLE'') EXECUTE FUNCTION pgtrickle._on_rewrite()';
    -- also under session_replication_role = replica
    EXECUTE 'ALTER EVENT TRIGGER pgtrickle_ddl ENABLE ALWAYS';
    EXECUTE 'ALTER EVENT TRIGGER pgtrickle_drop ENABLE ALWAYS';
    EXECUTE 'ALTER EVENT TRIGGER pgtrickle_rewrite ENABLE ALWAYS';
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'pgtrickle works without event triggers here, because role "%" may not create them', current_user
        USING DETAIL = 'Capture functions check the shape of their source before every statement instead, which costs writers a little.';
END
$create$;
