-- ways: plain extension
-- export_definition(), export_definitions(): what they say makes the same again, in another order of creation and under
-- other settings, and does nothing where it is already so
GRANT CREATE ON SCHEMA public TO alice;
CREATE SCHEMA "other s"; GRANT USAGE ON SCHEMA "other s" TO alice;
CREATE TABLE "other s".t (id int PRIMARY KEY, v text, at timestamptz);
INSERT INTO "other s".t VALUES (1, 'a', '2026-01-02 03:04:05+00'), (2, 'b', '2026-03-04 05:06:07+00');
CREATE TABLE u (id int PRIMARY KEY, w numeric(8,2)); INSERT INTO u VALUES (1, 1.5), (2, 2.5);
CREATE TABLE edges (a int, b int); INSERT INTO edges VALUES (1, 2), (2, 3);
GRANT SELECT ON "other s".t, u, edges TO alice;

-- names that need quotes and have lines; a query with dollar quotes of its own and a path and settings that matter
SET search_path = "other s", public; SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German, DMY';
SELECT pgtrickle.create_stream_table(E'public."first\n; DROP TABLE u; --"', $q$ -- its comment
SELECT id, v, '03.01.2026'::date AS day, at::text AS local, $pgt$it's$pgt$ AS quoted FROM t $q$, schedule => '5m', tier => 'warm',
    max_staleness => '10 minutes', fuse => 'on', fuse_ceiling => 1000, max_delta_fraction => 0.25);
RESET search_path; RESET TimeZone; RESET DateStyle;
SELECT pgtrickle.create_stream_table('sums', 'SELECT v, count(*) AS n FROM public."first
; DROP TABLE u; --" GROUP BY v', refresh_mode => 'DIFFERENTIAL', schedule => 'continuous 50 ms');
SELECT pgtrickle.create_stream_table('beside', 'SELECT id, w FROM u', refresh_mode => 'FULL', schedule => 'TZ=Europe/Berlin 0 6 * * 1-5');
SELECT pgtrickle.alter_stream_table('beside', status => 'PAUSED');
-- a cycle, and what reads it
SELECT pgtrickle.create_stream_table('ring_1', 'SELECT a, b FROM edges', allow_circular => true),
       pgtrickle.create_stream_table('ring_2', 'SELECT a, b FROM ring_1', allow_circular => true);
SELECT pgtrickle.alter_stream_table('ring_1', query => 'SELECT a, b FROM edges UNION SELECT e.a, x.b FROM edges e JOIN ring_2 x ON x.a = e.b');
SELECT pgtrickle.create_stream_table('on_ring', 'SELECT DISTINCT a FROM ring_2');
-- what its owner made on it
CREATE INDEX "an index" ON sums (n DESC) INCLUDE (v) WHERE n > 0;
CREATE UNIQUE INDEX lowered ON sums (lower(v));
ALTER TABLE beside ADD CONSTRAINT "w once" UNIQUE (w) DEFERRABLE INITIALLY DEFERRED, ADD CONSTRAINT positive CHECK (w > 0);
CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER told AFTER INSERT OR DELETE ON sums FOR EACH STATEMENT EXECUTE FUNCTION told();
CREATE TRIGGER untold AFTER UPDATE ON sums FOR EACH STATEMENT EXECUTE FUNCTION told();
CREATE TRIGGER "always told" AFTER UPDATE ON sums FOR EACH STATEMENT EXECUTE FUNCTION told();
CREATE TRIGGER "told there" AFTER UPDATE ON sums FOR EACH STATEMENT EXECUTE FUNCTION told();
ALTER TABLE sums DISABLE TRIGGER untold, ENABLE ALWAYS TRIGGER "always told", ENABLE REPLICA TRIGGER "told there";
COMMENT ON TABLE sums IS 'it''s a comment'; COMMENT ON COLUMN sums.n IS E'of two\nlines';
GRANT SELECT ON sums TO bob, PUBLIC; GRANT SELECT (id) ON beside TO bob WITH GRANT OPTION;
ALTER TABLE sums ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON sums AS RESTRICTIVE FOR SELECT TO bob USING (n < 5 AND v <> 'x');
ALTER TABLE sums OWNER TO alice;
SELECT pgtrickle.create_refresh_group('both', ARRAY['sums', 'beside']);
SELECT pgtrickle.create_watermark_group('in time', ARRAY['u', 'edges'], 2.5);

-- a query that tells who runs it
CREATE TABLE seen (who text); GRANT INSERT ON seen TO PUBLIC;
CREATE FUNCTION spy(i int) RETURNS int LANGUAGE plpgsql VOLATILE AS 'BEGIN INSERT INTO public.seen VALUES (current_user); RETURN i; END';
-- Planning runs functions that are called immutable.
CREATE FUNCTION folded(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN public.spy(i); END';
SET ROLE alice; SELECT pgtrickle.create_stream_table('spying', 'SELECT public.spy(id) AS id FROM public.u', initialize => false);
SELECT pgtrickle.create_stream_table('folding', 'SELECT id FROM public.u WHERE public.folded(1) = 1', initialize => false); RESET ROLE;
SELECT test.ok('its owner has planned it', (SELECT bool_and(who = 'alice') FROM seen));
DELETE FROM seen;

CREATE FUNCTION made() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' | ', s.name, s.owner, s.query, s.schedule, s.refresh_mode, s.tier, s.max_staleness, s.fuse, s.status = 'PAUSED',
                                s.allow_circular, x.fuse_ceiling, x.max_delta_fraction, x.settings,
                                (SELECT string_agg(concat_ws('.', o ->> 'class', o ->> 'schema', o ->> 'name'), ' ') FROM jsonb_array_elements(x.names_now) o)), E'\n' ORDER BY s.name)
    FROM pgtrickle.stream_tables s JOIN pgtrickle.pgt_stream_tables x USING (pgt_id) $$;
