-- What SQL and the daemon state both: numbers, keys of locks, names of channels.
-- This file is generated from daemon/model/agreements.cpp: pgtrickled --print-agreements > sql/05_agreements.sql

-- A daemon whose last heartbeat is older than this is taken for dead.
CREATE FUNCTION pgtrickle._heartbeat_expiry() RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT interval '15 s' $$;
GRANT EXECUTE ON FUNCTION pgtrickle._heartbeat_expiry TO PUBLIC;

-- Advisory locks, first number of the key: those of the daemon itself.
CREATE FUNCTION pgtrickle._daemon_locks() RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT 1885828210 $$;
GRANT EXECUTE ON FUNCTION pgtrickle._daemon_locks TO PUBLIC;

-- Second number: held by the leader while it listens. A trigger on the catalog that finds it taken notifies.
CREATE FUNCTION pgtrickle._listening_lock() RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT 1 $$;
GRANT EXECUTE ON FUNCTION pgtrickle._listening_lock TO PUBLIC;

-- First number of the key: sources that sleep. A writer that finds the lock of its source taken wakes the daemon.
CREATE FUNCTION pgtrickle._source_locks() RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT 1885828213 $$;
GRANT EXECUTE ON FUNCTION pgtrickle._source_locks TO PUBLIC;

-- Second number, of sources: the source's id modulo this, because the ids are larger numbers than keys can be.
CREATE FUNCTION pgtrickle._source_lock_keys() RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT 2147483647 $$;
GRANT EXECUTE ON FUNCTION pgtrickle._source_lock_keys TO PUBLIC;

-- The channel of the notifications that wake the daemon.
CREATE FUNCTION pgtrickle._wake_channel() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT 'pgtrickle_wake'::text $$;
GRANT EXECUTE ON FUNCTION pgtrickle._wake_channel TO PUBLIC;

-- What the payload begins with if rows were written to a source that sleeps; its id follows.
CREATE FUNCTION pgtrickle._source_written() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT 's:'::text $$;
GRANT EXECUTE ON FUNCTION pgtrickle._source_written TO PUBLIC;

-- What it begins with if a stream table was made, changed or dropped; its id follows.
CREATE FUNCTION pgtrickle._table_changed() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT 't:'::text $$;
GRANT EXECUTE ON FUNCTION pgtrickle._table_changed TO PUBLIC;

-- The payload that says that anything may have happened.
CREATE FUNCTION pgtrickle._anything_changed() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT 'a'::text $$;
GRANT EXECUTE ON FUNCTION pgtrickle._anything_changed TO PUBLIC;

-- How often a stream table is refreshed that nobody said it about, unless the daemon's configuration says it.
CREATE FUNCTION pgtrickle._default_schedule() RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT interval '1 s' $$;
GRANT EXECUTE ON FUNCTION pgtrickle._default_schedule TO PUBLIC;

-- Recomputing a stream table without a schedule takes at most one of so many parts of the time.
CREATE FUNCTION pgtrickle._throttle_share() RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT 25 $$;
GRANT EXECUTE ON FUNCTION pgtrickle._throttle_share TO PUBLIC;

-- A cycle without a fixed point after so many rounds is in error, unless the daemon's configuration or the caller
-- says another number.
CREATE FUNCTION pgtrickle._fixpoint_rounds() RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT 100 $$;
GRANT EXECUTE ON FUNCTION pgtrickle._fixpoint_rounds TO PUBLIC;

-- So often the daemon compares the facts of programs where no event triggers watch them.
CREATE FUNCTION pgtrickle._facts_interval() RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT interval '5 s' $$;
GRANT EXECUTE ON FUNCTION pgtrickle._facts_interval TO PUBLIC;

-- It takes at most one of so many parts of the time.
CREATE FUNCTION pgtrickle._facts_share() RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT 100 $$;
GRANT EXECUTE ON FUNCTION pgtrickle._facts_share TO PUBLIC;

-- A stream table that promises nothing is never called stale before it is so old, however short its schedule is.
CREATE FUNCTION pgtrickle._stale_at_least() RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT interval '60 s' $$;
GRANT EXECUTE ON FUNCTION pgtrickle._stale_at_least TO PUBLIC;

-- A change log that is larger than this is worth a warning; the daemon's configuration may say another size.
CREATE FUNCTION pgtrickle._large_log_bytes() RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT 1073741824 $$;
GRANT EXECUTE ON FUNCTION pgtrickle._large_log_bytes TO PUBLIC;

-- Programs are told which sources have changed as bits of a number: source i has bit i modulo this.
CREATE FUNCTION pgtrickle._changed_bits() RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT 62 $$;
GRANT EXECUTE ON FUNCTION pgtrickle._changed_bits TO PUBLIC;

-- So much is kept in the catalog of a message or a reason, and so much is read of one.
CREATE FUNCTION pgtrickle._kept_characters() RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT 2000 $$;
GRANT EXECUTE ON FUNCTION pgtrickle._kept_characters TO PUBLIC;
