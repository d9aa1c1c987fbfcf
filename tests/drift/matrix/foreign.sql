-- world foreign
-- setup
CREATE SEQUENCE ids START 100;
CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL);
INSERT INTO t SELECT i, i FROM generate_series(1, 20) i;
CREATE EXTENSION file_fdw SCHEMA drift;
CREATE SERVER drift_server FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE f (id int, name text) SERVER drift_server OPTIONS (program 'printf "1,a\n2,b\n3,c\n"', format 'csv');
-- query
SELECT t.id, t.v, f.name FROM t JOIN f USING (id)
-- other
SELECT count(*) AS n FROM t
-- write
INSERT INTO t SELECT nextval('ids'), i FROM generate_series(1, 9) i; UPDATE t SET v = v + 3 WHERE id < 5

-- rows
other options | equals | ALTER FOREIGN TABLE f OPTIONS (SET program 'printf "1,x\n2,y\n4,z\n"')
rename it | equals | ALTER FOREIGN TABLE f RENAME TO g
rename a column of it | equals | ALTER FOREIGN TABLE f RENAME COLUMN name TO label
drop it | stops foreign table drift\.f was dropped | DROP FOREIGN TABLE f CASCADE
drop and create it | equals | DROP FOREIGN TABLE f CASCADE; CREATE FOREIGN TABLE f (id int, name text) SERVER drift_server OPTIONS (program 'printf "1,q\n"', format 'csv')
rename its server | equals | ALTER SERVER drift_server RENAME TO drift_server_2
drop its server | stops foreign table drift\.f was dropped | DROP SERVER drift_server CASCADE
a user mapping | equals | CREATE USER MAPPING FOR CURRENT_USER SERVER drift_server; ALTER USER MAPPING FOR CURRENT_USER SERVER drift_server OPTIONS (ADD x 'y'); DROP USER MAPPING FOR CURRENT_USER SERVER drift_server
  setup: CREATE FOREIGN DATA WRAPPER drift_fdw; DROP EXTENSION file_fdw CASCADE; CREATE SERVER drift_server FOREIGN DATA WRAPPER drift_fdw; CREATE VIEW f AS SELECT 1 AS id, 'a'::text AS name
  undo: DROP FOREIGN DATA WRAPPER drift_fdw CASCADE
rename its wrapper | equals | ALTER FOREIGN DATA WRAPPER file_fdw RENAME TO drift_fdw
drop its wrapper | stops foreign table drift\.f was dropped | DROP EXTENSION file_fdw CASCADE
