-- Outer joins: rows that become matched and unmatched, in any nesting, with any condition, with NULL keys and duplicates.
-- setup
CREATE TABLE c (id int PRIMARY KEY, name text, region int, payload json);
CREATE TABLE o (id int PRIMARY KEY, cid int, pid int, amount numeric);
CREATE TABLE p (pid int PRIMARY KEY, name text, parent int);
CREATE TABLE u (k int, x int, "we""ird" text);
CREATE TABLE v (k bigint, x numeric, t text);
CREATE TABLE z (k int, x int);
CREATE INDEX ON o (cid);
CREATE INDEX ON u (k);
INSERT INTO c SELECT i, 'c' || i, CASE WHEN i % 5 = 0 THEN NULL ELSE i % 4 END, json_build_object('a', i % 3) FROM generate_series(1, 30) i;
INSERT INTO p SELECT i, 'p' || i, CASE WHEN i > 3 THEN i / 3 END FROM generate_series(1, 20) i;
INSERT INTO o SELECT i, CASE WHEN i % 11 = 0 THEN NULL ELSE 1 + i % 45 END, 1 + i % 22, i FROM generate_series(1, 60) i;
INSERT INTO u SELECT CASE WHEN i % 7 = 0 THEN NULL ELSE i % 10 END, i % 4, 'u' || i % 3 FROM generate_series(1, 30) i;
INSERT INTO v SELECT CASE WHEN i % 6 = 0 THEN NULL ELSE i % 13 END, i % 5, 'v' || i % 2 FROM generate_series(1, 24) i;
INSERT INTO v SELECT * FROM v WHERE k < 4;
CREATE DOMAIN positive AS int NOT NULL CHECK (VALUE > 0);
CREATE TABLE "h 1" (w int, run int, dm int, flip int, row_no int, k1 int, a int, b int, t text COLLATE "C", j json, pt point);
CREATE TABLE "h 2" (w int, dm numeric, flip char(4), row_no positive, k1 bigint, a int[], f text, t text COLLATE "C", d date);
INSERT INTO "h 1" SELECT i % 4, i, i % 6, i % 3, i % 5, i % 7, i % 2, i, 'T' || i % 4, json_build_object('x', i % 3), point(i % 2, 1) FROM generate_series(1, 25) i;
INSERT INTO "h 2" SELECT i % 5, i % 4, 'a' || i % 3, 1 + i % 3, i % 9, ARRAY[i % 3, NULL], 'F' || i % 3, 't' || i % 4, '2024-01-01'::date + i % 4 FROM generate_series(1, 20) i;

-- query left_keyed DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, o.amount, c.name FROM o LEFT JOIN c ON c.id = o.cid

-- query left_other_way DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id, o.id AS oid, o.amount FROM c LEFT JOIN o ON o.cid = c.id

-- query right_keyed DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id, o.id AS oid, c.name FROM o RIGHT JOIN c ON c.id = o.cid

-- query full_keyed DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id, o.id AS oid, o.amount, c.payload FROM o FULL JOIN c ON c.id = o.cid

-- query left_bag DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x, u."we""ird", v.k AS vk, v.t FROM u LEFT JOIN v ON u.k = v.k

-- query right_bag DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u."we""ird", v.t FROM u RIGHT JOIN v ON u.k = v.k

-- query full_bag DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u."we""ird", v.k AS vk, v.x FROM u FULL JOIN v ON u.k = v.k

-- query full_two_keys DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x, v.k AS vk, v.x AS vx FROM u FULL JOIN v ON u.k = v.k AND v.x = u.x

-- query full_expression_key DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x, v.k AS vk, v.x AS vx FROM u FULL JOIN v ON u.k + 1 = v.k * 2

-- query left_unequal DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x, v.k AS vk, v.x AS vx FROM u LEFT JOIN v ON u.k = v.k AND u.x <> v.x

-- query right_range DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x, v.k AS vk, v.x AS vx FROM u RIGHT JOIN v ON u.k > v.k + 6

-- query left_or DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x, v.k AS vk, v.x AS vx FROM u LEFT JOIN v ON u.k = v.k OR u.x = v.x - 1 OR (u.k IS NULL AND v.k IS NULL)

