-- Cycles: only altering a query can make one, and only with the permission of all members
CREATE TABLE edges (a int, b int);
INSERT INTO edges VALUES (1, 2), (2, 3);
CREATE FUNCTION id(n text) RETURNS bigint LANGUAGE sql AS $$ SELECT pgt_id FROM pgtrickle.pgt_stream_tables WHERE pgt_name = n $$;
CREATE FUNCTION cycle_of(n text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(pgt_name, ' ' ORDER BY pgt_name) FROM unnest(pgtrickle._cycle_of(id(n))) AS m(pgt_id) JOIN pgtrickle.pgt_stream_tables USING (pgt_id) $$;
SELECT pgtrickle.create_stream_table('x', 'SELECT a, b FROM edges'), pgtrickle.create_stream_table('y', 'SELECT a, b FROM x'), pgtrickle.create_stream_table('z', 'SELECT a, b FROM y'),
       pgtrickle.create_stream_table('above', 'SELECT a FROM z'), pgtrickle.create_stream_table('lonely', 'SELECT a FROM edges');
-- one
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''x'', query => ''SELECT a, b FROM edges UNION SELECT e.a, x.b FROM edges e JOIN x ON x.a = e.b'')', '42P17',
    'stream table public.x would read itself \| public.x -> public.x \| Break the cycle: take public.x out of its query.*allow_circular => true\) for public.x');
-- two
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''x'', query => ''SELECT a, b FROM y'')', '42P17', 'public.x -> public.y -> public.x \| Break the cycle: let public.x read what public.y reads instead.*for public.x, public.y');
-- three, and an aggregate on the way makes no difference here
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''x'', query => ''SELECT max(a) AS a, max(b) AS b FROM z'')', '42P17', 'public.x -> public.z -> public.y -> public.x \|.*for public.x, public.y, public.z');
-- through views, of views
CREATE VIEW on_z AS SELECT a, b FROM z;
CREATE VIEW on_on_z AS SELECT b AS a, a AS b FROM on_z;
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''x'', query => ''SELECT a, b FROM on_on_z'')', '42P17', 'public.x -> public.z -> public.y -> public.x');
-- in a subquery
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''x'', query => ''SELECT a, b FROM edges WHERE EXISTS (SELECT FROM z WHERE z.a = edges.a)'')', '42P17', 'public.x -> public.z');
-- the shortest one is printed
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''x'', query => ''SELECT z.a, y.b FROM z, y'')', '42P17', '\| public.x -> public.y -> public.x \|');
SELECT test.ok('nothing happened', NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables WHERE needs_reinit OR generation > 1)
    AND (SELECT string_agg(source_name, ' ') FROM pgtrickle.pgt_dependencies WHERE pgt_id = id('x')) = 'edges');
