-- Fuses: too many pending changes stop a stream table until somebody has decided what to do with them.
-- refresh_<id> notices (action BLOWN); the caller records that in a transaction of its own.

-- Records that the fuse has blown; false if that is recorded already. The generation stays: the program is what it was.
CREATE FUNCTION pgtrickle._blow_fuse(id bigint, pending bigint, "limit" bigint) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE pgtrickle.pgt_stream_tables s
       SET fuse_blown_at = clock_timestamp(),
           fuse_blow_reason = format('%s changes were pending, the limit is %s', pending, "limit")
     WHERE s.pgt_id = id AND s.fuse_blown_at IS NULL;
    RETURN FOUND;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._blow_fuse FROM PUBLIC;

CREATE FUNCTION pgtrickle.fuse_status()
RETURNS TABLE (stream_table text, fuse_mode text, fuse_state text, fuse_ceiling bigint, effective_ceiling bigint,
               fuse_sensitivity int, blown_at timestamptz, blow_reason text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT pgtrickle._qualified(s.pgt_relid), s.fuse,
           CASE WHEN s.fuse_blown_at IS NOT NULL THEN 'blown'
                WHEN s.fuse_limit IS NULL OR s.effective_refresh_mode = 'FULL' THEN 'disarmed' ELSE 'armed' END,
           s.fuse_ceiling, s.fuse_limit, s.fuse_sensitivity, s.fuse_blown_at, s.fuse_blow_reason
    FROM pgtrickle._stream_tables s ORDER BY 1
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.fuse_status TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.fuse_status() IS
'The fuse of every stream table. fuse_state: blown (nothing is applied until reset_fuse()), armed, or disarmed: off,
  ''auto'' that has not learned a limit yet, or the query is recomputed, so that no changes are counted.
effective_ceiling: more pending changes than this blow it.';

CREATE FUNCTION pgtrickle._reset_fuse(name text, action text, caller_path text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st        pgtrickle.pgt_stream_tables := pgtrickle._find_own(name, caller_path);
    qualified text := pgtrickle._qualified(st.pgt_relid);
    what      text := lower(btrim(action));
BEGIN
    IF what IS NULL OR what NOT IN ('apply', 'reinitialize', 'skip_changes') THEN
        RAISE EXCEPTION 'invalid action % for the fuse of stream table %', quote_nullable(action), qualified
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Use apply (the pending changes are wanted), reinitialize (recompute it) or skip_changes '
                         '(leave them out).';
    END IF;
    IF what = 'skip_changes' AND st.needs_reinit AND st.fuse_blown_at IS NOT NULL THEN
        PERFORM pgtrickle._fail('55000',
                                format('the changes pending for stream table %s cannot be skipped, because it must '
                                       'be rebuilt', qualified),
                                st.reinit_reason,
                                    'Building it applies everything. Correct the source first, or use apply or '
                                    'reinitialize.');
    END IF;
    IF NOT pgtrickle._request('reset_fuse', jsonb_build_object('id', st.pgt_id, 'action', what))::boolean THEN
        RAISE NOTICE 'the fuse of stream table % is not blown, nothing to reset', qualified;
        RETURN;
    END IF;
    IF what = 'skip_changes' THEN
        RAISE WARNING 'the changes pending for stream table % will be skipped', qualified
            USING DETAIL = 'From then on it does not equal its query.',
                HINT = format('SELECT pgtrickle.repair_stream_table(%L); recomputes it.', qualified);
    END IF;
    PERFORM pgtrickle._wake_for(st.pgt_id);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._reset_fuse TO PUBLIC;

CREATE FUNCTION pgtrickle.reset_fuse(name text, action text DEFAULT 'apply') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgtrickle._reset_fuse(name, action, pg_catalog.current_setting('search_path'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.reset_fuse TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.reset_fuse(text, text) IS
'Decides about the changes that blew a fuse: apply (they are wanted: the next refresh does not look at the fuse),
  reinitialize (recompute the table), or
skip_changes (they are passed over, and the table does not equal its query until it is re-initialised). Only a NOTICE
  if the fuse is not blown.
Until then the table is not rebuilt either, whatever happens to its sources.
Errors: 42P01 not a stream table, 42501 not its owner, 22023 another action, 55000 changes to skip, but it must be
  rebuilt.';
