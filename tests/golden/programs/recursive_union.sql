/*
WITH RECURSIVE r (id) AS (SELECT id FROM customers WHERE region = 'north' UNION SELECT l.dst FROM r JOIN links l ON l.src = r.id) SELECT id FROM r



DIFFERENTIAL

Stream table, state in pgtrickle_state.node_0_1, rows identified by key:
  Project i.id  [O(delta)]
    Shared  [O(delta)]
      Recursive r (UNION)  [O(rows that change and their matches)]
        Project i.id  [O(delta)]
          Scan public.customers where t.region = 'north'::text  [O(delta)]
        Project i.dst  [O(delta)]
          Join of 2 on a2.src = a1.id  [O(delta x matches)]
            Reference to r  [O(delta)]
            Scan public.links  [O(delta)]
Note: Recursive r (UNION): all rows are derived once more when a refresh would have to follow more than an eighth of them, and more than 1,000
*/

CREATE TABLE pgtrickle_state.node_0_1 AS
(WITH RECURSIVE "pgt self" (id) AS (
   (SELECT b.id
    FROM (SELECT i.id
          FROM (SELECT t.id FROM public.customers t WHERE t.region = 'north'::text) i) b)
   UNION
   (SELECT i.dst AS id
    FROM (SELECT i.dst
          FROM (SELECT a1.id, a2.src, a2.dst
                FROM "pgt self" a1, public.links a2
                WHERE a2.src = a1.id) i) i))
 SELECT r.id FROM "pgt self" r)
WITH NO DATA;

CREATE INDEX ON pgtrickle_state.node_0_1 (id);

ALTER TABLE pgtrickle_state.node_0_1 ALTER COLUMN id SET NOT NULL;

CREATE OR REPLACE FUNCTION pgtrickle_state.apply_0(mode text, f_snapshot pg_snapshot, f_xid xid8, f_seq bigint, changed bigint, run bigint, sizes text, user_keys text[], plans anyelement,
  OUT rows_inserted bigint, OUT rows_updated bigint, OUT rows_deleted bigint)
LANGUAGE plpgsql
AS $pgt$
#variable_conflict use_column
<<v>>
DECLARE
  f_snapshot ALIAS FOR $2;
  f_xmin CONSTANT xid8 := pg_snapshot_xmin($2);
  f_xmax CONSTANT xid8 := pg_snapshot_xmax($2);
  f_xid ALIAS FOR $3;
  f_seq ALIAS FOR $4;
  customers_changed CONSTANT boolean := ($5 & 1) <> 0;
  links_changed CONSTANT boolean := ($5 & 2) <> 0;
  run ALIAS FOR $6;
  user_keys ALIAS FOR $8;  -- columns of unique indexes that users made; NULL: there are none
  violations bigint;
  ignored text;
  sizes_before CONSTANT text := current_setting('pgtrickle.sizes', true);
