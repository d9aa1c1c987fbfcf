-- The view join_aggregate, maintained by triggers that are written by hand for it: the yardstick of this benchmark.
-- Writers of orders wait for each other only where they touch the same region; a writer of customers waits for writers of
-- orders. It knows that no region is null. state.n: rows of the group; s, sn: sum and number of the amounts that are not null.
CREATE SCHEMA hand;
CREATE TABLE hand.join_aggregate (region text PRIMARY KEY, n bigint, total numeric);
CREATE TABLE hand.state (region text PRIMARY KEY, n bigint NOT NULL, s numeric NOT NULL, sn bigint NOT NULL);
-- A name for locks: ROW EXCLUSIVE and SHARE exclude each other, neither excludes itself.
CREATE TABLE hand.gate ();
INSERT INTO hand.state
SELECT c.region, count(*), coalesce(sum(o.amount), 0), count(o.amount)
FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.status <> 'void' GROUP BY c.region;
INSERT INTO hand.join_aggregate SELECT region, n, CASE WHEN sn > 0 THEN s END FROM hand.state;

CREATE FUNCTION hand.enter_orders() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    LOCK TABLE hand.gate IN ROW EXCLUSIVE MODE;
    RETURN NULL;
END $$;
CREATE FUNCTION hand.enter_customers() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    LOCK TABLE hand.gate IN SHARE MODE;
    RETURN NULL;
END $$;

-- Locks the touched groups in the order of their keys, then adds, in statements of their own: what is read after a lock
-- was waited for is what its holder committed.
CREATE FUNCTION hand.maintain(regions text[], dn bigint[], ds numeric[], dsn bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    INSERT INTO hand.state AS x (region, n, s, sn)
    SELECT r, 0, 0, 0 FROM unnest(regions) AS r ORDER BY r COLLATE "C"
    ON CONFLICT (region) DO UPDATE SET n = x.n WHERE false;
    UPDATE hand.state x SET n = x.n + d.n, s = x.s + d.s, sn = x.sn + d.sn
    FROM unnest(regions, dn, ds, dsn) AS d (region, n, s, sn)
    WHERE x.region = d.region;
    INSERT INTO hand.join_aggregate AS t (region, n, total)
    SELECT x.region, x.n, CASE WHEN x.sn > 0 THEN x.s END FROM hand.state x, unnest(regions) AS r
    WHERE x.region = r AND x.n > 0
    ON CONFLICT (region) DO UPDATE SET n = excluded.n, total = excluded.total;
    WITH gone AS (
        DELETE FROM hand.state x USING unnest(regions) AS r
        WHERE x.region = r AND x.n = 0 RETURNING x.region)
    DELETE FROM hand.join_aggregate t USING gone WHERE t.region = gone.region;
END $$;

CREATE FUNCTION hand.orders_changed() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d record;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(region) AS r, array_agg(n) AS n, array_agg(s) AS s, array_agg(sn) AS sn INTO d
        FROM (SELECT c.region, count(*) AS n, coalesce(sum(o.amount), 0) AS s, count(o.amount) AS sn
              FROM newt o JOIN public.customers c ON c.id = o.customer_id WHERE o.status <> 'void' GROUP BY c.region) g;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(region) AS r, array_agg(n) AS n, array_agg(s) AS s, array_agg(sn) AS sn INTO d
        FROM (SELECT c.region, -count(*) AS n, -coalesce(sum(o.amount), 0) AS s, -count(o.amount) AS sn
              FROM oldt o JOIN public.customers c ON c.id = o.customer_id WHERE o.status <> 'void' GROUP BY c.region) g;
    ELSE
        SELECT array_agg(region) AS r, array_agg(n) AS n, array_agg(s) AS s, array_agg(sn) AS sn INTO d
        FROM (SELECT c.region, sum(o.w)::bigint AS n, coalesce(sum(o.w * o.amount), 0) AS s,
                     coalesce(sum(o.w) FILTER (WHERE o.amount IS NOT NULL), 0)::bigint AS sn
              FROM (SELECT -1 AS w, customer_id, status, amount FROM oldt
                    UNION ALL SELECT 1, customer_id, status, amount FROM newt) o
              JOIN public.customers c ON c.id = o.customer_id WHERE o.status <> 'void' GROUP BY c.region) g;
    END IF;
    IF d.r IS NOT NULL THEN
        PERFORM hand.maintain(d.r, d.n, d.s, d.sn);
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION hand.customers_changed() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d record;
BEGIN
    SELECT array_agg(region) AS r, array_agg(n) AS n, array_agg(s) AS s, array_agg(sn) AS sn INTO d
    FROM (SELECT c.region, sum(c.w)::bigint AS n, coalesce(sum(c.w * o.amount), 0) AS s,
                 coalesce(sum(c.w) FILTER (WHERE o.amount IS NOT NULL), 0)::bigint AS sn
          FROM (SELECT -1 AS w, id, region FROM oldt UNION ALL SELECT 1, id, region FROM newt) c
          JOIN public.orders o ON o.customer_id = c.id WHERE o.status <> 'void' GROUP BY c.region) g;
    IF d.r IS NOT NULL THEN
        PERFORM hand.maintain(d.r, d.n, d.s, d.sn);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER hand_enter BEFORE INSERT OR UPDATE OR DELETE ON orders
    FOR EACH STATEMENT EXECUTE FUNCTION hand.enter_orders();
CREATE TRIGGER hand_enter BEFORE INSERT OR UPDATE OR DELETE ON customers
    FOR EACH STATEMENT EXECUTE FUNCTION hand.enter_customers();
CREATE TRIGGER hand_insert AFTER INSERT ON orders REFERENCING NEW TABLE AS newt
    FOR EACH STATEMENT EXECUTE FUNCTION hand.orders_changed();
CREATE TRIGGER hand_delete AFTER DELETE ON orders REFERENCING OLD TABLE AS oldt
    FOR EACH STATEMENT EXECUTE FUNCTION hand.orders_changed();
CREATE TRIGGER hand_update AFTER UPDATE ON orders REFERENCING OLD TABLE AS oldt NEW TABLE AS newt
    FOR EACH STATEMENT EXECUTE FUNCTION hand.orders_changed();
CREATE TRIGGER hand_update AFTER UPDATE ON customers REFERENCING OLD TABLE AS oldt NEW TABLE AS newt
    FOR EACH STATEMENT EXECUTE FUNCTION hand.customers_changed();
