#!/usr/bin/env bash
# with_cluster.sh COMMAND [ARGS...]: runs COMMAND beside a throw-away PostgreSQL cluster and returns its exit code.
#
# The cluster lives in a temporary directory, listens on a unix socket in it only, and is always stopped and removed.
# Exported to COMMAND:
#   PGT_TEST_DSN      connection string of the superuser, database postgres
#   PGT_TEST_DATADIR  data directory, PGT_TEST_BIN the server's programs, PGT_TEST_LOG the server's log
#   PGT_TEST_OSUSER   operating system user that the server runs as (empty: the current one)
#   PGT_SOURCE_DIR    top of the source tree
#   PGT_DAEMON, PGT_CLI   programs under test; unless already set, those of PGT_BUILD_DIR (default: build/)
# PGT_PG_BIN chooses another PostgreSQL version, PGT_MAX_PREPARED the number of prepared transactions (10; with 0 triggers
# wake the daemon), PGT_SERVER_SETTINGS more lines for postgresql.conf.
set -euo pipefail

if [ $# -eq 0 ]; then
  echo "usage: $0 COMMAND [ARGS...]" >&2
  exit 2
fi

PGT_SOURCE_DIR=$(cd "$(dirname "$0")/../.." && pwd)
build=${PGT_BUILD_DIR:-$PGT_SOURCE_DIR/build}
PGT_TEST_BIN=${PGT_PG_BIN:-$(pg_config --bindir)}
PGT_DAEMON=${PGT_DAEMON:-$build/daemon/pgtrickled}
PGT_CLI=${PGT_CLI:-$build/daemon/cli/pgtrickle}

dir=$(mktemp -d /tmp/pgtrickle-test.XXXXXX)
PGT_TEST_DATADIR=$dir/data
PGT_TEST_LOG=$dir/server.log
PGT_TEST_OSUSER=

# initdb and the server refuse to run as root.
as_server=()
if [ "$(id -u)" -eq 0 ]; then
  PGT_TEST_OSUSER=postgres
  chown postgres "$dir"
  as_server=(runuser -u postgres --)
fi
chmod 755 "$dir"

# shellcheck disable=SC2317  # called by the trap
cleanup() {
  if [ -f "$PGT_TEST_DATADIR/postmaster.pid" ]; then
    (cd "$dir" && "${as_server[@]}" "$PGT_TEST_BIN/pg_ctl" -D "$PGT_TEST_DATADIR" -m immediate -w stop >/dev/null 2>&1) || true
  fi
  rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

cd "$dir"
"${as_server[@]}" "$PGT_TEST_BIN/initdb" -D "$PGT_TEST_DATADIR" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync \
  >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; exit 1; }
cat >>"$PGT_TEST_DATADIR/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$dir'
port = 5432
fsync = off
wal_level = logical
max_connections = 100
max_prepared_transactions = ${PGT_MAX_PREPARED:-10}
max_wal_senders = 10
shared_buffers = 128MB
jit = off
log_min_messages = warning
log_line_prefix = '%m [%p] %q%u@%d '
${PGT_SERVER_SETTINGS:-}
CONF
if ! "${as_server[@]}" "$PGT_TEST_BIN/pg_ctl" -D "$PGT_TEST_DATADIR" -l "$PGT_TEST_LOG" -w -t 60 start >/dev/null; then
  cat "$PGT_TEST_LOG" >&2
  exit 1
fi
cd "$PGT_SOURCE_DIR"

# Variables of the caller must not change what the tests connect to.
unset PGHOST PGPORT PGUSER PGDATABASE PGPASSWORD PGSERVICE PGOPTIONS PGSSLMODE PGTZ
export PGT_TEST_DSN="host=$dir port=5432 user=postgres dbname=postgres"
export PGT_SOURCE_DIR PGT_TEST_BIN PGT_TEST_DATADIR PGT_TEST_LOG PGT_TEST_OSUSER PGT_DAEMON PGT_CLI

# In the background and waited for, so that a signal to this script ends the command and still cleans up.
"$@" </dev/null &
child=$!
trap 'kill -TERM $child 2>/dev/null || true; exit 143' TERM HUP
trap 'kill -INT $child 2>/dev/null || true; exit 130' INT
status=0
wait "$child" || status=$?
exit "$status"
