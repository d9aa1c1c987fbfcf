-- group Time
-- setup
CREATE TABLE ev (id int PRIMARY KEY, kind int, ts timestamptz, loc timestamp, day date);
CREATE INDEX ON ev (ts);
CREATE INDEX ON ev (day);
INSERT INTO ev SELECT i, i % 4, '2020-03-01 00:00+00'::timestamptz + i * '1 hour'::interval, '2020-03-01 00:00'::timestamp + i * '1 hour'::interval, '2020-02-20'::date + i % 20 FROM generate_series(0, 40) i;
INSERT INTO ev SELECT 100 + i, i % 4, '2100-03-01 00:00+00'::timestamptz + i * '1 hour'::interval, '2100-03-01 00:00'::timestamp, '2100-02-20'::date + i % 20 FROM generate_series(0, 9) i;
CREATE TABLE price (item int, valid_from timestamptz, valid_to timestamptz);
CREATE INDEX ON price (valid_from);
CREATE INDEX ON price (valid_to);
INSERT INTO price SELECT i % 6, '2020-03-01 00:00+00'::timestamptz + i * '5 hours'::interval, '2099-03-01 00:00+00'::timestamptz + i * '5 hours'::interval FROM generate_series(0, 20) i;

-- query of_a_day DIFFERENTIAL
-- feature column > now() - interval
SELECT e.id, e.ts FROM ev e WHERE e.ts > now() - interval '1 day'

-- query validity DIFFERENTIAL
-- feature valid_from <= now() AND now() < valid_to
SELECT p.item FROM price p WHERE p.valid_from <= now() AND now() < p.valid_to

-- query open_end DIFFERENTIAL
-- feature comparison with now() in OR and NOT
SELECT p.item FROM price p WHERE p.valid_to IS NULL OR NOT p.valid_to <= now()

-- query today DIFFERENTIAL
-- feature column = current_date, <> current_date
SELECT e.id FROM ev e WHERE e.day <> current_date

-- query stamps DIFFERENTIAL
-- feature current_timestamp, localtimestamp, transaction_timestamp()
SELECT e.id FROM ev e WHERE e.ts > current_timestamp AND e.ts > transaction_timestamp() AND e.ts > localtimestamp

-- query truncated DIFFERENTIAL
-- feature date_trunc(), date_bin() and AT TIME ZONE of now()
SELECT e.id FROM ev e WHERE e.ts >= date_trunc('hour', now()) AND e.loc > (now() AT TIME ZONE 'Europe/Berlin') AND e.ts > date_bin('15 minutes', now(), '2000-01-01 00:00+00')

-- query months DIFFERENTIAL
-- feature now() less days, months, years
SELECT e.id FROM ev e WHERE e.ts > now() - interval '1 year 2 months 3 days'

-- query grouped DIFFERENTIAL
-- feature GROUP BY over a comparison with now()
SELECT e.kind, count(*) AS n FROM ev e WHERE e.ts > now() GROUP BY e.kind

-- query having_latest DIFFERENTIAL
-- feature HAVING that compares with now()
SELECT e.kind, max(e.ts) AS latest FROM ev e GROUP BY e.kind HAVING max(e.ts) > now() - interval '1 day'

-- query joined DIFFERENTIAL
-- feature comparison with now() over a join, in ON of a join
SELECT e.id, p.item FROM ev e JOIN price p ON p.item = e.kind AND p.valid_to > now() WHERE e.ts > now()

-- query padded DIFFERENTIAL
-- feature comparison with now() in ON of an outer join, of the side that is padded
SELECT p.item, e.id FROM price p LEFT JOIN ev e ON e.kind = p.item AND e.ts > now()

-- query there_is DIFFERENTIAL
-- feature comparison with now() in EXISTS, NOT EXISTS, IN
SELECT p.item FROM price p WHERE EXISTS (SELECT 1 FROM ev e WHERE e.kind = p.item AND e.ts > now())

-- query per_row AUTO
-- feature comparison with now() in a subquery that is a value per row, in a LATERAL subquery, in recursion
-- expect-mode FULL
SELECT e.id, (SELECT count(*) FROM ev o WHERE o.kind = e.kind AND o.ts > now()) AS n FROM ev e

-- query selected AUTO
-- feature the current time in the select list, in aggregates, beside columns (now() - ts)
-- expect-mode FULL
SELECT e.id FROM ev e WHERE now() - e.ts > interval '1 day'
