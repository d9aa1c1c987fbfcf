-- LIMIT and DISTINCT ON where rows tie: the table holds one of the right answers, and stays with it.
-- setup
CREATE TABLE t (id int PRIMARY KEY, g int, x int, j json);
INSERT INTO t SELECT i, i % 3, i % 4, json_build_object('i', i % 5) FROM generate_series(1, 40) i;

-- query top DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT g, x, id FROM t ORDER BY x DESC LIMIT 5

-- query top_json DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x, j FROM t ORDER BY x LIMIT 7 OFFSET 3

-- query firsts DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT ON (g) g, x, id FROM t ORDER BY g, x

-- query below DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT q.g, count(*) AS n, sum(q.id) AS ids FROM (SELECT g, id FROM t ORDER BY x LIMIT 6) q GROUP BY q.g

-- step
UPDATE t SET x = x + 1 WHERE id % 5 = 0;
DELETE FROM t WHERE id < 6;

-- step
INSERT INTO t SELECT i, i % 3, 4, '{"i": 9}' FROM generate_series(100, 110) i;

-- step
DELETE FROM t WHERE x > 2;
