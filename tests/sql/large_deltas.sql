-- Joins of all kinds with thousands of pending rows, so that they are planned for their size; batches in which one
-- source changes a lot and another one little or not at all; delta tables of inner nodes that grow and are cleared.
-- setup
CREATE TABLE s (id int PRIMARY KEY, nation int NOT NULL);
CREATE TABLE o (id int PRIMARY KEY, s int, day int);
CREATE TABLE l (o int NOT NULL, n int, qty numeric, PRIMARY KEY (o, n));
CREATE TABLE doc (o int, j json);
CREATE INDEX ON o (s);
CREATE INDEX ON doc (o);
INSERT INTO s SELECT i, i % 5 FROM generate_series(1, 40) i;
INSERT INTO o SELECT i, i % 45, i % 30 FROM generate_series(1, 4000) i;
INSERT INTO l SELECT i / 3, i % 3, i % 50 FROM generate_series(1, 12000) i;
INSERT INTO doc SELECT i % 4000, to_json(i % 7) FROM generate_series(1, 2000) i;

-- query inner_joins DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT s.nation, o.day, count(*) AS n, sum(l.qty) AS q FROM s, o, l WHERE o.s = s.id AND l.o = o.id GROUP BY s.nation, o.day

-- query outer_join DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, l.n, l.qty FROM o LEFT JOIN l ON l.o = o.id AND l.qty > 25

-- query anti_join DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, s.nation FROM o, s WHERE s.id = o.s AND NOT EXISTS (SELECT 1 FROM l WHERE l.o = o.id AND l.qty > o.day)

-- query nodes DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.c, count(*) AS n FROM (SELECT o.id, count(l.n) AS c FROM o LEFT JOIN l ON l.o = o.id GROUP BY o.id) t GROUP BY t.c

-- query values DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, (SELECT sum(l.qty) FROM l WHERE l.o = o.id) AS q FROM o WHERE o.day < 10

-- query documents DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.day, d.j::text AS j FROM o, doc d WHERE d.o = o.id

-- query halves DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x.id, x.w FROM (SELECT o.id, o.s AS w FROM o UNION ALL SELECT l.o, l.n FROM l) x, s WHERE s.id = x.w

-- step
UPDATE l SET qty = qty + 1 WHERE o % 2 = 0;
UPDATE s SET nation = nation + 1 WHERE id = 7;

-- step
UPDATE o SET day = day + 1;
DELETE FROM l WHERE n = 2 AND o > 2000;
DELETE FROM s WHERE id > 35;
UPDATE doc SET j = to_json(o % 3);

-- step
UPDATE s SET nation = nation + 1;

-- step
UPDATE l SET qty = 50 - qty WHERE o % 10 < 9;
INSERT INTO o SELECT i, i % 45, i % 30 FROM generate_series(5001, 5600) i;
INSERT INTO l SELECT i, 1, i % 50 FROM generate_series(5001, 5600) i;

-- step
DELETE FROM o WHERE id % 3 = 0;
DELETE FROM l WHERE o % 6 = 0;

-- step
UPDATE l SET n = n + 10;

-- step
UPDATE s SET nation = 0 WHERE id = 1;
