-- Merged columns of outer joins: the left one of LEFT, the right one of RIGHT, COALESCE of both for FULL.
-- setup
CREATE TABLE u (k int, x int, t text);
CREATE TABLE v (k bigint, x int, y numeric);
CREATE TABLE z (k int, y numeric);
INSERT INTO u SELECT CASE WHEN i % 7 = 0 THEN NULL ELSE i % 10 END, i % 4, 'u' || i % 3 FROM generate_series(1, 30) i;
INSERT INTO v SELECT CASE WHEN i % 6 = 0 THEN NULL ELSE i % 13 END, i % 5, i % 2 FROM generate_series(1, 24) i;
INSERT INTO z SELECT i, i FROM generate_series(0, 5) i;

-- query left_using DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k, u.x, v.y, u.k AS uk, v.k AS vk FROM u LEFT JOIN v USING (k)

-- query left_natural DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k, x, t, y FROM u NATURAL LEFT JOIN v

-- query right_using DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k, u.x, v.y, u.k AS uk, v.k AS vk FROM u RIGHT JOIN v USING (k)

-- query right_natural DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k, x, t, y FROM u NATURAL RIGHT JOIN v

-- query full_using DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k, u.x, v.y, u.k AS uk, v.k AS vk FROM u FULL JOIN v USING (k)

-- query full_natural DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT * FROM u NATURAL FULL JOIN v

-- query full_of_full_using DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k, u.x, v.x AS vx, z.y FROM u FULL JOIN v USING (k) FULL JOIN z USING (k)

-- query full_using_alias DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT j.k, u.x, v.x AS vx FROM u FULL JOIN v USING (k) AS j WHERE j.k IS NOT NULL

-- query full_using_grouped DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k, count(*) AS n, sum(v.y) AS total FROM u FULL JOIN v USING (k) GROUP BY k

-- query full_aliased DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT j.a, j.b, j.e FROM (u FULL JOIN v USING (k)) AS j(a, b, c, d, e) WHERE j.a < 9

-- step
DELETE FROM u WHERE k IN (1, 2);
DELETE FROM v WHERE k IN (2, 3);

-- step
INSERT INTO u VALUES (2, 1, 'n'), (77, 1, 'n'), (NULL, 1, 'n');
INSERT INTO v VALUES (2, 1, 1), (77, 2, 2.0), (NULL, 2, 2.00);
INSERT INTO z VALUES (77, 3), (NULL, 3);

-- step
UPDATE u SET k = k + 1, x = x + 1 WHERE x = 1;
UPDATE v SET k = k - 1 WHERE x = 2;
UPDATE z SET k = k + 2;

-- step
TRUNCATE v;

-- step
INSERT INTO v SELECT i % 8, i % 3, i FROM generate_series(1, 10) i;
DELETE FROM u;

-- step
TRUNCATE u, v, z;
