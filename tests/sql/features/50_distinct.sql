-- group DISTINCT
-- setup
CREATE TABLE t (id int PRIMARY KEY, g int, x int, s text);
CREATE TABLE u (k int, y int);
INSERT INTO t SELECT i, NULLIF(i % 5, 4), i % 7, 's' || i % 3 FROM generate_series(1, 28) i;
INSERT INTO u SELECT i % 4, i % 3 FROM generate_series(1, 12) i;

-- query plain DIFFERENTIAL
-- feature SELECT DISTINCT
SELECT DISTINCT t.g, t.s FROM t

-- query expressions DIFFERENTIAL
-- feature DISTINCT of expressions
SELECT DISTINCT t.x % 2 AS parity, upper(t.s) AS s FROM t

-- query over_join DIFFERENTIAL
-- feature DISTINCT over a join
SELECT DISTINCT t.g, u.y FROM t JOIN u ON u.k = t.g

-- query over_aggregate DIFFERENTIAL
-- feature DISTINCT over an aggregate
SELECT DISTINCT count(*) AS n FROM t GROUP BY t.g

-- query below DIFFERENTIAL
-- feature DISTINCT below an aggregate or a join
SELECT q.g, count(*) AS n FROM (SELECT DISTINCT t.g, t.x FROM t) q GROUP BY q.g

-- query sorted DIFFERENTIAL
-- feature DISTINCT with ORDER BY and LIMIT
SELECT DISTINCT t.g, t.x FROM t ORDER BY t.g NULLS FIRST, t.x DESC LIMIT 6

-- query on_keys DIFFERENTIAL
-- feature DISTINCT ON .. ORDER BY
SELECT DISTINCT ON (t.g) t.g, t.id, t.x FROM t ORDER BY t.g, t.x DESC, t.id

-- query on_expression DIFFERENTIAL
-- feature DISTINCT ON (expression)
SELECT DISTINCT ON (t.x % 3) t.id, t.x FROM t ORDER BY t.x % 3, t.id DESC

-- query on_unordered DIFFERENTIAL
-- feature DISTINCT ON of a whole row's key, without ORDER BY
SELECT DISTINCT ON (u.k, u.y) u.k, u.y FROM u

-- query on_below DIFFERENTIAL
-- feature DISTINCT ON below a join
SELECT q.g, q.id, u.y FROM (SELECT DISTINCT ON (t.g) t.g, t.id FROM t ORDER BY t.g, t.id DESC) q JOIN u ON u.k = q.g

-- query on_over_join DIFFERENTIAL
-- feature DISTINCT ON over a join
SELECT DISTINCT ON (u.k) u.k, t.id FROM t JOIN u ON u.k = t.g ORDER BY u.k, t.x, t.id

-- step
DELETE FROM t WHERE id % 3 = 0;
INSERT INTO t VALUES (100, 1, 99, 's0'), (101, NULL, NULL, NULL), (102, 8, 1, 's8');
DELETE FROM u WHERE y = 1;

-- step
UPDATE t SET x = 7 - x, g = 3 WHERE g = 2;
INSERT INTO u VALUES (8, 8), (8, 8), (NULL, NULL);

-- step
DELETE FROM t;
