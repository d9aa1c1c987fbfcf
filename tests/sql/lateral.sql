-- LATERAL subqueries: both sides change at once, NULLs in what they read, duplicates among the outer rows, outer rows
-- without inner ones, the last row of a tuple gone, equal values that are written differently.
-- setup
CREATE TABLE o (id int PRIMARY KEY, k int, n numeric, s text COLLATE "C", arr int[], doc json);
CREATE TABLE i (id int PRIMARY KEY, k int, y int, n numeric, s text);
CREATE TABLE d (k int, x int);
CREATE TABLE e (k int, lo int, hi int);
INSERT INTO o SELECT g, NULLIF(g % 6, 4), (g % 3)::text::numeric + CASE WHEN g % 2 = 0 THEN 0.0 ELSE 0.00 END, 's' || g % 4, CASE WHEN g % 5 = 0 THEN NULL ELSE ARRAY[g % 3, g % 2, NULL] END, json_build_object('k', g % 6) FROM generate_series(1, 24) g;
INSERT INTO i SELECT g, NULLIF(g % 7, 3), g * 13 % 11, (g % 4)::numeric, 's' || g % 3 FROM generate_series(1, 40) g;
INSERT INTO d SELECT NULLIF(g % 6, 0), g % 4 FROM generate_series(1, 20) g;
INSERT INTO d SELECT * FROM d;
INSERT INTO e VALUES (1, 0, 5), (1, 3, 9), (2, 2, 2), (NULL, 0, 100), (5, NULL, NULL);

-- query top_one DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.y, l.id AS other FROM o, LATERAL (SELECT i.id, i.y FROM i WHERE i.k = o.k ORDER BY i.y DESC, i.id LIMIT 1) l

-- query top_two_left DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.y, l.id AS other FROM o LEFT JOIN LATERAL (SELECT i.id, i.y FROM i WHERE i.k = o.k AND i.y > 3 ORDER BY i.y, i.id LIMIT 2) l ON true

-- query ties DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.y FROM o CROSS JOIN LATERAL (SELECT i.y FROM i WHERE i.k = o.k ORDER BY i.y FETCH FIRST 1 ROW WITH TIES) l

-- query offset_rows DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.y FROM o CROSS JOIN LATERAL (SELECT i.y FROM i WHERE i.k = o.k ORDER BY i.y OFFSET 1 LIMIT 2) l

-- query first_of_each DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.y, l.s FROM o CROSS JOIN LATERAL (SELECT DISTINCT ON (i.s) i.s, i.y, i.id FROM i WHERE i.k = o.k ORDER BY i.s, i.y, i.id) l

-- query totals DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.n, l.total FROM o CROSS JOIN LATERAL (SELECT count(*) AS n, sum(i.y) AS total FROM i WHERE i.k = o.k) l

-- query grouped DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.s, l.n FROM o CROSS JOIN LATERAL (SELECT i.s, count(*) AS n FROM i WHERE i.k = o.k GROUP BY i.s HAVING count(*) > 1) l

-- query duplicates DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT d.k, d.x, l.y FROM d LEFT JOIN LATERAL (SELECT i.y FROM i WHERE i.k = d.k AND i.y % 4 = d.x) l ON true

-- query on_condition DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, o.n, l.y FROM o LEFT JOIN LATERAL (SELECT i.y, i.n FROM i WHERE i.k = o.k) l ON l.n = o.n AND o.id % 3 <> 0

-- query inner_on_condition DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.y FROM o JOIN LATERAL (SELECT i.y, i.n, i.id FROM i WHERE i.k = o.k) l ON l.n = o.n AND l.id > o.id

-- query using_column DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, o.k, l.y FROM o LEFT JOIN LATERAL (SELECT i.id, i.y FROM i WHERE i.k = o.k) l USING (id)

-- query spelled DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.text, l.n FROM o, LATERAL (SELECT o.n::text AS text, count(*) AS n FROM i WHERE i.n = o.n) l

-- query range_of_values DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT e.k, e.lo, l.n FROM e, LATERAL (SELECT count(*) AS n FROM i WHERE i.y BETWEEN e.lo AND e.hi) l

-- query joins_inside DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.y, l.x FROM o, LATERAL (SELECT i.y, d.x FROM i JOIN d ON d.k = i.k WHERE i.k = o.k AND d.x > 1) l

-- query union_inside DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.v FROM o, LATERAL (SELECT i.y AS v FROM i WHERE i.k = o.k UNION SELECT d.x FROM d WHERE d.k = o.k) l

-- query unpivoted DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.name, l.v FROM o CROSS JOIN LATERAL (VALUES ('k', o.k), ('id', o.id), ('none', NULL)) l (name, v) WHERE l.v IS DISTINCT FROM 3

-- query unpivoted_left DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.v FROM o LEFT JOIN LATERAL (SELECT x.v FROM (VALUES (o.k), (o.id)) x (v) WHERE x.v > 4) l ON l.v <> 7

-- query greatest_of_array DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.top, l.n FROM o CROSS JOIN LATERAL (SELECT max(u.v) AS top, count(*) AS n FROM unnest(o.arr) u (v)) l

-- query distinct_of_array DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.v FROM o CROSS JOIN LATERAL (SELECT DISTINCT u.v FROM unnest(o.arr) u (v) ORDER BY u.v LIMIT 2) l

-- query computed DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, b.total FROM o CROSS JOIN LATERAL (SELECT o.k * 2 AS twice) a CROSS JOIN LATERAL (SELECT sum(i.y) AS total FROM i WHERE i.k = a.twice) b

-- query nested DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.y, l.n FROM o, LATERAL (SELECT i.y, m.n FROM i, LATERAL (SELECT count(*) AS n FROM d WHERE d.k = i.k AND d.x < o.id) m WHERE i.k = o.k) l

-- query nested_top DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.y, l.x FROM o, LATERAL (SELECT i.y, m.x FROM i, LATERAL (SELECT d.x FROM d WHERE d.k = i.k ORDER BY d.x LIMIT 1) m WHERE i.k = o.k) l

-- query beside_functions DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, u.v, l.n FROM o, unnest(o.arr) u (v), LATERAL (SELECT count(*) AS n FROM i WHERE i.k = u.v) l

-- query function_of_it DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.n, g.v FROM o, LATERAL (SELECT count(*)::int AS n FROM i WHERE i.k = o.k) l, generate_series(1, l.n) g (v)

-- query of_two_tables DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, d.x, l.n FROM o, d, LATERAL (SELECT count(*) AS n FROM i WHERE i.k = o.k AND i.y > d.x) l WHERE d.k = o.k AND o.id < 15

-- query of_the_list DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, d.x, l.n FROM o, d CROSS JOIN LATERAL (SELECT count(*) AS n FROM i WHERE i.k = o.k AND i.y > d.x) l WHERE d.k = o.k

-- query of_the_join_around DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, d.x, l.n FROM o JOIN (d CROSS JOIN LATERAL (SELECT count(*) AS n FROM i WHERE i.k = o.k AND i.y > d.x) l) ON d.k = o.k

-- query over_outer_join DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, d.x, l.n FROM o LEFT JOIN d ON d.k = o.k LEFT JOIN LATERAL (SELECT count(*) AS n FROM i WHERE i.y = d.x) l ON l.n > 2

-- query below_outer_join DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT d.k, d.x, q.id, q.y FROM d LEFT JOIN (o CROSS JOIN LATERAL (SELECT max(i.y) AS y FROM i WHERE i.k = o.k) l) q (id, k, n, s, arr, doc, y) ON q.k = d.k

-- query sublinks_inside DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.y FROM o, LATERAL (SELECT i.y FROM i WHERE i.k = o.k AND EXISTS (SELECT FROM d WHERE d.k = i.k AND d.x = i.y % 4) AND i.y > (SELECT min(d.x) FROM d WHERE d.k = o.k)) l

-- query windows_inside DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.id AS other, l.nr FROM o, LATERAL (SELECT i.id, row_number() OVER (ORDER BY i.y, i.id) AS nr FROM i WHERE i.k = o.k) l WHERE l.nr <= 2

-- query whole_row DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT d.x, l.t, l.n FROM d, LATERAL (SELECT (d.*)::text AS t, count(*) AS n FROM i WHERE i.k = d.k) l

-- query no_equality_type AUTO
-- expect-mode FULL
SELECT o.id, l.n FROM o, LATERAL (SELECT count(*) AS n FROM i WHERE i.k = (o.doc ->> 'k')::int) l

-- query no_equality_type_row_by_row DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.v FROM o, LATERAL (VALUES (o.doc ->> 'k'), ('x')) l (v)

-- query computed_beside DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT q.id, l.n FROM (SELECT o.id, (o.doc ->> 'k')::int AS k FROM o) q, LATERAL (SELECT count(*) AS n FROM i WHERE i.k = q.k) l

-- query tied_json DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT d.x, l.doc FROM d, LATERAL (SELECT o.doc, o.n FROM o WHERE o.k = d.k ORDER BY o.s LIMIT 2) l

-- query of_a_cte DIFFERENTIAL
-- expect-mode DIFFERENTIAL
WITH c AS (SELECT i.k, i.y FROM i WHERE i.y > 2) SELECT o.id, l.y FROM o, LATERAL (SELECT c.y FROM c WHERE c.k = o.k ORDER BY c.y LIMIT 1) l

-- query grouped_above DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT l.y, count(*) AS n, sum(o.id) AS ids FROM o LEFT JOIN LATERAL (SELECT i.y FROM i WHERE i.k = o.k ORDER BY i.y, i.id LIMIT 2) l ON true GROUP BY l.y

-- query counted DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT count(*) AS n FROM o, LATERAL (SELECT FROM i WHERE i.k = o.k) l

-- query of_nothing DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.y FROM o, LATERAL (SELECT i.y FROM i WHERE i.id < 4) l

-- query in_a_sublink DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id FROM o WHERE EXISTS (SELECT FROM i, LATERAL (SELECT sum(d.x) AS x FROM d WHERE d.k = i.k) l WHERE i.k = o.k AND l.x > i.y)

-- query limit_by_subquery DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.y FROM o, LATERAL (SELECT i.y FROM i WHERE i.k = o.k ORDER BY i.y, i.id LIMIT (SELECT max(d.x) FROM d)) l

-- query limit_open DIFFERENTIAL
-- expect-error further inside of a LATERAL subquery
SELECT o.id, l.y FROM o, LATERAL (SELECT q.y FROM (SELECT i.y, i.k FROM i WHERE i.k = o.k ORDER BY i.y LIMIT 1) q) l

-- step both sides at once
UPDATE o SET k = (k + 1) % 6 WHERE id % 4 = 0;
UPDATE i SET y = y + 1, k = NULLIF(k, 5) WHERE id % 3 = 0;
INSERT INTO d VALUES (1, 1), (1, 1), (NULL, 0);

-- step other spellings
UPDATE o SET n = n::numeric(10,3) WHERE id % 2 = 0;
UPDATE i SET n = n::numeric(10,1) WHERE id % 5 = 0;

-- step tuples come and go
DELETE FROM o WHERE k = 2;
INSERT INTO o SELECT 100 + g, CASE g WHEN 1 THEN 77 WHEN 2 THEN NULL ELSE 5 END, g, 'new', ARRAY[g, 77], '{"k": 1}' FROM generate_series(1, 4) g;
INSERT INTO i VALUES (500, 77, 1, 1, 's0'), (501, NULL, 2, 2, NULL);

-- step the last inner rows of some
DELETE FROM i WHERE k IN (1, 77);

-- step the last outer row of a tuple, and another
DELETE FROM o WHERE id = 101;
INSERT INTO o VALUES (201, 77, 0, 's1', '{}', NULL);
INSERT INTO i VALUES (502, 77, 9, 0, 's1'), (503, 77, 9, 0, 's1');
UPDATE e SET hi = hi + 3;

-- step
DELETE FROM d WHERE x = 1;
UPDATE i SET k = k + 1;

-- step
DELETE FROM i;

-- step
INSERT INTO i SELECT g, g % 4, g % 5, g % 2, 's' || g % 2 FROM generate_series(1, 12) g;
DELETE FROM o WHERE id % 2 = 0;

-- step
DELETE FROM o;
DELETE FROM d;
