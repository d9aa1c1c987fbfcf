-- Subqueries in expressions: scalar, EXISTS, IN, ANY and ALL, correlated and not, under OR and CASE, in WHERE and in the
-- select list; NULLs on both sides, duplicates, both tables changed in one batch.
-- setup
CREATE TABLE t (id int PRIMARY KEY, a int, b text, c int NOT NULL, num numeric, doc json);
CREATE TABLE u (k int, l text, y int, z numeric NOT NULL);
INSERT INTO t SELECT i, CASE WHEN i % 9 = 0 THEN NULL ELSE i % 12 END, CASE WHEN i % 10 = 0 THEN NULL ELSE 'b' || i % 5 END, i % 7, i % 4, to_json(i % 3) FROM generate_series(1, 120) i;
INSERT INTO u SELECT i % 15, 'b' || i % 7, i, i FROM generate_series(1, 60) i;

-- query scalar_agg DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, (SELECT sum(u.y) FROM u WHERE u.k = t.a) AS s, (SELECT count(*) FROM u WHERE u.l = t.b AND u.k = t.c) AS n FROM t

-- query scalar_bag DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.a, (SELECT max(u.z) FROM u WHERE u.k = t.a AND u.y > t.c) AS s FROM t

-- query in_where DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.a FROM t WHERE t.a IN (SELECT u.k FROM u WHERE u.y > 20)

-- query not_in DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.a FROM t WHERE t.a NOT IN (SELECT u.k FROM u WHERE u.y > 40)

-- query not_in_text DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.b NOT IN (SELECT u.l FROM u WHERE u.k = t.c) AS v, t.b IN (SELECT u.l FROM u) AS w FROM t

-- query not_equal_all DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id FROM t WHERE t.c <> ALL (SELECT u.k FROM u WHERE u.y < 30) OR t.a >= ALL (SELECT u.k FROM u WHERE u.y > 55)

-- query any_less DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.a < ANY (SELECT u.k FROM u WHERE u.l = 'b1') AS x FROM t

-- query exists_or DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, CASE WHEN EXISTS (SELECT 1 FROM u WHERE u.k = t.a AND u.y % 2 = 0) THEN 'even' ELSE t.b END AS e FROM t WHERE t.c = 3 OR NOT EXISTS (SELECT 1 FROM u WHERE u.k = t.c)

-- query unequal DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, (SELECT count(*) FROM u WHERE u.k < t.a) AS below FROM t

-- query uncorrelated DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, t.c FROM t WHERE t.c > (SELECT avg(u.k) / 2 FROM u)

-- query uncorrelated_value DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.a, (SELECT max(u.y) FROM u) AS top, EXISTS (SELECT 1 FROM u WHERE u.k = 14) AS e FROM t

-- query numeric_json DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, (SELECT max(u.z) FROM u WHERE u.z = t.num) AS z, (SELECT count(*) FROM u WHERE u.k = (t.doc #>> '{}')::int) AS n FROM t

-- query json_value DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, (SELECT json_agg(u.y ORDER BY u.y) FROM u WHERE u.k = t.a) AS ys FROM t

-- query below_aggregate DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.b, sum((SELECT count(*) FROM u WHERE u.k = t.a)) AS n FROM t GROUP BY t.b

-- query two_tables DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, x.y, (SELECT count(*) FROM u WHERE u.k = t.a AND u.y = x.y) AS n FROM t JOIN u x ON x.k = t.c

-- query captured_names DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT s.id, (SELECT count(m.y) FROM u m WHERE m.k = s.c) AS m, (SELECT sum(x.y) FROM u x WHERE x.k = s.c) AS x FROM t s

-- step outer and inner in one batch
INSERT INTO t SELECT i, i % 14, 'b' || i % 6, i % 8, i, to_json(i % 4) FROM generate_series(1000, 1030) i;
DELETE FROM u WHERE k = 3;
UPDATE u SET y = y + 100 WHERE k = 4;

-- step an inner NULL
INSERT INTO u VALUES (NULL, NULL, 45, 1), (5, NULL, 50, 2), (NULL, 'b1', NULL, 2);

-- step the outer key changes
UPDATE t SET a = a + 1 WHERE id % 7 = 0;
UPDATE t SET a = NULL, b = NULL WHERE id % 11 = 0;
UPDATE t SET c = c + 1 WHERE id % 5 = 0;

-- step the inner NULLs go, an equal number is written differently
DELETE FROM u WHERE k IS NULL OR l IS NULL;
UPDATE t SET num = num + 0.00 WHERE id % 3 = 0;
UPDATE u SET z = z + 0.000 WHERE k = 2;

-- step the last outer row of a key goes and another comes
DELETE FROM t WHERE a = 5;
INSERT INTO t VALUES (2000, 5, 'b0', 5, 5, '5'), (2001, 77, NULL, 77, 77, '77');
INSERT INTO u VALUES (77, 'b0', 7, 77);

-- step
DELETE FROM t WHERE a = 77 OR c = 77;
UPDATE u SET k = k + 1;

-- step nothing that anybody sees
UPDATE u SET y = y;
UPDATE u SET y = y + 1 WHERE k = 9;
UPDATE u SET y = y - 1 WHERE k = 9;

-- step inner emptied
DELETE FROM u;

-- step
INSERT INTO u SELECT i % 15, 'b' || i % 7, i, i FROM generate_series(1, 30) i;

-- step
TRUNCATE u;
INSERT INTO u VALUES (1, 'b1', 1, 1), (NULL, 'b2', 60, 2);

-- step
DELETE FROM t WHERE id % 2 = 0;
INSERT INTO u SELECT i % 15, 'b' || i % 7, i, i FROM generate_series(1, 30) i;

-- step
DELETE FROM t;

-- step
INSERT INTO t VALUES (1, 1, 'b1', 1, 1, '1'), (2, NULL, NULL, 2, NULL, NULL);
