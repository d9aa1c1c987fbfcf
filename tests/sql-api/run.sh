#!/usr/bin/env bash
# Tests of the SQL part alone: no daemon, no compiler. Makes a cluster of its own in a temporary directory, runs every
# case of cases/ in a fresh database, and removes the cluster again.
#
#   run.sh [pattern...]     only the cases whose names contain a pattern
#
# Each case runs once per way of installing: plain (script, by a superuser), extension, and limited (script, by a role that
# may not create event triggers), unless its first line names the ways, as in "-- ways: plain extension".
# Environment: PG_BIN (directory of the server's programs), KEEP=1 (leave the temporary directory), ONLY (one of the ways).
set -euo pipefail
cd "$(dirname "$0")"

PG_BIN=${PG_BIN:-$(pg_config --bindir)}
root=$(cd ../.. && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/pgtrickle-sql-api.XXXXXX")
chmod 755 "$work"
as_server=()
if [ "$(id -u)" = 0 ]; then        # the server refuses to run as root
  chown postgres "$work"
  as_server=(runuser -u postgres --)
fi

stop() {
  local pid
  if [ -s "$work/data/postmaster.pid" ]; then
    pid=$(head -n 1 "$work/data/postmaster.pid")
    kill -INT "$pid" 2>/dev/null || true
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -QUIT "$pid" 2>/dev/null || true
  fi
  [ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap stop EXIT

# The socket is in the temporary directory and nothing listens on TCP, so every port is free.
export PGHOST=$work PGPORT=5432 PGUSER=postgres PGOPTIONS='' PGCLIENTENCODING=UTF8
"${as_server[@]}" "$PG_BIN/initdb" -D "$work/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$work/initdb.log"
cat >>"$work/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$work'
fsync = off
max_prepared_transactions = 0
autovacuum = off
log_min_messages = log
CONF
"${as_server[@]}" "$PG_BIN/pg_ctl" -D "$work/data" -l "$work/server.log" -w start >/dev/null

cat "$root"/sql/*.sql >"$work/install.sql"
make -s -C "$root/ext-min" PG_CONFIG="${PG_CONFIG:-pg_config}" install >"$work/make.log" 2>&1 || { cat "$work/make.log"; exit 1; }

psql() { "$PG_BIN/psql" -X -q -v ON_ERROR_STOP=1 "$@"; }
psql -d postgres -c "CREATE ROLE limited LOGIN; CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; GRANT alice, bob TO limited"

install_pgtrickle() { # way database
  case $1 in
    plain) psql -d "$2" >/dev/null <<SQL ;;     # as one PQexec: that is what dblink sends
SELECT dblink_exec('host=$work port=5432 dbname=$2', pg_read_file('$work/install.sql'));
SQL
    extension) psql -d "$2" -c "CREATE EXTENSION pg_trickle" ;;
    limited) psql -d "$2" -U limited --single-transaction -f "$work/install.sql" >/dev/null ;;
  esac
}

passed=0
failed=0
export WORK=$work PG_BIN ROOT=$root
for case_file in cases/*; do
  name=$(basename "$case_file")
  if [ $# -gt 0 ]; then
    wanted=
    for pattern in "$@"; do [[ $name == *"$pattern"* ]] && wanted=1; done
    [ -n "$wanted" ] || continue
  fi
  ways=$(sed -n '1,2s/^\(--\|#\) ways: //p' "$case_file")
  for way in ${ways:-plain extension limited}; do
    [ -z "${ONLY:-}" ] || [ "$ONLY" = "$way" ] || continue
    db="t_${name%%.*}_$way"
    db=${db//-/_}
    owner=postgres
    [ "$way" != limited ] || owner=limited
    log=$work/$db.log
    psql -d postgres -c "CREATE DATABASE \"$db\" OWNER $owner"
    psql -d "$db" -c "GRANT ALL ON SCHEMA public TO PUBLIC" -f support.sql >/dev/null
    ok=1
    install_pgtrickle "$way" "$db" >"$log" 2>&1 || ok=
    if [ -n "$ok" ]; then
      psql -d "$db" -f support_capture.sql >/dev/null
      case $name in
        *.sql) psql -At -o /dev/null -d "$db" -U "$owner" -v way="$way" -f "$case_file" >"$log" 2>&1 || ok= ;;
        *.sh) bash "$case_file" "$db" "$way" >"$log" 2>&1 || ok= ;;
      esac
    fi
    if [ -n "$ok" ]; then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
      echo "FAILED $name ($way)"
      tail -n 15 "$log" | sed 's/^/    /'
    fi
    psql -d postgres -c "DROP DATABASE \"$db\" WITH (FORCE)"
  done
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
