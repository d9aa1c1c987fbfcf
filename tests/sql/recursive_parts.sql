-- WITH RECURSIVE by UNION ALL: bills of materials, where every way to a part counts.
-- setup
CREATE TABLE parts (part text NOT NULL, sub text NOT NULL, amount int NOT NULL);
INSERT INTO parts VALUES ('car', 'wheel', 4), ('car', 'engine', 1), ('wheel', 'bolt', 5), ('engine', 'bolt', 20),
  ('engine', 'piston', 4), ('piston', 'bolt', 1), ('bike', 'wheel', 2);
ANALYZE;  -- for the queries themselves: PostgreSQL makes hash tables for millions of rows of a recursion over unknown ones

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

-- step
DELETE FROM parts;

-- step
INSERT INTO parts VALUES ('a', 'b', 2), ('b', 'c', 3);
