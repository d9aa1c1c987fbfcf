-- Joins: both sides deleted, inserted, updated at once; NULL keys; self joins; all ways to write them; many inputs.
-- setup
CREATE TABLE c (id int PRIMARY KEY, name text, region int);
CREATE TABLE o (id int PRIMARY KEY, cid int, pid int, amount numeric);
CREATE TABLE p (pid int PRIMARY KEY, name text, parent int);
CREATE TABLE r (region int, label text);
CREATE INDEX ON o (cid);
CREATE INDEX ON o (pid);
INSERT INTO c SELECT i, 'c' || i, CASE WHEN i % 5 = 0 THEN NULL ELSE i % 4 END FROM generate_series(1, 40) i;
INSERT INTO p SELECT i, 'p' || i, CASE WHEN i > 3 THEN i / 3 END FROM generate_series(1, 20) i;
INSERT INTO o SELECT i, CASE WHEN i % 11 = 0 THEN NULL ELSE 1 + i % 45 END, 1 + i % 22, i FROM generate_series(1, 300) i;
INSERT INTO r VALUES (0, 'zero'), (1, 'one'), (1, 'uno'), (2, NULL), (NULL, 'none');

-- query two DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, c.name, o.amount FROM o JOIN c ON c.id = o.cid

-- query two_bag DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.name, o.amount > 100 AS big FROM o, c WHERE c.id = o.cid AND c.region IS NOT NULL

-- query three DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.id, c.name AS customer, p.name AS product FROM o JOIN c ON c.id = o.cid JOIN p USING (pid) WHERE o.amount < 250

-- query four DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.name AS customer, p.name AS product, r.label, o.amount FROM o JOIN c ON c.id = o.cid NATURAL JOIN r JOIN p ON p.pid = o.pid

-- query five DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT p.name, pp.name AS parent, c.name AS customer, r.label, count(*) AS n, sum(o.amount) AS total
FROM o JOIN c ON c.id = o.cid JOIN r ON r.region = c.region JOIN p ON p.pid = o.pid JOIN p pp ON pp.pid = p.parent
GROUP BY p.name, pp.name, c.name, r.label

-- query self DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a.name, b.name AS other FROM c a JOIN c b ON a.region = b.region AND a.id < b.id

-- query self_three DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a.name, b.name AS parent, d.name AS grand FROM p a, p b, p d WHERE a.parent = b.pid AND b.parent = d.pid

-- query crossed DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a.label, b.name FROM r a CROSS JOIN p b WHERE b.pid < 5

-- query unequal DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a.label, c.id FROM r a JOIN c ON c.region < a.region OR (c.region IS NULL AND a.region IS NULL)

-- query per_region DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.region, count(*) AS n, sum(o.amount) AS total, max(o.amount) AS top FROM o JOIN c ON c.id = o.cid GROUP BY c.region

-- step both partners deleted
DELETE FROM c WHERE id <= 6;
DELETE FROM o WHERE cid <= 8;
DELETE FROM p WHERE pid IN (3, 9);

-- step both partners inserted
INSERT INTO c VALUES (100, 'new', 1), (101, 'new', NULL);
INSERT INTO o VALUES (1000, 100, 50, 7), (1001, 101, 50, 8), (1002, 100, NULL, 9);
INSERT INTO p VALUES (50, 'p50', 1);

-- step both partners updated, join keys too
UPDATE o SET cid = cid + 1, pid = pid - 1 WHERE id % 3 = 0;
UPDATE c SET region = 3 - region, name = upper(name) WHERE id % 2 = 0;
UPDATE p SET parent = 1 WHERE parent = 2;

-- step duplicates in a keyless table
INSERT INTO r VALUES (1, 'one'), (1, 'one'), (2, NULL);

-- step one of them goes
DELETE FROM r WHERE ctid = (SELECT min(ctid) FROM r WHERE label = 'one');

-- step two keys swap
UPDATE c SET id = CASE id WHEN 10 THEN -11 WHEN 11 THEN -10 END WHERE id IN (10, 11);
UPDATE c SET id = -id WHERE id < 0;

-- step everything at once
DELETE FROM o WHERE id % 2 = 0;
UPDATE o SET amount = amount + 1;
INSERT INTO o SELECT i, 1 + i % 45, 1 + i % 22, i FROM generate_series(2000, 2100) i;
DELETE FROM c WHERE id % 3 = 0;
UPDATE c SET region = region + 1;
UPDATE r SET region = region + 1;
UPDATE p SET name = name || '!', parent = parent + 1;

-- step
TRUNCATE r;

-- step
DELETE FROM c;
DELETE FROM o;
