-- VALUES, SELECT without FROM, row constructors, whole rows, composite and array columns, domains, enums, ranges,
-- functions over the row beside them, in FROM and in the select list.
-- setup
CREATE TYPE pair AS (a int, b text);
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE t (id int PRIMARY KEY, p pair, tags text[], m mood, d positive, r int4range, doc jsonb, n int, x xml);
CREATE TABLE u (id int, v text);
INSERT INTO t SELECT i, ROW(i % 4, 'b' || i % 3)::pair, CASE WHEN i % 5 = 0 THEN NULL WHEN i % 5 = 1 THEN '{}' ELSE ARRAY['a' || i % 3, 'b', NULL] END,
  (ARRAY['sad', 'ok', 'happy']::mood[])[1 + i % 3], 1 + i % 6, int4range(i, i + i % 4),
  jsonb_build_object('k', i % 3, 'items', jsonb_build_array(i, jsonb_build_object('q', i % 2))), i % 4,
  ('<r><i n="' || i || '">' || i % 3 || '</i><i n="0">z</i></r>')::xml FROM generate_series(1, 30) i;
INSERT INTO u SELECT i, 'v' || i % 4 FROM generate_series(1, 20) i;

-- query listed DIFFERENTIAL
-- expect-mode DIFFERENTIAL
VALUES (1, 'a'), (2, NULL), (2, NULL)

-- query listed_join DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, l.name FROM t JOIN (VALUES (1, 'one'), (2, 'two'), (2, 'zwei')) l (n, name) ON l.n = t.n

-- query nothing_read DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT 1 AS one, 'x' AS x

-- query rows_compared DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, ROW(t.n, t.m)::text AS r FROM t WHERE (t.n, t.id) < (2, 20) AND ROW(t.n, t.d) IS NOT NULL

-- query whole_rows DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u, row_to_json(u) ->> 'v' AS v, (u).id + 1 AS next FROM u

-- query fields DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT (t.p).a AS a, (t.p).b AS b, t.tags[1] AS first, t.tags[1:2] AS two, array_length(t.tags, 1) AS n FROM t

-- query grouped_types DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.m, t.d, count(*) AS n, min(t.m) AS low, range_agg(t.r) AS rs, array_agg(t.id ORDER BY t.id) AS ids FROM t GROUP BY t.m, t.d

-- query by_composite DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.p, t.tags, count(*) AS n FROM t GROUP BY t.p, t.tags

-- query paths DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.doc -> 'items' -> 1 ->> 'q' AS q, t.doc @> '{"k": 1}' AS k1, jsonb_path_query_first(t.doc, '$.items[0]') AS item, t.doc['k'] AS k FROM t

-- query unnested DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, g.tag, g.nr FROM t, unnest(t.tags) WITH ORDINALITY g (tag, nr)

-- query unnested_left DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, g.tag FROM t LEFT JOIN LATERAL unnest(t.tags) g (tag) ON g.tag <> 'b'

-- query generated DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.n, s.i, count(*) AS times FROM t, generate_series(1, t.n) s (i) GROUP BY t.n, s.i

-- query in_select_list DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, unnest(t.tags) AS tag, generate_series(1, 2) AS nr FROM t WHERE t.n > 0

-- query set_below DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT q.tag, count(*) AS n FROM (SELECT t.n, unnest(t.tags) AS tag FROM t) q WHERE q.tag = 'b' GROUP BY q.tag

-- query elements DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, e.value AS item FROM t, jsonb_array_elements(t.doc -> 'items') e

-- query fields_of_objects DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, r.k FROM t, jsonb_to_record(t.doc) r (k int, z text)

-- query constant_function DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.v, s.s FROM u JOIN generate_series(1, 3) s ON s.s = u.id

-- query two_functions DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, a.tag, b.i FROM t, unnest(t.tags) a (tag), generate_series(1, t.n) b (i) WHERE b.i < 3 AND a.tag IS NOT NULL

-- query xml_table DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, x.n, x.c FROM t, XMLTABLE('/r/i' PASSING t.x COLUMNS n int PATH '@n', c text PATH '.') x

-- query collated DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.v COLLATE "C" AS v, min(u.v COLLATE "C") AS low, count(*) AS n FROM u WHERE u.v COLLATE "C" > 'v0' GROUP BY u.v COLLATE "C"

-- step
DELETE FROM t WHERE id % 4 = 0;
UPDATE t SET tags = tags || ARRAY['new'], n = n + 1 WHERE id % 3 = 0;
UPDATE u SET v = NULL WHERE id < 5;

-- step
UPDATE t SET p = ROW(9, NULL)::pair, m = NULL, d = NULL, r = 'empty', doc = '{"items": []}', x = NULL WHERE id > 20;
INSERT INTO u VALUES (2, 'v9'), (2, 'v9'), (NULL, NULL);

-- step
DELETE FROM t;

-- step
INSERT INTO t (id, tags, n, doc) VALUES (1, '{x,x}', 2, '{"k": 5, "items": [1, 1]}'), (2, NULL, NULL, NULL);
TRUNCATE u;
