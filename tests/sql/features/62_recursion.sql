-- group Recursive queries
-- setup
CREATE TABLE nodes (id int PRIMARY KEY, parent int, name text, price numeric);
CREATE INDEX ON nodes (parent);
INSERT INTO nodes SELECT i, nullif(i / 3, 0), 'n' || i % 5, i % 7 FROM generate_series(1, 40) i;
CREATE TABLE edges (src int NOT NULL, dst int NOT NULL);
CREATE INDEX ON edges (src);
CREATE INDEX ON edges (dst);
INSERT INTO edges SELECT i % 13, (i * 5 + 1) % 13 FROM generate_series(1, 16) i;
CREATE TABLE starts (id int PRIMARY KEY);
INSERT INTO starts VALUES (1), (4);

-- query closure DIFFERENTIAL
-- feature WITH RECURSIVE .. UNION: reachability, circles in the data
WITH RECURSIVE r (id) AS (SELECT s.id FROM starts s UNION SELECT e.dst FROM r JOIN edges e ON e.src = r.id) SELECT r.id FROM r

-- query tree DIFFERENTIAL
-- feature WITH RECURSIVE .. UNION ALL: trees, levels, paths
WITH RECURSIVE t (id, level, path) AS (SELECT n.id, 1, ARRAY[n.id] FROM nodes n WHERE n.parent IS NULL UNION ALL SELECT n.id, t.level + 1, t.path || n.id FROM t JOIN nodes n ON n.parent = t.id) SELECT t.id, t.level, t.path FROM t

-- query bill DIFFERENTIAL
-- feature aggregates, joins and subqueries over the result
WITH RECURSIVE t (top, id) AS (SELECT n.id, n.id FROM nodes n WHERE n.id < 4 UNION ALL SELECT t.top, n.id FROM t JOIN nodes n ON n.parent = t.id) SELECT t.top, count(*) AS n, sum(n.price) AS price FROM t JOIN nodes n ON n.id = t.id GROUP BY t.top

-- query over_aggregate DIFFERENTIAL
-- feature aggregates and other CTEs in what the terms read
WITH RECURSIVE d AS (SELECT e.src, count(*) AS n FROM edges e GROUP BY e.src), r (id) AS (SELECT s.id FROM starts s UNION SELECT e.dst FROM r JOIN edges e ON e.src = r.id JOIN d ON d.src = e.src WHERE d.n < 3) SELECT r.id FROM r

-- query two DIFFERENTIAL
-- feature several recursive CTEs, one that reads another
WITH RECURSIVE r (id) AS (SELECT s.id FROM starts s UNION SELECT e.dst FROM r JOIN edges e ON e.src = r.id), b (id) AS (SELECT r.id FROM r UNION SELECT e.src FROM b JOIN edges e ON e.dst = b.id) SELECT b.id, r.id IS NULL AS only_back FROM b LEFT JOIN r ON r.id = b.id

-- query outer_inside DIFFERENTIAL
-- feature LEFT JOIN, EXISTS, NOT EXISTS in the recursive term
WITH RECURSIVE r (id, name) AS (SELECT s.id, NULL::text FROM starts s UNION SELECT e.dst, n.name FROM r JOIN edges e ON e.src = r.id LEFT JOIN nodes n ON n.id = e.dst WHERE NOT EXISTS (SELECT FROM starts c WHERE c.id = e.dst)) SELECT r.id, r.name FROM r

-- query functions DIFFERENTIAL
-- feature functions in FROM of the recursive term
WITH RECURSIVE r (id, n) AS (SELECT s.id, 2 FROM starts s UNION ALL SELECT r.id + g, r.n - 1 FROM r, generate_series(1, r.n) g WHERE r.n > 0) SELECT r.id, r.n FROM r

-- query constants DIFFERENTIAL
-- feature WITH RECURSIVE that reads no table
WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT r.n + 1 FROM r WHERE r.n < 5) SELECT s.id, r.n FROM starts s JOIN r ON r.n = s.id

-- query in_subquery DIFFERENTIAL
-- feature WITH RECURSIVE in a subquery
SELECT n.id FROM nodes n WHERE n.id IN (WITH RECURSIVE r (id) AS (SELECT s.id FROM starts s UNION SELECT e.dst FROM r JOIN edges e ON e.src = r.id) SELECT r.id FROM r)

-- query no_source DIFFERENTIAL
-- feature a recursive term all of whose columns are computed
WITH RECURSIVE r (id) AS (SELECT s.id FROM starts s UNION SELECT r.id + 3 FROM r WHERE r.id < 20) SELECT r.id FROM r

-- query cycle DIFFERENTIAL
-- feature CYCLE by one column, without its path
WITH RECURSIVE r (src, dst) AS (SELECT e.src, e.dst FROM edges e WHERE e.src < 2 UNION ALL SELECT e.src, e.dst FROM r JOIN edges e ON e.src = r.dst) CYCLE dst SET again USING seen SELECT r.src, r.dst, r.again FROM r

-- query search DIFFERENTIAL
-- feature SEARCH, its column only in an ORDER BY without LIMIT
WITH RECURSIVE t (id, parent) AS (SELECT n.id, n.parent FROM nodes n WHERE n.parent IS NULL UNION ALL SELECT n.id, n.parent FROM t JOIN nodes n ON n.parent = t.id) SEARCH DEPTH FIRST BY id SET place SELECT t.id, t.parent FROM t ORDER BY t.place

-- step
INSERT INTO nodes VALUES (41, 13, 'new', 2), (42, 41, 'below', 3);
INSERT INTO edges VALUES (3, 12), (12, 2);
DELETE FROM edges WHERE src = 5;

-- step
UPDATE nodes SET parent = 2 WHERE id = 12;
DELETE FROM nodes WHERE id = 4;
DELETE FROM starts WHERE id = 1;
INSERT INTO starts VALUES (7);

-- step
UPDATE edges SET dst = (dst + 1) % 13 WHERE src % 4 = 0;
DELETE FROM edges WHERE src = 7;

-- step
DELETE FROM edges;
DELETE FROM nodes WHERE parent IS NULL;
