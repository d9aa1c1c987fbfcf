-- A scalar subquery that would return two rows is an error only for rows that ask for it.
-- setup
CREATE TABLE t (id int PRIMARY KEY, a int);
CREATE TABLE u (k int, y int);
INSERT INTO t VALUES (1, 1), (2, 2);
INSERT INTO u VALUES (1, 10), (2, 20);

-- query one DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, (SELECT u.y FROM u WHERE u.k = t.a) AS y FROM t

-- step
UPDATE u SET y = 11 WHERE k = 1;

-- step
INSERT INTO u VALUES (3, 30), (3, 31);

-- step
DELETE FROM u WHERE k = 3 AND y = 30;
INSERT INTO t VALUES (3, 3);

-- step
UPDATE t SET a = 1;
INSERT INTO u VALUES (3, 32), (2, 21);
