-- Who runs what: the role of the worker sessions, and owners that trust each other.
--
-- Code of an owner of stream tables (functions of his query, his triggers) may leave things behind in the session that
-- runs it, and some of these run later as the role that logged in. So the daemon refreshes in worker sessions, which
-- log in as a role that has nothing to lose, and which serve one owner at a time. Owners that are trusted share
-- sessions and transactions; without worker sessions only they are served. docs/SECURITY.md has the whole picture.

ALTER TABLE pgtrickle.pgt_control
    ADD COLUMN worker_role name,                                  -- of the worker sessions; NULL: there are none
    ADD COLUMN trusts_all  boolean NOT NULL DEFAULT false;        -- trust_all_owners

-- Owners named by trust_owner. OID and name have to fit: a role of the same name in another cluster, or created after
-- this one was dropped, is not meant.
CREATE TABLE pgtrickle.pgt_trusted_owners (
    role       oid PRIMARY KEY,
    role_name  name NOT NULL,
    trusted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    trusted_by name NOT NULL DEFAULT current_user
);

-- May stream tables of this role share sessions and transactions with those of the admin? The admin, who may become the
-- admin anyway (its members, superusers), and who was named.
CREATE FUNCTION pgtrickle._is_trusted(owner oid) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN (
        SELECT coalesce((SELECT bool_or(c.trusts_all) FROM pgtrickle.pgt_control c), false)
            OR EXISTS (SELECT FROM pg_namespace n JOIN pg_roles r ON r.oid = owner
                       WHERE n.nspname = 'pgtrickle' AND pg_has_role(r.oid, n.nspowner, 'MEMBER'))
            OR EXISTS (SELECT FROM pgtrickle.pgt_trusted_owners t
                       JOIN pg_roles r ON r.oid = t.role AND r.rolname = t.role_name
                       WHERE t.role = owner));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._is_trusted TO PUBLIC;

-- OID of a role. Error 42704 if there is none.
CREATE FUNCTION pgtrickle._role(role name) RETURNS oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found oid := (SELECT r.oid FROM pg_roles r WHERE r.rolname = role);
BEGIN
    IF found IS NULL THEN
        RAISE EXCEPTION 'role "%" does not exist', role
            USING ERRCODE = 'undefined_object', HINT = format('Create it: CREATE ROLE %I LOGIN;', role);
    END IF;
    RETURN found;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._role FROM PUBLIC;

