-- A relation of the user's with the name under which generated SQL knows the row around a subquery.
-- setup
CREATE TABLE o (id int PRIMARY KEY, k int);
CREATE TABLE i (id int PRIMARY KEY, k int, y int);
CREATE TABLE "pgt outer" (id int PRIMARY KEY, k int, y int);
INSERT INTO o SELECT g, g % 4 FROM generate_series(1, 12) g;
INSERT INTO i SELECT g, g % 3, g FROM generate_series(1, 20) g;
INSERT INTO "pgt outer" SELECT g, g % 3, g FROM generate_series(1, 20) g;

-- query in_expression AUTO
-- expect-mode FULL
SELECT o.id, (SELECT max("pgt outer".y) FROM i "pgt outer" WHERE "pgt outer".k = o.k) AS y FROM o

-- query in_from AUTO
-- expect-mode FULL
SELECT o.id, l.y FROM o, LATERAL (SELECT "pgt outer".y FROM i "pgt outer" WHERE "pgt outer".k = o.k) l

-- query a_table AUTO
-- expect-mode FULL
SELECT o.id, (SELECT count(*) FROM "pgt outer" WHERE "pgt outer".k = o.k) AS n FROM o

-- query elsewhere DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, p.y FROM o JOIN i p ON p.k = o.k

-- query refused DIFFERENTIAL
-- expect-error pgt outer
SELECT o.id, l.y FROM o, LATERAL (SELECT max(q.y) AS y FROM (SELECT i.k, i.y FROM i) "pgt outer" (k, y), i q WHERE q.k = o.k) l

-- step
UPDATE o SET k = k + 1 WHERE id < 5

-- step
DELETE FROM i WHERE id % 2 = 0; UPDATE "pgt outer" SET k = 2, y = 100 WHERE id > 15
