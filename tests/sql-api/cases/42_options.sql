-- Options of create, alter and create_or_replace: what is taken, kept, set back and refused
CREATE TABLE t (id int, v text);
INSERT INTO t VALUES (1, 'a');
CREATE FUNCTION st(n text) RETURNS pgtrickle.pgt_stream_tables LANGUAGE sql AS $$ SELECT s FROM pgtrickle.pgt_stream_tables s WHERE pgt_name = n $$;
CREATE FUNCTION options(n text) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', s.schedule, s.refresh_mode, s.tier, coalesce(s.max_staleness::text, '-'), coalesce(s.diamond_consistency, '-'), coalesce(s.diamond_schedule_policy, '-'), s.allow_circular,
                     coalesce(s.max_delta_fraction::text, '-'), s.fuse, coalesce(s.fuse_ceiling::text, '-'), coalesce(s.fuse_sensitivity::text, '-')) FROM st(n) s $$;
-- nothing given
SELECT pgtrickle.create_stream_table('plain', 'SELECT * FROM t');
SELECT test.eq('defaults', options('plain'), 'calculated AUTO hot - - - f - off - -');
-- everything given
SELECT pgtrickle.create_stream_table('all_of_them', 'SELECT * FROM t', schedule => '@hourly', refresh_mode => 'full', diamond_consistency => 'None', diamond_schedule_policy => ' SLOWEST ',
    cdc_mode => 'Trigger', append_only => false, pooler_compatibility_mode => true, partition_by => '', max_differential_joins => -1, max_delta_fraction => 0.25, tier => 'Warm',
    max_staleness => '5 min', fuse => 'ON', fuse_ceiling => 100000, fuse_sensitivity => 3, allow_circular => true);
