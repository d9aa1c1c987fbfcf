-- What the daemon is building. Its control sessions write a row when they begin with a step, in a transaction that they
-- have anyway, and take it away at the end.
CREATE UNLOGGED TABLE pgtrickle.pgt_progress (
    pgt_id     bigint PRIMARY KEY REFERENCES pgtrickle.pgt_stream_tables ON DELETE CASCADE,
    pid        int NOT NULL DEFAULT pg_catalog.pg_backend_pid(),
    started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    step       text NOT NULL,
    step_since timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);

-- For the daemon: stream table `id` is at `step` from when the caller commits on.
CREATE FUNCTION pgtrickle._at_step(id bigint, step text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO pgtrickle.pgt_progress AS p (pgt_id, step, started_at, step_since)
    SELECT s.pgt_id, $2, the_time, the_time     -- read once: the first step begins with the build
    FROM pgtrickle.pgt_stream_tables s CROSS JOIN clock_timestamp() AS the_time WHERE s.pgt_id = $1
    ON CONFLICT (pgt_id) DO UPDATE SET step = excluded.step, step_since = excluded.step_since, pid = excluded.pid,
        started_at = CASE WHEN p.pid = excluded.pid THEN p.started_at ELSE excluded.started_at END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._at_step FROM PUBLIC;

CREATE FUNCTION pgtrickle.progress()
RETURNS TABLE (stream_table text, step text, since timestamptz, started timestamptz, seconds numeric, attempts int,
               waits_because text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT pgtrickle._qualified(s.pgt_relid),
           coalesce(p.step, CASE WHEN s.retry_at > clock_timestamp() THEN 'waits for its next attempt'
                                 ELSE 'waits to be built' END),
           coalesce(p.step_since, s.last_error_at), p.started_at,
           round(extract(epoch FROM clock_timestamp() - p.started_at)::numeric, 1), s.consecutive_errors,
           CASE WHEN p.step IS NULL THEN concat_ws('; ', s.last_error_code, 'next attempt at ' || s.retry_at) END
    FROM pgtrickle.pgt_stream_tables s JOIN pg_class c ON c.oid = s.pgt_relid
    LEFT JOIN pgtrickle.pgt_progress p ON p.pgt_id = s.pgt_id
      AND EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = p.pid)
    WHERE p.step IS NOT NULL OR s.status IN ('PENDING', 'INITIALIZING') OR s.needs_reinit
      AND s.status IN ('ACTIVE', 'ERROR')
    ORDER BY p.started_at NULLS LAST, s.pgt_id
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.progress TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.progress() IS
'What is being built or waits for it: one row per stream table with the step (compiling, installing capture,
  filling it, '
'waits ..), since when, and why it waits.';
