-- Whether a row of a change log is pending: the rule itself, and that no plan calls a function for each row
CREATE FUNCTION pending(xid text, seq bigint) RETURNS boolean LANGUAGE sql AS $$
    SELECT pgtrickle._is_pending(xid::xid8, seq, f, pg_snapshot_xmin(f), pg_snapshot_xmax(f), '17', 100) FROM (SELECT '10:20:12,15'::pg_snapshot AS f) f $$;
SELECT test.ok('before the snapshot', NOT pending('9', 999)), test.ok('at its xmin', pending('10', 1) IS FALSE), test.ok('ran then', pending('12', 1) AND pending('15', 1)),
       test.ok('had ended', pending('14', 999) IS FALSE), test.ok('began later', pending('20', 1) AND pending('4294967316', 1)),
       test.ok('its own, before', pending('17', 100) IS FALSE), test.ok('its own, after', pending('17', 101));
SELECT test.ok('of no transaction', pgtrickle._is_pending('20', 1, '10:20:', '10', '20', NULL, NULL));
-- PostgreSQL puts the expression in its place, also with variables of PL/pgSQL in a generic plan
CREATE TABLE l (xid xid8, seq bigint);
CREATE FUNCTION plan() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text;
    all_of_it text := '';
BEGIN
    FOR line IN EXPLAIN (VERBOSE) EXECUTE q('10:20:', '10', '20', '17', 5) LOOP
        all_of_it := all_of_it || line;
    END LOOP;
    RETURN all_of_it;
END $$;
SET plan_cache_mode = force_generic_plan;
PREPARE q (pg_snapshot, xid8, xid8, xid8, bigint) AS SELECT count(*) FROM l WHERE pgtrickle._is_pending(l.xid, l.seq, $1, $2, $3, $4, $5);
SELECT test.ok('inlined', plan() !~ '_is_pending' AND plan() ~ 'CASE WHEN \(l.xid = \$4\) THEN \(l.seq > \$5\)');
GRANT SELECT ON l TO bob; GRANT EXECUTE ON FUNCTION plan TO PUBLIC;
SET ROLE bob;
SELECT test.ok('for everybody', plan() !~ '_is_pending');
RESET ROLE;