CREATE FUNCTION pgtrickle.trust_owner(role name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._require_admin('trust an owner of stream tables');
    INSERT INTO pgtrickle.pgt_trusted_owners AS t (role, role_name)
      VALUES (pgtrickle._role(trust_owner.role), trust_owner.role)
    ON CONFLICT ON CONSTRAINT pgt_trusted_owners_pkey DO UPDATE SET role_name = excluded.role_name,
        trusted_at = excluded.trusted_at, trusted_by = excluded.trusted_by;
    PERFORM pgtrickle._wake('');
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.trust_owner TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.trust_owner(name) IS
'Lets the stream tables of a role share worker sessions, transactions and snapshots with those of the admin and of
  other trusted owners. '
'A trusted owner can take over the role that the daemon refreshes with: with one login for all that is the admin. '
'Admin only. '
'Errors: 42704 the role does not exist, 42501 the caller is not the admin.';

CREATE FUNCTION pgtrickle.distrust_owner(role name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._require_admin('distrust an owner of stream tables');
    DELETE FROM pgtrickle.pgt_trusted_owners t WHERE t.role_name = distrust_owner.role;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'role "%" is not on the list of trusted owners', role
            USING ERRCODE = 'undefined_object',
                HINT = 'SELECT * FROM pgtrickle.pgt_trusted_owners; the admin and superusers are always trusted.';
    END IF;
    PERFORM pgtrickle._wake('');
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.distrust_owner TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.distrust_owner(name) IS
'Takes trust_owner back. Without worker sessions the stream tables of the role are not served from then on. Admin
  only. '
'Errors: 42704 the role was not named, 42501 the caller is not the admin.';

CREATE FUNCTION pgtrickle.trust_all_owners(trust boolean DEFAULT true) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgtrickle._require_admin('trust the owners of stream tables');
    INSERT INTO pgtrickle.pgt_control DEFAULT VALUES ON CONFLICT DO NOTHING;    -- a restore without data has lost it
    UPDATE pgtrickle.pgt_control c SET trusts_all = trust WHERE c.trusts_all <> trust;
    PERFORM pgtrickle._wake('');
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.trust_all_owners TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.trust_all_owners(boolean) IS
'Trusts every role that may create stream tables, now and later, or takes that back; roles named by trust_owner stay.
  For databases '
'in which all owners are one team. Admin only. Errors: 42501 the caller is not the admin.';

-- Why a role must not be the one of the worker sessions; NULL: it has nothing to lose.
CREATE FUNCTION pgtrickle._worker_problem(role name) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r     pg_roles;
    owned bigint;
BEGIN
    SELECT * INTO r FROM pg_roles x WHERE x.rolname = role;
    IF NOT FOUND THEN
        RETURN format('role "%s" does not exist', role);
    ELSIF r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls THEN
        RETURN format('role "%s" has the attribute %s', role,
                      concat_ws(', ', CASE WHEN r.rolsuper THEN 'SUPERUSER' END,
                                CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
                                      CASE WHEN r.rolcreatedb THEN 'CREATEDB' END,
                                          CASE WHEN r.rolreplication THEN 'REPLICATION' END,
                                      CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END));
    ELSIF EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid) THEN
        RETURN format('role "%s" is a member of %s', role,
                      (SELECT string_agg(format('"%s"', pg_get_userbyid(m.roleid)), ', ' ORDER BY m.roleid)
                       FROM pg_auth_members m WHERE m.member = r.oid));
    END IF;
    -- In all databases of the cluster. Temporary objects of a session that serves an owner are gone before the next one
    -- is served.
    SELECT count(*) INTO owned FROM pg_shdepend d
    WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid AND d.deptype = 'o'
      AND NOT (d.classid = 'pg_class'::regclass
               AND d.dbid = (SELECT b.oid FROM pg_database b WHERE b.datname = current_database())
               AND EXISTS (SELECT FROM pg_class c WHERE c.oid = d.objid AND c.relpersistence = 't'));
    IF owned > 0 THEN
        RETURN format('role "%s" owns %s object(s)', role, owned);
    END IF;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._worker_problem FROM PUBLIC;

-- Gives a role what worker sessions need in this database, or takes it away. What is built later is granted when it is
-- built.
CREATE FUNCTION pgtrickle._grant_to_worker(role name, give boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    verb  text := CASE WHEN give THEN 'GRANT' ELSE 'REVOKE' END;
    whom  text := format(CASE WHEN give THEN 'TO %I' ELSE 'FROM %I' END, role);
    entry record;
BEGIN
    EXECUTE format('%s USAGE ON SCHEMA pgtrickle, pgtrickle_state %s', verb, whom);
    FOR entry IN
        SELECT p.oid::regprocedure AS signature
        FROM pg_proc p
        WHERE p.pronamespace = 'pgtrickle'::regnamespace AND p.proname = ANY (pgtrickle._worker_functions())
           OR p.pronamespace = 'pgtrickle_state'::regnamespace AND p.proname ~ '^refresh_[0-9]{1,18}$'
    LOOP
        EXECUTE format('%s EXECUTE ON FUNCTION %s %s', verb, entry.signature, whom);
    END LOOP;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._grant_to_worker FROM PUBLIC;

-- What a unit of refreshes calls besides refresh_<id>.
CREATE FUNCTION pgtrickle._worker_functions() RETURNS name[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY['_enter_unit', '_together', '_refresh_scc', '_check_cycle', '_removals_pending', '_scc_is_known',
                 '_scc_done', '_net_members']::name[]
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._worker_functions FROM PUBLIC;

CREATE FUNCTION pgtrickle.use_worker_role(role name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    problem text;
    before  name;
BEGIN
    PERFORM pgtrickle._require_admin('choose the role of the worker sessions');
    IF role IS NOT NULL THEN
        problem := pgtrickle._worker_problem(role);
        IF problem IS NOT NULL THEN
            RAISE EXCEPTION '% and cannot be the role of the worker sessions', problem
                USING ERRCODE = 'invalid_role_specification',
                      DETAIL = 'Code of the owners of stream tables can come to run as this role. It must have '
                               'nothing to lose.',
                      HINT = 'Create one for this purpose alone: CREATE ROLE pgtrickle_worker LOGIN;';
        END IF;
    END IF;
    INSERT INTO pgtrickle.pgt_control DEFAULT VALUES ON CONFLICT DO NOTHING;    -- a restore without data has lost it
    SELECT c.worker_role INTO before FROM pgtrickle.pgt_control c FOR UPDATE;
    IF before IS DISTINCT FROM role AND EXISTS (SELECT FROM pg_roles r WHERE r.rolname = before) THEN
        PERFORM pgtrickle._grant_to_worker(before, false);
    END IF;
    UPDATE pgtrickle.pgt_control c SET worker_role = use_worker_role.role;
    IF role IS NOT NULL THEN
        PERFORM pgtrickle._grant_to_worker(role, true);
    END IF;
    PERFORM pgtrickle._wake('');
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.use_worker_role TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.use_worker_role(name) IS
'Names the role that the daemon''s worker sessions log in as (databases.worker_dsn in its configuration), and grants
  it what refreshing '
'needs. The role must have nothing to lose: no attribute such as SUPERUSER or CREATEROLE, no membership in other '
'roles, no objects of its own. '
'NULL: no worker sessions any more. Admin only. Errors: 0P000 the role does not exist or has something to lose, '
'42501 the caller is not the admin.';
