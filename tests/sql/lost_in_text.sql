-- pg_get_viewdef() writes some queries as others: those are refused; in a view that is read they are left to PostgreSQL. (Its own regression suite)
-- setup
CREATE SCHEMA ext;
CREATE EXTENSION citext SCHEMA ext;
CREATE TABLE j1 (i int, a text);
CREATE TABLE j2 (i int, b text);
INSERT INTO j1 VALUES (1, 'one'), (2, 'two');
INSERT INTO j2 VALUES (1, 'eins'), (3, 'drei');
CREATE TABLE words (id int PRIMARY KEY, c ext.citext, d ext.citext);
INSERT INTO words VALUES (1, 'A', 'a'), (2, 'b', 'c');
SET search_path = public, ext;
CREATE VIEW named AS SELECT row_to_json(x.*) AS r FROM j1 JOIN j2 USING (i) AS x;
CREATE VIEW same_words AS SELECT id FROM words WHERE c IS NOT DISTINCT FROM d;
CREATE VIEW plain_words AS SELECT id, c || d AS cd FROM words WHERE c = d;

-- query row_of_using_alias
-- expect-error its text loses the names of the fields of a row
SELECT row_to_json(x.*) AS r FROM j1 JOIN j2 USING (i) AS x

-- query of_named
-- expect-mode FULL
SELECT r::text AS r FROM named

-- query of_same_words
-- expect-mode FULL
SELECT id FROM same_words

-- query of_plain_words
-- expect-mode DIFFERENTIAL
SELECT id, cd FROM plain_words

-- query of_operators
-- expect-mode DIFFERENTIAL
SELECT a.id, a.c = ANY (ARRAY['a'::ext.citext]) AS x, a.c IN (SELECT d FROM words) AS y FROM words a JOIN words b ON a.c = b.d

-- query of_subquery
SELECT row_to_json((SELECT r FROM (SELECT x.i) r))::text AS r FROM j1 JOIN j2 USING (i) AS x

-- query renamed_columns
SELECT row_to_json(t.*)::text AS r FROM (j1 LEFT JOIN j2 USING (i)) AS t(p, q, r)

-- query arms_of_a_union
SELECT i FROM j1 UNION SELECT length(b) FROM j2 EXCEPT ALL SELECT 1

-- step
INSERT INTO j2 VALUES (2, 'zwei');
UPDATE words SET d = 'B' WHERE id = 2;

-- step
DELETE FROM j1 WHERE i = 1;
UPDATE words SET c = 'X' WHERE id = 1;
