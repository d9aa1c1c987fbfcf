-- ways: plain extension limited
-- adopt(), adopt_plan(), undo_adopt(): a materialized view becomes a stream table of the same name, and is one again; all that is on
-- it and all that reads it comes with it, or nothing is done
GRANT CREATE ON SCHEMA public TO alice, bob;
CREATE SCHEMA "s ü"; GRANT CREATE, USAGE ON SCHEMA "s ü" TO alice, bob;
CREATE TABLE src (id int PRIMARY KEY, grp text, n numeric(8,2)); INSERT INTO src SELECT i, 'g' || i % 3, i FROM generate_series(1, 30) i;
GRANT SELECT ON src TO alice, bob;

-- What a relation is, but for its kind and who has handed on a privilege.
CREATE FUNCTION looks(relation text) RETURNS text LANGUAGE sql SET search_path = '' AS $$
    WITH r AS (SELECT c.*, c.oid::regclass::text AS name FROM pg_class c WHERE c.oid = relation::regclass)
    SELECT concat_ws(E'\n', r.relowner::regrole, r.reloptions, obj_description(r.oid, 'pg_class'),
        (SELECT t.reloptions::text FROM pg_class t WHERE t.oid = r.reltoastrelid),
        (SELECT string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attcollation, a.attstattarget, a.attstorage, a.attcompression,
                                     (SELECT string_agg(o, ',') FROM unnest(a.attoptions) o WHERE o LIKE 'n_distinct%'), col_description(r.oid, a.attnum)), E'\n' ORDER BY a.attnum)
         FROM pg_attribute a WHERE a.attrelid = r.oid AND a.attnum > 0),
        (SELECT string_agg(concat_ws(' ', pg_get_indexdef(i.indexrelid), i.indisclustered, obj_description(i.indexrelid, 'pg_class'),
                                     (SELECT string_agg(a.attnum || ':' || a.attstattarget, ',' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0)),
                           E'\n' ORDER BY i.indexrelid::regclass::text) FROM pg_index i WHERE i.indrelid = r.oid),
        (SELECT string_agg(concat_ws(' ', pg_get_statisticsobjdef(e.oid), e.stxowner::regrole, obj_description(e.oid, 'pg_statistic_ext')), E'\n' ORDER BY e.stxname) FROM pg_statistic_ext e WHERE e.stxrelid = r.oid),
        (SELECT string_agg(DISTINCT concat_ws(' ', x.name, a.grantee::regrole, a.privilege_type, a.is_grantable), E'\n')
         FROM (SELECT '' AS name, coalesce(r.relacl, acldefault('r', r.relowner)) AS acl UNION ALL SELECT a.attname, a.attacl FROM pg_attribute a WHERE a.attrelid = r.oid) x
         CROSS JOIN LATERAL aclexplode(x.acl) AS a))
    FROM r $$;
-- A view is the same one, with all that is on it.
CREATE FUNCTION view_is(relation text) RETURNS text LANGUAGE sql SET search_path = '' AS $$
    SELECT concat_ws(E'\n', relation::regclass::oid, pg_get_viewdef(relation::regclass), public.looks(relation), (SELECT string_agg(pg_get_triggerdef(t.oid), ',') FROM pg_trigger t WHERE t.tgrelid = relation::regclass),
        (SELECT string_agg(pg_get_expr(d.adbin, d.adrelid), ',') FROM pg_attrdef d WHERE d.adrelid = relation::regclass),
        (SELECT string_agg(pg_get_ruledef(w.oid), ',' ORDER BY w.rulename) FROM pg_rewrite w WHERE w.ev_class = relation::regclass)) $$;

