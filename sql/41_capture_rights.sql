-- Who may put capture triggers on a table. Its writers pay for them. By default that is everybody who may read it; its
-- owner can keep it to himself, to roles that he names, and to roles with the privilege TRIGGER on it.
--
-- A table with rows in pgt_capture_rights is kept to those. Partitions and children are asked too: capture of a
-- table puts triggers on them.

-- Why stream tables of this role cannot have changes of a relation captured, as far as its owner is concerned. NULL:
-- they can.
CREATE FUNCTION pgtrickle._capture_forbidden(relation oid, role oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    closed oid;
BEGIN
    IF NOT EXISTS (SELECT FROM pgtrickle.pgt_capture_rights) THEN
        RETURN NULL;
    END IF;
    SELECT c.oid INTO closed
    FROM unnest(pgtrickle._source_relations(relation)) AS r(relid) JOIN pg_class c ON c.oid = r.relid
    WHERE EXISTS (SELECT FROM pgtrickle.pgt_capture_rights x WHERE x.source_relid = c.oid)
      AND NOT pg_has_role(role, c.relowner, 'USAGE') AND NOT has_table_privilege(role, c.oid, 'TRIGGER')
      AND NOT EXISTS (SELECT FROM pgtrickle.pgt_capture_rights x JOIN pg_roles o ON o.oid = x.role
                      WHERE x.source_relid = c.oid AND pg_has_role($2, o.oid, 'USAGE'))
    ORDER BY c.oid LIMIT 1;
    RETURN CASE WHEN closed = relation
                THEN format('its owner does not let role "%s" do that (pgtrickle.allow_capture)',
                            pg_get_userbyid(role))
                WHEN closed IS NOT NULL
                THEN format('the owner of its partition or child %s does not let role "%s" do that '
                            '(pgtrickle.allow_capture)', pgtrickle._qualified(closed), pg_get_userbyid(role)) END;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._capture_forbidden TO PUBLIC;

-- Why a relation cannot be captured for stream tables of this role, NULL if it can.
CREATE FUNCTION pgtrickle._not_capturable_for(relation oid, role oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN coalesce(pgtrickle._not_capturable(relation), pgtrickle._capture_forbidden(relation, role));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._not_capturable_for TO PUBLIC;

-- Stream tables that read a relation, or what it is a partition or child of, and are not always recomputed.
-- forbidden: their owner may not have it captured. captured: it is all the same.
CREATE FUNCTION pgtrickle._capture_users(relation oid)
RETURNS TABLE (pgt_id bigint, forbidden boolean, captured boolean, building boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT s.pgt_id, bool_or(pgtrickle._capture_forbidden(d.source_relid, k.relowner) IS NOT NULL),
           bool_or(d.source_id IS NOT NULL), s.status = 'INITIALIZING'
    FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_stream_tables s ON s.pgt_id = d.pgt_id
    JOIN pg_class k ON k.oid = s.pgt_relid
    WHERE d.source_relid = ANY (pgtrickle._relatives(relation)) AND s.refresh_mode <> 'FULL'
      AND d.source_type IN ('TABLE', 'PARTITIONED_TABLE', 'STREAM_TABLE')
    GROUP BY s.pgt_id, s.status;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._capture_users FROM PUBLIC;

-- Switches the triggers of a source that nobody may use any more off. That waits for writers, not for readers, whom
-- anybody could be. Garbage collection removes the rest.
CREATE FUNCTION pgtrickle._stop_capture(source bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT g.tgname, pgtrickle._qualified(g.tgrelid) AS relation FROM pg_trigger g
             WHERE g.tgfoid = to_regproc(format('pgtrickle_changes.capture_%s', source)) AND g.tgenabled <> 'D'
             ORDER BY g.tgrelid, g.tgname LOOP
        EXECUTE format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', t.relation, t.tgname);
    END LOOP;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._stop_capture FROM PUBLIC;

-- Ends capture for those who may not have it any more: they are rebuilt, and triggers that nobody else needs are
-- switched off now, not when the daemon comes to it. Returns how many stream tables these are.
CREATE FUNCTION pgtrickle._settle_capture(relation oid) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    lost   bigint[] := ARRAY(SELECT u.pgt_id FROM pgtrickle._capture_users(relation) AS u
                             WHERE u.forbidden AND u.captured);
    unused bigint;
BEGIN
    IF lost = '{}' THEN
        RETURN 0;
    END IF;
    -- Not what is being refreshed: its frontier is locked until that ends, and we need not wait for it.
    UPDATE pgtrickle.pgt_frontiers f SET snapshot = NULL, xid = NULL, seq = NULL
    WHERE f.pgt_id IN (SELECT x.pgt_id FROM pgtrickle.pgt_frontiers x WHERE x.pgt_id = ANY (lost)
                       ORDER BY x.pgt_id FOR UPDATE SKIP LOCKED);
    PERFORM pgtrickle._mark_reinit(lost, format('the owner of %s does not let its changes be captured any more',
                                                pgtrickle._qualified(relation)));
    UPDATE pgtrickle.pgt_dependencies d SET source_id = NULL
    WHERE d.pgt_id = ANY (lost) AND d.source_relid = ANY (pgtrickle._relatives(relation));
    FOR unused IN SELECT s.source_id FROM pgtrickle.pgt_sources s
                  WHERE s.relid = ANY (pgtrickle._relatives(relation))
                    AND NOT EXISTS (SELECT FROM pgtrickle.pgt_dependencies d WHERE d.source_id = s.source_id) LOOP
        PERFORM pgtrickle._stop_capture(unused);
    END LOOP;
    RETURN cardinality(lost);
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._settle_capture FROM PUBLIC;

-- For _requests (58). whom: NULL for everybody.
CREATE FUNCTION pgtrickle._do_allow_capture(caller oid, relation oid, whom oid, allow boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before bigint[];
BEGIN
    PERFORM pgtrickle._require_owned_by(caller, relation);
    before := ARRAY(SELECT u.pgt_id FROM pgtrickle._capture_users(relation) AS u WHERE u.forbidden);
    IF whom IS NULL OR NOT allow THEN
        DELETE FROM pgtrickle.pgt_capture_rights x
        WHERE x.source_relid = relation AND (whom IS NULL OR x.role = whom);
    END IF;
    IF (whom IS NULL) <> allow THEN
        INSERT INTO pgtrickle.pgt_capture_rights (source_relid, source_schema, source_name, source_owner, role,
                                                  role_name, decided_by)
        SELECT c.oid, n.nspname, c.relname, pg_get_userbyid(c.relowner), coalesce(whom, 0), pg_get_userbyid(whom),
               pg_get_userbyid(caller)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation
        ON CONFLICT DO NOTHING;
    END IF;
    PERFORM pgtrickle._settle_capture(relation);
    PERFORM pgtrickle._mark_reinit(ARRAY(SELECT u.pgt_id FROM pgtrickle._capture_users(relation) AS u
                                         WHERE NOT u.forbidden AND u.pgt_id = ANY (before)
                                            OR u.forbidden AND u.building),
                                   format('the owner of %s decided who may have its changes captured',
                                          pgtrickle._qualified(relation)));
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._do_allow_capture FROM PUBLIC;

CREATE FUNCTION pgtrickle._set_capture(source text, to_role name, allow boolean, caller_path text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rel    oid := pgtrickle._find_source(source, caller_path);
    name   text := pgtrickle._qualified(rel);
    role   oid := (SELECT r.oid FROM pg_roles r WHERE r.rolname = to_role);
    closed boolean;
BEGIN
    IF NOT pgtrickle._may_manage(rel) THEN
        RAISE EXCEPTION 'must be owner of % to decide who may capture its changes', name
            USING ERRCODE = 'insufficient_privilege',
                HINT = format('It belongs to role "%s"; roles that are a member of it may do it too.',
                              (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = rel));
    ELSIF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = rel AND c.relkind IN ('r', 'p')) THEN
        RAISE EXCEPTION '% is not a table', name
            USING ERRCODE = 'wrong_object_type',
                HINT = 'Only changes of tables are captured: name the ones that it reads.';
    ELSIF to_role IS NOT NULL AND role IS NULL THEN
        RAISE EXCEPTION 'role "%" does not exist', to_role
            USING ERRCODE = 'undefined_object', HINT = 'NULL means everybody who may read the table.';
    END IF;
    closed := EXISTS (SELECT FROM pgtrickle.pgt_capture_rights x WHERE x.source_relid = rel);
    IF role IS NOT NULL AND NOT closed THEN
        IF allow THEN
            RAISE NOTICE 'changes of % may be captured for everybody who may read it', name
                USING HINT = format('SELECT pgtrickle.forbid_capture(%L); keeps that to its owner and to roles that '
                                    'are named then.', name);
            RETURN;
        END IF;
        RAISE EXCEPTION 'changes of % may be captured for everybody who may read it, not for named roles', name
            USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = format('SELECT pgtrickle.forbid_capture(%L); first, then allow_capture() for each role.', name);
    END IF;
    PERFORM pgtrickle._request('allow_capture', jsonb_build_object('relid', rel, 'role', role, 'allow', allow));
    PERFORM pgtrickle._wake(pgtrickle._anything_changed());
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._set_capture TO PUBLIC;

CREATE FUNCTION pgtrickle.allow_capture(source text, to_role name DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._set_capture(source, to_role, true, pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.allow_capture TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.allow_capture(text, name) IS
'Lets stream tables of a role have the changes of a table captured, after forbid_capture. NULL: of everybody who may
  read it, which is the default for every table.
Stream tables that were recomputed because of that are rebuilt. Members of the role may do what it may. For the
  owner of the table.
Errors: 42P01, 42809 not a table, 42704 no such role, 42501 not its owner.';

CREATE FUNCTION pgtrickle.forbid_capture(source text, to_role name DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._set_capture(source, to_role, false, pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.forbid_capture TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.forbid_capture(text, name) IS
'Keeps capture of the changes of a table, which its writers pay for, to its owner, to roles with the privilege TRIGGER
  on it, and to roles that allow_capture names afterwards. With to_role: takes back what allow_capture gave that role.
Stream tables of others that read the table are recomputed instead; with refresh_mode DIFFERENTIAL they get the status
  ERROR. Triggers that nobody else needs are switched off at once, which waits for writers, and removed later. A
  partition or child can be kept too: then the whole is captured only for who may capture each part. For the owner of
  the table.
Errors: 42P01, 42809 not a table, 42704 no such role, 42501 not its owner, 55000 it is not kept to named roles.';

-- What nobody tells: names, for restores, and rights by membership or by TRIGGER. Called by the daemon. Returns how
-- much was to do. Where somebody writes for long it is done the next time, so that others do not queue behind us.
CREATE FUNCTION pgtrickle._settle_capture_rights() RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    relation oid;
    n        int := 0;
BEGIN
    DELETE FROM pgtrickle.pgt_capture_rights x
    WHERE x.role <> 0 AND NOT EXISTS (SELECT FROM pg_roles o WHERE o.oid = x.role);
    PERFORM pgtrickle._name_capture_rights();
    FOR relation IN SELECT DISTINCT r.source_relid FROM pgtrickle.pgt_capture_rights r
                    JOIN pg_class c ON c.oid = r.source_relid LOOP
        BEGIN
            n := n + pgtrickle._settle_capture(relation);
        EXCEPTION WHEN lock_not_available THEN
            NULL;
        END;
    END LOOP;
    RETURN n;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._settle_capture_rights FROM PUBLIC;

-- Writes down what relations and roles are called now.
CREATE FUNCTION pgtrickle._name_capture_rights() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    UPDATE pgtrickle.pgt_capture_rights x
       SET source_schema = n.nspname, source_name = c.relname, source_owner = pg_get_userbyid(c.relowner),
           role_name = CASE WHEN x.role <> 0 THEN pg_get_userbyid(x.role) END
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = x.source_relid
       AND (x.source_schema, x.source_name, x.source_owner) <> (n.nspname, c.relname, pg_get_userbyid(c.relowner))
        OR c.oid = x.source_relid AND x.role <> 0 AND x.role_name <> pg_get_userbyid(x.role)
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._name_capture_rights FROM PUBLIC;

-- After a restore: relations and roles by name. A table whose owner has decided stays closed, also for roles that are
-- not here.
CREATE FUNCTION pgtrickle._relink_capture_rights() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rights pgtrickle.pgt_capture_rights[] := ARRAY(SELECT x FROM pgtrickle.pgt_capture_rights x);
    lost   record;
BEGIN
    DELETE FROM pgtrickle.pgt_capture_rights;
    INSERT INTO pgtrickle.pgt_capture_rights
    SELECT f.relid, x.source_schema, x.source_name, x.source_owner, coalesce(o.oid, 0), o.rolname, x.decided_at,
           x.decided_by
    FROM unnest(rights) AS x
    CROSS JOIN pgtrickle._same_relation(x.source_schema, x.source_name, x.source_owner) AS f(relid)
    LEFT JOIN pg_roles o ON x.role <> 0 AND o.rolname = x.role_name
    WHERE f.relid IS NOT NULL
    ON CONFLICT DO NOTHING;
    FOR lost IN SELECT DISTINCT x.source_schema, x.source_name FROM unnest(rights) AS x
                WHERE pgtrickle._same_relation(x.source_schema, x.source_name, x.source_owner) IS NULL LOOP
        RAISE WARNING 'who may capture changes of %.% is forgotten: it could not be found after the restore',
            quote_ident(lost.source_schema), quote_ident(lost.source_name);
    END LOOP;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._relink_capture_rights FROM PUBLIC;
