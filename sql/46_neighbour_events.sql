-- Subscriptions and publications that come and go. Event triggers follow them in their own transaction; where there are
-- none, every refresh looks at subscriptions, and the daemon at both when it keeps house or a refresh fails.

-- Stops the capture of sources that a subscription fills, and has stream tables recreated whose reason to be
-- recomputed, or to be in error, was a subscription that is no more. Returns how many sources and stream tables that
-- concerned.
CREATE FUNCTION pgtrickle._follow_subscriptions() RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s       record;
    ids     bigint[];
    changed int := 0;
    known   CONSTANT text := '%filled by logical subscription%';
BEGIN
    FOR s IN SELECT x.source_id, pgtrickle._source_problem(x.source_id) AS why FROM pgtrickle.pgt_sources x
             WHERE x.problem IS NULL AND EXISTS (SELECT FROM pg_subscription_rel r
                                                 WHERE r.srrelid = ANY (x.partitions)) LOOP
        IF s.why IS NOT NULL THEN
            PERFORM pgtrickle._neutralize_capture(s.source_id, s.why);
            changed := changed + 1;
        END IF;
    END LOOP;
    SELECT array_agg(t.pgt_id) INTO ids FROM pgtrickle.pgt_stream_tables t
    WHERE t.status = 'ACTIVE' AND NOT t.needs_reinit
      AND EXISTS (SELECT FROM pg_subscription_rel r WHERE r.srrelid = t.pgt_relid);
    PERFORM pgtrickle._mark_reinit(ids, 'a logical subscription writes to the stream table') WHERE ids IS NOT NULL;
    changed := changed + coalesce(cardinality(ids), 0);

    SELECT array_agg(t.pgt_id) INTO ids FROM pgtrickle.pgt_stream_tables t
    WHERE (t.status <> 'ERROR' AND NOT t.needs_reinit AND t.refresh_mode <> 'FULL' AND t.reason LIKE known
           OR t.status = 'ERROR' AND t.last_error LIKE known)
      AND pgtrickle._subscription_of(ARRAY[t.pgt_relid]) IS NULL
      AND NOT EXISTS (SELECT FROM pgtrickle.pgt_dependencies d
                      WHERE d.pgt_id = t.pgt_id
                        AND pgtrickle._subscription_of(pgtrickle._source_relations(d.source_relid)) IS NOT NULL);
    PERFORM pgtrickle._mark_reinit(ids, 'no logical subscription fills what it reads any more') WHERE ids IS NOT NULL;
    RETURN changed + coalesce(cardinality(ids), 0);
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._follow_subscriptions FROM PUBLIC;

CREATE FUNCTION pgtrickle._on_replication() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regclass('pgtrickle.pgt_dependencies') IS NULL THEN
        RETURN;
    END IF;
    IF tg_tag LIKE '%SUBSCRIPTION' THEN
        PERFORM pgtrickle._follow_subscriptions();
    ELSE
        -- Within a longer transaction the locks would keep readers out until it ends: then it is for the daemon.
        IF transaction_timestamp() = statement_timestamp() THEN
            PERFORM pgtrickle._settle_replica_identities();
        END IF;
        PERFORM pgtrickle._wake_from_trigger();
    END IF;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'pgtrickle could not follow the command: %', SQLERRM;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._on_replication FROM PUBLIC;

DO $create$
BEGIN
    EXECUTE 'CREATE EVENT TRIGGER pgtrickle_replication ON ddl_command_end WHEN TAG IN (''CREATE SUBSCRIPTION'', '
            '''ALTER SUBSCRIPTION'', '
            '''DROP SUBSCRIPTION'', ''CREATE PUBLICATION'', ''ALTER PUBLICATION'', ''DROP PUBLICATION'') '
            'EXECUTE FUNCTION pgtrickle._on_replication()';
    EXECUTE 'ALTER EVENT TRIGGER pgtrickle_replication ENABLE ALWAYS';
EXCEPTION WHEN insufficient_privilege THEN
    NULL;       -- 45_ddl_events.sql has said so
END
$create$;