SET ROLE alice;
CREATE FUNCTION "s ü".up(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper(t)';
SET search_path = "s ü", public;
CREATE MATERIALIZED VIEW mv ("group", total, "rows", longish) WITH (fillfactor = 70, autovacuum_enabled = off, toast.autovacuum_enabled = off) AS
    SELECT grp, sum(n), count(*), string_agg(grp || E'\\', ',') FROM src GROUP BY grp;
CREATE UNIQUE INDEX "mv ""key" ON mv ("group") INCLUDE (total) WITH (fillfactor = 60);
CREATE INDEX mv_expr ON mv (up("group") text_pattern_ops DESC NULLS LAST, ("rows" + 1)) WHERE total > 0;
CREATE INDEX "an index with a name that is as long as a name can be in PG ü" ON mv USING hash ("group");
ALTER INDEX mv_expr ALTER COLUMN 2 SET STATISTICS 77;
ALTER MATERIALIZED VIEW mv CLUSTER ON "mv ""key";
ALTER MATERIALIZED VIEW mv ALTER COLUMN total SET STATISTICS 321, ALTER COLUMN longish SET STORAGE EXTERNAL, ALTER COLUMN longish SET COMPRESSION pglz, ALTER COLUMN "group" SET (n_distinct = 3);
CREATE STATISTICS "mv stat" (ndistinct, mcv) ON "group", "rows" FROM mv; COMMENT ON STATISTICS "mv stat" IS 'stat';
COMMENT ON MATERIALIZED VIEW mv IS 'it''s a matview'; COMMENT ON COLUMN mv.total IS E'of two\nlines'; COMMENT ON INDEX "mv ""key" IS 'the key';
GRANT SELECT ON mv TO bob WITH GRANT OPTION; GRANT SELECT ("group") ON mv TO PUBLIC; GRANT ALL ON mv TO limited; REVOKE TRIGGER ON mv FROM alice;
CREATE VIEW v WITH (security_barrier = true) AS SELECT "group", total FROM mv WHERE total > 10;
CREATE VIEW other_v AS SELECT m.*, 'it''s \ back' AS c FROM mv m JOIN v USING ("group");
CREATE VIEW v_on_v AS SELECT * FROM other_v;
COMMENT ON VIEW v IS 'a view'; COMMENT ON COLUMN v.total IS 'vt'; GRANT SELECT ON v TO bob; ALTER VIEW v ALTER COLUMN total SET DEFAULT 7;
CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER tg INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION tf();
CREATE RULE vi AS ON UPDATE TO v DO INSTEAD SELECT m.total FROM mv m WHERE m."group" = old."group";
CREATE TABLE other (id int); CREATE RULE r AS ON INSERT TO other DO ALSO SELECT count(*) FROM mv;
CREATE MATERIALIZED VIEW mv2 AS SELECT max(total) AS m, count(*) AS n FROM mv; CREATE UNIQUE INDEX mv2_i ON mv2 (m); COMMENT ON MATERIALIZED VIEW mv2 IS 'second'; GRANT SELECT ON mv2 TO bob;
CREATE MATERIALIZED VIEW mv3 AS SELECT m.m, v.total FROM mv2 m, v WITH NO DATA;
CREATE VIEW on3 AS SELECT * FROM mv3;
CREATE MATERIALIZED VIEW mv4 AS SELECT * FROM v_on_v;
RESET search_path; RESET ROLE;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;
CREATE SCHEMA cron; CREATE TABLE cron.job (jobid bigint, schedule text, command text, database text, jobname text);
INSERT INTO cron.job SELECT i, '0 3 * * *', c, CASE i WHEN 7 THEN 'elsewhere' ELSE current_database() END, 'j''' || i
FROM unnest(ARRAY['REFRESH MATERIALIZED VIEW CONCURRENTLY "s ü".mv', 'refresh materialized  view MV;', 'REFRESH MATERIALIZED VIEW mv2', 'SELECT ''mv''', 'REFRESH MATERIALIZED VIEW public.mv',
                  $$DO 'BEGIN REFRESH MATERIALIZED VIEW "s ü" . "mv"; END'$$, 'REFRESH MATERIALIZED VIEW mv', 'REFRESH MATERIALIZED VIEW "MV"']) WITH ORDINALITY AS u(c, i);

SELECT looks('"s ü".mv') AS mv, looks('"s ü".mv2') AS mv2, view_is('"s ü".v') AS v, view_is('"s ü".other_v') AS other_v, view_is('"s ü".v_on_v') AS v_on_v, view_is('"s ü".on3') AS on3,
       view_is('"s ü".mv4') AS mv4, pg_get_viewdef('"s ü".mv') AS definition, (SELECT jsonb_agg(m ORDER BY m."group") FROM "s ü".mv m) AS rows \gset

-- the plan changes nothing
CREATE TABLE plan AS SELECT * FROM pgtrickle.adopt_plan('"s ü".mv', '5m');
SELECT test.eq('nothing was changed', looks('"s ü".mv'), :'mv'), test.ok('not even its kind', (SELECT relkind = 'm' FROM pg_class WHERE oid = '"s ü".mv'::regclass)),
       test.eq('no refusals', (SELECT string_agg(object || ' ' || remark, ',') FROM plan WHERE action = 'refuse'), NULL),
       test.eq('cron', (SELECT string_agg(statement, ', ' ORDER BY step) FROM plan WHERE action = 'by hand'), 'SELECT cron.unschedule(1), SELECT cron.unschedule(2), SELECT cron.unschedule(6)'),
       test.ok('cron, in words', (SELECT bool_and(remark ~ 'job [126] ''j''''[126]'' at ''0 3') FROM plan WHERE action = 'by hand'));
SELECT test.eq('by the owner the same', (SELECT string_agg(statement, E'\n' ORDER BY step) FROM plan WHERE action <> 'by hand'),
               (SELECT string_agg(statement, E'\n' ORDER BY step) FROM pgtrickle.adopt_plan('"s ü".mv', '5m') WHERE action <> 'by hand'));

-- by the owner; rows are old ones until the daemon has built it
INSERT INTO src VALUES (31, 'new', 1);
SET client_min_messages = warning;
SET ROLE alice; SET search_path = "s ü";
SELECT test.eq('steps', pgtrickle.adopt('mv', '5m') + 3, (SELECT count(*)::int FROM public.plan)) FROM (SELECT set_config('search_path', '"s ü"', false)) AS x;
RESET search_path; RESET ROLE;
SELECT test.ok('a stream table', (SELECT name = '"s ü".mv' AND owner = 'alice' AND status = 'PENDING' AND schedule = '5m' AND refresh_mode = 'AUTO' AND NOT is_populated FROM pgtrickle.stream_tables)),
       test.ok('a table', (SELECT relkind = 'r' FROM pg_class WHERE oid = '"s ü".mv'::regclass)), test.eq('looks', looks('"s ü".mv'), :'mv'), test.eq('its query', (SELECT original_query || ';' FROM pgtrickle.pgt_stream_tables), (SELECT definition FROM pgtrickle.pgt_adopted) || ';');
SELECT test.eq('rows', (SELECT jsonb_agg(m ORDER BY m."group") FROM "s ü".mv m)::text, :'rows'), test.eq('through views', (SELECT count(*) FROM "s ü".v_on_v), 3::bigint), test.eq('those above', (SELECT n FROM "s ü".mv2), 3::bigint),
       test.ok('no data, none', NOT (SELECT relispopulated FROM pg_class WHERE oid = '"s ü".mv3'::regclass));
SELECT test.eq('views', view_is('"s ü".v'), :'v'), test.eq('others', view_is('"s ü".other_v'), :'other_v'), test.eq('views on views', view_is('"s ü".v_on_v'), :'v_on_v'), test.eq('views on what was made again', view_is('"s ü".on3'), :'on3'),
       test.eq('what reads only views', view_is('"s ü".mv4'), :'mv4'), test.eq('what was made again', looks('"s ü".mv2'), :'mv2');
SELECT test.fails('INSERT INTO "s ü".mv DEFAULT VALUES', '55000', 'directly'), test.fails('SET LOCAL ROLE alice; DELETE FROM "s ü".mv', '55000', 'directly');
SELECT test.fails('SELECT pgtrickle.adopt(''"s ü".mv'')', '42809', 'already'), test.fails('SET LOCAL ROLE bob; SELECT pgtrickle.undo_adopt(''"s ü".mv'')', '42501', 'alice'), test.fails('SET LOCAL ROLE bob; SELECT pgtrickle.undo_adopt_plan(''"s ü".mv'')', '42501', 'alice');
SELECT test.fails('SET LOCAL ROLE alice; INSERT INTO pgtrickle.pgt_adopted SELECT 1, ''immv'', ''SELECT 1'', true', '42501'), test.fails('SET LOCAL ROLE alice; SELECT pgtrickle._request(''adopted'', ''{"id": 1, "relid": 1}'')', '42501'),
       test.fails('SET LOCAL ROLE alice; SELECT pgtrickle._request(''adopted'', jsonb_build_object(''id'', 1, ''relid'', ''"s ü".mv2''::regclass::oid))', '42809');
SET ROLE bob; SELECT test.eq('his definitions are his', (SELECT count(*) FROM pgtrickle.pgt_adopted), 0::bigint); RESET ROLE;

-- and back, with what was put on it meanwhile
CREATE INDEX later ON "s ü".mv (total);
SELECT test.eq('plan', (SELECT string_agg(DISTINCT action, ' ' ORDER BY action) FROM pgtrickle.undo_adopt_plan('"s ü".mv')), 'create drop note owner remake run set aside view');
SELECT pgtrickle.undo_adopt('"s ü".mv');
DROP INDEX "s ü".later;
SELECT test.ok('a materialized view', (SELECT relkind = 'm' AND relispopulated FROM pg_class WHERE oid = '"s ü".mv'::regclass)), test.eq('looks', looks('"s ü".mv'), :'mv'), test.eq('definition', pg_get_viewdef('"s ü".mv'), :'definition');
SELECT test.ok('nothing is left', NOT EXISTS (SELECT FROM pgtrickle.pgt_adopted) AND NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables) AND NOT EXISTS (SELECT FROM pg_class WHERE relname LIKE '%set_aside%'));
SELECT test.eq('filled', (SELECT count(*) FROM "s ü".mv), 4::bigint), test.eq('views', view_is('"s ü".v'), :'v'), test.eq('views on views', view_is('"s ü".v_on_v'), :'v_on_v'), test.eq('what was made again', looks('"s ü".mv2'), :'mv2');

-- a reader holds it: not for long
SELECT test.connect('reader'); SELECT test.run('reader', 'BEGIN'), test.ask('reader', 'SELECT count(*)::text FROM "s ü".mv2');
SELECT test.fails('SET LOCAL lock_timeout = ''50ms''; SELECT pgtrickle.adopt(''"s ü".mv'')', '55P03', 'in use.*lock_timeout');
SELECT test.run('reader', 'ROLLBACK');
SELECT test.eq('unchanged', looks('"s ü".mv'), :'mv');

-- nor can what the steps name be exchanged below them
SELECT :'way' <> 'limited' AS superuser \gset
\if :superuser
SELECT format('ALTER EVENT TRIGGER %I DISABLE', evtname) FROM pg_event_trigger \gexec
SELECT test.connect('tenant'); SELECT test.run('tenant', 'SET lock_timeout = ''50ms''');
BEGIN; SELECT pgtrickle._lock_for_swap('"s ü".mv'::regclass);       -- what adopt() does first
SELECT test.fails('SELECT test.run(''tenant'', ''ALTER SCHEMA "s ü" RENAME TO elsewhere'')', '55P03'); ROLLBACK;
SELECT test.run('tenant', 'ALTER SCHEMA "s ü" RENAME TO elsewhere');
SELECT test.run('tenant', 'ALTER SCHEMA elsewhere RENAME TO "s ü"');
SELECT format('ALTER EVENT TRIGGER %I ENABLE', evtname) FROM pg_event_trigger \gexec
-- of an extension; in tablespaces
CREATE MATERIALIZED VIEW of_extension AS SELECT 1 AS a; ALTER EXTENSION dblink ADD MATERIALIZED VIEW of_extension;
SELECT test.fails('SELECT pgtrickle.adopt(''of_extension'')', '2BP01', 'of_extension belongs to extension "dblink"');
CREATE MATERIALIZED VIEW with_extension AS SELECT 1 AS a; CREATE INDEX with_extension_a ON with_extension (a); ALTER INDEX with_extension_a DEPENDS ON EXTENSION dblink; ALTER MATERIALIZED VIEW with_extension DEPENDS ON EXTENSION dblink;
SELECT test.eq('both', (SELECT string_agg(object || ' ' || remark, ', ' ORDER BY object) FROM pgtrickle.adopt_plan('with_extension') WHERE action = 'refuse'),
               'index public.with_extension_a is to be dropped with extension "dblink", materialized view public.with_extension is to be dropped with extension "dblink"');
SET allow_in_place_tablespaces = on; SELECT 'space of ' || :'way' AS space \gset
CREATE TABLESPACE :"space" LOCATION '';
CREATE MATERIALIZED VIEW in_space TABLESPACE :"space" AS SELECT id FROM src; CREATE INDEX in_space_id ON in_space (id) TABLESPACE :"space";
SELECT pgtrickle.adopt('in_space'); SELECT test.eq('table', (SELECT count(*) FROM pg_class c JOIN pg_tablespace s ON s.oid = c.reltablespace WHERE s.spcname = :'space' AND c.relname IN ('in_space', 'in_space_id') AND c.relkind <> 'm'), 2::bigint);
SELECT pgtrickle.undo_adopt('in_space'); SELECT test.eq('materialized view', (SELECT count(*) FROM pg_class c JOIN pg_tablespace s ON s.oid = c.reltablespace WHERE s.spcname = :'space' AND c.relname IN ('in_space', 'in_space_id') AND c.relkind <> 'r'), 2::bigint);
DROP MATERIALIZED VIEW in_space; DROP TABLESPACE :"space";
-- a table cron.job of just anybody is not read
ALTER TABLE cron.job OWNER TO alice; SELECT test.eq('cron', (SELECT count(*) FROM pgtrickle.adopt_plan('"s ü".mv') WHERE action = 'by hand'), 0::bigint);
\endif

-- Who adopts what is a tenant's runs nothing that the tenant wrote, planning included.
CREATE TABLE seen (who text, what text); GRANT INSERT ON seen TO PUBLIC;
SET ROLE alice;
CREATE FUNCTION note(who text, what text) RETURNS void LANGUAGE sql VOLATILE AS 'INSERT INTO public.seen VALUES ($1, $2)';
CREATE FUNCTION spy(i int, what text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM public.note(current_user, what); RETURN i; END';
CREATE MATERIALIZED VIEW m AS SELECT id, spy(1, 'query') AS one, n FROM src WHERE spy(2, 'condition') = 2;
CREATE INDEX ON m (spy(id, 'index')) WHERE spy(3, 'predicate') = 3;
CREATE STATISTICS st ON (spy(id, 'statistics')), n FROM m;
CREATE VIEW on_m AS SELECT spy(5, 'view') AS x, m.* FROM m;
CREATE MATERIALIZED VIEW mm AS SELECT spy(6, 'upper') AS x, id FROM m; CREATE INDEX ON mm (spy(id, 'upper index'));
CREATE DOMAIN checked AS int CHECK (spy(VALUE, 'domain') > 0);
CREATE MATERIALIZED VIEW d AS SELECT id, '{1,2}'::checked[] AS a FROM src;
CREATE MATERIALIZED VIEW di AS SELECT id FROM src; CREATE INDEX ON di (('{1}'::checked[] IS NULL));
RESET ROLE; DELETE FROM seen;
SELECT test.ok('planned', (SELECT count(*) > 5 FROM pgtrickle.adopt_plan('m')) AND NOT EXISTS (SELECT FROM seen));
SELECT pgtrickle.adopt('m');
SELECT test.eq('only as the tenant', (SELECT string_agg(DISTINCT who, ', ') FROM seen), 'alice'), test.eq('nothing of the query', (SELECT string_agg(DISTINCT what, ', ' ORDER BY what) FROM seen WHERE what IN ('query', 'condition', 'view')), NULL);
SELECT test.eq('rows', (SELECT count(*) FROM m), 31::bigint);
DELETE FROM seen; SELECT pgtrickle.undo_adopt('m');
SELECT test.eq('undone only as the tenant', (SELECT string_agg(DISTINCT who, ', ') FROM seen), 'alice');
DELETE FROM seen;
SELECT test.fails('SELECT pgtrickle.adopt(''d'')', '2BP01', 'checked\[\].* role "alice"'), test.fails('SELECT pgtrickle.adopt(''di'')', '2BP01', 'checked\[\].* role "alice"');
SET ROLE alice; SELECT pgtrickle.adopt('d'); RESET ROLE;
SELECT test.fails('SELECT pgtrickle.undo_adopt(''d'')', '2BP01', 'types of others.* role "alice"'), test.ok('alone', NOT EXISTS (SELECT FROM seen WHERE who <> 'alice'));
SET ROLE alice; SELECT pgtrickle.undo_adopt('d'); RESET ROLE;

-- What would be lost, or is nobody's to change, is named.
SELECT test.fails('SET LOCAL ROLE bob; SELECT pgtrickle.adopt(''m'')', '42501', 'alice'), test.fails('SET LOCAL ROLE bob; SELECT pgtrickle.adopt_plan(''m'')', '42501', 'alice'), test.fails('SELECT pgtrickle.adopt(''nothing'')', '42P01', 'nothing'),
       test.fails('SELECT pgtrickle.adopt(''src'')', '42809', 'not a materialized view'), test.fails('SELECT pgtrickle.adopt(''on_m'')', '42809', 'not a materialized view'), test.fails('SELECT pgtrickle.adopt(NULL)', '22004');
GRANT SELECT ON m TO bob;
SET ROLE bob; CREATE VIEW of_bob AS SELECT id FROM m; CREATE MATERIALIZED VIEW of_bob_too AS SELECT count(*) FROM m; RESET ROLE;
SELECT test.fails('SET LOCAL ROLE alice; SELECT pgtrickle.adopt(''m'')', '2BP01', 'of_bob_too belongs to role "bob".*of_bob belongs to role "bob"|of_bob belongs to role "bob".*of_bob_too belongs to role "bob"');
SELECT test.ok('views of others keep their owners', pgtrickle.adopt('m') > 0) ; SELECT pgtrickle.undo_adopt('m');
SELECT test.eq('owners', (SELECT string_agg(relowner::regrole::text, ' ') FROM pg_class WHERE relname IN ('of_bob', 'of_bob_too')), 'bob bob');
CREATE FUNCTION atomic() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM m; END;
CREATE TABLE typed (x m); CREATE FUNCTION of_row(m) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE secured (id int); CREATE POLICY p ON secured USING (id IN (SELECT id FROM m));
SELECT pgtrickle.create_stream_table('above', 'SELECT id FROM on_m', refresh_mode => 'FULL', initialize => false);
SELECT test.eq('all are named', (SELECT string_agg(object, ', ' ORDER BY object COLLATE "C") FROM pgtrickle.adopt_plan('m') WHERE action = 'refuse'),
               'column x of table public.typed, function public.atomic(), function public.of_row(public.m), policy p on table public.secured, stream table public.above');
SELECT test.fails('SELECT pgtrickle.adopt(''m'')', '2BP01', 'stream table public.above reads public.m'), test.ok('nothing was done', (SELECT relkind = 'm' FROM pg_class WHERE oid = 'm'::regclass));
SELECT test.fails('SELECT pgtrickle.undo_adopt(''above'')', '42704', 'not adopted');
CREATE MATERIALIZED VIEW lim AS SELECT * FROM src LIMIT 3; CREATE MATERIALIZED VIEW vol AS SELECT random() AS r FROM src;
SELECT test.fails('SELECT pgtrickle.adopt(''lim'')', '0A000', 'LIMIT'), test.fails('SELECT pgtrickle.adopt_plan(''lim'')', '0A000', 'LIMIT'), test.ok('unchanged', (SELECT relkind = 'm' FROM pg_class WHERE oid = 'lim'::regclass)),
       test.fails('SELECT pgtrickle.adopt(''vol'', refresh_mode => ''DIFFERENTIAL'')', '0A000', 'random'), test.fails('SELECT pgtrickle.adopt(''vol'', refresh_mode => ''x'')', '22023'), test.fails('SELECT pgtrickle.adopt(''vol'', ''x'')', '22023'),
       test.ok('recomputed', EXISTS (SELECT FROM pgtrickle.adopt_plan('vol') WHERE action = 'note' AND remark ~ 'recomputed.*random'));
-- What PostgreSQL's text of it does not say is not lost.
CREATE TABLE j1 (i int, a text); CREATE TABLE j2 (i int, b text);
CREATE MATERIALIZED VIEW lost AS SELECT row_to_json(x.*) AS r FROM j1 JOIN j2 USING (i) AS x; CREATE MATERIALIZED VIEW base AS SELECT i, a FROM j1;
SELECT test.fails('SELECT pgtrickle.adopt_plan(''lost'')', '0A000', 'names of the fields'), test.fails('SELECT pgtrickle.adopt(''lost'')', '0A000', 'names of the fields');
CREATE VIEW lost_v AS SELECT row_to_json(x.*) AS r FROM base JOIN j2 USING (i) AS x; SELECT test.fails('SELECT pgtrickle.adopt(''base'')', '0A000', 'text of public.lost_v means another query'); DROP VIEW lost_v;
CREATE MATERIALIZED VIEW lost_m AS SELECT row_to_json(x.*) AS r FROM base JOIN j2 USING (i) AS x; SELECT test.fails('SELECT pgtrickle.adopt(''base'')', '0A000', 'text of public.lost_m means another query'); DROP MATERIALIZED VIEW lost_m;
SELECT pgtrickle.adopt('base'), pgtrickle.undo_adopt('base');
-- without data; what a materialized view cannot have
CREATE MATERIALIZED VIEW u AS SELECT id, n FROM src WITH NO DATA; CREATE VIEW on_u AS SELECT id FROM u;
SELECT pgtrickle.adopt('u'); SELECT test.eq('no rows yet', (SELECT count(*) FROM on_u), 0::bigint);
ALTER TABLE u ADD CONSTRAINT c CHECK (id > 0), ADD PRIMARY KEY (id); CREATE POLICY pp ON u USING (true); ALTER TABLE u ENABLE ROW LEVEL SECURITY;
CREATE TRIGGER trg AFTER INSERT ON u FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger(); CREATE RULE ru AS ON DELETE TO u DO ALSO NOTHING; CREATE PUBLICATION pub FOR TABLE u; CREATE TABLE child (id int REFERENCES u);
SELECT test.fails('SELECT pgtrickle.undo_adopt(''u'')', '2BP01', 'child_id_fkey.*constraint "u_pkey".*constraint "c".*trigger "trg".*policy "pp".*row level security.*rule "ru".*published by "pub"');
DROP TABLE child; DROP PUBLICATION pub; DROP RULE ru ON u; DROP TRIGGER trg ON u; DROP POLICY pp ON u; ALTER TABLE u DISABLE ROW LEVEL SECURITY, DROP CONSTRAINT c, DROP CONSTRAINT u_pkey;
-- in one transaction, with what comes before and after; and it was renamed meanwhile
BEGIN; SELECT pgtrickle.undo_adopt('u'), pgtrickle.adopt('u'); ROLLBACK;
ALTER TABLE u RENAME TO "U u"; SELECT pgtrickle.undo_adopt('"U u"');
SELECT test.ok('under its name of now', (SELECT relkind = 'm' FROM pg_class WHERE oid = '"U u"'::regclass)), test.eq('and filled', (SELECT count(*) FROM on_u), 31::bigint);
SELECT pgtrickle.adopt('"U u"'); SELECT pgtrickle.drop_stream_table('"U u"', cascade => true); SELECT test.ok('forgotten', NOT EXISTS (SELECT FROM pgtrickle.pgt_adopted));
