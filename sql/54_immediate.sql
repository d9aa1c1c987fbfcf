-- IMMEDIATE stream tables: triggers on what they read, which run the program in the transaction of the writer
-- (daemon/compiler/program/immediate_writer.h). Here they are put on, and stopped.

-- Why a relation cannot be followed by triggers of this role, NULL if it can: what a trigger calls runs
-- in the session of the writer, so it needs the right that PostgreSQL asks for that.
CREATE FUNCTION pgtrickle._immediate_forbidden(relation oid, role oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    closed oid;
BEGIN
    SELECT r.oid INTO closed FROM unnest(pgtrickle._source_relations(relation)) AS r(oid)
    WHERE NOT has_table_privilege(role, r.oid, 'TRIGGER') ORDER BY r.oid LIMIT 1;
    RETURN CASE WHEN closed IS NOT NULL
                THEN format('role %s has no TRIGGER privilege on %s', quote_ident(pg_get_userbyid(role)),
                            pgtrickle._qualified(closed)) END;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._immediate_forbidden TO PUBLIC;

-- Error 42501 if the role may not have an IMMEDIATE stream table of this relation.
CREATE FUNCTION pgtrickle._require_immediate(qualified text, relation oid, role oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    why text := pgtrickle._immediate_forbidden(relation, role);
BEGIN
    IF why IS NOT NULL THEN
        RAISE EXCEPTION 'stream table %: refresh mode IMMEDIATE is not possible: %', qualified, why
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'Its query runs in the transactions of those who write, as a trigger does.',
                  HINT = format('GRANT TRIGGER ON %s TO %I; or use AUTO with a short schedule, which needs no more '
                                'than SELECT.', pgtrickle._qualified(relation), pg_get_userbyid(role));
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._require_immediate TO PUBLIC;

-- From the commit of this transaction on the triggers of these stream tables do nothing. Waits for no writer, and can
-- be done in any transaction. A REPEATABLE READ writer whose snapshot is older does not see that they are stopped: he
-- meets the row that was updated instead, which is error 40001, and tries again.
CREATE FUNCTION pgtrickle._stop_immediate(ids bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO pgtrickle.pgt_immediate_stopped (pgt_id)
    SELECT i.pgt_id FROM pgtrickle.pgt_immediate i WHERE i.pgt_id = ANY (ids)
    ON CONFLICT DO NOTHING;
    BEGIN
        UPDATE pgtrickle.pgt_immediate i SET lost = i.lost
        WHERE i.pgt_id IN (SELECT x.pgt_id FROM pgtrickle.pgt_immediate x
                           WHERE x.pgt_id = ANY (ids) FOR UPDATE SKIP LOCKED);
    EXCEPTION WHEN serialization_failure THEN
        NULL;       -- this transaction is REPEATABLE READ itself, and a writer was there since
    END;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._stop_immediate FROM PUBLIC;

-- What makes a program outdated, or stops the stream table, stops its triggers. Only where nothing but the mode is to
-- change they go on until the new program is there.
CREATE FUNCTION pgtrickle._on_immediate_outdated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.status IN ('PAUSED', 'SUSPENDED') AND NOT NEW.needs_reinit THEN
        NEW.needs_reinit := true;
        NEW.reinit_reason := 'its triggers were stopped';
    END IF;
    IF NEW.refresh_mode = 'IMMEDIATE' OR NEW.defining_query <> OLD.defining_query OR NEW.status <> OLD.status THEN
        PERFORM pgtrickle._stop_immediate(ARRAY[NEW.pgt_id]);
    END IF;
    RETURN NEW;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._on_immediate_outdated FROM PUBLIC;
CREATE TRIGGER immediate_outdated BEFORE UPDATE ON pgtrickle.pgt_stream_tables
    FOR EACH ROW WHEN (OLD.effective_refresh_mode = 'IMMEDIATE' AND NEW.effective_refresh_mode = 'IMMEDIATE'
                       AND (NEW.needs_reinit AND NOT OLD.needs_reinit OR NEW.status IN ('PAUSED', 'SUSPENDED')))
    EXECUTE FUNCTION pgtrickle._on_immediate_outdated();

-- A program that cannot go on says so in its row of pgt_immediate: it is stopped, and rebuilt. The mark in the catalog
-- fails where a REPEATABLE READ transaction does not see the present row; then the daemon finds what is stopped.
CREATE FUNCTION pgtrickle._on_immediate_lost() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._stop_immediate(ARRAY[NEW.pgt_id]);
    BEGIN
        PERFORM pgtrickle._mark_reinit(ARRAY[NEW.pgt_id], left(NEW.lost, pgtrickle._kept_characters()));
    EXCEPTION WHEN OTHERS THEN
        NULL;
    END;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._on_immediate_lost FROM PUBLIC;
CREATE TRIGGER lost AFTER UPDATE ON pgtrickle.pgt_immediate
    FOR EACH ROW WHEN (NEW.lost IS NOT NULL AND OLD.lost IS NULL) EXECUTE FUNCTION pgtrickle._on_immediate_lost();

-- Has a user made a unique index or an exclusion constraint on the table of a stream table?
CREATE FUNCTION pgtrickle._has_user_keys(stream_table bigint, relation oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                   WHERE i.indrelid = relation AND (i.indisunique OR i.indisexclusion)
                     AND x.relname <> format('pgtrickle_%s_key', stream_table));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._has_user_keys TO PUBLIC;

-- The same for a build: from here on nobody makes one until the transaction ends.
CREATE FUNCTION pgtrickle._settled_user_keys(id bigint) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation oid := (SELECT s.pgt_relid FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = id);
BEGIN
    EXECUTE format('LOCK TABLE %s IN SHARE UPDATE EXCLUSIVE MODE', pgtrickle._qualified(relation));
    RETURN pgtrickle._has_user_keys(id, relation);
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._settled_user_keys FROM PUBLIC;

-- Where no event trigger tells: are the sources of a program what they were when it was made, is its table there, and
-- does the program know of the unique indexes of users?
CREATE FUNCTION pgtrickle._immediate_fits(stream_table bigint, relids oid[]) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM pg_class c JOIN pgtrickle._stream_tables s ON s.pgt_relid = c.oid
                   JOIN pgtrickle.pgt_immediate i USING (pgt_id)
                   WHERE s.pgt_id = stream_table
                     AND (i.user_keys OR NOT pgtrickle._has_user_keys(stream_table, c.oid)))
       AND (SELECT count(*) FROM pgtrickle.pgt_sources s
            WHERE s.relid = ANY (relids) AND s.problem IS NULL
              AND s.shape = pgtrickle._source_shape(s.relid, s.columns)
              AND s.partitions = pgtrickle._source_relations(s.relid)) = cardinality(relids);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._immediate_fits TO PUBLIC;

-- What the owner of a stream table may not do any more, so that its program would fail in the statements of writers;
-- NULL: nothing. SELECT on what it reads is looked at by the program itself.
CREATE FUNCTION pgtrickle._immediate_right_missing(id bigint, relation oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner oid := (SELECT c.relowner FROM pg_class c WHERE c.oid = relation);
BEGIN
    RETURN (
        WITH functions AS MATERIALIZED (
            SELECT p.oid, p.pronamespace FROM pgtrickle.pgt_facts f JOIN pg_proc p
            ON f.classid = 'pg_proc'::regclass AND p.oid = f.objid
            OR f.classid = 'pg_operator'::regclass AND p.oid = (SELECT o.oprcode FROM pg_operator o
                                                                   WHERE o.oid = f.objid)
            WHERE f.pgt_id = id AND f.kind = 'definition' AND f.used_by IN ('query', 'view')),
        schemas AS MATERIALIZED (
            SELECT c.relnamespace AS oid FROM pg_class c
            WHERE c.oid = relation
               OR c.oid IN (SELECT d.source_relid FROM pgtrickle.pgt_dependencies d
                            WHERE d.pgt_id = id AND d.source_id IS NOT NULL)
            UNION SELECT f.pronamespace FROM functions f)
        SELECT x.why FROM (
            SELECT format('its owner may not use schema %I', n.nspname) AS why
            FROM schemas s JOIN pg_namespace n USING (oid) WHERE NOT has_schema_privilege(owner, s.oid, 'USAGE')
            UNION ALL
            SELECT format('its owner may not execute %s', f.oid::regprocedure)
            FROM functions f WHERE NOT has_function_privilege(owner, f.oid, 'EXECUTE')
            UNION ALL
            SELECT format('its owner has given up %s on it', p.privilege)
            FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p(privilege)
            WHERE NOT has_table_privilege(owner, relation, p.privilege)) AS x
        ORDER BY x.why LIMIT 1);
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._immediate_right_missing FROM PUBLIC;

-- Does a program count the statements that are under way, or does what each has changed go to the stream table at once
-- (daemon/compiler/program/at_once.h)?
CREATE FUNCTION pgtrickle._counts_statements(id bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'pgtrickle_state'::regnamespace
                       AND p.proname = format('left_over_%s', id))
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._counts_statements FROM PUBLIC;

-- Why the triggers of an IMMEDIATE stream table cannot keep it as they are, NULL if they can. What else can change is
-- in pgt_facts.
CREATE FUNCTION pgtrickle._immediate_problem(id bigint, relation oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tree     oid[];
    triggers bigint;
    expected int := CASE WHEN pgtrickle._counts_statements(id) THEN 5 ELSE 4 END;
BEGIN
    SELECT array_agg(DISTINCT r.oid) INTO tree
    FROM pgtrickle.pgt_dependencies d CROSS JOIN LATERAL unnest(pgtrickle._source_relations(d.source_relid)) AS r(oid)
    WHERE d.pgt_id = id AND d.source_id IS NOT NULL;
    SELECT count(*) INTO triggers
    FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE t.tgrelid = ANY (tree) AND t.tgenabled = 'A' AND p.pronamespace = 'pgtrickle_state'::regnamespace
      AND (p.proname = format('enter_%s', id) OR p.proname ~ format('^changed_%s_[0-9]+$', id));
    RETURN CASE
        WHEN EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = id) THEN
            'its triggers were stopped'
        WHEN triggers <> expected * coalesce(cardinality(tree), 0) THEN
            'a trigger of it was dropped or disabled'
        WHEN pgtrickle._has_user_keys(id, relation)
            AND EXISTS (SELECT FROM pgtrickle.pgt_immediate i WHERE i.pgt_id = id AND NOT i.user_keys) THEN
            'a unique index was made on it'
        ELSE pgtrickle._immediate_right_missing(id, relation) END;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._immediate_problem FROM PUBLIC;

-- Stops IMMEDIATE stream tables that cannot go on as they are, and has them rebuilt: of the ones that are or read
-- one of these relations, or have one of these indexes; NULL: of all. A build looks for itself. Returns how many.
CREATE FUNCTION pgtrickle._check_immediate(ids oid[] DEFAULT NULL) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s record;
    n int := 0;
BEGIN
    FOR s IN
        SELECT t.pgt_id, pgtrickle._immediate_problem(t.pgt_id, t.pgt_relid) AS why
        FROM pgtrickle.pgt_immediate i JOIN pgtrickle.pgt_stream_tables t USING (pgt_id)
        WHERE t.effective_refresh_mode = 'IMMEDIATE' AND NOT t.needs_reinit AND t.status <> 'INITIALIZING'
          AND (ids IS NULL OR t.pgt_relid = ANY (ids)
               OR t.pgt_relid IN (SELECT x.indrelid FROM pg_index x WHERE x.indexrelid = ANY (ids))
               OR EXISTS (SELECT FROM pgtrickle.pgt_dependencies d
                          WHERE d.pgt_id = t.pgt_id AND pgtrickle._source_relations(d.source_relid) && ids)) LOOP
        IF s.why IS NOT NULL THEN
            PERFORM pgtrickle._mark_reinit_or_logs(ARRAY[s.pgt_id], s.why);
            n := n + 1;
        END IF;
    END LOOP;
    RETURN n;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._check_immediate FROM PUBLIC;

-- Puts the triggers of a stream table on what it reads: relids in the order of its functions changed_<id>_<k>. The
-- sources stay locked (SHARE ROW EXCLUSIVE) until the transaction ends; set lock_timeout first. In READ COMMITTED.
-- Errors: 42501 the admin or the owner may not create triggers there; 55P03.
CREATE FUNCTION pgtrickle._install_immediate(id bigint, relids oid[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st     record;
    source record;
    rel    oid;
    event  record;
    name   text;
    why    text;
    counted boolean := pgtrickle._counts_statements(id);
BEGIN
    SELECT s.pgt_id, c.oid, c.relowner, pgtrickle._qualified(c.oid) AS qualified INTO STRICT st
    FROM pgtrickle.pgt_stream_tables s JOIN pg_class c ON c.oid = s.pgt_relid WHERE s.pgt_id = id;
    why := pgtrickle._immediate_right_missing(id, st.oid);
    IF why IS NOT NULL THEN
        RAISE EXCEPTION 'stream table %: refresh mode IMMEDIATE is not possible: %', st.qualified, why
            USING ERRCODE = 'insufficient_privilege',
                  HINT = format('GRANT it to %I, or use AUTO.', pg_get_userbyid(st.relowner));
    END IF;
    FOR source IN SELECT u.oid, u.k, pgtrickle._source_relations(u.oid) AS tree
                  FROM unnest(relids) WITH ORDINALITY AS u(oid, k) ORDER BY u.oid LOOP
        PERFORM pgtrickle._require_immediate(st.qualified, source.oid, st.relowner);
        FOREACH rel IN ARRAY source.tree LOOP
            name := pgtrickle._qualified(rel);
            EXECUTE format('LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE', name);
            -- In the order of numbers for all: two statements then take the locks of stream tables in one order.
            IF counted THEN
                EXECUTE format('CREATE TRIGGER pgtrickle_now_%1$s_enter BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE '
                               'ON %2$s FOR EACH STATEMENT EXECUTE FUNCTION pgtrickle_state.enter_%3$s()',
                               lpad(id::text, 10, '0'), name, id);
                EXECUTE format('ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER pgtrickle_now_%s_enter', name,
                               lpad(id::text, 10, '0'));
            END IF;
            FOR event IN SELECT * FROM (VALUES ('i', 'INSERT', 'REFERENCING NEW TABLE AS newt'),
                                               ('u', 'UPDATE', 'REFERENCING OLD TABLE AS oldt NEW TABLE AS newt'),
                                               ('d', 'DELETE', 'REFERENCING OLD TABLE AS oldt'),
                                               ('t', 'TRUNCATE', '')) AS e(suffix, op, tables) LOOP
                EXECUTE format('CREATE TRIGGER pgtrickle_now_%s_%s AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE '
                               'FUNCTION pgtrickle_state.changed_%s_%s()', lpad(id::text, 10, '0'), event.suffix,
                               event.op, name, event.tables, id, source.k);
                EXECUTE format('ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER pgtrickle_now_%s_%s', name,
                               lpad(id::text, 10, '0'), event.suffix);
            END LOOP;
        END LOOP;
    END LOOP;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._install_immediate FROM PUBLIC;

-- From here on its triggers keep it: it is equal to its query, and nobody writes to what it reads (_install_immediate).
-- Logs that nobody else reads are not written to any more.
CREATE FUNCTION pgtrickle._begin_immediate(id bigint, user_keys boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s pgtrickle.pgt_sources;
BEGIN
    DELETE FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = id;
    INSERT INTO pgtrickle.pgt_immediate (pgt_id, owner, user_keys)
    SELECT t.pgt_id, c.relowner, _begin_immediate.user_keys
    FROM pgtrickle.pgt_stream_tables t JOIN pg_class c ON c.oid = t.pgt_relid
    WHERE t.pgt_id = id
    ON CONFLICT (pgt_id) DO UPDATE SET owner = excluded.owner, lost = NULL, user_keys = excluded.user_keys;
    UPDATE pgtrickle.pgt_frontiers f SET snapshot = NULL, xid = NULL, seq = NULL, data_timestamp = clock_timestamp()
    WHERE f.pgt_id = id;
    UPDATE pgtrickle.pgt_stream_tables t SET effective_refresh_mode = 'IMMEDIATE' WHERE t.pgt_id = id;
    -- Muted first, then looked whether anybody reads: a build that ends meanwhile waits for this row, and sees it.
    FOR s IN UPDATE pgtrickle.pgt_sources x SET muted = true
             WHERE NOT x.muted AND x.problem IS NULL
               AND x.source_id IN (SELECT d.source_id FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = id)
             RETURNING x.* LOOP
        IF EXISTS (SELECT FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_stream_tables t USING (pgt_id)
                   WHERE d.source_id = s.source_id AND t.effective_refresh_mode IS DISTINCT FROM 'IMMEDIATE') THEN
            UPDATE pgtrickle.pgt_sources x SET muted = false WHERE x.source_id = s.source_id;
        ELSE
            PERFORM pgtrickle._lock_capture(s.source_id);
            PERFORM pgtrickle._write_capture_function(s.source_id, s.relid, s.columns, s.shape, s.partitions,
                                                      s.active_log, NULL, true);
        END IF;
    END LOOP;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._begin_immediate FROM PUBLIC;

-- The name of a log that a stream table reads and nobody writes to any more, NULL if there is none. Keeps them as they
-- are until the transaction ends.
CREATE FUNCTION pgtrickle._muted_source(id bigint) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name text;
BEGIN
    PERFORM FROM pgtrickle.pgt_sources s
    WHERE s.source_id IN (SELECT d.source_id FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = id)
    ORDER BY s.source_id FOR SHARE;
    SELECT pgtrickle._qualified(s.relid) INTO name FROM pgtrickle.pgt_sources s
    WHERE s.muted AND s.source_id IN (SELECT d.source_id FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = id) LIMIT 1;
    RETURN name;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._muted_source FROM PUBLIC;
