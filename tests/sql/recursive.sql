-- WITH RECURSIVE over a graph with circles: what is reached, and changes of every table that it reads.
-- setup
CREATE TABLE nodes (id int PRIMARY KEY, parent int, name text);
INSERT INTO nodes SELECT i, nullif(i / 2, 0), 'n' || i FROM generate_series(1, 40) i;
CREATE TABLE edges (src int, dst int);
CREATE INDEX ON edges (src);
CREATE INDEX ON edges (dst);
INSERT INTO edges VALUES (1, 2), (2, 3), (3, 4), (4, 2), (5, 6), (6, 5), (3, 5), (NULL, 7), (7, NULL), (8, 8);
CREATE TABLE starts (id int);
INSERT INTO starts VALUES (1), (1), (8), (NULL);
CREATE TABLE closed (id int PRIMARY KEY);
ANALYZE;  -- for the queries themselves: PostgreSQL makes hash tables for millions of rows of a recursion over unknown ones

-- query reached DIFFERENTIAL
-- expect-mode DIFFERENTIAL
WITH RECURSIVE r(id) AS (SELECT id FROM starts UNION SELECT e.dst FROM r JOIN edges e ON e.src = r.id) SELECT id FROM r

-- query closure DIFFERENTIAL
WITH RECURSIVE p(src, dst) AS (
  SELECT src, dst FROM edges UNION SELECT p.src, e.dst FROM p JOIN edges e ON e.src = p.dst)
SELECT src, dst FROM p

-- query open_ones DIFFERENTIAL
-- expect-mode DIFFERENTIAL
WITH RECURSIVE r(id) AS (
  SELECT id FROM starts
  UNION SELECT e.dst FROM r JOIN edges e ON e.src = r.id WHERE NOT EXISTS (SELECT FROM closed c WHERE c.id = e.dst))
SELECT id FROM r

-- query named DIFFERENTIAL
-- expect-mode DIFFERENTIAL
WITH RECURSIVE r(id, name) AS (
  SELECT id, NULL::text FROM starts
  UNION SELECT e.dst, n.name FROM r JOIN edges e ON e.src = r.id LEFT JOIN nodes n ON n.id = e.dst)
SELECT id, name FROM r

-- query several DIFFERENTIAL
-- expect-mode DIFFERENTIAL
WITH RECURSIVE degree AS (SELECT src, count(*) AS n FROM edges GROUP BY src),
  r(id) AS (SELECT id FROM starts
    UNION SELECT e.dst FROM r JOIN edges e ON e.src = r.id JOIN degree d ON d.src = e.src AND d.n < 3),
  back(id) AS (SELECT r.id FROM r UNION SELECT e.src FROM back b JOIN edges e ON e.dst = b.id)
SELECT b.id, r.id IS NULL AS only_back, (SELECT count(*) FROM r) AS n FROM back b LEFT JOIN r ON r.id = b.id

-- query in_subquery DIFFERENTIAL
SELECT n.id FROM nodes n WHERE n.id IN (
  WITH RECURSIVE r(id) AS (SELECT id FROM starts UNION SELECT e.dst FROM r JOIN edges e ON e.src = r.id) SELECT id FROM r)

-- query numbers DIFFERENTIAL
-- expect-mode DIFFERENTIAL
WITH RECURSIVE r(id, n) AS (SELECT id, 1 FROM starts UNION SELECT id, n + 1 FROM r WHERE n < 4) SELECT id, n FROM r

-- query constants DIFFERENTIAL
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT s.id, r.n FROM starts s JOIN r ON r.n = s.id

-- query marked DIFFERENTIAL
-- expect-mode DIFFERENTIAL
WITH RECURSIVE r(src, dst) AS (
  SELECT src, dst FROM edges WHERE src < 4 UNION ALL SELECT e.src, e.dst FROM r, edges e WHERE e.src = r.dst
) CYCLE dst SET again USING seen
SELECT src, dst, again FROM r

-- query searched DIFFERENTIAL
WITH RECURSIVE r(id) AS (
  SELECT id FROM starts UNION SELECT e.dst FROM r JOIN edges e ON e.src = r.id
) SEARCH BREADTH FIRST BY id SET sequence CYCLE id SET again USING seen
SELECT id, again FROM r ORDER BY sequence

-- step nodes that are reached go and come back
UPDATE nodes SET name = 'other' WHERE id = 3;
DELETE FROM nodes WHERE id = 5;

-- step
INSERT INTO nodes VALUES (5, 1, 'again');

-- step a circle loses its only support
DELETE FROM edges WHERE src = 1;

-- step and gets it again, twice
INSERT INTO edges VALUES (1, 3), (1, 4);

-- step one of two
DELETE FROM edges WHERE src = 1 AND dst = 4;

-- step lost and gained in one batch, by a row that only the lost one supports
BEGIN;
DELETE FROM edges WHERE src = 1 AND dst = 3;
INSERT INTO edges VALUES (5, 3);
COMMIT;

-- step gained from outside instead
INSERT INTO edges VALUES (1, 9), (9, 6);

-- step both tables at once
BEGIN;
DELETE FROM starts WHERE id = 1;
INSERT INTO starts VALUES (2), (9);
UPDATE edges SET dst = dst + 1 WHERE src = 3;
DELETE FROM edges WHERE src = 9;
INSERT INTO closed VALUES (4), (6);
COMMIT;

-- step a copy of a start goes, the other stays
INSERT INTO starts VALUES (2), (2);

-- step
DELETE FROM starts WHERE ctid = (SELECT min(ctid) FROM starts WHERE id = 2);

-- step copies of edges
INSERT INTO edges VALUES (2, 3), (2, 3), (3, 2);

-- step
DELETE FROM edges WHERE ctid = (SELECT min(ctid) FROM edges WHERE src = 2 AND dst = 3);

-- step NULLs lead nowhere, but are rows
INSERT INTO edges VALUES (2, NULL), (NULL, NULL), (7, 7), (2, 7);

-- step
DELETE FROM edges WHERE dst = 7;

-- step a row without its NULLs
UPDATE edges SET dst = 11 WHERE dst IS NULL AND src = 2;

-- step the closed ones open
DELETE FROM closed;

-- step names of what is reached
UPDATE nodes SET name = upper(name) WHERE id IN (2, 3, 4);
DELETE FROM nodes WHERE id = 6;

-- step an edge changes back and forth
BEGIN;
UPDATE edges SET dst = 99 WHERE src = 3;
UPDATE edges SET dst = 4 WHERE src = 3 AND dst = 99;
COMMIT;

-- step all starts go
DELETE FROM starts;

-- step
INSERT INTO starts SELECT 2;

-- step
TRUNCATE edges;

-- step
INSERT INTO edges SELECT i % 12, (i * 7) % 12 FROM generate_series(1, 20) i;

-- step
DELETE FROM edges WHERE src % 3 = 0;

-- step
TRUNCATE nodes;

-- step
INSERT INTO nodes SELECT i, nullif(i / 3, 0), 'm' || i FROM generate_series(1, 15) i;