-- query left_not_distinct DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, v.k AS vk FROM u LEFT JOIN v ON u.k IS NOT DISTINCT FROM v.k

-- query full_mixed DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x, v.k AS vk, v.x AS vx FROM u FULL JOIN v ON u.k = v.k AND u.x < v.x

-- query left_json DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id, c.payload, u.x FROM c LEFT JOIN u ON c.region = u.k AND (c.payload ->> 'a')::int <> u.x

-- query left_text_of_number DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT v.k, v.x, u.k AS uk FROM v LEFT JOIN u ON u.k = v.k AND u.x::text || '.0' <> v.x::text

-- query left_only_right_side DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x, v.t FROM u LEFT JOIN v ON u.k = v.k AND v.t = 'v1' AND v.x > 1

-- query left_only_left_side DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x, v.t FROM u LEFT JOIN v ON u.k = v.k AND u.x > 1

-- query left_only_left_side_no_key DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x, z.x AS zx FROM u LEFT JOIN z ON u.x > 1

-- query full_one_side DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x, v.k AS vk, v.t FROM u FULL JOIN v ON u.k = v.k AND u.x > 1 AND v.t = 'v1'

-- query left_mixed_and_one_side DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x, v.k AS vk, v.t FROM u LEFT JOIN v ON u.k = v.k AND u.x <> v.x AND u."we""ird" = 'u1' AND v.t = 'v1'

-- query left_true DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, z.x FROM u LEFT JOIN z ON true

-- query left_false DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, z.x FROM u LEFT JOIN z ON false

-- query full_true DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, z.x FROM u FULL JOIN z ON true

-- query self_left DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a.pid, a.name, b.name AS parent FROM p a LEFT JOIN p b ON a.parent = b.pid

-- query self_full DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a.k, a.x, b.k AS bk, b.x AS bx FROM u a FULL JOIN u b ON a.k = b.x

-- query self_left_unequal DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a.k, a.x, b.x AS bx FROM u a LEFT JOIN u b ON a.k = b.k AND a.x <> b.x

-- query left_of_left DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, c.name, u.x FROM o LEFT JOIN c ON c.id = o.cid LEFT JOIN u ON u.k = c.region

-- query left_in_left DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, c.name, u.x FROM o LEFT JOIN (c LEFT JOIN u ON u.k = c.region) ON c.id = o.cid

-- query left_of_two DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, c.name, p.name AS product FROM o LEFT JOIN c ON c.id = o.cid LEFT JOIN p ON p.pid = o.pid

-- query full_of_full DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, v.k AS vk, z.k AS zk, z.x FROM u FULL JOIN v ON u.k = v.k FULL JOIN z ON z.k = v.k

-- query full_of_full_coalesce DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.x, v.x AS vx, z.x AS zx FROM u FULL JOIN v ON u.k = v.k FULL JOIN z ON z.k = coalesce(u.k, v.k)

-- query inner_in_left DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id, o.id AS oid, p.name AS product FROM c LEFT JOIN (o JOIN p ON p.pid = o.pid) ON o.cid = c.id

-- query left_in_inner DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, c.name, u.x, p.name AS product FROM (o LEFT JOIN c ON c.id = o.cid) JOIN p ON p.pid = o.pid JOIN u ON u.k = p.parent

-- query inner_of_four_with_left DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, c.name, z.x, pp.name AS parent FROM o JOIN c ON c.id = o.cid JOIN p ON p.pid = o.pid JOIN p pp ON pp.pid = p.parent LEFT JOIN z ON z.k = c.region

-- query right_of_full DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, v.k AS vk, z.x FROM u FULL JOIN v ON u.k = v.k RIGHT JOIN z ON z.k = u.k

-- query full_global_counts DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT count(*) AS n, count(u.k) AS nu, count(v.k) AS nv, sum(u.x) AS su, sum(v.x) AS sv FROM u FULL JOIN v ON u.k = v.k

-- query sum_over_full DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, count(*) AS n, sum(v.x) AS total, max(v.x) AS top, avg(u.x) AS mean FROM u FULL JOIN v ON u.k = v.k GROUP BY u.k

