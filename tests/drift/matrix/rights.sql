-- world rights
-- setup
CREATE ROLE drift_owner; CREATE ROLE drift_group; CREATE ROLE drift_other;
GRANT USAGE, CREATE ON SCHEMA drift TO drift_owner;
CREATE SEQUENCE ids START 100;
CREATE TABLE t (id int PRIMARY KEY, who text NOT NULL, v int NOT NULL);
INSERT INTO t SELECT i, (ARRAY['drift_owner', 'drift_other'])[1 + i % 2], i FROM generate_series(1, 20) i;
CREATE FUNCTION f(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x * 10; END';
GRANT SELECT ON t TO drift_owner;
-- owner drift_owner
-- query
SELECT id, who, v FROM t
-- other
SELECT count(*) AS n FROM t
-- write
INSERT INTO t SELECT nextval('ids'), (ARRAY['drift_owner', 'drift_other'])[1 + i % 2], i FROM generate_series(1, 5) i; UPDATE t SET v = v + 3 WHERE id % 5 = 0; DELETE FROM t WHERE id = (SELECT min(id) FROM t)
-- teardown
DO $$ DECLARE r record; BEGIN FOR r IN SELECT rolname FROM pg_roles WHERE rolname ~ '^drift_' LOOP EXECUTE format('DROP OWNED BY %1$I CASCADE; DROP ROLE %1$I', r.rolname); END LOOP; END $$

-- rows
row security without a policy | equals | ALTER TABLE t ENABLE ROW LEVEL SECURITY
  daemon:
row security recomputed | equals | ALTER TABLE t ENABLE ROW LEVEL SECURITY
  mode: FULL
row security with a policy | equals | ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (who = current_user)
a policy comes | equals | CREATE POLICY own ON t USING (who = current_user)
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY
a restrictive policy comes | equals | CREATE POLICY small ON t AS RESTRICTIVE USING (v < 10)
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY all_rows ON t USING (true)
a policy changes | equals | ALTER POLICY own ON t USING (v < 10)
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (who = current_user)
a policy is for others now | equals | ALTER POLICY own ON t TO drift_other
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (who = current_user)
a policy is renamed | equals | ALTER POLICY own ON t RENAME TO mine
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (who = current_user)
a policy goes | equals | DROP POLICY own ON t
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (who = current_user)
row security is switched off | equals | ALTER TABLE t DISABLE ROW LEVEL SECURITY
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (who = current_user)
row security is forced on the owner | equals | ALTER TABLE t FORCE ROW LEVEL SECURITY
  setup: ALTER TABLE t OWNER TO drift_owner; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (v < 10)
row security is not forced any more | equals | ALTER TABLE t NO FORCE ROW LEVEL SECURITY
  setup: ALTER TABLE t OWNER TO drift_owner; ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (v < 10)
the table becomes the owner's | equals | ALTER TABLE t OWNER TO drift_owner
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (v < 10)
the owner may bypass row security | equals | ALTER ROLE drift_owner BYPASSRLS
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (v < 10)
  daemon:
the owner may not bypass it any more | equals | ALTER ROLE drift_owner NOBYPASSRLS
  setup: ALTER ROLE drift_owner BYPASSRLS; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (v < 10)
the owner becomes a superuser | equals | ALTER ROLE drift_owner SUPERUSER
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (v < 10)
the owner joins a group that a policy names | equals | GRANT drift_group TO drift_owner
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY theirs ON t TO drift_group USING (true)
the owner leaves a group that a policy names | equals | REVOKE drift_group FROM drift_owner
  setup: GRANT drift_group TO drift_owner; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY theirs ON t TO drift_group USING (true)
the owner joins a group through another | equals | GRANT drift_group TO drift_other
  setup: GRANT drift_other TO drift_owner; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY theirs ON t TO drift_group USING (true)
the owner does not inherit any more | equals | ALTER ROLE drift_owner NOINHERIT
  setup: GRANT drift_group TO drift_owner; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY theirs ON t TO drift_group USING (true)
another body of a policy's function | equals | CREATE OR REPLACE FUNCTION sees(x int) RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN x > 10; END'
  setup: CREATE FUNCTION sees(x int) RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN x < 10; END'; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (sees(v))
a table that a policy reads is renamed | equals | ALTER TABLE allowed RENAME TO permitted
  setup: CREATE TABLE allowed (who text); INSERT INTO allowed VALUES ('drift_other'); GRANT SELECT ON allowed TO drift_owner; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (who IN (SELECT a.who FROM allowed a))
a table that a policy reads is written to | equals | INSERT INTO allowed VALUES ('drift_owner')
  setup: CREATE TABLE allowed (who text); INSERT INTO allowed VALUES ('drift_other'); GRANT SELECT ON allowed TO drift_owner; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (who IN (SELECT a.who FROM allowed a))
row security behind a view | equals | ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (v < 10)
  setup: CREATE VIEW through WITH (security_invoker = true) AS SELECT id, who, v FROM t; GRANT SELECT ON through TO drift_owner
  query: SELECT id, v FROM through
whose rights a view uses | equals | ALTER VIEW through SET (security_invoker = true)
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (v < 10); CREATE VIEW through AS SELECT id, who, v FROM t; GRANT SELECT ON through TO drift_owner
  query: SELECT id, v FROM through
another owner of a view | equals | ALTER VIEW through OWNER TO drift_other
  setup: ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (v < 10); GRANT SELECT ON t TO drift_other; GRANT USAGE, CREATE ON SCHEMA drift TO drift_other; CREATE VIEW through AS SELECT id, who, v FROM t; GRANT SELECT ON through TO drift_owner
  query: SELECT id, v FROM through
SELECT is revoked | stops (permission denied|may no longer SELECT).*\bt\b | REVOKE SELECT ON t FROM drift_owner
  cure: GRANT SELECT ON t TO drift_owner
  daemon:
SELECT on a column remains | equals | REVOKE SELECT ON t FROM drift_owner; GRANT SELECT (id, who, v) ON t TO drift_owner
SELECT through a group | equals | GRANT SELECT ON t TO drift_group; GRANT drift_group TO drift_owner; REVOKE SELECT ON t FROM drift_owner
use of the schema is revoked | stalls permission denied for schema elsewhere | REVOKE USAGE ON SCHEMA elsewhere FROM drift_owner
  setup: CREATE SCHEMA elsewhere; GRANT USAGE ON SCHEMA elsewhere TO drift_owner; CREATE TABLE elsewhere.w (id int, x int); GRANT SELECT ON elsewhere.w TO drift_owner
  query: SELECT t.id, w.x FROM t LEFT JOIN elsewhere.w USING (id)
  cure: GRANT USAGE ON SCHEMA elsewhere TO drift_owner
EXECUTE is revoked | stalls permission denied for function f | REVOKE EXECUTE ON FUNCTION f(int) FROM PUBLIC
  query: SELECT id, f(v) AS fv FROM t
  cure: GRANT EXECUTE ON FUNCTION f(int) TO drift_owner
use of a type is revoked | equals | REVOKE USAGE ON TYPE pos FROM PUBLIC
  setup: CREATE DOMAIN pos AS int
  query: SELECT id, v::pos AS vp FROM t
other privileges | unchanged | GRANT INSERT ON t TO drift_other; ALTER DEFAULT PRIVILEGES FOR ROLE drift_other GRANT SELECT ON TABLES TO PUBLIC
  unwatched: equals
the owner is renamed | equals | ALTER ROLE drift_owner RENAME TO drift_renamed
  other: none
  undo: ALTER ROLE drift_renamed RENAME TO drift_owner
settings of the owner | equals | ALTER ROLE drift_owner SET TimeZone = 'Asia/Tokyo'; ALTER ROLE drift_owner SET search_path = public
  query: SELECT id, to_timestamp(v)::text AS at FROM t
the owner may not log in | equals | ALTER ROLE drift_owner NOLOGIN CONNECTION LIMIT 0
everything changes hands | equals | REASSIGN OWNED BY drift_other TO drift_group
  setup: ALTER TABLE t OWNER TO drift_other; GRANT USAGE, CREATE ON SCHEMA drift TO drift_group
what another role owns is dropped | stops table drift\.w was dropped | DROP OWNED BY drift_other CASCADE
  setup: CREATE TABLE w (id int, x int); GRANT SELECT ON w TO drift_owner; ALTER TABLE w OWNER TO drift_other
  query: SELECT t.id, w.x FROM t LEFT JOIN w USING (id)
a role comes and goes | unchanged | CREATE ROLE drift_new; GRANT SELECT ON t TO drift_new; REVOKE SELECT ON t FROM drift_new; DROP ROLE drift_new
  unwatched: equals
