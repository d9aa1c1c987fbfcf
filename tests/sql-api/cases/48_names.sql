-- what the names of a query meant: recorded, found again, told
CREATE SCHEMA app;
CREATE TYPE app.phase AS ENUM ('open', 'it''s shut');
CREATE DOMAIN app.short AS text;
CREATE TABLE app."t 名" (id int PRIMARY KEY, "K""1" text, p app.phase);
CREATE FUNCTION app.f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';
CREATE FUNCTION app.plus(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1 || $2';
CREATE OPERATOR app.+ (LEFTARG = text, RIGHTARG = text, FUNCTION = app.plus);
CREATE COLLATION app.co (provider = icu, locale = 'und');
SET search_path = app, "$user", public;
SELECT pgtrickle.create_stream_table('public.st', $$SELECT id, f(id) AS f, "K""1" + 'x' AS s, "K""1"::short COLLATE co AS c, p = 'it''s shut' AS shut FROM "t 名"$$);
RESET search_path;
CREATE FUNCTION st() RETURNS pgtrickle.pgt_stream_tables LANGUAGE sql AS $$ SELECT s FROM pgtrickle.pgt_stream_tables s WHERE pgt_name = 'st' $$;
CREATE FUNCTION named(class text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws('.', o ->> 'schema', o ->> 'name'), ' ' ORDER BY n) FROM jsonb_array_elements((st()).names) WITH ORDINALITY AS e(o, n)
    WHERE o ->> 'class' = $1 AND coalesce(o ->> 'schema', '') NOT LIKE 'pg%' $$;
SELECT test.eq('path', named('schema'), 'pg_catalog app public'), test.eq('functions', named('function'), 'app.f'), test.eq('relations', named('relation'), 'app.t 名'),
       test.eq('operators', named('operator'), 'app.+'), test.eq('collations', named('collation'), 'app.co'), test.eq('labels', named('label'), 'it''s shut'),
       test.ok('types, of casts that leave no trace too', named('type') ~ 'app.short');
SELECT test.ok('nothing is renamed', (st()).names = (st()).names_now AND pgtrickle._names_now((st()).names) = (st()).names AND NOT pgtrickle._is_renamed((st()).names, (st()).names_now));
-- after a restore everything is found by name
SELECT test.eq('found', pgtrickle._names_found((SELECT jsonb_agg(o || '{"oid": 1}' ORDER BY n) FROM jsonb_array_elements((st()).names) WITH ORDINALITY AS e(o, n)), (st()).names_now, true), (st()).names);
ALTER TABLE app."t 名" RENAME "K""1" TO "L'1"; ALTER TABLE app."t 名" RENAME TO u; ALTER FUNCTION app.f RENAME TO g; ALTER SCHEMA app RENAME TO app2; ALTER TYPE app2.phase RENAME VALUE 'it''s shut' TO 'closed';
SELECT test.ok('renamed', pgtrickle._is_renamed((st()).names, pgtrickle._names_now((st()).names)));
SELECT test.eq('found under names as last seen', pgtrickle._names_now(pgtrickle._names_found(
    (SELECT jsonb_agg(o || '{"oid": 1}' ORDER BY n) FROM jsonb_array_elements((st()).names) WITH ORDINALITY AS e(o, n)), pgtrickle._names_now((st()).names), true)), pgtrickle._names_now((st()).names));
DROP TABLE app2.u;
SELECT test.ok('what is gone has no name', (SELECT bool_and(NOT o ? 'name') FROM jsonb_array_elements(pgtrickle._names_now((st()).names)) AS o WHERE o ->> 'class' = 'relation'));
CREATE TABLE app2.u (p app2.phase, "L'1" text, id int);
SELECT test.eq('what took its place is found, its columns by name',
    (SELECT o -> 'columns' #>> '{}' FROM jsonb_array_elements(pgtrickle._names_found((st()).names, (SELECT jsonb_agg(CASE WHEN o ->> 'class' = 'relation' THEN
         o || '{"schema": "app2", "name": "u", "columns": [[1, "id", 23, -1, 0], [2, "L''1", 25, -1, 100]]}' ELSE o END ORDER BY n)
         FROM jsonb_array_elements((st()).names_now) WITH ORDINALITY AS e(o, n)), false)) AS o WHERE o ->> 'class' = 'relation') ~ '\[3, "id".*\[2, "K\\"1"', true);
SELECT test.ok('objects are compared', pgtrickle._same_objects((st()).names, (st()).names_now) AND NOT pgtrickle._same_objects('[{"class": "function", "oid": 1}]', (st()).names_now)
    AND pgtrickle._same_objects('[{"class": "type", "oid": 1}]', (st()).names_now));
