-- DISTINCT ON: the first row of a key goes, its successor is in no delta; NULL keys, ties, expressions as keys.
-- setup
CREATE TABLE t (id int PRIMARY KEY, g int, h text, x int, num numeric, doc json);
INSERT INTO t SELECT i, CASE WHEN i % 10 = 0 THEN NULL ELSE i % 12 END, CASE WHEN i % 4 = 0 THEN NULL ELSE 'h' || i % 3 END, (i * 37) % 51, i % 3, to_json(i % 4) FROM generate_series(1, 200) i;
CREATE TABLE u (k int, y int);
INSERT INTO u SELECT i % 9, i FROM generate_series(1, 40) i;

-- query first_by_x DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT ON (t.g) t.g, t.id, t.x, t.doc FROM t ORDER BY t.g, t.x DESC, t.id

-- query two_keys DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT ON (t.g, t.h) t.id, t.h, t.num FROM t ORDER BY t.g, t.h, t.num, t.id DESC

-- query hidden_key DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT ON (t.id % 7) t.id, t.x FROM t ORDER BY t.id % 7, t.x, t.id

-- query equal_rows DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT ON (t.g) t.g, t.h FROM t WHERE t.h = 'h1' ORDER BY t.g

-- query of_join DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT ON (t.id) t.id, u.y FROM t JOIN u ON u.k = t.g ORDER BY t.id, u.y DESC

-- query of_aggregate DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT ON (t.h) t.h, t.g, sum(t.x) AS s FROM t GROUP BY t.h, t.g ORDER BY t.h, sum(t.x) DESC, t.g

-- query below_join DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT l.g, l.id, u.y FROM (SELECT DISTINCT ON (t.g) t.g, t.id FROM t ORDER BY t.g, t.x, t.id) l JOIN u ON u.k = l.g

-- query below_aggregate DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT count(*) AS n, sum(l.x) AS s FROM (SELECT DISTINCT ON (t.g, t.h) t.x FROM t ORDER BY t.g, t.h, t.x, t.id) l

-- query numeric_key DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT ON (t.num) t.id FROM t ORDER BY t.num, t.id

-- step first rows go
DELETE FROM t WHERE id IN (SELECT DISTINCT ON (t.g) t.id FROM t ORDER BY t.g, t.x DESC, t.id);
DELETE FROM t WHERE id < 10;

-- step
INSERT INTO t SELECT i, CASE WHEN i % 3 = 0 THEN NULL ELSE i % 14 END, 'h' || i % 4, i % 60, i, to_json(i) FROM generate_series(1000, 1040) i;
DELETE FROM u WHERE y % 3 = 0;

-- step keys change
UPDATE t SET g = g + 1 WHERE id % 5 = 0;
UPDATE t SET h = NULL WHERE h = 'h1' AND id % 2 = 0;
UPDATE u SET y = -y WHERE k < 4;

-- step written differently
UPDATE t SET num = num + 0.00 WHERE id % 2 = 0;

-- step
UPDATE t SET x = 60 - x;

-- step a key goes
DELETE FROM t WHERE g = 3 OR g IS NULL;
UPDATE t SET h = 'h9' WHERE h IS NULL;

-- step
TRUNCATE u;
DELETE FROM t;

-- step
INSERT INTO t SELECT i, i % 3, NULL, i, i, NULL FROM generate_series(1, 10) i;
INSERT INTO u VALUES (1, 1), (1, 1);
