-- Outer values that are equal but written differently are told apart where a subquery shows how they are written.
-- setup
CREATE TABLE t (id int PRIMARY KEY, n numeric, f float8);
CREATE TABLE u (k numeric, x int);
INSERT INTO t VALUES (1, 1.0, 0), (2, 1.00, '-0'), (3, 1, 5), (4, NULL, NULL), (5, 2.50, 1.5), (6, 2.5, 1.5);
INSERT INTO u VALUES (1, 10), (1.0, 20), (2.5, 30), (2.500, 40);

-- query shown DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.n, (SELECT string_agg(t.n::text || ':' || u.x, ',' ORDER BY u.x) FROM u WHERE u.k = t.n) AS texts FROM t

-- query compared DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, (SELECT sum(u.x) FROM u WHERE u.k = t.n) AS total, t.f IN (SELECT u.x FROM u WHERE u.k >= t.n) AS has FROM t

-- query computed DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT q.id, (SELECT max(q.m::text || u.x) FROM u WHERE u.k < q.m) AS top FROM (SELECT t.id, t.n * 1.0 AS m FROM t) q

-- step
INSERT INTO u VALUES (1.000, 50);
UPDATE t SET n = 1.000 WHERE id = 1;

-- step
DELETE FROM t WHERE id = 2;
DELETE FROM u WHERE x = 20;

-- step
UPDATE t SET n = 2.5 WHERE id = 5;
