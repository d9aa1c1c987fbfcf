-- world collations
-- setup
CREATE SEQUENCE ids START 100;
CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION cs (provider = icu, locale = 'und');
CREATE TABLE t (id int PRIMARY KEY, k text COLLATE ci, note text);
INSERT INTO t SELECT i, chr(65 + i % 5), 'x' FROM generate_series(1, 20) i;
-- query
SELECT k, count(*) AS n, max(note COLLATE cs) AS most FROM t GROUP BY k
-- other
SELECT id, note FROM t
-- write
INSERT INTO t SELECT nextval('ids'), chr(65 + i), 'y' FROM generate_series(1, 4) i; UPDATE t SET note = note || 'z' WHERE id % 5 = 0

-- rows
rename a collation | equals | ALTER COLLATION cs RENAME TO cs2
rename the collation of a column | equals | ALTER COLLATION ci RENAME TO ci2
another collation takes its name | equals | ALTER COLLATION cs RENAME TO cs2; CREATE COLLATION cs (provider = icu, locale = 'und-u-kf-upper')
move a collation | equals | CREATE SCHEMA elsewhere; ALTER COLLATION cs SET SCHEMA elsewhere
refresh the version of a collation | equals | ALTER COLLATION ci REFRESH VERSION
drop a collation | stops collation .*cs.* (was dropped|does not exist) | DROP VIEW st_view; DROP COLLATION cs
  query: SELECT id, note FROM t WHERE note COLLATE cs > 'a'
drop and create a collation | equals | DROP VIEW st_view; DROP COLLATION cs; CREATE COLLATION cs (provider = icu, locale = 'und-u-kf-upper')
  query: SELECT id, note FROM t WHERE note COLLATE cs > 'a'
the column gets another collation | equals | DROP VIEW st_view; ALTER TABLE t ALTER COLUMN k TYPE text COLLATE cs
