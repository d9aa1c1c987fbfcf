-- A set-returning function makes rows wherever it stands, also where nobody sees its values. (PostgreSQL's own regression suite)
-- setup
CREATE TABLE few (id int PRIMARY KEY, n int);
INSERT INTO few VALUES (1, 2), (2, 3);

-- query in_order_by
-- expect-mode FULL
SELECT id FROM few ORDER BY generate_series(1, 3)

-- query in_order_by_below
-- expect-mode FULL
SELECT count(*) AS n FROM (SELECT id FROM few ORDER BY id, generate_series(1, n)) s

-- query in_order_by_of_groups
-- expect-mode FULL
SELECT n, count(*) AS c FROM few GROUP BY n ORDER BY generate_series(1, 2)

-- query in_order_by_with_distinct_on
-- expect-mode FULL
SELECT DISTINCT ON (id) id FROM few ORDER BY id, generate_series(1, 3)

-- query in_order_by_with_limit
-- expect-mode FULL
SELECT id FROM few ORDER BY id, generate_series(1, 3) LIMIT 4

-- query in_distinct_on
-- expect-mode FULL
SELECT DISTINCT ON (generate_series(1, 3)) id FROM few ORDER BY generate_series(1, 3), id

-- query in_group_by
-- expect-mode FULL
SELECT count(*) AS c FROM few GROUP BY generate_series(1, n)

-- query in_group_by_and_selected
-- expect-mode FULL
SELECT generate_series(1, n) AS i, count(*) AS c FROM few GROUP BY 1

-- query selected_too DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, generate_series(1, n) AS i FROM few ORDER BY generate_series(1, n) DESC

-- query of_an_aggregate DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT generate_series(1, count(*)) AS i FROM few

-- query under_exists
SELECT id FROM few WHERE EXISTS (SELECT generate_series(1, o.n - 2) FROM few o WHERE o.id = few.id)

-- query under_exists_uncorrelated
SELECT id FROM few WHERE EXISTS (SELECT generate_series(1, o.n - 2) FROM few o)

-- query under_in
SELECT id FROM few WHERE id IN (SELECT generate_series(1, o.n - 2) FROM few o)

-- query in_array
SELECT id, ARRAY(SELECT id FROM few o ORDER BY id, generate_series(1, n)) AS ids FROM few

-- step
INSERT INTO few VALUES (3, 1), (4, 0);

-- step
UPDATE few SET n = n - 1 WHERE id < 3;

-- step
DELETE FROM few WHERE id = 1;