SELECT made() AS made, pgtrickle.export_definitions() AS script \gset
SELECT test.ok('nothing breaks out of a comment', :'script' ~ '\n-- stream table public."first ; DROP TABLE u; --"\n');
SELECT test.eq('one alone', pgtrickle.export_definition('sums') ~ 'create_or_replace_stream_table\(''public.sums''' AND pgtrickle.export_definition('sums') !~ 'ring|create_refresh_group', true);

-- it is already so
SELECT string_agg(generation::text, ' ' ORDER BY pgt_id) AS generations FROM pgtrickle.pgt_stream_tables \gset
BEGIN; :script COMMIT;
SELECT test.eq('nothing was rebuilt', (SELECT string_agg(generation::text, ' ' ORDER BY pgt_id) FROM pgtrickle.pgt_stream_tables), :'generations');
SELECT test.eq('and it says the same', pgtrickle.export_definitions(), :'script');

-- all are gone
SELECT pgtrickle.drop_refresh_group('both'), pgtrickle.drop_watermark_group('in time');
SELECT pgtrickle.drop_stream_table(E'public."first\n; DROP TABLE u; --"', cascade => true), pgtrickle.drop_stream_table('beside'), pgtrickle.drop_stream_table('spying'), pgtrickle.drop_stream_table('folding'), pgtrickle.drop_stream_table('ring_1', cascade => true);
SELECT test.ok('gone', NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables) AND to_regclass('sums') IS NULL AND pgtrickle.export_definitions() IS NULL);
SET search_path = pg_catalog; SET TimeZone = 'America/New_York';
BEGIN; :script COMMIT;
RESET search_path; RESET TimeZone;
SELECT test.eq('made again', made(), :'made');
SELECT test.eq('it says the same', pgtrickle.export_definitions(), :'script');
SELECT test.ok('the daemon will fill them, as their owners', (SELECT bool_and(NOT is_populated AND status IN ('PENDING', 'PAUSED')) FROM pgtrickle.pgt_stream_tables));
SELECT test.ok('who imports runs nothing of a tenant', NOT EXISTS (SELECT FROM seen));
SELECT test.ok('and what was on it', EXISTS (SELECT FROM pg_indexes WHERE indexname = 'an index') AND EXISTS (SELECT FROM pg_constraint WHERE conname = 'w once' AND condeferred)
    AND EXISTS (SELECT FROM pg_trigger WHERE tgname = 'told') AND has_column_privilege('bob', 'beside', 'id', 'SELECT WITH GRANT OPTION')
    AND NOT has_table_privilege('bob', 'beside', 'SELECT') AND (SELECT relrowsecurity FROM pg_class WHERE relname = 'sums'));
SELECT test.eq('a disabled trigger stays disabled', (SELECT string_agg(format('%s %s', tgname, tgenabled), ', ' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = 'sums'::regclass AND tgname ~ 'told'),
    'always told A, told O, told there R, untold D');
-- changed meanwhile, it is changed back
SELECT pgtrickle.alter_stream_table('beside', query => 'SELECT id, w + 1 AS w FROM u', schedule => '1h', tier => 'cold', fuse => 'auto');
BEGIN; :script COMMIT;
SELECT test.eq('changed back', (SELECT pgtrickle.export_definitions()), :'script');

-- not everybody's
SELECT test.fails('SET LOCAL ROLE bob; SELECT pgtrickle.export_definition(''public.sums'')', '42501', 'must be owner of stream table public.sums');
SELECT test.fails('SELECT pgtrickle.export_definition(''nothing'')', '42P01', 'nothing');
SET ROLE alice;
SELECT test.ok('his own', pgtrickle.export_definitions() ~ 'public.sums' AND pgtrickle.export_definitions() !~ '''public.beside');
RESET ROLE;
