-- What a refresh touches, per operator (test_cost.cpp). Groups of t by g and of u by k have the same size whatever :n is.
-- setup
CREATE TABLE t (id int PRIMARY KEY, k int NOT NULL, g int NOT NULL, x int, f float8, s text, tags text[]);
INSERT INTO t SELECT i, i, i / 10, (i::bigint * 7919 % :n)::int, i / 3.0, 's' || i % 7, ARRAY['a' || i % 5, 'b'] FROM generate_series(1, :n) i;
CREATE TABLE u (id int PRIMARY KEY, k int NOT NULL, y int);
INSERT INTO u SELECT i, i / 2, i % 5 FROM generate_series(1, :n) i;
CREATE TABLE v (id int PRIMARY KEY, k int NOT NULL, z int);
INSERT INTO v SELECT i, i, i % 11 FROM generate_series(1, :n) i;
CREATE TABLE e (id int PRIMARY KEY, k int NOT NULL, ts timestamptz NOT NULL);
INSERT INTO e SELECT i, i, '2026-01-01 00:00+00'::timestamptz + i * '1 second'::interval FROM generate_series(1, :n) i;
CREATE FUNCTION set_clock(at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE OR REPLACE FUNCTION pgtrickle._now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE RETURN %L::timestamptz', at);
END $$;
SELECT set_clock('2026-01-01 00:00:40+00');
CREATE FUNCTION change_t(d int, n int) RETURNS void LANGUAGE sql AS $$
  UPDATE t SET x = x + 1, f = f + 1 WHERE id BETWEEN d AND d + 7;
  UPDATE t SET g = g + 1 WHERE id BETWEEN d + 8 AND d + 11;
  DELETE FROM t WHERE id BETWEEN d + 12 AND d + 15;
  INSERT INTO t SELECT n + d + i, d + i, d / 10, 5, 1.5, 'new', ARRAY['new', 'b'] FROM generate_series(1, 4) i;
$$;
CREATE FUNCTION change_u(d int, n int) RETURNS void LANGUAGE sql AS $$
  UPDATE u SET y = y + 1 WHERE id BETWEEN d AND d + 7;
  UPDATE u SET k = k + 2 WHERE id BETWEEN d + 8 AND d + 11;
  DELETE FROM u WHERE id BETWEEN d + 12 AND d + 15;
  INSERT INTO u SELECT n + d + i, d / 2 + i, 3 FROM generate_series(1, 4) i;
$$;

-- query scan
-- cost Scan: O(delta)
-- cost Project: O(delta)
SELECT t.id, t.x FROM t
-- step
SELECT change_t(:d, :n);

-- query filter_project
-- cost Scan: O(delta)
SELECT t.id, t.x * 2 AS y FROM t WHERE t.x % 3 <> 0
-- step
SELECT change_t(:d, :n);

-- query without_key
-- cost Scan: O(delta)
SELECT t.g, t.s FROM t
-- step
SELECT change_t(:d, :n);

-- query join_two
-- cost Join: O(delta x matches)
SELECT t.id, u.id AS other, u.y FROM t JOIN u ON u.k = t.k
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query join_three
-- cost Join: O(delta x matches)
SELECT t.id, u.id AS other, v.z FROM t JOIN u ON u.k = t.k JOIN v ON v.k = u.k
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query join_six
-- cost Join: O(delta x matches)
SELECT t.id, v.z, a.x, b.y, c.z AS z2, d.y AS y2 FROM t JOIN v ON v.k = t.k JOIN t a ON a.id = v.id JOIN u b ON b.id = a.id JOIN v c ON c.id = b.id JOIN u d ON d.id = c.id
-- step
SELECT change_t(:d, :n);

-- query self_join
-- cost Join: O(delta x matches)
SELECT l.id, r.id AS other FROM t l JOIN t r ON r.g = l.g AND r.x > l.x
-- step
SELECT change_t(:d, :n);

-- query recursive_union
-- cost Recursive: O(rows that change and their matches)
-- cost Reference: O(delta)
WITH RECURSIVE r (id, depth) AS (SELECT t.id, 0 FROM t UNION SELECT u.id, r.depth + 1 FROM r JOIN u ON u.k = r.id WHERE r.depth < 2) SELECT r.id, r.depth FROM r
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query recursive_union_all
-- cost Recursive: O(rows that change and their matches)
WITH RECURSIVE r (id, depth) AS (SELECT t.id, 0 FROM t WHERE t.x % 2 = 0 UNION ALL SELECT u.id, r.depth + 1 FROM r JOIN u ON u.k = r.id WHERE r.depth < 2) SELECT r.id, r.depth FROM r
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query left_join
-- cost Left join: O(delta x matches)
SELECT t.id, u.id AS other FROM t LEFT JOIN u ON u.k = t.k AND u.y > 0
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query full_join
-- cost Full join: O(delta x matches)
SELECT t.id, u.id AS other FROM t FULL JOIN u ON u.k = t.k
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query semi_join
-- cost Semi join: O(delta x matches)
SELECT t.id FROM t WHERE EXISTS (SELECT FROM u WHERE u.k = t.k AND u.y > 1)
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query anti_join
-- cost Anti join: O(delta x matches)
SELECT t.id FROM t WHERE NOT EXISTS (SELECT FROM u WHERE u.k = t.k AND u.y > 1)
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query in_subquery
-- cost Semi join: O(delta x matches)
SELECT t.id FROM t WHERE t.k IN (SELECT u.k FROM u WHERE u.y > 1)
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query join_without_equality
-- cost Left join: O(delta x input): no equality between the sides
SELECT t.id, v.id AS other FROM t LEFT JOIN v ON v.id % 1000 < t.x - 990 AND v.z > t.g WHERE t.id < 3000 AND t.s = 's1'
-- step
UPDATE t SET x = x + 1 WHERE id BETWEEN :d AND :d + 13;

-- query inner_without_equality
-- cost Join: O(delta x input): no equality between the sides
SELECT t.id, v.id AS other FROM t JOIN v ON v.id % 1000 < t.x - 990 AND v.z > t.g WHERE t.id < 3000 AND t.s = 's1'
-- step
UPDATE t SET x = x + 1 WHERE id BETWEEN :d AND :d + 13;

-- query join_of_expressions
-- cost Join: O(delta + input): no index can serve the equality
SELECT t.id, u.id AS other FROM t JOIN u ON u.k * 2 = t.k + 1
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query left_join_of_expressions
-- cost Left join: O(delta + input): no index can serve the equality
SELECT t.id, u.id AS other FROM t LEFT JOIN u ON u.k * 2 = t.k + 1
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query semi_join_of_expressions
-- cost Semi join: O(delta + input): no index can serve the equality
SELECT t.id FROM t WHERE EXISTS (SELECT FROM u WHERE u.k * 2 = t.k + 1)
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query null_safe_join
-- cost Join: O(delta x matches)
SELECT t.id, u.id AS other FROM t JOIN u ON u.k IS NOT DISTINCT FROM t.k WHERE t.id < 3000 AND t.s = 's1'
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query join_with_constants
-- cost Join: O(delta x matches)
-- cost Values: constant
SELECT t.id, l.n FROM t JOIN (VALUES (1, 5), (2, 7)) l (n, bound) ON t.x % 10 < l.bound
-- step
SELECT change_t(:d, :n);

-- query value_beside_rows
-- cost Join: O(delta x matches), O(input) when the single row changes
-- cost Node: O(delta)
SELECT t.id FROM t WHERE t.x > (SELECT 5 * avg(u.y) FROM u)
-- step usual
SELECT change_t(:d, :n);

-- query value_that_turns_rows
-- cost Join: O(delta x matches), O(input) when the single row changes
SELECT t.id FROM t WHERE t.x > (SELECT 5 * avg(u.y) FROM u)
-- step
SELECT change_u(:d, :n);

-- query right_join
-- cost Right join: O(delta x matches)
SELECT t.id, u.id AS other FROM t RIGHT JOIN u ON u.k = t.k AND t.x > 100
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query semi_join_without_equality
-- cost Semi join: O(delta x input): no equality between the sides
SELECT t.id FROM t WHERE EXISTS (SELECT FROM v WHERE v.id % 1000 < t.x - 3990 AND v.z > t.g) AND t.id < 3000 AND t.s = 's1'
-- step
UPDATE t SET x = x + 1 WHERE id BETWEEN :d AND :d + 13;

-- query anti_join_without_equality
-- cost Anti join: O(delta x input): no equality between the sides
SELECT t.id FROM t WHERE NOT EXISTS (SELECT FROM v WHERE v.id % 1000 < t.x - 3990 AND v.z > t.g) AND t.id < 3000 AND t.s = 's1'
-- step
UPDATE t SET x = x + 1 WHERE id BETWEEN :d AND :d + 13;

-- query exists_at_all
-- cost Semi join: O(delta), O(input) while nothing matches or when that changes
SELECT t.id FROM t WHERE EXISTS (SELECT FROM u WHERE u.y > 3)
-- step usual
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query exists_from_now
-- cost Semi join: O(delta), O(input) while nothing matches or when that changes
SELECT t.id FROM t WHERE EXISTS (SELECT FROM v WHERE v.z > 100)
-- step
UPDATE v SET z = 101 WHERE id = :d;
INSERT INTO t SELECT :n + :d, :d, :d / 10, 5, 1.5, 'new', NULL;

-- query none_at_all
-- cost Anti join: O(delta), O(input) while nothing matches or when that changes
SELECT t.id FROM t WHERE NOT EXISTS (SELECT FROM u WHERE u.y > 1000)
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query some_after_all
-- cost Anti join: O(delta), O(input) while nothing matches or when that changes
SELECT t.id FROM t WHERE NOT EXISTS (SELECT FROM u WHERE u.y > 3)
-- step usual
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query left_join_on_true
-- cost Left join: O(delta), O(input) while nothing matches or when that changes
SELECT t.id, l.id AS other FROM t LEFT JOIN (SELECT v.id FROM v WHERE v.id = 7) l ON true
-- step usual
SELECT change_t(:d, :n);

-- query aggregate_linear
-- cost Aggregate: O(delta)
SELECT t.g, count(*) AS n, sum(t.x) AS s, avg(t.x) AS a FROM t GROUP BY t.g
-- step
SELECT change_t(:d, :n);

-- query aggregate_global
-- cost Aggregate: O(delta)
SELECT count(*) AS n, sum(t.x) AS s FROM t
-- step
SELECT change_t(:d, :n);

-- query aggregate_over_join
-- cost Aggregate: O(delta)
-- cost Join: O(delta x matches)
SELECT t.g, count(*) AS n, sum(u.y) AS s FROM t JOIN u ON u.k = t.k GROUP BY t.g
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query having_groups
-- cost Filter: O(delta)
-- cost Aggregate: O(delta)
SELECT t.g, count(*) AS n FROM t GROUP BY t.g HAVING count(*) > 9
-- step
SELECT change_t(:d, :n);

-- query extremum_inserted
-- cost Aggregate: O(delta), a group when its extremum is deleted
SELECT t.s, max(t.x) AS hi, min(t.x) AS lo FROM t GROUP BY t.s
-- step
INSERT INTO t SELECT :n + :d + i, :d, :d / 10, 10000000 + i, 0, 's' || i % 7, NULL FROM generate_series(1, 20) i;

-- query extremum_deleted
-- cost Aggregate: O(delta), a group when its extremum is deleted
SELECT t.g, max(t.x) AS hi FROM t GROUP BY t.g
-- step
DELETE FROM t USING (SELECT z.g, max(z.x) AS hi FROM t z WHERE z.id BETWEEN :d AND :d + 25 GROUP BY z.g) m WHERE t.g = m.g AND t.x = m.hi;

-- query recomputed_float
-- cost Aggregate: O(affected groups)
SELECT t.g, sum(t.f) AS s FROM t GROUP BY t.g
-- step
SELECT change_t(:d, :n);

-- query recomputed_list
-- cost Aggregate: O(affected groups)
SELECT t.g, string_agg(t.s, ',' ORDER BY t.id) AS s FROM t GROUP BY t.g
-- step
SELECT change_t(:d, :n);

-- query recomputed_over_join
-- cost Aggregate: O(affected groups)
SELECT t.g, array_agg(u.y ORDER BY u.id) AS ys FROM t JOIN u ON u.k = t.k GROUP BY t.g
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query distinct_aggregate
-- cost Aggregate: O(delta)
SELECT t.g, count(DISTINCT t.s) AS n, sum(DISTINCT t.x) AS s FROM t GROUP BY t.g
-- step
SELECT change_t(:d, :n);

-- query distinct_rows
-- cost Distinct: O(delta)
SELECT DISTINCT t.g, t.s FROM t
-- step
SELECT change_t(:d, :n);

-- query union_all
-- cost UnionAll: O(delta)
SELECT t.k, t.x FROM t UNION ALL SELECT u.k, u.y FROM u
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query union_distinct
-- cost Distinct: O(delta)
SELECT t.k, t.x FROM t UNION SELECT u.k, u.y FROM u
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query intersect_distinct
-- cost Aggregate: O(delta)
SELECT t.k FROM t INTERSECT SELECT u.k FROM u
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query except_all
-- cost Aggregate: O(delta)
-- cost Function: O(delta)
SELECT u.k FROM u EXCEPT ALL SELECT t.k FROM t
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query grouping_sets
-- cost GroupingSets: O(delta x 3 sets)
SELECT t.g, t.s, count(*) AS n, sum(t.x) AS total FROM t GROUP BY ROLLUP (t.g, t.s)
-- step
SELECT change_t(:d, :n);

-- query scalar_subquery
-- cost Apply: O(delta x affected keys)
-- cost Join: O(delta x matches)
SELECT t.id, (SELECT sum(u.y) FROM u WHERE u.k = t.k) AS total FROM t
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query apply_first
-- cost Apply: O(delta x affected keys)
SELECT t.id, (SELECT u.y FROM u WHERE u.k = t.k ORDER BY u.y DESC, u.id LIMIT 1) AS top FROM t
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query apply_under_or
-- cost Apply: O(delta x affected keys)
SELECT t.id FROM t WHERE t.x % 3 = 0 OR EXISTS (SELECT FROM u WHERE u.k = t.k AND u.y > 1)
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query apply_not_in
-- cost Apply: O(delta x affected keys)
SELECT t.id FROM t WHERE t.x % 3 = 0 OR t.k NOT IN (SELECT u.k FROM u WHERE u.y > 1)
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query value_of_all
-- cost Apply: O(value)
SELECT t.id FROM t WHERE t.x > (SELECT u.y FROM u ORDER BY u.y DESC, u.id LIMIT 1)
-- step
SELECT change_u(:d, :n);

-- query distinct_on
-- cost DistinctOn: O(rows of affected keys)
SELECT DISTINCT ON (t.g) t.g, t.id, t.x FROM t ORDER BY t.g, t.x DESC, t.id
-- step
SELECT change_t(:d, :n);

-- query window_partitions
-- cost Window: O(rows of affected keys)
SELECT t.id, rank() OVER (PARTITION BY t.g ORDER BY t.x) AS r, sum(t.x) OVER (PARTITION BY t.g ORDER BY t.id) AS s FROM t
-- step
SELECT change_t(:d, :n);

-- query window_whole
-- cost Window: O(n)
SELECT t.id, rank() OVER (ORDER BY t.x) AS r FROM t
-- step
UPDATE t SET x = x + 1 WHERE id BETWEEN :d AND :d + 3;

-- query top_untouched
-- cost TopK: O(delta), a rerun with LIMIT when the top changes
SELECT t.id, t.k FROM t ORDER BY t.id LIMIT 10
-- step
SELECT change_t(:d, :n);

-- query top_changed
-- cost TopK: O(delta), a rerun with LIMIT when the top changes
SELECT v.id, v.k FROM v ORDER BY v.k DESC LIMIT 10
-- step
UPDATE v SET k = 10000000 + id WHERE id BETWEEN :d AND :d + 5;
DELETE FROM v WHERE k BETWEEN :n - 3 AND :n;

-- query top_over_aggregate
-- cost TopK: O(delta), O(input) when the top changes
SELECT u.k, sum(u.y) AS total FROM u GROUP BY u.k ORDER BY sum(u.y) DESC, u.k LIMIT 10
-- step
UPDATE u SET y = y + 100 WHERE id BETWEEN :d AND :d + 5;
UPDATE u SET y = y - 1 WHERE id BETWEEN :d + 10 AND :d + 20;

-- query function_in_from
-- cost Function: O(delta)
SELECT t.id, g.tag FROM t, unnest(t.tags) g (tag)
-- step
SELECT change_t(:d, :n);

-- query nested_aggregates
-- cost Aggregate: O(delta)
SELECT q.n, count(*) AS groups FROM (SELECT t.g, count(*) AS n, sum(t.x) AS s FROM t GROUP BY t.g) q GROUP BY q.n
-- step
SELECT change_t(:d, :n);

-- query join_of_aggregate
-- cost Aggregate: O(delta)
-- cost Join: O(delta x matches)
SELECT v.id, q.n FROM (SELECT u.k, count(*) AS n FROM u GROUP BY u.k) q JOIN v ON v.k = q.k
-- step
SELECT change_u(:d * 2, :n);

-- query top_over_aggregate_untouched
-- cost TopK: O(delta), O(input) when the top changes
SELECT t.g, sum(t.id) AS total FROM t GROUP BY t.g ORDER BY sum(t.id) DESC, t.g LIMIT 10
-- step usual
SELECT change_t(:d, :n);

-- query top_of_keys
-- cost TopK: O(delta), a rerun with LIMIT when the top changes
-- cost Aggregate: O(delta)
SELECT u.k, sum(u.y) AS total FROM u GROUP BY u.k ORDER BY u.k LIMIT 10
-- step
UPDATE u SET y = y + 1 WHERE id < 10;
DELETE FROM u WHERE k = 3;

-- query top_over_join
-- cost TopK: O(delta), a rerun with LIMIT when the top changes
SELECT t.id, u.id AS other, t.x FROM t JOIN u ON u.k = t.k ORDER BY t.id, u.id LIMIT 10
-- step
DELETE FROM u WHERE k = 4;

-- query offset_alone
-- cost TopK: O(n)
SELECT v.id FROM v ORDER BY v.id OFFSET 20
-- step
DELETE FROM v WHERE id = :d;

-- query distinct_and_plain_aggregates
-- cost Aggregate: O(delta)
-- cost TaggedUnion: O(delta)
SELECT t.g, count(DISTINCT t.s) AS n, count(*) AS rows, sum(t.x) AS s FROM t GROUP BY t.g
-- step
SELECT change_t(:d, :n);

-- query apply_without_equality
-- cost Apply: O(affected keys), every key is tested: O(keys)
SELECT v.id, (SELECT count(*) FILTER (WHERE t.id > v.z) FROM t WHERE t.g < v.z) AS n FROM v
-- step
UPDATE t SET x = x + 1, g = 8 WHERE id BETWEEN 70 AND 75;

-- query shared_expression
-- cost Shared: O(delta)
-- cost Aggregate: O(delta)
-- cost Join: O(delta x matches)
-- cost Node: O(delta)
WITH q AS (SELECT t.g, count(*) AS n FROM t GROUP BY t.g) SELECT l.g, l.n, r.n AS next FROM q l JOIN q r ON r.g = l.g
-- step
SELECT change_t(:d, :n);

-- query lateral_top_one
-- cost Lateral: O(delta x affected keys)
-- cost Join: O(delta x matches)
SELECT t.id, l.id AS other, l.y FROM t CROSS JOIN LATERAL (SELECT u.id, u.y FROM u WHERE u.k = t.k ORDER BY u.y DESC, u.id LIMIT 1) l
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query lateral_left
-- cost Lateral: O(delta x affected keys)
SELECT t.id, l.y FROM t LEFT JOIN LATERAL (SELECT u.y FROM u WHERE u.k = t.k AND u.y > 1) l ON true
-- step
SELECT change_t(:d, :n), change_u(:d * 2, :n);

-- query lateral_without_equality
-- cost Lateral: O(affected keys), every key is tested: O(keys)
SELECT v.id, l.n FROM v, LATERAL (SELECT count(*) FILTER (WHERE t.id > v.z) AS n FROM t WHERE t.g < v.z) l
-- step
UPDATE t SET x = x + 1, g = 8 WHERE id BETWEEN 70 AND 75;

-- query temporal_filter
-- cost Temporal filter: O(delta + rows that cross)
SELECT e.id, e.ts FROM e WHERE e.ts > now() - interval '30 seconds'
-- step
SELECT set_clock(pgtrickle._now() + '15 seconds');

-- query temporal_window
-- cost Temporal filter: O(delta + rows that cross)
SELECT e.id, v.z FROM e JOIN v ON v.k = e.k WHERE e.ts > now() - interval '30 seconds' AND e.ts <= now()
-- step
SELECT set_clock(pgtrickle._now() + '15 seconds');

-- query temporal_groups
-- cost Temporal filter: O(delta + rows that cross)
SELECT e.k % 10 AS k, count(*) AS n, sum(e.id) AS total FROM e WHERE e.ts > now() - interval '30 seconds' AND e.ts <= now() GROUP BY e.k % 10
-- step
SELECT set_clock(pgtrickle._now() + '15 seconds');

-- query temporal_without_index
-- cost Temporal filter: O(delta + input): no index can find the rows that cross
SELECT e.id FROM e WHERE e.ts + e.k * '0 seconds'::interval > now() - interval '30 seconds'
-- step
SELECT set_clock(pgtrickle._now() + '15 seconds');
