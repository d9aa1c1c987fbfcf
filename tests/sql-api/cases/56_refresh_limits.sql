-- What a refresh reads of a stream table (pgt_refresh_limits) is never behind pgt_stream_tables, however that is written
SELECT NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS limited \gset
CREATE TABLE t (a int);
SELECT pgtrickle.create_stream_table('a', 'SELECT a FROM t'), pgtrickle.create_stream_table('b', 'SELECT a FROM t');
-- every stream table has its row, and it says what the catalog says
CREATE FUNCTION behind() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(s.pgt_name, ' ' ORDER BY s.pgt_id)
    FROM pgtrickle.pgt_stream_tables s LEFT JOIN pgtrickle.pgt_refresh_limits l USING (pgt_id)
    WHERE l.pgt_id IS NULL OR l.usual_rows IS DISTINCT FROM CASE
        WHEN s.needs_reinit OR s.fuse_blown_at IS NOT NULL OR s.fuse_reset IS NOT NULL OR s.max_delta_fraction IS NOT NULL THEN NULL
        WHEN s.fuse_limit IS NULL THEN 9223372036854775807 ELSE s.fuse_limit END $$;
CREATE FUNCTION usual() RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(l.usual_rows::text, 'none') FROM pgtrickle.pgt_refresh_limits l JOIN pgtrickle.pgt_stream_tables s USING (pgt_id) WHERE s.pgt_name = 'a' $$;
-- after: what it is with this change of the catalog; then the change is undone
CREATE FUNCTION after(changes text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    seen text;
BEGIN
    EXECUTE format('UPDATE pgtrickle.pgt_stream_tables SET %s WHERE pgt_name = ''a''', changes);
    seen := concat_ws(', behind: ', usual(), behind());
    RAISE EXCEPTION USING ERRCODE = 'TST01', MESSAGE = seen;
EXCEPTION WHEN SQLSTATE 'TST01' THEN
    RETURN seen;
END $$;
SELECT test.eq('made', concat_ws(' ', usual(), behind()), '9223372036854775807');
SELECT test.eq('to be rebuilt', after('needs_reinit = true'), 'none'), test.eq('a fuse', after('fuse = ''on'', fuse_ceiling = 7'), '7'),
       test.eq('one that has learned', after('fuse = ''auto'', fuse_ceiling = 7, fuse_learned = 5'), '5'), test.eq('blown', after('fuse_blown_at = now()'), 'none'),
       test.eq('reset', after('fuse_reset = ''apply'''), 'none'), test.eq('a fraction', after('max_delta_fraction = 0.5'), 'none'),
       test.eq('what does not matter', after('tier = ''cold'', generation = generation + 1'), '9223372036854775807');
SELECT test.eq('undone', concat_ws(' ', usual(), behind()), '9223372036854775807');
-- whatever the session does about triggers
\if :limited
\else
SET session_replication_role = replica;
SELECT test.eq('as a replica', after('fuse = ''on'', fuse_ceiling = 9'), '9');
RESET session_replication_role;
\endif
-- through the functions that people use
SELECT pgtrickle.alter_stream_table('a', fuse => 'on', fuse_ceiling => 12);
SELECT test.eq('altered', concat_ws(' ', usual(), behind()), '12');
DROP TABLE t CASCADE;
SELECT test.eq('and dropped', behind(), NULL);
SELECT pgtrickle.drop_stream_table('a');
SELECT test.eq('no row is left', (SELECT count(*) FROM pgtrickle.pgt_refresh_limits), 1::bigint);
-- nobody writes there
SET ROLE bob;
SELECT test.fails('UPDATE pgtrickle.pgt_refresh_limits SET usual_rows = NULL', '42501'), test.fails('DELETE FROM pgtrickle.pgt_refresh_limits', '42501');
RESET ROLE;
