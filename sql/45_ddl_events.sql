-- Event triggers: what ALTER and DROP mean for sources and stream tables, handled in the transaction that does it.
-- They never make the user's command fail (an error becomes a WARNING) and do next to nothing if the command concerns
-- no source and no fact. Creating them needs a superuser; without them capture functions guard themselves
-- (40_capture.sql), and refreshes and the daemon compare all facts (42_facts.sql).

-- What a command touched, as that on which facts can depend: for an index, policy, trigger, rule or constraint its
-- table or domain, for a table also its row type, for an operator class or family the types that it compares.
CREATE FUNCTION pgtrickle._concerned(class oid, object oid) RETURNS TABLE (classid oid, objid oid)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    classid := class;
    objid := object;
    RETURN NEXT;
    classid := 'pg_class'::regclass;
    CASE class
    WHEN 'pg_class'::regclass THEN
        SELECT i.indrelid INTO objid FROM pg_index i WHERE i.indexrelid = object;
        IF NOT FOUND THEN
            classid := 'pg_type'::regclass;
            SELECT c.reltype INTO objid FROM pg_class c WHERE c.oid = object AND c.reltype <> 0;
        END IF;
    WHEN 'pg_policy'::regclass THEN
        SELECT p.polrelid INTO objid FROM pg_policy p WHERE p.oid = object;
    WHEN 'pg_trigger'::regclass THEN
        SELECT t.tgrelid INTO objid FROM pg_trigger t WHERE t.oid = object;
    WHEN 'pg_rewrite'::regclass THEN
        SELECT r.ev_class INTO objid FROM pg_rewrite r WHERE r.oid = object;
    WHEN 'pg_attrdef'::regclass THEN
        SELECT d.adrelid INTO objid FROM pg_attrdef d WHERE d.oid = object;
    WHEN 'pg_constraint'::regclass THEN
        SELECT CASE WHEN k.contypid <> 0 THEN 'pg_type'::regclass ELSE 'pg_class'::regclass END,
               greatest(k.conrelid, k.contypid)
          INTO classid, objid FROM pg_constraint k WHERE k.oid = object;
    WHEN 'pg_opclass'::regclass, 'pg_opfamily'::regclass THEN
        RETURN QUERY SELECT 'pg_type'::regclass::oid, o.opcintype FROM pg_opclass o
                     WHERE CASE class WHEN 'pg_opclass'::regclass THEN o.oid ELSE o.opcfamily END = object;
        RETURN;
    ELSE
        RETURN;
    END CASE;
    IF FOUND THEN
        RETURN NEXT;
    END IF;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._concerned FROM PUBLIC;

