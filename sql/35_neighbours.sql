-- Other parts of PostgreSQL that act on every table: logical replication both ways, and default privileges.

-- Subscriptions -------------------------------------------------------------------------------------------------------
-- The apply workers of a subscription fire row triggers only, so capture does not see what they do. Reading
-- pg_subscription_rel is exact: rows that a snapshot shows came from a subscription that this snapshot shows too.

-- The name of a subscription of this database that fills one of these relations, NULL if none does. One that is
-- disabled counts: it can be enabled at any time.
CREATE FUNCTION pgtrickle._subscription_of(relids oid[]) RETURNS name
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN (
        SELECT s.subname FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid
        WHERE r.srrelid = ANY (relids) ORDER BY s.subname LIMIT 1);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._subscription_of TO PUBLIC;

-- Does a subscription write to a source that stream table `id` believes to be captured, or to the stream table itself?
CREATE FUNCTION pgtrickle._is_subscribed(id bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_sources s USING (source_id)
                   JOIN pg_subscription_rel r ON r.srrelid = ANY (s.partitions) WHERE d.pgt_id = id)
        OR EXISTS (SELECT FROM pgtrickle._stream_tables t JOIN pg_subscription_rel r ON r.srrelid = t.pgt_relid
                   WHERE t.pgt_id = id)
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._is_subscribed TO PUBLIC;

-- Publications --------------------------------------------------------------------------------------------------------
-- PostgreSQL refuses UPDATE and DELETE (55000) on a published table without a replica identity. State tables and many
-- stream tables have no key that could be one, so they get REPLICA IDENTITY FULL, but only while they are published:
-- with wal_level = logical it writes the whole old row to the WAL, whether somebody reads that or not.

-- Is the table part of a publication that sends what keys are needed for? Unlogged tables never are.
CREATE FUNCTION pgtrickle._is_published(relid oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM pg_publication p JOIN pg_class c ON c.oid = relid AND c.relpersistence = 'p'
        WHERE (p.pubupdate OR p.pubdelete)
          AND (p.puballtables
               OR EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = relid)
               OR EXISTS (SELECT FROM pg_publication_namespace n
                          WHERE n.pnpubid = p.oid AND n.pnnspid = c.relnamespace)))
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._is_published FROM PUBLIC;

-- Has the table a replica identity that works? The default one is its primary key, if there is one.
CREATE FUNCTION pgtrickle._has_replica_identity(relid oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.relreplident = 'f'
        OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
                   AND (c.relreplident = 'd' AND i.indisprimary OR c.relreplident = 'i' AND i.indisreplident))
    FROM pg_class c WHERE c.oid = relid
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._has_replica_identity FROM PUBLIC;

-- A unique index that can be the replica identity: immediate, total, of NOT NULL columns. The narrowest; NULL if none.
CREATE FUNCTION pgtrickle._identity_index(relid oid) RETURNS name
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = relid AND i.indisunique AND i.indisvalid AND i.indimmediate
      AND i.indpred IS NULL AND i.indexprs IS NULL
      AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, n)
                      LEFT JOIN pg_attribute a ON a.attrelid = relid AND a.attnum = k.attnum AND a.attnotnull
                      WHERE k.n <= i.indnkeyatts AND a.attnum IS NULL)
    ORDER BY i.indnkeyatts, c.oid LIMIT 1
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._identity_index FROM PUBLIC;

