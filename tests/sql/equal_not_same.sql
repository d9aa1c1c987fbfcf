-- Values that are equal but not the same: numeric 1.0 and 1.00, float 0 and -0, intervals. Their texts must not go stale.
-- setup
CREATE TABLE q (id int PRIMARY KEY, x numeric, f float8, i interval, b char(4));
INSERT INTO q SELECT n, (n % 3)::numeric, 0, '1 day', 'a' FROM generate_series(1, 20) n;

-- query texts DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, x, x::text AS xt, f::text AS ft, i::text AS it, b FROM q

-- query bag_texts DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT x::text AS xt, x FROM q

-- query listed DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT b, string_agg(x::text, ',' ORDER BY id) AS xs, array_agg(i::text ORDER BY id) AS i FROM q GROUP BY b

-- step
UPDATE q SET x = x + 0.00, f = '-0', i = '24:00:00' WHERE id % 2 = 0;

-- step
UPDATE q SET x = x + 0.000 WHERE id = 4;
DELETE FROM q WHERE id = 6;

-- step
UPDATE q SET x = trunc(x);
