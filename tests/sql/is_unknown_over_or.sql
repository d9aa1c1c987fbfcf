-- Tests of truth over conditions of lower precedence: IS UNKNOWN over OR, IS TRUE over NOT, casts of comparisons ...
-- setup
CREATE TABLE t1 (id int PRIMARY KEY, run int, "new" smallint, s text, d timestamptz);
INSERT INTO t1 VALUES (1, 6, 1, 'a', '2020-01-01 00:00Z'), (2, 5, 2, 'b', NULL), (3, NULL, 3, NULL, '2020-06-01 12:00Z'), (4, 6, NULL, '6', '2021-01-01 00:00Z'),
  (5, NULL, NULL, 'a', NULL), (6, NULL, 4, 'b', '2020-01-01 00:00Z');

-- query a_unknown DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id FROM t1 AS b WHERE ((b.run = 6 OR b."new" IS DISTINCT FROM b.id)) IS UNKNOWN

-- query b_not_unknown DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, (run = 6 OR "new" = id) IS NOT UNKNOWN AS x, (run = 6 AND "new" <> id) IS UNKNOWN AS y, (NOT run = 6) IS TRUE AS z FROM t1

-- query c_nested DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id FROM t1 WHERE (NOT ((run = 6 OR s = 'a') IS NOT TRUE)) IS DISTINCT FROM (("new" > 1) IS UNKNOWN) OR (run BETWEEN 5 AND 6) IS NULL

-- query d_cast DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, (run = 6 OR "new" IS NULL)::text AS x, (- run)::text AS y, (-1)::smallint + run AS z, (s || 'x') COLLATE "C" < 'b' AS c, (d AT TIME ZONE 'UTC')::date AS e FROM t1

-- query e_aggregate DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT (run = 6 OR "new" IS DISTINCT FROM id) IS UNKNOWN AS k, count(*) AS n, count(*) FILTER (WHERE (s = 'a' OR run > 5) IS NOT FALSE) AS m,
  bool_or((run = 6 AND "new" = 1) IS UNKNOWN) AS o FROM t1 GROUP BY (run = 6 OR "new" IS DISTINCT FROM id) IS UNKNOWN

-- query f_join DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a.id AS x, b.id AS y FROM t1 a JOIN t1 b ON (a.run = b.run OR a.s = b.s) IS UNKNOWN AND (a.id < b.id) = (a."new" IS NOT NULL)

-- query g_in DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, (run IN (5, 6)) IS UNKNOWN AS a, (s LIKE 'a%') IS NOT TRUE AS b, (s = ANY (ARRAY['a', 'b'])) IS NULL AS c, (run, "new") IS NULL AS d,
  ((run, "new") = (6, 1)) IS UNKNOWN AS e, CASE (run = 6 OR s = 'b') WHEN true THEN 1 WHEN (id = 3 AND s IS NULL) IS UNKNOWN THEN 2 ELSE 3 END AS f, (ARRAY[run, id])[1] AS g FROM t1

-- step
INSERT INTO t1 VALUES (7, NULL, 7, NULL, NULL), (8, 6, NULL, 'b', '2022-02-02 02:02Z'), (9, NULL, 9, 'a', NULL);
UPDATE t1 SET run = NULL WHERE id = 2;

-- step
UPDATE t1 SET "new" = id;

-- step
DELETE FROM t1 WHERE id IN (3, 7);
UPDATE t1 SET run = 6, s = NULL WHERE id > 4;

-- step
UPDATE t1 SET run = NULL, "new" = NULL;
