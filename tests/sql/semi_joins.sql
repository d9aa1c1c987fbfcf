-- EXISTS and NOT EXISTS as conjuncts of WHERE: several, nested, correlated by equality, by <>, by ranges, or not at all.
-- setup
CREATE TABLE c (id int PRIMARY KEY, name text, region int, payload json);
CREATE TABLE o (id int PRIMARY KEY, cid int, pid int, amount numeric);
CREATE TABLE l (okey int, line int, supp int, late boolean, PRIMARY KEY (okey, line));
CREATE TABLE u (k int, x int, "we""ird" text);
CREATE TABLE v (k bigint, x numeric, t text);
CREATE TABLE z (k int, x int);
CREATE INDEX ON o (cid);
CREATE INDEX ON v (k);
INSERT INTO c SELECT i, 'c' || i, CASE WHEN i % 5 = 0 THEN NULL ELSE i % 4 END, json_build_object('a', i % 3) FROM generate_series(1, 30) i;
INSERT INTO o SELECT i, CASE WHEN i % 11 = 0 THEN NULL ELSE 1 + i % 45 END, 1 + i % 22, i FROM generate_series(1, 60) i;
INSERT INTO l SELECT i / 3, i % 3, i % 4, i % 5 < 2 FROM generate_series(1, 60) i;
INSERT INTO u SELECT CASE WHEN i % 7 = 0 THEN NULL ELSE i % 10 END, i % 4, 'u' || i % 3 FROM generate_series(1, 30) i;
INSERT INTO v SELECT CASE WHEN i % 6 = 0 THEN NULL ELSE i % 13 END, i % 5, 'v' || i % 2 FROM generate_series(1, 24) i;
INSERT INTO v SELECT * FROM v WHERE k < 4;
CREATE DOMAIN positive AS int NOT NULL CHECK (VALUE > 0);
CREATE TABLE "h 1" (w int, run int, dm int, flip int, row_no int, k1 int, a int, b int, t text COLLATE "C", j json, pt point);
CREATE TABLE "h 2" (w int, dm numeric, flip char(4), row_no positive, k1 bigint, a int[], f text, t text COLLATE "C", d date);
INSERT INTO "h 1" SELECT i % 4, i, i % 6, i % 3, i % 5, i % 7, i % 2, i, 'T' || i % 4, json_build_object('x', i % 3), point(i % 2, 1) FROM generate_series(1, 25) i;
INSERT INTO "h 2" SELECT i % 5, i % 4, 'a' || i % 3, 1 + i % 3, i % 9, ARRAY[i % 3, NULL], 'F' || i % 3, 't' || i % 4, '2024-01-01'::date + i % 4 FROM generate_series(1, 20) i;

-- query semi_keyed DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id, c.name FROM c WHERE EXISTS (SELECT 1 FROM o WHERE o.cid = c.id)

-- query anti_keyed DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id, c.payload FROM c WHERE NOT EXISTS (SELECT 1 FROM o WHERE o.cid = c.id)

-- query semi_bag DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u."we""ird", u.x FROM u WHERE EXISTS (SELECT FROM v WHERE v.k = u.k)

-- query anti_bag DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x FROM u WHERE NOT EXISTS (SELECT FROM v WHERE v.k = u.k)

-- query anti_unindexed DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT v.k, v.x FROM v WHERE NOT EXISTS (SELECT FROM u WHERE u.k = v.k AND u.x + 1 = v.x)

-- query semi_unindexed_unequal DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT v.k, v.x FROM v WHERE EXISTS (SELECT FROM u WHERE u.k = v.k AND u.x <> v.x AND u."we""ird" <> 'u1')

-- query semi_filtered DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x FROM u WHERE u.x > 0 AND EXISTS (SELECT FROM v WHERE v.k = u.k AND v.t = 'v1' AND u.x < 3)

-- query anti_filtered DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x FROM u WHERE u.x > 0 AND NOT EXISTS (SELECT FROM v WHERE v.k = u.k AND v.t = 'v1' AND u.x < 3)

