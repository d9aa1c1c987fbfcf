-- The sources: orders and customers with primary and foreign key indexes. :orders and :customers are replaced.
CREATE TABLE customers (
    id     int PRIMARY KEY,
    region text,
    name   text NOT NULL);
CREATE TABLE orders (
    id          bigint PRIMARY KEY,
    customer_id int NOT NULL REFERENCES customers,
    status      text NOT NULL,
    amount      numeric(12,2),
    placed_on   date NOT NULL,
    note        text);
INSERT INTO customers SELECT i, 'region ' || i % 25, 'customer ' || i FROM generate_series(1, :customers) i;
INSERT INTO orders
SELECT i, 1 + (i * 7919) % :customers, (ARRAY['open', 'paid', 'sent', 'back', 'void'])[1 + i % 5], (i * 31 % 100000) / 100.0,
       date '2024-01-01' + (i % 700)::int, 'note of order ' || i
FROM generate_series(1::bigint, :orders) i;
CREATE INDEX orders_customer_id_idx ON orders (customer_id);

-- Changes n orders: 80 % updates, 10 % deletes, 10 % inserts; one order: an update, and sometimes an insert or a delete.
-- Every call changes other rows.
CREATE SEQUENCE batch_number;
CREATE FUNCTION change_orders(n int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    batch   int := nextval('batch_number');
    last_id bigint := (SELECT max(id) FROM orders);
    picked  bigint[];
    deletes int := CASE WHEN n = 1 THEN (batch % 6 = 0)::int ELSE n / 10 END;
    inserts int := CASE WHEN n = 1 THEN (batch % 6 = 3)::int ELSE n / 10 END;
BEGIN
    PERFORM setseed((batch % 1000) / 1000.0);
    picked := ARRAY(SELECT o.id FROM (SELECT DISTINCT 1 + floor(random() * last_id)::bigint AS id FROM generate_series(1, n + n / 4 + 100)) r
                    JOIN orders o USING (id) ORDER BY random() LIMIT n - inserts);
    DELETE FROM orders WHERE id = ANY (picked[1:deletes]);
    UPDATE orders SET amount = amount + 1 + batch, status = (ARRAY['open', 'paid', 'sent', 'back', 'void'])[1 + (id + batch) % 5]
    WHERE id = ANY (picked[deletes + 1:]);
    INSERT INTO orders SELECT last_id + i, 1 + (last_id + i * 13) % (SELECT max(id) FROM customers), 'paid', i, date '2026-01-01', 'new'
    FROM generate_series(1, inserts) i;
END $$;

-- Changes n customers: the region of each.
CREATE FUNCTION change_customers(n int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    batch int := nextval('batch_number');
BEGIN
    UPDATE customers SET region = 'region ' || (id + batch) % 25
    WHERE id IN (SELECT 1 + (batch * 101 + i * 37) % (SELECT max(id) FROM customers) FROM generate_series(1, n) i);
END $$;