-- query sum_over_left DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.region, count(*) AS n, count(o.id) AS orders, sum(o.amount) AS total, min(o.amount) AS least FROM c LEFT JOIN o ON o.cid = c.id GROUP BY c.region

-- query left_of_aggregate DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id, c.name, t.n, t.total FROM c LEFT JOIN (SELECT cid, count(*) AS n, sum(amount) AS total FROM o GROUP BY cid) t ON t.cid = c.id

-- query full_of_aggregates DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a.k, a.n, b.k AS bk, b.n AS bn FROM (SELECT k, count(*) AS n FROM u GROUP BY k) a FULL JOIN (SELECT k, count(*) AS n FROM v GROUP BY k) b ON a.k = b.k

-- query left_by_aggregate_value DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.cid, t.n, u.x FROM (SELECT cid, count(*) AS n FROM o GROUP BY cid) t LEFT JOIN u ON u.k = t.n

-- query left_of_global_aggregate DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, t.top FROM u LEFT JOIN (SELECT max(x) AS top FROM v) t ON t.top = u.x

-- query aggregate_of_left_of_aggregate DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.n, count(*) AS customers FROM c LEFT JOIN (SELECT cid, count(*) AS n FROM o GROUP BY cid) t ON t.cid = c.id GROUP BY t.n

-- query distinct_over DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT u.k, v.t FROM u LEFT JOIN v ON u.k = v.k

-- query left_of_distinct DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, d.t FROM u LEFT JOIN (SELECT DISTINCT k, t FROM v) d ON d.k = u.k

-- query union_over DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, v.t FROM u LEFT JOIN v ON u.k = v.k UNION ALL SELECT z.k, c.name FROM z FULL JOIN c ON c.id = z.k

-- query left_of_union DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, s.x FROM u LEFT JOIN (SELECT k, x FROM v UNION ALL SELECT k, x FROM z) s ON s.k = u.k

-- query left_of_filtered DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, s.x FROM (SELECT * FROM u WHERE x > 0) u LEFT JOIN (SELECT k, x + 1 AS x FROM v WHERE t = 'v0') s ON s.k = u.k

-- query filter_is_null DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x FROM u LEFT JOIN v ON u.k = v.k WHERE v.k IS NULL

-- query filter_coalesce DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, coalesce(v.x, -1) AS x FROM u LEFT JOIN v ON u.k = v.k WHERE coalesce(v.x, 0) < 3

-- query filter_becomes_inner DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, v.x FROM u LEFT JOIN v ON u.k = v.k WHERE v.x > 1 AND u.x < 3

-- query filter_full_becomes_left DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x, v.x AS vx FROM u FULL JOIN v ON u.k = v.k WHERE u.x > 1

-- query filter_full_becomes_right DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x, v.x AS vx FROM u FULL JOIN v ON u.k = v.k WHERE v.t IS NOT NULL AND (v.x = 1 OR u.x = 1)

-- query filter_full_becomes_inner DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x, v.x AS vx FROM u FULL JOIN v ON u.k = v.k WHERE u.x <= v.x

-- query filter_left DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x, v.x AS vx FROM u LEFT JOIN v ON u.k = v.k WHERE u.x IN (1, 2)

-- query filter_both DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x, v.x AS vx FROM u LEFT JOIN v ON u.k = v.k WHERE u.x = 1 OR v.x = 1

-- query filter_not DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.k, u.x, v.x AS vx FROM u FULL JOIN v ON u.k = v.k WHERE NOT (u.x = 1) AND (v.x = 1) IS NOT TRUE

-- query filter_below_outer_in_outer DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, s.name, s.x FROM o LEFT JOIN (SELECT c.id, c.name, u.x FROM c LEFT JOIN u ON u.k = c.region WHERE u.x > 1) s ON s.id = o.cid

-- query three_way_full_count DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT count(*) AS n FROM u FULL JOIN v ON u.k = v.k LEFT JOIN z ON z.x = u.x

