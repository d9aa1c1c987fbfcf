-- Uses of the current time that are no comparison of a row with it: AUTO recomputes, DIFFERENTIAL and IMMEDIATE refuse
-- and say why.
-- setup
CREATE TABLE ev (id int PRIMARY KEY, kind int, ts timestamptz, ttl interval, epoch bigint);
INSERT INTO ev SELECT i, i % 3, '2020-01-01 00:00+00'::timestamptz + i * '1 hour'::interval, '1 hour', i FROM generate_series(1, 20) i;
CREATE VIEW old AS SELECT id, kind FROM ev WHERE ts < now();

-- query selected DIFFERENTIAL
-- expect-error current time
SELECT id, ts < now() AS past FROM ev

-- query aggregated AUTO
-- expect-mode FULL
SELECT kind, count(*) FILTER (WHERE ts < now()) AS n FROM ev GROUP BY kind

-- query both_change AUTO
-- expect-mode FULL
SELECT id FROM ev WHERE ts < now() - ttl

-- query difference AUTO
-- expect-mode FULL
SELECT id FROM ev WHERE now() - ts > interval '1 day'

-- query age AUTO
-- expect-mode FULL
SELECT id FROM ev WHERE age(ts) > interval '1 day'

-- query in_seconds AUTO
-- expect-mode FULL
SELECT id FROM ev WHERE epoch < extract(epoch FROM now())

-- query of_the_day AUTO
-- expect-mode FULL
SELECT id FROM ev WHERE ts::time < localtime OR id > 0

-- query of_the_statement AUTO
-- expect-mode FULL
SELECT id FROM ev WHERE ts < statement_timestamp()

-- query no_row AUTO
-- expect-mode FULL
SELECT id FROM ev WHERE now() > '2000-01-01'

-- query per_row AUTO
-- expect-mode FULL
SELECT e.id, (SELECT count(*) FROM ev o WHERE o.kind = e.kind AND o.ts < now()) AS n FROM ev e

-- query per_row_in_view AUTO
-- expect-mode FULL
SELECT e.id, (SELECT count(*) FROM (SELECT id FROM old WHERE old.kind = e.kind UNION SELECT 1) u) AS n FROM ev e

-- query per_row_lateral AUTO
-- expect-mode FULL
SELECT e.id, l.id AS other FROM ev e, LATERAL (SELECT o.id FROM ev o WHERE o.kind = e.kind AND o.ts < now() ORDER BY o.id LIMIT 1) l

-- query kept_side AUTO
-- expect-mode FULL
SELECT e.id, o.id AS other FROM ev e LEFT JOIN ev o ON o.kind = e.kind AND e.ts < now()

-- query recursive AUTO
-- expect-mode FULL
WITH RECURSIVE r(id) AS (SELECT id FROM ev WHERE id < 3 AND ts < now() UNION SELECT e.id FROM r JOIN ev e ON e.kind = r.id) SELECT id FROM r

-- query limited AUTO
-- expect-mode FULL
SELECT id FROM ev ORDER BY id LIMIT extract(day FROM now())::int * 0 + 3

-- query of_view DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, kind FROM old

-- step
UPDATE ev SET kind = kind + 1 WHERE id % 5 = 0;
DELETE FROM ev WHERE id = 7;
