-- LIMIT and OFFSET that leave nothing open: OFFSET 0, LIMIT 0, and those of a subquery whose existence alone counts.
-- setup
CREATE TABLE t (id int PRIMARY KEY, g int, x int);
CREATE TABLE u (id int PRIMARY KEY, k int, y int);
INSERT INTO t SELECT i, NULLIF(i % 6, 2), i % 5 FROM generate_series(1, 20) i;
INSERT INTO u SELECT i, NULLIF(i % 5, 3), i % 3 FROM generate_series(1, 20) i;
CREATE VIEW fenced AS SELECT u.k, u.y FROM u WHERE u.y > 0 OFFSET 0;
CREATE VIEW empty AS SELECT u.k, u.y FROM u LIMIT 0;

-- query offset_zero DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.g FROM t OFFSET 0

-- query offset_zero_limit_all DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.g FROM t LIMIT ALL OFFSET 0::bigint

-- query offset_zero_of_a_union DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.g FROM t UNION SELECT u.k FROM u OFFSET 0

-- query limit_zero DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.g FROM t LIMIT 0

-- query limit_zero_offset DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id FROM t LIMIT 0 OFFSET 3

-- query of_a_fenced_view DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, v.y FROM t JOIN fenced v ON v.k = t.g

-- query of_an_empty_view DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, v.y FROM t LEFT JOIN empty v ON v.k = t.g

-- query fenced_subquery DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT q.g, count(*) AS n FROM (SELECT t.g, t.x FROM t WHERE t.x > 1 OFFSET 0) q GROUP BY q.g

-- query offset_zero_with_ties DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.x FROM t ORDER BY t.x OFFSET 0 FETCH FIRST 3 ROWS WITH TIES

-- query exists_limit DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.g AND u.y > 1 LIMIT 1)

-- query not_exists_limit DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.k = t.g AND u.y > 1 LIMIT 3)

-- query exists_limit_zero DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.k = t.g LIMIT 0)

-- query exists_offset DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.g OFFSET 3)

-- query exists_uncorrelated DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.y = 2 LIMIT 1)

-- query exists_offset_uncorrelated DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.y = 2 OFFSET 4)

-- query exists_under_or DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, EXISTS (SELECT 1 FROM u WHERE u.k = t.g AND u.y = 1 LIMIT 1) AS found FROM t

-- query exists_union DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id FROM t WHERE EXISTS (SELECT u.k FROM u WHERE u.k = t.g UNION ALL SELECT u.y FROM u WHERE u.y = t.x LIMIT 1)

-- query scalar_limit AUTO
-- expect-error LIMIT
SELECT t.id, (SELECT u.y FROM u WHERE u.k = t.g LIMIT 1) AS y FROM t

-- query exists_below_open AUTO
-- expect-error LIMIT
SELECT t.id FROM t WHERE EXISTS (SELECT 1 FROM (SELECT u.k FROM u LIMIT 3) q WHERE q.k = t.g)

-- query open_at_last AUTO
-- expect-error LIMIT
SELECT t.id FROM t OFFSET 0 LIMIT 2

-- step
UPDATE u SET y = (y + 1) % 3 WHERE id % 2 = 0;
UPDATE t SET g = NULLIF(g, 1), x = x + 1 WHERE id % 3 = 0;

-- step
DELETE FROM u WHERE y = 2;

-- step
INSERT INTO u VALUES (100, 4, 2), (101, NULL, 2), (102, 1, 1);
DELETE FROM t WHERE id % 4 = 1;

-- step
DELETE FROM u;