-- query anti_only_outer_condition DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x FROM u WHERE NOT EXISTS (SELECT FROM z WHERE u.x = 1)

-- query anti_range DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x FROM u WHERE NOT EXISTS (SELECT FROM v WHERE v.k > u.k)

-- query semi_range DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT v.k, v.x FROM v WHERE EXISTS (SELECT FROM u WHERE v.x BETWEEN u.x AND u.k)

-- query semi_not_distinct DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x FROM u WHERE EXISTS (SELECT FROM v WHERE NOT v.k IS DISTINCT FROM u.k)

-- query anti_or DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x FROM u WHERE NOT EXISTS (SELECT FROM v WHERE v.k = u.k OR v.x = u.k)

-- query semi_uncorrelated DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x FROM u WHERE EXISTS (SELECT FROM z WHERE z.x > 1)

-- query anti_uncorrelated DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x FROM u WHERE NOT EXISTS (SELECT FROM z)

-- query suppliers_who_kept_waiting DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT l1.supp, count(*) AS n FROM l l1 WHERE l1.late AND EXISTS (SELECT FROM l l2 WHERE l2.okey = l1.okey AND l2.supp <> l1.supp)
AND NOT EXISTS (SELECT FROM l l3 WHERE l3.okey = l1.okey AND l3.supp <> l1.supp AND l3.late) GROUP BY l1.supp

-- query several DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id, c.region FROM c WHERE EXISTS (SELECT FROM o WHERE o.cid = c.id) AND NOT EXISTS (SELECT FROM u WHERE u.k = c.region)
AND EXISTS (SELECT FROM v WHERE v.x = c.id % 5)

-- query nested DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id FROM c WHERE EXISTS (SELECT FROM o WHERE o.cid = c.id AND NOT EXISTS (SELECT FROM l WHERE l.okey = o.id))

-- query nested_anti DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id FROM c WHERE NOT EXISTS (SELECT FROM o WHERE o.cid = c.id AND NOT EXISTS (SELECT FROM l WHERE l.okey = o.id AND l.late))

-- query over_join DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.name, o.amount FROM c JOIN o ON o.cid = c.id WHERE NOT EXISTS (SELECT FROM l WHERE l.okey = o.id AND l.supp = c.region)

-- query over_outer_join DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.name, o.amount FROM c LEFT JOIN o ON o.cid = c.id WHERE NOT EXISTS (SELECT FROM l WHERE l.okey = o.id) AND c.region = 1

-- query of_join DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id, c.name FROM c WHERE EXISTS (SELECT FROM o, l WHERE l.okey = o.id AND o.cid = c.id AND l.supp <> c.region)

-- query of_outer_join DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id, c.name FROM c WHERE NOT EXISTS (SELECT FROM o LEFT JOIN l ON l.okey = o.id WHERE o.cid = c.id AND l.supp IS NULL)

-- query of_aggregate DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id, c.name FROM c WHERE EXISTS (SELECT FROM (SELECT cid, count(*) AS n FROM o GROUP BY cid HAVING count(*) > 1) t WHERE t.cid = c.id)

-- query over_aggregate DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.cid, t.n FROM (SELECT cid, count(*) AS n FROM o GROUP BY cid) t WHERE NOT EXISTS (SELECT FROM v WHERE v.k = t.n)

-- query of_union DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x FROM u WHERE EXISTS (SELECT FROM (SELECT k FROM v UNION ALL SELECT k FROM z) s WHERE s.k = u.k)

-- query counted DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT count(*) AS n, sum(u.x) AS total FROM u WHERE NOT EXISTS (SELECT FROM v WHERE v.k = u.k)

-- query distinct_over DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT u.x FROM u WHERE EXISTS (SELECT FROM v WHERE v.k = u.k)

-- query self DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a.k, a.x FROM u a WHERE EXISTS (SELECT FROM u b WHERE b.x = a.k)