-- query odd_names DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x.w, x.run, x.dm, x.flip, y.w AS w2, y.dm AS dm2, y.flip AS flip2, y.row_no + 0 AS row_no, y.a FROM "h 1" x FULL JOIN "h 2" y ON x.k1 = y.k1 AND x.w = y.w

-- query odd_names_unequal DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x.w, x.dm, x.j, x.pt, y.dm AS dm2, y.row_no + 0 AS row_no, y.k1 FROM "h 1" x LEFT JOIN "h 2" y ON x.dm = y.dm AND x.row_no <> y.row_no AND x.flip < y.k1 AND (x.j ->> 'x')::int <> y.w AND x.pt[0] <> y.k1

-- query odd_types DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x.b, y.row_no, y.flip, y.a, y.t, x.t AS t1 FROM "h 1" x RIGHT JOIN "h 2" y ON lower(x.t) = y.t AND ARRAY[x.a, NULL] = y.a

-- query domain_padded DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x.b, y.row_no IS NULL AS padded, coalesce(y.row_no::int, x.a) AS v FROM "h 1" x LEFT JOIN "h 2" y ON x.b = y.row_no

-- query padded_of_characters DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x.flip, y.row_no FROM "h 2" x FULL JOIN (SELECT 'a' || row_no AS n, row_no FROM "h 1") y ON x.flip = y.n

-- query by_timestamp DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x.b, y.d FROM "h 1" x LEFT JOIN "h 2" y ON y.d = '2024-01-01'::timestamp + make_interval(days => x.k1)

-- query by_collation DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x.t, y.f, y.t AS t2 FROM "h 1" x LEFT JOIN "h 2" y ON upper(x.t) COLLATE "C" = upper(y.t) COLLATE "C" AND x.t < y.t

-- step both sides lose rows
DELETE FROM "h 1" WHERE w = 2;
DELETE FROM "h 2" WHERE dm = 1;
DELETE FROM c WHERE id <= 6;
DELETE FROM o WHERE cid BETWEEN 4 AND 8;
DELETE FROM p WHERE pid IN (3, 9);
DELETE FROM u WHERE k IN (1, 2);
DELETE FROM v WHERE k IN (2, 3);

-- step both sides gain rows
INSERT INTO c VALUES (100, 'new', 1, '{"a": 5}'), (101, 'new', NULL, NULL), (4, 'again', 2, '{"a": 1}');
INSERT INTO o VALUES (1000, 100, 50, 7), (1001, 101, 50, 8), (1002, 100, NULL, 9), (1003, 4, 3, 10);
INSERT INTO p VALUES (50, 'p50', 1), (3, 'p3', 50);
INSERT INTO u VALUES (2, 1, 'u9'), (2, 1, 'u9'), (NULL, 1, 'u9'), (77, 2, NULL);
INSERT INTO v VALUES (2, 1, 'v1'), (77, 2.0, NULL), (77, 2.00, 'v1'), (NULL, NULL, NULL);
INSERT INTO z VALUES (1, 1), (2, 2), (NULL, NULL), (77, 1), (77, 1);

-- step the match of equal numbers that are written differently goes
DELETE FROM u WHERE k = 77;

-- step and comes back
INSERT INTO u VALUES (77, 2, NULL);

-- step keys move on both sides
UPDATE "h 1" SET k1 = k1 + 1, dm = dm - 1, t = upper(t), pt = point(2, 1) WHERE w <> 1;
UPDATE "h 2" SET w = w + 1, dm = dm + 1, t = t || 'x', row_no = row_no + 1, flip = 'a1', d = d + 1 WHERE k1 < 5;
UPDATE o SET cid = cid + 1, pid = pid - 1 WHERE id % 3 = 0;
UPDATE c SET region = 3 - region, name = upper(name) WHERE id % 2 = 0;
UPDATE p SET parent = 1 WHERE parent = 2;
UPDATE u SET k = k + 1 WHERE x = 1;
UPDATE v SET k = k - 1 WHERE t = 'v1';
UPDATE z SET k = k + 1;

