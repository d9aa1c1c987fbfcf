-- The yardstick: a program per view as a person would write it, with its own change logs, frontier and state, fed by the
-- same changes. Column-specific and static; otherwise the design is pgtrickle's.
CREATE SCHEMA hand;
CREATE SEQUENCE hand.log_seq CACHE 1000;
CREATE TABLE hand.log_orders (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(), seq bigint NOT NULL DEFAULT nextval('hand.log_seq'), w smallint NOT NULL,
    id bigint, customer_id int, status text, amount numeric(12,2)) WITH (autovacuum_enabled = false);
CREATE TABLE hand.log_customers (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(), seq bigint NOT NULL DEFAULT nextval('hand.log_seq'), w smallint NOT NULL,
    id int, region text, name text) WITH (autovacuum_enabled = false);

CREATE FUNCTION hand.capture_orders() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO hand.log_orders (w, id, customer_id, status, amount) SELECT 1, id, customer_id, status, amount FROM newt;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO hand.log_orders (w, id, customer_id, status, amount) SELECT -1, id, customer_id, status, amount FROM oldt;
    ELSE
        INSERT INTO hand.log_orders (w, id, customer_id, status, amount)
        SELECT sum(w), id, customer_id, status, amount
        FROM (SELECT -1 AS w, id, customer_id, status, amount FROM oldt
              UNION ALL SELECT 1, id, customer_id, status, amount FROM newt) u
        GROUP BY id, customer_id, status, amount HAVING sum(w) <> 0;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER hand_i AFTER INSERT ON orders REFERENCING NEW TABLE AS newt FOR EACH STATEMENT EXECUTE FUNCTION hand.capture_orders();
CREATE TRIGGER hand_d AFTER DELETE ON orders REFERENCING OLD TABLE AS oldt FOR EACH STATEMENT EXECUTE FUNCTION hand.capture_orders();
CREATE TRIGGER hand_u AFTER UPDATE ON orders REFERENCING OLD TABLE AS oldt NEW TABLE AS newt FOR EACH STATEMENT EXECUTE FUNCTION hand.capture_orders();

CREATE FUNCTION hand.capture_customers() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO hand.log_customers (w, id, region, name) SELECT 1, id, region, name FROM newt;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO hand.log_customers (w, id, region, name) SELECT -1, id, region, name FROM oldt;
    ELSE
        INSERT INTO hand.log_customers (w, id, region, name)
        SELECT sum(w), id, region, name
        FROM (SELECT -1 AS w, id, region, name FROM oldt
              UNION ALL SELECT 1, id, region, name FROM newt) u
        GROUP BY id, region, name HAVING sum(w) <> 0;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER hand_i AFTER INSERT ON customers REFERENCING NEW TABLE AS newt FOR EACH STATEMENT EXECUTE FUNCTION hand.capture_customers();
CREATE TRIGGER hand_d AFTER DELETE ON customers REFERENCING OLD TABLE AS oldt FOR EACH STATEMENT EXECUTE FUNCTION hand.capture_customers();
CREATE TRIGGER hand_u AFTER UPDATE ON customers REFERENCING OLD TABLE AS oldt NEW TABLE AS newt FOR EACH STATEMENT EXECUTE FUNCTION hand.capture_customers();

CREATE TABLE hand.frontier (view text PRIMARY KEY, snapshot pg_snapshot, oldest xid8, xid xid8, seq bigint, ms double precision) WITH (fillfactor = 50);
INSERT INTO hand.frontier
SELECT v, pg_current_snapshot(), pg_snapshot_xmin(pg_current_snapshot()), pg_current_xact_id(), nextval('hand.log_seq')
FROM unnest(ARRAY['scan', 'filter', 'groups_5', 'groups_10k', 'join', 'join_aggregate']) v;

-- SELECT id, customer_id, amount FROM orders
CREATE TABLE hand.scan AS SELECT id, customer_id, amount FROM orders;
ALTER TABLE hand.scan ADD PRIMARY KEY (id);

CREATE FUNCTION hand.refresh_scan(OUT ms double precision) LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    started timestamptz := clock_timestamp();
    f       hand.frontier;
    now_seq bigint := nextval('hand.log_seq');
