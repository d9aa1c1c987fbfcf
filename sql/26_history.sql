-- The history of refreshes, as the daemon writes it: when they have been committed, many at once.

-- Adds refreshes that did something. Moments are microseconds since 1970. For the admin: what is told here is believed.
CREATE FUNCTION pgtrickle._record_refreshes(ids bigint[], actions text[], data_at bigint[], started_at bigint[],
                                            ended_at bigint[], delta_rows bigint[],
                                            rows_inserted bigint[], rows_updated bigint[], rows_deleted bigint[],
                                                initiated_by text DEFAULT 'SCHEDULER')
RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO pgtrickle.pgt_refresh_history (pgt_id, data_timestamp, start_time, end_time, action, status, delta_rows,
                                               rows_inserted, rows_updated,
                                               rows_deleted, duration_ms, initiated_by)
    SELECT r.id, to_timestamp(0) + r.data_at * interval '1 microsecond',
           to_timestamp(0) + r.started_at * interval '1 microsecond',
           to_timestamp(0) + r.ended_at * interval '1 microsecond', r.action, 'COMPLETED', r.delta_rows, r.inserted,
               r.updated, r.deleted,
           (r.ended_at - r.started_at) / 1000.0, initiated_by
    FROM unnest(ids, actions, data_at, started_at, ended_at, delta_rows, rows_inserted, rows_updated, rows_deleted)
         AS r(id, action, data_at, started_at, ended_at, delta_rows, inserted, updated, deleted)
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._record_refreshes FROM PUBLIC;
