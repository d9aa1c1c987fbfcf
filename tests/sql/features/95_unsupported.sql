-- group What is recomputed, or refused
-- setup
CREATE TABLE t (id int PRIMARY KEY, g int, x int, doc jsonb);
INSERT INTO t SELECT i, i % 5, i, jsonb_build_object('a', i) FROM generate_series(1, 20) i;
CREATE MATERIALIZED VIEW mv AS SELECT t.g, count(*) AS n FROM t GROUP BY t.g;
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE lines (line text) SERVER files OPTIONS (program 'printf "a\nb\n"');
CREATE TABLE guarded (id int, who text);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON guarded USING (who IS NOT NULL);
INSERT INTO guarded VALUES (1, 'a'), (2, 'b');
CREATE ROLE pgt_test_reader;
GRANT SELECT ON guarded TO pgt_test_reader;
GRANT CREATE ON SCHEMA public TO pgt_test_reader;
GRANT USAGE ON SCHEMA pgtrickle TO pgt_test_reader;
CREATE FUNCTION biggest() RETURNS int LANGUAGE sql STABLE AS 'SELECT max(id) FROM public.t';

-- query lateral_inner_limit AUTO
-- feature LIMIT below a LATERAL subquery, by an order that leaves ties
-- expect-mode FULL
SELECT t.id, l.x FROM t, LATERAL (SELECT q.x FROM (SELECT o.id, o.x FROM t o WHERE o.g = t.g ORDER BY o.x LIMIT 1) q) l

-- query sets_beside_distinct_on AUTO
-- feature set-returning function beside DISTINCT ON that nothing sorts by
-- expect-mode FULL
SELECT DISTINCT ON (t.g) t.g, generate_series(1, t.g) AS n FROM t ORDER BY t.g, t.x DESC

-- query json_table AUTO
-- feature JSON_TABLE on servers before 17
-- before-server 17
-- expect-error syntax error
SELECT t.id, j.a FROM t, JSON_TABLE(t.doc, '$' COLUMNS (a int PATH '$.a')) j

-- query clock AUTO
-- feature the current time compared with no column; statement_timestamp(), clock_timestamp(), current_time
-- expect-mode FULL
SELECT t.id, t.x FROM t WHERE now() > '2000-01-01'

-- query chance AUTO
-- feature volatile functions
-- expect-mode FULL
SELECT t.id, random() < 2 AS always FROM t

-- query stable_function AUTO
-- feature STABLE functions
-- expect-mode FULL
SELECT t.id FROM t WHERE t.id < biggest()

-- query who AUTO
-- feature current_user and its kin
-- expect-mode FULL
SELECT t.id, current_user <> 'nobody' AS known FROM t

-- query of_materialized_view AUTO
-- feature materialized view as a source
-- expect-mode FULL
SELECT mv.g, mv.n FROM mv

-- query of_foreign_table AUTO
-- feature foreign table as a source
-- expect-mode FULL
SELECT lines.line FROM lines

-- query of_guarded AUTO
-- feature row-level security that applies to the owner
-- role pgt_test_reader
-- expect-mode FULL
SELECT guarded.id, guarded.who FROM guarded

-- query limit_subquery AUTO
-- feature LIMIT by a subquery that reads tables
-- expect-mode FULL
SELECT t.id FROM t ORDER BY t.id LIMIT (SELECT count(*) / 2 FROM t)

-- query outer_aggregate AUTO
-- feature aggregate of the outer query inside a subquery
-- expect-mode FULL
SELECT t.g, (SELECT max(t.x) + count(*) FROM t z WHERE z.id = 1) AS s FROM t GROUP BY t.g

-- query system_columns AUTO
-- feature system columns
-- expect-error system column
SELECT t.id, t.tableoid::regclass::text AS name FROM t

-- query any_three AUTO
-- feature LIMIT without ORDER BY
-- expect-error LIMIT
SELECT t.id FROM t LIMIT 3

-- query sampled AUTO
-- feature TABLESAMPLE
-- expect-error TABLESAMPLE
SELECT t.id FROM t TABLESAMPLE SYSTEM (50)

-- query locked AUTO
-- feature FOR UPDATE, FOR SHARE
-- expect-error FOR UPDATE
SELECT t.id FROM t FOR UPDATE

-- query modifying AUTO
-- feature WITH that modifies data
-- expect-error modif
WITH d AS (DELETE FROM t WHERE t.id = 0 RETURNING t.id) SELECT d.id FROM d

-- query of_catalog AUTO
-- feature system catalogs as sources
-- expect-mode FULL
SELECT n.nspname FROM pg_namespace n WHERE n.nspname = 'public'

-- step
DELETE FROM t WHERE id % 3 = 0;
REFRESH MATERIALIZED VIEW mv;
INSERT INTO guarded VALUES (3, 'b');

-- step
UPDATE t SET x = 100 - x, g = g + 1;
