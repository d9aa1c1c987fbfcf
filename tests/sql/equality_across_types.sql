-- "=" of two types puts other values together than the equality of either: several values of one side that are different
-- to their own type equal one of the other. So do collations.
-- setup
CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone = ''Pacific/Apia''', current_database()); END $$;
SET TimeZone = 'Pacific/Apia';
CREATE TABLE fl (f float8 PRIMARY KEY);
CREATE TABLE nu (n numeric PRIMARY KEY, i bigint UNIQUE NOT NULL);
CREATE TABLE tz (a timestamptz NOT NULL);
CREATE TABLE ts (b timestamp PRIMARY KEY, d date NOT NULL);
CREATE TABLE ch (c char(4) NOT NULL, ci_k text COLLATE ci PRIMARY KEY);
CREATE TABLE tx (t text PRIMARY KEY, x int);
INSERT INTO fl VALUES (1), (2), (3), (9007199254740992);
INSERT INTO nu VALUES (1, 1), (1.000000000000000000001, 9007199254740992), (2, 9007199254740993), (3, 3);
INSERT INTO tz VALUES ('2011-12-31 00:00'), ('2011-12-31 12:00'), ('2024-01-01 00:00');
INSERT INTO ts VALUES ('2011-12-30 12:00', '2011-12-30'), ('2011-12-31 12:00', '2011-12-31'), ('2024-01-01 00:00', '2024-01-01');
INSERT INTO ch VALUES ('a', 'x'), ('a ', 'y'), ('b', 'z');
INSERT INTO tx VALUES ('a', 1), ('a ', 2), ('x', 3), ('X', 4), ('Y', 5);

-- query within DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT * FROM fl WHERE f IN (SELECT n FROM nu)

-- query within_bigint DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT * FROM fl WHERE EXISTS (SELECT FROM nu WHERE nu.i = fl.f)

-- query not_within DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT * FROM fl WHERE f NOT IN (SELECT n FROM nu)

-- query joined DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT fl.f, nu.n FROM fl JOIN nu ON fl.f = nu.n

-- query one_column_of_join DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT fl.f FROM fl JOIN nu ON fl.f = nu.n

-- query left_joined DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT fl.f, nu.i FROM fl LEFT JOIN nu ON fl.f = nu.n

-- query full_joined DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT fl.f, nu.i FROM fl FULL JOIN nu ON fl.f = nu.i

-- query with_more DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT fl.f, nu.i FROM fl LEFT JOIN nu ON fl.f = nu.n AND fl.f < nu.i

-- query times DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT tz.a, ts.b FROM tz FULL JOIN ts ON tz.a = ts.b

-- query dates DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT * FROM tz WHERE a IN (SELECT d FROM ts)

-- query dates_and_times DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x.d, ts.b FROM ts x LEFT JOIN ts ON x.d = ts.b

-- query blanks DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT ch.c, tx.x FROM ch FULL JOIN tx ON ch.c = tx.t

-- query blanks_within DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t FROM tx WHERE t NOT IN (SELECT c FROM ch)

-- query collated DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT ch.ci_k, tx.t FROM ch LEFT JOIN tx ON ch.ci_k = tx.t

-- query collated_within DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT ci_k FROM ch WHERE EXISTS (SELECT FROM tx WHERE tx.t = ch.ci_k)

-- query collated_values DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT ci_k, (SELECT sum(x) FROM tx WHERE tx.t = ch.ci_k) AS x FROM ch

-- query collated_values_back DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT t, (SELECT count(*) FROM ch WHERE tx.t = ch.ci_k) AS n FROM tx

-- step
DELETE FROM nu WHERE n = 1;
DELETE FROM ts WHERE d = '2011-12-30';
DELETE FROM tx WHERE t IN ('a', 'x');

-- step
DELETE FROM nu WHERE n = 1.000000000000000000001;
DELETE FROM ts WHERE d = '2011-12-31';
DELETE FROM tx WHERE t IN ('a ', 'X', 'Y');

-- step
INSERT INTO nu VALUES (1.000000000000000000001, 9007199254740992), (1, 1);
INSERT INTO ts VALUES ('2011-12-31 12:00', '2011-12-31');
INSERT INTO tx VALUES ('X', 6), ('x', 7), ('b', 8), ('b ', 9);

-- step
DELETE FROM fl WHERE f = 1;
UPDATE ch SET ci_k = upper(ci_k), c = 'b';
UPDATE nu SET i = 5 WHERE i = 9007199254740992;

-- step
INSERT INTO fl VALUES (1.5), (5);
DELETE FROM tz;
DELETE FROM tx WHERE x = 6;
