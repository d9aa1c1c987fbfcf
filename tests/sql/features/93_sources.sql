-- group Sources
-- setup
CREATE TABLE t (id int PRIMARY KEY, g int, x int);
CREATE TABLE u (k int, y int);
CREATE TABLE parts (id int, g int, x int) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (1000);
CREATE TABLE derived (id int GENERATED ALWAYS AS IDENTITY, x int, double int GENERATED ALWAYS AS (2 * x) STORED);
CREATE UNLOGGED TABLE quick (id int, x int);
CREATE TABLE base (id int, x int);
CREATE TABLE child (extra int) INHERITS (base);
INSERT INTO t SELECT i, i % 4, i % 7 FROM generate_series(1, 20) i;
INSERT INTO u SELECT i % 5, i FROM generate_series(1, 10) i;
INSERT INTO parts SELECT i, i % 3, i FROM generate_series(1, 20) i;
INSERT INTO derived (x) SELECT i FROM generate_series(1, 8) i;
INSERT INTO quick SELECT i, i FROM generate_series(1, 8) i;
INSERT INTO base SELECT i, i FROM generate_series(1, 5) i;
INSERT INTO child SELECT i, i, i FROM generate_series(6, 9) i;
CREATE VIEW plain_view AS SELECT t.g, t.x FROM t WHERE t.x > 1;
CREATE VIEW grouped_view AS SELECT t.g, sum(t.x) AS s, count(*) AS n FROM t GROUP BY t.g;
CREATE VIEW view_of_view AS SELECT g.g, g.s, u.y FROM grouped_view g JOIN u ON u.k = g.g;

-- query from_view DIFFERENTIAL
-- feature view
SELECT v.g, v.x FROM plain_view v

-- query from_grouped_view DIFFERENTIAL
-- feature view with an aggregate
SELECT v.g, v.s, u.y FROM grouped_view v JOIN u ON u.k = v.g

-- query from_view_of_view DIFFERENTIAL
-- feature view of a view
SELECT v.y, sum(v.s) AS s FROM view_of_view v GROUP BY v.y

-- query upstream DIFFERENTIAL
-- feature table
SELECT t.g, sum(t.x) AS s, count(*) AS n FROM t GROUP BY t.g

-- query downstream DIFFERENTIAL
-- feature stream table
SELECT upstream.n, count(*) AS groups, max(upstream.s) AS m FROM upstream GROUP BY upstream.n

-- query downstream_mixed DIFFERENTIAL
-- feature stream table joined with its own source
SELECT t.id, upstream.s FROM t JOIN upstream ON upstream.g = t.g

-- query of_full DIFFERENTIAL
-- feature stream table of mode FULL
SELECT f.n, f.s FROM upstream_in_full f WHERE f.n > 1

-- query partitioned DIFFERENTIAL
-- feature partitioned table
SELECT parts.g, sum(parts.x) AS s FROM parts GROUP BY parts.g

-- query one_partition AUTO
-- feature partition, or child of another table
-- expect-mode FULL
SELECT parts_1.id, parts_1.x FROM parts_1

-- query generated_columns DIFFERENTIAL
-- feature generated and identity columns
SELECT derived.id, derived.double FROM derived

-- query unlogged_table AUTO
-- feature unlogged table
-- expect-mode FULL
SELECT quick.id, quick.x FROM quick

-- query only_children AUTO
-- feature ONLY on a table with children
-- expect-mode FULL
SELECT base.id FROM ONLY base

-- step
DELETE FROM t WHERE id % 5 = 0;
INSERT INTO t VALUES (100, 1, 3), (101, NULL, 4);
INSERT INTO u VALUES (1, 99), (2, 98);
UPDATE parts SET id = id + 10 WHERE id BETWEEN 3 AND 6;
UPDATE derived SET x = x + 1 WHERE id < 3;
DELETE FROM base WHERE id = 2;

-- step
UPDATE t SET g = 3 WHERE x = 2;
DELETE FROM parts_2 WHERE x % 2 = 0;
DELETE FROM derived WHERE id = 4;
INSERT INTO quick VALUES (9, 9);
INSERT INTO base VALUES (10, 10);

-- step
DELETE FROM t;
