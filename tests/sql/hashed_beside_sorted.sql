-- A type that can only be hashed beside one that can only be sorted: rows cannot be grouped by both. No writer may fail for that.
-- setup
CREATE TABLE t (id int PRIMARY KEY, h xid, b bit(3), n int);
INSERT INTO t VALUES (1, '7', '101', 1), (2, '8', '110', 2), (3, '7', '101', 3);

-- query pairs
SELECT id, h::text AS h, b::text AS b FROM t

-- query filtered
SELECT id FROM t WHERE h = '7'::xid AND b = '101'

-- query one
SELECT h::text AS h, count(*) AS n FROM t GROUP BY h

-- step
UPDATE t SET n = n + 1;

-- step
UPDATE t SET h = '9', b = '000' WHERE id = 2;

-- step
DELETE FROM t WHERE id = 1;
INSERT INTO t VALUES (4, '9', '000', 4);
