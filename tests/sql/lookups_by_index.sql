-- Plans that exist only with indexes: EXISTS evaluated row by row in an Apply, NULL-safe joins in the server's spelling, an
-- expression over the single row of a global aggregate that turns rows.
-- setup
CREATE TABLE o (id int PRIMARY KEY, k int, x int);
CREATE TABLE i (id int PRIMARY KEY, k int, y int);
CREATE INDEX ON o (k);
CREATE INDEX ON i (k);
INSERT INTO o SELECT n, NULLIF(n % 7, 3), n % 5 FROM generate_series(1, 30) n;
INSERT INTO i SELECT n, NULLIF(n % 9, 4), n % 4 FROM generate_series(1, 30) n;

-- query exists_or DIFFERENTIAL
SELECT o.id FROM o WHERE o.x = 3 OR EXISTS (SELECT FROM i WHERE i.k = o.k AND i.y > 1)

-- query exists_forms DIFFERENTIAL
SELECT o.id, EXISTS (SELECT i.y FROM i WHERE i.k = o.k ORDER BY i.y LIMIT 1) AS a, EXISTS (SELECT DISTINCT i.y FROM i WHERE i.k = o.k) AS b,
  EXISTS (SELECT count(*) FROM i WHERE i.k = o.k HAVING count(*) > 3) AS c, EXISTS (SELECT FROM i WHERE i.k = o.k ORDER BY i.id OFFSET 3) AS d,
  NOT EXISTS (SELECT FROM i WHERE i.k = o.k UNION ALL SELECT FROM i WHERE i.k = o.k AND i.y = 0) AS e FROM o

-- query not_in_or DIFFERENTIAL
SELECT o.id FROM o WHERE o.x = 3 OR o.k NOT IN (SELECT i.k FROM i WHERE i.y > 2)

-- query null_safe DIFFERENTIAL
SELECT o.id, i.id AS other FROM o JOIN i ON o.k IS NOT DISTINCT FROM i.k

-- query null_safe_where DIFFERENTIAL
SELECT o.id, i.id AS other FROM o, i WHERE NOT (o.k IS DISTINCT FROM i.k) AND o.x IS NOT DISTINCT FROM 2

-- query null_safe_left DIFFERENTIAL
SELECT o.id, i.id AS other FROM o LEFT JOIN i ON o.k IS NOT DISTINCT FROM i.k AND i.y > 1

-- query turned DIFFERENTIAL
SELECT o.id FROM o WHERE o.x * 10 > (SELECT 8 * avg(i.y) + 1 FROM i)

-- query turned_to_the_same DIFFERENTIAL
SELECT o.id FROM o WHERE o.x > (SELECT sum(i.y) / 100 FROM i)

-- step
UPDATE i SET y = y + 1 WHERE id < 9;
UPDATE o SET k = NULL WHERE id % 6 = 0;

-- step both sides
UPDATE i SET k = NULL WHERE id % 5 = 0;
DELETE FROM o WHERE id % 7 = 0;
INSERT INTO o VALUES (100, NULL, 4), (101, 2, NULL);

-- step the subqueries are empty
DELETE FROM i;

-- step and have rows again
INSERT INTO i VALUES (1, 2, 3), (2, NULL, NULL);
