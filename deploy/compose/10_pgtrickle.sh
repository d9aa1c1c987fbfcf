#!/usr/bin/env bash
# Run once by the entrypoint of the PostgreSQL image, when the cluster is new: the two logins of the daemon
# (docs/SECURITY.md), and the extension, which belongs to the first of them.
set -euo pipefail

psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  -v admin_password="$(cat "${PGT_SECRETS:-/run/secrets}/admin_password")" \
  -v worker_password="$(cat "${PGT_SECRETS:-/run/secrets}/worker_password")" <<'SQL'
CREATE ROLE pgtrickle_admin LOGIN PASSWORD :'admin_password';
CREATE ROLE pgtrickle_worker LOGIN PASSWORD :'worker_password';
GRANT pgtrickle_worker TO pgtrickle_admin;  -- so that the admin can end sessions whose code does not end
SELECT format('GRANT CREATE ON DATABASE %I TO pgtrickle_admin', current_database()) \gexec
SET ROLE pgtrickle_admin;
CREATE EXTENSION pg_trickle;
SELECT pgtrickle.use_worker_role('pgtrickle_worker');
SQL
