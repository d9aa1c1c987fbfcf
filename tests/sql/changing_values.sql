-- Uncorrelated scalar subqueries whose value changes while the rows that are compared with it change too: NULL values,
-- rows on either side, the value in the output and not, several values, semi joins below and above.
-- setup
CREATE TABLE c (id int PRIMARY KEY, grp int, bal numeric, phone text);
CREATE TABLE o (id int PRIMARY KEY, cust int, price int);
CREATE INDEX ON o (cust);
INSERT INTO c SELECT i, i % 5, CASE WHEN i % 11 = 0 THEN NULL ELSE (i * 37) % 100 END, 'p' || i % 4 FROM generate_series(1, 200) i;
INSERT INTO o SELECT i, i % 150, (i * 13) % 90 FROM generate_series(1, 300) i;

-- query above_average DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id, c.bal FROM c WHERE c.bal > (SELECT avg(x.bal) FROM c x WHERE x.bal > 0)

-- query as_a_bag DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.grp, c.phone FROM c WHERE c.bal >= (SELECT max(price) - 10 FROM o)

-- query grouped DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.phone, count(*) AS n, sum(c.bal) AS s, min(c.bal) AS low FROM c WHERE c.bal > (SELECT avg(o.price) FROM o) AND c.grp <> 2 AND NOT EXISTS (SELECT 1 FROM o WHERE o.cust = c.id) GROUP BY c.phone

-- query in_the_output DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id, (SELECT max(price) FROM o) AS top FROM c WHERE c.bal > (SELECT avg(o.price) FROM o)

-- query having_value DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.cust, sum(o.price) AS s FROM o GROUP BY o.cust HAVING sum(o.price) > (SELECT avg(p.price) * 2 FROM o p)

-- query equal_to_the_top DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id FROM c, (SELECT o.cust, sum(o.price) AS s FROM o GROUP BY o.cust) t WHERE t.cust = c.id AND t.s = (SELECT max(u.s) FROM (SELECT o.cust, sum(o.price) AS s FROM o GROUP BY o.cust) u)

-- query key_is_the_value DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT o.price FROM o WHERE o.cust = (SELECT min(c.id) FROM c WHERE c.bal > 50)

-- query two_values DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id FROM c WHERE c.bal BETWEEN (SELECT min(price) FROM o) AND (SELECT avg(price) FROM o) OR c.grp = (SELECT max(grp) FROM c)

-- query distinct_and_in DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT c.phone, o.price % 10 AS d FROM c, o WHERE o.cust = c.id AND c.id IN (SELECT p.cust FROM o p GROUP BY p.cust HAVING sum(p.price) > 60) AND o.price > (SELECT avg(bal) FROM c)

-- query both_ways DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id, o.id AS oid FROM c, o WHERE o.cust = c.id AND EXISTS (SELECT 1 FROM o p WHERE p.cust = c.id AND p.price <> c.grp) AND NOT EXISTS (SELECT 1 FROM c d WHERE d.id = o.price AND d.phone <> 'p1')

-- query across DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id, o.id AS oid FROM c, o WHERE o.cust = c.id AND EXISTS (SELECT 1 FROM o p WHERE p.cust = c.id AND p.price > o.price)

-- query windowed DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id, c.grp, row_number() OVER (PARTITION BY c.grp ORDER BY c.id) AS r FROM c WHERE c.bal > (SELECT avg(o.price) FROM o)

-- query topmost DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id, c.bal FROM c WHERE c.bal < (SELECT avg(o.price) FROM o) ORDER BY c.bal DESC, c.id LIMIT 7

-- query common_to_both DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT c.id, o.id AS oid FROM c, o WHERE (c.id = o.cust AND c.grp = 1 AND o.price > 20 AND o.id > 5) OR (o.price < 60 AND c.id = o.cust AND o.id > 5 AND c.phone = 'p2')

-- step
UPDATE c SET bal = bal + 40 WHERE grp = 1;

-- step
UPDATE o SET price = price + 25 WHERE id % 3 = 0;
UPDATE c SET bal = 100 - bal WHERE id % 4 = 0;
DELETE FROM c WHERE id % 17 = 0;

-- step
UPDATE c SET bal = NULL WHERE bal > 30;

-- step
DELETE FROM o;

-- step
INSERT INTO o SELECT i, i % 150, (i * 7) % 110 FROM generate_series(1, 200) i;
UPDATE c SET bal = id % 90, phone = 'p' || grp;

-- step
DELETE FROM c WHERE bal IS NOT NULL;

-- step
INSERT INTO c SELECT i, i % 5, (i * 31) % 100, 'p' || i % 4 FROM generate_series(1001, 1100) i;
INSERT INTO c SELECT i, i % 5, (i * 31) % 100, 'p' || i % 4 FROM generate_series(1, 160) i ON CONFLICT DO NOTHING;

-- step
UPDATE o SET price = (price * 3) % 100, cust = cust % 40 WHERE id > 20;
UPDATE c SET bal = (bal * 3) % 100 WHERE id < 1050;

-- step
TRUNCATE o;
