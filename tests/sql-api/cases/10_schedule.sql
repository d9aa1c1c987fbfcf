-- ways: plain
-- Durations
SELECT test.eq(s, pgtrickle._schedule_ms(s), ms) FROM (VALUES
    ('calculated', NULL::bigint), (' Calculated ', NULL), ('1s', 1000), ('5m', 300000), ('1h30m', 5400000), ('250 ms', 250), ('250ms', 250),
    ('1 hour 30 minutes', 5400000), ('1.5 s', 1500), ('10 ms', 10), ('2 days', 172800000), ('1w', 604800000), ('1 H', 3600000), ('365d', 31536000000),
    ('0.5 s 500 ms', 1000), ('1 sec', 1000), ('3 mins', 180000), ('100 milliseconds', 100)) AS t(s, ms);
SELECT test.eq('interval', pgtrickle._parse_schedule('1h30m'), interval '90 min');
SELECT test.eq('interval of calculated', pgtrickle._parse_schedule('calculated'), NULL::interval);
SELECT test.fails(format('SELECT pgtrickle._schedule_ms(%L)', s), '22023', 'schedule') FROM unnest(ARRAY[
    '', ' ', '5', 's', '-1s', '9 ms', '0s', '1 month', '1:30', 'P1D', '*/5 * * * *', '1s;', '1 s 5', '1e3 s', '366 d', '99999999999d', '1s'' OR 1', '1 fortnight', '1sm']) AS s;