SELECT test.eq('all', options('all_of_them'), '@hourly FULL warm 00:05:00 none slowest t 0.25 on 100000 3');
SELECT test.eq('limit', (st('all_of_them')).fuse_limit, 100000::bigint);
-- the order that positional callers know
SELECT pgtrickle.create_stream_table('by_position', 'SELECT * FROM t', '5m', 'AUTO', false, 'atomic', 'fastest', 'auto', false, false, NULL, NULL, 0.5);
SELECT test.eq('by position', options('by_position') || ' ' || (st('by_position')).is_populated, '5m AUTO hot - atomic fastest f 0.5 off - - false');
SELECT pgtrickle.create_stream_table_if_not_exists('not_yet', 'SELECT * FROM t', tier => 'frozen', schedule => 'continuous 50 ms');
SELECT test.eq('if not exists', options('not_yet'), 'continuous 50 ms AUTO frozen - - - f - off - -');
SELECT pgtrickle.create_stream_table_if_not_exists('not_yet', 'SELECT * FROM t', tier => 'hot');
SELECT test.eq('left alone', (st('not_yet')).tier, 'frozen');
-- NULL is not given, also for what has a default
SELECT pgtrickle.create_stream_table('nulls', 'SELECT * FROM t', schedule => NULL, append_only => NULL, pooler_compatibility_mode => NULL, allow_circular => NULL, fuse => NULL);
SELECT test.eq('NULLs', options('nulls'), 'calculated AUTO hot - - - f - off - -');
-- what is refused, by create and by alter alike
CREATE FUNCTION refused(args text, code text, pattern text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM test.fails(format('SELECT pgtrickle.create_stream_table(''x'', ''SELECT * FROM t'', %s)', args), code, pattern);
    PERFORM test.fails(format('SELECT pgtrickle.create_stream_table_if_not_exists(''x'', ''SELECT * FROM t'', %s)', args), code, pattern);
    PERFORM test.fails(format('SELECT pgtrickle.create_or_replace_stream_table(''x'', ''SELECT * FROM t'', %s)', args), code, pattern);
    PERFORM test.fails(format('SELECT pgtrickle.create_or_replace_stream_table(''plain'', ''SELECT * FROM t'', %s)', args), code, pattern);
    PERFORM test.fails(format('SELECT pgtrickle.alter_stream_table(''plain'', %s)', args), code, pattern);
END $$;
SELECT refused(args, code, pattern) FROM (VALUES
    ('tier => ''lukewarm''', '22023', 'invalid tier ''lukewarm''.*hot, warm, cold, frozen, or ''default'''), ('tier => ''''', '22023', 'tier'),
    ('diamond_consistency => ''all''', '22023', 'invalid diamond_consistency.*atomic, none'), ('diamond_schedule_policy => ''average''', '22023', 'fastest, slowest'),
    ('fuse => ''blown''', '22023', 'off, on, auto'), ('fuse => ''on''', '22023', 'needs a fuse_ceiling.*fuse_ceiling => 100000'),
    ('fuse => ''on'', fuse_ceiling => -1', '22023', 'needs a fuse_ceiling'), ('fuse_ceiling => 0', '22023', 'fuse_ceiling 0 is out of range.*at least 1'),
    ('fuse_ceiling => -2', '22023', 'fuse_ceiling -2'), ('fuse_sensitivity => 0', '22023', 'from 1 to 100'), ('fuse_sensitivity => 101', '22023', 'fuse_sensitivity 101'),
    ('fuse_sensitivity => -5', '22023', ''), ('max_delta_fraction => -0.5', '22023', 'max_delta_fraction -0.5.*fraction of the rows'), ('max_delta_fraction => ''NaN''', '22023', 'max_delta_fraction NaN'),
    ('max_delta_fraction => ''Infinity''', '22023', ''), ('max_staleness => ''-1 s''', '22023', 'max_staleness -00:00:01.*''0'' means none'),
    ('cdc_mode => ''wal''', '0A000', 'cdc_mode ''wal'' is not supported.*triggers'), ('cdc_mode => ''magic''', '22023', 'auto, trigger'),
    ('append_only => true', '0A000', 'append_only.*Leave it out'), ('partition_by => ''id''', '0A000', 'partition_by.*not partitioned'),
    ('max_differential_joins => 3', '0A000', 'max_differential_joins.*Any number of joins'), ('schedule => ''soon''', '22023', 'invalid schedule'),
    ('schedule => ''TZ=Mars/Base @daily''', '22023', 'no time zone'), ('schedule => ''99 * * * *''', '22023', 'Field minute'), ('refresh_mode => ''sometimes''', '22023', 'AUTO, DIFFERENTIAL, FULL or IMMEDIATE')) AS r(args, code, pattern);
SELECT test.fails('SELECT pgtrickle.create_stream_table(''x'', ''SELECT * FROM t'', max_staleness => ''soon'')', '22007');
SELECT test.ok('nothing happened', to_regclass('x') IS NULL AND (st('plain')).generation = 1 AND options('plain') = 'calculated AUTO hot - - - f - off - -');
-- alter: one at a time, the others stay
SELECT pgtrickle.alter_stream_table('all_of_them', tier => 'cold');
SELECT test.eq('tier', options('all_of_them'), '@hourly FULL cold 00:05:00 none slowest t 0.25 on 100000 3');
SELECT pgtrickle.alter_stream_table('all_of_them', fuse_ceiling => 7, max_staleness => '1 day');
SELECT test.eq('two', options('all_of_them'), '@hourly FULL cold 1 day none slowest t 0.25 on 7 3');
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''all_of_them'', fuse_ceiling => -1)', '22023', 'needs a fuse_ceiling');
SELECT pgtrickle.alter_stream_table('all_of_them', NULL, '10m', 'FULL', 'PAUSED', 'atomic', 'fastest', 'auto', false, true, 'frozen', 'auto', 9, 4);
SELECT test.eq('by position', options('all_of_them') || ' ' || (st('all_of_them')).status, '10m FULL frozen 1 day atomic fastest t 0.25 auto 9 4 PAUSED');
-- back to the defaults
SELECT pgtrickle.alter_stream_table('all_of_them', schedule => 'default', refresh_mode => 'Default', tier => 'default', diamond_consistency => 'DEFAULT', diamond_schedule_policy => 'default',
    cdc_mode => 'default', fuse => 'default', fuse_ceiling => -1, fuse_sensitivity => -1, max_delta_fraction => -1, max_staleness => '0', allow_circular => false);
