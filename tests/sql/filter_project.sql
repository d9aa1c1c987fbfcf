-- A filter and expressions over one table: duplicates, NULLs, updates in and out of the filter, TRUNCATE.
-- setup
CREATE TABLE items (id int, label text, price numeric);
INSERT INTO items SELECT i, 'item ' || i % 7, i % 13 FROM generate_series(1, 200) i;
INSERT INTO items VALUES (1, NULL, NULL), (1, NULL, NULL);

-- query cheap_items DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT upper(label) AS label, price * 2 AS twice, price IS NULL AS unknown FROM items WHERE price < 6 OR price IS NULL

-- step rows that pass, that do not, and a duplicate
INSERT INTO items VALUES (500, 'new', 1), (501, 'new', 100), (502, NULL, 1), (502, NULL, 1);

-- step in and out of the filter
UPDATE items SET price = price + 3 WHERE id % 3 = 0;

-- step one of two equal rows
DELETE FROM items WHERE ctid = (SELECT ctid FROM items WHERE id = 502 LIMIT 1);

-- step changes that cancel out in one transaction
INSERT INTO items VALUES (900, 'gone', 2);
DELETE FROM items WHERE id = 900;

-- step
TRUNCATE items;

-- step
TRUNCATE items;
INSERT INTO items VALUES (1, 'back', 1);
