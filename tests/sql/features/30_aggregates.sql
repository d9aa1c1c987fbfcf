-- group Aggregates
-- setup
CREATE TABLE t (id int PRIMARY KEY, g int, h text, x int, b bigint, n numeric, p numeric(8,2), f float8, flag bool, bits bit(4), j jsonb, r int4range, m xml, d date, iv interval);
CREATE TABLE parent (id int PRIMARY KEY, name text);
INSERT INTO parent SELECT i, 'p' || i FROM generate_series(0, 5) i;
INSERT INTO t SELECT i, NULLIF(i % 6, 5), 'h' || i % 4, NULLIF(i % 7, 6), i * 1000000007::bigint, (i % 9) / 7.0, (i % 11) * 1.25, i / 3.0, NULLIF(i % 3, 2) = 1,
  (i % 16)::bit(4), jsonb_build_object('v', i % 4), int4range(i, i + i % 5), ('<i>' || i || '</i>')::xml, date '2024-01-01' + i % 10, make_interval(hours => i) FROM generate_series(1, 36) i;
CREATE FUNCTION add_up(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT coalesce($1, 0) + coalesce($2, 0)';
CREATE AGGREGATE total_of(int) (SFUNC = add_up, STYPE = int, INITCOND = '0');

-- query counts DIFFERENTIAL
-- feature count(*), count(x)
SELECT t.g, count(*) AS n, count(t.x) AS nx FROM t GROUP BY t.g

-- query sums_int DIFFERENTIAL
-- feature sum, avg of integers
SELECT t.g, sum(t.x) AS s, avg(t.x) AS a, sum(t.b) AS sb, avg(t.b) AS ab FROM t GROUP BY t.g

-- query sums_numeric DIFFERENTIAL
-- feature sum, avg of numeric
SELECT t.g, sum(t.n) AS s, avg(t.n) AS a, sum(t.p) AS sp, avg(t.p) AS ap FROM t GROUP BY t.g

-- query variances_int DIFFERENTIAL
-- feature var_pop, var_samp, stddev_pop, stddev_samp of integers
SELECT t.g, var_pop(t.x) AS vp, var_samp(t.x) AS vs, stddev_pop(t.x) AS dp, stddev_samp(t.x) AS ds, variance(t.b) AS v, stddev(t.b) AS d FROM t GROUP BY t.g

-- query variances_numeric DIFFERENTIAL
-- feature var_*, stddev_* of numeric
SELECT t.g, var_pop(t.n) AS vp, var_samp(t.n) AS vs, stddev_pop(t.p) AS dp, stddev_samp(t.p) AS ds FROM t GROUP BY t.g

-- query sums_float DIFFERENTIAL
-- feature sum, avg, stddev of float8
SELECT t.g, sum(t.f) AS s, avg(t.f) AS a, stddev(t.f) AS d FROM t GROUP BY t.g

-- query sums_interval DIFFERENTIAL
-- feature sum, avg of interval
SELECT t.g, sum(t.iv) AS s, avg(t.iv) AS a FROM t GROUP BY t.g

-- query extremes DIFFERENTIAL
-- feature min, max
SELECT t.g, min(t.x) AS lo, max(t.n) AS hi, min(t.h) AS lo_text, max(t.d) AS last FROM t GROUP BY t.g

-- query bools DIFFERENTIAL
-- feature bool_and, bool_or, every
SELECT t.g, bool_and(t.flag) AS a, bool_or(t.flag) AS o, every(t.x > 1) AS e FROM t GROUP BY t.g

-- query bitwise DIFFERENTIAL
-- feature bit_and, bit_or, bit_xor
SELECT t.g, bit_and(t.x) AS a, bit_or(t.b) AS o, bit_xor(t.bits) AS x FROM t GROUP BY t.g

-- query regression DIFFERENTIAL
-- feature corr, covar_*, regr_*
SELECT t.g, corr(t.x, t.f) AS c, covar_pop(t.x, t.f) AS cp, covar_samp(t.f, t.x) AS cs, regr_slope(t.f, t.x) AS rs, regr_intercept(t.f, t.x) AS ri, regr_r2(t.f, t.x) AS r2, regr_count(t.f, t.x) AS rc FROM t GROUP BY t.g

-- query strings DIFFERENTIAL
-- feature string_agg .. ORDER BY
SELECT t.g, string_agg(t.h, ',' ORDER BY t.h, t.id DESC) AS s FROM t GROUP BY t.g

-- query arrays DIFFERENTIAL
-- feature array_agg .. ORDER BY
SELECT t.g, array_agg(t.x ORDER BY t.id DESC) AS a FROM t GROUP BY t.g

-- query jsons DIFFERENTIAL
-- feature json_agg, jsonb_agg, json_object_agg, jsonb_object_agg .. ORDER BY
SELECT t.g, json_agg(t.x ORDER BY t.id) AS a, jsonb_agg(t.j ORDER BY t.id) AS b, json_object_agg(t.id, t.h ORDER BY t.id) AS c, jsonb_object_agg(t.id, t.h ORDER BY t.id) AS d FROM t GROUP BY t.g

-- query xmls DIFFERENTIAL
-- feature xmlagg .. ORDER BY
SELECT t.g, xmlagg(t.m ORDER BY t.id) AS m FROM t GROUP BY t.g

-- query ranges DIFFERENTIAL
-- feature range_agg, range_intersect_agg
SELECT t.g, range_agg(t.r) AS a, range_intersect_agg(t.r) AS i FROM t GROUP BY t.g

-- query percentiles DIFFERENTIAL
-- feature percentile_cont, percentile_disc, mode
SELECT t.g, percentile_cont(0.5) WITHIN GROUP (ORDER BY t.f) AS median, percentile_disc(0.25) WITHIN GROUP (ORDER BY t.x DESC) AS d, mode() WITHIN GROUP (ORDER BY t.h) AS m FROM t GROUP BY t.g

-- query hypothetical DIFFERENTIAL
-- feature hypothetical-set: rank, dense_rank, percent_rank, cume_dist WITHIN GROUP
SELECT t.g, rank(3) WITHIN GROUP (ORDER BY t.x) AS r, dense_rank(3) WITHIN GROUP (ORDER BY t.x) AS d, percent_rank(3) WITHIN GROUP (ORDER BY t.x) AS p, cume_dist(3) WITHIN GROUP (ORDER BY t.x) AS c FROM t GROUP BY t.g

-- query user_defined DIFFERENTIAL
-- feature user-defined aggregate
SELECT t.g, total_of(t.x) AS s FROM t GROUP BY t.g

-- query distinct_inside DIFFERENTIAL
-- feature count, sum, avg (DISTINCT x)
SELECT t.g, count(DISTINCT t.x) AS n, sum(DISTINCT t.x) AS s, avg(DISTINCT t.p) AS a FROM t GROUP BY t.g

-- query distinct_ordered DIFFERENTIAL
-- feature DISTINCT and ORDER BY inside an aggregate
SELECT t.g, string_agg(DISTINCT t.h, '-' ORDER BY t.h DESC) AS s, array_agg(DISTINCT t.x) AS a FROM t GROUP BY t.g

-- query filtered DIFFERENTIAL
-- feature FILTER
SELECT t.g, count(*) FILTER (WHERE t.x > 2) AS n, sum(t.n) FILTER (WHERE t.flag) AS s, min(t.x) FILTER (WHERE t.h = 'h1') AS m FROM t GROUP BY t.g

-- query over_aggregates DIFFERENTIAL
-- feature expressions over aggregates
SELECT t.g, sum(t.x)::numeric / NULLIF(count(*), 0) AS ratio, CASE WHEN max(t.x) > 3 THEN 'high' ELSE 'low' END AS kind, t.g * 10 + count(*) AS mixed FROM t GROUP BY t.g

-- query having_groups DIFFERENTIAL
-- feature HAVING
SELECT t.g, count(*) AS n FROM t GROUP BY t.g HAVING count(*) > 5 AND sum(t.x) > 4

-- query having_alone DIFFERENTIAL
-- feature HAVING without GROUP BY
SELECT count(*) AS n FROM t HAVING count(*) > 30

-- query without_group DIFFERENTIAL
-- feature aggregates without GROUP BY
SELECT count(*) AS n, sum(t.x) AS s, max(t.id) AS m, string_agg(t.h, '' ORDER BY t.id) AS all_h FROM t

-- query group_expression DIFFERENTIAL
-- feature GROUP BY expression
SELECT t.x % 3 AS bucket, upper(t.h) AS hh, count(*) AS n FROM t GROUP BY t.x % 3, upper(t.h)

-- query group_position DIFFERENTIAL
-- feature GROUP BY position or output name
SELECT t.h AS label, t.x + 1 AS y, count(*) AS n FROM t GROUP BY 1, y

-- query dependent DIFFERENTIAL
-- feature columns that depend on a primary key in GROUP BY
SELECT parent.id, parent.name, count(t.id) AS n FROM parent LEFT JOIN t ON t.g = parent.id GROUP BY parent.id

-- query group_only DIFFERENTIAL
-- feature GROUP BY without aggregates
SELECT t.h FROM t GROUP BY t.h

-- query grouping_sets DIFFERENTIAL
-- feature GROUPING SETS
SELECT t.g, t.h, count(*) AS n, sum(t.x) AS s FROM t GROUP BY GROUPING SETS ((t.g, t.h), (t.g), ())

-- query rolled_up DIFFERENTIAL
-- feature ROLLUP
SELECT t.g, t.h, count(*) AS n FROM t GROUP BY ROLLUP (t.g, t.h)

-- query cubed DIFFERENTIAL
-- feature CUBE
SELECT t.g, t.h, max(t.x) AS m FROM t GROUP BY CUBE (t.g, t.h)

-- query grouping_function DIFFERENTIAL
-- feature GROUPING()
SELECT t.g, t.h, GROUPING(t.g, t.h) AS level, count(*) AS n FROM t GROUP BY ROLLUP (t.g, t.h) HAVING GROUPING(t.g) = 0

-- query mixed_sets DIFFERENTIAL
-- feature GROUP BY of plain columns and sets, GROUP BY DISTINCT
SELECT t.g, t.h, t.flag, count(*) AS n FROM t GROUP BY DISTINCT t.g, ROLLUP (t.h), CUBE (t.flag)

-- query nested_aggregates DIFFERENTIAL
-- feature aggregate over an aggregate
SELECT q.n, count(*) AS groups, sum(q.s) AS total FROM (SELECT t.g, count(*) AS n, sum(t.x) AS s FROM t GROUP BY t.g) q GROUP BY q.n

-- query over_join DIFFERENTIAL
-- feature aggregate over a join
SELECT parent.name, sum(t.x) AS s, avg(t.p) AS a FROM t JOIN parent ON parent.id = t.g GROUP BY parent.name

-- query not_a_number DIFFERENTIAL
-- feature numeric NaN and infinity in sum, avg, max
SELECT t.h, sum(t.n) AS s, avg(t.n) AS a, max(t.n) AS m, variance(t.n) AS v FROM t GROUP BY t.h

-- query any_value_of AUTO
-- feature any_value on servers before 16
-- before-server 16
-- expect-error does not exist
SELECT t.g, any_value(t.x) AS x FROM t GROUP BY t.g

-- query distinct_mixed DIFFERENTIAL
-- feature DISTINCT aggregates beside plain ones
SELECT t.g, count(DISTINCT t.x) AS n, count(*) AS rows, sum(t.b) AS s FROM t GROUP BY t.g

-- step groups grow and shrink
DELETE FROM t WHERE id % 5 = 0;
INSERT INTO t (id, g, h, x, b, n, p, f, flag) VALUES (100, 1, 'h1', 50, -1, 'NaN', 9, 1e10, false), (101, 9, 'h9', NULL, NULL, 'Infinity', NULL, NULL, NULL), (102, 2, 'h2', -5, 7, '-Infinity', 1.10, -0.5, true);

-- step they move
UPDATE t SET g = g + 1, x = x - 1 WHERE id % 4 = 0;
UPDATE t SET n = 1.500 WHERE n IN ('NaN', 'Infinity', '-Infinity');
UPDATE parent SET name = 'p1' WHERE id = 2;
UPDATE t SET f = -f, flag = NOT flag, d = d + 1 WHERE id % 7 = 1;

-- step whole groups go
DELETE FROM t WHERE g = 1 OR h = 'h0';
DELETE FROM parent WHERE id = 3;

-- step everything goes
DELETE FROM t;
