-- A subquery whose dependence on the outer row cannot be taken apart reads columns under other names: those of an alias on a
-- join.
-- setup
CREATE TABLE t (k int, v text);
INSERT INTO t VALUES (1, 'a'), (2, 'b');
CREATE TABLE u (k int, c int);
CREATE TABLE w (k int, e int);
INSERT INTO u VALUES (1, 5), (2, 1);
INSERT INTO w VALUES (1, 5), (2, 1);

-- query st DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a.k, (SELECT count(*) FROM (SELECT j.z2 FROM (u x JOIN w y ON x.k = y.k) AS j (z1, z2, z3, z4) WHERE j.z4 = a.k UNION ALL SELECT 1 WHERE a.k = 1) q) AS n FROM t a

-- query second DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a.k, (SELECT max(q.z2) FROM (SELECT j.z2 FROM (u x NATURAL JOIN w y) AS j (z1, z2, z3) WHERE j.z3 = a.k UNION ALL SELECT 1 WHERE a.k = 1) q) AS n FROM t a

-- step
UPDATE w SET e = 2;

-- step
UPDATE u SET c = 7;
UPDATE w SET e = 1 WHERE k = 1;
