-- group Common table expressions
-- setup
CREATE TABLE t (id int PRIMARY KEY, g int, x int);
CREATE TABLE u (k int, y int);
INSERT INTO t SELECT i, i % 4, i % 7 FROM generate_series(1, 24) i;
INSERT INTO u SELECT i % 5, i FROM generate_series(1, 10) i;

-- query once DIFFERENTIAL
-- feature WITH, referenced once
WITH q AS (SELECT t.g, t.x FROM t WHERE t.x > 1) SELECT q.g, q.x FROM q

-- query several_times DIFFERENTIAL
-- feature WITH, referenced several times
WITH q AS (SELECT t.g, sum(t.x) AS s FROM t GROUP BY t.g) SELECT l.g, l.s, r.g AS other FROM q l JOIN q r ON r.g = l.g

-- query materialized DIFFERENTIAL
-- feature AS MATERIALIZED
WITH q AS MATERIALIZED (SELECT t.g, t.x FROM t) SELECT q.g, count(*) AS n FROM q GROUP BY q.g

-- query not_materialized DIFFERENTIAL
-- feature AS NOT MATERIALIZED
WITH q AS NOT MATERIALIZED (SELECT t.g, t.x FROM t) SELECT q.g, q.x FROM q UNION ALL SELECT q.x, q.g FROM q

-- query column_names DIFFERENTIAL
-- feature column names
WITH q (a, b) AS (SELECT t.g, t.x FROM t) SELECT q.a, max(q.b) AS m FROM q GROUP BY q.a

-- query chained DIFFERENTIAL
-- feature a CTE that reads another
WITH q AS (SELECT t.g, t.x FROM t WHERE t.x > 0), r AS (SELECT q.g, sum(q.x) AS s FROM q GROUP BY q.g) SELECT r.g, r.s, u.y FROM r JOIN u ON u.k = r.g

-- query nested DIFFERENTIAL
-- feature nested WITH
WITH q AS (WITH inside AS (SELECT t.g, t.x FROM t WHERE t.g > 0) SELECT inside.g, count(*) AS n FROM inside GROUP BY inside.g) SELECT q.g, q.n FROM q

-- query shadowing DIFFERENTIAL
-- feature a name that shadows a table
WITH u AS (SELECT t.g AS k, t.x AS y FROM t WHERE t.id < 12) SELECT u.k, u.y FROM u

-- query shadowing_nested DIFFERENTIAL
-- feature a name that shadows a CTE
WITH q AS (SELECT t.id FROM t) SELECT s.id FROM (WITH q AS (SELECT u.y AS id FROM u) SELECT q.id FROM q) s JOIN q ON q.id = s.id

-- query in_subquery DIFFERENTIAL
-- feature used in a subquery
WITH q AS (SELECT u.k FROM u WHERE u.y > 3) SELECT t.id FROM t WHERE t.g IN (SELECT q.k FROM q) AND NOT EXISTS (SELECT FROM q WHERE q.k = t.x)

-- query unused DIFFERENTIAL
-- feature WITH, not referenced
WITH q AS (SELECT u.k FROM u) SELECT t.id FROM t

-- query values_list DIFFERENTIAL
-- feature WITH .. AS (VALUES ..)
WITH names (g, name) AS (VALUES (0, 'zero'), (1, 'one')) SELECT t.id, names.name FROM t LEFT JOIN names ON names.g = t.g

-- step
DELETE FROM t WHERE id % 4 = 1;
INSERT INTO t VALUES (100, 2, 9), (101, NULL, 3);
INSERT INTO u VALUES (0, 100), (3, 5);

-- step
UPDATE t SET g = 1 WHERE x = 3;
DELETE FROM u WHERE y < 5;

-- step
DELETE FROM t;

-- query recursive_union DIFFERENTIAL
-- feature WITH RECURSIVE .. UNION
WITH RECURSIVE r (id, x) AS (SELECT t.id, t.x FROM t WHERE t.id < 3 UNION SELECT u.y, r.x FROM r JOIN u ON u.k = r.id) SELECT r.id, r.x FROM r

-- query recursive_union_all DIFFERENTIAL
-- feature WITH RECURSIVE .. UNION ALL
WITH RECURSIVE r (id, depth) AS (SELECT t.id, 0 FROM t WHERE t.x > 3 UNION ALL SELECT t.g, r.depth + 1 FROM r JOIN t ON t.id = r.id WHERE r.depth < 3) SELECT r.depth, count(*) AS n FROM r GROUP BY r.depth

-- query recursive_cycle DIFFERENTIAL
-- feature WITH RECURSIVE .. CYCLE of one column
WITH RECURSIVE r (id) AS (SELECT t.id FROM t WHERE t.id < 3 UNION ALL SELECT u.y FROM r JOIN u ON u.k = r.id) CYCLE id SET again USING path SELECT r.id, r.again FROM r