-- query self_anti_bigger DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a.k, a.x FROM u a WHERE NOT EXISTS (SELECT FROM u b WHERE b.k = a.k AND b.x > a.x)

-- query by_json DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id, c.payload FROM c WHERE NOT EXISTS (SELECT FROM u WHERE u.x > (c.payload ->> 'a')::int AND u.k = c.region)

-- query by_text_of_number DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT v.k, v.x FROM v WHERE EXISTS (SELECT FROM u WHERE u.k = v.k AND u.x::text <> v.x::text)

-- query odd_names DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x.w, x.run, x.dm, x.flip, x.j FROM "h 1" x WHERE NOT EXISTS (SELECT FROM "h 2" y WHERE x.k1 = y.k1 AND x.w = y.w)

-- query odd_names_unequal DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x.w, x.dm, x.j, x.pt FROM "h 1" x WHERE EXISTS (SELECT FROM "h 2" y WHERE x.dm = y.dm AND x.row_no <> y.row_no AND x.flip < y.k1 AND (x.j ->> 'x')::int <> y.w AND x.pt[0] <> y.k1)

-- query odd_types DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT y.row_no, y.flip, y.a, y.t FROM "h 2" y WHERE NOT EXISTS (SELECT FROM "h 1" x WHERE lower(x.t) = y.t AND ARRAY[x.a, NULL] = y.a)

-- query whole_point DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x.w, x.pt FROM "h 1" x WHERE EXISTS (SELECT FROM "h 2" y WHERE x.pt <@ box(point(0, 0), point(y.w, y.dm)))

-- step both sides lose rows
DELETE FROM "h 1" WHERE w = 2;
DELETE FROM "h 2" WHERE dm = 1;
DELETE FROM c WHERE id <= 6;
DELETE FROM o WHERE cid BETWEEN 4 AND 8;
DELETE FROM u WHERE k IN (1, 2);
DELETE FROM v WHERE k IN (2, 3);
DELETE FROM l WHERE okey % 4 = 0;

-- step both sides gain rows
INSERT INTO c VALUES (100, 'new', 1, '{"a": 5}'), (101, 'new', NULL, NULL), (4, 'again', 2, '{"a": 1}');
INSERT INTO o VALUES (1000, 100, 50, 7), (1001, 101, 50, 8), (1002, 100, NULL, 9), (1003, 4, 3, 10);
INSERT INTO u VALUES (2, 1, 'u9'), (2, 1, 'u9'), (NULL, 1, 'u9'), (77, 2, NULL);
INSERT INTO v VALUES (2, 1, 'v1'), (77, 2.0, NULL), (77, 2.00, 'v1'), (NULL, NULL, NULL);
INSERT INTO z VALUES (1, 1), (2, 2), (NULL, NULL), (77, 1), (77, 1);
INSERT INTO l SELECT 1000 + i / 3, i % 3, i % 2, i % 4 = 1 FROM generate_series(0, 12) i;

-- step the match of equal numbers that are written differently goes
DELETE FROM u WHERE k = 77;

-- step and comes back
INSERT INTO u VALUES (77, 2, NULL);

-- step keys move on both sides
UPDATE "h 1" SET k1 = k1 + 1, dm = dm - 1, t = upper(t), pt = point(2, 1) WHERE w <> 1;
UPDATE "h 2" SET w = w + 1, dm = dm + 1, t = t || 'x', row_no = row_no + 1, flip = 'a1', d = d + 1 WHERE k1 < 5;
UPDATE o SET cid = cid + 1 WHERE id % 3 = 0;
UPDATE c SET region = 3 - region WHERE id % 2 = 0;
UPDATE u SET k = k + 1 WHERE x = 1;
UPDATE v SET k = k - 1 WHERE t = 'v1';
UPDATE l SET supp = supp + 1, late = NOT late WHERE line = 1;

