-- Outer joins: whole rows of a side that is not there; subqueries in ON that read both sides.
-- setup
CREATE TABLE o (id int PRIMARY KEY, k int, x int, n numeric);
CREATE TABLE i (id int PRIMARY KEY, k int, y int, s text);
CREATE TABLE s (a int, b int);
INSERT INTO o SELECT g, NULLIF(g % 6, 4), g % 3, g % 2 FROM generate_series(1, 18) g;
INSERT INTO i SELECT g, NULLIF(g % 5, 3), g % 4, NULLIF('s' || g % 3, 's1') FROM generate_series(1, 15) g;
INSERT INTO s VALUES (1, 2), (2, 2), (2, 0), (3, NULL), (NULL, 1);

-- query row_of_left_join DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, i AS row, (i.*)::text AS text, i IS NULL AS missing FROM o LEFT JOIN i ON i.id = o.x + 14

-- query row_of_kept_side DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o AS row, i.id FROM o LEFT JOIN i ON i.id = o.id AND i.y > 1

-- query rows_of_full_join DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o AS one, i AS other FROM o FULL JOIN i ON i.id = o.id + 10

-- query rows_counted DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.k, count(i.*) AS n, count(*) AS rows FROM o LEFT JOIN i ON i.k = o.k AND i.y = o.x GROUP BY o.k

-- query row_over_two_joins DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, row_to_json(i.*)::text AS j FROM o LEFT JOIN (s LEFT JOIN i ON i.id = s.a) ON s.b = o.x

-- query row_in_a_subquery DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, (SELECT count(*) || (o.*)::text FROM i WHERE i.k = o.k) AS t FROM o

-- query both_exists DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, i.id AS other FROM o LEFT JOIN i ON i.k = o.k AND EXISTS (SELECT FROM s WHERE s.a = i.y AND s.b = o.x)

-- query both_not_in DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, i.id AS other, i.s FROM o LEFT JOIN i ON i.k = o.k AND i.y + o.x NOT IN (SELECT s.a FROM s WHERE s.b IS NOT NULL)

-- query both_value DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, i.id AS other FROM o LEFT JOIN i ON (SELECT max(s.a) FROM s WHERE s.b = o.x OR s.b = i.y) > i.y WHERE o.id < 8

-- query both_of_a_join DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, q.b, q.y FROM o LEFT JOIN (SELECT i.y, s.b FROM i JOIN s ON s.a = i.y) q ON q.b = o.x AND EXISTS (SELECT FROM i z WHERE z.k = o.k AND z.y = q.y)

-- query both_of_a_join_tree DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, i.id AS other, s.a FROM o LEFT JOIN (i JOIN s ON s.a = i.y) ON s.b = o.x AND EXISTS (SELECT FROM i z WHERE z.k = o.k AND z.y = i.y)

-- query both_of_a_full_join AUTO
-- expect-mode FULL
SELECT o.id, i.id AS other FROM o RIGHT JOIN i ON i.k = o.k AND EXISTS (SELECT FROM s WHERE s.a = i.y AND s.b = o.x)

-- step
UPDATE i SET y = (y + 1) % 4, s = NULL WHERE id % 2 = 0;
UPDATE o SET x = (x + 1) % 3, k = k + 1 WHERE id % 3 = 0;

-- step
DELETE FROM s WHERE b = 2;
INSERT INTO s VALUES (0, 1), (0, 1);

-- step
DELETE FROM i WHERE id > 10 OR k = 1;
INSERT INTO o VALUES (100, NULL, 1, 1.0), (101, 2, NULL, 1.00);

-- step
DELETE FROM s;

-- step
INSERT INTO i VALUES (200, 2, 1, 'new'), (14, 1, 1, NULL), (15, NULL, NULL, NULL);
INSERT INTO s VALUES (1, 0), (1, 1);

-- step
DELETE FROM i;
DELETE FROM o WHERE id % 2 = 0;
