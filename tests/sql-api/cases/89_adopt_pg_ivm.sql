-- ways: plain
-- adopt() of what the extension pg_ivm keeps: the extension itself where the server has it, otherwise a stand-in with its catalog
SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_ivm') AS real \gset
GRANT CREATE ON SCHEMA public TO alice;
-- a schema and functions of these names are nothing, if no extension owns them
CREATE SCHEMA pgivm; GRANT USAGE ON SCHEMA pgivm TO PUBLIC;
CREATE TABLE pgivm.pg_ivm_immv (immvrelid regclass PRIMARY KEY, viewdef text NOT NULL, ispopulated bool NOT NULL, lastivmupdate xid8); GRANT SELECT ON pgivm.pg_ivm_immv TO PUBLIC;
CREATE FUNCTION pgivm.get_immv_def(immvrelid regclass) RETURNS text LANGUAGE sql STRICT AS 'SELECT viewdef FROM pgivm.pg_ivm_immv i WHERE i.immvrelid = $1';
CREATE FUNCTION pgivm.create_immv(name text, query text) RETURNS bigint LANGUAGE plpgsql STRICT SET client_min_messages = warning AS $$ BEGIN
    EXECUTE format('CREATE TABLE %s AS SELECT *, s AS __ivm_count_s__, c AS __ivm_count__ FROM (%s) AS q', name, query);
    EXECUTE format('CREATE UNIQUE INDEX im_index ON %s (g)', name);
    INSERT INTO pgivm.pg_ivm_immv VALUES (name::regclass, query, true);
    RETURN 0; END $$;
CREATE TABLE forged (id int); INSERT INTO pgivm.pg_ivm_immv VALUES ('forged', 'SELECT 1 AS id', true);
SELECT test.fails('SELECT pgtrickle.adopt(''forged'')', '42809', 'not a materialized view');
DROP TABLE forged; DELETE FROM pgivm.pg_ivm_immv;
SET client_min_messages = warning;
\if :real
DROP SCHEMA pgivm CASCADE; CREATE EXTENSION pg_ivm;
\else
GRANT INSERT ON pgivm.pg_ivm_immv TO PUBLIC;
ALTER EXTENSION dblink ADD TABLE pgivm.pg_ivm_immv; ALTER EXTENSION dblink ADD FUNCTION pgivm.get_immv_def(regclass); ALTER EXTENSION dblink ADD FUNCTION pgivm.create_immv(text, text);
SET allow_system_table_mods = on; UPDATE pg_extension SET extname = 'pg_ivm' WHERE extname = 'dblink'; RESET allow_system_table_mods;
\endif

SET ROLE alice;
CREATE TABLE t (id int PRIMARY KEY, g text, n int); INSERT INTO t SELECT i, 'g' || i % 3, i FROM generate_series(1, 10) i;
SELECT pgivm.create_immv('im', 'SELECT g, sum(n) AS s, count(*) AS c FROM public.t GROUP BY g');
CREATE VIEW iv AS SELECT g, s FROM im; GRANT SELECT ON im TO bob; COMMENT ON TABLE im IS 'immv'; CREATE INDEX im_s ON im (s);
RESET ROLE;
SELECT 'iv'::regclass::oid AS iv \gset
SELECT test.fails('SELECT pgtrickle.adopt(''im'')', '2BP01', 'pg_ivm.* role "alice"');
SET ROLE alice;
SELECT pgtrickle.adopt('im');
SELECT test.ok('a stream table', (SELECT refresh_mode = 'IMMEDIATE' AND status = 'PENDING' AND owner = 'alice' FROM pgtrickle.stream_tables)), test.ok('no IMMV', NOT EXISTS (SELECT FROM pgivm.pg_ivm_immv i JOIN pg_class c ON c.oid = i.immvrelid)),
       test.eq('its columns', (SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'im'::regclass AND attnum > 0), 'g s c'),
       test.eq('its rows', (SELECT string_agg(concat_ws(' ', g, s, c), ', ' ORDER BY g) FROM im), 'g0 18 3, g1 22 4, g2 15 3'), test.eq('the view', (SELECT count(*) FROM iv), 3::bigint), test.eq('which stays', 'iv'::regclass::oid, :'iv'),
       test.eq('indexes', (SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE tablename = 'im'), 'im_index im_s'), test.ok('rights', has_table_privilege('bob', 'im', 'SELECT')), test.eq('comment', obj_description('im'::regclass), 'immv');
RESET ROLE;
SELECT test.fails('SELECT pgtrickle.undo_adopt(''im'')', '2BP01', 'pg_ivm.* role "alice"');
SET ROLE alice;
INSERT INTO t VALUES (12, 'g9', 1);
SELECT pgtrickle.undo_adopt('im');
SELECT test.ok('an IMMV', EXISTS (SELECT FROM pgivm.pg_ivm_immv WHERE immvrelid = 'im'::regclass)), test.eq('its rows', (SELECT string_agg(concat_ws(' ', g, s, c), ', ' ORDER BY g) FROM im), 'g0 18 3, g1 22 4, g2 15 3, g9 1 1'),
       test.eq('indexes', (SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE tablename = 'im'), 'im_index im_s'), test.eq('the view', (SELECT count(*) FROM iv), 4::bigint), test.eq('which stays', 'iv'::regclass::oid, :'iv'),
       test.ok('rights', has_table_privilege('bob', 'im', 'SELECT')), test.eq('comment', obj_description('im'::regclass), 'immv');
