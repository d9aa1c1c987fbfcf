-- One transaction with a bit of everything.
\set ON_ERROR_STOP 1
BEGIN;
INSERT INTO orders (customer_id, product_id, quantity, amount, ordered_on)
SELECT 1 + i, 1 + i, 1, 10 + i, date '2024-12-31' FROM generate_series(1, 50) i;
UPDATE orders SET amount = amount + 1 WHERE id IN (SELECT id FROM orders ORDER BY id LIMIT 20);
DELETE FROM orders WHERE id IN (SELECT id FROM orders ORDER BY id LIMIT 10);
UPDATE customers SET region = CASE region WHEN 'north' THEN 'overseas' ELSE 'north' END WHERE id = 42;
COMMIT;

-- Then single orders, slowly enough that each is a refresh of its own.
SELECT pg_sleep(0.5);
INSERT INTO orders (customer_id, product_id, quantity, amount, ordered_on) VALUES (7, 3, 1, 10.5, '2024-12-31'); SELECT pg_sleep(0.2);
INSERT INTO orders (customer_id, product_id, quantity, amount, ordered_on) VALUES (14, 6, 1, 20.5, '2024-12-31'); SELECT pg_sleep(0.2);
INSERT INTO orders (customer_id, product_id, quantity, amount, ordered_on) VALUES (21, 9, 1, 30.5, '2024-12-31'); SELECT pg_sleep(0.2);
INSERT INTO orders (customer_id, product_id, quantity, amount, ordered_on) VALUES (28, 12, 1, 40.5, '2024-12-31'); SELECT pg_sleep(0.2);
INSERT INTO orders (customer_id, product_id, quantity, amount, ordered_on) VALUES (35, 15, 1, 50.5, '2024-12-31'); SELECT pg_sleep(0.2);
INSERT INTO orders (customer_id, product_id, quantity, amount, ordered_on) VALUES (42, 18, 1, 60.5, '2024-12-31'); SELECT pg_sleep(0.2);
INSERT INTO orders (customer_id, product_id, quantity, amount, ordered_on) VALUES (49, 21, 1, 70.5, '2024-12-31'); SELECT pg_sleep(0.2);
INSERT INTO orders (customer_id, product_id, quantity, amount, ordered_on) VALUES (56, 24, 1, 80.5, '2024-12-31'); SELECT pg_sleep(0.2);
