-- An aggregate without GROUP BY is one row even if nothing of it is used, also in the query that verification compares with
-- where rows tie.
-- setup
CREATE TABLE t (k int, v int);
INSERT INTO t SELECT i, i % 3 FROM generate_series(1, 9) AS i;

-- query firsts DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT ON (t.v) t.v, t.k FROM t, (SELECT count(*) AS n FROM t WHERE k > 100) AS q ORDER BY t.v

-- query offset_and_ties DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT v, k FROM t ORDER BY v OFFSET 2 ROWS FETCH FIRST 2 ROWS WITH TIES

-- step
INSERT INTO t VALUES (10, 0), (11, 0), (12, 2);

-- step
DELETE FROM t WHERE k < 4;
