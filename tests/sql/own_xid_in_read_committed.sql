-- A refresh in READ COMMITTED after a subtransaction (or any later transaction) has ended: the frontier's snapshot then
-- has xmax above the own transaction's id, so what the transaction writes after the refresh counts as consumed.
-- setup
CREATE TABLE t (k int);
INSERT INTO t VALUES (1);

-- query st DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT k FROM t

-- step
BEGIN;
INSERT INTO t VALUES (2);
SAVEPOINT s;
INSERT INTO t VALUES (3);
ROLLBACK TO SAVEPOINT s;
SELECT pgtrickle.refresh_stream_table('st');
INSERT INTO t VALUES (4);
COMMIT;
