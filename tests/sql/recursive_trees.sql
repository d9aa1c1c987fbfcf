-- WITH RECURSIVE over a tree: nodes and whole subtrees come, go and move.
-- setup
CREATE TABLE nodes (id int PRIMARY KEY, parent int, name text);
INSERT INTO nodes SELECT i, nullif(i / 2, 0), 'n' || i FROM generate_series(1, 40) i;
ANALYZE;  -- for the queries themselves: PostgreSQL makes hash tables for millions of rows of a recursion over unknown ones

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

-- step names change, a node goes
UPDATE nodes SET name = upper(name) WHERE id IN (2, 3, 4);
DELETE FROM nodes WHERE id = 6;

-- step
TRUNCATE nodes;

-- step
INSERT INTO nodes SELECT i, nullif(i / 3, 0), 'm' || i FROM generate_series(1, 15) i;
