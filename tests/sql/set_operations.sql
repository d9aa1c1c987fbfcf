-- UNION, INTERSECT, EXCEPT, with and without ALL, nested; types that unify; NULLs and duplicates.
-- setup
CREATE TABLE a (x int, y text, n numeric);
CREATE TABLE b (x bigint, y varchar(10), n int);
CREATE TABLE c (x int, y text);
INSERT INTO a SELECT CASE WHEN i % 6 = 0 THEN NULL ELSE i % 5 END, 'y' || i % 3, i % 4 FROM generate_series(1, 40) i;
INSERT INTO b SELECT CASE WHEN i % 5 = 0 THEN NULL ELSE i % 6 END, 'y' || i % 4, i % 3 FROM generate_series(1, 30) i;
INSERT INTO c VALUES (1, 'y1'), (1, 'y1'), (NULL, NULL), (NULL, NULL), (2, 'y2');

-- query union_distinct DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x, y FROM a UNION SELECT x, y FROM b

-- query union_three DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x, y FROM a UNION SELECT x, y FROM b UNION SELECT x, y FROM c

-- query union_mixed DIFFERENTIAL
-- expect-mode DIFFERENTIAL
(SELECT x FROM a UNION SELECT x FROM b) UNION ALL SELECT x FROM c

-- query union_types DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT n, NULL AS z FROM a UNION ALL SELECT n, 'z' FROM b UNION SELECT 1.5, y FROM c

-- query intersects DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x, y FROM a INTERSECT SELECT x, y FROM b

-- query intersect_all DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x, y FROM a INTERSECT ALL SELECT x, y FROM b

-- query excepts DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x, y FROM a EXCEPT SELECT x, y FROM b

-- query except_all DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x, y FROM a EXCEPT ALL SELECT x, y FROM b

-- query nested DIFFERENTIAL
-- expect-mode DIFFERENTIAL
(SELECT x, y FROM a EXCEPT SELECT x, y FROM c) INTERSECT (SELECT x, y FROM b UNION SELECT x, y FROM c)

-- query except_of_except DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x FROM a EXCEPT ALL (SELECT x FROM b EXCEPT ALL SELECT x FROM c)

-- query aggregated DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT q.y, count(*) AS n FROM (SELECT x, y FROM a EXCEPT ALL SELECT x, y FROM b) q GROUP BY q.y

-- query filtered DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT q.x FROM (SELECT x, y FROM a INTERSECT SELECT x, y FROM b) q WHERE q.y <> 'y1'

-- query constants DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x FROM a INTERSECT VALUES (1), (3), (NULL)

-- query joined DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.x, c.y FROM c JOIN (SELECT x FROM a UNION SELECT x FROM b) u ON u.x = c.x

-- step
DELETE FROM a WHERE x = 1;
DELETE FROM b WHERE x = 1;
INSERT INTO c VALUES (3, 'y0'), (3, 'y0'), (3, 'y0');

-- step
UPDATE a SET x = x + 1 WHERE y = 'y2';
UPDATE b SET y = 'y1' WHERE x IS NULL;
DELETE FROM c WHERE x IS NULL;

-- step
DELETE FROM b;
INSERT INTO a SELECT * FROM a;

-- step
TRUNCATE a;
INSERT INTO b VALUES (1, 'y1', 1), (1, 'y1', 1), (NULL, NULL, NULL);

-- step
INSERT INTO a VALUES (1, 'y1', 1), (NULL, NULL, NULL), (NULL, NULL, 2), (7, 'seven', 7);