BEGIN
    SELECT * INTO STRICT f FROM hand.frontier WHERE view = 'scan' FOR UPDATE;
    WITH d AS MATERIALIZED (
        SELECT l.id, l.customer_id, l.amount, sum(l.w) AS w FROM hand.log_orders l
        WHERE l.xid >= f.oldest AND NOT pg_visible_in_snapshot(l.xid, f.snapshot) AND NOT (l.xid = f.xid AND l.seq <= f.seq)
        GROUP BY l.id, l.customer_id, l.amount HAVING sum(l.w) <> 0),
    gone AS (
        DELETE FROM hand.scan t USING (SELECT id FROM d GROUP BY id HAVING max(w) < 0) l WHERE t.id = l.id)
    INSERT INTO hand.scan AS t SELECT id, customer_id, amount FROM d WHERE w > 0
    ON CONFLICT (id) DO UPDATE SET customer_id = excluded.customer_id, amount = excluded.amount
    WHERE (t.customer_id, t.amount) IS DISTINCT FROM (excluded.customer_id, excluded.amount);
    ms := extract(epoch FROM clock_timestamp() - started) * 1000;
    UPDATE hand.frontier x SET ms = refresh_scan.ms, snapshot = pg_current_snapshot(), oldest = pg_snapshot_xmin(pg_current_snapshot()),
        xid = pg_current_xact_id(), seq = now_seq WHERE x.view = 'scan';
END $$;

-- SELECT id, customer_id, amount FROM orders WHERE status = 'paid'
CREATE TABLE hand.filter AS SELECT id, customer_id, amount FROM orders WHERE status = 'paid';
ALTER TABLE hand.filter ADD PRIMARY KEY (id);

CREATE FUNCTION hand.refresh_filter(OUT ms double precision) LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    started timestamptz := clock_timestamp();
    f       hand.frontier;
    now_seq bigint := nextval('hand.log_seq');
BEGIN
    SELECT * INTO STRICT f FROM hand.frontier WHERE view = 'filter' FOR UPDATE;
    WITH d AS MATERIALIZED (
        SELECT l.id, l.customer_id, l.amount, sum(l.w) AS w FROM hand.log_orders l
        WHERE l.xid >= f.oldest AND NOT pg_visible_in_snapshot(l.xid, f.snapshot) AND NOT (l.xid = f.xid AND l.seq <= f.seq) AND l.status = 'paid'
        GROUP BY l.id, l.customer_id, l.amount HAVING sum(l.w) <> 0),
    gone AS (
        DELETE FROM hand.filter t USING (SELECT id FROM d GROUP BY id HAVING max(w) < 0) l WHERE t.id = l.id)
    INSERT INTO hand.filter AS t SELECT id, customer_id, amount FROM d WHERE w > 0
    ON CONFLICT (id) DO UPDATE SET customer_id = excluded.customer_id, amount = excluded.amount
    WHERE (t.customer_id, t.amount) IS DISTINCT FROM (excluded.customer_id, excluded.amount);
    ms := extract(epoch FROM clock_timestamp() - started) * 1000;
    UPDATE hand.frontier x SET ms = refresh_filter.ms, snapshot = pg_current_snapshot(), oldest = pg_snapshot_xmin(pg_current_snapshot()),
        xid = pg_current_xact_id(), seq = now_seq WHERE x.view = 'filter';
END $$;

-- SELECT status, count(*) AS n, sum(amount) AS total FROM orders GROUP BY status
CREATE TABLE hand.groups_5 WITH (fillfactor = 70) AS SELECT status, count(*) AS n, sum(amount) AS total FROM orders GROUP BY status;
ALTER TABLE hand.groups_5 ADD PRIMARY KEY (status);
CREATE TABLE hand.groups_5_state WITH (fillfactor = 70) AS
SELECT status, count(*) AS n, coalesce(sum(amount), 0) AS amount_sum, count(amount) AS amount_n FROM orders GROUP BY status;
ALTER TABLE hand.groups_5_state ADD PRIMARY KEY (status);

CREATE FUNCTION hand.refresh_groups_5(OUT ms double precision) LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    started timestamptz := clock_timestamp();
    f       hand.frontier;
    now_seq bigint := nextval('hand.log_seq');
