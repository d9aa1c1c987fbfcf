/*
SELECT kind, count(*) AS n FROM events WHERE value > extract(epoch FROM now()) GROUP BY kind



FULL: the query depends on the current time, so its result changes without any change in the data: maintained are comparisons of a date or timestamp with the current time: ... > extract ('epoch' FROM now())::double precision

Recompute the query and apply the difference  [O(n)]
Reason: the query depends on the current time, so its result changes without any change in the data: maintained are comparisons of a date or timestamp with the current time: ... > extract ('epoch' FROM now())::double precision
*/

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
  run ALIAS FOR $6;
  user_keys ALIAS FOR $8;  -- columns of unique indexes that users made; NULL: there are none
  violations bigint;
  ignored text;
BEGIN
  v.ignored := set_config('pgtrickle.apply', '0', true);
  WITH
  -- what differs
  net AS MATERIALIZED (
    SELECT x.kind AS kind, x.n AS n, sum(x.w)::int AS w
    FROM (SELECT x.kind::text AS kind, x.n::bigint AS n, 1 AS w
          FROM (SELECT *
                FROM ( SELECT events.kind,
                          count(*) AS n
                         FROM public.events
                        WHERE (events.value > (EXTRACT(epoch FROM now()))::double precision)
                        GROUP BY events.kind) q (kind, n)) x
          UNION ALL
          SELECT o.kind AS kind, o.n AS n, -1 AS w FROM public.stream_table o) x
    GROUP BY x.kind, x.n
    HAVING sum(x.w) <> 0),
  -- the change, with the types of the stream table
  d AS MATERIALIZED (
    SELECT n.kind::text AS kind, n.n::bigint AS n, n.w FROM net n),
  -- stream table: copies that are gone
  hidden AS (
    DELETE FROM public.stream_table t
    WHERE t.ctid = ANY (ARRAY(SELECT x.ctid
           FROM d d
           CROSS JOIN LATERAL (SELECT t.ctid
                               FROM public.stream_table t
                               WHERE hash_record_extended(ROW(t.kind, t.n), 0) = hash_record_extended(ROW(d.kind, d.n), 0)
                                 AND ROW(t.kind, t.n)::record = ROW(d.kind, d.n)::record
                               LIMIT -d.w) x
           WHERE d.w < 0))
    RETURNING 1),
  -- stream table: copies that are new
  shown AS (
    INSERT INTO public.stream_table (kind, n)
    SELECT d.kind, d.n
    FROM d d
    CROSS JOIN LATERAL generate_series(1, d.w)
    WHERE d.w > 0 AND (SELECT count(*) FROM hidden) >= 0
    RETURNING 1)
  SELECT (SELECT count(*) FROM shown) AS rows_inserted, 0::bigint AS rows_updated,
         h.deleted AS rows_deleted,
         (SELECT coalesce(-sum(d.w), 0) FROM d d WHERE d.w < 0) - h.deleted AS violations
  FROM (SELECT count(*) AS deleted FROM hidden) h
  INTO rows_inserted, rows_updated, rows_deleted, v.violations;
  IF v.violations <> 0 THEN
    PERFORM pgtrickle._raise_disagreement('public.stream_table', 'content', v.violations);
  END IF;
  v.ignored := set_config('pgtrickle.apply', '', true);
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
  SELECT ARRAY[]::bigint[], array_remove(ARRAY[]::bigint[], NULL), true, false, false, 200, false,
         false, false
  INTO pending, marked, not_null, row_security, watched, small, sized, nested_loops, moves;
END
$pgt$;

REVOKE ALL ON FUNCTION pgtrickle_state.look_0(pg_snapshot, xid8, bigint) FROM PUBLIC;

CREATE INDEX pgtrickle_0_hash ON public.stream_table (hash_record_extended(ROW(kind, n), 0));

