-- Schedules: when a stream table is refreshed.
--
--   calculated             as often as the stream tables that read it need
--   250 ms, 5m, 1h30m      a duration: at most this old. Units ms, s, m, h, d, w, also written out
--   continuous [50 ms]     as soon as something changed, at most once in this duration
--   0 3 * * MON-FRI        cron: minute hour day-of-month month day-of-week, or @hourly, @daily, @midnight, @weekly,
--                          @monthly, @yearly, @annually; with "TZ=Europe/Berlin " (or CRON_TZ=) in front not in
--                          UTC but in that time zone
--
-- Letter case does not matter but in TZ= and names of time zones. Blanks are spaces, tabs and ends of lines, letters
-- those of ASCII, whatever the database's locale is. The daemon parses the same syntax, durations excepted: it reads
-- schedule_ms, which these functions compute. Being IMMUTABLE they know nothing of time zones: _check_schedule does.

-- Which of the four a schedule looks like: calculated, duration, continuous or cron. Says nothing about whether it is
-- right.
CREATE FUNCTION pgtrickle._schedule_kind(schedule text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN s.s IS NULL OR s.s = 'calculated' THEN 'calculated'
                WHEN s.s ~ E'^continuous\\M' THEN 'continuous'
                -- no duration has an asterisk, two numbers in a row, or five words of which the first is not a number
                WHEN s.s ~ E'^(@|(cron_)?tz=)|\\*|^[0-9,/-]+[ \\t\\n\\r]+[0-9,/-]+([ \\t\\n\\r]|$)'
                            '|^[^0-9 \\t\\n\\r][^ \\t\\n\\r]*([ \\t\\n\\r]+[^ \\t\\n\\r]+){4}$' THEN 'cron'
                ELSE 'duration' END
    FROM (SELECT lower(btrim(schedule, E' \t\n\r') COLLATE "C") AS s) AS s
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._schedule_kind TO PUBLIC;

-- Milliseconds of a duration, NULL if it is none. Not by the type interval, which would also take '1 month', '-5 s',
-- '1:30' and ISO forms.
CREATE FUNCTION pgtrickle._duration_ms(duration text) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN d.d ~ E'^([0-9]{1,12}(\\.[0-9]{1,6})?[ \\t\\n\\r]*(ms|msecs?|milliseconds?|s|secs?|seconds?'
                         '|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)[ \\t\\n\\r]*)+$' THEN
           (SELECT sum(m[1]::numeric * CASE WHEN m[2] = 'ms' OR m[2] LIKE 'msec%' OR m[2] LIKE 'milli%' THEN 1
                                            WHEN m[2] = 's' OR m[2] LIKE 'sec%' THEN 1000
                                            WHEN m[2] = 'm' OR m[2] LIKE 'min%' THEN 60000
                                            WHEN m[2] LIKE 'h%' THEN 3600000
                                            WHEN m[2] LIKE 'd%' THEN 86400000
                                            ELSE 604800000 END)
            FROM regexp_matches(d.d, E'([0-9]+(?:\\.[0-9]+)?)[ \\t\\n\\r]*([a-z]+)', 'g') AS m) END
    FROM (SELECT lower(btrim(duration, E' \t\n\r') COLLATE "C") AS d) AS d
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._duration_ms TO PUBLIC;

-- One field of a cron schedule: a comma separated list of *, values and ranges, the last two as numbers or `names` (of
-- lowest, lowest + 1, ...), * and ranges optionally with /step. Returns the values, ascending, or what is wrong with
-- it.
CREATE FUNCTION pgtrickle._cron_field(field text, lowest int, highest int, names text[], OUT allowed int[],
                                      OUT problem text)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    item   text;
    parts  text[];
    first  int;
    last   int;
    step   int;
BEGIN
    allowed := '{}';
    FOREACH item IN ARRAY string_to_array(lower(field COLLATE "C"), ',') LOOP
        parts := regexp_match(item, E'^(?:(\\*)|([0-9]{1,2}|[a-z]{3})(?:-([0-9]{1,2}|[a-z]{3}))?)(?:/([0-9]{1,2}))?$');
        IF parts IS NULL THEN
            problem := format('"%s" is not *, a value or a range', item);
            RETURN;
        END IF;
        first := CASE WHEN parts[1] = '*' THEN lowest WHEN parts[2] ~ '^[0-9]' THEN parts[2]::int
                      ELSE lowest - 1 + array_position(names, parts[2]) END;
        last := CASE WHEN parts[1] = '*' THEN highest WHEN parts[3] IS NULL THEN first
                     WHEN parts[3] ~ '^[0-9]' THEN parts[3]::int
                     ELSE lowest - 1 + array_position(names, parts[3]) END;
        step := coalesce(parts[4]::int, 1);
        IF first IS NULL OR last IS NULL THEN
            problem := format('"%s" is not a number', CASE WHEN first IS NULL THEN parts[2] ELSE parts[3] END)
                       || CASE WHEN names IS NULL THEN '' ELSE ' or one of ' || upper(array_to_string(names, ' ')) END;
        ELSIF first NOT BETWEEN lowest AND highest OR last NOT BETWEEN lowest AND highest THEN
            problem := format('%s is not between %s and %s',
                              CASE WHEN first NOT BETWEEN lowest AND highest THEN first ELSE last END, lowest, highest);
        ELSIF first > last THEN
            problem := format('the range "%s" runs backwards%s', item,
                              CASE WHEN highest = 7 AND last = 0 THEN ': as its end, Sunday is 7' ELSE '' END);
        ELSIF parts[4] IS NOT NULL AND parts[1] IS NULL AND parts[3] IS NULL THEN
            problem := format('a step needs a range or *, as in %s-%s/%s', first, highest, step);
        ELSIF step NOT BETWEEN 1 AND highest - lowest + 1 THEN
            problem := format('the step %s is not between 1 and %s', step, highest - lowest + 1);
        END IF;
        IF problem IS NOT NULL THEN
            RETURN;
        END IF;
        allowed := allowed || ARRAY(SELECT generate_series(first, last, step));
    END LOOP;
    allowed := ARRAY(SELECT DISTINCT v FROM unnest(allowed) AS v ORDER BY v);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._cron_field TO PUBLIC;

-- What a schedule that looks like cron means: time zone, minutes, hours, days of the month, months and days of the week
-- as lists of values or "all", the days with * in front if the field begins with one. Days as in vixie cron: if neither
-- does, one of them is enough. Errors: 22023 if it is not right; the hint names the field. The name of a time zone is
-- not looked up. The daemon reads the same text by itself (daemon/planner/cron.cpp): what both must say is in
-- tests/judgements/schedules.tsv.
CREATE FUNCTION pgtrickle._cron_meaning(schedule text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    whole  text := btrim(schedule, E' \t\n\r');
    zoned  text[] := regexp_match(whole, E'^(?:CRON_)?TZ=([^ \\t\\n\\r]*)[ \\t\\n\\r]*(.*)$');
    rest   text := coalesce(zoned[2], whole);
    fields text[] := regexp_split_to_array(rest, E'[ \\t\\n\\r]+');
    field  record;
    days   int[];
    months int[];
    means  text := coalesce(zoned[1], 'UTC');
    hint   text;
BEGIN
    IF whole ~* '^(cron_)?tz=' AND zoned IS NULL THEN
        hint := 'Write TZ= or CRON_TZ= in capitals.';
    ELSIF zoned[1] = '' THEN
        hint := 'The time zone is missing: write TZ=Europe/Berlin in front of the fields.';
    ELSIF rest LIKE '@%' THEN
        fields := CASE lower(rest COLLATE "C")
                       WHEN '@hourly' THEN '{0,*,*,*,*}' WHEN '@daily' THEN '{0,0,*,*,*}'
                       WHEN '@midnight' THEN '{0,0,*,*,*}' WHEN '@weekly' THEN '{0,0,*,*,0}'
                       WHEN '@monthly' THEN '{0,0,1,*,*}' WHEN '@yearly' THEN '{0,0,1,1,*}'
                       WHEN '@annually' THEN '{0,0,1,1,*}' END;
        IF fields IS NULL THEN
            hint := format('"%s" is not one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually.',
                           rest);
        END IF;
    ELSIF cardinality(fields) <> 5 OR rest = '' THEN
        hint := format('Cron has five fields, minute hour day-of-month month day-of-week; these are %s.',
                       CASE WHEN rest = '' THEN 0 ELSE cardinality(fields) END);
    END IF;
    IF hint IS NULL THEN
        FOR field IN
            -- Sunday is 0 and 7
            SELECT f.what, fields[f.n] AS written, c.allowed, c.problem, CASE f.n WHEN 5 THEN 7 ELSE 60 END AS modulo,
                   CASE f.n WHEN 5 THEN 7 ELSE f.highest - f.lowest + 1 END AS all_values
            FROM (VALUES (1, 'minute', 0, 59, NULL::text[]), (2, 'hour', 0, 23, NULL), (3, 'day-of-month', 1, 31, NULL),
                         (4, 'month', 1, 12, '{jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec}'),
                         (5, 'day-of-week', 0, 7, '{sun,mon,tue,wed,thu,fri,sat}')) AS f(n, what, lowest,
                                 highest, names)
            CROSS JOIN LATERAL pgtrickle._cron_field(fields[f.n], f.lowest, f.highest, f.names) AS c
            ORDER BY f.n
        LOOP
            IF field.problem IS NOT NULL THEN
                hint := format('Field %s, "%s": %s.', field.what, field.written, field.problem);
                EXIT;
            END IF;
            days := CASE field.what WHEN 'day-of-month' THEN field.allowed ELSE days END;
            months := CASE field.what WHEN 'month' THEN field.allowed ELSE months END;
            means := means || ' ' || CASE WHEN field.what LIKE 'day%' AND field.written LIKE '*%' THEN '*' ELSE '' END
                     || (SELECT CASE WHEN count(*) = field.all_values THEN 'all'
                                     ELSE string_agg(v.v::text, ',' ORDER BY v.v) END
                         FROM (SELECT DISTINCT u.v % field.modulo AS v FROM unnest(field.allowed) AS u(v)) AS v);
        END LOOP;
        IF hint IS NULL AND (fields[3] LIKE '*%' OR fields[5] LIKE '*%')
           AND days[1] > (SELECT max(CASE WHEN m = 2 THEN 29 WHEN m IN (4, 6, 9, 11) THEN 30 ELSE 31 END)
                          FROM unnest(months) AS m) THEN
            hint := format('Field day-of-month, "%s": no month of "%s" has such a day.', fields[3], fields[4]);
        END IF;
    END IF;
    IF hint IS NOT NULL THEN
        RAISE EXCEPTION 'invalid schedule "%"', schedule USING ERRCODE = 'invalid_parameter_value', HINT = hint;
    END IF;
    RETURN means;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._cron_meaning TO PUBLIC;

-- _schedule_ms(schedule) -> milliseconds of the duration in it: between refreshes, or the least of a continuous one.
-- NULL: none. Errors: 22023 if it is none of the four, or a duration is below 10 ms or above 365 days (continuous: 1
-- day).
CREATE FUNCTION pgtrickle._schedule_ms(schedule text) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kind    text := pgtrickle._schedule_kind(schedule);
    written text := CASE kind WHEN 'continuous'
                         THEN regexp_replace(schedule, E'^[ \\t\\n\\r]*continuous[ \\t\\n\\r]*', '', 'i')
                         ELSE schedule END;
    ms      numeric;
BEGIN
    IF kind = 'cron' THEN
        PERFORM pgtrickle._cron_meaning(schedule);
    END IF;
    IF kind IN ('calculated', 'cron') OR kind = 'continuous' AND btrim(written, E' \t\n\r') = '' THEN
        RETURN NULL;
    END IF;
    ms := pgtrickle._duration_ms(written);
    IF ms IS NULL THEN
        RAISE EXCEPTION 'invalid schedule "%"', schedule
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = CASE kind WHEN 'continuous'
                              THEN format('The minimum interval "%s" is not a duration: write ''continuous 50 ms'' '
                                          'or only ''continuous''.', written)
                         ELSE 'Use ''calculated'', ''continuous'', a duration with units ms, s, m, h, d or w, such '
                              'as ''250 ms'', ''1s'', ''5m'', ''1h30m'', '
                              'or cron, such as ''@hourly'' or ''0 3 * * MON-FRI''.' END;
    ELSIF ms < 10 OR ms > (CASE kind WHEN 'continuous' THEN 86400000 ELSE 31536000000 END) THEN
        RAISE EXCEPTION 'schedule "%" is out of range', schedule
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = CASE kind WHEN 'continuous' THEN 'The minimum interval is at least 10 ms and at most 1 day.'
                              ELSE 'A schedule is at least 10 ms and at most 365 days.' END;
    END IF;
    RETURN round(ms);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._schedule_ms TO PUBLIC;

-- _check_schedule(schedule) -> the schedule as it is, if the daemon will understand it. Errors: 22023, with a hint that
-- names what is wrong. Looks up the time zone of a cron schedule too.
CREATE FUNCTION pgtrickle._check_schedule(schedule text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    zone    text := (regexp_match(schedule, E'^[ \\t\\n\\r]*(?:CRON_)?TZ=([^ \\t\\n\\r]+)'))[1];
    close_one text;
BEGIN
    PERFORM pgtrickle._schedule_ms(schedule);
    -- Not the names of files that are no zones to the daemon, or another one on its machine.
    IF zone IS NOT NULL AND (zone ~ '^(posix|right)/' OR zone IN ('Factory', 'localtime', 'posixrules')
                             OR NOT EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = zone)) THEN
        SELECT z.name INTO close_one FROM (
            SELECT n.name FROM pg_timezone_names n
            WHERE n.name !~ '^(posix|right)/' AND n.name NOT IN ('Factory', 'localtime', 'posixrules')) AS z
        WHERE lower(z.name) = lower(zone) OR lower(z.name) LIKE '%/' || lower(zone) ORDER BY z.name LIMIT 1;
        RAISE EXCEPTION 'invalid schedule "%"', schedule
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = format('There is no time zone "%s"%s. SELECT name FROM pg_timezone_names lists them.', zone,
                                coalesce(', but there is "' || close_one || '"', ''));
    END IF;
    RETURN schedule;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._check_schedule TO PUBLIC;

-- _parse_schedule(schedule) -> the same as an interval. Errors: as _schedule_ms.
CREATE FUNCTION pgtrickle._parse_schedule(schedule text) RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT make_interval(secs => pgtrickle._schedule_ms(schedule) / 1000.0)
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._parse_schedule TO PUBLIC;