-- step the inner row appears and disappears in one batch, and the other way round
INSERT INTO v SELECT i, i, 'gone' FROM generate_series(1, 20) i;
DELETE FROM v WHERE t = 'gone';
UPDATE v SET k = k + 1000;
UPDATE v SET k = k - 1000;
DELETE FROM l WHERE okey = 1001;
INSERT INTO l VALUES (1001, 0, 1, true), (1001, 1, 0, true);

-- step matched to unmatched
UPDATE v SET k = k + 1000 WHERE k % 2 = 0;
UPDATE o SET cid = cid + 1000 WHERE cid % 2 = 0;
UPDATE z SET x = -x;

-- step and back
UPDATE v SET k = k - 1000 WHERE k > 500;
UPDATE o SET cid = cid - 1000 WHERE cid > 1000;
UPDATE z SET x = -x;

-- step one of several matches goes
DELETE FROM "h 2" WHERE k1 % 2 = 0;
INSERT INTO "h 1" SELECT * FROM "h 1" WHERE b % 3 = 0;
DELETE FROM v WHERE ctid IN (SELECT min(ctid) FROM v GROUP BY k);
DELETE FROM l WHERE line = 2;

-- step only values change
UPDATE "h 2" SET row_no = row_no + 1, f = f || 'x';
UPDATE "h 1" SET run = run + 1, t = t || 'x', j = json_build_object('x', 2);
UPDATE v SET x = x + 1;
UPDATE u SET x = x + 1;

-- step NULL keys appear and disappear
UPDATE u SET k = CASE WHEN k IS NULL THEN 3 WHEN k = 3 THEN NULL ELSE k END;
UPDATE v SET k = CASE WHEN k IS NULL THEN 4 WHEN k = 4 THEN NULL ELSE k END;

-- step equal numbers that are written differently
UPDATE v SET x = x + 0.000;

-- step
DELETE FROM z;

-- step
INSERT INTO z VALUES (1, 1), (1, 1), (5, 2);

-- step everything at once
DELETE FROM "h 1" WHERE b % 4 = 0;
UPDATE "h 2" SET k1 = k1 + 1, dm = dm + 0.00;
INSERT INTO "h 2" SELECT * FROM "h 2" WHERE w = 1;
UPDATE "h 1" SET row_no = row_no + 1, w = w + 1, j = NULL WHERE b % 5 = 0;
DELETE FROM o WHERE id % 2 = 0;
INSERT INTO o SELECT i, 1 + i % 45, 1 + i % 22, i FROM generate_series(2000, 2050) i;
DELETE FROM c WHERE id % 3 = 0;
UPDATE c SET region = region + 1;
INSERT INTO u SELECT i % 12, i % 3, 'u' || i % 2 FROM generate_series(1, 20) i;
DELETE FROM u WHERE x = 2;
INSERT INTO v SELECT i % 12, i % 3, 'v' || i % 2 FROM generate_series(1, 20) i;
DELETE FROM v WHERE x = 1;
UPDATE l SET supp = 3 - supp, late = NOT late;

-- step
TRUNCATE v;
INSERT INTO v VALUES (1, 1, 'v1');

-- step
TRUNCATE u, z, l;

-- step
INSERT INTO u SELECT i % 8, i % 3, 'u' || i % 2 FROM generate_series(1, 20) i;
INSERT INTO l SELECT i / 3, i % 3, i % 4, i % 5 < 2 FROM generate_series(1, 60) i;
TRUNCATE v;

-- step
DELETE FROM c;
DELETE FROM o;

-- step
INSERT INTO c SELECT i, 'c' || i, i % 4, NULL FROM generate_series(1, 10) i;
INSERT INTO o SELECT i, i / 2, i, i FROM generate_series(1, 10) i;
INSERT INTO v SELECT i % 8, i % 3, 'v' || i % 2 FROM generate_series(1, 10) i;

-- step
DELETE FROM "h 2";
TRUNCATE c, o, l, u, v, z;
