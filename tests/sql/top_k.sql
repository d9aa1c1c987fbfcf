-- ORDER BY with LIMIT, OFFSET and WITH TIES: top rows deleted, ties, NULLs first and last, fewer rows than the limit,
-- over aggregates and joins, below joins and aggregates.
-- setup
CREATE TABLE t (id int PRIMARY KEY, g int, x int, s text COLLATE "C", num numeric);
CREATE TABLE u (k int, y int);
INSERT INTO t SELECT i, i % 9, CASE WHEN i % 7 = 0 THEN NULL ELSE (i * 37) % 101 END, 's' || i % 23, i % 5 FROM generate_series(1, 150) i;
INSERT INTO u SELECT i % 9, i FROM generate_series(1, 40) i;

-- query top_five DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.x FROM t ORDER BY t.x DESC NULLS LAST, t.id LIMIT 5

-- query nulls_first DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.x, t.s FROM t ORDER BY t.x DESC, t.id DESC LIMIT 30

-- query nulls_last DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.x FROM t ORDER BY t.x, t.id OFFSET 5 LIMIT 10

-- query only_offset DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id FROM t ORDER BY t.s, t.id OFFSET 20

-- query none DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id FROM t ORDER BY t.id LIMIT 0

-- query more_than_there_is DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.y FROM u ORDER BY u.y, u.k LIMIT 60

-- query equal_rows DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k FROM u ORDER BY u.k LIMIT 7

-- query ties DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.s FROM t ORDER BY t.s FETCH FIRST 4 ROWS WITH TIES

-- query ties_descending DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.s, t.x FROM t ORDER BY t.x DESC FETCH FIRST 25 ROWS WITH TIES

-- query ties_offset DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.g FROM t ORDER BY t.g OFFSET 3 FETCH FIRST 20 ROWS WITH TIES

-- query expression DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.x FROM t WHERE t.g > 2 ORDER BY abs(t.x - 50), t.id LIMIT 6

-- query over_aggregate DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.g, sum(t.x) AS total, count(*) AS n FROM t GROUP BY t.g ORDER BY sum(t.x) DESC NULLS LAST, t.g LIMIT 3

-- query over_join DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, u.y FROM t JOIN u ON u.k = t.g ORDER BY u.y DESC, t.id LIMIT 12

-- query below_join DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT l.id, l.x, u.y FROM (SELECT t.id, t.x, t.g FROM t ORDER BY t.x DESC NULLS LAST, t.id LIMIT 8) l JOIN u ON u.k = l.g

-- query below_aggregate DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT count(*) AS n, sum(l.x) AS s, min(l.num) AS m FROM (SELECT t.x, t.num FROM t ORDER BY t.x, t.id LIMIT 8) l

-- query only_counted DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT count(*) AS n FROM (SELECT t.x FROM t WHERE t.g = 4 ORDER BY t.x, t.id LIMIT 8) l

-- step top rows go
DELETE FROM t WHERE id IN (SELECT t.id FROM t ORDER BY t.x DESC NULLS LAST LIMIT 3);
DELETE FROM u WHERE y IN (1, 2, 40);

-- step top rows come
INSERT INTO t VALUES (1000, 4, 500, 's0', 1.0), (1001, 4, 499, 's0', 1.00), (1002, 5, -5, 'a', 2), (1003, 1, NULL, 's22', 0);
INSERT INTO u VALUES (3, 100), (3, 100), (0, -1);

-- step nothing that matters
INSERT INTO t VALUES (1010, 3, 51, 's15', 1);
UPDATE t SET x = 52 WHERE id = 1010;

-- step they move
UPDATE t SET x = 101 - x, s = 't' || s WHERE id % 3 = 0;
UPDATE t SET x = NULL WHERE id % 11 = 0;
UPDATE t SET num = num + 0.00 WHERE id % 2 = 0;

-- step
UPDATE t SET x = 7 WHERE x > 60;

-- step few rows are left
DELETE FROM t WHERE id > 12;
DELETE FROM u WHERE y % 5 <> 0;

-- step
UPDATE t SET x = id, g = 8 - g;

-- step
TRUNCATE u;

-- step
DELETE FROM t;

-- step
INSERT INTO t SELECT i, i % 9, (i * 37) % 101, 's' || i % 23, i % 5 FROM generate_series(1, 60) i;
INSERT INTO u SELECT i % 9, i FROM generate_series(1, 40) i;
