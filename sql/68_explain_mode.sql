-- Which way a stream table is refreshed, and why.

-- A number of milliseconds, for people.
CREATE FUNCTION pgtrickle._ms(ms double precision) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT trim_scale(round(ms::numeric, CASE WHEN ms < 1 THEN 4 ELSE 1 END))::text $$;
GRANT EXECUTE ON FUNCTION pgtrickle._ms TO PUBLIC;

-- The rule by which one whose changes can be applied is recomputed all the same, as the end of a sentence.
CREATE FUNCTION pgtrickle._explain_choice(st pgtrickle.pgt_stream_tables, f pgtrickle.pgt_frontiers,
                                         costs pgtrickle._refresh_stats) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rows text := CASE f.last_delta_rows WHEN 1 THEN '1 changed row'
                      ELSE format('%s changed rows', f.last_delta_rows) END;
    why  text := CASE WHEN costs.ms_per_full IS NULL
                      OR costs.ms_per_delta_row IS NULL THEN
                          format('%s, from which on recomputing is cheaper', f.full_threshold)
                      ELSE format('%s, at which recomputing (%s ms) becomes cheaper than applying (%s ms per row)',
                                  f.full_threshold, pgtrickle._ms(costs.ms_per_full),
                                  pgtrickle._ms(costs.ms_per_delta_row)) END;
    part text := format('%s%% of the rows of its sources (max_delta_fraction)',
                        pgtrickle._ms(st.max_delta_fraction * 100));
BEGIN
    IF f.last_action = 'SKIPPED' THEN
        RETURN format('the last refresh skipped what was pending, as reset_fuse() had been told; it does not equal '
                      'its query since %s', st.skipped_at);
    ELSIF f.last_action = 'DIFFERENTIAL' THEN
        RETURN format('the last refresh applied %s, ', rows) || CASE
            WHEN st.max_delta_fraction IS NOT NULL THEN format('because it recomputes only above %s', part)
            WHEN f.full_threshold IS NULL THEN 'because it is not known yet how long recomputing takes'
            WHEN f.last_delta_rows <= f.full_threshold THEN format('because that is not more than %s', why)
            ELSE format('although that is more than %s: it takes %s times that to change over', why,
                        pgtrickle._full_instead()) END;
    ELSIF st.max_delta_fraction IS NOT NULL THEN
        RETURN format('the last refresh recomputed it: more changed than %s, a source was truncated, or it was '
                      'initialised', part);
    ELSIF f.last_delta_rows > f.full_threshold THEN
        RETURN format('the last refresh recomputed it, because there were %s, more than %s', rows, why);
    ELSIF f.last_delta_rows > f.full_threshold * pgtrickle._differential_again() THEN
        RETURN format('the last refresh recomputed it, because the one before did, and %s are more than %s times %s',
                      rows, pgtrickle._differential_again(), why);
    END IF;
    RETURN 'the last refresh recomputed it whatever the number of changed rows: a source was truncated, or it was '
           'initialised';
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._explain_choice TO PUBLIC;

CREATE FUNCTION pgtrickle._explain_refresh_mode(st pgtrickle.pgt_stream_tables)
RETURNS TABLE (configured_mode text, effective_mode text, downgrade_reason text, last_action text,
               last_delta_rows bigint, full_threshold bigint,
               ms_per_delta_row double precision, ms_per_full double precision, explanation text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    f     pgtrickle.pgt_frontiers;
    costs pgtrickle._refresh_stats;
    next bigint;
    why  text;
BEGIN
    SELECT * INTO f FROM pgtrickle.pgt_frontiers x WHERE x.pgt_id = st.pgt_id;
    SELECT * INTO costs FROM pgtrickle._refresh_stats x WHERE x.pgt_id = st.pgt_id;
    next := (f.full_threshold * CASE WHEN f.last_action = 'FULL' THEN pgtrickle._differential_again()
                                     ELSE pgtrickle._full_instead() END)::bigint;
    why := CASE
        WHEN st.effective_refresh_mode IS NULL THEN 'not compiled yet: the daemon decides when it builds it'
        WHEN st.refresh_mode = 'FULL' THEN 'every refresh recomputes it, because mode FULL was asked for'
        WHEN st.effective_refresh_mode = 'FULL' THEN
            format('every refresh recomputes it, because %s', coalesce(st.reason, 'its changes cannot be followed'))
        WHEN f.last_action IS NULL OR f.last_delta_rows IS NULL THEN
            'changes are applied; there is no refresh to speak of yet'
        ELSE pgtrickle._explain_choice(st, f, costs) END;
    IF st.effective_refresh_mode = 'DIFFERENTIAL' AND st.max_delta_fraction IS NULL AND next IS NOT NULL THEN
        why := why || format('. The next one recomputes it if more than %s rows have changed', next);
    END IF;
    IF st.needs_reinit THEN
        why := why || format('. It will be rebuilt before: %s', coalesce(st.reinit_reason, 'unknown reason'));
    END IF;
    RETURN QUERY SELECT st.refresh_mode, st.effective_refresh_mode, st.reason, f.last_action, f.last_delta_rows,
        f.full_threshold, costs.ms_per_delta_row, costs.ms_per_full, why;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._explain_refresh_mode TO PUBLIC;

CREATE FUNCTION pgtrickle.explain_refresh_mode(name text)
RETURNS TABLE (configured_mode text, effective_mode text, downgrade_reason text, last_action text,
               last_delta_rows bigint, full_threshold bigint,
               ms_per_delta_row double precision, ms_per_full double precision, explanation text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT e.*
        FROM pgtrickle._explain_refresh_mode(pgtrickle._find(name, pg_catalog.current_setting('search_path'))) AS e;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.explain_refresh_mode TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.explain_refresh_mode(text) IS
'The refresh mode asked for, the one in effect (NULL: not compiled yet) and why; and whether the last refresh applied
  changes or recomputed, and why:
full_threshold is the number of changed rows at which both cost the same, made of the measured times ms_per_delta_row
  and ms_per_full. It takes a quarter
more to change over to recomputing, and a fifth less to change back. Error: 42P01.';