BEGIN
  v.ignored := set_config('pgtrickle.apply', '0', true);
  v.ignored := set_config('pgtrickle.sizes', $7, true);
  IF $1 = 'full' THEN
    DELETE FROM pgtrickle_state.node_0_1;

    INSERT INTO pgtrickle_state.node_0_1 (id)
    (WITH RECURSIVE "pgt self" (id) AS (
       (SELECT b.id
        FROM (SELECT i.id
              FROM (SELECT t.id FROM public.customers t WHERE t.region = 'north'::text) i) b)
       UNION
       (SELECT i.dst AS id
        FROM (SELECT i.dst
              FROM (SELECT a1.id, a2.src, a2.dst
                    FROM "pgt self" a1, public.links a2
                    WHERE a2.src = a1.id) i) i))
     SELECT r.id FROM "pgt self" r LIMIT pgtrickle._recursion_limit() + 1);

    PERFORM pgtrickle._within_recursion('r', (SELECT count(*) FROM pgtrickle_state.node_0_1 r));

    ANALYZE pgtrickle_state.node_0_1;

    WITH
    -- the query
    content AS MATERIALIZED (
      SELECT x.id::integer AS id
      FROM (SELECT i.id
            FROM (SELECT i.id FROM (SELECT s.id FROM pgtrickle_state.node_0_1 s) i) i) x),
    -- stream table: rows that are gone
    hidden AS (
      DELETE FROM public.stream_table t
      WHERE NOT EXISTS (SELECT FROM content n WHERE t.id = n.id)
      RETURNING 1),
    -- rows that trade values of a unique index of the user: they go and come
    moved AS (
      DELETE FROM public.stream_table t
      USING content n
      WHERE v.user_keys IS NOT NULL
        AND t.id = n.id
        AND ('id' = ANY (v.user_keys) AND ROW(t.id)::record *<> ROW(n.id::integer)::record)
      RETURNING 1),
    -- stream table: rows that are new or differ
    shown AS (
      INSERT INTO public.stream_table AS t (id)
      SELECT n.id::integer AS id
      FROM content n
      WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0
        AND NOT EXISTS (SELECT
                        FROM public.stream_table o
                        WHERE hash_record_extended(ROW(o.id), 0) = hash_record_extended(ROW(n.id), 0)
                          AND ROW(o.id)::record = ROW(n.id)::record)
      ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO NOTHING
      RETURNING t.xmax = 0 AS inserted)
    SELECT s.inserted - (SELECT count(*) FROM moved) AS rows_inserted,
           s.updated + (SELECT count(*) FROM moved) AS rows_updated,
           (SELECT count(*) FROM hidden) AS rows_deleted,
           (SELECT count(*) FROM content) - (SELECT count(*) FROM (SELECT FROM content n GROUP BY n.id) k) AS violations
    FROM (SELECT count(*) FILTER (WHERE shown.inserted) AS inserted,
                 count(*) FILTER (WHERE NOT shown.inserted) AS updated
          FROM shown) s
    INTO rows_inserted, rows_updated, rows_deleted, v.violations;
    IF v.violations <> 0 THEN
      PERFORM pgtrickle._raise_disagreement('public.stream_table', 'key', v.violations);
    END IF;
    v.ignored := set_config('pgtrickle.apply', '', true);
    v.ignored := set_config('pgtrickle.sizes', v.sizes_before, true);
    RETURN;
  END IF;
  -- the stream table
  WITH
  -- customers: rows that are pending, net
  d_customers AS MATERIALIZED (
    SELECT l.c1 AS id, sum(l.w)::int AS w
    FROM pgtrickle_changes.log_0 l
    WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)
      AND l.c2 = 'north'::text
    GROUP BY l.c1
    HAVING sum(l.w) <> 0
    LIMIT (nullif(current_setting('pgtrickle.sizes', true), '')::bigint[])[1]),
  -- rows of base that changed
  base AS MATERIALIZED (
    SELECT b.id, b.w FROM d_customers b WHERE v.customers_changed),
  -- the rows that r has, which change by themselves
  d_none AS MATERIALIZED (
    SELECT r.id, 0 AS w
    FROM (SELECT s.id FROM pgtrickle_state.node_0_1 s) r
    WHERE false),
  -- links: rows that are pending, net
  d_links AS MATERIALIZED (
    SELECT l.c1 AS src, l.c2 AS dst, sum(l.w)::int AS w
    FROM pgtrickle_changes.log_0 l
    WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)
    GROUP BY l.c1, l.c2
    HAVING sum(l.w) <> 0
    LIMIT (nullif(current_setting('pgtrickle.sizes', true), '')::bigint[])[2]),
  -- how many rows may be followed
  budget AS MATERIALIZED (
    SELECT pgtrickle._recursion_budget('pgtrickle_state.node_0_1'::regclass, 0.125) AS most),
  -- stored rows that have lost a derivation, and all that derives from them
  doubtful AS MATERIALIZED (
    (WITH RECURSIVE "pgt self" (id, old_ctid) AS (
       (SELECT e.id, e.old_ctid
        FROM (SELECT *
              FROM (SELECT s.id, s.ctid
                    FROM (SELECT x.id
                          FROM (SELECT b.id FROM base b WHERE b.w < 0
                                UNION ALL
                                SELECT t.id
                                FROM (SELECT i.dst AS id, i.w
                                      FROM (SELECT a1.id, a2.src, a2.dst, a1.w AS w
                                            FROM d_none a1, public.links a2
                                            WHERE a2.src = a1.id AND false
                                            UNION ALL
                                            SELECT a1.id, a2.src, a2.dst, a2.w AS w
                                            FROM (SELECT s.id FROM pgtrickle_state.node_0_1 s) a1, d_links a2
                                            WHERE a2.src = a1.id AND v.links_changed
                                            UNION ALL
                                            SELECT a1.id, a2.src, a2.dst, -(a1.w * a2.w) AS w
                                            FROM d_none a1, d_links a2
                                            WHERE a2.src = a1.id AND false AND v.links_changed) i
                                      WHERE v.links_changed) t
                                WHERE t.w < 0) x) x,
                         pgtrickle_state.node_0_1 s
                    WHERE s.id = x.id
                      AND NOT EXISTS (SELECT
                                  FROM (SELECT b.id
                                        FROM (SELECT i.id
                                              FROM (SELECT t.id FROM public.customers t WHERE t.region = 'north'::text) i) b) q
                                  WHERE q.id = s.id)) r (id, old_ctid)
              OFFSET 0) e
        WHERE num_nulls(e.id) * 0 = 0)
       UNION
       (SELECT s.id, s.ctid
        FROM (SELECT i.dst AS id
              FROM (SELECT i.dst
                    FROM (SELECT a1.id, a2.src, a2.dst
                          FROM "pgt self" a1, public.links a2
                          WHERE a2.src = a1.id) i) i) x,
             pgtrickle_state.node_0_1 s
        WHERE s.id = x.id
          AND NOT EXISTS (SELECT
                      FROM (SELECT b.id
                            FROM (SELECT i.id
                                  FROM (SELECT t.id FROM public.customers t WHERE t.region = 'north'::text) i) b) q
                      WHERE q.id = s.id)))
     SELECT r.id, r.old_ctid
     FROM "pgt self" r
     LIMIT (SELECT b.most + 1 FROM budget b))),
  -- whether these are too many: then all rows are derived once more
  way AS MATERIALIZED (
    SELECT greatest((SELECT count(*) FROM doubtful r)) > b.most AS given_up
    FROM budget b),
  -- all rows, if so
  fresh AS MATERIALIZED (
    (WITH RECURSIVE "pgt self" (id) AS (
       (SELECT f.id
        FROM (SELECT b.id
              FROM (SELECT i.id
                    FROM (SELECT t.id FROM public.customers t WHERE t.region = 'north'::text) i) b) f
        WHERE (SELECT u.given_up FROM way u))
       UNION
       (SELECT i.dst AS id
        FROM (SELECT i.dst
              FROM (SELECT a1.id, a2.src, a2.dst
                    FROM "pgt self" a1, public.links a2
                    WHERE a2.src = a1.id) i) i))
     SELECT r.id FROM "pgt self" r LIMIT pgtrickle._recursion_limit() + 1)),
  -- the rows that r has, which change by themselves
  d_none__2 AS MATERIALIZED (
    SELECT r.id, 0 AS w
    FROM (SELECT s.id
          FROM pgtrickle_state.node_0_1 s
          WHERE s.ctid NOT IN (SELECT d.old_ctid FROM doubtful d)) r
    WHERE false),
  -- rows that are derived again or newly
  derived AS MATERIALIZED (
    (WITH RECURSIVE "pgt self" (id) AS (
       (SELECT e.id
        FROM (SELECT *
              FROM (SELECT f.id
                    FROM (SELECT d.id
                          FROM doubtful d
                          WHERE EXISTS (SELECT
                                        FROM (SELECT i.dst AS id
                                              FROM (SELECT i.dst
                                                    FROM (SELECT a1.id, a2.src, a2.dst
                                                          FROM (SELECT s.id
                                                                FROM pgtrickle_state.node_0_1 s
                                                                WHERE s.ctid NOT IN (SELECT d.old_ctid FROM doubtful d)) a1,
                                                               public.links a2
                                                          WHERE a2.src = a1.id) i) i) q
                                        WHERE q.id = d.id)
                          UNION ALL
                          SELECT x.id
                          FROM (SELECT b.id FROM base b WHERE b.w > 0
                                UNION ALL
                                SELECT t.id
                                FROM (SELECT x.id AS id, sum(x.w)::int AS w
                                      FROM (SELECT i.dst AS id, i.w
                                            FROM (SELECT a1.id, a2.src, a2.dst, a1.w AS w
                                                  FROM d_none__2 a1, public.links a2
                                                  WHERE a2.src = a1.id AND false
                                                  UNION ALL
                                                  SELECT a1.id, a2.src, a2.dst, a2.w AS w
                                                  FROM (SELECT s.id
                                                        FROM pgtrickle_state.node_0_1 s
                                                        WHERE s.ctid NOT IN (SELECT d.old_ctid FROM doubtful d)) a1,
                                                       d_links a2
                                                  WHERE a2.src = a1.id AND v.links_changed
                                                  UNION ALL
                                                  SELECT a1.id, a2.src, a2.dst, -(a1.w * a2.w) AS w
                                                  FROM d_none__2 a1, d_links a2
                                                  WHERE a2.src = a1.id AND false AND v.links_changed) i
                                            WHERE v.links_changed) x
                                      GROUP BY x.id
                                      HAVING sum(x.w) <> 0) t
                                WHERE t.w > 0) x
                          WHERE NOT EXISTS (SELECT
                                            FROM pgtrickle_state.node_0_1 s
                                            WHERE s.id = x.id AND s.ctid NOT IN (SELECT d.old_ctid FROM doubtful d))) f
                    WHERE NOT (SELECT u.given_up FROM way u)) r (id)
              OFFSET 0) e
        WHERE num_nulls(e.id) * 0 = 0)
       UNION
       (SELECT q.id
        FROM (SELECT i.dst AS id
              FROM (SELECT i.dst
                    FROM (SELECT a1.id, a2.src, a2.dst
                          FROM "pgt self" a1, public.links a2
                          WHERE a2.src = a1.id) i) i) q
        WHERE NOT EXISTS (SELECT
                          FROM pgtrickle_state.node_0_1 s
                          WHERE s.id = q.id AND s.ctid NOT IN (SELECT d.old_ctid FROM doubtful d))))
     SELECT r.id FROM "pgt self" r LIMIT pgtrickle._recursion_limit() + 1)),
  -- stored rows and rows as they shall be: the difference
  z AS MATERIALIZED (
    SELECT x.id AS id, sum(CASE WHEN x.old_ctid IS NULL THEN 1 ELSE -1 END)::int AS w,
           array_agg(x.old_ctid) FILTER (WHERE x.old_ctid IS NOT NULL) AS old_ctids
    FROM (SELECT *
          FROM (SELECT d.id, d.old_ctid FROM doubtful d WHERE NOT (SELECT u.given_up FROM way u)
                UNION ALL
                SELECT e.id, e.old_ctid
                FROM (SELECT *
                      FROM (SELECT s.id, s.ctid
                            FROM pgtrickle_state.node_0_1 s
                            WHERE (SELECT u.given_up FROM way u)) r (id, old_ctid)
                      OFFSET 0) e
                WHERE num_nulls(e.id) * 0 = 0) o
          UNION ALL
          SELECT f.*, NULL::tid
          FROM (SELECT a.id FROM derived a
                UNION ALL
                SELECT e.id
                FROM (SELECT *
                      FROM (SELECT n.id FROM fresh n WHERE (SELECT u.given_up FROM way u)) r (id)
                      OFFSET 0) e
                WHERE num_nulls(e.id) * 0 = 0) f) x (id, old_ctid)
    GROUP BY x.id
    HAVING sum(CASE WHEN x.old_ctid IS NULL THEN 1 ELSE -1 END) <> 0),
  -- state: copies that are gone
  gone AS (
    DELETE FROM pgtrickle_state.node_0_1 s
    WHERE s.ctid = ANY (ARRAY(SELECT unnest(z.old_ctids[1:-z.w]) FROM z z WHERE z.w < 0))),
  -- state: copies that are new
  born AS (
    INSERT INTO pgtrickle_state.node_0_1 (id)
    SELECT z.id FROM z z CROSS JOIN LATERAL generate_series(1, z.w) WHERE z.w > 0),
  -- changed rows, net
  net AS MATERIALIZED (
    SELECT x.id AS id, sum(x.w)::int AS w
    FROM (SELECT i.id, i.w FROM (SELECT i.id, i.w FROM z i) i) x
    GROUP BY x.id
    HAVING sum(x.w) <> 0),
  -- keys: those without a new row, and those without an old one
  k AS MATERIALIZED (
    SELECT n.id, max(n.w) < 0 AS lost, min(n.w) > 0 AS added, bool_or(n.w NOT IN (1, -1)) AS odd
    FROM net n
    GROUP BY n.id),
  -- stream table: rows that are gone
  hidden AS (
    DELETE FROM public.stream_table t
    USING k n
    WHERE n.lost AND t.id = n.id
    RETURNING 1),
  -- stream table: rows that are new or differ
  shown AS (
    INSERT INTO public.stream_table AS t (id)
    SELECT n.id::integer AS id
    FROM net n
    WHERE (SELECT count(*) FROM hidden) >= 0 AND n.w > 0
    ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO NOTHING
    RETURNING t.xmax = 0 AS inserted)
  SELECT s.inserted AS rows_inserted, s.updated AS rows_updated, h.deleted AS rows_deleted,
         k.odd + abs(k.lost - h.deleted) + abs(k.added - (s.inserted))
          + (pgtrickle._within_recursion('r', (SELECT count(*) FROM derived r)) + pgtrickle._within_recursion('r', (SELECT count(*) FROM fresh r)) + pgtrickle._say_derived_from_base('r', (SELECT u.given_up FROM way u)))::bigint AS violations
  FROM (SELECT count(*) FILTER (WHERE shown.inserted) AS inserted,
               count(*) FILTER (WHERE NOT shown.inserted) AS updated
        FROM shown) s,
       (SELECT count(*) AS deleted FROM hidden) h,
       (SELECT count(*) FILTER (WHERE n.lost) AS lost, count(*) FILTER (WHERE n.added) AS added,
               count(*) FILTER (WHERE n.odd) AS odd
        FROM k n) k
  INTO rows_inserted, rows_updated, rows_deleted, v.violations;
  IF v.violations <> 0 THEN
    PERFORM pgtrickle._raise_disagreement('public.stream_table', 'state', v.violations);
  END IF;
  v.ignored := set_config('pgtrickle.apply', '', true);
  v.ignored := set_config('pgtrickle.sizes', v.sizes_before, true);
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.apply_0(text, pg_snapshot, xid8, bigint, bigint, bigint, text, text[], anyelement) FROM PUBLIC;