BEGIN
    SELECT * INTO STRICT f FROM hand.frontier WHERE view = 'groups_5' FOR UPDATE;
    WITH g AS MATERIALIZED (
        SELECT l.status, sum(l.w) AS n, coalesce(sum(l.w * l.amount), 0) AS amount_sum,
               coalesce(sum(l.w) FILTER (WHERE l.amount IS NOT NULL), 0) AS amount_n
        FROM hand.log_orders l
        WHERE l.xid >= f.oldest AND NOT pg_visible_in_snapshot(l.xid, f.snapshot) AND NOT (l.xid = f.xid AND l.seq <= f.seq)
        GROUP BY l.status),
    m AS MATERIALIZED (
        SELECT g.status, coalesce(s.n, 0) + g.n AS n, coalesce(s.amount_sum, 0) + g.amount_sum AS amount_sum,
               coalesce(s.amount_n, 0) + g.amount_n AS amount_n
        FROM g LEFT JOIN hand.groups_5_state s ON s.status = g.status),
    gone AS (
        DELETE FROM hand.groups_5_state t USING m WHERE m.n = 0 AND t.status = m.status),
    kept AS (
        INSERT INTO hand.groups_5_state AS s SELECT status, n, amount_sum, amount_n FROM m WHERE n <> 0
        ON CONFLICT (status) DO UPDATE SET n = excluded.n, amount_sum = excluded.amount_sum, amount_n = excluded.amount_n),
    hidden AS (
        DELETE FROM hand.groups_5 t USING m WHERE m.n = 0 AND t.status = m.status)
    INSERT INTO hand.groups_5 AS t SELECT status, n, CASE WHEN amount_n > 0 THEN amount_sum END FROM m WHERE n <> 0
    ON CONFLICT (status) DO UPDATE SET n = excluded.n, total = excluded.total
    WHERE (t.n, t.total) IS DISTINCT FROM (excluded.n, excluded.total);
    ms := extract(epoch FROM clock_timestamp() - started) * 1000;
    UPDATE hand.frontier x SET ms = refresh_groups_5.ms, snapshot = pg_current_snapshot(), oldest = pg_snapshot_xmin(pg_current_snapshot()),
        xid = pg_current_xact_id(), seq = now_seq WHERE x.view = 'groups_5';
END $$;

-- SELECT customer_id, count(*) AS n, sum(amount) AS total FROM orders GROUP BY customer_id
CREATE TABLE hand.groups_10k WITH (fillfactor = 70) AS SELECT customer_id, count(*) AS n, sum(amount) AS total FROM orders GROUP BY customer_id;
ALTER TABLE hand.groups_10k ADD PRIMARY KEY (customer_id);
CREATE TABLE hand.groups_10k_state WITH (fillfactor = 70) AS
SELECT customer_id, count(*) AS n, coalesce(sum(amount), 0) AS amount_sum, count(amount) AS amount_n FROM orders GROUP BY customer_id;
ALTER TABLE hand.groups_10k_state ADD PRIMARY KEY (customer_id);

DO $do$
DECLARE
    body text := $body$
BEGIN
    WITH g AS MATERIALIZED (
        SELECT l.customer_id, sum(l.w) AS n, coalesce(sum(l.w * l.amount), 0) AS amount_sum,
               coalesce(sum(l.w) FILTER (WHERE l.amount IS NOT NULL), 0) AS amount_n
        FROM hand.log_orders l
        WHERE l.xid >= f.oldest AND NOT pg_visible_in_snapshot(l.xid, f.snapshot) AND NOT (l.xid = f.xid AND l.seq <= f.seq)
        GROUP BY l.customer_id),
    m AS MATERIALIZED (
        SELECT g.customer_id, coalesce(s.n, 0) + g.n AS n, coalesce(s.amount_sum, 0) + g.amount_sum AS amount_sum,
               coalesce(s.amount_n, 0) + g.amount_n AS amount_n
        FROM g LEFT JOIN hand.groups_10k_state s ON s.customer_id = g.customer_id),
    gone AS (
        DELETE FROM hand.groups_10k_state t USING m WHERE m.n = 0 AND t.customer_id = m.customer_id),
    kept AS (
        INSERT INTO hand.groups_10k_state AS s SELECT customer_id, n, amount_sum, amount_n FROM m WHERE n <> 0
        ON CONFLICT (customer_id) DO UPDATE SET n = excluded.n, amount_sum = excluded.amount_sum, amount_n = excluded.amount_n),
    hidden AS (
        DELETE FROM hand.groups_10k t USING m WHERE m.n = 0 AND t.customer_id = m.customer_id)
    INSERT INTO hand.groups_10k AS t SELECT customer_id, n, CASE WHEN amount_n > 0 THEN amount_sum END FROM m WHERE n <> 0
    ON CONFLICT (customer_id) DO UPDATE SET n = excluded.n, total = excluded.total
    WHERE (t.n, t.total) IS DISTINCT FROM (excluded.n, excluded.total);
