/*
WITH RECURSIVE r (src, dst, weight) AS (SELECT src, dst, weight FROM links UNION ALL SELECT r.src, l.dst, r.weight * l.weight FROM r JOIN links l ON l.src = r.dst) SELECT src, dst, sum(weight) AS weight FROM r GROUP BY src, dst



DIFFERENTIAL

Node 1, state in pgtrickle_state.node_0_1:
  Recursive r (UNION ALL)  [O(rows that change and their matches)]
    Project i.src, i.dst, i.weight  [O(delta)]
      Scan public.links  [O(delta)]
    Project i.src, i.dst_1 AS dst, i.weight * i.weight_1 AS "column"  [O(delta)]
      Join of 2 on a2.src = a1.dst  [O(delta x matches)]
        Reference to r  [O(delta)]
        Scan public.links  [O(delta)]
Stream table, state in pgtrickle_state.node_0_2, rows identified by key:
  Project i.src, i.dst, i.sum AS weight  [O(delta)]
    Aggregate sum(i.weight) by i.src, i.dst  [O(delta)]
      Shared  [O(delta)]
        Node 1  [O(delta)]
Note: Recursive r (UNION ALL): all rows are derived once more when a refresh would have to follow more than there are, and more than 1,000
*/

CREATE TABLE pgtrickle_state.node_0_1 AS
(WITH RECURSIVE "pgt self" (src, dst, weight) AS (
   (SELECT b.src, b.dst, b.weight
    FROM (SELECT i.src, i.dst, i.weight FROM public.links i) b)
   UNION ALL
   (SELECT i.src AS src, i.dst AS dst, i."column" AS weight
    FROM (SELECT i.src, i.dst_1 AS dst, i.weight * i.weight_1 AS "column"
          FROM (SELECT a1.src, a1.dst, a1.weight, a2.src AS src_1, a2.dst AS dst_1, a2.weight AS weight_1
                FROM "pgt self" a1, public.links a2
                WHERE a2.src = a1.dst) i) i))
 SELECT r.src, r.dst, r.weight FROM "pgt self" r)
WITH NO DATA;

CREATE INDEX ON pgtrickle_state.node_0_1 (hash_record_extended(ROW(src, dst, weight), 0));

CREATE INDEX ON pgtrickle_state.node_0_1 (dst);

CREATE UNLOGGED TABLE pgtrickle_state.delta_0_1 WITH (autovacuum_enabled = false) AS
SELECT 0::bigint AS run, 0 AS w, s.*
FROM (SELECT s.src, s.dst, s.weight FROM pgtrickle_state.node_0_1 s) s
WITH NO DATA;

CREATE TABLE pgtrickle_state.node_0_2 AS
SELECT i.src AS src, i.dst AS dst, count(*) AS n,
       coalesce(count(*) FILTER (WHERE i.weight IS NOT NULL), 0)::bigint AS count_weight,
       coalesce(sum(i.weight), 0)::numeric AS sum_weight
FROM (SELECT s.src, s.dst, s.weight FROM pgtrickle_state.node_0_1 s) i
GROUP BY i.src, i.dst
WITH NO DATA;

CREATE UNIQUE INDEX ON pgtrickle_state.node_0_2 (src, dst);

ALTER TABLE pgtrickle_state.node_0_2 ALTER COLUMN src SET NOT NULL;

ALTER TABLE pgtrickle_state.node_0_2 ALTER COLUMN dst SET NOT NULL;

ALTER TABLE pgtrickle_state.node_0_2 SET (fillfactor = 70);

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
  links_changed CONSTANT boolean := ($5 & 1) <> 0;
  run ALIAS FOR $6;
  user_keys ALIAS FOR $8;  -- columns of unique indexes that users made; NULL: there are none
  violations bigint;
  ignored text;
  gone tid[];
  sizes_before CONSTANT text := current_setting('pgtrickle.sizes', true);
