-- Queries whose generated programs are kept in programs/: one per operator, and a few of what people write.
-- setup
CREATE TABLE customers (id int PRIMARY KEY, region text, since date NOT NULL);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers, amount numeric, placed timestamptz NOT NULL);
CREATE INDEX ON orders (customer_id);
CREATE TABLE items (order_id int NOT NULL REFERENCES orders, line int NOT NULL, product text, quantity int, PRIMARY KEY (order_id, line));
CREATE TABLE events (kind text, value double precision, payload jsonb);
CREATE TABLE links (src int NOT NULL, dst int NOT NULL, weight int);
CREATE INDEX ON links (src);
CREATE INDEX ON links (dst);

-- query filter DIFFERENTIAL
SELECT id, amount * 2 AS twice FROM orders WHERE amount > 10

-- query no_key DIFFERENTIAL
SELECT kind, value FROM events WHERE value > 0

-- query union_all DIFFERENTIAL
SELECT id, 'customer' AS what FROM customers UNION ALL SELECT id, 'order' FROM orders

-- query join_2 DIFFERENTIAL
SELECT o.id, c.region, o.amount FROM orders o JOIN customers c ON c.id = o.customer_id

-- query join_4 DIFFERENTIAL
SELECT o.id, i.line, c.region, d.region AS other FROM orders o JOIN customers c ON c.id = o.customer_id JOIN items i ON i.order_id = o.id JOIN customers d ON d.since = c.since

-- query left_join DIFFERENTIAL
SELECT c.id, c.region, o.id AS order_id FROM customers c LEFT JOIN orders o ON o.customer_id = c.id AND o.amount > 5

-- query full_join DIFFERENTIAL
SELECT c.id, o.id AS order_id FROM customers c FULL JOIN orders o ON o.customer_id = c.id

-- query exists_ DIFFERENTIAL
SELECT id, region FROM customers c WHERE EXISTS (SELECT FROM orders o WHERE o.customer_id = c.id)

-- query not_in DIFFERENTIAL
SELECT id FROM customers WHERE id NOT IN (SELECT order_id FROM items)

-- query scalar_subquery DIFFERENTIAL
SELECT c.id, (SELECT max(o.amount) FROM orders o WHERE o.customer_id = c.id) AS most FROM customers c

-- query groups DIFFERENTIAL
SELECT customer_id, count(*) AS n, sum(amount) AS total, avg(amount) AS mean FROM orders GROUP BY customer_id

-- query join_groups DIFFERENTIAL
SELECT c.region, count(*) AS orders, sum(o.amount) AS revenue FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY c.region

-- query extremes DIFFERENTIAL
SELECT customer_id, min(placed) AS first, max(placed) AS last FROM orders GROUP BY customer_id HAVING count(*) > 1

-- query recomputed_groups DIFFERENTIAL
SELECT order_id, string_agg(product, ', ' ORDER BY line) AS products FROM items GROUP BY order_id

-- query one_row DIFFERENTIAL
SELECT count(*) AS n, sum(quantity) AS quantity FROM items

-- query count_distinct DIFFERENTIAL
SELECT order_id, count(DISTINCT product) AS products FROM items GROUP BY order_id

-- query distinct_ DIFFERENTIAL
SELECT DISTINCT region FROM customers

-- query except_all DIFFERENTIAL
SELECT id FROM customers EXCEPT ALL SELECT customer_id FROM orders

-- query window_ DIFFERENTIAL
SELECT id, customer_id, rank() OVER (PARTITION BY customer_id ORDER BY amount DESC) AS place FROM orders

-- query distinct_on DIFFERENTIAL
SELECT DISTINCT ON (customer_id) customer_id, id, placed FROM orders ORDER BY customer_id, placed DESC

-- query top_k DIFFERENTIAL
SELECT id, amount FROM orders ORDER BY amount DESC, id LIMIT 10

-- query temporal DIFFERENTIAL
SELECT o.id, c.region FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.placed > now() - interval '1 day'

-- query recursive_union DIFFERENTIAL
WITH RECURSIVE r (id) AS (SELECT id FROM customers WHERE region = 'north' UNION SELECT l.dst FROM r JOIN links l ON l.src = r.id) SELECT id FROM r

-- query recursive_union_all DIFFERENTIAL
WITH RECURSIVE r (src, dst, weight) AS (SELECT src, dst, weight FROM links UNION ALL SELECT r.src, l.dst, r.weight * l.weight FROM r JOIN links l ON l.src = r.dst) SELECT src, dst, sum(weight) AS weight FROM r GROUP BY src, dst

-- query recomputed FULL
SELECT kind, count(*) AS n FROM events WHERE value > extract(epoch FROM now()) GROUP BY kind

-- query immediate_filter IMMEDIATE
SELECT id, amount * 2 AS twice FROM orders WHERE amount > 10

-- query immediate_groups IMMEDIATE
SELECT customer_id, count(*) AS orders, sum(amount) AS revenue FROM orders GROUP BY customer_id

-- query immediate_join_groups IMMEDIATE
SELECT c.region, count(*) AS orders, sum(o.amount) AS revenue FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY c.region