END $body$;
BEGIN
    EXECUTE format('CREATE FUNCTION hand.apply_groups_10k(f hand.frontier) RETURNS void LANGUAGE plpgsql '
                   'SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan AS %L', body);
    -- Joining a few rows with a table that is small enough to hash: do not.
    EXECUTE format('CREATE FUNCTION hand.apply_groups_10k_small(f hand.frontier) RETURNS void LANGUAGE plpgsql '
                   'SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan '
                   'SET enable_hashjoin = off SET enable_mergejoin = off AS %L', body);
END $do$;

CREATE FUNCTION hand.refresh_groups_10k(OUT ms double precision) LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    started timestamptz := clock_timestamp();
    f       hand.frontier;
    now_seq bigint := nextval('hand.log_seq');
    n       bigint;
BEGIN
    SELECT * INTO STRICT f FROM hand.frontier WHERE view = 'groups_10k' FOR UPDATE;
    SELECT count(*) INTO n FROM hand.log_orders l
    WHERE l.xid >= f.oldest AND NOT pg_visible_in_snapshot(l.xid, f.snapshot) AND NOT (l.xid = f.xid AND l.seq <= f.seq);
    IF n <= 200 THEN
        PERFORM hand.apply_groups_10k_small(f);
    ELSE
        PERFORM hand.apply_groups_10k(f);
    END IF;
    ms := extract(epoch FROM clock_timestamp() - started) * 1000;
    UPDATE hand.frontier x SET ms = refresh_groups_10k.ms, snapshot = pg_current_snapshot(), oldest = pg_snapshot_xmin(pg_current_snapshot()),
        xid = pg_current_xact_id(), seq = now_seq WHERE x.view = 'groups_10k';
END $$;

-- SELECT o.id, o.amount, c.region, c.name FROM orders o JOIN customers c ON c.id = o.customer_id
CREATE TABLE hand.join AS SELECT o.id, o.amount, c.region, c.name FROM orders o JOIN customers c ON c.id = o.customer_id;
ALTER TABLE hand.join ADD PRIMARY KEY (id);

DO $do$
DECLARE
    body text := $body$
BEGIN
    WITH o AS MATERIALIZED (
        SELECT l.id, l.customer_id, l.amount, sum(l.w) AS w FROM hand.log_orders l
        WHERE l.xid >= f.oldest AND NOT pg_visible_in_snapshot(l.xid, f.snapshot) AND NOT (l.xid = f.xid AND l.seq <= f.seq)
        GROUP BY l.id, l.customer_id, l.amount HAVING sum(l.w) <> 0),
    c AS MATERIALIZED (
        SELECT l.id, l.region, l.name, sum(l.w) AS w FROM hand.log_customers l
        WHERE l.xid >= f.oldest AND NOT pg_visible_in_snapshot(l.xid, f.snapshot) AND NOT (l.xid = f.xid AND l.seq <= f.seq)
        GROUP BY l.id, l.region, l.name HAVING sum(l.w) <> 0),
    d AS MATERIALIZED (
        SELECT id, amount, region, name, sum(w) AS w
        FROM (SELECT o.id, o.amount, x.region, x.name, o.w FROM o JOIN public.customers x ON x.id = o.customer_id WHERE (changed & 1) = 1
              UNION ALL
              SELECT x.id, x.amount, c.region, c.name, c.w FROM c JOIN public.orders x ON x.customer_id = c.id WHERE (changed & 2) = 2
              UNION ALL
              SELECT o.id, o.amount, c.region, c.name, -(o.w * c.w) FROM o JOIN c ON c.id = o.customer_id WHERE (changed & 3) = 3) j
        GROUP BY id, amount, region, name HAVING sum(w) <> 0),
    gone AS (
        DELETE FROM hand.join t USING (SELECT id FROM d GROUP BY id HAVING max(w) < 0) l WHERE t.id = l.id)
    INSERT INTO hand.join AS t SELECT id, amount, region, name FROM d WHERE w > 0
    ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, region = excluded.region, name = excluded.name
    WHERE (t.amount, t.region, t.name) IS DISTINCT FROM (excluded.amount, excluded.region, excluded.name);
END $body$;
BEGIN
    EXECUTE format('CREATE FUNCTION hand.apply_join(f hand.frontier, changed int) RETURNS void LANGUAGE plpgsql '
                   'SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan AS %L', body);
    -- Joining a few rows with a table that is small enough to hash: do not.
    EXECUTE format('CREATE FUNCTION hand.apply_join_small(f hand.frontier, changed int) RETURNS void LANGUAGE plpgsql '
                   'SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan '
                   'SET enable_hashjoin = off SET enable_mergejoin = off AS %L', body);
