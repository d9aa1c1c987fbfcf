-- Stream tables that are refreshed together: refresh groups, and what refreshing several of them needs.

-- For a member of a group that is refreshed as a whole or not at all: raises TR002, and so undoes the others, if this one
-- could not be refreshed. MESSAGE is the action, DETAIL the id; returns the action otherwise.
CREATE FUNCTION pgtrickle._together(action text, id bigint) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF action IN ('HELD', 'BLOWN', 'REINIT') THEN
        RAISE EXCEPTION USING ERRCODE = 'TR002', MESSAGE = action, DETAIL = id::text,
              HINT = 'A member of the group waits, so all of them do.';
    END IF;
    RETURN action;
END
$$;
