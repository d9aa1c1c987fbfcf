-- DISTINCT ON takes one row of each; a set-returning function beside it that nothing sorts by makes rows of that one
-- afterwards, as PostgreSQL does it.
-- setup
CREATE TABLE t (id int PRIMARY KEY, k int, v int, a int[]);
CREATE TABLE o (id int PRIMARY KEY, k int);
INSERT INTO t SELECT i, i % 4, i * 7 % 10, ARRAY[i % 5, i % 3, 9] FROM generate_series(1, 20) i;
INSERT INTO o SELECT i, i % 5 FROM generate_series(1, 8) i;

-- query sets_of_the_first AUTO
-- expect-mode FULL
SELECT DISTINCT ON (t.k) t.k, unnest(t.a) AS u FROM t ORDER BY t.k, t.v DESC, t.id

-- query in_lateral AUTO
-- expect-mode FULL
SELECT o.id, l.u FROM o, LATERAL (SELECT DISTINCT ON (t.v) t.v, unnest(t.a) AS u FROM t WHERE t.k = o.k ORDER BY t.v, t.id) l

-- query sorted_by_it DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT ON (t.k) t.k, unnest(t.a) AS u, generate_series(1, 2) AS g FROM t ORDER BY t.k, 2 DESC, t.id, g

-- query not_sorted DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT ON (t.id) t.id, unnest(t.a) AS u FROM t WHERE t.a[1] = t.a[2] AND t.a[2] = t.a[3]

-- step
UPDATE t SET v = v + 3 WHERE id % 3 = 0

-- step
DELETE FROM t WHERE k = 2; INSERT INTO t VALUES (40, 1, 100, '{5,5,6}'), (41, 3, -1, '{}'); UPDATE o SET k = 1 WHERE id < 4