END $do$;

CREATE FUNCTION hand.refresh_join(OUT ms double precision) LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    started timestamptz := clock_timestamp();
    f       hand.frontier;
    now_seq bigint := nextval('hand.log_seq');
    changed int;
    n       bigint;
BEGIN
    SELECT * INTO STRICT f FROM hand.frontier WHERE view = 'join' FOR UPDATE;
    SELECT count(*), (count(*) > 0)::int INTO n, changed FROM hand.log_orders l
    WHERE l.xid >= f.oldest AND NOT pg_visible_in_snapshot(l.xid, f.snapshot) AND NOT (l.xid = f.xid AND l.seq <= f.seq);
    IF EXISTS (SELECT FROM hand.log_customers l
               WHERE l.xid >= f.oldest AND NOT pg_visible_in_snapshot(l.xid, f.snapshot) AND NOT (l.xid = f.xid AND l.seq <= f.seq)) THEN
        SELECT n + count(*), changed + 2 INTO n, changed FROM hand.log_customers l
        WHERE l.xid >= f.oldest AND NOT pg_visible_in_snapshot(l.xid, f.snapshot) AND NOT (l.xid = f.xid AND l.seq <= f.seq);
    END IF;
    IF n <= 200 THEN
        PERFORM hand.apply_join_small(f, changed);
    ELSE
        PERFORM hand.apply_join(f, changed);
    END IF;
    ms := extract(epoch FROM clock_timestamp() - started) * 1000;
    UPDATE hand.frontier x SET ms = refresh_join.ms, snapshot = pg_current_snapshot(), oldest = pg_snapshot_xmin(pg_current_snapshot()),
        xid = pg_current_xact_id(), seq = now_seq WHERE x.view = 'join';
END $$;

-- SELECT c.region, count(*) AS n, sum(o.amount) AS total FROM orders o JOIN customers c ON c.id = o.customer_id
-- WHERE o.status <> 'void' GROUP BY c.region
CREATE TABLE hand.join_aggregate WITH (fillfactor = 70) AS
SELECT c.region, count(*) AS n, sum(o.amount) AS total FROM orders o JOIN customers c ON c.id = o.customer_id
WHERE o.status <> 'void' GROUP BY c.region;
CREATE UNIQUE INDEX ON hand.join_aggregate (region) NULLS NOT DISTINCT;
CREATE INDEX ON hand.join_aggregate (hash_record_extended(ROW(region), 0));
CREATE TABLE hand.join_aggregate_state WITH (fillfactor = 70) AS
SELECT c.region, count(*) AS n, coalesce(sum(o.amount), 0) AS amount_sum, count(o.amount) AS amount_n
FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.status <> 'void' GROUP BY c.region;
CREATE UNIQUE INDEX ON hand.join_aggregate_state (region) NULLS NOT DISTINCT;
CREATE INDEX ON hand.join_aggregate_state (hash_record_extended(ROW(region), 0));

DO $do$
DECLARE
    body text := $body$
