#!/usr/bin/env bash
# ways: plain extension
# Capture in C writes what capture in PL/pgSQL writes, whatever is written to a table and whatever becomes of it
set -euo pipefail
db=$1
psql() { "$PG_BIN/psql" -X -q -At -v ON_ERROR_STOP=1 -d "$db" "$@"; }
if [ ! -e "$("$PG_BIN/pg_config" --includedir-server)/postgres.h" ]; then
  echo "the headers of this server are not installed"     # a server that was unpacked for the tests has none
  exit 77
fi
[ -e "$WORK/lib/pg_trickle.so" ] || build_library
use_library "$db"

psql -o /dev/null <<'SQL'
-- The same table twice: one captured in C, the other in PL/pgSQL.
CREATE DOMAIN word AS varchar(20) CHECK (value <> 'forbidden');
CREATE TYPE pair AS (a int, b text);
CREATE TABLE one (gone int, id int, a text, unread text, n numeric, f float8, d word, c pair, x int[], j jsonb, b bytea);
ALTER TABLE one ALTER b SET STORAGE EXTERNAL;
CREATE TABLE two (LIKE one INCLUDING ALL);
ALTER TABLE one DROP COLUMN gone;
ALTER TABLE two DROP COLUMN gone;
CREATE FUNCTION kinds(OUT c text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT DISTINCT source_table || ' ' || capture_trigger FROM pgtrickle.trigger_inventory() ORDER BY 1 $$;
-- Captures both, all columns but "unread"; returns the number of the first.
CREATE FUNCTION capture_both(one regclass, two regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    source bigint;
    columns int2[] := ARRAY(SELECT attnum FROM pg_attribute WHERE attrelid = one AND attnum > 0 AND NOT attisdropped AND attname <> 'unread' ORDER BY 1);
BEGIN
    UPDATE pgtrickle.pgt_control SET capture_trigger = 'c';
    source := pgtrickle._install_capture(one, columns);
    UPDATE pgtrickle.pgt_control SET capture_trigger = 'plpgsql';
    ASSERT pgtrickle._install_capture(two, columns) = source + 1;
    UPDATE pgtrickle.pgt_control SET capture_trigger = 'c';
    RETURN source;
END $$;
-- Both logs are the same sum of rows in every transaction, and as many markers.
CREATE FUNCTION same_logs(step text, source bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    names text := (SELECT string_agg('l.' || quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
                   WHERE attrelid = format('pgtrickle_changes.log_%s_a', source)::regclass AND attname ~ '^c[0-9]' AND NOT attisdropped);
    differs text;
    n bigint;
BEGIN
    EXECUTE format($q$
        SELECT string_agg(left(concat(d.xid, ' ', d.r, ' x ', d.n), 200), '; ') FROM (
            SELECT xid, r, sum(w) AS n FROM (SELECT l.xid, ROW(l.w = 0, %3$s)::text AS r, CASE l.w WHEN 0 THEN 1 ELSE l.w END AS w FROM pgtrickle_changes.log_%1$s l
                                      UNION ALL SELECT l.xid, ROW(l.w = 0, %3$s)::text, CASE l.w WHEN 0 THEN -1 ELSE -l.w END FROM pgtrickle_changes.log_%2$s l) u
            GROUP BY xid, r HAVING sum(w) <> 0) d$q$, source, source + 1, names) INTO differs;
    IF differs IS NOT NULL THEN
        RAISE EXCEPTION '%: the logs differ: %', step, left(differs, 1000);
    END IF;
    EXECUTE format('SELECT count(*) FROM pgtrickle_changes.log_%s', source) INTO n;
    RETURN n;
END $$;
-- A statement on each of the two
CREATE FUNCTION on_both(statement text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first text := 'ok'; second text := 'ok';
BEGIN
    BEGIN EXECUTE replace(statement, '$t', 'one'); EXCEPTION WHEN OTHERS THEN first := SQLSTATE; END;
    BEGIN EXECUTE replace(statement, '$t', 'two'); EXCEPTION WHEN OTHERS THEN second := SQLSTATE; END;
    IF first <> second THEN
        RAISE EXCEPTION '%: % and %', statement, first, second;
    END IF;
END $$;
SELECT test.eq('source', capture_both('one', 'two'), 1::bigint);
SELECT test.eq('kinds', (SELECT string_agg(c, ', ') FROM kinds()), 'public.one c, public.two plpgsql');

-- It is C that does it: all rows of a statement have one number.
BEGIN;
INSERT INTO one (id) VALUES (-1), (-1), (-1);
INSERT INTO two (id) VALUES (-1), (-1), (-1);
COMMIT;
SELECT test.eq('one number in C', (SELECT count(DISTINCT seq) FROM pgtrickle_changes.log_1), 1::bigint);
SELECT test.eq('a number per row in PL/pgSQL', (SELECT count(DISTINCT seq) FROM pgtrickle_changes.log_2), 3::bigint);
CREATE FUNCTION big(n int) RETURNS text LANGUAGE sql AS $$ SELECT string_agg(md5(i::text || n), '') FROM generate_series(1, 200) i $$;
SELECT setseed(0.42);
DO $$
DECLARE
    statements text[] := ARRAY[
        'INSERT INTO $t SELECT i, ''a'' || i, ''u'', i / 3.0, i, ''w'' || i, ROW(i, ''p''), ARRAY[i, NULL], jsonb_build_object(''k'', i), ''\x01''::bytea FROM generate_series($r, $r + 5) i',
        'INSERT INTO $t (id, a, b, x) VALUES ($r, big($r), convert_to(big($r + 1), ''UTF8''), (SELECT array_agg(i) FROM generate_series(1, 3000) i))',
        'INSERT INTO $t (id, a) VALUES ($r, repeat(''z'', 9000))',
        'INSERT INTO $t (id, a) SELECT $r % 3, ''same'' FROM generate_series(1, 4)',
        'INSERT INTO $t (id) SELECT i FROM generate_series(1, 2500) i',
        'UPDATE $t SET unread = ''other''', 'UPDATE $t SET a = a, b = b', 'UPDATE $t SET id = id + 1 WHERE id < $r',
        'UPDATE $t SET a = big($r) WHERE id % 7 = 0', 'UPDATE $t SET a = a || '''', b = b || ''\x''', 'UPDATE $t SET n = n * 1.0', 'UPDATE $t SET f = -f, c = ROW(id, NULL)',
        'UPDATE $t SET id = 41 - id WHERE id BETWEEN 20 AND 21', 'UPDATE $t SET j = j || ''{"z": [1, 2]}'', x = x || 1', 'UPDATE $t SET d = NULL, n = NULL WHERE id > $r', 'UPDATE $t SET id = 1 WHERE false',
        'UPDATE $t SET d = ''forbidden''', 'DELETE FROM $t WHERE id = $r', 'DELETE FROM $t WHERE id > 60', 'DELETE FROM $t WHERE false', 'TRUNCATE $t',
        'MERGE INTO $t t USING generate_series($r, $r + 3) i ON t.id = i WHEN MATCHED AND i % 2 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET a = ''m'' WHEN NOT MATCHED THEN INSERT (id, a) VALUES (i, ''m'')',
        'WITH d AS (DELETE FROM $t WHERE id = $r RETURNING *), i AS (INSERT INTO $t (id, a) SELECT id + 100, a FROM d RETURNING 1) UPDATE $t SET a = ''cte'' WHERE id = $r + 1',
        'DO $d$ BEGIN INSERT INTO $t (id) VALUES ($r); UPDATE $t SET a = ''lost''; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN DELETE FROM $t WHERE id = 5; END $d$'];
BEGIN
    FOR i IN 1 .. 160 LOOP
        PERFORM on_both(replace(statements[CASE WHEN i <= cardinality(statements) THEN i ELSE 1 + floor(random() * cardinality(statements)) END], '$r', (floor(random() * 40))::int::text));
        IF random() < 0.4 THEN
            COMMIT;
        ELSIF random() < 0.05 THEN
            ROLLBACK;
        END IF;
    END LOOP;
END $$;
SELECT test.ok('random statements', same_logs('random statements', 1) > 1000);
SELECT test.eq('tables', (SELECT count(*) FROM (TABLE one EXCEPT ALL TABLE two) x), 0::bigint);

-- COPY, a cascade, ON CONFLICT, keys
CREATE TABLE parent (id int PRIMARY KEY);
INSERT INTO parent SELECT generate_series(1, 50);
CREATE TABLE k1 (id int PRIMARY KEY, p int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED, unread int);
CREATE TABLE k2 (LIKE k1 INCLUDING ALL, FOREIGN KEY (p) REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED);
SELECT capture_both('k1', 'k2') AS k \gset
BEGIN;
COPY k1 (id, p) FROM stdin;
1	1
2	2
3	3
\.
COPY k2 (id, p) FROM stdin;
1	1
2	2
3	3
\.
UPDATE parent SET id = id + 100 WHERE id <= 2;
DELETE FROM parent WHERE id = 101;
INSERT INTO k1 VALUES (2, 5), (9, 9) ON CONFLICT (id) DO UPDATE SET p = excluded.p; INSERT INTO k2 VALUES (2, 5), (9, 9) ON CONFLICT (id) DO UPDATE SET p = excluded.p;
SAVEPOINT s; DELETE FROM k1; DELETE FROM k2; ROLLBACK TO s;
COMMIT;
SELECT test.ok('cascades', same_logs('cascades', :k) > 5);

-- Many columns: one that is read of 300, as many as can be
SELECT format('CREATE TABLE wide1 (id int, %s); CREATE TABLE wide2 (LIKE wide1)', string_agg(format('c%s int', i), ', ')) FROM generate_series(1, 299) i \gexec
UPDATE pgtrickle.pgt_control SET capture_trigger = 'c';
SELECT pgtrickle._install_capture('wide1'::regclass, '{300}') AS w \gset
UPDATE pgtrickle.pgt_control SET capture_trigger = 'plpgsql';
SELECT pgtrickle._install_capture('wide2'::regclass, '{300}');
BEGIN;
INSERT INTO wide1 (id, c299) VALUES (1, 1), (2, NULL); INSERT INTO wide2 (id, c299) VALUES (1, 1), (2, NULL);
UPDATE wide1 SET c1 = 5, c2 = id; UPDATE wide2 SET c1 = 5, c2 = id; UPDATE wide1 SET c299 = 3; UPDATE wide2 SET c299 = 3;
COMMIT;
SELECT test.eq('one of 300 columns', same_logs('one of 300 columns', :w), 6::bigint);
SELECT format('CREATE TABLE widest1 (%s); CREATE TABLE widest2 (LIKE widest1)', string_agg(format('c%s bool', i), ', ')) FROM generate_series(1, 1590) i \gexec
SELECT capture_both('widest1', 'widest2') AS w \gset
BEGIN; INSERT INTO widest1 (c1, c1590) VALUES (true, false); INSERT INTO widest2 (c1, c1590) VALUES (true, false);
UPDATE widest1 SET c1590 = NULL; UPDATE widest2 SET c1590 = NULL; COMMIT;
SELECT test.eq('1590 columns', (SELECT string_agg(l.w || ' ' || coalesce(l.c1590::text, '-'), ', ' ORDER BY l.seq, l.w) FROM pgtrickle_changes.log_7 l),
               '1 false, -1 false, 1 -');

-- Partitions: other orders of columns, written to directly and through the table
CREATE TABLE parts (id int, a text, d word) PARTITION BY RANGE (id);
CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_high (d word, unread_gone int, a text, id int NOT NULL);
ALTER TABLE parts_high DROP COLUMN unread_gone;
ALTER TABLE parts ATTACH PARTITION parts_high FOR VALUES FROM (100) TO (1000);
UPDATE pgtrickle.pgt_control SET capture_trigger = 'c';
SELECT pgtrickle._install_capture('parts'::regclass, '{1,2,3}') AS p \gset
SELECT test.watch(:p);
INSERT INTO parts VALUES (1, 'low', 'w'), (101, 'high', 'v'); SELECT test.check_log('through the table', :p, 2);
INSERT INTO parts_high (id, a, d) VALUES (102, 'direct', 'x'), (103, 'direct', NULL); SELECT test.check_log('a partition', :p, 2);
SELECT test.eq('in C', (SELECT count(DISTINCT seq) FROM pgtrickle_changes.log_9 l WHERE l.c2 = 'direct'), 1::bigint);
UPDATE parts SET id = id + 100 WHERE id = 1; SELECT test.check_log('moved', :p);
UPDATE parts_high SET a = 'updated'; SELECT test.check_log('a partition updated', :p);
DELETE FROM parts; SELECT test.check_log('deleted', :p);

-- A statement that is cancelled, and values that errors leave behind
SET statement_timeout = '30ms';
\set ON_ERROR_STOP off
INSERT INTO one (id, a) SELECT i, repeat('x', 100) FROM generate_series(1, 3000000) i;
\set ON_ERROR_STOP on
RESET statement_timeout;
SELECT test.eq('cancelled', :'LAST_ERROR_SQLSTATE'::text, '57014');
SELECT on_both('INSERT INTO $t (id) VALUES (77)'), on_both('DELETE FROM $t WHERE id = 77');
SELECT same_logs('after a cancel', 1);
SQL

# What is altered where nothing tells us, in the session that captured before: nobody fails, and what is not understood is
# left to PL/pgSQL, which writes a marker.
psql -o /dev/null <<'SQL'
BEGIN; INSERT INTO one (id) VALUES (1); INSERT INTO two (id) VALUES (1); COMMIT;
SELECT format('ALTER EVENT TRIGGER %I DISABLE', evtname) FROM pg_event_trigger WHERE evtname LIKE 'pgtrickle%' \gexec
SELECT test.eq('before', same_logs('before', 1) > 0, true);
ALTER TABLE one ALTER a TYPE varchar(30000); ALTER TABLE two ALTER a TYPE varchar(30000);
SELECT on_both('INSERT INTO $t (id, a) VALUES (900, ''varchar'')'); SELECT same_logs('another type, same bytes', 1);
ALTER TABLE one ALTER n TYPE int USING 1; ALTER TABLE two ALTER n TYPE int USING 1;
SELECT on_both('INSERT INTO $t (id, n) VALUES (901, 5)'), on_both('UPDATE $t SET n = 6'); SELECT same_logs('a type of other width', 1);
ALTER TYPE pair ADD ATTRIBUTE later int; SELECT on_both('UPDATE $t SET c = ROW(1, ''x'', 2)'); SELECT same_logs('a composite type grew', 1);
ALTER TABLE one RENAME f TO f2; ALTER TABLE two RENAME f TO f2;
SELECT on_both('INSERT INTO $t (id, f2) VALUES (902, 1)'); SELECT same_logs('renamed', 1);
SELECT test.ok('a marker', EXISTS (SELECT FROM pgtrickle_changes.log_1 WHERE w = 0 AND xid = (SELECT max(xid::text::bigint)::text::xid8 FROM pgtrickle_changes.log_1)));
ALTER TABLE one RENAME f2 TO f; ALTER TABLE two RENAME f2 TO f;
-- logs with what has to be kept up
CREATE INDEX ON pgtrickle_changes.log_1_a (xid); CREATE INDEX ON pgtrickle_changes.log_2_a (xid);
SELECT on_both('INSERT INTO $t (id) VALUES (903)'); SELECT same_logs('an index', 1);
SET enable_seqscan = off;
SELECT test.eq('in the index', (SELECT count(*) FROM pgtrickle_changes.log_1_a l WHERE l.xid = (SELECT max(m.xid::text::bigint)::text::xid8 FROM pgtrickle_changes.log_1 m)), 1::bigint);
RESET enable_seqscan;
ALTER TABLE pgtrickle_changes.log_1_a DROP COLUMN c5 CASCADE; ALTER TABLE pgtrickle_changes.log_2_a DROP COLUMN c5 CASCADE;
SELECT on_both('INSERT INTO $t (id) VALUES (904)'), on_both('DELETE FROM $t WHERE id = 904');
ALTER TABLE one DROP COLUMN j; ALTER TABLE two DROP COLUMN j;
SELECT on_both('INSERT INTO $t (id) VALUES (905)'), on_both('UPDATE $t SET id = 906 WHERE id = 905');
DROP TABLE pgtrickle_changes.log_1_a CASCADE; DROP TABLE pgtrickle_changes.log_2_a CASCADE;
SELECT on_both('INSERT INTO $t (id) VALUES (907)'), on_both('UPDATE $t SET id = 908 WHERE id = 907'), on_both('DELETE FROM $t WHERE id = 908');
SELECT format('ALTER EVENT TRIGGER %I ENABLE ALWAYS', evtname) FROM pg_event_trigger WHERE evtname LIKE 'pgtrickle%' \gexec
SQL

# Nobody else gets at a log with it, and what is chosen is kept.
psql -o /dev/null <<'SQL'
CREATE TABLE target (id int);
UPDATE pgtrickle.pgt_control SET capture_trigger = 'auto';
SELECT pgtrickle._install_capture('target'::regclass, '{1}') AS t \gset
SELECT format('GRANT CREATE ON DATABASE %I TO alice', current_database()) \gexec
CREATE SCHEMA hers AUTHORIZATION alice;
SET SESSION AUTHORIZATION alice;
CREATE TABLE hers.forged (id int);
SELECT test.fails(format('CREATE TRIGGER x AFTER INSERT ON hers.forged REFERENCING NEW TABLE AS newt FOR EACH STATEMENT EXECUTE FUNCTION pgtrickle_changes.capture_%s()', :t), '42501');
SELECT test.fails('CREATE FUNCTION hers.capture_1() RETURNS trigger LANGUAGE pgtrickle_capture AS ''x''', '42501');
SELECT test.fails('SELECT pgtrickle._capture_handler()', '42501');
SELECT test.fails('SELECT pgtrickle.set_capture_trigger(''plpgsql'')', '42501', 'choose how');
RESET SESSION AUTHORIZATION;
-- Not even where somebody has let her write such functions: the log must be the function owner's, in its schema.
GRANT USAGE ON LANGUAGE pgtrickle_capture TO alice;
SET SESSION AUTHORIZATION alice;
SELECT format($f$CREATE FUNCTION hers.capture_%1$s() RETURNS trigger LANGUAGE pgtrickle_capture AS E'-- pgtrickle_capture 1 a %2$s %3$s 0 1 1 c p\nBEGIN RETURN NULL; END'$f$,
              :t, 'hers.forged'::regclass::oid, hashtextextended('id' COLLATE "C", 0)) \gexec
SELECT format('CREATE TRIGGER x AFTER INSERT ON hers.forged REFERENCING NEW TABLE AS newt FOR EACH STATEMENT EXECUTE FUNCTION hers.capture_%s()', :t) \gexec
INSERT INTO hers.forged VALUES (666);
RESET SESSION AUTHORIZATION;
SELECT format('SELECT test.eq(''nothing forged'', (SELECT count(*) FROM pgtrickle_changes.log_%s), 0::bigint)', :t) \gexec
SELECT test.fails('SELECT pgtrickle.set_capture_trigger(''rust'')', '22023');
SELECT test.eq('all in PL/pgSQL', pgtrickle.set_capture_trigger('plpgsql'), 'plpgsql');
SELECT test.ok('all of them', NOT EXISTS (SELECT FROM pgtrickle.trigger_inventory() WHERE capture_trigger = 'c'));
SELECT test.ok('health', (SELECT severity = 'OK' AND detail ~ '^plpgsql: 0 sources in C, [1-9]' FROM pgtrickle.health_check() WHERE check_name = 'capture_trigger'));
INSERT INTO target VALUES (1);
SELECT test.eq('back', pgtrickle.set_capture_trigger('auto'), 'c');
SELECT test.ok('in C again', EXISTS (SELECT FROM pgtrickle.trigger_inventory() WHERE capture_trigger = 'c'));
INSERT INTO target VALUES (2), (3);
SELECT format('SELECT test.eq(''both'', (SELECT array_agg(c1 ORDER BY c1)::text FROM pgtrickle_changes.log_%s), ''{1,2,3}'')', :t) \gexec
SQL
