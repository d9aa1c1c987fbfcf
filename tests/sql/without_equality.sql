-- Types without equality are carried as they are, not through their text, which extra_float_digits = 0 would round.
-- setup
SET extra_float_digits = 0;
CREATE DOMAIN place AS point;
CREATE TABLE p (id int PRIMARY KEY, g int, a point, l lseg, m place, ps point[], j json, x xml);
INSERT INTO p SELECT n, n % 2, point(n / 3.0, sqrt(2)), lseg(point(n / 3.0, 0), point(1.0 / 7, n)), point(0.1 + 0.2, n),
    ARRAY[point(1.0 / 3, n), point(0, 0)], '{"a": 1}', '<a/>' FROM generate_series(1, 6) n;
CREATE TABLE e (id int PRIMARY KEY, f float8);
INSERT INTO e VALUES (1, 0.3), (2, 0.30000000000000004), (3, NULL);

-- query keyed DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, a, l, m, ps, j, x FROM p

-- query bag DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT g, a, l, m, ps, j, x FROM p

-- query coordinates DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT g, a[0] AS x, a[1] AS y, length(l) AS length, m[0] AS mx, (ps[1])[0] AS px FROM p

-- query outer_joined DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT p.g, p.a, p.ps, e.id, e.f FROM p LEFT JOIN e ON e.f > p.a[0] AND e.id < p.id

-- query tuples DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT p.id, (SELECT count(*) FROM e WHERE e.f < p.a[0] AND e.id < p.m[1]) AS n FROM p

-- query points_made DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT point(f, f) AS at, ARRAY[point(f, 0)] AS list FROM e

-- query full_points FULL
-- expect-mode FULL
SELECT g, a, l, ps FROM p

-- query lower DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a[0] AS x, l, ps FROM bag

-- step two points that differ in the last bit only
INSERT INTO e VALUES (4, 0.1), (5, 0.2);
UPDATE p SET a = point(0.1 + 0.2::float8, 1) WHERE id = 1;
UPDATE p SET a = point(0.3, 1) WHERE id = 2;

-- step
DELETE FROM p WHERE id = 2;
DELETE FROM e WHERE id = 2;

-- step
UPDATE p SET a = point(0.3, 1), l = lseg(point(0.1 + 0.2::float8, 0), point(0, 0)) WHERE id = 1;
UPDATE e SET f = 0.30000000000000004 WHERE id = 1;

-- step
DELETE FROM p WHERE id > 3;
