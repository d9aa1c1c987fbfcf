-- Identifiers and types that are hard to handle.
-- setup
CREATE SCHEMA "Od""d_Schema";
CREATE TABLE "Od""d_Schema"."Tab le" (w int, run int, seq int, xid int, n int, was int, now int, "new_n" int, "select" text, "Ünï ""q" text, changed int, v int,
  a_name_that_is_exactly_sixty_three_bytes_long_0123456789_abcdefg int);
INSERT INTO "Od""d_Schema"."Tab le" SELECT i % 3, i % 4, i, i, i % 5, i % 2, i % 2, i, 's' || i % 3, E'back\\slash ''' || i % 4, i, i % 6, i FROM generate_series(1, 60) i;
CREATE TABLE ty (id int, j json, x xml, p point, jb jsonb, a int[], r int4range, b bytea, i interval, ts timestamptz, bp char(5), vb varbit, tv tsvector, m money);
INSERT INTO ty SELECT i % 5, json_build_object('a', i % 3), ('<a>' || i % 2 || '</a>')::xml, point(i % 2, 1), jsonb_build_object('k', i % 4), ARRAY[i % 2, NULL],
  int4range(i % 3, 10), decode('00ff', 'hex'), make_interval(days => i % 3), '2024-03-31 01:30+00'::timestamptz + make_interval(hours => i), 'ab', B'101', to_tsvector('simple', 'a b'), i::numeric::money
  FROM generate_series(1, 30) i;

-- query "Od""d_Schema"."Odd""ST" DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT * FROM "Od""d_Schema"."Tab le"

-- query odd_groups DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT w, run, was, now, n, "select", max(new_n) AS old_n, count(*) AS need, sum(v) AS "w 2", min("Ünï ""q") AS changed FROM "Od""d_Schema"."Tab le" GROUP BY w, run, was, now, n, "select"

-- query odd_names DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a.v AS w, b.v AS run, a.a_name_that_is_exactly_sixty_three_bytes_long_0123456789_abcdefg, b.a_name_that_is_exactly_sixty_three_bytes_long_0123456789_abcdefg AS x
FROM "Od""d_Schema"."Tab le" a JOIN "Od""d_Schema"."Tab le" b ON a.w = b.n AND a.seq = b.xid + 1

-- query odd_inner DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT s.was, count(*) AS now, sum(s.w) AS w FROM (SELECT was, run, count(*) AS w FROM "Od""d_Schema"."Tab le" GROUP BY was, run) s GROUP BY s.was

-- query types DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT * FROM ty

-- query types_grouped DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, jb, a, r, i, bp, vb, tv, m, count(*) AS n, max(ts) AS ts, count(j) AS j FROM ty GROUP BY id, jb, a, r, i, bp, vb, tv, m

-- query literals DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, '$1 ''$pgt$'' \ "x"' AS t, E'tab\there' AS e, $$a$$ || bp AS d, to_char(ts, 'YYYY-MM-DD HH24:MI TZ') AS c, ts::date AS day, ts::text AS txt, i::text AS itxt FROM ty

-- step
INSERT INTO "Od""d_Schema"."Tab le" (w, n, "select") VALUES (NULL, 1, NULL), (1, NULL, 'x');
UPDATE "Od""d_Schema"."Tab le" SET w = w + 1, "select" = NULL WHERE seq % 7 = 0;
DELETE FROM "Od""d_Schema"."Tab le" WHERE xid % 5 = 0;
INSERT INTO ty (id, j, x, p) VALUES (1, '{"b": 1}', '<b/>', '(3,4)'), (1, '{"b": 1}', '<b/>', '(3,4)');

-- step
UPDATE ty SET j = '{"c":2}', p = '(0,0)' WHERE id = 2;
DELETE FROM ty WHERE ctid = (SELECT min(ctid) FROM ty WHERE id = 1 AND j::text = '{"b": 1}');
DELETE FROM ty WHERE id = 4;

-- step
UPDATE ty SET a = ARRAY[1,2,3], r = 'empty', i = '1 day', ts = NULL, m = NULL;

-- step
DELETE FROM ty;
