-- group Functions in FROM and in the select list
-- setup
CREATE TABLE t (id int PRIMARY KEY, n int, tags text[], doc jsonb, x xml);
CREATE TABLE u (id int, v text);
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * $1';
INSERT INTO t SELECT i, i % 4, CASE WHEN i % 4 = 0 THEN NULL ELSE ARRAY['a' || i % 3, 'b', NULL] END,
  jsonb_build_object('k', i % 3, 'items', jsonb_build_array(i, i % 2)), ('<r><i n="' || i || '">' || i % 3 || '</i><i n="0">z</i></r>')::xml FROM generate_series(1, 16) i;
INSERT INTO u SELECT i, 'v' || i % 4 FROM generate_series(1, 12) i;

-- query unnested DIFFERENTIAL
-- feature unnest(column) beside its table
SELECT t.id, g.tag FROM t, unnest(t.tags) g (tag)

-- query ordinality DIFFERENTIAL
-- feature WITH ORDINALITY
SELECT t.id, g.tag, g.nr FROM t, unnest(t.tags) WITH ORDINALITY g (tag, nr)

-- query left_lateral DIFFERENTIAL
-- feature LEFT JOIN LATERAL function
SELECT t.id, g.tag FROM t LEFT JOIN LATERAL unnest(t.tags) g (tag) ON g.tag <> 'b'

-- query series DIFFERENTIAL
-- feature generate_series over a column
SELECT t.id, s.i FROM t, generate_series(1, t.n) s (i)

-- query series_alone DIFFERENTIAL
-- feature a function of constants alone
SELECT s.i, s.i * 2 AS d FROM generate_series(1, 5) s (i)

-- query series_join DIFFERENTIAL
-- feature JOIN with a function of constants
SELECT u.v, s.i FROM u LEFT JOIN generate_series(1, 3) s (i) ON s.i = u.id

-- query elements DIFFERENTIAL
-- feature jsonb_array_elements, jsonb_each
SELECT t.id, e.value AS item, k.key FROM t, jsonb_array_elements(t.doc -> 'items') e, jsonb_each(t.doc) k

-- query records DIFFERENTIAL
-- feature a function with a column definition list
SELECT t.id, r.k FROM t, jsonb_to_record(t.doc) r (k int, z text)

-- query rows_from DIFFERENTIAL
-- feature ROWS FROM
SELECT t.id, f.a, f.b FROM t, ROWS FROM (unnest(t.tags), generate_series(1, t.n)) f (a, b)

-- query xml_table DIFFERENTIAL
-- feature XMLTABLE
SELECT t.id, x.n, x.c FROM t, XMLTABLE('/r/i' PASSING t.x COLUMNS n int PATH '@n', c text PATH '.') x

-- query set_returning DIFFERENTIAL
-- feature set-returning functions in the select list
SELECT t.id, unnest(t.tags) AS tag, generate_series(1, 2) AS nr FROM t WHERE t.n > 0

-- query set_returning_below DIFFERENTIAL
-- feature set-returning function below an aggregate
SELECT q.tag, count(*) AS n FROM (SELECT unnest(t.tags) AS tag FROM t) q GROUP BY q.tag

-- query set_returning_limited DIFFERENTIAL
-- feature set-returning function under LIMIT
SELECT t.id, unnest(t.tags) AS tag FROM t ORDER BY t.id, tag LIMIT 5

-- query set_returning_distinct DIFFERENTIAL
-- feature set-returning function under DISTINCT ON
SELECT DISTINCT ON (t.n) t.n, unnest(t.tags) AS tag FROM t ORDER BY t.n, tag DESC

-- query regexp_rows DIFFERENTIAL
-- feature regexp_split_to_table, string_to_table
SELECT u.id, p.piece FROM u, regexp_split_to_table(u.v, '[0-2]') p (piece)

-- query user_function DIFFERENTIAL
-- feature user-defined IMMUTABLE functions
SELECT u.id, twice(u.id) AS d FROM u WHERE twice(u.id) > 6

-- query function_alone_in_subquery DIFFERENTIAL
-- feature a subquery in the arguments of a function in FROM
SELECT s.i FROM generate_series(1, (SELECT max(u.id) FROM u)) s (i)

-- query correlated_argument DIFFERENTIAL
-- feature a correlated subquery in the arguments of a function in FROM
SELECT t.id, s.i FROM t, generate_series(1, (SELECT count(*) FROM u WHERE u.id = t.id)) s (i)

-- query full_function DIFFERENTIAL
-- feature RIGHT or FULL JOIN with a function
SELECT u.v, s.i FROM u RIGHT JOIN generate_series(1, 3) s (i) ON s.i = u.id

-- query function_using DIFFERENTIAL
-- feature USING with a function of constants
SELECT id, u.v FROM u FULL JOIN generate_series(1, 20) s (id) USING (id)

-- query function_join_alias DIFFERENTIAL
-- feature alias on a join with a function
SELECT j.a, j.f FROM (t LEFT JOIN unnest(t.tags) g (tag) ON true) AS j (a, b, c, d, e, f)

-- step
DELETE FROM t WHERE id % 4 = 1;
UPDATE t SET tags = tags || ARRAY['new'], n = n + 1 WHERE id % 3 = 0;
UPDATE u SET v = NULL WHERE id < 5;

-- step
UPDATE t SET doc = '{"items": []}', x = NULL, tags = '{}' WHERE id > 8;
INSERT INTO u VALUES (2, 'v9'), (2, 'v9'), (NULL, NULL);

-- step
DELETE FROM t;
INSERT INTO t VALUES (1, 2, '{x,x}', '{"k": 5, "items": [1, 1]}', NULL), (2, NULL, NULL, NULL, NULL);
