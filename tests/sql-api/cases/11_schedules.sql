-- ways: plain
-- Schedules as SQL judges them: the daemon is held to the same table (tests/judgements/README.md)
CREATE TABLE judgements (kind text, ms bigint, schedule text, meaning text);
\copy judgements FROM '../judgements/schedules.tsv' WITH (HEADER)
SELECT test.ok('there are some of each kind', (SELECT min(n) > 2 AND count(*) = 5 FROM (SELECT count(*) AS n FROM judgements GROUP BY kind) AS k));
SELECT test.eq(schedule, pgtrickle._check_schedule(schedule), schedule), test.eq('kind of ' || schedule, pgtrickle._schedule_kind(schedule), kind),
       test.eq('duration of ' || schedule, pgtrickle._schedule_ms(schedule), ms),
       test.eq('meaning of ' || schedule, CASE kind WHEN 'cron' THEN pgtrickle._cron_meaning(schedule) END, meaning)
FROM judgements WHERE kind <> 'refused';
SELECT test.fails(format('SELECT pgtrickle._check_schedule(%L)', schedule), '22023', 'schedule') FROM judgements WHERE kind = 'refused';
-- zones that SQL takes are zones to the daemon: tests/planner/test_cron.cpp knows which names are none
SELECT test.eq('no such names', (SELECT count(*) FROM pg_timezone_names z WHERE z.name ~ '^(posix|right)/|^(Factory|localtime|posixrules)$'
                                 AND (SELECT pgtrickle._check_schedule('TZ=UTC @daily')) IS NULL), 0::bigint);
-- what is recomputed although nobody said how often, and what people are told of it
SELECT test.eq(concat_ws(' ', v.mode, v.effective, v.schedule, v.promise), pgtrickle._is_throttled(v.mode, v.effective, v.schedule, v.promise::interval), v.throttled) FROM (VALUES
    ('AUTO', 'FULL', 'calculated', NULL, true), ('AUTO', 'FULL', ' Calculated ', NULL, true), ('AUTO', 'FULL', NULL, NULL, true), ('AUTO', 'FULL', '1 s', NULL, false), ('AUTO', 'FULL', 'continuous', NULL, false),
    ('AUTO', 'FULL', '@hourly', NULL, false), ('AUTO', 'FULL', 'calculated', '1 min', false), ('FULL', 'FULL', 'calculated', NULL, false), ('AUTO', 'DIFFERENTIAL', 'calculated', NULL, false),
    ('AUTO', NULL, 'calculated', NULL, false)) AS v(mode, effective, schedule, promise, throttled);
SELECT test.eq('for people', pgtrickle._throttle('AUTO', 'FULL', 'calculated', NULL), 'without a schedule, its own or of what reads it, it is recomputed at most 4 % of the time'), test.eq('not', pgtrickle._throttle('FULL', 'FULL', 'calculated', NULL), NULL);
