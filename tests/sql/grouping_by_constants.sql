-- Constants and whole rows as keys of grouping sets: NULL in the other sets. (PostgreSQL's own regression suite)
-- setup
CREATE TABLE gs (q1 int, q2 int);
INSERT INTO gs VALUES (1, 10), (1, 20), (2, 5);

-- query by_position
-- expect-mode FULL
SELECT 1 AS x, q1, sum(q2) AS total FROM gs GROUP BY GROUPING SETS (1, 2)

-- query rollup_of_constant
-- expect-mode FULL
SELECT 'a'::text AS x, q1, grouping(q1) AS g, sum(q2) AS total FROM gs GROUP BY ROLLUP (1, 2)

-- query cube_of_expression
-- expect-mode FULL
SELECT 1 + 1 AS x, q1 IS NULL AS y, count(*) AS n FROM gs GROUP BY CUBE (1, 2)

-- query constant_null
-- expect-mode FULL
SELECT NULL::int AS x, q1, count(*) AS n FROM gs GROUP BY GROUPING SETS (1, 2)

-- query constant_in_having
-- expect-mode FULL
SELECT 1 AS x, count(*) AS n FROM gs GROUP BY ROLLUP (1, q1) HAVING count(*) > 1

-- query one_constant_key DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT 1 AS x, q1, sum(q2) AS total FROM gs GROUP BY 1, 2

-- query constant_no_key DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT 1 AS x, q1, sum(q2) AS total FROM gs GROUP BY ROLLUP (q1)

-- query whole_rows
SELECT gs AS r, q1, count(*) AS n FROM gs GROUP BY GROUPING SETS (gs, q1)

-- query whole_row
SELECT gs AS r, count(*) AS n FROM gs GROUP BY gs

-- query expressions
SELECT q1 + 1 AS x, q1, q2, count(*) AS n FROM gs GROUP BY GROUPING SETS ((q1 + 1), (q1, q2))

-- step
INSERT INTO gs VALUES (2, 7), (3, 3);

-- step
DELETE FROM gs WHERE q1 = 1;

-- step
DELETE FROM gs;
