-- Changes to the tables of data.sql, in the transaction of the caller: other rows in every cycle, the same ones for the
-- same cycle and history. There are no foreign keys, so rows may lose the partner that they join with.
--
--   tpch.change_all(cycle, fraction)   inserts, updates and deletes in all six tables that change
--   tpch.change_orders(cycle, n)       n new orders and n old ones that go, with their lines, as RF1 and RF2
--   tpch.change_rare(cycle)            what neither does: whole customers and suppliers with all that hangs on them,
--                                      and the tables that hardly ever change
--   tpch.change_chosen(cycle)          parts and lines move into and out of the narrow conditions of some queries, which
--                                      other changes of a small scale would leave alone

-- n numbers between 1 and high, some twice.
CREATE FUNCTION tpch.numbers(cycle int, salt int, n int, high int) RETURNS SETOF int
LANGUAGE sql IMMUTABLE AS $$
    SELECT tpch.uniform(i, cycle * 1000 + salt, 1, high) FROM generate_series(1, n) i
$$;

-- How many of n rows are deleted (kind 0), inserted (1) or updated (2, half of them): also one row has each of the
-- kinds in some cycle.
CREATE FUNCTION tpch.share(cycle int, n int, kind int) RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT count(*)::int FROM generate_series(1, n) i WHERE least((i + cycle) % 4, 2) = kind
$$;

-- Up to n orders that exist.
CREATE FUNCTION tpch.some_orders(cycle int, salt int, n int) RETURNS bigint[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(o_orderkey), '{}')
    FROM (SELECT o_orderkey
          FROM (SELECT DISTINCT tpch.order_key(number, s.orders) AS key
                FROM tpch.scale s, tpch.numbers(cycle, salt, 2 * n, s.last_order) number) k
          JOIN orders ON o_orderkey = key ORDER BY o_orderkey % 7, o_orderkey LIMIT n) o
$$;

-- Up to n lines that exist.
CREATE FUNCTION tpch.some_lines(cycle int, salt int, n int) RETURNS tid[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(id), '{}')
    FROM (SELECT l.ctid AS id
          FROM (SELECT DISTINCT tpch.order_key(number, s.orders) AS key
                FROM tpch.scale s, tpch.numbers(cycle, salt, n, s.last_order) number) k
          JOIN lineitem l ON l_orderkey = key
          WHERE l_linenumber = tpch.uniform(key, cycle, 1, 3) ORDER BY key LIMIT n) l
$$;

CREATE FUNCTION tpch.delete_orders(keys bigint[]) RETURNS void LANGUAGE sql AS $$
    DELETE FROM lineitem WHERE l_orderkey = ANY (keys);
    DELETE FROM orders WHERE o_orderkey = ANY (keys);
$$;