-- Marks stream tables for re-initialisation from a transaction that is not ours. Where that fails (it is REPEATABLE
-- READ and a row has changed since it began, or it will not wait for a lock) a marker in the logs of their sources
-- makes the next refresh compare.
CREATE FUNCTION pgtrickle._mark_reinit_or_logs(pgt_ids bigint[], why text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s record;
BEGIN
    PERFORM pgtrickle._mark_reinit(pgt_ids, why);
EXCEPTION WHEN OTHERS THEN
    PERFORM pgtrickle._stop_immediate(pgt_ids);
    FOR s IN SELECT DISTINCT x.source_id, x.active_log FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_sources x
        USING (source_id)
             WHERE d.pgt_id = ANY (pgt_ids) LOOP
        EXECUTE format('INSERT INTO pgtrickle_changes.log_%s_%s (w) VALUES (0)', s.source_id, s.active_log);
    END LOOP;
    PERFORM pgtrickle._wake_from_trigger();
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._mark_reinit_or_logs FROM PUBLIC;

-- Marks the stream tables of which facts about these objects do not hold any more. Never raises: warns. A stream table
-- that is being built loses its key and gets it again, and its columns may get other types: its builder looks at those
-- who read it.
CREATE FUNCTION pgtrickle._check_facts(classes oid[], objects oid[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    lost record;
BEGIN
    IF NOT EXISTS (SELECT FROM unnest(classes, objects) AS t(class, object)
                   JOIN pgtrickle.pgt_facts f ON f.classid = t.class AND f.objid = t.object)
       AND NOT classes && ARRAY['pg_proc'::regclass, 'pg_operator'::regclass, 'pg_cast'::regclass]::oid[] THEN
        RETURN;
    END IF;
    FOR lost IN
        WITH touched AS MATERIALIZED (SELECT DISTINCT t.class, t.object
                                      FROM unnest(classes, objects) AS t(class, object)),
        names AS MATERIALIZED (
            SELECT t.class, t.object, p.proname AS name
            FROM touched t JOIN pg_proc p ON t.class = 'pg_proc'::regclass AND p.oid = t.object
            UNION ALL SELECT t.class, t.object, o.oprname
            FROM touched t JOIN pg_operator o ON t.class = 'pg_operator'::regclass AND o.oid = t.object
            UNION ALL SELECT t.class, t.object, NULL FROM touched t
            WHERE t.class IN ('pg_proc'::regclass, 'pg_operator'::regclass)),
        facts AS MATERIALIZED (
            SELECT f FROM touched t JOIN pgtrickle.pgt_facts f ON f.classid = t.class AND f.objid = t.object
            UNION SELECT f FROM names n JOIN pgtrickle.pgt_facts f ON f.kind = 'overloads' AND f.classid = n.class
                  AND (f.name = n.name OR f.fingerprint -> 'objects' @> to_jsonb(n.object::bigint))
            UNION SELECT f FROM pgtrickle.pgt_facts f
            WHERE f.kind = 'casts' AND 'pg_cast'::regclass::oid = ANY (classes)),
        same AS (       -- many stream tables may share a fact: it is looked at once
            SELECT (array_agg(x.f))[1] AS f, array_agg((x.f).pgt_id) AS ids FROM facts x
            WHERE (x.f).kind <> 'storage' AND NOT ((x.f).kind IN ('keys', 'owner') AND EXISTS (
                      SELECT FROM pgtrickle.pgt_stream_tables b
                      WHERE b.pgt_relid = (x.f).objid AND b.status = 'INITIALIZING'))
              AND NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s
                              WHERE s.pgt_id = (x.f).pgt_id AND s.needs_reinit)
            GROUP BY (x.f).classid, (x.f).objid, (x.f).kind, (x.f).role, (x.f).columns, (x.f).used_by,
                (x.f).fingerprint,
                     CASE (x.f).kind WHEN 'casts' THEN (x.f).pgt_id END)
        SELECT x.why, array_agg(DISTINCT i.id) AS ids
        FROM (SELECT pgtrickle._lost_fact(s.f) AS why, s.ids FROM same s) AS x
        CROSS JOIN LATERAL unnest(x.ids) AS i(id) WHERE x.why IS NOT NULL GROUP BY x.why ORDER BY x.why
    LOOP
        PERFORM pgtrickle._mark_reinit_or_logs(lost.ids, lost.why);
    END LOOP;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'pgtrickle could not mark stream tables for re-initialisation: %', SQLERRM;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._check_facts FROM PUBLIC;

-- Row security or a unique index on these relations, or one of these indexes: refreshes that it concerns are not the
-- usual case. Never raises.
CREATE FUNCTION pgtrickle._limit_altered(relids oid[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids bigint[];
BEGIN
    relids := relids || ARRAY(SELECT i.indrelid FROM pg_index i WHERE i.indexrelid = ANY (relids));
    ids := ARRAY(SELECT d.pgt_id FROM pgtrickle.pgt_dependencies d WHERE d.source_relid = ANY (relids)
                 UNION SELECT s.pgt_id FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_relid = ANY (relids));
    IF ids <> '{}' THEN
        PERFORM pgtrickle._limit_by_catalog(ids);
    END IF;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'pgtrickle could not note what was altered: %', SQLERRM;
    PERFORM pgtrickle._mark_reinit_or_logs(ids, 'what was altered could not be noted');
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._limit_altered FROM PUBLIC;

-- After ALTER, CREATE and DROP of whatever a query can depend on.
CREATE FUNCTION pgtrickle._on_ddl() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_ours boolean;
    ids     oid[];
    classes oid[];
    objects oid[];
    s   record;
    why text;
BEGIN
    IF to_regclass('pgtrickle.pgt_dependencies') IS NULL OR NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables)
       AND NOT EXISTS (SELECT FROM pgtrickle.pgt_sources) THEN
        RETURN;
    END IF;
    IF tg_tag IN ('CREATE INDEX', 'ALTER TABLE') THEN
        PERFORM pgtrickle._limit_altered((SELECT array_agg(c.objid) FROM pg_event_trigger_ddl_commands() AS c
                                          WHERE c.classid = 'pg_class'::regclass));
        PERFORM pgtrickle._check_immediate((SELECT array_agg(c.objid) FROM pg_event_trigger_ddl_commands() AS c
                                            WHERE c.classid = 'pg_class'::regclass));
        IF tg_tag = 'CREATE INDEX' THEN
            RETURN;
        END IF;
    END IF;
    IF tg_tag IN ('ALTER SCHEMA', 'ALTER EXTENSION') THEN     -- there is no list of what has another schema now
        SELECT array_agg(d.source_relid) INTO ids
        FROM (SELECT d.source_relid FROM pgtrickle.pgt_dependencies d
              UNION SELECT t.pgt_relid FROM pgtrickle.pgt_stream_tables t) AS d;
    ELSE
        SELECT array_agg(DISTINCT c.objid) FILTER (WHERE c.classid = 'pg_class'::regclass AND c.objid <> 0),
               bool_and(coalesce(c.schema_name IN ('pgtrickle_state', 'pgtrickle_changes', 'pg_temp'), false))
          INTO ids, is_ours
        FROM pg_event_trigger_ddl_commands() AS c;
        -- Logs and programs, of which a build makes a dozen, concern nobody.
        IF is_ours IS NOT FALSE
           AND NOT EXISTS (SELECT FROM pgtrickle.pgt_dependencies d WHERE d.source_relid = ANY (ids)) THEN
            RETURN;
        END IF;
    END IF;

    -- Sources: the altered relations themselves, those above them (partitions come and go), those below them (a
    -- captured table was attached to another).
    FOR s IN
        WITH RECURSIVE up(oid) AS (SELECT unnest(ids)
                                   UNION SELECT i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.oid),
                       down(oid) AS (SELECT unnest(ids) UNION SELECT i.inhrelid
                                     FROM down JOIN pg_inherits i ON i.inhparent = down.oid)
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
        -- Programs name relations and columns, so a rename means compiling again; a replaced view means another query.
        FOR s IN
            SELECT d.pgt_id, CASE
                WHEN n.nspname <> d.source_schema OR c.relname <> d.source_name THEN
                    format('%I.%I was renamed to %I.%I', d.source_schema, d.source_name, n.nspname, c.relname)
                WHEN d.source_type = 'VIEW' AND tg_tag IN ('CREATE VIEW', 'CREATE RULE') THEN
                    format('view %I.%I was replaced', n.nspname, c.relname)
                ELSE (SELECT format('column %I of %I.%I was ', u.was, n.nspname, c.relname)
                             || CASE WHEN a.attisdropped IS NOT FALSE THEN 'dropped'
                                     ELSE format('renamed to %I', a.attname) END
                      FROM unnest(d.columns, d.column_names) AS u(num, was)
                      LEFT JOIN pg_attribute a ON a.attrelid = d.source_relid AND a.attnum = u.num
                      WHERE a.attisdropped IS NOT FALSE OR a.attname <> u.was LIMIT 1)
                END AS why
            FROM pgtrickle.pgt_dependencies d JOIN pg_class c ON c.oid = d.source_relid
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE d.source_relid = ANY (ids)
        LOOP
            IF s.why IS NOT NULL THEN
                PERFORM pgtrickle._mark_reinit_or_logs(ARRAY[s.pgt_id], s.why);
            END IF;
        END LOOP;
        FOR s IN
            SELECT t.pgt_id, n.nspname, c.relname FROM pgtrickle.pgt_stream_tables t
            JOIN pg_class c ON c.oid = t.pgt_relid
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE t.pgt_relid = ANY (ids) AND (n.nspname <> t.pgt_schema OR c.relname <> t.pgt_name)
        LOOP
            BEGIN
                UPDATE pgtrickle.pgt_stream_tables t SET pgt_schema = s.nspname, pgt_name = s.relname
                WHERE t.pgt_id = s.pgt_id;
            EXCEPTION WHEN OTHERS THEN
                NULL;       -- they are as last seen, the live name is in pg_class
            END;
            PERFORM pgtrickle._mark_reinit_or_logs(ARRAY[s.pgt_id],
                                                   format('the stream table was renamed to %I.%I',
                                                          s.nspname, s.relname));
        END LOOP;
        FOR s IN SELECT t.pgt_id FROM pgtrickle.pgt_stream_tables t
            WHERE t.pgt_relid = ANY (ids) AND pgtrickle._has_new_owner(t.pgt_id) LOOP
            PERFORM pgtrickle._mark_reinit_or_logs(ARRAY[s.pgt_id], 'the stream table has a new owner');
        END LOOP;
    EXCEPTION WHEN OTHERS THEN
        RAISE WARNING 'pgtrickle could not mark stream tables for re-initialisation: %', SQLERRM;
    END;
    BEGIN
        IF tg_tag IN ('ALTER SCHEMA', 'ALTER EXTENSION') THEN
            SELECT array_agg(f.classid), array_agg(f.objid) INTO classes, objects
            FROM (SELECT DISTINCT x.classid, x.objid FROM pgtrickle.pgt_facts x) AS f;
        ELSE        -- programs, logs and what only one session sees concern nobody
            SELECT array_agg(x.classid), array_agg(x.objid) INTO classes, objects
            FROM pg_event_trigger_ddl_commands() AS c CROSS JOIN LATERAL pgtrickle._concerned(c.classid, c.objid) AS x
            WHERE c.objid <> 0 AND c.schema_name IS DISTINCT FROM 'pgtrickle_state'
              AND c.schema_name IS DISTINCT FROM 'pgtrickle_changes'
              AND c.schema_name IS DISTINCT FROM 'pg_temp';
        END IF;
        IF objects IS NOT NULL THEN
            PERFORM pgtrickle._check_facts(classes, objects);
        END IF;
    EXCEPTION WHEN OTHERS THEN
        RAISE WARNING 'pgtrickle could not tell whom the command concerns: %', SQLERRM;
    END;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'pgtrickle could not follow the command: %', SQLERRM;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._on_ddl FROM PUBLIC;

-- What the drop of an object can concern beside facts about itself: facts about the table, domain or types that it
-- belonged to. Where it cannot be told, about all that it could have been. names: address_names of the object.
CREATE FUNCTION pgtrickle._concerned_by_drop(object_type text, schema name, names text[])
RETURNS TABLE (classid oid, objid oid)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT 'pg_class'::regclass::oid, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE $1 IN ('policy', 'trigger', 'rule', 'table constraint', 'default value') AND n.nspname = names[1]
      AND c.relname = names[2]
    UNION ALL SELECT DISTINCT f.classid, f.objid FROM pgtrickle.pgt_facts f
    WHERE $1 = 'index' AND f.kind = 'keys' AND f.schema = $2
    UNION ALL SELECT 'pg_cast'::regclass, 0::oid WHERE $1 = 'cast'
    UNION ALL SELECT DISTINCT f.classid, f.objid FROM pgtrickle.pgt_facts f
    WHERE $1 IN ('domain constraint', 'operator class', 'operator family', 'operator of access method',
                 'function of access method')
      AND f.kind = 'definition' AND f.classid = 'pg_type'::regclass;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._concerned_by_drop FROM PUBLIC;

-- After DROP of anything.
CREATE FUNCTION pgtrickle._on_drop() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    o record;
    s record;
    why text;
    classes oid[];
    objects oid[];
BEGIN
    IF to_regclass('pgtrickle.pgt_dependencies') IS NULL OR NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables)
       AND NOT EXISTS (SELECT FROM pgtrickle.pgt_sources) AND NOT EXISTS (SELECT FROM pgtrickle.pgt_source_gates)
       AND NOT EXISTS (SELECT FROM pgtrickle.pgt_watermarks)
       AND NOT EXISTS (SELECT FROM pgtrickle.pgt_capture_rights)
       AND NOT EXISTS (SELECT FROM pgtrickle.pgt_watermark_groups) THEN
        RETURN;
    END IF;
    -- Of what a build makes and drops again, views and functions for a moment, nobody knows.
    IF NOT EXISTS (SELECT FROM pg_event_trigger_dropped_objects() AS d
                   WHERE NOT (d.object_type IN ('view', 'type', 'rule', 'function')
                              AND (d.is_temporary OR d.address_names[1] IN ('pg_temp', 'pgtrickle_state')))) THEN
        RETURN;
    END IF;
    PERFORM pgtrickle._warn_of_drop();
    IF EXISTS (SELECT FROM pg_event_trigger_dropped_objects() AS d WHERE d.object_type = 'index') THEN
        PERFORM pgtrickle._limit_by_catalog(ARRAY(SELECT l.pgt_id FROM pgtrickle.pgt_refresh_limits l
                                                  WHERE l.reason = 'catalog'));
    END IF;
    FOR o IN SELECT d.objid, d.objsubid, d.object_type, d.object_identity,
                    CASE WHEN d.object_type = 'trigger' THEN d.address_names[array_upper(d.address_names, 1)] END AS
                        trigger_name
             FROM pg_event_trigger_dropped_objects() AS d
             WHERE d.classid = 'pg_class'::regclass AND d.object_type NOT IN ('index', 'sequence', 'toast table')
               OR d.object_type = 'trigger'
             ORDER BY d.object_type = 'trigger', d.objsubid
    LOOP
        BEGIN
            IF o.object_type = 'trigger' THEN
                FOR s IN SELECT x.source_id FROM pgtrickle.pgt_sources x
                         WHERE x.source_id = substring(o.trigger_name FROM '^pgtrickle_([0-9]{1,18})_[iudt]$')::bigint
                           AND x.problem IS NULL LOOP
                    -- NULL if it was a trigger of this name on some other table
                    why := pgtrickle._source_problem(s.source_id);
                    IF why IS NOT NULL THEN
                        PERFORM pgtrickle._neutralize_capture(s.source_id, why);
                    END IF;
                END LOOP;
                IF starts_with(o.trigger_name, 'pgtrickle_now_') THEN
                    PERFORM pgtrickle._check_immediate();
                END IF;
                CONTINUE;
            END IF;
            IF o.objsubid = 0 THEN
                DELETE FROM pgtrickle.pgt_stream_tables t WHERE t.pgt_relid = o.objid;
                IF FOUND THEN
                    PERFORM pgtrickle._wake_from_trigger();
                END IF;
                PERFORM pgtrickle._forget_relation(o.objid);
                IF EXISTS (SELECT FROM pgtrickle.pgt_dependencies d WHERE d.source_relid = o.objid) THEN
                    PERFORM pgtrickle._mark_reinit_or_logs((SELECT array_agg(d.pgt_id) FROM pgtrickle.pgt_dependencies d
                                                            WHERE d.source_relid = o.objid),
                                                   format('%s %s was dropped', o.object_type, o.object_identity));
                END IF;
            ELSIF EXISTS (SELECT FROM pgtrickle.pgt_dependencies d
                          WHERE d.source_relid = o.objid AND o.objsubid = ANY (d.columns)) THEN
                PERFORM pgtrickle._mark_reinit_or_logs((SELECT array_agg(d.pgt_id) FROM pgtrickle.pgt_dependencies d
                                                WHERE d.source_relid = o.objid AND o.objsubid = ANY (d.columns)),
                                               format('column %s was dropped', o.object_identity));
            END IF;
            FOR s IN SELECT x.source_id, x.relid FROM pgtrickle.pgt_sources x
                WHERE x.problem IS NULL AND o.objid = ANY (x.partitions) LOOP
                why := pgtrickle._source_problem(s.source_id);
                IF why IS NOT NULL THEN
                    PERFORM pgtrickle._neutralize_capture(s.source_id, why);
                END IF;
            END LOOP;
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'pgtrickle could not follow the drop of % %: %', o.object_type, o.object_identity, SQLERRM;
        END;
    END LOOP;
    BEGIN
        SELECT array_agg(x.classid), array_agg(x.objid) INTO classes, objects
        FROM pg_event_trigger_dropped_objects() AS d CROSS JOIN LATERAL (
            SELECT d.classid, d.objid UNION ALL SELECT c.*
            FROM pgtrickle._concerned_by_drop(d.object_type, d.schema_name, d.address_names) AS c) AS x
        WHERE NOT d.is_temporary AND d.schema_name IS DISTINCT FROM 'pgtrickle_state'
          AND d.schema_name IS DISTINCT FROM 'pgtrickle_changes'
          AND d.object_type NOT IN ('sequence', 'toast table');
        IF objects IS NOT NULL THEN
            PERFORM pgtrickle._check_facts(classes, objects);
        END IF;
    EXCEPTION WHEN OTHERS THEN
        RAISE WARNING 'pgtrickle could not tell whom the drop concerns: %', SQLERRM;
    END;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'pgtrickle could not follow the command: %', SQLERRM;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._on_drop FROM PUBLIC;

-- Before a table is rewritten: ALTER COLUMN TYPE .. USING can change every row without any DML, even to the same type
-- (reason 4). So can SET EXPRESSION (2, like new columns with volatile defaults); of the table itself the shape tells,
-- of a partition not.
CREATE FUNCTION pgtrickle._on_rewrite() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s record;
BEGIN
    IF to_regclass('pgtrickle.pgt_dependencies') IS NULL OR (pg_event_trigger_table_rewrite_reason() & 6) = 0 THEN
        RETURN;
    END IF;
    FOR s IN SELECT x.source_id FROM pgtrickle.pgt_sources x
        WHERE x.problem IS NULL AND pg_event_trigger_table_rewrite_oid() = ANY (x.partitions)
             AND ((pg_event_trigger_table_rewrite_reason() & 4) <> 0 OR x.relid <> pg_event_trigger_table_rewrite_oid()
                  AND EXISTS (SELECT FROM pg_attribute a
                              WHERE a.attrelid = x.relid AND a.attnum = ANY (x.columns) AND a.attgenerated = 's')) LOOP
        BEGIN
            PERFORM pgtrickle._neutralize_capture(s.source_id,
                                                  format('table %s was rewritten by ALTER TABLE',
                                                         pgtrickle._qualified(pg_event_trigger_table_rewrite_oid())));
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'pgtrickle could not adapt the capture of source %: %', s.source_id, SQLERRM
                USING HINT = 'Stream tables that read the altered table may be out of date until they are rebuilt.';
        END;
    END LOOP;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'pgtrickle could not follow the command: %', SQLERRM;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._on_rewrite FROM PUBLIC;

DO $create$
BEGIN
    -- All that can change what a query means or what its program relies on, and that this server knows.
    EXECUTE format('CREATE EVENT TRIGGER pgtrickle_ddl ON ddl_command_end WHEN TAG IN (%s) EXECUTE FUNCTION '
                   'pgtrickle._on_ddl()',
        (SELECT string_agg(quote_literal(t), ', ') FROM unnest(ARRAY[
            'ALTER AGGREGATE', 'ALTER COLLATION', 'ALTER DOMAIN', 'ALTER EXTENSION', 'ALTER FOREIGN TABLE',
            'ALTER FUNCTION', 'ALTER INDEX', 'ALTER MATERIALIZED VIEW', 'ALTER OPERATOR', 'ALTER OPERATOR CLASS',
            'ALTER OPERATOR FAMILY', 'ALTER POLICY', 'ALTER ROUTINE', 'ALTER RULE', 'ALTER SCHEMA', 'ALTER TABLE',
            'ALTER TEXT SEARCH CONFIGURATION', 'ALTER TEXT SEARCH DICTIONARY', 'ALTER TEXT SEARCH PARSER',
            'ALTER TEXT SEARCH TEMPLATE', 'ALTER TRIGGER', 'ALTER TYPE', 'ALTER VIEW', 'CREATE AGGREGATE',
            'CREATE CAST', 'CREATE DOMAIN', 'CREATE FOREIGN TABLE', 'CREATE FUNCTION', 'CREATE INDEX',
            'CREATE OPERATOR',
            'CREATE OPERATOR CLASS', 'CREATE OPERATOR FAMILY', 'CREATE POLICY', 'CREATE RULE', 'CREATE TABLE',
            'CREATE TRIGGER', 'CREATE TYPE', 'CREATE VIEW']) AS t));
    EXECUTE 'CREATE EVENT TRIGGER pgtrickle_drop ON sql_drop EXECUTE FUNCTION pgtrickle._on_drop()';
    EXECUTE 'CREATE EVENT TRIGGER pgtrickle_rewrite ON table_rewrite WHEN TAG IN (''ALTER TABLE'') EXECUTE FUNCTION '
            'pgtrickle._on_rewrite()';
    -- also under session_replication_role = replica
    EXECUTE 'ALTER EVENT TRIGGER pgtrickle_ddl ENABLE ALWAYS';
    EXECUTE 'ALTER EVENT TRIGGER pgtrickle_drop ENABLE ALWAYS';
    EXECUTE 'ALTER EVENT TRIGGER pgtrickle_rewrite ENABLE ALWAYS';
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'pgtrickle works without event triggers here, because role "%" may not create them', current_user
        USING DETAIL = 'Capture functions check the shape of their source before every statement instead, which '
                       'costs writers a little. Other '
                       'changes (of functions, types, views, policies, keys) are noticed by the next refresh that '
                       'has something to do, which compares '
                       'all that the query depends on, or by the daemon, which compares every 5 s or, if that is '
                       'much, in 1 % of the time.';
END
$create$;
