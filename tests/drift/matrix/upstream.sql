-- world upstream
-- setup
CREATE SEQUENCE ids START 100;
CREATE TABLE t (id int PRIMARY KEY, k int NOT NULL, v int NOT NULL);
INSERT INTO t SELECT i, i % 4, i FROM generate_series(1, 20) i;
CREATE PUBLICATION drift_old;
-- query
SELECT k, count(*) AS n, sum(v) AS total FROM t GROUP BY k
-- other
SELECT id, v FROM t WHERE v > 5
-- write
INSERT INTO t SELECT nextval('ids'), i % 5, i FROM generate_series(1, 9) i; UPDATE t SET v = v + 3 WHERE id % 5 = 0
-- teardown
DROP PUBLICATION IF EXISTS drift_old, drift_pub

-- rows
a publication of all tables | equals | CREATE PUBLICATION drift_pub FOR ALL TABLES
a publication of the schema | equals | ALTER PUBLICATION drift_old ADD TABLES IN SCHEMA drift
a publication of the stream table | equals | ALTER PUBLICATION drift_old ADD TABLE st
  query: SELECT DISTINCT v FROM t
a publication goes | equals | DROP PUBLICATION drift_old
a subscription that fills nothing | equals | CREATE SUBSCRIPTION drift_sub CONNECTION '' PUBLICATION x WITH (connect = false, slot_name = NONE); ALTER SUBSCRIPTION drift_sub SET (streaming = true); DROP SUBSCRIPTION drift_sub
a subscription of the source | equals | CREATE SUBSCRIPTION drift_sub CONNECTION '' PUBLICATION x WITH (connect = false, slot_name = NONE); INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate) SELECT oid, 'drift.t'::regclass, 'r' FROM pg_subscription
  then: SET session_replication_role = replica; UPDATE t SET v = v + 1 WHERE id % 3 = 0; RESET session_replication_role; INSERT INTO t VALUES (nextval('ids'), 1, 1)
  undo: DROP SUBSCRIPTION drift_sub
