-- group Joins
-- setup
CREATE TABLE a (id int PRIMARY KEY, k int, x int, s text);
CREATE TABLE b (id int PRIMARY KEY, k int, y int);
CREATE TABLE c (k int, z int);
INSERT INTO a SELECT i, NULLIF(i % 7, 3), i % 5, 's' || i % 4 FROM generate_series(1, 24) i;
INSERT INTO b SELECT i, NULLIF(i % 9, 5), i % 6 FROM generate_series(1, 18) i;
INSERT INTO c SELECT NULLIF(i % 6, 4), i FROM generate_series(1, 10) i;

-- query inner_join DIFFERENTIAL
-- feature JOIN .. ON
SELECT a.id, b.id AS other, a.x + b.y AS total FROM a JOIN b ON b.k = a.k

-- query comma DIFFERENTIAL
-- feature FROM a, b WHERE
SELECT a.id, b.id AS other, c.z FROM a, b, c WHERE a.k = b.k AND c.k = b.k AND a.x < 4

-- query left_join DIFFERENTIAL
-- feature LEFT JOIN
SELECT a.id, b.id AS other FROM a LEFT JOIN b ON b.k = a.k

-- query right_join DIFFERENTIAL
-- feature RIGHT JOIN
SELECT a.id, b.id AS other FROM a RIGHT JOIN b ON b.k = a.k AND a.x > 1

-- query full_join DIFFERENTIAL
-- feature FULL JOIN
SELECT a.id, b.id AS other FROM a FULL JOIN b ON b.k = a.k

-- query natural_join DIFFERENTIAL
-- feature NATURAL JOIN
SELECT id, k, x, y FROM a NATURAL JOIN b

-- query natural_left DIFFERENTIAL
-- feature NATURAL LEFT JOIN
SELECT id, k, x, y FROM a NATURAL LEFT JOIN b

-- query using_join DIFFERENTIAL
-- feature JOIN .. USING
SELECT k, a.id, z FROM a JOIN c USING (k)

-- query using_full DIFFERENTIAL
-- feature FULL JOIN .. USING
SELECT k, a.id, z FROM a FULL JOIN c USING (k)

-- query using_alias DIFFERENTIAL
-- feature JOIN .. USING .. AS
SELECT j.k, a.id, c.z FROM a JOIN c USING (k) AS j

-- query non_equality DIFFERENTIAL
-- feature JOIN, no equality in ON
SELECT a.id, b.id AS other FROM a JOIN b ON a.x > b.y + 2

-- query non_equality_left DIFFERENTIAL
-- feature LEFT JOIN, no equality in ON
SELECT a.id, b.id AS other FROM a LEFT JOIN b ON a.x > b.y + 2

-- query non_equality_full DIFFERENTIAL
-- feature FULL JOIN, equality and other conditions in ON
SELECT a.id, b.id AS other FROM a FULL JOIN b ON a.k = b.k AND a.k > 1 AND b.k < 6

-- query mixed_sides DIFFERENTIAL
-- feature conditions that mix the sides
SELECT a.id, b.id AS other FROM a LEFT JOIN b ON a.k = b.k AND (a.x = 2 OR b.y > a.x) AND a.x + b.y < 8

-- query one_sided DIFFERENTIAL
-- feature LEFT JOIN, conditions on the kept side only
SELECT a.id, b.id AS other FROM a LEFT JOIN b ON a.k = b.k AND a.x > 2

-- query on_true DIFFERENTIAL
-- feature LEFT JOIN ON true
SELECT a.id, c.z FROM a LEFT JOIN c ON true WHERE a.x = 1

-- query expression_keys DIFFERENTIAL
-- feature expressions as join keys
SELECT a.id, b.id AS other FROM a JOIN b ON a.k + 1 = b.k * 2

-- query null_safe DIFFERENTIAL
-- feature IS NOT DISTINCT FROM as condition
SELECT a.id, b.id AS other FROM a JOIN b ON a.k IS NOT DISTINCT FROM b.k

-- query cross_join DIFFERENTIAL
-- feature CROSS JOIN
SELECT a.id, c.z FROM a CROSS JOIN c WHERE a.x < 3

-- query nested_outer DIFFERENTIAL
-- feature nested outer joins
SELECT a.id, b.id AS other, c.z FROM a LEFT JOIN (b LEFT JOIN c ON c.k = b.k) ON b.k = a.k

-- query chained_outer DIFFERENTIAL
-- feature chained outer joins
SELECT a.id, b.id AS other, c.z FROM a LEFT JOIN b ON b.k = a.k LEFT JOIN c ON c.k = b.k

-- query inner_in_outer DIFFERENTIAL
-- feature inner join below an outer join
SELECT a.id, b.id AS other, c.z FROM a LEFT JOIN (b JOIN c ON c.k = b.k) ON b.k = a.k

-- query full_of_full DIFFERENTIAL
-- feature FULL JOIN of a FULL JOIN
SELECT a.id, b.id AS other, c.z FROM a FULL JOIN b ON b.k = a.k FULL JOIN c ON c.k = a.k

-- query is_null_after DIFFERENTIAL
-- feature rows without a match (LEFT JOIN .. WHERE .. IS NULL)
SELECT a.id FROM a LEFT JOIN b ON b.k = a.k WHERE b.id IS NULL

-- query self_join DIFFERENTIAL
-- feature self join
SELECT l.id, r.id AS other FROM a l JOIN a r ON r.k = l.k AND r.id > l.id

-- query self_left_join DIFFERENTIAL
-- feature self outer join
SELECT l.id, r.id AS other FROM a l LEFT JOIN a r ON r.x = l.k

-- query eight_inputs DIFFERENTIAL
-- feature join of eight inputs
SELECT a1.id, b1.id AS b1, c1.z, a2.id AS a2, b2.id AS b2, c2.z AS z2, a3.id AS a3, b3.id AS b3 FROM a a1 JOIN b b1 ON b1.k = a1.k
  JOIN c c1 ON c1.k = b1.k JOIN a a2 ON a2.id = a1.id JOIN b b2 ON b2.id = b1.id JOIN c c2 ON c2.z = c1.z
  JOIN a a3 ON a3.id = a2.id JOIN b b3 ON b3.id = b2.id

-- query subquery_input DIFFERENTIAL
-- feature subquery in FROM
SELECT q.k, q.n, b.id FROM (SELECT a.k, count(*) AS n FROM a GROUP BY a.k) q JOIN b ON b.k = q.k

-- query join_alias DIFFERENTIAL
-- feature alias on a join, column aliases
SELECT j.p, j.q, j.z FROM (a JOIN c ON c.k = a.k) AS j (p, q, r, t, k, z)

-- query duplicates DIFFERENTIAL
-- feature tables without a key, duplicate rows
SELECT c.k, d.z FROM c JOIN c d ON d.k = c.k

-- step both sides at once
DELETE FROM a WHERE id % 5 = 0;
DELETE FROM b WHERE id % 4 = 1;
INSERT INTO a VALUES (100, 2, 3, 'n'), (101, NULL, 1, 'n');
INSERT INTO b VALUES (100, 2, 1), (101, 8, NULL);
INSERT INTO c VALUES (2, 7), (2, 7), (NULL, 1);

-- step keys move
UPDATE a SET k = k + 1 WHERE id % 3 = 0;
UPDATE b SET k = 2 WHERE y = 3;
UPDATE c SET k = NULL WHERE z = 7;

-- step one side goes
DELETE FROM b;