CREATE FUNCTION tpch.insert_orders(n int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    s    tpch.scale;
    keys bigint[];
BEGIN
    UPDATE tpch.scale SET last_order = last_order + n RETURNING * INTO s;
    keys := ARRAY(SELECT tpch.order_key(number, s.orders) FROM generate_series(s.last_order - n + 1, s.last_order) number);
    INSERT INTO lineitem SELECT r.* FROM unnest(keys) key, tpch.lines_of(key, s.parts, s.suppliers) r;
    INSERT INTO orders
    SELECT r.*
    FROM (SELECT l_orderkey, bool_and(l_linestatus = 'F') AS finished, bool_and(l_linestatus = 'O') AS pending,
                 sum(l_extendedprice * (1 + l_tax) * (1 - l_discount)) AS price
          FROM lineitem WHERE l_orderkey = ANY (keys) GROUP BY l_orderkey) l,
         tpch.order_of(l.l_orderkey, s.customers, greatest(1, (s.sf * 1000)::int), l.finished, l.pending, l.price) r;
END
$$;

CREATE FUNCTION tpch.change_orders(cycle int, n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tpch.insert_orders(n);
    PERFORM tpch.delete_orders(tpch.some_orders(cycle, 1, n));
END
$$;

CREATE FUNCTION tpch.change_all(cycle int, fraction numeric) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    s           tpch.scale := (SELECT r FROM tpch.scale r);
    n_orders    int := greatest(4, (fraction * s.orders)::int);
    n_customers int := greatest(1, (fraction * s.customers)::int);
    n_parts     int := greatest(1, (fraction * s.parts)::int);
    n_partsupps int := greatest(2, (fraction * s.parts * 4)::int);
    n_suppliers int := greatest(1, (fraction * s.suppliers)::int);
    n           int;
    ids         tid[];
    keys        bigint[];
BEGIN
    -- Orders and their lines come and go together; some lines do so alone.
    PERFORM tpch.change_orders(cycle, tpch.share(cycle, n_orders, 0));
    UPDATE orders SET
        o_custkey = CASE WHEN o_orderkey % 2 = 0 THEN tpch.uniform(o_orderkey, cycle, 1, s.last_customer) ELSE o_custkey END,
        o_orderdate = o_orderdate + CASE WHEN o_orderkey % 3 = 0 THEN tpch.uniform(o_orderkey, cycle, -60, 60) ELSE 0 END,
        o_orderpriority = CASE WHEN o_orderkey % 5 = 0 THEN '1-URGENT' ELSE o_orderpriority END,
        o_orderstatus = CASE WHEN o_orderkey % 7 = 0 THEN 'F' ELSE o_orderstatus END,
        o_totalprice = o_totalprice + 1,
        o_comment = CASE WHEN o_orderkey % 4 = 0 THEN 'special ' || cycle || ' requests' ELSE o_comment END
    WHERE o_orderkey = ANY (tpch.some_orders(cycle, 2, tpch.share(cycle, n_orders, 2)));

    ids := tpch.some_lines(cycle, 3, n_orders);
    UPDATE lineitem SET
        l_quantity = q.quantity, l_extendedprice = q.quantity * tpch.retail_price(l_partkey),
        l_discount = CASE WHEN l_orderkey % 3 = 0 THEN 0.06 ELSE l_discount END,
        l_shipdate = l_shipdate + CASE WHEN l_orderkey % 5 = 0 THEN 20 ELSE 0 END,
        l_receiptdate = l_receiptdate + CASE WHEN l_orderkey % 5 < 2 THEN 20 ELSE 0 END,
        l_returnflag = CASE WHEN l_orderkey % 7 = 0 THEN 'R' ELSE l_returnflag END,
        l_shipmode = CASE WHEN l_orderkey % 7 = 1 THEN 'AIR' ELSE l_shipmode END
    FROM (SELECT id, tpch.uniform(number, cycle, 1, 50) AS quantity FROM unnest(ids) WITH ORDINALITY u(id, number)) q
    WHERE lineitem.ctid = q.id;
    ids := tpch.some_lines(cycle, 4, n_orders / 4 + 1);
    UPDATE lineitem SET (l_partkey, l_suppkey) = (SELECT p, tpch.supplier_of(p, cycle % 4, s.suppliers)
                                                  FROM (SELECT tpch.uniform(l_orderkey, cycle, 1, s.parts) AS p) x)
    WHERE ctid = ANY (ids);
    ids := tpch.some_lines(cycle, 5, n_orders / 4 + 1);
    DELETE FROM lineitem WHERE ctid = ANY (ids);
    INSERT INTO lineitem
    SELECT l_orderkey, p, tpch.supplier_of(p, cycle % 4, s.suppliers), 8, l_quantity, l_extendedprice, l_discount, l_tax,
           l_returnflag, l_linestatus, l_shipdate, l_commitdate, l_receiptdate, l_shipinstruct, l_shipmode, 'new'
    FROM unnest(tpch.some_orders(cycle, 6, n_orders / 4 + 1)) key
    JOIN lineitem ON l_orderkey = key AND l_linenumber = 1,
         LATERAL (SELECT tpch.uniform(key, cycle, 1, s.last_part) AS p) x
    ON CONFLICT DO NOTHING;

    -- An order gets another key, and its lines follow; for every other one they stay behind.
    keys := tpch.some_orders(cycle, 7, n_orders / 16 + 1);
    UPDATE orders SET o_orderkey = o_orderkey + 16 WHERE o_orderkey = ANY (keys);
    UPDATE lineitem SET l_orderkey = l_orderkey + 16 WHERE l_orderkey = ANY (keys) AND l_orderkey % 2 = 0;

    -- Customers: deleted ones leave their orders without a customer.
    DELETE FROM customer WHERE c_custkey IN (
        SELECT * FROM tpch.numbers(cycle, 11, tpch.share(cycle, n_customers, 0), s.last_customer));
    n := tpch.share(cycle, n_customers, 1);
    UPDATE tpch.scale SET last_customer = last_customer + n;
    INSERT INTO customer SELECT r.* FROM generate_series(1, n) i, tpch.customer_row(s.last_customer + i) r;
    UPDATE customer SET
        c_acctbal = tpch.uniform(c_custkey, cycle, -99999, 999999)::numeric / 100,
        c_mktsegment = CASE WHEN c_custkey % 2 = 0 THEN 'BUILDING' ELSE 'MACHINERY' END,
        (c_nationkey, c_phone) = (SELECT x, tpch.phone(x, c_custkey, cycle)
                                  FROM (SELECT tpch.uniform(c_custkey, cycle, 0, 24) AS x) n)
    WHERE c_custkey IN (SELECT * FROM tpch.numbers(cycle, 12, tpch.share(cycle, n_customers, 2), s.last_customer));

    -- Parts: deleted ones take their suppliers and their lines with them.
    keys := ARRAY(SELECT * FROM tpch.numbers(cycle, 21, tpch.share(cycle, n_parts, 0), s.last_part));
    DELETE FROM part WHERE p_partkey = ANY (keys);
    DELETE FROM partsupp WHERE ps_partkey = ANY (keys);
    DELETE FROM lineitem WHERE l_partkey = ANY (keys);
    n := tpch.share(cycle, n_parts, 1);
    UPDATE tpch.scale SET last_part = last_part + n;
    INSERT INTO part SELECT r.* FROM generate_series(1, n) i, tpch.part_of(s.last_part + i) r;
    INSERT INTO partsupp SELECT r.* FROM generate_series(1, n) i, tpch.partsupps_of(s.last_part + i, s.suppliers) r;
    UPDATE part SET
        p_name = tpch.part_name(p_partkey, cycle), p_brand = tpch.brand(p_partkey, cycle),
        p_type = CASE WHEN p_partkey % 2 = 0 THEN tpch.part_type(p_partkey, cycle) ELSE p_type END,
        p_size = CASE WHEN p_partkey % 3 = 0 THEN 15 ELSE p_size END,
        p_container = CASE WHEN p_partkey % 2 = 1 THEN tpch.container(p_partkey, cycle) ELSE p_container END
    WHERE p_partkey IN (SELECT * FROM tpch.numbers(cycle, 22, tpch.share(cycle, n_parts, 2), s.last_part));

    DELETE FROM partsupp WHERE (ps_partkey, ps_suppkey) IN (
        SELECT p, tpch.supplier_of(p, cycle % 4, s.suppliers)
        FROM tpch.numbers(cycle, 31, tpch.share(cycle, n_partsupps, 0), s.parts) p);
    INSERT INTO partsupp
    SELECT p, tpch.uniform(p, cycle, 1, s.last_supplier), tpch.uniform(p, cycle, 1, 9999), p % 1000, 'new'
    FROM tpch.numbers(cycle, 32, tpch.share(cycle, n_partsupps, 1), s.last_part) p
    ON CONFLICT DO NOTHING;
    UPDATE partsupp SET
        ps_supplycost = tpch.uniform(ps_partkey, cycle, 100, 100000)::numeric / 100,
        ps_availqty = CASE WHEN ps_partkey % 2 = 0 THEN tpch.uniform(ps_partkey, cycle, 1, 9999) ELSE 5 END
    WHERE (ps_partkey, ps_suppkey) IN (
        SELECT p, tpch.supplier_of(p, (cycle + 1) % 4, s.suppliers)
        FROM tpch.numbers(cycle, 33, tpch.share(cycle, n_partsupps, 2), s.parts) p);
    -- A part is bought from another supplier.
    UPDATE partsupp o SET ps_suppkey = o.ps_suppkey % s.suppliers + 1
    WHERE (o.ps_partkey, o.ps_suppkey) IN (
            SELECT p, tpch.supplier_of(p, (cycle + 2) % 4, s.suppliers)
            FROM tpch.numbers(cycle, 34, n_partsupps / 8 + 1, s.parts) p)
      AND NOT EXISTS (SELECT FROM partsupp t
                      WHERE t.ps_partkey = o.ps_partkey AND t.ps_suppkey = o.ps_suppkey % s.suppliers + 1);

    -- Suppliers: deleted ones leave their lines and stocks behind; new ones get stocks of some parts.
    DELETE FROM supplier WHERE s_suppkey IN (
        SELECT * FROM tpch.numbers(cycle, 41, tpch.share(cycle, n_suppliers, 0), s.last_supplier));
    n := tpch.share(cycle, n_suppliers, 1);
    UPDATE tpch.scale SET last_supplier = last_supplier + n;
    INSERT INTO supplier SELECT r.* FROM generate_series(1, n) i, tpch.supplier_row(s.last_supplier + i) r;
    INSERT INTO partsupp
    SELECT p.p_partkey, s.last_supplier + i, 100 + i, 10 * i, 'new'
    FROM generate_series(1, n) i, part p
    WHERE p.p_partkey IN (SELECT * FROM tpch.numbers(cycle, 42, 20, s.last_part))
    ON CONFLICT DO NOTHING;
    UPDATE supplier SET
        s_acctbal = tpch.uniform(s_suppkey, cycle, -99999, 999999)::numeric / 100,
        (s_nationkey, s_phone) = (SELECT x, tpch.phone(x, s_suppkey, cycle)
                                  FROM (SELECT tpch.uniform(s_suppkey, cycle, 0, 24) AS x) n),
        s_comment = CASE WHEN s_comment LIKE 'Customer%' THEN 'fine' ELSE 'Customer ' || cycle || ' Complaints' END
    WHERE s_suppkey IN (SELECT * FROM tpch.numbers(cycle, 43, tpch.share(cycle, n_suppliers, 2), s.last_supplier));
END
$$;

CREATE FUNCTION tpch.change_rare(cycle int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    s    tpch.scale := (SELECT r FROM tpch.scale r);
    keys bigint[];
BEGIN
    keys := ARRAY(SELECT * FROM tpch.numbers(cycle, 51, 4, s.last_customer));
    PERFORM tpch.delete_orders(ARRAY(SELECT o_orderkey FROM orders WHERE o_custkey = ANY (keys)));
    DELETE FROM customer WHERE c_custkey = ANY (keys);

    keys := ARRAY(SELECT * FROM tpch.numbers(cycle, 52, 1, s.last_supplier));
    DELETE FROM lineitem WHERE l_suppkey = ANY (keys);
    DELETE FROM partsupp WHERE ps_suppkey = ANY (keys);
    DELETE FROM supplier WHERE s_suppkey = ANY (keys);

    -- Nations swap their names in pairs, another moves to the next region; two regions swap their names.
    UPDATE nation a SET n_name = b.n_name
    FROM nation b
    WHERE (a.n_nationkey, b.n_nationkey) IN (SELECT x, y FROM (VALUES (6, 7), (3, 20)) v(x, y)
                                             UNION ALL SELECT y, x FROM (VALUES (6, 7), (3, 20)) v(x, y));
    UPDATE nation SET n_regionkey = (n_regionkey + 1) % 5 WHERE n_nationkey = tpch.uniform(cycle, 53, 0, 24);
    UPDATE region SET r_name = CASE r_name WHEN 'ASIA' THEN 'EUROPE' ELSE 'ASIA' END WHERE r_name IN ('ASIA', 'EUROPE');
END
$$;

CREATE FUNCTION tpch.change_chosen(cycle int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    parts int := (SELECT last_part FROM tpch.scale);
BEGIN
    UPDATE part SET p_brand = 'Brand#55', p_size = 50, p_name = 'plain'
    WHERE p_partkey % 4 = cycle % 4
      AND (p_name LIKE 'forest%' OR p_type = 'ECONOMY ANODIZED STEEL' OR (p_size = 15 AND p_type LIKE '%BRASS')
           OR (p_brand IN ('Brand#23', 'Brand#32') AND p_container LIKE 'MED%'));
    UPDATE part SET p_brand = 'Brand#23', p_container = 'MED BOX'
    WHERE p_partkey IN (SELECT * FROM tpch.numbers(cycle, 61, 3, parts));
    UPDATE part SET p_type = 'ECONOMY ANODIZED STEEL' WHERE p_partkey IN (SELECT * FROM tpch.numbers(cycle, 62, 6, parts));
    UPDATE part SET p_name = 'forest green' WHERE p_partkey IN (SELECT * FROM tpch.numbers(cycle, 63, 6, parts));
    UPDATE part SET p_size = 15, p_type = 'SMALL PLATED BRASS'
    WHERE p_partkey IN (SELECT * FROM tpch.numbers(cycle, 64, 3, parts));
    UPDATE part SET p_brand = 'Brand#32', p_container = 'MED BAG', p_size = 5
    WHERE p_partkey IN (SELECT * FROM tpch.numbers(cycle, 65, 3, parts));
    UPDATE lineitem SET l_shipmode = 'AIR', l_shipinstruct = 'DELIVER IN PERSON', l_quantity = 15
    WHERE l_partkey IN (SELECT * FROM tpch.numbers(cycle, 65, 3, parts)) AND l_linenumber <= 2;
END
$$;