CREATE OR REPLACE FUNCTION pgtrickle_state.look_0(f_snapshot pg_snapshot, f_xid xid8, f_seq bigint,
  OUT pending bigint[], OUT marked bigint[], OUT not_null boolean, OUT row_security boolean,
  OUT watched boolean, OUT small bigint, OUT sized boolean, OUT nested_loops boolean, OUT moves boolean)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $pgt$
#variable_conflict use_column
<<v>>
DECLARE
  f_xmin CONSTANT xid8 := pg_snapshot_xmin($1);
  f_xmax CONSTANT xid8 := pg_snapshot_xmax($1);
  f_snapshot ALIAS FOR $1;
  f_xid ALIAS FOR $2;
  f_seq ALIAS FOR $3;
BEGIN
  SELECT ARRAY[p1.n, p2.n]::bigint[],
         array_remove(ARRAY[CASE WHEN p1.marked THEN 0 END, CASE WHEN p2.marked THEN 0 END]::bigint[], NULL),
         (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = OID AND a.attnum = ANY ('{1}') AND a.attnotnull)
          + (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = OID AND a.attnum = ANY ('{1,2}') AND a.attnotnull) = 3,
         EXISTS (SELECT FROM pg_class c WHERE c.oid = ANY ('{OID,OID}') AND c.relrowsecurity),
         false, 200, true, true, false
  FROM (SELECT count(*) AS n, coalesce(bool_or(l.w = 0), false) AS marked
        FROM pgtrickle_changes.log_0 l
        WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)) p1,
       (SELECT count(*) AS n, coalesce(bool_or(l.w = 0), false) AS marked
        FROM pgtrickle_changes.log_0 l
        WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)) p2
  INTO pending, marked, not_null, row_security, watched, small, sized, nested_loops, moves;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.look_0(pg_snapshot, xid8, bigint) FROM PUBLIC;

ALTER TABLE public.stream_table ADD CONSTRAINT pgtrickle_0_key PRIMARY KEY (id);

ALTER TABLE public.stream_table SET (fillfactor = 70);

GRANT SELECT (xid, seq, w, c1, c2) ON pgtrickle_changes.log_0 TO postgres;

GRANT SELECT (xid, seq, w, c1, c2) ON pgtrickle_changes.log_0 TO postgres;