SELECT test.eq('all back', options('all_of_them'), 'calculated AUTO hot - - - f - off - -');
-- what is as it was wakes nobody and is no new generation
SELECT (st('plain')).generation AS g \gset
SELECT pgtrickle.alter_stream_table('plain'), pgtrickle.alter_stream_table('plain', tier => 'hot', schedule => 'calculated', fuse => 'off', max_staleness => '0', refresh_mode => 'auto', query => 'SELECT * FROM t');
SELECT test.eq('unchanged', (st('plain')).generation, :g::bigint);
SELECT pgtrickle.alter_stream_table('plain', tier => 'warm', max_staleness => '1 s');
SELECT test.eq('one step', (st('plain')).generation, :g::bigint + 1);
SELECT test.ok('nothing to rebuild', NOT (st('plain')).needs_reinit);
-- a blown fuse survives everything but fuse => 'off'
SELECT pgtrickle.alter_stream_table('plain', fuse => 'on', fuse_ceiling => 10);
UPDATE pgtrickle.pgt_stream_tables SET fuse_blown_at = now(), fuse_blow_reason = 'too many', fuse_reset = 'apply' WHERE pgt_name = 'plain';
SELECT pgtrickle.alter_stream_table('plain', fuse_ceiling => 1000), pgtrickle.alter_stream_table('plain', fuse => 'auto'), pgtrickle.alter_stream_table('plain', fuse => 'on'),
       pgtrickle.alter_stream_table('plain', status => 'PAUSED'), pgtrickle.alter_stream_table('plain', status => 'ACTIVE'), pgtrickle.alter_stream_table('plain', tier => 'frozen');
SELECT test.ok('still blown', (st('plain')).fuse_blown_at IS NOT NULL AND (st('plain')).fuse_blow_reason = 'too many' AND (st('plain')).fuse_reset = 'apply');
SELECT pgtrickle.alter_stream_table('plain', fuse => 'off');
SELECT test.ok('mended', (st('plain')).fuse_blown_at IS NULL AND (st('plain')).fuse_blow_reason IS NULL AND (st('plain')).fuse_reset IS NULL AND (st('plain')).fuse_limit IS NULL);
SELECT test.eq('the ceiling is kept', (st('plain')).fuse_ceiling, 1000::bigint);
-- values cannot get out of their quotes
SELECT test.fails(format('SELECT pgtrickle.alter_stream_table(''plain'', tier => %L)', $x$hot', fuse = 'on$x$), '22023', $x$'hot'', fuse = ''on'$x$);
SELECT test.fails(format('SELECT pgtrickle.alter_stream_table(%L, tier => ''hot'')', n), code) FROM (VALUES ('nope', '42P01'), ('t', '42P01'), ('a"b', '42602'), (NULL, '22004'), ('a.b.c', '42601')) AS x(n, code);
SELECT pgtrickle.create_stream_table('"it''s ""50%"" 名前"', 'SELECT id AS "a""b%c''d" FROM t', tier => 'cold', fuse => 'on', fuse_ceiling => 5);
SELECT pgtrickle.alter_stream_table('"it''s ""50%"" 名前"', tier => 'warm');
SELECT test.eq('hostile name', (st($x$it's "50%" 名前$x$)).tier, 'warm');
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''"it''''s ""50%"" 名前"'', tier => ''x'')', '22023', $x$stream table public."it's ""50%"" 名前": invalid tier$x$);
SELECT pgtrickle.create_stream_table(repeat('x', 63), 'SELECT * FROM t', tier => 'cold'), pgtrickle.alter_stream_table(repeat('x', 63), tier => 'frozen');
SELECT test.eq('63 bytes', (st(repeat('x', 63))).tier, 'frozen');
-- rights: the owner and members of the owner
SET ROLE alice;
CREATE TABLE hers (id int);
SELECT pgtrickle.create_stream_table('st_alice', 'SELECT * FROM hers', tier => 'warm', fuse => 'auto', max_staleness => '1 min', allow_circular => true, max_delta_fraction => 0.1, diamond_consistency => 'none');
SELECT pgtrickle.alter_stream_table('st_alice', tier => 'cold', fuse => 'on', fuse_ceiling => 5, diamond_schedule_policy => 'slowest', status => 'PAUSED', schedule => '@daily', allow_circular => false);
SELECT test.eq('her own', options('st_alice'), '@daily AUTO cold 00:01:00 none slowest f 0.1 on 5 -');
RESET ROLE;
SELECT pgtrickle.alter_stream_table('st_alice', tier => 'hot');
SET ROLE bob;
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''st_alice'', tier => ''frozen'')', '42501', 'must be owner of stream table public.st_alice'),
       test.fails('SELECT pgtrickle.create_or_replace_stream_table(''st_alice'', ''SELECT 1 AS id'')', '42501', 'must be owner');
RESET ROLE;
SELECT test.eq('untouched', (st('st_alice')).tier, 'hot');
