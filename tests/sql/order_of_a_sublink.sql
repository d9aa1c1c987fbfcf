-- The order that a subquery in an expression asks for is not that of the rows around it.
-- setup
CREATE TABLE t (a int, b int);
CREATE TABLE u (b int, c int);
INSERT INTO t VALUES (1, 1), (1, 2), (2, 3);
INSERT INTO u VALUES (1, 5), (1, 6), (3, 7);

-- query firsts DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT ON (s.a) s.a, u.c
FROM (SELECT a, count((SELECT c FROM u x WHERE x.b = t.b ORDER BY 1 LIMIT 1)) AS n FROM t GROUP BY a) s JOIN u ON true
ORDER BY s.a, u.c

-- query lists DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT array_agg(s.n) AS all_n FROM (SELECT (SELECT c FROM u x WHERE x.b = t.b ORDER BY 1 LIMIT 1) AS n FROM t WHERE a = 2) s

-- query keys_only DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT ON (1, 2) s.a, s.a + 1 AS more FROM (SELECT a FROM t ORDER BY b) s ORDER BY 1, 2

-- step
INSERT INTO u VALUES (2, 1), (3, 0);

-- step
DELETE FROM u WHERE c = 5; DELETE FROM t WHERE b = 2;
