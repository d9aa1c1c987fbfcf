-- Gates and watermarks: why stream tables wait although their sources changed.
--
-- Whether one may be refreshed is asked inside the refresh, at its snapshot (refresh_<id> calls _hold_reason): what a
-- transaction that closes a gate has committed is either seen together with the gate, or not at all.

-- Relations that a stream table reads, directly or through other stream tables. Those of a cycle read themselves.
CREATE FUNCTION pgtrickle._reads(id bigint) RETURNS oid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE reads(relid) AS (
        SELECT d.source_relid FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = id
        UNION
        SELECT d.source_relid FROM reads r JOIN pgtrickle.pgt_stream_tables s ON s.pgt_relid = r.relid
        JOIN pgtrickle.pgt_dependencies d ON d.pgt_id = s.pgt_id)
    SELECT coalesce(array_agg(r.relid), '{}') FROM reads r
$$;

-- Relations that share rows with this one: itself, its partitions or children, and what it is a partition or child of.
CREATE FUNCTION pgtrickle._relatives(relid oid) RETURNS oid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE up(oid) AS (SELECT relid UNION SELECT i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.oid)
    SELECT pgtrickle._source_relations(relid) || array_agg(u.oid) FROM up u
$$;

-- The watermark groups as they stand. Dropped sources do not count; a group of fewer than two is aligned. why: what keeps
-- it from being aligned, for people.
CREATE FUNCTION pgtrickle._watermark_state(OUT group_id int, OUT group_name text, OUT sources oid[], OUT min_watermark timestamptz, OUT max_watermark timestamptz,
                                           OUT lag_secs double precision, OUT tolerance_secs double precision, OUT sources_with_watermark int, OUT sources_total int,
                                           OUT last_advanced_at timestamptz, OUT why text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT g.group_id, g.group_name, a.sources, a.low, a.high, a.lag, g.tolerance_secs, a.known, a.total, a.last,
           CASE WHEN a.total < 2 THEN NULL
                WHEN a.known < a.total THEN format('%s of watermark group "%s" %s no watermark yet', a.unknown, g.group_name, CASE a.total - a.known WHEN 1 THEN 'has' ELSE 'have' END)
                WHEN a.lag > g.tolerance_secs THEN
                    format('the watermarks of group "%s" are %s s apart, its tolerance is %s s: %s is at %s, %s at %s',
                           g.group_name, a.lag, g.tolerance_secs, a.lowest, a.low, a.highest, a.high) END
    FROM pgtrickle.pgt_watermark_groups g CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(c.oid ORDER BY c.oid), '{}') AS sources, min(w.watermark) AS low, max(w.watermark) AS high,
               extract(epoch FROM max(w.watermark) - min(w.watermark))::double precision AS lag, count(w.watermark)::int AS known, count(*)::int AS total,
               max(w.updated_at) AS last, string_agg(pgtrickle._qualified(c.oid), ', ' ORDER BY c.oid) FILTER (WHERE w.watermark IS NULL) AS unknown,
               (array_agg(pgtrickle._qualified(c.oid) ORDER BY w.watermark, c.oid))[1] AS lowest,
               (array_agg(pgtrickle._qualified(c.oid) ORDER BY w.watermark DESC NULLS LAST, c.oid))[1] AS highest
        FROM unnest(g.sources) AS u(relid) JOIN pg_class c ON c.oid = u.relid LEFT JOIN pgtrickle.pgt_watermarks w ON w.source_relid = c.oid) AS a
$$;

-- Why a stream table has to wait, at the snapshot of the query that asks; NULL if it may be refreshed.
CREATE FUNCTION pgtrickle._hold_reason(id bigint) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    reads oid[];
    why   text;
BEGIN
    IF NOT EXISTS (SELECT FROM pgtrickle.pgt_source_gates g WHERE g.gated) AND NOT EXISTS (SELECT FROM pgtrickle.pgt_watermark_groups) THEN
        RETURN NULL;
    END IF;
    reads := pgtrickle._reads(id);
    SELECT string_agg(format('source %s is gated by %s since %s', pgtrickle._qualified(c.oid), g.gated_by, date_trunc('second', g.gated_at)), '; ' ORDER BY g.gated_at, c.oid)
      INTO why FROM pgtrickle.pgt_source_gates g JOIN pg_class c ON c.oid = g.source_relid
     WHERE g.gated AND (g.source_relid = ANY (reads) OR pgtrickle._relatives(g.source_relid) && reads);
    IF why IS NULL THEN
        SELECT string_agg(w.why, '; ' ORDER BY w.group_id) INTO why FROM pgtrickle._watermark_state() AS w
         WHERE w.why IS NOT NULL AND (w.sources && reads OR EXISTS (SELECT FROM unnest(w.sources) AS u(relid) WHERE pgtrickle._relatives(u.relid) && reads));
    END IF;
    RETURN why;
END
$$;
