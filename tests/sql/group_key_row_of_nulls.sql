-- GROUP BY a column of composite type that holds ROW(NULL, NULL): IS NULL is true of it though it is not null, so the
-- group is taken for a new one (INSERT .. ON CONFLICT: "cannot affect row a second time"). Test with IS NOT DISTINCT FROM NULL / num_nulls.
-- setup
CREATE TYPE pair AS (x int4, y text);
CREATE TABLE t (e int4, d pair);
INSERT INTO t VALUES (1, '(,)');

-- query st DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT d, max(e) FROM t GROUP BY 1

-- step
UPDATE t SET e = -50 - e;
