-- Unusual tables: names, types, many columns, dropped and generated columns
CREATE DOMAIN positive AS int NOT NULL CHECK (VALUE > 0);
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (a int, b json);
CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE "We""ird %s ' table" (
    gone1 int, w int, xid text, seq text, "found" text, tg_op text, n text, newt int, "a b""c%I$1''%%" text, "名前😀" text,
    gone2 text, p positive, j json, x xml, pt point, m mood, pr pair, arr int[], jb jsonb, ba bytea, b bit(5), ch char(5), ci text COLLATE ci, i interval,
    gen int GENERATED ALWAYS AS (w * 2) STORED, t "char", nm name, ts timestamptz, r int4range);
ALTER TABLE "We""ird %s ' table" DROP COLUMN gone1, DROP COLUMN gone2;
DO $$ BEGIN EXECUTE format('ALTER TABLE "We""ird %%s '' table" ADD COLUMN %I int', repeat('ü', 31) || 'x'); END $$;
SELECT pgtrickle._install_capture('"We""ird %s '' table"'::regclass, test.cols('"We""ird %s '' table"', '*')) AS n \gset
SELECT test.watch(:n);
INSERT INTO "We""ird %s ' table" (w, xid, seq, "found", tg_op, "a b""c%I$1''%%", "名前😀", p, j, x, pt, m, pr, arr, jb, ba, b, ch, ci, i, t, nm, ts, r)
SELECT g, 'x', 's', 'f', 'INSERT', 'q', 'ü', g, '{"a": 1}', '<a/>', point(g, g), 'ok', ROW(1, '{}')::pair, ARRAY[1, NULL], '{"n": 1.0}', '\x00', B'10101', 'ab', 'Abc',
       interval '1 day', 'z', 'nm', now(), int4range(1, g + 2) FROM generate_series(1, 3) g;
SELECT test.check_log('insert', :n, 3);
UPDATE "We""ird %s ' table" SET "名前😀" = 'neu', m = 'sad' WHERE w = 1; SELECT test.check_log('update', :n);
UPDATE "We""ird %s ' table" SET ci = 'aBC', i = interval '24 hours', jb = '{"n": 1.00}'; SELECT test.check_log('equal, not the same', :n, 6);
UPDATE "We""ird %s ' table" SET w = 7 WHERE w = 2; SELECT test.check_log('generated column', :n);
DELETE FROM "We""ird %s ' table"; SELECT test.check_log('delete', :n);
TRUNCATE "We""ird %s ' table"; SELECT test.check_log('marker, in spite of a NOT NULL domain', :n, -1);
-- without the columns that have no equality, an update of those writes nothing
CREATE TABLE eq (id int, ci text COLLATE ci, i interval, jb jsonb, m mood, ch char(5), arr numeric[], j json, r numrange, pr pair);
INSERT INTO eq VALUES (1, 'a', '1 day', '{"n": 1.0}', 'ok', 'ab', '{1.0}', '1', '[1.0,2)');
SELECT pgtrickle._install_capture('eq'::regclass, test.cols('eq', 'id', 'ci', 'i', 'jb', 'm', 'ch', 'arr', 'r')) AS e \gset
SELECT test.watch(:e);
UPDATE eq SET j = '2'; SELECT test.check_log('not read', :e, 0);
UPDATE eq SET ci = 'A'; SELECT test.check_log('ci', :e, 2);
UPDATE eq SET i = '24 hours'; SELECT test.check_log('i', :e, 2);
UPDATE eq SET jb = '{"n": 1.00}'; SELECT test.check_log('jb', :e, 2);
UPDATE eq SET arr = '{1.00}'; SELECT test.check_log('arr', :e, 2);
UPDATE eq SET r = '[1.00,2)'; SELECT test.check_log('range', :e, 2);
UPDATE eq SET m = 'ok', ch = 'ab   '; SELECT test.check_log('the same', :e, 0);
-- 300 columns, and 900 of a type that needs a second key
DO $$ BEGIN EXECUTE (SELECT 'CREATE TABLE wide (' || string_agg('c' || i || ' int', ', ') || ')' FROM generate_series(1, 300) i);
            EXECUTE (SELECT 'CREATE TABLE wider (' || string_agg('c' || i || ' numeric', ', ') || ')' FROM generate_series(1, 900) i);
            EXECUTE (SELECT 'CREATE TABLE widest (' || string_agg('c' || i || ' bool', ', ') || ')' FROM generate_series(1, 1600) i); END $$;
