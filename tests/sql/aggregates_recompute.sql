-- Aggregates that are recomputed per affected group.
-- setup
CREATE TABLE e (id int PRIMARY KEY, g text, x int, f float8, j jsonb);
INSERT INTO e SELECT i, CASE WHEN i % 9 = 0 THEN NULL ELSE 'g' || i % 8 END, i % 13, i / 4.0, jsonb_build_object('i', i % 5) FROM generate_series(1, 200) i;
CREATE INDEX ON e (g);

-- query lists DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT g, array_agg(x ORDER BY x, id) AS a, string_agg(x::text, ',' ORDER BY id) AS s, count(DISTINCT x) AS d, sum(f) AS f, avg(f) AS af,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY f) AS p, jsonb_agg(j ORDER BY id) AS j, bit_or(x) AS b, json_agg(x ORDER BY id) AS js, count(*) AS n, sum(x) AS sx, min(x) AS lo
FROM e GROUP BY g

-- query all_of_it DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT sum(f) AS f, count(DISTINCT g) AS groups, string_agg(g, ',' ORDER BY g, id) AS s FROM e

-- step
UPDATE e SET x = x + 1 WHERE id % 10 = 0;
DELETE FROM e WHERE id % 17 = 0;
INSERT INTO e VALUES (1000, 'new', 1, 0.5, '{}'), (1001, NULL, 2, NULL, NULL);

-- step
UPDATE e SET g = 'g1' WHERE g IS NULL;

-- step
DELETE FROM e WHERE g = 'g2';

-- step nothing that is read changes
UPDATE e SET f = f;

-- step
DELETE FROM e;
