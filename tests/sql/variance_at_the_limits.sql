-- Variances of numerics whose squares do not fit into a numeric: PostgreSQL adds them up in a wider type. (Its own regression suite)
-- setup
CREATE TABLE n (id int PRIMARY KEY, g int, x numeric);
INSERT INTO n VALUES (1, 1, 1.5), (2, 1, 2.25), (3, 1, 4), (4, 2, '9e131071'), (5, 2, '9e131071'), (6, 3, 'Infinity'), (7, 3, 1),
                     (8, 4, '1e-1200'), (9, 4, '3e-1200'), (10, 5, 'NaN'), (11, 5, '1e66000'), (12, 6, '1e999'), (13, 6, '-1e999');

-- query by_group DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT g, count(*) AS c, var_pop(x) AS vp, stddev_pop(x) AS sp FROM n WHERE g <> 2 OR x < 5 GROUP BY g

-- query same_values DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT g, var_pop(x) AS vp, var_samp(x) AS vs, stddev(x) FILTER (WHERE id <> 4) AS sd FROM n WHERE g < 3 GROUP BY g

-- query over_all DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT variance(x) AS v, avg(x) AS a FROM n WHERE g IN (1, 4)

-- step
INSERT INTO n VALUES (20, 1, 7.125), (21, 4, '1e-1100'), (22, 3, 5), (23, 6, 3);

-- step a value at the limit comes
INSERT INTO n VALUES (24, 1, '1e1000'), (25, 4, 2);

-- step and one that is another way
UPDATE n SET x = '1e65000' WHERE id = 24;

-- step
DELETE FROM n WHERE id IN (24, 10, 8, 9, 21);

-- step
UPDATE n SET x = 3 WHERE g IN (3, 5, 6);

-- step
DELETE FROM n WHERE g = 1 OR id = 4;
