-- group LATERAL subqueries
-- setup
CREATE TABLE o (id int PRIMARY KEY, k int, x int, tags int[]);
CREATE TABLE i (id int PRIMARY KEY, k int, y int);
CREATE TABLE s (k int, z int);
INSERT INTO o SELECT n, NULLIF(n % 6, 4), n % 5, ARRAY[n % 3, n % 2] FROM generate_series(1, 18) n;
INSERT INTO i SELECT n, NULLIF(n % 5, 3), n % 4 FROM generate_series(1, 25) n;
INSERT INTO s VALUES (1, 2), (1, 2), (2, 2), (NULL, NULL);

-- query top_one DIFFERENTIAL
-- feature ORDER BY .. LIMIT 1 (the first row of each outer row)
SELECT o.id, l.y FROM o, LATERAL (SELECT i.y FROM i WHERE i.k = o.k ORDER BY i.y DESC, i.id LIMIT 1) l

-- query top_two_left DIFFERENTIAL
-- feature LEFT JOIN LATERAL .. ON true
SELECT o.id, l.y FROM o LEFT JOIN LATERAL (SELECT i.y, i.id FROM i WHERE i.k = o.k AND i.y > 1 ORDER BY i.y, i.id LIMIT 2) l ON true

-- query left_on DIFFERENTIAL
-- feature LEFT JOIN LATERAL, other conditions in ON
SELECT o.id, l.y FROM o LEFT JOIN LATERAL (SELECT i.y FROM i WHERE i.k = o.k) l ON l.y > o.x

-- query aggregate DIFFERENTIAL
-- feature aggregates
SELECT o.id, l.n, l.total FROM o CROSS JOIN LATERAL (SELECT count(*) AS n, sum(i.y) AS total FROM i WHERE i.k = o.k) l

-- query grouped DIFFERENTIAL
-- feature GROUP BY, HAVING
SELECT o.id, l.y, l.n FROM o CROSS JOIN LATERAL (SELECT i.y, count(*) AS n FROM i WHERE i.k = o.k GROUP BY i.y HAVING count(*) > 1) l

-- query distinct_on DIFFERENTIAL
-- feature DISTINCT ON .. ORDER BY
SELECT o.id, l.y, l.id AS other FROM o, LATERAL (SELECT DISTINCT ON (i.y) i.y, i.id FROM i WHERE i.k = o.k ORDER BY i.y, i.id DESC) l

-- query with_ties DIFFERENTIAL
-- feature FETCH FIRST .. WITH TIES
SELECT o.id, l.id AS other FROM o, LATERAL (SELECT i.id FROM i WHERE i.k = o.k ORDER BY i.y FETCH FIRST 1 ROW WITH TIES) l

-- query unpivoted DIFFERENTIAL
-- feature VALUES of the outer row (unpivoting)
SELECT o.id, l.name, l.v FROM o CROSS JOIN LATERAL (VALUES ('k', o.k), ('x', o.x)) l (name, v)

-- query computed DIFFERENTIAL
-- feature SELECT without FROM, of the outer row
SELECT o.id, l.twice, m.more FROM o CROSS JOIN LATERAL (SELECT o.x * 2 AS twice) l CROSS JOIN LATERAL (SELECT l.twice + 1 AS more) m

-- query of_array DIFFERENTIAL
-- feature aggregates of an array of the outer row
SELECT o.id, l.top FROM o CROSS JOIN LATERAL (SELECT max(u.v) AS top FROM unnest(o.tags) u (v)) l

-- query joined DIFFERENTIAL
-- feature a join inside
SELECT o.id, l.y, l.z FROM o, LATERAL (SELECT i.y, s.z FROM i JOIN s ON s.k = i.k WHERE i.k = o.k) l

-- query combined DIFFERENTIAL
-- feature a set operation inside
SELECT o.id, l.v FROM o, LATERAL (SELECT i.y AS v FROM i WHERE i.k = o.k UNION SELECT s.z FROM s WHERE s.k = o.k) l

-- query nested DIFFERENTIAL
-- feature nested
SELECT o.id, l.y, l.n FROM o, LATERAL (SELECT i.y, m.n FROM i, LATERAL (SELECT count(*) AS n FROM s WHERE s.k = i.k) m WHERE i.k = o.k) l

-- query beside_function DIFFERENTIAL
-- feature beside a set-returning function
SELECT o.id, u.v, l.n FROM o, unnest(o.tags) u (v), LATERAL (SELECT count(*) AS n FROM i WHERE i.k = u.v) l

-- query of_two DIFFERENTIAL
-- feature of two items of FROM
SELECT o.id, s.z, l.n FROM o, s CROSS JOIN LATERAL (SELECT count(*) AS n FROM i WHERE i.k = o.k AND i.y >= s.z) l WHERE s.k = o.k

-- query without_equality DIFFERENTIAL
-- feature correlation without an equality
SELECT o.id, l.n FROM o, LATERAL (SELECT count(*) AS n FROM i WHERE i.y > o.x) l

-- query with_sublinks DIFFERENTIAL
-- feature subqueries in expressions inside
SELECT o.id, l.y FROM o, LATERAL (SELECT i.y FROM i WHERE i.k = o.k AND EXISTS (SELECT FROM s WHERE s.k = i.k)) l

-- query windowed DIFFERENTIAL
-- feature window functions inside
SELECT o.id, l.id AS other, l.nr FROM o, LATERAL (SELECT i.id, rank() OVER (ORDER BY i.y) AS nr FROM i WHERE i.k = o.k) l

-- query whole_row DIFFERENTIAL
-- feature whole outer rows
SELECT s.k, l.t FROM s, LATERAL (SELECT (s.*)::text || count(*) AS t FROM i WHERE i.k = s.k) l

-- step
UPDATE o SET k = (k + 1) % 6, x = x + 1 WHERE id % 3 = 0;
UPDATE i SET y = y + 1 WHERE id % 4 = 0;
INSERT INTO s VALUES (3, 1), (NULL, 5);

-- step
DELETE FROM i WHERE k = 1;
DELETE FROM o WHERE k = 2;
INSERT INTO o VALUES (100, 77, 1, '{2,2}'), (101, NULL, NULL, NULL);
INSERT INTO i VALUES (100, 77, 5), (101, 77, 5);

-- step
DELETE FROM s WHERE z = 2;
UPDATE i SET k = k + 1;

-- step
DELETE FROM i;

-- step
INSERT INTO i SELECT n, n % 3, n % 2 FROM generate_series(1, 9) n;
DELETE FROM o WHERE id % 2 = 1;
