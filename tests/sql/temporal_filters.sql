-- Comparisons with the current time: rows come and go as it passes, with no change in the data. The clock is moved, by
-- replacing the function that programs ask for the time; TimeZone of the tests is UTC where it matters.
-- setup
CREATE FUNCTION set_clock(at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE OR REPLACE FUNCTION pgtrickle._now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE RETURN %L::timestamptz', at);
END $$;
SELECT set_clock('2026-03-02 12:00+00');
CREATE TABLE ev (id int PRIMARY KEY, kind int, ts timestamptz, loc timestamp, day date, x int);
CREATE INDEX ON ev (ts);
INSERT INTO ev SELECT i, i % 4, '2026-03-01 00:00+00'::timestamptz + i * '1 hour'::interval, '2026-03-01 00:00'::timestamp + i * '1 hour'::interval, '2026-02-20'::date + i % 20, i FROM generate_series(0, 80) i;
INSERT INTO ev VALUES (900, 0, NULL, NULL, NULL, 1), (901, 1, 'infinity', 'infinity', 'infinity', 2), (902, 2, '-infinity', '-infinity', '-infinity', 3);
CREATE TABLE price (item int, valid_from timestamptz NOT NULL, valid_to timestamptz, cents int);
INSERT INTO price SELECT i % 6, '2026-03-01 00:00+00'::timestamptz + i * '5 hours'::interval, '2026-03-01 00:00+00'::timestamptz + (i + 6) * '5 hours'::interval, i FROM generate_series(0, 40) i;
INSERT INTO price VALUES (1, '2026-03-01 00:00+00', NULL, 7), (2, '-infinity', 'infinity', 8), (3, '2026-03-03 00:00+00', '2026-03-03 00:00+00', 9);
CREATE TABLE kinds (kind int PRIMARY KEY, name text);
INSERT INTO kinds SELECT i, 'kind ' || i FROM generate_series(0, 4) i;

-- query recent DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, ts, x FROM ev WHERE ts > now() - interval '1 day'

-- query past_inclusive DIFFERENTIAL
SELECT x FROM ev WHERE CURRENT_TIMESTAMP >= ts

-- query valid DIFFERENTIAL
SELECT item, cents FROM price WHERE valid_from <= now() AND now() < valid_to

-- query open_end DIFFERENTIAL
SELECT item, cents FROM price WHERE valid_from <= now() AND (valid_to IS NULL OR valid_to > now())

-- query not_valid DIFFERENTIAL
SELECT item, cents FROM price WHERE NOT (valid_from <= now() AND now() < valid_to)

-- query around DIFFERENTIAL
SELECT id FROM ev WHERE ts BETWEEN now() - interval '5 hours' AND now() + interval '3 hours'

-- query today DIFFERENTIAL
SELECT id, day FROM ev WHERE day = current_date

-- query not_today DIFFERENTIAL
SELECT id, day FROM ev WHERE day <> current_date

-- query week DIFFERENTIAL
SELECT day, count(*) AS n FROM ev WHERE day >= current_date - 7 GROUP BY day

-- query local_time DIFFERENTIAL
SELECT id, loc FROM ev WHERE loc <= localtimestamp

-- query this_hour DIFFERENTIAL
SELECT id FROM ev WHERE ts >= date_trunc('hour', now()) AND ts < date_trunc('hour', now()) + interval '1 hour'

-- query to_the_second DIFFERENTIAL
SELECT id FROM ev WHERE ts > current_timestamp(0) AND loc > localtimestamp(0)

-- query last_month DIFFERENTIAL
SELECT id FROM ev WHERE ts > now() - interval '1 month'

-- query in_berlin DIFFERENTIAL
SELECT id FROM ev WHERE loc <= (now() AT TIME ZONE 'Europe/Berlin')

-- query without_zone DIFFERENTIAL
SELECT id FROM ev WHERE loc > now() - interval '3 hours'

-- query dates_and_times DIFFERENTIAL
SELECT id FROM ev WHERE day < now() AND ts >= current_date

-- query shifted_row DIFFERENTIAL
SELECT id FROM ev WHERE ts + x * interval '1 minute' > now()

-- query joined DIFFERENTIAL
SELECT e.id, k.name FROM ev e JOIN kinds k ON k.kind = e.kind WHERE e.ts > now() - interval '10 hours'

-- query joined_on DIFFERENTIAL
SELECT e.id, k.name, p.cents FROM ev e JOIN kinds k ON k.kind = e.kind AND e.ts <= now() JOIN price p ON p.item = e.kind AND p.valid_from <= now() AND p.valid_to > now()

-- query both_sides DIFFERENTIAL
SELECT a.id, b.id AS other FROM ev a JOIN ev b ON b.kind = a.kind WHERE a.ts > now() - interval '4 hours' AND b.ts > now() - interval '8 hours' AND a.ts < now() + interval '4 hours' AND b.ts < now()

-- query left_on DIFFERENTIAL
SELECT k.kind, e.id FROM kinds k LEFT JOIN ev e ON e.kind = k.kind AND e.ts > now() - interval '5 hours' AND e.ts <= now()

-- query right_on DIFFERENTIAL
SELECT k.kind, e.id FROM ev e RIGHT JOIN kinds k ON e.kind = k.kind AND e.ts BETWEEN now() AND now() + interval '2 hours'

-- query left_where_padded DIFFERENTIAL
SELECT k.kind, e.id FROM kinds k LEFT JOIN ev e ON e.kind = k.kind AND e.x < 50 WHERE e.ts > now() OR e.ts IS NULL

-- query grouped DIFFERENTIAL
SELECT kind, count(*) AS n, sum(x) AS total, min(ts) AS first, max(x) AS most FROM ev WHERE ts > now() - interval '1 day' AND ts <= now() GROUP BY kind

-- query counted DIFFERENTIAL
SELECT count(*) AS n, avg(x) AS mean, array_agg(id ORDER BY id) AS ids FROM ev WHERE ts > now() - interval '12 hours'

-- query having_latest DIFFERENTIAL
SELECT kind, max(ts) FILTER (WHERE isfinite(ts)) AS latest FROM ev GROUP BY kind HAVING max(ts) FILTER (WHERE isfinite(ts)) < now() + interval '1 day'

-- query both_arms DIFFERENTIAL
SELECT id, 'new' AS state FROM ev WHERE ts > now() UNION ALL SELECT id, 'old' FROM ev WHERE ts <= now() UNION ALL SELECT item, 'price' FROM price WHERE valid_to > now()

-- query over_union DIFFERENTIAL
SELECT u.id FROM (SELECT id, ts FROM ev UNION ALL SELECT item, valid_from FROM price) u WHERE u.ts > now() - interval '2 hours'

-- query kinds_now DIFFERENTIAL
SELECT DISTINCT kind FROM ev WHERE ts BETWEEN now() - interval '2 hours' AND now()

-- query not_there DIFFERENTIAL
SELECT kind FROM kinds EXCEPT SELECT kind FROM ev WHERE ts BETWEEN now() - interval '2 hours' AND now()

-- query there_is DIFFERENTIAL
SELECT k.kind FROM kinds k WHERE EXISTS (SELECT 1 FROM ev e WHERE e.kind = k.kind AND e.ts > now() - interval '2 hours' AND e.ts <= now())

-- query there_is_none DIFFERENTIAL
SELECT k.kind FROM kinds k WHERE NOT EXISTS (SELECT 1 FROM ev e WHERE e.kind = k.kind AND e.ts > now() - interval '2 hours' AND e.ts <= now())

-- query is_in DIFFERENTIAL
SELECT k.kind FROM kinds k WHERE k.kind IN (SELECT p.item FROM price p WHERE p.valid_from <= now() AND p.valid_to > now())

-- query total_beside DIFFERENTIAL
SELECT k.kind, (SELECT count(*) FROM ev e WHERE e.ts <= now()) AS n FROM kinds k

-- query latest DIFFERENTIAL
SELECT id, ts FROM ev WHERE ts <= now() ORDER BY ts DESC, id LIMIT 5

-- query ranked DIFFERENTIAL
SELECT id, row_number() OVER (PARTITION BY kind ORDER BY ts, id) AS n FROM ev WHERE ts > now() - interval '9 hours' AND ts < now()

-- query twice DIFFERENTIAL
WITH c AS (SELECT kind, count(*) AS n FROM ev WHERE ts <= now() GROUP BY kind) SELECT a.kind, a.n, b.n AS m FROM c a JOIN c b ON b.kind = a.kind + 1

-- query nested DIFFERENTIAL
SELECT s.kind, s.latest FROM (SELECT kind, max(ts) AS latest FROM ev WHERE ts <= now() GROUP BY kind) s WHERE s.latest > now() - interval '1 hour'

-- query on_stream DIFFERENTIAL
SELECT kind, n FROM grouped WHERE first > now() - interval '20 hours'

-- step an hour passes
SELECT set_clock('2026-03-02 13:00+00');

-- step to the microsecond
SELECT set_clock('2026-03-02 13:59:59.999999+00');

-- step
SELECT set_clock('2026-03-02 14:00+00');

-- step
SELECT set_clock('2026-03-02 14:00:00.000001+00');

-- step now stays, rows change
UPDATE ev SET ts = ts + interval '3 hours' WHERE id BETWEEN 30 AND 40;
DELETE FROM price WHERE cents = 8;

-- step rows change and cross in one refresh
SELECT set_clock('2026-03-02 20:00+00');
UPDATE ev SET ts = ts - interval '1 day', x = x + 1 WHERE id IN (37, 38, 50, 60, 70);
INSERT INTO ev VALUES (910, 1, '2026-03-02 15:00+00', '2026-03-02 15:00', '2026-03-03', 4), (911, 2, '2026-03-01 20:30+00', '2026-03-02 20:00', '2026-03-02', 5);
DELETE FROM ev WHERE id IN (15, 39, 41);
INSERT INTO price VALUES (4, '2026-03-02 15:00+00', '2026-03-02 16:00+00', 70), (5, '2026-03-02 19:00+00', '2026-03-02 23:00+00', 71);
UPDATE price SET valid_to = valid_from + interval '1 minute' WHERE cents IN (5, 6, 7);

-- step inserted and expired long ago
INSERT INTO ev VALUES (920, 1, '2020-01-01 15:00+00', '2020-01-01 15:00', '2020-01-01', 4);

-- step time goes back
SELECT set_clock('2026-03-01 06:30+00');

-- step it goes back while rows change
SELECT set_clock('2026-02-28 00:00+00');
DELETE FROM ev WHERE id IN (4, 5, 6, 20);
UPDATE ev SET kind = kind + 1 WHERE id < 10;

-- step and forth
SELECT set_clock('2026-03-03 00:00+00');

-- step NULL becomes a time, a time NULL
UPDATE ev SET ts = '2026-03-03 01:00+00', day = '2026-03-04' WHERE id = 900;
UPDATE ev SET ts = NULL, loc = NULL WHERE id IN (45, 46);
UPDATE price SET valid_to = NULL WHERE item = 0;

-- step everything crosses
SELECT set_clock('2026-03-29 12:00+00');

-- step a month ago goes back at midnight
SELECT set_clock('2026-03-30 00:00+00');

-- step
SELECT set_clock('2026-04-01 00:00+00');

-- step
INSERT INTO ev SELECT 1000 + i, i % 4, '2026-10-24 20:00+00'::timestamptz + i * '10 minutes'::interval, '2026-10-24 22:00'::timestamp + i * '10 minutes'::interval, '2026-10-25', i FROM generate_series(0, 60) i;
SELECT set_clock('2026-10-25 00:30+00');

-- step in Berlin the clock is put back
SELECT set_clock('2026-10-25 01:05+00');

-- step
SELECT set_clock('2026-10-25 01:50+00');

-- step
SELECT set_clock('2027-01-01 00:00+00');

-- step
TRUNCATE ev;
SELECT set_clock('2027-01-01 01:00+00');

-- step
INSERT INTO ev VALUES (1, 1, '2027-01-01 00:30+00', '2027-01-01 00:30', '2027-01-01', 1);
SELECT set_clock('2027-01-01 02:00+00');
