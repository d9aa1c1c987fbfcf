-- An aggregate in a subquery whose columns are all of the outer query is an aggregate of the outer query, which it makes a
-- grouped one: recomputed, also if the columns are those of a subquery in its arguments.
-- setup
CREATE TABLE t (k int, v text);
CREATE TABLE u (k int);
INSERT INTO t VALUES (1, 'a'), (2, 'b'), (2, 'c');
INSERT INTO u VALUES (1), (3);

-- query grouped
-- expect-mode FULL
SELECT a.v, (SELECT max(a.k)) AS m FROM t a GROUP BY a.v

-- query not_grouped_otherwise
-- expect-mode FULL
SELECT (SELECT max(a.k)) AS m FROM t a

-- query nested
-- expect-mode FULL
SELECT a.k, (SELECT max((SELECT count(*) FROM u s WHERE s.k <> a.k))) AS m FROM t a GROUP BY a.k

-- query own DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a.k, (SELECT max(s.k + a.k) FROM u s) AS m FROM t a GROUP BY a.k

-- step
INSERT INTO t VALUES (3, 'a');
INSERT INTO u VALUES (2);
