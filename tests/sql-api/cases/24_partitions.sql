-- Partitioned tables and inheritance: every way a row can come, move and go
CREATE TABLE p (id int, region text, v numeric) PARTITION BY LIST (region);
CREATE TABLE p_a PARTITION OF p FOR VALUES IN ('a');
CREATE TABLE p_b (gone int, v numeric, region text, id int);       -- other order, a dropped column
ALTER TABLE p_b DROP COLUMN gone;
ALTER TABLE p ATTACH PARTITION p_b FOR VALUES IN ('b');
CREATE TABLE p_c PARTITION OF p FOR VALUES IN ('c', 'd') PARTITION BY RANGE (id);
CREATE TABLE p_c1 PARTITION OF p_c FOR VALUES FROM (0) TO (100);
SELECT pgtrickle._install_capture('p'::regclass, '{1,2}') AS n \gset
SELECT test.eq('relations', (SELECT cardinality(partitions) FROM pgtrickle.pgt_sources WHERE source_id = :n), 5);
SELECT test.watch(:n);
INSERT INTO p VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3), (4, 'd', 4); SELECT test.check_log('through the root', :n, 4);
INSERT INTO p_a VALUES (5, 'a', 1); SELECT test.check_log('into a partition', :n, 1);
INSERT INTO p_b (id, region, v) VALUES (6, 'b', 1); SELECT test.check_log('into a partition of other column order', :n, 1);
INSERT INTO p_c VALUES (7, 'c', 1); SELECT test.check_log('into the middle', :n, 1);
INSERT INTO p_c1 VALUES (8, 'd', 1); SELECT test.check_log('into a leaf', :n, 1);
COPY p_b (id, region, v) FROM stdin;
9	b	9
\.
SELECT test.check_log('copy into a partition', :n, 1);
UPDATE p SET v = v + 1; SELECT test.check_log('unread', :n, 0);
UPDATE p SET region = 'b' WHERE id = 1; SELECT test.check_log('moved to another partition', :n, 2);
UPDATE p SET region = CASE region WHEN 'b' THEN 'c' ELSE 'b' END; SELECT test.check_log('moved many', :n);
UPDATE p_c SET id = id + 1; SELECT test.check_log('update in the middle', :n);
DELETE FROM p_b WHERE id < 6; SELECT test.check_log('delete in a partition', :n);
DELETE FROM p WHERE id = 8; SELECT test.check_log('delete through the root', :n);
-- PostgreSQL's transition tables lack the rows that a MERGE moves to another partition: a marker, however it is run
CREATE PROCEDURE run_merge(text) LANGUAGE plpgsql AS $$ BEGIN
    MERGE INTO p USING (SELECT 7) s(id) ON p.id = s.id WHEN MATCHED THEN UPDATE SET region = $1; END $$;
