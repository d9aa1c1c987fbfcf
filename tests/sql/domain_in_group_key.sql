-- A group key (or a stream table's row) with a column of a domain type: the recheck by record equality compares
-- ROW(domain) with ROW(base type): "cannot compare dissimilar column types kinds.small and integer at record column n".
-- setup
CREATE DOMAIN small AS int4 CHECK (VALUE < 1000000);
CREATE TABLE t (w int4, old small, a text);
INSERT INTO t VALUES (1, 2, 'a'), (2, 3, 'b'), (1, NULL, 'c');

-- query st DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT a.w, b.a FROM (SELECT w, old FROM t GROUP BY w, old, w < 2) a JOIN t b ON b.w = a.w

-- query by_domain DIFFERENTIAL
SELECT old, w, count(*) FROM t GROUP BY old, w

-- step
UPDATE t SET w = 5, old = 7 WHERE a = 'a';
INSERT INTO t VALUES (NULL, NULL, NULL), (5, 7, 'a');
