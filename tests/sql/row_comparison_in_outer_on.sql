-- ON of an outer join compares a row with a subquery of several columns: the comparison is the value, not the subquery.
-- setup
CREATE TABLE t (k int, id int);
CREATE TABLE u (k int, g int);
INSERT INTO t VALUES (1, 1), (2, 1), (3, NULL);
INSERT INTO u VALUES (1, 1), (2, 5), (4, 4);

-- query left_side DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a.k, a.id, b.g FROM t a RIGHT JOIN u b ON a.k = b.k AND ((a.k, a.id) <> (SELECT s.k, s.g FROM u s WHERE s.g = a.id ORDER BY 1, 2 LIMIT 1)) IS NOT TRUE

-- query right_side DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a.k, b.g FROM t a FULL JOIN u b ON a.k = b.k AND (b.k, b.g) = (SELECT s.k, max(s.id) FROM t s WHERE s.k = b.k GROUP BY s.k)

-- query both_sides
-- expect-mode DIFFERENTIAL
SELECT a.k, b.g FROM t a LEFT JOIN u b ON (a.k, b.g) = (SELECT s.k, s.id FROM t s ORDER BY 1, 2 LIMIT 1)

-- step
INSERT INTO t VALUES (2, 5), (4, 4);
UPDATE u SET g = 1 WHERE k = 2;

-- step
DELETE FROM t WHERE k = 1;
DELETE FROM u WHERE k = 4;
