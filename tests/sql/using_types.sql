-- A column merged by USING has the type that both sides have in common: 3 / 2 is 1 of integers and 1.5 of numerics.
-- setup
CREATE TABLE i (k int, a text);
CREATE TABLE b (k bigint, b text);
CREATE TABLE n (k numeric, c text);
INSERT INTO i VALUES (1, 'x'), (3, 'y'), (5, 'z'), (NULL, 'n'), (2000000000, 'big');
INSERT INTO b VALUES (1, 'x'), (3, 'y'), (7, 'z'), (NULL, 'n'), (2000000000, 'big');
INSERT INTO n VALUES (1, 'x'), (3.0, 'y'), (9, 'z'), (NULL, 'n'), (2000000000, 'big');

-- query inner_using DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k / 2 AS half, a FROM i JOIN n USING (k)

-- query left_using DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k / 2 AS half, k * 3 AS more, a, c FROM i LEFT JOIN n USING (k)

-- query right_using DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k * 3 AS more, a, b FROM b RIGHT JOIN i USING (k)

-- query natural_full DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k * 3 AS more, k / 2 AS half, a, b FROM i NATURAL FULL JOIN b

-- query three DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k / 2 AS half, a, b, c FROM i JOIN b USING (k) LEFT JOIN n USING (k)

-- query of_groups DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k * 3 AS more, q.m, count(*) AS rows FROM (SELECT k, count(*) AS m FROM i GROUP BY k) q LEFT JOIN b USING (k) GROUP BY k, q.m

-- query aliased DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT j.x / 2 AS half, j.y FROM (i LEFT JOIN n USING (k)) AS j (x, y, z)

-- step
INSERT INTO i VALUES (7, 'x'), (9, 'y');
INSERT INTO n VALUES (5, 'new'), (3, 'twice');

-- step
UPDATE n SET k = k + 2 WHERE k < 4;
DELETE FROM b WHERE k = 3;

-- step
DELETE FROM i WHERE k > 3 OR k IS NULL;