-- permission of the altered one alone, of all but one, of all
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''x'', query => ''SELECT a, b FROM z'', allow_circular => true)', '42P17', 'for public.y, public.z');
SELECT pgtrickle.alter_stream_table('y', allow_circular => true), pgtrickle.alter_stream_table('z', allow_circular => true);
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''x'', query => ''SELECT a, b FROM z'')', '42P17', 'for public.x\.');
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''x'', query => ''SELECT a, b FROM z'', allow_circular => false)', '42P17', 'for public.x\.');
SELECT pgtrickle.alter_stream_table('x', query => 'SELECT a, b FROM edges UNION SELECT e.a, z.b FROM edges e JOIN on_z AS z ON z.a = e.b', allow_circular => true);
SELECT test.eq('members', concat_ws('|', cycle_of('x'), cycle_of('y'), cycle_of('z'), coalesce(cycle_of('above'), '-'), coalesce(cycle_of('lonely'), '-')), 'x y z|x y z|x y z|-|-');
-- it cannot be taken back while it is needed
SELECT test.fails('SELECT pgtrickle.alter_stream_table(''y'', allow_circular => false)', '42P17', 'public.y -> public.x -> public.z -> public.y.*for public.y\.');
SELECT pgtrickle.alter_stream_table('y', allow_circular => true), pgtrickle.alter_stream_table('above', allow_circular => true), pgtrickle.alter_stream_table('above', allow_circular => false);
-- a second cycle on the first one
SELECT pgtrickle.alter_stream_table('lonely', query => 'SELECT a FROM edges UNION SELECT a FROM lonely', allow_circular => true);
SELECT pgtrickle.alter_stream_table('above', allow_circular => true), pgtrickle.alter_stream_table('lonely', query => 'SELECT a FROM above UNION SELECT a FROM lonely');
SELECT test.eq('two cycles', cycle_of('lonely') || '|' || cycle_of('x'), 'lonely|x y z');
-- what is shown does not loop
SELECT test.eq('tree', (SELECT string_agg(tree_line, E'\n') FROM pgtrickle.dependency_tree()), 'public.lonely (PENDING)
+-- public.above (PENDING)
    +-- public.z (PENDING)
        +-- public.y (PENDING)
            +-- public.x (PENDING)
                +-- public.edges [table]
                +-- public.on_z [view]
                +-- public.z (PENDING) again: a cycle
+-- public.lonely (PENDING) again: a cycle');
SELECT test.eq('scc_id', (SELECT string_agg(concat_ws(' ', table_name, scc_id), ', ' ORDER BY table_name) FROM pgtrickle.stream_tables),
    format('above, lonely %s, x %s, y %2$s, z %2$s', id('lonely'), id('x')));
SELECT test.ok('pgt_status', (SELECT count(*) FROM pgtrickle.pgt_status() WHERE scc_id = id('x')) = 3);
SELECT test.ok('explain', pgtrickle.explain_stream_table('y') ~ 'cycle         public.y -> public.x -> public.z -> public.y' AND pgtrickle.explain_stream_table('above') !~ 'cycle');
SELECT test.ok('readers', (SELECT count(*) FROM pgtrickle._readers(id('x'))) = 4);
-- a cycle that nothing else reads has a root as well
SELECT pgtrickle.alter_stream_table('lonely', query => 'SELECT a FROM edges'), pgtrickle.drop_stream_table('lonely'), pgtrickle.drop_stream_table('above');
SELECT test.eq('root', (SELECT string_agg(node, ' ') FROM pgtrickle.dependency_tree() WHERE depth = 0), 'public.x');
-- dropping: the whole cycle, or break it first
SELECT test.fails('SELECT pgtrickle.drop_stream_table(''x'')', '2BP01', 'other stream tables read it');
SELECT pgtrickle.alter_stream_table('x', query => 'SELECT a, b FROM edges');
SELECT test.ok('broken', cycle_of('x') IS NULL);
SELECT pgtrickle.alter_stream_table('x', query => 'SELECT a, b FROM z');
SELECT pgtrickle.drop_stream_table('x', cascade => true);
SELECT test.eq('all gone', (SELECT count(*) FROM pgtrickle.pgt_stream_tables), 0::bigint);
-- create cannot make one: not of a name that is gone either
SELECT test.fails('SELECT pgtrickle.create_stream_table(''x'', ''SELECT a FROM x'')', '42P01', 'x');
-- hostile names
SELECT pgtrickle.create_stream_table('"a -> ""b"" 名%s"', 'SELECT a FROM edges');
SELECT test.fails($x$SELECT pgtrickle.alter_stream_table('"a -> ""b"" 名%s"', query => 'SELECT a FROM "a -> ""b"" 名%s"')$x$, '42P17', $x$public."a -> ""b"" 名%s" -> public."a -> ""b"" 名%s" \| .*take public."a -> ""b"" 名%s" out of$x$);
SELECT pgtrickle.drop_stream_table('"a -> ""b"" 名%s"');
-- a layered graph with many paths is walked in no time
DO $$
BEGIN
    FOR layer IN 1..12 LOOP
        FOR i IN 1..6 LOOP
            PERFORM pgtrickle.create_stream_table(format('l%s_%s', layer, i), CASE WHEN layer = 1 THEN 'SELECT a FROM edges'
                ELSE (SELECT string_agg(format('SELECT a FROM l%s_%s', layer - 1, k), ' UNION ALL ') FROM generate_series(1, 6) k) END, initialize => false, allow_circular => true);
        END LOOP;
    END LOOP;
END $$;
SET statement_timeout = '120 s';
SELECT pgtrickle.alter_stream_table('l1_1', query => 'SELECT a FROM l12_6');
SELECT test.eq('one large cycle', cardinality(pgtrickle._cycle_of(id('l5_5'))), 62);
