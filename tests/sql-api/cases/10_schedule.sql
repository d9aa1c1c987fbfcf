-- ways: plain
-- Durations
SELECT test.eq(s, pgtrickle._schedule_ms(s), ms) FROM (VALUES
    ('calculated', NULL::bigint), (' Calculated ', NULL), ('1s', 1000), ('5m', 300000), ('1h30m', 5400000), ('250 ms', 250), ('250ms', 250),
    ('1 hour 30 minutes', 5400000), ('1.5 s', 1500), ('10 ms', 10), ('2 days', 172800000), ('1w', 604800000), ('1 H', 3600000), ('365d', 31536000000),
    ('0.5 s 500 ms', 1000), ('1 sec', 1000), ('3 mins', 180000), ('100 milliseconds', 100)) AS t(s, ms);
SELECT test.eq('interval', pgtrickle._parse_schedule('1h30m'), interval '90 min');
SELECT test.eq('interval of calculated', pgtrickle._parse_schedule('calculated'), NULL::interval);
SELECT test.fails(format('SELECT pgtrickle._schedule_ms(%L)', s), '22023', 'schedule') FROM unnest(ARRAY[
    '', ' ', '5', 's', '-1s', '9 ms', '0s', '1 month', '1:30', 'P1D', '1s;', '1 s 5', '1e3 s', '366 d', '99999999999d', '1s'' OR 1', '1 fortnight', '1sm', 'soon',
    'calculated 5 s', 'cron', 'every 5 minutes']) AS s;
SELECT test.eq('kind of ' || s, pgtrickle._schedule_kind(s), kind) FROM (VALUES
    (NULL, 'calculated'), (' CALCULATED', 'calculated'), ('5m', 'duration'), ('1 hour 30 minutes 5 s', 'duration'), ('1 h 30 m 5 s', 'duration'), ('continuous', 'continuous'),
    ('Continuous 1s', 'continuous'), ('continuously', 'duration'), ('@daily', 'cron'), ('0 3 * * *', 'cron'), ('TZ=UTC 0 3 1 1 1', 'cron'), ('cron_tz=UTC @hourly', 'cron'),
    ('1,2 3 4 5 6', 'cron'), ('5 4', 'cron'), ('* *', 'cron'), ('a b c d e', 'cron'), ('soon', 'duration'), ('', 'duration')) AS t(s, kind);
-- continuous
SELECT test.eq(s, pgtrickle._schedule_ms(s), ms), test.eq(s, pgtrickle._check_schedule(s), s) FROM (VALUES
    ('continuous', NULL::bigint), (' Continuous ', NULL), ('continuous 50 ms', 50), ('continuous 10ms', 10), ('CONTINUOUS 1d', 86400000), (E'continuous\t1h30m', 5400000)) AS t(s, ms);
SELECT test.fails(format('SELECT pgtrickle._schedule_ms(%L)', s), '22023', hint) FROM (VALUES
    ('continuous 9 ms', 'at least 10 ms and at most 1 day'), ('continuous 25h', 'at most 1 day'), ('continuous 5', 'interval "5" is not a duration'),
    ('continuous * * * * *', 'not a duration'), ('continuous continuous', 'not a duration'), ('continuous,5s', 'not a duration')) AS t(s, hint);
-- cron
SELECT test.eq(s, pgtrickle._schedule_ms(s), NULL), test.eq(s, pgtrickle._check_schedule(s), s) FROM unnest(ARRAY[
    '* * * * *', '*/5 * * * *', '0 3 * * *', ' 0  3 *	* * ', '0 3 * * MON-FRI', '0 3 * * mon,wed,fri', '0 0 1 jan *', '0 0 1 JAN-DEC/3 *', '0,15,30,45 9-17 * * 1-5',
    '0-59/15 0-23/2 1-31/7 1-12/3 0-7/2', '59 23 31 12 7', '0 0 29 2 *', '0 0 30,31 2,3 *', '0 0 31 2 MON', '*/60 */24 */31 */12 */8', '0 0 * * SUN', '0 0 * * 0', '0 0 * * 5-7',
    '0 0 * * FRI-7', '1-1 * * * *', '00 03 * * *', '1,1,1 * * * *',
    '@hourly', '@daily', '@midnight', '@weekly', '@monthly', '@yearly', '@annually', '@Daily',
    'TZ=Europe/Berlin 0 3 * * *', 'CRON_TZ=America/New_York @daily', 'TZ=UTC   30 2 * * SUN', 'TZ=Etc/GMT+5 0 0 * * *']) AS s;
