-- Found by sqlsmith: a subquery in FROM inside a subquery outputs an outer column under its own name, while the column
-- that stands for it in the compiled query is called differently.
-- setup
CREATE TABLE a (id int PRIMARY KEY, n int);
CREATE TABLE b (x int, y int);
INSERT INTO a VALUES (1, 1), (2, 2), (3, NULL);
INSERT INTO b VALUES (1, 1), (2, 5);

-- query in_exists DIFFERENTIAL
SELECT s.id FROM (SELECT id, n AS m FROM a) s WHERE EXISTS (SELECT 1 FROM (SELECT s.m, b.y FROM b) q WHERE q.m < q.y)

-- query in_value DIFFERENTIAL
SELECT s.id, (SELECT max(q.m + q.y) FROM (SELECT s.m, b.y FROM b) q) AS largest FROM (SELECT id, n AS m FROM a) s

-- query in_lateral DIFFERENTIAL
SELECT s.id, EXISTS (SELECT q.m FROM b, LATERAL (SELECT s.m, b.x AS z) q WHERE q.m = q.z) AS found
FROM (SELECT id, n AS m FROM a) s

-- step
INSERT INTO b VALUES (7, 7);
UPDATE a SET n = 4 WHERE id = 1;

-- step
DELETE FROM b WHERE x = 2;
UPDATE a SET n = 7 WHERE id = 3;
