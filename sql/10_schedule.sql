-- Schedules: 'calculated', or a duration such as '250 ms', '1s', '5m', '1h30m', '1 hour 30 minutes'.
-- The daemon parses the same syntax; what counts is the column schedule_ms, which these functions compute.

-- _schedule_ms(schedule) -> milliseconds between refreshes, NULL for 'calculated' (or NULL).
-- Errors: 22023 if it is not a duration, is below 10 ms or above 365 days.
-- Own parser instead of the type interval, which would also take '1 month', '-5 s', '1:30' and ISO forms.
CREATE FUNCTION pgtrickle._schedule_ms(schedule text) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rest  text := lower(btrim(schedule, E' \t\n\r'));
    part  text[];
    total numeric := 0;
BEGIN
    IF rest IS NULL OR rest = 'calculated' THEN
        RETURN NULL;
    END IF;
    IF rest !~ '^([0-9]{1,12}(\.[0-9]{1,6})?\s*(ms|msecs?|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)\s*)+$' THEN
        RAISE EXCEPTION 'invalid schedule "%"', schedule
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Use ''calculated'' or a duration with units ms, s, m, h, d or w, such as ''250 ms'', ''1s'', ''5m'', ''1h30m''.';
    END IF;
    FOR part IN SELECT m FROM regexp_matches(rest, '([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)', 'g') AS m LOOP
        total := total + part[1]::numeric *
            CASE WHEN part[2] = 'ms' OR part[2] LIKE 'msec%' OR part[2] LIKE 'milli%' THEN 1
                 WHEN part[2] = 's' OR part[2] LIKE 'sec%' THEN 1000
                 WHEN part[2] = 'm' OR part[2] LIKE 'min%' THEN 60000
                 WHEN part[2] LIKE 'h%' THEN 3600000
                 WHEN part[2] LIKE 'd%' THEN 86400000
                 ELSE 604800000 END;
    END LOOP;
    IF total < 10 OR total > 31536000000 THEN
        RAISE EXCEPTION 'schedule "%" is out of range', schedule
            USING ERRCODE = 'invalid_parameter_value', HINT = 'A schedule is at least 10 ms and at most 365 days.';
    END IF;
    RETURN round(total);
END
$$;

-- _parse_schedule(schedule) -> the same as an interval; NULL for 'calculated'. Errors: as _schedule_ms.
CREATE FUNCTION pgtrickle._parse_schedule(schedule text) RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT make_interval(secs => pgtrickle._schedule_ms(schedule) / 1000.0)
$$;