BEGIN
  v.ignored := set_config('pgtrickle.apply', '0', true);
  v.ignored := set_config('pgtrickle.sizes', $7, true);
  IF $1 = 'full' THEN
    DELETE FROM pgtrickle_state.node_0_1;

    INSERT INTO pgtrickle_state.node_0_1 (src, dst, weight)
    (WITH RECURSIVE "pgt self" (src, dst, weight) AS (
       (SELECT b.src, b.dst, b.weight
        FROM (SELECT i.src, i.dst, i.weight FROM public.links i) b)
       UNION ALL
       (SELECT i.src AS src, i.dst AS dst, i."column" AS weight
        FROM (SELECT i.src, i.dst_1 AS dst, i.weight * i.weight_1 AS "column"
              FROM (SELECT a1.src, a1.dst, a1.weight, a2.src AS src_1, a2.dst AS dst_1, a2.weight AS weight_1
                    FROM "pgt self" a1, public.links a2
                    WHERE a2.src = a1.dst) i) i))
     SELECT r.src, r.dst, r.weight
     FROM "pgt self" r
     LIMIT pgtrickle._recursion_limit() + 1);

    PERFORM pgtrickle._within_recursion('r', (SELECT count(*) FROM pgtrickle_state.node_0_1 r));

    ANALYZE pgtrickle_state.node_0_1;

    DELETE FROM pgtrickle_state.node_0_2;

    INSERT INTO pgtrickle_state.node_0_2 (src, dst, n, count_weight, sum_weight)
    SELECT i.src AS src, i.dst AS dst, count(*) AS n,
           coalesce(count(*) FILTER (WHERE i.weight IS NOT NULL), 0)::bigint AS count_weight,
           coalesce(sum(i.weight), 0)::numeric AS sum_weight
    FROM (SELECT s.src, s.dst, s.weight FROM pgtrickle_state.node_0_1 s) i
    GROUP BY i.src, i.dst;

    WITH
    -- the query
    content AS MATERIALIZED (
      SELECT x.src::integer AS src, x.dst::integer AS dst, x.weight::bigint AS weight
      FROM (SELECT i.src, i.dst, i.sum AS weight
            FROM (SELECT s.src, s.dst, CASE WHEN s.count_weight > 0 THEN s.sum_weight::bigint END AS sum
                  FROM pgtrickle_state.node_0_2 s) i) x),
    -- stream table: rows that are gone
    hidden AS (
      DELETE FROM public.stream_table t
      WHERE NOT EXISTS (SELECT FROM content n WHERE t.src = n.src AND t.dst = n.dst)
      RETURNING 1),
    -- rows that trade values of a unique index of the user: they go and come
    moved AS (
      DELETE FROM public.stream_table t
      USING content n
      WHERE v.user_keys IS NOT NULL
        AND t.src = n.src
        AND t.dst = n.dst
        AND ('src' = ANY (v.user_keys) AND ROW(t.src)::record *<> ROW(n.src::integer)::record
             OR 'dst' = ANY (v.user_keys) AND ROW(t.dst)::record *<> ROW(n.dst::integer)::record
             OR 'weight' = ANY (v.user_keys) AND ROW(t.weight)::record *<> ROW(n.weight::bigint)::record)
      RETURNING 1),
    -- stream table: rows that are new or differ
    shown AS (
      INSERT INTO public.stream_table AS t (src, dst, weight)
      SELECT n.src::integer AS src, n.dst::integer AS dst, n.weight::bigint AS weight
      FROM content n
      WHERE (SELECT count(*) FROM hidden) + (SELECT count(*) FROM moved) >= 0
        AND NOT EXISTS (SELECT
                        FROM public.stream_table o
                        WHERE hash_record_extended(ROW(o.src, o.dst, o.weight), 0) = hash_record_extended(ROW(n.src, n.dst, n.weight), 0)
                          AND ROW(o.src, o.dst, o.weight)::record = ROW(n.src, n.dst, n.weight)::record)
      ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET weight = excluded.weight
      WHERE ROW(t.weight)::record *<> ROW(excluded.weight)::record
      RETURNING t.xmax = 0 AS inserted)
    SELECT s.inserted - (SELECT count(*) FROM moved) AS rows_inserted,
           s.updated + (SELECT count(*) FROM moved) AS rows_updated,
           (SELECT count(*) FROM hidden) AS rows_deleted,
           (SELECT count(*) FROM content) - (SELECT count(*) FROM (SELECT FROM content n GROUP BY n.src, n.dst) k) AS violations
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
  IF pg_relation_size('pgtrickle_state.delta_0_1'::regclass) > 262144 THEN
    BEGIN
      LOCK TABLE pgtrickle_state.delta_0_1 IN ACCESS EXCLUSIVE MODE NOWAIT;
      TRUNCATE pgtrickle_state.delta_0_1;
    EXCEPTION WHEN lock_not_available THEN
      NULL;
    END;
  END IF;
  -- node 1: Recursive r (UNION ALL)
  IF v.links_changed THEN
  WITH
  -- links: rows that are pending, net
  d_links AS MATERIALIZED (
    SELECT l.c1 AS src, l.c2 AS dst, l.c3 AS weight, sum(l.w)::int AS w
    FROM pgtrickle_changes.log_0 l
    WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)
    GROUP BY l.c1, l.c2, l.c3
    HAVING sum(l.w) <> 0
    LIMIT (nullif(current_setting('pgtrickle.sizes', true), '')::bigint[])[1]),
  -- the rows that r has, which change by themselves
  d_none AS MATERIALIZED (
    SELECT r.src, r.dst, r.weight, 0 AS w
    FROM (SELECT s.src, s.dst, s.weight FROM pgtrickle_state.node_0_1 s) r
    WHERE false),
  -- rows that come and go at once: by base, and by the term over the stored rows
  first AS MATERIALIZED (
    SELECT b.src, b.dst, b.weight, b.w
    FROM (SELECT b.src, b.dst, b.weight, b.w FROM d_links b WHERE v.links_changed) b
    UNION ALL
    SELECT t.src, t.dst, t.weight, t.w
    FROM (SELECT i.src AS src, i.dst AS dst, i."column" AS weight, i.w
          FROM (SELECT i.src, i.dst_1 AS dst, i.weight * i.weight_1 AS "column", i.w
                FROM (SELECT a1.src, a1.dst, a1.weight, a2.src AS src_1, a2.dst AS dst_1, a2.weight AS weight_1, a1.w AS w
                      FROM d_none a1, public.links a2
                      WHERE a2.src = a1.dst AND false
                      UNION ALL
                      SELECT a1.src, a1.dst, a1.weight, a2.src AS src_1, a2.dst AS dst_1, a2.weight AS weight_1, a2.w AS w
                      FROM (SELECT s.src, s.dst, s.weight FROM pgtrickle_state.node_0_1 s) a1, d_links a2
                      WHERE a2.src = a1.dst AND v.links_changed
                      UNION ALL
                      SELECT a1.src, a1.dst, a1.weight, a2.src AS src_1, a2.dst AS dst_1, a2.weight AS weight_1,
                             -(a1.w * a2.w) AS w
                      FROM d_none a1, d_links a2
                      WHERE a2.src = a1.dst AND false AND v.links_changed) i) i
          WHERE v.links_changed) t),
  -- how many rows may be followed
  budget AS MATERIALIZED (
    SELECT pgtrickle._recursion_budget('pgtrickle_state.node_0_1'::regclass, 1) AS most),
  -- rows that come, and what the term makes of them
  come AS MATERIALIZED (
    (WITH RECURSIVE "pgt self" (src, dst, weight) AS (
       (SELECT e.src, e.dst, e.weight
        FROM (SELECT *
              FROM (SELECT f.src, f.dst, f.weight
                    FROM first f
                    CROSS JOIN LATERAL generate_series(1, f.w)
                    WHERE f.w > 0) r (src, dst, weight)
              OFFSET 0) e
        WHERE num_nulls(e.src) * 0 = 0)
       UNION ALL
       (SELECT i.src AS src, i.dst AS dst, i."column" AS weight
        FROM (SELECT i.src, i.dst_1 AS dst, i.weight * i.weight_1 AS "column"
              FROM (SELECT a1.src, a1.dst, a1.weight, a2.src AS src_1, a2.dst AS dst_1, a2.weight AS weight_1
                    FROM "pgt self" a1, public.links a2
                    WHERE a2.src = a1.dst) i) i))
     SELECT r.src, r.dst, r.weight
     FROM "pgt self" r
     LIMIT (SELECT b.most + 1 FROM budget b))),
  -- rows that go, and what the term makes of them
  go AS MATERIALIZED (
    (WITH RECURSIVE "pgt self" (src, dst, weight) AS (
       (SELECT e.src, e.dst, e.weight
        FROM (SELECT *
              FROM (SELECT f.src, f.dst, f.weight
                    FROM first f
                    CROSS JOIN LATERAL generate_series(1, -f.w)
                    WHERE f.w < 0) r (src, dst, weight)
              OFFSET 0) e
        WHERE num_nulls(e.src) * 0 = 0)
       UNION ALL
       (SELECT i.src AS src, i.dst AS dst, i."column" AS weight
        FROM (SELECT i.src, i.dst_1 AS dst, i.weight * i.weight_1 AS "column"
              FROM (SELECT a1.src, a1.dst, a1.weight, a2.src AS src_1, a2.dst AS dst_1, a2.weight AS weight_1
                    FROM "pgt self" a1, public.links a2
                    WHERE a2.src = a1.dst) i) i))
     SELECT r.src, r.dst, r.weight
     FROM "pgt self" r
     LIMIT (SELECT b.most + 1 FROM budget b))),
  -- whether these are too many: then all rows are derived once more
  way AS MATERIALIZED (
    SELECT greatest((SELECT count(*) FROM come r), (SELECT count(*) FROM go r)) > b.most AS given_up
    FROM budget b),
  -- all rows, if so
  fresh AS MATERIALIZED (
    (WITH RECURSIVE "pgt self" (src, dst, weight) AS (
       (SELECT f.src, f.dst, f.weight
        FROM (SELECT b.src, b.dst, b.weight
              FROM (SELECT i.src, i.dst, i.weight FROM public.links i) b) f
        WHERE (SELECT u.given_up FROM way u))
       UNION ALL
       (SELECT i.src AS src, i.dst AS dst, i."column" AS weight
        FROM (SELECT i.src, i.dst_1 AS dst, i.weight * i.weight_1 AS "column"
              FROM (SELECT a1.src, a1.dst, a1.weight, a2.src AS src_1, a2.dst AS dst_1, a2.weight AS weight_1
                    FROM "pgt self" a1, public.links a2
                    WHERE a2.src = a1.dst) i) i))
     SELECT r.src, r.dst, r.weight
     FROM "pgt self" r
     LIMIT pgtrickle._recursion_limit() + 1)),
  -- the change, net
  z AS MATERIALIZED (
    SELECT x.src AS src, x.dst AS dst, x.weight AS weight, sum(x.w)::int AS w
    FROM (SELECT c.src, c.dst, c.weight, 1 AS w
          FROM come c
          WHERE NOT (SELECT u.given_up FROM way u)
          UNION ALL
          SELECT g.src, g.dst, g.weight, -1
          FROM go g
          WHERE NOT (SELECT u.given_up FROM way u)
          UNION ALL
          SELECT n.src, n.dst, n.weight, 1
          FROM (SELECT e.src, e.dst, e.weight
                FROM (SELECT *
                      FROM (SELECT a.src, a.dst, a.weight FROM fresh a WHERE (SELECT u.given_up FROM way u)) r (src, dst, weight)
                      OFFSET 0) e
                WHERE num_nulls(e.src) * 0 = 0) n
          UNION ALL
          SELECT o.src, o.dst, o.weight, -1
          FROM (SELECT e.src, e.dst, e.weight
                FROM (SELECT *
                      FROM (SELECT s.src, s.dst, s.weight
                            FROM pgtrickle_state.node_0_1 s
                            WHERE (SELECT u.given_up FROM way u)) r (src, dst, weight)
                      OFFSET 0) e
                WHERE num_nulls(e.src) * 0 = 0) o) x
    GROUP BY x.src, x.dst, x.weight
    HAVING sum(x.w) <> 0),
  -- state: copies that are gone
  lost AS MATERIALIZED (
    SELECT c.ctid
    FROM z z
    CROSS JOIN LATERAL (SELECT s.ctid
                        FROM pgtrickle_state.node_0_1 s
                        WHERE hash_record_extended(ROW(s.src, s.dst, s.weight), 0) = hash_record_extended(ROW(z.src, z.dst, z.weight), 0)
                          AND ROW(s.src, s.dst, s.weight)::record = ROW(z.src, z.dst, z.weight)::record
                        LIMIT -z.w) c
    WHERE z.w < 0),
  -- state: without them
  gone AS (
    DELETE FROM pgtrickle_state.node_0_1 s
    WHERE s.ctid = ANY (ARRAY(SELECT l.ctid FROM lost l))),
  -- state: copies that are new
  born AS (
    INSERT INTO pgtrickle_state.node_0_1 (src, dst, weight)
    SELECT z.src, z.dst, z.weight
    FROM z z
    CROSS JOIN LATERAL generate_series(1, z.w)
    WHERE z.w > 0),
  -- for the nodes above
  emitted AS (
    INSERT INTO pgtrickle_state.delta_0_1 (run, w, src, dst, weight)
    SELECT v.run, x.w, x.src, x.dst, x.weight FROM z x)
  SELECT (pgtrickle._within_recursion('r', (SELECT count(*) FROM fresh r)) + pgtrickle._say_derived_from_base('r', (SELECT u.given_up FROM way u)) + (SELECT coalesce(sum(-z.w), 0) FROM z z WHERE z.w < 0) - (SELECT count(*) FROM lost l))::bigint
  INTO v.violations;
  IF v.violations <> 0 THEN
    PERFORM pgtrickle._raise_disagreement('public.stream_table', 'state', v.violations);
  END IF;
  END IF;

  -- the stream table
  WITH
  -- what this refresh changed in node 1
  d_node_1 AS MATERIALIZED (
    SELECT d.src, d.dst, d.weight, d.w
    FROM pgtrickle_state.delta_0_1 d
    WHERE d.run = v.run),
  -- changed groups: what is added to each
  g AS MATERIALIZED (
    SELECT i.src AS src, i.dst AS dst, coalesce(sum(i.w), 0)::bigint AS n,
           coalesce(sum(i.w) FILTER (WHERE i.weight IS NOT NULL), 0)::bigint AS count_weight,
           coalesce(sum(i.w::bigint * i.weight), 0)::numeric AS sum_weight
    FROM d_node_1 i
    GROUP BY i.src, i.dst),
  -- those groups beside their stored values
  m AS MATERIALIZED (
    SELECT g.src, g.dst, s.ctid AS old_ctid, coalesce(s.n, 0) + g.n AS new_n,
           coalesce(s.count_weight, 0) + g.count_weight AS new_count_weight,
           coalesce(s.sum_weight, 0) + g.sum_weight AS new_sum_weight
    FROM g g
    LEFT JOIN pgtrickle_state.node_0_2 s ON s.src = g.src AND s.dst = g.dst),
  -- state: keys that stay
  kept AS (
    UPDATE pgtrickle_state.node_0_2 s
    SET n = m.new_n, count_weight = m.new_count_weight, sum_weight = m.new_sum_weight
    FROM m m
    WHERE s.ctid = m.old_ctid AND m.new_n > 0),
  -- state: keys that are new
  born AS (
    INSERT INTO pgtrickle_state.node_0_2 (src, dst, n, count_weight, sum_weight)
    SELECT m.src, m.dst, m.new_n, m.new_count_weight, m.new_sum_weight
    FROM m m
    WHERE m.old_ctid IS NULL AND m.new_n > 0),
  -- output rows of these keys
  c AS NOT MATERIALIZED (
    SELECT m.src, m.dst, CASE WHEN m.new_count_weight > 0 THEN m.new_sum_weight::bigint END AS new_sum,
           m.new_n > 0 AS now
    FROM m m),
  -- rows as they shall be
  rows AS (
    SELECT i.src, i.dst, i.sum AS weight
    FROM (SELECT c.src AS src, c.dst AS dst, c.new_sum AS sum FROM c c WHERE c.now) i),
  -- stream table: rows that are new or differ
  shown AS (
    INSERT INTO public.stream_table AS t (src, dst, weight)
    SELECT n.src::integer AS src, n.dst::integer AS dst, n.weight::bigint AS weight
    FROM rows n
    ON CONFLICT ON CONSTRAINT pgtrickle_0_key DO UPDATE SET weight = excluded.weight
    WHERE ROW(t.weight)::record *<> ROW(excluded.weight)::record
    RETURNING t.xmax = 0 AS inserted)
  SELECT s.inserted AS rows_inserted, s.updated AS rows_updated, 0::bigint AS rows_deleted,
         m.broken AS violations, m.gone
  FROM (SELECT count(*) FILTER (WHERE shown.inserted) AS inserted,
               count(*) FILTER (WHERE NOT shown.inserted) AS updated
        FROM shown) s,
       (SELECT count(*) FILTER (WHERE m.new_n < 0) AS broken,
               array_agg(m.old_ctid) FILTER (WHERE m.new_n <= 0 AND m.old_ctid IS NOT NULL) AS gone
        FROM m m) m
  INTO rows_inserted, rows_updated, rows_deleted, v.violations, v.gone;
  IF v.violations <> 0 THEN
    PERFORM pgtrickle._raise_disagreement('public.stream_table', 'state', v.violations);
  END IF;
  IF v.gone IS NOT NULL THEN
    DELETE FROM public.stream_table t
    USING pgtrickle_state.node_0_2 s
    WHERE s.ctid = ANY (v.gone) AND t.src = s.src AND t.dst = s.dst;
    GET DIAGNOSTICS rows_deleted = ROW_COUNT;
    DELETE FROM pgtrickle_state.node_0_2 s WHERE s.ctid = ANY (v.gone);
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
  SELECT ARRAY[p1.n]::bigint[], array_remove(ARRAY[CASE WHEN p1.marked THEN 0 END]::bigint[], NULL),
         (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = OID AND a.attnum = ANY ('{1,2}') AND a.attnotnull) = 2,
         EXISTS (SELECT FROM pg_class c WHERE c.oid = ANY ('{OID}') AND c.relrowsecurity), false,
         200, true, true, false
  FROM (SELECT count(*) AS n, coalesce(bool_or(l.w = 0), false) AS marked
        FROM pgtrickle_changes.log_0 l
        WHERE pgtrickle._is_pending(l.xid, l.seq, v.f_snapshot, v.f_xmin, v.f_xmax, v.f_xid, v.f_seq)) p1
  INTO pending, marked, not_null, row_security, watched, small, sized, nested_loops, moves;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.look_0(pg_snapshot, xid8, bigint) FROM PUBLIC;

ALTER TABLE public.stream_table ADD CONSTRAINT pgtrickle_0_key PRIMARY KEY (src, dst);

ALTER TABLE public.stream_table SET (fillfactor = 70);

GRANT SELECT (xid, seq, w, c1, c2, c3) ON pgtrickle_changes.log_0 TO postgres;

