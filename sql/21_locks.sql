-- Locks that decide who works: on views that nobody but the admin can lock, not advisory locks, which every role can
-- take.
--
-- Privileges alone would not do. PREPARE of an UPDATE locks a table before anybody asks whether the role may update it,
-- and keeps the lock to the end of the transaction. So the views are in a schema where strangers cannot name anything.
-- Views, because nothing else ever wants their locks: a vacuum would wait for the daemon that leads, for ever.
CREATE VIEW pgtrickle_locks.leader AS SELECT 'EXCLUSIVE: the daemon that leads' AS held_by;
CREATE VIEW pgtrickle_locks.units AS SELECT 'ROW SHARE: each unit of the daemon; EXCLUSIVE: drain()' AS held_by;
CREATE VIEW pgtrickle_locks.grants AS SELECT 'EXCLUSIVE: a build that grants something' AS held_by;

-- What default privileges of the admin have given.
DO $revoke$
DECLARE
    g record;
BEGIN
    FOR g IN SELECT x.what, x.name, a.grantee
             FROM (SELECT 'SCHEMA' AS what, 'pgtrickle_locks' AS name, n.nspacl AS acl, n.nspowner AS owner
                   FROM pg_catalog.pg_namespace n WHERE n.nspname = 'pgtrickle_locks'
                   UNION ALL SELECT 'TABLE', pg_catalog.format('pgtrickle_locks.%I', c.relname), c.relacl, c.relowner
                   FROM pg_catalog.pg_class c WHERE c.relnamespace = 'pgtrickle_locks'::pg_catalog.regnamespace) AS x
             CROSS JOIN LATERAL pg_catalog.aclexplode(x.acl) AS a WHERE a.grantee <> x.owner LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON %s %s FROM %s', g.what, g.name,
                                  CASE WHEN g.grantee = 0 THEN 'PUBLIC'
                                       ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END);
    END LOOP;
END
$revoke$;

-- Who holds one of these locks, or waits for it.
CREATE FUNCTION pgtrickle._lockers(lock name) RETURNS TABLE (pid int, mode text, granted boolean)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT l.pid, l.mode, l.granted
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_locks l ON l.relation = c.oid AND l.locktype = 'relation'
    WHERE n.nspname = 'pgtrickle_locks' AND c.relname = lock
      AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._lockers TO PUBLIC;

-- Leads from now on, to the end of the caller's transaction. False: somebody else does. For the daemon, in a session
-- that does nothing else.
CREATE FUNCTION pgtrickle._try_lead() RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    LOCK TABLE pgtrickle_locks.leader IN EXCLUSIVE MODE NOWAIT;
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._try_lead FROM PUBLIC;

-- Does a daemon lead, and does anybody wait for its lock? Nobody can name it who is not the admin.
CREATE FUNCTION pgtrickle._leader_lock(OUT is_held boolean, OUT is_waited_for boolean)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(bool_or(l.granted), false), coalesce(bool_or(NOT l.granted), false)
    FROM pgtrickle._lockers('leader') AS l
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._leader_lock FROM PUBLIC;