SELECT pgtrickle._install_capture('wide'::regclass, test.cols('wide', '*')) AS w \gset
SELECT test.watch(:w);
INSERT INTO wide (c1, c70, c300) SELECT g, g, g FROM generate_series(1, 10) g; UPDATE wide SET c299 = 5 WHERE c1 < 4; UPDATE wide SET c5 = NULL; DELETE FROM wide WHERE c1 = 10;
SELECT test.check_log('wide', :w, 17);
SELECT pgtrickle._install_capture('wider'::regclass, test.cols('wider', '*')) AS w2 \gset
INSERT INTO wider (c1) VALUES (1); UPDATE wider SET c900 = 5;
SELECT test.eq('wider', (SELECT count(*) FROM (SELECT w FROM pgtrickle_changes.log_4) x), 3::bigint);
SELECT test.fails('SELECT pgtrickle._install_capture(''widest''::regclass, test.cols(''widest'', ''*''))', '54011', '1590');
SELECT pgtrickle._install_capture('widest'::regclass, '{1600,3}'::int2[]) AS w3 \gset
INSERT INTO widest (c3) VALUES (true); UPDATE widest SET c1600 = true;
SELECT test.eq('widest', (SELECT count(*) FROM pgtrickle_changes.log_5), 3::bigint);
-- toasted values
CREATE TABLE big (id int, v text, u int);
ALTER TABLE big ALTER v SET STORAGE EXTERNAL;
SELECT pgtrickle._install_capture('big'::regclass, '{1,2}') AS b \gset
SELECT test.watch(:b);
INSERT INTO big SELECT g, repeat('x', 100000) || g FROM generate_series(1, 3) g; SELECT test.check_log('big insert', :b, 3);
UPDATE big SET u = 1; SELECT test.check_log('big update of another column', :b, 0);
UPDATE big SET id = id + 1; SELECT test.check_log('big update', :b, 6);
DELETE FROM big; SELECT test.check_log('big delete', :b, 3);
-- triggers and cascades that write to other sources
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE audit (id int);
CREATE FUNCTION log_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit VALUES (coalesce(NEW.id, OLD.id)); RETURN NULL; END $$;
CREATE TRIGGER pgtrickle_user AFTER INSERT OR UPDATE OR DELETE ON child FOR EACH ROW EXECUTE FUNCTION log_it();
SELECT pgtrickle._install_capture('parent'::regclass, '{1}') AS p, pgtrickle._install_capture('child'::regclass, '{1,2}') AS c, pgtrickle._install_capture('audit'::regclass, '{1}') AS a \gset
SELECT test.watch(:p), test.watch(:c), test.watch(:a);
INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (10, 1), (11, 1), (12, 2);
UPDATE parent SET id = 5 WHERE id = 1; DELETE FROM parent WHERE id = 5;
SELECT test.check_log('parent', :p), test.check_log('child', :c), test.check_log('audit', :a);
SELECT test.eq('cascade', (SELECT count(*) FROM child), 1::bigint);
WITH a AS (INSERT INTO audit VALUES (99)), b AS (DELETE FROM child RETURNING *) INSERT INTO parent SELECT id + 100 FROM b;
SELECT test.check_log('parent', :p, 1), test.check_log('child', :c, 1), test.check_log('audit', :a, 2);
