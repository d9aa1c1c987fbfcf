-- min and max: the extremum deleted, updated, inserted and deleted in one batch, ties, NULLs, several types.
-- setup
CREATE TABLE m (id int PRIMARY KEY, g int, x int, t text, d date, f float8);
INSERT INTO m SELECT i, i % 10, i % 37, 't' || i % 11, '2024-01-01'::date + i % 50, i / 8.0 FROM generate_series(1, 400) i;
INSERT INTO m VALUES (1001, NULL, 5, 'a', NULL, NULL), (1002, NULL, NULL, NULL, NULL, 'NaN'), (1003, 11, NULL, NULL, NULL, NULL);

-- query ext DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT g, min(x) AS lo, max(x) AS hi, min(t) AS tl, max(t) AS th, max(d) AS d, min(f) AS f, max(x) FILTER (WHERE t <> 't3') AS hf, max(x) - min(x) AS spread FROM m GROUP BY g

-- query total DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT max(x) AS hi, min(d) AS first FROM m

-- step the maxima go
DELETE FROM m WHERE x > 30;

-- step a new extremum comes and goes in one batch
INSERT INTO m VALUES (2000, 1, 999, 'zzz', '2030-01-01', 1e10);
DELETE FROM m WHERE id = 2000;

-- step the extremum is updated downwards and upwards
UPDATE m SET x = x - 20 WHERE x > 25;
UPDATE m SET x = x + 100 WHERE x < 2;

-- step NULL group
UPDATE m SET x = 4 WHERE id = 1001;
INSERT INTO m VALUES (1004, NULL, 17, 'b', '2024-02-02', 3);

-- step
DELETE FROM m WHERE id = 1004;

-- step one of two equal extrema
DELETE FROM m WHERE id = (SELECT min(id) FROM m WHERE g = 2 AND x = (SELECT max(x) FROM m WHERE g = 2));

-- step groups vanish
DELETE FROM m WHERE g < 5;

-- step
DELETE FROM m;

-- step
INSERT INTO m VALUES (1, 1, 1, 'x', NULL, NULL);