CREATE FUNCTION sql_merge() RETURNS int LANGUAGE sql AS 'MERGE INTO p USING (SELECT 7) s(id) ON p.id = s.id WHEN MATCHED THEN UPDATE SET region = ''c''; SELECT 1';
PREPARE m AS MERGE INTO p USING (SELECT 7) s(id) ON p.id = s.id WHEN MATCHED THEN UPDATE SET region = 'b';
MERGE INTO p USING (VALUES (7, 'a'), (77, 'a')) s(id, region) ON p.id = s.id WHEN MATCHED THEN UPDATE SET region = s.region WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.region, 0);
SELECT test.check_log('merge that moves rows', :n, -1);
CALL run_merge('b'); SELECT test.check_log('merge in a procedure', :n, -1);
SELECT sql_merge(); SELECT test.check_log('merge in a SQL function', :n, -1);
EXECUTE m; SELECT test.check_log('prepared merge', :n, -1);
MERGE INTO p USING (VALUES (7), (78)) s(id) ON p.id = s.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'a', 0);
SELECT test.check_log('merge that does not update', :n);
UPDATE p SET region = 'b' WHERE id = 78; SELECT test.check_log('a plain update after that', :n, 2);
TRUNCATE p_a; SELECT test.check_log('truncate of a partition', :n, -1);
TRUNCATE p; SELECT test.check_log('truncate', :n, -1);
-- a leaf alone cannot be captured: statements on the root do not fire its triggers
SELECT test.fails('SELECT pgtrickle._install_capture(''p_a''::regclass, ''{1}'')', '0A000', 'partition or child of public.p');
-- attach, detach, drop: consumers are marked, nobody's write fails
SELECT pgtrickle.create_stream_table('st', 'SELECT count(*) AS n FROM p', initialize => true);
UPDATE pgtrickle.pgt_dependencies SET source_id = :n;
CREATE TABLE p_e PARTITION OF p FOR VALUES IN ('e');
INSERT INTO p VALUES (1, 'e', 1); INSERT INTO p_e VALUES (2, 'e', 1);
SELECT test.ok('a problem', pgtrickle._source_problem(:n) ~ 'attached');
SELECT test.eq('marked at once where possible', (SELECT reinit_reason ~ 'attached' FROM pgtrickle.pgt_stream_tables), CASE WHEN pgtrickle._has_event_triggers() THEN true END);
SELECT test.check_log('marker through the root', :n, -1);
SELECT pgtrickle._install_capture('p'::regclass, '{1,2}') AS n2 \gset
SELECT test.ok('a new log', :n2 <> :n);
SELECT test.ok('consumer marked', (SELECT needs_reinit AND reinit_reason ~ 'attached' FROM pgtrickle.pgt_stream_tables));
SELECT test.ok('no old log', to_regclass('pgtrickle_changes.log_1') IS NULL);
SELECT test.watch(:n2);
INSERT INTO p_e VALUES (3, 'e', 1); SELECT test.check_log('new partition', :n2, 1);
ALTER TABLE p DETACH PARTITION p_e;
INSERT INTO p_e VALUES (4, 'e', 1); INSERT INTO p VALUES (5, 'a', 1);
SELECT test.check_log('after detach', :n2, -1);
SELECT test.ok('a problem', pgtrickle._source_problem(:n2) ~ 'detached');
SELECT pgtrickle._install_capture('p'::regclass, '{1,2}') AS n3 \gset
SELECT test.watch(:n3);
DROP TABLE p_b;
INSERT INTO p VALUES (6, 'a', 1);
SELECT test.check_log('after drop of a partition', :n3, -1);
-- inheritance
CREATE TABLE base (id int, v text);
CREATE TABLE derived (extra int) INHERITS (base);
SELECT pgtrickle._install_capture('base'::regclass, '{1,2}') AS b \gset
SELECT test.watch(:b);
INSERT INTO base VALUES (1, 'a'); INSERT INTO derived VALUES (2, 'b', 3); SELECT test.check_log('children', :b, 2);
UPDATE base SET v = 'c'; SELECT test.check_log('update through the parent', :b, 4);
UPDATE derived SET extra = 4; SELECT test.check_log('unread', :b, 0);
DELETE FROM ONLY base; SELECT test.check_log('delete only', :b, 1);
-- a captured table becomes a partition of another: statements on that one would pass by
CREATE TABLE single (id int, region text);
SELECT pgtrickle._install_capture('single'::regclass, '{1}') AS s \gset
CREATE TABLE owner_of_single (id int, region text) PARTITION BY LIST (region);
ALTER TABLE owner_of_single ATTACH PARTITION single FOR VALUES IN ('x');
SELECT test.ok('noticed', pgtrickle._source_problem(:s) ~ 'partition or child of');
INSERT INTO owner_of_single VALUES (1, 'x'); INSERT INTO single VALUES (2, 'x');
-- foreign partition
CREATE TABLE pf (id int) PARTITION BY LIST (id);
