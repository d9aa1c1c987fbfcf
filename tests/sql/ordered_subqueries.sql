-- Rows of a subquery with ORDER BY reach what is around it in that order, and some aggregates show it. (PostgreSQL's own regression suite)
-- setup
CREATE TABLE t (id int PRIMARY KEY, g int, v int, x text);
INSERT INTO t SELECT i, i % 3, 100 - i, 'x' || i FROM generate_series(1, 12) i;
CREATE TABLE o (id int PRIMARY KEY);
INSERT INTO o VALUES (0), (1), (2), (3);
CREATE VIEW sorted AS SELECT g, v, x FROM t ORDER BY v;

-- query refused DIFFERENTIAL
-- expect-error string_agg takes the rows of a subquery in the order
SELECT string_agg(x, ',') AS xs FROM (SELECT x FROM t ORDER BY v) s

-- query string_of_sorted
-- expect-mode FULL
SELECT string_agg(x, ',') AS xs FROM (SELECT x FROM t ORDER BY v) s

-- query array_by_group
-- expect-mode FULL
SELECT g, array_agg(x) AS xs FROM (SELECT g, x FROM t ORDER BY g, v) s GROUP BY g

-- query json_of_cte
-- expect-mode FULL
WITH s AS (SELECT x FROM t ORDER BY v DESC) SELECT json_agg(x)::text AS xs FROM s

-- query object_of_view
-- expect-mode FULL
SELECT jsonb_object_agg(g, x) AS last FROM sorted

-- query through_filters
-- expect-mode FULL
SELECT array_agg(x) AS xs FROM (SELECT * FROM (SELECT * FROM t ORDER BY v) a WHERE g < 2) b

-- query of_top_three
-- expect-mode FULL
SELECT array_agg(x) AS xs FROM (SELECT x FROM t ORDER BY v LIMIT 3) s

-- query of_union
-- expect-mode FULL
SELECT array_agg(x) AS xs FROM ((SELECT x FROM t WHERE g = 1 ORDER BY v) UNION ALL SELECT x FROM t WHERE g = 2) s

-- query numbered
-- expect-mode FULL
SELECT x, row_number() OVER () AS n FROM (SELECT x FROM t ORDER BY v) s

-- query first_of_sorted
-- expect-mode FULL
SELECT x, first_value(x) OVER (PARTITION BY g) AS f FROM (SELECT g, x FROM t ORDER BY g, v) s

-- query distinct_on_sorted
-- expect-mode FULL
SELECT DISTINCT ON (g) g, x FROM (SELECT g, x FROM t ORDER BY g, v) s

-- query order_in_call DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT g, array_agg(x ORDER BY v) AS xs FROM (SELECT g, x, v FROM t ORDER BY id) s GROUP BY g

-- query order_does_not_matter DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT g, sum(v) AS total, max(x) AS top, array_agg(DISTINCT x) AS xs FROM (SELECT g, x, v FROM t ORDER BY v) s GROUP BY g

-- query order_lost_on_the_way DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT g, array_agg(n) AS ns FROM (SELECT g, count(*) AS n FROM (SELECT g FROM t ORDER BY v) a GROUP BY g) b GROUP BY g

-- query array_of_sorted DIFFERENTIAL
SELECT o.id, ARRAY(SELECT x FROM t ORDER BY v) AS xs FROM o

-- query array_correlated DIFFERENTIAL
SELECT o.id, ARRAY(SELECT x FROM t WHERE t.g = o.id ORDER BY v) AS xs FROM o

-- query array_of_sorted_below DIFFERENTIAL
SELECT o.id, ARRAY(SELECT s.x FROM (SELECT g, x FROM t ORDER BY v) s WHERE s.g = o.id) AS xs FROM o

-- query string_correlated DIFFERENTIAL
SELECT o.id, (SELECT string_agg(s.x, ',') FROM (SELECT g, x FROM t ORDER BY v) s WHERE s.g = o.id) AS xs FROM o

-- step the order alone changes
UPDATE t SET v = 100 - v WHERE id IN (2, 3, 5, 7, 11);

-- step
DELETE FROM t WHERE id = 7;

-- step
INSERT INTO t VALUES (20, 1, 50, 'new'), (21, 2, 1, 'first');

-- step
UPDATE t SET v = -v;
