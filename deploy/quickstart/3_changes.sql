-- One transaction with a bit of everything.
\set ON_ERROR_STOP 1
BEGIN;
INSERT INTO orders (customer_id, product_id, quantity, amount, ordered_on)
SELECT 1 + i, 1 + i, 1, 10 + i, date '2024-12-31' FROM generate_series(1, 50) i;
UPDATE orders SET amount = amount + 1 WHERE id IN (SELECT id FROM orders ORDER BY id LIMIT 20);
DELETE FROM orders WHERE id IN (SELECT id FROM orders ORDER BY id LIMIT 10);
UPDATE customers SET region = CASE region WHEN 'north' THEN 'overseas' ELSE 'north' END WHERE id = 42;
COMMIT;
