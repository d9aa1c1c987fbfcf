-- Stream tables that read stream tables.
-- setup
CREATE TABLE ev (id int PRIMARY KEY, kind text, x int);
INSERT INTO ev SELECT i, 'k' || i % 6, i % 20 FROM generate_series(1, 200) i;

-- query per_kind DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT kind, count(*) AS n, sum(x) AS sx FROM ev GROUP BY kind

-- query filtered DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT kind, x FROM ev WHERE x > 5

-- query top_level DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT max(sx) AS top, sum(n) AS n FROM per_kind

-- query joined DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT f.kind, f.x, p.sx FROM filtered f JOIN per_kind p ON p.kind = f.kind

-- step
UPDATE ev SET x = x + 1 WHERE id % 5 = 0;

-- step
DELETE FROM ev WHERE kind = 'k1';
INSERT INTO ev VALUES (1000, 'k9', 100);

-- step
UPDATE ev SET kind = 'k2' WHERE kind = 'k3';

-- step
TRUNCATE ev;
