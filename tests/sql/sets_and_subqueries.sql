-- Set-returning functions under LIMIT and DISTINCT ON; subqueries in VALUES and in the arguments of functions in FROM;
-- functions in joins of every kind.
-- setup
CREATE TABLE t (id int PRIMARY KEY, g int, n int, tags text[]);
CREATE TABLE u (id int, k int, s text);
INSERT INTO t SELECT i, NULLIF(i % 5, 3), i % 4, CASE WHEN i % 6 = 0 THEN NULL ELSE ARRAY['a' || i % 3, 'b', NULL] END FROM generate_series(1, 20) i;
INSERT INTO u SELECT i % 9, i % 4, 's' || i % 3 FROM generate_series(1, 20) i;

-- query sets_limited DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, unnest(t.tags) AS tag FROM t ORDER BY t.id DESC, tag LIMIT 7

-- query sets_by_another_column DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, generate_series(1, t.n) AS i FROM t ORDER BY t.g, t.id, 2 LIMIT 9 OFFSET 2

-- query sets_side_by_side DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, unnest(t.tags) AS tag, generate_series(1, 2) AS i FROM t ORDER BY t.id, i, tag LIMIT 8

-- query sets_with_ties DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.g, unnest(t.tags) AS tag FROM t ORDER BY t.g NULLS FIRST FETCH FIRST 2 ROWS WITH TIES

-- query sets_distinct_limited DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT unnest(t.tags) AS tag FROM t ORDER BY tag LIMIT 2

-- query first_sets DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT ON (t.g) t.g, unnest(t.tags) AS tag, t.id FROM t ORDER BY t.g, tag DESC NULLS LAST, t.id

-- query first_of_a_set DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT ON (tag) unnest(t.tags) AS tag, t.id FROM t ORDER BY tag, t.id DESC

-- query sets_of_groups DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.g, generate_series(1, count(*)) AS i FROM t GROUP BY t.g ORDER BY t.g, 2 DESC LIMIT 5

-- query values_alone DIFFERENTIAL
-- expect-mode DIFFERENTIAL
VALUES (1, (SELECT count(*) FROM t)), ((SELECT max(u.k) FROM u), 2.5), (NULL, (SELECT t.n FROM t ORDER BY t.id LIMIT 1))

-- query values_joined DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.s, v.n, v.what FROM u JOIN (VALUES ((SELECT min(t.g) FROM t), 'min'), ((SELECT max(t.g) FROM t), 'max')) v (n, what) ON v.n = u.k

-- query values_exist DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT v.a FROM (VALUES (EXISTS (SELECT FROM t WHERE t.n = 3)), ((SELECT 2 IN (SELECT u.k FROM u)))) v (a)

-- query series_to_a_value DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT s.i FROM generate_series(1, (SELECT max(t.n) + 1 FROM t)) s (i)

-- query series_to_a_value_joined DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, s.i FROM t LEFT JOIN generate_series(1, (SELECT max(u.k) FROM u)) s (i) ON s.i = t.n

-- query series_of_its_rows DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, s.i FROM t, generate_series(1, (SELECT count(*) FROM u WHERE u.k = t.n AND u.id > 4)) s (i) WHERE t.g > 0

-- query series_left DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, s.i FROM t LEFT JOIN LATERAL generate_series(1, (SELECT max(u.id) FROM u WHERE u.k = t.n)) s (i) ON s.i > 5

-- query two_of_them DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, a.i, b.j FROM t, generate_series(1, (SELECT min(u.k) + 1 FROM u)) a (i), generate_series(a.i, (SELECT max(u.k) FROM u WHERE u.id = t.id)) b (j)

-- query right_function DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.s, s.i FROM u RIGHT JOIN generate_series(1, 12) s (i) ON s.i = u.id

-- query full_function DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.s, s.i FROM u FULL JOIN unnest(ARRAY[1, 1, 50, NULL]) s (i) ON s.i = u.id

-- query full_function_to_a_value DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.s, s.i FROM u FULL JOIN generate_series(1, (SELECT count(*) FROM t)) s (i) ON s.i = u.id

-- query function_using DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, u.s FROM generate_series(1, 6) s (id) LEFT JOIN u USING (id)

-- query function_natural DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, u.s FROM u NATURAL FULL JOIN generate_series(1, 6) s (id)

-- query function_alias DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT j.a, j.e, u.s FROM (t LEFT JOIN unnest(t.tags) x (tag) ON true) AS j (a, b, c, d, e) JOIN u ON u.id = j.a

-- query function_of_an_earlier_item DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, u.s, x.tag FROM t, u LEFT JOIN LATERAL unnest(t.tags) x (tag) ON x.tag = 'a' || u.k WHERE u.id = t.id

-- query limit_of_constants DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id FROM t ORDER BY t.id LIMIT (SELECT max(v.n) FROM (VALUES (2), (4)) v (n))

-- query ordered_beside_a_function AUTO
-- expect-mode FULL
SELECT x.tag, array_agg(q.id) AS ids FROM (SELECT t.id, t.tags FROM t ORDER BY t.n, t.id) q, unnest(q.tags) x (tag) GROUP BY x.tag

-- step
UPDATE t SET tags = tags || ARRAY['new'], n = n + 1 WHERE id % 3 = 0;
DELETE FROM u WHERE k = 1;

-- step
DELETE FROM t WHERE id > 15 OR id < 3;
INSERT INTO u VALUES (3, 9, 'x'), (3, 9, 'x'), (NULL, NULL, NULL), (4, 3, NULL);

-- step
UPDATE u SET k = k + 1, id = id + 1;
UPDATE t SET tags = '{}' WHERE n = 2;

-- step
DELETE FROM u;

-- step
INSERT INTO u VALUES (1, 2, 'a');
DELETE FROM t;

-- step
INSERT INTO t VALUES (1, 2, 3, '{x,x}'), (2, NULL, NULL, NULL);
