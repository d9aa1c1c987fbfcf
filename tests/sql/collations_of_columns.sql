-- A column with another collation than its domain, and COLLATE in one arm of a set operation: both are legal, and decide.
-- setup
CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE DOMAIN c_text AS text COLLATE "C";
CREATE DOMAIN ci_text AS text COLLATE ci;
CREATE TABLE t (id int PRIMARY KEY, k c_text COLLATE "POSIX", c ci_text COLLATE "C", p text COLLATE "POSIX", i text COLLATE ci, s text);
CREATE TABLE u (id int PRIMARY KEY, k c_text COLLATE "POSIX", c ci_text, p text COLLATE "C", s text);
INSERT INTO t SELECT n, 'k' || n % 3, 'x', 'p' || n % 2, 'i', 's' || n % 4 FROM generate_series(1, 8) n;
INSERT INTO u SELECT n, 'k' || n % 4, 'X', 'P' || n % 2, 's' || n % 3 FROM generate_series(1, 6) n;

-- query keyed DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, k, c, p FROM t WHERE k < 'k9' AND c = 'x'

-- query bag DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k, c FROM t

-- query grouped DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k, c, count(*) AS n, count(DISTINCT k) AS ks, max(c) AS top FROM t GROUP BY k, c

-- query joined DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, u.id AS uid, u.k, u.c FROM t LEFT JOIN u ON t.k = u.k

-- query top DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k, id FROM t ORDER BY k, id LIMIT 3

-- query values_of DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, (SELECT count(*) FROM u WHERE u.k = t.k) AS n FROM t

-- query on_streams DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k, count(*) AS n FROM bag GROUP BY k

-- query one_arm DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT p FROM t UNION SELECT p COLLATE "POSIX" FROM u

-- query one_arm_all DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT p COLLATE "C" AS p FROM t UNION ALL SELECT p FROM u

-- query either_way DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT p COLLATE "C" AS p FROM t INTERSECT SELECT upper(p) FROM u

-- query without_case DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT lower(p) COLLATE "C" AS p FROM u EXCEPT ALL SELECT p FROM t

-- query arm_decides DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT s COLLATE "default" AS s FROM t UNION SELECT upper(i) FROM t UNION SELECT i FROM t

-- query hidden_collate AUTO
-- expect-mode FULL
SELECT upper(p COLLATE "C") AS p FROM t UNION SELECT p COLLATE "C" FROM u UNION SELECT lower(p) || ('' COLLATE "POSIX") FROM t

-- query filtered_arm DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT q.p FROM (SELECT p FROM t UNION SELECT p COLLATE "POSIX" FROM u) q WHERE q.p < 'p'

-- step
UPDATE t SET k = 'k7', c = 'X', p = 'P1' WHERE id < 4;
INSERT INTO u VALUES (9, 'k7', 'x', 'p0', 'S1');

-- step
DELETE FROM u WHERE id IN (1, 2, 9);
UPDATE t SET i = 'S1', s = 's1' WHERE id = 5;

-- step
DELETE FROM t WHERE k = 'k7';
UPDATE t SET c = 'x', i = 's1';