-- step matched to unmatched and back within one batch
UPDATE v SET k = k + 1000;
UPDATE v SET k = k - 1000;
DELETE FROM c WHERE id = 10;
INSERT INTO c VALUES (10, 'back', 2, NULL);
UPDATE u SET k = -k;
UPDATE u SET k = -k;

-- step matched to unmatched
UPDATE v SET k = k + 1000 WHERE k % 2 = 0;
UPDATE c SET id = id + 1000 WHERE id % 2 = 0;

-- step and back
UPDATE v SET k = k - 1000 WHERE k > 500;
UPDATE c SET id = id - 1000 WHERE id > 1000;

-- step inserted and deleted in one batch
INSERT INTO v SELECT i, i, 'gone' FROM generate_series(1, 20) i;
INSERT INTO u SELECT i, 3, 'gone' FROM generate_series(1, 20) i;
DELETE FROM v WHERE t = 'gone';
DELETE FROM u WHERE "we""ird" = 'gone';

-- step one of several matches goes
DELETE FROM "h 2" WHERE k1 % 2 = 0;
INSERT INTO "h 1" SELECT * FROM "h 1" WHERE b % 3 = 0;
DELETE FROM v WHERE ctid IN (SELECT min(ctid) FROM v GROUP BY k);

-- step only values change
UPDATE "h 2" SET row_no = row_no + 1, f = f || 'x';
UPDATE "h 1" SET run = run + 1, t = t || 'x', j = json_build_object('x', 2);
UPDATE v SET x = x + 1;
UPDATE u SET x = x + 1;
UPDATE o SET amount = amount + 0.50;

-- step NULL keys appear and disappear
UPDATE u SET k = CASE WHEN k IS NULL THEN 3 WHEN k = 3 THEN NULL ELSE k END;
UPDATE v SET k = CASE WHEN k IS NULL THEN 4 WHEN k = 4 THEN NULL ELSE k END;
UPDATE c SET region = CASE WHEN region IS NULL THEN 1 WHEN region = 1 THEN NULL ELSE region END;

-- step equal numbers that are written differently
UPDATE v SET x = x + 0.000;

-- step one side is emptied, and filled again
DELETE FROM z;

-- step
INSERT INTO z VALUES (1, 1), (1, 1), (5, 2);

-- step everything at once
DELETE FROM "h 1" WHERE b % 4 = 0;
UPDATE "h 2" SET k1 = k1 + 1, dm = dm + 0.00;
INSERT INTO "h 2" SELECT * FROM "h 2" WHERE w = 1;
UPDATE "h 1" SET row_no = row_no + 1, w = w + 1, j = NULL WHERE b % 5 = 0;
DELETE FROM o WHERE id % 2 = 0;
UPDATE o SET amount = amount + 1;
INSERT INTO o SELECT i, 1 + i % 45, 1 + i % 22, i FROM generate_series(2000, 2050) i;
DELETE FROM c WHERE id % 3 = 0;
UPDATE c SET region = region + 1;
UPDATE p SET name = name || '!', parent = parent + 1;
INSERT INTO u SELECT i % 12, i % 3, 'u' || i % 2 FROM generate_series(1, 20) i;
DELETE FROM u WHERE x = 2;
INSERT INTO v SELECT i % 12, i % 3, 'v' || i % 2 FROM generate_series(1, 20) i;
DELETE FROM v WHERE x = 1;
UPDATE z SET x = x + 1;

-- step
TRUNCATE v;
INSERT INTO v VALUES (1, 1, 'v1');

-- step
TRUNCATE u, z;

-- step
INSERT INTO u SELECT i % 8, i % 3, 'u' || i % 2 FROM generate_series(1, 20) i;
TRUNCATE v;

-- step
DELETE FROM c;
DELETE FROM o;

-- step
INSERT INTO c SELECT i, 'c' || i, i % 4, NULL FROM generate_series(1, 10) i;
INSERT INTO o SELECT i, i / 2, i, i FROM generate_series(1, 10) i;
INSERT INTO v SELECT i % 8, i % 3, 'v' || i % 2 FROM generate_series(1, 10) i;
INSERT INTO z VALUES (1, 1);

-- step
DELETE FROM "h 2";
TRUNCATE c, o, p, u, v, z;
