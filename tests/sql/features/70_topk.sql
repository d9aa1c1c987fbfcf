-- group ORDER BY and LIMIT
-- setup
CREATE TABLE t (id int PRIMARY KEY, g int, x int, s text);
CREATE TABLE u (k int, y int);
INSERT INTO t SELECT i, i % 5, NULLIF((i * 37) % 31, 7), 's' || i % 6 FROM generate_series(1, 40) i;
INSERT INTO u SELECT i % 5, i FROM generate_series(1, 15) i;

-- query unlimited DIFFERENTIAL
-- feature ORDER BY without LIMIT
SELECT t.id, t.x FROM t ORDER BY t.x DESC, t.id

-- query limited DIFFERENTIAL
-- feature ORDER BY .. LIMIT
SELECT t.id, t.x FROM t ORDER BY t.x, t.id LIMIT 5

-- query with_offset DIFFERENTIAL
-- feature ORDER BY .. LIMIT .. OFFSET
SELECT t.id, t.x FROM t ORDER BY t.x, t.id LIMIT 5 OFFSET 3

-- query only_offset DIFFERENTIAL
-- feature ORDER BY .. OFFSET
SELECT t.id, t.x FROM t ORDER BY t.x, t.id OFFSET 30

-- query fetch_first DIFFERENTIAL
-- feature FETCH FIRST
SELECT t.id FROM t ORDER BY t.id DESC FETCH FIRST 4 ROWS ONLY

-- query with_ties DIFFERENTIAL
-- feature FETCH FIRST .. WITH TIES
SELECT t.id, t.s FROM t ORDER BY t.s FETCH FIRST 4 ROWS WITH TIES

-- query nulls_first DIFFERENTIAL
-- feature NULLS FIRST
SELECT t.id, t.x FROM t ORDER BY t.x NULLS FIRST, t.id LIMIT 5

-- query nulls_last DIFFERENTIAL
-- feature NULLS LAST
SELECT t.id, t.x FROM t ORDER BY t.x DESC NULLS LAST, t.id LIMIT 5

-- query by_expression DIFFERENTIAL
-- feature ORDER BY expression, position, output name
SELECT t.id, t.x % 4 AS m FROM t ORDER BY m, abs(t.x - 20), 1 LIMIT 6

-- query by_hidden DIFFERENTIAL
-- feature ORDER BY a column that is not selected
SELECT t.s, t.id FROM t ORDER BY t.x DESC NULLS LAST, t.id LIMIT 6

-- query by_operator DIFFERENTIAL
-- feature ORDER BY .. USING
SELECT t.id FROM t ORDER BY t.id USING > LIMIT 3

-- query over_join DIFFERENTIAL
-- feature LIMIT over a join
SELECT t.id, u.y FROM t JOIN u ON u.k = t.g ORDER BY u.y DESC, t.id LIMIT 7

-- query over_aggregate DIFFERENTIAL
-- feature LIMIT over an aggregate
SELECT t.g, sum(t.x) AS total FROM t GROUP BY t.g ORDER BY sum(t.x) DESC NULLS LAST, t.g LIMIT 2

-- query below_join DIFFERENTIAL
-- feature LIMIT below a join
SELECT l.id, u.y FROM (SELECT t.id, t.g FROM t ORDER BY t.x DESC NULLS LAST, t.id LIMIT 6) l JOIN u ON u.k = l.g

-- query below_aggregate DIFFERENTIAL
-- feature LIMIT below an aggregate
SELECT count(*) AS n, sum(l.x) AS s FROM (SELECT t.x FROM t ORDER BY t.x, t.id LIMIT 8) l

-- query twice DIFFERENTIAL
-- feature LIMIT of a LIMIT
SELECT l.id FROM (SELECT t.id, t.x FROM t ORDER BY t.x, t.id LIMIT 9) l ORDER BY l.id DESC LIMIT 3

-- query limit_all DIFFERENTIAL
-- feature LIMIT ALL, LIMIT NULL
SELECT t.id FROM t ORDER BY t.id LIMIT ALL

-- query limit_constant_subquery DIFFERENTIAL
-- feature LIMIT by a subquery of constants
SELECT t.id FROM t ORDER BY t.id LIMIT (SELECT 3)

-- query offset_zero DIFFERENTIAL
-- feature OFFSET 0, with or without ORDER BY
SELECT t.id, t.x FROM t OFFSET 0

-- query limit_zero DIFFERENTIAL
-- feature LIMIT 0, with or without ORDER BY
SELECT t.id, t.x FROM t LIMIT 0

-- step the top goes
DELETE FROM t WHERE id IN (SELECT id FROM t ORDER BY x LIMIT 3) OR id IN (SELECT id FROM t ORDER BY x DESC NULLS LAST LIMIT 2);
DELETE FROM u WHERE y > 12;

-- step a new top comes
INSERT INTO t VALUES (100, 1, -5, 'a'), (101, 2, 99, 'a'), (102, 3, NULL, 's0');
INSERT INTO u VALUES (1, 50), (2, 50);

-- step
UPDATE t SET x = 30 - x, s = 't' || s WHERE id % 2 = 0;

-- step few are left
DELETE FROM t WHERE id > 4;
