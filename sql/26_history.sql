-- The history of refreshes, and their statistics. A refresh itself writes to neither: the daemon does when refreshes
-- have been committed, many at once, and a refresh by hand adds its row to the history.

-- Adds refreshes that did something. Moments are microseconds since 1970. For the admin: what is told here is believed.
-- What others have added since is counted with them.
CREATE FUNCTION pgtrickle._record_refreshes(ids bigint[], actions text[], data_at bigint[], started_at bigint[],
                                            ended_at bigint[], delta_rows bigint[], rows_inserted bigint[],
                                            rows_updated bigint[], rows_deleted bigint[],
                                            initiated_by text DEFAULT 'SCHEDULER')
RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    WITH told AS (
        INSERT INTO pgtrickle.pgt_refresh_history (pgt_id, data_timestamp, start_time, end_time, action, status,
                                                   delta_rows, rows_inserted, rows_updated, rows_deleted,
                                                   duration_ms, initiated_by)
        SELECT r.id, to_timestamp(0) + r.data_at * interval '1 microsecond',
               to_timestamp(0) + r.started_at * interval '1 microsecond',
               to_timestamp(0) + r.ended_at * interval '1 microsecond', r.action, 'COMPLETED', r.delta_rows,
               r.inserted, r.updated, r.deleted, (r.ended_at - r.started_at) / 1000.0, initiated_by
        FROM unnest(ids, actions, data_at, started_at, ended_at, delta_rows, rows_inserted, rows_updated, rows_deleted)
             AS r(id, action, data_at, started_at, ended_at, delta_rows, inserted, updated, deleted)
        RETURNING *),
    found AS (
        UPDATE pgtrickle.pgt_refresh_history h SET counted = true WHERE NOT h.counted RETURNING h.*)
    INSERT INTO pgtrickle.pgt_refresh_stats AS s (
        pgt_id, last_refresh_at, last_duration_ms, rows, total_refreshes, total_differential, total_full,
        total_rows_inserted, total_rows_updated, total_rows_deleted)
    SELECT h.pgt_id, max(h.end_time), (array_agg(h.duration_ms ORDER BY h.end_time DESC))[1],
           sum(h.rows_inserted - h.rows_deleted), count(*), count(*) FILTER (WHERE h.action = 'DIFFERENTIAL'),
           count(*) FILTER (WHERE h.action = 'FULL'), sum(h.rows_inserted), sum(h.rows_updated), sum(h.rows_deleted)
    FROM (TABLE told UNION ALL TABLE found) AS h
    GROUP BY h.pgt_id
    ON CONFLICT (pgt_id) DO UPDATE SET
        last_refresh_at = greatest(s.last_refresh_at, excluded.last_refresh_at),
        last_duration_ms = excluded.last_duration_ms,
        rows = coalesce(s.rows, 0) + excluded.rows,
        total_refreshes = s.total_refreshes + excluded.total_refreshes,
        total_differential = s.total_differential + excluded.total_differential,
        total_full = s.total_full + excluded.total_full,
        total_rows_inserted = s.total_rows_inserted + excluded.total_rows_inserted,
        total_rows_updated = s.total_rows_updated + excluded.total_rows_updated,
        total_rows_deleted = s.total_rows_deleted + excluded.total_rows_deleted
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._record_refreshes FROM PUBLIC;

-- Adds a build, which has counted the rows that there are now.
CREATE FUNCTION pgtrickle._record_build(id bigint, started timestamptz, inserted bigint, updated bigint,
                                        deleted bigint, rows_now bigint) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO pgtrickle.pgt_refresh_history (pgt_id, data_timestamp, start_time, end_time, action, status, delta_rows,
                                               rows_inserted, rows_updated, rows_deleted, duration_ms, initiated_by,
                                               counted)
    SELECT id, (SELECT f.data_timestamp FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = id), started, c.now, 'FULL',
           'COMPLETED', 0, inserted, updated, deleted, extract(epoch FROM c.now - started) * 1000, 'INITIAL', false
    FROM (SELECT clock_timestamp() AS now) AS c;
    SELECT pgtrickle._record_refreshes('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}');
    UPDATE pgtrickle.pgt_refresh_stats s SET rows = rows_now WHERE s.pgt_id = id
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._record_build FROM PUBLIC;

-- Counts what others have added since, and forgets stream tables that are gone.
CREATE FUNCTION pgtrickle._settle_refresh_stats() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT pgtrickle._record_refreshes('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}');
    DELETE FROM pgtrickle.pgt_refresh_stats s
    WHERE NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables t WHERE t.pgt_id = s.pgt_id)
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._settle_refresh_stats FROM PUBLIC;

-- The statistics with what is not counted yet.
CREATE VIEW pgtrickle._refresh_stats AS
SELECT f.pgt_id,
       greatest(s.last_refresh_at, u.last_refresh_at, f.data_timestamp) AS last_refresh_at,
       coalesce(u.last_duration_ms, s.last_duration_ms) AS last_duration_ms,
       coalesce(s.rows + u.rows, s.rows, u.rows)::bigint AS rows,
       s.ms_per_delta_row,
       s.ms_per_full,
       coalesce(s.total_refreshes, 0) + u.refreshes AS total_refreshes,
       coalesce(s.total_differential, 0) + u.differential AS total_differential,
       coalesce(s.total_full, 0) + u.recomputed AS total_full,
       (coalesce(s.total_rows_inserted, 0) + u.inserted)::bigint AS total_rows_inserted,
       (coalesce(s.total_rows_updated, 0) + u.updated)::bigint AS total_rows_updated,
       (coalesce(s.total_rows_deleted, 0) + u.deleted)::bigint AS total_rows_deleted
FROM pgtrickle.pgt_frontiers f
LEFT JOIN pgtrickle.pgt_refresh_stats s USING (pgt_id)
CROSS JOIN LATERAL (
    SELECT max(h.end_time) AS last_refresh_at,
           (pg_catalog.array_agg(h.duration_ms ORDER BY h.end_time DESC))[1] AS last_duration_ms,
           sum(h.rows_inserted - h.rows_deleted) AS rows,
           count(*) AS refreshes,
           count(*) FILTER (WHERE h.action = 'DIFFERENTIAL') AS differential,
           count(*) FILTER (WHERE h.action = 'FULL') AS recomputed,
           coalesce(sum(h.rows_inserted), 0) AS inserted,
           coalesce(sum(h.rows_updated), 0) AS updated,
           coalesce(sum(h.rows_deleted), 0) AS deleted
    FROM pgtrickle.pgt_refresh_history h WHERE h.pgt_id = f.pgt_id AND NOT h.counted) AS u;
COMMENT ON VIEW pgtrickle._refresh_stats IS
'Counters of refreshes, for everybody. What a daemon that was killed had not told yet is missing, as in the history.';
GRANT SELECT ON pgtrickle._refresh_stats TO PUBLIC;