BEGIN
    WITH o AS MATERIALIZED (
        SELECT l.customer_id, l.amount, sum(l.w) AS w FROM hand.log_orders l
        WHERE l.xid >= f.oldest AND NOT pg_visible_in_snapshot(l.xid, f.snapshot) AND NOT (l.xid = f.xid AND l.seq <= f.seq) AND l.status <> 'void'
        GROUP BY l.customer_id, l.amount HAVING sum(l.w) <> 0),
    c AS MATERIALIZED (
        SELECT l.id, l.region, sum(l.w) AS w FROM hand.log_customers l
        WHERE l.xid >= f.oldest AND NOT pg_visible_in_snapshot(l.xid, f.snapshot) AND NOT (l.xid = f.xid AND l.seq <= f.seq)
        GROUP BY l.id, l.region HAVING sum(l.w) <> 0),
    g AS MATERIALIZED (
        SELECT region, sum(w) AS n, coalesce(sum(w * amount), 0) AS amount_sum, coalesce(sum(w) FILTER (WHERE amount IS NOT NULL), 0) AS amount_n
        FROM (SELECT x.region, o.amount, o.w FROM o JOIN public.customers x ON x.id = o.customer_id WHERE (changed & 1) = 1
              UNION ALL
              SELECT c.region, x.amount, c.w FROM c JOIN public.orders x ON x.customer_id = c.id AND x.status <> 'void' WHERE (changed & 2) = 2
              UNION ALL
              SELECT c.region, o.amount, -(o.w * c.w) FROM o JOIN c ON c.id = o.customer_id WHERE (changed & 3) = 3) j
        GROUP BY region),
    m AS MATERIALIZED (
        SELECT g.region, coalesce(s.n, 0) + g.n AS n, coalesce(s.amount_sum, 0) + g.amount_sum AS amount_sum,
               coalesce(s.amount_n, 0) + g.amount_n AS amount_n
        FROM g LEFT JOIN hand.join_aggregate_state s ON hash_record_extended(ROW(s.region), 0) = hash_record_extended(ROW(g.region), 0) AND s.region IS NOT DISTINCT FROM g.region),
    gone AS (
        DELETE FROM hand.join_aggregate_state t USING m WHERE m.n = 0 AND hash_record_extended(ROW(t.region), 0) = hash_record_extended(ROW(m.region), 0) AND t.region IS NOT DISTINCT FROM m.region),
    kept AS (
        INSERT INTO hand.join_aggregate_state AS s SELECT region, n, amount_sum, amount_n FROM m WHERE n <> 0
        ON CONFLICT (region) DO UPDATE SET n = excluded.n, amount_sum = excluded.amount_sum, amount_n = excluded.amount_n),
    hidden AS (
        DELETE FROM hand.join_aggregate t USING m WHERE m.n = 0 AND hash_record_extended(ROW(t.region), 0) = hash_record_extended(ROW(m.region), 0) AND t.region IS NOT DISTINCT FROM m.region)
    INSERT INTO hand.join_aggregate AS t SELECT region, n, CASE WHEN amount_n > 0 THEN amount_sum END FROM m WHERE n <> 0
    ON CONFLICT (region) DO UPDATE SET n = excluded.n, total = excluded.total
    WHERE (t.n, t.total) IS DISTINCT FROM (excluded.n, excluded.total);
END $body$;
BEGIN
    EXECUTE format('CREATE FUNCTION hand.apply_join_aggregate(f hand.frontier, changed int) RETURNS void LANGUAGE plpgsql '
                   'SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan AS %L', body);
    -- Joining a few rows with a table that is small enough to hash: do not.
    EXECUTE format('CREATE FUNCTION hand.apply_join_aggregate_small(f hand.frontier, changed int) RETURNS void LANGUAGE plpgsql '
                   'SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan '
                   'SET enable_hashjoin = off SET enable_mergejoin = off AS %L', body);
END $do$;

CREATE FUNCTION hand.refresh_join_aggregate(OUT ms double precision) LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    started timestamptz := clock_timestamp();
    f       hand.frontier;
    now_seq bigint := nextval('hand.log_seq');
    changed int;
    n       bigint;
BEGIN
    SELECT * INTO STRICT f FROM hand.frontier WHERE view = 'join_aggregate' FOR UPDATE;
    SELECT count(*), (count(*) > 0)::int INTO n, changed FROM hand.log_orders l
    WHERE l.xid >= f.oldest AND NOT pg_visible_in_snapshot(l.xid, f.snapshot) AND NOT (l.xid = f.xid AND l.seq <= f.seq);
    IF EXISTS (SELECT FROM hand.log_customers l
               WHERE l.xid >= f.oldest AND NOT pg_visible_in_snapshot(l.xid, f.snapshot) AND NOT (l.xid = f.xid AND l.seq <= f.seq)) THEN
        SELECT n + count(*), changed + 2 INTO n, changed FROM hand.log_customers l
        WHERE l.xid >= f.oldest AND NOT pg_visible_in_snapshot(l.xid, f.snapshot) AND NOT (l.xid = f.xid AND l.seq <= f.seq);
    END IF;
    IF n <= 200 THEN
        PERFORM hand.apply_join_aggregate_small(f, changed);
    ELSE
        PERFORM hand.apply_join_aggregate(f, changed);
    END IF;
    ms := extract(epoch FROM clock_timestamp() - started) * 1000;
    UPDATE hand.frontier x SET ms = refresh_join_aggregate.ms, snapshot = pg_current_snapshot(), oldest = pg_snapshot_xmin(pg_current_snapshot()),
        xid = pg_current_xact_id(), seq = now_seq WHERE x.view = 'join_aggregate';
END $$;

ANALYZE;