-- Makes the replica identities of stream tables and state tables what the publications of this moment ask for, and
-- returns how many it changed. of_table: of this stream table; NULL: of all. A table whose lock is not to be had within
-- lock_wait_ms is left for the next time, and after the first of them no other is waited for.
CREATE FUNCTION pgtrickle._settle_replica_identities(of_table bigint DEFAULT NULL, lock_wait_ms int DEFAULT 100)
RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t       record;
    waited  text := current_setting('lock_timeout');
    wait_ms int := lock_wait_ms;
    changed int := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_publication)
       AND NOT EXISTS (SELECT FROM pg_class c
                       WHERE c.relnamespace = 'pgtrickle_state'::regnamespace AND c.relreplident <> 'd'
                       AND c.relkind = 'r') THEN
        RETURN 0;
    END IF;
    FOR t IN
        SELECT x.relid,
               CASE WHEN x.published THEN coalesce('USING INDEX '
                                                   || quote_ident(pgtrickle._identity_index(x.relid)), 'FULL')
                             ELSE 'DEFAULT' END AS identity
        FROM (SELECT c.oid AS relid, c.relreplident, c.is_state, pgtrickle._is_published(c.oid) AS published
              FROM (SELECT c.oid, c.relreplident, true AS is_state,
                    substring(c.relname FROM '^node_([0-9]{1,18})_[0-9]+$')::bigint AS id
                    FROM pg_class c WHERE c.relnamespace = 'pgtrickle_state'::regnamespace AND c.relkind = 'r'
                    UNION ALL
                    SELECT c.oid, c.relreplident, false, s.pgt_id
                    FROM pgtrickle.pgt_stream_tables s JOIN pg_class c ON c.oid = s.pgt_relid) AS c
              WHERE c.id IS NOT NULL AND (of_table IS NULL OR c.id = of_table)) AS x
        -- Nobody but us cares for that of a state table; that of a stream table is the user's, as long as it works.
        WHERE x.published AND NOT pgtrickle._has_replica_identity(x.relid)
           OR NOT x.published AND x.is_state AND x.relreplident <> 'd'
        ORDER BY x.relid
    LOOP
        BEGIN
            PERFORM set_config('lock_timeout', greatest(wait_ms, 1)::text, true);
            EXECUTE format('ALTER TABLE %s REPLICA IDENTITY %s', pgtrickle._qualified(t.relid), t.identity);
            PERFORM set_config('lock_timeout', waited, true);
            changed := changed + 1;
        EXCEPTION
            WHEN lock_not_available OR deadlock_detected THEN
                wait_ms := 1;       -- leaving the block also restores lock_timeout
            WHEN undefined_table OR insufficient_privilege THEN
                NULL;               -- dropped meanwhile; or its refresh will say what is missing
        END;
    END LOOP;
    RETURN changed;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._settle_replica_identities FROM PUBLIC;

-- Default privileges --------------------------------------------------------------------------------------------------

-- Whom these privileges name besides the owner, as text for REVOKE.
CREATE FUNCTION pgtrickle._other_grantees(privileges aclitem[], owner oid) RETURNS TABLE (name text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
    FROM aclexplode(privileges) AS a WHERE a.grantee <> owner
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._other_grantees FROM PUBLIC;

-- Takes from everybody but the owner what ALTER DEFAULT PRIVILEGES has given him on this new table or view, which holds
-- rows of a table that he may not be able to read, or on this new function, which runs with the owner's rights.
CREATE FUNCTION pgtrickle._keep_private(relid oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    grantee text;
BEGIN
    FOR grantee IN SELECT o.name FROM pg_class c CROSS JOIN LATERAL pgtrickle._other_grantees(c.relacl, c.relowner) AS o
                   WHERE c.oid = relid LOOP
        EXECUTE format('REVOKE ALL ON TABLE %s FROM %s CASCADE', pgtrickle._qualified(relid), grantee);
    END LOOP;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._keep_private FROM PUBLIC;

CREATE FUNCTION pgtrickle._keep_function_private(function regprocedure) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    grantee text;
BEGIN
    FOR grantee IN SELECT o.name FROM pg_proc p
                   CROSS JOIN LATERAL pgtrickle._other_grantees(coalesce(p.proacl, acldefault('f', p.proowner)),
                                                                p.proowner) AS o
                   WHERE p.oid = function LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s CASCADE', function, grantee);
    END LOOP;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._keep_function_private FROM PUBLIC;
