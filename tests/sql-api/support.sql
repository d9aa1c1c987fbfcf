-- What every case can use. Assertions raise, psql stops at the first error.
CREATE EXTENSION dblink SCHEMA public;
GRANT EXECUTE ON FUNCTION public.dblink_connect_u(text, text) TO PUBLIC;
CREATE SCHEMA test;
GRANT USAGE ON SCHEMA test TO PUBLIC;

CREATE FUNCTION test.eq(what text, got anyelement, expected anyelement) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF got IS DISTINCT FROM expected THEN
        RAISE EXCEPTION '%: got %, expected %', what, got, expected;
    END IF;
END
$$;

CREATE FUNCTION test.ok(what text, condition boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF condition IS NOT TRUE THEN
        RAISE EXCEPTION '%: not true', what;
    END IF;
END
$$;

-- Runs a statement that must fail with this SQLSTATE and a text (message, detail and hint together) that matches the pattern.
CREATE FUNCTION test.fails(statement text, code text, pattern text DEFAULT '') RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    c text; m text; d text; h text;
BEGIN
    BEGIN
        EXECUTE statement;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS c = RETURNED_SQLSTATE, m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
        IF c <> code OR concat_ws(' | ', m, d, h) !~* pattern THEN
            RAISE EXCEPTION '% failed with % %, expected % %', statement, c, concat_ws(' | ', m, d, h), code, pattern;
        END IF;
        RETURN;
    END;
    RAISE EXCEPTION '% did not fail, expected % %', statement, code, pattern;
END
$$;

CREATE FUNCTION test.socket_directory() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT current_setting('unix_socket_directories') $$;

-- Another session: test.connect('a'), test.run('a', sql), test.ask('a', sql).
CREATE FUNCTION test.connect(name text, as_role name DEFAULT current_user) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.dblink_connect_u(name, format('host=%s port=%s dbname=%s user=%s application_name=%s',
        test.socket_directory(), current_setting('port'), current_database(), as_role, 'test_' || name));
END
$$;
CREATE FUNCTION test.run(name text, statement text) RETURNS text LANGUAGE sql AS $$ SELECT public.dblink_exec(name, statement) $$;
CREATE FUNCTION test.ask(name text, statement text) RETURNS text LANGUAGE sql AS $$ SELECT v FROM public.dblink(name, statement) AS r(v text) $$;

-- Returns when a session that test.connect() made, or another application, sleeps between two looks at what it waits for;
-- an error after 30 s.
CREATE FUNCTION test.until_waiting(name text, application text DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..3000 LOOP
        IF EXISTS (SELECT FROM pg_stat_activity a WHERE a.application_name = coalesce(application, 'test_' || name)
                   AND a.datname = current_database() AND a.state = 'active' AND a.wait_event = 'PgSleep') THEN
            RETURN;
        END IF;
        PERFORM pg_sleep(0.01);
        PERFORM pg_stat_clear_snapshot();
    END LOOP;
    RAISE EXCEPTION 'session % does not wait', coalesce(application, name);
END
$$;

-- Returns when some session of this database waits for a lock; an error after 30 s.
CREATE FUNCTION test.until_blocked() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..3000 LOOP
        IF EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                   WHERE NOT l.granted AND a.datname = current_database()) THEN
            RETURN;
        END IF;
        PERFORM pg_sleep(0.01);
        PERFORM pg_stat_clear_snapshot();
    END LOOP;
    RAISE EXCEPTION 'no session waits for a lock';
END
$$;

-- A copy of a table, by name, brought up to date from its log like a consumer would: with a snapshot frontier. Shows that
-- the log holds exactly the differences.
CREATE TABLE test.frontier (source bigint PRIMARY KEY, snapshot pg_snapshot, xid xid8, seq bigint);

-- Payloads that session `name`, which listens to pgtrickle_wake, has got so far, in order. After NOTIFY pgtrickle_wake, 'end':
-- deliveries keep the order of commits, so nothing is missing when that has come.
CREATE FUNCTION test.notified(name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    payload text;
    got     text[] := '{}';
BEGIN
    FOR i IN 1..3000 LOOP
        FOR payload IN SELECT n.extra FROM public.dblink_get_notify(name) AS n LOOP
            IF payload = 'end' THEN
                RETURN array_to_string(got, ',');
            END IF;
            got := got || format('"%s"', payload);
        END LOOP;
        PERFORM pg_sleep(0.01);
    END LOOP;
    RAISE EXCEPTION 'session % got only % and no end', name, got;
END
$$;
