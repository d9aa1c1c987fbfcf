-- group Values and types
-- setup
CREATE TYPE pair AS (a int, b text);
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE COLLATION ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE t (id int PRIMARY KEY, p pair, tags text[], grid int[], m mood, d positive, r int4range, mr int4multirange, doc jsonb, raw json, n int, x xml, pt point, ts timestamptz, by bytea, u uuid);
CREATE TABLE w (id int PRIMARY KEY, v text, c text COLLATE ignore_case);
INSERT INTO t SELECT i, ROW(i % 4, 'b' || i % 3)::pair, CASE WHEN i % 5 = 0 THEN NULL ELSE ARRAY['a' || i % 3, 'b', NULL] END, ARRAY[[i, 1], [2, i]],
  (ARRAY['sad', 'ok', 'happy']::mood[])[1 + i % 3], 1 + i % 6, int4range(i, i + i % 4), int4multirange(int4range(i, i + 2)),
  jsonb_build_object('k', i % 3, 'items', jsonb_build_array(i, jsonb_build_object('q', i % 2))), json_build_object('z', i), i % 4, '<i/>'::xml, point(i, i % 2),
  timestamptz '2024-03-01 12:00+00' + i * interval '7 hours', decode(lpad(to_hex(i % 5), 2, '0'), 'hex'), lpad(i::text, 32, '0')::uuid FROM generate_series(1, 20) i;
INSERT INTO w SELECT i, 'v' || i % 4, (ARRAY['Aa', 'aA', 'b', NULL])[1 + i % 4] FROM generate_series(1, 12) i;

-- query values_list DIFFERENTIAL
-- feature VALUES
VALUES (1, 'a'), (2, NULL), (2, NULL)

-- query values_of_subqueries DIFFERENTIAL
-- feature subqueries in VALUES
VALUES (1, (SELECT count(*) FROM t)), ((SELECT max(t.n) FROM t WHERE t.id > 10), 1.5), (NULL, NULL)

-- query values_join DIFFERENTIAL
-- feature VALUES in FROM
SELECT t.id, l.name FROM t JOIN (VALUES (1, 'one'), (2, 'two'), (2, 'zwei')) l (n, name) ON l.n = t.n

-- query no_from DIFFERENTIAL
-- feature SELECT without FROM
SELECT 1 AS one, 'x' AS x

-- query row_constructors DIFFERENTIAL
-- feature row constructors and comparisons
SELECT t.id, ROW(t.n, t.m)::text AS r FROM t WHERE (t.n, t.id) < (2, 15) AND ROW(t.n, t.d) IS NOT NULL

-- query whole_rows DIFFERENTIAL
-- feature whole rows
SELECT w.id, row_to_json(w) ->> 'v' AS v FROM w

-- query whole_rows_padded DIFFERENTIAL
-- feature whole rows in an outer join
SELECT t.id, w, w IS NULL AS missing FROM t LEFT JOIN w ON w.id = t.n

-- query composite_columns DIFFERENTIAL
-- feature composite columns
SELECT t.id, t.p FROM t WHERE t.p IS NOT NULL

-- query composite_groups DIFFERENTIAL
-- feature composite and array columns in GROUP BY, DISTINCT
SELECT t.p, t.tags, count(*) AS n FROM t GROUP BY t.p, t.tags

-- query fields DIFFERENTIAL
-- feature (rec).field
SELECT (t.p).a AS a, (t.p).b AS b FROM t WHERE (t.p).a > 0

-- query all_fields DIFFERENTIAL
-- feature (rec).*
SELECT t.id, (t.p).* FROM t

-- query array_columns DIFFERENTIAL
-- feature array columns, subscripts, slices
SELECT t.id, t.tags, t.tags[1] AS first, t.tags[1:2] AS two, t.grid[2][1] AS cell, t.grid[1:1][1:2] AS part FROM t

-- query array_operators DIFFERENTIAL
-- feature array constructors, = ANY (array), @>, &&
SELECT t.id, ARRAY[t.n, t.id] AS pair, 'b' = ANY (t.tags) AS has_b, t.tags @> ARRAY['a1'] AS c FROM t WHERE t.tags && ARRAY['a1', 'a2']

-- query domains DIFFERENTIAL
-- feature domains
SELECT t.d, count(*) AS n, t.d + 1 AS next FROM t GROUP BY t.d

-- query enums DIFFERENTIAL
-- feature enums
SELECT t.m, count(*) AS n, max(t.m) AS high FROM t WHERE t.m > 'sad' GROUP BY t.m

