-- Line breaks inside literals and names survive the formatting of the generated SQL, also below a comment that names a
-- source with a quote in its name.
-- setup
CREATE TABLE l (id int PRIMARY KEY, t text, "two
lines" text);
INSERT INTO l SELECT i, 'x' || chr(10) || i, 'a' FROM generate_series(1, 10) i;
CREATE TABLE "it's" (id int PRIMARY KEY, t text);
INSERT INTO "it's" SELECT i, 'x' || chr(10) || i FROM generate_series(1, 10) i;

-- query broken DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, 'one
  two' || t AS x, "two
lines" AS y FROM l WHERE t <> 'x
3'

-- query grouped DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t || '
' AS k, string_agg("two
lines", '
;' ORDER BY id) AS s, count(*) FILTER (WHERE t = 'x
4') AS n FROM l GROUP BY t || '
'

-- query below_a_comment DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, 'one
two' || t AS x FROM "it's" WHERE t <> 'x
3'

-- query recomputed FULL
-- expect-mode FULL
SELECT id, 'a
b' AS c FROM l

-- step
UPDATE "it's" SET t = 'x
3' WHERE id = 5;
INSERT INTO "it's" VALUES (11, 'x
11');

-- step
UPDATE l SET t = 'x
3' WHERE id = 5;
UPDATE l SET t = 'x
4' WHERE id = 3;
