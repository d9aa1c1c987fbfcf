-- IN, NOT IN, = ANY and <> ALL as values: NULLs on either side, no rows, composite values that consist of NULLs, under
-- CASE, NOT and inside of each other.
-- setup
CREATE TYPE pair AS (a int, b int);
CREATE TABLE t (id int PRIMARY KEY, k int, p pair, l text, z numeric);
CREATE TABLE u (k int, p pair, l text, g int NOT NULL, z numeric);
CREATE INDEX ON u (k);
INSERT INTO t SELECT i, CASE WHEN i % 6 = 0 THEN NULL ELSE i % 10 END, CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN (NULL, NULL)::pair WHEN 2 THEN (1, NULL)::pair ELSE (i % 3, 2)::pair END, 'l' || i % 5, i % 4 FROM generate_series(1, 60) i;
INSERT INTO u SELECT i % 7, (i % 2, 2)::pair, 'l' || i % 3, i % 4, i % 3 FROM generate_series(1, 20) i;

-- query plain DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.k IN (SELECT u.k FROM u) AS i, t.k NOT IN (SELECT u.k FROM u WHERE u.g = 2) AS n, t.k <> ALL (SELECT u.k FROM u WHERE u.g > 1) AS a FROM t

-- query composite DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.p IN (SELECT u.p FROM u WHERE u.g < 3) AS i, t.p NOT IN (SELECT u.p FROM u) AS n FROM t

-- query correlated DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, CASE WHEN t.k IN (SELECT u.k FROM u WHERE u.l = t.l) THEN 'in' WHEN NOT t.k IN (SELECT u.k FROM u WHERE u.l = t.l) THEN 'out' ELSE 'unknown' END AS c FROM t

-- query computed DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.k + 1 IN (SELECT u.k FROM u) AS i, t.z IN (SELECT u.z + 0.0 FROM u) AS z, t.l = ANY (SELECT upper(u.l) FROM u) AS f FROM t

-- query limited DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.k IN (SELECT u.k FROM u ORDER BY u.k LIMIT 3) AS i, t.k IN (SELECT DISTINCT u.k FROM u) AS d, t.k IN (SELECT max(u.k) FROM u) AS m FROM t

-- step an inner NULL
INSERT INTO u VALUES (NULL, NULL, NULL, 2, NULL), (3, (NULL, NULL)::pair, 'l1', 1, 1.00);

-- step
DELETE FROM u WHERE k IS NULL;
UPDATE t SET k = NULL WHERE id % 5 = 0;
UPDATE u SET k = k + 1, p = (1, NULL)::pair WHERE g = 1;

-- step
DELETE FROM u WHERE g <> 2;

-- step no inner rows
DELETE FROM u;

-- step
INSERT INTO u VALUES (NULL, NULL, 'l2', 2, 2.0);

-- step
INSERT INTO u SELECT i % 7, (i % 2, i)::pair, 'l' || i % 3, i % 4, i % 3 FROM generate_series(1, 20) i;
UPDATE t SET p = NULL, l = NULL WHERE id % 7 = 0;

-- step
DELETE FROM t WHERE id > 10;
UPDATE u SET k = NULL;
