-- Queries that are not incremental yet: AUTO recomputes them, exactly, and DIFFERENTIAL refuses with the reason.
-- setup
CREATE TABLE f (id int PRIMARY KEY, g int, x int);
INSERT INTO f SELECT i, i % 5, i FROM generate_series(1, 50) i;

-- query refused DIFFERENTIAL
-- expect-error DIFFERENTIAL is not possible.*LATERAL
SELECT f.id, l.x FROM f, LATERAL (SELECT q.x FROM (SELECT g.id, g.x FROM f g WHERE g.g = f.g ORDER BY g.x LIMIT 1) q) l

-- query lateral_subquery AUTO
-- expect-mode FULL
SELECT f.id, l.x FROM f, LATERAL (SELECT q.x FROM (SELECT g.id, g.x FROM f g WHERE g.g = f.g ORDER BY g.x LIMIT 1) q) l

-- query clock AUTO
-- expect-mode FULL
SELECT id, x FROM f WHERE now() > '2000-01-01'

-- query chance AUTO
-- expect-mode FULL
SELECT id, random() < 2 AS always FROM f

-- query any_three AUTO
-- expect-error LIMIT
SELECT id, x FROM f LIMIT 3

-- query recursive AUTO
-- expect-mode FULL
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT DISTINCT n + 1 FROM r WHERE n < 5) SELECT f.id, r.n FROM f JOIN r ON r.n = f.g

-- step
UPDATE f SET x = 100 - x WHERE id % 3 = 0;

-- step
DELETE FROM f WHERE g = 1;