SELECT test.fails(format('SELECT pgtrickle._check_schedule(%L)', s), '22023', 'invalid schedule.*' || hint) FROM (VALUES
    ('60 * * * *', 'Field minute, "60": 60 is not between 0 and 59'), ('-1 * * * *', 'Field minute'), ('* 24 * * *', 'Field hour, "24": 24 is not between 0 and 23'),
    ('* * 0 * *', 'Field day-of-month, "0": 0 is not between 1 and 31'), ('* * 32 * *', 'Field day-of-month'), ('* * * 0 *', 'Field month, "0"'), ('* * * 13 *', 'Field month'),
    ('* * * * 8', 'Field day-of-week, "8": 8 is not between 0 and 7'), ('* * * JANUARY *', 'Field month, "JANUARY"'), ('* * * mon *', 'Field month.*"mon" is not a number or one of JAN FEB'),
    ('* * * * jan', 'Field day-of-week.*one of SUN MON'), ('* * * * SAT-SUN', 'Field day-of-week.*backwards.*Sunday is 7'), ('* * * * FRI-MON', 'Field day-of-week.*backwards'),
    ('30-10 * * * *', 'Field minute.*"30-10" runs backwards'), ('mon * * * *', 'Field minute.*"mon" is not a number\.$'), ('5/15 * * * *', 'Field minute.*step needs a range or \*, as in 5-59/15'),
    ('*/0 * * * *', 'Field minute.*step 0 is not between 1 and 60'), ('*/61 * * * *', 'Field minute.*step 61'), ('* */25 * * *', 'Field hour.*step 25'),
    ('*/ * * * *', 'Field minute'), ('1- * * * *', 'Field minute'), ('1-2-3 * * * *', 'Field minute'), ('1,,2 * * * *', 'Field minute, "1,,2": "" is not'), (', * * * *', 'Field minute'),
    ('1, * * * *', 'Field minute'), ('*-5 * * * *', 'Field minute'), ('** * * * *', 'Field minute'), ('1.5 * * * *', 'Field minute'), ('99999 * * * *', 'Field minute'),
    ('99999999999999999999 * * * *', 'Field minute'), ('* * ? * *', 'Field day-of-month, "\?"'), ('* * * * ?', 'Field day-of-week'), ('* * L * *', 'Field day-of-month'), ('* * * * 1#2', 'Field day-of-week'),
    ('* * 15W * *', 'Field day-of-month'), ('H * * * *', 'Field minute'), ('a b c d e', 'Field minute'),
    ('* * * *', 'five fields.*these are 4'), ('* * * * * *', 'five fields.*these are 6'), ('5 4', 'these are 2'), ('0 0 31 2 *', 'Field day-of-month, "31": no month of "2"'),
    ('0 0 30-31 feb *', 'no month of "feb"'), ('0 0 31 4,6,9,11 *', 'no month'), ('0 0 30 2 */2', 'no month'),
    ('@reboot', '"@reboot" is not one of @hourly'), ('@', 'is not one of'), ('@every 5m', 'is not one of'), ('@daily 5', 'is not one of'), ('@dailyy', 'is not one of'),
    ('tz=UTC 0 3 * * *', 'in capitals'), ('Cron_TZ=UTC @daily', 'in capitals'), ('007 * * * *', 'Field minute'), ('TZ= 0 3 * * *', 'time zone is missing'), ('TZ=Europe/Berlin', 'these are 0'), ('TZ=Europe/Berlin 5m', 'these are 1'), ('TZ=Europe/Berlin calculated', 'these are 1'),
    ('TZ=Nowhere/Land 0 3 * * *', 'no time zone "Nowhere/Land"\. SELECT name'), ('TZ=europe/berlin 0 3 * * *', 'no time zone "europe/berlin", but there is "Europe/Berlin"'),
    ('TZ=Tokyo @daily', 'but there is "Asia/Tokyo"'), ('TZ=UTC CRON_TZ=UTC 0 3 * * *', 'these are 6'), ('TZ=UTC'' 0 3 * * *', 'no time zone'), ('0 3 * * * TZ=UTC', 'these are 6')) AS t(s, hint);
-- the values of a field
SELECT test.eq(field, (pgtrickle._cron_field(field, lowest, highest, NULL)).allowed::text, expected) FROM (VALUES
    ('*', 1, 3, '{1,2,3}'), ('1-7/3', 0, 59, '{1,4,7}'), ('*/20', 0, 59, '{0,20,40}'), ('5,1,3-4,4', 0, 59, '{1,3,4,5}'), ('7', 0, 7, '{7}')) AS t(field, lowest, highest, expected);
-- what does not fit does not get into the catalog past the API either
CREATE TABLE t (id int);
SELECT pgtrickle.create_stream_table('st', 'SELECT * FROM t');
SELECT test.fails(format('UPDATE pgtrickle.pgt_stream_tables SET schedule = %L', s), '22023', 'schedule') FROM unnest(ARRAY['soon', '61 * * * *', 'continuous 1 ms']) AS s;
