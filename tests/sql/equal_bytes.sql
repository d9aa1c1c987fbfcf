-- Values that their type or collation calls equal, but whose bytes differ: a change of the bytes is a change. Texts under
-- nondeterministic collations, by themselves and inside of arrays and composites, the blanks of bpchar, jsonb, ranges.
-- setup
CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TYPE word AS (w text COLLATE ci, n int);
CREATE DOMAIN ci_text AS text COLLATE ci;
CREATE TYPE word_range AS RANGE (subtype = text, collation = ci);
CREATE TABLE t (id int PRIMARY KEY, k text COLLATE ci, v varchar(10) COLLATE ci, a text[] COLLATE ci, c bpchar, j jsonb,
                d ci_text, r nummultirange, w word, x word_range, f float8[]);
INSERT INTO t SELECT n, 'x', 'y', '{x,y}', 'a  ', '{"n": 1.0}', 'z', '{[1.0,2.0]}', ROW('x', 1)::word, '[a,b]', '{0,1}'
FROM generate_series(1, 6) n;
CREATE TABLE u (k text COLLATE ci, n numeric);
INSERT INTO u VALUES ('x', 1), ('X', 2), ('y', 3);

-- query texts DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, k COLLATE "C" AS k, v COLLATE "C" AS v, d COLLATE "C" AS d FROM t WHERE k = 'x'

-- query containers DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, array_to_string(a, ',') COLLATE "C" AS a, octet_length(c) AS c, j::text AS j, r::text AS r, w::text COLLATE "C" AS w, x::text COLLATE "C" AS x, f::text AS f FROM t

-- query whole DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k, v, a, c, j, d, r, w, x, f FROM t

-- query bytes_of_whole DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k COLLATE "C" AS k, v COLLATE "C" AS v, a::text COLLATE "C" AS a, octet_length(c) AS c, j::text AS j, d COLLATE "C" AS d, w::text COLLATE "C" AS w FROM whole

-- query bag DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k COLLATE "C" AS k, octet_length(c) AS n FROM t

-- query distinct_bytes DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT DISTINCT k COLLATE "C" AS k FROM t

-- query united DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k COLLATE "C" AS k FROM t UNION SELECT k COLLATE "C" FROM u

-- query joined DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, u.n, u.k COLLATE "C" AS k FROM t LEFT JOIN u ON t.k COLLATE "C" = u.k COLLATE "C"

-- query semi DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id FROM t WHERE NOT EXISTS (SELECT FROM u WHERE u.k COLLATE "C" = t.k COLLATE "C")

-- query spelled DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t.id, (SELECT sum(u.n) FROM u WHERE u.k = t.k COLLATE "C") AS same, (SELECT sum(u.n) FROM u WHERE u.k = t.k) AS equal FROM t

-- query grouped DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k, r, count(*) AS n, min(v) COLLATE "C" AS v, max(id) AS id FROM t GROUP BY k, r

-- query top DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, k COLLATE "C" AS k, c FROM t ORDER BY k, id LIMIT 4

-- step
UPDATE t SET k = upper(k), v = upper(v), a = '{X,y}', c = 'a   ', j = '{"n": 1.00}', d = 'Z', r = '{[1.00,2.0]}', w = ('X', 1), x = '[A,b]', f = '{-0,1}' WHERE id <= 3;

-- step
UPDATE t SET k = upper(k), v = upper(v), a = '{x,Y}', c = 'a', j = '{"n": 1.000}', d = 'Z', r = '{[1.000,2.0]}', w = ('X', 1) WHERE id > 2;

-- step
UPDATE u SET k = lower(k);

-- step
DELETE FROM u WHERE k COLLATE "C" = 'x' AND n = 1;
INSERT INTO u VALUES ('X', 5);
UPDATE t SET k = 'x' WHERE id = 1;

-- step
DELETE FROM t WHERE id IN (1, 2);
UPDATE u SET k = upper(k) WHERE n = 2;