-- query ranges DIFFERENTIAL
-- feature ranges and multiranges
SELECT t.id, t.r, t.mr, lower(t.r) AS lo, t.r * int4range(3, 12) AS part FROM t WHERE t.r && int4range(2, 14)

-- query json_paths DIFFERENTIAL
-- feature jsonb operators, paths, subscripts
SELECT t.id, t.doc -> 'items' -> 1 ->> 'q' AS q, t.doc #>> '{items,0}' AS i0, t.doc @> '{"k": 1}' AS k1, jsonb_path_query_first(t.doc, '$.items[0]') AS item, t.doc['k'] AS k FROM t

-- query json_constructors DIFFERENTIAL
-- feature json_build_*, jsonb_build_*, to_jsonb
SELECT t.id, json_build_object('id', t.id, 'n', t.n) AS o, jsonb_build_array(t.id, t.m) AS a, to_jsonb(t.p) AS p FROM t

-- query json_standard AUTO
-- feature JSON_OBJECT, JSON_ARRAY (key: value, ABSENT ON NULL) on servers before 16
-- before-server 16
-- expect-error syntax error
SELECT t.id, JSON_OBJECT('id': t.id ABSENT ON NULL) AS o FROM t

-- query json_column DIFFERENTIAL
-- feature json, xml, point columns (types without equality)
SELECT t.id, t.raw, t.x, t.pt FROM t

-- query times DIFFERENTIAL
-- feature timestamptz, AT TIME ZONE, date_trunc, extract
SELECT date_trunc('day', t.ts AT TIME ZONE 'Europe/Paris') AS day, count(*) AS n, max(extract(hour FROM t.ts AT TIME ZONE 'UTC')) AS hour FROM t GROUP BY 1

-- query settings_times DIFFERENTIAL
-- feature functions of the time zone setting
SELECT t.id, t.ts::date AS day, to_char(t.ts, 'YYYY-MM-DD HH24') AS shown FROM t

-- query binary_values DIFFERENTIAL
-- feature bytea, uuid
SELECT t.by, count(*) AS n, count(DISTINCT t.u) AS us FROM t GROUP BY t.by

-- query collations DIFFERENTIAL
-- feature COLLATE
SELECT w.v COLLATE "C" AS v, min(w.v COLLATE "C") AS low, count(*) AS n FROM w WHERE w.v COLLATE "C" > 'v0' GROUP BY w.v COLLATE "C"

-- query any_case DIFFERENTIAL
-- feature columns of a nondeterministic collation
SELECT w.id, w.c FROM w WHERE w.c = 'AA'

-- query conditionals DIFFERENTIAL
-- feature CASE, COALESCE, NULLIF, GREATEST, LEAST, IS DISTINCT FROM
SELECT t.id, CASE t.n WHEN 0 THEN 'none' WHEN 1 THEN 'one' ELSE 'more' END AS c, coalesce(t.tags[1], '-') AS f, NULLIF(t.n, 2) AS z, greatest(t.n, t.d) AS g, t.n IS DISTINCT FROM t.d AS i FROM t

-- query patterns DIFFERENTIAL
-- feature LIKE, ILIKE, SIMILAR TO, regular expressions
SELECT w.id FROM w WHERE w.v LIKE 'v%' AND w.v ILIKE 'V_' AND w.v SIMILAR TO 'v[0-9]' AND w.v ~ '[13]$'

-- query special_syntax DIFFERENTIAL
-- feature BETWEEN, IN (list), substring, position, trim, overlay, extract
SELECT w.id, substring(w.v FROM 2 FOR 1) AS s, position('v' IN w.v) AS p, trim(BOTH 'v' FROM w.v) AS tr, overlay(w.v PLACING 'xx' FROM 1 FOR 1) AS o FROM w WHERE w.id BETWEEN 2 AND 11 AND w.v IN ('v1', 'v2', 'v3')

-- step
DELETE FROM t WHERE id % 4 = 0;
UPDATE t SET tags = tags || ARRAY['new'], n = n + 1, raw = '[1]' WHERE id % 3 = 0;
UPDATE w SET v = NULL, c = 'AA' WHERE id < 4;

-- step
UPDATE t SET p = ROW(9, NULL)::pair, m = NULL, d = NULL, r = 'empty', doc = '{"items": []}', x = NULL, ts = NULL WHERE id > 12;
INSERT INTO w VALUES (20, 'v9', 'aa'), (21, NULL, NULL);

-- step
DELETE FROM t;
