-- WITH RECURSIVE: reachability over graphs with circles, trees, bills of materials; changes of every table that it reads.
-- setup
SET jit = off;  -- PostgreSQL expects millions of rows of a recursion
CREATE TABLE nodes (id int PRIMARY KEY, parent int, name text);
INSERT INTO nodes SELECT i, nullif(i / 2, 0), 'n' || i FROM generate_series(1, 40) i;
CREATE TABLE edges (src int, dst int);
CREATE INDEX ON edges (src);
CREATE INDEX ON edges (dst);
INSERT INTO edges VALUES (1, 2), (2, 3), (3, 4), (4, 2), (5, 6), (6, 5), (3, 5), (NULL, 7), (7, NULL), (8, 8);
CREATE TABLE starts (id int);
INSERT INTO starts VALUES (1), (1), (8), (NULL);
CREATE TABLE parts (part text NOT NULL, sub text NOT NULL, amount int NOT NULL);
INSERT INTO parts VALUES ('car', 'wheel', 4), ('car', 'engine', 1), ('wheel', 'bolt', 5), ('engine', 'bolt', 20),
  ('engine', 'piston', 4), ('piston', 'bolt', 1), ('bike', 'wheel', 2);
CREATE TABLE closed (id int PRIMARY KEY);

-- query tree DIFFERENTIAL
-- expect-mode DIFFERENTIAL
WITH RECURSIVE t(id, parent, name, level, path) AS (
  SELECT id, parent, name, 1, ARRAY[id] FROM nodes WHERE parent IS NULL
  UNION ALL SELECT n.id, n.parent, n.name, t.level + 1, t.path || n.id FROM t JOIN nodes n ON n.parent = t.id)
SELECT id, name, level, path FROM t

-- query tree_set DIFFERENTIAL
WITH RECURSIVE t(id, level) AS (
  SELECT id, 1 FROM nodes WHERE parent IS NULL
  UNION SELECT n.id, t.level + 1 FROM t JOIN nodes n ON n.parent = t.id)
SELECT id, level FROM t

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

-- query needs DIFFERENTIAL
-- expect-mode DIFFERENTIAL
WITH RECURSIVE b(part, sub, amount) AS (
  SELECT part, sub, amount FROM parts
  UNION ALL SELECT b.part, p.sub, b.amount * p.amount FROM b JOIN parts p ON p.part = b.sub)
SELECT part, sub, sum(amount) AS amount, count(*) AS ways FROM b GROUP BY part, sub

-- query ways DIFFERENTIAL
WITH RECURSIVE b(part, sub) AS (
  SELECT part, sub FROM parts UNION ALL SELECT b.part, p.sub FROM b JOIN parts p ON p.part = b.sub)
SELECT part, sub FROM b

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

-- step a leaf
INSERT INTO nodes VALUES (41, 20, 'leaf');

-- step a subtree moves
UPDATE nodes SET parent = 3 WHERE id = 4;

-- step a name in the middle changes
UPDATE nodes SET name = 'other' WHERE id = 3;

-- step an inner node goes, and its subtree with it
DELETE FROM nodes WHERE id = 5;

-- step it comes back elsewhere
INSERT INTO nodes VALUES (5, 1, 'again');

-- step the root goes and another comes
DELETE FROM nodes WHERE id = 1;
INSERT INTO nodes VALUES (1, NULL, 'root'), (50, NULL, 'second'), (51, 50, 'below');

-- step a circle apart, which no root leads to
INSERT INTO nodes VALUES (60, 61, 'a'), (61, 60, 'b');

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

-- step parts: amounts, a new assembly, one that goes
UPDATE parts SET amount = amount + 1 WHERE sub = 'bolt' AND part = 'piston';

-- step
INSERT INTO parts VALUES ('piston', 'ring', 3), ('tandem', 'bike', 2), ('tandem', 'bike', 2);

-- step
DELETE FROM parts WHERE part = 'engine' AND sub = 'piston';

-- step
BEGIN;
DELETE FROM parts WHERE part = 'tandem';
UPDATE parts SET part = 'frame' WHERE part = 'wheel';
INSERT INTO parts VALUES ('wheel', 'frame', 1);
COMMIT;

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
DELETE FROM parts;

-- step
INSERT INTO nodes SELECT i, nullif(i / 3, 0), 'm' || i FROM generate_series(1, 15) i;
INSERT INTO parts VALUES ('a', 'b', 2), ('b', 'c', 3);
