-- world partitions
-- setup
CREATE SEQUENCE ids START 100;
CREATE TABLE p (id int NOT NULL, k int NOT NULL, v int) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
INSERT INTO p SELECT i, i % 20, i FROM generate_series(1, 40) i;
-- query
SELECT k, count(*) AS n, sum(v) AS total FROM p GROUP BY k
-- other
SELECT id, v FROM p WHERE v > 10
-- write
INSERT INTO p SELECT nextval('ids'), i, i FROM generate_series(5, 15) i; UPDATE p SET v = v + 1 WHERE k = 7; UPDATE p SET k = 19 - k WHERE id % 7 = 0;

-- rows
create a partition | equals | CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (20) TO (30)
  then: INSERT INTO p SELECT nextval('ids'), i, i FROM generate_series(18, 25) i; INSERT INTO p3 VALUES (1, 21, 21)
  daemon:
attach a partition with rows | equals | CREATE TABLE p3 (LIKE p); INSERT INTO p3 VALUES (1, 21, 21); ALTER TABLE p ATTACH PARTITION p3 FOR VALUES FROM (20) TO (30)
  then: INSERT INTO p SELECT nextval('ids'), i, i FROM generate_series(18, 25) i; UPDATE p3 SET v = v + 1
detach a partition | equals | ALTER TABLE p DETACH PARTITION p2
  then: INSERT INTO p SELECT nextval('ids'), i, i FROM generate_series(5, 9) i; UPDATE p2 SET v = v + 1
detach a partition concurrently | equals | ALTER TABLE p DETACH PARTITION p2 CONCURRENTLY
  then: INSERT INTO p SELECT nextval('ids'), i, i FROM generate_series(5, 9) i; UPDATE p2 SET v = v + 1
  alone:
drop a partition | equals | DROP TABLE p2
  then: INSERT INTO p SELECT nextval('ids'), i, i FROM generate_series(5, 9) i
truncate a partition | equals | TRUNCATE p2
a partition is exchanged | equals | ALTER TABLE p DETACH PARTITION p2; CREATE TABLE p2b (LIKE p); INSERT INTO p2b VALUES (1, 12, 12); ALTER TABLE p ATTACH PARTITION p2b FOR VALUES FROM (10) TO (20)
rename a partition | unchanged | ALTER TABLE p2 RENAME TO second
  then: INSERT INTO p SELECT nextval('ids'), i, i FROM generate_series(5, 15) i; UPDATE second SET v = v + 1
rename the table | equals | ALTER TABLE p RENAME TO q
  then: INSERT INTO q SELECT nextval('ids'), i, i FROM generate_series(5, 15) i; UPDATE p2 SET v = v + 1
a partition is rewritten | equals | DROP VIEW IF EXISTS st_view, other_view; ALTER TABLE p ALTER COLUMN v TYPE int USING v * 10
a partition becomes unlogged | equals | ALTER TABLE p2 SET UNLOGGED
a partition's triggers are disabled | equals | ALTER TABLE p2 DISABLE TRIGGER USER
  then: INSERT INTO p2 SELECT nextval('ids'), i, i FROM generate_series(11, 15) i; UPDATE p2 SET v = v + 1
vacuum full | equals | VACUUM FULL p
  alone:
