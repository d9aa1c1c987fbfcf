\set ON_ERROR_STOP 1
-- an aggregate
SELECT pgtrickle.create_stream_table('daily_sales', $$
    SELECT ordered_on, count(*) AS orders, sum(amount) AS revenue
    FROM orders GROUP BY ordered_on
$$, schedule => '100 ms');

-- a join
SELECT pgtrickle.create_stream_table('order_details', $$
    SELECT o.id, o.ordered_on, c.name AS customer, c.region, p.name AS product, p.category, o.quantity, o.amount
    FROM orders o
    JOIN customers c ON c.id = o.customer_id
    JOIN products p ON p.id = o.product_id
$$, schedule => '100 ms');

-- a join with aggregates
SELECT pgtrickle.create_stream_table('region_sales', $$
    SELECT c.region, p.category, count(*) AS orders, sum(o.amount) AS revenue, avg(o.amount) AS average, max(o.amount) AS largest
    FROM orders o
    JOIN customers c ON c.id = o.customer_id
    JOIN products p ON p.id = o.product_id
    GROUP BY c.region, p.category
$$, schedule => '100 ms');

-- a stream table on a stream table
SELECT pgtrickle.create_stream_table('top_regions', $$
    SELECT region, sum(orders) AS orders, sum(revenue) AS revenue
    FROM region_sales GROUP BY region HAVING sum(revenue) > 1000
$$, schedule => '100 ms');
