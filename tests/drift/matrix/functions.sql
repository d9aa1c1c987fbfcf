-- world functions
-- setup
CREATE SEQUENCE ids START 100;
CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL);
INSERT INTO t SELECT i, i FROM generate_series(1, 20) i;
CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x * 10';
CREATE FUNCTION g(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x + 1; END';
CREATE FUNCTION atomic(x int) RETURNS int LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT g(x) * 2; END;
CREATE FUNCTION by_name(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT drift.g(x) * 2';
-- query
SELECT id, f(v) AS fv, g(v) AS gv FROM t WHERE g(v) > 4
-- other
SELECT v, count(*) AS n FROM t GROUP BY v
-- write
INSERT INTO t SELECT nextval('ids'), i FROM generate_series(1, 9) i; UPDATE t SET v = v + 3 WHERE id % 5 = 0; DELETE FROM t WHERE id = (SELECT min(id) FROM t)

-- rows
rename a function that a constant names | equals | ALTER FUNCTION g(int) RENAME TO h
  query: SELECT id, 'g'::regproc::oid::bigint AS o, 'g' AS letter FROM t
another body in SQL | equals | CREATE OR REPLACE FUNCTION f(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x * 100'
  daemon:
another body in plpgsql | equals | CREATE OR REPLACE FUNCTION g(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x + 2; END'
the same body | equals | CREATE OR REPLACE FUNCTION g(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x + 1; END'
another body under an aggregate | equals | CREATE OR REPLACE FUNCTION g(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x % 3; END'
  query: SELECT g(v) AS gv, count(*) AS n, sum(f(v)) AS total FROM t GROUP BY g(v)
another body of a condition of a join | equals | CREATE OR REPLACE FUNCTION g(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x % 3; END'
  query: SELECT a.id, b.id AS other_id FROM t a LEFT JOIN t b ON b.id = g(a.v)
another body in a function of an SQL body | equals | CREATE OR REPLACE FUNCTION g(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x + 2; END'
  query: SELECT id, atomic(v) AS av FROM t
another body in a function that a body names | equals | CREATE OR REPLACE FUNCTION g(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x + 2; END'
  query: SELECT id, by_name(v) AS bv FROM t
another body in a function whose name is put together | limit what a name that is made at run time means is not known before: docs/ARCHITECTURE.md, Facts | CREATE OR REPLACE FUNCTION g(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x + 2; END'
  setup: CREATE FUNCTION made(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'DECLARE r int; BEGIN EXECUTE ''SELECT drift.'' || chr(103) || ''($1)'' INTO r USING x; RETURN r; END'
  query: SELECT id, made(v) AS mv FROM t
another body behind a view | equals | CREATE OR REPLACE FUNCTION g(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x + 2; END'
  setup: CREATE VIEW through AS SELECT id, g(v) AS gv FROM t
  query: SELECT id, gv FROM through WHERE gv > 6
another body of a set-returning function | equals | CREATE OR REPLACE FUNCTION s(x int) RETURNS SETOF int LANGUAGE sql IMMUTABLE AS 'SELECT x UNION ALL SELECT -x'
  setup: CREATE FUNCTION s(x int) RETURNS SETOF int LANGUAGE sql IMMUTABLE AS 'SELECT x'
  query: SELECT t.id, s.y FROM t CROSS JOIN LATERAL s(t.v) AS s(y)
rename a function | equals | ALTER FUNCTION f(int) RENAME TO f2
another function takes its name | equals | ALTER FUNCTION f(int) RENAME TO f2; CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x * 100'
move a function | equals | CREATE SCHEMA elsewhere; ALTER FUNCTION f(int) SET SCHEMA elsewhere
a better overload comes | equals | CREATE FUNCTION l(x int) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT -1::bigint'; ALTER TABLE t RENAME COLUMN v TO w; ALTER TABLE t RENAME COLUMN w TO v
  setup: CREATE FUNCTION l(x bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT x + 1'
  query: SELECT id, l(v) AS lv FROM t
a function of its name comes first in the path | equals | CREATE FUNCTION pub(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT -1'; ALTER TABLE t RENAME COLUMN v TO w; ALTER TABLE t RENAME COLUMN w TO v
  setup: CREATE FUNCTION public.pub(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x + 1'
  query: SELECT id, pub(v) AS pv FROM t
  undo: DROP FUNCTION public.pub(int) CASCADE
volatile | equals | ALTER FUNCTION g(int) VOLATILE
volatile where deltas are wanted | stops VOLATILE | ALTER FUNCTION g(int) VOLATILE
  mode: DIFFERENTIAL
  cure: ALTER FUNCTION g(int) IMMUTABLE
strict | equals | ALTER FUNCTION nul(int) STRICT
  setup: CREATE FUNCTION nul(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN coalesce(x, 7); END'
  query: SELECT id, nul(nullif(v, 5)) AS nv FROM t
a setting of a function | equals | ALTER ROUTINE g(int) SET extra_float_digits = 0
a setting that a function returns | equals | ALTER FUNCTION zone(int) SET TimeZone = 'Asia/Tokyo'
  setup: CREATE FUNCTION zone(x int) RETURNS text LANGUAGE plpgsql STABLE SET TimeZone = 'UTC' AS 'BEGIN RETURN to_timestamp(x)::text; END'
  query: SELECT id, zone(v) AS z FROM t
cost and parallel safety | equals | ALTER FUNCTION g(int) COST 200 PARALLEL SAFE
another owner of a function | equals | CREATE ROLE drift_other; GRANT CREATE ON SCHEMA drift TO drift_other; ALTER FUNCTION g(int) OWNER TO drift_other
  undo: DROP OWNED BY drift_other CASCADE; DROP ROLE drift_other
drop a function | stops function drift\.f.* was dropped | DROP VIEW st_view; DROP FUNCTION f(int)
  cure: CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x * 7'
drop and create a function | equals | DROP VIEW st_view; DROP FUNCTION f(int); CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x * 100'
drop and create a function of another type | equals | DROP VIEW st_view; DROP ROUTINE f(int); CREATE FUNCTION f(x int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''#'' || x'
default arguments of a function | equals | CREATE OR REPLACE FUNCTION d(x int, y int DEFAULT 200) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x + y'
  setup: CREATE FUNCTION d(x int, y int DEFAULT 100) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x + y'
  query: SELECT id, d(v) AS dv FROM t
comment on a function | unchanged | COMMENT ON FUNCTION f(int) IS 'of the test'
another function comes and goes | unchanged | CREATE FUNCTION h(x int) RETURNS int LANGUAGE sql AS 'SELECT 1'; DROP FUNCTION h(int)
a procedure comes and goes | unchanged | CREATE PROCEDURE h(x int) LANGUAGE sql AS 'SELECT 1'; ALTER PROCEDURE h(int) RENAME TO h2; DROP PROCEDURE h2(int)
another transition function of an aggregate | equals | CREATE OR REPLACE AGGREGATE a(int) (SFUNC = int4larger, STYPE = int, INITCOND = '0')
  setup: CREATE AGGREGATE a(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0')
  query: SELECT v % 3 AS k, a(v) AS av FROM t GROUP BY v % 3
another body of a transition function | equals | CREATE OR REPLACE FUNCTION acc(s int, x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN s + 100 * x; END'
  setup: CREATE FUNCTION acc(s int, x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN s + x; END'; CREATE AGGREGATE a(int) (SFUNC = acc, STYPE = int, INITCOND = '0')
  query: SELECT v % 3 AS k, a(v) AS av FROM t GROUP BY v % 3
rename an aggregate | equals | ALTER AGGREGATE a(int) RENAME TO b
  setup: CREATE AGGREGATE a(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0')
  query: SELECT v % 3 AS k, a(v) AS av FROM t GROUP BY v % 3
drop an aggregate | stops (aggregate|function) drift\.a.* was dropped | DROP VIEW st_view; DROP AGGREGATE a(int)
  setup: CREATE AGGREGATE a(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0')
  query: SELECT v % 3 AS k, a(v) AS av FROM t GROUP BY v % 3
another body of an operator's function | equals | CREATE OR REPLACE FUNCTION op(x int, y int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x - y; END'
  setup: CREATE FUNCTION op(x int, y int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x + y; END'; CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = op)
  query: SELECT id, v ### 2 AS ov FROM t
move an operator | equals | CREATE SCHEMA elsewhere; ALTER OPERATOR ### (int, int) SET SCHEMA elsewhere
  setup: CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl)
  query: SELECT id, v ### 2 AS ov FROM t
properties of an operator | equals | ALTER OPERATOR ### (int, int) SET (RESTRICT = eqsel)
  setup: CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)
  query: SELECT id, v ### 2 AS ov FROM t
drop an operator | stops operator (.*###.* was dropped|does not exist: integer ###) | DROP VIEW st_view; DROP OPERATOR ### (int, int)
  setup: CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl)
  query: SELECT id, v ### 2 AS ov FROM t
drop and create an operator | equals | DROP VIEW st_view; DROP OPERATOR ### (int, int); CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = int4mi)
  setup: CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl)
  query: SELECT id, v ### 2 AS ov FROM t
an operator of its name comes first in the path | equals | CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = int4mi); ALTER TABLE t RENAME COLUMN v TO w; ALTER TABLE t RENAME COLUMN w TO v
  setup: CREATE OPERATOR public.### (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl)
  query: SELECT id, v ### 2 AS ov FROM t
  undo: DROP OPERATOR public.### (int, int) CASCADE
a language | unchanged | ALTER LANGUAGE plpgsql OWNER TO CURRENT_USER
  unwatched: equals
a language comes and goes | unchanged | CREATE TRUSTED LANGUAGE drift_language HANDLER plpgsql_call_handler; DROP LANGUAGE drift_language
an operator class comes | equals | CREATE OPERATOR FAMILY fam USING btree; CREATE OPERATOR CLASS cls FOR TYPE int USING btree FAMILY fam AS OPERATOR 1 <, OPERATOR 3 =, FUNCTION 1 btint4cmp(int, int); ALTER OPERATOR FAMILY fam USING btree RENAME TO fam2; ALTER OPERATOR CLASS cls USING btree RENAME TO cls2; DROP OPERATOR CLASS cls2 USING btree; DROP OPERATOR FAMILY fam2 USING btree
