-- Capture in C, where the library of ext-min/ is installed: it is the handler of a language in which capture functions
-- are written. Their source is the one in PL/pgSQL all the same, see ext-min/capture.c. Without the library nothing is
-- missing.

ALTER TABLE pgtrickle.pgt_control
    ADD COLUMN capture_trigger text NOT NULL DEFAULT 'auto'
        CONSTRAINT pgt_control_capture_trigger CHECK (capture_trigger IN ('auto', 'c', 'plpgsql'));

-- What a capture function's first line and the library have to agree about (CAPTURE_VERSION).
CREATE FUNCTION pgtrickle._capture_line_version() RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT 1 $$;
REVOKE EXECUTE ON FUNCTION pgtrickle._capture_line_version FROM PUBLIC;

-- Makes the language if the server has the library and we may. Nobody but us may write functions in it.
CREATE FUNCTION pgtrickle._declare_capture_language() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user)
        OR EXISTS (SELECT FROM pg_language l WHERE l.lanname = 'pgtrickle_capture') THEN
        RETURN;
    END IF;
    CREATE FUNCTION pgtrickle._capture_version() RETURNS int LANGUAGE c AS 'pg_trickle', 'pgtrickle_capture_version';
    REVOKE EXECUTE ON FUNCTION pgtrickle._capture_version FROM PUBLIC;
    CREATE FUNCTION pgtrickle._capture_handler() RETURNS language_handler
        LANGUAGE c AS 'pg_trickle', 'pgtrickle_capture_handler';
    REVOKE EXECUTE ON FUNCTION pgtrickle._capture_handler FROM PUBLIC;
    CREATE TRUSTED LANGUAGE pgtrickle_capture HANDLER pgtrickle._capture_handler;
    REVOKE USAGE ON LANGUAGE pgtrickle_capture FROM PUBLIC;
EXCEPTION WHEN OTHERS THEN
    NULL;       -- no such file, or one that is for another server
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._declare_capture_language FROM PUBLIC;
DO $$ BEGIN PERFORM pgtrickle._declare_capture_language(); END $$;

-- Can the library be used, now and by us?
CREATE FUNCTION pgtrickle._c_available() RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    version int;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_language l JOIN pg_proc p ON p.oid = l.lanplcallfoid
                   WHERE l.lanname = 'pgtrickle_capture' AND p.pronamespace = 'pgtrickle'::regnamespace
                     AND has_language_privilege(l.oid, 'USAGE')) THEN
        RETURN false;
    END IF;
    EXECUTE 'SELECT pgtrickle._capture_version()' INTO version;
    RETURN version = pgtrickle._capture_line_version();
EXCEPTION WHEN OTHERS THEN
    RETURN false;       -- the library was removed
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._c_available FROM PUBLIC;

CREATE FUNCTION pgtrickle.set_capture_trigger(kind text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s pgtrickle.pgt_sources;
BEGIN
    PERFORM pgtrickle._require_admin('choose how changes are captured');
    IF kind IS NULL OR kind NOT IN ('auto', 'c', 'plpgsql') THEN
        RAISE EXCEPTION 'there is no capture trigger "%"', kind
            USING ERRCODE = 'invalid_parameter_value', HINT = 'There are auto, c and plpgsql.';
    END IF;
    IF kind <> 'plpgsql' THEN
        PERFORM pgtrickle._declare_capture_language();
    END IF;
    IF kind = 'c' AND NOT pgtrickle._c_available() THEN
        RAISE EXCEPTION 'changes cannot be captured in C'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                DETAIL = 'The server has no library pg_trickle that fits, or the caller may not use it.',
                HINT = 'Install it (make -C ext-min install), then call this as a superuser.';
    END IF;
    INSERT INTO pgtrickle.pgt_control DEFAULT VALUES ON CONFLICT DO NOTHING;    -- a restore without data has lost it
    UPDATE pgtrickle.pgt_control c SET capture_trigger = kind;
    FOR s IN SELECT * FROM pgtrickle.pgt_sources x ORDER BY x.source_id LOOP
        PERFORM pgtrickle._lock_capture(s.source_id);
        SELECT * INTO s FROM pgtrickle.pgt_sources x WHERE x.source_id = s.source_id;
        CONTINUE WHEN NOT FOUND;
        PERFORM pgtrickle._write_capture_function(s.source_id, s.relid, s.columns, s.shape, s.partitions, s.active_log,
                                                  s.problem, s.muted);
    END LOOP;
    RETURN CASE WHEN kind <> 'plpgsql' AND pgtrickle._c_available() THEN 'c' ELSE 'plpgsql' END;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.set_capture_trigger TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.set_capture_trigger(text) IS
'Chooses what captures changes, for all sources at once: c, the library of the extension; plpgsql; or auto, the library
  where the server has it. Returns which of the two it is now. Both write the same changes; C costs writers less.
Choose plpgsql before the library is removed from the server: writers would fail without it. Some sources are captured
  in PL/pgSQL all the same: rows that may not fit into the log, and databases without event triggers;
  trigger_inventory() says which. Admin only.
Errors: 22023 no such kind, 55000 c, but the server has no library that fits, 42501 the caller is not the admin.';
