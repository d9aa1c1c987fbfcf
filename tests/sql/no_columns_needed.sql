-- A subquery none of whose columns is used.
-- setup
CREATE TABLE t (k int);
CREATE TABLE u (a int);
INSERT INTO t VALUES (1), (2);
INSERT INTO u VALUES (1), (2);

-- query a_global DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.a FROM (SELECT count(*) AS n FROM t) q CROSS JOIN u

-- query b_distinct DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.a FROM (SELECT DISTINCT k FROM t) q CROSS JOIN u

-- query c_union DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.a FROM (SELECT k FROM t UNION ALL SELECT k FROM t) q CROSS JOIN u

-- query d_union_global DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT u.a FROM (SELECT count(*) AS n FROM t UNION ALL SELECT count(a) FROM u) q CROSS JOIN u

-- query e_nested DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT count(*) AS n FROM (SELECT count(*) AS n FROM t) q

-- query f_constant DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT 1 AS c FROM (SELECT count(*) AS n FROM t) q

-- step
DELETE FROM t WHERE k = 1;
INSERT INTO u VALUES (3);
