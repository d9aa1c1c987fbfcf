-- Fuses: too many pending changes stop a stream table until somebody has decided what to do with them.
-- refresh_<id> notices (action BLOWN); whoever called it records that in a transaction of its own.

-- Records that the fuse has blown; false if that is recorded already. The generation stays: the program is what it was.
CREATE FUNCTION pgtrickle._blow_fuse(id bigint, pending bigint, "limit" bigint) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE pgtrickle.pgt_stream_tables s
       SET fuse_blown_at = clock_timestamp(), fuse_blow_reason = format('%s changes were pending, the limit is %s', pending, "limit")
     WHERE s.pgt_id = id AND s.fuse_blown_at IS NULL;
    RETURN FOUND;
END
$$;
