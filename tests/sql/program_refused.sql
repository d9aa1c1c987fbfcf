-- AUTO recomputes, with the reason, where the server does not take the program, or where the program evaluates what PostgreSQL by itself would not. (Its own regression suite)
-- setup
CREATE TABLE t (id int PRIMARY KEY, x int, h xid, b bit(3));
INSERT INTO t VALUES (1, 2, '7', '101'), (2, 0, '8', '110'), (3, 5, '7', '101');
CREATE TABLE u (k int);
INSERT INTO u VALUES (1), (2), (5);

-- query hash_only_beside_sort_only
-- expect-mode FULL
SELECT h::text AS h, b::text AS b, count(*) AS n FROM t GROUP BY GROUPING SETS ((h), (b))

-- query subquery_in_frame
SELECT id, sum(x) OVER (ORDER BY id ROWS (SELECT 1) PRECEDING) AS s FROM t

-- query guarded_by_case
-- expect-mode FULL
SELECT id, CASE WHEN x <> 0 THEN (SELECT sum(10 / t.x * k) FROM u WHERE k < 5) END AS s FROM t

-- query guarded_more_than_one_row
-- expect-mode FULL
SELECT id, CASE WHEN x = 0 THEN (SELECT k FROM u WHERE k >= 6 - t.x) END AS s FROM t

-- query guarded_inside DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, CASE WHEN x <> 0 THEN 10 / x END AS s FROM t WHERE x <> 0 AND 10 / x > 1

-- query filtered_before_projection DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT 10 / x AS q, count(*) AS n, sum(10 / x) FILTER (WHERE x > 1) AS s, count(DISTINCT 10 / x) AS d FROM t WHERE x <> 0 GROUP BY 10 / x

-- query guarded_join DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, u.k FROM t JOIN u ON t.x <> 0 AND 10 / t.x = u.k

-- query left_join_unused
SELECT t.id FROM t LEFT JOIN (SELECT id, 10 / x AS q FROM t) s USING (id)

-- query limit_zero
SELECT 10 / x AS q FROM t ORDER BY 1 LIMIT 0

-- query where_false
SELECT 10 / x AS q FROM t WHERE false

-- query exists_ignores_outputs
SELECT id FROM t WHERE EXISTS (SELECT 10 / (x - x) FROM t)

-- step
INSERT INTO t VALUES (4, 0, '9', '111'), (5, 3, '9', '000');

-- step
UPDATE t SET x = 3 - x WHERE id IN (2, 4);

-- step
DELETE FROM t WHERE id = 1;
